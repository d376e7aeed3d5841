//! Exchanges that carry one identifier: trace ids, span ids where the format has them, and request
//! ids, on requests (straight) or made by a gateway and shown in its response (crosswise).
//!
//! The identifier says that they belong together; which one is above is told by span ids, else by
//! who called whom and by time.

use crate::join::{Above, Group, JoinKey, Joiner, Links, Member, Nesting, Sightings, nests};
use crate::span::{LinkKind, Reason};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::num::NonZeroU64;

/// See the module.
pub struct Identifiers;

impl Joiner for Identifiers {
    fn link(&self, group: &Group, links: &mut Links) {
        if group.members.len() < 2 {
            return;
        }
        let carriers = Carriers::of(group);
        let sightings = Sightings::of(links);
        let each = sightings.of_each(group.members.len());
        for (lower, all) in each.iter().enumerate() {
            if links.above(lower).is_some() {
                continue;
            }
            let mut found: SmallVec<[Candidate; 8]> = SmallVec::new();
            for sighting in all {
                candidates(group, &carriers, &sightings, &each, *sighting, &mut found);
            }
            // What caused it may be a request that was lost.
            let sightings_of = || all.iter().filter_map(|place| group.members.get(*place));
            if sightings_of().any(|member| member.exchange.touched.request) {
                found.retain(|candidate| candidate.by_span);
            }
            let above =
                group.members.get(lower).and_then(|member| best(group, links, member, found));
            if let Some(above) = above {
                links.link(lower, above);
            }
        }
    }
}

/// What a member may hang under, by the identifiers that both carry.
fn candidates(
    group: &Group,
    carriers: &Carriers,
    sightings: &Sightings,
    each: &[SmallVec<[usize; 2]>],
    lower: usize,
    found: &mut SmallVec<[Candidate; 8]>,
) {
    let Some(member) = group.members.get(lower) else { return };
    let before = found.len();
    for (key, context) in group.keys(lower) {
        for upper in carriers.before(group, key, lower) {
            let known = found.iter().skip(before).any(|other| other.upper == upper);
            let tops = [upper, lower].map(|member| sightings.top(member));
            if known || tops[0] == tops[1] || !is_by_one_clock(group, each, [upper, lower], tops) {
                continue;
            }
            let Some(other) = group.members.get(upper) else { continue };
            let Some(nesting) = nests(other, member) else { continue };
            let span_above = |wanted: Option<NonZeroU64>| {
                let mut same = group.keys(upper).filter(|(other, _)| *other == key);
                wanted.is_some() && same.any(|(_, above)| wanted == above.span)
            };
            let by_span = span_above(context.parent);
            let same_span = span_above(context.span);
            if may_be_above(&nesting, by_span, other, member) {
                found.push(Candidate { upper, key, by_span, same_span, nesting });
            }
        }
    }
}

/// Whether the times of two sightings may be compared: they are of one point, or no point has seen
/// both exchanges. `tops` are the outermost sightings of the two.
fn is_by_one_clock(
    group: &Group,
    each: &[SmallVec<[usize; 2]>],
    sightings: [usize; 2],
    tops: [usize; 2],
) -> bool {
    let point = |member: usize| group.members.get(member).map(|member| member.exchange.point);
    let points = |top: usize| each.get(top).into_iter().flatten().map(|member| point(*member));
    let [upper, lower] = sightings.map(point);
    upper == lower || !points(tops[0]).any(|one| points(tops[1]).any(|other| one == other))
}

/// The best of several candidates.
fn best(
    group: &Group,
    links: &Links,
    member: &Member,
    mut found: SmallVec<[Candidate; 8]>,
) -> Option<Above> {
    // What its kind is always made for was lost, maybe, and with it a level.
    let usual = member.cause.pattern.listener;
    let is_usual = |candidate: &Candidate| {
        let asked = group.members.get(candidate.upper).map(|above| above.listener);
        !usual.zip(asked).is_some_and(|(usual, asked)| usual.contradicts(asked))
    };
    found.retain(|candidate| {
        !candidate.nesting.at_endpoint || candidate.by_span || is_usual(candidate)
    });
    let best = found.iter().map(Candidate::rank).max()?;
    found.retain(|candidate| candidate.rank() == best);
    // Each point that saw the lower one may have brought the same.
    found.sort_by_key(|candidate| candidate.upper);
    found.dedup_by_key(|candidate| candidate.upper);
    // What a machine does for an exchange, it does for the innermost.
    let inner: SmallVec<[Candidate; 8]> = found
        .iter()
        .filter(|outer| !found.iter().any(|other| is_above(links, outer.upper, other.upper)))
        .copied()
        .collect();
    // The one that began last is the innermost, mostly.
    let latest = |c: &&Candidate| group.members.get(c.upper).map(|m| (m.exchange.start(), c.upper));
    if let [only] = inner.as_slice() {
        return Some(only.above(None, None));
    }
    let told = passed_on(group, &inner, member)
        .map(|candidate| (candidate, "both ask for the same"))
        .or_else(|| {
            Some((by_values(group, &inner, member)?, "it carries values of the one above"))
        });
    match told {
        Some((candidate, word)) => Some(candidate.above(None, Some(word))),
        None => {
            let chosen = inner.iter().max_by_key(latest)?;
            let others = inner.iter().filter(|other| other.upper != chosen.upper);
            Some(chosen.above(others.max_by_key(latest).map(|rival| rival.upper), None))
        }
    }
}

/// The only one of several that asks for the same as a member.
fn passed_on<'c>(group: &Group, all: &'c [Candidate], member: &Member) -> Option<&'c Candidate> {
    let mut alike = all.iter().filter(|candidate| {
        let upper = group.members.get(candidate.upper);
        upper.is_some_and(|upper| upper.content == member.content)
    });
    alike.next().filter(|_| alike.next().is_none())
}

/// The one of several that carries more of the values of a member than each other one, of those that
/// not all carry.
fn by_values<'c>(group: &Group, all: &'c [Candidate], member: &Member) -> Option<&'c Candidate> {
    let values = |candidate: &Candidate| {
        let member = group.members.get(candidate.upper);
        member.map(|member| member.exchange.values.words()).unwrap_or_default()
    };
    let wanted = member.exchange.values.words();
    let shared = |candidate: &&Candidate| {
        let own = values(candidate);
        let tells =
            |word: &&u16| own.contains(word) && !all.iter().all(|c| values(c).contains(word));
        wanted.iter().filter(tells).count()
    };
    let best = all.iter().max_by_key(shared)?;
    let most = shared(&best);
    let others = all.iter().filter(|c| c.upper != best.upper);
    (most > 0 && others.map(|c| shared(&c)).all(|other| other < most)).then_some(best)
}

/// Whether a member may hang under another one that carries the same identifier.
fn may_be_above(nesting: &Nesting, by_span: bool, upper: &Member, lower: &Member) -> bool {
    if by_span || nesting.at_endpoint {
        return true;
    }
    // Of a caller that is seen to be asked, what caused its calls was asked of it. Two calls of one
    // machine stand side by side: what caused both was not seen. And who passes on under another
    // address what it was asked, passes it on in the same protocol.
    let asked = !lower.cause.candidates.is_empty() || lower.cause.many;
    nesting.begins_within
        && (!asked || upper.content == lower.content)
        && upper.client != lower.client
        && upper.exchange.protocol == lower.exchange.protocol
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
    /// Better candidates rank higher.
    fn rank(&self) -> (bool, bool, bool, bool, bool) {
        let Nesting { at_endpoint, begins_within, within } = self.nesting;
        (self.by_span, at_endpoint, begins_within, self.same_span, within)
    }

    fn above(&self, rival: Option<usize>, told_by: Option<&'static str>) -> Above {
        let mut also: SmallVec<[&'static str; 2]> = SmallVec::new();
        if self.by_span {
            also.push("its parent's id is the id that the one above carries");
        }
        if self.nesting.at_endpoint {
            also.push("who calls is who was asked above");
        }
        also.extend(told_by);
        let mut against = self.nesting.against();
        let mut confidence = match (self.by_span, self.nesting.at_endpoint) {
            (true, _) => 1.0,
            (false, true) => 0.99,
            (false, false) => 0.9,
        };
        if !self.nesting.within && !self.by_span {
            confidence -= if self.nesting.begins_within { 0.1 } else { 0.2 };
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
            also,
        }
    }
}

/// Whether one member lies above another.
fn is_above(links: &Links, upper: usize, lower: usize) -> bool {
    let mut at = links.above(lower);
    while let Some(above) = at {
        if above.member == upper {
            return true;
        }
        at = links.above(above.member);
    }
    false
}

/// Earlier carriers of an identifier that are looked at for each exchange.
const LOOKED_AT: usize = 256;
/// Members up to which no table is made.
const FEW: usize = 8;
