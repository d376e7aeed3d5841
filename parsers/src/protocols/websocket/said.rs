//! The content of a message of text in, what it says in the sub-protocol of its connection out.
//!
//! - JSON-RPC 2.0: <https://www.jsonrpc.org/specification>
//! - GraphQL: <https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md>,
//!   and the older `graphql-ws` of subscriptions-transport-ws
//! - STOMP: <https://stomp.github.io/stomp-specification-1.2.html>

use super::document;
use super::json::{self, Value};
use crate::message::{Dialect, Kind, Outcome, Status};
use memchr::memmem;
use smallvec::SmallVec;

/// The names under which messages of sub-protocols show.
pub(super) const DIALECTS: &[&str] = &["jsonrpc", "graphql", "stomp"];

const JSON_RPC: Dialect = Dialect::Within(0);
const GRAPHQL: Dialect = Dialect::Within(1);
const STOMP: Dialect = Dialect::Within(2);

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// Not known yet; so many more messages of text are looked at.
    Unknown {
        tries: u8,
    },
    /// Nothing that is read here.
    Plain,
    JsonRpc,
    GraphQl,
    Stomp,
}

impl Speech {
    pub(super) const UNKNOWN: Self = Self::Unknown { tries: TRIES };

    /// By the name that the handshake agreed upon (RFC 6455 section 11.3.4).
    pub(super) fn of(subprotocol: Option<&[u8]>) -> Self {
        let Some(name) = subprotocol.map(<[u8]>::to_ascii_lowercase) else { return Self::UNKNOWN };
        match &*name {
            b"graphql-transport-ws" | b"graphql-ws" => Self::GraphQl,
            b"v10.stomp" | b"v11.stomp" | b"v12.stomp" | b"stomp" => Self::Stomp,
            b"jsonrpc" | b"jsonrpc-2.0" | b"json-rpc" | b"jsonrpc2.0" => Self::JsonRpc,
            _ => Self::UNKNOWN,
        }
    }

    /// Judges a connection by one of its messages.
    fn seen(self, text: &[u8]) -> Self {
        if !matches!(self, Self::Unknown { .. }) {
            return self;
        }
        let trimmed = text.trim_ascii_start();
        let has = |word: &[u8]| memmem::find(text, word).is_some();
        if matches!(trimmed.first(), Some(b'{' | b'[')) {
            if has(b"\"jsonrpc\"") && is_json_rpc(text) {
                return Self::JsonRpc;
            }
            let graphql =
                has(b"\"connection_init\"") || (has(b"\"subscribe\"") && has(b"\"query\""));
            if graphql && matches!(GraphQl::read(text).kind, b"connection_init" | b"subscribe") {
                return Self::GraphQl;
            }
        } else if (text.starts_with(b"CONNECT\n") || text.starts_with(b"STOMP\n"))
            && has(b"accept-version:")
        {
            return Self::Stomp;
        }
        self.passed()
    }

    /// A message said nothing of it, whether or not it was looked at.
    pub(super) fn passed(self) -> Self {
        let Self::Unknown { tries } = self else { return self };
        match tries.checked_sub(1) {
            None | Some(0) => Self::Plain,
            Some(tries) => Self::Unknown { tries },
        }
    }
}

/// Whether it is a message of JSON-RPC 2.0, or a batch that begins with one.
fn is_json_rpc(text: &[u8]) -> bool {
    let of_object = |object| {
        let mut found = false;
        let whole = json::members(object, &mut |name, value| {
            found |= name == b"jsonrpc" && value.string() == Some(b"2.0");
        });
        whole && found
    };
    if text.trim_ascii_start().first() == Some(&b'{') {
        return of_object(text);
    }
    let mut first = None;
    json::elements(text, &mut |value| {
        first.get_or_insert_with(|| value.object().is_some_and(of_object));
    });
    first.unwrap_or_default()
}

/// How a message is matched with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match<'b> {
    Nothing,
    /// By an id that its sender chose.
    Own(&'b [u8]),
    /// By an id that the other side chose.
    Others(&'b [u8]),
}

/// What a message says.
#[derive(Debug)]
pub(super) struct Said<'b> {
    pub(super) kind: Kind,
    pub(super) dialect: Dialect,
    pub(super) by: Match<'b>,
    pub(super) operation: &'b [u8],
    /// What it is about; empty if that is the path of the connection.
    pub(super) resource: &'b [u8],
    pub(super) status: Status<'b>,
    pub(super) attributes: SmallVec<[(&'static str, &'b [u8]); 4]>,
    /// Names and values as of headers, among which identifiers may be.
    pub(super) headers: Headers<'b>,
    /// It is one of several answers: the exchange goes on.
    pub(super) goes_on: bool,
    /// What it puts into a queue, or brings out of one: the content.
    pub(super) record: Option<(crate::message::Role, &'b [u8])>,
}

/// Where identifiers may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headers<'b> {
    None,
    /// Members of an object of JSON.
    Json(&'b [u8]),
    /// Lines of STOMP.
    Lines(&'b [u8]),
}

impl<'b> Headers<'b> {
    pub(super) fn each(self, tell: &mut dyn FnMut(&'b [u8], &'b [u8])) {
        match self {
            Self::None => {}
            Self::Json(object) => {
                json::members(object, &mut |name, value| {
                    if let Some(value) = value.text() {
                        tell(name, value);
                    }
                });
            }
            Self::Lines(lines) => lines.split(|byte| *byte == b'\n').for_each(|line| {
                if let Some((name, value)) = pair(line) {
                    tell(name, value);
                }
            }),
        }
    }
}

impl<'b> Said<'b> {
    fn one_way(dialect: Dialect, operation: &'b [u8]) -> Self {
        Self {
            kind: Kind::OneWay,
            dialect,
            by: Match::Nothing,
            operation,
            resource: b"",
            status: Status::default(),
            attributes: SmallVec::new(),
            headers: Headers::None,
            goes_on: false,
            record: None,
        }
    }

    fn asks(mut self, kind: Kind, id: &'b [u8]) -> Self {
        (self.kind, self.by) = (kind, Match::Own(id));
        self
    }

    fn answers(mut self, id: &'b [u8], outcome: Outcome) -> Self {
        (self.kind, self.by) = (Kind::Response, Match::Others(id));
        self.status.outcome = outcome;
        self
    }

    fn with(mut self, name: &'static str, value: &'b [u8]) -> Self {
        if !value.is_empty() {
            self.attributes.push((name, value));
        }
        self
    }
}

/// Reads a message of text; nothing if it is none of the sub-protocol's. What the connection speaks
/// is learned from it. Those of a batch that are too many are told to `lost`.
pub(super) fn read<'b>(
    speech: &mut Speech,
    from_client: bool,
    text: &'b [u8],
    lost: &mut dyn FnMut(),
) -> SmallVec<[Said<'b>; 1]> {
    *speech = speech.seen(text);
    match speech {
        Speech::Unknown { .. } | Speech::Plain => SmallVec::new(),
        Speech::JsonRpc => json_rpc(text, lost),
        Speech::GraphQl => graphql(from_client, text).into_iter().collect(),
        Speech::Stomp => stomp(text).into_iter().collect(),
    }
}

/// A message, or a batch of them (section 6).
fn json_rpc<'b>(text: &'b [u8], lost: &mut dyn FnMut()) -> SmallVec<[Said<'b>; 1]> {
    let mut all = SmallVec::new();
    if text.trim_ascii_start().first() != Some(&b'[') {
        all.extend(one_json_rpc(text));
        return all;
    }
    json::elements(text, &mut |value| match value {
        Value::Object(object) if all.len() < BATCH => all.extend(one_json_rpc(object)),
        Value::Object(_) => lost(),
        _ => {}
    });
    all
}

fn one_json_rpc(text: &[u8]) -> Option<Said<'_>> {
    let (mut method, mut id, mut error, mut meta) = (None, None, None, Headers::None);
    let mut shown_id: &[u8] = b"";
    let (mut is_version_2, mut has_result) = (false, false);
    let whole = json::members(text, &mut |name, value| match name {
        b"jsonrpc" => is_version_2 = value.string() == Some(b"2.0"),
        b"method" => method = value.string(),
        b"id" => (id, shown_id) = (value.id(), value.text().unwrap_or_default()),
        b"result" => has_result = true,
        b"error" => error = value.object(),
        b"params" => {
            if let Some(params) = value.object().filter(|params| has_meta(params)) {
                json::members(params, &mut |name, value| {
                    if let (b"_meta", Some(object)) = (name, value.object()) {
                        meta = Headers::Json(object);
                    }
                });
            }
        }
        _ => {}
    });
    if !whole || !is_version_2 {
        return None;
    }
    let said = Said::one_way(JSON_RPC, method.unwrap_or_default());
    match (method, id, error) {
        (Some(method), id, _) => {
            let said = Said { headers: meta, ..said };
            let said = said.with("rpc.system.name", b"jsonrpc").with("rpc.method", method);
            Some(match id {
                Some(id) => said.asks(Kind::Request, id).with("jsonrpc.request.id", shown_id),
                None => said,
            })
        }
        (None, id, Some(error)) => {
            let mut code: &[u8] = b"";
            json::members(error, &mut |name, value| {
                if let (b"code", Value::Number(number)) = (name, value) {
                    code = number;
                }
            });
            // Section 5.1: these say that the request could not be understood.
            let outcome = match code {
                b"-32700" | b"-32600" | b"-32601" | b"-32602" => Outcome::ClientError,
                _ => Outcome::ServerError,
            };
            let mut said = said.answers(id.unwrap_or(b"null"), outcome);
            said.status.text = code;
            Some(said.with("rpc.response.status_code", code))
        }
        (None, Some(id), None) if has_result => Some(said.answers(id, Outcome::Ok)),
        _ => None,
    }
}

fn has_meta(params: &[u8]) -> bool {
    memmem::find(params, b"\"_meta\"").is_some()
}

/// A message of GraphQL.
struct GraphQl<'b> {
    kind: &'b [u8],
    id: Option<&'b [u8]>,
    payload: Option<Value<'b>>,
    whole: bool,
}

impl<'b> GraphQl<'b> {
    fn read(text: &'b [u8]) -> Self {
        let mut message = Self { kind: b"", id: None, payload: None, whole: false };
        message.whole = json::members(text, &mut |name, value| match name {
            b"type" => message.kind = value.string().unwrap_or_default(),
            b"id" => message.id = value.id(),
            b"payload" => message.payload = Some(value),
            _ => {}
        });
        message
    }
}

fn graphql(from_client: bool, text: &[u8]) -> Option<Said<'_>> {
    let message = GraphQl::read(text);
    if !message.whole {
        return None;
    }
    let said = Said::one_way(GRAPHQL, message.kind);
    Some(match (message.kind, message.id) {
        // Ids that clients choose have quotes.
        (b"connection_init", _) => said.asks(Kind::Handshake, LOGIN),
        (b"connection_ack", _) => said.answers(LOGIN, Outcome::Ok),
        (b"connection_error", _) => said.answers(LOGIN, Outcome::ServerError),
        (b"subscribe" | b"start", Some(id)) if from_client => {
            let payload = message.payload.and_then(Value::object).unwrap_or_default();
            let (mut name, mut query): (&[u8], &[u8]) = (b"", b"");
            json::members(payload, &mut |member, value| match member {
                b"operationName" => name = value.string().unwrap_or_default(),
                b"query" => query = value.string().unwrap_or_default(),
                _ => {}
            });
            let found = document::operation(query, name).unwrap_or_default();
            let (kind, name) = (found.kind, if name.is_empty() { found.name } else { name });
            let mut said = said.asks(Kind::Request, id);
            if !kind.is_empty() {
                said.operation = kind;
            }
            said.resource = name;
            said.with("graphql.operation.type", kind).with("graphql.operation.name", name)
        }
        (b"next" | b"data", Some(id)) if !from_client => {
            Said { goes_on: true, ..said.answers(id, Outcome::Ok) }
        }
        (b"error", Some(id)) if !from_client => said.answers(id, Outcome::ServerError),
        (b"complete", Some(id)) if !from_client => said.answers(id, Outcome::Ok),
        // It is the client that ends it.
        (b"complete", Some(id)) => {
            let mut said = said.answers(id, Outcome::Ok);
            said.by = Match::Own(id);
            said.status.text = b"unsubscribed";
            said
        }
        _ => said,
    })
}

/// A frame of STOMP: a command, headers, an empty line, a body and a zero.
fn stomp(text: &[u8]) -> Option<Said<'_>> {
    if !text.is_empty() && text.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
        return Some(Said::one_way(STOMP, b"HEARTBEAT"));
    }
    let end = memmem::find(text, b"\n\n").or_else(|| memmem::find(text, b"\n\r\n"))?;
    let (head, after) = text.split_at_checked(end)?;
    let body = after.get(if after.starts_with(b"\n\n") { 2 } else { 3 }..)?;
    let first = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let (command, lines) = head.split_at_checked(first)?;
    let command = command.strip_suffix(b"\r").unwrap_or(command);
    if command.is_empty() || !command.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let find = |wanted: &[u8]| {
        let mut pairs = lines.split(|byte| *byte == b'\n').filter_map(pair);
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let destination = find(b"destination").unwrap_or_default();
    let mut said = Said::one_way(STOMP, command);
    said.resource = destination;
    said.headers = Headers::Lines(lines);
    let said = said.with("messaging.destination.name", destination);
    Some(match command {
        b"CONNECT" | b"STOMP" => said.asks(Kind::Handshake, LOGIN),
        b"CONNECTED" => said.answers(LOGIN, Outcome::Ok),
        b"RECEIPT" => said.answers(find(b"receipt-id")?, Outcome::Ok),
        b"ERROR" => {
            // Without an id it answers the login, if that waits; else no frame in particular.
            let mut said = said.answers(find(b"receipt-id").unwrap_or(LOGIN), Outcome::ServerError);
            said.status.text = find(b"message").unwrap_or_default();
            said
        }
        _ => {
            let mut said = said;
            let content = body.strip_suffix(b"\0").unwrap_or(body);
            said.record = match command {
                b"SEND" => Some((crate::message::Role::Produced, content)),
                b"MESSAGE" => Some((crate::message::Role::Received, content)),
                _ => None,
            };
            match find(b"receipt") {
                Some(receipt) => said.asks(Kind::Request, receipt),
                None => said,
            }
        }
    })
}

/// Name and value of a line.
fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let value = value.get(1..).unwrap_or_default();
    Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
}

/// What a login and its answer are matched by; ids of others are not empty.
pub(super) const LOGIN: &[u8] = b"";
/// Messages that may pass until it is known what a connection speaks.
const TRIES: u8 = 16;
/// Messages of one batch that are read.
const BATCH: usize = 64;
