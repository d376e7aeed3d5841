//! What an exchange put into queues, streams and channels, or got out of them; owned and bounded.

use smallvec::SmallVec;
use wirespan_parsers::message::{Record, Role};

/// The records of an exchange, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The queues that they name, each once.
    queues: SmallVec<[SmallVec<[u8; 16]>; 1]>,
    records: SmallVec<[Kept; 1]>,
    /// Whether the request asks for what is in queues, or, where nobody answers it, brings that.
    pub asks: bool,
    /// How many were left out, since there were too many.
    pub left_out: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    role: Role,
    /// The place of its queue in the list of those.
    queue: usize,
    digest: u64,
    id: Box<[u8]>,
}

impl Records {
    /// Adds one. One that was produced gets its id where that is told only now. Long names and ids
    /// are cut.
    pub fn add(&mut self, record: Record<'_>) {
        let Record { role, queue, digest, id } = record;
        let queue = queue.get(..LONGEST_QUEUE).unwrap_or(queue);
        let id = id.get(..LONGEST_ID).unwrap_or(id);
        let known = self.queues.iter().position(|known| **known == *queue);
        if let (Some(queue), Role::Produced, false) = (known, role, id.is_empty()) {
            let is_it = |kept: &&mut Kept| {
                (kept.role, kept.queue, kept.digest) == (role, queue, digest) && kept.id.is_empty()
            };
            if let Some(kept) = self.records.iter_mut().find(is_it) {
                kept.id = id.into();
                return;
            }
        }
        if self.records.len() >= RECORDS {
            self.left_out += 1;
            return;
        }
        self.restore(Record { role, queue, digest, id });
    }

    /// Adds one of an exchange that was written down, as it stands there. Long names and ids are
    /// cut.
    pub fn restore(&mut self, record: Record<'_>) {
        let Record { role, queue, digest, id } = record;
        let queue = queue.get(..LONGEST_QUEUE).unwrap_or(queue);
        let id = id.get(..LONGEST_ID).unwrap_or(id);
        let known = self.queues.iter().position(|known| **known == *queue);
        let queue = known.unwrap_or_else(|| {
            self.queues.push(SmallVec::from_slice(queue));
            self.queues.len() - 1
        });
        self.records.push(Kept { role, queue, digest, id: id.into() });
    }

    /// Nothing was put in after all.
    pub fn take_back(&mut self) {
        self.records.retain(|kept| kept.role != Role::Produced);
        self.left_out = 0;
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|kept| Record {
            role: kept.role,
            queue: self.queues.get(kept.queue).map_or(b"", |queue| queue),
            digest: kept.digest,
            id: &kept.id,
        })
    }

    /// How many were put in.
    pub fn produced(&self) -> usize {
        self.records.iter().filter(|kept| kept.role == Role::Produced).count()
    }

    /// Whether something was got out.
    pub fn has_consumed(&self) -> bool {
        self.records.iter().any(|kept| kept.role != Role::Produced)
    }
}

/// Records of one exchange that are kept.
pub const RECORDS: usize = 256;
/// Bytes of a queue's name, and of an id, that are kept.
const LONGEST_QUEUE: usize = 256;
const LONGEST_ID: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'b>(role: Role, queue: &'b [u8], digest: u64, id: &'b [u8]) -> Record<'b> {
        Record { role, queue, digest, id }
    }

    #[test]
    fn an_answer_gives_a_record_its_id() {
        let mut records = Records::default();
        records.add(record(Role::Produced, b"s", 1, b""));
        records.add(record(Role::Produced, b"s", 1, b"1-0"));
        records.add(record(Role::Produced, b"s", 1, b"1-1"));
        records.add(record(Role::Received, b"s", 1, b"1-0"));
        let ids: Vec<&[u8]> = records.iter().map(|record| record.id).collect();
        assert_eq!(ids, [b"1-0", b"1-1", b"1-0"]);
    }

    #[test]
    fn records_have_a_limit() {
        let mut records = Records::default();
        (0..300).for_each(|digest| records.add(record(Role::Taken, &[b'q'; 999], digest, b"")));
        assert_eq!((records.iter().count(), records.left_out), (RECORDS, 44));
        assert!(records.has_consumed() && records.produced() == 0);
        assert!(records.iter().all(|record| record.queue.len() == LONGEST_QUEUE));
        let mut restored = Records::default();
        restored.restore(record(Role::Taken, &[b'q'; 999], 0, &[b'1'; 999]));
        let cut = restored.iter().next().map(|record| [record.queue.len(), record.id.len()]);
        assert_eq!(cut, Some([LONGEST_QUEUE, LONGEST_ID]));
    }

    #[test]
    fn what_was_not_put_in_is_taken_back() {
        let mut records = Records { asks: true, ..Records::default() };
        records.add(record(Role::Taken, b"q", 1, b""));
        records.add(record(Role::Produced, b"p", 1, b""));
        records.take_back();
        assert_eq!(records.iter().map(|record| record.role).collect::<Vec<_>>(), [Role::Taken]);
        assert!(records.asks);
    }
}
