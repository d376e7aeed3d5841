//! Statements that were prepared: what their ids stand for, on each connection.

use crate::settings::Settings;
use crate::sql::{Backslash, Dialect, Lexer, Statement};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One statement that the server has prepared.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) statement: Arc<Statement>,
    /// How many values each execution brings.
    pub(super) parameters: u16,
}

/// Those of one connection.
#[derive(Debug, Default)]
pub(super) struct PreparedStatements {
    /// By id; the server gives a new one a higher id, so that the lowest is the oldest.
    by_id: BTreeMap<u32, Prepared>,
    /// The latest, which MariaDB's clients may execute before they know its id.
    latest: Option<Prepared>,
}

impl PreparedStatements {
    /// A statement is on its way to the server.
    pub(super) fn announce(&mut self, statement: &Arc<Statement>) {
        let (statement, parameters) = (Arc::clone(statement), UNKNOWN_COUNT);
        self.latest = Some(Prepared { statement, parameters });
    }

    /// The server has prepared it; says whether an older one had to go for it.
    pub(super) fn insert(&mut self, id: u32, prepared: Prepared) -> bool {
        if let Some(latest) = &mut self.latest
            && Arc::ptr_eq(&latest.statement, &prepared.statement)
        {
            latest.parameters = prepared.parameters;
        }
        self.by_id.insert(id, prepared);
        self.by_id.len() > PREPARED_LIMIT && self.by_id.pop_first().is_some()
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Prepared> {
        self.by_id.remove(&id)
    }

    /// What an id stands for; of MariaDB -1 is the latest.
    pub(super) fn find(&self, id: u32) -> Option<&Prepared> {
        match id {
            u32::MAX => self.latest.as_ref(),
            _ => self.by_id.get(&id),
        }
    }

    /// The server forgets all of them.
    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.latest = None;
    }
}

/// Statements of a shard, so that connections that prepare the same text share it.
#[derive(Debug)]
pub(super) struct Statements {
    lexer: Lexer,
    settings: Arc<Settings>,
    by_text: HashMap<u64, Arc<Statement>>,
}

impl Statements {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            lexer: Lexer::new(Dialect::MySql, settings),
            settings: Arc::clone(settings),
            by_text: HashMap::new(),
        }
    }

    /// What a text says that is whole, or as much as there is.
    pub(super) fn read(
        &mut self,
        text: &[u8],
        backslash: Backslash,
        literal: &mut dyn FnMut(Range<usize>),
    ) -> &Statement {
        self.lexer.set_backslash(backslash);
        self.lexer.restart();
        self.lexer.read(text, literal);
        self.lexer.end();
        self.lexer.statement()
    }

    /// A lexer of its own for a statement that goes on behind this text.
    pub(super) fn begun(&self, text: &[u8], backslash: Backslash) -> Lexer {
        let mut lexer = Lexer::new(Dialect::MySql, &self.settings);
        lexer.set_backslash(backslash);
        lexer.restart();
        lexer.read(text, &mut |_| {});
        lexer
    }

    /// What a text says, the same for all who ask.
    pub(super) fn shared(&mut self, text: &[u8], backslash: Backslash) -> Arc<Statement> {
        let hash = xxh3_64_with_seed(text, backslash as u64);
        if let Some(statement) = self.by_text.get(&hash) {
            return Arc::clone(statement);
        }
        let statement = Arc::new(self.read(text, backslash, &mut |_| {}).clone());
        if self.by_text.len() >= SHARED_LIMIT {
            // Those in use live on with their connections.
            self.by_text.clear();
        }
        self.by_text.insert(hash, Arc::clone(&statement));
        statement
    }
}

/// The answer that tells how many parameters there are was not seen.
pub(super) const UNKNOWN_COUNT: u16 = u16::MAX;

/// Statements of one connection.
pub(super) const PREPARED_LIMIT: usize = 1024;

/// Texts of one shard that are shared.
const SHARED_LIMIT: usize = 4096;
