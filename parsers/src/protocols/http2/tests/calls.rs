//! Calls in the vectors, as they come out.

use super::super::protocol;
use crate::fuzzing::{Event, Recorded, Split, Vector, drive, flow};
use crate::message::{Dialect, Side};
use crate::protocol::Transport;
use crate::settings::Settings;
use std::num::NonZeroU64;
use std::sync::Arc;

/// One line a message: what it is, its status, and what is said of the call.
fn told(vector: &str) -> Vec<String> {
    told_of(&Vector::parse(vector).expect("a vector").events)
}

fn told_of(events: &[Event]) -> Vec<String> {
    let mut protocol = protocol(&Arc::new(Settings::default()));
    let flow = flow(Transport::Tcp, 40_000, 50_051);
    let recording = drive(protocol.as_mut(), &flow, Side::A, events, Split::Whole);
    let line = |message: &Recorded| {
        let dialect = match message.dialect {
            Dialect::Within(place) => protocol.dialects()[usize::from(place)],
            Dialect::Plain => "http2",
        };
        let mut line = match message.from {
            Side::A => format!("> {dialect} {} of {}", message.operation, message.resource),
            Side::B => format!("< {:?} {} {}", message.outcome, message.code, message.text),
        };
        for (name, value) in &message.attributes {
            if let Some(name) = name.strip_prefix("wirespan.rpc.") {
                line += &format!(", {name}={value}");
            }
        }
        line
    };
    recording.messages.iter().map(line).collect()
}

fn check(vector: &str, expected: &[&str]) {
    let told = told(vector);
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn calls_of_a_real_program_are_told() {
    check(
        include_str!("../../../../../testdata/vectors/http2/grpc.txt"),
        &[
            "> grpc Get of shop.Orders, timeout_ms=4960, request.messages=1",
            "< Ok 0 OK, response.messages=1",
            "> grpc Get of shop.Orders, timeout_ms=5010, request.messages=1",
            "< Ok 0 OK, response.messages=1",
            "> grpc Fail of shop.Orders, request.messages=1",
            "< ClientError 5 NOT_FOUND, error=no such order: é 100%, response.messages=0",
            "> grpc List of shop.Orders, request.messages=1",
            "< Ok 0 OK, response.messages=5, response.messages.largest=4, \
             response.messages.first=1, response.messages.last=1, streaming=server",
            "> grpc Put of shop.Orders, request.messages=3, request.messages.largest=3, \
             request.messages.first=0, request.messages.last=0",
            "< Ok 0 OK, response.messages=1, streaming=client",
            "> grpc Chat of shop.Orders, request.messages=2, request.messages.largest=2, \
             request.messages.first=0, request.messages.last=2",
            "< Ok 0 OK, response.messages=2, response.messages.largest=2, \
             response.messages.first=1, response.messages.last=3, streaming=both",
            "> grpc Slow of shop.Orders, timeout_ms=101, request.messages=1",
            "< ServerError 4 DEADLINE_EXCEEDED, error=Deadline Exceeded, response.messages=0",
        ],
    );
}

#[test]
fn calls_of_each_kind_are_told() {
    check(
        include_str!("../../../../../testdata/vectors/http2/calls.txt"),
        &[
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< Ok 0 OK, response.messages=1",
            "> grpc-web Get of shop.Orders, request.messages=1",
            "< ClientError 5 NOT_FOUND, error=no such, response.messages=0",
            "> grpc-web List of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, response.messages=2, \
             response.messages.largest=3, response.messages.first=1, \
             response.messages.last=1, streaming=server",
            "> connect Get of shop.Orders, timeout_ms=5000",
            "< Ok 0 OK",
            "> connect Get of shop.Orders, timeout_ms=5000",
            "< ClientError 5 NOT_FOUND, error=no order 9",
            "> connect Watch of shop.Orders, request.messages=1",
            "< ServerError 14 UNAVAILABLE, error=over load, response.messages=2, \
             response.messages.largest=7, response.messages.first=1, \
             response.messages.last=1, streaming=server",
            "> triple price of lab.Shop, service.version=1.0.0, service.group=blue, \
     client.application=web, timeout_ms=3000, request.messages=1",
            "< Ok 0 OK, response.messages=1",
            "> triple price of lab.Shop, service.version=1.0.0, service.group=blue, \
     client.application=web, timeout_ms=3000, request.messages=1",
            "< ServerError 14 UNAVAILABLE",
        ],
    );
}

#[test]
fn calls_are_found_where_their_beginning_was_not_seen() {
    // From the second call on, all that the first one told is unknown, but for its deadline: that
    // is gRPC's, and so are later requests with the same unknown fields.
    let whole = include_str!("../../../../../testdata/vectors/http2/grpc.txt");
    let lines: Vec<&str> = whole.lines().filter(|line| !line.starts_with('#')).collect();
    let later = lines[6..].join("\n");
    check(
        &later,
        &[
            "> grpc  of , timeout_ms=5010, request.messages=1",
            "< Unknown 0 , response.messages=1",
            "> grpc Fail of shop.Orders, request.messages=1",
            "< ClientError 5 NOT_FOUND, error=no such order: é 100%, response.messages=0",
            "> grpc List of shop.Orders, request.messages=1",
            "< Unknown 0 , response.messages=5, response.messages.largest=4, \
             response.messages.first=1, response.messages.last=1, streaming=server",
            "> grpc Put of shop.Orders, request.messages=3, request.messages.largest=3, \
             request.messages.first=0, request.messages.last=0",
            "< Unknown 0 , response.messages=1, streaming=client",
            "> grpc Chat of shop.Orders, request.messages=2, request.messages.largest=2, \
             request.messages.first=0, request.messages.last=2",
            "< Unknown 0 , response.messages=2, response.messages.largest=2, \
             response.messages.first=1, response.messages.last=3, streaming=both",
            "> grpc Slow of shop.Orders, timeout_ms=101, request.messages=1",
            "< ServerError 4 DEADLINE_EXCEEDED, error=Deadline Exceeded, response.messages=0",
        ],
    );
}

#[test]
fn what_is_unknown_is_a_call_if_its_messages_and_trailers_say_so() {
    // The fields of a request are inserted by the first one, which is not shown; :method POST.
    let request = r"> \x00\x00\x05\x01\x04\x00\x00\x00\xNN\x83\xbe\xbf\xc0\xc1\x00\x00\x06\x00\x01\x00\x00\x00\xNN\x00\x00\x00\x00\x01a";
    let response = r"< \x00\x00\x02\x01\x04\x00\x00\x00\xNN\x88\xbf\x00\x00\x06\x00\x00\x00\x00\x00\xNN\x00\x00\x00\x00\x01a\x00\x00\x01\x01\x05\x00\x00\x00\xNN\xbe";
    let call = |id: &str| format!("{request}\n{response}\n").replace("NN", id);
    check(
        &(call("03") + &call("05")),
        &[
            "> grpc  of ",
            "< Unknown 0 , response.messages=1",
            "> grpc  of , request.messages=1",
            "< Unknown 0 , response.messages=1",
        ],
    );
    // A body that is no message.
    let other = |id: &str| call(id).replace("\\x01a", "\\x02a");
    check(
        &(other("03") + &call("05") + &other("07")),
        &[
            "> http2 POST of ",
            "< Ok 200 ",
            "> grpc  of ",
            "< Unknown 0 , response.messages=1",
            "> grpc  of , request.messages=1",
            "< Unknown 0 , response.messages=1",
        ],
    );
}

#[test]
fn what_is_remembered_of_a_call_is_how_it_is_written() {
    // The fields of requests are not known; that they are gRPC-Web is said by the first response.
    let request = r"> \x00\x00\x05\x01\x04\x00\x00\x00\xNN\x83\xbe\xbf\xc0\xc1\x00\x00\x06\x00\x01\x00\x00\x00\xNN\x00\x00\x00\x00\x01a";
    let typed =
        r"< \x00\x00\x24\x01\x04\x00\x00\x00\xNN\x88\x00\x0ccontent-type\x14application/grpc-web";
    let untyped = r"< \x00\x00\x02\x01\x04\x00\x00\x00\xNN\x88\xbf";
    let end = r"\x00\x00\x14\x00\x01\x00\x00\x00\xNN\x80\x00\x00\x00\x0fgrpc-status: 5\n";
    let call = |response: &str, id: &str| format!("{request}\n{response}{end}\n").replace("NN", id);
    let told = told(&(call(typed, "03") + &call(untyped, "05")));
    let names: Vec<&str> = told.iter().filter_map(|line| line.split(',').next()).collect();
    let [asked, answered] = ["> grpc-web  of ", "< ClientError 5 NOT_FOUND"];
    assert_eq!(names, [asked, answered, asked, answered], "{told:#?}");
}

/// A request with this type of content, without a body.
fn request(content_type: &str) -> String {
    let (block, length) = (22 + content_type.len(), content_type.len());
    format!(
        r"> \x00\x00\x{block:02x}\x01\x05\x00\x00\x00\x03\x83\x04\x04/B/C\x00\x0ccontent-type\x{length:02x}{content_type}"
    )
}

#[test]
fn resets_by_clients_leave_errors_of_http_as_they_are() {
    let request = request("application/grpc");
    let response = r"< \x00\x00\x01\x01\x04\x00\x00\x00\x03\x8d";
    let reset = r"> \x00\x00\x04\x03\x00\x00\x00\x00\x03\x00\x00\x00\x08";
    let told = told(&format!("{request}\n{response}\n{reset}\n"));
    assert_eq!(told[1..], ["< ServerError 12 UNIMPLEMENTED, response.messages=0"], "{told:#?}");
}

#[test]
fn resets_by_clients_say_nothing_of_what_was_lost() {
    let vector = format!(
        "{}\n{}\n{}\n",
        request("application/connect+json"),
        r"< \x00\x00\x28\x01\x04\x00\x00\x00\x03\x88\x00\x0ccontent-type\x18application/connect+json",
        r"> \x00\x00\x04\x03\x00\x00\x00\x00\x03\x00\x00\x00\x02",
    );
    let mut events = Vector::parse(&vector).expect("a vector").events;
    assert_eq!(told_of(&events)[1..], ["< ServerError 13 INTERNAL, response.messages=0"]);
    events.insert(2, Event::Gap { from: Side::B, lost: NonZeroU64::MIN });
    assert_eq!(told_of(&events)[1..], ["< Unknown 0 "]);
    // It had not ended where more of it follows.
    let grpc = |text: &str| text.replace("connect+json", "grpc").replace(r"\x18", r"\x10");
    let vector = grpc(&vector).replace(r"\x2e", r"\x26").replace(r"\x28", r"\x20");
    let mut events = Vector::parse(&vector).expect("a vector").events;
    let after = Vector::parse(
        r"< \x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x01\x00\x00\x00\x00\x00\x03.",
    );
    let gap = Event::Gap { from: Side::B, lost: NonZeroU64::MIN };
    events.splice(2..2, [gap].into_iter().chain(after.expect("a vector").events));
    assert_eq!(told_of(&events)[1..], ["< ServerError 13 INTERNAL"]);
}
