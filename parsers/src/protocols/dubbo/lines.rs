//! Values in JSON, each on a line of its own, as fastjson, gson and the JSON of protobuf are sent.

use super::walk::{
    Hide, PAIRS_LIMIT, Pair, Passed, Stop, TEXT_LIMIT, Taken, Thrown, Value, place, short,
};
use memchr::memchr;
use std::borrow::Cow;
use std::num::NonZeroUsize;

/// Passes over a line, or over the rest of one.
pub(super) fn pass(input: &[u8], hide: &mut Hide<'_>) -> (Passed, usize) {
    let end = memchr(b'\n', input);
    hide(0..end.unwrap_or(input.len()));
    match end {
        Some(end) => (Passed::Whole, end + 1),
        None => (Passed::Part(NonZeroUsize::MIN), input.len()),
    }
}

/// A text, or a null in its place.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let (line, used) = line(input)?;
    match line {
        b"null" => Ok((None, used)),
        [b'"', ..] => Ok((Some(string(line)?.0), used)),
        _ => Err(Stop::Bad("text")),
    }
}

/// The start of a text whose end need not be there, as it is written.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let text = input.strip_prefix(b"\"")?;
    text.split(|byte| matches!(byte, b'"' | b'\\' | b'\n')).next()
}

/// A whole number.
pub(super) fn number(input: &[u8]) -> Taken<i64> {
    let (line, used) = line(input)?;
    Ok((integer(line).ok_or(Stop::Bad("number"))?, used))
}

/// The pairs of an object.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    if input.starts_with(b"null") {
        return Ok(());
    }
    members(input, &mut |name, value| {
        let value = match (string(value), integer(value)) {
            (Ok((text, _)), _) => Value::Text(text),
            (_, Some(number)) => Value::Int(number),
            _ => {
                if !matches!(value, b"null" | b"true" | b"false") {
                    hide(place(value, input));
                }
                Value::Other
            }
        };
        found(name, value);
    })
}

/// The class and the words of an exception.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    let mut within: &[u8] = &[];
    // What is cut ends in an error after what is there.
    let _ = members(input, &mut |name, value| match &*name {
        b"@type" | b"clazz" => thrown.class = string(value).ok().map(|(text, _)| text),
        b"message" | b"detailMessage" => thrown.message = string(value).ok().map(|(text, _)| text),
        b"exception" => within = value,
        _ => {}
    });
    let _ = members(within, &mut |name, value| {
        if matches!(&*name, b"message" | b"detailMessage") {
            thrown.message = string(value).ok().map(|(text, _)| text);
        }
    });
    thrown
}

/// The first line without its end, and its bytes.
fn line(input: &[u8]) -> Taken<&[u8]> {
    let shown = input.get(..TEXT_LIMIT).unwrap_or(input);
    match memchr(b'\n', shown) {
        Some(end) => Ok((input.get(..end).unwrap_or_default().trim_ascii(), end + 1)),
        None if shown.len() < TEXT_LIMIT => Err(short(1)),
        None => Err(Stop::Bad("text")),
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The names of an object with the bytes of their values.
fn members<'b>(
    input: &'b [u8],
    found: &mut dyn FnMut(Cow<'b, [u8]>, &'b [u8]),
) -> Result<(), Stop> {
    let Some(mut rest) = input.trim_ascii_start().strip_prefix(b"{") else {
        return Err(Stop::Bad("object"));
    };
    for pairs in 0..=PAIRS_LIMIT {
        rest = rest.trim_ascii_start();
        rest = match rest {
            [b'}', ..] => return Ok(()),
            _ if pairs == PAIRS_LIMIT => break,
            [b',', after @ ..] => after.trim_ascii_start(),
            _ => rest,
        };
        let (name, used) = string(rest)?;
        rest = rest.get(used..).unwrap_or_default().trim_ascii_start();
        let [b':', value @ ..] = rest else { return Err(Stop::Bad("object")) };
        let value = value.trim_ascii_start();
        let end = value_len(value)?;
        let (value, after) = value.split_at_checked(end).unwrap_or_default();
        found(name, value);
        rest = after;
    }
    Err(Stop::Bad("object"))
}

/// The bytes of a value.
fn value_len(value: &[u8]) -> Result<usize, Stop> {
    let (mut depth, mut at) = (0_u32, 0);
    loop {
        let rest = value.get(at..).unwrap_or_default();
        let Some(byte) = rest.first() else { return Err(short(1)) };
        match byte {
            b'"' => {
                at += string_len(rest)?;
                if depth == 0 {
                    return Ok(at);
                }
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return Ok(at),
            b'}' | b']' => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            b'\n' => return Err(Stop::Bad("object")),
            _ => at += 1,
        }
    }
}

/// The bytes of a text with its quotes.
fn string_len(input: &[u8]) -> Result<usize, Stop> {
    let mut escaped = false;
    for (at, byte) in input.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            b'\n' => return Err(Stop::Bad("text")),
            _ => {}
        }
    }
    Err(short(1))
}

/// A text without its quotes and escapes.
fn string(input: &[u8]) -> Taken<Cow<'_, [u8]>> {
    if input.first() != Some(&b'"') {
        return Err(Stop::Bad("text"));
    }
    let used = string_len(input)?;
    let inner = input.get(1..used - 1).unwrap_or_default();
    let Some(first) = memchr(b'\\', inner) else { return Ok((Cow::Borrowed(inner), used)) };
    let mut text = inner.get(..first).unwrap_or_default().to_vec();
    let mut rest = inner.get(first..).unwrap_or_default();
    let mut units: Vec<u16> = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'\\'
            && let [b'u', digits @ ..] = rest
            && let Some(unit) = digits.get(..4).and_then(hex)
        {
            // Two halves of one character stand side by side.
            units.push(unit);
            rest = digits.get(4..).unwrap_or_default();
            if !rest.starts_with(b"\\u") {
                text.extend(String::from_utf16_lossy(&units).into_bytes());
                units.clear();
            }
            continue;
        }
        if *byte != b'\\' {
            text.push(*byte);
        } else if let Some((escape, after)) = rest.split_first() {
            rest = after;
            text.push(match escape {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                other => *other,
            });
        }
    }
    Ok((Cow::Owned(text), used))
}

fn hex(digits: &[u8]) -> Option<u16> {
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
