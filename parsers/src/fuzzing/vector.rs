//! Vectors: conversations written by hand.

use crate::fuzzing::Event;
use crate::message::Side;
use crate::protocol::Transport;

/// A vector: what two sides of one flow say in turn, written by hand. The client is side A.
///
/// ```text
/// # A comment.
/// transport: udp
/// > what the client sends, with \r \n \t \\ and \xNN
/// < what the server sends
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// TCP unless a line says otherwise.
    pub transport: Transport,
    /// Its lines; with UDP each is a datagram.
    pub events: Vec<Event>,
}

impl Vector {
    /// Reads the text of a vector file.
    ///
    /// # Errors
    /// The first line that is none of a vector's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut vector = Self { transport: Transport::Tcp, events: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (from, escaped) = match line.split_once(' ') {
                Some((">", escaped)) => (Side::A, escaped),
                Some(("<", escaped)) => (Side::B, escaped),
                Some(("transport:", "udp")) => {
                    vector.transport = Transport::Udp;
                    continue;
                }
                _ => return Err(format!("not a line of a vector: {line}")),
            };
            let bytes = unescape(escaped).ok_or_else(|| format!("not an escape: {line}"))?;
            vector.events.push(Event::Bytes { from, bytes });
        }
        Ok(vector)
    }
}

fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_lines_become_events_in_order() {
        let vector = Vector::parse("# Two.\n> a\\r\\n\\x00\n\n< \\\\b\n").unwrap();
        let bytes = |from, bytes: &[u8]| Event::Bytes { from, bytes: bytes.to_vec() };
        assert_eq!(vector.transport, Transport::Tcp);
        assert_eq!(vector.events, [bytes(Side::A, b"a\r\n\0"), bytes(Side::B, b"\\b")]);
    }

    #[test]
    fn vector_with_an_unknown_line_is_refused() {
        assert!(Vector::parse("> a\nb\n").is_err());
        assert!(Vector::parse("> \\q\n").is_err());
        assert!(Vector::parse("> \\x1\n").is_err());
    }
}
