//! Rate, errors and duration of services, of their operations, and of who calls whom, as counts
//! that only grow. In go finished traces, out come tables that keep their size whatever the names.
//!
//! The [table of operations](crate::operations) gathers values once there are many, which a count
//! that others follow over time must not do: here, what comes first is told apart, and what comes
//! after the limit is called `other` and counted.

use crate::callers::{CallerEnd, CallerKind, Callers};
use crate::exchange::{Exchange, Sort, State};
use crate::export::semantics::Semantics;
use crate::span::Trace;
use foldhash::fast::RandomState;
use hashbrown::hash_map::EntryRef;
use hashbrown::{Equivalent, HashMap};
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes traces, and counts their calls; what several points saw counts once.
#[derive(Debug)]
pub struct RedMetrics {
    semantics: Semantics,
    callers: Callers,
    tables: Arc<Mutex<Tables>>,
}

/// Shows to others what was counted.
#[derive(Clone, Debug)]
pub struct RedReader(Arc<Mutex<Tables>>);

/// What was counted so far, in order of the labels.
#[derive(Clone, Debug, Default)]
pub struct Red {
    /// By service, protocol and operation.
    pub operations: Vec<([Arc<str>; 3], CallCounts)>,
    /// By caller, service and protocol.
    pub edges: Vec<([Arc<str>; 3], CallCounts)>,
    /// Calls whose operation is called `other`, since there were too many.
    pub other_operations: u64,
    /// Calls whose caller, or also its service, is called `other`.
    pub other_edges: u64,
}

/// How calls went, and how long they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// How many.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Those that have a response, by the first of [`BUCKETS`] that they are no longer than; in the
    /// last place those that are longer than all.
    pub durations: [u64; BUCKETS.len() + 1],
    /// The sum of their durations, in nanoseconds.
    pub nanoseconds: u64,
}

#[derive(Debug, Default)]
struct Tables {
    operations: HashMap<Labels, CallCounts, RandomState>,
    /// How many operations of a service are told apart.
    services: HashMap<Arc<str>, usize, RandomState>,
    edges: HashMap<Labels, CallCounts, RandomState>,
    /// Callers without a name that are told apart.
    addresses: HashMap<Arc<str>, (), RandomState>,
    other_operations: u64,
    other_edges: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Labels([Arc<str>; 3]);

/// The same of those that are looked for.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a>([&'a str; 3]);

impl RedMetrics {
    /// Nothing yet, of calls that mean this.
    pub fn new(semantics: Semantics) -> Self {
        Self { semantics, callers: Callers::default(), tables: Arc::default() }
    }

    /// Shows to others what is counted here.
    pub fn reader(&self) -> RedReader {
        RedReader(self.tables.clone())
    }
}

impl RedMetrics {
    /// Counts each exchange of these traces once.
    pub fn count(&mut self, traces: &[Trace]) {
        let Self { semantics, callers, tables } = self;
        // Nobody panics while it is locked; the counts are right in any case.
        let mut tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
        for trace in traces {
            for span in trace.exchanges() {
                let e = &*span.exchange;
                callers.learn(e, &span.service);
                let failed = semantics.failed(e);
                if !counts(e, failed) {
                    continue;
                }
                let (service, protocol) = (label(&span.service), semantics.protocol(e));
                let operation = semantics.operation(e);
                tables.operation([&service, protocol, &label(&operation)]).count(e, failed);
                let edge = match trace.caller(span).or_else(|| callers.asking(e)) {
                    Some(caller) => tables.edge([&label(caller), &service, protocol]),
                    None => match callers.caller(&CallerEnd::of(e)) {
                        (CallerKind::Address, address) => {
                            tables.edge_of_address([&address, &service, protocol])
                        }
                        (_, caller) => tables.edge([&label(&caller), &service, protocol]),
                    },
                };
                edge.count(e, failed);
            }
        }
    }
}

impl RedReader {
    /// What was counted so far.
    pub fn read(&self) -> Red {
        // It is copied, so that nobody who counts waits until it is written.
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let copied = |table: &HashMap<Labels, CallCounts, RandomState>| {
            table.iter().map(|(labels, counts)| (labels.0.clone(), *counts)).collect::<Vec<_>>()
        };
        let (mut operations, mut edges) = (copied(&tables.operations), copied(&tables.edges));
        let (other_operations, other_edges) = (tables.other_operations, tables.other_edges);
        drop(tables);
        operations.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        edges.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Red { operations, edges, other_operations, other_edges }
    }
}

impl CallCounts {
    fn count(&mut self, e: &Exchange, failed: bool) {
        self.requests += 1;
        self.errors += u64::from(failed);
        if e.state != State::Complete || e.response.is_none() {
            return;
        }
        let duration = u64::try_from(e.duration()).unwrap_or_default();
        let place = BUCKETS.partition_point(|longest| *longest < duration);
        if let Some(bucket) = self.durations.get_mut(place) {
            *bucket += 1;
        }
        self.nanoseconds = self.nanoseconds.saturating_add(duration);
    }
}

impl Tables {
    fn operation(&mut self, labels: [&str; 3]) -> &mut CallCounts {
        let [service, protocol, _] = labels;
        let of_service = self.services.get(service).copied();
        let is_known = self.operations.contains_key(&Wanted(labels));
        let may_grow = match of_service {
            Some(count) => count < OF_SERVICE,
            None => self.services.len() < SERVICES,
        };
        if !is_known && may_grow && self.operations.len() < OPERATIONS {
            *self.services.entry(service.into()).or_default() += 1;
        } else if !is_known {
            self.other_operations += 1;
            // That a service is there is kept as long as there is room for services.
            let is_service = of_service.is_some() || self.services.len() < SERVICES;
            if of_service.is_none() && is_service {
                self.services.insert(service.into(), 0);
            }
            let service = if is_service { service } else { OTHER };
            return counted(&mut self.operations, [service, protocol, OTHER]);
        }
        counted(&mut self.operations, labels)
    }

    fn edge(&mut self, labels: [&str; 3]) -> &mut CallCounts {
        let is_known = self.edges.contains_key(&Wanted(labels));
        if is_known || self.edges.len() < EDGES {
            return counted(&mut self.edges, labels);
        }
        self.other_edges += 1;
        let [_, _, protocol] = labels;
        counted(&mut self.edges, [OTHER, OTHER, protocol])
    }

    /// The same of a caller that has no name. Where the whole internet calls, there are many of
    /// these, which should not take the place of those that have one.
    fn edge_of_address(&mut self, labels: [&str; 3]) -> &mut CallCounts {
        let [address, service, protocol] = labels;
        if !self.addresses.contains_key(address) {
            if self.addresses.len() >= ADDRESSES {
                // Counted once, whether or not there is room for the service.
                let is_full = self.edges.len() >= EDGES;
                let labels = [OTHER, service, protocol];
                if !is_full || self.edges.contains_key(&Wanted(labels)) {
                    self.other_edges += 1;
                }
                return self.edge(labels);
            }
            self.addresses.insert(address.into(), ());
        }
        self.edge(labels)
    }
}

fn counted<'t>(
    table: &'t mut HashMap<Labels, CallCounts, RandomState>,
    labels: [&str; 3],
) -> &'t mut CallCounts {
    match table.entry_ref(&Wanted(labels)) {
        EntryRef::Occupied(counts) => counts.into_mut(),
        EntryRef::Vacant(place) => {
            place.insert_with_key(Labels(labels.map(Arc::from)), CallCounts::default())
        }
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|label| label.hash(state));
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|label| label.hash(state));
    }
}

impl Equivalent<Labels> for Wanted<'_> {
    fn equivalent(&self, labels: &Labels) -> bool {
        self.0.iter().zip(&labels.0).all(|(wanted, label)| *wanted == &**label)
    }
}

/// Whether an exchange is a call, or failed where one was to come: a connection or a login.
fn counts(e: &Exchange, failed: bool) -> bool {
    match e.sort {
        Sort::Call | Sort::Connect => true,
        Sort::Handshake => failed,
        Sort::OneWay | Sort::End => false,
    }
}

/// A text as a label has it: not too long, and without what could disturb those that read it.
fn label(text: &str) -> Cow<'_, str> {
    // Nearly all texts are such; of control characters beyond ASCII, UTF-8 begins with 0xc2.
    let is_harmless = |byte: u8| (0x20..0x7f).contains(&byte) || byte > 0xc2;
    if text.len() <= LONGEST && text.bytes().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or(text);
    Cow::Owned(text.replace(char::is_control, "\u{fffd}"))
}

/// Bounds of durations in nanoseconds, from 100 µs to 10 s.
pub const BUCKETS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// Services that are told apart.
pub const SERVICES: usize = 500;
/// Operations of one service that are told apart.
pub const OF_SERVICE: usize = 100;
/// Operations of all services that are told apart: each is about 20 lines of what is served.
pub const OPERATIONS: usize = 1_000;
/// Pairs of caller and service that are told apart, in one protocol.
pub const EDGES: usize = 1_000;
/// Callers without a name that are told apart.
pub const ADDRESSES: usize = 250;
/// Characters of a label.
const LONGEST: usize = 200;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{OPERATION, ProtocolIndex, RESOURCE};
    use crate::export::ndjson::SourceNames;
    use crate::span::{Link, LinkKind, Reason, Span};
    use std::net::IpAddr;
    use wirespan_parsers::message::{Attribute, Outcome, Value};

    fn red() -> RedMetrics {
        let protocols = ["http", "redis", "dns"].map(str::to_owned).to_vec();
        RedMetrics::new(Semantics::new(protocols, SourceNames::default()))
    }

    fn call(from: u8, to: u8, service: &str, path: &str) -> Span {
        let mut exchange = Exchange::lasting(3_000_000);
        exchange.client.set_ip(IpAddr::from([10, 0, 0, from]));
        exchange.server.set_ip(IpAddr::from([10, 0, 0, to]));
        for (name, value) in [(OPERATION, "GET"), (RESOURCE, path)] {
            exchange.text.add(Attribute { name, value: Value::Text(value.as_bytes()) });
        }
        Span {
            id: 1,
            exchange: Box::new(exchange),
            point: 0,
            first_point: 0,
            service: service.into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        }
    }

    fn below(mut span: Span, parent: usize, kind: LinkKind) -> Span {
        span.link = Some(Link {
            parent,
            kind,
            reason: Reason::OneCandidate,
            confidence: 1.0,
            also: Default::default(),
            against: Default::default(),
            runner_up: None,
        });
        span
    }

    fn trace(spans: Vec<Span>) -> Trace {
        Trace { id: 1, wire: None, late: false, spans }
    }

    #[track_caller]
    fn check(table: &[([Arc<str>; 3], CallCounts)], expected: &[(&str, u64, u64)]) {
        let told =
            table.iter().map(|(labels, counts)| (labels.join(" "), counts.requests, counts.errors));
        let expected = expected.iter().map(|(labels, a, b)| ((*labels).to_owned(), *a, *b));
        assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn each_exchange_counts_once_with_its_caller() {
        let mut red = red();
        let spans = vec![
            call(1, 2, "shop", "/orders/1"),
            below(call(1, 2, "shop", "/orders/1"), 0, LinkKind::SameExchange),
            below(call(2, 3, "stock", "/items"), 1, LinkKind::Parent),
        ];
        red.count(&[trace(spans), trace(vec![call(1, 2, "shop", "/orders/2")])]);
        let told = red.reader().read();
        check(
            &told.operations,
            &[("shop http GET /orders/{id}", 2, 0), ("stock http GET /items", 1, 0)],
        );
        check(&told.edges, &[("10.0.0.1 shop http", 2, 0), ("shop stock http", 1, 0)]);
    }

    #[test]
    fn durations_stand_in_the_first_bucket_that_holds_them() {
        let mut counts = CallCounts::default();
        for (nanoseconds, place) in
            [(0, 0), (100_000, 0), (100_001, 1), (10_000_000_000, 15), (10_000_000_001, 16)]
        {
            let before = counts.durations[place];
            counts.count(&Exchange::lasting(nanoseconds), false);
            assert_eq!(counts.durations[place], before + 1, "{nanoseconds}");
        }
        assert_eq!(counts.nanoseconds, 20_000_200_002);
    }

    #[test]
    fn failures_are_those_of_the_conventions() {
        let with = |protocol, outcome, state, sort| {
            let mut span = call(1, 2, "shop", "/");
            let e = &mut span.exchange;
            (e.protocol, e.outcome, e.state, e.sort) =
                (ProtocolIndex(protocol), outcome, state, sort);
            trace(vec![span])
        };
        let mut red = red();
        let ok = Outcome::Ok;
        for trace in [
            with(0, Outcome::ServerError, State::Complete, Sort::Call),
            // For a server it is no failure that it was asked wrongly; for a database it is.
            with(0, Outcome::ClientError, State::Complete, Sort::Call),
            with(1, Outcome::ClientError, State::Complete, Sort::Call),
            with(0, ok, State::TimedOut, Sort::Call),
            with(0, ok, State::Open, Sort::Call),
            with(1, ok, State::Complete, Sort::Handshake),
            with(1, Outcome::ClientError, State::Complete, Sort::Handshake),
            with(1, ok, State::Complete, Sort::OneWay),
            with(u8::MAX, Outcome::Unknown, State::Refused, Sort::Connect),
        ] {
            red.count(std::slice::from_ref(&trace));
        }
        let told = red.reader().read();
        check(
            &told.operations,
            &[
                ("shop http GET /", 4, 2),
                ("shop redis GET /", 2, 2),
                ("shop tcp connect to port 80", 1, 1),
            ],
        );
        let complete: u64 = told.operations[0].1.durations.iter().sum();
        assert_eq!(complete, 2, "only what has a response has a duration");
    }

    #[test]
    fn names_beyond_the_limits_are_other_and_counted() {
        let mut red = red();
        let names = SERVICES + 20;
        for n in 0..names {
            let path = format!("/p{}/x", "a".repeat(n % 150));
            red.count(&[trace(vec![call(1, 2, "shop", &path)])]);
            red.count(&[trace(vec![call(1, 2, &format!("s{n}"), "/")])]);
        }
        let told = red.reader().read();
        assert!(told.operations.len() <= OPERATIONS + SERVICES + 1);
        let sum = |table: &[([Arc<str>; 3], CallCounts)]| -> u64 {
            table.iter().map(|(_, counts)| counts.requests).sum()
        };
        assert_eq!(sum(&told.operations), 2 * names as u64);
        let other = |service: &str| {
            let is_it = |labels: &[Arc<str>; 3]| &*labels[0] == service && &*labels[2] == OTHER;
            let found = told.operations.iter().find(|(labels, _)| is_it(labels));
            found.map_or(0, |(_, counts)| counts.requests)
        };
        // The services beside shop that found no room.
        assert_eq!(other(OTHER), 21);
        assert_eq!(other("shop") + other(OTHER), told.other_operations);
        assert!(other("shop") > 0);
        let of_shop = told.operations.iter().filter(|(labels, _)| &*labels[0] == "shop");
        assert_eq!(of_shop.count(), OF_SERVICE + 1);
    }

    #[test]
    fn callers_without_a_name_leave_room_for_others() {
        let mut red = red();
        let mut all = 0;
        for n in 0..ADDRESSES as u32 + 50 {
            let mut span = call(1, 2, "shop", "/");
            span.exchange.client.set_ip(IpAddr::from((0x0b00_0000 + n).to_be_bytes()));
            red.count(&[trace(vec![span])]);
            all += 1;
        }
        let told = red.reader().read();
        assert_eq!(told.edges.len(), ADDRESSES + 1);
        assert_eq!(told.other_edges, 50);
        for n in 0..2 * EDGES {
            let parent = call(3, 4, &format!("s{n}"), "/");
            let child = below(call(4, 2, "shop", "/"), 0, LinkKind::Parent);
            red.count(&[trace(vec![parent, child])]);
            all += 2;
        }
        let told = red.reader().read();
        assert!(told.edges.len() <= EDGES + 1, "{}", told.edges.len());
        let sum: u64 = told.edges.iter().map(|(_, counts)| counts.requests).sum();
        assert_eq!(sum, all);
        let others = told.edges.iter().filter(|(labels, _)| &*labels[0] == OTHER);
        assert_eq!(others.map(|(_, counts)| counts.requests).sum::<u64>(), told.other_edges);
    }

    #[test]
    fn labels_hold_nothing_that_disturbs() {
        assert_eq!(label("shop"), "shop");
        assert_eq!(label("a\0b\nc\u{85}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(label(&"ä".repeat(300)), "ä".repeat(200));
    }
}
