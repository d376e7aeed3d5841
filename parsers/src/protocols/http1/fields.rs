//! The headers of one message in, what they tell out.
//! <https://www.rfc-editor.org/rfc/rfc9110>

use super::framing::Lengths;
use super::head::{Headers, Role};
use crate::message::{Attribute, Outcome, Status, Value};
use crate::protocol::{Key, Out};
use crate::trace_context::Collector;
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
    pub(super) fn of(headers: Headers<'_, 'b>) -> Self {
        let mut fields = Self::default();
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
