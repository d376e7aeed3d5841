//! What pairing makes of the streams of HTTP/2: answers by their numbers, and requests that have
//! none.

use crate::http::{Connection, end, get};
use crate::packets::Packet;
use crate::run::{ms, run};
use wirespan::exchange::{OPERATION, RESOURCE, STATUS_TEXT};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// What a side begins with.
fn settings() -> Vec<u8> {
    frame(0x04, 0, 0, &[])
}

/// `GET /`, whole.
fn asks(stream: u32) -> Vec<u8> {
    frame(0x01, 0x05, stream, &[0x82, 0x86, 0x84])
}

/// `:status: 200` and a body of two bytes.
fn tells(stream: u32) -> Vec<u8> {
    [frame(0x01, 0x04, stream, &[0x88]), frame(0x00, 0x01, stream, b"ok")].concat()
}

/// The handshake and what both sides begin with.
fn opened(connection: &mut Connection) -> Vec<Packet> {
    let mut packets = connection.open(5);
    packets.push(connection.asks(6, [PREFACE, &settings()].concat()));
    packets.push(connection.tells(7, settings()));
    packets
}

/// Each exchange: who asks, what, on which stream, how it ended, and the milliseconds of its ends.
fn check(packets: &[Packet], expected: &[&str]) {
    let ran = run(packets);
    let lines = ran.spans().into_iter().map(|span| {
        let e = &span.exchange;
        let text = |name| String::from_utf8_lossy(e.text.text(name).unwrap_or_default());
        let last = e.response.unwrap_or(e.request).last;
        format!(
            "{} {} {} on {} {} {}{} {}-{}",
            e.client.port(),
            text(OPERATION),
            text(RESOURCE),
            e.lane,
            e.state.name(),
            e.code,
            text(STATUS_TEXT),
            ms(e.request.first.at),
            ms(last.at),
        )
    });
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

fn connection() -> Connection {
    Connection::new(end(1, 40_000), end(2, 80))
}

#[test]
fn answers_come_in_any_order() {
    let mut connection = connection();
    let mut packets = opened(&mut connection);
    packets.push(connection.asks(10, [asks(1), asks(3)].concat()));
    packets.push(connection.tells(12, tells(3)));
    packets.push(connection.tells(14, tells(1)));
    check(
        &packets,
        &["40000 GET / on 1 complete 200 10-14", "40000 GET / on 3 complete 200 10-12"],
    );
}

#[test]
fn upgraded_request_is_answered_in_http2() {
    let mut connection = connection();
    let mut packets = connection.open(5);
    let upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: "];
    packets.push(connection.asks(10, get("/a", &upgrade)));
    let switching =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    packets.push(connection.tells(11, [switching, &settings()[..], &tells(1)].concat()));
    packets.push(connection.asks(12, [PREFACE, &settings(), &asks(3)].concat()));
    packets.push(connection.tells(15, tells(3)));
    check(
        &packets,
        &["40000 GET /a on 0 complete 200 10-11", "40000 GET / on 3 complete 200 12-15"],
    );
}

#[test]
fn what_is_pushed_was_asked_for_by_the_client() {
    let mut connection = connection();
    let mut packets = opened(&mut connection);
    packets.push(connection.asks(10, asks(1)));
    let promise = frame(0x05, 0x04, 1, b"\0\0\0\x02\x82\x86\x84");
    packets.push(connection.tells(12, [promise, tells(1)].concat()));
    packets.push(connection.tells(14, tells(2)));
    check(
        &packets,
        &["40000 GET / on 1 complete 200 10-12", "40000 GET / on 2 complete 200 12-14"],
    );
}

#[test]
fn request_that_is_taken_back_is_over() {
    let mut connection = connection();
    let mut packets = opened(&mut connection);
    packets.push(connection.asks(10, [asks(1), asks(3)].concat()));
    packets.push(connection.asks(20, frame(0x03, 0, 1, &[0, 0, 0, 8])));
    packets.push(connection.tells(30, tells(3)));
    check(
        &packets,
        &["40000 GET / on 1 reset 0CANCEL 10-20", "40000 GET / on 3 complete 200 10-30"],
    );
}

#[test]
fn answers_that_may_be_lost_are_not_late() {
    let mut connection = connection();
    let mut packets = opened(&mut connection);
    packets.push(connection.asks(10, [asks(1), asks(3), asks(5)].concat()));
    // The whole answer to one, and the beginning of that to another.
    let lost = [tells(1), frame(0x01, 0x04, 3, &[0x88])].concat();
    connection.tells(12, lost);
    packets.push(connection.tells(14, [frame(0x00, 0x01, 3, b"ok"), tells(5)].concat()));
    packets.push(connection.asks(5_000, asks(7)));
    packets.push(connection.tells(5_010, tells(7)));
    check(
        &packets,
        &[
            "40000 GET / on 1 response_lost 0 10-10",
            "40000 GET / on 3 response_lost 0 10-10",
            "40000 GET / on 5 complete 200 10-14",
            "40000 GET / on 7 complete 200 5000-5010",
        ],
    );
}

#[test]
fn request_is_called_what_its_answer_tells_that_it_is() {
    let mut connection = connection();
    let mut packets = opened(&mut connection);
    let literal = |index: &[u8], text: &[u8]| [index, &[text.len() as u8], text].concat();
    // The type of content is inserted in what is lost, as is the request that it belongs to.
    let kind = literal(&[0x5f], b"application/grpc");
    connection.asks(10, frame(0x01, 0x05, 1, &[&[0x83, 0x86, 0x84], &kind[..]].concat()));
    let path = literal(&[0x04], b"/shop.Orders/Get");
    let head = [&[0x83, 0x86], &path[..], &[0xbe]].concat();
    let message = b"\0\0\0\0\x01a";
    let request = [frame(0x01, 0x04, 3, &head), frame(0x00, 0x01, 3, message)];
    packets.push(connection.asks(12, request.concat()));
    let head = [&[0x88], &literal(&[0x0f, 0x10], b"application/grpc")[..]].concat();
    let trailers = [&literal(&[0], b"grpc-status")[..], b"\x015"].concat();
    let response =
        [frame(0x01, 0x04, 3, &head), frame(0x00, 0, 3, message), frame(0x01, 0x05, 3, &trailers)];
    packets.push(connection.tells(14, response.concat()));
    check(&packets, &["40000 Get shop.Orders on 3 complete 5NOT_FOUND 12-14"]);
}
