//! Snapshots of a run while it goes on: what they count, and that they change nothing.

use crate::http::{Call, all};
use crate::packets::source;
use crate::run::run;
use std::io;
use wirespan::config::Config;
use wirespan::pipeline::{self, Surroundings};
use wirespan::span::{SpanSink, Trace};
use wirespan::vitals::Vitals;
use wirespan_capture::packet::Batch;

/// Wants a snapshot after each batch, or none.
#[derive(Default)]
struct Curious {
    wants: bool,
    seen: Vec<Vitals>,
}

impl Surroundings for Curious {
    fn filter(&mut self, _batch: &mut Batch) {}
    fn taps(&mut self, _names: Vec<String>) {}
    fn networks(&mut self, _names: Vec<String>) {}

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }

    fn wants_vitals(&mut self) -> bool {
        self.wants
    }

    fn vitals(&mut self, vitals: Vitals) {
        self.seen.push(vitals);
    }
}

#[derive(Default)]
struct Counted(u64);

impl SpanSink for Counted {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0 += trace.spans.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn snapshots_grow_towards_the_counts_at_the_end() {
    let call = |n: i64| Call::new(1, 2, 700 * n..700 * n + 5, &format!("/{n}"));
    let packets = all(&(0..20).map(call).collect::<Vec<_>>());
    let mut here = Curious { wants: true, ..Curious::default() };
    let mut sink = Counted::default();
    let mut source = source(&packets, 1);
    let ran = pipeline::run(&mut source, &mut here, &Config::default(), &mut sink);
    // That somebody looks changes nothing.
    assert_eq!(format!("{:?}", ran.summary), format!("{:?}", run(&packets).summary));
    for pair in here.seen.windows(2) {
        let [before, after] = pair else { continue };
        let counts = |vitals: &Vitals| {
            let joined = &vitals.joined;
            let exchanges = joined.exchanges.get("http").copied();
            let [packets, bytes] = [vitals.counters.packets, vitals.counters.bytes];
            [packets, bytes, vitals.messages, exchanges.unwrap_or_default(), joined.traces]
        };
        assert!(counts(before).iter().zip(counts(after)).all(|(a, b)| *a <= b));
        assert!(before.reached <= after.reached);
    }
    let last = here.seen.last().unwrap();
    assert_eq!(last.counters.packets, ran.summary.packets);
    assert_eq!(last.messages, ran.summary.messages);
    assert!(last.joined.traces > 15 && last.joined.traces <= ran.summary.traces);
    // One call is open at a time, and seen so.
    assert_eq!(here.seen.iter().map(|vitals| vitals.open_requests).max(), Some(1));
    assert!(here.seen.iter().any(|vitals| vitals.held > 0 && vitals.flows > 0));
}

#[test]
fn nobody_is_told_who_does_not_ask() {
    let packets = all(&[Call::new(1, 2, 0..5, "/")]);
    let mut here = Curious::default();
    let mut sink = Counted::default();
    pipeline::run(&mut source(&packets, 1), &mut here, &Config::default(), &mut sink);
    assert!(here.seen.is_empty() && sink.0 == 1);
}
