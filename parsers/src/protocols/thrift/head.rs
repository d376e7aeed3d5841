//! The head of one message: which encoding it has, its method, type and sequence id.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-rpc.md>,
//! thrift-binary-protocol.md and thrift-compact-protocol.md beside it. The JSON encoding is
//! `[1,"method",type,seqid,{…}]`, as TJSONProtocol writes it.

use super::stop::{Stop, VARINT_32, byte, short, take, u32_be, varint};
use crate::reader::Reader;

/// How a message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Binary; the message begins with a version.
    Binary,
    /// Binary as it was at first: the message begins with the length of its name.
    OldBinary,
    /// Compact.
    Compact,
    /// JSON.
    Json,
}

impl Encoding {
    /// What it is called in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Binary | Self::OldBinary => "binary",
            Self::Compact => "compact",
            Self::Json => "json",
        }
    }
}

/// TMessageType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Call,
    Reply,
    Exception,
    Oneway,
}

impl Type {
    fn of(code: u8) -> Result<Self, Stop> {
        match code {
            1 => Ok(Self::Call),
            2 => Ok(Self::Reply),
            3 => Ok(Self::Exception),
            4 => Ok(Self::Oneway),
            _ => Err(Stop::Bad("message type")),
        }
    }

    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Reply | Self::Exception)
    }
}

/// What stands before the struct of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'b> {
    pub(super) encoding: Encoding,
    /// As sent: with the name of the service before a colon where several share a connection.
    pub(super) name: &'b [u8],
    pub(super) kind: Type,
    pub(super) seqid: u32,
    /// How many bytes it takes.
    pub(super) len: usize,
}

impl<'b> Head<'b> {
    /// Reads the head of a message that starts here.
    pub(super) fn read(input: &'b [u8]) -> Result<Self, Stop> {
        match input {
            [] => Err(short(1)),
            [0x80, ..] => binary(input),
            [0x82, ..] => compact(input),
            [b'[', ..] => json(input),
            [0, ..] => old_binary(input),
            _ => Err(Stop::Bad("message")),
        }
    }

    /// The service, empty without, and the method.
    pub(super) fn names(&self) -> (&'b [u8], &'b [u8]) {
        match memchr::memrchr(b':', self.name) {
            Some(colon) => {
                let (service, method) = self.name.split_at_checked(colon).unwrap_or_default();
                (service, method.get(1..).unwrap_or_default())
            }
            None => (&[], self.name),
        }
    }
}

fn binary(input: &[u8]) -> Result<Head<'_>, Stop> {
    let mut reader = Reader::new(input);
    if take(&mut reader, 2)? != [0x80, 0x01] {
        return Err(Stop::Bad("version"));
    }
    // The third byte has no meaning; all write 0.
    if byte(&mut reader)? != 0 {
        return Err(Stop::Bad("version"));
    }
    let kind = Type::of(byte(&mut reader)?)?;
    let length = u32_be(&mut reader)?;
    let name = name(&mut reader, length.into())?;
    let seqid = u32_be(&mut reader)?;
    Ok(Head { encoding: Encoding::Binary, name, kind, seqid, len: reader.offset() })
}

fn old_binary(input: &[u8]) -> Result<Head<'_>, Stop> {
    let mut reader = Reader::new(input);
    let length = u32_be(&mut reader)?;
    if length == 0 {
        return Err(Stop::Bad("method name"));
    }
    let name = name(&mut reader, length.into())?;
    let kind = Type::of(byte(&mut reader)?)?;
    let seqid = u32_be(&mut reader)?;
    Ok(Head { encoding: Encoding::OldBinary, name, kind, seqid, len: reader.offset() })
}

fn compact(input: &[u8]) -> Result<Head<'_>, Stop> {
    let mut reader = Reader::new(input);
    byte(&mut reader)?;
    let version = byte(&mut reader)?;
    // Version 2 differs in the bytes of a double only.
    if !matches!(version & 0x1f, 1 | 2) {
        return Err(Stop::Bad("version"));
    }
    let kind = Type::of(version >> 5)?;
    let seqid = varint(&mut reader, VARINT_32)? as u32;
    let length = varint(&mut reader, VARINT_32)?;
    let name = name(&mut reader, length)?;
    Ok(Head { encoding: Encoding::Compact, name, kind, seqid, len: reader.offset() })
}

fn json(input: &[u8]) -> Result<Head<'_>, Stop> {
    let mut reader = Reader::new(input);
    literal(&mut reader, b"[1,\"", "version")?;
    let rest = reader.rest();
    let length = rest.iter().take(NAME_LIMIT + 1).position(|byte| !is_of_name(*byte));
    let length = match length {
        Some(length) => length,
        None if rest.len() > NAME_LIMIT => return Err(Stop::Bad("method name")),
        None => return Err(short(1)),
    };
    let name = take(&mut reader, length)?;
    literal(&mut reader, b"\",", "method name")?;
    let kind = number(&mut reader)?;
    let kind = Type::of(u8::try_from(kind).unwrap_or_default())?;
    let seqid = number(&mut reader)?;
    Ok(Head { encoding: Encoding::Json, name, kind, seqid: seqid as u32, len: reader.offset() })
}

fn literal(reader: &mut Reader<'_>, text: &[u8], field: &'static str) -> Result<(), Stop> {
    for expected in text {
        if byte(reader)? != *expected {
            return Err(Stop::Bad(field));
        }
    }
    Ok(())
}

/// A whole number with the comma behind it.
fn number(reader: &mut Reader<'_>) -> Result<i64, Stop> {
    let (mut number, mut negative) = (0_i64, false);
    for place in 0..DIGITS_LIMIT {
        match byte(reader)? {
            b'-' if place == 0 => negative = true,
            digit @ b'0'..=b'9' => number = number * 10 + i64::from(digit - b'0'),
            b',' if place > 0 => return Ok(if negative { -number } else { number }),
            _ => break,
        }
    }
    Err(Stop::Bad("number"))
}

/// A name of so many bytes, which is looked at as far as it is there.
fn name<'b>(reader: &mut Reader<'b>, length: u64) -> Result<&'b [u8], Stop> {
    let length = usize::try_from(length).ok().filter(|length| *length <= NAME_LIMIT);
    let Some(length) = length else { return Err(Stop::Bad("method name length")) };
    let there = reader.rest();
    if !there.get(..length).unwrap_or(there).iter().all(|byte| is_of_name(*byte)) {
        return Err(Stop::Bad("method name"));
    }
    take(reader, length)
}

/// Names are words of the interface language; those of services may be anything that programs use.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b'/' | b'$' | b'#')
}

/// Bytes of the name of a method, with that of its service.
pub(super) const NAME_LIMIT: usize = 512;

/// Digits of a number of 32 bits, its sign and its comma.
const DIGITS_LIMIT: usize = 12;
