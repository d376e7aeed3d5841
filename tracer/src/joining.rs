//! What opened and closed, in one order: in go exchanges with the moments at which they were
//! told; they settle, get names, become traces and are counted; out go traces, to a sink.
//!
//! Packets and spans that were written before drive it alike.

use crate::exchange::{
    EventNumber, Exchange, ExchangeId, Opening, ProtocolIndex, Resent, SetRight, Turn, Turns,
};
use crate::join::late::HandedOut;
use crate::join::messages::Messages;
use crate::join::tree;
use crate::join::window::{Opened, Window, WindowLimits, restrict};
use crate::join::{Group, IdSet, JoinKey, LooseKey, NEVER};
use crate::losses::{Losses, Missed, ShedLoss, Touched};
use crate::metrics::Metrics;
use crate::names::Names;
use crate::names::files::NameFiles;
use crate::owners::Owners;
use crate::points::PointNumbers;
use crate::resent::{Late, Part};
use crate::span::{SpanSink, Trace};
use crate::summary::{self, Summary, add, protocol_name};
use crate::unjoined::Unjoined;
use crate::vitals::{Joined, Vitals};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use smallvec::SmallVec;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use wirespan_capture::owner::Owner;
use wirespan_capture::packet::{FileId, InterfaceId, Loss, NetworkId, TapId, Timestamp};
use wirespan_capture::source::alignment::{Alignment, Offset};

/// Joins exchanges and hands out their traces.
pub struct Joining<'a> {
    window: Window,
    /// The formats whose identifiers join.
    ids: IdSet,
    /// How many events were told.
    events: u64,
    /// What is open, and when that was told. It is never more than pairing holds, and knows also
    /// what the window had to forget.
    open: HashMap<ExchangeId, Opening, FixedState>,
    /// What has settled and was not handed out yet.
    groups: Vec<Group>,
    names: Names,
    owners: Owners,
    resent: Late,
    /// The protocol whose answers name addresses.
    dns: Option<ProtocolIndex>,
    networks: Vec<u64>,
    points: PointNumbers,
    /// The same of what was known of them first.
    first_points: PointNumbers,
    /// For each tap its place; fewer where that is not known.
    places: Vec<TapId>,
    /// For each tap that is a place, the interfaces of it.
    interfaces: Vec<PlaceInterfaces>,
    losses: Losses,
    /// By file, how its times were set right.
    clocks: HashMap<FileId, (Offset, u64), FixedState>,
    /// What was over before this time may have settled.
    settled: Timestamp,
    /// Nanoseconds without news after which traces settle.
    quiet: i64,
    /// How often memory was to be given back.
    relief: u32,
    summary: Summary,
    handed_out: HandedOut,
    messages: Messages,
    metrics: Metrics,
    unjoined: Unjoined,
    protocols: Vec<String>,
    sink: &'a mut (dyn SpanSink + Send),
    error: Option<io::Error>,
}

/// A run's result beside its traces.
#[derive(Debug)]
pub struct Outcomes {
    /// All counts.
    pub summary: Summary,
    /// What packet time had reached in the end.
    pub reached: Timestamp,
    /// Whether reading was stopped before the end.
    pub stopped: bool,
    /// What the source said, if it failed in the midst.
    pub source_error: Option<io::Error>,
    /// What the sink said, if it failed.
    pub sink_error: Option<io::Error>,
}

/// Where a tap is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapInterfaces {
    /// The first tap of those that are one point with it by the user's word.
    pub place: TapId,
    /// Its interface, and the one whose losses may be of any.
    pub interfaces: PlaceInterfaces,
}

/// Interfaces of one place.
type PlaceInterfaces = SmallVec<[InterfaceId; 2]>;

/// What happens to an exchange.
#[expect(clippy::large_enum_variant, reason = "a box for each request would cost more")]
pub enum News {
    /// Its request was seen; it is not complete yet.
    Opened(Opened),
    /// It is complete, or will not become so.
    Closed(Box<Exchange>),
    /// Something of it was sent again after it was over.
    Resent(ExchangeId, Part, Resent),
    /// A request was lost.
    Missed(Missed),
    /// It became known whose a socket is, in this network.
    Owner(NetworkId, Owner),
    /// A client of TLS asked this server for a name.
    ServerName(NetworkId, SocketAddr, Box<str>),
    /// The capture file says what an address is called.
    AddressName(IpAddr, Box<str>),
}

impl<'a> Joining<'a> {
    /// Joins exchanges of these protocols.
    pub fn new(
        limits: WindowLimits,
        protocols: Vec<String>,
        sink: &'a mut (dyn SpanSink + Send),
    ) -> Self {
        Self {
            window: Window::new(limits),
            ids: limits.ids,
            events: 0,
            open: HashMap::with_hasher(FixedState::default()),
            groups: Vec::new(),
            names: Names::default(),
            owners: Owners::default(),
            resent: Late::default(),
            dns: protocols.iter().position(|name| name == "dns").map(|at| ProtocolIndex(at as u8)),
            networks: Vec::new(),
            points: PointNumbers::default(),
            first_points: PointNumbers::default(),
            places: Vec::new(),
            interfaces: Vec::new(),
            losses: Losses::default(),
            clocks: HashMap::default(),
            settled: Timestamp(i64::MIN),
            quiet: limits.quiet,
            relief: 0,
            summary: Summary { schema: summary::SCHEMA, ..Summary::default() },
            handed_out: HandedOut::default(),
            messages: Messages::default(),
            metrics: Metrics::default(),
            unjoined: Unjoined::default(),
            protocols,
            sink,
            error: None,
        }
    }

    /// Calls services and hosts as the user does.
    #[must_use]
    pub fn naming(mut self, files: Arc<NameFiles>) -> Self {
        self.names = Names::with(files);
        self
    }

    /// Numbers that stand for further networks in derived ids, in the order of networks.
    pub fn networks(&mut self, numbers: Vec<u64>) {
        self.networks.extend(numbers);
    }

    /// Where further taps are, in the order of taps.
    pub fn interfaces(&mut self, taps: Vec<TapInterfaces>) {
        for TapInterfaces { place, interfaces } in taps {
            self.places.push(place);
            self.interfaces.resize_with(self.places.len(), PlaceInterfaces::default);
            // A place comes before all other taps of it.
            if let Some(own) = self.interfaces.get_mut(usize::from(place.0)) {
                for interface in interfaces {
                    if !own.contains(&interface) {
                        own.push(interface);
                    }
                }
            }
        }
    }

    /// How times of packets were set right before. Of a file whose interfaces have several clocks,
    /// it is not told which of them a span has.
    pub fn clocks(&mut self, alignments: &[Alignment]) {
        let whole = alignments.iter().filter(|one| one.used && one.interface.is_none());
        self.clocks = whole.map(|one| (one.file, (one.offset, one.error))).collect();
    }

    /// The capture lost packets; told before what comes with it.
    pub fn lost(&mut self, loss: &Loss) {
        self.losses.lost(loss, self.settled);
    }

    /// Something was shed; told before what comes with it.
    pub fn shed(&mut self, loss: &ShedLoss) {
        self.losses.shed(loss);
    }

    /// Memory is tight, if this has changed since the last call: half of what is held settles now.
    pub fn relieve(&mut self, relief: u32) {
        if std::mem::replace(&mut self.relief, relief) != relief {
            self.window.relieve(self.window.len() / 2);
            self.settle(Timestamp(i64::MIN));
            self.emit();
            let mut waiting = Vec::new();
            self.messages.relieve(&mut waiting);
            self.hand_out(waiting);
        }
    }

    /// Something happens, in the order of its times.
    pub fn take(&mut self, now: Timestamp, news: News) {
        self.settle(now);
        let turn = Turn { number: EventNumber(self.events), at: now };
        // What is told of sockets and addresses, of what came again or was lost, has no turn: spans
        // that are joined anew bring it with them.
        self.events += u64::from(matches!(news, News::Opened(..) | News::Closed(_)));
        match news {
            News::Owner(network, owner) => self.owners.learn(network, owner),
            News::ServerName(network, server, name) => self.names.asked(network, server, &name),
            News::AddressName(address, name) => self.names.captured(address, &name),
            News::Resent(exchange, part, resent) => self.resent.note(exchange, part, resent),
            News::Missed(missed) => self.window.missed(missed),
            News::Opened(mut opened) => {
                opened.restrict(self.ids);
                if let Some((network, connection)) = opened.asks() {
                    self.messages.ask(network, connection, opened.point(), opened.start());
                }
                let (contexts, point) = (opened.contexts(), opened.point());
                let processes = opened.owned(&self.owners);
                self.open.insert(opened.id(), Opening { turn, contexts, point, processes });
                self.window.open(turn, &opened);
            }
            News::Closed(mut exchange) => {
                restrict(&mut exchange.contexts, self.ids);
                self.close(turn, exchange);
            }
        }
    }

    /// It is now this late, whether or not anything happens; what has settled is handed out.
    pub fn advance(&mut self, now: Timestamp) {
        self.settle(now);
        self.emit();
    }

    /// Whoever waits for traces is to see those that were handed out.
    pub fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.sink.flush().err();
        }
    }

    /// Nothing more happens. Gives the counts of what was joined, the numbers of the points, and
    /// what the sink said if it failed. `interface` names an interface on which something was lost.
    pub fn finish(
        mut self,
        interface: &dyn Fn(InterfaceId) -> String,
    ) -> (Summary, PointNumbers, Option<io::Error>) {
        // After a stop or a failure, exchanges may still be open, which would never settle.
        self.window.forget_all_open();
        self.advance(NEVER);
        let mut waiting = Vec::new();
        self.messages.finish(&mut waiting);
        self.hand_out(waiting);
        if self.error.is_none() {
            self.error = self.sink.finish().err();
        }
        let mut summary = self.summary;
        summary.drops = self.losses.packets(interface);
        summary.losses = self.losses.intervals(interface);
        summary.remarks = self.losses.remarks(interface);
        for (key, times) in self.window.repeating() {
            add(&mut summary.repeating_ids, &repeating_name(key), *times);
        }
        summary.repeating.clone_from(self.window.repeating());
        let repeat = !summary.repeating_ids.is_empty();
        if self.owners.forgotten() > 0 {
            add(&mut summary.lost, "socket_owners", self.owners.forgotten());
        }
        if self.names.beyond() > 0 {
            add(&mut summary.lost, "names", self.names.beyond());
        }
        if self.window.orders_beyond() > 0 {
            add(&mut summary.lost, "point_orders", self.window.orders_beyond());
        }
        if self.messages.forgotten > 0 {
            add(&mut summary.lost, "records_forgotten", self.messages.forgotten);
        }
        if self.messages.early > 0 {
            add(&mut summary.settled_early, "producers", self.messages.early);
        }
        summary.unjoined = self.unjoined.why(&self.window.callers, repeat);
        for (limit, count) in &self.window.early {
            add(&mut summary.settled_early, limit, *count);
        }
        for (protocol, latency) in self.metrics.latencies() {
            let name = protocol_name(ProtocolIndex(protocol), &self.protocols).to_owned();
            summary.latency.insert(name, latency);
        }
        (summary, self.points, self.error)
    }

    /// Whether the sink has failed: joining more is in vain.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// What it has done so far, put into a snapshot.
    pub fn tell(&self, vitals: &mut Vitals) {
        vitals.held = (self.window.len() + self.messages.waiting()) as u64;
        vitals.joined = Joined::of(&self.summary);
        for (limit, count) in &self.window.early {
            add(&mut vitals.joined.settled_early, limit, *count);
        }
        vitals.joined.repeating_ids = self.window.repeating().len() as u64;
    }

    fn close(&mut self, closed: Turn, mut exchange: Box<Exchange>) {
        let opened = self.open.remove(&exchange.id);
        exchange.first_point = opened.map_or(exchange.first_point, |opened| opened.point);
        exchange.turns = Turns { opened, closed };
        self.names.hear(&exchange);
        if Some(exchange.protocol) == self.dns {
            self.names.learn(&exchange);
        }
        self.messages.close(&exchange);
        if let Some(records) = exchange.records.as_ref().filter(|records| records.left_out > 0) {
            add(&mut self.summary.lost, "records", records.left_out);
        }
        self.window.close(exchange);
    }

    /// By what losses an exchange is touched.
    fn touched(&self, exchange: &Exchange) -> Touched {
        let mut interfaces: SmallVec<[Option<InterfaceId>; 4]> = SmallVec::new();
        let [one, other] = exchange.point.taps;
        for tap in [exchange.tap, one, other] {
            let place = self.places.get(usize::from(tap.0));
            match place.and_then(|place| self.interfaces.get(usize::from(place.0))) {
                Some(known) => interfaces.extend(known.iter().copied().map(Some)),
                None => interfaces.push(None),
            }
        }
        self.losses.touched(&interfaces, exchange.start(), exchange.reach())
    }

    /// Takes what has settled before this time, with the names that are known at this moment.
    fn settle(&mut self, now: Timestamp) {
        self.settled = self.settled.max(now.plus(self.quiet.saturating_neg()));
        while let Some(mut group) = self.window.settled(now) {
            for member in &mut group.members {
                self.owners.complete(&mut member.exchange);
                let network = self.networks.get(usize::from(member.exchange.network.0));
                self.names.complete(&mut member.exchange, network.copied().unwrap_or_default());
                member.service = Some(self.names.service(&member.exchange));
                if !self.resent.is_empty() {
                    self.resent.complete(&mut member.exchange);
                }
                if let Some((offset, error)) = self.clocks.get(&file_of(&member.exchange)) {
                    let start = member.exchange.start();
                    let ahead = offset.shown(start).0.saturating_sub(start.0);
                    member.exchange.clock = Some(SetRight { ahead, error: *error });
                }
                let cause = &member.cause;
                let is_caused = cause.many || !cause.candidates.is_empty();
                self.messages.settle(&member.exchange, is_caused);
                if !self.losses.is_empty() {
                    let touched = self.touched(&member.exchange);
                    member.exchange.touched = member.exchange.touched.and(touched);
                }
            }
            self.groups.push(group);
            // Traces should never all exist as spans and text at once.
            if self.groups.len() >= TOGETHER {
                self.emit();
            }
        }
    }

    /// Makes traces of the groups that have settled, and hands them out.
    fn emit(&mut self) {
        let groups = std::mem::take(&mut self.groups);
        if self.error.is_some() || groups.is_empty() {
            return;
        }
        let networks = &self.networks;
        let network_of = |exchange: &Exchange| {
            networks.get(usize::from(exchange.network.0)).copied().unwrap_or_default()
        };
        let made: Vec<Trace> = groups
            .into_par_iter()
            .with_min_len(32)
            .flat_map_iter(|group| tree::traces(group, &network_of))
            .collect();
        let mut traces = Vec::with_capacity(made.len());
        for trace in made {
            self.messages.pass(trace, &mut traces);
        }
        self.hand_out(traces);
    }

    fn hand_out(&mut self, mut traces: Vec<Trace>) {
        if self.error.is_some() || traces.is_empty() {
            return;
        }
        for trace in &mut traces {
            self.handed_out.pass(trace);
            self.summary.trace(trace, &self.protocols);
            self.unjoined.trace(trace);
            for span in &mut trace.spans {
                span.point = self.points.number(span.exchange.point);
                span.first_point = self.first_points.number(span.exchange.first_point);
            }
            for span in trace.spans.iter().filter(|span| !span.is_next_point()) {
                self.metrics.record(&span.exchange);
            }
        }
        self.error = self.sink.take(traces).err();
    }
}

/// The file in which it begins.
fn file_of(exchange: &Exchange) -> FileId {
    exchange.request.first.frame.file
}

fn repeating_name(key: &LooseKey) -> String {
    let JoinKey { format, id, hidden } = key.carried;
    if hidden {
        return format!("{} ***", format.name());
    }
    format!("{} {:032x}", format.name(), id.get())
}

/// Groups that are made to traces and written in one go.
const TOGETHER: usize = 256;
