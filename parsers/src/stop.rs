//! Why a parser that reads a message from the start of its input did not come to its end, and what it
//! takes from there.

use crate::protocol::{Malformed, Step};
use crate::reader::Reader;
use std::num::NonZeroUsize;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At least so many bytes more are needed.
    Short(NonZeroUsize),
    /// The field is not valid, or too large, however it goes on.
    Bad(&'static str),
}

impl Stop {
    /// What a parser comes to that has used nothing of its input.
    ///
    /// # Errors
    /// [`Malformed`] where the field is not valid.
    pub(crate) fn step(self) -> Result<Step, Malformed> {
        match self {
            Self::Short(more) => Ok(Step::Incomplete(more)),
            Self::Bad(field) => Err(Malformed(field)),
        }
    }
}

/// So many bytes are missing, or one at least.
pub(crate) fn short(missing: usize) -> Stop {
    Stop::Short(NonZeroUsize::new(missing).unwrap_or(NonZeroUsize::MIN))
}

/// The next `n` bytes.
pub(crate) fn take<'b>(reader: &mut Reader<'b>, n: usize) -> Result<&'b [u8], Stop> {
    let left = reader.rest().len();
    reader.take(n).ok_or_else(|| short(n.saturating_sub(left)))
}

/// The next byte.
pub(crate) fn byte(reader: &mut Reader<'_>) -> Result<u8, Stop> {
    reader.u8().ok_or_else(|| short(1))
}

/// A number in groups of seven bits, the least first, of at most `limit` bytes.
pub(crate) fn varint(reader: &mut Reader<'_>, limit: u32) -> Result<u64, Stop> {
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

/// Bytes of a varint of 32 bits, of 64 bits.
pub(crate) const VARINT_32: u32 = 5;
pub(crate) const VARINT_64: u32 = 10;
