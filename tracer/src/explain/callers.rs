//! What was open at the host that called as a span began, and why the span hangs under none of it.

use crate::exchange::{Exchange, Sort};
use crate::explain::around::Caller;
use crate::explain::asked::{asks_for_else, rest, what};
use crate::explain::near::Near;
use crate::explain::places::Places;
use crate::explain::reasons::{apart, are_same, conflicts, kind, other};
use crate::export::time::duration_text;
use crate::export::width::clean;
use crate::join::one_candidate::LEAST;
use crate::join::patterns::Usual;
use crate::numbers::grouped;
use crate::span::{Considered, LinkKind, Span, Trace};
use serde::Serialize;
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Another exchange.
#[derive(Debug, Serialize)]
pub struct NearFacts {
    /// Its trace.
    pub trace: String,
    /// Its span.
    pub span: String,
    /// The service that was asked.
    pub service: String,
    /// The protocol.
    pub protocol: String,
    /// What was asked.
    pub what: String,
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// When it began, in nanoseconds since 1970.
    pub start: i64,
    /// When it was over.
    pub end: i64,
    /// The frames of its request, in words.
    pub seen_in: String,
}

impl NearFacts {
    /// Of another exchange, with the names of a run.
    pub(super) fn of(near: &Near, places: &Places) -> Self {
        Self {
            trace: format!("{:032x}", near.trace),
            span: format!("{:016x}", near.span),
            service: clean(near.service.as_bytes()).into_owned(),
            protocol: places.protocol(near.protocol).to_owned(),
            what: near.what.clone(),
            client: near.client,
            server: near.server,
            start: near.start.0,
            end: near.end.0,
            seen_in: places.frames(&near.request),
        }
    }
}

/// What was open at the host that called.
#[derive(Debug, Serialize)]
pub struct CallerFacts {
    /// The host.
    pub host: String,
    /// How many exchanges were open there.
    pub open: u64,
    /// Some of them, in order of time.
    pub some: Vec<OpenFacts>,
    /// What had been over last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<NearFacts>,
    /// Whether anything was asked of that host at all.
    pub is_server: bool,
}

/// What was open at the host that called.
#[derive(Debug, Serialize)]
pub struct OpenFacts {
    /// Which.
    #[serde(flatten)]
    pub near: NearFacts,
    /// Whether the span hangs under it.
    pub is_above: bool,
    /// What tells for it or against it, in words.
    pub says: String,
}

/// What was open at the host that called.
pub(super) fn caller_facts(
    trace: &Trace,
    points: &NextPoints,
    span: &Span,
    caller: &Caller,
    places: &Places,
) -> CallerFacts {
    let chain = points.chain_above(trace, span);
    let is_of = |near: &Near, spans: &[&Span]| {
        near.trace == trace.id && spans.iter().any(|span| span.id == near.span)
    };
    let further_up = all_above(trace, span);
    let passed_on = caller.open.iter().any(|near| near.asks_the_same);
    let by_values = only_by_values(span, caller);
    let usual = usual(span);
    let (own_what, own_rest) = (what(span), rest(&span.exchange));
    let open = caller.open.iter().map(|near| OpenFacts {
        near: NearFacts::of(near, places),
        is_above: is_of(near, &chain),
        says: if is_of(near, &chain) {
            "it hangs under this one".to_owned()
        } else if is_of(near, &further_up) {
            "the one above was made for this one".to_owned()
        } else if near.asked_the_same_server(&span.exchange) {
            "it asked the same server, so that it is no cause".to_owned()
        } else if let Some(inner) = caller.inner(near, &span.exchange) {
            format!(
                "span {:016x} was made for it, so that what follows is done for that one",
                inner.span
            )
        } else if passed_on && !near.asks_the_same {
            let own = (own_what.as_str(), own_rest.as_deref());
            asks_for_else((&near.what, near.rest.as_deref()), own)
        } else if usual.is_some_and(|usual| usual.contradicts(near.listener)) {
            "such calls are made for what another port is asked".to_owned()
        } else if span.link.is_none() && Some(near.span) == by_values {
            let says = says(near, &span.exchange);
            format!("{says}; it alone carries a value of this call, which may be chance")
        } else {
            says(near, &span.exchange)
        },
    });
    CallerFacts {
        host: span.exchange.client_host().to_string(),
        open: caller.open.len() as u64 + caller.more,
        some: open.collect(),
        before: caller.before.as_ref().map(|near| NearFacts::of(near, places)),
        is_server: caller.is_server,
    }
}

/// Why a span hangs under nothing.
pub(super) fn no_link(trace: &Trace, span: &Span, caller: &Caller, places: &Places) -> Vec<String> {
    let e = &*span.exchange;
    let host = e.client_host();
    if span.earlier.is_some() {
        return vec![
            "what called was handed out before: it came when its trace had settled already \
             (--join-window waits longer)"
                .to_owned(),
        ];
    }
    let mut why = Vec::new();
    if trace.late {
        why.push(
            "it came after what else bears its trace id was handed out (--join-window waits \
             longer)"
                .to_owned(),
        );
    }
    if e.sort == Sort::End {
        why.push(
            "it ends a connection, or something that was kept for it: pools do that whenever \
             they find the time, so that what was open then says nothing"
                .to_owned(),
        );
        return why;
    }
    if e.sort == Sort::OneWay && e.records.as_ref().is_some_and(|records| records.has_consumed()) {
        why.push(format!(
            "{host} passes on what somebody put in, and does that for no call that is open there"
        ));
        return why;
    }
    let open = caller.open.len() as u64 + caller.more;
    if e.touched.kernel_drops {
        why.push(
            "the capture lost packets at the time: what called may not have been seen".to_owned(),
        );
    }
    why.push(match (open, caller.open.first(), &caller.before) {
        (0, _, None) if !caller.is_server => format!(
            "nobody was seen asking {host} for anything before: the trace begins here, as far as \
             was captured"
        ),
        (0, _, None) => format!("nothing was open at {host} as it began"),
        (0, _, Some(before)) => format!(
            "nothing was open at {host} as it began; what had been asked there last, {}, was \
             over {}",
            other(before, places),
            apart(before.end, e.start(), "before", "later")
        ),
        (_, Some(_), _) if is_for_others(span, caller) => format!(
            "calls of its kind are mostly made for what another port is asked, and nothing of that \
             was open as it began: it may have been lost, or was not captured; {} open at \
             {host}",
            if open == 1 {
                "one other exchange was".to_owned()
            } else {
                format!("{} other exchanges were", grouped(open))
            }
        ),
        (1, Some(only), _) => format!(
            "one exchange was open at {host} as it began, {}; {}",
            other(only, places),
            match span.cause.as_deref().filter(|cause| cause.open == 1 && cause.confidence < LEAST)
            {
                Some(cause) => too_unsure(cause),
                None => format!("but {}", says(only, e)),
            }
        ),
        _ => format!(
            "{} exchanges were open at {host} as it began{}",
            grouped(open),
            match span.cause.as_deref() {
                _ if caller.more == 0
                    && !caller.open.iter().any(|near| caller.may_have_called(near, e)) =>
                    ", and none of them can have called".to_owned(),
                Some(cause) if cause.open == 1 && cause.confidence < LEAST =>
                    format!(", of which only one can have called; but {}", too_unsure(cause)),
                Some(cause) if (2..open).contains(&u64::from(cause.open)) => format!(
                    ", of which {} may have called, and nothing on the wire tells which of \
                     these did",
                    grouped(cause.open.into())
                ),
                _ => ", and nothing on the wire tells which of them called".to_owned(),
            }
        ),
    });
    why
}

/// That calls of a kind are too little sure to be made for what is open, in words.
fn too_unsure(cause: &Considered) -> String {
    let percent = |share: f32| (share * 100.0).floor();
    let mut text = format!(
        "that it called is {} % sure, and less than {} % is not believed",
        percent(cause.confidence),
        percent(LEAST)
    );
    if let Some(kind) = kind(cause) {
        text.push_str(&format!(": {kind}"));
    }
    text
}

/// What tells for or against that an exchange which was open at the caller has called.
fn says(near: &Near, lower: &Exchange) -> String {
    let mut says = Vec::new();
    let mut formats: Vec<&str> = conflicts(&near.contexts, &lower.contexts).collect();
    formats.dedup();
    if !formats.is_empty() {
        says.push(format!("it carries another {}", formats.join(" and ")));
    }
    let shared = lower.contexts.iter().find(|own| near.contexts.iter().any(|o| are_same(o, own)));
    if let Some(context) = shared {
        says.push(format!("it carries the same {}", context.format.name()));
    }
    if near.asks_the_same {
        says.push("it asks for the same".to_owned());
    }
    if near.asked_the_same_server(lower) {
        says.push("it asked the same server".to_owned());
    }
    if near.answered && near.end < lower.end() {
        let early = duration_text(lower.end().0.saturating_sub(near.end.0));
        says.push(format!("it was answered {early} before this one ended"));
    }
    if says.is_empty() {
        let open = duration_text(lower.start().0.saturating_sub(near.start.0));
        return format!("open for {open}, and nothing tells for it or against it");
    }
    says.join(", ")
}

/// What calls of a kind are mostly made for, where that is known well.
fn usual(span: &Span) -> Option<Usual> {
    let Considered { usual, nearly_always, usual_outer: outer, .. } = *span.cause.as_deref()?;
    Some(Usual { listener: usual?, nearly_always, outer })
}

/// Whether calls of its kind are mostly made for something of which nothing was open.
fn is_for_others(span: &Span, caller: &Caller) -> bool {
    usual(span).is_some_and(|u| caller.open.iter().all(|near| u.contradicts(near.listener)))
}

/// The only one of several that were open at a caller that carries a value of a call.
fn only_by_values(span: &Span, caller: &Caller) -> Option<u64> {
    if caller.more > 0 || caller.open.len() < 2 {
        return None;
    }
    let carries = |near: &&Near| {
        let own = span.exchange.values.words();
        own.iter().any(|word| near.values.words().contains(word))
    };
    let mut carriers = caller.open.iter().filter(carries);
    carriers.next().filter(|_| carriers.next().is_none()).map(|near| near.span)
}

/// All spans above the one that a span hangs under, and that one.
fn all_above<'t>(trace: &'t Trace, span: &Span) -> Vec<&'t Span> {
    let up = |span: &Span| trace.spans.get(span.link.as_ref()?.parent);
    // Parents come first, so that this ends.
    std::iter::successors(up(span), |span| up(span)).collect()
}

/// Under each span of a trace those that saw the same exchange at the next points.
pub(super) struct NextPoints(Vec<SmallVec<[usize; 2]>>);

impl NextPoints {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut below = vec![SmallVec::new(); trace.spans.len()];
        for (place, span) in trace.spans.iter().enumerate().filter(|(_, s)| s.is_next_point()) {
            let above = span.link.as_ref().and_then(|link| below.get_mut(link.parent));
            if let Some(above) = above {
                above.push(place);
            }
        }
        Self(below)
    }

    /// The spans that a span hangs under as one exchange: that of its link, at all points.
    fn chain_above<'t>(&self, trace: &'t Trace, span: &Span) -> Vec<&'t Span> {
        let Some(link) = &span.link else { return Vec::new() };
        let mut chain = Vec::new();
        let mut at = trace.spans.get(link.parent);
        while let Some(span) = at {
            chain.push(span);
            let up = span.link.as_ref().filter(|link| link.kind == LinkKind::SameExchange);
            at = up.and_then(|link| trace.spans.get(link.parent));
        }
        // Points below that one saw the same exchange.
        let mut below = vec![link.parent];
        while let Some(place) = below.pop() {
            let next = self.0.get(place).map(SmallVec::as_slice).unwrap_or_default();
            chain.extend(next.iter().filter_map(|place| trace.spans.get(*place)));
            below.extend(next);
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(considered: (u32, u32, u32, f32), expected: &str) {
        let (one, idle, all, idle_share) = considered;
        let cause = Considered {
            open: 1,
            one,
            idle,
            all,
            idle_share,
            confidence: 0.619,
            usual: None,
            nearly_always: false,
            usual_outer: None,
        };
        assert_eq!(too_unsure(&cause), expected, "{considered:?}");
    }

    #[test]
    fn what_calls_of_a_kind_have_in_common_is_said() {
        let unsure = "that it called is 61 % sure, and less than 90 % is not believed";
        check((0, 0, 0, 0.0), unsure);
        check(
            (12, 10, 1_022, 0.4),
            &format!(
                "{unsure}: of 1,022 calls of its kind, 12 began while one exchange was open at the \
                 caller, 1,000 while more were, and 10 while none was, as it was for 40 % of the \
                 time"
            ),
        );
        check(
            (1, 0, 1, 0.001),
            &format!(
                "{unsure}: it is the only call of its kind, and began while something was open at \
                 the caller, as something was nearly all the time"
            ),
        );
        check(
            (3, 0, 4, 0.7),
            &format!(
                "{unsure}: 4 calls of its kind were seen, and each began while something was open \
                 at the caller, though nothing was for 70 % of the time"
            ),
        );
    }
}
