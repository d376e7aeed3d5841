//! Messages as they are on the wire.

use crate::fuzzing::Event;
use crate::message::Side;
use std::num::NonZeroU64;

/// What happens on a connection.
#[derive(Clone)]
pub(super) enum Said {
    Client(Vec<u8>),
    Server(Vec<u8>),
    ClientLost(u64),
    ServerLost(u64),
    Ends(Side),
}

impl Said {
    pub(super) fn event(&self) -> Event {
        let lost = |bytes: u64| NonZeroU64::new(bytes).unwrap();
        match self {
            Self::Client(bytes) => Event::Bytes { from: Side::A, bytes: bytes.clone() },
            Self::Server(bytes) => Event::Bytes { from: Side::B, bytes: bytes.clone() },
            Self::ClientLost(bytes) => Event::Gap { from: Side::A, lost: lost(*bytes) },
            Self::ServerLost(bytes) => Event::Gap { from: Side::B, lost: lost(*bytes) },
            Self::Ends(side) => Event::End { from: *side },
        }
    }
}

/// The client sends these messages in one piece.
pub(super) fn client(messages: &[Vec<u8>]) -> Said {
    Said::Client(messages.concat())
}

/// The server sends these messages in one piece.
pub(super) fn server(messages: &[Vec<u8>]) -> Said {
    Said::Server(messages.concat())
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// A packet of the start: a length, a code, a body.
pub(super) fn startup(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&length[..], &code.to_be_bytes(), body].concat()
}

pub(super) fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

pub(super) fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

/// Bind with no formats, and these values.
pub(super) fn bind(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
    let names = format!("{portal}\0{statement}\0\0\0");
    message(b'B', &[names.as_bytes(), &fields(values), &[0, 0]].concat())
}

pub(super) fn describe(kind: char, name: &str) -> Vec<u8> {
    message(b'D', format!("{kind}{name}\0").as_bytes())
}

pub(super) fn close(kind: char, name: &str) -> Vec<u8> {
    message(b'C', format!("{kind}{name}\0").as_bytes())
}

pub(super) fn execute(portal: &str) -> Vec<u8> {
    message(b'E', format!("{portal}\0\0\0\0\0").as_bytes())
}

pub(super) fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub(super) fn flush() -> Vec<u8> {
    message(b'H', b"")
}

/// A message without a body, such as ParseComplete.
pub(super) fn plain(kind: char) -> Vec<u8> {
    message(u8::try_from(kind).unwrap(), b"")
}

/// The columns of a result, all text.
pub(super) fn columns(names: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        body.extend_from_slice(format!("{name}\0").as_bytes());
        body.extend_from_slice(&[0; 18]);
    }
    message(b'T', &body)
}

pub(super) fn row(values: &[&str]) -> Vec<u8> {
    message(b'D', &fields(values))
}

pub(super) fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// ReadyForQuery with a status of the transaction.
pub(super) fn ready(state: char) -> Vec<u8> {
    message(b'Z', &[u8::try_from(state).unwrap()])
}

pub(super) fn error(severity: &str, state: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{state}\0M{text}\0\0").as_bytes())
}

pub(super) fn authentication(code: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], body].concat())
}

fn fields(values: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    body
}
