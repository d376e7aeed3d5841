//! Which interfaces are the two halves of one point: as a passive TAP gives a cable, one file for each
//! direction.
//!
//! Such an interface sees one side of all its flows. The one that sees the other side of these, and
//! of no others, is its other half. Of hosts that talk only to each other, several fit; then names
//! that are nearly alike tell.

use super::sample::Seen;
use std::collections::BTreeSet;

/// Two interfaces that are one point, and how many flows both have seen a side of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halves {
    pub(super) interfaces: [usize; 2],
    pub(super) flows: usize,
}

/// Finds them among all interfaces.
pub(super) fn halves(all: &[&Seen]) -> Vec<Halves> {
    let one_way: Vec<(usize, &Seen)> =
        all.iter().copied().enumerate().filter(|(_, seen)| sees_one_way(seen)).collect();
    // Two of them are found out from their flows, as they are read.
    if one_way.len() < SEVERAL {
        return Vec::new();
    }
    let best = |own: usize, seen: &Seen| {
        let others = one_way.iter().filter(|(other, _)| *other != own);
        let fits = others.filter_map(|(other, that)| Some((fit(seen, that)?, *other)));
        fits.max_by_key(|(fit, other)| (*fit, std::cmp::Reverse(*other)))
    };
    let mut found = Vec::new();
    for (own, seen) in &one_way {
        let Some((fit, other)) = best(*own, seen) else { continue };
        let Some(that) = all.get(other) else { continue };
        if *own < other && best(other, that).is_some_and(|(_, back)| back == *own) {
            found.push(Halves { interfaces: [*own, other], flows: fit.flows });
        }
    }
    found
}

/// Whether nearly all flows are seen from one side only.
fn sees_one_way(seen: &Seen) -> bool {
    let both = seen.flows.values().filter(|ways| **ways == [true, true]).count();
    !seen.flows.is_empty() && both <= seen.flows.len() / STRAY
}

/// How well the flows of one are those of the other from the other side; what is greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Of a thousand flows of both, how many both have.
    share: usize,
    /// Letters that both names begin with.
    alike: usize,
    flows: usize,
}

fn fit(one: &Seen, other: &Seen) -> Option<Fit> {
    let sides = |seen: &Seen, turned: bool| -> BTreeSet<(u64, bool)> {
        let ways = seen.flows.iter().flat_map(|(flow, [from_low, from_high])| {
            [from_low.then_some((*flow, turned)), from_high.then_some((*flow, !turned))]
        });
        ways.flatten().collect()
    };
    let (own, theirs) = (sides(one, false), sides(other, true));
    let flows = own.intersection(&theirs).count();
    let all = own.union(&theirs).count();
    let share = flows * 1_000 / all.max(1);
    let alike = one.name.chars().zip(other.name.chars()).take_while(|(a, b)| a == b).count();
    (share >= ENOUGH).then_some(Fit { share, alike, flows })
}

/// Interfaces with one direction only, fewer of which are left to be found out from their flows.
const SEVERAL: usize = 3;
/// One of so many flows may be seen from both sides by mistake.
const STRAY: usize = 16;
/// Of a thousand flows, how many both must have.
const ENOUGH: usize = 800;
