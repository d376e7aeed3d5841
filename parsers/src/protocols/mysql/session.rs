//! What both sides of a connection share: how far it is, what was agreed on, what is awaited.

use super::capabilities::{Capabilities, Eof};
use super::charset;
use super::command::Answer;
use super::login::{Greeting, Login};
use super::prepared::PreparedStatements;
use crate::protocol::Key;
use crate::sql::{Backslash, Statement};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was seen.
    #[default]
    Start,
    /// The server has sent its greeting.
    Greeted,
    /// The client has answered it.
    Login,
    /// Commands.
    Commands,
    /// The server sends events, and whatever the client sends is no command.
    Stream,
}

/// What both sides of a connection share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) phase: Phase,
    /// What the server offers, and what both have; none if the login was not seen.
    offered: Option<Capabilities>,
    pub(super) agreed: Option<Capabilities>,
    pub(super) eof: Eof,
    /// The server's version, and its id of the connection.
    pub(super) version: SmallVec<[u8; 24]>,
    pub(super) connection: Option<u32>,
    /// The present database.
    pub(super) namespace: SmallVec<[u8; 24]>,
    pub(super) prepared: PreparedStatements,
    /// What a backslash is in the client's statements.
    pub(super) backslash: Backslash,
    /// What it is where it escapes, which the client's character set says.
    escapes: Backslash,
    /// What the next responses answer, oldest first.
    pub(super) awaited: VecDeque<Awaited>,
    /// The client sends a file, up to an empty packet.
    pub(super) file: bool,
    /// The login was answered, and packets are within compressed ones from there on.
    compressed: bool,
    /// The login or change of user that is not answered yet; what the server asks for more belongs
    /// to it.
    pub(super) login: Option<Key>,
    /// The server says that it is MariaDB.
    pub(super) is_mariadb: bool,
    /// The client's first login is not answered yet.
    logging_in: bool,
    /// What may have been the answer to it is lost.
    answer_lost: bool,
}

/// What one response answers.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) answer: Answer,
    /// How many rows were changed is told even if none were.
    pub(super) changes_rows: bool,
    /// Several results are parts of one call.
    pub(super) is_call: bool,
    /// Rows are those of the binary protocol.
    pub(super) is_binary: bool,
    /// What is prepared.
    pub(super) statement: Option<Arc<Statement>>,
    /// The database after it, if it succeeds.
    pub(super) namespace: Option<Box<[u8]>>,
}

impl Awaited {
    pub(super) fn new(answer: Answer) -> Self {
        let (statement, namespace) = (None, None);
        let (changes_rows, is_call) = (false, false);
        let is_binary = answer == Answer::Rows;
        Self { answer, changes_rows, is_call, is_binary, statement, namespace }
    }

    pub(super) fn results(statement: &Statement) -> Self {
        let mut awaited = Self::new(Answer::Results);
        match statement.operation() {
            b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"LOAD" => awaited.changes_rows = true,
            b"CALL" => awaited.is_call = true,
            b"USE" if !statement.target().is_empty() => {
                awaited.namespace = Some(statement.target().into());
            }
            _ => {}
        }
        awaited
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            phase: Phase::Start,
            offered: None,
            agreed: None,
            eof: Eof::Unknown,
            version: SmallVec::new(),
            connection: None,
            namespace: SmallVec::new(),
            prepared: PreparedStatements::default(),
            backslash: Backslash::Escapes,
            escapes: Backslash::Escapes,
            awaited: VecDeque::new(),
            file: false,
            compressed: false,
            login: None,
            is_mariadb: false,
            logging_in: false,
            answer_lost: false,
        }
    }
}

impl Session {
    pub(super) fn greet(&mut self, greeting: &Greeting<'_>) {
        *self = Self { phase: Phase::Greeted, ..Self::default() };
        self.offered = Some(greeting.capabilities);
        self.version = greeting.version.into();
        self.is_mariadb = greeting.is_mariadb();
        self.connection = Some(greeting.connection);
    }

    pub(super) fn log_in(&mut self, login: &Login<'_>) {
        let agreed = match self.offered {
            Some(offered) => login.capabilities.and(offered),
            None => login.capabilities,
        };
        self.phase = Phase::Login;
        self.set_collation(login.collation);
        self.logging_in = true;
        self.agreed = Some(agreed);
        self.eof = match (agreed.has(Capabilities::DEPRECATE_EOF), self.offered) {
            (false, _) => Eof::Sent,
            (true, Some(_)) => Eof::Deprecated,
            (true, None) => Eof::Unknown,
        };
    }

    /// The character set of the client's statements, as a login tells it.
    pub(super) fn set_collation(&mut self, collation: Option<u8>) {
        if let Some(collation) = collation {
            self.set_escapes(charset::escapes_in_collation(collation));
        }
    }

    /// Notices a statement that says in which character set the next ones are.
    pub(super) fn notice_charset(&mut self, sql: &[u8]) {
        if let Some(escapes) = charset::escapes_behind(sql) {
            self.set_escapes(escapes);
        }
    }

    fn set_escapes(&mut self, escapes: Backslash) {
        self.escapes = escapes;
        self.set_backslash(self.backslash == Backslash::Plain);
    }

    /// What the server's status says of backslashes.
    pub(super) fn set_backslash(&mut self, is_plain: bool) {
        self.backslash = if is_plain { Backslash::Plain } else { self.escapes };
    }

    /// The login has succeeded.
    pub(super) fn logged_in(&mut self) {
        if !self.logging_in {
            return;
        }
        self.logging_in = false;
        self.phase = Phase::Commands;
        self.compressed = self.compresses();
    }

    /// The login was not seen, but compressed packets are.
    pub(super) fn assume_compressed(&mut self) {
        self.compressed = true;
    }

    /// Bytes of the server are lost.
    pub(super) fn lose_answer(&mut self) {
        self.answer_lost |= self.logging_in;
    }

    /// Whether the server's packets are within compressed ones. A login whose answer is lost has
    /// succeeded if commands follow it.
    pub(super) fn is_compressed(&self) -> bool {
        let goes_on = self.answer_lost && self.phase == Phase::Commands;
        self.compressed || (goes_on && self.compresses())
    }

    /// Whether both agreed to compress what comes after the login.
    pub(super) fn compresses(&self) -> bool {
        self.agreed_on(Capabilities::COMPRESS)
            || self.agreed_on(Capabilities::ZSTD_COMPRESSION_ALGORITHM)
    }

    /// What both have, if both have said so: clients ask for more than servers offer.
    pub(super) fn certain(&self) -> Option<Capabilities> {
        self.agreed.filter(|_| self.offered.is_some())
    }

    /// Whether both have it, as far as that was seen.
    pub(super) fn agreed_on(&self, flag: Capabilities) -> bool {
        self.agreed.is_some_and(|agreed| agreed.has(flag))
    }
}
