//! OTLP in JSON: names in lowerCamelCase, ids in hexadecimal digits, whole numbers of 64 bits as
//! text, enumerations as numbers; fields that are empty are left out.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use super::proto::{
    AnyKind, AnyValue, Event, ExportTraceServiceRequest, KeyValue, Link, ResourceSpans, ScopeSpans,
    Span,
};
use crate::export::json::{Object, key};

/// Appends a request.
pub(super) fn request(request: &ExportTraceServiceRequest, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.list(key!("resourceSpans"), request.resource_spans.iter(), resource_spans);
    object.end();
}

/// Appends the resources of a request, with commas between them.
pub(super) fn resources(request: &ExportTraceServiceRequest, out: &mut Vec<u8>) {
    for (place, of) in request.resource_spans.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut object = Object::new(out);
        resource_spans(of, &mut object);
        object.end();
    }
}

fn resource_spans(of: &ResourceSpans, fields: &mut Object<'_>) {
    if let Some(resource) = &of.resource {
        fields.object(key!("resource"), |fields| attributes(&resource.attributes, fields));
    }
    fields.list(key!("scopeSpans"), of.scope_spans.iter(), scope_spans);
}

fn scope_spans(of: &ScopeSpans, fields: &mut Object<'_>) {
    if let Some(scope) = &of.scope {
        fields.object(key!("scope"), |fields| {
            fields.text(key!("name"), scope.name.as_bytes());
            fields.text(key!("version"), scope.version.as_bytes());
            attributes(&scope.attributes, fields);
        });
    }
    fields.list(key!("spans"), of.spans.iter(), span);
}

fn span(of: &Span, fields: &mut Object<'_>) {
    fields.bytes_in_hex(key!("traceId"), &of.trace_id);
    fields.bytes_in_hex(key!("spanId"), &of.span_id);
    if !of.parent_span_id.is_empty() {
        fields.bytes_in_hex(key!("parentSpanId"), &of.parent_span_id);
    }
    fields.text(key!("name"), of.name.as_bytes());
    fields.int(key!("kind"), of.kind.into());
    fields.number_in_quotes(key!("startTimeUnixNano"), of.start_time_unix_nano);
    fields.number_in_quotes(key!("endTimeUnixNano"), of.end_time_unix_nano);
    attributes(&of.attributes, fields);
    if !of.events.is_empty() {
        fields.list(key!("events"), of.events.iter(), event);
    }
    if !of.links.is_empty() {
        fields.list(key!("links"), of.links.iter(), link);
    }
    fields.object(key!("status"), |fields| {
        if let Some(status) = &of.status {
            if !status.message.is_empty() {
                fields.text(key!("message"), status.message.as_bytes());
            }
            fields.int(key!("code"), status.code.into());
        }
    });
}

fn event(of: &Event, fields: &mut Object<'_>) {
    fields.number_in_quotes(key!("timeUnixNano"), of.time_unix_nano);
    fields.text(key!("name"), of.name.as_bytes());
}

fn link(of: &Link, fields: &mut Object<'_>) {
    fields.bytes_in_hex(key!("traceId"), &of.trace_id);
    fields.bytes_in_hex(key!("spanId"), &of.span_id);
    attributes(&of.attributes, fields);
}

fn attributes(of: &[KeyValue], fields: &mut Object<'_>) {
    fields.list(key!("attributes"), of.iter(), |one, fields| {
        fields.text(key!("key"), one.key.as_bytes());
        fields.object(key!("value"), |fields| one.value.iter().for_each(|one| any(one, fields)));
    });
}

fn any(of: &AnyValue, fields: &mut Object<'_>) {
    match &of.value {
        None => {}
        Some(AnyKind::String(value)) => fields.text(key!("stringValue"), value.as_bytes()),
        Some(AnyKind::Bool(value)) => fields.bool(key!("boolValue"), *value),
        Some(AnyKind::Int(value)) => fields.int_in_quotes(key!("intValue"), *value),
        Some(AnyKind::Double(value)) => fields.real(key!("doubleValue"), *value),
        Some(AnyKind::Array(array)) => fields.object(key!("arrayValue"), |fields| {
            fields.list(key!("values"), array.values.iter(), any);
        }),
    }
}
