//! The dynamic table of HPACK, as far as it is known.
//!
//! In: the entries that are inserted, and what is said of the table's size. Out: entry by place,
//! counted from the newest. As places count that way, what was inserted before the first block that
//! was seen moves no later entry: it is only older than all that are known.
//! Format: RFC 7541, sections 2.3.2 and 4.

use super::fixed;
use std::collections::VecDeque;

/// Entries, newest last, and what is known of those before them.
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// What the entries' names and values lie in, with bytes of entries that are gone among them.
    arena: Vec<u8>,
    /// Of all entries, the size that the specification gives them; at least that.
    size: u64,
    /// Of all entries, the bytes of the arena that they need, and [`OVERHEAD`] each.
    kept: usize,
    /// Whether there may be entries that are older than those above.
    older: bool,
    /// The number of the next entry.
    next: i64,
    max: Max,
}

/// The greatest size of a table, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Max {
    Unknown,
    /// It is this or less.
    AtMost(u32),
    Is(u32),
}

#[derive(Clone, Copy)]
struct Entry {
    name: Option<Text>,
    value: Option<Text>,
    /// As the specification counts it; less than that where something is not known.
    size: u64,
}

/// Where a name or a value lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// The name of this entry of the static table, from 0.
    Static(u8),
    /// Bytes of the table.
    Kept { start: usize, length: usize },
}

/// What a reference leads to.
pub(super) enum Found<T> {
    /// This entry.
    Known(T),
    /// One that was inserted before all that is known, or that was not kept.
    Unknown,
    /// None: the table cannot have so many.
    Absent,
}

impl Table {
    /// One that is empty, at the start of a connection.
    pub(super) fn empty() -> Self {
        Self { older: false, max: Max::Is(DEFAULT_MAX), ..Self::unknown(0) }
    }

    /// One of which nothing is known, and whose next entry has this number.
    pub(super) fn unknown(next: i64) -> Self {
        Self {
            entries: VecDeque::new(),
            arena: Vec::new(),
            size: 0,
            kept: 0,
            older: true,
            next,
            max: Max::Unknown,
        }
    }

    /// Of what was inserted so far, nothing is known any more; nor how much is inserted meanwhile.
    pub(super) fn lose(&mut self) {
        *self = Self::unknown(self.next.saturating_add(EPOCH));
    }

    /// Section 4.3: its greatest size is this from now on.
    pub(super) fn resize(&mut self, max: u32) {
        self.max = Max::Is(max);
        self.evict();
    }

    /// Section 4.2: its greatest size is no more than this. A size that is known stays: whoever
    /// must have less says so.
    pub(super) fn limit(&mut self, max: u32) {
        self.max = match self.max {
            Max::Is(_) => return,
            Max::AtMost(before) => Max::AtMost(before.min(max)),
            Max::Unknown => Max::AtMost(max),
        };
        self.evict();
    }

    /// Makes room, if it must be, for texts that are added. What [`Text`] says of places before
    /// does not hold any more.
    pub(super) fn tidy(&mut self) {
        // So many bytes were added since the last time that moving the others costs less.
        if self.arena.len() < self.kept * 2 + SLACK {
            return;
        }
        let mut arena = Vec::with_capacity(self.kept * 2 + 2 * SLACK);
        for entry in &mut self.entries {
            for text in [&mut entry.name, &mut entry.value].into_iter().flatten() {
                if let Text::Kept { start, length } = text {
                    let from = arena.len();
                    arena.extend_from_slice(bytes(&self.arena, *start, *length));
                    *start = from;
                }
            }
        }
        self.arena = arena;
    }

    /// Adds a text; it is gone with [`Table::drop_from`], or when no entry has it.
    ///
    /// `None` if `write` fails.
    pub(super) fn add_text(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<Text> {
        let start = self.arena.len();
        write(&mut self.arena)?;
        Some(Text::Kept { start, length: self.arena.len() - start })
    }

    /// Takes back the texts that were added since the arena had this length.
    pub(super) fn drop_from(&mut self, length: usize) {
        self.arena.truncate(length);
        // One long text is no reason to keep its room.
        if self.arena.capacity() > self.arena.len() * 4 + ROOM {
            self.arena.shrink_to(self.arena.len() * 2 + SLACK);
        }
    }

    /// Bytes of texts now.
    pub(super) fn length(&self) -> usize {
        self.arena.len()
    }

    /// Bytes that it takes up.
    pub(super) fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Section 4.4: inserts an entry, of which name or value may be unknown.
    pub(super) fn insert(&mut self, name: Option<Text>, value: Option<Text>) {
        let lengths = [name, value].map(|text| text.map_or(0, |text| self.text(text).len()));
        let size = lengths.iter().sum::<usize>() as u64 + OVERHEAD as u64;
        // An entry that is too large to be kept has a place all the same.
        let fits = self.needs(name) + self.needs(value) + OVERHEAD <= KEPT_LIMIT;
        let (name, value) = if fits { (name, value) } else { (None, None) };
        self.kept += self.needs(name) + self.needs(value) + OVERHEAD;
        self.size += size;
        self.next = self.next.saturating_add(1);
        self.entries.push_back(Entry { name, value, size });
        self.evict();
    }

    /// Name and value of the entry at this place; 0 is the newest.
    pub(super) fn entry(&self, place: u32) -> Found<(Option<Text>, Option<Text>)> {
        let counted = (place as usize).saturating_add(1);
        if let Some(from_oldest) = self.entries.len().checked_sub(counted)
            && let Some(entry) = self.entries.get(from_oldest)
        {
            return Found::Known((entry.name, entry.value));
        }
        // Each of those between takes up its overhead at least.
        let older = counted.saturating_sub(self.entries.len()) as u64;
        let least = older.saturating_mul(OVERHEAD as u64).saturating_add(self.size);
        if self.older && least <= self.most() { Found::Unknown } else { Found::Absent }
    }

    /// The number of the entry at this place: it stays the same, and no other one has it. Entries
    /// from before the first that was seen have numbers too.
    pub(super) fn number(&self, place: u32) -> i64 {
        self.next.saturating_sub(1).saturating_sub(place.into())
    }

    /// The bytes of a text.
    pub(super) fn text(&self, text: Text) -> &[u8] {
        match text {
            Text::Static(index) => {
                fixed::ENTRIES.get(usize::from(index)).map_or(&[], |(name, _)| *name)
            }
            Text::Kept { start, length } => bytes(&self.arena, start, length),
        }
    }

    /// Drops what is surely evicted, and what is too much to be kept.
    fn evict(&mut self) {
        let most = self.most();
        loop {
            let evicted = self.size > most;
            // What is beyond the last entry that fits is gone too, known or not.
            if evicted || self.size + OVERHEAD as u64 > most {
                self.older = false;
            }
            if !evicted && self.kept <= self.room() {
                return;
            }
            let Some(entry) = self.entries.pop_front() else { return };
            self.size -= entry.size;
            self.kept -= self.needs(entry.name) + self.needs(entry.value) + OVERHEAD;
            // A table that is larger than what is kept of it still has the entry.
            self.older |= !evicted;
        }
    }

    fn most(&self) -> u64 {
        match self.max {
            Max::Unknown => u64::MAX,
            Max::AtMost(max) | Max::Is(max) => u64::from(max),
        }
    }

    fn room(&self) -> usize {
        match self.max {
            Max::Unknown => KEPT_WHERE_UNKNOWN,
            Max::AtMost(_) | Max::Is(_) => KEPT_LIMIT,
        }
    }

    /// Bytes of the arena that a text needs.
    fn needs(&self, text: Option<Text>) -> usize {
        match text {
            Some(Text::Kept { length, .. }) => length,
            Some(Text::Static(_)) | None => 0,
        }
    }
}

fn bytes(arena: &[u8], start: usize, length: usize) -> &[u8] {
    arena.get(start..start + length).unwrap_or_default()
}

/// Section 4.1: what an entry takes up besides its name and its value.
const OVERHEAD: usize = 32;
/// RFC 9113, section 6.5.2: the size that a table has where nobody says another.
const DEFAULT_MAX: u32 = 4096;
/// Of one table, as many bytes are kept, where its size is known. What is older is unknown.
const KEPT_LIMIT: usize = 64 << 10;
/// The same where its size is not known, as after a gap: four times the size that most have.
const KEPT_WHERE_UNKNOWN: usize = 16 << 10;
/// More entries than a table can have: what follows a loss gets other numbers than what was before.
const EPOCH: i64 = 1 << 33;
/// The room of a table that is left to it beyond what it needs.
const ROOM: usize = 16 << 10;
/// As many bytes may be of no use before others are moved into their place.
const SLACK: usize = 1024;
