//! A line of spans to the exchange that it was written from; see `tracer/docs/formats.md`.
//!
//! Trace, span and links are left aside: joining makes them anew.

use crate::exchange::{
    Asked, Carrier, Context, EventNumber, Exchange, ExchangeId, Half, Mark, OPERATION, Opening,
    Processes, ProtocolIndex, RESOURCE, Resent, STATUS_TEXT, SetRight, Sort, State, Text,
    TraceNumber, Turn, Turns,
};
use crate::export::ndjson::{SCHEMA, known_at_first, outcome_name};
use crate::given::{self, Given, GivenBy, GivenNames};
use crate::import::value::{Bytes, Named, Word};
use crate::losses::Touched;
use crate::pairing::CONTEXTS;
use crate::records::{RECORDS, Records};
use serde::Deserialize;
use serde::de::Error as _;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use wirespan_capture::owner::{self, Process};
use wirespan_capture::packet::{FileId, Frame, NetworkId, TapId, Timestamp};
use wirespan_capture::stream::{PointId, RoundTrip, Transport};
use wirespan_parsers::message::{Attribute, Outcome, Record, Role, Value};
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::trace_context::format::Label;
use wirespan_parsers::values::Values;

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It is cut off, or something else.
    #[error("it is no span ({})", without_line(.0))]
    Json(serde_json::Error),
    /// It is of another version of the schema.
    #[error("it is of version {0}, and only {SCHEMA} can be joined")]
    Version(u64),
    /// A field is not there.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field has a value that nobody writes there.
    #[error("its `{field}` cannot be {value:?}")]
    Unknown {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A number is too large, or too many different things were named.
    #[error("it has too many of `{0}`")]
    TooMany(&'static str),
}

/// What a line is.
pub(super) enum Read<'a> {
    /// A span.
    Span(Box<Line<'a>>),
    /// Something of another type.
    Other,
}

/// A span as it was written.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a JSON object")]
pub(super) struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Word<'a>>,
    v: Option<u64>,
    #[serde(borrow)]
    protocol: Option<Word<'a>>,
    #[serde(borrow)]
    sort: Option<Word<'a>>,
    #[serde(borrow)]
    operation: Option<Bytes<'a>>,
    #[serde(borrow)]
    resource: Option<Bytes<'a>>,
    #[serde(borrow)]
    state: Option<Word<'a>>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
    #[serde(borrow)]
    tap: Option<Word<'a>>,
    point: Option<u32>,
    first_point: Option<u32>,
    #[serde(borrow)]
    network: Option<Word<'a>>,
    #[serde(borrow)]
    transport: Option<Word<'a>>,
    #[serde(borrow)]
    client: Option<Word<'a>>,
    #[serde(borrow)]
    server: Option<Word<'a>>,
    ordinal: Option<u32>,
    #[serde(default)]
    in_packet: u32,
    #[serde(default)]
    to_client: bool,
    stream: Option<u64>,
    #[serde(default)]
    inside: u64,
    request: Option<Message>,
    response: Option<Message>,
    round_trip: Option<Handshake>,
    #[serde(borrow, default)]
    ids: Vec<Id<'a>>,
    #[serde(borrow, default)]
    records: Vec<RecordOf<'a>>,
    #[serde(default)]
    asks_for_records: bool,
    #[serde(default)]
    records_left_out: u64,
    #[serde(borrow)]
    values: Option<Word<'a>>,
    #[serde(borrow)]
    client_process: Option<ProcessAt<'a>>,
    #[serde(borrow)]
    server_process: Option<ProcessAt<'a>>,
    #[serde(borrow)]
    client_name: Option<NameOf<'a>>,
    #[serde(borrow)]
    server_name: Option<NameOf<'a>>,
    #[serde(borrow, default)]
    attributes: Named<'a>,
    #[serde(borrow, default)]
    touched: Vec<Word<'a>>,
    clock: Option<Clock>,
    #[serde(borrow)]
    seemed: Option<AskedOf<'a>>,
    opened: Option<Event>,
    closed: Option<Event>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct AskedOf<'a> {
    #[serde(borrow)]
    operation: Option<Bytes<'a>>,
    #[serde(borrow)]
    resource: Option<Bytes<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Status<'a> {
    #[serde(borrow)]
    outcome: Option<Word<'a>>,
    #[serde(default)]
    code: u32,
    #[serde(borrow)]
    text: Option<Bytes<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Clock {
    ahead: i64,
    #[serde(default)]
    error: u64,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Message {
    at: i64,
    end: i64,
    #[serde(default)]
    len: u64,
    seq: Option<u32>,
    #[serde(default)]
    ack: u32,
    #[serde(default)]
    tsval: u32,
    #[serde(default)]
    ttl: u8,
    #[serde(default)]
    ip_id: u16,
    #[serde(default)]
    file: u16,
    last_file: Option<u16>,
    #[serde(default)]
    frames: [u64; 2],
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    lost: u64,
    resent: Option<Again>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Again {
    segments: u32,
    #[serde(default)]
    stalled: i64,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Handshake {
    server: Option<NonZeroU32>,
    client: Option<NonZeroU32>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Id<'a> {
    #[serde(borrow)]
    format: Option<Word<'a>>,
    /// Whether the format is a label of a user.
    #[serde(default)]
    named: bool,
    /// Whether it is secret.
    #[serde(default)]
    hidden: bool,
    #[serde(borrow)]
    trace: Option<Word<'a>>,
    #[serde(borrow)]
    text: Option<Bytes<'a>>,
    #[serde(borrow)]
    span: Option<Word<'a>>,
    #[serde(borrow)]
    parent: Option<Word<'a>>,
    #[serde(borrow)]
    on: Option<Word<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct RecordOf<'a> {
    #[serde(borrow)]
    role: Option<Word<'a>>,
    #[serde(borrow)]
    queue: Option<Bytes<'a>>,
    #[serde(borrow)]
    digest: Option<Word<'a>>,
    #[serde(borrow)]
    id: Option<Bytes<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct ProcessAt<'a> {
    pid: Option<u32>,
    #[serde(borrow)]
    name: Option<Word<'a>>,
    #[serde(borrow)]
    executable: Option<Word<'a>>,
    user: Option<u32>,
    namespace: Option<u64>,
    #[serde(borrow)]
    group: Option<Word<'a>>,
    #[serde(borrow)]
    host: Option<Word<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct NameOf<'a> {
    #[serde(borrow)]
    name: Option<Word<'a>>,
    #[serde(borrow)]
    by: Option<Word<'a>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Event {
    n: u64,
    at: i64,
    ids: Option<usize>,
    processes: Option<u8>,
}

/// What stands for what a line names, within all that is joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) id: ExchangeId,
    pub(super) protocol: ProtocolIndex,
    pub(super) tap: TapId,
    pub(super) network: NetworkId,
    /// What is added to points and files.
    pub(super) points: u32,
    pub(super) files: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            id: ExchangeId::default(),
            protocol: ProtocolIndex::CONNECT,
            tap: TapId::default(),
            network: NetworkId::default(),
            points: 0,
            files: 0,
        }
    }
}

/// Reads a line; only a span's is looked at further.
pub(super) fn read(line: &[u8]) -> Result<Read<'_>, Flaw> {
    // A list of the right values would pass for an object.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(Flaw::Json(serde_json::Error::custom("expected a JSON object")));
    }
    let span = match serde_json::from_slice::<Box<Line<'_>>>(line) {
        Ok(span) => span,
        // Whatever another type or version holds, it is not broken.
        Err(error) => {
            return match (serde_json::from_slice(line), serde_json::from_slice(line)) {
                (Ok(Kind { kind: Some(kind) }), _) if &*kind != SPAN => Ok(Read::Other),
                (_, Ok(Version { v })) if v != u64::from(SCHEMA) => Err(Flaw::Version(v)),
                _ => Err(Flaw::Json(error)),
            };
        }
    };
    match (&span.kind, span.v) {
        (None, _) => Err(Flaw::Missing("type")),
        (Some(kind), _) if &**kind != SPAN => Ok(Read::Other),
        (_, None) => Err(Flaw::Missing("v")),
        (_, Some(v)) if v != u64::from(SCHEMA) => Err(Flaw::Version(v)),
        _ => Ok(Read::Span(span)),
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl Line<'_> {
    /// The name of its protocol; none for a connection that failed before any spoke.
    pub(super) fn protocol(&self) -> Result<Option<&str>, Flaw> {
        let protocol = need(&self.protocol, "protocol")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/+".contains(&byte);
        if protocol.is_empty() || !protocol.bytes().all(plain) {
            return Err(unknown("protocol", protocol));
        }
        Ok((self.sort()? != Sort::Connect).then_some(protocol))
    }

    /// The name of its tap.
    pub(super) fn tap(&self) -> &str {
        self.tap.as_deref().unwrap_or_default()
    }

    /// The name of its network.
    pub(super) fn network(&self) -> &str {
        self.network.as_deref().unwrap_or_default()
    }

    /// When joining learnt of it, and what of the identifiers and the point.
    fn turns(&self, contexts: &[Context], point: PointId) -> Result<Turns, Flaw> {
        let turn = |event: &Event| Turn {
            number: EventNumber(event.n),
            at: Timestamp(event.at).min(Timestamp::LATEST),
        };
        let closed = turn(need(&self.closed, "closed")?);
        let opened = self.opened.as_ref().map(|event| {
            let contexts = event.ids.unwrap_or_else(|| known_at_first(contexts));
            let present = [self.client_process.is_some(), self.server_process.is_some()];
            let processes =
                event.processes.map_or(present, |bits| [1, 2].map(|bit| bits & bit != 0));
            Opening { turn: turn(event), contexts, point, processes }
        });
        if let Some(opened) = &opened
            && (opened.turn.at, opened.turn.number) >= (closed.at, closed.number)
        {
            return Err(unknown("closed", &closed.number.0.to_string()));
        }
        Ok(Turns { opened, closed })
    }

    /// The exchange.
    pub(super) fn exchange(&self, numbers: &Numbers) -> Result<Box<Exchange>, Flaw> {
        let sort = self.sort()?;
        let mut text = Text::with_capacity(TEXT);
        let mut add = |name, value| text.restore(Attribute { name, value });
        for (name, value) in [(OPERATION, &self.operation), (RESOURCE, &self.resource)] {
            if let Some(value) = value {
                add(name, Value::Text(value));
            }
        }
        let (mut outcome, mut code) = (Outcome::Unknown, 0);
        if let Some(status) = &self.status {
            let name = need(&status.outcome, "outcome")?;
            outcome = named(OUTCOMES, |outcome| outcome_name(*outcome), "outcome", name)?;
            code = status.code;
            if let Some(value) = &status.text {
                add(STATUS_TEXT, Value::Text(value));
            }
        }
        let mut contexts = SmallVec::new();
        for id in &self.ids {
            if contexts.len() >= CONTEXTS {
                return Err(Flaw::TooMany("ids"));
            }
            let context = id.context()?;
            if context.format.is_text() {
                let value = id.text.as_deref().unwrap_or_default();
                add(context.format.text_name(), Value::Text(value));
            }
            contexts.push(context);
        }
        for (name, value) in self.attributes.iter() {
            add(name, value);
        }
        let own = *need(&self.point, "point")?;
        let first_point = point(self.first_point.unwrap_or(own), numbers.points)?;
        let turns = self.turns(&contexts, first_point)?;
        let transport = need(&self.transport, "transport")?;
        Ok(Box::new(Exchange {
            id: numbers.id,
            network: numbers.network,
            point: point(own, numbers.points)?,
            first_point,
            tap: numbers.tap,
            transport: match &**transport {
                "tcp" => Transport::Tcp,
                "udp" => Transport::Udp,
                other => return Err(unknown("transport", other)),
            },
            client: address(&self.client, "client")?,
            server: address(&self.server, "server")?,
            protocol: numbers.protocol,
            sort,
            state: named(State::ALL, |state| state.name(), "state", need(&self.state, "state")?)?,
            ordinal: *need(&self.ordinal, "ordinal")?,
            in_packet: self.in_packet,
            to_client: self.to_client,
            // Which packets come together is not asked of spans.
            pipeline: None,
            inside: self.inside,
            lane: *need(&self.stream, "stream")?,
            request: need(&self.request, "request")?.half(numbers)?,
            response: self.response.as_ref().map(|message| message.half(numbers)).transpose()?,
            outcome,
            code,
            text,
            contexts,
            values: self.values()?,
            records: self.records()?,
            // Packets are not there to be overwritten.
            secrets: None,
            processes: Processes {
                client: self.client_process.as_ref().map(ProcessAt::process).transpose()?,
                server: self.server_process.as_ref().map(ProcessAt::process).transpose()?,
            },
            names: GivenNames {
                client: self.client_name.as_ref().map(NameOf::given).transpose()?,
                server: self.server_name.as_ref().map(NameOf::given).transpose()?,
            },
            round_trip: self.round_trip.as_ref().map_or_else(RoundTrip::default, |times| {
                RoundTrip { server: times.server, client: times.client }
            }),
            turns,
            touched: self.touched()?,
            clock: self
                .clock
                .as_ref()
                .map(|Clock { ahead, error }| SetRight { ahead: *ahead, error: *error }),
            remembers: false,
            seemed: self.seemed.as_ref().map(|AskedOf { operation, resource }| {
                let [operation, resource] =
                    [operation, resource].map(|text| text.as_deref().unwrap_or_default().into());
                Box::new(Asked { operation, resource })
            }),
        }))
    }

    fn values(&self) -> Result<Values, Flaw> {
        let mut values = Values::default();
        let digits = self.values.as_deref().unwrap_or_default();
        let (groups, rest) = digits.as_bytes().as_chunks::<4>();
        let bad = || unknown("values", digits);
        for group in groups {
            let group = std::str::from_utf8(group).map_err(|_| bad())?;
            values.add(u16::from_str_radix(group, 16).map_err(|_| bad())?);
        }
        if rest.is_empty() { Ok(values) } else { Err(bad()) }
    }

    fn records(&self) -> Result<Option<Box<Records>>, Flaw> {
        let asks = self.asks_for_records;
        if self.records.is_empty() && self.records_left_out == 0 && !asks {
            return Ok(None);
        }
        if self.records.len() > RECORDS {
            return Err(Flaw::TooMany("records"));
        }
        let mut records = Records::default();
        records.asks = asks;
        records.left_out = self.records_left_out;
        for record in &self.records {
            records.restore(Record {
                role: named(Role::ALL, |role| role.name(), "role", need(&record.role, "role")?)?,
                queue: need(&record.queue, "queue")?,
                digest: hex(need(&record.digest, "digest")?, 16, "digest")? as u64,
                id: record.id.as_deref().unwrap_or_default(),
            });
        }
        Ok(Some(Box::new(records)))
    }

    fn touched(&self) -> Result<Touched, Flaw> {
        self.touched.iter().try_fold(Touched::NONE, |touched, name| {
            Ok(touched.and(Touched::named(name).ok_or_else(|| unknown("touched", name))?))
        })
    }

    /// The number of its point.
    pub(super) fn point(&self) -> u32 {
        self.point.unwrap_or_default()
    }

    /// The highest number of a point in it.
    pub(super) fn last_point(&self) -> u32 {
        self.point().max(self.first_point.unwrap_or_default())
    }

    /// The highest number of a file in it.
    pub(super) fn last_file(&self) -> u16 {
        let messages = self.request.iter().chain(&self.response);
        messages.map(Message::last_file).max().unwrap_or_default()
    }

    fn sort(&self) -> Result<Sort, Flaw> {
        named(Sort::ALL, |sort| sort.name(), "sort", need(&self.sort, "sort")?)
    }
}

impl Message {
    fn half(&self, numbers: &Numbers) -> Result<Half, Flaw> {
        let [first, last] = self.frames;
        let mark = |at, file, number| {
            let file = u16::try_from(u32::from(file).saturating_add(numbers.files));
            let file = FileId(file.map_err(|_| Flaw::TooMany("file"))?);
            Ok(Mark { at: Timestamp(at), frame: Frame { file, number } })
        };
        Ok(Half {
            first: mark(self.at, self.file, first)?,
            last: mark(self.end, self.last_file.unwrap_or(self.file), last)?,
            seq: self.seq,
            len: self.len,
            ack: self.ack,
            tsval: self.tsval,
            ip_id: self.ip_id,
            ttl: self.ttl,
            cut: self.cut,
            lost: self.lost,
            own: None,
            resent: self.resent.as_ref().map_or_else(Resent::default, |again| Resent {
                segments: again.segments,
                stalled: again.stalled,
            }),
        })
    }

    /// The last file that it names.
    fn last_file(&self) -> u16 {
        self.file.max(self.last_file.unwrap_or_default())
    }
}

impl ProcessAt<'_> {
    fn process(&self) -> Result<Arc<Process>, Flaw> {
        let own = |text: &Option<Word<'_>>, field| {
            let plain = |text: &Word<'_>| {
                let word = owner::word(text.as_bytes()).filter(|word| **word == **text);
                word.ok_or_else(|| unknown(field, text))
            };
            text.as_ref().map(plain).transpose()
        };
        Ok(Arc::new(Process {
            pid: *need(&self.pid, "pid")?,
            name: own(&self.name, "name")?.ok_or(Flaw::Missing("name"))?,
            executable: own(&self.executable, "executable")?,
            user: self.user,
            namespace: self.namespace,
            group: own(&self.group, "group")?,
            host: own(&self.host, "host")?,
        }))
    }
}

impl NameOf<'_> {
    fn given(&self) -> Result<Arc<Given>, Flaw> {
        let name = need(&self.name, "name")?;
        let by = named(GivenBy::ALL, |by| by.name(), "by", need(&self.by, "by")?)?;
        let name = given::word(name).ok_or_else(|| unknown("name", name))?;
        Ok(Arc::new(Given { name: name.into(), by }))
    }
}

impl Id<'_> {
    fn context(&self) -> Result<Context, Flaw> {
        let name = need(&self.format, "format")?;
        let format = match self.named {
            true => Label::new(name).map(Format::Named),
            false => Format::known(name),
        };
        let format = format.ok_or_else(|| unknown("format", name))?;
        let trace = match (&self.trace, &self.text) {
            _ if self.hidden => 0,
            (Some(trace), _) => hex(trace, 32, "trace")?,
            (None, Some(text)) if format.is_text() => {
                format.id_of(text).ok_or(Flaw::Missing("trace"))?
            }
            (None, _) => return Err(Flaw::Missing("trace")),
        };
        let span = |id: &Option<Word<'_>>, field| -> Result<Option<NonZeroU64>, Flaw> {
            let id = id.as_ref().map(|id| hex(id, 16, field)).transpose()?;
            Ok(id.and_then(|id| NonZeroU64::new(id as u64)))
        };
        Ok(Context {
            format,
            carried_by: match self.on.as_deref() {
                None => Carrier::Request,
                Some("response") => Carrier::Response,
                Some("both") => Carrier::Both,
                Some(other) => return Err(unknown("on", other)),
            },
            trace: TraceNumber::of(trace),
            span: span(&self.span, "span")?,
            parent: span(&self.parent, "parent")?,
            joins: !self.hidden,
            hidden: self.hidden,
        })
    }
}

/// What is wrong with JSON, and where; a line is a text of one line.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (what, _) = text.split_once(" at line ").unwrap_or((&text, ""));
    match error.column() {
        0 => what.to_owned(),
        column => format!("{what} at byte {column}"),
    }
}

fn need<'a, T>(field: &'a Option<T>, name: &'static str) -> Result<&'a T, Flaw> {
    field.as_ref().ok_or(Flaw::Missing(name))
}

pub(super) fn unknown(field: &'static str, value: &str) -> Flaw {
    let value = value.chars().take(SHOWN).collect();
    Flaw::Unknown { field, value }
}

/// The one of all values that has this name.
fn named<T: Copy>(
    all: &[T],
    name_of: impl Fn(&T) -> &'static str,
    field: &'static str,
    name: &str,
) -> Result<T, Flaw> {
    let found = all.iter().find(|value| name_of(value) == name);
    found.copied().ok_or_else(|| unknown(field, name))
}

fn address(text: &Option<Word<'_>>, field: &'static str) -> Result<SocketAddr, Flaw> {
    let text = need(text, field)?;
    text.parse().map_err(|_| unknown(field, text))
}

fn hex(text: &str, digits: usize, field: &'static str) -> Result<u128, Flaw> {
    let all = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| all && text.len() <= digits);
    number.ok_or_else(|| unknown(field, text))
}

/// A point that is equal to others of this number only; what it is made of is not known.
fn point(number: u32, more: u32) -> Result<PointId, Flaw> {
    let number = number.checked_add(more).ok_or(Flaw::TooMany("point"))?;
    let taps = [TapId((number >> 16) as u16), TapId(number as u16)];
    Ok(PointId { taps, hop: 0 })
}

const SPAN: &str = "span";
const OUTCOMES: &[Outcome] =
    &[Outcome::Unknown, Outcome::Ok, Outcome::ClientError, Outcome::ServerError];
/// Bytes that most exchanges need for their texts.
const TEXT: usize = 256;
/// Characters of an unknown value that are shown.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Render;
    use crate::export::ndjson::{Ndjson, SourceNames};
    use crate::span::{Span, Trace};
    use wirespan_capture::owner::Owner;

    /// Writes an exchange and reads it back.
    fn check(exchange: &Exchange) {
        let names = SourceNames::default();
        names.set_taps(vec!["a \"tap\"\n".to_owned()]);
        names.set_networks(vec!["7.lo3".to_owned()]);
        let span = Span {
            id: 1,
            exchange: Box::new(exchange.clone()),
            point: 0,
            first_point: 1,
            service: "x".into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        };
        let trace = Trace { id: 1, wire: None, late: false, spans: vec![span] };
        let mut line = Vec::new();
        Ndjson { protocols: vec!["p".to_owned()], names }.trace(&trace, &mut line);
        let Ok(Read::Span(span)) = read(&line) else {
            panic!("{}", String::from_utf8_lossy(&line))
        };
        assert_eq!((span.tap(), span.network()), ("a \"tap\"\n", "7.lo3"));
        let protocol = ProtocolIndex(0);
        let back = span.exchange(&Numbers { protocol, ..Numbers::default() }).unwrap();
        assert_eq!(format!("{back:?}"), format!("{exchange:?}"));
    }

    fn example() -> Exchange {
        let mut exchange = Exchange::lasting(5);
        exchange.text.add(Attribute { name: OPERATION, value: Value::Text(b"GET") });
        exchange.turns.closed.number = EventNumber(1);
        exchange.first_point = point(1, 0).unwrap();
        exchange
    }

    #[test]
    fn a_list_is_no_span() {
        for line in ["[\"span\",1]", "[1]", " []", "7", "hello"] {
            let Err(flaw) = read(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(flaw.to_string(), "it is no span (expected a JSON object)", "{line}");
        }
    }

    #[test]
    fn every_sort_state_and_outcome_comes_back() {
        for sort in [Sort::Call, Sort::Handshake, Sort::OneWay, Sort::End] {
            check(&Exchange { sort, ..example() });
        }
        for state in State::ALL {
            check(&Exchange { state: *state, ..example() });
        }
        for outcome in OUTCOMES {
            check(&Exchange { outcome: *outcome, code: u32::MAX, ..example() });
        }
    }

    #[test]
    fn places_in_the_packets_come_back() {
        let mut exchange = example();
        exchange.server = "[2001:db8::1]:443".parse().unwrap();
        (exchange.ordinal, exchange.inside, exchange.lane) = (u32::MAX, u64::MAX, u64::MAX);
        exchange.transport = Transport::Udp;
        exchange.request = Half {
            first: Mark {
                at: Timestamp(i64::MAX),
                frame: Frame { file: FileId(3), number: u64::MAX },
            },
            last: Mark { at: Timestamp(-1), frame: Frame { file: FileId(u16::MAX), number: 0 } },
            seq: Some(u32::MAX),
            len: u64::MAX,
            ack: u32::MAX,
            tsval: u32::MAX,
            ip_id: u16::MAX,
            ttl: u8::MAX,
            cut: true,
            lost: u64::MAX,
            own: None,
            resent: Resent { segments: u32::MAX, stalled: i64::MAX },
        };
        exchange.round_trip =
            RoundTrip { server: NonZeroU32::new(u32::MAX), client: NonZeroU32::new(1) };
        check(&exchange);
        exchange.round_trip.server = None;
        check(&exchange);
        (exchange.request.seq, exchange.in_packet) = (None, u32::MAX);
        exchange.response = None;
        (exchange.outcome, exchange.state) = (Outcome::Unknown, State::Open);
        check(&exchange);
    }

    #[test]
    fn texts_come_back_whatever_their_bytes() {
        let mut exchange = example();
        for (name, value) in [
            (RESOURCE, Value::Text(b"/\"\\\0\x7f\xc3\xa9")),
            (STATUS_TEXT, Value::Text(b"\xff\0")),
            ("n", Value::Int(i64::MIN)),
            ("t", Value::Text(b"\xf0\x9f\x98")),
            ("e", Value::Text(b"")),
        ] {
            exchange.text.add(Attribute { name, value });
        }
        check(&exchange);
    }

    #[test]
    fn repeated_attributes_come_back_in_order() {
        let mut exchange = example();
        for value in [Value::Int(103), Value::Text(b"\xff"), Value::Text(b"x")] {
            exchange.text.add(Attribute { name: "a", value });
        }
        check(&exchange);
    }

    #[test]
    fn texts_of_an_exchange_are_as_many_as_before() {
        let mut exchange = example();
        for at in 0..100 {
            let name = ["a", "b", "c"][at % 3];
            exchange.text.add(Attribute { name, value: Value::Text(&[b'x'; 4000]) });
        }
        let count = exchange.text.iter().count();
        let mut line = Exchange { text: Text::default(), ..exchange.clone() };
        for (name, value) in exchange.text.iter() {
            line.text.restore(Attribute { name, value });
        }
        assert_eq!(line.text.iter().count(), count);
    }

    #[test]
    fn identifiers_come_back() {
        let mut exchange = example();
        let mut carry = |context: Context| exchange.contexts.push(context);
        let one = Context {
            format: Format::Traceparent,
            carried_by: Carrier::Both,
            trace: TraceNumber::of(u128::MAX),
            span: NonZeroU64::new(u64::MAX),
            parent: NonZeroU64::new(1),
            joins: true,
            hidden: false,
        };
        let request_id = Format::RequestId.id_of(b"\xff").unwrap();
        carry(one);
        carry(Context { format: Format::B3, carried_by: Carrier::Request, span: None, ..one });
        let id = Context { format: Format::RequestId, span: None, parent: None, ..one };
        carry(Context { trace: TraceNumber::of(request_id), carried_by: Carrier::Response, ..id });
        // Of an exchange that held too much already, the text was left out.
        carry(id);
        for value in [&b"\xff"[..], b""] {
            let value = Value::Text(value);
            exchange.text.add(Attribute { name: Format::RequestId.name(), value });
        }
        let turn = Turn { number: EventNumber(0), at: Timestamp(0) };
        for contexts in 0..4 {
            let point = exchange.first_point;
            exchange.turns.opened = Some(Opening { turn, contexts, point, processes: [false; 2] });
            check(&exchange);
        }
    }

    #[test]
    fn records_come_back() {
        let mut exchange = example();
        exchange.records = Some(Box::default());
        exchange.records.as_mut().unwrap().asks = true;
        check(&exchange);
        let records = exchange.records.as_mut().unwrap();
        records.asks = false;
        for (role, queue, digest, id) in [
            (Role::Produced, &b"q"[..], 1, &b""[..]),
            (Role::Produced, b"q", 1, b""),
            (Role::Produced, b"q", 1, b"1-0"),
            (Role::Taken, b"\xff", u64::MAX, b""),
            (Role::Received, b"", 0, b"\xff"),
        ] {
            records.restore(Record { role, queue, digest, id });
        }
        check(&exchange);
        exchange.records.as_mut().unwrap().left_out = u64::MAX;
        check(&exchange);
    }

    #[test]
    fn processes_come_back() {
        let process = |comment| Owner::parse(comment).map(|owner| owner.process);
        let mut exchange = example();
        exchange.processes.server = process("wirespan: tcp 10.0.0.2:80 is a (pid 1)");
        check(&exchange);
        exchange.processes.client = process(
            "wirespan: tcp 10.0.0.1:80 is a (pid 4294967295, exe b, uid 0, netns \
             18446744073709551615, in c.service, on d)",
        );
        check(&exchange);
        exchange.processes.server = None;
        check(&exchange);
    }

    #[test]
    fn names_that_were_given_come_back() {
        let mut exchange = example();
        for by in GivenBy::ALL {
            let given = Some(Arc::new(Given { name: "läden\"/a".into(), by: *by }));
            exchange.names = GivenNames { client: None, server: given.clone() };
            check(&exchange);
            exchange.names = GivenNames { client: given.clone(), server: given };
            check(&exchange);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let flaw = |line: &str| match read(line.as_bytes()) {
            Ok(Read::Span(span)) => span.exchange(&Numbers::default()).unwrap_err().to_string(),
            Ok(Read::Other) => "another type".to_owned(),
            Err(flaw) => flaw.to_string(),
        };
        assert_eq!(flaw("{}"), "it has no `type`");
        assert_eq!(flaw(r#"{"type":"other","v":"1"}"#), "another type");
        assert_eq!(flaw(r#"{"type":"span"}"#), "it has no `v`");
        assert_eq!(
            flaw(r#"{"type":"span","v":9,"sort":7}"#),
            "it is of version 9, and only 2 can be joined"
        );
        assert_eq!(flaw(r#"{"type":"span","v":2}"#), "it has no `sort`");
        assert_eq!(flaw(r#"{"type":"span","v":2,"sort":"x"}"#), "its `sort` cannot be \"x\"");
        assert_eq!(
            flaw(r#"{"type":"span","v":2,"attributes":{"a":1.5}}"#),
            "it is no span (invalid type: floating point `1.5`, expected a text, a whole number, or a list of these at byte 42)"
        );
    }
}
