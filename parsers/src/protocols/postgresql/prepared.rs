//! What a connection has prepared: statements and portals by their names, the oldest dropped.

use crate::sql::Statement;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Statements by name, up to a number and a size.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// By the hash of the name: its turn, and the statement.
    known: HashMap<u64, (u64, Arc<Statement>)>,
    /// By turn: the hashes of the names.
    turns: BTreeMap<u64, u64>,
    turn: u64,
    /// Of all of them; several names of one statement are counted each.
    bytes: usize,
}

impl Named {
    /// Keeps a statement under a name, in place of an older one; gives how many had to go.
    pub(super) fn insert(&mut self, name: &[u8], statement: Arc<Statement>) -> usize {
        self.remove(name);
        let hash = xxh3_64(name);
        self.bytes += statement.size();
        self.known.insert(hash, (self.turn, statement));
        self.turns.insert(self.turn, hash);
        self.turn += 1;
        let mut dropped = 0;
        while self.known.len() > LIMIT || (self.bytes > BYTES && self.known.len() > 1) {
            let Some((_, oldest)) = self.turns.pop_first() else { break };
            self.forget(oldest);
            dropped += 1;
        }
        dropped
    }

    /// Forgets what has this name.
    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Some(turn) = self.forget(xxh3_64(name)) {
            self.turns.remove(&turn);
        }
    }

    /// What has this name.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.known.get(&xxh3_64(name)).map(|(_, statement)| statement)
    }

    fn forget(&mut self, hash: u64) -> Option<u64> {
        let (turn, statement) = self.known.remove(&hash)?;
        self.bytes = self.bytes.saturating_sub(statement.size());
        Some(turn)
    }
}

/// Names that are known at a time.
pub(super) const LIMIT: usize = 1024;

/// Bytes of all statements.
const BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_name_goes_first() {
        let mut named = Named::default();
        let mut dropped = 0;
        for name in 0..LIMIT + 2 {
            dropped += named.insert(name.to_string().as_bytes(), Arc::default());
        }
        assert_eq!(dropped, 2);
        assert!(named.find(b"1").is_none() && named.find(b"2").is_some());
    }

    #[test]
    fn name_that_is_used_again_is_one() {
        let mut named = Named::default();
        for _ in 0..3 * LIMIT {
            assert_eq!(named.insert(b"a", Arc::default()), 0);
        }
        named.remove(b"a");
        assert!(named.find(b"a").is_none() && named.turns.is_empty() && named.bytes == 0);
    }
}
