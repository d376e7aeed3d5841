//! What people see of traces: the lines, their bars, and what stands below them.

use crate::http::{Call, Connection, all, end, get, head, sorted};
use crate::packets::Packet;
use crate::run::{Ran, look, run, run_with};
use wirespan::config::Config;
use wirespan::export::Render;
use wirespan::export::ndjson::{Ndjson, SourceNames};
use wirespan::export::terminal::{Look, Terminal};

/// The lines of all traces.
fn shown(ran: &Ran, look: Look) -> Vec<String> {
    let terminal = Terminal::new(look);
    let mut bytes = Vec::new();
    for trace in &ran.traces {
        terminal.trace(trace, &mut bytes);
    }
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

/// A call whose request and response come in two pieces each, at these milliseconds.
fn in_pieces(client: u8, server: u8, path: &str, times: [i64; 4], status: &str) -> Vec<Packet> {
    let mut connection = Connection::new(end(client, 40_000), end(server, 80));
    let mut packets = connection.open(times[0]);
    let request = head(&format!("POST {path} HTTP/1.1"), &["Content-Length: 4"]);
    packets.push(connection.asks(times[0], request));
    packets.push(connection.asks(times[1], "body"));
    let response = head(&format!("HTTP/1.1 {status} X"), &["Content-Length: 4"]);
    packets.push(connection.tells(times[2], response));
    packets.push(connection.tells(times[3], "body"));
    packets
}

/// A call that is answered with this status.
fn answered(client: u8, server: u8, times: [i64; 2], path: &str, status: &str) -> Vec<Packet> {
    let mut connection = Connection::new(end(client, 40_000), end(server, 80));
    let mut packets = connection.open(times[0]);
    packets.push(connection.asks(times[0], get(path, &[])));
    let response = head(&format!("HTTP/1.1 {status} X"), &["Content-Length: 0"]);
    packets.push(connection.tells(times[1], response));
    packets
}

#[test]
fn bar_shows_network_server_and_waiting() {
    let front = in_pieces(1, 2, "/front", [0, 26, 104, 130], "200");
    let back = in_pieces(2, 3, "/back", [39, 52, 78, 91], "200");
    let ran = run(&sorted([front, back].concat()));
    assert_eq!(ran.trees(), ["/front(/back[one-candidate])"]);
    let lines = shown(&ran, look(80));
    let bar = |line: &str| line.chars().skip(67).collect::<String>();
    assert_eq!(bar(&lines[1]), "───█░░░░░█───");
    assert_eq!(bar(&lines[2]), "   ──███──");
}

#[test]
fn calls_at_a_time_are_waited_for_once() {
    let front = Call::new(1, 2, 0..130, "/front");
    let backs = [(3, 10..70), (4, 40..100)].map(|(host, times)| Call::new(2, host, times, "/b"));
    let ran = run(&all(&[vec![front], backs.to_vec()].concat()));
    let lines = shown(&ran, look(200));
    assert!(lines[1].contains("server 40.0 ms waits 90.0 ms"), "{}", lines[1]);
}

#[test]
fn way_between_two_points_is_network() {
    let call = Call::new(1, 2, 10..90, "/x").packets();
    let late = |packet: &Packet| {
        let way = if packet.source().port() == 80 { -10 } else { 10 };
        packet.clone().on("eth1").hop(1).ttl(63).at_ns(packet.time() + way * 1_000_000)
    };
    let behind = call.iter().map(late).collect();
    let ran = run(&sorted([call, behind].concat()));
    let lines = shown(&ran, look(200));
    assert!(lines[0].contains("  1 exchange  80.0 ms  "), "{}", lines[0]);
    assert!(lines[1].contains("GET /x [2 points]"), "{}", lines[1]);
    assert!(lines[1].contains("server 60.0 ms               net 20.0 ms"), "{}", lines[1]);
    assert_eq!(lines.len(), 3, "one exchange is one line");
    let details = shown(&ran, Look { details: 1, all: true, ..look(120) });
    let seen: Vec<_> = details.iter().filter(|line| line.contains(" of 2: ")).collect();
    assert!(seen[0].contains("1 of 2: +0 ms 80.0 ms, request of"), "{details:?}");
    assert!(seen[1].contains("2 of 2: +10.0 ms 60.0 ms, request of"), "{details:?}");
}

#[test]
fn failure_is_marked_where_it_began() {
    let ran = run(&sorted(
        [
            answered(1, 2, [0, 100], "/front", "502"),
            answered(2, 3, [10, 20], "/tried", "503"),
            answered(2, 4, [30, 60], "/middle", "500"),
            answered(4, 5, [40, 50], "/leaf", "500"),
            answered(2, 5, [70, 80], "/fine", "200"),
        ]
        .concat(),
    ));
    let lines = shown(&ran, look(120));
    assert!(lines[0].contains("5 exchanges, 4 failed"), "{}", lines[0]);
    let mark = |path: &str| {
        let line = lines.iter().find(|line| line.contains(path)).unwrap();
        line.chars().skip(54).take(6).collect::<String>()
    };
    let marks = ["/front", "/tried", "/middle", "/leaf", "/fine"].map(mark);
    assert_eq!(marks, [" ! 502", " ! 503", " ! 500", "!! 500", "   200"]);
}

#[test]
fn failure_after_the_answer_is_no_origin() {
    let ran = run(&sorted(
        [answered(1, 2, [0, 100], "/front", "502"), answered(2, 3, [10, 120], "/late", "503")]
            .concat(),
    ));
    assert_eq!(ran.trees(), ["/front(/late[one-candidate])"]);
    assert!(!shown(&ran, look(120)).iter().any(|line| line.contains("!!")));
}

/// One call that makes `count` calls of keys, and one of its own.
fn many_calls(count: usize) -> Ran {
    let mut packets = Call::new(1, 2, 0..5_000, "/front").packets();
    let mut redis = Connection::new(end(2, 50_000), end(3, 6379));
    for number in 0..count {
        let key = format!("items:{number}");
        let at = 10 + number as i64 * 2;
        let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
        packets.push(redis.asks(at, command));
        packets.push(redis.tells(at + 1, "$1\r\nx\r\n"));
    }
    packets.push(redis.asks(4_000, "*2\r\n$3\r\nGET\r\n$6\r\nitems:\r\n"));
    packets.push(redis.tells(4_001, "-OOM no room\r\n"));
    run(&sorted(packets))
}

#[test]
fn calls_that_are_alike_share_a_line() {
    let ran = many_calls(500);
    let lines = shown(&ran, look(120));
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert!(lines[0].contains("  502 exchanges, 1 failed  "), "{}", lines[0]);
    assert!(lines[2].contains("├─ 10.0.0.3:6379"), "{}", lines[2]);
    assert!(lines[2].contains("500 × redis GET items:{id}"), "{}", lines[2]);
    assert!(lines[2].contains("+10.0 ms  500 ms "), "the sum of their times: {}", lines[2]);
    assert!(lines[3].contains("redis GET items:"), "what failed stands alone: {}", lines[3]);
    let id = format!("{:08x}", ran.traces[0].id >> 96);
    assert_eq!(lines[4], format!("… --trace {id} shows each of the calls"));
    let all = shown(&ran, Look { all: true, ..look(120) });
    assert_eq!(all.len(), 504);
    assert!(!all.iter().any(|line| line.contains('×')));
}

#[test]
fn ids_of_64_bits_are_named_without_the_zeros_before_them() {
    let mut ran = many_calls(500);
    ran.traces[0].id = 0x463a_c35c_9f64_13ad;
    let lines = shown(&ran, look(120));
    assert_eq!(lines[4], "… --trace 463ac35c shows each of the calls");
}

#[test]
fn few_calls_have_a_line_each() {
    let lines = shown(&many_calls(5), look(120));
    assert_eq!(lines.len(), 9, "{lines:#?}");
}

#[test]
fn trace_has_no_more_than_a_hundred_lines() {
    let mut calls = vec![Call::new(1, 2, 0..5_000, "/front")];
    // Names without digits, so that none is like another.
    let name = |number: usize| {
        let letter =
            |place: usize| char::from(b'a' + (number / 26_usize.pow(place as u32) % 26) as u8);
        format!("/{}{}{}", letter(0), letter(1), letter(2))
    };
    for number in 0..1_500 {
        let at = 10 + number as i64 * 2;
        calls.push(Call::new(2, 3, at..at + 1, &name(number)).port(20_000 + number as u16));
    }
    let ran = run(&all(&calls));
    assert_eq!(ran.traces.len(), 1);
    let lines = shown(&ran, look(120));
    let id = format!("{:08x}", ran.traces[0].id >> 96);
    assert_eq!(lines.len(), 103);
    assert_eq!(lines[101], format!("… 1,401 more exchanges: --trace {id} shows all"));
    let all = shown(&ran, Look { all: true, ..look(120) });
    assert_eq!(all.len(), 1_503);
}

#[test]
fn nothing_wraps_whatever_the_names_are() {
    let paths = [
        "/注文/一覧/明細/履歴/検索",
        "/заказы",
        "/%F0%9F%98%80",
        "/👩\u{200d}💻👍🏽/☎\u{fe0f}",
        "/שלום",
        "/e\u{301}te\u{301}\t",
    ];
    let mut calls = vec![Call::new(1, 2, 0..1_000, "/front")];
    for (place, path) in paths.iter().enumerate() {
        let at = 10 + place as i64 * 2;
        let host = format!("Host: {}", "服务.example");
        calls.push(Call::new(2, 3, at..at + 1, path).asks(&host).port(20_000 + place as u16));
    }
    let ran = run(&all(&calls));
    for width in 40..=300 {
        for details in [0, 2] {
            let look = Look { details, all: details > 0, ..look(width) };
            for line in shown(&ran, look) {
                let wide: usize = line.chars().map(columns).sum();
                assert!(wide <= width, "{wide} of {width}: {line}");
            }
        }
    }
}

/// The columns that terminals give to a character of these tests.
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200e}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    }
}

#[test]
fn without_unicode_all_is_ascii() {
    let ran = many_calls(20);
    let lines = shown(&ran, Look { ascii: true, details: 1, ..look(120) });
    assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("|- 10.0.0.3:6379")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("20 x redis GET items:{id}")), "{lines:#?}");
}

#[test]
fn headers_are_kept_for_those_who_ask() {
    let call = Call::new(1, 2, 10..20, "/x")
        .asks("X-One: a\x1b[2J")
        .asks("Cookie: id=7")
        .asks("x-ONE: b")
        .packets();
    let plain = run(&call);
    assert!(!shown(&plain, Look { details: 1, ..look(120) }).join("\n").contains("x-one"));
    let ran = run_with(&call, &|| Config { details: true, ..Config::default() });
    let text = shown(&ran, Look { details: 1, ..look(120) }).join("\n");
    assert!(text.contains("x-one: a·[2J") && text.contains("cookie: id=***"), "{text}");
    let mut json = Vec::new();
    let protocols = look(120).protocols;
    Ndjson { protocols, names: SourceNames::default() }.trace(&ran.traces[0], &mut json);
    let json = String::from_utf8(json).unwrap();
    let one = r#""http.request.header.x-one":["a\u001b[2J","b"]"#;
    assert!(json.contains(one) && json.contains(r#".cookie":"id=***""#), "{json}");
}

#[test]
fn details_show_what_was_carried_and_where() {
    let call = Call::new(1, 2, 10..20, "/x?a=1").asks("X-Request-ID: r").packets();
    let ran = run(&call);
    let look = look(120);
    look.names.set_taps(vec!["eth0".to_owned()]);
    let lines = shown(&ran, Look { details: 2, ..look });
    let text = lines.join("\n");
    for part in [
        "time        server 10.0 ms",
        "connection  tcp 10.0.0.1:",
        "seen at     eth0 (point 0, network 0): request of",
        " in frame 3, response of",
        "request: seq ",
        "request     GET /x?a=1",
        "response    200",
        "id          x-request-id r",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
