//! One flow: stream events in, messages to pairing out. Detects the protocol, drives its parser,
//! survives gaps, and follows a flow that becomes another protocol or carries others inside.

mod side;
mod detection;
mod inside;

use crate::decoder::detection::Hello;
use crate::decoder::side::SideState;
use crate::exchange::{Exchange, Resent, State};
use crate::losses::Missed;
use crate::pairing::{Ends, Exchanges, Pairing};
use crate::spoken::Spoken;
use crate::unknown::Told;
use crate::writer::Writer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::{Ending, Flow, Seen, StreamEvent, Transport};
use wirespan_parsers::detect::{Detection, detect};
use wirespan_parsers::handed::Handed;
use wirespan_parsers::message::Side;
use wirespan_parsers::protocol::{self, AfterGap, Conn, FlowInfo, Hook, Malformed, Protocol, Step};

/// What the decoders of a shard share.
pub struct Shared {
    /// The protocols, in the order in which they are asked.
    pub protocols: Vec<Box<dyn Protocol>>,
    /// Who sees each message as it opens.
    pub hooks: Vec<Box<dyn Hook>>,
    /// What could not be used, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// What each of the protocols is called.
    spoken: Spoken,
    /// How many body bytes the hooks want.
    wants: usize,
    /// Whether all is wanted that messages say.
    details: bool,
    /// Bodies and details are left out at present.
    pub hasty: bool,
    /// Bytes of unfinished messages that all flows keep, and how many they may.
    kept: usize,
    may_keep: usize,
}

impl Shared {
    /// For these protocols and hooks.
    pub fn new(protocols: Vec<Box<dyn Protocol>>, hooks: Vec<Box<dyn Hook>>) -> Self {
        let wants = hooks.iter().map(|hook| hook.wants()).max().unwrap_or_default();
        Self {
            spoken: Spoken::of(&protocols),
            protocols,
            hooks,
            lost: BTreeMap::new(),
            wants,
            details: false,
            hasty: false,
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

    /// A request was lost, or goes on to be answered.
    fn missed(&mut self, missed: Missed);

    /// A client of TLS asked this server for a name.
    fn named(&mut self, network: NetworkId, server: SocketAddr, name: &str);
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
    /// When its last packet with bytes came, before the present one.
    before: Option<Timestamp>,
    /// Since when a request is missing that is not answered yet.
    missing: Option<Timestamp>,
    handed_over: u32,
    /// What it is told as it becomes something else.
    next: Option<Box<Handed>>,
    /// Whether bytes lie on a TCP stream itself, so that they have sequence numbers.
    outermost: bool,
    /// What it speaks that nobody reads.
    unread: Option<Box<Told>>,
    /// What of a ClientHello has come.
    hello: Option<Box<Hello>>,
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

impl FlowDecoder {
    /// A flow that has just begun.
    pub fn new(flow: &Flow) -> Self {
        let transport = match flow.transport {
            Transport::Tcp => protocol::Transport::Tcp,
            Transport::Udp => protocol::Transport::Udp,
        };
        let info = FlowInfo {
            transport,
            addresses: flow.addresses,
            opener: flow.opener.map(convert),
            handed: None,
        };
        let ends = Ends {
            network: flow.network,
            point: flow.point,
            transport: flow.transport,
            addresses: flow.addresses,
            opened: flow.syn,
            round_trip: flow.round_trip,
            inside: 0,
            client: None,
            remembers: false,
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
            before: None,
            missing: None,
            handed_over: 0,
            next: None,
            outermost,
            unread: None,
            hello: None,
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
        self.ends.opened = self.ends.opened.or(flow.syn);
        self.ends.round_trip = flow.round_trip;
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
            StreamEvent::Again { offset, missed } => {
                self.again(side, seen, offset, missed, found);
            }
            StreamEvent::Closed => self.closed(side, shared, found),
            StreamEvent::End(ending) => self.end(flow, ending, shared, found),
        }
        self.find_resent(side, found);
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
        let hello = self.hello.as_ref().map_or(0, |hello| hello.kept());
        hello
            + own.sum::<usize>()
            + self.children.iter().map(|(_, child)| child.kept()).sum::<usize>()
    }

    /// Gives up unfinished messages, since all flows together keep too much: as at a gap, so that
    /// what there is of them can be used.
    fn give_up_unfinished(&mut self, seen: &Seen, shared: &mut Shared, found: &mut dyn Found) {
        if self.hello.take().is_some() {
            shared.lost("unfinished_messages_evicted", 1);
        }
        for from in [Side::A, Side::B] {
            if !self.sides[from.index()].buffer.is_empty() {
                shared.lost("unfinished_messages_evicted", 1);
                self.break_off(from, seen, 0, shared, found);
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

    /// Bytes came again, or late. What has been read is told at once, as other bytes that wait may
    /// be of another message.
    fn again(
        &mut self,
        from: Side,
        seen: &Seen,
        offset: u64,
        missed: Option<Timestamp>,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let Some(since) = missed.or_else(|| side.last.map(|last| last.at)) else { return };
        let resent = Resent { segments: 1, stalled: seen.at.0.saturating_sub(since.0).max(0) };
        if offset < side.position {
            self.pairing.resent_at(from, offset, resent, found);
            return;
        }
        let waits = side.resent.get_or_insert_with(|| Box::new((offset, Resent::default())));
        waits.0 = waits.0.min(offset);
        waits.1 = waits.1.and(resent);
    }

    /// Tells of what came again which message it is of, once its bytes were read.
    fn find_resent(&mut self, from: Side, found: &mut dyn Found) {
        let side = &mut self.sides[from.index()];
        let position = side.position;
        if let Some(waits) = side.resent.take_if(|waits| waits.0 < position) {
            self.pairing.resent_at(from, waits.0, waits.1, found);
        }
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
        let last = self.sides.iter().filter_map(|side| Some(side.last?.at)).max();
        if last != Some(seen.at) {
            self.before = last;
        }
        self.sides[from.index()].last = Some(*seen);
        match self.mode {
            Mode::Reading { .. } => self.read(from, seen, bytes, shared, found),
            Mode::Detecting { .. } => self.detect(from, seen, bytes, shared, found),
            Mode::Unknown => {
                self.sides[from.index()].position += bytes.len() as u64;
                self.look(from, bytes, shared, found);
            }
        }
    }

    /// A request of this side may have been lost before this packet.
    fn miss(&mut self, client: Side, seen: &Seen, found: &mut dyn Found) {
        let last = self.sides.iter().filter_map(|side| Some(side.last?.at));
        let before = last.filter(|at| *at < seen.at).max();
        let before = before.or(self.before).or_else(|| self.ends.opened.map(|opened| opened.at));
        let longest = self
            .pairing
            .slowest()
            .map_or(LONGEST, |slowest| slowest.saturating_mul(SLOWER).clamp(SHORTEST, LONGEST));
        let earliest = seen.at.plus(-longest);
        let since = before.map_or(earliest, |before| before.max(earliest));
        self.missing.get_or_insert(since);
        self.still_missing(client, seen, found);
    }

    /// A request that was lost is open, or being answered.
    fn still_missing(&self, client: Side, seen: &Seen, found: &mut dyn Found) {
        let Some(from) = self.missing else { return };
        let [a, b] = self.ends.addresses;
        let (client, server) = if client == Side::A { (a, b) } else { (b, a) };
        let Ends { network, point, .. } = self.ends;
        found.missed(Missed { network, point, client, server, from, to: seen.at });
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
                    self.look(from, bytes, shared, found);
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

    /// Reads bytes of a flow whose protocol is known.
    fn read(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let client = self.client();
        if let Some(client) = client {
            if from != client {
                self.pairing.hears(seen);
                self.still_missing(client, seen, found);
            } else {
                // Its client asks again, when it has its answer.
                self.missing = None;
            }
        }
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
                let place = instance.find(conn, from, rest).filter(|place| *place < rest.len());
                side.lost_sync = place.is_none();
                if place != Some(0) {
                    self.unreadable(from, seen, found);
                    let side = &mut self.sides[from.index()];
                    let next = match place {
                        Some(place) => used + place,
                        None => side.next_piece(used, buffered).unwrap_or(input.len()),
                    };
                    shared.lost("bytes_without_sync", (next - used) as u64);
                    used = next;
                    continue;
                }
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
                    self.unreadable(from, seen, found);
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
    /// response that can be read does not; those of the client may ask for an answer.
    fn unreadable(&mut self, from: Side, seen: &Seen, found: &mut dyn Found) {
        if let Mode::Reading { client, .. } = self.mode
            && self.info.transport == protocol::Transport::Tcp
        {
            if from == client {
                self.pairing.requests_lost(seen.at);
            } else {
                self.pairing.responses_lost(seen.at, found);
            }
        }
    }

    /// Calls the protocol with a [`Writer`] that knows where the bytes were seen, then hands on
    /// what the call gave of flows inside.
    fn call<T>(
        &mut self,
        call: &Call<'_>,
        shared: &mut Shared,
        found: &mut dyn Found,
        f: impl FnOnce(&mut dyn Protocol, protocol::Timestamp, &[u8], &mut Writer<'_>) -> T,
    ) -> Option<T> {
        let Mode::Reading { protocol, .. } = self.mode else { return None };
        let instance = shared.protocols.get_mut(protocol)?;
        self.ends.remembers = instance.remembers();
        let resent = self.sides[call.from.index()].resent.take();
        let side = &self.sides[call.from.index()];
        let rest = call.input.get(call.used..).unwrap_or_default();
        let mut inner = Vec::new();
        let mut next = None;
        let mut writer = Writer {
            info: &self.info,
            ends: &self.ends,
            spoken: shared.spoken.by(protocol),
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
            hasty: shared.hasty,
            lost: &mut shared.lost,
            inner: &mut inner,
            next: &mut next,
            responses: 0,
            covered: 0,
            resent,
        };
        let result = f(&mut **instance, protocol::Timestamp(call.seen.at.0), rest, &mut writer);
        self.sides[call.from.index()].resent = writer.resent;
        self.next = next.or_else(|| self.next.take());
        if self.pairing.take_stray()
            && self.info.transport == protocol::Transport::Tcp
            && self.missing.is_none()
        {
            self.miss(call.from.other(), call.seen, found);
        }
        for (lane, side, event) in inner {
            self.carry(lane, side, call.seen, event, shared, found);
        }
        Some(result)
    }

    fn gap(
        &mut self,
        from: Side,
        seen: &Seen,
        lost: NonZeroU64,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let mut lost = lost.get();
        self.end_hello(from, found);
        if let Mode::Reading { conn, client, .. } = self.mode {
            if from != client {
                self.pairing.misses();
            }
            let side = &mut self.sides[from.index()];
            if side.skip > 0 && side.buffer.is_empty() {
                let skipped = side.skip.min(lost);
                self.pairing.lost_at(from, side.position, skipped);
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
        }
        if lost > 0 {
            let client = self.client().or(self.info.opener);
            if client == Some(from) && self.info.transport == protocol::Transport::Tcp {
                self.miss(from, seen, found);
            }
            self.break_off(from, seen, lost, shared, found);
        }
    }

    /// The side that asks, if it is known.
    fn client(&self) -> Option<Side> {
        match self.mode {
            Mode::Reading { client, .. } => Some(client),
            Mode::Detecting { .. } | Mode::Unknown => None,
        }
    }

    /// What waits of a side is not continued, since so many bytes behind it are lost, or none.
    fn break_off(
        &mut self,
        from: Side,
        seen: &Seen,
        lost: u64,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let reading = match self.mode {
            Mode::Reading { conn, client, .. } => Some((conn, client)),
            Mode::Detecting { .. } | Mode::Unknown => None,
        };
        let Some((conn, client)) = reading.filter(|_| !side.stopped && !side.lost_sync) else {
            side.position += side.buffer.len() as u64 + lost;
            side.forget_buffer();
            // What was open may have been answered in this gap, as in one before it.
            self.unreadable(from, seen, found);
            return;
        };
        let head = std::mem::take(&mut side.buffer);
        let call = Call { from, seen, used: 0, input: &head, buffered: !head.is_empty() };
        let after = self.call(&call, shared, found, |protocol, _, head, out| {
            (protocol.gap(conn, from, head, lost, out), out.responses)
        });
        let side = &mut self.sides[from.index()];
        side.position += head.len() as u64 + lost;
        side.forget_buffer();
        let Some((after, responses)) = after else { return };
        match after {
            AfterGap::Continue => return,
            AfterGap::Beginning => {}
            AfterGap::Resync => side.lost_sync = true,
            AfterGap::Stop => side.stopped = true,
        }
        if from == client {
            self.pairing.requests_lost(seen.at);
        } else if responses == 0 {
            self.pairing.responses_lost(seen.at, found);
        } else {
            self.pairing.later_responses_lost(seen.at);
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
        self.end_hello(Side::A, found);
        self.end_hello(Side::B, found);
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

/// Bytes of an unfinished message that are kept.
pub const UNFINISHED: usize = 1 << 20;
/// Nanoseconds before its answer, at least and at most, within which a request that was lost was
/// sent; and how much slower than others of its connection its answer may be.
const SHORTEST: i64 = 10_000_000;
const LONGEST: i64 = 1_000_000_000;
const SLOWER: i64 = 4;
/// Bytes that what is known of one packet of a buffer takes.
const MARK: usize = size_of::<(u64, Seen)>();

#[cfg(test)]
mod tests;
