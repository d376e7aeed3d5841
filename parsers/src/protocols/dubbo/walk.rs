//! What reading a part of a body comes to, whatever its serialisation.

pub(super) use crate::stop::{Stop, short};
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;

/// What a part came to, and how many bytes it takes.
pub(super) type Taken<T> = Result<(T, usize), Stop>;

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
