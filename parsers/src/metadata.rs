//! What a message says beside its content, pair by pair: headers, metadata, attachments. They are
//! added by their names for who asks for details, so many and so much of them, secrets masked.

use crate::message::{Attribute, Value};
use crate::protocol::{Key, Out};
use crate::secrets::{MASK, Secrets, masked};
use std::ops::Range;

/// Adds the pairs of one message.
pub(crate) struct Metadata<'s> {
    pairs: Pairs<'s>,
    /// What it is called how many did not fit.
    left_out_name: &'static str,
    seen: usize,
    room: usize,
    left_out: i64,
}

impl<'s> Metadata<'s> {
    /// Those of a message whose names begin so in the output.
    pub(crate) fn new(
        prefix: &'static str,
        left_out_name: &'static str,
        secrets: &'s Secrets,
    ) -> Self {
        let pairs = Pairs::new(prefix, secrets);
        Self { pairs, left_out_name, seen: 0, room: ROOM, left_out: 0 }
    }

    /// Those of a call's request.
    pub(crate) fn of_request(secrets: &'s Secrets) -> Self {
        Self::new("rpc.request.metadata.", LEFT_OUT, secrets)
    }

    /// Those of a call's response.
    pub(crate) fn of_response(secrets: &'s Secrets) -> Self {
        Self::new("rpc.response.metadata.", LEFT_OUT, secrets)
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, key: Key, name: &[u8], value: &[u8], out: &mut dyn Out) {
        if self.fits(name, value.len()) {
            self.pairs.text(key, name, value, out);
        }
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, key: Key, name: &[u8], number: i64, out: &mut dyn Out) {
        if self.fits(name, 0) {
            self.pairs.number(key, name, number, out);
        }
    }

    /// Tells how many did not fit.
    pub(crate) fn finish(self, key: Key, out: &mut dyn Out) {
        if self.left_out > 0 {
            let value = Value::Int(self.left_out);
            out.add(key, Attribute { name: self.left_out_name, value });
        }
    }

    fn fits(&mut self, name: &[u8], value: usize) -> bool {
        let size = self.pairs.prefix.len() + name.len() + value.min(VALUE_LIMIT);
        self.seen += 1;
        if self.seen > PAIRS_LIMIT || name.len() > NAME_LIMIT || size > self.room {
            self.left_out += 1;
            return false;
        }
        self.room -= size;
        true
    }
}

/// Adds pairs of which somebody else says how many there may be.
pub(crate) struct Pairs<'s> {
    prefix: &'static str,
    secrets: &'s Secrets,
    full_name: String,
    scratch: Vec<u8>,
}

impl<'s> Pairs<'s> {
    /// Those whose names begin so in the output.
    pub(crate) fn new(prefix: &'static str, secrets: &'s Secrets) -> Self {
        Self { prefix, secrets, full_name: String::new(), scratch: Vec::new() }
    }

    /// Adds a text, or the beginning of it.
    pub(crate) fn text(&mut self, key: Key, name: &[u8], value: &[u8], out: &mut dyn Out) {
        self.write_name(name);
        let find = |found: &mut dyn FnMut(Range<usize>)| self.secrets.in_header(name, value, found);
        let shown = masked(value, &mut self.scratch, find);
        let start = start(shown, VALUE_LIMIT);
        let cut: Vec<u8>;
        let shown = if start.len() < shown.len() {
            cut = [start, CUT].concat();
            &cut
        } else {
            shown
        };
        out.add(key, Attribute { name: &self.full_name, value: Value::Text(shown) });
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, key: Key, name: &[u8], number: i64, out: &mut dyn Out) {
        self.write_name(name);
        let value = match self.secrets.has(name) {
            true => Value::Text(MASK),
            false => Value::Int(number),
        };
        out.add(key, Attribute { name: &self.full_name, value });
    }

    fn write_name(&mut self, name: &[u8]) {
        self.full_name.clear();
        self.full_name.push_str(self.prefix);
        self.full_name.extend(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    }
}

/// The beginning of a text, so long at the most. It does not end within a character: what was text
/// would be none.
pub(crate) fn start(text: &[u8], limit: usize) -> &[u8] {
    let Some((start, rest)) = text.split_at_checked(limit) else { return text };
    if !matches!(rest, [0x80..=0xbf, ..]) {
        return start;
    }
    // Bytes that are no text are cut where the limit is.
    let lead = start.iter().rev().take(BEFORE_LAST).position(|byte| *byte >= 0xc0);
    lead.and_then(|lead| start.get(..start.len() - lead - 1)).unwrap_or(start)
}

/// Bytes of a character before its last one, at the most.
const BEFORE_LAST: usize = 3;

/// What it is called how many pairs of a call's message did not fit.
const LEFT_OUT: &str = "wirespan.rpc.metadata_left_out";

/// Pairs of one message that are added, and bytes of them with their prefixes.
pub(crate) const PAIRS_LIMIT: usize = 64;
const ROOM: usize = 6 << 10;

/// The longest name of one that is added, and bytes of a value that are shown.
const NAME_LIMIT: usize = 128;
const VALUE_LIMIT: usize = 1 << 10;

/// Says that a value goes on.
const CUT: &[u8] = "…".as_bytes();

#[cfg(test)]
mod tests {
    use super::start;

    #[test]
    fn text_that_is_cut_is_still_text() {
        let check = |text: &str, limit, expected: &str| {
            assert_eq!(start(text.as_bytes(), limit), expected.as_bytes(), "{text} {limit}");
        };
        check("abc", 3, "abc");
        check("abc", 2, "ab");
        check("a\u{fc}b", 3, "a\u{fc}");
        check("a\u{fc}b", 2, "a");
        for limit in 1..5 {
            check("a\u{1f600}b", limit, "a");
        }
        check("a\u{1f600}b", 5, "a\u{1f600}");
        check("\u{20ac}", 2, "");
        assert_eq!(start(&[0x80; 9], 8), [0x80; 8]);
        assert_eq!(start(b"", 0), b"");
    }
}
