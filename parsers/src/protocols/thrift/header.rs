//! THeader: what stands before a message in a frame: its key-values, and how it was transformed.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/HeaderFormat.md>. fbthrift adds headers
//! that hold for the connection (info 2).

use super::stop::{Stop, VARINT_32, byte, take, u32_be, varint};
use super::transform::Transform;
use crate::reader::Reader;

/// A header as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header<'b> {
    pub(super) seqid: u32,
    /// What was done to the message, at last.
    pub(super) transform: Option<Transform>,
    /// Info blocks with the padding behind them.
    infos: &'b [u8],
    /// How many bytes it takes, from the magic on.
    pub(super) len: usize,
    /// Bytes behind the message that belong to a transform.
    pub(super) trailer: usize,
}

impl<'b> Header<'b> {
    /// Reads what starts with the magic, in a frame that goes on for so many bytes.
    pub(super) fn read(input: &'b [u8], frame: u64) -> Result<Self, Stop> {
        let mut reader = Reader::new(input);
        if take(&mut reader, 2)? != MAGIC {
            return Err(Stop::Bad("magic"));
        }
        // Flags.
        take(&mut reader, 2)?;
        let seqid = u32_be(&mut reader)?;
        let words = take(&mut reader, 2)?;
        let size = words.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) * 4;
        let len = reader.offset() + size;
        if size > HEADER_LIMIT || len as u64 > frame || size == 0 {
            return Err(Stop::Bad("header size"));
        }
        let mut fields = Reader::new(take(&mut reader, size)?);
        let bad = |_| Stop::Bad("header");
        let protocol = varint(&mut fields, VARINT_32).map_err(bad)?;
        if protocol > PROTOCOL_LIMIT {
            return Err(Stop::Bad("protocol id"));
        }
        let (mut transform, mut trailer) = (None, 0);
        for _ in 0..varint(&mut fields, VARINT_32).map_err(bad)? {
            match varint(&mut fields, VARINT_32).map_err(bad)? {
                // A code of authentication, of so many bytes; it changes nothing of the message.
                2 => trailer = usize::from(byte(&mut fields).map_err(bad)?),
                number if transform.is_none() => transform = Some(Transform::of(number)),
                _ => transform = Some(Transform::Unknown),
            }
        }
        Ok(Self { seqid, transform, infos: fields.rest(), len, trailer })
    }

    /// Tells each key-value, those of the connection first.
    pub(super) fn each(&self, see: &mut dyn FnMut(Lifetime, &'b [u8], &'b [u8])) {
        let mut infos = Reader::new(self.infos);
        while let Ok(info) = varint(&mut infos, VARINT_32) {
            let lifetime = match info {
                1 => Lifetime::Message,
                2 => Lifetime::Connection,
                // Padding, or what is not known, behind which nothing can be.
                _ => return,
            };
            let Ok(count) = varint(&mut infos, VARINT_32) else { return };
            for _ in 0..count {
                let (Ok(key), Ok(value)) = (text(&mut infos), text(&mut infos)) else { return };
                see(lifetime, key, value);
            }
        }
    }
}

/// What a key-value holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// The message alone.
    Message,
    /// All messages of this side from here on.
    Connection,
}

fn text<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], Stop> {
    let length = varint(reader, VARINT_32)?;
    take(reader, usize::try_from(length).unwrap_or(usize::MAX))
}

/// HEADER_MAGIC.
pub(super) const MAGIC: [u8; 2] = [0x0f, 0xff];

/// Bytes of one header, which is awaited whole.
const HEADER_LIMIT: usize = 64 << 10;

/// Binary is 0, JSON 1, compact 2; fbthrift has some more.
const PROTOCOL_LIMIT: u64 = 15;
