//! Bodies that are looked through, for secrets or identifiers: what is told of their bytes.

use super::Connection;
use super::body::Body;
use crate::message::Side;
use crate::protocol::{Key, Out};
use crate::trace_context::body::BodyReader;

impl Connection {
    /// Looks through the next bytes of a body, which stand at the start of the input.
    pub(in crate::protocols) fn locate_in_body(
        &mut self,
        from: Side,
        key: Key,
        bytes: &[u8],
        out: &mut dyn Out,
    ) {
        let [a, b] = &mut self.secrets;
        let body = if from == Side::A { a } else { b };
        if let Some(body) = body {
            body.read(&self.settings.secrets, key, 0, bytes, out);
        }
    }

    /// Reads the next bytes of a body.
    pub(super) fn read_ids(&mut self, from: Side, key: Key, bytes: &[u8], out: &mut dyn Out) {
        let [a, b] = &mut self.body_ids;
        let reader = if from == Side::A { a } else { b };
        if let Some(reading) = reader {
            reading.read(&self.settings.ids, bytes, &mut |context| out.context(key, context));
            if reading.is_done() {
                *reader = None;
            }
        }
    }

    /// The body is over.
    pub(super) fn end_ids(&mut self, from: Side, body: &Body, out: &mut dyn Out) {
        if let Some(mut reading) = self.ids_mut(from).take() {
            reading.end(&self.settings.ids, &mut |context| out.context(body.key, context));
        }
    }

    /// Whether all of a body is looked at.
    pub(super) fn looks_through(&mut self, from: Side) -> bool {
        self.secrets_mut(from).is_some()
            || self.ids_mut(from).is_some()
            || self.inflater_mut(from).is_some()
    }

    pub(super) fn ids_mut(&mut self, from: Side) -> &mut Option<Box<BodyReader>> {
        let [a, b] = &mut self.body_ids;
        if from == Side::A { a } else { b }
    }
}
