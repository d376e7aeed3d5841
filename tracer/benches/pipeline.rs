//! Microseconds per span, from the bytes of a capture to joined traces, on one thread; what is
//! printed is the best of several runs: `cargo bench -p wirespan`.
#![expect(clippy::print_stdout, reason = "a benchmark's data go to stdout")]

use std::io;
use std::path::Path;
use std::time::Instant;
use wirespan::config::Config;
use wirespan::pipeline::{Surroundings, run};
use wirespan::span::{SpanSink, Trace};
use wirespan_capture::packet::Batch;
use wirespan_capture::source::file::FileSource;

fn main() {
    let smoke = std::env::args().any(|word| word == "--smoke");
    let runs = if smoke { 1 } else { 200 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let best = match pool {
        Ok(pool) => {
            pool.install(|| (0..runs).map(|_| microseconds()).fold(f64::INFINITY, f64::min))
        }
        Err(error) => return println!("no threads: {error}"),
    };
    println!("capture to traces, shop          {best:8.2} us a span");
}

fn microseconds() -> f64 {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join(CAPTURE);
    let Ok(mut source) = FileSource::open(&capture) else {
        println!("{CAPTURE} cannot be read");
        return f64::INFINITY;
    };
    let mut spans = Counting(0);
    let config = Config { threads: 1, ..Config::default() };
    let began = Instant::now();
    run(&mut source, &mut Nothing, &config, &mut spans);
    let took = began.elapsed().as_nanos() as f64 / 1e3;
    assert!(spans.0 > 0, "no span came out");
    took / spans.0 as f64
}

struct Counting(usize);

impl SpanSink for Counting {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0 += trace.spans.len();
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

const CAPTURE: &str = "../testdata/captures/kiosk/input.pcapng.zst";
