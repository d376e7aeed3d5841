//! Which protocol a flow speaks: by content; a port only breaks a tie.

use crate::protocol::{FlowInfo, Probe, Protocol, Side};

/// What the first bytes of one side came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// The protocol at this place of the list, and the side that sends its requests.
    Found {
        /// Its place in the list.
        protocol: usize,
        /// The side that sends requests.
        client: Side,
    },
    /// None of them.
    No,
    /// More bytes are needed.
    Unsure,
}

/// Asks each protocol about the first bytes of one side.
pub fn detect(
    protocols: &mut [Box<dyn Protocol>],
    flow: &FlowInfo,
    from: Side,
    head: &[u8],
) -> Detection {
    let mut possible = None;
    for (place, protocol) in protocols.iter_mut().enumerate() {
        if !protocol.runs_over(flow.transport) {
            continue;
        }
        match protocol.probe(flow, from, head) {
            Probe::Certain { client } => return Detection::Found { protocol: place, client },
            Probe::No => {}
            Probe::Unsure { client } => {
                if protocol.port(flow.port(client.other())) {
                    return Detection::Found { protocol: place, client };
                }
                possible = Some(place);
            }
        }
    }
    match possible {
        Some(_) => Detection::Unsure,
        None => Detection::No,
    }
}
