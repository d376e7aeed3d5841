//! The traces that rank highest, of any number of them.

use crate::span::Trace;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Keeps the traces that rank highest, so many at most; of equal ones, those that came first.
pub struct Best<R> {
    room: usize,
    kept: BinaryHeap<Reverse<Kept<R>>>,
    /// How many have come.
    count: u64,
}

impl<R: Ord> Best<R> {
    /// Keeps so many.
    pub fn new(room: usize) -> Self {
        Self { room, kept: BinaryHeap::new(), count: 0 }
    }

    /// Takes a trace, if it ranks high enough.
    pub fn offer(&mut self, rank: R, trace: &Trace) {
        let rank = (rank, Reverse(self.count));
        self.count += 1;
        if self.kept.len() >= self.room {
            match self.kept.peek() {
                Some(Reverse(least)) if least.rank < rank => drop(self.kept.pop()),
                _ => return,
            }
        }
        self.kept.push(Reverse(Kept { rank, trace: trace.clone() }));
    }

    /// Those that were kept, the highest first.
    pub fn take(&mut self) -> impl Iterator<Item = Trace> + use<R> {
        let kept = std::mem::take(&mut self.kept).into_sorted_vec();
        kept.into_iter().map(|Reverse(kept)| kept.trace)
    }
}

struct Kept<R> {
    rank: (R, Reverse<u64>),
    trace: Trace,
}

impl<R: Ord> PartialEq for Kept<R> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<R: Ord> Eq for Kept<R> {}

impl<R: Ord> PartialOrd for Kept<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: Ord> Ord for Kept<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128) -> Trace {
        Trace { id, wire: None, late: false, spans: Vec::new() }
    }

    #[test]
    fn the_highest_are_kept_and_of_equal_ones_the_first() {
        let mut best = Best::new(3);
        for (id, rank) in [(1, 5), (2, 9), (3, 5), (4, 1), (5, 9), (6, 5)] {
            best.offer(rank, &trace(id));
        }
        assert_eq!(best.take().map(|trace| trace.id).collect::<Vec<_>>(), [2, 5, 1]);
    }

    #[test]
    fn no_room_keeps_nothing() {
        let mut best = Best::new(0);
        best.offer(1, &trace(1));
        assert_eq!(best.take().count(), 0);
    }
}
