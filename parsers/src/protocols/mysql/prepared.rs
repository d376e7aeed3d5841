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
    /// Of all of them, also where other connections share them.
    bytes: usize,
    /// The latest, which MariaDB's clients may execute before they know its id.
    latest: Option<Prepared>,
}

impl PreparedStatements {
    /// A statement is on its way to the server.
    pub(super) fn announce(&mut self, statement: &Arc<Statement>) {
        let (statement, parameters) = (Arc::clone(statement), UNKNOWN_COUNT);
        self.latest = Some(Prepared { statement, parameters });
    }

    /// The server has prepared it; gives how many older ones had to go for it.
    pub(super) fn insert(&mut self, id: u32, prepared: Prepared) -> usize {
        if let Some(latest) = &mut self.latest
            && Arc::ptr_eq(&latest.statement, &prepared.statement)
        {
            latest.parameters = prepared.parameters;
        }
        self.remove(id);
        self.bytes += prepared.statement.size();
        self.by_id.insert(id, prepared);
        let mut dropped = 0;
        while self.by_id.len() > PREPARED_LIMIT || (self.bytes > BYTES && self.by_id.len() > 1) {
            let Some((_, oldest)) = self.by_id.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.statement.size());
            dropped += 1;
        }
        dropped
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Prepared> {
        let removed = self.by_id.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(removed.statement.size());
        Some(removed)
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
        (self.bytes, self.latest) = (0, None);
    }
}

/// Statements of a shard, so that connections that prepare the same text share it.
#[derive(Debug)]
pub(super) struct Statements {
    lexer: Lexer,
    settings: Arc<Settings>,
    by_text: HashMap<u64, Arc<Statement>>,
    bytes: usize,
}

impl Statements {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            lexer: Lexer::new(Dialect::MySql, settings),
            settings: Arc::clone(settings),
            by_text: HashMap::new(),
            bytes: 0,
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
        if self.by_text.len() >= SHARED_LIMIT || self.bytes > BYTES {
            // Those in use live on with their connections.
            self.by_text.clear();
            self.bytes = 0;
        }
        self.bytes += statement.size();
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
/// Bytes of the statements of one connection, and of those that are shared.
const BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn statements() -> Statements {
        Statements::new(&Arc::new(Settings::default()))
    }

    fn long(number: usize) -> Vec<u8> {
        format!("SELECT {} FROM t{number}", "a, ".repeat(1_300)).into_bytes()
    }

    #[test]
    fn long_statements_of_a_connection_are_kept_up_to_a_size() {
        let (mut statements, mut prepared) = (statements(), PreparedStatements::default());
        let mut dropped = 0;
        for id in 0..900 {
            let statement = statements.shared(&long(id as usize), Backslash::Escapes);
            dropped += prepared.insert(id, Prepared { statement, parameters: 0 });
        }
        assert!((600..700).contains(&dropped), "{dropped}");
        assert!(prepared.find(0).is_none() && prepared.find(899).is_some());
        assert!(statements.bytes <= BYTES + (8 << 10) && statements.by_text.len() < 300);
        for id in 0..900 {
            prepared.remove(id);
        }
        assert_eq!(prepared.bytes, 0);
    }

    #[test]
    fn id_that_is_given_again_is_one() {
        let (mut statements, mut prepared) = (statements(), PreparedStatements::default());
        for _ in 0..3 * PREPARED_LIMIT {
            let statement = statements.shared(b"SELECT 1", Backslash::Escapes);
            assert_eq!(prepared.insert(1, Prepared { statement, parameters: 0 }), 0);
        }
    }
}
