//! `--metrics` and SIGUSR1 of the program, while packets come through a pipe.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

#[test]
fn counts_and_calls_of_a_run_are_served_while_it_goes_on() {
    let mut run = Run::start();
    let text = run.until(|run| {
        let text = run.get("/metrics");
        text.contains("wirespan_exchanges_total{").then_some(text)
    });
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    for part in [
        "\nwirespan_exchanges_total{protocol=\"http\"} ",
        "\nwirespan_requests_total{service=\"",
        "\nwirespan_edge_request_duration_seconds_bucket{caller=\"",
        "\nprocess_resident_memory_bytes ",
        "\nwirespan_lag_seconds ",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    // All that were handed out were also counted as calls, and nothing else was.
    let value = |name: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let packets = value("wirespan_packets_total ");
    assert!(packets >= run.packets, "{packets} of {}", run.packets);
    assert!(value("wirespan_requests_total{") >= value("wirespan_exchanges_total{"));
    let edges = value("wirespan_edge_requests_total{");
    assert_eq!(value("wirespan_requests_total{"), edges);
    assert_eq!(run.get("/healthz").rsplit("\r\n").next(), Some("ok\n"));
    run.end();
}

#[test]
fn sigusr1_prints_counts_and_the_run_goes_on() {
    let mut run = Run::start();
    for begin in ["process   running for ", "traces    "] {
        run.signal();
        run.until(|run| run.said(begin).then_some(()));
    }
    run.end();
}

#[test]
fn port_in_use_is_told_before_anything_is_read() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let capture = capture();
    let capture = capture.to_str().unwrap();
    let done = program(&["read", capture, "--metrics", &address.to_string()]);
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8_lossy(&done.stderr);
    let expected =
        format!("wirespan: serve metrics at {address}: it is in use already, name another port\n");
    assert_eq!(said, expected);
}

/// A run that reads a pipe, into which the same packet comes again and again.
struct Run {
    program: Child,
    input: Option<ChildStdin>,
    /// What it says, line by line.
    lines: Receiver<String>,
    address: String,
    last: Vec<u8>,
    packets: u64,
}

impl Run {
    fn start() -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_wirespan"))
            .args(["read", "-", "--metrics", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = program.stdin.take().unwrap();
        let (told, lines) = channel();
        let talk = BufReader::new(program.stderr.take().unwrap());
        thread::spawn(move || talk.lines().map_while(Result::ok).try_for_each(|l| told.send(l)));
        let mut bytes = Vec::new();
        let file = File::open(capture()).unwrap();
        zstd::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..4], [0xd4, 0xc3, 0xb2, 0xa1], "a pcap file");
        let (mut at, mut last, mut packets) = (24, 24..24, 0);
        while let Some(length) = bytes.get(at + 8..at + 12) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
            last = at..at + 16 + length;
            at = last.end;
            packets += 1;
        }
        input.write_all(&bytes).unwrap();
        let address = lines.recv_timeout(PATIENCE).unwrap();
        let address = address.strip_prefix("wirespan: metrics are at http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_owned();
        let (input, last) = (Some(input), bytes[last].to_vec());
        Self { program, input, lines, address, last, packets }
    }

    /// Sends packets until something is there.
    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let second = u32::from_le_bytes(self.last[..4].try_into().unwrap());
            self.last[..4].copy_from_slice(&(second + 1).to_le_bytes());
            self.input.as_mut().unwrap().write_all(&self.last).unwrap();
        }
    }

    /// Whether a line was said that begins so.
    fn said(&mut self, begin: &str) -> bool {
        self.lines.try_iter().any(|line| line.starts_with(begin))
    }

    fn signal(&self) {
        let id = self.program.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -USR1 $0", &id]).status().unwrap();
        assert!(sent.success());
    }

    fn get(&self, page: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("GET {page} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn end(mut self) {
        drop(self.input.take());
        assert_eq!(self.program.wait().unwrap().code(), Some(0));
        assert!(self.lines.iter().any(|line| line.starts_with("traces    ")), "no summary");
    }
}

fn program(words: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_wirespan")).args(words).output().unwrap()
}

fn capture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures/one-point/input.pcap.zst")
}

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
