//! The headers of one message in, what they tell out.
//! <https://www.rfc-editor.org/rfc/rfc9110>

use super::Role;
use super::target::Target;
use crate::inflate::Codings;
use crate::message::{Attribute, Message, Outcome, Status, Value};
use crate::metadata::{Metadata, Pairs};
use crate::protocol::{Key, Out};
use crate::secrets::{Secrets, masked};
use crate::settings::Settings;
use crate::trace_context::Collector;
use crate::trace_context::own::OwnIds;
use memchr::memchr2;

/// The headers of one message that say something to us in every version.
#[derive(Default)]
pub(in crate::protocols) struct Fields<'b> {
    pub(in crate::protocols) host: Option<&'b [u8]>,
    pub(in crate::protocols) user_agent: Option<&'b [u8]>,
    pub(in crate::protocols) content_type: Option<&'b [u8]>,
    /// What the body is coded with.
    pub(in crate::protocols) codings: Codings,
    pub(in crate::protocols) contexts: Collector<'b>,
}

impl<'b> Fields<'b> {
    pub(in crate::protocols) fn new(ids: &'b OwnIds) -> Self {
        Self { contexts: Collector::new(ids), ..Self::default() }
    }

    pub(in crate::protocols) fn take(&mut self, name: &[u8], value: &'b [u8]) {
        // A comparison of whole names is what costs, and few headers pass this.
        match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (4, Some(b'h')) if name.eq_ignore_ascii_case(b"host") => {
                self.host.get_or_insert(value);
            }
            (10, Some(b'u')) if name.eq_ignore_ascii_case(b"user-agent") => {
                self.user_agent.get_or_insert(value);
            }
            (12, Some(b'c')) if name.eq_ignore_ascii_case(b"content-type") => {
                self.content_type.get_or_insert(value);
            }
            (16, Some(b'c')) if name.eq_ignore_ascii_case(b"content-encoding") => {
                self.codings.add(value);
            }
            _ => self.contexts.header(name, value),
        }
    }

    /// Opens a request with what its target and these headers tell.
    pub(in crate::protocols) fn open_request(
        &self,
        message: Message<'_>,
        (method, target): (&[u8], Target<'_>),
        settings: &Settings,
        scratch: &mut Vec<u8>,
        out: &mut dyn Out,
    ) -> Key {
        let secrets = &settings.secrets;
        let resource = masked(target.path, scratch, |f| secrets.in_path(target.path, f));
        let key = out.open(Message { operation: method, resource, ..message });
        if let Some(query) = target.query {
            let query = masked(query, scratch, |f| secrets.in_query(query, f));
            add(out, key, "url.query", Value::Text(query));
        }
        // RFC 9112 section 3.2.2: the target's host replaces that of the header.
        let host = if method == b"CONNECT" { None } else { target.authority };
        text(out, key, "server.address", host.or(self.host), scratch);
        text(out, key, "user_agent.original", self.user_agent, scratch);
        self.add_type(key, Role::Client, scratch, out);
        key
    }

    /// Adds the type of the body; among all headers stands this one too.
    pub(in crate::protocols) fn add_type(
        &self,
        key: Key,
        role: Role,
        scratch: &mut Vec<u8>,
        out: &mut dyn Out,
    ) {
        let name = match role {
            Role::Client => "http.request.header.content-type",
            Role::Server => "http.response.header.content-type",
        };
        if !out.wants_details() {
            text(out, key, name, self.content_type, scratch);
        }
    }

    /// Tells the identifiers, also those in the query of a request where the user named some.
    pub(in crate::protocols) fn tell_ids(
        mut self,
        key: Key,
        query: Option<&[u8]>,
        out: &mut dyn Out,
    ) {
        if let Some(query) = query {
            self.contexts.query(query);
        }
        self.contexts.finish(&mut |context| out.context(key, context));
    }
}

/// RFC 9110 section 15.2; 101 is final, since after it HTTP is over.
pub(in crate::protocols) fn is_interim(code: u16) -> bool {
    code != 101 && (100..=199).contains(&code)
}

pub(in crate::protocols) fn status(code: u16) -> Status<'static> {
    let outcome = match code {
        100..=399 => Outcome::Ok,
        400..=499 => Outcome::ClientError,
        500..=599 => Outcome::ServerError,
        _ => Outcome::Unknown,
    };
    Status { outcome, code: code.into(), text: &[] }
}

pub(in crate::protocols) fn add(out: &mut dyn Out, key: Key, name: &str, value: Value<'_>) {
    out.add(key, Attribute { name, value });
}

pub(in crate::protocols) fn add_size(out: &mut dyn Out, key: Key, role: Role, size: u64) {
    let name = match role {
        Role::Client => "http.request.body.size",
        Role::Server => "http.response.body.size",
    };
    add(out, key, name, Value::Int(i64::try_from(size).unwrap_or(i64::MAX)));
}

/// Adds all headers by their names, so many and so much of them, secrets masked.
pub(in crate::protocols) fn add_headers<'b>(
    out: &mut dyn Out,
    key: Key,
    role: Role,
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    secrets: &Secrets,
) {
    let prefix = match role {
        Role::Client => "http.request.header.",
        Role::Server => "http.response.header.",
    };
    let mut metadata = Metadata::new(prefix, "wirespan.http.headers_left_out", secrets);
    let mut scratch = Vec::new();
    for (name, value) in headers {
        metadata.text(key, name, unfolded(value, &mut scratch), out);
    }
    metadata.finish(key, out);
}

/// Adds trailing fields by their names, secrets masked, as long as there is room.
pub(in crate::protocols) fn add_trailers<'b>(
    out: &mut dyn Out,
    key: Key,
    role: Role,
    fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    mut room: usize,
    secrets: &Secrets,
) {
    let prefix = match role {
        Role::Client => "http.request.trailer.",
        Role::Server => "http.response.trailer.",
    };
    let mut pairs = Pairs::new(prefix, secrets);
    let mut scratch = Vec::new();
    for (name, value) in fields {
        let Some(left) = room.checked_sub(name.len() + value.len()) else { return };
        room = left;
        pairs.text(key, name, unfolded(value, &mut scratch), out);
    }
}

pub(in crate::protocols) fn text(
    out: &mut dyn Out,
    key: Key,
    name: &str,
    value: Option<&[u8]>,
    scratch: &mut Vec<u8>,
) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    add(out, key, name, Value::Text(unfolded(value, scratch)));
}

/// RFC 9112 section 5.2: a line fold is replaced by spaces.
fn unfolded<'v>(value: &'v [u8], scratch: &'v mut Vec<u8>) -> &'v [u8] {
    if memchr2(b'\r', b'\n', value).is_none() {
        return value;
    }
    scratch.clear();
    scratch.extend(value.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        byte => *byte,
    }));
    scratch
}

/// Bytes of trailing fields that are told.
pub(in crate::protocols) const TRAILERS_ROOM: usize = 2 << 10;
