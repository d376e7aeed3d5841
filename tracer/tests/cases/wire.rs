//! Bytes of packets, and files that hold them.

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Addresses of the link layer: from and to.
pub(crate) type Macs = [[u8; 6]; 2];

/// A frame of Ethernet with one segment of TCP.
pub(crate) fn frame(
    macs: Macs,
    ends: [SocketAddr; 2],
    ttl: u8,
    ip_id: u16,
    tcp: &TcpHeader,
    payload: &[u8],
) -> Vec<u8> {
    let tcp =
        TcpHeader { source_port: ends[0].port(), destination_port: ends[1].port(), ..tcp.clone() };
    let builder = PacketBuilder::ip(ip(ends.map(|end| end.ip()), ttl, ip_id));
    let mut bytes = ethernet(macs, ends[0].is_ipv4());
    builder.tcp_header(tcp).write(&mut bytes, payload).unwrap();
    bytes
}

/// A tunnel between two hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vxlan {
    pub(crate) vni: u32,
    pub(crate) ends: [Ipv4Addr; 2],
}

impl Vxlan {
    /// A frame in this tunnel, on the way from its first end to the second, or back.
    pub(crate) fn around(&self, inner: &[u8], back: bool) -> Vec<u8> {
        let [from, to] = if back { [self.ends[1], self.ends[0]] } else { self.ends };
        let mac = |ip: Ipv4Addr| {
            [2, 0xee, ip.octets()[0], ip.octets()[1], ip.octets()[2], ip.octets()[3]]
        };
        let mut bytes = ethernet([mac(from), mac(to)], true);
        let port = 49_152
            + inner.iter().take(40).fold(0_u16, |sum, byte| sum * 3 % 997 + u16::from(*byte));
        let vni = self.vni.to_be_bytes();
        let payload = [&[8, 0, 0, 0, vni[1], vni[2], vni[3], 0], inner].concat();
        PacketBuilder::ip(ip([from.into(), to.into()], 64, 0))
            .udp(port, 4789)
            .write(&mut bytes, &payload)
            .unwrap();
        bytes
    }
}

fn ethernet([from, to]: Macs, is_v4: bool) -> Vec<u8> {
    let kind: [u8; 2] = if is_v4 { [8, 0] } else { [0x86, 0xdd] };
    [&to[..], &from[..], &kind[..]].concat()
}

fn ip([from, to]: [IpAddr; 2], ttl: u8, id: u16) -> IpHeaders {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = Ipv4Header::new(0, ttl, IpNumber::TCP, from.octets(), to.octets());
            let header = Ipv4Header { identification: id, ..header.unwrap() };
            IpHeaders::Ipv4(header, Default::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let (source, destination) = (from.octets(), to.octets());
            let header = Ipv6Header { source, destination, hop_limit: ttl, ..Default::default() };
            IpHeaders::Ipv6(header, Default::default())
        }
        _ => panic!("two versions of IP in one packet"),
    }
}

/// A capture file with these interfaces, and packets by time in nanoseconds and interface:
/// <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>.
pub(crate) fn pcapng<'a>(
    interfaces: &[String],
    packets: impl Iterator<Item = (i64, usize, &'a [u8])>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(&mut bytes, 0x0a0d_0d0a, &section);
    for name in interfaces {
        let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
        option(&mut body, 2, name.as_bytes());
        option(&mut body, 9, &[9]);
        option(&mut body, 0, &[]);
        block(&mut bytes, 1, &body);
    }
    for (at, interface, packet) in packets {
        let length = packet.len() as u32;
        let numbers = [interface as u32, (at as u64 >> 32) as u32, at as u32, length, length];
        let mut body: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        body.extend_from_slice(packet);
        block(&mut bytes, 6, &body);
    }
    bytes
}

fn block(bytes: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = (body.len() + padding + 12) as u32;
    bytes.extend(kind.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.extend(vec![0; padding]);
    bytes.extend(length.to_le_bytes());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
