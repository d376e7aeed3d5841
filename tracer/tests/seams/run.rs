//! Packets through the whole pipeline, whatever the batches and threads, and their spans joined
//! anew; traces as text.

use crate::packets::{Packet, source};
use std::io;
use std::sync::Arc;
use wirespan::config::Config;
use wirespan::exchange::{Exchange, RESOURCE};
use wirespan::export::Render;
use wirespan::export::ndjson::{Ndjson, SourceNames};
use wirespan::export::semantics::Semantics;
use wirespan::export::terminal::Look;
use wirespan::export::time::Zone;
use wirespan::import::ImportError;
use wirespan::import::spans::Spans;
use wirespan::join::window::WindowLimits;
use wirespan::joining::Outcomes;
use wirespan::pipeline::{self, Surroundings};
use wirespan::processes::Asking;
use wirespan::span::{Span, SpanSink, Trace};
use wirespan::summary::Summary;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::report::Progress;
use wirespan_capture::source::{Fill, PacketSource};
use wirespan_parsers::message::Value;

/// What came of some packets.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) traces: Vec<Trace>,
    pub(crate) summary: Summary,
    pub(crate) taps: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) protocols: Vec<String>,
}

/// Runs packets, in order of their times; batches and threads must make no difference, and from the
/// spans alone the same must come.
pub(crate) fn run(packets: &[Packet]) -> Ran {
    run_with(packets, &Config::default)
}

pub(crate) fn run_with(packets: &[Packet], config: &dyn Fn() -> Config) -> Ran {
    let told = config();
    let mut first = run_once(packets, &config(), 1_000, 1);
    first.protocols = told.protocol_names();
    check_joined(&first, told.window);
    for (batch, threads, is_live) in [(1, 2, false), (3, 8, false), (3, 2, true)] {
        let other = match is_live {
            true => run_source(&mut AsLive(source(packets, batch)), &config()),
            false => run_once(packets, &config(), batch, threads),
        };
        let cut = format!("in batches of {batch}, by {threads} threads, live: {is_live}");
        for (a, b) in first.traces.iter().zip(&other.traces) {
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "{cut}");
        }
        assert_eq!(first.traces.len(), other.traces.len(), "{cut}");
        assert_eq!((&first.taps, &first.networks), (&other.taps, &other.networks), "{cut}");
        assert_eq!(format!("{:?}", first.summary), format!("{:?}", other.summary), "{cut}");
    }
    first
}

fn run_once(packets: &[Packet], config: &Config, batch: usize, threads: usize) -> Ran {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| run_source(&mut source(packets, batch), config))
}

/// Packets as they are captured: few at a time are worked on in another way.
pub(crate) struct AsLive<S>(pub(crate) S);

impl<S: PacketSource> PacketSource for AsLive<S> {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        self.0.fill(batch)
    }

    fn interfaces(&self) -> &Interfaces {
        self.0.interfaces()
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Runs what a source gives, once.
pub(crate) fn run_source(source: &mut dyn PacketSource, config: &Config) -> Ran {
    let mut here = Here::default();
    let mut sink = Collected { traces: Vec::new(), finished: false };
    let outcomes = pipeline::run(source, &mut here, config, &mut sink);
    assert!(sink.finished);
    assert!(outcomes.source_error.is_none() && outcomes.sink_error.is_none());
    check_traces(&sink.traces);
    let Here { taps, networks } = here;
    let (traces, summary) = (sink.traces, outcomes.summary);
    Ran { traces, summary, taps, networks, protocols: Vec::new() }
}

/// Runs what a source gives as if it were captured on this host; `used` sees each batch.
pub(crate) fn run_live(
    source: &mut dyn PacketSource,
    asking: &mut Asking,
    used: &mut (dyn FnMut(&Batch, &Interfaces) + Send),
) -> Ran {
    let config = Config::default();
    let mut live = Live { here: Here::default(), asking, used };
    let mut sink = Collected { traces: Vec::new(), finished: false };
    let summary = pipeline::run(source, &mut live, &config, &mut sink).summary;
    let Here { taps, networks } = live.here;
    Ran { traces: sink.traces, summary, taps, networks, protocols: config.protocol_names() }
}

struct Live<'a> {
    here: Here,
    asking: &'a mut Asking,
    used: &'a mut (dyn FnMut(&Batch, &Interfaces) + Send),
}

impl Surroundings for Live<'_> {
    fn filter(&mut self, batch: &mut Batch) {
        self.here.filter(batch);
    }

    fn taps(&mut self, names: Vec<String>) {
        self.here.taps(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.here.networks(names);
    }

    fn asking(&mut self) -> Option<&mut Asking> {
        Some(self.asking)
    }

    fn used(&mut self, batch: &Batch, interfaces: &Interfaces) {
        (self.used)(batch, interfaces);
    }

    fn go_on(&mut self, packets: u64) -> bool {
        self.here.go_on(packets)
    }
}

/// Nothing but the names of taps and networks.
#[derive(Default)]
pub(crate) struct Here {
    taps: Vec<String>,
    networks: Vec<String>,
}

impl Surroundings for Here {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, names: Vec<String>) {
        assert!(!names.is_empty());
        self.taps.extend(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        assert!(!names.is_empty());
        self.networks.extend(names);
    }

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

/// Runs packets into a sink that fails at once; what the run says of that.
pub(crate) fn run_into_nothing(packets: &[Packet]) -> io::Error {
    struct Full;
    impl SpanSink for Full {
        fn trace(&mut self, _trace: &Trace) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn finish(&mut self) -> io::Result<()> {
            panic!("nothing is to be finished after a failure")
        }
    }
    let mut source = source(packets, 1);
    let mut here = Here::default();
    pipeline::run(&mut source, &mut here, &Config::default(), &mut Full).sink_error.unwrap()
}

struct Collected {
    traces: Vec<Trace>,
    finished: bool,
}

impl SpanSink for Collected {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        assert!(!self.finished);
        self.traces.push(trace.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.finished = true;
        Ok(())
    }
}

/// Joins spans that were written down, in whatever order, by a program that knows none of the
/// protocols; they must come out as they were written.
fn check_joined(ran: &Ran, limits: WindowLimits) {
    let written = ran.ndjson();
    let reversed: Vec<&str> = written.lines().rev().collect();
    let (joined, outcomes) = join(&[&reversed.join("\n")], limits);
    for (written, joined) in written.lines().zip(joined.lines()) {
        assert_eq!(written, joined, "as from the packets, and as from the spans");
    }
    assert_eq!(written.len(), joined.len());
    let counts = |summary: &Summary| {
        let Summary { exchanges, open_by, links, repeating_ids, settled_early, .. } = summary;
        let sums = (summary.spans, summary.traces, summary.joined_traces);
        format!("{exchanges:?} {open_by:?} {links:?} {repeating_ids:?} {settled_early:?} {sums:?}")
    };
    assert_eq!(counts(&ran.summary), counts(&outcomes.summary));
}

/// Joins what was written, and writes it again.
pub(crate) fn join(written: &[&str], limits: WindowLimits) -> (String, Outcomes) {
    let written: Vec<&[u8]> = written.iter().map(|text| text.as_bytes()).collect();
    let (traces, written, outcomes) = try_join(&written, limits).unwrap();
    assert!(!outcomes.stopped);
    assert!(outcomes.source_error.is_none() && outcomes.sink_error.is_none());
    check_traces(&traces);
    (written, outcomes)
}

/// The same of what may be broken.
pub(crate) fn try_join(
    written: &[&[u8]],
    limits: WindowLimits,
) -> Result<(Vec<Trace>, String, Outcomes), ImportError> {
    join_while(written, limits, &mut |_| true)
}

/// The same, until somebody says that it is enough.
pub(crate) fn join_while(
    written: &[&[u8]],
    limits: WindowLimits,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(Vec<Trace>, String, Outcomes), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, text) in written.iter().enumerate() {
        paths.push(folder.path().join(number.to_string()));
        std::fs::write(&paths[number], text).unwrap();
    }
    let spans = Spans::read(&paths, Vec::new(), &Progress::default(), &mut |_| true)?;
    let mut sink = Collected { traces: Vec::new(), finished: false };
    let outcomes = spans.join(limits, &mut sink, go_on);
    assert!(sink.finished);
    let names = SourceNames::default();
    names.set_taps(spans.taps().to_vec());
    names.set_networks(spans.networks());
    let written = ndjson(&sink.traces, spans.protocols().to_vec(), names);
    Ok((sink.traces, written, outcomes))
}

fn ndjson(traces: &[Trace], protocols: Vec<String>, names: SourceNames) -> String {
    let mut text = Vec::new();
    let ndjson = Ndjson { protocols, names };
    traces.iter().for_each(|trace| ndjson.trace(trace, &mut text));
    String::from_utf8(text).unwrap()
}

/// What holds for all traces.
fn check_traces(traces: &[Trace]) {
    let mut ids = std::collections::BTreeSet::new();
    for trace in traces {
        assert!(trace.id != 0 && !trace.spans.is_empty());
        for (place, span) in trace.spans.iter().enumerate() {
            assert!(ids.insert(span.id) && span.id != 0, "the id of {} comes twice", name(span));
            let Some(link) = &span.link else {
                assert_eq!(span.depth, 0);
                continue;
            };
            // Parents stand before their children, so that there can be no circle.
            assert!(link.parent < place);
            let parent = &trace.spans[link.parent];
            assert_eq!(span.depth, parent.depth + 1);
            assert!((0.0..=1.0).contains(&link.confidence));
            assert!(
                parent.exchange.start() <= span.exchange.end(),
                "starts after its child ends: {link:?} {:?}>{:?} {:?}>{:?}",
                parent.exchange.client,
                parent.exchange.server,
                span.exchange.client,
                span.exchange.server
            );
            assert_ne!(link.runner_up, Some(parent.id));
        }
    }
}

impl Ran {
    /// The spans as JSON lines.
    pub(crate) fn ndjson(&self) -> String {
        ndjson(&self.traces, self.protocols.clone(), self.names())
    }

    /// What tells what the spans mean.
    pub(crate) fn semantics(&self) -> Semantics {
        Semantics::new(self.protocols.clone(), self.names())
    }

    fn names(&self) -> SourceNames {
        let names = SourceNames::default();
        names.set_taps(self.taps.clone());
        names.set_networks(self.networks.clone());
        names
    }

    /// Each trace on a line, such as `/front(/back[x-request-id]) + /other`, in order of time.
    pub(crate) fn trees(&self) -> Vec<String> {
        let mut traces: Vec<&Trace> = self.traces.iter().collect();
        traces.sort_by_key(|trace| trace.spans[0].exchange.start());
        traces.into_iter().map(|trace| self.tree(trace)).collect()
    }

    fn tree(&self, trace: &Trace) -> String {
        let below = |parent: Option<usize>| {
            let link = move |span: &Span| span.link.as_ref().map(|link| link.parent) == parent;
            (0..trace.spans.len()).filter(move |place| link(&trace.spans[*place]))
        };
        let roots: Vec<String> = below(None).map(|root| self.subtree(trace, root)).collect();
        roots.join(" + ")
    }

    fn subtree(&self, trace: &Trace, place: usize) -> String {
        let span = &trace.spans[place];
        let mut text = name(span);
        if self.taps.len() > 1 {
            text.push_str(&format!("@{}", self.taps[usize::from(span.exchange.tap.0)]));
        }
        if let Some(link) = &span.link {
            text.push_str(&format!("[{}]", link.reason.name()));
        }
        let below = trace.spans.iter().enumerate();
        let below = below.filter(|(_, s)| s.link.as_ref().is_some_and(|l| l.parent == place));
        let below: Vec<String> = below.map(|(place, _)| self.subtree(trace, place)).collect();
        if !below.is_empty() {
            text.push_str(&format!("({})", below.join(" ")));
        }
        text
    }

    /// All spans, in order of time.
    pub(crate) fn spans(&self) -> Vec<&Span> {
        let mut spans: Vec<&Span> = self.traces.iter().flat_map(|trace| &trace.spans).collect();
        spans.sort_by_key(|span| (span.exchange.start(), span.exchange.request.seq));
        spans
    }

    /// The only span with this name.
    pub(crate) fn span(&self, wanted: &str) -> &Span {
        let mut found = self.spans().into_iter().filter(|span| name(span) == wanted);
        let span = found.next().unwrap_or_else(|| panic!("no {wanted} in {:?}", self.trees()));
        assert!(found.next().is_none(), "{wanted} comes twice in {:?}", self.trees());
        span
    }

    /// The trace that holds the only span with this name.
    pub(crate) fn trace_of(&self, wanted: &str) -> &Trace {
        let id = self.span(wanted).id;
        self.traces.iter().find(|trace| trace.spans.iter().any(|span| span.id == id)).unwrap()
    }

    /// All ids: those of traces, and of their spans.
    pub(crate) fn ids(&self) -> Vec<(u128, Vec<u64>)> {
        let spans = |trace: &Trace| trace.spans.iter().map(|span| span.id).collect();
        let mut ids: Vec<_> = self.traces.iter().map(|trace| (trace.id, spans(trace))).collect();
        ids.sort();
        ids
    }
}

/// What an exchange is applied to, else its operation.
pub(crate) fn name(span: &Span) -> String {
    let text = &span.exchange.text;
    let name = text.text(RESOURCE).or_else(|| text.text("operation")).unwrap_or(b"?");
    String::from_utf8_lossy(name).into_owned()
}

/// All values of an attribute, as text.
pub(crate) fn values(exchange: &Exchange, wanted: &str) -> Vec<String> {
    let found = exchange.text.iter().filter(|(name, _)| *name == wanted);
    let text = |value| match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Int(number) => number.to_string(),
    };
    found.map(|(_, value)| text(value)).collect()
}

/// Milliseconds since the start of the capture.
pub(crate) fn ms(at: wirespan_capture::packet::Timestamp) -> i64 {
    (at.0 - crate::packets::START.0) / 1_000_000
}

/// The default, but for protocols.
pub(crate) fn with_protocols(
    protocols: impl Fn() -> Vec<Box<dyn wirespan_parsers::protocol::Protocol>> + Send + Sync + 'static,
) -> Config {
    let protocols = Arc::new(protocols);
    Config { protocols: Box::new(move || protocols()), ..Config::default() }
}

/// What people see of traces on a terminal that is so wide.
pub(crate) fn look(width: usize) -> Look {
    Look {
        width,
        zone: Zone::utc(),
        colors: false,
        ascii: false,
        all: false,
        details: 0,
        protocols: Config::default().protocol_names(),
        names: SourceNames::default(),
    }
}
