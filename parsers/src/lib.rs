//! Bytes of one flow in, messages out.
//!
//! This crate does no I/O, reads no clock, logs nothing, spawns nothing, and never panics on any
//! bytes.
#![deny(clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

#[cfg(test)]
mod random;
pub mod reader;
pub mod secrets;
pub mod values;
pub mod trace_context;
pub mod inflate;
pub mod settings;
pub mod message;
pub mod handed;
pub mod protocol;
mod stop;
mod metadata;
mod failure;
pub mod connections;
pub mod sql;
pub mod protocols;
pub mod registry;
pub mod client_hello;
pub mod unread;
pub mod detect;
pub mod fuzzing;
