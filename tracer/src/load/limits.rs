//! A bound of memory in, limits of flows and of the join window out.
//!
//! Limits count things, and things are of many sizes. So limits are made for things as they mostly
//! are, and to take about half together of what packet rings leave; what is larger than that is seen by the
//! controller, which looks at the memory that the process really has.

use crate::export::queue::QueueLimits;

/// Limits that fit into a bound of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Flows at a time.
    pub flows: usize,
    /// Requests that are open at a time.
    pub open: usize,
    /// Bytes of all flows that wait, and as many of unfinished messages.
    pub waiting: usize,
    /// Exchanges that are held until their traces settle.
    pub held: usize,
    /// Bytes of packets that each stage works on at a time.
    pub portion: usize,
    /// Traces that wait to be written or sent, for each of the two.
    pub queue: QueueLimits,
}

/// The bound of memory where nobody names one, of a process that may have so many bytes at most: a
/// quarter of them, from 256 MiB to 2 GiB, and the packet rings.
pub fn usual(usable: u64, ring_bytes: u64) -> u64 {
    (usable / 4).clamp(256 << 20, 2 << 30).saturating_add(ring_bytes)
}

/// The size of each of so many packet rings where nobody names one, at most `most`: together they
/// take an eighth of the memory that there is, and half of the bound that is asked for.
pub fn ring_bytes(usable: Option<u64>, asked: Option<u64>, rings: usize, most: i32) -> i32 {
    let rings = u64::try_from(rings).unwrap_or(u64::MAX).max(1);
    let together = usable.map(|usable| usable / 8).into_iter().chain(asked.map(|bytes| bytes / 2));
    let each = together.min().map_or(u64::MAX, |together| together / rings);
    i32::try_from(each).unwrap_or(i32::MAX).clamp(LEAST_RING.min(most), most)
}

/// Whether so many bytes are enough for the packet rings and for what does not depend on the load.
pub fn is_enough(bytes: u64, ring_bytes: u64) -> bool {
    bytes >= ring_bytes.saturating_add(PROGRAM)
}

/// The limits for a process of at most so many bytes, of which packet rings take so many, and which
/// works in so many threads.
pub fn limits_for(bytes: u64, ring_bytes: u64, threads: usize) -> MemoryLimits {
    let threads = u64::try_from(threads).unwrap_or(u64::MAX);
    let fixed = PROGRAM.saturating_add(threads.saturating_mul(THREAD));
    let beside = bytes.saturating_sub(ring_bytes);
    let room = (beside / 2).saturating_sub(fixed).max(LEAST);
    let part = |percent: u64| usize::try_from(room.saturating_mul(percent) / 100);
    let part = |percent: u64| part(percent).unwrap_or(usize::MAX);
    let queue = part(10);
    MemoryLimits {
        flows: part(40) / FLOW,
        open: part(15) / OPEN,
        waiting: part(5),
        held: part(15) / HELD,
        portion: usize::try_from(beside / PORTION).unwrap_or(usize::MAX).max(LEAST_PORTION),
        queue: QueueLimits { spans: queue / SPAN, bytes: queue },
    }
}

/// Bytes of the program itself, with batches of packets, and tables of hosts, names and services.
const PROGRAM: u64 = 46 << 20;
/// Bytes of a thread, with what the allocator keeps for it.
const THREAD: u64 = 2 << 20;
/// A ring of fewer bytes holds no burst.
const LEAST_RING: i32 = 1 << 20;
/// Bytes that are shared out at least.
const LEAST: u64 = 8 << 20;
/// Bytes of a flow that speaks a protocol, measured with 100,000 half-open ones.
const FLOW: usize = 2_600;
/// Bytes of an open request in pairing, and in the window; measured with pipelines, texts short.
const OPEN: usize = 1_700;
/// Bytes of an exchange that is held; measured at 1,000 with short texts, and doubled for others.
const HELD: usize = 2_000;
/// A part of all memory: what is made of packets may take a few hundred times as much as they, where
/// their messages are as small as can be, and two stages have some.
const PORTION: u64 = 4_096;
/// Fewer bytes at a time take longer.
const LEAST_PORTION: usize = 16 << 10;
/// Bytes of a span in a queue.
const SPAN: usize = 1_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_fit_into_half_of_what_is_allowed() {
        for mebibytes in [128_usize, 256, 1_024, 4_096] {
            let bytes = (mebibytes as u64) << 20;
            let limits = limits_for(bytes, 0, 2);
            let used = limits.flows * FLOW
                + limits.open * OPEN
                + 2 * limits.waiting
                + limits.held * HELD
                + 2 * limits.queue.bytes;
            assert!(used <= mebibytes << 19, "{used} of {mebibytes} MiB: {limits:?}");
            assert!(limits.flows >= 2_000 && limits.held >= 1_000, "{limits:?}");
        }
    }

    #[test]
    fn many_rings_share_a_part_of_the_memory() {
        let mib = |ring: i32| ring >> 20;
        let ring = |usable: u64, asked: Option<u64>, rings| {
            mib(ring_bytes(Some(usable << 20), asked.map(|asked| asked << 20), rings, 64 << 20))
        };
        assert_eq!(ring(24_000, None, 1), 64);
        assert_eq!(ring(24_000, None, 60), 50);
        assert_eq!(ring(1_024, None, 2), 64);
        assert_eq!(ring(1_024, None, 8), 16);
        assert_eq!(ring(24_000, Some(64), 1), 32);
        assert_eq!(ring(1_024, None, 1_000), 1);
        assert_eq!(mib(ring_bytes(None, None, 3, 64 << 20)), 64);
    }

    #[test]
    fn a_ring_leaves_less_for_the_rest() {
        let [without, with] = [0, 64 << 20].map(|ring| limits_for(256 << 20, ring, 2));
        assert!(with.flows < without.flows && with.held < without.held);
    }

    #[test]
    fn rings_are_beside_the_half_that_limits_share() {
        for (bytes, workers, threads) in [(512_u64, 4, 2), (1_024, 4, 4), (4_096, 32, 8)] {
            let rings = (workers * 64) << 20;
            let with = limits_for(bytes << 20, rings, threads);
            assert_eq!(with, limits_for((bytes << 20) - rings, 0, threads));
            assert!(with.queue.spans > 5_000, "{bytes} MiB, {workers} workers: {with:?}");
        }
    }

    #[test]
    fn absurd_bounds_give_small_limits() {
        let limits = limits_for(0, u64::MAX, usize::MAX);
        assert!(limits.flows > 0 && limits.held > 0 && limits.queue.spans > 0);
    }
}
