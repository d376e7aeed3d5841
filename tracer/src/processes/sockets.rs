//! The kernel's lists of sockets, of all namespaces: in go the ends of flows, out go the sockets that
//! may be them.

use super::lines::SocketLine;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The two ends of a flow, either of which may be a socket of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) datagrams: bool,
    pub(super) ends: [SocketAddr; 2],
    /// The number of the namespace whose interface saw it, where that is known.
    pub(super) namespace: Option<u64>,
}

/// A network namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    /// Processes that are in it; its sockets are read through the first one.
    pub(super) members: Vec<u32>,
    pub(super) addresses: HashSet<IpAddr, FixedState>,
}

/// Sockets that may be an end.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Connected to the other end: namespace and inode.
    pub(super) connected: Vec<(u64, u64)>,
    /// Taking whoever comes, with how well they fit: the address itself, any of its family, any.
    pub(super) serving: Vec<(u64, Fit, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    Address,
    Family,
    Any,
}

/// What may be the two ends of each flow, by the lists of sockets of the namespaces, which are read
/// below this folder, mostly `/proc`.
pub(super) fn candidates(
    root: &Path,
    namespaces: &BTreeMap<u64, Namespace>,
    asked: &[Ends],
) -> Vec<[Candidates; 2]> {
    let mut found: Vec<[Candidates; 2]> = Vec::new();
    found.resize_with(asked.len(), Default::default);
    // Whose ends may be in a namespace: by the port, as of each only few are asked for.
    let mut by_namespace: BTreeMap<(u64, bool), Ports> = BTreeMap::new();
    for (question, ends) in asked.iter().enumerate() {
        for (place, local) in ends.ends.iter().enumerate() {
            for namespace in of_end(namespaces, ends, local.ip()) {
                let ports = by_namespace.entry((namespace, ends.datagrams)).or_default();
                ports.0.entry(local.port()).or_default().push((question, place));
            }
        }
    }
    for ((namespace, datagrams), ports) in by_namespace {
        let Some(own) = namespaces.get(&namespace) else { continue };
        let names = if datagrams { ["udp", "udp6"] } else { ["tcp", "tcp6"] };
        for name in names {
            own.read(root, name, &mut |line| {
                let Some(places) = ports.0.get(&line.local.port()) else { return };
                for (question, place) in places {
                    let Some(ends) = asked.get(*question) else { continue };
                    let (Some(local), Some(remote)) =
                        (ends.ends.get(*place), ends.ends.get(1 - *place))
                    else {
                        continue;
                    };
                    let candidates = found.get_mut(*question).and_then(|f| f.get_mut(*place));
                    let Some(candidates) = candidates else { continue };
                    candidates.add(namespace, line, *local, *remote);
                }
            });
        }
    }
    found
}

/// The namespaces that an end may lie in.
fn of_end(namespaces: &BTreeMap<u64, Namespace>, ends: &Ends, local: IpAddr) -> Vec<u64> {
    if local.is_loopback()
        && let Some(own) = ends.namespace
    {
        return vec![own];
    }
    let has = |namespace: &Namespace| local.is_loopback() || namespace.addresses.contains(&local);
    namespaces.iter().filter(|(_, own)| has(own)).map(|(number, _)| *number).collect()
}

/// Which ends of which questions have a port.
#[derive(Debug, Default)]
struct Ports(HashMap<u16, Vec<(usize, usize)>, FixedState>);

impl Candidates {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.connected.is_empty() && self.serving.is_empty()
    }

    /// The sockets that somebody holds.
    pub(super) fn inodes(&self) -> impl Iterator<Item = u64> {
        let connected = self.connected.iter().map(|(_, inode)| *inode);
        let serving = self.serving.iter().map(|(_, _, inode)| *inode);
        connected.chain(serving).filter(|inode| *inode != 0)
    }

    fn add(&mut self, space: u64, line: &SocketLine, local: SocketAddr, remote: SocketAddr) {
        let count = self.connected.len() + self.serving.len();
        if count >= CANDIDATES {
            return;
        }
        if line.local == local && line.remote == remote {
            self.connected.push((space, line.inode));
        } else if line.serves() {
            let fit = match line.local.ip() {
                own if own == local.ip() => Fit::Address,
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) if local.is_ipv4() => Fit::Family,
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) if local.is_ipv6() => Fit::Family,
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Fit::Any,
                _ => return,
            };
            self.serving.push((space, fit, line.inode));
        }
    }
}

impl Namespace {
    /// Reads one of its lists of sockets, through the first process that is still there.
    fn read(&self, root: &Path, name: &str, see: &mut dyn FnMut(&SocketLine)) {
        let files =
            self.members.iter().map(|pid| root.join(pid.to_string()).join("net").join(name));
        let Some(file) = files.filter_map(|path| File::open(path).ok()).next() else { return };
        let mut reader = BufReader::with_capacity(READ, file.take(LIST));
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            if let Ok(text) = std::str::from_utf8(&line)
                && let Some(socket) = SocketLine::read(text)
            {
                see(&socket);
            }
            line.clear();
        }
    }
}

/// Sockets that may be one end.
const CANDIDATES: usize = 1024;
/// Bytes of a list of sockets that are read: some 400,000 of them.
const LIST: u64 = 64 << 20;
const READ: usize = 64 << 10;
