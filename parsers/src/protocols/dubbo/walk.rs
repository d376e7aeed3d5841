//! What reading a part of a body comes to, whatever its serialisation.

pub(super) use crate::stop::{Stop, short};
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;

/// What a part came to, and how many bytes it takes.
pub(super) type Taken<T> = Result<(T, usize), Stop>;

/// A text, or a null in its place.
pub(super) type Text<'b> = Taken<Option<Cow<'b, [u8]>>>;

/// How far a value was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It ends here.
    Whole,
    /// It goes on; so many bytes of it, at least, are needed to say more.
    Part(NonZeroUsize),
    /// It goes on, and the next so many bytes need not be shown.
    Opaque(u64),
}

/// Is told which bytes of what is passed over are a caller's own, not the structure.
pub(super) type Hide<'h> = dyn FnMut(Range<usize>) + 'h;

/// Is told the name and the value of an attachment.
pub(super) type Pair<'f, 'b> = dyn FnMut(Cow<'b, [u8]>, Value<'b>) + 'f;

/// Passes over values that have their lengths before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// Bytes of a value that are to be passed over, once its length was read.
    left: Option<u64>,
}

impl Measured {
    /// Passes over a value, or over the rest of one; `length` reads its length, and comes with the
    /// bytes that say so.
    pub(super) fn pass(
        &mut self,
        input: &[u8],
        hide: &mut Hide<'_>,
        length: impl FnOnce(&[u8]) -> Taken<u64>,
    ) -> Taken<Passed> {
        let (left, mut at) = match self.left {
            Some(left) => (left, 0),
            None => match length(input) {
                Ok(read) => read,
                Err(Stop::Short(more)) => return Ok((Passed::Part(more), 0)),
                Err(bad) => return Err(bad),
            },
        };
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len().saturating_sub(at));
        hide(at..at + here);
        at += here;
        let left = left.saturating_sub(here as u64);
        self.left = (left > 0).then_some(left);
        let passed = if left > 0 { Passed::Opaque(left) } else { Passed::Whole };
        Ok((passed, at))
    }

    /// So many bytes of the value have gone by without being shown.
    pub(super) fn passed(&mut self, bytes: u64) {
        self.left = self.left.map(|left| left.saturating_sub(bytes));
    }
}

/// What the values of a serialisation say that have no lengths before them.
pub(super) struct Values {
    /// The bytes of a value that can be passed over.
    pub(super) len: fn(&[u8]) -> Result<usize, Stop>,
    /// A text that is a value.
    pub(super) text: for<'b> fn(&'b [u8]) -> Text<'b>,
    /// A whole number that is one.
    pub(super) int: fn(&[u8]) -> Option<i64>,
}

impl Values {
    /// Passes over a value that is awaited whole.
    pub(super) fn pass(&self, input: &[u8], hide: &mut Hide<'_>) -> Taken<Passed> {
        match (self.len)(input) {
            Ok(used) => {
                hide(0..used);
                Ok((Passed::Whole, used))
            }
            Err(Stop::Short(more)) => Ok((Passed::Part(more), 0)),
            Err(bad) => Err(bad),
        }
    }

    /// So many pairs from a place on, which end where the input does: what else there may be is none.
    pub(super) fn pairs<'b>(
        &self,
        input: &'b [u8],
        start: usize,
        count: u64,
        found: &mut Pair<'_, 'b>,
        hide: &mut Hide<'_>,
    ) -> Result<(), Stop> {
        if count > PAIRS_LIMIT as u64 {
            return Err(Stop::Bad("attachments"));
        }
        // Nothing is told before it is sure that this is a map.
        let mut at = start;
        for _ in 0..2 * count {
            at += (self.len)(input.get(at..).unwrap_or_default())?;
        }
        if at != input.len() {
            return Err(Stop::Bad("attachments"));
        }
        at = start;
        for _ in 0..count {
            let name_at = at;
            let name = input.get(at..).unwrap_or_default();
            at += (self.len)(name)?;
            let value_at = at;
            let value = input.get(at..).unwrap_or_default();
            at += (self.len)(value)?;
            let Ok((Some(name), _)) = (self.text)(name) else {
                hide(name_at..at);
                continue;
            };
            let value = match ((self.text)(value), (self.int)(value)) {
                (Ok((Some(text), _)), _) => Value::Text(text),
                (_, Some(number)) => Value::Int(number),
                _ => {
                    if at - value_at > 1 {
                        hide(value_at..at);
                    }
                    Value::Other
                }
            };
            found(name, value);
        }
        Ok(())
    }
}

/// Where a piece stands in the input that it is of.
pub(super) fn place(piece: &[u8], input: &[u8]) -> Range<usize> {
    let start = piece.as_ptr().addr().saturating_sub(input.as_ptr().addr());
    start..start + piece.len()
}

/// A value of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'b> {
    /// Text.
    Text(Cow<'b, [u8]>),
    /// A whole number.
    Int(i64),
    /// Something else, or nothing.
    Other,
}

/// An exception, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thrown<'b> {
    /// Its class.
    pub(super) class: Option<Cow<'b, [u8]>>,
    /// What it says.
    pub(super) message: Option<Cow<'b, [u8]>>,
}

/// The first bytes of a number of them.
pub(super) fn head<const N: usize>(input: &[u8], at: usize) -> Result<[u8; N], Stop> {
    let bytes = input.get(at..at.saturating_add(N)).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| short((at + N).saturating_sub(input.len())))
}

/// So many bytes from a place on.
pub(super) fn piece(input: &[u8], at: usize, len: usize) -> Result<&[u8], Stop> {
    let end = at.saturating_add(len);
    input.get(at..end).ok_or_else(|| short(end.saturating_sub(input.len())))
}

/// Bytes of one text that is read whole.
pub(super) const TEXT_LIMIT: usize = 8 << 10;

/// Levels of values within values.
pub(super) const DEPTH_LIMIT: usize = 1024;

/// Attachments of one message.
pub(super) const PAIRS_LIMIT: usize = 256;
