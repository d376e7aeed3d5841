//! JSON objects straight into a buffer: spans are most of what the program writes, so that their
//! keys, which are plain words, are not looked at byte by byte again.

use crate::numbers::{address, digits};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::net::SocketAddr;
use wirespan_parsers::message::Value;

/// A key that is known when the program is built, with all that stands around it.
macro_rules! key {
    ($name:literal) => {
        $crate::export::json::Key(concat!(",\"", $name, "\":"))
    };
}
pub(crate) use key;

/// See [`key!`].
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) &'static str);

/// An object that is being written. A comma stands before each of its fields; the first one
/// becomes the brace that opens it.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of a buffer.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Closes it.
    pub(crate) fn end(self) {
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    /// Text where it is UTF-8, else an object with all bytes in base64.
    pub(crate) fn text(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        text(self.out, value);
    }

    /// A word of this program's own, which needs no escapes.
    pub(crate) fn name(&mut self, key: Key, value: &str) {
        self.key(key);
        word(self.out, value);
    }

    /// Words of this program's own.
    pub(crate) fn names(&mut self, key: Key, values: &[&str]) {
        self.key(key);
        self.out.push(b'[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            word(self.out, value);
        }
        self.out.push(b']');
    }

    /// A whole number.
    pub(crate) fn int(&mut self, key: Key, value: i64) {
        self.key(key);
        digits(self.out, value);
    }

    /// A whole number that is not negative.
    pub(crate) fn number(&mut self, key: Key, value: u64) {
        self.key(key);
        digits(self.out, value);
    }

    /// Several of them.
    pub(crate) fn numbers(&mut self, key: Key, values: &[u64]) {
        self.key(key);
        self.out.push(b'[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            digits(self.out, *value);
        }
        self.out.push(b']');
    }

    /// A number with a fraction.
    pub(crate) fn float(&mut self, key: Key, value: f32) {
        self.key(key);
        // Writing to memory does not fail.
        let _ = write!(self.out, "{value}");
    }

    /// True or false.
    pub(crate) fn bool(&mut self, key: Key, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// The id of a span: 16 hexadecimal digits.
    pub(crate) fn hex(&mut self, key: Key, value: u64) {
        self.key(key);
        self.out.push(b'"');
        hex(self.out, value);
        self.out.push(b'"');
    }

    /// The id of a trace: 32 hexadecimal digits.
    pub(crate) fn trace(&mut self, key: Key, value: u128) {
        self.key(key);
        self.out.push(b'"');
        hex(self.out, (value >> 64) as u64);
        hex(self.out, value as u64);
        self.out.push(b'"');
    }

    /// Bytes in hexadecimal digits.
    pub(crate) fn bytes_in_hex(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        hex_digits(self.out, value);
        self.out.push(b'"');
    }

    /// Numbers of 16 bits, four hexadecimal digits each.
    pub(crate) fn words_in_hex(&mut self, key: Key, values: &[u16]) {
        self.key(key);
        self.out.push(b'"');
        for value in values {
            hex_digits(self.out, &value.to_be_bytes());
        }
        self.out.push(b'"');
    }

    /// A whole number as text, for readers whose numbers have 53 bits.
    pub(crate) fn number_in_quotes(&mut self, key: Key, value: u64) {
        self.key(key);
        self.out.push(b'"');
        digits(self.out, value);
        self.out.push(b'"');
    }

    /// The same of one that may be negative.
    pub(crate) fn int_in_quotes(&mut self, key: Key, value: i64) {
        self.key(key);
        self.out.push(b'"');
        digits(self.out, value);
        self.out.push(b'"');
    }

    /// A number with a fraction, of 64 bits.
    pub(crate) fn real(&mut self, key: Key, value: f64) {
        self.key(key);
        // Writing to memory does not fail.
        let _ = write!(self.out, "{value}");
    }

    /// Nanoseconds as microseconds, with all digits.
    pub(crate) fn microseconds(&mut self, key: Key, nanoseconds: i64) {
        self.key(key);
        let sign = if nanoseconds < 0 { "-" } else { "" };
        let [whole, rest] = [nanoseconds.unsigned_abs() / 1000, nanoseconds.unsigned_abs() % 1000];
        let _ = write!(self.out, "{sign}{whole}.{rest:03}");
    }

    /// Text under a name that may need escapes, too.
    pub(crate) fn any_named(&mut self, name: &str, value: &str) {
        self.out.push(b',');
        text(self.out, name.as_bytes());
        self.out.push(b':');
        text(self.out, value.as_bytes());
    }

    /// What is JSON already, under a name that may need escapes.
    pub(crate) fn plain(&mut self, name: &str, value: &str) {
        self.out.push(b',');
        text(self.out, name.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(value.as_bytes());
    }

    /// Address and port.
    pub(crate) fn address(&mut self, key: Key, value: SocketAddr) {
        self.key(key);
        self.out.push(b'"');
        address(self.out, value);
        self.out.push(b'"');
    }

    /// An object within.
    pub(crate) fn object(&mut self, key: Key, fields: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        let mut object = Object::new(self.out);
        fields(&mut object);
        object.end();
    }

    /// An object under a name that is not known before: one that needs no escapes.
    pub(crate) fn named_object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.name_of_field(name);
        let mut object = Object::new(self.out);
        fields(&mut object);
        object.end();
    }

    /// A list of objects within.
    pub(crate) fn list<T>(
        &mut self,
        key: Key,
        items: impl Iterator<Item = T>,
        fields: impl Fn(T, &mut Object<'_>),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (place, item) in items.enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            let mut object = Object::new(self.out);
            fields(item, &mut object);
            object.end();
        }
        self.out.push(b']');
    }

    /// Text or a number under a name that is not known before: one that needs no escapes.
    pub(crate) fn named(&mut self, name: &str, value: Value<'_>) {
        self.name_of_field(name);
        either(self.out, value);
    }

    /// Several texts and numbers under one such name.
    pub(crate) fn named_list<'v>(&mut self, name: &str, values: impl Iterator<Item = Value<'v>>) {
        self.name_of_field(name);
        self.out.push(b'[');
        for (place, value) in values.enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            either(self.out, value);
        }
        self.out.push(b']');
    }

    fn name_of_field(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline]
    fn key(&mut self, Key(key): Key) {
        self.out.extend_from_slice(key.as_bytes());
    }
}

/// A word of this program's own.
fn word(out: &mut Vec<u8>, value: &str) {
    quoted(out, value.as_bytes());
}

fn either(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Text(value) => text(out, value),
        Value::Int(value) => digits(out, value),
    }
}

fn quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.reserve(value.len() + 2);
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, value: &[u8]) {
    // Looking at all bytes, without leaving early, goes many bytes at a time.
    let plain = |byte: &u8| (0x20..0x7f).contains(byte) & (*byte != b'"') & (*byte != b'\\');
    if value.iter().fold(true, |all, byte| all & plain(byte)) {
        quoted(out, value);
        return;
    }
    match std::str::from_utf8(value) {
        Ok(text) => escaped(out, text),
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":\"");
            out.extend_from_slice(STANDARD.encode(value).as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }
}

/// JSON asks for less than terminals need: these obey DEL and the controls above it too.
fn escaped(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    // Writing to memory does not fail.
    drop(serde_json::to_writer(&mut *out, text));
    if text.contains(char::is_control) {
        let written = String::from_utf8_lossy(&out.split_off(start)).into_owned();
        for c in written.chars() {
            match c.is_control() {
                true => drop(write!(out, "\\u{:04x}", u32::from(c))),
                false => drop(write!(out, "{c}")),
            }
        }
    }
}

fn hex(out: &mut Vec<u8>, value: u64) {
    let mut text = [[0; 2]; 8];
    for (digits, byte) in text.iter_mut().zip(value.to_be_bytes()) {
        *digits = HEX.get(usize::from(byte)).copied().unwrap_or_default();
    }
    out.extend_from_slice(text.as_flattened());
}

fn hex_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&HEX.get(usize::from(*byte)).copied().unwrap_or_default());
    }
}

/// The two hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [HEX_DIGITS[byte >> 4], HEX_DIGITS[byte & 15]];
        byte += 1;
    }
    digits
};
const HEX_DIGITS: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Object<'_>), expected: &str) {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        write(&mut object);
        object.end();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, expected);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }

    #[test]
    fn numbers_keep_every_digit() {
        check(|o| o.int(key!("n"), i64::MIN), r#"{"n":-9223372036854775808}"#);
        check(|o| o.number(key!("n"), u64::MAX), r#"{"n":18446744073709551615}"#);
        check(|o| o.numbers(key!("n"), &[0, 10]), r#"{"n":[0,10]}"#);
        check(|o| o.hex(key!("n"), 0xabc), r#"{"n":"0000000000000abc"}"#);
    }

    #[test]
    fn text_is_escaped_and_other_bytes_are_kept() {
        check(|o| o.text(key!("t"), b"a\"b\\c\n"), r#"{"t":"a\"b\\c\n"}"#);
        check(|o| o.text(key!("t"), "é".as_bytes()), r#"{"t":"é"}"#);
        check(|o| o.text(key!("t"), "\u{9b}2J\x7f".as_bytes()), r#"{"t":"\u009b2J\u007f"}"#);
        check(|o| o.text(key!("t"), b"\xff"), r#"{"t":{"base64":"/w=="}}"#);
    }

    #[test]
    fn addresses_have_their_usual_form() {
        let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 53));
        check(
            |o| o.address(key!("a"), SocketAddr::from(([10, 0, 0, 255], 80))),
            r#"{"a":"10.0.0.255:80"}"#,
        );
        check(|o| o.address(key!("a"), v6), r#"{"a":"[::1]:53"}"#);
    }
}
