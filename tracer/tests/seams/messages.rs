//! What becomes of messages: gaps, order, parts, times and bodies.

use crate::http::{Connection, end, get, head, ok, sorted};
use crate::packets::Packet;
use crate::run::{Ran, ms, name, run, run_with, values, with_protocols};
use crate::toy;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wirespan::config::Config;
use wirespan::exchange::{Sort, State};
use wirespan::span::Span;
use wirespan_parsers::message::{Attribute, Message, Value};
use wirespan_parsers::protocol::{FlowInfo, Hook, Key, Out, Timestamp};

fn connection() -> (Connection, Vec<Packet>) {
    let mut connection = Connection::new(end(1, 40_000), end(2, 9_000));
    let packets = connection.open(0);
    (connection, packets)
}

fn run_toy(packets: &[Packet]) -> Ran {
    run_with(packets, &|| with_protocols(toy::protocols))
}

fn times(span: &Span) -> [i64; 4] {
    let request = span.exchange.request;
    let [a, b] = [request.first, request.last].map(|mark| ms(mark.at));
    let response = span.exchange.response;
    let [c, d] = response.map_or([-1, -1], |half| [half.first, half.last].map(|mark| ms(mark.at)));
    [a, b, c, d]
}

#[test]
fn response_to_a_lost_request_answers_no_other_one() {
    let (mut c, mut packets) = connection();
    c.asks(1, get("/lost", &[]));
    packets.push(c.tells(2, ok(&["Server: one"], "")));
    packets.push(c.asks(203, get("/seen", &[])));
    packets.push(c.tells(204, ok(&["Server: two"], "")));
    let ran = run(&packets);
    assert_eq!(times(ran.span("/seen")), [203, 203, 204, 204]);
    assert_eq!(ran.summary.lost["responses_without_request"], 1);
    assert_eq!(ran.summary.exchanges["http"], 1);
}

#[test]
fn request_whose_response_was_lost_says_so_and_the_next_is_paired_right() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, get("/one", &[])));
    c.tells(2, ok(&[], ""));
    packets.push(c.asks(300, get("/two", &[])));
    packets.push(c.tells(301, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(ran.span("/one").exchange.state, State::ResponseLost);
    assert_eq!(times(ran.span("/two")), [300, 300, 301, 301]);
}

#[test]
fn connection_that_is_refused_is_a_login_that_failed() {
    let mut c = Connection::new(end(1, 40_000), end(2, 3306));
    let mut packets = c.open(0);
    packets.push(c.tells(5, b"\x17\0\0\0\xff\x10\x04Too many connections"));
    let ran = run(&packets);
    let span = ran.span("LOGIN");
    assert_eq!((span.exchange.client.port(), span.exchange.server.port()), (40_000, 3306));
    assert_eq!(span.exchange.sort, Sort::Handshake);
    assert_eq!((span.exchange.state, span.exchange.code), (State::Complete, 1040));
    assert!(span.exchange.failed());
    assert_eq!(times(span), [0, 0, 5, 5]);
}

#[test]
fn login_that_the_server_ends_reaches_up_to_its_last_proof() {
    let mut c = Connection::new(end(1, 40_000), end(2, 5432));
    let mut packets = c.open(0);
    let packet =
        |kind: &[u8], body: &[u8]| [kind, &(body.len() as u32 + 4).to_be_bytes(), body].concat();
    packets.push(c.asks(1, packet(b"", b"\0\x03\0\0user\0joe\0\0")));
    packets.push(c.tells(2, packet(b"R", &[&b"\0\0\0\x0a"[..], &[b'm'; 300]].concat())));
    packets.push(c.asks(3, packet(b"p", b"proof")));
    let ready = [packet(b"R", b"\0\0\0\0"), packet(b"Z", b"I")].concat();
    packets.push(c.tells(4, ready));
    let ran = run(&packets);
    let span = ran.span("joe");
    assert_eq!((times(span), span.exchange.state), ([1, 3, 2, 4], State::Complete));
    assert_eq!(span.exchange.request.len, 18 + 10);
}

#[test]
fn response_that_overtakes_its_request_waits_for_it() {
    let (mut c, mut packets) = connection();
    let request = c.asks(5, get("/x", &[]));
    packets.push(c.tells(4, ok(&[], "")));
    packets.push(request);
    let ran = run(&packets);
    assert_eq!(ran.span("/x").exchange.state, State::Complete);
    assert_eq!(times(ran.span("/x")), [5, 5, 4, 4]);
}

#[test]
fn one_sided_capture_shows_requests() {
    let (mut c, packets) = connection();
    let mut packets = vec![packets[0].clone()];
    packets.push(c.asks(1, get("/one", &[])));
    c.tells(2, ok(&[], ""));
    packets.push(c.asks(3, get("/two", &[])));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["/one", "/two"]);
    assert_eq!(ran.summary.open_by["one_sided"], 2);
}

#[test]
fn one_sided_capture_counts_responses() {
    let (mut c, _) = connection();
    let mut packets = Vec::new();
    for n in 0..3 {
        c.asks(n * 10, get("/x", &[]));
        packets.push(c.tells(n * 10 + 1, ok(&[], "")));
    }
    let ran = run(&packets);
    assert_eq!((ran.traces.len(), ran.summary.lost["responses_without_request"]), (0, 3));
}

#[test]
fn late_capture_begins_with_the_next_message() {
    let (mut c, _) = connection();
    c.asks(0, get("/before", &[]));
    let mut packets = vec![c.tells(1, "rest of something\r\n\r\n")];
    packets.push(c.asks(200, get("/x", &[])));
    packets.push(c.tells(201, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["/x"]);
    assert_eq!(ran.span("/x").exchange.client, end(1, 40_000));
}

#[test]
fn gap_within_a_body_is_counted_against_the_body() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, get("/one", &[])));
    let response = head("HTTP/1.1 200 OK", &["Content-Length: 3000"]);
    packets.push(c.tells(2, response + &"x".repeat(500)));
    c.tells(3, "y".repeat(1_500));
    packets.push(c.tells(4, "z".repeat(1_000)));
    packets.push(c.asks(200, get("/two", &[])));
    packets.push(c.tells(201, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(times(ran.span("/one")), [1, 1, 2, 4]);
    assert_eq!(times(ran.span("/two")), [200, 200, 201, 201]);
    assert_eq!(ran.summary.exchanges["http"], 2);
    assert_eq!(ran.summary.lost["gap_bytes"], 1_500);
}

#[test]
fn end_of_a_body_that_was_lost_came_before_its_acknowledgement() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, get("/one", &[])));
    let response = head("HTTP/1.1 200 OK", &["Content-Length: 2000"]);
    packets.push(c.tells(2, response + &"x".repeat(500)));
    c.tells(3, "y".repeat(1_500));
    packets.push(c.asks(4, ""));
    packets.push(c.asks(60, get("/two", &[])));
    packets.push(c.tells(90, ok(&[], "")));
    packets.push(c.client_closes(300));
    let ran = run(&packets);
    assert_eq!(times(ran.span("/one")), [1, 1, 2, 4]);
    assert_eq!(times(ran.span("/two")), [60, 60, 90, 90]);
}

#[test]
fn one_step_may_yield_many_messages() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a,b,c\n"));
    packets.push(c.tells(2, "=a,b,c\n"));
    let ran = run_toy(&packets);
    assert_eq!(ran.summary.exchanges["toy"], 3);
    let seqs: Vec<u32> = ran.spans().iter().map(|s| s.exchange.request.seq.unwrap()).collect();
    assert_eq!((seqs[1] - seqs[0], seqs[2] - seqs[1]), (2, 2));
    let names: Vec<String> = ran.spans().into_iter().map(name).collect();
    assert_eq!(names, ["A", "B", "C"], "fields that do not lie in the input");
}

#[test]
fn message_over_many_packets_has_the_times_and_frames_of_its_ends() {
    let (mut c, mut packets) = connection();
    let bytes = get("/long", &["A: b", "C: d"]);
    for (place, piece) in bytes.as_bytes().chunks(7).enumerate() {
        packets.push(c.asks(10 + place as i64, piece));
    }
    let last = 10 + bytes.len().div_ceil(7) as i64 - 1;
    let answer = ok(&["E: f"], "some body");
    for (place, piece) in answer.as_bytes().chunks(5).enumerate() {
        packets.push(c.tells(100 + place as i64, piece));
    }
    let end = 100 + answer.len().div_ceil(5) as i64 - 1;
    let ran = run(&packets);
    let span = ran.span("/long");
    assert_eq!(times(span), [10, last, 100, end]);
    let (request, response) = (span.exchange.request, span.exchange.response.unwrap());
    assert_eq!(request.first.frame.number, 3);
    assert_eq!(request.last.frame.number, 3 + (last - 10) as u64);
    assert_eq!(response.last.frame.number, packets.len() as u64);
    assert_eq!((request.len, response.len), (bytes.len() as u64, answer.len() as u64));
}

#[test]
fn messages_that_share_packets_have_times_of_their_own() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a"));
    packets.push(c.asks(2, ",b"));
    packets.push(c.asks(3, "b,c\n?d\n?"));
    packets.push(c.asks(4, "e\n"));
    packets.push(c.tells(11, "=a,b,c"));
    packets.push(c.tells(12, "\n=d\n=e\n"));
    let ran = run_toy(&packets);
    let all: Vec<(String, [i64; 4])> =
        ran.spans().into_iter().map(|span| (name(span), times(span))).collect();
    let expected = [
        ("A", [1, 1, 11, 11]),
        ("BB", [2, 3, 11, 11]),
        ("C", [3, 3, 11, 12]),
        ("D", [3, 3, 12, 12]),
        ("E", [3, 4, 12, 12]),
    ];
    assert_eq!(all, expected.map(|(name, times)| (name.to_owned(), times)));
}

#[test]
fn header_in_disorder_with_a_duplicate_is_one_exchange() {
    let (mut c, mut packets) = connection();
    let bytes = get("/x", &["Accept: everything-that-there-is", "X-Request-ID: r"]);
    let pieces: Vec<Packet> = bytes
        .as_bytes()
        .chunks(30)
        .enumerate()
        .map(|(place, piece)| c.asks(10 + place as i64, piece))
        .collect();
    let [first, second, third] = [0, 1, 2].map(|place| pieces[place].clone());
    let again = first.clone().at(14).id(4_444);
    packets.extend([third.at(10), first.at(11), again, second.at(15)]);
    packets.extend(pieces.into_iter().skip(3).map(|piece| piece.at(16)));
    packets.push(c.tells(20, ok(&[], "")));
    let ran = run(&sorted(packets));
    assert_eq!(ran.trees(), ["/x"]);
    assert_eq!(times(ran.span("/x"))[2..], [20, 20]);
    assert_eq!(ms(ran.span("/x").exchange.start()), 11);
    assert_eq!(ran.summary.exchanges["http"], 1);
}

#[test]
fn span_ends_with_the_last_byte_of_a_skipped_body() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a:5000\n"));
    packets.push(c.asks(2, "x".repeat(3_000)));
    packets.push(c.asks(5, "x".repeat(2_000) + "?b\n"));
    packets.push(c.tells(11, "=a:4000\nxx"));
    packets.push(c.tells(12, "x".repeat(3_000)));
    packets.push(c.tells(19, "x".repeat(998) + "=b\n"));
    let ran = run_toy(&packets);
    assert_eq!(times(ran.span("A")), [1, 5, 11, 19]);
    assert_eq!(times(ran.span("B")), [5, 5, 19, 19]);
    let exchange = &ran.span("A").exchange;
    assert_eq!((exchange.request.len, exchange.response.unwrap().len), (5_008, 4_008));
}

#[test]
fn span_ends_with_the_last_byte_that_was_seen_of_an_unfinished_body() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a\n"));
    packets.push(c.tells(2, "=a:1000\nx"));
    packets.push(c.tells(5, "xxxx"));
    packets.push(c.asks(9, "").at(50));
    let ran = run_toy(&packets);
    assert_eq!(times(ran.span("A")), [1, 1, 2, 5]);
}

#[test]
fn span_ends_with_the_last_chunk_or_trailer() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, get("/x", &[])));
    packets.push(c.tells(2, head("HTTP/1.1 200 OK", &["Transfer-Encoding: chunked"])));
    packets.push(c.tells(3, "a\r\n0123456789\r\n"));
    packets.push(c.tells(4, "5\r\n01234\r\n0\r\n"));
    packets.push(c.tells(7, "Server-Timing: a\r\n\r\n"));
    let ran = run(&packets);
    assert_eq!(times(ran.span("/x")), [1, 1, 2, 7]);
}

/// Wants so many body bytes; notes what it sees, and adds an attribute.
struct Watcher {
    wants: usize,
    seen: Arc<Mutex<BTreeMap<String, String>>>,
    names: BTreeMap<u64, String>,
}

impl Hook for Watcher {
    fn wants(&self) -> usize {
        self.wants
    }

    fn body(&mut self, key: Key, bytes: &[u8], _out: &mut dyn Out) {
        let name = self.names.get(&key.0).cloned().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap();
        seen.entry(name).or_default().push_str(&String::from_utf8_lossy(bytes));
    }

    fn message(
        &mut self,
        flow: &FlowInfo,
        at: Timestamp,
        key: Key,
        message: &Message<'_>,
        raw: &[u8],
        out: &mut dyn Out,
    ) {
        let name = format!("{:?} {}", message.kind, String::from_utf8_lossy(message.resource));
        self.names.insert(key.0, name);
        let text = format!("{} {} {}", flow.addresses[1], at.0, String::from_utf8_lossy(raw));
        out.add(key, Attribute { name: "watcher.saw", value: Value::Text(text.as_bytes()) });
    }
}

fn watched(packets: &[Packet], wants: usize) -> (Ran, BTreeMap<String, String>) {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let config = || {
        let seen = seen.clone();
        seen.lock().unwrap().clear();
        let hooks = move || {
            let watcher = Watcher { wants, seen: seen.clone(), names: BTreeMap::new() };
            vec![Box::new(watcher) as Box<dyn Hook>]
        };
        Config { hooks: Box::new(hooks), ..with_protocols(toy::protocols) }
    };
    let ran = run_with(packets, &config);
    let seen = seen.lock().unwrap().clone();
    (ran, seen)
}

fn with_bodies() -> Vec<Packet> {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a:26\nabcdefgh"));
    packets.push(c.asks(2, "ijklmnopqrstuvwxyz?b:3\nxyz"));
    packets.push(c.tells(3, "=a:12\n0123"));
    packets.push(c.tells(4, "45678901"));
    packets.push(c.tells(5, "=b\n"));
    packets
}

#[test]
fn hook_gets_as_much_of_each_body_as_it_wants() {
    let (ran, seen) = watched(&with_bodies(), 10);
    let expected = [("Request A", "abcdefghij"), ("Request B", "xyz"), ("Response ", "0123456789")];
    assert_eq!(seen, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(times(ran.span("A")), [1, 2, 3, 4]);
    assert_eq!(times(ran.span("B")), [2, 2, 5, 5]);
}

#[test]
fn nobody_gets_a_body_who_did_not_ask() {
    let (ran, seen) = watched(&with_bodies(), 0);
    assert_eq!(seen, BTreeMap::new());
    let (wanting, _) = watched(&with_bodies(), 10);
    let all = |ran: &Ran| ran.spans().into_iter().map(times).collect::<Vec<_>>();
    assert_eq!(all(&ran), all(&wanting));
}

#[test]
fn hook_sees_messages_and_adds_to_them() {
    let (ran, _) = watched(&with_bodies(), 0);
    let start = crate::packets::START.0;
    let saw = values(&ran.span("A").exchange, "watcher.saw");
    let request = format!("10.0.0.2:9000 {} ?a", start + 1_000_000);
    assert_eq!(saw, [request, format!("10.0.0.2:9000 {} =a", start + 3_000_000)]);
}

#[test]
fn protocol_knows_addresses_and_packet_time() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a\n"));
    packets.push(c.tells(8, "=a\n"));
    let ran = run_toy(&packets);
    let exchange = &ran.span("A").exchange;
    assert_eq!(values(exchange, "toy.server"), ["10.0.0.2:9000"; 2]);
    assert_eq!(values(exchange, "toy.from"), ["client", "server"]);
    let start = crate::packets::START.0;
    let at = [1, 8].map(|ms| (start + ms * 1_000_000).to_string());
    assert_eq!(values(exchange, "toy.at"), at);
}

#[test]
fn each_shard_has_instances_that_own_their_connections() {
    let mut packets = Vec::new();
    for port in 0..200 {
        let mut c = Connection::new(end(1, 40_000 + port), end(2, 9_000));
        packets.extend(c.open(1));
        packets.push(c.asks(1, "?a\n"));
        packets.push(c.tells(2, "=a\n"));
    }
    let packets = sorted(packets);
    let logs = Mutex::new(Vec::new());
    let config = || {
        let log = toy::Log::default();
        logs.lock().unwrap().push(log.clone());
        with_protocols(move || toy::protocols_with(&log))
    };
    let ran = run_with(&packets, &config);
    assert_eq!(ran.summary.exchanges["toy"], 200);
    // The first ones only told their names.
    for log in logs.into_inner().unwrap().iter().skip(1) {
        let lines = log.lines();
        let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!((count("open"), count("end"), count("forget")), (200, 400, 200));
        assert_eq!(log.instances(), wirespan::pipeline::SHARDS);
        let used: std::collections::BTreeSet<&str> =
            lines.iter().filter_map(|line| line.split([' ', '/']).nth(1)).collect();
        assert!(used.len() > 8, "{used:?}");
    }
}

#[test]
fn response_after_the_time_limit_answers_no_other_request() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?slow\n"));
    packets.push(c.asks(100_000, "?next\n"));
    packets.push(c.tells(130_000, "=slow\n"));
    packets.push(c.tells(130_001, "=next\n"));
    let ran = run_toy(&packets);
    assert_eq!(ran.span("SLOW").exchange.state, State::TimedOut);
    assert_eq!(times(ran.span("NEXT")), [100_000, 100_000, 130_001, 130_001]);
    assert_eq!(ran.summary.lost["responses_without_request"], 1);
}

#[test]
fn requests_beyond_the_limit_do_not_shift_the_answers() {
    let (mut c, mut packets) = connection();
    let count = wirespan::pairing::OPEN + 10;
    for n in 0..count as i64 {
        packets.push(c.asks(10 + n, format!("?q{n}\n")));
    }
    for n in 0..count as i64 {
        packets.push(c.tells(10_000 + n, format!("=q{n}\n")));
    }
    let ran = run_toy(&packets);
    assert_eq!(ran.summary.lost["requests_evicted"], 10);
    assert_eq!(ran.summary.lost["responses_without_request"], 10);
    assert_eq!(times(ran.span("Q10")), [20, 20, 10_010, 10_010]);
    assert_eq!(times(ran.span(&format!("Q{}", count - 1)))[2], 10_000 + count as i64 - 1);
}

#[test]
fn request_that_took_longer_to_arrive_than_it_may_wait_is_given_up_at_once() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?sl"));
    packets.push(c.asks(60_000, "o"));
    packets.push(c.asks(125_000, "w\n"));
    packets.push(c.asks(130_000, "?x\n"));
    packets.push(c.tells(130_001, "=slow\n=x\n"));
    let ran = run_toy(&packets);
    assert_eq!(ran.span("SLOW").exchange.state, State::TimedOut);
    assert_eq!(times(ran.span("X")), [130_000, 130_000, 130_001, 130_001]);
}

#[test]
fn connection_that_fails_is_a_call_of_its_own_kind() {
    let (_, packets) = connection();
    let syn = packets[0].clone();
    let reset = Packet::tcp(end(2, 9_000), end(1, 40_000), 0, b"").rst();
    let refused = reset.ack(syn.seq() + 1).at(1);
    let ran = run(&[syn.clone(), refused]);
    assert_eq!(ran.summary.failed_connections["refused"], 1);
    assert_eq!(ran.traces[0].spans[0].exchange.state, State::Refused);
    let other = Packet::udp(end(3, 1), end(4, 2), b"x").at(60_000);
    let ran = run(&[syn, other]);
    assert_eq!(ran.summary.failed_connections["unanswered"], 1);
}
