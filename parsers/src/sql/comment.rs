//! What a comment says to the pairs of key and value in it: sqlcommenter's, Datadog's, and those
//! that people write as `key=value` or `key: value`.
//! <https://google.github.io/sqlcommenter/spec/>

use crate::secrets::Secrets;
use smallvec::SmallVec;

/// A key with its value, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: SmallVec<[u8; 24]>,
    pub(super) value: SmallVec<[u8; 64]>,
    /// Its key is the name of a secret.
    pub(super) secret: bool,
}

/// The pairs of one statement, the last ones where there are many: what applications add stands
/// at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    bytes: usize,
}

impl Pairs {
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.bytes = 0;
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Pair> {
        self.pairs.iter()
    }

    /// Takes the pairs of one comment.
    pub(super) fn read(&mut self, comment: &[u8], secrets: &Secrets) {
        let mut rest = comment;
        while let Some((pair, after)) = next_pair(rest) {
            rest = after;
            if let Some(mut pair) = pair {
                pair.secret = secrets.has(&pair.key);
                self.push(pair);
            }
        }
    }

    fn push(&mut self, pair: Pair) {
        self.bytes += size(&pair);
        self.pairs.push(pair);
        let mut dropped = 0;
        while self.pairs.len() - dropped > PAIR_LIMIT || self.bytes > PAIR_BYTES_LIMIT {
            let Some(oldest) = self.pairs.get(dropped) else { break };
            self.bytes -= size(oldest);
            dropped += 1;
        }
        self.pairs.drain(..dropped);
    }
}

fn size(pair: &Pair) -> usize {
    pair.key.len() + pair.value.len()
}

/// The next word of a comment, as a pair if it is one, and what comes behind it.
fn next_pair(text: &[u8]) -> Option<(Option<Pair>, &[u8])> {
    let start = text.iter().position(|byte| is_key(*byte))?;
    let text = text.get(start..)?;
    let length = text.iter().position(|byte| !is_key(*byte)).unwrap_or(text.len());
    let (key, after) = text.split_at_checked(length)?;
    let Some(value) = behind_separator(after) else { return Some((None, after)) };
    let (value, after) = split_value(value);
    let pair =
        Pair { key: decoded(key, Plus::Kept), value: decoded(value, plus_in(key)), secret: false };
    Some(((!value.is_empty()).then_some(pair), after))
}

/// What stands behind `=` or `:`, which may have spaces around, and the quote of the key before.
fn behind_separator(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"\"").or_else(|| text.strip_prefix(b"'")).unwrap_or(text);
    let text = text.trim_ascii_start();
    let value = text.strip_prefix(b"=").or_else(|| text.strip_prefix(b":"))?;
    Some(value.trim_ascii_start())
}

/// A value, and what comes behind it.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    let (quote, quoted) = match text.split_first() {
        Some((quote @ (b'\'' | b'"'), quoted)) => (*quote, quoted),
        _ => return split_unquoted(text),
    };
    let mut escaped = false;
    let end = quoted.iter().position(|byte| {
        let is_end = *byte == quote && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    });
    let end = end.unwrap_or(quoted.len());
    (quoted.get(..end).unwrap_or_default(), quoted.get(end + 1..).unwrap_or_default())
}

/// Without quotes a value may hold `=`, `:` and commas; only a comma that another key follows
/// ends it.
fn split_unquoted(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while let Some(byte) = text.get(end) {
        let ends = match byte {
            b',' => {
                let after = text.get(end + 1..).unwrap_or_default().trim_ascii_start();
                let length = after.iter().position(|byte| !is_key(*byte)).unwrap_or(after.len());
                let behind = after.get(length..).unwrap_or_default();
                length == 0 || behind_separator(behind).is_some()
            }
            b';' | b'|' | b')' | b'}' | b'"' | b'\'' => true,
            _ => byte.is_ascii_whitespace() || byte.is_ascii_control(),
        };
        if ends {
            break;
        }
        end += 1;
    }
    text.split_at_checked(end).unwrap_or((text, &[]))
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Kept,
    Space,
}

/// Go writes a space as `+`; in base64 a plus is a digit.
fn plus_in(key: &[u8]) -> Plus {
    let base64: [&[u8]; 5] = [b"sw8", b"sw6", b"sw3", b"newrelic", b"grpc-trace-bin"];
    if base64.iter().any(|known| key.eq_ignore_ascii_case(known)) {
        Plus::Kept
    } else {
        Plus::Space
    }
}

/// A text without percent-encoding and backslashes. Python's library doubles each `%`, as many
/// drivers take one for a parameter.
fn decoded<const N: usize>(text: &[u8], plus: Plus) -> SmallVec<[u8; N]>
where
    [u8; N]: smallvec::Array<Item = u8>,
{
    let mut decoded = SmallVec::new();
    let mut rest = text;
    loop {
        let (byte, after) = match rest {
            [b'%', b'%', high, low, after @ ..] | [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (digit(*high) << 4 | digit(*low), after)
            }
            [b'%', b'%', after @ ..] => (b'%', after),
            [b'\\', byte, after @ ..] => (*byte, after),
            [b'+', after @ ..] if plus == Plus::Space => (b' ', after),
            [byte, after @ ..] => (*byte, after),
            [] => return decoded,
        };
        decoded.push(byte);
        rest = after;
    }
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

const PAIR_LIMIT: usize = 32;
const PAIR_BYTES_LIMIT: usize = 4 << 10;
