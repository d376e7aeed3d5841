//! What the first bytes of a flow say: a start of a session, or messages in a row that end where
//! their sender waits. After a gap, whether a message surely starts here.

use super::framing::Stop;
use super::shape::{Chain, Sender, chain, is_text};
use super::startup::Startup;
use crate::message::Side;
use crate::protocol::Probe;

/// What the first bytes of one side say.
pub(super) fn probe(from: Side, head: &[u8]) -> Probe {
    let other = from.other();
    if head.first() == Some(&0) {
        return match Startup::read(head) {
            Ok(_) => Probe::Certain { client: from },
            Err(Stop::Short(_)) => Probe::Unsure { client: from },
            Err(Stop::Bad(_)) => Probe::No,
        };
    }
    // The answer to a request for TLS has no length.
    if let [b'S' | b'N' | b'G'] = head {
        return Probe::Unsure { client: other };
    }
    match (chain(Sender::Frontend, head), chain(Sender::Backend, head)) {
        (Chain::Ended, _) => Probe::Certain { client: from },
        (_, Chain::Ended) => Probe::Certain { client: other },
        (Chain::Broken, Chain::Broken) => Probe::No,
        (Chain::Broken, _) => Probe::Unsure { client: other },
        _ => Probe::Unsure { client: from },
    }
}

/// Whether a message of the client surely starts here.
pub(super) fn client_resumes(input: &[u8]) -> bool {
    match chain(Sender::Frontend, input) {
        Chain::Ended => true,
        // An end or a Sync, and nothing else.
        _ if matches!(input, [b'X' | b'S', 0, 0, 0, 4]) => true,
        // A long query, of which only the start is here.
        Chain::Open { whole: 0, first: b'Q' | b'P' } => {
            let text = input.get(5..).unwrap_or_default();
            let text = if input.first() == Some(&b'P') {
                text.splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default()
            } else {
                text
            };
            let shown = text.get(..TEXT_SHOWN).unwrap_or_default();
            !shown.is_empty() && is_text(shown).is_some()
        }
        Chain::Open { whole, .. } => whole >= 2,
        Chain::Broken => Startup::read(input).is_ok(),
    }
}

/// Whether a proof surely starts here, where a login is under way.
pub(super) fn login_resumes(input: &[u8]) -> bool {
    matches!(chain(Sender::Frontend, input), Chain::Open { whole: 1.., first: b'p' })
}

/// Whether a message of the server surely starts here.
pub(super) fn server_resumes(input: &[u8]) -> bool {
    match chain(Sender::Backend, input) {
        Chain::Ended => true,
        Chain::Open { whole, first: b'1' | b'2' | b'3' | b'T' | b't' | b'n' | b'E' | b'R' } => {
            whole >= 1
        }
        Chain::Open { whole, .. } => whole >= 2,
        Chain::Broken => false,
    }
}

/// So much of a long query must be text.
const TEXT_SHOWN: usize = 16;
