//! One command as it arrives: what it is, what it is applied to, and what is shown of it.

use super::names::{NAME_LIMIT, Shape, known_shape};
use super::records::{Finder, Sends, Told, queue_name};
use super::resp::{BULK_LIMIT, Stop, WHOLE_LIMIT, length, line_end, short, split};
use crate::message::Role;
use crate::protocol::{Key, Out, Step};
use crate::secrets::Secrets;
use crate::secrets::scan::{Scanner, may_hold};
use crate::settings::Settings;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;

/// The command that the client is sending.
#[derive(Default)]
pub(super) struct Command {
    /// Arguments still to come.
    pub(super) left: u64,
    /// Arguments read.
    pub(super) read: usize,
    /// Where the next one starts in the bytes that are not used yet.
    pub(super) at: usize,
    /// Whether the line end of a skipped argument comes next.
    pub(super) tail: bool,
    /// Set once it was opened; until then none of its bytes are used.
    pub(super) key: Option<Key>,
    pub(super) shape: Shape,
    /// So many arguments say what it is and what it is applied to.
    pub(super) need: usize,
    pub(super) operation: Vec<u8>,
    pub(super) resource: Vec<u8>,
    pub(super) text: Vec<u8>,
    /// How much of it is shown.
    pub(super) shown: Shown,
    /// Whether `text` is at its limit.
    full: bool,
    /// Whether some of its arguments are secrets.
    secret: bool,
    /// Whether it stores values under names.
    stores: bool,
    /// So many of the next arguments are secrets.
    masked: usize,
    /// Where bytes stand that are not shown, in the bytes that are not used yet.
    pub(super) hidden: Vec<Range<u64>>,
    /// What its arguments transport.
    pub(super) sends: Sends,
    /// The digests of values that were read and not told yet.
    pub(super) sent: Vec<u64>,
    /// Whether what is awaited last is looked for in its own reply.
    pub(super) searched: bool,
    /// The second argument, where that is a list that gets what is taken.
    pub(super) second: Vec<u8>,
    /// The last word of `CLIENT REPLY`.
    pub(super) switch: Option<Answers>,
}

impl Command {
    /// One argument, from `at` on; how much of it is to be skipped where it is long.
    pub(super) fn read_argument(
        &mut self,
        input: &[u8],
        settings: &Settings,
    ) -> Result<Option<NonZeroU64>, Stop> {
        let rest = input.get(self.at..).unwrap_or_default();
        if self.tail {
            line_end(rest)?;
            self.at += 2;
            self.tail = false;
            return Ok(None);
        }
        let [b'$', digits @ ..] = rest else {
            return Err(if rest.is_empty() { short(1) } else { Stop::Bad("argument") });
        };
        let (value, size) = length(digits)?;
        let size = match usize::try_from(size) {
            Ok(size) if size <= BULK_LIMIT => size,
            _ => return Err(Stop::Bad("bulk length")),
        };
        if size <= WHOLE_LIMIT {
            let at = input.len() - value.len();
            let (value, rest) = split(value, size)?;
            line_end(rest)?;
            self.take(value, size, at, settings)?;
            self.at = input.len() - rest.len() + 2;
            self.left -= 1;
            return Ok(None);
        }
        let first = if self.sends == Sends::Nothing { self.shown.value } else { WHOLE_LIMIT };
        let (shown, _) = split(value, first)?;
        self.at = input.len() - value.len();
        self.take(shown, size, self.at, settings)?;
        self.left -= 1;
        self.tail = true;
        Ok(NonZeroU64::new(size as u64))
    }

    /// Stores what is shown of the next argument, of which the first bytes are given, and where
    /// they stand in the input.
    pub(super) fn take(
        &mut self,
        value: &[u8],
        size: usize,
        at: usize,
        settings: &Settings,
    ) -> Result<(), Stop> {
        let place = self.read;
        self.read += 1;
        if place == 0 {
            if size > NAME_LIMIT || size == 0 || !value.iter().all(u8::is_ascii_graphic) {
                return Err(Stop::Bad("command name"));
            }
            self.operation.extend(value.iter().map(u8::to_ascii_uppercase));
            // Commands of modules, which have a dot, have their key or index first.
            self.shape = match known_shape(&self.operation) {
                Some(shape) => shape,
                None if self.operation.contains(&b'.') => Shape::Key(1),
                None => Shape::Bare,
            };
            self.need = self.shape.need();
            self.sends = Sends::of(&self.operation);
            if self.sends == Sends::Moves {
                self.need += 1;
            }
            self.secret = SECRET.iter().any(|name| name.as_bytes() == self.operation);
            self.stores =
                STORES.binary_search_by(|name| name.as_bytes().cmp(&self.operation)).is_ok();
            self.text.extend_from_slice(value);
            return Ok(());
        }
        match self.shape {
            Shape::Sub(_) if place == 1 => {
                let plain = |b: &u8| b.is_ascii_alphabetic() || *b == b'-';
                if size <= NAME_LIMIT && value.iter().all(plain) {
                    self.operation.push(b' ');
                    self.operation.extend(value.iter().map(u8::to_ascii_uppercase));
                }
                if self.operation == b"CLIENT REPLY" {
                    self.need = 3;
                }
            }
            Shape::Sub(_) if place == 2 && self.operation == b"CLIENT REPLY" => {
                self.switch = SWITCHES
                    .iter()
                    .find(|(name, _)| value.eq_ignore_ascii_case(name.as_bytes()))
                    .map(|(_, switch)| *switch);
            }
            // No key follows a count of none.
            Shape::Counted(key) if place + 1 == key && value == b"0" => self.shape = Shape::Bare,
            Shape::Streams if self.read < STREAMS_LIMIT => {
                self.need = self.read + 1;
                if value.eq_ignore_ascii_case(b"STREAMS") {
                    self.shape = Shape::Key(self.read);
                }
            }
            _ => {}
        }
        if self.shape.key() == Some(place) {
            let shown = value.get(..self.shown.value).unwrap_or(value);
            self.resource.extend_from_slice(shown);
        }
        let secrets = &settings.secrets;
        let is_secret = !secrets.are_shown()
            && ((self.secret && self.is_secret(value, secrets))
                || (self.stores && self.is_stored_secret(value, secrets)));
        let mut hide = |from: usize, to: usize| {
            if settings.locate_secrets && from < to {
                self.hidden.push((at + from) as u64..(at + to) as u64);
            }
        };
        if is_secret {
            hide(0, size);
            self.show(b"?", 1);
            return Ok(());
        }
        self.sent.extend(self.sends.value(place, value, size));
        if self.sends == Sends::Moves && place == 2 {
            self.second.extend_from_slice(queue_name(value));
        }
        let shown = value.get(..self.shown.value).unwrap_or(value);
        hide(shown.len(), size);
        // A value may be a text with names of its own, such as JSON.
        let is_key = self.shape.key() == Some(place);
        if is_key || !may_hold(secrets, shown) {
            self.show(shown, size);
            return Ok(());
        }
        let mut plain = Vec::new();
        let mut copied = 0;
        Scanner::default().read(secrets, shown, &mut |range| {
            hide(range.start, range.end);
            plain.extend_from_slice(shown.get(copied..range.start).unwrap_or_default());
            plain.push(b'?');
            copied = range.end;
        });
        plain.extend_from_slice(shown.get(copied..).unwrap_or_default());
        self.show(&plain, plain.len() + size.saturating_sub(shown.len()));
        Ok(())
    }

    fn show(&mut self, value: &[u8], size: usize) {
        if self.full {
            if !self.text.ends_with(CUT.as_bytes()) {
                self.text.extend_from_slice(CUT.as_bytes());
            }
            return;
        }
        // Room for a space, for the mark of a cut value, and for that of cut arguments.
        let Shown { command, value: longest } = self.shown;
        let room = command.saturating_sub(self.text.len() + 1 + 2 * CUT.len());
        let shown = value.get(..room.min(longest)).unwrap_or(value);
        self.text.push(b' ');
        self.text.extend_from_slice(shown);
        if shown.len() < size {
            self.text.extend_from_slice(CUT.as_bytes());
        }
        self.full = self.text.len() + 1 + 2 * CUT.len() >= command;
    }

    /// Whether it is a value whose key, or name before it, says that it is secret.
    fn is_stored_secret(&mut self, value: &[u8], secrets: &Secrets) -> bool {
        if self.masked > 0 {
            self.masked -= 1;
            return true;
        }
        if value.len() <= NAME_LIMIT && secrets.are_named_in(value) {
            let is_key = self.shape.key() == Some(self.read - 1);
            self.masked = if is_key { usize::MAX } else { 1 };
        }
        false
    }

    fn is_secret(&mut self, value: &[u8], secrets: &Secrets) -> bool {
        if self.masked > 0 {
            self.masked -= 1;
            return true;
        }
        match self.operation.as_slice() {
            b"AUTH" => return true,
            b"ACL SETUSER" => return matches!(value, [b'>' | b'<' | b'#' | b'!', ..]),
            b"HELLO" if value.eq_ignore_ascii_case(b"AUTH") => self.masked = 2,
            b"MIGRATE" if value.eq_ignore_ascii_case(b"AUTH") => self.masked = 1,
            b"MIGRATE" if value.eq_ignore_ascii_case(b"AUTH2") => self.masked = 2,
            b"CONFIG SET" | b"SENTINEL SET" | b"SENTINEL CONFIG" | b"MODULE LOADEX"
                if secrets.has(value) =>
            {
                self.masked = 1;
            }
            _ => {}
        }
        false
    }

    /// Tells where bytes stand that are not shown, once the command was opened.
    pub(super) fn tell_hidden(&mut self, out: &mut dyn Out) {
        if let Some(key) = self.key {
            self.hidden.drain(..).for_each(|range| out.secret(key, range));
        }
    }

    /// Tells what it puts into a list, stream or channel, once it was opened, unless the reply
    /// will.
    pub(super) fn tell_sent(
        &mut self,
        mut finder: Option<&mut Finder>,
        settings: &Settings,
        out: &mut dyn Out,
    ) {
        if let Some(key) = self.key {
            let queue = queue_name(&self.resource);
            let mut told = Told { key, secrets: &settings.secrets, out };
            for digest in self.sent.drain(..) {
                if !finder.as_mut().is_some_and(|finder| finder.sent(digest)) {
                    told.tell(Role::Produced, queue, digest, b"");
                }
            }
        }
    }

    /// Hands over what was read of an open command; an unopened one waits with all its bytes.
    pub(super) fn pause(&mut self, more: NonZeroUsize, out: &mut dyn Out) -> Result<Step, Stop> {
        match (self.key, NonZeroUsize::new(self.at)) {
            (Some(key), Some(at)) => {
                out.extend(key, at.get());
                self.at = 0;
                Ok(Step::Used(at))
            }
            _ => Err(Stop::Short(more)),
        }
    }

    /// Makes ready for the next command, buffers kept; where this one ended.
    pub(super) fn restart(&mut self) -> usize {
        self.operation.clear();
        self.resource.clear();
        self.text.clear();
        self.hidden.clear();
        self.sent.clear();
        self.second.clear();
        let end = self.at;
        *self = Self {
            operation: std::mem::take(&mut self.operation),
            resource: std::mem::take(&mut self.resource),
            text: std::mem::take(&mut self.text),
            hidden: std::mem::take(&mut self.hidden),
            sent: std::mem::take(&mut self.sent),
            second: std::mem::take(&mut self.second),
            shown: self.shown,
            ..Self::default()
        };
        end
    }
}

/// The words of an inline command; quotes hold one together.
pub(super) struct Words<'b>(pub(super) &'b [u8]);

impl<'b> Iterator for Words<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let text = self.0.trim_ascii_start();
        let quote = *text.first()?;
        if quote == b'"' || quote == b'\'' {
            let text = text.get(1..)?;
            let mut end = 0;
            while let Some(byte) = text.get(end) {
                match *byte {
                    b'\\' => end += 2,
                    byte if byte == quote => break,
                    _ => end += 1,
                }
            }
            self.0 = text.get(end + 1..).unwrap_or_default();
            return Some(text.get(..end).unwrap_or(text));
        }
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }
}

/// Whether the server answers (`CLIENT REPLY`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    On,
    Off,
    SkipNext,
}

/// How many bytes of a command are shown, and of each of its arguments.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) command: usize,
    pub(super) value: usize,
}

impl Shown {
    /// What tells commands apart.
    pub(super) const SOME: Self = Self { command: 256, value: 128 };
    /// For those who want details.
    pub(super) const MUCH: Self = Self { command: 3 << 10, value: 1 << 10 };
}

impl Default for Shown {
    fn default() -> Self {
        Self::SOME
    }
}

/// `STREAMS` stands among so many first arguments.
const STREAMS_LIMIT: usize = 16;
pub(super) const CUT: &str = "…";

const SWITCHES: &[(&str, Answers)] =
    &[("ON", Answers::On), ("OFF", Answers::Off), ("SKIP", Answers::SkipNext)];

/// Commands that may carry secrets.
const SECRET: &[&str] = &["ACL", "AUTH", "CONFIG", "HELLO", "MIGRATE", "MODULE", "SENTINEL"];

/// Commands that store values, the secret ones of which are known by the name before them; sorted.
const STORES: &[&str] = &[
    "APPEND", "GETSET", "HMSET", "HSET", "HSETEX", "HSETNX", "JSON.SET", "LPUSH", "LPUSHX", "MSET",
    "MSETNX", "PSETEX", "RPUSH", "RPUSHX", "SADD", "SET", "SETEX", "SETNX", "SETRANGE", "XADD",
];

pub(super) const ARGUMENT_LIMIT: i64 = i32::MAX as i64;
