//! Packets in, ordered bytes per flow out.
//!
//! ```text
//! source ─Packet─▶ decode ─Segment─▶ flow, reassembly ─StreamEvent─▶ a StreamSink
//! ```

pub mod owner;
pub mod packet;
pub mod filter;
pub mod source;
pub mod overwrite;
pub mod savefile;
pub mod counters;
pub mod stream;
pub mod fragment;
pub mod tunnel;
pub mod handshakes;
pub mod decode;
pub mod clocks;
pub mod reassembly;
pub mod place;
pub mod entry;
pub mod flow;
pub mod fuzzing;
