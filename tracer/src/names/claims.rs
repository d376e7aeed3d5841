//! Which server bears which name, so that no two of one address or host share one by chance. The
//! first one that a name is found for bears it as it is; of another one, its process or port stands
//! with it.
//!
//! ```text
//! named   process   asked at        the service
//! a.test  nginx     10.0.0.7:80     a.test
//! a.test  nginx     10.0.0.8:80     a.test             another host: they serve the same
//! a.test  python    10.0.0.7:8000   python@a.test      what nginx passed on
//!         redis     10.0.0.7:6379   redis
//!         redis     10.0.0.9:6379   redis@10.0.0.9:6379
//! b.test            10.0.1.7:80     b.test
//! b.test            10.0.1.7:6379   b.test:6379        another port of it: another service
//! b.test            10.0.1.8:8080   b.test             another address, and the same protocol
//! b.test            10.0.1.8:6379   b.test:6379
//! ```

use crate::exchange::{Exchange, ProtocolIndex};
use foldhash::fast::RandomState;
use hashbrown::{Equivalent, HashMap};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use wirespan_capture::owner::Process;
use wirespan_capture::packet::NetworkId;

/// Which server bears which name.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_name: HashMap<Name, Vec<Claim>, RandomState>,
    count: usize,
    /// How often a server was called what nothing remembers.
    pub(super) beyond: u64,
}

/// A name as it was written first; those are equal that differ in the case of letters only.
#[derive(Debug)]
struct Name(Box<str>);

/// The same of one that is looked for.
struct Wanted<'n>(&'n str);

/// A name that a server bears at an address.
#[derive(Debug)]
struct Claim {
    /// Its process, where that is known.
    process: Option<Arc<Process>>,
    protocol: ProtocolIndex,
    asked_at: (NetworkId, SocketAddr),
    label: Arc<str>,
}

impl Claims {
    /// What to call the server of an exchange, which was asked for by this name.
    pub(super) fn named(&mut self, name: &str, exchange: &Exchange) -> Arc<str> {
        let known = self.by_name.get_key_value(&Wanted(name)).map(|(known, _)| &known.0);
        let first = known.filter(|known| ***known != *name).cloned();
        let name = first.as_deref().unwrap_or(name);
        match exchange.processes.server.clone() {
            Some(process) => self.label(Some(name), &process, exchange),
            None => self.unowned(name, exchange),
        }
    }

    /// What to call the server of an exchange, of which only the process is known.
    pub(super) fn unnamed(&mut self, process: &Arc<Process>, exchange: &Exchange) -> Arc<str> {
        self.label(None, process, exchange)
    }

    fn label(
        &mut self,
        named: Option<&str>,
        process: &Arc<Process>,
        exchange: &Exchange,
    ) -> Arc<str> {
        let at = asked_at(exchange);
        let name = named.unwrap_or(&process.name);
        let on_host =
            |claim: &Claim| claim.process.as_ref().is_some_and(|known| known.host == process.host);
        let is_alike =
            |claim: &Claim| claim.process.as_ref().is_some_and(|known| known.name == process.name);
        let is_there = |claim: &&mut Claim| {
            let is_it = claim.process.is_none() || (on_host(claim) && is_alike(claim));
            claim.asked_at == at && is_it
        };
        let mut claims = self.by_name.get_mut(&Wanted(name)).into_iter().flatten();
        if let Some(claim) = claims.find(is_there) {
            // It may have been started again, or is known only now.
            claim.process = Some(process.clone());
            return claim.label.clone();
        }
        let claims = self.by_name.get(&Wanted(name)).map(Vec::as_slice).unwrap_or_default();
        let mut alike = claims.iter().filter(|claim| is_alike(claim));
        let is_it = |claim: &&Claim| {
            let pid = claim.process.as_ref().map(|known| known.pid);
            pid == Some(process.pid) && on_host(claim)
        };
        let label: Arc<str> = match (alike.clone().find(is_it), named) {
            (Some(claim), _) => claim.label.clone(),
            (None, _) if claims.is_empty() && self.count < CLAIMS => name.into(),
            (None, None) => format!("{}@{}", process.name, at.1).into(),
            (None, Some(name)) => match alike.clone().next() {
                None if claims.is_empty() => name.into(),
                None => match serves_the_same(claims, exchange) {
                    // Of other hosts nothing tells the processes.
                    Some(claim) if claim.process.is_none() => claim.label.clone(),
                    _ => format!("{}@{name}", process.name).into(),
                },
                Some(_) if alike.clone().any(on_host) => {
                    format!("{}@{name}:{}", process.name, at.1.port()).into()
                }
                Some(first) => first.label.clone(),
            },
        };
        let is_known = alike.by_ref().count() >= ALIKE;
        self.claim(name, Some(process), exchange, &label, is_known);
        label
    }

    /// What to call a server of whose process nothing is known.
    fn unowned(&mut self, name: &str, exchange: &Exchange) -> Arc<str> {
        let at = asked_at(exchange);
        let claims = self.by_name.get(&Wanted(name)).map(Vec::as_slice).unwrap_or_default();
        if let Some(claim) = claims.iter().find(|claim| claim.asked_at == at) {
            return claim.label.clone();
        }
        let bears_it = |claim: &&Claim| *claim.label == *name;
        let address = |(network, server): (NetworkId, SocketAddr)| (network, server.ip());
        let is_other = |claim: &Claim| address(claim.asked_at) != address(at);
        let label: Arc<str> = match serves_the_same(claims, exchange) {
            Some(claim) => claim.label.clone(),
            // What passes calls on to another port changes the address, too.
            None if claims.iter().filter(bears_it).all(is_other)
                && claims.iter().find(bears_it).is_none_or(|first| speaks(first, exchange)) =>
            {
                name.into()
            }
            None => format!("{name}:{}", at.1.port()).into(),
        };
        let unowned = claims.iter().filter(|claim| claim.process.is_none()).count();
        self.claim(name, None, exchange, &label, unowned >= ALIKE);
        label
    }

    fn claim(
        &mut self,
        name: &str,
        process: Option<&Arc<Process>>,
        exchange: &Exchange,
        label: &str,
        is_full: bool,
    ) {
        if self.count >= CLAIMS || is_full {
            let claims = self.by_name.get(&Wanted(name)).map(Vec::as_slice).unwrap_or_default();
            let is_found_again = claims.iter().any(|claim| *claim.label == *label);
            self.beyond += u64::from(!is_found_again);
            return;
        }
        self.count += 1;
        let (protocol, asked_at) = (exchange.protocol, asked_at(exchange));
        let claim = Claim { process: process.cloned(), protocol, asked_at, label: label.into() };
        match self.by_name.get_mut(&Wanted(name)) {
            Some(claims) => claims.push(claim),
            None => drop(self.by_name.insert(Name(name.into()), vec![claim])),
        }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted(&self.0).hash(state);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

impl Equivalent<Name> for Wanted<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&name.0)
    }
}

/// Where the server of an exchange was asked.
fn asked_at(exchange: &Exchange) -> (NetworkId, SocketAddr) {
    (exchange.network, exchange.server)
}

/// The server that another address has under the same port, where it speaks the same.
fn serves_the_same<'c>(claims: &'c [Claim], exchange: &Exchange) -> Option<&'c Claim> {
    let port = exchange.server.port();
    let at_port = |claim: &&Claim| claim.asked_at.1.port() == port && speaks(claim, exchange);
    claims.iter().find(at_port)
}

/// Whether it was asked in the protocol of an exchange; a connection that failed had none yet.
fn speaks(claim: &Claim, exchange: &Exchange) -> bool {
    let (one, other) = (claim.protocol, exchange.protocol);
    one == other || [one, other].contains(&ProtocolIndex::CONNECT)
}

/// Servers that bear names.
const CLAIMS: usize = 1 << 16;
/// Those of one name and one program that are told apart.
const ALIKE: usize = 256;
