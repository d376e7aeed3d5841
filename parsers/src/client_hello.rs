//! The first bytes of a client of TLS in, the name of the server that it asks for out.
//!
//! ```text
//! record       type 0x16 │ version │ length │ fragment             several make one message
//! handshake                                   type 0x01 │ length │ ClientHello
//! ClientHello  version │ random │ session │ cipher suites │ compressions │ extensions
//! extension    type 0x0000 │ length │ length of list │ type 0x00 │ length │ name
//! ```
//!
//! RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3. What is encrypted (ECH) stays so: then it
//! is the outer name that is asked for.

use crate::reader::Reader;

/// What the start of a stream says of a server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// A client asks for this one.
    Asked(Box<str>),
    /// A client asks for none, or for none that can be the name of a host.
    NotAsked,
    /// It may be a client that asks for one, once the stream is at least this long.
    Incomplete(usize),
}

/// Looks for a name in a ClientHello; nothing if these bytes cannot begin one.
pub fn server_name(head: &[u8]) -> Option<ServerName> {
    let mut reader = Reader::new(head);
    let mut message = Vec::new();
    let mut wants = None;
    while wants.is_none() {
        let at = reader.offset();
        let (kind, major, minor, len) =
            (reader.u8(), reader.u8(), reader.u8(), reader.u16_be().map(usize::from));
        // Section 5.1: a message may go on in further records, none of which is empty, and no
        // record of another type comes between them.
        let is_possible = kind.is_none_or(|kind| kind == HANDSHAKE)
            && major.is_none_or(|major| major == 3)
            && minor.is_none_or(|minor| minor <= 4)
            && len.is_none_or(|len| (1..=RECORD).contains(&len));
        if !is_possible {
            return (at > 0).then_some(ServerName::NotAsked);
        }
        let Some(len) = len else {
            wants = Some(at + HEADER + 1);
            break;
        };
        let rest = reader.rest();
        let fragment = reader.take(len);
        message.extend_from_slice(fragment.unwrap_or(rest));
        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return None;
        }
        match length(&message) {
            Some(length) if length > LONGEST => return Some(ServerName::NotAsked),
            // What follows is another message.
            Some(length) if length <= message.len() => {
                message.truncate(length);
                break;
            }
            _ if fragment.is_none() => wants = Some(at + HEADER + len),
            _ => {}
        }
    }
    Some(match (name_of(&message), wants) {
        (Some(Some(name)), _) => ServerName::Asked(name.into()),
        (Some(None), _) | (None, None) => ServerName::NotAsked,
        (None, Some(wants)) => ServerName::Incomplete(wants),
    })
}

/// How long a handshake message is, with its type and length before it.
fn length(message: &[u8]) -> Option<usize> {
    let [_, a, b, c] = *message.first_chunk()?;
    Some(4 + u32::from_be_bytes([0, a, b, c]) as usize)
}

/// The name in a ClientHello. `Some(None)` if there is none that can be used, `None` if the message
/// ends before that is known.
fn name_of(message: &[u8]) -> Option<Option<&str>> {
    let mut reader = Reader::new(message);
    // Type, length, version, random.
    reader.take(4 + 2 + 32)?;
    let session = reader.u8()?;
    reader.take(session.into())?;
    let ciphers = reader.u16_be()?;
    reader.take(ciphers.into())?;
    let compressions = reader.u8()?;
    reader.take(compressions.into())?;
    let extensions = reader.u16_be()?;
    let end = reader.offset() + usize::from(extensions);
    for _ in 0..EXTENSIONS {
        if reader.offset() >= end {
            return Some(None);
        }
        let (kind, len) = (reader.u16_be()?, reader.u16_be()?);
        let value = reader.take(len.into())?;
        if kind == SERVER_NAME {
            return Some(host_name(value));
        }
    }
    Some(None)
}

/// The name of a host in the list of names; RFC 6066 knows no other kind of name.
fn host_name(extension: &[u8]) -> Option<&str> {
    let mut reader = Reader::new(extension);
    reader.u16_be()?;
    if reader.u8()? != HOST_NAME {
        return None;
    }
    let len = reader.u16_be()?;
    let name = std::str::from_utf8(reader.take(len.into())?).ok()?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    (is_name && (1..=LONGEST_NAME).contains(&name.len())).then_some(name)
}

/// The longest ClientHello that is read; a start of a stream need not be kept beyond it.
pub const LONGEST: usize = 16 << 10;
const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 0x01;
const SERVER_NAME: u16 = 0x0000;
const HOST_NAME: u8 = 0x00;
/// Bytes of a record before its fragment.
const HEADER: usize = 5;
/// The longest fragment of a record (section 5.1).
const RECORD: usize = 1 << 14;
/// Extensions of a ClientHello that are looked through.
const EXTENSIONS: usize = 64;
/// The longest name of a host (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A ClientHello with these extensions, in records of so many bytes.
    pub(crate) fn hello(extensions: &[u8], record: usize) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut message = vec![1, 0];
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(body);
        let records = message.chunks(record).flat_map(|fragment| {
            let mut record = vec![0x16, 3, 1];
            record.extend((fragment.len() as u16).to_be_bytes());
            [&record[..], fragment].concat()
        });
        records.collect()
    }

    /// The extension that asks for a name, behind another one of so many bytes.
    pub(crate) fn asking(name: &[u8], before: usize) -> Vec<u8> {
        let len = name.len() as u8;
        let mut extensions = vec![0, 23];
        extensions.extend((before as u16).to_be_bytes());
        extensions.extend(vec![0; before]);
        extensions.extend([0, 0, 0, len + 5, 0, len + 3, 0, 0, len]);
        extensions.extend(name);
        extensions
    }

    fn asked(name: &str) -> Option<ServerName> {
        Some(ServerName::Asked(name.into()))
    }

    #[track_caller]
    fn check(head: &[u8], expected: Option<ServerName>) {
        assert_eq!(server_name(head), expected, "{}", head.escape_ascii());
    }

    #[test]
    fn the_name_is_found_behind_any_extensions() {
        check(&hello(&asking(b"shop.example", 0), 16_384), asked("shop.example"));
        check(&hello(&asking(b"shop.example", 9_000), 16_384), asked("shop.example"));
        let after = [asking(b"a.test", 4), vec![0, 16, 0, 0]].concat();
        check(&hello(&after, 16_384), asked("a.test"));
        // What comes behind it does not count.
        check(&[hello(&asking(b"a.test", 0), 16_384), vec![1; 9]].concat(), asked("a.test"));
    }

    #[test]
    fn a_message_in_many_records_is_read() {
        for record in [1, 2, 3, 7, 60, 500] {
            check(&hello(&asking(b"shop.example", 600), record), asked("shop.example"));
        }
    }

    #[test]
    fn who_asks_for_no_name_has_none() {
        let none = Some(ServerName::NotAsked);
        check(&hello(&[], 16_384), none.clone());
        check(&hello(&[0, 23, 0, 0], 16_384), none.clone());
        check(&hello(&asking(b"shop\x1b.example", 0), 16_384), none.clone());
        check(&hello(&asking(b"", 0), 16_384), none.clone());
        check(&hello(&[0, 0, 0, 4, 0, 2, 1, 0], 16_384), none.clone());
        // Nobody needs 64 KiB, or goes on in a record of another type.
        check(&[0x16, 3, 1, 0, 4, 1, 1, 0, 0], none.clone());
        check(&[0x16, 3, 1, 0, 4, 1, 0, 1, 0, 0x17, 3, 3, 0, 1, 0], none);
    }

    #[test]
    fn what_begins_otherwise_is_no_client_of_tls() {
        for head in [
            &b"GET / HTTP/1.1"[..],
            &[0x16, 3, 3, 0, 80, 2, 0, 0],
            &[0x17, 3, 3, 0, 80, 9, 9],
            &[0x16, 3, 1, 0, 0, 1],
            &[0x16, 3, 9],
            &[0x16, 2],
        ] {
            check(head, None);
        }
    }

    #[test]
    fn any_start_of_a_hello_waits_for_the_name() {
        for record in [11, 16_384] {
            let whole = hello(&asking(b"shop.example", 20), record);
            for len in 0..whole.len() {
                let cut = whole.get(..len).unwrap_or_default();
                let Some(ServerName::Incomplete(wants)) = server_name(cut) else {
                    panic!("{len}: {:?}", server_name(cut))
                };
                assert!((len + 1..=whole.len()).contains(&wants), "{len} {wants}");
            }
        }
    }

    #[test]
    fn spoilt_ones_are_read_without_harm() {
        let whole = hello(&asking(b"shop.example", 3), 40);
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                server_name(&spoilt);
            }
        }
    }
}
