//! The table of services and operations, for people: how often, how many failed, how long.
//!
//! ```text
//! service   operation          calls failed     %     /s     p50     p90     p99     max time
//! shop      GET /orders/{id}      30      2   6.7   12.3 1.20 ms 7.91 ms 9.73 ms 9.73 ms 43 %
//! ```
//!
//! What a narrow line has no room for is left out, the least important columns first.

use crate::edges::{Edge, Edges};
use crate::export::Exporter;
use crate::export::color::{BOLD, RED, paint};
use crate::export::time::duration_text;
use crate::export::width::{self, add_text, clean, fit};
use crate::metrics::Latency;
use crate::numbers::{grouped, percent, rate_text};
use crate::operations::{Calls, Operation, Operations, Service};
use crate::span::{SpanSink, Trace};
use crate::summary::Summary;
use std::cmp::Ordering;
use std::io::{self, Write};

/// How the table looks.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of a line.
    pub width: usize,
    /// Whether colours are used.
    pub colors: bool,
    /// Whether the terminal shows ASCII only.
    pub ascii: bool,
    /// What comes first.
    pub order: Order,
    /// How many services and how many operations are shown.
    pub rows: usize,
}

/// What comes first in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// That on which most time was spent.
    #[default]
    Total,
    /// What was called most.
    Count,
    /// What failed most often.
    Errors,
    /// What was slow most often.
    P99,
    /// By the alphabet.
    Name,
}

/// Writes nothing but the table of the traces that it is given.
pub struct TableSink<W> {
    operations: Operations,
    edges: Edges,
    layout: Layout,
    output: W,
}

impl<W> TableSink<W> {
    /// Counts calls in these protocols.
    pub fn new(protocols: Vec<String>, layout: Layout, output: W) -> Self {
        let (operations, edges) = (Operations::new(protocols), Edges::default());
        Self { operations, edges, layout, output }
    }
}

impl<W: Write> SpanSink for TableSink<W> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.operations.record(trace);
        self.edges.record(trace);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send> Exporter for TableSink<W> {
    fn conclude(&mut self, summary: &Summary) -> io::Result<()> {
        let (services, edges) = (self.operations.services(), self.edges.edges());
        let text = table(&services, &edges, summary.seconds(), self.layout);
        self.output.write_all(&text)?;
        self.output.flush()
    }
}

/// Services, who calls whom, then operations and handshakes; `seconds` is how long the capture is.
pub(crate) fn table(
    services: &[Service],
    edges: &[Edge],
    seconds: Option<f64>,
    layout: Layout,
) -> Vec<u8> {
    let mut by_service = Vec::new();
    let (mut by_operation, mut by_handshake) = (Vec::new(), Vec::new());
    for Service { service, calls, operations } in services {
        let service = clean(service.as_bytes()).into_owned();
        for one in operations {
            let rows = if one.handshake { &mut by_handshake } else { &mut by_operation };
            rows.push(Row { names: vec![service.clone(), text(one)], calls: one.calls });
        }
        by_service.push(Row { names: vec![service], calls: *calls });
    }
    let between = edges.iter().map(|Edge { caller, callee, calls, .. }| {
        let names = [caller, callee].map(|name| clean(name.as_bytes()).into_owned());
        Row { names: names.to_vec(), calls: *calls }
    });
    // Of whom nothing but handshakes is known, a table of its own tells.
    by_service.retain(Row::has_calls);
    let between = between.filter(Row::has_calls);
    let whole = Some(services.iter().map(|service| service.calls.total).sum());
    let mut out = String::new();
    for (titles, mut rows, whole) in [
        (&["service"][..], by_service, whole),
        (&["caller", "called service"], between.collect(), whole),
        (&["service", "operation"], by_operation, whole),
        // What they take is no share of what calls take.
        (&["service", "handshake"], by_handshake, None),
    ] {
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| layout.order.compare(a, b));
        let left_out = rows.len().saturating_sub(layout.rows);
        rows.truncate(layout.rows);
        let block = Block { titles, rows, whole, seconds };
        block.write(layout, &mut out);
        if left_out > 0 {
            let what = titles.last().copied().unwrap_or_default();
            let s = if left_out == 1 { "" } else { "s" };
            let count = grouped(left_out as u64);
            line(
                &format!("… {count} more {what}{s}; --format table shows all"),
                layout.width,
                &mut out,
            );
        }
        out.push('\n');
    }
    let mut bytes = Vec::new();
    add_text(&out, layout.ascii, &mut bytes);
    bytes
}

/// An operation as the trees of the terminal call it.
fn text(operation: &Operation) -> String {
    let Operation { protocol, operation, template, .. } = operation;
    let protocol = if ["http", "http2", "tcp"].contains(&&**protocol) { "" } else { protocol };
    let words = [protocol, operation, template.as_deref().unwrap_or_default()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    clean(words.join(" ").as_bytes()).into_owned()
}

struct Row {
    names: Vec<String>,
    calls: Calls,
}

impl Row {
    fn has_calls(&self) -> bool {
        self.calls.calls > 0
    }
}

impl Order {
    /// By this, then by time, then by name.
    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let p99 = |row: &Row| row.calls.latency.map(|latency| latency.p99);
        let first = match self {
            Self::Total | Self::Name => Ordering::Equal,
            Self::Count => b.calls.calls.cmp(&a.calls.calls),
            Self::Errors => b.calls.failed.cmp(&a.calls.failed),
            Self::P99 => p99(b).cmp(&p99(a)),
        };
        let time =
            if self == Self::Name { Ordering::Equal } else { b.calls.total.cmp(&a.calls.total) };
        first.then(time).then_with(|| a.names.cmp(&b.names))
    }
}

/// Rows under one title.
struct Block<'a> {
    titles: &'a [&'a str],
    rows: Vec<Row>,
    /// The time of all calls, if these have a share of it.
    whole: Option<u64>,
    seconds: Option<f64>,
}

struct Column {
    title: &'static str,
    cells: Vec<String>,
    width: usize,
}

impl Block<'_> {
    fn write(&self, layout: Layout, out: &mut String) {
        let mut columns: Vec<Column> = COLUMNS.iter().map(|title| self.column(title)).collect();
        let taken = |columns: &[Column]| columns.iter().map(|column| column.width + 1).sum();
        let wanted = NAME * self.titles.len();
        for title in DISPENSABLE {
            let taken: usize = taken(&columns);
            if taken + wanted <= layout.width {
                break;
            }
            columns.retain(|column| column.title != *title);
        }
        let mut room = layout.width.saturating_sub(taken(&columns));
        let mut names = Vec::new();
        for (place, title) in self.titles.iter().enumerate() {
            let longest = self
                .rows
                .iter()
                .filter_map(|row| row.names.get(place))
                .map(|name| width::columns(name));
            let longest = longest.max().unwrap_or_default().max(title.len());
            // What is asked is longer than the name of who is asked.
            let share = if place + 1 < self.titles.len() { room * 2 / 5 } else { room };
            let this = longest.min(share);
            room = room.saturating_sub(this + 1);
            names.push(this);
        }
        let mut head = String::new();
        for (title, width) in self.titles.iter().zip(&names) {
            fit(title, *width, &mut head);
            head.push(' ');
        }
        head.pop();
        for column in &columns {
            head.push_str(&format!(" {:>1$}", column.title, column.width));
        }
        paint(layout.colors, BOLD, &head, out);
        out.push('\n');
        for (place, row) in self.rows.iter().enumerate() {
            for (at, (name, width)) in row.names.iter().zip(&names).enumerate() {
                out.push_str(if at > 0 { " " } else { "" });
                fit(name, *width, out);
            }
            for column in &columns {
                let cell = column.cells.get(place).map_or("", String::as_str);
                let cell = format!("{cell:>0$}", column.width);
                let is_bad = ["failed", "%"].contains(&column.title) && row.calls.failed > 0;
                out.push(' ');
                paint(layout.colors, if is_bad { RED } else { "" }, &cell, out);
            }
            out.push('\n');
        }
    }

    fn column(&self, title: &'static str) -> Column {
        let cells: Vec<String> = self.rows.iter().map(|row| self.cell(title, row)).collect();
        let width = cells.iter().map(|cell| width::columns(cell)).max().unwrap_or_default();
        Column { title, cells, width: width.max(title.len()) }
    }

    fn cell(&self, title: &str, row: &Row) -> String {
        let Calls { calls, failed, latency, total } = row.calls;
        let duration = |of: fn(&Latency) -> u64| {
            let nanoseconds = latency.as_ref().map(of).and_then(|time| i64::try_from(time).ok());
            nanoseconds.map_or_else(|| "-".to_owned(), duration_text)
        };
        match title {
            "calls" => grouped(calls),
            "failed" => grouped(failed),
            "%" => percent(failed, calls),
            "/s" => self.seconds.map_or_else(|| "-".to_owned(), |s| rate_text(calls as f64 / s)),
            "p50" => duration(|latency| latency.p50),
            "p90" => duration(|latency| latency.p90),
            "p99" => duration(|latency| latency.p99),
            "max" => duration(|latency| latency.max),
            _ => match self.whole {
                Some(whole) => format!("{} %", percent(total, whole)),
                None => "-".to_owned(),
            },
        }
    }
}

fn line(text: &str, width: usize, out: &mut String) {
    let mut line = String::new();
    fit(text, width, &mut line);
    out.push_str(line.trim_end());
    out.push('\n');
}

const COLUMNS: [&str; 9] = ["calls", "failed", "%", "/s", "p50", "p90", "p99", "max", "time"];
/// What is left out on narrow lines, in this order.
const DISPENSABLE: &[&str] = &["p90", "/s", "max", "%", "p50", "time", "failed"];
/// Columns that a name should have.
const NAME: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::CallerKind;

    fn services() -> Vec<Service> {
        let calls = |calls, failed, total| {
            let latency = (total > 0).then(|| {
                let part = total / calls;
                Latency { p50: part, p90: part, p95: part, p99: 2 * part, max: 3 * part }
            });
            Calls { calls, failed, latency, total }
        };
        let operation = |protocol: &str, operation: &str, template: &str, calls| Operation {
            protocol: protocol.to_owned(),
            operation: operation.to_owned(),
            template: (!template.is_empty()).then(|| template.to_owned()),
            handshake: false,
            calls,
        };
        vec![
            Service {
                service: "shop.example".to_owned(),
                calls: calls(1_234_567, 12, 9_999_999_999_999),
                operations: vec![
                    operation("http", "GET", "/注文/{id}", calls(1_234_500, 12, 9_999_999_999_000)),
                    operation("http", "POST", "/orders", calls(67, 0, 999_999)),
                ],
            },
            Service {
                service: "cache.with.a.very.long.name.example".to_owned(),
                calls: calls(3, 0, 90),
                operations: vec![operation("redis", "GET", "items:{id}", calls(3, 0, 90))],
            },
            Service {
                service: "10.0.0.9:9090".to_owned(),
                calls: calls(2, 2, 0),
                operations: vec![operation("tcp", "connect", "to port 9090", calls(2, 2, 0))],
            },
        ]
    }

    fn edges() -> Vec<Edge> {
        let calls = Calls { calls: 1_234_567, failed: 12, latency: None, total: 7 };
        let [caller, callee] = ["cache.with.a.very.long.name.example", "shop.example"];
        vec![Edge {
            caller: caller.to_owned(),
            caller_kind: CallerKind::Service,
            callee: callee.to_owned(),
            calls,
        }]
    }

    fn shown(width: usize, order: Order, rows: usize) -> String {
        let layout = Layout { width, colors: false, ascii: false, order, rows };
        String::from_utf8_lossy(&table(&services(), &edges(), Some(60.0), layout)).into_owned()
    }

    #[test]
    fn lines_fit_any_width() {
        for width in 40..=300 {
            let text = shown(width, Order::Total, 2);
            let longest = text.lines().map(width::columns).max();
            assert!(longest <= Some(width), "{width}:\n{text}");
        }
    }

    #[test]
    fn rows_stand_in_the_order_that_is_asked_for() {
        let first = |order| {
            let text = shown(200, order, 9);
            let rows = text.lines().skip_while(|line| !line.contains("operation"));
            rows.skip(1).map(|row| row.chars().take(9).collect::<String>()).next()
        };
        assert_eq!(first(Order::Total).as_deref(), Some("shop.exam"));
        assert_eq!(first(Order::Count).as_deref(), Some("shop.exam"));
        assert_eq!(first(Order::Errors).as_deref(), Some("shop.exam"));
        assert_eq!(first(Order::P99).as_deref(), Some("shop.exam"));
        assert_eq!(first(Order::Name).as_deref(), Some("10.0.0.9:"));
    }

    #[test]
    fn what_is_left_out_is_said() {
        let text = shown(120, Order::Total, 1);
        assert!(text.contains("… 2 more services; --format table shows all"), "{text}");
        assert!(text.contains("… 3 more operations; --format table shows all"), "{text}");
        assert!(!shown(120, Order::Total, 9).contains("more"));
    }

    #[test]
    fn handshakes_have_a_table_of_their_own_and_no_share() {
        let mut services = services();
        let all = services.iter_mut().flat_map(|service| &mut service.operations);
        all.for_each(|one| one.handshake = one.operation == "POST");
        let order = Order::Total;
        let layout = Layout { width: 200, colors: false, ascii: false, order, rows: 9 };
        let text = table(&services, &[], Some(60.0), layout);
        let text = String::from_utf8_lossy(&text);
        let block = text.split("\n\n").find(|block| block.contains("handshake"));
        let rows: Vec<&str> = block.unwrap_or_default().lines().skip(1).collect();
        assert!(matches!(rows[..], [row] if row.contains("POST /orders") && row.ends_with('-')));
        assert_eq!(text.matches("POST").count(), 1);
    }

    #[test]
    fn services_without_calls_are_left_out() {
        let mut services = services();
        services.iter_mut().for_each(|service| service.calls = Calls::default());
        let order = Order::Total;
        let layout = Layout { width: 200, colors: false, ascii: false, order, rows: 9 };
        let text = String::from_utf8_lossy(&table(&services, &[], Some(60.0), layout)).into_owned();
        assert!(!text.contains("service  calls") && text.contains("operation"), "{text}");
    }

    #[test]
    fn calls_without_a_response_have_no_latency() {
        let text = shown(120, Order::Name, 9);
        let row = text.lines().find(|line| line.contains("connect to port 9090"));
        let cells: Vec<&str> = row.unwrap_or_default().split_whitespace().rev().collect();
        assert_eq!(cells.get(..6), Some(&["%", "0", "-", "-", "-", "-"][..]));
    }
}
