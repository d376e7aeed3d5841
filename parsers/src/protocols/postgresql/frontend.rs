//! What the client sends: requests out.
//!
//! What belongs to one statement is one request: Parse, Bind, Describe, Execute and the Sync or
//! Flush behind them. A Parse that no Bind follows is a request of its own.

use super::awaited::Step as Asked;
use super::connection::{Begins, Connection, Stage, Under, text};
use super::framing::{HEAD, Head, Stop, View, short, string};
use super::startup::Startup;
use super::statements::{Source, described};
use super::values::Values;
use crate::message::{Dialect, Kind, Message, Pairing, Status};
use crate::protocol::{Key, Out, Step};
use smallvec::SmallVec;
use std::num::{NonZeroU64, NonZeroUsize};

impl Connection {
    /// Reads one message of the client, or a part of one.
    pub(super) fn read_frontend(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        match &mut self.asking.under {
            Under::Nothing => {}
            Under::Text { .. } => return self.read_text(input, out),
            Under::Values(values) => {
                let step = values.read(input, out)?;
                let (key, left) = (values.key, values.left);
                if let (Step::Used(used), 0) = (step, left) {
                    self.asking.under = Under::Nothing;
                    if let Some(key) = key {
                        out.extend(key, used.get());
                    }
                }
                return Ok(step);
            }
            Under::Rest(_) => self.asking.under = Under::Nothing,
        }
        let [kind, ..] = input else { return Err(short(1)) };
        match kind {
            0 => return self.read_startup(input, out),
            b'Q' | b'P' | b'B' | b'E' | b'D' | b'C' | b'S' | b'H' | b'X' | b'd' | b'c' | b'f'
            | b'F' | b'p' => {}
            _ => return Err(Stop::Bad("message type")),
        }
        let head = Head::read(input)?;
        match head.kind {
            b'Q' => self.read_query(head.view(input)?, out),
            b'P' => self.read_parse(input, head.view(input)?, out),
            b'B' => self.read_bind(head.view(input)?, out),
            b'E' => self.read_execute(head.view(input)?, out),
            b'D' | b'C' => self.read_describe(input, head, out),
            b'S' => self.read_sync(head, out),
            b'd' => Ok(self.read_copy_data(input, out)),
            b'F' => self.read_function(head.view(input)?, out),
            b'p' => self.read_password(head.view(input)?, out),
            b'X' => {
                head.is_empty()?;
                self.asking.close(0, out);
                let key = unanswered(Kind::End, b"TERMINATE", HEAD, out);
                out.close(key, HEAD);
                used(HEAD)
            }
            // Flush, CopyDone, CopyFail.
            _ => {
                let view = head.view(input)?;
                // A Sync, or what comes next, ends the requests of the extended protocol.
                let is_query = self.asking.sends_query();
                if head.kind == b'H' || !is_query {
                    return self.goes_on(view, out);
                }
                self.extend(view, out);
                self.asking.close(view.end, out);
                self.rest(view)
            }
        }
    }

    fn read_startup(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        let (startup, size) = Startup::read(input)?;
        match startup {
            Startup::Session { user, database, application } => {
                self.asking.namespace = SmallVec::from_slice(shown(database));
                let key = self.begin_login(b"LOGIN", Stage::Login, size, out);
                for (name, value) in [("user.name", user), ("wirespan.db.application", application)]
                {
                    if !value.is_empty() {
                        text(key, name, shown(value), out);
                    }
                }
            }
            Startup::Tls => drop(self.begin_login(b"SSL REQUEST", Stage::Prepares, size, out)),
            Startup::Gss => drop(self.begin_login(b"GSSENC REQUEST", Stage::Prepares, size, out)),
            Startup::Cancel => {
                let key = unanswered(Kind::OneWay, b"CANCEL", size, out);
                if self.settings.locate_secrets {
                    out.secret(key, 12..size as u64);
                }
                out.close(key, size);
            }
        }
        used(size)
    }

    /// A login begins, or a question for encryption, which is complete.
    fn begin_login(
        &mut self,
        operation: &[u8],
        stage: Stage,
        end: usize,
        out: &mut dyn Out,
    ) -> Key {
        self.awaited.begin_turn();
        let resource = self.asking.namespace.clone();
        let begins = Begins::new(operation, stage, end);
        let begins = Begins { kind: Kind::Handshake, resource: &resource, ..begins };
        let key = self.asking.begin(begins, out);
        let is_login = stage == Stage::Login;
        let step = if is_login { Asked::Login } else { Asked::Encryption };
        self.await_answer(step, self.asking.exchanges, out);
        if !is_login {
            self.asking.close(end, out);
        }
        self.asking.turn_has_exchange = false;
        key
    }

    /// A password, or a message of SASL or GSSAPI, which belongs to the login.
    fn read_password(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let key = match self.asking.request {
            Some(request) if request.stage == Stage::Login => request.key,
            // The start of the session was not seen.
            _ => self.begin_login(b"LOGIN", Stage::Login, view.end, out),
        };
        if self.settings.locate_secrets && view.end > HEAD {
            out.secret(key, HEAD as u64..view.end as u64 + view.left);
        }
        self.goes_on(view, out)
    }

    fn read_query(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        self.statements.begin_query();
        self.awaited.begin_turn();
        self.read_piece(view.body, view.left == 0);
        if view.left == 0 {
            let begins = Begins::of(self.statements.current(), Stage::Query, view.end);
            let key = self.asking.begin(begins, out);
            self.asking.tell_literals(key, HEAD, out);
            self.end_query(view.end, out);
        } else {
            let begun = self.statements.so_far();
            let key = self.asking.begin(Begins::of(&begun, Stage::Query, view.end), out);
            self.asking.tell_literals(key, HEAD, out);
            self.asking.under = Under::Text { left: view.left, name: None };
        }
        self.await_answer(Asked::Query, self.asking.exchanges, out);
        self.asking.in_turn = false;
        self.asking.turn_has_exchange = false;
        used(view.end)
    }

    /// A simple query is complete, but for the data of a copy.
    fn end_query(&mut self, end: usize, out: &mut dyn Out) {
        self.asking.tell(self.statements.current(), out);
        match self.asking.request {
            Some(request) if request.takes_data => out.extend(request.key, end),
            _ => self.asking.close(end, out),
        }
    }

    /// Reads a piece of a statement up to its zero byte; gives where that stands.
    fn read_piece(&mut self, piece: &[u8], is_last: bool) -> Option<usize> {
        let end = memchr::memchr(0, piece);
        let text = end.and_then(|end| piece.get(..end)).unwrap_or(piece);
        let (literals, locates) = (&mut self.asking.literals, self.settings.locate_secrets);
        self.statements.read(text, &mut |literal| {
            if locates {
                literals.push(literal);
            }
        });
        if is_last || end.is_some() {
            self.statements.end();
        }
        end
    }

    /// Reads on in a long statement.
    fn read_text(&mut self, input: &[u8], out: &mut dyn Out) -> Result<Step, Stop> {
        let Under::Text { left, name } = std::mem::take(&mut self.asking.under) else {
            return Err(Stop::Bad("statement"));
        };
        let piece = usize::try_from(left).ok().and_then(|left| input.get(..left));
        let piece = piece.unwrap_or(input);
        let left = left - piece.len() as u64;
        let end = self.read_piece(piece, left == 0);
        if let Some(request) = self.asking.request {
            self.asking.tell_literals(request.key, 0, out);
            out.extend(request.key, piece.len());
        }
        if end.is_none() && left > 0 {
            self.asking.under = Under::Text { left, name };
            return used(piece.len());
        }
        match name {
            None => self.end_query(piece.len(), out),
            Some(name) => {
                self.asking.tell(self.statements.current(), out);
                self.statements.keep(&name, out);
            }
        }
        self.rest(View { body: b"", end: piece.len(), left })
    }

    fn read_parse(
        &mut self,
        input: &[u8],
        view: View<'_>,
        out: &mut dyn Out,
    ) -> Result<Step, Stop> {
        let Some((name, query)) = string(view.body) else {
            return Err(Stop::Bad("statement name"));
        };
        // A long one is hardly prepared for later.
        let runs = view.left > 0 || is_bound(input.get(view.end..).unwrap_or_default())?;
        self.begin_turn();
        self.statements.begin_parse(name);
        let complete = self.read_piece(query, view.left == 0).is_some() || view.left == 0;
        let key = if complete {
            self.begin_parsed(runs, view.end, out)
        } else {
            let begun = self.statements.so_far();
            self.asking.begin(Begins::of(&begun, Stage::Parsed, view.end), out)
        };
        self.asking.tell_literals(key, HEAD + name.len() + 1, out);
        self.await_answer(Asked::Parse, self.asking.exchanges, out);
        if complete {
            self.asking.tell(self.statements.current(), out);
            self.statements.keep(name, out);
            return self.rest(view);
        }
        self.asking.under = Under::Text { left: view.left, name: Some(name.into()) };
        used(view.end)
    }

    fn begin_parsed(&mut self, runs: bool, end: usize, out: &mut dyn Out) -> Key {
        let statement = self.statements.current();
        if runs {
            return self.asking.begin(Begins::of(statement, Stage::Parsed, end), out);
        }
        let about = described(statement);
        let begins = Begins::new(b"PREPARE", Stage::Prepares, end);
        self.asking.begin(Begins { resource: &about, ..begins }, out)
    }

    fn read_bind(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let names = string(view.body)
            .and_then(|(portal, rest)| string(rest).map(|(name, rest)| (portal, name, rest)));
        let Some((portal, name, parameters)) = names else {
            return Err(Stop::Bad("portal name"));
        };
        self.begin_turn();
        let source = self.statements.bind(portal, name, out);
        match self.asking.request {
            Some(request) if request.stage == Stage::Parsed => {
                self.asking.request.iter_mut().for_each(|request| request.stage = Stage::Bound);
                if view.left == 0 {
                    out.extend(request.key, view.end);
                }
            }
            _ => self.begin_executed(&source, name, Stage::Bound, view.end, out),
        }
        self.await_answer(Asked::Bind, self.asking.exchange(), out);
        if !self.settings.locate_secrets {
            return self.goes_on(view, out);
        }
        let key = self.asking.request.map(|request| request.key);
        let left = parameters.len() as u64 + view.left;
        if left == 0 {
            return used(view.end);
        }
        self.asking.under = Under::Values(Values::of_parameters(key, left));
        used(view.end - parameters.len())
    }

    fn read_execute(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let Some((portal, _)) = string(view.body) else { return Err(Stop::Bad("portal name")) };
        self.begin_turn();
        match &mut self.asking.request {
            Some(request) if request.stage == Stage::Bound => request.stage = Stage::Executed,
            _ => {
                let source = self.statements.portal(portal);
                self.begin_executed(&source, portal, Stage::Executed, view.end, out);
            }
        }
        self.await_answer(Asked::Execute, self.asking.exchange(), out);
        self.goes_on(view, out)
    }

    /// A request begins that carries out what was prepared before.
    fn begin_executed(
        &mut self,
        source: &Source,
        name: &[u8],
        stage: Stage,
        end: usize,
        out: &mut dyn Out,
    ) {
        let Some(statement) = self.statements.found(source) else {
            let begins = Begins::new(b"EXECUTE", stage, end);
            self.asking.begin(Begins { resource: shown(name), ..begins }, out);
            return;
        };
        let key = self.asking.begin(Begins::of(statement, stage, end), out);
        text(key, "wirespan.db.command", b"EXECUTE", out);
        self.asking.tell(statement, out);
    }

    /// Describe and Close.
    fn read_describe(&mut self, input: &[u8], head: Head, out: &mut dyn Out) -> Result<Step, Stop> {
        let view = head.view(input)?;
        let Some((kind @ (b'S' | b'P'), name)) = view.body.split_first() else {
            return Err(Stop::Bad("kind of what is described"));
        };
        let Some((name, _)) = string(name) else { return Err(Stop::Bad("name")) };
        let (operation, step): (&[u8], _) = match head.kind {
            b'D' => (b"DESCRIBE", Asked::Describe),
            _ => (b"CLOSE", Asked::Close),
        };
        if self.unanswered(self.asking.exchange()) == 0 {
            self.asking.close(0, out);
        }
        // What is closed before something else is asked for is no request of its own.
        let alone = step == Asked::Describe
            || match input.get(view.end) {
                Some(next) => matches!(next, b'S' | b'H'),
                None if self.asking.request.is_none() => return Err(short(1)),
                None => false,
            };
        self.begin_turn();
        if alone && self.asking.request.is_none() {
            let source = match kind {
                b'S' => self.statements.named(name),
                _ => self.statements.portal(name),
            };
            let about = self.statements.found(&source).map(described);
            let resource = about.as_deref().unwrap_or_else(|| shown(name));
            let begins = Begins::new(operation, Stage::Prepares, view.end);
            self.asking.begin(Begins { resource, ..begins }, out);
        }
        if step == Asked::Close {
            self.statements.close(*kind, name);
        }
        self.await_answer(step, self.asking.exchange(), out);
        self.goes_on(view, out)
    }

    fn read_sync(&mut self, head: Head, out: &mut dyn Out) -> Result<Step, Stop> {
        head.is_empty()?;
        self.begin_turn();
        if self.asking.request.is_none() && !self.asking.turn_has_exchange {
            self.asking.begin(Begins::new(b"SYNC", Stage::Prepares, HEAD), out);
        }
        let exchange = self.unanswered(self.asking.exchange());
        self.await_answer(Asked::Sync, exchange, out);
        match &mut self.asking.request {
            // The server takes no notice of it while it waits for the data, which come next.
            Some(request) if request.takes_data && request.stage == Stage::Executed => {
                request.takes_data = false;
                out.extend(request.key, HEAD);
            }
            _ => self.asking.close(HEAD, out),
        }
        self.asking.in_turn = false;
        self.asking.turn_has_exchange = false;
        used(HEAD)
    }

    fn read_function(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        let Some(&[a, b, c, d]) = view.body.first_chunk::<4>() else {
            return Err(Stop::Bad("function"));
        };
        self.awaited.begin_turn();
        let object = u32::from_be_bytes([a, b, c, d]).to_string();
        let begins = Begins::new(b"FUNCTION CALL", Stage::Query, view.end);
        let begins = Begins { resource: object.as_bytes(), ..begins };
        let key = self.asking.begin(begins, out);
        if self.settings.locate_secrets && view.body.len() > 4 {
            out.secret(key, HEAD as u64 + 4..view.end as u64 + view.left);
        }
        self.await_answer(Asked::Function, self.asking.exchanges, out);
        self.asking.turn_has_exchange = false;
        if view.left > 0 {
            return self.rest(view);
        }
        self.asking.close(view.end, out);
        used(view.end)
    }

    /// Data of a copy: as many messages as there are, and the rest of the last one.
    fn read_copy_data(&mut self, input: &[u8], out: &mut dyn Out) -> Step {
        let key = self.asking.request.map(|request| request.key);
        let told = key.filter(|_| self.settings.locate_secrets);
        let step = skip_run(input, b'd', |body, size| {
            if let Some(key) = told
                && size > 0
            {
                out.secret(key, body as u64..(body + size) as u64);
            }
        });
        match (step, key) {
            (Step::Used(used), Some(key)) => out.extend(key, used.get()),
            (Step::Skip { .. }, _) => self.asking.under = Under::Rest(key),
            _ => {}
        }
        step
    }

    /// A message of the extended protocol has come.
    fn begin_turn(&mut self) {
        if !self.asking.in_turn {
            self.asking.in_turn = true;
            self.awaited.begin_turn();
        }
    }

    /// The message belongs to the request that goes on.
    fn goes_on(&mut self, view: View<'_>, out: &mut dyn Out) -> Result<Step, Stop> {
        self.extend(view, out);
        self.rest(view)
    }

    fn extend(&self, view: View<'_>, out: &mut dyn Out) {
        if let Some(request) = self.asking.request {
            out.extend(request.key, view.end);
        }
    }

    /// Skips what is left of a message.
    fn rest(&mut self, view: View<'_>) -> Result<Step, Stop> {
        match NonZeroU64::new(view.left) {
            None => used(view.end),
            Some(skip) => {
                self.asking.under = Under::Rest(self.asking.request.map(|request| request.key));
                Ok(Step::Skip { used: view.end, skip })
            }
        }
    }

    /// Uses what there is of a statement whose end is lost; gives whether there was one.
    pub(super) fn begin_cut(&mut self, head: &[u8], out: &mut dyn Out) -> bool {
        let text = match head.get(HEAD..) {
            Some(text) if head.starts_with(b"Q") => text,
            Some(body) if head.starts_with(b"P") => string(body).map_or(&b""[..], |(_, text)| text),
            _ => return !head.is_empty(),
        };
        if text.is_empty() {
            return true;
        }
        let start = head.len() - text.len();
        self.statements.begin_query();
        self.read_piece(text, true);
        let begins = Begins::of(self.statements.current(), Stage::Query, head.len());
        let key = self.asking.begin(Begins { cut: true, ..begins }, out);
        self.asking.tell_literals(key, start, out);
        self.asking.tell(self.statements.current(), out);
        let step = if head.starts_with(b"Q") { Asked::Query } else { Asked::Parse };
        self.asking.in_turn = step == Asked::Parse;
        self.await_answer(step, self.asking.exchanges, out);
        true
    }
}

/// Whether a Bind follows, but for what is described or closed before it.
fn is_bound(input: &[u8]) -> Result<bool, Stop> {
    let mut rest = input;
    for _ in 0..LOOK_AHEAD {
        match rest.first() {
            None => return Err(short(1)),
            Some(b'B') => return Ok(true),
            Some(b'D' | b'C') => {}
            Some(_) => return Ok(false),
        }
        let head = Head::read(rest)?;
        if head.size > NAME_LIMIT {
            return Ok(false);
        }
        match rest.get(head.size..) {
            Some(after) => rest = after,
            None => return Err(short(head.size - rest.len())),
        }
    }
    Ok(false)
}

/// Goes over messages of one type; `each` is told where their bodies begin, and how long they are.
pub(super) fn skip_run(input: &[u8], kind: u8, mut each: impl FnMut(usize, usize)) -> Step {
    let mut at = 0;
    while let Some(rest) = input.get(at..)
        && rest.first() == Some(&kind)
        && let Ok(head) = Head::read(rest)
    {
        each(at + HEAD, head.size - HEAD);
        if head.size > rest.len() {
            let skip = NonZeroU64::new((head.size - HEAD) as u64).unwrap_or(NonZeroU64::MIN);
            return Step::Skip { used: at + HEAD, skip };
        }
        at += head.size;
    }
    match NonZeroUsize::new(at) {
        Some(used) => Step::Used(used),
        None => Step::Incomplete(NonZeroUsize::MIN),
    }
}

fn unanswered(kind: Kind, operation: &[u8], end: usize, out: &mut dyn Out) -> Key {
    out.open(Message {
        kind,
        dialect: Dialect::Plain,
        pairing: Pairing::OneWay,
        bytes: 0..end,
        operation,
        resource: b"",
        status: Status::default(),
        cut: false,
    })
}

/// The part of a name that is shown.
pub(super) fn shown(name: &[u8]) -> &[u8] {
    name.get(..NAME_SHOWN).unwrap_or(name)
}

pub(super) fn used(bytes: usize) -> Result<Step, Stop> {
    NonZeroUsize::new(bytes).map(Step::Used).ok_or(Stop::Bad("message length"))
}

/// Messages between a Parse and its Bind that are looked through.
const LOOK_AHEAD: usize = 4;

/// The longest of them.
const NAME_LIMIT: usize = 1024;

/// Bytes of a name that are shown; the server cuts most names behind 63.
const NAME_SHOWN: usize = 128;
