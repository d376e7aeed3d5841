//! SQL statements, whatever protocol carries them: the bytes of a statement in, as they come; out
//! go its text without literals, its operation, what that is applied to, a summary, and the
//! identifiers in its comments.

mod token;

mod shape;

mod names;

mod comment;

#[cfg(test)]
mod tests;

pub use token::Backslash;

use crate::message::{Attribute, Value};
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, scan};
use crate::settings::Settings;
use crate::trace_context::{Collector, TraceContext};
use crate::values::Values;
use comment::{Pair, Pairs};
use names::{Found, Names};
use shape::Shape;
use std::ops::Range;
use std::sync::Arc;
use token::{Inside, Scanner, Tokens};

/// Whose SQL it is: what quotes mean, and where comments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    PostgreSql,
}

/// Reads one statement after another; its buffers serve again.
#[derive(Clone, Debug)]
pub struct Lexer {
    scanner: Scanner,
    parts: Parts,
    /// What is known of the statement once it has ended.
    statement: Statement,
}

impl Lexer {
    /// A lexer before its first statement.
    #[must_use]
    pub fn new(dialect: Dialect, settings: &Arc<Settings>) -> Self {
        Self {
            scanner: Scanner::new(dialect),
            parts: Parts {
                dialect,
                settings: Arc::clone(settings),
                shape: Shape::default(),
                names: Names::default(),
                pairs: Pairs::default(),
                values: Values::default(),
                hint: false,
                scanner: scan::Scanner::default(),
            },
            statement: Statement { settings: Arc::clone(settings), ..Statement::default() },
        }
    }

    /// Says what a backslash is between single quotes from the next statement on. It escapes in
    /// MySQL unless the server is told otherwise (`NO_BACKSLASH_ESCAPES`), and does not in
    /// PostgreSQL (unless `standard_conforming_strings` is off).
    pub fn set_backslash(&mut self, backslash: Backslash) {
        self.scanner.set_backslash(backslash);
    }

    /// Forgets the statement that was read, and begins another one.
    pub fn restart(&mut self) {
        self.scanner.restart();
        self.parts.clear();
        self.statement.clear();
    }

    /// Reads on; `literal` is told which bytes of the piece belong to literals, without quotes, and
    /// where secrets are located, which are secret by name in comments.
    pub fn read(&mut self, piece: &[u8], literal: &mut dyn FnMut(Range<usize>)) {
        self.scanner.read(piece, &mut self.parts, literal);
    }

    /// The statement is complete, or will not become so.
    pub fn end(&mut self) {
        self.scanner.end(&mut self.parts);
        self.parts.shape.end();
        self.parts.names.end();
        let Self { parts, statement, .. } = self;
        statement.text.clear();
        statement.text.extend_from_slice(parts.shape.text());
        statement.found.clone_from(parts.names.found());
        statement.pairs.clone_from(&parts.pairs);
        parts.values.end();
        statement.values.clone_from(&parts.values);
        // Short secrets could be found by their hashes. Which literal is whose is not read.
        let has_values = !statement.values.words().is_empty();
        if has_values && names_secret(&parts.settings.secrets, &statement.text) {
            statement.values.clear();
        }
    }

    /// What the statement would say if it ended here; it goes on all the same.
    #[must_use]
    pub fn so_far(&self) -> Statement {
        let mut ended = self.clone();
        ended.end();
        ended.statement
    }

    /// What is known of the statement that ended last.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Gives each part of a statement to those who make something of it.
#[derive(Clone, Debug)]
struct Parts {
    dialect: Dialect,
    settings: Arc<Settings>,
    shape: Shape,
    names: Names,
    pairs: Pairs,
    values: Values,
    /// Hints are read, which name tables that the statement names itself.
    hint: bool,
    /// Looks for secrets in a comment.
    scanner: scan::Scanner,
}

impl Parts {
    fn clear(&mut self) {
        self.shape.clear();
        self.names.clear();
        self.pairs.clear();
        self.values.clear();
        self.hint = false;
        self.scanner = scan::Scanner::default();
    }
}

impl Tokens for Parts {
    fn space(&mut self) {
        self.shape.space();
    }

    fn word(&mut self, word: &[u8]) {
        let mut room = [0; KEYWORD_LIMIT];
        let upper = match room.get_mut(..word.len()) {
            Some(room) => {
                room.copy_from_slice(word);
                room.make_ascii_uppercase();
                &*room
            }
            None => &[],
        };
        self.shape.word(word, upper);
        if !self.hint {
            self.names.word(word, upper, self.dialect);
        }
    }

    fn identifier(&mut self, quote: u8, name: &[u8]) {
        self.shape.identifier(quote, name);
        if !self.hint {
            self.names.identifier(name);
        }
    }

    fn literal(&mut self) {
        self.values.end();
        if self.settings.secrets.are_shown() {
            self.shape.shown_literal();
        } else {
            self.shape.masked_literal();
        }
        if !self.hint {
            self.names.value();
        }
    }

    fn literal_bytes(&mut self, bytes: &[u8]) {
        self.values.read(bytes);
        if self.settings.secrets.are_shown() {
            self.shape.add(bytes);
        }
    }

    fn placeholder(&mut self, text: &[u8]) {
        self.shape.placeholder(text);
        if !self.hint {
            self.names.value();
        }
    }

    fn sign(&mut self, byte: u8) {
        self.shape.sign(byte);
        if !self.hint {
            self.names.sign(byte);
        }
    }

    fn comment_bytes(&mut self, bytes: &[u8], secret: &mut dyn FnMut(Range<usize>)) {
        if !self.settings.locate_secrets {
            return;
        }
        self.scanner.read(&self.settings.secrets, bytes, &mut |range| {
            // What could close the comment stays.
            let closing = |byte: &u8| matches!(byte, b'*' | b'/');
            let mut start = range.start;
            for part in bytes.get(range).unwrap_or_default().split(closing) {
                if !part.is_empty() {
                    secret(start..start + part.len());
                }
                start += part.len() + 1;
            }
        });
    }

    fn comment(&mut self, content: &[u8]) {
        self.scanner = scan::Scanner::default();
        self.pairs.read(content, &self.settings.secrets);
    }

    fn open_comment(&mut self, opening: &[u8], inside: Inside) {
        self.shape.open_comment(opening);
        self.hint = inside == Inside::Hint;
    }

    fn close_comment(&mut self) {
        self.shape.close_comment();
        self.hint = false;
    }
}

/// What a statement says. It may be kept, as one that was prepared is.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    text: Vec<u8>,
    found: Found,
    pairs: Pairs,
    values: Values,
    settings: Arc<Settings>,
}

/// What the run asks makes no statement another one.
impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.found, &self.pairs) == (&other.text, &other.found, &other.pairs)
    }
}

impl Eq for Statement {}

impl Statement {
    fn clear(&mut self) {
        self.text.clear();
        self.found.clear();
        self.pairs.clear();
        self.values.clear();
    }

    /// What is done, in upper case, such as `SELECT`; empty without any word.
    #[must_use]
    pub fn operation(&self) -> &[u8] {
        &self.found.operation
    }

    /// What it is done to: the tables, the first ones, in the order in which they are named and
    /// with a space between them.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.found.target
    }

    /// Operations and tables in their order, such as `INSERT archive SELECT orders`; at most 255
    /// bytes.
    #[must_use]
    pub fn summary(&self) -> &[u8] {
        &self.found.summary
    }

    /// The text with `?` for literals and lists of them, comments left out; behind 4 KiB it is cut,
    /// and ends in `…`.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.target().len() + self.summary().len()
    }

    /// Adds to a message what is neither its operation nor its target: `db.query.text`,
    /// `db.query.summary`, the values of literals unless a name says that one is secret, and the
    /// identifiers in comments; with details also what else comments say, as
    /// `wirespan.db.comment.<key>`.
    pub fn tell(&self, key: Key, out: &mut dyn Out) {
        let details = out.wants_details();
        let mut room = Vec::new();
        let text = if details { &self.text } else { shortened(&self.text, &mut room) };
        for (name, value) in [("db.query.text", text), ("db.query.summary", self.summary())] {
            if !value.is_empty() {
                out.add(key, Attribute { name, value: Value::Text(value) });
            }
        }
        self.contexts(&mut |context| out.context(key, context));
        for value in self.values.words() {
            out.value(key, *value);
        }
        if details {
            self.tell_comments(key, out);
        }
    }

    fn tell_comments(&self, key: Key, out: &mut dyn Out) {
        for pair in self.pairs.iter().filter(|pair| !pair.secret) {
            let name = format!("wirespan.db.comment.{}", String::from_utf8_lossy(&pair.key));
            out.add(key, Attribute { name: &name, value: Value::Text(&pair.value) });
        }
    }

    /// The identifiers in its comments.
    pub fn contexts(&self, found: &mut dyn FnMut(&TraceContext<'_>)) {
        let mut collector = Collector::new(&self.settings.ids);
        for pair in self.pairs.iter() {
            collector.header(header(pair), &pair.value);
            collector.sql_pair(&pair.key, &pair.value);
        }
        collector.finish(&mut |context| found(context));
    }
}

/// The header that holds what this pair does: people write identifiers by hand too, as do libraries
/// that know no standard.
fn header(pair: &Pair) -> &[u8] {
    let same = |(key, _): &&(&str, &str)| pair.key.eq_ignore_ascii_case(key.as_bytes());
    match BY_HAND.iter().find(same) {
        Some((_, header)) if !pair.secret => header.as_bytes(),
        _ => &pair.key,
    }
}

/// Whether a word of a statement is the name of a secret. `KEY` is a word of SQL.
fn names_secret(secrets: &Secrets, text: &[u8]) -> bool {
    text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80))
        .any(|word| secrets.has(word) && !word.eq_ignore_ascii_case(b"KEY"))
}

/// A text as it is shown where nobody asked for all of it.
fn shortened<'t>(text: &'t [u8], room: &'t mut Vec<u8>) -> &'t [u8] {
    let Some(kept) = text.get(..SHOWN_LIMIT) else { return text };
    if text.len() == SHOWN_LIMIT {
        return text;
    }
    // A character is not cut in two.
    let whole = kept.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
    let last = kept.get(whole..).unwrap_or_default();
    let end = if std::str::from_utf8(last).is_ok() { kept.len() } else { whole };
    room.extend_from_slice(kept.get(..end).unwrap_or_default());
    room.extend_from_slice("…".as_bytes());
    room
}

const BY_HAND: &[(&str, &str)] = &[
    ("trace_id", "traceid"),
    ("trace-id", "traceid"),
    ("request_id", "x-request-id"),
    ("request-id", "x-request-id"),
];
/// No keyword that means something here is longer.
const KEYWORD_LIMIT: usize = 24;
/// Bytes of a text that are shown.
const SHOWN_LIMIT: usize = 1 << 10;
