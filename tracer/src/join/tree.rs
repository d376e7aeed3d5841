//! A group's members and links to traces: trees of spans, joined where they share an identifier.

use crate::exchange::Exchange;
use crate::join::fingerprint::Digest;
use crate::join::patterns::Pattern;
use crate::join::services::agree;
use crate::join::{Above, Cause, Group, JOINERS, JoinKey, Links, Member};
use crate::names::{Known, ServiceName};
use crate::span::{Considered, Link, LinkKind, Reason, Span, Trace};
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};
use std::net::IpAddr;
use wirespan_capture::stream::Transport;
use xxhash_rust::xxh3::xxh3_128;

/// Links a group's members and makes traces of them, in order of their first span.
pub fn traces(
    group: Group,
    network_of: &(dyn Fn(&Exchange) -> u64 + Sync),
) -> SmallVec<[Trace; 1]> {
    if group.members.len() == 1 {
        return single(group, network_of).into_iter().collect();
    }
    let mut links = Links::none(group.members.len());
    for joiner in JOINERS {
        joiner.link(&group, &mut links);
    }
    let (trace_of, count) = trace_numbers(&group, &links);
    let below = below(&links, group.members.len());
    let mut plans: SmallVec<[Plan; 2]> = SmallVec::new();
    plans.resize_with(count, Plan::default);
    for (root, trace) in trace_of.iter().enumerate() {
        if links.above(root).is_none()
            && let Some(plan) = plans.get_mut(*trace)
        {
            plan.order.push(root);
        }
    }
    for plan in &mut plans {
        plan.order = depth_first(&plan.order, &below);
        plan.wire = wire_id(&group, &plan.order);
    }
    let known = group.known;
    let mut members: SmallVec<[Option<Member>; 4]> = group.members.into_iter().map(Some).collect();
    let made = plans.into_iter().filter_map(|plan| {
        let mut trace = trace(&plan.order, plan.wire, &mut members, &links, network_of)?;
        trace.late = plan.wire.is_some_and(|key| known.contains(&key.loose()));
        Some(trace)
    });
    made.collect()
}

/// The trace of the only member of a group: nothing is there that it could be linked to.
fn single(group: Group, network_of: &(dyn Fn(&Exchange) -> u64 + Sync)) -> Option<Trace> {
    let wire = wire_id(&group, &[0]);
    let Group { mut members, known, .. } = group;
    let mut trace = trace(&[0], wire, &mut [members.pop()], &Links::none(1), network_of)?;
    trace.late = wire.is_some_and(|key| known.contains(&key.loose()));
    Some(trace)
}

/// The first of the trace ids of these members that stand on the wire.
fn wire_id(group: &Group, order: &[usize]) -> Option<JoinKey> {
    let mut keys = order.iter().flat_map(|place| group.keys(*place)).map(|(key, _)| key);
    keys.find(|key| key.format.names_trace() && !key.hidden)
}

/// What a trace will be made of.
#[derive(Default)]
struct Plan {
    /// Members, first the roots only, then all in their final order.
    order: Places,
    /// The first of the wire's trace ids.
    wire: Option<JoinKey>,
}

/// Places of members; most groups are small.
type Places = SmallVec<[usize; 8]>;

fn trace(
    order: &[usize],
    wire: Option<JoinKey>,
    members: &mut [Option<Member>],
    links: &Links,
    network_of: &(dyn Fn(&Exchange) -> u64 + Sync),
) -> Option<Trace> {
    let place_of = |member: usize| order.iter().position(|other| *other == member);
    let mut spans: Vec<Span> = Vec::with_capacity(order.len());
    let mut names: SmallVec<[Known; 8]> = SmallVec::new();
    for member in order {
        let Member { exchange, service, cause, .. } = members.get_mut(*member)?.take()?;
        let link = links.above(*member).and_then(|above| {
            // Parents come first in the order, and mostly just before.
            let parent = match order.len() {
                0..=16 => place_of(above.member)?,
                _ => spans_of(order, above.member, spans.len())?,
            };
            Some((parent, above))
        });
        let chain = match &link {
            Some((parent, above)) if above.kind == LinkKind::SameExchange => {
                1 + points_above(&spans, *parent)
            }
            _ => 0,
        };
        let depth =
            link.as_ref().and_then(|(parent, _)| spans.get(*parent)).map_or(0, |up| up.depth + 1);
        let id = span_id(&exchange, network_of(&exchange), chain);
        let link = link.map(|(parent, above)| Link {
            parent,
            kind: above.kind,
            reason: above.reason,
            confidence: above.confidence,
            also: above.also.clone(),
            against: above.against.clone(),
            runner_up: above
                .runner_up
                .and_then(place_of)
                .and_then(|at| spans.get(at))
                .map(|s| s.id),
        });
        let ServiceName { label: service, known } =
            service.unwrap_or_else(|| ServiceName::of_address(&exchange));
        names.push(known);
        spans.push(Span {
            id,
            exchange,
            point: 0,
            first_point: 0,
            service,
            link,
            earlier: None,
            span_links: Vec::new(),
            cause: considered(&cause, links.above(*member)),
            depth,
        });
    }
    agree(&mut spans, &mut names);
    let first = spans.first()?;
    let id = match wire {
        Some(key) => key.id.get(),
        None => trace_id(first.id),
    };
    Some(Trace { id, wire: wire.map(|key| key.format), late: false, spans })
}

/// What was considered as a span was hung under another one by what was open, or under nothing.
fn considered(cause: &Cause, above: Option<&Above>) -> Option<Box<Considered>> {
    let by_open = |above: &Above| matches!(above.reason, Reason::OneCandidate | Reason::Content);
    if !cause.asked || !above.is_none_or(by_open) {
        return None;
    }
    let Pattern { one, idle, all, load, listener, .. } = cause.pattern;
    let [free, busy] = [load.idle as f32, load.one.saturating_add(load.several) as f32];
    Some(Box::new(Considered {
        open: if cause.many { u32::MAX } else { cause.candidates.len() as u32 },
        one,
        idle,
        all,
        idle_share: free / (free + busy).max(1.0),
        confidence: cause.pattern.confidence() as f32,
        usual: listener.map(|usual| usual.listener),
        nearly_always: listener.is_some_and(|usual| usual.nearly_always),
        usual_outer: listener.and_then(|usual| usual.outer),
    }))
}

/// The place of a member among those before `end`.
fn spans_of(order: &[usize], member: usize, end: usize) -> Option<usize> {
    order.get(..end)?.iter().rposition(|other| *other == member)
}

/// How many points of the same exchange lie above a span.
fn points_above(spans: &[Span], span: usize) -> u64 {
    let up = |at: &usize| {
        let link = spans.get(*at)?.link.as_ref()?;
        (link.kind == LinkKind::SameExchange).then_some(link.parent)
    };
    std::iter::successors(Some(span), up).count() as u64 - 1
}

/// The id of a span: from network, ends, sequence number of the first byte, time, and place in
/// the chain of points; never from names of files, taps or hosts.
fn span_id(exchange: &Exchange, network: u64, chain: u64) -> u64 {
    let mut hash = Digest::default();
    hash.update(&network.to_le_bytes());
    for end in [exchange.client, exchange.server] {
        match end.ip() {
            IpAddr::V4(ip) => hash.update(&ip.octets()),
            IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
        hash.update(&end.port().to_be_bytes());
    }
    hash.update(&[u8::from(exchange.transport == Transport::Tcp)]);
    match exchange.request.seq {
        Some(seq) => {
            hash.update(&u64::from(seq).to_le_bytes());
            if exchange.in_packet > 0 {
                hash.update(&exchange.in_packet.to_le_bytes());
            }
        }
        None => {
            if exchange.inside != 0 {
                hash.update(&exchange.inside.to_le_bytes());
            }
            hash.update(&exchange.lane.to_le_bytes());
            // Its number on the connection would count what other traces are made of.
            hash.update(&exchange.in_packet.to_le_bytes());
        }
    }
    hash.update(&exchange.start().0.to_le_bytes());
    hash.update(&chain.to_le_bytes());
    // An id of zero means none in every format.
    hash.digest().max(1)
}

/// The id of a trace that bears none on the wire: from that of its first span.
fn trace_id(first: u64) -> u128 {
    let [a, b, c, d, e, f, g, h] = first.to_le_bytes();
    xxh3_128(&[a, b, c, d, e, f, g, h, b't', b'r', b'a', b'c', b'e']).max(1)
}

/// A number for each member: the trace that it belongs to, in order of first appearance. And how
/// many traces there are.
fn trace_numbers(group: &Group, links: &Links) -> (Places, usize) {
    let mut sets = Sets((0..group.members.len()).collect());
    let mut first_carriers = HashMap::new();
    for member in 0..group.members.len() {
        if let Some(above) = links.above(member) {
            sets.unite(above.member, member);
        }
        match group.members.len() {
            0 | 1 => {}
            // Looking at all that came before is quicker than a table.
            2..=FEW => {
                for (key, _) in group.keys(member) {
                    let carries = |place: &usize| group.keys(*place).any(|(other, _)| other == key);
                    if let Some(first) = (0..member).find(carries) {
                        sets.unite(first, member);
                    }
                }
            }
            _ => {
                for (key, _) in group.keys(member) {
                    let first = *first_carriers.entry(key).or_insert(member);
                    sets.unite(first, member);
                }
            }
        }
    }
    let mut numbers: Places = smallvec![usize::MAX; group.members.len()];
    let mut next = 0;
    for member in 0..group.members.len() {
        let root = sets.root(member);
        if numbers.get(root) == Some(&usize::MAX) {
            if let Some(number) = numbers.get_mut(root) {
                *number = next;
            }
            next += 1;
        }
        let number = numbers.get(root).copied().unwrap_or_default();
        if let Some(place) = numbers.get_mut(member) {
            *place = number;
        }
    }
    (numbers, next)
}

/// Sets of members; the root of a set is its lowest member.
struct Sets(Places);

impl Sets {
    fn root(&mut self, member: usize) -> usize {
        let mut at = member;
        while let Some(up) = self.0.get(at).copied()
            && up != at
        {
            // Halve the way for the next one who asks.
            let over = self.0.get(up).copied().unwrap_or(up);
            if let Some(place) = self.0.get_mut(at) {
                *place = over;
            }
            at = over;
        }
        at
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(place) = self.0.get_mut(a.max(b)) {
            *place = a.min(b);
        }
    }
}

/// The members right below each member, in order.
fn below(links: &Links, members: usize) -> SmallVec<[Places; 4]> {
    let mut below: SmallVec<[Places; 4]> = smallvec![Places::new(); members];
    for member in 0..members {
        if let Some(above) = links.above(member)
            && let Some(list) = below.get_mut(above.member)
        {
            list.push(member);
        }
    }
    below
}

fn depth_first(roots: &[usize], below: &[Places]) -> Places {
    let mut order = Places::new();
    let mut todo: Places = roots.iter().rev().copied().collect();
    while let Some(member) = todo.pop() {
        order.push(member);
        todo.extend(below.get(member).into_iter().flatten().rev().copied());
    }
    order
}

/// Members up to which no table is made.
const FEW: usize = 8;
