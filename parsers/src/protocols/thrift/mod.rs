//! Thrift: calls, replies, exceptions and one-way calls, in binary, compact or JSON, framed or not,
//! with THeader or without.
//!
//! <https://thrift.apache.org/docs/>, specifications in
//! <https://github.com/apache/thrift/tree/master/doc/specs>. The operation is the method, the
//! resource is the service where the client names it (TMultiplexedProtocol). Arguments and results
//! are passed over: there are no names in them. Of a result it is told whether it is one, or an
//! exception, with the first text in it.

mod stop;
mod head;
mod transform;
mod header;
mod opening;
mod ids;
mod walk;
mod json;
mod outcome;
mod connection;
mod probe;

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use connection::Connection;
use probe::probe;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Thrift { settings: Arc::clone(settings) }))
}

struct Thrift {
    settings: Arc<Settings>,
}

impl Reads for Thrift {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "thrift"
    }

    fn port(&self, port: u16) -> bool {
        port == 9090
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe(from, head)
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Connection {
        Connection::new(client)
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        connection.read(from, input, &self.settings, out)
    }

    fn skipped(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        out: &mut dyn Out,
    ) {
        connection.skipped(from, out);
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

    fn resume(&mut self, _connection: &mut Connection, from: Side, input: &[u8]) -> bool {
        matches!(probe(from, input), Probe::Certain { .. })
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.abandon(from, head, &self.settings, out);
    }
}

#[cfg(test)]
mod tests;
