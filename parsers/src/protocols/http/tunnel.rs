//! What a request asks for beside an answer: CONNECT leads to another server (RFC 9110 section
//! 9.3.6), or to another protocol on its stream (RFC 8441), and so does Upgrade on its connection
//! (RFC 9110 section 7.8). The request and its answer in; what is told of what follows, out.

use crate::handed::{self, Handed, TUNNEL};
use crate::message::Side;

/// What a request asks for.
pub(in crate::protocols) struct Wish {
    /// What it is asked for, as it may be shown.
    resource: Vec<u8>,
    leads: Leads,
}

/// Where a request wants to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocols) enum Leads {
    /// To the server that it names.
    Away,
    /// To a protocol that the answer names.
    Elsewhere,
    /// To this protocol.
    To(Vec<u8>),
}

impl Leads {
    /// To the protocol of this name.
    pub(in crate::protocols) fn to(name: &[u8]) -> Self {
        Self::To(name.get(..PROTOCOL).unwrap_or(name).to_vec())
    }
}

impl Wish {
    /// Of a request for what may be shown of its target.
    pub(in crate::protocols) fn of(resource: &[u8], leads: Leads) -> Self {
        Self { resource: resource.get(..RESOURCE).unwrap_or(resource).to_vec(), leads }
    }
}

/// What is granted by the answer with these headers, and this word of a protocol; that to a request
/// that was not seen says what it can.
pub(in crate::protocols) fn granted<'b>(
    wish: Option<Wish>,
    client: Side,
    upgrade: Option<&[u8]>,
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
) -> Handed {
    let mut handed = Handed {
        by: "http",
        client: Some(client),
        granted: handed::Fields::of(headers),
        ..Handed::default()
    };
    let mut protocol = upgrade.map(<[u8]>::to_vec);
    if let Some(wish) = wish {
        match wish.leads {
            Leads::Away => {
                handed.tell(TUNNEL, &wish.resource);
                handed.server.clone_from(&wish.resource);
                protocol = None;
            }
            Leads::Elsewhere => {}
            Leads::To(name) => protocol = Some(name),
        }
        handed.resource = wish.resource;
    }
    // Several protocols may be switched to at once, of which the first is the next layer.
    let mut names = protocol.as_deref().unwrap_or_default().split(|byte| *byte == b',');
    let first = names.next().unwrap_or_default().trim_ascii();
    handed.protocol = first.get(..PROTOCOL).unwrap_or(first).to_ascii_lowercase();
    handed
}

/// Bytes of what is asked for that are kept, and of the name of a protocol.
const RESOURCE: usize = 1 << 10;
const PROTOCOL: usize = 64;
