//! What an answer says of how the call ended.

use super::walk::{LINE_LIMIT, Said, TEXT_LIMIT};
use crate::message::{Attribute, Outcome, Status, Value};
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, masked};
use crate::settings::Settings;
use std::ops::Range;

/// The status that goes with what a result has said. An exception that the interface declares is a
/// failure: of whom is not said.
pub(super) fn status(said: Said) -> Status<'static> {
    match said {
        Said::Nothing => Status::default(),
        Said::Returned => Status { outcome: Outcome::Ok, ..Status::default() },
        Said::Declared(_) => {
            Status { outcome: Outcome::ServerError, code: 0, text: b"DECLARED_EXCEPTION" }
        }
        Said::Failed(kind) => {
            let code = u32::try_from(kind).unwrap_or_default();
            let (outcome, text) = match code {
                1 => (Outcome::ClientError, "UNKNOWN_METHOD"),
                2 => (Outcome::ClientError, "INVALID_MESSAGE_TYPE"),
                3 => (Outcome::ClientError, "WRONG_METHOD_NAME"),
                4 => (Outcome::ClientError, "BAD_SEQUENCE_ID"),
                5 => (Outcome::ServerError, "MISSING_RESULT"),
                6 => (Outcome::ServerError, "INTERNAL_ERROR"),
                7 => (Outcome::ClientError, "PROTOCOL_ERROR"),
                8 => (Outcome::ClientError, "INVALID_TRANSFORM"),
                9 => (Outcome::ClientError, "INVALID_PROTOCOL"),
                10 => (Outcome::ClientError, "UNSUPPORTED_CLIENT_TYPE"),
                // fbthrift's.
                11 => (Outcome::ServerError, "LOADSHEDDING"),
                12 => (Outcome::ServerError, "TIMEOUT"),
                13 => (Outcome::ServerError, "INJECTED_FAILURE"),
                _ => (Outcome::ServerError, "UNKNOWN"),
            };
            Status { outcome, code, text: text.as_bytes() }
        }
    }
}

/// What headers of an answer say of an exception.
#[derive(Default)]
pub(super) struct Failure {
    is_told: bool,
}

impl Failure {
    /// fbthrift names an exception that is not declared in `uex`, with its text in `uexw`.
    pub(super) fn header(
        &mut self,
        name: &[u8],
        value: &[u8],
        secrets: &Secrets,
        key: Key,
        out: &mut dyn Out,
    ) {
        match name {
            b"uex" => {
                self.is_told = true;
                let value = Value::Text(value.get(..TEXT_LIMIT).unwrap_or(value));
                out.add(key, Attribute { name: "exception.type", value });
            }
            b"uexw" => add_shown(value, key, secrets, out),
            _ => {}
        }
    }

    pub(super) fn status(&self) -> Option<Status<'static>> {
        let failed =
            Status { outcome: Outcome::ServerError, code: 0, text: b"UNDECLARED_EXCEPTION" };
        self.is_told.then_some(failed)
    }
}

/// Adds the text of an exception that stands at this place of the input. In packets that are
/// sanitized, only what is shown of it stays.
pub(super) fn add_text(
    text: &[u8],
    place: Range<u64>,
    key: Key,
    settings: &Settings,
    out: &mut dyn Out,
) {
    if settings.locate_secrets {
        let (line, shown) = first_line(text);
        settings.secrets.in_words(line, &mut |range| {
            let end = range.end.min(shown.len()) as u64;
            if (range.start as u64) < end {
                out.secret(key, place.start + range.start as u64..place.start + end);
            }
        });
        let behind = place.start + shown.len() as u64;
        if behind < place.end {
            out.secret(key, behind..place.end);
        }
    }
    add_shown(text, key, &settings.secrets, out);
}

/// Adds the first line of the text of an exception, secrets masked.
pub(super) fn add_shown(text: &[u8], key: Key, secrets: &Secrets, out: &mut dyn Out) {
    let (line, _) = first_line(text);
    let mut scratch = Vec::new();
    // What the limit cuts off may tell that what stands before it is secret.
    let shown = masked(line, &mut scratch, |found| secrets.in_words(line, found));
    let shown = shown.get(..TEXT_LIMIT).unwrap_or(shown);
    if !shown.is_empty() {
        out.add(key, Attribute { name: "wirespan.rpc.error", value: Value::Text(shown) });
    }
}

/// The first line, and what of it is shown.
fn first_line(text: &[u8]) -> (&[u8], &[u8]) {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.get(..LINE_LIMIT).unwrap_or(line);
    (line, line.get(..TEXT_LIMIT).unwrap_or(line))
}
