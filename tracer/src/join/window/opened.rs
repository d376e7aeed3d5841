//! What joining needs to know of a request before it is answered.

use crate::exchange::{Context, Exchange, ExchangeId, Processes, Sort};
use crate::join::IdSet;
use crate::join::fingerprint::{at_its_ends, bytes, content, listener, values};
use crate::join::machines::Ends;
use crate::join::window::restrict;
use crate::owners::Owners;
use smallvec::SmallVec;
use std::net::SocketAddr;
use wirespan_capture::owner::{Owner, Process};
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::{PointId, Transport};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A request whose exchange is not complete yet.
#[derive(Clone, Debug)]
pub struct Opened {
    pub(super) id: ExchangeId,
    pub(super) sort: Sort,
    pub(super) start: Timestamp,
    pub(super) point: PointId,
    pub(super) ends: Ends,
    /// Stands for the address and port that it asks.
    pub(super) listener: u64,
    /// Stands for what it asks.
    pub(super) content: u64,
    /// The values that it carries, one bit each.
    pub(super) values: u64,
    /// Equal at all points that see it at the same addresses.
    pub(super) fingerprint: u64,
    /// The same whatever its addresses are.
    pub(super) bytes: u64,
    network: NetworkId,
    transport: Transport,
    client: SocketAddr,
    server: SocketAddr,
    /// The processes of client and server, as numbers; 0 where they are not known.
    pub(super) processes: [u64; 2],
    pub(super) contexts: SmallVec<[Context; 2]>,
    /// Whether it asks for what is in queues.
    asks: bool,
    /// Whether a server passes on what somebody put in: for that, and for no call that is open there.
    pub(super) is_pushed: bool,
}

impl Opened {
    /// What the window needs to know of an exchange before it is complete.
    pub fn of(exchange: &Exchange) -> Self {
        let records = exchange.records.as_deref();
        let asks = records.is_some_and(|records| records.asks);
        let consumes = asks || records.is_some_and(|records| records.has_consumed());
        let bytes = bytes(exchange);
        Self {
            id: exchange.id,
            sort: exchange.sort,
            start: exchange.start(),
            point: exchange.first_point,
            ends: Ends::of(exchange),
            listener: listener(exchange),
            content: content(exchange),
            values: values(exchange),
            fingerprint: at_its_ends(exchange, bytes),
            bytes,
            network: exchange.network,
            transport: exchange.transport,
            client: exchange.client,
            server: exchange.server,
            processes: known_at_first(exchange),
            contexts: exchange.contexts.clone(),
            asks: asks && exchange.sort == Sort::Call,
            is_pushed: consumes && exchange.sort == Sort::OneWay,
        }
    }

    /// The exchange.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// When it began.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The point that sees it.
    pub fn point(&self) -> PointId {
        self.point
    }

    /// Network, client and server of the connection on which it asks for what is in queues, if it
    /// does.
    pub fn asks(&self) -> Option<(NetworkId, [SocketAddr; 2])> {
        self.asks.then_some((self.network, [self.client, self.server]))
    }

    /// Lets only identifiers of these formats join.
    pub fn restrict(&mut self, ids: IdSet) {
        restrict(&mut self.contexts, ids);
    }

    /// Learns whose its ends are, unless that came with it; says which of both are known.
    pub fn owned(&mut self, owners: &Owners) -> [bool; 2] {
        let Self { network, client, server, .. } = *self;
        if owners.told > 0 && self.processes == [0; 2] {
            let datagrams = self.transport == Transport::Udp;
            // Who asks over TCP has connected; of UDP, most that ask take whoever answers.
            let fits = |owner: &Owner| datagrams || owner.socket.remote.is_some();
            let asking = owners.at(network, datagrams, client, server).filter(fits);
            let asked = owners.at(network, datagrams, server, client);
            self.processes =
                [asking, asked].map(|owner| owner.map_or(0, |owner| number(&owner.process)));
        }
        self.processes.map(|process| process != 0)
    }

    /// How many identifiers it carries as yet.
    pub fn contexts(&self) -> usize {
        self.contexts.len()
    }
}

/// The processes at the ends of an exchange that was written down, as far as they were known when it
/// was told that it is open.
fn known_at_first(exchange: &Exchange) -> [u64; 2] {
    let [client_known, server_known] =
        exchange.turns.opened.map_or([false; 2], |opened| opened.processes);
    let Processes { client, server } = &exchange.processes;
    let of = |process: Option<&Process>| process.map_or(0, number);
    [of(client.as_deref().filter(|_| client_known)), of(server.as_deref().filter(|_| server_known))]
}

/// A number that stands for a process.
fn number(process: &Process) -> u64 {
    let host = process.host.as_deref().unwrap_or_default();
    xxh3_64_with_seed(host.as_bytes(), u64::from(process.pid)).max(1)
}
