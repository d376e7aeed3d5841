//! Newline-delimited JSON: one object per span, holding all there is of it. The schema is described
//! in `tracer/docs/formats.md`.

use crate::exchange::{Carrier, Context, Exchange, Half, OPERATION, RESOURCE, STATUS_TEXT, Sort};
use crate::export::Render;
use crate::export::json::{Object, key};
use crate::span::{Earlier, Link, LinkKind, Span, Trace};
use crate::summary::protocol_name;
use smallvec::SmallVec;
use std::sync::{Arc, RwLock};
use wirespan_capture::stream::Transport;
use wirespan_parsers::message::{Outcome, Value};
use wirespan_parsers::trace_context::Format;

/// Writes spans as JSON.
pub struct Ndjson {
    /// The names of the protocols.
    pub protocols: Vec<String>,
    /// The names of the taps, as far as they have appeared.
    pub taps: TapNames,
}

/// The names of the taps, which grow as the capture is read.
#[derive(Clone, Debug, Default)]
pub struct TapNames(Arc<RwLock<Vec<String>>>);

impl TapNames {
    /// Puts the names of all taps so far in place.
    pub fn set(&self, names: Vec<String>) {
        if let Ok(mut place) = self.0.write() {
            *place = names;
        }
    }

    /// The names of all taps so far.
    pub fn all(&self) -> Vec<String> {
        self.0.read().map(|names| names.clone()).unwrap_or_default()
    }
}

impl Render for Ndjson {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let taps = self.taps.0.read();
        let taps = taps.as_ref().map(|names| names.as_slice()).unwrap_or_default();
        for span in &trace.spans {
            let mut line = Object::new(out);
            self.span(trace, span, taps, &mut line);
            line.end();
            out.push(b'\n');
        }
    }
}

impl Ndjson {
    fn span(&self, trace: &Trace, span: &Span, taps: &[String], line: &mut Object<'_>) {
        let e = &*span.exchange;
        line.name(key!("type"), "span");
        line.int(key!("v"), i64::from(SCHEMA));
        line.trace(key!("trace"), trace.id);
        line.hex(key!("span"), span.id);
        if let Some(link) = &span.link {
            line.hex(key!("parent"), trace.spans.get(link.parent).map_or(0, |parent| parent.id));
            line.object(key!("link"), |fields| link_fields(link, fields));
        }
        if let Some(earlier) = &span.earlier {
            earlier_parent(trace.id, earlier, line);
        }
        if trace.late {
            line.bool(key!("late"), true);
        }
        line.text(key!("service"), span.service.as_bytes());
        line.name(key!("protocol"), protocol_name(e.protocol, &self.protocols));
        line.name(key!("sort"), sort_name(e.sort));
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
        line.int(key!("duration"), e.end().0 - e.start().0);
        let tap = taps.get(usize::from(e.tap.0)).map_or("", String::as_str);
        line.text(key!("tap"), tap.as_bytes());
        line.int(key!("point"), i64::from(e.point.0));
        line.int(key!("network"), i64::from(e.network.0));
        line.name(key!("transport"), if e.transport == Transport::Tcp { "tcp" } else { "udp" });
        line.address(key!("client"), e.client);
        line.address(key!("server"), e.server);
        line.int(key!("ordinal"), i64::from(e.ordinal));
        line.number(key!("stream"), e.lane);
        line.object(key!("request"), |fields| half_fields(&e.request, fields));
        if let Some(response) = &e.response {
            line.object(key!("response"), |fields| half_fields(response, fields));
        }
        if !e.contexts.is_empty() {
            line.list(key!("ids"), e.contexts.iter(), |context, fields| {
                id_fields(context, e, fields)
            });
        }
        line.object(key!("attributes"), |fields| attributes(e, fields));
    }
}

/// A parent in the same trace that was written before; in another trace, a span link.
fn earlier_parent(trace: u128, earlier: &Earlier, line: &mut Object<'_>) {
    let reason = |fields: &mut Object<'_>| {
        fields.name(key!("reason"), earlier.reason.name());
        fields.float(key!("confidence"), earlier.confidence);
    };
    if earlier.trace == trace {
        line.hex(key!("parent"), earlier.span);
        line.object(key!("link"), |fields| {
            fields.name(key!("kind"), LinkKind::Parent.name());
            reason(fields);
            fields.names(key!("against"), &["its trace was handed out before"]);
        });
    } else {
        line.list(key!("span_links"), std::iter::once(earlier), |earlier, fields| {
            fields.trace(key!("trace"), earlier.trace);
            fields.hex(key!("span"), earlier.span);
            reason(fields);
        });
    }
}

fn link_fields(link: &Link, fields: &mut Object<'_>) {
    fields.name(key!("kind"), link.kind.name());
    fields.name(key!("reason"), link.reason.name());
    fields.float(key!("confidence"), link.confidence);
    if !link.against.is_empty() {
        fields.names(key!("against"), &link.against);
    }
    if let Some(other) = link.runner_up {
        fields.hex(key!("runner_up"), other);
    }
}

fn half_fields(half: &Half, fields: &mut Object<'_>) {
    fields.int(key!("at"), half.first.at.0);
    fields.int(key!("end"), half.last.at.0);
    fields.number(key!("len"), half.len);
    if let Some(seq) = half.seq {
        fields.number(key!("seq"), u64::from(seq));
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
}

fn id_fields(context: &Context, exchange: &Exchange, fields: &mut Object<'_>) {
    fields.name(key!("format"), context.format.name());
    if context.format == Format::RequestId {
        // The texts stand in the order of the contexts.
        let own = |other: &&Context| other.format == context.format;
        let before = exchange.contexts.iter().take_while(|other| *other != context).filter(own);
        let place = before.count();
        let mut texts = exchange.text.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if name == context.format.name() => Some(text),
            _ => None,
        });
        fields.text(key!("text"), texts.nth(place).unwrap_or_default());
    } else {
        fields.trace(key!("trace"), context.trace.get());
    }
    if let Some(span) = context.span {
        fields.hex(key!("span"), span.get());
    }
    if let Some(parent) = context.parent {
        fields.hex(key!("parent"), parent.get());
    }
    match context.carried_by {
        Carrier::Request => {}
        Carrier::Response => fields.name(key!("on"), "response"),
        Carrier::Both => fields.name(key!("on"), "both"),
    }
}

fn attributes(exchange: &Exchange, fields: &mut Object<'_>) {
    let own = [OPERATION, RESOURCE, STATUS_TEXT, Format::RequestId.name()];
    let mut rest = exchange.text.iter().filter(|(name, _)| !own.contains(name));
    let mut entries: SmallVec<[(&str, Value<'_>); 16]> = SmallVec::new();
    // Of several values under one name, the last one holds.
    for (name, value) in &mut rest {
        match entries.iter_mut().find(|(other, _)| *other == name) {
            Some(entry) => entry.1 = value,
            None => entries.push((name, value)),
        }
    }
    for (name, value) in entries {
        fields.named(name, value);
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

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Call => "call",
        Sort::Handshake => "handshake",
        Sort::OneWay => "one_way",
        Sort::Connect => "connect",
    }
}

/// The version of the schema; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;
