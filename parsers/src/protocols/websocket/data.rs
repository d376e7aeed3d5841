//! A message that is being read: who looks at its payload, and what is said of it at its end.

use crate::inflate::Inflated;
use crate::message::{Attribute, Value};
use crate::protocol::{Key, Out};
use crate::secrets::scan::Scanner;
use crate::settings::Settings;
use crate::trace_context::body::BodyReader;

/// A message that is being read.
pub(super) struct Data {
    pub(super) key: Key,
    /// Whether it ends with its last frame, and not with a later message.
    pub(super) closes: bool,
    /// Whether it answers another one.
    pub(super) answers: bool,
    /// The answer that goes on, of which it is a part, by its place in the connection's.
    pub(super) part_of: Option<u128>,
    /// Whether its own payload is no part of what it ends.
    pub(super) is_apart: bool,
    /// Body bytes that somebody still wants.
    pub(super) wanted: usize,
    pub(super) ids: Option<Box<BodyReader>>,
    pub(super) secrets: Option<Secrets>,
    /// Whether its payload goes through the inflater.
    pub(super) inflates: bool,
    pub(super) compressed: bool,
    pub(super) fragments: u32,
    pub(super) size: u64,
}

/// What is secret in a message, where that is asked for.
pub(super) enum Secrets {
    Named(Box<Scanner>),
    /// All of it, as nobody can look into it.
    All,
}

impl Data {
    /// Whether somebody looks at its payload.
    pub(super) fn is_shown(&self) -> bool {
        self.wanted > 0 || self.ids.is_some() || self.secrets.is_some() || self.inflates
    }

    /// The next bytes of its content.
    pub(super) fn content(&mut self, bytes: &[u8], settings: &Settings, out: &mut dyn Out) {
        let (wanted, _) = bytes.split_at_checked(self.wanted).unwrap_or((bytes, &[]));
        if !wanted.is_empty() {
            out.body(self.key, wanted);
            self.wanted -= wanted.len();
        }
        let key = self.key;
        if let Some(ids) = &mut self.ids {
            ids.read(&settings.ids, bytes, &mut |context| out.context(key, context));
            if ids.is_done() {
                self.ids = None;
            }
        }
    }

    pub(super) fn end_inflating(&mut self, state: Inflated, out: &mut dyn Out) {
        if matches!(state, Inflated::Failed | Inflated::Capped) {
            if let Some(flaw) = state.flaw() {
                text_of(out, self.key, "wirespan.body.inflate", flaw.as_bytes());
            }
            (self.wanted, self.ids, self.inflates) = (0, None, false);
        }
    }

    pub(super) fn close(self, end: usize, out: &mut dyn Out) {
        let number = |out: &mut dyn Out, name, value| {
            out.add(self.key, Attribute { name, value: Value::Int(value) });
        };
        if !self.closes {
            out.extend(self.key, end);
            return;
        }
        let name = if self.answers { RESPONSE_SIZE } else { "wirespan.websocket.size" };
        // Who ends it where nothing came says nothing of what would have come.
        if !self.is_apart || self.size > 0 {
            size_of(out, self.key, name, self.size);
        }
        if self.fragments > 1 {
            number(out, "wirespan.websocket.fragments", self.fragments.into());
        }
        if self.compressed && !self.answers {
            number(out, "wirespan.websocket.compressed", 1);
        }
        out.close(self.key, end);
    }
}

pub(super) fn text_of(out: &mut dyn Out, key: Key, name: &str, text: &[u8]) {
    if !text.is_empty() {
        out.add(key, Attribute { name, value: Value::Text(text) });
    }
}

pub(super) fn size_of(out: &mut dyn Out, key: Key, name: &str, size: u64) {
    let value = Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
    out.add(key, Attribute { name, value });
}

/// What the payload of an answer is called.
pub(super) const RESPONSE_SIZE: &str = "wirespan.websocket.response.size";
