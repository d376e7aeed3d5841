//! Spans of several sensors, joined anew. That those of one come out as they went in holds for all
//! runs of these tests: see `run.rs`.

use crate::http::{Call, Connection, all, get, ok};
use crate::packets::{Packet, Random};
use crate::run::{join, join_while, run, try_join};
use serde_json::Value;
use std::net::SocketAddr;
use wirespan::join::window::WindowLimits;

/// What spans say of who called whom, without numbers that are of one run only.
fn links(ndjson: &str) -> Vec<String> {
    let lines = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let mut links: Vec<String> = lines
        .map(|span| {
            let [trace, id, parent] = ["trace", "span", "parent"].map(|key| text(&span[key]));
            let [tap, path] = ["tap", "resource"].map(|key| text(&span[key]));
            let reason = text(&span["link"]["reason"]);
            format!("{tap} {path} {trace} {id} under {parent} by {reason}")
        })
        .collect();
    links.sort();
    links
}

fn numbers(ndjson: &str, key: impl Fn(&Value) -> &Value) -> Vec<u64> {
    let lines = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut numbers: Vec<u64> = lines.map(|span| key(&span).as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Reads each sensor's packets alone, then joins their spans.
fn joined(sensors: &[Vec<Packet>]) -> String {
    let written: Vec<String> = sensors.iter().map(|packets| run(packets).ndjson()).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    join(&written, WindowLimits::default()).0
}

/// A call that passes a proxy, as seen before and behind a router.
fn two_points() -> [Vec<Packet>; 2] {
    let calls = [Call::new(1, 2, 10..50, "/front"), Call::new(2, 3, 20..30, "/back")];
    let near: Vec<Packet> = all(&calls).into_iter().map(|packet| packet.on("near")).collect();
    let far = near.iter().map(|packet| {
        let ttl = if packet.source().port() >= 10_000 { 63 } else { 65 };
        packet.clone().on("far").ttl(ttl).at_ns(packet.time() + 50_000)
    });
    let far = far.collect();
    [near, far]
}

#[test]
fn two_sensors_give_what_their_packets_together_give() {
    let [near, far] = two_points();
    let mut packets = [near.clone(), far.clone()].concat();
    packets.sort_by_key(Packet::time);
    let whole = links(&run(&packets).ndjson());
    assert_eq!(whole.iter().filter(|link| link.ends_with("tcp-sequence")).count(), 2);
    assert_eq!(links(&joined(&[near.clone(), far.clone()])), whole);
    assert_eq!(links(&joined(&[far, near])), whole);
}

#[test]
fn points_taps_and_files_of_two_sensors_are_different_ones() {
    let [near, far] = two_points();
    let one = run(&near).ndjson();
    let joined = joined(&[near, far.into_iter().map(|packet| packet.on("near")).collect()]);
    assert_eq!(numbers(&one, |span| &span["point"]), [0]);
    assert_eq!(numbers(&joined, |span| &span["point"]), [0, 1]);
    assert_eq!(numbers(&joined, |span| &span["request"]["file"]), [0, 1]);
    let events = numbers(&joined, |span| &span["closed"]["n"]);
    assert_eq!(events.len(), 4, "the events of all sensors have numbers of their own");
}

#[test]
fn networks_of_two_sensors_are_one_where_the_vlans_are() {
    let front = Call::new(1, 2, 10..50, "/front").packets();
    let back = Call::new(2, 3, 20..30, "/back").packets();
    for (vlan, reason) in [(7, "one-candidate"), (8, "none")] {
        let front = front.iter().map(|packet| packet.clone().vlan(7)).collect();
        let back = back.iter().map(|packet| packet.clone().vlan(vlan)).collect();
        let links = links(&joined(&[front, back]));
        let of_back = links.iter().find(|link| link.contains("/back")).unwrap();
        assert!(of_back.ends_with(reason), "{vlan}: {links:?}");
    }
}

#[test]
fn loopbacks_of_two_sensors_are_two_hosts() {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let call = |client, server, at, path: &str| {
        let mut connection = Connection::new(local(client), local(server));
        let mut packets = connection.open(at);
        packets.push(connection.asks(at, get(path, &[])));
        packets.push(connection.tells(60 - at, ok(&[], "")));
        packets
    };
    let front = call(40_000, 80, 10, "/front");
    let back = call(40_001, 81, 20, "/back");
    let mut packets = [front.clone(), back.clone()].concat();
    packets.sort_by_key(Packet::time);
    let of_back = |ndjson: &str| links(ndjson).into_iter().find(|link| link.contains("/back"));
    assert!(of_back(&run(&packets).ndjson()).unwrap().ends_with("one-candidate"));
    assert!(of_back(&joined(&[front, back])).unwrap().ends_with("none"));
}

#[test]
fn other_limits_join_as_they_would_have_joined_the_packets() {
    let calls: Vec<Call> = (0..20)
        .flat_map(|i| {
            let at = i * 40;
            let front = Call::new(1, 2, at..at + 30, &format!("/front/{i}"));
            [front, Call::new(2, 3, at + 5..at + 20, &format!("/back/{i}"))]
        })
        .collect();
    let packets = all(&calls);
    let written = run(&packets).ndjson();
    for (quiet, held) in [(0, 100_000), (1_000_000_000, 3), (20_000_000, 10)] {
        let limits = WindowLimits { quiet, held, ..WindowLimits::default() };
        let config = || wirespan::config::Config { window: limits, ..Default::default() };
        let packets = crate::run::run_with(&packets, &config).ndjson();
        assert!(join(&[&written], limits).0 == packets, "{limits:?}");
    }
}

#[test]
fn a_part_of_the_spans_can_be_joined() {
    let calls = [Call::new(1, 2, 10..50, "/front"), Call::new(2, 3, 20..30, "/back")];
    let written = run(&all(&calls)).ndjson();
    let back: Vec<&str> = written.lines().filter(|line| line.contains("/back")).collect();
    let (part, outcomes) = join(&[&back.join("\n")], WindowLimits::default());
    assert_eq!((outcomes.summary.spans, part.lines().count()), (1, 1));
    let id = |text: &str| serde_json::from_str::<Value>(text).unwrap()["span"].clone();
    assert_eq!(id(&part), id(back[0]), "a span keeps its id");
}

#[test]
fn joining_ends_where_it_is_stopped_though_something_is_open() {
    let long = Call::new(1, 2, 10..9_000, "/long");
    let short = |n: i64| Call::new(3, 4, 20 + 10 * n..25 + 10 * n, &format!("/short/{n}"));
    let calls: Vec<Call> = std::iter::once(long).chain((0..600).map(short)).collect();
    let written = run(&all(&calls)).ndjson();
    let limits = WindowLimits::default();
    let (traces, _, outcomes) = join_while(&[written.as_bytes()], limits, &mut |_| false).unwrap();
    assert!(outcomes.stopped);
    assert!(traces.len() > 500 && traces.len() < 600, "{} of 601 traces", traces.len());
}

#[test]
fn spoiled_spans_are_refused_or_joined() {
    let calls = [
        Call::new(1, 2, 10..50, "/front").asks("X-Request-ID: r"),
        Call::new(2, 3, 20..30, "/back").asks("X-Request-ID: r"),
        Call::new(2, 3, 35..40, "/again").asks("X-Request-ID: r"),
    ];
    let written = run(&all(&calls)).ndjson().into_bytes();
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut spoiled = written.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(spoiled.len());
            match (spoiled[at], random.below(4)) {
                (b'0'..=b'9', _) => spoiled[at] = b'0' + random.below(10) as u8,
                (_, 0) => drop(spoiled.remove(at)),
                (_, 1) => spoiled[at] = random.below(256) as u8,
                (_, 2) => spoiled.insert(at, b'9'),
                _ => spoiled.truncate(at + 1),
            }
        }
        match try_join(&[&spoiled], WindowLimits::default()) {
            Ok((_, joined, _)) => {
                taken += 1;
                // What was taken can be taken again.
                let again = try_join(&[joined.as_bytes()], WindowLimits::default()).unwrap();
                assert!(again.1 == joined, "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 && taken > 50, "{refused} refused, {taken} taken");
}
