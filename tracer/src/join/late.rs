//! What belongs to a trace that was handed out before: it changes nothing of that trace, but hangs
//! under the span of it that called, where that is still known.

use crate::exchange::Exchange;
use crate::join::{JoinKey, LooseKey};
use crate::span::{Earlier, Reason, Trace};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use wirespan_capture::packet::Timestamp;

/// The latest traces that were handed out under an identifier of the wire.
#[derive(Debug, Default)]
pub struct HandedOut {
    by_key: HashMap<u64, SmallVec<[Caller; 1]>, RandomState>,
    order: VecDeque<u64>,
}

/// A span that may turn out to have called.
#[derive(Debug)]
struct Caller {
    trace: u128,
    span: u64,
    server: SocketAddr,
    host: IpAddr,
    start: Timestamp,
    end: Timestamp,
}

impl HandedOut {
    /// Hangs the roots of a late trace under what was handed out before, and remembers the trace.
    pub fn pass(&mut self, trace: &mut Trace) {
        if trace.wire.is_none() {
            return;
        }
        if trace.late {
            for span in trace.spans.iter_mut().filter(|span| span.link.is_none()) {
                span.earlier = self.caller_of(&span.exchange);
            }
        }
        let mut first: SmallVec<[LooseKey; 2]> = SmallVec::new();
        for key in trace.spans.iter().flat_map(|span| keys(&span.exchange)) {
            if first.len() < KEYS && !first.contains(&key) {
                first.push(key);
            }
        }
        for key in first {
            self.remember(key, trace);
        }
    }

    fn caller_of(&self, exchange: &Exchange) -> Option<Earlier> {
        keys(exchange).find_map(|key| {
            let callers = self.by_key.get(&key.short())?.iter();
            let called = callers.filter(|caller| {
                caller.host == exchange.client_host()
                    && caller.server != exchange.server
                    && caller.start <= exchange.start()
            });
            let caller =
                called.max_by_key(|caller| (caller.end >= exchange.end(), caller.start))?;
            Some(Earlier {
                trace: caller.trace,
                span: caller.span,
                reason: Reason::Identifier(key.carried.format),
                confidence: if caller.end >= exchange.start() { 0.9 } else { 0.7 },
            })
        })
    }

    fn remember(&mut self, key: LooseKey, trace: &Trace) {
        let short = key.short();
        if !self.by_key.contains_key(&short) {
            if self.order.len() >= TRACES
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_key.remove(&oldest);
            }
            self.order.push_back(short);
        }
        let callers = self.by_key.entry(short).or_default();
        let carriers = trace.spans.iter().filter(|span| keys(&span.exchange).any(|k| k == key));
        for span in carriers.take(CALLERS.saturating_sub(callers.len())) {
            callers.push(Caller {
                trace: trace.id,
                span: span.id,
                server: span.exchange.server,
                host: span.exchange.server_host(),
                start: span.exchange.start(),
                end: span.exchange.end(),
            });
        }
    }
}

/// The identifiers that can name a trace.
fn keys(exchange: &Exchange) -> impl Iterator<Item = LooseKey> {
    let keys = exchange.contexts.iter().filter_map(JoinKey::of);
    keys.filter(|key| key.format.names_trace()).map(JoinKey::loose)
}

/// Identifiers whose traces are remembered.
pub const TRACES: usize = 1024;
/// Identifiers of one trace that are remembered, so that it does not crowd out the others.
const KEYS: usize = 16;
/// Spans of a trace that are remembered.
const CALLERS: usize = 8;
