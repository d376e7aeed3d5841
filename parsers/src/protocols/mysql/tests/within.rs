//! Packets within compressed ones.

use super::*;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;
use std::num::NonZeroU64;

const COMPRESS: u64 = 1 << 5 | DEPRECATE_EOF;
const ZSTD: u64 = 1 << 26 | DEPRECATE_EOF;

fn frame(sequence: u8, payload: &[u8], plain: usize) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    frame.push(sequence);
    frame.extend(&(plain as u32).to_le_bytes()[..3]);
    frame.extend(payload);
    frame
}

fn stored(sequence: u8, plain: &[u8]) -> Vec<u8> {
    frame(sequence, plain, 0)
}

fn zlib(sequence: u8, plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    frame(sequence, &encoder.finish().unwrap(), plain.len())
}

fn zstd(sequence: u8, plain: &[u8]) -> Vec<u8> {
    frame(sequence, &::zstd::encode_all(plain, 3).unwrap(), plain.len())
}

const ROWS: &[&[u8]] = &[b"\x01", COLUMN, b"\x0212", b"\x0213", b"\x0214", END];
const EXPECTED: &[&str] = &["A Request SELECT {shop} [SELECT n]", "B Response Ok rows=3"];

#[test]
fn zlib_zstd_and_what_is_stored_are_read() {
    let text = packets(0, &[b"\x03SELECT n"]);
    let rows = packets(1, ROWS);
    for (flags, pack) in [(COMPRESS, zlib as fn(u8, &[u8]) -> Vec<u8>), (ZSTD, zstd)] {
        let events = [sent(stored(0, &text)), answered(pack(1, &rows))];
        check_after_login(flags, &events, EXPECTED);
        let events = [sent(pack(0, &text)), answered(stored(1, &rows))];
        check_after_login(flags, &events, EXPECTED);
    }
}

#[test]
fn packets_go_on_in_the_next_compressed_one() {
    let rows = packets(1, ROWS);
    for cut in 1..rows.len() {
        let (first, second) = rows.split_at(cut);
        let events = [
            sent(stored(0, &packets(0, &[b"\x03SELECT n"]))),
            answered([zlib(1, first), zlib(2, second)].concat()),
        ];
        let recording = run(&[login(COMPRESS), events.to_vec()].concat(), Split::Whole);
        assert_eq!(lines(&recording)[2..], *EXPECTED, "{cut}");
    }
}

#[test]
fn what_is_too_long_to_be_awaited_is_passed_over() {
    // What cannot be compressed: a command whose head is awaited, and the rest is not.
    let mut state = 1_u32;
    let mut data = b"\x18\x01\0\0\0\0\0".to_vec();
    data.extend((0..600_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    let long = stored(0, &packets(0, &[&data]));
    let events = [
        login(COMPRESS),
        vec![
            sent(long),
            sent(stored(0, &packets(0, &[b"\x0e"]))),
            answered(stored(1, &packets(1, &[OK]))),
        ],
    ];
    let recording = run(&events.concat(), Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    assert_eq!(
        lines(&recording)[2..],
        ["A OneWay SEND LONG DATA {shop}", "A Request PING {shop}", "B Response Ok"]
    );
}

#[test]
fn gap_ends_at_the_next_compressed_packet_that_begins_a_response() {
    let rows = zlib(1, &packets(1, ROWS));
    let events = [
        login(COMPRESS),
        vec![
            sent(stored(0, &packets(0, &[b"\x03SELECT n"]))),
            answered(&rows[..rows.len() / 2]),
            Event::Gap { from: Side::B, lost: NonZeroU64::new(9).unwrap() },
            answered(&b"in the middle of something"[..]),
            sent(stored(0, &packets(0, &[b"\x0e"]))),
            answered(stored(1, &packets(1, &[OK]))),
        ],
    ];
    let recording = run(&events.concat(), Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    let found = lines(&recording);
    assert_eq!(found[found.len() - 2..], ["A Request PING {shop}", "B Response Ok"]);
}

#[test]
fn commands_are_compressed_although_the_answer_to_the_login_is_lost() {
    let mut events = login(COMPRESS);
    events.truncate(2);
    events.push(Event::Gap { from: Side::B, lost: NonZeroU64::new(11).unwrap() });
    events.push(sent(stored(0, &packets(0, &[b"\x03SELECT n"]))));
    events.push(answered(zlib(1, &packets(1, ROWS))));
    events.push(sent(stored(0, &packets(0, &[b"\x0e"]))));
    events.push(answered(stored(1, &packets(1, &[OK]))));
    let recording = run(&events, Split::Whole);
    assert_eq!(lines(&recording)[1..3], ["A Request SELECT [SELECT n]", "B Response Ok rows=3"]);
    assert_eq!(lines(&recording)[3..], ["A Request PING", "B Response Ok"]);
}

#[test]
fn compressed_packets_are_told_without_the_login() {
    let text = stored(0, &packets(0, &[b"\x03SELECT n"]));
    let mut mysql = protocol(&Arc::default());
    let flow = flow(Transport::Tcp, 1, 2);
    let probe = mysql.probe(&flow, Side::A, &text);
    assert_eq!(probe, crate::protocol::Probe::Certain { client: Side::A });
    check(
        &[sent(text), answered(zlib(1, &packets(1, ROWS)))],
        &["A Request SELECT [SELECT n]", "B Response Ok rows=3"],
    );
}

#[test]
fn payloads_are_secret_as_a_whole() {
    let events = [
        login(COMPRESS),
        vec![
            sent(stored(0, &packets(0, &[b"\x03SELECT n"]))),
            answered(zlib(1, &packets(1, ROWS))),
        ],
    ];
    let [client, server] = without_secrets(&events.concat());
    assert!(client.ends_with(b"\0\0\0~~~~~~~~~~~~~"), "{}", client.escape_ascii());
    assert!(server.ends_with(b"~~~~~~~~~~~~~~~~~~~~~~~~"), "{}", server.escape_ascii());
}
