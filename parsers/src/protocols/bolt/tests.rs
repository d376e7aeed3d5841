//! Commands in, the messages of them out.

use super::*;
use crate::fuzzing::{Event, Recorded, Recording, Split, drive, flow};
use crate::message::Kind;
use crate::protocol::Transport;
use std::num::NonZeroU64;

const A: Side = Side::A;
const B: Side = Side::B;
const REQUEST: &str = "com.alipay.sofa.rpc.core.request.SofaRequest";
const RESPONSE: &str = "com.alipay.sofa.rpc.core.response.SofaResponse";

/// A command of the first version: type, command code, id, then timeout or status.
fn command(
    (kind, cmdcode, id): (u8, u8, u32),
    tail: &[u8],
    class: &str,
    pairs: &[(&str, &str)],
    content: &[u8],
) -> Vec<u8> {
    let mut header = Vec::new();
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        header.extend((text.len() as u32).to_be_bytes());
        header.extend(text.as_bytes());
    }
    let mut bytes = vec![1, kind, 0, cmdcode, 1];
    bytes.extend(id.to_be_bytes());
    bytes.push(1);
    bytes.extend(tail);
    bytes.extend((class.len() as u16).to_be_bytes());
    bytes.extend((header.len() as u16).to_be_bytes());
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend(class.as_bytes());
    bytes.extend(header);
    bytes.extend(content);
    bytes
}

const FIND: &[(&str, &str)] = &[
    ("sofa_head_target_service", "lab.Shop:1.0"),
    ("sofa_head_method_name", "find"),
    ("app", "client"),
    ("rpc_trace_context.sofaTraceId", "0ad1348f1403169275002100356696"),
    ("rpc_trace_context.sofaRpcId", "0.1.2"),
];

fn request(id: u32, pairs: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    command((1, 1, id), &3000_u32.to_be_bytes(), REQUEST, pairs, content)
}

fn response(id: u32, status: u8, pairs: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    command((0, 2, id), &[0, status], RESPONSE, pairs, content)
}

/// The beginning of a SofaResponse; its values follow.
fn answer(values: &[u8]) -> Vec<u8> {
    let mut content = vec![b'O', 0x90 + RESPONSE.len() as u8];
    content.extend(RESPONSE.as_bytes());
    content.push(0x94);
    for field in ["isError", "errorMsg", "appResponse", "responseProps"] {
        content.push(field.len() as u8);
        content.extend(field.as_bytes());
    }
    content.extend([b'o', 0x90]);
    content.extend(values);
    content
}

/// A command of the first version as one of the second, with a CRC if it is switched on.
fn second(first: &[u8], format: u8, switch: u8) -> Vec<u8> {
    let mut bytes = [&[2, format], &first[1..10], &[switch], &first[10..]].concat();
    if format == 2 && switch == 1 {
        bytes.extend([1, 2, 3, 4]);
    }
    bytes
}

fn run(settings: Settings, events: &[Event], split: Split) -> Recording {
    let flow = flow(Transport::Tcp, 40_000, 12_200);
    drive(protocol(&Arc::new(settings)).as_mut(), &flow, A, events, split)
}

fn line(m: &Recorded) -> String {
    let mut line = format!("{:?} {:?} {}", m.from, m.kind, m.pairing);
    for part in [&m.operation, &m.resource] {
        if !part.is_empty() {
            line = format!("{line} {part}");
        }
    }
    if m.kind == Kind::Response {
        line = format!("{line} {:?} {}", m.outcome, m.code);
        if !m.text.is_empty() {
            line = format!("{line} {}", m.text);
        }
    }
    for (name, value) in &m.attributes {
        let name = name.strip_prefix("wirespan.rpc.").unwrap_or(name);
        line = format!("{line} {name}={value}");
    }
    let end = m.end.map_or_else(|| "?".to_owned(), |end| end.to_string());
    let cut = if m.cut { " cut" } else { "" };
    format!("{line} {}..{end}{cut}", m.start)
}

fn check(said: &[(Side, Vec<u8>)], expected: &[&str]) {
    let events: Vec<Event> = said
        .iter()
        .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.clone() })
        .collect();
    for split in [Split::Whole, Split::Bytes, Split::Patient, Split::At(30), Split::At(200)] {
        let recording = run(Settings::default(), &events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        assert_eq!(recording.malformed, Vec::<&str>::new());
        let shown: Vec<String> = recording.messages.iter().map(line).collect();
        assert_eq!(shown, expected, "{split:?}");
    }
}

#[test]
fn request_and_response_are_paired_by_their_id() {
    let called = "find lab.Shop service.version=1.0 client.application=client timeout_ms=3000";
    let (first, reply) = (request(7, FIND, b"x"), response(7, 0, &[], &answer(b"FN\x05sleptN")));
    let (end, reply_end) = (first.len(), reply.len());
    check(
        &[(A, first.clone()), (B, reply.clone())],
        &[
            &format!("A Request id 0x7 by A {called} 0..{end}"),
            &format!("B Response id 0x7 by A Ok 0 0..{reply_end}"),
        ],
    );
    for (format, switch, more) in [(1, 0, 2), (2, 0, 2), (2, 1, 6)] {
        check(
            &[(A, second(&first, format, switch)), (B, second(&reply, format, switch))],
            &[
                &format!("A Request id 0x7 by A {called} 0..{}", end + more),
                &format!("B Response id 0x7 by A Ok 0 0..{}", reply_end + more),
            ],
        );
    }
}

#[test]
fn trace_and_place_in_the_tree_are_read_from_the_header() {
    let events = [Event::Bytes { from: A, bytes: request(7, FIND, b"x") }];
    let recording = run(Settings::default(), &events, Split::Whole);
    let [context] = &recording.messages[0].contexts[..] else { panic!("{recording:?}") };
    assert!(context.contains("Sofa"), "{context}");
    assert!(context.contains("span: Some") && context.contains("parent: Some"), "{context}");
}

#[test]
fn oneway_awaits_no_answer_and_heartbeats_are_no_calls() {
    let note =
        command((2, 1, 3), &[0, 0, 0, 0], REQUEST, &[("sofa_head_method_name", "note")], b"");
    let end = note.len();
    let beat = command((1, 0, 4), &[0, 0, 3, 0xe8], "", &[], b"");
    let ack = command((0, 0, 4), &[0, 0], "", &[], b"");
    check(
        &[(A, note), (A, beat), (B, ack)],
        &[
            &format!("A OneWay none note timeout_ms=0 0..{end}"),
            &format!("A Handshake id 0x4 by A heartbeat {end}..{}", end + 22),
            "B Response id 0x4 by A Ok 0 0..20",
        ],
    );
}

#[test]
fn other_requests_go_by_their_class() {
    let class = "com.alipay.sofa.registry.PublisherRegister";
    let asked = command((1, 1, 1), &[0, 0, 0, 1], class, &[], b"");
    let end = asked.len();
    check(&[(B, asked)], &[&format!("B Request id 0x1 by B {class} timeout_ms=1 0..{end}")]);
}

#[test]
fn exception_has_its_class_and_words() {
    let thrown = b"FNO\x9blab.Missing\x92\x0ddetailMessage\x0astackTraceo\x91\x05gone\nNN";
    let flag = [("sofa_head_response_error", "true")];
    for pairs in [&flag[..], &[]] {
        let reply = response(1, 0, pairs, &answer(thrown));
        let end = reply.len();
        let expected = format!(
            "B Response id 0x1 by A ServerError 0 lab.Missing rpc.response.status_code=SUCCESS error=gone 0..{end}"
        );
        check(&[(B, reply)], &[&expected]);
    }
    let reply = response(1, 0, &flag, b"\x0a\x01x");
    let end = reply.len();
    check(
        &[(B, reply)],
        &[&format!(
            "B Response id 0x1 by A ServerError 0 exception rpc.response.status_code=SUCCESS 0..{end}"
        )],
    );
}

#[test]
fn error_has_its_number_and_words() {
    let words = "RPC-020100010: cannot find \u{fc}\u{1f600}";
    let units = words.encode_utf16().count() as u16;
    let mut values = vec![b'T', b'S'];
    values.extend(units.to_be_bytes());
    values.extend(words.as_bytes());
    values.extend(b"NN");
    let reply = response(1, 0, &[], &answer(&values));
    let end = reply.len();
    check(
        &[(B, reply)],
        &[&format!("B Response id 0x1 by A ServerError 0 RPC-020100010 error={words} 0..{end}")],
    );
}

#[test]
fn what_may_be_an_exception_is_no_success() {
    // A class of more fields than are read, and one that is longer than what is looked at.
    let many = [&b"FNO\x9blab.Missing\xc8\x50"[..], &b"\x01f".repeat(80), b"o\x91NN"].concat();
    let long = [&b"FNO\x9blab.Missing\x91S\x07\xd0"[..], &[b'f'; 2000], b"o\x91NN"].concat();
    for values in [many, long] {
        let reply = response(1, 0, &[], &answer(&values));
        let end = reply.len();
        check(&[(B, reply)], &[&format!("B Response id 0x1 by A Unknown 0 0..{end}")]);
    }
    let reply = response(1, 0, &[], &answer(b"FN\x05sleptN"));
    let events = [
        Event::Bytes { from: B, bytes: reply[..80].to_vec() },
        Event::Gap { from: B, lost: NonZeroU64::new(reply.len() as u64 - 80).unwrap() },
    ];
    let recording = run(Settings::default(), &events, Split::Whole);
    assert!(line(&recording.messages[0]).contains("Unknown 0"), "{recording:?}");
}

#[test]
fn passwords_in_addresses_of_errors_are_masked_and_located() {
    let words = "RPC-02: token=abc at http://u:pw@db/x";
    let values =
        [b"T", &[words.len() as u8 - 0x20][..0], b"S\0", &[words.len() as u8], words.as_bytes()];
    let reply = response(1, 0, &[], &answer(&[&values.concat()[..], b"NN"].concat()));
    let end = reply.len();
    check(
        &[(B, reply.clone())],
        &[&format!(
            "B Response id 0x1 by A ServerError 0 RPC-02 \
             error=RPC-02: token=*** at http://***@db/x 0..{end}"
        )],
    );
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let events = [Event::Bytes { from: B, bytes: reply.clone() }];
    let recording = run(settings, &events, Split::Whole);
    let found: Vec<&[u8]> = recording.messages[0]
        .secrets
        .iter()
        .map(|range| &reply[range.start as usize..range.end as usize])
        .collect();
    assert_eq!(found, [&b"abc"[..], b"u:pw", b"NN"]);
}

#[test]
fn status_of_the_response_tells_whose_fault_it_is() {
    for (status, expected) in [
        (2, "ServerError 2 SERVER_EXCEPTION"),
        (4, "ServerError 4 SERVER_THREADPOOL_BUSY"),
        (6, "ClientError 6 NO_PROCESSOR"),
        (7, "ServerError 7 TIMEOUT"),
        (0x99, "ServerError 153"),
    ] {
        let reply = response(1, status, &[], b"");
        let end = reply.len();
        check(&[(B, reply)], &[&format!("B Response id 0x1 by A {expected} 0..{end}")]);
    }
}

#[test]
fn long_contents_are_skipped() {
    let first = request(1, &[], &[7; 5000]);
    let reply = response(1, 0, &[], &answer(&[&b"FN"[..], &[7; 5000]].concat()));
    let (end, reply_end) = (first.len(), reply.len());
    check(
        &[(A, first.clone()), (A, first), (B, reply)],
        &[
            &format!("A Request id 0x1 by A {REQUEST} timeout_ms=3000 0..{end}"),
            &format!("A Request id 0x1 by A {REQUEST} timeout_ms=3000 {end}..{}", end * 2),
            &format!("B Response id 0x1 by A Ok 0 0..{reply_end}"),
        ],
    );
}

#[test]
fn lengths_tell_the_end_behind_a_gap() {
    let first = request(1, FIND, &[7; 500]);
    let end = first.len();
    for at in [30, 150, 400] {
        let events = [
            Event::Bytes { from: A, bytes: first[..at].to_vec() },
            Event::Gap { from: A, lost: NonZeroU64::new((end - at) as u64 - 20).unwrap() },
            Event::Bytes { from: A, bytes: first[end - 20..].to_vec() },
            Event::Bytes { from: A, bytes: request(2, &[], b"") },
        ];
        let recording = run(Settings::default(), &events, Split::Whole);
        assert_eq!(recording.broken, Vec::<String>::new());
        let shown: Vec<String> = recording.messages.iter().map(line).collect();
        assert!(shown[0].ends_with(&format!("0..{end}{}", if at < 300 { " cut" } else { "" })));
        assert!(shown[1].starts_with("A Request id 0x2"), "{shown:?}");
    }
}

#[test]
fn content_is_told_as_secret_but_for_what_says_that_it_is_an_error() {
    let located = |bytes: Vec<u8>| {
        let settings = Settings { locate_secrets: true, ..Settings::default() };
        let events = [Event::Bytes { from: A, bytes: bytes.clone() }];
        let recording = run(settings, &events, Split::Bytes);
        let text = |range: &std::ops::Range<u64>| {
            bytes[range.start as usize..range.end as usize].escape_ascii().to_string()
        };
        recording.messages[0].secrets.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(located(request(1, &[("password", "hunter2")], b"xyz")), ["hunter2xyz"]);
    let thrown = b"FNO\x9blab.Missing\x92\x0ddetailMessage\x0astackTraceo\x91\x0apassword=xN";
    assert_eq!(located(response(1, 0, &[], &answer(thrown))), ["xN"]);
}

#[test]
fn request_with_a_class_is_certain_and_a_heartbeat_is_not() {
    let check = |bytes: &[u8], expected| {
        let flow = flow(Transport::Tcp, 1, 2);
        let probe = protocol(&Arc::default()).probe(&flow, A, bytes);
        assert_eq!(probe, expected, "{}", bytes.escape_ascii());
    };
    check(&request(1, FIND, b""), Probe::Certain { client: A });
    check(&response(1, 0, &[], b""), Probe::Certain { client: B });
    check(&request(1, FIND, b"")[..40], Probe::Unsure { client: A });
    check(&command((1, 0, 4), &[0, 0, 3, 0xe8], "", &[], b""), Probe::Unsure { client: A });
    check(b"\x01\x03\x00\x01\x01", Probe::No);
    check(b"\x01\x01\x00\x02\x01", Probe::No);
    check(b"\x03\x01", Probe::No);
}
