//! Machines that call under other addresses than they are asked under: gateways between networks,
//! and sidecars, which pass on to an application on the same machine.
//!
//! That two addresses are of one machine is taken for sure once several different requests went out
//! under the one while the same were open under the other, and hardly any that were not.

use crate::exchange::EventNumber;
use crate::join::hosts::{Around, Seat};
use crate::join::machines::{Machine, Name};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use wirespan_capture::packet::Timestamp;

/// What passes through machines.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// The latest exchange between two machines that asked for something, and who was asked.
    asked: HashMap<u64, (Seat, Name), RandomState>,
    /// Of those that call: which machines were asked for the same.
    votes: HashMap<(Name, Evidence), Box<Votes>, RandomState>,
}

/// What tells that something was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Evidence {
    /// Both ask for the same.
    Content,
    /// Both carry an identifier.
    Identifier,
}

/// Different things that one has asked for.
type Contents = SmallVec<[u64; 4]>;

#[derive(Debug, Default)]
struct Votes {
    /// Those for which a machine was asked that was open then.
    machines: SmallVec<[(Name, Contents); 1]>,
    /// Those for which none was.
    own: Contents,
    /// It is known whose the name is, or that it asks for much by itself.
    done: bool,
}

impl Passing {
    /// A machine is asked for something.
    pub(crate) fn asks(&mut self, content: u64, seat: Seat, server: Name) {
        if self.asked.len() >= ASKED && !self.asked.contains_key(&content) {
            self.asked.clear();
        }
        self.asked.insert(content, (seat, server));
    }

    /// The latest exchange that asked for something, and who was asked.
    pub(crate) fn asked(&self, content: u64) -> Option<(Seat, Name)> {
        self.asked.get(&content).copied()
    }

    /// Whether more is to be known of who calls.
    pub(crate) fn wants(&self, caller: (Name, Evidence)) -> bool {
        self.votes.get(&caller).is_none_or(|votes| !votes.done)
    }

    /// One calls for something while this machine is asked for it, or none that is known; gives the
    /// machine that it surely is.
    pub(crate) fn vote(
        &mut self,
        caller: (Name, Evidence),
        machine: Option<Name>,
        content: u64,
    ) -> Option<Name> {
        if self.votes.len() >= CALLERS && !self.votes.contains_key(&caller) {
            self.votes.clear();
        }
        let votes = self.votes.entry(caller).or_default();
        let Some(machine) = machine else {
            if add(&mut votes.own, content) >= MOST {
                **votes = Votes { done: true, ..Votes::default() };
            }
            return None;
        };
        let place = votes.machines.iter().position(|(other, _)| *other == machine);
        let place = place.unwrap_or_else(|| {
            if votes.machines.len() < MACHINES {
                votes.machines.push((machine, Contents::new()));
            }
            votes.machines.len() - 1
        });
        let (known, contents) = votes.machines.get_mut(place)?;
        if *known != machine {
            return None;
        }
        let asked = add(contents, content);
        let others = votes.machines.iter().filter(|(other, _)| *other != machine);
        let others = others.map(|(_, contents)| contents.len()).sum::<usize>() + votes.own.len();
        let sure = asked >= ENOUGH && asked >= 4 * others;
        if sure {
            **votes = Votes { done: true, ..Votes::default() };
        }
        sure.then_some(machine)
    }
}

/// Adds what is not there as yet; gives how many there are.
fn add(contents: &mut Contents, content: u64) -> usize {
    if contents.len() < MOST && !contents.contains(&content) {
        contents.push(content);
    }
    contents.len()
}

/// Callers that are never asked, and the machines at which something was open whenever they called.
#[derive(Debug, Default)]
pub(crate) struct Nested {
    callers: HashMap<Machine, Calls, RandomState>,
    /// Machines that any of them may be, in all.
    machines: usize,
}

#[derive(Debug, Default)]
struct Calls {
    all: u32,
    /// When the first of them had ended.
    since: Timestamp,
    /// The machines at which something was open at the first calls; those of the first in order.
    within: Vec<Within>,
    done: bool,
}

/// Calls of one that is never asked, and what was open at a machine meanwhile.
#[derive(Debug, Default)]
struct Within {
    machine: Machine,
    /// Exchanges of it within which calls lay.
    exchanges: u32,
    /// Calls that lay in none.
    outside: u32,
    /// For how many nanoseconds it was busy before the first of them.
    busy: f64,
    /// Of those exchanges, how many could be told from others that were over, how many shared more
    /// values with the call than these, and how many would by chance.
    told_apart: u32,
    alike: u32,
    by_chance: f64,
    latest: EventNumber,
    /// Exchanges while another machine was open too that this one had asked.
    outer: u32,
}

impl Nested {
    /// Whether more is to be known of who calls.
    pub(crate) fn wants(&self, caller: Machine) -> bool {
        self.callers.get(&caller).is_none_or(|calls| !calls.done)
    }

    /// It is asked itself: nothing is to be known of it any more.
    pub(crate) fn give_up(&mut self, caller: Machine) {
        if let Some(calls) = self.callers.get_mut(&caller) {
            self.machines -= calls.within.len();
            *calls = Calls { done: true, ..Calls::default() };
        }
    }

    /// A call has ended, while something was open at these machines, in order, that had begun
    /// before it; `busy` is for how many nanoseconds something was. Gives the machine that the
    /// caller surely is.
    ///
    /// A stranger would find something open at a machine as often as it is busy; the machine itself
    /// nearly always. Nor would what is open there share values with the call oftener than what was
    /// open there before. The logarithms of how much likelier the second is are compared; the best
    /// must be far ahead.
    pub(crate) fn called(
        &mut self,
        caller: Machine,
        open: &[Around],
        now: Timestamp,
        busy: impl Fn(Machine) -> f64,
    ) -> Option<Machine> {
        if self.callers.len() >= CALLERS && !self.callers.contains_key(&caller) {
            self.forget_all();
        }
        let calls = self.callers.entry(caller).or_default();
        let before = calls.within.len();
        let sure = calls.called(open, now, busy);
        if calls.done {
            calls.within = Vec::new();
        }
        self.machines = self.machines + calls.within.len() - before;
        if self.machines > NESTED {
            self.forget_all();
        }
        sure
    }

    fn forget_all(&mut self) {
        self.callers.clear();
        self.machines = 0;
    }
}

impl Calls {
    fn called(
        &mut self,
        open: &[Around],
        now: Timestamp,
        busy: impl Fn(Machine) -> f64,
    ) -> Option<Machine> {
        let mut clients: SmallVec<[Machine; 16]> =
            open.iter().map(|around| around.client).collect();
        clients.sort_unstable();
        for within in &mut self.within {
            match open.binary_search_by_key(&within.machine, |around| around.machine) {
                Ok(place) => open.get(place).into_iter().for_each(|one| within.note(one, &clients)),
                Err(_) => within.outside += 1,
            }
        }
        // One of the first calls may have been an exception.
        if self.all < FIRST_CALLS {
            let known = self.within.len();
            for around in open {
                let before = self.within.get(..known).unwrap_or_default();
                let machine = around.machine;
                if before.binary_search_by_key(&machine, |within| within.machine).is_err() {
                    let (outside, busy) = (self.all, busy(machine));
                    let latest = EventNumber(u64::MAX);
                    let mut within = Within { machine, outside, busy, latest, ..Within::default() };
                    within.note(around, &clients);
                    self.within.push(within);
                }
            }
        }
        if self.all == 0 {
            self.since = now;
        }
        self.all += 1;
        // One that is often not open is not it.
        self.within.retain(|w| w.outside <= FIRST_CALLS + (w.exchanges + w.outside) / 8);
        if self.within.is_empty() || self.all >= MOST_CALLS {
            self.done = true;
        }
        if !self.all.is_multiple_of(LOOK) {
            return None;
        }
        let mut likely: Vec<(f64, &Within)> = self
            .within
            .iter()
            .map(|within| {
                // Traffic may have begun with these calls. Of a machine that is nearly
                // always busy, what is open says nothing.
                let passed = now.0.saturating_sub(self.since.0).max(1) as f64;
                let share = ((busy(within.machine) - within.busy) / passed).clamp(0.01, WITHIN);
                let times = f64::from(within.exchanges) * (WITHIN / share).ln()
                    + f64::from(within.outside) * ((1.0 - WITHIN) / (1.0 - share)).ln();
                // Who hands values on to the machine shares them too, but is open at other times.
                let values = within.likelier_by_values().min(BY_VALUES * times.max(0.0));
                (times + values, within)
            })
            .collect();
        likely.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.machine.cmp(&b.1.machine)));
        let (best, within) = *likely.first()?;
        let second = likely.get(1).map_or(0.0, |(second, _)| *second);
        // Where requests to the machine itself get lost, who asks it seems to be open more often.
        let is_outer = within.outer * OUTER > within.exchanges;
        let enough = within.exchanges >= FEW_EXCHANGES && !is_outer;
        let sure = enough && best >= LIKELIER && best - second >= AHEAD;
        let machine = within.machine;
        self.done |= sure;
        sure.then_some(machine)
    }
}

impl Within {
    /// A call lay in what was open; `clients` have asked for all that was open then, in order.
    fn note(&mut self, around: &Around, clients: &[Machine]) {
        // Several calls within one exchange say no more than one of them.
        if around.exchange == self.latest {
            return;
        }
        self.exchanges += 1;
        self.latest = around.exchange;
        self.outer += u32::from(clients.binary_search(&self.machine).is_ok());
        if around.chance < 1.0 {
            self.told_apart += 1;
            self.alike += u32::from(around.alike);
            self.by_chance += around.chance;
        }
    }

    /// The logarithm of how much likelier it is that so many share values with their calls where
    /// these are made for them, at whatever rate that is, than by chance.
    fn likelier_by_values(&self) -> f64 {
        let (all, alike) = (f64::from(self.told_apart), f64::from(self.alike));
        if alike <= self.by_chance {
            return 0.0;
        }
        let (rate, chance) = (alike / all, self.by_chance / all);
        let others = match self.alike == self.told_apart {
            true => 0.0,
            false => (1.0 - rate) * ((1.0 - rate) / (1.0 - chance)).ln(),
        };
        all * (rate * (rate / chance).ln() + others)
    }
}

/// Exchanges of a machine within which calls must lie, at least, to be its own.
const FEW_EXCHANGES: u32 = 10;
/// One in so many calls may come while something is open that the machine has asked for, to be its
/// own for sure.
const OUTER: u32 = 4;
/// Calls after which it is looked whose they are.
const LOOK: u32 = 8;
/// The first calls of one that is never asked.
const FIRST_CALLS: u32 = 2;
/// Calls after which it is not looked any more whose they are.
const MOST_CALLS: u32 = 4_096;
/// The share of a machine's calls that lie within what it is asked.
const WITHIN: f64 = 0.95;
/// How many times as much as the times values may say.
const BY_VALUES: f64 = 3.0;
/// How much likelier it must be that they are its own, as a natural logarithm.
const LIKELIER: f64 = 25.0;
/// The same than that they are another machine's.
const AHEAD: f64 = 10.0;
/// Things asked for that are remembered.
pub const ASKED: usize = 16_384;
/// Callers of which it is looked for whose they are.
pub const CALLERS: usize = 2_048;
/// Machines that these may be, in all.
const NESTED: usize = 262_144;
/// Machines that a caller may be.
const MACHINES: usize = 16;
/// How many different things a machine must have passed on.
const ENOUGH: usize = 4;
/// Different things that are told apart.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    impl Passing {
        /// How many things, and callers, it remembers.
        pub(crate) fn sizes(&self) -> [usize; 2] {
            [self.asked.len(), self.votes.len()]
        }
    }

    impl Nested {
        /// How many callers it remembers, and machines that they may be.
        pub(crate) fn sizes(&self) -> [usize; 2] {
            [self.callers.len(), self.callers.values().map(|calls| calls.within.len()).sum()]
        }
    }

    #[test]
    fn machines_that_callers_may_be_have_a_limit() {
        let mut nested = Nested::default();
        let around = |machine| Around {
            machine,
            client: 0,
            exchange: EventNumber(1),
            alike: false,
            chance: 1.0,
        };
        let [open, others] = [0..1_000, 5_000..6_000].map(|machines| machines.map(around));
        let [open, others]: [Vec<Around>; 2] = [open.collect(), others.collect()];
        for caller in 1_000..5_000 {
            nested.called(caller, &open, Timestamp(1), |_| 0.5);
            nested.called(caller, &others, Timestamp(1), |_| 0.5);
            let [callers, machines] = nested.sizes();
            assert!(callers <= CALLERS && machines <= NESTED && machines == nested.machines);
        }
    }

    /// After how many calls it is sure that the caller is machine 1, which is busy for this share of
    /// the time; of 16 calls so many lie in nothing, and as many share values with what is open.
    fn calls_until_sure(busy: f64, outside: u64, alike: u64) -> Option<u64> {
        let mut nested = Nested::default();
        (1..=1_000).find(|call| {
            let now = Timestamp(*call as i64 * 1_000);
            let (exchange, alike) = (EventNumber(*call), call % 16 < alike);
            let around = Around { machine: 1, client: 0, exchange, alike, chance: 0.2 };
            let open = [around];
            let open = if call % 16 < 16 - outside { open.as_slice() } else { &[] };
            nested.called(2, open, now, |_| now.0 as f64 * busy).is_some()
        })
    }

    #[test]
    fn machine_is_known_by_when_it_calls_and_sooner_by_values_that_it_hands_on() {
        let by_times = calls_until_sure(0.6, 0, 0).unwrap();
        let by_both = calls_until_sure(0.6, 0, 10).unwrap();
        assert!(by_both * 2 <= by_times, "{by_both} of {by_times}");
    }

    #[test]
    fn machine_that_is_nearly_always_busy_is_not_taken_for_the_caller() {
        assert_eq!(calls_until_sure(1.0, 0, 0), None);
        assert_eq!(calls_until_sure(1.0, 1, 0), None);
        // Who hands values on to the caller shares them, too.
        assert_eq!(calls_until_sure(1.0, 0, 12), None);
    }
}
