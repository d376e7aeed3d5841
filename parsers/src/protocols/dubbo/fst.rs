//! FST: texts, numbers and pairs of texts in, what they say out.
//! <https://github.com/RuedigerMoeller/fast-serialization>
//!
//! As with Kryo, values stand without their lengths, and most of their classes are numbers that both
//! sides agreed on. A text is a length and characters of a byte each; 0xff says that one of two bytes
//! follows.

use super::walk::{Hide, Pair, Stop, TEXT_LIMIT, Taken, Thrown, Values, head, piece};
use std::borrow::Cow;

/// A text.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let (start, characters) = text_head(input)?;
    let (mut at, mut is_plain) = (start, true);
    for _ in 0..characters {
        let [byte] = head(input, at)?;
        is_plain &= byte.is_ascii();
        at += if byte == WIDE { 3 } else { 1 };
    }
    let text = piece(input, start, at - start)?;
    Ok((Some(if is_plain { Cow::Borrowed(text) } else { Cow::Owned(decoded(text)) }), at))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (number, used) = number(input).ok()?;
    let rest = input.get(used..)?;
    // It has no more bytes than three for each character.
    let most = usize::try_from(number).ok()?.saturating_mul(3);
    let text = rest.get(..most).unwrap_or(rest);
    let characters = usize::try_from(number).ok()?;
    match text.get(..characters) {
        Some(plain) if plain.is_ascii() => Some(Cow::Borrowed(plain)),
        None if text.is_ascii() => Some(Cow::Borrowed(text)),
        _ => {
            let mut end = 0;
            for _ in 0..characters {
                match text.get(end) {
                    Some(&WIDE) if end + 3 <= text.len() => end += 3,
                    Some(byte) if *byte != WIDE => end += 1,
                    _ => break,
                }
            }
            Some(Cow::Owned(decoded(text.get(..end)?)))
        }
    }
}

/// Bytes before the characters of a text, and the number of those.
fn text_head(input: &[u8]) -> Result<(usize, usize), Stop> {
    let (number, used) = number(input)?;
    let characters = usize::try_from(number).ok().filter(|characters| *characters <= TEXT_LIMIT);
    Ok((used, characters.ok_or(Stop::Bad("text"))?))
}

/// Characters as UTF-8.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let unit = match (*byte, after.split_first_chunk::<2>()) {
            (WIDE, Some((wide, after))) => {
                rest = after;
                u16::from_le_bytes(*wide)
            }
            (byte, _) => u16::from(byte),
        };
        units.push(unit);
    }
    String::from_utf16_lossy(&units).into_bytes()
}

/// A text that is a value.
pub(super) fn object_text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    match head(input, 0)? {
        [NULL] => Ok((None, 1)),
        [TEXT] => {
            let (text, used) = text(input.get(1..).unwrap_or_default())?;
            Ok((text, 1 + used))
        }
        _ => Err(Stop::Bad("text")),
    }
}

/// What values say.
pub(super) const VALUES: Values = Values { len: value_len, text: object_text, int };

/// The pairs of a map, which ends where the input does.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    match head(input, 0)? {
        [NULL] => return Ok(()),
        [OBJECT] => {}
        _ => return Err(Stop::Bad("attachments")),
    }
    // The number of its class; a class that is named is none that is a map in every version.
    let [class] = head(input, 1)?;
    if class <= NAMED || class == WIDE {
        return Err(Stop::Bad("attachments"));
    }
    let (count, used) = number(input.get(2..).unwrap_or_default())?;
    let count = u64::try_from(count).map_err(|_| Stop::Bad("attachments"))?;
    VALUES.pairs(input, 2 + used, count, found, hide)
}

/// The class of an exception, where it is named; where its words stand is known only by its class.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    if let [OBJECT, NAMED, name @ ..] = input {
        thrown.class = text(name).ok().and_then(|(name, _)| name);
    }
    thrown
}

fn int(value: &[u8]) -> Option<i64> {
    match value {
        [INT, rest @ ..] => Some(number(rest).ok()?.0.into()),
        [LONG, rest @ ..] => Some(long(rest).ok()?.0),
        _ => None,
    }
}

/// The bytes of a value that tells its own class, or whose class is Java's Double.
fn value_len(input: &[u8]) -> Result<usize, Stop> {
    let rest = input.get(1..).unwrap_or_default();
    let [kind] = head(input, 0)?;
    let used = match kind {
        NULL | TRUE | FALSE => 1,
        TEXT => 1 + text(rest)?.1,
        INT => 1 + number(rest)?.1,
        LONG => 1 + long(rest)?.1,
        OBJECT => {
            if head(rest, 0)? != [DOUBLE] {
                return Err(Stop::Bad("class"));
            }
            10
        }
        _ => return Err(Stop::Bad("class")),
    };
    piece(input, 0, used)?;
    Ok(used)
}

/// A number of 32 bits, in as few bytes as it needs.
fn number(input: &[u8]) -> Taken<i32> {
    let [first] = head(input, 0)?;
    Ok(match first {
        0x80 => (i16::from_le_bytes(head(input, 1)?).into(), 3),
        0x81 => (i32::from_le_bytes(head(input, 1)?), 5),
        first => (i32::from(first.cast_signed()), 1),
    })
}

/// One of 64 bits.
fn long(input: &[u8]) -> Taken<i64> {
    let [first] = head(input, 0)?;
    if first == 0x82 {
        return Ok((i64::from_le_bytes(head(input, 1)?), 9));
    }
    number(input).map(|(number, used)| (number.into(), used))
}

/// What a value begins with: FSTObjectOutput.
const OBJECT: u8 = 0;
const NULL: u8 = 0xff;
const TEXT: u8 = 0xfc;
const INT: u8 = 0xf7;
const LONG: u8 = 0xf6;
const TRUE: u8 = 0xf0;
const FALSE: u8 = 0xef;

/// In place of a class's number: its name follows.
const NAMED: u8 = 1;

/// The number of the class java.lang.Double.
const DOUBLE: u8 = 9;

/// Says that two bytes follow.
const WIDE: u8 = 0xff;
