//! Which packets chosen traces are made of: spans in; of each packet, whether it is one of theirs
//! and what is to be said of it out.
//!
//! What is kept of a connection gives the same exchanges when it is read again. So bytes of others
//! are left out, and also what would tell of such bytes, since they would count as lost: a handshake
//! that the request does not follow at once, an acknowledgement of other bytes.
//!
//! ```text
//! client  SYN      ACK│request ░░░░░░░│        ACK│ FIN        │ other request
//! server      SYN-ACK │           ACK │ response ░│     ACK    │
//!         └ if it is the first one ┘                  └ if it is the last one
//! ```

use crate::exchange::{
    Exchange, Half, OPERATION, RESOURCE, STATUS_TEXT, SecretPlaces, Sort, State,
};
use crate::export::ndjson::outcome_name;
use crate::span::{LinkKind, Span, Trace};
use crate::summary::protocol_name;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wirespan_capture::decode::{Header, Segment};
use wirespan_capture::packet::{Endpoint, Frame, TapId, Timestamp};
use wirespan_capture::stream::Transport;
use wirespan_parsers::message::Outcome;

/// The spans whose packets are wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    protocols: Vec<String>,
    streams: HashMap<Connection, Parts, FixedState>,
    datagrams: HashMap<Frame, Vec<Datagram>, FixedState>,
    /// The latest datagrams that were wanted, to tell copies of them.
    recent: VecDeque<Recent>,
    /// Pipelines of which a wanted exchange is a part.
    pipelines: HashSet<Pipeline, FixedState>,
    /// The latest exchanges in other pipelines, which may become wanted.
    others: VecDeque<(Pipeline, Part)>,
    /// Whether what is secret in their packets is overwritten, and what belongs to others.
    pub sanitize: bool,
    /// How many traces there are.
    pub traces: u64,
    /// How many spans there are.
    pub spans: u64,
    /// How many other spans come with them, since they are pipelined with them.
    pub companions: u64,
    /// How many spans more there were than can be held.
    pub left_out: u64,
}

/// Requests of a connection that were sent before the ones before them were answered, by the
/// sequence number of the first. Responses find theirs only where all of them are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pipeline {
    connection: Connection,
    seq: u32,
}

/// The ends of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Connection {
    low: Endpoint,
    high: Endpoint,
}

/// The wanted exchanges of one connection.
#[derive(Debug, Default)]
struct Parts {
    /// By when their packets may begin, once they are `sorted`.
    all: Vec<Part>,
    /// Until when packets of this exchange or an earlier one may come, for each.
    latest: Vec<Timestamp>,
    sorted: bool,
    /// What came before an exchange that cannot be read without it, for each two places.
    before: Vec<Before>,
}

/// What is wanted of a connection since what a wanted exchange says hangs on it: all of it.
#[derive(Debug)]
struct Before {
    places: [TapId; 2],
    until: Timestamp,
    comment: String,
}

/// A wanted exchange on TCP.
#[derive(Debug)]
struct Part {
    span: u64,
    client: Endpoint,
    /// The places that see it.
    places: [TapId; 2],
    /// Its packets lie between these times.
    from: Timestamp,
    to: Timestamp,
    place: Place,
    secrets: Option<Box<SecretPlaces>>,
    label: Label,
    found: bool,
}

/// What is to be said of a packet, and shown of it.
#[derive(Debug, Default)]
pub struct Told {
    /// Comments; none if it is not wanted.
    pub comments: Vec<String>,
    /// Bytes of its payload that belong to wanted exchanges.
    visible: Vec<Range<usize>>,
    /// Bytes among them that are secret.
    secret: Vec<Range<usize>>,
}

impl Told {
    fn clear(&mut self) {
        self.comments.clear();
        self.visible.clear();
        self.secret.clear();
    }

    /// Bytes of a payload of this length that are not to be shown: secrets, and what belongs to
    /// nothing that is wanted. They may overlap.
    pub fn hidden(&mut self, len: usize) -> Vec<Range<usize>> {
        let mut hidden = self.secret.clone();
        self.visible.sort_by_key(|range| range.start);
        let mut start = 0;
        for range in &self.visible {
            if start < range.start {
                hidden.push(start..range.start);
            }
            start = start.max(range.end);
        }
        if start < len {
            hidden.push(start..len);
        }
        hidden
    }
}

/// Where an exchange lies in its connection.
#[derive(Debug)]
enum Place {
    /// These bytes, of the client and of the server.
    Stream(Stream),
    /// Inside another flow: whatever client and server send between these times.
    Inside([Option<[Timestamp; 2]>; 2]),
    /// A connection that failed: all of it.
    Connection,
}

/// Bytes of both sides of a connection, and what was kept beside them.
#[derive(Debug)]
struct Stream {
    client: Bytes,
    server: Bytes,
    opened: bool,
    /// Whether the client's, the server's end was kept.
    ended: [bool; 2],
}

/// Bytes of one side of a connection.
#[derive(Clone, Copy, Debug)]
struct Bytes {
    /// The sequence number of the first one.
    seq: u32,
    /// How many there are.
    len: u64,
    /// How many of them come before the message, such as an interim response.
    lead: u64,
}

/// A datagram of a wanted exchange.
#[derive(Debug)]
struct Datagram {
    label: Arc<Label>,
    what: &'static str,
    found: bool,
}

#[derive(Debug)]
struct Recent {
    signature: u64,
    tap: TapId,
    at: Timestamp,
    comment: String,
}

/// What is said of the packets of a span, before and after which of them it is.
#[derive(Debug)]
struct Label {
    before: String,
    after: String,
}

impl Wanted {
    /// Adds the spans of a trace that is wanted.
    fn add(&mut self, trace: &Trace) {
        self.traces += 1;
        for span in &trace.spans {
            if self.spans >= SPANS {
                self.left_out += 1;
                continue;
            }
            self.spans += 1;
            let exchange = &span.exchange;
            let label = Label::of(trace, span, &self.protocols);
            match exchange.transport {
                Transport::Tcp => {
                    let connection = Connection::of(exchange);
                    if exchange.remembers {
                        let parts = self.streams.entry(connection).or_default();
                        parts.remember(span, &label);
                    }
                    self.push(connection, Part::of(span, label));
                }
                Transport::Udp => self.add_datagrams(exchange, label),
            }
            self.pipelines.extend(Pipeline::of(exchange));
        }
    }

    /// Remembers what may be pipelined with spans that are wanted, of whatever trace.
    fn overhear(&mut self, trace: &Trace) {
        for span in &trace.spans {
            let Some(pipeline) = Pipeline::of(&span.exchange) else { continue };
            let mut label = Label::of(trace, span, &self.protocols);
            label.after.push_str("; not chosen, but pipelined with what was");
            if self.others.len() >= OTHERS {
                self.others.pop_front();
            }
            self.others.push_back((pipeline, Part::of(span, label)));
        }
    }

    /// Adds what is pipelined with wanted spans; no more are added then.
    fn complete(&mut self) {
        let parts = self.streams.values().flat_map(|parts| &parts.all);
        let chosen: HashSet<u64, FixedState> = parts.map(|part| part.span).collect();
        for (pipeline, part) in std::mem::take(&mut self.others) {
            if !self.pipelines.contains(&pipeline) || chosen.contains(&part.span) {
                continue;
            }
            if self.spans + self.companions >= SPANS {
                self.left_out += 1;
                continue;
            }
            self.companions += 1;
            self.push(pipeline.connection, part);
        }
    }

    fn push(&mut self, connection: Connection, part: Part) {
        let parts = self.streams.entry(connection).or_default();
        parts.all.push(part);
        parts.sorted = false;
    }

    fn add_datagrams(&mut self, exchange: &Exchange, label: Label) {
        let label = Arc::new(label);
        let response = exchange.response.as_ref().map(|half| ("response", half));
        for (what, half) in [("request", &exchange.request)].into_iter().chain(response) {
            let datagram = Datagram { label: label.clone(), what, found: false };
            self.datagrams.entry(half.first.frame).or_default().push(datagram);
        }
    }

    /// Puts what is to be said of a packet with so many bytes of payload into `told`; no comment if
    /// it is not wanted.
    pub fn packet(&mut self, segment: &Segment, len: usize, told: &mut Told) {
        told.clear();
        match segment.header {
            Header::Tcp { .. } => {
                let connection = Connection::between(segment.source, segment.destination);
                if let Some(parts) = self.streams.get_mut(&connection) {
                    parts.packet(segment, len as u64 + u64::from(segment.cut), told);
                    if told.comments.is_empty() && !self.sanitize {
                        told.comments.extend(parts.remembered(segment));
                    }
                }
            }
            Header::Udp => self.datagram(segment, &mut told.comments),
        }
    }

    fn datagram(&mut self, segment: &Segment, comments: &mut Vec<String>) {
        let (tap, at, signature) = (segment.seen.tap, segment.seen.at, segment.signature);
        let is_old = |recent: &Recent| at.0.saturating_sub(recent.at.0) > COPY_WITHIN;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
        if let Some(datagrams) = self.datagrams.get_mut(&segment.seen.frame) {
            for datagram in datagrams.iter_mut() {
                datagram.found = true;
                comments.push(datagram.label.with(datagram.what));
            }
            if let Some(first) = comments.first() {
                let comment = first.clone();
                self.recent.push_back(Recent { signature, tap, at, comment });
            }
            return;
        }
        let mut recent = self.recent.iter().rev().take(RECENT);
        let copied = recent.find(|recent| recent.signature == signature && recent.tap == tap);
        comments.extend(copied.map(|recent| recent.comment.clone()));
    }

    /// Puts what is to be said of the handshake of a connection into `comments` if a wanted exchange
    /// may follow on it; gives the places that see that one.
    pub fn handshake(&self, segment: &Segment, comments: &mut Vec<String>) -> Option<[TapId; 2]> {
        let connection = Connection::between(segment.source, segment.destination);
        let mut parts = self.streams.get(&connection)?.all.iter();
        let (at, place) = (segment.seen.at, segment.place);
        let next = parts.find(|part| part.to >= at && part.places.contains(&place))?;
        comments.push(next.label.with("handshake of its connection"));
        Some(next.places)
    }

    /// How many spans have none of their packets so far.
    pub fn not_found(&self) -> u64 {
        let lost = |parts: &Parts| parts.all.iter().filter(|part| !part.found).count();
        let streams: usize = self.streams.values().map(lost).sum();
        let datagrams = self.datagrams.values().flatten();
        let datagrams = datagrams.filter(|datagram| datagram.what == "request" && !datagram.found);
        (streams + datagrams.count()) as u64
    }
}

impl Pipeline {
    fn of(exchange: &Exchange) -> Option<Self> {
        // Without the side of the responses, each request can be read alone.
        let seq = exchange.pipeline.filter(|_| exchange.state != State::OneSided)?;
        Some(Self { connection: Connection::of(exchange), seq })
    }
}

impl Connection {
    fn of(exchange: &Exchange) -> Self {
        Self::between(endpoint(exchange.client), endpoint(exchange.server))
    }

    fn between(a: Endpoint, b: Endpoint) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    Endpoint { ip, port: address.port() }
}

impl Parts {
    fn packet(&mut self, segment: &Segment, len: u64, told: &mut Told) {
        if !self.sorted {
            self.sort();
        }
        let at = segment.seen.at;
        let mut misses = 0;
        let begun = self.all.partition_point(|part| part.from <= at);
        for (part, latest) in self.all.iter_mut().zip(&self.latest).take(begun).rev() {
            // The exchanges of one packet began at about the same time.
            if *latest < at || misses > NEIGHBOURS {
                break;
            }
            match part.which(segment, len) {
                Some(which) => {
                    part.found = true;
                    misses = 0;
                    part.show(segment, len, told);
                    if told.comments.len() < COMMENTS {
                        told.comments.push(part.label.with(&which));
                    }
                }
                None => misses += usize::from(!told.comments.is_empty()),
            }
        }
        told.comments.reverse();
    }

    /// What is to be said of a packet that is only wanted for what comes behind it.
    fn remembered(&self, segment: &Segment) -> Option<String> {
        let (at, place) = (segment.seen.at, segment.place);
        let before = self.before.iter().find(|b| b.until >= at && b.places.contains(&place));
        before.map(|before| before.comment.clone())
    }

    /// All of the connection until this one ends is wanted.
    fn remember(&mut self, span: &Span, label: &Label) {
        let (places, until) = (span.exchange.point.taps, span.exchange.end());
        let comment = || label.with("what came before on its connection");
        match self.before.iter_mut().find(|before| before.places == places) {
            Some(before) if before.until < until => {
                (before.until, before.comment) = (until, comment());
            }
            Some(_) => {}
            None => self.before.push(Before { places, until, comment: comment() }),
        }
    }

    fn sort(&mut self) {
        self.all.sort_by_key(|part| part.from);
        let latest = self.all.iter().scan(Timestamp(i64::MIN), |latest, part| {
            *latest = part.to.max(*latest);
            Some(*latest)
        });
        self.latest = latest.collect();
        self.sorted = true;
    }
}

impl Part {
    fn of(span: &Span, label: Label) -> Self {
        let exchange = &span.exchange;
        let (start, end) = (exchange.start(), exchange.end());
        let place = match (exchange.sort, exchange.request.seq) {
            (Sort::Connect, _) => Place::Connection,
            (_, Some(seq)) => Place::Stream(Stream::of(exchange, seq)),
            (_, None) => {
                let times = |half: &Half| [half.first.at, half.last.at];
                let response = exchange.response.as_ref().map(times);
                Place::Inside([Some(times(&exchange.request)), response])
            }
        };
        let (from, to) = match place {
            Place::Connection => (start, end),
            // A connection may end long after a request that has no response.
            _ => (start.plus(-EARLY), end.max(exchange.turns.closed.at).plus(LATE)),
        };
        let (client, places) = (endpoint(exchange.client), exchange.point.taps);
        let secrets = exchange.secrets.clone();
        Self { span: span.id, client, places, from, to, place, secrets, label, found: false }
    }

    /// Notes which bytes of a packet with so many bytes are its own, and which of them are secret.
    fn show(&self, segment: &Segment, len: u64, told: &mut Told) {
        let (Place::Stream(stream), Header::Tcp { seq, syn, .. }) = (&self.place, segment.header)
        else {
            return;
        };
        let seq = seq.wrapping_add(u32::from(syn));
        let from_client = segment.source == self.client;
        let own = if from_client { stream.client } else { stream.server };
        let Some(own) = within(seq, len, own.seq, own.len) else { return };
        if let Some(secrets) = &self.secrets {
            let places = if from_client { &secrets.request } else { &secrets.response };
            let ranges = places.iter().filter_map(|bytes| within(seq, len, bytes.seq, bytes.len));
            told.secret.extend(ranges);
            if let Some(from) = places.all_from {
                // The end lies in front of every other byte that the sequence number can reach.
                told.secret.extend(within(seq, len, from, u64::from(u32::MAX / 2)));
            }
        }
        told.visible.push(own);
    }

    /// Which of its packets this is, if it is one.
    fn which(&mut self, segment: &Segment, len: u64) -> Option<String> {
        let at = segment.seen.at;
        if !(self.from..=self.to).contains(&at) || !self.places.contains(&segment.place) {
            return None;
        }
        let from_client = segment.source == self.client;
        match &mut self.place {
            Place::Stream(stream) => stream.which(segment, len, from_client),
            Place::Inside([request, response]) => {
                let times = if from_client { request } else { response };
                let [first, last] = (*times)?;
                (len > 0 && (first..=last).contains(&at)).then(|| side_name(from_client).to_owned())
            }
            Place::Connection => Some("connection".to_owned()),
        }
    }
}

impl Stream {
    fn of(exchange: &Exchange, seq: u32) -> Self {
        let request = &exchange.request;
        let client = Bytes { seq, len: request.len, lead: 0 };
        let response = exchange.response.as_ref();
        let response = response.and_then(|half| Some((half.seq?, half.len)));
        let server = match response {
            // What the server has said since the request began belongs to it, unless there are
            // others at the same time.
            Some((seq, len)) => {
                let before = seq.wrapping_sub(request.ack);
                let alone = exchange.lane == 0 && exchange.pipeline.is_none();
                let lead = if alone && before <= LEAD { before } else { 0 };
                Bytes {
                    seq: seq.wrapping_sub(lead),
                    len: len + u64::from(lead),
                    lead: u64::from(lead),
                }
            }
            None => Bytes { seq: request.ack, len: 0, lead: 0 },
        };
        Self { client, server, opened: false, ended: [false; 2] }
    }

    fn which(&mut self, segment: &Segment, len: u64, from_client: bool) -> Option<String> {
        let Header::Tcp { seq, ack, syn, fin, rst } = segment.header else { return None };
        let (this, other) =
            if from_client { (self.client, self.server) } else { (self.server, self.client) };
        let [this_end, other_end] = if from_client { [0, 1] } else { [1, 0] };
        if len > 0 {
            let which = this.overlap(seq.wrapping_add(u32::from(syn)), len, from_client)?;
            return Some(which);
        }
        let ends = this.seq.wrapping_add(this.len as u32);
        let is_kept = if syn {
            // The handshake counts up both sides by one.
            let begins = seq.wrapping_add(1) == this.seq;
            let answers = !ack || segment.seen.ack == other.seq;
            self.opened |= begins && answers;
            begins && answers
        } else if rst {
            seq == ends || seq == ends.wrapping_add(1)
        } else if fin {
            let is_end = seq == ends;
            if let Some(ended) = self.ended.get_mut(this_end) {
                *ended |= is_end;
            }
            is_end
        } else {
            let acknowledged = u64::from(segment.seen.ack.wrapping_sub(other.seq));
            let after_end = self.ended.get(other_end) == Some(&true);
            ack && acknowledged <= other.len + u64::from(after_end)
                && (acknowledged > 0 || self.opened)
        };
        is_kept.then(|| "connection".to_owned())
    }
}

impl Bytes {
    /// Which of them lie in a packet, in words.
    fn overlap(self, seq: u32, len: u64, from_client: bool) -> Option<String> {
        let ahead = u64::from(seq.wrapping_sub(self.seq));
        let behind = u64::from(self.seq.wrapping_sub(seq));
        let (first, last) = if ahead < self.len {
            (ahead, ahead + len)
        } else if behind < len && self.len > 0 {
            (0, len - behind)
        } else {
            return None;
        };
        let last = last.min(self.len);
        let side = side_name(from_client);
        if last <= self.lead {
            return Some(format!("before the {side}"));
        }
        let (first, last, len) =
            (first.saturating_sub(self.lead), last - self.lead, self.len - self.lead);
        Some(format!("{side}, bytes {}-{last} of {len}", first + 1))
    }
}

/// Which bytes of a packet, of so many that begin at `seq`, are among others of the same stream.
fn within(seq: u32, len: u64, other: u32, other_len: u64) -> Option<Range<usize>> {
    let ahead = u64::from(other.wrapping_sub(seq));
    let behind = u64::from(seq.wrapping_sub(other));
    let (start, end) = if ahead < len {
        (ahead, ahead.saturating_add(other_len).min(len))
    } else if behind < other_len {
        (0, (other_len - behind).min(len))
    } else {
        return None;
    };
    (start < end).then_some(start as usize..end as usize)
}

fn side_name(from_client: bool) -> &'static str {
    if from_client { "request" } else { "response" }
}

impl Label {
    fn of(trace: &Trace, span: &Span, protocols: &[String]) -> Self {
        let exchange = &span.exchange;
        let text = |name| exchange.text.text(name).map(clean).unwrap_or_default();
        let what = [
            protocol_name(exchange.protocol, protocols).to_owned(),
            text(OPERATION),
            text(RESOURCE),
        ];
        let what: Vec<&str> =
            what.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        let before = format!(
            "wirespan: trace {:032x}, span {:016x}: {} -> {}, {}",
            trace.id,
            span.id,
            what.join(" "),
            result(exchange),
            clean(span.service.as_bytes()),
        );
        let percent = |confidence: f32| (confidence * 100.0).round();
        let above = span.link.as_ref().and_then(|link| Some((link, trace.spans.get(link.parent)?)));
        let after = match (above, &span.earlier) {
            (Some((link, above)), _) => {
                let how = match link.kind {
                    LinkKind::Parent => "under",
                    LinkKind::SameExchange => "the same as",
                };
                let (reason, percent) = (link.reason.name(), percent(link.confidence));
                format!("; {how} span {:016x}: {reason} {percent} %", above.id)
            }
            (None, Some(earlier)) => format!(
                "; called by span {:016x} of trace {:032x}: {} {} %",
                earlier.span,
                earlier.trace,
                earlier.reason.name(),
                percent(earlier.confidence),
            ),
            (None, None) => String::new(),
        };
        Self { before, after }
    }

    fn with(&self, which: &str) -> String {
        [&self.before, ", ", which, &self.after].concat()
    }
}

/// What came of an exchange, in a few words.
fn result(exchange: &Exchange) -> String {
    let status = exchange.text.text(STATUS_TEXT).map(clean);
    match (exchange.state, exchange.code, status) {
        (State::Complete, _, Some(status)) if !status.is_empty() => status,
        (State::Complete, 0, _) if exchange.outcome == Outcome::Unknown => "done".to_owned(),
        (State::Complete, 0, _) => outcome_name(exchange.outcome).to_owned(),
        (State::Complete, code, _) => code.to_string(),
        (state, ..) => state.name().replace('_', " "),
    }
}

/// A text of the wire that does nothing to a terminal, and is not too long.
fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().take(TEXT).map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// Spans that are noted while traces pass, for whoever reads the captures again.
#[derive(Clone, Debug)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    wanted: Wanted,
    /// All traces have passed.
    ended: bool,
}

impl Notes {
    /// Nothing yet, of spans of these protocols.
    pub fn new(protocols: Vec<String>) -> Self {
        let wanted = Wanted { protocols, ..Wanted::default() };
        Self(Arc::new(Mutex::new(Noted { wanted, ended: false })))
    }

    /// These traces are wanted.
    pub fn want(&self, traces: &[Trace]) {
        let mut noted = self.noted();
        traces.iter().for_each(|trace| noted.wanted.add(trace));
    }

    /// These traces pass, before it is said which of them are wanted.
    pub fn overhear(&self, traces: &[Trace]) {
        let mut noted = self.noted();
        traces.iter().for_each(|trace| noted.wanted.overhear(trace));
    }

    /// All traces have passed.
    pub fn end(&self) {
        self.noted().ended = true;
    }

    /// What was noted, if all traces have passed.
    pub fn take(&self) -> Option<Wanted> {
        let mut noted = self.noted();
        let mut wanted = std::mem::take(&mut noted.wanted);
        wanted.complete();
        noted.ended.then_some(wanted)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spans whose packets can be looked for at a time.
pub const SPANS: u64 = 100_000;
/// Exchanges in pipelines that are remembered, as what they are pipelined with may be wanted later.
const OTHERS: usize = 1 << 16;
/// Nanoseconds by which a packet may lie before the first one of its exchange: out of order, or the
/// handshake.
const EARLY: i64 = 1_000_000_000;
/// Nanoseconds after the end of an exchange in which its bytes may be sent again, or acknowledged.
const LATE: i64 = 3_000_000_000;
/// Bytes that a server may say before its response.
const LEAD: u32 = 1 << 20;
/// Exchanges that are looked at behind one of the same packet.
const NEIGHBOURS: usize = 64;
/// Comments of one packet.
const COMMENTS: usize = 16;
/// Characters of one text in a comment.
const TEXT: usize = 128;
/// Nanoseconds within which a copy of a datagram comes.
const COPY_WITHIN: i64 = 250_000_000;
/// Datagrams among which a copy is looked for.
const RECENT: usize = 256;
