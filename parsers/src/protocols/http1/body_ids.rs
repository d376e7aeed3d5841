//! Identifiers in bodies, where the user says that they stand there.

use super::Connection;
use super::body::Body;
use crate::message::Side;
use crate::protocol::{Key, Out};
use crate::trace_context::body::{BodyReader, Form};
use crate::trace_context::own::OwnIds;

/// What reads the body behind these headers, if anything in it is asked for.
pub(super) fn reader<'b>(
    ids: &OwnIds,
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
) -> Option<Box<BodyReader>> {
    if ids.fields().is_empty() {
        return None;
    }
    let mut media_type = None;
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(b"content-type") {
            media_type.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding")
            || name.eq_ignore_ascii_case(b"transfer-encoding")
        {
            let plain: [&[u8]; 3] = [b"", b"identity", b"chunked"];
            if !plain.iter().any(|plain| value.trim_ascii().eq_ignore_ascii_case(plain)) {
                return None;
            }
        }
    }
    BodyReader::new(Form::of(media_type)?, ids).map(Box::new)
}

impl Connection {
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
        self.secrets_mut(from).is_some() || self.ids_mut(from).is_some()
    }

    pub(super) fn ids_mut(&mut self, from: Side) -> &mut Option<Box<BodyReader>> {
        let [a, b] = &mut self.body_ids;
        if from == Side::A { a } else { b }
    }
}
