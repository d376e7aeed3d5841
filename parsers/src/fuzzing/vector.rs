//! Vectors: conversations written by hand.

use crate::fuzzing::{Event, flow};
use crate::handed::{Fields, Handed};
use crate::message::Side;
use crate::protocol::{FlowInfo, Transport};
use std::sync::Arc;

/// A vector: what two sides of one flow say in turn, written by hand. The client is side A.
///
/// ```text
/// # A comment.
/// transport: udp
/// handed: what the flow became, and what was asked for
/// granted: a header, and its value, of what granted that
/// > what the client sends, with \r \n \t \\ and \xNN
/// < what the server sends
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// TCP unless a line says otherwise.
    pub transport: Transport,
    /// Its lines; with UDP each is a datagram.
    pub events: Vec<Event>,
    /// What the flow was begun with, where another protocol came before.
    pub handed: Option<Arc<Handed>>,
}

impl Vector {
    /// Reads the text of a vector file.
    ///
    /// # Errors
    /// The first line that is none of a vector's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut vector = Self { transport: Transport::Tcp, events: Vec::new(), handed: None };
        let mut granted = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (from, escaped) = match line.split_once(' ') {
                Some((">", escaped)) => (Side::A, escaped),
                Some(("<", escaped)) => (Side::B, escaped),
                Some(("transport:", "udp")) => {
                    vector.transport = Transport::Udp;
                    continue;
                }
                Some(("handed:", words)) => {
                    let (protocol, resource) = words.split_once(' ').unwrap_or((words, ""));
                    vector.handed = Some(Arc::new(Handed {
                        by: "http",
                        client: Some(Side::A),
                        protocol: protocol.into(),
                        resource: resource.into(),
                        ..Handed::default()
                    }));
                    continue;
                }
                Some(("granted:", field)) => {
                    let (name, value) = field.split_once(": ").unwrap_or((field, ""));
                    granted.push((name.as_bytes(), value.as_bytes()));
                    continue;
                }
                _ => return Err(format!("not a line of a vector: {line}")),
            };
            let bytes = unescape(escaped).ok_or_else(|| format!("not an escape: {line}"))?;
            vector.events.push(Event::Bytes { from, bytes });
        }
        if let Some(handed) = &mut vector.handed {
            Arc::make_mut(handed).granted = Fields::of(granted.into_iter());
        }
        Ok(vector)
    }

    /// The flow that it is of.
    #[must_use]
    pub fn flow(&self) -> FlowInfo {
        FlowInfo { handed: self.handed.clone(), ..flow(self.transport, 1, 2) }
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
