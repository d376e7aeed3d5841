//! Newline-delimited JSON: one object per span, holding all there is of it. The schema is described
//! in `tracer/docs/formats.md`.

use crate::exchange::{Carrier, Context, Exchange, Half, OPERATION, RESOURCE, STATUS_TEXT, Sort};
use crate::export::Render;
use crate::export::json::Object;
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
        line.name("type", "span");
        line.int("v", i64::from(SCHEMA));
        line.trace("trace", trace.id);
        line.hex("span", span.id);
        if let Some(link) = &span.link {
            line.hex("parent", trace.spans.get(link.parent).map_or(0, |parent| parent.id));
            line.object("link", |fields| link_fields(link, fields));
        }
        if let Some(earlier) = &span.earlier {
            earlier_parent(trace.id, earlier, line);
        }
        if trace.late {
            line.bool("late", true);
        }
        line.text("service", span.service.as_bytes());
        line.name("protocol", protocol_name(e.protocol, &self.protocols));
        line.name("sort", sort_name(e.sort));
        for (name, key) in [(OPERATION, "operation"), (RESOURCE, "resource")] {
            if let Some(text) = e.text.text(name) {
                line.text(key, text);
            }
        }
        line.name("state", e.state.name());
        if e.response.is_some() && e.sort != Sort::Connect {
            line.object("status", |fields| {
                fields.name("outcome", outcome_name(e.outcome));
                if e.code > 0 {
                    fields.int("code", i64::from(e.code));
                }
                if let Some(text) = e.text.text(STATUS_TEXT) {
                    fields.text("text", text);
                }
            });
        }
        line.int("start", e.start().0);
        line.int("duration", e.end().0 - e.start().0);
        let tap = taps.get(usize::from(e.tap.0)).map_or("", String::as_str);
        line.text("tap", tap.as_bytes());
        line.int("point", i64::from(e.point.0));
        line.int("network", i64::from(e.network.0));
        line.name("transport", if e.transport == Transport::Tcp { "tcp" } else { "udp" });
        line.address("client", e.client);
        line.address("server", e.server);
        line.int("ordinal", i64::from(e.ordinal));
        line.number("stream", e.lane);
        line.object("request", |fields| half_fields(&e.request, fields));
        if let Some(response) = &e.response {
            line.object("response", |fields| half_fields(response, fields));
        }
        if !e.contexts.is_empty() {
            line.list("ids", e.contexts.iter(), |context, fields| id_fields(context, e, fields));
        }
        line.object("attributes", |fields| attributes(e, fields));
    }
}

/// A parent in the same trace that was written before; in another trace, a span link.
fn earlier_parent(trace: u128, earlier: &Earlier, line: &mut Object<'_>) {
    let reason = |fields: &mut Object<'_>| {
        fields.name("reason", earlier.reason.name());
        fields.float("confidence", earlier.confidence);
    };
    if earlier.trace == trace {
        line.hex("parent", earlier.span);
        line.object("link", |fields| {
            fields.name("kind", LinkKind::Parent.name());
            reason(fields);
            fields.names("against", &["its trace was handed out before"]);
        });
    } else {
        line.list("span_links", std::iter::once(earlier), |earlier, fields| {
            fields.trace("trace", earlier.trace);
            fields.hex("span", earlier.span);
            reason(fields);
        });
    }
}

fn link_fields(link: &Link, fields: &mut Object<'_>) {
    fields.name("kind", link.kind.name());
    fields.name("reason", link.reason.name());
    fields.float("confidence", link.confidence);
    if !link.against.is_empty() {
        fields.names("against", &link.against);
    }
    if let Some(other) = link.runner_up {
        fields.hex("runner_up", other);
    }
}

fn half_fields(half: &Half, fields: &mut Object<'_>) {
    fields.int("at", half.first.at.0);
    fields.int("end", half.last.at.0);
    fields.number("len", half.len);
    if let Some(seq) = half.seq {
        fields.number("seq", u64::from(seq));
        fields.number("ack", u64::from(half.ack));
    }
    if half.tsval > 0 {
        fields.number("tsval", u64::from(half.tsval));
    }
    fields.number("ttl", u64::from(half.ttl));
    fields.number("ip_id", u64::from(half.ip_id));
    fields.number("file", u64::from(half.first.frame.file.0));
    fields.numbers("frames", &[half.first.frame.number, half.last.frame.number]);
    if half.last.frame.file != half.first.frame.file {
        fields.number("last_file", u64::from(half.last.frame.file.0));
    }
    if half.cut {
        fields.bool("cut", true);
    }
}

fn id_fields(context: &Context, exchange: &Exchange, fields: &mut Object<'_>) {
    fields.name("format", context.format.name());
    if context.format == Format::RequestId {
        // The texts stand in the order of the contexts.
        let own = |other: &&Context| other.format == context.format;
        let before = exchange.contexts.iter().take_while(|other| *other != context).filter(own);
        let place = before.count();
        let mut texts = exchange.text.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if name == context.format.name() => Some(text),
            _ => None,
        });
        fields.text("text", texts.nth(place).unwrap_or_default());
    } else {
        fields.trace("trace", context.trace.get());
    }
    if let Some(span) = context.span {
        fields.hex("span", span.get());
    }
    if let Some(parent) = context.parent {
        fields.hex("parent", parent.get());
    }
    match context.carried_by {
        Carrier::Request => {}
        Carrier::Response => fields.name("on", "response"),
        Carrier::Both => fields.name("on", "both"),
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
        match value {
            Value::Text(text) => fields.text(name, text),
            Value::Int(int) => fields.int(name, int),
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
