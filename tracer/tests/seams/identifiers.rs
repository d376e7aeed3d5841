//! Identifiers of all formats, from headers to links.

use crate::http::{Call, Connection, all, end, get, head, ok, sorted};
use crate::packets::{Packet, source};
use crate::run::{Ran, join, run, run_source, run_with};
use std::sync::Arc;
use wirespan::config::Config;
use wirespan::join::IdSet;
use wirespan::join::window::WindowLimits;
use wirespan_parsers::registry::protocols;
use wirespan_parsers::secrets::Secrets;
use wirespan_parsers::settings::Settings;
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::trace_context::conceal::Concealment;
use wirespan_parsers::trace_context::own::OwnIds;

/// A call and the one that it causes carry these headers; gives the trees, which are the same when
/// the written spans are joined.
fn trees(front: &[&str], back: &[&str]) -> Vec<String> {
    ran(front, back).trees()
}

fn ran(front: &[&str], back: &[&str]) -> Ran {
    let asks = |call: Call, headers: &[&str]| headers.iter().fold(call, |call, h| call.asks(h));
    // Time and place alone do not join these: two such calls are open at a time.
    let calls = [
        asks(Call::new(1, 2, 10..90, "/front"), front),
        Call::new(9, 2, 11..89, "/noise"),
        asks(Call::new(2, 3, 20..80, "/back"), back),
    ];
    let ran = run(&all(&calls));
    let (again, _) = join(&[&ran.ndjson()], WindowLimits::default());
    assert_eq!(again, ran.ndjson(), "{front:?} {back:?}");
    ran
}

fn joined(reason: &str, front: &[&str], back: &[&str]) {
    let tree = format!("/front(/back[{reason}])");
    assert_eq!(trees(front, back), [tree.as_str(), "/noise"], "{front:?} {back:?}");
}

fn apart(front: &[&str], back: &[&str]) {
    let trees = trees(front, back);
    assert!(trees.contains(&"/front".to_owned()), "{trees:?} {front:?} {back:?}");
}

const TRACE: &str = "traceparent: 00-80f198ee56343ba864fe8b2a57d3eff7-00000000000000aa-01";

#[test]
fn trace_ids_of_other_formats_join() {
    joined("uber-trace-id", &[TRACE], &["uber-trace-id: 80f198ee56343ba864fe8b2a57d3eff7:bb:aa:1"]);
    joined("b3", &[TRACE], &["b3: 80f198ee56343ba864fe8b2a57d3eff7-00000000000000bb"]);
    joined(
        "x-amzn-trace-id",
        &[TRACE],
        &["X-Amzn-Trace-Id: Root=1-80f198ee-56343ba864fe8b2a57d3eff7"],
    );
    joined(
        "x-cloud-trace-context",
        &[TRACE],
        &["X-Cloud-Trace-Context: 80f198ee56343ba864fe8b2a57d3eff7/7;o=1"],
    );
    joined("x-trace-id", &[TRACE], &["X-Trace-Id: 80f198ee56343ba864fe8b2a57d3eff7"]);
    joined("x-instana-t", &[TRACE], &["X-INSTANA-T: 80f198ee56343ba864fe8b2a57d3eff7"]);
    joined("traceparent", &["traceid: 80f198ee-5634-3ba8-64fe-8b2a57d3eff7"], &[TRACE]);
}

#[test]
fn id_of_64_bits_joins_the_one_that_it_is_the_lower_half_of() {
    // 0x64fe8b2a57d3eff7 is 7277407061855694839.
    let datadog = "x-datadog-trace-id: 7277407061855694839";
    joined("x-datadog-trace-id", &[TRACE], &[datadog]);
    joined("b3", &[TRACE], &["b3: 64fe8b2a57d3eff7-00000000000000bb"]);
    joined("uber-trace-id", &[datadog], &["uber-trace-id: 64fe8b2a57d3eff7:bb:0:1"]);
    let whole = "x-datadog-tags: _dd.p.tid=80f198ee56343ba8";
    joined("traceparent", &[datadog, whole], &[TRACE]);
    let ran = ran(&[datadog], &[TRACE]);
    assert_eq!(ran.trace_of("/back").id, 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7);
}

#[test]
fn ids_of_128_bits_with_the_same_lower_half_are_apart() {
    apart(&[TRACE], &["traceparent: 00-00000000000000ff64fe8b2a57d3eff7-00000000000000bb-01"]);
    apart(&[TRACE], &["b3: ffffffffffffffff64fe8b2a57d3eff7-00000000000000bb"]);
}

#[test]
fn half_that_fits_two_ids_joins_neither() {
    let other = "traceparent: 00-00000000000000ff64fe8b2a57d3eff7-00000000000000bb-01";
    let half = "b3: 64fe8b2a57d3eff7-00000000000000cc";
    let calls = [
        Call::new(1, 2, 10..90, "/a").asks(TRACE),
        Call::new(4, 2, 11..89, "/b").asks(other),
        Call::new(2, 3, 20..80, "/c").asks(half),
    ];
    assert_eq!(run(&all(&calls)).trees(), ["/a", "/b", "/c"]);
}

#[test]
fn ids_of_one_format_join() {
    let sw8 = "sw8: 1-N2E=-N2I=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";
    let other = "sw8: 1-N2E=-N2Q=-1-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";
    joined("sw8", &[sw8], &[other]);
    joined(
        "pinpoint-traceid",
        &["Pinpoint-TraceID: a^1^2", "Pinpoint-SpanID: -7"],
        &["Pinpoint-TraceID: a^1^2", "Pinpoint-SpanID: 9", "Pinpoint-pSpanID: -7"],
    );
    let sofa = "SOFA-TraceId: 0ad1348f1403169275002100356696";
    joined("sofa-traceid", &[sofa, "SOFA-RpcId: 0"], &[sofa, "SOFA-RpcId: 0.1"]);
    joined(
        "eagleeye-traceid",
        &["EagleEye-TraceID: 0ad1348f1403169275002100356696"],
        &["EagleEye-TraceID: 0ad1348f1403169275002100356696"],
    );
    let root = "X-CAT-ROOT-MESSAGE-ID: web-0a010203-450000-1";
    joined("cat", &[root], &[root]);
    joined("request-id", &["Request-Id: |a.1."], &["Request-Id: |a.1.ff_1."]);
    joined("x-tingyun", &["X-Tingyun: c=1|a;x=fa6e"], &["X-Tingyun: c=1|b;x=fa6e"]);
    joined("cloudwise", &["CLOUDWISE: a"], &["CLOUDWISE: a"]);
    joined("x-correlation-id", &["X-Correlation-ID: r"], &["X-Correlation-ID: r"]);
    joined("x-trace-id", &["X-Trace-Id: any text"], &["X-Trace-Id: any text"]);
    joined(
        "newrelic",
        &[r#"newrelic: {"d":{"tr":"3221bf09aa0bcf0d"}}"#],
        &[r#"newrelic: {"d":{"tr":"3221bf09aa0bcf0d","id":"27856f70d3d314b7"}}"#],
    );
    joined(
        "grpc-trace-bin",
        &["grpc-trace-bin: AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcYAgE"],
        &["grpc-trace-bin: AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcZAgE="],
    );
}

#[test]
fn ids_that_mean_different_things_do_not_join() {
    apart(&["X-Request-ID: r"], &["X-Correlation-ID: r"]);
    apart(&["X-Correlation-ID: r"], &["CLOUDWISE: r"]);
    apart(&["baggage: id=r"], &["baggage: id=r"]);
    apart(&["tracestate: dd=s:1"], &["tracestate: dd=s:1"]);
}

#[test]
fn parent_tells_which_of_two_calls_is_above() {
    let asks = |call: Call, span: &str, parent: &str| {
        call.asks("Pinpoint-TraceID: a^1^2")
            .asks(&format!("Pinpoint-SpanID: {span}"))
            .asks(&format!("Pinpoint-pSpanID: {parent}"))
    };
    let ran = run(&all(&[
        asks(Call::new(1, 2, 10..90, "/one"), "5", "-1"),
        asks(Call::new(4, 2, 12..88, "/two"), "6", "-1"),
        asks(Call::new(2, 3, 20..40, "/under one"), "7", "5"),
        asks(Call::new(2, 3, 50..60, "/under two"), "8", "6"),
    ]));
    assert_eq!(
        ran.trees(),
        ["/one(/under one[pinpoint-traceid]) + /two(/under two[pinpoint-traceid])"]
    );
}

#[test]
fn several_identifiers_of_a_message_are_kept_apart() {
    let ran = ran(&[TRACE, "sw8: x", "X-Request-ID: r", "X-Correlation-ID: r"], &[]);
    let formats: Vec<Format> =
        ran.span("/front").exchange.contexts.iter().map(|context| context.format).collect();
    assert_eq!(formats, [Format::Traceparent, Format::RequestId, Format::CorrelationId]);
}

#[test]
fn calls_one_after_the_other_are_one_trace_while_what_made_them_is_open() {
    let step = |n: i64| Call::new(2, 3, 20 + 2 * n..21 + 2 * n, "/step").port(10_000 + n as u16);
    let calls = (0..600).map(|n| step(n).asks(TRACE));
    let calls: Vec<Call> =
        [Call::new(1, 2, 10..1_300, "/batch").asks(TRACE)].into_iter().chain(calls).collect();
    let ran = run(&all(&calls));
    assert!(ran.summary.repeating_ids.is_empty(), "{:?}", ran.summary.repeating_ids);
    assert_eq!(ran.trace_of("/batch").spans.len(), 601);
}

/// Reads packets with identifiers of the user's.
fn run_asking(packets: &[Packet], ids: &OwnIds) -> Ran {
    let settings = Arc::new(Settings { ids: ids.clone(), ..Settings::default() });
    let ran = run_with(packets, &|| {
        let settings = Arc::clone(&settings);
        Config { protocols: Box::new(move || protocols(&settings)), ..Config::default() }
    });
    let (again, _) = join(&[&ran.ndjson()], WindowLimits::default());
    assert_eq!(again, ran.ndjson());
    ran
}

#[test]
fn headers_of_the_users_join() {
    let mut ids = OwnIds::default();
    for words in ["x-txn", "order=x-order", "order=x-order-ref", "x-old:traceparent"] {
        ids.add_header(words).unwrap();
    }
    let check = |front: &str, back: &str, reason: &str| {
        let calls = [
            Call::new(1, 2, 10..90, "/front").asks(front),
            Call::new(9, 2, 11..89, "/noise"),
            Call::new(2, 3, 20..80, "/back").asks(back),
        ];
        let ran = run_asking(&all(&calls), &ids);
        assert_eq!(ran.trees(), [format!("/front(/back[{reason}])"), "/noise".to_owned()]);
    };
    check("X-Txn: 17 a", "x-txn: 17 a", "x-txn");
    check("X-Order: 17", "X-Order-Ref: 17", "order");
    let old = "X-Old: 00-80f198ee56343ba864fe8b2a57d3eff7-00000000000000bb-01";
    check(TRACE, old, "traceparent");
}

#[test]
fn only_identifiers_that_may_join_do() {
    let packets = all(&[
        Call::new(1, 2, 10..90, "/front").asks(TRACE).asks("X-Request-ID: r"),
        Call::new(9, 2, 11..89, "/noise"),
        Call::new(2, 3, 20..80, "/back").asks(TRACE).asks("X-Request-ID: r"),
    ]);
    let trees = |ids: IdSet| {
        let limits = WindowLimits { ids, ..WindowLimits::default() };
        let ran = run_with(&packets, &|| Config { window: limits, ..Config::default() });
        assert_eq!(ran.span("/back").exchange.contexts.len(), 2, "all are shown");
        let (again, _) = join(&[&run(&packets).ndjson()], limits);
        assert_eq!(again, ran.ndjson(), "{ids:?}");
        ran.trees()
    };
    assert_eq!(trees(IdSet::NONE), ["/front", "/noise", "/back"]);
    assert_eq!(trees([Format::Traceparent].into_iter().collect()), trees(IdSet::ALL));
    let ids = [Format::RequestId].into_iter().collect();
    assert_eq!(trees(ids), ["/front(/back[x-request-id])", "/noise"]);
    assert_eq!(trees([Format::B3].into_iter().collect()), trees(IdSet::NONE));
}

/// A call to `/front?txn=t-7`, and within it this request, in two packets; whether they join.
fn check_carrier(place: &str, request: &[u8], cut: usize) {
    let mut ids = OwnIds::default();
    ids.add_field("query:txn").unwrap();
    ids.add_field(place).unwrap();
    let mut front = Connection::new(end(1, 4_000), end(2, 80));
    let mut other = Connection::new(end(9, 4_000), end(2, 80));
    let mut back = Connection::new(end(2, 4_000), end(3, 80));
    let mut packets = [front.open(1), other.open(1), back.open(1)].concat();
    packets.push(front.asks(10, get("/front?a=1&txn=t%2d7", &[])));
    packets.push(other.asks(11, get("/noise", &[])));
    packets.push(back.asks(20, &request[..cut]));
    packets.push(back.asks(30, &request[cut..]));
    packets.push(back.tells(40, ok(&[], "")));
    packets.push(other.tells(50, ok(&[], "")));
    packets.push(front.tells(60, ok(&[], "")));
    let ran = run_asking(&sorted(packets), &ids);
    assert_eq!(ran.trees(), ["/front(/back[id])", "/noise"], "{place}, cut at {cut}");
    assert!(ran.ndjson().contains(r#"{"format":"id","named":true,"text":"t-7"}"#));
}

fn post(media_type: &str, body: &str) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let media_type = format!("Content-Type: {media_type}");
    (head("POST /back HTTP/1.1", &[&media_type, &length]) + body).into_bytes()
}

#[test]
fn id_in_a_body_joins_one_in_a_query_wherever_it_is_cut() {
    let json = post("application/json", r#"{"a":[{}],"txn":{"serial":"t-7"}}"#);
    let xml = post("text/xml", "<a><b n='1'>x</b><b>t-7</b></a>");
    let form = post("application/x-www-form-urlencoded", "a=b&serial=t%2D7");
    let chunked = head("POST /back HTTP/1.1", &["Transfer-Encoding: chunked"])
        + "9\r\n{\"id\":\"t-\r\n3;x\r\n7\"}\r\n0\r\n\r\n";
    for (place, request) in [
        ("json:$.txn.serial", json),
        ("xml:/a/b", xml),
        ("form:serial", form),
        ("json:$.id", chunked.into_bytes()),
    ] {
        for cut in (1..request.len()).step_by(7).chain(request.len() - 30..request.len()) {
            check_carrier(place, &request, cut);
        }
    }
}

#[test]
fn id_in_a_response_joins() {
    let mut ids = OwnIds::default();
    ids.add_field("txn=json:$.id").unwrap();
    ids.add_header("txn=x-txn").unwrap();
    let mut front = Connection::new(end(1, 4_000), end(2, 80));
    let mut other = Connection::new(end(9, 4_000), end(2, 80));
    let mut packets = [front.open(1), other.open(1)].concat();
    packets.push(front.asks(10, get("/front", &[])));
    packets.push(other.asks(11, get("/noise", &[])));
    packets.extend(Call::new(2, 3, 20..30, "/back").asks("X-Txn: 77").packets());
    packets.push(other.tells(50, ok(&[], "")));
    packets.push(front.tells(60, ok(&["Content-Type: application/json"], r#"{"id":77}"#)));
    let ran = run_asking(&sorted(packets), &ids);
    assert_eq!(ran.trees(), ["/front(/back[txn])", "/noise"]);
}

/// Calls that carry an id which is secret: one in a header that is known, one in a place of the
/// user's, and one as a trace id.
fn secret_calls() -> Vec<Packet> {
    all(&[
        Call::new(1, 2, 10..90, "/a").asks("X-Request-ID: CANARY"),
        Call::new(9, 2, 11..89, "/noise"),
        Call::new(2, 3, 20..80, "/b?txn=1").asks("X-Request-ID: CANARY").asks("X-Txn: CANARY2"),
        Call::new(9, 3, 21..79, "/noise"),
        Call::new(3, 4, 30..70, "/c?txn=CANARY2").asks(&TRACE.replace("traceparent", "b3-like")),
        Call::new(9, 4, 31..69, "/noise"),
    ])
}

pub(crate) fn secret_run(packets: &[Packet], key: Option<&[u8]>) -> Ran {
    let mut ids = OwnIds::default();
    ids.add_field("txn=query:txn").unwrap();
    ids.add_header("txn=x-txn").unwrap();
    ids.add_header("b3-like:traceparent").unwrap();
    let secrets = ids.secrets(Secrets::with_names([&b"x-request-id"[..], b"txn", b"b3-like"]));
    ids.conceal(match key {
        Some(key) => Concealment::keyed(secrets.clone(), key),
        None => Concealment::within_run(secrets.clone()),
    });
    let settings = Arc::new(Settings { ids, secrets, ..Settings::default() });
    let config = Config {
        protocols: Box::new(move || protocols(&settings)),
        details: true,
        ..Config::default()
    };
    let mut ran = run_source(&mut source(packets, 10), &config);
    ran.protocols = config.protocol_names();
    ran
}

#[test]
fn secret_identifier_joins_and_is_not_told() {
    let ran = secret_run(&secret_calls(), None);
    assert!(ran.trees().contains(&"/a(/b[x-request-id](/c[txn]))".to_owned()), "{:?}", ran.trees());
    let written = ran.ndjson();
    assert!(!written.contains("CANARY"), "{written}");
    assert!(!written.contains("80f198ee56343ba864fe8b2a57d3eff7"), "{written}");
    assert!(written.contains(r#"{"format":"x-request-id","hidden":true}"#), "{written}");
    assert!(written.contains(r#"{"format":"traceparent","hidden":true}"#), "{written}");
    // What is joined anew lacks them, and is read all the same.
    let (again, _) = join(&[&written], WindowLimits::default());
    assert_eq!(again.lines().count(), written.lines().count());
}

#[test]
fn secret_identifiers_of_one_key_join_across_machines() {
    let packets = secret_calls();
    let one = secret_run(&packets, Some(b"a key of the user's"));
    let written = one.ndjson();
    assert!(!written.contains("CANARY") && !written.contains("80f198ee"), "{written}");
    assert!(!written.contains("hidden"), "{written}");
    let (again, _) = join(&[&written], WindowLimits::default());
    assert_eq!(again, written, "spans hold all that joins");
    let other = secret_run(&packets, Some(b"another key of theirs")).ndjson();
    assert_ne!(other, written, "the key decides");
}
