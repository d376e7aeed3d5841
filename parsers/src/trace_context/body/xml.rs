//! XML, byte by byte: the text of elements and the values of attributes at the ends of paths. Where
//! its tags do not fit, reading ends.
//! <https://www.w3.org/TR/xml/>

use super::super::own::{OwnIds, Place};
use super::{DEPTH_LIMIT, Found, Token};
use smallvec::SmallVec;

/// Reads XML byte by byte.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// How many elements are open.
    depth: usize,
    /// Of each field, how many of the elements that are open lie on the way to it.
    matched: SmallVec<[usize; 4]>,
    /// The name of a tag.
    name: Token,
    /// The name of an attribute, or what stands behind `&`.
    word: Token,
    /// The value of an attribute.
    attribute: Token,
    /// The text of the element at `text_depth`.
    value: Token,
    /// The depth of the element whose text is read, 0 for none; those within it are left out.
    text_depth: usize,
    /// The names of the elements that are open, as numbers that stand for them.
    names: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// Behind `&`, in text or in an attribute with this quote.
    Entity {
        quote: Option<u8>,
    },
    /// Behind `<`.
    Begins,
    /// In the name of an opening or closing tag.
    Name {
        is_end: bool,
    },
    /// Between the attributes of a tag; `/` has come.
    Tag {
        is_empty: bool,
    },
    /// In the name of an attribute.
    Attribute,
    /// Behind that name.
    Equals,
    Quoted {
        quote: u8,
    },
    /// Until the end of the closing tag.
    End,
    /// `<!` and so many bytes that tell what it is.
    Special {
        count: u8,
    },
    /// Until `-->`, of which so much has come.
    Comment {
        dashes: u8,
    },
    /// Until `]]>`, of which so much has come.
    Cdata {
        brackets: u8,
    },
    /// `<?` or `<!DOCTYPE`: until its `>`.
    Other {
        brackets: u8,
    },
}

impl Reader {
    pub(super) fn new(ids: &OwnIds) -> Self {
        Self {
            state: State::Text,
            depth: 0,
            matched: SmallVec::from_elem(0, ids.fields().len()),
            name: Token::default(),
            word: Token::default(),
            attribute: Token::default(),
            value: Token::default(),
            text_depth: 0,
            names: Vec::new(),
        }
    }

    /// Whether it goes on.
    pub(super) fn byte(&mut self, ids: &OwnIds, byte: u8, found: &mut Found) -> bool {
        match self.state {
            State::Text => match byte {
                b'<' => self.state = State::Begins,
                b'&' => self.begin_entity(None),
                byte => self.text(byte),
            },
            State::Entity { quote } => self.entity(quote, byte),
            State::Begins => {
                self.name.clear();
                self.state = match byte {
                    b'/' => State::Name { is_end: true },
                    b'!' => {
                        self.word.clear();
                        State::Special { count: 0 }
                    }
                    b'?' => State::Other { brackets: 0 },
                    byte => {
                        self.name.push(byte);
                        State::Name { is_end: false }
                    }
                };
            }
            State::Name { is_end } => return self.name(ids, is_end, byte, found),
            State::Tag { is_empty } => return self.tag(ids, is_empty, byte, found),
            State::Attribute => match byte {
                b'=' => self.state = State::Equals,
                b'>' | b'/' => {
                    self.state = State::Tag { is_empty: false };
                    return self.tag(ids, false, byte, found);
                }
                byte if byte.is_ascii_whitespace() => {}
                byte => self.word.push(byte),
            },
            State::Equals => match byte {
                b'"' | b'\'' => {
                    self.attribute.clear();
                    // The name of the attribute is kept beside what an entity is called.
                    self.state = State::Quoted { quote: byte };
                    self.name.clear();
                    std::mem::swap(&mut self.name, &mut self.word);
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => return false,
            },
            State::Quoted { quote } => match byte {
                b'&' => self.begin_entity(Some(quote)),
                byte if byte == quote => {
                    self.tell_attribute(ids, found);
                    self.state = State::Tag { is_empty: false };
                }
                byte => self.attribute.push(byte),
            },
            State::End => match byte {
                b'>' => self.state = State::Text,
                byte => return byte.is_ascii_whitespace(),
            },
            State::Special { count } => self.special(count, byte),
            State::Comment { dashes } => {
                self.state = match (byte, dashes) {
                    (b'>', 2) => State::Text,
                    (b'-', _) => State::Comment { dashes: (dashes + 1).min(2) },
                    _ => State::Comment { dashes: 0 },
                };
            }
            State::Cdata { brackets } => self.cdata(brackets, byte),
            State::Other { brackets } => {
                self.state = match byte {
                    b'>' if brackets == 0 => State::Text,
                    b'[' => State::Other { brackets: brackets.saturating_add(1) },
                    b']' => State::Other { brackets: brackets.saturating_sub(1) },
                    _ => State::Other { brackets },
                };
            }
        }
        true
    }

    /// A byte of text: it counts where it stands right in the element that is wanted.
    fn text(&mut self, byte: u8) {
        if self.text_depth != 0 && self.text_depth == self.depth {
            self.value.push(byte);
        }
    }

    fn name(&mut self, ids: &OwnIds, is_end: bool, byte: u8, found: &mut Found) -> bool {
        if !byte.is_ascii_whitespace() && byte != b'>' && (is_end || byte != b'/') {
            self.name.push(byte);
            return true;
        }
        if is_end {
            self.state = State::End;
            return self.close(ids, found) && self.byte(ids, byte, found);
        }
        self.state = State::Tag { is_empty: false };
        self.open(ids) && self.tag(ids, false, byte, found)
    }

    fn tag(&mut self, ids: &OwnIds, is_empty: bool, byte: u8, found: &mut Found) -> bool {
        match byte {
            b'>' => {
                self.state = State::Text;
                if is_empty {
                    return self.leave(ids, found);
                }
                self.begin_text(ids);
            }
            b'/' => self.state = State::Tag { is_empty: true },
            byte if byte.is_ascii_whitespace() => {}
            byte => {
                self.word.clear();
                self.word.push(byte);
                self.state = State::Attribute;
            }
        }
        true
    }

    fn open(&mut self, ids: &OwnIds) -> bool {
        if self.depth >= DEPTH_LIMIT {
            return false;
        }
        self.names.push(hash(&self.name));
        for (field, matched) in ids.fields().iter().zip(&mut self.matched) {
            let Place::Xml { elements, .. } = &field.place else { continue };
            let wanted = elements.get(self.depth);
            if *matched == self.depth && wanted.is_some_and(|wanted| is_named(&self.name, wanted)) {
                *matched += 1;
            }
        }
        self.depth += 1;
        true
    }

    /// The text of an element that has been opened begins.
    fn begin_text(&mut self, ids: &OwnIds) {
        let ends_here = ids.fields().iter().zip(&self.matched).any(|(field, matched)| {
            let depth = self.depth;
            *matched == depth
                && matches!(&field.place, Place::Xml { elements, attribute: None }
                    if elements.len() == depth)
        });
        if ends_here {
            // What is within another one that is wanted takes its place.
            self.value.clear();
            self.text_depth = self.depth;
        }
    }

    fn close(&mut self, ids: &OwnIds, found: &mut Found) -> bool {
        self.names.last() == Some(&hash(&self.name)) && self.leave(ids, found)
    }

    fn leave(&mut self, ids: &OwnIds, found: &mut Found) -> bool {
        if self.text_depth != 0 && self.text_depth == self.depth {
            let text = self.value.whole().unwrap_or_default().trim_ascii();
            for (field, matched) in ids.fields().iter().zip(&self.matched) {
                if let Place::Xml { elements, attribute: None } = &field.place
                    && elements.len() == self.depth
                    && *matched == self.depth
                {
                    found.push(field, text);
                }
            }
            self.text_depth = 0;
        }
        let Some(depth) = self.depth.checked_sub(1) else { return false };
        self.depth = depth;
        self.names.pop();
        for matched in &mut self.matched {
            *matched = depth.min(*matched);
        }
        true
    }

    /// `name` holds the name of the attribute.
    fn tell_attribute(&mut self, ids: &OwnIds, found: &mut Found) {
        let Some(value) = self.attribute.whole() else { return };
        for (field, matched) in ids.fields().iter().zip(&self.matched) {
            if let Place::Xml { elements, attribute: Some(attribute) } = &field.place
                && elements.len() == self.depth
                && *matched == self.depth
                && is_named(&self.name, attribute)
            {
                found.push(field, value);
            }
        }
    }

    fn begin_entity(&mut self, quote: Option<u8>) {
        self.word.clear();
        self.state = State::Entity { quote };
    }

    fn entity(&mut self, quote: Option<u8>, byte: u8) {
        let ends = byte == b';' || !(byte.is_ascii_alphanumeric() || byte == b'#');
        if !ends {
            self.word.push(byte);
            return;
        }
        let character = match self.word.whole().unwrap_or_default() {
            b"amp" => Some('&'),
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"quot" => Some('"'),
            b"apos" => Some('\''),
            other => numbered(other),
        };
        if let Some(character) = character {
            let mut room = [0; 4];
            for byte in character.encode_utf8(&mut room).bytes() {
                match quote {
                    Some(_) => self.attribute.push(byte),
                    None => self.text(byte),
                }
            }
        }
        self.state = quote.map_or(State::Text, |quote| State::Quoted { quote });
    }

    /// Tells comments, CDATA and the rest apart.
    fn special(&mut self, count: u8, byte: u8) {
        self.word.push(byte);
        self.state = match self.word.whole().unwrap_or_default() {
            b"--" => State::Comment { dashes: 0 },
            b"[CDATA[" => State::Cdata { brackets: 0 },
            word if b"--".starts_with(word) || b"[CDATA[".starts_with(word) => {
                State::Special { count: count + 1 }
            }
            _ if byte == b'>' => State::Text,
            _ => State::Other { brackets: u8::from(byte == b'[') },
        };
    }

    fn cdata(&mut self, brackets: u8, byte: u8) {
        self.state = match (byte, brackets) {
            (b'>', 2) => State::Text,
            (b']', 2) => {
                self.text(b']');
                State::Cdata { brackets: 2 }
            }
            (b']', brackets) => State::Cdata { brackets: brackets + 1 },
            (byte, brackets) => {
                (0..brackets).for_each(|_| self.text(b']'));
                self.text(byte);
                State::Cdata { brackets: 0 }
            }
        };
    }
}

/// Whether an element or attribute has this name, with its prefix or without.
fn is_named(name: &Token, wanted: &[u8]) -> bool {
    let Some(name) = name.whole() else { return false };
    let local = name.splitn(2, |byte| *byte == b':').last().unwrap_or_default();
    name == wanted || local == wanted
}

fn hash(name: &Token) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&name.bytes)
}

/// The character of `#52` or `#x34`.
fn numbered(text: &[u8]) -> Option<char> {
    let digits = std::str::from_utf8(text).ok()?.strip_prefix('#')?;
    let code = match digits.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    char::from_u32(code.ok()?)
}
