//! Flows: which packet belongs to which conversation, seen at which point.
//!
//! Segments of one shard come in, in their order; stream events go out. The table holds a bounded
//! number of flows; time is packet time only, and what is due before a packet's time is done before
//! the packet.
//!
//! Two hosts may be seen talking at several points; each is a flow of its own. Mostly there is one,
//! which a segment finds at once; what [`crate::place`] knows decides the rest.

use crate::counters::Counters;
use crate::decode::{Header, Segment};
use crate::entry::{Entry, FlowKey, FlowLimits, NEVER, Tcp};
use crate::packet::Timestamp;
use crate::place::{HELD_FOR, Held, Places, Question, Relation, Sight};
use crate::reassembly::distance;
use crate::stream::{Cause, Ending, StreamEvent, StreamSink, Transport};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use slab::Slab;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::BuildHasher;

/// The flows of one shard.
#[derive(Debug)]
pub struct FlowTable {
    limits: FlowLimits,
    flows: Slab<Entry>,
    by_key: HashTable<usize>,
    hasher: RandomState,
    timers: BinaryHeap<Reverse<(Timestamp, usize, u32)>>,
    generation: u32,
    /// Bytes that wait in all flows, and until it is known which point saw them.
    waiting: usize,
    held: HashMap<FlowKey, Held, RandomState>,
    /// When what is held must be let go, in order of time, as all is held equally long.
    held_until: VecDeque<(Timestamp, FlowKey, u64)>,
    held_so_far: u64,
    /// Flows that begin are left out.
    closed: bool,
    places: Places,
    /// What was seen and lost.
    pub counters: Counters,
}

/// Which flow a segment belongs to.
enum Placing {
    Into(usize),
    /// A new one: the hop, and whether another point sees the same packets.
    New {
        hop: u8,
        next_point: bool,
    },
    Unsure(Question),
}

impl FlowTable {
    /// An empty table.
    pub fn new(limits: FlowLimits) -> Self {
        Self {
            limits,
            flows: Slab::new(),
            by_key: HashTable::new(),
            hasher: RandomState::default(),
            timers: BinaryHeap::new(),
            generation: 0,
            waiting: 0,
            held: HashMap::default(),
            held_until: VecDeque::new(),
            held_so_far: 0,
            closed: false,
            places: Places::default(),
            counters: Counters::default(),
        }
    }

    /// Takes the next segment; `buffer` is that of the batch that it was decoded from.
    pub fn segment(&mut self, segment: &Segment, buffer: &[u8], sink: &mut impl StreamSink) {
        self.expire(segment.now, sink);
        sink.clock(segment.now, Cause::Packet, segment.order);
        let key = FlowKey::of(segment);
        let hash = self.hasher.hash_one(key);
        let flows = &self.flows;
        let first = self.by_key.find(hash, |slot| flows.get(*slot).is_some_and(|e| e.key == key));
        let payload = segment.payload(buffer);
        let alone = |slot: &usize| flows.get(*slot).filter(|entry| entry.alone);
        match (first.copied(), first.and_then(alone)) {
            (Some(slot), Some(entry)) if entry.sees(segment) => {
                self.take(slot, segment, payload, sink);
            }
            (Some(slot), Some(entry)) if entry.meets(segment) => {
                self.see(slot, segment);
                self.take(slot, segment, payload, sink);
            }
            (None, _) if self.closed => self.counters.new_flows_shed += 1,
            (None, _) if self.held.is_empty() => {
                let slot = self.begin(key, segment, sink);
                self.see(slot, segment);
                self.take(slot, segment, payload, sink);
            }
            _ => self.sort_out(key, segment, payload, sink),
        }
    }

    /// Does all that is due before this time.
    pub fn expire(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        loop {
            let timer = self.timers.peek().map(|Reverse((due, ..))| *due).unwrap_or(NEVER);
            if let Some((due, key, number)) = self.held_until.front().copied()
                && due < now
                && due <= timer
            {
                self.held_until.pop_front();
                let Some(held) = self.held.get(&key).filter(|held| held.number == number) else {
                    continue;
                };
                let order = held.segments.first().map_or(0, |(segment, _)| segment.order);
                sink.clock(due, Cause::Timer, order);
                self.release(&key, due, sink);
                continue;
            }
            if timer >= now {
                break;
            }
            let Some(Reverse((due, slot, generation))) = self.timers.pop() else { break };
            let Some(entry) = self.flows.get_mut(slot) else { continue };
            if entry.generation != generation || entry.due != due {
                continue;
            }
            entry.due = NEVER;
            if entry.deadline(&self.limits, sink) > due {
                self.arm(slot, due, sink);
                continue;
            }
            self.due(slot, due, sink);
        }
    }

    /// Follows flows that begin from now on, or leaves them out and counts their packets.
    pub fn set_closed(&mut self, closed: bool) {
        self.closed = closed;
    }

    /// Gives up the flows whose segments have a hash that is left out from now on, in the order of
    /// their beginnings.
    pub fn leave_out(
        &mut self,
        left_out: impl Fn(u64) -> bool,
        now: Timestamp,
        sink: &mut impl StreamSink,
    ) {
        let flows = self.flows.iter().filter(|(_, entry)| left_out(entry.key.segment_hash()));
        let mut flows: Vec<(u64, usize)> =
            flows.map(|(slot, entry)| (entry.flow.birth, slot)).collect();
        flows.sort_unstable();
        for (birth, slot) in flows {
            sink.clock(now, Cause::Timer, birth);
            self.counters.flows_shed += u64::from(self.give_up(slot, Ending::Evicted, sink));
        }
    }

    /// Gives up so many flows, those first that would be forgotten first.
    pub fn forget(&mut self, count: usize, now: Timestamp, sink: &mut impl StreamSink) {
        for _ in 0..count.min(self.flows.len()) {
            sink.clock(now, Cause::Timer, 0);
            self.evict(sink);
        }
        // What tables have grown to is given back.
        self.flows.shrink_to_fit();
        self.timers.shrink_to_fit();
    }

    /// Ends all flows, since the capture has ended.
    pub fn finish(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        while let Some((_, key, number)) = self.held_until.pop_front() {
            if let Some(held) = self.held.get(&key).filter(|held| held.number == number) {
                let order = held.segments.first().map_or(0, |(segment, _)| segment.order);
                sink.clock(now, Cause::Timer, order);
                self.release(&key, now, sink);
            }
        }
        let mut flows: Vec<(u64, usize)> =
            self.flows.iter().map(|(slot, entry)| (entry.flow.birth, slot)).collect();
        flows.sort_unstable();
        for (birth, slot) in flows {
            sink.clock(now, Cause::End, birth);
            self.give_up(slot, Ending::CaptureEnd, sink);
        }
    }

    /// What flows have told of the places where they were seen.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// How many flows are in the table.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether no flow is in the table.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    fn due(&mut self, slot: usize, at: Timestamp, sink: &mut impl StreamSink) {
        let Some(entry) = self.flows.get_mut(slot) else { return };
        if entry.ended {
            self.remove(slot);
            return;
        }
        sink.clock(at, Cause::Timer, entry.flow.birth);
        if sink.deadline(slot).is_some_and(|asked| asked <= at) {
            sink.timeout(&entry.flow, at);
            self.arm(slot, at, sink);
            return;
        }
        if entry.blocked() {
            let before = entry.waiting();
            entry.force(&mut self.counters, sink);
            self.waiting = self.waiting + entry.waiting() - before;
            entry.settle(sink);
            self.arm(slot, at, sink);
            return;
        }
        let unanswered = entry.flow.syn.is_some() && !entry.answered();
        entry.end(if unanswered { Ending::Unanswered } else { Ending::Idle }, sink);
        self.remove(slot);
    }

    /// Gives a segment to its flow.
    fn take(&mut self, slot: usize, segment: &Segment, payload: &[u8], sink: &mut impl StreamSink) {
        let replaced = self.flows.get(slot).is_some_and(|entry| {
            let from = entry.side(segment);
            entry.is_replaced_by(segment, from)
        });
        let slot = if replaced { self.renew(slot, segment, sink) } else { slot };
        let Some(entry) = self.flows.get_mut(slot) else { return };
        let from = entry.side(segment);
        if entry.is_copy(segment) {
            self.counters.copies += 1;
            return;
        }
        self.counters.seen_at_next_point += u64::from(entry.next_point);
        if !entry.ended {
            entry.last_packet = segment.now;
        }
        entry.last_seen = Some(segment.seen);
        if let Some(seen) = entry.flow.seen_sides.get_mut(from.index()) {
            *seen = true;
        }
        match segment.header {
            Header::Udp => {
                let event = StreamEvent::Datagram { bytes: payload, cut: segment.cut as usize };
                sink.event(&entry.flow, from, &segment.seen, event);
            }
            Header::Tcp { .. } if entry.ended => {}
            Header::Tcp { seq, ack, syn, fin, rst } => {
                let before = entry.waiting();
                let tcp = Tcp { seq, ack, syn, fin, rst, from, payload };
                entry.tcp(segment, &tcp, &mut self.counters, sink);
                if entry.waiting() > self.limits.waiting_per_flow
                    || self.waiting + entry.waiting() > self.limits.waiting + before
                {
                    self.counters.gaps_forced += 1;
                    while entry.waiting() > 0 && entry.force(&mut self.counters, sink) {}
                }
                self.waiting = self.waiting + entry.waiting() - before;
                entry.settle(sink);
            }
        }
        self.arm(slot, segment.now, sink);
    }

    /// Finds the flow of a segment that is not simply the next one of the only flow between its
    /// ends, and gives it to that flow; or holds it until that can be told.
    fn sort_out(
        &mut self,
        key: FlowKey,
        segment: &Segment,
        payload: &[u8],
        sink: &mut impl StreamSink,
    ) {
        if let Some(held) = self.held.get_mut(&key) {
            self.waiting += held.push(segment, payload);
            if held.full() || self.waiting > self.limits.waiting || self.is_answered(&key, segment)
            {
                self.release(&key, segment.now, sink);
            }
            return;
        }
        match self.placing(&key, segment) {
            Placing::Unsure(question) => self.hold(key, question, segment, payload),
            placing => self.put(key, placing, segment, payload, sink),
        }
    }

    /// Gives a segment to the flow that it belongs to; where that could not be told, to a new one.
    fn put(
        &mut self,
        key: FlowKey,
        placing: Placing,
        segment: &Segment,
        payload: &[u8],
        sink: &mut impl StreamSink,
    ) {
        let (hop, next_point) = match placing {
            Placing::Into(slot) => return self.take(slot, segment, payload, sink),
            Placing::New { hop, next_point } => (hop, next_point),
            Placing::Unsure(_) => (0, false),
        };
        let slot = self.begin_another(key, segment, sink);
        if let Some(entry) = self.flows.get_mut(slot) {
            (entry.flow.point.hop, entry.next_point) = (hop, next_point);
        }
        self.see(slot, segment);
        self.take(slot, segment, payload, sink);
    }

    /// Holds the first segment of a flow of which it is not known which point saw it.
    fn hold(&mut self, key: FlowKey, question: Question, segment: &Segment, payload: &[u8]) {
        let number = self.held_so_far;
        self.held_so_far += 1;
        let mut held = Held::new(number, question);
        self.waiting += held.push(segment, payload);
        self.held.insert(key, held);
        // While time stands still, what was let go of must not pile up.
        if self.held_until.len() > 2 * self.held.len() + FEW {
            let held = &self.held;
            let holds = |key: &FlowKey, number| held.get(key).is_some_and(|h| h.number == number);
            self.held_until.retain(|(_, key, number)| holds(key, *number));
        }
        self.held_until.push_back((segment.now.plus(HELD_FOR), key, number));
        self.set_alone(&key);
    }

    /// Which flow a segment belongs to, by where it was seen.
    fn placing(&mut self, key: &FlowKey, segment: &Segment) -> Placing {
        let slots = self.between(key);
        let end = usize::from(segment.source != key.low);
        let sight = Sight::of(segment);
        let flows = &self.flows;
        let seen = |slot: usize, end: usize| flows.get(slot).and_then(|entry| entry.sights[end]);
        let here =
            |slot: &usize, end: usize| seen(*slot, end).is_some_and(|s| s.place == sight.place);
        if let Some(slot) = slots.iter().find(|slot| seen(**slot, end) == Some(sight)) {
            return Placing::Into(*slot);
        }
        let twin = |slot: &usize| flows.get(*slot).is_some_and(|entry| entry.has_seen(segment));
        // Flows of this place that know where this side is seen, and those that do not yet.
        let hops: SmallVec<[usize; 4]> = slots.iter().copied().filter(|s| here(s, end)).collect();
        let half: SmallVec<[usize; 4]> = slots
            .iter()
            .copied()
            .filter(|slot| seen(*slot, end).is_none() && here(slot, 1 - end))
            .collect();
        let of_macs = |among: &[usize], end: usize| {
            let mut same =
                among.iter().filter(|s| seen(**s, end).is_some_and(|s| s.macs == sight.macs));
            same.next().copied().filter(|_| same.next().is_none())
        };
        if !hops.is_empty() && !hops.iter().any(twin) {
            // The packets of this side have come to take another way.
            let distance = |slot: &usize| {
                seen(*slot, end).map_or(u8::MAX, |known| known.ttl.abs_diff(sight.ttl))
            };
            let slot = of_macs(&hops, end).or_else(|| hops.iter().copied().min_by_key(distance));
            if let Some(slot) = slot {
                self.see(slot, segment);
                return Placing::Into(slot);
            }
        }
        match (half.as_slice(), hops.len()) {
            ([], 0) => {}
            ([], hop) if hop < HOPS => {
                return Placing::New { hop: hop as u8, next_point: true };
            }
            ([], _) => {
                return hops.first().map_or(Placing::New { hop: 0, next_point: true }, |slot| {
                    Placing::Into(*slot)
                });
            }
            ([slot], _) => {
                self.see(*slot, segment);
                return Placing::Into(*slot);
            }
            (several, _) => {
                if let Some(slot) = of_macs(several, 1 - end) {
                    self.see(slot, segment);
                    return Placing::Into(slot);
                }
                return Placing::Unsure(Question::Hops { end, place: sight.place });
            }
        }
        self.placing_elsewhere(&slots, end, segment)
    }

    /// Which flow a segment belongs to that comes from a place where none of them is seen.
    fn placing_elsewhere(&mut self, slots: &[usize], end: usize, segment: &Segment) -> Placing {
        let sight = Sight::of(segment);
        let mut unsure = None;
        for slot in slots {
            let Some(entry) = self.flows.get_mut(*slot) else { continue };
            let there = match entry.sights {
                // One of the two halves of a point shows both sides.
                [Some(low), Some(high)] if low.place != high.place => {
                    if [low.place, high.place].contains(&sight.place) {
                        if !std::mem::replace(&mut entry.contradicted, true) {
                            self.places.against(low.place, high.place);
                        }
                        return Placing::Into(*slot);
                    }
                    continue;
                }
                sights if sights[end].is_some() => continue,
                sights => sights[1 - end],
            };
            let Some(there) = there.filter(|_| entry.is_answered_by(segment)) else { continue };
            match self.places.relation(there.place, sight.place) {
                Relation::OnePoint => {
                    if entry.key.transport == Transport::Tcp {
                        self.places.split(there.place, sight.place);
                    }
                    self.see(*slot, segment);
                    return Placing::Into(*slot);
                }
                Relation::Unknown
                    // Datagrams do not tell whether the tenants of two networks are one.
                    if entry.key.transport == Transport::Tcp
                        || there.network == sight.network
                        || segment.half == Some(there.place) =>
                {
                    let seq = match segment.header {
                        Header::Tcp { seq, .. } => seq,
                        Header::Udp => 0,
                    };
                    unsure = unsure.or(Some(Question::OnePoint {
                        slot: *slot,
                        birth: entry.flow.birth,
                        first: sight,
                        end,
                        there: there.place,
                        seq,
                    }));
                }
                _ => {}
            }
        }
        match unsure {
            Some(question) => Placing::Unsure(question),
            None => {
                let twin =
                    |slot: &usize| self.flows.get(*slot).is_some_and(|e| e.has_seen(segment));
                Placing::New { hop: 0, next_point: slots.iter().any(twin) }
            }
        }
    }

    /// Whether the segment that was just held answers why.
    fn is_answered(&mut self, key: &FlowKey, segment: &Segment) -> bool {
        let Some(held) = self.held.get(key) else { return false };
        let from = usize::from(segment.source != key.low);
        match held.question {
            Question::OnePoint { first, end, there, seq, .. } => {
                let sees_both =
                    if from == end { segment.place == there } else { segment.place == first.place };
                let acknowledges = match segment.header {
                    Header::Tcp { ack: true, .. } => {
                        from != end
                            && segment.place == there
                            && (1..1 << 20).contains(&distance(seq, segment.seen.ack))
                    }
                    _ => false,
                };
                sees_both || acknowledges
            }
            Question::Hops { end, place } => {
                let hops = self
                    .between(key)
                    .iter()
                    .filter(|slot| self.flows.get(**slot).is_some_and(|e| e.sights[end].is_none()))
                    .count();
                held.ways(place, if end == 0 { key.low } else { key.high }).len() >= hops
            }
        }
    }

    /// Lets go of what is held of a flow, with what is known by now.
    fn release(&mut self, key: &FlowKey, now: Timestamp, sink: &mut impl StreamSink) {
        let Some(held) = self.held.remove(key) else { return };
        self.waiting = self.waiting.saturating_sub(held.bytes);
        self.set_alone(key);
        match held.question {
            Question::OnePoint { slot, birth, first, end, there, .. } => {
                let both = held.segments.iter().any(|(segment, _)| {
                    let from = usize::from(segment.source != key.low);
                    segment.place == if from == end { there } else { first.place }
                });
                if both {
                    self.places.whole(there, first.place);
                } else if let Some(entry) = self.flows.get_mut(slot)
                    && entry.flow.birth == birth
                    && entry.sights[end].is_none()
                {
                    entry.sights[end] = Some(first);
                    if key.transport == Transport::Tcp {
                        self.places.split(there, first.place);
                    }
                    self.locate(slot);
                }
            }
            Question::Hops { end, place } => {
                // The nearer to a sender, the higher the time to live of what it sends, and the
                // lower that of what it gets.
                let mut ways = held.ways(place, if end == 0 { key.low } else { key.high });
                ways.sort_by_key(|sight| sight.ttl);
                let mut slots = self.between(key);
                slots.retain(|slot| {
                    self.flows.get(*slot).is_some_and(|entry| {
                        entry.sights[end].is_none()
                            && entry.sights[1 - end].is_some_and(|sight| sight.place == place)
                    })
                });
                slots.sort_by_key(|slot| {
                    let sight = self.flows.get(*slot).and_then(|entry| entry.sights[1 - end]);
                    Reverse(sight.map_or(0, |sight| sight.ttl))
                });
                for (slot, sight) in slots.into_iter().zip(ways) {
                    if let Some(entry) = self.flows.get_mut(slot) {
                        entry.sights[end] = Some(sight);
                    }
                }
            }
        }
        for (mut segment, payload) in held.segments {
            segment.now = now;
            let placing = self.placing(key, &segment);
            self.put(*key, placing, &segment, &payload, sink);
        }
    }

    /// Notes where the sender of a segment is seen.
    fn see(&mut self, slot: usize, segment: &Segment) {
        let Some(entry) = self.flows.get_mut(slot) else { return };
        let end = usize::from(segment.source != entry.key.low);
        let first = entry.sights[end].is_none();
        entry.sights[end] = Some(Sight::of(segment));
        if first {
            self.locate(slot);
        }
    }

    /// Says at which point a flow is seen, as soon as a side of it is.
    fn locate(&mut self, slot: usize) {
        let Some(entry) = self.flows.get_mut(slot) else { return };
        let (place, other) = match entry.sights {
            [Some(low), Some(high)] => {
                // Not the one that was seen first, as that hangs on where the capture begins.
                let network = |sight: &Sight| (sight.space, sight.network);
                entry.flow.network = network(&low).min(network(&high)).1;
                (low.place, high.place)
            }
            [Some(sight), None] | [None, Some(sight)] => {
                (sight.place, self.places.half(sight.place).unwrap_or(sight.place))
            }
            [None, None] => return,
        };
        entry.flow.point.taps = [place.min(other), place.max(other)];
        let (key, whole) = (entry.key, entry.sights.iter().all(Option::is_some));
        if entry.alone || place != other || !whole {
            return;
        }
        // Two places that both see both sides are two points.
        for slot in self.between(&key) {
            let sights = self.flows.get(slot).map(|entry| entry.sights);
            if let Some([Some(low), Some(high)]) = sights
                && low.place == high.place
                && low.place != place
            {
                self.places.whole(low.place, place);
            }
        }
    }

    /// The flows between these ends, the oldest first.
    fn between(&self, key: &FlowKey) -> SmallVec<[usize; 4]> {
        let hash = self.hasher.hash_one(key);
        let all = self.by_key.iter_hash(hash);
        let flows = &self.flows;
        let mut slots: SmallVec<[usize; 4]> = all
            .copied()
            .filter(|slot| flows.get(*slot).is_some_and(|entry| entry.key == *key))
            .collect();
        slots.sort_by_key(|slot| flows.get(*slot).map(|e| (e.flow.birth, e.generation)));
        slots
    }

    /// Notes for the flows between these ends whether there is only one.
    fn set_alone(&mut self, key: &FlowKey) {
        let slots = self.between(key);
        let alone = slots.len() == 1 && !self.held.contains_key(key);
        for slot in slots {
            if let Some(entry) = self.flows.get_mut(slot) {
                entry.alone = alone;
            }
        }
    }

    /// The first flow between these ends.
    fn begin(&mut self, key: FlowKey, segment: &Segment, sink: &mut impl StreamSink) -> usize {
        if self.flows.len() >= self.limits.flows {
            self.evict(sink);
        }
        self.generation = self.generation.wrapping_add(1);
        self.counters.flows += 1;
        let slot = self.flows.vacant_key();
        self.flows.insert(Entry::new(key, slot, self.generation, segment));
        let flows = &self.flows;
        let hasher = &self.hasher;
        self.by_key.insert_unique(self.hasher.hash_one(key), slot, |slot| {
            flows.get(*slot).map_or(0, |entry| hasher.hash_one(entry.key))
        });
        slot
    }

    /// A flow between ends between which there may be others.
    fn begin_another(
        &mut self,
        key: FlowKey,
        segment: &Segment,
        sink: &mut impl StreamSink,
    ) -> usize {
        let between = self.between(&key);
        if between.len() >= SEEN_AT
            && let Some(oldest) = between.first()
        {
            let evicted = self.give_up(*oldest, Ending::Evicted, sink);
            self.counters.flows_evicted += u64::from(evicted);
        }
        let slot = self.begin(key, segment, sink);
        self.set_alone(&key);
        slot
    }

    /// Begins the next connection between the same ends, which is seen where the last one was.
    fn renew(&mut self, slot: usize, segment: &Segment, sink: &mut impl StreamSink) -> usize {
        let Some(old) = self.flows.get(slot) else { return slot };
        let (key, sights, point, next_point) =
            (old.key, old.sights, old.flow.point, old.next_point);
        self.give_up(slot, Ending::Replaced, sink);
        let slot = self.begin_another(key, segment, sink);
        let [one, other] = point.taps;
        let parted = one != other && self.places.relation(one, other) == Relation::Apart;
        if let Some(entry) = self.flows.get_mut(slot).filter(|_| !parted) {
            (entry.sights, entry.flow.point, entry.next_point) = (sights, point, next_point);
        }
        self.see(slot, segment);
        slot
    }

    /// Gives up the flow whose time limit comes first.
    fn evict(&mut self, sink: &mut impl StreamSink) {
        while let Some(Reverse((due, slot, generation))) = self.timers.pop() {
            let Some(entry) = self.flows.get_mut(slot) else { continue };
            if entry.generation != generation || entry.due != due {
                continue;
            }
            entry.due = NEVER;
            let deadline = entry.deadline(&self.limits, sink);
            if deadline > due {
                self.arm_at(slot, deadline);
                continue;
            }
            let evicted = self.give_up(slot, Ending::Evicted, sink);
            self.counters.flows_evicted += u64::from(evicted);
            return;
        }
    }

    /// Tells what waits in a flow and removes it; false if it had come to its end before.
    fn give_up(&mut self, slot: usize, ending: Ending, sink: &mut impl StreamSink) -> bool {
        let Some(entry) = self.flows.get_mut(slot) else { return false };
        let before = entry.waiting();
        while entry.force(&mut self.counters, sink) {}
        self.waiting = self.waiting + entry.waiting() - before;
        entry.settle(sink);
        let goes_on = !entry.ended;
        entry.end(ending, sink);
        self.remove(slot);
        goes_on
    }

    fn remove(&mut self, slot: usize) {
        let Some(entry) = self.flows.try_remove(slot) else { return };
        self.waiting = self.waiting.saturating_sub(entry.waiting());
        let hash = self.hasher.hash_one(entry.key);
        if let Ok(found) = self.by_key.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        self.places.ended(entry.flow.point);
        if !entry.alone {
            self.set_alone(&entry.key);
        }
    }

    /// Sees to it that a timer speaks for the flow no later than its deadline, but not before `now`;
    /// and soon, so that the timers of flows that have ended do not pile up.
    fn arm(&mut self, slot: usize, now: Timestamp, sink: &impl StreamSink) {
        let Some(entry) = self.flows.get(slot) else { return };
        // A deadline that is found late must not turn the sink's clock back.
        let deadline = entry.deadline(&self.limits, sink).max(now).min(now.plus(CHECK));
        if deadline < entry.due {
            self.arm_at(slot, deadline);
        }
    }

    fn arm_at(&mut self, slot: usize, at: Timestamp) {
        let Some(entry) = self.flows.get_mut(slot) else { return };
        entry.due = at;
        self.timers.push(Reverse((at, slot, entry.generation)));
    }
}

/// Nanoseconds after which a flow is looked at, whatever its deadline.
const CHECK: i64 = 10_000_000_000;
/// Entries of a list that are never too many.
const FEW: usize = 1_024;
/// Hops of one flow that are told apart at one place.
const HOPS: usize = 8;
/// Points of one flow; what is seen at more gives up the oldest.
const SEEN_AT: usize = 64;
