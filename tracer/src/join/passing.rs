//! Machines that call under other addresses than they are asked under: gateways between networks,
//! and sidecars, which pass on to an application on the same machine.
//!
//! That two addresses are of one machine is taken for sure once several different requests went out
//! under the one while the same were open under the other, and hardly any that were not.

use crate::join::hosts::Seat;
use crate::join::machines::{Machine, Name};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

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
            votes.done |= add(&mut votes.own, content) >= MOST;
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
        votes.done = asked >= ENOUGH && asked >= 4 * others;
        votes.done.then_some(machine)
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
}

#[derive(Debug, Default)]
struct Calls {
    all: u32,
    /// How many of them lay within something that was open there.
    within: Vec<(Machine, u32)>,
    done: bool,
}

impl Nested {
    /// Whether more is to be known of who calls.
    pub(crate) fn wants(&self, caller: Machine) -> bool {
        self.callers.get(&caller).is_none_or(|calls| !calls.done)
    }

    /// A call has ended, while something was open at these machines that had begun before it;
    /// `busy` is the share of the time at which something was. Gives the machine that the caller surely is.
    ///
    /// A stranger would find something open at a machine as often as it is busy; the machine itself
    /// nearly always. The logarithms of how much likelier the second is are compared; the best must
    /// be far ahead.
    pub(crate) fn called(
        &mut self,
        caller: Machine,
        open: Vec<Machine>,
        busy: impl Fn(Machine) -> f64,
    ) -> Option<Machine> {
        if self.callers.len() >= CALLERS && !self.callers.contains_key(&caller) {
            self.callers.clear();
        }
        let calls = self.callers.entry(caller).or_default();
        calls.all += 1;
        if calls.all == 1 {
            calls.within = open.into_iter().map(|machine| (machine, 1)).collect();
        } else {
            if calls.all == 2 {
                // The first one may have been an exception.
                let known: Vec<Machine> =
                    calls.within.iter().map(|(machine, _)| *machine).collect();
                let others = open.iter().filter(|machine| !known.contains(machine));
                calls.within.extend(others.map(|machine| (*machine, 0)));
            }
            // One that is often not open is not it.
            for (_, times) in
                calls.within.iter_mut().filter(|(machine, _)| open.binary_search(machine).is_ok())
            {
                *times += 1;
            }
            let least = calls.all - 1 - calls.all / 16;
            calls.within.retain(|(_, times)| *times >= least);
        }
        if calls.within.is_empty() || calls.all >= MOST_CALLS {
            calls.done = true;
        }
        if calls.all < FEW_CALLS || !calls.all.is_power_of_two() {
            return None;
        }
        let mut likely: Vec<(f64, Machine)> = calls
            .within
            .iter()
            .map(|(machine, times)| {
                let share = busy(*machine);
                let share = share.clamp(0.01, 0.99);
                let (hits, misses) = (f64::from(*times), f64::from(calls.all - times));
                let likelier =
                    hits * (WITHIN / share).ln() + misses * ((1.0 - WITHIN) / (1.0 - share)).ln();
                (likelier, *machine)
            })
            .collect();
        likely.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (best, machine) = *likely.first()?;
        let second = likely.get(1).map_or(0.0, |(second, _)| *second);
        let sure = best >= LIKELIER && best - second >= AHEAD;
        calls.done |= sure;
        sure.then_some(machine)
    }
}

/// Calls of one that is never asked before it is looked at whose they are, and after which it is
/// not looked any more.
const FEW_CALLS: u32 = 16;
const MOST_CALLS: u32 = 1_024;
/// The share of a machine's calls that lie within what it is asked.
const WITHIN: f64 = 0.97;
/// How much likelier it must be that they are its own, as a natural logarithm.
const LIKELIER: f64 = 15.0;
/// The same than that they are another machine's.
const AHEAD: f64 = 8.0;
/// Things asked for that are remembered.
pub const ASKED: usize = 16_384;
/// Callers of which it is looked for whose they are.
pub const CALLERS: usize = 4_096;
/// Machines that a caller may be.
const MACHINES: usize = 16;
/// How many different things a machine must have passed on.
const ENOUGH: usize = 4;
/// Different things that are told apart.
const MOST: usize = 64;
