//! What an answer says of how the call ended.

use super::walk::Said;
use crate::failure::Words;
use crate::message::{Attribute, Outcome, Status, Value};
use crate::metadata::start;
use crate::protocol::{Key, Out};
use crate::secrets::Secrets;
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
                let value = Value::Text(start(value, CLASS));
                out.add(key, Attribute { name: "exception.type", value });
            }
            b"uexw" => Words::of(value).add(key, secrets, out),
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
    let words = Words::of(text);
    if settings.locate_secrets {
        let end = words.locate(place.start, key, &settings.secrets, out);
        if end < place.end {
            out.secret(key, end..place.end);
        }
    }
    words.add(key, &settings.secrets, out);
}

/// Bytes of the name of an exception that are shown.
const CLASS: usize = 256;
