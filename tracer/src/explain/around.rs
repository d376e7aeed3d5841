//! What happened around a trace: what was open at its callers as they called, and which exchanges of
//! other traces carry its identifiers.

use crate::exchange::{Context, Exchange, RESOURCE};
use crate::explain::hosts::{Host, Hosts, asked, caller};
use crate::explain::near::{Near, end};
use crate::explain::queues::Queues;
use crate::join::JoinKey;
use crate::join::fingerprint::{self, fingerprint};
use crate::span::{Span, SpanSink, Trace};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::io;
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::PointId;

/// What was open at a caller as it called.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// What had been asked there and was not over, in order of time.
    pub open: Vec<Near>,
    /// Those of them that are too many to be kept.
    pub more: u64,
    /// What had been over last, of the latest second.
    pub before: Option<Near>,
    /// Whether anything was asked there at all, as far as is known.
    pub is_server: bool,
}

impl Caller {
    /// The one of what was open that was made for another one: what the machine does meanwhile, it
    /// does for that one.
    pub fn inner(&self, outer: &Near, call: &Exchange) -> Option<&Near> {
        let inner =
            |near: &&Near| near.under == Some(outer.exchange) && !near.asked_the_same_server(call);
        self.open.iter().find(inner)
    }

    /// Whether one of what was open may have called, as far as the servers that were asked tell, and
    /// as some lie within others.
    pub fn may_have_called(&self, near: &Near, call: &Exchange) -> bool {
        !near.asked_the_same_server(call) && self.inner(near, call).is_none()
    }
}

/// Who carries an identifier, outside of the trace.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// Some of them, in order of time.
    pub some: Vec<Near>,
    /// How many exchanges there are.
    pub count: u64,
}

/// Gathers what happened around some spans.
pub struct Around {
    calls: Vec<Call>,
    /// The calls of each host, by their time.
    by_host: HashMap<Host, SmallVec<[usize; 4]>, RandomState>,
    /// What carries an identifier.
    by_key: HashMap<JoinKey, Elsewhere, RandomState>,
    trace: Option<u128>,
    hosts: Hosts,
    queues: Queues,
}

struct Call {
    host: Host,
    start: Timestamp,
    point: PointId,
    fingerprint: u64,
    content: Option<u64>,
    caller: Caller,
}

impl Around {
    /// Of these spans of a trace.
    pub fn of<'s>(
        trace: Option<u128>,
        hosts: Hosts,
        spans: impl Iterator<Item = &'s Span>,
    ) -> Self {
        let mut around = Self {
            calls: Vec::new(),
            by_host: HashMap::default(),
            by_key: HashMap::default(),
            trace,
            hosts,
            queues: Queues::default(),
        };
        for span in spans {
            around.queues.add(span);
            let e = &*span.exchange;
            let call = Call {
                host: around.hosts.one(caller(e)),
                start: e.start(),
                point: e.point,
                fingerprint: fingerprint(e),
                content: content(e),
                caller: Caller::default(),
            };
            around.by_host.entry(call.host).or_default().push(around.calls.len());
            around.calls.push(call);
            for key in e.contexts.iter().filter_map(JoinKey::of) {
                around.by_key.entry(key).or_default();
            }
        }
        for calls in around.by_host.values_mut() {
            calls.sort_by_key(|call| (around.calls.get(*call).map(|call| call.start), *call));
        }
        around
    }

    /// What was open as the span with this number called, counted as they were given.
    pub fn caller(&self, number: usize) -> Option<&Caller> {
        self.calls.get(number).map(|call| &call.caller)
    }

    /// The other ends of queues.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Who else carries an identifier.
    pub fn elsewhere(&self, context: &Context) -> Option<&Elsewhere> {
        self.by_key.get(&JoinKey::of(context)?)
    }

    fn look_at(&mut self, trace: &Trace) {
        self.queues.look_at(trace);
        let mut chains: SmallVec<[SmallVec<[&Span; 2]>; 8]> = SmallVec::new();
        let mut chain_of: SmallVec<[usize; 16]> = SmallVec::new();
        for span in &trace.spans {
            let above = span.link.as_ref().filter(|_| span.is_next_point()).map(|link| link.parent);
            let own = above.and_then(|above| chain_of.get(above)).copied();
            chain_of.push(own.unwrap_or(chains.len()));
            match own.and_then(|own| chains.get_mut(own)) {
                Some(chain) => chain.push(span),
                None => chains.push(smallvec::smallvec![span]),
            }
        }
        let top = |chain: &SmallVec<[&Span; 2]>| chain.first().map_or(0, |span| span.id);
        for chain in &chains {
            let above = chain.first().and_then(|span| span.link.as_ref());
            let above = above.and_then(|link| chains.get(*chain_of.get(link.parent)?));
            self.asked(trace.id, chain, above.map(top));
            if self.trace != Some(trace.id) {
                self.carried(trace.id, chain);
            }
        }
    }

    /// An exchange, at all points that saw it, may have been open at a caller.
    fn asked(&mut self, trace: u128, chain: &[&Span], under: Option<u64>) {
        let exchange = chain.first().map_or(0, |span| span.id);
        let Self { calls, by_host, hosts: known, .. } = self;
        let mut hosts: SmallVec<[Host; 2]> = SmallVec::new();
        for span in chain {
            let host = known.one(asked(&span.exchange));
            if hosts.contains(&host) {
                continue;
            }
            hosts.push(host);
            let Some(places) = by_host.get(&host) else { continue };
            let at_host = |span: &&&Span| known.one(asked(&span.exchange)) == host;
            let seen: SmallVec<[&Span; 2]> = chain.iter().filter(at_host).copied().collect();
            let from = seen.iter().map(|span| span.exchange.start()).min();
            let to = seen.iter().map(|span| end(&span.exchange)).max();
            let (Some(from), Some(to)) = (from, to) else { continue };
            let starts = |place: &usize| calls.get(*place).map_or(Timestamp(0), |call| call.start);
            let first = places.partition_point(|place| starts(place) < from);
            let behind = places.partition_point(|place| starts(place) <= to);
            let told = seen.iter().map(|span| span.exchange.turns.first().number).min();
            let prints: SmallVec<[u64; 2]> =
                seen.iter().map(|span| fingerprint(&span.exchange)).collect();
            for place in places.get(first..behind).unwrap_or_default() {
                let Some(call) = calls.get_mut(*place) else { continue };
                // Where a host calls itself, it is not its own cause.
                if prints.contains(&call.fingerprint) {
                    continue;
                }
                call.caller.is_server = true;
                let is_open = |span: &&&Span| {
                    span.exchange.start() <= call.start && end(&span.exchange) >= call.start
                };
                // What the call's own point has seen, it has seen at the right time.
                let mut own = seen.iter().filter(|span| span.exchange.point == call.point);
                let has_own = own.clone().next().is_some();
                let open = match has_own {
                    true => own.rfind(is_open),
                    false => seen.iter().rfind(is_open),
                };
                let Some(span) = open else { continue };
                if call.caller.open.len() < OPEN {
                    let asks_the_same =
                        call.content.is_some() && content(&span.exchange) == call.content;
                    let near = Near::of(trace, span);
                    let told = told.unwrap_or(near.told);
                    call.caller.open.push(Near { asks_the_same, exchange, under, told, ..near });
                } else {
                    call.caller.more += 1;
                }
            }
            // It was over before these; those behind them get it passed on.
            if let Some(call) = places.get(behind).and_then(|place| calls.get_mut(*place))
                && let Some(last) = seen.last()
            {
                call.caller.is_server = true;
                if call.caller.before.as_ref().is_none_or(|before| before.end < to) {
                    call.caller.before = Some(Near::of(trace, last));
                }
            }
        }
    }

    fn carried(&mut self, trace: u128, chain: &[&Span]) {
        let mut counted: SmallVec<[JoinKey; 4]> = SmallVec::new();
        for span in chain {
            for key in span.exchange.contexts.iter().filter_map(JoinKey::of) {
                if counted.contains(&key) {
                    continue;
                }
                let Some(elsewhere) = self.by_key.get_mut(&key) else { continue };
                counted.push(key);
                elsewhere.count += 1;
                if elsewhere.some.len() < CARRIERS {
                    elsewhere.some.push(Near::of(trace, span));
                }
            }
        }
    }

    /// Passes on what was over last to the calls behind.
    fn pass_on(&mut self) {
        let Self { calls, by_host, .. } = self;
        // Each host's list is passed through for itself, so that their order is of no account.
        let mut hosts: Vec<&SmallVec<[usize; 4]>> = by_host.values().collect();
        hosts.sort_unstable_by_key(|places| places.first().copied());
        for places in hosts {
            let mut latest: Option<Near> = None;
            let mut is_server = false;
            for place in places {
                let Some(call) = calls.get_mut(*place) else { continue };
                let caller = &mut call.caller;
                is_server |= caller.is_server;
                caller.is_server = is_server;
                let newer = |near: &Near| latest.as_ref().is_none_or(|old| old.end <= near.end);
                if let Some(near) = caller.before.take().filter(newer) {
                    latest = Some(near);
                }
                caller.before.clone_from(&latest);
                caller.open.sort_by_key(|near| (near.start, near.span));
            }
        }
    }
}

impl SpanSink for Around {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.look_at(trace);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.pass_on();
        Ok(())
    }
}

/// Equal for exchanges that ask for the same thing, as where a proxy passes a request on; none where
/// there is no thing.
pub(super) fn content(exchange: &Exchange) -> Option<u64> {
    exchange.text.text(RESOURCE).map(|_| fingerprint::content(exchange))
}

/// Exchanges open at a caller that are told of.
const OPEN: usize = 16;
/// Carriers of an identifier that are told of.
const CARRIERS: usize = 4;
