//! Conversations in, what the decoder is told of them out.

mod heads;
mod details;
mod framing;
mod bodies;
mod codings;
mod answers;
mod upgrades;
mod gaps;
mod probe;
mod vectors;
mod calls;
mod noise;

use super::*;
use crate::message::{Attribute, Value};
use crate::protocol::{Conn, Inner, Transport};
use crate::trace_context::TraceContext;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

/// What happens next on the wire; A is the client.
#[derive(Clone, Debug)]
enum Piece {
    Bytes(Side, Vec<u8>),
    Gap(Side, u64),
    End(Side),
}

fn c(bytes: impl AsRef<[u8]>) -> Piece {
    Piece::Bytes(Side::A, bytes.as_ref().to_vec())
}

fn s(bytes: impl AsRef<[u8]>) -> Piece {
    Piece::Bytes(Side::B, bytes.as_ref().to_vec())
}

fn flow() -> FlowInfo {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    FlowInfo {
        transport: Transport::Tcp,
        addresses: [address(40000), address(80)],
        opener: None,
        handed: None,
    }
}

/// What somebody asks for.
#[derive(Clone, Copy, Default)]
struct Wanted {
    body: usize,
    details: bool,
}

#[derive(Default)]
struct Recorder {
    messages: Vec<(String, bool)>,
    bodies: BTreeMap<u64, Vec<u8>>,
    events: Vec<String>,
    wanted: Wanted,
    /// Where the input of the present call starts in its stream.
    base: u64,
    /// Where an `end` counts from.
    end_base: u64,
}

impl Recorder {
    fn line(&mut self, key: Key) -> &mut String {
        let (line, closed) = &mut self.messages[usize::try_from(key.0).unwrap()];
        assert!(!*closed, "{line}");
        line
    }

    fn report(&self) -> String {
        let mut lines = Vec::new();
        for (key, (line, closed)) in (0..).zip(&self.messages) {
            let mut line = line.clone();
            if let Some(body) = self.bodies.get(&key) {
                write!(line, " body={:?}", String::from_utf8_lossy(body)).unwrap();
            }
            if !closed {
                line += " open";
            }
            lines.push(line);
        }
        lines.extend(self.events.iter().cloned());
        lines.join("\n")
    }
}

impl Out for Recorder {
    fn open(&mut self, message: Message<'_>) -> Key {
        let mut line = match message.kind {
            Kind::Request => format!(
                "request {} {}",
                String::from_utf8_lossy(message.operation),
                String::from_utf8_lossy(message.resource)
            ),
            Kind::Response => format!("response {}", message.status.code),
            Kind::Interim => format!("interim {}", message.status.code),
            other => panic!("{other:?}"),
        };
        if message.cut {
            line += " cut";
        }
        let start = self.base + u64::try_from(message.bytes.start).unwrap();
        write!(line, " {start}..").unwrap();
        self.messages.push((line, false));
        Key(u64::try_from(self.messages.len()).unwrap() - 1)
    }

    fn wants(&self, _key: Key) -> usize {
        self.wanted.body
    }

    fn wants_details(&self) -> bool {
        self.wanted.details
    }

    fn add(&mut self, key: Key, attribute: Attribute<'_>) {
        let name = attribute.name;
        match attribute.value {
            Value::Text(text) => {
                write!(self.line(key), " {name}={}", String::from_utf8_lossy(text)).unwrap();
            }
            Value::Int(number) => write!(self.line(key), " {name}={number}").unwrap(),
        }
    }

    fn context(&mut self, key: Key, context: &TraceContext<'_>) {
        let text = String::from_utf8_lossy(context.text).into_owned();
        write!(self.line(key), " {}:{text}", context.format.name()).unwrap();
    }

    fn status(&mut self, _key: Key, _status: Status<'_>) {
        panic!("stated at the start");
    }

    fn body(&mut self, key: Key, bytes: &[u8]) {
        self.line(key);
        let body = self.bodies.entry(key.0).or_default();
        body.extend_from_slice(bytes);
        assert!(body.len() <= self.wanted.body);
    }

    fn extend(&mut self, key: Key, _end: usize) {
        self.line(key);
    }

    fn close(&mut self, key: Key, end: usize) {
        let end = self.end_base + u64::try_from(end).unwrap();
        let line = self.line(key);
        *line = line.replacen("..", &format!("..{end}"), 1);
        self.messages[usize::try_from(key.0).unwrap()].1 = true;
    }

    fn inner(&mut self, _lane: u64, _from: Side, _event: Inner<'_>) {
        panic!("nothing is carried inside");
    }

    fn lost(&mut self, what: &'static str) {
        self.events.push(format!("lost {what}"));
    }
}

/// Drives the protocol as the decoder does.
struct Driver {
    http: Box<dyn Protocol>,
    conn: Conn,
    sides: [Stream; 2],
    recorder: Recorder,
    over: bool,
}

#[derive(Default)]
struct Stream {
    unused: Vec<u8>,
    consumed: u64,
    skip: u64,
    lost: bool,
}

impl Stream {
    fn consume(&mut self, bytes: usize) {
        self.unused.drain(..bytes);
        self.consumed += u64::try_from(bytes).unwrap();
    }

    fn skip(&mut self, bytes: u64) {
        if self.skip != u64::MAX {
            self.skip -= bytes;
        }
    }
}

impl Driver {
    fn new(wanted: Wanted) -> Self {
        let mut http = protocol(&Arc::default());
        let conn = http.open(&flow(), Side::A);
        let recorder = Recorder { wanted, ..Recorder::default() };
        Self { http, conn, sides: Default::default(), recorder, over: false }
    }

    fn piece(&mut self, piece: &Piece) {
        if self.over {
            return;
        }
        match piece {
            Piece::Bytes(from, bytes) => self.bytes(*from, bytes),
            Piece::Gap(from, lost) => self.gap(*from, *lost),
            Piece::End(from) => self.end(*from),
        }
    }

    fn bytes(&mut self, from: Side, bytes: &[u8]) {
        let Self { http, conn, sides, recorder, over } = self;
        let stream = &mut sides[from.index()];
        if stream.lost {
            if !http.resume(*conn, from, bytes) {
                stream.consumed += u64::try_from(bytes.len()).unwrap();
                return;
            }
            stream.lost = false;
        }
        stream.unused.extend_from_slice(bytes);
        for _ in 0..=4 * stream.unused.len() {
            if stream.skip > 0 {
                let held = u64::try_from(stream.unused.len()).unwrap();
                let bytes = stream.skip.min(held);
                stream.consume(usize::try_from(bytes).unwrap());
                stream.skip(bytes);
                if stream.skip == 0 {
                    recorder.base = stream.consumed;
                    recorder.end_base = stream.consumed;
                    http.skipped(*conn, from, Timestamp(0), recorder);
                }
            }
            if stream.unused.is_empty() {
                return;
            }
            recorder.base = stream.consumed;
            recorder.end_base = stream.consumed;
            match http.parse(*conn, from, Timestamp(0), &stream.unused, recorder) {
                Ok(Step::Used(bytes)) => stream.consume(bytes.get()),
                Ok(Step::Skip { used, skip }) => {
                    stream.consume(used);
                    stream.skip = skip.get();
                }
                Ok(Step::Incomplete(_)) => return,
                Ok(Step::Become { used, next }) => {
                    stream.consume(used);
                    assert_eq!(next, Handoff::Detect);
                    recorder.events.push(format!("handed over at {}", stream.consumed));
                    *over = true;
                    return;
                }
                Err(Malformed(what)) => {
                    recorder.events.push(format!("malformed {what}"));
                    stream.consume(stream.unused.len());
                    stream.lost = true;
                    return;
                }
            }
        }
        panic!("no progress");
    }

    fn gap(&mut self, from: Side, mut lost: u64) {
        let Self { http, conn, sides, recorder, .. } = self;
        let stream = &mut sides[from.index()];
        if stream.lost {
            stream.consumed += lost;
            return;
        }
        let seen = stream.consumed + u64::try_from(stream.unused.len()).unwrap();
        if stream.skip > 0 {
            let bytes = stream.skip.min(lost);
            lost -= bytes;
            stream.consumed += bytes;
            stream.skip(bytes);
            if stream.skip == 0 {
                recorder.base = stream.consumed;
                recorder.end_base = seen;
                http.skipped(*conn, from, Timestamp(0), recorder);
            }
        }
        let Some(lost) = NonZeroU64::new(lost) else { return };
        recorder.base = stream.consumed;
        recorder.end_base = seen;
        let head = take(&mut stream.unused);
        match http.gap(*conn, from, &head, lost.get(), recorder) {
            AfterGap::Resync => stream.lost = true,
            AfterGap::Continue | AfterGap::Beginning => {}
            AfterGap::Stop => panic!("HTTP always finds its way"),
        }
        stream.consumed += u64::try_from(head.len()).unwrap() + lost.get();
    }

    fn end(&mut self, from: Side) {
        let Self { http, conn, sides, recorder, .. } = self;
        let stream = &mut sides[from.index()];
        recorder.base = stream.consumed;
        recorder.end_base = stream.consumed + u64::try_from(stream.unused.len()).unwrap();
        http.end(*conn, from, &take(&mut stream.unused), recorder);
    }
}

fn report(pieces: &[Piece], wanted: Wanted) -> String {
    let mut driver = Driver::new(wanted);
    for piece in pieces {
        driver.piece(piece);
    }
    driver.recorder.report()
}

fn with_piece_split(pieces: &[Piece], split: usize, at: usize) -> Vec<Piece> {
    let mut parts = pieces.to_vec();
    if let Piece::Bytes(from, bytes) = &pieces[split] {
        let (left, right) = bytes.split_at(at);
        let halves = [left, right].map(|half| Piece::Bytes(*from, half.to_vec()));
        parts.splice(split..=split, halves);
    }
    parts
}

fn byte_by_byte(pieces: &[Piece]) -> Vec<Piece> {
    let mut parts = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(from, bytes) => {
                parts.extend(bytes.iter().map(|byte| Piece::Bytes(*from, vec![*byte])));
            }
            other => parts.push(other.clone()),
        }
    }
    parts
}

/// Any split of the pieces gives the same.
fn check(pieces: &[Piece], expected: &str) {
    check_for(Wanted::default(), pieces, expected);
}

fn check_wanting(body: usize, pieces: &[Piece], expected: &str) {
    check_for(Wanted { body, ..Wanted::default() }, pieces, expected);
}

fn check_details(pieces: &[Piece], expected: &str) {
    check_for(Wanted { details: true, ..Wanted::default() }, pieces, expected);
}

fn check_for(wanted: Wanted, pieces: &[Piece], expected: &str) {
    let actual = report(pieces, wanted);
    assert_eq!(actual, expected, "\n{actual}\n");
    assert_eq!(report(&byte_by_byte(pieces), wanted), expected, "byte by byte");
    for (split, piece) in pieces.iter().enumerate() {
        let Piece::Bytes(_, bytes) = piece else { continue };
        for at in 1..bytes.len() {
            let parts = with_piece_split(pieces, split, at);
            assert_eq!(report(&parts, wanted), expected, "piece {split} split at {at}");
        }
    }
}

/// For what depends on where packets start, as finding the way after a loss does.
fn check_unsplit(pieces: &[Piece], expected: &str) {
    check_unsplit_wanting(0, pieces, expected);
}

fn check_unsplit_wanting(body: usize, pieces: &[Piece], expected: &str) {
    let actual = report(pieces, Wanted { body, ..Wanted::default() });
    assert_eq!(actual, expected, "\n{actual}\n");
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const GOT: &str = "request GET /a 0..28 server.address=h";
