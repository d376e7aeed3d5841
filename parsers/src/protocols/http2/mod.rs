//! HTTP/2 without TLS: the bytes of a connection in, requests and responses of its streams out.
//! <https://www.rfc-editor.org/rfc/rfc9113>
//!
//! ```text
//!          nine bytes                 HEADERS, PUSH_PROMISE, CONTINUATION
//!          ┌────────┐  whole frames  ┌───────┐ block ┌───────┐ fields  request, response,
//!  bytes ─▶│ Frames │───────────────▶│ HPACK │──────▶│ Heads │───────▶ interim, trailers
//!          └─┬────▲─┘                └───────┘       └───────┘
//!       DATA │    │ frame seen
//!          ┌─▼────┴────────┐  somebody looks at its bytes: Body, else Skipped
//!          │ Body, Skipped │──▶ sizes, identifiers, messages of gRPC, tunnels
//!          └───────────────┘
//! ```
//!
//! Blocks refer to fields of earlier ones. What was told before the capture began, or in a gap, is
//! said to be unknown and never guessed (`hpack`).

pub(crate) mod hpack;

mod frame;

mod literals;

mod unseen;

mod fields;

mod flow_control;

mod stream;

mod shares;

mod probe;

mod connection;

mod messages;

use crate::connections::{Connections, Reads};
use crate::handed::Handed;
use crate::inflate::Room;
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::protocols::http::rpc::DIALECTS;
use crate::settings::Settings;
use connection::Connection;
use fields::FieldList;
use shares::Shares;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(Http2 {
        means: Means {
            settings: Arc::clone(settings),
            scratch: Vec::new(),
            block: Default::default(),
            list: FieldList::default(),
            shares: Arc::default(),
            room: settings.room.clone(),
        },
    }))
}

struct Http2 {
    means: Means,
}

/// What the connections of one shard share.
struct Means {
    settings: Arc<Settings>,
    /// Reused for texts that must differ from the bytes on the wire.
    scratch: Vec<u8>,
    /// Reused for blocks that come in several frames, and for where these begin, in the block and
    /// in the input.
    block: (Vec<u8>, Vec<(usize, usize)>),
    /// Reused for the fields of each block.
    list: FieldList,
    /// What all connections keep together.
    shares: Arc<Shares>,
    /// What windows of bodies that are inflated take.
    room: Room,
}

impl Reads for Http2 {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        "http2"
    }

    fn dialects(&self) -> &'static [&'static str] {
        DIALECTS
    }

    fn remembers(&self) -> bool {
        true
    }

    fn port(&self, port: u16) -> bool {
        port == probe::PORT
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        probe::probe(flow, from, head)
    }

    fn open(&mut self, flow: &FlowInfo, client: Side) -> Connection {
        let mut connection = Connection::new(client, &self.means.shares);
        let is_upgrade = |handed: &Handed| handed.by == "http" && handed.protocol == b"h2c";
        if flow.handed.as_deref().is_some_and(is_upgrade) {
            connection.upgrade();
        }
        connection
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        connection.parse(from, at, input, &mut self.means, out)
    }

    fn skipped(
        &mut self,
        connection: &mut Connection,
        from: Side,
        at: Timestamp,
        out: &mut dyn Out,
    ) {
        connection.skipped(from, at, &mut self.means, out);
    }

    fn gap(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap {
        connection.gap(from, lost, &mut self.means, out)
    }

    fn resume(&mut self, connection: &mut Connection, _from: Side, input: &[u8]) -> bool {
        connection.resume(input)
    }

    fn find(&mut self, connection: &mut Connection, _from: Side, input: &[u8]) -> Option<usize> {
        connection.find(input)
    }

    fn end(&mut self, connection: &mut Connection, from: Side, _head: &[u8], out: &mut dyn Out) {
        connection.end(from, &mut self.means, out);
    }
}

#[cfg(test)]
mod tests;
