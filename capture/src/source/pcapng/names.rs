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

/// The names that stand behind the last packet of a file that is no pipe and not compressed, as told
/// before its first packet. None if it cannot be read so.
pub(in crate::source) fn at_end(path: &Path) -> Vec<AddressName> {
    let mut names = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    if let Some((tail, big_endian)) = is_file.then(|| tail_of(path)).flatten() {
        behind_packets(&tail, big_endian, &mut names);
    }
    names.truncate(NAMES);
    names
}

/// The last bytes of a file, and the order of bytes in its first section.
fn tail_of(path: &Path) -> Option<(Vec<u8>, bool)> {
    let mut file = File::open(path).ok()?;
    let mut head = [0; SMALLEST_BLOCK];
    file.read_exact(&mut head).ok()?;
    let big_endian = section_order(&head)?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    Some((tail, big_endian))
}

/// Walks back from the end of a file, block by block, up to what is none of those that stand last.
fn behind_packets(mut tail: &[u8], big_endian: bool, names: &mut Vec<AddressName>) {
    let frame = Frame { file: FileId(0), number: 0 };
    let mut blocks = Vec::new();
    while let Some(at) = tail.len().checked_sub(4)
        && let Some(len) = u32_at(tail, at, big_endian).map(|len| len as usize)
        && let Some(start) = tail.len().checked_sub(len.max(SMALLEST_BLOCK))
        && let Some((before, block)) = tail.split_at_checked(start)
        && u32_at(block, 4, big_endian).map(|len| len as usize) == Some(len)
        && let Some(kind) = u32_at(block, 0, big_endian)
        && [NAME_RESOLUTION, INTERFACE_STATISTICS, DECRYPTION_SECRETS, CUSTOM].contains(&kind)
    {
        if kind == NAME_RESOLUTION {
            blocks.push(block);
        }
        tail = before;
    }
    for block in blocks.into_iter().rev() {
        read(block, big_endian, frame, names);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let find = |parts: &[&[u8]]| {
            let mut names = Vec::new();
            behind_packets(&parts.concat(), false, &mut names);
            words(&names)
        };
        let (a, b) = (named("a"), named("b"));
        assert_eq!(find(&[&other(6), &a, &other(5), &b, &other(5)]), ["10.0.0.7 a", "10.0.0.7 b"]);
        assert_eq!(find(&[&a, &other(6), &b]), ["10.0.0.7 b"]);
        assert!(find(&[&a, &other(6)]).is_empty());
        assert!(find(&[&a, &[1]]).is_empty());
        assert!(find(&[&a[4..]]).is_empty());
        assert!(find(&[&[0; 12]]).is_empty());
    }
}
