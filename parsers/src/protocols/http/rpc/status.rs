//! The codes that a call ends with, in each way that they are written.
//! <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>

use crate::message::{Outcome, Status};

/// What a code says. Codes that are errors of the server are those of OpenTelemetry's conventions:
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.
pub(super) fn status(code: u32) -> Status<'static> {
    let outcome = match code {
        0 => Outcome::Ok,
        UNKNOWN | DEADLINE_EXCEEDED | UNIMPLEMENTED | INTERNAL | UNAVAILABLE | DATA_LOSS => {
            Outcome::ServerError
        }
        1..=16 => Outcome::ClientError,
        // Whoever gets a code that it does not know takes it as UNKNOWN.
        17.. => Outcome::ServerError,
    };
    let name = NAMES.get(code as usize).map_or("", |name| name);
    Status { outcome, code, text: name.as_bytes() }
}

/// A code as `grpc-status` has it.
pub(super) fn code(digits: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(digits.trim_ascii()).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A code as Connect names it, such as `not_found`.
pub(super) fn named(name: &[u8]) -> Option<u32> {
    if name == b"canceled" {
        return Some(CANCELLED);
    }
    let same = |other: &&str| {
        other.len() == name.len()
            && other.bytes().zip(name).all(|(other, byte)| other.to_ascii_lowercase() == *byte)
    };
    u32::try_from(NAMES.iter().position(same)?).ok()
}

/// What whoever calls takes a response of HTTP for that does not say how the call ended.
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
pub(super) fn of_http(status: u16) -> u32 {
    match status {
        400 | 431 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// The same for Connect.
pub(super) fn of_http_in_connect(status: u16) -> u32 {
    if status == 431 { UNKNOWN } else { of_http(status) }
}

/// Whose fault an error of Connect is, where its body may or may not have a code: nobody knows
/// where that makes a difference.
pub(super) fn outcome_of(http: u16) -> Outcome {
    let told = match http {
        400..=499 => Outcome::ClientError,
        500..=599 => Outcome::ServerError,
        _ => Outcome::Unknown,
    };
    let untold = status(of_http_in_connect(http)).outcome;
    if told == untold { told } else { Outcome::Unknown }
}

/// What a stream is taken for that is reset with a code of HTTP/2.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Errors"
pub(super) fn of_reset(code: u32) -> u32 {
    match code {
        0x7 => UNAVAILABLE,
        0x8 => CANCELLED,
        0xb => RESOURCE_EXHAUSTED,
        0xc => PERMISSION_DENIED,
        _ => INTERNAL,
    }
}

const CANCELLED: u32 = 1;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
const DATA_LOSS: u32 = 15;
const UNAUTHENTICATED: u32 = 16;

/// By code.
const NAMES: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_number_and_name() {
        let known = |code: u32| String::from_utf8_lossy(status(code).text).into_owned();
        assert_eq!([known(0), known(16), known(17)], ["OK", "UNAUTHENTICATED", ""]);
        assert_eq!(code(b" 14 "), Some(14));
        assert_eq!([code(b""), code(b"-1"), code(b"99999999999"), code(b"a")], [None; 4]);
        for number in 0..=16 {
            let lower = status(number).text.to_ascii_lowercase();
            assert_eq!(named(&lower), Some(number));
        }
        assert_eq!((named(b"canceled"), named(b"NOT_FOUND"), named(b"")), (Some(1), None, None));
    }

    #[test]
    fn errors_are_the_servers_or_the_clients() {
        let of = |outcome| (0..=17).filter(|code| status(*code).outcome == outcome).collect();
        let servers: Vec<u32> = of(Outcome::ServerError);
        assert_eq!(servers, [2, 4, 12, 13, 14, 15, 17]);
        let good: Vec<u32> = of(Outcome::Ok);
        assert_eq!(good, [0]);
    }

    #[test]
    fn codes_of_http_become_codes() {
        assert_eq!([404, 503, 418, 200].map(of_http), [12, 14, 2, 2]);
        assert_eq!([of_http(431), of_http_in_connect(431)], [13, 2]);
        assert_eq!([0, 7, 8, 11, 12].map(of_reset), [13, 14, 1, 8, 7]);
    }
}
