//! The struct of a message, binary or compact, in pieces: where it ends, and what a result says.
//! Values are passed over; nothing of them is kept.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md>,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use super::stop::{Stop, VARINT_32, VARINT_64, byte, short, take, u32_be, varint, zigzag};
use crate::failure::LINE_LIMIT;
use crate::reader::Reader;
use smallvec::SmallVec;
use std::num::NonZeroU64;
use std::ops::Range;

/// Walks over one struct, however it is cut.
#[derive(Debug)]
pub(super) struct Walk {
    is_compact: bool,
    role: Role,
    /// From the outermost on.
    stack: SmallVec<[Level; 4]>,
    /// The value that comes next.
    due: Option<Kind>,
    /// The field of the outermost struct that was begun last.
    field: i16,
    said: Said,
    /// Whether its text was told, or nothing can tell it any more.
    is_told: bool,
    /// Whether each string is told, so that it can be overwritten.
    tells_all: bool,
}

/// What a struct is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The arguments of a call.
    Arguments,
    /// The result of one: of its fields at most one is set.
    Result,
    /// TApplicationException.
    Error,
}

/// What a result has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing as yet.
    Nothing,
    /// The method returned.
    Returned,
    /// It threw the exception that the interface declares with this field.
    Declared(i16),
    /// The server, or the library in it, failed with this type of TApplicationException.
    Failed(i32),
}

/// One look at a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// So many bytes are done with, and more are needed.
    Used(usize),
    /// So many are done with, and those behind them need not be looked at.
    Skip(usize, NonZeroU64),
    /// A string stands here, of which at least the first [`LINE_LIMIT`] bytes are there if it is the
    /// text of an exception; the walk goes on behind it.
    String { content: Range<u64>, is_text: bool },
    /// So many bytes are done with, and this was said: what follows does not matter.
    Told(usize),
    /// The struct ends before this place.
    End(usize),
}

#[derive(Clone, Copy, Debug)]
enum Level {
    /// Fields, up to a stop; the last id is what the next one of the compact encoding is counted from.
    Struct { last: i16 },
    /// So many values of one kind.
    Elements { of: Kind, left: u64 },
    /// So many keys and values in turn.
    Pairs { key: Kind, value: Kind, left: u64 },
}

/// What a value is, whatever the encoding calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// So many bytes.
    Fixed(u8),
    /// A field that says itself what it is.
    Nothing,
    /// An i32.
    Number,
    Varint,
    String,
    Struct,
    Map,
    List,
}

impl Walk {
    pub(super) fn new(is_compact: bool, role: Role, tells_all: bool) -> Self {
        Self {
            is_compact,
            role,
            stack: SmallVec::from_slice(&[Level::Struct { last: 0 }]),
            due: None,
            field: 0,
            said: Said::Nothing,
            is_told: role == Role::Arguments,
            tells_all,
        }
    }

    pub(super) fn said(&self) -> Said {
        self.said
    }

    /// Goes on from the start of the input.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Walked, Stop> {
        let mut done = 0;
        loop {
            // What is not there yet comes again from the start of a field or value.
            let mut reader = Reader::new(input.get(done..).unwrap_or_default());
            let step = match self.step(&mut reader) {
                Ok(step) => step,
                Err(Stop::Short(_)) if done > 0 => return Ok(Walked::Used(done)),
                Err(stop) => return Err(stop),
            };
            let start = done + reader.offset();
            done = start;
            let (length, is_text) = match step {
                Next::Go if self.stack.is_empty() => return Ok(Walked::End(done)),
                Next::Go => continue,
                Next::Told => return Ok(Walked::Told(done)),
                Next::Pass(length) => (length, None),
                Next::String(length, is_text) => (length, Some(is_text)),
            };
            let end = start as u64 + length;
            if let Some(is_text) = is_text.filter(|is_text| *is_text || self.tells_all)
                && length > 0
            {
                return Ok(Walked::String { content: start as u64..end, is_text });
            }
            match usize::try_from(end).ok().filter(|end| *end <= input.len()) {
                Some(end) => done = end,
                None => match NonZeroU64::new(length) {
                    Some(skip) => return Ok(Walked::Skip(done, skip)),
                    None => continue,
                },
            }
        }
    }

    fn step(&mut self, reader: &mut Reader<'_>) -> Result<Next, Stop> {
        if let Some(kind) = self.due {
            return self.value(kind, reader);
        }
        match self.stack.last_mut() {
            Some(Level::Struct { .. }) => self.field(reader),
            Some(Level::Elements { left: 0, .. } | Level::Pairs { left: 0, .. }) => {
                self.stack.pop();
                Ok(Next::Go)
            }
            Some(Level::Elements { of: Kind::Fixed(size), left }) => {
                Ok(Next::Pass(u64::from(*size) * std::mem::take(left)))
            }
            Some(Level::Elements { of, left }) => {
                *left -= 1;
                self.due = Some(*of);
                Ok(Next::Go)
            }
            Some(Level::Pairs { key, value, left }) => {
                self.due = Some(if *left % 2 == 0 { *key } else { *value });
                *left -= 1;
                Ok(Next::Go)
            }
            None => Ok(Next::Go),
        }
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Result<Next, Stop> {
        let depth = self.stack.len();
        let Some(Level::Struct { last }) = self.stack.last_mut() else { return Ok(Next::Go) };
        let first = byte(reader)?;
        if first == 0 {
            self.stack.pop();
            return Ok(self.stopped(depth));
        }
        let (id, kind) = if self.is_compact {
            let kind = compact_kind(first & 0x0f, true)?;
            let id = match first >> 4 {
                0 => zigzag(varint(reader, VARINT_32)?) as i16,
                delta => last.wrapping_add(i16::from(delta)),
            };
            (id, kind)
        } else {
            let kind = binary_kind(first)?;
            let id = take(reader, 2)?;
            (id.iter().fold(0, |id, byte| id << 8 | i16::from(*byte)), kind)
        };
        *last = id;
        self.due = Some(kind).filter(|kind| *kind != Kind::Nothing);
        if depth == 1 {
            self.field = id;
            if self.role == Role::Result && self.said == Said::Nothing {
                self.said = if id == 0 { Said::Returned } else { Said::Declared(id) };
                if id == 0 || kind != Kind::Struct {
                    self.is_told = true;
                    return Ok(Next::Told);
                }
            }
        }
        Ok(Next::Go)
    }

    /// The end of the struct at this depth came.
    fn stopped(&mut self, depth: usize) -> Next {
        match (self.role, self.said, depth) {
            (Role::Result, Said::Nothing, 1) => self.said = Said::Returned,
            (Role::Error, Said::Nothing, 1) => self.said = Said::Failed(0),
            // The exception has no text.
            (Role::Result, Said::Declared(_), 2) if !self.is_told => {
                self.is_told = true;
                return Next::Told;
            }
            _ => {}
        }
        Next::Go
    }

    fn value(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Result<Next, Stop> {
        let next = match kind {
            Kind::Nothing => Next::Go,
            Kind::Fixed(size) => {
                take(reader, usize::from(size))?;
                Next::Go
            }
            Kind::Number => {
                let number = match self.is_compact {
                    true => zigzag(varint(reader, VARINT_32)?),
                    false => u32_be(reader)? as i32,
                };
                let is_type = self.role == Role::Error && self.stack.len() == 1 && self.field == 2;
                if is_type && self.said == Said::Nothing {
                    self.said = Said::Failed(number);
                }
                Next::Go
            }
            Kind::Varint => {
                varint(reader, VARINT_64)?;
                Next::Go
            }
            Kind::String => {
                let length = self.length(reader)?;
                let is_text = !self.is_told && self.is_text();
                let awaited = usize::try_from(length).unwrap_or(usize::MAX).min(LINE_LIMIT);
                let there = reader.rest().len();
                if is_text && there < awaited {
                    return Err(short(awaited - there));
                }
                self.is_told |= is_text;
                Next::String(length, is_text)
            }
            Kind::Struct => {
                self.enter(Level::Struct { last: 0 })?;
                Next::Go
            }
            Kind::List => {
                let (of, left) = self.list(reader)?;
                self.enter(Level::Elements { of, left })?;
                Next::Go
            }
            Kind::Map => {
                if let Some((key, value, pairs)) = self.map(reader)? {
                    self.enter(Level::Pairs { key, value, left: pairs * 2 })?;
                }
                Next::Go
            }
        };
        self.due = None;
        Ok(next)
    }

    /// Whether a string that comes here is the text of an exception: its first one.
    fn is_text(&self) -> bool {
        match (self.role, self.stack.as_slice()) {
            (Role::Result, [_, Level::Struct { .. }]) => matches!(self.said, Said::Declared(_)),
            (Role::Error, [Level::Struct { .. }]) => self.field == 1,
            _ => false,
        }
    }

    fn length(&self, reader: &mut Reader<'_>) -> Result<u64, Stop> {
        let length = match self.is_compact {
            true => varint(reader, VARINT_32)?,
            false => u64::from(u32_be(reader)?),
        };
        if length > LENGTH_LIMIT {
            return Err(Stop::Bad("length"));
        }
        Ok(length)
    }

    fn list(&self, reader: &mut Reader<'_>) -> Result<(Kind, u64), Stop> {
        let first = byte(reader)?;
        if !self.is_compact {
            let of = binary_kind(first)?;
            return Ok((of, self.length(reader)?));
        }
        let of = compact_kind(first & 0x0f, false)?;
        let left = match first >> 4 {
            15 => self.length(reader)?,
            short => u64::from(short),
        };
        Ok((of, left))
    }

    fn map(&self, reader: &mut Reader<'_>) -> Result<Option<(Kind, Kind, u64)>, Stop> {
        if !self.is_compact {
            let (key, value) = (byte(reader)?, byte(reader)?);
            let pairs = self.length(reader)?;
            if pairs == 0 {
                // Some write no types then.
                return Ok(None);
            }
            return Ok(Some((binary_kind(key)?, binary_kind(value)?, pairs)));
        }
        let pairs = self.length(reader)?;
        if pairs == 0 {
            return Ok(None);
        }
        let kinds = byte(reader)?;
        Ok(Some((compact_kind(kinds >> 4, false)?, compact_kind(kinds & 0x0f, false)?, pairs)))
    }

    fn enter(&mut self, level: Level) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH_LIMIT {
            return Err(Stop::Bad("depth"));
        }
        self.stack.push(level);
        Ok(())
    }
}

/// What one field header or value came to.
enum Next {
    Go,
    /// So many bytes are passed over.
    Pass(u64),
    /// So are those of a string, which may be the text of an exception.
    String(u64, bool),
    Told,
}

fn binary_kind(code: u8) -> Result<Kind, Stop> {
    Ok(match code {
        // Bool, byte.
        2 | 3 => Kind::Fixed(1),
        // Double, i64.
        4 | 10 => Kind::Fixed(8),
        6 => Kind::Fixed(2),
        8 => Kind::Number,
        11 => Kind::String,
        12 => Kind::Struct,
        13 => Kind::Map,
        // Set, list.
        14 | 15 => Kind::List,
        16 => Kind::Fixed(16),
        // fbthrift's float.
        19 => Kind::Fixed(4),
        _ => return Err(Stop::Bad("type")),
    })
}

fn compact_kind(code: u8, is_field: bool) -> Result<Kind, Stop> {
    Ok(match code {
        // A bool's value is the type of its field.
        1 | 2 if is_field => Kind::Nothing,
        1..=3 => Kind::Fixed(1),
        4 | 6 => Kind::Varint,
        5 => Kind::Number,
        7 => Kind::Fixed(8),
        8 => Kind::String,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        // A UUID. Of fbthrift it is a float, of 4 bytes: such a message is read by its frame alone.
        13 => Kind::Fixed(16),
        _ => return Err(Stop::Bad("type")),
    })
}

/// Bytes of a string, elements of a list: what is a number with a sign elsewhere.
const LENGTH_LIMIT: u64 = i32::MAX as u64;

/// Structs and containers within each other.
pub(super) const DEPTH_LIMIT: usize = 64;
