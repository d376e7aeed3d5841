//! Redis: RESP2, RESP3 and inline commands in, commands, replies and pushes out.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Each command is answered in
//! order, but for those after `CLIENT REPLY OFF`; what subscriptions, `MONITOR` and tracking send
//! unasked is one-way. Values are skipped, not kept: a command shows its first 256 bytes in
//! `db.query.text`, secrets as `?`. What lists, streams and channels transport is told as records.
//! What a primary streams to a replica is not read.

mod resp;
mod names;
mod records;
mod command;
mod reply;
mod connection;
mod probe;

use crate::message::Side;
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::settings::Settings;
use command::ARGUMENT_LIMIT;
use connection::Connection;
use probe::{probe_array, probe_inline};
use reply::reply_line;
use resp::{Stop, length};
use slab::Slab;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Redis { connections: Slab::new(), settings: Arc::clone(settings) })
}

#[derive(Default)]
struct Redis {
    connections: Slab<Connection>,
    settings: Arc<Settings>,
}

impl Protocol for Redis {
    fn name(&self) -> &str {
        "redis"
    }

    fn port(&self, port: u16) -> bool {
        port == 6379
    }

    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match head {
            [b'*', ..] => probe_array(flow, from, head),
            [first, ..] if first.is_ascii_alphabetic() => probe_inline(from, head),
            _ => match reply_line(head) {
                Ok(_) | Err(Stop::Short(_)) => Probe::Unsure { client: from.other() },
                Err(Stop::Bad(_)) => Probe::No,
            },
        }
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Conn {
        let place = self.connections.insert(Connection::new(client));
        Conn(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let Some(connection) = self.connections.get_mut(conn.0 as usize) else {
            return Err(Malformed("connection"));
        };
        let step = if from == connection.client {
            connection.read_command(input, &self.settings, out)
        } else {
            connection.read_reply(input, &self.settings, out)
        };
        match step {
            Ok(step) => Ok(step),
            Err(Stop::Short(more)) => Ok(Step::Incomplete(more)),
            Err(Stop::Bad(field)) => {
                connection.abandon(from, &[], out);
                Err(Malformed(field))
            }
        }
    }

    fn skipped(&mut self, _conn: Conn, _from: Side, _at: Timestamp, _out: &mut dyn Out) {
        // The line end after a skipped value is read as usual; it closes the message.
    }

    fn gap(
        &mut self,
        conn: Conn,
        from: Side,
        head: &[u8],
        _lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, out);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get(conn.0 as usize) else { return false };
        if from != connection.client {
            return reply_line(input).is_ok();
        }
        match input {
            [b'*', rest @ ..] => matches!(
                length(rest),
                Ok((rest, 1..=ARGUMENT_LIMIT)) if rest.first() == Some(&b'$')
            ),
            _ => matches!(probe_inline(from, input), Probe::Certain { .. }),
        }
    }

    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, out);
        }
    }

    fn forget(&mut self, conn: Conn) {
        self.connections.try_remove(conn.0 as usize);
    }
}

#[cfg(test)]
mod tests;
