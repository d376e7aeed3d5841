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

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use command::ARGUMENT_LIMIT;
use connection::Connection;
use probe::{probe_array, probe_inline};
use reply::reply_line;
use resp::{Stop, length};
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Redis { settings: Arc::clone(settings) }))
}

#[derive(Default)]
struct Redis {
    settings: Arc<Settings>,
}

impl Reads for Redis {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "redis"
    }

    fn port(&self, port: u16) -> bool {
        port == 6379
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

    fn skipped(
        &mut self,
        _connection: &mut Connection,
        _from: Side,
        _at: Timestamp,
        _out: &mut dyn Out,
    ) {
        // The line end after a skipped value is read as usual; it closes the message.
    }

    fn gap(
        &mut self,
        connection: &mut Connection,
        from: Side,
        head: &[u8],
        _lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        connection.abandon(from, head, out);
        AfterGap::Resync
    }

    fn resume(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> bool {
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

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.abandon(from, head, out);
    }
}

#[cfg(test)]
mod tests;
