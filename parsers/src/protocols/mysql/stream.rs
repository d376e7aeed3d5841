//! The bytes of one side, as they come or out of compressed packets, to whom they are for.

use super::compression::{FRAME, Frame, PAYLOAD_LIMIT, Within};
use super::connection::{Connection, Shared};
use super::packet::{HEADER, Stop, short};
use super::probe::{Look, client_packet, compressed_command, response};
use super::session::Phase;
use crate::message::Side;
use crate::protocol::{Key, Out, Step};
use std::num::{NonZeroU64, NonZeroUsize};

impl Connection {
    pub(super) fn read(
        &mut self,
        from: Side,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if let Some(skip) = NonZeroU64::new(std::mem::take(self.rest(from))) {
            return Ok(Step::Skip { used: 0, skip });
        }
        if self.is_compressed(from) {
            return self.read_compressed(from, input, shared, out);
        }
        // Only commands have the number 0, and they come after the login.
        let logs_in = from == self.client && self.session.phase == Phase::Login;
        if logs_in && self.session.compresses() && input.get(HEADER - 1) == Some(&0) {
            self.compresses_commands = true;
            return self.read_compressed(from, input, shared, out);
        }
        // The login was not seen, and no command has the code 0.
        let begins = from == self.client && self.session.phase == Phase::Start;
        if begins && matches!(input, [_, _, _, 0, 0, ..]) {
            match compressed_command(input) {
                Look::Sure | Look::Likely => self.session.assume_compressed(),
                Look::Short => return Err(short(1)),
                Look::No => return Err(Stop::Bad("command")),
            }
            return self.read_compressed(from, input, shared, out);
        }
        self.read_plain(from, input, shared, out)
    }

    /// Whether the packets of one side are within compressed ones.
    fn is_compressed(&self, from: Side) -> bool {
        self.session.is_compressed() || (from == self.client && self.compresses_commands)
    }

    /// So many bytes of one side are lost; `head` are those before them. Says whether they are of
    /// one packet, so that it is known where the next one begins.
    pub(super) fn bridges(
        &mut self,
        from: Side,
        head: &[u8],
        lost: u64,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> bool {
        if self.is_compressed(from) {
            return false;
        }
        if *self.rest(from) > 0 {
            let rest = self.rest(from).checked_sub(lost);
            *self.rest(from) = rest.unwrap_or_default();
            return rest.is_some();
        }
        let missing = if from == self.client {
            self.missing_of_request(head, lost, shared, out)
        } else {
            self.missing_of_response(head, lost, shared, out)
        };
        let rest = missing.and_then(|missing| missing.checked_sub(lost));
        *self.rest(from) = rest.unwrap_or_default();
        rest.is_some()
    }

    fn read_plain(
        &mut self,
        from: Side,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if from == self.client {
            self.read_request(input, shared, out)
        } else {
            self.read_response(input, shared, out)
        }
    }

    fn read_compressed(
        &mut self,
        from: Side,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let frame = Frame::read(input)?;
        let awaited = frame.len.min(PAYLOAD_LIMIT);
        let open = self.open_message(from);
        let secret = FRAME as u64..(FRAME + frame.len) as u64;
        let secret = shared.settings.locate_secrets.then_some(secret);
        let inside = self.within(from);
        if inside.skip > frame.plain as u64 {
            inside.skip -= frame.plain as u64;
            let mut out = Within { out, end: FRAME, secret };
            open.into_iter().for_each(|key| out.tell_secret(key));
            return Ok(step(FRAME, frame.len));
        }
        let there = input.get(FRAME..).unwrap_or_default();
        let Some(payload) = there.get(..awaited) else {
            return Err(short(awaited.saturating_sub(there.len())));
        };
        let mut out = Within { out, end: FRAME + awaited, secret };
        open.into_iter().for_each(|key| out.tell_secret(key));
        let mut plain = std::mem::take(&mut shared.plain);
        let read = if frame.stored {
            plain.clear();
            plain.extend_from_slice(payload);
            Ok(())
        } else {
            shared.decompressor.read(payload, frame.plain, &mut plain)
        };
        if read.is_err() {
            out.lost("mysql compressed payload");
        }
        let missing = frame.plain.saturating_sub(plain.len()) as u64;
        self.read_within(from, &plain, missing, shared, &mut out);
        plain.shrink_to(PLAIN_LIMIT);
        shared.plain = plain;
        Ok(step(FRAME + awaited, frame.len - awaited))
    }

    /// Reads the next bytes of the packets that were compressed; so many after them are lost.
    fn read_within(
        &mut self,
        from: Side,
        plain: &[u8],
        missing: u64,
        shared: &mut Shared,
        out: &mut Within<'_>,
    ) {
        let mut joined = std::mem::take(&mut self.within(from).waiting);
        let mut rest = if joined.is_empty() {
            plain
        } else {
            joined.extend_from_slice(plain);
            &joined
        };
        if self.within(from).lost {
            if self.resumes_plain(from, rest) {
                self.within(from).lost = false;
            } else {
                rest = &[];
            }
        }
        while !rest.is_empty() {
            rest = self.skip_within(from, rest, out);
            if rest.is_empty() {
                break;
            }
            match self.read_plain(from, rest, shared, out) {
                Ok(Step::Used(used)) => rest = rest.get(used.get()..).unwrap_or_default(),
                Ok(Step::Skip { used, skip }) => {
                    rest = rest.get(used..).unwrap_or_default();
                    self.within(from).skip = skip.get();
                }
                Ok(Step::Incomplete(_)) | Err(Stop::Short(_)) => {
                    self.within(from).waiting = rest.to_vec();
                    break;
                }
                Ok(Step::Become { .. }) => rest = &[],
                Err(Stop::Bad(field)) => {
                    out.lost(field);
                    self.abandon_plain(from, &[], shared, out);
                    self.within(from).lost = true;
                    break;
                }
            }
        }
        self.lose_within(from, missing, shared, out);
    }

    /// Passes over what is to be skipped.
    fn skip_within<'b>(&mut self, from: Side, rest: &'b [u8], out: &mut dyn Out) -> &'b [u8] {
        let skip = &mut self.within(from).skip;
        if *skip == 0 {
            return rest;
        }
        let passed = usize::try_from(*skip).unwrap_or(usize::MAX).min(rest.len());
        *skip -= passed as u64;
        if *skip == 0 {
            self.skipped_plain(from, out);
        }
        rest.get(passed..).unwrap_or_default()
    }

    /// So many bytes of the packets are lost.
    fn lose_within(&mut self, from: Side, missing: u64, shared: &mut Shared, out: &mut dyn Out) {
        let skip = &mut self.within(from).skip;
        let passed = missing.min(*skip);
        *skip -= passed;
        let ended = passed > 0 && *skip == 0;
        if ended {
            self.skipped_plain(from, out);
        }
        if missing > passed && !self.within(from).lost {
            out.lost("mysql bytes of compressed packets");
            self.abandon_plain(from, &[], shared, out);
            let inside = self.within(from);
            (inside.waiting, inside.lost) = (Vec::new(), true);
        }
    }

    /// The message of one side that is under way.
    fn open_message(&self, from: Side) -> Option<Key> {
        if from == self.client { self.request.open_message() } else { self.response.open_message() }
    }

    /// The end of a skip was seen.
    pub(super) fn skipped(&mut self, from: Side, out: &mut dyn Out) {
        // Skips of compressed packets are those of their frames.
        if !self.is_compressed(from) {
            self.skipped_plain(from, out);
        }
    }

    fn skipped_plain(&mut self, from: Side, out: &mut dyn Out) {
        if from == self.client { self.skipped_request(out) } else { self.skipped_response(out) }
    }

    /// Gives up what one side has begun.
    pub(super) fn abandon(
        &mut self,
        from: Side,
        head: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) {
        let head = if self.is_compressed(from) { &[] } else { head };
        self.abandon_plain(from, head, shared, out);
        *self.rest(from) = 0;
        if from != self.client {
            self.session.lose_answer();
        }
        let inside = self.within(from);
        (inside.waiting, inside.skip, inside.lost) = (Vec::new(), 0, true);
    }

    fn abandon_plain(&mut self, from: Side, head: &[u8], shared: &mut Shared, out: &mut dyn Out) {
        if from == self.client {
            self.abandon_request(head, shared, out);
        } else {
            self.abandon_response(head, shared, out);
        }
    }

    /// Whether a command, or a response, surely starts here.
    pub(super) fn resumes(&self, from: Side, input: &[u8]) -> bool {
        if !self.is_compressed(from) {
            let begins = from == self.client && self.session.phase == Phase::Start;
            let look = if begins { compressed_command(input) } else { Look::No };
            return matches!(look, Look::Sure | Look::Likely) || self.resumes_plain(from, input);
        }
        let Ok(frame) = Frame::read(input) else { return false };
        let payload = input.get(FRAME..).unwrap_or_default();
        match (frame.stored, payload) {
            (true, _) => frame.len > HEADER && self.resumes_plain(from, payload),
            (false, [0x78, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]) => {
                let first = if from == self.client { 0..=0 } else { 1..=u8::MAX };
                first.contains(&frame.sequence)
            }
            _ => false,
        }
    }

    fn resumes_plain(&self, from: Side, input: &[u8]) -> bool {
        let look = if from == self.client { client_packet(input) } else { response(input) };
        matches!(look, Look::Sure | Look::Likely)
    }
}

fn step(used: usize, skip: usize) -> Step {
    match NonZeroU64::new(skip as u64) {
        Some(skip) => Step::Skip { used, skip },
        None => Step::Used(NonZeroUsize::new(used).unwrap_or(NonZeroUsize::MIN)),
    }
}

/// Room that is kept for the next payload.
const PLAIN_LIMIT: usize = 1 << 20;
