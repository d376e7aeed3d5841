//! What is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use wirespan_capture::packet::Timestamp;

/// What is due when: time, birth and place of a component.
///
/// Most of what is added is due last, so that it only queues up behind the rest.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    queue: VecDeque<(Timestamp, u64, usize)>,
    rest: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
}

impl Timetable {
    pub(super) fn push(&mut self, entry: (Timestamp, u64, usize)) {
        match self.queue.back() {
            Some(last) if *last > entry => self.rest.push(Reverse(entry)),
            _ => self.queue.push_back(entry),
        }
    }

    /// Takes the first entry, if it is due before this time.
    pub(super) fn pop_before(&mut self, now: Timestamp) -> Option<(Timestamp, u64, usize)> {
        let queued = self.queue.front();
        let other = self.rest.peek().map(|Reverse(entry)| entry);
        let first = queued.into_iter().chain(other).min().copied()?;
        if first.0 >= now {
            return None;
        }
        if queued == Some(&first) {
            self.queue.pop_front()
        } else {
            self.rest.pop().map(|Reverse(entry)| entry)
        }
    }
}
