//! Packets in, stream events out: decoding, flows and reassembly, as one.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

#[allow(dead_code, reason = "some of it serves the tests of the whole tracer")]
mod packets;
mod recorder;
mod tcp;
mod connections;
mod headers;
mod limits;
mod places;
mod tunnels;
mod random;
