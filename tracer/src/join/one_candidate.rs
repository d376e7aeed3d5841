//! An outgoing call of a host while exactly one incoming call was open there: what else should
//! have caused it? The window has found that one; here it is checked and weighed.

use crate::exchange::Exchange;
use crate::join::{Above, Group, JoinKey, Joiner, Links, nests};
use crate::span::{LinkKind, Reason};
use hashbrown::HashMap;

/// See the module.
pub struct OneCandidate;

impl Joiner for OneCandidate {
    fn link(&self, group: &Group, links: &mut Links) {
        if group.members.iter().all(|member| member.only_candidate.is_none()) {
            return;
        }
        let mut places = HashMap::new();
        for (place, member) in group.members.iter().enumerate() {
            places.insert(member.exchange.turns.first().number, place);
        }
        for (lower, member) in group.members.iter().enumerate() {
            let Some(upper) = member.only_candidate.and_then(|number| places.get(&number)).copied()
            else {
                continue;
            };
            let Some(above) = group.members.get(upper) else { continue };
            if links.above(lower).is_some() || conflicting(group, upper, lower) {
                continue;
            }
            let Some(nesting) = nests(&above.exchange, &member.exchange) else { continue };
            let mut against = nesting.against();
            let mut confidence = if nesting.within { 0.9 } else { 0.6 };
            if is_loopback(&member.exchange) {
                against.push("loopback: any process of the host may have called");
                confidence -= 0.2;
            }
            links.link(
                lower,
                Above {
                    member: upper,
                    kind: LinkKind::Parent,
                    reason: Reason::OneCandidate,
                    confidence,
                    against,
                    runner_up: None,
                },
            );
        }
    }
}

/// Whether both carry an identifier of one format, and not the same one.
fn conflicting(group: &Group, upper: usize, lower: usize) -> bool {
    let keys = |place| group.keys(place).map(|(key, _)| key).collect::<Vec<JoinKey>>();
    let (upper, lower) = (keys(upper), keys(lower));
    lower
        .iter()
        .any(|key| upper.iter().any(|other| other.format == key.format) && !upper.contains(key))
}

fn is_loopback(exchange: &Exchange) -> bool {
    exchange.client.ip().is_loopback()
}
