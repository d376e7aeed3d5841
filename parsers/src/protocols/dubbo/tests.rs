//! Bodies of each serialisation in, the messages of them out.

use super::connection::HEAD_LIMIT;
use super::walk::PAIRS_LIMIT;
use super::*;
use crate::fuzzing::{Event, Recorded, Recording, Split, drive, flow};
use crate::message::Outcome;
use crate::protocol::Transport;
use crate::secrets::Secrets;
use std::fmt::Write;
use std::num::NonZeroU64;

#[test]
fn a_call_has_its_service_its_method_and_what_its_attachments_say() {
    let body = b"\x052.0.2\x08lab.Shop\x031.2\x05price\x12Ljava/lang/String;\x03teaH\x04path\
        \x08lab.Shop\x12remote.application\x03web\x0btraceparent070\
        0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\x07timeout\x042000\x05group\x04blueZ";
    check(
        &[(Side::A, message(0xc2, 0, 7, body)), (Side::B, message(2, 20, 7, b"\x94\x01xHZ"))],
        &[
            "A Request id 0x7 by A price lab.Shop Unknown 0  \
             wirespan.rpc.service.version=1.2 wirespan.dubbo.version=2.0.2 \
             wirespan.dubbo.types=Ljava/lang/String; wirespan.dubbo.serialization=hessian2 \
             wirespan.rpc.client.application=web wirespan.rpc.timeout_ms=2000 \
             wirespan.rpc.service.group=blue Traceparent",
            "B Response id 0x7 by A   Ok 20 OK",
        ],
    );
}

#[test]
fn every_value_of_hessian_is_passed_over() {
    let values: &[&[u8]] = &[
        b"\x00",
        b"\x05hello",
        b"\x30\x22this is a text of thirty two chars",
        b"R\x00\x01aS\x00\x02bc",
        b"\x23abc",
        b"\x34\x03abc",
        b"A\x00\x01aB\x00\x02bc",
        b"A\x00\x01a\x22bc",
        b"N",
        b"T",
        b"F",
        b"\x90",
        b"\xc8\x00",
        b"\xd4\x00\x00",
        b"I\0\0\0\x01",
        b"\xe0",
        b"\xf8\x00",
        b"\x3c\x00\x00",
        b"\x59\0\0\0\x01",
        b"L\0\0\0\0\0\0\0\x01",
        b"\x5b",
        b"\x5c",
        b"\x5d\x01",
        b"\x5e\x01\x02",
        b"\x5f\0\0\0\x01",
        b"D\0\0\0\0\0\0\0\x01",
        b"\x4a\0\0\0\0\0\0\0\x01",
        b"\x4b\0\0\0\x01",
        b"H\x01a\x90\x01bH\x01cNZZ",
        b"M\x01t\x01a\x90Z",
        b"M\x90\x01a\x90Z",
        b"U\x04[int\x90\x91Z",
        b"V\x04[int\x92\x90\x91",
        b"\x57\x90\x91Z",
        b"\x58\x92\x90\x91",
        b"\x72\x04[int\x90\x91",
        b"\x72\x90\x90\x91",
        b"\x7a\x90\x91",
        b"C\x01P\x92\x01a\x01b\x60\x90\x01x",
        b"C\x01P\x92\x01a\x01bO\x90\x90C\x01Q\x90\x61",
        b"Q\x90",
    ];
    for value in values {
        let mut body = b"\x94".to_vec();
        body.extend_from_slice(value);
        body.extend_from_slice(b"H\x08trace-id\x01x\x04b3-x\x01yZ");
        let found = attachments(0x02, &body);
        assert_eq!(found, "trace-id=x b3-x=y", "{}", value.escape_ascii());
    }
}

#[test]
fn characters_of_two_units_are_counted_as_such() {
    // The same character as two halves of three bytes, and as one of four.
    for text in [&b"\x02\xed\xa0\xbd\xed\xb8\x80"[..], b"\x02\xf0\x9f\x98\x80", b"\x02\xc3\xa9x"] {
        let body = [b"\x94", text, b"H\x01k\x01vZ"].concat();
        assert_eq!(attachments(2, &body), "k=v");
    }
}

#[test]
fn fastjson2_is_read_by_its_own_structure() {
    let text = |text: &str| {
        let mut item = vec![0, 0, 0, text.len() as u8 + 1, 0x49 + text.len() as u8];
        item.extend_from_slice(text.as_bytes());
        item
    };
    let mut body: Vec<u8> =
        ["2.0.2", "lab.Shop", "0.0.0", "price", "[I"].iter().flat_map(|name| text(name)).collect();
    body.extend(b"\0\0\0\x06\x92\x4b[I\0\x94");
    let pairs = [
        b"\xa6\x4ctop\xa6\x4aa\x96\x01\x02\xa5\x50timeout\x38\x64".as_slice(),
        b"\x4bb3\x50not one\x4ax\x7c\x04\xe9\x00b\x00\xa5",
    ]
    .concat();
    body.extend((pairs.len() as u32).to_be_bytes());
    body.extend(pairs);
    check(
        &[(Side::A, message(0xd7, 0, 1, &body))],
        &["A Request id 0x1 by A price lab.Shop Unknown 0  wirespan.dubbo.version=2.0.2 \
           wirespan.dubbo.types=[I wirespan.dubbo.serialization=fastjson2 \
           wirespan.rpc.timeout_ms=100"],
    );
    assert_eq!(
        attachments(0xd7, &body),
        "timeout=100 b3=not one x=\u{e9}b",
        "latin, utf-16 and numbers"
    );
}

#[test]
fn lines_of_json_are_read_with_their_escapes() {
    let body = b"\"2.0.2\"\n\"lab.Shop\"\n\"1\"\n\"a\"\n\"IZ\"\n1\n{\"a\":[1,{}]}\n\
        {\"k\":\"\\u003d\\ud83d\\ude00\\n\",\"n\":-5,\"o\":{\"x\":1},\"l\":[],\"t\":true}\n";
    assert_eq!(attachments(0xc6, body), "k==😀\n n=-5");
    let thrown = b"3\n{\"@type\":\"lab.Sold\",\"message\":\"sold out\"}\n{\"dubbo\":\"2.0.2\"}\n";
    check(
        &[(Side::B, message(6, 20, 1, thrown))],
        &["B Response id 0x1 by A   ServerError 20 lab.Sold \
           rpc.response.status_code=OK wirespan.rpc.error=sold out"],
    );
}

#[test]
fn numbers_and_texts_of_kryo_are_passed_over() {
    let body =
        b"2.0.\xb2lab.Sho\xf01.\xb2pa\xf9IJL\xbb\x02\x0d\x09\x80\x01\x00#\x01\x02\x03\x01\x82k\
        \x03\x01v\xb1\x03\x01\x82n\x02\x09";
    assert_eq!(attachments(0xc8, body), "k=v1 n=-5");
}

#[test]
fn numbers_and_texts_of_fst_are_passed_over() {
    let names = b"\x052.0.2\x04lab.\x031.2\x03p\xe9\xff";
    let body = [&names[..], b"\xac\x20\x09IJDZLLLL;"].concat();
    // A name of characters that have two bytes, one of which is 255; types that are none.
    assert_eq!(attachments(0xc9, &body), "dubbo bodies not understood");
    let body = b"\x052.0.2\x08lab.Shop\x031.2\x01p\x08IJDZDLa;\
        \xf7\x80\x2c\x01\xf6\x82\0\0\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\x04@\xf0\0\x09\0\0\0\0\0\0\x04@\xff\
        \0\x0f\x04\xfc\x01k\xfc\x03v\xfc\xff\xac\x20\xfc\x01n\xf7\x81\0\0\x01\0\xfc\x01l\xf6\xfb\xfc\x01o\xff";
    assert_eq!(attachments(0xc9, body), "k=v\u{fc}\u{20ac} n=65536 l=-5");
    // What ends before its end, or goes on behind it, is none.
    assert_eq!(attachments(0xc9, &body[..body.len() - 1]), "dubbo bodies not understood");
    assert_eq!(attachments(0xc9, &[&body[..], b"\xff"].concat()), "dubbo bodies not understood");
}

#[test]
fn values_of_messagepack_are_passed_over() {
    let values: [&[u8]; 12] = [
        b"\x92\x81\xa1a\x90\xc0",
        b"\xc4\x01x",
        b"\xc7\x02\x05xy",
        b"\xd8\x010123456789abcdef",
        b"\xcb\0\0\0\0\0\0\x04@",
        b"\xdc\0\x01\xc2",
        b"\xde\0\x01\x01\x02",
        b"\xda\0\x02ab",
        b"\xdb\0\0\0\x01a",
        b"\xd1\xff\xfe",
        b"\xe0",
        b"\xdd\0\0\0\0",
    ];
    let mut body = b"\xa52.0.2\xa8lab.Shop\xc0\xa1p".to_vec();
    body.push(0xa0 | values.len() as u8);
    body.extend(values.iter().map(|_| b'I'));
    body.extend(values.concat());
    body.extend(
        b"\x86\xa1k\xa1v\xa1i\xd1\xff\xfe\xa1n\xc0\x07\xa1x\xa1l\x91\xa1y\xd9\x01u\xcc\xff",
    );
    assert_eq!(attachments(0xdb, &body), "k=v i=-2 u=255");
    assert_eq!(attachments(0xdb, &body[..body.len() - 1]), "k=v i=-2 dubbo bodies not understood");
}

#[test]
fn messages_of_protobuf_end_where_they_say() {
    let body = |map: &[u8]| {
        [&b"\x03\x0a\x012\x03\x0a\x01s\0\x03\x0a\x01p\x03\x0a\x01I\x04\x18\x01\x10\x02"[..], map]
            .concat()
    };
    let map = b"\x0c\x0a\x06\x0a\x01k\x12\x01v\x0a\x02\x12\0";
    assert_eq!(attachments(0xd6, &body(map)), "k=v =");
    for wrong in [
        &b"\x0b\x0a\x06\x0a\x01k\x12\x01v\x0a\x02\x12"[..],
        b"\x03\x0a\x01\x08",
        b"\x02\x10\x01",
        b"\xff\xff\xff\xff\x0f\x0a",
    ] {
        let found = attachments(0xd6, &body(wrong));
        assert!(found.ends_with("dubbo bodies not understood"), "{found}");
    }
}

#[test]
fn an_exception_is_a_failure_of_the_server() {
    let body = b"\x93C\x08lab.Sold\x92\x04left\x0ddetailMessage\x60\x93\x08sold outHZ";
    check(
        &[(Side::B, message(2, 20, 1, body))],
        &["B Response id 0x1 by A   ServerError 20 lab.Sold \
           rpc.response.status_code=OK wirespan.rpc.error=sold out"],
    );
}

#[test]
fn words_of_a_cause_are_not_those_of_the_exception() {
    let utf = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let field = |name, class| [&b"L"[..], &utf(name), b"t", &utf(class)].concat();
    let class = [
        &b"sr"[..],
        &utf("E"),
        &[0; 8],
        b"\x02\0\x02",
        &field("cause", "LE;"),
        &field("detailMessage", "LS;"),
        b"xp",
    ]
    .concat();
    let cause = [&b"sq\0\x7e\0\0pt"[..], &utf("why")].concat();
    for (own, expected) in
        [([&b"t"[..], &utf("what")].concat(), " wirespan.rpc.error=what"), (b"p".to_vec(), "")]
    {
        let body = [&b"\xac\xed\0\x05w\x01\0"[..], &class, &cause, &own].concat();
        check(
            &[(Side::B, message(7, 20, 1, &body))],
            &[&format!(
                "B Response id 0x1 by A   ServerError 20 E rpc.response.status_code=OK{expected}"
            )],
        );
    }
}

#[test]
fn a_status_says_whose_fault_it_is() {
    for (status, expected) in [
        (31, "ServerError 31 SERVER_TIMEOUT"),
        (40, "ClientError 40 BAD_REQUEST"),
        (60, "ServerError 60 SERVICE_NOT_FOUND"),
        (100, "ServerError 100 SERVER_THREADPOOL_EXHAUSTED_ERROR"),
    ] {
        let expected = format!(
            "B Response id 0x1 by A   {expected} \
             wirespan.rpc.error=why"
        );
        check(&[(Side::B, message(2, status, 1, b"\x08why\nmore"))], &[&expected]);
    }
}

#[test]
fn what_the_connection_itself_says_is_apart() {
    check(
        &[
            (Side::A, message(0xe2, 0, 1, b"N")),
            (Side::B, message(0x22, 20, 1, b"N")),
            (Side::B, message(0xe2, 0, 1, b"N")),
            (Side::A, message(0x22, 20, 1, b"N")),
            (Side::B, message(0xa2, 0, 2, b"\x01R")),
        ],
        &[
            "A Handshake id 0x1 by A heartbeat  Unknown 0  wirespan.dubbo.serialization=hessian2",
            "B Response id 0x1 by A   Ok 20 OK",
            "B Handshake id 0x1 by B heartbeat  Unknown 0  wirespan.dubbo.serialization=hessian2",
            "A Response id 0x1 by B   Ok 20 OK",
            "B End none readonly  Unknown 0  wirespan.dubbo.serialization=hessian2",
        ],
    );
}

#[test]
fn a_call_without_a_way_back_is_one_way() {
    check(
        &[(Side::A, message(0x82, 0, 1, b"\x01v\x01s\x01v\x04note\x00HZ"))],
        &[
            "A OneWay none note s Unknown 0  wirespan.rpc.service.version=v wirespan.dubbo.version=v \
           wirespan.dubbo.serialization=hessian2",
        ],
    );
}

#[test]
fn what_a_general_call_calls_is_the_operation() {
    let body = b"\x01v\x01s\x050.0.0\x07$invoke\x30\x38Ljava/lang/String;[Ljava/lang/String;\
        [Ljava/lang/Object;\x05pricex\x78HZ";
    check(
        &[(Side::A, message(0xc2, 0, 1, body))],
        &["A Request id 0x1 by A price s Unknown 0  wirespan.dubbo.called_by=$invoke \
           wirespan.dubbo.version=v wirespan.dubbo.types=Ljava/lang/String;[Ljava/lang/String;\
           [Ljava/lang/Object; wirespan.dubbo.serialization=hessian2"],
    );
}

#[test]
fn a_serialisation_that_is_not_known_pairs() {
    for (serialization, name) in [(11, "avro"), (1, "dubbo"), (13, "13")] {
        let request = message(0xc0 | serialization, 0, u64::MAX, b"\x01\x02");
        let response = message(serialization, 20, u64::MAX, b"\x01");
        let expected = format!(
            "A Request id 0xffffffffffffffff by A   Unknown 0  wirespan.dubbo.serialization={name}"
        );
        check(
            &[(Side::A, request), (Side::B, response)],
            &[&expected, "B Response id 0xffffffffffffffff by A   Ok 20 OK"],
        );
    }
}

#[test]
fn large_arguments_are_not_kept() {
    let mut body = b"\x01v\x01s\x01v\x01m\x02[B".to_vec();
    for _ in 0..40 {
        body.extend(b"A\xff\xff");
        body.extend([0; 0xffff]);
    }
    body.extend(b"\x20H\x01k\x01vZ");
    let input = message(0xc2, 0, 1, &body);
    let flow = flow(Transport::Tcp, 1, 2);
    let mut dubbo = protocol(&Arc::default());
    let conn = dubbo.open(&flow, Side::A);
    let mut recording = Recording::default();
    let mut longest = 0;
    let (mut start, mut end) = (0, 0);
    while start < input.len() {
        let step =
            dubbo.parse(conn, Side::A, Timestamp(0), &input[start.min(end)..end], &mut recording);
        match step {
            _ if start >= end => end = start + 1,
            Ok(Step::Used(used)) => start += used.get(),
            Ok(Step::Skip { used, skip }) => start += used + skip.get() as usize,
            Ok(Step::Incomplete(more)) => end += more.get(),
            other => panic!("{other:?}"),
        }
        end = end.max(start + 1).min(input.len());
        longest = longest.max(end - start);
    }
    assert!(longest < 100, "{longest}");
}

#[test]
fn bytes_that_are_lost_within_a_body_lose_no_place() {
    let body = [b"\x01v\x01s\x01v\x01m\x02[BB\x10\x00".as_slice(), &[0; 4096], b"HZ"].concat();
    let whole = message(0xc2, 0, 1, &body);
    let next = message(0xc2, 0, 2, b"\x01v\x01s\x01v\x01n\x00HZ");
    let (head, rest) = whole.split_at(100);
    let (_, tail) = rest.split_at(1000);
    let bytes = |bytes: &[u8]| Event::Bytes { from: Side::A, bytes: bytes.to_vec() };
    let gap =
        |lost: usize| Event::Gap { from: Side::A, lost: NonZeroU64::new(lost as u64).unwrap() };
    // Within the body, over its end, and within the names.
    for (events, expected) in [
        (vec![bytes(head), gap(1000), bytes(tail), bytes(&next)], ["m", "n"].as_slice()),
        (vec![bytes(head), gap(whole.len() - 100 + 5), bytes(&next)], &["m", "n"]),
        (vec![bytes(&whole[..22]), gap(2), bytes(&whole[24..]), bytes(&next)], &["", "n"]),
        (vec![bytes(&whole[..10]), gap(90), bytes(&whole[100..]), bytes(&next)], &["n"]),
        // Both in one packet.
        (vec![bytes(&whole[..10]), gap(90), bytes(&[&whole[100..], &next].concat())], &["n"]),
    ] {
        let recording = run(&Settings::default(), &events, Split::Whole);
        assert_eq!(recording.broken, Vec::<String>::new());
        let names: Vec<&str> = recording.messages.iter().map(|m| &*m.operation).collect();
        assert_eq!(names, expected, "{events:?}");
        assert!(recording.messages.iter().all(|message| message.end.is_some()));
    }
}

#[test]
fn a_body_that_is_not_what_it_says_costs_no_place() {
    let broken = message(0xc2, 0, 1, b"\x01v\x01s\x01v\x01m\x01I\x45\x45\x45");
    let next = message(0xc2, 0, 2, b"\x01v\x01s\x01v\x01n\x00HZ");
    let recording = run(
        &Settings::default(),
        &[Event::Bytes { from: Side::A, bytes: [broken, next].concat() }],
        Split::Whole,
    );
    let names: Vec<&str> = recording.messages.iter().map(|m| &*m.operation).collect();
    assert_eq!((names, recording.lost), (vec!["m", "n"], vec!["dubbo bodies not understood"]));
}

#[test]
fn identifiers_of_every_kind_are_found_in_both_directions() {
    let pairs: &[(&str, &str)] = &[
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("X-B3-TraceId", "64fe8b2a57d3eff7"),
        ("X-B3-SpanId", "e457b5a2e4d86bd1"),
        ("uber-trace-id", "64fe8b2a57d3eff7:e457b5a2e4d86bd1:0:1"),
        ("x-datadog-trace-id", "7277407061855694839"),
        ("x-datadog-parent-id", "1"),
        ("sw8", "1-YQ==-Yg==-3-c2hvcA==-aQ==-L2E=-eA=="),
        ("_DUBBO_TRASACTION_ID", "agent^1700000000000^7"),
        ("_DUBBO_SPAN_ID", "-42"),
        ("_catRootMessageId", "shop-0a000001-472222-1"),
        ("_catParentMessageId", "shop-0a000001-472222-2"),
        ("_catChildMessageId", "shop-0a000001-472222-3"),
        ("rpc_trace_context.sofaTraceId", "0a00000116942345123451234"),
        ("rpc_trace_context.sofaRpcId", "0.1"),
        ("EagleEye-TraceID", "0a00000116942345123451234"),
    ];
    let mut map = b"H".to_vec();
    for (name, value) in pairs {
        for text in [name, value] {
            map.extend([0x30, text.len() as u8]);
            map.extend(text.as_bytes());
        }
    }
    map.push(b'Z');
    let request = [b"\x01v\x01s\x050.0.0\x01m\x00".as_slice(), &map].concat();
    let ids = "Traceparent B3 Jaeger Datadog Sw8 Pinpoint Cat Sofa EagleEye";
    check(
        &[
            (Side::A, message(0xc2, 0, 1, &request)),
            (Side::B, message(2, 20, 1, &[b"\x95".as_slice(), &map].concat())),
        ],
        &[
            &format!(
                "A Request id 0x1 by A m s Unknown 0  wirespan.dubbo.version=v \
                 wirespan.dubbo.serialization=hessian2 {ids}"
            ),
            &format!("B Response id 0x1 by A   Ok 20 OK {ids}"),
        ],
    );
}

#[test]
fn secrets_are_masked_and_located() {
    let body = b"\x01v\x01s\x01v\x01m\x00H\x05token\x06abcdef\x01k\x01vZ";
    let bytes = message(0xc2, 0, 1, body);
    let events = [Event::Bytes { from: Side::A, bytes: bytes.clone() }];
    let recording =
        run(&Settings { locate_secrets: true, ..Settings::default() }, &events, Split::Whole);
    let secrets = &recording.messages[0].secrets;
    let found: Vec<&[u8]> =
        secrets.iter().map(|range| &bytes[range.start as usize..range.end as usize]).collect();
    assert_eq!(found, [b"abcdef"]);
    assert_eq!(attachments(0xc2, body), "token=*** k=v");
    // What has escapes is not looked for: all is overwritten.
    let lines = b"\"v\"\n\"s\"\n\"v\"\n\"m\"\n\"\"\n";
    let body = [lines.as_slice(), b"{\"k\":\"v\",\"token\":\"a\\u003d\"}\n"].concat();
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let bytes = message(0xc6, 0, 1, &body);
    let end = bytes.len() as u64;
    let recording = run(&settings, &[Event::Bytes { from: Side::A, bytes }], Split::Bytes);
    let start = (HEADER + lines.len()) as u64;
    let secrets = &recording.messages[0].secrets;
    assert_eq!((secrets.len(), secrets.first()), (1, Some(&(start..end))));
}

/// What is told as secret of the first message.
fn located(settings: &Settings, events: &[Event], split: Split) -> Vec<String> {
    let recording = run(settings, events, split);
    assert_eq!(recording.broken, Vec::<String>::new());
    let bytes: Vec<u8> = events
        .iter()
        .flat_map(|event| match event {
            Event::Bytes { bytes, .. } => bytes.clone(),
            Event::Gap { lost, .. } => vec![b'?'; lost.get() as usize],
            _ => Vec::new(),
        })
        .collect();
    let secrets = &recording.messages[0].secrets;
    let text = |range: &std::ops::Range<u64>| {
        let end = (range.end as usize).min(bytes.len());
        bytes[range.start as usize..end].escape_ascii().to_string()
    };
    secrets.iter().map(text).collect()
}

#[test]
fn attachments_that_are_no_texts_are_told_as_secret() {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let check = |flags: u8, names: &[u8], body: &[u8], expected: &[&str]| {
        let bytes = message(flags, 0, 1, &[names, body].concat());
        let events = [Event::Bytes { from: Side::A, bytes }];
        for split in [Split::Whole, Split::Bytes] {
            assert_eq!(located(&settings, &events, split), expected, "{flags:x}");
        }
    };
    let hessian = b"\x01v\x01s\x01v\x01m\x00";
    let body = b"H\x01mH\x08password\x02pwZ\x01l\x79\x02ab\x01b\x23xyz\x90\x01c\x01k\x01vZ";
    check(0xc2, hessian, body, &["password", "pw", "ab", "xyz", "c"]);
    check(0xc2, hessian, b"H\x05token\x91Z", &["H\\x05token\\x91Z"]);
    let lines = b"\"v\"\n\"s\"\n\"v\"\n\"m\"\n\"\"\n";
    let body = b"{\"m\":{\"a\":\"pw\"},\"l\":[\"ab\"],\"t\":true,\"k\":\"v\"}\n";
    check(0xc6, lines, body, &["{\\\"a\\\":\\\"pw\\\"}", "[\\\"ab\\\"]"]);
    let text = |text: &str| [&[0x49 + text.len() as u8], text.as_bytes()].concat();
    let sized = |item: &[u8]| [&(item.len() as u32).to_be_bytes()[..], item].concat();
    let names: Vec<u8> =
        ["v", "s", "v", "m", ""].iter().flat_map(|name| sized(&text(name))).collect();
    let map = [
        &b"\xa6"[..],
        &text("m"),
        b"\xa6",
        &text("a"),
        &text("pw"),
        b"\xa5",
        &text("l"),
        b"\x95",
        &text("ab"),
        &text("b"),
        b"\x91\x02xy",
        &text("k"),
        &text("v"),
        b"\xa5",
    ];
    check(0xd7, &names, &sized(&map.concat()), &["a", "pw", "ab", "xy"]);
}

#[test]
fn numbers_of_one_byte_are_told_as_secret() {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let check = |flags: u8, status: u8, body: &[u8], expected: &str| {
        let bytes = message(flags, status, 1, body);
        let events = [Event::Bytes { from: Side::A, bytes }];
        for split in [Split::Whole, Split::Bytes] {
            assert_eq!(located(&settings, &events, split).concat(), expected, "{flags:x}");
        }
    };
    let names = &b"\xa1v\xa1s\xa1v\xa1m\xa4IZ[I"[..];
    let pairs = &b"\x82\xa1k\xa1v\xa1l\xc2"[..];
    let body = [names, b"\x05\xc3\x93\x07\xff\xc0", pairs].concat();
    check(0xdb, 0, &body, "\\x05\\xc3\\x07\\xffl\\xc2");
    check(0x1b, 20, b"\x01\x2a", "*");
    // What is overwritten is of the same length.
    let body = [names, b"11\x9311\xc0", pairs].concat();
    assert_eq!(attachments(0xdb, &body), "k=v");
    // Those of hessian2 only where nothing follows that could not be read any more.
    check(2, 20, b"\x91\x95", "\\x95");
    check(2, 20, b"\x91\x58\x92T\xc9\x01", "X\\x92T\\xc9\\x01");
    check(2, 20, b"\x94\x58\x92\x95\xc9\x01HZ", "\\x01");
}

#[test]
fn numbers_that_are_too_large_are_not_told() {
    let body = |number: &[u8]| {
        [&b"\xa1v\xa1s\xa1v\xa1m\xa0\x82\xa1k\xcf"[..], number, b"\xa1i\x05"].concat()
    };
    assert_eq!(attachments(0xdb, &body(&[0xff; 8])), "i=5");
    assert_eq!(attachments(0xdb, &body(&i64::MAX.to_be_bytes())), format!("k={} i=5", i64::MAX));
}

#[test]
fn attachments_are_told_up_to_their_limit() {
    let sized = |bytes: &[u8]| [&[bytes.len() as u8], bytes].concat();
    let jsonb = |item: &[u8]| [&(item.len() as u32).to_be_bytes()[..], item].concat();
    let varint = |length: usize| vec![length as u8 | 0x80, (length >> 7) as u8];
    let class = &b"org.apache.dubbo.common.serialize.protostuff.Wrapper"[..];
    for (pairs, expected) in
        [(PAIRS_LIMIT, None), (PAIRS_LIMIT + 1, Some("dubbo bodies not understood"))]
    {
        let many = |pair: &[u8]| pair.repeat(pairs);
        let map = many(b"\x0a\x06\x0a\x01k\x12\x01v");
        let protobuf = [&sized(b"\x08\x05")[..], &varint(map.len()), &map].concat();
        let map = [
            &b"\x0b\xd2\x01\x01M"[..],
            &many(b"\x0b\x0b\x4a\x01k\x0c\x13\x4a\x01v\x14\x0c"),
            b"\x0c",
        ];
        let map = map.concat();
        let lengths = [class.len(), map.len()].map(|length| (length as u32).to_be_bytes());
        let protostuff = [&[5], &lengths.concat()[..], class, &map].concat();
        let map = [&b"\xa6"[..], &many(b"\x4ak\x4av"), b"\xa5"].concat();
        let fastjson2 = [&jsonb(b"\x05")[..], &jsonb(&map)].concat();
        let texts = many(b"\"k\":\"v\",");
        let lines = [b"5\n{", &texts[..texts.len() - 1], b"}\n"].concat();
        let hessian2 = [&b"\x95H"[..], &many(b"\x01k\x01v"), b"Z"].concat();
        let count = (pairs as u16).to_be_bytes();
        let msgpack = [&b"\x05\xde"[..], &count, &many(b"\xa1k\xa1v")].concat();
        for (flags, body) in [
            (0x16, protobuf),
            (0x0c, protostuff),
            (0x17, fastjson2),
            (0x06, lines),
            (0x02, hessian2),
            (0x1b, msgpack),
        ] {
            let events = [Event::Bytes { from: Side::A, bytes: message(flags, 20, 1, &body) }];
            let recording = run(&Settings::default(), &events, Split::Whole);
            assert_eq!(recording.lost.first().copied(), expected, "{flags:x} {pairs}");
        }
    }
}

#[test]
fn attachments_that_are_awaited_are_told_as_secret_where_the_rest_is_lost() {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let whole = message(0xc2, 0, 1, b"\x01v\x01s\x01v\x01m\x00H\x05token\x06abcdefZ");
    let bytes = |bytes: &[u8]| Event::Bytes { from: Side::A, bytes: bytes.to_vec() };
    let half = whole.len() - 4;
    let gap = Event::Gap { from: Side::A, lost: NonZeroU64::new(2).unwrap() };
    for split in [Split::Whole, Split::Bytes] {
        let found =
            located(&settings, &[bytes(&whole[..half]), Event::End { from: Side::A }], split)
                .concat();
        assert!(found.contains("token\\x06abc"), "{found}");
        let events = [bytes(&whole[..half]), gap.clone(), bytes(&whole[half + 2..])];
        let found = located(&settings, &events, split).concat();
        assert!(found.contains("token\\x06abc") && found.ends_with("fZ"), "{found}");
    }
    // Of one whose names are lost, too.
    let events = [bytes(&whole[..HEADER + 3]), gap, bytes(&whole[HEADER + 5..])];
    let found = located(&settings, &events, Split::Whole).concat();
    assert!(found.contains("abcdef"), "{found}");
}

#[test]
fn a_last_value_that_is_skipped_is_understood() {
    let body = [&b"\x91B\x10\x00"[..], &[7; 4096]].concat();
    let whole = message(2, 20, 1, &body);
    let (start, rest) = whole.split_at(100);
    let bytes = |bytes: &[u8]| Event::Bytes { from: Side::B, bytes: bytes.to_vec() };
    let recording = run(&Settings::default(), &[bytes(start), bytes(rest)], Split::Whole);
    assert_eq!(recording.lost, Vec::<&str>::new());
    // One that goes on is not.
    let whole = message(2, 20, 1, &[&b"\x91A\x10\x00"[..], &[7; 4096]].concat());
    let (start, rest) = whole.split_at(100);
    let recording = run(&Settings::default(), &[bytes(start), bytes(rest)], Split::Whole);
    assert_eq!(recording.lost, ["dubbo bodies not understood"]);
}

#[test]
fn passwords_in_addresses_of_errors_are_masked() {
    let words = format!("token=abc at http://u:{}@db/x", "p".repeat(300));
    let body = [&b"S"[..], &(words.len() as u16).to_be_bytes(), words.as_bytes()].concat();
    check(
        &[(Side::B, message(2, 60, 1, &body))],
        &["B Response id 0x1 by A   ServerError 60 SERVICE_NOT_FOUND \
           wirespan.rpc.error=token=*** at http://***"],
    );
}

#[test]
fn time_that_is_left_is_told_once() {
    let body = b"\x01v\x01s\x050.0.0\x01m\x00H\x07timeout\x042000\x03_TO\x041500Z";
    check(
        &[(Side::A, message(0xc2, 0, 1, body))],
        &["A Request id 0x1 by A m s Unknown 0  wirespan.dubbo.version=v \
           wirespan.dubbo.serialization=hessian2 wirespan.rpc.timeout_ms=1500"],
    );
}

#[test]
fn only_a_null_or_an_h_is_a_heartbeat() {
    for (flags, body, expected) in [
        (0xe2, &b"N"[..], "heartbeat"),
        (0xe2, b"\x01H", "heartbeat"),
        (0xe2, b"\x01x", "event"),
        (0xe2, b"", "event"),
        (0xe2, b"\x90", "event"),
        (0xe3, b"\xac\xed\0\x05w\x01\0", "heartbeat"),
        (0xe6, b"null\n", "heartbeat"),
        (0xe7, b"\xac\xed\0\x05p", "heartbeat"),
        (0xe8, b"\0", "heartbeat"),
        (0xf7, b"\0\0\0\x01\xaf", "heartbeat"),
        (0xec, b"\0", "event"),
    ] {
        let events = [Event::Bytes { from: Side::A, bytes: message(flags, 0, 1, body) }];
        let recording = run(&Settings::default(), &events, Split::Bytes);
        assert_eq!(recording.messages[0].operation, expected, "{}", body.escape_ascii());
    }
}

#[test]
fn names_are_looked_for_in_the_start_of_a_body_only() {
    let mut body = b"\x01v\x01s\x01v\x01m".to_vec();
    body.extend(b"S\x20\x00");
    body.extend([b'I'; 0x2000]);
    body.extend([0x90; 0x2000]);
    assert!(body.len() > HEAD_LIMIT);
    check(
        &[(Side::A, message(0xc2, 0, 1, &body))],
        &["A Request id 0x1 by A m s Unknown 0  wirespan.rpc.service.version=v \
           wirespan.dubbo.version=v wirespan.dubbo.serialization=hessian2"],
    );
}

#[test]
fn the_probe_is_certain_of_a_header_and_of_nothing_else() {
    let mut dubbo = Dubbo { settings: Arc::default() };
    let flow = flow(Transport::Tcp, 40_000, 50_000);
    let mut probe = |head: &[u8]| dubbo.probe(&flow, Side::A, head);
    let request = message(0xc2, 0, 1, b"");
    assert_eq!(probe(&request), Probe::Certain { client: Side::A });
    assert_eq!(probe(&message(2, 20, 1, b"")), Probe::Certain { client: Side::B });
    assert_eq!(probe(&request[..15]), Probe::Unsure { client: Side::A });
    assert_eq!(probe(b"\xda\xbc"), Probe::No);
    assert_eq!(probe(&message(2, 21, 1, b"")), Probe::No);
    assert_eq!(probe(&message(0xc2, 1, 1, b"")), Probe::No);
    assert_eq!(probe(&message(0xc0, 0, 1, b"")), Probe::No);
}

/// A message with this body.
fn message(flags: u8, status: u8, id: u64, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xda, 0xbb, flags, status];
    message.extend(id.to_be_bytes());
    message.extend((body.len() as u32).to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// The attachments of a message of the client's with this body.
fn attachments(flags: u8, body: &[u8]) -> String {
    let status = if flags & 0x80 == 0 { 20 } else { 0 };
    let bytes = message(flags, status, 1, body);
    let mut recording = Recording::with_details();
    let flow = flow(Transport::Tcp, 1, 2);
    let mut dubbo = protocol(&Arc::default());
    let conn = dubbo.open(&flow, Side::A);
    recording.messages.clear();
    let mut sink = Details::default();
    let step = dubbo.parse(conn, Side::A, Timestamp(0), &bytes, &mut sink);
    assert!(matches!(step, Ok(Step::Used(used)) if used.get() == bytes.len()), "{step:?}");
    sink.found.join(" ")
}

/// Keeps attachments.
#[derive(Default)]
struct Details {
    found: Vec<String>,
}

impl Out for Details {
    fn open(&mut self, _message: crate::message::Message<'_>) -> crate::protocol::Key {
        crate::protocol::Key(0)
    }

    fn wants(&self, _key: crate::protocol::Key) -> usize {
        0
    }

    fn wants_details(&self) -> bool {
        true
    }

    fn add(&mut self, _key: crate::protocol::Key, attribute: crate::message::Attribute<'_>) {
        let name = attribute.name.strip_prefix("rpc.request.metadata.");
        let name = name.or_else(|| attribute.name.strip_prefix("rpc.response.metadata."));
        let Some(name) = name else { return };
        self.found.push(match attribute.value {
            crate::message::Value::Text(text) => {
                format!("{name}={}", String::from_utf8_lossy(text))
            }
            crate::message::Value::Int(number) => format!("{name}={number}"),
        });
    }

    fn context(
        &mut self,
        _key: crate::protocol::Key,
        _context: &crate::trace_context::TraceContext<'_>,
    ) {
    }

    fn status(&mut self, _key: crate::protocol::Key, _status: crate::message::Status<'_>) {}

    fn body(&mut self, _key: crate::protocol::Key, _bytes: &[u8]) {}

    fn extend(&mut self, _key: crate::protocol::Key, _end: usize) {}

    fn close(&mut self, _key: crate::protocol::Key, _end: usize) {}

    fn inner(&mut self, _lane: u64, _from: Side, _event: crate::protocol::Inner<'_>) {}

    fn lost(&mut self, what: &'static str) {
        self.found.push(what.to_owned());
    }
}

fn run(settings: &Settings, events: &[Event], split: Split) -> Recording {
    let settings = Settings {
        secrets: Secrets::default(),
        locate_secrets: settings.locate_secrets,
        ids: settings.ids.clone(),
        ..Settings::default()
    };
    let flow = flow(Transport::Tcp, 1, 2);
    drive(protocol(&Arc::new(settings)).as_mut(), &flow, Side::A, events, split)
}

fn check(pieces: &[(Side, Vec<u8>)], expected: &[&str]) {
    let events: Vec<Event> = pieces
        .iter()
        .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.clone() })
        .collect();
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let recording = run(&Settings::default(), &events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        let shown: Vec<String> = recording.messages.iter().map(shown).collect();
        assert_eq!(shown, expected, "{split:?}");
    }
}

fn shown(message: &Recorded) -> String {
    let Recorded { from, kind, pairing, operation, resource, outcome, code, text, .. } = message;
    let mut line =
        format!("{from:?} {kind:?} {pairing} {operation} {resource} {outcome:?} {code} {text}");
    for (name, value) in &message.attributes {
        let _ = write!(line, " {name}={value}");
    }
    for context in &message.contexts {
        let format = context.split("format: ").nth(1).and_then(|rest| rest.split(',').next());
        let _ = write!(line, " {}", format.unwrap_or_default());
    }
    assert!(message.end.is_some(), "{line}");
    line
}

#[test]
fn real_programs_are_understood() {
    for (name, text, with_ids, lost) in [
        ("hessian2", include_str!("../../../../testdata/vectors/dubbo/hessian2.txt"), 4, 0),
        ("fastjson2", include_str!("../../../../testdata/vectors/dubbo/fastjson2.txt"), 3, 0),
        ("callback", include_str!("../../../../testdata/vectors/dubbo/callback.txt"), 4, 0),
        // An object of a class of the application's, asked for and answered.
        ("kryo", include_str!("../../../../testdata/vectors/dubbo/kryo.txt"), 2, 2),
        // An object, the exception, and what is called through `$invoke`.
        ("fst", include_str!("../../../../testdata/vectors/dubbo/fst.txt"), 3, 4),
        ("protobuf", include_str!("../../../../testdata/vectors/dubbo/protobuf.txt"), 4, 0),
        ("protostuff", include_str!("../../../../testdata/vectors/dubbo/protostuff.txt"), 5, 0),
        ("msgpack", include_str!("../../../../testdata/vectors/dubbo/msgpack.txt"), 6, 0),
        ("gson", include_str!("../../../../testdata/vectors/dubbo/gson.txt"), 2, 0),
        ("fastjson", include_str!("../../../../testdata/vectors/dubbo/fastjson.txt"), 1, 0),
        ("java", include_str!("../../../../testdata/vectors/dubbo/java.txt"), 1, 0),
        ("nativejava", include_str!("../../../../testdata/vectors/dubbo/nativejava.txt"), 2, 0),
        (
            "compactedjava",
            include_str!("../../../../testdata/vectors/dubbo/compactedjava.txt"),
            1,
            0,
        ),
    ] {
        let vector = crate::fuzzing::Vector::parse(text).unwrap();
        let recording = run(&Settings::default(), &vector.events, Split::Whole);
        let calls = |recording: &Recording| {
            recording.messages.iter().filter(|m| m.contexts.len() == 2).count()
        };
        assert_eq!((calls(&recording), recording.lost.len()), (with_ids, lost), "{name}");
        // What is overwritten does not hide who carries which identifiers, but with Kryo and FST.
        let overwritten = overwritten(&vector.events);
        let again = run(&Settings::default(), &overwritten, Split::Whole);
        if !matches!(name, "kryo" | "fst") {
            assert_eq!((calls(&again), again.lost.len()), (with_ids, lost), "{name}, overwritten");
        }
        for text in [&b"order-0"[..], b"a note", b"sold out", b"12.50"] {
            for event in &overwritten {
                let Event::Bytes { bytes, .. } = event else { continue };
                let found = memchr::memmem::find(bytes, text);
                assert_eq!(found, None, "{name}: {}", bytes.escape_ascii());
            }
        }
        for message in recording.messages.iter().filter(|m| m.outcome == Outcome::ServerError) {
            let words = message.attributes.iter().find(|(name, _)| name == "wirespan.rpc.error");
            assert_eq!(message.text, "lab.Shop$Sold", "{name}");
            // Where the words stand is known only by the class.
            let expected = (name != "fst").then_some("sold out: number 0");
            assert_eq!(words.map(|(_, words)| &**words), expected, "{name}");
        }
    }
}

/// The same, with `1` where it is told that something is secret.
fn overwritten(events: &[Event]) -> Vec<Event> {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let recording = run(&settings, events, Split::Whole);
    let mut starts = [0, 0];
    let mut events = events.to_vec();
    for event in &mut events {
        let Event::Bytes { from, bytes } = event else { continue };
        let start = &mut starts[from.index()];
        let messages = recording.messages.iter().filter(|message| message.from == *from);
        for place in messages.flat_map(|message| message.secrets.iter().cloned()).flatten() {
            let at = place.checked_sub(*start).and_then(|at| bytes.get_mut(at as usize));
            if let Some(byte) = at {
                *byte = b'1';
            }
        }
        *start += bytes.len() as u64;
    }
    events
}
