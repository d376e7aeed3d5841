//! What THeader says that was done to a message, undone for its beginning.
//!
//! - zlib: <https://www.rfc-editor.org/rfc/rfc1950>
//! - Snappy: <https://github.com/google/snappy/blob/main/format_description.txt>
//! - Zstandard: <https://www.rfc-editor.org/rfc/rfc8878>

use super::stop::{Stop, VARINT_32, byte, short, take, varint};
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

    /// How many bytes what was compressed takes, as it says itself.
    ///
    /// # Errors
    /// Bytes that are missing; or it is damaged, or becomes more than [`WHOLE_LIMIT`].
    pub(super) fn end(self, compressed: &[u8]) -> Result<usize, Stop> {
        match self {
            Self::Zlib => zlib_end(compressed),
            Self::Snappy => snappy_end(compressed),
            Self::Zstd => zstd_end(compressed),
            Self::Unknown => Err(Stop::Bad("transform")),
        }
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

fn zlib_end(compressed: &[u8]) -> Result<usize, Stop> {
    let mut inflater = Decompress::new(true);
    let mut scratch = [0; PLAIN_LIMIT];
    loop {
        let before = (inflater.total_in(), inflater.total_out());
        let used = usize::try_from(before.0).unwrap_or(usize::MAX);
        let rest = compressed.get(used..).unwrap_or_default();
        let status = inflater.decompress(rest, &mut scratch, FlushDecompress::Sync);
        let after = (inflater.total_in(), inflater.total_out());
        match status {
            Ok(Status::StreamEnd) => return Ok(usize::try_from(after.0).unwrap_or(usize::MAX)),
            Ok(_) if after.1 <= WHOLE_LIMIT && after != before => {}
            Ok(_) if after == before => return Err(short(1)),
            _ => return Err(Stop::Bad("compressed message")),
        }
    }
}

/// A length, then pieces: bytes as they are, or a part of what came before.
fn snappy(compressed: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(compressed);
    varint(&mut reader, VARINT_32).ok()?;
    while plain.len() < PLAIN_LIMIT {
        let room = PLAIN_LIMIT - plain.len();
        let (length, offset) = snappy_piece(&mut reader).ok()?;
        let Some(offset) = offset else {
            let length = length.min(room).min(reader.rest().len());
            plain.extend_from_slice(reader.take(length)?);
            continue;
        };
        let start = plain.len().checked_sub(offset).filter(|_| offset > 0)?;
        // The part may reach into what it becomes.
        for at in start..start + length.min(room) {
            plain.push(*plain.get(at)?);
        }
    }
    Some(())
}

fn snappy_end(compressed: &[u8]) -> Result<usize, Stop> {
    let mut reader = Reader::new(compressed);
    let whole = varint(&mut reader, VARINT_32)?;
    let mut plain = 0_u64;
    while plain < whole {
        let (length, offset) = snappy_piece(&mut reader)?;
        plain = plain.saturating_add(length as u64);
        if plain > whole {
            return Err(Stop::Bad("compressed message"));
        }
        if offset.is_none() {
            take(&mut reader, length)?;
        }
    }
    Ok(reader.offset())
}

/// How long a piece becomes, and how far back it stands; nothing if its bytes follow.
fn snappy_piece(reader: &mut Reader<'_>) -> Result<(usize, Option<usize>), Stop> {
    let tag = byte(reader)?;
    let high = usize::from(tag >> 2);
    Ok(match tag & 3 {
        0 if high < 60 => (high + 1, None),
        0 => (little(reader, high - 59)?.saturating_add(1), None),
        1 => (4 + (high & 7), Some((high >> 3) << 8 | little(reader, 1)?)),
        2 => (1 + high, Some(little(reader, 2)?)),
        _ => (1 + high, Some(little(reader, 4)?)),
    })
}

/// A number of so many bytes, the least first.
fn little(reader: &mut Reader<'_>, bytes: usize) -> Result<usize, Stop> {
    let bytes = take(reader, bytes)?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
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

fn zstd_end(compressed: &[u8]) -> Result<usize, Stop> {
    let damaged = |_: std::io::Error| Stop::Bad("compressed message");
    let mut decoder = Decoder::new().map_err(damaged)?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(damaged)?;
    let mut input = InBuffer::around(compressed);
    let mut scratch = [0; PLAIN_LIMIT];
    let mut whole = 0_u64;
    loop {
        let mut output = OutBuffer::around(scratch.as_mut_slice());
        let before = input.pos();
        let hint = decoder.run(&mut input, &mut output).map_err(damaged)?;
        whole += output.pos() as u64;
        match hint {
            0 => return Ok(input.pos()),
            _ if whole > WHOLE_LIMIT => return Err(Stop::Bad("compressed message")),
            _ if input.pos() == before && output.pos() == 0 => return Err(short(1)),
            _ => {}
        }
    }
}

/// So much of a compressed message is awaited, and so much is made of it: its head.
pub(super) const COMPRESSED_LIMIT: usize = 16 << 10;
pub(super) const PLAIN_LIMIT: usize = 4 << 10;

/// What becomes more than so many bytes is not followed to its end.
const WHOLE_LIMIT: u64 = 1 << 20;

/// The largest window of Zstandard that is undone, which one message takes at a time: 8 MiB.
const WINDOW_LOG: u32 = 23;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

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
    fn what_was_compressed_says_where_it_ends() {
        let zlib = |plain: &[u8]| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        };
        let long: Vec<u8> =
            (0..9000_u32).flat_map(|number| (number * number).to_be_bytes()).collect();
        for (transform, compressed) in [
            (Transform::Zlib, zlib(b"hello")),
            (Transform::Zlib, zlib(&long)),
            (Transform::Zstd, zstd::stream::encode_all(&b"hello"[..], 3).unwrap()),
            (Transform::Zstd, zstd::stream::encode_all(&long[..], 3).unwrap()),
            (Transform::Snappy, b"\x0b\x10hello\x09\x05".to_vec()),
        ] {
            let end = compressed.len();
            let more = [&compressed[..], b"more"].concat();
            assert_eq!(transform.end(&more), Ok(end), "{transform:?}");
            for cut in [1, end / 2, end - 1] {
                let found = transform.end(&compressed[..cut]);
                assert!(matches!(found, Err(Stop::Short(_))), "{transform:?} {found:?}");
            }
        }
        for (transform, compressed) in [
            (Transform::Zlib, zlib(&[0; 3 << 20])),
            (Transform::Zlib, b"\x78\x9c\xff\xff".to_vec()),
            (Transform::Zstd, zstd::stream::encode_all(&[0; 3 << 20][..], 3).unwrap()),
            (Transform::Zstd, b"hello".to_vec()),
            (Transform::Snappy, b"\x02\x10hello".to_vec()),
            (Transform::Unknown, b"hello".to_vec()),
        ] {
            let found = transform.end(&compressed);
            assert!(matches!(found, Err(Stop::Bad(_))), "{transform:?} {found:?}");
        }
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
