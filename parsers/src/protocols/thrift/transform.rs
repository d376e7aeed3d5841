//! What THeader says that was done to a message, undone for its beginning.
//!
//! - zlib: <https://www.rfc-editor.org/rfc/rfc1950>
//! - Snappy: <https://github.com/google/snappy/blob/main/format_description.txt>
//! - Zstandard: <https://www.rfc-editor.org/rfc/rfc8878>

use super::stop::{VARINT_32, varint};
use crate::reader::Reader;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

/// What was done to the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    Zlib,
    Snappy,
    Zstd,
    /// Something that is not undone here, or several things.
    Unknown,
}

impl Transform {
    /// By the number that headers have. That of a code of authentication changes nothing.
    pub(super) fn of(number: u64) -> Self {
        match number {
            1 => Self::Zlib,
            3 => Self::Snappy,
            5 => Self::Zstd,
            _ => Self::Unknown,
        }
    }

    /// What it is called in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Unknown => "unknown",
        }
    }

    /// The first bytes of what was compressed, at most [`PLAIN_LIMIT`]; what there is if it is
    /// damaged.
    pub(super) fn inflated(self, compressed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(PLAIN_LIMIT);
        match self {
            Self::Zlib => zlib(compressed, &mut plain),
            // What is damaged ends it.
            Self::Snappy => drop(snappy(compressed, &mut plain)),
            Self::Zstd => drop(zstd(compressed, &mut plain)),
            Self::Unknown => {}
        }
        plain
    }
}

fn zlib(compressed: &[u8], plain: &mut Vec<u8>) {
    let mut inflater = Decompress::new(true);
    let mut rest = compressed;
    while plain.len() < plain.capacity() && !rest.is_empty() {
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress_vec(rest, plain, FlushDecompress::Sync);
        let used = usize::try_from(inflater.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(used..).unwrap_or_default();
        let stuck = used == 0 && inflater.total_out() == written;
        if stuck || !matches!(status, Ok(Status::Ok)) {
            break;
        }
    }
}

/// A length, then pieces: bytes as they are, or a part of what came before.
fn snappy(compressed: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(compressed);
    varint(&mut reader, VARINT_32).ok()?;
    while plain.len() < PLAIN_LIMIT {
        let tag = reader.u8()?;
        let high = usize::from(tag >> 2);
        let room = PLAIN_LIMIT - plain.len();
        let (length, offset) = match tag & 3 {
            0 => {
                let length = match high {
                    0..60 => high,
                    _ => little(&mut reader, high - 59)?,
                };
                let length = length.checked_add(1)?.min(room).min(reader.rest().len());
                plain.extend_from_slice(reader.take(length)?);
                continue;
            }
            1 => (4 + (high & 7), (high >> 3) << 8 | little(&mut reader, 1)?),
            2 => (1 + high, little(&mut reader, 2)?),
            _ => (1 + high, little(&mut reader, 4)?),
        };
        let start = plain.len().checked_sub(offset).filter(|_| offset > 0)?;
        // The part may reach into what it becomes.
        for at in start..start + length.min(room) {
            plain.push(*plain.get(at)?);
        }
    }
    Some(())
}

/// A number of so many bytes, the least first.
fn little(reader: &mut Reader<'_>, bytes: usize) -> Option<usize> {
    let bytes = reader.take(bytes)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn zstd(compressed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
    let mut input = InBuffer::around(compressed);
    let mut output = OutBuffer::around(plain);
    loop {
        let before = (input.pos(), output.pos());
        let hint = decoder.run(&mut input, &mut output)?;
        if hint == 0 || output.pos() >= output.capacity() || (input.pos(), output.pos()) == before {
            return Ok(());
        }
    }
}

/// So much of a compressed message is awaited, and so much is made of it: its head.
pub(super) const COMPRESSED_LIMIT: usize = 16 << 10;
pub(super) const PLAIN_LIMIT: usize = 4 << 10;

/// The largest window of Zstandard that is undone, which one message takes at a time: 8 MiB.
const WINDOW_LOG: u32 = 23;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_repeat_are_put_back() {
        let check = |compressed: &[u8], expected: &[u8]| {
            assert_eq!(Transform::Snappy.inflated(compressed), expected);
        };
        check(b"", b"");
        check(b"\x05\x10hello", b"hello");
        // Lengths of one byte, and of two, behind their tags.
        check(&[&b"\x41\xf0\x40"[..], &[b'a'; 65]].concat(), &[b'a'; 65]);
        check(&[&b"\x41\xf4\x40\0"[..], &[b'a'; 65]].concat(), &[b'a'; 65]);
        // Two bytes, then six that they are repeated in, three of them, and four.
        check(b"\x08\x04ab\x09\x02", b"abababab");
        check(b"\x05\x04ab\x0a\x02\0", b"ababa");
        check(b"\x06\x04ab\x0f\x02\0\0\0", b"ababab");
        // What lies before the beginning, or where it stands, is nothing.
        check(b"\x08\x04ab\x09\x03", b"ab");
        check(b"\x08\x04ab\x09\0", b"ab");
        check(&[&b"\x05\x10"[..], b"he"].concat(), b"he");
        let long = [&b"\xff\xff\x03\0a"[..], &b"\xfe\x01\0".repeat(1000)].concat();
        check(&long, &[b'a'; PLAIN_LIMIT]);
    }

    #[test]
    fn what_is_damaged_gives_no_more_than_there_is() {
        for transform in [Transform::Zlib, Transform::Snappy, Transform::Zstd, Transform::Unknown] {
            assert_eq!(transform.inflated(b"\xff\xff\xff\xff\xff\xff"), b"", "{transform:?}");
        }
        let zstd = zstd::stream::encode_all(&[7; 100_000][..], 1).unwrap();
        assert_eq!(Transform::Zstd.inflated(&zstd), [7; PLAIN_LIMIT]);
    }
}
