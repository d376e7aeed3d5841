//! Packets made of their parts, as a source: for tests of what reads them.

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, PacketBuilder,
    TcpHeader, TcpOptionElement,
};
use std::net::{IpAddr, SocketAddr};
use wirespan_capture::packet::{LinkType, Timestamp};
use wirespan_capture::source::memory::MemorySource;

/// One packet. What is not said of it is as most packets have it.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    when: When,
    interface: String,
    link: LinkType,
    source: SocketAddr,
    destination: SocketAddr,
    vlans: Vec<(u16, u16)>,
    hop: u8,
    ttl: u8,
    id: Option<u16>,
    transport: Transport,
    payload: Vec<u8>,
    /// Bytes of the payload that the capture kept.
    kept: Option<usize>,
    /// Stands for all from the IP header on.
    ip: Option<Vec<u8>>,
    /// Stands for all bytes.
    raw: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// So many nanoseconds after the packet before.
    After(i64),
    /// So many nanoseconds after [`START`].
    At(i64),
}

#[derive(Clone, Debug)]
enum Transport {
    Tcp(TcpHeader),
    Udp,
}

impl Packet {
    pub(crate) fn tcp(
        source: SocketAddr,
        destination: SocketAddr,
        seq: u32,
        payload: &[u8],
    ) -> Self {
        let header = TcpHeader::new(source.port(), destination.port(), seq, 64_000);
        Self::new(source, destination, Transport::Tcp(header), payload)
    }

    pub(crate) fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Self {
        Self::new(source, destination, Transport::Udp, payload)
    }

    /// A packet of which only the link layer is known.
    pub(crate) fn raw(link: LinkType, bytes: &[u8]) -> Self {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        let packet = Self::new(nobody, nobody, Transport::Udp, b"");
        Self { raw: Some(bytes.to_vec()), link, ..packet }
    }

    fn new(
        source: SocketAddr,
        destination: SocketAddr,
        transport: Transport,
        payload: &[u8],
    ) -> Self {
        Self {
            when: When::After(MILLISECOND),
            interface: "eth0".to_owned(),
            link: LinkType::ETHERNET,
            source,
            destination,
            vlans: Vec::new(),
            hop: 0,
            ttl: 64,
            id: None,
            transport,
            payload: payload.to_vec(),
            kept: None,
            ip: None,
            raw: None,
        }
    }

    /// So many milliseconds after the packet before; 1 if nothing is said.
    pub(crate) fn after(self, milliseconds: i64) -> Self {
        Self { when: When::After(milliseconds * MILLISECOND), ..self }
    }

    /// So many milliseconds after [`START`].
    pub(crate) fn at(self, milliseconds: i64) -> Self {
        self.at_ns(milliseconds * MILLISECOND)
    }

    /// So many nanoseconds after [`START`].
    pub(crate) fn at_ns(self, nanoseconds: i64) -> Self {
        Self { when: When::At(nanoseconds), ..self }
    }

    /// On this interface.
    pub(crate) fn on(self, interface: &str) -> Self {
        Self { interface: interface.to_owned(), ..self }
    }

    pub(crate) fn link(self, link: LinkType) -> Self {
        Self { link, ..self }
    }

    /// In this VLAN, within those that were named before.
    pub(crate) fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// With a VLAN tag of this ether type.
    pub(crate) fn tag(mut self, ether_type: u16, id: u16) -> Self {
        self.vlans.push((ether_type, id));
        self
    }

    /// Between other link-layer addresses: another hop of the way.
    pub(crate) fn hop(self, hop: u8) -> Self {
        Self { hop, ..self }
    }

    pub(crate) fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// With this IP id; if nothing is said, each packet has one of its own.
    pub(crate) fn id(self, id: u16) -> Self {
        Self { id: Some(id), ..self }
    }

    pub(crate) fn syn(self) -> Self {
        self.with_tcp(|tcp| tcp.syn = true)
    }

    pub(crate) fn fin(self) -> Self {
        self.with_tcp(|tcp| tcp.fin = true)
    }

    pub(crate) fn rst(self) -> Self {
        self.with_tcp(|tcp| tcp.rst = true)
    }

    /// Acknowledges all before this sequence number.
    pub(crate) fn ack(self, number: u32) -> Self {
        self.with_tcp(|tcp| (tcp.ack, tcp.acknowledgment_number) = (true, number))
    }

    /// With sequence and acknowledgement numbers that are higher by so much, if it has any.
    pub(crate) fn shift(self, seq: u32, ack: u32) -> Self {
        if matches!(self.transport, Transport::Udp) {
            return self;
        }
        self.with_tcp(|tcp| {
            tcp.sequence_number = tcp.sequence_number.wrapping_add(seq);
            if tcp.ack {
                tcp.acknowledgment_number = tcp.acknowledgment_number.wrapping_add(ack);
            }
        })
    }

    /// With the timestamp option.
    pub(crate) fn tsval(self, value: u32) -> Self {
        let options =
            [TcpOptionElement::Noop, TcpOptionElement::Noop, TcpOptionElement::Timestamp(value, 0)];
        self.with_tcp(|tcp| tcp.set_options(&options).unwrap())
    }

    /// Of the payload, the capture kept only so many bytes.
    pub(crate) fn kept(self, bytes: usize) -> Self {
        Self { kept: Some(bytes), ..self }
    }

    /// From the IP header on, it is these bytes.
    pub(crate) fn ip(self, bytes: Vec<u8>) -> Self {
        Self { ip: Some(bytes), ..self }
    }

    /// The same numbers between two other ends.
    pub(crate) fn between(mut self, client: SocketAddr, server: SocketAddr) -> Self {
        let up = self.source.port() == client.port();
        (self.source, self.destination) = if up { (client, server) } else { (server, client) };
        self
    }

    /// Its TCP sequence number.
    pub(crate) fn seq(&self) -> u32 {
        match &self.transport {
            Transport::Tcp(header) => header.sequence_number,
            Transport::Udp => panic!("not TCP"),
        }
    }

    /// Its time, if that does not hang on the packet before.
    pub(crate) fn time(&self) -> i64 {
        match self.when {
            When::At(nanoseconds) => nanoseconds,
            When::After(_) => panic!("a packet without a time of its own"),
        }
    }

    /// Who sent it.
    pub(crate) fn source(&self) -> SocketAddr {
        self.source
    }

    /// Whether its bytes are given, so that its numbers cannot be changed.
    pub(crate) fn is_fixed(&self) -> bool {
        self.ip.is_some()
    }

    /// Cut into IP fragments that carry at most so many bytes, a multiple of 8.
    pub(crate) fn fragments(&self, size: usize) -> Vec<Self> {
        assert_eq!(size % 8, 0);
        let id = self.id.unwrap_or(0x4242);
        let whole = self.ip_bytes(id);
        let (header, body) = whole.split_at(if self.source.is_ipv4() { 20 } else { 40 });
        let count = body.len().div_ceil(size);
        let pieces = body.chunks(size).enumerate();
        let fragment = |(number, piece): (usize, &[u8])| {
            let offset = IpFragOffset::try_new((number * size / 8) as u16).unwrap();
            let more = number + 1 < count;
            let mut bytes = Vec::new();
            if self.source.is_ipv4() {
                let (mut header, _) = Ipv4Header::from_slice(header).unwrap();
                (header.fragment_offset, header.more_fragments) = (offset, more);
                (header.dont_fragment, header.identification) = (false, id);
                header.set_payload_len(piece.len()).unwrap();
                header.write(&mut bytes).unwrap();
            } else {
                let (mut header, _) = Ipv6Header::from_slice(header).unwrap();
                let next = Ipv6FragmentHeader::new(header.next_header, offset, more, u32::from(id));
                header.next_header = IpNumber::IPV6_FRAGMENTATION_HEADER;
                header.set_payload_length(piece.len() + 8).unwrap();
                header.write(&mut bytes).unwrap();
                next.write(&mut bytes).unwrap();
            }
            bytes.extend_from_slice(piece);
            self.clone().ip(bytes)
        };
        pieces.map(fragment).collect()
    }

    /// All bytes from the IP header on.
    pub(crate) fn ip_bytes(&self, id: u16) -> Vec<u8> {
        if let Some(bytes) = &self.ip {
            return bytes.clone();
        }
        let headers = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = Ipv4Header::new(
                    0,
                    self.ttl,
                    IpNumber::TCP,
                    source.octets(),
                    destination.octets(),
                )
                .unwrap();
                header.identification = id;
                IpHeaders::Ipv4(header, Default::default())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header {
                    source: source.octets(),
                    destination: destination.octets(),
                    hop_limit: self.ttl,
                    ..Default::default()
                };
                IpHeaders::Ipv6(header, Default::default())
            }
            _ => panic!("two versions of IP in one packet"),
        };
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ip(headers);
        match &self.transport {
            Transport::Tcp(header) => {
                builder.tcp_header(header.clone()).write(&mut bytes, &self.payload)
            }
            Transport::Udp => builder
                .udp(self.source.port(), self.destination.port())
                .write(&mut bytes, &self.payload),
        }
        .unwrap();
        bytes
    }

    fn bytes(&self, id: u16) -> Vec<u8> {
        if let Some(bytes) = &self.raw {
            return bytes.clone();
        }
        let ip = self.ip_bytes(id);
        let ip_type = if self.source.is_ipv4() { 0x0800_u16 } else { 0x86dd };
        let mut bytes = Vec::new();
        // The ether types of all tags and of IP stand before what they announce.
        let mut types = self.vlans.iter().map(|(ether_type, _)| *ether_type).chain([ip_type]);
        let first = types.next().unwrap();
        match self.link {
            LinkType::ETHERNET => {
                let up = self.source < self.destination;
                let (from, to) = if up { (1, 2) } else { (2, 1) };
                bytes.extend([2, 0, 0, 0, self.hop, to, 2, 0, 0, 0, self.hop, from]);
                bytes.extend(first.to_be_bytes());
            }
            LinkType::LINUX_SLL => {
                bytes.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                bytes.extend(first.to_be_bytes());
            }
            LinkType::LINUX_SLL2 => {
                bytes.extend(first.to_be_bytes());
                bytes.extend([0, 0, 0, 0, 0, self.hop, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
            }
            LinkType::NULL => bytes.extend(2_u32.to_le_bytes()),
            LinkType::LOOP => bytes.extend(2_u32.to_be_bytes()),
            _ => {}
        }
        for ((_, id), ether_type) in self.vlans.iter().zip(types) {
            bytes.extend(id.to_be_bytes());
            bytes.extend(ether_type.to_be_bytes());
        }
        bytes.extend(ip);
        bytes
    }

    fn with_tcp(mut self, f: impl FnOnce(&mut TcpHeader)) -> Self {
        match &mut self.transport {
            Transport::Tcp(header) => f(header),
            Transport::Udp => panic!("not TCP"),
        }
        self
    }
}

/// The packets as a source that gives so many at a time.
pub(crate) fn source(packets: &[Packet], batch: usize) -> MemorySource {
    let mut source = MemorySource::new(batch);
    let mut now = -MILLISECOND;
    for (number, packet) in packets.iter().enumerate() {
        now = match packet.when {
            When::After(nanoseconds) => now + nanoseconds,
            When::At(nanoseconds) => nanoseconds,
        };
        let id = packet.id.unwrap_or(number as u16 + 1);
        let mut bytes = packet.bytes(id);
        let on_wire = bytes.len() as u32;
        if let Some(kept) = packet.kept {
            bytes.truncate(bytes.len() - (packet.payload.len() - kept));
        }
        let at = START.plus(now);
        source = source.cut_packet(at, &packet.interface, packet.link, &bytes, on_wire);
    }
    source
}

/// The same numbers on every run: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, less than `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// The time of the first packet, if it does not say another.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000_000_000);

const MILLISECOND: i64 = 1_000_000;
