//! One flow at one point: what its packets say, as events.

use crate::counters::Counters;
use crate::decode::{Header, Segment, flow_hash};
use crate::packet::{Endpoint, NetworkId, Timestamp};
use crate::place::Sight;
use crate::reassembly::{Arrival, Direction, Ready, Waits, distance};
use crate::stream::{
    Ending, Flow, PointId, RoundTrip, Seen, Side, StreamEvent, StreamSink, Transport,
};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64};

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

/// Between whom a flow is, wherever it is seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowKey {
    /// The network where both ends are loopback addresses, which are each host's own.
    loopback: NetworkId,
    pub(crate) transport: Transport,
    pub(crate) low: Endpoint,
    pub(crate) high: Endpoint,
}

impl FlowKey {
    pub(crate) fn of(segment: &Segment) -> Self {
        let (low, high) = if segment.source <= segment.destination {
            (segment.source, segment.destination)
        } else {
            (segment.destination, segment.source)
        };
        let transport = match segment.header {
            Header::Tcp { .. } => Transport::Tcp,
            Header::Udp => Transport::Udp,
        };
        let loopback = if segment.loopback { segment.network } else { NetworkId(0) };
        Self { loopback, transport, low, high }
    }

    /// The hash of its segments.
    pub(crate) fn segment_hash(&self) -> u64 {
        let protocol = match self.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        };
        flow_hash(&self.low, &self.high, protocol)
    }

    /// All of it in three numbers, which compare and hash more quickly.
    fn numbers(&self) -> (u128, u128, u64) {
        let ports = u64::from(self.low.port) << 16 | u64::from(self.high.port);
        let rest = u64::from(self.loopback.0) << 1 | u64::from(self.transport == Transport::Udp);
        (self.low.ip.into(), self.high.ip.into(), rest << 32 | ports)
    }
}

impl PartialEq for FlowKey {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl Eq for FlowKey {}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (low, high, rest) = self.numbers();
        state.write_u128(low);
        state.write_u128(high);
        state.write_u64(rest);
    }
}

/// A flow in the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: FlowKey,
    /// Where the packets of the key's `low` end and of its `high` end are seen.
    pub(crate) sights: [Option<Sight>; 2],
    /// No other flow in the table is between these ends, and nothing waits to be told apart.
    pub(crate) alone: bool,
    /// Another point sees the same packets, and saw them first.
    pub(crate) next_point: bool,
    /// A tap has shown the side of which another tap is known to be the only one.
    pub(crate) contradicted: bool,
    /// Side A is the key's `low` end.
    a_is_low: bool,
    pub(crate) flow: Flow,
    directions: [Direction; 2],
    /// The first acknowledgement number of either side that was seen.
    first_ack: [Option<u32>; 2],
    initial_seq: [Option<u32>; 2],
    reset: Option<Side>,
    /// The SYN was answered, and the next packet of its sender acknowledges that.
    answered_now: bool,
    pub(crate) ended: bool,
    pub(crate) last_seen: Option<Seen>,
    pub(crate) last_packet: Timestamp,
    /// The time of the entry in `timers` that speaks for this flow.
    pub(crate) due: Timestamp,
    pub(crate) generation: u32,
    /// Signatures and times of the latest packets, to tell copies.
    recent: [(u64, Timestamp); RECENT],
    recent_at: u8,
}

/// A TCP segment as its flow sees it.
pub(crate) struct Tcp<'b> {
    pub(crate) seq: u32,
    pub(crate) ack: bool,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) from: Side,
    pub(crate) payload: &'b [u8],
}

impl Entry {
    pub(crate) fn new(key: FlowKey, slot: usize, generation: u32, segment: &Segment) -> Self {
        let flow = Flow {
            slot,
            birth: segment.order,
            network: segment.network,
            point: PointId::at(segment.place),
            transport: key.transport,
            addresses: [address(segment.source), address(segment.destination)],
            opener: None,
            syn: None,
            established: None,
            round_trip: RoundTrip::default(),
            first_seq: [None; 2],
            seen_sides: [false; 2],
            retransmissions: [0; 2],
        };
        Self {
            key,
            sights: [None; 2],
            alone: true,
            next_point: false,
            contradicted: false,
            a_is_low: segment.source == key.low,
            flow,
            directions: Default::default(),
            first_ack: [None; 2],
            initial_seq: [None; 2],
            reset: None,
            answered_now: false,
            ended: false,
            last_seen: None,
            last_packet: segment.now,
            due: NEVER,
            generation,
            recent: [(0, NEVER); RECENT],
            recent_at: 0,
        }
    }

    /// The side that sent a segment.
    pub(crate) fn side(&self, segment: &Segment) -> Side {
        if (segment.source == self.key.low) == self.a_is_low { Side::A } else { Side::B }
    }

    /// Whether a segment was seen where those of its side always are.
    pub(crate) fn sees(&self, segment: &Segment) -> bool {
        let [low, high] = &self.sights;
        let sight = if segment.source == self.key.low { low } else { high };
        *sight == Some(Sight::of(segment))
    }

    /// Whether a segment is the first one of its side, seen where the other side is.
    pub(crate) fn meets(&self, segment: &Segment) -> bool {
        let [low, high] = &self.sights;
        let (own, other) = if segment.source == self.key.low { (low, high) } else { (high, low) };
        own.is_none() && other.is_some_and(|other| other.place == segment.place)
    }

    /// Whether this packet was seen lately.
    pub(crate) fn has_seen(&self, segment: &Segment) -> bool {
        let Segment { signature, now, .. } = *segment;
        let lately = |at: &Timestamp| now.0.saturating_sub(at.0) <= NEXT_WITHIN;
        self.recent.iter().any(|(known, at)| *known == signature && lately(at))
    }

    /// Whether a segment of the side that was not seen here answers the side that was: whether its
    /// numbers fit.
    pub(crate) fn is_answered_by(&self, segment: &Segment) -> bool {
        let Header::Tcp { seq, ack, .. } = segment.header else { return true };
        let from = self.side(segment);
        let other = &self.directions[from.other().index()];
        let near = |to: u32, from: u32| (-NEAR..=NEAR).contains(&distance(to, from));
        let asked = other.next_seq().or_else(|| other.lowest_waiting());
        let acknowledges = asked.filter(|_| ack).map(|asked| near(asked, segment.seen.ack));
        let acknowledged = self.first_ack[from.other().index()].map(|first| near(first, seq));
        match (acknowledges, acknowledged) {
            (Some(one), Some(other)) => one && other,
            (one, other) => one.or(other).unwrap_or_default(),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        let [a, b] = &self.directions;
        a.waiting + b.waiting
    }

    pub(crate) fn blocked(&self) -> bool {
        let [a, b] = &self.directions;
        a.blocked() || b.blocked()
    }

    pub(crate) fn is_copy(&mut self, segment: &Segment) -> bool {
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
    pub(crate) fn is_replaced_by(&self, segment: &Segment, from: Side) -> bool {
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
    pub(crate) fn answered(&self) -> bool {
        let [a, b] = self.flow.seen_sides;
        a && b
    }

    pub(crate) fn deadline(&self, limits: &FlowLimits, sink: &impl StreamSink) -> Timestamp {
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

    pub(crate) fn tcp(
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
            if self.answered_now && self.flow.opener == Some(from) {
                self.answered_now = false;
                self.flow.round_trip.client = self.acknowledged_at_once(segment, tcp);
            }
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
                // It is not known which of two answers is acknowledged.
                self.answered_now = false;
                return;
            }
        }
        self.direction(from).start_at(tcp.seq.wrapping_add(1));
        if tcp.ack {
            self.flow.opener = self.flow.opener.or_else(|| Some(from.other()));
            // After a SYN that was sent again, it is not known which of them is answered.
            if let (None, Some(syn), [0, 0]) =
                (self.flow.established, self.flow.syn, self.flow.retransmissions)
            {
                self.flow.round_trip.server = RoundTrip::between(syn.at, segment.seen.at);
                self.answered_now = true;
            }
            self.flow.established = self.flow.established.or(Some(segment.seen.at));
            self.direction(from.other()).start_at(segment.seen.ack);
        } else {
            self.flow.opener = Some(from);
            self.flow.syn = Some(segment.seen);
        }
    }

    /// How long the answer to a SYN took to the opener and back, if the packet acknowledges that
    /// alone: one with bytes may have waited for these.
    fn acknowledged_at_once(&self, segment: &Segment, tcp: &Tcp<'_>) -> Option<NonZeroU32> {
        let [a, b] = self.initial_seq;
        let answer = if tcp.from == Side::A { b } else { a };
        let is_bare = tcp.payload.is_empty() && segment.cut == 0 && !tcp.fin;
        let is_of_answer = answer.is_some_and(|seq| seq.wrapping_add(1) == segment.seen.ack);
        let answered = self.flow.established.filter(|_| is_bare && is_of_answer)?;
        RoundTrip::between(answered, segment.seen.at)
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
            Arrival::Old => self.sent_again(segment, from, seq, len, counters, sink),
            Arrival::InOrder { offset, skip }
                if !tcp.ack || self.gate(from).may(segment.seen.ack) =>
            {
                let bytes = tcp.payload.get(skip..).unwrap_or_default();
                let cut = (len - skip) - bytes.len();
                let missed = self.direction(from).missed_long(segment.seen.at);
                self.emit(from, &segment.seen, offset, bytes, cut as u64, counters, sink);
                if missed.is_some() {
                    let event = StreamEvent::Again { offset, missed };
                    sink.event(&self.flow, from, &segment.seen, event);
                }
            }
            Arrival::InOrder { .. } | Arrival::Early => {
                let direction = self.direction(from);
                let early = direction.ahead(seq).is_some_and(|ahead| ahead > 0);
                counters.out_of_order += u64::from(early);
                if !direction.wait(seq, tcp.payload, segment.cut, segment.seen, segment.now) {
                    self.sent_again(segment, from, seq, len, counters, sink);
                }
            }
        }
    }

    /// A segment holds nothing that is new.
    fn sent_again(
        &mut self,
        segment: &Segment,
        from: Side,
        seq: u32,
        len: usize,
        counters: &mut Counters,
        sink: &mut impl StreamSink,
    ) {
        counters.retransmissions += 1;
        self.flow.retransmissions[from.index()] += 1;
        let direction = self.direction(from);
        let (Some(ahead), Some(offset)) = (direction.ahead(seq), direction.offset_of(seq)) else {
            return;
        };
        // One byte that was acknowledged long ago asks whether the other side is still there
        // (RFC 9293, section 3.8.4).
        if len > 1 || ahead != -1 {
            let event = StreamEvent::Again { offset, missed: None };
            sink.event(&self.flow, from, &segment.seen, event);
        }
    }

    /// Delivers what can be delivered on both sides, until nothing moves.
    fn deliver(&mut self, seen: &Seen, counters: &mut Counters, sink: &mut impl StreamSink) {
        while !self.directions.iter().all(Direction::has_nothing_to_give) {
            let moved = self.step(Side::A, false, seen, counters, sink)
                | self.step(Side::B, false, seen, counters, sink);
            if !moved {
                return;
            }
        }
    }

    /// Gives up one hole, the one that is due first; false if there was nothing to give up.
    pub(crate) fn force(&mut self, counters: &mut Counters, sink: &mut impl StreamSink) -> bool {
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
                    // They were sent before that was known, not when they are given up.
                    let missed = self.directions[from.index()].missed();
                    let at = missed.map_or(seen.at, |missed| missed.min(seen.at));
                    let seen = Seen { at, ..*seen };
                    self.gap(from, &seen, offset, lost, counters, sink);
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
                end: direction.end_seq(),
                waiting: direction.waiting > 0,
            },
            _ => Gate { next: None, end: None, waiting: false },
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
    pub(crate) fn settle(&mut self, sink: &mut impl StreamSink) {
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

    pub(crate) fn end(&mut self, ending: Ending, sink: &mut impl StreamSink) {
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
    /// The sequence number behind its last byte, once a FIN or RST told it.
    end: Option<u32>,
    waiting: bool,
}

impl Gate {
    /// Whether a packet with this acknowledgement acknowledges nothing that is still to come.
    fn may(self, ack: u32) -> bool {
        // The acknowledgement of a FIN counts one more than there are bytes.
        let of_fin = self.end.is_some_and(|end| end.wrapping_add(1) == ack);
        let unread = match self.next {
            Some(next) => distance(next, ack) - i32::from(of_fin),
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
pub(crate) const NEVER: Timestamp = Timestamp(i64::MAX);
/// Packets of a flow among which a copy is looked for.
const RECENT: usize = 16;
/// Nanoseconds within which a copy comes; mirror ports need far less, and whoever sends a packet
/// again waits for longer: Linux and Windows for 200 ms at least, where no answer came at all.
const COPY_WITHIN: i64 = 150_000_000;
/// Nanoseconds within which a packet passes the next point.
const NEXT_WITHIN: i64 = 250_000_000;
/// Bytes that may come before the SYN that announces them, or be missing where a stream starts.
const LATE_SYN: i32 = 1 << 20;
/// An acknowledgement that is further ahead is not waited for.
const GARBAGE: i32 = 1 << 28;
/// How far an acknowledgement may lie from what was seen of the bytes that it acknowledges.
const NEAR: i32 = 1 << 20;
