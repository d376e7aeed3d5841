//! The pieces that RESP is made of: lines, numbers, values.

pub(super) use crate::stop::{Stop, short};
use memchr::memchr;
use nom::character::streaming::{crlf, i64 as number};
use nom::sequence::terminated;
use nom::{IResult, Parser};

/// A value and what follows it.
pub(super) struct Bulk<'b> {
    pub(super) value: &'b [u8],
    pub(super) rest: &'b [u8],
}

/// A value of at most `limit` bytes with what follows it; none if it is something else.
pub(super) fn whole_bulk(input: &[u8], limit: usize) -> Result<Option<Bulk<'_>>, Stop> {
    let [kind, rest @ ..] = input else { return Err(short(1)) };
    if !matches!(kind, b'$' | b'!' | b'=') || rest.first() == Some(&b'?') {
        return Ok(None);
    }
    let (rest, size) = length(rest)?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= limit) else {
        return Ok(None);
    };
    let (value, rest) = split(rest, size)?;
    line_end(rest)?;
    Ok(Some(Bulk { value, rest: rest.get(2..).unwrap_or_default() }))
}

/// A decimal number and its line end.
pub(super) fn length(input: &[u8]) -> Result<(&[u8], i64), Stop> {
    // Cut, so that zeros without end are refused at the same byte wherever the input ends.
    let shown = input.get(..NUMBER_LIMIT).unwrap_or(input);
    let parsed: IResult<&[u8], i64, ()> = terminated(number, crlf).parse(shown);
    match parsed {
        Ok((rest, number)) => Ok((split(input, shown.len() - rest.len())?.1, number)),
        Err(nom::Err::Incomplete(_)) if shown.len() < NUMBER_LIMIT => Err(short(1)),
        Err(_) => Err(Stop::Bad("number")),
    }
}

/// The first line without its end; the bytes before `from` have none.
pub(super) fn line(input: &[u8], from: usize) -> Option<&[u8]> {
    let end = memchr(b'\n', input.get(from..)?)?;
    input.get(..from + end)
}

pub(super) fn line_end(input: &[u8]) -> Result<(), Stop> {
    match input {
        [b'\r', b'\n', ..] => Ok(()),
        [] => Err(short(2)),
        [b'\r'] => Err(short(1)),
        _ => Err(Stop::Bad("line end")),
    }
}

pub(super) fn split(input: &[u8], size: usize) -> Result<(&[u8], &[u8]), Stop> {
    input.split_at_checked(size).ok_or_else(|| short(size.saturating_sub(input.len())))
}

/// A 64-bit number with its sign, line end and a few zeros.
const NUMBER_LIMIT: usize = 32;

/// `proto-max-bulk-len`.
pub(super) const BULK_LIMIT: usize = 512 << 20;

/// Values up to here are awaited whole; longer ones are skipped.
pub(super) const WHOLE_LIMIT: usize = 4096;
