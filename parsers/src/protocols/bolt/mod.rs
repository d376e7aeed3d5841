//! Bolt, the protocol of SOFA RPC and what else is built on SOFABolt: requests, responses, one-way
//! requests and heartbeats, of its first and second version.
//!
//! <https://github.com/sofastack/sofa-bolt>, <https://github.com/sofastack/sofa-rpc>. Either side
//! calls the other, and an id pairs. The operation is the method and the resource the interface, as
//! headers of SOFA RPC name them; of others the operation is the class of the request. The content is
//! passed over, but for what says that an answer is an error or an exception.

mod command;
mod content;
mod connection;

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use command::{Command, Stop, Type, is_class};
use connection::Connection;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Bolt { settings: Arc::clone(settings) }))
}

struct Bolt {
    settings: Arc<Settings>,
}

impl Reads for Bolt {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "bolt"
    }

    fn port(&self, port: u16) -> bool {
        port == 12200
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe(from, head)
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
        connection.read(from, input, &self.settings, out)
    }

    fn skipped(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        out: &mut dyn Out,
    ) {
        connection.abandon(from, out);
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
        connection.end(from, head, &self.settings, out);
    }
}

/// Heartbeats have no class, and little that is theirs alone.
fn probe(from: Side, head: &[u8]) -> Probe {
    let command = match Command::read(head) {
        Ok(command) => command,
        Err(Stop::Short(_)) => return Probe::Unsure { client: from },
        Err(Stop::Bad(_)) => return Probe::No,
    };
    let client = if command.kind == Type::Response { from.other() } else { from };
    let class = head.get(command.fixed..).unwrap_or_default();
    let class = class.get(..command.class).unwrap_or(class);
    if !is_class(class) {
        return Probe::No;
    }
    if class.len() == command.class && class.len() >= SURE_CLASS && class.contains(&b'.') {
        return Probe::Certain { client };
    }
    Probe::Unsure { client }
}

/// Bytes of a class's name that are no chance.
const SURE_CLASS: usize = 8;

#[cfg(test)]
mod tests;
