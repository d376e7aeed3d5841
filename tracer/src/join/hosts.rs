//! Which incoming exchanges were open at which host when: what could have caused a call of it.

use crate::exchange::EventNumber;
use crate::join::NEVER;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::PointId;

/// A host: an address in a network.
pub(crate) type Address = (NetworkId, IpAddr);

/// The incoming exchanges of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    by_address: HashMap<Address, Host, RandomState>,
    /// The number of hosts at which those are dropped at which nothing is open.
    look_at: usize,
}

#[derive(Debug, Default)]
struct Host {
    /// What is open, by its start and first turn.
    open: BTreeMap<(Timestamp, EventNumber), Sighting>,
    /// What has ended lately, in the order in which that was told.
    closed: VecDeque<Closed>,
}

#[derive(Debug)]
struct Closed {
    told: Timestamp,
    start: Timestamp,
    end: Timestamp,
    number: EventNumber,
    sighting: Sighting,
}

/// An exchange as one point sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Equal for one exchange at all points.
    pub(crate) fingerprint: u64,
    /// The point.
    pub(crate) point: PointId,
}

impl Hosts {
    /// An exchange begins at its server.
    pub(crate) fn open(
        &mut self,
        server: Address,
        number: EventNumber,
        start: Timestamp,
        sighting: Sighting,
        now: Timestamp,
    ) {
        if self.by_address.len() >= self.look_at.max(FEW) {
            self.by_address.retain(|_, host| {
                let lately = host.closed.back().is_some_and(|last| !last.is_old(now));
                lately || !host.open.is_empty()
            });
            self.look_at = 2 * self.by_address.len();
        }
        self.by_address.entry(server).or_default().open.insert((start, number), sighting);
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
        let Some(sighting) = host.open.remove(&(start, number)) else { return };
        host.closed.push_back(Closed { told: now, start, end, number, sighting });
        while host.closed.len() > CLOSED || host.closed.front().is_some_and(|c| c.is_old(now)) {
            host.closed.pop_front();
        }
    }

    /// It is given up.
    pub(crate) fn forget(&mut self, server: Address, number: EventNumber, start: Timestamp) {
        if let Some(host) = self.by_address.get_mut(&server) {
            host.open.remove(&(start, number));
        }
    }

    /// The exchanges that were open at a host at this time, as a call that this point sees may have
    /// been caused by them: what the point has seen itself, it has seen at the right time.
    pub(crate) fn candidates(&self, host: Address, at: Timestamp, point: PointId) -> Candidates {
        let Some(host) = self.by_address.get(&host) else { return Candidates::NotAsked };
        let open = host.open.iter().take_while(|((start, _), _)| *start <= at);
        let open = open.map(|((_, number), sighting)| (*number, *sighting));
        let lately = host.closed.iter().rev().take_while(|closed| closed.told >= at);
        let lately = lately
            .filter(|closed| closed.start <= at && closed.end >= at)
            .map(|closed| (closed.number, closed.sighting));
        let mut only: Option<(EventNumber, u64)> = None;
        for (number, sighting) in open.chain(lately) {
            let Sighting { fingerprint, point: seen_at } = sighting;
            match only {
                // The same exchange at another point is no other candidate; the inner one counts.
                Some((_, other)) if other == fingerprint => only = Some((number, fingerprint)),
                _ if seen_at != point && host.was_over(at, Sighting { fingerprint, point }) => {}
                Some(_) => return Candidates::Several,
                None => only = Some((number, fingerprint)),
            }
        }
        only.map_or(Candidates::None, |(number, _)| Candidates::One(number))
    }
}

impl Host {
    /// Whether an exchange is known at this point, and was not open there at this time.
    fn was_over(&self, at: Timestamp, sighting: Sighting) -> bool {
        let open = self.open.iter().filter(|(_, known)| **known == sighting);
        let closed = self.closed.iter().filter(|closed| closed.sighting == sighting);
        let mut times = open
            .map(|((start, _), _)| *start..=NEVER)
            .chain(closed.map(|closed| closed.start..=closed.end))
            .peekable();
        times.peek().is_some() && !times.any(|time| time.contains(&at))
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
    One(EventNumber),
    /// More than one.
    Several,
}

impl Candidates {
    /// The only one.
    pub(crate) fn only(self) -> Option<EventNumber> {
        match self {
            Self::One(number) => Some(number),
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
        *match candidates {
            Candidates::NotAsked => &mut self.not_asked,
            Candidates::None => &mut self.idle,
            Candidates::One(_) => &mut self.one,
            Candidates::Several => &mut self.several,
        } += 1;
    }
}

impl Closed {
    fn is_old(&self, now: Timestamp) -> bool {
        self.told.plus(DISORDER) < now
    }
}

/// Exchanges of one host that are remembered after their end.
const CLOSED: usize = 256;
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

    fn number(number: u64) -> EventNumber {
        EventNumber(number)
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
            hosts.open(host(1), number(serial), Timestamp(*start), sighting, Timestamp(*start));
        }
        for (serial, (start, end, ..)) in (1..).zip(exchanges) {
            let (start, end) = (Timestamp(*start), Timestamp(*end));
            hosts.close(host(1), number(serial), start, end, end);
        }
        assert_eq!(
            hosts.candidates(host(1), Timestamp(at), point(tap)).only(),
            expected.map(number)
        );
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
        check(&[(10, 20, 1), (11, 21, 1)], 15, Some(1));
        check_at(&[(10, 20, 1, 0), (11, 21, 1, 1)], 15, 0, Some(1));
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
    fn hosts_at_which_nothing_is_open_do_not_pile_up() {
        let mut hosts = Hosts::default();
        for n in 0..10_000u32 {
            let server = (NetworkId(0), IpAddr::from(n.to_be_bytes()));
            let now = Timestamp(i64::from(n) * 10_000_000);
            hosts.open(
                server,
                number(u64::from(n)),
                now,
                Sighting { fingerprint: 0, point: point(0) },
                now,
            );
            hosts.close(server, number(u64::from(n)), now, now, now);
        }
        assert!(hosts.by_address.len() <= 2 * FEW, "{}", hosts.by_address.len());
    }
}
