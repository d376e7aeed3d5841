//! Traces in OpenTelemetry's own format: each becomes a request to export it, whose spans stand by
//! who was asked and by the point that saw them.
//!
//! <https://opentelemetry.io/docs/specs/otlp/>

mod proto;
mod json;
mod response;

pub use response::PartialSuccess;

use crate::export::Render;
use crate::export::ndjson::Names;
use crate::export::semantics::{Asked, POINT, SCOPE, Semantics, Told, VERSION, Value, exact};
use crate::export::shares::Times;
use crate::span::{Span, Trace};
use prost::Message;
use proto::{AnyKind, AnyValue, ArrayValue, KeyValue, SpanKind, StatusCode};
use wirespan_capture::packet::Timestamp;

/// Writes traces as OTLP.
pub struct Otlp {
    semantics: Semantics,
    encoding: Encoding,
    /// What else is told of each resource.
    resource: Vec<(String, String)>,
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In JSON, one request a line.
    JsonLines,
    /// In protobuf, each request behind its length: four bytes, the highest first.
    Framed,
}

/// What requests and answers of a server are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Protobuf.
    Protobuf,
    /// JSON.
    Json,
}

impl Otlp {
    /// Writes what spans mean in this encoding.
    pub fn new(semantics: Semantics, encoding: Encoding) -> Self {
        Self { semantics, encoding, resource: Vec::new() }
    }

    /// Makes pieces to be sent, with this told of each resource beside what the packets tell.
    pub(super) fn sent(semantics: Semantics, resource: Vec<(String, String)>) -> Self {
        Self { semantics, encoding: Encoding::Framed, resource }
    }

    /// The spans of a trace in pieces that are not too large, with how many spans each has. Pieces
    /// of protobuf are one request when they stand one behind the other; those of JSON with commas
    /// between them are its list of resources.
    pub(super) fn pieces(
        &self,
        trace: &Trace,
        content: Content,
        see: &mut dyn FnMut(u64, Vec<u8>),
    ) {
        let times = Times::of(trace);
        for spans in trace.spans.chunks(PIECE) {
            let request = self.request(trace, spans, &times);
            let mut out = Vec::new();
            match content {
                Content::Json => json::resources(&request, &mut out),
                Content::Protobuf => request.encode_raw(&mut out),
            }
            see(spans.len() as u64, out);
        }
    }

    fn request(
        &self,
        trace: &Trace,
        spans: &[Span],
        times: &Times,
    ) -> proto::ExportTraceServiceRequest {
        let mut request = proto::ExportTraceServiceRequest::default();
        let Some(names) = self.semantics.names() else { return request };
        // There are few of either in a trace, or they were told apart one after another.
        let mut known: Vec<(Asked<'_>, Vec<u32>)> = Vec::new();
        for span in spans {
            let asked = Asked::by(span, &names);
            let place = known.iter().rposition(|(other, _)| *other == asked);
            let place = place.unwrap_or_else(|| {
                known.push((asked, Vec::new()));
                request.resource_spans.push(self.resource(&asked));
                known.len() - 1
            });
            let Some((_, points)) = known.get_mut(place) else { continue };
            let Some(resource) = request.resource_spans.get_mut(place) else { continue };
            let scope = points.iter().position(|point| *point == span.point);
            let scope = scope.unwrap_or_else(|| {
                points.push(span.point);
                resource.scope_spans.push(scope_spans(span.point));
                points.len() - 1
            });
            if let Some(scope) = resource.scope_spans.get_mut(scope) {
                scope.spans.push(self.span(trace, span, times, &names));
            }
        }
        request
    }

    fn resource(&self, asked: &Asked<'_>) -> proto::ResourceSpans {
        let mut attributes = vec![text("service.name", asked.service)];
        asked.each(&mut |name, value| attributes.push(key_value(name, value)));
        let own = attributes.len();
        for (name, value) in &self.resource {
            let known = attributes.iter().take(own).any(|attribute| attribute.key == *name);
            if !known {
                attributes.push(text(name, value));
            }
        }
        let resource = Some(proto::Resource { attributes });
        proto::ResourceSpans { resource, scope_spans: Vec::new() }
    }

    fn span(&self, trace: &Trace, span: &Span, times: &Times, names: &Names) -> proto::Span {
        let told = self.semantics.tell(trace, span, times, names);
        let Told {
            name, is_next_point, error, message, parent, elsewhere, attributes, events, ..
        } = told;
        let attributes = attributes.iter().map(|(key, value)| key_value(key, value));
        let links = elsewhere.into_iter().map(|link| {
            let reason = Value::Text(link.reason.name().into());
            let confidence = exact(link.confidence);
            proto::Link {
                trace_id: link.trace.to_be_bytes().to_vec(),
                span_id: link.span.to_be_bytes().to_vec(),
                attributes: vec![
                    key_value("wirespan.link.reason", &reason),
                    key_value("wirespan.link.confidence", &Value::Real(confidence)),
                ],
            }
        });
        proto::Span {
            trace_id: trace.id.to_be_bytes().to_vec(),
            span_id: span.id.to_be_bytes().to_vec(),
            parent_span_id: parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
            name,
            kind: if is_next_point { SpanKind::Internal } else { SpanKind::Server }.into(),
            start_time_unix_nano: nanoseconds(span.exchange.start()),
            end_time_unix_nano: nanoseconds(span.exchange.end()),
            attributes: attributes.collect(),
            events: events
                .into_iter()
                .map(|(name, at)| proto::Event {
                    time_unix_nano: nanoseconds(at),
                    name: name.to_owned(),
                })
                .collect(),
            links: links.collect(),
            status: error.map(|_| proto::Status {
                message: message.unwrap_or_default().into_owned(),
                code: StatusCode::Error.into(),
            }),
        }
    }
}

impl Render for Otlp {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let request = self.request(trace, &trace.spans, &Times::of(trace));
        match self.encoding {
            Encoding::JsonLines => {
                json::request(&request, out);
                out.push(b'\n');
            }
            Encoding::Framed => {
                // A trace has no more spans than a component, far from 4 GiB.
                let length = u32::try_from(request.encoded_len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_be_bytes());
                request.encode_raw(out);
            }
        }
    }
}

fn scope_spans(point: u32) -> proto::ScopeSpans {
    let scope = proto::InstrumentationScope {
        name: SCOPE.to_owned(),
        version: VERSION.to_owned(),
        attributes: vec![key_value(POINT, &Value::Int(point.into()))],
    };
    proto::ScopeSpans { scope: Some(scope), spans: Vec::new() }
}

fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, &Value::Text(value.into()))
}

fn key_value(key: &str, value: &Value<'_>) -> KeyValue {
    let any = |value| AnyValue { value: Some(value) };
    let string = |text: &str| any(AnyKind::String(text.to_owned()));
    let value = match value {
        Value::Text(value) => string(value),
        Value::Int(value) => any(AnyKind::Int(*value)),
        Value::Real(value) => any(AnyKind::Double(*value)),
        Value::Bool(value) => any(AnyKind::Bool(*value)),
        Value::Texts(list) => {
            let values = list.iter().map(|value| string(value)).collect();
            any(AnyKind::Array(ArrayValue { values }))
        }
    };
    KeyValue { key: key.to_owned(), value: Some(value) }
}

/// Times before 1970 cannot be said.
fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default()
}

/// Spans of a trace that are sent together. Texts of a span take 16 KiB at most, mostly less than 1.
const PIECE: usize = 64;
