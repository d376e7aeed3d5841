//! Flows that become another protocol, get a layer beneath, or carry others inside.

use crate::http::{Connection, end, get, head, ok};
use crate::packets::Packet;
use crate::run::{Ran, ms, name, run_with, values, with_protocols};
use crate::toy::{self, frame, xor};
use wirespan::exchange::State;

fn connection() -> (Connection, Vec<Packet>) {
    let mut connection = Connection::new(end(1, 40_000), end(2, 9_000));
    let packets = connection.open(0);
    (connection, packets)
}

fn run(packets: &[Packet]) -> Ran {
    run_with(packets, &|| with_protocols(toy::protocols))
}

fn ping() -> &'static str {
    "*1\r\n$4\r\nPING\r\n"
}

#[test]
fn tunnel_is_followed_by_what_it_carries() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, head("CONNECT cache:6379 HTTP/1.1", &["Host: cache:6379"])));
    packets.push(c.tells(2, head("HTTP/1.1 200 Connection established", &[])));
    packets.push(c.asks(3, ping()));
    packets.push(c.tells(4, "+PONG\r\n"));
    let ran = run(&packets);
    assert_eq!((ran.summary.exchanges["http"], ran.summary.exchanges["redis"]), (1, 1));
    let exchange = &ran.span("PING").exchange;
    assert_eq!((ms(exchange.start()), ms(exchange.end())), (3, 4));
    assert_eq!(exchange.state, State::Complete);
    assert!(exchange.request.seq.is_some(), "it lies on the TCP stream itself");
}

#[test]
fn tunnel_is_followed_also_where_its_first_bytes_come_with_the_answer() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, head("CONNECT cache:6379 HTTP/1.1", &["Host: cache:6379"])));
    packets.push(c.asks(2, ping()));
    packets.push(c.tells(3, head("HTTP/1.1 200 Connection established", &[]) + "+PONG\r\n"));
    let ran = run(&packets);
    let exchange = &ran.span("PING").exchange;
    assert_eq!((ms(exchange.start()), ms(exchange.end())), (2, 3));
    assert_eq!(exchange.state, State::Complete);
}

#[test]
fn flow_is_handed_to_a_protocol_by_name() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a\n"));
    packets.push(c.tells(2, "=a\n"));
    packets.push(c.asks(3, "!to redis\n".to_owned() + ping()));
    packets.push(c.tells(4, "+PONG\r\n"));
    let ran = run(&packets);
    assert_eq!((ran.summary.exchanges["toy"], ran.summary.exchanges["redis"]), (1, 1));
    assert_eq!(ms(ran.span("PING").exchange.start()), 3);
}

#[test]
fn flow_is_handed_to_nobody_if_the_name_is_unknown() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a\n"));
    packets.push(c.tells(2, "=a\n"));
    packets.push(c.asks(3, "!to nobody\n?b\n"));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["A"]);
}

#[test]
fn flow_is_detected_anew() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?a\n"));
    packets.push(c.tells(2, "=a\n"));
    packets.push(c.asks(3, "!detect\n"));
    packets.push(c.asks(4, get("/x", &[])));
    packets.push(c.tells(5, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["A", "/x"]);
}

#[test]
fn protocol_keeps_its_state_when_a_layer_comes_beneath() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "?open\n"));
    packets.push(c.asks(2, "!beneath xor\n"));
    packets.push(c.tells(3, xor(b"=open\n")));
    packets.push(c.asks(4, xor(b"?hid")));
    packets.push(c.asks(5, xor(b"den\n")));
    packets.push(c.tells(6, xor(b"=hidden\n")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["OPEN", "HIDDEN"]);
    let open = &ran.span("OPEN").exchange;
    assert_eq!((open.state, ms(open.start()), ms(open.end())), (State::Complete, 1, 3));
    assert_eq!(values(open, "toy.line"), ["1", "3"], "the state goes on");
    let hidden = &ran.span("HIDDEN").exchange;
    assert_eq!((ms(hidden.request.first.at), ms(hidden.request.last.at)), (4, 5));
    assert_eq!((ms(hidden.end()), hidden.request.seq), (6, None));
    assert_eq!(hidden.request.first.frame.number, 6);
    assert_eq!(values(hidden, "toy.line"), ["4", "5"]);
}

#[test]
fn bytes_that_come_with_the_word_for_a_layer_are_the_layers() {
    let (mut c, mut packets) = connection();
    let bytes = [&b"?a\n!beneath xor\n"[..], &xor(b"?b\n")].concat();
    for (place, piece) in bytes.chunks(3).enumerate() {
        packets.push(c.asks(1 + place as i64, piece));
    }
    packets.push(c.tells(20, xor(b"=a\n=b\n")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["A", "B"]);
    assert!(ran.spans().iter().all(|span| span.exchange.state == State::Complete));
}

#[test]
fn gap_in_a_layer_is_a_gap_of_what_it_carries() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "!beneath xor\n"));
    packets.push(c.asks(2, xor(b"?a:20\nxx")));
    c.asks(3, [0; 10]);
    packets.push(c.asks(4, xor(b"xxxxxxxx?b\n")));
    packets.push(c.tells(300, xor(b"=a\n=b\n")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["A", "B"]);
    assert_eq!(ms(ran.span("A").exchange.request.last.at), 4);
}

#[test]
fn end_of_a_layer_is_the_end_of_what_it_carries() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, "!beneath xor\n"));
    packets.push(c.asks(2, xor(b"?a\n")));
    packets.push(c.tells(3, xor(b"=a:100\nxyz")));
    packets.push(c.server_closes(4));
    packets.push(c.client_closes(5));
    let ran = run(&packets);
    assert_eq!(ran.span("A").exchange.state, State::Complete);
    assert_eq!(ms(ran.span("A").exchange.end()), 3);
}

#[test]
fn several_flows_inside_one_are_told_apart() {
    let (mut c, mut packets) = connection();
    let asks = [frame(1, "?one\n"), frame(2, "?t"), frame(3, ping()), frame(2, "wo\n")].concat();
    for (place, piece) in asks.chunks(6).enumerate() {
        packets.push(c.asks(1 + place as i64, piece));
    }
    packets.push(c.tells(20, frame(2, "=two\n")));
    packets.push(c.tells(21, frame(3, "+PONG\r\n")));
    packets.push(c.tells(22, frame(1, "=one\n")));
    let ran = run(&packets);
    let all: Vec<(String, i64)> =
        ran.spans().into_iter().map(|span| (name(span), ms(span.exchange.end()))).collect();
    let mut all = all;
    all.sort();
    let expected = [("ONE", 22), ("PING", 21), ("TWO", 20)];
    assert_eq!(all, expected.map(|(name, end)| (name.to_owned(), end)));
}

#[test]
fn flows_inside_one_have_gaps_of_their_own() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, [frame(1, "?a:10\nxx"), frame(2, "?b:10\nxx")].concat()));
    packets.push(c.asks(2, [0xf1, 1, 8]));
    packets.push(c.asks(3, [frame(1, "?c\n"), frame(2, "12345678?d\n")].concat()));
    let ran = run(&packets);
    let mut names: Vec<String> = ran.spans().into_iter().map(name).collect();
    names.sort();
    assert_eq!(names, ["A", "B", "C", "D"]);
    assert_eq!(ms(ran.span("A").exchange.request.last.at), 2);
    assert_eq!(ms(ran.span("B").exchange.request.last.at), 3);
}

#[test]
fn flow_inside_one_ends_by_itself_and_its_lane_is_free_again() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, [frame(1, "?a\n"), vec![0xf2, 1, 0]].concat()));
    packets.push(c.tells(2, [frame(1, "=a:50\nx"), vec![0xf2, 1, 0]].concat()));
    packets.push(c.asks(3, frame(1, ping())));
    packets.push(c.tells(4, frame(1, "+PONG\r\n")));
    packets.push(c.asks(5, frame(2, "?b\n")));
    packets.push(c.asks(6, [0xf2, 2, 0]));
    packets.push(c.tells(7, [0xf2, 2, 0]));
    packets.push(c.asks(8, frame(3, "?c\n")).at(5_000));
    let ran = run(&packets);
    assert_eq!(ms(ran.span("A").exchange.end()), 2);
    assert_eq!(ran.span("PING").exchange.state, State::Complete);
    assert_eq!(ran.span("B").exchange.state, State::Closed, "ended without an answer");
    assert_eq!(ran.span("C").exchange.state, State::Open);
}

#[test]
fn many_ended_flows_inside_one_are_no_loss() {
    let (mut c, mut packets) = connection();
    for n in 0..3_000_i64 {
        let lane = (n % 250) as u8;
        let ends = vec![0xf2, lane, 0];
        packets.push(c.asks(10 + n, [frame(lane, &format!("?{n}\n")), ends.clone()].concat()));
        packets.push(c.tells(10 + n, [frame(lane, &format!("={n}\n")), ends].concat()));
    }
    let ran = run(&packets);
    assert_eq!(ran.summary.exchanges["toy"], 3_000);
    assert_eq!(ran.summary.lost, Default::default());
}

#[test]
fn flows_inside_one_at_two_points_make_pairs() {
    let (mut c, mut packets) = connection();
    packets.push(c.asks(1, [frame(1, "?a\n"), frame(2, "?b\n")].concat()));
    packets.push(c.asks(2, frame(1, "?c\n")));
    packets.push(c.tells(5, [frame(2, "=b\n"), frame(1, "=a\n=c\n")].concat()));
    let far = packets.iter().map(|p| p.clone().on("far").ttl(60).at_ns(p.time() + 5_000));
    let far: Vec<Packet> = far.collect();
    let ran = run(&crate::http::sorted([packets, far].concat()));
    let mut trees = ran.trees();
    trees.sort();
    let pair = |name: &str| format!("{name}@eth0({name}@far[tcp-sequence])");
    let trees: Vec<String> =
        trees.into_iter().map(|t| t.replace("datagram", "tcp-sequence")).collect();
    assert_eq!(trees, ["A", "B", "C"].map(pair));
}
