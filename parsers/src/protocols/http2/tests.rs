//! What comes of conversations: of real ones in the vectors, and of frames made here.

mod calls;

use super::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::protocol;
use crate::fuzzing::{
    Event, Recorded, Recording, Split, Vector, drive, flow, record as record_from,
};
use crate::handed::Handed;
use crate::message::{Kind, Side};
use crate::protocol::{FlowInfo, Probe, Protocol, Timestamp, Transport};
use crate::settings::Settings;
use crate::trace_context::own::OwnIds;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;

fn vector(name: &str) -> Vec<Event> {
    let path = format!("{}/../testdata/vectors/http2/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    Vector::parse(&fs::read_to_string(path).unwrap()).unwrap().events
}

fn record(events: &[Event]) -> Recording {
    record_with(events, Settings::default())
}

fn record_with(events: &[Event], settings: Settings) -> Recording {
    let flow = flow(Transport::Tcp, 40_000, 80);
    let mut protocol = protocol(&Arc::new(settings));
    let recording = drive(protocol.as_mut(), &flow, Side::A, events, Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    recording
}

/// One line: who, what, on which stream, with what, and how it ended.
fn line(message: &Recorded) -> String {
    let Recorded { from, kind, pairing, operation, resource, outcome, code, text, .. } = message;
    let mut line = format!("{from:?} {kind:?} {pairing}");
    if matches!(kind, Kind::Request | Kind::Promise) {
        line += &format!(" {operation} {resource}");
    } else {
        line += &format!(" {outcome:?} {code} {text}");
    }
    for (name, value) in &message.attributes {
        line += &format!(" {name}={value}");
    }
    for context in &message.contexts {
        let format = context.split("format: ").nth(1).and_then(|rest| rest.split(',').next());
        line += &format!(" [{}]", format.unwrap_or_default());
    }
    if let Some(why) = &message.unanswered {
        line += &format!(", {why}");
    }
    if message.end.is_none() {
        line += " open";
    }
    line
}

fn check(events: &[Event], expected: &[&str]) {
    let lines: Vec<String> = record(events).messages.iter().map(line).collect();
    assert_eq!(lines, expected, "{lines:#?}");
}

/// What one side sends, in one piece.
fn sends(from: Side, frames: &[Vec<u8>]) -> Event {
    Event::Bytes { from, bytes: frames.concat() }
}

fn loses(from: Side, lost: u64) -> Event {
    Event::Gap { from, lost: lost.try_into().unwrap() }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn preface() -> Vec<u8> {
    [PREFACE.to_vec(), settings(&[])].concat()
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let pair = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &settings.iter().flat_map(pair).collect::<Vec<u8>>())
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// `GET` of this path, without end or with it.
fn get(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &get_block(path))
}

fn get_block(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block
}

/// `:status: 200`.
fn ok(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &[0x88])
}

fn data(stream: u32, flags: u8, length: usize) -> Vec<u8> {
    frame(DATA, flags, stream, &vec![b'x'; length])
}

fn rst_stream(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// The client's side, with the beginning of a connection, and the server's.
fn conversation(events: &[Event]) -> Vec<Event> {
    let mut all = vec![sends(Side::A, &[preface()]), sends(Side::B, &[settings(&[])])];
    all.extend(events.iter().cloned());
    all
}

const A: Side = Side::A;
const B: Side = Side::B;

#[test]
fn vectors_give_their_messages() {
    let local = "server.address=127.0.0.1:7002";
    check(
        &vector("post"),
        &[
            &format!(
                "A Request id 0x1 by A POST /orders url.query=token=***&n=1 {local} \
                 http.request.header.content-type=application/json http.request.body.size=7 \
                 [Traceparent] [RequestId]"
            ),
            "B Response id 0x1 by A Ok 200  http.response.header.content-type=application/json \
             http.response.body.size=7",
            &format!("A Request id 0x3 by A GET /a {local} [RequestId]"),
            &format!("A Request id 0x5 by A GET /b {local} [RequestId]"),
            "B Response id 0x3 by A Ok 200  http.response.header.content-type=application/json \
             http.response.body.size=7",
            "B Response id 0x5 by A Ok 200  http.response.header.content-type=application/json \
             http.response.body.size=7",
            &format!("A Request id 0x7 by A GET /missing {local}"),
            "B Response id 0x7 by A ClientError 404  http.response.body.size=4",
        ],
    );
    check(
        &vector("interim_trailers"),
        &[
            &format!("A Request id 0x1 by A GET /hints {local}"),
            "B Interim id 0x1 by A Ok 103 ",
            "B Response id 0x1 by A Ok 200  http.response.header.content-type=text/plain \
             http.response.body.size=6",
            &format!("A Request id 0x3 by A GET /trailers {local}"),
            "B Response id 0x3 by A Ok 200  http.response.header.content-type=text/plain \
             http.response.body.size=4",
            &format!("A Request id 0x5 by A GET /error {local}"),
            "B Response id 0x5 by A ServerError 500 ",
        ],
    );
}

#[test]
fn promises_are_requests_that_are_answered() {
    let local = "server.address=127.0.0.1:7002";
    check(
        &vector("push"),
        &[
            &format!("A Request id 0x1 by A GET /push {local}"),
            &format!("B Promise id 0x2 by B GET /style.css {local} wirespan.http2.pushed=1"),
            "B Response id 0x1 by A Ok 200  http.response.header.content-type=text/html \
             http.response.body.size=6",
            "B Response id 0x2 by B Ok 200  http.response.header.content-type=text/css \
             http.response.body.size=3",
        ],
    );
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", END_STREAM)]),
            sends(B, &[frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82\x86\x84")]),
            sends(A, &[rst_stream(2, 8)]),
            sends(B, &[ok(1, END_STREAM)]),
        ]),
        &[
            "A Request id 0x1 by A GET /a",
            "B Promise id 0x2 by B GET / wirespan.http2.pushed=1, taken back: CANCEL",
            "B Response id 0x1 by A Ok 200 ",
        ],
    );
}

#[test]
fn resets_say_why_and_by_whom() {
    let local = "server.address=127.0.0.1:7002";
    check(
        &vector("resets"),
        &[
            &format!("A Request id 0x1 by A GET /refused {local}"),
            "B Response id 0x1 by A ServerError 0 REFUSED_STREAM \
             wirespan.http2.reset=REFUSED_STREAM wirespan.http2.reset_by=server",
            &format!("A Request id 0x3 by A GET /halfway {local}"),
            "B Response id 0x3 by A Ok 200  http.response.body.size=4",
            &format!("A Request id 0x5 by A GET /never {local}, taken back: CANCEL"),
            &format!("A Request id 0x7 by A GET /a {local}"),
            "B Response id 0x7 by A Ok 200  http.response.header.content-type=application/json \
             http.response.body.size=7",
        ],
    );
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", END_STREAM), get(3, "/b", END_STREAM)]),
            sends(B, &[ok(1, 0), data(1, 0, 5), rst_stream(1, 2), ok(3, 0), data(3, 0, 7)]),
            sends(A, &[rst_stream(3, 0x1234)]),
        ]),
        &[
            "A Request id 0x1 by A GET /a",
            "A Request id 0x3 by A GET /b",
            "B Response id 0x1 by A ServerError 200 INTERNAL_ERROR \
             wirespan.http2.reset=INTERNAL_ERROR wirespan.http2.reset_by=server",
            "B Response id 0x3 by A Ok 200  wirespan.http2.reset=0x1234 \
             wirespan.http2.reset_by=client",
        ],
    );
}

#[test]
fn what_a_server_does_not_do_any_more_is_refused() {
    let go_away = frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'c', b'a', b'l', b'm']);
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", END_STREAM), get(3, "/b", 0)]),
            sends(B, &[go_away, ok(1, END_STREAM)]),
        ]),
        &[
            "A Request id 0x1 by A GET /a",
            "A Request id 0x3 by A GET /b",
            "B Response id 0x3 by A ServerError 0 REFUSED_STREAM \
             wirespan.http2.goaway=ENHANCE_YOUR_CALM",
            "B Response id 0x1 by A Ok 200 ",
        ],
    );
}

#[test]
fn tunnels_carry_what_is_in_them() {
    for name in ["connect", "websocket"] {
        let inner = record(&vector(name)).inner;
        let hello = [
            format!("1 A Bytes({:?})", b"hello"),
            format!("1 B Bytes({:?})", b"echo hello"),
            "1 A End".into(),
            "1 B End".into(),
        ];
        assert_eq!(inner, hello, "{name}");
    }
    assert_eq!(record(&vector("websocket")).carried, ["1 websocket /chat "]);
    assert_eq!(record(&vector("connect")).carried, ["1  db:5432 db:5432"]);
    let with_user = b"\x02\x07CONNECT\x01\x0auser:p@h:8";
    let granted = conversation(&[
        sends(A, &[frame(HEADERS, END_HEADERS, 1, with_user)]),
        sends(B, &[ok(1, 0), data(1, 0, 1)]),
    ]);
    assert_eq!(record(&granted).carried, ["1  h:8 h:8"]);
    let refused = conversation(&[
        sends(A, &[frame(HEADERS, END_HEADERS, 1, b"\x02\x07CONNECT\x01\x04db:1")]),
        sends(B, &[frame(HEADERS, END_HEADERS, 1, &[0x8d]), data(1, END_STREAM, 3)]),
    ]);
    assert_eq!(record(&refused).inner, Vec::<String>::new());
    check(
        &refused,
        &[
            "A Request id 0x1 by A CONNECT db:1",
            "B Response id 0x1 by A ClientError 404  http.response.body.size=3",
        ],
    );
}

#[test]
fn answer_to_an_upgrade_is_that_of_http1() {
    check(
        &conversation(&[sends(B, &[ok(1, 0), data(1, END_STREAM, 2)])]),
        &[
            "B Response in order, lane 0 Ok 200  wirespan.http.upgraded=h2c http.response.body.size=2",
        ],
    );
    // A server need not wait until its client speaks HTTP/2.
    check(
        &[
            sends(B, &[settings(&[]), ok(1, END_STREAM)]),
            sends(A, &[preface(), get(3, "/b", END_STREAM)]),
            sends(B, &[ok(3, END_STREAM)]),
        ],
        &[
            "B Response in order, lane 0 Ok 200  wirespan.http.upgraded=h2c",
            "A Request id 0x3 by A GET /b",
            "B Response id 0x3 by A Ok 200 ",
        ],
    );
}

#[test]
fn pieces_of_a_preface_that_is_none_do_not_tell_of_an_upgrade() {
    let mut damaged = PREFACE[..20].to_vec();
    damaged[12] = b'1';
    let events = [sends(A, &[damaged]), sends(B, &[settings(&[]), ok(1, END_STREAM)])];
    for split in [Split::Whole, Split::Bytes, Split::Patient, Split::At(10)] {
        let mut protocol = protocol(&Arc::new(Settings::default()));
        let flow = flow(Transport::Tcp, 40_000, 80);
        let recording = drive(protocol.as_mut(), &flow, A, &events, split);
        let lines: Vec<String> = recording.messages.iter().map(line).collect();
        assert_eq!(lines, ["B Response id 0x1 by A Ok 200 "], "{split:?}");
    }
}

#[test]
fn blocks_may_come_in_many_frames() {
    let block = get_block("/long/path");
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, &block[..2])];
    frames.extend(block[2..].chunks(3).map(|piece| frame(CONTINUATION, 0, 1, piece)));
    frames.push(frame(CONTINUATION, END_HEADERS, 1, &[]));
    check(&conversation(&[sends(A, &frames)]), &["A Request id 0x1 by A GET /long/path"]);
}

#[test]
fn heads_over_the_limit_are_passed_over() {
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, &[0x82])];
    frames.extend((0..30_000).map(|_| frame(CONTINUATION, 0, 1, &[])));
    frames.push(frame(CONTINUATION, END_HEADERS, 1, &[]));
    frames.push(get(3, "/b", END_STREAM));
    let recording = record(&conversation(&[sends(A, &frames)]));
    let lines: Vec<String> = recording.messages.iter().map(line).collect();
    assert_eq!(lines, ["A Request id 0x3 by A GET /b"]);
    assert_eq!(recording.lost, ["http2 header blocks over the limit"]);
}

#[test]
fn bytes_of_other_streams_are_none_of_a_messages_own() {
    let recording = record(&conversation(&[
        sends(A, &[get(1, "/a", 0), get(3, "/b", END_STREAM), data(1, END_STREAM, 10)]),
        sends(B, &[ok(1, 0), ok(3, 0), data(1, 0, 100), data(3, END_STREAM, 7)]),
        sends(B, &[settings(&[]), data(1, END_STREAM, 5)]),
    ]));
    let lengths: Vec<_> = recording
        .messages
        .iter()
        .map(|message| (message.end.unwrap() - message.start, message.own.unwrap()))
        .collect();
    // Heads of 15 and 10 bytes; each frame of DATA has nine before its own.
    assert_eq!(lengths, [(49, 34), (15, 15), (168, 133), (135, 26)]);
}

#[test]
fn bytes_of_frames_that_break_off_are_none_of_a_messages_own() {
    // As bodies are skipped, and as they are looked through.
    let check = |events: &[Event], expected: [u64; 2]| {
        let own = [false, true].map(|locate_secrets| {
            let settings = Settings { locate_secrets, ..Settings::default() };
            record_with(&conversation(events), settings).messages[0].own.unwrap()
        });
        assert_eq!(own, expected, "{events:?}");
    };
    let (all, broken) = (15 + 19 + 109, 15 + 19 + 9);
    let body = [get(1, "/a", 0), data(1, 0, 10), data(1, 0, 100)].concat();
    let [whole, cut] = [&body[..], &body[..body.len() - 70]].map(|bytes| sends(A, &[bytes.into()]));
    let ends = Event::End { from: A };
    check(&[whole, ends.clone()], [all; 2]);
    check(&[cut.clone(), ends.clone()], [broken; 2]);
    // What is lost within a frame is the message's own.
    check(&[cut.clone(), loses(A, 70), ends.clone()], [all; 2]);
    // It ends in what is lost.
    check(&[cut.clone(), loses(A, 700), ends], [all, broken]);
    // The other side resets the stream before that.
    check(&[cut, sends(B, &[rst_stream(1, 8)])], [broken; 2]);
}

#[test]
fn a_capture_may_begin_in_a_body() {
    check(
        &[
            sends(B, &[b"xxxxxxxxxxxxxxxxxxxxx".to_vec()]),
            sends(A, &[get(3, "/a", END_STREAM)]),
            sends(B, &[ok(3, END_STREAM)]),
        ],
        &["A Request id 0x3 by A GET /a", "B Response id 0x3 by A Ok 200 "],
    );
}

#[test]
fn what_was_told_before_the_capture_is_unknown() {
    // `:path` and a name of before, and what is literal.
    let block = [&[0x83, 0x86, 0xbe, 0x7f, 0x00, 0x01, b'v', 0xbf][..], b"\x01\x01h"].concat();
    check(
        &[
            sends(A, &[frame(HEADERS, END_HEADERS | END_STREAM, 7, &block)]),
            sends(B, &[frame(HEADERS, END_HEADERS | END_STREAM, 7, &[0x88, 0xc0])]),
        ],
        &[
            "A Request id 0x7 by A POST  server.address=h wirespan.request.headers.unknown=3",
            "B Response id 0x7 by A Ok 200  wirespan.response.headers.unknown=1",
        ],
    );
}

#[test]
fn lost_ends_of_requests_are_closed_by_their_answers() {
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", 0), data(1, 0, 5)]),
            loses(A, 100),
            sends(B, &[ok(1, END_STREAM)]),
            sends(A, &[get(3, "/b", END_STREAM), window_update(0, 5)]),
            sends(B, &[ok(3, END_STREAM)]),
        ]),
        &[
            "A Request id 0x1 by A GET /a",
            "B Response id 0x1 by A Ok 200 ",
            "A Request id 0x3 by A GET /b",
            "B Response id 0x3 by A Ok 200 ",
        ],
    );
}

#[test]
fn content_of_coded_bodies_is_given_to_who_asks() {
    let content = b"{\"txn\": {\"id\": \"4711\"}}";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    let coded = encoder.finish().unwrap();
    let head = |coding: &[u8], flags| {
        let fields: [&[u8]; 4] = [b"\x88\x0f\x0b", coding, b"\x0f\x10\x10", b"application/json"];
        frame(HEADERS, END_HEADERS | flags, 1, &fields.concat())
    };
    let (begin, end) = coded.split_at(coded.len() / 2);
    let padded = [&[2], end, &[0, 0]].concat();
    let whole = [frame(DATA, 0, 1, begin), frame(DATA, PADDED | END_STREAM, 1, &padded)];
    let mut own = OwnIds::default();
    own.add_field("txn=json:$.txn.id").unwrap();
    let check = |answer: &[Vec<u8>], body: &[u8], flaw: Option<&str>, ids: usize| {
        let events =
            conversation(&[sends(Side::A, &[get(1, "/", END_STREAM)]), sends(Side::B, answer)]);
        for split in [Split::Whole, Split::Bytes, Split::Patient] {
            let settings = Settings { ids: own.clone(), ..Settings::default() };
            let mut protocol = protocol(&Arc::new(settings));
            let flow = flow(Transport::Tcp, 40_000, 80);
            let empty = Recording::wanting(1000);
            let recording = record_from(empty, protocol.as_mut(), &flow, Side::A, &events, split);
            let answer = recording.messages.last().unwrap();
            assert_eq!(answer.body.escape_ascii().to_string(), body.escape_ascii().to_string());
            let told = answer.attributes.iter().find(|(name, _)| name == "wirespan.body.inflate");
            assert_eq!(told.map(|(_, flaw)| &**flaw), flaw, "{split:?}");
            assert_eq!(answer.contexts.len(), ids);
        }
    };
    let answer = |coding: &[u8], data: &[Vec<u8>]| [&[head(coding, 0)], data].concat();
    check(&answer(b"\x04gzip", &whole), content, None, 1);
    check(&answer(b"\x04gzip", &[frame(DATA, END_STREAM, 1, content)]), b"", Some("failed"), 0);
    check(&answer(b"\x03xyz", &whole), &coded, Some("unknown coding"), 0);
    // As the answer to HEAD.
    check(&[head(b"\x04gzip", END_STREAM)], b"", None, 0);
}

#[test]
fn gaps_within_a_body_lose_nothing_else() {
    // The second path is that of the first, out of the table.
    let first = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x44\x02/a\x0f\x10\x10application/json");
    let second = frame(HEADERS, END_HEADERS | END_STREAM, 3, b"\x82\x86\xbe");
    let body = data(1, END_STREAM, 100);
    let events = conversation(&[
        sends(A, &[first, body[..19].to_vec()]),
        loses(A, 40),
        sends(A, &[body[59..].to_vec(), second]),
    ]);
    let expected = [
        "A Request id 0x1 by A POST /a http.request.header.content-type=application/json \
         http.request.body.size=100",
        "A Request id 0x3 by A GET /a",
    ];
    check(&events, &expected);
    // The same where bodies are looked through, so that no frame is skipped.
    let recording = record_with(&events, Settings { locate_secrets: true, ..Settings::default() });
    assert_eq!(recording.messages.iter().map(line).collect::<Vec<_>>(), expected);
}

#[test]
fn frames_are_found_within_what_follows_a_loss() {
    let rest = [b"the rest of a frame".to_vec(), data(1, 0, 5), ok(3, END_STREAM)];
    check(
        &conversation(&[
            sends(Side::A, &[get(1, "/1", END_STREAM), get(3, "/3", END_STREAM)]),
            sends(Side::B, &[ok(1, 0), data(1, 0, 100)]),
            loses(Side::B, 400),
            sends(Side::B, &rest),
            sends(Side::B, &[data(1, END_STREAM, 5)]),
        ]),
        &[
            "A Request id 0x1 by A GET /1",
            "A Request id 0x3 by A GET /3",
            "B Response id 0x1 by A Ok 200 ",
            "B Response id 0x3 by A Ok 200 ",
        ],
    );
}

#[test]
fn gaps_beyond_a_body_lose_what_was_told_before() {
    let first = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x86\x44\x02/a");
    let again = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\x82\x86\xbe");
    let other = frame(HEADERS, END_HEADERS | END_STREAM, 5, b"\x82\x86\x44\x02/b");
    check(
        &conversation(&[sends(A, &[first]), loses(A, 9), sends(A, &[again(3), other, again(7)])]),
        &[
            "A Request id 0x1 by A GET /a",
            "A Request id 0x3 by A GET  wirespan.request.headers.unknown=1",
            "A Request id 0x5 by A GET /b",
            "A Request id 0x7 by A GET /b",
        ],
    );
}

#[test]
fn answers_whose_heads_are_lost_are_lost() {
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", END_STREAM), get(3, "/b", END_STREAM)]),
            loses(B, 100),
            sends(B, &[data(1, 0, 40), data(1, END_STREAM, 4)]),
            sends(B, &[frame(HEADERS, END_HEADERS | END_STREAM, 3, b"\x00\x01x\x01y")]),
        ]),
        &["A Request id 0x1 by A GET /a, lost", "A Request id 0x3 by A GET /b, lost"],
    );
}

#[test]
fn late_answers_of_what_was_reset_are_ignored() {
    // The head of one that nobody waits for inserts a field that a later one has.
    let late = frame(HEADERS, END_HEADERS, 1, b"\x88\x5f\x03a/b");
    let later = frame(HEADERS, END_HEADERS | END_STREAM, 3, b"\x88\xbe");
    check(
        &conversation(&[
            sends(A, &[get(1, "/a", END_STREAM), rst_stream(1, 8), get(3, "/b", END_STREAM)]),
            sends(B, &[late, data(1, END_STREAM, 5), later]),
        ]),
        &[
            "A Request id 0x1 by A GET /a, taken back: CANCEL",
            "A Request id 0x3 by A GET /b",
            "B Response id 0x3 by A Ok 200  http.response.header.content-type=a/b",
        ],
    );
}

#[test]
fn streams_that_nothing_is_told_of_go_first() {
    let answers: Vec<Vec<u8>> = (0..5000).map(|place| ok(place * 2 + 1, END_STREAM)).collect();
    assert_eq!(record(&[sends(B, &answers)]).lost, [""; 0]);
    // No answer is seen, and one request goes on.
    let asks = (1..5000).map(|place| get(place * 2 + 1, "/", END_STREAM));
    let asks: Vec<Vec<u8>> = [get(1, "/watch", 0)].into_iter().chain(asks).collect();
    let recording = record(&conversation(&[sends(A, &asks), sends(A, &[data(1, END_STREAM, 3)])]));
    let line = line(&recording.messages[0]);
    assert_eq!(line, "A Request id 0x1 by A GET /watch http.request.body.size=3");
}

#[test]
fn tunnels_that_are_reset_before_they_are_granted_are_not_open() {
    let connect = frame(HEADERS, END_HEADERS, 1, b"\x02\x07CONNECT\x01\x04db:1");
    check(
        &conversation(&[sends(A, &[connect.clone(), rst_stream(1, 8)])]),
        &["A Request id 0x1 by A CONNECT db:1, taken back: CANCEL"],
    );
    check(
        &conversation(&[sends(A, &[connect]), sends(B, &[rst_stream(1, 7)])]),
        &[
            "A Request id 0x1 by A CONNECT db:1",
            "B Response id 0x1 by A ServerError 0 REFUSED_STREAM \
             wirespan.http2.reset=REFUSED_STREAM wirespan.http2.reset_by=server",
        ],
    );
}

#[test]
fn calls_that_a_server_does_not_do_any_more_are_not_available() {
    let block = b"\x83\x86\x04\x06/pkg.S\x0f\x10\x10application/grpc";
    let call = frame(HEADERS, END_HEADERS, 1, block);
    let request = "A Request id 0x1 by A pkg.S  http.request.header.content-type=application/grpc";
    let counts = "wirespan.rpc.request.messages=0";
    for (says, attributes) in [
        (frame(GOAWAY, 0, 0, &[0; 8]), "wirespan.http2.goaway=NO_ERROR"),
        (rst_stream(1, 7), "wirespan.http2.reset=REFUSED_STREAM wirespan.http2.reset_by=server"),
    ] {
        check(
            &conversation(&[sends(A, std::slice::from_ref(&call)), sends(B, &[says])]),
            &[
                &format!("{request} {counts}"),
                &format!("B Response id 0x1 by A ServerError 14 UNAVAILABLE {attributes}"),
            ],
        );
    }
}

#[test]
fn trailers_of_requests_from_before_the_capture_are_no_requests() {
    let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 7, &[0xbe]);
    check(&[sends(A, &[window_update(0, 5), data(7, 0, 5), trailers])], &[]);
}

#[test]
fn clients_promise_nothing() {
    let promise = frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82\x86\x84");
    let recording = record(&conversation(&[sends(A, &[get(1, "/a", END_STREAM), promise])]));
    assert_eq!(recording.messages.len(), 1);
    assert_eq!(recording.lost, ["http2 heads from the wrong side"]);
}

#[test]
fn upgrades_that_are_handed_over_are_no_guess() {
    let handed = Handed { by: "http", protocol: b"h2c".to_vec(), ..Handed::default() };
    let flow = FlowInfo { handed: Some(Arc::new(handed)), ..flow(Transport::Tcp, 40_000, 80) };
    let record = |events: &[Event]| {
        let mut protocol = protocol(&Arc::new(Settings::default()));
        let recording = drive(protocol.as_mut(), &flow, A, events, Split::Whole);
        recording.messages.iter().map(line).collect::<Vec<_>>()
    };
    // What was lost may have been the client's first request, but it was that of before.
    let answer = sends(B, &[settings(&[]), ok(1, END_STREAM)]);
    assert_eq!(
        record(&[sends(A, &[preface()]), loses(A, 100), answer]),
        ["B Response in order, lane 0 Ok 200  wirespan.http.upgraded=h2c"]
    );
    assert_eq!(
        record(&[sends(A, &[preface()]), sends(B, &[settings(&[]), rst_stream(1, 7)])]),
        ["B Response in order, lane 0 ServerError 0 REFUSED_STREAM \
          wirespan.http2.reset=REFUSED_STREAM wirespan.http2.reset_by=server"]
    );
}

#[test]
fn times_without_a_window_are_told() {
    // A moment of these conversations is their number.
    check(
        &conversation(&[
            sends(A, &[settings(&[(0x04, 1000)]), get(1, "/a", END_STREAM)]),
            sends(B, &[ok(1, 0), data(1, 0, 1000)]),
            sends(A, &[window_update(0, 1000)]),
            sends(A, &[window_update(1, 500)]),
            sends(B, &[data(1, END_STREAM, 100)]),
            sends(A, &[get(3, "/b", END_STREAM), get(5, "/c", END_STREAM)]),
            sends(B, &[ok(3, 0), data(3, 0, 1000), ok(5, END_STREAM)]),
            sends(A, &[window_update(3, 500)]),
            sends(B, &[data(3, END_STREAM, 0)]),
            sends(A, &[get(7, "/d", END_STREAM)]),
            sends(B, &[ok(7, 0), data(7, 0, 1000)]),
            sends(A, &[settings(&[(0x04, 2000)])]),
            sends(B, &[data(7, END_STREAM, 1)]),
        ]),
        &[
            "A Request id 0x1 by A GET /a",
            "B Response id 0x1 by A Ok 200  http.response.body.size=1100 \
             wirespan.response.flow_control.blocked=2",
            "A Request id 0x3 by A GET /b",
            "A Request id 0x5 by A GET /c",
            "B Response id 0x3 by A Ok 200  http.response.body.size=1000",
            "B Response id 0x5 by A Ok 200 ",
            "A Request id 0x7 by A GET /d",
            "B Response id 0x7 by A Ok 200  http.response.body.size=1001 \
             wirespan.response.flow_control.blocked=1",
        ],
    );
}

#[test]
fn users_before_a_host_are_not_shown() {
    let block = b"\x82\x86\x84\x01\x0auser:p@h:8";
    check(
        &conversation(&[sends(A, &[frame(HEADERS, END_HEADERS | END_STREAM, 1, block)])]),
        &["A Request id 0x1 by A GET / server.address=h:8"],
    );
}

#[test]
fn secrets_are_where_they_stand() {
    // Parameters and cookies in plain text, a user before a host, and a token that is coded.
    let block = [
        &b"\x82\x86\x04\x0a/?token=ab\x40\x0acookie-jar\x01v\x00\x06cookie\x05k=123"[..],
        b"\x41\x05u:p@h\x1f\x08\x82\x64\x02",
    ]
    .concat();
    let frames = [
        frame(HEADERS, 0, 1, &block[..38]),
        frame(CONTINUATION, 0, 1, &block[38..40]),
        frame(CONTINUATION, END_HEADERS, 1, &block[40..]),
    ];
    let events = [sends(A, &[PREFACE.to_vec(), settings(&[]), frames.concat()])];
    let recording = record_with(&events, Settings { locate_secrets: true, ..Settings::default() });
    let Event::Bytes { bytes, .. } = &events[0] else { unreachable!() };
    let secrets = recording.messages[0].secrets.iter();
    let found: Vec<&[u8]> = secrets.map(|at| &bytes[at.start as usize..at.end as usize]).collect();
    assert_eq!(found, [&b"ab"[..], b"1", b"23", b"u:p", b"\x64\x02"]);
}

/// The bytes that are secret in what the client sends, which is one message.
fn secrets_of(events: &[Event]) -> Vec<String> {
    let recording = record_with(events, Settings { locate_secrets: true, ..Settings::default() });
    let pieces = events.iter().map(|event| match event {
        Event::Bytes { from: A, bytes } => bytes.clone(),
        Event::Gap { from: A, lost } => vec![b'?'; lost.get() as usize],
        _ => Vec::new(),
    });
    let sent = pieces.collect::<Vec<_>>().concat();
    let secrets = recording.messages[0].secrets.iter();
    secrets.map(|at| sent[at.start as usize..at.end as usize].escape_ascii().to_string()).collect()
}

#[test]
fn secrets_of_a_body_are_located_behind_a_gap_and_where_fields_are_unknown() {
    let json = b"\x0f\x10\x10application/json";
    let head = |first: &[u8]| {
        frame(HEADERS, END_HEADERS, 1, &[first, b"\x83\x86\x04\x02/a", json].concat())
    };
    let body = br#"{"pin": 1, "password": "abc"}"#;
    let body = |flags| frame(DATA, flags, 1, body);
    let all = String::from(r#"{\"pin\": 1, \"password\": \"abc\"}"#);
    let found = secrets_of(&conversation(&[sends(A, &[head(b""), body(END_STREAM)])]));
    assert_eq!(found, ["abc"]);
    let found = secrets_of(&conversation(&[
        sends(A, &[head(b"")]),
        loses(A, 100),
        sends(A, &[body(0), body(END_STREAM)]),
    ]));
    assert_eq!(found, [all.clone(), all.clone()]);
    // Of its first field, a part of the table from before the capture, nobody knows anything.
    let found = secrets_of(&[sends(A, &[head(b"\xbe"), body(END_STREAM)])]);
    assert_eq!(found, std::slice::from_ref(&all));
    let coded = frame(
        HEADERS,
        END_HEADERS,
        1,
        b"\x83\x86\x04\x02/a\x0f\x10\x15application/grpc+json\x00\x0dgrpc-encoding\x04gzip",
    );
    let found = secrets_of(&conversation(&[sends(A, &[coded, body(END_STREAM)])]));
    assert_eq!(found, [all]);
}

#[test]
fn secrets_in_paths_of_calls_are_masked() {
    let block = b"\x83\x86\x04\x10/pkg.S/M;token=X\x0f\x10\x10application/grpc";
    check(
        &conversation(&[sends(A, &[frame(HEADERS, END_HEADERS, 1, block)])]),
        &["A Request id 0x1 by A M;token=*** pkg.S \
           http.request.header.content-type=application/grpc open"],
    );
}

#[test]
fn secrets_in_many_pieces_are_told_once() {
    // All cookies of one coded text, and a plain one of which each byte is in a frame of its own.
    let block = [
        &b"\x82\x86\x84\x00\x06cookie\x86\x1c\x01\xfb\x8e\x01\x7f"[..],
        b"\x00\x06cookie\x05k=123",
    ];
    let block = block.concat();
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, &[])];
    for byte in &block {
        frames.push(frame(CONTINUATION, 0, 1, &[*byte]));
        frames.push(frame(CONTINUATION, 0, 1, &[]));
    }
    frames.push(frame(CONTINUATION, END_HEADERS, 1, &[]));
    let found = secrets_of(&[sends(A, &[PREFACE.to_vec(), settings(&[]), frames.concat()])]);
    assert_eq!(found, ["\\x1c", "\\x01", "\\xfb", "\\x8e", "\\x01", "\\x7f", "1", "2", "3"]);
}

#[test]
fn signs_are_no_digits_of_a_status() {
    let answer = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x08\x03+12");
    check(
        &conversation(&[sends(A, &[get(1, "/a", END_STREAM)]), sends(B, &[answer])]),
        &["A Request id 0x1 by A GET /a", "B Response id 0x1 by A Unknown 0 "],
    );
}

#[test]
fn unknown_frames_and_padding_are_passed_over() {
    let padded = [&[3][..], &get_block("/a"), &[0, 0, 0]].concat();
    let mut long = data(1, END_STREAM | PADDED, 100);
    long[9] = 90;
    check(
        &conversation(&[
            sends(A, &[frame(0xfa, 0xff, 77, b"grease"), frame(PING, 0, 0, b"12345678")]),
            sends(A, &[frame(HEADERS, END_HEADERS | PADDED, 1, &padded), long]),
        ]),
        &["A Request id 0x1 by A GET /a http.request.body.size=9"],
    );
}

#[test]
fn probe_is_sure_of_heads_and_of_frames_in_a_row() {
    let flow = flow(Transport::Tcp, 40_000, 80);
    let mut protocol = protocol(&Arc::new(Settings::default()));
    let mut check = |bytes: &[u8], expected| {
        assert_eq!(protocol.probe(&flow, B, bytes), expected, "{}", bytes.escape_ascii());
    };
    check(PREFACE, Probe::Certain { client: B });
    check(&PREFACE[..10], Probe::Unsure { client: B });
    check(&get(5, "/a", 0), Probe::Certain { client: B });
    check(&ok(5, 0), Probe::Certain { client: A });
    check(&settings(&[(3, 100)]), Probe::Unsure { client: A });
    check(&window_update(0, 9).repeat(4), Probe::Certain { client: A });
    check(&window_update(0, 0), Probe::No);
    check(&data(0, 0, 9), Probe::No);
    check(&[0; 9], Probe::No);
    check(b"GET / HTTP/1.1", Probe::No);
    // Whoever has the port of a server is one, also where the other one's is lower.
    let flow = self::flow(Transport::Tcp, 40_000, 50_051);
    let frames = window_update(0, 9).repeat(4);
    assert_eq!(protocol.probe(&flow, B, &frames), Probe::Certain { client: A });
}

#[test]
fn streams_of_all_connections_are_bounded() {
    let mut protocol = protocol(&Arc::new(Settings::default()));
    let flow = flow(Transport::Tcp, 40_000, 80);
    let opens = |protocol: &mut dyn Protocol, streams: u32| {
        let mut recording = Recording::default();
        let conn = protocol.open(&flow, A);
        let frames = (0..streams).map(|number| get(2 * number + 1, "/a", END_STREAM));
        let bytes = [preface(), frames.collect::<Vec<_>>().concat()].concat();
        protocol.parse(conn, A, Timestamp(1), &bytes, &mut recording).unwrap();
        (conn, recording.lost.len(), recording.messages.len())
    };
    let protocol = protocol.as_mut();
    let (first, lost, _) = opens(protocol, 4096);
    assert_eq!((lost, opens(protocol, 4096).1), (0, 0));
    // Each other may have as many as is fair, and gives up its own for further ones.
    assert_eq!(opens(protocol, 64).1, 0);
    let (_, lost, messages) = opens(protocol, 67);
    assert_eq!((lost, messages), (3, 67));
    protocol.forget(first);
    assert_eq!(opens(protocol, 67).1, 0);
}
