//! Which protocol a flow speaks: by content; a port only breaks a tie.

use crate::message::Side;
use crate::protocol::{FlowInfo, Probe, Protocol};
use crate::unread::is_tls;

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
    let mut possible = false;
    let mut by_port = None;
    for (place, protocol) in protocols.iter_mut().enumerate() {
        if !protocol.runs_over(flow.transport) {
            continue;
        }
        match protocol.probe(flow, from, head) {
            Probe::Certain { client } => return Detection::Found { protocol: place, client },
            Probe::No => {}
            Probe::Unsure { client } => {
                // Ciphers look like anything now and then.
                if is_tls(head) {
                    continue;
                }
                possible = true;
                if by_port.is_none() && protocol.port(flow.port(client.other())) {
                    by_port = Some(Detection::Found { protocol: place, client });
                }
            }
        }
    }
    match by_port {
        Some(found) => found,
        None if possible => Detection::Unsure,
        None => Detection::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::flow;
    use crate::protocol::Transport;
    use crate::registry::protocols;
    use std::sync::Arc;

    fn check(port: u16, head: &[u8], expected: Option<&str>) {
        let mut protocols = protocols(&Arc::default());
        let flow = flow(Transport::Tcp, 40_000, port);
        let found = match detect(&mut protocols, &flow, Side::A, head) {
            Detection::Found { protocol, client: Side::A } => Some(protocols[protocol].name()),
            _ => None,
        };
        assert_eq!(found, expected, "{}", head.escape_ascii());
    }

    #[test]
    fn content_decides_before_the_port() {
        check(80, b"HSET url HTTP/x\r\n", Some("redis"));
        check(80, b"SEND url HTTP/x\r\n", Some("http"));
        check(81, b"SEND url HTTP/x\r\n", None);
    }

    #[test]
    fn records_of_tls_are_nobody_elses() {
        // As a packet of MySQL, a command.
        check(3306, b"\x17\x03\x03\x00\x1e\xe7\x94\xeb\xec\xb9\xc6", None);
        check(3306, b"\x17\x03\x02\x00\x1e\xe7\x94\xeb\xec\xb9\xc6", Some("mysql"));
    }
}
