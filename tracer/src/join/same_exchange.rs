//! One exchange seen at several points: the same bytes of the same connection, or the same
//! datagram at about the same time. The point nearest the client, by time to live, is outermost.
//!
//! A packet may pass from one network into another, as where a VLAN tag is put on or taken off.
//! There, equal addresses are no evidence; all numbers of both ends and what is asked must be equal.

use crate::exchange::{Exchange, Half, OPERATION, RESOURCE};
use crate::join::{Above, Group, Joiner, Links};
use crate::span::{LinkKind, Reason};
use smallvec::SmallVec;
use std::cmp::Reverse;
use wirespan_capture::stream::Transport;
use xxhash_rust::xxh3::Xxh3;

/// See the module.
pub struct SameExchange;

impl Joiner for SameExchange {
    fn link(&self, group: &Group, links: &mut Links) {
        let point = group.members.first().map(|member| member.exchange.point);
        if group.members.iter().all(|member| Some(member.exchange.point) == point) {
            return;
        }
        let mut seen: Vec<(u64, usize)> = group
            .members
            .iter()
            .enumerate()
            .map(|(place, member)| (fingerprint(&member.exchange), place))
            .collect();
        seen.sort_unstable();
        for same in seen.chunk_by(|a, b| a.0 == b.0) {
            let mut same: Vec<(usize, &Exchange)> = same
                .iter()
                .filter_map(|(_, place)| Some((*place, &*group.members.get(*place)?.exchange)))
                .collect();
            same.sort_by_key(|(place, exchange)| (exchange.start(), *place));
            for mut chain in chains(same) {
                // What the client sends has passed the fewest routers near it, and what it gets the
                // most.
                let from_server = |e: &Exchange| e.response.as_ref().map_or(0, |half| half.ttl);
                chain.sort_by_key(|(place, e)| {
                    (Reverse(e.request.ttl), from_server(e), e.start(), *place)
                });
                for ((above, _), (place, exchange)) in chain.iter().zip(chain.iter().skip(1)) {
                    links.link(*place, above_of(*above, exchange));
                }
            }
        }
    }
}

/// Of equal exchanges in order of time, such as a datagram that is sent again, those that are one:
/// seen once at each point, at about the same time.
fn chains(same: Vec<(usize, &Exchange)>) -> Vec<Vec<(usize, &Exchange)>> {
    let mut chains: Vec<Vec<(usize, &Exchange)>> = Vec::new();
    for (place, exchange) in same {
        let fits = |chain: &&mut Vec<(usize, &Exchange)>| {
            chain.iter().all(|(_, other)| {
                other.point != exchange.point
                    && (other.network == exchange.network || is_same_packet(other, exchange))
                    && other.start().0.abs_diff(exchange.start().0) < APART
            })
        };
        match chains.iter_mut().find(fits) {
            Some(chain) => chain.push((place, exchange)),
            None => chains.push(vec![(place, exchange)]),
        }
    }
    chains
}

/// Whether two requests of equal fingerprints are one, though they were seen in two networks.
fn is_same_packet(a: &Exchange, b: &Exchange) -> bool {
    let (one, other) = (&a.request, &b.request);
    let numbers = |half: &Half| match a.transport {
        Transport::Tcp => (half.ack, half.tsval, 0),
        Transport::Udp => (0, 0, half.ip_id),
    };
    let text = |e: &Exchange, name| e.text.text(name).map(<[u8]>::to_vec);
    // Loopback addresses are each host's own.
    let hosts = [a.client.ip(), a.server.ip()];
    !hosts.iter().any(std::net::IpAddr::is_loopback)
        && (one.seq.is_some() || one.ip_id > 0)
        && numbers(one) == numbers(other)
        && one.len == other.len
        && [OPERATION, RESOURCE].iter().all(|name| text(a, name) == text(b, name))
}

/// Equal for one exchange at all points that see it, and hardly ever else.
pub fn fingerprint(exchange: &Exchange) -> u64 {
    let mut hash = Xxh3::new();
    for end in [exchange.client, exchange.server] {
        match end.ip() {
            std::net::IpAddr::V4(ip) => hash.update(&ip.octets()),
            std::net::IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
        hash.update(&end.port().to_le_bytes());
    }
    hash.update(&[exchange.protocol.0]);
    match (exchange.request.seq, exchange.transport) {
        (Some(seq), _) => hash.update(&u64::from(seq).to_le_bytes()),
        // A datagram has no sequence number; its own id within the flow stands for it.
        (None, Transport::Udp) => hash.update(&exchange.lane.to_le_bytes()),
        // Nor has what a connection carries inside; its place there does.
        (None, Transport::Tcp) => {
            hash.update(&exchange.inside.to_le_bytes());
            hash.update(&exchange.lane.to_le_bytes());
            hash.update(&exchange.ordinal.to_le_bytes());
        }
    }
    hash.digest()
}

fn above_of(member: usize, exchange: &Exchange) -> Above {
    let reason =
        if exchange.request.seq.is_some() { Reason::TcpSequence } else { Reason::Datagram };
    Above {
        member,
        kind: LinkKind::SameExchange,
        reason,
        confidence: if reason == Reason::TcpSequence { 1.0 } else { 0.95 },
        against: SmallVec::new(),
        runner_up: None,
    }
}

/// Nanoseconds by which the clocks of two points may differ.
const APART: u64 = 1_000_000_000;
