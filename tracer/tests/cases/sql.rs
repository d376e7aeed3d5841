//! Packets of MySQL and messages of PostgreSQL; the seams say the same.

/// Payloads as packets of MySQL, the first of which has this number.
pub(crate) fn mysql(first: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, payload) in payloads.iter().enumerate() {
        bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
        bytes.push(first.wrapping_add(number as u8));
        bytes.extend(*payload);
    }
    bytes
}

/// The usual capabilities, with a database.
const CAPABILITIES: u32 = 0x0028_8209;

pub(crate) fn greeting() -> Vec<u8> {
    let [a, b, c, d] = CAPABILITIES.to_le_bytes();
    let start = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0";
    let name = b"\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0";
    [&start[..], &[a, b], b"\xff\x02\0", &[c, d], name].concat()
}

pub(crate) fn login() -> Vec<u8> {
    let names = b"joe\0\x04hashshop\0caching_sha2_password\0";
    [&CAPABILITIES.to_le_bytes()[..], b"\0\0\0\x01\xff", &[0; 23], names].concat()
}

pub(crate) const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// A message of PostgreSQL.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind], &length[..], body].concat()
}

pub(crate) fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0joe\0database\0shop\0\0";
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

pub(crate) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// One column of text.
pub(crate) const COLUMN: &[u8] = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
