//! A source that spoils what another one gives: for tests of what comes after it.

use crate::packet::Batch;
use crate::source::interfaces::Interfaces;
use crate::source::{Fill, PacketSource};
use std::io;

/// How often packets are spoilt, each in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Left out.
    pub drop: u32,
    /// Given twice.
    pub duplicate: u32,
    /// Given after the packet that follows it in its batch.
    pub reorder: u32,
    /// Cut off at some place.
    pub cut: u32,
}

/// Drops, duplicates, reorders and cuts packets of another source; the same seed does the same.
#[derive(Debug)]
pub struct FaultySource<S> {
    inner: S,
    faults: Faults,
    state: u64,
}

impl<S: PacketSource> FaultySource<S> {
    /// Spoils what `inner` gives.
    pub fn new(inner: S, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, state: seed }
    }

    /// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn happens(&mut self, thousandths: u32) -> bool {
        self.random() % 1_000 < u64::from(thousandths)
    }
}

impl<S: PacketSource> PacketSource for FaultySource<S> {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        let fill = self.inner.fill(batch)?;
        let mut spoilt = Vec::with_capacity(batch.packets.len());
        for mut packet in batch.packets.drain(..) {
            if self.happens(self.faults.drop) {
                continue;
            }
            if self.happens(self.faults.cut) {
                let kept = self.random() % (packet.bytes.len() as u64 + 1);
                packet.bytes.end = packet.bytes.start + usize::try_from(kept).unwrap_or_default();
            }
            if self.happens(self.faults.duplicate) {
                spoilt.push(packet.clone());
            }
            spoilt.push(packet);
        }
        let mut at = 0;
        while at + 1 < spoilt.len() {
            if self.happens(self.faults.reorder) {
                spoilt.swap(at, at + 1);
                at += 1;
            }
            at += 1;
        }
        batch.packets = spoilt;
        Ok(fill)
    }

    fn interfaces(&self) -> &Interfaces {
        self.inner.interfaces()
    }
}
