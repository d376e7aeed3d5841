//! MessagePack: values in, texts, numbers and pairs out.
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>

use super::walk::{
    Hide, PAIRS_LIMIT, Pair, Passed, Stop, TEXT_LIMIT, Taken, Thrown, Value, head, piece, short,
};
use std::borrow::Cow;
use std::ops::Range;

/// Passes over values.
#[derive(Clone, Debug, Default)]
pub(super) struct Walker {
    /// Values that are to be passed over, those within others too; none between two.
    left: Option<u64>,
    /// Bytes that are before the next one of them.
    bytes: u64,
}

impl Walker {
    /// Passes over a value, or over the rest of one.
    pub(super) fn pass(&mut self, input: &[u8], hide: &mut Hide<'_>) -> Taken<Passed> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let here = usize::try_from(self.bytes).unwrap_or(usize::MAX).min(rest.len());
            hide(at..at + here);
            at += here;
            self.bytes -= here as u64;
            if self.bytes > 0 {
                return Ok((Passed::Opaque(self.bytes), at));
            }
            let left = self.left.unwrap_or(1);
            let Some(others) = left.checked_sub(1) else {
                self.left = None;
                return Ok((Passed::Whole, at));
            };
            let item = match Item::read(input.get(at..).unwrap_or_default()) {
                Ok(item) => item,
                Err(Stop::Short(more)) => return Ok((Passed::Part(more), at)),
                Err(bad) => return Err(bad),
            };
            // It stands for a number where it is overwritten, which takes one byte, too.
            if item.is_said_by_head {
                hide(at..at + item.head);
            }
            at += item.head;
            self.left = Some(others.saturating_add(item.within));
            self.bytes = item.bytes;
        }
    }

    /// So many bytes of the value have gone by without being shown.
    pub(super) fn passed(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// What begins a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Item {
    is_text: bool,
    /// Whether it is a number or a boolean that the first byte says by itself.
    is_said_by_head: bool,
    /// Bytes that say what it is.
    head: usize,
    /// Bytes of a text, of a number, of anything that is no structure.
    bytes: u64,
    /// Values that it is made of.
    within: u64,
}

impl Item {
    fn read(input: &[u8]) -> Result<Self, Stop> {
        let [kind] = head(input, 0)?;
        let length = |bytes: usize| {
            let length = piece(input, 1, bytes)?;
            Ok(length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)))
        };
        let of = |head, bytes| Self { head, bytes, ..Self::default() };
        let text = |head, bytes| Self { is_text: true, ..of(head, bytes) };
        let nest = |head, within| Self { within, ..of(head, 0) };
        Ok(match kind {
            NIL => of(1, 0),
            0x00..=0x7f | 0xc2 | 0xc3 | 0xe0..=0xff => Self { is_said_by_head: true, ..of(1, 0) },
            0x80..=0x8f => nest(1, 2 * u64::from(kind & 0xf)),
            0x90..=0x9f => nest(1, u64::from(kind & 0xf)),
            0xa0..=0xbf => text(1, u64::from(kind & 0x1f)),
            0xc1 => return Err(Stop::Bad("value")),
            0xc4 => of(2, length(1)?),
            0xc5 => of(3, length(2)?),
            0xc6 => of(5, length(4)?),
            // Of an extension there is a type, too.
            0xc7 => of(2, length(1)? + 1),
            0xc8 => of(3, length(2)? + 1),
            0xc9 => of(5, length(4)? + 1),
            0xcc | 0xd0 => of(1, 1),
            0xcd | 0xd1 => of(1, 2),
            0xca | 0xce | 0xd2 => of(1, 4),
            0xcb | 0xcf | 0xd3 => of(1, 8),
            0xd4..=0xd8 => of(1, (1 << (kind - 0xd4)) + 1),
            0xd9 => text(2, length(1)?),
            0xda => text(3, length(2)?),
            0xdb => text(5, length(4)?),
            0xdc => nest(3, length(2)?),
            0xdd => nest(5, length(4)?),
            0xde => nest(3, 2 * length(2)?),
            0xdf => nest(5, 2 * length(4)?),
        })
    }
}

/// A text, or a null in its place.
pub(super) fn text(input: &[u8]) -> Taken<Option<Cow<'_, [u8]>>> {
    if let [NIL, ..] = input {
        return Ok((None, 1));
    }
    let Item { is_text, head, bytes, .. } = Item::read(input)?;
    let length = usize::try_from(bytes).ok().filter(|length| *length <= TEXT_LIMIT && is_text);
    let length = length.ok_or(Stop::Bad("text"))?;
    Ok((Some(Cow::Borrowed(piece(input, head, length)?)), head + length))
}

/// The start of a text whose end need not be there.
pub(super) fn start_of_text(input: &[u8]) -> Option<&[u8]> {
    let Item { is_text, head, bytes, .. } = Item::read(input).ok()?;
    let text = input.get(head..).filter(|_| is_text)?;
    Some(text.get(..usize::try_from(bytes).ok()?).unwrap_or(text))
}

/// A whole number.
pub(super) fn number(input: &[u8]) -> Taken<i64> {
    let [kind] = head(input, 0)?;
    Ok(match kind {
        0x00..=0x7f | 0xe0..=0xff => (kind.cast_signed().into(), 1),
        0xcc => (u8::from_be_bytes(head(input, 1)?).into(), 2),
        0xcd => (u16::from_be_bytes(head(input, 1)?).into(), 3),
        0xce => (u32::from_be_bytes(head(input, 1)?).into(), 5),
        0xcf => {
            let number = u64::from_be_bytes(head(input, 1)?);
            (i64::try_from(number).map_err(|_| Stop::Bad("number"))?, 9)
        }
        0xd0 => (i8::from_be_bytes(head(input, 1)?).into(), 2),
        0xd1 => (i16::from_be_bytes(head(input, 1)?).into(), 3),
        0xd2 => (i32::from_be_bytes(head(input, 1)?).into(), 5),
        0xd3 => (i64::from_be_bytes(head(input, 1)?), 9),
        _ => return Err(Stop::Bad("number")),
    })
}

/// The pairs of a map that is all there.
pub(super) fn pairs<'b>(
    input: &'b [u8],
    found: &mut Pair<'_, 'b>,
    hide: &mut Hide<'_>,
) -> Result<(), Stop> {
    members(input, &mut |name, value, at| match (name, value) {
        (Some(name), value @ (Value::Text(_) | Value::Int(_))) => found(name, value),
        _ => {
            // Both were passed over before.
            let mut walker = Walker { left: Some(2), bytes: 0 };
            let pair = input.get(at.clone()).unwrap_or_default();
            let hide =
                &mut |range: Range<usize>| hide(at.start + range.start..at.start + range.end);
            let _ = walker.pass(pair, hide);
        }
    })
}

/// The class and the words of an exception: its class stands before what it says.
pub(super) fn thrown(input: &[u8]) -> Thrown<'_> {
    let mut thrown = Thrown::default();
    let Ok((class, used)) = text(input) else { return thrown };
    thrown.class = class;
    let message = &mut thrown.message;
    // What is cut ends in an error after what is there.
    let _ = members(input.get(used..).unwrap_or_default(), &mut |name, value, _| {
        if let (Some(b"message"), Value::Text(text)) = (name.as_deref(), value) {
            *message = Some(text);
        }
    });
    thrown
}

/// Is told a name if it is a text, the value, and where these two stand.
type Member<'f, 'b> = dyn FnMut(Option<Cow<'b, [u8]>>, Value<'b>, Range<usize>) + 'f;

/// The members of a map, as far as they are there.
fn members<'b>(input: &'b [u8], found: &mut Member<'_, 'b>) -> Result<(), Stop> {
    let (count, mut at) = match input {
        [NIL, ..] => return Ok(()),
        [0x80..=0x8f | 0xde | 0xdf, ..] => {
            let item = Item::read(input)?;
            (item.within / 2, item.head)
        }
        _ => return Err(Stop::Bad("map")),
    };
    if count > PAIRS_LIMIT as u64 {
        return Err(Stop::Bad("map"));
    }
    for _ in 0..count {
        let start = at;
        let name = input.get(at..).unwrap_or_default();
        at += whole_len(name)?;
        let rest = input.get(at..).unwrap_or_default();
        let used = whole_len(rest)?;
        let value = match (text(rest), number(rest)) {
            (Ok((Some(text), _)), _) => Value::Text(text),
            (_, Ok((number, _))) => Value::Int(number),
            _ => Value::Other,
        };
        at += used;
        found(text(name).ok().and_then(|(name, _)| name), value, start..at);
    }
    Ok(())
}

/// The bytes of a value that is all there.
fn whole_len(input: &[u8]) -> Result<usize, Stop> {
    match Walker::default().pass(input, &mut |_| {})? {
        (Passed::Whole, used) => Ok(used),
        (Passed::Part(more), _) => Err(Stop::Short(more)),
        (Passed::Opaque(more), _) => Err(short(usize::try_from(more).unwrap_or(usize::MAX))),
    }
}

const NIL: u8 = 0xc0;
