//! Commands and rows that are longer than what is awaited, and than a packet can be.

use super::*;

const LONGEST: usize = 0xff_ffff;

/// The ends of the pieces in which the bytes come are not those of packets.
fn check_large(events: &[Event], expected: &[&str]) {
    for split in [Split::Whole, Split::At(5), Split::At(70_001)] {
        let recording = run(events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        assert_eq!(recording.malformed, Vec::<&str>::new());
        let found: Vec<String> = lines(&recording).iter().map(|line| shortened(line)).collect();
        assert_eq!(found, expected, "{split:?}");
    }
}

fn shortened(line: &str) -> String {
    line.split(" [").next().unwrap_or_default().to_owned()
        + line.rsplit_once(']').map_or("", |(_, rest)| rest)
}

#[test]
fn statement_is_read_to_its_end_where_identifiers_stand() {
    let values = "(1), ".repeat(20_000);
    let text = format!(
        "INSERT INTO t VALUES {values} (2) \
         /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/"
    );
    let events = [query(&text), response(&[OK]), query("COMMIT"), response(&[OK])];
    for split in [Split::Whole, Split::At(30_000)] {
        let recording = run(&events, split);
        assert_eq!(recording.messages.len(), 4);
        assert_eq!(recording.messages[0].end, Some(text.len() as u64 + 5));
        assert_eq!(recording.messages[0].contexts.len(), 1);
        assert_eq!(recording.messages[2].operation, "COMMIT");
    }
}

#[test]
fn command_of_several_packets_is_one() {
    let mut text = b"\x03INSERT INTO t VALUES ('".to_vec();
    text.resize(LONGEST, b'x');
    let long = packets(0, &[&text, b"')"]);
    check_large(
        &[sent(long), answered(packets(2, &[OK])), query("COMMIT"), response(&[OK])],
        &["A Request INSERT t", "B Response Ok affected=0", "A Request COMMIT", "B Response Ok"],
    );
    let mut data = b"\x18\x01\0\0\0\0\0".to_vec();
    data.resize(LONGEST, b'x');
    let long = packets(0, &[&data, &data, b""]);
    check_large(
        &[sent(long), query("COMMIT"), response(&[OK])],
        &["A OneWay SEND LONG DATA", "A Request COMMIT", "B Response Ok"],
    );
}

#[test]
fn row_of_several_packets_is_one() {
    // Its parts look like an end and an error.
    let mut row = b"\xfe\xff\xff\xff\x01\0\0\0\0".to_vec();
    row.resize(LONGEST, b'x');
    let rows = packets(1, &[b"\x01", COLUMN, &row, b"\xff\x10\x04", b"\x011", END]);
    check_large(
        &[query("SELECT n"), answered(rows), query("COMMIT"), response(&[OK])],
        &["A Request SELECT", "B Response Ok rows=2", "A Request COMMIT", "B Response Ok"],
    );
}

#[test]
fn large_rows_are_passed_over() {
    let row = [&b"\xfd\x00\x00\x02"[..], &[b'x'; 0x2_0000]].concat();
    let rows = packets(1, &[b"\x01", COLUMN, &row, &row, END]);
    check_large(
        &[query("SELECT n"), answered(rows), query("COMMIT")],
        &["A Request SELECT", "B Response Ok rows=2", "A Request COMMIT"],
    );
}
