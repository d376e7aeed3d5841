//! Spans of several inputs, joined in the order in which joining learnt of them first.
//!
//! Only where a span stands and when joining learnt of it is kept, some 64 bytes of each; its line
//! is read again when its turn comes. Several inputs are merged by time: their points, taps and
//! files are different ones, their networks the same where the VLANs are.

use crate::exchange::{EventNumber, Exchange, ExchangeId, ProtocolIndex};
use crate::import::ImportError;
use crate::import::input::{Lines, Numbered, Piece, Walk};
use crate::import::line::{self, Flaw, Line, Numbers, Read};
use crate::import::value::Word;
use crate::join::window::{Opened, WindowLimits};
use crate::joining::{Joining, News, Outcomes};
use crate::names::files::NameFiles;
use crate::network;
use crate::numbers::grouped;
use crate::span::SpanSink;
use crate::summary::{SpansRead, add};
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wirespan_capture::decode::Network;
use wirespan_capture::packet::{NetworkId, TapId, Timestamp};
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::report::Progress;

/// Spans of all inputs, ready to be joined.
pub struct Spans {
    inputs: Vec<Input>,
    /// Where each span stands.
    places: Vec<Place>,
    /// When joining learnt of them, in order.
    events: Vec<Event>,
    protocols: Vec<String>,
    taps: Vec<String>,
    networks: Vec<Network>,
    network_numbers: HashMap<Network, NetworkId>,
    points: BTreeSet<u32>,
    read: SpansRead,
    /// Requests and responses.
    messages: u64,
    /// The first start, and the last moment at which joining learnt of anything.
    extent: Option<(Timestamp, Timestamp)>,
    damage: Vec<String>,
    /// Spans that were there again in their input, and are left out.
    duplicates: u64,
    names: Arc<NameFiles>,
}

/// What tells a span of an input from all others.
#[derive(Debug, Deserialize)]
struct Ids<'a> {
    #[serde(borrow)]
    trace: Option<Word<'a>>,
    #[serde(borrow)]
    span: Option<Word<'a>>,
}

struct Input {
    lines: Lines,
    names: Names,
}

/// What stands for what the lines of one input name.
#[derive(Default)]
struct Names {
    taps: HashMap<Box<str>, TapId>,
    networks: HashMap<Box<str>, NetworkId>,
    first: Numbering,
    next: Numbering,
}

/// What is added to the numbers in an input, so that no two inputs share any.
#[derive(Clone, Copy, Default)]
struct Numbering {
    points: u32,
    files: u32,
    /// Taps that have loopback addresses of their own.
    loopbacks: u32,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    len: u32,
    input: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Timestamp,
    number: EventNumber,
    span: u32,
    is_close: bool,
}

impl Spans {
    /// Reads inputs by their paths, `-` for the standard input. The protocols are those that the
    /// program knows; others keep their names. `go_on` is called now and then with the number of
    /// spans so far; false ends the reading.
    ///
    /// # Errors
    /// Why a file cannot be opened, or which line is no span that can be joined.
    pub fn read(
        paths: &[PathBuf],
        protocols: Vec<String>,
        progress: &Progress,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Self, ImportError> {
        let mut spans = Self {
            inputs: Vec::new(),
            places: Vec::new(),
            events: Vec::new(),
            protocols,
            taps: Vec::new(),
            networks: Vec::new(),
            network_numbers: HashMap::new(),
            points: BTreeSet::new(),
            read: SpansRead::default(),
            messages: 0,
            extent: None,
            damage: Vec::new(),
            duplicates: 0,
            names: Arc::default(),
        };
        for path in paths {
            let walk = Walk::open(path, progress)?;
            let more = spans.input(walk, go_on).map_err(|error| unless_capture(path, error))?;
            if !more {
                break;
            }
        }
        spans.events.sort_unstable();
        spans.leave_out_duplicates()?;
        Ok(spans)
    }

    /// Leaves out what is in an input twice, as where a file was appended to itself: such spans
    /// have the same ids, and joining learnt of them at the same event.
    fn leave_out_duplicates(&mut self) -> Result<(), ImportError> {
        let mut again = HashSet::new();
        let mut by_input: BTreeMap<u16, u64> = BTreeMap::new();
        for group in self.events.chunk_by(|a, b| (a.at, a.number) == (b.at, b.number)) {
            if group.iter().filter(|event| event.is_close).nth(1).is_none() {
                continue;
            }
            let mut known = HashSet::new();
            for event in group.iter().filter(|event| event.is_close) {
                let (place, lines, _) = self.place(event.span)?;
                let line = lines.read(place.offset, place.len);
                let line = line.map_err(|error| changed(lines.name(), error.to_string()))?;
                let ids = serde_json::from_slice::<Ids<'_>>(&line);
                let ids = ids.map_err(|error| changed(lines.name(), error.to_string()))?;
                let Ids { trace: Some(trace), span: Some(span) } = ids else { continue };
                let ids = (place.input, String::from(&*trace), String::from(&*span));
                if !known.insert(ids) {
                    again.insert(event.span);
                    *by_input.entry(place.input).or_default() += 1;
                }
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.events.retain(|event| !again.contains(&event.span));
        self.duplicates = again.len() as u64;
        for (input, count) in by_input {
            let Some(input) = self.inputs.get(usize::from(input)) else { continue };
            let spans = if count == 1 { "span was" } else { "spans were" };
            let count = grouped(count);
            let name = input.lines.name();
            self.damage.push(format!("{name}: {count} {spans} there already and left out"));
        }
        Ok(())
    }

    /// Calls services and hosts as the user does.
    #[must_use]
    pub fn naming(mut self, files: Arc<NameFiles>) -> Self {
        self.names = files;
        self
    }

    /// Joins them. `go_on` is called now and then with the number of events so far, of those that
    /// [`Spans::events`] counts; false ends the joining.
    pub fn join(
        &self,
        limits: WindowLimits,
        sink: &mut (dyn SpanSink + Send),
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Outcomes {
        let mut joining = Joining::new(limits, self.protocols.clone(), sink);
        joining = joining.naming(self.names.clone());
        joining.networks(self.networks.iter().map(network::number).collect());
        let mut source_error = None;
        let mut stopped = false;
        let mut done = 0;
        let mut chunks = self.events.chunks(TOGETHER);
        let mut ahead = self.load(chunks.next());
        while !ahead.is_empty() && !stopped && source_error.is_none() {
            done += ahead.len() as u64;
            let present = std::mem::take(&mut ahead);
            let taken;
            // Lines are read and looked at while those before them are joined.
            (taken, ahead) = rayon::join(
                || {
                    present
                        .into_iter()
                        .try_for_each(|told| told.map(|(at, news)| joining.take(at, news)))
                },
                || self.load(chunks.next()),
            );
            source_error = taken.err().map(|error: ImportError| io::Error::other(error));
            stopped = joining.failed() || (!go_on(done) && !ahead.is_empty());
        }
        let (mut summary, _, sink_error) = joining.finish(&|_| String::new());
        summary.spans_read = Some(self.read);
        summary.messages = self.messages;
        summary.points = self.points.len();
        summary.taps = self.taps.len();
        summary.tap_names.clone_from(&self.taps);
        summary.damage.clone_from(&self.damage);
        if !stopped && source_error.is_none() && sink_error.is_none() && summary.spans > 0 {
            summary.remarks.extend(self.names.unused());
        }
        if self.duplicates > 0 {
            add(&mut summary.lost, "duplicate_spans", self.duplicates);
        }
        summary.from = self.extent.map(|(from, _)| from.0);
        summary.to = self.extent.map(|(_, to)| to.0);
        Outcomes { summary, reached: Timestamp::default(), stopped, source_error, sink_error }
    }

    /// How many events there are: two of most spans.
    pub fn events(&self) -> u64 {
        self.events.len() as u64
    }

    /// The names of all protocols, those that the program knows first.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// How many files the spans were seen in.
    pub fn files(&self) -> u32 {
        self.inputs.last().map_or(0, |input| input.names.next.files)
    }

    /// The names of all taps.
    pub fn taps(&self) -> &[String] {
        &self.taps
    }

    /// The names of all networks.
    pub fn networks(&self) -> Vec<String> {
        self.networks.iter().map(network::name).collect()
    }

    /// The start of the span that began first.
    pub fn start(&self) -> Option<Timestamp> {
        self.extent.map(|(from, _)| from)
    }

    /// Walks over one input; says whether to go on with the next.
    fn input(
        &mut self,
        mut walk: Walk,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool, ImportError> {
        let file = walk.name().to_owned();
        if self.inputs.len() >= usize::from(u16::MAX) {
            return Err(ImportError::TooMany { file, what: "files" });
        }
        let first = self.inputs.last().map_or_else(Numbering::default, |input| input.names.next);
        let mut names = Names { first, next: first, ..Names::default() };
        let mut more = true;
        let mut cut = None;
        while more && let Some(Piece { lines, open_end }) = walk.next()? {
            let read: Vec<_> = lines.par_iter().with_min_len(FEW).map(read_whole).collect();
            more = go_on(self.read.spans);
            let last = lines.last().map_or(0, |line| line.number);
            for (line, read) in lines.iter().zip(read) {
                let noted = match read {
                    Ok(Some((span, exchange))) => self.note(line, &span, &exchange, &mut names),
                    Ok(None) => {
                        self.read.lines_skipped += 1;
                        Ok(())
                    }
                    Err(flaw) => Err(flaw),
                };
                match noted {
                    Ok(()) => {}
                    Err(Flaw::Json(error)) if error.is_eof() && open_end && line.number == last => {
                        // What was stopped within a line is not damaged.
                        cut = more.then_some((line.number, line.text.len()));
                    }
                    Err(flaw) => return Err(ImportError::Line { file, line: line.number, flaw }),
                }
            }
        }
        if let Some((offset, reason)) = walk.unreadable() {
            self.damage.push(format!("{file}: unreadable after byte {offset}: {reason}"));
        }
        if let Some((line, bytes)) = cut {
            self.damage.push(format!("{file}: cut off inside line {line}, {bytes} bytes left out"));
        }
        self.read.files += 1;
        self.inputs.push(Input { lines: walk.lines(), names });
        Ok(more)
    }

    /// Notes where a span stands, what it names, and when joining learnt of it.
    fn note(
        &mut self,
        line: &Numbered<'_>,
        span: &Line<'_>,
        exchange: &Exchange,
        names: &mut Names,
    ) -> Result<(), Flaw> {
        let number = u32::try_from(self.places.len()).map_err(|_| Flaw::TooMany("span"))?;
        if let Some(name) = span.protocol()?
            && self.protocol(name).is_none()
        {
            if self.protocols.len() >= usize::from(ProtocolIndex::CONNECT.0) {
                return Err(Flaw::TooMany("protocol"));
            }
            self.protocols.push(name.to_owned());
        }
        if !names.taps.contains_key(span.tap()) {
            let tap = u16::try_from(self.taps.len()).map_err(|_| Flaw::TooMany("tap"))?;
            self.taps.push(span.tap().to_owned());
            names.taps.insert(span.tap().into(), TapId(tap));
        }
        if !names.networks.contains_key(span.network()) {
            let network = self.network(span.network(), names)?;
            names.networks.insert(span.network().into(), network);
        }
        let Names { first, next, .. } = names;
        self.points.insert(behind(first.points, span.point(), &mut next.points, "point")?);
        behind(first.points, span.last_point(), &mut next.points, "point")?;
        behind(first.files, span.last_file().into(), &mut next.files, "file")?;
        let closed = exchange.turns.closed;
        if let Some(opened) = exchange.turns.opened {
            let (at, event) = (opened.turn.at, opened.turn.number);
            self.events.push(Event { at, number: event, span: number, is_close: false });
        }
        let (at, event) = (closed.at, closed.number);
        self.events.push(Event { at, number: event, span: number, is_close: true });
        let (len, input) = (line.text.len() as u32, self.inputs.len() as u16);
        self.places.push(Place { offset: line.offset, len, input });
        self.read.spans += 1;
        self.read.bytes += line.text.len() as u64 + 1;
        self.messages += 1 + u64::from(exchange.response.is_some());
        let (from, to) = self.extent.unwrap_or_else(|| (exchange.start(), closed.at));
        self.extent = Some((from.min(exchange.start()), to.max(closed.at)));
        Ok(())
    }

    fn protocol(&self, name: &str) -> Option<ProtocolIndex> {
        let place = self.protocols.iter().position(|other| other == name)?;
        Some(ProtocolIndex(place as u8))
    }

    /// The number of a network that an input names.
    fn network(&mut self, name: &str, names: &mut Names) -> Result<NetworkId, Flaw> {
        let mut network = network::of_name(name).ok_or_else(|| line::unknown("network", name))?;
        if let Some(tap) = &mut network.loopback_of {
            let Names { first, next, .. } = names;
            let number = behind(first.loopbacks, tap.0.into(), &mut next.loopbacks, "network")?;
            tap.0 = u16::try_from(number).map_err(|_| Flaw::TooMany("network"))?;
        }
        if let Some(number) = self.network_numbers.get(&network) {
            return Ok(*number);
        }
        let number = u16::try_from(self.networks.len()).map_err(|_| Flaw::TooMany("network"))?;
        self.networks.push(network.clone());
        self.network_numbers.insert(network, NetworkId(number));
        Ok(NetworkId(number))
    }

    /// What joining is told at some events.
    fn load(&self, events: Option<&[Event]>) -> Vec<Result<(Timestamp, News), ImportError>> {
        let events = events.unwrap_or_default().par_iter().with_min_len(FEW);
        events.map(|event| Ok((event.at, self.news(event)?))).collect()
    }

    /// Where a span stands, in what, and what its input names.
    fn place(&self, span: u32) -> Result<(Place, &Lines, &Names), ImportError> {
        let place = self.places.get(span as usize);
        let found = place
            .and_then(|place| Some((*place, self.inputs.get(usize::from(place.input))?)))
            .map(|(place, input)| (place, &input.lines, &input.names));
        found.ok_or_else(|| changed("spans", "there are fewer".to_owned()))
    }

    fn news(&self, event: &Event) -> Result<News, ImportError> {
        let (place, lines, names) = self.place(event.span)?;
        let line = lines.read(place.offset, place.len);
        let line = line.map_err(|error| changed(lines.name(), error.to_string()))?;
        let exchange = read_span(&line).and_then(|span| {
            span.exchange(&Numbers {
                id: ExchangeId { shard: 0, serial: u64::from(event.span) },
                protocol: match span.protocol()? {
                    Some(name) => self.protocol(name).ok_or(Flaw::Missing("protocol"))?,
                    None => ProtocolIndex::CONNECT,
                },
                tap: *names.taps.get(span.tap()).ok_or(Flaw::Missing("tap"))?,
                network: *names.networks.get(span.network()).ok_or(Flaw::Missing("network"))?,
                points: names.first.points,
                files: names.first.files,
            })
        });
        let mut exchange = exchange.map_err(|flaw| changed(lines.name(), flaw.to_string()))?;
        if event.is_close {
            return Ok(News::Closed(exchange));
        }
        // Others came to be known later.
        exchange.contexts.truncate(exchange.turns.opened.map_or(0, |opened| opened.contexts));
        Ok(News::Opened(Opened::of(&exchange)))
    }
}

/// The number among all inputs of what has a number of its own in one; `next` comes behind them.
fn behind(first: u32, own: u32, next: &mut u32, what: &'static str) -> Result<u32, Flaw> {
    let number = first.checked_add(own).ok_or(Flaw::TooMany(what))?;
    *next = number.saturating_add(1).max(*next);
    Ok(number)
}

/// Reads a line with all that is in it, so that whatever is wrong is found before anything is
/// shown; none of another type.
#[expect(clippy::type_complexity, reason = "a line in two forms")]
fn read_whole<'a>(line: &Numbered<'a>) -> Result<Option<(Box<Line<'a>>, Box<Exchange>)>, Flaw> {
    let Read::Span(span) = line::read(line.text)? else { return Ok(None) };
    let exchange = span.exchange(&Numbers::default())?;
    Ok(Some((span, exchange)))
}

fn read_span(line: &[u8]) -> Result<Box<Line<'_>>, Flaw> {
    match line::read(line)? {
        Read::Span(span) => Ok(span),
        Read::Other => Err(Flaw::Missing("type")),
    }
}

fn changed(file: &str, reason: String) -> ImportError {
    ImportError::Changed { file: file.to_owned(), reason }
}

/// Who gives a capture meant another command.
fn unless_capture(path: &Path, error: ImportError) -> ImportError {
    match error {
        ImportError::Line { flaw: Flaw::Json(_), file, .. } | ImportError::TooLong { file, .. }
            if path.as_os_str() != "-" && FileSource::open(path).is_ok() =>
        {
            ImportError::Capture { file }
        }
        error => error,
    }
}

/// Events whose lines are read again in one go.
const TOGETHER: usize = 1024;
/// Lines for which it does not pay to call another thread.
const FEW: usize = 16;
