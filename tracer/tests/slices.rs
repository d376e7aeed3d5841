//! Counts on large captures of real servers, whose truth is known from those who made them. They
//! are not shipped; where they do not stand beside the project, this says so.
#![expect(clippy::print_stdout, reason = "says what was skipped")]

use std::io;
use std::path::Path;
use wirespan::config::Config;
use wirespan::pipeline::{Surroundings, run};
use wirespan::span::{SpanSink, Trace};
use wirespan::summary::Summary;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::file::FileSource;

/// Reads a slice and gives what was counted, and all traces' shapes: spans, and links among them.
fn read(name: &str) -> Option<(Summary, Vec<(usize, usize)>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SLICES).join(name);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    let mut source = FileSource::open(&path).expect("a capture that can be read");
    let mut shapes = Shapes(Vec::new());
    let outcomes = run(&mut source, &mut Nothing, &Config::default(), &mut shapes);
    Some((outcomes.summary, shapes.0))
}

#[test]
fn gateway_and_service_give_two_hops_to_each_trace() {
    let Some((summary, shapes)) = read("a_200k.pcap.zst") else { return };
    assert_eq!((summary.exchanges["http"], summary.open["http"]), (39_275, 113));
    assert!(shapes.iter().all(|shape| *shape == (2, 1)), "every trace has two hops, one below");
    assert_eq!(shapes.len(), 19_694);
}

#[test]
fn pipelined_redis_is_paired() {
    let Some((summary, _)) = read("b_200k.pcap.zst") else { return };
    assert_eq!((summary.exchanges["redis"], summary.open["redis"]), (41_581, 1));
    assert_eq!(summary.exchanges["http"], 3_528);
}

#[test]
fn reused_ports_are_told_apart() {
    let Some((summary, shapes)) = read("c_200k.pcap.zst") else { return };
    assert_eq!((summary.exchanges["http"], summary.open["http"]), (17_419, 36));
    assert!(shapes.iter().all(|shape| *shape == (1, 0)), "nothing there belongs together");
}

struct Shapes(Vec<(usize, usize)>);

impl SpanSink for Shapes {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        let links = trace.spans.iter().filter(|span| span.link.is_some()).count();
        self.0.push((trace.spans.len(), links));
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Nothing;

impl Surroundings for Nothing {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, _names: Vec<String>) {}

    fn networks(&mut self, _names: Vec<String>) {}

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

const SLICES: &str = "../../shared/bench/slices";
