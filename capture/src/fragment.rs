//! IP fragments to whole datagrams, within limits.

use crate::packet::{TapId, Timestamp};
use etherparse::defrag::IpDefragBuf;
use etherparse::{IpFragOffset, IpNumber};
use hashbrown::HashMap;
use std::net::IpAddr;

/// Puts fragmented datagrams together again.
#[derive(Debug, Default)]
pub struct Fragments {
    waiting: HashMap<FragmentKey, Waiting>,
    started: u64,
    last: u64,
}

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// Where they were seen.
    pub tap: TapId,
    /// Who sent them.
    pub source: IpAddr,
    /// Who gets them.
    pub destination: IpAddr,
    /// The sender's number for the datagram.
    pub identification: u32,
    /// The protocol above IP.
    pub protocol: u8,
}

#[derive(Debug)]
struct Waiting {
    buffer: IpDefragBuf,
    number: u64,
    since: Timestamp,
}

impl Fragments {
    /// Adds a fragment; gives the payload once it is whole. The second value counts datagrams
    /// that were given up.
    pub fn add(
        &mut self,
        key: FragmentKey,
        offset: IpFragOffset,
        more: bool,
        payload: &[u8],
        now: Timestamp,
    ) -> (Option<Box<[u8]>>, u64) {
        let mut lost = 0;
        if !self.waiting.contains_key(&key) && self.waiting.len() >= DATAGRAMS {
            lost += self.make_room(now);
        }
        let started = &mut self.started;
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            *started += 1;
            let buffer = IpDefragBuf::new(IpNumber(key.protocol), Vec::new(), Vec::new());
            Waiting { buffer, number: *started, since: now }
        });
        self.last = waiting.number;
        if waiting.buffer.add(offset, more, payload).is_err() {
            self.waiting.remove(&key);
            return (None, lost + 1);
        }
        if !waiting.buffer.is_complete() {
            return (None, lost);
        }
        let whole = self.waiting.remove(&key).map(|waiting| waiting.buffer.take_bufs().0);
        (whole.map(Vec::into_boxed_slice), lost)
    }

    /// The number of the datagram that the last fragment belonged to, counted from 1.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many datagrams wait for fragments.
    pub fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Drops what is too old, else the oldest one; gives how many.
    fn make_room(&mut self, now: Timestamp) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|_, waiting| now.0.saturating_sub(waiting.since.0) < PATIENCE);
        if self.waiting.len() == before {
            let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.number);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.waiting.remove(&key);
            }
        }
        (before - self.waiting.len()) as u64
    }
}

/// Datagrams that may wait for fragments at a time; each is at most 64 KiB.
pub const DATAGRAMS: usize = 256;

/// Nanoseconds after which a datagram makes room for another (RFC 791 suggests 15 s at least).
const PATIENCE: i64 = 15_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identification: u32) -> FragmentKey {
        let host = IpAddr::from([10, 0, 0, 1]);
        FragmentKey { tap: TapId(0), source: host, destination: host, identification, protocol: 17 }
    }

    fn offset(units: u16) -> IpFragOffset {
        IpFragOffset::try_new(units).unwrap()
    }

    #[test]
    fn fragments_in_any_order_make_the_datagram() {
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(key(1), offset(1), false, b"tail", Timestamp(0)), (None, 0));
        let (whole, _) = fragments.add(key(1), offset(0), true, b"12345678", Timestamp(1));
        assert_eq!(whole.as_deref(), Some(&b"12345678tail"[..]));
    }

    #[test]
    fn datagrams_are_bounded_and_the_oldest_is_given_up() {
        let mut fragments = Fragments::default();
        let mut lost = 0;
        for n in 0..DATAGRAMS as u32 + 10 {
            lost += fragments.add(key(n), offset(0), true, b"12345678", Timestamp(0)).1;
        }
        assert_eq!(lost, 10);
        assert_eq!(fragments.waiting(), DATAGRAMS as u64);
        assert_eq!(fragments.add(key(9), offset(1), false, b"t", Timestamp(0)).0, None);
        assert!(fragments.add(key(200), offset(1), false, b"t", Timestamp(0)).0.is_some());
    }
}
