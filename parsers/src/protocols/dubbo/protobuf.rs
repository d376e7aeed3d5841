//! Protobuf: messages with their lengths before them in, texts, numbers and pairs out.
//! <https://protobuf.dev/programming-guides/encoding/>
//!
//! Dubbo writes texts and numbers as the wrappers of `google/protobuf/wrappers.proto`, and attachments
//! and exceptions as messages of its own (`MapValue.proto`, `ThrowablePB.proto`).

use super::walk::{Hide, PAIRS_LIMIT, Pair, Stop, TEXT_LIMIT, Taken, Thrown, Value, piece, place};
use crate::reader::Reader;
use crate::stop::{VARINT_32, VARINT_64, take, varint};
use std::borrow::Cow;

/// The length of a message, and the bytes that say so.
pub(super) fn length(input: &[u8]) -> Taken<u64> {
    let mut reader = Reader::new(input);
    Ok((varint(&mut reader, VARINT_32)?, reader.offset()))
}

/// A text.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let (message, used) = message(input, TEXT_LIMIT)?;
    let mut reader = Reader::new(message);
    let text = match reader.u8() {
        // What is as it is by default is not written.
        None => &[],
        Some(FIRST_BYTES) => bytes(&mut reader).map_err(bad)?,
        Some(_) => return Err(Stop::Bad("text")),
    };
    if !reader.rest().is_empty() {
        return Err(Stop::Bad("text"));
    }
    Ok((Some(Cow::Borrowed(text)), used))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let (length, used) = length(input).ok()?;
    let message = input.get(used..)?;
    let message = message.get(..usize::try_from(length).ok()?).unwrap_or(message);
    let mut reader = Reader::new(message.strip_prefix(&[FIRST_BYTES])?);
    let length = usize::try_from(varint(&mut reader, VARINT_32).ok()?).ok()?;
    let text = reader.rest();
    Some(text.get(..length).unwrap_or(text))
}

/// A number.
pub(super) fn number(input: &[u8]) -> Taken<i64> {
    let (message, used) = message(input, NUMBER_LIMIT)?;
    let mut reader = Reader::new(message);
    let number = match reader.u8() {
        None => 0,
        // Numbers with a sign are written as what their 64 bits are without one.
        Some(FIRST_NUMBER) => varint(&mut reader, VARINT_64).map_err(bad)?.cast_signed(),
        Some(_) => return Err(Stop::Bad("number")),
    };
    Ok((number, used))
}

/// The pairs of a map of texts.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    let (map, _) = message(input, usize::MAX)?;
    let mut reader = Reader::new(map);
    for pairs in 0..=PAIRS_LIMIT {
        if reader.rest().is_empty() {
            return Ok(());
        }
        if pairs == PAIRS_LIMIT {
            break;
        }
        if reader.u8() != Some(FIRST_BYTES) {
            return Err(Stop::Bad("attachments"));
        }
        let entry = bytes(&mut reader).map_err(bad)?;
        let (mut name, mut value) = (&b""[..], &b""[..]);
        fields(entry, &mut |number, bytes| match number {
            1 => name = bytes,
            2 => value = bytes,
            _ => hide(place(bytes, input)),
        })?;
        found(Cow::Borrowed(name), Value::Text(Cow::Borrowed(value)));
    }
    Err(Stop::Bad("attachments"))
}

/// The class and the words of an exception.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    let Ok((length, used)) = length(input) else { return thrown };
    let message = input.get(used..).unwrap_or_default();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // What is cut ends in an error after what is there.
    let _ = fields(message.get(..length).unwrap_or(message), &mut |number, bytes| match number {
        1 => thrown.class = Some(Cow::Borrowed(bytes)),
        2 => thrown.message = Some(Cow::Borrowed(bytes)),
        _ => {}
    });
    thrown
}

/// Tells the fields of a message that are bytes: all that those of Dubbo have.
fn fields<'b>(message: &'b [u8], see: &mut dyn FnMut(u64, &'b [u8])) -> Result<(), Stop> {
    let mut reader = Reader::new(message);
    while !reader.rest().is_empty() {
        let tag = varint(&mut reader, VARINT_32).map_err(bad)?;
        if tag & 7 != 2 {
            return Err(Stop::Bad("field"));
        }
        see(tag >> 3, bytes(&mut reader).map_err(bad)?);
    }
    Ok(())
}

/// A message that is all there, without its length.
fn message(input: &[u8], limit: usize) -> Taken<&[u8]> {
    let (length, start) = length(input)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= limit);
    let length = length.ok_or(Stop::Bad("message length"))?;
    Ok((piece(input, start, length)?, start + length))
}

/// Bytes with their length before them.
fn bytes<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], Stop> {
    let length = varint(reader, VARINT_32)?;
    take(reader, usize::try_from(length).unwrap_or(usize::MAX))
}

/// What a message ends within will not come.
fn bad(_: Stop) -> Stop {
    Stop::Bad("message")
}

/// The tags of the first field of a message, where that is bytes or a number.
const FIRST_BYTES: u8 = 0x0a;
const FIRST_NUMBER: u8 = 0x08;

/// Bytes of a message that is a number.
const NUMBER_LIMIT: usize = 11;
