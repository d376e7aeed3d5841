//! OK, EOF and ERR packets: how a command ended.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html>

use super::packet::{lenenc, lenenc_string, u16_le};
use crate::message::{Outcome, Status};
use crate::reader::Reader;
use memchr::memmem;
use smallvec::SmallVec;
use std::ops::Range;

/// What an OK or EOF packet says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done<'b> {
    pub(super) affected_rows: u64,
    pub(super) status: ServerStatus,
    /// The database from here on, where the server tracks it.
    pub(super) schema: Option<&'b [u8]>,
}

/// `SERVER_STATUS_…` flags.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerStatus(u16);

impl ServerStatus {
    /// Another result of the same command follows (`SERVER_MORE_RESULTS_EXISTS`).
    pub(super) fn more_results(self) -> bool {
        self.0 & 0x0008 != 0
    }

    /// Rows have to be fetched (`SERVER_STATUS_CURSOR_EXISTS`).
    pub(super) fn cursor_exists(self) -> bool {
        self.0 & 0x0040 != 0
    }

    /// A backslash is a character like any other (`SERVER_STATUS_NO_BACKSLASH_ESCAPES`).
    pub(super) fn no_backslash_escapes(self) -> bool {
        self.0 & 0x0200 != 0
    }

    /// The packet tells what has changed (`SERVER_SESSION_STATE_CHANGED`).
    fn session_changed(self) -> bool {
        self.0 & 0x4000 != 0
    }
}

/// Reads an OK packet, whose first byte is 0x00 or 0xfe, or an EOF packet.
pub(super) fn done(payload: &[u8]) -> Option<Done<'_>> {
    let mut reader = Reader::new(payload);
    let first = reader.u8()?;
    if first == 0xfe && payload.len() < SHORTEST_OK {
        // EOF: warnings and status; before 4.1 neither.
        u16_le(&mut reader);
        let status = ServerStatus(u16_le(&mut reader).unwrap_or_default());
        return Some(Done { status, ..Done::default() });
    }
    let affected_rows = lenenc(&mut reader)?;
    lenenc(&mut reader)?;
    let status = ServerStatus(u16_le(&mut reader)?);
    u16_le(&mut reader)?;
    let schema = if status.session_changed() { schema(&mut reader) } else { None };
    Some(Done { affected_rows, status, schema })
}

/// The new database among the changes of a session (`SESSION_TRACK_SCHEMA`).
fn schema<'b>(reader: &mut Reader<'b>) -> Option<&'b [u8]> {
    lenenc_string(reader)?;
    let mut changes = Reader::new(lenenc_string(reader)?);
    while let Some(kind) = changes.u8() {
        let change = lenenc_string(&mut changes)?;
        if kind == 0x01 {
            return lenenc_string(&mut Reader::new(change));
        }
    }
    None
}

/// What an ERR packet says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure<'b> {
    pub(super) code: u16,
    /// Five characters; empty before the login.
    pub(super) sqlstate: &'b [u8],
    pub(super) message: &'b [u8],
    /// Where the message stands in the payload.
    pub(super) at: usize,
}

impl<'b> Failure<'b> {
    /// Reads an ERR packet, whose first byte is 0xff.
    pub(super) fn read(payload: &'b [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 0xff {
            return None;
        }
        let code = u16_le(&mut reader)?;
        let rest = reader.rest();
        let (sqlstate, message) = match rest {
            [b'#', rest @ ..] => rest.split_at_checked(5)?,
            _ => rest.split_at_checked(0)?,
        };
        let at = payload.len() - message.len();
        let message = message.strip_suffix(b"\0").unwrap_or(message);
        Some(Self { code, sqlstate, message, at })
    }

    /// MariaDB tells how far a long command has come (`CLIENT_PROGRESS`): no error.
    pub(super) fn is_progress(&self) -> bool {
        self.code == 0xffff
    }

    /// Whether a server says so in place of its greeting: too many connections, a host that is
    /// blocked or not allowed.
    pub(super) fn is_refusal(&self) -> bool {
        // No client has said yet whether it knows states, so that most servers send none.
        self.sqlstate.is_empty()
            || self.sqlstate.starts_with(b"08")
            || matches!(self.code, 1129 | 1130)
    }

    /// How what failed ended.
    pub(super) fn status(&self) -> Status<'b> {
        let code = u32::from(self.code);
        Status { outcome: self.outcome(), code, text: self.sqlstate }
    }

    /// Whose fault it is.
    fn outcome(&self) -> Outcome {
        let of_server = match self.code {
            // Of ER_: too many connections, out of memory, shutdown, server error, lock wait, deadlock,
            // read only, killed, timeout.
            1040 | 1041 | 1053 | 1077 | 1080 | 1105 | 1180 | 1205 | 1213 | 1290 | 1317 | 1836
            | 1927 | 3024 | 4031 => true,
            // Statements that are wrong, but have a state of HY: null, field lists, prepared ones.
            1243 | 1364 | 1366 | 1210 => false,
            _ => [&b"08"[..], b"40", b"53", b"54", b"55", b"57", b"58", b"XX", b"HY"]
                .iter()
                .any(|class| self.sqlstate.starts_with(class)),
        };
        if of_server { Outcome::ServerError } else { Outcome::ClientError }
    }

    /// The message with `?` in place of what it quotes, which may be values.
    pub(super) fn masked(&self) -> SmallVec<[u8; 128]> {
        let mut shown = SmallVec::new();
        let mut from = 0;
        for quoted in self.quoted() {
            shown.extend_from_slice(self.message.get(from..quoted.start).unwrap_or_default());
            shown.push(b'?');
            from = quoted.end;
        }
        shown.extend_from_slice(self.message.get(from..).unwrap_or_default());
        shown
    }

    /// Where the message quotes something, without the quotes.
    pub(super) fn quoted(&self) -> SmallVec<[Range<usize>; 4]> {
        let mut found = SmallVec::new();
        // TiDB puts the statement between double quotes.
        if self.code == 1064
            && let Some(before) = memmem::find(self.message, b"near \"")
        {
            let start = before + b"near \"".len();
            let end = memchr::memrchr(b'"', self.message).filter(|end| *end >= start);
            found.push(start..end.unwrap_or(self.message.len()));
            return found;
        }
        let mut from = 0;
        while let Some(start) = opening(self.message, from) {
            let rest = self.message.get(start..).unwrap_or_default();
            let end = if found.is_empty() { self.end_of_first(rest) } else { closing(rest) };
            let end = start + end.unwrap_or(rest.len());
            found.push(start..end);
            from = end + 1;
        }
        found
    }

    /// Where what is quoted first ends. Some errors quote a value or the statement there, which may
    /// have any quotes in it.
    fn end_of_first(&self, rest: &[u8]) -> Option<usize> {
        match self.code {
            // Of ER_: duplicate entry (also with the key's name), truncated and wrong values.
            1062 | 1292 | 1366 | 1411 | 1525 | 1586 | 1690 => {
                [&b"' for key "[..], b"' for column "]
                    .iter()
                    .find_map(|after| memmem::rfind(rest, after))
                    .or_else(|| memchr::memrchr(b'\'', rest))
            }
            // ER_PARSE_ERROR
            1064 => memchr::memrchr(b'\'', rest),
            _ => closing(rest),
        }
    }
}

/// Where what is quoted begins, from this place on: not within a word, as in `doesn't`.
fn opening(text: &[u8], from: usize) -> Option<usize> {
    let is_in_word = |quote: usize| {
        let before = quote.checked_sub(1).and_then(|before| text.get(before));
        before.is_some_and(u8::is_ascii_alphanumeric)
    };
    let quotes = memchr::memchr_iter(b'\'', text.get(from..)?);
    quotes.map(|at| from + at).find(|quote| !is_in_word(*quote)).map(|quote| quote + 1)
}

/// Where it ends: not where a value has a quote in it, as `O'Brien`.
fn closing(text: &[u8]) -> Option<usize> {
    let ends = |at: &usize| match text.get(at + 1) {
        Some(after) => b" ,.;:)@".contains(after),
        None => true,
    };
    memchr::memchr_iter(b'\'', text).find(ends)
}

/// Header, two length-encoded integers, status, warnings.
pub(super) const SHORTEST_OK: usize = 7;
