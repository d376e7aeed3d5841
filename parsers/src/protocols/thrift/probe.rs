//! What the first bytes of a flow say: whether a message starts there.

use super::head::{Encoding, Head, Type};
use super::opening::{Body, Opening};
use super::stop::Stop;
use crate::message::Side;
use crate::protocol::Probe;

pub(super) fn probe(from: Side, head: &[u8]) -> Probe {
    let opening = match Opening::read(head) {
        Ok(opening) => opening,
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    let message = match &opening.body {
        Body::Plain(message) => *message,
        // A magic, sizes that fit, and a message within.
        Body::Inflated(plain) => match Head::read(plain) {
            Ok(message) => return Probe::Certain { client: client(from, message.kind) },
            Err(_) => return Probe::No,
        },
        Body::Unreadable => return Probe::Unsure { client: from },
    };
    let client = client(from, message.kind);
    match after(&message, head.get(opening.at..).unwrap_or_default()) {
        After::Fits if message.encoding != Encoding::OldBinary => Probe::Certain { client },
        After::Fits | After::Short => Probe::Unsure { client },
        After::No => Probe::No,
    }
}

fn client(from: Side, kind: Type) -> Side {
    if kind.is_answer() { from.other() } else { from }
}

/// What stands behind the head of a message.
enum After {
    /// The beginning of a struct.
    Fits,
    Short,
    No,
}

fn after(message: &Head<'_>, rest: &[u8]) -> After {
    // Nobody calls a method without a name.
    if message.name.is_empty() {
        return After::No;
    }
    let Some(first) = rest.first() else { return After::Short };
    let is_field = match message.encoding {
        Encoding::Json => *first == b'{',
        // A field's type, or a stop; from ids above 15 on no delta.
        Encoding::Compact => *first == 0 || matches!(first & 0x0f, 1..=13),
        Encoding::Binary | Encoding::OldBinary => {
            matches!(first, 0 | 2..=4 | 6 | 8 | 10..=16 | 19)
        }
    };
    if is_field { After::Fits } else { After::No }
}
