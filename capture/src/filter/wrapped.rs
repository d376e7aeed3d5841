//! Packets that a filter left out, though it holds for what they carry: a filter looks at the
//! outermost headers only, and `tcp port 80` means no packet with a VLAN tag. In comes what was left
//! out, out comes how much that was, and the expression that would have kept it.
//!
//! In <https://www.tcpdump.org/manpages/pcap-filter.7.html>, `vlan`, `mpls` and `pppoes` change how
//! everything is read that stands *behind* them in the text, brackets or not. So of these there can
//! be one chain only, and it stands at the end.

use super::Filter;
use crate::packet::LinkType;
use smallvec::SmallVec;
use std::fmt;

/// Counts what a filter left out though it holds for what is inside.
#[derive(Clone, Debug)]
pub struct Wrapped {
    expression: String,
    /// For Ethernet: what is inside is put into a frame.
    inside: Filter,
    /// The tunnels that the expression has a word for, so that whoever wrote it knows of them.
    known: Vec<Tunnel>,
    looked_at: u64,
    found: u64,
    /// What was stripped of packets for which the filter holds, in order of first appearance.
    paths: Vec<Path>,
    tunnels: Vec<Tunnel>,
    /// The link type of the first one.
    link: LinkType,
    frame: Vec<u8>,
    told: bool,
}

/// What a filter lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Packets that were left out, though the filter holds for what they carry.
    pub packets: u64,
    /// Of so many packets with a tag or tunnel, where no more were looked at.
    pub of_the_first: Option<u64>,
    /// What is around them.
    pub wrappings: Vec<&'static str>,
    /// An expression that keeps them, if there is one for their link type.
    pub remedy: Option<String>,
    /// That expression also keeps what the filter does not hold for, inside of tunnels.
    pub keeps_more: bool,
}

/// Headers that move those behind them, from the outermost.
type Path = SmallVec<[Shift; 4]>;

/// Headers below IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Vlan,
    Mpls,
    Pppoe,
}

/// Headers from IP on, with packets inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tunnel {
    Gre,
    IpInIp,
    Ipv6In,
    Vxlan,
    VxlanOfLinux,
    Geneve,
}

impl Wrapped {
    /// For an expression and its program on Ethernet; none where the expression has words for what
    /// changes the meaning of others (`vlan`, `mpls`), so that whoever wrote it knows.
    pub fn of(expression: &str, inside: Filter) -> Option<Self> {
        let words: Vec<&str> = expression
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|w| !w.is_empty())
            .collect();
        if words.is_empty() || words.iter().any(|word| SHIFTING.contains(word)) {
            return None;
        }
        let has = |word: &str| words.contains(&word);
        let has_pair = |pair: [&str; 2]| words.windows(2).any(|words| words == pair);
        let known = |tunnel: &Tunnel| match tunnel {
            Tunnel::Gre => has("gre") || has_pair(["proto", "47"]),
            Tunnel::IpInIp => has("ipip") || has_pair(["proto", "4"]),
            Tunnel::Ipv6In => has_pair(["proto", "41"]),
            Tunnel::Vxlan => has("4789"),
            Tunnel::VxlanOfLinux => has("8472"),
            Tunnel::Geneve => has("6081"),
        };
        Some(Self {
            expression: expression.trim().to_owned(),
            inside,
            known: Tunnel::ALL.iter().copied().filter(known).collect(),
            looked_at: 0,
            found: 0,
            paths: Vec::new(),
            tunnels: Vec::new(),
            link: LinkType::ETHERNET,
            frame: Vec::new(),
            told: false,
        })
    }

    /// Looks at a packet that was left out, of which `bytes` were kept. What carries no other packet
    /// costs two comparisons.
    pub fn observe(&mut self, link: LinkType, bytes: &[u8], wire_len: u32) {
        if self.is_done() {
            return;
        }
        let Some(mut layer) = Layer::first(link, bytes) else { return };
        let mut path = Path::new();
        let mut tunnels: SmallVec<[Tunnel; 4]> = SmallVec::new();
        for depth in 0..DEEPEST {
            let Some((header, next)) = layer.strip(bytes) else { return };
            if depth == 0 {
                self.looked_at += 1;
            }
            match header {
                // What is inside of a tunnel comes whole with the tunnel.
                Header::Shift(shift) if tunnels.is_empty() => path.push(shift),
                Header::Shift(_) => {}
                Header::Tunnel(tunnel) if self.known.contains(&tunnel) => return,
                Header::Tunnel(tunnel) => tunnels.push(tunnel),
            }
            layer = next;
            self.frame.clear();
            layer.frame(bytes, &mut self.frame);
            let stripped = layer.at.saturating_sub(ETHERNET_HEADER);
            let wire_len = wire_len.saturating_sub(u32::try_from(stripped).unwrap_or(u32::MAX));
            if self.inside.accepts(&self.frame, wire_len) {
                return self.find(link, path, tunnels.first().copied());
            }
        }
    }

    /// What was lost so far, the first time that it is at least so much.
    pub fn loss_once(&mut self, at_least: u64) -> Option<Loss> {
        if self.told || self.found < at_least.max(1) {
            return None;
        }
        self.told = true;
        self.loss()
    }

    /// What was lost, if anything was.
    pub fn loss(&self) -> Option<Loss> {
        if self.found == 0 {
            return None;
        }
        let shifts = Shift::ALL.iter().filter(|s| self.paths.iter().any(|path| path.contains(s)));
        let shifts = shifts.map(|shift| shift.name());
        let remedy = self.remedy();
        Some(Loss {
            packets: self.found,
            of_the_first: self.is_done().then_some(self.looked_at),
            wrappings: shifts.chain(self.tunnels.iter().map(|tunnel| tunnel.name())).collect(),
            keeps_more: remedy.as_ref().is_some_and(|(_, keeps_more)| *keeps_more),
            remedy: remedy.map(|(remedy, _)| remedy),
        })
    }

    /// Whether enough packets were looked at: more are not.
    pub fn is_done(&self) -> bool {
        self.looked_at >= LOOKED_AT
    }

    fn find(&mut self, link: LinkType, path: Path, tunnel: Option<Tunnel>) {
        if self.found == 0 {
            self.link = link;
        }
        self.found += 1;
        if self.paths.len() < PATHS && !self.paths.contains(&path) {
            self.paths.push(path);
        }
        if let Some(tunnel) = tunnel
            && !self.tunnels.contains(&tunnel)
        {
            self.tunnels.push(tunnel);
        }
    }

    /// The expression that keeps all, and whether it keeps more; none if there is none.
    fn remedy(&self) -> Option<(String, bool)> {
        let begins_with_tag = |path: &&Path| path.first() == Some(&Shift::Vlan);
        let longest =
            |paths: &mut dyn Iterator<Item = &Path>| paths.max_by_key(|path| path.len()).cloned();
        let chain = longest(&mut self.paths.iter().filter(begins_with_tag))
            .or_else(|| longest(&mut self.paths.iter()))
            .unwrap_or_default();
        [chain, Path::new()].into_iter().find_map(|chain| {
            let apart: Vec<Shift> = Shift::ALL
                .iter()
                .filter(|shift| {
                    let mut others = self.paths.iter().filter(|path| !chain.starts_with(path));
                    others.any(|path| path.first() == Some(shift))
                })
                .copied()
                .collect();
            let plain: Vec<&str> = apart
                .iter()
                .map(|shift| shift.whole())
                .chain(self.tunnels.iter().map(|tunnel| tunnel.whole()))
                .collect();
            let mut level = format!("({})", self.expression);
            for piece in &plain {
                level = format!("{level} or {piece}");
            }
            let (text, _) = self.chained((&level, plain.is_empty()), &chain, 0);
            let compiles = Filter::compile(&text, self.link).is_ok();
            compiles.then_some((text, !plain.is_empty()))
        })
    }

    /// The expression from a level of the chain on, and whether it can follow an `and` as it is.
    fn chained(&self, level: (&str, bool), chain: &[Shift], depth: usize) -> (String, bool) {
        let Some(shift) = chain.get(depth) else { return (level.0.to_owned(), level.1) };
        let word = shift.word();
        let below = match self.chained(level, chain, depth + 1) {
            (below, true) => format!("{word} and {below}"),
            (below, false) => format!("{word} and ({below})"),
        };
        let so_far = chain.get(..depth).unwrap_or_default();
        let ends_here = depth == 0 || self.paths.iter().any(|path| path.as_slice() == so_far);
        if ends_here { (format!("{} or ({below})", level.0), false) } else { (below, true) }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.packets, self.of_the_first) {
            (1, None) => f.write_str("1 packet that it left out carries ")?,
            (packets, None) => write!(f, "{packets} packets that it left out carry ")?,
            (packets, Some(first)) => write!(
                f,
                "{packets} of the first {first} packets with tags or tunnels that it left out carry "
            )?,
        }
        write!(f, "{}, and it holds for what is inside", self.wrappings.join(" or "))?;
        let Some(remedy) = &self.remedy else {
            return f.write_str("; this link type has no filter for them: filter less");
        };
        write!(f, "; say '{remedy}'")?;
        if self.keeps_more {
            f.write_str(", with which all that is inside is read")
        } else {
            Ok(())
        }
    }
}

/// A second, small capture beside one that the kernel filters: of packets with tags or tunnels that
/// the filter leaves out. Whoever captures opens it with [`Probe::expression`], shows it what comes,
/// and closes it when it [is done](Probe::is_done).
#[derive(Clone, Debug)]
pub struct Probe {
    wrapped: Wrapped,
    expression: String,
}

impl Probe {
    /// For the expression that the kernel filters with, on an interface of this link type; none if
    /// the expression does not compile for Ethernet, or says of tags itself what it wants.
    pub fn of(expression: &str, link: LinkType) -> Option<Self> {
        let inside = Filter::compile(expression, LinkType::ETHERNET).ok()?;
        let wrapped = Wrapped::of(expression, inside)?;
        let unknown = Tunnel::ALL.iter().filter(|tunnel| !wrapped.known.contains(tunnel));
        // `vlan` comes last, as it changes what stands behind it. Cooked packets have no such word,
        // but a number where other tags follow on the one that the kernel takes off.
        let compiles = |piece: &&str| Filter::compile(piece, link).is_ok();
        let vlan = [Shift::Vlan.word(), Shift::Vlan.whole()].into_iter().find(compiles);
        let pieces = unknown
            .map(|tunnel| tunnel.whole())
            .chain([Shift::Mpls.whole(), Shift::Pppoe.whole()])
            .filter(compiles)
            .chain(vlan);
        let pieces: Vec<&str> = pieces.collect();
        let expression = format!("not ({}) and ({})", wrapped.expression, pieces.join(" or "));
        Filter::compile(&expression, link).ok()?;
        Some(Self { wrapped, expression })
    }

    /// What the second capture is to be filtered with.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Looks at a packet of the second capture, with its tags where libpcap puts them: in the frame.
    pub fn observe(&mut self, link: LinkType, bytes: &[u8], wire_len: u32) {
        self.wrapped.observe(link, bytes, wire_len);
    }

    /// What the filter loses, once, when it is surely no accident.
    pub fn loss_once(&mut self) -> Option<Loss> {
        self.wrapped.loss_once(NO_ACCIDENT)
    }

    /// What the filter lost, at the end.
    pub fn loss(&self) -> Option<Loss> {
        self.wrapped.loss()
    }

    /// Whether enough was seen: it has been told, or enough packets were looked at in vain.
    pub fn is_done(&self) -> bool {
        self.wrapped.told || self.wrapped.is_done()
    }
}

impl Shift {
    const ALL: &[Self] = &[Self::Vlan, Self::Mpls, Self::Pppoe];

    fn name(self) -> &'static str {
        match self {
            Self::Vlan => "a VLAN tag",
            Self::Mpls => "MPLS labels",
            Self::Pppoe => "PPPoE",
        }
    }

    /// The word that changes what stands behind it.
    fn word(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoes",
        }
    }

    /// What keeps all of them and changes nothing.
    fn whole(self) -> &'static str {
        match self {
            Self::Vlan => "ether proto 0x8100 or ether proto 0x88a8",
            Self::Mpls => "ether proto 0x8847",
            Self::Pppoe => "ether proto 0x8864",
        }
    }
}

impl Tunnel {
    const ALL: &[Self] =
        &[Self::Gre, Self::IpInIp, Self::Ipv6In, Self::Vxlan, Self::VxlanOfLinux, Self::Geneve];

    fn name(self) -> &'static str {
        match self {
            Self::Gre => "GRE or ERSPAN",
            Self::IpInIp => "IP in IP",
            Self::Ipv6In => "IPv6 in IP",
            Self::Vxlan | Self::VxlanOfLinux => "VXLAN",
            Self::Geneve => "GENEVE",
        }
    }

    fn whole(self) -> &'static str {
        match self {
            Self::Gre => "proto 47",
            Self::IpInIp => "proto 4",
            Self::Ipv6In => "proto 41",
            Self::Vxlan => "udp port 4789",
            Self::VxlanOfLinux => "udp port 8472",
            Self::Geneve => "udp port 6081",
        }
    }
}

/// Where a packet is looked at: what stands there, and the addresses of the frame around it.
#[derive(Clone, Copy)]
struct Layer {
    ether_type: u16,
    at: usize,
    /// Where the frame's two addresses are, if it has some.
    addresses: Option<usize>,
}

/// What was stripped.
enum Header {
    Shift(Shift),
    Tunnel(Tunnel),
}

impl Layer {
    fn first(link: LinkType, bytes: &[u8]) -> Option<Self> {
        let (ether_type, at) = match link {
            LinkType::ETHERNET => return Self::ethernet(bytes, 0),
            LinkType::LINUX_SLL => (u16_at(bytes, 14)?, 16),
            LinkType::LINUX_SLL2 => (u16_at(bytes, 0)?, 20),
            LinkType::NULL | LinkType::LOOP => (ip_type(bytes, 4)?, 4),
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => (ip_type(bytes, 0)?, 0),
            LinkType::IPV4 | LinkType::IPV6 => (ip_type(bytes, 0)?, 0),
            _ => return None,
        };
        Some(Self { ether_type, at, addresses: None })
    }

    fn ethernet(bytes: &[u8], at: usize) -> Option<Self> {
        let ether_type = u16_at(bytes, at + 12)?;
        Some(Self { ether_type, at: at + ETHERNET_HEADER, addresses: Some(at) })
    }

    /// The same frame with something else in it.
    fn with(self, ether_type: u16, at: usize) -> Self {
        Self { ether_type, at, ..self }
    }

    /// Takes off one header that has a packet inside; none if there is none.
    fn strip(self, bytes: &[u8]) -> Option<(Header, Self)> {
        let at = self.at;
        match self.ether_type {
            // Section 9.6 of IEEE 802.1Q, and the number that was in use before.
            0x8100 | 0x88a8 | 0x9100 => {
                Some((Header::Shift(Shift::Vlan), self.with(u16_at(bytes, at + 2)?, at + 4)))
            }
            // RFC 3032, section 2.1: the bottom of the stack has a bit of its own.
            0x8847 | 0x8848 => {
                let is_bottom = bytes.get(at + 2)? & 1 != 0;
                let at = at + 4;
                let ether_type = if is_bottom { ip_type(bytes, at)? } else { self.ether_type };
                Some((Header::Shift(Shift::Mpls), self.with(ether_type, at)))
            }
            // RFC 2516, section 4, with a protocol of PPP behind it.
            0x8864 => {
                let ether_type = match u16_at(bytes, at + 6)? {
                    0x0021 => IPV4,
                    0x0057 => IPV6,
                    _ => return None,
                };
                Some((Header::Shift(Shift::Pppoe), self.with(ether_type, at + 8)))
            }
            IPV4 => {
                let is_first = u16_at(bytes, at + 6)? & 0x1fff == 0;
                let header = usize::from(bytes.get(at)? & 0xf) * 4;
                if is_first { self.above(*bytes.get(at + 9)?, at + header, bytes) } else { None }
            }
            IPV6 => self.above(*bytes.get(at + 6)?, at + 40, bytes),
            _ => None,
        }
    }

    fn above(self, protocol: u8, at: usize, bytes: &[u8]) -> Option<(Header, Self)> {
        let (tunnel, inside) = match protocol {
            4 => (Tunnel::IpInIp, self.with(IPV4, at)),
            41 => (Tunnel::Ipv6In, self.with(IPV6, at)),
            47 => (Tunnel::Gre, self.gre(bytes, at)?),
            17 => {
                let port = u16_at(bytes, at + 2)?;
                let at = at + 8;
                match port {
                    // RFC 7348, section 5: the flag says that the network's id counts.
                    4789 if bytes.get(at)? & 8 != 0 => {
                        (Tunnel::Vxlan, Self::ethernet(bytes, at + 8)?)
                    }
                    8472 if bytes.get(at)? & 8 != 0 => {
                        (Tunnel::VxlanOfLinux, Self::ethernet(bytes, at + 8)?)
                    }
                    // RFC 8926, section 3.4.
                    6081 => {
                        let options = usize::from(bytes.get(at)? & 0x3f) * 4;
                        let ether_type = u16_at(bytes, at + 2)?;
                        (Tunnel::Geneve, self.inside(ether_type, bytes, at + 8 + options)?)
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some((Header::Tunnel(tunnel), inside))
    }

    /// RFC 2784, section 2, and RFC 2890; for ERSPAN draft-foschiano-erspan.
    fn gre(self, bytes: &[u8], at: usize) -> Option<Self> {
        let flags = u16_at(bytes, at)?;
        // Routing, and versions such as that of PPTP.
        if flags & 0x4007 != 0 {
            return None;
        }
        let optional = [0x8000, 0x2000, 0x1000].iter().filter(|bit| flags & **bit != 0).count();
        let inside = at + 4 + 4 * optional;
        match u16_at(bytes, at + 2)? {
            // Without a sequence number it is of the first kind, which has no header.
            0x88be if flags & 0x1000 == 0 => Self::ethernet(bytes, inside),
            0x88be => Self::ethernet(bytes, inside + 8),
            0x22eb => {
                let more = if bytes.get(inside + 11)? & 1 != 0 { 8 } else { 0 };
                Self::ethernet(bytes, inside + 12 + more)
            }
            ether_type => self.inside(ether_type, bytes, inside),
        }
    }

    /// What a tunnel holds: a whole frame, or what an ether type says.
    fn inside(self, ether_type: u16, bytes: &[u8], at: usize) -> Option<Self> {
        if ether_type == 0x6558 {
            Self::ethernet(bytes, at)
        } else {
            Some(self.with(ether_type, at))
        }
    }

    /// Writes a frame of what is inside.
    fn frame(self, bytes: &[u8], frame: &mut Vec<u8>) {
        let addresses = self.addresses.and_then(|at| bytes.get(at..at + 12));
        frame.extend_from_slice(addresses.unwrap_or(&[0; 12]));
        frame.extend_from_slice(&self.ether_type.to_be_bytes());
        frame.extend_from_slice(bytes.get(self.at..).unwrap_or_default());
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// The ether type of what begins like IP.
fn ip_type(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at)? >> 4 {
        4 => Some(IPV4),
        6 => Some(IPV6),
        _ => None,
    }
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET_HEADER: usize = 14;
/// Words of the language that change what stands behind them.
const SHIFTING: &[&str] = &["vlan", "mpls", "pppoes", "pppoed", "geneve"];
/// Packets with a tag or tunnel that are looked at.
const LOOKED_AT: u64 = 10_000;
/// Headers with a packet inside, of one packet.
const DEEPEST: usize = 8;
/// Ways in which headers follow on each other that are told apart.
const PATHS: usize = 16;
/// So many packets are told of while a capture goes on.
const NO_ACCIDENT: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01";
    /// IPv4, TCP from 10.0.0.1:1024 to 10.0.0.2:80.
    const TCP: &[u8] = b"\x45\0\0\x28\0\x01\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02\
        \x04\0\0\x50\0\0\0\x01\0\0\0\0\x50\x02\xff\xff\0\0\0\0";
    const ETHERNET_TCP: &[&[u8]] = &[MACS, b"\x08\0", TCP];
    const TAG: &[u8] = b"\x81\0\0\x07";
    const SERVICE_TAG: &[u8] = b"\x88\xa8\0\x09";
    const TYPE: &[u8] = b"\x08\0";
    const LABEL: &[u8] = b"\0\x06\x40\x40";
    const LAST_LABEL: &[u8] = b"\0\x06\x41\x40";
    const PPPOE: &[u8] = b"\x88\x64\x11\0\0\x01\0\x2a\0\x21";

    /// IPv4 from 192.168.0.1 to 192.168.0.2 with another protocol inside.
    fn ip(protocol: u8) -> Vec<u8> {
        let mut header = b"\x45\0\0\xff\0\x01\0\0\x40\0\0\0\xc0\xa8\0\x01\xc0\xa8\0\x02".to_vec();
        header[9] = protocol;
        header
    }

    fn udp(port: u16) -> Vec<u8> {
        [&ip(17), b"\xff\0".as_slice(), &port.to_be_bytes(), b"\0\0\0\0"].concat()
    }

    fn packets() -> Vec<(&'static str, Vec<u8>)> {
        let inner = ETHERNET_TCP.concat();
        let all: &[(&str, &[&[u8]])] = &[
            ("plain", &[MACS, TYPE, TCP]),
            ("tag", &[MACS, TAG, TYPE, TCP]),
            ("two tags", &[MACS, SERVICE_TAG, TAG, TYPE, TCP]),
            ("label", &[MACS, b"\x88\x47", LAST_LABEL, TCP]),
            ("two labels", &[MACS, b"\x88\x47", LABEL, LAST_LABEL, TCP]),
            ("pppoe", &[MACS, PPPOE, TCP]),
            ("tag, pppoe", &[MACS, TAG, PPPOE, TCP]),
            ("gre", &[MACS, TYPE, &ip(47), b"\0\0\x08\0", TCP]),
            ("gre with a key", &[MACS, TYPE, &ip(47), b"\x20\0\x65\x58\0\0\0\x01", &inner]),
            ("erspan 1", &[MACS, TYPE, &ip(47), b"\0\0\x88\xbe", &inner]),
            (
                "erspan 2",
                &[MACS, TYPE, &ip(47), b"\x10\0\x88\xbe\0\0\0\x01\x10\0\0\x01\0\0\0\0", &inner],
            ),
            (
                "erspan 3",
                &[
                    MACS,
                    TYPE,
                    &ip(47),
                    b"\x10\0\x22\xeb\0\0\0\x01\x20\0\0\x01\0\0\0\0\0\0\0\0",
                    &inner,
                ],
            ),
            ("ipip", &[MACS, TYPE, &ip(4), TCP]),
            ("vxlan", &[MACS, TYPE, &udp(4789), b"\x08\0\0\0\0\0\x01\0", &inner]),
            ("vxlan of linux", &[MACS, TYPE, &udp(8472), b"\x08\0\0\0\0\0\x01\0", &inner]),
            ("geneve", &[MACS, TYPE, &udp(6081), b"\x01\0\x65\x58\0\0\x01\0\0\0\0\0", &inner]),
            ("tag, vxlan", &[MACS, TAG, TYPE, &udp(4789), b"\x08\0\0\0\0\0\x01\0", &inner]),
            (
                "vxlan, tag",
                &[MACS, TYPE, &udp(4789), b"\x08\0\0\0\0\0\x01\0", MACS, TAG, TYPE, TCP],
            ),
        ];
        all.iter().map(|(name, pieces)| (*name, pieces.concat())).collect()
    }

    fn wrapped(expression: &str) -> Option<Wrapped> {
        Wrapped::of(expression, Filter::compile(expression, LinkType::ETHERNET).unwrap())
    }

    fn len(bytes: &[u8]) -> u32 {
        u32::try_from(bytes.len()).unwrap()
    }

    /// What is said of some packets, if anything; a remedy keeps all of them.
    fn said(expression: &str, names: &[&str]) -> Option<String> {
        let mut wrapped = wrapped(expression)?;
        let packets: Vec<Vec<u8>> = packets()
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(_, bytes)| bytes)
            .collect();
        assert_eq!(packets.len(), names.len());
        for bytes in &packets {
            assert!(!wrapped.inside.accepts(bytes, len(bytes)), "{names:?} is left out");
            wrapped.observe(LinkType::ETHERNET, bytes, len(bytes));
        }
        let loss = wrapped.loss()?;
        if loss.packets == packets.len() as u64 {
            let remedy =
                Filter::compile(loss.remedy.as_ref().unwrap(), LinkType::ETHERNET).unwrap();
            for bytes in &packets {
                assert!(remedy.accepts(bytes, len(bytes)), "{names:?}: {loss}");
            }
            let plain = ETHERNET_TCP.concat();
            assert_eq!(
                remedy.accepts(&plain, len(&plain)),
                wrapped.inside.accepts(&plain, len(&plain))
            );
        }
        Some(loss.to_string())
    }

    fn check(names: &[&str], expected: &str) {
        let said = said("port 80", names).unwrap();
        let (_, remedy) = said.split_once("; say ").unwrap();
        assert_eq!(remedy, expected, "{names:?}");
    }

    #[test]
    fn what_a_tag_hides_is_told_with_the_remedy() {
        assert_eq!(
            said("tcp port 80", &["tag"]).unwrap(),
            "1 packet that it left out carries a VLAN tag, and it holds for what is inside; \
             say '(tcp port 80) or (vlan and (tcp port 80))'"
        );
        assert_eq!(said("tcp port 81", &["tag", "two tags", "vxlan", "gre", "label"]), None);
        assert_eq!(said("tcp port 80", &[]), None);
    }

    #[test]
    fn a_remedy_keeps_what_was_left_out() {
        check(&["tag"], "'(port 80) or (vlan and (port 80))'");
        check(&["two tags"], "'(port 80) or (vlan and vlan and (port 80))'");
        check(
            &["tag", "two tags"],
            "'(port 80) or (vlan and ((port 80) or (vlan and (port 80))))'",
        );
        check(&["label"], "'(port 80) or (mpls and (port 80))'");
        check(
            &["label", "two labels"],
            "'(port 80) or (mpls and ((port 80) or (mpls and (port 80))))'",
        );
        check(&["pppoe"], "'(port 80) or (pppoes and (port 80))'");
        check(&["tag, pppoe"], "'(port 80) or (vlan and pppoes and (port 80))'");
        check(
            &["tag", "label"],
            "'(port 80) or ether proto 0x8847 or (vlan and ((port 80) or ether proto 0x8847))', \
             with which all that is inside is read",
        );
        let whole = ", with which all that is inside is read";
        for name in ["gre", "gre with a key", "erspan 1", "erspan 2", "erspan 3"] {
            check(&[name], &format!("'(port 80) or proto 47'{whole}"));
        }
        check(&["ipip"], &format!("'(port 80) or proto 4'{whole}"));
        check(&["vxlan"], &format!("'(port 80) or udp port 4789'{whole}"));
        check(&["vxlan, tag"], &format!("'(port 80) or udp port 4789'{whole}"));
        check(&["vxlan of linux"], &format!("'(port 80) or udp port 8472'{whole}"));
        check(&["geneve"], &format!("'(port 80) or udp port 6081'{whole}"));
        check(
            &["tag", "tag, vxlan"],
            &format!(
                "'(port 80) or udp port 4789 or (vlan and ((port 80) or udp port 4789))'{whole}"
            ),
        );
    }

    #[test]
    fn whoever_says_how_is_not_told() {
        let is_told = |expression, name| said(expression, &[name]).is_some();
        assert!(is_told("tcp port 80 and not udp port 1", "vxlan"));
        assert!(!is_told("tcp port 80 and not udp port 4789", "vxlan"));
        assert!(!is_told("tcp port 80 and not proto 47", "gre"));
        for expression in ["vlan 8 and tcp port 80", "tcp port 80 or (vlan 8 and tcp)", "", "mpls"]
        {
            assert!(wrapped(expression).is_none(), "{expression}");
        }
    }

    #[test]
    fn a_link_type_without_tags_gets_another_remedy() {
        let cooked = [b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0".as_slice(), TAG, TYPE, TCP].concat();
        let mut wrapped = wrapped("port 80").unwrap();
        wrapped.observe(LinkType::LINUX_SLL, &cooked, len(&cooked));
        let remedy = wrapped.loss().unwrap().remedy.unwrap();
        assert_eq!(remedy, "(port 80) or ether proto 0x8100 or ether proto 0x88a8");
        let remedy = Filter::compile(&remedy, LinkType::LINUX_SLL).unwrap();
        assert!(remedy.accepts(&cooked, len(&cooked)));
    }

    #[test]
    fn no_beginning_of_a_packet_is_harmful() {
        for (_, bytes) in packets() {
            for end in 0..=bytes.len() {
                let mut wrapped = wrapped("tcp").unwrap();
                for link in
                    [LinkType::ETHERNET, LinkType::RAW, LinkType::NULL, LinkType::LINUX_SLL2]
                {
                    wrapped.observe(link, &bytes[..end], u32::MAX);
                }
            }
        }
    }

    #[test]
    fn looking_ends_after_a_while() {
        let mut wrapped = wrapped("port 80").unwrap();
        let tagged = [MACS, TAG, TYPE, TCP].concat();
        for _ in 0..LOOKED_AT + 5 {
            wrapped.observe(LinkType::ETHERNET, &tagged, len(&tagged));
        }
        let loss = wrapped.loss_once(1).unwrap();
        assert_eq!((loss.packets, loss.of_the_first), (LOOKED_AT, Some(LOOKED_AT)));
        assert_eq!(wrapped.loss_once(1), None);
    }

    #[test]
    fn a_probe_sees_what_the_filter_leaves_out_and_nothing_else() {
        let probe = Probe::of("port 80 or port 81", LinkType::ETHERNET).unwrap();
        let filter = Filter::compile(probe.expression(), LinkType::ETHERNET).unwrap();
        for (name, bytes) in packets() {
            assert_eq!(filter.accepts(&bytes, len(&bytes)), name != "plain", "{name}");
        }
        for link in [LinkType::LINUX_SLL, LinkType::LINUX_SLL2, LinkType::RAW, LinkType::NULL] {
            assert!(Probe::of("port 80", link).is_some(), "{link:?}");
        }
        assert!(Probe::of("vlan and port 80", LinkType::ETHERNET).is_none());
        assert!(Probe::of("prot 80", LinkType::ETHERNET).is_none());
    }
}
