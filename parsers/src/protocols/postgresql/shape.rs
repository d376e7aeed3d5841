//! What a message of a type must look like: for those who must know surely that one starts here.

use super::framing::{HEAD, Head, Stop, WHOLE_LIMIT, string};
use crate::reader::Reader;

/// Who sends a message; the same letters mean other things to the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Frontend,
    Backend,
}

/// What messages in a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// One of them is none.
    Broken,
    /// So many whole ones, the first of this type, then the start of another, or nothing.
    Open { whole: usize, first: u8 },
    /// The last one is where the sender waits: a query, a Sync, or a ReadyForQuery.
    Ended,
}

/// Follows messages from the start of the input up to the first that ends a turn.
pub(super) fn chain(sender: Sender, input: &[u8]) -> Chain {
    let mut rest = input;
    let mut whole = 0;
    let first = input.first().copied().unwrap_or_default();
    loop {
        let Some(kind) = rest.first() else { return Chain::Open { whole, first } };
        let Some(sizes) = sizes(sender, *kind) else { return Chain::Broken };
        let head = match Head::read(rest) {
            Ok(head) => head,
            Err(Stop::Short(_)) if could_be_length(rest) => return Chain::Open { whole, first },
            Err(_) => return Chain::Broken,
        };
        if !could_be_length(rest) || !sizes.contains(&(head.size - HEAD)) {
            return Chain::Broken;
        }
        if head.size > LONG && proves(sender, *kind) {
            return match rest.get(HEAD..LONG) {
                None => Chain::Open { whole, first },
                Some(start) if begins(*kind, start).is_some() => Chain::Ended,
                Some(_) => Chain::Broken,
            };
        }
        let (Some(body), true) = (rest.get(HEAD..head.size), head.size <= WHOLE_LIMIT) else {
            return Chain::Open { whole, first };
        };
        if fits(sender, *kind, body).is_none() {
            return Chain::Broken;
        }
        whole += 1;
        match (sender, kind) {
            // A Sync alone is too short to prove anything.
            (Sender::Frontend, b'S') if whole < 2 => {
                rest = rest.get(head.size..).unwrap_or_default();
            }
            (Sender::Frontend, b'Q' | b'S') | (Sender::Backend, b'Z') => return Chain::Ended,
            _ => rest = rest.get(head.size..).unwrap_or_default(),
        }
    }
}

/// Whether the start of a long message of this type is proof enough.
fn proves(sender: Sender, kind: u8) -> bool {
    match sender {
        Sender::Frontend => matches!(kind, b'Q' | b'P' | b'B'),
        Sender::Backend => kind == b'D',
    }
}

/// Whether the start of a body is one of such a type, as far as it goes.
fn begins(kind: u8, start: &[u8]) -> Option<()> {
    match kind {
        b'Q' => is_text(start),
        b'P' => {
            let (name, text) = string(start)?;
            let text = string(text).map_or(text, |(text, _)| text);
            is_text(name)?;
            is_text(text)
        }
        b'B' => {
            let (portal, rest) = string(start)?;
            let (name, rest) = string(rest)?;
            is_text(portal)?;
            is_text(name)?;
            let mut reader = Reader::new(rest);
            for _ in 0..reader.u16_be()? {
                reader.u16_be().filter(|format| *format <= 1)?;
            }
            starts_with_values(reader.rest())
        }
        _ => starts_with_values(start),
    }
}

/// Whether values begin here, the last of which is not here as a whole.
fn starts_with_values(input: &[u8]) -> Option<()> {
    let mut reader = Reader::new(input);
    for _ in 0..reader.u16_be()? {
        match reader.u32_be() {
            None => return Some(()),
            Some(u32::MAX) => {}
            Some(len) if len < LENGTH => {
                if reader.take(usize::try_from(len).ok()?).is_none() {
                    return Some(());
                }
            }
            Some(_) => return None,
        }
    }
    None
}

/// A message of 16 MiB or more is no proof of anything; other bytes than zeros are text mostly.
fn could_be_length(start: &[u8]) -> bool {
    start.get(1).is_none_or(|byte| *byte == 0)
}

/// How long the body of a message of this type may be; none if there is no such type.
fn sizes(sender: Sender, kind: u8) -> Option<std::ops::RangeInclusive<usize>> {
    const ANY: usize = 0x3fff_ffff;
    Some(match (sender, kind) {
        (Sender::Frontend, b'S' | b'H' | b'X' | b'c') => 0..=0,
        (Sender::Frontend, b'Q' | b'f') => 1..=ANY,
        (Sender::Frontend, b'P') => 4..=ANY,
        (Sender::Frontend, b'B') => 8..=ANY,
        (Sender::Frontend, b'E') => 5..=NAME,
        (Sender::Frontend, b'D' | b'C') => 2..=NAME,
        (Sender::Frontend, b'd') => 0..=ANY,
        (Sender::Frontend, b'F') => 10..=ANY,
        (Sender::Frontend, b'p') => 0..=TEXTS,
        (Sender::Backend, b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c') => 0..=0,
        (Sender::Backend, b'Z') => 1..=1,
        (Sender::Backend, b'C') => 2..=NAME,
        (Sender::Backend, b'T' | b't') => 2..=TEXTS,
        (Sender::Backend, b'D') => 2..=ANY,
        (Sender::Backend, b'E' | b'N') => 1..=TEXTS,
        (Sender::Backend, b'A') => 6..=TEXTS,
        (Sender::Backend, b'S') => 2..=TEXTS,
        (Sender::Backend, b'R') => 4..=TEXTS,
        (Sender::Backend, b'K') => 8..=260,
        (Sender::Backend, b'G' | b'H' | b'W') => 3..=TEXTS,
        (Sender::Backend, b'd') => 0..=ANY,
        (Sender::Backend, b'V') => 4..=ANY,
        (Sender::Backend, b'v') => 8..=TEXTS,
        _ => return None,
    })
}

/// Whether a whole body is one of this type.
fn fits(sender: Sender, kind: u8, body: &[u8]) -> Option<()> {
    match (sender, kind) {
        (Sender::Frontend, b'Q') => match string(body)? {
            (text, []) => is_text(text),
            _ => None,
        },
        (Sender::Frontend, b'P') => {
            let (name, rest) = string(body)?;
            let (query, rest) = string(rest)?;
            is_text(name)?;
            is_text(query)?;
            array(rest, 4).filter(|rest| rest.is_empty()).map(|_| ())
        }
        (Sender::Frontend, b'B') => {
            let (_, rest) = string(body)?;
            let (_, rest) = string(rest)?;
            let rest = array(array(rest, 2).and_then(values)?, 2)?;
            rest.is_empty().then_some(())
        }
        (Sender::Frontend, b'E') => (string(body)?.1.len() == 4).then_some(()),
        (Sender::Frontend, b'D' | b'C') => match body.split_first()? {
            (b'S' | b'P', name) => string(name)?.1.is_empty().then_some(()),
            _ => None,
        },
        (Sender::Backend, b'Z') => matches!(body, b"I" | b"T" | b"E").then_some(()),
        (Sender::Backend, b'C') => match body.split_last()? {
            (0, tag) => tag.iter().all(|b| matches!(b, b' '..=b'~')).then_some(()),
            _ => None,
        },
        (Sender::Backend, b'T') => columns(body),
        (Sender::Backend, b't') => array(body, 4)?.is_empty().then_some(()),
        (Sender::Backend, b'D') => values(body)?.is_empty().then_some(()),
        (Sender::Backend, b'E' | b'N') => match body.split_first()? {
            (field, _) if field.is_ascii_alphabetic() => body.ends_with(&[0, 0]).then_some(()),
            _ => (body == [0]).then_some(()),
        },
        (Sender::Backend, b'S') => string(string(body)?.1)?.1.is_empty().then_some(()),
        (Sender::Backend, b'A') => string(string(body.get(4..)?)?.1)?.1.is_empty().then_some(()),
        (Sender::Backend, b'R') => match body {
            [0, 0, 0, 0..=12, ..] => Some(()),
            _ => None,
        },
        (Sender::Backend, b'G' | b'H' | b'W') => array(body.get(1..)?, 2)?.is_empty().then_some(()),
        _ => Some(()),
    }
}

/// Letters, signs and white space: control characters stand in no query.
pub(super) fn is_text(text: &[u8]) -> Option<()> {
    let plain = |b: &u8| matches!(b, b' '..=0x7e | 0x80.. | b'\t' | b'\r' | b'\n' | 0x0c);
    text.iter().all(plain).then_some(())
}

/// What follows a count and as many items of this size.
fn array(input: &[u8], size: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(input);
    let count = reader.u16_be()?;
    reader.take(usize::from(count) * size)?;
    Some(reader.rest())
}

/// What follows a count and as many values, each behind its length; -1 stands for NULL.
fn values(input: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(input);
    for _ in 0..reader.u16_be()? {
        match reader.u32_be()? {
            u32::MAX => {}
            len => drop(reader.take(usize::try_from(len).ok()?)?),
        }
    }
    Some(reader.rest())
}

/// The columns of a result: name, then table, attribute, type, size, modifier and format.
fn columns(body: &[u8]) -> Option<()> {
    let mut reader = Reader::new(body);
    for _ in 0..reader.u16_be()? {
        let (name, _) = string(reader.rest())?;
        is_text(name)?;
        reader.take(name.len() + 1 + 18)?;
    }
    reader.rest().is_empty().then_some(())
}

/// Of a longer message the start must do, if it is of a type that proves something.
const LONG: usize = 1024;

/// No value is longer.
const LENGTH: u32 = 1 << 24;

/// The longest body that has little but a name.
const NAME: usize = 1024;

/// The longest of those that say more; the server takes short messages of up to 30,000 bytes.
const TEXTS: usize = 64 << 10;
