//! One reply or push as it arrives: where it ends, and how it ended.

use super::names::NAME_LIMIT;
use super::records::Finder;
use super::resp::{
    BULK_LIMIT, Stop, WHOLE_LIMIT, length, line, line_end, short, split, whole_bulk,
};
use crate::message::{Outcome, Status};
use crate::protocol::Key;
use memchr::memchr;
use smallvec::SmallVec;
use std::num::NonZeroU64;
use std::ops::Range;

/// The reply or push that the server is sending.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) key: Option<Key>,
    /// How many elements are still to come at each level, or [`STREAMED`] or [`CHUNKED`].
    pub(super) stack: SmallVec<[u64; 4]>,
    /// Whether the line end of a value comes next.
    tail: bool,
    /// Whether a line has begun that ends somewhere.
    line: bool,
    /// Whether attributes came first, and what they belong to has not.
    pub(super) status_is_due: bool,
    /// Where a value stands that was just read, or begins to be skipped.
    pub(super) value: Option<Range<u64>>,
    /// So many of the next values say what is announced, and are none.
    pub(super) plain: u8,
    /// Whether lines hold values, as those of `MONITOR` do.
    pub(super) secret_line: bool,
    /// Whether what follows is a copy of the data.
    pub(super) copy: bool,
    /// What is looked for in it, where it may transport something.
    pub(super) finder: Option<Box<Finder>>,
}

impl Reply {
    pub(super) fn is_complete(&self) -> bool {
        self.stack.is_empty() && !self.tail && !self.line
    }

    /// Whether the element that comes next is the reply itself.
    pub(super) fn is_at_top(&self) -> bool {
        self.stack.len() == 1 && !self.tail && !self.line
    }

    /// Whether an element starts next: none is under way.
    pub(super) fn is_between(&self) -> bool {
        !self.tail && !self.line
    }

    pub(super) fn read_element(&mut self, input: &[u8]) -> Result<Element, Stop> {
        if self.line {
            let end = memchr(b'\n', input);
            self.line = end.is_none();
            if self.secret_line {
                let text = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                self.value = (!text.is_empty()).then_some(0..text.len() as u64);
            }
            return match end.map_or(input.len(), |end| end + 1) {
                0 => Err(short(1)),
                bytes => Ok(Element::Used(bytes)),
            };
        }
        if self.tail {
            line_end(input)?;
            self.tail = false;
            return Ok(Element::Used(2));
        }
        let [kind, rest @ ..] = input else { return Err(short(1)) };
        let chunked = self.stack.last() == Some(&CHUNKED);
        match kind {
            b';' if chunked => {}
            _ if chunked => return Err(Stop::Bad("chunk")),
            b'.' if self.stack.last() == Some(&STREAMED) => {
                line_end(rest)?;
                self.stack.pop();
                self.leave();
                return Ok(Element::Used(3));
            }
            b'+' | b'-' | b'(' | b',' => {
                self.count();
                self.leave();
                self.line = true;
                return Ok(Element::Used(1));
            }
            b'_' => {
                line_end(rest)?;
                self.count();
                self.leave();
                return Ok(Element::Used(3));
            }
            b'#' => {
                let (value, end) = split(rest, 1)?;
                if !matches!(value, b"t" | b"f") {
                    return Err(Stop::Bad("boolean"));
                }
                line_end(end)?;
                self.count();
                self.leave();
                return Ok(Element::Used(4));
            }
            b':' | b'$' | b'!' | b'=' | b'*' | b'%' | b'~' | b'>' | b'|' => {}
            _ => return Err(Stop::Bad("reply type")),
        }
        // What belongs to the next element is none itself.
        let aggregate = matches!(kind, b'*' | b'%' | b'~' | b'>' | b'|');
        if let [b'?', end @ ..] = rest
            && (aggregate || *kind == b'$')
        {
            line_end(end)?;
            if *kind != b'|' {
                self.count();
            }
            self.enter(if *kind == b'$' { CHUNKED } else { STREAMED })?;
            return Ok(Element::Used(4));
        }
        let (rest, number) = length(rest)?;
        let used = input.len() - rest.len();
        let number = match u64::try_from(number) {
            _ if *kind == b':' => 0,
            Err(_) if number == -1 => 0,
            Ok(number) if aggregate && number <= ELEMENT_LIMIT => number,
            Ok(number) if !aggregate && number <= BULK_LIMIT as u64 => number,
            _ => return Err(Stop::Bad("length")),
        };
        let is_null = input.get(1) == Some(&b'-');
        if aggregate {
            if *kind != b'|' {
                self.count();
            }
            self.enter(if matches!(kind, b'%' | b'|') { number * 2 } else { number })?;
            return Ok(Element::Used(used));
        }
        if chunked && number == 0 {
            self.stack.pop();
            self.leave();
            return Ok(Element::Used(used));
        }
        if *kind == b':' || is_null {
            self.count();
            self.leave();
            return Ok(Element::Used(used));
        }
        if number <= WHOLE_LIMIT as u64 {
            let value = number as usize;
            line_end(split(rest, value)?.1)?;
            self.note_value(*kind, used, number);
            self.count();
            self.leave();
            return Ok(Element::Used(used + value + 2));
        }
        let Some(skip) = NonZeroU64::new(number) else { return Err(Stop::Bad("length")) };
        self.count();
        self.leave();
        self.tail = true;
        self.note_value(*kind, used, number);
        Ok(Element::Skip { used, skip })
    }

    /// Bytes of a value stand here, unless they are an error or say what is announced.
    fn note_value(&mut self, kind: u8, at: usize, len: u64) {
        if self.plain > 0 {
            self.plain -= 1;
        } else if kind != b'!' && len > 0 {
            self.value = Some(at as u64..at as u64 + len);
        }
    }

    /// One more element of the innermost level is here.
    fn count(&mut self) {
        if let Some(left) = self.stack.last_mut()
            && *left < CHUNKED
        {
            *left = left.saturating_sub(1);
        }
    }

    fn enter(&mut self, elements: u64) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH_LIMIT {
            return Err(Stop::Bad("depth"));
        }
        self.stack.push(elements);
        self.leave();
        Ok(())
    }

    /// Leaves the levels that have nothing more to come.
    fn leave(&mut self) {
        while self.stack.last() == Some(&0) {
            self.stack.pop();
        }
    }

    pub(super) fn restart(&mut self) {
        self.key = None;
        self.stack.clear();
        self.tail = false;
        self.line = false;
        self.status_is_due = false;
        self.value = None;
        self.plain = 0;
        self.secret_line = false;
        self.copy = false;
        self.finder = None;
    }
}

/// What one look at a reply came to.
pub(super) enum Element {
    Used(usize),
    Skip { used: usize, skip: NonZeroU64 },
}

/// A push, or an array or a line in its place.
pub(super) struct Announced<'b> {
    pub(super) word: &'b [u8],
    /// The channel that it is about.
    pub(super) about: &'b [u8],
    /// Whether no subscription is left.
    pub(super) last: bool,
}

/// The outcome of the reply that starts here; none if attributes come first.
pub(super) fn reply_status(input: &[u8]) -> Result<Option<Status<'_>>, Stop> {
    let text = match input {
        [] => return Err(short(1)),
        [b'|', ..] => return Ok(None),
        [b'-', rest @ ..] => rest,
        [b'!', rest @ ..] if rest.first() != Some(&b'?') => {
            let (rest, size) = length(rest)?;
            let size = usize::try_from(size).unwrap_or_default();
            split(rest, size.min(NAME_LIMIT))?.0
        }
        _ => return Ok(Some(Status { outcome: Outcome::Ok, ..Status::default() })),
    };
    let shown = text.get(..NAME_LIMIT).unwrap_or(text);
    let text = match shown.iter().position(u8::is_ascii_whitespace) {
        Some(end) => shown.get(..end).unwrap_or(shown),
        None if shown.len() < NAME_LIMIT && input.first() == Some(&b'-') => return Err(short(1)),
        None => shown,
    };
    let outcome = match text {
        b"MOVED" | b"ASK" => Outcome::Ok,
        b"LOADING" | b"OOM" | b"BUSY" | b"MASTERDOWN" | b"CLUSTERDOWN" | b"MISCONF"
        | b"NOREPLICAS" | b"TRYAGAIN" | b"UNKILLABLE" | b"IOERR" | b"NOMASTERLINK" => {
            Outcome::ServerError
        }
        _ => Outcome::ClientError,
    };
    Ok(Some(Status { outcome, code: 0, text }))
}

/// The first line of a reply, whole and well-formed; what follows it.
pub(super) fn reply_line(input: &[u8]) -> Result<&[u8], Stop> {
    let [kind, rest @ ..] = input else { return Err(short(1)) };
    let Some(line) = line(rest.get(..REPLY_LINE_LIMIT).unwrap_or(rest), 0) else {
        let fits = rest.len() < REPLY_LINE_LIMIT && b"+-:$*_#,(!=%~>|".contains(kind);
        return Err(if fits { short(1) } else { Stop::Bad("line") });
    };
    let Some(text) = line.strip_suffix(b"\r") else { return Err(Stop::Bad("line end")) };
    let is_text = text.iter().all(|b| matches!(b, b' '..=b'~'));
    let number = || matches!(length(rest), Ok((_, -1..)));
    let good = match kind {
        b'+' => is_text && !text.is_empty(),
        b'-' => is_text && text.first().is_some_and(u8::is_ascii_uppercase),
        b':' => length(rest).is_ok(),
        b'_' => text.is_empty(),
        b'#' => matches!(text, b"t" | b"f"),
        b',' => matches!(text, [b'-' | b'0'..=b'9' | b'i' | b'n', ..]) && is_text,
        b'(' => matches!(text, [b'-' | b'0'..=b'9', ..]) && is_text,
        b'$' | b'*' | b'%' | b'~' | b'>' | b'|' if text == b"?" => true,
        b'$' | b'!' | b'=' => match whole_bulk(input, WHOLE_LIMIT) {
            Ok(_) | Err(Stop::Short(_)) => number(),
            Err(Stop::Bad(_)) => false,
        },
        b'*' | b'%' | b'~' | b'>' | b'|' => number(),
        _ => false,
    };
    if !good {
        return Err(Stop::Bad("reply"));
    }
    Ok(rest.get(line.len() + 1..).unwrap_or_default())
}

const ELEMENT_LIMIT: u64 = u32::MAX as u64;

pub(super) const DEPTH_LIMIT: usize = 32;

const REPLY_LINE_LIMIT: usize = 512;

/// Levels that end with an element of their own: an aggregate with `.`, a string with `;0`.
const STREAMED: u64 = u64::MAX;

const CHUNKED: u64 = u64::MAX - 1;

pub(super) const ANNOUNCED: &[&str] = &[
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "invalidate",
];
