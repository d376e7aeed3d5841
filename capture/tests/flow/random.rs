//! Random conversations: whatever the segments, their order and their losses, the right bytes come
//! out at the right places.

use crate::packets::{Packet, Random};
use crate::recorder::{A, A_FIRST, B, B_FIRST, Piece, Run, run, syn, syn_ack};
use std::collections::BTreeMap;
use wirespan_capture::entry::FlowLimits;

#[test]
fn segments_in_any_order_give_the_bytes_that_were_sent() {
    for seed in SEEDS {
        let talk = Talk::new(seed, true);
        let mut random = Random(seed);
        let packets = talk.shuffled(&mut random);
        let run = run_in_batches(&packets, seed);
        assert_eq!(run.counters.gaps, 0, "seed {seed}");
        for side in 0..2 {
            assert_eq!(talk.delivered(&run, side, seed), talk.sent[side].len(), "seed {seed}");
        }
    }
}

#[test]
fn segments_that_are_lost_leave_gaps_of_their_size() {
    let mut lost = 0;
    for seed in SEEDS {
        let talk = Talk::new(seed, true);
        let mut random = Random(seed ^ 1);
        let mut packets = talk.shuffled(&mut random);
        packets.retain(|_| random.below(6) > 0);
        let run = run_in_batches(&packets, seed);
        for side in 0..2 {
            talk.delivered(&run, side, seed);
        }
        lost += run.counters.gaps;
    }
    assert!(lost > 100, "{lost} gaps");
}

#[test]
fn segments_that_the_capture_cut_leave_gaps_of_their_size() {
    for seed in SEEDS {
        let talk = Talk::new(seed, true);
        let mut random = Random(seed ^ 2);
        let packets = talk.shuffled(&mut random);
        let cut = |packet: &Packet| match random.below(4) {
            0 => packet.clone().kept(0),
            _ => packet.clone(),
        };
        let packets: Vec<Packet> = packets.iter().map(cut).collect();
        let run = run_in_batches(&packets, seed);
        for side in 0..2 {
            assert_eq!(talk.delivered(&run, side, seed), talk.sent[side].len(), "seed {seed}");
        }
    }
}

#[test]
fn capture_that_begins_in_the_midst_gives_the_rest() {
    for seed in SEEDS {
        let talk = Talk::new(seed, false);
        let mut random = Random(seed ^ 3);
        let mut packets = talk.shuffled(&mut random);
        packets.drain(..packets.len() / 4);
        let run = run_in_batches(&packets, seed);
        for side in 0..2 {
            talk.delivered(&run, side, seed);
        }
    }
}

#[test]
fn directions_on_taps_of_their_own_give_the_same_bytes() {
    for seed in SEEDS {
        let talk = Talk::new(seed, seed % 2 == 0);
        let on = |p: Packet| if p.source() == A { p.on("up") } else { p.on("down") };
        let packets: Vec<Packet> =
            talk.shuffled(&mut Random(seed ^ 4)).into_iter().map(on).collect();
        let run = run_in_batches(&packets, seed);
        for side in 0..2 {
            talk.delivered(&run, side, seed);
        }
        assert_eq!((run.counters.flows, run.counters.gaps), (1, 0), "seed {seed}");
    }
}

#[test]
fn two_hops_of_one_tap_give_the_bytes_twice() {
    for seed in SEEDS {
        let talk = Talk::new(seed, true);
        let beyond =
            |p: &Packet| if p.source() == A { p.clone().ttl(63) } else { p.clone().ttl(65) };
        let mut packets = Vec::new();
        for (packet, n) in talk.shuffled(&mut Random(seed ^ 5)).iter().zip(0..) {
            let packet = packet.clone().id(n as u16 + 1).at_ns(n * 1_000_000);
            packets.push(beyond(&packet).at_ns(n * 1_000_000 + 1_600_000));
            packets.push(packet);
        }
        packets.sort_by_key(Packet::time);
        let mut run = run_in_batches(&packets, seed);
        assert_eq!((run.counters.flows, run.counters.gaps), (2, 0), "seed {seed}");
        let flows = run.flows.clone();
        for birth in flows.keys() {
            run.flows.retain(|other, _| other == birth);
            for side in 0..2 {
                let delivered = talk.delivered(&run, side, seed);
                assert_eq!(delivered, talk.sent[side].len(), "seed {seed}");
            }
            run.flows.clone_from(&flows);
        }
    }
}

/// The same events, wherever batches end.
fn run_in_batches(packets: &[Packet], seed: u64) -> Run {
    let whole = run(packets, usize::MAX, FlowLimits::default());
    for batch in [1, 7] {
        let other = run(packets, batch, FlowLimits::default());
        assert_eq!(other.events, whole.events, "seed {seed}, in batches of {batch}");
        assert_eq!(other.counters, whole.counters, "seed {seed}, in batches of {batch}");
    }
    whole
}

/// Two sides that take turns.
struct Talk {
    sent: [Vec<u8>; 2],
    packets: Vec<Packet>,
    /// How many packets at the start keep their places.
    fixed: usize,
    /// Added to the sequence numbers of both sides.
    shift: [u32; 2],
}

impl Talk {
    fn new(seed: u64, with_syn: bool) -> Self {
        let mut random = Random(seed);
        let shift = [random.next() as u32, u32::MAX - 60_000 - random.below(500) as u32];
        let mut sent = [Vec::new(), Vec::new()];
        // What each byte acknowledged when it was first sent.
        let mut acknowledged = [Vec::new(), Vec::new()];
        let mut packets = Vec::new();
        if with_syn {
            packets.extend([syn(), syn_ack()]);
        }
        let fixed = packets.len();
        for turn in 0..20 {
            let side = turn % 2;
            let other = sent[1 - side].len() as u32;
            for _ in 0..random.below(6) {
                let offset = sent[side].len();
                let len = 1 + random.below(40);
                sent[side].extend((0..len).map(|_| random.next() as u8));
                acknowledged[side].resize(offset + len, other);
                packets.push(segment(&sent, side, offset, len, other));
                // Sent again, with other borders, or as it was.
                if random.below(4) == 0 {
                    let from = random.below(offset + len);
                    let end = from + 1 + random.below(offset + len - from);
                    packets.push(segment(&sent, side, from, end - from, acknowledged[side][from]));
                }
                if random.below(8) == 0 {
                    packets.push(segment(&sent, side, offset, len, other));
                }
            }
        }
        Self { sent, packets, fixed, shift }
    }

    /// Packets change places with others that are not far.
    fn shuffled(&self, random: &mut Random) -> Vec<Packet> {
        let mut keyed: Vec<(usize, Packet)> = self
            .packets
            .iter()
            .enumerate()
            .map(|(place, packet)| match place < self.fixed {
                true => (0, packet.clone()),
                false => (place + random.below(DISORDER), packet.clone()),
            })
            .collect();
        keyed.sort_by_key(|(place, _)| *place);
        let [a, b] = self.shift;
        let shifted = |packet: Packet| match packet.source() == A {
            true => packet.shift(a, b),
            false => packet.shift(b, a),
        };
        keyed.into_iter().map(|(_, packet)| shifted(packet)).collect()
    }

    /// Checks what came of one side against what it sent; gives where the stream ends.
    fn delivered(&self, run: &Run, side: usize, seed: u64) -> usize {
        let first = [A_FIRST, B_FIRST][side].wrapping_add(self.shift[side]);
        let mut end = 0;
        let mut of_flow = BTreeMap::new();
        for (birth, flow) in &run.flows {
            let place = usize::from((flow.addresses[0] == A) != (side == 0));
            if let Some(pieces) = run.streams.get(&(*birth, place)) {
                let start = flow.first_seq[place].unwrap_or(first).wrapping_sub(first);
                of_flow.insert(start as usize, pieces);
            }
        }
        assert!(of_flow.len() <= 1, "seed {seed}: {} flows", of_flow.len());
        for (start, pieces) in of_flow {
            let mut at = start;
            for piece in pieces {
                match piece {
                    Piece::Bytes(bytes) => {
                        let right = self.sent[side].get(at..at + bytes.len());
                        assert_eq!(Some(&bytes[..]), right, "seed {seed}, side {side} at {at}");
                        at += bytes.len();
                    }
                    Piece::Gap(lost) => at += *lost as usize,
                }
            }
            end = at;
        }
        assert!(end <= self.sent[side].len(), "seed {seed}");
        end
    }
}

fn segment(sent: &[Vec<u8>; 2], side: usize, offset: usize, len: usize, other: u32) -> Packet {
    let bytes = &sent[side][offset..offset + len];
    match side {
        0 => Packet::tcp(A, B, A_FIRST + offset as u32, bytes).ack(B_FIRST + other),
        _ => Packet::tcp(B, A, B_FIRST + offset as u32, bytes).ack(A_FIRST + other),
    }
}

/// How far packets are from their place.
const DISORDER: usize = 8;
/// Fixed, so that what fails once fails again.
const SEEDS: std::ops::Range<u64> = 0..120;
