//! One connection: the request that is being sent, the response that is being read, what was
//! prepared, and what still has to be answered.

use super::awaited::{Queue, Step as Asked};
use super::statements::Statements;
use super::values::Values;
use crate::message::{Attribute, Dialect, Kind, Message, Pairing, Side, Status, Value};
use crate::protocol::{Key, Out};
use crate::settings::Settings;
use crate::sql::Statement;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

pub(super) struct Connection {
    pub(super) client: Side,
    pub(super) settings: Arc<Settings>,
    pub(super) statements: Statements,
    pub(super) awaited: Queue,
    pub(super) asking: Asking,
    pub(super) answering: Answering,
}

/// What the client is sending.
#[derive(Default)]
pub(super) struct Asking {
    pub(super) under: Under,
    /// The request that goes on, if more of it may come.
    pub(super) request: Option<Request>,
    /// How many exchanges began; the number of the latest.
    pub(super) exchanges: u64,
    /// Whether messages of the extended protocol came since the last Sync.
    pub(super) in_turn: bool,
    /// Whether one of them began an exchange.
    pub(super) turn_has_exchange: bool,
    /// The database of the session, if its start was seen.
    pub(super) namespace: SmallVec<[u8; 32]>,
    /// Where literals stand in the text at hand.
    pub(super) literals: Vec<Range<usize>>,
}

/// A message of which a part was read.
#[derive(Default)]
pub(super) enum Under {
    #[default]
    Nothing,
    /// A statement; so many bytes of the message are left. What is parsed has a name.
    Text {
        left: u64,
        name: Option<SmallVec<[u8; 32]>>,
    },
    Values(Values),
    /// What is skipped belongs to this message.
    Rest(Option<Key>),
}

/// A request that goes on.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) key: Key,
    pub(super) exchange: u64,
    pub(super) stage: Stage,
    /// Whether its statement asks for data of the client's.
    pub(super) takes_data: bool,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its statement was parsed, and is bound next.
    Parsed,
    Bound,
    Executed,
    /// It only prepares, describes or closes.
    Prepares,
    /// A simple query; the client's data may follow it.
    Query,
    /// A login; what proves who the client is may follow it.
    Login,
}

/// What the server is sending.
#[derive(Default)]
pub(super) struct Answering {
    pub(super) under: Under,
    pub(super) response: Option<Response>,
    /// The latest exchange whose response is complete.
    pub(super) closed: u64,
    /// Whether an error has come, so that all is skipped up to the end of the turn.
    pub(super) failed: bool,
    /// Whether both sides stream copies (replication).
    pub(super) streams: bool,
}

/// A response that goes on.
pub(super) struct Response {
    pub(super) key: Key,
    /// 0 if nothing is known that it could answer.
    pub(super) exchange: u64,
    /// Rows that were seen.
    pub(super) rows: u64,
    /// Rows that the server says.
    pub(super) told: super::tags::Rows,
    /// Statements that were carried out.
    pub(super) statements: u64,
    /// Whether it sends the rows of a copy.
    pub(super) copies_out: bool,
}

/// A request that begins.
pub(super) struct Begins<'b> {
    pub(super) kind: Kind,
    pub(super) operation: &'b [u8],
    pub(super) resource: &'b [u8],
    pub(super) stage: Stage,
    pub(super) bytes: Range<usize>,
    pub(super) cut: bool,
}

impl<'b> Begins<'b> {
    /// One of this kind, from the start of the input up to `end`.
    pub(super) fn new(operation: &'b [u8], stage: Stage, end: usize) -> Self {
        let (kind, resource) = (Kind::Request, &b""[..]);
        Self { kind, operation, resource, stage, bytes: 0..end, cut: false }
    }

    /// What a statement asks for.
    pub(super) fn of(statement: &'b Statement, stage: Stage, end: usize) -> Self {
        let resource = statement.target();
        Self { resource, ..Self::new(statement.operation(), stage, end) }
    }
}

impl Connection {
    pub(super) fn new(client: Side, settings: &Arc<Settings>) -> Self {
        Self {
            client,
            settings: Arc::clone(settings),
            statements: Statements::new(settings),
            awaited: Queue::default(),
            asking: Asking::default(),
            answering: Answering::default(),
        }
    }

    /// One more step that the server answers.
    pub(super) fn await_answer(&mut self, step: Asked, exchange: u64, out: &mut dyn Out) {
        if self.awaited.push(step, exchange) {
            out.lost("postgresql outstanding steps over the limit");
        }
    }

    /// The last byte of what was skipped was seen.
    pub(super) fn skipped(&mut self, from: Side, out: &mut dyn Out) {
        let under =
            if from == self.client { &mut self.asking.under } else { &mut self.answering.under };
        let (key, done) = match under {
            Under::Rest(key) => (*key, true),
            Under::Values(values) => (values.key, values.left == 0),
            Under::Nothing | Under::Text { .. } => return,
        };
        if done {
            *under = Under::Nothing;
            if let Some(key) = key {
                out.extend(key, 0);
            }
        }
    }

    /// Gives up what one side has begun; `head` are its bytes that were not used.
    pub(super) fn abandon(&mut self, from: Side, head: &[u8], out: &mut dyn Out) {
        if from == self.client {
            self.abandon_request(head, out);
        } else {
            self.abandon_response(out);
        }
    }

    fn abandon_request(&mut self, head: &[u8], out: &mut dyn Out) {
        let cut = !matches!(self.asking.under, Under::Nothing);
        if let Under::Text { .. } = std::mem::take(&mut self.asking.under) {
            self.statements.end();
            self.asking.tell(self.statements.current(), out);
        }
        let begun = self.begin_cut(head, out);
        if cut || begun {
            out.lost("postgresql requests cut");
        }
        // What is lost of a login are its proofs, and others may follow.
        if let Some(request) = self.asking.request.take_if(|it| it.stage != Stage::Login) {
            out.close(request.key, 0);
        }
    }

    /// The client's login is answered.
    pub(super) fn end_login(&mut self, out: &mut dyn Out) {
        if self.asking.logs_in() {
            self.asking.close(0, out);
        }
    }

    /// What asks for an answer may lie in what is lost of the client.
    pub(super) fn lose_request(&mut self, out: &mut dyn Out) {
        let exchange = self.asking.exchanges;
        if self.asking.in_turn {
            // Most likely the end of the turn.
            self.await_answer(Asked::Sync, self.unanswered(exchange), out);
            self.asking.in_turn = false;
            self.asking.turn_has_exchange = false;
        } else {
            self.awaited.lose();
        }
    }

    /// The exchange, unless its response is complete.
    pub(super) fn unanswered(&self, exchange: u64) -> u64 {
        if self.answering.closed < exchange { exchange } else { 0 }
    }

    fn abandon_response(&mut self, out: &mut dyn Out) {
        self.answering.under = Under::Nothing;
        if self.answering.response.is_some() {
            out.lost("postgresql responses cut");
            self.close_response(0, out);
        }
        self.forget_awaited();
    }

    /// Whatever was asked for is answered in what is lost of the server.
    pub(super) fn forget_awaited(&mut self) {
        self.awaited.clear();
        self.answering.closed = self.asking.exchanges;
        self.answering.failed = false;
    }
}

impl Asking {
    /// A request begins, which ends the one before it.
    pub(super) fn begin(&mut self, begins: Begins<'_>, out: &mut dyn Out) -> Key {
        if let Some(request) = self.request.take() {
            out.close(request.key, begins.bytes.start);
        }
        let key = out.open(Message {
            kind: begins.kind,
            dialect: Dialect::Plain,
            pairing: Pairing::InOrder { lane: 0 },
            bytes: begins.bytes,
            operation: begins.operation,
            resource: begins.resource,
            status: Status::default(),
            cut: begins.cut,
        });
        if !self.namespace.is_empty() {
            text(key, "db.namespace", &self.namespace, out);
        }
        self.exchanges += 1;
        self.turn_has_exchange = true;
        let (exchange, stage) = (self.exchanges, begins.stage);
        self.request = Some(Request { key, exchange, stage, takes_data: false });
        key
    }

    /// A statement is complete: what else is known of it belongs to the request that goes on.
    pub(super) fn tell(&mut self, statement: &Statement, out: &mut dyn Out) {
        if let Some(request) = &mut self.request {
            statement.tell(request.key, out);
            request.takes_data = statement.operation() == b"COPY"
                && statement.text().windows(5).any(|word| word.eq_ignore_ascii_case(b"stdin"));
        }
    }

    /// The request that goes on reaches up to `end`, and nothing more of it comes.
    pub(super) fn close(&mut self, end: usize, out: &mut dyn Out) {
        if let Some(request) = self.request.take() {
            out.close(request.key, end);
        }
    }

    /// Whether a simple query is under way, or the data that it asked for.
    pub(super) fn sends_query(&self) -> bool {
        self.request.is_some_and(|request| request.stage == Stage::Query)
    }

    /// Whether a login is under way.
    pub(super) fn logs_in(&self) -> bool {
        self.request.is_some_and(|request| request.stage == Stage::Login)
    }

    /// The exchange of the request that goes on.
    pub(super) fn exchange(&self) -> u64 {
        self.request.map_or(0, |request| request.exchange)
    }

    /// Tells where literals stand in the text that begins at `start` of the input.
    pub(super) fn tell_literals(&mut self, key: Key, start: usize, out: &mut dyn Out) {
        for literal in self.literals.drain(..).filter(|literal| !literal.is_empty()) {
            out.secret(key, (start + literal.start) as u64..(start + literal.end) as u64);
        }
    }
}

/// Adds an attribute.
pub(super) fn text(key: Key, name: &str, value: &[u8], out: &mut dyn Out) {
    out.add(key, Attribute { name, value: Value::Text(value) });
}

/// Adds an attribute.
pub(super) fn number(key: Key, name: &str, value: u64, out: &mut dyn Out) {
    let value = Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    out.add(key, Attribute { name, value });
}
