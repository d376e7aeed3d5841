//! Where flows are seen: two taps of one point, hops of one tap, tenants, redirects.

use crate::packets::Packet;
use crate::recorder::{A, B, Run, a, acks, b, check, later, syn, syn_ack};
use wirespan_capture::packet::TapId;
use wirespan_capture::stream::PointId;

/// The taps of the points that saw flows, and their hops.
fn points(run: &Run) -> Vec<([u16; 2], u8)> {
    let mut points: Vec<PointId> = run.flows.values().map(|flow| flow.point).collect();
    points.sort_unstable();
    points.dedup();
    points.iter().map(|point| (point.taps.map(|TapId(tap)| tap), point.hop)).collect()
}

/// What A sends on one tap, what B sends on the other one.
fn split(packets: &[Packet]) -> Vec<Packet> {
    let on = |p: &Packet| p.clone().on(if p.source() == A { "up" } else { "down" });
    packets.iter().map(on).collect()
}

fn calls() -> [Packet; 6] {
    [syn(), syn_ack(), a(0, ""), a(0, "ask"), acks(3, b(0, "tell")), acks(4, a(3, "more"))]
}

#[test]
fn each_direction_on_a_tap_of_its_own_is_one_flow() {
    let run = check(&split(&calls()), &["A 0 ask", "B 0 tell", "A 3 more"]);
    assert_eq!(points(&run), [([0, 1], 0)]);
}

#[test]
fn directions_are_put_together_in_mid_connection() {
    let run = check(&split(&calls()[3..]), &["A 0 ask", "B 0 tell", "A 3 more"]);
    assert_eq!(points(&run), [([0, 1], 0)]);
}

#[test]
fn answer_that_comes_before_what_it_acknowledges_is_put_behind_it() {
    let calls = split(&calls());
    let [syn, syn_ack, ack, ask, tell, more] = <[Packet; 6]>::try_from(calls).unwrap();
    check(
        &[syn_ack, syn.after(0), ack, tell, ask.after(0), more],
        // The side that was seen first is side A.
        &["B 0 ask", "A 0 tell", "B 3 more"],
    );
}

#[test]
fn directions_in_a_vlan_each_are_one_network() {
    let on = |p: &Packet| p.clone().vlan(if p.source() == A { 10 } else { 20 });
    let packets: Vec<Packet> = calls().iter().map(on).collect();
    let run = check(&packets, &["A 0 ask", "B 0 tell", "A 3 more"]);
    assert_eq!(points(&run), [([0, 1], 0)]);
    let plain_and_tagged: Vec<Packet> =
        calls().into_iter().map(|p| if p.source() == A { p.vlan(10) } else { p }).collect();
    check(&plain_and_tagged, &["A 0 ask", "B 0 tell", "A 3 more"]);
}

#[test]
fn one_answer_is_enough_where_nothing_speaks_against_it() {
    let refused = [syn(), Packet::tcp(B, A, 0, b"").rst().ack(1_001)];
    let run = check(
        &[&split(&refused)[..], &[later(200)]].concat(),
        &["end Refused @101", "#2 A datagram later"],
    );
    assert_eq!(points(&run)[0], ([0, 1], 0));
}

#[test]
fn datagrams_of_either_direction_are_one_flow() {
    let query = Packet::udp(A, B, b"who").on("up");
    let reply = Packet::udp(B, A, b"me").on("down");
    check(
        &[query, reply, later(200)],
        &["A datagram who", "B datagram me @101", "#2 A datagram later"],
    );
}

#[test]
fn datagrams_of_two_tenants_never_meet() {
    let query = Packet::udp(A, B, b"who").vlan(10);
    let reply = Packet::udp(B, A, b"me").vlan(20);
    check(&[query, reply], &["A datagram who", "#2 A datagram me"]);
}

#[test]
fn datagrams_of_either_direction_in_a_vlan_of_its_own_are_one_flow() {
    let vlan = |p: Packet| if p.source().port() == 80 { p.vlan(20) } else { p.vlan(10) };
    let other = std::net::SocketAddr::from(([10, 0, 0, 1], 40_001));
    let packets = [
        syn(),
        syn_ack(),
        Packet::udp(other, B, b"who"),
        Packet::udp(B, other, b"me").after(0),
        later(200),
    ];
    let run = run_of(&packets.map(vlan));
    let of_second = run.events.iter().filter(|event| event.contains("datagram"));
    let expected = ["A datagram who", "B datagram me @102", "#2 A datagram later"];
    assert!(of_second.eq(expected.iter()), "{:?}", run.events);
}

#[test]
fn tenants_with_equal_addresses_never_meet() {
    let tenant = |p: &Packet, vlan| {
        let other = if vlan == 20 { 7_000_000 } else { 0 };
        p.clone().vlan(vlan).shift(other, other)
    };
    // The second one is seen from the server's side only.
    let mut packets = Vec::new();
    for packet in &calls() {
        packets.push(tenant(packet, 10));
        if packet.source() == B {
            packets.push(tenant(packet, 20).after(0));
        }
    }
    let run = check(&packets, &["A 0 ask", "B 0 tell", "#2 A 0 tell", "A 3 more", "#2 B gap 0+3"]);
    assert_eq!(run.flows.len(), 2);
}

/// The same packets, a little later, at a router's other side.
fn behind_router(p: &Packet, n: i64) -> Packet {
    p.clone().id(100 + n as u16).at_ns(n * 1_000_000 + 200_000).ttl(if p.source() == A {
        63
    } else {
        65
    })
}

fn before_router(p: &Packet, n: i64) -> Packet {
    p.clone().id(100 + n as u16).at_ns(n * 1_000_000)
}

fn both_sides_of_router(packets: &[Packet]) -> Vec<Packet> {
    let both = |(p, n): (&Packet, i64)| [before_router(p, n), behind_router(p, n)];
    packets.iter().zip(0..).flat_map(both).collect()
}

const TWICE: [&str; 6] =
    ["A 0 ask", "#2 A 0 ask", "B 0 tell", "#2 B 0 tell", "A 3 more", "#2 A 3 more"];

#[test]
fn two_hops_of_one_tap_are_two_points() {
    let run = check(&both_sides_of_router(&calls()), &TWICE);
    assert_eq!(points(&run), [([0, 0], 0), ([0, 0], 1)]);
    assert_eq!((run.counters.copies, run.counters.retransmissions), (0, 0));
    assert_eq!(run.counters.seen_at_next_point, 6);
}

#[test]
fn hop_nearer_the_client_sees_more_of_its_life_and_less_of_the_servers() {
    let run = check(&both_sides_of_router(&calls()), &TWICE);
    let ttl = |flow: u64, text: &str| {
        let mut seen = run.seen.iter().filter(|(bytes, _)| bytes == text.as_bytes());
        seen.nth(flow as usize).unwrap().1.ttl
    };
    assert_eq!([ttl(0, "ask"), ttl(0, "tell")], [64, 64]);
    assert_eq!([ttl(1, "ask"), ttl(1, "tell")], [63, 65]);
}

#[test]
fn hops_are_told_by_their_macs_at_once() {
    let hop = |p: &Packet, hop| p.clone().hop(hop);
    let both = |(p, n): (&Packet, u16)| [hop(p, 1).id(n), hop(p, 2).id(n)];
    let packets: Vec<Packet> = calls().iter().zip(100..).flat_map(both).collect();
    let run = check(&packets, &TWICE);
    assert_eq!(points(&run).len(), 2);
}

#[test]
fn hop_that_appears_in_mid_connection_is_a_point() {
    let mut packets = Vec::new();
    for (packet, n) in calls().iter().zip(0..) {
        packets.push(before_router(packet, n));
        if n >= 3 {
            packets.push(behind_router(packet, n));
        }
    }
    // Of its flow, nothing says that bytes before it are missing, until time has passed.
    check(
        &packets,
        &["A 0 ask", "B 0 tell", "A 3 more", "#2 A 0 ask", "#2 B 0 tell", "#2 A 3 more"],
    );
}

#[test]
fn packet_without_ip_id_is_known_again_whether_it_was_padded_or_not() {
    let mut packets = Vec::new();
    for (packet, n) in calls().iter().zip(0..) {
        let near = before_router(packet, n).id(0);
        let mut bytes = near.ip_bytes(0);
        bytes.extend([0; 6]);
        packets.extend([near.ip(bytes), behind_router(packet, n).id(0)]);
    }
    let run = check(&packets, &TWICE);
    assert_eq!(points(&run), [([0, 0], 0), ([0, 0], 1)]);
}

#[test]
fn three_hops_are_three_points() {
    let further = |p: &Packet, n: i64| {
        behind_router(p, n).at_ns(n * 1_000_000 + 300_000).ttl(if p.source() == A {
            62
        } else {
            66
        })
    };
    let all = |(p, n): (&Packet, i64)| [before_router(p, n), behind_router(p, n), further(p, n)];
    let packets: Vec<Packet> = calls().iter().zip(0..).flat_map(all).collect();
    let run = check(
        &packets,
        &[
            "A 0 ask",
            "#2 A 0 ask",
            "#3 A 0 ask",
            "B 0 tell",
            "#2 B 0 tell",
            "#3 B 0 tell",
            "A 3 more",
            "#2 A 3 more",
            "#3 A 3 more",
        ],
    );
    assert_eq!(points(&run), [([0, 0], 0), ([0, 0], 1), ([0, 0], 2)]);
}

#[test]
fn way_that_changes_is_no_other_point() {
    let [syn, syn_ack, ack, ask, tell, more] = calls();
    let packets = [syn, syn_ack, ack, ask.ttl(61), tell.ttl(50), more.ttl(60).hop(3)];
    let run = check(&packets, &["A 0 ask", "B 0 tell", "A 3 more"]);
    assert_eq!((points(&run).len(), run.counters.flows), (1, 1));
}

#[test]
fn taps_that_see_both_sides_are_two_points() {
    let at = |(p, n): (&Packet, i64)| {
        [before_router(p, n).on("one"), behind_router(p, n).ttl(64).on("two")]
    };
    let packets: Vec<Packet> = calls().iter().zip(0..).flat_map(at).collect();
    let run = check(&packets, &TWICE);
    assert_eq!(points(&run), [([0, 0], 0), ([1, 1], 0)]);
    assert_eq!(run.counters.seen_at_next_point, 6);
}

#[test]
fn tap_that_lost_a_request_is_no_half_of_a_point() {
    // The second tap shows the answer first, and then the first one does.
    let [syn, syn_ack, ack, ask, tell, more] = calls();
    let one = |p: &Packet, n| before_router(p, n).on("one");
    let two = |p: &Packet, n: i64| before_router(p, n).at_ns(n * 1_000_000 - 1_000).on("two");
    let packets = [
        one(&syn, 0),
        two(&syn_ack, 1),
        one(&syn_ack, 1),
        one(&ack, 2),
        two(&ack, 3).at_ns(2_001_000),
        one(&ask, 4),
        two(&tell, 5),
        one(&tell, 5),
        one(&more, 6),
    ];
    let run = run_of(&packets);
    assert_eq!(points(&run), [([0, 0], 0), ([1, 1], 0)]);
}

fn run_of(packets: &[Packet]) -> Run {
    crate::recorder::run(packets, usize::MAX, Default::default())
}

#[test]
fn tap_that_turns_out_to_see_both_sides_is_apart_from_the_next_connection_on() {
    let mut packets = split(&calls());
    let [.., ask, _, _] = calls();
    packets.push(ask.on("down"));
    let again: Vec<Packet> = calls()
        .into_iter()
        .map(|p| p.shift(9_000_000, 9_000_000).after(300))
        .flat_map(|p| [p.clone().on("up"), p.on("down").after(0)])
        .collect();
    packets.extend(again);
    let run = run_of(&packets);
    let last: Vec<&str> = run.events.iter().rev().take(6).rev().map(String::as_str).collect();
    let expected = TWICE.map(|line| match line.strip_prefix("#2") {
        Some(rest) => format!("#3{rest}"),
        None => format!("#2 {line}"),
    });
    assert_eq!(last, expected);
}

#[test]
fn redirect_within_a_host_is_one_connection() {
    use std::net::SocketAddr;
    let sidecar = SocketAddr::from(([127, 0, 0, 1], 15_001));
    // The request goes to the sidecar, the answer comes from the service.
    let packets: Vec<Packet> = calls()
        .into_iter()
        .map(|p| if p.source() == A { p.between(A, sidecar) } else { p })
        .collect();
    let run = check(&packets, &["A 0 ask", "B 0 tell", "A 3 more"]);
    assert_eq!((run.counters.redirected, run.counters.flows), (1, 1));
}

#[test]
fn port_that_is_used_again_is_redirected_no_more() {
    use std::net::SocketAddr;
    let sidecar = SocketAddr::from(([127, 0, 0, 1], 80));
    let to_sidecar = |p: Packet| if p.source() == A { p.between(A, sidecar) } else { p };
    let again = |p: Packet| p.shift(7_000_000, 7_000_000).after(5);
    let packets: Vec<Packet> = calls()
        .map(to_sidecar)
        .into_iter()
        .chain(calls().map(again))
        .chain(calls().map(|p| to_sidecar(again(again(p)))))
        .collect();
    let run = run_of(&packets);
    let servers: Vec<SocketAddr> = run.flows.values().map(|flow| flow.addresses[1]).collect();
    assert_eq!(servers, [sidecar, B, sidecar]);
    assert_eq!(run.counters.redirected, 2);
}

#[test]
fn balancer_whose_both_sides_are_seen_is_no_redirect() {
    use std::net::SocketAddr;
    let front = SocketAddr::from(([10, 0, 0, 9], 80));
    let mut packets = Vec::new();
    for packet in calls() {
        packets.push(packet.clone().between(A, front));
        packets.push(packet);
    }
    let run = run_of(&packets);
    assert_eq!((run.counters.redirected, run.counters.flows), (0, 2));
}
