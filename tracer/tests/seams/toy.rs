//! A small protocol that exists here only, and two layers that carry it.
//!
//! ```text
//! ?a,b:5      asks for a and b, with 5 bytes of body after the line, which belong to b
//! =a,b        answers both
//! >a@7        says a, which nobody answers, in trace 7; without @ in none
//! .a@7        the same, and that something is needed no more
//! !to x  !beneath x  !detect        the flow becomes x, gets x beneath, or is anybody's
//! ```

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wirespan_parsers::message::{
    Attribute, Dialect, Kind, Message, Outcome, Pairing, Side, Status, Value,
};
use wirespan_parsers::protocol::{
    AfterGap, Conn, FlowInfo, Handoff, Inner, Key, Malformed, Out, Probe, Protocol, Step,
    Timestamp, Transport,
};
use wirespan_parsers::registry;
use wirespan_parsers::trace_context::TraceContext;
use wirespan_parsers::trace_context::format::Format;

/// All protocols, those of these tests first.
pub(crate) fn protocols() -> Vec<Box<dyn Protocol>> {
    protocols_with(&Log::default())
}

pub(crate) fn protocols_with(log: &Log) -> Vec<Box<dyn Protocol>> {
    let instance = log.instances.fetch_add(1, Ordering::Relaxed);
    let toy = Toy { instance, log: log.clone(), connections: Vec::new() };
    let mut all: Vec<Box<dyn Protocol>> =
        vec![Box::new(toy), Box::new(Layer { name: "xor" }), Box::new(Layer { name: "mux" })];
    all.extend(registry::protocols(&Arc::default()));
    all
}

/// What the instances of the protocol saw.
#[derive(Clone, Default)]
pub(crate) struct Log {
    instances: Arc<AtomicUsize>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    pub(crate) fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

struct Toy {
    instance: usize,
    log: Log,
    connections: Vec<Option<Connection>>,
}

struct Connection {
    server: String,
    client: Side,
    /// Lines so far: a state that a layer beneath must not lose.
    lines: i64,
    bodies: [Option<Body>; 2],
}

struct Body {
    key: Key,
    shown: usize,
    skipped: u64,
}

impl Toy {
    fn connection(&mut self, conn: Conn) -> &mut Connection {
        self.connections[conn.0 as usize].as_mut().unwrap()
    }

    fn log(&self, what: &str, conn: Conn) {
        let line = format!("{what} {}/{}", self.instance, conn.0);
        self.log.lines.lock().unwrap().push(line);
    }
}

impl Protocol for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn port(&self, _port: u16) -> bool {
        false
    }

    fn runs_over(&self, _transport: Transport) -> bool {
        true
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match head[0] {
            b'?' | b'!' | b'>' | b'.' => Probe::Certain { client: from },
            b'=' => Probe::Certain { client: from.other() },
            _ => Probe::No,
        }
    }

    fn open(&mut self, flow: &FlowInfo, client: Side) -> Conn {
        let conn = Conn(self.connections.len() as u32);
        let server = flow.addresses[client.other().index()].to_string();
        let bodies = [None, None];
        self.connections.push(Some(Connection { server, client, lines: 0, bodies }));
        self.log("open", conn);
        conn
    }

    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let connection = self.connection(conn);
        if let Some(body) = &mut connection.bodies[from.index()] {
            let shown = body.shown.min(input.len());
            out.body(body.key, &input[..shown]);
            body.shown -= shown;
            if body.shown > 0 {
                out.extend(body.key, shown);
                return Ok(Step::Used(NonZeroUsize::new(shown).unwrap()));
            }
            return Ok(match NonZeroU64::new(body.skipped) {
                Some(skip) => Step::Skip { used: shown, skip },
                None => {
                    out.close(body.key, shown);
                    connection.bodies[from.index()] = None;
                    Step::Used(NonZeroUsize::new(shown).unwrap())
                }
            });
        }
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return Ok(Step::Incomplete(NonZeroUsize::MIN));
        };
        connection.lines += 1;
        let line = std::str::from_utf8(&input[..end]).map_err(|_| Malformed("toy line"))?;
        let (kind, rest) = match line.split_at_checked(1) {
            Some(("?", rest)) => (Kind::Request, rest),
            Some(("=", rest)) => (Kind::Response, rest),
            Some((">", rest)) => (Kind::OneWay, rest),
            Some((".", rest)) => (Kind::End, rest),
            Some(("!", rest)) => {
                let next = match rest {
                    "to redis" => Handoff::To("redis"),
                    "to xor" => Handoff::To("xor"),
                    "to mux" => Handoff::To("mux"),
                    "to nobody" => Handoff::To("nobody"),
                    "beneath xor" => Handoff::Beneath("xor"),
                    "detect" => Handoff::Detect,
                    _ => return Err(Malformed("toy word")),
                };
                return Ok(Step::Become { used: end + 1, next });
            }
            _ => return Err(Malformed("toy line")),
        };
        let (names, body) = rest.split_once(':').unwrap_or((rest, "0"));
        let body: u64 = body.parse().map_err(|_| Malformed("toy length"))?;
        let mut start = 0;
        let mut last = None;
        for name in names.split(',') {
            if let Some(key) = last {
                out.close(key, start);
            }
            let stop = start + 1 + name.len();
            // Neither of them lies in the input.
            let (name, trace) = name.split_once('@').unwrap_or((name, ""));
            let (operation, resource) = (String::from("ASK"), name.to_uppercase());
            let is_request = kind != Kind::Response;
            let key = out.open(Message {
                kind,
                dialect: Dialect::Plain,
                pairing: match kind {
                    Kind::OneWay | Kind::End => Pairing::OneWay,
                    _ => Pairing::InOrder { lane: 0 },
                },
                bytes: start..stop,
                operation: if is_request { operation.as_bytes() } else { b"" },
                resource: if is_request { resource.as_bytes() } else { b"" },
                status: Status { outcome: Outcome::Ok, code: 7, text: b"" },
                cut: false,
            });
            let text = |name, text: &str, out: &mut dyn Out| {
                out.add(key, Attribute { name, value: Value::Text(text.as_bytes()) });
            };
            text("toy.server", &connection.server, out);
            text("toy.from", if from == connection.client { "client" } else { "server" }, out);
            out.add(key, Attribute { name: "toy.line", value: Value::Int(connection.lines) });
            out.add(key, Attribute { name: "toy.at", value: Value::Int(at.0) });
            if let Ok(trace) = trace.parse() {
                let text = format!("{trace:032x}");
                out.context(key, &in_trace(trace, &text));
            }
            (start, last) = (stop, Some(key));
        }
        let used = NonZeroUsize::new(end + 1).unwrap();
        let key = last.unwrap();
        let Some(length) = NonZeroU64::new(body) else {
            out.close(key, end + 1);
            return Ok(Step::Used(used));
        };
        out.extend(key, end + 1);
        let shown = out.wants(key).min(body as usize);
        let skipped = body - shown as u64;
        connection.bodies[from.index()] = Some(Body { key, shown, skipped });
        match shown {
            0 => Ok(Step::Skip { used: end + 1, skip: length }),
            _ => Ok(Step::Used(used)),
        }
    }

    fn skipped(&mut self, conn: Conn, from: Side, _at: Timestamp, out: &mut dyn Out) {
        let body = self.connection(conn).bodies[from.index()].take();
        out.close(body.unwrap().key, 0);
    }

    fn gap(
        &mut self,
        conn: Conn,
        from: Side,
        _head: &[u8],
        _lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(body) = self.connection(conn).bodies[from.index()].take() {
            out.close(body.key, 0);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, _conn: Conn, _from: Side, input: &[u8]) -> bool {
        b"?=!>.".contains(&input[0])
    }

    fn end(&mut self, conn: Conn, from: Side, _head: &[u8], out: &mut dyn Out) {
        if let Some(body) = self.connection(conn).bodies[from.index()].take() {
            out.close(body.key, 0);
        }
        self.log("end", conn);
    }

    fn forget(&mut self, conn: Conn) {
        assert!(self.connections[conn.0 as usize].take().is_some(), "forgotten twice");
        self.log("forget", conn);
    }
}

/// That a message belongs to a trace.
fn in_trace(trace: u128, text: &str) -> TraceContext<'_> {
    let (format, text) = (Format::Traceparent, text.as_bytes());
    TraceContext { format, text, trace, span: None, parent: None, sampled: None }
}

/// Carries other flows: `xor` one, its bytes changed; `mux` many, in frames.
///
/// ```text
/// ┌──────┬──────┬────────┬─────────┐
/// │ 0xf0 │ lane │ length │ payload │   0xf1: so many bytes are lost   0xf2: this side ends
/// └──────┴──────┴────────┴─────────┘
/// ```
struct Layer {
    name: &'static str,
}

impl Protocol for Layer {
    fn name(&self) -> &str {
        self.name
    }

    fn port(&self, _port: u16) -> bool {
        false
    }

    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match (self.name, head[0]) {
            ("mux", 0xf0..=0xf2) => Probe::Certain { client: from },
            _ => Probe::No,
        }
    }

    fn open(&mut self, _flow: &FlowInfo, _client: Side) -> Conn {
        Conn(0)
    }

    fn parse(
        &mut self,
        _conn: Conn,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        if self.name == "xor" {
            let plain = xor(input);
            out.inner(0, from, Inner::Bytes(&plain));
            return Ok(Step::Used(NonZeroUsize::new(input.len()).unwrap()));
        }
        let Some(([kind, lane, length], rest)) = input.split_first_chunk::<3>() else {
            return Ok(Step::Incomplete(NonZeroUsize::MIN));
        };
        let (lane, length) = (u64::from(*lane), usize::from(*length));
        let used = match kind {
            0xf0 => {
                let Some(payload) = rest.get(..length) else {
                    return Ok(Step::Incomplete(NonZeroUsize::MIN));
                };
                out.inner(lane, from, Inner::Bytes(payload));
                3 + length
            }
            0xf1 => {
                out.inner(lane, from, Inner::Gap(NonZeroU64::new(length as u64).unwrap()));
                3
            }
            0xf2 => {
                out.inner(lane, from, Inner::End);
                3
            }
            _ => return Err(Malformed("mux frame")),
        };
        Ok(Step::Used(NonZeroUsize::new(used).unwrap()))
    }

    fn skipped(&mut self, _conn: Conn, _from: Side, _at: Timestamp, _out: &mut dyn Out) {}

    fn gap(
        &mut self,
        _conn: Conn,
        from: Side,
        _head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if self.name == "xor" {
            if let Some(lost) = NonZeroU64::new(lost) {
                out.inner(0, from, Inner::Gap(lost));
            }
            return AfterGap::Continue;
        }
        AfterGap::Resync
    }

    fn resume(&mut self, _conn: Conn, _from: Side, input: &[u8]) -> bool {
        (0xf0..=0xf2).contains(&input[0])
    }

    fn end(&mut self, _conn: Conn, _from: Side, _head: &[u8], _out: &mut dyn Out) {}

    fn forget(&mut self, _conn: Conn) {}
}

/// Bytes as the `xor` layer changes them.
pub(crate) fn xor(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x55).collect()
}

/// A frame of the `mux` layer.
pub(crate) fn frame(lane: u8, payload: &str) -> Vec<u8> {
    [&[0xf0, lane, payload.len() as u8], payload.as_bytes()].concat()
}
