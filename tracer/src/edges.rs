//! Who calls whom: how often, how many failed, how long it took.
//!
//! The caller is the service of the span above. Where no span is above, it is the host that called:
//! a service if that is the only one which was asked there, else the address.

use crate::exchange::Exchange;
use crate::operations::{Calls, Tally};
use crate::span::Trace;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use wirespan_capture::packet::NetworkId;

/// Calls by who called and who was asked.
#[derive(Debug, Default)]
pub struct Edges {
    by_ends: HashMap<Ends, Tally, RandomState>,
    hosts: ServiceHosts,
    /// Calls of edges beyond the limit.
    others: Option<Box<Tally>>,
}

/// Calls of one service, or of one host, to another service.
#[derive(Clone, Debug, Serialize)]
pub struct Edge {
    /// Who called; `other` stands for all edges beyond the limit, at both ends.
    pub caller: String,
    /// What the caller's name is.
    pub caller_kind: CallerKind,
    /// The service that was asked.
    pub callee: String,
    /// The calls.
    #[serde(flatten)]
    pub calls: Calls,
}

/// What a caller is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// By the name of a service.
    Service,
    /// By an address, as nothing more is known of it.
    Address,
    /// By nothing: these are those beyond the limit.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ends {
    caller: Caller,
    callee: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Caller {
    Service(Box<str>),
    Host(Host),
}

/// A host, by its address in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host {
    network: NetworkId,
    pub(crate) address: IpAddr,
}

/// Hosts that are one service.
#[derive(Debug, Default)]
pub(crate) struct ServiceHosts(HashMap<Host, Serving, RandomState>);

/// Which services were asked at a host.
#[derive(Debug)]
enum Serving {
    One(Box<str>),
    Several,
}

impl Edges {
    /// Counts the calls of a trace; what several points saw counts once.
    pub fn record(&mut self, trace: &Trace) {
        for span in trace.exchanges() {
            let e = &*span.exchange;
            self.hosts.learn(e, &span.service);
            let caller = match trace.caller(span) {
                Some(service) => Caller::Service(service.into()),
                None => Caller::Host(Host::of_client(e)),
            };
            self.call(Ends { caller, callee: span.service.clone() }, e);
        }
    }

    /// All of them, those first on which most time was spent.
    pub fn edges(&self) -> Vec<Edge> {
        // Hosts that turn out to be a service are that service's, wherever their calls stand.
        let mut named: BTreeMap<(CallerKind, String, &str), Tally> = BTreeMap::new();
        let mut all: Vec<_> = self.by_ends.iter().collect();
        all.sort_unstable_by_key(|(ends, _)| *ends);
        for (Ends { caller, callee }, tally) in all {
            let (kind, caller) = match caller {
                Caller::Service(name) => (CallerKind::Service, name.to_string()),
                Caller::Host(host) => match self.hosts.service(*host) {
                    Some(name) => (CallerKind::Service, name.to_owned()),
                    None => (CallerKind::Address, host.address.to_string()),
                },
            };
            named.entry((kind, caller, &**callee)).or_default().add(tally);
        }
        let mut edges: Vec<Edge> = named
            .into_iter()
            .map(|((caller_kind, caller, callee), tally)| {
                let callee = callee.to_owned();
                Edge { caller, caller_kind, callee, calls: tally.calls() }
            })
            .collect();
        if let Some(others) = &self.others {
            let (caller, callee) = (OTHER.to_owned(), OTHER.to_owned());
            let caller_kind = CallerKind::Other;
            edges.push(Edge { caller, caller_kind, callee, calls: others.calls() });
        }
        edges.sort_by_key(|edge| Reverse(edge.calls.total));
        edges
    }

    fn call(&mut self, ends: Ends, exchange: &Exchange) {
        let is_full = self.by_ends.len() >= EDGES;
        match self.by_ends.entry(ends) {
            Entry::Occupied(mut tally) => tally.get_mut().record_call(exchange),
            Entry::Vacant(_) if is_full => {
                self.others.get_or_insert_default().record_call(exchange)
            }
            Entry::Vacant(tally) => tally.insert(Tally::default()).record_call(exchange),
        }
    }
}

impl Host {
    /// The one that called.
    pub(crate) fn of_client(exchange: &Exchange) -> Self {
        Self { network: exchange.network, address: exchange.client.ip() }
    }
}

impl ServiceHosts {
    /// Learns which service a host is, from a call of it.
    pub(crate) fn learn(&mut self, e: &Exchange, service: &str) {
        let host = Host { network: e.network, address: e.server.ip() };
        // All that runs on a machine has this address.
        if host.address.is_loopback() {
            return;
        }
        let is_full = self.0.len() >= HOSTS;
        match self.0.entry(host) {
            Entry::Occupied(mut serving) => {
                if matches!(serving.get(), Serving::One(name) if **name != *service) {
                    serving.insert(Serving::Several);
                }
            }
            Entry::Vacant(_) if is_full => {}
            Entry::Vacant(serving) => {
                serving.insert(Serving::One(service.into()));
            }
        }
    }

    /// The only service that was asked at a host.
    pub(crate) fn service(&self, host: Host) -> Option<&str> {
        match self.0.get(&host) {
            Some(Serving::One(name)) => Some(name),
            _ => None,
        }
    }
}

/// Edges that are told apart: each has a histogram of up to 16 KiB.
pub const EDGES: usize = 1_000;
/// Hosts of which it is known which service they are.
const HOSTS: usize = 65_536;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Link, LinkKind, Reason, Span};

    /// A call from a host to a service at another, and the place of the span that called.
    fn span(from: u8, to: u8, service: &str, above: Option<(usize, LinkKind)>) -> Span {
        let mut exchange = Exchange::lasting(1_000);
        exchange.client.set_ip(IpAddr::from([10, 0, 0, from]));
        exchange.server.set_ip(IpAddr::from([10, 0, 0, to]));
        let link = above.map(|(parent, kind)| Link {
            parent,
            kind,
            reason: Reason::OneCandidate,
            confidence: 1.0,
            also: Default::default(),
            against: Default::default(),
            runner_up: None,
        });
        Span {
            id: 1,
            exchange: Box::new(exchange),
            point: 0,
            first_point: 0,
            service: service.into(),
            link,
            earlier: None,
            depth: 0,
        }
    }

    fn trace(spans: Vec<Span>) -> Trace {
        Trace { id: 1, wire: None, late: false, spans }
    }

    #[track_caller]
    fn expect(edges: &Edges, expected: &[(&str, &str, u64)]) {
        let mut found: Vec<_> = edges
            .edges()
            .into_iter()
            .map(|edge| (edge.caller, edge.callee, edge.calls.calls))
            .collect();
        found.sort();
        let expected: Vec<_> =
            expected.iter().map(|(a, b, calls)| (a.to_string(), b.to_string(), *calls)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_span_above_says_who_called() {
        let mut edges = Edges::default();
        let below = Some((0, LinkKind::Parent));
        edges.record(&trace(vec![span(1, 2, "shop", None), span(2, 3, "stock", below)]));
        expect(&edges, &[("10.0.0.1", "shop", 1), ("shop", "stock", 1)]);
    }

    #[test]
    fn what_a_second_point_saw_is_no_call() {
        let mut edges = Edges::default();
        let next = Some((0, LinkKind::SameExchange));
        let below = Some((1, LinkKind::Parent));
        edges.record(&trace(vec![
            span(1, 2, "shop", None),
            span(1, 2, "shop", next),
            span(2, 3, "stock", below),
        ]));
        expect(&edges, &[("10.0.0.1", "shop", 1), ("shop", "stock", 1)]);
    }

    #[test]
    fn a_host_is_the_one_service_that_was_asked_there() {
        let mut edges = Edges::default();
        // Before it is known, and without a link.
        edges.record(&trace(vec![span(2, 3, "stock", None)]));
        edges.record(&trace(vec![span(1, 2, "shop", None)]));
        let below = Some((0, LinkKind::Parent));
        edges.record(&trace(vec![span(1, 2, "shop", None), span(2, 3, "stock", below)]));
        expect(&edges, &[("10.0.0.1", "shop", 2), ("shop", "stock", 2)]);
        // Two at one host are told apart by nobody.
        edges.record(&trace(vec![span(1, 2, "admin", None)]));
        expect(
            &edges,
            &[
                ("10.0.0.1", "admin", 1),
                ("10.0.0.1", "shop", 2),
                ("10.0.0.2", "stock", 1),
                ("shop", "stock", 1),
            ],
        );
    }

    #[test]
    fn edges_beyond_the_limit_are_counted_together() {
        let mut edges = Edges::default();
        for n in 0..EDGES + 7 {
            edges.record(&trace(vec![span(1, 2, &n.to_string(), None)]));
        }
        let all = edges.edges();
        assert_eq!(all.len(), EDGES + 1);
        let other = all.iter().find(|edge| edge.caller_kind == CallerKind::Other);
        assert_eq!(other.map(|edge| edge.calls.calls), Some(7));
    }
}
