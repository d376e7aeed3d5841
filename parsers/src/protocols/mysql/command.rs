//! Commands by their codes: what each is called and how it is answered.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

/// How a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Not at all.
    None,
    /// OK, EOF or ERR.
    Simple,
    /// OK, ERR, a request for a file, or result sets.
    Results,
    /// A statement's id with definitions of its parameters and columns.
    Prepared,
    /// Rows, without definitions before them.
    Rows,
    /// Definitions of columns, without rows.
    Fields,
    /// One packet of text.
    Text,
    /// What a login is answered with.
    Login,
    /// Events without an end.
    Stream,
    /// The command was not seen: whatever the packet looks like.
    Unknown,
}

/// What is known of a command by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) code: u8,
    pub(super) word: &'static str,
    pub(super) answer: Answer,
    /// Bytes of the payload, code included: at least, at most.
    pub(super) size: (usize, usize),
}

impl Command {
    pub(super) fn of(code: u8) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.code == code)
    }

    /// Whether a payload of this length can be such a command.
    pub(super) fn fits(&self, len: usize) -> bool {
        let (least, most) = self.size;
        (least..=most).contains(&len)
    }
}

pub(super) const QUIT: u8 = 0x01;
pub(super) const INIT_DB: u8 = 0x02;
pub(super) const QUERY: u8 = 0x03;
pub(super) const FIELD_LIST: u8 = 0x04;
pub(super) const CREATE_DB: u8 = 0x05;
pub(super) const DROP_DB: u8 = 0x06;
pub(super) const PROCESS_KILL: u8 = 0x0c;
pub(super) const CHANGE_USER: u8 = 0x11;
pub(super) const STMT_PREPARE: u8 = 0x16;
pub(super) const STMT_EXECUTE: u8 = 0x17;
pub(super) const STMT_SEND_LONG_DATA: u8 = 0x18;
pub(super) const STMT_CLOSE: u8 = 0x19;
pub(super) const STMT_RESET: u8 = 0x1a;
pub(super) const STMT_FETCH: u8 = 0x1c;
pub(super) const RESET_CONNECTION: u8 = 0x1f;
pub(super) const STMT_BULK_EXECUTE: u8 = 0xfa;

const ANY: usize = usize::MAX;

const fn command(code: u8, word: &'static str, answer: Answer, size: (usize, usize)) -> Command {
    Command { code, word, answer, size }
}

/// `COM_…` in the order of their codes; those that only the server uses within itself are left out.
#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    command(QUIT, "QUIT", Answer::None, (1, 1)),
    command(INIT_DB, "INIT DB", Answer::Simple, (1, 1024)),
    command(QUERY, "QUERY", Answer::Results, (1, ANY)),
    command(FIELD_LIST, "FIELD LIST", Answer::Fields, (2, 2048)),
    command(CREATE_DB, "CREATE DB", Answer::Simple, (2, 1024)),
    command(DROP_DB, "DROP DB", Answer::Simple, (2, 1024)),
    command(0x07, "REFRESH", Answer::Simple, (2, 2)),
    command(0x08, "SHUTDOWN", Answer::Simple, (1, 2)),
    command(0x09, "STATISTICS", Answer::Text, (1, 1)),
    command(0x0a, "PROCESS INFO", Answer::Results, (1, 1)),
    command(PROCESS_KILL, "PROCESS KILL", Answer::Simple, (5, 5)),
    command(0x0d, "DEBUG", Answer::Simple, (1, 1)),
    command(0x0e, "PING", Answer::Simple, (1, 1)),
    command(CHANGE_USER, "CHANGE USER", Answer::Login, (3, 70_000)),
    command(0x12, "BINLOG DUMP", Answer::Stream, (11, 1024)),
    command(0x13, "TABLE DUMP", Answer::Stream, (3, 1024)),
    command(0x15, "REGISTER SLAVE", Answer::Simple, (18, 1024)),
    command(STMT_PREPARE, "PREPARE", Answer::Prepared, (1, ANY)),
    command(STMT_EXECUTE, "EXECUTE", Answer::Results, (10, ANY)),
    command(STMT_SEND_LONG_DATA, "SEND LONG DATA", Answer::None, (7, ANY)),
    command(STMT_CLOSE, "CLOSE", Answer::None, (5, 5)),
    command(STMT_RESET, "RESET", Answer::Simple, (5, 5)),
    command(0x1b, "SET OPTION", Answer::Simple, (3, 3)),
    command(STMT_FETCH, "FETCH", Answer::Rows, (9, 9)),
    command(0x1e, "BINLOG DUMP GTID", Answer::Stream, (11, ANY)),
    command(RESET_CONNECTION, "RESET CONNECTION", Answer::Simple, (1, 1)),
    command(0x20, "CLONE", Answer::Stream, (1, 1024)),
    command(STMT_BULK_EXECUTE, "BULK EXECUTE", Answer::Results, (7, ANY)),
];
