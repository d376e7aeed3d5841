//! Parts of a statement to its text without what differs from call to call: `?` for literals and
//! for lists of them, one space for many, no comments.

use smallvec::SmallVec;

/// The text of one statement as it grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    text: Vec<u8>,
    /// The text has reached [`TEXT_LIMIT`]; nothing is added any more.
    full: bool,
    /// White space comes before the next part.
    space: bool,
    last: Last,
    /// Parentheses that are open, the statement itself as the first one.
    levels: SmallVec<[Level; 8]>,
    /// Those that are open beyond [`LEVEL_LIMIT`].
    deeper: u32,
}

/// The last part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    /// Something behind which a sign is a number's own.
    #[default]
    Operator,
    /// Something behind which a sign adds or subtracts, and a parenthesis calls.
    Name,
    /// The same, but for the parenthesis.
    Operand,
    Literal,
    /// A sign that may belong to a literal, and where the text ended before it.
    Sign(usize),
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// Where its opening parenthesis stands in the text.
    start: usize,
    content: Content,
    /// The group in it that ended last, where only a comma has come since.
    previous: Option<(usize, usize)>,
}

/// What stands between two parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    /// Literals, parameters and commas.
    Values,
    /// Something else, with values.
    Mixed,
    /// No values.
    Names,
    /// The arguments of a call; they are not taken together.
    Arguments,
}

impl Shape {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.levels.clear();
        *self = Self {
            text: std::mem::take(&mut self.text),
            levels: std::mem::take(&mut self.levels),
            ..Self::default()
        };
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn space(&mut self) {
        self.space = !self.text.is_empty();
    }

    /// A word, as it is written and in upper case.
    pub(super) fn word(&mut self, word: &[u8], upper: &[u8]) {
        if is_value(upper) {
            self.fill(Content::Values);
            self.last = Last::Operand;
        } else {
            self.fill(Content::Names);
            self.last = if is_keyword(upper) { Last::Operator } else { Last::Name };
        }
        self.put(word);
    }

    pub(super) fn identifier(&mut self, quote: u8, name: &[u8]) {
        self.fill(Content::Names);
        self.put(&[quote]);
        self.add(name);
        self.add(&[quote]);
        self.last = Last::Name;
    }

    /// A literal in whose place `?` stands.
    pub(super) fn masked_literal(&mut self) {
        match self.last {
            // Literals side by side are one.
            Last::Literal => {
                self.space = false;
                return;
            }
            Last::Sign(before) if !self.full => {
                self.text.truncate(before);
                self.space = false;
            }
            _ => {}
        }
        self.value(b"?");
        self.last = Last::Literal;
    }

    /// A literal that is shown begins; [`Self::add`] gives its bytes.
    pub(super) fn shown_literal(&mut self) {
        self.fill(Content::Names);
        self.put(b"");
        self.last = Last::Operand;
    }

    pub(super) fn placeholder(&mut self, text: &[u8]) {
        self.value(text);
        self.last = Last::Operand;
    }

    pub(super) fn open_comment(&mut self, opening: &[u8]) {
        self.put(opening);
        self.space = true;
    }

    pub(super) fn close_comment(&mut self) {
        self.space = true;
        self.put(b"*/");
        self.space = true;
    }

    pub(super) fn sign(&mut self, byte: u8) {
        match byte {
            b'(' | b'[' => self.open(byte),
            b')' | b']' => self.close(byte),
            b',' => {
                self.space = false;
                if let Some(level) = self.levels.last_mut()
                    && level.content == Content::Nothing
                {
                    level.content = Content::Names;
                }
                self.put(b",");
                self.last = Last::Operator;
            }
            b'+' | b'-' if matches!(self.last, Last::Operator | Last::Sign(_)) => {
                let before = match self.last {
                    Last::Sign(before) => before,
                    _ => self.text.len(),
                };
                let space = self.space;
                self.put(&[byte]);
                // The space stays if the sign goes.
                self.last = Last::Sign(before + usize::from(space));
            }
            b'.' => {
                self.put(b".");
                self.last = Last::Name;
            }
            b';' => {
                self.space = false;
                self.put(b";");
                self.last = Last::Operator;
            }
            _ => {
                self.fill(Content::Names);
                self.put(&[byte]);
                self.last = Last::Operator;
            }
        }
    }

    /// The end of the text tells that there was more.
    pub(super) fn end(&mut self) {
        let kept = self.text.trim_ascii_end().len();
        self.text.truncate(kept);
        if self.full {
            self.text.extend_from_slice("…".as_bytes());
        }
    }

    fn open(&mut self, byte: u8) {
        let content = match self.last {
            Last::Name | Last::Operand if !self.text.is_empty() => Content::Arguments,
            _ => Content::Nothing,
        };
        if let Some(level) = self.levels.last_mut() {
            // What stands in here is no plain list any more.
            level.content = match level.content {
                Content::Nothing => Content::Names,
                Content::Values => Content::Mixed,
                other => other,
            };
        } else {
            self.levels.push(Level { start: 0, content: Content::Arguments, previous: None });
        }
        self.put(&[byte]);
        self.last = Last::Operator;
        if self.levels.len() > LEVEL_LIMIT {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        let start = self.text.len().saturating_sub(1);
        self.levels.push(Level { start, content, previous: None });
    }

    fn close(&mut self, byte: u8) {
        self.space = false;
        self.last = Last::Operand;
        if self.deeper > 0 {
            self.deeper -= 1;
            self.put(&[byte]);
            return;
        }
        let level = if self.levels.len() > 1 { self.levels.pop() } else { None };
        let Some(level) = level else {
            self.put(&[byte]);
            return;
        };
        if level.content == Content::Values && !self.full {
            self.text.truncate(level.start + 1);
            self.text.push(b'?');
        }
        self.put(&[byte]);
        if let Some(above) = self.levels.last_mut() {
            above.content = match (above.content, level.content) {
                (Content::Names, Content::Values | Content::Mixed) => Content::Mixed,
                (content, _) => content,
            };
        }
        if matches!(level.content, Content::Values | Content::Mixed) && !self.full {
            self.drop_repeated(level.start);
        }
    }

    /// Drops the group from `start` on if the one before it is the same.
    fn drop_repeated(&mut self, start: usize) {
        let Some(above) = self.levels.last_mut() else { return };
        let group = self.text.get(start..).unwrap_or_default();
        if let Some((from, to)) = above.previous
            && let Some(between) = self.text.get(to..start)
            && between.trim_ascii() == b","
            && self.text.get(from..to) == Some(group)
        {
            self.text.truncate(to);
        } else {
            above.previous = Some((start, self.text.len()));
        }
    }

    fn value(&mut self, text: &[u8]) {
        self.fill(Content::Values);
        self.put(text);
    }

    /// Something of this kind stands between the innermost parentheses.
    fn fill(&mut self, kind: Content) {
        if let Some(level) = self.levels.last_mut() {
            level.content = match (level.content, kind) {
                (Content::Arguments, _) => Content::Arguments,
                (Content::Nothing, kind) => kind,
                (Content::Values, Content::Values) => Content::Values,
                (Content::Names, Content::Names) => Content::Names,
                _ => Content::Mixed,
            };
        }
    }

    /// A part, with the white space before it.
    fn put(&mut self, part: &[u8]) {
        if self.space {
            self.add(b" ");
            self.space = false;
        }
        self.add(part);
    }

    /// More of the last part.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.full {
            return;
        }
        let free = TEXT_LIMIT.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..free).unwrap_or(bytes));
        self.full = bytes.len() > free;
    }
}

/// Words that stand for a value.
fn is_value(upper: &[u8]) -> bool {
    matches!(upper, b"NULL" | b"TRUE" | b"FALSE" | b"DEFAULT")
}

/// Words behind which a parenthesis holds a list and no arguments, and a sign is a number's own.
#[rustfmt::skip]
fn is_keyword(upper: &[u8]) -> bool {
    matches!(
        upper,
        b"IN" | b"VALUES" | b"VALUE" | b"AND" | b"OR" | b"NOT" | b"SELECT" | b"WHERE" | b"ANY"
            | b"ALL" | b"SOME" | b"ARRAY" | b"ROW" | b"BETWEEN" | b"LIKE" | b"ON" | b"BY"
            | b"HAVING" | b"WHEN" | b"THEN" | b"ELSE" | b"CASE" | b"IS" | b"FROM" | b"SET"
            | b"LIMIT" | b"OFFSET" | b"RETURNING" | b"DISTINCT" | b"AS" | b"INTERVAL" | b"DIV"
            | b"MOD" | b"XOR" | b"REGEXP" | b"RLIKE" | b"ILIKE" | b"UNION" | b"USING" | b"TO"
    )
}

/// Bytes of text that are kept of a statement.
pub(super) const TEXT_LIMIT: usize = 4 << 10;
const LEVEL_LIMIT: usize = 64;
