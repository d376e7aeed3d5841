//! Flows: which packet belongs to which conversation, and what a conversation's packets say.
//!
//! Segments of one shard come in, in their order; stream events go out. The table holds a bounded
//! number of flows; time is packet time only, and what is due before a packet's time is done before
//! the packet.

use crate::counters::Counters;
use crate::decode::{Endpoint, Header, Segment, point};
use crate::packet::{NetworkId, Timestamp};
use crate::reassembly::{Arrival, Direction, Ready, Waits, distance};
use crate::stream::{Cause, Ending, Flow, PointId, Seen, Side, StreamEvent, StreamSink, Transport};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

/// The flows of one shard.
#[derive(Debug)]
pub struct FlowTable {
    limits: FlowLimits,
    flows: Slab<Entry>,
    by_key: HashTable<usize>,
    hasher: RandomState,
    timers: BinaryHeap<Reverse<(Timestamp, usize, u32)>>,
    generation: u32,
    /// Bytes that wait in all flows.
    waiting: usize,
    /// What was seen and lost.
    pub counters: Counters,
}

/// Limits of one shard's table.
#[derive(Clone, Copy, Debug)]
pub struct FlowLimits {
    /// Flows at a time; beyond it the one whose idle limit comes first is given up.
    pub flows: usize,
    /// Bytes of one flow that may wait for a hole or for what they acknowledge.
    pub waiting_per_flow: usize,
    /// Bytes of all flows that may wait.
    pub waiting: usize,
    /// How long bytes wait.
    pub waits: Waits,
    /// Nanoseconds after which a silent TCP connection is forgotten.
    pub idle_tcp: i64,
    /// Nanoseconds after which a silent UDP flow is forgotten.
    pub idle_udp: i64,
    /// Nanoseconds after which a SYN counts as never answered.
    pub connect: i64,
    /// Nanoseconds for which an ended connection still takes late copies of its packets.
    pub linger: i64,
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            flows: 1 << 16,
            waiting_per_flow: 1 << 20,
            waiting: 4 << 20,
            waits: Waits::default(),
            idle_tcp: 600_000_000_000,
            idle_udp: 60_000_000_000,
            connect: 10_000_000_000,
            linger: 1_000_000_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FlowKey {
    network: NetworkId,
    point: PointId,
    transport: Transport,
    low: Endpoint,
    high: Endpoint,
}

#[derive(Debug)]
struct Entry {
    key: FlowKey,
    /// Side A is the key's `low` end.
    a_is_low: bool,
    flow: Flow,
    directions: [Direction; 2],
    /// The first acknowledgement number of either side that was seen.
    first_ack: [Option<u32>; 2],
    initial_seq: [Option<u32>; 2],
    reset: Option<Side>,
    ended: bool,
    last_seen: Option<Seen>,
    last_packet: Timestamp,
    /// The time of the entry in `timers` that speaks for this flow.
    due: Timestamp,
    generation: u32,
    /// Signatures and times of the latest packets, to tell copies.
    recent: [(u64, Timestamp); RECENT],
    recent_at: u8,
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
            counters: Counters::default(),
        }
    }

    /// Takes the next segment; `buffer` is that of the batch that it was decoded from.
    pub fn segment(&mut self, segment: &Segment, buffer: &[u8], sink: &mut impl StreamSink) {
        self.expire(segment.now, sink);
        sink.clock(segment.now, Cause::Packet, segment.order);
        let (slot, from) = self.flow_of(segment, sink);
        let Some(entry) = self.flows.get_mut(slot) else { return };
        if entry.is_copy(segment) {
            self.counters.copies += 1;
            return;
        }
        if !entry.ended {
            entry.last_packet = segment.now;
        }
        entry.last_seen = Some(segment.seen);
        if let Some(seen) = entry.flow.seen_sides.get_mut(from.index()) {
            *seen = true;
        }
        let payload = segment.payload(buffer);
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

    /// Does all that is due before this time.
    pub fn expire(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        while let Some(Reverse((due, slot, generation))) = self.timers.peek().copied() {
            if due >= now {
                break;
            }
            self.timers.pop();
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

    /// Ends all flows, since the capture has ended.
    pub fn finish(&mut self, now: Timestamp, sink: &mut impl StreamSink) {
        let mut flows: Vec<(u64, usize)> =
            self.flows.iter().map(|(slot, entry)| (entry.flow.birth, slot)).collect();
        flows.sort_unstable();
        for (birth, slot) in flows {
            sink.clock(now, Cause::End, birth);
            self.give_up(slot, Ending::CaptureEnd, sink);
        }
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

    /// The flow of a segment, new if there was none, and the side that sent it.
    fn flow_of(&mut self, segment: &Segment, sink: &mut impl StreamSink) -> (usize, Side) {
        let key = FlowKey::of(segment);
        let from_low = segment.source == key.low;
        let hash = self.hasher.hash_one(key);
        let flows = &self.flows;
        let found = self.by_key.find(hash, |slot| flows.get(*slot).is_some_and(|e| e.key == key));
        if let Some(slot) = found.copied() {
            let replaced = self.flows.get(slot).is_none_or(|entry| {
                let from = entry.side(from_low);
                entry.is_replaced_by(segment, from)
            });
            if !replaced {
                let from = self.flows.get(slot).map_or(Side::A, |entry| entry.side(from_low));
                return (slot, from);
            }
            self.give_up(slot, Ending::Replaced, sink);
        }
        if self.flows.len() >= self.limits.flows {
            self.evict(sink);
        }
        self.generation = self.generation.wrapping_add(1);
        self.counters.flows += 1;
        let slot = self.flows.vacant_key();
        self.flows.insert(Entry::new(key, from_low, slot, self.generation, segment));
        let flows = &self.flows;
        let hasher = &self.hasher;
        self.by_key.insert_unique(hash, slot, |slot| {
            flows.get(*slot).map_or(0, |entry| hasher.hash_one(entry.key))
        });
        (slot, Side::A)
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

impl FlowKey {
    fn of(segment: &Segment) -> Self {
        let (low, high) = if segment.source <= segment.destination {
            (segment.source, segment.destination)
        } else {
            (segment.destination, segment.source)
        };
        let transport = match segment.header {
            Header::Tcp { .. } => Transport::Tcp,
            Header::Udp => Transport::Udp,
        };
        Self { network: segment.network, point: point(segment.seen.tap), transport, low, high }
    }
}

/// A TCP segment as its flow sees it.
struct Tcp<'b> {
    seq: u32,
    ack: bool,
    syn: bool,
    fin: bool,
    rst: bool,
    from: Side,
    payload: &'b [u8],
}

impl Entry {
    fn new(key: FlowKey, from_low: bool, slot: usize, generation: u32, segment: &Segment) -> Self {
        let flow = Flow {
            slot,
            birth: segment.order,
            network: key.network,
            point: key.point,
            transport: key.transport,
            addresses: [address(segment.source), address(segment.destination)],
            opener: None,
            syn: None,
            established: None,
            first_seq: [None; 2],
            seen_sides: [false; 2],
            retransmissions: [0; 2],
        };
        Self {
            key,
            a_is_low: from_low,
            flow,
            directions: Default::default(),
            first_ack: [None; 2],
            initial_seq: [None; 2],
            reset: None,
            ended: false,
            last_seen: None,
            last_packet: segment.now,
            due: NEVER,
            generation,
            recent: [(0, NEVER); RECENT],
            recent_at: 0,
        }
    }

    fn side(&self, from_low: bool) -> Side {
        if from_low == self.a_is_low { Side::A } else { Side::B }
    }

    fn waiting(&self) -> usize {
        let [a, b] = &self.directions;
        a.waiting + b.waiting
    }

    fn blocked(&self) -> bool {
        let [a, b] = &self.directions;
        a.blocked() || b.blocked()
    }

    fn is_copy(&mut self, segment: &Segment) -> bool {
        let Segment { signature, now, .. } = *segment;
        if let Some((_, at)) = self.recent.iter_mut().find(|(known, _)| *known == signature) {
            // Later it is the same packet sent again, whose IP id does not count.
            let is_copy = now.0.saturating_sub(at.0) <= COPY_WITHIN;
            *at = now;
            return is_copy;
        }
        if let Some(place) = self.recent.get_mut(usize::from(self.recent_at) % RECENT) {
            *place = (signature, now);
        }
        self.recent_at = self.recent_at.wrapping_add(1);
        false
    }

    /// Whether a SYN opens another connection between the same ends.
    fn is_replaced_by(&self, segment: &Segment, from: Side) -> bool {
        let Header::Tcp { seq, syn, .. } = segment.header else { return false };
        if self.recent.iter().any(|(known, _)| *known == segment.signature) {
            return false;
        }
        let direction = &self.directions[from.index()];
        if !syn {
            // The SYN of the new connection was not captured.
            let far = if self.ended { LATE_SYN } else { GARBAGE };
            return direction.ahead(seq).is_some_and(|ahead| ahead.unsigned_abs() > far as u32);
        }
        if let Some(initial) = self.initial_seq[from.index()] {
            return initial != seq;
        }
        // A SYN may come late, just behind the first bytes that it announces.
        let first = direction.first_seq().or_else(|| direction.lowest_waiting());
        match first {
            Some(first) => !(0..LATE_SYN).contains(&distance(seq.wrapping_add(1), first)),
            None => self.ended,
        }
    }

    /// Whether the other side of the opener was seen to answer.
    fn answered(&self) -> bool {
        let [a, b] = self.flow.seen_sides;
        a && b
    }

    fn deadline(&self, limits: &FlowLimits, sink: &impl StreamSink) -> Timestamp {
        if self.ended {
            return self.last_packet.plus(limits.linger);
        }
        let asked = sink.deadline(self.flow.slot).unwrap_or(NEVER);
        if self.flow.transport == Transport::Udp {
            return self.last_packet.plus(limits.idle_udp).min(asked);
        }
        let unanswered = self.flow.syn.is_some() && !self.answered();
        let idle = self.last_packet.plus(if unanswered { limits.connect } else { limits.idle_tcp });
        let [a, b] = &self.directions;
        let patience = [a.patience(&limits.waits), b.patience(&limits.waits)];
        // A FIN or RST whose bytes before it are missing waits as they do.
        let ending = (self.blocked() && patience == [None, None])
            .then(|| self.last_packet.plus(limits.waits.hole));
        patience.into_iter().flatten().chain(ending).fold(idle.min(asked), Timestamp::min)
    }

    fn tcp(
        &mut self,
        segment: &Segment,
        tcp: &Tcp<'_>,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) {
        let from = tcp.from;
        let now = segment.now;
        let mut seq = tcp.seq;
        if tcp.syn {
            self.syn(segment, tcp);
            seq = seq.wrapping_add(1);
        }
        if tcp.rst && self.flow.syn.is_some() && !self.carried_bytes(segment, tcp) {
            self.reset = Some(from);
            let refused = self.flow.opener == Some(from.other()) && self.flow.established.is_none();
            self.end(if refused { Ending::Refused } else { Ending::Reset(from) }, sink);
            return;
        }
        if tcp.ack {
            self.acknowledge(from, segment.seen.ack, now);
        }
        if !tcp.payload.is_empty() || segment.cut > 0 {
            self.payload(segment, tcp, seq, counters, sink);
        }
        let direction = self.direction(from);
        let end = seq.wrapping_add(tcp.payload.len() as u32).wrapping_add(segment.cut);
        if tcp.fin || tcp.rst {
            if !direction.started() && direction.lowest_waiting().is_none() {
                direction.start_at(end);
            }
            direction.ends_at(end);
            if tcp.rst {
                self.reset = self.reset.or(Some(from));
            }
        }
        self.deliver(&segment.seen, counters, sink);
    }

    fn syn(&mut self, segment: &Segment, tcp: &Tcp<'_>) {
        let from = tcp.from;
        match self.initial_seq.get_mut(from.index()) {
            Some(initial @ None) => *initial = Some(tcp.seq),
            _ => {
                self.flow.retransmissions[from.index()] += 1;
                return;
            }
        }
        self.direction(from).start_at(tcp.seq.wrapping_add(1));
        if tcp.ack {
            self.flow.opener = self.flow.opener.or_else(|| Some(from.other()));
            self.flow.established = self.flow.established.or(Some(segment.seen.at));
            self.direction(from.other()).start_at(segment.seen.ack);
        } else {
            self.flow.opener = Some(from);
            self.flow.syn = Some(segment.seen);
        }
    }

    /// Whether bytes were delivered or wait, or this segment has some or tells of some.
    fn carried_bytes(&self, segment: &Segment, tcp: &Tcp<'_>) -> bool {
        let told = |side: Side, seq| self.directions[side.index()].ahead(seq).unwrap_or_default();
        let tells = self.flow.established.is_some()
            && ((1..GARBAGE).contains(&told(tcp.from, tcp.seq))
                || (tcp.ack && (1..GARBAGE).contains(&told(tcp.from.other(), segment.seen.ack))));
        tells
            || !tcp.payload.is_empty()
            || self.directions.iter().any(|d| d.waiting > 0 || d.next_seq() != d.first_seq())
    }

    fn acknowledge(&mut self, from: Side, ack: u32, now: Timestamp) {
        self.first_ack[from.index()].get_or_insert(ack);
        self.direction(from.other()).acknowledge(ack, now);
    }

    fn payload(
        &mut self,
        segment: &Segment,
        tcp: &Tcp<'_>,
        seq: u32,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) {
        let from = tcp.from;
        let len = tcp.payload.len() + segment.cut as usize;
        let arrival = self.direction(from).arrive(seq, len);
        match arrival {
            Arrival::Old => {
                counters.retransmissions += 1;
                self.flow.retransmissions[from.index()] += 1;
            }
            Arrival::InOrder { offset, skip }
                if !tcp.ack || self.gate(from).may(segment.seen.ack) =>
            {
                let bytes = tcp.payload.get(skip..).unwrap_or_default();
                let cut = (len - skip) - bytes.len();
                self.emit(from, &segment.seen, offset, bytes, cut as u64, counters, sink);
            }
            Arrival::InOrder { .. } | Arrival::Early => {
                let direction = self.direction(from);
                let early = direction.ahead(seq).is_some_and(|ahead| ahead > 0);
                counters.out_of_order += u64::from(early);
                if !direction.wait(seq, tcp.payload, segment.cut, segment.seen, segment.now) {
                    counters.retransmissions += 1;
                    self.flow.retransmissions[from.index()] += 1;
                }
            }
        }
    }

    /// Delivers what can be delivered on both sides, until nothing moves.
    fn deliver(&mut self, seen: &Seen, counters: &mut Counters, sink: &mut impl StreamSink) {
        loop {
            let moved = self.step(Side::A, false, seen, counters, sink)
                | self.step(Side::B, false, seen, counters, sink);
            if !moved {
                return;
            }
        }
    }

    /// Gives up one hole, the one that is due first; false if there was nothing to give up.
    fn force(&mut self, counters: &mut Counters, sink: &mut impl StreamSink) -> bool {
        if self.ended {
            return false;
        }
        let Some(seen) = self.last_seen else { return false };
        let waits = Waits::default();
        let [a, b] = &self.directions;
        // What only waits for the other side's hole comes after that hole.
        let due = |d: &Direction| (!d.hole(), d.patience(&waits).unwrap_or(NEVER));
        let order = if due(a) <= due(b) { [Side::A, Side::B] } else { [Side::B, Side::A] };
        for side in order {
            if !self.directions[side.index()].started()
                && let Some(lowest) = self.directions[side.index()].lowest_waiting()
            {
                // What the other side had not acknowledged yet when it was first seen belongs to
                // the stream, though its packets may be lost.
                let acknowledged = self.first_ack[side.other().index()];
                let start =
                    acknowledged.filter(|ack| (0..LATE_SYN).contains(&distance(*ack, lowest)));
                self.direction(side).start_at(start.unwrap_or(lowest));
                self.deliver(&seen, counters, sink);
                return true;
            }
        }
        for side in order {
            if self.direction(side).blocked() && self.step(side, true, &seen, counters, sink) {
                self.deliver(&seen, counters, sink);
                return true;
            }
        }
        // Only a FIN or RST is left whose bytes before it never came.
        for side in order {
            let direction = self.direction(side);
            if direction.blocked() && direction.give_up_end() {
                self.deliver(&seen, counters, sink);
                return true;
            }
        }
        false
    }

    fn step(
        &mut self,
        from: Side,
        force: bool,
        seen: &Seen,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) -> bool {
        let mut moved = false;
        let mut force = force;
        loop {
            let gate = self.gate(from);
            let ready = self.direction(from).next(|seen| gate.may(seen.ack), force);
            match ready {
                Ready::Nothing => return moved,
                Ready::Closed => {
                    self.flow.first_seq[from.index()] = self.direction(from).first_seq();
                    sink.event(&self.flow, from, seen, StreamEvent::Closed);
                    moved = true;
                }
                Ready::Gap { offset, lost } => {
                    let lost = self.before_answer(from, lost);
                    self.gap(from, seen, offset, lost, counters, sink);
                    moved = true;
                }
                Ready::Piece { offset, skip, piece } => {
                    let (seen, cut) = piece.seen();
                    self.emit(from, seen, offset, piece.bytes(skip), cut.into(), counters, sink);
                    moved = true;
                }
            }
            force = false;
        }
    }

    /// The part of a gap that comes before what the other side said next: what it acknowledges had
    /// come until then, and what lies beyond is younger.
    fn before_answer(&self, from: Side, lost: NonZeroU64) -> NonZeroU64 {
        let [a, b] = &self.directions;
        let (this, other) = if from == Side::A { (a, b) } else { (b, a) };
        let ahead = other.waiting_ack().and_then(|ack| this.ahead(ack));
        let acknowledged = ahead.and_then(|ahead| NonZeroU64::new(u64::try_from(ahead).ok()?));
        acknowledged.map_or(lost, |acknowledged| acknowledged.min(lost))
    }

    /// The other side's progress, as far as it was seen at all.
    fn gate(&self, from: Side) -> Gate {
        let other = from.other().index();
        let seen = self.flow.seen_sides.get(other) == Some(&true);
        match self.directions.get(other) {
            Some(direction) if seen => Gate {
                next: direction.next_seq(),
                ending: direction.ending(),
                waiting: direction.waiting > 0,
            },
            _ => Gate { next: None, ending: false, waiting: false },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn emit(
        &mut self,
        from: Side,
        seen: &Seen,
        offset: u64,
        bytes: &[u8],
        cut: u64,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) {
        self.flow.first_seq[from.index()] = self.direction(from).first_seq();
        let end = offset + bytes.len() as u64;
        self.direction(from).delivered(end);
        if !bytes.is_empty() {
            sink.event(&self.flow, from, seen, StreamEvent::Bytes { offset, bytes });
        }
        if let Some(lost) = NonZeroU64::new(cut) {
            self.gap(from, seen, end, lost, counters, sink);
        }
    }

    fn gap(
        &mut self,
        from: Side,
        seen: &Seen,
        offset: u64,
        lost: NonZeroU64,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) {
        self.flow.first_seq[from.index()] = self.direction(from).first_seq();
        self.direction(from).delivered(offset + lost.get());
        counters.gaps += 1;
        counters.gap_bytes += lost.get();
        sink.event(&self.flow, from, seen, StreamEvent::Gap { offset, lost });
    }

    /// Ends the flow if its packets say so and all was delivered.
    fn settle(&mut self, sink: &mut impl StreamSink) {
        if self.ended || self.flow.transport == Transport::Udp {
            return;
        }
        let [a, b] = &self.directions;
        match self.reset {
            Some(side) if self.directions[side.index()].closed() && !self.blocked() => {
                self.end(Ending::Reset(side), sink);
            }
            None if a.closed() && b.closed() => self.end(Ending::Finished, sink),
            _ => {}
        }
    }

    fn end(&mut self, ending: Ending, sink: &mut impl StreamSink) {
        if self.ended {
            return;
        }
        self.ended = true;
        if let Some(seen) = self.last_seen {
            sink.event(&self.flow, Side::A, &seen, StreamEvent::End(ending));
        }
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        let [a, b] = &mut self.directions;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }
}

/// How far the other side has come.
#[derive(Clone, Copy)]
struct Gate {
    next: Option<u32>,
    ending: bool,
    waiting: bool,
}

impl Gate {
    /// Whether a packet with this acknowledgement acknowledges nothing that is still to come.
    fn may(self, ack: u32) -> bool {
        let unread = match self.next {
            Some(next) => distance(next, ack) - i32::from(self.ending),
            None => i32::from(self.waiting),
        };
        !(1..GARBAGE).contains(&unread)
    }
}

fn address(end: Endpoint) -> SocketAddr {
    let ip = match end.ip.to_ipv4_mapped() {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(end.ip),
    };
    SocketAddr::new(ip, end.port)
}

/// A time that does not come.
const NEVER: Timestamp = Timestamp(i64::MAX);
/// Nanoseconds after which a flow is looked at, whatever its deadline.
const CHECK: i64 = 10_000_000_000;
/// Packets of a flow among which a copy is looked for.
const RECENT: usize = 16;
/// Nanoseconds within which a copy comes; mirror ports need far less, and clients wait for longer
/// before they send a datagram again.
const COPY_WITHIN: i64 = 250_000_000;
/// Bytes that may come before the SYN that announces them, or be missing where a stream starts.
const LATE_SYN: i32 = 1 << 20;
/// An acknowledgement that is further ahead is not waited for.
const GARBAGE: i32 = 1 << 28;
