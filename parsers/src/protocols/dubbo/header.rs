//! The header of 16 bytes, and what its codes are called.
//! <https://dubbo.apache.org/en/overview/reference/protocols/tcp/>

use super::walk::{Stop, head, short};
use crate::message::Outcome;

/// What each header begins with.
pub(super) const MAGIC: [u8; 2] = [0xda, 0xbb];
/// Bytes of a header.
pub(super) const HEADER: usize = 16;

/// What stands before each body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_request: bool,
    /// Whether a request awaits an answer.
    pub(super) is_two_way: bool,
    /// Whether it is the connection's own: a heartbeat, or a note.
    pub(super) is_event: bool,
    pub(super) serialization: u8,
    /// Of a response.
    pub(super) status: u8,
    pub(super) id: u64,
    /// Bytes of the body.
    pub(super) length: u32,
}

impl Header {
    /// Reads it from the start of the input.
    ///
    /// # Errors
    /// What is missing, or the first field that no header has.
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        // Each field is looked at as soon as it is there, so that noise is refused early.
        match input {
            [0xda, 0xbb, ..] => {}
            [0xda] | [] => return Err(short(HEADER - input.len())),
            _ => return Err(Stop::Bad("magic")),
        }
        let Some(flags) = input.get(2).copied() else { return Err(short(HEADER - input.len())) };
        let [is_request, is_two_way, is_event] = [0x80, 0x40, 0x20].map(|bit| flags & bit != 0);
        let serialization = flags & 0x1f;
        if serialization == 0 {
            return Err(Stop::Bad("serialization"));
        }
        let Some(status) = input.get(3).copied() else { return Err(short(HEADER - input.len())) };
        if !is_request && status_name(status).is_none() {
            return Err(Stop::Bad("status"));
        }
        let id = u64::from_be_bytes(head(input, 4)?);
        let length = u32::from_be_bytes(head(input, 12)?);
        if length > BODY_LIMIT {
            return Err(Stop::Bad("body length"));
        }
        Ok(Self { is_request, is_two_way, is_event, serialization, status, id, length })
    }

    /// Whether all of it is as real programs write it: sure enough to find a place again.
    pub(super) fn is_usual(&self) -> bool {
        let is_small = !self.is_event || self.length <= EVENT_LIMIT;
        let is_plain = if self.is_request { self.status == 0 } else { !self.is_two_way };
        let is_known = serialization_name(self.serialization).is_some();
        is_small && is_plain && (is_known || self.length <= USUAL_LIMIT)
    }
}

/// The name of a status; nothing if there is no such status.
pub(super) fn status_name(status: u8) -> Option<&'static str> {
    Some(match status {
        OK => "OK",
        25 => "SERIALIZATION_ERROR",
        30 => "CLIENT_TIMEOUT",
        31 => "SERVER_TIMEOUT",
        35 => "CHANNEL_INACTIVE",
        40 => "BAD_REQUEST",
        50 => "BAD_RESPONSE",
        60 => "SERVICE_NOT_FOUND",
        70 => "SERVICE_ERROR",
        80 => "SERVER_ERROR",
        90 => "CLIENT_ERROR",
        100 => "SERVER_THREADPOOL_EXHAUSTED_ERROR",
        _ => return None,
    })
}

/// Whose fault a status is. That a service is not there is the server's, as with gRPC.
pub(super) fn outcome(status: u8) -> Outcome {
    match status {
        OK => Outcome::Ok,
        25 | 30 | 40 | 90 => Outcome::ClientError,
        _ => Outcome::ServerError,
    }
}

/// The name of a serialisation; nothing if it is not known.
pub(super) fn serialization_name(id: u8) -> Option<&'static str> {
    Some(match id {
        1 => "dubbo",
        2 => "hessian2",
        3 => "java",
        4 => "compactedjava",
        5 => "json",
        6 => "fastjson",
        7 => "nativejava",
        8 => "kryo",
        9 => "fst",
        10 => "native-hessian",
        11 => "avro",
        12 => "protostuff",
        16 => "gson",
        21 => "protobuf-json",
        22 => "protobuf",
        23 => "fastjson2",
        25 => "kryo2",
        27 | 31 => "msgpack",
        _ => return None,
    })
}

/// The status of an answer as asked, or of one that is an exception of the application's.
pub(super) const OK: u8 = 20;

/// Bytes of a body that Dubbo's own default allows.
const USUAL_LIMIT: u32 = 8 << 20;

/// Bytes of a body, since users raise that.
pub(super) const BODY_LIMIT: u32 = 1 << 30;

/// Bytes of the body of an event.
pub(super) const EVENT_LIMIT: u32 = 512;
