//! What a span means in the words of OpenTelemetry: its name, whether it failed, its attributes.
//! All formats that others open are written from this, so that they say the same.
//!
//! Names are those of the semantic conventions 1.44 (<https://opentelemetry.io/docs/specs/semconv/>);
//! what has none there begins with `wirespan.`.
//!
//! A span is what was seen of one exchange at one point, and its service is the one that was asked.
//! So each is of the kind SERVER, also those of databases, for which the conventions know the
//! caller's spans only: a span of the kind CLIENT would say that the service that was asked had
//! called. Where several points saw an exchange, the outermost one stands for it; the others are
//! INTERNAL, so that whoever counts calls counts one.

use crate::exchange::{Context, Exchange, OPERATION, RESOURCE, STATUS_TEXT, Sort, State};
use crate::export::ndjson::{Names, SourceNames, id_text, span_links};
use crate::export::shares::{Shares, Times, between};
use crate::given::GivenBy;
use crate::span::{Link, LinkKind, Span, SpanLink, Trace};
use crate::summary::protocol_name;
use crate::templates::template_of;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::RwLockReadGuard;
use wirespan_capture::owner::Process;
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::Transport;
use wirespan_parsers::handed::TUNNEL;
use wirespan_parsers::message::{self, Outcome};
use wirespan_parsers::trace_context::format::is_text_name;

/// Tells what spans mean.
#[derive(Clone, Debug)]
pub struct Semantics {
    protocols: Vec<String>,
    families: Vec<Family>,
    names: SourceNames,
}

/// Protocols whose attributes have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Of the version that a message is of which tells none.
    Http(&'static str),
    /// A database that this is the name of.
    Database(&'static str),
    /// Calls of the methods of services, by the system of this name.
    Rpc(&'static str),
    Dns,
    Other,
}

/// What is told of a span.
pub(super) struct Told<'s> {
    /// What was done, without what differs from call to call.
    pub(super) name: String,
    /// Whether it is another span's exchange, seen at the next point.
    pub(super) is_next_point: bool,
    /// Why it failed, in a word (`error.type`); nothing if it did not.
    pub(super) error: Option<Cow<'s, str>>,
    /// The same in more words.
    pub(super) message: Option<Cow<'s, str>>,
    /// The span above, in this trace.
    pub(super) parent: Option<u64>,
    /// A span that called, in another trace, and those that it got messages of.
    pub(super) elsewhere: Vec<SpanLink>,
    /// The service that called, where the span above tells it.
    pub(super) caller: Option<&'s str>,
    /// All else; no name comes twice.
    pub(super) attributes: Attributes<'s>,
    /// What happened between start and end.
    pub(super) events: SmallVec<[(&'static str, Timestamp); 2]>,
}

/// Values by name.
#[derive(Debug, Default)]
pub(super) struct Attributes<'s>(Vec<(Cow<'s, str>, Value<'s>)>);

/// The value of an attribute. What was not UTF-8 has replacement characters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'s> {
    Text(Cow<'s, str>),
    Texts(Vec<Cow<'s, str>>),
    Int(i64),
    Real(f64),
    Bool(bool),
}

/// Who was asked: what resources and processes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked<'s> {
    /// The name of the service.
    pub(super) service: &'s str,
    /// Its end of the connection.
    pub(super) instance: SocketAddr,
    /// The network that this address belongs to; empty where all do.
    pub(super) network: &'s str,
    /// The process there, where it is known.
    pub(super) process: Option<&'s Process>,
}

impl Semantics {
    /// Of spans in these protocols, with taps and networks of these names.
    pub fn new(protocols: Vec<String>, names: SourceNames) -> Self {
        let families = protocols.iter().map(|name| Family::of(name)).collect();
        Self { protocols, families, names }
    }

    /// The names that are known by now.
    pub(super) fn names(&self) -> Option<RwLockReadGuard<'_, Names>> {
        self.names.read()
    }

    /// The name of a span's protocol.
    pub(crate) fn protocol(&self, exchange: &Exchange) -> &str {
        protocol_name(exchange.protocol, &self.protocols)
    }

    /// Whether an exchange failed, as `error.type` says it.
    pub(crate) fn failed(&self, exchange: &Exchange) -> bool {
        self.family(exchange).error(exchange).is_some()
    }

    /// What was done, as a name of which there are few: that of the span, but for names that DNS is
    /// asked for.
    pub(crate) fn operation(&self, exchange: &Exchange) -> String {
        let family = self.family(exchange);
        if family == Family::Dns && exchange.sort != Sort::Connect {
            return lossy(exchange.text.text(OPERATION).unwrap_or_default()).into_owned();
        }
        family.name(exchange, self.protocol(exchange))
    }

    fn family(&self, exchange: &Exchange) -> Family {
        let family = usize::from(exchange.protocol.0);
        self.families.get(family).copied().unwrap_or(Family::Other)
    }

    /// What is told of a span of a trace.
    pub(super) fn tell<'s>(
        &'s self,
        trace: &'s Trace,
        span: &'s Span,
        times: &Times,
        names: &'s Names,
    ) -> Told<'s> {
        let e = &*span.exchange;
        let family = self.family(e);
        let error = family.error(e);
        let message = error.as_ref().and_then(|_| message(e));
        let caller = trace.caller(span);
        let mut attributes = Attributes(Vec::with_capacity(ATTRIBUTES));
        family.attributes(e, &mut attributes);
        if let Some(error) = &error {
            attributes.add("error.type", Value::Text(error.clone()));
        }
        ends(span, &mut attributes);
        attributes.optional("service.peer.name", caller.map(|name| Value::Text(name.into())));
        if let Some(process) = &e.processes.client {
            attributes.add("wirespan.client.process.pid", Value::Int(process.pid.into()));
            attributes.add("wirespan.client.process.name", Value::Text((*process.name).into()));
        }
        attributes.rest_of(e);
        attributes.add("wirespan.protocol", Value::Text(self.protocol(e).into()));
        place(trace, span, names, &mut attributes);
        transport(trace, span, times, &mut attributes);
        let earlier = span.earlier.filter(|earlier| earlier.trace == trace.id);
        match (&span.link, &earlier) {
            (Some(link), _) => why(link, &mut attributes),
            (None, Some(earlier)) => {
                attributes.reason(LinkKind::Parent.name(), earlier.reason.name());
                attributes.confidence(earlier.confidence);
            }
            (None, None) => {}
        }
        identifiers(e, &mut attributes);
        let above = span.link.as_ref().and_then(|link| trace.spans.get(link.parent));
        Told {
            name: family.name(e, self.protocol(e)),
            is_next_point: span.is_next_point(),
            error,
            message,
            parent: above.map(|above| above.id).or_else(|| earlier.map(|earlier| earlier.span)),
            elsewhere: span_links(trace.id, span).collect(),
            caller,
            attributes,
            events: events(e),
        }
    }
}

impl Told<'_> {
    /// The spans of its span links in words, where there are any.
    pub(super) fn links(&self) -> Option<String> {
        let text = |link: &SpanLink| format!("{:032x}/{:016x}", link.trace, link.span);
        let links: Vec<String> = self.elsewhere.iter().map(text).collect();
        (!links.is_empty()).then(|| links.join(", "))
    }
}

impl<'s> Asked<'s> {
    /// Whom a span asked.
    pub(super) fn by(span: &'s Span, names: &'s Names) -> Self {
        let e = &*span.exchange;
        Self {
            service: &span.service,
            instance: e.server,
            network: names.network(e.network),
            process: e.processes.server.as_deref(),
        }
    }

    /// Name and value of what tells it from others of the same name.
    pub(super) fn each(&self, see: &mut dyn FnMut(&'static str, &Value<'_>)) {
        let text = |text: &'s str| Value::Text(text.into());
        see("service.instance.id", &Value::Text(self.instance.to_string().into()));
        if !self.network.is_empty() {
            see("wirespan.network", &text(self.network));
        }
        let Some(process) = self.process else { return };
        see("process.pid", &Value::Int(process.pid.into()));
        see("process.executable.name", &text(process.executable()));
        see("wirespan.process.name", &text(&process.name));
        if let Some(user) = process.user {
            see("process.user.id", &Value::Int(user.into()));
        }
        if let Some(namespace) = process.namespace {
            see("wirespan.process.namespace", &Value::Text(namespace.to_string().into()));
        }
        if let Some(group) = &process.group {
            see("wirespan.process.group", &text(group));
        }
        if let Some(host) = &process.host {
            see("host.name", &text(host));
        }
    }
}

impl Family {
    fn of(protocol: &str) -> Self {
        match protocol {
            "http" => Self::Http("1.1"),
            "http2" => Self::Http("2"),
            "dns" => Self::Dns,
            "redis" => Self::Database("redis"),
            "mysql" => Self::Database("mysql"),
            "postgresql" => Self::Database("postgresql"),
            "grpc" | "grpc-web" => Self::Rpc("grpc"),
            "connect" => Self::Rpc("connectrpc"),
            "dubbo" | "triple" => Self::Rpc("dubbo"),
            "thrift" => Self::Rpc("thrift"),
            "bolt" => Self::Rpc("sofarpc"),
            _ => Self::Other,
        }
    }

    /// The name of a span: short, and the same for calls that are alike.
    fn name(self, e: &Exchange, protocol: &str) -> String {
        let text = |name| e.text.text(name).unwrap_or_default();
        let (operation, resource) = (lossy(text(OPERATION)), text(RESOURCE));
        if e.sort == Sort::Connect {
            return format!("connect to port {}", e.server.port());
        }
        // What a table, a service or a host is called is no value.
        let made = match self {
            Self::Http(_) | Self::Database("redis") | Self::Other => {
                template_of(text(OPERATION), resource)
            }
            Self::Database(_) | Self::Rpc(_) | Self::Dns => None,
        };
        let resource = lossy(made.as_deref().unwrap_or(resource));
        let name = match self {
            Self::Http(_) if !is_known_method(&operation) => join("HTTP", &resource),
            Self::Http(_) => join(&operation, &resource),
            Self::Database(system) => match e.text.text("db.query.summary") {
                Some(summary) if !summary.is_empty() => lossy(summary).into_owned(),
                _ if operation.is_empty() && !resource.is_empty() => resource.into_owned(),
                _ if operation.is_empty() => system.to_owned(),
                _ => join(&operation, &resource),
            },
            Self::Rpc(_) if is_call(e) && !operation.is_empty() => method(&resource, &operation),
            Self::Rpc(_) | Self::Dns | Self::Other => join(&join(protocol, &operation), &resource),
        };
        clipped(&name).to_owned()
    }

    /// Why an exchange failed, if it did.
    fn error(self, e: &Exchange) -> Option<Cow<'_, str>> {
        if e.state.failed() {
            return Some(e.state.name().into());
        }
        if e.state != State::Complete || e.response.is_none() {
            return None;
        }
        let is_error = match self {
            // For a server it is no failure that it was asked wrongly; for a database it is.
            Self::Http(_) | Self::Rpc(_) | Self::Dns | Self::Other => {
                e.outcome == Outcome::ServerError
            }
            Self::Database(_) => {
                matches!(e.outcome, Outcome::ClientError | Outcome::ServerError)
            }
        };
        is_error.then(|| self.code(e).unwrap_or_else(|| "_OTHER".into()))
    }

    /// The code of a response, as its protocol's users know it.
    fn code(self, e: &Exchange) -> Option<Cow<'_, str>> {
        let number = (e.code > 0).then(|| Cow::Owned(e.code.to_string()));
        let text = e.text.text(STATUS_TEXT).map(lossy).filter(|text| !text.is_empty());
        match self {
            Self::Http(_) | Self::Database("mysql") => number.or(text),
            _ => text.or(number),
        }
    }

    /// What this protocol alone has.
    fn attributes<'s>(self, e: &'s Exchange, out: &mut Attributes<'s>) {
        if e.sort == Sort::Connect {
            return;
        }
        let text = |name| e.text.text(name).filter(|text| !text.is_empty()).map(lossy);
        let (operation, resource) = (text(OPERATION), text(RESOURCE));
        let response = e.response.as_ref();
        match self {
            Self::Http(version) => {
                match operation {
                    Some(method) if !is_known_method(&method) => {
                        out.add("http.request.method", Value::Text("_OTHER".into()));
                        out.add("http.request.method_original", Value::Text(method));
                    }
                    method => out.optional("http.request.method", method.map(Value::Text)),
                }
                let code = response.filter(|_| e.code > 0).map(|_| Value::Int(e.code.into()));
                out.optional("http.response.status_code", code);
                let (path, other): (Option<_>, Option<_>) = match resource {
                    Some(path) if path.starts_with('/') => (Some(path), None),
                    other => (None, other),
                };
                out.optional("url.path", path.map(Value::Text));
                out.optional("wirespan.resource", other.map(Value::Text));
                let scheme = text("url.scheme").unwrap_or_else(|| "http".into());
                out.add("url.scheme", Value::Text(scheme));
                out.add("network.protocol.name", Value::Text("http".into()));
                let version = text("network.protocol.version").unwrap_or_else(|| version.into());
                out.add("network.protocol.version", Value::Text(version));
            }
            Self::Database(system) => {
                // Only a protocol knows which of those that speak it this is.
                let told = text("db.system.name").unwrap_or_else(|| system.into());
                out.add("db.system.name", Value::Text(told));
                let namespace = text("db.namespace");
                let name = target_name(system, e.sort, operation.as_deref(), resource.as_deref());
                if system != "redis" && e.sort != Sort::Handshake {
                    out.optional("db.query.summary", summary(e).map(Value::Text));
                }
                out.optional("db.operation.name", operation.map(Value::Text));
                match namespace {
                    // It stood in one database and was about another.
                    Some(namespace) if name == "db.namespace" => {
                        let other = resource.filter(|other| *other != namespace);
                        out.optional("wirespan.resource", other.map(Value::Text));
                        out.add(name, Value::Text(namespace));
                    }
                    _ => out.optional(name, resource.map(Value::Text)),
                }
                let is_error = matches!(e.outcome, Outcome::ClientError | Outcome::ServerError);
                let code = response.filter(|_| is_error).and_then(|_| self.code(e));
                out.optional("db.response.status_code", code.map(Value::Text));
            }
            Self::Rpc(system) => {
                out.add("rpc.system.name", Value::Text(system.into()));
                match operation {
                    Some(operation) if is_call(e) => {
                        let method = method(&resource.unwrap_or_default(), &operation);
                        out.add("rpc.method", Value::Text(method.into()));
                    }
                    operation => {
                        out.optional("wirespan.operation", operation.map(Value::Text));
                        out.optional("wirespan.resource", resource.map(Value::Text));
                    }
                }
                // The status of an answer that is an exception may be that all went well.
                let told = text("rpc.response.status_code");
                let code = told.or_else(|| response.and_then(|_| self.code(e)));
                out.optional("rpc.response.status_code", code.map(Value::Text));
            }
            Self::Dns => {
                let name = text("dns.question.name").or(resource);
                out.optional("dns.question.name", name.map(Value::Text));
                out.optional("wirespan.dns.question.type", operation.map(Value::Text));
                let answers = text("dns.answers").map(|all| Value::Texts(answers(&all)));
                out.optional("dns.answers", answers);
                let code = response.and_then(|_| self.code(e));
                out.optional("wirespan.dns.response_code", code.map(Value::Text));
            }
            Self::Other => {
                out.optional("wirespan.operation", operation.map(Value::Text));
                out.optional("wirespan.resource", resource.map(Value::Text));
                let code = response.and_then(|_| self.code(e));
                out.optional("wirespan.status", code.map(Value::Text));
            }
        }
    }
}

/// What that is called which a command was about.
fn target_name(
    system: &str,
    sort: Sort,
    operation: Option<&str>,
    resource: Option<&str>,
) -> &'static str {
    let several = resource.is_some_and(|resource| resource.contains(' '));
    match operation {
        // Keys are no collections.
        _ if system == "redis" => "wirespan.resource",
        _ if sort == Sort::Handshake => "db.namespace",
        Some("INIT DB" | "USE") => "db.namespace",
        Some("CALL") if !several => "db.stored_procedure.name",
        // Several tables are no collection either.
        _ if several => "wirespan.resource",
        _ => "db.collection.name",
    }
}

/// `db.query.summary`, made of a statement's verb and tables where the protocol does not tell it.
fn summary(e: &Exchange) -> Option<Cow<'_, str>> {
    let text = |name| e.text.text(name).filter(|text| !text.is_empty()).map(lossy);
    let told = text("db.query.summary");
    told.or_else(|| {
        text("db.query.text")?;
        let made = join(&text(OPERATION)?, &text(RESOURCE).unwrap_or_default());
        Some(Cow::Owned(clipped(&made).to_owned()))
    })
}

/// No longer than the conventions let names be.
fn clipped(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST_NAME).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or(name)
}

impl<'s> Attributes<'s> {
    /// All of them, in their order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'s>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Adds one of a name that is not there yet.
    fn add(&mut self, name: &'static str, value: Value<'s>) {
        self.0.push((name.into(), value));
    }

    fn optional(&mut self, name: &'static str, value: Option<Value<'s>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn reason(&mut self, kind: &'s str, reason: &'s str) {
        self.add("wirespan.link.kind", Value::Text(kind.into()));
        self.add("wirespan.link.reason", Value::Text(reason.into()));
    }

    fn confidence(&mut self, confidence: f32) {
        self.add("wirespan.link.confidence", Value::Real(exact(confidence)));
    }

    /// Adds what the messages held and is not there yet, under its own name.
    fn rest_of(&mut self, e: &'s Exchange) {
        let told = self.0.len();
        for (name, value) in e.text.iter() {
            if [OPERATION, RESOURCE, STATUS_TEXT].contains(&name) || is_text_name(name) {
                continue;
            }
            let place = self.0.iter().position(|(other, _)| *other == name);
            // What a protocol told in its own way stays so.
            if place.is_some_and(|place| place < told) {
                continue;
            }
            let value = match value {
                message::Value::Int(value) => Value::Int(value),
                message::Value::Text(text) => Value::Text(lossy(text)),
            };
            match place.and_then(|place| self.0.get_mut(place)) {
                Some((_, before)) => before.append(value),
                None if is_header(name) => self.0.push((name.into(), value.into_list())),
                None => self.0.push((name.into(), value)),
            }
        }
    }
}

impl<'s> Value<'s> {
    /// Becomes a list, with one more at its end.
    fn append(&mut self, value: Self) {
        let before = std::mem::replace(self, Value::Bool(false)).into_list();
        let (Self::Texts(mut list), Self::Texts(more)) = (before, value.into_list()) else {
            return;
        };
        list.extend(more);
        *self = Self::Texts(list);
    }

    fn into_list(self) -> Self {
        Self::Texts(match self {
            Self::Texts(list) => list,
            Self::Text(text) => vec![text],
            Self::Int(value) => vec![value.to_string().into()],
            Self::Real(value) => vec![value.to_string().into()],
            Self::Bool(value) => vec![value.to_string().into()],
        })
    }

    /// As one text.
    pub(super) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Texts(list) => list.join(",").into(),
            Self::Int(value) => value.to_string().into(),
            Self::Real(value) => value.to_string().into(),
            Self::Bool(value) => value.to_string().into(),
        }
    }
}

/// Whether several of a name are a list by the conventions, and so is one.
fn is_header(name: &str) -> bool {
    let bodies = ["http.request.body.size", "http.response.body.size"];
    let parts = ["http.request.header.", "http.response.header."];
    let trailers = ["http.request.trailer.", "http.response.trailer."];
    let metadata = ["rpc.request.metadata.", "rpc.response.metadata."];
    let mut lists = parts.iter().chain(&trailers).chain(&metadata);
    !bodies.contains(&name) && lists.any(|part| name.starts_with(part))
}

/// Who asked, who was asked, and how they are connected.
fn ends<'s>(span: &'s Span, out: &mut Attributes<'s>) {
    let e = &*span.exchange;
    // What is asked through a tunnel stands where that leads.
    let named = e.text.text("server.address").or_else(|| e.text.text(TUNNEL)).map(lossy);
    let address = |at: SocketAddr| Value::Text(at.ip().to_string().into());
    let port = |port: u16| Value::Int(port.into());
    match named.and_then(host_and_port) {
        // A port that the request does not name is not told: it may have been that of a proxy.
        Some((host, named_port)) => {
            out.add("server.address", Value::Text(host));
            out.optional("server.port", named_port.map(port));
        }
        None => {
            let is_process = e.processes.server.as_ref().is_some_and(|process| {
                let rest = span.service.strip_prefix(&*process.name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            });
            // What a user calls a service need not be the name of any host.
            let is_own = e.names.server.as_ref().is_some_and(|given| given.by == GivenBy::Names);
            let is_name = !is_process && !is_own && span.service.parse::<SocketAddr>().is_err();
            let host = span
                .service
                .rsplit_once(':')
                .filter(|(_, port)| port.parse() == Ok(e.server.port()));
            let host = host.map_or(&*span.service, |(host, _)| host);
            let name = is_name.then(|| Value::Text(host.into()));
            out.add("server.address", name.unwrap_or_else(|| address(e.server)));
            out.add("server.port", port(e.server.port()));
        }
    }
    // A proxy may have said who stands behind it.
    if e.text.text("client.address").is_none() {
        out.add("client.address", address(e.client));
    }
    out.add("network.peer.address", address(e.client));
    out.add("network.peer.port", port(e.client.port()));
    out.add("network.local.address", address(e.server));
    out.add("network.local.port", port(e.server.port()));
    let transport = if e.transport == Transport::Tcp { "tcp" } else { "udp" };
    out.add("network.transport", Value::Text(transport.into()));
    let kind = if e.server.is_ipv4() { "ipv4" } else { "ipv6" };
    out.add("network.type", Value::Text(kind.into()));
}

/// Parts `shop.example:8080`, `[::1]:80`, `shop.example`; nothing of what is none of these.
fn host_and_port(text: Cow<'_, str>) -> Option<(Cow<'_, str>, Option<u16>)> {
    let end = text.rfind(']').map_or(0, |at| at + 1);
    let colon = text.get(end..)?.rfind(':').map(|at| end + at);
    let (host, port) = match colon {
        Some(colon) => (text.get(..colon)?, Some(text.get(colon + 1..)?.parse().ok()?)),
        None => (&*text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_owned().into(), port))
}

/// Where it was seen, and what is missing.
fn place<'s>(trace: &Trace, span: &'s Span, names: &'s Names, out: &mut Attributes<'s>) {
    let e = &*span.exchange;
    if e.sort != Sort::Call {
        out.add("wirespan.sort", Value::Text(e.sort.name().into()));
    }
    if e.state != State::Complete {
        out.add("wirespan.state", Value::Text(e.state.name().into()));
    }
    if trace.late {
        out.add("wirespan.late", Value::Bool(true));
    }
    let touched: Vec<_> = e.touched.names().map(Into::into).collect();
    if !touched.is_empty() {
        out.add("wirespan.touched", Value::Texts(touched));
    }
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    out.add(POINT, Value::Int(span.point.into()));
    out.add("wirespan.tap", Value::Text(names.tap(e.tap).into()));
    let frame = e.request.first.frame;
    if frame.file.0 > 0 {
        out.add("wirespan.file", number(frame.file.0.into()));
    }
    out.add("wirespan.request.frame", number(frame.number));
    out.add("wirespan.request.size", number(e.request.size()));
    if let Some(response) = &e.response {
        out.add("wirespan.response.frame", number(response.first.frame.number));
        out.add("wirespan.response.size", number(response.size()));
    }
}

/// Where the time went, and what of it packets cost that were sent again.
fn transport(trace: &Trace, span: &Span, times: &Times, out: &mut Attributes<'_>) {
    let e = &*span.exchange;
    if let Some(Shares { network, server, waiting }) = times.get(span.id) {
        out.add("wirespan.time.network", Value::Int(*network));
        out.add("wirespan.time.server", Value::Int(*server));
        if *waiting > 0 {
            out.add("wirespan.time.waiting", Value::Int(*waiting));
        }
    }
    let between = between(trace, span).filter(|time| *time > 0);
    out.optional("wirespan.time.between_points", between.map(Value::Int));
    let number = |time: Option<NonZeroU32>| time.map(|time| Value::Int(time.get().into()));
    out.optional("wirespan.round_trip.server", number(e.round_trip.server));
    out.optional("wirespan.round_trip.client", number(e.round_trip.client));
    let names = [
        ["wirespan.request.resent", "wirespan.request.stalled", "wirespan.request.lost"],
        ["wirespan.response.resent", "wirespan.response.stalled", "wirespan.response.lost"],
    ];
    let halves = [Some(&e.request), e.response.as_ref()];
    for ([resent, stalled, lost], half) in names.into_iter().zip(halves) {
        let Some(half) = half else { continue };
        if half.resent.segments > 0 {
            out.add(resent, Value::Int(half.resent.segments.into()));
            out.add(stalled, Value::Int(half.resent.stalled));
        }
        if half.lost > 0 {
            out.add(lost, Value::Int(i64::try_from(half.lost).unwrap_or(i64::MAX)));
        }
    }
}

fn why<'s>(link: &'s Link, out: &mut Attributes<'s>) {
    out.reason(link.kind.name(), link.reason.name());
    out.confidence(link.confidence);
    if !link.also.is_empty() {
        let also = link.also.iter().map(|words| Cow::Borrowed(*words)).collect();
        out.add("wirespan.link.also", Value::Texts(also));
    }
    if !link.against.is_empty() {
        let against = link.against.iter().map(|words| Cow::Borrowed(*words)).collect();
        out.add("wirespan.link.against", Value::Texts(against));
    }
    let other = link.runner_up.map(|other| Value::Text(format!("{other:016x}").into()));
    out.optional("wirespan.link.runner_up", other);
}

/// The identifiers that the messages carried, which are not those of this output: a second one of
/// the same format has `.2` behind its name.
fn identifiers<'s>(e: &'s Exchange, out: &mut Attributes<'s>) {
    for (place, context) in e.contexts.iter().enumerate() {
        let same = |other: &&Context| other.format == context.format;
        let before = e.contexts.iter().take(place).filter(same).count();
        let number = if before == 0 { String::new() } else { format!(".{}", before + 1) };
        let stem = format!("wirespan.id.{}{number}", context.format.name());
        let mut add = |part: &str, value: Cow<'s, str>| {
            out.0.push((format!("{stem}{part}").into(), Value::Text(value)));
        };
        if context.hidden {
            add("", MASK.into());
            continue;
        }
        let text = id_text(context, e);
        if context.format.is_text() && !text.is_empty() {
            add("", lossy(text));
        } else {
            add(".trace_id", format!("{:032x}", context.trace.get()).into());
        }
        for (part, id) in [(".span_id", context.span), (".parent_id", context.parent)] {
            if let Some(id) = id {
                add(part, format!("{:016x}", id.get()).into());
            }
        }
    }
}

/// The end of the request and the start of the response, where these lie within the span.
fn events(e: &Exchange) -> SmallVec<[(&'static str, Timestamp); 2]> {
    let mut events = SmallVec::new();
    let within = e.start().0 + 1..e.end().0;
    if within.contains(&e.request.last.at.0) {
        events.push(("request.end", e.request.last.at));
    }
    if let Some(response) = &e.response
        && within.contains(&response.first.at.0)
    {
        events.push(("response.start", response.first.at));
    }
    events
}

/// Why an exchange failed, in words.
fn message(e: &Exchange) -> Option<Cow<'_, str>> {
    let words = match e.state {
        State::TimedOut => "no response in time",
        State::Closed => "the connection was closed before a response",
        State::Reset => "the connection was reset before a response",
        State::Refused => "the connection was refused",
        State::Unanswered => "nobody answered",
        _ => {
            let names = ["wirespan.db.error", "wirespan.rpc.error", STATUS_TEXT];
            let text = names.into_iter().find_map(|name| e.text.text(name));
            return text.filter(|text| !text.is_empty()).map(lossy);
        }
    };
    Some(words.into())
}

/// The answers of DNS, which stand in one text with commas; those in quotes are no ends.
fn answers<'s>(all: &str) -> Vec<Cow<'s, str>> {
    let mut quoted = false;
    let is_end = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    all.split(is_end).map(|answer| Cow::Owned(answer.trim().to_owned())).collect()
}

fn is_known_method(method: &str) -> bool {
    METHODS.contains(&method)
}

/// Whether something was called, with or without an answer.
fn is_call(e: &Exchange) -> bool {
    matches!(e.sort, Sort::Call | Sort::OneWay)
}

/// A method with the service that it belongs to, where that is known.
fn method(service: &str, method: &str) -> String {
    if service.is_empty() { method.to_owned() } else { format!("{service}/{method}") }
}

fn join(first: &str, second: &str) -> String {
    match (first, second) {
        (word, "") | ("", word) => word.to_owned(),
        (first, second) => format!("{first} {second}"),
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The same decimal number: 0.99 and not 0.9900000095367432.
pub(super) fn exact(confidence: f32) -> f64 {
    (f64::from(confidence) * 1e6).round() / 1e6
}

/// Both ends of a span are rounded down, so that what lies within another one stays within it.
pub(super) fn microseconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1000)
}

/// What made the spans.
pub(super) const SCOPE: &str = "wirespan";
/// Its version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The name under which the number of the point stands.
pub(super) const POINT: &str = "wirespan.capture.point";
/// Attributes that a span mostly has at most.
const ATTRIBUTES: usize = 32;
/// Characters of a name.
const LONGEST_NAME: usize = 255;

/// What is shown for an identifier that is secret.
const MASK: &str = "***";
/// Methods that the conventions know; others are `_OTHER`.
const METHODS: &[&str] =
    &["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_parsers::message::Attribute;

    type Texts<'t> = &'t [(&'static str, &'t str)];

    /// What a database's exchange with these texts becomes, name first.
    fn told(family: &str, texts: Texts<'_>, change: fn(&mut Exchange)) -> Vec<String> {
        let mut exchange = Exchange::lasting(1_000);
        for (name, value) in texts {
            exchange.text.add(Attribute { name, value: message::Value::Text(value.as_bytes()) });
        }
        change(&mut exchange);
        let family = Family::of(family);
        let mut attributes = Attributes::default();
        family.attributes(&exchange, &mut attributes);
        if let Some(error) = family.error(&exchange) {
            attributes.add("error.type", Value::Text(error));
        }
        attributes.rest_of(&exchange);
        let lines = attributes.iter().map(|(name, value)| format!("{name}={}", value.to_text()));
        std::iter::once(family.name(&exchange, "")).chain(lines).collect()
    }

    #[test]
    fn a_statement_has_its_verb_its_table_and_a_summary() {
        let texts = [
            (OPERATION, "SELECT"),
            (RESOURCE, "orders"),
            ("db.query.text", "select * from orders where id = ?"),
            ("db.namespace", "shop"),
        ];
        let expected = [
            "SELECT orders",
            "db.system.name=mysql",
            "db.query.summary=SELECT orders",
            "db.operation.name=SELECT",
            "db.collection.name=orders",
            "db.query.text=select * from orders where id = ?",
            "db.namespace=shop",
        ];
        assert_eq!(told("mysql", &texts, |_| {}), expected);
    }

    #[test]
    fn several_tables_are_no_collection() {
        let texts = [
            (OPERATION, "SELECT"),
            (RESOURCE, "orders customers"),
            ("db.query.text", "…"),
            ("db.system.name", "mariadb"),
        ];
        let expected = [
            "SELECT orders customers",
            "db.system.name=mariadb",
            "db.query.summary=SELECT orders customers",
            "db.operation.name=SELECT",
            "wirespan.resource=orders customers",
            "db.query.text=…",
        ];
        assert_eq!(told("mysql", &texts, |_| {}), expected);
    }

    #[test]
    fn procedures_and_databases_are_called_so() {
        let call = told("postgresql", &[(OPERATION, "CALL"), (RESOURCE, "pay")], |_| {});
        assert_eq!(call.last().map(String::as_str), Some("db.stored_procedure.name=pay"));
        let login = told("postgresql", &[(OPERATION, "LOGIN"), (RESOURCE, "shop")], |exchange| {
            exchange.sort = Sort::Handshake;
        });
        let expected = [
            "LOGIN shop",
            "db.system.name=postgresql",
            "db.operation.name=LOGIN",
            "db.namespace=shop",
        ];
        assert_eq!(login, expected);
        let texts = [(OPERATION, "INIT DB"), (RESOURCE, "new"), ("db.namespace", "old")];
        let mut other = told("mysql", &texts, |_| {});
        assert_eq!(other.split_off(3), ["wirespan.resource=new", "db.namespace=old"]);
    }

    #[test]
    fn calls_are_named_by_service_and_method() {
        let texts = [
            (OPERATION, "price"),
            (RESOURCE, "lab.Shop"),
            (STATUS_TEXT, "lab.Sold"),
            ("rpc.response.status_code", "OK"),
            ("wirespan.rpc.timeout_ms", "2000"),
        ];
        let expected = [
            "lab.Shop/price",
            "rpc.system.name=dubbo",
            "rpc.method=lab.Shop/price",
            "rpc.response.status_code=OK",
            "error.type=lab.Sold",
            "wirespan.rpc.timeout_ms=2000",
        ];
        let failed: fn(&mut Exchange) = |exchange| exchange.outcome = Outcome::ServerError;
        assert_eq!(told("dubbo", &texts, failed), expected);
        let beat = told("dubbo", &[(OPERATION, "heartbeat")], |exchange| {
            exchange.sort = Sort::Handshake;
        });
        assert_eq!(beat, ["heartbeat", "rpc.system.name=dubbo", "wirespan.operation=heartbeat"]);
    }

    #[test]
    fn errors_have_the_code_that_users_of_the_database_know() {
        let texts = [(OPERATION, "INSERT"), (RESOURCE, "orders"), (STATUS_TEXT, "23505")];
        let failed: fn(&mut Exchange) = |exchange| exchange.outcome = Outcome::ClientError;
        let ends = |mut told: Vec<String>| told.split_off(told.len() - 2);
        let expected = ["db.response.status_code=23505", "error.type=23505"];
        assert_eq!(ends(told("postgresql", &texts, failed)), expected);
        let failed: fn(&mut Exchange) = |exchange| {
            (exchange.outcome, exchange.code) = (Outcome::ServerError, 1213);
        };
        let expected = ["db.response.status_code=1213", "error.type=1213"];
        assert_eq!(ends(told("mysql", &texts, failed)), expected);
    }
}
