//! Identifiers in bodies, where the user says that they stand there.

use crate::trace_context::body::{BodyReader, Form};
use crate::trace_context::own::OwnIds;

/// What reads the content of the body behind these headers, its codings taken off, if anything in it
/// is asked for.
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
        }
    }
    BodyReader::new(Form::of(media_type)?, ids).map(Box::new)
}
