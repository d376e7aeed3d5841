//! What was asked of which service, how often, and how long it took: a table that stays small
//! whatever the names are.
//!
//! Calls are kept apart by service, protocol, operation and [template](crate::templates). What
//! no template tells, many calls do: where paths or keys have had too many values at one place,
//! the rare ones become one, `{…}`. Of names of DNS, those under one domain do, as `*`.
//!
//! ```text
//! shop ─┬─ http GET ─── /orders ─┬─ /{id}
//!       │                        └─ /{…} ─── /lines
//!       └─ http POST ── /orders
//! ```

use crate::exchange::{Exchange, OPERATION, ProtocolIndex, RESOURCE, Sort, State};
use crate::metrics::Latency;
use crate::span::Trace;
use crate::templates::{is_separator, pieces, template_of};
use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use hdrhistogram::Histogram;
use serde::Serialize;
use smallvec::SmallVec;
use std::cmp::Reverse;

/// Calls by service and operation.
#[derive(Debug)]
pub struct Operations {
    protocols: Vec<String>,
    dns: Option<ProtocolIndex>,
    by_name: HashMap<String, usize, RandomState>,
    services: Vec<Tree>,
    /// Calls of services beyond the limit.
    others: Option<Box<Tally>>,
    /// Operations that are kept apart, of all services.
    count: usize,
}

/// A service and its operations.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// Its name; `other` stands for all services beyond the limit.
    pub service: String,
    /// All calls of it. Handshakes are none, but those that failed count as connections that
    /// failed do.
    #[serde(flatten)]
    pub calls: Calls,
    /// What was asked of it.
    pub operations: Vec<Operation>,
}

/// An operation of a service.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    /// The protocol.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// What was asked; `other` stands for all operations beyond the limit.
    pub operation: String,
    /// The template of what it was asked of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Whether it is a login or another step that carries no call.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handshake: bool,
    /// All calls of it.
    #[serde(flatten)]
    pub calls: Calls,
}

/// How calls went, and how long they took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Calls {
    /// How many.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How long those took that have a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The sum of that, in nanoseconds.
    pub total: u64,
}

impl Operations {
    /// Nothing yet, of calls in these protocols.
    pub fn new(protocols: Vec<String>) -> Self {
        let dns = protocols.iter().position(|name| name == "dns");
        Self {
            protocols,
            dns: dns.map(|at| ProtocolIndex(at as u8)),
            by_name: HashMap::default(),
            services: Vec::new(),
            others: None,
            count: 0,
        }
    }

    /// Counts the calls of a trace; what several points saw counts once.
    pub fn record(&mut self, trace: &Trace) {
        for span in trace.exchanges() {
            self.call(&span.service, &span.exchange);
        }
    }

    fn call(&mut self, service: &str, exchange: &Exchange) {
        let place = match self.by_name.entry_ref(service) {
            EntryRef::Occupied(place) => *place.get(),
            EntryRef::Vacant(_) if self.services.len() >= SERVICES => {
                return self.others.get_or_insert_default().record_call(exchange);
            }
            EntryRef::Vacant(place) => {
                self.services.push(Tree { name: service.into(), ..Tree::default() });
                *place.insert(self.services.len() - 1)
            }
        };
        let Some(tree) = self.services.get_mut(place) else { return };
        let before = tree.count;
        let may_grow = tree.count < OF_SERVICE && self.count < OF_ALL;
        let is_name = self.dns == Some(exchange.protocol);
        tree.place(exchange, is_name, may_grow).record(exchange);
        self.count = self.count + tree.count - before;
    }

    /// All services, those first on which most time was spent.
    pub fn services(&self) -> Vec<Service> {
        let mut services: Vec<Service> =
            self.services.iter().map(|tree| tree.service(&self.protocols, self.dns)).collect();
        services.extend(self.others.as_ref().map(|others| Service {
            service: OTHER.to_owned(),
            calls: others.calls(),
            operations: Vec::new(),
        }));
        services.sort_by_cached_key(|one| (Reverse(one.calls.total), one.service.clone()));
        services
    }
}

/// Calls that were not told apart, since there were too many services or operations.
pub(crate) fn not_told_apart(services: &[Service]) -> u64 {
    let is_other = |one: &&Operation| one.protocol.is_empty();
    let of = |service: &Service| -> u64 {
        match service.operations.as_slice() {
            [] => service.calls.calls,
            all => all.iter().filter(is_other).map(|one| one.calls.calls).sum(),
        }
    };
    services.iter().map(of).sum()
}

/// The operations of one service.
#[derive(Debug, Default)]
struct Tree {
    name: Box<str>,
    /// First come operations, each with the number of its protocol before it; below them stand
    /// the pieces of what they are applied to.
    root: Node,
    /// How many operations are told apart.
    count: usize,
    /// Calls of operations beyond the limit.
    others: Option<Box<Tally>>,
}

#[derive(Debug, Default)]
struct Node {
    /// Calls of the operation that ends here.
    tally: Option<Box<Tally>>,
    below: HashMap<Vec<u8>, Self, FixedState>,
    /// There were too many values: new ones are not told apart any more.
    full: bool,
}

impl Tree {
    /// Where calls of this kind are counted.
    fn place(&mut self, exchange: &Exchange, is_name: bool, may_grow: bool) -> &mut Tally {
        let mut operation: SmallVec<[u8; 32]> = SmallVec::new();
        operation.push(exchange.protocol.0);
        operation.extend_from_slice(exchange.text.text(OPERATION).unwrap_or_default());
        let made = match exchange.text.text(RESOURCE) {
            _ if exchange.sort == Sort::Connect => {
                Some(format!("to port {}", exchange.server.port()).into_bytes())
            }
            Some(resource) if !is_name => {
                template_of(exchange.text.text(OPERATION).unwrap_or_default(), resource)
            }
            _ => None,
        };
        let applied_to: &[u8] = match &made {
            Some(template) => template,
            None => exchange.text.text(RESOURCE).unwrap_or_default(),
        };
        let mut path: SmallVec<[&[u8]; 16]> = SmallVec::new();
        path.push(&operation);
        let deeper = if is_name {
            let mut labels = applied_to.split_inclusive(|byte| *byte == b'.').rev();
            path.extend(labels.by_ref().take(DEPTH));
            labels.next().map(|_| &b"*."[..])
        } else {
            let mut pieces = pieces(applied_to);
            path.extend(pieces.by_ref().take(DEPTH));
            pieces.next().map(|_| "/…".as_bytes())
        };
        path.extend(deeper);
        let kind = |level: usize| match (level, is_name) {
            (0, _) => Kind::Operation,
            (_, true) => Kind::Label,
            (_, false) => Kind::Piece,
        };
        let mut node = &mut self.root;
        for (level, piece) in path.iter().enumerate() {
            let mut piece = piece.get(..LONGEST).unwrap_or(piece);
            let rest;
            let is_crowded = node.full || node.below.len() >= VALUES;
            if is_crowded && !node.below.contains_key(piece) {
                if !node.full {
                    let before = node.count();
                    node.gather(kind(level));
                    self.count -= before - node.count();
                }
                rest = kind(level).any(piece);
                piece = &rest;
            }
            node = match node.below.entry_ref(piece) {
                EntryRef::Occupied(node) => node.into_mut(),
                EntryRef::Vacant(node) if may_grow => node.insert(Node::default()),
                EntryRef::Vacant(_) => return self.others.get_or_insert_default(),
            };
        }
        if node.tally.is_none() {
            if !may_grow {
                return self.others.get_or_insert_default();
            }
            self.count += 1;
        }
        node.tally.get_or_insert_default()
    }

    fn service(&self, protocols: &[String], dns: Option<ProtocolIndex>) -> Service {
        let mut operations = Vec::new();
        let mut all = Tally::default();
        self.root.each(&mut Vec::new(), &mut |path, tally| {
            if tally.is_of_handshakes() {
                all.add_failed(tally.failed);
            } else {
                all.add(tally);
            }
            let Some((operation, pieces)) = path.split_first() else { return };
            let Some((protocol, operation)) = operation.split_first() else { return };
            let protocol = ProtocolIndex(*protocol);
            let template = match pieces {
                [] => None,
                _ if dns == Some(protocol) => {
                    Some(pieces.iter().rev().copied().collect::<Vec<_>>().concat())
                }
                _ => Some(pieces.concat()),
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            operations.push(Operation {
                protocol: protocol.name(protocols).to_owned(),
                operation: text(operation),
                template: template.map(|template| text(&template)),
                handshake: tally.is_of_handshakes(),
                calls: tally.calls(),
            });
        });
        if let Some(others) = &self.others {
            all.add(others);
            operations.push(Operation {
                protocol: String::new(),
                operation: OTHER.to_owned(),
                template: None,
                handshake: false,
                calls: others.calls(),
            });
        }
        operations.sort_by_cached_key(|one| {
            let Operation { protocol, operation, template, calls, .. } = one;
            (Reverse(calls.total), protocol.clone(), operation.clone(), template.clone())
        });
        Service { service: self.name.to_string(), calls: all.calls(), operations }
    }
}

impl Node {
    /// Makes one of the values that few calls had.
    fn gather(&mut self, kind: Kind) {
        self.full = true;
        let calls = self.calls();
        let below = std::mem::take(&mut self.below);
        // In whatever order: they are added up, and what is added up has no order.
        below.into_iter().for_each(|(piece, node)| {
            let is_rare = node.calls() * RARE < calls;
            let piece = if is_rare { kind.any(&piece) } else { piece };
            self.below.entry(piece).or_default().add(node);
        });
    }

    fn add(&mut self, other: Self) {
        if let Some(tally) = other.tally {
            self.tally.get_or_insert_default().add(&tally);
        }
        self.full |= other.full;
        other.below.into_iter().for_each(|(piece, node)| {
            self.below.entry(piece).or_default().add(node);
        });
    }

    /// How many operations end here and below.
    fn count(&self) -> usize {
        usize::from(self.tally.is_some()) + self.below.values().map(Self::count).sum::<usize>()
    }

    /// The calls of them.
    fn calls(&self) -> u64 {
        let own = self.tally.as_ref().map_or(0, |tally| tally.calls);
        own + self.below.values().map(Self::calls).sum::<u64>()
    }

    /// Shows each of them, with the path that leads there.
    fn each<'a>(&'a self, path: &mut Vec<&'a [u8]>, see: &mut dyn FnMut(&[&[u8]], &Tally)) {
        if let Some(tally) = &self.tally {
            see(path, tally);
        }
        let mut below: Vec<_> = self.below.iter().collect();
        below.sort_unstable_by_key(|(piece, _)| *piece);
        for (piece, node) in below {
            path.push(piece);
            node.each(path, see);
            path.pop();
        }
    }
}

/// What the values at one place are.
#[derive(Clone, Copy)]
enum Kind {
    /// An operation, behind the number of its protocol.
    Operation,
    /// A piece of a path or key, behind its separator.
    Piece,
    /// A label of a name of DNS, with the dot behind it.
    Label,
}

impl Kind {
    /// What stands for any value such as this one.
    fn any(self, value: &[u8]) -> Vec<u8> {
        let before = match self {
            Self::Operation => value.get(..1),
            Self::Piece => value.get(..1).filter(|first| first.iter().all(is_separator)),
            Self::Label if value.ends_with(b".") => return b"*.".to_vec(),
            Self::Label => return b"*".to_vec(),
        };
        [before.unwrap_or_default(), ANY].concat()
    }
}

/// Counts and durations of calls of one kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: u64,
    /// How many of them are handshakes.
    handshakes: u64,
    failed: u64,
    total: u64,
    longest: u64,
    /// Of those that have a response.
    durations: Option<Histogram<u32>>,
}

impl Tally {
    /// Counts a call. A handshake is none, but one that failed counts as a connection that failed.
    pub(crate) fn record_call(&mut self, exchange: &Exchange) {
        match exchange.sort {
            Sort::Handshake => self.add_failed(exchange.failed().into()),
            _ => self.record(exchange),
        }
    }

    fn record(&mut self, exchange: &Exchange) {
        self.calls += 1;
        self.handshakes += u64::from(exchange.sort == Sort::Handshake);
        self.failed += u64::from(exchange.failed());
        if exchange.state != State::Complete || exchange.response.is_none() {
            return;
        }
        let duration = exchange.duration();
        let duration = u64::try_from(duration).unwrap_or_default();
        self.total = self.total.saturating_add(duration);
        self.longest = self.longest.max(duration);
        if self.durations.is_none() {
            self.durations = Histogram::new(DIGITS).ok();
        }
        // It grows as far as needed, so that this cannot fail.
        let recorded = self.durations.as_mut().map(|durations| durations.record(duration));
        debug_assert!(recorded.is_some_and(|recorded| recorded.is_ok()));
    }

    /// Adds calls that failed before anything was asked.
    fn add_failed(&mut self, failed: u64) {
        self.calls += failed;
        self.failed += failed;
    }

    /// Whether all that it counts are handshakes.
    fn is_of_handshakes(&self) -> bool {
        self.handshakes > 0 && self.handshakes == self.calls
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.handshakes += other.handshakes;
        self.failed += other.failed;
        self.total = self.total.saturating_add(other.total);
        self.longest = self.longest.max(other.longest);
        match (&mut self.durations, &other.durations) {
            (_, None) => {}
            (Some(durations), Some(others)) => {
                let added = durations.add(others);
                debug_assert!(added.is_ok());
            }
            (none, Some(others)) => *none = Some(others.clone()),
        }
    }

    pub(crate) fn calls(&self) -> Calls {
        let latency = self.durations.as_ref().map(|durations| {
            // A histogram rounds up; none took longer than the longest.
            let at = |quantile| durations.value_at_quantile(quantile).min(self.longest);
            let [p50, p90, p95, p99] = [0.5, 0.9, 0.95, 0.99].map(at);
            Latency { p50, p90, p95, p99, max: self.longest }
        });
        Calls { calls: self.calls, failed: self.failed, latency, total: self.total }
    }
}

/// Services that are told apart.
pub const SERVICES: usize = 500;
/// Operations of one service that are told apart.
pub const OF_SERVICE: usize = 500;
/// Operations of all services that are: each has a histogram of up to 16 KiB.
pub const OF_ALL: usize = 2_000;
/// Values at one place of a path, key or name after which the rare ones become one.
pub const VALUES: usize = 200;
/// A value is rare that less than one in so many calls has.
const RARE: u64 = 100;
/// Pieces of a path, key or name that count.
const DEPTH: usize = 12;
/// Bytes of a piece that count.
const LONGEST: usize = 100;
/// Significant digits of a duration.
const DIGITS: u8 = 2;
const OTHER: &str = "other";
const ANY: &[u8] = "{…}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_parsers::message::{Attribute, Value};

    const HTTP: u8 = 0;
    const DNS: u8 = 1;

    fn exchange(protocol: u8, operation: &str, resource: &str, duration: i64) -> Exchange {
        let mut exchange = Exchange::lasting(duration);
        exchange.protocol = ProtocolIndex(protocol);
        for (name, value) in [(OPERATION, operation), (RESOURCE, resource)] {
            exchange.text.add(Attribute { name, value: Value::Text(value.as_bytes()) });
        }
        exchange
    }

    fn operations() -> Operations {
        Operations::new(vec!["http".to_owned(), "dns".to_owned()])
    }

    fn call(operations: &mut Operations, service: &str, protocol: u8, resource: &str) {
        operations.call(service, &exchange(protocol, "GET", resource, 1_000));
    }

    /// Templates with their calls, most calls first.
    fn templates(operations: &Operations) -> Vec<(String, u64)> {
        let services = operations.services();
        let all = services.iter().flat_map(|service| &service.operations);
        let mut all: Vec<_> = all
            .map(|one| {
                let template = one.template.clone().unwrap_or_else(|| one.operation.clone());
                (template, one.calls.calls)
            })
            .collect();
        all.sort_by_key(|(template, calls)| (Reverse(*calls), template.clone()));
        all
    }

    fn expect(operations: &Operations, expected: &[(&str, u64)]) {
        let expected: Vec<_> = expected.iter().map(|(t, calls)| (t.to_string(), *calls)).collect();
        assert_eq!(templates(operations), expected);
    }

    #[test]
    fn calls_of_one_template_are_one_operation() {
        let mut all = operations();
        for resource in ["/orders/7", "/orders/8", "/orders/9", "/orders"] {
            call(&mut all, "shop", HTTP, resource);
        }
        expect(&all, &[("/orders/{id}", 3), ("/orders", 1)]);
    }

    #[test]
    fn where_a_tunnel_leads_is_told_whole() {
        let mut all = operations();
        for resource in ["a.test:443", "10.0.0.7:5432", "/stomp/7"] {
            all.call("proxy", &exchange(HTTP, "CONNECT", resource, 1_000));
        }
        expect(&all, &[("/stomp/{id}", 1), ("10.0.0.7:5432", 1), ("a.test:443", 1)]);
    }

    #[test]
    fn values_that_are_too_many_become_one_and_those_below_them_too() {
        let mut all = operations();
        for n in 0..VALUES + 50 {
            let name: String = n.to_string().bytes().map(|d| char::from(d - b'0' + b'a')).collect();
            call(&mut all, "shop", HTTP, &format!("/users/{name}"));
            call(&mut all, "shop", HTTP, &format!("/users/{name}/orders"));
            call(&mut all, "shop", HTTP, "/users/admin");
        }
        let (n, m) = (VALUES as u64 + 50, VALUES as u64 + 50);
        expect(&all, &[("/users/admin", n), ("/users/{…}", m), ("/users/{…}/orders", m)]);
        assert_eq!(all.count, 3);
    }

    #[test]
    fn names_under_one_domain_become_one() {
        let mut all = operations();
        for n in 0..2 * VALUES {
            call(&mut all, "dns", DNS, &format!("host-{n}.shop.example"));
        }
        call(&mut all, "dns", DNS, "bank.example");
        expect(&all, &[("*.shop.example", 2 * VALUES as u64), ("bank.example", 1)]);
    }

    #[test]
    fn operations_beyond_the_limit_of_a_service_are_counted_together() {
        let mut all = operations();
        for first in 0..VALUES / 2 {
            for second in 0..VALUES / 2 {
                let name = |n: usize| char::from_u32(0x4e00 + n as u32).unwrap_or_default();
                let resource = format!("/{}/{}", name(first), name(second));
                call(&mut all, "shop", HTTP, &resource);
            }
        }
        let calls = (VALUES * VALUES / 4 - OF_SERVICE) as u64;
        assert_eq!(not_told_apart(&all.services()), calls);
        assert_eq!(templates(&all).first(), Some(&("other".to_owned(), calls)));
        assert_eq!(all.count, OF_SERVICE);
    }

    #[test]
    fn services_beyond_the_limit_are_counted_together() {
        let mut all = operations();
        for n in 0..SERVICES + 7 {
            call(&mut all, &format!("10.0.0.1:{n}"), HTTP, "/");
        }
        let services = all.services();
        let other = services.iter().find(|one| one.service == "other");
        assert_eq!(other.map(|one| one.calls.calls), Some(7));
        assert_eq!(not_told_apart(&services), 7);
        assert_eq!(services.len(), SERVICES + 1);
    }

    #[test]
    fn all_services_together_stay_below_the_limit() {
        let mut all = operations();
        for service in 0..SERVICES {
            for first in 0..30 {
                let name = char::from_u32(0x4e00 + first).unwrap_or_default();
                call(&mut all, &format!("10.0.0.1:{service}"), HTTP, &format!("/{name}"));
            }
        }
        assert_eq!(all.count, OF_ALL);
        let calls: u64 = all.services().iter().map(|service| service.calls.calls).sum();
        assert_eq!(calls, 30 * SERVICES as u64, "none is lost");
    }

    #[test]
    fn percentiles_are_right_to_two_digits() {
        let mut all = operations();
        for duration in 1..=1_000 {
            all.call("shop", &exchange(HTTP, "GET", "/", duration * 10_000));
        }
        let services = all.services();
        let latency = services.first().and_then(|service| service.calls.latency).expect("calls");
        for (expected, found) in
            [(5_000_000, latency.p50), (9_000_000, latency.p90), (9_900_000, latency.p99)]
        {
            assert!((expected..expected + expected / 100).contains(&found), "{expected} {found}");
        }
        assert_eq!(latency.max, 10_000_000);
    }

    #[test]
    fn what_has_no_response_has_failed_or_not_but_takes_no_time() {
        let mut all = operations();
        let mut open = exchange(HTTP, "GET", "/", 0);
        (open.state, open.response) = (State::Open, None);
        all.call("shop", &open);
        open.state = State::TimedOut;
        all.call("shop", &open);
        let services = all.services();
        let calls = services.first().map(|service| service.calls).expect("calls");
        assert_eq!((calls.calls, calls.failed, calls.total), (2, 1, 0));
        assert!(calls.latency.is_none());
    }

    #[test]
    fn names_of_any_length_and_depth_are_counted() {
        let mut all = operations();
        for n in 0..3 {
            call(&mut all, "shop", HTTP, &format!("/{}{n}", "x".repeat(1_000)));
            call(&mut all, "shop", HTTP, &format!("{}/{n}", "/x".repeat(1_000)));
        }
        expect(
            &all,
            &[(&format!("{}/…", "/x".repeat(12)), 3), (&format!("/{}", "x".repeat(99)), 3)],
        );
    }

    #[test]
    fn handshakes_are_no_calls_unless_they_failed() {
        let mut all = operations();
        all.call("shop", &exchange(HTTP, "GET", "/", 7));
        let mut login = exchange(HTTP, "LOGIN", "", 1_000);
        login.sort = Sort::Handshake;
        all.call("shop", &login);
        login.outcome = wirespan_parsers::message::Outcome::ServerError;
        all.call("shop", &login);
        let services = all.services();
        let Some(Service { calls, operations, .. }) = services.first() else { panic!("none") };
        assert_eq!((calls.calls, calls.failed, calls.total), (2, 1, 7));
        let counts = operations.iter().map(|one| (one.handshake, one.calls.calls));
        assert_eq!(counts.collect::<Vec<_>>(), [(true, 2), (false, 1)]);
    }
}
