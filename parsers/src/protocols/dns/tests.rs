//! Queries and responses in, the messages of them out.

use super::codes::{A, AAAA, AXFR, CNAME, HTTPS, MX, SOA, SRV, TXT};
use super::*;
use crate::fuzzing::{Event, Recording, Split, drive, flow};
use crate::message::Kind;

const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
    \x03www\x07example\x03com\x00\x00\x01\x00\x01";

/// A response to [`QUESTION`] with so many answers, which follow its question.
fn response(flags: u16, answers: u8, records: &[u8]) -> Vec<u8> {
    let mut bytes = QUESTION.to_vec();
    bytes[2..4].copy_from_slice(&(0x8000 | flags).to_be_bytes());
    bytes[7] = answers;
    bytes.extend_from_slice(records);
    bytes
}

/// A record whose owner is the question's name.
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xc0\x0c".to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(b"\x00\x01\x00\x00\x00\x3c");
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u16).to_be_bytes();
    [&length, message].concat()
}

fn run(transport: Transport, events: &[(Side, &[u8])], split: Split) -> Recording {
    let events: Vec<Event> = events
        .iter()
        .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.to_vec() })
        .collect();
    drive(
        &mut Connections::of(Dns::default()),
        &flow(transport, 40_000, 53),
        Side::A,
        &events,
        split,
    )
}

fn lines(recording: &Recording) -> Vec<String> {
    recording
        .messages
        .iter()
        .map(|m| {
            let mut line = format!("{:?} {:?} {} {}", m.from, m.kind, m.operation, m.resource);
            if m.kind == Kind::Response {
                line += &format!(" {:?} {} {}", m.outcome, m.code, m.text);
            }
            for (name, value) in &m.attributes {
                if name != "dns.question.name" {
                    line += &format!(" {name}={value}");
                }
            }
            line
        })
        .collect()
}

fn check(events: &[(Side, &[u8])], expected: &[&str]) -> Recording {
    let udp = run(Transport::Udp, events, Split::Whole);
    assert_eq!(udp.broken, Vec::<String>::new());
    assert_eq!(lines(&udp), expected);
    let framed: Vec<_> = events.iter().map(|(from, bytes)| (*from, framed(bytes))).collect();
    let framed: Vec<_> = framed.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect();
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        assert_eq!(lines(&run(Transport::Tcp, &framed, split)), expected, "{split:?}");
    }
    udp
}

#[test]
fn query_and_response_have_the_same_id() {
    let answer = response(0x0180, 1, &record(A, &[93, 184, 216, 34]));
    let recording = check(
        &[(Side::A, QUESTION), (Side::B, &answer)],
        &[
            "A Request A www.example.com",
            "B Response A www.example.com Ok 0 NOERROR dns.answers=93.184.216.34",
        ],
    );
    assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
}

#[test]
fn equal_id_with_another_question_is_another_exchange() {
    let mut other = QUESTION.to_vec();
    other[13] = b'x';
    let mut mixed = QUESTION.to_vec();
    mixed[13] = b'W';
    let recording = run(
        Transport::Udp,
        &[(Side::A, QUESTION), (Side::A, &other), (Side::A, &mixed)],
        Split::Whole,
    );
    let [first, second, third] = &recording.messages[..] else { panic!("three messages") };
    assert_ne!(first.pairing, second.pairing);
    assert_eq!(first.pairing, third.pairing);
}

#[test]
fn both_sides_of_one_flow_may_ask() {
    let answer = response(0x0003, 0, b"");
    let recording = check(
        &[(Side::A, QUESTION), (Side::B, QUESTION), (Side::A, &answer), (Side::B, &answer)],
        &[
            "A Request A www.example.com",
            "B Request A www.example.com",
            "A Response A www.example.com ClientError 3 NXDOMAIN",
            "B Response A www.example.com ClientError 3 NXDOMAIN",
        ],
    );
    assert!(recording.messages[2].pairing.ends_with("by B"));
    assert!(recording.messages[3].pairing.ends_with("by A"));
}

#[test]
fn response_without_question_pairs_by_its_id() {
    let recording = check(
        &[(Side::A, QUESTION), (Side::B, b"\x12\x34\x80\x02\0\0\0\0\0\0\0\0")],
        &["A Request A www.example.com", "B Response QUERY  ServerError 2 SERVFAIL"],
    );
    assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
}

#[test]
fn answers_are_written_as_in_a_zone_file() {
    for (kind, data, expected) in [
        (AAAA, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" as &[u8], "2001:db8::1"),
        (CNAME, b"\x03web\xc0\x10", "web.example.com."),
        (MX, b"\x00\x0a\x04mail\xc0\x10", "10 mail.example.com."),
        (TXT, b"\x05a,b \"\x01c", "\"a\\044b \\034\" \"c\""),
        (SRV, b"\x00\x01\x00\x02\x00\x50\x00", "1 2 80 ."),
        (SOA, b"\xc0\x10\x01r\xc0\x10\0\0\0\x07", "example.com. r.example.com. 7"),
        (HTTPS, b"\x00\x01\x00\x00\x01\x00\x03\x02h2", "1 ."),
        (46, b"\0", "RRSIG"),
        (65280, b"\0", "TYPE65280"),
        (A, b"\x01", "A"),
    ] {
        let answer = response(0, 1, &record(kind, data));
        let expected = format!("B Response A www.example.com Ok 0 NOERROR dns.answers={expected}");
        check(&[(Side::B, &answer)], &[&expected]);
    }
}

#[test]
fn answers_are_bounded() {
    let records = record(A, &[10, 0, 0, 1]).repeat(100);
    let recording = run(Transport::Udp, &[(Side::B, &response(0, 100, &records))], Split::Whole);
    assert_eq!(recording.messages[0].attributes[0].1.split(',').count(), 16);
}

#[test]
fn edns_has_the_upper_bits_of_the_code() {
    let mut answer = response(0x0200, 0, b"\x00\x00\x29\x10\x00\x01\x00\x00\x00\x00\x00");
    answer[11] = 1;
    check(
        &[(Side::B, &answer)],
        &["B Response A www.example.com ClientError 16 BADVERS dns.truncated=1"],
    );
}

#[test]
fn other_opcodes_are_operations() {
    for (flags, expected) in [(0x2000, "NOTIFY"), (0x2800, "UPDATE"), (0x7800, "OPCODE15")] {
        let mut query = QUESTION.to_vec();
        query[2..4].copy_from_slice(&u16::to_be_bytes(flags));
        check(&[(Side::A, &query)], &[&format!("A Request {expected} www.example.com")]);
    }
}

#[test]
fn odd_names_are_escaped() {
    for (name, expected) in [
        (b"\x00" as &[u8], "."),
        (b"\x03a.b\x01\xff\x00", "a\\046b.\\255"),
        (b"\x04_tcp\x00", "_tcp"),
    ] {
        let query = [&QUESTION[..12], name, b"\xff\x00\x00\x01"].concat();
        check(&[(Side::A, &query)], &[&format!("A Request TYPE65280 {expected}")]);
    }
}

#[test]
fn names_that_loop_or_run_off_leave_the_header() {
    let long = b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(4);
    let long = [&long[..], b"\x00"].concat();
    for name in [b"\xc0\x0c" as &[u8], b"\x01a\xc0\x0c", b"\xc0\xff", b"\x40", b"\x3fa", &long] {
        let query = [&QUESTION[..12], name, b"\x00\x01\x00\x01"].concat();
        let answer = b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0";
        let udp = run(Transport::Udp, &[(Side::A, &query), (Side::B, answer)], Split::Whole);
        assert_eq!(
            lines(&udp),
            [
                "A Request QUERY  wirespan.dns.flaw=question name",
                "B Response QUERY  ClientError 1 FORMERR"
            ],
            "{name:?}"
        );
        assert_eq!(udp.messages[0].pairing, udp.messages[1].pairing);
        let tcp = run(Transport::Tcp, &[(Side::A, &framed(&query))], Split::Whole);
        assert_eq!(tcp.malformed, ["question name"], "{name:?}");
    }
}

#[test]
fn response_with_another_question_pairs_by_its_id_if_no_other_does() {
    let mut other = response(0, 0, b"");
    other[13] = b'x';
    let recording = check(
        &[(Side::A, QUESTION), (Side::B, &other), (Side::B, &response(0, 0, b""))],
        &[
            "A Request A www.example.com",
            "B Response A xww.example.com Ok 0 NOERROR wirespan.dns.flaw=answers another question",
            "B Response A www.example.com Ok 0 NOERROR",
        ],
    );
    assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
}

#[test]
fn broken_records_leave_the_question() {
    let answer = response(0, 2, &[&record(A, &[10, 0, 0, 1])[..], b"\xc0"].concat());
    check(
        &[(Side::B, &answer)],
        &["B Response A www.example.com Ok 0 NOERROR dns.answers=10.0.0.1"],
    );
}

#[test]
fn zone_transfer_is_one_response() {
    let mut query = QUESTION.to_vec();
    query[30] = AXFR as u8;
    let soa = record(SOA, b"\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut messages =
        [response(0, 1, &soa), response(0, 1, &record(A, &[1, 2, 3, 4])), response(0, 1, &soa)];
    messages.iter_mut().for_each(|message| message[30] = AXFR as u8);
    let stream = messages.each_ref().map(|message| framed(message)).concat();
    let recording =
        run(Transport::Tcp, &[(Side::A, &framed(&query)), (Side::B, &stream)], Split::Bytes);
    assert_eq!(
        lines(&recording),
        [
            "A Request AXFR www.example.com",
            "B Response AXFR www.example.com Ok 0 NOERROR dns.answers=. . 1",
        ]
    );
    assert_eq!(recording.messages[1].end, Some(stream.len() as u64));
}

#[test]
fn probe_is_certain_of_consistent_messages_only() {
    let certain = |client| Probe::Certain { client };
    let unsure = |client| Probe::Unsure { client };
    let answer = response(0, 1, &record(A, &[1, 2, 3, 4]));
    let trailing = [QUESTION, b"\0"].concat();
    let reserved = [b"\x12\x34\x01\x40", &QUESTION[4..]].concat();
    let with_code = [b"\x12\x34\x01\x23", &QUESTION[4..]].concat();
    let noise = b"\x01\0\0\0\x7f\x1c\x80\x02\x99\x41\x0a\x5e".repeat(12);
    for (port, message, expected) in [
        (53, QUESTION, certain(Side::A)),
        (5300, QUESTION, certain(Side::A)),
        (5353, QUESTION, Probe::No),
        (137, QUESTION, Probe::No),
        (53, &answer, certain(Side::B)),
        (53, &answer[..answer.len() - 1], unsure(Side::B)),
        (53, &trailing, unsure(Side::A)),
        (53, &reserved, unsure(Side::A)),
        (5300, &reserved, Probe::No),
        (53, &with_code, unsure(Side::A)),
        (5300, &with_code, Probe::No),
        (53, &QUESTION[..20], unsure(Side::A)),
        (5300, &QUESTION[..20], Probe::No),
        (53, &noise, Probe::No),
        (53, b"HTTP/1.1 200 OK\r\n\r\n", Probe::No),
    ] {
        let flow = flow(Transport::Udp, 40_000, port);
        assert_eq!(Dns::default().probe(&flow, Side::A, message), expected, "{message:?}");
    }
    let resolver = flow(Transport::Udp, 5353, 53);
    assert_eq!(Dns::default().probe(&resolver, Side::A, QUESTION), certain(Side::A));
    let flow = flow(Transport::Tcp, 40_000, 5300);
    let framed = framed(QUESTION);
    for (head, expected) in [
        (&framed[..], certain(Side::A)),
        (&framed[..20], unsure(Side::A)),
        (&framed[..1], unsure(Side::A)),
        (b"GET / HTTP/1.1\r\n", Probe::No),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x01\x02\x03\x04", Probe::No),
    ] {
        assert_eq!(Dns::default().probe(&flow, Side::A, head), expected, "{head:?}");
    }
}
