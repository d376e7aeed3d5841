//! ErrorResponse: whose fault it is, its SQLSTATE, and its message without what is quoted in it.
//!
//! <https://www.postgresql.org/docs/current/protocol-error-fields.html>

use super::framing::string;
use crate::message::{Outcome, Status};
use smallvec::SmallVec;
use std::ops::Range;

/// The fields of an error that are used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failure<'b> {
    pub(super) state: &'b [u8],
    pub(super) message: &'b [u8],
    /// Whether the server ends the session.
    pub(super) fatal: bool,
}

impl<'b> Failure<'b> {
    /// Reads the fields of a body, as far as it goes.
    pub(super) fn read(body: &'b [u8]) -> Self {
        let mut failure = Self::default();
        for_each_field(body, |field, value| match field {
            b'C' => failure.state = value,
            b'M' => failure.message = value,
            b'S' | b'V' => failure.fatal |= matches!(value, b"FATAL" | b"PANIC"),
            _ => {}
        });
        failure
    }

    /// The outcome: the client's fault, unless the class of the SQLSTATE says otherwise.
    pub(super) fn status(&self) -> Status<'b> {
        let class = self.state.get(..2).unwrap_or_default();
        let outcome = if SERVER_CLASSES.contains(&class) {
            Outcome::ServerError
        } else {
            Outcome::ClientError
        };
        Status { outcome, code: 0, text: self.state }
    }
}

/// Calls `f` with each field's type and value.
fn for_each_field<'b>(body: &'b [u8], mut f: impl FnMut(u8, &'b [u8])) {
    let mut rest = body;
    while let Some((field, after)) = rest.split_first()
        && *field != 0
        && let Some((value, after)) = string(after)
    {
        f(*field, value);
        rest = after;
    }
}

/// Where a body of an error or notice holds what the client sent or the rows hold: quoted parts of
/// the message, and the fields that tell details.
pub(super) fn secrets_of(body: &[u8], mut tell: impl FnMut(Range<usize>)) {
    let at = |part: &[u8]| part.as_ptr().addr() - body.as_ptr().addr();
    for_each_field(body, |field, value| match field {
        b'M' => quoted(value, |part| tell(at(value) + part.start..at(value) + part.end)),
        // Detail, hint, internal query, where.
        b'D' | b'H' | b'q' | b'W' if !value.is_empty() => tell(at(value)..at(value) + value.len()),
        _ => {}
    });
}

/// The message with `?` in place of what is quoted, cut behind a limit.
pub(super) fn masked(message: &[u8]) -> SmallVec<[u8; MESSAGE]> {
    let mut shown: SmallVec<[u8; MESSAGE]> = SmallVec::new();
    let mut copied = 0;
    quoted(message, |part| {
        shown.extend_from_slice(message.get(copied..part.start).unwrap_or_default());
        shown.push(b'?');
        copied = part.end;
    });
    shown.extend_from_slice(message.get(copied..).unwrap_or_default());
    shown.truncate(MESSAGE);
    shown
}

/// Calls `f` with each part between two double quotes, the quotes not among them; one that is not
/// closed goes up to the end.
fn quoted(message: &[u8], mut f: impl FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(start) = find_quote(message, at) {
        let end = find_quote(message, start + 1).unwrap_or(message.len());
        if end > start + 1 {
            f(start + 1..end);
        }
        at = end + 1;
    }
}

fn find_quote(message: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'"', message.get(from..)?).map(|at| from + at)
}

/// Bytes of a message that are shown.
pub(super) const MESSAGE: usize = 256;

/// Connection, feature, rollback, resources, limits, state, operator, system, internal.
const SERVER_CLASSES: &[&[u8]] = &[b"08", b"40", b"53", b"54", b"55", b"57", b"58", b"XX", b"HY"];
