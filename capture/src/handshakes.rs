//! What the handshakes of all flows tell, before flows are dealt out to shards.
//!
//! A redirect within a host: a connection that is opened to one address and answered from another.
//! A sidecar's redirect rewrites the address of a request after the capture has seen it, and that
//! of the answer before: on a loopback, a request goes to the sidecar's port, and its answer comes
//! from the service that the client had called. A SYN-ACK that acknowledges the SYN of its receiver
//! to somebody else tells so.
//!
//! And taps of which one saw the SYN and the other one the SYN-ACK: each may see one direction.
//! That settles nothing for TCP, whose flows tell it better; but datagrams have no numbers.

use crate::packet::{Endpoint, TapId};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// What the latest handshakes have told.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    /// Whom the latest SYNs went to, by client and sequence number.
    asked: Table<(TapId, Endpoint, u32), SmallVec<[Endpoint; 1]>>,
    /// The redirect of a client's connection; none once it has opened another one.
    by_client: Table<(TapId, Endpoint), Option<Redirect>>,
    /// How many redirects there were.
    pub(crate) redirects: u64,
    /// The places that saw the latest SYNs, by client, server and sequence number.
    seen: Table<(Endpoint, Endpoint, u32), SmallVec<[TapId; 2]>>,
    /// How often a SYN was seen at one place and its answer at the other one only, and how often
    /// both were seen at both.
    pairs: HashMap<(TapId, TapId), [u64; 2], RandomState>,
    /// The place that answers what a place asks.
    halves: HashMap<TapId, TapId, RandomState>,
}

#[derive(Debug)]
struct Redirect {
    /// Whom the client called.
    called: Endpoint,
    /// Whence the answers come.
    answers: Endpoint,
}

/// A table that forgets what is oldest.
#[derive(Debug)]
struct Table<K, V> {
    known: HashMap<K, V, RandomState>,
    /// Keys that were put in, the oldest first; each once.
    order: VecDeque<K>,
}

impl Handshakes {
    /// A client has sent a SYN.
    pub(crate) fn asks(&mut self, place: TapId, client: Endpoint, server: Endpoint, seq: u32) {
        let key = (client, server, seq);
        match self.seen.known.get_mut(&key) {
            Some(places) if places.len() < PLACES && !places.contains(&place) => places.push(place),
            Some(_) => {}
            None => self.seen.insert(key, SmallVec::from_slice(&[place])),
        }
        let key = (place, client, seq);
        match self.asked.known.get_mut(&key) {
            Some(asked) if asked.len() < CALLED && !asked.contains(&server) => asked.push(server),
            Some(_) => {}
            None => {
                self.asked.insert(key, SmallVec::from_slice(&[server]));
                // The client has closed what it had opened from this port.
                if let Some(redirect) = self.by_client.known.get_mut(&(place, client)) {
                    *redirect = None;
                }
            }
        }
    }

    /// A SYN-ACK acknowledges the SYN with the sequence number before `ack`.
    pub(crate) fn answers(&mut self, place: TapId, from: Endpoint, client: Endpoint, ack: u32) {
        let asked_at = self.seen.known.get(&(client, from, ack.wrapping_sub(1)));
        for other in asked_at.into_iter().flatten().filter(|other| **other != place) {
            let here = asked_at.is_some_and(|places| places.contains(&place));
            let places = (place.min(*other), place.max(*other));
            if self.pairs.len() < PAIRS || self.pairs.contains_key(&places) {
                let votes = self.pairs.entry(places).or_default();
                votes[usize::from(here)] += 1;
                let [split, whole] = *votes;
                let split = split > STRAY * whole;
                for (one, other) in [(place, *other), (*other, place)] {
                    if split {
                        self.halves.entry(one).or_insert(other);
                    } else if self.halves.get(&one) == Some(&other) {
                        self.halves.remove(&one);
                    }
                }
            }
        }
        let asked = self.asked.known.get(&(place, client, ack.wrapping_sub(1)));
        let Some(called) = asked.filter(|asked| !asked.contains(&from)).and_then(|a| a.last())
        else {
            return;
        };
        let redirect = Redirect { called: *called, answers: from };
        match self.by_client.known.get_mut(&(place, client)) {
            Some(Some(_)) => return,
            Some(known) => *known = Some(redirect),
            None => self.by_client.insert((place, client), Some(redirect)),
        }
        self.redirects += 1;
    }

    /// The place that sees the answers to what this one sees, and the other way round.
    pub(crate) fn half(&self, place: TapId) -> Option<TapId> {
        self.halves.get(&place).copied()
    }

    /// Whom the receiver of a segment had called, where the segment comes from another address.
    pub(crate) fn called(&self, place: TapId, from: Endpoint, to: Endpoint) -> Option<Endpoint> {
        if self.by_client.known.is_empty() {
            return None;
        }
        let redirect = self.by_client.known.get(&(place, to))?.as_ref()?;
        (redirect.answers == from).then_some(redirect.called)
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { known: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V> Table<K, V> {
    fn insert(&mut self, key: K, value: V) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key);
        self.known.insert(key, value);
    }
}

/// SYNs and redirects that are remembered.
pub const REMEMBERED: usize = 16_384;
/// Places at which one SYN is seen.
const PLACES: usize = 8;
/// Pairs of places of which is remembered what handshakes told.
pub const PAIRS: usize = 4_096;
/// How many split handshakes one that both saw outweighs.
const STRAY: u64 = 16;
/// Servers that one SYN is seen to go to, since a balancer on the way rewrites it.
const CALLED: usize = 4;
