//! Dubbo 2: headers of 16 bytes with bodies in, calls, answers and heartbeats out.
//!
//! <https://dubbo.apache.org/en/overview/reference/protocols/tcp/>. Either side calls the other, and
//! an id of 64 bits pairs. A body is written in one of many serialisations: of hessian2, fastjson2,
//! Java's, those of JSON, Protobuf, Protostuff and MessagePack all is read, arguments are passed over
//! by their structure, not decoded, and attachments are read; of Kryo and FST so much as needs no
//! classes; of others the header. Dubbo 3's other protocol, Triple, is HTTP/2.

mod walk;
mod header;
mod hessian2;
mod jsonb;
mod java;
mod lines;
mod kryo;
mod fst;
mod protobuf;
mod protostuff;
mod msgpack;
mod form;
mod attachments;
mod connection;

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use connection::Connection;
use header::{HEADER, Header, MAGIC};
use memchr::memmem;
use std::sync::Arc;
use walk::Stop;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Dubbo { settings: Arc::clone(settings) }))
}

struct Dubbo {
    settings: Arc<Settings>,
}

impl Reads for Dubbo {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "dubbo"
    }

    fn port(&self, port: u16) -> bool {
        port == 20880
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match Header::read(head) {
            Ok(header) if header.is_usual() => {
                Probe::Certain { client: self.client(flow, from, &header) }
            }
            Ok(_) | Err(Stop::Bad(_)) => Probe::No,
            Err(Stop::Short(_)) => Probe::Unsure { client: from },
        }
    }

    fn open(&mut self, _flow: &FlowInfo, _client: Side) -> Connection {
        Connection::default()
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        connection.read(from, input, &self.settings, out).or_else(Stop::step)
    }

    fn skipped(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        out: &mut dyn Out,
    ) {
        connection.skipped(from, &self.settings, out);
    }

    fn gap(
        &mut self,
        connection: &mut Connection,
        from: Side,
        head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        connection.gap(from, head, lost, &self.settings, out)
    }

    fn resume(&mut self, _connection: &mut Connection, _from: Side, input: &[u8]) -> bool {
        input.len() >= HEADER && Header::read(input).is_ok_and(|header| header.is_usual())
    }

    fn find(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> Option<usize> {
        if self.resume(connection, from, input) {
            return Some(0);
        }
        // Netty writes many messages at a time, so that they begin anywhere in a packet.
        memmem::find_iter(input, &MAGIC).find(|at| {
            let rest = input.get(*at..).unwrap_or_default();
            let Ok(header) = Header::read(rest) else { return false };
            let after = rest.get(HEADER + header.length as usize..);
            header.is_usual()
                && after.is_some_and(|after| MAGIC.starts_with(after.get(..2).unwrap_or(after)))
        })
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.gap(from, head, u64::MAX, &self.settings, out);
    }
}

impl Dubbo {
    /// The side that calls, as far as one message tells.
    fn client(&self, flow: &FlowInfo, from: Side, header: &Header) -> Side {
        match (header.is_event, flow.opener) {
            // Either side sends heartbeats.
            (true, Some(opener)) => opener,
            (true, None) if self.port(flow.port(from)) => from.other(),
            _ if header.is_request => from,
            _ => from.other(),
        }
    }
}

#[cfg(test)]
mod tests;
