//! Beginnings and ends of connections.

use crate::packets::Packet;
use crate::recorder::{A, B, a, acks, b, check, later, run, syn, syn_ack};
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::stream::Side;

/// The packet as part of another connection between the same ends.
fn again(packet: Packet) -> Packet {
    packet.shift(1 << 30, 1 << 30)
}

#[test]
fn opener_and_times_of_the_handshake_are_known() {
    let run = check(&[syn().at(5), syn_ack().at(8), a(0, "x")], &["A 0 x"]);
    let flow = run.flows.values().next().unwrap();
    assert_eq!(flow.opener, Some(Side::A));
    assert_eq!(flow.addresses, [A, B]);
    let syn = flow.syn.unwrap();
    assert_eq!(flow.established.unwrap().0 - syn.at.0, 3_000_000);
}

#[test]
fn handshake_tells_the_way_to_either_end_and_back() {
    let check = |packets: &[Packet], expected: [Option<u32>; 2]| {
        let run = run(packets, usize::MAX, FlowLimits::default());
        let times = run.flows.values().next().unwrap().round_trip;
        let times = [times.server, times.client].map(|time| time.map(|time| time.get() / 1_000));
        assert_eq!(times, expected);
    };
    let (both, one) = ([Some(3_000), Some(1_000)], [Some(3_000), None]);
    check(&[syn().at(5), syn_ack().at(8), a(0, "").at(9), a(0, "x").at(30)], both);
    // The request, or what acknowledges a part of the answer, may have waited.
    check(&[syn().at(5), syn_ack().at(8), a(0, "x").at(9)], one);
    check(&[syn().at(5), syn_ack().at(8), a(0, "").fin().at(9)], one);
    check(&[syn().at(5), syn_ack().at(8), acks(2, a(0, "")).at(9)], one);
    // It is not known which of two SYNs was answered, nor which of two answers acknowledged.
    let again = || syn().id(9).at(300);
    check(&[syn().at(5), again(), syn_ack().at(303), a(0, "").at(304)], [None, None]);
    let again = syn_ack().id(9).at(1_000);
    check(&[syn().at(5), syn_ack().at(8), again, a(0, "").at(1_001)], one);
    check(&[syn_ack().at(8), a(0, "").at(9)], [None, None]);
}

#[test]
fn opener_is_known_from_the_answer_alone() {
    let run = check(&[syn_ack(), a(0, "x")], &["B 0 x"]);
    let flow = run.flows.values().next().unwrap();
    assert_eq!((flow.opener, flow.addresses), (Some(Side::B), [B, A]));
}

#[test]
fn both_sides_say_that_they_are_done() {
    check(
        &[syn(), syn_ack(), a(0, "hi").fin(), acks(3, b(0, "yo").fin()), acks(3, a(3, ""))],
        &["A 0 hi", "A closed", "B 0 yo", "B closed", "end Finished"],
    );
}

#[test]
fn fin_before_the_bytes_that_precede_it_waits_for_them() {
    check(
        &[syn(), syn_ack(), a(5, "").fin(), a(0, "hello"), later(9_000)],
        &["A 0 hello", "A closed", "#2 A datagram later"],
    );
    check(
        &[syn(), syn_ack(), a(3, "two").fin(), a(0, "one"), later(9_000)],
        &["A 0 one", "A 3 two", "A closed", "#2 A datagram later"],
    );
}

#[test]
fn fin_whose_bytes_were_lost_closes_after_their_gap() {
    check(
        &[syn(), syn_ack(), a(5, "").fin(), acks(6, b(0, "bye").fin()), later(9_000)],
        &[
            "A gap 0+5 @103",
            "A closed @103",
            "B 0 bye @103",
            "B closed @103",
            "end Finished @103",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn fin_whose_bytes_nobody_has_seen_is_given_up_at_last() {
    check(
        &[syn(), syn_ack(), a(5, "").fin(), later(9_000)],
        &["A closed @3002", "#2 A datagram later"],
    );
}

#[test]
fn fin_sent_again_closes_once() {
    check(
        &[syn(), syn_ack(), a(0, "x").fin(), a(0, "x").fin(), a(1, "").fin()],
        &["A 0 x", "A closed"],
    );
}

#[test]
fn what_a_finished_connection_sends_again_is_not_told() {
    let all = |fin: Packet| {
        [syn(), syn_ack(), a(0, "x").fin(), acks(2, b(0, "y").fin()), fin, later(100), syn().id(1)]
    };
    check(
        &all(acks(2, b(0, "y").fin())),
        &["A 0 x", "A closed", "B 0 y", "B closed", "end Finished", "#2 A datagram later"],
    );
}

#[test]
fn connection_is_refused() {
    check(&[syn(), acks(0, b(0, "").rst())], &["end Refused"]);
}

#[test]
fn connection_that_was_opened_and_reset_at_once_is_no_refusal() {
    check(&[syn(), syn_ack(), a(0, "").rst()], &["end Reset(A)"]);
    check(&[syn(), syn_ack(), a(0, ""), b(0, "").rst()], &["end Reset(B)"]);
}

#[test]
fn connection_is_never_answered() {
    check(
        &[syn(), syn().after(1_000), syn().after(2_000), later(60_000)],
        &["end Unanswered @13000", "#2 A datagram later"],
    );
}

#[test]
fn answered_connection_without_bytes_is_not_unanswered() {
    check(&[syn(), syn_ack(), later(60_000)], &["A datagram later"]);
}

#[test]
fn reset_comes_after_the_bytes_before_it() {
    check(
        &[syn(), syn_ack(), a(0, "hi"), acks(2, b(0, "").rst())],
        &["A 0 hi", "B closed", "end Reset(B)"],
    );
    check(
        &[syn(), syn_ack(), acks(2, b(2, "").rst()), a(0, "hi"), b(0, "yo")],
        &["A 0 hi", "B 0 yo", "B closed", "end Reset(B)"],
    );
}

#[test]
fn reset_in_the_midst_of_a_capture_ends_the_flow() {
    check(
        &[
            acks(50, a(100, "hi")),
            acks(102, b(50, "bye")),
            acks(102, b(53, "").rst()),
            later(9_000),
        ],
        &[
            "A 0 hi @101",
            "B 0 bye @101",
            "B closed @101",
            "end Reset(B) @101",
            "#2 A datagram later",
        ],
    );
}

#[test]
fn new_syn_on_the_same_ports_is_another_connection() {
    check(
        &[syn(), syn_ack(), a(0, "one"), again(syn()), again(syn_ack()), again(a(0, "two"))],
        &["A 0 one", "end Replaced", "#2 A 0 two"],
    );
}

#[test]
fn new_syn_on_the_same_ports_after_the_end_is_another_connection() {
    check(
        &[
            syn(),
            syn_ack(),
            a(0, "one").fin(),
            acks(4, b(0, "").fin()),
            again(syn()),
            again(syn_ack()),
            again(a(0, "two")),
        ],
        &["A 0 one", "A closed", "B closed", "end Finished", "#2 A 0 two"],
    );
}

#[test]
fn same_ports_after_the_end_without_a_syn_are_another_connection() {
    check(
        &[
            syn(),
            syn_ack(),
            a(0, "one").fin(),
            acks(4, b(0, "").fin()),
            again(a(0, "two")),
            again(acks(3, b(0, "three"))),
        ],
        &["A 0 one", "A closed", "B closed", "end Finished", "#2 A 0 two", "#2 B 0 three"],
    );
}

#[test]
fn same_ports_with_far_sequence_numbers_are_another_connection() {
    check(
        &[syn(), syn_ack(), a(0, "one"), again(a(0, "two")), again(acks(3, b(0, "three")))],
        &["A 0 one", "end Replaced", "#2 A 0 two", "#2 B 0 three"],
    );
}

#[test]
fn what_waits_in_a_replaced_connection_is_told_first() {
    check(
        &[syn(), syn_ack(), a(3, "late"), again(syn())],
        &["A gap 0+3", "A 3 late", "end Replaced"],
    );
}

#[test]
fn roles_turn_around_on_the_same_ports() {
    let open = Packet::tcp(B, A, 7_000_000, b"").syn();
    let hello = Packet::tcp(B, A, 7_000_001, b"hello").ack(1);
    let run = check(
        &[syn(), syn_ack(), a(0, "x"), open, hello],
        &["A 0 x", "end Replaced", "#2 A 0 hello"],
    );
    assert_eq!(run.flows.values().last().unwrap().addresses, [B, A]);
}

#[test]
fn datagrams_of_both_sides_are_one_flow() {
    let ask = Packet::udp(A, B, b"ask");
    let tell = Packet::udp(B, A, b"tell");
    let run = check(&[ask, tell], &["A datagram ask", "B datagram tell"]);
    assert_eq!(run.counters.flows, 1);
}

#[test]
fn cut_datagram_says_how_much_is_missing() {
    check(&[Packet::udp(A, B, b"datagram").kept(4)], &["A datagram data cut 4"]);
}

#[test]
fn tcp_and_udp_on_the_same_ports_are_two_flows() {
    let run = check(
        &[Packet::udp(A, B, b"x"), syn(), syn_ack(), a(0, "y")],
        &["A datagram x", "#2 A 0 y"],
    );
    assert_eq!(run.counters.flows, 2);
}
