//! Protostuff: texts and objects with their lengths before them in, texts, numbers and pairs out.
//! <https://github.com/protostuff/protostuff>
//!
//! An object has two lengths, its class and its fields, written as those of Protobuf, with groups in
//! place of messages (GraphIOUtil). Maps and what else is no class of fields stand in a wrapper of
//! Dubbo's.

use super::walk::{PAIRS_LIMIT, Pair, Stop, TEXT_LIMIT, Taken, Thrown, Value, head, piece};
use crate::reader::Reader;
use crate::stop::{VARINT_32, VARINT_64, take, varint};
use std::borrow::Cow;

/// The length of an object, and the bytes that say so.
pub(super) fn length(input: &[u8]) -> Taken<u64> {
    let [class, fields] = lengths(input)?;
    Ok((u64::from(class) + u64::from(fields), 8))
}

/// Those of the class and of the fields.
fn lengths(input: &[u8]) -> Result<[u32; 2], Stop> {
    Ok([u32::from_be_bytes(head(input, 0)?), u32::from_be_bytes(head(input, 4)?)])
}

/// A text that Dubbo wrote as such.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let length = u32::from_be_bytes(head(input, 0)?) as usize;
    if length > TEXT_LIMIT {
        return Err(Stop::Bad("text"));
    }
    Ok((Some(Cow::Borrowed(piece(input, 4, length)?)), 4 + length))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let length = u32::from_be_bytes(head(input, 0).ok()?) as usize;
    let text = input.get(4..)?;
    Some(text.get(..length).unwrap_or(text))
}

/// A text that is an object.
pub(super) fn object_text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    let (class, fields, used) = object(input)?;
    let [STRING_BYTES, rest @ ..] = fields else { return Err(Stop::Bad("text")) };
    let mut reader = Reader::new(rest);
    let text = bytes(&mut reader)?;
    // A one and a zero: characters of one byte each. Others have two.
    if class != b"java.lang.String" || !matches!(reader.rest(), [0x10, 0, ..]) || !text.is_ascii() {
        return Err(Stop::Bad("text"));
    }
    Ok((Some(Cow::Borrowed(text)), used))
}

/// Whether this is a null in the wrapper, and nothing more.
pub(super) fn is_null(input: &[u8]) -> bool {
    object(input).is_ok_and(|(class, fields, used)| {
        class == WRAPPER && fields.is_empty() && used == input.len()
    })
}

/// The pairs of a map in the wrapper.
pub(super) fn pairs<'b>(input: &'b [u8], found: &mut Pair<'_, 'b>) -> Result<(), Stop> {
    let (class, fields, _) = object(input)?;
    if class != WRAPPER {
        return Err(Stop::Bad("attachments"));
    }
    if fields.is_empty() {
        return Ok(());
    }
    let mut reader = Reader::new(fields);
    expect(&mut reader, &[GROUP_1, MAP_FIRST, MAP_SECOND])?;
    // The name of the map's class.
    bytes(&mut reader)?;
    for pairs in 0..=PAIRS_LIMIT {
        match reader.u8() {
            Some(END_1) => return Ok(()),
            Some(GROUP_1) if pairs < PAIRS_LIMIT => {}
            _ => return Err(Stop::Bad("attachments")),
        }
        expect(&mut reader, &[GROUP_1, TEXT])?;
        let name = bytes(&mut reader)?;
        expect(&mut reader, &[END_1, GROUP_2])?;
        let value = match reader.u8() {
            Some(TEXT) => Value::Text(Cow::Borrowed(bytes(&mut reader)?)),
            // Java's, written as what their 64 bits are without a sign.
            Some(INT | LONG) => {
                Value::Int(varint(&mut reader, VARINT_64).map_err(bad)?.cast_signed())
            }
            // How it ends is known only by its class.
            _ => return Err(Stop::Bad("attachments")),
        };
        expect(&mut reader, &[END_2, END_1])?;
        found(Cow::Borrowed(name), value);
    }
    Err(Stop::Bad("attachments"))
}

/// The class and the words of an exception: the words are the first field of all those of Java.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    let Ok([length, of_fields]) = lengths(input) else { return thrown };
    let Ok(class) = piece(input, 8, length as usize) else { return thrown };
    if class == WRAPPER {
        return thrown;
    }
    thrown.class = Some(Cow::Borrowed(class));
    let fields = input.get(8 + class.len()..).unwrap_or_default();
    let fields = fields.get(..of_fields as usize).unwrap_or(fields);
    if let [STRING_BYTES, rest @ ..] = fields {
        thrown.message = bytes(&mut Reader::new(rest)).ok().map(Cow::Borrowed);
    }
    thrown
}

/// An object that is all there: its class, its fields, and how many bytes it takes.
fn object(input: &[u8]) -> Result<(&[u8], &[u8], usize), Stop> {
    let [class, fields] = lengths(input)?.map(|length| length as usize);
    let whole = piece(input, 8, class.saturating_add(fields))?;
    let (class, fields) = whole.split_at_checked(class).unwrap_or_default();
    Ok((class, fields, 8 + whole.len()))
}

fn expect(reader: &mut Reader<'_>, wanted: &[u8]) -> Result<(), Stop> {
    match reader.take(wanted.len()) {
        Some(found) if found == wanted => Ok(()),
        _ => Err(Stop::Bad("attachments")),
    }
}

/// Bytes with their length before them.
fn bytes<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], Stop> {
    let length = varint(reader, VARINT_32).map_err(bad)?;
    take(reader, usize::try_from(length).unwrap_or(usize::MAX)).map_err(bad)
}

/// What an object ends within will not come.
fn bad(_: Stop) -> Stop {
    Stop::Bad("object")
}

/// The class that Dubbo puts around what is no class of fields.
const WRAPPER: &[u8] = b"org.apache.dubbo.common.serialize.protostuff.Wrapper";

/// Tags: the first field as bytes; as a group, and its end; the second field so.
const STRING_BYTES: u8 = 0x0a;
const GROUP_1: u8 = 0x0b;
const END_1: u8 = 0x0c;
const GROUP_2: u8 = 0x13;
const END_2: u8 = 0x14;

/// What the schema of any object calls an integer, a long and a text, and in two bytes a map.
const INT: u8 = 0x28;
const LONG: u8 = 0x30;
const TEXT: u8 = 0x4a;
const MAP_FIRST: u8 = 0xd2;
const MAP_SECOND: u8 = 0x01;
