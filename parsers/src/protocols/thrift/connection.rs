//! One connection: the message under way on each side, and what a message tells.

use super::head::{Encoding, Head, Type};
use super::header::{Header, Lifetime};
use super::ids::Ids;
use super::json::JsonWalk;
use super::opening::{Body, Opening};
use super::outcome::{Failure, add_text, status};
use super::stop::Stop;
use super::walk::{Role, Said, Walk, Walked};
use crate::failure::Words;
use crate::message::{Attribute, Dialect, Id, Kind, Message, Pairing, Side, Status, Value};
use crate::metadata::Metadata;
use crate::protocol::{AfterGap, Inner, Key, Malformed, Out, Step};
use crate::settings::Settings;
use crate::trace_context::{Collector, TraceContext};
use std::num::{NonZeroU64, NonZeroUsize};
use xxhash_rust::xxh3::xxh3_64;

pub(super) struct Connection {
    client: Side,
    lanes: [Lane; 2],
    ids: Ids,
    /// A message in a frame was seen, so that all are in frames.
    is_framed: bool,
}

/// One side of a connection.
#[derive(Default)]
struct Lane {
    under_way: Option<UnderWay>,
    /// Headers that hold for all messages from here on.
    lasting: Vec<Lasting>,
    /// Bytes of these.
    lasting_bytes: usize,
}

/// A header that holds from where it was sent on.
struct Lasting {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

/// A message whose end has not come.
struct UnderWay {
    key: Key,
    /// Its beginning is lost: it is only passed over, and [`Self::key`] is none.
    is_silent: bool,
    /// What its struct is walked over with; none if only the frame tells its end.
    walker: Option<Walker>,
    /// Bytes of its frame that were not looked at yet; none without a frame.
    left: Option<u64>,
    is_answer: bool,
    /// What was told of its outcome.
    said: Said,
}

enum Walker {
    Fields(Walk),
    Json(JsonWalk),
}

impl Walker {
    fn new(head: &Head<'_>, tells_all: bool) -> Self {
        let role = match head.kind {
            Type::Call | Type::Oneway => Role::Arguments,
            Type::Reply => Role::Result,
            Type::Exception => Role::Error,
        };
        match head.encoding {
            Encoding::Json => Self::Json(JsonWalk::new(role, tells_all)),
            encoding => Self::Fields(Walk::new(encoding == Encoding::Compact, role, tells_all)),
        }
    }

    fn read(&mut self, input: &[u8]) -> Result<Walked, Stop> {
        match self {
            Self::Fields(walk) => walk.read(input),
            Self::Json(walk) => walk.read(input),
        }
    }

    fn said(&self) -> Said {
        match self {
            Self::Fields(walk) => walk.said(),
            Self::Json(walk) => walk.said(),
        }
    }
}

/// What one look at a message under way came to.
enum Look {
    /// So many bytes are done with; it goes on.
    Goes(Step),
    /// It ended before this place.
    Ended(usize),
}

impl Connection {
    pub(super) fn new(client: Side) -> Self {
        Self {
            client,
            lanes: [Lane::default(), Lane::default()],
            ids: Ids::default(),
            is_framed: false,
        }
    }

    pub(super) fn read(
        &mut self,
        from: Side,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let (mut message, at) = match self.lane(from).under_way.take() {
            Some(message) => (message, 0),
            None => match Opening::read(input) {
                Ok(opening) if self.lacks_its_frame(&opening) => {
                    out.lost(BEGINNING);
                    let (mut message, at) = self.open(from, &opening, input, settings, &mut Silent);
                    message.is_silent = true;
                    (message, at)
                }
                Ok(opening) => {
                    self.is_framed |= opening.frame.is_some();
                    self.open(from, &opening, input, settings, out)
                }
                Err(stop) => return stop.step(),
            },
        };
        let out = if message.is_silent { &mut Silent } else { out };
        match message.read(input, at, settings, out) {
            Ok(Look::Ended(end)) => {
                out.close(message.key, end);
                Ok(Step::Used(NonZeroUsize::new(end).unwrap_or(NonZeroUsize::MIN)))
            }
            Ok(Look::Goes(step)) => {
                self.lane(from).under_way = Some(message);
                Ok(step)
            }
            Err(malformed) => {
                out.close(message.key, 0);
                Err(malformed)
            }
        }
    }

    /// Whether the length of a frame that a message is in was lost: where it began is not told then.
    fn lacks_its_frame(&self, opening: &Opening<'_>) -> bool {
        opening.is_bare || (opening.frame.is_none() && self.is_framed)
    }

    pub(super) fn skipped(&mut self, from: Side, out: &mut dyn Out) {
        let ended = self.lane(from).under_way.take_if(|message| message.left == Some(0));
        if let Some(message) = ended {
            message.close(out);
        }
    }

    pub(super) fn gap(
        &mut self,
        from: Side,
        head: &[u8],
        lost: u64,
        settings: &Settings,
        out: &mut dyn Out,
    ) -> AfterGap {
        if from != self.client {
            self.ids.lose();
        }
        let is_framed = self.is_framed;
        let lane = self.lane(from);
        let missing = (head.len() as u64).saturating_add(lost);
        let mut after = AfterGap::Continue;
        if lane.under_way.is_none()
            && is_framed
            && let Some(frame) = Opening::frame(head)
        {
            out.lost(BEGINNING);
            lane.under_way = Some(UnderWay::silent(frame));
            after = AfterGap::Beginning;
        }
        if let Some(message) = &mut lane.under_way
            && let Some(left) = message.left.and_then(|left| left.checked_sub(missing))
        {
            // The frame says where the next message begins.
            if settings.locate_secrets && !message.is_silent {
                out.secret(message.key, 0..left + missing);
            }
            message.left = Some(left);
            message.walker = None;
            if left == 0 {
                self.abandon(from, &[], settings, out);
            }
            return after;
        }
        self.abandon(from, head, settings, out);
        AfterGap::Resync
    }

    /// Gives up what one side has begun; these bytes of it were not looked at.
    pub(super) fn abandon(
        &mut self,
        from: Side,
        head: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) {
        if let Some(message) = self.lane(from).under_way.take() {
            if settings.locate_secrets && !message.is_silent && !head.is_empty() {
                out.secret(message.key, 0..head.len() as u64);
            }
            message.close(out);
        }
    }

    fn lane(&mut self, side: Side) -> &mut Lane {
        let [a, b] = &mut self.lanes;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// Opens a message; where it goes on.
    fn open(
        &mut self,
        from: Side,
        opening: &Opening<'_>,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> (UnderWay, usize) {
        let head = match &opening.body {
            Body::Plain(head) => Some(*head),
            Body::Inflated(plain) => Head::read(plain).ok(),
            Body::Unreadable => None,
        };
        let is_answer = match head {
            Some(head) => head.kind.is_answer(),
            None => from != self.client,
        };
        let seqid = match (&opening.header, head) {
            (Some(header), _) => header.seqid,
            (None, head) => head.map_or(0, |head| head.seqid),
        };
        let (service, method) = head.map_or((&b""[..], &b""[..]), |head| head.names());
        let is_oneway = head.is_some_and(|head| head.kind == Type::Oneway);
        let pairing = if is_oneway {
            Pairing::OneWay
        } else {
            self.pairing(if is_answer { from.other() } else { from }, is_answer, seqid, method)
        };
        let (operation, resource) =
            if is_answer { (&b""[..], &b""[..]) } else { (method, service) };
        let key = out.open(Message {
            kind: match (is_answer, is_oneway) {
                (true, _) => Kind::Response,
                (false, true) => Kind::OneWay,
                (false, false) => Kind::Request,
            },
            dialect: Dialect::Plain,
            pairing,
            bytes: 0..opening.at,
            operation,
            resource,
            status: Status::default(),
            cut: false,
        });
        // What a call tells of itself is not told again of its answer.
        if out.wants_details() && !is_answer {
            add_details(opening, head, seqid, key, out);
        }
        let mut failure = Failure::default();
        if let Some(header) = &opening.header {
            self.lane(from).read_headers(header, is_answer, key, settings, &mut failure, out);
        }
        let mut message = UnderWay {
            key,
            is_silent: false,
            walker: None,
            left: opening.frame.map(|frame| frame.saturating_sub(opening.at as u64)),
            is_answer,
            said: Said::Nothing,
        };
        if let Some(failed) = failure.status() {
            out.status(key, failed);
        }
        match (&opening.body, head) {
            (Body::Plain(_), Some(head)) => {
                let walks = is_answer || settings.locate_secrets || message.left.is_none();
                message.walker = walks.then(|| Walker::new(&head, settings.locate_secrets));
            }
            (Body::Inflated(plain), Some(head)) => {
                message.walk_copy(&head, plain.get(head.len..).unwrap_or_default(), settings, out);
            }
            _ => {}
        }
        if settings.locate_secrets
            && !matches!(opening.body, Body::Plain(_))
            && let Some(left) = message.left.filter(|left| *left > 0)
        {
            out.secret(key, opening.at as u64..opening.at as u64 + left);
        }
        if settings.locate_secrets
            && let Some(header) = &opening.header
        {
            locate(header, input, key, settings, out);
        }
        (message, opening.at)
    }

    fn pairing(
        &mut self,
        by: Side,
        is_answer: bool,
        seqid: u32,
        method: &[u8],
    ) -> Pairing<'static> {
        let is_by_id = if is_answer { self.ids.answer(seqid) } else { self.ids.ask(seqid) };
        if is_by_id {
            return Pairing::Id { by, id: Id::Number(seqid.into()) };
        }
        // A call of a method is never answered by another one: where something was not answered,
        // such as a one-way call that old libraries do not mark, this keeps the others apart.
        Pairing::InOrder { lane: xxh3_64(method) >> 32 }
    }
}

impl Lane {
    /// Reads the key-values of a header, and those of the connection.
    fn read_headers(
        &mut self,
        header: &Header<'_>,
        is_answer: bool,
        key: Key,
        settings: &Settings,
        failure: &mut Failure,
        out: &mut dyn Out,
    ) {
        header.each(&mut |lifetime, name, value| {
            if lifetime == Lifetime::Connection {
                self.keep(name, value, out);
            }
        });
        let mut contexts = Collector::new(&settings.ids);
        let mut metadata = out.wants_details().then(|| match is_answer {
            true => Metadata::of_response(&settings.secrets),
            false => Metadata::of_request(&settings.secrets),
        });
        let mut see = |name: &[u8], value: &[u8], out: &mut dyn Out| {
            if is_answer {
                failure.header(name, value, &settings.secrets, key, out);
            }
            if let Some(metadata) = &mut metadata {
                metadata.text(key, name, value, out);
            }
        };
        header.each(&mut |lifetime, name, value| {
            if lifetime == Lifetime::Message {
                contexts.header(name, value);
                see(name, value, out);
            }
        });
        for Lasting { name, value } in &self.lasting {
            contexts.header(name, value);
            see(name, value, out);
        }
        if let Some(metadata) = metadata {
            metadata.finish(key, out);
        }
        contexts.finish(&mut |context| out.context(key, context));
    }

    /// Remembers a header that holds from here on.
    fn keep(&mut self, name: &[u8], value: &[u8], out: &mut dyn Out) {
        let Self { lasting, lasting_bytes, .. } = self;
        if let Some(place) = lasting.iter().position(|kept| *kept.name == *name) {
            let Lasting { name, value } = lasting.remove(place);
            *lasting_bytes = lasting_bytes.saturating_sub(name.len() + value.len());
        }
        let size = name.len() + value.len();
        if lasting.len() >= LASTING_LIMIT || *lasting_bytes + size > LASTING_BYTES {
            out.lost("thrift headers of connections over the limit");
            return;
        }
        lasting.push(Lasting { name: name.into(), value: value.into() });
        *lasting_bytes += size;
    }
}

impl UnderWay {
    /// One of which nothing is known but how many bytes there are.
    fn silent(left: u64) -> Self {
        Self {
            key: NO_KEY,
            is_silent: true,
            walker: None,
            left: Some(left),
            is_answer: false,
            said: Said::Nothing,
        }
    }

    fn close(self, out: &mut dyn Out) {
        if !self.is_silent {
            out.close(self.key, 0);
        }
    }

    /// Goes on from this place of the input.
    fn read(
        &mut self,
        input: &[u8],
        mut at: usize,
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Look, Malformed> {
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let Some(walker) = &mut self.walker else { return Ok(self.pass(rest.len(), at, out)) };
            let there = match self.left {
                Some(left) => usize::try_from(left).unwrap_or(usize::MAX).min(rest.len()),
                None => rest.len(),
            };
            let walked = walker.read(rest.get(..there).unwrap_or(rest));
            let said = walker.said();
            self.tell(said, out);
            let is_all = self.left == Some(there as u64);
            let end = match walked {
                // What the frame holds is no struct; where it ends is known all the same.
                Err(Stop::Bad(_)) if self.left.is_some() => {
                    out.lost("thrift messages not understood");
                    self.walker = None;
                    continue;
                }
                Err(Stop::Short(_)) if is_all => {
                    out.lost("thrift messages not understood");
                    self.walker = None;
                    continue;
                }
                Err(Stop::Bad(field)) => return Err(Malformed(field)),
                Err(Stop::Short(more)) => {
                    // A frame ends where it says, whatever lengths in it say.
                    let rest =
                        self.left.and_then(|left| usize::try_from(left).ok()?.checked_sub(there));
                    let more = rest.and_then(NonZeroUsize::new).map_or(more, |rest| more.min(rest));
                    out.extend(self.key, at);
                    return Ok(Look::Goes(match NonZeroUsize::new(at) {
                        Some(used) => Step::Used(used),
                        None => Step::Incomplete(more),
                    }));
                }
                Ok(Walked::Used(used)) => (at + used) as u64,
                Ok(Walked::Skip(used, skip)) => (at + used) as u64 + skip.get(),
                Ok(Walked::String { content, is_text }) => {
                    let place = at as u64 + content.start..at as u64 + content.end;
                    if is_text {
                        let from = usize::try_from(content.start).unwrap_or(usize::MAX);
                        let text = rest.get(from..).unwrap_or_default();
                        let length = content.end - content.start;
                        let length = usize::try_from(length).unwrap_or(usize::MAX);
                        add_text(
                            text.get(..length).unwrap_or(text),
                            place.clone(),
                            self.key,
                            settings,
                            out,
                        );
                    } else {
                        out.secret(self.key, place.clone());
                    }
                    place.end
                }
                Ok(Walked::Told(used)) => {
                    if self.left.is_some() && !settings.locate_secrets {
                        self.walker = None;
                    }
                    (at + used) as u64
                }
                Ok(Walked::End(used)) => {
                    self.walker = None;
                    if self.left.is_none() {
                        return Ok(Look::Ended(at + used));
                    }
                    (at + used) as u64
                }
            };
            let used = end.saturating_sub(at as u64);
            if let Some(left) = &mut self.left {
                let Some(after) = left.checked_sub(used) else {
                    out.lost("thrift messages not understood");
                    self.walker = None;
                    continue;
                };
                *left = after;
            }
            let place = usize::try_from(end).unwrap_or(usize::MAX);
            if place <= input.len() {
                at = place;
                continue;
            }
            // Bytes that follow the input, and those of it that need not be looked at.
            let seen = input.len();
            out.extend(self.key, seen);
            let skip = NonZeroU64::new(end - seen as u64).unwrap_or(NonZeroU64::MIN);
            return Ok(Look::Goes(Step::Skip { used: seen, skip }));
        }
    }

    /// Passes over the rest of the frame.
    fn pass(&mut self, there: usize, at: usize, out: &mut dyn Out) -> Look {
        let left = self.left.unwrap_or_default();
        match usize::try_from(left) {
            Ok(left) if left <= there => Look::Ended(at + left),
            _ => {
                self.left = Some(0);
                let (used, seen) = (at + there, there as u64);
                out.extend(self.key, used);
                let skip = NonZeroU64::new(left - seen).unwrap_or(NonZeroU64::MIN);
                Look::Goes(Step::Skip { used, skip })
            }
        }
    }

    /// Tells what the result says as soon as it does.
    fn tell(&mut self, said: Said, out: &mut dyn Out) {
        if self.is_answer && said != self.said {
            self.said = said;
            out.status(self.key, status(said));
        }
    }

    /// Walks over the beginning of a struct that was compressed.
    fn walk_copy(
        &mut self,
        head: &Head<'_>,
        mut fields: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) {
        if !self.is_answer {
            return;
        }
        let mut walker = Walker::new(head, false);
        loop {
            let walked = walker.read(fields);
            self.tell(walker.said(), out);
            let used = match walked {
                Ok(Walked::Used(used)) => used,
                Ok(Walked::String { content, .. }) => {
                    let [from, to] = [content.start, content.end]
                        .map(|place| usize::try_from(place).unwrap_or(usize::MAX));
                    let text = fields.get(from..).unwrap_or_default();
                    let text = text.get(..to.saturating_sub(from)).unwrap_or(text);
                    Words::of(text).add(self.key, &settings.secrets, out);
                    to
                }
                _ => return,
            };
            let Some(rest) = fields.get(used..) else { return };
            fields = rest;
        }
    }
}

/// What tells more than exchanges apart.
fn add_details(
    opening: &Opening<'_>,
    head: Option<Head<'_>>,
    seqid: u32,
    key: Key,
    out: &mut dyn Out,
) {
    let mut text = |name, text: &str| {
        out.add(key, Attribute { name, value: Value::Text(text.as_bytes()) });
    };
    if let Some(head) = head {
        text("wirespan.thrift.protocol", head.encoding.name());
    }
    text("wirespan.thrift.transport", opening.transport());
    if let Some(transform) = opening.header.and_then(|header| header.transform) {
        text("wirespan.thrift.compression", transform.name());
    }
    let value = Value::Int(i64::from(seqid as i32));
    out.add(key, Attribute { name: "wirespan.thrift.seqid", value });
}

/// Tells where the values of headers are secret.
fn locate(header: &Header<'_>, input: &[u8], key: Key, settings: &Settings, out: &mut dyn Out) {
    header.each(&mut |_, name, value| {
        let start = (value.as_ptr().addr() - input.as_ptr().addr()) as u64;
        settings.secrets.in_header(name, value, &mut |range| {
            out.secret(key, start + range.start as u64..start + range.end as u64);
        });
    });
}

/// Where a message is written to whose beginning is lost.
struct Silent;

impl Out for Silent {
    fn open(&mut self, _message: Message<'_>) -> Key {
        NO_KEY
    }

    fn wants(&self, _key: Key) -> usize {
        0
    }

    fn add(&mut self, _key: Key, _attribute: Attribute<'_>) {}

    fn context(&mut self, _key: Key, _context: &TraceContext<'_>) {}

    fn status(&mut self, _key: Key, _status: Status<'_>) {}

    fn body(&mut self, _key: Key, _bytes: &[u8]) {}

    fn extend(&mut self, _key: Key, _end: usize) {}

    fn close(&mut self, _key: Key, _end: usize) {}

    fn inner(&mut self, _lane: u64, _from: Side, _event: Inner<'_>) {}

    fn lost(&mut self, _what: &'static str) {}
}

/// Of a message that is not told.
const NO_KEY: Key = Key(u64::MAX);

const BEGINNING: &str = "thrift messages without their beginning";

/// Headers that hold for a connection, of one side, and bytes of them.
const LASTING_LIMIT: usize = 32;
const LASTING_BYTES: usize = 4 << 10;
