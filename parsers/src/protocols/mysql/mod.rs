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

use crate::connections::{Connections, Reads};
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use connection::{Connection, Shared};
use packet::Stop;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(MySql { shared: Shared::new(settings) }))
}

struct MySql {
    shared: Shared,
}

impl Reads for MySql {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "mysql"
    }

    fn port(&self, port: u16) -> bool {
        port == 3306
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe::probe(from, head)
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
        match connection.read(from, input, &mut self.shared, out) {
            Ok(step) => Ok(step),
            Err(Stop::Short(more)) => Ok(Step::Incomplete(more)),
            Err(Stop::Bad(field)) => {
                connection.abandon(from, &[], &mut self.shared, out);
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
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if connection.bridges(from, head, lost, &mut self.shared, out) {
            return AfterGap::Continue;
        }
        connection.abandon(from, head, &mut self.shared, out);
        AfterGap::Resync
    }

    fn resume(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> bool {
        connection.resumes(from, input)
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.abandon(from, head, &mut self.shared, out);
        if from == connection.client {
            connection.end_login(out);
        }
    }
}

#[cfg(test)]
mod tests;
