//! Jaeger's `uber-trace-id`: one value in, its ids out.
//! <https://www.jaegertracing.io/sdk-migration/#propagation-format>

use super::{Format, TraceContext, hex, span_number};

/// Reads `{trace}:{span}:{parent}:{flags}`, where leading zeros may lack and `%3A` may stand for `:`.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    let (text, rest) = field(value)?;
    let (span, rest) = field(rest)?;
    let (parent, flags) = field(rest)?;
    let flags = hex(flags).filter(|_| flags.len() <= 2)?;
    Some(TraceContext {
        format: Format::Jaeger,
        text,
        trace: hex(text).filter(|trace| *trace != 0)?,
        span: Some(span_number(span)?),
        // "0 value is valid and means root span".
        parent: span_number(parent),
        sampled: Some(flags & FLAG_SAMPLED != 0),
    })
}

/// What stands before the next colon, and what behind it.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b':' | b'%'))?;
    let (field, rest) = text.split_at_checked(end)?;
    let ([b':', rest @ ..] | [b'%', b'3', b'A' | b'a', rest @ ..]) = rest else { return None };
    Some((field, rest))
}

const FLAG_SAMPLED: u128 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    fn check(value: &str, expected: &str) {
        assert_eq!(shown(parse(value.as_bytes())), expected, "{value}");
    }

    #[test]
    fn parent_is_the_third_field_and_span_the_second() {
        check(
            "64fe8b2a57d3eff7:e457b5a2e4d86bd1:5e3ac9a4f6e3b90:1",
            "64fe8b2a57d3eff7 e457b5a2e4d86bd1 5e3ac9a4f6e3b90 Some(true)",
        );
    }

    #[test]
    fn root_has_no_parent() {
        check(
            "80f198ee56343ba864fe8b2a57d3eff7:1:0:0",
            "80f198ee56343ba864fe8b2a57d3eff7 1 0 Some(false)",
        );
    }

    #[test]
    fn colons_may_be_encoded() {
        check("abc%3A1%3a0%3A3", "abc 1 0 Some(true)");
    }

    #[test]
    fn broken_values_are_none() {
        for value in [
            "",
            "a",
            "a:b",
            "a:b:c",
            "0:1:0:1",
            "a:0:0:1",
            "a:1:0:",
            "a:1:0:100",
            "x:1:0:1",
            "a:1:0:1:2",
            "a%3B1:0:1",
            "80f198ee56343ba864fe8b2a57d3eff71:1:0:0",
            "a:11112222333344445:0:0",
        ] {
            check(value, "none");
        }
    }
}
