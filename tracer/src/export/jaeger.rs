//! Traces as the page of Jaeger shows and uploads them: one document, a trace an element, with the
//! services that were asked as its processes.
//!
//! <https://www.jaegertracing.io/docs/latest/architecture/apis/#query-json-over-http>; the fields are
//! those of `internal/uimodel/model.go` in Jaeger.

use crate::export::json::{Object, key};
use crate::export::ndjson::Names;
use crate::export::semantics::{Asked, SCOPE, Semantics, Told, VERSION, Value, microseconds};
use crate::export::shares::Times;
use crate::export::{Frame, Render};
use crate::span::{Span, Trace};

/// Writes traces for Jaeger.
pub struct Jaeger {
    semantics: Semantics,
}

impl Jaeger {
    /// Writes what spans mean.
    pub fn new(semantics: Semantics) -> Self {
        Self { semantics }
    }

    fn span(
        &self,
        trace: &Trace,
        span: &Span,
        process: usize,
        times: &Times,
        names: &Names,
        fields: &mut Object<'_>,
    ) {
        let told = self.semantics.tell(trace, span, times, names);
        fields.trace(key!("traceID"), trace.id);
        fields.hex(key!("spanID"), span.id);
        fields.text(key!("operationName"), told.name.as_bytes());
        let parent = told.parent.map(|parent| ("CHILD_OF", trace.id, parent));
        let others = told.elsewhere.iter();
        let others = others.map(|other| ("FOLLOWS_FROM", other.trace, other.span));
        let references = parent.into_iter().chain(others);
        fields.list(key!("references"), references, |(kind, trace, span), fields| {
            fields.name(key!("refType"), kind);
            fields.trace(key!("traceID"), trace);
            fields.hex(key!("spanID"), span);
        });
        let (start, end) = (microseconds(span.exchange.start()), microseconds(span.exchange.end()));
        fields.int(key!("startTime"), start);
        fields.int(key!("duration"), end - start);
        fields.list(key!("tags"), tags(&told), |(name, value), fields| {
            tag(name, &value, fields);
        });
        fields.list(key!("logs"), told.events.iter(), |(name, at), fields| {
            fields.int(key!("timestamp"), microseconds(*at));
            fields.list(key!("fields"), std::iter::once(name), |name, fields| {
                tag("event", &Value::Text((*name).into()), fields);
            });
        });
        fields.name(key!("processID"), &format!("p{process}"));
    }
}

impl Render for Jaeger {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let Some(names) = self.semantics.names() else { return };
        let mut processes: Vec<Asked<'_>> = Vec::new();
        let mut object = Object::new(out);
        object.trace(key!("traceID"), trace.id);
        let spans = trace.spans.iter().map(|span| {
            let asked = Asked::by(span, &names);
            let place = processes.iter().rposition(|other| *other == asked);
            let place = place.unwrap_or_else(|| {
                processes.push(asked);
                processes.len() - 1
            });
            (span, place + 1)
        });
        let times = Times::of(trace);
        object.list(key!("spans"), spans, |(span, process), fields| {
            self.span(trace, span, process, &times, &names, fields);
        });
        object.object(key!("processes"), |fields| {
            for (place, asked) in processes.iter().enumerate() {
                fields.named_object(&format!("p{}", place + 1), |fields| {
                    fields.text(key!("serviceName"), asked.service.as_bytes());
                    let mut tags = Vec::new();
                    asked.each(&mut |name, value| {
                        tags.push((name, Value::Text(value.to_text().into_owned().into())))
                    });
                    fields.list(key!("tags"), tags.into_iter(), |(name, value), fields| {
                        tag(name, &value, fields);
                    });
                });
            }
        });
        object.end();
    }

    fn frame(&self) -> Frame {
        Frame { before: "{\"data\":[\n", between: ",\n", after: "\n]}\n" }
    }
}

/// What is told of a span beside its fields, in the words of Jaeger.
fn tags<'t>(told: &'t Told<'_>) -> impl Iterator<Item = (&'t str, Value<'t>)> {
    let error = told.error.as_ref().map(|_| {
        let words = told.message.as_deref().unwrap_or_default();
        [
            ("error", Value::Bool(true)),
            ("otel.status_code", Value::Text("ERROR".into())),
            ("otel.status_description", Value::Text(words.into())),
        ]
    });
    let own = [
        ("span.kind", Value::Text(if told.is_next_point { "internal" } else { "server" }.into())),
        ("otel.scope.name", Value::Text(SCOPE.into())),
        ("otel.scope.version", Value::Text(VERSION.into())),
    ];
    let attributes = told.attributes.iter().map(|(name, value)| (name, value.clone()));
    own.into_iter().chain(error.into_iter().flatten()).chain(attributes)
}

fn tag(name: &str, value: &Value<'_>, fields: &mut Object<'_>) {
    fields.text(key!("key"), name.as_bytes());
    match value {
        Value::Text(text) => {
            fields.name(key!("type"), "string");
            fields.text(key!("value"), text.as_bytes());
        }
        // As Jaeger itself shows lists.
        Value::Texts(list) => {
            fields.name(key!("type"), "string");
            let list = serde_json::to_string(list).unwrap_or_default();
            fields.text(key!("value"), list.as_bytes());
        }
        Value::Int(value) => {
            fields.name(key!("type"), "int64");
            fields.int(key!("value"), *value);
        }
        Value::Real(value) => {
            fields.name(key!("type"), "float64");
            fields.real(key!("value"), *value);
        }
        Value::Bool(value) => {
            fields.name(key!("type"), "bool");
            fields.bool(key!("value"), *value);
        }
    }
}
