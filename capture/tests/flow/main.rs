//! Packets in, stream events out: decoding, flows and reassembly, as one.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

mod packets;
mod recorder;
mod tcp;
mod connections;
mod headers;
mod limits;
mod random;
