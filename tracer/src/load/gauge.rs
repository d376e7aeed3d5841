//! What the process uses, as the system tells it: readings for the controller.

use super::Shed;
use super::controller::{Bounds, Controller, Readings};
use super::memory::give_back;
use super::used::Used;
use std::fs;

/// Reads what the process uses, and asks a controller what to shed.
#[derive(Debug)]
pub struct Gauge {
    controller: Controller,
    last: Option<(i64, f64)>,
    has_memory_bound: bool,
    shed: Shed,
    /// When free memory was last given back to the system.
    given_back: Option<i64>,
}

/// What a source tells of itself, as in [`Readings`]; since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SourceReadings {
    /// Packets that were read.
    pub packets: u64,
    /// Packets that the kernel dropped.
    pub drops: u64,
    /// Nanoseconds by which it is behind the clock.
    pub lag: Option<i64>,
}

impl Gauge {
    /// Keeps these bounds.
    pub fn new(bounds: Bounds) -> Self {
        let has_memory_bound = bounds.memory.is_some();
        let controller = Controller::new(bounds);
        Self { controller, last: None, has_memory_bound, shed: Shed::NOTHING, given_back: None }
    }

    /// What to shed at this moment, in nanoseconds of a clock that never goes back. It is called for
    /// each batch: memory is looked at each time, as it grows with what is read, all else ten times
    /// a second. What the source tells adds up until then.
    pub fn shed(&mut self, now: i64, source: &mut SourceReadings) -> Shed {
        let relief = self.shed.relief;
        if self.last.is_none_or(|(last, _)| now - last >= EACH) {
            self.look(now, source);
        } else if self.has_memory_bound {
            self.shed = self.controller.feel(now, resident().unwrap_or_default());
        }
        let given_back = *self.given_back.get_or_insert(now);
        // What was given up at the last relief is free by now; what a burst took, in a while.
        if self.shed.relief != relief || now - given_back >= A_WHILE {
            give_back();
            self.given_back = Some(now);
        }
        self.shed
    }

    fn look(&mut self, now: i64, source: &mut SourceReadings) {
        let used = Used::now().map_or(0.0, |used| used.cpu_seconds);
        let cpu = self
            .last
            .map_or(0.0, |(last, before)| ((used - before) / ((now - last) as f64 / 1e9)) as f32);
        self.last = Some((now, used));
        let SourceReadings { packets, drops, lag } = std::mem::take(source);
        let resident = resident().unwrap_or_default();
        let readings = Readings { packets, drops, lag, cpu, resident };
        self.shed = self.controller.step(now, &readings);
    }
}

/// Bytes of memory that the process has, where `/proc` tells them. Elsewhere no bound of memory is
/// kept to but by limits that fit it.
pub fn resident() -> Option<u64> {
    resident_in(&fs::read_to_string("/proc/self/statm").ok()?)
}

/// Bytes that a text of `/proc/PID/statm` tells.
fn resident_in(text: &str) -> Option<u64> {
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(page_size()))
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4_096)
}

/// Nanoseconds between two looks.
const EACH: i64 = 100_000_000;
/// Nanoseconds after which the system gets what is free in any case.
const A_WHILE: i64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known_where_it_is_told() {
        for (text, expected) in [
            ("100 7 3 1 0 2 0\n", Some(7 * page_size())),
            ("", None),
            ("100\n", None),
            ("100 many\n", None),
        ] {
            assert_eq!(resident_in(text), expected, "{text:?}");
        }
        assert!(resident().is_none_or(|bytes| bytes > 0));
    }
}
