//! Another exchange, as far as it is told of beside the one that is explained.

use crate::exchange::{Context, EventNumber, Exchange, Half, ProtocolIndex};
use crate::explain::asked::{rest, what};
use crate::join::fingerprint::listener;
use crate::span::Span;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::values::Values;

/// An exchange, as far as it is told of beside another one.
#[derive(Clone, Debug)]
pub struct Near {
    /// Its trace.
    pub trace: u128,
    /// Its span at the point at which it was looked at.
    pub span: u64,
    /// The service that was asked.
    pub service: Arc<str>,
    /// What was asked.
    pub what: String,
    /// What was asked for beside that.
    pub rest: Option<String>,
    /// The protocol.
    pub protocol: ProtocolIndex,
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// When it began.
    pub start: Timestamp,
    /// When it was over; without a response, when nobody waited for it any more.
    pub end: Timestamp,
    /// Whether a response was seen.
    pub answered: bool,
    /// The event by which joining learnt of it.
    pub told: EventNumber,
    /// Its request.
    pub request: Half,
    /// Whether both ends are at one machine.
    pub is_within: bool,
    /// The outermost span of this exchange, where that was looked up.
    pub exchange: u64,
    /// The same of that which it hangs under.
    pub under: Option<u64>,
    /// Whether it asks for the same as the call beside which it is told of.
    pub asks_the_same: bool,
    /// Stands for the address and port that were asked.
    pub listener: u64,
    /// The hashes of the values that its request carries.
    pub values: Values,
    /// Its identifiers.
    pub contexts: SmallVec<[Context; 2]>,
}

impl Near {
    /// What is told of a span.
    pub fn of(trace: u128, span: &Span) -> Self {
        let e = &*span.exchange;
        Self {
            trace,
            span: span.id,
            service: span.service.clone(),
            what: what(span),
            rest: rest(e),
            protocol: e.protocol,
            client: e.client,
            server: e.server,
            start: e.start(),
            end: end(e),
            answered: e.response.is_some(),
            told: e.turns.first().number,
            request: e.request,
            is_within: is_within(e),
            exchange: span.id,
            under: None,
            asks_the_same: false,
            listener: listener(e),
            values: e.values.clone(),
            contexts: e.contexts.clone(),
        }
    }

    /// Whether a call of who was asked cannot have been made for it, since both ask the same server;
    /// but a sidecar passes on within its machine what came from outside.
    pub fn asked_the_same_server(&self, call: &Exchange) -> bool {
        let passed_on = is_within(call) && !self.is_within;
        self.server == call.server && !passed_on
    }
}

/// Whether both ends of an exchange are at one machine, as its addresses tell.
pub(super) fn is_within(exchange: &Exchange) -> bool {
    exchange.client_host() == exchange.server_host()
}

/// Until when an exchange was open: without a response, as long as nobody said otherwise.
pub(super) fn end(exchange: &Exchange) -> Timestamp {
    if exchange.response.is_some() { exchange.end() } else { exchange.turns.closed.at }
}
