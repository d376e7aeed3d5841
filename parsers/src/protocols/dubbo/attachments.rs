//! The attachments of a message in, what they tell out: identifiers, deadlines, who calls.

use super::form::Form;
use super::walk::{Stop, Value};
use crate::message::{self, Attribute};
use crate::metadata::Metadata;
use crate::protocol::{Key, Out};
use crate::settings::Settings;
use crate::trace_context::Collector;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

/// Where the attachments of a message stand.
pub(super) struct Place<'b> {
    /// Their bytes, to the end of the body.
    pub(super) bytes: &'b [u8],
    /// The offset of these in the input.
    pub(super) at: usize,
    pub(super) is_request: bool,
    /// The service that was called, where it is known.
    pub(super) service: &'b [u8],
}

/// Tells what the attachments say.
///
/// # Errors
/// Where they end before their end; what stood before that was told.
pub(super) fn tell(
    place: &Place<'_>,
    form: &mut Form,
    key: Key,
    settings: &Settings,
    out: &mut dyn Out,
) -> Result<(), Stop> {
    let mut pairs: SmallVec<[(Cow<'_, [u8]>, Value<'_>); 16]> = SmallVec::new();
    let mut own: SmallVec<[Range<usize>; 4]> = SmallVec::new();
    let mut hide = |range: Range<usize>| {
        if settings.locate_secrets && !range.is_empty() {
            own.push(range);
        }
    };
    let mut found = |name, value| pairs.push((name, value));
    let read = form.pairs(place.bytes, &mut found, &mut hide);
    let mut contexts = Collector::new(&settings.ids);
    let mut timeout = timeout(&pairs).filter(|_| place.is_request);
    for (name, value) in &pairs {
        if let Value::Text(text) = value {
            contexts.header(known(name), text);
        }
        if place.is_request {
            if matches!(&**name, b"timeout" | b"_TO")
                && let Some(timeout) = timeout.take()
            {
                let value = message::Value::Int(timeout);
                out.add(key, Attribute { name: "wirespan.rpc.timeout_ms", value });
            }
            tell_own(place, key, (name, value), out);
        }
    }
    if settings.locate_secrets {
        locate(place, key, &pairs, own, settings, out);
    }
    contexts.finish(&mut |context| out.context(key, context));
    if out.wants_details() {
        add_all(place.is_request, key, &pairs, settings, out);
    }
    read
}

/// The name under which others carry the same identifier: Pinpoint has names of its own here.
/// <https://github.com/pinpoint-apm/pinpoint> (`ApacheDubboConstants`)
fn known(name: &[u8]) -> &[u8] {
    match name {
        b"_DUBBO_TRASACTION_ID" => b"pinpoint-traceid",
        b"_DUBBO_SPAN_ID" => b"pinpoint-spanid",
        b"_DUBBO_PARENT_SPAN_ID" => b"pinpoint-pspanid",
        name => name,
    }
}

/// How long the caller waits, in milliseconds: what it has worked out, else what is configured.
fn timeout(pairs: &[(Cow<'_, [u8]>, Value<'_>)]) -> Option<i64> {
    let number = |wanted: &[u8]| {
        pairs.iter().filter(|(name, _)| **name == *wanted).find_map(|(_, value)| match value {
            Value::Int(number) => Some(*number),
            Value::Text(text) => str::from_utf8(text).ok()?.parse().ok(),
            Value::Other => None,
        })
    };
    number(b"_TO").or_else(|| number(b"timeout"))
}

/// What Dubbo itself puts in.
fn tell_own(place: &Place<'_>, key: Key, (name, value): (&[u8], &Value<'_>), out: &mut dyn Out) {
    let name = match name {
        b"remote.application" => "wirespan.rpc.client.application",
        b"group" => "wirespan.rpc.service.group",
        b"path" => "wirespan.dubbo.path",
        _ => return,
    };
    let Value::Text(text) = value else { return };
    if name == "wirespan.dubbo.path" && **text == *place.service {
        return;
    }
    if !text.is_empty() {
        out.add(key, Attribute { name, value: message::Value::Text(text) });
    }
}

/// Tells which bytes are secret, beside those of values that are not told. What stands on the wire in
/// another way than it reads is not looked for: then all attachments are.
fn locate(
    place: &Place<'_>,
    key: Key,
    pairs: &[(Cow<'_, [u8]>, Value<'_>)],
    mut ranges: SmallVec<[Range<usize>; 4]>,
    settings: &Settings,
    out: &mut dyn Out,
) {
    let mut are_all = false;
    for (name, value) in pairs {
        let text = match value {
            Value::Text(text) => text,
            Value::Int(_) => {
                are_all |= settings.secrets.has(name);
                continue;
            }
            Value::Other => continue,
        };
        let start = match text {
            Cow::Borrowed(text) => text.as_ptr().addr().wrapping_sub(place.bytes.as_ptr().addr()),
            Cow::Owned(_) => usize::MAX,
        };
        settings.secrets.in_header(name, text, &mut |range| {
            ranges.push(start.saturating_add(range.start)..start.saturating_add(range.end));
        });
    }
    if are_all || ranges.iter().any(|range| range.end > place.bytes.len()) {
        ranges.clear();
        ranges.push(0..place.bytes.len());
    }
    for range in ranges {
        out.secret(key, (place.at + range.start) as u64..(place.at + range.end) as u64);
    }
}

/// Adds all by their names.
fn add_all(
    is_request: bool,
    key: Key,
    pairs: &[(Cow<'_, [u8]>, Value<'_>)],
    settings: &Settings,
    out: &mut dyn Out,
) {
    let mut metadata = match is_request {
        true => Metadata::of_request(&settings.secrets),
        false => Metadata::of_response(&settings.secrets),
    };
    for (name, value) in pairs {
        match value {
            Value::Text(text) => metadata.text(key, name, text, out),
            Value::Int(number) => metadata.number(key, name, *number, out),
            Value::Other => {}
        }
    }
    metadata.finish(key, out);
}
