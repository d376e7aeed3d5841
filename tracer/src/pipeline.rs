//! The only module that knows every stage: batches, shards, threads.
//!
//! Three stages work at a time, each on a batch of its own:
//!
//! ```text
//!  batch n+2: read, decode, cut into shards by flow
//!  batch n+1: each shard reassembles, decodes and pairs            (as many threads as there are)
//!  batch n:   exchanges of all shards, in one order, join and settle
//! ```
//!
//! The number of shards is fixed, and nothing depends on where a batch ends, so that threads and
//! batches never change the output.

use crate::config::Config;
use crate::decoder::{FlowDecoder, Found, Shared};
use crate::exchange::{
    Exchange, ExchangeId, Half, Mark, OPERATION, Processes, ProtocolIndex, Resent, Sort, State,
    Text, Turns,
};
use crate::given::GivenNames;
use crate::join::window::Opened;
use crate::joining::{Joining, News, Outcomes, TapInterfaces};
use crate::load::Shed;
use crate::losses::{Missed, ShedLoss, Touched};
use crate::names::captured::CapturedNames;
use crate::network;
use crate::numbers::grouped;
use crate::pairing::Exchanges;
use crate::points::Points;
use crate::portions::Portions;
use crate::processes::{Asking, Told as ToldOwner};
use crate::resent::Part;
use crate::span::SpanSink;
use crate::spoken;
use crate::summary::{Summary, add};
use crate::unknown::Unknowns;
use crate::vitals::{REQUESTS_EVICTED, Vitals};
use rayon::prelude::*;
use std::io;
use std::net::SocketAddr;
use wirespan_capture::counters::Counters;
use wirespan_capture::decode::{Decoder, Segment, Tap};
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::flow::FlowTable;
use wirespan_capture::owner::Owner;
use wirespan_capture::packet::{
    AddressName, Batch, InterfaceId, Loss, NetworkId, OwnerOf, TapId, Timestamp,
};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::{Fill, PacketSource};
use wirespan_capture::stream::{Cause, Ending, Flow, PointId, Seen, Side, StreamEvent, StreamSink};
use wirespan_parsers::message::{Attribute, Outcome, Value};

/// What the pipeline asks of its surroundings.
pub trait Surroundings: Send {
    /// Leaves only the packets that are wanted.
    fn filter(&mut self, batch: &mut Batch);

    /// Taps that are new, by name, in the order of their numbers. There may be tens of thousands,
    /// a few in each batch.
    fn taps(&mut self, names: Vec<String>);

    /// Networks that are new, by name, in the order of their numbers.
    fn networks(&mut self, names: Vec<String>);

    /// Who asks for the owners of sockets, where packets are captured on their host.
    fn asking(&mut self) -> Option<&mut Asking> {
        None
    }

    /// Sees each batch as it is used, with what is known of sockets.
    fn used(&mut self, _batch: &Batch, _interfaces: &Interfaces) {}

    /// What to leave out; asked before each batch.
    fn shed(&mut self) -> Shed {
        Shed::NOTHING
    }

    /// Called after each batch, with the number of packets so far; false stops the reading.
    fn go_on(&mut self, packets: u64) -> bool;

    /// Whether a snapshot of the run is wanted now; asked after each batch. Where it is not, none
    /// is made, and that costs nothing.
    fn wants_vitals(&mut self) -> bool {
        false
    }

    /// The snapshot that was wanted. It lacks what only a live source knows.
    fn vitals(&mut self, _vitals: Vitals) {}
}

/// Reads a source to its end and gives all traces to a sink.
pub fn run(
    source: &mut dyn PacketSource,
    surroundings: &mut dyn Surroundings,
    config: &Config,
    sink: &mut (dyn SpanSink + Send),
) -> Outcomes {
    let mut portions = Portions::new(source, config.portion);
    let mut reader = Reader {
        source: &mut portions,
        surroundings,
        decoder: Decoder::with_points(config.points.clone()),
        taps: 0,
        networks: 0,
        lossy: false,
        names: CapturedNames::default(),
        taps_told: 0,
        ended: false,
        stopped: false,
        error: None,
    };
    let mut shards: Vec<Shard> = (0..SHARDS).map(|number| Shard::new(number, config)).collect();
    let protocols = shards.first().map_or_else(Vec::new, Shard::protocols);
    let mut joining = Joining::new(config.window, protocols, sink).naming(config.names.clone());
    joining.clocks(&config.clocks);
    let mut ahead = Work::default();
    let mut present = Work::default();
    // What the shards told of the batch before, where it was not joined yet.
    let mut behind: Option<Told> = None;
    let mut spare: Vec<Vec<Event>> = Vec::new();
    reader.read(&mut ahead);
    loop {
        std::mem::swap(&mut ahead, &mut present);
        let last = present.last;
        if present.is_small() {
            // Waking other threads would cost more than they could do, and somebody waits.
            if let Some(mut told) = behind.take() {
                told.join(&mut joining);
                spare = told.events;
            }
            let mut told = present.pass(&mut shards, &mut spare);
            told.join(&mut joining);
            spare = told.events;
            if !last {
                reader.read(&mut ahead);
            }
        } else {
            let (told, ()) = rayon::join(
                || present.pass(&mut shards, &mut spare),
                || {
                    rayon::join(
                        || {
                            if !last {
                                reader.read(&mut ahead);
                            }
                        },
                        || {
                            if let Some(told) = &mut behind {
                                told.join(&mut joining);
                            }
                        },
                    );
                },
            );
            // The lists of events that were taken serve again.
            spare = behind.replace(told).map(|told| told.events).unwrap_or_default();
        }
        // Here no stage is at work, so that all can be looked at.
        if reader.surroundings.wants_vitals() {
            let vitals = vitals(&reader, &shards, &joining);
            reader.surroundings.vitals(vitals);
        }
        if joining.failed() {
            reader.stopped = true;
        }
        if last || joining.failed() {
            break;
        }
    }
    if let Some(told) = &mut behind {
        told.join(&mut joining);
    }
    let (mut summary, mut numbers, sink_error) =
        joining.finish(&|interface| reader.interface_name(interface));
    reader.decoder.finish();
    let mut counters = reader.decoder.counters;
    let mut unknown = Unknowns::default();
    for shard in &shards {
        shard.count(&mut counters, &mut summary);
        unknown.merge(&shard.sink.unknown);
    }
    summary.counters(&counters);
    summary.unread = unknown.servers();
    summary.unknown_ports = unknown.ports();
    let tables = shards.iter().map(|shard| shard.table.places());
    let taps = reader.tap_names(0);
    let points = Points::learned(&reader.decoder, &taps, tables, &mut numbers);
    summary.points = points.list.len();
    (summary.point_list, summary.apart) = (points.list, points.apart);
    summary.remarks.extend(points.remarks);
    summary.remarks.extend(config.clock_remarks.iter().cloned());
    summary.remarks.extend(reader.clocks_apart());
    // Of what was not read to its end, nobody knows.
    let is_whole = !reader.stopped && reader.error.is_none() && sink_error.is_none();
    if is_whole && summary.spans > 0 {
        summary.remarks.extend(config.names.unused());
    }
    let reached = reader.decoder.now();
    Outcomes { summary, reached, stopped: reader.stopped, source_error: reader.error, sink_error }
}

/// What all stages have done so far.
fn vitals(reader: &Reader<'_>, shards: &[Shard], joining: &Joining<'_>) -> Vitals {
    let reached = Some(reader.decoder.now()).filter(|now| *now > Timestamp::default());
    let mut vitals = Vitals { reached, counters: reader.decoder.counters, ..Vitals::default() };
    for shard in shards {
        shard.tell(&mut vitals);
    }
    joining.tell(&mut vitals);
    vitals
}

/// A batch, decoded and cut into shards.
#[derive(Default)]
struct Work {
    batch: Batch,
    segments: Vec<Vec<Segment>>,
    /// Whose sockets are at the ends of its packets, and what it calls addresses.
    owners: Vec<Event>,
    /// Packet time at its end.
    until: Timestamp,
    /// Numbers that stand for the networks that are new in derived ids.
    networks: Vec<u64>,
    /// Somebody waits for what is found in it.
    live: bool,
    /// Where the taps are of which that was not told yet, where something was lost.
    interfaces: Vec<TapInterfaces>,
    /// What is left out of it, and what that comes to.
    shed: Shed,
    shed_loss: Option<ShedLoss>,
    /// Nothing comes after it.
    last: bool,
}

impl Work {
    /// Whether one thread does it sooner than several: few packets have come, as they are captured.
    fn is_small(&self) -> bool {
        self.live && self.batch.packets.len() <= SMALL
    }

    /// Lets each shard do its part; gives what they tell, in lists that are taken from `spare`.
    fn pass(&mut self, shards: &mut [Shard], spare: &mut Vec<Vec<Event>>) -> Told {
        let (buffer, until, shed, last) = (&self.batch.buffer, self.until, self.shed, self.last);
        let work = |(shard, segments): (&mut Shard, &mut Vec<Segment>)| {
            shard.work(segments, buffer, until, shed, last);
        };
        if self.is_small() {
            shards.iter_mut().zip(&mut self.segments).for_each(work);
        } else {
            shards.par_iter_mut().zip(self.segments.par_iter_mut()).for_each(work);
        }
        Told {
            // What is known of a packet's sockets comes before what is in it.
            events: std::iter::once(&mut self.owners)
                .chain(shards.iter_mut().map(|shard| &mut shard.sink.found.events))
                .map(|events| std::mem::replace(events, spare.pop().unwrap_or_default()))
                .collect(),
            until,
            live: self.live,
            networks: std::mem::take(&mut self.networks),
            interfaces: std::mem::take(&mut self.interfaces),
            losses: std::mem::take(&mut self.batch.losses),
            shed: self.shed_loss.take(),
            relief: shed.relief,
        }
    }
}

/// Reads, filters and decodes.
struct Reader<'a> {
    source: &'a mut dyn PacketSource,
    surroundings: &'a mut dyn Surroundings,
    decoder: Decoder,
    taps: usize,
    networks: usize,
    /// Whether the capture has lost anything.
    lossy: bool,
    /// What the capture calls addresses, and was not told yet.
    names: CapturedNames,
    /// Taps of which it was told on which interfaces they are.
    taps_told: usize,
    ended: bool,
    stopped: bool,
    error: Option<io::Error>,
}

impl Reader<'_> {
    fn read(&mut self, work: &mut Work) {
        work.segments.resize_with(SHARDS, Vec::new);
        work.segments.iter_mut().for_each(Vec::clear);
        work.owners.clear();
        work.shed = self.surroundings.shed();
        let from = self.decoder.now();
        if !self.ended {
            match self.source.fill(&mut work.batch) {
                Ok(Fill::More) => {}
                Ok(Fill::Idle(now)) => self.decoder.advance(now),
                Ok(Fill::End) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.error = Some(error);
                }
            }
        }
        self.decoder.name_interfaces(self.source.interfaces());
        let read = work.batch.packets.len();
        let bytes = wire_bytes(&work.batch);
        self.surroundings.filter(&mut work.batch);
        let filtered = (read - work.batch.packets.len()) as u64;
        self.decoder.counters.packets += filtered;
        self.decoder.counters.filtered += filtered;
        self.decoder.counters.bytes += bytes - wire_bytes(&work.batch);
        let shed_before = self.decoder.counters.packets_shed;
        self.names.take(&mut work.batch.names);
        let mut asking = self.surroundings.asking();
        for head in &work.batch.packets {
            self.names.reach(head.frame);
            let Some(segment) = self.decoder.decode(&work.batch.buffer, head) else { continue };
            let order = (segment.now, Cause::Packet, segment.order);
            work.owners.extend(self.names.due().map(|told| Event::name(order, told)));
            if !work.batch.owners.is_empty() {
                for told in work.batch.owners(head) {
                    work.owners.push(Event::owner(order, segment.network, told.owner.clone()));
                }
            }
            if work.shed.leaves_out(segment.hash) {
                self.decoder.counters.packets_shed += 1;
                self.decoder.counters.bytes_shed += u64::from(head.wire_len);
                continue;
            }
            if let Some(asking) = &mut asking {
                asking.see(&segment, head.interface);
            }
            if let Some(shard) = work.segments.get_mut((segment.hash >> 32) as usize % SHARDS) {
                shard.push(segment);
            }
        }
        if let Some(asking) = asking {
            for told in asking.conclude(work.batch.packets.len()) {
                let ToldOwner { network, at, order, frame, owner } = told;
                work.batch.owners.push(OwnerOf { frame, owner: owner.clone() });
                work.owners.push(Event::owner((at, Cause::Packet, order), network, owner));
            }
            work.batch.owners.sort_by_key(|told| told.frame);
        }
        self.surroundings.used(&work.batch, self.source.interfaces());
        let packets = self.decoder.counters.packets_shed - shed_before;
        let first = work.batch.packets.first().map_or(from, |packet| packet.at);
        work.shed_loss = (work.shed.is_lossy() || packets > 0).then(|| ShedLoss {
            // What is cut off now was seen last before.
            from: if from == Timestamp::default() { first } else { from },
            to: self.decoder.now(),
            packets,
            flows: work.shed.parts(),
        });
        if self.ended {
            self.names.reach_end();
            let order = (self.decoder.now(), Cause::Packet, u64::MAX);
            work.owners.extend(self.names.due().map(|told| Event::name(order, told)));
        }
        if !self.ended && !self.surroundings.go_on(self.decoder.counters.packets) {
            (self.ended, self.stopped) = (true, true);
        }
        let new_taps = self.tap_names(self.taps);
        if !new_taps.is_empty() {
            self.taps += new_taps.len();
            self.surroundings.taps(new_taps);
        }
        let new_networks = self.decoder.networks().get(self.networks..).unwrap_or_default();
        if !new_networks.is_empty() {
            self.networks += new_networks.len();
            self.surroundings.networks(new_networks.iter().map(network::name).collect());
        }
        work.until = self.decoder.now();
        work.networks = new_networks.iter().map(network::number).collect();
        work.live = self.source.is_live();
        self.lossy |= !work.batch.losses.is_empty();
        work.interfaces = if self.lossy { self.new_tap_interfaces() } else { Vec::new() };
        work.last = self.ended;
    }

    /// Where the taps are of which that was not told yet.
    fn new_tap_interfaces(&mut self) -> Vec<TapInterfaces> {
        let (taps, places) = (self.decoder.taps(), self.decoder.places());
        let of = |(tap, place): (&Tap, &TapId)| {
            let interface = self.source.interfaces().get(tap.interface);
            // What all interfaces together have lost may be of any of them.
            let all = interface.and_then(|interface| interface.of_any);
            let interfaces = [Some(tap.interface), all].into_iter().flatten().collect();
            TapInterfaces { place: *place, interfaces }
        };
        let new: Vec<_> = taps.iter().zip(places).skip(self.taps_told).map(of).collect();
        self.taps_told += new.len();
        new
    }

    fn interface_name(&self, interface: InterfaceId) -> String {
        let interface = self.source.interfaces().get(interface);
        interface.map_or_else(|| "unnamed".to_owned(), |interface| interface.name.clone())
    }

    /// What to tell of packets that are far behind others before them, if there are any.
    fn clocks_apart(&self) -> Option<String> {
        let (most, interface) = self.decoder.furthest_behind()?;
        let name = self.source.interfaces().get(interface).map_or("unnamed", |i| i.name.as_str());
        Some(format!(
            "{} packets are earlier than packets before them, those of {name} by up to {:.1} s; if \
             clocks differ, calls may count as timed out and points may not be joined: set the \
             times right, as with editcap -t",
            grouped(self.decoder.counters.behind),
            most as f64 / 1e9,
        ))
    }

    /// The names of all taps so far from this one on.
    fn tap_names(&self, first: usize) -> Vec<String> {
        let interfaces = self.source.interfaces();
        let name = |tap: &Tap| {
            let interface = interfaces.get(tap.interface).map(|found| found.name.as_str());
            tap.name(interface.unwrap_or("unnamed"))
        };
        self.decoder.taps().iter().skip(first).map(name).collect()
    }
}

/// The bytes of a batch's packets, as they were on the wire.
fn wire_bytes(batch: &Batch) -> u64 {
    batch.packets.iter().map(|packet| u64::from(packet.wire_len)).sum()
}

/// What the shards told of one batch.
struct Told {
    events: Vec<Vec<Event>>,
    until: Timestamp,
    live: bool,
    networks: Vec<u64>,
    interfaces: Vec<TapInterfaces>,
    losses: Vec<Loss>,
    shed: Option<ShedLoss>,
    relief: u32,
}

impl Told {
    /// Gives the events of all shards to be joined, in one order.
    fn join(&mut self, joining: &mut Joining<'_>) {
        joining.networks(std::mem::take(&mut self.networks));
        joining.interfaces(std::mem::take(&mut self.interfaces));
        self.losses.drain(..).for_each(|loss| joining.lost(&loss));
        if let Some(shed) = self.shed.take() {
            joining.shed(&shed);
        }
        joining.relieve(self.relief);
        let mut order: Vec<(Order, u16, u32)> = Vec::new();
        for (shard, events) in self.events.iter().enumerate() {
            let keys = events.iter().enumerate();
            order.extend(keys.map(|(place, event)| (event.order, shard as u16, place as u32)));
        }
        order.sort_unstable();
        for ((now, ..), shard, place) in order {
            let events = self.events.get_mut(usize::from(shard));
            let event = events.and_then(|events| events.get_mut(place as usize));
            if let Some(news) = event.and_then(|event| event.what.take()) {
                joining.take(now, news);
            }
        }
        self.events.iter_mut().for_each(Vec::clear);
        joining.advance(self.until);
        if self.live {
            joining.flush();
        }
    }
}

/// The order of events of all shards.
type Order = (Timestamp, Cause, u64);

struct Event {
    order: Order,
    what: Option<News>,
}

impl Event {
    fn owner(order: Order, network: NetworkId, owner: Owner) -> Self {
        Self { order, what: Some(News::Owner(network, owner)) }
    }

    fn name(order: Order, told: AddressName) -> Self {
        Self { order, what: Some(News::AddressName(told.address, told.name)) }
    }
}

/// A part of all flows, with protocols of its own.
struct Shard {
    table: FlowTable,
    sink: ShardSink,
    /// What was left out of the batch before, and when that ended.
    shed: Shed,
    until: Timestamp,
}

struct ShardSink {
    shared: Shared,
    flows: Vec<Option<Box<FlowDecoder>>>,
    patience: i64,
    unknown: Unknowns,
    found: Findings,
}

/// What a shard has found, to be joined and counted.
struct Findings {
    shard: u16,
    serial: u64,
    order: Order,
    /// The point that sees the flow of which is told.
    point: PointId,
    events: Vec<Event>,
    messages: u64,
    unpaired: u64,
    evicted: u64,
    /// Requests that are open, and how many may be before flows give up their oldest.
    open: usize,
    may_open: usize,
}

impl Shard {
    fn new(number: usize, config: &Config) -> Self {
        let limits = FlowLimits {
            flows: (config.flows.flows / SHARDS).max(1),
            waiting: (config.flows.waiting / SHARDS).max(1),
            ..config.flows
        };
        Self {
            table: FlowTable::new(limits),
            shed: Shed::NOTHING,
            until: Timestamp(i64::MIN),
            sink: ShardSink {
                shared: Shared::new(config.made_protocols(), (config.hooks)())
                    .keeping_at_most(limits.waiting)
                    .with_details(config.details),
                flows: Vec::new(),
                patience: config.response_timeout,
                unknown: Unknowns::default(),
                found: Findings {
                    shard: number as u16,
                    serial: 0,
                    order: (Timestamp(i64::MIN), Cause::Packet, 0),
                    point: PointId::at(TapId(0)),
                    events: Vec::new(),
                    messages: 0,
                    unpaired: 0,
                    evicted: 0,
                    open: 0,
                    may_open: (config.open / SHARDS).max(1),
                },
            },
        }
    }

    fn protocols(&self) -> Vec<String> {
        spoken::names(&self.sink.shared.protocols)
    }

    fn work(
        &mut self,
        segments: &mut Vec<Segment>,
        buffer: &[u8],
        until: Timestamp,
        shed: Shed,
        last: bool,
    ) {
        self.shed(shed);
        self.until = until;
        for segment in &*segments {
            self.table.segment(segment, buffer, &mut self.sink);
        }
        segments.clear();
        self.table.expire(until, &mut self.sink);
        if last {
            self.table.finish(until, &mut self.sink);
        }
    }

    /// From now on leaves out what is to be left out.
    fn shed(&mut self, shed: Shed) {
        if shed == self.shed {
            return;
        }
        self.sink.shared.hasty = shed.details;
        self.table.set_closed(shed.new_flows);
        if shed.kept < self.shed.kept {
            // What is open on them is over now, rather than without an answer later.
            let left_out = |hash| shed.leaves_out(hash);
            self.table.leave_out(left_out, self.until, &mut self.sink);
        }
        if shed.relief != self.shed.relief && shed.forget {
            let some = self.table.len().div_ceil(FORGOTTEN);
            self.table.forget(some, self.until, &mut self.sink);
        }
        self.shed = shed;
    }

    fn count(&self, counters: &mut Counters, summary: &mut Summary) {
        counters.add(&self.table.counters);
        summary.messages += self.sink.found.messages;
        for (what, count) in self.lost() {
            add(&mut summary.lost, what, count);
        }
    }

    /// Adds what it has done so far to a snapshot.
    fn tell(&self, vitals: &mut Vitals) {
        vitals.counters.add(&self.table.counters);
        vitals.flows += self.table.len() as u64;
        vitals.messages += self.sink.found.messages;
        vitals.open_requests += self.sink.found.open as u64;
        for (what, count) in self.lost() {
            vitals.lose(what, count);
        }
    }

    /// What could not be had, and how often.
    fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let known = self.sink.shared.lost.iter().map(|(what, count)| (*what, *count));
        let own = [
            ("responses_without_request", self.sink.found.unpaired),
            (REQUESTS_EVICTED, self.sink.found.evicted),
        ];
        known.chain(own.into_iter().filter(|(_, count)| *count > 0))
    }
}

impl StreamSink for ShardSink {
    fn event(&mut self, flow: &Flow, from: Side, seen: &Seen, event: StreamEvent<'_>) {
        if self.flows.len() <= flow.slot {
            self.flows.resize_with(flow.slot + 1, || None);
        }
        let Some(place) = self.flows.get_mut(flow.slot) else { return };
        self.found.point = flow.point;
        let ending = match event {
            StreamEvent::End(ending) => Some(ending),
            _ => None,
        };
        // What comes again was told before, or nothing was.
        let is_news = ending.is_none() && !matches!(event, StreamEvent::Again { .. });
        if place.is_none() && is_news {
            *place = Some(Box::new(FlowDecoder::new(flow)));
        }
        if let Some(decoder) = place {
            decoder.event(flow, from, seen, event, &mut self.shared, &mut self.found);
        }
        let Some(ending) = ending else { return };
        match place.take() {
            Some(decoder) => {
                if let Some((stranger, bytes)) = decoder.unknown() {
                    self.unknown.add(stranger, bytes);
                }
            }
            None => self.found.failed(flow, seen, ending),
        }
    }

    fn clock(&mut self, now: Timestamp, cause: Cause, order: u64) {
        self.found.order = (now, cause, order);
    }

    fn deadline(&self, slot: usize) -> Option<Timestamp> {
        self.flows.get(slot)?.as_ref()?.deadline(self.patience)
    }

    fn timeout(&mut self, flow: &Flow, now: Timestamp) {
        self.found.point = flow.point;
        if let Some(Some(decoder)) = self.flows.get_mut(flow.slot) {
            decoder.time_out(now.plus(-self.patience), &mut self.found);
        }
    }
}

impl Findings {
    fn tell(&mut self, what: News) {
        self.events.push(Event { order: self.order, what: Some(what) });
    }

    /// A connection that failed before anything was said is a failed call.
    fn failed(&mut self, flow: &Flow, seen: &Seen, ending: Ending) {
        let state = match ending {
            Ending::Refused => State::Refused,
            Ending::Unanswered => State::Unanswered,
            Ending::Reset(side) if flow.opener == Some(side.other()) => State::Reset,
            _ => return,
        };
        let Some(syn) = flow.syn else { return };
        let [a, b] = flow.addresses;
        let (client, server) = if flow.opener == Some(Side::B) { (b, a) } else { (a, b) };
        let mut text = Text::default();
        text.add(Attribute { name: OPERATION, value: Value::Text(b"connect") });
        let half = |seen: &Seen, seq| Half {
            first: Mark::of(seen),
            last: Mark::of(seen),
            seq,
            len: 0,
            ack: seen.ack,
            tsval: seen.tsval,
            ip_id: seen.ip_id,
            ttl: seen.ttl,
            cut: false,
            lost: 0,
            own: None,
            resent: Resent::default(),
        };
        let mut request = half(&syn, flow.first_seq.first().copied().flatten());
        let asked = if flow.opener == Some(Side::B) { Side::B } else { Side::A };
        request.resent.segments = flow.retransmissions.get(asked.index()).copied().unwrap_or(0);
        if state == State::Unanswered {
            request.last = Mark::of(seen);
        }
        let exchange = Exchange {
            id: self.id(),
            network: flow.network,
            point: flow.point,
            first_point: flow.point,
            tap: syn.tap,
            transport: flow.transport,
            client,
            server,
            protocol: ProtocolIndex::CONNECT,
            sort: Sort::Connect,
            state,
            ordinal: 0,
            in_packet: 0,
            to_client: false,
            pipeline: None,
            inside: 0,
            lane: 0,
            request,
            response: (state != State::Unanswered).then(|| half(seen, None)),
            outcome: Outcome::Unknown,
            code: 0,
            text,
            contexts: Default::default(),
            values: Default::default(),
            records: None,
            secrets: None,
            processes: Processes::default(),
            names: GivenNames::default(),
            round_trip: flow.round_trip,
            turns: Turns::default(),
            touched: Touched::NONE,
            clock: None,
            remembers: false,
            seemed: None,
        };
        // It is over as soon as it is told.
        self.open = self.open.saturating_sub(1);
        self.tell(News::Closed(Box::new(exchange)));
    }
}

impl Exchanges for Findings {
    fn id(&mut self) -> ExchangeId {
        self.serial += 1;
        self.open += 1;
        self.messages += 1;
        ExchangeId { shard: self.shard, serial: self.serial }
    }

    fn done(&mut self, mut exchange: Box<Exchange>) {
        // The other direction may have turned up at another tap since the request was seen.
        (exchange.point, exchange.first_point) = (self.point, self.point);
        self.open = self.open.saturating_sub(1);
        self.messages += u64::from(exchange.response.is_some());
        self.tell(News::Closed(exchange));
    }

    fn evicted(&mut self) {
        self.evicted += 1;
    }

    fn full(&self) -> bool {
        self.open >= self.may_open
    }

    fn unpaired(&mut self) {
        self.messages += 1;
        self.unpaired += 1;
    }

    fn resent(&mut self, exchange: ExchangeId, part: Part, resent: Resent) {
        self.tell(News::Resent(exchange, part, resent));
    }
}

impl Found for Findings {
    fn missed(&mut self, missed: Missed) {
        self.tell(News::Missed(missed));
    }

    fn opened(&mut self, exchange: &Exchange) {
        self.tell(News::Opened(Opened::of(exchange)));
    }

    fn named(&mut self, network: NetworkId, server: SocketAddr, name: &str) {
        self.tell(News::ServerName(network, server, name.into()));
    }
}

/// Packets of a batch up to which one thread works on it.
const SMALL: usize = 256;
/// Parts that all flows are cut into, the same whatever the number of threads.
pub const SHARDS: usize = 16;
/// One in so many flows is forgotten where memory is tight, each time.
const FORGOTTEN: usize = 8;
