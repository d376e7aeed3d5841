//! MySQL and MariaDB: the classic protocol in, logins, commands and responses out.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol>. Statements are shown without
//! their literals; rows are counted, and not read. An execution of a prepared statement is called
//! as that statement is. A login is one exchange, whatever the server asks for; a connection that
//! it refuses is one that failed. Behind the question for TLS nothing can be read, and the stream
//! of a binary log is passed over.

mod packet;
mod capabilities;
mod outcome;
mod command;
mod login;
mod charset;
mod prepared;
mod attributes;
mod session;
mod compression;
mod connection;
mod request;
mod response;
mod probe;
mod stream;

use crate::message::Side;
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::settings::Settings;
use connection::{Connection, Shared};
use packet::Stop;
use slab::Slab;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(MySql { connections: Slab::new(), shared: Shared::new(settings) })
}

struct MySql {
    connections: Slab<Connection>,
    shared: Shared,
}

impl Protocol for MySql {
    fn name(&self) -> &str {
        "mysql"
    }

    fn port(&self, port: u16) -> bool {
        port == 3306
    }

    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe::probe(from, head)
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
        match connection.read(from, input, &mut self.shared, out) {
            Ok(step) => Ok(step),
            Err(Stop::Short(more)) => Ok(Step::Incomplete(more)),
            Err(Stop::Bad(field)) => {
                connection.abandon(from, &[], &mut self.shared, out);
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
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            if connection.bridges(from, head, lost, &mut self.shared, out) {
                return AfterGap::Continue;
            }
            connection.abandon(from, head, &mut self.shared, out);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get(conn.0 as usize) else { return false };
        connection.resumes(from, input)
    }

    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, head, &mut self.shared, out);
            if from == connection.client {
                connection.end_login(out);
            }
        }
    }

    fn forget(&mut self, conn: Conn) {
        self.connections.try_remove(conn.0 as usize);
    }
}

#[cfg(test)]
mod tests;
