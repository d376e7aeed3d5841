//! Calls of gRPC, and of what is like it, on one stream.

use super::fields::{FieldList, Head};
use crate::message::{Dialect, Status};
use crate::protocol::{Key, Out, Timestamp};
use crate::protocols::http::Role;

/// What a message may be besides one of HTTP/2.
pub(super) const DIALECTS: &[&str] = &["grpc"];

/// A call, as far as it was seen.
pub(super) struct Call {}

/// What a call shows as operation and resource of its request, borrowed from the path.
pub(super) struct Name<'b> {
    pub(super) method: &'b [u8],
    pub(super) service: &'b [u8],
    /// Which of [`DIALECTS`] it is.
    pub(super) dialect: Dialect,
}

impl Call {
    /// The call that a request opens, if it is one, and what it is called.
    pub(super) fn of<'b>(_head: &Head<'b>, _list: &'b FieldList) -> Option<(Box<Self>, Name<'b>)> {
        None
    }

    /// The request was opened under this key; its head is read once more for attributes.
    pub(super) fn request(&mut self, _key: Key, _list: &FieldList, _out: &mut dyn Out) {}

    /// The head of the response was opened; gives its status where that is told otherwise than by
    /// the code of HTTP. `ends`: no trailers follow, so that these are them (Trailers-Only).
    pub(super) fn response(
        &mut self,
        _key: Key,
        _list: &FieldList,
        _ends: bool,
        _out: &mut dyn Out,
    ) -> Option<Status<'static>> {
        None
    }

    /// How many of the next bytes of one side's body need not be shown, as they are of a message
    /// whose head was read; `u64::MAX` for all. [`Call::skip`] tells that they were passed over.
    pub(super) fn skippable(&self, _from: Role) -> u64 {
        u64::MAX
    }

    /// So many bytes of one side's body were passed over, or are lost.
    pub(super) fn skip(&mut self, _from: Role, _bytes: u64, _at: Timestamp) {}

    /// Reads the next bytes of one side's body.
    pub(super) fn data(&mut self, _from: Role, _bytes: &[u8], _at: Timestamp) {}

    /// Bytes of one side's body are lost, and nobody knows how many.
    pub(super) fn lose(&mut self, _from: Role) {}

    /// The fields behind one side's body. Whoever calls adds their unknown ones.
    pub(super) fn trailers(
        &mut self,
        _from: Role,
        _key: Key,
        _list: &FieldList,
        _out: &mut dyn Out,
    ) {
    }

    /// One side has ended, and its message is closed next.
    pub(super) fn end(&mut self, _from: Role, _key: Key, _out: &mut dyn Out) {}
}
