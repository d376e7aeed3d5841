//! The content of an answer of SOFA RPC: whether it is one, or an error, or an exception.
//!
//! A SofaResponse in the hessian2 of SOFA (<https://github.com/sofastack/sofa-hessian>), which
//! defines a class by `O`, makes an object by `o`, and counts texts in UTF-16.

use crate::reader::Reader;
use smallvec::SmallVec;

/// What a SofaResponse says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer<'b> {
    /// The library or the server failed; no method was at work, or its error was none of its own.
    pub(super) is_error: bool,
    /// The class of the exception that the method threw.
    pub(super) thrown: Option<&'b [u8]>,
    /// What the method gave may be an exception: its class was not read to the end.
    pub(super) is_unclear: bool,
    /// The words of the error or exception, as far as they were there.
    pub(super) words: Option<&'b [u8]>,
    /// Where these stand.
    pub(super) words_at: usize,
    /// How many bytes were read.
    pub(super) read: usize,
}

impl<'b> Answer<'b> {
    /// Reads the beginning of a content; nothing if it is something else, or does not say as much.
    pub(super) fn read(content: &'b [u8]) -> Option<Self> {
        let mut reader = Reader::new(content);
        let class = Class::read(&mut reader)?;
        if !class.name.ends_with(b".SofaResponse") || class.fields.first()? != b"isError" {
            return None;
        }
        object(&mut reader)?;
        let is_error = match reader.u8()? {
            b'T' => true,
            b'F' => false,
            _ => return None,
        };
        let mut answer = Self { is_error, ..Self::default() };
        answer.read = reader.offset();
        if let Some(Text { bytes, at, is_whole }) = text(&mut reader)? {
            answer.words = Some(bytes);
            answer.words_at = at;
            answer.is_unclear = !is_whole;
        }
        answer.read = reader.offset();
        match reader.rest().first() {
            Some(b'O') if !answer.is_error => {
                answer.exception(reader);
            }
            None => answer.is_unclear = true,
            Some(_) => {}
        }
        Some(answer)
    }

    /// What the method gave is an object, which may be an exception: all of those have a trace.
    fn exception(&mut self, mut reader: Reader<'b>) -> Option<()> {
        let Some(class) = Class::read(&mut reader) else {
            self.is_unclear = true;
            return None;
        };
        if !class.fields.contains(&&b"stackTrace"[..]) {
            return None;
        }
        self.thrown = Some(class.name);
        self.read = reader.offset();
        object(&mut reader)?;
        if class.fields.first()? == b"detailMessage"
            && let Some(Text { bytes, at, .. }) = text(&mut reader)?
        {
            self.words = Some(bytes);
            self.words_at = at;
        }
        self.read = reader.offset();
        Some(())
    }
}

/// The definition of a class.
struct Class<'b> {
    name: &'b [u8],
    fields: SmallVec<[&'b [u8]; 8]>,
}

impl<'b> Class<'b> {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        if reader.u8()? != b'O' {
            return None;
        }
        let length = usize::try_from(int(reader)?).ok()?;
        let name = reader.take(length)?;
        let count = int(reader)?;
        if !(0..=FIELDS_LIMIT).contains(&count) {
            return None;
        }
        let mut fields = SmallVec::new();
        for _ in 0..count {
            let field = text(reader)??;
            if !field.is_whole {
                return None;
            }
            fields.push(field.bytes);
        }
        Some(Self { name, fields })
    }
}

/// An object of a class that was defined before.
fn object(reader: &mut Reader<'_>) -> Option<i32> {
    if reader.u8()? != b'o' {
        return None;
    }
    int(reader)
}

fn int(reader: &mut Reader<'_>) -> Option<i32> {
    let first = i32::from(reader.u8()?);
    let mut next = || reader.u8().map(i32::from);
    Some(match first {
        0x80..=0xbf => first - 0x90,
        0xc0..=0xcf => ((first - 0xc8) << 8) + next()?,
        0xd0..=0xd7 => ((first - 0xd4) << 16) + (next()? << 8) + next()?,
        0x49 => reader.u32_be()? as i32,
        _ => return None,
    })
}

/// A text, up to where the input ends or its first chunk does.
struct Text<'b> {
    bytes: &'b [u8],
    at: usize,
    is_whole: bool,
}

/// A text, or within none if it is null.
fn text<'b>(reader: &mut Reader<'b>) -> Option<Option<Text<'b>>> {
    let units = match reader.u8()? {
        b'N' => return Some(None),
        length @ 0..=0x1f => u16::from(length),
        b'S' | b's' => reader.u16_be()?,
        _ => return None,
    };
    let (at, rest) = (reader.offset(), reader.rest());
    let mut length = 0;
    let mut units = usize::from(units);
    while units > 0 {
        let Some(lead) = rest.get(length) else { break };
        let (bytes, of) = match lead {
            0xf0.. => (4, 2),
            0xe0.. => (3, 1),
            0xc0.. => (2, 1),
            _ => (1, 1),
        };
        length += bytes;
        units = units.saturating_sub(of);
    }
    let is_whole = units == 0 && length <= rest.len();
    let length = length.min(rest.len());
    Some(Some(Text { bytes: reader.take(length)?, at, is_whole }))
}

const FIELDS_LIMIT: i32 = 64;
