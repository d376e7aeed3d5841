//! Endpoints to service names: DNS answers seen on the wire, the host that a request names, the
//! process that owns the socket, in this order. No name is ever looked up on the network.
//!
//! Where it is known which process was asked, no two processes share a name by chance: the first
//! one that a name is found for bears it as it is. Of another one, the process stands before it.
//!
//! ```text
//! named   process   asked at        the service
//! a.test  nginx     10.0.0.7:80     a.test
//! a.test  nginx     10.0.0.8:80     a.test             another host: they serve the same
//! a.test  python    10.0.0.7:8000   python@a.test      what nginx passed on
//!         redis     10.0.0.7:6379   redis
//!         redis     10.0.0.9:6379   redis@10.0.0.9:6379
//! ```

use crate::exchange::Exchange;
use crate::numbers::address;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use wirespan_capture::owner::Process;
use wirespan_parsers::message::Value;

/// Names of addresses, as DNS answers gave them.
#[derive(Debug, Default)]
pub struct Names {
    by_address: HashMap<IpAddr, Box<str>, RandomState>,
    claims: Claims,
}

impl Names {
    /// Learns from a DNS exchange: its `dns.answers` are `name=address` and others, by commas.
    pub fn learn(&mut self, exchange: &Exchange) {
        let Some(question) = exchange.text.text("dns.question.name") else { return };
        let Ok(question) = std::str::from_utf8(question) else { return };
        let addresses = exchange.text.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if name == "dns.answers" => std::str::from_utf8(text).ok(),
            _ => None,
        });
        for answer in addresses.flat_map(|answers| answers.split(',')) {
            let address = answer.rsplit_once('=').map_or(answer, |(_, address)| address);
            let Ok(address) = address.trim().parse::<IpAddr>() else { continue };
            // The first name stays, so that a service does not change its name in mid-capture.
            if self.by_address.len() < NAMES {
                self.by_address.entry(address).or_insert_with(|| question.into());
            }
        }
    }

    /// The name of the server that an exchange asked, where more is known of it than the exchange
    /// says.
    pub fn known(&mut self, exchange: &Exchange) -> Option<Box<str>> {
        let learned = self.by_address.get(&exchange.server.ip());
        let Some(process) = &exchange.processes.server else { return learned.cloned() };
        let named = learned.map(|name| &**name).or_else(|| host(exchange));
        // What every host calls itself is no name.
        let named = named.filter(|name| *name != "localhost");
        Some(self.claims.label(named, process, exchange.server))
    }
}

/// Which process bears which name.
#[derive(Debug, Default)]
struct Claims {
    by_name: HashMap<Box<str>, Vec<Claim>, RandomState>,
    count: usize,
}

/// A name that a process bears at an address.
#[derive(Debug)]
struct Claim {
    process: Arc<Process>,
    asked_at: SocketAddr,
    label: Box<str>,
}

impl Claims {
    /// What to call a process that was asked at this address, where it was asked for by this name.
    fn label(&mut self, named: Option<&str>, process: &Arc<Process>, at: SocketAddr) -> Box<str> {
        let name = named.unwrap_or(&process.name);
        let on_host = |claim: &&Claim| claim.process.host == process.host;
        let is_alike = |claim: &&Claim| claim.process.name == process.name;
        let is_there =
            |claim: &&mut Claim| claim.asked_at == at && on_host(&&**claim) && is_alike(&&**claim);
        let mut claims = self.by_name.get_mut(name).into_iter().flatten();
        if let Some(claim) = claims.find(is_there) {
            // It may have been started again.
            claim.process.clone_from(process);
            return claim.label.clone();
        }
        let claims = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut alike = claims.iter().filter(is_alike);
        let is_it = |claim: &&Claim| claim.process.pid == process.pid && on_host(claim);
        let label: Box<str> = match (alike.clone().find(is_it), named) {
            (Some(claim), _) => claim.label.clone(),
            (None, _) if claims.is_empty() && self.count < CLAIMS => name.into(),
            (None, None) => format!("{}@{at}", process.name).into(),
            (None, Some(name)) => match alike.clone().next() {
                None if claims.is_empty() => name.into(),
                None => format!("{}@{name}", process.name).into(),
                Some(_) if alike.clone().any(|claim| on_host(&claim)) => {
                    format!("{}@{name}:{}", process.name, at.port()).into()
                }
                Some(first) => first.label.clone(),
            },
        };
        if self.count < CLAIMS && alike.by_ref().count() < ALIKE {
            self.count += 1;
            let claim = Claim { process: process.clone(), asked_at: at, label: label.clone() };
            self.by_name.entry(name.into()).or_default().push(claim);
        }
        label
    }
}

/// The name of the service that an exchange asked, where nothing else is known: the host that the
/// request names, else address and port.
pub fn service(exchange: &Exchange) -> Box<str> {
    match host(exchange) {
        Some(name) => name.into(),
        None => {
            let mut text = Vec::with_capacity(LONGEST_ADDRESS);
            address(&mut text, exchange.server);
            String::from_utf8(text).unwrap_or_default().into()
        }
    }
}

/// The host that a request names.
fn host(exchange: &Exchange) -> Option<&str> {
    exchange.text.text("server.address").and_then(|host| {
        let host = std::str::from_utf8(host).ok()?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_name = name.chars().any(|c| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        (is_name && name.len() <= LONGEST).then_some(name)
    })
}

/// Addresses whose names are kept.
pub const NAMES: usize = 1 << 16;
/// Processes and addresses that bear names.
const CLAIMS: usize = 1 << 16;
/// Those of one name and one program that are told apart.
const ALIKE: usize = 256;
/// The longest name of a host (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;
/// `255.255.255.255:65535`; those of IPv6 may be longer.
const LONGEST_ADDRESS: usize = 21;

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_parsers::message::Attribute;

    /// Asks these servers one after another: where, by which host, and what of the process is known.
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
                names.known(&exchange).unwrap_or_else(|| service(&exchange)).into()
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
                "app@10.0.0.7:8002",
            ],
        );
    }

    #[test]
    fn hosts_of_one_name_serve_the_same() {
        check(
            &[
                ("10.0.0.7:80", "a.test", "app (pid 7, on one)"),
                ("10.0.0.8:80", "a.test", "app (pid 7, on two)"),
                ("10.0.0.7:80", "", "app (pid 7, on one)"),
                // Without a name, nothing says that they do.
                ("10.0.0.8:80", "", "app (pid 7, on two)"),
            ],
            &["a.test", "a.test", "app", "app@10.0.0.8:80"],
        );
    }
}
