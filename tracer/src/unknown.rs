//! Flows that nobody reads, by server, and by what they speak where their first bytes tell.

use crate::numbers::{bytes_text, grouped};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use wirespan_parsers::message::Side;
use wirespan_parsers::unread::Unread;

/// A server and what is spoken with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stranger {
    /// Its address and port.
    pub server: SocketAddr,
    /// The protocol, if it is known.
    pub protocol: Option<&'static str>,
    /// The name by which the client asked for it.
    pub name: Option<Box<str>>,
}

impl Stranger {
    /// The server of a flow: the end that was connected to, else as its first bytes told, else the
    /// one with the lower port.
    pub(crate) fn of([a, b]: [SocketAddr; 2], opener: Option<Side>, told: Option<&Told>) -> Self {
        let server = match opener.map(Side::other).or_else(|| told?.server) {
            Some(Side::A) => a,
            Some(Side::B) => b,
            None if a.port() <= b.port() => a,
            None => b,
        };
        let name = told.and_then(|told| told.name.clone());
        Self { server, protocol: told.map(|told| told.protocol), name }
    }
}

/// What the first bytes of a flow told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) protocol: &'static str,
    pub(crate) server: Option<Side>,
    pub(crate) name: Option<Box<str>>,
}

impl Told {
    /// What is known without a name.
    pub(crate) fn of(told: Unread) -> Self {
        let Unread { protocol, server } = told;
        Self { protocol, server, name: None }
    }
}

/// Flows that no protocol recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// How many.
    pub flows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Unknown {
    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.bytes += other.bytes;
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Unknowns {
    by_server: BTreeMap<Stranger, Unknown>,
    by_port: BTreeMap<u16, Unknown>,
    /// Those of servers beyond the limit.
    others: Unknown,
}

/// One line of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownServer {
    /// Address and port; `other` stands for all servers beyond the limit.
    pub server: String,
    /// The protocol, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'static str>,
    /// The name by which the client asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// How many flows, and their bytes.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Unknowns {
    /// Counts a flow.
    pub fn add(&mut self, stranger: Stranger, bytes: u64) {
        let one = Unknown { flows: 1, bytes };
        self.by_port.entry(stranger.server.port()).or_default().add(one);
        self.add_all(stranger, one);
    }

    /// Adds those of another part of the flows.
    pub fn merge(&mut self, other: &Self) {
        for (port, unknown) in &other.by_port {
            self.by_port.entry(*port).or_default().add(*unknown);
        }
        for (stranger, unknown) in &other.by_server {
            self.add_all(stranger.clone(), *unknown);
        }
        self.others.add(other.others);
    }

    /// Those that have most bytes come first.
    pub fn servers(&self) -> Vec<UnknownServer> {
        let mut servers: Vec<_> = self.by_server.iter().collect();
        servers.sort_by_key(|(_, unknown)| Reverse((unknown.bytes, unknown.flows)));
        let one = |(Stranger { server, protocol, name }, unknown): (&Stranger, &Unknown)| {
            let (server, name) = (server.to_string(), name.clone());
            UnknownServer { server, protocol: *protocol, name, unknown: *unknown }
        };
        let others = (self.others.flows > 0).then(|| UnknownServer {
            server: "other".to_owned(),
            protocol: None,
            name: None,
            unknown: self.others,
        });
        servers.into_iter().map(one).chain(others).collect()
    }

    /// By the port of the server.
    pub fn ports(self) -> BTreeMap<u16, Unknown> {
        self.by_port
    }

    fn add_all(&mut self, stranger: Stranger, unknown: Unknown) {
        if let Some(known) = self.by_server.get_mut(&stranger) {
            known.add(unknown);
        } else if self.by_server.len() < SERVERS {
            self.by_server.insert(stranger, unknown);
        } else {
            self.others.add(unknown);
        }
    }
}

impl fmt::Display for UnknownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, protocol, name, unknown: Unknown { flows, bytes } } = self;
        let s = if *flows == 1 { "" } else { "s" };
        let server = if server == "other" { "other servers" } else { server };
        write!(f, "{} flow{s} to {server} ", grouped(*flows))?;
        match protocol {
            Some(protocol) => {
                write!(f, "{} {protocol}", if *flows == 1 { "is" } else { "are" })?;
            }
            None => {
                let verb = if *flows == 1 { "speaks" } else { "speak" };
                write!(f, "{verb} an unknown protocol")?;
            }
        }
        if let Some(name) = name {
            write!(f, " ({name})")?;
        }
        write!(f, ", {}", bytes_text(*bytes))
    }
}

/// Servers that are told apart, in each part of the flows.
pub const SERVERS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(host: u8, port: u16, protocol: Option<&'static str>) -> Stranger {
        Stranger { server: ([10, 0, 0, host], port).into(), protocol, name: None }
    }

    #[test]
    fn lines_say_what_is_known_largest_first() {
        let mut all = Unknowns::default();
        all.add(stranger(1, 9999, None), 120);
        let named = Stranger { name: Some("shop.example".into()), ..stranger(2, 443, Some("TLS")) };
        all.add(named.clone(), 60_000);
        all.add(named, 61_000);
        let mut more = Unknowns::default();
        more.add(stranger(1, 9999, None), 1);
        all.merge(&more);
        let lines: Vec<String> = all.servers().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "2 flows to 10.0.0.2:443 are TLS (shop.example), 121 kB",
                "2 flows to 10.0.0.1:9999 speak an unknown protocol, 121 bytes",
            ]
        );
    }

    #[test]
    fn servers_beyond_the_limit_are_counted_together() {
        let mut all = Unknowns::default();
        for n in 0..SERVERS + 5 {
            all.add(stranger(1, n as u16, None), 10);
        }
        let servers = all.servers();
        assert_eq!(servers.len(), SERVERS + 1);
        let last = servers.last().map(ToString::to_string);
        assert_eq!(
            last.as_deref(),
            Some("5 flows to other servers speak an unknown protocol, 50 bytes")
        );
    }
}
