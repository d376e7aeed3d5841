//! The headers of one message of HTTP/1 in, what they tell out.

use super::framing::Lengths;
use super::head::Headers;
use crate::protocols::http::fields;
use crate::trace_context::own::OwnIds;

/// The headers of one message that say something to us.
#[derive(Default)]
pub(super) struct Fields<'b> {
    pub(super) common: fields::Fields<'b>,
    pub(super) upgrade: Option<&'b [u8]>,
    pub(super) expects: bool,
    pub(super) lengths: Lengths,
    transfer: Option<&'b [u8]>,
    /// Whether it has a header that calls have beside the type of content.
    is_of_call: bool,
}

impl<'b> Fields<'b> {
    pub(super) fn of(headers: Headers<'_, 'b>, ids: &'b OwnIds) -> Self {
        let mut fields = Self { common: fields::Fields::new(ids), ..Self::default() };
        for (name, value) in headers {
            fields.take(name, value);
        }
        // RFC 9112 section 6.1: these are put on last.
        if let Some(transfer) = fields.transfer {
            fields.common.codings.add(transfer);
        }
        fields
    }

    /// Whether it may be a call that HTTP carries: few others are looked at closer.
    pub(super) fn may_call(&self) -> bool {
        let starts = |value: &[u8], prefix: &[u8]| {
            value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        self.is_of_call
            || self.common.content_type.is_some_and(|value| {
                starts(value, b"application/grpc") || starts(value, b"application/connect")
            })
    }

    fn take(&mut self, name: &[u8], value: &'b [u8]) {
        // A comparison of whole names is what costs, and few headers pass this.
        match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (6, Some(b'e')) if name.eq_ignore_ascii_case(b"expect") => {
                self.expects |= value.eq_ignore_ascii_case(b"100-continue");
            }
            (7, Some(b'u')) if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade.get_or_insert(value);
            }
            (14, Some(b'c')) if name.eq_ignore_ascii_case(b"content-length") => {
                self.lengths.content_length(value);
            }
            (17, Some(b't')) if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.lengths.transfer_encoding(value);
                self.transfer.get_or_insert(value);
            }
            (24, Some(b'c')) if name.eq_ignore_ascii_case(b"connect-protocol-version") => {
                self.is_of_call = true;
            }
            (8.., Some(b't'))
                if name.get(1..4).is_some_and(|rest| rest.eq_ignore_ascii_case(b"ri-")) =>
            {
                self.is_of_call = true;
                self.common.take(name, value);
            }
            _ => self.common.take(name, value),
        }
    }
}
