//! Where exchanges were seen: packets, taps, networks and points.

use crate::http::{Call, Connection, all, end, get, ok, sorted};
use crate::packets::Packet;
use crate::run::{ms, run};
use std::net::SocketAddr;
use wirespan::span::LinkKind;

/// All packets, as a tap sees them that is `hops` further from the client, a little later.
fn further(packets: &[Packet], interface: &str, hops: u8, later: i64) -> Vec<Packet> {
    let seen = |packet: &Packet| {
        let ttl = if packet.source().port() >= 10_000 { 64 - hops } else { 60 + hops };
        packet.clone().on(interface).hop(hops).ttl(ttl).at_ns(packet.time() + later)
    };
    packets.iter().map(seen).collect()
}

#[test]
fn each_tap_and_network_is_told_once() {
    let call = |vlan: u16| {
        let times = i64::from(vlan) * 10..i64::from(vlan) * 10 + 5;
        let packets = Call::new(1, 2, times, "/").port(10_000 + vlan).packets();
        packets.into_iter().map(move |packet| packet.vlan(vlan))
    };
    let vlans = 1..60;
    let ran = run(&vlans.clone().flat_map(call).collect::<Vec<_>>());
    assert_eq!(ran.taps, vlans.clone().map(|vlan| format!("eth0.{vlan}")).collect::<Vec<_>>());
    assert_eq!(ran.networks, vlans.map(|vlan| vlan.to_string()).collect::<Vec<_>>());
}

#[test]
fn each_half_of_an_exchange_knows_its_first_packet() {
    let mut connection = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = connection.open(0);
    let [seq, ack] = connection.next();
    packets.push(connection.asks(5, get("/x", &[])).ttl(61).id(777).tsval(4_000));
    packets.push(connection.tells(9, ok(&[], "")).ttl(59).id(888).tsval(9_000));
    let ran = run(&packets);
    let exchange = &ran.span("/x").exchange;
    let (request, response) = (exchange.request, exchange.response.unwrap());
    assert_eq!((request.first.frame.number, response.first.frame.number), (3, 4));
    assert_eq!((ms(request.first.at), ms(response.last.at)), (5, 9));
    assert_eq!((request.ttl, request.ip_id, request.tsval), (61, 777, 4_000));
    assert_eq!((response.ttl, response.ip_id, response.tsval), (59, 888, 9_000));
    assert_eq!((request.seq, request.ack), (Some(seq), ack));
    assert_eq!((response.seq, response.ack), (Some(ack), seq + get("/x", &[]).len() as u32));
}

#[test]
fn equal_addresses_in_two_vlans_are_other_connections() {
    let call = Call::new(1, 2, 10..20, "/one").port(40_000).packets();
    let other = Call::new(1, 2, 10..20, "/two").port(40_000).packets();
    let one = call.into_iter().map(|packet| packet.vlan(1));
    let two = other.into_iter().map(|packet| packet.vlan(2));
    let ran = run(&sorted(one.chain(two).collect()));
    assert_eq!(ran.trees(), ["/one@eth0.1", "/two@eth0.2"]);
    assert_eq!(ran.summary.exchanges["http"], 2);
}

#[test]
fn answer_in_another_vlan_is_one_if_its_numbers_fit() {
    let packets = Call::new(1, 2, 10..20, "/x").packets();
    let split = packets.into_iter().map(|packet| {
        let vlan = if packet.source().ip() == end(1, 0).ip() { 1 } else { 2 };
        packet.vlan(vlan)
    });
    let ran = run(&split.collect::<Vec<_>>());
    assert_eq!((ran.summary.exchanges["http"], ran.summary.points), (1, 1));
    let because = ran.summary.point_list[0].because.as_deref();
    assert_eq!(because, Some("each tap saw one side of 1 flow"));
}

#[test]
fn answer_of_another_tenant_is_no_answer() {
    let packets = Call::new(1, 2, 10..20, "/x").packets();
    let split = packets.into_iter().map(|packet| {
        let ours = packet.source().ip() == end(1, 0).ip();
        if ours { packet.vlan(1) } else { packet.vlan(2).shift(5_000_000, 5_000_000) }
    });
    let ran = run(&split.collect::<Vec<_>>());
    assert_eq!(ran.summary.exchanges.len(), 0);
    assert_eq!(ran.summary.open_by["one_sided"], 1);
    assert_eq!(ran.summary.lost["responses_without_request"], 1);
}

#[test]
fn call_in_another_vlan_has_no_candidate() {
    let front = Call::new(1, 2, 10..50, "/front").packets();
    let back = Call::new(2, 3, 20..30, "/back").packets();
    let ran = run(&sorted([front.clone(), back.clone()].concat()));
    assert_eq!(ran.trees(), ["/front(/back[one-candidate])"]);
    let back = back.into_iter().map(|packet| packet.vlan(2)).collect();
    let ran = run(&sorted([front, back].concat()));
    assert_eq!(ran.trees(), ["/front@eth0", "/back@eth0.2"]);
}

#[test]
fn identifier_joins_across_networks() {
    let front = Call::new(1, 2, 10..50, "/front").asks("X-Request-ID: r").packets();
    let back = Call::new(2, 3, 20..30, "/back").asks("X-Request-ID: r").packets();
    let back = back.into_iter().map(|packet| packet.vlan(2)).collect();
    let ran = run(&sorted([front, back].concat()));
    assert_eq!(ran.trees(), ["/front@eth0(/back@eth0.2[x-request-id])"]);
}

#[test]
fn loopbacks_of_two_taps_are_two_hosts() {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let on = |interface: &str, path: &str| {
        let mut connection = Connection::new(local(40_000), local(80));
        let mut packets = connection.open(10);
        packets.push(connection.asks(10, get(path, &[])));
        packets.push(connection.tells(20, ok(&[], "")));
        let later = if interface == "two/lo" { 1_000 } else { 0 };
        let on = |packet: Packet| {
            let time = packet.time() + later;
            packet.on(interface).at_ns(time)
        };
        packets.into_iter().map(on).collect::<Vec<_>>()
    };
    let ran = run(&sorted([on("one/lo", "/one"), on("two/lo", "/two")].concat()));
    assert_eq!(ran.trees(), ["/one@one/lo", "/two@two/lo"]);
    let ran = run(&sorted([on("one/lo", "/same"), on("two/lo", "/same")].concat()));
    assert_eq!(ran.traces.len(), 2, "the same numbers on two loopbacks are not one exchange");
}

#[test]
fn two_points_see_one_exchange() {
    let near = Call::new(1, 2, 10..20, "/x").packets();
    for (far, near_name) in [("b", "a"), ("a", "b")] {
        let near = further(&near, near_name, 0, 0);
        // The clock of the far point may be behind.
        for later in [50_000, -300_000] {
            let far = further(&near, far, 1, later);
            let ran = run(&sorted([near.clone(), far].concat()));
            let spans = &ran.traces[0].spans;
            assert_eq!((ran.traces.len(), spans.len()), (1, 2));
            assert_eq!((spans[0].exchange.request.ttl, spans[1].exchange.request.ttl), (64, 63));
            assert_eq!(spans[1].link.as_ref().unwrap().kind, LinkKind::SameExchange);
            assert_eq!(ran.summary.exchanges["http"], 1);
            assert_eq!((ran.summary.spans, ran.summary.points), (2, 2));
        }
    }
}

#[test]
fn answer_that_one_point_lost_and_another_saw_counts() {
    let near = Call::new(1, 2, 10..20, "/x").packets();
    let far = further(&near, "far", 1, 50_000);
    let near = further(&near, "near", 0, 0);
    let is_answer = |packet: &Packet| packet.source().port() == 80 && packet.time() > 15_000_000;
    let without = |packets: &[Packet]| -> Vec<Packet> {
        packets.iter().filter(|packet| !is_answer(packet)).cloned().collect()
    };
    for (near, far) in [(without(&near), far.clone()), (near.clone(), without(&far))] {
        let ran = run(&sorted([near, far].concat()));
        assert_eq!(ran.trees(), ["/x@near(/x@far[tcp-sequence])"]);
        assert_eq!((ran.summary.exchanges["http"], ran.summary.open.len()), (1, 0));
    }
}

#[test]
fn call_behind_two_points_hangs_under_the_inner_one() {
    let front = Call::new(1, 2, 10..50, "/front").asks("X-Request-ID: r").packets();
    let back = Call::new(2, 3, 20..30, "/back").asks("X-Request-ID: r").packets();
    let packets = [
        further(&front, "client", 0, 0),
        further(&front, "server", 1, 50_000),
        further(&back, "server", 0, 0),
        further(&back, "deep", 1, 50_000),
    ];
    let ran = run(&sorted(packets.concat()));
    assert_eq!(
        ran.trees(),
        [
            "/front@client(/front@server[tcp-sequence](/back@server[x-request-id](/back@deep[tcp-sequence])))"
        ]
    );
    assert_eq!(ran.summary.exchanges["http"], 2);
}

#[test]
fn without_identifiers_too_the_inner_point_is_the_candidate() {
    let front = Call::new(1, 2, 10..50, "/front").packets();
    let back = Call::new(2, 3, 20..30, "/back").packets();
    let packets = [
        further(&front, "client", 0, 0),
        further(&front, "server", 1, 50_000),
        further(&back, "server", 0, 0),
    ];
    let ran = run(&sorted(packets.concat()));
    assert_eq!(
        ran.trees(),
        ["/front@client(/front@server[tcp-sequence](/back@server[one-candidate]))"]
    );
}

#[test]
fn many_exchanges_of_one_connection_at_two_points_make_pairs() {
    let mut connection = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = connection.open(0);
    for n in 0..5 {
        packets.push(connection.asks(n * 10 + 1, get(&format!("/{n}"), &[])));
        packets.push(connection.tells(n * 10 + 2, ok(&[], "")));
    }
    let far = further(&packets, "far", 1, 20_000);
    let ran = run(&sorted([further(&packets, "near", 0, 0), far].concat()));
    let pairs: Vec<String> = (0..5).map(|n| format!("/{n}@near(/{n}@far[tcp-sequence])")).collect();
    assert_eq!(ran.trees(), pairs);
}

#[test]
fn datagrams_at_two_points_make_pairs() {
    let dns = |id: u16, at: i64, answers: bool| {
        let flags: [u8; 2] = if answers { [0x81, 0x80] } else { [1, 0] };
        let head = [&id.to_be_bytes()[..], &flags, &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
        let bytes = [&head[..], b"\x04name\x04test\x00", &[0, 1, 0, 1]].concat();
        let (client, server) = (end(1, 40_000), end(2, 53));
        match answers {
            false => Packet::udp(client, server, &bytes).at(at),
            true => Packet::udp(server, client, &bytes).at(at),
        }
    };
    // The first is asked again, with the same id, before an answer comes.
    let packets = [
        dns(7, 10, false),
        dns(7, 500, false),
        dns(7, 510, true),
        dns(8, 600, false),
        dns(8, 610, true),
    ];
    let far = further(&packets, "far", 1, 20_000);
    let ran = run(&sorted([further(&packets, "near", 0, 0), far].concat()));
    assert_eq!(ran.trees(), ["name.test@near(name.test@far[datagram])"; 3]);
    assert_eq!(ran.summary.exchanges["dns"] + ran.summary.open["dns"], 3);
}

#[test]
fn unrelated_connections_with_equal_numbers_are_two_exchanges() {
    let one = Call::new(1, 2, 10..20, "/x").port(40_000).packets();
    let mut other = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = other.open(10);
    packets.push(other.asks(10, get("/x", &[])));
    packets.push(other.tells(20, ok(&[], "")));
    let elsewhere = |packet: Packet| packet.between(end(5, 40_000), end(6, 80)).on("eth1");
    let packets = packets.into_iter().map(elsewhere).collect();
    let ran = run(&sorted([one, packets].concat()));
    assert_eq!(ran.trees(), ["/x@eth0", "/x@eth1"]);
}

#[test]
fn batches_and_threads_do_not_change_which_names_are_known() {
    // A name that is learned just after a trace has settled.
    let mut packets =
        all(&[Call::new(1, 2, 10..20, "/early"), Call::new(1, 2, 2_900..2_910, "/late")]);
    let name = b"\x03web\x00";
    let question = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &name[..], &[0, 1, 0, 1]].concat();
    let answer = [
        &[0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0],
        &name[..],
        &[0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 2],
    ]
    .concat();
    packets.push(Packet::udp(end(1, 40_000), end(9, 53), &question).at(800));
    packets.push(Packet::udp(end(9, 53), end(1, 40_000), &answer).at(2_500));
    packets.push(Packet::udp(end(7, 1), end(8, 2), b"moves time on").at(2_400));
    let ran = run(&sorted(packets));
    assert_eq!(&*ran.span("/early").service, "10.0.0.2:80");
    assert_eq!(&*ran.span("/late").service, "web");
}

#[test]
fn clocks_of_interfaces_that_are_far_apart_are_told_of() {
    let near = Call::new(1, 2, 10..20, "/near").packets();
    let later = |p: &Packet| p.clone().on("eth1").at_ns(p.time() + 3_600_000_000_000);
    let far: Vec<Packet> = near.iter().map(later).collect();
    let mixed: Vec<Packet> =
        far.into_iter().zip(near).flat_map(|(far, near)| [far, near]).collect();
    let ran = run(&mixed);
    let behind = ran.summary.packets_by["behind"];
    assert_eq!(behind, mixed.len() as u64 / 2);
    let remark = format!("{behind} packets are earlier than packets before them, those of eth0");
    assert!(ran.summary.remarks[0].starts_with(&remark), "{:?}", ran.summary.remarks);
    assert!(ran.summary.remarks[0].contains("by up to 3600.0 s"), "{:?}", ran.summary.remarks);
    assert!(run(&Call::new(1, 2, 10..20, "/x").packets()).summary.remarks.is_empty());
}
