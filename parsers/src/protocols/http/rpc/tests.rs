//! Calls from the fields of their heads to their status.

use super::*;
use crate::message::Side;
use crate::message::{Message, Outcome};
use crate::protocol::Inner;
use crate::trace_context::TraceContext;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Keeps attributes and the last status.
#[derive(Default)]
struct Sink {
    attributes: Vec<String>,
    status: Option<(Outcome, u32, String)>,
    /// What the request was renamed to.
    named: Option<String>,
}

fn owned(status: Status<'_>) -> (Outcome, u32, String) {
    (status.outcome, status.code, String::from_utf8_lossy(status.text).into_owned())
}

impl Out for Sink {
    fn open(&mut self, _message: Message<'_>) -> Key {
        Key(0)
    }
    fn wants(&self, _key: Key) -> usize {
        0
    }
    fn add(&mut self, _key: Key, attribute: Attribute<'_>) {
        let name = attribute.name.strip_prefix("wirespan.rpc.").unwrap_or(attribute.name);
        self.attributes.push(match attribute.value {
            Value::Int(number) => format!("{name}={number}"),
            Value::Text(text) => format!("{name}={}", String::from_utf8_lossy(text)),
        });
    }
    fn context(&mut self, _key: Key, _context: &TraceContext<'_>) {}
    fn status(&mut self, _key: Key, status: Status<'_>) {
        self.status = Some(owned(status));
    }
    fn rename(&mut self, _key: Key, dialect: Dialect, operation: &[u8], resource: &[u8]) {
        let dialect = match dialect {
            Dialect::Within(place) => DIALECTS.get(usize::from(place)).copied(),
            Dialect::Plain => None,
        };
        let [operation, resource] = [operation, resource].map(String::from_utf8_lossy);
        self.named = Some(format!("{} {operation} of {resource}", dialect.unwrap_or("http")));
    }
    fn body(&mut self, _key: Key, _bytes: &[u8]) {}
    fn extend(&mut self, _key: Key, _end: usize) {}
    fn close(&mut self, _key: Key, _end: usize) {}
    fn inner(&mut self, _lane: u64, _from: Side, _event: Inner<'_>) {}
    fn lost(&mut self, _what: &'static str) {}
}

type Fields<'a> = &'a [(&'a str, &'a str)];

fn pairs<'a>(fields: Fields<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// A call from head to end; bodies come after the heads, at times 10, 20, …
struct Case<'a> {
    request: Fields<'a>,
    sent: &'a [&'a [u8]],
    http: u16,
    response: Fields<'a>,
    received: &'a [&'a [u8]],
    trailers: Option<Fields<'a>>,
}

const GRPC: Fields<'static> = &[
    (":method", "POST"),
    (":path", "/shop.Orders/Get"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
];
const CASE: Case<'static> = Case {
    request: GRPC,
    sent: &[b"\0\0\0\0\x01a"],
    http: 200,
    response: &[("content-type", "application/grpc")],
    received: &[b"\0\0\0\0\x02ab"],
    trailers: Some(&[("grpc-status", "0")]),
};

/// The last status, as name and outcome, and the attributes.
fn run(case: &Case<'_>) -> (String, Vec<String>) {
    let mut sink = Sink::default();
    let secrets = Secrets::default();
    let mut call = Call::of_request(pairs(case.request), 0, Timestamp(0)).expect("a call");
    call.request(Key(0), b"", pairs(case.request), &mut sink);
    for (place, bytes) in (1..).zip(case.sent) {
        call.data(Role::Client, bytes, Timestamp(place * 10));
    }
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    let ends = case.received.is_empty() && case.trailers.is_none();
    let status =
        call.response(Key(1), Some(case.http), pairs(case.response), 0, ends, &secrets, &mut sink);
    sink.status = status.map(owned);
    for (place, bytes) in (1..).zip(case.received) {
        call.data(Role::Server, bytes, Timestamp(place * 10));
    }
    if let Some(trailers) = case.trailers {
        call.trailers(Role::Server, Key(1), pairs(trailers), 0, &secrets, &mut sink);
    }
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    let status = match sink.status {
        None => "as HTTP".to_owned(),
        Some((Outcome::Unknown, 0, _)) => "unknown".to_owned(),
        Some((outcome, code, name)) => {
            assert_eq!((outcome, code, name.clone()), owned(status::status(code)));
            name
        }
    };
    (status, sink.attributes)
}

fn check(case: &Case<'_>, status: &str, attributes: &[&str]) {
    let found = run(case);
    assert_eq!(
        (found.0.as_str(), found.1),
        (status, attributes.iter().map(|a| (*a).to_owned()).collect())
    );
}

#[test]
fn status_comes_from_trailers() {
    let counts = ["request.messages=1", "response.messages=1"];
    check(&CASE, "OK", &counts);
    let trailers: Fields<'_> = &[("grpc-status", "14"), ("grpc-message", "over%20load%25 %zz")];
    let expected = [counts[0], "error=over load% %zz", counts[1]];
    check(&Case { trailers: Some(trailers), ..CASE }, "UNAVAILABLE", &expected);
    check(&Case { trailers: Some(&[("x", "y")]), ..CASE }, "unknown", &counts);
    check(&Case { trailers: None, ..CASE }, "unknown", &counts);
}

#[test]
fn a_head_may_be_all_there_is() {
    let response: Fields<'_> =
        &[("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no")];
    let case = Case { response, received: &[], trailers: None, ..CASE };
    check(&case, "NOT_FOUND", &["request.messages=1", "error=no", "response.messages=0"]);
    // Else it is in the trailers.
    let trailers: Option<Fields<'_>> = Some(&[("grpc-status", "0")]);
    check(
        &Case { response, trailers, ..CASE },
        "OK",
        &["request.messages=1", "response.messages=1"],
    );
}

#[test]
fn what_stands_between_may_answer() {
    let response: Fields<'_> = &[("content-type", "text/html")];
    let case = Case { http: 503, response, received: &[b"<html>"], trailers: None, ..CASE };
    check(&case, "UNAVAILABLE", &["request.messages=1", "http.response.status_code=503"]);
    let case = Case { http: 404, ..case };
    check(&case, "UNIMPLEMENTED", &["request.messages=1", "http.response.status_code=404"]);
}

#[test]
fn streams_say_who_sent_more_than_one() {
    let many: &[&[u8]] = &[b"\0\0\0\0\x01a", b"\0\0\0\0\x03abc"];
    let stream = |side: &str| {
        ["messages=2", "messages.largest=3", "messages.first=10", "messages.last=20"]
            .map(|text| format!("{side}.{text}"))
    };
    let shown = |texts: &[&[String]], last: &str| {
        let mut all: Vec<String> = texts.iter().copied().flatten().cloned().collect();
        all.push(format!("streaming={last}"));
        all
    };
    let (requests, responses) = (stream("request"), stream("response"));
    let one = |side: &str| [format!("{side}.messages=1")];
    assert_eq!(
        run(&Case { received: many, ..CASE }).1,
        shown(&[&one("request"), &responses], "server")
    );
    assert_eq!(
        run(&Case { sent: many, ..CASE }).1,
        shown(&[&requests, &one("response")], "client")
    );
    assert_eq!(
        run(&Case { sent: many, received: many, ..CASE }).1,
        shown(&[&requests, &responses], "both")
    );
}

#[test]
fn heads_tell_deadline_compression_and_attempts() {
    let request = |timeout| {
        [
            ("content-type", "application/grpc+proto"),
            ("grpc-timeout", timeout),
            ("grpc-encoding", "gzip"),
            ("grpc-previous-rpc-attempts", "2"),
        ]
    };
    let sent: &[&[u8]] = &[b"\x01\0\0\0\x01a"];
    for (timeout, milliseconds) in [
        ("2S", 2000),
        ("99999999H", 359_999_996_400_000_i64),
        ("3M", 180_000),
        ("7m", 7),
        ("1u", 1),
        ("2000001n", 3),
    ] {
        let case = Case { request: &request(timeout), sent, ..CASE };
        check(
            &case,
            "OK",
            &[
                "request.compression=gzip",
                &format!("timeout_ms={milliseconds}"),
                "previous_attempts=2",
                "request.messages=1",
                "request.messages.compressed=1",
                "response.messages=1",
            ],
        );
    }
    for timeout in ["", "S", "5", "1x", "-1S", "999999999S"] {
        let (_, attributes) = run(&Case { request: &request(timeout), ..CASE });
        assert!(!attributes.iter().any(|text| text.starts_with("timeout")), "{timeout}");
    }
}

#[test]
fn trailers_of_grpc_web_are_in_the_body() {
    let types: Fields<'_> = &[("Content-Type", "application/grpc-web+proto")];
    let received: &[&[u8]] =
        &[b"\0\0\0\0\x02ab\x80\0\0\0\x27grpc-status: 7\r\nGrpc-Message:no%20way\r\n"];
    let case = Case { request: types, response: types, received, trailers: None, ..CASE };
    let counts = ["request.messages=1", "response.messages=1"];
    check(&case, "PERMISSION_DENIED", &[counts[0], "error=no way", counts[1]]);
    let cut: &[&[u8]] = &[b"\0\0\0\0\x02ab\x80\0\0\0\x27grpc-status: 7\r\n"];
    check(&Case { received: cut, ..case }, "unknown", &counts);
    // An empty body, and the trailers in the head, whether it ends the stream or not.
    let response: Fields<'_> = &[("content-type", "application/grpc-web"), ("grpc-status", "3")];
    let case = Case { request: types, response, received: &[b""], trailers: None, ..CASE };
    check(&case, "INVALID_ARGUMENT", &["request.messages=1", "response.messages=0"]);
}

#[test]
fn grpc_web_may_be_in_base64() {
    let types: Fields<'_> = &[("content-type", "application/grpc-web-text")];
    let case = Case {
        request: types,
        sent: &[b"AAAAAAFh"],
        response: types,
        received: &[b"AAAAAAJhYg==", b"gAAAABBncnBjLXN0YXR1czoxMg0K"],
        trailers: None,
        ..CASE
    };
    check(&case, "UNIMPLEMENTED", &["request.messages=1", "response.messages=1"]);
}

#[test]
fn streams_of_connect_end_with_json() {
    let types: Fields<'_> =
        &[("content-type", "application/connect+json"), ("connect-timeout-ms", "50")];
    let counts = ["timeout_ms=50", "request.messages=1", "response.messages=1"];
    let case =
        |received| Case { request: types, response: types, received, trailers: None, ..CASE };
    check(&case(&[b"\0\0\0\0\x02{}\x02\0\0\0\x02{}"]), "OK", &counts);
    let failed: &[&[u8]] = &[
        b"\0\0\0\0\x02{}\x02\0\0\0\x39",
        br#"{"error":{"code":"unavailable","message":"over \"load\""}}"#,
    ];
    let expected = [counts[0], counts[1], "error=over \"load\"", counts[2]];
    check(&case(failed), "UNAVAILABLE", &expected);
    // An error without a code; none that is known; one that is compressed.
    check(
        &case(&[b"\0\0\0\0\x02{}\x02\0\0\0\x1a{\"error\":{\"message\":\"a\"}}\n\n"]),
        "UNKNOWN",
        &[counts[0], counts[1], "error=a", counts[2]],
    );
    check(&case(&[b"\0\0\0\0\x02{}\x02\0\0\0\x09{\"error\"}"]), "OK", &counts);
    check(&case(&[b"\0\0\0\0\x02{}\x03\0\0\0\x01."]), "unknown", &counts);
}

#[test]
fn what_a_body_ends_with_may_be_compressed() {
    let ends = |flags: u8, text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        let bytes = encoder.finish().unwrap();
        [&[flags][..], &u32::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes].concat()
    };
    let tell = |request: Fields<'static>, response: Fields<'static>, end: &[u8]| {
        let received: &[&[u8]] = &[b"\0\0\0\0\x02ab", end];
        run(&Case { request, response, received, trailers: None, ..CASE }).0
    };
    let web: Fields<'_> = &[("content-type", "application/grpc-web"), ("grpc-encoding", "gzip")];
    assert_eq!(tell(web, web, &ends(0x81, b"grpc-status: 5\r\n")), "NOT_FOUND");
    let unknown: Fields<'_> = &[("content-type", "application/grpc-web"), ("grpc-encoding", "x")];
    assert_eq!(tell(web, unknown, &ends(0x81, b"grpc-status: 5\r\n")), "unknown");
    let connect: Fields<'_> =
        &[("content-type", "application/connect+json"), ("connect-content-encoding", "gzip")];
    assert_eq!(tell(connect, connect, &ends(3, b"{}")), "OK");
    assert_eq!(tell(connect, connect, &ends(3, br#"{"error":{"code":"aborted"}}"#)), "ABORTED");
    // More than is read of one that is not compressed.
    assert_eq!(tell(connect, connect, &ends(3, &[b' '; 5000])), "unknown");
}

#[test]
fn calls_of_connect_with_one_message_have_the_status_of_http() {
    let request: Fields<'_> =
        &[("content-type", "application/json"), ("connect-protocol-version", "1")];
    let response: Fields<'_> = &[("content-type", "application/json")];
    let case =
        Case { request, sent: &[b"{}"], response, received: &[b"{}"], trailers: None, ..CASE };
    check(&case, "OK", &[]);
    let error: &[&[u8]] = &[b"{\"code\":\"not_found\",", b"\"message\":\"no\"}"];
    let case = Case { http: 404, received: error, ..case };
    check(&case, "NOT_FOUND", &["http.response.status_code=404", "error=no"]);
    let case = Case { received: &[b"<html>"], ..case };
    check(&case, "UNIMPLEMENTED", &["http.response.status_code=404"]);
    let get: Fields<'_> =
        &[(":method", "GET"), (":path", "/a.B/C?message=x&encoding=json&connect=v1")];
    check(
        &Case { request: get, sent: &[], http: 200, response, received: &[b"{}"], trailers: None },
        "OK",
        &[],
    );
}

const JSON: Fields<'static> = &[("content-type", "application/json")];

/// What happens to the body of an error of Connect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Nothing,
    All,
    End,
    /// One of its head's fields is not known.
    OfField,
}

/// The status of a call of Connect that is answered so.
fn failed(http: u16, response: Fields<'_>, body: &[u8], loss: Loss) -> String {
    let request: Fields<'_> =
        &[("content-type", "application/json"), ("connect-protocol-version", "1")];
    let (mut sink, secrets) = (Sink::default(), Secrets::default());
    let mut call = Call::of_request(pairs(request), 0, Timestamp(0)).expect("a call");
    call.request(Key(0), b"", pairs(request), &mut sink);
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    let (key, fields) = (Key(1), pairs(response));
    let unknown = u32::from(loss == Loss::OfField);
    let status = call.response(key, Some(http), fields, unknown, false, &secrets, &mut sink);
    sink.status = status.map(owned);
    match loss {
        Loss::All => call.lose(Role::Server),
        _ => call.data(Role::Server, body, Timestamp(1)),
    }
    if loss == Loss::End {
        call.cut(Role::Server);
    }
    call.end(Role::Server, key, &secrets, &mut sink);
    let (outcome, code, text) = sink.status.expect("a status");
    format!("{outcome:?} {code} {text}").trim_end().to_owned()
}

#[test]
fn codes_of_http_hold_only_where_no_error_can_be_in_the_body() {
    let error = br#"{"code":"resource_exhausted"}"#;
    let check = |(http, body, loss): (u16, &[u8], Loss), expected: &str| {
        assert_eq!(failed(http, JSON, body, loss), expected);
    };
    check((429, error, Loss::Nothing), "ClientError 8 RESOURCE_EXHAUSTED");
    check((429, error, Loss::All), "Unknown 0");
    check((429, &error[..9], Loss::End), "Unknown 0");
    check((429, error, Loss::End), "ClientError 8 RESOURCE_EXHAUSTED");
    check((429, b"", Loss::Nothing), "ServerError 14 UNAVAILABLE");
    check((429, b"{}", Loss::End), "ServerError 14 UNAVAILABLE");
    // Whatever the body says, this is the server's.
    check((503, error, Loss::All), "ServerError 0");
    check((404, &[b' '; 5000], Loss::Nothing), "Unknown 0");
    // No client looks for an error in what is not JSON.
    let html: Fields<'_> = &[("content-type", "text/html")];
    assert_eq!(failed(404, html, error, Loss::All), "ServerError 12 UNIMPLEMENTED");
    assert_eq!(failed(404, &[], error, Loss::All), "Unknown 0");
}

#[test]
fn errors_of_connect_may_be_compressed() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"code":"out_of_range"}"#).unwrap();
    let body = encoder.finish().unwrap();
    let fields: Fields<'_> = &[("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(failed(400, fields, &body, Loss::Nothing), "ClientError 11 OUT_OF_RANGE");
    assert_eq!(failed(400, fields, &body[..20], Loss::End), "Unknown 0");
    let fields: Fields<'_> = &[("content-type", "application/json"), ("content-encoding", "x")];
    assert_eq!(failed(400, fields, &body, Loss::Nothing), "Unknown 0");
    // A field that is not known may say so.
    assert_eq!(failed(400, JSON, &body, Loss::OfField), "Unknown 0");
    assert_eq!(failed(400, JSON, b"{}", Loss::OfField), "ServerError 13 INTERNAL");
}

/// What a call goes by at last whose request lacks a field, which is answered so, and its status.
fn found(request: Fields<'_>, known: Option<Kind>, answer: (Fields<'_>, &[u8])) -> String {
    let ((response, body), secrets) = (answer, Secrets::default());
    let mut call = Call::of_request(pairs(request), 1, Timestamp(0))
        .or_else(|| Call::of_unknown(pairs(request), Timestamp(0), known))
        .expect("a call");
    let Dialect::Within(place) = call.dialect() else { panic!("not a call") };
    let named = DIALECTS[usize::from(place)].to_owned();
    let mut sink = Sink { named: Some(named), ..Sink::default() };
    call.request(Key(0), b"/a.B/C", pairs(request), &mut sink);
    call.data(Role::Client, WHOLE, Timestamp(1));
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    let unknown = u32::from(response.is_empty());
    let (key, fields) = (Key(1), pairs(response));
    let status = call.response(key, Some(200), fields, unknown, false, &secrets, &mut sink);
    sink.status = status.map(owned);
    call.data(Role::Server, body, Timestamp(1));
    call.end(Role::Server, key, &secrets, &mut sink);
    let (outcome, code, text) = sink.status.expect("a status");
    let named = sink.named.expect("a name");
    format!("{named}: {outcome:?} {code} {text}").trim_end().to_owned()
}

#[test]
fn calls_of_connect_with_an_unknown_type_may_be_streams() {
    let request: Fields<'_> = &[(":method", "POST"), ("connect-protocol-version", "1")];
    let check = |response: Fields<'_>, body: &[u8], expected: &str| {
        assert_eq!(found(request, None, (response, body)), expected);
    };
    let end = b"\x02\0\0\0\x1e{\"error\":{\"code\":\"data_loss\"}}";
    check(&[], end, "connect: Unknown 0");
    let stream: Fields<'_> = &[("content-type", "application/connect+json")];
    check(stream, end, "connect: ServerError 15 DATA_LOSS");
    check(JSON, b"{}", "connect: Ok 0 OK");
}

#[test]
fn responses_tell_what_their_requests_did_not() {
    let web: Fields<'_> = &[("content-type", "application/grpc-web+proto")];
    let end = b"\x80\0\0\0\x10grpc-status: 5\r\n";
    let timeout: Fields<'_> = &[("grpc-timeout", "1S")];
    let expected = "grpc-web C of a.B: ClientError 5 NOT_FOUND";
    assert_eq!(found(timeout, None, (web, end)), expected);
    // Its body alone, too.
    assert_eq!(found(timeout, None, (&[], end)), expected);
    assert_eq!(found(timeout, None, (GRPC, b"")), "grpc: Unknown 0");
    // What was remembered of others.
    let kind = |fields| Call::of_request(pairs(fields), 0, Timestamp(0)).expect("a call").kind();
    assert_eq!(found(&[], kind(web), (&[], end)), "grpc-web: ClientError 5 NOT_FOUND");
    assert_eq!(found(&[], kind(GRPC), (web, end)), expected);
    assert_eq!(kind(&[("grpc-timeout", "1S")]), kind(GRPC));
    let unsure = Call::of_request(pairs(timeout), 1, Timestamp(0)).expect("a call");
    assert_eq!(unsure.kind(), None);
}

/// What a call is that has no status yet and that one side resets with this code.
fn reset(request: Fields<'_>, http: u16, body: &[u8], reset: (Role, u32, bool)) -> Option<String> {
    let (mut sink, secrets) = (Sink::default(), Secrets::default());
    let mut call = Call::of_request(pairs(request), 0, Timestamp(0)).expect("a call");
    let response = match http {
        200 => request,
        _ => &[("content-type", "text/plain")],
    };
    call.response(Key(1), Some(http), pairs(response), 0, false, &secrets, &mut sink);
    call.data(Role::Server, body, Timestamp(1));
    call.cut(Role::Server);
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    let (by, code, has_ended) = reset;
    call.reset(by, code, has_ended).map(|status| String::from_utf8_lossy(status.text).into_owned())
}

#[test]
fn clients_that_reset_say_nothing_of_what_was_answered() {
    let check = |request: Fields<'_>, http, body: &[u8], by, expected: Option<&str>| {
        assert_eq!(reset(request, http, body, by).as_deref(), expected, "{request:?} {http}");
    };
    let (cancel, lost) = ((Role::Client, 8, false), (Role::Client, 8, true));
    let connect: Fields<'_> = &[("content-type", "application/connect+json")];
    let unary: Fields<'_> =
        &[("content-type", "application/json"), ("connect-protocol-version", "1")];
    check(GRPC, 200, WHOLE, cancel, Some("CANCELLED"));
    check(connect, 200, WHOLE, cancel, Some("CANCELLED"));
    // An error of HTTP is one, whatever follows it.
    for request in [GRPC, connect, unary] {
        check(request, 404, b"", cancel, None);
        check(request, 404, b"", (Role::Server, 2, false), None);
    }
    // The server may have said more.
    check(GRPC, 200, WHOLE, lost, Some(""));
    check(GRPC, 200, WHOLE, (Role::Server, 8, true), Some("CANCELLED"));
    check(connect, 200, b"\x03\0\0\0\x01.", (Role::Client, 2, false), Some(""));
    check(connect, 200, b"\xff\0\0\0\x01.", (Role::Client, 2, false), Some(""));
    check(connect, 200, b"\x02\0\0\0\x02{}", (Role::Client, 2, false), None);
}

#[test]
fn what_a_client_of_connect_has_already_is_no_failure() {
    let request: Fields<'_> = &[(":method", "GET"), (":path", "/a.B/C?message=x&connect=v1")];
    let case = Case { request, sent: &[], http: 304, response: &[], received: &[], trailers: None };
    check(&case, "as HTTP", &["http.response.status_code=304"]);
}

#[test]
fn trailers_of_grpc_say_nothing_of_calls_of_connect() {
    let fields: Fields<'_> = &[("grpc-status", "5"), ("grpc-message", "no")];
    let trailers = Some(fields);
    let request: Fields<'_> = &[("content-type", "application/connect+json")];
    let ends: &[&[u8]] = &[b"\x02\0\0\0\x02{}"];
    let case = Case { request, response: request, received: ends, trailers, ..CASE };
    check(&case, "OK", &["request.messages=1", "response.messages=0"]);
    let request: Fields<'_> =
        &[("content-type", "application/json"), ("connect-protocol-version", "1")];
    let response: Fields<'_> = &[("content-type", "application/json")];
    check(&Case { request, response, trailers, ..CASE }, "OK", &[]);
    // Nor where it is not known in which way one of them is written.
    let (mut sink, secrets) = (Sink::default(), Secrets::default());
    let mut call = Call::of_request(pairs(&request[1..]), 1, Timestamp(0)).expect("a call");
    call.response(Key(1), Some(200), pairs(&[]), 1, false, &secrets, &mut sink);
    call.trailers(Role::Server, Key(1), pairs(fields), 0, &secrets, &mut sink);
    assert_eq!((sink.status, sink.attributes), (None, Vec::new()));
}

#[test]
fn triple_says_more_of_the_service() {
    let request: Fields<'_> = &[
        ("content-type", "application/grpc+proto"),
        ("tri-service-version", "1.0.0"),
        ("tri-service-group", "blue"),
        ("tri-consumer-appname", "web"),
        ("tri-req-id", "7"),
    ];
    check(
        &Case { request, ..CASE },
        "OK",
        &[
            "service.version=1.0.0",
            "service.group=blue",
            "client.application=web",
            "request.messages=1",
            "response.messages=1",
        ],
    );
    // The message is an exception.
    let mut sink = Sink::default();
    let secrets = Secrets::default();
    let mut call = Call::of_request(pairs(request), 0, Timestamp(0)).expect("a call");
    let response: Fields<'_> =
        &[("content-type", "application/grpc+proto"), ("tri-exception-code", "3")];
    call.response(Key(1), Some(200), pairs(response), 0, false, &secrets, &mut sink);
    call.trailers(Role::Server, Key(1), pairs(&[("grpc-status", "0")]), 0, &secrets, &mut sink);
    assert_eq!(sink.status, Some((Outcome::ServerError, 0, "EXCEPTION".to_owned())));
    let expected = ["wirespan.triple.exception_code=3", "rpc.response.status_code=OK"];
    assert_eq!(sink.attributes, expected);
    let json: Fields<'_> = &[("content-type", "application/json"), ("tri-service-timeout", "30")];
    let case = Case {
        request: json,
        response: &[("content-type", "application/json")],
        trailers: None,
        ..CASE
    };
    check(&case, "as HTTP", &["timeout_ms=30"]);
    let other: Fields<'_> = &[("content-type", "application/json"), ("tri-state", "30")];
    assert_eq!(dialect(other), None);
}

#[test]
fn names_are_told_from_paths() {
    let check = |path: &'static str, service: &str, method: &str| {
        let name = Name::of(path.as_bytes());
        assert_eq!((name.service, name.method), (service.as_bytes(), method.as_bytes()), "{path}");
    };
    check("/shop.Orders/Get", "shop.Orders", "Get");
    check("/api/v1/shop.Orders/Get?connect=v1", "api/v1/shop.Orders", "Get");
    check("/Get", "", "Get");
    check("", "", "");
}

fn dialect(fields: Fields<'_>) -> Option<&'static str> {
    match Call::of_request(pairs(fields), 0, Timestamp(0))?.dialect() {
        Dialect::Within(place) => DIALECTS.get(usize::from(place)).copied(),
        Dialect::Plain => None,
    }
}

#[test]
fn requests_are_calls_if_they_say_so() {
    let typed = |content_type: &str| dialect(&[("content-type", content_type)]);
    assert_eq!(typed("application/grpc"), Some("grpc"));
    assert_eq!(typed("Application/GRPC;charset=utf-8"), Some("grpc"));
    assert_eq!(typed("application/grpc-web-text+proto"), Some("grpc-web"));
    assert_eq!(typed("application/connect+proto"), Some("connect"));
    assert_eq!(typed("application/grpcx"), None);
    assert_eq!(typed("application/json"), None);
    assert_eq!(dialect(&[("grpc-timeout", "1S")]), Some("grpc"));
    assert_eq!(dialect(&[("grpc-timeout", "1S"), ("content-type", "text/html")]), None);
    assert_eq!(dialect(&[("x-grpc", "1"), ("te", "trailers")]), None);
    assert_eq!(
        dialect(&[("tri-req-id", "1"), ("content-type", "application/grpc")]),
        Some("triple")
    );
    assert_eq!(dialect(&[(":method", "POST"), (":path", "/a?connect=v1")]), None);
}

#[test]
fn a_response_may_say_that_it_answers_a_call() {
    let mut sink = Sink::default();
    let secrets = Secrets::default();
    let fields: Fields<'_> = &[("content-type", "application/grpc")];
    let mut call = Call::of_response(pairs(fields)).expect("a call");
    call.response(Key(1), Some(200), pairs(fields), 0, false, &secrets, &mut sink);
    call.trailers(Role::Server, Key(1), pairs(&[("grpc-status", "0")]), 0, &secrets, &mut sink);
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    assert_eq!(sink.status, Some((Outcome::Ok, 200, "OK".to_owned())));
    assert_eq!(sink.attributes, ["response.messages=0"]);
    assert!(Call::of_response(pairs(&[("content-type", "text/html")])).is_none());
}

/// What came of a request that may be a call for all that is known of it.
struct Unknown<'a> {
    company: Option<Company>,
    sent: &'a [u8],
    response: Fields<'a>,
    /// Fields of the response's head that are not known, and whether the head is all there is.
    head: (u32, bool),
    received: &'a [u8],
    /// Trailers, and how many more of them are not known.
    trailers: Option<(Fields<'a>, u32)>,
}

const WHOLE: &[u8] = b"\0\0\0\0\x01a";
const UNKNOWN: Unknown<'static> = Unknown {
    company: None,
    sent: WHOLE,
    response: &[],
    head: (1, false),
    received: WHOLE,
    trailers: Some((&[], 1)),
};

/// What the request goes by at last, and its status.
fn find_out(case: &Unknown<'_>) -> String {
    let mut sink = Sink::default();
    let secrets = Secrets::default();
    let unknown = pairs(&[(":method", "POST")]);
    let mut call = Call::of_unknown(unknown, Timestamp(0), None).expect("a call, perhaps");
    assert_eq!(call.dialect(), Dialect::Plain);
    call.request(Key(0), b"/shop.Orders/Get", pairs(&[]), &mut sink);
    call.data(Role::Client, case.sent, Timestamp(1));
    call.accompany(case.company);
    call.complete(Role::Client, Key(0), &mut sink);
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    let (fields, (unknown, ends)) = (pairs(case.response), case.head);
    let status = call.response(Key(1), Some(200), fields, unknown, ends, &secrets, &mut sink);
    // What HTTP says stands where nothing else is said.
    sink.status = status.or_else(|| Some(fields::status(200))).map(owned);
    call.data(Role::Server, case.received, Timestamp(1));
    if let Some((fields, unknown)) = case.trailers {
        call.trailers(Role::Server, Key(1), pairs(fields), unknown, &secrets, &mut sink);
    }
    call.complete(Role::Server, Key(1), &mut sink);
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    let named = sink.named.unwrap_or_else(|| "http".to_owned());
    assert_eq!(call.is_sure(), named != "http");
    let (outcome, code, text) = sink.status.expect("a status");
    format!("{named}: {outcome:?} {code} {text}").trim_end().to_owned()
}

fn check_unknown(case: &Unknown<'_>, expected: &str) {
    assert_eq!(find_out(case), expected);
}

const CALL: &str = "grpc Get of shop.Orders: Unknown 0";
const OPEN: &str = "http: Unknown 200";
const HTTP: &str = "http: Ok 200";

#[test]
fn messages_and_trailers_make_a_call_of_what_is_unknown() {
    check_unknown(&UNKNOWN, CALL);
    let case = Unknown { trailers: Some((&[("grpc-status", "5")], 0)), ..UNKNOWN };
    check_unknown(&case, "grpc Get of shop.Orders: ClientError 5 NOT_FOUND");
    let case = Unknown {
        sent: b"a",
        received: b"b",
        trailers: Some((&[("grpc-status", "0")], 0)),
        ..case
    };
    check_unknown(&case, "grpc Get of shop.Orders: Ok 0 OK");
    let typed = Unknown { response: &[("content-type", "application/grpc")], ..UNKNOWN };
    check_unknown(&typed, CALL);
    let web = Unknown { response: &[("content-type", "application/grpc-web")], ..UNKNOWN };
    check_unknown(&web, "grpc-web Get of shop.Orders: Unknown 0");
    let response: Fields<'_> = &[("grpc-status", "7")];
    let only = Unknown { response, head: (1, true), received: b"", trailers: None, ..UNKNOWN };
    check_unknown(&only, "grpc Get of shop.Orders: ClientError 7 PERMISSION_DENIED");
}

#[test]
fn what_may_be_a_call_has_no_status_of_http() {
    // A part of the response's message is missing, or the request is longer than it should be.
    check_unknown(&Unknown { received: b"", ..UNKNOWN }, OPEN);
    check_unknown(&Unknown { sent: b"", ..UNKNOWN }, OPEN);
    // Trailers-Only has a type and a status.
    let only = Unknown { head: (2, true), received: b"", trailers: None, ..UNKNOWN };
    check_unknown(&only, OPEN);
    check_unknown(&Unknown { head: (1, true), ..only }, HTTP);
}

#[test]
fn what_cannot_be_a_call_has_the_status_of_http() {
    // Bodies that are no messages; heads that are known, and lack the type of content.
    check_unknown(&Unknown { sent: b"{\"a\":1}", ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { sent: b"\0\0\0\0\x02a", ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { received: b"\0\0\0\0\x02a", ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { received: b"hello", ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { head: (0, false), ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { response: &[("content-type", "text/plain")], ..UNKNOWN }, HTTP);
    // A call has a status in its trailers.
    check_unknown(&Unknown { trailers: None, ..UNKNOWN }, HTTP);
    check_unknown(&Unknown { trailers: Some((&[("x", "y")], 0)), ..UNKNOWN }, HTTP);
    let known = |fields| Call::of_unknown(pairs(fields), Timestamp(0), None).is_some();
    assert!(!known(&[("content-type", "text/plain")]) && !known(&[(":method", "GET")]));
}

#[test]
fn messages_make_a_call_where_all_else_on_the_connection_is_one() {
    let known = Unknown { company: Some(Company::Grpc), received: b"", ..UNKNOWN };
    check_unknown(&known, CALL);
    let triple = Unknown { company: Some(Company::Triple), ..known };
    check_unknown(&triple, "triple Get of shop.Orders: Unknown 0");
    let only = Unknown { head: (2, true), trailers: None, ..known };
    check_unknown(&only, CALL);
    check_unknown(&Unknown { sent: b"", received: WHOLE, ..known }, CALL);
    check_unknown(&Unknown { sent: b"", ..known }, OPEN);
    check_unknown(&Unknown { sent: b"{}", ..known }, HTTP);
}

#[test]
fn what_was_lost_is_not_counted() {
    let mut sink = Sink::default();
    let secrets = Secrets::default();
    let mut call = Call::of_request(pairs(GRPC), 0, Timestamp(0)).expect("a call");
    call.data(Role::Client, b"\0\0\0\0\x09abc", Timestamp(1));
    assert_eq!(call.skippable(Role::Client), 6);
    call.skip(Role::Client, 7);
    call.end(Role::Client, Key(0), &secrets, &mut sink);
    call.response(Key(1), Some(200), pairs(GRPC), 0, false, &secrets, &mut sink);
    call.lose(Role::Server);
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    assert_eq!((sink.attributes.len(), sink.status), (0, None));
    assert_eq!(call.reset(Role::Client, 8, false), Some(status::status(1)));
}

#[test]
fn secrets_in_errors_are_not_shown() {
    let trailers: Fields<'_> = &[("grpc-status", "2"), ("grpc-message", "password=hunter2")];
    let (_, attributes) = run(&Case { trailers: Some(trailers), ..CASE });
    assert_eq!(attributes, ["request.messages=1", "error=password=***", "response.messages=1"]);
}

#[test]
fn only_what_was_looked_at_of_errors_is_shown() {
    // What is masked makes no room for what stands where it is not seen that it is secret.
    let message = format!("token={} at http://user:hunter2@host", "t".repeat(2020));
    let trailers: Fields<'_> = &[("grpc-status", "2"), ("grpc-message", &message)];
    let (_, attributes) = run(&Case { trailers: Some(trailers), ..CASE });
    assert_eq!(attributes, ["request.messages=1", "error=token=***", "response.messages=1"]);
}

#[test]
fn errors_are_told_once() {
    let (mut sink, secrets) = (Sink::default(), Secrets::default());
    let mut call = Call::of_request(pairs(GRPC), 0, Timestamp(0)).expect("a call");
    call.response(Key(1), Some(200), pairs(GRPC), 0, false, &secrets, &mut sink);
    // As of HTTP/1, one after the other.
    for trailer in [("grpc-message", "no"), ("grpc-message", "yes"), ("grpc-status", "5")] {
        call.trailers(Role::Server, Key(1), pairs(&[trailer]), 0, &secrets, &mut sink);
    }
    assert_eq!(sink.attributes, ["error=no"]);
}

#[test]
fn who_sent_more_than_one_is_not_told_where_one_side_is_not_read() {
    let (mut sink, secrets) = (Sink::default(), Secrets::default());
    let mut call = Call::of_response(pairs(GRPC)).expect("a call");
    call.response(Key(1), Some(200), pairs(GRPC), 0, false, &secrets, &mut sink);
    call.data(Role::Server, b"\0\0\0\0\x01a\0\0\0\0\x01b", Timestamp(1));
    call.end(Role::Server, Key(1), &secrets, &mut sink);
    assert_eq!(sink.attributes, ["response.messages=2", "response.messages.largest=1"]);
}
