//! Why reading stops, and the numbers that Thrift's formats are made of.

use crate::reader::Reader;
pub(super) use crate::stop::{Stop, short};

/// The next `n` bytes.
pub(super) fn take<'b>(reader: &mut Reader<'b>, n: usize) -> Result<&'b [u8], Stop> {
    let left = reader.rest().len();
    reader.take(n).ok_or_else(|| short(n.saturating_sub(left)))
}

pub(super) fn byte(reader: &mut Reader<'_>) -> Result<u8, Stop> {
    reader.u8().ok_or_else(|| short(1))
}

pub(super) fn u32_be(reader: &mut Reader<'_>) -> Result<u32, Stop> {
    let left = reader.rest().len();
    reader.u32_be().ok_or_else(|| short(4_usize.saturating_sub(left)))
}

/// A number in groups of seven bits, the least first, of at most `limit` bytes.
pub(super) fn varint(reader: &mut Reader<'_>, limit: u32) -> Result<u64, Stop> {
    let mut number = 0;
    for place in 0..limit {
        let byte = byte(reader)?;
        // The last group of 64 bits has one bit.
        number |= u64::from(byte & 0x7f).checked_shl(7 * place).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Stop::Bad("varint"))
}

/// The signed number that a varint of 32 bits stands for: 0, -1, 1, -2 …
pub(super) fn zigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// Bytes of a varint of 32 bits, of 64 bits.
pub(super) const VARINT_32: u32 = 5;
pub(super) const VARINT_64: u32 = 10;
