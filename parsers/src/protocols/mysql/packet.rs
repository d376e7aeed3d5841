//! Packets, and the integers and strings that they are made of.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use crate::reader::Reader;
pub(super) use crate::stop::{Stop, short};

/// What stands before each packet's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the payload.
    pub(super) len: usize,
    /// Its number within an exchange; goes on from 255 with 0.
    pub(super) sequence: u8,
}

impl Header {
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        match *input {
            [a, b, c, sequence, ..] => Ok(Self { len: number(&[a, b, c]), sequence }),
            _ => Err(short(HEADER.saturating_sub(input.len()))),
        }
    }

    /// Whether the payload goes on in the next packet.
    pub(super) fn goes_on(self) -> bool {
        self.len == LONGEST
    }
}

/// The first bytes of a packet's payload: all of it, if it is not longer than `limit`.
pub(super) fn payload(input: &[u8], header: Header, limit: usize) -> Result<&[u8], Stop> {
    let wanted = header.len.min(limit);
    let there = input.get(HEADER..).unwrap_or_default();
    there.get(..wanted).ok_or_else(|| short(wanted.saturating_sub(there.len())))
}

/// An integer of so many bytes, least significant first.
pub(super) fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

pub(super) fn u16_le(reader: &mut Reader<'_>) -> Option<u16> {
    reader.u16_be().map(u16::swap_bytes)
}

pub(super) fn u32_le(reader: &mut Reader<'_>) -> Option<u32> {
    reader.u32_be().map(u32::swap_bytes)
}

/// A length-encoded integer (`int<lenenc>`).
pub(super) fn lenenc(reader: &mut Reader<'_>) -> Option<u64> {
    let more = match reader.u8()? {
        small @ ..=0xfa => return Some(u64::from(small)),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        // NULL in a row, or an error.
        _ => return None,
    };
    let bytes = reader.take(more)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A string with its length before it (`string<lenenc>`).
pub(super) fn lenenc_string<'b>(reader: &mut Reader<'b>) -> Option<&'b [u8]> {
    let len = lenenc(reader)?;
    reader.take(usize::try_from(len).ok()?)
}

/// A string that a zero ends (`string<NUL>`).
pub(super) fn nul_string<'b>(reader: &mut Reader<'b>) -> Option<&'b [u8]> {
    let end = memchr::memchr(0, reader.rest())?;
    let text = reader.take(end)?;
    reader.take(1)?;
    Some(text)
}

/// Bytes before each payload.
pub(super) const HEADER: usize = 4;

/// The longest payload of a packet; one of this length goes on in the next packet.
pub(super) const LONGEST: usize = 0xff_ffff;
