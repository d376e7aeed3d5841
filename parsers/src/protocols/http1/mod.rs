//! HTTP/1.0 and HTTP/1.1: the bytes of a connection in, requests and responses out.
//! <https://www.rfc-editor.org/rfc/rfc9112>
//!
//! ```text
//!             ┌──────────── no body ───────────┐
//!             ▼                                │
//!          ┌──────┐   sized, until the end   ┌─┴───────────────┐  wanted bytes seen  ┌─────────┐
//!  bytes ─▶│ Head │─────────────────────────▶│ Shown           │────────────────────▶│ Skipped │
//!          └──────┘                          └─────────────────┘                     └────┬────┘
//!             ▲ │ chunked    ┌───────────┐  size > 0  ▲                                   │
//!             │ └───────────▶│ ChunkSize │────────────┘ ◀──────────── chunk seen ──────────┤
//!             │              └─────┬─────┘                                                │
//!             │                    ▼ size 0                                               │
//!             │◀──────────── Trailers                                                     │
//!             └────────────────────────────────── sized body seen ────────────────────────┘
//! ```
//!
//! 101 and the good answer to CONNECT lead out of this: the flow becomes another protocol.

mod head;

mod fields;

mod framing;

mod calls;

mod body;

mod body_scan;

use crate::connections::{Connections, Reads};
use crate::inflate::{Codings, Room};
use crate::message::{Dialect, Kind, Message, Pairing, Side, Status, Value};
use crate::protocol::{
    AfterGap, FlowInfo, Handoff, Key, Malformed, Out, Probe, Protocol, Step, Timestamp,
};
use crate::protocols::http::Role;
use crate::protocols::http::body_ids;
use crate::protocols::http::body_secrets::{BodySecrets, locate_secrets};
use crate::protocols::http::content::Content;
use crate::protocols::http::fields::{add, add_headers, add_size, is_interim, status};
use crate::protocols::http::rpc::DIALECTS;
use crate::protocols::http::target::Target;
use crate::protocols::http::tunnel::{Leads, Wish, granted};
use crate::secrets::masked;
use crate::settings::Settings;
use crate::trace_context::body::BodyReader;
use body::{Body, BodyFraming, used};
use calls::{Calls, named};
use fields::Fields;
use framing::{Asked, Framing};
use head::{
    FirstLine, Head, Likeness, Lines, Scan, Slots, Version, likeness, may_start_status_line,
    newlines, strict_request_line_likeness,
};
use std::collections::VecDeque;
use std::mem::{MaybeUninit, take};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Http1 {
        means: Means {
            heads: head::Reader::default(),
            scratch: Vec::new(),
            settings: Arc::clone(settings),
            room: settings.room.clone(),
        },
    }))
}

struct Http1 {
    means: Means,
}

/// What the connections of one shard share.
struct Means {
    heads: head::Reader,
    /// Reused for texts that must differ from the bytes on the wire.
    scratch: Vec<u8>,
    settings: Arc<Settings>,
    /// What windows of bodies that are inflated take.
    room: Room,
}

impl Reads for Http1 {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "http"
    }

    fn dialects(&self) -> &'static [&'static str] {
        DIALECTS
    }

    fn port(&self, port: u16) -> bool {
        PORTS.contains(&port)
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match likeness(head) {
            Likeness::Sure(Role::Client) => Probe::Certain { client: from },
            Likeness::Sure(Role::Server) => Probe::Certain { client: from.other() },
            Likeness::Unsure(Role::Client) => Probe::Unsure { client: from },
            Likeness::Unsure(Role::Server) => Probe::Unsure { client: from.other() },
            Likeness::No => Probe::No,
        }
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Connection {
        Connection::new(client, &self.means.settings)
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        connection.now = at;
        match connection.take_reading(from) {
            Reading::Head(scan) => connection.head(from, scan, input, &mut self.means, out),
            Reading::Expected { body, size, refused: true } => {
                match strict_request_line_likeness(input) {
                    Likeness::Sure(Role::Client) => {
                        connection.end_call(from, body.key, out);
                        out.close(body.key, 0);
                        connection.head(from, Scan::default(), input, &mut self.means, out)
                    }
                    Likeness::Unsure(Role::Client) => {
                        connection
                            .set_reading(from, Reading::Expected { body, size, refused: true });
                        Ok(Step::Incomplete(NonZeroUsize::MIN))
                    }
                    _ => Ok(connection.shown(from, body, size, 0, input, out)),
                }
            }
            Reading::Expected { body, size, refused: false } => {
                Ok(connection.shown(from, body, size, 0, input, out))
            }
            Reading::Shown { body, left, line_end } => {
                Ok(connection.shown(from, body, left, line_end, input, out))
            }
            // The decoder shows nothing before the skip is over.
            Reading::Skipped { .. } => Err(Malformed("body")),
            Reading::ChunkSize { body, scanned } => {
                connection.chunk_size(from, body, scanned, input, out)
            }
            Reading::Trailers { body, scanned, read } => {
                connection.trailers(from, body, scanned, read, input, out)
            }
            Reading::HandedOver => {
                connection.set_reading(from, Reading::HandedOver);
                Ok(Step::Become { used: 0, next: Handoff::Detect })
            }
        }
    }

    fn skipped(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        out: &mut dyn Out,
    ) {
        match connection.take_reading(from) {
            Reading::Skipped { body } => connection.seen(from, body, 0, out),
            reading => connection.set_reading(from, reading),
        }
    }

    fn gap(
        &mut self,
        connection: &mut Connection,
        from: Side,
        head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        let answered = connection.answered;
        let after = match connection.take_reading(from) {
            Reading::Head(_) => connection.cut(from, head, 0, &mut self.means, out),
            Reading::Expected { body, size, .. } => {
                connection.gap_in_body(from, body, size, 0, lost, out)
            }
            Reading::Shown { body, left, line_end } => {
                connection.gap_in_body(from, body, left, line_end, lost, out)
            }
            Reading::Skipped { body }
            | Reading::ChunkSize { body, .. }
            | Reading::Trailers { body, .. } => {
                connection.lose_call(from, body.key, out);
                out.close(body.key, 0);
                AfterGap::Resync
            }
            Reading::HandedOver => {
                connection.set_reading(from, Reading::HandedOver);
                AfterGap::Continue
            }
        };
        // Pairing gives up the open requests in the same case, so that both stay aligned.
        let is_lost = after == AfterGap::Resync && connection.answered == answered;
        if is_lost && connection.role(from) == Role::Server {
            connection.forget_asked();
        }
        after
    }

    fn resume(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> bool {
        let role = connection.role(from);
        let is_head = likeness(input) == Likeness::Sure(role);
        if !is_head && role == Role::Server {
            // These bytes answer what was asked, and cannot be read.
            connection.forget_asked();
        }
        is_head
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        match connection.take_reading(from) {
            Reading::Head(_) => {
                connection.cut(from, head, 0, &mut self.means, out);
            }
            Reading::Expected { body, refused: true, .. } => {
                connection.end_call(from, body.key, out);
                out.close(body.key, 0);
            }
            Reading::Expected { body, .. }
            | Reading::Shown { body, .. }
            | Reading::Skipped { body }
            | Reading::ChunkSize { body, .. }
            | Reading::Trailers { body, .. } => {
                connection.end_content(from, &body, out);
                let is_cut = body.framing != BodyFraming::UntilEnd;
                connection.cut_call(from, is_cut);
                connection.end_call(from, body.key, out);
                if is_cut {
                    add(out, body.key, "wirespan.body.truncated", Value::Int(1));
                }
                out.close(body.key, 0);
            }
            Reading::HandedOver => {}
        }
    }
}

struct Connection {
    client: Side,
    settings: Arc<Settings>,
    /// What is being read of side A and of side B.
    reading: [Reading; 2],
    /// Requests that were seen so far.
    asked: u64,
    /// How many of those were answered, or never will be.
    answered: u64,
    /// Unanswered requests of an unusual method, by their number.
    unusual: VecDeque<(u64, Asked)>,
    /// What the latest request that wants another protocol asks for, and its number.
    wish: Option<Box<(u64, Wish)>>,
    /// What is secret in the bodies of side A and of side B, where that is asked for.
    secrets: [Option<Box<BodySecrets>>; 2],
    /// What is wanted of the bodies of side A and of side B, where anything is.
    contents: [Option<Box<Content>>; 2],
    calls: Calls,
    /// The time of the present call of [`Reads::parse`].
    now: Timestamp,
}

/// What the next bytes of one side are.
enum Reading {
    Head(Scan),
    /// A body that is sent only if the server asks for it (RFC 9110 section 10.1.1).
    Expected {
        body: Body,
        size: u64,
        refused: bool,
    },
    /// Body bytes that are shown to the parser: `left` of the body or chunk, then its line end.
    Shown {
        body: Body,
        left: u64,
        line_end: u64,
    },
    Skipped {
        body: Body,
    },
    ChunkSize {
        body: Body,
        scanned: usize,
    },
    Trailers {
        body: Body,
        scanned: usize,
        read: usize,
    },
    HandedOver,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Head(Scan::default())
    }
}

impl Connection {
    fn new(client: Side, settings: &Arc<Settings>) -> Self {
        Self {
            client,
            settings: Arc::clone(settings),
            reading: Default::default(),
            asked: 0,
            answered: 0,
            unusual: VecDeque::new(),
            wish: None,
            secrets: [None, None],
            contents: [None, None],
            calls: Calls::default(),
            now: Timestamp::default(),
        }
    }

    fn head(
        &mut self,
        from: Side,
        mut scan: Scan,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        // RFC 9112 section 2.2: empty lines before a message are ignored.
        if let Some(newlines) = NonZeroUsize::new(newlines(input)) {
            return Ok(Step::Used(newlines));
        }
        let role = self.role(from);
        if role == Role::Server && self.awaits_bare_body() {
            match likeness(input) {
                Likeness::Sure(Role::Server) => {}
                Likeness::Unsure(_) if may_start_status_line(input) => {
                    return Ok(Step::Incomplete(NonZeroUsize::MIN));
                }
                _ => return Ok(self.bare_body(from, out)),
            }
        }
        let mut slots: Slots<'_> = [const { MaybeUninit::uninit() }; _];
        // Most heads come in one piece, for which no end need be looked for.
        if scan.at == 0
            && let Some(head) = means.heads.strict(role, input, &mut slots)
        {
            return self.message(from, head, input, means, out);
        }
        let lines = if self.asked == 0 { Lines::All } else { Lines::Proper };
        let Ok(end) = scan.end(role, lines, input) else {
            if role == Role::Client && self.may_tunnel() {
                if input.len() < EARLY_LIMIT {
                    return Ok(Step::Incomplete(NonZeroUsize::MIN));
                }
                self.hand_over();
                return Ok(Step::Become { used: 0, next: Handoff::Detect });
            }
            // In a capture, what a client says after an upgrade may stand before the answer to it.
            if role == Role::Client && self.may_upgrade() && input.len() < UPGRADE_LIMIT {
                return Ok(Step::Incomplete(NonZeroUsize::MIN));
            }
            if role == Role::Server {
                self.forget_asked();
            }
            return Err(Malformed(match role {
                Role::Client => "request line",
                Role::Server => "status line",
            }));
        };
        let Some(end) = end else {
            if input.len() >= HEAD_LIMIT {
                return Err(self.too_long(from, input, means, out));
            }
            self.set_reading(from, Reading::Head(scan));
            return Ok(Step::Incomplete(NonZeroUsize::MIN));
        };
        let block = input.get(..end).unwrap_or_default();
        let head = match means.heads.strict(role, block, &mut slots) {
            Some(head) => head,
            None => Head::lenient(role, block).ok_or(Malformed("head"))?,
        };
        self.message(from, head, input, means, out)
    }

    /// Opens the message of a whole head, and closes it where there is no body.
    fn message(
        &mut self,
        from: Side,
        head: Head<'_, '_>,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let len = head.len;
        if len > HEAD_LIMIT {
            return Err(self.too_long(from, input, means, out));
        }
        let is_simple = matches!(head.first, FirstLine::Simple { .. });
        let Opened { key, framing, expects, next, codings, ids } =
            self.open(from, head, input, 0..len, means, out);
        if is_simple {
            out.close(key, len);
            // Nothing follows such a request.
            self.set_reading(from, Reading::HandedOver);
            return Ok(Step::Skip { used: len, skip: NonZeroU64::MAX });
        }
        *self.content_mut(from) = match framing {
            Framing::Empty | Framing::Faulty | Framing::Tunnel => None,
            _ => Content::of(key, ids, &codings, &means.room, out),
        };
        let body = |framing| Body { key, framing, chunks: 0 };
        match framing {
            Framing::Empty | Framing::Faulty => {
                self.end_call(from, key, out);
                out.close(key, len);
                Ok(used(len))
            }
            Framing::Sized(size) if expects => {
                let body = body(BodyFraming::Sized);
                self.set_reading(from, Reading::Expected { body, size, refused: false });
                Ok(used(len))
            }
            Framing::Sized(size) => Ok(self.data(from, body(BodyFraming::Sized), size, 0, len)),
            Framing::UntilEnd => Ok(self.data(from, body(BodyFraming::UntilEnd), u64::MAX, 0, len)),
            Framing::Chunked => {
                let body = body(BodyFraming::Chunked);
                self.set_reading(from, Reading::ChunkSize { body, scanned: 0 });
                Ok(used(len))
            }
            Framing::Tunnel => {
                out.close(key, len);
                if let Some(body) = self.hand_over() {
                    out.close(body.key, len);
                }
                Ok(Step::Become { used: len, next })
            }
        }
    }

    /// Makes a message of the first lines of a head over the limit.
    fn too_long(
        &mut self,
        from: Side,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Malformed {
        let head = input.get(..HEAD_LIMIT).unwrap_or(input);
        self.cut(from, head, head.len(), means, out);
        Malformed("head length")
    }

    /// Makes the message that a head is, with all that its headers tell.
    fn open(
        &mut self,
        from: Side,
        head: Head<'_, '_>,
        input: &[u8],
        bytes: Range<usize>,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Opened {
        let Head { first, version, headers, cut, .. } = head;
        let Means { settings, scratch, .. } = means;
        let mut message = Message {
            kind: Kind::Request,
            dialect: Dialect::Plain,
            pairing: Pairing::InOrder { lane: 0 },
            bytes,
            operation: &[],
            resource: &[],
            status: Status::default(),
            cut,
        };
        let mut fields = Fields::of(headers.clone(), &settings.ids);
        let mut next = Handoff::Detect;
        let (key, framing) = match first {
            FirstLine::Simple { target } => {
                let target = Target::of(b"GET", target);
                let asked = (&b"GET"[..], target);
                let key = fields.common.open_request(message, asked, settings, scratch, out);
                self.note(Some(Asked::Simple), out);
                (key, Framing::Empty)
            }
            FirstLine::Request { method, target } | FirstLine::Flawed { method, target } => {
                let target = Target::of(method, target);
                let asked = Asked::by(method);
                if asked == Some(Asked::Connect) || fields.upgrade.is_some() {
                    let path = target.path;
                    let shown = masked(path, scratch, |f| settings.secrets.in_path(path, f));
                    let is_connect = asked == Some(Asked::Connect);
                    let leads = if is_connect { Leads::Away } else { Leads::Elsewhere };
                    let wish = Wish::of(shown, leads);
                    self.wish = Some(Box::new((self.asked, wish)));
                }
                let call = self.call_of((method, target), &fields, headers.clone());
                let mut room = Vec::new();
                let shown = match &call {
                    Some(call) => {
                        message.dialect = call.dialect();
                        named(target, &mut room, &settings.secrets)
                    }
                    None => (method, target),
                };
                let key = fields.common.open_request(message, shown, settings, scratch, out);
                if let Some(call) = call {
                    self.ask(key, call, headers.clone(), out);
                }
                self.note(asked, out);
                (key, fields.lengths.of_request(asked))
            }
            FirstLine::Response { code } => {
                message.status = status(code);
                let upgrade = fields.upgrade.filter(|_| code == 101);
                if upgrade.is_some_and(|name| name.eq_ignore_ascii_case(b"h2c")) {
                    next = Handoff::To("http2");
                }
                let number = self.answered;
                // RFC 7540 section 3.2: the request is answered in HTTP/2.
                let asked = if is_interim(code) || next != Handoff::Detect {
                    message.kind = Kind::Interim;
                    None
                } else {
                    message.kind = Kind::Response;
                    self.answer(code)
                };
                let key = out.open(message);
                fields.common.add_type(key, Role::Server, scratch, out);
                if self.answered > number {
                    self.reply(key, number, code, &fields, headers.clone(), out);
                }
                let framing = fields.lengths.of_response(code, asked);
                if framing == Framing::Tunnel {
                    let wish = self.wish();
                    out.becomes(granted(wish, self.client, fields.upgrade, headers.clone()));
                }
                (key, framing)
            }
        };
        if let Framing::Sized(size) = framing {
            add_size(out, key, first.role(), size);
        }
        let flaw = match first {
            FirstLine::Flawed { .. } => Some("request line is invalid"),
            _ => fields.lengths.flaw(),
        };
        if let Some(flaw) = flaw {
            add(out, key, "wirespan.http.framing", Value::Text(flaw.as_bytes()));
        }
        if version != Version::USUAL {
            let version = format!("{}.{}", version.major, version.minor);
            add(out, key, "network.protocol.version", Value::Text(version.as_bytes()));
        }
        let target = first.target().filter(|_| !settings.ids.is_empty());
        let query = target.and_then(|target| Target::of(b"GET", target).query);
        let codings = std::mem::take(&mut fields.common.codings);
        fields.common.tell_ids(key, query, out);
        let ids = out.reads_bodies().then(|| body_ids::reader(&settings.ids, headers.clone()));
        if settings.locate_secrets {
            let secrets = &settings.secrets;
            locate_secrets(out, key, input, secrets, first.target(), headers.clone());
            let body = BodySecrets::of(headers.clone());
            let has_error = first.role() == Role::Server
                && self.call(from).is_some_and(|call| call.has_error_body());
            let body = if has_error { body.with_details(secrets) } else { body };
            *self.secrets_mut(from) = Some(Box::new(body));
        }
        if out.wants_details() {
            add_headers(out, key, first.role(), headers, &settings.secrets);
        }
        Opened { key, framing, expects: fields.expects, next, codings, ids: ids.flatten() }
    }

    /// Makes a message of a head whose end is lost, if its first line is whole; `end` is where it
    /// ends as in [`Out::close`].
    fn cut(
        &mut self,
        from: Side,
        input: &[u8],
        end: usize,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> AfterGap {
        let start = newlines(input);
        let head = input.get(start..).and_then(|rest| Head::cut(self.role(from), rest));
        let Some(head) = head.filter(|head| self.asked == 0 || head.first.is_proper()) else {
            return AfterGap::Resync;
        };
        let bytes = start..input.len();
        let known = start + head.len;
        let Opened { key, framing, .. } = self.open(from, head, input, bytes, means, out);
        // Half a line may hold half a secret.
        if means.settings.locate_secrets && known < input.len() {
            out.secret(key, known as u64..input.len() as u64);
        }
        self.lose_call(from, key, out);
        out.close(key, end);
        // How much of a body is lost with the end of the head cannot be told, nor can it be skipped.
        if framing != Framing::Tunnel {
            return AfterGap::Resync;
        }
        if let Some(body) = self.hand_over() {
            out.close(body.key, end);
        }
        AfterGap::Continue
    }

    /// Whether the next answer is that to an HTTP/0.9 request.
    fn awaits_bare_body(&self) -> bool {
        self.unusual.front() == Some(&(self.answered, Asked::Simple))
    }

    /// RFC 1945 section 6: a simple response is a body that lasts until the end.
    fn bare_body(&mut self, from: Side, out: &mut dyn Out) -> Step {
        self.answer(200);
        let key = out.open(Message {
            kind: Kind::Response,
            dialect: Dialect::Plain,
            pairing: Pairing::InOrder { lane: 0 },
            bytes: 0..0,
            operation: &[],
            resource: &[],
            status: Status::default(),
            cut: false,
        });
        let framing = BodyFraming::UntilEnd;
        *self.content_mut(from) = None;
        let body = Body { key, framing, chunks: 0 };
        self.data(from, body, u64::MAX, 0, 0)
    }

    /// A request was seen.
    fn note(&mut self, asked: Option<Asked>, out: &mut dyn Out) {
        if let Some(asked) = asked {
            if self.unusual.len() >= UNUSUAL_LIMIT {
                self.unusual.pop_front();
                out.lost("http methods that await their answer");
            }
            self.unusual.push_back((self.asked, asked));
        }
        self.asked += 1;
    }

    /// A final response was seen; what it answers, if that is unusual.
    fn answer(&mut self, code: u16) -> Option<Asked> {
        if let Reading::Expected { refused, .. } = self.reading_mut(self.client)
            && code >= 300
        {
            *refused = true;
        }
        // A response without request is none of those that are awaited.
        if self.answered == self.asked {
            return None;
        }
        let number = self.answered;
        self.answered += 1;
        match self.unusual.front() {
            Some((unusual, asked)) if *unusual == number => {
                let asked = *asked;
                self.unusual.pop_front();
                Some(asked)
            }
            _ => None,
        }
    }

    /// Answers were lost, and with them which request the next one belongs to.
    fn forget_asked(&mut self) {
        self.answered = self.asked;
        self.unusual.clear();
        self.calls.forget();
    }

    /// Ends HTTP on both sides; the body of a request that is still being sent.
    fn hand_over(&mut self) -> Option<Body> {
        self.set_reading(self.client.other(), Reading::HandedOver);
        match std::mem::replace(self.reading_mut(self.client), Reading::HandedOver) {
            Reading::Head(_) | Reading::HandedOver => None,
            Reading::Expected { body, .. }
            | Reading::Shown { body, .. }
            | Reading::Skipped { body }
            | Reading::ChunkSize { body, .. }
            | Reading::Trailers { body, .. } => Some(body),
        }
    }

    /// What the request asks for whose answer was just read.
    fn wish(&mut self) -> Option<Wish> {
        let number = self.answered.checked_sub(1);
        self.wish.take().filter(|wish| Some(wish.0) == number).map(|wish| wish.1)
    }

    /// Whether the last request is a CONNECT that may still be granted: a client need not wait for
    /// that with its next bytes.
    fn may_tunnel(&self) -> bool {
        let last = self.unusual.back();
        last.is_some_and(|(number, asked)| *asked == Asked::Connect && number + 1 == self.asked)
    }

    /// Whether the last request asks for another protocol, and may still get it.
    fn may_upgrade(&self) -> bool {
        self.answered < self.asked
            && self.wish.as_ref().is_some_and(|wish| wish.0 + 1 == self.asked)
    }

    fn take_reading(&mut self, from: Side) -> Reading {
        take(self.reading_mut(from))
    }

    fn set_reading(&mut self, from: Side, reading: Reading) {
        *self.reading_mut(from) = reading;
    }

    fn reading_mut(&mut self, from: Side) -> &mut Reading {
        let [a, b] = &mut self.reading;
        match from {
            Side::A => a,
            Side::B => b,
        }
    }

    fn secrets_mut(&mut self, from: Side) -> &mut Option<Box<BodySecrets>> {
        let [a, b] = &mut self.secrets;
        match from {
            Side::A => a,
            Side::B => b,
        }
    }

    fn role(&self, from: Side) -> Role {
        if from == self.client { Role::Client } else { Role::Server }
    }
}

struct Opened {
    key: Key,
    framing: Framing,
    /// Whether the body is sent only if the server asks for it.
    expects: bool,
    /// Who reads on, where it ends HTTP.
    next: Handoff,
    /// What its body is coded with.
    codings: Codings,
    /// What reads identifiers in its body, where that is asked for.
    ids: Option<Box<BodyReader>>,
}

const PORTS: [u16; 6] = [80, 3128, 8000, 8008, 8080, 8888];

/// The longest head, and the longest trailer section, in bytes.
const HEAD_LIMIT: usize = 64 << 10;

/// Bytes for a tunnel that wait for the answer to CONNECT; with more there will be none.
const EARLY_LIMIT: usize = 16 << 10;

/// Bytes of another protocol that wait for the answer to an Upgrade.
const UPGRADE_LIMIT: usize = 256 << 10;

/// Unanswered HEAD and CONNECT requests that are remembered, on one connection.
const UNUSUAL_LIMIT: usize = 256;

#[cfg(test)]
mod tests;
