//! Hosts, ways between them with capture points on them, and TCP connections: who sends what when,
//! to packets as each point has seen them.

use crate::dice::Dice;
use crate::wire::{Vxlan, frame};
use etherparse::{TcpHeader, TcpOptionElement};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) const US: i64 = 1_000;
pub(crate) const MS: i64 = 1_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// The time from which all others are counted: nanoseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000 * SECOND;

/// An interface of a capture.
#[derive(Clone, Debug)]
pub(crate) struct Tap {
    pub(crate) name: String,
    /// Nanoseconds by which its clock is ahead.
    pub(crate) ahead: i64,
    /// Nanoseconds a second by which its clock runs fast.
    pub(crate) drift: i64,
}

/// A capture point: one of those that a tap shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PointNumber(pub(crate) usize);

/// A message that packets carry a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Request,
    Response,
}

/// A packet as a point has seen it.
#[derive(Clone, Debug)]
pub(crate) struct Sighted {
    /// By the clock of its tap.
    pub(crate) at: i64,
    pub(crate) tap: usize,
    pub(crate) point: PointNumber,
    /// The exchanges whose bytes it carries.
    pub(crate) about: Vec<String>,
    pub(crate) part: Part,
    pub(crate) bytes: Vec<u8>,
}

/// All that is captured.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) dice: Dice,
    pub(crate) taps: Vec<Tap>,
    pub(crate) points: Vec<String>,
    pub(crate) packets: Vec<Sighted>,
    is_v6: bool,
    hosts: u32,
    ports: u16,
}

impl Net {
    pub(crate) fn new(mut dice: Dice) -> Self {
        let is_v6 = dice.one_in(3);
        let (hosts, ports) = (dice.of(1..40_000) as u32, dice.of(20_000..30_000) as u16);
        Self {
            dice,
            taps: Vec::new(),
            points: Vec::new(),
            packets: Vec::new(),
            is_v6,
            hosts,
            ports,
        }
    }

    /// An address that no other host has.
    pub(crate) fn host(&mut self) -> IpAddr {
        self.hosts += 1 + self.dice.of(0..3) as u32;
        let [_, a, b, c] = (self.hosts + 1).to_be_bytes();
        match self.is_v6 {
            true => {
                Ipv6Addr::new(0xfd00, 0xca5e, 0, 0, 0, a.into(), b.into(), u16::from(c) + 1).into()
            }
            false => Ipv4Addr::new(10, a, b, c).into(),
        }
    }

    /// All hosts from now on have addresses of four bytes.
    pub(crate) fn be_v4(&mut self) {
        self.is_v6 = false;
    }

    /// A port of a client that no other connection has.
    pub(crate) fn port(&mut self) -> u16 {
        self.ports += 1 + self.dice.of(0..7) as u16;
        self.ports
    }

    /// An interface whose clock is right.
    pub(crate) fn tap(&mut self, name: &str) -> usize {
        self.tap_ahead(name, 0)
    }

    /// An interface whose clock is ahead by so many nanoseconds.
    pub(crate) fn tap_ahead(&mut self, name: &str, ahead: i64) -> usize {
        self.taps.push(Tap { name: name.to_owned(), ahead, drift: 0 });
        self.taps.len() - 1
    }

    /// A way that is captured nowhere yet: so many nanoseconds, so many routers.
    pub(crate) fn way(&mut self, delay: i64, hops: u8) -> Way {
        let routers = self.dice.next() as u32;
        Way { sights: Vec::new(), delay, hops, routers, late_answers: None }
    }

    /// A way of one link with one point, on this tap.
    pub(crate) fn short(&mut self, tap: usize) -> Way {
        let delay = self.dice.of(10 * US..90 * US);
        let at = self.dice.of(0..delay);
        let point = match self.points.iter().position(|name| *name == self.taps[tap].name) {
            Some(known) => PointNumber(known),
            None => self.point(&self.taps[tap].name.clone()),
        };
        self.way(delay, 0).seen(Sight::new(tap, point, at, 0))
    }

    /// A point, by the name that is told of it.
    pub(crate) fn point(&mut self, name: &str) -> PointNumber {
        self.points.push(name.to_owned());
        PointNumber(self.points.len() - 1)
    }

    /// A connection to this end on this way, from a port that is not used; it is opened just before
    /// this time.
    pub(crate) fn connect(
        &mut self,
        client: IpAddr,
        server: SocketAddr,
        way: &Way,
        at: i64,
    ) -> Connection {
        let port = self.port();
        let mut connection = Connection::new(self, (client, port).into(), server, way);
        connection.open(self, at);
        connection
    }
}

/// Where a point lies on a way, and what packets look like there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) tap: usize,
    pub(crate) point: PointNumber,
    /// Nanoseconds from the client.
    pub(crate) delay: i64,
    /// Routers from the client.
    pub(crate) hops: u8,
    /// Nanoseconds by which packets may be stamped too late.
    pub(crate) jitter: i64,
    /// What the two ends are called there, client first, where they have other addresses.
    pub(crate) ends: Option<[SocketAddr; 2]>,
    pub(crate) vxlan: Option<Vxlan>,
}

impl Sight {
    pub(crate) fn new(tap: usize, point: PointNumber, delay: i64, hops: u8) -> Self {
        Self { tap, point, delay, hops, jitter: 0, ends: None, vxlan: None }
    }
}

/// A way between two hosts, with the points that lie on it.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) sights: Vec<Sight>,
    pub(crate) delay: i64,
    hops: u8,
    routers: u32,
    /// Answers take so many nanoseconds longer to the first so many points, and to the client.
    pub(crate) late_answers: Option<(usize, i64)>,
}

impl Way {
    /// With one more point.
    pub(crate) fn seen(mut self, sight: Sight) -> Self {
        self.sights.push(sight);
        self
    }

    /// The points, from the client on.
    pub(crate) fn points(&self) -> Vec<PointNumber> {
        self.sights.iter().map(|sight| sight.point).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Which of the points on a way see a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    /// It is lost behind so many points, as its sender counts them.
    LostBehind(usize),
}

/// What a packet is about.
#[derive(Clone, Copy)]
struct About<'a> {
    names: &'a [&'a str],
    part: Part,
}

/// A packet that is sent.
struct Sent<'a> {
    bytes: &'a [u8],
    flags: Flags,
    about: About<'a>,
    reach: Reach,
}

impl<'a> Sent<'a> {
    fn bare(flags: Flags) -> Self {
        Self { bytes: b"", flags, about: NOTHING, reach: Reach::All }
    }

    fn data(bytes: &'a [u8], about: About<'a>) -> Self {
        Self { bytes, flags: Flags::ACK, about, reach: Reach::All }
    }
}

/// A TCP connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) way: Way,
    pub(crate) ends: [SocketAddr; 2],
    /// The next sequence numbers.
    pub(crate) next: [u32; 2],
    /// The timestamps that each side adds to its clock's milliseconds; none are sent without.
    pub(crate) stamps: Option<[u32; 2]>,
    pub(crate) ip_ids: [u16; 2],
    pub(crate) ttl: [u8; 2],
    /// Bytes of the longest segment.
    pub(crate) longest: usize,
    last_stamps: [u32; 2],
    /// When each point saw the last packet of each side: a point sees them in order.
    seen: Vec<[i64; 2]>,
}

impl Connection {
    pub(crate) fn new(net: &mut Net, client: SocketAddr, server: SocketAddr, way: &Way) -> Self {
        let dice = &mut net.dice;
        let next = [dice.next() as u32, dice.next() as u32];
        let stamps = (!dice.one_in(5)).then(|| [dice.next() as u32, dice.next() as u32]);
        let ip_ids = [dice.next() as u16 | 1, dice.next() as u16 | 1];
        let ttl = [dice.pick(&[64, 128, 255]), dice.pick(&[64, 128, 255])];
        let longest = dice.pick(&[1448, 1448, 1448, 536, 90]);
        let seen = vec![[i64::MIN; 2]; way.sights.len()];
        let (way, last_stamps) = (way.clone(), [0; 2]);
        Self { way, ends: [client, server], next, stamps, ip_ids, ttl, longest, last_stamps, seen }
    }

    /// The handshake, over before this time.
    pub(crate) fn open(&mut self, net: &mut Net, at: i64) {
        let delay = self.way.delay;
        let late = self.way.late_answers.map_or(0, |(_, late)| late);
        let start = at - 3 * delay - late - 20 * US;
        self.send(net, Side::Client, start, Sent::bare(Flags::SYN));
        self.send(net, Side::Server, start + delay + 5 * US, Sent::bare(Flags::SYN_ACK));
        let answered = start + 2 * delay + late + 10 * US;
        self.send(net, Side::Client, answered, Sent::bare(Flags::ACK));
    }

    /// What the client asks, by the names of the exchanges; gives when the server has it.
    pub(crate) fn asks(
        &mut self,
        net: &mut Net,
        at: i64,
        names: &[&str],
        bytes: impl AsRef<[u8]>,
    ) -> i64 {
        self.says(net, Side::Client, at, bytes.as_ref(), About { names, part: Part::Request })
    }

    /// What the server answers; gives when the client has it.
    pub(crate) fn tells(
        &mut self,
        net: &mut Net,
        at: i64,
        names: &[&str],
        bytes: impl AsRef<[u8]>,
    ) -> i64 {
        self.says(net, Side::Server, at, bytes.as_ref(), About { names, part: Part::Response })
    }

    /// A request that is sent at several times, and lost behind so many points but for the last one;
    /// gives when the server has it.
    pub(crate) fn asks_again(
        &mut self,
        net: &mut Net,
        times: &[i64],
        names: &[&str],
        bytes: impl AsRef<[u8]>,
        lost_behind: usize,
    ) -> i64 {
        let about = About { names, part: Part::Request };
        let next = self.next;
        for (number, at) in times.iter().enumerate() {
            self.next = next;
            let data = Sent::data(bytes.as_ref(), about);
            let is_last = number + 1 == times.len();
            let reach = if is_last { data.reach } else { Reach::LostBehind(lost_behind) };
            self.send(net, Side::Client, *at, Sent { reach, ..data });
        }
        times.last().unwrap() + self.way.delay
    }

    /// Parts of a request in the order in which they are on the way; gives when the last is there.
    /// The exchange begins with the first of its bytes, whenever the others come.
    pub(crate) fn asks_in_parts(
        &mut self,
        net: &mut Net,
        at: i64,
        names: &[&str],
        bytes: &[u8],
        order: &[std::ops::Range<usize>],
    ) -> i64 {
        let about = About { names, part: Part::Request };
        let first = self.next[0];
        let mut now = at;
        let begins = order.iter().position(|range| range.start == 0);
        for (number, range) in order.iter().enumerate() {
            self.next[0] = first.wrapping_add(range.start as u32);
            let part = &bytes[range.clone()];
            let about = if Some(number) == begins { about } else { NOTHING };
            self.send(net, Side::Client, now, Sent::data(part, about));
            now += 15 * US;
        }
        self.next[0] = first.wrapping_add(bytes.len() as u32);
        now - 15 * US + self.way.delay
    }

    /// Both sides say that they are done.
    pub(crate) fn close(&mut self, net: &mut Net, at: i64) {
        let delay = self.way.delay;
        self.send(net, Side::Client, at, Sent::bare(Flags::FIN));
        self.send(net, Side::Server, at + delay + US, Sent::bare(Flags::FIN));
        self.send(net, Side::Client, at + 2 * delay + 2 * US, Sent::bare(Flags::ACK));
    }

    fn says(&mut self, net: &mut Net, side: Side, at: i64, bytes: &[u8], about: About<'_>) -> i64 {
        let mut now = at;
        for piece in bytes.chunks(self.longest) {
            self.send(net, side, now, Sent::data(piece, about));
            now += net.dice.of(US..15 * US);
        }
        let late = self.way.late_answers.filter(|_| side == Side::Server);
        let there = now + self.way.delay + late.map_or(0, |(_, late)| late);
        if net.dice.one_in(3) {
            let other = if side == Side::Client { Side::Server } else { Side::Client };
            self.send(net, other, there, Sent::bare(Flags::ACK));
        }
        there
    }

    fn send(&mut self, net: &mut Net, side: Side, at: i64, sent: Sent<'_>) {
        let Sent { bytes, flags, about, reach } = sent;
        let (own, other) = if side == Side::Client { (0, 1) } else { (1, 0) };
        let mut tcp = TcpHeader::new(0, 0, self.next[own], 64_000);
        (tcp.syn, tcp.fin, tcp.psh) = (flags.syn, flags.fin, !bytes.is_empty());
        if flags.ack {
            (tcp.ack, tcp.acknowledgment_number) = (true, self.next[other]);
        }
        if let Some(stamps) = self.stamps {
            let stamp = stamps[own].wrapping_add((at / MS) as u32);
            let option = TcpOptionElement::Timestamp(stamp, self.last_stamps[other]);
            self.last_stamps[own] = stamp;
            tcp.set_options(&[TcpOptionElement::Noop, TcpOptionElement::Noop, option]).unwrap();
        }
        self.ip_ids[own] = self.ip_ids[own].wrapping_add(1);
        let length = bytes.len() as u32 + u32::from(flags.syn || flags.fin);
        self.next[own] = self.next[own].wrapping_add(length);
        let count = self.way.sights.len();
        for (number, sight) in self.way.sights.iter().enumerate() {
            let passed = if side == Side::Client { number } else { count - 1 - number };
            if let Reach::LostBehind(points) = reach
                && passed >= points
            {
                continue;
            }
            let (delay, hops) = match side {
                Side::Client => (sight.delay, sight.hops),
                Side::Server => (self.way.delay - sight.delay, self.way.hops - sight.hops),
            };
            let late = self.way.late_answers.filter(|(points, _)| number < *points);
            let late = late.filter(|_| side == Side::Server).map_or(0, |(_, late)| late);
            let jitter = net.dice.of(0..sight.jitter + 1);
            let last = &mut self.seen[number][own];
            let seen = (at + delay + late + jitter).max(last.saturating_add(1));
            *last = seen;
            let mut ends = sight.ends.unwrap_or(self.ends);
            let mut macs = [mac_of(ends[0].ip()), mac_of(ends[1].ip())];
            if sight.hops > 0 {
                macs[0] = self.way.router(sight.hops, 0);
            }
            if sight.hops < self.way.hops {
                macs[1] = self.way.router(sight.hops + 1, 1);
            }
            if side == Side::Server {
                ends.swap(0, 1);
                macs.swap(0, 1);
            }
            let plain = frame(macs, ends, self.ttl[own] - hops, self.ip_ids[own], &tcp, bytes);
            let tap = &net.taps[sight.tap];
            let bytes = match &sight.vxlan {
                Some(tunnel) => tunnel.around(&plain, side == Side::Server),
                None => plain,
            };
            net.packets.push(Sighted {
                at: seen + tap.ahead + (seen as f64 / 1e9 * tap.drift as f64) as i64,
                tap: sight.tap,
                point: sight.point,
                about: about.names.iter().map(|name| (*name).to_owned()).collect(),
                part: about.part,
                bytes,
            });
        }
    }
}

impl Way {
    /// The address of a router's interface towards the server, or towards the client.
    fn router(&self, hop: u8, towards_client: u8) -> [u8; 6] {
        let [a, b, c, _] = self.routers.to_be_bytes();
        [2, a, b, c, hop, towards_client]
    }
}

fn mac_of(ip: IpAddr) -> [u8; 6] {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[12..].to_vec(),
    };
    [2, 1, bytes[0], bytes[1], bytes[2], bytes[3]]
}

#[derive(Clone, Copy)]
struct Flags {
    syn: bool,
    ack: bool,
    fin: bool,
}

impl Flags {
    const SYN: Self = Self { syn: true, ack: false, fin: false };
    const SYN_ACK: Self = Self { syn: true, ack: true, fin: false };
    const ACK: Self = Self { syn: false, ack: true, fin: false };
    const FIN: Self = Self { syn: false, ack: true, fin: true };
}

const NOTHING: About<'static> = About { names: &[], part: Part::Request };
