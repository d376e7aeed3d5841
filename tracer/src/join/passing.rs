//! Machines that call under other addresses than they are asked under: gateways between networks,
//! and sidecars, which pass on to an application on the same machine.
//!
//! Such a machine is never asked under the address that calls. That both are one machine is taken
//! for sure once several different requests came out under the one while the same were open under
//! the other.

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
    /// Of addresses that only call: which machines were asked for the same.
    votes: HashMap<Name, SmallVec<[Votes; 2]>, RandomState>,
}

#[derive(Debug)]
struct Votes {
    machine: Name,
    /// How often.
    times: u32,
    /// Some of what was asked for.
    contents: SmallVec<[u64; ENOUGH]>,
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

    /// It looks as if this machine called under that name; says whether it surely does.
    pub(crate) fn vote(&mut self, caller: Name, machine: Name, content: u64) -> bool {
        if self.votes.len() >= ASKED && !self.votes.contains_key(&caller) {
            self.votes.clear();
        }
        let all = self.votes.entry(caller).or_default();
        let place = all.iter().position(|votes| votes.machine == machine);
        let place = place.unwrap_or_else(|| {
            if all.len() < MACHINES {
                all.push(Votes { machine, times: 0, contents: SmallVec::new() });
            }
            all.len() - 1
        });
        let sum: u32 = 1 + all.iter().map(|votes| votes.times).sum::<u32>();
        let Some(votes) = all.get_mut(place).filter(|votes| votes.machine == machine) else {
            return false;
        };
        votes.times += 1;
        if votes.contents.len() < ENOUGH && !votes.contents.contains(&content) {
            votes.contents.push(content);
        }
        votes.contents.len() >= ENOUGH && votes.times * 10 >= sum * 9
    }
}

/// Things asked for, and callers, that are remembered.
pub const ASKED: usize = 16_384;
/// Machines that a caller may be.
const MACHINES: usize = 16;
/// How many different things a machine must have passed on.
const ENOUGH: usize = 3;
