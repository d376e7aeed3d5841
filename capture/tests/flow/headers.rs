//! From the link layer to the payload: link types, VLANs, fragments, odd lengths.

use crate::packets::Packet;
use crate::recorder::{A, A6, B, B6, check, run};
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::packet::LinkType;

fn udp() -> Packet {
    Packet::udp(A, B, b"data")
}

fn udp6() -> Packet {
    Packet::udp(A6, B6, b"data")
}

fn both(f: impl Fn(Packet) -> Packet) {
    for packet in [udp(), udp6()] {
        let source = packet.source();
        let run = check(&[f(packet)], &["A datagram data"]);
        assert_eq!(run.flows.values().next().unwrap().addresses[0], source);
    }
}

/// The packet must give nothing, and be counted under this name.
fn refused(packet: Packet, counter: &str) {
    let run = run(&[packet], 1, FlowLimits::default());
    assert_eq!(run.events, Vec::<String>::new());
    let mut counted = Vec::new();
    run.counters.each(&mut |name, count| {
        if count > 0 && !["packets", "bytes", "cut", "fragments"].contains(&name) {
            counted.push(name);
        }
    });
    assert_eq!(counted, [counter]);
}

#[test]
fn each_link_type_is_read() {
    for link in [
        LinkType::ETHERNET,
        LinkType::RAW,
        LinkType::RAW_BSD,
        LinkType::RAW_OPENBSD,
        LinkType::LINUX_SLL,
        LinkType::LINUX_SLL2,
        LinkType::NULL,
        LinkType::LOOP,
    ] {
        both(|packet| packet.link(link));
    }
    check(&[udp().link(LinkType::IPV4)], &["A datagram data"]);
    check(&[udp6().link(LinkType::IPV6)], &["A datagram data"]);
}

#[test]
fn loopback_headers_of_either_byte_order_are_read() {
    let families = [(udp(), 2_u32), (udp6(), 24), (udp6(), 28), (udp6(), 30)];
    for (packet, family) in families {
        for header in [family.to_be_bytes(), family.to_le_bytes()] {
            for link in [LinkType::NULL, LinkType::LOOP] {
                let bytes = [&header[..], &packet.ip_bytes(1)].concat();
                check(&[Packet::raw(link, &bytes)], &["A datagram data"]);
            }
        }
    }
}

#[test]
fn vlan_tags_are_taken_off() {
    both(|packet| packet.vlan(7));
    both(|packet| packet.tag(0x88a8, 100).vlan(7));
    both(|packet| packet.tag(0x9100, 100).tag(0x9200, 3).vlan(7));
    both(|packet| packet.link(LinkType::LINUX_SLL).vlan(7));
    both(|packet| packet.link(LinkType::LINUX_SLL2).vlan(7));
}

#[test]
fn priority_and_drop_bits_of_a_vlan_tag_make_no_other_vlan() {
    let run =
        check(&[udp().vlan(7), udp().vlan(7 | 0xf000)], &["A datagram data", "A datagram data"]);
    assert_eq!((run.counters.flows, run.taps), (1, 1));
}

#[test]
fn tag_without_a_vlan_id_is_none() {
    // IEEE 802.1Q, table 9-2: id 0 means that the tag holds a priority only.
    let run = check(&[udp(), udp().vlan(0xe000)], &["A datagram data", "A datagram data"]);
    assert_eq!((run.counters.flows, run.taps), (1, 1));
}

#[test]
fn packet_of_hardly_anything_but_vlan_tags_is_refused() {
    both(|packet| (0..16).fold(packet, |packet, _| packet.vlan(7)));
    refused((0..17).fold(udp(), |packet, _| packet.vlan(7)), "bad_header");
}

#[test]
fn equal_addresses_in_two_vlans_are_two_flows() {
    let all = [udp().vlan(1), udp().vlan(2), udp().vlan(1).vlan(2), udp()];
    let run = check(
        &all,
        &["A datagram data", "#2 A datagram data", "#3 A datagram data", "#4 A datagram data"],
    );
    let mut networks: Vec<_> = run.flows.values().map(|flow| flow.network).collect();
    networks.dedup();
    assert_eq!((networks.len(), run.taps), (4, 4));
}

#[test]
fn two_interfaces_are_two_points_of_one_network() {
    let run = check(&[udp(), udp().on("eth1")], &["A datagram data", "#2 A datagram data"]);
    let flows: Vec<_> = run.flows.values().collect();
    assert_ne!(flows[0].point, flows[1].point);
    assert_eq!(flows[0].network, flows[1].network);
}

#[test]
fn interfaces_of_one_cooked_capture_are_taps_of_their_own() {
    let on = |index| udp().link(LinkType::LINUX_SLL2).hop(index);
    let run = check(&[on(2), on(3)], &["A datagram data", "#2 A datagram data"]);
    assert_eq!(run.taps, 2);
}

#[test]
fn loopbacks_of_two_taps_are_two_networks() {
    let [a, b] = [A, B].map(|end| std::net::SocketAddr::from(([127, 0, 0, 1], end.port())));
    let run = check(
        &[Packet::udp(a, b, b"x"), Packet::udp(a, b, b"y").on("lo2")],
        &["A datagram x", "#2 A datagram y"],
    );
    let flows: Vec<_> = run.flows.values().collect();
    assert_ne!(flows[0].network, flows[1].network);
}

#[test]
fn loopback_that_talks_to_its_hosts_own_address_is_in_the_network_of_the_host() {
    let lo = std::net::SocketAddr::from(([127, 0, 0, 1], B.port()));
    let run = check(
        &[Packet::udp(A, lo, b"x").on("lo"), Packet::udp(A, B, b"y")],
        &["A datagram x", "#2 A datagram y"],
    );
    let flows: Vec<_> = run.flows.values().collect();
    assert_eq!(flows[0].network, flows[1].network);
}

#[test]
fn fragments_in_any_order_make_the_datagram() {
    let text = "0123456789abcdefghijklmnopqrstuvwxyz";
    let expected = format!("A datagram {text}");
    for [from, to] in [[A, B], [A6, B6]] {
        let whole = Packet::udp(from, to, text.as_bytes());
        let pieces = whole.fragments(16);
        assert_eq!(pieces.len(), 3);
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let packets = order.map(|place| pieces[place].clone());
            let run = check(&packets, &[&expected]);
            assert_eq!((run.counters.fragments, run.counters.fragments_lost), (3, 0));
        }
    }
}

#[test]
fn fragments_carry_tcp_too() {
    use crate::recorder::{A_FIRST, syn, syn_ack};
    let segment = Packet::tcp(A, B, A_FIRST, b"a request of some length").ack(1);
    let packets = [vec![syn(), syn_ack()], segment.fragments(24)].concat();
    check(&packets, &["A 0 a request of some length"]);
}

#[test]
fn datagram_without_one_of_its_fragments_is_counted() {
    for [from, to] in [[A, B], [A6, B6]] {
        let pieces = Packet::udp(from, to, &[b'x'; 100]).fragments(40);
        refused(pieces[0].clone(), "fragments_lost");
        refused(pieces[1].clone(), "fragments_lost");
    }
}

#[test]
fn fragments_of_two_datagrams_do_not_mix() {
    let one = Packet::udp(A, B, b"one one one one ").id(1).fragments(16);
    let two = Packet::udp(A, B, b"two two two two ").id(2).fragments(16);
    let packets = [&one[0], &two[0], &two[1], &one[1]].map(Packet::clone);
    check(&packets, &["A datagram two two two two ", "A datagram one one one one "]);
}

#[test]
fn fragments_of_two_taps_do_not_mix() {
    let pieces = Packet::udp(A, B, &[b'x'; 20]).fragments(16);
    let run = run(&[pieces[0].clone(), pieces[1].clone().vlan(3)], 1, FlowLimits::default());
    assert_eq!((run.events.len(), run.counters.fragments_lost), (0, 2));
}

#[test]
fn ip_length_of_zero_means_all_that_was_captured() {
    for (packet, length) in [(udp(), 2..4), (udp6(), 4..6)] {
        let mut bytes = packet.ip_bytes(1);
        bytes[length].fill(0);
        check(&[packet.ip(bytes)], &["A datagram data"]);
    }
    use crate::recorder::{A_FIRST, syn, syn_ack};
    let segment = Packet::tcp(A, B, A_FIRST, b"much").ack(1);
    let mut bytes = segment.ip_bytes(1);
    bytes[2..4].fill(0);
    check(&[syn(), syn_ack(), segment.ip(bytes)], &["A 0 much"]);
}

#[test]
fn padding_of_the_link_layer_is_no_payload() {
    use crate::recorder::{A_FIRST, a, syn, syn_ack};
    let mut bytes = Packet::tcp(A, B, A_FIRST, b"").ack(1).ip_bytes(1);
    bytes.extend([0; 6]);
    let padded = Packet::tcp(A, B, A_FIRST, b"").ip(bytes);
    check(&[syn(), syn_ack(), padded, a(0, "x")], &["A 0 x"]);
}

#[test]
fn what_cannot_be_read_is_counted_by_reason() {
    refused(Packet::raw(LinkType(147), b"anything"), "unknown_link_type");
    refused(Packet::raw(LinkType::ETHERNET, &[0; 13]), "bad_header");
    refused(
        Packet::raw(LinkType::ETHERNET, &[[0; 12].as_slice(), &[8, 6, 0, 1]].concat()),
        "not_ip",
    );
    refused(
        Packet::raw(LinkType::ETHERNET, &[[0; 12].as_slice(), &[8, 0, 0x45]].concat()),
        "bad_header",
    );
    refused(
        Packet::raw(LinkType::ETHERNET, &[[0; 12].as_slice(), &[0x81, 0, 0]].concat()),
        "bad_header",
    );
    refused(Packet::raw(LinkType::RAW, &[0x45]), "bad_header");
    refused(Packet::raw(LinkType::RAW, &[0x15; 60]), "not_ip");
    let mut icmp = udp().ip_bytes(1);
    icmp[9] = 1;
    refused(udp().ip(icmp), "not_tcp_or_udp");
    let mut short = Packet::tcp(A, B, 1, b"").ip_bytes(1);
    short.truncate(20 + 19);
    refused(udp().ip(short), "bad_header");
}

#[test]
fn no_cut_of_a_packet_does_harm() {
    let tags = |packet: Packet| packet.vlan(7).tag(0x88a8, 3);
    let tcp = Packet::tcp(A, B, 1, b"payload").ack(1).tsval(9);
    let mut all = vec![tags(udp()), tags(udp6()), tcp];
    all.extend(udp().fragments(8));
    all.extend(udp6().fragments(8));
    for packet in all {
        let whole = packet.ip_bytes(1);
        for end in 0..whole.len() {
            let cut = packet.clone().ip(whole[..end].to_vec());
            run(&[cut], 1, FlowLimits::default());
        }
    }
}
