//! Producers to consumers: what was put into a list, stream or channel, and who got it out.
//!
//! ```text
//! closed ──▶ by id, by content ──▶ matches of a consumer ─┐ settled: they change no more
//! traces ──▶ the spans that produced ─────────────────────┴▶ span links ──▶ traces
//! ```
//!
//! A message may lie in its queue after its producer's trace was handed out, and a consumer may get
//! several, of several producers. So it is joined across groups, and by span links: none is its
//! parent. A trace waits until those of its producers exist, since their ids are known only then.
//!
//! While a consumer is at work on what it got, it asks for nothing more on that connection. A call
//! that it makes meanwhile, and that nobody else called it for, is made for that message: this is a
//! span link, too, if it is the only one that it could be for.
//!
//! An id tells a message from all others of its queue. Without one, its content does. Where several
//! of equal content lie in a queue, the first one in is taken for the first one out, and the next
//! best is told. Of what several may receive, the latest one of that content is it.

use crate::exchange::{EventNumber, Exchange, Sort};
use crate::join::fingerprint::fingerprint;
use crate::join::work::{Work, is_old};
use crate::span::{Reason, Span, SpanLink, Trace};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::PointId;
use wirespan_parsers::message::{Record, Role};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Joins producers and consumers.
#[derive(Debug, Default)]
pub struct Messages {
    slots: HashMap<u64, Slot, FixedState>,
    /// The slots in which something was put lately, oldest first, and when.
    recent: VecDeque<(Timestamp, u64)>,
    /// The same of what was put in before that, and nobody has got yet.
    lying: VecDeque<(Timestamp, u64)>,
    /// The slots from which something was got before it was seen to be put in.
    early_gets: VecDeque<(Timestamp, u64)>,
    /// What consumers that did not settle yet have got.
    open: HashMap<EventNumber, Got, FixedState>,
    /// The same of those that have.
    settled: HashMap<EventNumber, SmallVec<[Match; 1]>, FixedState>,
    /// What hosts are at work on.
    work: Work,
    /// The spans that produced or got something, of traces that exist.
    built: HashMap<EventNumber, Built, FixedState>,
    /// Those that were built lately, and before that those whose messages nobody has got yet.
    built_recent: VecDeque<EventNumber>,
    built_lying: VecDeque<EventNumber>,
    /// The time that traces have reached.
    clock: Timestamp,
    /// Traces that wait for those of their producers, in order.
    waiting: BTreeMap<u64, Waiting>,
    /// Which of them wait for the trace of a producer.
    waiting_for: HashMap<EventNumber, SmallVec<[u64; 1]>, FixedState>,
    waiting_spans: usize,
    /// How many have waited.
    waited: u64,
    /// Records that a limit drove out before anybody got them.
    pub forgotten: u64,
    /// Traces that were handed out though their producers' were not there yet.
    pub early: u64,
}

/// What a consumer has got.
#[derive(Debug, Default)]
struct Got {
    matches: SmallVec<[Match; 1]>,
    /// Copies, by id and by content, that are looked up as it settles: who sent one last may be told
    /// later than it was got.
    copies: SmallVec<[(Option<u64>, u64, Consumed); 1]>,
}

/// Messages of one queue that have the same id, or the same content.
#[derive(Debug, Default)]
struct Slot {
    produced: SmallVec<[Produced; 1]>,
    /// What was got out before it was seen to be put in.
    consumed: SmallVec<[Consumed; 0]>,
    /// How often it stands in the orders of what was put in, and of what was got before.
    puts: u32,
    gets: u32,
}

/// That an exchange put a message in.
#[derive(Clone, Copy, Debug)]
struct Produced {
    producer: EventNumber,
    seen: Seen,
    /// Who took it out.
    taken: Option<Taker>,
    /// Whether anybody got it.
    used: bool,
}

/// That an exchange got a message out.
#[derive(Clone, Copy, Debug)]
struct Consumed {
    consumer: EventNumber,
    seen: Seen,
    takes: bool,
}

/// What tells one message of one exchange from others, at any point that sees it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: u64,
    /// Its number among those of equal content that the exchange has.
    occurrence: u32,
    /// Before this, a producer had not sent it; after this, a consumer has it.
    at: Timestamp,
    point: PointId,
    /// Stands for the server that keeps the queue, or passes on.
    broker: u64,
}

/// Who took a message out, where and when.
#[derive(Clone, Copy, Debug)]
struct Taker {
    fingerprint: u64,
    occurrence: u32,
    point: PointId,
    at: Timestamp,
}

impl Seen {
    fn taker(&self) -> Taker {
        let Self { fingerprint, occurrence, point, at, .. } = *self;
        Taker { fingerprint, occurrence, point, at }
    }

    fn took(&self, taker: &Taker) -> bool {
        (self.fingerprint, self.occurrence) == (taker.fingerprint, taker.occurrence)
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.fingerprint, self.occurrence) == (other.fingerprint, other.occurrence)
    }
}

/// A producer of what a consumer got.
#[derive(Clone, Copy, Debug)]
struct Match {
    producer: EventNumber,
    reason: Reason,
    /// Whether both used one address of the server.
    same_broker: bool,
    runner_up: Option<EventNumber>,
}

/// The span that stands for an exchange: of several points, the one nearest the client.
#[derive(Clone, Copy, Debug)]
struct Built {
    trace: u128,
    span: u64,
    /// Whether nobody called for it.
    is_root: bool,
    /// How much it put in that nobody has got yet.
    lying: usize,
}

#[derive(Debug)]
struct Waiting {
    trace: Trace,
    /// The time that traces had reached.
    since: Timestamp,
    /// So many producers' traces are missing.
    missing: usize,
}

impl Messages {
    /// An exchange is complete, or will not become so. Told in the order of events.
    pub fn close(&mut self, exchange: &Exchange) {
        let number = exchange.turns.first().number;
        self.work.note(exchange, number);
        let Some(records) = &exchange.records else { return };
        let fingerprint = fingerprint(exchange);
        let asks = records.asks && exchange.sort == Sort::Call;
        if asks && exchange.turns.opened.is_none() {
            let connection = [exchange.client, exchange.server];
            self.ask(exchange.network, connection, exchange.first_point, exchange.start());
        }
        if records.has_consumed() {
            self.open.insert(number, Got::default());
            if asks {
                self.work.begin(exchange, number, fingerprint);
            }
        }
        let only = records.iter().nth(1).is_none();
        let mut before: HashMap<(Role, u64), u32, FixedState> = HashMap::default();
        // What it puts in itself, it did not get.
        for consumes in [true, false] {
            for record in records.iter().filter(|r| (r.role != Role::Produced) == consumes) {
                let content = slot_of(&record, false);
                let occurrence = if only {
                    0
                } else {
                    let count = before.entry((record.role, content)).or_default();
                    *count += 1;
                    *count - 1
                };
                let seen = Seen {
                    fingerprint,
                    occurrence,
                    at: if consumes { exchange.end() } else { exchange.start() },
                    point: exchange.point,
                    broker: broker(exchange, record.role),
                };
                let by_id = (!record.id.is_empty()).then(|| slot_of(&record, true));
                match consumes {
                    true => {
                        let takes = record.role == Role::Taken;
                        self.consume(number, seen, takes, by_id, content);
                    }
                    false => {
                        self.forget(exchange.turns.closed.at);
                        let produced =
                            Produced { producer: number, seen, taken: None, used: false };
                        if let Some(by_id) = by_id {
                            self.produce(by_id, produced, exchange.turns.closed.at);
                        }
                        self.produce(content, produced, exchange.turns.closed.at);
                    }
                }
            }
        }
    }

    /// A request was seen that asks for what is in queues: its client is at work no more on what it
    /// got before on that connection.
    pub fn ask(
        &mut self,
        network: NetworkId,
        connection: [SocketAddr; 2],
        point: PointId,
        at: Timestamp,
    ) {
        self.work.ask(network, connection, point, at);
    }

    /// The group of an exchange has settled: what it got, as far as that is known, is final.
    /// `is_caused` says whether something was open at the caller that may have caused it.
    pub fn settle(&mut self, exchange: &Exchange, is_caused: bool) {
        let number = exchange.turns.first().number;
        if let Some(consumer) = self.work.of(number).filter(|_| !is_caused) {
            self.settled.entry(number).or_default().push(Match {
                producer: consumer,
                reason: Reason::OneMessage,
                same_broker: true,
                runner_up: None,
            });
        }
        if exchange.records.as_ref().is_some_and(|records| records.has_consumed()) {
            let Some(Got { mut matches, copies }) = self.open.remove(&number) else { return };
            for (by_id, content, consumed) in copies {
                let found = by_id.and_then(|slot| self.find(slot, consumed, Reason::StreamId));
                let found = found.or_else(|| self.find(content, consumed, Reason::MessageContent));
                matches.extend(found);
            }
            if !matches.is_empty() {
                self.settled.entry(number).or_default().extend(matches);
            }
        }
    }

    /// A trace was made, in the order in which their groups settled. What need not wait, or has
    /// waited for it, goes out.
    pub fn pass(&mut self, mut trace: Trace, out: &mut Vec<Trace>) {
        let told = trace.spans.iter().map(|span| span.exchange.turns.closed.at);
        self.clock = told.max().unwrap_or(self.clock).max(self.clock);
        // All that was there as they came has settled since: what they wait for never comes.
        while let Some((number, waiting)) = self.waiting.first_key_value()
            && is_old(waiting.since, self.clock, LONGEST_WAIT)
        {
            self.early += 1;
            self.release(*number, out);
        }
        let concerns = |span: &Span| {
            let number = span.exchange.turns.first().number;
            span.exchange.records.is_some() || self.settled.contains_key(&number)
        };
        if !trace.spans.iter().any(concerns) {
            out.push(trace);
            return;
        }
        let produced = self.remember(&trace);
        let missing = self.missing(&trace);
        if missing.is_empty() {
            self.link(&mut trace);
            out.push(trace);
        } else {
            self.wait(trace, &missing, out);
        }
        for producer in produced {
            for number in self.waiting_for.remove(&producer).unwrap_or_default() {
                let Some(waiting) = self.waiting.get_mut(&number) else { continue };
                waiting.missing -= 1;
                if waiting.missing == 0 {
                    self.release(number, out);
                }
            }
        }
    }

    /// No trace comes any more: those that wait go out.
    pub fn finish(&mut self, out: &mut Vec<Trace>) {
        while let Some((number, _)) = self.waiting.first_key_value() {
            self.early += 1;
            self.release(*number, out);
        }
    }

    /// Memory is tight: the older half of the traces that wait go out, and half of the messages are
    /// forgotten.
    pub fn relieve(&mut self, out: &mut Vec<Trace>) {
        for _ in 0..self.waiting.len().div_ceil(2) {
            let Some((number, _)) = self.waiting.first_key_value() else { return };
            self.early += 1;
            self.release(*number, out);
        }
        self.limit(self.recent.len() / 2, self.lying.len() / 2);
        self.slots.shrink_to_fit();
    }

    /// How many spans wait.
    pub fn waiting(&self) -> usize {
        self.waiting_spans
    }

    fn produce(&mut self, slot: u64, produced: Produced, now: Timestamp) {
        let state = self.slots.entry(slot).or_default();
        // At other points, it is the same.
        if state.produced.iter().any(|known| known.seen.is_same(&produced.seen)) {
            return;
        }
        state.produced.push(produced);
        state.puts += 1;
        self.recent.push_back((now, slot));
        if state.produced.len() > EQUAL {
            let used = state.produced.iter().position(|p| p.used);
            state.produced.remove(used.unwrap_or_default());
            self.forgotten += u64::from(used.is_none());
        }
        // What has settled since gets no links any more.
        let open = &mut self.open;
        let waiting = std::mem::take(&mut state.consumed);
        let kept = waiting.into_iter().filter(|consumed| {
            let Some(open) = open.get_mut(&consumed.consumer) else { return false };
            let found = state.find(consumed, Reason::MessageContent);
            open.matches.extend(found);
            found.is_none()
        });
        state.consumed = kept.collect();
    }

    fn consume(
        &mut self,
        consumer: EventNumber,
        seen: Seen,
        takes: bool,
        by_id: Option<u64>,
        content: u64,
    ) {
        let consumed = Consumed { consumer, seen, takes };
        let found = match takes {
            true => by_id
                .and_then(|slot| self.find(slot, consumed, Reason::StreamId))
                .or_else(|| self.find(content, consumed, Reason::MessageContent)),
            false => None,
        };
        let Some(got) = self.open.get_mut(&consumer) else { return };
        if !takes {
            return got.copies.push((by_id, content, consumed));
        }
        if let Some(found) = found {
            return got.matches.push(found);
        }
        self.forget_gets(seen.at);
        let state = self.slots.entry(content).or_default();
        if state.consumed.len() >= EARLY {
            state.consumed.remove(0);
        }
        state.consumed.push(consumed);
        state.gets += 1;
        self.early_gets.push_back((seen.at, content));
    }

    fn find(&mut self, slot: u64, consumed: Consumed, reason: Reason) -> Option<Match> {
        self.slots.get_mut(&slot)?.find(&consumed, reason)
    }

    /// Makes room for one more, and forgets what nobody got for long.
    fn forget(&mut self, now: Timestamp) {
        let is_due = |entry: &(Timestamp, u64)| is_old(entry.0, now, KEPT_FOR);
        while self.recent.front().is_some_and(is_due)
            && let Some((_, slot)) = self.recent.pop_front()
        {
            self.forget_put(slot);
        }
        while self.lying.front().is_some_and(is_due)
            && let Some((_, slot)) = self.lying.pop_front()
        {
            self.forget_put(slot);
        }
        self.limit(RECORDS - 1, RECORDS);
    }

    /// Leaves so many of those that were put in lately, and of those before: what somebody got goes
    /// first.
    fn limit(&mut self, recent: usize, lying: usize) {
        while self.recent.len() > recent
            && let Some((at, slot)) = self.recent.pop_front()
        {
            let first = self.slots.get(&slot).and_then(|state| state.produced.first());
            if first.is_some_and(|put| !put.used) {
                self.lying.push_back((at, slot));
            } else {
                self.forget_put(slot);
            }
        }
        while self.lying.len() > lying
            && let Some((_, slot)) = self.lying.pop_front()
        {
            self.forgotten += u64::from(!self.forget_put(slot));
        }
    }

    /// Forgets the first of what is in a slot; whether somebody got it.
    fn forget_put(&mut self, slot: u64) -> bool {
        let Some(state) = self.slots.get_mut(&slot) else { return true };
        state.puts = state.puts.saturating_sub(1);
        // Of many that are equal, some were forgotten before.
        let is_one_more = state.produced.len() > state.puts as usize;
        let put = (is_one_more && !state.produced.is_empty()).then(|| state.produced.remove(0));
        if state.is_idle() {
            self.slots.remove(&slot);
        }
        put.is_none_or(|put| put.used)
    }

    /// Forgets what was got long before anybody was seen to put it in.
    fn forget_gets(&mut self, now: Timestamp) {
        while let Some((at, slot)) = self.early_gets.front().copied()
            && (self.early_gets.len() >= EARLY_GETS || is_old(at, now, EARLY_FOR))
        {
            self.early_gets.pop_front();
            let Some(state) = self.slots.get_mut(&slot) else { continue };
            state.gets = state.gets.saturating_sub(1);
            if state.consumed.len() > state.gets as usize {
                state.consumed.remove(0);
            }
            if state.is_idle() {
                self.slots.remove(&slot);
            }
        }
    }

    /// Remembers the spans of a trace that put something in; which exchanges these are.
    fn remember(&mut self, trace: &Trace) -> SmallVec<[EventNumber; 4]> {
        let mut produced = SmallVec::new();
        for (place, span) in trace.spans.iter().enumerate() {
            let records = span.exchange.records.as_ref();
            if !records.is_some_and(|records| records.produced() > 0 || records.has_consumed()) {
                continue;
            }
            let number = span.exchange.turns.first().number;
            let top = trace.spans.get(top(&trace.spans, place)).unwrap_or(span);
            self.built.insert(
                number,
                Built {
                    trace: trace.id,
                    span: top.id,
                    is_root: top.link.is_none(),
                    lying: records.map_or(0, |records| records.produced()),
                },
            );
            self.built_recent.push_back(number);
            produced.push(number);
        }
        while self.built_recent.len() > RECORDS
            && let Some(oldest) = self.built_recent.pop_front()
        {
            match self.built.get(&oldest) {
                Some(built) if built.lying > 0 => self.built_lying.push_back(oldest),
                _ => drop(self.built.remove(&oldest)),
            }
        }
        // As many as there are records that nobody has got.
        while self.built_lying.len() > 2 * RECORDS
            && let Some(oldest) = self.built_lying.pop_front()
        {
            self.built.remove(&oldest);
        }
        produced
    }

    /// The producers of what a trace got that have no trace yet.
    fn missing(&self, trace: &Trace) -> SmallVec<[EventNumber; 4]> {
        let mut missing: SmallVec<[EventNumber; 4]> = SmallVec::new();
        for span in &trace.spans {
            let number = span.exchange.turns.first().number;
            let matches = self.settled.get(&number).into_iter().flatten();
            // What somebody works on was built before.
            let sent = matches.filter(|found| found.reason != Reason::OneMessage);
            missing.extend(sent.map(|found| found.producer));
        }
        missing.retain(|producer| !self.built.contains_key(producer));
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn wait(&mut self, trace: Trace, missing: &[EventNumber], out: &mut Vec<Trace>) {
        let number = self.waited;
        self.waited += 1;
        self.waiting_spans += trace.spans.len();
        for producer in missing {
            self.waiting_for.entry(*producer).or_default().push(number);
        }
        self.waiting.insert(number, Waiting { trace, since: self.clock, missing: missing.len() });
        while self.waiting_spans > WAITING
            && let Some((oldest, _)) = self.waiting.first_key_value()
        {
            self.early += 1;
            self.release(*oldest, out);
        }
    }

    fn release(&mut self, number: u64, out: &mut Vec<Trace>) {
        if let Some(Waiting { mut trace, .. }) = self.waiting.remove(&number) {
            self.waiting_spans -= trace.spans.len();
            self.link(&mut trace);
            out.push(trace);
        }
    }

    /// Puts its span links into a trace: on what its client got, whichever point saw it.
    fn link(&mut self, trace: &mut Trace) {
        for place in 0..trace.spans.len() {
            let Some(span) = trace.spans.get(place) else { continue };
            let number = span.exchange.turns.first().number;
            let Some(matches) = self.settled.remove(&number) else { continue };
            let top = top(&trace.spans, place);
            let Some(span) = trace.spans.get_mut(top) else { continue };
            for found in matches {
                let Some(built) = self.built.get_mut(&found.producer) else { continue };
                let Built { trace, span: id, is_root, .. } = *built;
                if found.reason != Reason::OneMessage {
                    built.lying = built.lying.saturating_sub(1);
                } else if !is_root {
                    // What was asked for somebody else's call is no work of its own.
                    continue;
                }
                let runner_up = found.runner_up.and_then(|other| self.built.get(&other));
                // What another point saw of the same exchange is no other candidate.
                let is_same = runner_up.is_some_and(|other| other.span == id);
                let link = SpanLink {
                    trace,
                    span: id,
                    reason: found.reason,
                    confidence: found.confidence(is_same),
                    against: found.against(is_same),
                    runner_up: runner_up.map(|other| other.span).filter(|other| *other != id),
                };
                add(&mut span.span_links, link);
            }
        }
    }
}

impl Match {
    /// How sure it is; whether the next best is the same exchange.
    fn confidence(&self, is_same: bool) -> f32 {
        let sure = match self.reason {
            Reason::StreamId => 1.0,
            Reason::OneMessage => 0.7,
            _ if self.runner_up.is_some() && !is_same => 0.6,
            _ => 0.95,
        };
        if self.same_broker { sure } else { sure * 0.8 }
    }

    fn against(&self, is_same: bool) -> SmallVec<[&'static str; 2]> {
        let mut against = SmallVec::new();
        if self.runner_up.is_some() && !is_same {
            against.push("others of equal content were there");
        }
        if !self.same_broker {
            against.push("it was put in at another address");
        }
        against
    }
}

impl Slot {
    /// Whether nothing is known of it any more.
    fn is_idle(&self) -> bool {
        self.puts == 0 && self.gets == 0
    }

    /// Who put in what was got out, if that is here.
    fn find(&mut self, consumed: &Consumed, reason: Reason) -> Option<Match> {
        let Consumed { seen, takes, .. } = consumed;
        // What another point saw to be got out as well.
        let again = |p: &Produced| p.taken.is_some_and(|taker| seen.took(&taker));
        let produced = &mut self.produced;
        let place = match produced.iter().position(again) {
            Some(place) => place,
            None => {
                let only = produced.len() == 1;
                let may = |p: &Produced| {
                    let slack = if only && p.seen.point != seen.point { APART } else { 0 };
                    p.seen.at.0 <= seen.at.0.saturating_add(slack) && !p.seen.is_same(seen)
                };
                let here = |p: &Produced| may(p) && p.seen.broker == seen.broker;
                let any_here = produced.iter().any(here);
                let fits = |p: &Produced| if any_here { here(p) } else { may(p) };
                match takes {
                    true => produced.iter().position(|p| fits(p) && p.taken.is_none()),
                    false => produced.iter().rposition(fits),
                }
                .or_else(|| {
                    // Another view of a call that took it, through a translation of addresses.
                    let near = |p: &Produced| {
                        p.taken.is_some_and(|taken| {
                            taken.point != seen.point
                                && taken.at.0.abs_diff(seen.at.0) < APART as u64
                        })
                    };
                    produced.iter().position(|p| fits(p) && near(p))
                })?
            }
        };
        let chosen = *produced.get(place)?;
        let is_other = |p: &&Produced| {
            p.producer != chosen.producer
                && p.seen.fingerprint != chosen.seen.fingerprint
                && p.seen.at <= seen.at
                && match takes {
                    true => p.taken.is_none(),
                    false => chosen.seen.at.0.abs_diff(p.seen.at.0) < APART as u64,
                }
        };
        let by_content = reason == Reason::MessageContent;
        let mut others = produced.iter().filter(is_other);
        let runner_up = match takes {
            true => others.next(),
            false => others.next_back(),
        };
        let found = Match {
            producer: chosen.producer,
            reason,
            same_broker: chosen.seen.broker == seen.broker,
            runner_up: runner_up.filter(|_| by_content).map(|p| p.producer),
        };
        if let Some(chosen) = produced.get_mut(place) {
            chosen.used = true;
            if *takes {
                chosen.taken.get_or_insert_with(|| seen.taker());
            }
        }
        Some(found)
    }
}

/// Adds a link, unless there is one to that span already; what is less sure is told.
fn add(links: &mut Vec<SpanLink>, link: SpanLink) {
    let same = |known: &&mut SpanLink| (known.trace, known.span) == (link.trace, link.span);
    match links.iter_mut().find(same) {
        Some(known) if known.confidence > link.confidence => *known = link,
        Some(_) => {}
        None => links.push(link),
    }
}

/// The outermost point of the exchange of a span.
fn top(spans: &[Span], place: usize) -> usize {
    let mut at = place;
    while let Some(span) = spans.get(at)
        && span.is_next_point()
        && let Some(link) = &span.link
    {
        at = link.parent;
    }
    at
}

/// Where messages with the id of this one are, or those with its content.
fn slot_of(record: &Record<'_>, by_id: bool) -> u64 {
    let seed = if by_id { xxh3_64_with_seed(record.id, 1) } else { record.digest };
    xxh3_64_with_seed(record.queue, seed)
}

/// The server that keeps the queue. It sends by itself what was subscribed to.
fn broker(exchange: &Exchange, role: Role) -> u64 {
    let broker = match exchange.sort {
        Sort::OneWay if role != Role::Produced => exchange.client,
        _ => exchange.server,
    };
    let port = u64::from(broker.port());
    match broker.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)) << 16 | port,
        IpAddr::V6(ip) => xxh3_64_with_seed(&ip.octets(), port),
    }
}

/// Records that were put in lately and are remembered; as many again that nobody has got yet.
pub const RECORDS: usize = 65_536;
/// Nanoseconds for which they are.
const KEPT_FOR: i64 = 3_600_000_000_000;
/// Records that were got before they were seen to be put in, and nanoseconds for which that counts.
const EARLY_GETS: usize = 16_384;
const EARLY_FOR: i64 = 60_000_000_000;
/// Messages of one content that are told apart.
const EQUAL: usize = 128;
/// Those that were got out before they were seen to be put in.
const EARLY: usize = 64;
/// Nanoseconds after which nothing can come any more that was there when a trace began to wait: a
/// little more than any component grows old.
const LONGEST_WAIT: i64 = 660_000_000_000;
/// Spans that wait for the traces of producers.
const WAITING: usize = 50_000;
/// Nanoseconds by which the clocks of two points may differ.
const APART: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Turn, Turns};
    use crate::records::Records;

    /// An exchange that puts something into `q`, or takes it out, by its number, a millisecond each.
    fn exchange(number: u64, role: Role, digest: u64) -> Exchange {
        let mut records = Records::default();
        records.restore(Record { role, queue: b"q", digest, id: b"" });
        let mut exchange = Exchange::lasting(0);
        let at = Timestamp(number as i64 * 1_000_000);
        exchange.request.first.at = at;
        exchange.request.seq = Some(number as u32);
        exchange.response.iter_mut().for_each(|half| half.last.at = at);
        exchange.turns = Turns { opened: None, closed: Turn { number: EventNumber(number), at } };
        exchange.records = Some(Box::new(records));
        exchange
    }

    fn trace(exchange: Exchange) -> Trace {
        let id = exchange.turns.closed.number.0 + 1;
        let span = Span {
            id,
            exchange: Box::new(exchange),
            point: 0,
            first_point: 0,
            service: "q".into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        };
        Trace { id: id.into(), wire: None, late: false, spans: vec![span] }
    }

    /// The producer's number of each link of a consumer that settles now.
    fn producers(messages: &mut Messages, exchange: Exchange) -> Vec<u64> {
        messages.settle(&exchange, false);
        let mut out = Vec::new();
        messages.pass(trace(exchange), &mut out);
        messages.finish(&mut out);
        let spans = out.iter().flat_map(|trace| &trace.spans);
        spans.flat_map(|span| &span.span_links).map(|link| link.span - 1).collect()
    }

    #[test]
    fn messages_that_nobody_gets_are_forgotten() {
        let mut messages = Messages::default();
        let count = 2 * RECORDS as u64 + 1000;
        for number in 0..count {
            messages.close(&exchange(number, Role::Produced, number));
        }
        let remembered = messages.recent.len() + messages.lying.len();
        assert_eq!((messages.slots.len(), messages.forgotten), (remembered, 1000));
        let hours = 2 * KEPT_FOR as u64 / 1_000_000;
        messages.close(&exchange(count + hours, Role::Produced, 0));
        assert_eq!((messages.recent.len(), messages.lying.len(), messages.slots.len()), (1, 0, 1));
        assert_eq!(messages.forgotten, 1000, "what lay for long is not what a limit drove out");
    }

    #[test]
    fn what_is_waited_for_is_forgotten_too() {
        let mut messages = Messages::default();
        for number in 0..2 * RECORDS as u64 {
            let pop = exchange(number, Role::Taken, number);
            messages.close(&pop);
            messages.settle(&pop, false);
        }
        assert!(messages.early_gets.len() <= EARLY_GETS);
        assert_eq!(messages.slots.len(), messages.early_gets.len());
        assert!(messages.open.is_empty() && messages.settled.is_empty());
    }

    #[test]
    fn what_nobody_got_yet_outlives_what_others_got() {
        let mut messages = Messages::default();
        let push = exchange(0, Role::Produced, u64::MAX);
        messages.close(&push);
        messages.pass(trace(push), &mut Vec::new());
        for number in (1..3 * RECORDS as u64).step_by(2) {
            let push = exchange(number, Role::Produced, number);
            let pop = exchange(number + 1, Role::Taken, number);
            messages.close(&push);
            messages.close(&pop);
            messages.settle(&pop, false);
            messages.settled.clear();
        }
        assert!(messages.slots.len() <= RECORDS + 1);
        let pop = exchange(4 * RECORDS as u64, Role::Taken, u64::MAX);
        messages.close(&pop);
        assert_eq!(producers(&mut messages, pop), [0]);
        assert_eq!(messages.forgotten, 0);
    }

    #[test]
    fn messages_of_equal_content_have_a_limit() {
        let mut messages = Messages::default();
        let count = 10 * EQUAL as u64;
        for number in 0..count {
            let push = exchange(number, Role::Produced, 7);
            messages.close(&push);
            messages.pass(trace(push), &mut Vec::new());
        }
        assert!(messages.slots.values().all(|slot| slot.produced.len() <= EQUAL));
        assert_eq!(messages.forgotten, count - EQUAL as u64);
        // The first of those that are left.
        let pop = exchange(count, Role::Taken, 7);
        messages.close(&pop);
        assert_eq!(producers(&mut messages, pop), [count - EQUAL as u64]);
    }

    #[test]
    fn a_long_backlog_of_different_messages_is_linked_in_order() {
        let mut messages = Messages::default();
        for number in 0..10_000 {
            let push = exchange(number, Role::Produced, number);
            messages.close(&push);
            messages.pass(trace(push), &mut Vec::new());
        }
        for number in 0..10_000 {
            let pop = exchange(20_000 + number, Role::Taken, number);
            messages.close(&pop);
            assert_eq!(producers(&mut messages, pop), [number]);
        }
        assert_eq!((messages.early, messages.waiting()), (0, 0));
    }

    #[test]
    fn traces_do_not_wait_for_what_cannot_come() {
        let mut messages = Messages::default();
        let mut out = Vec::new();
        let push = exchange(0, Role::Produced, 7);
        let pop = exchange(1, Role::Taken, 7);
        messages.close(&push);
        messages.close(&pop);
        messages.settle(&pop, false);
        messages.pass(trace(pop), &mut out);
        let wait = LONGEST_WAIT as u64 / 1_000_000;
        messages.pass(trace(exchange(wait, Role::Taken, 8)), &mut out);
        assert_eq!((out.len(), messages.waiting()), (1, 1));
        messages.pass(trace(exchange(wait + 2, Role::Taken, 8)), &mut out);
        assert_eq!((out.len(), messages.waiting(), messages.early), (3, 0, 1));
    }

    #[test]
    fn traces_that_wait_have_a_limit() {
        let mut messages = Messages::default();
        let mut out = Vec::new();
        let push = exchange(0, Role::Produced, 7);
        messages.close(&push);
        for number in 1..=WAITING as u64 + 10 {
            let read = exchange(number, Role::Received, 7);
            messages.close(&read);
            messages.settle(&read, false);
            messages.pass(trace(read), &mut out);
        }
        assert_eq!((out.len(), messages.early, messages.waiting()), (10, 10, WAITING));
        assert!(out.iter().all(|trace| trace.spans[0].span_links.is_empty()));
        messages.pass(trace(push), &mut out);
        assert_eq!((out.len(), messages.waiting()), (WAITING + 11, 0));
        assert!(out[11..].iter().all(|trace| trace.spans[0].span_links[0].span == 1));
        assert_eq!(out[11].id, 12, "those that wait go in order");
        assert!(messages.waiting_for.is_empty());
    }
}
