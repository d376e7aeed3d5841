//! Redis: RESP2, RESP3 and inline commands in, commands, replies and pushes out.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Each command is answered in
//! order, but for those after `CLIENT REPLY OFF`; what subscriptions, `MONITOR` and tracking send
//! unasked is one-way. Values are skipped, not kept: a command shows its first 256 bytes in
//! `db.query.text`, secrets as `?`. What a primary streams to a replica is not read.

mod resp;
mod names;
mod command;
mod reply;

use crate::message::{Attribute, Kind, Message, Outcome, Pairing, Side, Status, Value};
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Key, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use command::{Answers, Command, Shown, Words};
use names::{NAME_LIMIT, Shape, is_command, known_names};
use reply::{Announced, Element, Reply, reply_line, reply_status};
use resp::{Bulk, Stop, WHOLE_LIMIT, length, line, short, whole_bulk};
use slab::Slab;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};

/// Makes one shard's instance.
#[must_use]
pub fn protocol() -> Box<dyn Protocol> {
    Box::new(Redis::default())
}

#[derive(Default)]
struct Redis {
    connections: Slab<Connection>,
}

impl Protocol for Redis {
    fn name(&self) -> &str {
        "redis"
    }

    fn port(&self, port: u16) -> bool {
        port == 6379
    }

    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match head {
            [b'*', ..] => probe_array(flow, from, head),
            [first, ..] if first.is_ascii_alphabetic() => probe_inline(from, head),
            _ => match reply_line(head) {
                Ok(_) | Err(Stop::Short(_)) => Probe::Unsure { client: from.other() },
                Err(Stop::Bad(_)) => Probe::No,
            },
        }
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Conn {
        let place = self.connections.insert(Connection::new(client));
        Conn(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let Some(connection) = self.connections.get_mut(conn.0 as usize) else {
            return Err(Malformed("connection"));
        };
        let step = if from == connection.client {
            connection.read_command(input, out)
        } else {
            connection.read_reply(input, out)
        };
        match step {
            Ok(step) => Ok(step),
            Err(Stop::Short(more)) => Ok(Step::Incomplete(more)),
            Err(Stop::Bad(field)) => {
                connection.abandon(from, &[], out);
                Err(Malformed(field))
            }
        }
    }

    fn skipped(&mut self, _conn: Conn, _from: Side, _at: Timestamp, _out: &mut dyn Out) {
        // The line end after a skipped value is read as usual; it closes the message.
    }

    fn gap(
        &mut self,
        conn: Conn,
        from: Side,
        head: &[u8],
        _lost: NonZeroU64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, out);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get(conn.0 as usize) else { return false };
        if from != connection.client {
            return reply_line(input).is_ok();
        }
        match input {
            [b'*', rest @ ..] => matches!(
                length(rest),
                Ok((rest, 1..=ARGUMENT_LIMIT)) if rest.first() == Some(&b'$')
            ),
            _ => matches!(probe_inline(from, input), Probe::Certain { .. }),
        }
    }

    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, out);
        }
    }

    fn forget(&mut self, conn: Conn) {
        self.connections.try_remove(conn.0 as usize);
    }
}

struct Connection {
    client: Side,
    command: Command,
    reply: Reply,
    /// What the next replies answer, oldest first.
    awaited: VecDeque<Awaited>,
    answers: Answers,
    /// Whether arrays may be messages of a subscription (RESP2 has no type for them).
    subscribed: bool,
    /// Whether simple strings may be lines of `MONITOR`.
    monitoring: bool,
}

/// What one reply, or a run of them, answers.
enum Awaited {
    /// So many commands, each with one reply.
    Plain(u64),
    /// (P|S)(UN)SUBSCRIBE: one confirmation a channel, the first of which is the answer.
    Channels { command: &'static str, left: u64, answered: bool },
    /// `MONITOR`.
    Monitor,
    /// `SYNC`, `PSYNC`.
    Copy,
}

impl Connection {
    fn new(client: Side) -> Self {
        Self {
            client,
            command: Command::default(),
            reply: Reply::default(),
            awaited: VecDeque::new(),
            answers: Answers::On,
            subscribed: false,
            monitoring: false,
        }
    }

    fn read_command(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        if self.command.key.is_none() && self.command.left == 0 {
            self.command.shown = if out.wants_details() { Shown::MUCH } else { Shown::SOME };
            let [first, rest @ ..] = input else { return Err(short(1)) };
            match first {
                b'*' => {
                    let (rest, arguments) = length(rest)?;
                    self.command.at = input.len() - rest.len();
                    match u64::try_from(arguments) {
                        Ok(0) | Err(_) => return used(self.command.restart()),
                        Ok(_) if arguments > ARGUMENT_LIMIT => {
                            return Err(Stop::Bad("argument count"));
                        }
                        Ok(arguments) => self.command.left = arguments,
                    }
                }
                b'\r' | b'\n' => return used(1),
                _ => return self.read_inline(input, out),
            }
        }
        loop {
            if self.command.left == 0 && !self.command.tail {
                self.close_command(self.command.at, out);
                return used(self.command.restart());
            }
            let skip = match self.command.read_argument(input) {
                Ok(skip) => skip,
                Err(Stop::Short(more)) => return self.command.pause(more, out),
                Err(bad) => return Err(bad),
            };
            let known = self.command.read >= self.command.need;
            if self.command.key.is_none() && (known || skip.is_some() || self.command.left == 0) {
                self.open_command(0..self.command.at, false, out);
            }
            if let Some(skip) = skip {
                return Ok(Step::Skip { used: std::mem::take(&mut self.command.at), skip });
            }
        }
    }

    /// A line of words instead of an array, as typed into telnet.
    fn read_inline(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        // Others start a value or a reply: the place in the stream is lost.
        if !matches!(input, [b'a'..=b'z' | b'A'..=b'Z' | b'"' | b'\'', ..]) {
            return Err(Stop::Bad("command"));
        }
        let Some(line) = line(input, self.command.at) else {
            self.command.at = input.len();
            return Err(if input.len() > INLINE_LIMIT { Stop::Bad("inline") } else { short(1) });
        };
        self.command.at = 0;
        for word in Words(line.strip_suffix(b"\r").unwrap_or(line)) {
            self.command.take(word, word.len())?;
        }
        let end = line.len() + 1;
        if self.command.read > 0 {
            self.open_command(0..end, false, out);
            self.close_command(end, out);
        }
        self.command.restart();
        used(end)
    }

    fn open_command(&mut self, bytes: std::ops::Range<usize>, cut: bool, out: &mut dyn Out) {
        let command = &mut self.command;
        let answered = match (command.operation.as_slice(), command.switch) {
            (b"CLIENT REPLY", Some(Answers::On)) => {
                self.answers = Answers::On;
                true
            }
            (b"CLIENT REPLY", Some(switch)) => {
                if self.answers == Answers::On || switch == Answers::Off {
                    self.answers = switch;
                }
                false
            }
            (b"REPLCONF ACK", _) => false,
            (b"RESET", _) => {
                self.answers = Answers::On;
                self.subscribed = false;
                self.monitoring = false;
                true
            }
            _ if self.answers == Answers::SkipNext => {
                self.answers = Answers::On;
                false
            }
            _ => self.answers == Answers::On,
        };
        let (kind, pairing) = match (answered, command.shape) {
            (false, _) => (Kind::OneWay, Pairing::OneWay),
            (true, Shape::Login) => (Kind::Handshake, Pairing::InOrder { lane: 0 }),
            (true, _) => (Kind::Request, Pairing::InOrder { lane: 0 }),
        };
        let key = out.open(Message {
            kind,
            pairing,
            bytes,
            operation: &command.operation,
            resource: &command.resource,
            status: Status::default(),
            cut,
        });
        command.key = Some(key);
        if !answered {
            return;
        }
        match (command.shape, self.awaited.back_mut()) {
            (Shape::Channels(name), _) => {
                // The command's own name is no channel.
                let channels = (command.read as u64).saturating_add(command.left);
                let left = channels.saturating_sub(1).max(1);
                self.awaited.push_back(Awaited::Channels { command: name, left, answered: false });
            }
            (Shape::Monitor, _) => self.awaited.push_back(Awaited::Monitor),
            (Shape::Copy, _) => self.awaited.push_back(Awaited::Copy),
            (_, Some(Awaited::Plain(run))) => *run = run.saturating_add(1),
            _ => self.awaited.push_back(Awaited::Plain(1)),
        }
        if self.awaited.len() > AWAITED_LIMIT {
            self.awaited.clear();
            out.lost("redis outstanding commands over the limit");
        }
    }

    fn close_command(&mut self, end: usize, out: &mut dyn Out) {
        if let Some(key) = self.command.key.take() {
            let text = Value::Text(&self.command.text);
            out.add(key, Attribute { name: "db.query.text", value: text });
            out.close(key, end);
        }
    }

    fn read_reply(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        if self.reply.key.is_none() {
            // A primary sends empty lines while it prepares what it will stream.
            if let ([b'\n', ..], Some(Awaited::Copy)) = (input, self.awaited.front()) {
                return used(1);
            }
            let key = match self.announcement(input)? {
                Some(announced) => self.open_announced(&announced, out),
                None => self.open_reply(input, out)?,
            };
            self.reply.key = Some(key);
            self.reply.stack.push(1);
        }
        let Some(key) = self.reply.key else { return Err(Stop::Bad("reply")) };
        let mut at = 0;
        while !self.reply.is_complete() {
            let rest = input.get(at..).unwrap_or_default();
            if self.reply.status_is_due && self.reply.is_at_top() {
                match reply_status(rest) {
                    Ok(Some(status)) => {
                        out.status(key, status);
                        self.reply.status_is_due = false;
                    }
                    Ok(None) => {}
                    Err(Stop::Short(more)) => return pause_reply(key, at, more, out),
                    Err(bad) => return Err(bad),
                }
            }
            if self.reply.copy && self.reply.is_at_top() && rest.first() == Some(&b'$') {
                break;
            }
            match self.reply.read_element(rest) {
                Ok(Element::Used(bytes)) => at += bytes,
                Ok(Element::Skip { used, skip }) => {
                    return Ok(Step::Skip { used: at + used, skip });
                }
                Err(Stop::Short(more)) => return pause_reply(key, at, more, out),
                Err(bad) => return Err(bad),
            }
        }
        out.close(key, at);
        let copy = self.reply.copy;
        self.reply.restart();
        if copy {
            return Ok(Step::Skip { used: at, skip: NonZeroU64::MAX });
        }
        used(at)
    }

    /// What starts here unless it is a reply: a push, or what RESP2 has in its place.
    fn announcement<'b>(&self, input: &'b [u8]) -> Result<Option<Announced<'b>>, Stop> {
        let [kind, rest @ ..] = input else { return Err(short(1)) };
        let idle = matches!(self.awaited.front(), None | Some(Awaited::Channels { .. }));
        match kind {
            b'>' => {}
            b'*' if self.subscribed || idle => {}
            b'+' if self.monitoring => {
                let [first, ..] = rest else { return Err(short(1)) };
                let line = Announced { word: b"MONITOR", about: b"", last: false };
                return Ok(first.is_ascii_digit().then_some(line));
            }
            _ => return Ok(None),
        }
        let plain = Announced { word: b"PUSH", about: b"", last: false };
        if rest.first() == Some(&b'?') {
            return Ok((*kind == b'>').then_some(plain));
        }
        let (rest, count) = length(rest)?;
        if *kind == b'*' && !(3..=4).contains(&count) {
            return Ok(None);
        }
        if count < 1 {
            return Ok(Some(plain));
        }
        let Some(Bulk { value: word, rest }) = whole_bulk(rest, NAME_LIMIT)? else {
            return Ok((*kind == b'>').then_some(plain));
        };
        if *kind == b'*' && !ANNOUNCED.iter().any(|known| known.as_bytes() == word) {
            return Ok(None);
        }
        let mut announced = Announced { word, about: b"", last: false };
        if count < 2 {
            return Ok(Some(announced));
        }
        let Some(Bulk { value: about, rest }) = whole_bulk(rest, WHOLE_LIMIT)? else {
            return Ok(Some(announced));
        };
        announced.about = about;
        if word == b"pmessage" {
            if let Some(channel) = whole_bulk(rest, WHOLE_LIMIT)? {
                announced.about = channel.value;
            }
        } else if word.ends_with(b"unsubscribe") {
            let [b':', rest @ ..] = rest else {
                return if rest.is_empty() { Err(short(1)) } else { Ok(Some(announced)) };
            };
            announced.last = length(rest)?.1 == 0;
        }
        Ok(Some(announced))
    }

    fn open_announced(&mut self, announced: &Announced<'_>, out: &mut dyn Out) -> Key {
        if announced.word.ends_with(b"subscribe") || announced.word.ends_with(b"message") {
            self.subscribed = !announced.last;
        }
        if let Some(Awaited::Channels { command, left, answered }) = self.awaited.front_mut()
            && command.as_bytes().eq_ignore_ascii_case(announced.word)
        {
            let answers = !std::mem::replace(answered, true);
            *left -= 1;
            if *left == 0 {
                self.awaited.pop_front();
            }
            if answers {
                return out.open(response(Status { outcome: Outcome::Ok, ..Status::default() }));
            }
        }
        let operation: SmallVec<[u8; NAME_LIMIT]> =
            announced.word.iter().map(u8::to_ascii_uppercase).collect();
        out.open(Message {
            kind: Kind::OneWay,
            pairing: Pairing::OneWay,
            bytes: 0..1,
            operation: &operation,
            resource: announced.about.get(..Shown::SOME.value).unwrap_or(announced.about),
            status: Status::default(),
            cut: false,
        })
    }

    fn open_reply(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Key, Stop> {
        let status = reply_status(input)?;
        let good = status.is_none_or(|status| status.outcome == Outcome::Ok);
        while let Some(awaited) = self.awaited.front_mut() {
            match awaited {
                Awaited::Plain(run) if *run > 1 => {
                    *run -= 1;
                    break;
                }
                // Its other confirmations did not come.
                Awaited::Channels { answered: true, .. } => {
                    self.awaited.pop_front();
                    continue;
                }
                Awaited::Plain(_) | Awaited::Channels { .. } => {}
                Awaited::Monitor => self.monitoring = good,
                Awaited::Copy => self.reply.copy = good,
            }
            self.awaited.pop_front();
            break;
        }
        self.reply.status_is_due = status.is_none();
        Ok(out.open(response(status.unwrap_or_default())))
    }

    /// Gives up what one side has begun; `head` are its bytes that were not used.
    fn abandon(&mut self, from: Side, head: &[u8], out: &mut dyn Out) {
        if from == self.client {
            if self.command.key.is_none() && self.command.read > 0 && !head.is_empty() {
                self.open_command(0..head.len(), true, out);
            }
            if self.command.key.is_some() {
                out.lost("redis commands cut");
                self.close_command(0, out);
            }
            self.command.restart();
            return;
        }
        if let Some(key) = self.reply.key {
            out.lost("redis replies cut");
            out.close(key, 0);
        }
        self.reply.restart();
        self.awaited.clear();
    }
}

fn response(status: Status<'_>) -> Message<'_> {
    Message {
        kind: Kind::Response,
        pairing: Pairing::InOrder { lane: 0 },
        bytes: 0..1,
        operation: b"",
        resource: b"",
        status,
        cut: false,
    }
}

fn probe_array(flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
    let other = from.other();
    let [_, rest @ ..] = head else { return Probe::No };
    let (rest, count) = match length(rest) {
        Ok(header) => header,
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    if !(-1..=ARGUMENT_LIMIT).contains(&count) {
        return Probe::No;
    }
    match rest {
        [] if count > 0 => return Probe::Unsure { client: from },
        [b'$', ..] => {}
        _ => return Probe::Unsure { client: other },
    }
    let Bulk { value: name, rest } = match whole_bulk(rest, NAME_LIMIT) {
        Ok(Some(name)) => name,
        // Only replies start with a long or an absent value.
        Ok(None) => return Probe::Unsure { client: other },
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    let ports = [Side::A, Side::B].into_iter().find(|side| flow.port(side.other()) == 6379);
    let announced = ANNOUNCED.iter().any(|known| known.as_bytes() == name);
    let client = match flow.opener.or(ports) {
        Some(client) => client,
        None if announced && (name.ends_with(b"message") || name == b"invalidate") => other,
        // The confirmation of a subscription has a number where the command has none.
        None if announced && count == 3 => match whole_bulk(rest, WHOLE_LIMIT) {
            Ok(Some(Bulk { rest: [b':', ..], .. })) => other,
            Ok(Some(Bulk { rest: [], .. })) | Err(Stop::Short(_)) => {
                return Probe::Unsure { client: from };
            }
            _ => from,
        },
        None if is_command(name) => from,
        None => return Probe::Unsure { client: from },
    };
    Probe::Certain { client }
}

fn probe_inline(from: Side, head: &[u8]) -> Probe {
    let shown = head.get(..INLINE_PROBE_LIMIT).unwrap_or(head);
    let line = line(shown, 0);
    let text = line.unwrap_or(shown);
    let is_text = |b: &u8| matches!(b, b' '..=b'~' | b'\r' | b'\t');
    if !text.iter().all(is_text) || (line.is_none() && head.len() > INLINE_PROBE_LIMIT) {
        return Probe::No;
    }
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let name: SmallVec<[u8; NAME_LIMIT]> = word.iter().map(u8::to_ascii_uppercase).collect();
    if line.is_none() && word.len() == text.len() {
        let begun = known_names().any(|known| known.as_bytes().starts_with(&name));
        return if begun { Probe::Unsure { client: from } } else { Probe::No };
    }
    if !is_command(&name) {
        return Probe::No;
    }
    let shared = SHARED.iter().any(|known| known.as_bytes() == name.as_slice());
    if line.is_none() || shared {
        return Probe::Unsure { client: from };
    }
    Probe::Certain { client: from }
}

fn pause_reply(key: Key, at: usize, more: NonZeroUsize, out: &mut dyn Out) -> Result<Step, Stop> {
    let Some(at) = NonZeroUsize::new(at) else { return Err(Stop::Short(more)) };
    out.extend(key, at.get());
    Ok(Step::Used(at))
}

fn used(bytes: usize) -> Result<Step, Stop> {
    NonZeroUsize::new(bytes).map(Step::Used).ok_or(Stop::Bad("length"))
}

/// `PROTO_INLINE_MAX_SIZE`.
const INLINE_LIMIT: usize = 64 << 10;
const INLINE_PROBE_LIMIT: usize = 1024;
const ARGUMENT_LIMIT: i64 = i32::MAX as i64;
/// Runs of outstanding commands; a run has one kind.
const AWAITED_LIMIT: usize = 4096;

const ANNOUNCED: &[&str] = &[
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "invalidate",
];

/// Commands whose names are those of mail, FTP, NATS, memcached or STOMP too.
#[rustfmt::skip]
const SHARED: &[&str] = &[
    "ACL", "APPEND", "AUTH", "CLIENT", "CONFIG", "COPY", "DECR", "DEBUG", "DISCARD", "DUMP", "ECHO",
    "EXEC", "GET", "HELLO", "INCR", "INFO", "KEYS", "MODULE", "MONITOR", "MOVE", "PING", "PUBLISH",
    "QUIT", "RENAME", "RESET", "RESTORE", "ROLE", "SAVE", "SCAN", "SELECT", "SET", "SHUTDOWN",
    "SORT", "SUBSCRIBE", "SYNC", "TIME", "TOUCH", "TYPE", "UNSUBSCRIBE", "WAIT", "WATCH",
];

#[cfg(test)]
mod tests {
    use super::command::{CUT, Shown};
    use super::reply::DEPTH_LIMIT;
    use super::*;
    use crate::fuzzing::{Event, Recording, Split, drive, flow};

    #[test]
    fn get_and_its_reply_are_a_request_and_a_response() {
        check(
            &[(Side::A, b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), (Side::B, b"$2\r\nhi\r\n")],
            &["A Request GET k [get k] 0..20", "B Response Ok 0..8"],
        );
    }

    #[test]
    fn pipelined_commands_are_told_apart() {
        check(
            &[
                (Side::A, b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\r\n\r\n"),
                (Side::B, b"+PONG\r\n+PONG\r\n+PONG\r\n"),
            ],
            &[
                "A Request PING [PING] 0..14",
                "A Request PING [PING] 14..28",
                "A Request PING [PING] 28..34",
                "B Response Ok 0..7",
                "B Response Ok 7..14",
                "B Response Ok 14..21",
            ],
        );
    }

    #[test]
    fn inline_command_keeps_quoted_words_together() {
        check(
            &[(Side::A, b"set k \"a \\\" b\" 'c d'\n")],
            &["A Request SET k [set k a \\\" b c d] 0..21"],
        );
    }

    #[test]
    fn error_has_its_first_word_and_whose_fault_it_is() {
        for (reply, expected) in [
            ("-WRONGTYPE Operation against\r\n", "B Response ClientError WRONGTYPE 0..30"),
            ("-LOADING Redis is\r\n", "B Response ServerError LOADING 0..19"),
            ("-MOVED 3999 127.0.0.1:6381\r\n", "B Response Ok MOVED 0..28"),
            ("!10\r\nSYNTAX bad\r\n", "B Response ClientError SYNTAX 0..17"),
            ("|1\r\n+a\r\n:1\r\n-ERR x\r\n", "B Response ClientError ERR 0..20"),
        ] {
            check(&[(Side::B, reply.as_bytes())], &[expected]);
        }
    }

    #[test]
    fn each_resp_type_is_one_reply() {
        for reply in [
            "+OK\r\n",
            ":-7\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "*-1\r\n",
            "*0\r\n",
            "_\r\n",
            "#t\r\n",
            ",-1.5e3\r\n",
            ",inf\r\n",
            "(3492890328409238509324850943850943825024385\r\n",
            "=15\r\ntxt:Some string\r\n",
            "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n$1\r\nx\r\n",
            "~2\r\n+a\r\n#f\r\n",
            "*3\r\n*2\r\n:1\r\n:2\r\n*0\r\n*-1\r\n",
            "|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n",
            "$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;0\r\n",
            "*?\r\n:1\r\n*?\r\n.\r\n$?\r\n;0\r\n.\r\n",
            "%?\r\n+a\r\n:1\r\n.\r\n",
        ] {
            let expected = format!("B Response Ok 0..{}", reply.len());
            check(&[(Side::B, reply.as_bytes())], &[&expected]);
        }
    }

    #[test]
    fn long_values_are_skipped_in_commands_and_in_nested_replies() {
        let value = "v".repeat(5000);
        let command =
            format!("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n{value}\r\n$2\r\nEX\r\n$1\r\n9\r\n");
        let reply = format!("*3\r\n:1\r\n*2\r\n$5000\r\n{value}\r\n+a\r\n:3\r\n");
        let request =
            format!("A Request SET k [SET k {}… EX 9] 0..{}", "v".repeat(128), command.len());
        let response = format!("B Response Ok 0..{}", reply.len());
        check(
            &[(Side::A, command.as_bytes()), (Side::B, reply.as_bytes())],
            &[&request, &response],
        );
    }

    #[test]
    fn query_text_is_bounded() {
        let mut command = String::from("*102\r\n$4\r\nMGET\r\n");
        for key in 0..101 {
            command += &format!("$7\r\nkey{key:04}\r\n");
        }
        let recording = run(&[(Side::A, command.as_bytes())], Split::Bytes);
        let text = &recording.messages[0].attributes[0].1;
        assert!(text.len() <= Shown::SOME.command && text.ends_with(CUT), "{text}");
    }

    #[test]
    fn secrets_are_masked() {
        for (command, expected) in [
            ("AUTH joe hunter2", "A Handshake AUTH [AUTH ? ?] 0..18"),
            (
                "HELLO 3 AUTH joe hunter2 SETNAME x",
                "A Handshake HELLO [HELLO 3 AUTH ? ? SETNAME x] 0..36",
            ),
            (
                "CONFIG SET requirepass hunter2",
                "A Request CONFIG SET [CONFIG SET requirepass ?] 0..32",
            ),
            (
                "CONFIG SET save x tls-key-file-pass hunter2",
                "A Request CONFIG SET [CONFIG SET save x tls-key-file-pass ?] 0..45",
            ),
            (
                "ACL SETUSER joe on >hunter2 ~*",
                "A Request ACL SETUSER [ACL SETUSER joe on ? ~*] 0..32",
            ),
            (
                "MIGRATE h 1 k 0 9 AUTH2 joe hunter2 KEYS a",
                "A Request MIGRATE k [MIGRATE h 1 k 0 9 AUTH2 ? ? KEYS a] 0..44",
            ),
        ] {
            check(&[(Side::A, format!("{command}\r\n").as_bytes())], &[expected]);
        }
    }

    #[test]
    fn values_are_masked_where_their_names_are_secret() {
        for (command, shown) in [
            ("SET user:7:token abc EX 60", "SET user:7:token ? ? ?"),
            ("HSET user:7 name joe password hunter2", "HSET user:7 name joe password ?"),
            ("MSET a 1 api-key 2 b 3", "MSET a 1 api-key ? b 3"),
            ("GET user:7:token", "GET user:7:token"),
            ("SET key value", "SET key value"),
        ] {
            let mut recording =
                run(&[(Side::A, format!("{command}\r\n").as_bytes())], Split::Bytes);
            let text = recording.messages.remove(0).attributes.remove(0).1;
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn key_is_found_where_the_command_has_it() {
        for (command, expected) in [
            ("XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XREADGROUP s"),
            ("XGROUP CREATE s g $", "XGROUP CREATE s"),
            ("EVALSHA abc 1 k v", "EVALSHA k"),
            ("EVALSHA abc 0 v", "EVALSHA"),
            ("BITOP AND d s", "BITOP d"),
            ("JSON.GET doc $", "JSON.GET doc"),
            ("CLIENT SETNAME x", "CLIENT SETNAME"),
            ("OBJECT ENCODING k", "OBJECT ENCODING k"),
            ("SUBSCRIBE news", "SUBSCRIBE news"),
            ("FROBNICATE k", "FROBNICATE"),
        ] {
            let expected = format!("A Request {expected} [{command}] 0..{}", command.len() + 2);
            check(&[(Side::A, format!("{command}\r\n").as_bytes())], &[&expected]);
        }
    }

    #[test]
    fn first_confirmation_answers_and_the_rest_is_one_way() {
        for kind in ["*", ">"] {
            let replies = format!(
                "{kind}3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n\
                 {kind}3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n\
                 {kind}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n\
                 {kind}4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$2\r\nhi\r\n"
            );
            check(
                &[(Side::A, b"SUBSCRIBE a b\r\n"), (Side::B, replies.as_bytes())],
                &[
                    "A Request SUBSCRIBE a [SUBSCRIBE a b] 0..15",
                    "B Response Ok 0..30",
                    "B OneWay SUBSCRIBE b 30..60",
                    "B OneWay MESSAGE a 60..92",
                    "B OneWay PMESSAGE ab 92..134",
                ],
            );
        }
    }

    #[test]
    fn array_that_looks_like_a_message_answers_a_command() {
        check(
            &[
                (Side::A, b"LRANGE l 0 -1\r\n"),
                (Side::B, b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ],
            &["A Request LRANGE l [LRANGE l 0 -1] 0..15", "B Response Ok 0..31"],
        );
    }

    #[test]
    fn pushes_do_not_answer_a_command() {
        check(
            &[
                (Side::A, b"GET k\r\n"),
                (Side::B, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+v\r\n"),
            ],
            &["A Request GET k [GET k] 0..7", "B OneWay INVALIDATE 0..32", "B Response Ok 32..36"],
        );
    }

    #[test]
    fn monitor_lines_are_one_way() {
        check(
            &[
                (Side::A, b"MONITOR\r\n"),
                (Side::B, b"+OK\r\n+1.2 [0 127.0.0.1:1] \"GET\" \"k\"\r\n"),
            ],
            &["A Request MONITOR [MONITOR] 0..9", "B Response Ok 0..5", "B OneWay MONITOR 5..37"],
        );
    }

    #[test]
    fn commands_without_reply_are_one_way() {
        check(
            &[(Side::A, b"CLIENT REPLY SKIP\r\nGET a\r\nCLIENT REPLY OFF\r\nGET b\r\nCLIENT REPLY ON\r\nGET c\r\n")],
            &[
                "A OneWay CLIENT REPLY [CLIENT REPLY SKIP] 0..19",
                "A OneWay GET a [GET a] 19..26",
                "A OneWay CLIENT REPLY [CLIENT REPLY OFF] 26..44",
                "A OneWay GET b [GET b] 44..51",
                "A Request CLIENT REPLY [CLIENT REPLY ON] 51..68",
                "A Request GET c [GET c] 68..75",
            ],
        );
    }

    #[test]
    fn replication_stream_is_not_read() {
        check(
            &[
                (Side::A, b"PSYNC ? -1\r\n"),
                (Side::B, b"+FULLRESYNC abc 0\r\n$5\r\nREDIS*3\r\n$3\r\nSET"),
                (Side::A, b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n"),
            ],
            &[
                "A Request PSYNC [PSYNC ? -1] 0..12",
                "B Response Ok 0..19",
                "A OneWay REPLCONF ACK [REPLCONF ACK 0] 12..46",
            ],
        );
    }

    #[test]
    fn command_whose_end_is_lost_is_cut() {
        let bytes = |bytes: &[u8]| Event::Bytes { from: Side::A, bytes: bytes.to_vec() };
        let gap = Event::Gap { from: Side::A, lost: NonZeroU64::MIN };
        let flow = flow(Transport::Tcp, 40_000, 6379);
        for (head, expected) in [
            (b"*3\r\n$3\r\nSET\r\n$1" as &[u8], "A Request SET [SET] cut 0..15"),
            (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1", "A Request SET k [SET k] 0..22"),
        ] {
            let events =
                [bytes(head), gap.clone(), bytes(b"v\r\n"), bytes(b"*1\r\n$4\r\nPING\r\n")];
            let recording = drive(&mut Redis::default(), &flow, Side::A, &events, Split::Whole);
            assert_eq!(recording.lost, ["redis commands cut"]);
            let next = head.len() + 4;
            let next = format!("A Request PING [PING] {next}..{}", next + 14);
            assert_eq!(lines(&recording), [expected, &next]);
        }
    }

    #[test]
    fn gap_within_a_long_value_costs_nothing() {
        let bytes = |bytes: &[u8]| Event::Bytes { from: Side::B, bytes: bytes.to_vec() };
        let flow = flow(Transport::Tcp, 40_000, 6379);
        let gap = Event::Gap { from: Side::B, lost: NonZeroU64::new(9998).unwrap() };
        let events = [bytes(b"$10000\r\nv"), gap, bytes(b"v\r\n:1\r\n")];
        let recording = drive(&mut Redis::default(), &flow, Side::A, &events, Split::Whole);
        assert_eq!(lines(&recording), ["B Response Ok 0..10010", "B Response Ok 10010..10014"]);
    }

    #[test]
    fn malformed_bytes_name_their_field() {
        for (from, bytes, field) in [
            (Side::A, "*1\r\n:1\r\n", "argument"),
            (Side::A, "*1\r\n$9999999999\r\n", "bulk length"),
            (Side::A, "*99999999999\r\n", "argument count"),
            (Side::A, "*1\r\n$3\r\nGETxx", "line end"),
            (Side::A, "*x\r\n", "number"),
            (Side::A, "*000000000000000000000000000000000001\r\n", "number"),
            (Side::A, "\x01\r\n", "command"),
            (Side::B, "?\r\n", "reply type"),
            (Side::B, "#x\r\n", "boolean"),
            (Side::B, "$-2\r\n", "length"),
            (Side::B, "$?\r\n:1\r\n", "chunk"),
        ] {
            assert_eq!(run(&[(from, bytes.as_bytes())], Split::Bytes).malformed, [field]);
        }
        let deep = "*1\r\n".repeat(DEPTH_LIMIT + 1);
        assert_eq!(run(&[(Side::B, deep.as_bytes())], Split::Whole).malformed, ["depth"]);
    }

    #[test]
    fn probe_tells_commands_from_replies() {
        let certain = |client| Probe::Certain { client };
        let unsure = |client| Probe::Unsure { client };
        for (head, expected) in [
            ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", certain(Side::A)),
            ("*2\r\n$3\r\nG", unsure(Side::A)),
            ("*3\r\n$7\r\nmessage\r\n", certain(Side::B)),
            ("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", certain(Side::B)),
            ("*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n", certain(Side::A)),
            ("*2\r\n$3\r\nfoo\r\n", unsure(Side::A)),
            ("*2\r\n:1\r\n", unsure(Side::B)),
            ("+OK\r\n", unsure(Side::B)),
            ("$5\r\nhello\r\n", unsure(Side::B)),
            ("$5\r\nhello world\r\n", Probe::No),
            ("*x\r\n", Probe::No),
            ("HGETALL user:1\r\n", certain(Side::A)),
            ("PING\r\n", unsure(Side::A)),
            ("HGET", unsure(Side::A)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", unsure(Side::A)),
            ("POST / HTTP/1.1\r\n", Probe::No),
            ("EHLO mail\r\n", Probe::No),
            ("\x16\x03\x01", Probe::No),
        ] {
            let flow = flow(Transport::Tcp, 1, 2);
            let probe = Redis::default().probe(&flow, Side::A, head.as_bytes());
            assert_eq!(probe, expected, "{head:?}");
        }
    }

    fn run(lines: &[(Side, &[u8])], split: Split) -> Recording {
        let events: Vec<Event> = lines
            .iter()
            .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.to_vec() })
            .collect();
        let flow = flow(Transport::Tcp, 40_000, 6379);
        drive(&mut Redis::default(), &flow, Side::A, &events, split)
    }

    fn lines(recording: &Recording) -> Vec<String> {
        recording
            .messages
            .iter()
            .map(|m| {
                let mut line = format!("{:?} {:?}", m.from, m.kind);
                for part in [&m.operation, &m.resource] {
                    if !part.is_empty() {
                        line += &format!(" {part}");
                    }
                }
                if m.outcome != Outcome::Unknown || m.kind == Kind::Response {
                    line += &format!(" {:?}", m.outcome);
                }
                if !m.text.is_empty() {
                    line += &format!(" {}", m.text);
                }
                for (_, value) in &m.attributes {
                    line += &format!(" [{value}]");
                }
                if m.cut {
                    line += " cut";
                }
                match m.end {
                    Some(end) => line + &format!(" {}..{end}", m.start),
                    None => line + &format!(" {}..", m.start),
                }
            })
            .collect()
    }

    fn check(events: &[(Side, &[u8])], expected: &[&str]) {
        for split in [Split::Whole, Split::Bytes, Split::Patient] {
            let recording = run(events, split);
            assert_eq!(recording.broken, Vec::<String>::new());
            assert_eq!(recording.malformed, Vec::<&str>::new());
            assert_eq!(lines(&recording), expected, "{split:?}");
        }
    }
}
