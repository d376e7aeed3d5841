//! Pinpoint: the values of one message's headers in, its ids out.
//! <https://github.com/pinpoint-apm/pinpoint>

use super::{Format, TraceContext, text_id};
use std::num::NonZeroU64;

/// Reads the trace id `{agent}^{start}^{sequence}`, and where they are there the ids of the span
/// that the receiver is to have, of the sender's, and whether they are recorded.
#[must_use]
pub fn parse<'b>(
    trace: &'b [u8],
    span: Option<&[u8]>,
    parent: Option<&[u8]>,
    sampled: Option<&[u8]>,
) -> Option<TraceContext<'b>> {
    if trace.len() > LENGTH_LIMIT {
        return None;
    }
    let mut fields = trace.split(|byte| *byte == b'^');
    let agent = fields.next()?;
    let is_number = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    let numbers = is_number(fields.next()?) && is_number(fields.next()?);
    if !numbers || fields.next().is_some() || !agent.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some(TraceContext {
        format: Format::Pinpoint,
        text: trace,
        trace: text_id(trace),
        span: span.and_then(signed),
        parent: parent.and_then(signed),
        sampled: sampled.map(|sampled| sampled != b"s0"),
    })
}

/// A span's number, which has a sign; -1 stands for none.
fn signed(text: &[u8]) -> Option<NonZeroU64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    NonZeroU64::new(number.cast_unsigned()).filter(|_| number != -1)
}

const LENGTH_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"shop-agent^1484722464379^17";

    #[test]
    fn numbers_have_signs() {
        let context = parse(TRACE, Some(b"-2"), Some(b"5"), Some(b"s0")).unwrap();
        assert_eq!(context.text, TRACE);
        assert_eq!(context.span, NonZeroU64::new(u64::MAX - 1));
        assert_eq!(context.parent, NonZeroU64::new(5));
        assert_eq!(context.sampled, Some(false));
    }

    #[test]
    fn root_has_no_parent() {
        assert_eq!(parse(TRACE, Some(b"7"), Some(b"-1"), None).unwrap().parent, None);
    }

    #[test]
    fn broken_values_are_none() {
        for trace in [&b""[..], b"a", b"a^1", b"a^1^", b"a^x^1", b"a^1^2^3", b"a b^1^2"] {
            assert_eq!(parse(trace, None, None, None), None);
        }
        assert_eq!(parse(TRACE, Some(b"9223372036854775808"), None, None).unwrap().span, None);
    }
}
