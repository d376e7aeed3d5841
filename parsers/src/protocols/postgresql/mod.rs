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

use crate::message::Side;
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::settings::Settings;
use connection::Connection;
use framing::Stop;
use slab::Slab;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(PostgreSql { connections: Slab::new(), settings: Arc::clone(settings) })
}

struct PostgreSql {
    connections: Slab<Connection>,
    settings: Arc<Settings>,
}

impl Protocol for PostgreSql {
    fn name(&self) -> &str {
        "postgresql"
    }

    fn port(&self, port: u16) -> bool {
        port == 5432
    }

    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe::probe(from, head)
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Conn {
        let place = self.connections.insert(Connection::new(client, &self.settings));
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

    fn skipped(&mut self, conn: Conn, from: Side, _at: Timestamp, out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.skipped(from, out);
        }
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
            let known = connection.asking.sends_query() || connection.asking.logs_in();
            connection.abandon(from, head, out);
            if from == connection.client && !known && !head.starts_with(b"Q") {
                connection.lose_request(out);
            }
        }
        AfterGap::Resync
    }

    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(conn.0 as usize) else { return false };
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

    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, out);
            if from == connection.client {
                connection.asking.close(0, out);
            }
        }
    }

    fn forget(&mut self, conn: Conn) {
        self.connections.try_remove(conn.0 as usize);
    }
}

#[cfg(test)]
mod tests;
