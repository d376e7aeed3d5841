//! ErrorResponse: whose fault it is, its SQLSTATE, and its message without what is quoted in it.
//!
//! <https://www.postgresql.org/docs/current/protocol-error-fields.html>

use super::framing::string;
use crate::message::{Outcome, Status};
use memchr::memmem;
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
    let state = Failure::read(body).state;
    let at = |part: &[u8]| part.as_ptr().addr() - body.as_ptr().addr();
    for_each_field(body, |field, value| match field {
        b'M' => quoted(state, value, |part| tell(at(value) + part.start..at(value) + part.end)),
        // Detail, hint, internal query, where.
        b'D' | b'H' | b'q' | b'W' if !value.is_empty() => tell(at(value)..at(value) + value.len()),
        _ => {}
    });
}

/// The message with `?` in place of what is quoted, cut behind a limit.
pub(super) fn masked(state: &[u8], message: &[u8]) -> SmallVec<[u8; MESSAGE]> {
    let mut shown: SmallVec<[u8; MESSAGE]> = SmallVec::new();
    let mut copied = 0;
    quoted(state, message, |part| {
        shown.extend_from_slice(message.get(copied..part.start).unwrap_or_default());
        shown.push(b'?');
        copied = part.end;
    });
    shown.extend_from_slice(message.get(copied..).unwrap_or_default());
    shown.truncate(MESSAGE);
    shown
}

/// Calls `f` with each part between two quotes, these not among it; one that is not closed goes up
/// to the end. What is wrong with a value or a statement (SQLSTATE 22 and 42601) is told with that
/// in quotes, which may have quotes in it: it goes up to the last one.
fn quoted(state: &[u8], message: &[u8], mut f: impl FnMut(Range<usize>)) {
    let greedy = state.starts_with(b"22") || state == b"42601";
    let mut at = 0;
    while let Some((start, close)) = opening(message, at) {
        let rest = message.get(start..).unwrap_or_default();
        let length = if greedy { memmem::rfind(rest, close) } else { memmem::find(rest, close) };
        let end = length.map_or(message.len(), |length| start + length);
        if end > start {
            f(start..end);
        }
        at = end + close.len();
    }
}

/// Where the next part in quotes begins, and what closes it.
fn opening(message: &[u8], from: usize) -> Option<(usize, &'static [u8])> {
    let rest = message.get(from..)?;
    // What the quotes of `QUOTES` begin with.
    let mut candidates =
        rest.iter().enumerate().filter(|(_, byte)| b"\"\xc2\xe2\xe3".contains(byte));
    candidates.find_map(|(at, _)| {
        let here = rest.get(at..)?;
        let (open, close) = QUOTES.iter().find(|(open, _)| here.starts_with(open.as_bytes()))?;
        Some((from + at + open.len(), close.as_bytes()))
    })
}

/// What quotes begin and end with, in English and in the languages that servers speak.
const QUOTES: &[(&str, &str)] =
    &[("\"", "\""), ("«", "»"), ("»", "«"), ("“", "”"), ("„", "“"), ("「", "」")];

/// Bytes of a message that are shown.
pub(super) const MESSAGE: usize = 256;

/// Connection, feature, rollback, resources, limits, state, operator, system, internal.
const SERVER_CLASSES: &[&[u8]] = &[b"08", b"40", b"53", b"54", b"55", b"57", b"58", b"XX", b"HY"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &str, message: &str, expected: &str) {
        let shown = masked(state.as_bytes(), message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    #[test]
    fn values_with_quotes_in_them_are_masked() {
        let json = r#"invalid input syntax for type integer: "{"pin": "1", "b": 2}""#;
        check("22P02", json, r#"invalid input syntax for type integer: "?""#);
        let literal = r#"unterminated quoted string at or near "'a "b c""#;
        check("42601", literal, r#"unterminated quoted string at or near "?""#);
        check("42703", r#"column "a" of relation "b" is"#, r#"column "?" of relation "?" is"#);
        check("3D000", r#"database "a"#, r#"database "?"#);
    }

    #[test]
    fn quotes_of_other_languages_are_quotes() {
        check("22P02", "Syntax für Typ integer: »a«", "Syntax für Typ integer: »?«");
        check("22P02", "type integer : « a » b »", "type integer : «?»");
        check("22P02", "“a”は不正です", "“?”は不正です");
        check("42P01", "「a」、「b」", "「?」、「?」");
    }
}
