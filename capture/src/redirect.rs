//! Redirects within a host: a connection that is opened to one address and answered from another.
//!
//! A sidecar's redirect rewrites the address of a request after the capture has seen it, and that
//! of the answer before: on a loopback, a request goes to the sidecar's port, and its answer comes
//! from the service that the client had called. A SYN-ACK that acknowledges the SYN of its receiver
//! to somebody else tells so.

use crate::packet::{Endpoint, TapId};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Connections that are answered from another address than they were opened to.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    /// Whom the latest SYNs went to, by client and sequence number.
    asked: Table<(TapId, Endpoint, u32), SmallVec<[Endpoint; 1]>>,
    by_client: Table<(TapId, Endpoint), Redirect>,
    /// How many there were.
    pub(crate) found: u64,
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
    order: VecDeque<K>,
}

impl Redirects {
    /// A client has sent a SYN.
    pub(crate) fn asks(&mut self, place: TapId, client: Endpoint, server: Endpoint, seq: u32) {
        let key = (place, client, seq);
        match self.asked.known.get_mut(&key) {
            Some(asked) if asked.len() < CALLED && !asked.contains(&server) => asked.push(server),
            Some(_) => {}
            None => {
                self.asked.insert(key, SmallVec::from_slice(&[server]));
                // The client has closed what it had opened from this port.
                self.by_client.known.remove(&(place, client));
            }
        }
    }

    /// A SYN-ACK acknowledges the SYN with the sequence number before `ack`.
    pub(crate) fn answers(&mut self, place: TapId, from: Endpoint, client: Endpoint, ack: u32) {
        let asked = self.asked.known.get(&(place, client, ack.wrapping_sub(1)));
        let Some(called) = asked.filter(|asked| !asked.contains(&from)).and_then(|a| a.last())
        else {
            return;
        };
        let redirect = Redirect { called: *called, answers: from };
        if !self.by_client.known.contains_key(&(place, client)) {
            self.found += 1;
            self.by_client.insert((place, client), redirect);
        }
    }

    /// Whom the receiver of a segment had called, where the segment comes from another address.
    pub(crate) fn called(&self, place: TapId, from: Endpoint, to: Endpoint) -> Option<Endpoint> {
        if self.by_client.known.is_empty() {
            return None;
        }
        let redirect = self.by_client.known.get(&(place, to))?;
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
/// Servers that one SYN is seen to go to, since a balancer on the way rewrites it.
const CALLED: usize = 4;
