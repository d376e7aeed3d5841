//! Kryo: texts, numbers and pairs of texts in, what they say out.
//! <https://github.com/EsotericSoftware/kryo>
//!
//! Values stand without their lengths, and most of their classes are numbers that both sides agreed
//! on. Passed over are those whose numbers are Kryo's own: texts and numbers. A map is known by what
//! is in it, and by ending where the body does.

use super::walk::{Hide, Pair, Stop, TEXT_LIMIT, Taken, Values, head, piece, short};
use std::borrow::Cow;

/// A text, or a null in its place.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let first = *input.first().ok_or_else(|| short(1))?;
    if first & 0x80 == 0 {
        // In ASCII, the last byte marked.
        let shown = input.get(..TEXT_LIMIT).unwrap_or(input);
        let Some(last) = shown.iter().position(|byte| byte & 0x80 != 0) else {
            return if shown.len() < TEXT_LIMIT { Err(short(1)) } else { Err(Stop::Bad("text")) };
        };
        let mut text = piece(input, 0, last + 1)?.to_vec();
        text.iter_mut().for_each(|byte| *byte &= 0x7f);
        return Ok((Some(Cow::Owned(text)), last + 1));
    }
    // One more than the characters: six bits in the first byte, seven in each further one.
    let mut count = u64::from(first & 0x3f);
    let mut at = 1;
    if first & 0x40 != 0 {
        let (more, used) = number(input.get(1..).unwrap_or_default())?;
        count |= more.checked_shl(6).unwrap_or(u64::MAX);
        at += used;
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let Some(characters) = count.checked_sub(1) else { return Ok((None, at)) };
    if characters > TEXT_LIMIT {
        return Err(Stop::Bad("text"));
    }
    let start = at;
    for _ in 0..characters {
        let [byte] = head(input, at)?;
        at += match byte {
            0x00..=0x7f => 1,
            0x80..=0xdf => 2,
            _ => 3,
        };
    }
    Ok((Some(Cow::Borrowed(piece(input, start, at - start)?)), at))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<Cow<'_, [u8]>> {
    if input.first()? & 0xc0 != 0xc0 {
        return text(input).ok()?.0;
    }
    let (_, used) = number(input.get(1..)?).ok()?;
    input.get(1 + used..).map(Cow::Borrowed)
}

/// A text that is a value.
pub(super) fn object_text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let [class, mark] = head(input, 0)?;
    if (class, mark) != (TEXT, NEW) {
        return Err(Stop::Bad("text"));
    }
    let (text, used) = text(input.get(2..).unwrap_or_default())?;
    Ok((text, 2 + used))
}

/// What values say.
pub(super) const VALUES: Values = Values { len: value_len, text: object_text, int };

/// The pairs of a map, which ends where the input does.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    let (class, mut at) = number(input)?;
    if class == 0 {
        return Ok(());
    }
    let mut next = || {
        let (number, used) = number(input.get(at..).unwrap_or_default())?;
        at += used;
        Ok(number)
    };
    let (mark, count) = (next()?, next()?);
    if mark != u64::from(NEW) {
        return Err(Stop::Bad("attachments"));
    }
    VALUES.pairs(input, at, count, found, hide)
}

fn int(value: &[u8]) -> Option<i64> {
    let [INT | LONG, rest @ ..] = value else { return None };
    let (number, _) = number(rest).ok()?;
    // The sign is the lowest bit.
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// The bytes of a value of a class whose number is Kryo's own.
fn value_len(input: &[u8]) -> Result<usize, Stop> {
    let rest = input.get(1..).unwrap_or_default();
    let used = match input.first().ok_or_else(|| short(1))? {
        0 => 1,
        &TEXT => {
            let (mark, used) = number(rest)?;
            match mark {
                0 => return Err(Stop::Bad("text")),
                1 => 1 + used + text(rest.get(used..).unwrap_or_default())?.1,
                _ => 1 + used,
            }
        }
        &(INT | LONG) => 1 + number(rest)?.1,
        // A float, a boolean, a byte, a character, a short, a double.
        4 => 5,
        5 | 6 => 2,
        7 | 8 => 3,
        10 => 9,
        _ => return Err(Stop::Bad("class")),
    };
    piece(input, 0, used)?;
    Ok(used)
}

/// A number, seven bits a byte, the lowest first.
fn number(input: &[u8]) -> Taken<u64> {
    let mut number = 0;
    for at in 0..NUMBER {
        let [byte] = head(input, at)?;
        // The ninth byte has eight bits.
        let is_last = byte & 0x80 == 0 || at + 1 == NUMBER;
        let bits = if at + 1 == NUMBER { byte } else { byte & 0x7f };
        number |= u64::from(bits) << (7 * at);
        if is_last {
            return Ok((number, at + 1));
        }
    }
    Err(Stop::Bad("number"))
}

/// Bytes of a number.
const NUMBER: usize = 9;

/// Says that an object was not written before.
const NEW: u8 = 1;

const INT: u8 = 2;
const TEXT: u8 = 3;
const LONG: u8 = 9;
