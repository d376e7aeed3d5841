//! What was lost, and when: intervals in which the capture lost packets or this program shed some;
//! out go marks on the exchanges that they touch, and what the counts say.
//!
//! An interval marks what it overlaps in time on its interface, whether or not the exchange itself
//! lacks a packet: what called it, or what it called, may be missing. So that no span is handed
//! out before its mark is known, intervals must be told before what they touch can settle.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use wirespan_capture::packet::{InterfaceId, Loss, NetworkId, Timestamp};
use wirespan_capture::stream::PointId;

/// By what losses an exchange is touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The capture lost packets at the time, on an interface that saw it.
    pub kernel_drops: bool,
    /// Packets were shed at the time.
    pub shed: bool,
    /// A request to its caller was lost, which may have caused it.
    pub request: bool,
}

impl Touched {
    /// By nothing.
    pub const NONE: Self = Self { kernel_drops: false, shed: false, request: false };

    /// The names in the output of what it is touched by.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let names = [(self.kernel_drops, KERNEL_DROPS), (self.shed, SHED), (self.request, REQUEST)];
        names.into_iter().filter_map(|(is_so, name)| is_so.then_some(name))
    }

    /// That of a name in the output.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            KERNEL_DROPS => Some(Self { kernel_drops: true, ..Self::NONE }),
            SHED => Some(Self { shed: true, ..Self::NONE }),
            REQUEST => Some(Self { request: true, ..Self::NONE }),
            _ => None,
        }
    }

    /// By what either of them is touched.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            kernel_drops: self.kernel_drops || other.kernel_drops,
            shed: self.shed || other.shed,
            request: self.request || other.request,
        }
    }
}

/// A request that was lost, or several of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Whose addresses these are.
    pub network: NetworkId,
    /// The point that lacks it.
    pub point: PointId,
    /// The end that asked.
    pub client: SocketAddr,
    /// The end that was asked.
    pub server: SocketAddr,
    /// It was asked after this moment.
    pub from: Timestamp,
    /// It was known to be lost, or was being answered, at this moment.
    pub to: Timestamp,
}

/// What this program left out, as it came faster than it could be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShedLoss {
    /// The packet time of the first that was left out.
    pub from: Timestamp,
    /// The packet time of the last.
    pub to: Timestamp,
    /// Packets that were left out; none where only details were.
    pub packets: u64,
    /// Whether whole flows were left out, and how many of 64 parts of all flows.
    pub flows: u8,
}

/// One interval, as the summary tells of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostInterval {
    /// Nanoseconds since 1970.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// What happened: `kernel-drops` or `shed`.
    pub what: &'static str,
    /// The interface, if it is known and matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Packets that were lost.
    pub packets: u64,
    /// Of what was shed, the largest part of all flows, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f32>,
    /// Whether spans could be marked.
    pub marked: bool,
}

/// All losses of a run.
#[derive(Debug, Default)]
pub struct Losses {
    drops: BTreeMap<Option<InterfaceId>, Drops>,
    shed: Intervals,
}

/// What was lost on one interface.
#[derive(Debug, Default)]
struct Drops {
    packets: u64,
    /// What marks.
    precise: Intervals,
    /// What is too long to say anything of a span, or was told too late.
    coarse: Intervals,
}

/// Intervals that do not overlap, in order of time.
#[derive(Debug, Default)]
struct Intervals(Vec<Interval>);

#[derive(Clone, Copy, Debug)]
struct Interval {
    from: Timestamp,
    to: Timestamp,
    packets: u64,
    flows: u8,
}

impl Losses {
    /// The capture lost packets. What touches something that ended before `settled` may have been
    /// handed out already.
    pub fn lost(&mut self, loss: &Loss, settled: Timestamp) {
        let Loss { from, to, packets, .. } = *loss;
        let known = self.drops.contains_key(&loss.interface) || self.drops.len() < INTERFACES;
        let drops = self.drops.entry(loss.interface.filter(|_| known)).or_default();
        drops.packets = drops.packets.saturating_add(packets);
        let interval = Interval { from, to: to.max(from), packets, flows: 0 };
        let marks = to.0.saturating_sub(from.0) <= LONGEST && from >= settled;
        if marks { &mut drops.precise } else { &mut drops.coarse }.add(interval, 0);
    }

    /// This program left something out.
    pub fn shed(&mut self, loss: &ShedLoss) {
        let ShedLoss { from, to, packets, flows } = *loss;
        self.shed.add(Interval { from, to: to.max(from), packets, flows }, TOGETHER);
    }

    /// Whether nothing was lost that marks.
    pub fn is_empty(&self) -> bool {
        self.drops.is_empty() && self.shed.0.is_empty()
    }

    /// By what something is touched that these interfaces saw between these moments; `None` stands
    /// for one that is not known.
    pub fn touched(
        &self,
        interfaces: &[Option<InterfaceId>],
        from: Timestamp,
        to: Timestamp,
    ) -> Touched {
        let here = |interface: &Option<InterfaceId>| {
            interface.is_none() || interfaces.contains(interface) || interfaces.contains(&None)
        };
        let mut drops = self.drops.iter().filter(|(interface, _)| here(interface));
        Touched {
            kernel_drops: drops.any(|(_, drops)| drops.precise.touch(from, to)),
            shed: self.shed.touch(from, to),
            request: false,
        }
    }

    /// Packets that the capture lost, by interface.
    pub fn packets(&self, name: &dyn Fn(InterfaceId) -> String) -> BTreeMap<String, u64> {
        let mut packets = BTreeMap::new();
        for (interface, drops) in &self.drops {
            *packets.entry(interface.map_or_else(unknown, name)).or_default() += drops.packets;
        }
        packets
    }

    /// All intervals, in order of time.
    pub fn intervals(&self, name: &dyn Fn(InterfaceId) -> String) -> Vec<LostInterval> {
        let told = |interval: &Interval, interface: Option<InterfaceId>, marked| LostInterval {
            from: interval.from.0,
            to: interval.to.0,
            what: KERNEL_DROPS,
            interface: interface.map(name),
            packets: interval.packets,
            share: None,
            marked,
        };
        let drops = self.drops.iter().flat_map(|(interface, drops)| {
            let precise = drops.precise.0.iter().map(|found| told(found, *interface, true));
            precise.chain(drops.coarse.0.iter().map(|found| told(found, *interface, false)))
        });
        let shed = self.shed.0.iter().map(|interval| LostInterval {
            what: SHED,
            share: Some(f32::from(interval.flows) / 64.0),
            ..told(interval, None, true)
        });
        let mut all: Vec<LostInterval> = drops.chain(shed).collect();
        all.sort_by_key(|interval| (interval.from, interval.to));
        all
    }

    /// What to tell of losses that mark no spans.
    pub fn remarks(&self, name: &dyn Fn(InterfaceId) -> String) -> Vec<String> {
        let coarse = self.drops.iter().filter(|(_, drops)| !drops.coarse.0.is_empty());
        let told = coarse.map(|(interface, drops)| {
            let interface = interface.map_or_else(unknown, name);
            let packets: u64 = drops.coarse.0.iter().map(|interval| interval.packets).sum();
            format!(
                "the capture lost {packets} packets on {interface}, and does not say closely when: \
                 the spans that lack them are not marked"
            )
        });
        told.collect()
    }
}

impl Intervals {
    /// Adds one; it is made one with those that it overlaps, or that are so near.
    fn add(&mut self, new: Interval, near: i64) {
        let first = self.0.partition_point(|known| known.to.plus(near) < new.from);
        let rest = self.0.get(first..).unwrap_or_default();
        let count = rest.partition_point(|known| known.from <= new.to.plus(near));
        let one = rest.iter().take(count).fold(new, |one, known| one.with(known));
        self.0.splice(first..first + count, [one]);
        if self.0.len() > INTERVALS {
            self.merge_nearest();
        }
    }

    /// Makes one of the two that are nearest to each other: too much is marked rather than too
    /// little.
    fn merge_nearest(&mut self) {
        let gaps = self.0.windows(2).enumerate().filter_map(|(place, pair)| {
            let [before, after] = pair else { return None };
            Some((after.from.0.saturating_sub(before.to.0), place))
        });
        let Some((_, place)) = gaps.min() else { return };
        let after = self.0.remove(place + 1);
        if let Some(before) = self.0.get_mut(place) {
            *before = before.with(&after);
        }
    }

    fn touch(&self, from: Timestamp, to: Timestamp) -> bool {
        let first = self.0.partition_point(|known| known.to < from);
        self.0.get(first).is_some_and(|known| known.from <= to)
    }
}

impl Interval {
    /// Both, with what lies between.
    fn with(self, other: &Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
            packets: self.packets.saturating_add(other.packets),
            flows: self.flows.max(other.flows),
        }
    }
}

fn unknown() -> String {
    "an interface that is not known".to_owned()
}

const KERNEL_DROPS: &str = "kernel-drops";
const SHED: &str = "shed";
const REQUEST: &str = "lost-request";
/// Nanoseconds of an interval that is too long to say anything of single spans.
const LONGEST: i64 = 10_000_000_000;
/// Nanoseconds between intervals of shedding that are told as one.
const TOGETHER: i64 = 1_000_000_000;
/// Intervals of one interface, and of what was shed, that are told apart.
const INTERVALS: usize = 1_024;
/// Interfaces whose losses are told apart; those of others touch all spans.
const INTERFACES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: Option<InterfaceId> = Some(InterfaceId(0));
    const ETH1: Option<InterfaceId> = Some(InterfaceId(1));

    fn loss(interface: Option<InterfaceId>, from: i64, to: i64) -> Loss {
        Loss { from: Timestamp(from), to: Timestamp(to), interface, packets: 3 }
    }

    fn losses(told: &[Loss]) -> Losses {
        let mut losses = Losses::default();
        told.iter().for_each(|loss| losses.lost(loss, Timestamp(i64::MIN)));
        losses
    }

    #[track_caller]
    fn check(told: &[Loss], seen_by: Option<InterfaceId>, from: i64, to: i64, expected: bool) {
        let touched = losses(told).touched(&[seen_by], Timestamp(from), Timestamp(to));
        assert_eq!(touched, Touched { kernel_drops: expected, ..Touched::NONE });
    }

    #[test]
    fn what_overlaps_is_touched() {
        check(&[loss(ETH0, 10, 20)], ETH0, 20, 30, true);
        check(&[loss(ETH0, 10, 20)], ETH0, 0, 10, true);
        check(&[loss(ETH0, 10, 20)], ETH0, 12, 13, true);
        check(&[loss(ETH0, 10, 20)], ETH0, 0, 100, true);
    }

    #[test]
    fn what_lies_beside_is_not_touched() {
        check(&[loss(ETH0, 10, 20)], ETH0, 21, 30, false);
        check(&[loss(ETH0, 10, 20)], ETH0, 0, 9, false);
        check(&[loss(ETH0, 10, 20), loss(ETH0, 40, 50)], ETH0, 25, 35, false);
    }

    #[test]
    fn another_interface_is_not_touched() {
        check(&[loss(ETH1, 10, 20)], ETH0, 12, 13, false);
    }

    #[test]
    fn what_is_not_known_touches_all() {
        check(&[loss(None, 10, 20)], ETH0, 12, 13, true);
        check(&[loss(ETH1, 10, 20)], None, 12, 13, true);
    }

    #[test]
    fn intervals_told_out_of_order_are_found() {
        let told = [loss(ETH0, 40, 50), loss(ETH0, 10, 20), loss(ETH0, 60, 70)];
        check(&told, ETH0, 15, 16, true);
        check(&told, ETH0, 45, 46, true);
        check(&told, ETH0, 21, 39, false);
    }

    #[test]
    fn a_loss_of_the_whole_capture_marks_nothing_and_is_remarked() {
        let losses = losses(&[loss(ETH0, 0, 11_000_000_000)]);
        let touched = losses.touched(&[ETH0], Timestamp(5), Timestamp(6));
        assert_eq!(touched, Touched::NONE);
        assert_eq!(losses.remarks(&|_| "eth0".to_owned()).len(), 1);
        assert_eq!(losses.packets(&|_| "eth0".to_owned())["eth0"], 3);
    }

    #[test]
    fn a_loss_told_too_late_is_remarked() {
        let mut losses = Losses::default();
        losses.lost(&loss(ETH0, 10, 20), Timestamp(11));
        assert_eq!(losses.touched(&[ETH0], Timestamp(10), Timestamp(20)), Touched::NONE);
        assert_eq!(losses.remarks(&|_| "eth0".to_owned()).len(), 1);
    }

    #[test]
    fn too_many_intervals_merge_and_lose_no_packet() {
        let told: Vec<Loss> = (0..5_000).map(|n| loss(ETH0, n * 100, n * 100 + 10)).collect();
        let losses = losses(&told);
        let intervals = losses.intervals(&|_| "eth0".to_owned());
        assert_eq!(intervals.len(), INTERVALS);
        assert_eq!(intervals.iter().map(|interval| interval.packets).sum::<u64>(), 15_000);
        for Loss { from, to, .. } in told {
            assert!(losses.touched(&[ETH0], from, to).kernel_drops);
        }
    }

    #[test]
    fn losses_of_too_many_interfaces_touch_all() {
        let told: Vec<Loss> = (0..1_000).map(|n| loss(Some(InterfaceId(n)), 10, 20)).collect();
        let losses = losses(&told);
        let seen_by = [Some(InterfaceId(5_000))];
        assert!(losses.touched(&seen_by, Timestamp(15), Timestamp(16)).kernel_drops);
        let packets = losses.packets(&|interface| interface.0.to_string());
        assert_eq!(packets.values().sum::<u64>(), 3_000);
    }

    #[test]
    fn what_was_shed_within_a_second_is_one_interval() {
        let mut losses = Losses::default();
        for (at, flows) in [(0, 4), (900_000_000, 8), (4_000_000_000, 1)] {
            let (from, to) = (Timestamp(at), Timestamp(at + 10));
            losses.shed(&ShedLoss { from, to, packets: 1, flows });
        }
        let intervals = losses.intervals(&|_| String::new());
        let told: Vec<_> = intervals.iter().map(|i| (i.from, i.packets, i.share)).collect();
        assert_eq!(told, [(0, 2, Some(0.125)), (4_000_000_000, 1, Some(1.0 / 64.0))]);
    }
}
