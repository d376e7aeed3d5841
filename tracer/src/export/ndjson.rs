//! Newline-delimited JSON: one object per span, holding all there is of it. The schema is described
//! in `tracer/docs/formats.md`.

use crate::exchange::{Context, Exchange, Half, OPERATION, RESOURCE, STATUS_TEXT, Sort};
use crate::export::Render;
use crate::span::{Span, Trace};
use crate::summary::protocol_name;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::{Arc, RwLock};
use wirespan_capture::decode::TapId;
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

    fn name(&self, tap: TapId) -> String {
        let names = self.0.read();
        let name = names.as_ref().ok().and_then(|names| names.get(usize::from(tap.0)));
        name.cloned().unwrap_or_default()
    }
}

impl Render for Ndjson {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let id = format!("{:032x}", trace.id);
        for span in &trace.spans {
            let line = Line { render: self, trace, id: &id, span };
            // Writing to memory fails for keys that are not text only, and all are.
            let written = serde_json::to_writer(&mut *out, &line);
            debug_assert!(written.is_ok());
            out.push(b'\n');
        }
    }
}

struct Line<'a> {
    render: &'a Ndjson,
    trace: &'a Trace,
    id: &'a str,
    span: &'a Span,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { render, trace, id, span } = *self;
        let e = &*span.exchange;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "span")?;
        map.serialize_entry("v", &SCHEMA)?;
        map.serialize_entry("trace", id)?;
        map.serialize_entry("span", &Hex(span.id))?;
        if let Some(link) = &span.link {
            let parent = trace.spans.get(link.parent);
            map.serialize_entry("parent", &Hex(parent.map_or(0, |parent| parent.id)))?;
            map.serialize_entry("link", &LinkFields(link))?;
        }
        if trace.late {
            map.serialize_entry("late", &true)?;
        }
        map.serialize_entry("service", &*span.service)?;
        map.serialize_entry("protocol", protocol_name(e.protocol, &render.protocols))?;
        map.serialize_entry("sort", sort_name(e.sort))?;
        for (name, key) in [(OPERATION, "operation"), (RESOURCE, "resource")] {
            if let Some(text) = e.text.text(name) {
                map.serialize_entry(key, &Bytes(text))?;
            }
        }
        map.serialize_entry("state", e.state.name())?;
        if e.response.is_some() && e.sort != Sort::Connect {
            map.serialize_entry("status", &StatusFields(e))?;
        }
        map.serialize_entry("start", &e.start().0)?;
        map.serialize_entry("duration", &(e.end().0 - e.start().0))?;
        map.serialize_entry("tap", &render.taps.name(e.tap))?;
        map.serialize_entry("point", &e.point.0)?;
        map.serialize_entry("network", &e.network.0)?;
        map.serialize_entry("transport", if e.transport == Transport::Tcp { "tcp" } else { "udp" })?;
        map.serialize_entry("client", &e.client)?;
        map.serialize_entry("server", &e.server)?;
        map.serialize_entry("ordinal", &e.ordinal)?;
        map.serialize_entry("stream", &e.lane)?;
        map.serialize_entry("request", &HalfFields(&e.request))?;
        if let Some(response) = &e.response {
            map.serialize_entry("response", &HalfFields(response))?;
        }
        if !e.contexts.is_empty() {
            map.serialize_entry("ids", &Ids(e))?;
        }
        map.serialize_entry("attributes", &Attributes(e))?;
        map.end()
    }
}

struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

/// Text where it is UTF-8, else an object that keeps every byte.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(self.0))?;
                map.end()
            }
        }
    }
}

struct LinkFields<'a>(&'a crate::span::Link);

impl Serialize for LinkFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.0.kind.name())?;
        map.serialize_entry("reason", self.0.reason.name())?;
        map.serialize_entry("confidence", &self.0.confidence)?;
        if !self.0.against.is_empty() {
            map.serialize_entry("against", self.0.against.as_slice())?;
        }
        if let Some(other) = self.0.runner_up {
            map.serialize_entry("runner_up", &Hex(other))?;
        }
        map.end()
    }
}

struct StatusFields<'a>(&'a Exchange);

impl Serialize for StatusFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", outcome_name(self.0.outcome))?;
        if self.0.code > 0 {
            map.serialize_entry("code", &self.0.code)?;
        }
        if let Some(text) = self.0.text.text(STATUS_TEXT) {
            map.serialize_entry("text", &Bytes(text))?;
        }
        map.end()
    }
}

struct HalfFields<'a>(&'a Half);

impl Serialize for HalfFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let half = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &half.first.at.0)?;
        map.serialize_entry("end", &half.last.at.0)?;
        map.serialize_entry("len", &half.len)?;
        if let Some(seq) = half.seq {
            map.serialize_entry("seq", &seq)?;
            map.serialize_entry("ack", &half.ack)?;
        }
        if half.tsval > 0 {
            map.serialize_entry("tsval", &half.tsval)?;
        }
        map.serialize_entry("ttl", &half.ttl)?;
        map.serialize_entry("ip_id", &half.ip_id)?;
        map.serialize_entry("file", &half.first.frame.file.0)?;
        map.serialize_entry("frames", &[half.first.frame.number, half.last.frame.number])?;
        if half.last.frame.file != half.first.frame.file {
            map.serialize_entry("last_file", &half.last.frame.file.0)?;
        }
        if half.cut {
            map.serialize_entry("cut", &true)?;
        }
        map.end()
    }
}

struct Ids<'a>(&'a Exchange);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.contexts.iter().map(|context| Id(context, self.0)))
    }
}

struct Id<'a>(&'a Context, &'a Exchange);

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(context, exchange) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", context.format.name())?;
        if context.format == Format::RequestId {
            let mut texts = exchange.text.iter().filter_map(|(name, value)| match value {
                Value::Text(text) if name == context.format.name() => Some(text),
                _ => None,
            });
            let first = texts.next();
            let text = if context.on_response { texts.next().or(first) } else { first };
            map.serialize_entry("text", &Bytes(text.unwrap_or_default()))?;
        } else {
            map.serialize_entry("trace", &format_args!("{:032x}", context.trace))?;
        }
        if let Some(span) = context.span {
            map.serialize_entry("span", &Hex(span.get()))?;
        }
        if let Some(parent) = context.parent {
            map.serialize_entry("parent", &Hex(parent.get()))?;
        }
        if context.on_response {
            map.serialize_entry("on", "response")?;
        }
        map.end()
    }
}

struct Attributes<'a>(&'a Exchange);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let own = [OPERATION, RESOURCE, STATUS_TEXT, Format::RequestId.name()];
        let entries = || self.0.text.iter().filter(|(name, _)| !own.contains(name));
        for (place, (name, value)) in entries().enumerate() {
            // Of several values under one name, the last one holds.
            if entries().skip(place + 1).any(|(later, _)| later == name) {
                continue;
            }
            match value {
                Value::Text(text) => map.serialize_entry(name, &Bytes(text))?,
                Value::Int(int) => map.serialize_entry(name, &int)?,
            }
        }
        map.end()
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
