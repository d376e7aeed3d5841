//! What a run says of itself, as metrics for Prometheus: in go the latest snapshot and the counts of
//! calls, out comes a text in either of two formats:
//! [Prometheus' own](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4,
//! and [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) 1.0.0.
//! `tracer/docs/metrics.md` describes each metric.

use crate::red::{BUCKETS, CallCounts, Red, RedReader};
use crate::vitals::{InterfaceVitals, Vitals};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
    prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use wirespan_capture::packet::Timestamp;

/// The metrics of a run.
#[derive(Debug)]
pub struct Exposition {
    red: RedReader,
    vitals: Mutex<Vitals>,
}

/// What metrics are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl TextFormat {
    /// Its name as a content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Exposition {
    /// Metrics of a run whose calls are counted there.
    pub fn new(red: RedReader) -> Self {
        Self { red, vitals: Mutex::default() }
    }

    /// Takes the latest snapshot in place of the one before.
    pub fn set(&self, vitals: Vitals) {
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner) = vitals;
    }

    /// All metrics as a text.
    pub fn text(&self, format: TextFormat) -> String {
        let vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Metrics { vitals, red: self.red.read() }));
        let mut text = String::new();
        let written = match format {
            TextFormat::Prometheus => prometheus_text::encode(&mut text, &registry),
            TextFormat::OpenMetrics => text::encode(&mut text, &registry),
        };
        // Writing to memory does not fail.
        debug_assert!(written.is_ok());
        text
    }
}

/// What is written.
#[derive(Debug)]
struct Metrics {
    vitals: Vitals,
    red: Red,
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        self.build(&mut out)?;
        self.packets(&mut out)?;
        self.kernel(&mut out)?;
        self.streams(&mut out)?;
        self.joined(&mut out)?;
        self.calls(&mut out)
    }
}

impl Metrics {
    fn build(&self, out: &mut Writer<'_>) -> fmt::Result {
        let name = "wirespan_build";
        let help = "The version of wirespan, and where it runs. The value is 1";
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ];
        out.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)?;
        if let Some(process) = self.vitals.live.process {
            let help = "User and system time of the process";
            out.counter(Name::seconds("process_cpu"), help, &process.cpu_seconds)?;
            let help = "Memory that the process has now";
            out.gauge(Name::bytes("process_resident_memory"), help, &process.resident_bytes)?;
            let help = "The most memory that the process had";
            out.gauge(Name::bytes("wirespan_peak_memory"), help, &process.peak_bytes)?;
        }
        if let Some(began) = self.vitals.live.began {
            let help = "When the run began, since 1970";
            out.gauge(Name::seconds("process_start_time"), help, &seconds(began))?;
        }
        Ok(())
    }

    fn packets(&self, out: &mut Writer<'_>) -> fmt::Result {
        let counters = &self.vitals.counters;
        out.counter("wirespan_packets", "Packets that were read", &counters.packets)?;
        out.counter(Name::bytes("wirespan"), "Their bytes on the wire", &counters.bytes)?;
        let (fates, lost) = self.vitals.sorted();
        let help =
            "Packets by what became of them; those of which nothing is to be said are not in it";
        out.counters("wirespan_packet_fates", help, "fate", &fates)?;
        let help = "What could not be had, by what it was: packets, messages, requests. Gaps and \
            evictions have metrics of their own";
        let own = ["gaps", "gap_bytes", "gaps_forced", "flows_evicted", "requests_evicted"];
        let lost: BTreeMap<_, _> =
            lost.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect();
        out.counters("wirespan_lost", help, "what", &lost)?;
        if let Some(reached) = self.vitals.reached {
            let help = "Packet time that was reached, since 1970";
            out.gauge(Name::seconds("wirespan_packet_time"), help, &seconds(reached))?;
        }
        Ok(())
    }

    fn kernel(&self, out: &mut Writer<'_>) -> fmt::Result {
        let live = &self.vitals.live;
        if let Some(lag) = self.vitals.lag() {
            let help = "How far the work is behind the clock";
            out.gauge(Name::seconds("wirespan_lag"), help, &(lag as f64 / 1e9))?;
        }
        let interfaces = |of: fn(&InterfaceVitals) -> u64| {
            live.interfaces.iter().map(move |one| ([("interface", one.name.as_str())], of(one)))
        };
        let help = "Packets that passed the kernel's filter, also those that it then dropped";
        let received = interfaces(|one| one.received);
        out.counter_family("wirespan_kernel_received_packets", help, received)?;
        let help = "Packets that the kernel dropped since the ring was full";
        let dropped = interfaces(|one| one.dropped);
        out.counter_family("wirespan_kernel_dropped_packets", help, dropped)?;
        let help = "Packets that the interface or its driver dropped";
        let dropped = interfaces(|one| one.dropped_by_interface);
        out.counter_family("wirespan_interface_dropped_packets", help, dropped)?;
        let help = "Size of the rings that packets come through";
        let rings = interfaces(|one| one.ring_bytes);
        out.gauge_family(Name::bytes("wirespan_ring"), help, rings)?;
        let help = "What was left out since more came than could be worked on";
        let shed = live.shed.each().map(|(what, count)| ([("what", what)], count));
        out.counter_family("wirespan_shed", help, shed)?;
        let queues = live.queues.iter();
        let depths = queues.clone().map(|queue| ([("queue", queue.name)], queue.depth));
        out.gauge_family("wirespan_queue_depth", "What waits in a queue now", depths)?;
        let limits = queues.map(|queue| ([("queue", queue.name)], queue.limit));
        out.gauge_family("wirespan_queue_limit", "How much may wait in a queue", limits)
    }

    fn streams(&self, out: &mut Writer<'_>) -> fmt::Result {
        let vitals = &self.vitals;
        let counters = &vitals.counters;
        let help = "TCP connections and UDP flows, each at each point that saw it";
        out.counter("wirespan_flows", help, &counters.flows)?;
        out.gauge("wirespan_flows_open", "Flows that are followed now", &vitals.flows)?;
        out.counter("wirespan_gaps", "Gaps in streams of bytes", &counters.gaps)?;
        out.counter(Name::bytes("wirespan_gap"), "Bytes lost in gaps", &counters.gap_bytes)?;
        let help = "What was given up for a limit: flows; requests; gaps that were declared since \
            too many bytes waited (waiting_bytes)";
        let evictions = vitals.evictions().map(|(what, count)| ([("what", what)], count));
        out.counter_family("wirespan_evictions", help, evictions)?;
        out.counter("wirespan_messages", "Messages that were decoded", &vitals.messages)?;
        let help = "Requests that wait for their responses now";
        out.gauge("wirespan_requests_open", help, &vitals.open_requests)
    }

    fn joined(&self, out: &mut Writer<'_>) -> fmt::Result {
        let joined = &self.vitals.joined;
        let help = "Requests with their responses, once their trace has settled";
        out.counters("wirespan_exchanges", help, "protocol", &joined.exchanges)?;
        let help = "Requests without a response, by why there is none";
        out.counters("wirespan_unanswered_requests", help, "why", &joined.open_by)?;
        let help = "Logins and other steps that carry no call";
        out.counters("wirespan_handshakes", help, "protocol", &joined.handshakes)?;
        let help = "Messages that await no answer";
        out.counters("wirespan_one_way_messages", help, "protocol", &joined.one_way)?;
        let help = "Connections that failed before anything was said";
        out.counters("wirespan_failed_connections", help, "how", &joined.failed_connections)?;
        let help = "Exchanges that wait now for what belongs to their trace";
        out.gauge("wirespan_exchanges_held", help, &self.vitals.held)?;
        out.counter("wirespan_spans", "Exchanges, each at each point that saw it", &joined.spans)?;
        out.counter("wirespan_traces", "Traces that have settled", &joined.traces)?;
        let help = "Traces of more than one exchange";
        out.counter("wirespan_joined_traces", help, &joined.joined_traces)?;
        let help = "Links between spans, by their evidence";
        out.counters("wirespan_links", help, "reason", &joined.links)?;
        let help = "Traces that were settled before their time, by the limit that was reached";
        out.counters("wirespan_settled_early", help, "limit", &joined.settled_early)?;
        let help = "Identifiers that repeat without end, and so join nothing";
        out.gauge("wirespan_repeating_ids", help, &joined.repeating_ids)
    }

    fn calls(&self, out: &mut Writer<'_>) -> fmt::Result {
        let operations = || {
            self.red.operations.iter().map(|([service, protocol, operation], counts)| {
                let service = ("service", &**service);
                ([service, ("protocol", &**protocol), ("operation", &**operation)], counts)
            })
        };
        let requests = operations().map(|(labels, counts)| (labels, counts.requests));
        let help = "Calls of a service; also connections and handshakes that failed";
        out.counter_family("wirespan_requests", help, requests)?;
        let errors = operations().map(|(labels, counts)| (labels, counts.errors));
        let help = "Those of them that failed";
        out.counter_family("wirespan_request_errors", help, errors)?;
        let help = "How long those took that have a response";
        out.histograms(Name::seconds("wirespan_request_duration"), help, operations())?;
        let edges = || {
            self.red.edges.iter().map(|([caller, service, protocol], counts)| {
                let caller = ("caller", &**caller);
                ([caller, ("service", &**service), ("protocol", &**protocol)], counts)
            })
        };
        let requests = edges().map(|(labels, counts)| (labels, counts.requests));
        let help = "Calls from one service or host to a service; also connections and handshakes that failed";
        out.counter_family("wirespan_edge_requests", help, requests)?;
        let errors = edges().map(|(labels, counts)| (labels, counts.errors));
        let help = "Those of them that failed";
        out.counter_family("wirespan_edge_request_errors", help, errors)?;
        let help = "How long those took that have a response";
        out.histograms(Name::seconds("wirespan_edge_request_duration"), help, edges())?;
        let help = "Calls that are counted as other, since there were too many names";
        let others = [("operations", self.red.other_operations), ("edges", self.red.other_edges)];
        let others = others.map(|(table, count)| ([("table", table)], count));
        out.counter_family("wirespan_requests_not_told_apart", help, others)
    }
}

/// The name of a metric without its unit, which stands behind it, and without `_total`.
#[derive(Clone, Copy, Debug)]
struct Name {
    text: &'static str,
    unit: Option<&'static Unit>,
}

impl Name {
    fn seconds(text: &'static str) -> Self {
        Self { text, unit: Some(&Unit::Seconds) }
    }

    fn bytes(text: &'static str) -> Self {
        Self { text, unit: Some(&Unit::Bytes) }
    }
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Self {
        Self { text, unit: None }
    }
}

/// Writes metrics. A family without a member is left out.
struct Writer<'e>(DescriptorEncoder<'e>);

impl Writer<'_> {
    fn counter(
        &mut self,
        name: impl Into<Name>,
        help: &str,
        value: &impl EncodeCounterValue,
    ) -> fmt::Result {
        let Name { text, unit } = name.into();
        let mut metric = self.0.encode_descriptor(text, help, unit, MetricType::Counter)?;
        metric.encode_counter(value, NO_EXEMPLAR)
    }

    fn gauge(
        &mut self,
        name: impl Into<Name>,
        help: &str,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        let Name { text, unit } = name.into();
        self.0.encode_descriptor(text, help, unit, MetricType::Gauge)?.encode_gauge(value)
    }

    fn counters(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        counts: &BTreeMap<String, u64>,
    ) -> fmt::Result {
        let counts = counts.iter().map(|(value, count)| ([(label, value.as_str())], *count));
        self.counter_family(name, help, counts)
    }

    fn counter_family<S: EncodeLabelSet>(
        &mut self,
        name: impl Into<Name>,
        help: &str,
        counts: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        self.family(name.into(), help, MetricType::Counter, counts, |metric, count| {
            metric.encode_counter(&count, NO_EXEMPLAR)
        })
    }

    fn gauge_family<S: EncodeLabelSet>(
        &mut self,
        name: impl Into<Name>,
        help: &str,
        values: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        self.family(name.into(), help, MetricType::Gauge, values, |metric, value| {
            metric.encode_gauge(&value)
        })
    }

    fn histograms<'c, S: EncodeLabelSet>(
        &mut self,
        name: Name,
        help: &str,
        calls: impl IntoIterator<Item = (S, &'c CallCounts)>,
    ) -> fmt::Result {
        let bounds = BUCKETS.map(|nanoseconds| nanoseconds as f64 / 1e9);
        self.family(name, help, MetricType::Histogram, calls, |metric, calls| {
            let bounds = bounds.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(calls.durations).collect();
            let sum = calls.nanoseconds as f64 / 1e9;
            let count = calls.durations.iter().sum();
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    fn family<S: EncodeLabelSet, V>(
        &mut self,
        name: Name,
        help: &str,
        kind: MetricType,
        members: impl IntoIterator<Item = (S, V)>,
        write: impl Fn(&mut prometheus_client::encoding::MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut members = members.into_iter().peekable();
        if members.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name.text, help, name.unit, kind)?;
        members.try_for_each(|(labels, value)| write(&mut family.encode_family(&labels)?, value))
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1e9
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, OPERATION, RESOURCE, State};
    use crate::export::ndjson::SourceNames;
    use crate::export::semantics::Semantics;
    use crate::red::RedMetrics;
    use crate::span::{Span, Trace};
    use crate::vitals::{Live, ProcessVitals, QueueVitals, Shed};
    use std::collections::BTreeSet;
    use std::io::{ErrorKind, Write};
    use std::process::{Command, Stdio};
    use wirespan_parsers::message::{Attribute, Value};

    fn call(state: State, path: &str) -> Trace {
        let mut exchange = Exchange::lasting(3_000_000);
        exchange.state = state;
        for (name, value) in [(OPERATION, "GET"), (RESOURCE, path)] {
            exchange.text.add(Attribute { name, value: Value::Text(value.as_bytes()) });
        }
        let span = Span {
            id: 1,
            exchange: Box::new(exchange),
            point: 0,
            first_point: 0,
            service: "shop".into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        };
        Trace { id: 1, wire: None, late: false, spans: vec![span] }
    }

    /// All metrics, each with a value.
    fn full() -> Exposition {
        let protocols = vec!["http".to_owned()];
        let mut red = RedMetrics::new(Semantics::new(protocols, SourceNames::default()));
        red.count(&[call(State::Complete, "/orders/7")]);
        red.count(&[call(State::TimedOut, "/a\\b\"c\nd\0e")]);
        let exposition = Exposition::new(red.reader());
        let second = 1_000_000_000;
        let mut vitals = Vitals {
            reached: Some(Timestamp(1_795_568_975 * second)),
            flows: 2,
            messages: 8,
            open_requests: 1,
            held: 3,
            live: Live {
                at: Some(Timestamp(1_795_568_975 * second + 12_000_000)),
                began: Some(Timestamp(1_795_568_900 * second)),
                interfaces: vec![InterfaceVitals {
                    name: "eth0".to_owned(),
                    received: 1_000,
                    dropped: 10,
                    dropped_by_interface: 1,
                    ring_bytes: 64 << 20,
                }],
                shed: Shed { packets: 1, flows: 2, traces: 4 },
                queues: vec![QueueVitals { name: "output", depth: 3, limit: 64, traces_shed: 0 }],
                process: Some(ProcessVitals {
                    cpu_seconds: 1.25,
                    resident_bytes: 84_000_000,
                    peak_bytes: 90_000_000,
                }),
            },
            ..Vitals::default()
        };
        vitals.counters.packets = 990;
        vitals.counters.bytes = 99_000;
        vitals.counters.copies = 5;
        vitals.counters.gaps = 4;
        vitals.counters.fragments_lost = 1;
        vitals.lose("requests_evicted", 6);
        let joined = &mut vitals.joined;
        for map in [&mut joined.exchanges, &mut joined.handshakes, &mut joined.one_way] {
            map.insert("http".to_owned(), 7);
        }
        joined.open_by.insert("timed_out".to_owned(), 1);
        joined.failed_connections.insert("refused".to_owned(), 1);
        joined.links.insert("traceparent".to_owned(), 1);
        joined.settled_early.insert("held".to_owned(), 1);
        exposition.set(vitals);
        exposition
    }

    /// The names of all families, as they are announced.
    fn families(text: &str) -> BTreeSet<&str> {
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        names.filter_map(|rest| rest.split(' ').next()).collect()
    }

    #[test]
    fn each_metric_is_documented_and_each_documented_one_is_served() {
        let text = full().text(TextFormat::Prometheus);
        let served = families(&text);
        let page = include_str!("../docs/metrics.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let documented: BTreeSet<&str> = rows.collect();
        assert_eq!(served, documented);
    }

    #[test]
    fn values_stand_under_their_names_and_labels() {
        let text = full().text(TextFormat::Prometheus);
        let call = r#"service="shop",protocol="http",operation="GET /orders/{id}""#;
        let odd = "service=\"shop\",protocol=\"http\",\
            operation=\"GET /a\\\\b\\\"c\u{fffd}d\u{fffd}e\"";
        let duration = "wirespan_request_duration_seconds";
        for line in [
            "# TYPE wirespan_packets_total counter",
            "wirespan_packets_total 990",
            "wirespan_bytes_total 99000",
            r#"wirespan_packet_fates_total{fate="copies"} 5"#,
            r#"wirespan_lost_total{what="fragments_lost"} 1"#,
            r#"wirespan_kernel_dropped_packets_total{interface="eth0"} 10"#,
            r#"wirespan_ring_bytes{interface="eth0"} 67108864"#,
            "wirespan_lag_seconds 0.012",
            "wirespan_gaps_total 4",
            r#"wirespan_evictions_total{what="flows"} 0"#,
            r#"wirespan_evictions_total{what="requests"} 6"#,
            r#"wirespan_queue_depth{queue="output"} 3"#,
            r#"wirespan_exchanges_total{protocol="http"} 7"#,
            r#"wirespan_shed_total{what="traces"} 4"#,
            "process_cpu_seconds_total 1.25",
            "process_resident_memory_bytes 84000000",
            r#"wirespan_edge_requests_total{caller="10.0.0.1",service="shop",protocol="http"} 2"#,
            &format!("wirespan_requests_total{{{call}}} 1"),
            &format!("wirespan_request_errors_total{{{odd}}} 1"),
            &format!("{duration}_bucket{{{call},le=\"0.0025\"}} 0"),
            &format!("{duration}_bucket{{{call},le=\"0.005\"}} 1"),
            &format!("{duration}_bucket{{{call},le=\"+Inf\"}} 1"),
            &format!("{duration}_sum{{{call}}} 0.003"),
            &format!("{duration}_count{{{call}}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn both_formats_hold_the_same_values() {
        let exposition = full();
        let samples = |format| {
            let text = exposition.text(format);
            // Bounds of buckets are written in another way: 1 or 1.0.
            let is_plain = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
            let lines = text.lines().filter(is_plain);
            lines.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        assert_eq!(samples(TextFormat::Prometheus), samples(TextFormat::OpenMetrics));
        assert!(exposition.text(TextFormat::OpenMetrics).ends_with("\n# EOF\n"));
    }

    #[test]
    fn run_that_has_just_begun_has_counts_of_nothing() {
        let red = RedMetrics::new(Semantics::new(Vec::new(), SourceNames::default()));
        let text = Exposition::new(red.reader()).text(TextFormat::Prometheus);
        assert!(text.contains("\nwirespan_packets_total 0\n"), "{text}");
        let labels = text.lines().filter(|line| line.contains("service="));
        assert_eq!(labels.count(), 0);
    }

    #[test]
    fn promtool_has_nothing_to_say() {
        let run = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut run = match run {
            Ok(run) => run,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no promtool; Debian has it in the package prometheus");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let text = full().text(TextFormat::Prometheus);
        run.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = run.wait_with_output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert_eq!((String::from_utf8_lossy(&said).as_ref(), done.status.code()), ("", Some(0)));
    }
}
