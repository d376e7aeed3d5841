//! One connection: the command and the reply under way, and what the next replies answer.

use super::command::{ARGUMENT_LIMIT, Answers, Command, Shown, Words};
use super::names::{NAME_LIMIT, Shape};
use super::records::{Finder, Told, Transaction, asks, queue_name};
use super::reply::{ANNOUNCED, Announced, Element, Reply, reply_status};
use super::resp::{Bulk, Stop, WHOLE_LIMIT, length, line, short, whole_bulk};
use crate::message::{
    Attribute, Dialect, Kind, Message, Outcome, Pairing, Role, Side, Status, Value,
};
use crate::protocol::{Key, Out, Step};
use crate::settings::Settings;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};

pub(super) struct Connection {
    pub(super) client: Side,
    command: Command,
    reply: Reply,
    /// What the next replies answer, oldest first.
    awaited: VecDeque<Awaited>,
    answers: Answers,
    /// Whether the client has begun a transaction.
    queues: bool,
    /// The commands between `MULTI` and `EXEC`, by their replies.
    transaction: Option<Transaction>,
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
    /// A command whose reply transports something.
    Records(Box<Finder>),
    /// `MULTI`.
    Multi,
    /// `EXEC`, `DISCARD`.
    Exec,
    /// `MONITOR`.
    Monitor,
    /// `SYNC`, `PSYNC`.
    Copy,
}

impl Connection {
    pub(super) fn new(client: Side) -> Self {
        Self {
            client,
            command: Command::default(),
            reply: Reply::default(),
            awaited: VecDeque::new(),
            answers: Answers::On,
            queues: false,
            transaction: None,
            subscribed: false,
            monitoring: false,
        }
    }

    pub(super) fn read_command(
        &mut self,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
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
                _ => return self.read_inline(input, settings, out),
            }
        }
        loop {
            if self.command.left == 0 && !self.command.tail {
                self.end_command(settings, out);
                self.close_command(self.command.at, out);
                return used(self.command.restart());
            }
            let skip = match self.command.read_argument(input, settings) {
                Ok(skip) => skip,
                Err(Stop::Short(more)) => return self.command.pause(more, out),
                Err(bad) => return Err(bad),
            };
            let known = self.command.read >= self.command.need;
            if self.command.key.is_none() && (known || skip.is_some() || self.command.left == 0) {
                self.open_command(0..self.command.at, false, out);
            }
            self.command.tell_hidden(out);
            self.tell_sent(settings, out);
            if let Some(skip) = skip {
                return Ok(Step::Skip { used: std::mem::take(&mut self.command.at), skip });
            }
        }
    }

    /// A line of words instead of an array, as typed into telnet.
    fn read_inline(
        &mut self,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
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
            let at = word.as_ptr().addr() - input.as_ptr().addr();
            self.command.take(word, word.len(), at, settings)?;
        }
        let end = line.len() + 1;
        if self.command.read > 0 {
            self.open_command(0..end, false, out);
            self.command.tell_hidden(out);
            self.tell_sent(settings, out);
            self.end_command(settings, out);
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
                self.queues = false;
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
            dialect: Dialect::Plain,
            pairing,
            bytes,
            operation: &command.operation,
            resource: &command.resource,
            status: Status::default(),
            cut,
        });
        command.key = Some(key);
        if asks(&command.operation) {
            out.asks_for_records(key);
        }
        if !answered {
            return;
        }
        match command.shape {
            Shape::Channels(name) => {
                // The command's own name is no channel.
                let channels = (command.read as u64).saturating_add(command.left);
                let left = channels.saturating_sub(1).max(1);
                self.awaited.push_back(Awaited::Channels { command: name, left, answered: false });
            }
            Shape::Monitor => self.awaited.push_back(Awaited::Monitor),
            Shape::Copy => self.awaited.push_back(Awaited::Copy),
            _ => self.await_reply(out),
        }
        if self.awaited.len() > AWAITED_LIMIT {
            self.awaited.clear();
            out.lost("redis outstanding commands over the limit");
        }
    }

    fn await_reply(&mut self, out: &mut dyn Out) {
        let Command { operation, resource, second, .. } = &self.command;
        let awaited = match operation.as_slice() {
            b"MULTI" => Some(Awaited::Multi),
            b"EXEC" | b"DISCARD" => Some(Awaited::Exec),
            name => Finder::of(name, resource, second, self.queues)
                .map(|finder| Awaited::Records(Box::new(finder))),
        };
        if awaited.is_some() && self.awaited.len() >= FINDERS_LIMIT {
            out.lost("redis replies not searched for records");
        } else if let Some(awaited) = awaited {
            match awaited {
                Awaited::Multi => self.queues = true,
                Awaited::Exec => self.queues = false,
                _ => self.command.searched = true,
            }
            self.awaited.push_back(awaited);
            return;
        }
        match self.awaited.back_mut() {
            Some(Awaited::Plain(run)) => *run = run.saturating_add(1),
            _ => self.awaited.push_back(Awaited::Plain(1)),
        }
    }

    /// Tells what the command puts in, as far as it has come.
    fn tell_sent(&mut self, settings: &Settings, out: &mut dyn Out) {
        let finder = match self.awaited.back_mut() {
            Some(Awaited::Records(finder)) if self.command.searched => Some(&mut **finder),
            _ => None,
        };
        self.command.tell_sent(finder, settings, out);
    }

    /// All of a command has come: the entry that it adds to a stream is known.
    fn end_command(&mut self, settings: &Settings, out: &mut dyn Out) {
        let (Some(key), Some(digest)) = (self.command.key, self.command.sends.entry()) else {
            return;
        };
        let is_known = match self.awaited.back_mut() {
            Some(Awaited::Records(finder)) if self.command.searched => finder.sent(digest),
            _ => false,
        };
        if !is_known || !(self.queues || self.command.sends.is_conditional()) {
            let queue = queue_name(&self.command.resource);
            Told { key, secrets: &settings.secrets, out }.tell(Role::Produced, queue, digest, b"");
        }
    }

    fn close_command(&mut self, end: usize, out: &mut dyn Out) {
        if let Some(key) = self.command.key.take() {
            let text = Value::Text(&self.command.text);
            out.add(key, Attribute { name: "db.query.text", value: text });
            out.close(key, end);
        }
    }

    pub(super) fn read_reply(
        &mut self,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if self.reply.key.is_none() {
            // A primary sends empty lines while it prepares what it will stream.
            if let ([b'\n', ..], Some(Awaited::Copy)) = (input, self.awaited.front()) {
                return used(1);
            }
            let key = match self.announcement(input)? {
                Some(announced) => self.open_announced(&announced, out),
                None => self.open_reply(input, settings, out)?,
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
                        if is_error(rest) {
                            out.put_nothing(key);
                        }
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
            let searched = self.reply.finder.is_some() && self.reply.is_between();
            if searched {
                match Finder::check(rest) {
                    Err(Stop::Short(more)) => return pause_reply(key, at, more, out),
                    checked => checked?,
                }
            }
            let read = self.reply.read_element(rest);
            if searched
                && read.is_ok()
                && let Some(finder) = &mut self.reply.finder
            {
                let mut told = Told { key, secrets: &settings.secrets, out };
                if !finder.read(rest, &mut told) {
                    self.reply.finder = None;
                }
            }
            if let Some(value) = self.reply.value.take().filter(|_| settings.locate_secrets) {
                let at = at as u64;
                out.secret(key, at + value.start..at + value.end);
            }
            match read {
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
        self.reply.plain = match announced.word {
            b"MONITOR" => 0,
            b"pmessage" => 3,
            _ => 2,
        };
        self.reply.secret_line = announced.word == b"MONITOR";
        let brings_message = announced.word.ends_with(b"message");
        if brings_message {
            let finder = Finder::published(self.reply.plain.into(), announced.about);
            self.reply.finder = Some(Box::new(finder));
        }
        let operation: SmallVec<[u8; NAME_LIMIT]> =
            announced.word.iter().map(u8::to_ascii_uppercase).collect();
        let key = out.open(Message {
            kind: Kind::OneWay,
            dialect: Dialect::Plain,
            pairing: Pairing::OneWay,
            bytes: 0..1,
            operation: &operation,
            resource: announced.about.get(..Shown::SOME.value).unwrap_or(announced.about),
            status: Status::default(),
            cut: false,
        });
        // What it is is known before all of it has come.
        if brings_message {
            out.asks_for_records(key);
        }
        key
    }

    fn open_reply(
        &mut self,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Key, Stop> {
        let status = reply_status(input)?;
        let good = status.is_none_or(|status| status.outcome == Outcome::Ok);
        // Within a transaction, nothing else is answered with a word.
        let queued = input.first() == Some(&b'+') && self.transaction.is_some();
        let mut finder = None;
        while let Some(awaited) = self.awaited.front_mut() {
            match awaited {
                Awaited::Plain(run) if *run > 1 => {
                    *run -= 1;
                    break;
                }
                Awaited::Records(_) | Awaited::Multi | Awaited::Exec => {
                    finder = self.answered_specially(queued, good);
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
        let mut rejected = None;
        if queued && let Some(transaction) = &mut self.transaction {
            rejected = transaction.queue(finder.take());
        }
        self.reply.finder = finder.filter(|_| good);
        self.reply.status_is_due = status.is_none();
        let key = out.open(response(status.unwrap_or_default()));
        if is_error(input) {
            out.put_nothing(key);
        }
        if let Some(rejected) = rejected {
            out.lost("redis replies not searched for records");
            rejected.tell_held(&mut Told { key, secrets: &settings.secrets, out });
        }
        Ok(key)
    }

    /// Takes the first of what is awaited: what to look for in its reply, or in that of `EXEC` if
    /// it is queued.
    fn answered_specially(&mut self, queued: bool, good: bool) -> Option<Box<Finder>> {
        match self.awaited.pop_front()? {
            Awaited::Records(finder) => Some(finder),
            Awaited::Multi => {
                self.transaction = (good && !queued).then(Transaction::default);
                None
            }
            Awaited::Exec => self.transaction.take().and_then(Transaction::exec),
            _ => None,
        }
    }

    /// Gives up what one side has begun; `head` are its bytes that were not used.
    pub(super) fn abandon(&mut self, from: Side, head: &[u8], out: &mut dyn Out) {
        if from == self.client {
            if self.command.key.is_none() && self.command.read > 0 && !head.is_empty() {
                self.open_command(0..head.len(), true, out);
                self.command.tell_hidden(out);
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
        self.transaction = None;
    }
}

/// Whether an error stands here, such as that another node has the key.
fn is_error(input: &[u8]) -> bool {
    matches!(input, [b'-' | b'!', ..])
}

fn response(status: Status<'_>) -> Message<'_> {
    Message {
        kind: Kind::Response,
        dialect: Dialect::Plain,
        pairing: Pairing::InOrder { lane: 0 },
        bytes: 0..1,
        operation: b"",
        resource: b"",
        status,
        cut: false,
    }
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

/// Outstanding replies that something is looked for in.
const FINDERS_LIMIT: usize = 1024;

/// Runs of outstanding commands; a run has one kind.
const AWAITED_LIMIT: usize = 4096;
