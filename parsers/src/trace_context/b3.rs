//! B3: the values of one message's headers in, its ids out.
//! <https://github.com/openzipkin/b3-propagation>

use super::{Format, TraceContext, hex};
use std::num::NonZeroU64;

/// The values of the B3 headers that one message carries, in whichever of the two forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'b> {
    /// `b3`.
    pub single: Option<&'b [u8]>,
    /// `X-B3-TraceId`.
    pub trace: Option<&'b [u8]>,
    /// `X-B3-SpanId`.
    pub span: Option<&'b [u8]>,
    /// `X-B3-ParentSpanId`.
    pub parent: Option<&'b [u8]>,
    /// `X-B3-Sampled`.
    pub sampled: Option<&'b [u8]>,
    /// `X-B3-Flags`.
    pub flags: Option<&'b [u8]>,
}

impl<'b> Headers<'b> {
    /// The ids; `None` where there is only a sampling decision, or nothing valid.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext<'b>> {
        // "Single Header": where both forms are present, the single one comes first.
        self.single.and_then(parse).or_else(|| self.multiple())
    }

    fn multiple(&self) -> Option<TraceContext<'b>> {
        let text = self.trace?;
        Some(TraceContext {
            format: Format::B3,
            text,
            trace: trace_id(text)?,
            span: self.span.and_then(span_id),
            parent: self.parent.and_then(span_id),
            // "Debug Flag": debug implies an accept decision.
            sampled: match self.flags {
                Some(b"1") => Some(true),
                _ => self.sampled.and_then(decision),
            },
        })
    }
}

/// Reads the single form `{trace}-{span}[-{decision}[-{parent}]]`; `None` for a decision alone.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    let mut fields = value.split(|byte| *byte == b'-');
    let text = fields.next()?;
    Some(TraceContext {
        format: Format::B3,
        text,
        trace: trace_id(text)?,
        span: Some(fields.next().and_then(span_id)?),
        sampled: fields.next().and_then(decision),
        parent: fields.next().and_then(span_id),
    })
}

fn trace_id(text: &[u8]) -> Option<u128> {
    matches!(text.len(), 16 | 32).then(|| hex(text)).flatten().filter(|id| *id != 0)
}

fn span_id(text: &[u8]) -> Option<NonZeroU64> {
    if text.len() != 16 {
        return None;
    }
    NonZeroU64::new(u64::try_from(hex(text)?).ok()?)
}

fn decision(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"d" => Some(true),
        b"0" => Some(false),
        // "Sampling State": before it was 1 and 0, some sent words.
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"80f198ee56343ba864fe8b2a57d3eff7";
    const SPAN: &[u8] = b"e457b5a2e4d86bd1";
    const PARENT: &[u8] = b"05e3ac9a4f6e3b90";

    fn text(context: Option<TraceContext<'_>>) -> String {
        let Some(context) = context else { return "none".to_owned() };
        let span = context.span.map_or(0, NonZeroU64::get);
        let parent = context.parent.map_or(0, NonZeroU64::get);
        format!("{:x} {span:x} {parent:x} {:?}", context.trace, context.sampled)
    }

    fn single(value: &str, expected: &str) {
        assert_eq!(text(parse(value.as_bytes())), expected, "{value}");
    }

    #[test]
    fn single_form_has_two_to_four_fields() {
        single("64fe8b2a57d3eff7-e457b5a2e4d86bd1", "64fe8b2a57d3eff7 e457b5a2e4d86bd1 0 None");
        single(
            "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
            "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 5e3ac9a4f6e3b90 Some(true)",
        );
        single(
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-d",
            "64fe8b2a57d3eff7 e457b5a2e4d86bd1 0 Some(true)",
        );
        single(
            "64fe8b2a57d3eff7-e457b5a2e4d86bd1-0",
            "64fe8b2a57d3eff7 e457b5a2e4d86bd1 0 Some(false)",
        );
    }

    #[test]
    fn single_decision_is_no_id() {
        single("0", "none");
        single("1", "none");
        single("d", "none");
        single("", "none");
    }

    #[test]
    fn single_form_with_bad_ids_is_none() {
        single("64fe8b2a57d3eff-e457b5a2e4d86bd1", "none");
        single("0000000000000000-e457b5a2e4d86bd1", "none");
        single("64fe8b2a57d3eff7-e457b5a2e4d86bd", "none");
        single("64fe8b2a57d3eff7-0000000000000000", "none");
        single("64fe8b2a57d3efg7-e457b5a2e4d86bd1", "none");
        single("64fe8b2a57d3eff7", "none");
    }

    #[test]
    fn multiple_headers_are_one_context() {
        let headers = Headers {
            trace: Some(TRACE),
            span: Some(SPAN),
            parent: Some(PARENT),
            sampled: Some(b"0"),
            ..Headers::default()
        };
        assert_eq!(
            text(headers.context()),
            "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 5e3ac9a4f6e3b90 Some(false)"
        );
    }

    #[test]
    fn debug_flag_means_sampled() {
        let headers = Headers {
            trace: Some(b"64fe8b2a57d3eff7"),
            flags: Some(b"1"),
            sampled: Some(b"0"),
            ..Headers::default()
        };
        assert_eq!(text(headers.context()), "64fe8b2a57d3eff7 0 0 Some(true)");
    }

    #[test]
    fn decision_in_words_is_read() {
        for (word, expected) in [("True", "Some(true)"), ("false", "Some(false)"), ("x", "None")] {
            let headers = Headers {
                trace: Some(b"64fe8b2a57d3eff7"),
                sampled: Some(word.as_bytes()),
                ..Headers::default()
            };
            assert_eq!(text(headers.context()), format!("64fe8b2a57d3eff7 0 0 {expected}"));
        }
    }

    #[test]
    fn single_form_comes_before_multiple_headers() {
        let headers = Headers {
            single: Some(b"1111111111111111-2222222222222222"),
            trace: Some(TRACE),
            ..Headers::default()
        };
        assert_eq!(text(headers.context()), "1111111111111111 2222222222222222 0 None");
    }

    #[test]
    fn decision_in_the_single_header_leaves_the_ids_of_the_others() {
        let headers = Headers { single: Some(b"0"), trace: Some(TRACE), ..Headers::default() };
        assert_eq!(text(headers.context()), "80f198ee56343ba864fe8b2a57d3eff7 0 0 None");
    }

    #[test]
    fn span_without_trace_is_none() {
        let headers = Headers { span: Some(SPAN), sampled: Some(b"1"), ..Headers::default() };
        assert_eq!(text(headers.context()), "none");
    }
}
