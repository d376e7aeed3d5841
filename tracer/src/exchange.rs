//! A request with its response, owned: what pairing gives and joining takes.

use crate::given::GivenNames;
use crate::losses::Touched;
use crate::records::Records;
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use wirespan_capture::owner::Process;
use wirespan_capture::packet::{Frame, NetworkId, TapId, Timestamp};
use wirespan_capture::stream::{PointId, RoundTrip, Seen, Transport};
use wirespan_parsers::handed::TUNNEL;
use wirespan_parsers::message::{Attribute, Outcome, Status, Value};
use wirespan_parsers::trace_context::conceal::is_hidden;
use wirespan_parsers::trace_context::{Format, TraceContext};
use wirespan_parsers::values::Values;

/// A request with its response, seen at one point.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its number within the run.
    pub id: ExchangeId,
    /// Whose addresses these are.
    pub network: NetworkId,
    /// The point that saw it.
    pub point: PointId,
    /// The same as far as it was known when joining first learnt of it: of two taps that are one
    /// point, the second may turn up later.
    pub first_point: PointId,
    /// The tap that saw its first packet.
    pub tap: TapId,
    /// The transport.
    pub transport: Transport,
    /// The end that asked.
    pub client: SocketAddr,
    /// The end that was asked.
    pub server: SocketAddr,
    /// The protocol's place in the list of this run's protocols.
    pub protocol: ProtocolIndex,
    /// What sort of exchange it is.
    pub sort: Sort,
    /// Whether it is complete, or why not.
    pub state: State,
    /// Its number on the connection, counted from 0.
    pub ordinal: u32,
    /// Its number among those of the flow that begin at the same byte of a TCP stream, as the calls
    /// of a batch do, or elsewhere in the same packet; counted from 0.
    pub in_packet: u32,
    /// Whether the client of the connection is asked, by its server.
    pub to_client: bool,
    /// Where requests of its lane, or others that an id pairs, were sent before the ones before them
    /// were answered, and it is one of these: the sequence number of the first.
    pub pipeline: Option<u32>,
    /// Tells flows that one connection carries apart; 0 for the connection itself.
    pub inside: u64,
    /// The lane of the connection that it used, such as a stream id.
    pub lane: u64,
    /// The request.
    pub request: Half,
    /// The response, if it was seen.
    pub response: Option<Half>,
    /// What the response said.
    pub outcome: Outcome,
    /// The protocol's status code, 0 without.
    pub code: u32,
    /// Operation, resource, status text and attributes.
    pub text: Text,
    /// The identifiers that it carries.
    pub contexts: SmallVec<[Context; 2]>,
    /// Values that its request carries.
    pub values: Values,
    /// What it puts into queues or gets out of them, if anything.
    pub records: Option<Box<Records>>,
    /// Where its secrets lie, where that was asked for and there are any.
    pub secrets: Option<Box<SecretPlaces>>,
    /// The processes at its two ends, where they are known; set by joining.
    pub processes: Processes,
    /// The names that its two ends were given by something else than messages; set by joining.
    pub names: GivenNames,
    /// How long the handshake of its connection took from the point to either end and back.
    pub round_trip: RoundTrip,
    /// When joining learnt of it; set there.
    pub turns: Turns,
    /// By what losses it is touched; set as it settles.
    pub touched: Touched,
    /// How its times were set right, where its clock was off; set as it settles.
    pub clock: Option<SetRight>,
    /// Whether it may be unreadable without what came before it on its connection.
    pub remembers: bool,
    /// What it seemed to ask for at first, where that turned out to be something else.
    pub seemed: Option<Box<Asked>>,
}

/// What an exchange asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What [`OPERATION`] said.
    pub operation: Box<[u8]>,
    /// What [`RESOURCE`] said.
    pub resource: Box<[u8]>,
}

/// How times were set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetRight {
    /// How many nanoseconds were taken off: so much the clock was ahead.
    pub ahead: i64,
    /// Nanoseconds by which that may be wrong.
    pub error: u64,
}

impl Exchange {
    /// What came of it is this.
    pub(crate) fn set_status(&mut self, status: &Status<'_>) {
        (self.outcome, self.code) = (status.outcome, status.code);
        let said = self.text.text(STATUS_TEXT).unwrap_or_default();
        if said == status.text {
            return;
        }
        if !said.is_empty() {
            self.text.remove(STATUS_TEXT);
        }
        if !status.text.is_empty() {
            self.text.add(Attribute { name: STATUS_TEXT, value: Value::Text(status.text) });
        }
    }

    /// It goes by other words than those that it was opened with.
    pub(crate) fn rename(&mut self, protocol: ProtocolIndex, operation: &[u8], resource: &[u8]) {
        self.protocol = protocol;
        if self.seemed.is_none() {
            let [operation, resource] = [OPERATION, RESOURCE]
                .map(|name| Box::from(self.text.text(name).unwrap_or_default()));
            self.seemed = Some(Box::new(Asked { operation, resource }));
        }
        for (name, value) in [(OPERATION, operation), (RESOURCE, resource)] {
            self.text.remove(name);
            if name == OPERATION || !value.is_empty() {
                // It takes the place of another one, so that it is none too many.
                self.text.restore(Attribute { name, value: Value::Text(value) });
            }
        }
    }

    /// Operation and resource as they were known when it began, empty if they were not.
    pub(crate) fn asked_at_first(&self) -> [&[u8]; 2] {
        match &self.seemed {
            Some(seemed) => [&seemed.operation, &seemed.resource],
            None => [OPERATION, RESOURCE].map(|name| self.text.text(name).unwrap_or_default()),
        }
    }

    /// The time of its last byte that was seen.
    pub fn end(&self) -> Timestamp {
        self.response
            .as_ref()
            .map_or(self.request.last.at, |response| response.last.at.max(self.request.last.at))
    }

    /// The nanoseconds from its first byte to its last one; less than 0 where stamps go backwards.
    pub fn duration(&self) -> i64 {
        self.end().0.saturating_sub(self.start().0)
    }

    /// Until when something that belongs to it may have been lost: to its end, or as long as it was
    /// waited for.
    pub fn reach(&self) -> Timestamp {
        let is_whole = |half: &Half| !half.cut;
        let whole = is_whole(&self.request) && self.response.as_ref().is_some_and(is_whole);
        if whole || self.sort.is_one_way() {
            self.end()
        } else {
            self.turns.closed.at.max(self.end())
        }
    }

    /// The time of its first byte.
    pub fn start(&self) -> Timestamp {
        self.request.first.at
    }

    /// The address of the host that called. A loopback address is every host's own; the other end
    /// of the connection is on the same host, and may show an address that others know too.
    pub fn client_host(&self) -> IpAddr {
        if self.client.ip().is_loopback() { self.server.ip() } else { self.client.ip() }
    }

    /// The address of the host that was called.
    pub fn server_host(&self) -> IpAddr {
        let within = self.server.ip().is_loopback() && !self.client.ip().is_loopback();
        if within { self.client.ip() } else { self.server.ip() }
    }

    /// Whether a host called itself.
    pub fn within_host(&self) -> bool {
        self.client_host() == self.server_host()
    }

    /// Whether it failed: on the wire, or as the server said. That the client asked for something
    /// wrong is no failure.
    pub fn failed(&self) -> bool {
        match self.state {
            State::Complete => self.outcome == Outcome::ServerError,
            state => state.failed(),
        }
    }
}

/// The processes at the two ends of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// Who asked.
    pub client: Option<Arc<Process>>,
    /// Who was asked.
    pub server: Option<Arc<Process>>,
}

impl Processes {
    /// Whether those of client and server are known.
    pub fn known(&self) -> [bool; 2] {
        [self.client.is_some(), self.server.is_some()]
    }
}

/// What tells an exchange from others of the run: its shard, and its number there. It says nothing
/// of any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId {
    /// The shard.
    pub shard: u16,
    /// Its number in the shard.
    pub serial: u64,
}

/// When joining learnt of an exchange. What settles when, and what was open when, hangs on these
/// alone, so that exchanges that were written down can be joined anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// That its request was open; none where it was over as soon as it was told.
    pub opened: Option<Opening>,
    /// That it was over.
    pub closed: Turn,
}

impl Turns {
    /// The first of them. It is no other exchange's, and orders those that began together.
    pub fn first(&self) -> Turn {
        self.opened.map_or(self.closed, |opened| opened.turn)
    }
}

/// An event's place in the one order of all events of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The event's number.
    pub number: EventNumber,
    /// Packet time as it was told, which never goes back.
    pub at: Timestamp,
}

/// The number of an event that joining learnt of, from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNumber(pub u64);

/// What joining learnt of a request that was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When.
    pub turn: Turn,
    /// How many of its identifiers were known then, the first ones.
    pub contexts: usize,
    /// The point, as far as it was known then.
    pub point: PointId,
    /// Whether the processes of client and server were known then.
    pub processes: [bool; 2],
}

/// A place in the list of a run's protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolIndex(pub u8);

impl ProtocolIndex {
    /// A connection that failed before any protocol spoke.
    pub const CONNECT: Self = Self(u8::MAX);

    /// Its name in the output, given those of all protocols.
    pub fn name(self, protocols: &[String]) -> &str {
        protocols.get(usize::from(self.0)).map_or("tcp", String::as_str)
    }
}

/// What sort of exchange it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A call.
    Call,
    /// A login or another step that carries no call.
    Handshake,
    /// A message that awaits no answer.
    OneWay,
    /// Says that the connection, or something kept for it, is needed no more; nobody answers.
    End,
    /// A connection that was refused, reset or never answered.
    Connect,
}

/// Whether an exchange is complete, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Request and response were seen, or it is one-way.
    Complete,
    /// The capture ended before a response.
    Open,
    /// No response within the limit.
    TimedOut,
    /// The response may have been sent, but the capture lost it.
    ResponseLost,
    /// The response's direction was not captured at all.
    OneSided,
    /// The connection was closed before a response.
    Closed,
    /// The connection, or the stream that carries it alone, was reset before a response.
    Reset,
    /// The connection was refused.
    Refused,
    /// The connection was never answered.
    Unanswered,
    /// A limit of this program cut it short.
    Evicted,
}

impl Sort {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Call, Self::Handshake, Self::OneWay, Self::End, Self::Connect];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Handshake => "handshake",
            Self::OneWay => "one_way",
            Self::End => "end",
            Self::Connect => "connect",
        }
    }

    /// Whether nobody answers such a message.
    pub fn is_one_way(self) -> bool {
        matches!(self, Self::OneWay | Self::End)
    }
}

impl State {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Complete,
        Self::Open,
        Self::TimedOut,
        Self::ResponseLost,
        Self::OneSided,
        Self::Closed,
        Self::Reset,
        Self::Refused,
        Self::Unanswered,
        Self::Evicted,
    ];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Open => "open",
            Self::TimedOut => "timed_out",
            Self::ResponseLost => "response_lost",
            Self::OneSided => "one_sided",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Evicted => "evicted",
        }
    }

    /// Whether the call failed on the wire.
    pub fn failed(self) -> bool {
        matches!(
            self,
            Self::TimedOut | Self::Closed | Self::Reset | Self::Refused | Self::Unanswered
        )
    }
}

/// A request or a response on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Half {
    /// Its first byte.
    pub first: Mark,
    /// Its last byte that was seen.
    pub last: Mark,
    /// The TCP sequence number of its first byte, if it lies on a TCP stream itself.
    pub seq: Option<u32>,
    /// The bytes from its first to its last one, as far as it was seen.
    pub len: u64,
    /// How many of them are its own, where those of other messages lie between them.
    pub own: Option<NonZeroU64>,
    /// TCP acknowledgement number of its first packet.
    pub ack: u32,
    /// TCP timestamp option of its first packet, 0 without.
    pub tsval: u32,
    /// IPv4 identification of its first packet.
    pub ip_id: u16,
    /// Time to live or hop limit of its first packet.
    pub ttl: u8,
    /// Whether a part of it was lost.
    pub cut: bool,
    /// Bytes within it that were lost, as far as they are known to be its own.
    pub lost: u64,
    /// What of it was sent again, as far as that was seen before the exchange was over.
    pub resent: Resent,
}

impl Half {
    /// Its length in bytes, as far as it was seen.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.own.map_or(self.len, |own| own.get().min(self.len))
    }
}

/// Segments of a message that came again, or that had been missing for long, since those that were
/// sent first were lost on their way: before the point or behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// How many.
    pub segments: u32,
    /// Nanoseconds for which nothing new of that side had come as the first one did: what it cost.
    pub stalled: i64,
}

impl Resent {
    /// So many more of the same message, which came later.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let first = if self.segments == 0 { later } else { self };
        Self { segments: self.segments.saturating_add(later.segments), ..first }
    }
}

/// Where the secrets of an exchange lie on its TCP streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretPlaces {
    /// What the client sent.
    pub request: StreamPlaces,
    /// What the server sent.
    pub response: StreamPlaces,
}

/// Bytes of a TCP stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPlaces {
    places: Vec<StreamBytes>,
    /// What comes is secret from here on, since there are too many places.
    pub all_from: Option<u32>,
}

/// Bytes of a TCP stream that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBytes {
    /// The sequence number of the first.
    pub seq: u32,
    /// How many.
    pub len: u64,
}

impl StreamPlaces {
    /// Adds bytes behind those that are there.
    pub fn add(&mut self, seq: u32, len: u64) {
        if self.all_from.is_some() {
            return;
        }
        if self.places.len() >= PLACES {
            self.merge();
        }
        let is_full = self.places.len() >= PLACES;
        match self.places.last_mut() {
            Some(last) if last.seq.wrapping_add(last.len as u32) == seq => last.len += len,
            _ if is_full => self.all_from = Some(seq),
            _ => self.places.push(StreamBytes { seq, len }),
        }
    }

    /// The places, in order.
    pub fn iter(&self) -> impl Iterator<Item = StreamBytes> {
        self.places.iter().copied()
    }

    /// Makes one place of those that lie close together, as the values of a list.
    fn merge(&mut self) {
        self.places.dedup_by(|next, last| {
            let end = last.seq.wrapping_add(last.len as u32);
            let between = next.seq.wrapping_sub(end);
            let close = between <= CLOSE;
            if close {
                last.len += u64::from(between) + next.len;
            }
            close
        });
    }
}

/// When and in which frame a byte was seen.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// In which frame.
    pub frame: Frame,
}

impl Mark {
    /// Of what a byte was seen with.
    #[must_use]
    pub fn of(seen: &Seen) -> Self {
        Self { at: seen.at, frame: seen.frame }
    }
}

/// An identifier that an exchange carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its format.
    pub format: Format,
    /// Which of the two messages carried it.
    pub carried_by: Carrier,
    /// The trace id, or a hash of the request id.
    pub trace: TraceNumber,
    /// The id of the span that sent the message.
    pub span: Option<NonZeroU64>,
    /// The id of the span above that one.
    pub parent: Option<NonZeroU64>,
    /// Whether it may join exchanges; else it is only shown.
    pub joins: bool,
    /// Whether it is secret, and nothing may be told of it but its format.
    pub hidden: bool,
}

impl Context {
    /// Takes what is needed of a borrowed one.
    pub fn of(context: &TraceContext<'_>, carried_by: Carrier) -> Self {
        let TraceContext { format, trace, span, parent, .. } = *context;
        let hidden = is_hidden(context);
        Self {
            format,
            carried_by,
            trace: TraceNumber::of(trace),
            span,
            parent,
            joins: true,
            hidden,
        }
    }
}

/// Which message of an exchange carried an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The request.
    Request,
    /// The response.
    Response,
    /// The request, and the response repeated it.
    Both,
}

/// A trace id of 128 bits, in halves so that it packs well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceNumber {
    high: u64,
    low: u64,
}

impl TraceNumber {
    /// From one number.
    pub fn of(number: u128) -> Self {
        Self { high: (number >> 64) as u64, low: number as u64 }
    }

    /// The lower half.
    pub fn low(self) -> u64 {
        self.low
    }

    /// Whether it is an id of 64 bits, or the lower half of one.
    pub fn is_half(self) -> bool {
        self.high == 0
    }

    /// As one number.
    pub fn get(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

/// Named texts and numbers in one piece of memory.
///
/// ```text
/// ┌──────────┬───────────────────┬─────────────┬───────┐
/// │ tag: u8  │ name, if no known │ length: u16 │ value │  …
/// └──────────┴───────────────────┴─────────────┴───────┘
///   kind (1 bit), place in the list of known names (7 bits; 0: a length and the name follow)
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Vec<u8>);

impl Text {
    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With room for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds an entry, unless there are too many; texts longer than the limit are cut, names too.
    pub fn add(&mut self, attribute: Attribute<'_>) {
        if self.0.len() <= LONGEST {
            self.restore(attribute);
        }
    }

    /// Adds an entry of an exchange that was written down: it was not too many then.
    pub fn restore(&mut self, attribute: Attribute<'_>) {
        let Attribute { name, value } = attribute;
        let number;
        let (kind, value) = match value {
            Value::Text(text) => {
                (TEXT, text.get(..text.len().min(LONGEST_VALUE)).unwrap_or_default())
            }
            Value::Int(int) => {
                number = int.to_le_bytes();
                (INT, &number[..])
            }
        };
        match KNOWN.iter().position(|known| *known == name) {
            Some(place) => self.0.push(kind | (place as u8 + 1)),
            None => {
                // A name that nobody would have to escape, whoever made it.
                let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
                let name = name.as_bytes().iter().copied().filter(plain).take(255);
                let at = self.0.len();
                self.0.extend_from_slice(&[kind, 0]);
                self.0.extend(name);
                let len = self.0.len() - at - 2;
                if let Some(place) = self.0.get_mut(at + 1) {
                    *place = len as u8;
                }
            }
        }
        self.0.extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    /// Takes out what was added under this name.
    pub(crate) fn remove(&mut self, name: &str) {
        let mut kept = Self(Vec::with_capacity(self.0.len()));
        for (other, value) in self.iter().filter(|(other, _)| *other != name) {
            kept.restore(Attribute { name: other, value });
        }
        *self = kept;
    }

    /// All entries, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (entry, after) = Self::entry(rest)?;
            rest = after;
            Some(entry)
        })
    }

    /// Whether a name may stand here more than once.
    pub fn may_repeat(&self) -> bool {
        let mut rest = self.0.as_slice();
        let mut seen = 0_u128;
        let mut unknown = 0;
        while let (Some(tag), Some((_, after))) = (rest.first(), Self::entry(rest)) {
            let place = u32::from(tag & !INT);
            let bit = 1_u128.checked_shl(place).unwrap_or_default();
            if place == 0 {
                unknown += 1;
            } else if seen & bit != 0 {
                return true;
            }
            seen |= bit;
            rest = after;
        }
        unknown > 1
    }

    /// The first text with this name.
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        let Some(place) = KNOWN.iter().position(|known| *known == name) else {
            return self.iter().find_map(|(other, value)| match value {
                Value::Text(text) if other == name => Some(text),
                _ => None,
            });
        };
        let wanted = TEXT | (place as u8 + 1);
        let mut rest = self.0.as_slice();
        loop {
            // Of the others, only the length is looked at.
            let (tag, after) = rest.split_first()?;
            let after = match tag & !INT {
                0 => {
                    let (len, after) = after.split_first()?;
                    after.get(usize::from(*len)..)?
                }
                _ => after,
            };
            let (len, after) = after.split_first_chunk::<2>()?;
            let (value, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            if *tag == wanted {
                return Some(value);
            }
            rest = after;
        }
    }

    /// Gives back memory where much is not used.
    pub fn shrink(&mut self) {
        if self.0.capacity() > 2 * self.0.len() + 64 {
            self.0.shrink_to_fit();
        }
    }

    fn entry(rest: &[u8]) -> Option<((&str, Value<'_>), &[u8])> {
        let (tag, rest) = rest.split_first()?;
        let (name, rest) = match KNOWN.get(usize::from(*tag & !INT).wrapping_sub(1)) {
            Some(name) => (*name, rest),
            None => {
                let (len, rest) = rest.split_first()?;
                let (name, rest) = rest.split_at_checked(usize::from(*len))?;
                (std::str::from_utf8(name).unwrap_or_default(), rest)
            }
        };
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let value = match *tag & INT {
            TEXT => Value::Text(value),
            _ => Value::Int(i64::from_le_bytes(value.try_into().ok()?)),
        };
        Some(((name, value), rest))
    }
}

/// The name under which [`Text`] holds the method or command.
pub const OPERATION: &str = "operation";
/// The name under which [`Text`] holds what it is applied to.
pub const RESOURCE: &str = "resource";
/// The name under which [`Text`] holds the protocol's status text.
pub const STATUS_TEXT: &str = "status";

/// Places of secrets in one message that are told apart.
const PLACES: usize = 1024;
/// Bytes between two of them that are taken for secret, too, once there are too many.
const CLOSE: u32 = 8;
/// Bytes after which an exchange takes no more entries.
pub const LONGEST: usize = 16 << 10;
/// Bytes of one text that are kept.
pub const LONGEST_VALUE: usize = 4 << 10;
const TEXT: u8 = 0;
const INT: u8 = 0x80;

/// Names that are kept as one byte, since nearly every exchange has some of them. Any other name
/// serves as well.
const KNOWN: &[&str] = &[
    OPERATION,
    RESOURCE,
    STATUS_TEXT,
    "x-request-id",
    "url.query",
    "server.address",
    "user_agent.original",
    "http.request.header.content-type",
    "http.request.body.size",
    "http.response.header.content-type",
    "http.response.body.size",
    "network.protocol.version",
    "db.query.text",
    "dns.question.name",
    "dns.answers",
    "db.system.name",
    "db.namespace",
    "db.query.summary",
    "db.response.returned_rows",
    "wirespan.db.affected_rows",
    "wirespan.rpc.request.messages",
    "wirespan.rpc.response.messages",
    TUNNEL,
];

#[cfg(test)]
mod tests {
    use super::*;

    impl Exchange {
        /// A call of 10.0.0.1 to 10.0.0.2:80 that begins at 0, without any text.
        pub(crate) fn lasting(nanoseconds: i64) -> Self {
            let half = |at| {
                let mark = Mark { at: Timestamp(at), frame: Frame::default() };
                Half {
                    first: mark,
                    last: mark,
                    seq: None,
                    len: 0,
                    ack: 0,
                    tsval: 0,
                    ip_id: 0,
                    ttl: 0,
                    cut: false,
                    lost: 0,
                    own: None,
                    resent: Resent::default(),
                }
            };
            Self {
                id: ExchangeId::default(),
                network: NetworkId(0),
                point: PointId::at(TapId(0)),
                first_point: PointId::at(TapId(0)),
                tap: TapId(0),
                transport: Transport::Tcp,
                client: ([10, 0, 0, 1], 40_000).into(),
                server: ([10, 0, 0, 2], 80).into(),
                protocol: ProtocolIndex(0),
                sort: Sort::Call,
                state: State::Complete,
                ordinal: 0,
                in_packet: 0,
                to_client: false,
                pipeline: None,
                inside: 0,
                lane: 0,
                request: half(0),
                response: Some(half(nanoseconds)),
                outcome: Outcome::Ok,
                code: 0,
                text: Text::default(),
                contexts: SmallVec::new(),
                values: Values::default(),
                records: None,
                secrets: None,
                processes: Processes::default(),
                names: GivenNames::default(),
                round_trip: RoundTrip::default(),
                turns: Default::default(),
                touched: Touched::NONE,
                clock: None,
                remembers: false,
                seemed: None,
            }
        }
    }

    #[test]
    fn texts_and_numbers_come_back_in_order() {
        let mut text = Text::default();
        text.add(Attribute { name: "a", value: Value::Text(b"x\xff") });
        text.add(Attribute { name: "b", value: Value::Int(-7) });
        let all: Vec<_> = text.iter().collect();
        assert_eq!(all, [("a", Value::Text(b"x\xff")), ("b", Value::Int(-7))]);
        assert_eq!(text.text("a"), Some(&b"x\xff"[..]));
    }

    #[test]
    fn names_that_come_again_are_found() {
        let check = |names: &[&str], expected: bool| {
            let mut text = Text::default();
            for name in names {
                text.add(Attribute { name, value: Value::Int(1) });
            }
            assert_eq!(text.may_repeat(), expected, "{names:?}");
        };
        check(&[], false);
        check(&["url.query", "unknown", "server.address"], false);
        check(&["url.query", "server.address", "url.query"], true);
        check(&["unknown", "unknown"], true);
    }

    #[test]
    fn places_of_secrets_have_a_limit() {
        let mut places = StreamPlaces::default();
        places.add(10, 5);
        places.add(15, 5);
        assert_eq!(places.iter().collect::<Vec<_>>(), [StreamBytes { seq: 10, len: 10 }]);
        // Values of a list lie close together.
        for value in 0..5000 {
            places.add(100 + value * 4, 2);
        }
        assert!(places.iter().count() <= PLACES && places.all_from.is_none());
        for value in 0..5000 {
            places.add(100_000 + value * 40, 2);
        }
        assert!(places.iter().count() <= PLACES && places.all_from.is_some());
    }

    #[test]
    fn an_exchange_cannot_grow_without_limit() {
        let mut text = Text::default();
        for _ in 0..1000 {
            text.add(Attribute { name: "a", value: Value::Text(&[b'x'; 9000]) });
        }
        assert!(text.iter().count() <= 5);
    }
}
