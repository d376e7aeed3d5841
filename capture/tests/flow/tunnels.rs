//! Tunnels: each encapsulation, what it says of taps and networks, and what hostile ones come to.

use crate::packets::Packet;
use crate::recorder::{A, A_FIRST, A6, B, B6, a, acks, b, check, run, syn, syn_ack};
use std::net::SocketAddr;
use wirespan_capture::counters::Counters;
use wirespan_capture::decode::{Decoder, Path, Segment};
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::packet::{Frame, InterfaceId, LinkType, PacketHead, Timestamp};
use wirespan_capture::tunnel::Part::{self, Gre, Mpls, Vlan, Vni, Vsid};
use wirespan_capture::tunnel::TUNNELS;

/// What one packet gives.
struct Decoded {
    segment: Option<Segment>,
    payload: Vec<u8>,
    tap: String,
    path: Path,
    counters: Counters,
}

/// Decodes packets of one link type; tells of the last one.
fn decode(link: LinkType, packets: &[Vec<u8>]) -> Decoded {
    let mut decoder = Decoder::default();
    let mut last = None;
    for bytes in packets {
        let head = PacketHead {
            at: Timestamp(0),
            interface: InterfaceId(0),
            link,
            frame: Frame::default(),
            wire_len: bytes.len() as u32,
            bytes: 0..bytes.len(),
        };
        let segment = decoder.decode(bytes, &head);
        let payload = segment.as_ref().map_or(Vec::new(), |s| s.payload(bytes).to_vec());
        last = segment.map(|segment| (segment, payload));
    }
    let (segment, payload) = last.map_or((None, Vec::new()), |(s, payload)| (Some(s), payload));
    let of = |segment: &Segment| {
        let tap = &decoder.taps()[usize::from(segment.seen.tap.0)];
        let path = decoder.networks()[usize::from(segment.network.0)].path.clone();
        (tap.name("eth0"), path)
    };
    let (tap, path) = segment.as_ref().map(of).unwrap_or_default();
    Decoded { segment, payload, tap, path, counters: decoder.counters }
}

/// In raw IP, with these headers around it, a datagram from A to B must be found.
fn found(bytes: Vec<u8>, tap: &str, path: &[Part]) {
    found_on(LinkType::RAW, bytes, tap, path);
}

fn found_on(link: LinkType, bytes: Vec<u8>, tap: &str, path: &[Part]) {
    let decoded = decode(link, &[bytes]);
    let segment = decoded.segment.unwrap();
    assert_eq!((segment.source.ip, segment.destination.port), (v6(A), B.port()));
    assert_eq!((decoded.payload.as_slice(), segment.cut), (b"data".as_slice(), 0));
    assert_eq!((decoded.tap.as_str(), decoded.path.as_slice()), (tap, path));
    assert_eq!((decoded.counters.bad_tunnels, decoded.counters.bad_header), (0, 0));
}

/// The packet must be taken for what it is without the tunnel.
fn left_alone(bytes: Vec<u8>, bad_tunnels: u64) {
    let protocol = bytes[9];
    let decoded = decode(LinkType::RAW, &[bytes]);
    assert_eq!(decoded.counters.bad_tunnels, bad_tunnels);
    if protocol == UDP {
        assert_eq!(decoded.segment.unwrap().source.ip, v6(SocketAddr::from((OUTER[0], 0))));
        assert_eq!((decoded.tap.as_str(), decoded.path.as_slice()), ("eth0", [].as_slice()));
    } else {
        assert!(decoded.segment.is_none());
        assert_eq!(decoded.counters.not_tcp_or_udp, 1);
    }
}

fn v6(end: SocketAddr) -> std::net::Ipv6Addr {
    match end.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        std::net::IpAddr::V6(ip) => ip,
    }
}

/// A datagram from A to B, from its IP header on.
fn inner() -> Vec<u8> {
    Packet::udp(A, B, b"data").ip_bytes(1)
}

fn frame(ip: Vec<u8>) -> Vec<u8> {
    ether(if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] }, ip)
}

fn ether(ether_type: [u8; 2], body: Vec<u8>) -> Vec<u8> {
    [vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], ether_type.to_vec(), body].concat()
}

fn tagged(vlan: u8, body: Vec<u8>) -> Vec<u8> {
    [vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, vlan], body[12..].to_vec()].concat()
}

fn ip(protocol: u8, body: Vec<u8>) -> Vec<u8> {
    ip_between(OUTER, protocol, body)
}

fn ip_between([from, to]: [[u8; 4]; 2], protocol: u8, body: Vec<u8>) -> Vec<u8> {
    let [high, low] = (20 + body.len() as u16).to_be_bytes();
    let header = [0x45, 0, high, low, 0, 9, 0, 0, 64, protocol, 0, 0];
    [header.to_vec(), from.to_vec(), to.to_vec(), body].concat()
}

fn udp(port: u16, body: Vec<u8>) -> Vec<u8> {
    udp_between(OUTER, port, body)
}

fn udp_between(ends: [[u8; 4]; 2], port: u16, body: Vec<u8>) -> Vec<u8> {
    let [[a, b], [c, d]] = [port, 8 + body.len() as u16].map(u16::to_be_bytes);
    ip_between(ends, UDP, [vec![0xc0, 0, a, b, c, d, 0, 0], body].concat())
}

fn vxlan(vni: u8, frame: Vec<u8>) -> Vec<u8> {
    [vec![8, 0, 0, 0, 0, 0, vni, 0], frame].concat()
}

fn gre(header: &[u8], body: Vec<u8>) -> Vec<u8> {
    ip(GRE, [header.to_vec(), body].concat())
}

fn with(header: &[u8], body: Vec<u8>) -> Vec<u8> {
    [header.to_vec(), body].concat()
}

#[test]
fn vxlan_is_taken_off() {
    for port in [4789, 8472, 33_333] {
        found(udp(port, vxlan(7, frame(inner()))), "eth0:vxlan7@192.0.2.1-192.0.2.9", &[Vni(7)]);
    }
    let policy = with(&[0x88, 0x40, 1, 2, 0, 0, 7, 0], frame(inner()));
    found(udp(4789, policy), "eth0:vxlan7@192.0.2.1-192.0.2.9", &[Vni(7)]);
    let tags = vxlan(7, tagged(9, frame(inner())));
    found(udp(4789, tags), "eth0:vxlan7.9@192.0.2.1-192.0.2.9", &[Vni(7), Vlan(9)]);
}

#[test]
fn generic_vxlan_says_what_it_carries() {
    let tap = "eth0:vxlan7@192.0.2.1-192.0.2.9";
    found(udp(4790, with(&[0x0c, 0, 0, 3, 0, 0, 7, 0], frame(inner()))), tap, &[Vni(7)]);
    found(udp(4790, with(&[0x0c, 0, 0, 1, 0, 0, 7, 0], inner())), tap, &[Vni(7)]);
    found(udp(4790, with(&[0x08, 0, 0, 1, 0, 0, 7, 0], inner())), tap, &[Vni(7)]);
    found(udp(4790, vxlan(7, frame(inner()))), tap, &[Vni(7)]);
    left_alone(udp(4790, with(&[0x0c, 0, 0, 9, 0, 0, 7, 0], inner())), 0);
}

#[test]
fn geneve_is_taken_off_with_its_options() {
    let tap = "eth0:geneve7@192.0.2.1-192.0.2.9";
    found(udp(6081, with(&[0, 0, 0x65, 0x58, 0, 0, 7, 0], frame(inner()))), tap, &[Vni(7)]);
    found(udp(6081, with(&[0, 0, 8, 0, 0, 0, 7, 0], inner())), tap, &[Vni(7)]);
    let options = [2, 0x40, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 0x80, 1, b'a', b'b', b'c', b'd'];
    found(udp(6081, with(&options, frame(inner()))), tap, &[Vni(7)]);
    let mut answer = udp(12_345, with(&[0, 0, 8, 0, 0, 0, 7, 0], inner()));
    answer[20..22].copy_from_slice(&6081_u16.to_be_bytes());
    found(answer, tap, &[Vni(7)]);
    // Version 1, a message for the ends, and options that are not there.
    for header in [[0x40, 0], [0, 0x80], [0x3f, 0]] {
        let bytes = [&header[..], &[0x65, 0x58, 0, 0, 7, 0]].concat();
        left_alone(udp(6081, with(&bytes, frame(inner()))), 0);
    }
}

#[test]
fn gre_is_taken_off_with_all_its_fields() {
    let tap = |id| format!("eth0:gre{id}@192.0.2.1-192.0.2.9");
    found(gre(&[0, 0, 8, 0], inner()), &tap(""), &[]);
    found(gre(&[0x20, 0, 8, 0, 0, 0, 0, 5], inner()), &tap("5"), &[Gre(5)]);
    found(gre(&[0x10, 0, 8, 0, 0, 0, 0, 5], inner()), &tap(""), &[]);
    found(gre(&[0x80, 0, 8, 0, 0xab, 0xcd, 0, 0], inner()), &tap(""), &[]);
    let all =
        [0xf0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0];
    found(gre(&all, inner()), &tap("5"), &[Gre(5)]);
    found(gre(&[0, 0, 0x65, 0x58], frame(inner())), &tap(""), &[]);
    found(gre(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 5], frame(inner())), &tap("5"), &[Gre(5)]);
    found(gre(&[0, 0, 0x81, 0, 0, 9, 8, 0], inner()), "eth0:gre.9@192.0.2.1-192.0.2.9", &[Vlan(9)]);
    let labels = gre(&[0, 0, 0x88, 0x47, 0, 1, 0x11, 64], inner());
    found(labels, "eth0:gre@192.0.2.1-192.0.2.9:mpls17", &[Mpls(17)]);
    // PPTP's; a question whether the other end lives; a route without an end.
    left_alone(gre(&[0x20, 1, 0x88, 0x0b, 0, 0, 0, 5], inner()), 0);
    let asks = decode(LinkType::RAW, &[gre(&[0, 0, 0, 0], vec![])]);
    assert_eq!((asks.counters.not_ip, asks.counters.bad_tunnels), (1, 0));
    left_alone(gre(&[0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 200, 1, 2], vec![]), 1);
}

#[test]
fn nvgre_is_told_from_a_bridge_with_a_key_by_its_number() {
    let vsid = gre(&[0x20, 0, 0x65, 0x58, 0, 0x13, 0x88, 0x77], frame(inner()));
    found(vsid, "eth0:nvgre5000@192.0.2.1-192.0.2.9", &[Vsid(5000)]);
    let key = gre(&[0x20, 0, 0x65, 0x58, 0, 0x0f, 0xff, 0xff], frame(inner()));
    found(key, "eth0:gre1048575@192.0.2.1-192.0.2.9", &[Gre(0xf_ffff)]);
}

#[test]
fn erspan_of_each_type_is_taken_off() {
    let tap = |rest| format!("eth0:erspan{rest}@192.0.2.1-192.0.2.9");
    found(gre(&[0, 0, 0x88, 0xbe], frame(inner())), &tap(""), &[]);
    let two = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, 3, 0, 0, 0, 7];
    found(gre(&two, frame(inner())), &tap("3"), &[]);
    // The tag of VLAN 9 was taken off, or is still there.
    let off = [&two[..10], &[0x10, 3, 0, 0, 0, 7]].concat();
    found(gre(&off, frame(inner())), &tap("3.9"), &[Vlan(9)]);
    let kept = [&two[..10], &[0x18, 3, 0, 0, 0, 7]].concat();
    found(gre(&kept, tagged(9, frame(inner()))), &tap("3.9"), &[Vlan(9)]);
    let three = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 9, 0, 3, 1, 2, 3, 4, 0, 0, 0, 0];
    found(gre(&three, frame(inner())), &tap("3"), &[]);
    let sub = [&three[..19], &[1], b"platform"].concat();
    found(gre(&sub, frame(inner())), &tap("3"), &[]);
    let ip = [&three[..18], &[8, 0]].concat();
    found(gre(&ip, inner()), &tap("3"), &[]);
    left_alone(gre(&[&two[..8], &[0x70, 9, 0, 3, 0, 0, 0, 7]].concat(), frame(inner())), 1);
}

#[test]
fn mirrored_packet_that_the_mirror_cut_is_counted_as_cut() {
    let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 4, 3, 0, 0, 0, 7];
    let whole = frame(inner());
    let decoded = decode(LinkType::RAW, &[gre(&header, whole[..whole.len() - 3].to_vec())]);
    assert_eq!((decoded.payload.as_slice(), decoded.counters.cut), (b"d".as_slice(), 1));
    assert_eq!(decoded.segment.unwrap().cut, 3);
}

#[test]
fn mpls_is_known_by_what_comes_after_its_labels() {
    let on = |labels: &[u8], body| {
        let bytes = ether([0x88, 0x47], with(labels, body));
        move |tap: &str, path: &[Part]| found_on(LinkType::ETHERNET, bytes, tap, path)
    };
    let label = [0, 1, 0x11, 64];
    on(&label, inner())("eth0:mpls17", &[Mpls(17)]);
    on(&label, frame(inner()))("eth0:mpls17", &[Mpls(17)]);
    on(&label, with(&[0, 0, 0, 1], frame(inner())))("eth0:mpls17", &[Mpls(17)]);
    on(&label, tagged(9, frame(inner())))("eth0:mpls17.9", &[Mpls(17), Vlan(9)]);
    // An address of the link layer may begin as a header of IP does.
    let mut looks = frame(inner());
    looks[0] = 0x46;
    on(&label, looks)("eth0:mpls17", &[Mpls(17)]);
    // Another label outside, a hash of the flow inside.
    let stack = [0, 2, 0, 64, 0, 1, 0x10, 64, 0, 0, 0x70, 0, 0x12, 0x34, 0x51, 0];
    on(&stack, inner())("eth0:mpls17", &[Mpls(17)]);
    on(&[0, 0, 1, 64], inner())("eth0", &[]);
    found(ip(137, with(&label, inner())), "eth0:mpls17@192.0.2.1-192.0.2.9", &[Mpls(17)]);
}

#[test]
fn mpls_without_an_end_is_refused() {
    let decoded = decode(LinkType::ETHERNET, &[ether([0x88, 0x47], [0, 1, 0x10, 64].repeat(17))]);
    assert_eq!((decoded.counters.bad_header, decoded.segment.is_none()), (1, true));
    let channel = [vec![0, 1, 0x11, 64, 0x10, 0, 0, 7], vec![0; 40]].concat();
    let decoded = decode(LinkType::ETHERNET, &[ether([0x88, 0x47], channel)]);
    assert_eq!((decoded.counters.bad_header, decoded.segment.is_none()), (1, true));
}

#[test]
fn ip_in_ip_of_either_version_is_taken_off() {
    found(ip(4, inner()), "eth0:ipip@192.0.2.1-192.0.2.9", &[]);
    let six = Packet::udp(A6, B6, b"data").ip_bytes(1);
    let in_six = |protocol, body: Vec<u8>| {
        let mut header = six[..40].to_vec();
        (header[4], header[5], header[6]) = (0, body.len() as u8, protocol);
        with(&header, body)
    };
    found(in_six(4, inner()), "eth0:ipip@fd00::1-fd00::2", &[]);
    for bytes in [ip(41, six.clone()), in_six(41, six.clone())] {
        let decoded = decode(LinkType::RAW, &[bytes]);
        assert_eq!((decoded.payload.as_slice(), decoded.counters.in_ip), (b"data".as_slice(), 1));
    }
    left_alone(ip(4, six), 1);
    left_alone(ip(41, inner()), 1);
}

#[test]
fn pppoe_makes_no_tap_and_no_network() {
    let session = |protocol: u8, body: Vec<u8>| {
        let len = body.len() as u8 + 2;
        let header = [0x11, 0, 0, 3, 0, len, 0, protocol];
        ether([0x88, 0x64], [header.to_vec(), body, vec![0; 6]].concat())
    };
    found_on(LinkType::ETHERNET, session(0x21, inner()), "eth0", &[]);
    found_on(LinkType::ETHERNET, tagged(9, session(0x21, inner())), "eth0.9", &[Vlan(9)]);
    let six = session(0x57, Packet::udp(A6, B6, b"data").ip_bytes(1));
    assert_eq!(decode(LinkType::ETHERNET, &[six]).payload, b"data");
    let asks = decode(LinkType::ETHERNET, &[session(0x25, vec![1, 2, 3])]);
    assert_eq!((asks.counters.not_ip, asks.counters.bad_header), (1, 0));
}

#[test]
fn tzsp_is_taken_off_with_its_fields() {
    let tap = "eth0:tzsp@192.0.2.1-192.0.2.9";
    found(udp(37008, with(&[1, 0, 0, 1, 1], frame(inner()))), tap, &[]);
    found(udp(37008, with(&[1, 0, 0, 1, 0, 10, 2, 7, 7, 0, 1], frame(inner()))), tap, &[]);
    // Wireless frames, and fields that never end.
    left_alone(udp(37008, with(&[1, 0, 0, 18, 1], frame(inner()))), 0);
    left_alone(udp(37008, vec![1, 0, 0, 1, 10, 200, 1]), 0);
}

#[test]
fn what_only_has_the_port_of_a_tunnel_is_a_datagram() {
    for port in [4789, 8472, 4790, 6081, 37008] {
        left_alone(udp(port, b"just some text".to_vec()), 0);
        left_alone(udp(port, vec![]), 0);
    }
    // On any other port, it must carry IP; on its own, also what is no IP.
    let arp = ether([8, 6], vec![0, 1, 8, 0, 6, 4, 0, 1]);
    left_alone(udp(33_333, vxlan(7, arp.clone())), 0);
    let decoded = decode(LinkType::RAW, &[udp(4789, vxlan(7, arp))]);
    assert_eq!((decoded.counters.not_ip, decoded.counters.in_vxlan), (1, 1));
}

#[test]
fn tunnel_with_a_bad_header_inside_is_what_it_is_outside() {
    left_alone(udp(4789, vxlan(7, frame(vec![0x55; 40]))), 1);
    left_alone(udp(4789, vxlan(7, vec![1, 2, 3])), 1);
    left_alone(gre(&[0, 0, 8, 0], vec![0x45, 0, 0]), 1);
    left_alone(gre(&[0x20], vec![]), 1);
    left_alone(ip(4, vec![]), 1);
    // What is around the bad one is taken off all the same.
    let decoded = decode(LinkType::RAW, &[gre(&[0, 0, 8, 0], udp(4789, vxlan(7, vec![])))]);
    assert_eq!(
        (decoded.tap.as_str(), decoded.counters.bad_tunnels),
        ("eth0:gre@192.0.2.1-192.0.2.9", 1)
    );
}

#[test]
fn nothing_stays_of_a_tunnel_with_a_bad_header_inside() {
    // Two fragments of a segment of TCP that is too short for its header.
    let piece = |more: u8, at: u8| {
        let mut inner = ip(TCP, vec![0; 8]);
        (inner[6], inner[7]) = (more, at);
        // Of no length, as with segmentation offload: all that was cut off is of the datagram.
        let mut outer = udp(4789, vxlan(7, frame(inner)));
        (outer[2], outer[3]) = (0, 0);
        outer
    };
    let mut decoder = Decoder::default();
    let mut decode = |bytes: &[u8]| {
        let head = PacketHead {
            at: Timestamp(0),
            interface: InterfaceId(0),
            link: LinkType::RAW,
            frame: Frame::default(),
            wire_len: bytes.len() as u32 + 5,
            bytes: 0..bytes.len(),
        };
        let cut = decoder.decode(bytes, &head).map(|segment| segment.cut);
        let datagrams = [decoder.datagram().is_some(), decoder.outer_datagram().is_some()];
        let Counters { fragments, in_vxlan, bad_tunnels, .. } = decoder.counters;
        (cut, datagrams, fragments, in_vxlan, bad_tunnels)
    };
    assert_eq!(decode(&piece(0x20, 0)), (None, [true, false], 1, 1, 0));
    assert_eq!(decode(&piece(0, 1)), (Some(5), [false, false], 1, 1, 1));
    // Of several that hold each other, the outermost counts, and as one.
    let decoded = self::decode(LinkType::RAW, &[ip(4, ip(4, ip(TCP, vec![])))]);
    assert_eq!((decoded.counters.bad_tunnels, decoded.counters.not_tcp_or_udp), (1, 1));
}

#[test]
fn tunnels_lie_in_tunnels() {
    let overlay =
        frame(udp_between([[10, 0, 0, 8], [10, 0, 0, 7]], 8472, vxlan(7, frame(inner()))));
    let mirror = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, 3, 0, 0, 0, 7];
    let tap = "eth0:erspan3@192.0.2.1-192.0.2.9:vxlan7@10.0.0.7-10.0.0.8";
    found(gre(&mirror, overlay.clone()), tap, &[Vni(7)]);
    let both = udp(4789, vxlan(5, tagged(9, overlay)));
    found(both, "eth0:vxlan5.9@192.0.2.1-192.0.2.9:vxlan7@10.0.0.7-10.0.0.8", &[Vni(5), Vni(7)]);
}

#[test]
fn no_more_than_so_many_tunnels_are_taken_off() {
    let nested = |times| (0..times).fold(inner(), |body, _| ip(4, body));
    let decoded = decode(LinkType::RAW, &[nested(TUNNELS)]);
    assert_eq!((decoded.payload.as_slice(), decoded.counters.in_ip), (b"data".as_slice(), 8));
    let decoded = decode(LinkType::RAW, &[nested(TUNNELS + 1)]);
    assert!(decoded.segment.is_none());
    assert_eq!((decoded.counters.tunnels_too_deep, decoded.counters.not_tcp_or_udp), (1, 1));
    // Thousands of them, and those that make no tap, cost no more.
    let mut layer = ip(4, vec![]);
    layer[2..4].fill(0);
    let deep = [layer.repeat(3_000), inner()].concat();
    assert_eq!(decode(LinkType::RAW, &[deep]).counters.tunnels_too_deep, 1);
    let wires = (0..3_000).fold(inner(), |body, _| {
        let tag = [0, 0, 1, 64];
        ether([0x88, 0x47], with(&tag, body))
    });
    let decoded = decode(LinkType::ETHERNET, &[wires]);
    assert_eq!((decoded.counters.tunnels_too_deep, decoded.counters.not_ip), (1, 1));
}

#[test]
fn both_directions_of_an_overlay_are_one_tap() {
    let there = udp_between([[10, 0, 0, 7], [10, 0, 0, 8]], 8472, vxlan(7, frame(inner())));
    let back = udp_between([[10, 0, 0, 8], [10, 0, 0, 7]], 8472, vxlan(7, frame(inner())));
    let decoded = decode(LinkType::RAW, &[there, back]);
    assert_eq!(decoded.segment.unwrap().seen.tap.0, 0);
}

/// A connection whose sides come in tunnels of these numbers.
fn talk(wrap: impl Fn(u8, Vec<u8>) -> Vec<u8>, [up, down]: [u8; 2]) -> Vec<Packet> {
    let packets = [syn(), syn_ack(), acks(0, a(0, "asks")), acks(4, b(0, "tells"))];
    let wrapped = packets.iter().enumerate().map(|(number, packet)| {
        let id = if packet.source() == A { up } else { down };
        Packet::raw(LinkType::RAW, &wrap(id, frame(packet.ip_bytes(number as u16 + 1))))
    });
    wrapped.collect()
}

#[test]
fn directions_with_numbers_of_their_own_are_one_flow() {
    let in_vni = |id, frame| udp(4789, vxlan(id, frame));
    let in_key = |id, frame: Vec<u8>| gre(&[0x20, 0, 8, 0, 0, 0, 0, id], frame[14..].to_vec());
    let in_session =
        |id, frame| gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, id, 0, 0, 0, 7], frame);
    let wraps: [&dyn Fn(u8, Vec<u8>) -> Vec<u8>; 3] = [&in_vni, &in_key, &in_session];
    for wrap in wraps {
        let packets = talk(wrap, [1, 2]);
        let run = check(&packets, &["A 0 asks", "B 0 tells"]);
        assert_eq!((run.counters.flows, run.taps), (1, 2));
    }
}

#[test]
fn tenants_with_equal_addresses_are_two_flows() {
    let wrap = |id, frame| udp(4789, vxlan(id, frame));
    let packets = [talk(wrap, [1, 1]), talk(wrap, [2, 2])].concat();
    let run = run(&packets, 1, FlowLimits::default());
    assert_eq!((run.counters.flows, run.taps), (2, 2));
    let networks: Vec<_> = run.flows.values().map(|flow| flow.network).collect();
    assert_ne!(networks[0], networks[1]);
}

#[test]
fn datagrams_of_two_mirror_sessions_are_one_network() {
    let mirrored = |session, packet: Packet| {
        let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, session, 0, 0, 0, 7];
        Packet::raw(LinkType::RAW, &gre(&header, frame(packet.ip_bytes(1))))
    };
    let asks = mirrored(1, Packet::udp(A, B, b"asks"));
    let tells = mirrored(2, Packet::udp(B, A, b"tells"));
    let run = run(&[asks, tells], 1, FlowLimits::default());
    assert_eq!((run.counters.flows, run.taps), (1, 2));
}

#[test]
fn packet_inside_and_outside_of_a_tunnel_is_seen_at_two_points() {
    let outside = talk(|_, frame| frame[14..].to_vec(), [0, 0]);
    let inside = talk(|id, frame| udp(4789, vxlan(id, frame)), [7, 7]);
    let packets: Vec<_> = outside.into_iter().zip(inside).flat_map(|(a, b)| [a, b]).collect();
    let run = run(&packets, 1, FlowLimits::default());
    assert_eq!(
        (run.counters.flows, run.counters.seen_at_next_point, run.counters.copies),
        (2, 4, 0)
    );
}

#[test]
fn fragments_are_put_together_outside_and_inside() {
    let big = Packet::udp(A, B, &[b'x'; 600]);
    let expected = format!("A datagram {}", "x".repeat(600));
    let outer = udp(4789, vxlan(7, frame(big.ip_bytes(1))));
    let (header, body) = outer.split_at(20);
    let piece = |at: usize, to: usize, more: u8| {
        let mut header = header.to_vec();
        header[2..4].copy_from_slice(&(20 + (to - at) as u16).to_be_bytes());
        (header[6], header[7]) = (more, (at / 8) as u8);
        Packet::raw(LinkType::RAW, &[header, body[at..to].to_vec()].concat())
    };
    let pieces = [piece(400, body.len(), 0), piece(0, 400, 0x20)];
    let run = check(&pieces, &[&expected]);
    assert_eq!((run.counters.fragments, run.counters.in_vxlan), (2, 1));
    let inside = big.fragments(320).into_iter().map(|fragment| {
        Packet::raw(LinkType::RAW, &udp(4789, vxlan(7, frame(fragment.ip_bytes(1)))))
    });
    let run = check(&inside.collect::<Vec<_>>(), &[&expected]);
    assert_eq!((run.counters.fragments, run.counters.in_vxlan), (2, 2));
}

#[test]
fn super_segments_and_jumbo_frames_are_read_whole() {
    let text = "x".repeat(70_000);
    let mut segment = Packet::tcp(A, B, A_FIRST, b"").ack(1).ip_bytes(3);
    segment[2..4].fill(0);
    segment.extend(text.as_bytes());
    let mut outer = udp(4789, vxlan(7, frame(inner())));
    outer.truncate(20 + 8 + 8);
    // Neither length of the outer headers can say how long they are.
    outer[2..4].fill(0);
    outer[24..26].fill(0);
    let wrapped = Packet::raw(LinkType::RAW, &[outer, frame(segment)].concat());
    let handshake = talk(|id, frame| udp(4789, vxlan(id, frame)), [7, 7]);
    let packets = [handshake[0].clone(), handshake[1].clone(), wrapped];
    let run = check(&packets, &[&format!("A 0 {text}")]);
    assert_eq!(run.counters.bad_tunnels, 0);
    // IPv6 says so by a length of 0, and in an option that offloading leaves out or not.
    let header = Packet::tcp(A6, B6, A_FIRST, b"").ack(1).ip_bytes(3);
    let option = [6, 0, 0xc2, 4, 0, 1, 0x11, 0x8c];
    for (next, option) in [(6, [].as_slice()), (0, option.as_slice())] {
        let mut ip = [&header[..40], option, &header[40..], text.as_bytes()].concat();
        (ip[4], ip[5], ip[6]) = (0, 0, next);
        assert_eq!(decode(LinkType::ETHERNET, &[frame(ip.clone())]).payload.len(), 70_000);
        let mut outer = gre(&[0, 0, 0x86, 0xdd], vec![]);
        outer[2..4].fill(0);
        assert_eq!(decode(LinkType::RAW, &[with(&outer, ip)]).payload.len(), 70_000);
    }
}

#[test]
fn no_cut_and_no_changed_byte_of_a_tunnel_does_harm() {
    let mirror = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 9, 0, 3, 1, 2, 3, 4, 0, 0, 0, 1];
    let label = [0, 1, 0x11, 64];
    let all = [
        udp(6081, with(&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 0, 0], frame(inner()))),
        gre(&mirror, with(b"platform", frame(udp(8472, vxlan(7, frame(inner())))))),
        gre(
            &[0xf0, 0, 0x88, 0x47, 1, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0],
            with(&label, inner()),
        ),
        udp(37008, with(&[1, 0, 0, 1, 0, 10, 2, 7, 7, 1], frame(ip(41, inner())))),
    ];
    for whole in all {
        for end in 0..whole.len() {
            decode(LinkType::RAW, &[whole[..end].to_vec()]);
            for byte in [0, 1, 0x40, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[end] = byte;
                decode(LinkType::RAW, &[changed]);
            }
        }
    }
}

const OUTER: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 9]];
const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;
