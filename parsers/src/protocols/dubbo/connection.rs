//! One connection: of each side the message under way.
//!
//! ```text
//! header │ names │ arguments ... │ attachments     a request
//! header │ flag  │ value or exception │ attachments   a response
//! ```
//! The names are awaited whole, the rest is passed over a piece at a time, and the attachments, which
//! stand at the end, are awaited whole again.

use super::attachments::{self, Place};
use super::form::Form;
use super::header::{EVENT_LIMIT, HEADER, Header, OK, outcome, serialization_name, status_name};
use super::walk::{Passed, Stop, Thrown, short};
use crate::failure::Words;
use crate::message::{
    Attribute, Dialect, Id, Kind, Message, Outcome, Pairing, Side, Status, Value,
};
use crate::metadata::start;
use crate::protocol::{AfterGap, Key, Out, Step};
use crate::settings::Settings;
use std::borrow::Cow;
use std::num::{NonZeroU64, NonZeroUsize};

/// What is known of one connection.
#[derive(Default)]
pub(super) struct Connection {
    /// The messages under way, of which the header was read.
    open: [Option<Open>; 2],
}

struct Open {
    key: Key,
    is_request: bool,
    form: Form,
    stage: Stage,
    /// The service that a request calls, for attachments that repeat it.
    service: Vec<u8>,
    /// Bytes of the body that were not used.
    left: u64,
    /// Whether bytes that nobody looks into are told as secret.
    hides: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// So many more values, then attachments if there are any.
    Values {
        left: u32,
        has_attachments: bool,
    },
    Attachments,
    /// Nothing more is read.
    Rest,
}

/// The names at the start of a request.
#[derive(Default)]
struct Names<'b> {
    version: Cow<'b, [u8]>,
    service: Cow<'b, [u8]>,
    service_version: Cow<'b, [u8]>,
    method: Cow<'b, [u8]>,
    /// The types of the arguments, as Java's descriptors.
    types: Cow<'b, [u8]>,
    /// What was called through a call for all methods, such as `$invoke`.
    called: Option<Cow<'b, [u8]>>,
}

impl Connection {
    /// Reads a part of a message of one side.
    ///
    /// # Errors
    /// Bytes that are missing, or where no header is one.
    pub(super) fn read(
        &mut self,
        from: Side,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let [a, b] = &mut self.open;
        let lane = if from == Side::A { a } else { b };
        let mut at = 0;
        if lane.is_none() {
            let header = Header::read(input)?;
            let length = usize::try_from(header.length).unwrap_or(usize::MAX);
            let body = input.get(HEADER..).unwrap_or_default();
            let body = body.get(..length).unwrap_or(body);
            let bytes = HEADER + body.len();
            let (open, used) = begin(&header, body, bytes, from, false, settings, out)?;
            *lane = Some(open);
            at = HEADER + used;
        }
        let Some(open) = lane else { return Err(Stop::Bad("message")) };
        let step = open.go_on(input, &mut at, settings, out);
        if let Some(step) = step {
            return Ok(step);
        }
        // All of it was read.
        out.close(open.key, at);
        *lane = None;
        Ok(used(at))
    }

    /// What one side's message was to be skipped up to was seen.
    pub(super) fn skipped(&mut self, from: Side, settings: &Settings, out: &mut dyn Out) {
        let [a, b] = &mut self.open;
        let lane = if from == Side::A { a } else { b };
        if let Some(mut open) = lane.take_if(|open| open.left == 0) {
            // What was skipped may be all of the last value.
            if open.go_on(&[], &mut 0, settings, out).is_some() {
                out.lost(BODY);
            }
            out.close(open.key, 0);
        }
    }

    /// So many bytes of one side after these are lost. The length in the header tells where the next
    /// message begins, if they lie within one.
    pub(super) fn gap(
        &mut self,
        from: Side,
        head: &[u8],
        lost: u64,
        settings: &Settings,
        out: &mut dyn Out,
    ) -> AfterGap {
        let [a, b] = &mut self.open;
        let lane = if from == Side::A { a } else { b };
        let mut gone = (head.len() as u64).saturating_add(lost);
        if lane.is_none() {
            let Ok(header) = Header::read(head) else { return AfterGap::Resync };
            let body = head.get(HEADER..).unwrap_or_default();
            let Ok((mut open, used)) = begin(&header, body, 0, from, true, settings, out) else {
                return AfterGap::Resync;
            };
            open.left = open.left.saturating_add(used as u64);
            let shown = HEADER + used;
            open.hide(shown, head.len().saturating_sub(shown) as u64, out);
            *lane = Some(open);
            gone -= HEADER as u64;
        } else if let Some(open) = lane {
            // It was awaited whole, so that nobody has looked at it.
            open.hide(0, head.len() as u64, out);
        }
        let Some(open) = lane else { return AfterGap::Resync };
        out.lost("dubbo messages with lost bytes");
        let is_within = gone <= open.left;
        open.left = open.left.saturating_sub(gone);
        open.stage = Stage::Rest;
        if open.left == 0 {
            out.close(open.key, 0);
            *lane = None;
        }
        if is_within { AfterGap::Continue } else { AfterGap::Resync }
    }
}

impl Open {
    /// Reads on from a place in the input; nothing if the message is over there.
    fn go_on(
        &mut self,
        input: &[u8],
        at: &mut usize,
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Option<Step> {
        loop {
            let rest = input.get(*at..).unwrap_or_default();
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            let rest = rest.get(..left).unwrap_or(rest);
            let is_whole = rest.len() as u64 == self.left;
            match self.stage {
                Stage::Rest if is_whole => {
                    self.hide(*at, self.left, out);
                    self.take(rest, at, out);
                    return None;
                }
                Stage::Rest => return Some(self.skip(rest, self.left, at, out)),
                Stage::Values { left: 0, has_attachments: true } => {
                    self.stage = Stage::Attachments;
                }
                Stage::Values { left: 0, .. } => self.stage = Stage::Rest,
                Stage::Values { left, has_attachments } => {
                    let after = Stage::Values { left: left - 1, has_attachments };
                    if let Some(step) = self.value(rest, after, at, out) {
                        return Some(step);
                    }
                }
                // Some send none.
                Stage::Attachments if self.left == 0 => self.stage = Stage::Rest,
                Stage::Attachments if self.left > ATTACHMENTS_LIMIT => {
                    out.lost("dubbo attachments over the limit");
                    self.stage = Stage::Rest;
                }
                Stage::Attachments if !is_whole => {
                    let more = left.saturating_sub(rest.len());
                    return Some(awaits(*at, NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN)));
                }
                Stage::Attachments => {
                    let place = Place {
                        bytes: rest,
                        at: *at,
                        is_request: self.is_request,
                        service: &self.service,
                    };
                    let told = attachments::tell(&place, &mut self.form, self.key, settings, out);
                    if told.is_err() {
                        out.lost(BODY);
                    }
                    self.hides &= told.is_err();
                    self.stage = Stage::Rest;
                }
            }
        }
    }

    /// Passes over a value, or a part of one, behind which this comes.
    fn value(
        &mut self,
        rest: &[u8],
        after: Stage,
        at: &mut usize,
        out: &mut dyn Out,
    ) -> Option<Step> {
        let Ok((passed, used)) = self.pass(rest, *at, out) else {
            self.give_up(out);
            return None;
        };
        let (used, rest) = rest.split_at_checked(used).unwrap_or((rest, &[]));
        self.take(used, at, out);
        let missing = self.left.saturating_sub(rest.len() as u64);
        let missing = NonZeroUsize::new(usize::try_from(missing).unwrap_or(usize::MAX));
        match (passed, missing) {
            (Passed::Whole, _) => self.stage = after,
            (Passed::Opaque(skip), Some(_)) if skip <= self.left => {
                return Some(self.skip(rest, skip, at, out));
            }
            // More than the body has is never awaited.
            (Passed::Part(more), Some(missing)) => return Some(awaits(*at, more.min(missing))),
            _ => self.give_up(out),
        }
        None
    }

    /// Passes over a value that stands at this place.
    fn pass(&mut self, rest: &[u8], at: usize, out: &mut dyn Out) -> Result<(Passed, usize), Stop> {
        let (key, hides) = (self.key, self.hides);
        self.form.pass(rest, &mut |range| {
            if hides && !range.is_empty() {
                out.secret(key, (at + range.start) as u64..(at + range.end) as u64);
            }
        })
    }

    /// Tells these bytes of the input as secret, if such are.
    fn hide(&self, start: usize, length: u64, out: &mut dyn Out) {
        if self.hides && length > 0 {
            out.secret(self.key, start as u64..(start as u64).saturating_add(length));
        }
    }

    /// So many bytes of the body are done with.
    fn take(&mut self, bytes: &[u8], at: &mut usize, out: &mut dyn Out) {
        let wanted = out.wants(self.key);
        if wanted > 0 && !bytes.is_empty() {
            out.body(self.key, bytes.get(..wanted).unwrap_or(bytes));
        }
        *at += bytes.len();
        self.left = self.left.saturating_sub(bytes.len() as u64);
    }

    /// Passes over bytes that go on behind the input, unless somebody wants to see them.
    fn skip(&mut self, rest: &[u8], skip: u64, at: &mut usize, out: &mut dyn Out) -> Step {
        let here = usize::try_from(skip).unwrap_or(usize::MAX).min(rest.len());
        let is_skipped = out.wants(self.key) <= here;
        self.hide(*at, if is_skipped { skip } else { here as u64 }, out);
        self.take(rest.get(..here).unwrap_or_default(), at, out);
        self.form.passed(here as u64);
        let skip = skip.saturating_sub(here as u64);
        match NonZeroU64::new(skip) {
            Some(skip) if is_skipped => {
                self.form.passed(skip.get());
                self.left = self.left.saturating_sub(skip.get());
                Step::Skip { used: *at, skip }
            }
            _ => awaits(*at, NonZeroUsize::MIN),
        }
    }

    /// What stands here is nothing that is known: what follows is not read.
    fn give_up(&mut self, out: &mut dyn Out) {
        out.lost(BODY);
        self.stage = Stage::Rest;
    }
}

/// Reads the start of a body, of which that is there, and opens its message; it comes with how many
/// bytes of the body were used.
fn begin(
    header: &Header,
    body: &[u8],
    bytes: usize,
    from: Side,
    cut: bool,
    settings: &Settings,
    out: &mut dyn Out,
) -> Result<(Open, usize), Stop> {
    let start = Start {
        header,
        // A start of the same length whatever was seen, so that it comes to the same.
        body: body.get(..HEAD_LIMIT).unwrap_or(body),
        is_all: cut || body.len() >= HEAD_LIMIT || body.len() as u64 == u64::from(header.length),
        bytes,
        from,
        cut,
        settings,
    };
    let mut form = Form::of(header.serialization);
    let (key, stage, service, used) = match (header.is_event, header.is_request) {
        (true, _) => start.event(&mut form, out)?,
        (_, true) => start.request(&mut form, out)?,
        _ => start.response(&mut form, out)?,
    };
    let left = u64::from(header.length);
    let hides = settings.locate_secrets && !header.is_event;
    let mut open = Open { key, is_request: header.is_request, form, stage, service, left, hides };
    let mut at = 0;
    open.take(body.get(..used).unwrap_or_default(), &mut at, out);
    Ok((open, used))
}

/// A header with the start of its body.
struct Start<'s, 'b> {
    header: &'s Header,
    body: &'b [u8],
    /// Whether no more of it is awaited.
    is_all: bool,
    bytes: usize,
    from: Side,
    cut: bool,
    settings: &'s Settings,
}

/// A message, how its body goes on, the service that it calls, and bytes of the body that were used.
type Begun = (Key, Stage, Vec<u8>, usize);

impl<'b> Start<'_, 'b> {
    /// A heartbeat, or a note that a side sends of itself.
    fn event(&self, form: &mut Form, out: &mut dyn Out) -> Result<Begun, Stop> {
        let Header { is_request, is_two_way, status, length, .. } = *self.header;
        let is_small = length <= EVENT_LIMIT;
        // What is written as an object may begin as a text.
        if is_small {
            self.wait_for_head()?;
        }
        let note = if is_small { self.wait(form.text(self.body))? } else { None };
        let operation: &[u8] = match note.and_then(|(note, _)| note).as_deref() {
            Some(b"R") => b"readonly",
            Some(b"W") => b"writable",
            Some(b"H") => b"heartbeat",
            _ if is_small && form.is_null(self.body) => b"heartbeat",
            _ => b"event",
        };
        let (kind, pairing) = match (is_request, is_two_way) {
            (true, true) => (Kind::Handshake, self.pairing()),
            (true, false) => (Kind::End, Pairing::OneWay),
            (false, _) => (Kind::Response, self.pairing()),
        };
        let status = if is_request { Status::default() } else { plain_status(status) };
        let operation = if is_request { operation } else { b"" };
        let key = self.open(kind, pairing, (operation, b""), status, out);
        if is_request {
            self.add_serialization(key, out);
        }
        Ok((key, Stage::Rest, Vec::new(), 0))
    }

    fn request(&self, form: &mut Form, out: &mut dyn Out) -> Result<Begun, Stop> {
        let mut names = Names::default();
        let (stage, used) = self.names(form, &mut names)?;
        if stage == Stage::Rest && !self.cut {
            out.lost(BODY);
        }
        let method = names.called.as_ref().unwrap_or(&names.method);
        let (kind, pairing) = if self.header.is_two_way {
            (Kind::Request, self.pairing())
        } else {
            (Kind::OneWay, Pairing::OneWay)
        };
        let key = self.open(kind, pairing, (method, &names.service), Status::default(), out);
        let mut add = |name: &str, text: &[u8]| {
            if !text.is_empty() {
                out.add(key, Attribute { name, value: Value::Text(text) });
            }
        };
        if names.called.is_some() {
            add("wirespan.dubbo.called_by", &names.method);
        }
        if !matches!(&*names.service_version, b"0.0.0") {
            add("wirespan.rpc.service.version", &names.service_version);
        }
        add("wirespan.dubbo.version", &names.version);
        add("wirespan.dubbo.types", start(&names.types, TYPES));
        self.add_serialization(key, out);
        // Nothing of a message whose end is lost comes after this.
        let service = if self.cut { Vec::new() } else { names.service.into_owned() };
        Ok((key, stage, service, used))
    }

    /// Reads the names, as far as they are there; it comes with where the body goes on, and how.
    fn names(&self, form: &mut Form, names: &mut Names<'b>) -> Result<(Stage, usize), Stop> {
        let mut at = 0;
        let places = [
            &mut names.version,
            &mut names.service,
            &mut names.service_version,
            &mut names.method,
            &mut names.types,
        ];
        for place in places {
            let rest = self.body.get(at..).unwrap_or_default();
            let Some((text, used)) = self.wait(form.text(rest))? else {
                return Ok((Stage::Rest, at));
            };
            *place = text.unwrap_or_default();
            at += used;
        }
        let Some(mut left) = count(&names.types) else { return Ok((Stage::Rest, at)) };
        // The first argument of such a call is the method.
        if GENERIC.contains(&&*names.method)
            && names.types.starts_with(b"Ljava/lang/String;")
            && let Some((Some(called), used)) =
                self.wait(form.argument(self.body.get(at..).unwrap_or_default()))?
        {
            names.called = Some(called);
            left -= 1;
            at += used;
        }
        Ok((Stage::Values { left, has_attachments: true }, at))
    }

    fn response(&self, form: &mut Form, out: &mut dyn Out) -> Result<Begun, Stop> {
        let code = self.header.status;
        if code != OK {
            self.wait_for_head()?;
            let status = plain_status(code);
            let key = self.open(Kind::Response, self.pairing(), (b"", b""), status, out);
            if let Some(words) = form.start_of_text(self.body) {
                Words::of(&words).add(key, &self.settings.secrets, out);
            }
            // The text is passed over as a value is, where it is written as one.
            let is_value = self.settings.locate_secrets && form.is_text_a_value();
            let stage = if is_value {
                Stage::Values { left: 1, has_attachments: false }
            } else {
                Stage::Rest
            };
            return Ok((key, stage, Vec::new(), 0));
        }
        let flag = self.wait(form.number(self.body))?;
        let (flag, used) = match flag {
            Some((flag, used)) => (u8::try_from(flag).ok(), used),
            None => (None, 0),
        };
        let has_attachments = matches!(flag, Some(3..=5));
        let stage = match flag {
            Some(2 | 5) => Stage::Values { left: 0, has_attachments },
            // Hidden as a whole, as nothing follows.
            Some(1) if self.settings.locate_secrets && form.leaves_numbers() => Stage::Rest,
            Some(0 | 3) => Stage::Values { left: form.values_of_thrown(), has_attachments },
            Some(1 | 4) => Stage::Values { left: 1, has_attachments },
            _ => Stage::Rest,
        };
        let thrown = match flag {
            Some(0 | 3) => {
                self.wait_for_head()?;
                Some(form.thrown(self.body.get(used..).unwrap_or_default()))
            }
            _ => None,
        };
        let status = match &thrown {
            None => plain_status(code),
            Some(Thrown { class, .. }) => Status {
                outcome: Outcome::ServerError,
                code: code.into(),
                text: class.as_deref().unwrap_or(b"exception"),
            },
        };
        if !matches!(flag, Some(0..=5)) && !self.cut {
            out.lost(BODY);
        }
        let key = self.open(Kind::Response, self.pairing(), (b"", b""), status, out);
        if let Some(thrown) = &thrown {
            let value = Value::Text(b"OK");
            out.add(key, Attribute { name: "rpc.response.status_code", value });
            if let Some(words) = &thrown.message {
                Words::of(words).add(key, &self.settings.secrets, out);
            }
        }
        Ok((key, stage, Vec::new(), used))
    }

    fn open(
        &self,
        kind: Kind,
        pairing: Pairing<'_>,
        (operation, resource): (&[u8], &[u8]),
        status: Status<'_>,
        out: &mut dyn Out,
    ) -> Key {
        out.open(Message {
            kind,
            dialect: Dialect::Plain,
            pairing,
            bytes: 0..self.bytes,
            operation,
            resource,
            status,
            cut: self.cut,
        })
    }

    /// What was read, nothing if it cannot be, and an error only where more of the body may help.
    fn wait<T>(&self, taken: Result<T, Stop>) -> Result<Option<T>, Stop> {
        match taken {
            Ok(taken) => Ok(Some(taken)),
            Err(Stop::Short(more)) if !self.is_all => Err(self.at_most(more)),
            Err(_) => Ok(None),
        }
    }

    /// Waits for all of the body that is looked at.
    fn wait_for_head(&self) -> Result<(), Stop> {
        if self.is_all {
            return Ok(());
        }
        Err(self.at_most(NonZeroUsize::MAX))
    }

    /// So many more bytes are awaited, but not more than are looked at.
    fn at_most(&self, more: NonZeroUsize) -> Stop {
        let whole = usize::try_from(self.header.length).unwrap_or(usize::MAX).min(HEAD_LIMIT);
        short(more.get().min(whole.saturating_sub(self.body.len())))
    }

    /// Either side may call the other.
    fn pairing(&self) -> Pairing<'static> {
        let by = if self.header.is_request { self.from } else { self.from.other() };
        Pairing::Id { by, id: Id::Number(self.header.id) }
    }

    fn add_serialization(&self, key: Key, out: &mut dyn Out) {
        let name = "wirespan.dubbo.serialization";
        let value = match serialization_name(self.header.serialization) {
            Some(known) => Value::Text(known.as_bytes()),
            None => Value::Int(self.header.serialization.into()),
        };
        out.add(key, Attribute { name, value });
    }
}

fn plain_status(code: u8) -> Status<'static> {
    let text = status_name(code).unwrap_or_default().as_bytes();
    Status { outcome: outcome(code), code: code.into(), text }
}

/// How many types Java's descriptors name; nothing if they are none.
fn count(types: &[u8]) -> Option<u32> {
    let (mut rest, mut count) = (types, 0_u32);
    while let Some((kind, after)) = rest.split_first() {
        rest = match kind {
            b'[' => {
                rest = after;
                continue;
            }
            b'L' => {
                let end = memchr::memchr(b';', after)?;
                after.get(end + 1..)?
            }
            b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' | b'Z' => after,
            _ => return None,
        };
        count += 1;
    }
    Some(count)
}

fn awaits(at: usize, more: NonZeroUsize) -> Step {
    NonZeroUsize::new(at).map_or(Step::Incomplete(more), Step::Used)
}

fn used(at: usize) -> Step {
    Step::Used(NonZeroUsize::new(at).unwrap_or(NonZeroUsize::MIN))
}

/// Methods through which others are called.
const GENERIC: &[&[u8]] = &[b"$invoke", b"$invokeAsync"];

/// Bodies of which nothing is known from some place on.
const BODY: &str = "dubbo bodies not understood";

/// Bytes of a body that names, or the start of an exception, are looked for in.
pub(super) const HEAD_LIMIT: usize = 8 << 10;

/// Bytes of attachments.
const ATTACHMENTS_LIMIT: u64 = 64 << 10;

/// Bytes of the types of arguments that are shown.
const TYPES: usize = 256;
