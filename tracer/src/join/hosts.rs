//! Which incoming exchanges were open at which host when: what could have caused a call of it.

use crate::exchange::EventNumber;
use crate::join::NEVER;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::PointId;

/// A host: an address in a network.
pub(crate) type Address = (NetworkId, IpAddr);

/// An exchange that the window holds, by its place there and by its number, as places come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) place: usize,
    pub(crate) number: EventNumber,
}

/// The incoming exchanges of all hosts, and their latest calls.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    by_address: HashMap<Address, Host, RandomState>,
    /// The number of hosts at which those are dropped at which nothing is open.
    look_at: usize,
    /// The point of the first exchange.
    first_point: Option<PointId>,
    /// Another point was seen too.
    several_points: bool,
}

#[derive(Debug)]
struct Host {
    /// What is open, by its start and first turn: its place in the window, and what of it was seen.
    open: BTreeMap<(Timestamp, EventNumber), (usize, Sighting)>,
    /// What has ended lately, in the order in which that was told.
    closed: VecDeque<Closed>,
    /// When each point saw those of both, by the number of each; once there are several points.
    times: HashMap<Sighting, SmallVec<[Time; 1]>, RandomState>,
    /// When the last one that is forgotten was told to have ended.
    forgotten: Timestamp,
    /// What the host has called lately, in the order in which that was told.
    calls: VecDeque<Call>,
    /// The latest start of these.
    latest: Timestamp,
}

#[derive(Debug)]
struct Closed {
    told: Timestamp,
    start: Timestamp,
    end: Timestamp,
    seat: Seat,
    sighting: Sighting,
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
    /// Equal for one exchange at all points.
    pub(crate) fingerprint: u64,
    /// The point.
    pub(crate) point: PointId,
}

/// A call of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) seat: Seat,
    pub(crate) start: Timestamp,
    /// The point that saw it.
    pub(crate) point: PointId,
    pub(crate) told: Timestamp,
}

impl Hosts {
    /// An exchange begins at its server.
    pub(crate) fn open(
        &mut self,
        server: Address,
        seat: Seat,
        start: Timestamp,
        sighting: Sighting,
        now: Timestamp,
    ) {
        let first = *self.first_point.get_or_insert(sighting.point);
        if !self.several_points && sighting.point != first {
            self.several_points = true;
            self.by_address.values_mut().for_each(Host::note_times);
        }
        let several_points = self.several_points;
        let host = self.host(server, now);
        host.open.insert((start, seat.number), (seat.place, sighting));
        if several_points {
            let time = Time { number: seat.number, start, end: NEVER };
            host.times.entry(sighting).or_default().push(time);
        }
    }

    /// It has ended.
    pub(crate) fn close(
        &mut self,
        server: Address,
        number: EventNumber,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) {
        let Some(host) = self.by_address.get_mut(&server) else { return };
        let Some((place, sighting)) = host.open.remove(&(start, number)) else { return };
        let seat = Seat { place, number };
        let times = if host.times.is_empty() { None } else { host.times.get_mut(&sighting) };
        if let Some(time) = times.and_then(|t| t.iter_mut().find(|time| time.number == number)) {
            time.end = end;
        }
        host.closed.push_back(Closed { told: now, start, end, seat, sighting });
        while let Some(first) = host.closed.front()
            && (host.closed.len() > REMEMBERED || is_old(first.told, now))
        {
            let (sighting, number) = (first.sighting, first.seat.number);
            host.forgotten = first.told;
            host.closed.pop_front();
            host.forget(sighting, number);
        }
    }

    /// It is given up.
    pub(crate) fn forget(&mut self, server: Address, number: EventNumber, start: Timestamp) {
        if let Some(host) = self.by_address.get_mut(&server)
            && let Some((_, sighting)) = host.open.remove(&(start, number))
        {
            host.forget(sighting, number);
        }
    }

    /// A host calls; gives the exchanges that were open there at this time, as far as was told.
    pub(crate) fn call(&mut self, caller: Address, call: Call) -> Candidates {
        let host = self.host(caller, call.told);
        while let Some(first) = host.calls.front()
            && (host.calls.len() >= REMEMBERED || is_old(first.told, call.told))
        {
            host.calls.pop_front();
        }
        host.latest = host.latest.max(call.start);
        host.calls.push_back(call);
        host.candidates(&call)
    }

    /// The calls of a host that began after this time and were told before now.
    pub(crate) fn calls_after(&self, caller: Address, time: Timestamp) -> Vec<Call> {
        let host = self.by_address.get(&caller).filter(|host| host.latest > time);
        let calls = host.into_iter().flat_map(|host| &host.calls);
        calls.filter(|call| call.start > time).copied().collect()
    }

    /// The exchanges that were open at the caller as a call began, by what is known now.
    pub(crate) fn candidates(&self, caller: Address, call: &Call) -> Candidates {
        let host = self.by_address.get(&caller);
        host.map_or(Candidates::NotAsked, |host| host.candidates(call))
    }

    fn host(&mut self, address: Address, now: Timestamp) -> &mut Host {
        if self.by_address.len() >= self.look_at.max(FEW) {
            self.by_address.retain(|_, host| {
                let told = [host.closed.back().map(|c| c.told), host.calls.back().map(|c| c.told)];
                let lately = told.into_iter().flatten().any(|told| !is_old(told, now));
                lately || !host.open.is_empty()
            });
            self.look_at = 2 * self.by_address.len();
        }
        self.by_address.entry(address).or_default()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            closed: VecDeque::new(),
            times: HashMap::default(),
            forgotten: Timestamp(i64::MIN),
            calls: VecDeque::new(),
            latest: Timestamp(i64::MIN),
        }
    }
}

impl Host {
    /// The exchanges that were open as a call began and may have caused it, as its point has seen
    /// them: what it has seen itself, it has seen at the right time.
    fn candidates(&self, call: &Call) -> Candidates {
        let (at, point) = (call.start, call.point);
        if self.open.is_empty() && self.closed.is_empty() {
            return Candidates::NotAsked;
        }
        // What is forgotten may have been open.
        if self.forgotten >= at {
            return Candidates::Several;
        }
        let open = self.open.iter().take_while(|((start, _), _)| *start <= at);
        let open = open.map(|((start, number), (place, sighting))| {
            (*start, Seat { place: *place, number: *number }, *sighting)
        });
        let lately = self.closed.iter().rev().take_while(|closed| closed.told >= at);
        let lately = lately
            .filter(|closed| closed.start <= at && closed.end >= at)
            .map(|closed| (closed.start, closed.seat, closed.sighting));
        let mut only: Option<(Timestamp, Seat, u64)> = None;
        for (start, seat, sighting) in open.chain(lately) {
            let Sighting { fingerprint, point: seen_at } = sighting;
            let next = Some((start, seat, fingerprint));
            match only {
                // Where a host calls itself, it is not its own cause.
                _ if seat.number == call.seat.number => {}
                // The same exchange at another point is no other candidate; the inner one counts,
                // which began last.
                Some((.., other)) if other == fingerprint => {
                    let key = |(start, seat, _): (Timestamp, Seat, u64)| (start, seat.number);
                    only = only.into_iter().chain(next).max_by_key(|found| key(*found));
                }
                _ if seen_at != point && self.was_over(at, Sighting { fingerprint, point }) => {}
                Some(_) => return Candidates::Several,
                None => only = next,
            }
        }
        only.map_or(Candidates::None, |(_, seat, _)| Candidates::One(seat))
    }
}

impl Host {
    /// Whether an exchange is known at this point, and was not open there at this time.
    fn was_over(&self, at: Timestamp, sighting: Sighting) -> bool {
        let times = self.times.get(&sighting);
        times.is_some_and(|times| times.iter().all(|time| at < time.start || time.end < at))
    }

    /// Notes when the exchanges were open that are known so far.
    fn note_times(&mut self) {
        for ((start, number), (_, sighting)) in &self.open {
            let time = Time { number: *number, start: *start, end: NEVER };
            self.times.entry(*sighting).or_default().push(time);
        }
        for Closed { start, end, seat, sighting, .. } in &self.closed {
            let time = Time { number: seat.number, start: *start, end: *end };
            self.times.entry(*sighting).or_default().push(time);
        }
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

/// What could have caused a call of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// The host has not been asked itself, or not lately.
    NotAsked,
    /// Nothing was open there.
    None,
    /// Exactly this one.
    One(Seat),
    /// More than one.
    Several,
}

impl Candidates {
    /// The only one.
    pub(crate) fn only(self) -> Option<Seat> {
        match self {
            Self::One(seat) => Some(seat),
            _ => None,
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
    pub(crate) fn count(&mut self, candidates: Candidates) {
        *self.of(candidates) += 1;
    }

    /// A call counts as something else now.
    pub(crate) fn uncount(&mut self, candidates: Candidates) {
        let count = self.of(candidates);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, candidates: Candidates) -> &mut u64 {
        match candidates {
            Candidates::NotAsked => &mut self.not_asked,
            Candidates::None => &mut self.idle,
            Candidates::One(_) => &mut self.one,
            Candidates::Several => &mut self.several,
        }
    }
}

/// Whether what was told at this time can hardly matter any more.
fn is_old(told: Timestamp, now: Timestamp) -> bool {
    told.plus(DISORDER) < now
}

/// Exchanges of one host that are remembered after their end, and calls.
const REMEMBERED: usize = 256;
/// Nanoseconds for which they are: packets of one capture are hardly ever in greater disorder.
const DISORDER: i64 = 1_000_000_000;
/// Hosts that are kept in any case.
const FEW: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_capture::packet::TapId;

    fn host(n: u8) -> Address {
        (NetworkId(0), IpAddr::from([10, 0, 0, n]))
    }

    fn seat(number: u64) -> Seat {
        Seat { place: number as usize, number: EventNumber(number) }
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
            let sighting = Sighting { fingerprint: *fingerprint, point: point(*tap) };
            hosts.open(host(1), seat(serial), Timestamp(*start), sighting, Timestamp(*start));
        }
        for (serial, (start, end, ..)) in (1..).zip(exchanges) {
            let (start, end) = (Timestamp(*start), Timestamp(*end));
            hosts.close(host(1), EventNumber(serial), start, end, end);
        }
        let at = Timestamp(at);
        let call = Call { seat: seat(0), start: at, point: point(tap), told: at };
        assert_eq!(hosts.call(host(1), call).only(), expected.map(seat));
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
        let sighting = |n| Sighting { fingerprint: n, point: point(u16::from(n == 500)) };
        for n in 1..=1_000 {
            let now = Timestamp(n as i64);
            hosts.open(host(1), seat(n), now, sighting(n % 600), now);
            match n % 2 {
                0 => hosts.close(host(1), EventNumber(n), now, now, now),
                _ => hosts.forget(host(1), EventNumber(n), now),
            }
        }
        let host = &hosts.by_address[&host(1)];
        let times: usize = host.times.values().map(|times| times.len()).sum();
        assert_eq!((times, host.closed.len(), host.open.len()), (REMEMBERED, REMEMBERED, 0));
    }

    #[test]
    fn hosts_at_which_nothing_is_open_do_not_pile_up() {
        let mut hosts = Hosts::default();
        for n in 0..10_000u32 {
            let server = (NetworkId(0), IpAddr::from(n.to_be_bytes()));
            let now = Timestamp(i64::from(n) * 10_000_000);
            hosts.open(
                server,
                seat(u64::from(n)),
                now,
                Sighting { fingerprint: 0, point: point(0) },
                now,
            );
            hosts.close(server, EventNumber(u64::from(n)), now, now, now);
        }
        assert!(hosts.by_address.len() <= 2 * FEW, "{}", hosts.by_address.len());
    }

    #[test]
    fn where_too_many_have_ended_nothing_is_said() {
        let calls: Vec<(i64, i64, u64)> = (0..300).map(|n| (10 + n, 20 + n, n as u64)).collect();
        check(&calls, 15, None);
        check(&calls, 10, None);
    }
}
