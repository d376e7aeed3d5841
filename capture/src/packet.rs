//! A captured frame and where it was seen: what a source gives, and what decoding takes.

use crate::owner::Owner;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

/// A moment of packet time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The latest moment of packet time. Whoever needs a moment that never comes has one behind it.
    pub const LATEST: Self = Self(i64::MAX - 1);

    /// The moment so many nanoseconds later, if there is one.
    pub fn plus(self, nanoseconds: i64) -> Self {
        Self(self.0.saturating_add(nanoseconds)).min(Self::LATEST)
    }
}

/// A link type as capture files number it, see <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, the address family in the byte order of the host that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP as some old files number it.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// Raw IP, version 4 or 6 by its first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback, the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NULL => "BSD loopback",
            Self::ETHERNET => "Ethernet",
            Self::RAW_BSD | Self::RAW_OPENBSD | Self::RAW => "raw IP",
            Self::LOOP => "OpenBSD loopback",
            Self::LINUX_SLL => "Linux cooked",
            Self::IPV4 => "raw IPv4",
            Self::IPV6 => "raw IPv6",
            Self::LINUX_SLL2 => "Linux cooked v2",
            Self(number) => return write!(f, "link type {number}"),
        };
        f.write_str(name)
    }
}

/// An interface of a capture as the source numbers it, in order of first appearance.
///
/// A rotated series keeps one number; a VLAN on it becomes a tap of its own in decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u16);

/// An interface, or a VLAN or cooked-mode interface on it, in order of first appearance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId(pub u16);

/// One address space, in order of first appearance. Equal addresses in two networks are two hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub u16);

/// An address, with IPv4 mapped into IPv6, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub ip: Ipv6Addr,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Whether it is the host itself.
    pub fn is_loopback(&self) -> bool {
        let bits = u128::from(self.ip);
        // 127.0.0.0/8 within ::ffff:0.0.0.0/96, or ::1.
        bits >> 24 == 0xff_ff7f || bits == 1
    }
}

/// A file of the input, in order of the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// Where a packet stands in its file: the number that Wireshark shows, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// The file.
    pub file: FileId,
    /// The number within it.
    pub number: u64,
}

/// What is known of one packet before its bytes are looked at.
#[derive(Clone, Debug)]
pub struct PacketHead {
    /// When it was captured.
    pub at: Timestamp,
    /// The interface that saw it.
    pub interface: InterfaceId,
    /// How its first byte is to be read.
    pub link: LinkType,
    /// Its place in its file.
    pub frame: Frame,
    /// Its length on the wire in bytes; more than what was kept if the capture cut it.
    pub wire_len: u32,
    /// Where its bytes lie in the batch's buffer.
    pub bytes: Range<usize>,
}

/// Packets that were on the wire, but that the capture lost before anybody saw them.
///
/// It is told at the latest with the first batch whose packets are later than its end, so that
/// what it touches can be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When the count was last the same as before.
    pub from: Timestamp,
    /// When it had grown; no earlier than `from`.
    pub to: Timestamp,
    /// Where they were lost; `None` where that is not known.
    pub interface: Option<InterfaceId>,
    /// How many.
    pub packets: u64,
}

/// Many packets whose bytes lie in one buffer that is used again.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes of all packets, and whatever stands between them in the file.
    pub buffer: Vec<u8>,
    /// The packets, in the order of the capture.
    pub packets: Vec<PacketHead>,
    /// Whose sockets are at the ends of some packets, in the order of their frames.
    pub owners: Vec<OwnerOf>,
    /// What was lost, as far as it was told since the last batch.
    pub losses: Vec<Loss>,
    /// What addresses are called, as far as it was told since the last batch; none comes later than
    /// its frame.
    pub names: Vec<AddressName>,
}

/// Whose socket it is, told with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOf {
    /// The packet.
    pub frame: Frame,
    /// What was told.
    pub owner: Owner,
}

/// What a capture calls an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressName {
    /// The first packet that it is told before; there may be none with this number.
    pub frame: Frame,
    /// The address.
    pub address: IpAddr,
    /// Its name, as it stands there: at most 253 bytes of any characters.
    pub name: Box<str>,
}

impl Batch {
    /// The bytes of one packet; empty if its range lies outside the buffer.
    pub fn bytes(&self, packet: &PacketHead) -> &[u8] {
        self.buffer.get(packet.bytes.clone()).unwrap_or_default()
    }

    /// What was told with one packet.
    pub fn owners(&self, packet: &PacketHead) -> &[OwnerOf] {
        let from = self.owners.partition_point(|told| told.frame < packet.frame);
        let rest = self.owners.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|told| told.frame == packet.frame).count();
        rest.get(..count).unwrap_or_default()
    }

    /// Forgets all packets, bytes and losses, keeping the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.packets.clear();
        self.owners.clear();
        self.losses.clear();
        self.names.clear();
    }
}
