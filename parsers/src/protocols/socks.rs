//! SOCKS 4, 4a and 5: a greeting, a login, and where a client wants to be connected to in, exchanges
//! out; behind a good answer the connection becomes whatever is spoken with the server there.
//!
//! <https://www.openssh.com/txt/socks4.protocol>, <https://www.openssh.com/txt/socks4a.protocol>,
//! <https://www.rfc-editor.org/rfc/rfc1928>, <https://www.rfc-editor.org/rfc/rfc1929>

use crate::connections::{Connections, Reads};
use crate::handed::{Handed, TUNNEL};
use crate::message::{Attribute, Dialect, Kind, Message, Outcome, Pairing, Side, Status, Value};
use crate::protocol::{
    AfterGap, FlowInfo, Handoff, Key, Malformed, Out, Probe, Protocol, Step, Timestamp,
};
use crate::reader::Reader;
use crate::settings::Settings;
use crate::stop::Stop;
use memchr::memchr;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Socks { settings: Arc::clone(settings) }))
}

struct Socks {
    settings: Arc<Settings>,
}

/// What is known of a connection.
#[derive(Debug)]
struct Connection {
    client: Side,
    asks: Asks,
    answers: Answers,
    command: u8,
    target: Vec<u8>,
    is_version_4: bool,
}

/// What the client sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    First,
    /// A login or a request of version 5.
    Next,
    /// What is for the server beyond, once that is there.
    Beyond,
}

/// What the server sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    First,
    Login,
    Reply,
    /// The other end of a connection that was listened for.
    Accepted,
    Nothing,
}

impl Reads for Socks {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "socks"
    }

    fn port(&self, port: u16) -> bool {
        PORTS.contains(&port)
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match likeness(head) {
            Likeness::Client { sure: true } => Probe::Certain { client: from },
            Likeness::Client { sure: false } => Probe::Unsure { client: from },
            Likeness::Server { sure: true } => Probe::Certain { client: from.other() },
            Likeness::Server { sure: false } => Probe::Unsure { client: from.other() },
            Likeness::No => Probe::No,
        }
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Connection {
        Connection {
            client,
            asks: Asks::First,
            answers: Answers::First,
            command: 0,
            target: Vec::new(),
            is_version_4: false,
        }
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let step = if from == connection.client {
            connection.asked(input, &self.settings, out)
        } else {
            connection.answered(input, out)
        };
        step.or_else(Stop::step)
    }

    fn gap(
        &mut self,
        _connection: &mut Connection,
        _from: Side,
        _head: &[u8],
        _lost: u64,
        _out: &mut dyn Out,
    ) -> AfterGap {
        AfterGap::Stop
    }

    fn resume(&mut self, _connection: &mut Connection, _from: Side, _input: &[u8]) -> bool {
        false
    }

    fn end(&mut self, _: &mut Connection, _: Side, _: &[u8], _: &mut dyn Out) {}
}

/// The rest of a message is missing.
const SHORT: Stop = Stop::Short(NonZeroUsize::MIN);

impl Connection {
    /// Reads what the client sends.
    fn asked(
        &mut self,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        match (self.asks, input.first()) {
            (Asks::Beyond, _) if self.answers == Answers::Nothing => Ok(skip_all()),
            (Asks::Beyond, _) => Err(SHORT),
            (Asks::First, Some(4)) => {
                let request = request_4(input)?;
                self.is_version_4 = true;
                self.request(&request, if request.by_name { b"4a" } else { b"4" }, out)
            }
            (Asks::First, Some(5)) => {
                let end = greeting(input)?;
                let key = open(out, Kind::Handshake, b"GREETING", b"", 0..end);
                version(out, key, b"5");
                out.close(key, end);
                self.asks = Asks::Next;
                Ok(used(end))
            }
            (Asks::Next, Some(1)) => {
                let login = login(input)?;
                let key = open(out, Kind::Handshake, b"LOGIN", b"", 0..login.end);
                let name = "user.name";
                if !login.user.is_empty() {
                    out.add(key, Attribute { name, value: Value::Text(login.user) });
                }
                if settings.locate_secrets && !login.password.is_empty() {
                    let Range { start, end } = login.password;
                    out.secret(key, start as u64..end as u64);
                }
                out.close(key, login.end);
                Ok(used(login.end))
            }
            (Asks::Next, Some(5)) => {
                let request = request_5(input)?;
                self.request(&request, b"5", out)
            }
            _ => Err(Stop::Bad("socks version")),
        }
    }

    fn request(
        &mut self,
        request: &Request,
        version_text: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let operation: &[u8] = match request.command {
            1 => b"CONNECT",
            2 => b"BIND",
            3 => b"UDP ASSOCIATE",
            _ => return Err(Stop::Bad("socks command")),
        };
        let key = open(out, Kind::Request, operation, &request.target, 0..request.end);
        version(out, key, version_text);
        out.close(key, request.end);
        self.command = request.command;
        self.target.clone_from(&request.target);
        self.asks = Asks::Beyond;
        Ok(used(request.end))
    }

    /// Reads what the server sends.
    fn answered(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        match (self.answers, input.first()) {
            (Answers::Nothing, _) => Ok(skip_all()),
            (Answers::First | Answers::Accepted, Some(0)) if self.is_version_4 => {
                let reply = input.get(..8).ok_or(SHORT)?;
                let code = reply.get(1).copied().unwrap_or_default();
                let (outcome, text) = meaning_4(code);
                self.reply(code, outcome, text, reply.len(), out)
            }
            (Answers::First, Some(5)) => {
                let method = *input.get(1).ok_or(SHORT)?;
                let refused = method == 0xff;
                let (outcome, text): (_, &[u8]) = match refused {
                    true => (Outcome::ClientError, b"no acceptable method"),
                    false => (Outcome::Ok, b""),
                };
                answer(out, method.into(), outcome, text, 2);
                self.answers = match method {
                    0 => Answers::Reply,
                    2 => Answers::Login,
                    0xff => Answers::Nothing,
                    // What is agreed upon there encrypts what follows.
                    _ => {
                        out.lost("socks_methods_not_read");
                        (self.asks, self.answers) = (Asks::Beyond, Answers::Nothing);
                        return Ok(Step::Skip { used: 2, skip: NonZeroU64::MAX });
                    }
                };
                Ok(used(2))
            }
            (Answers::Login, Some(1)) => {
                let status = *input.get(1).ok_or(SHORT)?;
                let good = status == 0;
                let (outcome, text): (_, &[u8]) = match good {
                    true => (Outcome::Ok, b""),
                    false => (Outcome::ClientError, b"login refused"),
                };
                answer(out, status.into(), outcome, text, 2);
                self.answers = if good { Answers::Reply } else { Answers::Nothing };
                Ok(used(2))
            }
            (Answers::Reply | Answers::Accepted, Some(5)) => {
                let reply = request_5(input)?;
                let (outcome, text) = meaning_5(reply.command);
                self.reply(reply.command, outcome, text, reply.end, out)
            }
            _ => Err(Stop::Bad("socks reply")),
        }
    }

    /// What came of a request.
    fn reply(
        &mut self,
        code: u8,
        outcome: Outcome,
        text: &[u8],
        end: usize,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let good = outcome == Outcome::Ok;
        // A server that listens tells where, and once more when somebody has come.
        if good && self.command == 2 && self.answers != Answers::Accepted {
            let key = open(out, Kind::Interim, b"", b"", 0..end);
            out.close(key, end);
            self.answers = Answers::Accepted;
            return Ok(used(end));
        }
        answer(out, code.into(), outcome, text, end);
        self.answers = Answers::Nothing;
        // Datagrams go elsewhere, as long as this connection stands.
        if !good || self.command == 3 {
            return Ok(used(end));
        }
        let mut handed = Handed {
            by: "socks",
            client: Some(self.client),
            resource: self.target.clone(),
            server: self.target.clone(),
            ..Handed::default()
        };
        handed.tell(TUNNEL, &self.target);
        out.becomes(handed);
        Ok(Step::Become { used: end, next: Handoff::Detect })
    }
}

/// A request, or a reply of version 5, which has the same form.
#[derive(Debug)]
struct Request {
    /// The command, or what came of it.
    command: u8,
    /// Host and port.
    target: Vec<u8>,
    by_name: bool,
    /// Whether a user's name stands there.
    has_user: bool,
    end: usize,
}

/// Version, command, port, address, a user's name and a zero; a name and a zero if the address
/// begins with three zeros.
fn request_4(input: &[u8]) -> Result<Request, Stop> {
    let mut reader = Reader::new(input);
    let command = reader.take(2).and_then(|head| head.last().copied()).ok_or(SHORT)?;
    let port = reader.u16_be().ok_or(SHORT)?;
    let address = reader.u32_be().ok_or(SHORT)?;
    if !matches!(command, 1 | 2) {
        return Err(Stop::Bad("socks command"));
    }
    let mut text = || {
        let rest = reader.rest();
        let end = memchr(0, rest.get(..NAME).unwrap_or(rest));
        let end = end.ok_or(if rest.len() >= NAME { Stop::Bad("socks name") } else { SHORT });
        let text = reader.take(end?).unwrap_or_default();
        reader.u8();
        Ok(text)
    };
    let user = text()?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-@".contains(byte);
    let has_user = user.len() > 1 && user.iter().all(is_name);
    let by_name = address >> 8 == 0 && address != 0;
    let host = match by_name {
        true => text()?.to_vec(),
        false => Ipv4Addr::from(address).to_string().into_bytes(),
    };
    let end = reader.offset();
    Ok(Request { command, target: with_port(host, port), by_name, has_user, end })
}

/// Version, number of methods, methods.
fn greeting(input: &[u8]) -> Result<usize, Stop> {
    let count = usize::from(*input.get(1).ok_or(SHORT)?);
    if count == 0 {
        return Err(Stop::Bad("socks methods"));
    }
    input.get(..2 + count).map(|_| 2 + count).ok_or(SHORT)
}

struct Login<'b> {
    user: &'b [u8],
    password: Range<usize>,
    end: usize,
}

/// Version 1, user and password, each behind its length (RFC 1929 section 2).
fn login(input: &[u8]) -> Result<Login<'_>, Stop> {
    let mut reader = Reader::new(input);
    reader.u8();
    let len = reader.u8().ok_or(SHORT)?;
    let user = reader.take(len.into()).ok_or(SHORT)?;
    let len = reader.u8().ok_or(SHORT)?;
    let start = reader.offset();
    reader.take(len.into()).ok_or(SHORT)?;
    let end = reader.offset();
    Ok(Login { user, password: start..end, end })
}

/// Version, command or reply, 0, kind of address, address, port (RFC 1928 sections 4 and 6).
fn request_5(input: &[u8]) -> Result<Request, Stop> {
    let mut reader = Reader::new(input);
    let mut byte = || reader.u8().ok_or(SHORT);
    if byte()? != 5 {
        return Err(Stop::Bad("socks version"));
    }
    let (command, reserved, kind) = (byte()?, byte()?, byte()?);
    if reserved != 0 {
        return Err(Stop::Bad("socks request"));
    }
    let mut take = |n: usize| reader.take(n).ok_or(SHORT);
    let host = match kind {
        1 => {
            let [a, b, c, d] = take(4)?.try_into().unwrap_or_default();
            Ipv4Addr::new(a, b, c, d).to_string().into_bytes()
        }
        3 => {
            let len = take(1)?.first().copied().unwrap_or_default();
            take(len.into())?.to_vec()
        }
        4 => {
            let bytes: [u8; 16] = take(16)?.try_into().unwrap_or_default();
            format!("[{}]", Ipv6Addr::from(bytes)).into_bytes()
        }
        _ => return Err(Stop::Bad("socks address")),
    };
    let port = reader.u16_be().ok_or(SHORT)?;
    Ok(Request {
        command,
        target: with_port(host, port),
        by_name: kind == 3,
        has_user: false,
        end: reader.offset(),
    })
}

fn with_port(mut host: Vec<u8>, port: u16) -> Vec<u8> {
    host.extend_from_slice(format!(":{port}").as_bytes());
    host
}

/// What the first bytes of a side look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Client { sure: bool },
    Server { sure: bool },
    No,
}

/// A greeting is too short to be sure of; with what follows it, it is not.
fn likeness(head: &[u8]) -> Likeness {
    let is_host = |target: &[u8]| {
        target.len() > 3
            && target.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte))
    };
    let judged = |judged: Result<bool, Stop>, likeness: fn(bool) -> Likeness| match judged {
        Ok(sure) => likeness(sure),
        Err(Stop::Short(_)) => likeness(false),
        Err(Stop::Bad(_)) => Likeness::No,
    };
    let client = |sure| Likeness::Client { sure };
    match head {
        // What says neither a user nor a name could be anything.
        [4, ..] => judged(
            request_4(head).and_then(|request| match is_host(&request.target) {
                true => Ok(request.by_name || request.has_user),
                false => Err(Stop::Bad("socks name")),
            }),
            client,
        ),
        [5] => client(false),
        [0] | [0, GRANTED_4..=93, ..] => Likeness::Server { sure: false },
        [5, 0, ..] | [5, 0xff, ..] | [5, 2, 1, ..] | [5, 2] => {
            let server = |sure| Likeness::Server { sure };
            let rest = head.get(2..).unwrap_or_default();
            let reply = match rest {
                [1, 0, after @ ..] => after,
                [1] => return server(false),
                _ => rest,
            };
            let judged_reply = match reply {
                [] => Err(SHORT),
                _ => request_5(reply).and_then(|reply| match reply.command {
                    0..=8 => Ok(true),
                    _ => Err(Stop::Bad("socks reply")),
                }),
            };
            // Two methods, of which the first is that without a login.
            judged(judged_reply, server)
        }
        [5, count, ..] if *count <= METHODS => judged(
            greeting(head).and_then(|end| {
                let methods = head.get(2..end).unwrap_or_default();
                if methods.iter().any(|method| (10..0x80).contains(method)) {
                    return Err(Stop::Bad("socks methods"));
                }
                let mut rest = head.get(end..).unwrap_or_default();
                if rest.first() == Some(&1) {
                    rest = rest.get(login(rest)?.end..).unwrap_or_default();
                }
                match rest {
                    [] => Err(SHORT),
                    _ => request_5(rest).and_then(|request| {
                        let good = matches!(request.command, 1..=3) && is_host(&request.target);
                        if good { Ok(true) } else { Err(Stop::Bad("socks request")) }
                    }),
                }
            }),
            client,
        ),
        _ => Likeness::No,
    }
}

fn open(
    out: &mut dyn Out,
    kind: Kind,
    operation: &[u8],
    resource: &[u8],
    bytes: Range<usize>,
) -> Key {
    out.open(Message {
        kind,
        dialect: Dialect::Plain,
        pairing: Pairing::InOrder { lane: 0 },
        bytes,
        operation,
        resource,
        status: Status::default(),
        cut: false,
    })
}

fn version(out: &mut dyn Out, key: Key, version: &[u8]) {
    let name = "network.protocol.version";
    out.add(key, Attribute { name, value: Value::Text(version) });
}

fn answer(out: &mut dyn Out, code: u32, outcome: Outcome, text: &[u8], end: usize) {
    let key = out.open(Message {
        kind: Kind::Response,
        dialect: Dialect::Plain,
        pairing: Pairing::InOrder { lane: 0 },
        bytes: 0..end,
        operation: b"",
        resource: b"",
        status: Status { outcome, code, text },
        cut: false,
    });
    out.close(key, end);
}

fn used(bytes: usize) -> Step {
    NonZeroUsize::new(bytes).map_or(Step::Incomplete(NonZeroUsize::MIN), Step::Used)
}

fn skip_all() -> Step {
    Step::Skip { used: 0, skip: NonZeroU64::MAX }
}

/// What a reply of version 4 is called, and whose fault it is.
fn meaning_4(code: u8) -> (Outcome, &'static [u8]) {
    match code {
        GRANTED_4 => (Outcome::Ok, b""),
        91 => (Outcome::ServerError, b"rejected or failed"),
        92 => (Outcome::ClientError, b"no identd"),
        93 => (Outcome::ClientError, b"another user"),
        _ => (Outcome::ServerError, b"unknown"),
    }
}

/// RFC 1928 section 6: what it is called, and whose fault it is.
fn meaning_5(code: u8) -> (Outcome, &'static [u8]) {
    match code {
        0 => (Outcome::Ok, b""),
        1 => (Outcome::ServerError, b"general failure"),
        2 => (Outcome::ClientError, b"not allowed"),
        3 => (Outcome::ServerError, b"network unreachable"),
        4 => (Outcome::ServerError, b"host unreachable"),
        5 => (Outcome::ServerError, b"connection refused"),
        6 => (Outcome::ServerError, b"TTL expired"),
        7 => (Outcome::ClientError, b"command not supported"),
        8 => (Outcome::ClientError, b"address type not supported"),
        _ => (Outcome::ServerError, b"unknown"),
    }
}

const PORTS: [u16; 3] = [1080, 9050, 9150];
const GRANTED_4: u8 = 90;
/// The longest name of a user or host of version 4, in bytes.
const NAME: usize = 256;
/// Methods of a greeting that is recognised.
const METHODS: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{Recording, Split, Vector, record};
    use std::fs;
    use std::path::Path;

    fn check(name: &str, expected: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/vectors/socks");
        let text = fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
        let vector = Vector::parse(&text).unwrap();
        let settings = Settings { locate_secrets: true, ..Settings::default() };
        let mut protocol = protocol(&Arc::new(settings));
        let (flow, events) = (vector.flow(), &vector.events);
        let empty = Recording::default();
        let found = record(empty, protocol.as_mut(), &flow, Side::A, events, Split::Whole);
        assert_eq!(found.broken, Vec::<String>::new());
        let mut lines: Vec<String> = Vec::new();
        for message in &found.messages {
            let attributes = message.attributes.iter().map(|(_, value)| value.as_str());
            let secrets = message.secrets.iter().map(|at| format!("secret {at:?}"));
            let texts = [&message.operation, &message.resource, &message.text];
            let words = texts.into_iter().filter(|text| !text.is_empty()).map(String::as_str);
            let line = format!("{:?} {:?} {}", message.kind, message.outcome, message.code);
            let words = words.chain(attributes).map(str::to_owned).chain(secrets);
            lines.push(words.fold(line, |line, word| line + " " + &word));
        }
        lines.extend(found.became);
        assert_eq!(
            lines.join("\n"),
            expected.lines().map(str::trim).collect::<Vec<_>>().join("\n")
        );
    }

    #[test]
    fn a_request_leads_to_its_target() {
        check(
            "five-name",
            "Handshake Unknown 0 GREETING 5
             Response Ok 0
             Request Unknown 0 CONNECT localhost:18090 5
             Response Ok 0
             Detect",
        );
        check(
            "four",
            "Request Unknown 0 CONNECT 127.0.0.1:18090 4
             Response Ok 90
             Detect",
        );
        check(
            "four-name",
            "Request Unknown 0 CONNECT localhost:18090 4a
             Response Ok 90
             Detect",
        );
    }

    #[test]
    fn a_login_shows_its_user_and_hides_its_password() {
        check(
            "five-login",
            "Handshake Unknown 0 GREETING 5
             Response Ok 2
             Handshake Unknown 0 LOGIN lab secret 11..32
             Response Ok 0
             Request Unknown 0 CONNECT 127.0.0.1:18090 5
             Response Ok 0
             Detect",
        );
    }

    #[test]
    fn what_is_refused_leads_nowhere() {
        check(
            "five-refused",
            "Handshake Unknown 0 GREETING 5
             Response Ok 2
             Handshake Unknown 0 LOGIN lab secret 9..14
             Response ClientError 1 login refused",
        );
        check(
            "five-unreachable",
            "Handshake Unknown 0 GREETING 5
             Request Unknown 0 CONNECT [2001:db8::1]:443 5
             Response Ok 0
             Response ServerError 4 host unreachable",
        );
        check(
            "four-rejected",
            "Request Unknown 0 CONNECT 192.0.2.7:80 4
             Response ServerError 91 rejected or failed",
        );
    }

    #[test]
    fn a_port_to_be_called_back_at_is_answered_twice() {
        check(
            "five-bind",
            "Handshake Unknown 0 GREETING 5
             Response Ok 0
             Request Unknown 0 BIND 192.0.2.7:21 5
             Interim Unknown 0
             Response Ok 0
             Detect",
        );
    }

    #[test]
    fn a_greeting_alone_is_no_proof() {
        assert_eq!(likeness(b"\x05\x01\x00"), Likeness::Client { sure: false });
        assert_eq!(likeness(b"\x05\x00"), Likeness::Server { sure: false });
        let both = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50";
        assert_eq!(likeness(both), Likeness::Client { sure: true });
        assert_eq!(likeness(b"\x04\x01\x00\x50\x7f\0\0\x01\0"), Likeness::Client { sure: false });
        assert_eq!(likeness(b"\x05\x01\x00\x04"), Likeness::No);
        assert_eq!(likeness(b"\x05\x40"), Likeness::No);
    }
}
