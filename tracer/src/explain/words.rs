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

use crate::explain::facts::{
    CallerFacts, EarlierFacts, Explanation, HalfFacts, IdFacts, LinkFacts, NearFacts, SpanFacts,
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
        words.line(&format!("{} more spans are not told of", grouped(*left_out as u64)));
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
        for open in some {
            let text = if open.is_above { "the one above" } else { open.says.as_str() };
            self.note("", &format!("* {}: {text}", near(&open.near)));
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

fn near(near: &NearFacts) -> String {
    let NearFacts { span, what, service, protocol, seen_in, .. } = near;
    format!("span {span} {protocol} {what} of {service} ({seen_in})")
}

/// Columns of the labels.
const LABEL: usize = 11;
/// Columns that a text has at least.
const NARROWEST: usize = 40;
