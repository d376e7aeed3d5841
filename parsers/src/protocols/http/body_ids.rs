//! Identifiers in bodies, where the user says that they stand there.

use crate::trace_context::body::{BodyReader, Form};
use crate::trace_context::own::OwnIds;

/// What reads the body behind these headers, if anything in it is asked for.
pub(in crate::protocols) fn reader<'b>(
    ids: &OwnIds,
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
) -> Option<Box<BodyReader>> {
    if ids.fields().is_empty() {
        return None;
    }
    let mut media_type = None;
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(b"content-type") {
            media_type.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding")
            || name.eq_ignore_ascii_case(b"transfer-encoding")
        {
            let plain: [&[u8]; 3] = [b"", b"identity", b"chunked"];
            if !plain.iter().any(|plain| value.trim_ascii().eq_ignore_ascii_case(plain)) {
                return None;
            }
        }
    }
    BodyReader::new(Form::of(media_type)?, ids).map(Box::new)
}
