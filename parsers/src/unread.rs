//! What a flow speaks that no protocol here reads, told by its first bytes; only where these leave
//! no doubt. So that a capture that holds little else can say what it holds.

use crate::message::Side;
use crate::protocol::Transport;
use crate::reader::Reader;

/// What a flow speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The protocol's name, as people write it.
    pub protocol: &'static str,
    /// The side of the server, if these bytes tell.
    pub server: Option<Side>,
}

/// Looks at the first bytes of one side.
pub fn unread(transport: Transport, from: Side, head: &[u8]) -> Option<Unread> {
    let known = |(protocol, sender): (&'static str, Sender)| Unread {
        protocol,
        server: match sender {
            Sender::Client => Some(from.other()),
            Sender::Server => Some(from),
            Sender::Either => None,
        },
    };
    if transport == Transport::Udp {
        return quic(head).map(known);
    }
    tls(head).or_else(|| text(head)).or_else(|| greeting(head)).or_else(|| binary(head)).map(known)
}

/// Whether these bytes begin a record of TLS.
pub fn is_tls(head: &[u8]) -> bool {
    tls(head).is_some()
}

/// What a flow is called that spoke this, and then turns to TLS, as STARTTLS and its like ask for.
pub fn then_tls(protocol: &str) -> Option<&'static str> {
    UPGRADED.iter().find(|(plain, _)| *plain == protocol).map(|(_, both)| *both)
}

/// Whether these bytes begin a ClientHello.
pub fn is_client_hello(head: &[u8]) -> bool {
    matches!(tls(head), Some((_, Sender::Client)))
}

/// Who sends such bytes.
#[derive(Clone, Copy)]
enum Sender {
    Client,
    Server,
    Either,
}

/// Protocols whose first bytes are a text that no other one begins with.
fn text(head: &[u8]) -> Option<(&'static str, Sender)> {
    TEXTS.iter().find(|(start, ..)| head.starts_with(start)).map(|(_, name, from)| (*name, *from))
}

/// Protocols whose server, or client, greets with a line in which their name stands: SMTP (RFC 5321
/// section 4.2), FTP, IMAP (RFC 9051 section 7.1), POP3 (RFC 1939), XMPP (RFC 6120 section 4.2).
fn greeting(head: &[u8]) -> Option<(&'static str, Sender)> {
    let shown = head.get(..GREETING).unwrap_or(head);
    let line = shown.split(|byte| *byte == b'\n').next().unwrap_or_default().to_ascii_uppercase();
    let says = |word: &[u8]| memchr::memmem::find(&line, word).is_some();
    if line.starts_with(b"220 ") || line.starts_with(b"220-") {
        return match (says(b"SMTP"), says(b"FTP")) {
            (true, _) => Some(("SMTP", Sender::Server)),
            (_, true) => Some(("FTP", Sender::Server)),
            _ => None,
        };
    }
    if line.starts_with(b"* OK ") && says(b"IMAP") {
        return Some(("IMAP", Sender::Server));
    }
    if line.starts_with(b"+OK ") && says(b"POP") {
        return Some(("POP3", Sender::Server));
    }
    let is_xmpp = shown.starts_with(b"<") && memchr::memmem::find(shown, XMPP).is_some();
    is_xmpp.then_some(("XMPP", Sender::Either))
}

/// A record of TLS 1.0 to 1.3 (RFC 8446 section 5.1): type, version, length.
fn tls(head: &[u8]) -> Option<(&'static str, Sender)> {
    let mut reader = Reader::new(head);
    let (kind, major, minor) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let len = reader.u16_be()?;
    // Section 5.2: no more than 2^14 + 256; older versions allow 2^14 + 2048.
    if major != 3 || minor > 4 || len == 0 || len > (1 << 14) + 2048 {
        return None;
    }
    match (kind, reader.u8()) {
        (0x16, Some(0x01)) => Some(("TLS", Sender::Client)),
        (0x16, Some(0x02)) => Some(("TLS", Sender::Server)),
        // Within a connection: a change of ciphers, an alert, data.
        (0x14, Some(0x01)) if len == 1 => Some(("TLS", Sender::Either)),
        (0x15, _) if len == 2 || len >= 16 => Some(("TLS", Sender::Either)),
        (0x17, _) if minor == 3 => Some(("TLS", Sender::Either)),
        _ => None,
    }
}

/// A long header of version 1 or 2 (RFC 9000 section 17.2, RFC 9369).
fn quic(head: &[u8]) -> Option<(&'static str, Sender)> {
    let mut reader = Reader::new(head);
    let first = reader.u8()?;
    let version = reader.u32_be()?;
    (first & 0xc0 == 0xc0 && [1, 0x6b33_43cf].contains(&version))
        .then_some(("QUIC", Sender::Either))
}

/// Protocols whose first message states its own length and kind.
fn binary(head: &[u8]) -> Option<(&'static str, Sender)> {
    postgresql(head)
        .or_else(|| mongodb(head))
        .or_else(|| kafka(head))
        .or_else(|| mqtt(head))
        .or_else(|| ldap(head))
}

/// A start of a session, or the question for TLS
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
fn postgresql(head: &[u8]) -> Option<(&'static str, Sender)> {
    let mut reader = Reader::new(head);
    let (len, code) = (reader.u32_be()?, reader.u32_be()?);
    let starts = code == 0x0003_0000 && len as usize == head.len() && head.ends_with(&[0, 0]);
    let asks = len == 8 && [80_877_103, 80_877_104].contains(&code);
    (starts || asks).then_some(("PostgreSQL", Sender::Client))
}

/// A header with length and kind of message
/// (<https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>).
fn mongodb(head: &[u8]) -> Option<(&'static str, Sender)> {
    let mut reader = Reader::new(head);
    let mut int = || reader.u32_be().map(u32::swap_bytes);
    let (len, _request, answers, kind) = (int()?, int()?, int()?, int()?);
    // OP_QUERY, OP_COMPRESSED, OP_MSG.
    let is_message = [2004, 2012, 2013].contains(&kind) && answers == 0;
    (is_message && len as usize == head.len()).then_some(("MongoDB", Sender::Client))
}

/// The question for versions, which comes first: length, key 18, version, number, client's name
/// (<https://kafka.apache.org/protocol>).
fn kafka(head: &[u8]) -> Option<(&'static str, Sender)> {
    let mut reader = Reader::new(head);
    let (len, key, version) = (reader.u32_be()?, reader.u16_be()?, reader.u16_be()?);
    reader.u32_be()?;
    let name = reader.u16_be()?;
    let name = reader.take(usize::from(name))?;
    let asks = key == 18 && version <= 4 && len as usize + 4 == head.len();
    (asks && name.iter().all(u8::is_ascii_graphic)).then_some(("Kafka", Sender::Client))
}

/// CONNECT: its kind, its length, the protocol's name
/// (<https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html#_Toc3901033>).
fn mqtt(head: &[u8]) -> Option<(&'static str, Sender)> {
    let rest = head.strip_prefix(&[0x10])?;
    // The length has up to four bytes, all but the last with their highest bit set.
    let length = rest.iter().take(4).take_while(|byte| **byte & 0x80 != 0).count();
    let name = rest.get(length + 1..)?;
    (name.starts_with(b"\x00\x04MQTT") || name.starts_with(b"\x00\x06MQIsdp"))
        .then_some(("MQTT", Sender::Client))
}

/// A bind of version 3, or the question for TLS (RFC 4511 sections 4.2 and 4.14).
fn ldap(head: &[u8]) -> Option<(&'static str, Sender)> {
    let rest = head.strip_prefix(&[0x30])?;
    let length = |bytes: &[u8]| match bytes.first()? {
        short @ 0..=0x7f => Some((1, usize::from(*short))),
        0x81 => Some((2, usize::from(*bytes.get(1)?))),
        0x84 => Some((5, usize::try_from(Reader::new(bytes.get(1..)?).u32_be()?).ok()?)),
        _ => None,
    };
    let (used, len) = length(rest)?;
    let message = rest.get(used..)?;
    // The number of the message has up to four bytes.
    let number = match message {
        [0x02, len @ 1..=4, ..] => usize::from(*len),
        _ => return None,
    };
    let operation = message.get(2 + number..)?;
    let (used, _) = length(operation.get(1..)?)?;
    let inside = operation.get(1 + used..)?;
    let asks = match operation.first()? {
        0x60 => inside.starts_with(&[0x02, 0x01, 0x03]),
        0x77 => memchr::memmem::find(inside, b"1.3.6.1.4.1.1466.20037").is_some(),
        _ => false,
    };
    (asks && message.len() == len).then_some(("LDAP", Sender::Client))
}

/// The name of the streams of XMPP.
const XMPP: &[u8] = b"http://etherx.jabber.org/streams";
/// Bytes of a greeting that are looked at.
const GREETING: usize = 512;

/// Protocols that turn to TLS, and what they are called then.
const UPGRADED: &[(&str, &str)] = &[
    ("SMTP", "SMTP, then TLS"),
    ("FTP", "FTP, then TLS"),
    ("IMAP", "IMAP, then TLS"),
    ("POP3", "POP3, then TLS"),
    ("XMPP", "XMPP, then TLS"),
    ("LDAP", "LDAP, then TLS"),
];

const TEXTS: &[(&[u8], &str, Sender)] = &[
    // RFC 9113 section 3.4.
    // RFC 4253 section 4.2; both sides begin so.
    (b"SSH-2.0-", "SSH", Sender::Either),
    (b"SSH-1.", "SSH", Sender::Either),
    (b"AMQP\x00\x00\x09\x01", "AMQP", Sender::Client),
    (b"AMQP\x00\x01\x00\x00", "AMQP", Sender::Client),
    (b"AMQP\x03\x01\x00\x00", "AMQP", Sender::Client),
    (b"INFO {\"server_id\"", "NATS", Sender::Server),
    (b"RFB 003.", "VNC", Sender::Server),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_hello::tests::hello;

    fn check(head: &[u8], expected: Option<(&str, Option<Side>)>) {
        let found = unread(Transport::Tcp, Side::A, head);
        let found = found.map(|found| (found.protocol, found.server));
        assert_eq!(found, expected, "{}", head.escape_ascii());
    }

    #[test]
    fn tls_is_told_by_its_records() {
        check(&hello(&[], 16_384), Some(("TLS", Some(Side::B))));
        check(&[0x16, 3, 3, 0, 80, 2, 0, 0], Some(("TLS", Some(Side::A))));
        check(&[0x17, 3, 3, 0, 80, 9, 9], Some(("TLS", None)));
        check(&[0x17, 3, 1, 0, 80, 9, 9], None);
        check(&[0x16, 3, 3, 0, 0, 1], None);
        check(&[0x16, 3, 3, 0xff, 0, 1], None);
    }

    #[test]
    fn protocols_are_told_by_their_first_bytes() {
        check(b"SSH-2.0-OpenSSH_9.2p1\r\n", Some(("SSH", None)));
        check(b"AMQP\x00\x00\x09\x01", Some(("AMQP", Some(Side::B))));
        check(b"\0\0\0\x08\x04\xd2\x16\x2f", Some(("PostgreSQL", Some(Side::B))));
        check(b"\0\0\0\x10\0\x03\0\0user\0x\0\0", Some(("PostgreSQL", Some(Side::B))));
        let op_msg = b"\x14\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0";
        check(op_msg, Some(("MongoDB", Some(Side::B))));
        check(b"\0\0\0\x0d\0\x12\0\x03\0\0\0\x01\0\x03abc", Some(("Kafka", Some(Side::B))));
        check(b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab", Some(("MQTT", Some(Side::B))));
        let initial = unread(Transport::Udp, Side::A, b"\xc3\0\0\0\x01\x08abcdefgh");
        assert_eq!(initial.map(|found| found.protocol), Some("QUIC"));
    }

    #[test]
    fn who_greets_with_a_name_is_told_by_it() {
        let (a, b) = (Some(Side::A), Some(Side::B));
        check(b"220 mail.example ESMTP Postfix\r\n", Some(("SMTP", a)));
        check(b"220-ProFTPD Server ready\r\n", Some(("FTP", a)));
        check(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", Some(("IMAP", a)));
        check(b"+OK POP3 ready <1@a.test>\r\n", Some(("POP3", a)));
        let stream = b"<?xml version='1.0'?><stream:stream xmlns:stream=\
            'http://etherx.jabber.org/streams' to='a.test'>";
        check(stream, Some(("XMPP", None)));
        let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
        check(bind, Some(("LDAP", b)));
        let asks = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
        check(asks, Some(("LDAP", b)));
    }

    #[test]
    fn what_might_be_anything_is_nothing() {
        for head in [
            &b""[..],
            b"\0",
            b"hello",
            b"220 mail.example\r\n",
            b"+OK\r\n",
            b"* OK ready\r\n",
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x02\x04\0\x80\0",
            b"\0\0\0\x11\0\x03\0\0user\0x\0\0",
            b"\x16\x03",
            b"\x10\x0e\0\x04HTTP",
        ] {
            check(head, None);
        }
    }
}
