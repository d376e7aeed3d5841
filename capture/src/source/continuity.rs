//! The end of one capture and the beginning of another in, whether TCP goes on between them out.

use crate::packet::{Batch, LinkType, PacketHead};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::net::IpAddr;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the last packets of a file lead to expect: the next sequence number of each direction.
#[derive(Debug, Default)]
pub(super) struct Tail {
    next: HashMap<Direction, u32, FixedState>,
    /// What `next` held when it was full, so that the directions seen last are remembered.
    before: HashMap<Direction, u32, FixedState>,
}

/// What the first packets of a file begin with: the first sequence number of each direction.
#[derive(Debug, Default)]
pub(super) struct Head {
    first: HashMap<Direction, u32, FixedState>,
}

/// How well a beginning goes on with an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Directions that go on where they stopped, or nearly so.
    pub(super) continuing: usize,
    /// Directions that go on somewhere else.
    pub(super) contradicting: usize,
}

/// One direction of a TCP connection, as it passes one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Direction {
    /// Of the link header and the TTL: behind a router the same packets have others, and are seen
    /// by another tap.
    hop: u64,
    addresses: [IpAddr; 2],
    ports: [u16; 2],
}

struct Segment {
    direction: Direction,
    seq: u32,
    /// The sequence number after its last byte.
    next: u32,
    opens: bool,
    closes: bool,
}

impl Tail {
    /// Takes up one more packet.
    pub(super) fn add(&mut self, packet: &PacketHead, bytes: &[u8]) {
        let Some(segment) = segment(packet, bytes) else { return };
        if segment.closes {
            // What follows on these addresses and ports is another connection.
            self.next.remove(&segment.direction);
            self.before.remove(&segment.direction);
            return;
        }
        if self.next.len() >= DIRECTIONS / 2 {
            self.before = std::mem::take(&mut self.next);
        }
        match self.next.entry(segment.direction) {
            Entry::Occupied(mut known) => {
                if segment.opens || is_ahead(segment.next, *known.get()) {
                    known.insert(segment.next);
                }
            }
            Entry::Vacant(place) => {
                let before = self.before.get(&segment.direction).copied();
                let again = |known: &u32| !segment.opens && is_ahead(*known, segment.next);
                place.insert(before.filter(again).unwrap_or(segment.next));
            }
        }
    }

    /// Compares with the beginning of a later file.
    pub(super) fn goes_on_in(&self, head: &Head) -> Agreement {
        let mut agreement = Agreement::default();
        // Only counts are taken, so the order does not matter.
        for (direction, first) in &head.first {
            let expected = self.next.get(direction).or_else(|| self.before.get(direction));
            let Some(expected) = expected else { continue };
            let ahead = first.wrapping_sub(*expected);
            if ahead <= LOST || ahead >= AGAIN.wrapping_neg() {
                agreement.continuing += 1;
            } else {
                agreement.contradicting += 1;
            }
        }
        agreement
    }
}

impl Head {
    /// Reads the first packets of a file.
    pub(super) fn of(batch: &Batch) -> Self {
        // A connection that begins here says nothing of what was before it.
        let mut first: HashMap<Direction, Option<u32>, FixedState> = HashMap::default();
        for packet in batch.packets.iter().take(PACKETS) {
            let Some(segment) = segment(packet, batch.bytes(packet)) else { continue };
            if first.len() < DIRECTIONS {
                let seq = (!segment.opens).then_some(segment.seq);
                first.entry(segment.direction).or_insert(seq);
            }
        }
        let first = first.into_iter().filter_map(|(direction, seq)| Some((direction, seq?)));
        Self { first: first.collect() }
    }
}

/// The TCP segment in a packet without tunnels, options that move the TCP header included.
fn segment(packet: &PacketHead, bytes: &[u8]) -> Option<Segment> {
    let start = ip_start(packet.link, bytes)?;
    let (link, ip) = bytes.split_at_checked(start)?;
    let version = ip.first()? >> 4;
    let (ttl, addresses, tcp_start, ip_len) = match version {
        4 => {
            let header: &[u8; 20] = ip.first_chunk()?;
            let fragmented = u16_at(header, 6)? & 0x3fff != 0;
            if fragmented || header[9] != TCP {
                return None;
            }
            let start = usize::from(header[0] & 0xf) * 4;
            let addresses = [ipv4(header, 12)?, ipv4(header, 16)?];
            (header[8], addresses, start, usize::from(u16_at(header, 2)?))
        }
        6 => {
            let header: &[u8; 40] = ip.first_chunk()?;
            if header[6] != TCP {
                return None;
            }
            let addresses = [ipv6(header, 8)?, ipv6(header, 24)?];
            (header[7], addresses, 40, 40 + usize::from(u16_at(header, 4)?))
        }
        _ => return None,
    };
    let tcp: &[u8; 20] = ip.get(tcp_start..)?.first_chunk()?;
    let data_start = tcp_start + usize::from(tcp[12] >> 4) * 4;
    // Offloading leaves a length of 0 in packets longer than 64 KiB, as it does in some others.
    let on_wire = usize::try_from(packet.wire_len).ok()?.saturating_sub(start);
    let ip_len = if ip_len <= tcp_start { on_wire } else { ip_len };
    let data = u32::try_from(ip_len.saturating_sub(data_start)).ok()?;
    let flags = tcp[13];
    let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    let opens = flags & SYN != 0;
    Some(Segment {
        direction: Direction {
            hop: xxh3_64_with_seed(link, u64::from(ttl)),
            addresses,
            ports: [u16_at(tcp, 0)?, u16_at(tcp, 2)?],
        },
        seq,
        next: seq.wrapping_add(data).wrapping_add(u32::from(opens)),
        opens,
        closes: flags & (FIN | RST) != 0,
    })
}

/// Where the IP header begins.
fn ip_start(link: LinkType, bytes: &[u8]) -> Option<usize> {
    match link {
        LinkType::ETHERNET => {
            let mut start = 14;
            while matches!(u16_at(bytes, start - 2)?, 0x8100 | 0x88a8 | 0x9100) {
                start += 4;
            }
            Some(start)
        }
        LinkType::NULL | LinkType::LOOP => Some(4),
        LinkType::LINUX_SLL => Some(16),
        LinkType::LINUX_SLL2 => Some(20),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Some(0),
        LinkType::IPV4 | LinkType::IPV6 => Some(0),
        _ => None,
    }
}

fn is_ahead(seq: u32, of: u32) -> bool {
    seq.wrapping_sub(of).cast_signed() > 0
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn ipv4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes))
}

fn ipv6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes))
}

/// How many packets at the beginning of a file are looked at.
const PACKETS: usize = 8_192;
/// How many directions are remembered, at most.
const DIRECTIONS: usize = 4_096;
/// How many bytes of one direction may be lost between the files.
const LOST: u32 = 1024 * 1024;
/// How many bytes of one direction may be sent again.
const AGAIN: u32 = 64 * 1024;

const TCP: u8 = 6;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
