//! Numbers that stand for an exchange, or for a part of it.

use crate::exchange::Exchange;
use std::net::IpAddr;
use wirespan_capture::stream::Transport;
use wirespan_parsers::values::Values;
use xxhash_rust::xxh3::xxh3_64;

/// Equal for one exchange at all points that see it at the same addresses, and hardly ever else.
pub fn fingerprint(exchange: &Exchange) -> u64 {
    at_its_ends(exchange, bytes(exchange))
}

/// The same, given the number that is equal whatever its addresses are.
pub(super) fn at_its_ends(exchange: &Exchange, bytes: u64) -> u64 {
    let mut hash = Digest::default();
    add_ends(&mut hash, exchange);
    hash.update(&bytes.to_le_bytes());
    hash.digest()
}

/// The same whatever its addresses are, as these may be translated on the way; equal for others,
/// too, where their connections begin with equal numbers.
pub fn bytes(exchange: &Exchange) -> u64 {
    let mut hash = Digest::default();
    hash.update(&[exchange.transport as u8]);
    match (exchange.request.seq, exchange.transport) {
        // A point that lost a part of it may take it for another protocol.
        (Some(seq), _) => hash.update(&u64::from(seq).to_le_bytes()),
        // A datagram has no sequence number; its own id within the flow stands for it.
        (None, Transport::Udp) => {
            hash.update(&[exchange.protocol.0]);
            hash.update(&exchange.lane.to_le_bytes());
        }
        // Nor has what a connection carries inside; its place there does.
        (None, Transport::Tcp) => {
            hash.update(&[exchange.protocol.0]);
            add_ends(&mut hash, exchange);
            hash.update(&exchange.inside.to_le_bytes());
            hash.update(&exchange.lane.to_le_bytes());
            hash.update(&exchange.ordinal.to_le_bytes());
        }
    }
    hash.digest()
}

fn add_ends(hash: &mut Digest, exchange: &Exchange) {
    for end in [exchange.client, exchange.server] {
        match end.ip() {
            IpAddr::V4(ip) => hash.update(&ip.octets()),
            IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
        hash.update(&end.port().to_le_bytes());
    }
}

/// Stands for the address and port that an exchange asks.
pub fn listener(exchange: &Exchange) -> u64 {
    let mut hash = Digest::default();
    hash.update(&exchange.network.0.to_le_bytes());
    match exchange.server.ip() {
        IpAddr::V4(ip) => hash.update(&ip.octets()),
        IpAddr::V6(ip) => hash.update(&ip.octets()),
    }
    hash.update(&exchange.server.port().to_le_bytes());
    hash.digest()
}

/// Stands for what an exchange asks: equal where a proxy passes a request on, also in another version
/// of its protocol.
pub fn content(exchange: &Exchange) -> u64 {
    let mut hash = Digest::default();
    hash.update(&[exchange.sort as u8]);
    let [operation, resource] = exchange.asked_at_first();
    let said = |name| exchange.text.text(name).unwrap_or_default();
    for text in [operation, resource, said("url.query"), said("db.query.text")] {
        hash.update(text);
        hash.update(&[0]);
    }
    hash.digest()
}

/// Of the values in what an exchange asks for, one bit each: two that carry one share its bit.
pub fn values(exchange: &Exchange) -> u64 {
    let mut values = Values::default();
    let [_, resource] = exchange.asked_at_first();
    for text in [resource, exchange.text.text("url.query").unwrap_or_default()] {
        values.read(text);
        values.end();
    }
    values.words().iter().fold(0, |bits, word| bits | 1 << (word % 64))
}

/// Bytes that are hashed together by XXH3: for few, that is much quicker than piece by piece, and
/// gives the same.
pub(super) struct Digest {
    /// The last of them, and how many these are.
    last: [u8; ROOM],
    len: usize,
    /// Those before.
    before: Vec<u8>,
}

/// Bytes that most digests are of at most.
const ROOM: usize = 256;

impl Default for Digest {
    fn default() -> Self {
        Self { last: [0; ROOM], len: 0, before: Vec::new() }
    }
}

impl Digest {
    #[inline(always)]
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self.last.get_mut(self.len..self.len + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.make_room(bytes),
        }
    }

    pub(super) fn digest(mut self) -> u64 {
        let last = self.last.get(..self.len).unwrap_or_default();
        if self.before.is_empty() {
            return xxh3_64(last);
        }
        self.before.extend_from_slice(last);
        xxh3_64(&self.before)
    }

    #[cold]
    fn make_room(&mut self, bytes: &[u8]) {
        self.before.extend_from_slice(self.last.get(..self.len).unwrap_or_default());
        self.before.extend_from_slice(bytes);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_hashed_as_the_whole() {
        for pieces in [&[0, 1, 8][..], &[200, 56], &[200, 57, 3], &[1000, 1], &[1, 4096, 250, 250]]
        {
            let mut hash = Digest::default();
            let mut whole = Vec::new();
            for (number, len) in (1..).zip(pieces) {
                hash.update(&vec![number; *len]);
                whole.extend(vec![number; *len]);
            }
            assert_eq!(hash.digest(), xxh3_64(&whole), "{pieces:?}");
        }
    }
}
