//! Instana: the values of one message's headers in, its ids out.
//! <https://www.ibm.com/docs/en/instana-observability?topic=monitoring-traces>

use super::{Format, TraceContext, hex, span_number};

/// Reads the values of `X-INSTANA-T`, the trace, and where they are there of `-S`, the span, and
/// `-L`, of which 0 says that nothing is recorded.
#[must_use]
pub fn parse<'b>(
    trace: &'b [u8],
    span: Option<&[u8]>,
    level: Option<&[u8]>,
) -> Option<TraceContext<'b>> {
    Some(TraceContext {
        format: Format::Instana,
        text: trace,
        trace: hex(trace).filter(|trace| *trace != 0)?,
        span: span.and_then(span_number),
        parent: None,
        // What is told of correlation stands behind a comma.
        sampled: level.and_then(|level| match level.first() {
            Some(b'1') => Some(true),
            Some(b'0') => Some(false),
            _ => None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    #[test]
    fn ids_are_of_64_or_128_bits() {
        let read =
            |trace: &'static [u8]| shown(parse(trace, Some(b"e457b5a2e4d86bd1"), Some(b"1")));
        assert_eq!(read(b"64fe8b2a57d3eff7"), "64fe8b2a57d3eff7 e457b5a2e4d86bd1 0 Some(true)");
        assert_eq!(
            read(b"80f198ee56343ba864fe8b2a57d3eff7"),
            "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 0 Some(true)"
        );
    }

    #[test]
    fn broken_values_are_none() {
        for trace in [&b""[..], b"0", b"x", b"80f198ee56343ba864fe8b2a57d3eff7a"] {
            assert_eq!(shown(parse(trace, None, None)), "none");
        }
        assert_eq!(shown(parse(b"1", Some(b"x"), Some(b"x"))), "1 0 0 None");
        assert_eq!(shown(parse(b"1", None, Some(b"0,correlationType=web"))), "1 0 0 Some(false)");
    }
}
