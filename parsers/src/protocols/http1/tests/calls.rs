//! Calls that HTTP/1 carries, as they come out.

use crate::fuzzing::{Event, Recorded, Split, Vector, drive, flow};
use crate::message::{Dialect, Side};
use crate::protocol::Transport;
use crate::protocols::http1::protocol;
use crate::settings::Settings;
use std::sync::Arc;

/// One line a message: what it is, its status, and what is said of the call.
fn check(events: &[Event], expected: &[&str]) {
    let mut protocol = protocol(&Arc::new(Settings::default()));
    let flow = flow(Transport::Tcp, 40_000, 8080);
    let recording = drive(protocol.as_mut(), &flow, Side::A, events, Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    let line = |message: &Recorded| {
        let dialect = match message.dialect {
            Dialect::Within(place) => protocol.dialects()[usize::from(place)],
            Dialect::Plain => "http",
        };
        let mut line = match message.from {
            Side::A => format!("> {dialect} {} of {}", message.operation, message.resource),
            Side::B => format!("< {:?} {} {}", message.outcome, message.code, message.text),
        };
        for (name, value) in &message.attributes {
            if let Some(name) = name.strip_prefix("wirespan.rpc.") {
                line += &format!(", {name}={value}");
            }
            if name == "http.response.status_code" {
                line += &format!(", HTTP {value}");
            }
        }
        line
    };
    let told: Vec<String> = recording.messages.iter().map(line).collect();
    assert_eq!(told, expected, "{told:#?}");
}

fn client(bytes: &str) -> Event {
    Event::Bytes { from: Side::A, bytes: bytes.as_bytes().to_vec() }
}

fn server(bytes: &str) -> Event {
    Event::Bytes { from: Side::B, bytes: bytes.as_bytes().to_vec() }
}

fn loses(from: Side, lost: u64) -> Event {
    Event::Gap { from, lost: lost.try_into().unwrap() }
}

#[test]
fn calls_of_each_kind_are_told() {
    let vector = include_str!("../../../../../testdata/vectors/http/calls.txt");
    check(
        &Vector::parse(vector).unwrap().events,
        &[
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< Ok 0 OK, response.messages=1",
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< ClientError 5 NOT_FOUND, error=no such, response.messages=0",
            "> grpc-web List of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, response.messages=2, response.messages.largest=3, \
             response.messages.first=1, response.messages.last=1, streaming=server",
            "> connect Get of shop.Orders, timeout_ms=5000",
            "< Ok 0 OK",
            "> connect Get of shop.Orders",
            "< ClientError 5 NOT_FOUND, HTTP 404, error=no order 9",
            "> connect Get of shop.Orders",
            "< ServerError 14 UNAVAILABLE, HTTP 503",
            "> connect Watch of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, error=over load, response.messages=2, \
             response.messages.largest=7, response.messages.first=1, \
             response.messages.last=1, streaming=server",
            "> grpc Get of shop.Orders, request.messages=1",
            "< ClientError 7 PERMISSION_DENIED, error=not you, response.messages=1",
            "> grpc-web Get of shop.Orders, request.messages=1",
            "> http GET of /plain",
            "< Unknown 0 , response.messages=1",
            "< Ok 200 ",
        ],
    );
}

#[test]
fn calls_may_be_asked_while_others_are_being_answered() {
    let vector = include_str!("../../../../../testdata/vectors/http/calls_pipelined.txt");
    check(
        &Vector::parse(vector).unwrap().events,
        &[
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< ClientError 5 NOT_FOUND, error=no such, response.messages=1",
            "> grpc-web List of shop.Orders, request.messages=1",
            "< Ok 0 OK, response.messages=1",
        ],
    );
}

#[test]
fn calls_of_a_real_program_are_told() {
    let vector = include_str!("../../../../../testdata/vectors/http/connect_go.txt");
    check(
        &Vector::parse(vector).unwrap().events,
        &[
            "> connect Get of shop.Orders",
            "< Ok 0 OK, response.compression=gzip",
            "> connect List of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, response.compression=gzip, error=over load, \
             response.messages=3, response.messages.compressed=3, response.messages.largest=27, \
             response.messages.first=1, response.messages.last=1, streaming=server",
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< Ok 0 OK, response.compression=gzip, response.messages=1, \
             response.messages.compressed=1",
            "> grpc-web List of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, response.compression=gzip, error=over load, \
             response.messages=3, response.messages.compressed=3, response.messages.largest=27, \
             response.messages.first=1, response.messages.last=1, streaming=server",
        ],
    );
}

const ASKS: &str = "POST /a.B/C HTTP/1.1\r\nContent-Type: application/grpc-web\r\n\
                    Content-Length: 6\r\n\r\n\0\0\0\0\x011";
const ANSWERS: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web\r\n\
                       Content-Length: 26\r\n\r\n";

#[test]
fn what_lies_in_a_gap_is_not_told() {
    // Where so many bytes are lost that trailers go on behind them, these cannot be found.
    check(
        &[
            client(ASKS),
            server(ANSWERS),
            loses(Side::B, 8),
            server("pc-status:0\r\n\r\n   "),
            client("GET /b HTTP/1.1\r\n\r\n"),
            server("HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        &[
            "> grpc-web C of a.B, request.messages=1",
            "< Unknown 0 ",
            "> http GET of /b",
            "< Ok 204 ",
        ],
    );
    // Bytes of a message may be lost without harm.
    let message = format!("{ANSWERS}\0\0\0\0\x032");
    let trailers = "4\u{0}\0\0\0\x0dgrpc-status:0";
    let mut bytes = trailers.as_bytes().to_vec();
    bytes[1] = 0x80;
    check(
        &[client(ASKS), server(&message), loses(Side::B, 1), Event::Bytes { from: Side::B, bytes }],
        &["> grpc-web C of a.B, request.messages=1", "< Ok 0 OK, response.messages=1"],
    );
}

#[test]
fn a_call_may_be_answered_before_it_has_ended() {
    let (begins, ends) = ASKS.split_at(ASKS.len() - 3);
    let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    check(
        &[client(begins), server(refused), client(ends), client(ASKS), server(refused)],
        &[
            "> grpc-web C of a.B, request.messages=1",
            "< ClientError 16 UNAUTHENTICATED, HTTP 401, response.messages=0",
            "> grpc-web C of a.B, request.messages=1",
            "< ClientError 16 UNAUTHENTICATED, HTTP 401, response.messages=0",
        ],
    );
}

#[test]
fn calls_that_await_their_answer_are_bounded() {
    let events = [client(&ASKS.repeat(17)), server(ANSWERS)];
    let mut protocol = protocol(&Arc::new(Settings::default()));
    let flow = flow(Transport::Tcp, 40_000, 8080);
    let recording = drive(protocol.as_mut(), &flow, Side::A, &events, Split::Whole);
    assert_eq!(recording.lost, ["http calls that await their answer"]);
    assert_eq!(recording.messages.len(), 18);
}
