//! Where the values of a row or of bound parameters stand, so that they can be overwritten.

use super::framing::{Stop, short};
use crate::protocol::{Key, Out, Step};
use std::num::{NonZeroU64, NonZeroUsize};

/// What is left of a message with values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    pub(super) key: Option<Key>,
    /// Bytes of the message that were not read yet.
    pub(super) left: u64,
    part: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// The number of formats, and the formats.
    Formats,
    Count,
    Values(u16),
}

impl Values {
    /// A row: a count, and each value behind its length.
    pub(super) fn of_row(key: Option<Key>, left: u64) -> Self {
        Self { key, left, part: Part::Count }
    }

    /// Parameters: formats come before them.
    pub(super) fn of_parameters(key: Option<Key>, left: u64) -> Self {
        Self { key, left, part: Part::Formats }
    }

    /// Reads on; the message is done with when nothing is left of it.
    pub(super) fn read(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        let mut at: usize = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let need = match self.part {
                Part::Formats | Part::Count => 2,
                Part::Values(1..) => 4,
                Part::Values(0) => 0,
            };
            if need == 0 || self.left < need as u64 {
                return self.skip(at, self.left);
            }
            let Some(number) = rest.get(..need) else {
                let Some(used) = NonZeroUsize::new(at) else {
                    return Err(short(need - rest.len()));
                };
                return Ok(Step::Used(used));
            };
            let number = number.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
            at += need;
            self.left -= need as u64;
            let skip = match self.part {
                Part::Formats => {
                    self.part = Part::Count;
                    u64::from(number) * 2
                }
                Part::Count => {
                    self.part = Part::Values(u16::try_from(number).unwrap_or(u16::MAX));
                    0
                }
                Part::Values(left) => {
                    self.part = Part::Values(left - 1);
                    let len = if number == u32::MAX { 0 } else { u64::from(number) };
                    let len = len.min(self.left);
                    if let Some(key) = self.key.filter(|_| len > 0) {
                        out.secret(key, at as u64..at as u64 + len);
                    }
                    len
                }
            };
            let skip = skip.min(self.left);
            match usize::try_from(skip).ok().and_then(|skip| at.checked_add(skip)) {
                Some(end) if end <= input.len() => {
                    at = end;
                    self.left -= skip;
                }
                _ => return self.skip(at, skip),
            }
        }
    }

    fn skip(&mut self, used: usize, skip: u64) -> Result<Step, Stop> {
        self.left -= skip;
        match (NonZeroU64::new(skip), NonZeroUsize::new(used)) {
            (Some(skip), _) => Ok(Step::Skip { used, skip }),
            (None, Some(used)) => Ok(Step::Used(used)),
            (None, None) => Err(Stop::Bad("values")),
        }
    }
}
