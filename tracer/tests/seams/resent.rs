//! What packets cost that are lost on their way, and the ways themselves: told on the spans.

use crate::http::{Call, Connection, end, get, ok, sorted};
use crate::packets::Packet;
use crate::run::{Ran, look, run};
use serde_json::Value;
use wirespan::export::Render;
use wirespan::export::terminal::Terminal;

/// A packet as another point sees it, this many milliseconds later and a router further.
fn further(packet: &Packet, later: i64) -> Packet {
    packet.clone().on("b").hop(1).at_ns(packet.time() + later * 1_000_000 + 50_000)
}

fn near(packet: Packet) -> Packet {
    packet.on("a")
}

/// The handshake at both points.
fn open(connection: &mut Connection) -> Vec<Packet> {
    let packets: Vec<Packet> = connection.open(-50).into_iter().map(near).collect();
    let far: Vec<Packet> = packets.iter().map(|packet| further(packet, 0)).collect();
    [packets, far].concat()
}

fn spans(ran: &Ran) -> Vec<Value> {
    ran.ndjson().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first trace, as people see it.
fn shown(ran: &Ran) -> String {
    let mut text = Vec::new();
    Terminal::new(look(200)).trace(&ran.traces[0], &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn request_that_is_lost_between_two_points_is_one_chain_and_was_sent_again() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = open(&mut c);
    let request = near(c.asks(0, get("/x", &[])));
    let again = request.clone().id(4_711).at(210);
    let response = c.tells(215, ok(&[], "hi"));
    packets.extend([further(&again, 0), response.clone().on("b"), request, again]);
    packets.push(near(response.hop(1)).at(216));
    let ran = run(&sorted(packets));
    let text = shown(&ran);
    assert!(text.contains("GET /x [network 211 ms, 1 resent]"), "{text}");
    let spans = spans(&ran);
    assert_eq!((ran.traces.len(), spans.len()), (1, 2));
    let [outer, inner] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(outer["request"]["resent"]["segments"], 1);
    assert_eq!(outer["request"]["resent"]["stalled"], 210_000_000);
    assert_eq!(inner["request"]["resent"], Value::Null);
    assert_eq!(inner["link"]["reason"], "tcp-sequence");
    assert!(inner["link"]["between"].as_i64() > Some(209_000_000), "{inner}");
    assert!(outer["time"]["network"].as_i64() > Some(209_000_000), "{outer}");
    assert!(outer["time"]["server"].as_i64() < Some(6_000_000), "{outer}");
}

#[test]
fn response_that_comes_late_at_the_first_point_was_on_the_network() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = open(&mut c);
    let request = near(c.asks(0, get("/x", &[])));
    packets.extend([further(&request, 0), request]);
    let response = c.tells(5, ok(&[], "hi"));
    packets.extend([response.clone().on("b"), near(response.hop(1)).at(75)]);
    let ran = run(&sorted(packets));
    let text = shown(&ran);
    assert!(text.contains("network 70.1 ms]"), "{text}");
    let spans = spans(&ran);
    let [outer, inner] = spans.as_slice() else { panic!("{spans:?}") };
    assert!(inner["link"]["between"].as_i64() >= Some(70_000_000), "{inner}");
    assert!(outer["time"]["network"].as_i64() >= Some(70_000_000), "{outer}");
    assert!(outer["time"]["server"].as_i64() <= Some(5_000_000), "{outer}");
    assert_eq!(outer["response"]["resent"], Value::Null);
}

#[test]
fn part_of_a_response_that_was_missing_for_long_was_sent_again() {
    for (wrong, body) in [(false, "x".repeat(3_000)), (true, "y".repeat(3_000))] {
        let mut c = Connection::new(end(1, 40_000), end(2, 80));
        let mut packets = c.open(-1);
        packets.push(c.asks(0, get("/x", &[])));
        let whole = ok(&[], &body);
        let (first, rest) = whole.split_at(1_400);
        let (second, third) = rest.split_at(1_000);
        packets.push(c.tells(10, first));
        let mut late = c.tells(10, second);
        packets.push(c.tells(11, third));
        // Shortly after, it came in another order only.
        late = late.at(if wrong { 12 } else { 61 });
        packets.push(late);
        let spans = spans(&run(&sorted(packets)));
        let resent = &spans[0]["response"]["resent"];
        match wrong {
            true => assert_eq!(*resent, Value::Null),
            false => {
                assert_eq!(
                    (&resent["segments"], &resent["stalled"]),
                    (&1.into(), &50_000_000.into())
                );
            }
        }
    }
}

#[test]
fn bytes_of_a_body_that_are_lost_are_counted() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(-1);
    packets.push(c.asks(0, get("/x", &[])));
    let whole = ok(&[], &"x".repeat(3_000));
    let (first, rest) = whole.split_at(1_400);
    let (second, third) = rest.split_at(1_000);
    packets.push(c.tells(10, first));
    let _lost = c.tells(10, second);
    packets.push(c.tells(11, third));
    packets.push(c.asks(12, get("/y", &[])));
    packets.push(c.tells(13, ok(&[], "")));
    let spans = spans(&run(&packets));
    let lost: Vec<&Value> = spans.iter().map(|span| &span["response"]["lost"]).collect();
    assert_eq!(lost, [&Value::from(1_000), &Value::Null]);
}

#[test]
fn what_comes_again_is_of_the_message_that_it_is_part_of() {
    // The second of two pipelined requests comes again, and the answer to the first.
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(-1);
    packets.push(c.asks(0, get("/1", &[])));
    let second = c.asks(1, get("/2", &[]));
    packets.extend([second.clone(), second.id(77).at(41)]);
    let answer = c.tells(50, ok(&[], "one"));
    packets.push(answer.clone());
    packets.push(answer.id(78).at(52));
    packets.push(c.tells(60, ok(&[], "two")));
    let spans = spans(&run(&sorted(packets)));
    let resent = |half: &str| -> Vec<Value> {
        spans.iter().map(|span| span[half]["resent"]["segments"].clone()).collect()
    };
    assert_eq!(resent("request"), [Value::Null, 1.into()]);
    // The exchange was over by then.
    assert_eq!(resent("response"), [1.into(), Value::Null]);
}

#[test]
fn what_comes_again_of_an_earlier_message_takes_nothing_from_an_unfinished_one() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(-1);
    let first = c.asks(0, get("/1", &[]));
    packets.extend([first.clone(), c.tells(5, ok(&[], "one"))]);
    let whole = get("/2", &[]);
    let (head, rest) = whole.split_at(10);
    let second = c.asks(100, head);
    packets.extend([second.clone(), second.id(77).at(300), first.id(78).at(350)]);
    packets.push(c.asks(400, rest));
    packets.push(c.tells(405, ok(&[], "two")));
    let spans = spans(&run(&sorted(packets)));
    let resent: Vec<[&Value; 2]> = spans
        .iter()
        .map(|span| ["segments", "stalled"].map(|what| &span["request"]["resent"][what]))
        .collect();
    // The earlier one has been answered long since: its sender waited for nothing.
    assert_eq!(resent[1], [&Value::from(1), &Value::from(200_000_000)]);
    assert_eq!(resent[0][0], 1);
}

#[test]
fn handshake_is_told_with_each_exchange_of_its_connection() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(0);
    packets.push(c.asks(0, ""));
    packets.push(c.asks(1, get("/1", &[])));
    packets.push(c.tells(2, ok(&[], "")));
    packets.push(c.asks(3, get("/2", &[])));
    packets.push(c.tells(4, ok(&[], "")));
    let times: Vec<Value> =
        spans(&run(&packets)).iter().map(|span| span["round_trip"].clone()).collect();
    let expected = serde_json::json!({"server": 1_000, "client": 2_000});
    assert_eq!(times, [expected.clone(), expected]);
}

#[test]
fn connection_that_nobody_answers_counts_its_tries() {
    let [client, server] = [end(1, 40_000), end(2, 80)];
    let syn = |at: i64, id| Packet::tcp(client, server, 7, b"").syn().id(id).at(at);
    let mut packets = vec![syn(0, 1), syn(1_000, 2), syn(3_000, 3)];
    packets.extend(Call::new(3, 4, 20_000..20_010, "/later").packets());
    let spans = spans(&run(&packets));
    assert_eq!(spans[0]["state"], "unanswered");
    assert_eq!(spans[0]["request"]["resent"]["segments"], 2);
}
