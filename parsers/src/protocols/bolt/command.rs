//! The fixed part of a command, and the pairs that its header is made of.
//!
//! <https://github.com/sofastack/sofa-bolt>: RpcProtocol, RpcProtocolV2.
//!
//! ```text
//!  v1  proto=1      type  cmdcode  ver2  id  codec          timeout|status  lengths
//!  v2  proto=2 ver1 type  cmdcode  ver2  id  codec  switch  timeout|status  lengths
//!  bytes     1    1    1        2     1   4      1       1              4|2  2 2 4
//! ```
//! The lengths are those of class, header and content, which follow, and with v2 a CRC if the switch
//! says so.

use crate::reader::Reader;
pub(super) use crate::stop::{Stop, short};
use crate::stop::{byte, take};

/// RpcCommandType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Response,
    Request,
    Oneway,
}

/// What stands before class, header and content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) kind: Type,
    /// 0 is a heartbeat, 1 a request, 2 a response.
    pub(super) cmdcode: u16,
    pub(super) id: u32,
    /// How the content is written: 1 is hessian2.
    pub(super) codec: u8,
    /// Of requests: milliseconds after which the client awaits no answer; may be negative.
    pub(super) timeout: i32,
    /// Of responses: ResponseStatus.
    pub(super) status: u16,
    /// How many bytes the fixed part takes, class, header and content, and what follows them.
    pub(super) fixed: usize,
    pub(super) class: usize,
    pub(super) header: usize,
    pub(super) content: u64,
    pub(super) trailer: u64,
}

impl Command {
    /// Reads the command that starts here.
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        let mut reader = Reader::new(input);
        let version = byte(&mut reader)?;
        let is_second = match version {
            1 => false,
            2 => true,
            _ => return Err(Stop::Bad("protocol")),
        };
        let format = if is_second { byte(&mut reader)? } else { 1 };
        if !matches!(format, 1 | 2) {
            return Err(Stop::Bad("version"));
        }
        let kind = match byte(&mut reader)? {
            0 => Type::Response,
            1 => Type::Request,
            2 => Type::Oneway,
            _ => return Err(Stop::Bad("type")),
        };
        let cmdcode = number(&mut reader, 2)? as u16;
        let fits = match cmdcode {
            0 => kind != Type::Oneway,
            2 => kind == Type::Response,
            1 => kind != Type::Response,
            // That the server goes away, and what may come.
            _ => cmdcode < CMDCODE_LIMIT,
        };
        if !fits {
            return Err(Stop::Bad("cmdcode"));
        }
        if byte(&mut reader)? != 1 {
            return Err(Stop::Bad("ver2"));
        }
        let id = number(&mut reader, 4)? as u32;
        let codec = byte(&mut reader)?;
        let switch = if is_second { byte(&mut reader)? } else { 0 };
        if switch > 1 {
            return Err(Stop::Bad("switch"));
        }
        let (timeout, status) = match kind {
            Type::Response => (0, number(&mut reader, 2)? as u16),
            Type::Request | Type::Oneway => (number(&mut reader, 4)? as u32 as i32, 0),
        };
        let class = number(&mut reader, 2)? as usize;
        if class > CLASS_LIMIT {
            return Err(Stop::Bad("class length"));
        }
        let header = number(&mut reader, 2)? as usize;
        let content = number(&mut reader, 4)?;
        if content > CONTENT_LIMIT {
            return Err(Stop::Bad("content length"));
        }
        let trailer = if format == 2 && switch == 1 { 4 } else { 0 };
        let fixed = reader.offset();
        Ok(Self {
            kind,
            cmdcode,
            id,
            codec,
            timeout,
            status,
            fixed,
            class,
            header,
            content,
            trailer,
        })
    }

    pub(super) fn is_heartbeat(&self) -> bool {
        self.cmdcode == 0
    }

    /// Where the content begins.
    pub(super) fn content_at(&self) -> usize {
        self.fixed + self.class + self.header
    }

    /// All bytes of it.
    pub(super) fn len(&self) -> u64 {
        self.content_at() as u64 + self.content + self.trailer
    }
}

/// Whether these are bytes of a class's name.
pub(super) fn is_class(name: &[u8]) -> bool {
    name.first().is_none_or(|first| first.is_ascii_alphabetic() || *first == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'-'))
}

/// Keys and values of a header, as far as they are there and right; a value that is null is left
/// out.
pub(super) fn pairs(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader::new(header);
    std::iter::from_fn(move || {
        loop {
            let (key, value) = (text(&mut reader)?, text(&mut reader)?);
            if let (Some(key), Some(value)) = (key, value) {
                return Some((key, value));
            }
        }
    })
}

/// A text with its length before it; within, none if it is null.
fn text<'b>(reader: &mut Reader<'b>) -> Option<Option<&'b [u8]>> {
    match reader.u32_be()? {
        u32::MAX => Some(None),
        length => Some(Some(reader.take(usize::try_from(length).ok()?)?)),
    }
}

fn number(reader: &mut Reader<'_>, bytes: usize) -> Result<u64, Stop> {
    Ok(take(reader, bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

const CMDCODE_LIMIT: u16 = 8;

/// Bytes of a class's name.
const CLASS_LIMIT: usize = 512;

/// Bytes of a content, a number with a sign elsewhere.
const CONTENT_LIMIT: u64 = i32::MAX as u64;
