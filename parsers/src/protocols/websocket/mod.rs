//! WebSocket: frames in, messages out.
//! <https://www.rfc-editor.org/rfc/rfc6455>, <https://www.rfc-editor.org/rfc/rfc7692>
//!
//! A message is one-way, whatever number of frames it comes in; a ping is answered by its pong.
//! Where the sub-protocol has ids, its messages are requests and responses, under its own name:
//! JSON-RPC 2.0, also where it was not agreed upon, GraphQL and STOMP. Payloads are looked at only
//! for these, and where somebody asks for content; else they are skipped.
//!
//! ```text
//!                    control: whole
//!                  ┌───────────────┐
//!                  ▼               │
//!              ┌────────┐  what it says is of use: whole, up to 64 KiB   ┌─────────┐
//!  bytes ─────▶│ Header │───────────────────────────────────────────────▶│ Payload │
//!              └────────┘  else at once                                  └────┬────┘
//!                  ▲                                                          │
//!                  └──────────────── shown, or skipped ───────────────────────┘
//! ```
//!
//! A connection whose handshake was not seen is recognised only where its frames leave no doubt.

mod frame;
mod json;
mod document;
mod said;
mod look;
mod deflate;
mod data;
mod connection;

use crate::connections::{Connections, Reads};
use crate::inflate::Room;
use crate::message::Side;
use crate::protocol::{AfterGap, FlowInfo, Malformed, Out, Probe, Protocol, Step, Timestamp};
use crate::settings::Settings;
use connection::Connection;
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    let means = Means {
        settings: Arc::clone(settings),
        room: settings.room.clone(),
        content: Vec::new(),
        inflated: Vec::new(),
    };
    Box::new(Connections::of(WebSocket { means }))
}

struct WebSocket {
    means: Means,
}

/// What the connections of one shard share.
struct Means {
    settings: Arc<Settings>,
    /// What windows of messages that are inflated take.
    room: Room,
    /// Reused for content without its mask, and for what was inflated.
    content: Vec<u8>,
    inflated: Vec<u8>,
}

impl Reads for WebSocket {
    type Connection = Connection;

    fn name(&self) -> &'static str {
        NAME
    }

    fn dialects(&self) -> &'static [&'static str] {
        said::DIALECTS
    }

    fn remembers(&self) -> bool {
        true
    }

    fn port(&self, _port: u16) -> bool {
        false
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        match flow.handed.as_deref() {
            Some(handed) if handed.protocol == NAME.as_bytes() => {
                Probe::Certain { client: handed.client.unwrap_or(from) }
            }
            _ => frame::probe(from, head),
        }
    }

    fn open(&mut self, flow: &FlowInfo, client: Side) -> Connection {
        Connection::new(flow.handed.as_deref(), client)
    }

    fn parse(
        &mut self,
        connection: &mut Connection,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        connection.parse(from, input, &mut self.means, out)
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
        connection.gap(from, head, lost, &mut self.means, out)
    }

    fn resume(&mut self, connection: &mut Connection, from: Side, input: &[u8]) -> bool {
        connection.resume(from, input)
    }

    fn end(&mut self, connection: &mut Connection, from: Side, head: &[u8], out: &mut dyn Out) {
        connection.end(from, head, &mut self.means, out);
    }
}

/// The name of the protocol, as Upgrade has it too (section 4.1).
const NAME: &str = "websocket";

#[cfg(test)]
mod tests;
