//! Body bytes in, the end of their message out, and of the bytes only those that somebody wants.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-7>

use super::framing::chunk_size;
use super::{Connection, HEAD_LIMIT, Reading};
use crate::message::Side;
use crate::protocol::{AfterGap, Key, Malformed, Out, Step};
use crate::protocols::http::body_secrets::locate_secrets;
use crate::protocols::http::fields::{TRAILERS_ROOM, add_size, add_trailers};
use memchr::memchr;
use std::iter;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

/// A message whose body is being read.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) key: Key,
    pub(super) framing: BodyFraming,
    /// Bytes of the chunks so far.
    pub(super) chunks: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    Sized,
    Chunked,
    UntilEnd,
}

impl Connection {
    /// Goes on with the bytes of a body or chunk, of which the first stand at `used` of the input.
    pub(super) fn data(
        &mut self,
        from: Side,
        body: Body,
        left: u64,
        line_end: u64,
        used: usize,
    ) -> Step {
        match NonZeroUsize::new(used) {
            Some(used) if self.looks_at(from) > 0 => {
                self.set_reading(from, Reading::Shown { body, left, line_end });
                Step::Used(used)
            }
            _ => self.skip(from, body, left.saturating_add(line_end), used),
        }
    }

    fn skip(&mut self, from: Side, body: Body, skip: u64, used: usize) -> Step {
        self.set_reading(from, Reading::Skipped { body });
        Step::Skip { used, skip: NonZeroU64::new(skip).unwrap_or(NonZeroU64::MIN) }
    }

    pub(super) fn shown(
        &mut self,
        from: Side,
        body: Body,
        left: u64,
        line_end: u64,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Step {
        let room = self.looks_at(from).min(usize::try_from(left).unwrap_or(usize::MAX));
        let (bytes, _) = input.split_at_checked(room).unwrap_or((input, &[]));
        let mut rest = left;
        if !bytes.is_empty() {
            self.look_through(from, body.key, bytes, out);
            out.extend(body.key, bytes.len());
            if body.framing != BodyFraming::UntilEnd {
                rest = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            }
        }
        match rest.saturating_add(line_end) {
            0 => {
                self.seen(from, body, bytes.len(), out);
                used(bytes.len())
            }
            _ if self.looks_at(from) > 0 && rest > 0 => {
                self.set_reading(from, Reading::Shown { body, left: rest, line_end });
                used(bytes.len())
            }
            skip => self.skip(from, body, skip, bytes.len()),
        }
    }

    /// A body or chunk is over, just before `end`.
    pub(super) fn seen(&mut self, from: Side, body: Body, end: usize, out: &mut dyn Out) {
        match body.framing {
            BodyFraming::Sized | BodyFraming::UntilEnd => {
                self.end_content(from, &body, out);
                self.end_call(from, body.key, out);
                out.close(body.key, end);
            }
            BodyFraming::Chunked => {
                self.set_reading(from, Reading::ChunkSize { body, scanned: 0 });
            }
        }
    }

    /// RFC 9112 section 7.1.
    pub(super) fn chunk_size(
        &mut self,
        from: Side,
        mut body: Body,
        scanned: usize,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let Some(newline) = newline(input, scanned) else {
            if input.len() < CHUNK_LINE_LIMIT {
                self.set_reading(from, Reading::ChunkSize { body, scanned: input.len() });
                return Ok(Step::Incomplete(NonZeroUsize::MIN));
            }
            self.lose_call(from, body.key, out);
            out.close(body.key, 0);
            return Err(Malformed("chunk size"));
        };
        let line = input.get(..newline).unwrap_or_default();
        let len = newline + 1;
        match chunk_size(line).filter(|_| len <= CHUNK_LINE_LIMIT) {
            None => {
                self.lose_call(from, body.key, out);
                out.close(body.key, 0);
                Err(Malformed("chunk size"))
            }
            Some(0) => {
                self.end_content(from, &body, out);
                self.set_reading(from, Reading::Trailers { body, scanned: 0, read: 0 });
                Ok(used(len))
            }
            Some(size) => {
                body.chunks = body.chunks.saturating_add(size);
                // Who ends this line with a bare newline also ends the data so.
                let line_end = if line.ends_with(b"\r") { 2 } else { 1 };
                Ok(self.data(from, body, size, line_end, len))
            }
        }
    }

    /// RFC 9112 section 7.1.2: lines up to an empty one.
    pub(super) fn trailers(
        &mut self,
        from: Side,
        body: Body,
        mut scanned: usize,
        mut read: usize,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let mut start = 0;
        while let Some(newline) = newline(input, scanned) {
            let line = input.get(start..newline).unwrap_or_default();
            let len = newline + 1 - start;
            if read + len > HEAD_LIMIT {
                self.lose_call(from, body.key, out);
                out.close(body.key, start);
                return Err(Malformed("trailer length"));
            }
            if matches!(line, [] | [b'\r']) {
                add_size(out, body.key, self.role(from), body.chunks);
                self.end_call(from, body.key, out);
                out.close(body.key, newline + 1);
                return Ok(used(newline + 1));
            }
            self.trailer(from, body.key, read, (input, line), out);
            read += len;
            start = newline + 1;
            scanned = start;
        }
        let unread = input.len() - start;
        if read + unread >= HEAD_LIMIT {
            self.lose_call(from, body.key, out);
            out.close(body.key, start);
            return Err(Malformed("trailer length"));
        }
        self.set_reading(from, Reading::Trailers { body, scanned: unread, read });
        Ok(used(start))
    }

    /// One trailing field, behind so many bytes of them, is this line of the input.
    fn trailer(
        &mut self,
        from: Side,
        key: Key,
        read: usize,
        (input, line): (&[u8], &[u8]),
        out: &mut dyn Out,
    ) {
        let Some(field) = field(line) else { return };
        let (role, settings) = (self.role(from), Arc::clone(&self.settings));
        let secrets = &settings.secrets;
        if let Some(call) = self.call(from) {
            call.trailers(role, key, iter::once(field), 0, secrets, out);
        }
        if out.wants_details() {
            let room = TRAILERS_ROOM.saturating_sub(read);
            add_trailers(out, key, role, iter::once(field), room, secrets);
        }
        if settings.locate_secrets {
            locate_secrets(out, key, input, secrets, None, iter::once(field));
        }
    }

    pub(super) fn gap_in_body(
        &mut self,
        from: Side,
        body: Body,
        left: u64,
        line_end: u64,
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(secrets) = self.secrets_mut(from) {
            secrets.lose();
        }
        // Only an unbroken prefix is of use.
        self.lose_content(from, &body, out);
        self.pass_over(from, lost.min(left));
        if body.framing == BodyFraming::UntilEnd {
            self.set_reading(from, Reading::Shown { body, left, line_end });
            return AfterGap::Continue;
        }
        match left.saturating_add(line_end).checked_sub(lost) {
            None => {
                self.lose_call(from, body.key, out);
                out.close(body.key, 0);
                return AfterGap::Resync;
            }
            Some(0) => self.seen(from, body, 0, out),
            Some(rest) => {
                let line_end = line_end.min(rest);
                let left = rest - line_end;
                self.set_reading(from, Reading::Shown { body, left, line_end });
            }
        }
        AfterGap::Continue
    }
}

/// Name and value of a trailing field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()))
}

pub(super) fn used(bytes: usize) -> Step {
    NonZeroUsize::new(bytes).map_or(Step::Incomplete(NonZeroUsize::MIN), Step::Used)
}

/// The first newline that stands at `scanned` or after it.
fn newline(input: &[u8], scanned: usize) -> Option<usize> {
    Some(scanned + memchr(b'\n', input.get(scanned..)?)?)
}

/// The longest line before a chunk's data, in bytes.
pub(super) const CHUNK_LINE_LIMIT: usize = 4 << 10;
