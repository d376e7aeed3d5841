//! JSON, byte by byte: values at the ends of paths. Where it is no JSON, reading ends.
//! <https://www.rfc-editor.org/rfc/rfc8259>
//!
//! ```text
//!  {"txn": {"a": [7, 8], "id": "x"}}
//!  └1──────└2────└3                    containers that are open
//!  $  .txn   .a    [1]                 steps of a path, each a container's child
//! ```

use super::super::own::{OwnField, OwnIds, Place, Step};
use super::{DEPTH_LIMIT, Found, Token};
use smallvec::SmallVec;

/// Reads JSON byte by byte.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// What is open: of arrays, the number of the element.
    open: Vec<Option<usize>>,
    /// Of each field, how many of the containers that are open lie on the way to it.
    matched: SmallVec<[usize; 4]>,
    /// The name of the member, or the value that is being read.
    token: Token,
    /// The fields that the value which comes next is the end of.
    wanted: SmallVec<[usize; 2]>,
    /// The upper half of a character that is escaped as two.
    surrogate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value, or the end of an array.
    Value,
    /// A name, or the end of an object.
    Name,
    /// The colon behind a name.
    Colon,
    /// A comma, or the end of what is open.
    After,
    /// In quotes: of a name, or of a value.
    Text {
        is_name: bool,
    },
    Escape {
        is_name: bool,
    },
    /// So many digits of a character are still to come.
    Unicode {
        is_name: bool,
        digits: u8,
        code: u32,
    },
    /// A number or a word.
    Bare,
}

impl Reader {
    pub(super) fn new(ids: &OwnIds) -> Self {
        Self {
            state: State::Value,
            open: Vec::new(),
            matched: SmallVec::from_elem(0, ids.fields().len()),
            token: Token::default(),
            wanted: SmallVec::new(),
            surrogate: 0,
        }
    }

    /// Whether it goes on.
    pub(super) fn byte(&mut self, ids: &OwnIds, byte: u8, found: &mut Found) -> bool {
        match self.state {
            State::Text { is_name } => self.text(ids, is_name, byte, found),
            State::Escape { is_name } => self.escape(is_name, byte),
            State::Unicode { is_name, digits, code } => self.unicode(is_name, digits, code, byte),
            State::Bare if !b",]} \t\r\n".contains(&byte) => {
                self.token.push(byte);
                true
            }
            State::Bare => {
                self.end(ids, found);
                self.byte(ids, byte, found)
            }
            _ if b" \t\r\n".contains(&byte) => true,
            State::Value => self.value(ids, byte),
            State::Name => match byte {
                b'"' => self.begin(State::Text { is_name: true }),
                b'}' => self.close(false),
                _ => false,
            },
            State::Colon => {
                self.state = State::Value;
                byte == b':'
            }
            State::After => match (byte, self.open.last_mut()) {
                (b',', Some(Some(number))) => {
                    *number += 1;
                    self.state = State::Value;
                    true
                }
                (b',', Some(None)) => {
                    self.state = State::Name;
                    true
                }
                (b']', _) => self.close(true),
                (b'}', _) => self.close(false),
                // Another text may follow, as on lines of their own.
                (_, None) => {
                    self.state = State::Value;
                    self.value(ids, byte)
                }
                _ => false,
            },
        }
    }

    /// A number that nothing else ends, ends.
    pub(super) fn end(&mut self, ids: &OwnIds, found: &mut Found) {
        if self.state != State::Bare {
            return;
        }
        // Words are no ids.
        if self.token.bytes.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit()) {
            self.tell(ids, found);
        }
        self.state = State::After;
    }

    fn begin(&mut self, state: State) -> bool {
        self.token.clear();
        self.surrogate = 0;
        self.state = state;
        true
    }

    /// The first byte of a value, or the end of an array.
    fn value(&mut self, ids: &OwnIds, byte: u8) -> bool {
        if byte == b']' && self.open.last() == Some(&Some(0)) {
            return self.close(true);
        }
        self.find_wanted(ids);
        match byte {
            b'{' => self.open(ids, None, State::Name),
            b'[' => self.open(ids, Some(0), State::Value),
            b'"' => self.begin(State::Text { is_name: false }),
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                self.begin(State::Bare);
                self.token.push(byte);
                true
            }
            _ => false,
        }
    }

    /// Which fields the value that begins lies on the way to, or is the end of.
    fn find_wanted(&mut self, ids: &OwnIds) {
        self.wanted.clear();
        let depth = self.open.len();
        for (place, (field, matched)) in ids.fields().iter().zip(&self.matched).enumerate() {
            let Some(steps) = steps(field) else { continue };
            let fits = match depth.checked_sub(1) {
                None => true,
                Some(level) => {
                    *matched == depth
                        && match (steps.get(level), self.open.last()) {
                            (Some(Step::Member(name)), Some(None)) => self.token.is(name),
                            (Some(Step::Element(wanted)), Some(Some(number))) => wanted == number,
                            _ => false,
                        }
                }
            };
            if fits {
                self.wanted.push(place);
            }
        }
    }

    fn open(&mut self, ids: &OwnIds, number: Option<usize>, state: State) -> bool {
        if self.open.len() >= DEPTH_LIMIT {
            return false;
        }
        self.open.push(number);
        for place in &self.wanted {
            let more = ids.fields().get(*place).and_then(steps).map_or(0, <[Step]>::len);
            if let Some(matched) = self.matched.get_mut(*place)
                && self.open.len() <= more
            {
                *matched = self.open.len();
            }
        }
        self.state = state;
        true
    }

    fn close(&mut self, is_array: bool) -> bool {
        let fits = self.open.pop().is_some_and(|number| number.is_some() == is_array);
        let depth = self.open.len();
        for matched in &mut self.matched {
            *matched = depth.min(*matched);
        }
        self.state = State::After;
        fits
    }

    fn text(&mut self, ids: &OwnIds, is_name: bool, byte: u8, found: &mut Found) -> bool {
        match byte {
            b'"' if is_name => {
                self.end_surrogate();
                self.state = State::Colon;
            }
            b'"' => {
                self.end_surrogate();
                self.tell(ids, found);
                self.state = State::After;
            }
            b'\\' => self.state = State::Escape { is_name },
            byte => {
                self.end_surrogate();
                self.token.push(byte);
            }
        }
        true
    }

    fn escape(&mut self, is_name: bool, byte: u8) -> bool {
        if byte == b'u' {
            self.state = State::Unicode { is_name, digits: 4, code: 0 };
            return true;
        }
        self.end_surrogate();
        self.token.push(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            byte => byte,
        });
        self.state = State::Text { is_name };
        true
    }

    fn unicode(&mut self, is_name: bool, digits: u8, code: u32, byte: u8) -> bool {
        let Some(digit) = char::from(byte).to_digit(16) else { return false };
        let code = code << 4 | digit;
        if digits > 1 {
            self.state = State::Unicode { is_name, digits: digits - 1, code };
            return true;
        }
        self.state = State::Text { is_name };
        match (code, self.surrogate) {
            (0xd800..=0xdbff, _) => {
                self.end_surrogate();
                self.surrogate = code;
            }
            (0xdc00..=0xdfff, high) if high != 0 => {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (code - 0xdc00);
                self.surrogate = 0;
                self.token.push_char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => {
                self.end_surrogate();
                self.token.push_char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        true
    }

    /// An upper half stands alone.
    fn end_surrogate(&mut self) {
        if std::mem::take(&mut self.surrogate) != 0 {
            self.token.push_char(char::REPLACEMENT_CHARACTER);
        }
    }

    /// A value has ended.
    fn tell(&mut self, ids: &OwnIds, found: &mut Found) {
        let Some(value) = self.token.whole() else { return };
        for place in &self.wanted {
            let Some(field) = ids.fields().get(*place) else { continue };
            if steps(field).is_some_and(|steps| steps.len() == self.open.len()) {
                found.push(field, value);
            }
        }
    }
}

fn steps(field: &OwnField) -> Option<&[Step]> {
    match &field.place {
        Place::Json(steps) => Some(steps),
        _ => None,
    }
}
