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
