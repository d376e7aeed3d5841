//! Bytes that are lost, or are none of this protocol's.

use super::*;
use std::num::NonZeroU64;

fn gap(from: Side, lost: u64) -> Event {
    Event::Gap { from, lost: NonZeroU64::new(lost).unwrap() }
}

fn check_damaged(events: &[Event], expected: &[&str]) {
    let recording = run(events, Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    assert_eq!(lines(&recording), expected);
}

#[test]
fn rows_after_a_gap_are_passed_over_up_to_the_next_response() {
    let rows = packets(1, &[b"\x01", COLUMN, b"\x011"]);
    check_damaged(
        &[
            query("SELECT n"),
            answered(rows),
            gap(Side::B, 100),
            answered(packets(60, &[b"\x011", b"\x012", END])),
            query("COMMIT"),
            response(&[OK]),
        ],
        &[
            "A Request SELECT [SELECT n]",
            "B Response Ok",
            "A Request COMMIT [COMMIT]",
            "B Response Ok",
        ],
    );
}

#[test]
fn gap_within_a_large_row_costs_nothing() {
    let head = [&packets(1, &[b"\x01", COLUMN])[..], b"\x00\x10\0\x03\xfc\xfd\x0f abc"].concat();
    let tail = [&[b'x'; 89][..], &packets(4, &[b"\x011", END])].concat();
    check_damaged(
        &[query("SELECT n"), answered(head), gap(Side::B, 4000), answered(tail)],
        &["A Request SELECT [SELECT n]", "B Response Ok rows=2"],
    );
}

#[test]
fn command_that_is_cut_shows_what_there_is() {
    check_damaged(
        &[
            sent(&b"\x80\0\0\0\x03SELECT n FROM t WHERE"[..]),
            gap(Side::A, 106),
            response(&[b"\x01", COLUMN, b"\x011", END]),
            query("COMMIT"),
            response(&[OK]),
        ],
        &[
            "A Request SELECT t [SELECT n FROM t WHERE] cut",
            "B Response Ok rows=1",
            "A Request COMMIT [COMMIT]",
            "B Response Ok",
        ],
    );
}

#[test]
fn error_that_is_cut_shows_its_code() {
    check_damaged(
        &[
            query("SELECT n"),
            answered(&b"\x30\0\0\x01\xff\x28\x04#42000You have an"[..]),
            gap(Side::B, 31),
            query("COMMIT"),
            response(&[OK]),
        ],
        &[
            "A Request SELECT [SELECT n]",
            "B Response ClientError 1064 42000 {You have an} cut",
            "A Request COMMIT [COMMIT]",
            "B Response Ok",
        ],
    );
}

#[test]
fn numbers_out_of_order_are_not_believed() {
    let recording = run(
        &[
            query("SELECT n"),
            answered([packets(1, &[b"\x01", COLUMN]), packets(9, &[END])].concat()),
            query("COMMIT"),
            response(&[OK]),
        ],
        Split::Whole,
    );
    assert_eq!(recording.malformed, ["sequence id"]);
    assert_eq!(lines(&recording)[2..], ["A Request COMMIT [COMMIT]", "B Response Ok"]);
}

#[test]
fn gap_within_one_packet_is_bridged() {
    let rows = packets(1, &[b"\x01", COLUMN, b"\x04abcd", b"\x011", END]);
    let (head, rest) = rows.split_at(rows.len() - 21);
    check_damaged(
        &[
            query("SELECT n"),
            // Of the first row, one byte and then all but the last byte.
            answered(head),
            gap(Side::B, 3),
            answered([b"d", &rest[4..]].concat()),
            // The same of a command; what follows it comes in the same piece.
            sent(&b"\x0c\0\0\0\x03SELECT"[..]),
            gap(Side::A, 2),
            sent([&b"FT)"[..], &packets(0, &[b"\x0e"])].concat()),
            response(&[OK]),
            response(&[OK]),
        ],
        &[
            "A Request SELECT [SELECT n]",
            "B Response Ok rows=2",
            "A Request SELECT [SELECT] cut",
            "A Request PING",
            "B Response Ok",
            "B Response Ok",
        ],
    );
}

#[test]
fn statement_behind_a_gap_is_not_read_as_if_it_were_whole() {
    let text = format!("SELECT '{}' FROM t", "x".repeat(40_000));
    let whole = packets(0, &[&[b"\x03", text.as_bytes()].concat()]);
    let recording = run(
        &[
            sent(&whole[..20_000]),
            gap(Side::A, 10_000),
            sent(&whole[30_000..]),
            query("COMMIT"),
            response(&[OK]),
        ],
        Split::Whole,
    );
    assert_eq!(recording.broken, Vec::<String>::new());
    assert_eq!(lines(&recording)[0], "A Request SELECT [SELECT ?]");
    assert_eq!(lines(&recording)[1], "A Request COMMIT [COMMIT]");
}
