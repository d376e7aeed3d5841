//! What to leave out when more comes than can be worked on: how a run goes goes in, what is shed
//! comes out. `tracer/docs/live.md` states the policy.
//!
//! [`controller`] decides, and knows neither a clock nor the machine; [`gauge`] reads what the
//! process uses ([`used`]); [`limits`] makes limits of flows and of the join window out of a bound of
//! memory; [`priority`] lets the host's other work go first.

pub mod controller;
pub mod limits;
mod memory;
pub mod priority;
pub mod used;
pub mod gauge;

/// What is left out at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// Bodies, what hangs on them, and details are not looked at.
    pub details: bool,
    /// How many of [`PARTS`] parts of all flows are followed.
    pub kept: u8,
    /// Flows that begin are not followed.
    pub new_flows: bool,
    /// Grows each time that memory is to be given back: what could settle soon settles at once.
    pub relief: u32,
    /// With that, the flows that were silent longest are forgotten.
    pub forget: bool,
    /// Of the time, how many parts in a hundred a source must rest, so that the kernel drops what
    /// is too much even to be left out.
    pub rest: u8,
}

impl Shed {
    /// Nothing is left out.
    pub const NOTHING: Self =
        Self { details: false, kept: PARTS, new_flows: false, relief: 0, forget: false, rest: 0 };

    /// Whether a flow with this hash, the same for both of its directions, is left out. What is left
    /// out at one level is left out at all that are higher.
    pub fn leaves_out(&self, hash: u64) -> bool {
        part(hash) >= self.kept
    }

    /// How many parts of all flows are left out.
    pub fn parts(&self) -> u8 {
        PARTS.saturating_sub(self.kept)
    }

    /// Whether packets or parts of them are left out.
    pub fn is_lossy(&self) -> bool {
        self.details || self.kept < PARTS || self.new_flows
    }
}

impl Default for Shed {
    fn default() -> Self {
        Self::NOTHING
    }
}

/// The part of all flows that one belongs to. Bits of the hash that shards are cut by are left
/// aside.
pub fn part(hash: u64) -> u8 {
    (hash >> 48) as u8 % PARTS
}

/// Parts that all flows are cut into for shedding.
pub const PARTS: u8 = 64;
