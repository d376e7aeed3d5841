//! Identifiers in statements of SQL join them with the calls that caused them.

use crate::http::{Call, sorted};
use crate::packets::Packet;
use crate::run::{Ran, run, values};
use crate::talk::Talk;
use wirespan::span::Span;

/// Host 2 asks the database at host 3 within a call that it answers, and within another call at
/// the same time, so that only an identifier tells which of them caused it.
fn asked_within(header: &str, packets: Vec<Packet>) -> Ran {
    let calls =
        [Call::new(1, 2, 10..900, "/front").asks(header), Call::new(9, 2, 11..899, "/noise")];
    run(&sorted(calls.iter().flat_map(Call::packets).chain(packets).collect()))
}

/// One statement and its answer, the statement in segments of so many bytes, that come in this
/// order.
fn asked(talk: Talk, statement: &str, size: usize, order: Order) -> Vec<Packet> {
    let mut connection = talk.connection(2, 3);
    let mut packets = talk.open(&mut connection, 5);
    let query = talk.query(statement);
    let mut pieces: Vec<Packet> =
        query.chunks(size).map(|piece| connection.asks(0, piece)).collect();
    if order == Order::Mixed {
        pieces.chunks_mut(3).for_each(<[Packet]>::reverse);
    }
    packets.extend(pieces.into_iter().zip(20..).map(|(piece, at)| piece.at(at)));
    packets.push(connection.tells(800, talk.rows(&[3])));
    packets
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Kept,
    Mixed,
}

const TRACEPARENT: &str = "traceparent: 00-80f198ee56343ba864fe8b2a57d3eff7-00000000000000aa-01";
const SW8: &str = "sw8: 1-N2E=-N2I=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";
/// The same trace, from another span of another segment.
const SW8_BELOW: &str = "1-N2E=-N2Q=-1-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";

/// A header of the call, the reason why it joins, and what the statement's comment says of it.
const COMMENTS: [[&str; 3]; 5] = [
    [
        TRACEPARENT,
        "traceparent",
        "/*traceparent='00-80f198ee56343ba864fe8b2a57d3eff7-00000000000000bb-01'*/",
    ],
    [
        TRACEPARENT,
        "traceparent",
        "-- traceparent: 00-80f198ee56343ba864fe8b2a57d3eff7-00000000000000bb-01",
    ],
    [
        TRACEPARENT,
        "uber-trace-id",
        "/* a='b', uber-trace-id='80f198ee56343ba864fe8b2a57d3eff7%3Abb%3Aaa%3A1' */",
    ],
    [
        SW8,
        "sw8",
        "/* sw8=1-N2E=-N2Q=-1-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=, x=y */",
    ],
    [
        SW8,
        "sw8",
        "/*sw8='1-N2E%3D-N2Q%3D-1-c2VydmljZQ%3D%3D-aW5zdGFuY2U%3D-L2FwcA%3D%3D-MTI3LjAuMC4xOjgwODA%3D'*/",
    ],
];

#[test]
fn identifier_in_a_comment_joins_wherever_it_stands() {
    for talk in Talk::SQL {
        for [header, reason, comment] in COMMENTS {
            // Before the statement, and behind the first 1,024 bytes, 16 KiB and 64 KiB of it.
            for length in [0, 1_100, 20_000, 70_000] {
                let long = format!("SELECT a FROM t WHERE b IN ({}1)", "1,".repeat(length / 2));
                let statement = match length {
                    0 => format!("{comment}\n{long}"),
                    _ => format!("{long} {comment}"),
                };
                for (size, order) in
                    [(1_448, Order::Kept), (1_448, Order::Mixed), (29, Order::Mixed)]
                {
                    if statement.len() / size > 700 {
                        continue;
                    }
                    let ran = asked_within(header, asked(talk, &statement, size, order));
                    let case = format!("{talk:?}, {comment}, {length}, {size} {order:?}");
                    assert_eq!(
                        calls(&ran),
                        [format!("/front(t[{reason}])"), "/noise".into()],
                        "{case}"
                    );
                    assert_eq!(values(&ran.span("t").exchange, "db.response.returned_rows"), ["1"]);
                }
            }
        }
    }
}

/// The trees, without logins.
fn calls(ran: &Ran) -> Vec<String> {
    ran.trees().into_iter().filter(|tree| tree != "shop").collect()
}

#[test]
fn statement_hangs_under_the_span_that_its_identifier_names() {
    // Two calls with the same trace id; the statement names the span of the one that is shorter.
    for talk in Talk::SQL {
        for (upper, other, comment) in [
            (
                "uber-trace-id: 80f198ee56343ba864fe8b2a57d3eff7:b1:0:1",
                "uber-trace-id: 80f198ee56343ba864fe8b2a57d3eff7:b2:0:1",
                "uber-trace-id='80f198ee56343ba864fe8b2a57d3eff7%3Ac1%3Ab1%3A1'".to_owned(),
            ),
            (SW8, &*format!("sw8: {SW8_BELOW}"), format!("sw8='{}'", &SW8[5..])),
        ] {
            let statement = format!("SELECT a FROM t /*{comment}*/");
            let above = [
                Call::new(1, 2, 10..900, "/upper").asks(upper),
                Call::new(9, 2, 11..890, "/other").asks(other),
            ];
            let packets = above.iter().flat_map(Call::packets);
            let ran =
                run(&sorted(packets.chain(asked(talk, &statement, 1_448, Order::Kept)).collect()));
            let reason = ran.span("t").link.as_ref().unwrap().reason.name();
            let tree = format!("/upper(t[{reason}]) + /other");
            assert_eq!(calls(&ran), [tree], "{talk:?}, {comment}");
            let [context] = ran.span("t").exchange.contexts[..] else { panic!("one") };
            let [above] = ran.span("/upper").exchange.contexts[..] else { panic!("one") };
            assert_eq!(context.parent.or(context.span), above.span, "{talk:?}, {comment}");
        }
    }
}

#[test]
fn execution_carries_what_was_prepared() {
    for talk in Talk::SQL {
        for [header, reason, comment] in COMMENTS {
            let statement = format!("SELECT a FROM t WHERE b = 1 {comment}");
            let mut connection = talk.connection(2, 3);
            let mut packets = talk.open(&mut connection, 5);
            packets.push(connection.asks(6, talk.prepares(&statement)));
            packets.push(connection.tells(7, talk.is_prepared()));
            packets.push(connection.asks(20, talk.executes()));
            packets.push(connection.tells(30, talk.is_executed(2)));
            let ran = asked_within(header, packets);
            let executed: Vec<&Span> =
                ran.spans().into_iter().filter(|span| is_execution(span)).collect();
            let [span] = executed[..] else { panic!("{talk:?}: {:?}", ran.trees()) };
            let exchange = &span.exchange;
            let text = "SELECT a FROM t WHERE b = ?";
            assert_eq!(values(exchange, "db.query.text"), [text], "{talk:?}, {comment}");
            assert_eq!(values(exchange, "db.response.returned_rows"), ["2"], "{talk:?}, {comment}");
            let link = span.link.as_ref().unwrap();
            assert_eq!(link.reason.name(), reason, "{talk:?}, {comment}");
            let trace = ran.traces.iter().find(|trace| trace.spans.iter().any(|s| s.id == span.id));
            let above = &trace.unwrap().spans[link.parent];
            assert_eq!(crate::run::name(above), "/front", "{talk:?}, {comment}");
        }
    }
}

fn is_execution(span: &Span) -> bool {
    values(&span.exchange, "wirespan.db.command") == ["EXECUTE"]
}
