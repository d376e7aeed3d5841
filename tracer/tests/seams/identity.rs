//! What a trace is called: ids that come from the packets alone, and that never change.

use crate::http::{Call, all, sorted};
use crate::packets::Packet;
use crate::run::{Ran, run, run_with};
use std::collections::BTreeSet;
use wirespan::config::Config;
use wirespan::join::window::WindowLimits;
use wirespan_parsers::trace_context::Format;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACE_ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

fn traceparent(span: u64) -> String {
    format!("traceparent: 00-{TRACE}-{span:016x}-01")
}

fn some_calls() -> Vec<Call> {
    vec![
        Call::new(1, 2, 10..90, "/front").asks("X-Request-ID: r1"),
        Call::new(2, 3, 20..40, "/back").asks("X-Request-ID: r1"),
        Call::new(2, 4, 50..60, "/other").asks(&traceparent(7)),
        Call::new(5, 6, 15..25, "/alone"),
    ]
}

#[test]
fn ids_hang_on_nothing_but_the_packets() {
    let packets = all(&some_calls());
    let ids = run(&packets).ids();
    let renamed: Vec<Packet> =
        packets.iter().map(|packet| packet.clone().on("another/name:eth7")).collect();
    assert_eq!(run(&renamed).ids(), ids, "the name of the interface");
    // Another interface comes first, and frames have other numbers.
    let other = Call::new(8, 9, 1..3, "/elsewhere").packets();
    let other = other.into_iter().map(|packet| packet.on("before"));
    let ran = run(&sorted(other.chain(packets).collect()));
    let more: BTreeSet<_> = ran.ids().into_iter().collect();
    assert!(ids.iter().all(|id| more.contains(id)), "the numbers of interfaces and frames");
}

#[test]
fn ids_hang_not_on_the_order_of_two_points() {
    let near = all(&some_calls());
    let seen = |name: &str, hops: u8| {
        let packets = near.iter().map(|packet| {
            packet.clone().on(name).ttl(64 - hops).at_ns(packet.time() + i64::from(hops) * 9_000)
        });
        packets.collect::<Vec<_>>()
    };
    let one = sorted([seen("a", 0), seen("b", 1)].concat());
    let two = sorted([seen("b", 1), seen("x", 0)].concat());
    assert_eq!(run(&one).ids(), run(&two).ids());
}

#[test]
fn ids_hang_not_on_the_order_of_two_points_at_one_moment() {
    let near = all(&some_calls());
    let seen = |name: &str, ttl: u8| {
        near.iter().map(|packet| packet.clone().on(name).ttl(ttl)).collect::<Vec<_>>()
    };
    let one = sorted([seen("a", 64), seen("b", 63)].concat());
    let two = sorted([seen("b", 63), seen("a", 64)].concat());
    assert_eq!(run(&one).ids(), run(&two).ids());
}

#[test]
fn other_packets_have_other_ids() {
    let ids = |calls: &[Call]| run(&all(calls)).ids();
    let base = ids(&[Call::new(1, 2, 10..20, "/x").port(40_000)]);
    for other in [
        Call::new(1, 2, 11..20, "/x").port(40_000),
        Call::new(1, 3, 10..20, "/x").port(40_000),
        Call::new(1, 2, 10..20, "/x").port(40_001),
    ] {
        assert_ne!(ids(&[other]), base);
    }
    let vlan = |id| {
        let packets = Call::new(1, 2, 10..20, "/x").port(40_000).packets();
        run(&packets.into_iter().map(|packet| packet.vlan(id)).collect::<Vec<_>>()).ids()
    };
    assert_ne!(vlan(1), vlan(2), "networks tell tenants apart");
    assert_ne!(vlan(1), base);
}

#[test]
fn id_of_the_wire_names_the_trace() {
    let ran = run(&all(&[
        Call::new(1, 2, 10..90, "/front"),
        Call::new(2, 3, 20..40, "/back").asks(&traceparent(7)),
    ]));
    assert_eq!(ran.trees(), ["/front(/back[one-candidate])"]);
    assert_eq!((ran.traces[0].id, ran.traces[0].wire), (TRACE_ID, Some(Format::Traceparent)));
    assert!(!ran.traces[0].late);
}

#[test]
fn request_id_names_no_trace() {
    let ran = run(&all(&[Call::new(1, 2, 10..90, "/x").asks("X-Request-ID: r")]));
    assert_eq!(ran.traces[0].wire, None);
}

#[test]
fn what_comes_after_its_trace_keeps_the_wires_id_and_is_late() {
    let early = [
        Call::new(1, 2, 10..90, "/front").asks(&traceparent(1)),
        Call::new(2, 3, 20..40, "/back").asks(&traceparent(2)),
    ];
    let late = Call::new(2, 4, 9_000..9_010, "/late").asks(&traceparent(3));
    let ran = run(&all(&[&early[..], &[late]].concat()));
    assert_eq!(ran.trees(), ["/front(/back[traceparent])", "/late"]);
    assert_eq!((ran.trace_of("/front").id, ran.trace_of("/front").late), (TRACE_ID, false));
    assert_eq!((ran.trace_of("/late").id, ran.trace_of("/late").late), (TRACE_ID, true));
    // It was called by the server of the first, long after that one had answered.
    let earlier = ran.trace_of("/late").spans[0].earlier.expect("a caller that was handed out");
    assert_eq!((earlier.trace, earlier.span), (TRACE_ID, ran.trace_of("/front").spans[0].id));
    assert!(ran.trace_of("/front").spans.iter().all(|span| span.earlier.is_none()));
    let alone = run(&all(&early));
    assert_eq!(ran.trace_of("/front").spans.len(), alone.trace_of("/front").spans.len());
    let ids = |ran: &Ran| ran.trace_of("/front").spans.iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(ids(&ran), ids(&alone), "nothing that was handed out has changed");
}

#[test]
fn trace_of_few_spans_at_most_settles_early() {
    let mut calls = vec![Call::new(1, 2, 10..5_000, "/front").asks(&traceparent(1))];
    calls.extend((1..=20).map(|n| {
        let at = 100 * i64::from(n);
        Call::new(2, 3, at..at + 2, "/back").port(n).asks(&traceparent(u64::from(n) + 1))
    }));
    let config = || Config {
        window: WindowLimits { members: 4, ..Config::default().window },
        ..Config::default()
    };
    let ran = run_with(&all(&calls), &config);
    assert_eq!(ran.spans().len(), 21);
    assert!(ran.traces.iter().all(|trace| trace.spans.len() <= 4));
    assert!(ran.summary.settled_early["members"] > 0);
}

#[test]
fn trace_of_very_many_identifiers_does_not_crowd_out_others() {
    let mut calls = vec![
        Call::new(1, 2, 10..90, "/front").asks(&traceparent(1)),
        Call::new(5, 6, 900..8_000, "/long"),
        Call::new(2, 4, 9_000..9_010, "/late").asks(&traceparent(3)),
    ];
    calls.extend((1..=1_100).map(|n| {
        let at = 1_000 + n * 4;
        Call::new(6, 7, at..at + 2, "/many").port(n as u16).asks(&format!("b3: {n:032x}-{n:016x}"))
    }));
    let ran = run(&all(&calls));
    assert_eq!(ran.trace_of("/long").spans.len(), 1_101);
    let earlier = ran.trace_of("/late").spans[0].earlier.expect("a caller that was handed out");
    assert_eq!(earlier.span, ran.trace_of("/front").spans[0].id);
}

#[test]
fn exchange_that_was_open_when_its_trace_was_handed_out_is_late() {
    let calls = [
        Call::new(1, 2, 10..60_000, "/front").asks(&traceparent(1)),
        Call::new(2, 3, 20..40, "/back").asks(&traceparent(2)),
        Call::new(7, 8, 30_000..30_001, "/tick"),
    ];
    let config = || Config {
        window: WindowLimits { oldest: 10_000_000_000, ..WindowLimits::default() },
        ..Config::default()
    };
    let ran = run_with(&all(&calls), &config);
    assert_eq!(ran.summary.settled_early["age"], 1);
    assert_eq!((ran.trace_of("/back").id, ran.trace_of("/back").late), (TRACE_ID, false));
    assert_eq!((ran.trace_of("/front").id, ran.trace_of("/front").late), (TRACE_ID, true));
}

/// Calls that all carry one header, `apart` milliseconds from each other.
fn repeated(count: i64, apart: i64, header: &str) -> Vec<Packet> {
    let call = |n: i64| {
        let start = 1_000 + n * apart;
        Call::new(1, 2, start..start + 3, &format!("/{n}")).port(10_000 + n as u16).asks(header)
    };
    all(&(0..count).map(call).collect::<Vec<_>>())
}

/// The number of traces for each id that names more than one span.
fn check_repeats(packets: &[Packet], count: usize, format: &str) -> Ran {
    let ran = run(packets);
    assert_eq!(ran.traces.len(), count, "each call is a trace of its own");
    let repeating: Vec<&String> = ran.summary.repeating_ids.keys().collect();
    assert!(repeating.len() == 1 && repeating[0].starts_with(format), "{repeating:?}");
    // Those that were open at the moment of judgement are not in the count.
    let counted = *ran.summary.repeating_ids.values().next().unwrap();
    assert!((count as u64 - 5..=count as u64).contains(&counted), "{counted}");
    ran
}

#[test]
fn request_id_that_never_changes_makes_no_trace() {
    for apart in [1, 10, 100] {
        check_repeats(&repeated(500, apart, "X-Request-ID: constant"), 500, "x-request-id");
    }
}

#[test]
fn trace_id_that_never_changes_makes_no_trace() {
    for apart in [1, 10] {
        let ran = check_repeats(&repeated(600, apart, &traceparent(1)), 600, "traceparent");
        let ids: BTreeSet<u128> = ran.traces.iter().map(|trace| trace.id).collect();
        assert_eq!(ids.len(), 600, "each has an id of its own");
    }
}

#[test]
fn request_id_a_little_too_often_makes_no_trace() {
    check_repeats(&repeated(40, 10, "X-Request-ID: constant"), 40, "x-request-id");
}

#[test]
fn request_id_of_some_calls_in_a_row_still_joins() {
    let mut calls = vec![Call::new(1, 2, 10..900, "/front").asks("X-Request-ID: r")];
    for n in 0..20 {
        let start = 20 + n * 30;
        let path = format!("/{n}");
        calls.push(Call::new(2, 3, start..start + 20, &path).asks("X-Request-ID: r"));
    }
    let ran = run(&all(&calls));
    assert_eq!((ran.traces.len(), ran.summary.repeating_ids.len()), (1, 0));
}

#[test]
fn health_checks_with_one_id_are_noticed_in_the_end() {
    for header in ["X-Request-ID: health".to_owned(), traceparent(1)] {
        let ran = run(&repeated(20, 10_000, &header));
        assert_eq!(ran.traces.len(), 20);
        assert_eq!(ran.summary.repeating_ids.len(), 1);
        // Those that came before it was noticed bear the wire's id, and say that they are late.
        let named = ran.traces.iter().filter(|trace| trace.id == TRACE_ID);
        let late: Vec<bool> = named.map(|trace| trace.late).collect();
        assert!(late.len() <= 9, "{late:?}");
        assert!(late.iter().skip(1).all(|late| *late), "{late:?}");
    }
}
