//! What a protocol wrote while it was driven, and which rules it broke.

use crate::handed::Handed;
use crate::message::{
    Attribute, Dialect, Id, Kind, Message, Outcome, Pairing, Record, Side, Status, Value,
};
use crate::protocol::{Inner, Key, Out, Unanswered};
use crate::trace_context::TraceContext;
use std::ops::Range;

/// What a protocol wrote, owned; offsets count from the first byte of the sender's side.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The messages, in the order in which they were opened.
    pub messages: Vec<Recorded>,
    /// The names of losses.
    pub lost: Vec<&'static str>,
    /// What came of flows carried inside, one line each.
    pub inner: Vec<String>,
    /// What those flows were told, one line each.
    pub carried: Vec<String>,
    /// Fields at which bytes were malformed.
    pub malformed: Vec<&'static str>,
    /// What the flow became.
    pub became: Option<String>,
    /// Rules that were broken.
    pub broken: Vec<String>,
    /// How many body bytes are asked for.
    pub wants: usize,
    /// Whether all is asked for that messages say.
    pub details: bool,
    /// The present call's side, the offset of its input, and its length.
    from: Option<Side>,
    start: u64,
    length: usize,
    /// The offset that 0 stands for, outside of `parse`.
    seen: Option<u64>,
    /// The messages that it closed.
    closed: Vec<usize>,
    /// How far each message is known to go.
    reached: Vec<u64>,
}

/// One message as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The sender.
    pub from: Side,
    /// What part it plays.
    pub kind: Kind,
    /// Which of the names of its protocol it goes by.
    pub dialect: Dialect,
    /// Its pairing, printed.
    pub pairing: String,
    /// Its operation.
    pub operation: String,
    /// Its resource.
    pub resource: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// The code of its status.
    pub code: u32,
    /// The text of its status.
    pub text: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
    /// The identifiers that it carries, printed.
    pub contexts: Vec<String>,
    /// The records that it carries, printed: role, queue, digest, id; `asks` if it asks for some.
    pub records: Vec<String>,
    /// The body bytes that were asked for.
    pub body: Vec<u8>,
    /// Where it is secret, in order and in as few pieces as may be.
    pub secrets: Vec<Range<u64>>,
    /// Where it begins.
    pub start: u64,
    /// Where it ends, once closed.
    pub end: Option<u64>,
    /// Whether its end was lost before it was opened.
    pub cut: bool,
    /// How many bytes of it are its own, where that was said.
    pub own: Option<u64>,
    /// Why it will have no answer, printed.
    pub unanswered: Option<String>,
    /// Whether malformed bytes ended it, or came before its end.
    pub broken: bool,
}

impl Recording {
    /// One that asks for all that messages say.
    #[must_use]
    pub fn with_details() -> Self {
        Self { details: true, ..Self::default() }
    }

    /// One that asks for so much of each body.
    #[must_use]
    pub fn wanting(bytes: usize) -> Self {
        Self { wants: bytes, ..Self::default() }
    }

    /// The messages that no split may change: those that were closed before malformed bytes came.
    #[must_use]
    pub fn settled(&self) -> Vec<&Recorded> {
        let is_settled = |message: &&Recorded| message.end.is_some() && !message.broken;
        self.messages.iter().filter(is_settled).collect()
    }

    /// Notes which side and bytes the next call of the protocol is about.
    pub(super) fn call(&mut self, from: Side, start: u64, length: usize, seen: Option<u64>) {
        self.from = Some(from);
        self.start = start;
        self.length = length;
        self.seen = seen;
        self.closed.clear();
    }

    /// Notes that malformed bytes came in the present call, which ended what it closed.
    pub(super) fn note_malformed(&mut self, field: &'static str) {
        self.malformed.push(field);
        for place in self.closed.drain(..) {
            if let Some(message) = self.messages.get_mut(place) {
                message.broken = true;
            }
        }
    }

    fn offset(&mut self, end: usize, what: &str) -> u64 {
        if let Some(seen) = self.seen {
            if end != 0 {
                self.broken.push(format!("{what}: offset {end} outside of parse"));
            }
            return seen;
        }
        if end > self.length {
            self.broken.push(format!("{what}: offset {end} in {} bytes", self.length));
        }
        self.start + end as u64
    }

    fn message(&mut self, key: Key, what: &str) -> Option<&mut Recorded> {
        let place = usize::try_from(key.0).ok();
        let message = place.and_then(|place| self.messages.get_mut(place));
        match message {
            Some(message) if message.end.is_none() => Some(message),
            _ => {
                self.broken.push(format!("{what}: {key:?} is not open"));
                None
            }
        }
    }
}

impl Out for Recording {
    fn open(&mut self, message: Message<'_>) -> Key {
        if message.bytes.start > message.bytes.end || message.bytes.end > self.length {
            self.broken.push(format!("open: {:?} in {} bytes", message.bytes, self.length));
        }
        self.reached.push(self.start + message.bytes.end as u64);
        self.messages.push(Recorded {
            from: self.from.unwrap_or(Side::A),
            kind: message.kind,
            dialect: message.dialect,
            pairing: match message.pairing {
                Pairing::InOrder { lane } => format!("in order, lane {lane}"),
                Pairing::Id { by, id: Id::Number(id) } => format!("id {id:#x} by {by:?}"),
                Pairing::Id { by, id: Id::Bytes(id) } => format!("id {} by {by:?}", text(id)),
                Pairing::OneWay => "none".into(),
            },
            operation: text(message.operation),
            resource: text(message.resource),
            outcome: message.status.outcome,
            code: message.status.code,
            text: text(message.status.text),
            attributes: Vec::new(),
            contexts: Vec::new(),
            records: Vec::new(),
            body: Vec::new(),
            secrets: Vec::new(),
            start: self.start + message.bytes.start as u64,
            end: None,
            cut: message.cut,
            own: None,
            unanswered: None,
            broken: false,
        });
        Key(self.messages.len() as u64 - 1)
    }

    fn wants(&self, key: Key) -> usize {
        let message = usize::try_from(key.0).ok().and_then(|place| self.messages.get(place));
        message.map_or(0, |message| self.wants.saturating_sub(message.body.len()))
    }

    fn wants_details(&self) -> bool {
        self.details
    }

    fn add(&mut self, key: Key, attribute: Attribute<'_>) {
        let value = match attribute.value {
            Value::Text(value) => text(value),
            Value::Int(value) => value.to_string(),
        };
        if let Some(message) = self.message(key, "add") {
            message.attributes.push((attribute.name.into(), value));
        }
    }

    fn context(&mut self, key: Key, context: &TraceContext<'_>) {
        let context = format!("{context:?}");
        if let Some(message) = self.message(key, "context") {
            message.contexts.push(context);
        }
    }

    fn asks_for_records(&mut self, key: Key) {
        if let Some(message) = self.message(key, "asks for records") {
            message.records.push("asks".into());
        }
    }

    fn record(&mut self, key: Key, record: Record<'_>) {
        let Record { role, queue, digest, id } = record;
        let record = format!("{} {} {digest:016x} {}", role.name(), text(queue), text(id));
        if let Some(message) = self.message(key, "record") {
            message.records.push(record.trim_end().into());
        }
    }

    fn put_nothing(&mut self, key: Key) {
        if let Some(message) = self.message(key, "nothing put in") {
            message.records.push("nothing".into());
        }
    }

    fn status(&mut self, key: Key, status: Status<'_>) {
        if let Some(message) = self.message(key, "status") {
            message.outcome = status.outcome;
            message.code = status.code;
            message.text = text(status.text);
        }
    }

    fn rename(&mut self, key: Key, dialect: Dialect, operation: &[u8], resource: &[u8]) {
        let late = !self.malformed.is_empty();
        let message = usize::try_from(key.0).ok().and_then(|place| self.messages.get_mut(place));
        match message {
            // What is read behind malformed bytes depends on where reading resumed.
            Some(message) if late && message.end.is_some() => {}
            Some(message) => {
                message.dialect = dialect;
                (message.operation, message.resource) = (text(operation), text(resource));
            }
            None => self.broken.push(format!("rename: {key:?}")),
        }
    }

    fn secret(&mut self, key: Key, bytes: Range<u64>) {
        if bytes.is_empty() {
            self.broken.push("secret: no bytes".into());
        }
        let (start, end) = (self.start + bytes.start, self.start + bytes.end);
        let Some(message) = self.message(key, "secret") else { return };
        match message.secrets.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => message.secrets.push(start..end),
        }
    }

    fn body(&mut self, key: Key, bytes: &[u8]) {
        if bytes.len() > self.wants(key) {
            self.broken.push(format!("body: {} bytes more than wanted", bytes.len()));
        }
        if let Some(message) = self.message(key, "body") {
            message.body.extend_from_slice(bytes);
        }
    }

    fn extend(&mut self, key: Key, end: usize) {
        let end = self.offset(end, "extend");
        let from = self.from;
        let is_own = self.message(key, "extend").is_some_and(|message| Some(message.from) == from);
        if is_own && let Some(reached) = self.reached.get_mut(key.0 as usize) {
            *reached = end.max(*reached);
        }
    }

    fn own(&mut self, key: Key, bytes: u64) {
        if let Some(message) = self.message(key, "own") {
            message.own = Some(bytes);
        }
    }

    fn close(&mut self, key: Key, end: usize) {
        let end = self.offset(end, "close");
        let from = self.from;
        let late = !self.malformed.is_empty();
        let reached = self.reached.get(key.0 as usize).copied().unwrap_or_default();
        let Some(message) = self.message(key, "close") else { return };
        // What is closed from the other side's bytes ends where its own side had come to.
        let is_own = Some(message.from) == from;
        message.end = Some(if is_own { end } else { reached });
        message.broken = late;
        let backwards = message.start > end;
        self.closed.extend(usize::try_from(key.0));
        if backwards && is_own {
            self.broken.push(format!("close: at {end}, before its start"));
        }
    }

    fn unanswered(&mut self, key: Key, end: usize, why: Unanswered<'_>) {
        let (end, from) = (self.offset(end, "unanswered"), self.from);
        let reached = self.reached.get(key.0 as usize).copied().unwrap_or_default();
        let late = !self.malformed.is_empty();
        let message = usize::try_from(key.0).ok().and_then(|place| self.messages.get_mut(place));
        match message {
            // Whether an answer was read behind malformed bytes depends on where reading resumed.
            Some(message) if late && message.end.is_some() => {}
            Some(message) if message.unanswered.is_none() => {
                message.broken |= late;
                // What a server promised may be taken back too.
                let is_own = Some(message.from) == from;
                message.end = Some(if is_own { end } else { reached });
                message.unanswered = Some(match why {
                    Unanswered::TakenBack(why) => format!("taken back: {}", text(why)),
                    Unanswered::Lost => "lost".into(),
                });
            }
            _ => self.broken.push(format!("unanswered: {key:?}")),
        }
    }

    fn inner(&mut self, lane: u64, from: Side, event: Inner<'_>) {
        self.inner.push(format!("{lane} {from:?} {event:?}"));
    }

    fn carries(&mut self, lane: u64, handed: Handed) {
        let Handed { protocol, resource, server, .. } = &handed;
        let words = [protocol, resource, server].map(|word| text(word));
        self.carried.push(format!("{lane} {}", words.join(" ")));
    }

    fn lost(&mut self, what: &'static str) {
        self.lost.push(what);
    }
}

fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
