//! A trace and what happened around it in, facts out: what was seen of each span, what it hangs under
//! and why, or why it hangs under nothing. As JSON they are written as they stand.

use crate::exchange::{Context, Exchange, Half, SetRight, Sort};
use crate::explain::around::{Around, Caller};
use crate::explain::asked::{Found, what};
use crate::explain::near::Near;
use crate::explain::places::{FrameFilter, Places};
use crate::explain::queues;
use crate::explain::reasons::{
    apart, are_same, because, carried_in, conflicts, id, kind, other, weighs, why_lost,
};
use crate::export::details::{loss, round_trip};
use crate::export::time::duration_text;
use crate::export::width::clean;
use crate::join::fingerprint::fingerprint;
use crate::join::one_candidate::LEAST;
use crate::join::patterns::Usual;
use crate::numbers::grouped;
use crate::span::{Considered, Link, LinkKind, Reason, Span, SpanLink, Trace};
use crate::summary::Summary;
use hashbrown::HashSet;
use serde::Serialize;
use std::net::SocketAddr;
use wirespan_capture::stream::Transport;

/// Why the spans of a trace hang where they do.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The id of the trace.
    pub trace: String,
    /// The format of the wire's id, where the trace bears one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wire: Option<&'static str>,
    /// Where the id comes from, in words.
    pub named_by: String,
    /// When it began, in nanoseconds since 1970.
    pub start: i64,
    /// How long it took, in nanoseconds.
    pub duration: i64,
    /// How many spans it has.
    pub spans_in_trace: usize,
    /// Spans that were too many to be told of.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// Filters that show all packets that are named here.
    pub filters: Vec<FrameFilter>,
    /// The spans that were asked for, in the order of the trace.
    pub spans: Vec<SpanFacts>,
}

/// What is known of a span.
#[derive(Debug, Serialize)]
pub struct SpanFacts {
    /// Its id.
    pub span: String,
    /// How many spans lie above it.
    pub depth: u32,
    /// The service that was asked.
    pub service: String,
    /// The protocol.
    pub protocol: String,
    /// What was asked.
    pub what: String,
    /// Whether it is complete, or why not.
    pub state: &'static str,
    /// TCP or UDP.
    pub transport: &'static str,
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// The tap that saw it.
    pub tap: String,
    /// The number of the capture point.
    pub point: u32,
    /// When it began, in nanoseconds since 1970.
    pub start: i64,
    /// When it began, in nanoseconds since the trace did.
    pub offset: i64,
    /// How long it took, in nanoseconds.
    pub duration: i64,
    /// How long the handshake of its connection took, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub handshake: String,
    /// Its request.
    pub request: HalfFacts,
    /// Its response, if one was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<HalfFacts>,
    /// Its identifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<IdFacts>,
    /// What it hangs under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkFacts>,
    /// The span that called, where it was handed out before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called_by: Option<EarlierFacts>,
    /// Whose messages it got out of queues, or was made for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub got: Vec<MessageFacts>,
    /// What it got, where nobody was seen to put it in, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got_of_nobody: Option<String>,
    /// What it put into queues, and who got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put: Option<PutFacts>,
    /// How its times were set right, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// By what losses of the capture it is touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<&'static str>,
    /// Why it hangs under nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_link: Vec<String>,
    /// What was open at its caller as it began; of what hangs under the same exchange at another
    /// point, that is told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerFacts>,
    /// Filters that show its packets.
    pub filters: Vec<FrameFilter>,
}

/// A request or a response in the packets.
#[derive(Debug, Serialize)]
pub struct HalfFacts {
    /// Its first and last frame.
    pub frames: [u64; 2],
    /// The same in words, with the file where there are several.
    pub seen_in: String,
    /// How many bytes.
    pub len: u64,
    /// TCP sequence number of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// TCP acknowledgement number with it.
    pub ack: u32,
    /// TCP timestamp option with it, 0 without.
    pub tsval: u32,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: u16,
    /// Whether a part of it was lost.
    pub cut: bool,
    /// Bytes within it that were lost.
    pub lost: u64,
    /// Segments of it that were sent again.
    pub resent: u32,
    /// Nanoseconds for which nothing new had come as the first of them did.
    pub stalled: i64,
    /// What was lost or sent again, in words.
    pub loss: String,
}

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

/// What a span hangs under, and why.
#[derive(Debug, Serialize)]
pub struct LinkFacts {
    /// The span above.
    pub parent: NearFacts,
    /// What the link says.
    pub kind: &'static str,
    /// The kind of evidence.
    pub reason: &'static str,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What that is made of, in words.
    pub weighs: String,
    /// What says so, in words.
    pub because: Vec<String>,
    /// What joining went by besides, in its own words; what says so tells it with frames.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<&'static str>,
    /// What speaks against it, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<String>,
    /// The next best span, and why it is not the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<RivalFacts>,
}

/// A span that was handed out before the one that it called.
#[derive(Debug, Serialize)]
pub struct EarlierFacts {
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub span: String,
    /// The kind of evidence.
    pub reason: &'static str,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
}

/// A span at the other end of a queue.
#[derive(Debug, Serialize)]
pub struct MessageFacts {
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub span: String,
    /// The same with what it is, where the input holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<NearFacts>,
    /// What was handed on, in words, where both tell of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The kind of evidence.
    pub reason: &'static str,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What that is made of, in words.
    pub weighs: &'static str,
    /// What speaks against it, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<&'static str>,
    /// The next best span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<NearFacts>,
}

/// What a span put into queues.
#[derive(Debug, Serialize)]
pub struct PutFacts {
    /// What, in words.
    pub what: String,
    /// How many spans got it, or were made for it.
    pub count: u64,
    /// Some of them, in order of time.
    pub got_by: Vec<MessageFacts>,
}

/// The next best span.
#[derive(Debug, Serialize)]
pub struct RivalFacts {
    /// Which.
    pub span: NearFacts,
    /// Why it lost, in words.
    pub because: Vec<String>,
}

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

/// What is known of the spans of a trace; of all of them, or of one by its piece and place.
pub fn explain(
    found: &Found,
    only: Option<(usize, usize)>,
    around: &Around,
    summary: &Summary,
    places: &Places,
) -> Option<Explanation> {
    let first = found.pieces.first()?;
    let all = || found.pieces.iter().flat_map(|trace| &trace.spans);
    let start = all().map(|span| span.exchange.start()).min()?;
    let end = all().map(|span| span.exchange.end()).max()?;
    let about = About { found, around, summary, places, start: start.0 };
    let mut spans = Vec::new();
    let mut shown: Vec<&Span> = Vec::new();
    let mut number = 0;
    for (piece, trace) in found.pieces.iter().enumerate() {
        for (place, span) in trace.spans.iter().enumerate() {
            if only.is_none_or(|only| only == (piece, place)) {
                spans.push(about.span(trace, span, number)?);
                shown.push(span);
                let above = span.link.as_ref().and_then(|link| trace.spans.get(link.parent));
                shown.extend(above);
            }
            number += 1;
        }
    }
    Some(Explanation {
        trace: format!("{:032x}", first.id),
        wire: first.wire.map(|format| format.name()),
        named_by: about.named_by(first),
        start: start.0,
        duration: end.0.saturating_sub(start.0),
        spans_in_trace: all().count(),
        left_out: found.left_out,
        filters: places.filters(shown.into_iter()),
        spans,
    })
}

struct About<'a> {
    found: &'a Found,
    around: &'a Around,
    summary: &'a Summary,
    places: &'a Places,
    start: i64,
}

impl About<'_> {
    /// Where the id of the trace comes from.
    fn named_by(&self, trace: &Trace) -> String {
        let carries = |span: &&Span| {
            let mut contexts = span.exchange.contexts.iter();
            contexts.any(|context| !context.hidden && context.trace.get() == trace.id)
        };
        let carrier = trace.spans.iter().find(carries);
        match (trace.wire, carrier) {
            (Some(format), Some(span)) => format!(
                "its id is that of {} in {}",
                format.name(),
                self.places.frames(&span.exchange.request)
            ),
            (Some(format), None) => format!("its id is that of {} on the wire", format.name()),
            (None, _) => {
                "no trace id was on the wire; its id is made from its first span".to_owned()
            }
        }
    }

    fn span(&self, trace: &Trace, span: &Span, number: usize) -> Option<SpanFacts> {
        let e = &*span.exchange;
        let caller = self.around.caller(number)?;
        let above = span.link.as_ref().and_then(|link| trace.spans.get(link.parent));
        let link = span.link.as_ref().zip(above);
        let ids = e.contexts.iter().map(|context| self.id(span, context)).collect();
        let no_link = if link.is_none() { self.no_link(trace, span, caller) } else { Vec::new() };
        Some(SpanFacts {
            span: format!("{:016x}", span.id),
            depth: span.depth,
            service: clean(span.service.as_bytes()).into_owned(),
            protocol: self.places.protocol(e.protocol).to_owned(),
            what: what(span),
            state: e.state.name(),
            transport: if e.transport == Transport::Tcp { "tcp" } else { "udp" },
            client: e.client,
            server: e.server,
            tap: self.places.tap(e.tap),
            point: span.point,
            start: e.start().0,
            offset: e.start().0.saturating_sub(self.start),
            duration: e.end().0.saturating_sub(e.start().0),
            handshake: round_trip(e),
            request: self.half(&e.request),
            response: e.response.as_ref().map(|half| self.half(half)),
            ids,
            link: link.map(|(link, above)| self.link(trace, span, link, above, caller)),
            called_by: span.earlier.map(|earlier| EarlierFacts {
                trace: format!("{:032x}", earlier.trace),
                span: format!("{:016x}", earlier.span),
                reason: earlier.reason.name(),
                confidence: earlier.confidence,
            }),
            got: span.span_links.iter().map(|link| self.got(span, link)).collect(),
            got_of_nobody: self.got_of_nobody(span),
            put: self.put(span),
            clock: e.clock.map(clock),
            touched: e.touched.names().collect(),
            no_link,
            caller: (!span.is_next_point()).then(|| self.caller(trace, span, caller)),
            filters: self.places.filters(std::iter::once(span)),
        })
    }

    /// Whose message it got.
    fn got(&self, span: &Span, link: &SpanLink) -> MessageFacts {
        let queues = self.around.queues();
        let sender = queues.other(link.span);
        let records = sender.and_then(|sender| sender.records.as_deref());
        let handed_on = records.zip(span.exchange.records.as_deref());
        let message = handed_on.and_then(|(put, got)| queues::handed_on(put, got));
        let rival = link.runner_up.and_then(|rival| queues.other(rival));
        MessageFacts {
            trace: format!("{:032x}", link.trace),
            span: format!("{:016x}", link.span),
            exchange: sender.map(|sender| self.near(&sender.near)),
            reason: link.reason.name(),
            confidence: link.confidence,
            weighs: queues::weighs(link),
            message,
            against: link.against.to_vec(),
            runner_up: rival.map(|rival| self.near(&rival.near)),
        }
    }

    /// What it got, where nobody is known to have put it in.
    fn got_of_nobody(&self, span: &Span) -> Option<String> {
        let records = span.exchange.records.as_deref()?;
        let is_known = span.span_links.iter().any(|link| link.reason != Reason::OneMessage);
        (!is_known && queues::is_there(records, false)).then(|| queues::contents(records, false))
    }

    /// What it put in, and who got that.
    fn put(&self, span: &Span) -> Option<PutFacts> {
        let records = span.exchange.records.as_deref()?;
        let getters = self.around.queues().getters(span.id)?;
        let got_by = getters.some.iter().map(|(getter, link)| {
            let got = getter.records.as_deref();
            let message = got.and_then(|got| queues::handed_on(records, got));
            MessageFacts {
                trace: format!("{:032x}", getter.near.trace),
                span: format!("{:016x}", getter.near.span),
                exchange: Some(self.near(&getter.near)),
                reason: link.reason.name(),
                confidence: link.confidence,
                weighs: queues::weighs(link),
                message,
                against: link.against.to_vec(),
                runner_up: None,
            }
        });
        let what = queues::contents(records, true);
        Some(PutFacts { what, count: getters.count, got_by: got_by.collect() })
    }

    fn half(&self, half: &Half) -> HalfFacts {
        HalfFacts {
            frames: [half.first.frame.number, half.last.frame.number],
            seen_in: self.places.frames(half),
            len: half.len,
            seq: half.seq,
            ack: half.ack,
            tsval: half.tsval,
            ttl: half.ttl,
            ip_id: half.ip_id,
            cut: half.cut,
            lost: half.lost,
            resent: half.resent.segments,
            stalled: half.resent.stalled,
            loss: loss(half),
        }
    }

    fn id(&self, span: &Span, context: &Context) -> IdFacts {
        let e = &*span.exchange;
        let all = self.found.pieces.iter().flat_map(|trace| &trace.spans);
        let carries = |other: &&Span| {
            // The same exchange at another point tells nothing more.
            fingerprint(&other.exchange) != fingerprint(e)
                && other.exchange.contexts.iter().any(|other| are_same(other, context))
        };
        let mut others: Vec<(u64, &Span)> =
            all.filter(carries).map(|span| (fingerprint(&span.exchange), span)).collect();
        // Of an exchange that several points saw, the first one is named.
        let mut seen = HashSet::new();
        others.retain(|(print, _)| seen.insert(*print));
        let elsewhere = self.around.elsewhere(context);
        let count = elsewhere.map_or(0, |elsewhere| elsewhere.count);
        let plain = format!("{} {:032x}", context.format.name(), context.trace.get());
        let repeats = self.summary.repeating_ids.get(&plain).copied();
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
            (true, None) if others.is_empty() && count == 0 => {
                "nothing else that was captured carries it".to_owned()
            }
            (true, None) if others.is_empty() => "nothing else in this trace carries it".to_owned(),
            (true, None) => {
                let near = others.iter().map(|(_, span)| Near::of(0, span));
                let near = near.map(|near| other(&near, self.places));
                format!(
                    "{}, too: {}",
                    carry(
                        others.len() as u64,
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
                .map(|near| format!("{} in trace {:032x}", other(near, self.places), near.trace));
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
            carried_in: carried_in(context, e, self.places),
            in_trace: others.len(),
            elsewhere: count,
            repeats,
            says,
        }
    }

    fn link(
        &self,
        trace: &Trace,
        span: &Span,
        link: &Link,
        above: &Span,
        caller: &Caller,
    ) -> LinkFacts {
        let rival = link.runner_up.and_then(|id| trace.spans.iter().find(|span| span.id == id));
        LinkFacts {
            parent: self.near(&Near::of(trace.id, above)),
            kind: link.kind.name(),
            reason: link.reason.name(),
            confidence: link.confidence,
            weighs: weighs(above, span, link),
            because: because(trace, above, span, link, Some(caller), self.places),
            also: link.also.to_vec(),
            against: link.against.iter().map(|against| (*against).to_owned()).collect(),
            runner_up: rival.map(|rival| RivalFacts {
                span: self.near(&Near::of(trace.id, rival)),
                because: why_lost(above, rival, span),
            }),
        }
    }

    fn near(&self, near: &Near) -> NearFacts {
        NearFacts {
            trace: format!("{:032x}", near.trace),
            span: format!("{:016x}", near.span),
            service: clean(near.service.as_bytes()).into_owned(),
            protocol: self.places.protocol(near.protocol).to_owned(),
            what: near.what.clone(),
            client: near.client,
            server: near.server,
            start: near.start.0,
            end: near.end.0,
            seen_in: self.places.frames(&near.request),
        }
    }

    fn caller(&self, trace: &Trace, span: &Span, caller: &Caller) -> CallerFacts {
        let chain = chain_above(trace, span);
        let is_of = |near: &Near, spans: &[&Span]| {
            near.trace == trace.id && spans.iter().any(|span| span.id == near.span)
        };
        let further_up = all_above(trace, span);
        let passed_on = caller.open.iter().any(|near| near.asks_the_same);
        let by_values = only_by_values(span, caller);
        let usual = usual(span);
        let open = caller.open.iter().map(|near| OpenFacts {
            near: self.near(near),
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
                "it asks for something else".to_owned()
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
            before: caller.before.as_ref().map(|near| self.near(near)),
            is_server: caller.is_server,
        }
    }

    /// Why a span hangs under nothing.
    fn no_link(&self, trace: &Trace, span: &Span, caller: &Caller) -> Vec<String> {
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
        if e.sort == Sort::OneWay
            && e.records.as_ref().is_some_and(|records| records.has_consumed())
        {
            why.push(format!(
                "{host} passes on what somebody put in, and does that for no call that is open there"
            ));
            return why;
        }
        let open = caller.open.len() as u64 + caller.more;
        if e.touched.kernel_drops {
            why.push(
                "the capture lost packets at the time: what called may not have been seen"
                    .to_owned(),
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
                other(before, self.places),
                apart(before.end, e.start(), "before", "later")
            ),
            (_, Some(_), _) if is_for_others(span, caller) => format!(
                "calls of its kind are mostly made for what another port is asked, and nothing of that \
                 was open as it began: it may have been lost, or was not captured; open were {} at \
                 {host}",
                grouped(open)
            ),
            (1, Some(only), _) => format!(
                "one exchange was open at {host} as it began, {}; {}",
                other(only, self.places),
                match span.cause.as_deref().filter(|cause| cause.open == 1 && cause.confidence < LEAST) {
                    Some(cause) => too_unsure(cause),
                    None => format!("but {}", says(only, e)),
                }
            ),
            _ => format!(
                "{} exchanges were open at {host} as it began{}",
                grouped(open),
                match span.cause.as_deref() {
                    _ if caller.may_have_called(e) == 0 => ", and none of them can have called".to_owned(),
                    Some(cause) if cause.open == 1 && cause.confidence < LEAST => format!(
                        ", of which only one can have called; but {}",
                        too_unsure(cause)
                    ),
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

/// How times were set right, in words.
fn clock(clock: SetRight) -> String {
    let SetRight { ahead, error } = clock;
    let side = if ahead < 0 { "behind" } else { "ahead" };
    format!(
        "that of its point was {} {side}, which was {} its times; {} more or less may be left",
        duration_text(ahead.saturating_abs()),
        if ahead < 0 { "added to" } else { "taken off" },
        duration_text(i64::try_from(error).unwrap_or(i64::MAX))
    )
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

/// The spans that a span hangs under as one exchange: that of its link, at all points.
fn chain_above<'t>(trace: &'t Trace, span: &Span) -> Vec<&'t Span> {
    let Some(link) = &span.link else { return Vec::new() };
    let mut chain = Vec::new();
    let mut at = trace.spans.get(link.parent);
    while let Some(span) = at {
        chain.push(span);
        let up = span.link.as_ref().filter(|link| link.kind == LinkKind::SameExchange);
        at = up.and_then(|link| trace.spans.get(link.parent));
    }
    // Points below that one saw the same exchange.
    let mut last: Vec<usize> = vec![link.parent];
    for (place, span) in trace.spans.iter().enumerate().skip(link.parent + 1) {
        if span.link.as_ref().is_some_and(|l| span.is_next_point() && last.contains(&l.parent)) {
            last.push(place);
            chain.push(span);
        }
    }
    chain
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

/// That so many carry an identifier.
fn carry(count: u64, one: &str, several: &str) -> String {
    if count == 1 {
        format!("{one} carries it")
    } else {
        format!("{} {several} carry it", grouped(count))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Others that are named.
const NAMED: usize = 3;

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

    #[test]
    fn clocks_are_said_to_be_ahead_or_behind() {
        let set = |ahead| clock(SetRight { ahead, error: 2_000 });
        assert!(set(20_000_000).contains("20.0 ms ahead, which was taken off its times"));
        assert!(set(-20_000_000).contains("20.0 ms behind, which was added to its times"));
    }
}
