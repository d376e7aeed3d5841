//! Datadog: the values of one message's headers in, its ids out. The trace id is a decimal number of
//! 64 bits, whose upper half may stand in another header.
//! <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>

use super::{Format, TraceContext, decimal, hex, span_number, traceparent};
use std::num::NonZeroU64;

/// The values of the headers that one message carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'b> {
    /// `x-datadog-trace-id`.
    pub trace: Option<&'b [u8]>,
    /// `x-datadog-parent-id`.
    pub parent: Option<&'b [u8]>,
    /// `x-datadog-sampling-priority`.
    pub priority: Option<&'b [u8]>,
    /// `x-datadog-tags`.
    pub tags: Option<&'b [u8]>,
    /// `traceparent`, beside which the others may stand in `tracestate`.
    pub traceparent: Option<&'b [u8]>,
    /// `tracestate`.
    pub tracestate: Option<&'b [u8]>,
}

impl<'b> Headers<'b> {
    /// The ids; `None` where there are none, or none that are valid.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext<'b>> {
        self.own().or_else(|| self.within_tracestate())
    }

    fn own(&self) -> Option<TraceContext<'b>> {
        let text = self.trace?;
        let low = decimal(text).filter(|low| *low != 0)?;
        let high = self.tags.and_then(|tags| of_list(tags, b',', b"_dd.p.tid", b'='));
        let high = high.filter(|high| high.len() == 16).and_then(hex).unwrap_or_default();
        Some(TraceContext {
            format: Format::Datadog,
            text,
            trace: high << 64 | u128::from(low),
            span: self.parent.and_then(decimal).and_then(NonZeroU64::new),
            parent: None,
            sampled: self.priority.and_then(sampled),
        })
    }

    /// `dd=s:{priority};p:{span, 16 hex}`: the trace is the one of `traceparent`, and the span the
    /// last one that Datadog has seen.
    fn within_tracestate(&self) -> Option<TraceContext<'b>> {
        let own = of_list(self.tracestate?, b',', b"dd", b'=')?;
        let span = of_list(own, b';', b"p", b':').filter(|span| span.len() == 16)?;
        let span = span_number(span)?;
        let context = traceparent::parse(self.traceparent?)?;
        Some(TraceContext {
            format: Format::Datadog,
            span: Some(span),
            sampled: of_list(own, b';', b"s", b':').and_then(sampled),
            ..context
        })
    }
}

/// Of `name=value` pairs, the value with this name.
fn of_list<'b>(list: &'b [u8], between: u8, name: &[u8], equals: u8) -> Option<&'b [u8]> {
    list.split(|byte| *byte == between).find_map(|pair| {
        let mut sides = pair.splitn(2, |byte| *byte == equals);
        let is_this = sides.next()?.trim_ascii() == name;
        sides.next().filter(|_| is_this).map(<[u8]>::trim_ascii)
    })
}

/// "Sampling priority": below 1 the trace is dropped.
fn sampled(priority: &[u8]) -> Option<bool> {
    match priority {
        b"1" | b"2" => Some(true),
        b"0" | b"-1" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    fn check(trace: &str, parent: &str, tags: &str, expected: &str) {
        let headers = Headers {
            trace: Some(trace.as_bytes()),
            parent: Some(parent.as_bytes()),
            priority: Some(b"1"),
            tags: Some(tags.as_bytes()),
            ..Headers::default()
        };
        assert_eq!(shown(headers.context()), expected, "{trace} {parent} {tags}");
    }

    #[test]
    fn ids_are_decimal_and_the_upper_half_is_a_tag() {
        check(
            "18446744073709551615",
            "255",
            "_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000",
            "640cfd8d00000000ffffffffffffffff ff 0 Some(true)",
        );
        check("16", "255", "_dd.p.dm=-4", "10 ff 0 Some(true)");
        check("16", "x", "_dd.p.tid=640cfd8d0000000", "10 0 0 Some(true)");
    }

    #[test]
    fn broken_values_are_none() {
        for trace in ["", "0", "18446744073709551616", "1f", "-1", " 1 1"] {
            check(trace, "1", "", "none");
        }
    }

    fn state(traceparent: &str, tracestate: &str, expected: &str) {
        let headers = Headers {
            traceparent: Some(traceparent.as_bytes()),
            tracestate: Some(tracestate.as_bytes()),
            ..Headers::default()
        };
        assert_eq!(shown(headers.context()), expected, "{tracestate}");
    }

    #[test]
    fn last_span_stands_in_tracestate() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = "af7651916cd43dd8448eb211c80319c";
        state(
            parent,
            "a=b, dd=s:2;o:rum;p:00000000000000ff;t.dm:-4",
            &format!("{trace} ff 0 Some(true)"),
        );
        state(parent, "dd=s:1;t.dm:-4", "none");
        state(parent, "xdd=p:00000000000000ff", "none");
        state(parent, "dd=p:0000000000000000", "none");
        state("00-", "dd=p:00000000000000ff", "none");
    }
}
