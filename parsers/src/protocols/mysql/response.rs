//! What a server sends: a greeting, and responses of one or many packets.
//!
//! ```text
//!           ┌──────────── another result ────────────┐
//!           ▼                                        │
//!         First ─ count ─▶ Columns ─▶ ColumnsEnd ─▶ Rows ─▶ end
//!           │  └─ id ────▶ Definitions ─▶ DefinitionsEnd ─▶ end
//!           └─ OK, ERR ──▶ end
//! ```

use super::capabilities::{Capabilities, Eof};
use super::command::Answer;
use super::connection::{Connection, Shared};
use super::login::Greeting;
use super::outcome::{Done, Failure, SHORTEST_OK, done};
use super::packet::{HEADER, Header, LONGEST, Stop, lenenc, payload, u16_le, u32_le};
use super::prepared::Prepared;
use super::session::{Awaited, Phase};
use crate::message::{Attribute, Dialect, Kind, Message, Outcome, Pairing, Status, Value};
use crate::protocol::{Key, Out, Step};
use crate::reader::Reader;
use smallvec::SmallVec;
use std::num::{NonZeroU64, NonZeroUsize};

/// The response under way.
#[derive(Debug, Default)]
pub(super) struct Response {
    key: Option<Key>,
    answers: Option<Awaited>,
    stage: Stage,
    /// The number that the next packet must have.
    sequence: u8,
    /// The client has sent packets of the same exchange, so that its number is not known.
    unnumbered: bool,
    /// The last packet's payload goes on in the next one.
    continued: bool,
    /// What the end of a skip closes.
    closing: Option<Key>,
    /// An EOF packet may follow a response that seemed to be complete.
    may_trail: bool,
    rows: u64,
    affected_rows: u64,
    /// Whether there was a set of rows.
    has_rows: bool,
    /// The end of its first packet was lost.
    cut: bool,
    /// How many results are complete.
    results: u64,
    /// Columns of the present result.
    columns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// A response, or another result of it, begins.
    #[default]
    First,
    /// So many definitions of columns follow.
    Columns(u64),
    /// EOF follows them, or rows.
    ColumnsEnd,
    Rows,
    /// So many definitions follow in this group, and so many in the next.
    Definitions(u16, u16),
    /// EOF follows a group, or the next one with so many.
    DefinitionsEnd(u16),
    /// Definitions follow up to an EOF.
    Fields,
}

/// What a packet came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// The response goes on, or none has begun.
    More,
    /// It is complete.
    Complete,
    /// It is complete, and nothing else that comes is one.
    Stream,
}

impl Connection {
    pub(super) fn read_response(
        &mut self,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let (header, there) = match self.next_packet(rest, shared) {
                Ok(packet) => packet,
                Err(Stop::Short(more)) => return Ok(self.pause(at, more, out)),
                Err(bad) => return self.stop(at, bad, out),
            };
            self.response.unnumbered = false;
            let after = match self.packet(header, there, at, input, shared, out) {
                Ok(after) => after,
                Err(stop) => return self.stop(at, stop, out),
            };
            self.response.sequence = header.sequence.wrapping_add(1);
            self.response.continued = header.goes_on();
            let end = at + HEADER + header.len;
            if after == After::Stream {
                self.complete(at + HEADER + 1, out);
                self.session.phase = Phase::Stream;
                return Ok(Step::Skip { used: at + HEADER + 1, skip: NonZeroU64::MAX });
            }
            if let Some(skip) = NonZeroU64::new(end.saturating_sub(input.len()) as u64) {
                if after == After::Complete {
                    self.response.closing = self.end_response(out);
                }
                return Ok(Step::Skip { used: input.len(), skip });
            }
            if after == After::Complete {
                self.complete(end, out);
                return Ok(used(end));
            }
            at = end;
        }
    }

    /// The next packet, with as much of its payload as matters.
    fn next_packet<'b>(&self, rest: &'b [u8], shared: &Shared) -> Result<(Header, &'b [u8]), Stop> {
        let header = Header::read(rest)?;
        let response = &self.response;
        let under_way = response.key.is_some() || response.continued;
        let is_numbered = under_way && !response.unnumbered && !self.session.is_compressed();
        if is_numbered && header.sequence != response.sequence {
            return Err(Stop::Bad("sequence id"));
        }
        if self.response.continued {
            return Ok((header, &[]));
        }
        let first = payload(rest, header, 1)?.first();
        let limit = match (self.response.stage, first) {
            (_, Some(0xff)) => END_LIMIT,
            (Stage::First, _) => END_LIMIT,
            (_, Some(0xfe)) if header.len < LONGEST => END_LIMIT,
            (Stage::Rows | Stage::ColumnsEnd, _) if shared.settings.locate_secrets => ROW_LIMIT,
            _ => 1,
        };
        Ok((header, payload(rest, header, limit)?))
    }

    /// Waits for more within a response.
    fn pause(&self, at: usize, more: NonZeroUsize, out: &mut dyn Out) -> Step {
        let Some(used) = NonZeroUsize::new(at) else { return Step::Incomplete(more) };
        if let Some(key) = self.response.key {
            out.extend(key, at);
        }
        Step::Used(used)
    }

    /// Leaves a packet that makes no sense to the next call, so that what is before it is used.
    fn stop(&self, at: usize, stop: Stop, out: &mut dyn Out) -> Result<Step, Stop> {
        if at == 0 {
            return Err(stop);
        }
        Ok(self.pause(at, NonZeroUsize::MIN, out))
    }

    fn packet(
        &mut self,
        header: Header,
        there: &[u8],
        at: usize,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<After, Stop> {
        if self.response.continued {
            if let (true, Stage::Rows, Some(key)) =
                (shared.settings.locate_secrets, self.response.stage, self.response.key)
                && header.len > 0
            {
                let start = (at + HEADER) as u64;
                out.secret(key, start..start + header.len as u64);
            }
            return Ok(After::More);
        }
        let is_error = there.first() == Some(&0xff) && self.response.stage != Stage::First;
        if is_error && let Some(failure) = Failure::read(there) {
            return Ok(self.fail(&failure, at + HEADER, shared, out));
        }
        let is_end = there.first() == Some(&0xfe) && header.len < LONGEST;
        match self.response.stage {
            Stage::First => {
                let end = input.len().min(at + HEADER + header.len);
                return self.first(header, there, at..end, shared, out);
            }
            Stage::Columns(left @ 2..) => self.response.stage = Stage::Columns(left - 1),
            Stage::Columns(_) => self.response.stage = self.after_columns(),
            Stage::ColumnsEnd if is_end && header.len < SHORTEST_OK => {
                self.session.eof = Eof::Sent;
                let done = done(there).unwrap_or_default();
                if done.status.cursor_exists() {
                    return Ok(self.end_result(&done));
                }
                self.response.stage = Stage::Rows;
            }
            Stage::ColumnsEnd | Stage::Rows if is_end => {
                self.learn_deprecated();
                let done = done(there).ok_or(Stop::Bad("end of rows"))?;
                return Ok(self.end_result(&done));
            }
            Stage::ColumnsEnd | Stage::Rows => {
                self.learn_deprecated();
                self.response.stage = Stage::Rows;
                self.response.rows += 1;
                if let (true, Some(key)) = (shared.settings.locate_secrets, self.response.key) {
                    self.response.tell_values(key, header, there, at + HEADER, out);
                }
            }
            Stage::Definitions(left @ 2.., next) => {
                self.response.stage = Stage::Definitions(left - 1, next);
            }
            Stage::Definitions(_, next) => return Ok(self.after_definitions(next)),
            Stage::DefinitionsEnd(next) if is_end => {
                self.session.eof = Eof::Sent;
                return Ok(self.next_definitions(next));
            }
            Stage::DefinitionsEnd(next) => {
                self.session.eof = Eof::Deprecated;
                if next < 2 {
                    return Ok(self.after_definitions(0));
                }
                self.response.stage = Stage::Definitions(next - 1, 0);
            }
            Stage::Fields if is_end => return Ok(After::Complete),
            Stage::Fields => {}
        }
        Ok(After::More)
    }

    /// Rows without an EOF packet before them tell what the login would have told.
    fn learn_deprecated(&mut self) {
        if self.response.stage == Stage::ColumnsEnd {
            self.session.eof = Eof::Deprecated;
        }
    }

    fn after_columns(&self) -> Stage {
        if self.session.eof == Eof::Deprecated { Stage::Rows } else { Stage::ColumnsEnd }
    }

    /// A group of definitions is complete, and so many follow in the next.
    fn after_definitions(&mut self, next: u16) -> After {
        match (self.session.eof, next) {
            (Eof::Deprecated, _) => return self.next_definitions(next),
            (Eof::Unknown, 0) => {
                self.response.may_trail = true;
                return After::Complete;
            }
            _ => self.response.stage = Stage::DefinitionsEnd(next),
        }
        After::More
    }

    fn next_definitions(&mut self, next: u16) -> After {
        if next == 0 {
            return After::Complete;
        }
        self.response.stage = Stage::Definitions(next, 0);
        After::More
    }

    /// The first packet of a response, or of another result of it.
    fn first(
        &mut self,
        header: Header,
        there: &[u8],
        bytes: std::ops::Range<usize>,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<After, Stop> {
        let first = *there.first().ok_or(Stop::Bad("response"))?;
        if self.response.key.is_none() && self.response.answers.is_none() {
            if self.is_trailing_eof(header, first) {
                self.session.eof = Eof::Sent;
                return Ok(After::More);
            }
            if header.sequence == 0
                && let Some(after) = self.unasked(there, &bytes, shared, out)
            {
                return Ok(after);
            }
            self.expect(header)?;
        }
        let answer = self.response.answers.as_ref().map_or(Answer::Unknown, |next| next.answer);
        if let Some(failure) = Failure::read(there) {
            if failure.is_progress() {
                return Ok(After::More);
            }
            let at = bytes.start + HEADER;
            self.open_response(bytes, out);
            if answer == Answer::Login {
                self.end_login(out);
            }
            return Ok(self.fail(&failure, at, shared, out));
        }
        if answer == Answer::Login && matches!(first, 0x01 | 0xfe) {
            self.ask_for_proof(header, there, bytes, shared, out);
            return Ok(After::More);
        }
        let begun = self.begin(answer, header, there, out)?;
        self.open_response(bytes, out);
        Ok(match begun {
            Begun::Done(done) => {
                if answer == Answer::Login {
                    self.session.logged_in();
                    self.response.key.iter().for_each(|key| out.status(*key, OK));
                    self.end_login(out);
                }
                self.end_result(&done)
            }
            Begun::Goes => After::More,
            Begun::Definitions(0, 0) | Begun::Text => After::Complete,
            Begun::Definitions(0, columns) => self.next_definitions(columns),
            Begun::Definitions(parameters, columns) => {
                self.response.stage = Stage::Definitions(parameters, columns);
                After::More
            }
            Begun::Stream => After::Stream,
        })
    }

    /// The end of definitions that seemed to be complete without it.
    fn is_trailing_eof(&mut self, header: Header, first: u8) -> bool {
        let may_trail = std::mem::take(&mut self.response.may_trail);
        may_trail
            && first == 0xfe
            && header.len < SHORTEST_OK
            && header.sequence == self.response.sequence
    }

    /// A greeting, or an error that answers nothing.
    fn unasked(
        &mut self,
        there: &[u8],
        bytes: &std::ops::Range<usize>,
        shared: &Shared,
        out: &mut dyn Out,
    ) -> Option<After> {
        if let Some(failure) = Failure::read(there) {
            if !self.session.awaited.is_empty() {
                return None;
            }
            // Nobody logs in where the server refuses the connection.
            let is_refusal = self.session.phase == Phase::Start && failure.is_refusal();
            let (kind, operation): (_, &[u8]) =
                if is_refusal { (Kind::Refusal, b"LOGIN") } else { (Kind::OneWay, b"ERROR") };
            let key = out.open(Message {
                kind,
                dialect: Dialect::Plain,
                pairing: Pairing::OneWay,
                bytes: bytes.clone(),
                operation,
                resource: if is_refusal { b"" } else { failure.sqlstate },
                status: if is_refusal { failure.status() } else { Status::default() },
                cut: false,
            });
            if !is_refusal {
                let value = Value::Int(i64::from(failure.code));
                out.add(key, Attribute { name: "db.response.status_code", value });
            }
            tell_error(key, &failure, bytes.start + HEADER, shared, out);
            self.response.key = Some(key);
            return Some(After::Complete);
        }
        if self.session.phase == Phase::Start
            && let Some(greeting) = Greeting::read(there)
        {
            self.session.greet(&greeting);
            return Some(After::More);
        }
        None
    }

    /// What the response that begins here answers. That it may be one is looked at more closely
    /// where no command was seen that it could answer.
    fn expect(&mut self, header: Header) -> Result<(), Stop> {
        self.response.answers = self.session.awaited.pop_front();
        let is_answer =
            header.sequence == 1 || matches!(self.session.phase, Phase::Greeted | Phase::Login);
        match &self.response.answers {
            None if !is_answer => Err(Stop::Bad("sequence id")),
            _ => Ok(()),
        }
    }

    /// How a response begins that is no error.
    fn begin<'b>(
        &mut self,
        answer: Answer,
        header: Header,
        there: &'b [u8],
        out: &mut dyn Out,
    ) -> Result<Begun<'b>, Stop> {
        let ok = |there| done(there).map(Begun::Done).ok_or(Stop::Bad("OK packet"));
        match (answer, there) {
            (Answer::Text, _) => Ok(Begun::Text),
            (Answer::Stream, _) => Ok(Begun::Stream),
            (Answer::Prepared, [0, ..]) => self.prepared(there, out).ok_or(Stop::Bad("prepared")),
            (Answer::Unknown, [0, _, _, _, _, _, _, _, _, 0, _, _]) => {
                self.prepared(there, out).ok_or(Stop::Bad("prepared"))
            }
            (Answer::Simple | Answer::Login, [0 | 0xfe, ..]) => ok(there),
            (Answer::Rows, _) => {
                self.response.has_rows = true;
                if there.first() == Some(&0xfe) && header.len < LONGEST {
                    return ok(there);
                }
                self.response.stage = Stage::Rows;
                self.response.rows = 1;
                Ok(Begun::Goes)
            }
            (Answer::Fields, [0xfe, ..]) => ok(there),
            (Answer::Fields, _) => {
                self.response.stage = Stage::Fields;
                Ok(Begun::Goes)
            }
            (Answer::Results | Answer::Unknown, [0, ..]) if header.len >= SHORTEST_OK => ok(there),
            (Answer::Results | Answer::Unknown, [0xfe, ..]) => ok(there),
            (Answer::Results | Answer::Unknown, [0xfb, ..]) => {
                self.session.file = true;
                self.response.unnumbered = true;
                Ok(Begun::Goes)
            }
            (Answer::Results | Answer::Unknown, _) => self.result_set(there),
            _ => Err(Stop::Bad("response")),
        }
    }

    /// The head of a result set: how many columns it has, and whether they are described.
    fn result_set<'b>(&mut self, there: &[u8]) -> Result<Begun<'b>, Stop> {
        let bad = Stop::Bad("column count");
        let optional = match self.session.certain() {
            Some(agreed) => agreed.has(Capabilities::OPTIONAL_RESULTSET_METADATA),
            // A flag before the count, which is none itself.
            None => matches!(there, [0 | 1, 2..=0xfa]),
        };
        let mut reader = Reader::new(there);
        let flag_before = if optional && there.len() > 1 { reader.u8() } else { None };
        let count = lenenc(&mut reader).filter(|count| (1..=COLUMNS_LIMIT).contains(count));
        let Some(count) = count else { return Err(bad) };
        let flag = flag_before.or_else(|| reader.u8());
        if !reader.rest().is_empty() {
            return Err(bad);
        }
        self.response.columns = count;
        self.response.has_rows = true;
        self.response.stage = match flag {
            Some(0) => self.after_columns(),
            _ => Stage::Columns(count),
        };
        Ok(Begun::Goes)
    }

    /// `COM_STMT_PREPARE_OK`.
    fn prepared<'b>(&mut self, there: &[u8], out: &mut dyn Out) -> Option<Begun<'b>> {
        let mut reader = Reader::new(there);
        reader.take(1)?;
        let id = u32_le(&mut reader)?;
        let (columns, parameters) = (u16_le(&mut reader)?, u16_le(&mut reader)?);
        // Filler, warnings.
        reader.take(1 + 2)?;
        let undescribed = reader.u8() == Some(0);
        let statement = self.response.answers.as_mut().and_then(|answers| answers.statement.take());
        if let Some(statement) = statement {
            self.response.may_trail = false;
            for _ in 0..self.session.prepared.insert(id, Prepared { statement, parameters }) {
                out.lost("mysql prepared statements over the limit");
            }
        }
        if undescribed {
            return Some(Begun::Definitions(0, 0));
        }
        Some(Begun::Definitions(parameters, columns))
    }

    /// A server asks for another proof, or tells more of one; how the login ends is not known yet.
    fn ask_for_proof(
        &mut self,
        header: Header,
        there: &[u8],
        bytes: std::ops::Range<usize>,
        shared: &Shared,
        out: &mut dyn Out,
    ) {
        let start = (bytes.start + HEADER) as u64;
        if self.response.key.is_none() {
            self.open_response(bytes, out);
        }
        self.response.unnumbered = true;
        let Some(key) = self.response.key else { return };
        out.status(key, Status::default());
        // Behind the name of a plugin, or the code, stands what the proof is made with.
        let name = match there.first() {
            Some(0xfe) => there.iter().position(|byte| *byte == 0).unwrap_or(there.len()),
            _ => 0,
        };
        if shared.settings.locate_secrets && name + 2 < header.len {
            out.secret(key, start + name as u64 + 1..start + header.len as u64);
        }
    }

    fn open_response(&mut self, bytes: std::ops::Range<usize>, out: &mut dyn Out) {
        if self.response.key.is_none() {
            self.response.key = Some(out.open(Message {
                kind: Kind::Response,
                dialect: Dialect::Plain,
                pairing: Pairing::InOrder { lane: 0 },
                bytes,
                operation: &[],
                resource: &[],
                status: OK,
                cut: self.response.cut,
            }));
        }
    }

    /// One result is complete; others may follow.
    fn end_result(&mut self, done: &Done<'_>) -> After {
        let response = &mut self.response;
        response.results += 1;
        response.affected_rows = response.affected_rows.saturating_add(done.affected_rows);
        response.stage = Stage::First;
        self.session.set_backslash(done.status.no_backslash_escapes());
        if done.status.more_results() {
            return After::More;
        }
        let namespace = response.answers.as_mut().and_then(|answers| answers.namespace.take());
        if let Some(namespace) = done.schema.or(namespace.as_deref()) {
            self.session.namespace.clear();
            let shown = namespace.get(..NAMESPACE_LIMIT).unwrap_or(namespace);
            self.session.namespace.extend_from_slice(shown);
        }
        After::Complete
    }

    fn fail(
        &mut self,
        failure: &Failure<'_>,
        at: usize,
        shared: &Shared,
        out: &mut dyn Out,
    ) -> After {
        if failure.is_progress() {
            return After::More;
        }
        let Some(key) = self.response.key else { return After::Complete };
        out.status(key, failure.status());
        tell_error(key, failure, at, shared, out);
        After::Complete
    }

    fn complete(&mut self, end: usize, out: &mut dyn Out) {
        if let Some(key) = self.end_response(out) {
            out.close(key, end);
        }
    }

    /// Tells what is known of the response at its end.
    fn end_response(&mut self, out: &mut dyn Out) -> Option<Key> {
        let (sequence, may_trail) = (self.response.sequence, self.response.may_trail);
        let continued = self.response.continued;
        let response = std::mem::take(&mut self.response);
        self.response = Response { sequence, may_trail, continued, ..Response::default() };
        let key = response.key?;
        if response.has_rows {
            add(key, "db.response.returned_rows", response.rows, out);
        }
        let answers = response.answers.as_ref();
        let changes = answers.is_some_and(|answers| answers.changes_rows) && !response.has_rows;
        if response.affected_rows > 0 || (changes && response.results > 0) {
            add(key, "wirespan.db.affected_rows", response.affected_rows, out);
        }
        if response.results > 1 && !answers.is_some_and(|answers| answers.is_call) {
            add(key, "db.operation.batch.size", response.results, out);
        }
        Some(key)
    }

    /// The end of a skip was seen.
    pub(super) fn skipped_response(&mut self, out: &mut dyn Out) {
        if let Some(key) = self.response.closing.take() {
            out.close(key, 0);
        }
    }

    /// Gives up what the server has begun.
    pub(super) fn abandon_response(&mut self, head: &[u8], shared: &mut Shared, out: &mut dyn Out) {
        self.skipped_response(out);
        self.read_cut_response(head, shared, out);
        if let Some(key) = self.response.key {
            out.close(key, 0);
        }
        self.response = Response::default();
        self.session.awaited.clear();
        self.session.file = false;
    }
}

impl Connection {
    /// How many bytes of the present packet are missing behind `head`, if so many that are lost are
    /// of it; the packet counts as read. None if it begins or ends a response.
    pub(super) fn missing_of_response(
        &mut self,
        head: &[u8],
        lost: u64,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Option<u64> {
        let header = Header::read(head).ok()?;
        let there = head.get(HEADER..)?;
        let first = there.get(..1).filter(|first| !matches!(first, [0xfe | 0xff]))?;
        let missing = header.len.checked_sub(there.len())? as u64;
        let response = &self.response;
        let is_within = response.stage != Stage::First && header.sequence == response.sequence;
        if !is_within || missing < lost || response.continued {
            return None;
        }
        let after = self.packet(header, first, 0, head, shared, out).ok()?;
        self.response.sequence = header.sequence.wrapping_add(1);
        self.response.continued = header.goes_on();
        (after == After::More).then_some(missing)
    }

    /// Reads what there is of a response's first packet whose end was lost.
    fn read_cut_response(&mut self, head: &[u8], shared: &mut Shared, out: &mut dyn Out) {
        let begins = self.response.stage == Stage::First && self.response.key.is_none();
        let (Ok(header), Some(there)) = (Header::read(head), head.get(HEADER..)) else { return };
        let is_cut = !there.is_empty() && there.len() < header.len;
        if !begins || !is_cut || self.response.continued || self.session.awaited.is_empty() {
            return;
        }
        let header = Header { len: there.len(), ..header };
        self.response.cut = true;
        if let Ok(After::Complete) = self.first(header, there, 0..head.len(), shared, out) {
            self.complete(0, out);
        }
    }
}

impl Response {
    /// The message that is under way.
    pub(super) fn open_message(&self) -> Option<Key> {
        self.key.or(self.closing)
    }

    /// Where the values of a row stand: without their lengths, as far as these can be told.
    fn tell_values(&self, key: Key, header: Header, there: &[u8], at: usize, out: &mut dyn Out) {
        let mut tell = |from: usize, to: usize| {
            if from < to {
                out.secret(key, (at + from) as u64..(at + to) as u64);
            }
        };
        let binary = match &self.answers {
            Some(answers) => answers.is_binary,
            None => there.first() == Some(&0),
        };
        if binary {
            // Header and bits for NULL (two bits are reserved).
            let nulls = usize::try_from((self.columns + 7 + 2) / 8).unwrap_or_default();
            let start = if self.columns == 0 { 1 } else { 1 + nulls };
            return tell(start, header.len);
        }
        let mut reader = Reader::new(there);
        while !reader.rest().is_empty() {
            if reader.rest().first() == Some(&0xfb) {
                reader.take(1);
                continue;
            }
            let len = lenenc(&mut reader).and_then(|len| usize::try_from(len).ok());
            let from = reader.offset();
            match len.and_then(|len| reader.take(len)) {
                Some(_) => tell(from, reader.offset()),
                None => return tell(from, header.len),
            }
        }
        tell(there.len(), header.len);
    }
}

/// How a response begins that is no error.
enum Begun<'b> {
    /// With its end.
    Done(Done<'b>),
    /// It goes on as its stage says.
    Goes,
    /// With so many parameters and columns, which are described.
    Definitions(u16, u16),
    Text,
    Stream,
}

/// The message of an error, whose packet's payload stands `at` this place.
fn tell_error(key: Key, failure: &Failure<'_>, at: usize, shared: &Shared, out: &mut dyn Out) {
    if failure.message.is_empty() {
        return;
    }
    let shown: SmallVec<[u8; 128]> =
        if shared.settings.secrets.are_shown() { failure.message.into() } else { failure.masked() };
    let value = Value::Text(shown.get(..ERROR_LIMIT).unwrap_or(&shown));
    out.add(key, Attribute { name: "wirespan.db.error", value });
    if shared.settings.locate_secrets {
        for quoted in failure.quoted().iter().filter(|quoted| !quoted.is_empty()) {
            let base = at + failure.at;
            out.secret(key, (base + quoted.start) as u64..(base + quoted.end) as u64);
        }
    }
}

fn add(key: Key, name: &str, number: u64, out: &mut dyn Out) {
    let value = Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    out.add(key, Attribute { name, value });
}

fn used(bytes: usize) -> Step {
    Step::Used(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN))
}

const OK: Status<'_> = Status { outcome: Outcome::Ok, code: 0, text: &[] };

/// Packets that begin or end a response are awaited up to here.
const END_LIMIT: usize = 4096;

/// Rows, where their values are located.
const ROW_LIMIT: usize = 64 << 10;

/// The most columns of a table that a server allows.
const COLUMNS_LIMIT: u64 = 4096;

const ERROR_LIMIT: usize = 512;

const NAMESPACE_LIMIT: usize = 256;
