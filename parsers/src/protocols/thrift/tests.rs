//! Calls and answers in, the messages of them out.

use super::*;
use crate::fuzzing::{Event, Recording, Split, drive, flow, record};
use crate::message::{Kind, Outcome};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;
use std::num::NonZeroU64;

const A: Side = Side::A;
const B: Side = Side::B;

/// A binary message: type, name, sequence id and the struct.
fn binary(kind: u8, name: &str, seqid: u32, fields: &[u8]) -> Vec<u8> {
    let mut message = vec![0x80, 1, 0, kind];
    message.extend((name.len() as u32).to_be_bytes());
    message.extend(name.as_bytes());
    message.extend(seqid.to_be_bytes());
    message.extend(fields);
    message
}

fn compact(kind: u8, name: &str, seqid: u8, fields: &[u8]) -> Vec<u8> {
    let mut message = vec![0x82, kind << 5 | 1, seqid, name.len() as u8];
    message.extend(name.as_bytes());
    message.extend(fields);
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend(message);
    frame
}

/// A frame with a header that has these transforms and info blocks.
fn headed(seqid: u32, transforms: &[u8], infos: &[u8], message: &[u8]) -> Vec<u8> {
    let mut fields = vec![0, transforms.len() as u8];
    fields.extend(transforms);
    fields.extend(infos);
    fields.resize(fields.len().next_multiple_of(4), 0);
    let mut frame = vec![0x0f, 0xff, 0, 0];
    frame.extend(seqid.to_be_bytes());
    frame.extend((fields.len() as u16 / 4).to_be_bytes());
    frame.extend(fields);
    frame.extend(message);
    framed(&frame)
}

/// Field 1 is a string.
fn text(text: &str) -> Vec<u8> {
    let mut fields = vec![11, 0, 1];
    fields.extend((text.len() as u32).to_be_bytes());
    fields.extend(text.as_bytes());
    fields.push(0);
    fields
}

/// Field `id` is a struct with these fields.
fn within(id: u8, fields: &[u8]) -> Vec<u8> {
    let mut outer = vec![12, 0, id];
    outer.extend(fields);
    outer.push(0);
    outer
}

/// TApplicationException.
fn failure(message: &str, kind: u8) -> Vec<u8> {
    let mut fields = text(message);
    fields.pop();
    fields.extend([8, 0, 2, 0, 0, 0, kind, 0]);
    fields
}

fn zlib(message: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn run_with(settings: Settings, events: &[Event], split: Split) -> Recording {
    let flow = flow(crate::protocol::Transport::Tcp, 40_000, 9090);
    drive(protocol(&Arc::new(settings)).as_mut(), &flow, A, events, split)
}

fn said(from: Side, bytes: &[u8]) -> Event {
    Event::Bytes { from, bytes: bytes.to_vec() }
}

fn shown(recording: &Recording) -> Vec<String> {
    assert_eq!(recording.broken, Vec::<String>::new());
    let message = |m: &crate::fuzzing::Recorded| {
        let mut line = format!("{:?} {:?} {}", m.from, m.kind, m.pairing);
        for part in [&m.operation, &m.resource] {
            if !part.is_empty() {
                line = format!("{line} {part}");
            }
        }
        if m.kind == Kind::Response {
            line = format!("{line} {:?}", m.outcome);
            if m.outcome != Outcome::Ok && m.outcome != Outcome::Unknown {
                line = format!("{line} {} {}", m.code, m.text);
            }
        }
        for (name, value) in &m.attributes {
            line = format!("{line} {name}={value}");
        }
        let end = m.end.map_or_else(|| "?".to_owned(), |end| end.to_string());
        format!("{line} {}..{end}", m.start)
    };
    recording.messages.iter().map(message).collect()
}

fn check_events(events: &[Event], expected: &[&str]) {
    for split in [Split::Whole, Split::Bytes, Split::Patient, Split::At(5), Split::At(40)] {
        let recording = run_with(Settings::default(), events, split);
        assert_eq!(recording.malformed, Vec::<&str>::new());
        assert_eq!(shown(&recording), expected, "{split:?}");
    }
}

fn check(said_by: &[(Side, Vec<u8>)], expected: &[&str]) {
    let events: Vec<Event> = said_by.iter().map(|(from, bytes)| said(*from, bytes)).collect();
    check_events(&events, expected);
}

#[test]
fn call_and_its_reply_are_a_request_and_a_response() {
    let (call, reply) = (binary(1, "ping", 7, &[0]), binary(2, "ping", 7, &[0]));
    check(
        &[(A, call.clone()), (B, reply.clone())],
        &["A Request id 0x7 by A ping 0..17", "B Response id 0x7 by A Ok 0..17"],
    );
    check(
        &[(A, framed(&call)), (B, framed(&reply))],
        &["A Request id 0x7 by A ping 0..21", "B Response id 0x7 by A Ok 0..21"],
    );
    check(
        &[(A, compact(1, "ping", 7, &[0])), (B, framed(&compact(2, "ping", 7, &[0])))],
        &["A Request id 0x7 by A ping 0..9", "B Response id 0x7 by A Ok 0..13"],
    );
    check(
        &[(A, b"[1,\"ping\",1,7,{}]".to_vec()), (B, framed(b"[1,\"ping\",2,7,{}]"))],
        &["A Request id 0x7 by A ping 0..17", "B Response id 0x7 by A Ok 0..21"],
    );
    let old = |kind| [&b"\0\0\0\x04ping"[..], &[kind, 0, 0, 0, 7, 0]].concat();
    check(
        &[(A, old(1)), (B, framed(&old(2)))],
        &["A Request id 0x7 by A ping 0..14", "B Response id 0x7 by A Ok 0..18"],
    );
}

#[test]
fn service_before_a_colon_is_the_resource() {
    check(
        &[
            (A, binary(1, "lab.Shop:find", 1, &text("x"))),
            (B, binary(2, "find", 1, &within(0, &[0]))),
        ],
        &["A Request id 0x1 by A find lab.Shop 0..34", "B Response id 0x1 by A Ok 0..21"],
    );
}

#[test]
fn oneway_awaits_no_answer() {
    check(&[(A, binary(4, "note", 0, &text("x")))], &["A OneWay none note 0..25"]);
}

#[test]
fn declared_exception_has_its_first_text() {
    let fields = [&[8, 0, 1, 0, 0, 0, 5][..], &text("gone")].concat();
    let expected = |end| {
        format!(
            "B Response id 0x1 by A ServerError 0 DECLARED_EXCEPTION wirespan.rpc.error=gone 0..{end}"
        )
    };
    let reply = binary(2, "find", 1, &within(1, &fields));
    check(&[(B, reply.clone())], &[&expected(39)]);
    check(&[(B, framed(&reply))], &[&expected(43)]);
    // Field 1 is a struct, whose field 1 is an i32, and field 2 a string.
    let reply = compact(2, "find", 1, b"\x1c\x15\x0a\x18\x04gone\0\0");
    check(&[(B, reply)], &[&expected(19)]);
    let reply = b"[1,\"find\",2,1,{\"1\":{\"rec\":{\"1\":{\"i32\":5},\"2\":{\"str\":\"gone\"}}}}]";
    check(&[(B, reply.to_vec())], &[&expected(reply.len())]);
}

#[test]
fn declared_exception_without_a_text_is_one() {
    for reply in [
        binary(2, "f", 1, &within(2, &[8, 0, 1, 0, 0, 0, 5, 0])),
        framed(&compact(2, "f", 1, b"\x2c\0\0")),
        b"[1,\"f\",2,1,{\"2\":{\"rec\":{}}}]".to_vec(),
    ] {
        let end = reply.len();
        let expected = format!("B Response id 0x1 by A ServerError 0 DECLARED_EXCEPTION 0..{end}");
        check(&[(B, reply)], &[&expected]);
    }
}

#[test]
fn failure_has_its_type_and_text() {
    for reply in [
        binary(3, "f", 1, &failure("no f", 1)),
        framed(&binary(3, "f", 1, &failure("no f", 1))),
        compact(3, "f", 1, b"\x18\x04no f\x15\x02\0"),
        b"[1,\"f\",3,1,{\"1\":{\"str\":\"no f\"},\"2\":{\"i32\":1}}]".to_vec(),
    ] {
        let end = reply.len();
        let expected = format!(
            "B Response id 0x1 by A ClientError 1 UNKNOWN_METHOD wirespan.rpc.error=no f 0..{end}"
        );
        check(&[(B, reply)], &[&expected]);
    }
}

#[test]
fn values_of_every_type_are_passed_over() {
    let fields = [
        &[2, 0, 1, 1, 3, 0, 2, 9, 4, 0, 3][..],
        &[0; 8],
        &[6, 0, 4, 0, 1, 8, 0, 5, 0, 0, 0, 1, 10, 0, 6],
        &[0; 8],
        &[15, 0, 7, 8, 0, 0, 0, 2],
        &[0; 8],
        &[14, 0, 8, 11, 0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i'],
        &[13, 0, 9, 11, 12, 0, 0, 0, 1, 0, 0, 0, 1, b'k', 2, 0, 1, 1, 0],
        &[13, 0, 10, 0, 0, 0, 0, 0, 0],
        &[16, 0, 11],
        &[0; 16],
        &[0],
    ]
    .concat();
    let call = binary(1, "f", 1, &fields);
    let end = call.len();
    check(
        &[(A, [call.clone(), call].concat())],
        &[
            &format!("A Request id 0x1 by A f 0..{end}"),
            &format!("A Request in order, lane {} f {end}..{}", lane("f"), end * 2),
        ],
    );
    let fields = [
        // True, i8, i16 with a long id, i64, double, list of bool, list of 20 i8, map, UUID.
        &[0x11, 0x13, 9, 0x04, 0x80, 0x01, 0x03, 0x16, 0xff, 0x01, 0x17][..],
        &[0; 8],
        &[0x19, 0x22, 1, 2, 0x19, 0xf3, 20],
        &[0; 20],
        &[0x1b, 1, 0x8c, 1, b'k', 0x11, 0, 0x1b, 0, 0x1d],
        &[0; 16],
        &[0],
    ]
    .concat();
    let call = compact(1, "f", 1, &fields);
    check(&[(A, call.clone())], &[&format!("A Request id 0x1 by A f 0..{}", call.len())]);
    let call = br#"[1,"f",1,1,{"1":{"tf":1},"2":{"dbl":-1.5e3},"3":{"str":"a\"}\\"},"4":{"lst":["str",2,"]","{"]},"5":{"map":["str","rec",1,{"k":{"1":{"i8":1}}}]},"6":{"set":["i64",0]}}]"#;
    check(&[(A, call.to_vec())], &[&format!("A Request id 0x1 by A f 0..{}", call.len())]);
}

fn lane(method: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(method.as_bytes()) >> 32
}

#[test]
fn long_values_are_skipped() {
    let long = "v".repeat(5000);
    let json = format!("[1,\"f\",1,1,{{\"1\":{{\"str\":\"{long}\\\"\"}}}}]");
    for call in [binary(1, "f", 1, &text(&long)), json.into_bytes()] {
        let end = call.len();
        let all = [call, binary(1, "g", 2, &[0])].concat();
        check(
            &[(A, all)],
            &[
                &format!("A Request id 0x1 by A f 0..{end}"),
                &format!("A Request id 0x2 by A g {end}..{}", end + 14),
            ],
        );
    }
}

#[test]
fn headers_carry_identifiers_of_calls_and_of_connections() {
    let ping = binary(1, "ping", 0, &[0]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let header = |id: u8, name: &str, value: &str| {
        let mut info = vec![id, 1, name.len() as u8];
        info.extend(name.as_bytes());
        info.push(value.len() as u8);
        info.extend(value.as_bytes());
        info
    };
    let events = [
        said(A, &headed(1, &[], &header(1, "traceparent", trace), &ping)),
        said(A, &headed(2, &[], &header(2, "x-request-id", "r-7"), &ping)),
        said(A, &headed(3, &[], &[], &ping)),
    ];
    let recording = run_with(Settings::default(), &events, Split::Bytes);
    let found: Vec<usize> = recording.messages.iter().map(|m| m.contexts.len()).collect();
    assert_eq!(found, [1, 1, 1], "{recording:?}");
    assert!(recording.messages[0].contexts[0].contains("Traceparent"));
    assert!(recording.messages[2].contexts[0].contains("RequestId"));
    assert_eq!(recording.messages[2].pairing, "id 0x3 by A");
}

#[test]
fn compressed_message_is_read_behind_its_header() {
    let zstd = |message: &[u8]| zstd::stream::encode_all(message, 3).unwrap();
    let call = binary(1, "S:f", 0, &text(&"v".repeat(9000)));
    let reply = binary(3, "f", 0, &failure("no f", 6));
    let both = |by: u8, compress: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (call, reply) =
            (headed(5, &[by], &[], &compress(&call)), headed(5, &[by], &[], &compress(&reply)));
        let (call_end, reply_end) = (call.len(), reply.len());
        check(
            &[(A, call), (B, reply)],
            &[
                &format!("A Request id 0x5 by A f S 0..{call_end}"),
                &format!(
                    "B Response id 0x5 by A ServerError 6 INTERNAL_ERROR wirespan.rpc.error=no f \
                     0..{reply_end}"
                ),
            ],
        );
    };
    both(1, &zlib);
    both(5, &zstd);
    // What snappy-java 1.1.1.3 makes of `S:f` with a hundred times the same letter.
    let snappy =
        b"{@\x80\x01\0\x01\0\0\0\x03S:f\0\0\0\0\x0b\0\x01\x0e\x04dv\xfe\x01\0\x8a\x01\0\0\0";
    let call = headed(5, &[3], &[], snappy);
    let end = call.len();
    check(&[(A, call)], &[&format!("A Request id 0x5 by A f S 0..{end}")]);
    // What is not undone pairs by its header: two of them, one that nobody knows, one that is damaged.
    for (transforms, bytes) in
        [(&[1, 3][..], &b"\0\0\0"[..]), (&[4], b"\0\0\0"), (&[3], b"\x09\x11\x01")]
    {
        let (call, reply) = (headed(5, transforms, &[], bytes), headed(5, transforms, &[], bytes));
        let expected = [
            format!("A Request id 0x5 by A 0..{}", call.len()),
            format!("B Response id 0x5 by A Unknown 0..{}", reply.len()),
        ];
        check(&[(A, call), (B, reply)], &[&expected[0], &expected[1]]);
    }
}

#[test]
fn undeclared_exception_in_headers_is_a_failure() {
    let infos = b"\x01\x02\x03uex\x05Error\x04uexw\x04gone";
    let reply = headed(1, &[], infos, &binary(3, "f", 0, &failure("x", 0)));
    let end = reply.len();
    check(
        &[(B, reply)],
        &[&format!(
            "B Response id 0x1 by A ServerError 0 UNKNOWN exception.type=Error \
             wirespan.rpc.error=gone wirespan.rpc.error=x 0..{end}"
        )],
    );
}

#[test]
fn client_that_does_not_count_is_answered_in_order_of_each_method() {
    let (f, g) = (lane("f"), lane("g"));
    let lines = [
        "A Request id 0x0 by A f 0..14".to_owned(),
        "B Response id 0x0 by A Ok 0..14".to_owned(),
        format!("A Request in order, lane {f} f 14..28"),
        format!("A Request in order, lane {g} g 28..42"),
        format!("B Response in order, lane {f} Ok 14..28"),
        format!("B Response in order, lane {g} Ok 28..42"),
    ];
    let call = |name| (A, binary(1, name, 0, &[0]));
    let reply = |name| (B, binary(2, name, 0, &[0]));
    check(
        &[call("f"), reply("f"), call("f"), call("g"), reply("f"), reply("g")],
        &lines.each_ref().map(String::as_str),
    );
}

#[test]
fn frame_tells_its_end_behind_a_gap() {
    let (first, second) =
        (framed(&binary(1, "f", 1, &text(&"v".repeat(100)))), framed(&binary(1, "g", 2, &[0])));
    let (end, start) = (first.len(), 60);
    let lost = NonZeroU64::new((end - start) as u64 - 10).unwrap();
    for at in [30, 50, start] {
        let lost = lost.saturating_add((start - at) as u64);
        let events = [
            said(B, &framed(&binary(2, "e", 9, &[0]))),
            said(A, &first[..at]),
            Event::Gap { from: A, lost },
            said(A, &first[end - 10..]),
            said(A, &second),
        ];
        let recording = run_with(Settings::default(), &events, Split::Whole);
        assert_eq!(
            shown(&recording)[1..],
            [
                format!("A Request id 0x1 by A f 0..{end}"),
                format!("A Request id 0x2 by A g {end}..{}", end + 18),
            ],
        );
    }
}

#[test]
fn behind_a_gap_a_message_is_found_where_one_surely_starts() {
    let call = binary(1, "f", 1, &text("a long enough value"));
    let events = [
        said(A, &call[..20]),
        Event::Gap { from: A, lost: NonZeroU64::new(100).unwrap() },
        said(A, b"the rest of some value"),
        said(A, &binary(1, "g", 2, &[0])),
    ];
    let recording = run_with(Settings::default(), &events, Split::Whole);
    assert_eq!(
        shown(&recording),
        ["A Request id 0x1 by A f 0..39", "A Request id 0x2 by A g 142..156"],
    );
}

#[test]
fn frame_that_lacks_its_length_is_passed_over() {
    for (call, next) in [
        (
            headed(2, &[], &[], &binary(1, "g", 0, &text("x"))),
            headed(3, &[], &[], &binary(1, "h", 0, &[0])),
        ),
        (framed(&binary(1, "g", 2, &text("x"))), framed(&binary(1, "h", 3, &[0]))),
    ] {
        let first = framed(&binary(1, "f", 1, &[0]));
        let start = first.len() as u64;
        let events = [
            said(A, &first),
            Event::Gap { from: A, lost: NonZeroU64::new(4).unwrap() },
            said(A, &call[4..]),
            said(A, &next),
        ];
        let recording = run_with(Settings::default(), &events, Split::Whole);
        let end = start + call.len() as u64;
        assert_eq!(
            shown(&recording),
            [
                format!("A Request id 0x1 by A f 0..{start}"),
                format!("A Request id 0x3 by A h {end}..{}", end + next.len() as u64),
            ],
        );
        assert_eq!(recording.lost, ["thrift messages without their beginning"]);
    }
}

#[test]
fn compressed_frame_that_lacks_its_length_is_passed_over() {
    let message = |name, seqid| zlib(&binary(1, name, seqid, &text("x")));
    let lacks = headed(2, &[1], &[], &message("g", 0));
    let next = headed(3, &[1], &[], &message("h", 0));
    let gap = Event::Gap { from: A, lost: NonZeroU64::new(100).unwrap() };
    // Each length is a segment of its own, which is not sure to be one behind the gap.
    let events = [
        said(A, &headed(1, &[1], &[], &message("f", 0))),
        gap,
        said(A, b"the rest of something"),
        said(A, &lacks[..4]),
        said(A, &lacks[4..]),
        said(A, &next[..4]),
        said(A, &next[4..]),
    ];
    let recording = run_with(Settings::default(), &events, Split::Whole);
    let names: Vec<&str> = recording.messages.iter().map(|m| &*m.operation).collect();
    assert_eq!(names, ["f", "h"]);
    assert_eq!(recording.lost, ["thrift messages without their beginning"]);
    assert_eq!(recording.malformed, Vec::<&str>::new());
}

#[test]
fn length_alone_tells_where_the_next_frame_begins() {
    let call = framed(&binary(1, "g", 2, &text("x")));
    let events = [
        said(B, &framed(&binary(2, "f", 1, &[0]))),
        said(A, &call[..4]),
        Event::Gap { from: A, lost: NonZeroU64::new(call.len() as u64 - 4).unwrap() },
        said(A, &framed(&binary(1, "h", 3, &[0]))[..6]),
        said(A, &framed(&binary(1, "h", 3, &[0]))[6..]),
    ];
    let recording = run_with(Settings::default(), &events, Split::Whole);
    let end = call.len();
    let next = format!("A Request id 0x3 by A h {end}..{}", end + 18);
    assert_eq!(shown(&recording), ["B Response id 0x1 by A Ok 0..18", &next]);
}

#[test]
fn frame_whose_content_is_no_struct_ends_where_it_says() {
    let reply = framed(&binary(2, "f", 1, &[12, 0, 1, 99]));
    let end = reply.len();
    let all = [reply, framed(&binary(2, "g", 2, &[0]))].concat();
    let recording = run_with(Settings::default(), &[said(B, &all)], Split::Whole);
    assert_eq!(recording.lost, ["thrift messages not understood"]);
    assert_eq!(shown(&recording)[1], format!("B Response id 0x2 by A Ok {end}..{}", end + 18));
}

#[test]
fn structs_have_a_depth_limit() {
    let deep = [12, 0, 1].repeat(walk::DEPTH_LIMIT + 1);
    let recording =
        run_with(Settings::default(), &[said(A, &binary(1, "f", 1, &deep))], Split::Whole);
    assert_eq!(recording.malformed, ["depth"]);
}

#[test]
fn texts_of_calls_are_told_as_secret() {
    let located = |bytes: &[u8]| {
        let settings = Settings { locate_secrets: true, ..Settings::default() };
        let recording = run_with(settings, &[said(A, bytes)], Split::Bytes);
        let ranges: Vec<_> = recording.messages[0].secrets.clone();
        let texts: Vec<String> = ranges
            .into_iter()
            .map(|range| {
                String::from_utf8(bytes[range.start as usize..range.end as usize].to_vec()).unwrap()
            })
            .collect();
        texts.join(" ")
    };
    assert_eq!(located(&binary(1, "f", 1, &text("hunter2"))), "hunter2");
    assert_eq!(located(&framed(&compact(1, "f", 1, b"\x18\x07hunter2\0"))), "hunter2");
    let long = format!("{}\nat Shop.java", "gone ".repeat(3));
    assert_eq!(located(&binary(3, "f", 1, &failure(&long, 6))), "\nat Shop.java");
    let json = br#"[1,"f",1,1,{"1":{"str":"hunter2"},"2":{"map":["str","str",1,{"key":"a long value that goes on and on"}]}}]"#;
    assert_eq!(located(json), "hunter2 key a long value that goes on and on");
}

#[test]
fn secrets_in_texts_of_exceptions_are_masked() {
    check(
        &[(B, binary(3, "f", 1, &failure("no login: password=hunter2", 6)))],
        &["B Response id 0x1 by A ServerError 6 INTERNAL_ERROR \
           wirespan.rpc.error=no login: password=*** 0..54"],
    );
}

#[test]
fn passwords_in_addresses_are_masked_beside_other_secrets() {
    let check = |words: &str, shown: &str| {
        let reply = binary(3, "f", 1, &failure(words, 6));
        let expected = format!(
            "B Response id 0x1 by A ServerError 6 INTERNAL_ERROR wirespan.rpc.error={shown} 0..{}",
            reply.len()
        );
        check(&[(B, reply)], &[&expected]);
    };
    check("token=abc at http://u:pw@db/x", "token=*** at http://***@db/x");
    let [before, after] = ["at http://u:", "@db"];
    // The address goes on behind what is shown.
    check(&format!("{before}{}{after}", "p".repeat(300)), "at http://***");
}

#[test]
fn headers_are_told_within_limits() {
    let header = |name: &str, value: &str| {
        let size = |text: &str| match text.len() {
            len @ ..0x80 => vec![len as u8],
            len => vec![len as u8 & 0x7f | 0x80, (len >> 7) as u8],
        };
        [size(name), name.into(), size(value), value.into()].concat()
    };
    let pairs: Vec<Vec<u8>> = (0..70).map(|n| header(&format!("h{n}"), "v")).collect();
    let long = [header(&"n".repeat(129), "v"), header("k", &"v".repeat(2000))];
    let infos = [&[1, 72][..], &long.concat(), &pairs.concat()].concat();
    let bytes = headed(1, &[], &infos, &binary(1, "f", 0, &[0]));
    let run = |from, bytes: &[u8]| {
        let flow = flow(crate::protocol::Transport::Tcp, 1, 2);
        let mut thrift = protocol(&Arc::default());
        let events = [said(from, bytes)];
        let empty = Recording::with_details();
        let recording = record(empty, thrift.as_mut(), &flow, A, &events, Split::Whole);
        let found: Vec<String> = recording.messages[0]
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        found
    };
    let found = run(A, &bytes);
    let metadata = |text: &&String| text.starts_with("rpc.request.metadata.");
    assert_eq!(found.iter().filter(metadata).count(), 63);
    assert_eq!(found.last().map(String::as_str), Some("wirespan.rpc.metadata_left_out=9"));
    assert!(found.contains(&"wirespan.thrift.seqid=1".to_owned()));
    // What a call tells is not told again.
    assert_eq!(run(B, &framed(&binary(2, "f", 1, &[0]))), Vec::<String>::new());
}

fn check_probe(head: &[u8], expected: Probe) {
    let mut protocol = protocol(&Arc::default());
    let flow = flow(crate::protocol::Transport::Tcp, 1, 2);
    assert_eq!(protocol.probe(&flow, A, head), expected, "{}", head.escape_ascii());
}

#[test]
fn message_that_is_whole_enough_is_certain() {
    for (kind, client) in [(1, A), (2, B), (3, B), (4, A)] {
        for message in [binary(kind, "f", 1, &[0]), compact(kind, "f", 1, &[0])] {
            check_probe(&message, Probe::Certain { client });
            check_probe(&framed(&message), Probe::Certain { client });
            check_probe(&headed(1, &[], &[], &message), Probe::Certain { client });
        }
        let json = format!("[1,\"f\",{kind},0,{{}}]");
        check_probe(json.as_bytes(), Probe::Certain { client });
    }
}

#[test]
fn old_binary_is_told_by_the_port_alone() {
    check_probe(b"\0\0\0\x04ping\x01\0\0\0\x01\0", Probe::Unsure { client: A });
}

#[test]
fn others_are_none() {
    for head in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x80\x01\x00\x05\0\0\0\x01f",
        b"\x82\x20\x01\x01f",
        b"[1,\"a b\"",
        b"[2,\"f\",1",
        b"\0\0\0\x10\0\0\0\0",
        b"\x80\x01\0\x01\0\0\xff\xff",
    ] {
        check_probe(head, Probe::No);
    }
}
