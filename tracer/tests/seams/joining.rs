//! Cases of joining whose answer is known.

use crate::http::{Call, Connection, all, end, get, ok, sorted};
use crate::packets::Packet;
use crate::run::{Ran, ms, name, run, run_into_nothing, run_with, with_protocols};
use crate::toy;
use wirespan::exchange::State;

fn check(calls: &[Call], expected: &[&str]) -> Ran {
    let ran = run(&all(calls));
    assert_eq!(ran.trees(), expected);
    ran
}

fn front() -> Call {
    Call::new(1, 2, 10..90, "/front")
}

fn back() -> Call {
    Call::new(2, 3, 20..80, "/back")
}

fn deep() -> Call {
    Call::new(3, 4, 30..70, "/deep")
}

fn traceparent(span: u64) -> String {
    format!("traceparent: 00-0af7651916cd43dd8448eb211c80319c-{span:016x}-01")
}

fn b3(span: u64, parent: u64) -> String {
    format!("b3: 80f198ee56343ba864fe8b2a57d3eff7-{span:016x}-1-{parent:016x}")
}

#[test]
fn request_id_that_a_gateway_passes_on() {
    let calls = [front().asks("X-Request-ID: abc"), back().asks("X-Request-ID: abc")];
    let ran = check(&calls, &["/front(/back[x-request-id])"]);
    assert!(ran.span("/back").link.as_ref().unwrap().confidence > 0.95);
}

#[test]
fn request_id_that_the_backend_repeats() {
    let back = back().asks("X-Request-ID: abc").tells("X-Request-ID: abc");
    check(&[front().asks("X-Request-ID: abc"), back], &["/front(/back[x-request-id])"]);
}

#[test]
fn request_id_that_a_gateway_makes_itself() {
    let calls = [front().tells("X-Request-ID: abc"), back().asks("X-Request-ID: abc")];
    check(&calls, &["/front(/back[x-request-id])"]);
}

#[test]
fn request_id_that_only_responses_carry() {
    let calls = [front().tells("X-Request-ID: abc"), back().tells("X-Request-ID: abc")];
    check(&calls, &["/front(/back[x-request-id])"]);
}

#[test]
fn trace_id_without_span_ids() {
    let header = "X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7";
    let ran = check(&[front().asks(header), back().asks(header)], &["/front(/back[b3])"]);
    assert_eq!(ran.traces[0].id, 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7);
}

#[test]
fn trace_id_with_spans_that_nobody_has_seen() {
    let calls = [front().asks(&traceparent(1)), back().asks(&traceparent(2))];
    check(&calls, &["/front(/back[traceparent])"]);
}

#[test]
fn trace_id_through_a_gateway() {
    let calls =
        [front().asks(&traceparent(1)), back().asks(&traceparent(2)), deep().asks(&traceparent(3))];
    check(&calls, &["/front(/back[traceparent](/deep[traceparent]))"]);
}

#[test]
fn calls_one_after_the_other_hang_side_by_side() {
    let calls = [
        front().asks(&traceparent(1)),
        Call::new(2, 3, 20..30, "/one").asks(&traceparent(2)),
        Call::new(2, 4, 40..50, "/two").asks(&traceparent(3)),
    ];
    check(&calls, &["/front(/one[traceparent] /two[traceparent])"]);
}

#[test]
fn calls_at_the_same_time_hang_side_by_side() {
    let calls = [
        front().asks(&traceparent(1)),
        Call::new(2, 3, 20..50, "/one").asks(&traceparent(2)),
        Call::new(2, 4, 30..40, "/two").asks(&traceparent(3)),
    ];
    check(&calls, &["/front(/one[traceparent] /two[traceparent])"]);
}

#[test]
fn roots_of_one_trace_id_are_one_trace() {
    let calls = [
        Call::new(1, 2, 10..20, "/one").asks(&traceparent(1)),
        Call::new(1, 3, 30..40, "/two").asks(&traceparent(2)),
    ];
    let ran = check(&calls, &["/one + /two"]);
    assert!(ran.spans().iter().all(|span| span.link.is_none()));
}

#[test]
fn span_ids_tell_the_parent_in_one_header() {
    // By time alone the second one would be nearer.
    let calls = [
        Call::new(1, 2, 10..90, "/first").asks(&b3(0xa, 1)),
        Call::new(1, 2, 15..85, "/second").asks(&b3(0xb, 1)).server_port(81),
        Call::new(2, 3, 20..30, "/back").asks(&b3(0xc, 0xa)),
    ];
    let ran = check(&calls, &["/first(/back[b3]) + /second"]);
    assert_eq!(ran.span("/back").link.as_ref().unwrap().confidence, 1.0);
}

#[test]
fn span_ids_tell_the_parent_in_several_headers() {
    let dress = |call: Call, span: u64, parent: u64| {
        call.asks("X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7")
            .asks(&format!("X-B3-SpanId: {span:016x}"))
            .asks(&format!("X-B3-ParentSpanId: {parent:016x}"))
    };
    let calls = [
        dress(Call::new(1, 2, 10..90, "/first"), 0xa, 1),
        dress(Call::new(1, 2, 15..85, "/second").server_port(81), 0xb, 1),
        dress(Call::new(2, 3, 20..30, "/back"), 0xc, 0xa),
    ];
    check(&calls, &["/first(/back[b3]) + /second"]);
}

#[test]
fn span_ids_tell_the_parent_across_address_translation() {
    let calls = [front().asks(&b3(0xa, 1)), Call::new(9, 3, 20..80, "/back").asks(&b3(0xc, 0xa))];
    check(&calls, &["/front(/back[b3])"]);
}

/// A call comes to a pod's sidecar, which asks the program; that calls, and its sidecar passes it on.
fn through_a_pod() -> [Call; 4] {
    let own = [10, 0, 0, 2];
    [
        Call::new(1, 2, 10..90, "/in"),
        Call::new(2, 2, 20..80, "/program").between([127, 0, 0, 6], own),
        Call::new(2, 2, 30..70, "/out").between(own, [127, 0, 0, 1]).server_port(15001),
        Call::new(2, 3, 40..60, "/back"),
    ]
}

#[test]
fn what_a_sidecar_passes_on_is_followed_over_the_loopback() {
    check(
        &through_a_pod().map(|call| call.asks(&traceparent(1))),
        &["/in(/program[traceparent](/out[traceparent](/back[traceparent])))"],
    );
}

#[test]
fn calls_of_one_server_on_a_loopback_hang_side_by_side() {
    let own = [127, 0, 0, 1];
    let calls = [
        Call::new(1, 1, 10..90, "/one").between(own, own).asks(&traceparent(1)),
        Call::new(1, 1, 20..80, "/two").between(own, own).asks(&traceparent(2)),
    ];
    check(&calls, &["/one + /two"]);
}

#[test]
fn two_equally_good_parents_are_ambiguous() {
    let calls = [
        Call::new(1, 2, 10..90, "/one").asks(&traceparent(1)),
        Call::new(1, 2, 15..85, "/two").asks(&traceparent(2)).server_port(81),
        Call::new(2, 3, 20..30, "/back").asks(&traceparent(3)),
    ];
    let ran = run(&all(&calls));
    let link = ran.span("/back").link.clone().unwrap();
    assert!(link.against.iter().any(|text| text.contains("ambiguous")), "{link:?}");
    assert_eq!(link.confidence, 0.5);
    assert_eq!(link.runner_up, Some(ran.span("/one").id));
}

#[test]
fn only_incoming_call_is_the_candidate() {
    let ran =
        check(&[front(), back(), deep()], &["/front(/back[one-candidate](/deep[one-candidate]))"]);
    let link = ran.span("/back").link.clone().unwrap();
    assert!(link.confidence < 0.95 && link.confidence > 0.5);
}

#[test]
fn among_two_incoming_calls_there_is_no_candidate() {
    let other = Call::new(5, 2, 15..85, "/other");
    check(&[front(), other, back()], &["/front", "/other", "/back"]);
}

/// What another connection of the host says while it answers `/front`, which is in trace 7.
fn while_served(says: &str) -> Vec<String> {
    let mut connection = Connection::new(end(2, 9_000), end(3, 9_001));
    let mut packets = connection.open(20);
    packets.push(connection.asks(30, says));
    let asks = format!("traceparent: 00-{:032x}-{:016x}-01", 7, 1);
    let packets = sorted([front().asks(&asks).packets(), packets].concat());
    run_with(&packets, &|| with_protocols(toy::protocols)).trees()
}

#[test]
fn end_of_a_connection_has_no_candidate_and_is_joined_by_identifiers() {
    assert_eq!(while_served(".end\n"), ["/front", "END"]);
    assert_eq!(while_served(".end@7\n"), ["/front(END[traceparent])"]);
    assert_eq!(while_served(".end@8\n"), ["/front", "END"]);
}

#[test]
fn other_one_way_messages_have_a_candidate() {
    assert_eq!(while_served(">say\n"), ["/front(SAY[one-candidate])"]);
    assert_eq!(while_served(">say@7\n"), ["/front(SAY[traceparent])"]);
}

#[test]
fn call_after_the_answer_has_no_candidate() {
    check(&[front(), Call::new(2, 3, 95..99, "/after")], &["/front", "/after"]);
}

#[test]
fn call_before_the_request_has_no_candidate() {
    check(&[front(), Call::new(2, 3, 5..50, "/before")], &["/before", "/front"]);
}

/// Without its handshake, a connection's bytes are told a tenth of a second late, as some that come
/// before them may follow.
fn late(call: &Call) -> Vec<Packet> {
    call.packets().split_off(2)
}

#[test]
fn candidate_may_be_told_after_the_call() {
    let packets = sorted([late(&front()), back().packets()].concat());
    assert_eq!(run(&packets).trees(), ["/front(/back[one-candidate])"]);
    // The end of this one is told while the call is still waited for.
    let long = Call::new(1, 2, 10..500, "/front");
    let packets = sorted([late(&long), back().packets()].concat());
    assert_eq!(run(&packets).trees(), ["/front(/back[one-candidate])"]);
}

#[test]
fn call_may_be_told_after_the_candidate_has_ended() {
    let packets = sorted([front().packets(), late(&back())].concat());
    assert_eq!(run(&packets).trees(), ["/front(/back[one-candidate])"]);
}

#[test]
fn candidate_that_is_told_late_is_a_rival() {
    let other = Call::new(1, 2, 15..85, "/other");
    let packets = [front().packets(), late(&other), back().packets()].concat();
    assert_eq!(run(&sorted(packets)).trees(), ["/front", "/other", "/back"]);
}

#[test]
fn candidate_whose_end_is_told_late_is_no_rival() {
    let before = Call::new(1, 2, 5..15, "/before");
    let packets = [late(&before), front().packets(), back().packets()].concat();
    assert_eq!(run(&sorted(packets)).trees(), ["/before", "/front(/back[one-candidate])"]);
}

#[test]
fn candidate_with_another_identifier_is_none() {
    let calls = [front().asks("X-Request-ID: a"), back().asks("X-Request-ID: b")];
    check(&calls, &["/front", "/back"]);
    let other = traceparent(2).replace("0af7", "0af8");
    check(&[front().asks(&traceparent(1)), back().asks(&other)], &["/front", "/back"]);
}

#[test]
fn candidate_with_one_equal_identifier_is_joined_by_it() {
    let calls = [
        front().asks("X-Request-ID: a").asks(&traceparent(1)),
        back().asks("X-Request-ID: b").asks(&traceparent(2)),
    ];
    check(&calls, &["/front(/back[traceparent])"]);
}

#[test]
fn identifier_is_never_overwritten_by_a_guess() {
    // The only call that is open at host 2 is another one.
    let calls = [
        Call::new(1, 2, 10..25, "/named").asks("X-Request-ID: r"),
        Call::new(5, 2, 20..90, "/open"),
        Call::new(2, 3, 24..80, "/back").asks("X-Request-ID: r"),
    ];
    let ran = run(&all(&calls));
    let link = ran.span("/back").link.clone().unwrap();
    let parent = &ran.trace_of("/back").spans[link.parent];
    assert_eq!((name(parent).as_str(), link.reason.name()), ("/named", "x-request-id"));
}

#[test]
fn nothing_is_lost_at_the_end_of_time() {
    let calls = [front().asks("X-Request-ID: abc"), back().asks("X-Request-ID: abc")];
    let last = i64::MAX - crate::packets::START.0;
    let late: Vec<Packet> = all(&calls).into_iter().map(|packet| packet.at_ns(last)).collect();
    let ran = run(&late);
    assert_eq!(ran.spans().len(), 2);
}

#[test]
fn unrelated_calls_are_not_joined() {
    check(&[front(), Call::new(5, 6, 20..80, "/other")], &["/front", "/other"]);
}

/// Packets as another point sees them.
fn at_point(packets: &[Packet], name: &str, ttl: u8, asks: i64, tells: i64) -> Vec<Packet> {
    let seen = |packet: &Packet| {
        let from_client = packet.source().port() >= 10_000;
        let later = if from_client { asks } else { tells };
        packet.clone().on(name).ttl(ttl).at_ns(packet.time() + later)
    };
    packets.iter().map(seen).collect()
}

#[test]
fn clock_of_one_point_is_ahead() {
    let packets = front().packets();
    let points = [
        at_point(&packets, "a", 64, 0, 0),
        at_point(&packets, "b", 63, 100_000, -100_000),
        at_point(&packets, "c", 62, 80_200_000, 79_800_000),
    ];
    let ran = run(&sorted(points.concat()));
    assert_eq!(ran.trees(), ["/front@a(/front@b[tcp-sequence](/front@c[tcp-sequence]))"]);
    assert_eq!(ran.summary.exchanges["http"], 1);
}

#[test]
fn four_points_of_one_way_make_a_chain() {
    let packets = front().packets();
    let points: Vec<Vec<Packet>> = ["a", "b", "c", "d"]
        .iter()
        .zip([64, 63, 62, 61])
        .zip(0_i64..)
        .map(|((name, ttl), n)| at_point(&packets, name, ttl, n * 50_000, -n * 50_000))
        .collect();
    let ran = run(&sorted(points.concat()));
    assert_eq!(
        ran.trees(),
        ["/front@a(/front@b[tcp-sequence](/front@c[tcp-sequence](/front@d[tcp-sequence])))"]
    );
}

#[test]
fn jitter_does_not_turn_two_points_around() {
    let packets = front().packets();
    let points = [
        at_point(&packets, "a", 64, 0, 0),
        at_point(&packets, "b", 63, -30_000, 30_000),
        at_point(&packets, "c", 62, 100_000, -100_000),
    ];
    let ran = run(&sorted(points.concat()));
    assert_eq!(ran.trees(), ["/front@a(/front@b[tcp-sequence](/front@c[tcp-sequence]))"]);
}

#[test]
fn response_takes_long_between_two_points() {
    let packets = front().packets();
    let points =
        [at_point(&packets, "client", 64, 0, 70_000_000), at_point(&packets, "server", 63, 0, 0)];
    let ran = run(&sorted(points.concat()));
    assert_eq!(ran.trees(), ["/front@client(/front@server[tcp-sequence])"]);
    let spans = ran.spans();
    assert_eq!(spans.iter().map(|s| ms(s.exchange.end())).max(), Some(160));
}

#[test]
fn pipelined_requests_are_paired_in_order() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(0);
    packets.push(c.asks(1, get("/one", &[]) + &get("/two", &[])));
    packets.push(c.tells(2, ok(&["Server: s"], "first")));
    packets.push(c.tells(3, ok(&[], "second!")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["/one", "/two"]);
    let ends = ["/one", "/two"].map(|path| ms(ran.span(path).exchange.end()));
    assert_eq!(ends, [2, 3]);
    let mut c = Connection::new(end(1, 40_001), end(2, 6_379));
    let mut packets = c.open(0);
    packets.push(c.asks(1, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"));
    packets.push(c.tells(2, "$1\r\n1\r\n"));
    packets.push(c.tells(3, "$-1\r\n"));
    let ran = run(&packets);
    assert_eq!(ran.summary.exchanges["redis"], 2);
    let ends: Vec<i64> = ran.spans().iter().map(|span| ms(span.exchange.end())).collect();
    assert_eq!(ends, [2, 3]);
    assert!(ran.spans().iter().all(|span| span.exchange.state == State::Complete));
}

#[test]
fn request_that_is_sent_again_counts_once() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(0);
    let request = c.asks(1, get("/x", &[]));
    packets.push(request.clone());
    packets.push(request.at(211));
    packets.push(c.tells(215, ok(&[], "")));
    let ran = run(&packets);
    assert_eq!(ran.trees(), ["/x"]);
    assert_eq!(ms(ran.span("/x").exchange.start()), 1);
}

#[test]
fn run_ends_where_its_traces_can_no_more_be_written() {
    let mut calls = vec![Call::new(1, 2, 0..10, "/done"), Call::new(1, 2, 5..60_000, "/open")];
    calls.extend(
        (1..20).map(|second| Call::new(3, 4, second * 1_000..second * 1_000 + 1, "/later")),
    );
    let error = run_into_nothing(&all(&calls));
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
