//! DNS over UDP and TCP: datagrams or length-prefixed messages in, queries and responses out.
//!
//! <https://www.rfc-editor.org/rfc/rfc1035>, EDNS <https://www.rfc-editor.org/rfc/rfc6891>. Which
//! side asks is said by each message, since servers forward out of port 53. `dns.answers` has the
//! records of the answer section as in a zone file, joined by commas: addresses bare, names with
//! their last dot, text in quotes, so that an entry that reads as an address is one.
//! mDNS, LLMNR and NetBIOS names look alike but are other protocols, and are left out.

mod header;
mod codes;
mod names;
mod records;
mod message;
mod fit;
mod connection;

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{
    AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::reader::Reader;
use crate::settings::Settings;
use connection::Connection;
use fit::{Fit, fit};
use header::{HEADER_LENGTH, Header};
use message::Decoded;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(_settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Dns::default()))
}

#[derive(Default)]
struct Dns {
    /// Buffers of the last message's question name and answers.
    name: Vec<u8>,
    answers: Vec<u8>,
}

impl Reads for Dns {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "dns"
    }

    fn port(&self, port: u16) -> bool {
        port == 53
    }

    fn runs_over(&self, transport: Transport) -> bool {
        matches!(transport, Transport::Tcp | Transport::Udp)
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        let ports = [flow.port(Side::A), flow.port(Side::B)];
        if !ports.contains(&53) && ports.iter().any(|port| LOOKALIKE_PORTS.contains(port)) {
            return Probe::No;
        }
        let (message, length) = match (flow.transport, Reader::new(head).u16_be()) {
            (Transport::Udp, _) => (head, head.len()),
            (Transport::Tcp, None) => return Probe::Unsure { client: from },
            (Transport::Tcp, Some(length)) => {
                let (length, rest) = (usize::from(length), head.get(2..).unwrap_or_default());
                (rest.get(..length).unwrap_or(rest), length)
            }
        };
        if length < HEADER_LENGTH {
            return Probe::No;
        }
        let Some(header) = Header::read(&mut Reader::new(message)) else {
            return Probe::Unsure { client: from };
        };
        let client = if header.is_response() { from.other() } else { from };
        match fit(message, &header, length) {
            Fit::Exact => Probe::Certain { client },
            Fit::Loose => Probe::Unsure { client },
            Fit::Odd if ports.contains(&53) => Probe::Unsure { client },
            Fit::Odd | Fit::No => Probe::No,
        }
    }

    fn open(&mut self, flow: &FlowInfo, _client: Side) -> Connection {
        Connection::new(flow.transport)
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let message = match connection.transport {
            Transport::Udp => input,
            // RFC 1035, 4.2.2: "The message is prefixed with a two byte length field".
            Transport::Tcp => {
                let mut reader = Reader::new(input);
                let Some(length) = reader.u16_be().map(usize::from) else {
                    return Ok(Step::Incomplete(NonZeroUsize::MIN));
                };
                if length < HEADER_LENGTH {
                    return Err(Malformed("message length"));
                }
                let Some(message) = reader.take(length) else {
                    let more = length.saturating_sub(reader.rest().len());
                    return Ok(Step::Incomplete(
                        NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN),
                    ));
                };
                message
            }
        };
        let end = match connection.transport {
            Transport::Udp => input.len(),
            Transport::Tcp => message.len() + 2,
        };
        let decoded = match Decoded::read(message, &mut self.name, &mut self.answers) {
            // A stream's next length would be no more to be trusted.
            Err(malformed) if connection.transport == Transport::Tcp => return Err(malformed),
            Err(Malformed(field)) => match Header::read(&mut Reader::new(message)) {
                Some(header) => Decoded::of_header(header, field),
                None => return Err(Malformed(field)),
            },
            Ok(decoded) => decoded,
        };
        if decoded.header.is_response() {
            connection.write_response(&decoded, from, end, out);
        } else {
            connection.write_query(&decoded, from, end, out);
        }
        Ok(Step::Used(NonZeroUsize::new(end).unwrap_or(NonZeroUsize::MIN)))
    }

    fn skipped(
        &mut self,
        _connection: &mut Connection,
        _from: Side,
        _at: Timestamp,
        _out: &mut dyn Out,
    ) {
        // Nothing is skipped.
    }

    fn gap(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _head: &[u8],
        _lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        connection.abandon(from, out);
        AfterGap::Resync
    }

    fn resume(&mut self, connection: &mut Connection, _from: Side, input: &[u8]) -> bool {
        let mut reader = Reader::new(input);
        let message = match connection.transport {
            Transport::Udp => input,
            Transport::Tcp => {
                let Some(length) = reader.u16_be().map(usize::from) else { return false };
                let rest = reader.rest();
                rest.get(..length).unwrap_or(rest)
            }
        };
        let Some(header) = Header::read(&mut Reader::new(message)) else { return false };
        fit(message, &header, message.len()) == Fit::Exact
    }

    fn end(&mut self, connection: &mut Connection, from: Side, _head: &[u8], out: &mut dyn Out) {
        connection.abandon(from, out);
    }
}

/// NetBIOS names, mDNS, LLMNR.
const LOOKALIKE_PORTS: &[u16] = &[137, 5353, 5355];

#[cfg(test)]
mod tests;
