//! From ordered bytes to traces: decoding, pairing, spans, joins and output.
//!
//! ```text
//! StreamEvent ─▶ decoder ─Message─▶ pairing ─Exchange─▶ join ─Span, Link, Trace─▶ export
//! ```
//!
//! [`pipeline`] is the only module that knows every stage.

mod numbers;
pub mod network;
pub mod points;
pub mod losses;
pub mod given;
pub mod records;
pub mod exchange;
mod doubt;
pub mod resent;
pub mod pairing;
pub mod spoken;
mod writer;
pub mod unknown;
pub mod decoder;
pub mod span;
pub mod names;
pub mod owners;
pub mod join;
pub mod templates;
pub mod metrics;
pub mod operations;
pub mod callers;
pub mod edges;
pub mod summary;
pub mod unjoined;
pub mod vitals;
pub mod joining;
pub mod moment;
pub mod best;
pub mod select;
pub mod export;
pub mod explain;
pub mod red;
pub mod exposition;
pub mod wanted;
pub mod import;
pub mod evaluate;
pub mod confine;
pub mod load;
pub mod config;
pub mod portions;
pub mod processes;
pub mod pipeline;
pub mod clock;
pub mod cut;
pub mod recorder;
pub mod doctor;
pub mod cli;
