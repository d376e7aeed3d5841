//! Facts in, a text for people out.
//!
//! ```text
//! trace 4bf92f35… of 3 spans, 12.3 ms, from 2026-11-25 01:09:35.123456 UTC
//!
//! span 8c1f…  GET /orders/7 of shop, complete: +1.20 ms, 3.40 ms
//!   seen at   eth0: tcp 10.0.0.1:4242 > 10.0.0.2:8080, request of 120 bytes in frame 12, …
//!   under     span 99aa… GET /cart of web (frame 4), by traceparent, 99 % sure
//!   because   traceparent 4bf9… with span 00f0… stands in its request (frame 12), and …
//!   sure      identifier and addresses agree
//!   caller    10.0.0.1, where 2 exchanges were open as it began:
//!             * GET /cart of web (frame 4, span 99aa…): it hangs under this one
//!   filter    frame.number in {12, 14..16}
//! ```

use crate::explain::callers::{CallerFacts, NearFacts};
use crate::explain::carriers::IdFacts;
use crate::explain::facts::{
    EarlierFacts, Explanation, HalfFacts, LinkFacts, MessageFacts, PutFacts, SpanFacts,
};
use crate::explain::places::FrameFilter;
use crate::export::time::{Zone, duration_text};
use crate::export::width::folded;
use crate::numbers::grouped;
use wirespan_capture::packet::Timestamp;

/// How the text looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Columns of a line; texts are folded there, but for filters, which are to be copied.
    pub columns: usize,
    /// What clock moments are shown by.
    pub zone: Zone,
}

/// The text.
pub fn text(explanation: &Explanation, look: &Look) -> String {
    let Explanation { trace, named_by, spans_in_trace, left_out, filters, spans, .. } = explanation;
    let mut words = Words { columns: look.columns, out: String::new() };
    let count = grouped(*spans_in_trace as u64);
    let noun = if *spans_in_trace == 1 { "span" } else { "spans" };
    let took = duration_text(explanation.duration);
    let from = look.zone.moment_text(Timestamp(explanation.start));
    words.line(&format!("trace {trace} of {count} {noun}, {took}, from {from}"));
    words.line(named_by);
    if *left_out > 0 {
        let (noun, are) = if *left_out == 1 { ("span", "is") } else { ("spans", "are") };
        words.line(&format!("{} more {noun} {are} not told of", grouped(*left_out as u64)));
    }
    if spans.len() > 1 {
        for filter in filters {
            words.line(&filter_text(filter));
        }
    }
    for span in spans {
        words.out.push('\n');
        words.span(span);
    }
    words.out
}

struct Words {
    columns: usize,
    out: String,
}

impl Words {
    fn span(&mut self, span: &SpanFacts) {
        let SpanFacts { span: id, what, service, state, offset, duration, .. } = span;
        let (offset, duration) = (duration_text(*offset), duration_text(*duration));
        let protocol = &span.protocol;
        self.line(&format!(
            "span {id}  {protocol} {what} of {service}: +{offset} {duration}, {state}"
        ));
        let SpanFacts { transport, client, server, tap, .. } = span;
        let request = half("request", &span.request);
        let handshake = &span.handshake;
        self.note("seen at", &format!("{tap}: {transport} {client} > {server}{handshake}"));
        self.note("", &request);
        match &span.response {
            Some(response) => self.note("", &half("response", response)),
            None => self.note("", "no response was seen"),
        }
        for id in &span.ids {
            self.id(id);
        }
        if let Some(clock) = &span.clock {
            self.note("clock", clock);
        }
        if let Some(put) = &span.put {
            self.put(put);
        }
        if let Some(got) = &span.got_of_nobody {
            self.note("got", &format!("{got}: nobody was seen to put it in"));
        }
        for message in &span.got {
            self.got(message);
        }
        if !span.touched.is_empty() {
            self.note("lost", &format!("something at the time: {}", span.touched.join(", ")));
        }
        if let Some(EarlierFacts { trace, span, reason, confidence }) = &span.called_by {
            let percent = (confidence * 100.0).round();
            let text = format!("span {span} of trace {trace}, by {reason}, {percent} % sure");
            self.note("called by", &text);
        }
        match &span.link {
            Some(link) => self.link(link),
            None => {
                for why in &span.no_link {
                    self.note("no parent", why);
                }
            }
        }
        if let Some(caller) = span.caller.as_ref().filter(|caller| caller.open > 0) {
            self.caller(caller);
        }
        for filter in &span.filters {
            self.out.push_str(&format!("  {:<LABEL$}{}\n", "filter", filter_text(filter)));
        }
    }

    fn id(&mut self, id: &IdFacts) {
        let IdFacts { id, carried_in, says, .. } = id;
        self.note("id", &format!("{id} in {carried_in}: {says}"));
    }

    fn put(&mut self, put: &PutFacts) {
        let PutFacts { what, count, got_by } = put;
        if got_by.is_empty() {
            return self.note("put in", &format!("{what}: nobody was seen to get it"));
        }
        self.note("put in", what);
        for getter in got_by {
            let made = if getter.reason == "one-message" { "made for it was" } else { "got by" };
            self.note("", &format!("* {made} {}", message(getter)));
        }
        let more = count.saturating_sub(got_by.len() as u64);
        if more > 0 {
            self.note("", &format!("* and by {} more", grouped(more)));
        }
    }

    fn got(&mut self, got: &MessageFacts) {
        let label = if got.reason == "one-message" { "made for" } else { "got" };
        let what = match (&got.message, label) {
            (Some(message), "got") => format!("{message} from "),
            (None, "got") => "a message from ".to_owned(),
            _ => "a message of ".to_owned(),
        };
        self.note(label, &format!("{what}{}: {}", message(got), got.weighs));
        for against in &got.against {
            self.note("but", against);
        }
        if let Some(rival) = &got.runner_up {
            self.note("next best", &near(rival));
        }
    }

    fn link(&mut self, link: &LinkFacts) {
        let LinkFacts { parent, kind, reason, confidence, .. } = link;
        let percent = (confidence * 100.0).round();
        let label = if *kind == "same_exchange" { "same as" } else { "under" };
        self.note(label, &format!("{}, by {reason}, {percent} % sure", near(parent)));
        for because in &link.because {
            self.note("because", because);
        }
        for against in &link.against {
            self.note("but", against);
        }
        self.note("sure", &link.weighs);
        if let Some(rival) = &link.runner_up {
            let because = rival.because.join(", ");
            self.note("next best", &format!("{}: {because}", near(&rival.span)));
        }
    }

    /// What else was open at the caller.
    fn caller(&mut self, caller: &CallerFacts) {
        let CallerFacts { host, open, some, .. } = caller;
        if let ([only], 1) = (some.as_slice(), *open)
            && only.is_above
        {
            let text = format!("{host}, where only the one above was open as it began");
            return self.note("caller", &text);
        }
        let count = match *open {
            1 => "one exchange was".to_owned(),
            several => format!("{} exchanges were", grouped(several)),
        };
        self.note("caller", &format!("{host}, where {count} open as it began:"));
        // Of many that the same excludes, the first ones do.
        let mut alike: Vec<(&str, u64)> = Vec::new();
        for open in some {
            let text = if open.is_above { "the one above" } else { open.says.as_str() };
            let place = alike.iter().position(|(other, _)| *other == text).unwrap_or(alike.len());
            if place == alike.len() {
                alike.push((text, 0));
            }
            let Some((_, count)) = alike.get_mut(place) else { continue };
            *count += 1;
            if *count <= ALIKE {
                self.note("", &format!("* {}: {text}", near(&open.near)));
            }
        }
        for (text, count) in alike.iter().filter(|(_, count)| *count > ALIKE) {
            self.note(
                "",
                &format!("* {} more of which the same is true: {text}", grouped(count - ALIKE)),
            );
        }
        let more = open.saturating_sub(some.len() as u64);
        if more > 0 {
            self.note("", &format!("* {} more", grouped(more)));
        }
    }

    /// A text behind a label.
    fn note(&mut self, label: &str, text: &str) {
        let columns = self.columns.saturating_sub(LABEL + 2).max(NARROWEST);
        let mut label = label;
        for piece in folded(text, columns) {
            self.out.push_str(&format!("  {label:<LABEL$}{}\n", piece.trim_end()));
            label = "";
        }
    }

    fn line(&mut self, text: &str) {
        let columns = self.columns.max(NARROWEST);
        for piece in folded(text, columns) {
            self.out.push_str(piece.trim_end());
            self.out.push('\n');
        }
    }
}

fn filter_text(filter: &FrameFilter) -> String {
    match &filter.file {
        Some(file) => format!("{}  (in {file})", filter.filter),
        None => filter.filter.clone(),
    }
}

fn half(name: &str, half: &HalfFacts) -> String {
    let HalfFacts { len, seen_in, seq, ack, tsval, ttl, ip_id, loss, .. } = half;
    let mut text = format!("{name} of {} bytes in {seen_in}", grouped(*len));
    if let Some(seq) = seq {
        text.push_str(&format!(", seq {seq}, ack {ack}"));
    }
    if *tsval > 0 {
        text.push_str(&format!(", timestamp {tsval}"));
    }
    text.push_str(&format!(", ttl {ttl}, id {ip_id}{loss}"));
    text
}

/// The other end of a queue.
fn message(message: &MessageFacts) -> String {
    let MessageFacts { trace, span, exchange, reason, confidence, .. } = message;
    let percent = (confidence * 100.0).round();
    let which = exchange.as_ref().map_or_else(|| format!("span {span}"), near);
    format!("{which} of trace {trace}, by {reason}, {percent} % sure")
}

fn near(near: &NearFacts) -> String {
    let NearFacts { span, what, service, protocol, seen_in, .. } = near;
    format!("span {span} {protocol} {what} of {service} ({seen_in})")
}

/// Columns of the labels.
const LABEL: usize = 11;
/// Exchanges of which the same is told, that are named.
const ALIKE: u64 = 3;
/// Columns that a text has at least.
const NARROWEST: usize = 40;
