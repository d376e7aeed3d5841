//! `--otlp` against collectors that are well, busy, choosy, silent or not there.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

const SPANS: u64 = 166;

#[test]
fn spans_arrive_zipped_with_their_parents() {
    let server = Server::new(&[]);
    let done = server.read("", &[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!((done.status.code(), done.stdout.len()), (Some(0), 0), "{error}");
    let url = server.url();
    let line = format!("sent      166 spans in 1 request to {url}/v1/traces\n");
    assert!(error.contains(&line), "{error}");
    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{} requests", requests.len()) };
    assert_eq!(request.head("content-type"), "application/x-protobuf");
    assert_eq!(request.head("content-encoding"), "gzip");
    assert!(request.head("user-agent").starts_with("wirespan/"));
    assert!(request.line.starts_with("POST /v1/traces "), "{}", request.line);
    let sent = request.protobuf();
    let spans: Vec<_> = sent
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    assert_eq!(spans.len() as u64, SPANS);
    let ids: BTreeSet<_> = spans.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
    let below: Vec<_> = spans.iter().filter(|span| !span.parent_span_id.is_empty()).collect();
    assert!(below.len() > 50, "{} hang under another", below.len());
    assert!(below.iter().all(|span| ids.contains(&(&span.trace_id, &span.parent_span_id))));
    for resource in &sent.resource_spans {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        assert!(attributes.iter().any(|one| one.key == "deployment.environment.name"));
    }
}

#[test]
fn json_is_the_same_spans() {
    let server = Server::new(&[]);
    let set =
        [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "none")];
    assert_eq!(server.read("", &set).status.code(), Some(0));
    let requests = server.requests();
    assert_eq!(requests[0].head("content-type"), "application/json");
    let json: ExportTraceServiceRequest = serde_json::from_slice(&requests[0].body).unwrap();
    let other = Server::new(&[]);
    other.read("", &[]);
    let mut protobuf = other.requests()[0].protobuf();
    // JSON has an empty object where protobuf has nothing.
    for resource in &mut protobuf.resource_spans {
        for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            span.status.get_or_insert_default();
        }
    }
    assert!(json == protobuf);
}

#[test]
fn a_busy_collector_is_asked_again_with_the_same_spans() {
    let busy =
        Reply { status: "503 Service Unavailable", headers: "Retry-After: 1\r\n", body: b"" };
    let server = Server::new(&[Some(busy), None]);
    let done = server.read("--format ndjson", &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{error}");
    assert!(error.contains("sent      166 spans in 1 request to "), "{error}");
    assert!(error.contains("/v1/traces, 1 retries\n"), "{error}");
    assert_eq!(done.stdout.split(|byte| *byte == b'\n').count() as u64, SPANS + 1);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].body == requests[1].body);
}

#[test]
fn a_collector_that_takes_a_part_is_not_asked_again() {
    let partial_success =
        ExportTracePartialSuccess { rejected_spans: 7, error_message: "7 are too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial_success) };
    let body = answer.encode_to_vec().leak();
    let server = Server::new(&[Some(Reply { body, ..Reply::OK })]);
    let done = server.read("--summary counts.json", &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{error}");
    let url = server.url();
    let last = format!("wirespan: send to {url}/v1/traces: 7 spans not taken: 7 are too old\n");
    assert!(error.ends_with(&last), "{error}");
    assert!(error.contains("sent      159 spans in 1 request to "), "{error}");
    assert_eq!(server.requests().len(), 1);
    let sent = &server.summary()["sent"];
    assert_eq!((&sent["spans"], &sent["rejected"]), (&159.into(), &7.into()));
    assert_eq!(sent["reasons"]["7 are too old"], 7);
}

#[test]
fn a_word_with_success_is_passed_on() {
    let body = br#"{"partialSuccess":{"errorMessage":"names are deprecated"}}"#;
    let headers = "Content-Type: application/json\r\n";
    let server = Server::new(&[Some(Reply { body, headers, ..Reply::OK })]);
    let done = server.read("", &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{error}");
    assert!(error.contains("collector names are deprecated\n"), "{error}");
}

#[test]
fn what_is_refused_is_dropped_and_told() {
    let body = b"\x08\x03\x12\x09no, thanks";
    let bad = Reply { status: "400 Bad Request", body: &body[..13], headers: "" };
    let server = Server::new(&[Some(bad)]);
    let done = server.read("-q", &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2));
    assert!(error.contains(": 166 spans not taken: 400 Bad Request: no, thank"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let most = Reply { status: "413 Content Too Large", ..Reply::OK };
    let set = |protocol| [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
    for protocol in ["http/protobuf", "http/json"] {
        // The whole, and the first half of it.
        let server = Server::new(&[Some(most), Some(most)]);
        let done = server.read("--summary counts.json", &set(protocol));
        let error = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{error}");
        let sent = &server.summary()["sent"];
        assert_eq!((&sent["spans"], &sent["dropped"]), (&SPANS.into(), &0.into()));
        let requests = server.requests();
        assert_eq!(sent["requests"], requests.len());
        let requests: Vec<_> = requests.iter().map(Request::ids).collect();
        let [whole, half, rest @ ..] = requests.as_slice() else { panic!("{}", requests.len()) };
        // What follows is no larger than the quarter that was taken, and is not refused first.
        assert!(rest.len() >= 4, "{} requests", rest.len());
        assert_eq!((whole.len() as u64, &rest.concat()), (SPANS, whole));
        assert!(whole.starts_with(half) && half.starts_with(&rest[0]));
    }
}

#[test]
fn what_cannot_be_halved_and_is_too_large_is_told() {
    let most = Reply { status: "413 Content Too Large", ..Reply::OK };
    let server = Server::new(&[Some(most); 500]);
    let done = server.read("--summary counts.json", &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{error}");
    assert!(error.contains(": 166 spans not taken: 413 "), "{error}");
    let sent = &server.summary()["sent"];
    assert_eq!((&sent["spans"], &sent["dropped"]), (&0.into(), &SPANS.into()));
    assert!(server.requests().len() < 500);
}

#[test]
fn where_no_traces_are_taken_reading_ends() {
    for (status, advice) in [
        ("404 Not Found", "it takes no traces there, name its port of OTLP over HTTP"),
        ("401 Unauthorized", "put the key into OTEL_EXPORTER_OTLP_HEADERS=name=value"),
        ("308 Permanent Redirect", "name the place that it points to"),
    ] {
        let headers = "Location: http://localhost:1/\r\n";
        let server = Server::new(&[Some(Reply { status, headers, body: b"" })]);
        let done = server.read("", &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush")]);
        let error = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{error}");
        let url = server.url();
        assert_eq!(error, format!("wirespan: send to {url}/v1/traces: {status}; {advice}\n"));
        assert_eq!(server.requests()[0].head("api-key"), "hush");
    }
}

#[test]
fn a_collector_that_is_not_there_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let done = wirespan(Path::new("."), &format!("--otlp {url}"), &[]);
    let error = String::from_utf8_lossy(&done.stderr);
    let expected = format!(
        "wirespan: send to {url}/v1/traces: nobody listens there; start a collector or name \
         another URL\n"
    );
    assert_eq!((done.status.code(), &*error), (Some(2), &*expected));
}

#[test]
fn a_silent_collector_is_not_waited_for_without_end() {
    // The second try is answered.
    let server = Server::new(&[Some(Reply::SILENCE), None]);
    let done = server.read("", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "200")]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{error}");
    assert!(error.contains(", 1 retries\n"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn many_spans_are_several_requests_and_none_is_lost() {
    let server = Server::new(&[]);
    let files = tempfile::tempdir().unwrap();
    // The same spans seen by many sensors, on points of their own.
    let spans = wirespan(files.path(), "--format ndjson", &[]).stdout;
    let names: Vec<_> = (0..25).map(|n| format!("{n}.ndjson")).collect();
    for name in &names {
        std::fs::write(files.path().join(name), &spans).unwrap();
    }
    let done = program(files.path(), &[])
        .arg("join")
        .args(&names)
        .args(["--summary", "counts.json", "--otlp", &server.url()])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let requests = server.requests();
    assert!(requests.len() > 2, "{} requests", requests.len());
    let count = |request: &Request| {
        let sent = request.protobuf();
        let scopes = sent.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.map(|scope| scope.spans.len()).sum::<usize>()
    };
    let counts: Vec<_> = requests.iter().map(count).collect();
    assert!(counts.iter().all(|count| *count <= 1_000), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>() as u64, 25 * SPANS);
}

#[test]
fn the_environment_says_where_to_if_the_command_line_does_not() {
    let server = Server::new(&[]);
    let url = format!("{}/in", server.url());
    let set = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*url)];
    assert_eq!(wirespan(Path::new("."), "--otlp=", &set).status.code(), Some(0));
    assert!(server.requests()[0].line.starts_with("POST /in "));
    assert_eq!(wirespan(Path::new("."), "--format ndjson", &set).status.code(), Some(0));
    assert_eq!(server.requests().len(), 1, "nothing is sent unless that is asked for");
}

/// What a collector answers.
#[derive(Clone, Copy)]
struct Reply {
    status: &'static str,
    headers: &'static str,
    body: &'static [u8],
}

impl Reply {
    const OK: Self = Self { status: "200 OK", headers: "", body: b"" };
    const SILENCE: Self = Self { status: "", ..Self::OK };
}

/// What a collector was sent.
#[derive(Clone)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn head(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn protobuf(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.unzipped().as_slice()).unwrap()
    }

    fn unzipped(&self) -> Vec<u8> {
        let mut body = Vec::new();
        GzDecoder::new(self.body.as_slice()).read_to_end(&mut body).unwrap();
        body
    }

    /// The traces and spans, in their order.
    fn ids(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let sent = match self.head("content-type") {
            "application/json" => serde_json::from_slice(&self.unzipped()).unwrap(),
            _ => self.protobuf(),
        };
        let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans);
        spans.map(|span| (span.trace_id, span.span_id)).collect()
    }
}

/// A collector on this machine, that answers as it is told, and then that all is well.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    folder: tempfile::TempDir,
}

impl Server {
    fn new(replies: &[Option<Reply>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, replies) = (requests.clone(), replies.to_vec());
        // They end with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, replies) = (seen.clone(), replies.clone());
                thread::spawn(move || serve(&stream.unwrap(), &seen, &replies));
            }
        });
        Self { port, requests, folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn read(&self, words: &str, set: &[(&str, &str)]) -> Output {
        wirespan(self.folder.path(), &format!("{words} --otlp {}", self.url()), set)
    }

    fn summary(&self) -> Value {
        let text = std::fs::read(self.folder.path().join("counts.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

fn serve(mut stream: &TcpStream, seen: &Mutex<Vec<Request>>, replies: &[Option<Reply>]) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = reader.by_ref().lines();
        let Some(line) = lines.next().transpose().unwrap_or_default() else { return };
        let headers: Vec<(String, String)> = lines
            .map_while(|line| line.ok().filter(|line| !line.is_empty()))
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut request = Request { line, headers, body: Vec::new() };
        request.body.resize(request.head("content-length").parse().unwrap(), 0);
        reader.read_exact(&mut request.body).unwrap();
        let place = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let reply = replies.get(place).copied().flatten().unwrap_or(Reply::OK);
        if reply.status.is_empty() {
            // Until the client goes.
            let _ = reader.read(&mut [0]);
            return;
        }
        let Reply { status, headers, body } = reply;
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    }
}

fn wirespan(folder: &Path, words: &str, set: &[(&str, &str)]) -> Output {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR"));
    let capture = capture.join("../testdata/captures/kiosk/input.pcapng.zst");
    let words = words.split(' ').filter(|word| !word.is_empty());
    program(folder, set).arg("read").arg(capture).args(words).output().unwrap()
}

fn program(folder: &Path, set: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command.current_dir(folder).env("LC_ALL", "C.UTF-8");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.envs(set.iter().copied());
    command
}
