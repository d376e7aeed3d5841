//! What a client sends: a login, commands, files.

use super::attributes::{self, Attributes};
use super::command::{self, Answer, Command};
use super::connection::{Connection, Shared};
use super::login::{LOGIN_LIMIT, Login, asks_for_tls};
use super::packet::{HEADER, Header, Stop, number, payload};
use super::prepared::UNKNOWN_COUNT;
use super::session::{Awaited, Phase};
use crate::message::{Attribute, Dialect, Kind, Message, Pairing, Status, Value};
use crate::protocol::{Handoff, Key, Out, Step};
use crate::sql::{Lexer, Statement};
use crate::trace_context::Collector;
use smallvec::SmallVec;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

/// What the client has begun.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// A command that is longer than its head.
    long: Option<Box<Long>>,
    /// What the end of a skip closes.
    closing: Option<Key>,
    /// The end of the command at hand was lost.
    cut: bool,
}

impl Request {
    /// The command that is under way.
    pub(super) fn open_message(&self) -> Option<Key> {
        self.long.as_ref().map(|long| long.key).or(self.closing)
    }

    fn close(&self, key: Key, end: usize, out: &mut dyn Out) {
        // Of what is cut, the end is the last byte that was seen.
        out.close(key, if self.cut { 0 } else { end });
    }
}

/// A command that is longer than its head.
#[derive(Debug)]
struct Long {
    key: Key,
    /// Reads what is SQL; what is not is skipped.
    lexer: Option<Lexer>,
    prepares: bool,
    /// Bytes of the present packet that are still to come.
    left: usize,
    /// Another packet follows it.
    goes_on: bool,
}

/// A command as it is shown.
struct Shown<'b> {
    operation: &'b [u8],
    resource: &'b [u8],
    kind: Kind,
    pairing: Pairing<'static>,
}

impl<'b> Shown<'b> {
    fn request(operation: &'b [u8], resource: &'b [u8]) -> Self {
        let pairing = Pairing::InOrder { lane: 0 };
        Self { operation, resource, kind: Kind::Request, pairing }
    }

    fn handshake(operation: &'b [u8], resource: &'b [u8]) -> Self {
        Self { kind: Kind::Handshake, ..Self::request(operation, resource) }
    }

    fn one_way(operation: &'b [u8], resource: &'b [u8]) -> Self {
        Self { operation, resource, kind: Kind::OneWay, pairing: Pairing::OneWay }
    }

    fn end(operation: &'b [u8], resource: &'b [u8]) -> Self {
        Self { kind: Kind::End, ..Self::one_way(operation, resource) }
    }

    fn open(self, end: usize, request: &Request, out: &mut dyn Out) -> Key {
        out.open(Message {
            kind: self.kind,
            dialect: Dialect::Plain,
            pairing: self.pairing,
            bytes: 0..end,
            operation: self.operation,
            resource: self.resource,
            status: Status::default(),
            cut: request.cut,
        })
    }
}

impl Connection {
    pub(super) fn read_request(
        &mut self,
        input: &[u8],
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if self.request.long.is_some() {
            return self.read_on(input, shared, out);
        }
        let header = Header::read(input)?;
        if self.session.file {
            self.session.file = header.len > 0;
            return pass(input, header);
        }
        if self.session.phase == Phase::Stream {
            return pass(input, header);
        }
        if header.sequence != 0 {
            return self.read_answer(input, header, shared, out);
        }
        let code = *payload(input, header, 1)?.first().ok_or(Stop::Bad("command"))?;
        let command = Command::of(code).filter(|command| command.fits(header.len));
        let command = command.ok_or(Stop::Bad("command"))?;
        let head = payload(input, header, HEAD)?;
        self.session.phase = Phase::Commands;
        self.end_login(out);
        if self.session.awaited.len() > AWAITED_LIMIT {
            self.session.awaited.clear();
            out.lost("mysql outstanding commands over the limit");
        }
        match code {
            command::QUERY => self.query(head, header, shared, out),
            command::STMT_PREPARE => self.prepare(head, header, shared, out),
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => {
                self.execute(command, head, header, shared, out)
            }
            command::CHANGE_USER => self.change_user(head, header, shared, out),
            _ => self.plain(command, head, header, shared, out),
        }
    }

    /// What is no command: a login, or what else the server asked for to let the client in.
    fn read_answer(
        &mut self,
        input: &[u8],
        header: Header,
        shared: &Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if let Some(key) = self.session.login {
            return prove(key, input, header, shared, out);
        }
        if !matches!(self.session.phase, Phase::Start | Phase::Greeted) || header.sequence > 3 {
            return Err(Stop::Bad("sequence id"));
        }
        if header.len > LOGIN_LIMIT {
            return Err(Stop::Bad("login"));
        }
        let payload = payload(input, header, LOGIN_LIMIT)?;
        let end = HEADER + header.len;
        if asks_for_tls(payload) {
            return Ok(Step::Become { used: end, next: Handoff::Detect });
        }
        let login = Login::read(payload).ok_or(Stop::Bad("login"))?;
        self.session.log_in(&login);
        let key = self.tell_login(b"LOGIN", &login, end, out);
        if shared.settings.locate_secrets {
            tell_secret(key, HEADER, &login.secret, out);
        }
        Ok(used(end))
    }

    /// Opens a login, which goes on until it is answered.
    fn tell_login(
        &mut self,
        operation: &[u8],
        login: &Login<'_>,
        end: usize,
        out: &mut dyn Out,
    ) -> Key {
        let key = Shown::handshake(operation, login.database).open(end, &self.request, out);
        self.session.login = Some(key);
        self.tell_system(key, out);
        if !login.database.is_empty() {
            add(key, "db.namespace", login.database, out);
        }
        if !login.user.is_empty() {
            add(key, "user.name", login.user, out);
        }
        if !login.program.is_empty() {
            add(key, "wirespan.db.client", login.program, out);
        }
        if !self.session.version.is_empty() {
            add(key, "wirespan.db.server.version", &self.session.version, out);
        }
        if let Some(connection) = self.session.connection.filter(|_| out.wants_details()) {
            let value = Value::Int(i64::from(connection));
            out.add(key, Attribute { name: "wirespan.db.connection", value });
        }
        let namespace = Some(login.database.into());
        self.session.awaited.push_back(Awaited { namespace, ..Awaited::new(Answer::Login) });
        key
    }

    fn query(
        &mut self,
        head: &[u8],
        header: Header,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let (start, attributes) =
            attributes::of_query(head, self.session.certain()).ok_or(Stop::Bad("attributes"))?;
        let text = head.get(start..).unwrap_or_default();
        let long = is_long(head, header);
        let backslash = self.session.backslash;
        let mut literals = Literals::new(HEADER + start);
        let statement = shared.statements.read(text, backslash, &mut |range| literals.add(range));
        let operation = match statement.operation() {
            b"" => b"QUERY",
            operation => operation,
        };
        let key = Shown::request(operation, statement.target()).open(
            HEADER + head.len(),
            &self.request,
            out,
        );
        self.tell_namespace(key, out);
        tell_attributes(key, &attributes, out);
        if !long {
            statement.tell(key, out);
        }
        if shared.settings.locate_secrets {
            tell_secret(key, HEADER, &attributes.values, out);
            literals.tell(key, out);
        }
        self.session.awaited.push_back(Awaited::results(statement));
        self.session.notice_charset(text);
        let own = long.then(|| shared.statements.begun(text, backslash));
        self.finish(key, head, header, own, out)
    }

    fn prepare(
        &mut self,
        head: &[u8],
        header: Header,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let text = head.get(1..).unwrap_or_default();
        let long = is_long(head, header);
        let backslash = self.session.backslash;
        let statement = shared.statements.shared(text, backslash);
        let resource = described(&statement);
        let key =
            Shown::request(b"PREPARE", &resource).open(HEADER + head.len(), &self.request, out);
        self.tell_namespace(key, out);
        if !long {
            statement.tell(key, out);
        }
        if shared.settings.locate_secrets {
            let mut literals = Literals::new(HEADER + 1);
            shared.statements.read(text, backslash, &mut |range| literals.add(range));
            literals.tell(key, out);
        }
        self.session.prepared.announce(&statement);
        let statement = Some(statement);
        self.session.awaited.push_back(Awaited { statement, ..Awaited::new(Answer::Prepared) });
        let own = long.then(|| shared.statements.begun(text, backslash));
        self.finish(key, head, header, own, out)
    }

    fn execute(
        &mut self,
        command: &Command,
        head: &[u8],
        header: Header,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let word = command.word.as_bytes();
        let prepared = self.session.prepared.find(id(head));
        let end = HEADER + head.len();
        let key = match prepared.map(|prepared| &*prepared.statement) {
            Some(statement) if !statement.operation().is_empty() => {
                let shown = Shown::request(statement.operation(), statement.target());
                let key = shown.open(end, &self.request, out);
                self.tell_namespace(key, out);
                add(key, "wirespan.db.command", word, out);
                statement.tell(key, out);
                let awaited = Awaited::results(statement);
                self.session.awaited.push_back(Awaited { is_binary: true, ..awaited });
                key
            }
            _ => {
                let key = Shown::request(word, &[]).open(end, &self.request, out);
                self.tell_namespace(key, out);
                let awaited = Awaited::new(Answer::Results);
                self.session.awaited.push_back(Awaited { is_binary: true, ..awaited });
                key
            }
        };
        let values = self.tell_execution(key, command, head, header, out);
        if shared.settings.locate_secrets {
            tell_secret(key, HEADER, &values, out);
        }
        self.finish(key, head, header, None, out)
    }

    /// Tells what an execution brings beside values; says where these stand.
    fn tell_execution(
        &self,
        key: Key,
        command: &Command,
        head: &[u8],
        header: Header,
        out: &mut dyn Out,
    ) -> Range<usize> {
        let prepared = self.session.prepared.find(id(head));
        let parameters = prepared.map_or(UNKNOWN_COUNT, |found| found.parameters);
        if command.code == command::STMT_BULK_EXECUTE {
            let sets = attributes::of_bulk(head, parameters).filter(|_| !is_long(head, header));
            if let Some(value) = sets.map(Value::Int) {
                out.add(key, Attribute { name: "db.operation.batch.size", value });
            }
            return 7..head.len();
        }
        match attributes::of_execution(head, parameters, self.session.agreed) {
            Some(read) => {
                tell_attributes(key, &read, out);
                read.values
            }
            None => 10.min(head.len())..head.len(),
        }
    }

    fn change_user(
        &mut self,
        head: &[u8],
        header: Header,
        shared: &Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        if is_long(head, header) {
            return Err(Stop::Bad("login"));
        }
        let rest = head.get(1..).unwrap_or_default();
        let login = Login::read_change(rest, self.session.agreed).ok_or(Stop::Bad("login"))?;
        self.session.prepared.clear();
        self.session.set_collation(login.collation);
        let end = HEADER + header.len;
        let key = self.tell_login(b"CHANGE USER", &login, end, out);
        if shared.settings.locate_secrets {
            tell_secret(key, HEADER + 1, &login.secret, out);
        }
        Ok(used(end))
    }

    /// A command that is neither SQL nor an execution of it.
    fn plain(
        &mut self,
        command: &Command,
        head: &[u8],
        header: Header,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let rest = head.get(1..).unwrap_or_default();
        let prepared = self.session.prepared.find(id(head));
        let resource: SmallVec<[u8; 64]> = match command.code {
            command::INIT_DB | command::CREATE_DB | command::DROP_DB => rest.into(),
            command::FIELD_LIST => rest.split(|byte| *byte == 0).next().unwrap_or_default().into(),
            command::PROCESS_KILL => number(rest).to_string().as_bytes().into(),
            command::STMT_SEND_LONG_DATA
            | command::STMT_CLOSE
            | command::STMT_RESET
            | command::STMT_FETCH => {
                prepared.map(|found| described(&found.statement)).unwrap_or_default()
            }
            _ => SmallVec::new(),
        };
        let word = command.word.as_bytes();
        let shown = match command.answer {
            _ if matches!(command.code, command::QUIT | command::STMT_CLOSE) => {
                Shown::end(word, &resource)
            }
            Answer::None => Shown::one_way(word, &resource),
            _ => Shown::request(word, &resource),
        };
        let key = shown.open(HEADER + head.len(), &self.request, out);
        self.tell_namespace(key, out);
        match command.code {
            command::STMT_CLOSE => drop(self.session.prepared.remove(id(head))),
            command::RESET_CONNECTION => self.session.prepared.clear(),
            command::STMT_SEND_LONG_DATA if shared.settings.locate_secrets => {
                tell_secret(key, HEADER, &(7..header.len), out);
            }
            _ => {}
        }
        if command.answer != Answer::None {
            let mut awaited = Awaited::new(command.answer);
            if command.code == command::INIT_DB {
                awaited.namespace = Some(rest.into());
            }
            self.session.awaited.push_back(awaited);
        }
        self.finish(key, head, header, None, out)
    }

    /// The login is answered, or something else is asked for.
    pub(super) fn end_login(&mut self, out: &mut dyn Out) {
        if let Some(key) = self.session.login.take() {
            out.close(key, 0);
        }
    }

    /// Tells what the protocol's name does not: that it is no MySQL.
    fn tell_system(&self, key: Key, out: &mut dyn Out) {
        if self.session.is_mariadb {
            add(key, "db.system.name", b"mariadb", out);
        }
    }

    fn tell_namespace(&self, key: Key, out: &mut dyn Out) {
        self.tell_system(key, out);
        if !self.session.namespace.is_empty() {
            add(key, "db.namespace", &self.session.namespace, out);
        }
    }

    /// Closes a command whose head is all of it, and goes on with one that is longer.
    fn finish(
        &mut self,
        key: Key,
        head: &[u8],
        header: Header,
        lexer: Option<Lexer>,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let end = HEADER + head.len();
        if !is_long(head, header) {
            self.request.close(key, end, out);
            return Ok(used(end));
        }
        out.extend(key, end);
        self.request.long = Some(Box::new(Long {
            key,
            lexer,
            prepares: head.first() == Some(&command::STMT_PREPARE),
            left: header.len.saturating_sub(head.len()),
            goes_on: header.goes_on(),
        }));
        Ok(used(end))
    }

    /// Goes on with a command that is longer than its head.
    fn read_on(&mut self, input: &[u8], shared: &Shared, out: &mut dyn Out) -> Result<Step, Stop> {
        let Some(long) = &mut self.request.long else { return Err(Stop::Bad("command")) };
        let (key, mut at) = (long.key, 0);
        if long.left == 0 {
            let header = Header::read(input)?;
            (long.left, long.goes_on, at) = (header.len, header.goes_on(), HEADER);
        }
        let rest = input.get(at..).unwrap_or_default();
        let there = rest.get(..long.left).unwrap_or(rest);
        match &mut long.lexer {
            Some(lexer) => {
                let mut literals = Literals::new(at);
                lexer.read(there, &mut |range| literals.add(range));
                if shared.settings.locate_secrets {
                    literals.tell(key, out);
                }
            }
            None => {
                if shared.settings.locate_secrets {
                    tell_secret(key, at, &(0..long.left), out);
                }
                if let Some(skip) = NonZeroU64::new((long.left - there.len()) as u64) {
                    if !long.goes_on {
                        self.request.closing = Some(key);
                        self.request.long = None;
                    } else {
                        long.left = 0;
                    }
                    return Ok(Step::Skip { used: at + there.len(), skip });
                }
            }
        }
        long.left -= there.len();
        let end = at + there.len();
        if long.left > 0 || long.goes_on {
            out.extend(key, end);
        } else {
            self.end_long(end, out);
        }
        Ok(used(end))
    }

    /// Tells what is known of a long command at its end, and closes it.
    fn end_long(&mut self, end: usize, out: &mut dyn Out) {
        let Some(long) = self.request.long.take() else { return };
        if let Some(mut lexer) = long.lexer {
            lexer.end();
            lexer.statement().tell(long.key, out);
            if long.prepares {
                let statement = Arc::new(lexer.statement().clone());
                self.session.prepared.announce(&statement);
                if let Some(awaited) = self.session.awaited.back_mut() {
                    awaited.statement = Some(statement);
                }
            }
        }
        out.close(long.key, end);
    }

    /// The end of a skip was seen.
    pub(super) fn skipped_request(&mut self, out: &mut dyn Out) {
        if let Some(key) = self.request.closing.take() {
            out.close(key, 0);
        }
    }

    /// Gives up what the client has begun.
    pub(super) fn abandon_request(&mut self, head: &[u8], shared: &mut Shared, out: &mut dyn Out) {
        if self.request.long.is_none() && !self.session.file {
            self.read_cut_request(head, shared, out);
        }
        self.end_long(0, out);
        self.skipped_request(out);
        self.session.file = false;
    }

    /// How many bytes of the present packet are missing behind `head`, if so many that are lost are
    /// of it; the head is read as far as it goes.
    pub(super) fn missing_of_request(
        &mut self,
        head: &[u8],
        lost: u64,
        shared: &mut Shared,
        out: &mut dyn Out,
    ) -> Option<u64> {
        if let Some(long) = &mut self.request.long {
            let missing = long.left.checked_sub(head.len())? as u64;
            if long.goes_on || missing < lost {
                return None;
            }
            // Behind a gap it is not known what is within quotes.
            self.end_long(0, out);
            return Some(missing);
        }
        let header = Header::read(head).ok()?;
        let there = head.get(HEADER..)?;
        let command = there.first().and_then(|code| Command::of(*code))?;
        let begins = header.sequence == 0 && !self.session.file && command.fits(header.len);
        if !begins || header.goes_on() || self.session.phase == Phase::Stream {
            return None;
        }
        let missing = header.len.checked_sub(there.len())? as u64;
        if missing < lost {
            return None;
        }
        self.read_cut_request(head, shared, out);
        Some(missing)
    }

    /// Reads what there is of a command whose end was lost, as if it were all.
    fn read_cut_request(&mut self, head: &[u8], shared: &mut Shared, out: &mut dyn Out) {
        let Ok(header) = Header::read(head) else { return };
        let there = head.len() - HEADER;
        if header.sequence != 0 || there == 0 || there >= header.len {
            return;
        }
        let mut whole: SmallVec<[u8; 1024]> = head.into();
        let len = u32::try_from(there).unwrap_or(u32::MAX).to_le_bytes();
        whole.iter_mut().zip(len).take(3).for_each(|(byte, part)| *byte = part);
        self.request.cut = true;
        // What cannot be read of it is lost with its end.
        let _ = self.read_request(&whole, shared, out);
        self.request.cut = false;
    }
}

/// Where literals stand, for those who overwrite them.
struct Literals {
    base: usize,
    ranges: SmallVec<[Range<usize>; 8]>,
}

impl Literals {
    fn new(base: usize) -> Self {
        Self { base, ranges: SmallVec::new() }
    }

    fn add(&mut self, range: Range<usize>) {
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
    }

    fn tell(&self, key: Key, out: &mut dyn Out) {
        for range in &self.ranges {
            tell_secret(key, self.base, range, out);
        }
    }
}

/// Identifiers among the attributes of a query.
fn tell_attributes(key: Key, attributes: &Attributes<'_>, out: &mut dyn Out) {
    if attributes.texts.is_empty() {
        return;
    }
    let mut collector = Collector::default();
    for (name, value) in &attributes.texts {
        collector.header(name, value);
    }
    collector.finish(&mut |context| out.context(key, context));
}

/// Takes one more proof of who the client is to its login.
fn prove(
    key: Key,
    input: &[u8],
    header: Header,
    shared: &Shared,
    out: &mut dyn Out,
) -> Result<Step, Stop> {
    let there = payload(input, header, LOGIN_LIMIT)?;
    // One byte asks for the server's key.
    if shared.settings.locate_secrets && there.len() > 1 {
        tell_secret(key, HEADER, &(0..header.len), out);
    }
    out.extend(key, HEADER + there.len());
    pass(input, header)
}

fn tell_secret(key: Key, base: usize, range: &Range<usize>, out: &mut dyn Out) {
    if range.start < range.end {
        out.secret(key, (base + range.start) as u64..(base + range.end) as u64);
    }
}

/// What a statement does and to what, such as `SELECT orders`.
fn described(statement: &Statement) -> SmallVec<[u8; 64]> {
    let mut described = SmallVec::from_slice(statement.operation());
    if !statement.target().is_empty() {
        described.push(b' ');
        described.extend_from_slice(statement.target());
    }
    described
}

/// The id of a prepared statement, which stands behind the code.
fn id(head: &[u8]) -> u32 {
    let id = head.get(1..5).map(number).unwrap_or_default();
    u32::try_from(id).unwrap_or_default()
}

fn is_long(head: &[u8], header: Header) -> bool {
    head.len() < header.len || header.goes_on()
}

/// Passes over a packet.
fn pass(input: &[u8], header: Header) -> Result<Step, Stop> {
    let end = HEADER + header.len;
    match NonZeroU64::new(end.saturating_sub(input.len()) as u64) {
        Some(skip) => Ok(Step::Skip { used: input.len(), skip }),
        None => Ok(used(end)),
    }
}

fn add(key: Key, name: &str, text: &[u8], out: &mut dyn Out) {
    out.add(key, Attribute { name, value: Value::Text(text) });
}

fn used(bytes: usize) -> Step {
    Step::Used(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN))
}

/// Commands up to here are awaited whole; what is longer is read in pieces.
const HEAD: usize = 16 << 10;

/// Commands of a connection that are not answered.
const AWAITED_LIMIT: usize = 1024;
