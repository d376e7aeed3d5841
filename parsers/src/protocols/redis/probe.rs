//! What the first bytes of a flow say: arrays and lines of words that are commands, or replies.

use super::command::ARGUMENT_LIMIT;
use super::names::{NAME_LIMIT, is_command, known_names};
use super::reply::ANNOUNCED;
use super::resp::{Bulk, Stop, WHOLE_LIMIT, length, line, whole_bulk};
use crate::message::Side;
use crate::protocol::{FlowInfo, Probe};
use smallvec::SmallVec;

pub(super) fn probe_array(flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
    let other = from.other();
    let [_, rest @ ..] = head else { return Probe::No };
    let (rest, count) = match length(rest) {
        Ok(header) => header,
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    if !(-1..=ARGUMENT_LIMIT).contains(&count) {
        return Probe::No;
    }
    match rest {
        [] if count > 0 => return Probe::Unsure { client: from },
        [b'$', ..] => {}
        _ => return Probe::Unsure { client: other },
    }
    let Bulk { value: name, rest } = match whole_bulk(rest, NAME_LIMIT) {
        Ok(Some(name)) => name,
        // Only replies start with a long or an absent value.
        Ok(None) => return Probe::Unsure { client: other },
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    let ports = [Side::A, Side::B].into_iter().find(|side| flow.port(side.other()) == 6379);
    let announced = ANNOUNCED.iter().any(|known| known.as_bytes() == name);
    let client = match flow.opener.or(ports) {
        Some(client) => client,
        None if announced && (name.ends_with(b"message") || name == b"invalidate") => other,
        // The confirmation of a subscription has a number where the command has none.
        None if announced && count == 3 => match whole_bulk(rest, WHOLE_LIMIT) {
            Ok(Some(Bulk { rest: [b':', ..], .. })) => other,
            Ok(Some(Bulk { rest: [], .. })) | Err(Stop::Short(_)) => {
                return Probe::Unsure { client: from };
            }
            _ => from,
        },
        None if is_command(name) => from,
        None => return Probe::Unsure { client: from },
    };
    Probe::Certain { client }
}

pub(super) fn probe_inline(from: Side, head: &[u8]) -> Probe {
    let shown = head.get(..INLINE_PROBE_LIMIT).unwrap_or(head);
    let line = line(shown, 0);
    let text = line.unwrap_or(shown);
    let is_text = |b: &u8| matches!(b, b' '..=b'~' | b'\r' | b'\t');
    if !text.iter().all(is_text) || (line.is_none() && head.len() > INLINE_PROBE_LIMIT) {
        return Probe::No;
    }
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let name: SmallVec<[u8; NAME_LIMIT]> = word.iter().map(u8::to_ascii_uppercase).collect();
    if line.is_none() && word.len() == text.len() {
        let begun = known_names().any(|known| known.as_bytes().starts_with(&name));
        return if begun { Probe::Unsure { client: from } } else { Probe::No };
    }
    if !is_command(&name) {
        return Probe::No;
    }
    let shared = SHARED.iter().any(|known| known.as_bytes() == name.as_slice());
    if line.is_none() || shared {
        return Probe::Unsure { client: from };
    }
    Probe::Certain { client: from }
}

const INLINE_PROBE_LIMIT: usize = 1024;

/// Commands whose names are those of mail, FTP, NATS, memcached or STOMP too.
#[rustfmt::skip]
const SHARED: &[&str] = &[
    "ACL", "APPEND", "AUTH", "CLIENT", "CONFIG", "COPY", "DECR", "DEBUG", "DISCARD", "DUMP", "ECHO",
    "EXEC", "GET", "HELLO", "INCR", "INFO", "KEYS", "MODULE", "MONITOR", "MOVE", "PING", "PUBLISH",
    "QUIT", "RENAME", "RESET", "RESTORE", "ROLE", "SAVE", "SCAN", "SELECT", "SET", "SHUTDOWN",
    "SORT", "SUBSCRIBE", "SYNC", "TIME", "TOUCH", "TYPE", "UNSUBSCRIBE", "WAIT", "WATCH",
];
