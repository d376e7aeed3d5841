//! What a server answers to spans, in protobuf or in JSON.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#partial-success>

use super::Content;
use super::proto::{ExportTraceServiceResponse, RpcStatus};
use prost::Message;
use serde_json::Value;

/// Which of the spans that were sent a server did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many.
    pub rejected: u64,
    /// Why, or another thing that the sender should know; mostly empty.
    pub message: String,
}

impl PartialSuccess {
    /// Reads the body of an answer that says that all is well. One that cannot be read says no
    /// more than that.
    pub(crate) fn read(body: &[u8], content: Content) -> Self {
        let (rejected, message) = match content {
            Content::Protobuf => {
                let response = ExportTraceServiceResponse::decode(body).unwrap_or_default();
                let partial = response.partial_success.unwrap_or_default();
                (partial.rejected_spans, partial.error_message)
            }
            Content::Json => {
                let response: Value = serde_json::from_slice(body).unwrap_or_default();
                let partial = response.get("partialSuccess").cloned().unwrap_or_default();
                // Numbers of 64 bits are text there, but not all servers know.
                let rejected = partial.get("rejectedSpans").unwrap_or(&Value::Null);
                let rejected = match rejected.as_str() {
                    Some(text) => text.parse().unwrap_or_default(),
                    None => rejected.as_i64().unwrap_or_default(),
                };
                let message = partial.get("errorMessage").and_then(Value::as_str);
                (rejected, message.unwrap_or_default().to_owned())
            }
        };
        Self { rejected: u64::try_from(rejected).unwrap_or_default(), message: clipped(&message) }
    }

    /// Why nothing was taken, by the body of the answer; empty where it does not tell.
    pub(crate) fn reason(body: &[u8], content: Content) -> String {
        let told = match content {
            Content::Protobuf => RpcStatus::decode(body).ok().map(|status| status.message),
            Content::Json => serde_json::from_slice(body)
                .ok()
                .and_then(|status: Value| Some(status.get("message")?.as_str()?.to_owned())),
        };
        let told = told.filter(|told| !told.trim().is_empty());
        // Others than collectors answer in plain text, or with a page of which nobody makes sense.
        let plain = || String::from_utf8(body.to_vec()).ok().filter(|text| !text.contains('<'));
        clipped(&told.or_else(plain).unwrap_or_default())
    }
}

/// The first line, if it is not too long.
fn clipped(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// Characters of a message that are told.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &[u8], content: Content, rejected: u64, message: &str) {
        let expected = PartialSuccess { rejected, message: message.to_owned() };
        assert_eq!(PartialSuccess::read(body, content), expected);
    }

    #[test]
    fn partial_success_is_read_in_both_forms() {
        check(b"\x0a\x07\x08\x05\x12\x03why", Content::Protobuf, 5, "why");
        check(
            br#"{"partialSuccess":{"rejectedSpans":"5","errorMessage":"why"}}"#,
            Content::Json,
            5,
            "why",
        );
        check(br#"{"partialSuccess":{"rejectedSpans":5}}"#, Content::Json, 5, "");
    }

    #[test]
    fn an_answer_that_says_nothing_is_success() {
        check(b"", Content::Protobuf, 0, "");
        check(b"{}", Content::Json, 0, "");
        check(b"{", Content::Json, 0, "");
        check(b"\xff\xff", Content::Protobuf, 0, "");
        // Less than none.
        check(br#"{"partialSuccess":{"rejectedSpans":"-1"}}"#, Content::Json, 0, "");
    }

    #[test]
    fn reasons_are_read_from_status_json_and_plain_text() {
        let reason = PartialSuccess::reason;
        assert_eq!(reason(b"\x08\x03\x12\x03bad", Content::Protobuf), "bad");
        assert_eq!(reason(br#"{"code":3,"message":"bad\nworse"}"#, Content::Json), "bad");
        assert_eq!(reason(b"too many\n", Content::Protobuf), "too many");
        assert_eq!(reason(b"<html>no</html>", Content::Protobuf), "");
        assert_eq!(reason(&[b'x'; 1_000], Content::Json).len(), LONGEST);
    }
}
