//! Hessian 2: values in, texts, numbers and what was passed over out.
//! <http://hessian.caucho.com/doc/hessian-serialization.html>
//!
//! Values are passed over by their structure, a piece at a time, and nothing of them is kept but how
//! many fields each class has. A length of a text counts 16-bit units of UTF-16, which may stand as
//! two characters of three bytes each, or as one of four.

use super::walk::{
    DEPTH_LIMIT, Hide, PAIRS_LIMIT, Pair, Passed, Stop, TEXT_LIMIT, Taken, Thrown, Value, head,
    piece, short,
};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;

/// Passes over values, those of one body in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Walker {
    /// What is to be read, the next at the end.
    work: SmallVec<[Work; 8]>,
    /// How many fields each class has, in the order of their definitions.
    classes: SmallVec<[u32; 4]>,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    /// So many values.
    Values(u32),
    /// Values up to an end.
    UntilEnd,
    /// The name of a type, or the number of one.
    Type,
    /// How many values a list has.
    Length,
    /// How many fields a class has.
    FieldCount,
    /// The names of so many fields.
    Fields(u32),
    /// The number of an object's class.
    Class,
    /// So many units of text; more pieces follow if it is not the last one. Names of classes and
    /// their fields are not a caller's own.
    Text {
        left: u32,
        is_last: bool,
        is_own: bool,
    },
    /// The same of bytes.
    Bytes {
        left: u32,
        is_last: bool,
    },
    /// The next piece of a text, or of bytes.
    TextPiece,
    BytesPiece,
}

impl Walker {
    /// Passes over a value, or over the rest of one; the number of bytes comes with it.
    pub(super) fn pass(&mut self, input: &[u8], hide: &mut Hide<'_>) -> Taken<Passed> {
        if self.work.is_empty() {
            self.work.push(Work::Values(1));
        }
        let mut at = 0;
        while let Some(work) = self.work.last_mut() {
            let rest = input.get(at..).unwrap_or_default();
            if let Work::Bytes { left, is_last } = work {
                let here = rest.len().min(*left as usize);
                *left = left.saturating_sub(u32::try_from(here).unwrap_or(u32::MAX));
                hide(at..at + here);
                at += here;
                if *left > 0 {
                    return Ok((Passed::Opaque(u64::from(*left)), at));
                }
                let next = (!*is_last).then_some(Work::BytesPiece);
                self.work.pop();
                self.work.extend(next);
                continue;
            }
            match self.step(rest, &mut |range| hide(at + range.start..at + range.end)) {
                Ok(used) => at += used,
                Err(Stop::Short(more)) => return Ok((Passed::Part(more), at)),
                // What was passed over before is done with, wherever the input was cut.
                Err(_) if at > 0 => return Ok((Passed::Part(NonZeroUsize::MIN), at)),
                Err(bad) => return Err(bad),
            }
        }
        Ok((Passed::Whole, at))
    }

    /// So many bytes that need not be shown have gone by.
    pub(super) fn passed(&mut self, bytes: u64) {
        if let Some(Work::Bytes { left, .. }) = self.work.last_mut() {
            *left = left.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// The pairs of a map; `found` is told each.
    pub(super) fn pairs<'b>(
        &mut self,
        input: &'b [u8],
        found: &mut Pair<'_, 'b>,
        hide: &mut Hide<'_>,
    ) -> Result<(), Stop> {
        let mut at = match input {
            [b'N', ..] => return Ok(()),
            [b'H', ..] => 1,
            [b'M', rest @ ..] => 1 + type_len(rest)?,
            [] => return Err(short(1)),
            _ => return Err(Stop::Bad("attachments")),
        };
        for pairs in 0..=PAIRS_LIMIT {
            if input.get(at) == Some(&b'Z') {
                return Ok(());
            }
            if pairs == PAIRS_LIMIT {
                break;
            }
            let rest = input.get(at..).unwrap_or_default();
            let name = match text(rest) {
                Ok((Some(name), used)) => {
                    at += used;
                    Some(name)
                }
                _ => {
                    at += self.pass_whole(rest, &mut behind(at, hide))?;
                    None
                }
            };
            let rest = input.get(at..).unwrap_or_default();
            let (value, used) = match (text(rest), whole_number(rest)) {
                (Ok((Some(text), used)), _) if name.is_some() => {
                    (Value::Text(Cow::Borrowed(text)), used)
                }
                (_, Ok((number, used))) if name.is_some() => (Value::Int(number), used),
                _ => (Value::Other, self.pass_whole(rest, &mut behind(at, hide))?),
            };
            at += used;
            if let Some(name) = name {
                found(Cow::Borrowed(name), value);
            }
        }
        Err(Stop::Bad("attachments"))
    }

    /// The class and the words of an exception.
    pub(super) fn thrown<'b>(&self, input: &'b [u8]) -> Thrown<'b> {
        let mut thrown = Thrown::default();
        let _ = self.read_thrown(input, &mut thrown);
        thrown
    }

    fn read_thrown<'b>(&self, input: &'b [u8], thrown: &mut Thrown<'b>) -> Result<(), Stop> {
        let (kind, mut rest) = match input {
            [kind @ (b'C' | b'M'), rest @ ..] => (*kind, rest),
            _ => return Err(Stop::Bad("exception")),
        };
        let next = |rest: &mut &'b [u8]| {
            let (text, used) = text(rest)?;
            *rest = rest.get(used..).unwrap_or_default();
            Ok(text)
        };
        thrown.class = next(&mut rest)?.map(Cow::Borrowed);
        if kind == b'M' {
            return Ok(());
        }
        let (count, used) = whole_number(rest)?;
        rest = rest.get(used..).unwrap_or_default();
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(FIELDS_LIMIT);
        let mut place = None;
        for field in 0..count {
            if next(&mut rest)? == Some(b"detailMessage") && place.is_none() {
                place = Some(field);
            }
        }
        let Some(place) = place else { return Ok(()) };
        let mut walker = Self { work: SmallVec::new(), classes: self.classes.clone() };
        walker.classes.push(count);
        let used = match rest {
            [0x60..=0x6f, ..] => 1,
            [b'O', number @ ..] => 1 + whole_number(number)?.1,
            _ => return Err(Stop::Bad("exception")),
        };
        rest = rest.get(used..).unwrap_or_default();
        for _ in 0..place {
            let used = walker.pass_whole(rest, &mut |_| {})?;
            rest = rest.get(used..).unwrap_or_default();
        }
        thrown.message = next(&mut rest)?.map(Cow::Borrowed);
        Ok(())
    }

    /// Passes over a value that is all there.
    fn pass_whole(&mut self, input: &[u8], hide: &mut Hide<'_>) -> Result<usize, Stop> {
        match self.pass(input, hide)? {
            (Passed::Whole, used) => Ok(used),
            (Passed::Part(more), _) => Err(Stop::Short(more)),
            (Passed::Opaque(more), _) => Err(short(usize::try_from(more).unwrap_or(usize::MAX))),
        }
    }

    /// Does the next piece of work, or a part of it.
    fn step(&mut self, rest: &[u8], hide: &mut Hide<'_>) -> Result<usize, Stop> {
        if self.work.len() > DEPTH_LIMIT {
            return Err(Stop::Bad("depth"));
        }
        let Some(work) = self.work.last_mut() else { return Ok(0) };
        match work {
            Work::Values(0) | Work::Fields(0) => {
                self.work.pop();
                Ok(0)
            }
            Work::Values(left) => {
                let left = left.saturating_sub(1);
                self.value(rest, Some(left), hide)
            }
            Work::UntilEnd => match rest {
                [b'Z', ..] => {
                    self.work.pop();
                    Ok(1)
                }
                _ => self.value(rest, None, hide),
            },
            Work::Type => {
                let kind = rest.first().ok_or_else(|| short(1))?;
                if is_text(*kind) {
                    let (left, is_last, used) = text_head(rest)?;
                    *work = Work::Text { left, is_last, is_own: false };
                    return Ok(used);
                }
                let (_, used) = whole_number(rest)?;
                self.work.pop();
                Ok(used)
            }
            Work::Length => {
                let (count, used) = whole_number(rest)?;
                let count = u32::try_from(count).map_err(|_| Stop::Bad("list length"))?;
                *work = Work::Values(count);
                Ok(used)
            }
            Work::FieldCount => {
                let (count, used) = whole_number(rest)?;
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                if count > FIELDS_LIMIT || self.classes.len() >= CLASSES_LIMIT {
                    return Err(Stop::Bad("class definition"));
                }
                self.classes.push(count);
                *work = Work::Fields(count);
                Ok(used)
            }
            Work::Fields(left) => {
                let (units, is_last, used) = text_head(rest)?;
                *left = left.saturating_sub(1);
                self.work.push(Work::Text { left: units, is_last, is_own: false });
                Ok(used)
            }
            Work::Class => {
                let (class, used) = whole_number(rest)?;
                let fields = self.fields(class)?;
                self.work.pop();
                self.work.push(Work::Values(fields));
                Ok(used)
            }
            Work::Text { left, is_last, is_own } => {
                let (used, units) = units(rest, *left);
                if *is_own {
                    hide_text(rest.get(..used).unwrap_or_default(), hide);
                }
                *left = left.saturating_sub(units);
                if *left > 0 {
                    return if used > 0 { Ok(used) } else { Err(short(1)) };
                }
                let next = (!*is_last).then_some(Work::TextPiece);
                self.work.pop();
                self.work.extend(next);
                Ok(used)
            }
            Work::TextPiece => {
                let (left, is_last, used) = text_head(rest)?;
                *work = Work::Text { left, is_last, is_own: true };
                Ok(used)
            }
            Work::BytesPiece => {
                let (left, is_last, used) = bytes_head(rest)?;
                *work = Work::Bytes { left, is_last };
                Ok(used)
            }
            // Looked at by the caller.
            Work::Bytes { .. } => Ok(0),
        }
    }

    /// Reads the start of a value; then so many are left of those that it is one of.
    fn value(
        &mut self,
        rest: &[u8],
        left: Option<u32>,
        hide: &mut Hide<'_>,
    ) -> Result<usize, Stop> {
        let kind = *rest.first().ok_or_else(|| short(1))?;
        // After the definition of a class the value is yet to come.
        if kind == b'C' {
            let (units, is_last, used) = text_head(rest.get(1..).unwrap_or_default())?;
            let name = Work::Text { left: units, is_last, is_own: false };
            self.work.extend([Work::FieldCount, name]);
            return Ok(1 + used);
        }
        let mut next: SmallVec<[Work; 2]> = SmallVec::new();
        let used = match kind {
            _ if is_text(kind) => {
                let (left, is_last, used) = text_head(rest)?;
                next.push(Work::Text { left, is_last, is_own: true });
                used
            }
            0x20..=0x2f | 0x34..=0x37 | b'A' | b'B' => {
                let (left, is_last, used) = bytes_head(rest)?;
                next.push(Work::Bytes { left, is_last });
                used
            }
            b'N' | b'T' | b'F' | 0x5b | 0x5c | 0x80..=0xbf | 0xd8..=0xef => 1,
            0x5d | 0xc0..=0xcf | 0xf0..=0xff => 2,
            0x38..=0x3f | 0x5e | 0xd0..=0xd7 => 3,
            b'I' | 0x4b | 0x59 | 0x5f => 5,
            b'D' | b'L' | 0x4a => 9,
            b'H' | 0x57 => {
                next.push(Work::UntilEnd);
                1
            }
            b'M' | b'U' => {
                next.extend([Work::UntilEnd, Work::Type]);
                1
            }
            b'V' => {
                next.extend([Work::Length, Work::Type]);
                1
            }
            0x58 => {
                next.push(Work::Length);
                1
            }
            0x70..=0x77 => {
                next.extend([Work::Values(u32::from(kind & 7)), Work::Type]);
                1
            }
            0x78..=0x7f => {
                next.push(Work::Values(u32::from(kind & 7)));
                1
            }
            b'O' => {
                next.push(Work::Class);
                1
            }
            0x60..=0x6f => {
                next.push(Work::Values(self.fields(i64::from(kind & 0xf))?));
                1
            }
            b'Q' => 1 + whole_number(rest.get(1..).unwrap_or_default())?.1,
            _ => return Err(Stop::Bad("value")),
        };
        piece(rest, 0, used)?;
        // The rest of a number, or of a time.
        if next.is_empty() && kind != b'Q' && used > 1 {
            hide(1..used);
        }
        match (left, self.work.last_mut()) {
            (Some(0), _) => {
                self.work.pop();
            }
            (Some(left), Some(Work::Values(values))) => *values = left,
            _ => {}
        }
        self.work.extend(next);
        Ok(used)
    }

    fn fields(&self, class: i64) -> Result<u32, Stop> {
        let class = usize::try_from(class).ok().and_then(|class| self.classes.get(class));
        class.copied().ok_or(Stop::Bad("class"))
    }
}

/// Hides what stands so many bytes further on.
fn behind(at: usize, hide: &mut Hide<'_>) -> impl FnMut(Range<usize>) {
    move |range| hide(at + range.start..at + range.end)
}

/// A text, or a null in its place.
pub(super) fn text(input: &[u8]) -> Taken<Option<&[u8]>> {
    if let [b'N', ..] = input {
        return Ok((None, 1));
    }
    let (left, is_last, start) = text_head(input)?;
    if !is_last || left as usize > TEXT_LIMIT {
        return Err(Stop::Bad("text"));
    }
    let (used, here) = units(input.get(start..).unwrap_or_default(), left);
    match left.saturating_sub(here) {
        0 => Ok((Some(piece(input, start, used)?), start + used)),
        missing => Err(short(missing as usize)),
    }
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let (left, _, start) = text_head(input).ok()?;
    let text = input.get(start..)?;
    text.get(..units(text, left).0)
}

/// An integer or a long.
pub(super) fn whole_number(input: &[u8]) -> Taken<i64> {
    let kind = *input.first().ok_or_else(|| short(1))?;
    let compact = |zero: u8| i64::from(kind) - i64::from(zero);
    let next = |at: usize| head::<1>(input, at).map(|[byte]| i64::from(byte));
    Ok(match kind {
        0x80..=0xbf => (compact(0x90), 1),
        0xc0..=0xcf => (compact(0xc8) << 8 | next(1)?, 2),
        0xd0..=0xd7 => (compact(0xd4) << 16 | u16_at(input, 1)?, 3),
        b'I' | 0x59 => (i64::from(i32::from_be_bytes(head(input, 1)?)), 5),
        0xd8..=0xef => (compact(0xe0), 1),
        0xf0..=0xff => (compact(0xf8) << 8 | next(1)?, 2),
        0x38..=0x3f => (compact(0x3c) << 16 | u16_at(input, 1)?, 3),
        b'L' => (i64::from_be_bytes(head(input, 1)?), 9),
        _ => return Err(Stop::Bad("integer")),
    })
}

fn u16_at(input: &[u8], at: usize) -> Result<i64, Stop> {
    head(input, at).map(|bytes| i64::from(u16::from_be_bytes(bytes)))
}

fn is_text(kind: u8) -> bool {
    matches!(kind, 0x00..=0x1f | 0x30..=0x33 | b'R' | b'S')
}

/// Units of a piece of text, whether it is the last one, and the bytes that say so.
fn text_head(input: &[u8]) -> Result<(u32, bool, usize), Stop> {
    match *input.first().ok_or_else(|| short(1))? {
        short @ 0x00..=0x1f => Ok((u32::from(short), true, 1)),
        high @ 0x30..=0x33 => {
            let [low] = head(input, 1)?;
            Ok((u32::from(high - 0x30) << 8 | u32::from(low), true, 2))
        }
        kind @ (b'R' | b'S') => {
            Ok((u32::from(u16::from_be_bytes(head(input, 1)?)), kind == b'S', 3))
        }
        _ => Err(Stop::Bad("text")),
    }
}

/// The same of bytes.
fn bytes_head(input: &[u8]) -> Result<(u32, bool, usize), Stop> {
    match *input.first().ok_or_else(|| short(1))? {
        short @ 0x20..=0x2f => Ok((u32::from(short - 0x20), true, 1)),
        high @ 0x34..=0x37 => {
            let [low] = head(input, 1)?;
            Ok((u32::from(high - 0x34) << 8 | u32::from(low), true, 2))
        }
        kind @ (b'A' | b'B') => {
            Ok((u32::from(u16::from_be_bytes(head(input, 1)?)), kind == b'B', 3))
        }
        _ => Err(Stop::Bad("bytes")),
    }
}

/// The bytes of a name of a type, or of the number of one.
fn type_len(input: &[u8]) -> Result<usize, Stop> {
    match input.first() {
        Some(kind) if !is_text(*kind) => Ok(whole_number(input)?.1),
        _ => Ok(text(input)?.1),
    }
}

/// Bytes and units of the whole characters at the start, of which there are at most so many units.
fn units(input: &[u8], most: u32) -> (usize, u32) {
    let shown = input.get(..most as usize).unwrap_or(input);
    if shown.is_ascii() {
        return (shown.len(), u32::try_from(shown.len()).unwrap_or(most));
    }
    let (mut at, mut units) = (0, 0);
    while units < most {
        let (len, count) = match input.get(at) {
            None => break,
            Some(0x00..=0x7f) => (1, 1),
            Some(0xc0..=0xdf) => (2, 1),
            Some(0xf0..=0xff) => (4, 2),
            Some(_) => (3, 1),
        };
        if at + len > input.len() {
            break;
        }
        at += len;
        units += count;
    }
    (at, units)
}

/// Hides a text so that its characters can still be counted: the first byte of those that have
/// several stays.
fn hide_text(text: &[u8], hide: &mut Hide<'_>) {
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0xc0 {
            if start < at {
                hide(start..at);
            }
            start = at + 1;
        }
    }
    if start < text.len() {
        hide(start..text.len());
    }
}

/// Fields of one class, and classes of one body.
const FIELDS_LIMIT: u32 = 1 << 12;
const CLASSES_LIMIT: usize = 1 << 10;
