//! One flow: stream events in, messages to pairing out. Detects the protocol, drives its parser,
//! survives gaps, and follows a flow that becomes another protocol or carries others inside.

use crate::exchange::{Exchange, ProtocolIndex, State};
use crate::pairing::{Ends, Exchanges, Pairing};
use crate::unknown::{Stranger, Told};
use crate::writer::{Carried, Writer};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::{Ending, Flow, Seen, StreamEvent, Transport};
use wirespan_parsers::detect::{Detection, detect};
use wirespan_parsers::message::Side;
use wirespan_parsers::protocol::{
    self, AfterGap, Conn, FlowInfo, Handoff, Hook, Malformed, Protocol, Step,
};
use wirespan_parsers::unread::unread;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the decoders of a shard share.
pub struct Shared {
    /// The protocols, in the order in which they are asked.
    pub protocols: Vec<Box<dyn Protocol>>,
    /// Who sees each message as it opens.
    pub hooks: Vec<Box<dyn Hook>>,
    /// What could not be used, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// How many body bytes the hooks want.
    wants: usize,
    /// Whether all is wanted that messages say.
    details: bool,
    /// Bytes of unfinished messages that all flows keep, and how many they may.
    kept: usize,
    may_keep: usize,
}

impl Shared {
    /// For these protocols and hooks.
    pub fn new(protocols: Vec<Box<dyn Protocol>>, hooks: Vec<Box<dyn Hook>>) -> Self {
        let wants = hooks.iter().map(|hook| hook.wants()).max().unwrap_or_default();
        Self {
            protocols,
            hooks,
            lost: BTreeMap::new(),
            wants,
            details: false,
            kept: 0,
            may_keep: usize::MAX,
        }
    }

    /// Wants all that messages say, or not.
    #[must_use]
    pub fn with_details(mut self, wanted: bool) -> Self {
        self.details = wanted;
        self
    }

    /// Bounds the bytes of unfinished messages that all flows keep.
    #[must_use]
    pub fn keeping_at_most(mut self, bytes: usize) -> Self {
        self.may_keep = bytes;
        self
    }

    fn lost(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.lost.entry(what).or_default() += count;
        }
    }
}

/// Where a decoder tells what it finds.
pub trait Found: Exchanges {
    /// A request was seen whose exchange is not complete yet.
    fn opened(&mut self, exchange: &Exchange);
}

/// One flow, or one that is carried inside another.
pub struct FlowDecoder {
    info: FlowInfo,
    ends: Ends,
    mode: Mode,
    sides: [SideState; 2],
    pairing: Pairing,
    children: Vec<(u64, Self)>,
    /// Which sides have ended, of a flow that is carried inside another.
    ended: [bool; 2],
    handed_over: u32,
    /// Whether bytes lie on a TCP stream itself, so that they have sequence numbers.
    outermost: bool,
    /// What it speaks that nobody reads.
    unread: Option<Box<Told>>,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Nobody has recognised it yet.
    Detecting { tries: u32 },
    /// A protocol reads it.
    Reading { protocol: usize, conn: Conn, client: Side },
    /// Nobody does.
    Unknown,
}

#[derive(Debug, Default)]
struct SideState {
    /// Bytes that were not used yet.
    buffer: Vec<u8>,
    /// What the bytes of the buffer were seen with, up to which offset of the stream.
    marks: VecDeque<(u64, Seen)>,
    /// Offset in the stream of the first byte of the buffer, or of the next byte to come.
    position: u64,
    /// Bytes that need not be shown.
    skip: u64,
    /// The input must be this long before parsing it again makes sense.
    need: usize,
    /// Looking for the start of a message.
    lost_sync: bool,
    /// The end of this side was told.
    closed: bool,
    /// The protocol gave up on this side.
    stopped: bool,
    /// The side's last packet with bytes.
    last: Option<Seen>,
    first_seq: Option<u32>,
    /// Bytes that came while nobody had recognised the flow.
    unknown: u64,
}

impl FlowDecoder {
    /// A flow that has just begun.
    pub fn new(flow: &Flow) -> Self {
        let transport = match flow.transport {
            Transport::Tcp => protocol::Transport::Tcp,
            Transport::Udp => protocol::Transport::Udp,
        };
        let info =
            FlowInfo { transport, addresses: flow.addresses, opener: flow.opener.map(convert) };
        let ends = Ends {
            network: flow.network,
            point: flow.point,
            transport: flow.transport,
            addresses: flow.addresses,
            inside: 0,
        };
        Self::with(info, ends, Mode::Detecting { tries: 0 }, true)
    }

    fn with(info: FlowInfo, ends: Ends, mode: Mode, outermost: bool) -> Self {
        Self {
            info,
            ends,
            mode,
            sides: Default::default(),
            pairing: Pairing::default(),
            children: Vec::new(),
            ended: [false; 2],
            handed_over: 0,
            outermost,
            unread: None,
        }
    }

    /// Takes the next event of the flow.
    pub fn event(
        &mut self,
        flow: &Flow,
        from: wirespan_capture::stream::Side,
        seen: &Seen,
        event: StreamEvent<'_>,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        self.info.opener = flow.opener.map(convert);
        let side = convert(from);
        if let Some(state) = self.sides.get_mut(side.index()) {
            state.first_seq = flow.first_seq.get(from.index()).copied().flatten();
        }
        let before = self.pairing.next_ordinal();
        let kept = self.kept();
        let ends = matches!(event, StreamEvent::End(_));
        match event {
            StreamEvent::Bytes { bytes, .. } => self.bytes(side, seen, bytes, shared, found),
            StreamEvent::Datagram { bytes, cut } => {
                self.datagram(side, seen, bytes, shared, found);
                if let Some(lost) = NonZeroU64::new(cut as u64) {
                    self.gap(side, seen, lost, shared, found);
                }
            }
            StreamEvent::Gap { lost, .. } => self.gap(side, seen, lost, shared, found),
            StreamEvent::Closed => self.closed(side, shared, found),
            StreamEvent::End(ending) => self.end(flow, ending, shared, found),
        }
        shared.kept = (shared.kept + if ends { 0 } else { self.kept() }).saturating_sub(kept);
        if shared.kept > shared.may_keep && !ends {
            let kept = self.kept();
            self.give_up_unfinished(seen, shared, found);
            shared.kept = (shared.kept + self.kept()).saturating_sub(kept);
        }
        self.tell_opened(before, found);
    }

    /// Bytes of unfinished messages that are kept, with what is known of their packets.
    fn kept(&self) -> usize {
        let own = self.sides.iter().map(|side| side.buffer.len() + side.marks.len() * MARK);
        own.sum::<usize>() + self.children.iter().map(|(_, child)| child.kept()).sum::<usize>()
    }

    /// Gives up unfinished messages, since all flows together keep too much: as at a gap, so that
    /// what there is of them can be used.
    fn give_up_unfinished(&mut self, seen: &Seen, shared: &mut Shared, found: &mut dyn Found) {
        for from in [Side::A, Side::B] {
            if !self.sides[from.index()].buffer.is_empty() {
                shared.lost("unfinished_messages_evicted", 1);
                self.gap(from, seen, NonZeroU64::MIN, shared, found);
                // Not one byte of the stream is lost behind them.
                self.sides[from.index()].position -= 1;
            }
        }
        for (_, child) in &mut self.children {
            child.give_up_unfinished(seen, shared, found);
        }
    }

    /// When the oldest open request must be given up.
    pub fn deadline(&self, patience: i64) -> Option<Timestamp> {
        let children = self.children.iter().filter_map(|(_, child)| child.deadline(patience));
        self.pairing.oldest().map(|oldest| oldest.plus(patience)).into_iter().chain(children).min()
    }

    /// Gives up the requests that began before this time.
    pub fn time_out(&mut self, before: Timestamp, found: &mut dyn Found) {
        self.pairing.time_out(before, found);
        for (_, child) in &mut self.children {
            child.time_out(before, found);
        }
    }

    /// Who is asked and how many bytes came, of a flow that nobody has recognised.
    pub fn unknown(&self) -> Option<(Stranger, u64)> {
        if matches!(self.mode, Mode::Reading { .. }) || !self.children.is_empty() {
            return None;
        }
        let bytes = self.sides.iter().map(|side| side.unknown).sum();
        let stranger = Stranger::of(self.ends.addresses, self.info.opener, self.unread.as_deref());
        (bytes > 0).then_some((stranger, bytes))
    }

    fn tell_opened(&self, before: u32, found: &mut dyn Found) {
        for ordinal in before..self.pairing.next_ordinal() {
            if let Some(exchange) = self.pairing.get(ordinal) {
                found.opened(exchange);
            }
        }
    }

    fn bytes(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.sides[from.index()].last = Some(*seen);
        match self.mode {
            Mode::Reading { .. } => self.read(from, seen, bytes, shared, found),
            Mode::Detecting { .. } => self.detect(from, seen, bytes, shared, found),
            Mode::Unknown => {
                self.sides[from.index()].position += bytes.len() as u64;
                self.look(from, bytes);
            }
        }
    }

    fn datagram(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.sides[from.index()].last = Some(*seen);
        if !matches!(self.mode, Mode::Reading { .. }) {
            match detect(&mut shared.protocols, &self.info, from, bytes) {
                Detection::Found { protocol, client } => {
                    self.start_reading(protocol, client, shared);
                }
                Detection::No | Detection::Unsure => {
                    self.look(from, bytes);
                    return;
                }
            }
        }
        self.read(from, seen, bytes, shared, found);
        // What a datagram leaves unused is never continued by the next one.
        let side = &mut self.sides[from.index()];
        side.position += side.buffer.len() as u64;
        side.forget_buffer();
        (side.skip, side.lost_sync) = (0, false);
    }

    /// Collects bytes until somebody recognises them; then reads them.
    fn detect(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let head = if side.buffer.is_empty() {
            bytes
        } else {
            side.keep(seen, bytes);
            &side.buffer
        };
        match detect(&mut shared.protocols, &self.info, from, head) {
            Detection::Found { protocol, client } => {
                self.start_reading(protocol, client, shared);
                self.replay(from, seen, bytes, shared, found);
            }
            Detection::Unsure if head.len() < UNDECIDED => {
                if side.buffer.is_empty() {
                    side.keep(seen, bytes);
                }
            }
            Detection::Unsure | Detection::No => {
                if side.buffer.is_empty() {
                    side.position += bytes.len() as u64;
                } else {
                    side.position += side.buffer.len() as u64;
                    side.forget_buffer();
                }
                if let Mode::Detecting { tries } = &mut self.mode {
                    *tries += 1;
                    if *tries >= TRIES {
                        self.mode = Mode::Unknown;
                        self.sides.iter_mut().for_each(SideState::forget_buffer);
                    }
                }
            }
        }
        if !matches!(self.mode, Mode::Reading { .. }) {
            self.look(from, bytes);
        }
    }

    /// Counts bytes that nobody recognises; the first ones may tell what they are.
    fn look(&mut self, from: Side, bytes: &[u8]) {
        let unknown = &mut self.sides[from.index()].unknown;
        if *unknown == 0 && self.unread.is_none() {
            let told = unread(self.info.transport, from, bytes);
            self.unread = told.map(|told| Box::new(Told::of(&told)));
        }
        *unknown += bytes.len() as u64;
    }

    fn start_reading(&mut self, protocol: usize, client: Side, shared: &mut Shared) {
        let Some(instance) = shared.protocols.get_mut(protocol) else { return };
        let conn = instance.open(&self.info, client);
        self.sides.iter_mut().for_each(|side| side.unknown = 0);
        self.mode = Mode::Reading { protocol, conn, client };
    }

    /// Reads what was collected on both sides, the older first, then the bytes at hand.
    fn replay(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let first = |side: &SideState| side.marks.front().map(|(_, seen)| (seen.at, seen.frame));
        let [a, b] = &self.sides;
        let order = match (first(a), first(b)) {
            (Some(a), Some(b)) if b < a => [Side::B, Side::A],
            _ => [Side::A, Side::B],
        };
        let held = !self.sides[from.index()].buffer.is_empty();
        for side in order {
            if !self.sides[side.index()].buffer.is_empty() {
                let last = self.sides[side.index()].last.unwrap_or(*seen);
                self.read(side, &last, &[], shared, found);
            }
        }
        if !held {
            self.read(from, seen, bytes, shared, found);
        }
    }

    /// After a handover: what this side has sent before it is for the new reader.
    fn read_held(&mut self, from: Side, shared: &mut Shared, found: &mut dyn Found) {
        let side = &self.sides[from.index()];
        let Some(seen) = side.last.filter(|_| !side.buffer.is_empty()) else { return };
        if let Mode::Detecting { .. } = self.mode
            && let Detection::Found { protocol, client } =
                detect(&mut shared.protocols, &self.info, from, &side.buffer)
        {
            self.start_reading(protocol, client, shared);
        }
        if let Mode::Reading { .. } = self.mode {
            self.read(from, &seen, &[], shared, found);
        }
    }

    /// Reads bytes of a flow whose protocol is known.
    fn read(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        if side.stopped {
            side.position += bytes.len() as u64;
            return;
        }
        if side.buffer.is_empty() {
            let (used, handed) = self.parse(from, seen, bytes, false, shared, found);
            let rest = bytes.get(used..).unwrap_or_default();
            let side = &mut self.sides[from.index()];
            side.position += used as u64;
            if handed {
                self.read_held(from.other(), shared, found);
                self.bytes(from, seen, rest, shared, found);
            } else if !rest.is_empty() {
                side.keep(seen, rest);
            }
            return;
        }
        side.keep(seen, bytes);
        if side.buffer.len() < side.need {
            return;
        }
        let mut buffer = std::mem::take(&mut side.buffer);
        let (used, handed) = self.parse(from, seen, &buffer, true, shared, found);
        let side = &mut self.sides[from.index()];
        side.position += used as u64;
        buffer.drain(..used.min(buffer.len()));
        if handed {
            side.forget_buffer();
            self.read_held(from.other(), shared, found);
            self.bytes(from, seen, &buffer, shared, found);
            return;
        }
        side.buffer = buffer;
        let position = side.position;
        while side.marks.front().is_some_and(|(end, _)| *end <= position) {
            side.marks.pop_front();
        }
        if side.buffer.len() > UNFINISHED {
            shared.lost("message_too_long", 1);
            side.position += side.buffer.len() as u64;
            side.forget_buffer();
            side.lost_sync = true;
        }
    }

    /// Parses as much of the input as can be. Gives how many of its bytes are done with, and
    /// whether what follows is somebody else's.
    fn parse(
        &mut self,
        from: Side,
        seen: &Seen,
        input: &[u8],
        buffered: bool,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) -> (usize, bool) {
        let mut used = 0;
        while let Some(rest) = input.get(used..)
            && !rest.is_empty()
        {
            let Mode::Reading { protocol, conn, .. } = self.mode else { return (used, true) };
            let side = &mut self.sides[from.index()];
            if side.skip > 0 {
                used += side.skip(rest.len());
                if side.skip == 0 {
                    let call = Call { from, seen, used, input, buffered };
                    self.call(&call, shared, found, |protocol, at, _, out| {
                        protocol.skipped(conn, from, at, out);
                    });
                }
                continue;
            }
            if side.lost_sync {
                let Some(instance) = shared.protocols.get_mut(protocol) else { break };
                if !instance.resume(conn, from, rest) {
                    self.unreadable(from, found);
                    let side = &mut self.sides[from.index()];
                    let next = side.next_piece(used, buffered).unwrap_or(input.len());
                    shared.lost("bytes_without_sync", (next - used) as u64);
                    used = next;
                    continue;
                }
                side.lost_sync = false;
            }
            let call = Call { from, seen, used, input, buffered };
            let step = self.call(&call, shared, found, |protocol, at, rest, out| {
                (protocol.parse(conn, from, at, rest, out), out.covered)
            });
            let Some((step, covered)) = step else { break };
            let side = &mut self.sides[from.index()];
            match step {
                Ok(Step::Used(n)) => used += n.get().min(rest.len()),
                Ok(Step::Skip { used: n, skip }) => {
                    used += n.min(rest.len());
                    side.skip = skip.get();
                }
                Ok(Step::Incomplete(more)) => {
                    side.need = rest.len().saturating_add(more.get());
                    return (used, false);
                }
                Ok(Step::Become { used: n, next }) => {
                    used += n.min(rest.len());
                    self.hand_over(next, shared);
                    return (used, true);
                }
                Err(Malformed(what)) => {
                    shared.lost(what, 1);
                    self.unreadable(from, found);
                    let side = &mut self.sides[from.index()];
                    side.lost_sync = true;
                    // The same bytes would only be refused again, and what a message was made of is
                    // not the start of another.
                    let refused = used + covered.min(rest.len()).saturating_sub(1);
                    let next = side.next_piece(refused, buffered).unwrap_or(input.len());
                    shared.lost("bytes_without_sync", (next - used) as u64);
                    used = next;
                }
            }
        }
        (used, false)
    }

    /// Bytes of a stream cannot be read. Those of the server answer what is open, which the next
    /// response that can be read does not.
    fn unreadable(&mut self, from: Side, found: &mut dyn Found) {
        if let Mode::Reading { client, .. } = self.mode
            && from != client
            && self.info.transport == protocol::Transport::Tcp
        {
            self.pairing.responses_lost(found);
        }
    }

    /// Calls the protocol with a [`Writer`] that knows where the bytes were seen, then hands on what
    /// the call gave of flows inside.
    fn call<T>(
        &mut self,
        call: &Call<'_>,
        shared: &mut Shared,
        found: &mut dyn Found,
        f: impl FnOnce(&mut dyn Protocol, protocol::Timestamp, &[u8], &mut Writer<'_>) -> T,
    ) -> Option<T> {
        let Mode::Reading { protocol, .. } = self.mode else { return None };
        let instance = shared.protocols.get_mut(protocol)?;
        let side = &self.sides[call.from.index()];
        let rest = call.input.get(call.used..).unwrap_or_default();
        let mut inner = Vec::new();
        let mut writer = Writer {
            info: &self.info,
            ends: &self.ends,
            protocol: ProtocolIndex(protocol as u8),
            from: call.from,
            pairing: &mut self.pairing,
            exchanges: found,
            marks: call.buffered.then_some(&side.marks),
            seen: *call.seen,
            position: side.position + call.used as u64,
            first_seq: if self.outermost { side.first_seq } else { None },
            input: rest,
            hooks: &mut shared.hooks,
            wants: shared.wants,
            details: shared.details,
            lost: &mut shared.lost,
            inner: &mut inner,
            responses: 0,
            covered: 0,
        };
        let result = f(&mut **instance, protocol::Timestamp(call.seen.at.0), rest, &mut writer);
        for (lane, side, event) in inner {
            self.carry(lane, side, call.seen, event, shared, found);
        }
        Some(result)
    }

    /// An event of a flow inside this one.
    fn carry(
        &mut self,
        lane: u64,
        from: Side,
        seen: &Seen,
        event: Carried,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let place = self.children.iter().position(|(other, _)| *other == lane);
        let place = place.unwrap_or_else(|| {
            let mode = Mode::Detecting { tries: 0 };
            let inside = xxh3_64_with_seed(&lane.to_le_bytes(), self.ends.inside);
            let ends = Ends { inside, ..self.ends };
            self.children.push((lane, Self::with(self.info.clone(), ends, mode, false)));
            self.children.len() - 1
        });
        if self.children.len() > INNER {
            let (_, mut oldest) = self.children.remove(0);
            shared.lost("inner_flows_evicted", 1);
            oldest.finish(State::Evicted, shared, found);
        }
        let place = place.min(self.children.len().saturating_sub(1));
        let Some((_, child)) = self.children.get_mut(place) else { return };
        let before = child.pairing.next_ordinal();
        match event {
            Carried::Bytes(bytes) => child.bytes(from, seen, &bytes, shared, found),
            Carried::Gap(lost) => child.gap(from, seen, lost, shared, found),
            Carried::End => {
                child.closed(from, shared, found);
                child.ended[from.index()] = true;
            }
        }
        child.tell_opened(before, found);
        if child.ended == [true; 2] {
            child.finish(State::Closed, shared, found);
            self.children.remove(place);
        }
    }

    /// The flow is somebody else's from here on.
    fn hand_over(&mut self, next: Handoff, shared: &mut Shared) {
        let Mode::Reading { protocol, conn, client } = self.mode else { return };
        self.handed_over += 1;
        for side in &mut self.sides {
            (side.skip, side.need, side.lost_sync, side.stopped) = (0, 0, false, false);
        }
        let forget = |shared: &mut Shared| {
            if let Some(instance) = shared.protocols.get_mut(protocol) {
                instance.forget(conn);
            }
        };
        let named = |shared: &Shared, name| shared.protocols.iter().position(|p| p.name() == name);
        match next {
            _ if self.handed_over > HANDOVERS => {
                forget(shared);
                self.mode = Mode::Unknown;
            }
            Handoff::Detect => {
                forget(shared);
                self.mode = Mode::Detecting { tries: 0 };
            }
            Handoff::To(name) => {
                forget(shared);
                match named(shared, name) {
                    Some(protocol) => self.start_reading(protocol, client, shared),
                    None => self.mode = Mode::Unknown,
                }
            }
            Handoff::Beneath(name) => {
                let Some(layer) = named(shared, name) else {
                    forget(shared);
                    self.mode = Mode::Unknown;
                    return;
                };
                // The present parser goes on, with its state and open exchanges, inside the layer.
                let outermost = self.outermost;
                let below = Self::with(self.info.clone(), self.ends, self.mode, outermost);
                let mut above = std::mem::replace(self, below);
                above.outermost = false;
                for (side, upper) in self.sides.iter_mut().zip(&mut above.sides) {
                    side.position = upper.position;
                    side.first_seq = upper.first_seq;
                    side.last = upper.last;
                    std::mem::swap(&mut side.buffer, &mut upper.buffer);
                    std::mem::swap(&mut side.marks, &mut upper.marks);
                }
                self.handed_over = above.handed_over;
                self.children.push((0, above));
                self.start_reading(layer, client, shared);
            }
        }
    }

    fn gap(
        &mut self,
        from: Side,
        seen: &Seen,
        lost: NonZeroU64,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let (conn, client) = match self.mode {
            Mode::Reading { conn, client, .. } => (conn, client),
            Mode::Detecting { .. } | Mode::Unknown => {
                side.position += side.buffer.len() as u64 + lost.get();
                side.forget_buffer();
                return;
            }
        };
        let mut lost = lost.get();
        if side.skip > 0 && side.buffer.is_empty() {
            let skipped = side.skip.min(lost);
            side.position += skipped;
            if side.skip != u64::MAX {
                side.skip -= skipped;
            }
            lost -= skipped;
            if side.skip == 0 {
                let call = Call { from, seen, used: 0, input: &[], buffered: false };
                self.call(&call, shared, found, |protocol, at, _, out| {
                    protocol.skipped(conn, from, at, out);
                });
            }
        }
        let Some(rest) = NonZeroU64::new(lost) else { return };
        let side = &mut self.sides[from.index()];
        if side.stopped || side.lost_sync {
            side.position += side.buffer.len() as u64 + rest.get();
            side.forget_buffer();
            // What was open may have been answered in this gap, as in one before it.
            self.unreadable(from, found);
            return;
        }
        let head = std::mem::take(&mut side.buffer);
        let call = Call { from, seen, used: 0, input: &head, buffered: !head.is_empty() };
        let after = self.call(&call, shared, found, |protocol, _, head, out| {
            (protocol.gap(conn, from, head, rest, out), out.responses)
        });
        let side = &mut self.sides[from.index()];
        side.position += head.len() as u64 + rest.get();
        side.forget_buffer();
        let Some((after, responses)) = after else { return };
        match after {
            AfterGap::Continue => {}
            AfterGap::Resync => side.lost_sync = true,
            AfterGap::Stop => side.stopped = true,
        }
        if after != AfterGap::Continue && from != client && responses == 0 {
            self.pairing.responses_lost(found);
        }
    }

    /// This side sends nothing more.
    fn closed(&mut self, from: Side, shared: &mut Shared, found: &mut dyn Found) {
        let Mode::Reading { conn, .. } = self.mode else { return };
        let side = &mut self.sides[from.index()];
        if side.closed {
            return;
        }
        side.closed = true;
        let Some(seen) = side.last else { return };
        let head = std::mem::take(&mut side.buffer);
        let call = Call { from, seen: &seen, used: 0, input: &head, buffered: !head.is_empty() };
        self.call(&call, shared, found, |protocol, _, head, out| {
            protocol.end(conn, from, head, out);
        });
        let side = &mut self.sides[from.index()];
        side.position += head.len() as u64;
        side.forget_buffer();
        for (_, child) in &mut self.children {
            child.closed(from, shared, found);
        }
    }

    fn end(&mut self, flow: &Flow, ending: Ending, shared: &mut Shared, found: &mut dyn Found) {
        let one_sided = flow.seen_sides.contains(&false);
        let state = match ending {
            _ if one_sided => State::OneSided,
            Ending::Finished => State::Closed,
            Ending::Reset(_) => State::Reset,
            Ending::Refused => State::Refused,
            Ending::Unanswered => State::Unanswered,
            Ending::Idle | Ending::CaptureEnd | Ending::Replaced => State::Open,
            Ending::Evicted => State::Evicted,
        };
        self.finish(state, shared, found);
    }

    fn finish(&mut self, state: State, shared: &mut Shared, found: &mut dyn Found) {
        self.closed(Side::A, shared, found);
        self.closed(Side::B, shared, found);
        self.pairing.end(state, found);
        if let Mode::Reading { protocol, conn, .. } = self.mode {
            if let Some(instance) = shared.protocols.get_mut(protocol) {
                instance.forget(conn);
            }
            self.mode = Mode::Unknown;
        }
        for (_, child) in &mut self.children {
            child.finish(state, shared, found);
        }
    }
}

impl SideState {
    /// Keeps bytes for later.
    fn keep(&mut self, seen: &Seen, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        self.marks.push_back((self.position + self.buffer.len() as u64, *seen));
    }

    fn forget_buffer(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > SPARE {
            self.buffer = Vec::new();
        }
        self.marks.clear();
        self.need = 0;
    }

    /// Takes bytes off the skip; gives how many.
    fn skip(&mut self, available: usize) -> usize {
        let skipped = self.skip.min(available as u64);
        if self.skip != u64::MAX {
            self.skip -= skipped;
        }
        skipped as usize
    }

    /// Where the next packet begins in the buffer.
    fn next_piece(&self, used: usize, buffered: bool) -> Option<usize> {
        if !buffered {
            return None;
        }
        let at = self.position + used as u64;
        let (end, _) = self.marks.iter().find(|(end, _)| *end > at)?;
        usize::try_from(end - self.position).ok()
    }
}

/// One call of a protocol.
struct Call<'a> {
    from: Side,
    seen: &'a Seen,
    /// Bytes of the input that are done with.
    used: usize,
    input: &'a [u8],
    /// Whether the input is the side's buffer, or else the bytes of `seen` alone.
    buffered: bool,
}

/// The parsers' word for a side.
fn convert(side: wirespan_capture::stream::Side) -> Side {
    match side {
        wirespan_capture::stream::Side::A => Side::A,
        wirespan_capture::stream::Side::B => Side::B,
    }
}

/// Bytes of one side that are kept while nobody is sure whose they are.
pub const UNDECIDED: usize = 16 << 10;
/// Pieces of a flow that are looked at before it counts as unknown.
pub const TRIES: u32 = 32;
/// Bytes of an unfinished message that are kept.
pub const UNFINISHED: usize = 1 << 20;
/// Flows inside one flow at a time.
pub const INNER: usize = 1024;
/// Bytes that what is known of one packet of a buffer takes.
const MARK: usize = size_of::<(u64, Seen)>();
/// How often one flow may become another protocol.
const HANDOVERS: u32 = 16;
/// A buffer that has grown beyond this is given back when it is empty.
const SPARE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{ExchangeId, RESOURCE};
    use crate::pairing::Exchanges;
    use std::net::SocketAddr;
    use wirespan_capture::packet::{Frame, NetworkId, TapId};
    use wirespan_capture::stream::{PointId, Side};
    use wirespan_parsers::registry::PROTOCOLS;

    #[derive(Default)]
    struct Done {
        ids: u64,
        lines: Vec<String>,
        full: bool,
    }

    impl Exchanges for Done {
        fn id(&mut self) -> ExchangeId {
            self.ids += 1;
            ExchangeId { shard: 0, serial: self.ids }
        }

        fn done(&mut self, exchange: Box<Exchange>) {
            let path = exchange.text.text(RESOURCE).unwrap_or_default();
            let path = String::from_utf8_lossy(path).into_owned();
            self.lines.push(format!("{path} {} {}", exchange.state.name(), exchange.code));
        }

        fn evicted(&mut self) {}

        fn unpaired(&mut self) {}

        fn full(&self) -> bool {
            self.full
        }
    }

    impl Found for Done {
        fn opened(&mut self, _exchange: &Exchange) {}
    }

    fn check(pieces: &[(Side, &[u8])], expected: &[&str]) {
        check_limits(Done::default(), usize::MAX, pieces, expected);
    }

    /// So many lost bytes stand as zeros.
    fn check_limits(mut done: Done, keep: usize, pieces: &[(Side, &[u8])], expected: &[&str]) {
        let addresses = [40_000, 80].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let flow = Flow {
            slot: 0,
            birth: 0,
            network: NetworkId(0),
            point: PointId::at(wirespan_capture::packet::TapId(0)),
            transport: Transport::Tcp,
            addresses,
            opener: None,
            syn: None,
            established: None,
            first_seq: [None; 2],
            seen_sides: [true; 2],
            retransmissions: [0; 2],
        };
        let mut seen = Seen {
            at: Timestamp(0),
            tap: TapId(0),
            frame: Frame::default(),
            ack: 0,
            tsval: 0,
            ip_id: 0,
            ttl: 64,
            task: None,
        };
        let protocols = PROTOCOLS.iter().map(|make| make()).collect();
        let mut shared = Shared::new(protocols, Vec::new()).keeping_at_most(keep);
        let mut decoder = FlowDecoder::new(&flow);
        for (from, bytes) in pieces {
            seen.at = seen.at.plus(1);
            let event = match NonZeroU64::new(bytes.len() as u64) {
                Some(lost) if bytes.iter().all(|byte| *byte == 0) => {
                    StreamEvent::Gap { offset: 0, lost }
                }
                _ => StreamEvent::Bytes { offset: 0, bytes },
            };
            decoder.event(&flow, *from, &seen, event, &mut shared, &mut done);
        }
        let end = StreamEvent::End(Ending::Finished);
        decoder.event(&flow, Side::A, &seen, end, &mut shared, &mut done);
        assert_eq!(done.lines, expected);
    }

    #[test]
    fn bytes_that_cannot_be_read_answer_what_was_asked() {
        // The head of the first response was not captured.
        check(
            &[
                (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
                (Side::B, b"rest of a body"),
                (Side::B, b"more of it"),
                (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
                (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
            ],
            &["/1 response_lost 0", "/2 complete 204"],
        );
    }

    #[test]
    fn flow_gives_up_its_oldest_request_where_too_many_are_open_on_all() {
        let full = Done { full: true, ..Done::default() };
        let request: &[u8] = b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
        check_limits(full, usize::MAX, &[(Side::A, request)], &["/1 evicted 0", "/2 closed 0"]);
    }

    #[test]
    fn unfinished_message_is_given_up_where_all_flows_keep_too_much() {
        let pieces: &[(Side, &[u8])] = &[
            (Side::A, b"GET /1 HTTP/1.1\r\nX: "),
            (Side::A, b"y\r\n\r\n"),
            (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
        ];
        // What there is of it is used; the rest of its head is not taken for another message.
        check_limits(Done::default(), 10, pieces, &["/1 closed 0", "/2 closed 0"]);
    }

    #[test]
    fn gap_after_a_gap_gives_up_what_was_asked_in_between() {
        let lost: &[u8] = &[0; 100];
        check(
            &[
                (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
                (Side::B, lost),
                (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
                (Side::B, lost),
                (Side::A, b"GET /3 HTTP/1.1\r\n\r\n"),
                (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
            ],
            &["/1 response_lost 0", "/2 response_lost 0", "/3 complete 204"],
        );
    }

    #[test]
    fn gap_gives_up_what_is_answered_in_order_only() {
        check(
            &[
                (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
                (Side::B, b"\0\0\0"),
                (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
                (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
            ],
            &["/1 response_lost 0", "/2 complete 204"],
        );
        // DNS, whose ids tell which of two queries the answer belongs to.
        check(
            &[
                (Side::A, b"\0\x13\0a\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"),
                (Side::A, b"\0\x13\0b\x01\0\0\x01\0\0\0\0\0\0\x01b\0\0\x01\0\x01"),
                (Side::B, b"\0\0\0"),
                (Side::B, b"\0\x13\0b\x81\x83\0\x01\0\0\0\0\0\0\x01b\0\0\x01\0\x01"),
            ],
            &["b complete 3", "a closed 0"],
        );
    }

    #[test]
    fn head_over_the_limit_is_one_request_however_it_is_cut() {
        let head = [&b"GET /1 HTTP/1.1\r\nX: "[..], &[b'x'; 70_000], b"\r\n\r\n"].concat();
        for size in [1, 2, 17, 1_400] {
            let mut pieces: Vec<(Side, &[u8])> =
                head.chunks(size).map(|piece| (Side::A, piece)).collect();
            pieces.extend([
                (Side::B, &b"HTTP/1.1 204 No Content\r\n\r\n"[..]),
                (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
                (Side::B, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            ]);
            check(&pieces, &["/1 complete 204", "/2 complete 404"]);
        }
    }

    #[test]
    fn answer_tells_that_an_odd_line_was_a_request() {
        check(
            &[(Side::A, b"GET/ HTTP/1.1\r\n\r\n"), (Side::B, b"HTTP/1.0 400 Bad Request\r\n\r\n")],
            &[" complete 400"],
        );
    }
}
