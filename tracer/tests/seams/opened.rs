//! What others find in the formats that are made for them: the same spans, traces and parents in
//! each, whatever the spans hold. The crate of OpenTelemetry reads its own.

use crate::http::{Call, Connection, all, end, get, ok, sorted};
use crate::packets::Random;
use crate::run::{Ran, run};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wirespan::export::TextSink;
use wirespan::export::chrome::Chrome;
use wirespan::export::jaeger::Jaeger;
use wirespan::export::otlp::{Encoding, Otlp};
use wirespan::export::semantics::Semantics;
use wirespan::export::zipkin::Zipkin;
use wirespan::span::SpanSink;

/// Trace, span and parent, in hexadecimal digits; the parent is empty without one.
type Found = BTreeSet<[String; 3]>;

#[test]
fn each_format_has_the_spans_and_parents_that_there_are() {
    let near = all(&[
        Call::new(1, 2, 10..90, "/front")
            .asks("traceparent: 00-0af7651916cd43dd8448eb211c80319c-00000000000000a1-01"),
        Call::new(2, 3, 20..40, "/back").asks("b3: 463ac35c9f6413ad-a2fb4a1d1a96d312-1"),
        Call::new(2, 4, 50..60, "/other"),
        Call::new(5, 6, 15..25, "/alone").asks("x-request-id: r\"1\""),
    ]);
    let far =
        near.iter().map(|packet| packet.clone().on("far").ttl(60).at_ns(packet.time() + 9_000));
    let both = sorted(near.iter().cloned().chain(far).collect());
    let [one, two] = [run(&near), run(&both)];
    assert_eq!((one.spans().len(), two.spans().len()), (4, 8));
    check(&one);
    check(&two);
    // What comes long after its trace hangs under what was handed out, or follows from it.
    let id = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-00000000000000a1-01";
    let late = run(&all(&[
        Call::new(1, 2, 10..90, "/front").asks(id),
        Call::new(2, 3, 20..40, "/back").asks(id),
        Call::new(2, 4, 9_000..9_010, "/late").asks(id),
    ]));
    assert!(late.trace_of("/late").spans[0].earlier.is_some());
    check(&late);
    check(&run(&[]));
}

#[test]
fn random_calls_look_the_same_in_each_format() {
    for seed in 0..5 {
        let mut random = Random(seed);
        let mut calls = Vec::new();
        for n in 0..200 {
            let mut below = |most| random.below(most) as i64;
            let (client, server, at) = (below(5) as u8, 5 + below(5) as u8, below(800));
            let call = Call::new(client, server, at..at + below(90), &format!("/{n}")).port(n + 1);
            calls.push(match below(3) {
                0 => call.asks(&format!("x-request-id: {}", below(30))),
                1 => call.asks(&format!("b3: {:016x}-{:016x}", 1 + below(9), 1 + below(99))),
                _ => call,
            });
        }
        check(&run(&all(&calls)));
    }
}

/// The header that every request carries, as a template that nobody filled in does.
#[test]
fn an_id_that_every_request_carries_is_no_trace() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let header = format!("traceparent: 00-{id}-00f067aa0ba902b7-01");
    let calls = (0..3_000).map(|n| {
        let at = i64::from(n) * 7;
        Call::new((n % 200) as u8, 250, at..at + 5, &format!("/{n}")).port(n + 1).asks(&header)
    });
    let ran = run(&all(&calls.collect::<Vec<_>>()));
    let traces: BTreeSet<u128> = ran.traces.iter().map(|trace| trace.id).collect();
    let mut spans: BTreeMap<String, usize> = BTreeMap::new();
    for [trace, _, _] in check(&ran) {
        *spans.entry(trace).or_default() += 1;
    }
    let most = spans.values().max().copied().unwrap_or_default();
    assert!(most <= 256, "{most} spans in one trace");
    assert_eq!(spans.len(), traces.len());
    assert!(ran.traces.len() > 2_000, "{} traces", ran.traces.len());
    // All of them say what they carried.
    let text = otlp_json(&ran);
    assert_eq!(text.matches("wirespan.id.traceparent.trace_id").count(), 3_000);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut connection = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = connection.open(10);
    let strange = b"GET /\xff\xfe\" HTTP/1.1\r\nHost: a\xc3\r\nUser-Agent: \xff\\\r\n\r\n";
    packets.push(connection.asks(10, strange));
    packets.push(connection.tells(20, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(check(&ran).len(), 1);
    assert!(otlp_json(&ran).contains('\u{fffd}'));
}

#[test]
fn what_takes_no_time_is_there_too() {
    let calls: Vec<Call> = (0..9).map(|n| Call::new(n, 20, 10..10, &format!("/{n}"))).collect();
    let ran = run(&all(&calls));
    assert_eq!(check(&ran).len(), 9);
    let zipkin: Value = serde_json::from_str(&zipkin(&ran)).unwrap();
    assert!(zipkin.as_array().unwrap().iter().all(|span| span["duration"] == 1));
}

/// What the conventions say of a call: its name, whether it failed, and what is told of it.
#[test]
fn http_is_told_as_the_conventions_say() {
    let mut connection = Connection::new(end(1, 40_000), end(2, 8080));
    let mut packets = connection.open(10);
    packets.push(connection.asks(10, get("/orders/17?page=2", &["Host: shop.example:8080"])));
    let broken =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n";
    packets.push(connection.tells(20, broken));
    packets.push(connection.asks(30, "BREW /pot HTTP/1.0\r\n\r\n"));
    packets.push(connection.tells(40, ok(&[], "")));
    let ran = run(&packets);
    let spans = read_json(&otlp_json(&ran));
    let told = |at: usize, key: &str| -> String {
        let found = spans[at].attributes.iter().find(|one| one.key == key);
        format!("{:?}", found.and_then(|one| one.value.clone()).and_then(|any| any.value))
    };
    assert_eq!((&*spans[0].name, &*spans[1].name), ("GET /orders/{id}", "HTTP /pot"));
    assert_eq!(spans[0].status.as_ref().map(|status| status.code), Some(2));
    assert!(spans[1].status.as_ref().is_none_or(|status| status.code == 0));
    for (at, key, value) in [
        (0, "http.request.method", r#"Some(StringValue("GET"))"#),
        (0, "url.path", r#"Some(StringValue("/orders/17"))"#),
        (0, "url.query", r#"Some(StringValue("page=2"))"#),
        (0, "server.address", r#"Some(StringValue("shop.example"))"#),
        (0, "server.port", "Some(IntValue(8080))"),
        (0, "http.response.status_code", "Some(IntValue(503))"),
        (0, "error.type", r#"Some(StringValue("503"))"#),
        (0, "network.protocol.version", r#"Some(StringValue("1.1"))"#),
        (1, "network.protocol.version", r#"Some(StringValue("1.0"))"#),
        (1, "http.request.method", r#"Some(StringValue("_OTHER"))"#),
        (1, "http.request.method_original", r#"Some(StringValue("BREW"))"#),
        (1, "error.type", "None"),
    ] {
        assert_eq!(told(at, key), value, "{key}");
    }
    let kind = told(0, "http.response.header.content-type");
    assert!(kind.contains("ArrayValue"), "headers are lists: {kind}");
}

/// Whatever the format, the same is found; what was found.
fn check(ran: &Ran) -> Found {
    let expected: Found = ran
        .traces
        .iter()
        .flat_map(|trace| {
            trace.spans.iter().map(|span| {
                let above = span.link.as_ref().map(|link| trace.spans[link.parent].id);
                let earlier = span.earlier.filter(|earlier| earlier.trace == trace.id);
                let parent = above.or_else(|| earlier.map(|earlier| earlier.span));
                let parent = parent.map(|id| format!("{id:016x}")).unwrap_or_default();
                [format!("{:032x}", trace.id), format!("{:016x}", span.id), parent]
            })
        })
        .collect();
    assert_eq!(expected.len(), ran.spans().len());
    let own = ran.ndjson();
    for (format, found) in [
        ("ndjson", own.lines().map(|line| ids(line, ["trace", "span", "parent"])).collect()),
        ("otlp-json", of_otlp(&read_json(&otlp_json(ran)))),
        ("otlp", of_otlp(&read_framed(&otlp(ran)))),
        ("jaeger-json", of_jaeger(&jaeger(ran))),
        ("zipkin-json", of_zipkin(&zipkin(ran))),
        ("chrome-trace", of_chrome(&chrome(ran))),
    ] {
        assert_eq!(found, expected, "{format}");
    }
    expected
}

fn otlp_json(ran: &Ran) -> String {
    text(ran, |semantics, out| {
        Box::new(TextSink::new(Otlp::new(semantics, Encoding::JsonLines), out))
    })
}

fn otlp(ran: &Ran) -> Vec<u8> {
    written(ran, |semantics, out| {
        Box::new(TextSink::new(Otlp::new(semantics, Encoding::Framed), out))
    })
}

fn jaeger(ran: &Ran) -> String {
    text(ran, |semantics, out| Box::new(TextSink::new(Jaeger::new(semantics), out)))
}

fn zipkin(ran: &Ran) -> String {
    text(ran, |semantics, out| Box::new(TextSink::new(Zipkin::new(semantics), out)))
}

fn chrome(ran: &Ran) -> String {
    text(ran, |semantics, out| Box::new(Chrome::new(semantics, out)))
}

fn text(
    ran: &Ran,
    make: impl for<'a> Fn(Semantics, &'a mut Vec<u8>) -> Box<dyn SpanSink + 'a>,
) -> String {
    String::from_utf8(written(ran, make)).unwrap()
}

/// What a sink writes, however the traces come.
fn written(
    ran: &Ran,
    make: impl for<'a> Fn(Semantics, &'a mut Vec<u8>) -> Box<dyn SpanSink + 'a>,
) -> Vec<u8> {
    let with = |together: usize| {
        let mut out = Vec::new();
        let mut sink = make(ran.semantics(), &mut out);
        ran.traces.chunks(together).for_each(|traces| sink.traces(traces).unwrap());
        sink.finish().unwrap();
        drop(sink);
        out
    };
    let all = with(usize::MAX);
    for together in [1, 7] {
        assert!(with(together) == all, "what is written hangs on how many traces come together");
    }
    all
}

type OtlpSpan = opentelemetry_proto::tonic::trace::v1::Span;

fn spans_of(request: ExportTraceServiceRequest) -> Vec<OtlpSpan> {
    let resources = request.resource_spans.into_iter();
    resources.flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
}

/// As the collector's receiver of such files does: a request a line.
fn read_json(text: &str) -> Vec<OtlpSpan> {
    let requests = text.lines().map(|line| serde_json::from_str(line).unwrap());
    requests.flat_map(spans_of).collect()
}

/// Each request behind its length.
fn read_framed(mut rest: &[u8]) -> Vec<OtlpSpan> {
    let mut spans = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        spans.extend(spans_of(ExportTraceServiceRequest::decode(request).unwrap()));
        rest = after;
    }
    assert!(rest.is_empty());
    spans
}

fn of_otlp(spans: &[OtlpSpan]) -> Found {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let found = spans.iter().map(|span| {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        let mut keys: Vec<&str> = span.attributes.iter().map(|one| &*one.key).collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|two| two[0] != two[1]), "a key comes twice: {keys:?}");
        [hex(&span.trace_id), hex(&span.span_id), hex(&span.parent_span_id)]
    });
    found.collect()
}

fn ids(span: &str, keys: [&str; 3]) -> [String; 3] {
    ids_of(&serde_json::from_str(span).unwrap(), keys)
}

fn ids_of(span: &Value, keys: [&str; 3]) -> [String; 3] {
    keys.map(|key| span[key].as_str().unwrap_or_default().to_owned())
}

fn of_jaeger(text: &str) -> Found {
    let document: Value = serde_json::from_str(text).unwrap();
    let mut found = Found::new();
    for trace in document["data"].as_array().unwrap() {
        for span in trace["spans"].as_array().unwrap() {
            assert_eq!(span["traceID"], trace["traceID"]);
            let process = span["processID"].as_str().unwrap();
            assert!(trace["processes"][process]["serviceName"].is_string());
            let references = span["references"].as_array().unwrap().iter();
            let parent = references.filter(|one| one["refType"] == "CHILD_OF").map(|parent| {
                assert_eq!(parent["traceID"], trace["traceID"]);
                parent["spanID"].as_str().unwrap().to_owned()
            });
            let [trace, span, _] = ids_of(span, ["traceID", "spanID", ""]);
            found.insert([trace, span, parent.collect()]);
        }
    }
    found
}

fn of_zipkin(text: &str) -> Found {
    let spans: Value = serde_json::from_str(text).unwrap();
    let spans = spans.as_array().unwrap().iter();
    spans.map(|span| ids_of(span, ["traceId", "id", "parentId"])).collect()
}

/// Slices of a thread lie within each other or apart, and arrows begin and end at slices.
fn of_chrome(text: &str) -> Found {
    let document: Value = serde_json::from_str(text).unwrap();
    let events = document["traceEvents"].as_array().unwrap();
    let nanoseconds =
        |event: &Value, key: &str| (event[key].as_f64().unwrap() * 1e3).round() as i64;
    let mut found = Found::new();
    let mut threads: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for event in events {
        let thread = event["tid"].as_u64().unwrap();
        match event["ph"].as_str().unwrap() {
            "M" => drop(named.insert((event["pid"].as_u64(), thread))),
            "X" => {
                let start = nanoseconds(event, "ts");
                assert!(start >= 0);
                threads.entry(thread).or_default().push((start, start + nanoseconds(event, "dur")));
                found.insert(ids_of(&event["args"], ["trace", "span", "parent"]));
                assert!(named.contains(&(event["pid"].as_u64(), thread)), "no name before it");
            }
            _ => {}
        }
    }
    for slices in threads.values_mut() {
        slices.sort_by_key(|(start, end)| (*start, -end));
        let mut open: Vec<i64> = Vec::new();
        for (start, end) in slices {
            open.retain(|until| *until > *start);
            assert!(open.iter().all(|until| *until >= *end), "slices cross");
            open.push(*end);
        }
    }
    for event in events.iter().filter(|event| ["s", "f"].contains(&event["ph"].as_str().unwrap())) {
        let at = nanoseconds(event, "ts");
        let slices = &threads[&event["tid"].as_u64().unwrap()];
        assert!(
            slices.iter().any(|(start, end)| (*start..=*end).contains(&at)),
            "an arrow in the air"
        );
    }
    found
}
