//! One side of a flow: the bytes of it that were not used yet, what they were seen with, and where
//! reading stands.

use crate::exchange::Resent;
use std::collections::VecDeque;
use wirespan_capture::stream::Seen;

#[derive(Debug, Default)]
pub(super) struct SideState {
    /// Bytes that were not used yet.
    pub(super) buffer: Vec<u8>,
    /// What the bytes of the buffer were seen with, up to which offset of the stream.
    pub(super) marks: VecDeque<(u64, Seen)>,
    /// Offset in the stream of the first byte of the buffer, or of the next byte to come.
    pub(super) position: u64,
    /// Bytes that need not be shown.
    pub(super) skip: u64,
    /// The input must be this long before parsing it again makes sense.
    pub(super) need: usize,
    /// Looking for the start of a message.
    pub(super) lost_sync: bool,
    /// The end of this side was told.
    pub(super) closed: bool,
    /// The protocol gave up on this side.
    pub(super) stopped: bool,
    /// The side's last packet with bytes.
    pub(super) last: Option<Seen>,
    pub(super) first_seq: Option<u32>,
    /// From which offset on something came again whose message is not known yet.
    pub(super) resent: Option<Box<(u64, Resent)>>,
    /// Bytes that came while nobody had recognised the flow.
    pub(super) unknown: u64,
}

impl SideState {
    /// Keeps bytes for later.
    pub(super) fn keep(&mut self, seen: &Seen, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        self.marks.push_back((self.position + self.buffer.len() as u64, *seen));
    }

    pub(super) fn forget_buffer(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > SPARE {
            self.buffer = Vec::new();
        }
        self.marks.clear();
        self.need = 0;
    }

    /// Takes bytes off the skip; gives how many.
    pub(super) fn skip(&mut self, available: usize) -> usize {
        let skipped = self.skip.min(available as u64);
        if self.skip != u64::MAX {
            self.skip -= skipped;
        }
        skipped as usize
    }

    /// Where the next packet begins in the buffer.
    pub(super) fn next_piece(&self, used: usize, buffered: bool) -> Option<usize> {
        if !buffered {
            return None;
        }
        let at = self.position + used as u64;
        let (end, _) = self.marks.iter().find(|(end, _)| *end > at)?;
        usize::try_from(end - self.position).ok()
    }
}

/// A buffer that has grown beyond this is given back when it is empty.
const SPARE: usize = 64 << 10;
