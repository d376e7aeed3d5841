//! The headers of one message in, what they tell out.
//! <https://www.rfc-editor.org/rfc/rfc9110>

use super::framing::Lengths;
use super::head::{Headers, Role};
use crate::message::{Attribute, Outcome, Status, Value};
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, masked};
use crate::trace_context::Collector;
use crate::trace_context::own::OwnIds;
use memchr::memchr;

/// The headers of one message that say something to us.
#[derive(Default)]
pub(super) struct Fields<'b> {
    pub(super) host: Option<&'b [u8]>,
    pub(super) user_agent: Option<&'b [u8]>,
    pub(super) content_type: Option<&'b [u8]>,
    pub(super) expects: bool,
    pub(super) lengths: Lengths,
    pub(super) contexts: Collector<'b>,
}

impl<'b> Fields<'b> {
    pub(super) fn of(headers: Headers<'_, 'b>, ids: &'b OwnIds) -> Self {
        let mut fields = Self { contexts: Collector::new(ids), ..Self::default() };
        for (name, value) in headers {
            fields.take(name, value);
        }
        fields
    }

    fn take(&mut self, name: &[u8], value: &'b [u8]) {
        // A comparison of whole names is what costs, and few headers pass this.
        match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (4, Some(b'h')) if name.eq_ignore_ascii_case(b"host") => {
                self.host.get_or_insert(value);
            }
            (6, Some(b'e')) if name.eq_ignore_ascii_case(b"expect") => {
                self.expects |= value.eq_ignore_ascii_case(b"100-continue");
            }
            (10, Some(b'u')) if name.eq_ignore_ascii_case(b"user-agent") => {
                self.user_agent.get_or_insert(value);
            }
            (12, Some(b'c')) if name.eq_ignore_ascii_case(b"content-type") => {
                self.content_type.get_or_insert(value);
            }
            (14, Some(b'c')) if name.eq_ignore_ascii_case(b"content-length") => {
                self.lengths.content_length(value);
            }
            (17, Some(b't')) if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.lengths.transfer_encoding(value);
            }
            _ => self.contexts.header(name, value),
        }
    }
}

/// RFC 9110 section 15.2; 101 is final, since after it HTTP is over.
pub(super) fn is_interim(code: u16) -> bool {
    code != 101 && (100..=199).contains(&code)
}

pub(super) fn status(code: u16) -> Status<'static> {
    let outcome = match code {
        100..=399 => Outcome::Ok,
        400..=499 => Outcome::ClientError,
        500..=599 => Outcome::ServerError,
        _ => Outcome::Unknown,
    };
    Status { outcome, code: code.into(), text: &[] }
}

pub(super) fn add(out: &mut dyn Out, key: Key, name: &str, value: Value<'_>) {
    out.add(key, Attribute { name, value });
}

pub(super) fn add_size(out: &mut dyn Out, key: Key, role: Role, size: u64) {
    let name = match role {
        Role::Client => "http.request.body.size",
        Role::Server => "http.response.body.size",
    };
    add(out, key, name, Value::Int(i64::try_from(size).unwrap_or(i64::MAX)));
}

/// Adds all headers by their names, so many and so much of them, secrets masked.
pub(super) fn add_headers(
    out: &mut dyn Out,
    key: Key,
    role: Role,
    headers: Headers<'_, '_>,
    secrets: &Secrets,
) {
    let prefix = match role {
        Role::Client => "http.request.header.",
        Role::Server => "http.response.header.",
    };
    let mut scratch = Vec::new();
    let mut room = HEADERS_ROOM;
    let mut left_out = 0;
    for (place, (name, value)) in headers.enumerate() {
        let size = prefix.len() + name.len() + value.len().min(VALUE_LIMIT);
        if place >= HEADERS_LIMIT || size > room || name.len() > NAME_LIMIT {
            left_out += 1;
            continue;
        }
        room -= size;
        add_header(out, key, prefix, (name, value), secrets, &mut scratch);
    }
    if left_out > 0 {
        add(out, key, "wirespan.http.headers_left_out", Value::Int(left_out));
    }
}

/// Adds one header, or trailing field, as it may be shown.
pub(super) fn add_header(
    out: &mut dyn Out,
    key: Key,
    prefix: &str,
    (name, value): (&[u8], &[u8]),
    secrets: &Secrets,
    scratch: &mut Vec<u8>,
) {
    let mut full_name = String::from(prefix);
    full_name.extend(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    let mut shown = masked(value, scratch, |f| secrets.in_header(name, value, f)).to_vec();
    if shown.len() > VALUE_LIMIT {
        shown.truncate(VALUE_LIMIT);
        shown.extend_from_slice(CUT);
    }
    // RFC 9112 section 5.2: a line fold is replaced by spaces.
    for byte in shown.iter_mut().filter(|byte| matches!(**byte, b'\r' | b'\n')) {
        *byte = b' ';
    }
    add(out, key, &full_name, Value::Text(&shown));
}

pub(super) fn text(
    out: &mut dyn Out,
    key: Key,
    name: &str,
    value: Option<&[u8]>,
    scratch: &mut Vec<u8>,
) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    if memchr(b'\n', value).is_none() {
        add(out, key, name, Value::Text(value));
        return;
    }
    // RFC 9112 section 5.2: a line fold is replaced by spaces.
    scratch.clear();
    scratch.extend(value.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        byte => *byte,
    }));
    add(out, key, name, Value::Text(scratch));
}

/// Headers of one message that are added by their names, and bytes of them.
pub(super) const HEADERS_LIMIT: usize = 64;
const HEADERS_ROOM: usize = 6 << 10;

/// The longest name of a header that is added.
const NAME_LIMIT: usize = 128;

/// Bytes of a header's value that are shown.
const VALUE_LIMIT: usize = 1 << 10;

const CUT: &[u8] = "…".as_bytes();
