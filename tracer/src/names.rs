//! Endpoints to service names: the host that a request names, and DNS answers seen on the wire.
//! No name is ever looked up on the network.

use crate::exchange::Exchange;
use crate::numbers::address;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::IpAddr;
use wirespan_parsers::message::Value;

/// Names of addresses, as DNS answers gave them.
#[derive(Debug, Default)]
pub struct Names {
    by_address: HashMap<IpAddr, Box<str>, RandomState>,
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

    /// The learned name of the server that an exchange asked.
    pub fn learned(&self, exchange: &Exchange) -> Option<Box<str>> {
        self.by_address.get(&exchange.server.ip()).cloned()
    }
}

/// The name of the service that an exchange asked, where no DNS answer told: the host that the
/// request names, else address and port.
pub fn service(exchange: &Exchange) -> Box<str> {
    let host = exchange.text.text("server.address").and_then(|host| {
        let host = std::str::from_utf8(host).ok()?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_name = name.chars().any(|c| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        (is_name && name.len() <= LONGEST).then_some(name)
    });
    match host {
        Some(name) => name.into(),
        None => {
            let mut text = Vec::with_capacity(LONGEST_ADDRESS);
            address(&mut text, exchange.server);
            String::from_utf8(text).unwrap_or_default().into()
        }
    }
}

/// Addresses whose names are kept.
pub const NAMES: usize = 1 << 16;
/// The longest name of a host (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;
/// `255.255.255.255:65535`; those of IPv6 may be longer.
const LONGEST_ADDRESS: usize = 21;
