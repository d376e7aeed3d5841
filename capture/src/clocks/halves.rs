//! Which interfaces are the two halves of one point: as a passive TAP gives a cable, one file for
//! each direction.
//!
//! Such an interface sees one side of all its flows. The one that sees the other side of these, and
//! of no others, is its other half. Of hosts that talk only to each other, several fit; then names
//! that are nearly alike tell.

use super::sample::Seen;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

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
    let sees = Seeing::of(&one_way);
    let best: Vec<Option<(Fit, usize)>> =
        (0..one_way.len()).into_par_iter().map(|own| sees.best(own, &one_way)).collect();
    let mut found = Vec::new();
    for (own, fit) in best.iter().enumerate() {
        let Some((fit, other)) = fit else { continue };
        let back = best.get(*other).and_then(|fit| fit.map(|(_, back)| back));
        if own < *other && back == Some(own) {
            let number = |place: usize| one_way.get(place).map(|(number, _)| *number);
            let interfaces = number(own).zip(number(*other));
            found.extend(interfaces.map(|(a, b)| Halves { interfaces: [a, b], flows: fit.flows }));
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

/// Which interfaces see what side of which flow.
struct Seeing {
    /// By flow and side: the places of the interfaces that see it.
    places: HashMap<(u64, bool), Vec<usize>, FixedState>,
    /// Of each interface, how many sides of flows it sees.
    sides: Vec<usize>,
}

impl Seeing {
    fn of(all: &[(usize, &Seen)]) -> Self {
        let mut seeing = Self { places: HashMap::default(), sides: Vec::new() };
        for (place, (_, seen)) in all.iter().enumerate() {
            let mut count = 0;
            for side in sides(seen) {
                seeing.places.entry(side).or_default().push(place);
                count += 1;
            }
            seeing.sides.push(count);
        }
        seeing
    }

    /// The one that fits one of these best, and how well it does.
    fn best(&self, own: usize, all: &[(usize, &Seen)]) -> Option<(Fit, usize)> {
        let (_, seen) = all.get(own)?;
        let own_sides = self.sides.get(own)?;
        let mut shared = vec![0_usize; all.len()];
        for (flow, from_low) in sides(seen) {
            for place in self.places.get(&(flow, !from_low)).into_iter().flatten() {
                if let Some(count) = shared.get_mut(*place) {
                    *count += 1;
                }
            }
        }
        let others = all.iter().zip(&self.sides).zip(shared).enumerate();
        let fits = others.filter_map(|(other, (((_, that), sides), flows))| {
            let share = flows * 1_000 / (own_sides + sides - flows).max(1);
            if other == own || share < ENOUGH {
                return None;
            }
            let both = seen.name.chars().zip(that.name.chars());
            let alike = both.take_while(|(a, b)| a == b).count();
            Some((Fit { share, alike, flows }, other))
        });
        fits.max_by_key(|(fit, other)| (*fit, std::cmp::Reverse(*other)))
    }
}

/// The flows of an interface with the sides that it sees: whether that of the lower end.
fn sides(seen: &Seen) -> impl Iterator<Item = (u64, bool)> {
    seen.flows.iter().flat_map(|(flow, [from_low, from_high])| {
        [from_low.then_some((*flow, true)), from_high.then_some((*flow, false))]
            .into_iter()
            .flatten()
    })
}

/// Interfaces with one direction only, fewer of which are left to be found out from their flows.
const SEVERAL: usize = 3;
/// One of so many flows may be seen from both sides by mistake.
const STRAY: usize = 16;
/// Of a thousand flows, how many both must have.
const ENOUGH: usize = 800;
