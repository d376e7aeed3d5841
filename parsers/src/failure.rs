//! The words of an error that a call ended in: of their first line so much is shown, secrets masked.

use crate::message::{Attribute, Value};
use crate::metadata::start;
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, masked};

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
        // What the limit cuts off may tell that what stands before it is secret.
        let shown = masked(self.line, &mut scratch, |found| secrets.in_words(self.line, found));
        let shown = start(shown, SHOWN).trim_ascii();
        if !shown.is_empty() {
            let value = Value::Text(shown);
            out.add(key, Attribute { name: "wirespan.rpc.error", value });
        }
    }

    /// Tells what is secret of those that are shown, which begin at this offset of the input; says
    /// where they end. What follows is not looked at.
    pub(crate) fn locate(self, at: u64, key: Key, secrets: &Secrets, out: &mut dyn Out) -> u64 {
        let shown = start(self.line, SHOWN).len();
        secrets.in_words(self.line, &mut |range| {
            let end = range.end.min(shown);
            if range.start < end {
                out.secret(key, at + range.start as u64..at + end as u64);
            }
        });
        at + shown as u64
    }
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
            let place =
                |range: &std::ops::Range<u64>| &text[range.start as usize..range.end as usize];
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
        check(&address, Some("ftp://***@host"), &[&"u".repeat(250)], 256);
    }
}
