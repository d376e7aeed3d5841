//! Tunnels: the headers that one packet is carried in by another. Comes in: what follows a header
//! of IP, UDP or Ethernet. Goes out: what is inside, and the tunnel's number.
//!
//! A mirror port or a cloud's mirror delivers packets so, and so do overlays of containers:
//!
//! ```text
//!  Ethernet │ IP │ UDP 4789 │ VXLAN │ Ethernet │ IP │ TCP …
//!  Ethernet │ IP │ GRE │ ERSPAN │ Ethernet │ IP │ TCP …
//!  Ethernet │ MPLS │ control word │ Ethernet │ VLAN │ IP │ TCP …
//! ```

use smallvec::SmallVec;
use std::net::Ipv6Addr;

/// VLAN ids from the outermost to the innermost.
pub type Vlans = SmallVec<[u16; 4]>;

/// A tunnel, as what saw a packet in it is told from other taps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// What it is.
    pub kind: Kind,
    /// The number that it bears, if it bears one.
    pub id: Option<u32>,
    /// Both ends, the lower one first, so that its two directions are one tunnel; none where it has
    /// no addresses of its own, or more of them were seen than can be told apart.
    pub ends: Option<[Ipv6Addr; 2]>,
    /// The VLANs in it.
    pub vlans: Vlans,
}

impl Tunnel {
    /// What to call it as a part of a tap's name: what it is with its number, the VLANs in it, and
    /// its ends behind an `@`.
    pub fn name(&self) -> String {
        let mut name = self.kind.name().to_owned();
        if let Some(id) = self.id {
            name.push_str(&id.to_string());
        }
        for vlan in &self.vlans {
            name.push_str(&format!(".{vlan}"));
        }
        if let Some(ends) = self.ends {
            let [one, other] = ends.map(|end| end.to_canonical());
            name.push_str(&format!("@{one}-{other}"));
        }
        name
    }

    /// What it says of the address space in it: nothing where its number says only what saw the
    /// packet, as that of a session that mirrors does.
    pub fn part(&self) -> Option<Part> {
        let id = self.id?;
        match self.kind {
            Kind::Vxlan | Kind::Geneve => Some(Part::Vni(id)),
            Kind::Gre => Some(Part::Gre(id)),
            Kind::Nvgre => Some(Part::Vsid(id)),
            Kind::Mpls => Some(Part::Mpls(id)),
            Kind::Erspan | Kind::Tzsp | Kind::IpInIp | Kind::Pppoe => None,
        }
    }
}

/// What a tunnel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// VXLAN (RFC 7348), and its generic form (draft-ietf-nvo3-vxlan-gpe); numbered by its VNI.
    Vxlan,
    /// GENEVE (RFC 8926), numbered by its VNI.
    Geneve,
    /// GRE (RFC 2784, RFC 2890), numbered by its key.
    Gre,
    /// NVGRE (RFC 7637), numbered by its VSID.
    Nvgre,
    /// A mirror's ERSPAN of type I, II or III (draft-foschiano-erspan), numbered by its session.
    Erspan,
    /// A mirror's TZSP, without a number.
    Tzsp,
    /// IP in IP (RFC 2003, RFC 2473, RFC 4213), without a number.
    IpInIp,
    /// MPLS (RFC 3032), numbered by the innermost label that means something.
    Mpls,
    /// A session of PPPoE (RFC 2516). It is a line of its provider and makes no tap of its own.
    Pppoe,
}

impl Kind {
    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
            Self::Nvgre => "nvgre",
            Self::Erspan => "erspan",
            Self::Tzsp => "tzsp",
            Self::IpInIp => "ipip",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
        }
    }
}

/// What tells one address space from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A VLAN.
    Vlan(u16),
    /// The VNI of VXLAN or GENEVE: gateways translate one into the other.
    Vni(u32),
    /// The key of GRE.
    Gre(u32),
    /// The VSID of NVGRE.
    Vsid(u32),
    /// A label of MPLS.
    Mpls(u32),
}

/// What was found in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inner<'b> {
    pub(crate) kind: Kind,
    pub(crate) id: Option<u32>,
    /// The VLAN that the inner frame was in before its tag was taken off, 0 if it was in none.
    pub(crate) vlan: u16,
    /// The tunnel says that the end of the inner packet was cut off.
    pub(crate) truncated: bool,
    pub(crate) carried: Carried,
    pub(crate) bytes: &'b [u8],
}

/// What the bytes in a tunnel begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A frame of Ethernet.
    Ethernet,
    /// What this ether type says; [`ANY_IP`] stands for either version of IP.
    Type(u16),
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is no tunnel, or one that is not read.
    NotOne,
    /// It is one whose header is cut or makes no sense.
    Bad,
}

impl<'b> Inner<'b> {
    fn new(kind: Kind, id: Option<u32>, carried: Carried, bytes: &'b [u8]) -> Self {
        Self { kind, id, vlan: 0, truncated: false, carried, bytes }
    }
}

/// What is in an IP packet of this protocol, whose payload is `bytes`.
pub(crate) fn in_ip(protocol: u8, bytes: &[u8]) -> Result<Inner<'_>, Wrong> {
    let ip_in_ip = |ether_type| Inner::new(Kind::IpInIp, None, Carried::Type(ether_type), bytes);
    match protocol {
        UDP => in_udp(bytes).ok_or(Wrong::NotOne),
        GRE => in_gre(bytes),
        IPV4_IN_IP => Ok(ip_in_ip(IPV4)),
        IPV6_IN_IP => Ok(ip_in_ip(IPV6)),
        MPLS_IN_IP => in_mpls(bytes).ok_or(Wrong::Bad),
        _ => Err(Wrong::NotOne),
    }
}

/// What is in a frame of this ether type.
pub(crate) fn in_ether_type(ether_type: u16, bytes: &[u8]) -> Result<Inner<'_>, Wrong> {
    match ether_type {
        MPLS | MPLS_MULTICAST => in_mpls(bytes).ok_or(Wrong::Bad),
        PPPOE_SESSION => in_pppoe(bytes).ok_or(Wrong::Bad),
        _ => Err(Wrong::NotOne),
    }
}

/// The destination's port tells what is in UDP, or the source's where one end answers the other;
/// only VXLAN is known by its looks too.
fn in_udp(bytes: &[u8]) -> Option<Inner<'_>> {
    let [a, b, c, d, _, _, _, _, payload @ ..] = bytes else { return None };
    let by_port = |port| match port {
        VXLAN_PORT | VXLAN_PORT_LINUX => in_vxlan(payload),
        VXLAN_GPE_PORT => in_vxlan_gpe(payload),
        GENEVE_PORT => in_geneve(payload),
        TZSP_PORT => in_tzsp(payload),
        _ => None,
    };
    by_port(u16::from_be_bytes([*c, *d])).or_else(|| by_port(u16::from_be_bytes([*a, *b]))).or_else(
        || match payload {
            [0x08, 0, 0, 0, _, _, _, 0, frame @ ..] if is_ip_frame(frame) => in_vxlan(payload),
            _ => None,
        },
    )
}

/// RFC 7348, section 5; the group policy's bit and id come from draft-smith-vxlan-group-policy.
///
/// ```text
///  G R R R I R R R │ reserved or group id (24) │ VNI (24) │ reserved (8) │ Ethernet …
/// ```
fn in_vxlan(bytes: &[u8]) -> Option<Inner<'_>> {
    let ([flags, a, b, c, vni @ .., 0], frame) = bytes.split_first_chunk::<8>()? else {
        return None;
    };
    match flags {
        0x08 if [*a, *b, *c] == [0; 3] => {}
        0x88 => {}
        _ => return None,
    }
    Some(Inner::new(Kind::Vxlan, Some(u24(vni)), Carried::Ethernet, frame))
}

/// Draft-ietf-nvo3-vxlan-gpe-12, section 3: bit P says that the fourth byte names what follows.
fn in_vxlan_gpe(bytes: &[u8]) -> Option<Inner<'_>> {
    let ([flags, 0, 0, next, vni @ .., 0], rest) = bytes.split_first_chunk::<8>()? else {
        return None;
    };
    // Version 0 with a VNI; what is for the ends themselves (bit O) is no packet of others.
    if flags & 0xf9 != 0x08 {
        return None;
    }
    let carried = match (flags & 0x04 != 0, next) {
        // Some name it without the bit.
        (false, 0) | (_, 3) => Carried::Ethernet,
        (_, 1) => Carried::Type(IPV4),
        (_, 2) => Carried::Type(IPV6),
        (_, 5) => Carried::Type(MPLS),
        _ => return None,
    };
    Some(Inner::new(Kind::Vxlan, Some(u24(vni)), carried, rest))
}

/// RFC 8926, section 3.4.
///
/// ```text
///  version (2) │ length of options in 4 bytes (6) │ O C reserved │ protocol (16)
///  VNI (24) │ reserved (8) │ options │ …
/// ```
fn in_geneve(bytes: &[u8]) -> Option<Inner<'_>> {
    let ([first, flags, high, low, vni @ .., 0], rest) = bytes.split_first_chunk::<8>()? else {
        return None;
    };
    // Versions other than 0 are to be dropped, and bit O is for the ends themselves.
    if first & 0xc0 != 0 || flags & 0xbf != 0 {
        return None;
    }
    let inner = rest.get(usize::from(first & 0x3f) * 4..)?;
    let carried = carried(u16::from_be_bytes([*high, *low]));
    Some(Inner::new(Kind::Geneve, Some(u24(vni)), carried, inner))
}

/// The TaZmen Sniffer Protocol, as senders and Wireshark's `packet-tzsp.c` know it: version, type,
/// the protocol of what is carried, and tagged fields up to an end tag.
fn in_tzsp(bytes: &[u8]) -> Option<Inner<'_>> {
    let ([1, 0 | 1, 0, TZSP_ETHERNET], mut rest) = bytes.split_first_chunk::<4>()? else {
        return None;
    };
    loop {
        rest = match rest {
            [TZSP_END, frame @ ..] => {
                return Some(Inner::new(Kind::Tzsp, None, Carried::Ethernet, frame));
            }
            [TZSP_PADDING, rest @ ..] => rest,
            [_, length, rest @ ..] => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}

/// RFC 2784, RFC 2890, and the routing of RFC 1701: optional fields by the flags before them.
///
/// ```text
///  C R K S … version (3) │ protocol (16) │ checksum, offset (C or R) │ key (K) │ number (S) │ routing (R) │ …
/// ```
fn in_gre(bytes: &[u8]) -> Result<Inner<'_>, Wrong> {
    let (flags, rest) = take::<2>(bytes)?;
    let (protocol, mut rest) = take::<2>(rest)?;
    let (flags, protocol) = (u16::from_be_bytes(*flags), u16::from_be_bytes(*protocol));
    // Version 1 is PPTP's.
    if flags & GRE_VERSION != 0 {
        return Err(Wrong::NotOne);
    }
    if flags & (GRE_CHECKSUM | GRE_ROUTING) != 0 {
        rest = take::<4>(rest)?.1;
    }
    let mut key = None;
    if flags & GRE_KEY != 0 {
        let (bytes, after) = take::<4>(rest)?;
        (key, rest) = (Some(u32::from_be_bytes(*bytes)), after);
    }
    if flags & GRE_SEQUENCE != 0 {
        rest = take::<4>(rest)?.1;
    }
    if flags & GRE_ROUTING != 0 {
        loop {
            let ([high, low, _, length], after) = take::<4>(rest)?;
            rest = after.get(usize::from(*length)..).ok_or(Wrong::Bad)?;
            if [*high, *low, *length] == [0; 3] {
                break;
            }
        }
    }
    match (protocol, key) {
        // Type I has neither numbers nor a header.
        (ERSPAN, _) if flags & GRE_SEQUENCE == 0 => {
            Ok(Inner::new(Kind::Erspan, None, Carried::Ethernet, rest))
        }
        (ERSPAN | ERSPAN_III, _) => in_erspan(rest).ok_or(Wrong::Bad),
        // RFC 7637, section 3.2: the key is the VSID and a number of the flow. VSIDs up to 0xfff are
        // reserved, and a key that would have such a one is that of a plain bridge.
        (ETHERNET_BRIDGING, Some(key)) if key >> 8 > 0xfff => {
            Ok(Inner::new(Kind::Nvgre, Some(key >> 8), Carried::Ethernet, rest))
        }
        _ => Ok(Inner::new(Kind::Gre, key, carried(protocol), rest)),
    }
}

/// Draft-foschiano-erspan-03, section 4: type II is version 1, type III version 2.
///
/// ```text
///  II   version (4) │ VLAN (12) │ COS (3) │ En (2) │ T │ session (10) │ reserved (12), index (20)
///  III  version (4) │ VLAN (12) │ COS (3) │ BSO (2) │ T │ session (10) │ timestamp (32)
///       SGT (16) │ P │ FT (5) │ hardware (6) │ D │ Gra (2) │ O │ subheader of 8 bytes (O)
/// ```
fn in_erspan(bytes: &[u8]) -> Option<Inner<'_>> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let [version, tag, session] = [u16_at(head, 0)? >> 12, u16_at(head, 0)?, u16_at(head, 2)?];
    let id = Some(u32::from(session & 0x03ff));
    let mut inner = match version {
        1 => {
            let mut inner = Inner::new(Kind::Erspan, id, Carried::Ethernet, rest.get(4..)?);
            // 1 and 2 in En: the frame had a tag, which was taken off.
            if matches!(session >> 11 & 3, 1 | 2) {
                inner.vlan = tag & 0x0fff;
            }
            inner
        }
        2 => {
            let (fields, rest) = rest.split_first_chunk::<8>()?;
            let last = u16_at(fields, 6)?;
            let rest = if last & 1 == 0 { rest } else { rest.get(8..)? };
            let carried = match last >> 10 & 0x1f {
                0 => Carried::Ethernet,
                2 => Carried::Type(ANY_IP),
                _ => return None,
            };
            Inner::new(Kind::Erspan, id, carried, rest)
        }
        _ => return None,
    };
    inner.truncated = session & 0x0400 != 0;
    Some(inner)
}

/// RFC 3032, section 2.1: labels until one that is the bottom of their stack. What follows has no
/// name: IP by its version; else Ethernet, behind a control word (RFC 4385) or without one.
fn in_mpls(bytes: &[u8]) -> Option<Inner<'_>> {
    let mut rest = bytes;
    let (mut label, mut entropy) = (None, false);
    for _ in 0..LABELS {
        let (entry, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        let number = u32::from_be_bytes(*entry) >> 12;
        // RFC 6790: behind this indicator comes a hash of the flow.
        if !std::mem::replace(&mut entropy, number == ENTROPY_INDICATOR) && number > RESERVED_LABELS
        {
            label = Some(number);
        }
        if entry[2] & 1 == 0 {
            continue;
        }
        let ethernet = |frame| Inner::new(Kind::Mpls, label, Carried::Ethernet, frame);
        let (first, known) = (*rest.first()?, is_known_frame(rest));
        if is_ip(first, rest) && !known {
            return Some(Inner::new(Kind::Mpls, label, Carried::Type(ANY_IP), rest));
        }
        return match first >> 4 {
            0 if !known => Some(ethernet(rest.get(4..)?)),
            // RFC 4385, section 5: what is associated with the channel is no packet of others.
            1 if !known => None,
            _ => Some(ethernet(rest)),
        };
    }
    None
}

/// RFC 2516, section 4; the protocols of PPP are those of RFC 1661 and its kin.
fn in_pppoe(bytes: &[u8]) -> Option<Inner<'_>> {
    let ([0x11, 0, _, _, high, low], rest) = bytes.split_first_chunk::<6>()? else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    // Short frames are padded.
    let (protocol, rest) = rest.get(..length).unwrap_or(rest).split_first_chunk::<2>()?;
    let ether_type = match u16::from_be_bytes(*protocol) {
        0x0021 => IPV4,
        0x0057 => IPV6,
        0x0281 => MPLS,
        0x0283 => MPLS_MULTICAST,
        // What PPP says of itself is no packet of others.
        _ => NOTHING,
    };
    Some(Inner::new(Kind::Pppoe, None, Carried::Type(ether_type), rest))
}

fn carried(ether_type: u16) -> Carried {
    match ether_type {
        ETHERNET_BRIDGING => Carried::Ethernet,
        // The answer that GRE of some asks of its other end, to know whether that is alive.
        0 => Carried::Type(NOTHING),
        _ => Carried::Type(ether_type),
    }
}

/// Whether this begins with a header of IP.
fn is_ip(first: u8, bytes: &[u8]) -> bool {
    match first >> 4 {
        4 => first & 0x0f >= 5 && bytes.len() >= 20,
        6 => bytes.len() >= 40,
        _ => false,
    }
}

/// Whether this is a frame of Ethernet that carries IP, which may be tagged.
fn is_ip_frame(frame: &[u8]) -> bool {
    let Some((_, mut rest)) = frame.split_at_checked(12) else { return false };
    for _ in 0..=TAGS_IN_A_LOOK {
        let Some(([high, low], after)) = rest.split_first_chunk::<2>() else { return false };
        match u16::from_be_bytes([*high, *low]) {
            IPV4 => return after.first().is_some_and(|b| b >> 4 == 4 && is_ip(*b, after)),
            IPV6 => return after.first().is_some_and(|b| b >> 4 == 6 && is_ip(*b, after)),
            VLAN | QINQ => rest = after.get(2..).unwrap_or_default(),
            _ => return false,
        }
    }
    false
}

/// Whether this is a frame of Ethernet that carries IP, a tunnel or ARP.
fn is_known_frame(frame: &[u8]) -> bool {
    match u16_at(frame, 12) {
        Some(ARP) => u16_at(frame, 14) == Some(1),
        Some(MPLS | MPLS_MULTICAST | PPPOE_SESSION) => true,
        _ => is_ip_frame(frame),
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Wrong> {
    bytes.split_first_chunk().ok_or(Wrong::Bad)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn u24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Stands for an ether type where what is around does not say which IP it carries.
pub(crate) const ANY_IP: u16 = 0;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const VLAN: u16 = 0x8100;
pub(crate) const QINQ: u16 = 0x88a8;
const ARP: u16 = 0x0806;
/// No ether type: such numbers are lengths.
const NOTHING: u16 = 1;
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const ETHERNET_BRIDGING: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;
const UDP: u8 = 17;
const GRE: u8 = 47;
const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const MPLS_IN_IP: u8 = 137;
const VXLAN_PORT: u16 = 4789;
/// That of Linux from before there was one, still the default of it and of Flannel.
const VXLAN_PORT_LINUX: u16 = 8472;
const VXLAN_GPE_PORT: u16 = 4790;
const GENEVE_PORT: u16 = 6081;
const TZSP_PORT: u16 = 37008;
const TZSP_ETHERNET: u8 = 1;
const TZSP_PADDING: u8 = 0;
const TZSP_END: u8 = 1;
const GRE_CHECKSUM: u16 = 0x8000;
const GRE_ROUTING: u16 = 0x4000;
const GRE_KEY: u16 = 0x2000;
const GRE_SEQUENCE: u16 = 0x1000;
const GRE_VERSION: u16 = 0x0007;
/// Labels up to this one have a meaning of their own.
const RESERVED_LABELS: u32 = 15;
const ENTROPY_INDICATOR: u32 = 7;
/// Tunnels around one packet: a mirror of an overlay has two or three.
pub const TUNNELS: usize = 8;
/// Labels of one stack; segment routing uses up to a dozen.
pub const LABELS: usize = 16;
/// Tags of a frame that is looked at to know whether it is one.
const TAGS_IN_A_LOOK: usize = 2;
