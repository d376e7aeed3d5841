//! What a protocol writes to: messages and their parts in; out go calls of pairing that say where
//! the bytes were seen, calls of hooks, and bytes of flows inside.

use crate::exchange::{ProtocolIndex, Resent};
use crate::pairing::{Ends, Exchanges, Pairing, Place};
use crate::spoken::number;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::ops::Range;
use wirespan_capture::stream::Seen;
use wirespan_parsers::handed::{Handed, Told};
use wirespan_parsers::message::{Attribute, Dialect, Kind, Message, Record, Side, Status, Value};
use wirespan_parsers::protocol::{FlowInfo, Hook, Inner, Key, Out, Timestamp, Unanswered};
use wirespan_parsers::trace_context::TraceContext;

/// An owned [`Inner`].
pub(crate) enum Carried {
    Begins(Box<Handed>),
    Bytes(Vec<u8>),
    Gap(NonZeroU64),
    End,
}

/// What a protocol writes to.
pub(crate) struct Writer<'a> {
    pub(crate) info: &'a FlowInfo,
    pub(crate) ends: &'a Ends,
    /// What the protocol and its dialects are called.
    pub(crate) spoken: &'a [ProtocolIndex],
    pub(crate) from: Side,
    pub(crate) pairing: &'a mut Pairing,
    pub(crate) exchanges: &'a mut dyn Exchanges,
    /// What the bytes of the input were seen with, each up to an offset in the stream; without
    /// them, all with `seen`.
    pub(crate) marks: Option<&'a VecDeque<(u64, Seen)>>,
    pub(crate) seen: Seen,
    /// Offset in the stream of the first byte of the input.
    pub(crate) position: u64,
    pub(crate) first_seq: Option<u32>,
    pub(crate) input: &'a [u8],
    pub(crate) hooks: &'a mut [Box<dyn Hook>],
    pub(crate) wants: usize,
    pub(crate) details: bool,
    /// Bodies and details are left out at present.
    pub(crate) hasty: bool,
    pub(crate) lost: &'a mut BTreeMap<&'static str, u64>,
    pub(crate) inner: &'a mut Vec<(u64, Side, Carried)>,
    /// What the flow is told as it becomes something else.
    pub(crate) next: &'a mut Option<Box<Handed>>,
    /// Responses that were opened.
    pub(crate) responses: u32,
    /// Bytes of the input up to which messages were opened.
    pub(crate) covered: usize,
    /// From which offset on something came again whose message is not known yet.
    pub(crate) resent: Option<Box<(u64, Resent)>>,
}

impl Writer<'_> {
    /// What the byte at this offset of the stream was seen with.
    fn seen_at(&self, offset: u64) -> Seen {
        let piece = self.marks.and_then(|marks| marks.iter().find(|(end, _)| *end > offset));
        piece.map_or(self.seen, |(_, seen)| *seen)
    }

    /// What came again before this offset is of this message.
    fn resent_before(&mut self, key: Key, end: u64) {
        if let Some(resent) = self.resent.take_if(|resent| resent.0 < end) {
            self.pairing.resent(key, resent.1);
        }
    }

    /// Says of a request, or of what nobody answers, what its flow was begun with.
    fn tell_handed(&mut self, key: Key, kind: Kind) {
        let Some(handed) = &self.info.handed else { return };
        if matches!(kind, Kind::Response | Kind::Interim) {
            return;
        }
        for (name, told) in &handed.attributes {
            let value = match told {
                Told::Text(text) => Value::Text(text),
                Told::Int(number) => Value::Int(*number),
            };
            self.pairing.add(key, Attribute { name, value });
        }
    }

    fn with_hooks(&mut self, f: impl FnOnce(&mut [Box<dyn Hook>], &mut Self)) {
        if !self.hooks.is_empty() {
            let hooks = std::mem::take(&mut self.hooks);
            f(hooks, self);
            self.hooks = hooks;
        }
    }
}

impl Out for Writer<'_> {
    fn open(&mut self, message: Message<'_>) -> Key {
        let start = self.position + message.bytes.start as u64;
        let len = message.bytes.len() as u64;
        let place = Place {
            first: self.seen_at(start),
            last: self.seen_at((start + len).saturating_sub(1).max(start)),
            seq: self.first_seq.map(|seq| seq.wrapping_add(start as u32)),
            offset: start,
            len,
        };
        self.responses += u32::from(matches!(message.kind, Kind::Response | Kind::Refusal));
        self.covered = self.covered.max(message.bytes.end);
        let protocol = number(self.spoken, message.dialect);
        let key =
            self.pairing.open(self.ends, protocol, self.from, &message, place, self.exchanges);
        self.resent_before(key, start + len);
        self.tell_handed(key, message.kind);
        self.with_hooks(|hooks, this| {
            let at = Timestamp(place.first.at.0);
            let raw = this.input.get(message.bytes.clone()).unwrap_or_default();
            let info = this.info;
            for hook in hooks {
                hook.message(info, at, key, &message, raw, this);
            }
        });
        key
    }

    fn wants(&self, _key: Key) -> usize {
        if self.hasty { 0 } else { self.wants }
    }

    fn reads_bodies(&self) -> bool {
        !self.hasty
    }

    fn wants_details(&self) -> bool {
        self.details && !self.hasty
    }

    fn add(&mut self, key: Key, attribute: Attribute<'_>) {
        self.pairing.add(key, attribute);
    }

    fn context(&mut self, key: Key, context: &TraceContext<'_>) {
        self.pairing.context(key, context);
    }

    fn value(&mut self, key: Key, value: u16) {
        self.pairing.value(key, value);
    }

    fn asks_for_records(&mut self, key: Key) {
        self.pairing.asks_for_records(key);
    }

    fn record(&mut self, key: Key, record: Record<'_>) {
        self.pairing.record(key, record);
    }

    fn put_nothing(&mut self, key: Key) {
        self.pairing.put_nothing(key);
    }

    fn status(&mut self, key: Key, status: Status<'_>) {
        self.pairing.status(key, &status);
    }

    fn rename(&mut self, key: Key, dialect: Dialect, operation: &[u8], resource: &[u8]) {
        self.pairing.rename(key, number(self.spoken, dialect), operation, resource);
    }

    fn secret(&mut self, key: Key, bytes: Range<u64>) {
        // What lies on no TCP stream itself is overwritten as a whole.
        if let Some(first) = self.first_seq {
            let seq = first.wrapping_add((self.position + bytes.start) as u32);
            self.pairing.secret(key, seq, bytes.end.saturating_sub(bytes.start));
        }
    }

    fn body(&mut self, key: Key, bytes: &[u8]) {
        self.with_hooks(|hooks, this| {
            for hook in hooks {
                hook.body(key, bytes, this);
            }
        });
    }

    fn extend(&mut self, key: Key, end: usize) {
        let end = self.position + end as u64;
        self.pairing.extend(key, self.from, &self.seen_at(end.saturating_sub(1)), end);
        self.resent_before(key, end);
    }

    fn own(&mut self, key: Key, bytes: u64) {
        self.pairing.own(key, bytes);
    }

    fn close(&mut self, key: Key, end: usize) {
        self.extend(key, end);
        self.pairing.close(key, self.exchanges);
    }

    fn unanswered(&mut self, key: Key, end: usize, why: Unanswered<'_>) {
        if let Unanswered::TakenBack(_) = why {
            self.extend(key, end);
        }
        self.pairing.unanswered(key, why, self.exchanges);
    }

    fn inner(&mut self, lane: u64, from: Side, event: Inner<'_>) {
        let event = match event {
            Inner::Bytes(bytes) => Carried::Bytes(bytes.to_vec()),
            Inner::Gap(lost) => Carried::Gap(lost),
            Inner::End => Carried::End,
        };
        self.inner.push((lane, from, event));
    }

    fn becomes(&mut self, handed: Handed) {
        *self.next = Some(Box::new(handed));
    }

    fn carries(&mut self, lane: u64, handed: Handed) {
        self.inner.push((lane, self.from, Carried::Begins(Box::new(handed))));
    }

    fn lost(&mut self, what: &'static str) {
        *self.lost.entry(what).or_default() += 1;
    }
}
