//! What the server sends: responses out, one for each request.
//!
//! A response goes from the first message that answers a step of its request to the last one; what
//! ReadyForQuery ends goes up to that, since a transaction may fail as late as there.

use super::awaited::Step as Asked;
use super::connection::{Connection, Response, Under, number, text};
use super::errors::{Failure, masked, secrets_of};
use super::framing::{HEAD, Head, Stop, View, short, string};
use super::frontend::{shown, skip_run, used};
use super::tags::Rows;
use super::values::Values;
use crate::message::{Dialect, Kind, Message, Outcome, Pairing, Status};
use crate::protocol::{Handoff, Key, Out, Step};
use crate::sql::Backslash;
use std::num::NonZeroU64;

impl Connection {
    /// Reads one message of the server, a part of one, or a run of rows.
    pub(super) fn read_backend(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        match &mut self.answering.under {
            Under::Values(values) => {
                let step = values.read(input, out)?;
                let (key, left) = (values.key, values.left);
                if let (Step::Used(used), 0) = (step, left) {
                    self.answering.under = Under::Nothing;
                    if let Some(key) = key {
                        out.extend(key, used.get());
                    }
                }
                return Ok(step);
            }
            Under::Nothing | Under::Text { .. } | Under::Rest(_) => {
                self.answering.under = Under::Nothing;
            }
        }
        let [kind, ..] = input else { return Err(short(1)) };
        if self.awaited.front().is_some_and(|first| first.step == Asked::Encryption)
            && matches!(kind, b'S' | b'N' | b'G')
        {
            return self.read_encryption(*kind, out);
        }
        match kind {
            b'1' | b'2' | b'3' | b'T' | b't' | b'n' | b'D' | b'C' | b'I' | b's' | b'Z' | b'E'
            | b'N' | b'A' | b'S' | b'R' | b'K' | b'G' | b'H' | b'W' | b'd' | b'c' | b'V' | b'v' => {
            }
            _ => return Err(Stop::Bad("message type")),
        }
        match self.read_message(input, out) {
            // It may still come to be the answer to a request for TLS, so it is looked at anew.
            Err(Stop::Short(_)) if matches!(kind, b'S' | b'N' | b'G') => Err(short(1)),
            step => step,
        }
    }

    fn read_message(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        let head = Head::read(input)?;
        match head.kind {
            b'D' => self.read_rows(input, head, out),
            b'd' => Ok(self.read_copied(input, out)),
            b'Z' => self.read_ready(head.view(input)?, out),
            b'A' => self.read_notification(head.view(input)?, out),
            b'E' => self.read_error(head.view(input)?, out),
            b'R' => self.read_authentication(head.view(input)?, out),
            b'S' | b'N' | b'v' | b'K' => self.read_notice(head, head.view(input)?, out),
            _ => self.read_result(head.kind, head.view(input)?, out),
        }
    }

    /// The single byte that answers a request for TLS or GSSAPI.
    fn read_encryption(&mut self, answer: u8, out: &mut dyn Out) -> Result<Step, Stop> {
        self.respond(1, out);
        self.succeed(out);
        self.awaited.pop();
        self.close_response(1, out);
        if answer == b'N' {
            return used(1);
        }
        out.lost("postgresql connections encrypted");
        Ok(Step::Become { used: 1, next: Handoff::Detect })
    }

    fn read_authentication(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let Some(code) = view.body.first_chunk::<4>() else {
            return Err(Stop::Bad("authentication"));
        };
        if self.awaited.front().is_some_and(|first| first.step == Asked::Login) {
            let key = self.respond(view.end, out);
            if let Some(key) = key.filter(|_| self.settings.locate_secrets && view.end > HEAD + 4) {
                out.secret(key, HEAD as u64 + 4..view.end as u64 + view.left);
            }
            // AuthenticationOk: the session begins, unless an error comes before ReadyForQuery.
            if u32::from_be_bytes(*code) == 0 {
                self.succeed(out);
            }
        }
        self.rest_of_answer(view)
    }

    /// What the server tells beside the answer: parameters, notices, versions, keys.
    fn read_notice(&mut self, head: Head, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        if self.awaited.front().is_some_and(|first| first.step == Asked::Login) {
            self.respond(view.end, out);
        }
        if head.kind == b'S' {
            self.read_parameter(view.body, out);
        }
        if let Some(response) = &self.answering.response {
            out.extend(response.key, view.end);
            if self.settings.locate_secrets {
                match head.kind {
                    // The key that cancels.
                    b'K' if view.end > HEAD + 4 => {
                        out.secret(response.key, HEAD as u64 + 4..view.end as u64);
                    }
                    b'N' => tell_secrets(response.key, view.body, out),
                    _ => {}
                }
            }
        }
        self.rest_of_answer(view)
    }

    /// What the session is set to, from here on.
    fn read_parameter(&mut self, body: &[u8], out: &mut dyn Out) {
        let Some((name, value)) = string(body) else { return };
        let Some((value, _)) = string(value) else { return };
        match (name, &self.answering.response) {
            (b"server_version", Some(response)) => {
                text(response.key, "wirespan.db.server.version", shown(value), out);
            }
            (b"standard_conforming_strings", _) => {
                let plain = value != b"off";
                self.statements.set_backslash(if plain {
                    Backslash::Plain
                } else {
                    Backslash::Escapes
                });
            }
            _ => {}
        }
    }

    /// NOTIFY of another session.
    fn read_notification(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let channel = view.body.get(4..).and_then(string);
        let Some((channel, payload)) = channel else { return Err(Stop::Bad("channel")) };
        let key = out.open(Message {
            kind: Kind::OneWay,
            dialect: Dialect::Plain,
            pairing: Pairing::OneWay,
            bytes: 0..view.end,
            operation: b"NOTIFY",
            resource: channel.get(..CHANNEL_SHOWN).unwrap_or(channel),
            status: Status::default(),
            cut: false,
        });
        if self.settings.locate_secrets && payload.len() > 1 {
            let start = (view.end - payload.len()) as u64;
            out.secret(key, start..view.end as u64 + view.left - 1);
        }
        out.close(key, view.end);
        self.rest_of_answer(view)
    }

    fn read_rows(&mut self, input: &[u8], head: Head, out: &mut dyn Out) -> Result<Step, Stop> {
        let key = self.respond(HEAD, out);
        if self.settings.locate_secrets {
            self.count_rows(1);
            if head.size == HEAD {
                return used(HEAD);
            }
            self.answering.under = Under::Values(Values::of_row(key, (head.size - HEAD) as u64));
            return used(HEAD);
        }
        let mut rows = 0;
        let step = skip_run(input, b'D', |_, _| rows += 1);
        self.count_rows(rows);
        self.extend_over(step, key, out);
        Ok(step)
    }

    fn read_copied(&mut self, input: &[u8], out: &mut dyn Out) -> Step {
        // What is streamed to a replica answers nothing.
        let key = if self.answering.streams { None } else { self.respond(HEAD, out) };
        let told = key.filter(|_| self.settings.locate_secrets);
        let step = skip_run(input, b'd', |body, size| {
            if let Some(key) = told
                && size > 0
            {
                out.secret(key, body as u64..(body + size) as u64);
            }
        });
        self.extend_over(step, key, out);
        step
    }

    fn extend_over(&mut self, step: Step, key: Option<Key>, out: &mut dyn Out) {
        match (step, key) {
            (Step::Used(used), Some(key)) => out.extend(key, used.get()),
            (Step::Skip { .. }, _) => self.answering.under = Under::Rest(key),
            _ => {}
        }
    }

    fn count_rows(&mut self, rows: u64) {
        if let Some(response) = &mut self.answering.response {
            response.rows += rows;
        }
    }

    fn read_error(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let failure = Failure::read(view.body);
        if self.awaited.front().is_none() && self.answering.response.is_none() {
            // The server ends a session that is idle.
            out.lost("postgresql errors that answer nothing");
            return self.rest_of_answer(view);
        }
        let at_once = self
            .awaited
            .front()
            .is_some_and(|first| matches!(first.step, Asked::Login | Asked::Encryption));
        if let Some(key) = self.respond(view.end, out) {
            if !self.answering.failed {
                self.tell_failure(key, &failure, out);
            }
            if self.settings.locate_secrets {
                tell_secrets(key, view.body, out);
            }
        }
        self.answering.failed = true;
        if at_once || failure.fatal {
            self.close_response(view.end, out);
            self.answering.failed = !at_once;
            self.awaited.pop();
            self.end_login(out);
        }
        self.rest_of_answer(view)
    }

    fn tell_failure(&self, key: Key, failure: &Failure<'_>, out: &mut dyn Out) {
        out.status(key, failure.status());
        if failure.message.is_empty() {
            return;
        }
        if self.settings.secrets.are_shown() {
            let shown = failure.message.get(..super::errors::MESSAGE);
            text(key, "wirespan.db.error", shown.unwrap_or(failure.message), out);
        } else {
            text(key, "wirespan.db.error", &masked(failure.state, failure.message), out);
        }
    }

    /// What answers a step and has nothing else to say than how many rows there are.
    fn read_result(&mut self, kind: u8, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        if self.answering.streams && matches!(kind, b'c' | b'C') {
            return self.rest_of_answer(view);
        }
        self.awaited.drop_stale();
        let key = self.respond(view.end, out);
        match kind {
            b'C' | b'I' => {
                if let Some(response) = &mut self.answering.response {
                    let tag = view.body.strip_suffix(&[0]).unwrap_or(view.body);
                    let mut rows = Rows::of(tag);
                    if response.copies_out {
                        rows = Rows { returned: rows.affected, affected: None };
                        response.copies_out = false;
                    }
                    response.told.add(rows);
                    response.statements += 1;
                }
                self.succeed(out);
            }
            b's' | b'3' => self.succeed(out),
            b'V' => {
                self.succeed(out);
                self.secret_body(key, view, out);
            }
            b'H' => {
                if let Some(response) = &mut self.answering.response {
                    response.copies_out = true;
                }
            }
            b'G' => self.awaited.drop_sync_before_data(),
            b'W' => return self.read_stream(view, out),
            _ => {}
        }
        let Some(first) = self.awaited.front() else {
            // Nobody knows what it answers, so that it is over where a statement is.
            if matches!(kind, b'C' | b'I' | b's') {
                self.close_response(view.end, out);
            }
            return self.rest_of_answer(view);
        };
        if first.step.is_done_by(kind) {
            self.awaited.pop();
            let next = self.awaited.front().map(|next| next.exchange);
            // Who binds and flushes has not said yet what is carried out.
            let goes_on = first.step == Asked::Bind && next.is_none();
            if next != Some(first.exchange) && !goes_on {
                if matches!(first.step, Asked::Parse | Asked::Describe) {
                    self.succeed(out);
                }
                self.close_response(view.end, out);
            }
        }
        self.rest_of_answer(view)
    }

    fn secret_body(&self, key: Option<Key>, view: View<'_>, out: &mut dyn Out) {
        if let Some(key) = key.filter(|_| self.settings.locate_secrets && !view.body.is_empty()) {
            out.secret(key, HEAD as u64..view.end as u64 + view.left);
        }
    }

    /// Both sides stream copies from here on, as replication does; the answer is complete.
    fn read_stream(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        out.lost("postgresql replication streams");
        self.succeed(out);
        self.close_response(view.end, out);
        self.awaited.pop();
        self.answering.streams = true;
        self.rest_of_answer(view)
    }

    fn read_ready(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let [state @ (b'I' | b'T' | b'E')] = view.body else {
            return Err(Stop::Bad("transaction status"));
        };
        if std::mem::take(&mut self.answering.streams) {
            return used(view.end);
        }
        if self.answering.response.is_none() {
            self.respond_to_turn(view.end, out);
        }
        if let Some(response) = &self.answering.response {
            let key = response.key;
            if !self.answering.failed && response.exchange > 0 {
                out.status(key, OK);
            }
            match state {
                b'T' => text(key, "wirespan.db.transaction", b"open", out),
                b'E' => text(key, "wirespan.db.transaction", b"failed", out),
                _ => {}
            }
        }
        self.close_response(view.end, out);
        while let Some(awaited) = self.awaited.pop() {
            if awaited.exchange > self.answering.closed {
                self.answer_skipped(awaited.exchange, view.end, out);
            }
            if awaited.step.is_turn() {
                break;
            }
        }
        self.answering.failed = false;
        self.end_login(out);
        used(view.end)
    }

    /// Opens a response where ReadyForQuery alone answers.
    fn respond_to_turn(&mut self, end: usize, out: &mut dyn Out) {
        let alone = self.awaited.front().is_some_and(|first| {
            matches!(first.step, Asked::Sync | Asked::Login) && !self.answering.failed
        });
        if alone {
            self.respond(end, out);
        }
    }

    /// An exchange that was not carried out after an error, or whose response is lost.
    fn answer_skipped(&mut self, exchange: u64, end: usize, out: &mut dyn Out) {
        let status = if self.answering.failed {
            Status { outcome: Outcome::ClientError, code: 0, text: SKIPPED }
        } else {
            Status::default()
        };
        let key = out.open(response(end, status, !self.answering.failed));
        out.close(key, end);
        self.answering.closed = exchange;
    }

    /// The response to what is awaited, which is opened if need be, goes on up to `end`.
    fn respond(&mut self, end: usize, out: &mut dyn Out) -> Option<Key> {
        let first = self.awaited.front();
        if let Some(response) = &self.answering.response {
            let goes_on = first
                .is_none_or(|first| first.exchange == response.exchange || first.exchange == 0);
            if goes_on {
                out.extend(response.key, end);
                return Some(response.key);
            }
            self.close_response(0, out);
        }
        let exchange = match first {
            // What was lost is answered, or nobody knows what is.
            Some(first) if first.exchange <= self.answering.closed => return None,
            Some(first) => first.exchange,
            None => 0,
        };
        let key = out.open(response(end, Status::default(), false));
        self.answering.response = Some(Response {
            key,
            exchange,
            rows: 0,
            told: Rows::default(),
            statements: 0,
            copies_out: false,
        });
        Some(key)
    }

    fn succeed(&self, out: &mut dyn Out) {
        if let Some(response) = &self.answering.response
            && !self.answering.failed
        {
            out.status(response.key, OK);
        }
    }

    /// The response is complete, or will not become so.
    pub(super) fn close_response(&mut self, end: usize, out: &mut dyn Out) {
        let Some(response) = self.answering.response.take() else { return };
        let Response { key, told, rows, .. } = response;
        let returned =
            told.returned.or_else(|| (rows > 0).then_some(rows)).map(|told| told.max(rows));
        if let Some(returned) = returned {
            number(key, "db.response.returned_rows", returned, out);
        }
        if let Some(affected) = told.affected {
            number(key, "wirespan.db.affected_rows", affected, out);
        }
        if response.statements > 1 {
            number(key, "db.operation.batch.size", response.statements, out);
        }
        out.close(key, end);
        self.answering.closed = self.answering.closed.max(response.exchange);
    }

    fn rest_of_answer(&mut self, view: View<'_>) -> Result<Step, Stop> {
        match NonZeroU64::new(view.left) {
            None => used(view.end),
            Some(skip) => {
                let key = self.answering.response.as_ref().map(|response| response.key);
                self.answering.under = Under::Rest(key);
                Ok(Step::Skip { used: view.end, skip })
            }
        }
    }
}

fn response(end: usize, status: Status<'_>, cut: bool) -> Message<'_> {
    Message {
        kind: Kind::Response,
        dialect: Dialect::Plain,
        pairing: Pairing::InOrder { lane: 0 },
        bytes: 0..end,
        operation: b"",
        resource: b"",
        status,
        cut,
    }
}

fn tell_secrets(key: Key, body: &[u8], out: &mut dyn Out) {
    secrets_of(body, |part| {
        out.secret(key, (HEAD + part.start) as u64..(HEAD + part.end) as u64);
    });
}

const OK: Status<'_> = Status { outcome: Outcome::Ok, code: 0, text: b"" };

/// The status of what an error before it left undone.
const SKIPPED: &[u8] = b"skipped after error";

/// Bytes of a channel's name that are shown.
const CHANNEL_SHOWN: usize = 128;
