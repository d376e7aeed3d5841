//! Holds exchanges until what could belong to them has been seen, then lets them settle together.
//!
//! Exchanges that share an identifier, or of which one is the other's only candidate, form a
//! component. It settles when none of its exchanges is open and nothing has joined it for the
//! join window. Events come in one total order, so what settles when is the same on every run.

mod causes;
mod opened;
mod timetable;

pub use opened::Opened;

use crate::exchange::{Carrier, Context, EventNumber, Exchange, Sort, Turn};
use crate::join::hosts::{Arrival, Call, Callers, Candidates, Hosts, Seat, Sighting};
use crate::join::machines::{Ends, Machine, Machines};
use crate::join::missed::{self, Misses};
use crate::join::passing::{Nested, Passing};
use crate::join::patterns::{self, Began, Patterns};
use crate::join::sides::Sides;
use crate::join::{By, Group, IdSet, JoinKey, LooseKey, Member, NEVER};
use crate::losses::Missed;
use dashmap::DashMap;
use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use slab::Slab;
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, VecDeque};
use timetable::Timetable;
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::PointId;

/// Limits of the window.
#[derive(Clone, Copy, Debug)]
pub struct WindowLimits {
    /// Nanoseconds without news after which a component settles.
    pub quiet: i64,
    /// Nanoseconds after which a component settles though something is still open.
    pub oldest: i64,
    /// Exchanges that are held at a time.
    pub held: usize,
    /// Exchanges of one component.
    pub members: usize,
    /// Exchanges side by side that one trace id may carry before it counts as repeating.
    pub repeats: usize,
    /// The same for a request id, which is meant for one request.
    pub request_repeats: usize,
    /// Identifiers that are remembered after their trace was handed out.
    pub remembered: usize,
    /// The formats whose identifiers join.
    pub ids: IdSet,
}

impl Default for WindowLimits {
    fn default() -> Self {
        Self {
            quiet: 1_000_000_000,
            oldest: 600_000_000_000,
            held: 100_000,
            members: 10_000,
            repeats: 256,
            request_repeats: 32,
            remembered: 10_000,
            ids: IdSet::ALL,
        }
    }
}

/// Exchanges that wait for what belongs to them.
pub struct Window {
    limits: WindowLimits,
    held: Slab<Held>,
    /// What is open, by the turn at which it was told.
    open: HashMap<EventNumber, usize, FixedState>,
    components: Slab<Component>,
    /// The component that carries an identifier.
    by_key: DashMap<LooseKey, usize, RandomState>,
    /// The latest exchange with a fingerprint, and with one that leaves out addresses, once several
    /// points were seen.
    by_fingerprint: Option<[HashMap<u64, usize, RandomState>; 2]>,
    /// The first point that was seen.
    point: Option<PointId>,
    machines: Machines,
    /// What is open where.
    hosts: Hosts,
    patterns: Patterns,
    /// Who passes on under further addresses what it is asked.
    passing: Passing,
    /// Who calls only while another one is asked.
    nesting: Nested,
    /// Requests that were lost.
    misses: Misses,
    /// In which order points lie.
    sides: Sides,
    /// When which component may settle; a component's own `due` says which entry counts.
    due: Timetable,
    /// Numbers components in order of their birth.
    births: u64,
    now: Timestamp,
    settled: VecDeque<Group>,
    /// Identifiers that repeat without end, and how often each was seen.
    repeating: BTreeMap<LooseKey, u64>,
    /// Identifiers of traces that were handed out.
    known: HashMap<u64, Known, RandomState>,
    known_order: VecDeque<u64>,
    /// Components that settled early, by the limit that was reached.
    pub early: BTreeMap<&'static str, u64>,
    /// Calls, by what could have caused them.
    pub callers: Callers,
}

#[derive(Debug)]
struct Held {
    /// The first turn at which it was told.
    number: EventNumber,
    start: Timestamp,
    exchange: Option<Box<Exchange>>,
    /// What could have caused it, once that was looked at.
    candidates: Option<Candidates>,
    component: usize,
    client: Machine,
    server: Machine,
    sort: Sort,
    /// Its caller was asked for something before it called.
    machine_was_asked: bool,
    listener: u64,
    fingerprint: u64,
    /// The same whatever its addresses are.
    bytes: u64,
    ends: Ends,
    /// The identifiers that it is known to carry.
    keys: SmallVec<[JoinKey; 2]>,
    content: u64,
    /// What left one candidate of several.
    by: By,
    /// What it is one of many of, once it is complete and if it is a call of somebody.
    kind: Option<u64>,
    /// As what it counts among these.
    counted: Option<Began>,
    /// Its component settled without it.
    stayed: bool,
}

#[derive(Debug)]
struct Component {
    members: SmallVec<[u32; 4]>,
    keys: SmallVec<[LooseKey; 2]>,
    open: usize,
    birth: u64,
    since: Timestamp,
    last: Timestamp,
    /// Its entry in the window's `due`.
    due: Timestamp,
    /// The number of members at which repetition is looked at next.
    look_at: usize,
}

impl Window {
    /// An empty window.
    pub fn new(limits: WindowLimits) -> Self {
        Self {
            limits,
            held: Slab::new(),
            open: HashMap::with_hasher(FixedState::default()),
            components: Slab::new(),
            by_key: DashMap::with_hasher(RandomState::default()),
            by_fingerprint: None,
            point: None,
            machines: Machines::default(),
            hosts: Hosts::default(),
            patterns: Patterns::default(),
            passing: Passing::default(),
            nesting: Nested::default(),
            misses: Misses::default(),
            sides: Sides::default(),
            due: Timetable::default(),
            births: 0,
            now: Timestamp(i64::MIN),
            settled: VecDeque::new(),
            repeating: BTreeMap::new(),
            known: HashMap::default(),
            known_order: VecDeque::new(),
            early: BTreeMap::new(),
            callers: Callers::default(),
        }
    }

    /// A request was seen. What is due before must have been taken with [`Window::settled`].
    pub fn open(&mut self, turn: Turn, opened: &Opened) {
        self.now = self.now.max(turn.at);
        let place = self.hold(turn.number, opened);
        self.open.insert(turn.number, place);
    }

    /// An exchange is complete, or will not become so; its turns say when that was told. What is due
    /// before must have been taken with [`Window::settled`].
    pub fn close(&mut self, exchange: Box<Exchange>) {
        let now = exchange.turns.closed.at;
        self.now = self.now.max(now);
        let number = exchange.turns.first().number;
        let (place, was_open) = match self.open.remove(&number) {
            Some(place) => (place, true),
            None => {
                // Whose its ends are may be known later than it was told.
                let mut opened = Opened::of(&exchange);
                opened.processes = [0; 2];
                (self.hold(number, &opened), false)
            }
        };
        let Some(held) = self.held.get_mut(place) else { return };
        let stayed = held.stayed;
        // Without a response, it was open as long as nobody said otherwise.
        let start = exchange.start();
        let end = if exchange.response.is_some() { exchange.end() } else { now };
        let known = exchange.turns.opened.map_or(0, |opened| opened.contexts);
        // Those of a request's body come after it was told that it is open.
        let contexts = exchange.contexts.iter().enumerate().filter(|_| was_open);
        let later: SmallVec<[JoinKey; 2]> = contexts
            .filter(|(number, context)| {
                stayed || *number >= known || context.carried_by == Carrier::Response
            })
            .filter_map(|(_, context)| JoinKey::of(context))
            .collect();
        if held.candidates.is_some() {
            let client = self.machines.one(held.client);
            held.kind = Some(patterns::kind(client, held.listener, &exchange));
        }
        if self.by_fingerprint.is_some() {
            self.sides.note(&exchange, held.bytes);
        }
        held.exchange = Some(exchange);
        let (server, component) = (self.machines.one(held.server), held.component);
        self.hosts.close(server, number, start, end, now);
        self.count(place);
        self.narrow_by_kind(place);
        self.note_level(place);
        self.look_at_nesting(place);
        if let Some(component) = self.components.get_mut(component) {
            component.open -= 1;
        }
        for key in later {
            self.carry(key, place);
        }
        if let Some(component) = self.held.get(place).map(|held| held.component) {
            self.touch(component);
        }
        self.reconsider(server, end);
    }

    /// A request was lost, of which nothing else is known.
    pub fn missed(&mut self, missed: Missed) {
        let server = self.machines.number(missed::ends(&missed).server);
        self.misses.note(server, missed);
    }

    /// The next group that settles before this time; at the end of time, all do.
    pub fn settled(&mut self, now: Timestamp) -> Option<Group> {
        while self.settled.is_empty() {
            let (due, birth, component) = self.due.pop_before(now)?;
            self.now = self.now.max(due);
            let Some(state) = self.component(component, birth, due) else { continue };
            let quiet = state.last.plus(self.limits.quiet);
            let oldest = match state.open == state.members.len() {
                true => NEVER,
                false => state.since.plus(self.limits.oldest),
            };
            match state.open {
                0 if quiet > due => self.schedule(component, quiet.plus(self.slop())),
                0 => self.settle(component),
                _ if now == NEVER => self.settle(component),
                _ if oldest > due => {
                    // Nothing happens before `now`, so that looking before would find the same.
                    let step = self.limits.quiet.max(CHECK);
                    let wait = now.min(oldest).0.saturating_sub(due.0);
                    let steps = wait.saturating_add(step - 1) / step;
                    self.schedule(component, due.plus(step.saturating_mul(steps.max(1))));
                }
                _ => {
                    *self.early.entry("age").or_default() += 1;
                    self.settle(component);
                }
            }
        }
        self.settled.pop_front()
    }

    /// Says that an identifier repeats, so that it is no evidence any more.
    pub fn repeats(&mut self, key: LooseKey, times: u64) {
        if self.repeating.len() < REPEATING || self.repeating.contains_key(&key) {
            *self.repeating.entry(key).or_default() += times;
        }
    }

    /// The identifiers that repeat without end, and how often each was seen.
    pub fn repeating(&self) -> &BTreeMap<LooseKey, u64> {
        &self.repeating
    }

    /// How often the order of two points could have been told, but there was no room.
    pub fn orders_beyond(&self) -> u64 {
        self.sides.beyond
    }

    /// Waits no longer for what is open: nobody will say that it is complete.
    pub fn forget_all_open(&mut self) {
        let mut places: Vec<usize> = self.open.values().copied().collect();
        places.sort_unstable();
        places.into_iter().for_each(|place| self.forget_open(place));
    }

    /// Settles what would settle first, until no more than so many exchanges are held.
    pub fn relieve(&mut self, held: usize) {
        while self.held.len() > held && self.settle_first("memory") {}
    }

    /// How many exchanges are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn hold(&mut self, number: EventNumber, opened: &Opened) -> usize {
        if self.held.len() >= self.limits.held {
            self.settle_first("held");
        }
        let Opened { ends, listener, start, point, fingerprint, bytes, .. } = *opened;
        if let Some(also) = ends.also {
            self.same_machine(ends.server, also);
        }
        let client = self.machines.number(ends.client);
        let server = self.machines.number(ends.server);
        let component = self.components.vacant_key();
        let place = self.held.insert(Held {
            number,
            start,
            exchange: None,
            candidates: None,
            component,
            client,
            server,
            sort: opened.sort,
            machine_was_asked: self.hosts.load(client).is_known(),
            listener,
            fingerprint,
            bytes,
            ends,
            keys: SmallVec::new(),
            content: opened.content,
            by: By::Open,
            kind: None,
            counted: None,
            stayed: false,
        });
        self.begin_component(place);
        let seat = Seat { place, number };
        let [calling, serving] = opened.processes;
        let sighting = Sighting { fingerprint, bytes, point };
        for key in opened.contexts.iter().filter_map(JoinKey::of) {
            self.carry(key, place);
        }
        // A connection is ended whenever its owner finds the time: that something was open there
        // then says nothing.
        let is_call = opened.sort != Sort::End && !opened.is_pushed;
        let call = is_call.then_some(Call {
            seat,
            start,
            sighting,
            listener,
            content: opened.content,
            within: client == server,
            process: calling,
            told: self.now.max(start),
        });
        let candidates = call.map(|call| self.hosts.call(client, call));
        let arrival = Arrival {
            seat,
            start,
            sighting,
            listener,
            client,
            addresses: [ends.client.number(), ends.server.number()],
            content: opened.content,
            values: opened.values,
            from_outside: client != server,
            process: serving,
            under: None,
        };
        self.hosts.open(server, arrival, self.now);
        if let Some(candidates) = candidates {
            self.called_by(seat, candidates);
        }
        self.look_at_passed_on(place, opened);
        for other in self.seen_elsewhere(place, sighting).into_iter().flatten() {
            self.unite(place, other);
        }
        self.reconsider(server, start);
        place
    }

    /// Settles the component that would settle first, since this limit was reached; false if there
    /// is none.
    fn settle_first(&mut self, limit: &'static str) -> bool {
        while let Some((due, birth, component)) = self.due.pop_before(NEVER) {
            let Some(state) = self.component(component, birth, due) else { continue };
            // What is open is forgotten; it comes anew when it is complete.
            for place in state.members.clone() {
                self.forget_open(place as usize);
            }
            self.settle(component);
            *self.early.entry(limit).or_default() += 1;
            return true;
        }
        false
    }

    fn held_at(&self, seat: Seat) -> Option<&Held> {
        self.held.get(seat.place).filter(|held| held.number == seat.number)
    }

    /// A component of one open exchange; gives its place.
    fn begin_component(&mut self, place: usize) -> usize {
        self.births += 1;
        let component = self.components.insert(Component {
            members: smallvec![place as u32],
            keys: SmallVec::new(),
            open: 1,
            birth: self.births,
            since: self.now,
            last: self.now,
            due: NEVER,
            look_at: (self.limits.request_repeats * 2).min(self.limits.members),
        });
        self.touch(component);
        component
    }

    /// The same exchange, as another point has seen it, surely at the same addresses, and maybe at
    /// others.
    fn seen_elsewhere(&mut self, place: usize, sighting: Sighting) -> [Option<usize>; 2] {
        let Sighting { fingerprint, bytes, point } = sighting;
        if *self.point.get_or_insert(point) != point && self.by_fingerprint.is_none() {
            let mut all = [HashMap::default(), HashMap::default()];
            for (other, held) in self.held.iter().filter(|(other, _)| *other != place) {
                for (latest, fingerprint) in all.iter_mut().zip([held.fingerprint, held.bytes]) {
                    let latest = latest.entry(fingerprint).or_insert(other);
                    let before = self.held.get(*latest).map(|before| before.number);
                    if before < Some(held.number) {
                        *latest = other;
                    }
                }
            }
            self.by_fingerprint = Some(all);
        }
        let mut found = [None, None];
        for ((latest, fingerprint), found) in
            self.by_fingerprint.iter_mut().flatten().zip([fingerprint, bytes]).zip(&mut found)
        {
            *found = latest.insert(fingerprint, place);
        }
        found
    }

    /// The exchange at this place carries an identifier.
    fn carry(&mut self, key: JoinKey, place: usize) {
        let Some(held) = self.held.get_mut(place) else { return };
        let component = held.component;
        if held.keys.len() < KEYS && !held.keys.contains(&key) {
            held.keys.push(key);
        }
        let key = key.loose();
        if let Some(times) = self.repeating.get_mut(&key) {
            *times += 1;
            // It joins nothing, but the component must know that it is no evidence.
            if let Some(component) = self.components.get_mut(component)
                && !component.keys.contains(&key)
            {
                component.keys.push(key);
            }
            return;
        }
        let known = self.by_key.get(&key).map(|entry| *entry.value());
        match known {
            Some(other) if other == component => {}
            Some(other) => {
                if let Some(first) = self.components.get(other).and_then(|c| c.members.first()) {
                    self.unite(place, *first as usize);
                }
            }
            None => {
                self.by_key.insert(key, component);
                if let Some(component) = self.components.get_mut(component) {
                    component.keys.push(key);
                }
            }
        }
    }

    /// Makes one component of those of two exchanges.
    fn unite(&mut self, a: usize, b: usize) {
        let component = |place: usize| self.held.get(place).map(|held| held.component);
        let (Some(a), Some(b)) = (component(a), component(b)) else { return };
        if a == b {
            return;
        }
        let size = |component: usize| {
            self.components.get(component).map(|c| (c.members.len(), u64::MAX - c.birth))
        };
        let (kept, gone) = if size(a) >= size(b) { (a, b) } else { (b, a) };
        let Some(gone_state) = self.components.try_remove(gone) else { return };
        for member in &gone_state.members {
            if let Some(held) = self.held.get_mut(*member as usize) {
                held.component = kept;
            }
        }
        for key in gone_state.keys.iter().filter(|key| !self.repeating.contains_key(*key)) {
            self.by_key.insert(*key, kept);
        }
        let Some(state) = self.components.get_mut(kept) else { return };
        state.members.extend(gone_state.members);
        state.keys.extend(gone_state.keys);
        state.open += gone_state.open;
        state.since = state.since.min(gone_state.since);
        state.last = state.last.max(gone_state.last);
        self.touch(kept);
        self.look_for_repetition(kept);
    }

    /// Something has happened in a component: it settles later.
    fn touch(&mut self, component: usize) {
        let now = self.now;
        let Some(state) = self.components.get_mut(component) else { return };
        state.last = now;
        // An entry that is too early is set right when it comes up.
        if state.due == NEVER {
            self.schedule(component, now.plus(self.limits.quiet).plus(self.slop()));
        }
    }

    /// A component may settle so much later than it could, so that one that ends soon after it
    /// began need not be looked at twice.
    fn slop(&self) -> i64 {
        self.limits.quiet / 16
    }

    /// Sets when a component is looked at.
    fn schedule(&mut self, component: usize, ready: Timestamp) {
        if let Some(state) = self.components.get_mut(component) {
            state.due = ready;
            self.due.push((ready, state.birth, component));
        }
    }

    /// A component, if this entry of `due` still counts for it.
    fn component(&self, component: usize, birth: u64, due: Timestamp) -> Option<&Component> {
        self.components.get(component).filter(|state| state.birth == birth && state.due == due)
    }

    /// Judges the identifiers of a component that has grown much.
    fn look_for_repetition(&mut self, component: usize) {
        let Some(state) = self.components.get_mut(component) else { return };
        if state.members.len() < state.look_at {
            return;
        }
        state.look_at = (state.members.len() * 2).min(self.limits.members);
        let full = state.members.len() >= self.limits.members;
        let found = self.judge(component);
        if full || found {
            if !found {
                *self.early.entry("members").or_default() += 1;
            }
            self.settle(component);
        }
    }

    /// Looks whether identifiers of a component repeat; says whether one was found that does.
    fn judge(&mut self, component: usize) -> bool {
        let Some(state) = self.components.get(component) else { return false };
        if state.members.len() <= self.limits.request_repeats.min(self.limits.repeats) {
            return false;
        }
        // Each member may bring identifiers of its own, so all are looked at once only.
        let mut carriers: HashMap<LooseKey, SmallVec<[usize; 2]>, RandomState> = HashMap::default();
        for place in state.members.iter().map(|place| *place as usize) {
            let Some(held) = self.held.get(place) else { continue };
            let mut carries = |key: JoinKey| {
                let carriers = carriers.entry(key.loose()).or_default();
                if carriers.last() != Some(&place) {
                    carriers.push(place);
                }
            };
            match &held.exchange {
                Some(exchange) => {
                    exchange.contexts.iter().filter_map(JoinKey::of).for_each(carries);
                }
                None => held.keys.iter().for_each(|key| carries(*key)),
            }
        }
        let mut found = false;
        for key in state.keys.clone() {
            let Some(mut carriers) = carriers.remove(&key) else { continue };
            if self.repeating.contains_key(&key) {
                continue;
            }
            // What is open is counted as it ends.
            let ended =
                |place: &&usize| self.held.get(**place).is_some_and(|h| h.exchange.is_some());
            let times = carriers.iter().filter(ended).count() as u64;
            if self.side_by_side(&mut carriers) > repeats(&self.limits, key) {
                self.repeats(key, times);
                found |= self.repeating.contains_key(&key);
            }
        }
        found
    }

    /// How many of these exchanges lie within none of the others.
    fn side_by_side(&self, places: &mut [usize]) -> usize {
        // What is open may be what all the others are made for.
        let times = |place: &usize| {
            let held = self.held.get(*place)?;
            Some((held.start, held.exchange.as_ref().map_or(NEVER, |exchange| exchange.end())))
        };
        places.sort_by_key(|place| times(place));
        outermost(places.iter().filter_map(times))
    }

    fn repeating_of(&self, component: usize) -> SmallVec<[LooseKey; 2]> {
        let keys = self.components.get(component).map(|c| c.keys.as_slice()).unwrap_or_default();
        keys.iter().filter(|key| self.repeating.contains_key(*key)).copied().collect()
    }

    /// Lets go of a component; what is still open in it goes on in components of its own.
    fn settle(&mut self, component: usize) {
        self.judge(component);
        let known = self.remember(component);
        let repeating = self.repeating_of(component);
        let Some(state) = self.components.try_remove(component) else { return };
        for key in &state.keys {
            self.by_key.remove(key);
        }
        let mut members = Vec::with_capacity(state.members.len());
        let held = state.members.iter().filter_map(|place| self.held.get(*place as usize));
        let complete = held.filter_map(|held| Some((held.bytes, held.exchange.as_deref()?)));
        let learned = self.sides.learned(complete);
        for place in state.members {
            let place = place as usize;
            let Some(held) = self.held.get_mut(place) else { continue };
            match held.exchange.take() {
                Some(exchange) => {
                    let held = self.held.remove(place);
                    self.forget_fingerprints([held.fingerprint, held.bytes], place);
                    let cause = self.cause(&held);
                    let client = self.machines.one(held.client);
                    let server = self.machines.one(held.server);
                    let Held { listener, content, bytes, .. } = held;
                    members.push(Member {
                        exchange,
                        cause,
                        client,
                        server,
                        listener,
                        content,
                        bytes,
                        service: None,
                    });
                }
                None => self.stay(place),
            }
        }
        members
            .sort_by_key(|member| (member.exchange.start(), member.exchange.turns.first().number));
        if !members.is_empty() {
            self.misses.mark(&mut members);
            let mut group = Group { members, repeating, known, learned, ..Group::default() };
            group.find_halves();
            self.settled.push_back(group);
        }
    }

    /// Notes the identifiers of a component that is handed out; gives those that were known, and
    /// judges those that come again and again.
    fn remember(&mut self, component: usize) -> SmallVec<[LooseKey; 2]> {
        let mut again = SmallVec::new();
        let Some(state) = self.components.get(component) else { return again };
        if state.members.len() == state.open {
            return again;
        }
        let count = state.members.len() as u32;
        for key in state.keys.clone() {
            if self.repeating.contains_key(&key) {
                continue;
            }
            let short = key.short();
            let second = self.now.0.div_euclid(1_000_000_000);
            match self.known.get_mut(&short) {
                Some(known) => {
                    known.times += 1;
                    known.count = known.count.saturating_add(count);
                    let old = known.first + KNOWN_FOR < second;
                    let times = u64::from(known.count);
                    if old || known.times > COMES_AGAIN {
                        self.repeats(key, times);
                    } else {
                        again.push(key);
                    }
                }
                None => {
                    while self.known_order.len() >= self.limits.remembered {
                        if let Some(oldest) = self.known_order.pop_front() {
                            self.known.remove(&oldest);
                        }
                    }
                    self.known.insert(short, Known { first: second, times: 1, count });
                    self.known_order.push_back(short);
                }
            }
        }
        again
    }

    /// Takes an exchange that is open out of the window; not out of its component.
    fn forget_open(&mut self, place: usize) {
        let open = self.held.get(place).is_some_and(|held| held.exchange.is_none());
        let Some(held) = open.then(|| self.held.try_remove(place)).flatten() else { return };
        self.open.remove(&held.number);
        self.forget_fingerprints([held.fingerprint, held.bytes], place);
        let server = self.machines.one(held.server);
        self.hosts.forget(server, held.number, held.start, self.now);
    }

    fn forget_fingerprints(&mut self, fingerprints: [u64; 2], place: usize) {
        for (latest, fingerprint) in self.by_fingerprint.iter_mut().flatten().zip(fingerprints) {
            if latest.get(&fingerprint) == Some(&place) {
                latest.remove(&fingerprint);
            }
        }
    }

    /// An open exchange stays when its component settles.
    fn stay(&mut self, place: usize) {
        let component = self.begin_component(place);
        if let Some(held) = self.held.get_mut(place) {
            (held.component, held.stayed) = (component, true);
        }
    }
}

/// Lets only identifiers of these formats join.
pub fn restrict(contexts: &mut [Context], ids: IdSet) {
    for context in contexts.iter_mut().filter(|context| !ids.has(context.format)) {
        context.joins = false;
    }
}

/// An identifier of a trace that was handed out.
#[derive(Debug)]
struct Known {
    /// Seconds since 1970.
    first: i64,
    /// Components that carried it.
    times: u32,
    /// Exchanges in them.
    count: u32,
}

/// How many exchanges an identifier may carry side by side.
pub fn repeats(limits: &WindowLimits, key: LooseKey) -> usize {
    match key.carried.format.names_trace() {
        true => limits.repeats,
        false => limits.request_repeats,
    }
}

/// How many of these intervals, in order of their starts, lie within none of the others.
pub fn outermost(intervals: impl Iterator<Item = (Timestamp, Timestamp)>) -> usize {
    let mut reach = Timestamp(i64::MIN);
    let mut count = 0;
    for (_, end) in intervals {
        if end > reach {
            count += 1;
            reach = end;
        }
    }
    count
}

/// Nanoseconds after which a component with open exchanges is looked at again, at least.
const CHECK: i64 = 100_000_000;
/// Components in which one identifier may come, one after the other.
const COMES_AGAIN: u32 = 8;
/// Identifiers of an exchange that is open.
const KEYS: usize = 8;
/// Seconds for which a trace may go on after it was first handed out.
const KNOWN_FOR: i64 = 60;
/// Repeating identifiers that are remembered.
const REPEATING: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{OPERATION, Opening, RESOURCE, TraceNumber, Turns};
    use crate::join::{machines, passing};
    use std::net::Ipv4Addr;
    use wirespan_parsers::message::{Attribute, Value};
    use wirespan_parsers::trace_context::Format;

    /// Each machine asks the next one for something that nobody asked for before, under an
    /// identifier of its own.
    fn exchange(number: u32, at: i64) -> Box<Exchange> {
        let mut exchange = Exchange::lasting(0);
        let address = |number| Ipv4Addr::from_bits(0x0a00_0000 + number);
        exchange.client = (address(number), 40_000).into();
        exchange.server = (address(number + 1), 80).into();
        for half in [Some(&mut exchange.request), exchange.response.as_mut()].into_iter().flatten()
        {
            half.seq = Some(number);
            half.first.at = Timestamp(at);
            half.last.at = Timestamp(at + 500_000);
        }
        // Words without digits are no values.
        let word: String = number.to_string().bytes().map(|b| char::from(b + 49)).collect();
        for name in [OPERATION, RESOURCE] {
            exchange.text.add(Attribute { name, value: Value::Text(word.as_bytes()) });
        }
        exchange.contexts.push(Context {
            format: Format::RequestId,
            carried_by: Carrier::Request,
            trace: TraceNumber::of(u128::from(number)),
            span: None,
            parent: None,
            joins: true,
            hidden: false,
        });
        Box::new(exchange)
    }

    #[test]
    fn flood_of_addresses_does_not_fill_memory() {
        let limits = WindowLimits { held: 1_000, remembered: 1_000, ..WindowLimits::default() };
        let mut window = Window::new(limits);
        // Each is still open as the next one begins.
        let mut open: Option<Box<Exchange>> = None;
        for number in 0..40_000 {
            let at = i64::from(number) * 400_000;
            let turn = |more| Turn {
                number: EventNumber(2 * u64::from(number) + more),
                at: Timestamp(at + 100 * more as i64),
            };
            while window.settled(turn(0).at).is_some() {}
            let mut exchange = exchange(number, at);
            let opened = Opened::of(&exchange);
            window.open(turn(0), &opened);
            let point = exchange.first_point;
            exchange.turns.opened =
                Some(Opening { turn: turn(0), contexts: 1, point, processes: [false; 2] });
            if let Some(mut before) = open.replace(exchange) {
                before.turns = Turns { closed: turn(1), ..before.turns };
                window.close(before);
            }
            if number % 1_000 > 0 {
                continue;
            }
            let [names, merged] = window.machines.sizes();
            assert!(names <= machines::NAMES && merged <= machines::NAMES);
            let [asked, votes] = window.passing.sizes();
            assert!(asked <= passing::ASKED && votes <= passing::CALLERS);
            assert!(window.nesting.sizes()[0] <= passing::CALLERS);
            assert!(window.patterns.len() <= patterns::KINDS);
            assert!(window.len() <= limits.held && window.open.len() <= limits.held);
            assert!(window.by_key.len() <= 2 * limits.held);
            assert!(window.known.len() <= limits.remembered);
            // Those of one second, and as many as there may be before it is looked.
            assert!(window.hosts.len() <= 2 * 2 * 2_500 + 2_048, "{}", window.hosts.len());
        }
        assert!(window.early["held"] > 0);
    }
}
