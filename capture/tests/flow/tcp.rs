//! Bytes of one connection: order, overlap, what came again, gaps, and what waits for what.

use crate::packets::START;
use crate::recorder::{B_FIRST, a, acks, b, check, later, seen_of, syn, syn_ack};
use wirespan_capture::stream::Side;

#[test]
fn bytes_in_order_go_through() {
    check(&[syn(), syn_ack(), a(0, "hello"), a(5, " world")], &["A 0 hello", "A 5  world"]);
}

#[test]
fn both_sides_have_streams_of_their_own() {
    check(
        &[syn(), syn_ack(), a(0, "ask"), acks(3, b(0, "tell")), acks(4, a(3, "more"))],
        &["A 0 ask", "B 0 tell", "A 3 more"],
    );
}

#[test]
fn answer_waits_for_the_last_byte_of_a_request_though_the_end_is_known() {
    check(
        &[
            syn(),
            syn_ack(),
            a(0, "as"),
            a(5, "").fin(),
            acks(3, b(0, "tell")),
            a(2, "k"),
            a(3, "go"),
        ],
        &["A 0 as", "A 2 k", "B 0 tell", "A 3 go", "A closed"],
    );
}

#[test]
fn segments_out_of_order_are_put_in_order() {
    let run = check(
        &[syn(), syn_ack(), a(6, "you"), a(3, "are"), a(0, "how")],
        &["A 0 how", "A 3 are", "A 6 you"],
    );
    assert_eq!((run.counters.out_of_order, run.counters.gaps), (2, 0));
}

#[test]
fn of_overlapping_bytes_the_delivered_ones_stay() {
    check(&[syn(), syn_ack(), a(0, "hello"), a(3, "XXwo")], &["A 0 hello", "A 5 wo"]);
}

#[test]
fn of_overlapping_bytes_that_wait_those_that_begin_first_win() {
    check(
        &[syn(), syn_ack(), a(5, "bbb"), a(3, "aaaa"), a(0, "...")],
        &["A 0 ...", "A 3 aaaa", "A 7 b"],
    );
    check(&[syn(), syn_ack(), a(5, "b"), a(3, "aaaa"), a(0, "...")], &["A 0 ...", "A 3 aaaa"]);
}

#[test]
fn same_bytes_in_another_packet_are_a_retransmission() {
    let run = check(&[syn(), syn_ack(), a(0, "hi").id(7), a(0, "hi").id(8)], &["A 0 hi"]);
    assert_eq!((run.counters.retransmissions, run.counters.copies), (1, 0));
    assert_eq!(run.flows.values().next().unwrap().retransmissions, [1, 0]);
    assert_eq!(run.again, [(Side::A, 0, None)]);
}

#[test]
fn what_was_missing_for_long_was_sent_again() {
    for (milliseconds, expected) in [(2, vec![]), (40, vec![(Side::A, 2, Some(40))])] {
        let late = a(2, "yo").after(milliseconds);
        let run = check(
            &[syn(), syn_ack(), a(0, "hi"), a(4, "!").at(10), late],
            &["A 0 hi", "A 2 yo", "A 4 !"],
        );
        assert_eq!(run.again, expected, "after {milliseconds} ms");
    }
}

#[test]
fn same_bytes_sent_again_before_their_turn_are_a_retransmission() {
    let run = check(&[syn(), syn_ack(), a(2, "yo"), a(2, "yo"), a(0, "hi")], &["A 0 hi", "A 2 yo"]);
    assert_eq!((run.counters.retransmissions, run.counters.copies), (1, 0));
}

#[test]
fn bytes_that_a_longer_segment_brought_before_a_shorter_one_are_a_retransmission() {
    let run = check(
        &[syn(), syn_ack(), a(2, "abcdef"), a(3, "b"), a(4, "cde"), a(5, "d"), a(0, "hi")],
        &["A 0 hi", "A 2 abcdef"],
    );
    assert_eq!(run.counters.retransmissions, 3);
    // As long as it is not known where the stream starts, too.
    let run = check(&[a(2, "abcdef"), a(4, "cde"), a(3, "b"), syn()], &["A gap 0+2", "A 2 abcdef"]);
    assert_eq!(run.counters.retransmissions, 2);
}

#[test]
fn same_packet_seen_twice_is_a_copy() {
    let run = check(&[syn(), syn_ack(), a(0, "hi").id(7), a(0, "hi").id(7)], &["A 0 hi"]);
    assert_eq!((run.counters.retransmissions, run.counters.copies), (0, 1));
}

#[test]
fn same_packet_much_later_was_sent_again() {
    for (milliseconds, expected) in [(140, (0, 1)), (160, (1, 0))] {
        let again = a(0, "hi").id(7).after(milliseconds);
        let run = check(&[syn(), syn_ack(), a(0, "hi").id(7), again], &["A 0 hi"]);
        assert_eq!((run.counters.retransmissions, run.counters.copies), expected);
    }
}

#[test]
fn without_an_ip_id_all_bytes_tell_a_copy() {
    let first = || a(0, "hi").id(0).tsval(1);
    let run = check(&[syn(), syn_ack(), first(), first()], &["A 0 hi"]);
    assert_eq!((run.counters.retransmissions, run.counters.copies), (0, 1));
    let run = check(&[syn(), syn_ack(), first(), a(0, "hi").id(0).tsval(2)], &["A 0 hi"]);
    assert_eq!((run.counters.retransmissions, run.counters.copies), (1, 0));
}

#[test]
fn keepalive_brings_nothing() {
    let run = check(&[syn(), syn_ack(), a(0, "hi"), a(1, "i"), a(2, "!")], &["A 0 hi", "A 2 !"]);
    assert_eq!(run.again, []);
}

#[test]
fn hole_that_is_filled_is_no_gap() {
    let run = check(
        &[syn(), syn_ack(), a(0, "one"), a(6, "three"), a(3, "two").after(2_500), later(9_000)],
        &["A 0 one", "A 3 two", "A 6 three", "#2 A datagram later"],
    );
    assert_eq!(run.counters.gaps, 0);
}

#[test]
fn hole_that_nobody_acknowledged_is_given_up_late() {
    let run = check(
        &[syn(), syn_ack(), a(0, "one"), a(6, "three"), later(9_000)],
        &["A 0 one", "A gap 3+3 @3003", "A 6 three @3003", "#2 A datagram later"],
    );
    assert_eq!((run.counters.gaps, run.counters.gap_bytes), (1, 3));
}

#[test]
fn hole_that_was_acknowledged_is_given_up_after_the_reorder_wait() {
    check(
        &[syn(), syn_ack(), a(0, "one"), a(6, "three"), acks(11, b(0, "")), later(9_000)],
        &["A 0 one", "A gap 3+3 @104", "A 6 three @104", "#2 A datagram later"],
    );
}

#[test]
fn end_that_was_lost_is_a_gap_once_it_was_acknowledged() {
    check(
        &[syn(), syn_ack(), a(0, "one"), acks(9, b(0, "")), later(9_000)],
        &["A 0 one", "A gap 3+6 @103", "#2 A datagram later"],
    );
}

#[test]
fn several_holes_are_given_up_one_after_the_other() {
    check(
        &[
            syn(),
            syn_ack(),
            a(2, "b"),
            a(4, "d").after(1_000),
            a(6, "f").after(1_000),
            later(60_000),
        ],
        &[
            "A gap 0+2 @3002",
            "A 2 b @3002",
            "A gap 3+1 @4002",
            "A 4 d @4002",
            "A gap 5+1 @5002",
            "A 6 f @5002",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn what_is_missing_at_the_end_of_the_capture_is_a_gap() {
    check(&[syn(), syn_ack(), a(4, "end")], &["A gap 0+4", "A 4 end"]);
}

#[test]
fn late_bytes_of_a_gap_are_not_taken() {
    check(
        &[syn(), syn_ack(), a(3, "two"), acks(6, b(0, "")), later(500), a(0, "one"), a(6, "x")],
        &["A gap 0+3 @103", "A 3 two @103", "#2 A datagram later", "A 6 x"],
    );
}

#[test]
fn answer_waits_for_the_request_that_comes_late() {
    check(
        &[syn(), syn_ack(), acks(7, b(0, "answer")), a(0, "request").after(50), later(9_000)],
        &["A 0 request", "B 0 answer", "#2 A datagram later"],
    );
}

#[test]
fn answer_waits_for_the_gap_of_a_lost_request() {
    check(
        &[syn(), syn_ack(), acks(7, b(0, "answer")), later(9_000)],
        &["A gap 0+7 @102", "B 0 answer @102", "#2 A datagram later"],
    );
}

#[test]
fn answer_waits_for_the_end_of_a_request_whose_middle_is_late() {
    check(
        &[
            syn(),
            syn_ack(),
            a(0, "re"),
            a(4, "est"),
            acks(7, b(0, "answer")),
            a(2, "qu"),
            acks(6, a(7, "next")),
        ],
        &["A 0 re", "A 2 qu", "A 4 est", "B 0 answer", "A 7 next"],
    );
}

#[test]
fn answers_to_two_lost_requests_come_after_a_gap_each() {
    check(
        &[
            syn(),
            syn_ack(),
            acks(3, b(0, "one")),
            acks(3, a(3, "get")),
            acks(9, b(3, "two")),
            later(9_000),
        ],
        &[
            "A gap 0+3 @103",
            "B 0 one @103",
            "A 3 get @103",
            "A gap 6+3 @103",
            "B 3 two @103",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn two_lost_answers_are_two_gaps_between_what_was_asked() {
    check(
        &[
            syn(),
            syn_ack(),
            a(0, "one"),
            acks(4, a(3, "two")),
            acks(8, a(6, "six")),
            acks(9, b(8, "end")),
            later(9_000),
        ],
        &[
            "A 0 one",
            "B gap 0+4 @105",
            "A 3 two @105",
            "B gap 4+4 @105",
            "A 6 six @105",
            "B 8 end @105",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn answer_waits_not_at_all_where_the_other_side_was_never_seen() {
    check(
        &[syn_ack(), acks(9, b(0, "one")), acks(20, b(3, "two")), later(9_000)],
        &["A 0 one", "A 3 two", "B gap 0+20 @101", "#2 A datagram later"],
    );
}

#[test]
fn absurd_acknowledgement_is_not_waited_for() {
    check(
        &[syn(), syn_ack(), acks(1 << 29, b(0, "x")), later(9_000)],
        &["B 0 x", "#2 A datagram later"],
    );
}

#[test]
fn stream_that_began_before_the_capture_starts_after_the_reorder_wait() {
    check(
        &[a(100, "one"), a(103, "two"), later(9_000)],
        &["A 0 one @100", "A 3 two @100", "#2 A datagram later"],
    );
}

#[test]
fn stream_that_began_before_the_capture_starts_with_the_lower_of_swapped_segments() {
    check(
        &[a(103, "two"), a(100, "one"), later(9_000)],
        &["A 0 one @100", "A 3 two @100", "#2 A datagram later"],
    );
}

#[test]
fn stream_that_began_before_the_capture_starts_where_the_other_side_has_read_to() {
    check(
        &[acks(100, b(50, "")), a(100, "one"), a(103, "two"), later(9_000)],
        &["B 0 one @101", "B 3 two @101", "#2 A datagram later"],
    );
    check(
        &[acks(100, b(50, "")), a(103, "two"), later(9_000)],
        &["B gap 0+3 @3001", "B 3 two @3001", "#2 A datagram later"],
    );
}

#[test]
fn in_the_midst_of_a_stream_the_answer_still_waits() {
    check(
        &[acks(50, a(100, "ask")), acks(103, b(50, "tell")), later(9_000)],
        &["A 0 ask @101", "B 0 tell @101", "#2 A datagram later"],
    );
}

#[test]
fn late_syn_says_where_the_stream_starts() {
    let run = check(&[a(0, "hello"), syn(), later(9_000)], &["A 0 hello", "#2 A datagram later"]);
    assert!(run.flows.values().next().unwrap().syn.is_some());
    check(
        &[a(5, " you"), a(0, "hello"), syn(), syn_ack(), later(9_000)],
        &["A 0 hello", "A 5  you", "#2 A datagram later"],
    );
    check(
        &[syn(), acks(3, b(0, "hi")), syn_ack(), a(0, "ask"), later(9_000)],
        &["A 0 ask", "B 0 hi", "#2 A datagram later"],
    );
}

#[test]
fn bytes_that_the_capture_cut_off_are_a_gap() {
    let run = check(
        &[syn(), syn_ack(), a(0, "hello").kept(2), a(5, "!"), later(9_000)],
        &["A 0 he", "A gap 2+3", "A 5 !", "#2 A datagram later"],
    );
    assert_eq!(run.counters.cut, 1);
}

#[test]
fn bytes_that_the_capture_cut_off_whole_are_a_gap() {
    check(
        &[syn(), syn_ack(), a(0, "hello").kept(0), a(5, "!"), later(9_000)],
        &["A gap 0+5", "A 5 !", "#2 A datagram later"],
    );
}

#[test]
fn cut_segment_out_of_order_gives_its_gap_in_order() {
    check(
        &[syn(), syn_ack(), a(3, "hello").kept(2), a(8, "!"), a(0, "..."), later(9_000)],
        &["A 0 ...", "A 3 he", "A gap 5+3", "A 8 !", "#2 A datagram later"],
    );
    check(
        &[syn(), syn_ack(), a(3, "hello").kept(0), a(8, "!"), a(0, "..."), later(9_000)],
        &["A 0 ...", "A gap 3+5", "A 8 !", "#2 A datagram later"],
    );
}

#[test]
fn cut_request_is_answered_without_waiting() {
    check(
        &[syn(), syn_ack(), a(0, "request").kept(3), acks(7, b(0, "answer")), later(9_000)],
        &["A 0 req", "A gap 3+4", "B 0 answer", "#2 A datagram later"],
    );
}

#[test]
fn each_event_knows_its_packet() {
    let packets = [
        syn(),
        syn_ack(),
        acks(9, a(3, "two").ttl(61).id(77).tsval(1234).at(20)),
        a(0, "one").at(25),
    ];
    let seen = seen_of(&packets, "two");
    assert_eq!(seen.at, START.plus(20_000_000));
    assert_eq!((seen.ttl, seen.ip_id, seen.tsval), (61, 77, 1234));
    assert_eq!((seen.frame.number, seen.ack), (3, B_FIRST + 9));
}
