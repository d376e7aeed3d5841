//! Endpoints to service names. No name is ever looked up on the network; the first of these that
//! is known counts:
//!
//! 1. a line of a file of names, which the user wrote of this address and port ([`files`])
//! 2. a file of hosts
//! 3. DNS answers seen on the wire
//! 4. the host that a request names; where it names none, the only one that others name there
//! 5. the process that owns the socket
//! 6. the name that clients of TLS asked this address for
//! 7. what the capture file calls the address
//!
//! What is said of an address without its port, 2 to 4 and 6 to 7, may be true of several servers;
//! `claims` tells them apart. Of several names of an address, 2 and 3 take the one that the
//! request names, so that two of one port are two services.

pub mod files;
pub mod captured;
mod claims;

use crate::exchange::{Exchange, OPERATION};
use crate::given::{Given, GivenBy, GivenNames, any_host_word, host_word, is_own, surer};
use crate::names::claims::Claims;
use crate::names::files::{ALIASES, NameFiles, is_called};
use crate::numbers::address;
use foldhash::fast::{FixedState, RandomState};
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use wirespan_capture::packet::NetworkId;
use wirespan_parsers::handed::TUNNEL;
use wirespan_parsers::message::Value;

/// Names of addresses, as far as they are known by now.
#[derive(Debug, Default)]
pub struct Names {
    files: Arc<NameFiles>,
    /// What DNS answers said, the first name first.
    by_address: HashMap<Resolved, SmallVec<[Box<str>; 1]>, RandomState>,
    /// The networks in which there were such answers, and where each address was named first.
    resolving: HashSet<Option<NetworkId>, FixedState>,
    first_named_in: HashMap<IpAddr, Option<NetworkId>, RandomState>,
    /// The hosts that requests named, by who was asked.
    hosts: HashMap<(NetworkId, SocketAddr), HostNamed, FixedState>,
    /// What clients of TLS asked for, by port.
    asked_for: HashMap<(NetworkId, IpAddr), AskedFor, FixedState>,
    /// What capture files say.
    captured: HashMap<IpAddr, Arc<Given>, FixedState>,
    claims: Claims,
    /// What servers are called of which nothing is known but their addresses.
    unnamed: HashMap<SocketAddr, Arc<str>, RandomState>,
    /// How often a name came for which there was no room: the same one counts again.
    beyond: u64,
}

/// An address of a network, or of those that a machine knows.
type Resolved = (Option<NetworkId>, IpAddr);

/// Names that clients of TLS asked one address for, each with the port.
type AskedFor = SmallVec<[(u16, Arc<Given>); 1]>;

/// The host that requests to one server named.
#[derive(Debug)]
enum HostNamed {
    One(Box<str>),
    Several,
}

/// What the server of an exchange is called, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// The name of the service.
    pub label: Arc<str>,
    /// What it is known by.
    pub known: Known,
}

/// What a name is known by, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// A file of names.
    Names,
    /// A file of hosts.
    Hosts,
    /// A DNS answer.
    Dns,
    /// The host that the request names, or the only one that others name there.
    Host,
    /// The process.
    Process,
    /// The name that a client of TLS asked for.
    ServerName,
    /// The capture file.
    Capture,
    /// Its address and port only, or what every host calls itself.
    Address,
}

impl Names {
    /// With what the user calls them.
    pub fn with(files: Arc<NameFiles>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Learns from an exchange which host it asked for.
    pub fn hear(&mut self, exchange: &Exchange) {
        // What is asked through a tunnel is not what stands at its end.
        if tunnel(exchange).is_some() {
            return;
        }
        let Some(name) = host(exchange).filter(|name| !is_own(name)) else { return };
        let is_full = self.hosts.len() >= NAMES;
        match self.hosts.entry((exchange.network, exchange.server)) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if matches!(known, HostNamed::One(one) if !one.eq_ignore_ascii_case(name)) {
                    *known = HostNamed::Several;
                }
            }
            Entry::Vacant(_) if is_full => self.beyond += 1,
            Entry::Vacant(new) => drop(new.insert(HostNamed::One(name.into()))),
        }
    }

    /// Learns from a DNS exchange: its `dns.answers` are `name=address` and others, by commas.
    pub fn learn(&mut self, exchange: &Exchange) {
        let Some(question) = exchange.text.text("dns.question.name") else { return };
        let Ok(question) = std::str::from_utf8(question) else { return };
        let question = question.strip_suffix('.').unwrap_or(question);
        let network = resolved_in(exchange);
        let addresses = exchange.text.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if name == "dns.answers" => std::str::from_utf8(text).ok(),
            _ => None,
        });
        for answer in addresses.flat_map(|answers| answers.split(',')) {
            let address = answer.rsplit_once('=').map_or(answer, |(_, address)| address);
            let Ok(address) = address.trim().parse::<IpAddr>() else { continue };
            let is_full = self.by_address.len() >= NAMES;
            match self.by_address.entry((network, address)) {
                // The first name stays, so that a service does not change its name in mid-capture.
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    if known.iter().any(|name| name.eq_ignore_ascii_case(question)) {
                        continue;
                    }
                    if known.len() < ALIASES {
                        known.push(question.into());
                        continue;
                    }
                }
                Entry::Vacant(_) if is_full => {}
                Entry::Vacant(new) => {
                    new.insert(smallvec![question.into()]);
                    self.resolving.insert(network);
                    self.first_named_in.entry(address).or_insert(network);
                    continue;
                }
            }
            self.beyond += 1;
        }
    }

    /// Learns that a client of TLS asked this server for a name.
    pub fn asked(&mut self, network: NetworkId, server: SocketAddr, name: &str) {
        let Some(name) = host_word(name) else { return };
        let given = || Arc::new(Given { name: name.into(), by: GivenBy::ServerName });
        let is_full = self.asked_for.len() >= NAMES;
        match self.asked_for.entry((network, server.ip())) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let is_it = |(port, one): &(u16, Arc<Given>)| {
                    *port == server.port() && one.name.eq_ignore_ascii_case(name)
                };
                if known.iter().any(is_it) {
                    return;
                }
                if known.len() < ALIASES {
                    known.push((server.port(), given()));
                    return;
                }
            }
            Entry::Vacant(_) if is_full => {}
            Entry::Vacant(new) => {
                new.insert(smallvec![(server.port(), given())]);
                return;
            }
        }
        self.beyond += 1;
    }

    /// Learns what the capture file calls an address; the first name stays.
    pub fn captured(&mut self, address: IpAddr, name: &str) {
        let Some(name) = host_word(name) else { return };
        if address.is_loopback() || address.is_unspecified() {
            return;
        }
        let is_full = self.captured.len() >= NAMES;
        match self.captured.entry(address) {
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if is_full => self.beyond += 1,
            Entry::Vacant(new) => {
                new.insert(Arc::new(Given { name: name.into(), by: GivenBy::Capture }));
            }
        }
    }

    /// Notes with an exchange what its ends were called by whatever is not in messages; `network`
    /// is the number of its network. What it came with stays where that is surer.
    pub fn complete(&self, exchange: &mut Exchange, network: u64) {
        let Exchange { client, server, network: id, .. } = *exchange;
        let asked = (!self.files.is_empty()).then(|| host(exchange)).flatten();
        let beyond = tunnel(exchange).map(|target| target.parse::<SocketAddr>().ok());
        // A host that a tunnel leads to has no address that is known.
        let told = beyond.unwrap_or(Some(server)).and_then(|server| {
            let told = self.files.server(network, server.ip(), server.port(), asked);
            let told = told.or_else(|| self.asked_for(id, server));
            told.or_else(|| self.captured.get(&server.ip()).cloned())
        });
        let caller = self.files.client(network, client.ip());
        let caller = caller.or_else(|| self.captured.get(&client.ip()).cloned());
        let GivenNames { client, server } = &mut exchange.names;
        *server = surer(told, server.take());
        *client = surer(caller, client.take());
    }

    /// What to call the server that an exchange asked; it was completed before.
    pub fn service(&mut self, exchange: &Exchange) -> ServiceName {
        let given = exchange.names.server.as_deref();
        let given_by = |by| given.filter(|given| given.by == by).map(|given| &*given.name);
        if let Some(name) = given_by(GivenBy::Names) {
            return ServiceName { label: name.into(), known: Known::Names };
        }
        let asked = host(exchange);
        if let Some(target) = tunnel(exchange) {
            return self.beyond_tunnel(exchange, &target, asked);
        }
        // What every host calls itself is no name where more is known.
        let other = asked.filter(|name| !is_own(name));
        let learned = self.resolved(exchange).and_then(|key| {
            let names = self.by_address.get(&key)?;
            let mut all = names.iter().map(|name| &**name);
            let first = all.clone().next();
            all.find(|name| other.is_some_and(|host| is_called(name, host))).or(first)
        });
        let learned = learned.filter(|name| !is_own(name));
        // Who names no host means the one that others name there, who writes it otherwise too.
        let meant = || match self.hosts.get(&(exchange.network, exchange.server)) {
            Some(HostNamed::One(name)) => Some(&**name),
            _ => other,
        };
        let named = given_by(GivenBy::Hosts)
            .map(|name| (name, Known::Hosts))
            .or_else(|| learned.map(|name| (name, Known::Dns)))
            .or_else(|| meant().map(|name| (name, Known::Host)));
        if let Some((name, known)) = named {
            return ServiceName { label: self.claims.named(name, exchange), known };
        }
        if let Some(process) = &exchange.processes.server {
            let label = self.claims.unnamed(process, exchange);
            return ServiceName { label, known: Known::Process };
        }
        let named = given_by(GivenBy::ServerName)
            .map(|name| (name, Known::ServerName))
            .or_else(|| given_by(GivenBy::Capture).map(|name| (name, Known::Capture)));
        let named = named.or_else(|| asked.map(|name| (name, Known::Address)));
        match named {
            Some((name, known)) => ServiceName { label: self.claims.named(name, exchange), known },
            None => self.unnamed(exchange),
        }
    }

    /// What to call a server by its address: the same text for all that ask it.
    fn unnamed(&mut self, exchange: &Exchange) -> ServiceName {
        if exchange.to_client {
            return ServiceName::of_address(exchange);
        }
        if self.unnamed.len() >= UNNAMED && !self.unnamed.contains_key(&exchange.server) {
            self.unnamed.clear();
        }
        let label = self.unnamed.entry(exchange.server);
        let label = label.or_insert_with(|| ServiceName::of_address(exchange).label).clone();
        ServiceName { label, known: Known::Address }
    }

    /// What to call a server that was asked through a tunnel, which leads to this host and port.
    fn beyond_tunnel(&self, exchange: &Exchange, target: &str, asked: Option<&str>) -> ServiceName {
        let address = target.parse::<SocketAddr>().ok();
        let given = exchange.names.server.as_deref();
        let resolved = || {
            let key = self.resolved_at(Some(exchange.network), address?.ip())?;
            self.by_address.get(&key)?.first().map(|name| (&**name, Known::Dns))
        };
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let named = asked.map(|name| (name, Known::Host));
        let named = named.or_else(|| given.map(|given| (&*given.name, Known::Hosts)));
        let named = named.or_else(resolved);
        let (label, known) = match (named, address) {
            (Some(named), _) => named,
            (None, Some(_)) => (target, Known::Address),
            (None, None) => (host, Known::Host),
        };
        ServiceName { label: label.into(), known }
    }

    /// How often names came for which there was no room: further ones of an address or port, those
    /// of further addresses. The same one counts again each time, as nothing remembers it.
    pub fn beyond(&self) -> u64 {
        self.beyond + self.claims.beyond
    }

    /// What DNS calls the server of an exchange: in its network or, if there was no DNS, in the one
    /// in which its address was named first. What machines asked themselves counts in all.
    fn resolved(&self, exchange: &Exchange) -> Option<Resolved> {
        self.resolved_at(resolved_in(exchange), exchange.server.ip())
    }

    fn resolved_at(&self, network: Option<NetworkId>, address: IpAddr) -> Option<Resolved> {
        let own = match self.resolving.contains(&network) {
            true => network,
            false => *self.first_named_in.get(&address)?,
        };
        let all = [own, None].map(|network| (network, address));
        all.into_iter().find(|key| self.by_address.contains_key(key))
    }

    fn asked_for(&self, network: NetworkId, server: SocketAddr) -> Option<Arc<Given>> {
        let names = self.asked_for.get(&(network, server.ip()))?;
        let at_port = names.iter().find(|(port, _)| *port == server.port());
        at_port.or_else(|| names.first()).map(|(_, given)| given.clone())
    }
}

impl ServiceName {
    /// Where nothing better is known: address and port. Of what a server asks its client, or pushes
    /// to it, the address alone, since the client has another port for each connection.
    pub fn of_address(exchange: &Exchange) -> Self {
        if exchange.to_client {
            let label = exchange.server.ip().to_string().into();
            return Self { label, known: Known::Address };
        }
        let mut text = Vec::with_capacity(LONGEST_ADDRESS);
        address(&mut text, exchange.server);
        let label = String::from_utf8(text).unwrap_or_default().into();
        Self { label, known: Known::Address }
    }
}

/// The network whose addresses an answer of DNS tells, or a server has; none of what a machine asks
/// itself.
fn resolved_in(exchange: &Exchange) -> Option<NetworkId> {
    (!exchange.server.ip().is_loopback()).then_some(exchange.network)
}

/// Where the tunnel leads through which an exchange went, as host and port.
fn tunnel(exchange: &Exchange) -> Option<Cow<'_, str>> {
    exchange.text.text(TUNNEL).map(String::from_utf8_lossy)
}

/// Whether a tunnel is asked for: what that names is the host at its end, not who is asked. A stream
/// that becomes another protocol leads nowhere else (RFC 8441 section 4).
fn asks_for_tunnel(exchange: &Exchange) -> bool {
    exchange.text.text(OPERATION) == Some(b"CONNECT")
        && exchange.text.text("wirespan.http.protocol").is_none()
}

/// The host that a request names as the one that it asks.
fn host(exchange: &Exchange) -> Option<&str> {
    if asks_for_tunnel(exchange) {
        return None;
    }
    exchange.text.text("server.address").and_then(|host| {
        let host = std::str::from_utf8(host).ok()?;
        let colon = host.bytes().rposition(|byte| byte == b':');
        any_host_word(colon.and_then(|colon| host.get(..colon)).unwrap_or(host))
    })
}

/// Addresses whose names are kept, of each kind of name.
pub const NAMES: usize = 1 << 16;
/// Addresses that are kept as texts.
const UNNAMED: usize = 4096;
/// `255.255.255.255:65535`; those of IPv6 may be longer.
const LONGEST_ADDRESS: usize = 21;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::ProtocolIndex;
    use wirespan_parsers::message::Attribute;

    /// Asks these servers one after another: where, by which host, and what of the process is
    /// known.
    fn check(asked: &[(&str, &str, &str)], expected: &[&str]) {
        let mut names = Names::default();
        let found: Vec<String> = asked
            .iter()
            .map(|(at, host, process)| {
                let mut exchange = Exchange::lasting(1);
                exchange.server = at.parse().unwrap();
                let host = Value::Text(host.as_bytes());
                exchange.text.add(Attribute { name: "server.address", value: host });
                let comment = format!("wirespan: tcp 10.0.0.2:80 is {process}");
                let owner = wirespan_capture::owner::Owner::parse(&comment);
                exchange.processes.server = owner.map(|owner| owner.process);
                names.hear(&exchange);
                names.service(&exchange).label.to_string()
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_process_names_what_has_no_better_name() {
        check(
            &[
                ("10.0.0.7:80", "", "nginx (pid 7)"),
                ("10.0.0.7:80", "localhost:80", "nginx (pid 7)"),
                ("10.0.0.7:80", "10.0.0.7", "nginx (pid 7)"),
                ("10.0.0.7:80", "a.test", "nginx (pid 7)"),
                ("10.0.0.7:81", "", ""),
                ("10.0.0.7:82", "localhost", ""),
            ],
            &["nginx", "nginx", "nginx", "a.test", "10.0.0.7:81", "localhost"],
        );
    }

    #[test]
    fn one_process_is_one_service_wherever_it_is_asked() {
        check(
            &[
                ("10.0.0.7:80", "", "nginx (pid 7)"),
                ("127.0.0.1:443", "", "nginx (pid 7)"),
                // It was started again.
                ("10.0.0.7:80", "", "nginx (pid 8)"),
                ("127.0.0.1:444", "", "nginx (pid 8)"),
            ],
            &["nginx"; 4],
        );
    }

    #[test]
    fn two_processes_at_one_address_are_two_services() {
        check(
            &[
                ("10.0.0.7:8001", "", "app (pid 7)"),
                ("10.0.0.7:8002", "", "app (pid 8)"),
                ("10.0.0.7:8001", "a.test", "app (pid 7)"),
                ("10.0.0.7:8002", "a.test", "app (pid 8)"),
                ("10.0.0.7:9000", "a.test", "db (pid 9)"),
                ("10.0.0.7:8002", "", "app (pid 8)"),
            ],
            &[
                "app",
                "app@10.0.0.7:8002",
                "a.test",
                "app@a.test:8002",
                "db@a.test",
                "app@a.test:8002",
            ],
        );
    }

    #[test]
    fn hosts_of_one_name_serve_the_same() {
        check(
            &[
                ("10.0.0.7:80", "a.test", "app (pid 7, on one)"),
                ("10.0.0.8:80", "a.test", "app (pid 7, on two)"),
                ("10.0.0.8:80", "", "app (pid 7, on two)"),
                // Without a name, nothing says that they do.
                ("10.0.0.7:81", "", "app (pid 7, on one)"),
                ("10.0.0.8:81", "", "app (pid 7, on two)"),
            ],
            &["a.test", "a.test", "a.test", "app", "app@10.0.0.8:81"],
        );
    }

    /// A call of a server in a protocol; with a host, if it names one.
    fn call(at: &str, protocol: u8, host: &str) -> Exchange {
        let mut exchange = Exchange::lasting(1);
        exchange.server = at.parse().unwrap();
        exchange.protocol = ProtocolIndex(protocol);
        let host = Value::Text(host.as_bytes());
        exchange.text.add(Attribute { name: "server.address", value: host });
        exchange
    }

    /// An answer of DNS.
    fn answer(names: &mut Names, question: &str, answers: &str) {
        let mut exchange = Exchange::lasting(1);
        for (name, text) in [("dns.question.name", question), ("dns.answers", answers)] {
            exchange.text.add(Attribute { name, value: Value::Text(text.as_bytes()) });
        }
        names.learn(&exchange);
    }

    #[test]
    fn what_goes_through_a_tunnel_is_asked_of_its_end() {
        let mut names = Names::default();
        answer(&mut names, "db.test.", "10.0.0.9");
        answer(&mut names, "proxy.test.", "10.0.0.7");
        let ask = |names: &mut Names, host: &str, target: &str, expected: &str| {
            let mut exchange = call("10.0.0.7:3128", 0, host);
            if !target.is_empty() {
                let value = Value::Text(target.as_bytes());
                exchange.text.add(Attribute { name: TUNNEL, value });
            }
            names.hear(&exchange);
            names.complete(&mut exchange, 0);
            assert_eq!(&*names.service(&exchange).label, expected);
        };
        ask(&mut names, "a.test:80", "a.test:80", "a.test");
        ask(&mut names, "", "b.test:6379", "b.test");
        ask(&mut names, "", "10.0.0.9:5432", "db.test");
        ask(&mut names, "", "10.0.0.8:5432", "10.0.0.8:5432");
        // What is asked of the proxy itself bears its own name.
        ask(&mut names, "", "", "proxy.test");
    }

    #[test]
    fn who_is_asked_for_a_tunnel_is_not_its_end() {
        let mut names = Names::default();
        let mut ask = |at: &str, through: &[u8], protocol: &str, expected: &str| {
            let mut exchange = call(at, 0, "a.test:443");
            exchange.text.add(Attribute { name: OPERATION, value: Value::Text(b"CONNECT") });
            for (name, text) in [(TUNNEL, through), ("wirespan.http.protocol", protocol.as_bytes())]
            {
                if !text.is_empty() {
                    exchange.text.add(Attribute { name, value: Value::Text(text) });
                }
            }
            names.hear(&exchange);
            names.complete(&mut exchange, 0);
            assert_eq!(&*names.service(&exchange).label, expected);
        };
        ask("10.0.0.7:3128", b"", "", "10.0.0.7:3128");
        ask("10.0.0.7:3128", b"other.test:3128", "", "other.test");
        ask("10.0.0.7:3128", b"\xff.test:3128", "", "\u{fffd}.test");
        ask("10.0.0.9:80", b"", "websocket", "a.test");
    }

    /// Asks these servers one after another: where, in which protocol, by which host.
    #[track_caller]
    fn ask(names: &mut Names, asked: &[(&str, u8, &str, &str)]) {
        for (at, protocol, host, expected) in asked {
            let mut exchange = call(at, *protocol, host);
            names.hear(&exchange);
            names.complete(&mut exchange, 0);
            assert_eq!(*names.service(&exchange).label, **expected, "{at} {host}");
        }
    }

    const HTTP: u8 = 0;
    const REDIS: u8 = 1;

    #[test]
    fn two_ports_of_one_address_are_two_services() {
        let mut names = Names::default();
        answer(&mut names, "a.test", "a.test=10.0.0.7");
        ask(
            &mut names,
            &[
                ("10.0.0.7:80", HTTP, "", "a.test"),
                ("10.0.0.7:6379", REDIS, "", "a.test:6379"),
                ("10.0.0.7:8080", HTTP, "a.test", "a.test:8080"),
                ("10.0.0.7:80", HTTP, "a.test:80", "a.test"),
                ("10.0.0.7:8080", HTTP, "", "a.test:8080"),
                // By the host that they name alone, and by what every host calls itself.
                ("10.0.0.8:80", HTTP, "b.test", "b.test"),
                ("10.0.0.8:81", HTTP, "b.test", "b.test:81"),
                ("127.0.0.1:80", HTTP, "localhost", "localhost"),
                ("127.0.0.1:81", HTTP, "localhost", "localhost:81"),
            ],
        );
        assert_eq!(names.beyond(), 0);
    }

    #[test]
    fn hosts_on_one_port_are_services_of_their_own() {
        let mut names = Names::default();
        ask(
            &mut names,
            &[
                ("10.0.0.7:80", HTTP, "a.test", "a.test"),
                ("10.0.0.7:80", HTTP, "", "a.test"),
                ("10.0.0.7:80", HTTP, "A.test", "a.test"),
                ("10.0.0.7:80", HTTP, "b.test", "b.test"),
                ("10.0.0.7:80", HTTP, "", "10.0.0.7:80"),
            ],
        );
        answer(&mut names, "a.test", "a.test=10.0.0.7");
        answer(&mut names, "b.test.svc.local", "cname=c.test,c.test=10.0.0.7");
        ask(
            &mut names,
            &[
                ("10.0.0.7:80", HTTP, "b.test", "b.test.svc.local"),
                ("10.0.0.7:80", HTTP, "B.TEST.svc.local:80", "b.test.svc.local"),
                ("10.0.0.7:80", HTTP, "a.test", "a.test"),
                ("10.0.0.7:80", HTTP, "", "a.test"),
                // What is passed on bears the name under which the other one was asked.
                ("10.0.0.7:80", HTTP, "shop.example", "a.test"),
            ],
        );
    }

    #[test]
    fn one_host_is_one_service_however_it_is_written() {
        let spelt = ["a.Test", "a.test", "a.test.", "A.test:80", "A.TEST.:80"];
        let asked = spelt.map(|host| ("10.0.0.7:80", HTTP, host, "a.Test"));
        ask(&mut Names::default(), &asked);
        // Where others of this port are known, too.
        let mut names = Names::default();
        ask(&mut names, &[("10.0.0.7:80", HTTP, "b.test", "b.test")]);
        ask(&mut names, &asked);
        let mut names = Names::default();
        answer(&mut names, "a.Test", "a.test=10.0.0.7");
        answer(&mut names, "A.tesT", "a.test=10.0.0.8");
        answer(&mut names, "A.TEST", "a.test=10.0.0.7");
        ask(&mut names, &asked);
        ask(&mut names, &[("10.0.0.8:80", HTTP, "", "a.Test")]);
        for name in ["a.test", "A.TEST", "a.test."] {
            names.asked(NetworkId(0), SocketAddr::from(([10, 0, 0, 9], 443)), name);
        }
        assert_eq!(names.asked_for.values().next().map(|known| known.len()), Some(1));
    }

    #[test]
    fn another_address_serves_the_same_unless_it_speaks_otherwise() {
        let mut names = Names::default();
        answer(&mut names, "a.test", "a.test=10.0.0.7,a.test=10.0.0.8,a.test=10.0.0.9");
        ask(
            &mut names,
            &[
                ("10.0.0.7:80", HTTP, "", "a.test"),
                ("10.0.0.8:80", HTTP, "", "a.test"),
                // As where ports are translated.
                ("10.0.0.9:8080", HTTP, "", "a.test"),
                ("10.0.0.8:6379", REDIS, "", "a.test:6379"),
                ("10.0.0.9:6380", REDIS, "", "a.test:6380"),
                ("10.0.0.7:6379", REDIS, "", "a.test:6379"),
                ("10.0.0.7:6379", ProtocolIndex::CONNECT.0, "", "a.test:6379"),
            ],
        );
    }

    #[test]
    fn a_process_that_becomes_known_changes_no_name() {
        let mut names = Names::default();
        answer(&mut names, "a.test", "a.test=10.0.0.7,a.test=10.0.0.8");
        let owned = |at: &str, process: &str| {
            let mut exchange = call(at, HTTP, "");
            let comment = format!("wirespan: tcp 10.0.0.2:80 is {process}");
            let owner = wirespan_capture::owner::Owner::parse(&comment);
            exchange.processes.server = owner.map(|owner| owner.process);
            exchange
        };
        for (at, process, expected) in [
            ("10.0.0.7:80", "", "a.test"),
            ("10.0.0.7:80", "nginx (pid 7)", "a.test"),
            ("10.0.0.7:81", "python (pid 8)", "python@a.test"),
            ("10.0.0.7:81", "", "python@a.test"),
            ("10.0.0.8:80", "nginx (pid 7, on b)", "a.test"),
        ] {
            assert_eq!(*names.service(&owned(at, process)).label, *expected, "{at} {process}");
        }
    }

    #[test]
    fn the_surest_name_counts() {
        let mut files = NameFiles::default();
        files.add_names("f", b"10.0.0.1:80 by-file").unwrap();
        files.add_hosts("f", b"10.0.0.1 by-host\n10.0.0.2 by-host alias.test").unwrap();
        let mut names = Names::with(Arc::new(files));
        for address in 1..=3 {
            answer(&mut names, "dns.test", &format!("dns.test=10.0.0.{address}"));
        }
        for address in 1..=5 {
            let server = SocketAddr::from(([10, 0, 0, address], 443));
            names.asked(NetworkId(0), server, "sni.test");
            names.asked(NetworkId(1), server, "other.test");
        }
        for address in 1..=6 {
            names.captured(IpAddr::from([10, 0, 0, address]), "captured.test.");
        }
        ask(
            &mut names,
            &[
                ("10.0.0.1:80", HTTP, "host.test", "by-file"),
                ("10.0.0.1:81", HTTP, "host.test", "by-host"),
                ("10.0.0.2:81", HTTP, "", "by-host"),
                ("10.0.0.2:81", HTTP, "alias.test", "alias.test"),
                ("10.0.0.3:80", HTTP, "host.test", "dns.test"),
                ("10.0.0.4:80", HTTP, "host.test", "host.test"),
                ("10.0.0.5:80", HTTP, "", "sni.test"),
                ("10.0.0.5:80", HTTP, "10.0.0.5", "sni.test"),
                ("10.0.0.6:80", HTTP, "", "captured.test"),
                ("10.0.0.7:80", HTTP, "", "10.0.0.7:80"),
            ],
        );
    }

    #[test]
    fn what_an_exchange_came_with_stays_where_it_is_surer() {
        let mut files = NameFiles::default();
        files.add_hosts("f", b"10.0.0.2 mine").unwrap();
        let names = Names::with(Arc::new(files));
        let given = |name: &str, by| Some(Arc::new(Given { name: name.into(), by }));
        for (came, by, expected) in [
            ("theirs", GivenBy::Names, "theirs"),
            ("theirs", GivenBy::Hosts, "mine"),
            ("theirs", GivenBy::ServerName, "mine"),
        ] {
            let mut exchange = call("10.0.0.2:80", HTTP, "");
            exchange.names.server = given(came, by);
            names.complete(&mut exchange, 0);
            let found = exchange.names.server.as_ref().map(|given| &*given.name);
            assert_eq!(found, Some(expected), "{by:?}");
        }
    }

    #[test]
    fn equal_addresses_of_two_networks_are_two_hosts() {
        let mut names = Names::default();
        let resolves = |names: &mut Names, network: u16, at: &str, [question, of]: [&str; 2]| {
            let mut exchange = Exchange::lasting(1);
            exchange.network = NetworkId(network);
            exchange.server = at.parse().unwrap();
            let answers = format!("{question}={of}");
            for (name, text) in [("dns.question.name", question), ("dns.answers", &answers)] {
                exchange.text.add(Attribute { name, value: Value::Text(text.as_bytes()) });
            }
            names.learn(&exchange);
        };
        let service = |names: &mut Names, network: u16| {
            let mut exchange = call("10.0.0.7:80", HTTP, "");
            exchange.network = NetworkId(network);
            names.service(&exchange).label.to_string()
        };
        resolves(&mut names, 1, "10.0.0.1:53", ["a.test", "10.0.0.7"]);
        // Where no DNS is seen, it may have gone another way.
        assert_eq!(service(&mut names, 2), "a.test");
        resolves(&mut names, 2, "10.0.0.1:53", ["b.test", "10.0.0.7"]);
        resolves(&mut names, 3, "10.0.0.1:53", ["other.test", "10.0.0.8"]);
        resolves(&mut names, 4, "127.0.0.53:53", ["c.test", "10.0.0.7"]);
        let found = [1, 2, 3, 5].map(|network| service(&mut names, network));
        assert_eq!(found, ["a.test", "b.test", "c.test", "a.test"]);
    }

    #[test]
    fn tls_servers_of_one_address_are_told_apart_by_port() {
        let mut names = Names::default();
        for (port, name) in [(443, "a.test"), (443, "b.test"), (8443, "c.test"), (443, "10.0.0.7")]
        {
            names.asked(NetworkId(0), SocketAddr::from(([10, 0, 0, 7], port)), name);
        }
        ask(
            &mut names,
            &[
                ("10.0.0.7:443", HTTP, "", "a.test"),
                ("10.0.0.7:8443", HTTP, "", "c.test"),
                ("10.0.0.7:80", HTTP, "", "a.test:80"),
            ],
        );
    }

    #[test]
    fn names_beyond_the_limits_are_counted() {
        let mut names = Names::default();
        for number in 0..ALIASES + 3 {
            answer(&mut names, &format!("{number}.test"), "x=10.0.0.7");
        }
        assert_eq!(names.beyond(), 3);
        for number in 0..NAMES as u32 {
            names.captured(IpAddr::from((0x0b00_0000 + number).to_be_bytes()), "a.test");
        }
        names.captured(IpAddr::from([10, 0, 0, 1]), "a.test");
        names.captured(IpAddr::from([127, 0, 0, 1]), "a.test");
        assert_eq!(names.beyond(), 4);
    }
}
