//! Captures whose clocks differ: times are set right before anything joins, also where a proxy lies
//! between the captures, so that no packet is in both.

use crate::http::{Call, all};
use crate::owners::written;
use crate::packets::{Packet, Random};
use crate::run::{Ran, join, run_source};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wirespan::clock::survey;
use wirespan::config::Config;
use wirespan_capture::source::alignment::Alignment;
use wirespan_capture::source::merge::MergedSource;

const MILLISECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600_000 * MILLISECOND;

/// Requests through a proxy at host 2, from host 1 on to host 3: the packets before it and behind.
/// What is behind is each time within what is before, by chance.
fn proxied(random: &mut Random, calls: u16, header: &dyn Fn(u16) -> String) -> [Vec<Packet>; 2] {
    let mut before = Vec::new();
    let mut behind = Vec::new();
    for number in 0..calls {
        let at = i64::from(number) * 37 + random.below(30) as i64;
        let took = 4 + random.below(9) as i64;
        let path = format!("/items/{}", number % 4);
        let call = |client, server, times| {
            Call::new(client, server, times, &path).port(20_000 + number).asks(&header(number))
        };
        let inner = call(2, 3, at + 1..at + took - 1).packets();
        let within = |packet: Packet| {
            let time = packet.time();
            packet.at_ns(time + random.below(200_000) as i64)
        };
        behind.extend(inner.into_iter().map(within));
        before.push(call(1, 2, at..at + took));
    }
    [all(&before), behind]
}

fn shifted(packets: Vec<Packet>, by: i64) -> Vec<Packet> {
    let shift = |packet: Packet| {
        let time = packet.time();
        packet.at_ns(time + by)
    };
    packets.into_iter().map(shift).collect()
}

/// Two captures, of which the second one's clock is ahead.
fn captures(folder: &Path, [first, second]: [Vec<Packet>; 2], ahead: i64) -> Vec<PathBuf> {
    let names = ["before.pcapng", "behind.pcapng"];
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    written(&first, &paths[0], &[]);
    written(&shifted(second, ahead), &paths[1], &[]);
    paths
}

fn read(paths: &[PathBuf]) -> (Ran, Vec<Alignment>) {
    let mut config = Config::default();
    survey(paths, &mut config);
    let found = config.clocks.clone();
    let mut source = MergedSource::open_aligned(paths, 1 << 16, found.clone()).unwrap();
    let mut ran = run_source(&mut source, &config);
    ran.protocols = config.protocol_names();
    (ran, found)
}

/// The clock behind the proxy is found to be ahead, give or take its error, which is small.
fn check(found: &[Alignment], ahead: i64) {
    let [one] = found else { panic!("one clock differs: {found:?}") };
    // The first one may be what is told of the second one.
    let sign = if one.name.ends_with("behind.pcapng") { 1 } else { -1 };
    let off = (sign * one.offset.ahead - ahead).unsigned_abs();
    assert!(one.used);
    assert!(off <= one.error, "{one}: off by {off} ns");
    assert!(one.error < 2_000_000, "{one}");
}

#[test]
fn clocks_on_both_sides_of_a_proxy_are_found_by_identifiers() {
    for (seed, ahead) in [(1, 2_000), (2, -700), (3, 40)].map(|(s, ms)| (s, ms * MILLISECOND)) {
        let header = |number| format!("X-Request-ID: r-{number}");
        let sides = proxied(&mut Random(seed), 60, &header);
        let folder = TempDir::new().unwrap();
        let (ran, found) = read(&captures(folder.path(), sides, ahead));
        check(&found, ahead);
        let trees = ran.trees();
        assert_eq!(trees.len(), 60);
        assert!(trees.iter().all(|tree| tree.contains("[x-request-id]")), "{trees:#?}");
        // Each span of the one that is off says so, and by how much.
        let told = ran.spans().into_iter().filter_map(|span| span.exchange.clock);
        let told: Vec<i64> = told.map(|clock| clock.ahead).collect();
        assert_eq!(told.len(), 60);
        let off = |told: &i64| (told.abs() - ahead.abs()).unsigned_abs();
        assert!(told.iter().all(|told| off(told) <= found[0].error), "{told:?}");
        // What is written has the times that are right, and joins the same.
        assert_eq!(join(&[&ran.ndjson()], Config::default().window).0, ran.ndjson());
    }
}

#[test]
fn an_hour_off_is_found_behind_a_proxy_too() {
    let header = |number| format!("X-Request-ID: r-{number}");
    let sides = proxied(&mut Random(4), 40, &header);
    let folder = TempDir::new().unwrap();
    let (ran, found) = read(&captures(folder.path(), sides, HOUR));
    check(&found, HOUR);
    assert_eq!(ran.traces.len(), 40);
}

#[test]
fn without_identifiers_the_offset_on_which_most_agree_counts() {
    for seed in 5..10 {
        let sides = proxied(&mut Random(seed), 200, &|_| "A: b".to_owned());
        let folder = TempDir::new().unwrap();
        let ahead = -1_300 * MILLISECOND;
        let (_, found) = read(&captures(folder.path(), sides, ahead));
        check(&found, ahead);
    }
}

#[test]
fn calls_that_only_look_alike_set_no_clock_right() {
    for seed in 10..20 {
        let mut random = Random(seed);
        let mut random_calls = |client, server| {
            let calls: Vec<Call> = (0..150_u16)
                .map(|number| {
                    let at = random.below(6_000) as i64;
                    let took = 3 + random.below(10) as i64;
                    let path = format!("/items/{}", number % 4);
                    Call::new(client, server, at..at + took, &path).port(20_000 + number)
                })
                .collect();
            all(&calls)
        };
        let sides = [random_calls(1, 2), random_calls(3, 4)];
        let folder = TempDir::new().unwrap();
        let (_, found) = read(&captures(folder.path(), sides, 0));
        assert!(found.iter().all(|one| !one.used), "seed {seed}: {found:?}");
    }
}

#[test]
fn directions_in_files_of_their_own_make_points() {
    let calls: Vec<Call> = (0..9)
        .map(|number| Call::new(1, 2, number * 20..number * 20 + 9, &format!("/{number}")))
        .collect();
    let folder = TempDir::new().unwrap();
    let mut paths = Vec::new();
    for (place, later) in [("near", 0), ("far", 50_000)] {
        for (way, from_client) in [("a", true), ("b", false)] {
            let sign = if from_client { later } else { -later };
            let side = all(&calls)
                .into_iter()
                .filter(|packet| (packet.source().port() >= 10_000) == from_client);
            let path = folder.path().join(format!("{place}-{way}.pcapng"));
            written(&shifted(side.collect(), sign), &path, &[]);
            paths.push(path);
        }
    }
    let (ran, _) = read(&paths);
    assert_eq!(ran.traces.len(), 9);
    assert!(ran.traces.iter().all(|trace| trace.spans.len() == 2), "{:?}", ran.trees());
    let because: Vec<_> =
        ran.summary.point_list.iter().map(|point| point.because.as_deref()).collect();
    assert_eq!(because, [Some("each tap saw one side of 9 flows"); 2]);
}

#[test]
fn a_clock_that_is_set_while_it_captures_is_said() {
    let calls: Vec<Call> = (0..40)
        .map(|number| Call::new(1, 2, number * 20..number * 20 + 9, &format!("/{number}")))
        .collect();
    let (first, mut second) = (all(&calls), all(&calls));
    let later = shifted(second.split_off(second.len() / 2), 3_000 * MILLISECOND);
    second.extend(later);
    let folder = TempDir::new().unwrap();
    let (ran, found) = read(&captures(folder.path(), [first, second], 0));
    assert_eq!(found, []);
    let remarks = ran.summary.remarks.join("\n");
    assert!(remarks.contains("seems to have been set while packets were captured"), "{remarks}");
}
