//! Newline-delimited JSON: one object per span, holding all there is of it. The schema is described
//! in `tracer/docs/formats.md`.

use crate::exchange::{
    Asked, Carrier, Context, Exchange, Half, OPERATION, Opening, Processes, RESOURCE, Resent,
    STATUS_TEXT, SetRight, Sort, Turn,
};
use crate::export::Render;
use crate::export::json::{Object, key};
use crate::export::shares::{Shares, between, of_trace};
use crate::given::{Given, GivenNames};
use crate::losses::Touched;
use crate::span::{Earlier, Link, LinkKind, Span, SpanLink, Trace};
use crate::summary::protocol_name;
use smallvec::SmallVec;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use wirespan_capture::owner::Process;
use wirespan_capture::packet::{NetworkId, TapId};
use wirespan_capture::stream::{RoundTrip, Transport};
use wirespan_parsers::message::{Outcome, Record, Value};
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::trace_context::format::is_text_name;

/// Writes spans as JSON.
pub struct Ndjson {
    /// The names of the protocols.
    pub protocols: Vec<String>,
    /// The names of taps and networks.
    pub names: SourceNames,
}

/// The names of taps and networks, which grow as the capture is read.
#[derive(Clone, Debug, Default)]
pub struct SourceNames(Arc<RwLock<Names>>);

/// The names as they are now.
#[derive(Debug, Default)]
pub(super) struct Names {
    taps: Vec<String>,
    networks: Vec<String>,
    /// Only where there are several.
    files: Vec<String>,
}

impl Names {
    /// The name of a tap.
    pub(super) fn tap(&self, tap: TapId) -> &str {
        self.taps.get(usize::from(tap.0)).map_or("", String::as_str)
    }

    /// The name of a network; empty where all addresses are of one.
    pub(super) fn network(&self, network: NetworkId) -> &str {
        self.networks.get(usize::from(network.0)).map_or("", String::as_str)
    }
}

impl SourceNames {
    /// Adds the names of taps that are new.
    pub fn add_taps(&self, names: Vec<String>) {
        if let Ok(mut all) = self.0.write() {
            all.taps.extend(names);
        }
    }

    /// Adds the names of networks that are new.
    pub fn add_networks(&self, names: Vec<String>) {
        if let Ok(mut all) = self.0.write() {
            all.networks.extend(names);
        }
    }

    /// Puts the names of all taps so far in place.
    pub fn set_taps(&self, names: Vec<String>) {
        if let Ok(mut all) = self.0.write() {
            all.taps = names;
        }
    }

    /// Puts the names of all networks so far in place.
    pub fn set_networks(&self, names: Vec<String>) {
        if let Ok(mut all) = self.0.write() {
            all.networks = names;
        }
    }

    /// Puts the names of the files in place, where there are several.
    pub fn set_files(&self, names: Vec<String>) {
        if let Ok(mut all) = self.0.write() {
            all.files = names;
        }
    }

    /// The names of the files, where there are several.
    pub fn files(&self) -> Vec<String> {
        self.0.read().map(|names| names.files.clone()).unwrap_or_default()
    }

    /// All of them as they are now.
    pub(super) fn read(&self) -> Option<RwLockReadGuard<'_, Names>> {
        self.0.read().ok()
    }

    /// The names of all taps so far.
    pub fn taps(&self) -> Vec<String> {
        self.0.read().map(|names| names.taps.clone()).unwrap_or_default()
    }
}

impl Render for Ndjson {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let Some(names) = self.names.read() else { return };
        for (span, shares) in trace.spans.iter().zip(of_trace(trace)) {
            let mut line = Object::new(out);
            self.span(trace, span, shares.as_ref(), &names, &mut line);
            line.end();
            out.push(b'\n');
        }
    }
}

impl Ndjson {
    fn span(
        &self,
        trace: &Trace,
        span: &Span,
        shares: Option<&Shares>,
        names: &Names,
        line: &mut Object<'_>,
    ) {
        let e = &*span.exchange;
        line.name(key!("type"), "span");
        line.int(key!("v"), i64::from(SCHEMA));
        line.trace(key!("trace"), trace.id);
        line.hex(key!("span"), span.id);
        if let Some(link) = &span.link {
            line.hex(key!("parent"), trace.spans.get(link.parent).map_or(0, |parent| parent.id));
            line.object(key!("link"), |fields| {
                link_fields(link, fields);
                if let Some(between) = between(trace, span) {
                    fields.int(key!("between"), between);
                }
            });
        }
        if let Some(earlier) = span.earlier.as_ref().filter(|earlier| earlier.trace == trace.id) {
            earlier_parent(earlier, line);
        }
        if !span.span_links.is_empty() || span.earlier.is_some_and(|e| e.trace != trace.id) {
            line.list(key!("span_links"), span_links(trace.id, span), |link, fields| {
                span_link_fields(&link, fields);
            });
        }
        if trace.late {
            line.bool(key!("late"), true);
        }
        line.text(key!("service"), span.service.as_bytes());
        line.name(key!("protocol"), protocol_name(e.protocol, &self.protocols));
        line.name(key!("sort"), e.sort.name());
        for (name, key) in [(OPERATION, key!("operation")), (RESOURCE, key!("resource"))] {
            if let Some(text) = e.text.text(name) {
                line.text(key, text);
            }
        }
        line.name(key!("state"), e.state.name());
        if e.response.is_some() && e.sort != Sort::Connect {
            line.object(key!("status"), |fields| {
                fields.name(key!("outcome"), outcome_name(e.outcome));
                if e.code > 0 {
                    fields.int(key!("code"), i64::from(e.code));
                }
                if let Some(text) = e.text.text(STATUS_TEXT) {
                    fields.text(key!("text"), text);
                }
            });
        }
        line.int(key!("start"), e.start().0);
        line.int(key!("duration"), e.duration());
        if let Some(shares) = shares {
            line.object(key!("time"), |fields| time_fields(shares, fields));
        }
        line.text(key!("tap"), names.tap(e.tap).as_bytes());
        line.int(key!("point"), i64::from(span.point));
        if span.first_point != span.point {
            line.int(key!("first_point"), i64::from(span.first_point));
        }
        let network = names.network(e.network);
        if !network.is_empty() {
            line.name(key!("network"), network);
        }
        line.name(key!("transport"), if e.transport == Transport::Tcp { "tcp" } else { "udp" });
        line.address(key!("client"), e.client);
        line.address(key!("server"), e.server);
        line.int(key!("ordinal"), i64::from(e.ordinal));
        if e.in_packet > 0 {
            line.int(key!("in_packet"), i64::from(e.in_packet));
        }
        if e.to_client {
            line.bool(key!("to_client"), true);
        }
        line.number(key!("stream"), e.lane);
        if e.inside > 0 {
            line.number(key!("inside"), e.inside);
        }
        line.object(key!("request"), |fields| half_fields(&e.request, fields));
        if let Some(response) = &e.response {
            line.object(key!("response"), |fields| half_fields(response, fields));
        }
        if e.round_trip != RoundTrip::default() {
            line.object(key!("round_trip"), |fields| {
                for (key, time) in
                    [(key!("server"), e.round_trip.server), (key!("client"), e.round_trip.client)]
                {
                    if let Some(time) = time {
                        fields.number(key, u64::from(time.get()));
                    }
                }
            });
        }
        if !e.contexts.is_empty() {
            line.list(key!("ids"), e.contexts.iter(), |context, fields| {
                id_fields(context, e, fields)
            });
        }
        if !e.values.words().is_empty() {
            line.words_in_hex(key!("values"), e.values.words());
        }
        if let Some(records) = &e.records {
            if records.asks {
                line.bool(key!("asks_for_records"), true);
            }
            if records.iter().next().is_some() {
                line.list(key!("records"), records.iter(), |record, fields| {
                    record_fields(&record, fields);
                });
            }
            if records.left_out > 0 {
                line.number(key!("records_left_out"), records.left_out);
            }
        }
        let Processes { client, server } = &e.processes;
        if let Some(process) = client {
            line.object(key!("client_process"), |fields| process_fields(process, fields));
        }
        if let Some(process) = server {
            line.object(key!("server_process"), |fields| process_fields(process, fields));
        }
        let GivenNames { client, server } = &e.names;
        if let Some(given) = client {
            line.object(key!("client_name"), |fields| given_fields(given, fields));
        }
        if let Some(given) = server {
            line.object(key!("server_name"), |fields| given_fields(given, fields));
        }
        line.object(key!("attributes"), |fields| attributes(e, fields));
        if e.touched != Touched::NONE {
            let names: SmallVec<[&str; 2]> = e.touched.names().collect();
            line.names(key!("touched"), &names);
        }
        if let Some(SetRight { ahead, error }) = e.clock {
            line.object(key!("clock"), |fields| {
                fields.int(key!("ahead"), ahead);
                fields.number(key!("error"), error);
            });
        }
        if let Some(seemed) = &e.seemed {
            line.object(key!("seemed"), |fields| {
                let Asked { operation, resource } = &**seemed;
                for (key, text) in [(key!("operation"), operation), (key!("resource"), resource)] {
                    if !text.is_empty() {
                        fields.text(key, text);
                    }
                }
            });
        }
        if let Some(opened) = &e.turns.opened {
            line.object(key!("opened"), |fields| opened_fields(opened, e, fields));
        }
        line.object(key!("closed"), |fields| turn_fields(&e.turns.closed, fields));
    }
}

/// A parent in the same trace that was written before.
fn earlier_parent(earlier: &Earlier, line: &mut Object<'_>) {
    line.hex(key!("parent"), earlier.span);
    line.object(key!("link"), |fields| {
        fields.name(key!("kind"), LinkKind::Parent.name());
        fields.name(key!("reason"), earlier.reason.name());
        fields.float(key!("confidence"), earlier.confidence);
        fields.names(key!("against"), &["its trace was handed out before"]);
    });
}

/// All span links of a span: to the span that called, in a trace that was handed out before, and to
/// those that it got messages of.
pub(super) fn span_links(trace: u128, span: &Span) -> impl Iterator<Item = SpanLink> {
    let earlier = span.earlier.filter(|earlier| earlier.trace != trace);
    let caller = earlier.map(|Earlier { trace, span, reason, confidence }| SpanLink {
        trace,
        span,
        reason,
        confidence,
        against: SmallVec::new(),
        runner_up: None,
    });
    caller.into_iter().chain(span.span_links.iter().cloned())
}

fn span_link_fields(link: &SpanLink, fields: &mut Object<'_>) {
    fields.trace(key!("trace"), link.trace);
    fields.hex(key!("span"), link.span);
    fields.name(key!("reason"), link.reason.name());
    fields.float(key!("confidence"), link.confidence);
    if !link.against.is_empty() {
        fields.names(key!("against"), &link.against);
    }
    if let Some(other) = link.runner_up {
        fields.hex(key!("runner_up"), other);
    }
}

fn record_fields(record: &Record<'_>, fields: &mut Object<'_>) {
    fields.name(key!("role"), record.role.name());
    fields.text(key!("queue"), record.queue);
    fields.hex(key!("digest"), record.digest);
    if !record.id.is_empty() {
        fields.text(key!("id"), record.id);
    }
}

fn link_fields(link: &Link, fields: &mut Object<'_>) {
    fields.name(key!("kind"), link.kind.name());
    fields.name(key!("reason"), link.reason.name());
    fields.float(key!("confidence"), link.confidence);
    if !link.also.is_empty() {
        fields.names(key!("also"), &link.also);
    }
    if !link.against.is_empty() {
        fields.names(key!("against"), &link.against);
    }
    if let Some(other) = link.runner_up {
        fields.hex(key!("runner_up"), other);
    }
}

fn time_fields(shares: &Shares, fields: &mut Object<'_>) {
    let Shares { network, server, waiting } = *shares;
    fields.int(key!("network"), network);
    fields.int(key!("server"), server);
    if waiting > 0 {
        fields.int(key!("waiting"), waiting);
    }
}

fn half_fields(half: &Half, fields: &mut Object<'_>) {
    fields.int(key!("at"), half.first.at.0);
    fields.int(key!("end"), half.last.at.0);
    fields.number(key!("len"), half.size());
    if let Some(seq) = half.seq {
        fields.number(key!("seq"), u64::from(seq));
    }
    if half.ack > 0 || half.seq.is_some() {
        fields.number(key!("ack"), u64::from(half.ack));
    }
    if half.tsval > 0 {
        fields.number(key!("tsval"), u64::from(half.tsval));
    }
    fields.number(key!("ttl"), u64::from(half.ttl));
    fields.number(key!("ip_id"), u64::from(half.ip_id));
    fields.number(key!("file"), u64::from(half.first.frame.file.0));
    fields.numbers(key!("frames"), &[half.first.frame.number, half.last.frame.number]);
    if half.last.frame.file != half.first.frame.file {
        fields.number(key!("last_file"), u64::from(half.last.frame.file.0));
    }
    if half.cut {
        fields.bool(key!("cut"), true);
    }
    if half.lost > 0 {
        fields.number(key!("lost"), half.lost);
    }
    if half.resent != Resent::default() {
        fields.object(key!("resent"), |fields| {
            fields.number(key!("segments"), u64::from(half.resent.segments));
            fields.int(key!("stalled"), half.resent.stalled);
        });
    }
}

fn process_fields(process: &Process, fields: &mut Object<'_>) {
    fields.number(key!("pid"), u64::from(process.pid));
    fields.name(key!("name"), &process.name);
    if let Some(executable) = &process.executable {
        fields.name(key!("executable"), executable);
    }
    if let Some(user) = process.user {
        fields.number(key!("user"), u64::from(user));
    }
    if let Some(namespace) = process.namespace {
        fields.number(key!("namespace"), namespace);
    }
    if let Some(group) = &process.group {
        fields.name(key!("group"), group);
    }
    if let Some(host) = &process.host {
        fields.name(key!("host"), host);
    }
}

fn given_fields(given: &Given, fields: &mut Object<'_>) {
    fields.text(key!("name"), given.name.as_bytes());
    fields.name(key!("by"), given.by.name());
}

fn id_fields(context: &Context, exchange: &Exchange, fields: &mut Object<'_>) {
    fields.name(key!("format"), context.format.name());
    if matches!(context.format, Format::Named(_)) {
        fields.bool(key!("named"), true);
    }
    if context.hidden {
        fields.bool(key!("hidden"), true);
    } else {
        id_values(context, exchange, fields);
    }
    match context.carried_by {
        Carrier::Request => {}
        Carrier::Response => fields.name(key!("on"), "response"),
        Carrier::Both => fields.name(key!("on"), "both"),
    }
}

fn id_values(context: &Context, exchange: &Exchange, fields: &mut Object<'_>) {
    if context.format.is_text() {
        let text = id_text(context, exchange);
        fields.text(key!("text"), text);
        // Of an exchange that held too much already, the text was left out.
        if text.is_empty() {
            fields.trace(key!("trace"), context.trace.get());
        }
    } else {
        fields.trace(key!("trace"), context.trace.get());
    }
    if let Some(span) = context.span {
        fields.hex(key!("span"), span.get());
    }
    if let Some(parent) = context.parent {
        fields.hex(key!("parent"), parent.get());
    }
}

/// A request id as it was sent.
pub(crate) fn id_text<'e>(context: &Context, exchange: &'e Exchange) -> &'e [u8] {
    // The texts stand in the order of the contexts.
    let own = |other: &&Context| other.format == context.format;
    let before = exchange.contexts.iter().take_while(|other| *other != context).filter(own);
    let place = before.count();
    let mut texts = exchange.text.iter().filter_map(|(name, value)| match value {
        Value::Text(text) if name == context.format.text_name() => Some(text),
        _ => None,
    });
    texts.nth(place).unwrap_or_default()
}

/// How many of the identifiers that stand here are known once the request was seen, as a rule: those
/// of the response come later.
pub fn known_at_first(contexts: &[Context]) -> usize {
    contexts.iter().take_while(|context| context.carried_by != Carrier::Response).count()
}

fn opened_fields(opened: &Opening, exchange: &Exchange, fields: &mut Object<'_>) {
    turn_fields(&opened.turn, fields);
    if opened.contexts != known_at_first(&exchange.contexts) {
        fields.number(key!("ids"), opened.contexts as u64);
    }
    if opened.processes != exchange.processes.known() {
        let [client, server] = opened.processes.map(u64::from);
        fields.number(key!("processes"), client + 2 * server);
    }
}

fn turn_fields(turn: &Turn, fields: &mut Object<'_>) {
    fields.number(key!("n"), turn.number.0);
    fields.int(key!("at"), turn.at.0);
}

fn attributes(exchange: &Exchange, fields: &mut Object<'_>) {
    let own = [OPERATION, RESOURCE, STATUS_TEXT];
    let rest = exchange.text.iter().filter(|(name, _)| !own.contains(name) && !is_text_name(name));
    if !exchange.text.may_repeat() {
        rest.for_each(|(name, value)| fields.named(name, value));
        return;
    }
    let entries: SmallVec<[(&str, Value<'_>); 16]> = rest.collect();
    for (place, (name, value)) in entries.iter().enumerate() {
        let (before, after) = entries.split_at_checked(place + 1).unwrap_or_default();
        let same = |(other, _): &&(&str, Value<'_>)| other == name;
        if before.iter().filter(same).count() > 1 {
            continue;
        }
        let more: SmallVec<[Value<'_>; 4]> =
            after.iter().filter(same).map(|(_, value)| *value).collect();
        if more.is_empty() {
            fields.named(name, *value);
        } else {
            fields.named_list(name, std::iter::once(*value).chain(more));
        }
    }
}

/// The name of an outcome in the output.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unknown => "unknown",
        Outcome::Ok => "ok",
        Outcome::ClientError => "client_error",
        Outcome::ServerError => "server_error",
    }
}

/// The version of the schema; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 2;
