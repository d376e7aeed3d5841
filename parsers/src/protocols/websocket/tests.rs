//! Conversations in, what is told of them out.

use super::*;
use crate::fuzzing::{Event, Recorded, Recording, Split, Vector, record};
use crate::message::Kind;
use crate::trace_context::own::OwnIds;
use flate2::{Compress, Compression, FlushCompress};
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;

const SPLITS: [Split; 3] = [Split::Whole, Split::Bytes, Split::Patient];

fn vector(name: &str) -> Vector {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/vectors/websocket");
    Vector::parse(&fs::read_to_string(folder.join(name).with_extension("txt")).unwrap()).unwrap()
}

/// A connection to `/c` with these headers in the answer to its handshake.
fn connection(granted: &str, events: &[Event]) -> Vector {
    let mut vector = Vector::parse(&format!("handed: websocket /c\n{granted}")).unwrap();
    vector.events = events.to_vec();
    vector
}

fn read(vector: &Vector, settings: Settings, wants: usize, split: Split) -> Recording {
    let mut protocol = protocol(&Arc::new(settings));
    let empty = Recording::wanting(wants);
    let recording =
        record(empty, protocol.as_mut(), &vector.flow(), Side::A, &vector.events, split);
    assert_eq!(recording.broken, Vec::<String>::new());
    recording
}

fn line(message: &Recorded) -> String {
    let mut line = format!("{:?} {:?}", message.from, message.kind);
    for text in [&message.operation, &message.resource, &message.pairing, &message.text] {
        if !text.is_empty() && text != "none" {
            line = line + " " + text;
        }
    }
    if message.kind == Kind::Response {
        line = format!("{line} {:?}", message.outcome);
    }
    if message.cut {
        line += " cut";
    }
    for (name, value) in &message.attributes {
        let name = name.strip_prefix("wirespan.websocket.").unwrap_or(name);
        line = format!("{line} {name}={value}");
    }
    if !message.body.is_empty() {
        line = format!("{line} \"{}\"", message.body.escape_ascii());
    }
    let told = message.records.iter().chain(&message.contexts);
    told.fold(line, |line, told| line + " {" + told + "}")
}

fn check(vector: &Vector, expected: &str) {
    check_wanting(0, vector, &SPLITS, expected);
}

fn check_wanting(wants: usize, vector: &Vector, splits: &[Split], expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    for split in splits {
        let recording = read(vector, Settings::default(), wants, *split);
        let lines: Vec<String> = recording.messages.iter().map(line).collect();
        assert_eq!(lines, expected, "{split:?}\n{}\n", lines.join("\n"));
    }
}

fn c(bytes: impl AsRef<[u8]>) -> Event {
    Event::Bytes { from: Side::A, bytes: bytes.as_ref().to_vec() }
}

fn s(bytes: impl AsRef<[u8]>) -> Event {
    Event::Bytes { from: Side::B, bytes: bytes.as_ref().to_vec() }
}

/// A frame of a client, or of a server.
fn frame(masked: bool, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(mask | len as u8),
        len @ 126..=0xffff => {
            frame.push(mask | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(mask | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend_from_slice(b"mask");
    }
    let start = frame.len();
    frame.extend_from_slice(payload);
    if masked {
        frame::unmask(&mut frame[start..], *b"mask", 0);
    }
    frame
}

/// Compresses messages of one side, one after another (RFC 7692 section 7.2.1).
struct Squeeze(Compress);

impl Squeeze {
    fn new() -> Self {
        Self(Compress::new(Compression::default(), false))
    }

    fn message(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 20);
        self.0.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        out
    }
}

const DEFLATE: &str = "granted: sec-websocket-extensions: permessage-deflate";

#[test]
fn messages_fragments_pings_and_closes_are_told() {
    check(
        &vector("close-in-two"),
        "A OneWay TEXT size=13 fragments=3
         A Handshake PING id 0x0 by A
         B Response id 0x0 by A Ok
         B OneWay TEXT size=11
         B End CLOSE close.code=1000
         A End CLOSE close.code=1000",
    );
}

#[test]
fn json_rpc_is_paired_by_its_ids() {
    check(&vector("rpc"), RPC);
}

#[test]
fn graphql_answers_go_on_until_they_are_complete() {
    check(&vector("graphql"), GRAPHQL);
}

#[test]
fn stomp_is_paired_by_its_receipts() {
    check(&vector("stomp"), STOMP);
}

#[test]
fn frames_of_a_message_may_be_many_and_it_long() {
    let long = "x".repeat(70_000);
    let mut frames = frame(true, 0x01, long.as_bytes());
    frames.extend(frame(true, 0x00, b"y"));
    frames.extend(frame(true, 0x80, b""));
    check_wanting(
        4,
        &connection("", &[c(frames), s(frame(false, 0x82, &[0; 200]))]),
        &[Split::Whole, Split::Patient],
        "A OneWay TEXT /c size=70001 fragments=3 \"xxxx\"
         B OneWay BINARY /c size=200 \"\\x00\\x00\\x00\\x00\"",
    );
}

#[test]
fn compressed_content_is_given_to_who_asks() {
    let mut squeeze = Squeeze::new();
    let first = frame(true, 0xc1, &squeeze.message(b"hello hello hello"));
    let second = squeeze.message(b"hello hello again");
    let (a, b) = second.split_at(3);
    let second = [frame(true, 0x41, a), frame(true, 0x89, b""), frame(true, 0x80, b)].concat();
    let third = frame(true, 0xc2, &squeeze.message(b"hello again"));
    check_wanting(
        100,
        &connection(DEFLATE, &[c(first), c(second), c(third)]),
        &SPLITS,
        "A OneWay TEXT /c size=11 compressed=1 \"hello hello hello\"
         A OneWay TEXT /c size=10 fragments=2 compressed=1 \"hello hello again\"
         A Handshake PING /c id 0x0 by A
         A OneWay BINARY /c size=4 compressed=1 \"hello again\"",
    );
}

#[test]
fn what_refers_to_lost_messages_is_unknown() {
    let lost = |granted: &str, second: &str| {
        let takes_over = !granted.contains("client_no_context_takeover");
        let mut squeeze = Squeeze::new();
        let first = frame(true, 0xc1, &squeeze.message(b"hello hello hello"));
        if !takes_over {
            squeeze = Squeeze::new();
        }
        let after = frame(true, 0xc1, &squeeze.message(b"hello again"));
        let gap = Event::Gap { from: Side::A, lost: NonZeroU64::new(first.len() as u64).unwrap() };
        let vector = connection(granted, &[gap, c(after)]);
        check_wanting(100, &vector, &[Split::Whole], second);
    };
    lost(DEFLATE, "A OneWay TEXT /c wirespan.body.inflate=unknown size=9 compressed=1");
    lost(
        &format!("{DEFLATE}; client_no_context_takeover"),
        "A OneWay TEXT /c size=13 compressed=1 \"hello again\"",
    );
}

#[test]
fn loss_within_a_message_is_no_loss_of_the_next() {
    let message = frame(true, 0x81, &[b'x'; 1000]);
    let gap = Event::Gap { from: Side::A, lost: NonZeroU64::new(500).unwrap() };
    let next = frame(true, 0x81, b"next");
    check_wanting(
        10,
        &connection("", &[c(&message[..300]), gap, c(&message[800..]), c(&next)]),
        &[Split::Whole, Split::Patient],
        "A OneWay TEXT /c cut size=1000 \"xxxxxxxxxx\"
         A OneWay TEXT /c size=4 \"next\"",
    );
}

#[test]
fn after_a_loss_a_frame_is_sure_where_it_fills_its_packet() {
    let gap = Event::Gap { from: Side::B, lost: NonZeroU64::new(9).unwrap() };
    let end = frame(false, 0x81, b"the end");
    check_wanting(
        0,
        &connection("", &[s(&end[..4]), gap, s(b"\x82\x05abc"), s(&end)]),
        &[Split::Whole],
        "B OneWay TEXT /c cut size=7
         B OneWay TEXT /c size=7",
    );
}

#[test]
fn ids_are_found_in_content() {
    let mut squeeze = Squeeze::new();
    let text = b"{\"txn\":{\"id\":\"4711\"}}";
    let plain = frame(true, 0x81, text);
    let mut events = vec![c(plain)];
    // Also once it is clear that the connection speaks nothing that is read, and behind bytes.
    for number in 0..20_u8 {
        events.push(c(frame(true, 0xc1, &squeeze.message(text))));
        events.push(c(frame(true, 0xc2, &squeeze.message(&[number; 9]))));
    }
    let vector = connection(DEFLATE, &events);
    for split in SPLITS {
        let mut ids = OwnIds::default();
        ids.add_field("txn=json:$.txn.id").unwrap();
        let settings = Settings { ids, ..Settings::default() };
        let recording = read(&vector, settings, 0, split);
        let found = recording.messages.iter().filter(|message| message.contexts.len() == 1);
        assert_eq!(found.count(), 21, "{split:?}");
    }
}

#[test]
fn secrets_are_located_under_the_mask() {
    let text = b"{\"password\":\"canary\"}";
    let vector = connection("", &[c(frame(true, 0x81, text)), c(frame(true, 0x82, b"bytes"))]);
    let settings = || Settings { locate_secrets: true, ..Settings::default() };
    for split in SPLITS {
        let recording = read(&vector, settings(), 0, split);
        let all = recording.messages.iter().flat_map(|message| &message.secrets);
        assert_eq!(all.cloned().collect::<Vec<_>>(), [19..25, 33..38], "{split:?}");
    }
}

#[test]
fn a_flow_is_recognised_only_where_frames_leave_no_doubt() {
    let probe = |bytes: &[u8]| frame::probe(Side::A, bytes);
    let client = Side::A;
    assert_eq!(probe(&frame(true, 0x81, b"hello there")), Probe::Certain { client });
    assert_eq!(probe(&frame(true, 0x81, b"hello")), Probe::Unsure { client });
    let binary = frame(true, 0x82, &[1, 2, 3]).repeat(3);
    assert_eq!(probe(&binary), Probe::Certain { client });
    let client = Side::B;
    assert_eq!(probe(&frame(false, 0x81, b"hello there")), Probe::Unsure { client });
    let two = [frame(false, 0x81, b"hello there"), frame(false, 0x89, b"")].concat();
    assert_eq!(probe(&two), Probe::Certain { client });
    assert_eq!(probe(&frame(false, 0x82, &[1, 2, 3]).repeat(9)), Probe::Unsure { client });
    for none in [&b"\x80\x01\x00\x01"[..], b"\x81\x7e\x00\x01a", b"\x83\x00", b"GET / HTTP/1.1"] {
        assert_eq!(probe(none), Probe::No, "{}", none.escape_ascii());
    }
}

/// What clients and servers say, one line a message: `> ` of a client, `< ` of a server.
fn said(lines: &str) -> Vec<Event> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let events = lines.map(|line| match line.split_at(2) {
        ("> ", text) => c(frame(true, 0x81, text.replace("\\n", "\n").as_bytes())),
        (_, text) => s(frame(false, 0x81, text.replace("\\n", "\n").as_bytes())),
    });
    events.collect()
}

#[test]
fn ids_count_whole_and_with_their_quotes() {
    let long = "x".repeat(200);
    let asked = |id: &str| format!("> {{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":{id}}}\n");
    let got = |id: &str| format!("< {{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":{id}}}\n");
    let ids = [format!("\"{long}1\""), format!("\"{long}2\""), "1".into(), "\"1\"".into()];
    let all = ids.iter().map(|id| asked(id)).chain(ids.iter().map(|id| got(id)));
    let vector = connection("", &said(&all.collect::<String>()));
    let recording = read(&vector, Settings::default(), 0, Split::Whole);
    let pairings: Vec<&str> = recording.messages.iter().map(|m| &*m.pairing).collect();
    assert_eq!(pairings[..4], pairings[4..]);
    let mut asked = pairings[..4].to_vec();
    asked.dedup();
    assert_eq!(asked.len(), 4);
    assert!(recording.messages[3].attributes.contains(&("jsonrpc.request.id".into(), "1".into())));
}

#[test]
fn a_word_in_a_text_makes_no_json_rpc() {
    check(
        &connection(
            "",
            &said(
                "> {\"say\":\"jsonrpc\",\"in\":{\"jsonrpc\":\"2.0\"}}
                 > {\"jsonrpc\":\"1.0\",\"method\":\"a\",\"id\":1}
                 > {\"type\":\"connection_init\"}",
            ),
        ),
        "A OneWay TEXT /c size=40
         A OneWay TEXT /c size=37
         A Handshake connection_init /c id  by A size=26",
    );
}

#[test]
fn results_of_graphql_are_summed_up() {
    let granted = "granted: sec-websocket-protocol: graphql-transport-ws";
    check(
        &connection(
            granted,
            &said(
                "> {\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{ a }\"}}
                 < {\"id\":\"1\",\"type\":\"next\",\"payload\":{}}
                 < {\"id\":\"1\",\"type\":\"next\",\"payload\":{}}
                 > {\"id\":\"1\",\"type\":\"complete\"}
                 > {\"id\":\"2\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{ a\"}}
                 > {\"id\":\"2\",\"type\":\"complete\"}",
            ),
        ),
        "A Request query /c id \"1\" by A graphql.operation.type=query subprotocol=graphql-transport-ws size=57
         B Response next id \"1\" by A unsubscribed Ok wirespan.graphql.results=2 response.size=74
         A Request subscribe /c id \"2\" by A subprotocol=graphql-transport-ws size=55
         A Response complete id \"2\" by A unsubscribed Ok",
    );
}

#[test]
fn errors_of_stomp_answer_a_login_or_nothing() {
    check(
        &connection(
            "granted: sec-websocket-protocol: v12.stomp",
            &said(
                "> CONNECT\\naccept-version:1.2\\n\\n\0
                 < ERROR\\nmessage:who\\n\\n\0
                 < ERROR\\nmessage:gone\\n\\n\0",
            ),
        ),
        "A Handshake CONNECT /c id  by A subprotocol=v12.stomp size=29
         B Response ERROR id  by A who ServerError response.size=20
         B OneWay ERROR /c gone error=gone subprotocol=v12.stomp size=21",
    );
}

#[test]
fn what_cannot_be_inflated_says_nothing() {
    let granted = format!("granted: sec-websocket-protocol: v12.stomp\n{DEFLATE}");
    let broken = frame(true, 0xc1, &[0xff; 9]);
    let empty = frame(true, 0x81, b"");
    let beat = frame(true, 0x81, b"\n");
    check(
        &connection(&granted, &[c(broken), c(empty), c(beat)]),
        "A OneWay TEXT /c subprotocol=v12.stomp wirespan.body.inflate=failed size=9 compressed=1
         A OneWay TEXT /c subprotocol=v12.stomp size=0
         A OneWay HEARTBEAT /c subprotocol=v12.stomp size=1",
    );
}

#[test]
fn little_messages_that_stand_for_much_are_bounded_together() {
    let granted = format!("granted: sec-websocket-protocol: v12.stomp\n{DEFLATE}");
    let mut squeeze = Squeeze::new();
    let zeros = vec![0; 200_000];
    let all: Vec<Event> = (0..20).map(|_| c(frame(true, 0xc2, &squeeze.message(&zeros)))).collect();
    let recording = read(&connection(&granted, &all), Settings::default(), 1 << 20, Split::Whole);
    let given: usize = recording.messages.iter().map(|message| message.body.len()).sum();
    assert!(given <= 1 << 20, "{given}");
    let capped = ("wirespan.body.inflate".to_owned(), "capped".to_owned());
    assert!(recording.messages[5].attributes.contains(&capped));
}

#[test]
fn windows_are_given_back_where_nobody_needs_them() {
    let settings = Arc::new(Settings::default());
    let mut protocol = protocol(&settings);
    let flow = connection(DEFLATE, &[]).flow();
    let open = protocol.open(&flow, Side::A);
    let mut squeeze = Squeeze::new();
    let mut held = Vec::new();
    for number in 0..20_u8 {
        let message = frame(true, 0xc2, &squeeze.message(&[number; 9]));
        let mut rest = &message[..];
        while !rest.is_empty() {
            let mut out = Recording::default();
            let Ok(Step::Used(used)) = protocol.parse(open, Side::A, Timestamp(0), rest, &mut out)
            else {
                panic!("{rest:?}");
            };
            rest = &rest[used.get()..];
        }
        held.push(settings.room.taken() > 0);
    }
    assert_eq!(held, [vec![true; 15], vec![false; 5]].concat());
}

const RPC: &str = "A Request add /rpc id \"0-1\" by A rpc.system.name=jsonrpc rpc.method=add jsonrpc.request.id=0-1 size=58
    B Response id \"0-1\" by A Ok response.size=39
    A Request fail /rpc id 1000 by A rpc.system.name=jsonrpc rpc.method=fail jsonrpc.request.id=1000 size=55
    B Response id 1000 by A -32000 ServerError rpc.response.status_code=-32000 response.size=79
    A Request nothing /rpc id \"0-2\" by A rpc.system.name=jsonrpc rpc.method=nothing jsonrpc.request.id=0-2 size=59
    B Response id \"0-2\" by A -32601 ClientError rpc.response.status_code=-32601 response.size=81
    A OneWay note /rpc rpc.system.name=jsonrpc rpc.method=note size=247
    A Request add /rpc id 2000 by A rpc.system.name=jsonrpc rpc.method=add jsonrpc.request.id=2000
    A Request add /rpc id 2001 by A rpc.system.name=jsonrpc rpc.method=add jsonrpc.request.id=2001 size=129
    B Response id 2000 by A Ok
    B Response id 2001 by A Ok response.size=85
    A End CLOSE /rpc close.code=1000 close.reason=done
    B End CLOSE /rpc close.code=1000 close.reason=done";

const GRAPHQL: &str = "A Handshake connection_init /graphql id  by A subprotocol=graphql-transport-ws size=26
    B Response connection_ack id  by A Ok response.size=25
    A Request query Hello id \"ec2b959e-2531-4c86-9e1d-eddb774bb166\" by A graphql.operation.type=query graphql.operation.name=Hello subprotocol=graphql-transport-ws size=132
    B Response next id \"ec2b959e-2531-4c86-9e1d-eddb774bb166\" by A Ok wirespan.graphql.results=1 response.size=159
    A Request subscription Count id \"dc550e27-9be2-4f04-9ba8-070d2f4c9bf7\" by A graphql.operation.type=subscription graphql.operation.name=Count subprotocol=graphql-transport-ws size=122
    B Response next id \"dc550e27-9be2-4f04-9ba8-070d2f4c9bf7\" by A Ok wirespan.graphql.results=5 response.size=513
    A Request query Wrong id \"e21b473f-5732-4345-9997-01526dc5fe62\" by A graphql.operation.type=query graphql.operation.name=Wrong subprotocol=graphql-transport-ws size=110
    B Response error id \"e21b473f-5732-4345-9997-01526dc5fe62\" by A ServerError response.size=173
    A End CLOSE /graphql close.code=1000 close.reason=Normal Closure
    B End CLOSE /graphql close.code=1000 close.reason=Normal Closure";

const STOMP: &str = "A Handshake CONNECT /stomp id  by A subprotocol=v12.stomp size=93
    B Response CONNECTED id  by A Ok response.size=24
    A OneWay SUBSCRIBE /queue/orders messaging.destination.name=/queue/orders subprotocol=v12.stomp size=47
    A Request SEND /queue/orders id r0 by A messaging.destination.name=/queue/orders subprotocol=v12.stomp size=68 {produced /queue/orders d84844466e4b4148}
    B OneWay MESSAGE /queue/orders messaging.destination.name=/queue/orders subprotocol=v12.stomp size=75 {received /queue/orders d84844466e4b4148}
    B Response RECEIPT id r0 by A Ok response.size=24
    A Request DISCONNECT /stomp id close-1 by A subprotocol=v12.stomp size=29
    B Response RECEIPT id close-1 by A Ok response.size=29
    A End CLOSE /stomp
    B End CLOSE /stomp";

#[test]
fn passwords_of_stomp_are_located() {
    let vector = vector("stomp");
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let recording = read(&vector, settings, 0, Split::Whole);
    let secrets = recording.messages[0].secrets.first().cloned().unwrap();
    let Event::Bytes { bytes, .. } = &vector.events[0] else { panic!() };
    let mut frame = bytes.clone();
    let mask = frame[2..6].try_into().unwrap();
    frame::unmask(&mut frame[6..], mask, 0);
    let shown = &frame[secrets.start as usize..secrets.end as usize];
    assert_eq!(shown.escape_ascii().to_string(), "canary-stomp-passcode");
}

#[test]
fn what_ends_a_connection_or_fails_shows_no_secret() {
    let reason = frame(false, 0x88, b"\x03\xf0token=abc at ws://u:pw@b/x");
    let error = "< ERROR\\nmessage:no such token=abc\\n\\n\0";
    let events = [said(error), vec![s(reason.clone())]].concat();
    let vector = connection("granted: sec-websocket-protocol: v12.stomp", &events);
    check(
        &vector,
        "B OneWay ERROR /c no such token=*** error=no such token=*** subprotocol=v12.stomp size=34
         B End CLOSE /c close.code=1008 close.reason=token=*** at ws://***@b/x",
    );
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let vector = connection("", &[s(reason.clone())]);
    let recording = read(&vector, settings, 0, Split::Whole);
    let found: Vec<&[u8]> = recording.messages[0]
        .secrets
        .iter()
        .map(|range| &reason[range.start as usize..range.end as usize])
        .collect();
    assert_eq!(found, [&b"abc"[..], b"u:pw"]);
}

#[test]
fn calls_of_a_batch_that_are_too_many_are_counted() {
    let call = "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}";
    let batch = format!("[{}]", [call; 70].join(","));
    let vector = connection("", &[c(frame(true, 0x81, batch.as_bytes()))]);
    let recording = read(&vector, Settings::default(), 0, Split::Whole);
    assert_eq!(recording.messages.len(), 64);
    assert_eq!(recording.lost, ["websocket_calls_over_limit"; 6]);
}
