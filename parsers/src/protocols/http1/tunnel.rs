//! What a request asks the connection to become, and what the answer grants: CONNECT leads to another
//! server (RFC 9110 section 9.3.6), Upgrade to another protocol (section 7.8).

use super::Connection;
use super::framing::Asked;
use super::head::Headers;
use crate::handed::{self, Handed, TUNNEL};

/// What a request asks the connection to become.
pub(super) struct Wish {
    operation: Vec<u8>,
    /// What it is asked for, as it may be shown.
    resource: Vec<u8>,
    is_connect: bool,
    headers: handed::Fields,
}

impl Wish {
    pub(super) fn of(
        method: &[u8],
        resource: &[u8],
        asked: Option<Asked>,
        headers: Headers<'_, '_>,
    ) -> Self {
        let resource = resource.get(..RESOURCE).unwrap_or(resource);
        Self {
            operation: method.to_vec(),
            resource: resource.to_vec(),
            is_connect: asked == Some(Asked::Connect),
            headers: handed::Fields::of(headers),
        }
    }
}

impl Connection {
    /// What the connection becomes, with the answer that was just read; that to a request that was
    /// not seen says what it can.
    pub(super) fn granted(&mut self, upgrade: Option<&[u8]>, headers: Headers<'_, '_>) -> Handed {
        let number = self.answered.checked_sub(1);
        let wish = self.wish.take().filter(|wish| Some(wish.0) == number).map(|wish| wish.1);
        let mut handed = Handed {
            by: "http",
            client: Some(self.client),
            granted: handed::Fields::of(headers),
            ..Handed::default()
        };
        if let Some(wish) = wish {
            if wish.is_connect {
                handed.tell(TUNNEL, &wish.resource);
                handed.server.clone_from(&wish.resource);
            }
            handed.operation = wish.operation;
            handed.resource = wish.resource;
            handed.asked = wish.headers;
        }
        if let (Some(upgrade), true) = (upgrade, handed.server.is_empty()) {
            // Several protocols may be switched to at once, of which the first is the next layer.
            let first = upgrade.split(|byte| *byte == b',').next().unwrap_or_default();
            handed.protocol = first.trim_ascii().to_ascii_lowercase();
        }
        handed
    }
}

/// Bytes of what is asked for that are kept.
const RESOURCE: usize = 1 << 10;
