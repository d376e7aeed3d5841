//! On which side of two points hosts lie: learned from all that both points have seen.
//!
//! The way between two hosts leads past two points in one order, whatever is sent on it, so that a
//! packet that was stamped late says less than all of them together. What differs between two
//! clocks counts once for what goes there and once against it for what comes back, and cancels out:
//!
//! ```text
//!   host ──▶ one ──▶ other ──▶ host     away: how much later the other point saw it
//!   host ◀── one ◀── other ◀── host     back: how much later the first point saw it
//!                                       away + back > 0: the first one is nearer to this host
//! ```
//!
//! Hosts that talk past the points lie on different sides of them. So those that are connected by
//! talks add to one sum, whoever of them asks.

use crate::exchange::{Exchange, Half};
use crate::join::order::{Delay, delay};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::net::IpAddr;
use wirespan_capture::packet::NetworkId;
use wirespan_capture::stream::PointId;

/// What is known of all points.
#[derive(Debug, Default)]
pub struct Sides {
    pairs: HashMap<[PointId; 2], Pair, FixedState>,
    /// Exchanges of which more sightings may come, by fingerprint, and their order.
    recent: HashMap<u64, SmallVec<[Seen; 2]>, FixedState>,
    recent_order: VecDeque<u64>,
    /// How often two sightings told something of points or hosts for which there was no room.
    pub beyond: u64,
}

/// What is known of the points and hosts of one group, as it settles.
#[derive(Debug, Default)]
pub struct Learned(HashMap<([PointId; 2], [IpAddr; 2]), Ordering, FixedState>);

/// A sighting of an exchange that was answered.
#[derive(Clone, Debug)]
struct Seen {
    point: PointId,
    network: NetworkId,
    ends: [IpAddr; 2],
    halves: [Half; 2],
}

/// What is known of two points, the lower one first.
#[derive(Debug, Default)]
struct Pair {
    /// For each host the part of all that it belongs to, and on which side it lies there.
    hosts: HashMap<IpAddr, (usize, bool), FixedState>,
    parts: SmallVec<[Part; 1]>,
}

/// What hosts that are connected by talks have told.
#[derive(Debug, Default)]
struct Part {
    /// Differences of times in nanoseconds, away and back, of hosts on the side that is called
    /// `true`; the latest ones.
    samples: VecDeque<[i64; 2]>,
    /// How many more have come since there were enough.
    more: usize,
    /// Two hosts on one side have talked past the points.
    contradicts_itself: bool,
    /// Whether the first point is the one nearer to that side, once that is known.
    first_is_near: Option<bool>,
}

impl Learned {
    /// Which of two sightings of one exchange is nearer to the client (`Less`: the first).
    pub fn order(&self, one: &Exchange, other: &Exchange) -> Option<Ordering> {
        if self.0.is_empty() {
            return None;
        }
        let (pair, turned) = pair(one.point, other.point);
        let order = *self.0.get(&(pair, ends(one)))?;
        Some(if turned { order.reverse() } else { order })
    }
}

impl Sides {
    /// An exchange is complete, with the fingerprint that it has at all points. Told in the order
    /// of events.
    pub fn note(&mut self, exchange: &Exchange, fingerprint: u64) {
        let Some(response) = exchange.response else { return };
        let halves = [exchange.request, response];
        let (point, network, ends) = (exchange.point, exchange.network, ends(exchange));
        let seen = Seen { point, network, ends, halves };
        if !self.recent.contains_key(&fingerprint) {
            while self.recent_order.len() >= RECENT
                && let Some(oldest) = self.recent_order.pop_front()
            {
                self.recent.remove(&oldest);
            }
            self.recent_order.push_back(fingerprint);
        }
        let others = self.recent.entry(fingerprint).or_default();
        for other in others.iter() {
            self.beyond += u64::from(!learn(&mut self.pairs, other, &seen));
        }
        if others.len() < POINTS {
            others.push(seen);
        }
    }

    /// What is known of the points at which these have been seen, each with its fingerprint.
    pub fn learned<'a>(&self, exchanges: impl Iterator<Item = (u64, &'a Exchange)>) -> Learned {
        let mut learned = Learned::default();
        if self.pairs.is_empty() {
            return learned;
        }
        let mut all: Vec<(u64, &Exchange)> = exchanges.collect();
        all.sort_by_key(|(fingerprint, _)| *fingerprint);
        for same in all.chunk_by(|a, b| a.0 == b.0) {
            for (place, (_, one)) in same.iter().enumerate().take(POINTS) {
                for (_, other) in same.iter().skip(place + 1).take(POINTS) {
                    let (points, _) = pair(one.point, other.point);
                    let ends = ends(one);
                    if let Some(order) = self.pairs.get(&points).and_then(|p| p.order(ends)) {
                        learned.0.insert((points, ends), order);
                    }
                }
            }
        }
        learned
    }
}

impl Pair {
    /// Adds how much later the second point saw a request, and the first one the answer; whether
    /// there was room.
    fn add(&mut self, [client, server]: [IpAddr; 2], asked: i64, answered: i64) -> bool {
        let known = [client, server].map(|host| self.hosts.get(&host).copied());
        let full = self.hosts.len() + 2 > HOSTS;
        let (number, side) = match known {
            [Some((one, side)), Some((other, its))] => {
                if one == other && side == its {
                    if let Some(part) = self.parts.get_mut(one) {
                        part.contradicts_itself = true;
                    }
                    return true;
                }
                if one != other {
                    self.merge(one, other, side == its);
                }
                (one, side)
            }
            _ if full => return false,
            [Some((one, side)), None] => {
                self.hosts.insert(server, (one, !side));
                (one, side)
            }
            [None, Some((other, its))] => {
                self.hosts.insert(client, (other, !its));
                (other, !its)
            }
            [None, None] => {
                // One that was merged into another one is free.
                let free = self.parts.iter().position(|part| part.samples.is_empty());
                let number = free.unwrap_or(self.parts.len());
                if number >= PARTS {
                    return false;
                }
                if free.is_none() {
                    self.parts.push(Part::default());
                }
                self.hosts.insert(client, (number, true));
                self.hosts.insert(server, (number, false));
                (number, true)
            }
        };
        if let Some(part) = self.parts.get_mut(number) {
            part.add(if side { [asked, answered] } else { turned([asked, answered]) });
        }
        true
    }

    /// Two hosts of different parts have talked: they are one, of which one is turned round or not.
    fn merge(&mut self, kept: usize, gone: usize, turn: bool) {
        for (part, side) in self.hosts.values_mut().filter(|(part, _)| *part == gone) {
            (*part, *side) = (kept, *side ^ turn);
        }
        let from = self.parts.get_mut(gone).map(std::mem::take).unwrap_or_default();
        let Some(part) = self.parts.get_mut(kept) else { return };
        part.contradicts_itself |= from.contradicts_itself;
        for sample in from.samples {
            part.add(if turn { turned(sample) } else { sample });
        }
    }

    /// Which of the two points is nearer to the client (`Less`: the first).
    fn order(&self, [client, server]: [IpAddr; 2]) -> Option<Ordering> {
        let of_server = || self.hosts.get(&server).map(|(part, side)| (*part, !side));
        let (number, side) = self.hosts.get(&client).copied().or_else(of_server)?;
        let part = self.parts.get(number).filter(|part| !part.contradicts_itself)?;
        Some(if part.first_is_near? == side { Ordering::Less } else { Ordering::Greater })
    }
}

impl Part {
    fn add(&mut self, sample: [i64; 2]) {
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
            self.more += 1;
        }
        self.samples.push_back(sample);
        if self.more.is_multiple_of(LOOK_EACH) && self.samples.len() >= ENOUGH {
            let sum = to_and_fro(&self.samples);
            self.first_is_near = (sum != 0).then_some(sum > 0);
        }
    }
}

/// How long the way between the points takes there and back, in nanoseconds; less than nothing
/// where it leads the other way.
///
/// Stamps that are late by chance are so in both directions. So the least of the one and the most
/// of the other are late by the same, and so are the middles. Of these sums, that counts whose
/// values lie closest together, as it is hit best: of what is late by anything up to some time, the
/// edges; of what is late seldom, but much, the middle.
fn to_and_fro(samples: &VecDeque<[i64; 2]>) -> i64 {
    let sorted = |way: usize| {
        let mut all: Vec<i64> = samples.iter().filter_map(|s| s.get(way).copied()).collect();
        all.sort_unstable();
        all
    };
    let (away, back) = (sorted(0), sorted(1));
    let count = away.len();
    let (quarter, last) = (count / 4, count.saturating_sub(1));
    let of = |all: &[i64], place: usize| all.get(place).copied().unwrap_or_default();
    let sum = |place: usize| of(&away, place).saturating_add(of(&back, last - place));
    let width = |low: usize, high: usize| {
        let wide = |all: &[i64], low, high| of(all, high).saturating_sub(of(all, low));
        wide(&away, low, high).saturating_add(wide(&back, last - high, last - low))
    };
    let share = |width: i64, of: usize| width / i64::try_from(of.max(1)).unwrap_or(i64::MAX);
    let middle = (count / 2).min(last);
    let candidates = [
        (share(width(quarter, last - quarter), count.isqrt()), sum(middle)),
        (share(width(0, quarter), count / 4), sum(0)),
        (share(width(last - quarter, last), count / 4), sum(last)),
    ];
    candidates.into_iter().min_by_key(|(unsure, _)| *unsure).map_or(0, |(_, sum)| sum)
}

/// The same, told from the other side.
fn turned([away, back]: [i64; 2]) -> [i64; 2] {
    [back.saturating_neg(), away.saturating_neg()]
}

fn ends(exchange: &Exchange) -> [IpAddr; 2] {
    [exchange.client.ip(), exchange.server.ip()]
}

/// The lower one first, and whether that is the other one.
fn pair(one: PointId, other: PointId) -> ([PointId; 2], bool) {
    if other < one { ([other, one], true) } else { ([one, other], false) }
}

/// What two sightings tell; whether there was room.
fn learn(pairs: &mut HashMap<[PointId; 2], Pair, FixedState>, one: &Seen, other: &Seen) -> bool {
    let (points, is_turned) = pair(one.point, other.point);
    // Hops of one tap are numbered anew for each flow.
    let same_tap = one.point.taps == other.point.taps;
    let same_talk = (one.network, one.ends) == (other.network, other.ends);
    let within = one.ends.first() == one.ends.last();
    if same_tap || !same_talk || within {
        return true;
    }
    let (first, second) = if is_turned { (other, one) } else { (one, other) };
    let ([asked, answer], [asked_then, answer_then]) = (&first.halves, &second.halves);
    let ways = (delay(asked, asked_then), delay(answer_then, answer));
    let (Delay::Same(asked), Delay::Same(answered)) = ways else { return true };
    if pairs.len() >= PAIRS && !pairs.contains_key(&points) {
        return false;
    }
    pairs.entry(points).or_default().add(first.ends, asked, answered)
}

/// Pairs of points that are known; hosts of each, and parts that these fall into.
const PAIRS: usize = 1_024;
const HOSTS: usize = 256;
const PARTS: usize = 16;
/// Differences of a part that count, the fewest that say anything, and how many new ones it takes
/// to look again.
const SAMPLES: usize = 64;
const ENOUGH: usize = 4;
const LOOK_EACH: usize = 16;
/// Exchanges of which more sightings may come, and points of each.
const RECENT: usize = 1_024;
const POINTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    /// Differences of talks between hosts; which point is nearer to whom.
    fn check(talks: &[(u8, u8, i64, i64)], expected: &[(u8, u8, Option<Ordering>)]) {
        let mut pair = Pair::default();
        for (client, server, asked, answered) in talks {
            pair.add([host(*client), host(*server)], *asked, *answered);
        }
        for (client, server, order) in expected {
            assert_eq!(pair.order([host(*client), host(*server)]), *order, "{client} {server}");
        }
    }

    #[test]
    fn late_stamps_do_not_turn_the_order() {
        let late = [(0, 29), (7, 1), (30, 0), (12, 30), (1, 14), (28, 8)];
        let talks = late.map(|(asked, answered)| (1, 2, 3 + asked, 3 - answered));
        check(&talks, &[(1, 2, Some(Ordering::Less)), (2, 1, Some(Ordering::Greater))]);
    }

    #[test]
    fn a_clock_that_is_off_does_not_turn_the_order() {
        check(&[(1, 2, -95, 105); 4], &[(1, 2, Some(Ordering::Less))]);
    }

    #[test]
    fn hosts_that_are_connected_by_talks_count_together() {
        let talks = [(1, 2, 5, 5), (3, 4, 5, 5), (4, 1, -5, -5), (1, 4, 5, 5)];
        check(&talks, &[(3, 2, Some(Ordering::Less)), (2, 3, Some(Ordering::Greater))]);
    }

    #[test]
    fn few_talks_say_nothing() {
        check(&[(1, 2, 5, 5); 3], &[(1, 2, None)]);
    }

    #[test]
    fn there_is_no_room_for_all() {
        let mut pair = Pair::default();
        let alone = (0..PARTS as u8 + 2).map(|number| [host(2 * number), host(2 * number + 1)]);
        assert_eq!(alone.filter(|ends| pair.add(*ends, 5, 5)).count(), PARTS);
        let mut pair = Pair::default();
        let ends = |number: u32| [host(1), IpAddr::from((0x0a00_0100 + number).to_be_bytes())];
        assert_eq!((0..2 * HOSTS as u32).filter(|n| pair.add(ends(*n), 5, 5)).count(), HOSTS - 2);
    }

    #[test]
    fn hosts_on_one_side_of_both_points_say_nothing() {
        check(&[(1, 2, 5, 5), (2, 3, 5, 5), (1, 3, 5, 5), (1, 2, 5, 5)], &[(1, 2, None)]);
    }
}
