//! Who calls whom, as a graph: for Graphviz, or as JSON.
//!
//! <https://graphviz.org/doc/info/lang.html>

use crate::callers::CallerKind;
use crate::edges::{Edge, Edges};
use crate::export::Exporter;
use crate::export::time::duration_text;
use crate::export::width::clean;
use crate::metrics::Latency;
use crate::numbers::{grouped, percent, rate_text};
use crate::operations::{Calls, Operations, Service};
use crate::span::{SpanSink, Trace};
use crate::summary::Summary;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What a graph is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Graphviz's language.
    Dot,
    /// One JSON object.
    Json,
}

/// Writes the graph of the traces that it is given.
pub struct ServiceMap<W> {
    edges: Edges,
    operations: Operations,
    form: Form,
    output: W,
}

#[derive(Serialize)]
struct Graph<'a> {
    schema: u32,
    from: Option<i64>,
    to: Option<i64>,
    services: Vec<Node<'a>>,
    edges: Vec<Arrow<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    service: &'a str,
    #[serde(flatten)]
    calls: &'a Calls,
    per_second: Option<f64>,
}

#[derive(Serialize)]
struct Arrow<'a> {
    #[serde(flatten)]
    edge: &'a Edge,
    per_second: Option<f64>,
}

impl<W> ServiceMap<W> {
    /// Of calls in these protocols.
    pub fn new(protocols: Vec<String>, form: Form, output: W) -> Self {
        let (edges, operations) = (Edges::default(), Operations::new(protocols));
        Self { edges, operations, form, output }
    }
}

impl<W: Write> SpanSink for ServiceMap<W> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.edges.record(trace);
        self.operations.record(trace);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send> Exporter for ServiceMap<W> {
    fn conclude(&mut self, summary: &Summary) -> io::Result<()> {
        let (services, edges) = (self.operations.services(), self.edges.edges());
        let text = match self.form {
            Form::Dot => dot(&services, &edges, summary.seconds()),
            Form::Json => json(&services, &edges, summary)?,
        };
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }
}

fn json(services: &[Service], edges: &[Edge], summary: &Summary) -> io::Result<String> {
    let seconds = summary.seconds();
    let per_second = |calls: &Calls| seconds.map(|seconds| calls.calls as f64 / seconds);
    let services = services.iter().map(|Service { service, calls, .. }| Node {
        service,
        calls,
        per_second: per_second(calls),
    });
    let arrows = edges.iter().map(|edge| Arrow { edge, per_second: per_second(&edge.calls) });
    let graph = Graph {
        schema: SCHEMA,
        from: summary.from,
        to: summary.to,
        services: services.collect(),
        edges: arrows.collect(),
    };
    Ok(serde_json::to_string_pretty(&graph).map_err(io::Error::other)? + "\n")
}

fn dot(services: &[Service], edges: &[Edge], seconds: Option<f64>) -> String {
    let mut out = String::from("digraph services {\n  rankdir=LR;\n  node [shape=box];\n");
    for Service { service, calls, .. } in services {
        let label = format!("{service}\n{}", rate(calls, seconds));
        out.push_str(&format!("  {} [label={}];\n", quoted(service), quoted(&label)));
    }
    let others: BTreeSet<(&str, &str)> =
        edges.iter().filter_map(|edge| Some((what(edge.caller_kind)?, &*edge.caller))).collect();
    for (what, name) in others {
        let label = quoted(name);
        out.push_str(&format!("  {} [label={label}, shape=plaintext];\n", node(what, name)));
    }
    for Edge { caller, caller_kind, callee, calls } in edges {
        let caller = match what(*caller_kind) {
            Some(what) => node(what, caller),
            None => quoted(caller),
        };
        let color = if calls.failed > 0 { ", color=red" } else { "" };
        let label = quoted(&label(calls, seconds));
        out.push_str(&format!("  {caller} -> {} [label={label}{color}];\n", quoted(callee)));
    }
    out.push_str("}\n");
    out
}

/// What a caller is that no service is known of.
fn what(kind: CallerKind) -> Option<&'static str> {
    match kind {
        CallerKind::Address | CallerKind::Host => Some("host"),
        CallerKind::Process => Some("process"),
        CallerKind::Service | CallerKind::Other => None,
    }
}

/// A caller that no service is known of. A service may have the same name, an address with a port
/// being the name of one that says none.
fn node(what: &str, name: &str) -> String {
    quoted(&format!("{what} {name}"))
}

fn rate(calls: &Calls, seconds: Option<f64>) -> String {
    let s = if calls.calls == 1 { "" } else { "s" };
    let rate = seconds.map(|seconds| format!(", {}/s", rate_text(calls.calls as f64 / seconds)));
    format!("{} call{s}{}", grouped(calls.calls), rate.unwrap_or_default())
}

fn label(calls: &Calls, seconds: Option<f64>) -> String {
    let mut label = rate(calls, seconds);
    if calls.failed > 0 {
        label.push_str(&format!("\n{} % failed", percent(calls.failed, calls.calls)));
    }
    if let Some(Latency { p50, p95, p99, .. }) = calls.latency {
        let [p50, p95, p99] =
            [p50, p95, p99].map(|time| duration_text(i64::try_from(time).unwrap_or(i64::MAX)));
        label.push_str(&format!("\np50 {p50}, p95 {p95}, p99 {p99}"));
    }
    label
}

/// A quoted string of Graphviz: only the quotation mark has an escape, but in labels the backslash
/// is one too, so that both get theirs. Lines end with `\n`.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for (place, line) in text.split('\n').enumerate() {
        out.push_str(if place > 0 { "\\n" } else { "" });
        for c in clean(line.as_bytes()).chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// The version of the JSON.
const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        assert_eq!(quoted("a\" [x=1]; \"b"), r#""a\" [x=1]; \"b""#);
        assert_eq!(quoted("end\\"), r#""end\\""#);
        assert_eq!(quoted("two\nlines"), r#""two\nlines""#);
        assert_eq!(quoted("\x1b[2J\r"), "\"·[2J·\"");
    }

    #[test]
    fn a_graph_has_services_hosts_and_calls() {
        let latency = Latency { p50: 1_000, p90: 2_000, p95: 3_000, p99: 4_000, max: 5_000 };
        let calls = Calls { calls: 40, failed: 1, latency: Some(latency), total: 40_000 };
        let service = Service { service: "shop".to_owned(), calls, operations: Vec::new() };
        let edge = Edge {
            caller: "10.0.0.1".to_owned(),
            caller_kind: CallerKind::Address,
            callee: "shop".to_owned(),
            calls,
        };
        let expected = r#"digraph services {
  rankdir=LR;
  node [shape=box];
  "shop" [label="shop\n40 calls, 4.00/s"];
  "host 10.0.0.1" [label="10.0.0.1", shape=plaintext];
  "host 10.0.0.1" -> "shop" [label="40 calls, 4.00/s\n2.5 % failed\np50 1.0 µs, p95 3.0 µs, p99 4.0 µs", color=red];
}
"#;
        assert_eq!(dot(&[service], &[edge], Some(10.0)), expected);
    }
}
