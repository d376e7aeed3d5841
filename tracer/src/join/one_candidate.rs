//! An outgoing call of a host while exactly one incoming call was open there: what else should
//! have caused it? The window has found that one; here it is checked and weighed.

use crate::exchange::{Exchange, State};
use crate::join::{Above, By, Group, JoinKey, Joiner, Links, Sightings, conflicting, nests};
use crate::span::{LinkKind, Reason};
use hashbrown::HashMap;
use wirespan_parsers::trace_context::Format;

/// See the module.
pub struct OneCandidate;

impl Joiner for OneCandidate {
    fn link(&self, group: &Group, links: &mut Links) {
        if group.members.len() < 2
            || group.members.iter().all(|member| member.cause.only().is_none())
        {
            return;
        }
        let mut places = HashMap::new();
        for (place, member) in group.members.iter().enumerate() {
            places.insert(member.exchange.turns.first().number, place);
        }
        let sightings = Sightings::of(links);
        let mut carried: HashMap<(usize, Format), JoinKey> = HashMap::new();
        let each = sightings.of_each(group.members.len());
        let end_is_known = |upper: usize| {
            let all = each.get(sightings.top(upper)).into_iter().flatten();
            let mut all = all.filter_map(|place| group.members.get(*place));
            all.all(|member| !has_lost_answer(&member.exchange))
        };
        for (lower, all) in each.iter().enumerate() {
            if links.above(lower).is_some() {
                continue;
            }
            // What caused it may be told where it was seen under other addresses.
            let only = all.iter().find_map(|sighting| {
                let member = group.members.get(*sighting)?;
                // What caused it may be a request that was lost; another one that asks for the same
                // is hardly there by chance.
                if member.exchange.touched.request && member.cause.by != By::Content {
                    return None;
                }
                let upper = *places.get(&member.cause.only()?)?;
                let above = group.members.get(upper)?;
                // Nobody knows until when what lost its answer was open.
                if above.exchange.response.is_none() && !end_is_known(upper) {
                    return None;
                }
                let nesting = nests(above, member)?;
                let keys = [upper, *sighting]
                    .map(|place| group.keys(place).map(|(key, _)| key).collect::<Vec<_>>());
                let other = sightings.top(upper) != lower && !conflicting(&keys[0], &keys[1]);
                other.then_some((member, upper, nesting))
            });
            let Some((member, upper, nesting)) = only else { continue };
            // What its kind is always made for was lost, maybe, and with it a level.
            let usual = member.cause.pattern.listener;
            let asked = group.members.get(upper).map(|above| above.listener);
            if usual.zip(asked).is_some_and(|(usual, asked)| usual.contradicts(asked)) {
                continue;
            }
            // Such calls may have been seen to be made for others since.
            if member.cause.by == By::Listener && !member.cause.pattern.tells_apart {
                continue;
            }
            // What one exchange causes carries one trace id, mostly: where its own may be lost, that
            // tells what it has caused.
            let may_be_lost =
                group.members.get(upper).is_some_and(|above| above.exchange.request.cut);
            let differs = may_be_lost
                && all.iter().flat_map(|sighting| group.keys(*sighting)).any(|(key, _)| {
                    let names = key.format.names_trace();
                    names && *carried.entry((upper, key.format)).or_insert(key) != key
                });
            if differs {
                continue;
            }
            let mut against = nesting.against();
            let (reason, most) = match member.cause.by {
                By::Content => (Reason::Content, MOST),
                By::Open => (Reason::OneCandidate, MOST),
                By::Identifier | By::Listener => (Reason::OneCandidate, LESS),
            };
            let mut confidence = member.cause.pattern.confidence().min(most) as f32;
            if confidence < LEAST {
                continue;
            }
            if !nesting.within {
                confidence -= 0.2;
            }
            if member.cause.pattern.idle > 0 {
                against.push("such calls begin while nothing is open, too");
            }
            let also = match member.cause.by {
                By::Open => "",
                By::Identifier => "others that were open carry other identifiers",
                By::Content => "others that were open were asked for something else",
                By::Listener => "calls of its kind are made for what that port is asked",
            };
            links.link(
                lower,
                Above {
                    also: Some(also).filter(|also| !also.is_empty()).into_iter().collect(),
                    member: upper,
                    kind: LinkKind::Parent,
                    reason,
                    confidence,
                    against,
                    runner_up: None,
                },
            );
        }
    }
}

/// Whether an exchange was answered, but the answer was not captured.
fn has_lost_answer(exchange: &Exchange) -> bool {
    matches!(exchange.state, State::ResponseLost | State::OneSided)
}

/// How sure such a link can be.
const MOST: f64 = 0.98;
/// The same where others were open, too.
const LESS: f64 = 0.9;
/// How sure it must be at least that calls of its kind are made for what is open.
pub const LEAST: f32 = 0.9;
