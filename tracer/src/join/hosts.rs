//! Which incoming exchanges were open at which machine when: what could have caused a call of it.
//!
//! Of exchanges that lie in each other at one machine, as where a sidecar passes on to the
//! application what came from outside, only the innermost counts: what a call is made for, it is
//! made for through that one.

use crate::exchange::EventNumber;
use crate::join::NEVER;
use crate::join::machines::Machine;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::PointId;

/// An exchange that the window holds, by its place there and by its number, as places come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) place: usize,
    pub(crate) number: EventNumber,
}

/// The incoming exchanges of all machines, and their latest calls.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    by_machine: HashMap<Machine, Host, RandomState>,
    /// Those at which something is open.
    busy: BTreeSet<Machine>,
    /// The number of machines at which those are dropped at which nothing is open.
    look_at: usize,
    /// The point of the first exchange.
    first_point: Option<PointId>,
    /// Another point was seen too.
    several_points: bool,
}

#[derive(Debug)]
struct Host {
    /// What it has called lately, in the order in which that was told.
    calls: VecDeque<Call>,
    /// The latest start of these.
    latest: Timestamp,
    /// What it is asked; nothing is kept of machines that only call, as there may be very many.
    asked: Option<Box<Asked>>,
}

#[derive(Debug)]
struct Asked {
    /// What is open, by its start and first turn.
    open: BTreeMap<(Timestamp, EventNumber), Arrival>,
    /// What has ended lately, in the order in which that was told.
    closed: VecDeque<Closed>,
    /// When each point saw those of both, by the number of each; once there are several points.
    times: HashMap<Sighting, SmallVec<[Time; 1]>, RandomState>,
    /// When the last one that is forgotten was told to have ended.
    forgotten: Timestamp,
    /// How much of the time how much was open.
    load: Load,
}

/// An exchange that a machine serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) seat: Seat,
    pub(crate) start: Timestamp,
    pub(crate) sighting: Sighting,
    /// Stands for the address and port that were asked.
    pub(crate) listener: u64,
    /// Who asked.
    pub(crate) client: Machine,
    /// Numbers that stand for the addresses of both ends, whatever network they are in.
    pub(crate) addresses: [u64; 2],
    /// Stands for what is asked.
    pub(crate) content: u64,
    /// The values that it carries, one bit each.
    pub(crate) values: u64,
    /// Who asked was another machine.
    pub(crate) from_outside: bool,
    /// The process that serves it, as a number; 0 where that is not known.
    pub(crate) process: u64,
    /// The fingerprint of the exchange at the same machine that it was made for, as far as is known.
    pub(crate) under: Option<u64>,
}

/// What has been open at a machine for the whole of a call that another one made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    pub(crate) machine: Machine,
    /// Who asked for the latest of it.
    pub(crate) client: Machine,
    /// The latest of it.
    pub(crate) exchange: EventNumber,
    /// One of these shares more values with the call than any of those that had ended before.
    pub(crate) alike: bool,
    /// How likely that is by chance.
    pub(crate) chance: f64,
}

#[derive(Debug)]
struct Closed {
    told: Timestamp,
    end: Timestamp,
    arrival: Arrival,
}

/// From when to when an exchange was open.
#[derive(Clone, Copy, Debug)]
struct Time {
    number: EventNumber,
    start: Timestamp,
    end: Timestamp,
}

/// An exchange as one point sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sighting {
    /// Equal for one exchange at all points that see it at the same addresses.
    pub(crate) fingerprint: u64,
    /// The same whatever its addresses are.
    pub(crate) bytes: u64,
    /// The point.
    pub(crate) point: PointId,
}

/// A call of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) seat: Seat,
    pub(crate) start: Timestamp,
    pub(crate) sighting: Sighting,
    /// Stands for the address and port that it asks.
    pub(crate) listener: u64,
    /// Stands for what it asks.
    pub(crate) content: u64,
    /// It asks its own machine.
    pub(crate) within: bool,
    /// The process that calls, as a number; 0 where that is not known.
    pub(crate) process: u64,
    pub(crate) told: Timestamp,
}

/// How much of the time nothing was open at a machine that others had asked, and how much of it one
/// exchange; in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Nothing was open.
    pub idle: i64,
    /// Exactly one exchange was.
    pub one: i64,
    /// More were.
    pub several: i64,
    open: u32,
    since: Option<Timestamp>,
    /// The point whose sightings count.
    point: Option<PointId>,
}

impl Load {
    /// For how many nanoseconds something has been open by now.
    pub(crate) fn busy(mut self, now: Timestamp) -> f64 {
        self.pass(now);
        self.one.saturating_add(self.several) as f64
    }

    /// Whether the machine was ever seen to be asked.
    pub(crate) fn is_known(&self) -> bool {
        self.since.is_some()
    }

    fn pass(&mut self, now: Timestamp) {
        if let Some(since) = self.since {
            let passed = now.0.saturating_sub(since.0).max(0);
            match self.open {
                0 => self.idle = self.idle.saturating_add(passed),
                1 => self.one = self.one.saturating_add(passed),
                _ => self.several = self.several.saturating_add(passed),
            }
        }
        self.since = Some(self.since.map_or(now, |since| since.max(now)));
    }

    fn counts(&mut self, arrival: &Arrival) -> bool {
        arrival.from_outside
            && *self.point.get_or_insert(arrival.sighting.point) == arrival.sighting.point
    }

    fn opened(&mut self, arrival: &Arrival, now: Timestamp) {
        if self.counts(arrival) {
            self.pass(now);
            self.open += 1;
        }
    }

    fn closed(&mut self, arrival: &Arrival, now: Timestamp) {
        if self.counts(arrival) {
            self.pass(now);
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Adds up to now what was told of another address; what is open is counted anew after that.
    fn add(&mut self, mut other: Self, now: Timestamp) {
        self.pass_if_known(now);
        other.pass_if_known(now);
        self.idle = self.idle.saturating_add(other.idle);
        self.one = self.one.saturating_add(other.one);
        self.several = self.several.saturating_add(other.several);
        self.since = self.since.max(other.since);
        self.point = self.point.or(other.point);
    }

    fn pass_if_known(&mut self, now: Timestamp) {
        if self.is_known() {
            self.pass(now);
        }
    }
}

impl Hosts {
    /// An exchange begins at its server.
    pub(crate) fn open(&mut self, server: Machine, arrival: Arrival, now: Timestamp) {
        let Arrival { seat, start, sighting, .. } = arrival;
        let first = *self.first_point.get_or_insert(sighting.point);
        if !self.several_points && sighting.point != first {
            self.several_points = true;
            let asked = self.by_machine.values_mut().filter_map(|host| host.asked.as_deref_mut());
            asked.for_each(Asked::note_times);
        }
        let several_points = self.several_points;
        let host = self.host(server, now).asked.get_or_insert_default();
        host.load.opened(&arrival, now);
        let was_idle = host.open.is_empty();
        host.open.insert((start, seat.number), arrival);
        if several_points {
            let time = Time { number: seat.number, start, end: NEVER };
            host.times.entry(sighting).or_default().push(time);
        }
        if was_idle {
            self.busy.insert(server);
        }
    }

    /// It has ended.
    pub(crate) fn close(
        &mut self,
        server: Machine,
        number: EventNumber,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) {
        let Some(host) = self.asked_mut(server) else { return };
        let Some(arrival) = host.open.remove(&(start, number)) else { return };
        let is_idle = host.open.is_empty();
        host.load.closed(&arrival, now);
        let times =
            if host.times.is_empty() { None } else { host.times.get_mut(&arrival.sighting) };
        if let Some(time) = times.and_then(|t| t.iter_mut().find(|time| time.number == number)) {
            time.end = end;
        }
        host.closed.push_back(Closed { told: now, end, arrival });
        while let Some(first) = host.closed.front()
            && (host.closed.len() > REMEMBERED || is_old(first.told, now))
        {
            let Arrival { sighting, seat, .. } = first.arrival;
            host.forgotten = first.told;
            host.closed.pop_front();
            host.forget(sighting, seat.number);
        }
        if is_idle {
            self.busy.remove(&server);
        }
    }

    /// It is given up.
    pub(crate) fn forget(
        &mut self,
        server: Machine,
        number: EventNumber,
        start: Timestamp,
        now: Timestamp,
    ) {
        let Some(host) = self.asked_mut(server) else { return };
        let Some(arrival) = host.open.remove(&(start, number)) else { return };
        host.load.closed(&arrival, now);
        host.forget(arrival.sighting, number);
        if host.open.is_empty() {
            self.busy.remove(&server);
        }
    }

    /// It was made for the exchange with this fingerprint, as far as is known.
    pub(crate) fn put_under(
        &mut self,
        server: Machine,
        number: EventNumber,
        start: Timestamp,
        under: Option<u64>,
    ) {
        if let Some(host) = self.asked_mut(server) {
            if let Some(arrival) = host.open.get_mut(&(start, number)) {
                arrival.under = under;
            } else if let Some(closed) =
                host.closed.iter_mut().rev().find(|closed| closed.arrival.seat.number == number)
            {
                closed.arrival.under = under;
            }
        }
    }

    /// A machine calls; gives the exchanges that were open there at this time, as far as was told.
    pub(crate) fn call(&mut self, caller: Machine, call: Call) -> Candidates {
        let host = self.host(caller, call.told);
        while let Some(first) = host.calls.front()
            && (host.calls.len() >= REMEMBERED || is_old(first.told, call.told))
        {
            host.calls.pop_front();
        }
        host.latest = host.latest.max(call.start);
        if host.calls.capacity() == 0 {
            // Of very many machines, each calls once.
            host.calls.reserve_exact(1);
        }
        host.calls.push_back(call);
        host.candidates(&call)
    }

    /// The calls of a machine that began after this time and were told before now.
    pub(crate) fn calls_after(&self, caller: Machine, time: Timestamp) -> SmallVec<[Call; 2]> {
        let host = self.by_machine.get(&caller).filter(|host| host.latest > time);
        // None begins after it was told.
        let calls = host.into_iter().flat_map(|host| host.calls.iter().rev());
        let calls = calls.take_while(|call| call.told > time);
        let mut after: SmallVec<[Call; 2]> =
            calls.filter(|call| call.start > time).copied().collect();
        after.reverse();
        after
    }

    /// The exchanges that were open at the caller as a call began, by what is known now.
    pub(crate) fn candidates(&self, caller: Machine, call: &Call) -> Candidates {
        let host = self.by_machine.get(&caller);
        host.map_or(Candidates::NotAsked, |host| host.candidates(call))
    }

    /// The machines, but for caller and called, at which something has been open since before a call
    /// began that has nothing to do with both ends of it (`own`); in order.
    pub(crate) fn around(
        &self,
        time: Timestamp,
        own: [u64; 2],
        [caller, called]: [Machine; 2],
        values: u64,
    ) -> Vec<Around> {
        if self.by_machine.len() > FEW {
            return Vec::new();
        }
        let around = |machine: Machine| {
            let asked = self.asked(machine)?;
            let before = asked.open.range(..(time, EventNumber(0))).rev();
            let mut others = before.map(|(_, arrival)| arrival).filter(|a| {
                let [from, to] = a.addresses;
                // What it does itself, or is done at who it asks, may be seen in other networks too.
                let itself = a.client == caller || own.contains(&from) || own.contains(&to);
                a.from_outside && !itself
            });
            let latest = others.next()?;
            let shared = |arrival: &Arrival| (arrival.values & values).count_ones();
            let (open, most) = others
                .take(CANDIDATES)
                .fold((1, shared(latest)), |(n, most), other| (n + 1, most.max(shared(other))));
            let ended =
                asked.closed.iter().rev().filter(|c| c.arrival.from_outside && c.end < time);
            let (ended, before) = ended
                .take(EARLIER)
                .fold((0, 0), |(n, most), closed| (n + 1, most.max(shared(&closed.arrival))));
            // Of things in no order, the one that shares most is each as often.
            let chance = f64::from(open) / f64::from(open + ended);
            let (client, exchange) = (latest.client, latest.seat.number);
            Some(Around { machine, client, exchange, alike: ended > 0 && most > before, chance })
        };
        let others = self.busy.iter().filter(|machine| **machine != caller && **machine != called);
        others.filter_map(|machine| around(*machine)).collect()
    }

    /// How much was open at a machine.
    pub(crate) fn load(&self, machine: Machine) -> Load {
        self.asked(machine).map(|asked| asked.load).unwrap_or_default()
    }

    /// Two machines are one.
    pub(crate) fn merge(&mut self, kept: Machine, gone: Machine, now: Timestamp) {
        self.busy.remove(&gone);
        let Some(gone) = self.by_machine.remove(&gone) else { return };
        let host = self.by_machine.entry(kept).or_default();
        let calls = std::mem::take(&mut host.calls).into_iter().chain(gone.calls);
        let mut calls: Vec<Call> = calls.collect();
        calls.sort_by_key(|call| (call.told, call.seat.number));
        host.calls = calls.into();
        host.latest = host.latest.max(gone.latest);
        if let Some(gone) = gone.asked {
            let asked = host.asked.get_or_insert_default();
            asked.add(*gone, now);
            if !asked.open.is_empty() {
                self.busy.insert(kept);
            }
        }
    }

    fn asked(&self, machine: Machine) -> Option<&Asked> {
        self.by_machine.get(&machine)?.asked.as_deref()
    }

    fn asked_mut(&mut self, machine: Machine) -> Option<&mut Asked> {
        self.by_machine.get_mut(&machine)?.asked.as_deref_mut()
    }

    fn host(&mut self, machine: Machine, now: Timestamp) -> &mut Host {
        if self.by_machine.len() >= self.look_at.max(FEW) {
            self.by_machine.retain(|_, host| host.is_of_use(now));
            if self.by_machine.len() > MOST {
                self.by_machine.retain(|_, host| host.asked.is_some());
            }
            self.look_at = 2 * self.by_machine.len();
        }
        self.by_machine.entry(machine).or_default()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self { calls: VecDeque::new(), latest: Timestamp(i64::MIN), asked: None }
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            closed: VecDeque::new(),
            times: HashMap::default(),
            forgotten: Timestamp(i64::MIN),
            load: Load::default(),
        }
    }
}

impl Host {
    /// Whether something is open there, or was lately.
    fn is_of_use(&self, now: Timestamp) -> bool {
        let asked = self.asked.as_deref();
        let ended = asked.and_then(|asked| asked.closed.back()).map(|closed| closed.told);
        let told = [ended, self.calls.back().map(|call| call.told)];
        asked.is_some_and(|asked| !asked.open.is_empty())
            || told.into_iter().flatten().any(|told| !is_old(told, now))
    }

    fn candidates(&self, call: &Call) -> Candidates {
        self.asked.as_ref().map_or(Candidates::NotAsked, |asked| asked.candidates(call))
    }
}

impl Asked {
    /// The exchanges that were open as a call began and may have caused it, as its point has seen
    /// them: what it has seen itself, it has seen at the right time.
    fn candidates(&self, call: &Call) -> Candidates {
        let (at, point) = (call.start, call.sighting.point);
        if self.open.is_empty() && self.closed.is_empty() {
            return Candidates::NotAsked;
        }
        // What is forgotten may have been open.
        if self.forgotten >= at {
            return Candidates::Many;
        }
        let open = self.open.range(..=(at, EventNumber(u64::MAX))).map(|(_, arrival)| arrival);
        let lately = self.closed.iter().rev().take_while(|closed| closed.told >= at);
        let lately = lately
            .filter(|closed| closed.arrival.start <= at && closed.end >= at)
            .map(|closed| &closed.arrival);
        let mut found: SmallVec<[&Arrival; CANDIDATES]> = SmallVec::new();
        // A bit for the bytes of each: most differ in these, so that few are compared.
        let mut seen = [0_u64; 16];
        for arrival in open.chain(lately) {
            let Sighting { fingerprint, bytes, point: seen_at } = arrival.sighting;
            // Where a machine calls itself, a call is not its own cause. One that asks what was
            // asked before is its repetition, unless it comes from outside and is passed on.
            let itself = fingerprint == call.sighting.fingerprint
                || (arrival.listener == call.listener && !(arrival.from_outside && call.within));
            let others =
                arrival.process != 0 && call.process != 0 && arrival.process != call.process;
            if itself || others {
                continue;
            }
            // The same exchange at another point is no other candidate; the inner one counts, which
            // began last.
            let is_same = |other: &&mut &Arrival| {
                let elsewhere =
                    other.sighting.point != seen_at && other.listener == arrival.listener;
                other.sighting.fingerprint == fingerprint
                    || (elsewhere && other.sighting.bytes == bytes)
            };
            let place = seen.get_mut((bytes >> 6) as usize % 16);
            let bit = 1 << (bytes % 64);
            let before = place.map_or(0, |place| std::mem::replace(place, *place | bit));
            let may_be_seen = before & bit != 0;
            let same = may_be_seen.then(|| found.iter_mut().find(is_same)).flatten();
            if let Some(other) = same {
                let key = |arrival: &Arrival| (arrival.start, arrival.seat.number);
                if key(arrival) > key(other) {
                    *other = arrival;
                }
                continue;
            }
            if seen_at != point && self.was_over(at, Sighting { fingerprint, bytes, point }) {
                continue;
            }
            if found.len() >= CANDIDATES {
                return Candidates::Many;
            }
            found.push(arrival);
        }
        let outer: SmallVec<[u64; 4]> = found.iter().filter_map(|other| other.under).collect();
        let inner = |arrival: &&&Arrival| !outer.contains(&arrival.sighting.fingerprint);
        // What asks for the same is passed on, unless an inner one has done so.
        let alike = |arrival: &&&Arrival| arrival.content == call.content;
        let passed_on = match found.iter().filter(inner).any(|arrival| alike(&arrival)) {
            true => None,
            false => found.iter().filter(alike).max_by_key(|a| (a.start, a.seat.number)),
        };
        let innermost = found.iter().filter(inner).chain(passed_on);
        let innermost: SmallVec<[Seat; CANDIDATES]> = innermost.map(|a| a.seat).collect();
        match innermost.as_slice() {
            [] => Candidates::None,
            [only] => Candidates::One(*only),
            several => Candidates::Several(SmallVec::from_slice(several)),
        }
    }

    /// Whether an exchange is known at this point, and was not open there at this time.
    fn was_over(&self, at: Timestamp, sighting: Sighting) -> bool {
        let times = self.times.get(&sighting);
        times.is_some_and(|times| times.iter().all(|time| at < time.start || time.end < at))
    }

    /// Notes when the exchanges were open that are known so far.
    fn note_times(&mut self) {
        for Arrival { start, seat, sighting, .. } in self.open.values() {
            let time = Time { number: seat.number, start: *start, end: NEVER };
            self.times.entry(*sighting).or_default().push(time);
        }
        for Closed { end, arrival: Arrival { start, seat, sighting, .. }, .. } in &self.closed {
            let time = Time { number: seat.number, start: *start, end: *end };
            self.times.entry(*sighting).or_default().push(time);
        }
    }

    /// Takes over what was asked under another address.
    fn add(&mut self, other: Self, now: Timestamp) {
        self.open.extend(other.open);
        let closed = std::mem::take(&mut self.closed).into_iter().chain(other.closed);
        let mut closed: Vec<Closed> = closed.collect();
        closed.sort_by_key(|closed| (closed.told, closed.arrival.seat.number));
        self.closed = closed.into();
        for (sighting, times) in other.times {
            self.times.entry(sighting).or_default().extend(times);
        }
        self.forgotten = self.forgotten.max(other.forgotten);
        self.load.add(other.load, now);
        let point = self.load.point;
        let counted =
            |arrival: &&Arrival| arrival.from_outside && Some(arrival.sighting.point) == point;
        self.load.open = self.open.values().filter(counted).count() as u32;
    }

    fn forget(&mut self, sighting: Sighting, number: EventNumber) {
        if self.times.is_empty() {
            return;
        }
        if let Entry::Occupied(mut times) = self.times.entry(sighting) {
            times.get_mut().retain(|time| time.number != number);
            if times.get().is_empty() {
                times.remove();
            }
        }
    }
}

/// What could have caused a call of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// The machine has not been asked itself, or not lately.
    NotAsked,
    /// Nothing was open there.
    None,
    /// Exactly this one.
    One(Seat),
    /// These.
    Several(SmallVec<[Seat; 4]>),
    /// More than are looked at.
    Many,
}

impl Candidates {
    /// The only one.
    pub(crate) fn only(&self) -> Option<Seat> {
        match self {
            Self::One(seat) => Some(*seat),
            _ => None,
        }
    }

    /// All that are known.
    pub(crate) fn seats(&self) -> &[Seat] {
        match self {
            Self::One(seat) => std::slice::from_ref(seat),
            Self::Several(seats) => seats,
            _ => &[],
        }
    }
}

/// How many calls there were by what could have caused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// Calls of hosts that are not asked themselves, or not lately.
    pub not_asked: u64,
    /// Calls that began while nothing was open at their caller.
    pub idle: u64,
    /// Calls that began while exactly one was.
    pub one: u64,
    /// Calls that began while several were.
    pub several: u64,
}

impl Callers {
    pub(crate) fn count(&mut self, candidates: &Candidates) {
        *self.of(candidates) += 1;
    }

    /// A call counts as something else now.
    pub(crate) fn uncount(&mut self, candidates: &Candidates) {
        let count = self.of(candidates);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, candidates: &Candidates) -> &mut u64 {
        match candidates {
            Candidates::NotAsked => &mut self.not_asked,
            Candidates::None => &mut self.idle,
            Candidates::One(_) => &mut self.one,
            Candidates::Several(_) | Candidates::Many => &mut self.several,
        }
    }
}

/// Whether what was told at this time can hardly matter any more.
fn is_old(told: Timestamp, now: Timestamp) -> bool {
    told.plus(DISORDER) < now
}

/// Exchanges of one machine that are remembered after their end, and calls.
const REMEMBERED: usize = 256;
/// Nanoseconds for which they are: packets of one capture are hardly ever in greater disorder.
const DISORDER: i64 = 1_000_000_000;
/// Machines that are kept in any case.
const FEW: usize = 1024;
/// Machines beyond which those are let go that only call: a call of one is not looked at again if
/// it is told late that the machine was asked before.
const MOST: usize = 16_384;
/// Exchanges that have ended with which those that are open are compared.
const EARLIER: usize = 16;
/// Exchanges that are looked at as the cause of a call.
pub const CANDIDATES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_capture::packet::TapId;

    impl Hosts {
        /// How many machines it remembers.
        pub(crate) fn len(&self) -> usize {
            self.by_machine.len()
        }
    }

    const HOST: Machine = 1;

    fn seat(number: u64) -> Seat {
        Seat { place: number as usize, number: EventNumber(number) }
    }

    fn arrival(number: u64, start: Timestamp, sighting: Sighting) -> Arrival {
        let seat = seat(number);
        let (listener, process) = (number, 0);
        Arrival {
            seat,
            start,
            sighting,
            listener,
            client: 0,
            addresses: [0; 2],
            content: number,
            values: 0,
            from_outside: true,
            process,
            under: None,
        }
    }

    fn point(tap: u16) -> PointId {
        PointId::at(TapId(tap))
    }

    fn check(exchanges: &[(i64, i64, u64)], at: i64, expected: Option<u64>) {
        let here: Vec<_> = exchanges.iter().map(|(start, end, f)| (*start, *end, *f, 0)).collect();
        check_at(&here, at, 0, expected);
    }

    /// Each with its point; and the point of the call.
    fn check_at(exchanges: &[(i64, i64, u64, u16)], at: i64, tap: u16, expected: Option<u64>) {
        let mut hosts = Hosts::default();
        for (serial, (start, _, fingerprint, tap)) in (1..).zip(exchanges) {
            let sighting = Sighting { fingerprint: *fingerprint, bytes: 0, point: point(*tap) };
            let start = Timestamp(*start);
            hosts.open(HOST, arrival(serial, start, sighting), start);
        }
        for (serial, (start, end, ..)) in (1..).zip(exchanges) {
            let (start, end) = (Timestamp(*start), Timestamp(*end));
            hosts.close(HOST, EventNumber(serial), start, end, end);
        }
        let at = Timestamp(at);
        let sighting = Sighting { fingerprint: u64::MAX, bytes: 0, point: point(tap) };
        let call = Call {
            seat: seat(0),
            start: at,
            sighting,
            content: 0,
            listener: 0,
            within: false,
            process: 0,
            told: at,
        };
        assert_eq!(hosts.call(HOST, call).only(), expected.map(seat));
    }

    #[test]
    fn one_that_was_open_is_found_after_its_end_too() {
        check(&[(10, 20, 1)], 15, Some(1));
        check(&[(10, 20, 1)], 25, None);
        check(&[(10, 20, 1)], 5, None);
    }

    #[test]
    fn two_are_no_candidate_but_one_at_two_points_is() {
        check(&[(10, 20, 1), (11, 21, 2)], 15, None);
        check(&[(10, 20, 1), (11, 21, 1)], 15, Some(2));
        check_at(&[(10, 20, 1, 0), (11, 21, 1, 1)], 15, 0, Some(2));
    }

    #[test]
    fn what_was_over_at_the_point_of_the_call_has_not_caused_it() {
        let twice = [(10, 20, 1, 0), (30, 40, 1, 1)];
        check_at(&twice, 35, 1, Some(2));
        check_at(&twice, 35, 0, None);
        // A point that has not seen it cannot know.
        check_at(&twice, 35, 2, Some(2));
    }

    #[test]
    fn times_are_known_for_as_long_as_their_exchanges() {
        let mut hosts = Hosts::default();
        // Once a second point has been seen, in the midst of them.
        let sighting = |n| Sighting { fingerprint: n, bytes: 0, point: point(u16::from(n == 500)) };
        for n in 1..=1_000 {
            let now = Timestamp(n as i64);
            hosts.open(HOST, arrival(n, now, sighting(n % 600)), now);
            match n % 2 {
                0 => hosts.close(HOST, EventNumber(n), now, now, now),
                _ => hosts.forget(HOST, EventNumber(n), now, now),
            }
        }
        let asked = hosts.asked(HOST).unwrap();
        let times: usize = asked.times.values().map(|times| times.len()).sum();
        assert_eq!((times, asked.closed.len(), asked.open.len()), (REMEMBERED, REMEMBERED, 0));
    }

    #[test]
    fn hosts_at_which_nothing_is_open_do_not_pile_up() {
        let mut hosts = Hosts::default();
        for n in 0..10_000u32 {
            let now = Timestamp(i64::from(n) * 10_000_000);
            let sighting = Sighting { fingerprint: 0, bytes: 0, point: point(0) };
            hosts.open(n, arrival(u64::from(n), now, sighting), now);
            hosts.close(n, EventNumber(u64::from(n)), now, now, now);
        }
        assert!(hosts.by_machine.len() <= 2 * FEW, "{}", hosts.by_machine.len());
    }

    #[test]
    fn where_too_many_have_ended_nothing_is_said() {
        let calls: Vec<(i64, i64, u64)> = (0..300).map(|n| (10 + n, 20 + n, n as u64)).collect();
        check(&calls, 15, None);
        check(&calls, 10, None);
    }
}
