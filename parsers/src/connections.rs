//! The connections of a protocol, for all that keep some state for each: one that reads a
//! connection in, a [`Protocol`] out.

use crate::message::Side;
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use slab::Slab;

/// A protocol that reads each connection by itself. What its connections share is in `Self`.
///
/// All methods are those of [`Protocol`], with the state of the connection in place of its number.
pub trait Reads: Send {
    /// What is known of one connection.
    type Connection: Send;

    /// See [`Protocol::name`].
    fn name(&self) -> &'static str;

    /// See [`Protocol::dialects`].
    fn dialects(&self) -> &'static [&'static str] {
        &[]
    }

    /// See [`Protocol::remembers`].
    fn remembers(&self) -> bool {
        false
    }

    /// See [`Protocol::port`].
    fn port(&self, port: u16) -> bool;

    /// See [`Protocol::runs_over`].
    fn runs_over(&self, transport: Transport) -> bool {
        transport == Transport::Tcp
    }

    /// See [`Protocol::probe`].
    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe;

    /// See [`Protocol::open`].
    fn open(&mut self, flow: &FlowInfo, client: Side) -> Self::Connection;

    /// See [`Protocol::parse`].
    ///
    /// # Errors
    /// [`Malformed`] if no longer input could be valid.
    fn parse(
        &mut self,
        connection: &mut Self::Connection,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed>;

    /// See [`Protocol::skipped`]; for those that never skip, or for which the next bytes tell
    /// enough, there is nothing to do.
    fn skipped(
        &mut self,
        _connection: &mut Self::Connection,
        _from: Side,
        _at: Timestamp,
        _out: &mut dyn Out,
    ) {
    }

    /// See [`Protocol::gap`].
    fn gap(
        &mut self,
        connection: &mut Self::Connection,
        from: Side,
        head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap;

    /// See [`Protocol::resume`].
    fn resume(&mut self, connection: &mut Self::Connection, from: Side, input: &[u8]) -> bool;

    /// See [`Protocol::find`].
    fn find(
        &mut self,
        connection: &mut Self::Connection,
        from: Side,
        input: &[u8],
    ) -> Option<usize> {
        self.resume(connection, from, input).then_some(0)
    }

    /// See [`Protocol::end`].
    fn end(
        &mut self,
        connection: &mut Self::Connection,
        from: Side,
        head: &[u8],
        out: &mut dyn Out,
    );
}

/// The connections of one protocol, by number.
pub struct Connections<P: Reads> {
    protocol: P,
    connections: Slab<P::Connection>,
}

impl<P: Reads> Connections<P> {
    /// None yet.
    #[must_use]
    pub fn of(protocol: P) -> Self {
        Self { protocol, connections: Slab::new() }
    }

    /// The protocol, and what is known of this connection.
    fn both(&mut self, conn: Conn) -> Option<(&mut P, &mut P::Connection)> {
        let connection = self.connections.get_mut(usize::try_from(conn.0).ok()?)?;
        Some((&mut self.protocol, connection))
    }
}

impl<P: Reads> Protocol for Connections<P> {
    fn name(&self) -> &str {
        self.protocol.name()
    }

    fn dialects(&self) -> &[&'static str] {
        self.protocol.dialects()
    }

    fn remembers(&self) -> bool {
        self.protocol.remembers()
    }

    fn port(&self, port: u16) -> bool {
        self.protocol.port(port)
    }

    fn runs_over(&self, transport: Transport) -> bool {
        self.protocol.runs_over(transport)
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        self.protocol.probe(flow, from, head)
    }

    fn open(&mut self, flow: &FlowInfo, client: Side) -> Conn {
        let place = self.connections.insert(self.protocol.open(flow, client));
        Conn(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let (protocol, connection) = self.both(conn).ok_or(Malformed("connection"))?;
        protocol.parse(connection, from, at, input, out)
    }

    fn skipped(&mut self, conn: Conn, from: Side, at: Timestamp, out: &mut dyn Out) {
        if let Some((protocol, connection)) = self.both(conn) {
            protocol.skipped(connection, from, at, out);
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
        match self.both(conn) {
            Some((protocol, connection)) => protocol.gap(connection, from, head, lost, out),
            None => AfterGap::Stop,
        }
    }

    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool {
        self.both(conn)
            .is_some_and(|(protocol, connection)| protocol.resume(connection, from, input))
    }

    fn find(&mut self, conn: Conn, from: Side, input: &[u8]) -> Option<usize> {
        let (protocol, connection) = self.both(conn)?;
        protocol.find(connection, from, input)
    }

    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out) {
        if let Some((protocol, connection)) = self.both(conn) {
            protocol.end(connection, from, head, out);
        }
    }

    fn forget(&mut self, conn: Conn) {
        if let Ok(place) = usize::try_from(conn.0) {
            self.connections.try_remove(place);
        }
    }
}
