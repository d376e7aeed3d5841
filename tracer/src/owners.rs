//! What is known of the processes at the ends of connections, as packets told it: in go sockets and
//! whose they are, in the order of packets; exchanges get the processes at their two ends.

use crate::exchange::{Exchange, Processes};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::VecDeque;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;
use wirespan_capture::owner::{Owner, Process, Socket};
use wirespan_capture::packet::NetworkId;
use wirespan_capture::stream::Transport;

/// The sockets whose process is known.
#[derive(Debug, Default)]
pub struct Owners {
    /// Ends of connections.
    connected: Known<(NetworkId, Socket)>,
    /// Sockets that take whoever comes.
    serving: Known<(NetworkId, Socket)>,
    /// How many were told.
    pub told: u64,
}

impl Owners {
    /// Learns whose a socket is; what was told last counts.
    pub fn learn(&mut self, network: NetworkId, owner: Owner) {
        self.told += 1;
        let Owner { socket, process } = owner;
        let known = match socket.remote {
            Some(_) => &mut self.connected,
            None => &mut self.serving,
        };
        known.put((network, socket), process);
    }

    /// How many were forgotten, since there were too many.
    pub fn forgotten(&self) -> u64 {
        self.connected.forgotten + self.serving.forgotten
    }

    /// Whose the socket at one end of a connection is: that of the connection, else the one that
    /// takes whoever comes there.
    pub fn at(
        &self,
        network: NetworkId,
        datagrams: bool,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<Owner> {
        if self.told == 0 {
            return None;
        }
        let socket = Socket { datagrams, local, remote: Some(remote) };
        let any = Socket { remote: None, ..socket };
        let connected = self.connected.of(&(network, socket)).map(|process| (socket, process));
        let found = connected.or_else(|| Some((any, self.serving.of(&(network, any))?)));
        found.map(|(socket, process)| Owner { socket, process })
    }

    /// The processes at the ends of an exchange. Those that it came with stay.
    pub fn complete(&self, exchange: &mut Exchange) {
        let Exchange { client, server, network, transport, .. } = *exchange;
        let datagrams = transport == Transport::Udp;
        let Processes { client: asking, server: asked } = &mut exchange.processes;
        if asked.is_none() {
            *asked = self.at(network, datagrams, server, client).map(|owner| owner.process);
        }
        if asking.is_none() {
            // Who asks over TCP has connected; of UDP, most that ask take whoever answers.
            let fits = |owner: &Owner| datagrams || owner.socket.remote.is_some();
            let found = self.at(network, datagrams, client, server).filter(fits);
            *asking = found.map(|owner| owner.process);
        }
    }
}

/// Processes by socket; the oldest are forgotten.
#[derive(Debug)]
struct Known<K> {
    by_socket: HashMap<K, Arc<Process>, FixedState>,
    order: VecDeque<K>,
    forgotten: u64,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        let by_socket = HashMap::with_hasher(FixedState::default());
        Self { by_socket, order: VecDeque::new(), forgotten: 0 }
    }
}

impl<K: Copy + Eq + Hash> Known<K> {
    fn put(&mut self, socket: K, process: Arc<Process>) {
        match self.by_socket.entry(socket) {
            Entry::Occupied(mut known) => {
                known.insert(process);
                return;
            }
            Entry::Vacant(place) => {
                place.insert(process);
            }
        }
        self.order.push_back(socket);
        if self.order.len() > SOCKETS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_socket.remove(&oldest);
            self.forgotten += 1;
        }
    }

    fn of(&self, socket: &K) -> Option<Arc<Process>> {
        self.by_socket.get(socket).cloned()
    }
}

/// Sockets of each kind that are remembered.
const SOCKETS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The processes at the ends of a call of 10.0.0.1:40000 to 10.0.0.2:80, in words.
    fn check(comments: &[&str], expected: [Option<&str>; 2]) {
        let mut owners = Owners::default();
        for comment in comments {
            owners.learn(NetworkId(0), Owner::parse(comment).unwrap());
        }
        let mut exchange = Exchange::lasting(1);
        owners.complete(&mut exchange);
        let Processes { client, server } = &exchange.processes;
        let found = [client, server].map(|end| end.as_ref().map(|process| &*process.name));
        assert_eq!(found, expected, "{comments:?}");
    }

    #[test]
    fn ends_are_told_apart() {
        check(&[], [None, None]);
        check(&["wirespan: tcp 10.0.0.2:80 is nginx (pid 1)"], [None, Some("nginx")]);
        check(
            &["wirespan: tcp 10.0.0.1:40000 > 10.0.0.2:80 is curl (pid 1)"],
            [Some("curl"), None],
        );
    }

    #[test]
    fn a_connection_is_surer_than_who_listens() {
        check(
            &[
                "wirespan: tcp 10.0.0.2:80 > 10.0.0.1:40000 is worker (pid 2)",
                "wirespan: tcp 10.0.0.2:80 is other (pid 1)",
            ],
            [None, Some("worker")],
        );
    }

    #[test]
    fn other_sockets_tell_nothing() {
        check(
            &[
                "wirespan: udp 10.0.0.2:80 is a (pid 1)",
                "wirespan: tcp 10.0.0.2:81 is a (pid 1)",
                "wirespan: tcp 10.0.0.1:40000 is a (pid 1)",
                "wirespan: tcp 10.0.0.1:40000 > 10.0.0.2:81 is a (pid 1)",
            ],
            [None, None],
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut known = Known::default();
        for socket in 0..SOCKETS + 2 {
            known.put(socket, Arc::default());
        }
        assert_eq!((known.by_socket.len(), known.forgotten), (SOCKETS, 2));
        assert!(known.of(&1).is_none() && known.of(&2).is_some());
    }
}
