//! Machines that call under other addresses than they are asked under: gateways between networks,
//! and sidecars, which pass on to an application on the same machine.
//!
//! That two addresses are of one machine is taken for sure once several different requests went out
//! under the one while the same were open under the other, and hardly any that were not.

use crate::join::hosts::Seat;
use crate::join::machines::Name;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

/// What passes through machines.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// The latest exchange between two machines that asked for something, and who was asked.
    asked: HashMap<u64, (Seat, Name), RandomState>,
    /// Of those that call: which machines were asked for the same.
    votes: HashMap<Name, Box<Votes>, RandomState>,
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
    pub(crate) fn wants(&self, caller: Name) -> bool {
        self.votes.get(&caller).is_none_or(|votes| !votes.done)
    }

    /// One calls for something while this machine is asked for it, or none that is known; gives the
    /// machine that it surely is.
    pub(crate) fn vote(
        &mut self,
        caller: Name,
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
