//! PostgreSQL, protocol 3.0 and 3.2: statements, results and notifications out.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>. A simple query is one exchange, however
//! many statements it has; of the extended protocol each Execute is one, with the Parse and Bind
//! before it; a Parse, Describe or Close alone is one too. A login is one, whatever the server asks
//! for. Rows and copies are skipped, not kept.
//! What is encrypted or streamed to a replica is not read.

mod framing;
mod shape;
mod startup;
mod probe;
mod tags;
mod errors;
mod prepared;
mod statements;
mod values;
mod awaited;
mod connection;
mod frontend;
mod backend;

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use connection::Connection;
use framing::Stop;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(PostgreSql { settings: Arc::clone(settings) }))
}

struct PostgreSql {
    settings: Arc<Settings>,
}

impl Reads for PostgreSql {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn port(&self, port: u16) -> bool {
        port == 5432
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe::probe(from, head)
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Connection {
        Connection::new(client, &self.settings)
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
            connection.read_frontend(input, out)
        } else {
            connection.read_backend(input, out)
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
        _lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        let known = connection.asking.sends_query() || connection.asking.logs_in();
        connection.abandon(from, head, out);
        if from == connection.client && !known && !head.starts_with(b"Q") {
            connection.lose_request(out);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> bool {
        if from == connection.client {
            let proves = connection.asking.logs_in() && probe::login_resumes(input);
            return proves || probe::client_resumes(input);
        }
        let resumes = probe::server_resumes(input);
        if !resumes {
            connection.forget_awaited();
        }
        resumes
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.abandon(from, head, out);
        if from == connection.client {
            connection.asking.close(0, out);
        }
    }
}

#[cfg(test)]
mod tests;
