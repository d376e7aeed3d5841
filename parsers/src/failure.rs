//! The words of an error that a call ended in: of their first line so much is shown, secrets masked.

use crate::message::{Attribute, Value};
use crate::metadata::start;
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, masked};
use std::ops::Range;

/// The words of an error, as far as they are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'b> {
    line: &'b [u8],
}

impl<'b> Words<'b> {
    /// Those that begin a text.
    pub(crate) fn of(text: &'b [u8]) -> Self {
        let text = start(text, LINE_LIMIT);
        Self { line: text.split(|byte| *byte == b'\n').next().unwrap_or_default() }
    }

    /// Adds them to a message, if there are any.
    pub(crate) fn add(self, key: Key, secrets: &Secrets, out: &mut dyn Out) {
        let mut scratch = Vec::new();
        let shown = shown_words(self.line, SHOWN, secrets, &mut scratch).trim_ascii();
        if !shown.is_empty() {
            let value = Value::Text(shown);
            out.add(key, Attribute { name: "wirespan.rpc.error", value });
        }
    }

    /// Tells what is secret of those that are shown, which begin at this offset of the input; says
    /// where they end. What follows is not looked at.
    pub(crate) fn locate(self, at: u64, key: Key, secrets: &Secrets, out: &mut dyn Out) -> u64 {
        let shown = start(self.line, SHOWN);
        secrets_within(shown, self.line, secrets, &mut |range| {
            out.secret(key, at + range.start as u64..at + range.end as u64);
        });
        at + shown.len() as u64
    }
}

/// Of the words of an error, those within so many bytes, secrets masked; in `room` if there are any.
/// All of the text is looked at, as what stands behind may tell that what is shown is secret: there
/// should be more of it than is shown.
pub(crate) fn shown_words<'t>(
    text: &'t [u8],
    limit: usize,
    secrets: &Secrets,
    room: &'t mut Vec<u8>,
) -> &'t [u8] {
    // To cut what is masked would show what stands near the end of what is looked at.
    let shown = start(text, limit);
    masked(shown, room, |found| secrets_within(shown, text, secrets, found))
}

/// Where secrets stand in the words that begin a text, all of which is looked at.
fn secrets_within(
    shown: &[u8],
    text: &[u8],
    secrets: &Secrets,
    found: &mut dyn FnMut(Range<usize>),
) {
    secrets.in_words(text, &mut |range| {
        let end = range.end.min(shown.len());
        if range.start < end {
            found(range.start..end);
        }
    });
}

/// Bytes of the words of an error in which their first line is looked for: those behind the ones that
/// are shown may tell what is secret.
pub(crate) const LINE_LIMIT: usize = 1 << 10;

/// Bytes of that which are shown.
const SHOWN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Recording;
    use crate::metadata::tests::opened;

    #[test]
    fn first_line_is_shown_without_secrets() {
        let check = |text: &str, expected: Option<&str>, secret: &[&str], end: usize| {
            let mut out = Recording::default();
            let key = opened(&mut out);
            let words = Words::of(text.as_bytes());
            words.add(key, &Secrets::default(), &mut out);
            let shown = words.locate(0, key, &Secrets::default(), &mut out);
            assert_eq!(shown, end as u64, "{text}");
            let message = &out.messages[0];
            assert_eq!(message.attributes.first().map(|(_, words)| &**words), expected, "{text}");
            let place = |range: &Range<u64>| &text[range.start as usize..range.end as usize];
            assert_eq!(message.secrets.iter().map(place).collect::<Vec<_>>(), secret, "{text}");
        };
        check("", None, &[], 0);
        check("gone\nat once", Some("gone"), &[], 4);
        check("\r\n", None, &[], 1);
        check("token=abc", Some("token=***"), &["abc"], 9);
        let long = "\u{20ac}".repeat(100);
        check(&long, Some(&long[..255]), &[], 255);
        // What says that it is secret stands behind what is shown.
        let address = format!("ftp://{}@host", "u".repeat(400));
        check(&address, Some("ftp://***"), &[&"u".repeat(250)], 256);
        // Nor are words shown that come into reach where others before them are masked: what tells
        // that these are secret may not be looked at.
        let (long, more) = ("t".repeat(900), "u".repeat(200));
        let words = format!("token={long} at http://user:{more}@host");
        check(&words, Some("token=***"), &[&long[..250]], 256);
    }
}
