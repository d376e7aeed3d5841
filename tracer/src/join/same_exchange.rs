//! One exchange seen at several points: the same bytes of the same connection, or the same
//! datagram at about the same time. The point nearest the client, by time to live, is outermost.
//!
//! A packet may pass from one network into another, as where a VLAN tag is put on or taken off, and
//! may get other addresses on the way. There, addresses are no evidence; the numbers of both ends
//! and what is asked must be equal.

use crate::exchange::{Exchange, Half};
use crate::join::order::outermost_first;
use crate::join::{Above, Group, Joiner, Links, Member};
use crate::span::{LinkKind, Reason};
use smallvec::SmallVec;
use wirespan_capture::stream::Transport;

/// See the module.
pub struct SameExchange;

impl Joiner for SameExchange {
    fn link(&self, group: &Group, links: &mut Links) {
        let point = group.members.first().map(|member| member.exchange.point);
        if group.members.iter().all(|member| Some(member.exchange.point) == point) {
            return;
        }
        let mut seen: Vec<(u64, usize)> =
            group.members.iter().enumerate().map(|(place, member)| (member.bytes, place)).collect();
        seen.sort_unstable();
        for same in seen.chunk_by(|a, b| a.0 == b.0) {
            let mut same: Vec<(usize, &Member)> = same
                .iter()
                .filter_map(|(_, place)| Some((*place, group.members.get(*place)?)))
                .collect();
            same.sort_by_key(|(place, member)| (member.exchange.start(), *place));
            for mut chain in chains(same) {
                outermost_first(&mut chain, |one, other| group.learned.order(one, other));
                for ((above, outer), (place, exchange)) in chain.iter().zip(chain.iter().skip(1)) {
                    links.link(*place, above_of(*above, outer, exchange));
                }
            }
        }
    }
}

/// Of exchanges of one fingerprint in order of time, those that are one: seen once at each point.
fn chains<'a>(same: Vec<(usize, &'a Member)>) -> Vec<Vec<(usize, &'a Exchange)>> {
    let mut chains: Vec<Vec<(usize, &'a Member)>> = Vec::new();
    for (place, member) in same {
        let point = member.exchange.point;
        let fits = |chain: &&mut Vec<(usize, &'a Member)>| {
            chain.iter().all(|(_, other)| other.exchange.point != point)
                && chain.iter().any(|(_, other)| is_one(other, member))
        };
        match chains.iter_mut().find(fits) {
            Some(chain) => chain.push((place, member)),
            None => chains.push(vec![(place, member)]),
        }
    }
    let exchanges = |chain: Vec<(usize, &'a Member)>| {
        chain.into_iter().map(|(place, member)| (place, &*member.exchange)).collect()
    };
    chains.into_iter().map(exchanges).collect()
}

/// Whether two sightings of equal fingerprints are of one exchange.
fn is_one(one: &Member, other: &Member) -> bool {
    let (a, b) = (&*one.exchange, &*other.exchange);
    let same_ends = a.client == b.client && a.server == b.server;
    if same_ends && a.network == b.network {
        // The same connection; a datagram may be sent again with the same id.
        return a.transport == Transport::Tcp || a.start().0.abs_diff(b.start().0) < APART;
    }
    // Loopback addresses are each machine's own.
    let is_loopback = |e: &Exchange| e.client.ip().is_loopback() || e.server.ip().is_loopback();
    !is_loopback(a)
        && !is_loopback(b)
        && one.content == other.content
        && is_same_packet(a, b, same_ends)
}

/// Whether two requests are one that was seen in two networks, or with other addresses before and
/// behind a translation (NAT): all numbers must agree that neither changes.
///
/// Sequence and acknowledgement numbers are 32 bits each that the two ends draw by chance, the
/// timestamp option (RFC 7323) is a third. One end or the IPv4 identifications must be the same, too,
/// or one sighting lie within the other: few translators change all of them.
fn is_same_packet(a: &Exchange, b: &Exchange, same_ends: bool) -> bool {
    let (one, other) = (&a.request, &b.request);
    let is_cut = one.cut || other.cut;
    // Who passes on as a client what it was asked as a server makes another exchange of it.
    let passes_on = a.server.ip() == b.client.ip() || b.server.ip() == a.client.ip();
    if passes_on && !same_ends {
        return false;
    }
    if one.len != other.len && !is_cut {
        return false;
    }
    let same_id = one.ip_id > 0 && one.ip_id == other.ip_id;
    let same_port = a.client.port() == b.client.port();
    let same_client = a.client == b.client;
    let same_server = a.server == b.server;
    if a.transport == Transport::Udp {
        let soon = a.start().0.abs_diff(b.start().0) < APART;
        return soon && same_id && (same_client || same_server || same_port);
    }
    if one.seq.is_none() {
        return false;
    }
    let answers = a.response.as_ref().zip(b.response.as_ref());
    let same_answer = answers.is_none_or(|(one, other)| one.seq == other.seq);
    let has_time = one.tsval != 0 && other.tsval != 0;
    let known = same_ends || same_client || (same_server && same_port);
    let at_a_time = a.start() <= b.end() && b.start() <= a.end();
    let same_ids = same_id && at_a_time && answers.is_some_and(|(a, b)| a.ip_id == b.ip_id);
    let answered = |same: fn(&Half, &Half) -> bool| answers.is_some_and(|(a, b)| same(a, b));
    same_answer
        && one.ack == other.ack
        && match (has_time, one.tsval == other.tsval) {
            (true, true) => known || same_server || same_ids || is_within(a, b),
            // What was sent again bears another time; its answer, which was sent once, the same.
            (true, false) => {
                same_ends || (known && (answers.is_none() || answered(|a, b| a.tsval == b.tsval)))
            }
            // Without times, what left one side later than it came to it passed in between.
            (false, _) => known || same_ids || is_within(a, b),
        }
}

/// Whether one of two exchanges that were answered began and ended within the other.
fn is_within(a: &Exchange, b: &Exchange) -> bool {
    let (outer, inner) = if a.start() <= b.start() { (a, b) } else { (b, a) };
    let answered = a.response.is_some() && b.response.is_some();
    answered && outer.start() < inner.start() && inner.end() < outer.end()
}

fn above_of(member: usize, above: &Exchange, exchange: &Exchange) -> Above {
    let mut also = SmallVec::new();
    if (above.client, above.server) != (exchange.client, exchange.server) {
        also.push("its addresses were translated in between");
    }
    let reason =
        if exchange.request.seq.is_some() { Reason::TcpSequence } else { Reason::Datagram };
    Above {
        member,
        kind: LinkKind::SameExchange,
        reason,
        confidence: if reason == Reason::TcpSequence { 1.0 } else { 0.95 },
        also,
        against: SmallVec::new(),
        runner_up: None,
    }
}

/// Nanoseconds within which a datagram passes all points.
const APART: u64 = 1_000_000_000;
