//! What the first bytes of a flow, or those after a gap, say.

use super::capabilities::Capabilities;
use super::command::{self, Command};
use super::compression::{FRAME, Frame};
use super::login::{Greeting, LOGIN_LIMIT, Login, asks_for_tls};
use super::outcome::{Failure, SHORTEST_OK, done};
use super::packet::{HEADER, Header, Stop, payload};
use crate::message::Side;
use crate::protocol::Probe;

/// What bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Of this protocol, and of no other.
    Sure,
    /// As if they could be.
    Likely,
    /// More bytes are needed.
    Short,
    /// Of something else.
    No,
}

pub(super) fn probe(from: Side, head: &[u8]) -> Probe {
    let client = from.other();
    match greeting(head) {
        Look::Sure => return Probe::Certain { client },
        Look::Short | Look::Likely => return Probe::Unsure { client },
        Look::No => {}
    }
    for look in [client_packet(head), compressed_command(head)] {
        match look {
            Look::Sure => return Probe::Certain { client: from },
            Look::Likely | Look::Short => return Probe::Unsure { client: from },
            Look::No => {}
        }
    }
    match response(head) {
        Look::Sure | Look::Likely | Look::Short => Probe::Unsure { client },
        Look::No => Probe::No,
    }
}

/// A greeting, or an error in its place.
fn greeting(head: &[u8]) -> Look {
    let Ok(header) = Header::read(head) else { return Look::Short };
    if header.sequence != 0 || !(GREETING.0..=GREETING.1).contains(&header.len) {
        return Look::No;
    }
    let start = match head.get(HEADER..).unwrap_or_default() {
        [] => return Look::Short,
        [10, rest @ ..] => rest,
        [0xff, ..] => return refusal(head, header),
        _ => return Look::No,
    };
    let is_version = |byte: &u8| (b' '..=b'~').contains(byte);
    let version = start.split(|byte| *byte == 0).next().unwrap_or_default();
    if version.first().is_some_and(|byte| !byte.is_ascii_digit()) || !version.iter().all(is_version)
    {
        return Look::No;
    }
    match payload(head, header, GREETING.1) {
        Ok(payload) if Greeting::read(payload).is_some() => Look::Sure,
        Ok(_) => Look::No,
        Err(_) => Look::Short,
    }
}

/// An error in the place of a greeting.
fn refusal(head: &[u8], header: Header) -> Look {
    let Ok(payload) = payload(head, header, GREETING.1) else { return Look::Short };
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte);
    match Failure::read(payload) {
        Some(Failure { code: 1000..=5000, message, .. }) if message.iter().all(is_text) => {
            Look::Likely
        }
        _ => Look::No,
    }
}

/// A login, or a command.
pub(super) fn client_packet(head: &[u8]) -> Look {
    let Ok(header) = Header::read(head) else { return Look::Short };
    match header.sequence {
        0 => command(head, header),
        1 => login(head, header),
        _ => Look::No,
    }
}

/// A command within a compressed packet, which is stored as it is because it is short.
pub(super) fn compressed_command(head: &[u8]) -> Look {
    let Ok(frame) = Frame::read(head) else {
        // The length of what is stored is given as zero.
        return match head {
            [_, _, _, 0, rest @ ..] if rest.iter().all(|byte| *byte == 0) => Look::Short,
            [_, _, _, _, ..] => Look::No,
            _ => Look::Short,
        };
    };
    if frame.sequence != 0 || !frame.stored {
        return Look::No;
    }
    let there = head.get(FRAME..).unwrap_or_default();
    match Header::read(there) {
        Ok(header) if header.sequence == 0 && HEADER + header.len == frame.len => {
            client_packet(there.get(..frame.len).unwrap_or(there))
        }
        Ok(_) => Look::No,
        Err(_) => Look::Short,
    }
}

fn login(head: &[u8], header: Header) -> Look {
    if header.len < 32 || header.len > LOGIN_LIMIT {
        return Look::No;
    }
    let Ok(start) = payload(head, header, 32) else { return Look::Short };
    let [lower, upper, ..] = start else { return Look::No };
    let flags = Capabilities(u64::from(u16::from_le_bytes([*lower, *upper])));
    // A filler of zeros: 19 bytes, of which MySQL uses none.
    let filler = start.get(9..28).unwrap_or_default();
    if !flags.has(Capabilities::PROTOCOL_41) || filler.iter().any(|byte| *byte != 0) {
        return Look::No;
    }
    match payload(head, header, LOGIN_LIMIT) {
        Err(_) => Look::Short,
        Ok(payload) if asks_for_tls(payload) => Look::Sure,
        Ok(payload) => match Login::read(payload) {
            Some(login) if login.user.iter().all(|byte| *byte >= b' ') => Look::Sure,
            _ => Look::No,
        },
    }
}

fn command(head: &[u8], header: Header) -> Look {
    let code = match payload(head, header, 1) {
        Ok([code]) => *code,
        Ok(_) => return Look::No,
        Err(_) => return Look::Short,
    };
    if !Command::of(code).is_some_and(|command| command.fits(header.len)) {
        return Look::No;
    }
    if !matches!(code, command::QUERY | command::STMT_PREPARE) {
        return Look::Likely;
    }
    let text = head.get(HEADER + 1..).unwrap_or_default();
    let text = text.get(..header.len.saturating_sub(1)).unwrap_or(text);
    let look = statement(text.get(..STATEMENT).unwrap_or(text));
    match (look, head.len() >= HEADER + header.len.min(STATEMENT)) {
        (Look::Sure, true) | (Look::Likely | Look::No, _) => look,
        _ if head.len() >= HEADER + header.len => Look::Likely,
        _ => Look::Short,
    }
}

/// The start of a statement of SQL.
fn statement(text: &[u8]) -> Look {
    // Attributes: how many, sets of them.
    let text = match text {
        [0, 1, rest @ ..] => rest,
        [1..=8, 1, ..] => return Look::Likely,
        _ => text,
    };
    let text = text.trim_ascii_start();
    let word = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = text.split_at_checked(word).unwrap_or_default();
    match (word, rest) {
        ([], []) => Look::Short,
        ([], [b'/', b'*', ..] | [b'(' | b'#', ..] | [b'-', b'-', ..]) => Look::Likely,
        ([], _) => Look::No,
        (_, []) if word.len() < WORD => Look::Short,
        (_, [after, ..]) if VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(word)) => {
            if after.is_ascii_whitespace() { Look::Sure } else { Look::Likely }
        }
        _ => Look::Likely,
    }
}

/// The first packet of a response.
pub(super) fn response(head: &[u8]) -> Look {
    let Ok(header) = Header::read(head) else { return Look::Short };
    if header.sequence == 0 || !(1..=RESPONSE).contains(&header.len) {
        return Look::No;
    }
    let there = match payload(head, header, RESPONSE) {
        Ok(there) => there,
        Err(Stop::Short(_)) if head.get(HEADER).is_none_or(|b| matches!(b, 0 | 0xfe | 0xff)) => {
            return Look::Short;
        }
        Err(_) => return Look::No,
    };
    match there {
        [0xff, ..] => match Failure::read(there) {
            Some(failure) if (1000..6000).contains(&failure.code) => Look::Likely,
            _ => Look::No,
        },
        [0, ..] if header.len >= SHORTEST_OK => match done(there) {
            Some(done) if done.affected_rows < 1 << 32 => Look::Likely,
            _ => Look::No,
        },
        [0xfe, _, _, _, _] => Look::Likely,
        [1..=0xfa] | [0..=0xfa, 0..=1] | [0..=1, _] => definition(head, header),
        _ => Look::No,
    }
}

/// The definition of a column, behind the count: the catalogue is always `def`.
fn definition(head: &[u8], count: Header) -> Look {
    let rest = head.get(HEADER + count.len..).unwrap_or_default();
    let Ok(header) = Header::read(rest) else { return Look::Short };
    if header.sequence != count.sequence.wrapping_add(1) {
        return Look::No;
    }
    match payload(rest, header, 4) {
        Ok(b"\x03def") => Look::Likely,
        Ok(_) => Look::No,
        Err(_) => Look::Short,
    }
}

/// Bytes of a greeting.
const GREETING: (usize, usize) = (20, 512);

/// Bytes of a statement that are looked at.
const STATEMENT: usize = 64;

/// No word that begins a statement is longer.
const WORD: usize = 16;

/// Bytes of the first packet of a response.
const RESPONSE: usize = 4096;

#[rustfmt::skip]
const VERBS: &[&[u8]] = &[
    b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"REPLACE", b"SET", b"SHOW", b"CALL", b"CREATE",
    b"ALTER", b"DROP", b"TRUNCATE", b"START", b"USE", b"EXPLAIN", b"DESCRIBE", b"WITH", b"LOAD",
    b"LOCK", b"UNLOCK", b"GRANT", b"REVOKE", b"ROLLBACK", b"SAVEPOINT", b"ANALYZE", b"OPTIMIZE",
];
