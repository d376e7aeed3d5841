//! The struct of a message in JSON, in pieces: where it ends, and what a result says. Texts are
//! shown as they are escaped.
//!
//! As TJSONProtocol writes it: a struct is `{"1":{"i32":5},…}` with ids and types of its fields, a
//! list `["str",2,"a","b"]`, a map `["str","i32",1,{"a":5}]`.

use super::stop::{Stop, short};
use super::walk::{DEPTH_LIMIT, Role, Said, Walked};
use crate::failure::LINE_LIMIT;
use memchr::memchr2;

/// Walks over what follows the head of a message, up to the bracket that ends it.
#[derive(Debug)]
pub(super) struct JsonWalk {
    role: Role,
    /// How many brackets are open; the one before the head is the first.
    depth: usize,
    /// A bit for each of them: whether it is that of an object.
    objects: u128,
    /// Whether a value comes next in an object, and no key.
    is_value: bool,
    string: InString,
    /// What type the latest key is the name of.
    key: Key,
    /// The field of the outermost struct that was begun last.
    field: i16,
    said: Said,
    is_told: bool,
    tells_all: bool,
}

/// Whether the next byte is within a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InString {
    No,
    /// One that is only passed over, or told too.
    Yes {
        is_told: bool,
        /// Whether a backslash was the last byte.
        is_escaped: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    String,
    Number,
    Other,
}

impl JsonWalk {
    pub(super) fn new(role: Role, tells_all: bool) -> Self {
        Self {
            role,
            depth: 1,
            objects: 0,
            is_value: false,
            string: InString::No,
            key: Key::Other,
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
            let rest = input.get(done..).unwrap_or_default();
            if let InString::Yes { is_told, is_escaped } = self.string {
                let used = self.pass(rest, is_escaped);
                let content = done as u64..(done + used) as u64;
                if is_told && used > 0 {
                    return Ok(Walked::String { content, is_text: false });
                }
                if used == rest.len() {
                    return used_or_short(done + used, short(1));
                }
                // The quote that ends it.
                self.string = InString::No;
                done += used + 1;
                continue;
            }
            let Some(first) = rest.first() else { return used_or_short(done, short(1)) };
            match first {
                b'"' => match self.string(rest.get(1..).unwrap_or_default()) {
                    Ok(Token::Whole(length)) => done += length + 2,
                    Ok(Token::Told(length)) => return Ok(Walked::Told(done + length + 2)),
                    Ok(Token::Long) => done += 1,
                    Ok(Token::Shown { length, is_text }) => {
                        let start = (done + 1) as u64;
                        let content = start..start + length as u64;
                        return Ok(Walked::String { content, is_text });
                    }
                    Err(stop) => return used_or_short(done, stop),
                },
                b'{' | b'[' => {
                    self.enter(*first == b'{')?;
                    done += 1;
                }
                b'}' | b']' => {
                    let is_object = self.objects >> self.depth & 1 == 1;
                    if is_object != (*first == b'}') {
                        return Err(Stop::Bad("bracket"));
                    }
                    done += 1;
                    self.depth -= 1;
                    self.is_value = false;
                    match self.depth {
                        0 => return Ok(Walked::End(done)),
                        1 if self.said == Said::Nothing && self.role == Role::Result => {
                            self.said = Said::Returned;
                        }
                        1 if self.said == Said::Nothing && self.role == Role::Error => {
                            self.said = Said::Failed(0);
                        }
                        3 if self.role == Role::Result && !self.is_told => {
                            self.is_told = true;
                            return Ok(Walked::Told(done));
                        }
                        _ => {}
                    }
                }
                b':' => {
                    self.is_value = true;
                    done += 1;
                }
                b',' => {
                    self.is_value = false;
                    done += 1;
                }
                b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b' ' => {
                    let is_of = |b: &u8| b.is_ascii_alphanumeric() || b"-+. ".contains(b);
                    let length = rest.iter().take(NUMBER_LIMIT).position(|byte| !is_of(byte));
                    let length = match length {
                        Some(length) => length,
                        None if rest.len() >= NUMBER_LIMIT => return Err(Stop::Bad("number")),
                        None => return used_or_short(done, short(1)),
                    };
                    self.number(rest.get(..length).unwrap_or_default());
                    done += length;
                }
                _ => return Err(Stop::Bad("JSON")),
            }
        }
    }

    /// How many bytes of a string are here, up to the quote that ends it.
    fn pass(&mut self, rest: &[u8], mut is_escaped: bool) -> usize {
        let mut at = 0;
        loop {
            if is_escaped {
                if at == rest.len() {
                    break;
                }
                is_escaped = false;
                at += 1;
            }
            let here = rest.get(at..).unwrap_or_default();
            match memchr2(b'"', b'\\', here) {
                Some(found) if here.get(found) == Some(&b'"') => {
                    at += found;
                    break;
                }
                Some(found) => {
                    at += found + 1;
                    is_escaped = true;
                }
                None => {
                    at = rest.len();
                    break;
                }
            }
        }
        if let InString::Yes { is_escaped: state, .. } = &mut self.string {
            *state = is_escaped;
        }
        at
    }

    /// A string begins here, behind its quote.
    fn string(&mut self, rest: &[u8]) -> Result<Token, Stop> {
        let is_key = self.objects >> self.depth & 1 == 1 && !self.is_value;
        let is_text = !is_key && !self.is_told && self.is_text();
        let limit = if is_text { LINE_LIMIT } else { SHORT_LIMIT };
        let mut end = None;
        let mut escaped = false;
        for (at, byte) in rest.iter().take(limit).enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let Some(length) = end else {
            if rest.len() < limit {
                return Err(short(1));
            }
            self.is_told |= is_text;
            self.string = InString::Yes { is_told: self.tells_all, is_escaped: false };
            if is_text {
                // An escape that the limit cuts is not shown.
                let length = if escaped { limit - 1 } else { limit };
                return Ok(Token::Shown { length, is_text });
            }
            return Ok(Token::Long);
        };
        let text = rest.get(..length).unwrap_or_default();
        if is_text && length > 0 {
            self.is_told = true;
            self.string = InString::Yes { is_told: false, is_escaped: false };
            return Ok(Token::Shown { length, is_text });
        }
        if is_key && self.key(text) {
            return Ok(Token::Told(length));
        }
        let is_format = TYPES.iter().any(|name| name.as_bytes() == text)
            || (is_key && text.len() <= 5 && text.iter().all(u8::is_ascii_digit));
        if self.tells_all && !is_format && length > 0 {
            self.string = InString::Yes { is_told: false, is_escaped: false };
            return Ok(Token::Shown { length, is_text: false });
        }
        Ok(Token::Whole(length))
    }

    /// A key of an object was read; whether it says all that matters.
    fn key(&mut self, key: &[u8]) -> bool {
        self.key = match key {
            b"str" => Key::String,
            b"i32" => Key::Number,
            _ => Key::Other,
        };
        if self.depth != 2 {
            return false;
        }
        self.field = std::str::from_utf8(key).ok().and_then(|id| id.parse().ok()).unwrap_or(-1);
        if self.role != Role::Result || self.said != Said::Nothing {
            return false;
        }
        self.said = match self.field {
            0 => Said::Returned,
            field => Said::Declared(field),
        };
        self.is_told |= self.field == 0;
        self.field == 0
    }

    /// Whether a string that is a value here is the text of an exception: its first one.
    fn is_text(&self) -> bool {
        self.key == Key::String
            && match self.role {
                Role::Result => self.depth == 5 && matches!(self.said, Said::Declared(_)),
                Role::Error => self.depth == 3 && self.field == 1,
                Role::Arguments => false,
            }
    }

    fn number(&mut self, text: &[u8]) {
        let is_type = self.role == Role::Error
            && self.depth == 3
            && self.field == 2
            && self.key == Key::Number;
        if is_type && self.said == Said::Nothing {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
            self.said = Said::Failed(number.unwrap_or(0));
        }
    }

    fn enter(&mut self, is_object: bool) -> Result<(), Stop> {
        if self.depth >= BRACKETS_LIMIT {
            return Err(Stop::Bad("depth"));
        }
        self.depth += 1;
        let bit = 1 << self.depth;
        self.objects = if is_object { self.objects | bit } else { self.objects & !bit };
        self.is_value = false;
        Ok(())
    }
}

/// What a string that begins is.
enum Token {
    /// One of so many bytes that says nothing more.
    Whole(usize),
    /// One of so many bytes, behind which nothing matters.
    Told(usize),
    /// One that goes on beyond what is looked at.
    Long,
    /// One of which so many bytes are told.
    Shown { length: usize, is_text: bool },
}

fn used_or_short(done: usize, stop: Stop) -> Result<Walked, Stop> {
    if done > 0 { Ok(Walked::Used(done)) } else { Err(stop) }
}

const TYPES: &[&str] =
    &["tf", "i8", "i16", "i32", "i64", "dbl", "str", "rec", "map", "lst", "set", "uid"];

/// Bytes of a string, with its quote, within which it is awaited whole.
const SHORT_LIMIT: usize = 24;

/// Bytes of a number.
const NUMBER_LIMIT: usize = 64;

/// Two brackets or more for each struct or container.
const BRACKETS_LIMIT: usize = if DEPTH_LIMIT * 2 < 127 { DEPTH_LIMIT * 2 } else { 127 };
