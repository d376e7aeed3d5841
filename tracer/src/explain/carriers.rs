//! Who carries the identifiers of the spans of a trace.

use crate::exchange::Context;
use crate::explain::around::Around;
use crate::explain::asked::Found;
use crate::explain::near::Near;
use crate::explain::places::Places;
use crate::explain::reasons::{are_same_keys, carried_in, id, other};
use crate::join::fingerprint::fingerprint;
use crate::join::{JoinKey, LooseKey};
use crate::numbers::grouped;
use crate::span::Span;
use crate::summary::Summary;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use serde::Serialize;

/// An identifier that a span carries.
#[derive(Debug, Serialize)]
pub struct IdFacts {
    /// The identifier, in words.
    pub id: String,
    /// Which of the messages carried it, in words.
    pub carried_in: String,
    /// How many other spans of the trace carry it.
    pub in_trace: usize,
    /// How many exchanges of other traces do.
    pub elsewhere: u64,
    /// How often it came, if it repeats and so joins nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// What follows from that, in words.
    pub says: String,
}

/// The spans of a trace by the identifiers that they carry. An exchange that several points saw is
/// there once, by the first of them: the others tell nothing more.
pub(super) struct Carriers<'t> {
    by_key: HashMap<JoinKey, Vec<(u64, &'t Span)>, RandomState>,
}

impl<'t> Carriers<'t> {
    pub(super) fn of(found: &'t Found) -> Self {
        let mut together: HashMap<LooseKey, Vec<(JoinKey, u64, &Span)>, RandomState> =
            HashMap::default();
        for span in found.pieces.iter().flat_map(|trace| &trace.spans) {
            let keys = span.exchange.contexts.iter().filter_map(JoinKey::of);
            let print = fingerprint(&span.exchange);
            for key in keys {
                together.entry(key.loose()).or_default().push((key, print, span));
            }
        }
        let mut by_key: HashMap<JoinKey, Vec<(u64, &Span)>, RandomState> = HashMap::default();
        for carriers in together.values() {
            for (key, ..) in carriers {
                if by_key.contains_key(key) {
                    continue;
                }
                let mut seen: HashSet<u64, RandomState> = HashSet::default();
                let same = carriers.iter().filter(|(other, ..)| are_same_keys(*other, *key));
                let first = same.filter(|(_, print, _)| seen.insert(*print));
                let first = first.map(|(_, print, span)| (*print, *span)).collect();
                by_key.insert(*key, first);
            }
        }
        Self { by_key }
    }

    /// What is known of an identifier that a span carries.
    pub(super) fn facts(
        &self,
        span: &Span,
        context: &Context,
        around: &Around,
        summary: &Summary,
        places: &Places,
    ) -> IdFacts {
        let e = &*span.exchange;
        let key = JoinKey::of(context);
        let all = key.and_then(|key| self.by_key.get(&key)).map(Vec::as_slice).unwrap_or_default();
        let own = fingerprint(e);
        let others = all.iter().filter(|(print, _)| *print != own);
        // A span is among those that carry its identifiers, so that no more need be counted.
        let in_trace = all.len().saturating_sub(1);
        let elsewhere = around.elsewhere(context);
        let count = elsewhere.map_or(0, |elsewhere| elsewhere.count);
        let repeats = key.and_then(|key| summary.repeating.get(&key.loose()).copied());
        let named = |found: &mut dyn Iterator<Item = String>| {
            let mut found: Vec<String> = found.take(NAMED + 1).collect();
            if found.len() > NAMED {
                found.truncate(NAMED);
                found.push("and more".to_owned());
            }
            found.join(", ")
        };
        let mut says = match (context.joins, repeats) {
            (false, _) => "it joins nothing: --ids leaves it out, or it is masked".to_owned(),
            (_, Some(times)) => format!(
                "it joins nothing: it came {} times, and what repeats so often is no evidence",
                grouped(times)
            ),
            (true, None) if in_trace == 0 && count == 0 => {
                "nothing else that was captured carries it".to_owned()
            }
            (true, None) if in_trace == 0 => "nothing else in this trace carries it".to_owned(),
            (true, None) => {
                let near = others.map(|(_, span)| other(&Near::of(0, span), places));
                format!(
                    "{}, too: {}",
                    carry(
                        in_trace as u64,
                        "one other exchange of the trace",
                        "other exchanges of the trace"
                    ),
                    named(&mut near.into_iter())
                )
            }
        };
        if let Some(elsewhere) = elsewhere.filter(|elsewhere| elsewhere.count > 0) {
            let mut near = elsewhere
                .some
                .iter()
                .map(|near| format!("{} in trace {:032x}", other(near, places), near.trace));
            says.push_str(&format!(
                "; {}: {}",
                carry(
                    elsewhere.count,
                    "one exchange of another trace",
                    "exchanges of other traces"
                ),
                named(&mut near)
            ));
        }
        IdFacts {
            id: id(context, e),
            carried_in: carried_in(context, e, places),
            in_trace,
            elsewhere: count,
            repeats,
            says,
        }
    }
}

/// That so many carry an identifier.
fn carry(count: u64, one: &str, several: &str) -> String {
    if count == 1 {
        format!("{one} carries it")
    } else {
        format!("{} {several} carry it", grouped(count))
    }
}

/// Others that are named.
const NAMED: usize = 3;
