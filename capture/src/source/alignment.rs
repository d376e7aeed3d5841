//! Clocks that differ: by how much that of a file, or of an interface in it, is ahead at which
//! time, and its times set right by that.
//!
//! [`crate::clocks`] finds out by how much. Here the times are changed, before anything else sees a
//! packet, so that all that follows knows one time only.

use crate::packet::{Batch, FileId, InterfaceId, Loss, Timestamp};
use std::fmt;

/// How the clock of a file, or of one of its interfaces, runs against that of another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// The file.
    pub file: FileId,
    /// The interface, where it has another clock than others of its file: its number in the file.
    pub interface: Option<InterfaceId>,
    /// What to call it: the name of the file, and that of the interface.
    pub name: String,
    /// The name of what by whose clock its packets count.
    pub against: String,
    /// By how much it is ahead.
    pub offset: Offset,
    /// Nanoseconds by which that may be wrong, as long as both clocks tell times.
    pub error: u64,
    /// Parts in a billion by which the drift may be wrong.
    pub drift_error: u64,
    /// How often both have seen something of the same: packets, or requests and responses.
    pub sightings: usize,
    /// Whether times are set right by it: it is more than it may be wrong by.
    pub used: bool,
}

/// By how much a clock is ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// The moment from which on its drift counts, by this clock itself.
    pub since: Timestamp,
    /// By how many nanoseconds it is ahead at that moment; negative if it is behind.
    pub ahead: i64,
    /// By how many parts in a billion it runs too fast.
    pub drift: i64,
}

impl Offset {
    /// What a clock that is right would have shown.
    pub fn right(&self, at: Timestamp) -> Timestamp {
        let since = i128::from(at.0) - i128::from(self.since.0);
        // Of a second by this clock, so much is too much.
        let too_much = since * i128::from(self.drift) / i128::from(BILLION + self.drift).max(1);
        let right = i128::from(at.0) - i128::from(self.ahead) - too_much;
        Timestamp(i64::try_from(right).unwrap_or(at.0)).min(Timestamp::LATEST)
    }

    /// What this clock has shown, where a clock that is right would have shown this.
    pub fn shown(&self, right: Timestamp) -> Timestamp {
        let since = i128::from(right.0) + i128::from(self.ahead) - i128::from(self.since.0);
        let shown = i128::from(right.0)
            + i128::from(self.ahead)
            + since * i128::from(self.drift) / i128::from(BILLION);
        Timestamp(i64::try_from(shown).unwrap_or(right.0)).min(Timestamp::LATEST)
    }
}

/// The clock of a file, or of some of its interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileClock {
    offset: Offset,
    /// The interfaces that have it; of a file that is read once for each of its clocks.
    only: Option<Vec<InterfaceId>>,
    /// The interfaces that have others.
    without: Vec<InterfaceId>,
}

impl FileClock {
    /// The clocks of a file, of which there are mostly one. The first is that of all interfaces for
    /// which there is no other one.
    pub(super) fn of(file: FileId, alignments: &[Alignment]) -> Vec<Self> {
        let its = alignments.iter().filter(|alignment| alignment.file == file && alignment.used);
        let mut clocks = vec![Self::default()];
        for Alignment { interface, offset, .. } in its {
            let known = clocks.iter_mut().skip(1).find(|clock| clock.offset == *offset);
            match (interface, known) {
                (None, _) => {
                    if let Some(first) = clocks.first_mut() {
                        first.offset = *offset;
                    }
                }
                (Some(id), Some(Self { only: Some(only), .. })) => only.push(*id),
                (Some(id), _) => {
                    let only = Some(vec![*id]);
                    clocks.push(Self { offset: *offset, only, without: Vec::new() });
                }
            }
        }
        let without = clocks.iter().flat_map(|clock| clock.only.iter().flatten()).copied();
        let without = without.collect();
        if let Some(first) = clocks.first_mut() {
            first.without = without;
        }
        clocks
    }

    /// What this clock should have shown.
    pub(super) fn right(&self, at: Timestamp) -> Timestamp {
        if self.offset == Offset::default() { at } else { self.offset.right(at) }
    }

    /// Whether the packets of an interface have its times.
    fn stamps(&self, interface: InterfaceId) -> bool {
        match &self.only {
            Some(only) => only.contains(&interface),
            None => !self.without.contains(&interface),
        }
    }

    /// Sets the times of a batch right, and leaves out what is not stamped by this clock.
    pub(super) fn apply(&self, batch: &mut Batch) {
        if self.only.is_some() || !self.without.is_empty() {
            batch.packets.retain(|packet| self.stamps(packet.interface));
            // What nobody knows the place of is told once, with the first clock of the file.
            let is_first = self.only.is_none();
            let is_own = |loss: &Loss| loss.interface.map_or(is_first, |own| self.stamps(own));
            batch.losses.retain(is_own);
            let Batch { packets, owners, names, .. } = batch;
            let is_here = |frame| packets.binary_search_by_key(&frame, |one| one.frame).is_ok();
            owners.retain(|told| is_here(told.frame));
            if !is_first {
                names.clear();
            }
        }
        if self.offset == Offset::default() {
            return;
        }
        for packet in &mut batch.packets {
            packet.at = self.offset.right(packet.at);
        }
        for loss in &mut batch.losses {
            loss.from = self.offset.right(loss.from);
            loss.to = self.offset.right(loss.to);
        }
    }
}

impl fmt::Display for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, against, offset, error, sightings, .. } = self;
        let Offset { ahead, drift, .. } = *offset;
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        write!(
            f,
            "the clock of {name} is {} {way} that of {against} (± {})",
            span(ahead.unsigned_abs()),
            span(*error)
        )?;
        if drift != 0 {
            let way = if drift > 0 { "gains" } else { "loses" };
            write!(f, ", {way} {:.1} µs a second", drift.unsigned_abs() as f64 / 1e3)?;
        }
        write!(f, ", by what both have seen {sightings} times")?;
        f.write_str(if self.used { "; its times are set right by so much" } else { "" })
    }
}

/// A length of time in its usual unit.
fn span(nanoseconds: u64) -> String {
    let ns = nanoseconds as f64;
    match nanoseconds {
        0..1_000_000 => format!("{:.0} µs", ns / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3} ms", ns / 1e6),
        _ => format!("{:.6} s", ns / 1e9),
    }
}

const BILLION: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Owner;
    use crate::packet::{AddressName, Frame, LinkType, OwnerOf, PacketHead};

    #[test]
    fn each_clock_of_a_file_has_what_is_of_its_interfaces() {
        let at = Timestamp(5_000);
        let frame = |interface: u16| Frame { number: u64::from(interface), ..Frame::default() };
        let packet = |interface: u16| PacketHead {
            at,
            interface: InterfaceId(interface),
            link: LinkType::ETHERNET,
            frame: frame(interface),
            wire_len: 0,
            bytes: 0..0,
        };
        let owner = Owner::parse("wirespan: tcp 10.0.0.1:1 is a (pid 1)").unwrap();
        let lost = |interface: Option<u16>| Loss {
            from: at,
            to: at,
            interface: interface.map(InterfaceId),
            packets: 1,
        };
        let check = |clock: &FileClock, interfaces: &[u16], anywhere: usize, right: i64| {
            let mut batch = Batch {
                packets: (0..4).map(packet).collect(),
                owners: (0..4)
                    .map(|one| OwnerOf { frame: frame(one), owner: owner.clone() })
                    .collect(),
                losses: (0..4).map(Some).chain([None]).map(lost).collect(),
                names: vec![AddressName {
                    frame: frame(0),
                    address: [10, 0, 0, 1].into(),
                    name: "a".into(),
                }],
                ..Batch::default()
            };
            clock.apply(&mut batch);
            let ids: Vec<InterfaceId> = interfaces.iter().copied().map(InterfaceId).collect();
            assert!(batch.packets.iter().map(|packet| packet.interface).eq(ids.iter().copied()));
            let frames = interfaces.iter().copied().map(frame);
            assert!(batch.owners.iter().map(|told| told.frame).eq(frames));
            let places: Vec<InterfaceId> =
                batch.losses.iter().filter_map(|loss| loss.interface).collect();
            assert_eq!(places, ids);
            assert_eq!(batch.losses.len() - places.len(), anywhere);
            assert_eq!(batch.names.len(), anywhere);
            assert!(batch.losses.iter().all(|loss| (loss.from.0, loss.to.0) == (right, right)));
            assert!(batch.packets.iter().all(|packet| packet.at.0 == right));
        };
        let alignment = |interface: Option<u16>, ahead| Alignment {
            file: FileId(0),
            interface: interface.map(InterfaceId),
            name: String::new(),
            against: String::new(),
            offset: Offset { since: Timestamp(0), ahead, drift: 0 },
            error: 0,
            drift_error: 0,
            sightings: 0,
            used: true,
        };
        let several =
            [alignment(Some(1), 1_000), alignment(Some(3), 1_000), alignment(Some(2), -7)];
        let clocks = FileClock::of(FileId(0), &several);
        let [first, ahead, behind] = clocks.as_slice() else { panic!("{clocks:?}") };
        check(first, &[0], 1, 5_000);
        check(ahead, &[1, 3], 0, 4_000);
        check(behind, &[2], 0, 5_007);
        let one = FileClock::of(FileId(0), &[alignment(None, 2_000)]);
        check(&one[0], &[0, 1, 2, 3], 1, 3_000);
    }
}
