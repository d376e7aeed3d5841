//! Which addresses are one host's, as far as the links say: where a span hangs under one that asked
//! another address than called, and nothing speaks against that, both are the same host's.

use crate::exchange::Exchange;
use crate::span::{Link, LinkKind, Trace};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::IpAddr;
use wirespan_capture::packet::NetworkId;

/// An address in a network.
pub type Host = (NetworkId, IpAddr);

/// Addresses that are others' too.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Of an address, one that stands for it; that one may have another in turn.
    of: HashMap<Host, Host, RandomState>,
}

impl Hosts {
    /// Learns from the links of a trace.
    pub fn learn(&mut self, trace: &Trace) {
        for span in &trace.spans {
            let Some(link) = span.link.as_ref().filter(|link| link.kind == LinkKind::Parent) else {
                continue;
            };
            let Some(above) = trace.spans.get(link.parent) else { continue };
            let (asked, caller) = (asked(&above.exchange), caller(&span.exchange));
            if asked == caller || !are_one(link) {
                continue;
            }
            let (asked, caller) = (self.one(asked), self.one(caller));
            if asked != caller && self.of.len() < KNOWN {
                self.of.insert(asked.max(caller), asked.min(caller));
            }
        }
    }

    /// The address that stands for all of a host.
    pub fn one(&self, host: Host) -> Host {
        if self.of.is_empty() {
            return host;
        }
        // Each stands for greater ones, so that this ends.
        std::iter::successors(Some(host), |at| self.of.get(at).copied()).last().unwrap_or(host)
    }
}

/// Whether a link takes the host that called for the one that was asked above.
pub(super) fn are_one(link: &Link) -> bool {
    !link.against.iter().any(|against| against.contains("address"))
}

/// The host that was asked.
pub(super) fn asked(exchange: &Exchange) -> Host {
    (exchange.network, exchange.server_host())
}

/// The host that asked.
pub(super) fn caller(exchange: &Exchange) -> Host {
    (exchange.network, exchange.client_host())
}

/// Addresses that stand for others.
const KNOWN: usize = 65_536;
