//! Whether the sequence ids of a client tell its calls apart.
//!
//! Some clients count their calls, and some send the same number with each: those are answered in
//! order. Of one connection that several clients share, each of which counts for itself, numbers
//! come again, too.

use std::collections::VecDeque;

/// The ids of one connection's calls.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The latest calls: their ids, and whether their answers may still come.
    asked: VecDeque<(u32, bool)>,
    highest: Option<u32>,
    /// An id came again.
    repeats: bool,
}

impl Ids {
    /// A call with this id is seen. Whether its answer is told by the id, else by the order.
    pub(super) fn ask(&mut self, seqid: u32) -> bool {
        if self.repeats {
            return false;
        }
        let is_new = self.highest.is_none_or(|highest| seqid > highest);
        if !is_new && self.asked.iter().any(|(asked, _)| *asked == seqid) {
            self.repeats = true;
            self.asked.retain(|(_, is_open)| *is_open);
            return false;
        }
        if self.asked.len() >= ASKED_LIMIT {
            self.asked.pop_front();
        }
        self.asked.push_back((seqid, true));
        self.highest = self.highest.max(Some(seqid));
        true
    }

    /// An answer with this id is seen. Whether its call is told by the id, else by the order.
    pub(super) fn answer(&mut self, seqid: u32) -> bool {
        let is_its = |(asked, is_open): &&mut (u32, bool)| *is_open && *asked == seqid;
        match self.asked.iter_mut().rev().find(is_its) {
            Some((_, is_open)) => {
                *is_open = false;
                true
            }
            None => !self.repeats,
        }
    }

    /// Answers are lost: those of all calls so far may be among them.
    pub(super) fn lose(&mut self) {
        self.asked.iter_mut().for_each(|(_, is_open)| *is_open = false);
    }
}

/// Calls whose ids are remembered.
const ASKED_LIMIT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_count_tell_answers_apart() {
        let mut ids = Ids::default();
        assert!(ids.ask(1) && ids.ask(2) && ids.ask(3));
        assert!(ids.answer(3) && ids.answer(1) && ids.answer(2));
    }

    #[test]
    fn id_that_comes_again_tells_only_what_was_asked_before() {
        let mut ids = Ids::default();
        assert!(ids.ask(0));
        assert!(!ids.ask(0));
        assert!(ids.answer(0));
        assert!(!ids.answer(0));
        assert!(!ids.ask(0) && !ids.ask(1));
    }

    #[test]
    fn id_that_comes_again_is_not_that_of_an_answer_that_was_lost() {
        let mut ids = Ids::default();
        assert!(ids.ask(7));
        ids.lose();
        assert!(!ids.ask(7));
        assert!(!ids.answer(7));
    }

    #[test]
    fn answer_to_a_call_that_was_not_seen_goes_by_its_id() {
        assert!(Ids::default().answer(9));
    }
}
