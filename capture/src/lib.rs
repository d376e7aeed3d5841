//! Packets in, ordered bytes per flow out.
//!
//! ```text
//! source ─Packet─▶ decode ─Segment─▶ flow, reassembly ─StreamEvent─▶ a StreamSink
//! ```

pub mod packet;
pub mod source;
pub mod filter;
pub mod decode;
pub mod fragment;
pub mod stream;
pub mod reassembly;
pub mod flow;
pub mod counters;
pub mod fuzzing;
