//! Spans as Zipkin takes them, in its second format: one list of spans in JSON.
//!
//! <https://zipkin.io/zipkin-api/#/default/post_spans>

use crate::export::json::{Object, key};
use crate::export::ndjson::Names;
use crate::export::semantics::{Asked, Semantics, Told, microseconds};
use crate::export::shares::Times;
use crate::export::{Frame, Render};
use crate::span::{Span, Trace};
use std::net::{IpAddr, SocketAddr};

/// Writes spans for Zipkin.
pub struct Zipkin {
    semantics: Semantics,
}

impl Zipkin {
    /// Writes what spans mean.
    pub fn new(semantics: Semantics) -> Self {
        Self { semantics }
    }

    fn span(
        &self,
        trace: &Trace,
        span: &Span,
        times: &Times,
        names: &Names,
        fields: &mut Object<'_>,
    ) {
        let told = self.semantics.tell(trace, span, times, names);
        let links = told.links();
        let Told {
            name, is_next_point, error, message, parent, caller, attributes, events, ..
        } = told;
        let e = &*span.exchange;
        fields.trace(key!("traceId"), trace.id);
        fields.hex(key!("id"), span.id);
        if let Some(parent) = parent {
            fields.hex(key!("parentId"), parent);
        }
        if !is_next_point {
            fields.name(key!("kind"), "SERVER");
        }
        fields.text(key!("name"), name.as_bytes());
        let (start, end) = (microseconds(e.start()), microseconds(e.end()));
        fields.int(key!("timestamp"), start);
        // Zero would mean that it is not known.
        fields.int(key!("duration"), (end - start).max(1));
        fields.object(key!("localEndpoint"), |fields| endpoint(&span.service, e.server, fields));
        fields.object(key!("remoteEndpoint"), |fields| {
            endpoint(caller.unwrap_or_default(), e.client, fields);
        });
        if !events.is_empty() {
            fields.list(key!("annotations"), events.iter(), |(name, at), fields| {
                fields.int(key!("timestamp"), microseconds(*at));
                fields.name(key!("value"), name);
            });
        }
        fields.object(key!("tags"), |fields| {
            // All spans whose tag is there have failed, whatever it says.
            if let Some(error) = &error {
                fields.any_named("error", message.as_deref().unwrap_or(error));
            }
            for (name, value) in attributes.iter() {
                fields.any_named(name, &value.to_text());
            }
            Asked::by(span, names)
                .each(&mut |name, value| fields.any_named(name, &value.to_text()));
            if let Some(value) = links {
                fields.any_named("wirespan.span_link", &value);
            }
        });
    }
}

impl Render for Zipkin {
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>) {
        let Some(names) = self.semantics.names() else { return };
        let times = Times::of(trace);
        for (place, span) in trace.spans.iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(b",\n");
            }
            let mut object = Object::new(out);
            self.span(trace, span, &times, &names, &mut object);
            object.end();
        }
    }

    fn frame(&self) -> Frame {
        Frame { before: "[\n", between: ",\n", after: "\n]\n" }
    }
}

fn endpoint(service: &str, at: SocketAddr, fields: &mut Object<'_>) {
    if !service.is_empty() {
        fields.text(key!("serviceName"), service.as_bytes());
    }
    let ip = at.ip().to_string();
    match at.ip() {
        IpAddr::V4(_) => fields.name(key!("ipv4"), &ip),
        IpAddr::V6(_) => fields.name(key!("ipv6"), &ip),
    }
    fields.number(key!("port"), at.port().into());
}
