//! Bodies that are looked through, for secrets or for whoever wants them: what is told of their
//! bytes.

use super::Connection;
use super::body::Body;
use crate::message::Side;
use crate::protocol::{Key, Out};
use crate::protocols::http::content::Content;

impl Connection {
    /// How many of the next bytes of a body are looked at.
    pub(super) fn looks_at(&mut self, from: Side) -> usize {
        let role = self.role(from);
        // What comes behind a message in a body is looked at too.
        if self.secrets_mut(from).is_some()
            || self.call(from).is_some_and(|call| call.skippable(role) < u64::MAX)
        {
            return usize::MAX;
        }
        self.content_mut(from).as_ref().map_or(0, |content| content.looks_at())
    }

    /// Looks through the next bytes of a body, which stand at the start of the input.
    pub(super) fn look_through(&mut self, from: Side, key: Key, bytes: &[u8], out: &mut dyn Out) {
        let [a, b] = &mut self.secrets;
        if let Some(secrets) = if from == Side::A { a } else { b } {
            secrets.read(&self.settings.secrets, key, 0, bytes, out);
        }
        let (role, now) = (self.role(from), self.now);
        if let Some(call) = self.call(from) {
            call.data(role, bytes, now);
        }
        let [a, b] = &mut self.contents;
        if let Some(content) = if from == Side::A { a } else { b } {
            content.read(key, &self.settings.ids, bytes, out);
        }
    }

    /// Bytes of a body are lost.
    pub(super) fn lose_content(&mut self, from: Side, body: &Body, out: &mut dyn Out) {
        if let Some(content) = self.content_mut(from).take() {
            content.lose(body.key, out);
        }
    }

    /// So many bytes of a body are lost, and nothing else.
    pub(super) fn pass_over(&mut self, from: Side, lost: u64) {
        let role = self.role(from);
        if let Some(call) = self.call(from) {
            call.skip(role, lost);
        }
    }

    /// A body is over.
    pub(super) fn end_content(&mut self, from: Side, body: &Body, out: &mut dyn Out) {
        if let Some(content) = self.content_mut(from).take() {
            content.end(body.key, &self.settings.ids, out);
        }
    }

    pub(super) fn content_mut(&mut self, from: Side) -> &mut Option<Box<Content>> {
        let [a, b] = &mut self.contents;
        if from == Side::A { a } else { b }
    }
}
