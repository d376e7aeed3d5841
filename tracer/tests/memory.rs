//! A bound of memory is kept by leaving flows out, whatever comes.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

/// A capture of raw IPv4 that is being written.
struct Capture {
    file: BufWriter<File>,
    /// Microseconds.
    now: u64,
}

impl Capture {
    fn new(path: &Path) -> Self {
        let mut file = BufWriter::new(File::create(path).unwrap());
        let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101];
        words.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
        Self { file, now: 1_700_000_000_000_000 }
    }

    fn packet(&mut self, flow: u32, from_client: bool, seq: u32, ack: u32, flags: u8, data: &[u8]) {
        self.now += 1;
        let client = [10, (flow >> 16) as u8, (flow >> 8) as u8, flow as u8];
        let server = [192, 168, 0, 1];
        let ports = if from_client { [40_000_u16, 80] } else { [80, 40_000] };
        let ends = if from_client { [client, server] } else { [server, client] };
        let mut packet = vec![0x45, 0];
        packet.extend(((40 + data.len()) as u16).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend(ends.concat());
        ports.iter().for_each(|port| packet.extend(port.to_be_bytes()));
        packet.extend(seq.to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(data);
        let (seconds, rest) = (self.now / 1_000_000, self.now % 1_000_000);
        for word in [seconds as u32, rest as u32, packet.len() as u32, packet.len() as u32] {
            self.file.write_all(&word.to_le_bytes()).unwrap();
        }
        self.file.write_all(&packet).unwrap();
    }

    fn open(&mut self, flow: u32) {
        self.packet(flow, true, 99, 0, SYN, b"");
        self.packet(flow, false, 99, 100, SYN | ACK, b"");
    }

    /// The client sends this from a place of its stream on; gives where it ends.
    fn sends(&mut self, flow: u32, at: u32, data: &[u8]) -> u32 {
        let mut at = at;
        for piece in data.chunks(16_000) {
            self.packet(flow, true, 100 + at, 100, ACK, piece);
            at += piece.len() as u32;
        }
        at
    }
}

/// Reads a capture within a bound; what was used at most, and the summary.
#[track_caller]
fn check(name: &str, bound: u64, write: impl FnOnce(&mut Capture)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    let mut capture = Capture::new(&path);
    write(&mut capture);
    capture.file.flush().unwrap();
    let counts = folder.path().join("counts.json");
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .args(["read", "--format", "ndjson", "-q", "-o", "/dev/null"])
        .arg(format!("--max-memory={bound}M"))
        .arg("--summary")
        .args([&counts, &path])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&std::fs::read(&counts).unwrap()).unwrap();
    let peak = summary["peak_rss_bytes"].as_u64().unwrap() >> 20;
    assert!(peak < bound, "{name}: {peak} MiB of {bound} were used; lost {}", summary["lost"]);
    assert!(summary["spans"].as_u64().unwrap() > 1_000, "hardly anything was looked at");
}

fn half_open(capture: &mut Capture) {
    for flow in 0..FLOWS {
        capture.open(flow);
        let request = format!("GET /items/{flow} HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        capture.sends(flow, 0, request.as_bytes());
    }
}

fn unanswered_pipelines(capture: &mut Capture) {
    let some: String =
        (0..40).map(|n| format!("GET /pipelined/{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    for flow in 0..FLOWS / 4_000 {
        capture.open(flow);
        let mut at = 0;
        for _ in 0..100 {
            at = capture.sends(flow, at, some.as_bytes());
        }
    }
}

fn unfinished_messages(capture: &mut Capture) {
    let header = "a".repeat(50_000);
    for flow in 0..FLOWS / 20 {
        capture.open(flow);
        capture.sends(flow, 0, format!("GET / HTTP/1.1\r\nHost: {header}").as_bytes());
        if flow % 5 == 0 {
            // A hole, behind which bytes wait.
            let request = format!("GET /{flow} HTTP/1.1\r\nHost: a\r\n\r\n");
            capture.sends(flow + (1 << 23), 0, request.as_bytes());
            capture.sends(flow + (1 << 23), 100_000, header.as_bytes());
        }
    }
}

fn long_texts_and_many_ids(capture: &mut Capture) {
    let long = "x".repeat(3_000);
    for flow in 0..FLOWS / 8 {
        capture.open(flow);
        let id = format!("{:032x}", u128::from(flow + 1) * 0x1234_5678_9abc_def1_2345);
        let request = format!(
            "GET /{long} HTTP/1.1\r\nHost: {long}\r\nUser-Agent: {long}\r\n\
             traceparent: 00-{id}-00f067aa0ba902b7-01\r\nX-Request-ID: r{id}\r\n\
             X-Correlation-ID: c{id}\r\nsw8: 1-{long}\r\nrequest-id: q{id}\r\n\r\n"
        );
        let end = capture.sends(flow, 0, request.as_bytes());
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        capture.packet(flow, false, 100, 100 + end, ACK, answer);
    }
}

/// One connection on which the server says something 300,000 times within a few milliseconds.
fn storm_of_messages(capture: &mut Capture) {
    capture.open(1);
    let asked = "GET /prices HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let end = capture.sends(1, 0, asked.as_bytes());
    let granted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    capture.packet(1, false, 100, 100 + end, ACK, granted.as_bytes());
    let mut at = 100 + granted.len() as u32;
    let messages = b"\x81\x07tea: 12".repeat(100);
    for _ in 0..MESSAGES / 100 {
        capture.packet(1, false, at, 100 + end, ACK, &messages);
        at += messages.len() as u32;
    }
}

#[test]
fn memory_stays_below_its_bound_whatever_comes() {
    check("a storm of messages", 128, storm_of_messages);
    check("half-open flows", 128, half_open);
    check("unanswered pipelines", 128, unanswered_pipelines);
    check("unfinished messages", 128, unfinished_messages);
    check("long texts and many ids", 128, long_texts_and_many_ids);
}

const SYN: u8 = 2;
const ACK: u8 = 16;
/// One-way messages of one connection.
const MESSAGES: u32 = 300_000;
/// Flows of a flood: half open, and without a bound, they take 250 MiB.
const FLOWS: u32 = 60_000;
