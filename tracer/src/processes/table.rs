//! Sockets and processes of this host, in all network namespaces that have a process: in go the
//! ends of flows, out go the owners of those that are sockets here.
//!
//! Nothing is read before somebody asks, and then as little as answers it: first the sockets of the
//! namespaces that have the addresses, then the open files of processes that are new or have owned
//! sockets there before, then those of others, some at a time.

use super::lines::{own_ipv4, own_ipv6};
use super::process::{self, text};
use super::sockets::{Candidates, Ends, Namespace, candidates};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wirespan_capture::owner::{Owner, Process, Socket, word};

/// What is known of the two ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) owners: [Option<Owner>; 2],
    /// Whether looking again may tell more.
    pub(super) is_open: bool,
    /// Whether a newer list of processes may tell more.
    pub(super) lacks: bool,
}

/// What looking has come to, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Processes whose open files may not be read: that needs CAP_SYS_PTRACE.
    pub(super) denied: u64,
    /// Sockets that were found in no open file that may be read.
    pub(super) unfound: u64,
    /// Ends that several sockets of this host fit.
    pub(super) ambiguous: u64,
    /// Processes beyond the limit.
    pub(super) left_out: u64,
}

/// What was learned of this host.
#[derive(Debug)]
pub(super) struct Table {
    root: PathBuf,
    host: Option<Box<str>>,
    /// The namespace of the first process.
    host_namespace: Option<u64>,
    namespaces: BTreeMap<u64, Namespace>,
    /// The namespace of each process.
    processes: BTreeMap<u32, Seen>,
    /// Whose a socket is, by its inode; the oldest are forgotten.
    inodes: HashMap<u64, Arc<Process>, FixedState>,
    order: VecDeque<u64>,
    /// What each process is that has owned sockets, of those that there are.
    described: BTreeMap<u32, Arc<Process>>,
    /// Processes that have owned sockets that were asked for.
    hot: BTreeSet<u32>,
    /// Where looking through open files goes on.
    cursor: u32,
    denied: HashSet<u32, FixedState>,
    /// Sockets that were found in no open file, and how often.
    missed: HashMap<u64, u8, FixedState>,
    pub(super) counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    namespace: u64,
    /// Its open files have been looked through at least once.
    is_known: bool,
}

impl Table {
    /// Of the host whose processes stand in this folder, mostly `/proc`.
    pub(super) fn new(root: &Path) -> Self {
        let host = fs::read_to_string(root.join("sys/kernel/hostname")).unwrap_or_default();
        Self {
            root: root.to_owned(),
            host: word(host.trim().as_bytes()),
            host_namespace: None,
            namespaces: BTreeMap::new(),
            processes: BTreeMap::new(),
            inodes: HashMap::with_hasher(FixedState::default()),
            order: VecDeque::new(),
            described: BTreeMap::new(),
            hot: BTreeSet::new(),
            cursor: 0,
            denied: HashSet::with_hasher(FixedState::default()),
            missed: HashMap::with_hasher(FixedState::default()),
            counts: Counts::default(),
        }
    }

    /// All addresses of this host, and the addresses that each namespace calls its own.
    pub(super) fn addresses(&self) -> HashSet<IpAddr, FixedState> {
        self.namespaces.values().flat_map(|namespace| namespace.addresses.iter().copied()).collect()
    }

    /// Learns which processes there are, in which namespaces, and with which addresses.
    ///
    /// # Errors
    /// What the operating system said, if there is no list of processes.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let mut pids: Vec<u32> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        if pids.len() > PROCESSES {
            self.counts.left_out = self.counts.left_out.max((pids.len() - PROCESSES) as u64);
            // The latest are those that are asked for.
            pids.drain(..pids.len() - PROCESSES);
        }
        let mut processes = BTreeMap::new();
        let mut namespaces: BTreeMap<u64, Namespace> = BTreeMap::new();
        for pid in pids {
            let Some(namespace) = self.namespace_of(pid) else { continue };
            let before = self.processes.get(&pid).filter(|seen| seen.namespace == namespace);
            let is_known = before.is_some_and(|seen| seen.is_known);
            processes.insert(pid, Seen { namespace, is_known });
            let known = namespaces.len();
            if known >= NAMESPACES && !namespaces.contains_key(&namespace) {
                self.counts.left_out += 1;
                continue;
            }
            let members = &mut namespaces.entry(namespace).or_default().members;
            if members.len() < MEMBERS {
                members.push(pid);
            }
        }
        for namespace in namespaces.values_mut() {
            for pid in &namespace.members {
                let net = self.root.join(pid.to_string()).join("net");
                let (v4, v6) = (text(&net.join("fib_trie")), text(&net.join("if_inet6")));
                if v4.is_none() && v6.is_none() {
                    continue;
                }
                let (v4, v6) = (v4.unwrap_or_default(), v6.unwrap_or_default());
                namespace.addresses = own_ipv4(&v4).chain(own_ipv6(&v6)).take(ADDRESSES).collect();
                break;
            }
        }
        let first = processes.get(&1).map(|seen| seen.namespace);
        self.host_namespace = first.or(self.host_namespace).or_else(|| self.own_namespace());
        self.described.retain(|pid, _| processes.contains_key(pid));
        self.hot.retain(|pid| processes.contains_key(pid));
        self.denied.retain(|pid| processes.contains_key(pid));
        self.processes = processes;
        self.namespaces = namespaces;
        Ok(())
    }

    /// Looks for the owners of these ends. `links` is how many open files may be looked at; it is
    /// counted down.
    pub(super) fn look(&mut self, asked: &[Ends], links: &mut usize) -> Vec<Answer> {
        let candidates = candidates(&self.root, &self.namespaces, asked);
        let mut wanted: HashSet<u64, FixedState> = HashSet::with_hasher(FixedState::default());
        for found in candidates.iter().flatten() {
            wanted.extend(found.inodes());
        }
        let is_missed = |inode: &u64| self.missed.get(inode).is_some_and(|times| *times >= TIMES);
        wanted.retain(|inode| !self.inodes.contains_key(inode) && !is_missed(inode));
        let is_whole = self.find(&mut wanted, links);
        if is_whole {
            self.miss(&wanted);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for (ends, found) in asked.iter().zip(&candidates) {
            let lacks = found.iter().all(Candidates::is_empty);
            let mut answer = Answer { lacks, ..Answer::default() };
            for (place, candidates) in found.iter().enumerate() {
                let (Some(local), Some(remote)) = (ends.ends.get(place), ends.ends.get(1 - place))
                else {
                    continue;
                };
                let awaited = candidates.inodes().any(|inode| wanted.contains(&inode));
                answer.is_open |= awaited && !is_whole;
                answer.lacks |= awaited;
                // It may be another's than that of who listens.
                let is_connected = |inode: &u64| wanted.contains(inode);
                let connected = candidates.connected.iter().any(|(_, inode)| is_connected(inode));
                if connected && !is_whole {
                    continue;
                }
                let owner = self.owner(ends, *local, *remote, candidates);
                // Nobody holds what was not accepted yet, but somebody will.
                let is_coming = candidates.connected.iter().any(|(_, inode)| *inode == 0);
                answer.is_open |= owner.is_none() && is_coming;
                if let Some(place) = answer.owners.get_mut(place) {
                    *place = owner;
                }
            }
            answers.push(answer);
        }
        answers
    }

    /// Notes sockets that were not found: those of other users, where they may not be looked at.
    fn miss(&mut self, inodes: &HashSet<u64, FixedState>) {
        if self.missed.len() + inodes.len() > INODES {
            self.missed.clear();
        }
        let mut sorted: Vec<u64> = inodes.iter().copied().collect();
        sorted.sort_unstable();
        for inode in sorted {
            let times = self.missed.entry(inode).or_default();
            *times = times.saturating_add(1);
            self.counts.unfound += u64::from(*times == TIMES);
        }
    }

    /// Looks through open files for these sockets; whether all files were looked at that there are.
    fn find(&mut self, wanted: &mut HashSet<u64, FixedState>, links: &mut usize) -> bool {
        if wanted.is_empty() {
            return true;
        }
        // Whoever started the others holds sockets of theirs, and is asked last.
        let new = |(pid, seen): (&u32, &Seen)| (!seen.is_known && *pid != 1).then_some(*pid);
        let new: Vec<u32> = self.processes.iter().filter_map(new).collect();
        let hot: Vec<u32> = self.hot.iter().copied().filter(|pid| *pid != 1).collect();
        let (behind, from): (Vec<u32>, Vec<u32>) =
            self.processes.keys().copied().partition(|pid| *pid < self.cursor);
        let rest = from.into_iter().chain(behind).filter(|pid| *pid != 1);
        let first = self.processes.contains_key(&1).then_some(1);
        let mut looked: HashSet<u32, FixedState> = HashSet::with_hasher(FixedState::default());
        let hot = hot.into_iter().map(|pid| (pid, false));
        let new = new.into_iter().map(|pid| (pid, false));
        for (pid, is_rest) in hot.chain(new).chain(rest.chain(first).map(|pid| (pid, true))) {
            if wanted.is_empty() {
                return true;
            }
            if *links == 0 {
                return false;
            }
            if !looked.insert(pid) {
                continue;
            }
            if is_rest {
                self.cursor = pid.saturating_add(1);
            }
            self.files(pid, wanted, links);
        }
        self.cursor = 0;
        true
    }

    /// Looks through the open files of one process.
    fn files(&mut self, pid: u32, wanted: &mut HashSet<u64, FixedState>, links: &mut usize) {
        let entries = match fs::read_dir(self.of(pid).join("fd")) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == ErrorKind::PermissionDenied && self.denied.insert(pid) {
                    self.counts.denied += 1;
                }
                self.known(pid);
                return;
            }
        };
        let mut found = Vec::new();
        for entry in entries.map_while(Result::ok) {
            if *links == 0 {
                return self.own(pid, &found);
            }
            *links -= 1;
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|target| bracketed(target, "socket:["));
            if let Some(inode) = inode.filter(|inode| wanted.remove(inode)) {
                found.push(inode);
                if wanted.is_empty() {
                    break;
                }
            }
        }
        self.known(pid);
        self.own(pid, &found);
    }

    fn known(&mut self, pid: u32) {
        if let Some(seen) = self.processes.get_mut(&pid) {
            seen.is_known = true;
        }
    }

    /// These sockets are held by a process.
    fn own(&mut self, pid: u32, inodes: &[u64]) {
        if inodes.is_empty() {
            return;
        }
        if self.hot.len() < HOT {
            self.hot.insert(pid);
        }
        let Some(process) = self.describe(pid) else { return };
        for inode in inodes {
            if self.inodes.insert(*inode, process.clone()).is_none() {
                self.order.push_back(*inode);
            }
        }
        while self.order.len() > INODES
            && let Some(oldest) = self.order.pop_front()
        {
            self.inodes.remove(&oldest);
        }
    }

    /// Of the sockets that may be an end, whose it is.
    fn owner(
        &mut self,
        ends: &Ends,
        local: SocketAddr,
        remote: SocketAddr,
        candidates: &Candidates,
    ) -> Option<Owner> {
        let connected = candidates.connected.iter().map(|(space, inode)| (*space, *inode));
        let best = |space: u64| {
            let fits = candidates.serving.iter().filter(move |(own, ..)| *own == space);
            fits.map(|(_, fit, _)| *fit).min()
        };
        let serving =
            candidates.serving.iter().filter(|(space, fit, _)| Some(*fit) == best(*space));
        let connected = self.one(ends, connected.collect());
        let serving = self.one(ends, serving.map(|(space, _, inode)| (*space, *inode)).collect());
        let is_ambiguous = connected == Found::Several
            || (connected == Found::Nothing && serving == Found::Several);
        self.counts.ambiguous += u64::from(is_ambiguous);
        let socket = |remote| Socket { datagrams: ends.datagrams, local, remote };
        match (connected, serving) {
            (Found::Several, _) => None,
            // One word for all who come says as much.
            (Found::One(process), Found::One(other)) if process == other => {
                Some(Owner { socket: socket(None), process })
            }
            (Found::One(process), _) => Some(Owner { socket: socket(Some(remote)), process }),
            (Found::Nothing, Found::One(process)) => Some(Owner { socket: socket(None), process }),
            (Found::Nothing, _) => None,
        }
    }

    /// The one process that owns all of these sockets, which may be of several namespaces only if
    /// the one of the capture is among them.
    fn one(&self, ends: &Ends, sockets: Vec<(u64, u64)>) -> Found {
        let own = |(space, _): &(u64, u64)| ends.namespace == Some(*space);
        let several = sockets.iter().any(|(space, _)| Some(*space) != sockets.first().map(|s| s.0));
        let has_own = sockets.iter().any(own);
        if several && !has_own {
            return Found::Several;
        }
        let mut found = Found::Nothing;
        for (_, inode) in sockets.iter().filter(|socket| !several || own(socket)) {
            let Some(process) = self.inodes.get(inode) else { continue };
            match &found {
                Found::One(other) if other != process => return Found::Several,
                _ => found = Found::One(process.clone()),
            }
        }
        found
    }

    /// What a process is; the same one where it is what it was.
    fn describe(&mut self, pid: u32) -> Option<Arc<Process>> {
        let process = process::describe(&self.root, pid)?;
        let namespace = self.processes.get(&process.pid).map(|seen| seen.namespace);
        let process = Process {
            namespace: namespace.filter(|own| Some(*own) != self.host_namespace),
            host: self.host.clone(),
            ..process
        };
        let known = self.described.get(&pid).filter(|known| ***known == process);
        if let Some(known) = known {
            return Some(known.clone());
        }
        let process = Arc::new(process);
        self.described.insert(pid, process.clone());
        Some(process)
    }

    fn of(&self, pid: u32) -> PathBuf {
        self.root.join(pid.to_string())
    }

    /// The namespace of a process; nothing of one that is gone or may not be looked at.
    fn namespace_of(&mut self, pid: u32) -> Option<u64> {
        match fs::read_link(self.of(pid).join("ns/net")) {
            Ok(target) => bracketed(target.to_str()?, "net:["),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                if self.denied.insert(pid) {
                    self.counts.denied += 1;
                }
                None
            }
            // Kernels before 3.8 do not say; all are taken for one then.
            Err(_) => (self.of(pid).join("fd").exists() && !self.of(pid).join("ns/net").exists())
                .then_some(0),
        }
    }

    fn own_namespace(&self) -> Option<u64> {
        let target = fs::read_link(self.root.join("self/ns/net")).ok()?;
        bracketed(target.to_str()?, "net:[")
    }
}

/// Whose some sockets are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    One(Arc<Process>),
    Several,
}

/// `socket:[123]`, `net:[4026531840]`
fn bracketed(text: &str, start: &str) -> Option<u64> {
    text.strip_prefix(start)?.strip_suffix(']')?.parse().ok()
}

/// Processes that are known, and namespaces; of each namespace, processes through which it can be
/// read, and addresses.
const PROCESSES: usize = 1 << 16;
const NAMESPACES: usize = 4096;
const MEMBERS: usize = 8;
const ADDRESSES: usize = 4096;
/// Sockets whose process is remembered.
const INODES: usize = 1 << 16;
/// How often a socket is looked for in all open files.
const TIMES: u8 = 3;
/// Processes whose files are looked through first.
const HOT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A made `/proc`.
    struct Host(TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(TempDir::new().unwrap());
            host.write("sys/kernel/hostname", "web1\n");
            host.process(1, 0, "/sbin/init", "init", 1);
            host
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }

        /// A process with its executable and command line, in a namespace.
        fn process(&self, pid: u32, parent: u32, executable: &str, line: &str, namespace: u64) {
            let status = format!("Name:\tcomm\nPPid:\t{parent}\nUid:\t0\t33\t0\t0\n");
            self.write(&format!("{pid}/status"), &status);
            self.write(&format!("{pid}/cmdline"), &line.replace(' ', "\0"));
            self.link(&format!("{pid}/exe"), executable);
            self.link(&format!("{pid}/ns/net"), &format!("net:[{namespace}]"));
            fs::create_dir_all(self.0.path().join(format!("{pid}/fd"))).unwrap();
        }

        fn holds(&self, pid: u32, inode: u64) {
            self.link(&format!("{pid}/fd/{inode}"), &format!("socket:[{inode}]"));
        }

        /// The addresses of the namespace that this process is in.
        fn addresses(&self, pid: u32, addresses: &[&str]) {
            let lines = addresses.iter().map(|ip| format!("|-- {ip}\n   /32 host LOCAL\n"));
            self.write(&format!("{pid}/net/fib_trie"), &lines.collect::<String>());
        }

        /// Its sockets: local, remote, whether it serves, inode.
        fn sockets(&self, pid: u32, name: &str, sockets: &[(&str, &str, u64)]) {
            let hex = |end: &str| {
                let end: SocketAddr = end.parse().unwrap();
                let IpAddr::V4(ip) = end.ip() else { panic!("{end}") };
                format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), end.port())
            };
            let lines = sockets.iter().map(|(local, remote, inode)| {
                let state = if remote.ends_with(":0") { "0A" } else { "01" };
                let (local, remote) = (hex(local), hex(remote));
                format!("  0: {local} {remote} {state} 0:0 0:0 0 33 0 {inode} 1 0\n")
            });
            let heading = "  sl  local_address rem_address   st\n".to_owned();
            let text = heading + &lines.collect::<String>();
            self.write(&format!("{pid}/net/{name}"), &text);
        }

        fn table(&self) -> Table {
            let mut table = Table::new(self.0.path());
            table.refresh().unwrap();
            table
        }

        /// Who is at the ends of a flow, as comments without their start.
        fn check(&self, from: &str, to: &str, namespace: Option<u64>, expected: [&str; 2]) {
            check(&mut self.table(), from, to, namespace, expected);
        }
    }

    fn ends(from: &str, to: &str, namespace: Option<u64>) -> Ends {
        Ends { datagrams: false, ends: [from, to].map(|end| end.parse().unwrap()), namespace }
    }

    fn check(table: &mut Table, from: &str, to: &str, namespace: Option<u64>, expected: [&str; 2]) {
        let answers = table.look(&[ends(from, to, namespace)], &mut 1000);
        let owners = answers.into_iter().next().unwrap().owners;
        let texts = owners.map(|owner| owner.map_or_else(String::new, |owner| owner.to_string()));
        let texts = texts.each_ref().map(|text| text.trim_start_matches("wirespan: tcp "));
        assert_eq!(texts, expected, "{from} > {to}");
    }

    #[test]
    fn both_ends_are_found_in_their_namespaces() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.1", "127.0.0.1"]);
        host.process(88, 1, "/usr/bin/curl", "curl x", 1);
        host.holds(88, 500);
        host.sockets(1, "tcp", &[("10.0.0.1:43000", "10.0.0.7:8080", 500)]);
        host.process(17, 1, "/usr/sbin/nginx", "nginx", 2);
        host.holds(17, 600);
        host.addresses(17, &["10.0.0.7", "127.0.0.1"]);
        host.sockets(17, "tcp", &[("0.0.0.0:8080", "0.0.0.0:0", 600)]);
        host.check(
            "10.0.0.1:43000",
            "10.0.0.7:8080",
            None,
            [
                "10.0.0.1:43000 > 10.0.0.7:8080 is curl (pid 88, uid 33, on web1)",
                "10.0.0.7:8080 is nginx (pid 17, uid 33, netns 2, on web1)",
            ],
        );
        // Nobody listens at that port, or has that address.
        host.check("10.0.0.1:43000", "10.0.0.7:8081", None, ["", ""]);
        host.check("10.0.0.9:1", "10.0.0.8:8080", None, ["", ""]);
    }

    #[test]
    fn workers_are_the_process_that_began_them() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.7"]);
        host.process(17, 1, "/usr/sbin/nginx", "nginx: master", 1);
        host.process(20, 17, "/usr/sbin/nginx", "nginx: worker", 1);
        host.process(30, 1, "/usr/bin/python3", "python3 supervisor.py", 1);
        host.process(31, 30, "/usr/bin/python3", "python3 orders.py", 1);
        host.process(32, 31, "/usr/bin/python3", "python3 -c spawn", 1);
        host.holds(20, 600);
        host.holds(32, 700);
        host.sockets(
            1,
            "tcp",
            &[
                ("0.0.0.0:80", "0.0.0.0:0", 601),
                ("10.0.0.7:80", "10.0.0.1:1", 600),
                ("10.0.0.7:81", "10.0.0.1:1", 700),
            ],
        );
        host.check(
            "10.0.0.1:1",
            "10.0.0.7:80",
            None,
            ["", "10.0.0.7:80 > 10.0.0.1:1 is nginx (pid 17, uid 33, on web1)"],
        );
        host.holds(17, 601);
        host.check(
            "10.0.0.1:1",
            "10.0.0.7:80",
            None,
            ["", "10.0.0.7:80 is nginx (pid 17, uid 33, on web1)"],
        );
        host.check(
            "10.0.0.1:1",
            "10.0.0.7:81",
            None,
            ["", "10.0.0.7:81 > 10.0.0.1:1 is orders (pid 31, exe python3, uid 33, on web1)"],
        );
    }

    #[test]
    fn equal_addresses_are_told_apart_by_the_namespace_only() {
        let host = Host::new();
        for (pid, namespace, name) in [(17, 2, "red"), (18, 3, "blue")] {
            host.process(pid, 1, &format!("/usr/bin/{name}"), name, namespace);
            host.holds(pid, u64::from(pid) * 10);
            host.addresses(pid, &["10.0.0.7"]);
            host.sockets(pid, "tcp", &[("10.0.0.7:80", "0.0.0.0:0", u64::from(pid) * 10)]);
        }
        let (from, to) = ("10.0.0.1:1", "10.0.0.7:80");
        host.check(from, to, None, ["", ""]);
        host.check(from, to, Some(4), ["", ""]);
        let red = "10.0.0.7:80 is red (pid 17, uid 33, netns 2, on web1)";
        host.check(from, to, Some(2), ["", red]);
        let blue = "10.0.0.7:80 is blue (pid 18, uid 33, netns 3, on web1)";
        host.check(from, to, Some(3), ["", blue]);
        let mut table = host.table();
        table.look(&[ends(from, to, None)], &mut 1000);
        assert_eq!(table.counts.ambiguous, 1);
        // A connection tells which of the two it is.
        let connected = [("10.0.0.7:80", "0.0.0.0:0", 170), ("10.0.0.7:80", "10.0.0.1:1", 171)];
        host.sockets(17, "tcp", &connected);
        host.holds(17, 171);
        let red = "10.0.0.7:80 > 10.0.0.1:1 is red (pid 17, uid 33, netns 2, on web1)";
        host.check(from, to, None, ["", red]);
    }

    #[test]
    fn the_nearest_listener_counts() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.7", "10.0.0.8"]);
        host.process(17, 1, "/usr/bin/one", "one", 1);
        host.process(18, 1, "/usr/bin/any", "any", 1);
        host.process(19, 1, "/usr/bin/other", "other", 1);
        host.holds(17, 170);
        host.holds(18, 180);
        host.holds(19, 190);
        host.sockets(
            1,
            "tcp",
            &[
                ("0.0.0.0:80", "0.0.0.0:0", 180),
                ("10.0.0.7:80", "0.0.0.0:0", 170),
                // Two programs share a port.
                ("0.0.0.0:81", "0.0.0.0:0", 180),
                ("0.0.0.0:81", "0.0.0.0:0", 190),
            ],
        );
        let one = "10.0.0.7:80 is one (pid 17, uid 33, on web1)";
        host.check("10.9.9.9:1", "10.0.0.7:80", None, ["", one]);
        let any = "10.0.0.8:80 is any (pid 18, uid 33, on web1)";
        host.check("10.9.9.9:1", "10.0.0.8:80", None, ["", any]);
        host.check("10.9.9.9:1", "10.0.0.8:81", None, ["", ""]);
    }

    #[test]
    fn who_only_passes_a_socket_on_is_not_its_owner() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.7"]);
        host.process(17, 1, "/usr/sbin/sshd", "sshd", 1);
        host.holds(1, 600);
        host.holds(17, 600);
        host.sockets(1, "tcp", &[("0.0.0.0:22", "0.0.0.0:0", 600)]);
        let sshd = "10.0.0.7:22 is sshd (pid 17, uid 33, on web1)";
        host.check("10.9.9.9:1", "10.0.0.7:22", None, ["", sshd]);
    }

    #[test]
    fn what_one_look_may_not_find_the_next_ones_do() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.7"]);
        for pid in 100..120 {
            host.process(pid, 1, "/usr/bin/many", "many", 1);
            (0..10).for_each(|inode| host.holds(pid, u64::from(pid) * 100 + inode));
        }
        host.sockets(1, "tcp", &[("0.0.0.0:80", "0.0.0.0:0", 11_905)]);
        let mut table = host.table();
        let asked = [ends("10.9.9.9:1", "10.0.0.7:80", None)];
        let mut looks = 0;
        let answer = loop {
            looks += 1;
            let answer = table.look(&asked, &mut 30).remove(0);
            if !answer.is_open {
                break answer;
            }
            assert_eq!(answer.owners, [None, None]);
        };
        assert_eq!(answer.owners[1].as_ref().map(|owner| owner.process.pid), Some(119));
        assert_eq!(looks, 7);
        // From then on it is known.
        assert!(!table.look(&asked, &mut 0).remove(0).is_open);
    }

    #[test]
    fn a_socket_that_nobody_holds_is_looked_for_a_few_times() {
        let host = Host::new();
        host.addresses(1, &["10.0.0.7"]);
        host.process(17, 1, "/usr/bin/a", "a", 1);
        (0..10).for_each(|inode| host.holds(17, inode));
        host.sockets(1, "tcp", &[("0.0.0.0:80", "0.0.0.0:0", 600)]);
        let mut table = host.table();
        let asked = [ends("10.9.9.9:1", "10.0.0.7:80", None)];
        let mut read = [0; 5];
        for count in &mut read {
            let mut links = 1000;
            table.look(&asked, &mut links);
            *count = 1000 - links;
        }
        assert_eq!(read, [10, 10, 10, 0, 0]);
    }

    #[test]
    fn sockets_of_this_process_are_found() {
        let mut table = Table::new(Path::new("/proc"));
        if let Err(error) = table.refresh() {
            println!("skipped: no /proc: {error}");
            return;
        }
        let own = std::process::id();
        if !table.processes.contains_key(&own) {
            println!("skipped: /proc does not show this process");
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let client = TcpStream::connect(to).unwrap();
        let _accepted = listener.accept().unwrap();
        let from = client.local_addr().unwrap();
        let namespace = table.own_namespace();
        let asked = Ends { datagrams: false, ends: [from, to], namespace };
        let answer = table.look(&[asked], &mut 1_000_000).remove(0);
        let pids = answer.owners.map(|owner| owner.map(|owner| owner.process.pid));
        // A runner of tests may have forked this one.
        assert_eq!(pids[0], pids[1]);
        assert!(pids[0].is_some(), "{from} > {to} in {namespace:?}");
    }
}
