//! Limits of the flow table, each counted, and what ends by packet time.

use crate::packets::Packet;
use crate::recorder::{A, B, a, acks, b, check, check_limits, later, run, syn, syn_ack};
use std::net::SocketAddr;
use wirespan_capture::entry::FlowLimits;

/// A datagram between ends that are this number's own.
fn datagram(number: u16) -> Packet {
    Packet::udp(SocketAddr::new(A.ip(), number), B, b"x")
}

#[test]
fn flow_whose_time_comes_first_makes_room() {
    let limits = FlowLimits { flows: 2, ..FlowLimits::default() };
    let packets = [datagram(1), datagram(2), datagram(1), datagram(3), datagram(4)];
    let run = check_limits(
        limits,
        &packets,
        &[
            "A datagram x",
            "#2 A datagram x",
            "A datagram x",
            "#2 end Evicted",
            "#3 A datagram x",
            "end Evicted",
            "#4 A datagram x",
        ],
    );
    assert_eq!((run.counters.flows, run.counters.flows_evicted), (4, 2));
}

#[test]
fn evicted_flow_tells_what_waits_in_it() {
    let limits = FlowLimits { flows: 1, ..FlowLimits::default() };
    check_limits(
        limits,
        &[syn(), syn_ack(), a(3, "x"), datagram(1)],
        &["A gap 0+3", "A 3 x", "end Evicted", "#2 A datagram x"],
    );
}

#[test]
fn ended_flow_that_makes_room_is_not_counted() {
    let limits = FlowLimits { flows: 1, ..FlowLimits::default() };
    let packets = [syn(), acks(0, b(0, "").rst()), datagram(1)];
    let run = check_limits(limits, &packets, &["end Refused", "#2 A datagram x"]);
    assert_eq!(run.counters.flows_evicted, 0);
}

#[test]
fn bytes_of_one_flow_beyond_the_limit_do_not_wait() {
    let limits = FlowLimits { waiting_per_flow: 1_000, ..FlowLimits::default() };
    let long = "x".repeat(600);
    let packets = [syn(), syn_ack(), a(1, &long), a(1 + 600, &long), a(1 + 1_200, "end")];
    let run = run(&packets, 1, limits);
    assert_eq!((run.counters.gaps_forced, run.counters.gap_bytes), (1, 1));
    assert_eq!(run.events.len(), 4);
}

#[test]
fn bytes_of_all_flows_beyond_the_limit_do_not_wait() {
    let limits = FlowLimits { waiting: 1_000, ..FlowLimits::default() };
    let long = "x".repeat(600);
    let from = |port| {
        let client = SocketAddr::new(A.ip(), port);
        let syn = Packet::tcp(client, B, 99, b"").syn();
        [syn, Packet::tcp(client, B, 101, long.as_bytes()).ack(1)]
    };
    let packets: Vec<Packet> = [from(1), from(2)].concat();
    let run = run(&packets, 1, limits);
    assert_eq!(run.counters.gaps_forced, 1);
}

#[test]
fn pieces_without_kept_bytes_are_bounded_too() {
    let limits = FlowLimits { waiting_per_flow: 10_000, ..FlowLimits::default() };
    let mut packets = vec![syn(), syn_ack()];
    packets.extend((0..1_000).map(|n| a(1 + n * 5, "hello").kept(0).at_ns(5_000_000)));
    let run = run(&packets, 1, limits);
    assert_eq!((run.counters.gaps_forced, run.counters.gap_bytes), (1, 5_001));
}

#[test]
fn waiting_bytes_that_were_delivered_do_not_count() {
    let limits = FlowLimits { waiting: 1_000, waiting_per_flow: 1_000, ..FlowLimits::default() };
    let long = "x".repeat(500);
    let mut packets = vec![syn(), syn_ack()];
    for round in 0..10 {
        packets.push(a(round * 1_000 + 500, &long));
        packets.push(a(round * 1_000, &long));
    }
    let run = run(&packets, 3, limits);
    assert_eq!((run.counters.gaps_forced, run.counters.gaps), (0, 0));
}

#[test]
fn waiting_bytes_of_connections_that_are_gone_do_not_count() {
    let limits = FlowLimits { flows: 1, waiting: 2_000, ..FlowLimits::default() };
    let long = "x".repeat(500);
    let mut packets = Vec::new();
    for round in 0..10 {
        let again = |packet: Packet| packet.shift(round << 28, 0);
        packets.extend([again(syn()), again(a(1, &long))]);
    }
    assert_eq!(run(&packets, 3, limits).counters.gaps_forced, 0, "replaced");
    let packets: Vec<Packet> = (0..10).flat_map(|n| [syn(), a(1, &long), datagram(n)]).collect();
    assert_eq!(run(&packets, 3, limits).counters.gaps_forced, 0, "evicted");
}

#[test]
fn silent_connection_is_forgotten() {
    check(
        &[syn(), syn_ack(), a(0, "x"), later(700_000), a(1, "y"), later(1_000)],
        &[
            "A 0 x",
            "end Idle @600002",
            "#2 A datagram later",
            "#3 A 0 y @700103",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn connection_that_speaks_now_and_then_is_not_forgotten() {
    check(
        &[syn(), syn_ack(), a(0, "x"), a(1, "y").after(500_000), a(2, "z").after(500_000)],
        &["A 0 x", "A 1 y", "A 2 z"],
    );
}

#[test]
fn silent_datagrams_are_forgotten_sooner() {
    check(
        &[datagram(1), later(61_000), datagram(1)],
        &["A datagram x", "end Idle @60000", "#2 A datagram later", "#3 A datagram x"],
    );
}

#[test]
fn clock_that_goes_back_does_no_harm() {
    check(
        &[syn().at(1_000), syn_ack().at(500), a(0, "x").at(1), a(1, "y").at(2_000)],
        &["A 0 x", "A 1 y"],
    );
}
