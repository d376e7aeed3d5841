//! A flow that carries others inside, or becomes another protocol: what its parser hands on in,
//! decoders that go on with it out.

use crate::decoder::{FlowDecoder, Found, Mode, Shared};
use crate::exchange::State;
use crate::pairing::Ends;
use crate::writer::Carried;
use std::sync::Arc;
use wirespan_capture::stream::Seen;
use wirespan_parsers::message::Side;
use wirespan_parsers::protocol::Handoff;
use xxhash_rust::xxh3::xxh3_64_with_seed;

impl FlowDecoder {
    /// An event of a flow inside this one.
    pub(super) fn carry(
        &mut self,
        lane: u64,
        from: Side,
        seen: &Seen,
        event: Carried,
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let place = self.children.iter().position(|(other, _)| *other == lane);
        let place = place.unwrap_or_else(|| {
            let mode = Mode::Detecting { tries: 0 };
            let inside = xxh3_64_with_seed(&lane.to_le_bytes(), self.ends.inside);
            let ends = Ends { inside, ..self.ends };
            self.children.push((lane, Self::with(self.info.clone(), ends, mode, false)));
            self.children.len() - 1
        });
        if self.children.len() > INNER {
            let (_, mut oldest) = self.children.remove(0);
            shared.lost("inner_flows_evicted", 1);
            oldest.finish(State::Evicted, shared, found);
        }
        let place = place.min(self.children.len().saturating_sub(1));
        let Some((_, child)) = self.children.get_mut(place) else { return };
        let before = child.pairing.next_ordinal();
        match event {
            Carried::Begins(handed) => {
                let before = self.info.handed.as_deref();
                child.info.handed = Some(Arc::new(handed.after(before)));
            }
            Carried::Bytes(bytes) => child.bytes(from, seen, &bytes, shared, found),
            Carried::Gap(lost) => child.gap(from, seen, lost, shared, found),
            Carried::End => {
                child.closed(from, shared, found);
                child.ended[from.index()] = true;
            }
        }
        child.tell_opened(before, found);
        if child.ended == [true; 2] {
            child.finish(State::Closed, shared, found);
            self.children.remove(place);
        }
    }

    /// What becomes of the flow is told what it was before.
    fn begin_anew(&mut self, client: Side) {
        let Some(mut handed) = self.next.take() else { return };
        // What asked for it is the latest exchange: nothing is asked behind it.
        if let Some(ordinal) = self.pairing.next_ordinal().checked_sub(1) {
            handed.tell_number(ASKED_BY, ordinal.into());
        }
        handed.client.get_or_insert(client);
        self.info.handed = Some(Arc::new(handed.after(self.info.handed.as_deref())));
    }

    /// The flow is somebody else's from here on.
    pub(super) fn hand_over(&mut self, next: Handoff, shared: &mut Shared) {
        let Mode::Reading { protocol, conn, client } = self.mode else { return };
        self.handed_over += 1;
        self.begin_anew(client);
        for side in &mut self.sides {
            (side.skip, side.need, side.lost_sync, side.stopped) = (0, 0, false, false);
        }
        let forget = |shared: &mut Shared| {
            if let Some(instance) = shared.protocols.get_mut(protocol) {
                instance.forget(conn);
            }
        };
        let named = |shared: &Shared, name| shared.protocols.iter().position(|p| p.name() == name);
        match next {
            _ if self.handed_over > HANDOVERS => {
                forget(shared);
                self.mode = Mode::Unknown;
            }
            Handoff::Detect => {
                forget(shared);
                self.mode = Mode::Detecting { tries: 0 };
            }
            Handoff::To(name) => {
                forget(shared);
                match named(shared, name) {
                    Some(protocol) => self.start_reading(protocol, client, shared),
                    None => self.mode = Mode::Unknown,
                }
            }
            Handoff::Beneath(name) => {
                let Some(layer) = named(shared, name) else {
                    forget(shared);
                    self.mode = Mode::Unknown;
                    return;
                };
                // The present parser goes on, with its state and open exchanges, inside the layer.
                let outermost = self.outermost;
                let below = Self::with(self.info.clone(), self.ends, self.mode, outermost);
                let mut above = std::mem::replace(self, below);
                above.outermost = false;
                for (side, upper) in self.sides.iter_mut().zip(&mut above.sides) {
                    side.position = upper.position;
                    side.first_seq = upper.first_seq;
                    side.last = upper.last;
                    std::mem::swap(&mut side.buffer, &mut upper.buffer);
                    std::mem::swap(&mut side.marks, &mut upper.marks);
                }
                self.handed_over = above.handed_over;
                self.children.push((0, above));
                self.start_reading(layer, client, shared);
            }
        }
    }
}

/// Flows inside one flow at a time.
const INNER: usize = 1024;
/// The number on the connection of the exchange that asked for what a flow became.
const ASKED_BY: &str = "wirespan.handshake";
/// How often one flow may become another protocol.
const HANDOVERS: u32 = 16;
