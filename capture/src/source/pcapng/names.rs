//! Blocks of a pcapng file that say what addresses are called in, names out; also of those at the
//! end of a file, before it is read.
//!
//! ```text
//! block    type 4 │ length │ record … │ record 0 │ options │ length
//! record   type   │ length │ address  │ name │ 0 │ name │ 0 … │ padding to 32 bits
//! ```
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>, section 4.5.

use super::{
    CUSTOM, DECRYPTION_SECRETS, INTERFACE_STATISTICS, NAME_RESOLUTION, SMALLEST_BLOCK,
    section_order, u32_at,
};
use crate::packet::{AddressName, FileId, Frame};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::Path;

/// Adds the names in a block, the first one of each address, as told before this frame.
pub(super) fn read(block: &[u8], big_endian: bool, frame: Frame, names: &mut Vec<AddressName>) {
    let end = block.len().saturating_sub(4);
    let mut records = block.get(8..end).unwrap_or_default();
    let half = |bytes: [u8; 2]| match big_endian {
        true => u16::from_be_bytes(bytes),
        false => u16::from_le_bytes(bytes),
    };
    while let Some(([a, b, c, d], rest)) = records.split_first_chunk::<4>() {
        let (kind, len) = (half([*a, *b]), usize::from(half([*c, *d])));
        let Some(value) = rest.get(..len) else { return };
        let found = match kind {
            END => return,
            IPV4 => value.split_first_chunk::<4>().map(|(ip, text)| (IpAddr::from(*ip), text)),
            IPV6 => value.split_first_chunk::<16>().map(|(ip, text)| (IpAddr::from(*ip), text)),
            _ => None,
        };
        let name = found.and_then(|(address, text)| {
            let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = std::str::from_utf8(name).ok()?;
            (1..=LONGEST).contains(&name.len()).then(|| (address, name.into()))
        });
        if let Some((address, name)) = name {
            names.push(AddressName { frame, address, name });
        }
        records = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The names that stand behind the last packet of a file that is no pipe and not compressed, as
/// told before its first packet. None if it cannot be read so.
pub(in crate::source) fn at_end(path: &Path) -> Vec<AddressName> {
    let mut names = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    if let Some(mut file) = is_file.then(|| File::open(path).ok()).flatten() {
        behind_packets(&mut file, &mut names);
    }
    names.truncate(NAMES);
    names
}

/// Walks back from the end of a file, block by block, up to what is none of those that stand last.
fn behind_packets(file: &mut (impl Read + Seek), names: &mut Vec<AddressName>) -> Option<()> {
    let mut head = [0; SMALLEST_BLOCK];
    file.read_exact(&mut head).ok()?;
    let big_endian = section_order(&head)?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    let mut end = length;
    let mut blocks = Vec::new();
    for _ in 0..BLOCKS {
        match last_block(file, end, big_endian) {
            Some((start, block)) if length - start <= TAIL => {
                blocks.extend(block);
                end = start;
            }
            _ => break,
        }
    }
    let frame = Frame { file: FileId(0), number: 0 };
    for block in blocks.into_iter().rev() {
        read(&block, big_endian, frame, names);
    }
    Some(())
}

/// Where the block begins that ends here, and what it is if it has names; none if it is none of
/// those that stand last, of which no more than a few bytes are read.
fn last_block(
    file: &mut (impl Read + Seek),
    end: u64,
    big_endian: bool,
) -> Option<(u64, Option<Vec<u8>>)> {
    let mut word = [0; 4];
    file.seek(SeekFrom::Start(end.checked_sub(4)?)).ok()?;
    file.read_exact(&mut word).ok()?;
    let len = u32_at(&word, 0, big_endian)?;
    let start = end.checked_sub(u64::from(len))?;
    let mut head = [0; 8];
    if (len as usize) < SMALLEST_BLOCK || u64::from(len) > TAIL {
        return None;
    }
    file.seek(SeekFrom::Start(start)).ok()?;
    file.read_exact(&mut head).ok()?;
    let kind = u32_at(&head, 0, big_endian)?;
    let is_last =
        [NAME_RESOLUTION, INTERFACE_STATISTICS, DECRYPTION_SECRETS, CUSTOM].contains(&kind);
    if !is_last || u32_at(&head, 4, big_endian) != Some(len) {
        return None;
    }
    if kind != NAME_RESOLUTION {
        return Some((start, None));
    }
    let mut block = vec![0; len as usize];
    file.seek(SeekFrom::Start(start)).ok()?;
    file.read_exact(&mut block).ok()?;
    Some((start, Some(block)))
}

/// Types of records.
const END: u16 = 0;
const IPV4: u16 = 1;
const IPV6: u16 = 2;
/// Bytes of a name that is taken.
const LONGEST: usize = 253;
/// Names of a file that are taken.
pub(super) const NAMES: usize = 1 << 16;
/// Bytes at the end of a file in which names are looked for.
const TAIL: u64 = 4 << 20;
/// Blocks there that are looked at.
const BLOCKS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Cursor};

    /// A block with these records.
    fn block(records: &[(u16, &[u8])], big_endian: bool) -> Vec<u8> {
        let half = |n: usize| match big_endian {
            true => (n as u16).to_be_bytes(),
            false => (n as u16).to_le_bytes(),
        };
        let word = |n: usize| match big_endian {
            true => (n as u32).to_be_bytes(),
            false => (n as u32).to_le_bytes(),
        };
        let mut body = Vec::new();
        for (kind, value) in records {
            body.extend(half(usize::from(*kind)));
            body.extend(half(value.len()));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let len = word(body.len() + SMALLEST_BLOCK);
        [&word(NAME_RESOLUTION as usize)[..], &len, &body, &len].concat()
    }

    fn words(names: &[AddressName]) -> Vec<String> {
        names.iter().map(|told| format!("{} {}", told.address, told.name)).collect()
    }

    #[track_caller]
    fn check(records: &[(u16, &[u8])], expected: &[&str]) {
        for big_endian in [false, true] {
            let block = block(records, big_endian);
            let mut names = Vec::new();
            read(&block, big_endian, Frame::default(), &mut names);
            assert_eq!(words(&names), expected);
            for len in 0..block.len() {
                names.clear();
                read(&block[..len], big_endian, Frame::default(), &mut names);
                assert!(names.len() <= expected.len());
            }
        }
    }

    #[test]
    fn the_first_name_of_an_address_is_taken() {
        check(
            &[
                (1, b"\x0a\0\0\x07shop.example\0shop\0"),
                (2, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07six\0"),
                (3, b"\0\x01\x02\x03\x04\x05mac\0"),
                (1, b"\x0a\0\0\x08\0"),
                (1, b"\x0a\0\0"),
                (1, b"\x0a\0\0\x09\xff\0"),
                (1, b"\x0a\0\0\x0aunended"),
                (0, b""),
                (1, b"\x0a\0\0\x0blate\0"),
            ],
            &["10.0.0.7 shop.example", "2001:db8::7 six", "10.0.0.10 unended"],
        );
    }

    #[test]
    fn names_behind_the_last_packet_are_found() {
        let named = |name: &str| {
            block(&[(1, &[&[10, 0, 0, 7][..], name.as_bytes(), &[0]].concat())], false)
        };
        let other = |kind: u8| [kind, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0];
        let section = b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\
            \xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0";
        let find = |parts: &[&[u8]]| {
            let mut names = Vec::new();
            let file = [section, parts.concat().as_slice()].concat();
            let mut reader = Counting { file: Cursor::new(file), bytes: 0 };
            behind_packets(&mut reader, &mut names);
            (words(&names), reader.bytes)
        };
        let check = |parts: &[&[u8]], expected: &[&str]| assert_eq!(find(parts).0, expected);
        let (a, b) = (named("a"), named("b"));
        check(&[&other(6), &a, &other(5), &b, &other(5)], &["10.0.0.7 a", "10.0.0.7 b"]);
        check(&[&a, &other(6), &b], &["10.0.0.7 b"]);
        check(&[&a], &["10.0.0.7 a"]);
        check(&[&a, &other(6)], &[]);
        check(&[&a, &[1]], &[]);
        check(&[&a[4..]], &[]);
        check(&[&[0; 12]], &[]);
        check(&[&[0xff; 12]], &[]);
        check(&[], &[]);
        // Where a packet stands last, nearly nothing is read.
        let (_, bytes) = find(&[&vec![0; 1 << 20], &other(6)]);
        assert!(bytes < 50, "{bytes}");
    }

    /// Counts what is read of a file.
    struct Counting {
        file: Cursor<Vec<u8>>,
        bytes: usize,
    }

    impl Read for Counting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.file.read(buffer)?;
            self.bytes += read;
            Ok(read)
        }
    }

    impl Seek for Counting {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }
}
