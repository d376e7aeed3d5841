//! One file per protocol.

pub mod http1;
pub mod redis;
pub mod dns;
