//! What two clocks have both seen: the packets of two interfaces, and which of these each passed first.

use super::line::{Line, Sighting};
use super::sample::{Sample, Seen};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The packets that each two of these have both seen, and which of them was passed first.
pub(super) fn shared(all: &[&Seen], base: i64) -> BTreeMap<(usize, usize), Vec<Sighting>> {
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

/// Which of two places each packet passed first. Its time to live says so where there is a router in
/// between. Else what comes back tells: a way to and fro takes time, so that of what the one host
/// sends, the difference is greater than of what the other one does, if it passes the first place
/// first.
fn directed(mut both: Vec<(&Sample, &Sample)>, base: i64) -> Vec<Sighting> {
    let difference = |(a, b): &(&Sample, &Sample)| b.at.0.saturating_sub(a.at.0);
    // What differs wildly is something else that is alike.
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
    both.retain(|pair| {
        let one = difference(pair);
        one.abs_diff(median) < AGREE || late.is_some_and(|late| one.abs_diff(late) < AGREE)
    });
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
    all.map(sighting).collect()
}

/// Whether what the lower address sends passes the first place first; none where only one of the two
/// hosts sends. They are in order of time.
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

/// The line through what two clocks have both seen, if it is enough.
pub(super) fn line(sightings: &[Sighting]) -> Option<Line> {
    if sightings.len() < ENOUGH {
        return None;
    }
    Line::through(sightings).or_else(|| Line::near(sightings, LONGEST as f64))
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
