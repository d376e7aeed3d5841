//! A trace and what happened around it in, facts out: what was seen of each span, what it hangs under
//! and why, or why it hangs under nothing. As JSON they are written as they stand.

use crate::exchange::{Half, SetRight};
use crate::explain::around::{Around, Caller};
use crate::explain::asked::{Found, what};
use crate::explain::callers::{CallerFacts, NearFacts, NextPoints, caller_facts, no_link};
use crate::explain::carriers::{Carriers, IdFacts};
use crate::explain::near::Near;
use crate::explain::places::{FrameFilter, Places};
use crate::explain::queues;
use crate::explain::reasons::{because, weighs, why_lost};
use crate::export::details::{loss, round_trip};
use crate::export::time::duration_text;
use crate::export::width::clean;
use crate::span::{Link, Reason, Span, SpanLink, Trace};
use crate::summary::Summary;
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
    let carriers = Carriers::of(found);
    let about = About { carriers, around, summary, places, start: start.0 };
    let mut spans = Vec::new();
    let mut shown: Vec<&Span> = Vec::new();
    let mut number = 0;
    for (piece, trace) in found.pieces.iter().enumerate() {
        let points = NextPoints::of(trace);
        for (place, span) in trace.spans.iter().enumerate() {
            if only.is_none_or(|only| only == (piece, place)) {
                spans.push(about.span(trace, &points, span, number)?);
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
    carriers: Carriers<'a>,
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

    fn span(
        &self,
        trace: &Trace,
        points: &NextPoints,
        span: &Span,
        number: usize,
    ) -> Option<SpanFacts> {
        let e = &*span.exchange;
        let caller = self.around.caller(number)?;
        let above = span.link.as_ref().and_then(|link| trace.spans.get(link.parent));
        let link = span.link.as_ref().zip(above);
        let ids = e.contexts.iter().map(|context| {
            self.carriers.facts(span, context, self.around, self.summary, self.places)
        });
        let no_link = match link {
            Some(_) => Vec::new(),
            None => no_link(trace, span, caller, self.places),
        };
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
            ids: ids.collect(),
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
            caller: (!span.is_next_point())
                .then(|| caller_facts(trace, points, span, caller, self.places)),
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
            exchange: sender.map(|sender| NearFacts::of(&sender.near, self.places)),
            reason: link.reason.name(),
            confidence: link.confidence,
            weighs: queues::weighs(link),
            message,
            against: link.against.to_vec(),
            runner_up: rival.map(|rival| NearFacts::of(&rival.near, self.places)),
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
                exchange: Some(NearFacts::of(&getter.near, self.places)),
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
            len: half.size(),
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
            parent: NearFacts::of(&Near::of(trace.id, above), self.places),
            kind: link.kind.name(),
            reason: link.reason.name(),
            confidence: link.confidence,
            weighs: weighs(above, span, link),
            because: because(trace, above, span, link, Some(caller), self.places),
            also: link.also.to_vec(),
            against: link.against.iter().map(|against| (*against).to_owned()).collect(),
            runner_up: rival.map(|rival| RivalFacts {
                span: NearFacts::of(&Near::of(trace.id, rival), self.places),
                because: why_lost(above, rival, span),
            }),
        }
    }
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_said_to_be_ahead_or_behind() {
        let set = |ahead| clock(SetRight { ahead, error: 2_000 });
        assert!(set(20_000_000).contains("20.0 ms ahead, which was taken off its times"));
        assert!(set(-20_000_000).contains("20.0 ms behind, which was added to its times"));
    }
}
