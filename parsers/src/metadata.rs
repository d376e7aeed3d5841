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
        let start = self.full_name.len();
        match str::from_utf8(name) {
            Ok(name) => self.full_name.push_str(name),
            Err(_) => self.full_name.extend(name.iter().map(|byte| char::from(*byte))),
        }
        if let Some(name) = self.full_name.get_mut(start..) {
            name.make_ascii_lowercase();
        }
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
pub(crate) mod tests {
    use super::*;
    use crate::fuzzing::Recording;
    use crate::message::{Dialect, Kind, Message, Pairing, Status};

    /// Opens a message.
    pub(crate) fn opened(out: &mut Recording) -> Key {
        out.open(Message {
            kind: Kind::Response,
            dialect: Dialect::Plain,
            pairing: Pairing::OneWay,
            bytes: 0..0,
            operation: b"",
            resource: b"",
            status: Status::default(),
            cut: false,
        })
    }

    fn told(tell: impl FnOnce(Key, &mut Recording)) -> Vec<String> {
        let mut recording = Recording::default();
        let key = opened(&mut recording);
        tell(key, &mut recording);
        let attributes = &recording.messages[0].attributes;
        attributes.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn pairs_have_their_names_and_no_secrets() {
        let secrets = Secrets::default();
        let found = told(|key, out| {
            let mut metadata = Metadata::of_request(&secrets);
            metadata.text(key, b"X-Id", b"7", out);
            metadata.text(key, "\u{540d}".as_bytes(), b"name", out);
            metadata.text(key, b"\xfc", b"latin", out);
            metadata.text(key, b"password", b"p", out);
            metadata.number(key, b"count", -1, out);
            metadata.number(key, b"token", 1, out);
            metadata.finish(key, out);
        });
        let expected =
            ["x-id=7", "\u{540d}=name", "\u{fc}=latin", "password=***", "count=-1", "token=***"];
        assert_eq!(found, expected.map(|pair| format!("rpc.request.metadata.{pair}")));
    }

    #[test]
    fn pairs_that_are_too_many_or_too_long_are_counted() {
        let secrets = Secrets::default();
        let long = "\u{20ac}".repeat(400);
        let found = told(|key, out| {
            let mut metadata = Metadata::of_response(&secrets);
            metadata.text(key, &[b'n'; 129], b"", out);
            metadata.text(key, b"long", long.as_bytes(), out);
            for _ in 0..PAIRS_LIMIT {
                metadata.number(key, b"n", 1, out);
            }
            metadata.finish(key, out);
        });
        assert_eq!(found.len(), PAIRS_LIMIT);
        assert_eq!(
            found[0],
            format!("rpc.response.metadata.long={}\u{2026}", "\u{20ac}".repeat(341))
        );
        assert_eq!(found[PAIRS_LIMIT - 1], "wirespan.rpc.metadata_left_out=3");
        let found = told(|key, out| {
            let mut metadata = Metadata::of_request(&secrets);
            for _ in 0..7 {
                metadata.text(key, b"n", &[b'v'; 1000], out);
            }
            metadata.finish(key, out);
        });
        assert_eq!(found.last().map(String::as_str), Some("wirespan.rpc.metadata_left_out=1"));
    }

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
