//! Who reads a flow: its first bytes in, the protocol that recognises them out, or else what they
//! tell of a flow that nobody reads.

use crate::decoder::side::SideState;
use crate::decoder::{FlowDecoder, Found, Mode, Shared};
use crate::unknown::{Stranger, Told};
use wirespan_capture::stream::Seen;
use wirespan_parsers::detect::{Detection, detect};
use wirespan_parsers::message::Side;
use wirespan_parsers::unread::{is_tls, unread};

impl FlowDecoder {
    /// Who is asked and how many bytes came, of a flow that nobody has recognised.
    pub fn unknown(&self) -> Option<(Stranger, u64)> {
        if matches!(self.mode, Mode::Reading { .. }) || !self.children.is_empty() {
            return None;
        }
        let bytes = self.sides.iter().map(|side| side.unknown).sum();
        let stranger = Stranger::of(self.ends.addresses, self.info.opener, self.unread.as_deref());
        (bytes > 0).then_some((stranger, bytes))
    }

    /// Collects bytes until somebody recognises them; then reads them.
    pub(super) fn detect(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let head = if side.buffer.is_empty() {
            bytes
        } else {
            side.keep(seen, bytes);
            &side.buffer
        };
        match detect(&mut shared.protocols, &self.info, from, head) {
            Detection::Found { protocol, client } => {
                self.start_reading(protocol, client, shared);
                self.replay(from, seen, bytes, shared, found);
            }
            Detection::Unsure if head.len() < UNDECIDED => {
                if side.buffer.is_empty() {
                    side.keep(seen, bytes);
                }
            }
            Detection::Unsure | Detection::No => {
                // What is encrypted stays so, and looks like anything now and then.
                let hidden = is_tls(head);
                if side.buffer.is_empty() {
                    side.position += bytes.len() as u64;
                } else {
                    side.position += side.buffer.len() as u64;
                    side.forget_buffer();
                }
                if let Mode::Detecting { tries } = &mut self.mode {
                    *tries += 1;
                    if *tries >= TRIES || hidden {
                        self.mode = Mode::Unknown;
                        self.sides.iter_mut().for_each(SideState::forget_buffer);
                    }
                }
            }
        }
        if !matches!(self.mode, Mode::Reading { .. }) {
            self.look(from, bytes);
        }
    }

    /// Counts bytes that nobody recognises; the first ones may tell what they are.
    pub(super) fn look(&mut self, from: Side, bytes: &[u8]) {
        let unknown = &mut self.sides[from.index()].unknown;
        if *unknown == 0 && self.unread.is_none() {
            let told = unread(self.info.transport, from, bytes);
            self.unread = told.map(|told| Box::new(Told::of(&told)));
        }
        *unknown += bytes.len() as u64;
    }

    pub(super) fn start_reading(&mut self, protocol: usize, client: Side, shared: &mut Shared) {
        let Some(instance) = shared.protocols.get_mut(protocol) else { return };
        let conn = instance.open(&self.info, client);
        self.sides.iter_mut().for_each(|side| side.unknown = 0);
        self.mode = Mode::Reading { protocol, conn, client };
    }

    /// Reads what was collected on both sides, the older first, then the bytes at hand.
    fn replay(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let first = |side: &SideState| side.marks.front().map(|(_, seen)| (seen.at, seen.frame));
        let [a, b] = &self.sides;
        let order = match (first(a), first(b)) {
            (Some(a), Some(b)) if b < a => [Side::B, Side::A],
            _ => [Side::A, Side::B],
        };
        let held = !self.sides[from.index()].buffer.is_empty();
        for side in order {
            if !self.sides[side.index()].buffer.is_empty() {
                let last = self.sides[side.index()].last.unwrap_or(*seen);
                self.read(side, &last, &[], shared, found);
            }
        }
        if !held {
            self.read(from, seen, bytes, shared, found);
        }
    }

    /// After a handover: what this side has sent before it is for the new reader.
    pub(super) fn read_held(&mut self, from: Side, shared: &mut Shared, found: &mut dyn Found) {
        let side = &self.sides[from.index()];
        let Some(seen) = side.last.filter(|_| !side.buffer.is_empty()) else { return };
        if let Mode::Detecting { .. } = self.mode
            && let Detection::Found { protocol, client } =
                detect(&mut shared.protocols, &self.info, from, &side.buffer)
        {
            self.start_reading(protocol, client, shared);
        }
        if let Mode::Reading { .. } = self.mode {
            self.read(from, &seen, &[], shared, found);
        }
    }
}

/// Bytes of one side that are kept while nobody is sure whose they are.
const UNDECIDED: usize = 16 << 10;
/// Pieces of a flow that are looked at before it counts as unknown.
const TRIES: u32 = 32;
