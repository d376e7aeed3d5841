//! What is left out where too much comes is counted, and said on what stands beside it.

use crate::http::{Call, all};
use crate::packets::{Packet, source};
use crate::run::AsLive;
use std::io;
use wirespan::config::Config;
use wirespan::exchange::State;
use wirespan::load::{PARTS, Shed};
use wirespan::pipeline::{self, Surroundings};
use wirespan::span::{Span, SpanSink, Trace};
use wirespan::summary::Summary;
use wirespan_capture::packet::Batch;

/// Leaves out what it is told to, batch by batch; what was told last holds on.
struct Here {
    sheds: Vec<Shed>,
    at: usize,
}

impl Surroundings for Here {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, _names: Vec<String>) {}

    fn networks(&mut self, _names: Vec<String>) {}

    fn shed(&mut self) -> Shed {
        let shed = self.sheds.get(self.at).or_else(|| self.sheds.last());
        self.at += 1;
        shed.copied().unwrap_or_default()
    }

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

#[derive(Default)]
struct Spans(Vec<Span>);

impl SpanSink for Spans {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.extend(trace.spans.iter().cloned());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(packets: &[Packet], batch: usize, sheds: &[Shed]) -> (Vec<Span>, Summary) {
    let mut here = Here { sheds: sheds.to_vec(), at: 0 };
    let mut spans = Spans::default();
    let config = Config::default();
    let outcomes = pipeline::run(&mut source(packets, batch), &mut here, &config, &mut spans);
    (spans.0, outcomes.summary)
}

/// So many calls, each on a connection of its own, one after the other.
fn calls(count: u16) -> Vec<Packet> {
    let call = |number: u16| {
        let at = 10 + i64::from(number) * 20;
        Call::new(1, 2, at..at + 15, "/a").port(10_000 + number)
    };
    all(&(0..count).map(call).collect::<Vec<_>>())
}

#[test]
fn a_part_of_all_flows_is_left_out_whole_and_counted() {
    let half = Shed { kept: PARTS / 2, ..Shed::NOTHING };
    let packets = calls(400);
    let (spans, summary) = run(&packets, 7, &[half]);
    assert!((150..250).contains(&spans.len()), "{}", spans.len());
    assert!(spans.iter().all(|span| span.exchange.state == State::Complete));
    assert!(spans.iter().all(|span| span.exchange.touched.shed));
    assert_eq!(summary.touched["shed"], spans.len() as u64);
    let each = packets.len() as u64 / 400;
    assert_eq!(summary.lost["packets_shed"], (400 - spans.len() as u64) * each);
    let [interval] = summary.losses.as_slice() else { panic!("{:?}", summary.losses) };
    assert_eq!((interval.what, interval.share), ("shed", Some(0.5)));
    assert_eq!(interval.packets, summary.lost["packets_shed"]);
    assert!(summary.to_string().contains("with up to 50 % of all flows"));
}

#[test]
fn what_is_left_out_at_a_level_is_left_out_at_higher_ones() {
    let kept = |kept: u8| {
        let (spans, _) = run(&calls(200), 9, &[Shed { kept, ..Shed::NOTHING }]);
        spans.iter().map(|span| span.exchange.client.port()).collect::<Vec<_>>()
    };
    let [many, few] = [kept(40), kept(10)];
    assert!(few.len() < many.len() && few.iter().all(|port| many.contains(port)));
    assert!(kept(0).is_empty());
}

#[test]
fn a_request_that_is_cut_off_is_no_timeout_and_says_why() {
    // The requests come in the first batch, the answers in those in which nothing is looked at.
    let mut packets = Vec::new();
    for port in 10_000..10_020 {
        packets.extend(Call::new(1, 2, 10..2_000, "/a").port(port).packets());
    }
    packets.sort_by_key(Packet::time);
    let requests = packets.iter().filter(|packet| packet.time() < 1_000_000_000).count();
    let (spans, summary) =
        run(&packets, requests, &[Shed::NOTHING, Shed { kept: 0, ..Shed::NOTHING }]);
    assert_eq!(spans.len(), 20);
    for span in &spans {
        assert_eq!(span.exchange.state, State::Evicted);
        assert!(span.exchange.touched.shed);
    }
    assert_eq!(summary.lost["flows_shed"], 20);
}

#[test]
fn flows_that_begin_are_left_out_and_those_that_are_there_go_on() {
    let long = Call::new(3, 4, 5..3_000, "/long").packets();
    let first = long.iter().filter(|packet| packet.time() < 10_000_000).count();
    let calls = calls(20);
    let others = calls.len() as u64;
    let mut packets = [long, calls].concat();
    packets.sort_by_key(Packet::time);
    let closed = Shed { new_flows: true, ..Shed::NOTHING };
    let (spans, summary) = run(&packets, first, &[Shed::NOTHING, closed]);
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].exchange.state, State::Complete);
    assert_eq!(summary.lost["new_flows_shed"], others);
}

#[test]
fn memory_that_was_tight_once_settles_nothing_early_for_ever() {
    let packets = calls(200);
    let sheds = [Shed::NOTHING, Shed { relief: 1, ..Shed::NOTHING }];
    let mut here = Here { sheds: sheds.to_vec(), at: 0 };
    let mut spans = Spans::default();
    let mut live = AsLive(source(&packets, 7));
    let outcomes = pipeline::run(&mut live, &mut here, &Config::default(), &mut spans);
    // Hardly anything was held by then.
    let early = outcomes.summary.settled_early.get("memory").copied().unwrap_or_default();
    assert!(early < 5, "{early} settled early");
    assert_eq!(spans.0.len(), 200);
}

#[test]
fn where_memory_is_tight_flows_are_forgotten_and_traces_settle() {
    let mut packets = Vec::new();
    for port in 10_000..11_000 {
        packets.extend(Call::new(1, 2, 10..60_000, "/a").port(port).packets());
    }
    packets.sort_by_key(Packet::time);
    let tight: Vec<Shed> =
        (0..40).map(|relief| Shed { relief, forget: true, ..Shed::NOTHING }).collect();
    let (spans, summary) = run(&packets, 500, &tight);
    let evicted = spans.iter().filter(|span| span.exchange.state == State::Evicted).count();
    assert!(evicted > 100, "{evicted}");
    assert!(summary.lost["flows_evicted"] >= evicted as u64);
    assert!(summary.settled_early["memory"] > 0);
}
