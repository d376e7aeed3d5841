//! Exchanges that carry one identifier: trace ids, span ids where the format has them, and request
//! ids, on requests (straight) or made by a gateway and shown in its response (crosswise).
//!
//! The identifier says that they belong together; which one is above is told by span ids, else by
//! who called whom and by time.

use crate::exchange::Exchange;
use crate::join::{Above, Group, JoinKey, Joiner, Links, Nesting, nests};
use crate::span::{LinkKind, Reason};
use hashbrown::HashMap;
use smallvec::SmallVec;

/// See the module.
pub struct Identifiers;

impl Joiner for Identifiers {
    fn link(&self, group: &Group, links: &mut Links) {
        if group.members.len() < 2 {
            return;
        }
        let carriers = Carriers::of(group);
        for (lower, member) in group.members.iter().enumerate() {
            if links.above(lower).is_some() {
                continue;
            }
            let mut best: Option<Candidate> = None;
            let mut second: Option<Candidate> = None;
            let mut looked_at: SmallVec<[usize; 8]> = SmallVec::new();
            for (key, context) in group.keys(lower) {
                for upper in carriers.before(group, key, lower) {
                    if looked_at.contains(&upper) {
                        continue;
                    }
                    let Some(other) = group.members.get(upper) else { continue };
                    let Some(nesting) = nests(&other.exchange, &member.exchange) else { continue };
                    looked_at.push(upper);
                    let by_span = group.keys(upper).any(|(other, above)| {
                        other == key && context.parent.is_some() && context.parent == above.span
                    });
                    // Two calls of one host stand side by side: what caused both was not seen.
                    let siblings = other.exchange.client_host() == member.exchange.client_host();
                    if siblings && !by_span && !nesting.at_endpoint {
                        continue;
                    }
                    let same_span = group.keys(upper).any(|(other, above)| {
                        other == key && context.span.is_some() && context.span == above.span
                    });
                    let candidate = Candidate { upper, key, by_span, same_span, nesting };
                    match &best {
                        Some(best) if best.rank() >= candidate.rank() => {
                            second = second.or(Some(candidate));
                        }
                        _ => second = best.replace(candidate),
                    }
                }
            }
            let Some(best) = best else { continue };
            let rival = second.filter(|second| {
                second.rank() == best.rank() && !above_each_other(group, links, &best, second)
            });
            links.link(lower, best.above(rival.map(|rival| rival.upper)));
        }
    }
}

/// Which members carry which identifier.
enum Carriers {
    /// The group is so small that looking at all its members is quicker than a table.
    Few,
    Many(HashMap<JoinKey, Vec<usize>>),
}

impl Carriers {
    fn of(group: &Group) -> Self {
        if group.members.len() <= FEW {
            return Self::Few;
        }
        let mut carriers: HashMap<JoinKey, Vec<usize>> = HashMap::new();
        for place in 0..group.members.len() {
            for (key, _) in group.keys(place) {
                let carriers = carriers.entry(key).or_default();
                if carriers.last() != Some(&place) {
                    carriers.push(place);
                }
            }
        }
        Self::Many(carriers)
    }

    /// The members before this one that carry an identifier, the latest first.
    fn before(&self, group: &Group, key: JoinKey, member: usize) -> SmallVec<[usize; 8]> {
        match self {
            Self::Few => (0..member)
                .rev()
                .filter(|place| group.keys(*place).any(|(other, _)| other == key))
                .collect(),
            Self::Many(carriers) => {
                let all = carriers.get(&key).map(Vec::as_slice).unwrap_or_default();
                let end = all.partition_point(|place| *place < member);
                all.get(..end).unwrap_or_default().iter().rev().take(LOOKED_AT).copied().collect()
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    upper: usize,
    key: JoinKey,
    /// The lower one names the upper one's span as its parent.
    by_span: bool,
    /// Both name the same span, as where a host hands on what it was told.
    same_span: bool,
    nesting: Nesting,
}

impl Candidate {
    /// Better candidates rank higher; among equals the one that began last is the innermost.
    fn rank(&self) -> (bool, bool, bool, bool) {
        (self.by_span, self.nesting.at_endpoint, self.same_span, self.nesting.within)
    }

    fn above(&self, rival: Option<usize>) -> Above {
        let mut against = self.nesting.against();
        let mut confidence = match (self.by_span, self.nesting.at_endpoint) {
            (true, _) => 1.0,
            (false, true) => 0.99,
            (false, false) => 0.9,
        };
        if !self.nesting.within && !self.by_span {
            confidence -= 0.1;
        }
        if rival.is_some() {
            confidence = 0.5;
            against.push("ambiguous: another exchange is as good a parent");
        }
        Above {
            member: self.upper,
            kind: LinkKind::Parent,
            reason: Reason::Identifier(self.key.format),
            confidence,
            against,
            runner_up: rival,
        }
    }
}

/// Whether the two candidates lie above one another, so that the inner one is simply nearer.
fn above_each_other(group: &Group, links: &Links, a: &Candidate, b: &Candidate) -> bool {
    let is_above = |upper: usize, lower: usize| {
        std::iter::successors(Some(lower), |at| links.above(*at).map(|above| above.member))
            .any(|at| at == upper)
    };
    let exchange = |place: usize| group.members.get(place).map(|member| &*member.exchange);
    let contains = |upper: Option<&Exchange>, lower: Option<&Exchange>| {
        upper.zip(lower).is_some_and(|(upper, lower)| {
            upper.start() <= lower.start() && upper.end() >= lower.end()
        })
    };
    is_above(b.upper, a.upper)
        || is_above(a.upper, b.upper)
        || (!a.nesting.at_endpoint && contains(exchange(b.upper), exchange(a.upper)))
}

/// Earlier carriers of an identifier that are looked at for each exchange.
const LOOKED_AT: usize = 256;
/// Members up to which no table is made.
const FEW: usize = 8;
