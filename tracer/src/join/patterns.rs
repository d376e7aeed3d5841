//! What calls of one kind have had in common: whether they begin while their caller is asked for
//! something, and at which of its ports.
//!
//! A call that is made for nobody, such as a check of health or what is done after an answer, begins
//! at times while exactly one exchange happens to be open at its caller, and at times while none is.
//! How often it does the second tells how often the first is by chance.

use crate::exchange::{Exchange, OPERATION, RESOURCE};
use crate::join::fingerprint::Digest;
use crate::join::hosts::Load;
use crate::join::machines::Machine;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

/// What is known of calls of each kind.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// Those that were seen lately, and those before them.
    kinds: [HashMap<u64, Seen, RandomState>; 2],
    /// Of ports that are asked by their own machine: which of its ports that is mostly done for.
    outer: HashMap<u64, Listeners, RandomState>,
    /// How many calls of all kinds began while all that was open asked one port: which one.
    alone: HashMap<u64, u32, RandomState>,
}

/// Ports, and how often each was asked.
type Listeners = SmallVec<[(u64, u32); 1]>;

/// The one of these that was asked most often, and the share of it.
fn most(listeners: &Listeners) -> Option<(u64, f64)> {
    let (listener, times) = listeners.iter().max_by_key(|(_, times)| *times)?;
    let sum: u64 = listeners.iter().map(|(_, times)| u64::from(*times)).sum();
    (*times >= KNOWN).then(|| (*listener, f64::from(*times) / sum.max(1) as f64))
}

/// What was open at its caller as a call began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Began {
    /// Nothing.
    Idle,
    /// One exchange, that asks this address and port, as far as it is known still.
    One(Option<u64>),
    /// More; all of them ask this address and port, if they ask the same.
    Several(Option<u64>),
}

impl Began {
    /// The address and port that all that was open asks.
    fn listener(self) -> Option<u64> {
        match self {
            Self::Idle => None,
            Self::One(listener) | Self::Several(listener) => listener,
        }
    }
}

/// How often calls of one kind began while how much was open at their caller.
#[derive(Clone, Debug, Default)]
struct Seen {
    idle: u32,
    one: u32,
    all: u32,
    /// Where all that was open asked one port: which one, and how often.
    listeners: Listeners,
}

/// What speaks for it that a call was made for the only exchange that was open at its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pattern {
    /// Calls of its kind that began while exactly one exchange was open, this one among them.
    pub one: u32,
    /// Calls of its kind that began while none was.
    pub idle: u32,
    /// All calls of its kind.
    pub all: u32,
    /// How much of the time how much was open there.
    pub load: Load,
    /// The port of the caller that most of them are made for, where that is known well.
    pub listener: Option<Usual>,
    /// Whether that tells what such a call is made for from what else is open.
    pub tells_apart: bool,
}

/// The port of a machine that calls of a kind are mostly made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Stands for the port.
    pub listener: u64,
    /// Nearly all are.
    pub nearly_always: bool,
    /// Its own machine asks it mostly for what this one is asked.
    pub outer: Option<u64>,
}

impl Usual {
    /// Whether a call that seems to be made for what this port is asked is surely made for something
    /// else, which was lost: what its kind is nearly always made for, or the level between both.
    pub fn contradicts(&self, listener: u64) -> bool {
        self.listener != listener && (self.nearly_always || self.outer == Some(listener))
    }
}

impl Pattern {
    /// How likely such a call was made for that exchange, from 0 to 1.
    ///
    /// Calls that are made for nobody begin at any time: of `all`, as many while nothing was open as
    /// that was so of the time. Where none did, that is the less likely the more there should have
    /// been (Poisson). Where some did, `one / idle` as many (nanoseconds of [`Load`]) begin while
    /// one exchange is open.
    pub fn confidence(&self) -> f64 {
        let Load { idle, one, several, .. } = self.load;
        let [idle, one, several] = [idle, one, several].map(|time| time.max(1) as f64);
        if self.idle == 0 {
            let expected = f64::from(self.all) * idle / (idle + one + several);
            return 1.0 - STRANGERS * (-expected).exp();
        }
        // Of a caller that is hardly ever idle, it is hardly ever seen.
        let strangers = (one / idle).clamp(0.05, 20.0) * f64::from(self.idle);
        (1.0 - strangers / f64::from(self.one.max(1)) - UNSURE).max(0.0)
    }
}

impl Patterns {
    /// A call of this kind was made while so much was open at its caller.
    pub(crate) fn count(&mut self, kind: u64, began: Began) {
        let seen = self.seen(kind);
        seen.all = seen.all.saturating_add(1);
        match began {
            Began::Idle => seen.idle = seen.idle.saturating_add(1),
            Began::One(_) => seen.one = seen.one.saturating_add(1),
            Began::Several(_) => {}
        }
        if let Some(listener) = began.listener() {
            note(&mut seen.listeners, listener);
            if self.alone.len() >= KINDS && !self.alone.contains_key(&listener) {
                self.alone.clear();
            }
            let alone = self.alone.entry(listener).or_default();
            *alone = alone.saturating_add(1);
        }
    }

    /// It counts as something else now.
    pub(crate) fn uncount(&mut self, kind: u64, began: Began) {
        let seen = self.seen(kind);
        seen.all = seen.all.saturating_sub(1);
        match began {
            Began::Idle => seen.idle = seen.idle.saturating_sub(1),
            Began::One(_) => seen.one = seen.one.saturating_sub(1),
            Began::Several(_) => {}
        }
        let Some(listener) = began.listener() else { return };
        if let Some((_, times)) = seen.listeners.iter_mut().find(|(known, _)| *known == listener) {
            *times = times.saturating_sub(1);
        }
        if let Some(alone) = self.alone.get_mut(&listener) {
            *alone = alone.saturating_sub(1);
        }
    }

    /// A port was asked by its own machine, for what another one was asked.
    pub(crate) fn passes_on(&mut self, listener: u64, outer: u64) {
        if self.outer.len() >= KINDS && !self.outer.contains_key(&listener) {
            self.outer.clear();
        }
        note(self.outer.entry(listener).or_default(), outer);
    }

    /// What is known of calls of a kind, at a caller with this load.
    pub(crate) fn of(&self, kind: u64, load: Load) -> Pattern {
        let seen = self.kinds.iter().find_map(|kinds| kinds.get(&kind));
        seen.map_or_else(Pattern::default, |seen| {
            let Seen { idle, one, all, .. } = *seen;
            let listener = most(&seen.listeners).map(|(listener, share)| Usual {
                listener,
                nearly_always: share >= NEARLY_ALWAYS,
                outer: self.outer.get(&listener).and_then(most).map(|(outer, _)| outer),
            });
            let tells_apart = self.only(kind).is_some() || self.outer(kind).is_some();
            Pattern { one, idle, all, load, listener, tells_apart }
        })
    }

    /// The only port of its caller that calls of a kind have been made for, if it is known well.
    pub(crate) fn listener(&self, kind: u64) -> Option<u64> {
        self.only(kind).map(|(listener, _)| listener)
    }

    /// Whether calls of a kind that have been made for one port only are hardly made for this other
    /// one of the same machine, too: by chance, none of them was seen to be.
    ///
    /// Of calls that are made for both, as many begin while only one of these is asked as other calls
    /// do. Were they all made for the first so far by chance, that was the less likely the more of
    /// them there were: the share of the first, to the power of how many they are.
    pub(crate) fn never_for(&self, kind: u64, other: u64) -> bool {
        let Some((listener, times)) = self.only(kind).filter(|(only, _)| *only != other) else {
            return false;
        };
        let alone = |listener| self.alone.get(&listener).copied().unwrap_or(0);
        let (own, others) = (alone(listener), alone(other));
        // Of what was forgotten of both, nothing follows.
        if own < times {
            return false;
        }
        let share = f64::from(own) / (f64::from(own) + f64::from(others));
        share.powf(f64::from(times)) <= BY_CHANCE
    }

    /// The only port that calls of a kind have been made for, and how many of them.
    fn only(&self, kind: u64) -> Option<(u64, u32)> {
        let seen = self.kinds.iter().find_map(|kinds| kinds.get(&kind))?;
        let mut asked = seen.listeners.iter().filter(|(_, times)| *times > 0);
        match (asked.next(), asked.next()) {
            (Some((listener, times)), None) if *times >= KNOWN => Some((*listener, *times)),
            _ => None,
        }
    }

    /// The port that passes on to the one that calls of a kind are mostly made for: they are not made
    /// for what it is asked itself.
    pub(crate) fn outer(&self, kind: u64) -> Option<u64> {
        let seen = self.kinds.iter().find_map(|kinds| kinds.get(&kind))?;
        let (listener, share) = most(&seen.listeners)?;
        let (outer, _) = most(self.outer.get(&listener)?)?;
        (share >= NEARLY_ALWAYS && outer != listener).then_some(outer)
    }

    fn seen(&mut self, kind: u64) -> &mut Seen {
        let [lately, before] = &mut self.kinds;
        if lately.len() >= KINDS / 2 && !lately.contains_key(&kind) {
            *before = std::mem::take(lately);
        }
        lately.entry(kind).or_insert_with(|| before.remove(&kind).unwrap_or_default())
    }
}

/// Notes that a port was asked once more.
fn note(listeners: &mut Listeners, listener: u64) {
    let room = listeners.len() < LISTENERS;
    match listeners.iter_mut().find(|(known, _)| *known == listener) {
        Some((_, times)) => *times = times.saturating_add(1),
        None if room => listeners.push((listener, 1)),
        None => {
            // One that was found to be none after all makes room.
            if let Some(free) = listeners.iter_mut().find(|(_, times)| *times == 0) {
                *free = (listener, 1);
            }
        }
    }
}

/// A number for what a call is one of many of: who calls, who is asked, for what, without numbers
/// that differ from call to call.
pub(crate) fn kind(caller: Machine, listener: u64, exchange: &Exchange) -> u64 {
    let mut hash = Digest::default();
    hash.update(&caller.to_le_bytes());
    hash.update(&listener.to_le_bytes());
    hash.update(&[exchange.protocol.0, exchange.sort as u8]);
    for name in [OPERATION, RESOURCE, "db.query.text"] {
        let text = exchange.text.text(name).unwrap_or_default();
        let mut words = text.get(..text.len().min(TEXT)).unwrap_or_default();
        // A word with a digit in it is a value.
        while let Some(first) = words.first() {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
            let len = words.iter().take_while(|byte| is_word(byte) == is_word(first)).count();
            let (word, rest) = words.split_at(len);
            match word.iter().any(u8::is_ascii_digit) {
                true => hash.update(b"#"),
                false => hash.update(word),
            }
            words = rest;
        }
        hash.update(&[0]);
    }
    hash.digest()
}

/// Kinds of calls that are remembered.
pub const KINDS: usize = 32_768;
/// Ports of callers that are told apart for each.
const LISTENERS: usize = 8;
/// Bytes of a text that are looked at.
const TEXT: usize = 256;
/// How often a kind must have been made for one port, to be taken for one that always is.
const KNOWN: u32 = 5;
/// How likely it may be that a kind was made for one port only by chance.
const BY_CHANCE: f64 = 0.01;
/// The share of calls of a kind that are made for one port, for it to be the usual one.
const NEARLY_ALWAYS: f64 = 0.9;
/// The share of kinds of calls that are made for nobody, where nothing else is known.
const STRANGERS: f64 = 0.1;
/// What is taken off where a kind is seen to be made for nobody, too.
const UNSURE: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    impl Patterns {
        /// How many kinds it remembers.
        pub(crate) fn len(&self) -> usize {
            self.kinds.iter().map(HashMap::len).sum()
        }
    }

    /// What is known after so many calls of a kind began so, one after the other.
    fn patterns(counted: &[(u64, Began, u32)]) -> Patterns {
        let mut patterns = Patterns::default();
        for (kind, began, times) in counted {
            (0..*times).for_each(|_| patterns.count(*kind, *began));
        }
        patterns
    }

    const LOOKUP: u64 = 1;
    const INSERT: u64 = 2;
    const HTTP: u64 = 10;
    const DUBBO: u64 = 20;

    #[test]
    fn port_that_was_alone_often_without_such_calls_is_not_what_they_are_made_for() {
        let check = |lookups, inserts, expected| {
            let counted = [
                (LOOKUP, Began::One(Some(HTTP)), lookups),
                (INSERT, Began::One(Some(DUBBO)), inserts),
            ];
            assert_eq!(
                patterns(&counted).never_for(LOOKUP, DUBBO),
                expected,
                "{lookups} {inserts}"
            );
        };
        check(4, 400, false);
        check(5, 400, true);
        // Nobody knows what is done for a port that is hardly ever asked alone.
        check(5, 0, false);
        check(5, 1, false);
        check(100, 1, false);
        check(100, 10, true);
    }

    #[test]
    fn calls_that_begin_while_several_ask_another_port_are_made_for_that_one_too() {
        let mut counted = vec![
            (LOOKUP, Began::One(Some(HTTP)), 40),
            (INSERT, Began::One(Some(DUBBO)), 40),
            (LOOKUP, Began::Several(None), 40),
        ];
        assert_eq!(patterns(&counted).listener(LOOKUP), Some(HTTP));
        counted.push((LOOKUP, Began::Several(Some(DUBBO)), 1));
        assert_eq!(patterns(&counted).listener(LOOKUP), None);
        assert!(!patterns(&counted).never_for(LOOKUP, DUBBO));
    }

    #[test]
    fn port_that_is_only_asked_several_times_at_once_excludes_no_other() {
        let several = [(LOOKUP, Began::Several(Some(HTTP)), 5)];
        assert!(!patterns(&several).never_for(LOOKUP, DUBBO));
        let mut patterns = patterns(&several);
        patterns.alone.clear();
        assert!(!patterns.never_for(LOOKUP, DUBBO));
    }

    #[test]
    fn what_is_taken_back_counts_no_more() {
        let began = Began::Several(Some(DUBBO));
        let mut patterns = patterns(&[(LOOKUP, Began::One(Some(HTTP)), 5), (LOOKUP, began, 1)]);
        assert_eq!(patterns.listener(LOOKUP), None);
        patterns.uncount(LOOKUP, began);
        assert_eq!(patterns.listener(LOOKUP), Some(HTTP));
    }
}
