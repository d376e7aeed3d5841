//! What two clocks have both seen: the packets of two interfaces, and which of these each passed
//! first.

use super::line::{FASTEST, Line, Sighting};
use super::sample::{Sample, Seen};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What two clocks have both seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Both {
    sightings: Vec<Sighting>,
    /// Packets that say nothing, since others of the same two interfaces say otherwise.
    contradicted: usize,
    /// The line through all, once it was asked for.
    line: OnceLock<Option<Through>>,
}

/// A line, and whether it goes through what bounds it on both sides.
#[derive(Clone, Copy, Debug)]
struct Through {
    line: Line,
    contradicts: bool,
}

impl Both {
    pub(super) fn add(&mut self, sighting: Sighting) {
        self.sightings.push(sighting);
        self.line = OnceLock::new();
    }

    /// Adds what two more interfaces of these clocks have both seen.
    pub(super) fn extend(&mut self, other: Self) {
        self.sightings.extend(other.sightings);
        self.contradicted += other.contradicted;
        self.line = OnceLock::new();
    }

    /// The same from the other clock.
    pub(super) fn turned(mut self) -> Self {
        self.sightings.iter_mut().for_each(|sighting| *sighting = sighting.turned());
        self.line = OnceLock::new();
        self
    }

    /// How the two clocks run against each other, if it is enough for that and does not contradict
    /// itself.
    pub(super) fn line(&self) -> Option<Line> {
        self.through().map(|through| through.line)
    }

    /// Whether no two clocks that go on evenly can have seen it: one was set in between.
    pub(super) fn contradicts_itself(&self) -> bool {
        self.is_contradicted() || self.through().is_some_and(|through| through.contradicts)
    }

    fn is_contradicted(&self) -> bool {
        is_few_of(self.sightings.len(), self.sightings.len() + self.contradicted)
    }

    fn through(&self) -> Option<Through> {
        *self.line.get_or_init(|| {
            let sightings = self.sightings.as_slice();
            if sightings.len() < ENOUGH || self.is_contradicted() {
                return None;
            }
            if let Some(line) = Line::through(sightings) {
                return Some(Through { line, contradicts: false });
            }
            let onwards = sightings.iter().filter(|sighting| sighting.onwards).count();
            let contradicts = (ENOUGH..=sightings.len() - ENOUGH).contains(&onwards);
            let line = Line::near(sightings, LONGEST as f64)?;
            Some(Through { line, contradicts })
        })
    }
}

/// Whether so many of all are too few to go by.
fn is_few_of(some: usize, all: usize) -> bool {
    some * 10 < all * 9
}

/// The packets that each two of these have both seen, and which of them was passed first.
pub(super) fn shared(all: &[&Seen], base: i64) -> BTreeMap<(usize, usize), Both> {
    let mut samples: Vec<(usize, &Sample)> = all
        .iter()
        .enumerate()
        .flat_map(|(number, seen)| seen.samples.iter().map(move |sample| (number, sample)))
        .collect();
    samples.par_sort_unstable_by_key(|(number, sample)| (sample.key, *number));
    let mut pairs: BTreeMap<(usize, usize), Vec<(&Sample, &Sample)>> = BTreeMap::new();
    for same in samples.chunk_by(|a, b| a.1.key == b.1.key) {
        for (place, (one, a)) in same.iter().enumerate().take(PLACES) {
            for (other, b) in same.iter().skip(place + 1).take(PLACES) {
                pairs.entry((*one, *other)).or_default().push((a, b));
            }
        }
    }
    let pairs: Vec<_> = pairs.into_iter().collect();
    pairs.into_par_iter().map(|(pair, both)| (pair, directed(both, base))).collect()
}

/// Which of two places each packet passed first. Its time to live says so where there is a router
/// in between. Else what comes back tells: a way to and fro takes time, so that of what the one
/// host sends, the difference is greater than of what the other one does, if it passes the first
/// place first.
fn directed(mut both: Vec<(&Sample, &Sample)>, base: i64) -> Both {
    let all = both.len();
    let mut agree = agreeing(&both, 0.0);
    if is_few_of(agree.len(), all) {
        let drift = drift(&mut both);
        agree = agreeing(&both, drift);
    }
    if is_few_of(agree.len(), all) {
        return Both { contradicted: all, ..Both::default() };
    }
    let mut both = agree;
    both.sort_by_key(|(a, _)| (a.ends, a.at, a.key));
    let mut sightings = Vec::new();
    let mut ways_known = false;
    for between in both.chunk_by(|a, b| a.0.ends == b.0.ends) {
        let from_lower_first = from_lower_passes_first(between);
        for (a, b) in between {
            let ([a_least, a_most], [b_least, b_most]) = (a.ttl, b.ttl);
            let onwards = match () {
                () if a_least > b_most => Some(true),
                () if a_most < b_least => Some(false),
                () => from_lower_first.map(|first| first == a.from_lower),
            };
            ways_known |= onwards.is_some();
            // Of several sightings at one place, those nearest to the other place bound the most.
            let (here, there) = match onwards {
                Some(false) => (a.at, b.last),
                _ => (a.last, b.at),
            };
            let at = here.0.saturating_sub(base) as f64;
            sightings.push((onwards, at, there.0.saturating_sub(here.0) as f64));
        }
    }
    // Where nothing says which way anything goes, it is still known to be near.
    let all = sightings.into_iter().filter(|(onwards, ..)| !ways_known || onwards.is_some());
    let sighting = |(onwards, at, difference): (Option<bool>, f64, f64)| Sighting {
        at,
        difference,
        onwards: onwards.unwrap_or(true),
    };
    Both { sightings: all.map(sighting).collect(), ..Both::default() }
}

/// Those that say about the same of how far the clocks are apart; what differs wildly is something
/// else that is alike. It may change by so much of itself as time goes on.
fn agreeing<'s>(both: &[(&'s Sample, &'s Sample)], drift: f64) -> Vec<(&'s Sample, &'s Sample)> {
    let begin = both.first().map_or(0, |(a, _)| a.at.0);
    let difference = |(a, b): &(&Sample, &Sample)| {
        let drifted = a.at.0.saturating_sub(begin) as f64 * drift;
        b.at.0.saturating_sub(a.at.0).saturating_sub(drifted as i64)
    };
    let mut differences: Vec<i64> = both.iter().map(difference).collect();
    differences.sort_unstable();
    let Some(median) = differences.get(differences.len() / 2).copied() else { return Vec::new() };
    // One direction may take much longer than the other one.
    differences.retain(|one| one.abs_diff(median) >= AGREE && one.abs_diff(median) < LONGEST);
    let of_late = differences.get(differences.len() / 2).copied();
    let late = of_late.filter(|late| {
        let agree = differences.iter().filter(|one| one.abs_diff(*late) < AGREE).count();
        agree >= ENOUGH.max(both.len() / MANY)
    });
    let agrees = |pair: &&(&Sample, &Sample)| {
        let one = difference(pair);
        one.abs_diff(median) < AGREE || late.is_some_and(|late| one.abs_diff(late) < AGREE)
    };
    both.iter().filter(agrees).copied().collect()
}

/// By how much of itself the time of the one clock seems to go faster than that of the other one:
/// by what the last quarter and the first one differ. Puts them in order of time.
fn drift(both: &mut [(&Sample, &Sample)]) -> f64 {
    both.sort_by_key(|(a, _)| (a.at, a.key));
    let quarter = both.len() / 4;
    let middle = |these: &[(&Sample, &Sample)]| -> Option<(i64, i64)> {
        let mut differences: Vec<i64> =
            these.iter().map(|(a, b)| b.at.0.saturating_sub(a.at.0)).collect();
        differences.sort_unstable();
        let (at, _) = these.get(these.len() / 2)?;
        Some((at.at.0, *differences.get(differences.len() / 2)?))
    };
    let first = both.get(..quarter).and_then(middle);
    let last = both.get(both.len() - quarter..).and_then(middle);
    let (Some((begin, before)), Some((end, after))) = (first, last) else { return 0.0 };
    let span = end.saturating_sub(begin).max(1);
    (after.saturating_sub(before) as f64 / span as f64).clamp(-FASTEST, FASTEST)
}

/// Whether what the lower address sends passes the first place first; none where only one of the
/// two hosts sends. They are in order of time.
fn from_lower_passes_first(between: &[(&Sample, &Sample)]) -> Option<bool> {
    let difference = |(a, b): &(&Sample, &Sample)| b.at.0.saturating_sub(a.at.0);
    let mut more: Vec<i64> = between
        .windows(2)
        .filter_map(|pair| match pair {
            [one, next] if one.0.from_lower && !next.0.from_lower => {
                Some(difference(one).saturating_sub(difference(next)))
            }
            [one, next] if !one.0.from_lower && next.0.from_lower => {
                Some(difference(next).saturating_sub(difference(one)))
            }
            _ => None,
        })
        .collect();
    more.sort_unstable();
    more.get(more.len() / 2).map(|median| *median >= 0)
}

/// Interfaces that saw one packet which are compared.
const PLACES: usize = 16;
/// Packets in both files: fewer may be chance.
const ENOUGH: usize = 4;
/// Nanoseconds by which they may differ in what they say.
const AGREE: u64 = 250_000_000;
/// Nanoseconds that no way takes.
const LONGEST: u64 = 1_000_000_000;
/// One of so many is enough to be what takes longer than the others.
const MANY: usize = 8;
