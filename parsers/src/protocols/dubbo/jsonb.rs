//! JSONB, the binary JSON of fastjson2: values in, texts, numbers and pairs out.
//! The format: <https://github.com/alibaba/fastjson2/wiki/jsonb_format_cn>
//!
//! Dubbo writes the length of each value before it, in four bytes, so that arguments are passed over
//! whole.

use super::walk::{
    DEPTH_LIMIT, Hide, PAIRS_LIMIT, Pair, Stop, TEXT_LIMIT, Taken, Thrown, Value, head, piece,
    place, short,
};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

/// The length of a value, and the bytes that say so.
pub(super) fn length(input: &[u8]) -> Taken<u64> {
    Ok((u32::from_be_bytes(head(input, 0)?).into(), LENGTH))
}

/// A text, or a null in its place.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let length = u32::from_be_bytes(head(input, 0)?) as usize;
    if length > TEXT_LIMIT {
        return Err(Stop::Bad("text"));
    }
    let item = piece(input, LENGTH, length)?;
    let text = match item {
        [NULL, ..] => None,
        _ => Some(string(item).map_err(bad)?.0),
    };
    Ok((text, LENGTH + length))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let text = input.get(LENGTH..)?;
    match text.first()? {
        STRING..=0x78 => text.get(1..),
        0x79 | 0x7a => {
            let (_, used) = length_at(text.get(1..)?).ok()?;
            text.get(1 + used..)
        }
        _ => None,
    }
}

/// A number of few bits.
pub(super) fn number(input: &[u8]) -> Taken<i64> {
    let length = u32::from_be_bytes(head(input, 0)?) as usize;
    if length > NUMBER_LIMIT {
        return Err(Stop::Bad("number"));
    }
    let item = piece(input, LENGTH, length)?;
    Ok((whole_number(item).map_err(bad)?.0, LENGTH + length))
}

/// The pairs of an object.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    let length = u32::from_be_bytes(head(input, 0)?) as usize;
    let mut hide_within = |value: &[u8]| {
        let start = place(value, input).start;
        let hide = &mut |range: Range<usize>| hide(start + range.start..start + range.end);
        // Its length was found before.
        let _ = value_len(value, hide);
    };
    members(piece(input, LENGTH, length)?, &mut |name, value| {
        let name = match name {
            Ok(name) => name,
            Err(name) => {
                hide_within(name);
                hide_within(value);
                return;
            }
        };
        let value = match (string(value), whole_number(value)) {
            (Ok((text, _)), _) => Value::Text(text),
            (_, Ok((number, _))) => Value::Int(number),
            _ => {
                hide_within(value);
                Value::Other
            }
        };
        found(name, value);
    })
}

/// The class and the words of an exception.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    let value = input.get(LENGTH..).unwrap_or_default();
    if let [TYPED, name @ ..] = value {
        thrown.class = string(name).ok().map(|(name, _)| name);
    }
    let message = &mut thrown.message;
    // What is cut ends in an error after what is there.
    let _ = members(value, &mut |name, value| {
        if message.is_none() && matches!(name.as_deref(), Ok(b"detailMessage" | b"message")) {
            *message = string(value).ok().map(|(text, _)| text);
        }
    });
    thrown
}

/// Is told a name, or the bytes of what is none, and the bytes of the value.
type Member<'f, 'b> = dyn FnMut(Result<Cow<'b, [u8]>, &'b [u8]>, &'b [u8]) + 'f;

/// The names of an object with the bytes of their values.
fn members<'b>(item: &'b [u8], found: &mut Member<'_, 'b>) -> Result<(), Stop> {
    let mut at = match item {
        [NULL, ..] => return Ok(()),
        [TYPED, rest @ ..] => 1 + type_len(rest)?,
        _ => 0,
    };
    if item.get(at) != Some(&OBJECT) {
        return Err(Stop::Bad("object"));
    }
    at += 1;
    for pairs in 0..=PAIRS_LIMIT {
        let rest = item.get(at..).unwrap_or_default();
        let (name, used) = match rest {
            [OBJECT_END, ..] => return Ok(()),
            _ if pairs == PAIRS_LIMIT => break,
            [SYMBOL, symbol @ ..] => {
                let name = string(symbol).map(|(name, _)| name);
                (name.map_err(|_| &[][..]), 1 + type_len(symbol)?)
            }
            _ => match string(rest) {
                Ok((name, used)) => (Ok(name), used),
                Err(_) => {
                    let used = value_len(rest, &mut |_| {})?;
                    (Err(piece(rest, 0, used)?), used)
                }
            },
        };
        at += used;
        let value = item.get(at..).unwrap_or_default();
        let used = value_len(value, &mut |_| {})?;
        at += used;
        found(name, piece(value, 0, used)?);
    }
    Err(Stop::Bad("object"))
}

/// The bytes of a name with its number, or of the number alone.
fn type_len(input: &[u8]) -> Result<usize, Stop> {
    let start = match input {
        [STRING..=STRING_END, ..] => string_len(input)?,
        _ => 0,
    };
    let rest = input.get(start..).unwrap_or_default();
    Ok(start + whole_number(rest)?.1)
}

/// The bytes of a value; `hide` is told which of them are not its structure.
fn value_len(input: &[u8], hide: &mut Hide<'_>) -> Result<usize, Stop> {
    /// What is open: so many values, or an object.
    enum Open {
        Values(u32),
        Object,
    }
    let mut open: SmallVec<[Open; 8]> = SmallVec::new();
    open.push(Open::Values(1));
    let mut at = 0;
    while let Some(last) = open.last_mut() {
        let rest = input.get(at..).unwrap_or_default();
        match last {
            Open::Values(0) => {
                open.pop();
                continue;
            }
            Open::Values(left) => *left -= 1,
            Open::Object => {
                let end = match rest {
                    [OBJECT_END, ..] => {
                        open.pop();
                        at += 1;
                        continue;
                    }
                    [SYMBOL, symbol @ ..] => 1 + type_len(symbol)?,
                    // A name is a value, but that none is within it.
                    _ => {
                        let used = scalar_len(rest)?;
                        hide(at + scalar_start(rest, used)..at + used);
                        used
                    }
                };
                at += end;
            }
        }
        let mut rest = input.get(at..).unwrap_or_default();
        if let [TYPED, name @ ..] = rest {
            at += 1 + type_len(name)?;
            rest = input.get(at..).unwrap_or_default();
        }
        match rest {
            [OBJECT, ..] => {
                at += 1;
                open.push(Open::Object);
            }
            [count @ 0x94..=0xa3, ..] => {
                at += 1;
                open.push(Open::Values(u32::from(count - 0x94)));
            }
            [ARRAY, length @ ..] => {
                let (count, used) = length_at(length)?;
                at += 1 + used;
                open.push(Open::Values(u32::try_from(count).unwrap_or(u32::MAX)));
            }
            _ => {
                let used = scalar_len(rest)?;
                let start = scalar_start(rest, used);
                if start < used {
                    hide(at + start..at + used);
                }
                at += used;
            }
        }
        if open.len() > DEPTH_LIMIT {
            return Err(Stop::Bad("depth"));
        }
    }
    piece(input, 0, at)?;
    Ok(at)
}

/// The bytes of a value that has none within.
fn scalar_len(input: &[u8]) -> Result<usize, Stop> {
    let rest = |at: usize| input.get(at..).unwrap_or_default();
    let kind = *input.first().ok_or_else(|| short(1))?;
    let used = match kind {
        STRING..=STRING_END => string_len(input)?,
        // A symbol, a reference, a character, a number of other numbers.
        SYMBOL => 1 + type_len(rest(1))?,
        REFERENCE => 1 + string_len(rest(1))?,
        0x90 | 0xb4 | 0xb6 | 0xb8 | 0xba => 1 + whole_number(rest(1))?.1,
        BINARY | 0xbb => {
            let (len, used) = length_at(rest(1))?;
            (1 + used).saturating_add(len)
        }
        0xb9 => {
            let scale = 1 + whole_number(rest(1))?.1;
            scale + scalar_number_len(rest(scale))?
        }
        0xa7 => 4 + whole_number(rest(4))?.1,
        0xa8 => 8 + whole_number(rest(8))?.1,
        0xaa => {
            let zone = 8 + whole_number(rest(8))?.1;
            zone + string_len(rest(zone))?
        }
        0xae => 9 + whole_number(rest(9))?.1,
        0xab | 0xb5 => 9,
        0xa9 | 0xac | 0xad | 0xb7 => 5,
        NULL | 0xb0..=0xb3 => 1,
        _ => whole_number(input)?.1,
    };
    piece(input, 0, used)?;
    Ok(used)
}

/// Where what such a value says begins, behind its kind and its length.
fn scalar_start(input: &[u8], used: usize) -> usize {
    let start = match input {
        [STRING..=STRING_END, ..] => string_bytes(input).map(|(_, start)| start),
        [BINARY | 0xbb, rest @ ..] => length_at(rest).map(|(_, length)| 1 + length),
        _ => Ok(1),
    };
    start.unwrap_or(1).min(used)
}

/// The bytes of a whole number, of any size.
fn scalar_number_len(input: &[u8]) -> Result<usize, Stop> {
    match input {
        [0xbb, rest @ ..] => {
            let (len, used) = length_at(rest)?;
            Ok((1 + used).saturating_add(len))
        }
        [0xba, rest @ ..] => Ok(1 + whole_number(rest)?.1),
        _ => Ok(whole_number(input)?.1),
    }
}

/// A whole number of at most 64 bits.
fn whole_number(input: &[u8]) -> Taken<i64> {
    let kind = *input.first().ok_or_else(|| short(1))?;
    let compact = |zero: u8| i64::from(kind) - i64::from(zero);
    let byte = || head::<1>(input, 1).map(|[byte]| i64::from(byte));
    let two = || head(input, 1).map(|bytes| i64::from(u16::from_be_bytes(bytes)));
    Ok(match kind {
        0x00..=0x2f => (i64::from(kind), 1),
        0xf0..=0xff => (i64::from(kind) - 0x100, 1),
        0x30..=0x3f => (compact(0x38) << 8 | byte()?, 2),
        0x40..=0x47 => (compact(0x44) << 16 | two()?, 3),
        0x48 | 0xbf => (i64::from(i32::from_be_bytes(head(input, 1)?)), 5),
        0xbc => (i64::from(i16::from_be_bytes(head(input, 1)?)), 3),
        0xbd => (i64::from(i8::from_be_bytes(head(input, 1)?)), 2),
        0xbe => (i64::from_be_bytes(head(input, 1)?), 9),
        0xc0..=0xc7 => (compact(0xc4) << 16 | two()?, 3),
        0xc8..=0xd7 => (compact(0xd0) << 8 | byte()?, 2),
        0xd8..=0xef => (compact(0xe0), 1),
        _ => return Err(Stop::Bad("number")),
    })
}

/// A number of bytes or of values.
fn length_at(input: &[u8]) -> Taken<usize> {
    let (length, used) = whole_number(input)?;
    Ok((usize::try_from(length).map_err(|_| Stop::Bad("length"))?, used))
}

fn string_len(input: &[u8]) -> Result<usize, Stop> {
    let (text, used) = string_bytes(input)?;
    Ok(used + text.len())
}

/// The bytes of a text, and those before them.
fn string_bytes(input: &[u8]) -> Taken<&[u8]> {
    let (len, start) = match input.first() {
        None => return Err(short(1)),
        Some(kind @ STRING..=0x78) => (usize::from(kind - STRING), 1),
        Some(0x79..=STRING_END) => {
            let (len, used) = length_at(input.get(1..).unwrap_or_default())?;
            (len, 1 + used)
        }
        Some(_) => return Err(Stop::Bad("text")),
    };
    Ok((piece(input, start, len)?, start))
}

/// A text in UTF-8.
fn string(input: &[u8]) -> Taken<Cow<'_, [u8]>> {
    let (bytes, start) = string_bytes(input)?;
    let used = start + bytes.len();
    let pairs = |number: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(number).collect();
        Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
    };
    let text = match input.first() {
        Some(STRING..=0x79) if !bytes.is_ascii() => {
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            Cow::Owned(text.into_bytes())
        }
        Some(0x7b | 0x7d) => pairs(u16::from_be_bytes),
        Some(0x7c) => pairs(u16::from_le_bytes),
        _ => Cow::Borrowed(bytes),
    };
    Ok((text, used))
}

/// Within a value that is all there, nothing is yet to come.
fn bad(stop: Stop) -> Stop {
    match stop {
        Stop::Short(_) => Stop::Bad("length"),
        bad => bad,
    }
}

/// Bytes of the length before a value.
const LENGTH: usize = 4;

/// Bytes of a number.
const NUMBER_LIMIT: usize = 9;

const STRING: u8 = 0x49;
const STRING_END: u8 = 0x7e;
const SYMBOL: u8 = 0x7f;
const BINARY: u8 = 0x91;
const TYPED: u8 = 0x92;
const REFERENCE: u8 = 0x93;
const ARRAY: u8 = 0xa4;
const OBJECT_END: u8 = 0xa5;
const OBJECT: u8 = 0xa6;
const NULL: u8 = 0xaf;
