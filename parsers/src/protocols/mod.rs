//! One file per protocol, or a folder where one file grew too long.

pub mod websocket;
pub mod proxy_protocol;
pub mod socks;
mod http;
pub mod http1;
pub mod http2;
pub mod redis;
pub mod mysql;
pub mod postgresql;
pub mod thrift;
pub mod bolt;
pub mod dns;
pub mod dubbo;
