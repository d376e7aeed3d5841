//! Who called where no span above tells it: by the process that asked, else by its host. What was
//! asked where goes in, who an end of an exchange is comes out.
//!
//! ```text
//! the caller's process      was asked as a service        that service
//!                           was not                       the process, by its name
//! unknown; at its host      one service only was asked    that service
//!                           several were, or none         the host, by its name or address
//! ```

use crate::exchange::Exchange;
use crate::given::Given;
use foldhash::fast::RandomState;
use hashbrown::hash_map::Entry;
use hashbrown::{Equivalent, HashMap};
use serde::Serialize;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use wirespan_capture::owner::Process;
use wirespan_capture::packet::NetworkId;

/// What a caller is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// By the name of a service.
    Service,
    /// By the name of its process, which nobody asked.
    Process,
    /// By the name that its host was given.
    Host,
    /// By an address, as nothing more is known of it.
    Address,
    /// By nothing: these are those beyond the limit.
    Other,
}

/// The end of an exchange that called, as far as it is told from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallerEnd {
    host: Host,
    /// Its process, unless that was asked as a service.
    process: Option<Program>,
    name: Option<Box<str>>,
}

/// A host, by its address in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Host {
    network: NetworkId,
    address: IpAddr,
}

/// What runs on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Program {
    host: Option<Box<str>>,
    name: Box<str>,
}

/// The same with its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Running(Program, u32);

/// The same of one that is looked for.
#[derive(Hash)]
struct WantedProgram<'p>(Option<&'p str>, &'p str);

#[derive(Hash)]
struct WantedRunning<'p>(WantedProgram<'p>, u32);

/// Which services were asked, by host and by process.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    hosts: HashMap<Host, AtHost, RandomState>,
    running: HashMap<Running, Serving, RandomState>,
    programs: HashMap<Program, Serving, RandomState>,
    /// How many calls told something of a host or process for which there was no room.
    pub(crate) beyond: u64,
}

/// Which services were asked at a host.
#[derive(Debug)]
struct AtHost {
    serving: Serving,
    /// Whether the process of one of them is known.
    has_process: bool,
}

#[derive(Debug)]
enum Serving {
    One(Box<str>),
    Several,
}

impl Callers {
    /// Learns from a call of it what a service is.
    pub(crate) fn learn(&mut self, e: &Exchange, service: &str) {
        let process = e.processes.server.as_deref();
        let mut fits = true;
        if let Some(process) = process {
            let wanted = WantedRunning(WantedProgram::of(process), process.pid);
            let running = || Running(Program::of(process), process.pid);
            fits = learn(&mut self.running, &wanted, running, service);
            fits &= learn(&mut self.programs, &wanted.0, || Program::of(process), service);
        }
        let host = Host { network: e.network, address: e.server.ip() };
        // All that runs on a machine has a loopback address.
        if !host.address.is_loopback() {
            fits &= self.learn_host(host, service, process.is_some());
        }
        self.beyond += u64::from(!fits);
    }

    /// Whether there was room.
    fn learn_host(&mut self, host: Host, service: &str, has_process: bool) -> bool {
        let is_full = self.hosts.len() >= HOSTS;
        match self.hosts.entry(host) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.serving.add(service);
                known.has_process |= has_process;
            }
            Entry::Vacant(_) if is_full => return false,
            Entry::Vacant(new) => {
                let serving = Serving::One(service.into());
                new.insert(AtHost { serving, has_process });
            }
        }
        true
    }

    /// The service that called, where the process that did is known and was asked as one.
    pub(crate) fn asking(&self, e: &Exchange) -> Option<&str> {
        let process = e.processes.client.as_deref()?;
        self.running.get(&WantedRunning(WantedProgram::of(process), process.pid))?.one()
    }

    /// Who called, as far as it is known by now. That of which no service is known is called by its
    /// process, the name of its host, or its address.
    pub(crate) fn caller(&self, end: &CallerEnd) -> (CallerKind, String) {
        let at_host = self.hosts.get(&end.host);
        let service = match &end.process {
            // One that was started again has another number.
            Some(program) => self.programs.get(program).and_then(Serving::one).or_else(|| {
                at_host.filter(|known| !known.has_process).and_then(|known| known.serving.one())
            }),
            None => at_host.and_then(|known| known.serving.one()),
        };
        match (service, &end.process, &end.name) {
            (Some(service), ..) => (CallerKind::Service, service.to_owned()),
            (None, Some(program), _) => (CallerKind::Process, program.name.to_string()),
            (None, None, Some(name)) => (CallerKind::Host, name.to_string()),
            (None, None, None) => (CallerKind::Address, end.host.address.to_string()),
        }
    }
}

impl CallerEnd {
    /// The one that called.
    pub(crate) fn of(e: &Exchange) -> Self {
        let name = |given: &Arc<Given>| given.name.clone();
        Self {
            host: Host { network: e.network, address: e.client.ip() },
            process: e.processes.client.as_deref().map(Program::of),
            name: e.names.client.as_ref().map(name),
        }
    }
}

impl Program {
    fn of(process: &Process) -> Self {
        Self { host: process.host.clone(), name: process.name.clone() }
    }
}

impl<'p> WantedProgram<'p> {
    fn of(process: &'p Process) -> Self {
        Self(process.host.as_deref(), &process.name)
    }
}

impl Equivalent<Program> for WantedProgram<'_> {
    fn equivalent(&self, program: &Program) -> bool {
        self.0 == program.host.as_deref() && *self.1 == *program.name
    }
}

impl Equivalent<Running> for WantedRunning<'_> {
    fn equivalent(&self, running: &Running) -> bool {
        self.0.equivalent(&running.0) && self.1 == running.1
    }
}

impl Serving {
    fn add(&mut self, service: &str) {
        if matches!(self, Self::One(name) if **name != *service) {
            *self = Self::Several;
        }
    }

    fn one(&self) -> Option<&str> {
        match self {
            Self::One(name) => Some(name),
            Self::Several => None,
        }
    }
}

/// Whether there was room.
fn learn<K: Eq + Hash, Q: Hash + Equivalent<K>>(
    known: &mut HashMap<K, Serving, RandomState>,
    wanted: &Q,
    key: impl FnOnce() -> K,
    service: &str,
) -> bool {
    let is_full = known.len() >= HOSTS;
    match known.get_mut(wanted) {
        Some(serving) => serving.add(service),
        None if is_full => return false,
        None => drop(known.insert(key(), Serving::One(service.into()))),
    }
    true
}

/// Hosts, and processes, of which it is known which service they are.
pub const HOSTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_beyond_the_limit_are_counted() {
        let mut callers = Callers::default();
        let mut exchange = Exchange::lasting(1);
        for number in 0..HOSTS as u32 + 3 {
            exchange.server.set_ip(IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
            callers.learn(&exchange, "a");
        }
        exchange.server.set_ip(IpAddr::from([10, 0, 0, 1]));
        callers.learn(&exchange, "a");
        exchange.server.set_ip(IpAddr::from([127, 0, 0, 1]));
        callers.learn(&exchange, "a");
        assert_eq!(callers.beyond, 3);
    }
}
