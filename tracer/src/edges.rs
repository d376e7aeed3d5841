//! Who calls whom: how often, how many failed, how long it took.
//!
//! The caller is the service of the span above. Where no span is above, it is whom [`callers`]
//! knows.
//!
//! [`callers`]: crate::callers

use crate::callers::{CallerEnd, CallerKind, Callers};
use crate::exchange::Exchange;
use crate::operations::{Calls, Tally};
use crate::span::Trace;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calls by who called and who was asked.
#[derive(Debug, Default)]
pub struct Edges {
    by_ends: HashMap<Ends, Tally, RandomState>,
    callers: Callers,
    /// Edges whose caller no span tells.
    open_ends: usize,
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ends {
    caller: Caller,
    callee: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Caller {
    Service(Arc<str>),
    /// Who it is turns out in the end.
    End(CallerEnd),
    /// A host by its name, where there are too many.
    Host(Box<str>),
}

impl Edges {
    /// Counts the calls of a trace; what several points saw counts once.
    pub fn record(&mut self, trace: &Trace) {
        for span in trace.exchanges() {
            let e = &*span.exchange;
            self.callers.learn(e, &span.service);
            let known = trace.caller(span).or_else(|| self.callers.asking(e));
            let caller = match known {
                Some(service) => Caller::Service(service.into()),
                None => Caller::End(CallerEnd::of(e)),
            };
            self.call(Ends { caller, callee: span.service.clone() }, e);
        }
    }

    /// All of them, those first on which most time was spent.
    pub fn edges(&self) -> Vec<Edge> {
        // Ends that turn out to be a service are that service's, wherever their calls stand.
        let mut named: BTreeMap<(CallerKind, String, &str), Tally> = BTreeMap::new();
        let mut all: Vec<_> = self.by_ends.iter().collect();
        all.sort_unstable_by_key(|(ends, _)| *ends);
        for (Ends { caller, callee }, tally) in all {
            let (kind, caller) = match caller {
                Caller::Service(name) => (CallerKind::Service, name.to_string()),
                Caller::End(end) => self.callers.caller(end),
                Caller::Host(name) => (CallerKind::Host, name.to_string()),
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

    /// How many calls told something of a host or process for which there was no room.
    pub fn beyond(&self) -> u64 {
        self.callers.beyond
    }

    fn call(&mut self, mut ends: Ends, exchange: &Exchange) {
        let is_known = self.by_ends.contains_key(&ends);
        if let Caller::End(_) = ends.caller
            && !is_known
        {
            match &exchange.names.client {
                // Where the whole of a network calls, its hosts are one.
                Some(given) if self.open_ends >= OPEN_ENDS => {
                    ends.caller = Caller::Host(given.name.clone());
                }
                _ => self.open_ends += 1,
            }
        }
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

/// Edges that are told apart: each has a histogram of up to 16 KiB.
pub const EDGES: usize = 1_000;
/// Edges from ends that no span names after which those of hosts with one name are one.
const OPEN_ENDS: usize = EDGES / 2;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{Given, GivenBy};
    use crate::span::{Link, LinkKind, Reason, Span};
    use std::net::IpAddr;
    use std::sync::Arc;
    use wirespan_capture::owner::Owner;

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
            span_links: Vec::new(),
            cause: None,
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

    /// The same with the processes at its ends.
    fn between(mut span: Span, client: &str, server: &str) -> Span {
        let process = |words: &str| {
            let comment = format!("wirespan: tcp 10.0.0.1:1 is {words}");
            Owner::parse(&comment).map(|owner| owner.process)
        };
        span.exchange.processes.client = process(client);
        span.exchange.processes.server = process(server);
        span
    }

    #[test]
    fn the_process_that_asked_says_which_service_of_a_host_called() {
        let mut edges = Edges::default();
        let record = |edges: &mut Edges, span| edges.record(&trace(vec![span]));
        // Before it is known what they are, and without links.
        record(&mut edges, between(span(2, 2, "app", None), "nginx (pid 7)", "python (pid 8)"));
        record(&mut edges, between(span(2, 3, "stock", None), "python (pid 8)", ""));
        record(&mut edges, between(span(1, 2, "shop", None), "", "nginx (pid 7)"));
        record(&mut edges, between(span(2, 3, "stock", None), "python (pid 8)", ""));
        // One that nobody asks is itself, one that was started again is what it was.
        record(&mut edges, between(span(2, 3, "stock", None), "cron (pid 9)", ""));
        record(&mut edges, between(span(2, 3, "stock", None), "python (pid 10)", ""));
        // Of this one nothing tells which it is.
        record(&mut edges, span(2, 3, "stock", None));
        expect(
            &edges,
            &[
                ("10.0.0.1", "shop", 1),
                ("10.0.0.2", "stock", 1),
                ("app", "stock", 3),
                ("cron", "stock", 1),
                ("shop", "app", 1),
            ],
        );
        let kinds = edges.edges().into_iter().map(|edge| (edge.caller, edge.caller_kind));
        let kinds: BTreeMap<String, CallerKind> = kinds.collect();
        assert_eq!(kinds["cron"], CallerKind::Process);
        assert_eq!(kinds["app"], CallerKind::Service);
    }

    #[test]
    fn a_process_is_its_host_where_no_process_of_that_is_known() {
        let mut edges = Edges::default();
        edges.record(&trace(vec![between(span(2, 3, "stock", None), "java (pid 7)", "")]));
        edges.record(&trace(vec![span(1, 2, "shop", None)]));
        expect(&edges, &[("10.0.0.1", "shop", 1), ("shop", "stock", 1)]);
    }

    #[test]
    fn a_host_that_was_given_a_name_has_it_where_no_service_is_known() {
        let mut edges = Edges::default();
        for n in 0..OPEN_ENDS + 9 {
            let mut span = span(1, 2, "shop", None);
            span.exchange.client.set_ip(IpAddr::from([10, 1, (n >> 8) as u8, n as u8]));
            let given = Given { name: "office".into(), by: GivenBy::Names };
            span.exchange.names.client = Some(Arc::new(given));
            edges.record(&trace(vec![span]));
        }
        expect(&edges, &[("office", "shop", OPEN_ENDS as u64 + 9)]);
        assert_eq!(edges.by_ends.len(), OPEN_ENDS + 1);
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
