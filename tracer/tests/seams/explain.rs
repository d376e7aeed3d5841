//! What `wirespan explain` says of traces: each sentence from packets that are made for it.

use crate::http::{Call, sorted};
use crate::identifiers::secret_run;
use crate::packets::Packet;
use crate::run::{Ran, run};
use wirespan::exchange::RESOURCE;
use wirespan::explain::around::Around;
use wirespan::explain::asked::Asked;
use wirespan::explain::facts::{Explanation, explain};
use wirespan::explain::places::Places;
use wirespan::explain::words::{Look, text};
use wirespan::export::time::Zone;
use wirespan::select::IdPrefix;
use wirespan::span::SpanSink;

/// What is told of the first span that asks for this path.
fn told_of(ran: &Ran, path: &str) -> Explanation {
    let is_meant = |trace: &&wirespan::span::Trace| {
        trace.spans.iter().any(|span| span.exchange.text.text(RESOURCE) == Some(path.as_bytes()))
    };
    let trace = ran.traces.iter().find(is_meant).unwrap();
    let digits = format!("{:032x}", trace.id);
    let mut asked = Asked::new(IdPrefix::parse(&digits).unwrap(), &digits);
    asked.traces(&ran.traces).unwrap();
    let found = asked.found().unwrap();
    let spans = || found.pieces.iter().flat_map(|trace| &trace.spans);
    let mut around = Around::of(Some(trace.id), found.hosts.clone(), spans());
    around.traces(&ran.traces).unwrap();
    around.finish().unwrap();
    let place = found.pieces[0]
        .spans
        .iter()
        .position(|span| span.exchange.text.text(RESOURCE) == Some(path.as_bytes()));
    let places = Places {
        protocols: ran.protocols.clone(),
        taps: ran.taps.clone(),
        files: vec!["a.pcap".to_owned()],
    };
    explain(&found, place.map(|place| (0, place)), &around, &ran.summary, &places).unwrap()
}

/// What is told of a span holds all of these.
#[track_caller]
fn check(packets: Vec<Packet>, path: &str, expected: &[&str]) {
    check_ran(&run(&sorted(packets)), path, expected);
}

#[track_caller]
fn check_ran(ran: &Ran, path: &str, expected: &[&str]) {
    let told = told_of(ran, path);
    let look = Look { columns: usize::MAX / 2, zone: Zone::utc() };
    let text = text(&told, &look);
    for expected in expected {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn several_that_were_open_are_named_with_what_tells_for_or_against_each() {
    let packets = [
        Call::new(1, 2, 10..50, "/one").asks("X-Request-ID: a").packets(),
        Call::new(1, 2, 12..60, "/two").packets(),
        Call::new(1, 2, 14..70, "/three").packets(),
        Call::new(2, 3, 20..55, "/back").asks("X-Request-ID: b").packets(),
    ];
    check(
        packets.concat(),
        "/back",
        &[
            "id         x-request-id b in its request (frame 12): nothing else that was captured carries it",
            "no parent  3 exchanges were open at 10.0.0.2 as it began, of which 2 may have called, and nothing on the wire tells which of these did",
            "GET /two of 10.0.0.2:80 (frame 6): open for 8.00 ms, and nothing tells for it or against it",
            "GET /one of 10.0.0.2:80 (frame 3): it carries another x-request-id, it was answered 5.00 ms before this one ended",
        ],
    );
}

#[test]
fn secret_identifiers_that_repeat_are_told_of_and_others_are_not() {
    let call = |n: i64, id: &str| {
        let start = 1_000 + n * 10;
        let call = Call::new(1, 2, start..start + 3, &format!("/{n}")).port(10_000 + n as u16);
        call.asks(&format!("X-Request-ID: {id}")).packets()
    };
    let mut packets: Vec<Packet> = (0..500).flat_map(|n| call(n, "always the same")).collect();
    packets.extend(call(500, "another one"));
    let ran = secret_run(&packets, None);
    assert_eq!(ran.summary.repeating.len(), 1);
    check_ran(&ran, "/499", &["id         x-request-id ***", "it joins nothing: it came "]);
    check_ran(&ran, "/500", &["nothing else that was captured carries it"]);
}

#[test]
fn identifiers_are_told_with_both_frames() {
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c";
    let packets = [
        Call::new(1, 2, 10..50, "/front").asks(&format!("{trace}-b7ad6b7169203331-01")).packets(),
        Call::new(2, 3, 20..30, "/back").asks(&format!("{trace}-00f067aa0ba902b7-01")).packets(),
    ];
    check(
        packets.concat(),
        "/back",
        &[
            "traceparent 0af7651916cd43dd8448eb211c80319c with span 00f067aa0ba902b7 stands in its request (frame 6); \
             the one above has traceparent 0af7651916cd43dd8448eb211c80319c with span b7ad6b7169203331 in its request (frame 3)",
            "10.0.0.2 called, which is the host that was asked above",
            "it began (frame 6) 10.0 ms after the one above (frame 3), and ended (frame 7) 20.0 ms before that one (frame 8)",
            "caller     10.0.0.2, where only the one above was open as it began",
            "filter     frame.number in {6..7}",
        ],
    );
}

#[test]
fn what_had_been_over_is_told_where_nothing_was_open() {
    let packets =
        [Call::new(1, 2, 10..20, "/front").packets(), Call::new(2, 3, 25..30, "/back").packets()];
    check(
        packets.concat(),
        "/back",
        &[
            "no parent  nothing was open at 10.0.0.2 as it began; what had been asked there last, GET /front of 10.0.0.2:80 (frame 3, span ",
            "), was over 5.00 ms before",
        ],
    );
    check(
        Call::new(1, 2, 10..20, "/front").packets(),
        "/front",
        &["no parent  nobody was seen asking 10.0.0.1 for anything before: the trace begins here"],
    );
}

#[test]
fn identifier_that_repeats_is_said_to_be_no_evidence() {
    let calls = (0..40_i64).flat_map(|number| {
        let path = format!("/{number}");
        Call::new(1, 2, 10 + number..60 + number, &path).asks("X-Request-ID: same").packets()
    });
    check(
        calls.collect(),
        "/7",
        &["it joins nothing: it came 40 times, and what repeats so often is no evidence"],
    );
}

#[test]
fn points_of_one_exchange_are_told_with_what_is_equal_and_which_is_nearer() {
    let near = Call::new(1, 2, 10..20, "/x").packets();
    let far = near.iter().map(|packet| {
        let ttl = if packet.source().port() >= 10_000 { 63 } else { 64 };
        packet.clone().on("b").hop(1).ttl(ttl).at_ns(packet.time() + 50_000)
    });
    let far: Vec<Packet> = far.collect();
    let ran = run(&sorted([near, far].concat()));
    let mut told = told_of(&ran, "/x");
    assert_eq!(told.spans.len(), 1);
    assert!(told.spans.remove(0).link.is_none());
    let digits = format!("{:032x}", ran.traces[0].id);
    let mut asked = Asked::new(IdPrefix::parse(&digits).unwrap(), &digits);
    asked.traces(&ran.traces).unwrap();
    let found = asked.found().unwrap();
    let around = Around::of(None, found.hosts.clone(), ran.traces[0].spans.iter());
    let told = explain(&found, None, &around, &ran.summary, &Places::default()).unwrap();
    let because = told.spans[1].link.as_ref().unwrap().because.join("\n");
    for expected in [
        "with the same sequence number",
        "both are of tcp 10.0.0.1:",
        "the request's TTL is 64 above and 63 here: it passed one router in between",
        "the request was seen above 50 µs earlier",
    ] {
        assert!(because.contains(expected), "{expected:?} is not in\n{because}");
    }
}

#[test]
fn the_next_best_is_told_with_what_it_lacks() {
    let front = |client, path: &str, at| {
        Call::new(client, 2, at..60, path).asks("X-Request-ID: a").packets()
    };
    let packets = [
        front(1, "/one", 10),
        front(4, "/two", 12),
        Call::new(2, 3, 20..30, "/back").asks("X-Request-ID: a").packets(),
    ];
    let ran = run(&sorted(packets.concat()));
    let told = told_of(&ran, "/back");
    let link = told.spans[0].link.as_ref().unwrap();
    let rival = link.runner_up.as_ref().unwrap();
    assert_ne!(rival.span.span, link.parent.span);
    assert!(rival.because[0].starts_with("nothing tells them apart but time"), "{rival:?}");
    assert!(link.weighs.ends_with("so does another one that is about as good"), "{link:?}");
}
