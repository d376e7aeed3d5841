//! Streams of one flow in, the exchanges that come of them out.

use super::*;
use crate::exchange::{ExchangeId, RESOURCE, Resent};
use crate::losses::Missed;
use crate::pairing::Exchanges;
use crate::resent::Part;
use std::net::SocketAddr;
use std::sync::Arc;
use wirespan_capture::packet::{Frame, NetworkId, TapId};
use wirespan_capture::stream::{PointId, RoundTrip, Side};
use wirespan_parsers::registry::protocols;

#[derive(Default)]
struct Done {
    ids: u64,
    lines: Vec<String>,
    full: bool,
}

impl Exchanges for Done {
    fn id(&mut self) -> ExchangeId {
        self.ids += 1;
        ExchangeId { shard: 0, serial: self.ids }
    }

    fn done(&mut self, exchange: Box<Exchange>) {
        let path = exchange.text.text(RESOURCE).unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        self.lines.push(format!("{path} {} {}", exchange.state.name(), exchange.code));
    }

    fn evicted(&mut self) {}

    fn unpaired(&mut self) {}

    fn resent(&mut self, _: ExchangeId, _: Part, _: Resent) {}

    fn full(&self) -> bool {
        self.full
    }
}

impl Found for Done {
    fn missed(&mut self, _: Missed) {}

    fn named(&mut self, _network: NetworkId, server: SocketAddr, name: &str) {
        self.lines.push(format!("{server} is asked for {name}"));
    }

    fn opened(&mut self, _exchange: &Exchange) {}
}

fn check(pieces: &[(Side, &[u8])], expected: &[&str]) {
    check_limits(Done::default(), usize::MAX, pieces, expected);
}

/// So many lost bytes stand as zeros.
fn check_limits(mut done: Done, keep: usize, pieces: &[(Side, &[u8])], expected: &[&str]) {
    let addresses = [40_000, 80].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let flow = Flow {
        slot: 0,
        birth: 0,
        network: NetworkId(0),
        point: PointId::at(wirespan_capture::packet::TapId(0)),
        transport: Transport::Tcp,
        addresses,
        opener: None,
        syn: None,
        established: None,
        round_trip: RoundTrip::default(),
        first_seq: [None; 2],
        seen_sides: [true; 2],
        retransmissions: [0; 2],
    };
    let mut seen = Seen {
        at: Timestamp(0),
        tap: TapId(0),
        frame: Frame::default(),
        ack: 0,
        tsval: 0,
        ip_id: 0,
        ttl: 64,
        task: None,
    };
    let protocols = protocols(&Arc::default());
    let mut shared = Shared::new(protocols, Vec::new()).keeping_at_most(keep);
    let mut decoder = FlowDecoder::new(&flow);
    for (from, bytes) in pieces {
        seen.at = seen.at.plus(1);
        let event = match NonZeroU64::new(bytes.len() as u64) {
            Some(lost) if bytes.iter().all(|byte| *byte == 0) => {
                StreamEvent::Gap { offset: 0, lost }
            }
            _ => StreamEvent::Bytes { offset: 0, bytes },
        };
        decoder.event(&flow, *from, &seen, event, &mut shared, &mut done);
    }
    let end = StreamEvent::End(Ending::Finished);
    decoder.event(&flow, Side::A, &seen, end, &mut shared, &mut done);
    assert_eq!(done.lines, expected);
}

#[test]
fn bytes_that_cannot_be_read_answer_what_was_asked() {
    // The head of the first response was not captured.
    check(
        &[
            (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
            (Side::B, b"rest of a body"),
            (Side::B, b"more of it"),
            (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
            (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        &["/1 response_lost 0", "/2 complete 204"],
    );
}

#[test]
fn flow_gives_up_its_oldest_request_where_too_many_are_open_on_all() {
    let full = Done { full: true, ..Done::default() };
    let request: &[u8] = b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
    check_limits(full, usize::MAX, &[(Side::A, request)], &["/1 evicted 0", "/2 closed 0"]);
}

#[test]
fn unfinished_message_is_given_up_where_all_flows_keep_too_much() {
    let pieces: &[(Side, &[u8])] = &[
        (Side::A, b"GET /1 HTTP/1.1\r\nX: "),
        (Side::A, b"y\r\n\r\n"),
        (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
    ];
    // What there is of it is used; the rest of its head is not taken for another message.
    check_limits(Done::default(), 10, pieces, &["/1 closed 0", "/2 closed 0"]);
}

#[test]
fn gap_after_a_gap_gives_up_what_was_asked_in_between() {
    let lost: &[u8] = &[0; 100];
    check(
        &[
            (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
            (Side::B, lost),
            (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
            (Side::B, lost),
            (Side::A, b"GET /3 HTTP/1.1\r\n\r\n"),
            (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        &["/1 response_lost 0", "/2 response_lost 0", "/3 complete 204"],
    );
}

#[test]
fn gap_gives_up_what_is_answered_in_order_only() {
    check(
        &[
            (Side::A, b"GET /1 HTTP/1.1\r\n\r\n"),
            (Side::B, b"\0\0\0"),
            (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
            (Side::B, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        &["/1 response_lost 0", "/2 complete 204"],
    );
    // DNS, whose ids tell which of two queries the answer belongs to.
    check(
        &[
            (Side::A, b"\0\x13\0a\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"),
            (Side::A, b"\0\x13\0b\x01\0\0\x01\0\0\0\0\0\0\x01b\0\0\x01\0\x01"),
            (Side::B, b"\0\0\0"),
            (Side::B, b"\0\x13\0b\x81\x83\0\x01\0\0\0\0\0\0\x01b\0\0\x01\0\x01"),
        ],
        &["b complete 3", "a response_lost 0"],
    );
}

/// A message of Thrift in a frame, all of which have the same id.
fn thrift(kind: u8, name: &str, fields: &[u8]) -> Vec<u8> {
    let name = [&(name.len() as u32).to_be_bytes()[..], name.as_bytes()].concat();
    let body = [&[0x80, 1, 0, kind][..], &name, &[0, 0, 0, 7], fields].concat();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

#[test]
fn messages_of_which_only_the_length_is_seen_do_not_move_answers() {
    let ask = |name: &str| thrift(1, name, &[0]);
    let [one, two, three, four] = ["1:f", "2:f", "3:f", "4:f"].map(ask);
    let answer = thrift(2, "f", &[8, 0, 0, 0, 0, 0, 7, 0]);
    let failure = thrift(3, "f", &[8, 0, 2, 0, 0, 0, 6, 0]);
    let lost = |message: &[u8]| vec![0; message.len() - 4];
    let [lost_ask, lost_answer] = [lost(&two), lost(&answer)];
    let start = [(Side::A, &one[..]), (Side::B, &answer[..])];
    let (a, b) = (|bytes| (Side::A, bytes), |bytes| (Side::B, bytes));
    let asked = [a(&two[..]), a(&three[..4]), a(&lost_ask[..]), a(&four[..])];
    let answered = [b(&answer[..]), b(&answer[..]), b(&failure[..])];
    check(
        &[&start[..], &asked, &answered].concat(),
        &["1 complete 0", "2 complete 0", "4 response_lost 0"],
    );
    let asked = [a(&two[..]), a(&three[..])];
    let answered = [b(&answer[..4]), b(&lost_answer[..])];
    let after = [a(&four[..]), b(&failure[..])];
    check(
        &[&start[..], &asked, &answered, &after].concat(),
        &["1 complete 0", "2 response_lost 0", "3 response_lost 0", "4 response_lost 0"],
    );
}

#[test]
fn head_over_the_limit_is_one_request_however_it_is_cut() {
    let head = [&b"GET /1 HTTP/1.1\r\nX: "[..], &[b'x'; 70_000], b"\r\n\r\n"].concat();
    for size in [1, 2, 17, 1_400] {
        let mut pieces: Vec<(Side, &[u8])> =
            head.chunks(size).map(|piece| (Side::A, piece)).collect();
        pieces.extend([
            (Side::B, &b"HTTP/1.1 204 No Content\r\n\r\n"[..]),
            (Side::A, b"GET /2 HTTP/1.1\r\n\r\n"),
            (Side::B, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ]);
        check(&pieces, &["/1 complete 204", "/2 complete 404"]);
    }
}

#[test]
fn answer_tells_that_an_odd_line_was_a_request() {
    check(
        &[(Side::A, b"GET/ HTTP/1.1\r\n\r\n"), (Side::B, b"HTTP/1.0 400 Bad Request\r\n\r\n")],
        &[" complete 400"],
    );
}

/// A ClientHello that asks for a name behind an extension of so many bytes.
fn client_hello(name: &str, before: u16) -> Vec<u8> {
    let part = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let list = part(&[&[0][..], &part(name.as_bytes())].concat());
    let filler = [&[0, 23][..], &part(&vec![1; before.into()])].concat();
    let extensions = part(&[&filler[..], &[0, 0], &part(&list)].concat());
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &extensions].concat();
    let message = [&[1, 0][..], &part(&body)].concat();
    [&[0x16, 3, 1][..], &part(&message)].concat()
}

#[test]
fn a_client_hello_names_the_server() {
    let hello = client_hello("shop.example", 1_800);
    let named = ["127.0.0.1:80 is asked for shop.example"];
    check(&[(Side::A, &hello)], &named);
    for cut in [1, 3, 5, 6, 9, 1_460] {
        let (one, other) = hello.split_at(cut);
        check(&[(Side::A, one), (Side::A, other), (Side::B, b"\x16\x03\x03\0\x02\x02\0")], &named);
    }
    let pieces: Vec<(Side, &[u8])> = hello.chunks(40).map(|piece| (Side::A, piece)).collect();
    check(&pieces, &named);
    // From the server's side it would be the client that is asked.
    check(&[(Side::B, &hello)], &["127.0.0.1:40000 is asked for shop.example"]);
}

#[test]
fn a_client_hello_that_is_cut_names_the_server_where_it_can() {
    let hello = client_hello("a.test", 4);
    let with_rest = [&hello[..], &[0, 23, 0, 0]].concat();
    let (start, _) = with_rest.split_at(hello.len() - 3);
    check(&[(Side::A, start), (Side::A, &[0; 3])], &[]);
    // The name has come, though more of the message was lost.
    let mut long = client_hello("a.test", 4);
    for (at, more) in [(4, 9), (8, 9), (51, 9)] {
        long[at] += more;
    }
    let named = ["127.0.0.1:80 is asked for a.test"];
    check(&[(Side::A, &long), (Side::A, &[0; 9])], &named);
    check(&[(Side::A, &long)], &named);
}

#[test]
fn what_is_asked_for_through_a_proxy_does_not_name_it() {
    let hello = client_hello("shop.example", 1_800);
    let (one, other) = hello.split_at(1_000);
    check(
        &[
            (Side::A, b"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n"),
            (Side::B, b"HTTP/1.1 200 OK\r\n\r\n"),
            (Side::A, one),
            (Side::A, other),
        ],
        &["shop.example:443 complete 200"],
    );
}

#[test]
fn what_is_asked_for_behind_a_line_of_a_proxy_names_the_server() {
    let hello = client_hello("shop.example", 4);
    check(
        &[(Side::A, &[b"PROXY TCP4 192.0.2.7 192.0.2.1 5 443\r\n", &hello[..]].concat())],
        &["192.0.2.7:5 complete 0", "127.0.0.1:80 is asked for shop.example"],
    );
}

#[test]
fn what_turns_to_tls_names_the_server() {
    let hello = client_hello("mail.example", 4);
    check(
        &[
            (Side::B, b"220 mail.example ESMTP\r\n"),
            (Side::A, b"EHLO a.test\r\n"),
            (Side::B, b"250-mail.example\r\n250 STARTTLS\r\n"),
            (Side::A, b"STARTTLS\r\n"),
            (Side::B, b"220 ready\r\n"),
            (Side::A, &hello),
        ],
        &["127.0.0.1:80 is asked for mail.example"],
    );
}

#[test]
fn a_flow_becomes_what_was_asked_for_again_and_again() {
    check(
        &[
            (Side::A, b"PROXY TCP4 192.0.2.7 192.0.2.1 5 80\r\n"),
            (Side::A, b"\x05\x01\x00"),
            (Side::B, b"\x05\x00"),
            (Side::A, b"\x05\x01\x00\x03\x06a.test\x00\x50"),
            (Side::B, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
            (Side::A, b"CONNECT b.test:80 HTTP/1.1\r\nHost: b.test:80\r\n\r\n"),
            (Side::B, b"HTTP/1.1 200 OK\r\n\r\n"),
            (Side::A, b"GET /chat HTTP/1.1\r\nHost: b.test\r\nUpgrade: websocket\r\n\r\n"),
            (
                Side::B,
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Protocol: jsonrpc\r\n\r\n\x81\x02hi",
            ),
            (Side::A, b"\x81\x82\x00\x00\x00\x00hi"),
            (Side::A, b"\x82\x82\x00\x00\x00\x00hi"),
        ],
        &[
            "192.0.2.7:5 complete 0",
            " complete 0",
            "a.test:80 complete 0",
            "b.test:80 complete 200",
            "/chat complete 101",
            "/chat complete 0",
            "/chat complete 0",
            "/chat complete 0",
        ],
    );
}
