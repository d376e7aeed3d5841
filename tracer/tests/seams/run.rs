//! Packets through the whole pipeline, whatever the batches and threads; traces as text.

use crate::packets::{Packet, source};
use std::io;
use std::sync::Arc;
use wirespan::config::Config;
use wirespan::exchange::{Exchange, RESOURCE};
use wirespan::pipeline::{self, Surroundings};
use wirespan::span::{Span, SpanSink, Trace};
use wirespan::summary::Summary;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::PacketSource;
use wirespan_parsers::message::Value;

/// What came of some packets.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) traces: Vec<Trace>,
    pub(crate) summary: Summary,
    pub(crate) taps: Vec<String>,
}

/// Runs packets, in order of their times; batches and threads must make no difference.
pub(crate) fn run(packets: &[Packet]) -> Ran {
    run_with(packets, &Config::default)
}

pub(crate) fn run_with(packets: &[Packet], config: &dyn Fn() -> Config) -> Ran {
    let first = run_once(packets, &config(), 1_000, 1);
    for (batch, threads) in [(1, 2), (3, 8)] {
        let other = run_once(packets, &config(), batch, threads);
        let cut = format!("in batches of {batch}, by {threads} threads");
        for (a, b) in first.traces.iter().zip(&other.traces) {
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "{cut}");
        }
        assert_eq!(first.traces.len(), other.traces.len(), "{cut}");
        assert_eq!(format!("{:?}", first.summary), format!("{:?}", other.summary), "{cut}");
    }
    first
}

fn run_once(packets: &[Packet], config: &Config, batch: usize, threads: usize) -> Ran {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| run_source(&mut source(packets, batch), config))
}

/// Runs what a source gives, once.
pub(crate) fn run_source(source: &mut dyn PacketSource, config: &Config) -> Ran {
    let mut here = Here::default();
    let mut sink = Collected { traces: Vec::new(), finished: false };
    let outcomes = pipeline::run(source, &mut here, config, &mut sink);
    assert!(sink.finished);
    assert!(outcomes.source_error.is_none() && outcomes.sink_error.is_none());
    check_traces(&sink.traces);
    Ran { traces: sink.traces, summary: outcomes.summary, taps: here.taps }
}

/// Nothing but the names of taps.
#[derive(Default)]
pub(crate) struct Here {
    taps: Vec<String>,
}

impl Surroundings for Here {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, names: Vec<String>) {
        self.taps = names;
    }

    fn networks(&mut self, _names: Vec<String>) {}

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
    let mut here = Here { taps: Vec::new() };
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
            assert!(parent.exchange.start() <= span.exchange.end(), "starts after its child ends");
            assert_ne!(link.runner_up, Some(parent.id));
        }
    }
}

impl Ran {
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
