//! Commands and replies in, the messages of them out.

use super::command::{CUT, Shown};
use super::reply::DEPTH_LIMIT;
use super::*;
use crate::fuzzing::{Event, Recording, Split, drive, flow};
use crate::message::{Kind, Outcome};
use crate::protocol::Transport;
use std::num::NonZeroU64;

#[test]
fn get_and_its_reply_are_a_request_and_a_response() {
    check(
        &[(Side::A, b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), (Side::B, b"$2\r\nhi\r\n")],
        &["A Request GET k [get k] 0..20", "B Response Ok 0..8"],
    );
}

#[test]
fn pipelined_commands_are_told_apart() {
    check(
        &[
            (Side::A, b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\r\n\r\n"),
            (Side::B, b"+PONG\r\n+PONG\r\n+PONG\r\n"),
        ],
        &[
            "A Request PING [PING] 0..14",
            "A Request PING [PING] 14..28",
            "A Request PING [PING] 28..34",
            "B Response Ok 0..7",
            "B Response Ok 7..14",
            "B Response Ok 14..21",
        ],
    );
}

#[test]
fn inline_command_keeps_quoted_words_together() {
    check(
        &[(Side::A, b"set k \"a \\\" b\" 'c d'\n")],
        &["A Request SET k [set k a \\\" b c d] 0..21"],
    );
}

#[test]
fn error_has_its_first_word_and_whose_fault_it_is() {
    for (reply, expected) in [
        ("-WRONGTYPE Operation against\r\n", "B Response ClientError WRONGTYPE 0..30"),
        ("-LOADING Redis is\r\n", "B Response ServerError LOADING 0..19"),
        ("-MOVED 3999 127.0.0.1:6381\r\n", "B Response Ok MOVED 0..28"),
        ("!10\r\nSYNTAX bad\r\n", "B Response ClientError SYNTAX 0..17"),
        ("|1\r\n+a\r\n:1\r\n-ERR x\r\n", "B Response ClientError ERR 0..20"),
    ] {
        check(&[(Side::B, reply.as_bytes())], &[expected]);
    }
}

#[test]
fn each_resp_type_is_one_reply() {
    for reply in [
        "+OK\r\n",
        ":-7\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "*-1\r\n",
        "*0\r\n",
        "_\r\n",
        "#t\r\n",
        ",-1.5e3\r\n",
        ",inf\r\n",
        "(3492890328409238509324850943850943825024385\r\n",
        "=15\r\ntxt:Some string\r\n",
        "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n$1\r\nx\r\n",
        "~2\r\n+a\r\n#f\r\n",
        "*3\r\n*2\r\n:1\r\n:2\r\n*0\r\n*-1\r\n",
        "|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n",
        "$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;0\r\n",
        "*?\r\n:1\r\n*?\r\n.\r\n$?\r\n;0\r\n.\r\n",
        "%?\r\n+a\r\n:1\r\n.\r\n",
    ] {
        let expected = format!("B Response Ok 0..{}", reply.len());
        check(&[(Side::B, reply.as_bytes())], &[&expected]);
    }
}

#[test]
fn long_values_are_skipped_in_commands_and_in_nested_replies() {
    let value = "v".repeat(5000);
    let command =
        format!("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n{value}\r\n$2\r\nEX\r\n$1\r\n9\r\n");
    let reply = format!("*3\r\n:1\r\n*2\r\n$5000\r\n{value}\r\n+a\r\n:3\r\n");
    let request = format!("A Request SET k [SET k {}… EX 9] 0..{}", "v".repeat(128), command.len());
    let response = format!("B Response Ok 0..{}", reply.len());
    check(&[(Side::A, command.as_bytes()), (Side::B, reply.as_bytes())], &[&request, &response]);
}

#[test]
fn query_text_is_bounded() {
    let mut command = String::from("*102\r\n$4\r\nMGET\r\n");
    for key in 0..101 {
        command += &format!("$7\r\nkey{key:04}\r\n");
    }
    let recording = run(&[(Side::A, command.as_bytes())], Split::Bytes);
    let text = &recording.messages[0].attributes[0].1;
    assert!(text.len() <= Shown::SOME.command && text.ends_with(CUT), "{text}");
}

#[test]
fn secrets_are_masked() {
    for (command, expected) in [
        ("AUTH joe hunter2", "A Handshake AUTH [AUTH ? ?] 0..18"),
        (
            "HELLO 3 AUTH joe hunter2 SETNAME x",
            "A Handshake HELLO [HELLO 3 AUTH ? ? SETNAME x] 0..36",
        ),
        ("CONFIG SET requirepass hunter2", "A Request CONFIG SET [CONFIG SET requirepass ?] 0..32"),
        (
            "CONFIG SET save x tls-key-file-pass hunter2",
            "A Request CONFIG SET [CONFIG SET save x tls-key-file-pass ?] 0..45",
        ),
        ("ACL SETUSER joe on >hunter2 ~*", "A Request ACL SETUSER [ACL SETUSER joe on ? ~*] 0..32"),
        (
            "MIGRATE h 1 k 0 9 AUTH2 joe hunter2 KEYS a",
            "A Request MIGRATE k [MIGRATE h 1 k 0 9 AUTH2 ? ? KEYS a] 0..44",
        ),
    ] {
        check(&[(Side::A, format!("{command}\r\n").as_bytes())], &[expected]);
    }
}

#[test]
fn values_are_masked_where_their_names_are_secret() {
    for (command, shown) in [
        ("SET user:7:token abc EX 60", "SET user:7:token ? ? ?"),
        ("HSET user:7 name joe password hunter2", "HSET user:7 name joe password ?"),
        ("MSET a 1 api-key 2 b 3", "MSET a 1 api-key ? b 3"),
        ("GET user:7:token", "GET user:7:token"),
        ("SET key value", "SET key value"),
    ] {
        let mut recording = run(&[(Side::A, format!("{command}\r\n").as_bytes())], Split::Bytes);
        let text = recording.messages.remove(0).attributes.remove(0).1;
        assert_eq!(text, shown);
    }
}

#[test]
fn key_is_found_where_the_command_has_it() {
    for (command, expected) in [
        ("XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XREADGROUP s"),
        ("XGROUP CREATE s g $", "XGROUP CREATE s"),
        ("EVALSHA abc 1 k v", "EVALSHA k"),
        ("EVALSHA abc 0 v", "EVALSHA"),
        ("BITOP AND d s", "BITOP d"),
        ("JSON.GET doc $", "JSON.GET doc"),
        ("CLIENT SETNAME x", "CLIENT SETNAME"),
        ("OBJECT ENCODING k", "OBJECT ENCODING k"),
        ("SUBSCRIBE news", "SUBSCRIBE news"),
        ("FROBNICATE k", "FROBNICATE"),
    ] {
        let expected = format!("A Request {expected} [{command}] 0..{}", command.len() + 2);
        check(&[(Side::A, format!("{command}\r\n").as_bytes())], &[&expected]);
    }
}

#[test]
fn first_confirmation_answers_and_the_rest_is_one_way() {
    for kind in ["*", ">"] {
        let replies = format!(
            "{kind}3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n\
             {kind}3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n\
             {kind}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n\
             {kind}4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$2\r\nhi\r\n"
        );
        check(
            &[(Side::A, b"SUBSCRIBE a b\r\n"), (Side::B, replies.as_bytes())],
            &[
                "A Request SUBSCRIBE a [SUBSCRIBE a b] 0..15",
                "B Response Ok 0..30",
                "B OneWay SUBSCRIBE b 30..60",
                "B OneWay MESSAGE a 60..92",
                "B OneWay PMESSAGE ab 92..134",
            ],
        );
    }
}

#[test]
fn array_that_looks_like_a_message_answers_a_command() {
    check(
        &[
            (Side::A, b"LRANGE l 0 -1\r\n"),
            (Side::B, b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ],
        &["A Request LRANGE l [LRANGE l 0 -1] 0..15", "B Response Ok 0..31"],
    );
}

#[test]
fn pushes_do_not_answer_a_command() {
    check(
        &[
            (Side::A, b"GET k\r\n"),
            (Side::B, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+v\r\n"),
        ],
        &["A Request GET k [GET k] 0..7", "B OneWay INVALIDATE 0..32", "B Response Ok 32..36"],
    );
}

#[test]
fn monitor_lines_are_one_way() {
    check(
        &[(Side::A, b"MONITOR\r\n"), (Side::B, b"+OK\r\n+1.2 [0 127.0.0.1:1] \"GET\" \"k\"\r\n")],
        &["A Request MONITOR [MONITOR] 0..9", "B Response Ok 0..5", "B OneWay MONITOR 5..37"],
    );
}

#[test]
fn commands_without_reply_are_one_way() {
    check(
        &[(Side::A, b"CLIENT REPLY SKIP\r\nGET a\r\nCLIENT REPLY OFF\r\nGET b\r\nCLIENT REPLY ON\r\nGET c\r\n")],
        &[
            "A OneWay CLIENT REPLY [CLIENT REPLY SKIP] 0..19",
            "A OneWay GET a [GET a] 19..26",
            "A OneWay CLIENT REPLY [CLIENT REPLY OFF] 26..44",
            "A OneWay GET b [GET b] 44..51",
            "A Request CLIENT REPLY [CLIENT REPLY ON] 51..68",
            "A Request GET c [GET c] 68..75",
        ],
    );
}

#[test]
fn replication_stream_is_not_read() {
    check(
        &[
            (Side::A, b"PSYNC ? -1\r\n"),
            (Side::B, b"+FULLRESYNC abc 0\r\n$5\r\nREDIS*3\r\n$3\r\nSET"),
            (Side::A, b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n"),
        ],
        &[
            "A Request PSYNC [PSYNC ? -1] 0..12",
            "B Response Ok 0..19",
            "A OneWay REPLCONF ACK [REPLCONF ACK 0] 12..46",
        ],
    );
}

#[test]
fn command_whose_end_is_lost_is_cut() {
    let bytes = |bytes: &[u8]| Event::Bytes { from: Side::A, bytes: bytes.to_vec() };
    let gap = Event::Gap { from: Side::A, lost: NonZeroU64::MIN };
    let flow = flow(Transport::Tcp, 40_000, 6379);
    for (head, expected) in [
        (b"*3\r\n$3\r\nSET\r\n$1" as &[u8], "A Request SET [SET] cut 0..15"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1", "A Request SET k [SET k] 0..22"),
    ] {
        let events = [bytes(head), gap.clone(), bytes(b"v\r\n"), bytes(b"*1\r\n$4\r\nPING\r\n")];
        let recording =
            drive(&mut Connections::of(Redis::default()), &flow, Side::A, &events, Split::Whole);
        assert_eq!(recording.lost, ["redis commands cut"]);
        let next = head.len() + 4;
        let next = format!("A Request PING [PING] {next}..{}", next + 14);
        assert_eq!(lines(&recording), [expected, &next]);
    }
}

#[test]
fn gap_within_a_long_value_costs_nothing() {
    let bytes = |bytes: &[u8]| Event::Bytes { from: Side::B, bytes: bytes.to_vec() };
    let flow = flow(Transport::Tcp, 40_000, 6379);
    let gap = Event::Gap { from: Side::B, lost: NonZeroU64::new(9998).unwrap() };
    let events = [bytes(b"$10000\r\nv"), gap, bytes(b"v\r\n:1\r\n")];
    let recording =
        drive(&mut Connections::of(Redis::default()), &flow, Side::A, &events, Split::Whole);
    assert_eq!(lines(&recording), ["B Response Ok 0..10010", "B Response Ok 10010..10014"]);
}

#[test]
fn malformed_bytes_name_their_field() {
    for (from, bytes, field) in [
        (Side::A, "*1\r\n:1\r\n", "argument"),
        (Side::A, "*1\r\n$9999999999\r\n", "bulk length"),
        (Side::A, "*99999999999\r\n", "argument count"),
        (Side::A, "*1\r\n$3\r\nGETxx", "line end"),
        (Side::A, "*x\r\n", "number"),
        (Side::A, "*000000000000000000000000000000000001\r\n", "number"),
        (Side::A, "\x01\r\n", "command"),
        (Side::B, "?\r\n", "reply type"),
        (Side::B, "#x\r\n", "boolean"),
        (Side::B, "$-2\r\n", "length"),
        (Side::B, "$?\r\n:1\r\n", "chunk"),
    ] {
        assert_eq!(run(&[(from, bytes.as_bytes())], Split::Bytes).malformed, [field]);
    }
    let deep = "*1\r\n".repeat(DEPTH_LIMIT + 1);
    assert_eq!(run(&[(Side::B, deep.as_bytes())], Split::Whole).malformed, ["depth"]);
}

#[test]
fn probe_tells_commands_from_replies() {
    let certain = |client| Probe::Certain { client };
    let unsure = |client| Probe::Unsure { client };
    for (head, expected) in [
        ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", certain(Side::A)),
        ("*2\r\n$3\r\nG", unsure(Side::A)),
        ("*3\r\n$7\r\nmessage\r\n", certain(Side::B)),
        ("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", certain(Side::B)),
        ("*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n", certain(Side::A)),
        ("*2\r\n$3\r\nfoo\r\n", unsure(Side::A)),
        ("*2\r\n:1\r\n", unsure(Side::B)),
        ("+OK\r\n", unsure(Side::B)),
        ("$5\r\nhello\r\n", unsure(Side::B)),
        ("$5\r\nhello world\r\n", Probe::No),
        ("*x\r\n", Probe::No),
        ("HGETALL user:1\r\n", certain(Side::A)),
        ("PING\r\n", unsure(Side::A)),
        ("HGET", unsure(Side::A)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", unsure(Side::A)),
        ("POST / HTTP/1.1\r\n", Probe::No),
        ("EHLO mail\r\n", Probe::No),
        ("\x16\x03\x01", Probe::No),
    ] {
        let flow = flow(Transport::Tcp, 1, 2);
        let probe = Redis::default().probe(&flow, Side::A, head.as_bytes());
        assert_eq!(probe, expected, "{head:?}");
    }
}

fn run(lines: &[(Side, &[u8])], split: Split) -> Recording {
    let events: Vec<Event> = lines
        .iter()
        .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.to_vec() })
        .collect();
    let flow = flow(Transport::Tcp, 40_000, 6379);
    drive(&mut Connections::of(Redis::default()), &flow, Side::A, &events, split)
}

fn lines(recording: &Recording) -> Vec<String> {
    recording
        .messages
        .iter()
        .map(|m| {
            let mut line = format!("{:?} {:?}", m.from, m.kind);
            for part in [&m.operation, &m.resource] {
                if !part.is_empty() {
                    line += &format!(" {part}");
                }
            }
            if m.outcome != Outcome::Unknown || m.kind == Kind::Response {
                line += &format!(" {:?}", m.outcome);
            }
            if !m.text.is_empty() {
                line += &format!(" {}", m.text);
            }
            for (_, value) in &m.attributes {
                line += &format!(" [{value}]");
            }
            if m.cut {
                line += " cut";
            }
            match m.end {
                Some(end) => line + &format!(" {}..{end}", m.start),
                None => line + &format!(" {}..", m.start),
            }
        })
        .collect()
}

fn check(events: &[(Side, &[u8])], expected: &[&str]) {
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let recording = run(events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        assert_eq!(recording.malformed, Vec::<&str>::new());
        assert_eq!(lines(&recording), expected, "{split:?}");
    }
}

#[test]
fn what_is_not_shown_is_located() {
    let long = "v".repeat(200);
    let sent = format!(
        "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$200\r\n{long}\r\n\
         SET k {{\"token\":\"abc\"}}\r\n"
    );
    let answered = "+OK\r\n$2\r\nhi\r\n*2\r\n$1\r\na\r\n:1\r\n";
    let bytes = [sent.clone(), answered.to_owned()];
    let events = [Side::A, Side::B]
        .map(|from| Event::Bytes { from, bytes: bytes[from.index()].clone().into_bytes() });
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let mut redis = protocol(&Arc::new(settings));
    let flow = flow(Transport::Tcp, 1, 2);
    let recording = drive(redis.as_mut(), &flow, Side::A, &events, Split::Whole);
    let mut left = bytes.map(String::into_bytes);
    for message in &recording.messages {
        for range in &message.secrets {
            left[message.from.index()][range.start as usize..range.end as usize].fill(b'1');
        }
    }
    let [sent_left, answered_left] = left.map(|bytes| String::from_utf8(bytes).unwrap());
    let expected = sent
        .replace("pw", "11")
        .replace(&long, &("v".repeat(128) + &"1".repeat(72)))
        .replace("abc", "111");
    assert_eq!(sent_left, expected);
    assert_eq!(answered_left, "+OK\r\n$2\r\n11\r\n*2\r\n$1\r\n1\r\n:1\r\n");
}

/// What each message puts into a queue or gets out of one, with digests as letters in the order of
/// their first appearance.
fn check_records(events: &[(Side, &str)], expected: &[&str]) {
    let events: Vec<(Side, &[u8])> =
        events.iter().map(|(side, text)| (*side, text.as_bytes())).collect();
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let recording = run(&events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        let mut digests: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for message in &recording.messages {
            for record in message.records.iter().filter(|record| *record != "asks") {
                let kind = &format!("{:?}", message.kind)[..3];
                let mut words: Vec<&str> = record.split(' ').collect();
                if *record == "nothing" {
                    found.push(format!("{kind} nothing"));
                    continue;
                }
                let place = digests.iter().position(|known| known == words[2]);
                let place = place.unwrap_or_else(|| {
                    digests.push(words[2].to_owned());
                    digests.len() - 1
                });
                let letter = char::from(b'a' + place as u8).to_string();
                words[2] = &letter;
                found.push(format!("{kind} {}", words.join(" ")));
            }
        }
        assert_eq!(found, expected, "{split:?}");
    }
}

#[test]
fn lists_tell_what_is_pushed_and_popped() {
    let (a, b) = (Side::A, Side::B);
    check_records(
        &[(a, "LPUSH q x yy x\r\n"), (b, ":3\r\n"), (a, "RPOP q\r\n"), (b, "$1\r\nx\r\n")],
        &["Req produced q a", "Req produced q b", "Req produced q a", "Res taken q a"],
    );
    check_records(
        &[(a, "LPOP q 2\r\n"), (b, "*2\r\n$1\r\nx\r\n$2\r\nyy\r\n")],
        &["Res taken q a", "Res taken q b"],
    );
    for (command, reply) in [
        ("BLPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\nx\r\n"),
        ("LMPOP 2 a b LEFT COUNT 2", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\nx\r\n"),
        ("BLMPOP 0 2 a b LEFT", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\nx\r\n"),
    ] {
        check_records(&[(a, &format!("{command}\r\n")), (b, reply)], &["Res taken b a"]);
        check_records(&[(a, &format!("{command}\r\n")), (b, "*-1\r\n")], &[]);
    }
    for command in
        ["RPOPLPUSH a b", "BRPOPLPUSH a b 0", "LMOVE a b LEFT RIGHT", "BLMOVE a b LEFT LEFT 0"]
    {
        let moved = ["Res taken a a", "Res produced b a"];
        check_records(&[(a, &format!("{command}\r\n")), (b, "$1\r\nx\r\n")], &moved);
        check_records(&[(a, &format!("{command}\r\n")), (b, "$-1\r\n")], &[]);
    }
    for command in ["LINSERT q BEFORE p v", "LPUSHX q v", "RPUSHX q v"] {
        let command = format!("{command}\r\n");
        check_records(&[(a, &command), (b, ":5\r\n")], &["Res produced q a"]);
        for reply in [":0\r\n", ":-1\r\n", "$-1\r\n"] {
            check_records(&[(a, &command), (b, reply)], &[]);
        }
    }
    check_records(&[(a, "LRANGE q 0 -1\r\n"), (b, "*1\r\n$1\r\nx\r\n")], &[]);
    check_records(&[(a, "RPOP q\r\n"), (b, "-WRONGTYPE of key\r\n")], &["Res nothing"]);
}

#[test]
fn errors_put_nothing_in() {
    let (a, b) = (Side::A, Side::B);
    for error in ["-OOM no\r\n", "-MOVED 7 10.0.0.1:6379\r\n", "!5\r\nERR x\r\n"] {
        check_records(
            &[(a, "LPUSH q x\r\nLPUSH q x\r\n"), (b, error), (b, ":1\r\n")],
            &["Req produced q a", "Req produced q a", "Res nothing"],
        );
        check_records(
            &[(a, "XADD s * f v\r\nLPUSHX q x\r\n"), (b, error), (b, error)],
            &["Req produced s a", "Res nothing", "Res nothing"],
        );
    }
    let attributed = "|1\r\n+a\r\n+b\r\n-OOM no\r\n";
    check_records(&[(a, "LPUSH q x\r\n"), (b, attributed)], &["Req produced q a", "Res nothing"]);
}

#[test]
fn stream_entries_have_ids() {
    let (a, b) = (Side::A, Side::B);
    let entries = "*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
    for command in [
        "XADD s * f v",
        "XADD s MAXLEN ~ 1000 LIMIT 5 * f v",
        "XADD s MINID 5 1-0 f v",
        "XADD s KEEPREF IDMP p i MAXLEN = 5 * f v",
    ] {
        let command = format!("{command}\r\n");
        let added = ["Req produced s a", "Res produced s a 1-0"];
        check_records(&[(a, &command), (b, "$3\r\n1-0\r\n")], &added);
        check_records(&[(a, &command), (b, "$-1\r\n")], &added[..added.len() - 1]);
        let read = format!("XRANGE s - +\r\n{command}");
        let replies = format!("{entries}$3\r\n1-2\r\n");
        let expected = ["Req produced s a", "Res received s a 1-0", "Res produced s a 1-2"];
        check_records(&[(a, &read), (b, &replies)], &expected);
    }
    for command in ["XADD s NOMKSTREAM * f v\r\n", "XADD s MAXLEN 5 nomkstream * f v\r\n"] {
        check_records(&[(a, command), (b, "$3\r\n1-0\r\n")], &["Res produced s a 1-0"]);
        check_records(&[(a, command), (b, "$-1\r\n")], &[]);
    }
    let received = ["Res received s a 1-0"];
    for (command, reply) in [
        ("XREAD BLOCK 0 STREAMS s $", format!("*1\r\n*2\r\n$1\r\ns\r\n{entries}")),
        ("XREADGROUP GROUP g c STREAMS s >", format!("%1\r\n$1\r\ns\r\n{entries}")),
        ("XCLAIM s g c 0 1-0", entries.to_owned()),
        ("XAUTOCLAIM s g c 0 0", format!("*3\r\n$3\r\n0-0\r\n{entries}*1\r\n$3\r\n9-9\r\n")),
    ] {
        check_records(&[(a, &format!("{command}\r\n")), (b, &reply)], &received);
    }
    check_records(&[(a, "XCLAIM s g c 0 1-0 JUSTID\r\n"), (b, "*1\r\n$3\r\n1-0\r\n")], &[]);
    let two = format!("*2\r\n*2\r\n$1\r\ns\r\n{entries}*2\r\n$1\r\nt\r\n{entries}");
    check_records(
        &[(a, "XREAD STREAMS s t 0 0\r\n"), (b, &two)],
        &["Res received s a 1-0", "Res received t a 1-0"],
    );
}

#[test]
fn published_messages_are_received() {
    let (a, b) = (Side::A, Side::B);
    check_records(
        &[(a, "SPUBLISH c hi\r\nPUBLISH c hi\r\n")],
        &["Req produced c a", "Req produced c a"],
    );
    for kind in ["*", ">"] {
        let pushes = format!(
            "{kind}3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n\
             {kind}3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n\
             {kind}3\r\n$8\r\nsmessage\r\n$1\r\nd\r\n$2\r\nho\r\n\
             {kind}4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nca\r\n$2\r\nhi\r\n"
        );
        check_records(
            &[(a, "SUBSCRIBE c\r\n"), (b, &pushes)],
            &["One received c a", "One received d b", "One received ca a"],
        );
    }
}

#[test]
fn transactions_are_answered_by_exec() {
    let (a, b) = (Side::A, Side::B);
    let commands = "MULTI\r\nLPUSH q x\r\nXADD s * f v\r\nGET k\r\nRPOP q\r\nEXEC\r\nRPOP q\r\n";
    let replies = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n\
                   *4\r\n:1\r\n$3\r\n1-0\r\n*1\r\n$1\r\ny\r\n$1\r\nx\r\n$1\r\nx\r\n";
    check_records(
        &[(a, commands), (b, replies)],
        &["Res produced q a", "Res produced s b 1-0", "Res taken q a", "Res taken q a"],
    );
    for (end, reply) in [("EXEC", "*-1\r\n"), ("EXEC", "_\r\n"), ("DISCARD", "+OK\r\n")] {
        check_records(
            &[
                (a, &format!("MULTI\r\nLPUSH q x\r\n{end}\r\nLPUSH q x\r\n")),
                (b, &format!("+OK\r\n+QUEUED\r\n{reply}:1\r\n")),
            ],
            &["Req produced q a"],
        );
    }
    // One of them fails, and the others are in.
    check_records(
        &[
            (a, "MULTI\r\nLPUSH q x\r\nLPUSH p x\r\nEXEC\r\n"),
            (b, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-WRONGTYPE x\r\n:1\r\n"),
        ],
        &["Res produced p a"],
    );
    // There is no transaction after all.
    check_records(
        &[(a, "MULTI\r\nLPUSH q x\r\n"), (b, "-NOAUTH x\r\n:1\r\n")],
        &["Res nothing", "Res produced q a"],
    );
    check_records(
        &[
            (a, "MULTI\r\nRPOP q\r\nDISCARD\r\nRPOP q\r\n"),
            (b, "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\nx\r\n"),
        ],
        &["Res taken q a"],
    );
}

#[test]
fn what_finds_no_room_in_a_transaction_is_told_with_its_command() {
    let count = 300;
    let commands = format!("MULTI\r\n{}EXEC\r\n", "LPUSH q x\r\n".repeat(count));
    let queued = format!("+OK\r\n{}", "+QUEUED\r\n".repeat(count));
    let exec = format!("*{count}\r\n{}", ":1\r\n".repeat(count));
    for (end, found) in [(exec.as_str(), count), ("*-1\r\n", count - 256)] {
        let events = [
            (Side::A, commands.as_bytes()),
            (Side::B, queued.as_bytes()),
            (Side::B, end.as_bytes()),
        ];
        let recording = run(&events, Split::Whole);
        let records = recording.messages.iter().map(|message| message.records.len());
        assert_eq!(records.sum::<usize>(), found);
        assert_eq!(recording.lost.len(), count - 256);
    }
    let many = format!("MULTI\r\nLPUSH q{}\r\nEXEC\r\n", " x".repeat(100));
    let recording = run(
        &[(Side::A, many.as_bytes()), (Side::B, b"+OK\r\n+QUEUED\r\n*1\r\n:100\r\n")],
        Split::Whole,
    );
    let told: Vec<_> = recording.messages.iter().map(|message| message.records.len()).collect();
    assert_eq!(told.iter().sum::<usize>(), 100);
    assert_eq!(told.iter().max(), Some(&64));
}

#[test]
fn long_values_have_the_digest_of_their_beginning_and_length() {
    let (a, b) = (Side::A, Side::B);
    let value = "v".repeat(5000);
    let other = "v".repeat(5001);
    let push = format!("*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$5000\r\n{value}\r\n");
    let pop = "*3\r\n$4\r\nRPOP\r\n$1\r\nq\r\n$1\r\n2\r\n";
    let popped = format!("*2\r\n$5000\r\n{value}\r\n$5001\r\n{other}\r\n");
    check_records(
        &[(a, &push), (b, ":1\r\n"), (a, pop), (b, &popped)],
        &["Req produced q a", "Res taken q a", "Res taken q b"],
    );
}

#[test]
fn secret_values_have_no_digest() {
    let (a, b) = (Side::A, Side::B);
    check_records(
        &[
            (a, "LPUSH user:token x\r\nBLPOP user:token 0\r\n"),
            (b, ":1\r\n*2\r\n$10\r\nuser:token\r\n$1\r\nx\r\n"),
        ],
        &[],
    );
    let entry =
        "*1\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$8\r\npassword\r\n$1\r\nz\r\n$1\r\nf\r\n$1\r\nv\r\n";
    check_records(
        &[
            (a, "XADD s * password x f v\r\nXADD s * password y f v\r\nXRANGE s - +\r\n"),
            (b, &format!("$3\r\n0-1\r\n$3\r\n0-2\r\n{entry}")),
        ],
        &[
            "Req produced s a",
            "Req produced s a",
            "Res produced s a 0-1",
            "Res produced s a 0-2",
            "Res received s a 1-0",
        ],
    );
}
