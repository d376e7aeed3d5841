//! What is kept of one stream: the two messages on it, as far as they have come.

use super::flow_control::StreamWindow;
use crate::protocol::{Key, Out};
use crate::protocols::http::Role;
use crate::protocols::http::body_secrets::BodySecrets;
use crate::protocols::http::content::Content;
use crate::protocols::http::rpc::Call;
use crate::protocols::http::tunnel::Wish;

/// One stream.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) request: Half,
    pub(super) response: Half,
    /// What asks on it, also after its end, until the head of the answer.
    pub(super) asked: Option<Key>,
    /// Whether it carries something else than bodies.
    pub(super) is_tunnel: bool,
    /// Where that leads, until it is granted.
    pub(super) wish: Option<Box<Wish>>,
    /// Its request came in HTTP/1 (RFC 7540 section 3.2).
    pub(super) is_upgraded: bool,
    /// The code of its response, 0 if that is not known.
    pub(super) code: u16,
    /// What of it is gRPC's.
    pub(super) call: Option<Box<Call>>,
    /// Entries of its request that are not known, where these may tell that others are calls.
    pub(super) unseen: Box<[i64]>,
}

impl Stream {
    pub(super) fn half(&mut self, role: Role) -> &mut Half {
        match role {
            Role::Client => &mut self.request,
            Role::Server => &mut self.response,
        }
    }

    /// Whether something of it is still told.
    pub(super) fn has_open(&self) -> bool {
        self.is_tunnel || self.request.key.is_some() || self.response.key.is_some()
    }

    /// Whether nothing more comes on it.
    pub(super) fn is_over(&self) -> bool {
        self.request.has_ended && self.response.has_ended
    }
}

/// One message of a stream.
#[derive(Default)]
pub(super) struct Half {
    /// Its message, once its head was seen and as long as it is open.
    pub(super) key: Option<Key>,
    /// Whether its head was seen, or was lost and something after it was seen.
    pub(super) has_begun: bool,
    pub(super) has_ended: bool,
    /// Whether bytes that were lost may be of it.
    pub(super) has_gap: bool,
    /// Whether its end may be among them, as nothing of it was seen since.
    pub(super) may_have_ended: bool,
    /// Bytes of its frames so far.
    pub(super) bytes: u64,
    /// Bytes of its body so far.
    pub(super) size: u64,
    pub(super) window: StreamWindow,
    /// What is secret in its body, where that is asked for.
    pub(super) secrets: Option<Box<BodySecrets>>,
    /// What is wanted of its body, where anything is.
    pub(super) content: Option<Box<Content>>,
}

impl Half {
    /// So many more bytes of frames are its own.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Its message, under this key, is complete.
    pub(super) fn close(&self, key: Key, end: usize, out: &mut dyn Out) {
        // What a frame of the connection says of it has no bytes of its own.
        if self.bytes > 0 {
            out.own(key, self.bytes);
        }
        out.close(key, end);
    }

    /// Whether somebody looks at the next bytes of its body.
    pub(super) fn looks(&self) -> bool {
        self.secrets.is_some()
            || self.content.as_ref().is_some_and(|content| content.looks_at() > 0)
    }
}
