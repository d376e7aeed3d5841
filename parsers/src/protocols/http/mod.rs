//! What requests and responses of HTTP say, whatever version carries them: targets, headers and
//! bodies in, attributes, identifiers and secrets out. <https://www.rfc-editor.org/rfc/rfc9110>

pub(in crate::protocols) mod target;

pub(in crate::protocols) mod fields;

pub(in crate::protocols) mod body_secrets;

pub(in crate::protocols) mod body_ids;

pub(in crate::protocols) mod content;

pub(in crate::protocols) mod tunnel;

pub(in crate::protocols) mod rpc;

/// Who sends the messages of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocols) enum Role {
    Client,
    Server,
}
