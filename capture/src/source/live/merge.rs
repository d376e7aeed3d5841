//! Packets of several rings in the order of time: in go those that were drained, out go those that
//! nothing older can come before.

use super::SLACK;
use super::ring::Drained;
use crate::packet::{Batch, PacketHead, Timestamp};

/// Holds packets until no ring can give an older one.
pub(super) struct Merge {
    /// Of each ring, what could not be given yet.
    pub(super) waiting: Vec<Batch>,
    /// What was captured up to this moment has been given.
    pub(super) complete: Timestamp,
    /// When rings were drained last.
    drained: Timestamp,
}

/// How a ring stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What draining it came to; none where too much waits already.
    pub(super) drained: Option<Drained>,
    /// The newest packet that came from it.
    pub(super) newest: Timestamp,
}

impl Merge {
    /// Of so many rings.
    pub(super) fn of(rings: usize) -> Self {
        let waiting = (0..rings).map(|_| Batch::default()).collect();
        Self { waiting, complete: Timestamp(i64::MAX), drained: Timestamp(i64::MIN) }
    }

    /// Moves packets into a batch, after rings were drained at this moment. Once capturing has
    /// ended, an empty ring stays empty.
    pub(super) fn give(
        &mut self,
        at: Timestamp,
        rings: &[Standing],
        has_ended: bool,
        batch: &mut Batch,
    ) {
        // Packets that were stamped before a clock was set back would wait until it is as late again.
        let set_back = at < self.drained;
        self.drained = at;
        let all = if has_ended || set_back { Timestamp(i64::MAX) } else { at.plus(-SLACK) };
        let until = rings.iter().map(|ring| match ring.drained {
            // What was captured before has been read.
            Some(Drained::All) => all,
            Some(Drained::Some) | None => ring.newest,
            // Nothing comes from it now.
            Some(Drained::WentDown | Drained::Down) => Timestamp(i64::MAX),
        });
        let complete = until.min().unwrap_or(Timestamp(i64::MAX));
        self.complete = complete;
        let mut order: Vec<(Timestamp, u16, u32)> = Vec::new();
        for (ring, waiting) in (0..=u16::MAX).zip(&self.waiting) {
            // Packets of a ring are in order but for those of different processors.
            let ready = waiting.packets.iter().zip(0..).filter(|(head, _)| head.at <= complete);
            order.extend(ready.map(|(head, place)| (head.at, ring, place)));
        }
        order.sort_unstable();
        for (_, ring, place) in order {
            let Some(waiting) = self.waiting.get(usize::from(ring)) else { continue };
            let Some(head) = waiting.packets.get(place as usize) else { continue };
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(waiting.bytes(head));
            let bytes = start..batch.buffer.len();
            batch.packets.push(PacketHead { bytes, ..head.clone() });
        }
        for waiting in &mut self.waiting {
            keep_later(waiting, complete);
        }
    }
}

/// Leaves in a batch what is later than this moment.
fn keep_later(batch: &mut Batch, moment: Timestamp) {
    batch.packets.retain(|packet| packet.at > moment);
    let Some(first) = batch.packets.iter().map(|packet| packet.bytes.start).min() else {
        return batch.clear();
    };
    batch.buffer.drain(..first);
    for packet in &mut batch.packets {
        packet.bytes.start -= first;
        packet.bytes.end -= first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Frame, InterfaceId, LinkType};

    const MS: i64 = 1_000_000;

    /// Of each ring, packets of these milliseconds, and what draining came to.
    type Ring<'a> = (&'a [i64], Option<Drained>);

    fn add(batch: &mut Batch, ms: i64) {
        let start = batch.buffer.len();
        batch.buffer.extend_from_slice(&ms.to_be_bytes());
        batch.packets.push(PacketHead {
            at: Timestamp(ms * MS),
            interface: InterfaceId(0),
            link: LinkType::ETHERNET,
            frame: Frame::default(),
            wire_len: 8,
            bytes: start..start + 8,
        });
    }

    /// What is given at this moment, and that the bytes are those of the packets.
    fn check(merge: &mut Merge, at: i64, rings: &[Ring<'_>], has_ended: bool, expected: &[i64]) {
        let mut standings = Vec::new();
        for ((times, drained), waiting) in rings.iter().zip(&mut merge.waiting) {
            times.iter().for_each(|ms| add(waiting, *ms));
            let newest = waiting.packets.iter().map(|head| head.at).max();
            let newest = newest.unwrap_or(Timestamp(i64::MIN));
            standings.push(Standing { drained: *drained, newest });
        }
        let mut batch = Batch::default();
        merge.give(Timestamp(at * MS), &standings, has_ended, &mut batch);
        let given: Vec<i64> = batch.packets.iter().map(|head| head.at.0 / MS).collect();
        assert_eq!(given, expected);
        for head in &batch.packets {
            assert_eq!(batch.bytes(head), (head.at.0 / MS).to_be_bytes());
        }
    }

    #[test]
    fn a_packet_waits_until_no_ring_can_give_an_older_one() {
        let mut merge = Merge::of(2);
        let all = Some(Drained::All);
        check(&mut merge, 1_000, &[(&[990, 850, 995], all), (&[860], all)], false, &[850, 860]);
        check(&mut merge, 1_050, &[(&[], all), (&[930], all)], false, &[930]);
        check(&mut merge, 1_200, &[(&[], all), (&[], all)], false, &[990, 995]);
    }

    #[test]
    fn a_ring_that_holds_more_holds_up_the_others() {
        let mut merge = Merge::of(2);
        let (all, some) = (Some(Drained::All), Some(Drained::Some));
        check(
            &mut merge,
            9_000,
            &[(&[100, 200], some), (&[150, 300], all)],
            false,
            &[100, 150, 200],
        );
        check(&mut merge, 9_001, &[(&[310], all), (&[], all)], false, &[300, 310]);
    }

    #[test]
    fn at_the_end_too_what_a_ring_still_holds_is_waited_for() {
        let mut merge = Merge::of(2);
        let (all, some) = (Some(Drained::All), Some(Drained::Some));
        check(&mut merge, 9_000, &[(&[100], some), (&[150, 9_000], all)], true, &[100]);
        check(&mut merge, 9_000, &[(&[160], all), (&[], all)], true, &[150, 160, 9_000]);
    }

    #[test]
    fn a_ring_that_is_down_holds_up_nothing() {
        let down = Some(Drained::Down);
        check(
            &mut Merge::of(2),
            9_000,
            &[(&[100], Some(Drained::All)), (&[], down)],
            false,
            &[100],
        );
    }

    #[test]
    fn a_clock_that_is_set_back_holds_up_nothing() {
        let mut merge = Merge::of(2);
        let all = Some(Drained::All);
        check(&mut merge, 9_000, &[(&[8_999], all), (&[], all)], false, &[]);
        check(&mut merge, 1_000, &[(&[], all), (&[999], all)], false, &[999, 8_999]);
    }
}
