//! Cases made of spans, of protocols that nothing here speaks: ids that pair within one connection
//! only are no evidence between connections.

use crate::dice::Dice;
use crate::net::{MS, START, US};
use crate::run::{check_traces, join_to_traces};
use serde_json::{Value, json};

/// F: connections of Kafka with equal correlation ids.
pub(crate) fn f(dice: &mut Dice) -> Vec<String> {
    unrelated(dice, "kafka", 9_092)
}

/// G: connections of gRPC with equal numbers of streams.
pub(crate) fn g(dice: &mut Dice) -> Vec<String> {
    unrelated(dice, "grpc", 50_051)
}

/// An exchange as a point has seen it.
struct Seen {
    client: String,
    server: String,
    lane: i64,
    seq: u32,
    ack: u32,
    /// Name and number of the point.
    point: (&'static str, i64),
    times: [i64; 2],
    ttl: i64,
    answered: bool,
}

/// Exchanges of several connections, each seen at one point or two: each is a trace of its own.
fn unrelated(dice: &mut Dice, protocol: &str, port: u16) -> Vec<String> {
    let mut seen = Vec::new();
    let (connections, lanes) = (dice.of(2..6), dice.of(1..4));
    let one_server = dice.one_in(2);
    let start = dice.of(10 * MS..90 * MS);
    let first_lane = dice.of(1..5_000);
    let equal_seq = dice.one_in(4).then(|| dice.next() as u32);
    for connection in 0..connections {
        let client = format!("10.7.{connection}.2:{}", 40_000 + dice.of(0..2) * connection);
        let server = format!("10.9.{}.3:{port}", if one_server { 0 } else { connection });
        let both = dice.one_in(2);
        for lane in 0..lanes {
            let begin = start + lane * 30 * MS + dice.of(0..2 * MS);
            let times = [begin, begin + dice.of(MS..20 * MS)];
            let seq =
                equal_seq.unwrap_or_else(|| dice.next() as u32).wrapping_add(lane as u32 * 400);
            let answered = !dice.one_in(4);
            let near = Seen {
                client: client.clone(),
                server: server.clone(),
                lane: first_lane + lane,
                seq,
                ack: dice.next() as u32,
                point: ("near", 0),
                times,
                ttl: 64,
                answered,
            };
            if both {
                let times = [times[0] + 90 * US, times[1] - 90 * US];
                let far = Seen {
                    point: ("far", 1),
                    times,
                    ttl: 63,
                    client: client.clone(),
                    server: server.clone(),
                    ..near
                };
                seen.push(far);
            }
            seen.push(near);
        }
    }
    let exchanges = connections * lanes;
    let (traces, _) = join_to_traces(&[&lines(protocol, &seen)]);
    let mut faults = Vec::new();
    check_traces(&traces, 0, &mut faults);
    for trace in &traces {
        let first = &trace.spans[0].exchange;
        let is_other = |span: &&wirespan::span::Span| {
            (span.exchange.client, span.exchange.lane) != (first.client, first.lane)
        };
        if let Some(other) = trace.spans.iter().find(is_other) {
            faults.push(format!("{} and {} are joined", first.client, other.exchange.client));
        }
    }
    if traces.len() as i64 != exchanges {
        faults.push(format!("{} traces of {exchanges} exchanges", traces.len()));
    }
    let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
    if spans != seen.len() {
        faults.push(format!("{spans} spans of {}", seen.len()));
    }
    faults
}

/// Spans as they are written, with the turns at which a capture would have told of them.
fn lines(protocol: &str, seen: &[Seen]) -> String {
    let mut turns: Vec<(i64, usize, bool)> = Vec::new();
    for (number, one) in seen.iter().enumerate() {
        turns.push((one.times[0], number, false));
        turns.push((one.times[1], number, true));
    }
    turns.sort_unstable();
    let turn = |number: usize, closed: bool| {
        let place = turns.iter().position(|turn| (turn.1, turn.2) == (number, closed)).unwrap();
        json!({"n": place + 1, "at": START + turns[place].0})
    };
    let line = |(number, one): (usize, &Seen)| {
        let half = |at: i64, ttl: i64, [seq, ack]: [u32; 2]| {
            json!({"at": START + at, "end": START + at, "len": 200, "seq": seq, "ack": ack, "ttl": ttl,
                "ip_id": number, "file": 0, "frames": [2 * number + 1, 2 * number + 1]})
        };
        let mut line: Value = json!({
            "type": "span", "v": 2, "trace": format!("{:032x}", number + 1),
            "span": format!("{:016x}", number + 1), "service": "s", "protocol": protocol,
            "sort": "call", "operation": "call", "resource": "orders", "state": "complete",
            "start": START + one.times[0], "duration": one.times[1] - one.times[0],
            "tap": one.point.0, "point": one.point.1, "transport": "tcp", "client": one.client,
            "server": one.server, "ordinal": 1, "stream": one.lane,
            "request": half(one.times[0], one.ttl, [one.seq, one.ack]),
            "attributes": {}, "opened": turn(number, false), "closed": turn(number, true),
        });
        if one.answered {
            line["response"] =
                half(one.times[1], 127 - one.ttl, [one.ack, one.seq.wrapping_add(200)]);
            line["status"] = json!({"outcome": "ok"});
        } else {
            line["state"] = json!("timed_out");
            line["duration"] = json!(0);
        }
        format!("{line}\n")
    };
    seen.iter().enumerate().map(line).collect()
}
