//! New Relic's `newrelic`: one value in, its ids out.
//! <https://github.com/newrelic/newrelic-java-agent/tree/main/newrelic-agent>

use super::{Format, TraceContext, base64, hex, span_number};
use memchr::memmem;

/// Reads an object of JSON, in base64 or as it is, in which `d.tr` is the trace and `d.id` the span.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    if value.len() > LENGTH_LIMIT {
        return None;
    }
    let decoded;
    let json = match value {
        [b'{', ..] => value,
        _ => {
            decoded = base64(value)?;
            &decoded
        }
    };
    let data = json.get(memmem::find(json, b"\"d\"")?..)?;
    let trace = member(data, b"\"tr\"")?;
    Some(TraceContext {
        format: Format::NewRelic,
        text: value,
        trace: hex(trace).filter(|id| matches!(trace.len(), 16 | 32) && *id != 0)?,
        span: member(data, b"\"id\"").filter(|span| span.len() == 16).and_then(span_number),
        parent: None,
        sampled: match member(data, b"\"sa\"") {
            Some(b"true") => Some(true),
            Some(b"false") => Some(false),
            _ => None,
        },
    })
}

/// The value of a member, without quotes; values of this object hold none.
fn member<'b>(json: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    // The same text may be a value, which no colon follows.
    let value = memmem::find_iter(json, name).find_map(|at| {
        let after = json.get(at + name.len()..)?.trim_ascii_start();
        Some(after.strip_prefix(b":")?.trim_ascii_start())
    })?;
    let (value, ends): (_, &[u8]) = match value {
        [b'"', value @ ..] => (value, b"\""),
        _ => (value, b",} \t\r\n"),
    };
    value.get(..value.iter().position(|byte| ends.contains(byte))?)
}

/// The longest value that is read, in bytes.
const LENGTH_LIMIT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    fn check(value: &str, expected: &str) {
        assert_eq!(shown(parse(value.as_bytes())), expected, "{value}");
    }

    #[test]
    fn object_may_be_in_base64() {
        let expected = "3221bf09aa0bcf0d3221bf09aa0bcf0d 27856f70d3d314b7 0 Some(true)";
        let json = r#"{"v":[0,1],"d":{"ty":"App","ac":"1","ap":"2","tx":"id","id":"27856f70d3d314b7","tr": "3221bf09aa0bcf0d3221bf09aa0bcf0d","sa":true,"pr":1.2}}"#;
        check(json, expected);
        check(&crate::trace_context::tests::encoded(json.as_bytes()), expected);
    }

    #[test]
    fn span_may_lack() {
        check(r#"{"d":{"tr":"3221bf09aa0bcf0d","sa":false}}"#, "3221bf09aa0bcf0d 0 0 Some(false)");
    }

    #[test]
    fn broken_values_are_none() {
        for value in [
            "",
            "{",
            "{}",
            r#"{"d":{"tr":"3221"}}"#,
            r#"{"d":{"tr":3221bf09aa0bcf0d"#,
            r#"{"d":{"tr"}}"#,
            r#"{"d":{"tr":"0000000000000000"}}"#,
            "????",
            "e30=",
        ] {
            check(value, "none");
        }
    }
}
