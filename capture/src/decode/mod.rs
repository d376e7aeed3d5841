//! A packet's headers: from the link layer to the payload of TCP or UDP, lax where the capture cut
//! the packet. Tunnels are taken off. Comes in: a packet. Goes out: a [`Segment`], or a count of why
//! not.

mod spot;
mod inside;

use self::spot::{Spot, Table};
use crate::counters::Counters;
use crate::fragment::{FragmentKey, Fragments};
use crate::handshakes::Handshakes;
use crate::packet::{Endpoint, InterfaceId, LinkType, NetworkId, PacketHead, TapId, Timestamp};
use crate::source::interfaces::Interfaces;
use crate::source::open;
use crate::stream::Seen;
use crate::tunnel::{ANY_IP, IPV4, IPV6, Part, QINQ, Tunnel, VLAN, Vlans, Wrong, in_ip};
use etherparse::{
    IpFragOffset, Ipv6ExtensionSlice, LaxIpSlice, TcpOptionElement, TcpSlice, UdpSlice,
};
use smallvec::SmallVec;
use std::net::IpAddr;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a tap is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    /// The interface of the capture.
    pub interface: InterfaceId,
    /// The interface index within a cooked capture of all interfaces (SLL2), 0 otherwise, and where
    /// the interface is one of them.
    pub index: u32,
    /// The VLANs around the packets.
    pub vlans: Vlans,
    /// The tunnels around them, the outermost first.
    pub tunnels: Vec<Tunnel>,
}

impl Tap {
    /// What to call it, given the name of its interface.
    pub fn name(&self, interface: &str) -> String {
        let mut name = interface.to_owned();
        if self.index > 0 {
            name.push_str(&format!("%{}", self.index));
        }
        for vlan in &self.vlans {
            name.push_str(&format!(".{vlan}"));
        }
        for tunnel in &self.tunnels {
            name.push_str(&format!(":{}", tunnel.name()));
        }
        name
    }

    /// The address space of its packets: the numbers of all tunnels, and the VLANs in the innermost
    /// one. Those around a tunnel are that of its ends.
    fn path(&self) -> Path {
        let mut path: Path = self.vlans.iter().copied().map(Part::Vlan).collect();
        for tunnel in &self.tunnels {
            path.retain(|part| !matches!(part, Part::Vlan(_)));
            path.extend(tunnel.part());
            path.extend(tunnel.vlans.iter().copied().map(Part::Vlan));
        }
        path
    }

    /// The VLANs around what is innermost.
    fn innermost_vlans(&mut self) -> &mut Vlans {
        self.tunnels.last_mut().map_or(&mut self.vlans, |tunnel| &mut tunnel.vlans)
    }
}

/// Taps that are one point from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPoint {
    /// What to call it.
    pub name: String,
    /// The names of the taps.
    pub taps: Vec<String>,
    /// What says so, where it is not the user.
    pub because: Option<String>,
}

impl NamedPoint {
    /// Whether a tap of this name, on an interface that its capture gave a name of its own, is one
    /// of them. A path means the file of that name.
    fn has(&self, name: &str, given: Option<&str>) -> bool {
        self.taps.iter().any(|word| names(word, name, given))
    }
}

/// Whether a word of the user means this tap.
fn names(word: &str, name: &str, given: Option<&str>) -> bool {
    word == name || Some(word) == given || open::label(std::path::Path::new(word)) == name
}

/// What tells an address space from others, the outermost first.
pub type Path = SmallVec<[Part; 4]>;

/// What a network is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The VLANs and tunnels that it lies in.
    pub path: Path,
    /// Loopback addresses are each place's own: the first of its taps.
    pub loopback_of: Option<TapId>,
}

/// The payload of a TCP or UDP packet with the flow that it belongs to.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The packet's number over the whole input.
    pub order: u64,
    /// The latest packet time so far: a clock that never goes back.
    pub now: Timestamp,
    /// The packet.
    pub seen: Seen,
    /// Where it was seen: the tap, or the first one of the taps that the user says are one point.
    pub place: TapId,
    /// Of a datagram, the place that sees the other direction, as handshakes of TCP have told.
    pub half: Option<TapId>,
    /// A hash of the two addresses of the link layer, the same in both directions; 0 without.
    pub macs: u32,
    /// The address space.
    pub network: NetworkId,
    /// The address space as a number, which does not hang on what came first.
    pub space: u64,
    /// An end is a loopback address, and the network that of a host's own.
    pub loopback: bool,
    /// Who sent it, or whom the receiver had called in its stead.
    pub source: Endpoint,
    /// It comes from another address than the receiver had called.
    pub redirected: bool,
    /// Who gets it.
    pub destination: Endpoint,
    /// The transport's header.
    pub header: Header,
    /// The bytes above.
    pub payload: Payload,
    /// How many bytes of the payload the capture cut off.
    pub cut: u32,
    /// Equal for two captures of one packet, wherever they were taken, and hardly ever else: IP id
    /// and numbers of the transport; without an IP id all bytes but those that a router changes.
    pub signature: u64,
    /// The same for both directions of a flow, whatever tap saw it.
    pub hash: u64,
}

impl Segment {
    /// The bytes of the payload, given those of the batch that it was decoded from.
    pub fn payload<'b>(&'b self, buffer: &'b [u8]) -> &'b [u8] {
        match &self.payload {
            Payload::InBatch(range) => {
                buffer.get(range.start as usize..range.end as usize).unwrap_or_default()
            }
            Payload::Whole(bytes) => bytes,
        }
    }
}

/// Where the bytes of a payload are.
#[derive(Clone, Debug)]
pub enum Payload {
    /// In the batch's buffer.
    InBatch(Range<u32>),
    /// Put together from IP fragments.
    Whole(Box<[u8]>),
}

/// What is needed of the transport's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// TCP, with the acknowledgement number in [`Seen`].
    Tcp {
        /// Sequence number.
        seq: u32,
        /// Whether the acknowledgement number counts.
        ack: bool,
        /// First packet of a direction.
        syn: bool,
        /// Last byte of a direction.
        fin: bool,
        /// The connection is broken off.
        rst: bool,
    },
    /// UDP.
    Udp,
}

/// Decodes packets in their order; learns taps and networks, and holds fragments.
#[derive(Debug, Default)]
pub struct Decoder {
    taps: Table<Tap>,
    networks: Table<Network>,
    /// For each tap, the first tap of its place.
    places: Vec<TapId>,
    /// For each tap, what is known of its packets; none if it is in a network beyond the limit.
    spots: Vec<Option<Spot>>,
    /// What the user says are points, each with its first tap.
    named: Vec<(NamedPoint, Option<TapId>)>,
    /// The interfaces so far, where points are named: their names, and those of their captures.
    interfaces: Vec<(String, Option<String>)>,
    /// Of each interface so far, whether it is one of those that were captured together.
    of_any: Vec<bool>,
    last_spot: Option<Spot>,
    /// The last one of a tap without VLANs and tunnels, as nearly all are.
    last_plain: Option<(InterfaceId, u32, Spot)>,
    /// Why the last packet, or what is in a tunnel, gave no segment, if it gave none.
    why: Why,
    /// What is around what is being read of the present packet.
    around: Around,
    fragments: Fragments,
    handshakes: Handshakes,
    datagram: Option<u64>,
    outer_datagram: Option<u64>,
    now: Timestamp,
    order: u64,
    /// By how many nanoseconds a packet was behind one before it at most, and its interface.
    furthest: Option<(i64, InterfaceId)>,
    /// What was read, and why packets gave no segment.
    pub counters: Counters,
}

/// What is around a packet.
#[derive(Debug)]
struct Around {
    tap: Tap,
    /// A hash of the two addresses of the innermost link layer.
    macs: u32,
    /// How many tunnels were taken off.
    depth: usize,
    /// How many of them were carried by IP.
    by_ip: usize,
    /// Bytes that the capture cut off the packet's end.
    cut: u32,
}

impl Default for Around {
    fn default() -> Self {
        let (vlans, tunnels) = (Vlans::new(), Vec::new());
        let tap = Tap { interface: InterfaceId(0), index: 0, vlans, tunnels };
        Self { tap, macs: 0, depth: 0, by_ip: 0, cut: 0 }
    }
}

/// Why a packet gives no segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Why {
    UnknownLinkType,
    #[default]
    BadHeader,
    NotIp,
    NotTcpOrUdp,
    TapsLost,
    /// It waits for the rest of its datagram, or was its last piece too many.
    Fragment,
}

impl Decoder {
    /// Takes these taps as one point each.
    pub fn with_points(points: Vec<NamedPoint>) -> Self {
        let named = points.into_iter().map(|point| (point, None)).collect();
        Self { named, ..Self::default() }
    }

    /// The points that the user named: each with its first tap, if any of its taps was seen.
    pub fn named_points(&self) -> &[(NamedPoint, Option<TapId>)] {
        &self.named
    }

    /// For each tap, the first tap of those that are one point with it by the user's word.
    pub fn places(&self) -> &[TapId] {
        &self.places
    }

    /// Whether a packet came from a tap that the user calls so.
    pub fn has_tap(&self, word: &str) -> bool {
        self.taps.all.iter().any(|tap| {
            self.interfaces.get(usize::from(tap.interface.0)).is_some_and(|(name, given)| {
                names(word, &tap.name(name), given.as_deref().map(|g| tap.name(g)).as_deref())
            })
        })
    }

    /// Learns the names of the interfaces whose packets come next.
    pub fn name_interfaces(&mut self, interfaces: &Interfaces) {
        let new = interfaces.iter().skip(self.of_any.len());
        self.of_any.extend(new.map(|(_, interface)| interface.of_any.is_some()));
        if !self.named.is_empty() {
            let known = self.interfaces.len();
            let new = interfaces.iter().skip(known);
            self.interfaces.extend(new.map(|(_, i)| (i.name.clone(), i.given.clone())));
        }
    }

    /// Decodes one packet whose bytes are `buffer[head.bytes]`.
    pub fn decode(&mut self, buffer: &[u8], head: &PacketHead) -> Option<Segment> {
        let bytes = buffer.get(head.bytes.clone())?;
        self.counters.packets += 1;
        self.counters.bytes += u64::from(head.wire_len);
        self.counters.cut += u64::from(bytes.len() < head.wire_len as usize);
        self.order += 1;
        (self.datagram, self.outer_datagram) = (None, None);
        self.now = self.now.max(head.at.min(Timestamp::LATEST));
        let behind = self.now.0.saturating_sub(head.at.0);
        if behind > BEHIND {
            self.counters.behind += 1;
            if self.furthest.is_none_or(|(most, _)| behind > most) {
                self.furthest = Some((behind, head.interface));
            }
        }
        let cut = head.wire_len.saturating_sub(bytes.len() as u32);
        self.around.tap.interface = head.interface;
        self.around.tap.index = 0;
        self.around.tap.vlans.clear();
        self.around.tap.tunnels.clear();
        (self.around.macs, self.around.cut) = (0, cut);
        (self.around.depth, self.around.by_ip) = (0, 0);
        self.link(head, bytes, buffer)
    }

    /// By how many nanoseconds a packet's time lay behind that of one before it at most, and the
    /// interface that it was on; none if it was never much.
    pub fn furthest_behind(&self) -> Option<(i64, InterfaceId)> {
        self.furthest
    }

    /// Moves packet time on without a packet.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now.min(Timestamp::LATEST));
    }

    /// The latest packet time so far.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The number of the datagram of which the last packet was a fragment, if it was one.
    pub fn datagram(&self) -> Option<u64> {
        self.datagram
    }

    /// The number of a datagram that the last packet made whole, where what it carries is a fragment
    /// of [`Decoder::datagram`].
    pub fn outer_datagram(&self) -> Option<u64> {
        self.outer_datagram
    }

    /// All taps so far; a [`TapId`] is an index.
    pub fn taps(&self) -> &[Tap] {
        &self.taps.all
    }

    /// All networks so far; a [`NetworkId`] is an index.
    pub fn networks(&self) -> &[Network] {
        &self.networks.all
    }

    /// Counts the datagrams that are still incomplete as lost.
    pub fn finish(&mut self) {
        self.counters.fragments_lost += self.fragments.waiting();
        self.fragments = Fragments::default();
    }

    /// Counts why a packet gives no segment. What is in a tunnel and makes no sense is not counted,
    /// since then its outer packet is what counts.
    #[cold]
    fn refuse<T>(&mut self, why: Why) -> Option<T> {
        self.why = why;
        let counters = &mut self.counters;
        match why {
            Why::UnknownLinkType => counters.unknown_link_type += 1,
            Why::BadHeader if self.around.by_ip > 0 => {}
            Why::BadHeader => counters.bad_header += 1,
            Why::NotIp => counters.not_ip += 1,
            Why::NotTcpOrUdp => counters.not_tcp_or_udp += 1,
            Why::TapsLost => counters.taps_lost += 1,
            Why::Fragment => {}
        }
        None
    }

    /// Strips the link layer, and what is below it.
    fn link(&mut self, head: &PacketHead, bytes: &[u8], buffer: &[u8]) -> Option<Segment> {
        let cooked = |at: usize, header: usize| {
            let ether_type = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
            Some((ether_type, bytes.get(header..)?))
        };
        let found = match head.link {
            LinkType::ETHERNET => {
                self.around.macs = bytes.first_chunk().map_or(0, mac_pair);
                cooked(12, 14)
            }
            LinkType::LINUX_SLL => cooked(14, 16),
            LinkType::LINUX_SLL2 => {
                if self.of_any.get(usize::from(head.interface.0)) != Some(&true) {
                    let index = bytes.get(4..8).and_then(|index| index.try_into().ok());
                    self.around.tap.index = index.map_or(0, u32::from_be_bytes);
                }
                cooked(0, 20)
            }
            LinkType::NULL | LinkType::LOOP => bytes.get(4..).map(|ip| (ANY_IP, ip)),
            LinkType::RAW
            | LinkType::RAW_BSD
            | LinkType::RAW_OPENBSD
            | LinkType::IPV4
            | LinkType::IPV6 => Some((ANY_IP, bytes)),
            _ => return self.refuse(Why::UnknownLinkType),
        };
        let Some((ether_type, rest)) = found else { return self.refuse(Why::BadHeader) };
        self.ether(head, ether_type, rest, Some(buffer))
    }

    /// Strips VLAN tags, and what is below them. `buffer` holds the bytes, unless they were put
    /// together from fragments.
    ///
    /// Packets without tunnels come from one place only, and are worth code of their own.
    #[inline(always)]
    fn ether(
        &mut self,
        head: &PacketHead,
        mut ether_type: u16,
        mut rest: &[u8],
        buffer: Option<&[u8]>,
    ) -> Option<Segment> {
        let mut tags = 0;
        while matches!(ether_type, VLAN | QINQ | QINQ_OLD | QINQ_OLD_2) {
            let tag = rest.split_first_chunk::<4>().filter(|_| tags < TAGS);
            let Some((tag, inner)) = tag else { return self.refuse(Why::BadHeader) };
            tags += 1;
            let [high, low, type_high, type_low] = *tag;
            // IEEE 802.1Q, table 9-2: id 0 is no VLAN, the tag holds a priority only.
            let vlan = u16::from_be_bytes([high & 0x0f, low]);
            if vlan != 0 {
                self.around.tap.innermost_vlans().push(vlan);
            }
            ether_type = u16::from_be_bytes([type_high, type_low]);
            rest = inner;
        }
        // A capture of the loopback device may carry an address family that is not IP.
        match (ether_type, rest.first().map(|byte| byte >> 4)) {
            (IPV4 | ANY_IP, Some(4)) | (IPV6 | ANY_IP, Some(6)) => self.ip(head, rest, buffer),
            (IPV4 | IPV6, _) => self.refuse(Why::BadHeader),
            _ => self.in_ether_type(head, ether_type, rest, buffer),
        }
    }

    /// Reads a packet from its IP header on; `bytes` may end with padding of the link layer.
    fn ip(&mut self, head: &PacketHead, bytes: &[u8], buffer: Option<&[u8]>) -> Option<Segment> {
        let Ok((slice, _)) = LaxIpSlice::from_slice(bytes) else {
            return self.refuse(Why::BadHeader);
        };
        let (source, destination, ip_id, ttl, addresses, total_len) = match &slice {
            LaxIpSlice::Ipv4(v4) => {
                let header = v4.header();
                (
                    header.source_addr().to_ipv6_mapped(),
                    header.destination_addr().to_ipv6_mapped(),
                    header.identification(),
                    header.ttl(),
                    12,
                    usize::from(header.total_len()),
                )
            }
            LaxIpSlice::Ipv6(v6) => {
                let header = v6.header();
                let payload = usize::from(header.payload_length());
                let total_len = if payload == 0 { 0 } else { payload + 40 };
                (
                    header.source_addr(),
                    header.destination_addr(),
                    0,
                    header.hop_limit(),
                    8,
                    total_len,
                )
            }
        };
        let carried = slice.payload();
        let protocol = carried.ip_number.0;
        let mut spot = None;
        let (whole, buffer) = if carried.fragmented {
            self.counters.fragments += 1;
            let Some((identification, offset, more)) = fragment(&slice) else {
                return self.refuse(Why::Fragment);
            };
            let seen = self.spot()?;
            spot = Some(seen);
            let key = FragmentKey {
                tap: seen.place,
                source: IpAddr::V6(source),
                destination: IpAddr::V6(destination),
                identification,
                protocol,
            };
            let (whole, lost) = self.fragments.add(key, offset, more, carried.payload, self.now);
            self.counters.fragments_lost += lost;
            self.outer_datagram = self.datagram.replace(self.fragments.last());
            self.around.cut = 0;
            let Some(whole) = whole else { return self.refuse(Why::Fragment) };
            (Some(whole), None)
        } else {
            (None, buffer)
        };
        let above = whole.as_deref().unwrap_or(carried.payload);
        if protocol != TCP {
            match in_ip(protocol, above) {
                Ok(inner) => {
                    let ends = [source, destination];
                    if let Some(found) = self.in_tunnel(head, ends, &inner, buffer) {
                        return found;
                    }
                }
                Err(Wrong::Bad) => self.counters.bad_tunnels += 1,
                Err(Wrong::NotOne) => {}
            }
        }
        let spot = match spot {
            Some(spot) => spot,
            None => self.spot()?,
        };
        // With a length of zero (segmentation offload) the packet is as long as it was captured.
        let cut = match total_len {
            _ if whole.is_some() => 0,
            0 => self.around.cut,
            _ => total_len.saturating_sub(bytes.len()) as u32,
        };
        let seen = Seen {
            at: head.at.min(Timestamp::LATEST),
            tap: spot.tap,
            frame: head.frame,
            ack: 0,
            tsval: 0,
            ip_id,
            ttl,
            task: None,
        };
        let mut segment = Segment {
            order: self.order,
            now: self.now,
            seen,
            place: spot.place,
            half: None,
            macs: self.around.macs,
            network: spot.network,
            space: spot.space,
            loopback: false,
            source: Endpoint { ip: source, port: 0 },
            redirected: false,
            destination: Endpoint { ip: destination, port: 0 },
            header: Header::Udp,
            payload: Payload::InBatch(0..0),
            cut,
            signature: u64::from(ip_id) << 16,
            hash: 0,
        };
        let inner = self.transport(&mut segment, protocol, above)?;
        let payload = above.get(inner).unwrap_or_default();
        segment.payload = match buffer {
            Some(buffer) => {
                let start = (payload.as_ptr() as usize).wrapping_sub(buffer.as_ptr() as usize);
                let start = start as u32;
                Payload::InBatch(start..start.wrapping_add(payload.len() as u32))
            }
            None => Payload::Whole(payload.into()),
        };
        // Without an IP id only the bytes themselves tell a copy from a packet sent again; those
        // from the addresses on, as routers change what is before them.
        if ip_id == 0 {
            // Short frames are padded, on some links only.
            let end = if total_len == 0 { bytes.len() } else { total_len.min(bytes.len()) };
            let packet = bytes.get(addresses..end).unwrap_or_default();
            segment.signature = xxh3_64_with_seed(packet, 0);
        }
        let called = self.called(&mut segment);
        segment.redirected = called != segment.source;
        segment.source = called;
        let [source, destination] = [segment.source, segment.destination];
        // An address of the host's own says which host it is.
        if source.is_loopback() && destination.is_loopback() {
            (segment.network, segment.loopback) = (self.loopback(&spot)?, true);
        }
        segment.hash = flow_hash(&source, &destination, protocol);
        Some(segment)
    }

    /// The sender of a segment, or whom the receiver had called in its stead.
    fn called(&mut self, segment: &mut Segment) -> Endpoint {
        let Segment { place, source, destination, .. } = *segment;
        match segment.header {
            Header::Tcp { syn: true, ack: false, seq, .. } => {
                self.handshakes.asks(place, source, destination, seq);
                return source;
            }
            Header::Tcp { syn: true, .. } => {
                self.handshakes.answers(place, source, destination, segment.seen.ack);
                self.counters.redirected = self.handshakes.redirects;
            }
            Header::Tcp { .. } => {}
            Header::Udp => {
                segment.half = self.handshakes.half(place);
                return source;
            }
        }
        self.handshakes.called(place, source, destination).unwrap_or(source)
    }

    /// Reads the transport's header into the segment; gives where the payload lies in `bytes`.
    ///
    /// As a part of its caller it would have the segment taken to pieces, which costs more.
    #[inline(never)]
    fn transport(
        &mut self,
        segment: &mut Segment,
        protocol: u8,
        bytes: &[u8],
    ) -> Option<Range<usize>> {
        let inner = match protocol {
            TCP => {
                let Ok(tcp) = TcpSlice::from_slice(bytes) else {
                    return self.refuse(Why::BadHeader);
                };
                segment.source.port = tcp.source_port();
                segment.destination.port = tcp.destination_port();
                segment.seen.ack = tcp.acknowledgment_number();
                segment.seen.tsval = timestamp_value(&tcp);
                segment.header = Header::Tcp {
                    seq: tcp.sequence_number(),
                    ack: tcp.ack(),
                    syn: tcp.syn(),
                    fin: tcp.fin(),
                    rst: tcp.rst(),
                };
                let numbers =
                    u64::from(tcp.sequence_number()) << 32 | u64::from(tcp.acknowledgment_number());
                segment.signature =
                    mix(segment.signature ^ numbers, bytes.len() as u64 ^ u64::from(tcp.psh()));
                tcp.header_slice().len()..bytes.len()
            }
            UDP => {
                let Ok(udp) = UdpSlice::from_slice_lax(bytes) else {
                    return self.refuse(Why::BadHeader);
                };
                segment.source.port = udp.source_port();
                segment.destination.port = udp.destination_port();
                segment.signature =
                    mix(segment.signature, bytes.len() as u64 ^ u64::from(udp.checksum()) << 32);
                8..8 + udp.payload().len()
            }
            _ => return self.refuse(Why::NotTcpOrUdp),
        };
        Some(inner)
    }
}

/// Identification, offset and "more follow" of a fragment.
fn fragment(slice: &LaxIpSlice<'_>) -> Option<(u32, IpFragOffset, bool)> {
    match slice {
        LaxIpSlice::Ipv4(v4) => {
            let header = v4.header();
            let identification = u32::from(header.identification());
            Some((identification, header.fragments_offset(), header.more_fragments()))
        }
        LaxIpSlice::Ipv6(v6) => {
            v6.extensions().clone().into_iter().find_map(|extension| match extension {
                Ipv6ExtensionSlice::Fragment(fragment) => {
                    let header = fragment.to_header();
                    Some((header.identification, header.fragment_offset, header.more_fragments))
                }
                _ => None,
            })
        }
    }
}

/// The sender's clock in the timestamp option, 0 without (RFC 7323, section 3.2).
fn timestamp_value(tcp: &TcpSlice<'_>) -> u32 {
    // Nearly every stack writes two no-ops before the option, which keeps it aligned.
    if let [1, 1, 8, 10, a, b, c, d, ..] = *tcp.options() {
        return u32::from_be_bytes([a, b, c, d]);
    }
    tcp.options_iterator()
        .map_while(Result::ok)
        .find_map(|option| match option {
            TcpOptionElement::Timestamp(value, _) => Some(value),
            _ => None,
        })
        .unwrap_or_default()
}

/// The hash of all segments between two ends, the same for both directions; `protocol` is the
/// number of the transport, <https://www.iana.org/assignments/protocol-numbers>.
pub(crate) fn flow_hash(one: &Endpoint, other: &Endpoint, protocol: u8) -> u64 {
    end_hash(one, protocol).wrapping_add(end_hash(other, protocol))
}

fn end_hash(end: &Endpoint, protocol: u8) -> u64 {
    let ip = u128::from(end.ip);
    mix((ip as u64) ^ (u64::from(end.port) << 48), (ip >> 64) as u64 ^ u64::from(protocol))
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
    (product as u64) ^ (product >> 64) as u64
}

/// Of the destination and the source address of Ethernet, the same both ways.
fn mac_pair(macs: &[u8; 12]) -> u32 {
    let [a, b, c, d, e, f, rest @ ..] = *macs;
    let [g, h, i, j, k, l] = rest;
    let (one, other) = (
        u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
        u64::from_be_bytes([0, 0, g, h, i, j, k, l]),
    );
    mix(one.min(other), one.max(other)) as u32
}

/// Nanoseconds by which packets of one capture are hardly ever out of order.
const BEHIND: i64 = 1_000_000_000;
/// VLAN tags of a packet; networks have one or two, and a provider's may add some.
const TAGS: usize = 16;
const QINQ_OLD: u16 = 0x9100;
const QINQ_OLD_2: u16 = 0x9200;
const TCP: u8 = 6;
const UDP: u8 = 17;
