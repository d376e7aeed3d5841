//! Spans in, with the links between them: of traces as they are made, or of lines that
//! `--format ndjson` wrote. Of each only what is compared is kept, some 150 bytes and its name.

use super::labels::{Ends, Label, Labels, Numbered, small};
use super::lines::{Lines, MARK};
use super::{EvaluateError, Flaw, MOST};
use crate::exchange::{OPERATION, RESOURCE, STATUS_TEXT, State};
use crate::export::ndjson::{SCHEMA, SourceNames, outcome_name};
use crate::import::value::{Bytes, Word};
use crate::span::{LinkKind, Span, SpanSink, Trace};
use hashbrown::HashMap;
use serde::Deserialize;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use wirespan_capture::source::open::Opened;

/// Spans that were found, with their links.
#[derive(Debug, Default)]
pub struct Spans {
    pub(super) all: Vec<Seen>,
    pub(super) labels: Labels,
    pub(super) connections: Numbered<Ends>,
    pub(super) places: Numbered<Tap>,
    /// The names of the files by their numbers, where they are known.
    pub(super) files: Vec<String>,
    /// How many traces there are.
    pub(super) traces: usize,
    numbers: HashMap<u128, u32>,
    skipped: u64,
    /// That the last line is cut off, in words.
    cut: Option<String>,
}

/// A span.
#[derive(Debug)]
pub(super) struct Seen {
    /// The number of its trace.
    pub(super) trace: u32,
    pub(super) id: u64,
    pub(super) link: Option<Above>,
    pub(super) connection: u32,
    /// The tap and the file that saw it.
    pub(super) place: u32,
    pub(super) start: i64,
    /// Its number on the connection, from 0, and among those that begin in the same packet.
    pub(super) ordinal: u32,
    pub(super) in_packet: u32,
    /// The first packet of the request, the last one of the answer or, without one, of the request.
    pub(super) frames: [u64; 2],
    /// What sort of exchange it is.
    pub(super) sort: Label,
    /// What was asked.
    pub(super) what: Box<str>,
    /// What came of it, by the truth's words.
    pub(super) status: Status,
}

/// The link to the span above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Above {
    /// The id of the span above, and its place once that is known.
    pub(super) id: u64,
    pub(super) span: Option<u32>,
    pub(super) is_same_exchange: bool,
    pub(super) reason: Label,
    /// How sure it is, in millionths.
    pub(super) confidence: u32,
    /// Whether another span is said to be as good a parent.
    pub(super) ambiguous: bool,
}

/// What came of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// Whether there was an answer.
    pub(super) complete: bool,
    pub(super) outcome: Outcome,
    pub(super) code: u32,
    /// The protocol's own word.
    pub(super) text: Option<Label>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Unknown,
    Ok,
    Error,
}

/// A tap of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tap {
    pub(super) name: Label,
    pub(super) file: u16,
}

impl Spans {
    /// Whether a file that begins so may hold spans, and no capture.
    pub fn may_begin(head: &[u8]) -> bool {
        let text = head.strip_prefix(MARK).unwrap_or(head).trim_ascii_start();
        matches!(text.first(), None | Some(b'{'))
    }

    /// Reads what `--format ndjson` wrote from a file that is open, and is called so. `go_on` is
    /// called now and then with the number of spans so far.
    ///
    /// # Errors
    /// Why it cannot be read, or which line is wrong.
    pub fn read(
        path: &Path,
        opened: Opened,
        go_on: &mut dyn FnMut(u64),
    ) -> Result<Self, EvaluateError> {
        Self::of(Lines::of_opened(path, opened), go_on)
    }

    /// What is to be told of how they were read.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let skipped = match self.skipped {
            0 => None,
            1 => Some("1 line is no span and was left out".to_owned()),
            lines => Some(format!("{lines} lines are no spans and were left out")),
        };
        skipped.into_iter().chain(self.cut.clone())
    }

    pub(super) fn of(mut lines: Lines, go_on: &mut dyn FnMut(u64)) -> Result<Self, EvaluateError> {
        let mut spans = Self::default();
        // The line of each span.
        let mut numbers = Vec::new();
        while let Some(line) = lines.next()? {
            let open_end = line.open_end;
            match spans.line(line.text) {
                Ok(()) => {}
                Err(Flaw::Json(error)) if error.is_eof() && open_end => {
                    // What was stopped within a line is not damaged.
                    let (name, number) = (lines.name(), lines.number());
                    spans.cut = Some(format!("{name}: cut off inside line {number}"));
                }
                Err(flaw) => return Err(lines.flawed(flaw)),
            }
            numbers.resize(spans.all.len(), lines.number());
            if spans.all.len().is_multiple_of(OFTEN) {
                go_on(spans.all.len() as u64);
            }
        }
        let Some([first, again]) = spans.complete() else { return Ok(spans) };
        let line = |place: usize| numbers.get(place).copied().unwrap_or_default();
        let id = spans.all.get(again).map_or(0, |seen| seen.id);
        Err(EvaluateError::Line {
            file: lines.name().to_owned(),
            line: line(again),
            flaw: Flaw::SpanTwice { id, line: line(first) },
        })
    }

    fn line(&mut self, text: &[u8]) -> Result<(), Flaw> {
        // A list of the right values would pass for an object.
        if !text.starts_with(b"{") {
            return Err(Flaw::NoObject);
        }
        let line: Line<'_> = match serde_json::from_slice(text) {
            Ok(line) => line,
            // Whatever another type or version holds, it is not broken.
            Err(error) => match serde_json::from_slice(text) {
                Ok(Head { kind: Some(kind), .. }) if &*kind != SPAN => {
                    self.skipped += 1;
                    return Ok(());
                }
                Ok(Head { v: Some(v), .. }) if v != u64::from(SCHEMA) => {
                    return Err(Flaw::Version(v, SCHEMA.into()));
                }
                Ok(Head { kind: None, .. }) => return Err(Flaw::Missing("type")),
                _ => return Err(Flaw::Json(error)),
            },
        };
        match (&line.kind, line.v) {
            (None, _) => return Err(Flaw::Missing("type")),
            (Some(kind), _) if &**kind != SPAN => {
                self.skipped += 1;
                return Ok(());
            }
            (_, None) => return Err(Flaw::Missing("v")),
            (_, Some(v)) if v != u64::from(SCHEMA) => {
                return Err(Flaw::Version(v, SCHEMA.into()));
            }
            _ => {}
        }
        let address = |text: &Option<Word<'_>>, name| -> Result<SocketAddr, Flaw> {
            let text = text.as_ref().ok_or(Flaw::Missing(name))?;
            text.parse().map_err(|_| Flaw::unknown(name, text))
        };
        let request = line.request.ok_or(Flaw::Missing("request"))?;
        let last = line.response.as_ref().unwrap_or(&request);
        let outcome = line.status.as_ref().and_then(|status| status.outcome.as_deref());
        let text = line.status.as_ref().and_then(|status| status.text.as_deref());
        let state = line.state.ok_or(Flaw::Missing("state"))?;
        let link = match (&line.parent, &line.link) {
            (Some(parent), Some(link)) => {
                let ambiguous = link.runner_up.is_some();
                let kind = link.kind.as_deref().ok_or(Flaw::Missing("kind"))?;
                let reason = link.reason.as_deref().ok_or(Flaw::Missing("reason"))?;
                let confidence = link.confidence.ok_or(Flaw::Missing("confidence"))?;
                if !(0.0..=1.0).contains(&confidence) {
                    return Err(Flaw::unknown("confidence", &confidence.to_string()));
                }
                if !KINDS.iter().any(|known| known.name() == kind) {
                    return Err(Flaw::unknown("kind", kind));
                }
                Some(Above {
                    id: hex(parent, 16, "parent")? as u64,
                    span: None,
                    is_same_exchange: kind == LinkKind::SameExchange.name(),
                    reason: self.labels.number(reason),
                    confidence: millionths(confidence),
                    ambiguous,
                })
            }
            (None, None) => None,
            (Some(_), None) => return Err(Flaw::Missing("link")),
            (None, Some(_)) => return Err(Flaw::Missing("parent")),
        };
        let trace = line.trace.ok_or(Flaw::Missing("trace"))?;
        let id = line.span.ok_or(Flaw::Missing("span"))?;
        let protocol = line.protocol.ok_or(Flaw::Missing("protocol"))?;
        let tap = line.tap.as_deref().unwrap_or_default();
        let ends = Ends {
            protocol: self.labels.number(&protocol),
            client: address(&line.client, "client")?,
            server: address(&line.server, "server")?,
            network: network(tap),
        };
        let operation = line.operation.as_deref().unwrap_or_default();
        let resource = line.resource.as_deref().unwrap_or_default();
        let seen = Seen {
            trace: self.trace(hex(&trace, 32, "trace")?),
            id: hex(&id, 16, "span")? as u64,
            link,
            connection: self.connections.number(ends),
            place: self.place(tap, request.file),
            start: request.at,
            ordinal: line.ordinal.unwrap_or_default(),
            in_packet: line.in_packet,
            frames: [request.frames[0], last.frames[1]],
            sort: self.labels.number(line.sort.as_deref().unwrap_or_default()),
            what: what(operation, resource),
            status: Status {
                complete: &*state == State::Complete.name(),
                outcome: Outcome::named(outcome.unwrap_or_default()),
                code: line.status.as_ref().map_or(0, |status| status.code),
                text: text.map(|text| self.labels.number(&String::from_utf8_lossy(text))),
            },
        };
        self.add(seen)
    }

    /// Adds a trace.
    fn trace_of(&mut self, trace: &Trace, names: &Sources) -> Result<(), Flaw> {
        let number = self.trace(trace.id);
        for span in &trace.spans {
            let seen = self.seen(number, trace, span, names);
            self.add(seen)?;
        }
        Ok(())
    }

    fn seen(&mut self, number: u32, trace: &Trace, span: &Span, names: &Sources) -> Seen {
        let e = &*span.exchange;
        let parent = |place: usize| trace.spans.get(place).map_or(0, |parent| parent.id);
        let link = span.link.as_ref().map(|link| Above {
            id: parent(link.parent),
            span: None,
            is_same_exchange: link.kind == LinkKind::SameExchange,
            reason: self.labels.number(link.reason.name()),
            confidence: millionths(link.confidence),
            ambiguous: link.runner_up.is_some(),
        });
        let earlier = span.earlier.as_ref().filter(|earlier| earlier.trace == trace.id);
        let link = link.or_else(|| {
            earlier.map(|earlier| Above {
                id: earlier.span,
                span: None,
                is_same_exchange: false,
                reason: self.labels.number(earlier.reason.name()),
                confidence: millionths(earlier.confidence),
                ambiguous: false,
            })
        });
        let protocol = self.labels.number(e.protocol.name(&names.protocols));
        let text = |name| e.text.text(name).unwrap_or_default();
        let tap = names.taps.get(usize::from(e.tap.0)).map_or("", String::as_str);
        let status_text = e.text.text(STATUS_TEXT).map(String::from_utf8_lossy);
        let last = e.response.as_ref().unwrap_or(&e.request);
        Seen {
            trace: number,
            id: span.id,
            link,
            connection: self.connections.number(Ends {
                protocol,
                client: e.client,
                server: e.server,
                network: network(tap),
            }),
            place: self.place(tap, e.request.first.frame.file.0),
            start: e.start().0,
            ordinal: e.ordinal,
            in_packet: e.in_packet,
            frames: [e.request.first.frame.number, last.last.frame.number],
            sort: self.labels.number(e.sort.name()),
            what: what(text(OPERATION), text(RESOURCE)),
            status: Status {
                complete: e.state == State::Complete,
                outcome: Outcome::named(match e.response {
                    Some(_) => outcome_name(e.outcome),
                    None => "",
                }),
                code: e.code,
                text: status_text.map(|text| self.labels.number(&text)),
            },
        }
    }

    fn add(&mut self, seen: Seen) -> Result<(), Flaw> {
        if self.all.len() >= MOST {
            return Err(Flaw::TooMany("span"));
        }
        self.all.push(seen);
        Ok(())
    }

    fn trace(&mut self, id: u128) -> u32 {
        let next = small(self.numbers.len());
        *self.numbers.entry(id).or_insert(next)
    }

    fn place(&mut self, tap: &str, file: u16) -> u32 {
        let name = self.labels.number(tap);
        self.places.number(Tap { name, file })
    }

    /// Finds the span above each, once all are there. Gives the places of the first two that bear
    /// one id in one trace.
    fn complete(&mut self) -> Option<[usize; 2]> {
        self.traces = self.numbers.len();
        self.numbers = HashMap::new();
        let mut places = HashMap::with_capacity(self.all.len());
        let mut twice = None;
        for (place, seen) in self.all.iter().enumerate() {
            if let Some(first) = places.insert((seen.trace, seen.id), small(place)) {
                twice = twice.or(Some([first as usize, place]));
            }
        }
        for seen in &mut self.all {
            if let Some(link) = &mut seen.link {
                link.span = places.get(&(seen.trace, link.id)).copied();
            }
        }
        twice
    }
}

/// Takes the traces of a run as they are made.
pub struct Collecting {
    spans: Spans,
    names: SourceNames,
    sources: Sources,
    /// Whether more came than can be numbered.
    is_full: bool,
}

/// The names of what numbers stand for in exchanges.
struct Sources {
    protocols: Vec<String>,
    taps: Vec<String>,
}

impl Collecting {
    /// Takes traces of these protocols, whose taps the run learns; `files` are the captures by
    /// their numbers.
    pub fn new(protocols: Vec<String>, names: SourceNames, files: Vec<String>) -> Self {
        let spans = Spans { files, ..Spans::default() };
        Self { spans, names, sources: Sources { protocols, taps: Vec::new() }, is_full: false }
    }

    /// All spans that came.
    ///
    /// # Errors
    /// That there were too many.
    pub fn spans(mut self) -> Result<Spans, EvaluateError> {
        if self.is_full {
            return Err(EvaluateError::TooMany);
        }
        self.spans.complete();
        Ok(self.spans)
    }
}

impl SpanSink for Collecting {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        let known = self.sources.taps.len();
        if trace.spans.iter().any(|span| usize::from(span.exchange.tap.0) >= known) {
            self.sources.taps = self.names.taps();
        }
        self.spans.trace_of(trace, &self.sources).map_err(|flaw| {
            self.is_full = true;
            io::Error::other(flaw.to_string())
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outcome {
    fn named(name: &str) -> Self {
        match name {
            "ok" => Self::Ok,
            "client_error" | "server_error" => Self::Error,
            _ => Self::Unknown,
        }
    }
}

/// A span as it was written, as far as it is compared.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Word<'a>>,
    v: Option<u64>,
    #[serde(borrow)]
    trace: Option<Word<'a>>,
    #[serde(borrow)]
    span: Option<Word<'a>>,
    #[serde(borrow)]
    parent: Option<Word<'a>>,
    #[serde(borrow)]
    link: Option<LinkLine<'a>>,
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
    status: Option<StatusLine<'a>>,
    #[serde(borrow)]
    tap: Option<Word<'a>>,
    #[serde(borrow)]
    client: Option<Word<'a>>,
    #[serde(borrow)]
    server: Option<Word<'a>>,
    ordinal: Option<u32>,
    #[serde(default)]
    in_packet: u32,
    request: Option<Half>,
    response: Option<Half>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct LinkLine<'a> {
    #[serde(borrow)]
    kind: Option<Word<'a>>,
    #[serde(borrow)]
    reason: Option<Word<'a>>,
    confidence: Option<f32>,
    #[serde(borrow)]
    runner_up: Option<Word<'a>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct StatusLine<'a> {
    #[serde(borrow)]
    outcome: Option<Word<'a>>,
    #[serde(default)]
    code: u32,
    #[serde(borrow)]
    text: Option<Bytes<'a>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Half {
    at: i64,
    #[serde(default)]
    file: u16,
    #[serde(default)]
    frames: [u64; 2],
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Word<'a>>,
    v: Option<u64>,
}

fn hex(text: &str, digits: usize, field: &'static str) -> Result<u128, Flaw> {
    let all = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| all && text.len() <= digits);
    number.ok_or_else(|| Flaw::unknown(field, text))
}

/// The VXLAN or GENEVE network that a tap is in: the number of the innermost tunnel that bears one,
/// as in `eth0:vxlan7@10.0.0.1-10.0.0.2`.
fn network(tap: &str) -> Option<u32> {
    let number = |name: &str| {
        let (_, rest) = tap.rsplit_once(name)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        // The fewer stand behind it, the further inside it is.
        Some((rest.len(), rest.get(..end)?.parse().ok()?))
    };
    let all = [":vxlan", ":geneve"].into_iter().filter_map(number);
    all.min_by_key(|(behind, _)| *behind).map(|(_, number)| number)
}

/// Sums of whole numbers do not depend on their order.
fn millionths(confidence: f32) -> u32 {
    (f64::from(confidence.clamp(0.0, 1.0)) * 1e6).round() as u32
}

/// What was asked, no longer than it can be shown.
fn what(operation: &[u8], resource: &[u8]) -> Box<str> {
    let [operation, resource] = [operation, resource].map(String::from_utf8_lossy);
    let space = if operation.is_empty() || resource.is_empty() { "" } else { " " };
    let all = operation.chars().chain(space.chars()).chain(resource.chars());
    all.take(LONGEST).collect::<String>().into()
}

const SPAN: &str = "span";
/// The links that there are.
const KINDS: [LinkKind; 2] = [LinkKind::Parent, LinkKind::SameExchange];
/// Characters of what was asked.
const LONGEST: usize = 100;
/// Spans after which progress is told.
const OFTEN: usize = 1 << 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_by_taps() {
        for (tap, expected) in [
            ("", None),
            ("eth0", None),
            ("eth0.7", None),
            ("eth0:gre7@10.0.0.1-10.0.0.2", None),
            ("eth0:vxlan7", Some(7)),
            ("eth0.5:vxlan7.9@10.0.0.1-10.0.0.2", Some(7)),
            ("node:eth0:geneve8@fd00::1-fd00::2", Some(8)),
            ("eth0:vxlan7@10.0.0.1-10.0.0.2:geneve8", Some(8)),
            ("eth0:geneve8@10.0.0.1-10.0.0.2:vxlan7@10.0.0.3-10.0.0.4", Some(7)),
            ("eth0:vxlan7@10.0.0.1-10.0.0.2:gre5", Some(7)),
        ] {
            assert_eq!(network(tap), expected, "{tap}");
        }
    }
}
