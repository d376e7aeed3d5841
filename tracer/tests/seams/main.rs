//! What the seams between the stages must carry, shown from packets to traces: each test fails if
//! one of them loses something on the way.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

#[path = "../../../capture/tests/flow/packets.rs"]
#[allow(dead_code, reason = "the capture's own tests need more of it")]
mod packets;
mod run;
mod http;
mod toy;
mod places;
mod order;
mod clocks;
mod losses;
mod resent;
mod shedding;
mod messages;
mod queues;
mod layers;
mod http2;
mod identity;
mod identifiers;
mod explain;
mod joining;
mod view;
mod choosing;
mod cut;
mod joined;
mod owners;
mod naming;
mod opened;
mod random;
#[path = "../cases/sql.rs"]
mod sql;
mod talk;
mod pairing;
mod statements;
mod vitals;
