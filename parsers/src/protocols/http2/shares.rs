//! What all connections of a shard keep together, and the share of one of them: amounts in, whether
//! they are too much out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all connections keep.
#[derive(Default)]
pub(super) struct Shares {
    /// Bytes of tables of fields.
    tables: AtomicUsize,
    streams: AtomicUsize,
}

/// What one connection has of it.
pub(super) struct Share {
    all: Arc<Shares>,
    tables: usize,
    streams: usize,
}

impl Share {
    pub(super) fn of(all: &Arc<Shares>) -> Self {
        Self { all: Arc::clone(all), tables: 0, streams: 0 }
    }

    /// The connection has so many bytes of tables; gives whether all have too many.
    pub(super) fn keep_tables(&mut self, bytes: usize) -> bool {
        account(&self.all.tables, &mut self.tables, bytes) > TABLES
    }

    /// The connection has so many streams; gives whether all have as many as they may.
    pub(super) fn keep_streams(&mut self, streams: usize) -> bool {
        account(&self.all.streams, &mut self.streams, streams) >= STREAMS
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        account(&self.all.tables, &mut self.tables, 0);
        account(&self.all.streams, &mut self.streams, 0);
    }
}

/// What all have, once one has so much in place of what it had.
fn account(all: &AtomicUsize, own: &mut usize, now: usize) -> usize {
    // Nearly always nothing has changed.
    if *own != now {
        let before = std::mem::replace(own, now);
        all.fetch_add(now, Ordering::Relaxed);
        all.fetch_sub(before, Ordering::Relaxed);
    }
    all.load(Ordering::Relaxed)
}

/// Bytes of the tables of fields of all connections of a shard.
const TABLES: usize = 8 << 20;

/// Streams of all connections of a shard; each may have [`FAIR`] beyond that.
pub(super) const STREAMS: usize = 8 << 10;

/// Streams that a connection may have however many the others have: those of few clients that are
/// never answered, or whose answers are not seen, must not take the place of all others.
pub(super) const FAIR: usize = 64;
