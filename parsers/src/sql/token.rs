//! Bytes of a statement to its words, names, literals, signs and comments, however they are cut.
//! <https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>,
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

use super::Dialect;
use memchr::{memchr, memchr2};
use std::ops::Range;

/// What is made of a statement's parts, in their order.
pub(super) trait Tokens {
    /// White space, or a comment.
    fn space(&mut self);
    /// A word that is not quoted: a keyword, a name, a variable. Cut behind [`WORD_LIMIT`].
    fn word(&mut self, word: &[u8]);
    /// A quoted name, as it stands between its quotes. Cut behind [`WORD_LIMIT`].
    fn identifier(&mut self, quote: u8, name: &[u8]);
    /// A literal begins.
    fn literal(&mut self);
    /// Bytes of the literal that began last, quotes and all.
    fn literal_bytes(&mut self, bytes: &[u8]);
    /// A place for a parameter: `?` or `$1`.
    fn placeholder(&mut self, text: &[u8]);
    /// Any other byte.
    fn sign(&mut self, byte: u8);
    /// Bytes of a comment, with what closes it; `secret` is told which of them are secret.
    fn comment_bytes(&mut self, bytes: &[u8], secret: &mut dyn FnMut(Range<usize>));
    /// What the comment says that is over. Cut behind [`COMMENT_LIMIT`].
    fn comment(&mut self, content: &[u8]);
    /// What stands in a comment is read by the server: `/*+` or `/*!50700`.
    fn open_comment(&mut self, opening: &[u8], inside: Inside);
    /// Such a comment ends.
    fn close_comment(&mut self);
}

/// What a comment holds that the server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// Hints for the optimizer.
    Hint,
    /// A part of the statement.
    Code,
}

/// What a backslash is in a literal between single quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backslash {
    /// It takes the next character's meaning away.
    Escapes,
    /// It does so, unless it is the second byte of a character, as it may be in GBK, GB 18030, Big5
    /// and Shift JIS.
    EscapesAmongDoubleBytes,
    /// A character like any other.
    Plain,
}

/// Where reading stands between two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    Word,
    Number {
        /// The last byte, as a sign may follow an exponent.
        last: u8,
        /// A number of base 16 has no exponent.
        exponent: bool,
    },
    Quoted(Quoted),
    /// Behind a backslash.
    Escaped(Quoted),
    /// Behind a quote: another one says that it was no end.
    Closed(Quoted),
    /// Behind a `$`, with what may be a tag.
    Dollar,
    Parameter,
    /// Between two tags, with so many bytes of the second one seen.
    Tagged {
        matched: usize,
    },
    /// A literal whose end cannot be known.
    Endless,
    Dash,
    Dashes,
    Slash,
    Star,
    LineComment,
    CommentOpened,
    /// Behind `/*M`, as MariaDB has `/*M!`.
    CommentM,
    /// In the version behind `/*!`.
    Version,
    Comment {
        depth: u32,
        last: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quoted {
    quote: u8,
    backslash: Backslash,
    literal: bool,
}

/// Cuts statements into their parts; what it keeps is bounded.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    dialect: Dialect,
    backslash: Backslash,
    state: State,
    /// A word, name, tag or comment that is not over.
    room: Vec<u8>,
    /// Whether a comment is read that the server reads.
    inside: Option<Inside>,
    /// A literal of PostgreSQL with escapes is over, which the next one goes on with if only white
    /// space and line comments stand between.
    continues: bool,
    /// Characters may have two bytes, and whether the last byte was the first of two.
    double_bytes: Option<Lead>,
}

/// Whether the byte before was the first of a character of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Seen,
    Not,
}

impl Scanner {
    pub(super) fn new(dialect: Dialect) -> Self {
        let backslash = match dialect {
            Dialect::MySql => Backslash::Escapes,
            Dialect::PostgreSql => Backslash::Plain,
        };
        Self {
            dialect,
            backslash,
            state: State::Plain,
            room: Vec::new(),
            inside: None,
            continues: false,
            double_bytes: None,
        }
    }

    pub(super) fn set_backslash(&mut self, backslash: Backslash) {
        self.double_bytes = None;
        self.backslash = backslash;
        if backslash == Backslash::EscapesAmongDoubleBytes {
            self.double_bytes = Some(Lead::Not);
            self.backslash = Backslash::Escapes;
        }
    }

    pub(super) fn restart(&mut self) {
        self.state = State::Plain;
        self.room.clear();
        self.inside = None;
        self.continues = false;
        self.double_bytes = self.double_bytes.map(|_| Lead::Not);
    }

    /// Reads on; `literal` is told which bytes of the piece belong to literals, without quotes.
    pub(super) fn read(
        &mut self,
        piece: &[u8],
        tokens: &mut impl Tokens,
        literal: &mut dyn FnMut(Range<usize>),
    ) {
        let Some(mut lead) = self.double_bytes else {
            return self.scan(piece, tokens, literal);
        };
        let mut start = 0;
        for part in piece.chunks(DOUBLE_BYTES_ROOM) {
            let mut room = [0; DOUBLE_BYTES_ROOM];
            for (to, byte) in room.iter_mut().zip(part) {
                (*to, lead) = without_signs(*byte, lead);
            }
            let part = room.get(..part.len()).unwrap_or(part);
            self.scan(part, tokens, &mut |range| literal(start + range.start..start + range.end));
            start += part.len();
        }
        self.double_bytes = Some(lead);
    }

    fn scan(
        &mut self,
        piece: &[u8],
        tokens: &mut impl Tokens,
        literal: &mut dyn FnMut(Range<usize>),
    ) {
        let mut at = 0;
        while let Some((first, _)) = piece.get(at..).and_then(<[u8]>::split_first) {
            let rest = piece.get(at..).unwrap_or_default();
            let mut literal = |range: Range<usize>| {
                if !range.is_empty() {
                    literal(at + range.start..at + range.end);
                }
            };
            at += match self.state {
                State::Plain => self.plain(*first, rest, tokens),
                State::Word => self.word(rest, tokens),
                State::Number { last, exponent } => {
                    self.number(last, exponent, rest, tokens, &mut literal)
                }
                State::Quoted(quoted) => self.quoted(quoted, rest, tokens, &mut literal),
                State::Escaped(quoted) => {
                    if quoted.literal {
                        literal(0..1);
                        tokens.literal_bytes(&[*first]);
                    }
                    self.state = State::Quoted(quoted);
                    1
                }
                State::Closed(quoted) => self.closed(quoted, *first, tokens),
                State::Dollar => self.dollar(rest, tokens),
                State::Parameter => self.parameter(rest, tokens),
                State::Tagged { matched } => self.tagged(matched, rest, tokens, &mut literal),
                State::Endless => {
                    literal(0..rest.len());
                    tokens.literal_bytes(rest);
                    rest.len()
                }
                State::Dash => self.dash(*first, tokens),
                State::Dashes => self.dashes(*first, tokens),
                State::Slash => self.slash(*first, tokens),
                State::Star => self.star(*first, tokens),
                State::LineComment => self.line_comment(rest, tokens, &mut literal),
                State::CommentOpened => self.comment_opened(*first, tokens),
                State::CommentM => self.comment_m(*first),
                State::Version => self.version(rest, tokens),
                State::Comment { depth, last } => {
                    self.comment(depth, last, rest, tokens, &mut literal)
                }
            };
        }
    }

    /// The statement is over, or will not go on.
    pub(super) fn end(&mut self, tokens: &mut impl Tokens) {
        match self.state {
            State::Word => tokens.word(&self.room),
            State::Quoted(quoted) | State::Escaped(quoted) | State::Closed(quoted) => {
                if !quoted.literal {
                    tokens.identifier(quoted.quote, &self.room);
                }
            }
            State::Dollar => {
                tokens.sign(b'$');
                tokens.word(&self.room);
            }
            State::Parameter => tokens.placeholder(&self.room),
            State::Dash => tokens.sign(b'-'),
            State::Slash => tokens.sign(b'/'),
            State::Star => tokens.sign(b'*'),
            State::LineComment | State::Comment { .. } => tokens.comment(&self.room),
            State::Version => {
                tokens.open_comment(&self.room, Inside::Code);
            }
            State::Plain
            | State::Number { .. }
            | State::Tagged { .. }
            | State::Endless
            | State::Dashes
            | State::CommentOpened
            | State::CommentM => {}
        }
        self.restart();
    }

    fn plain(&mut self, first: u8, rest: &[u8], tokens: &mut impl Tokens) -> usize {
        let mysql = self.dialect == Dialect::MySql;
        if is_space(first) {
            tokens.space();
            return run(rest, is_space);
        }
        let continues = self.continues;
        self.continues &= first == b'-';
        self.state = match first {
            b'0'..=b'9' => {
                tokens.literal();
                self.state = State::Number { last: 0, exponent: true };
                return 0;
            }
            b'$' if !mysql => State::Dollar,
            b'@' if !mysql => {
                tokens.sign(first);
                State::Plain
            }
            _ if is_word(first) => {
                self.state = State::Word;
                return 0;
            }
            b'\'' if continues => self.open_literal(first, Backslash::Escapes, tokens),
            b'\'' => self.open_literal(first, self.backslash, tokens),
            b'"' if mysql => self.open_literal(first, self.backslash, tokens),
            b'"' | b'`' if mysql || first == b'"' => {
                State::Quoted(Quoted { quote: first, backslash: Backslash::Plain, literal: false })
            }
            b'-' => State::Dash,
            b'/' => State::Slash,
            b'*' if self.inside.is_some() => State::Star,
            b'#' if mysql => State::LineComment,
            b'?' if mysql => {
                tokens.placeholder(b"?");
                State::Plain
            }
            _ => {
                tokens.sign(first);
                State::Plain
            }
        };
        1
    }

    fn open_literal(&self, quote: u8, backslash: Backslash, tokens: &mut impl Tokens) -> State {
        tokens.literal();
        tokens.literal_bytes(&[quote]);
        State::Quoted(Quoted { quote, backslash, literal: true })
    }

    fn word(&mut self, rest: &[u8], tokens: &mut impl Tokens) -> usize {
        // In PostgreSQL `@` is an operator.
        let mysql = self.dialect == Dialect::MySql;
        let length = run(rest, |byte| is_word(byte) && (mysql || byte != b'@'));
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let Some(next) = after.first() else {
            self.keep(word, WORD_LIMIT);
            return length;
        };
        let word = if self.room.is_empty() {
            word.get(..WORD_LIMIT).unwrap_or(word)
        } else {
            self.keep(word, WORD_LIMIT);
            &self.room
        };
        let used = match (word, next) {
            ([b'e' | b'E'], b'\'') if self.dialect == Dialect::PostgreSql => {
                self.state = self.open_literal(*next, Backslash::Escapes, tokens);
                length + 1
            }
            ([b'b' | b'B' | b'x' | b'X' | b'n' | b'N'], b'\'') => {
                self.state = self.open_literal(*next, self.backslash, tokens);
                length + 1
            }
            _ => {
                tokens.word(word);
                self.state = State::Plain;
                length
            }
        };
        self.room.clear();
        used
    }

    fn number(
        &mut self,
        mut last: u8,
        mut exponent: bool,
        rest: &[u8],
        tokens: &mut impl Tokens,
        literal: &mut dyn FnMut(Range<usize>),
    ) -> usize {
        let mut length = 0;
        let mut over = false;
        for byte in rest {
            let goes_on = match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => true,
                b'+' | b'-' => exponent && matches!(last, b'e' | b'E'),
                _ => false,
            };
            if !goes_on {
                over = true;
                break;
            }
            exponent &= !matches!(byte, b'x' | b'X');
            last = *byte;
            length += 1;
        }
        literal(0..length);
        tokens.literal_bytes(rest.get(..length).unwrap_or_default());
        self.state = if over { State::Plain } else { State::Number { last, exponent } };
        length
    }

    fn quoted(
        &mut self,
        quoted: Quoted,
        rest: &[u8],
        tokens: &mut impl Tokens,
        literal: &mut dyn FnMut(Range<usize>),
    ) -> usize {
        let end = match quoted.backslash {
            Backslash::Escapes | Backslash::EscapesAmongDoubleBytes => {
                memchr2(quoted.quote, b'\\', rest)
            }
            Backslash::Plain => memchr(quoted.quote, rest),
        };
        let content = end.unwrap_or(rest.len());
        let escape = end.and_then(|end| rest.get(end)) == Some(&b'\\');
        let used = content + usize::from(end.is_some());
        if quoted.literal {
            literal(0..content + usize::from(escape));
            tokens.literal_bytes(rest.get(..used).unwrap_or_default());
        } else {
            self.keep(rest.get(..content).unwrap_or_default(), WORD_LIMIT);
        }
        if end.is_some() {
            self.state = if escape { State::Escaped(quoted) } else { State::Closed(quoted) };
        }
        used
    }

    fn closed(&mut self, quoted: Quoted, first: u8, tokens: &mut impl Tokens) -> usize {
        if first == quoted.quote {
            self.state = State::Quoted(quoted);
            if quoted.literal {
                tokens.literal_bytes(&[first]);
            } else {
                self.keep(&[first], WORD_LIMIT);
            }
            return 1;
        }
        if !quoted.literal {
            tokens.identifier(quoted.quote, &self.room);
            self.room.clear();
        }
        self.continues = quoted.literal
            && quoted.backslash == Backslash::Escapes
            && self.dialect == Dialect::PostgreSql;
        self.state = State::Plain;
        0
    }

    fn dollar(&mut self, rest: &[u8], tokens: &mut impl Tokens) -> usize {
        let in_tag = |byte: u8| is_word(byte) && !matches!(byte, b'$' | b'@');
        if self.room.is_empty() && rest.first().is_some_and(u8::is_ascii_digit) {
            self.room.push(b'$');
            self.state = State::Parameter;
            return 0;
        }
        let length = run(rest, in_tag);
        self.keep(rest.get(..length).unwrap_or_default(), WORD_LIMIT);
        match rest.get(length) {
            None => {}
            Some(b'$') => {
                tokens.literal();
                tokens.literal_bytes(b"$");
                tokens.literal_bytes(&self.room);
                tokens.literal_bytes(b"$");
                // A tag that is too long to be kept cannot be found again.
                let known = self.room.len() < WORD_LIMIT;
                self.state = if known { State::Tagged { matched: 0 } } else { State::Endless };
                return length + 1;
            }
            Some(_) => {
                tokens.sign(b'$');
                if !self.room.is_empty() {
                    tokens.word(&self.room);
                }
                self.room.clear();
                self.state = State::Plain;
            }
        }
        length
    }

    fn parameter(&mut self, rest: &[u8], tokens: &mut impl Tokens) -> usize {
        let length = run(rest, |byte| byte.is_ascii_digit());
        self.keep(rest.get(..length).unwrap_or_default(), WORD_LIMIT);
        if length < rest.len() {
            tokens.placeholder(&self.room);
            self.room.clear();
            self.state = State::Plain;
        }
        length
    }

    /// Bytes that look like the closing tag are not told as a literal's: they are no secret, and
    /// may stand in the piece before.
    fn tagged(
        &mut self,
        mut matched: usize,
        rest: &[u8],
        tokens: &mut impl Tokens,
        literal: &mut dyn FnMut(Range<usize>),
    ) -> usize {
        let mut used = 0;
        while let Some(byte) = rest.get(used) {
            if matched == 0 {
                let content = rest.get(used..).unwrap_or_default();
                let length = memchr(b'$', content).unwrap_or(content.len());
                literal(used..used + length);
                used += length;
                if used < rest.len() {
                    matched = 1;
                    used += 1;
                }
                continue;
            }
            let expected = self.room.get(matched - 1).unwrap_or(&b'$');
            if byte == expected {
                used += 1;
                if matched == self.room.len() + 1 {
                    tokens.literal_bytes(rest.get(..used).unwrap_or_default());
                    self.room.clear();
                    self.state = State::Plain;
                    return used;
                }
                matched += 1;
            } else if *byte == b'$' {
                matched = 1;
                used += 1;
            } else {
                matched = 0;
            }
        }
        tokens.literal_bytes(rest);
        self.state = State::Tagged { matched };
        rest.len()
    }

    fn dash(&mut self, first: u8, tokens: &mut impl Tokens) -> usize {
        self.state = match (first, self.dialect) {
            (b'-', Dialect::MySql) => State::Dashes,
            (b'-', Dialect::PostgreSql) => State::LineComment,
            _ => {
                tokens.sign(b'-');
                self.continues = false;
                self.state = State::Plain;
                return 0;
            }
        };
        1
    }

    /// MySQL wants a space behind the two, as `5--1` is 6.
    fn dashes(&mut self, first: u8, tokens: &mut impl Tokens) -> usize {
        if is_space(first) {
            self.state = State::LineComment;
        } else {
            tokens.sign(b'-');
            self.state = State::Dash;
        }
        0
    }

    fn slash(&mut self, first: u8, tokens: &mut impl Tokens) -> usize {
        if first == b'*' {
            self.state = State::CommentOpened;
            return 1;
        }
        tokens.sign(b'/');
        self.state = State::Plain;
        0
    }

    fn star(&mut self, first: u8, tokens: &mut impl Tokens) -> usize {
        self.state = State::Plain;
        if first == b'/' {
            self.inside = None;
            tokens.close_comment();
            return 1;
        }
        tokens.sign(b'*');
        0
    }

    fn line_comment(
        &mut self,
        rest: &[u8],
        tokens: &mut impl Tokens,
        secret: &mut dyn FnMut(Range<usize>),
    ) -> usize {
        let end = match self.dialect {
            Dialect::MySql => memchr(b'\n', rest),
            Dialect::PostgreSql => memchr2(b'\n', b'\r', rest),
        };
        let content = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        tokens.comment_bytes(content, secret);
        self.keep(content, COMMENT_LIMIT);
        match end {
            Some(end) => {
                self.close_comment(tokens);
                end
            }
            None => rest.len(),
        }
    }

    fn close_comment(&mut self, tokens: &mut impl Tokens) {
        tokens.space();
        tokens.comment(&self.room);
        self.room.clear();
        self.state = State::Plain;
    }

    fn comment_opened(&mut self, first: u8, tokens: &mut impl Tokens) -> usize {
        match first {
            b'+' if self.inside.is_none() => {
                self.inside = Some(Inside::Hint);
                tokens.open_comment(b"/*+", Inside::Hint);
                self.state = State::Plain;
            }
            b'!' if self.reads_code() => self.open_code(b"/*!"),
            b'M' if self.reads_code() => self.state = State::CommentM,
            _ => {
                self.state = State::Comment { depth: 1, last: 0 };
                return 0;
            }
        }
        1
    }

    fn reads_code(&self) -> bool {
        self.dialect == Dialect::MySql && self.inside.is_none()
    }

    fn open_code(&mut self, opening: &[u8]) {
        self.room.extend_from_slice(opening);
        self.state = State::Version;
    }

    fn comment_m(&mut self, first: u8) -> usize {
        if first == b'!' {
            self.open_code(b"/*M!");
            return 1;
        }
        self.keep(b"M", COMMENT_LIMIT);
        self.state = State::Comment { depth: 1, last: b'M' };
        0
    }

    fn version(&mut self, rest: &[u8], tokens: &mut impl Tokens) -> usize {
        let length = run(rest, |byte| byte.is_ascii_digit());
        self.keep(rest.get(..length).unwrap_or_default(), VERSION_LIMIT);
        if length < rest.len() {
            self.inside = Some(Inside::Code);
            tokens.open_comment(&self.room, Inside::Code);
            self.room.clear();
            self.state = State::Plain;
        }
        length
    }

    fn comment(
        &mut self,
        mut depth: u32,
        mut last: u8,
        rest: &[u8],
        tokens: &mut impl Tokens,
        secret: &mut dyn FnMut(Range<usize>),
    ) -> usize {
        let mut used = 0;
        while let Some(byte) = rest.get(used) {
            if !matches!(last, b'*' | b'/') {
                let content = rest.get(used..).unwrap_or_default();
                let length = memchr2(b'*', b'/', content).unwrap_or(content.len());
                self.keep(content.get(..length).unwrap_or_default(), COMMENT_LIMIT);
                used += length;
                last = 0;
                let Some(byte) = rest.get(used) else { break };
                last = *byte;
                self.keep(&[*byte], COMMENT_LIMIT);
                used += 1;
                continue;
            }
            used += 1;
            match (last, byte) {
                (b'*', b'/') => {
                    depth -= 1;
                    last = 0;
                    if depth == 0 {
                        if self.room.last() == Some(&b'*') {
                            self.room.pop();
                        }
                        tokens.comment_bytes(rest.get(..used).unwrap_or_default(), secret);
                        self.close_comment(tokens);
                        return used;
                    }
                }
                (b'/', b'*') if self.dialect == Dialect::PostgreSql => {
                    depth = depth.saturating_add(1);
                    last = 0;
                }
                _ => last = *byte,
            }
            self.keep(&[*byte], COMMENT_LIMIT);
        }
        tokens.comment_bytes(rest, secret);
        self.state = State::Comment { depth, last };
        rest.len()
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) {
        let free = limit.saturating_sub(self.room.len());
        self.room.extend_from_slice(bytes.get(..free).unwrap_or(bytes));
    }
}

/// How many bytes from the start are such.
fn run(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_such(*byte)).unwrap_or(bytes.len())
}

/// Control characters are taken for spaces.
fn is_space(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

/// A byte as it is read where characters may have two, and whether the next one is the second of
/// such: a second byte that looks like a backslash or a quote is none.
fn without_signs(byte: u8, lead: Lead) -> (u8, Lead) {
    match (byte, lead) {
        (b'\\' | b'`', Lead::Seen) => (0xff, Lead::Not),
        (0x81..=0xfe, Lead::Not) => (byte, Lead::Seen),
        _ => (byte, Lead::Not),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || byte >= 0x80
}

/// Names are at most 64 characters long in MySQL, 63 bytes in PostgreSQL.
pub(super) const WORD_LIMIT: usize = 256;
/// Room for all contexts of a statement: `sw8` alone may have 2 KiB.
pub(super) const COMMENT_LIMIT: usize = 4 << 10;
const VERSION_LIMIT: usize = 16;
const DOUBLE_BYTES_ROOM: usize = 1 << 10;
