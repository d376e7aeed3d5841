//! Why reading stops, and the numbers that Thrift's formats are made of.

use crate::reader::Reader;
pub(super) use crate::stop::{Stop, VARINT_32, VARINT_64, byte, short, take, varint};

pub(super) fn u32_be(reader: &mut Reader<'_>) -> Result<u32, Stop> {
    let left = reader.rest().len();
    reader.u32_be().ok_or_else(|| short(4_usize.saturating_sub(left)))
}

/// The signed number that a varint of 32 bits stands for: 0, -1, 1, -2 …
pub(super) fn zigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}
