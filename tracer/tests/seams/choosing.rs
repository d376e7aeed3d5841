//! Which traces are shown, and what people see of exchanges that joined nothing.

use crate::http::{Call, Connection, all, end, get, head, sorted};
use crate::packets::Packet;
use crate::run::{Ran, look, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use wirespan::export::Exporter;
use wirespan::export::table::{Layout, Order};
use wirespan::export::terminal::{Look, Terminal};
use wirespan::export::view::View;
use wirespan::moment::Moment;
use wirespan::operations::Operations;
use wirespan::select::{CaptureStart, IdPrefix, Pattern, Selecting, Selection};
use wirespan::span::{SpanSink, Trace};
use wirespan::summary::Shown;
use wirespan_capture::packet::Timestamp;

/// Calls that join nothing: `/0` takes 1 ms, `/1` takes 2 ms, and so on; each begins 100 ms after
/// the one before.
fn apart(count: i64) -> Ran {
    let call = |n: i64| Call::new(1, 2, 100 * n..100 * n + n + 1, &format!("/{n}"));
    run(&all(&(0..count).map(call).collect::<Vec<_>>()))
}

/// Tells the operations of each trace.
struct Told(Sender<String>);

impl SpanSink for Told {
    fn trace(&mut self, trace: &Trace) -> std::io::Result<()> {
        self.0.send(paths(trace)).unwrap();
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn paths(trace: &Trace) -> String {
    let path = |text: Option<&[u8]>| String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
    let spans = trace.spans.iter().map(|span| path(span.exchange.text.text("resource")));
    spans.collect::<Vec<_>>().join(" ")
}

fn choose(ran: &Ran, selection: Selection) -> (Vec<String>, Option<Shown>) {
    let (told, chosen) = channel();
    let start = CaptureStart::default();
    start.note(Timestamp(1_700_000_000_000_000_000));
    let mut selecting = Selecting::new(selection, start, Told(told));
    // However many come at a time, the same are chosen.
    for traces in ran.traces.chunks(7) {
        selecting.traces(traces).unwrap();
    }
    selecting.finish().unwrap();
    let shown = selecting.shown();
    drop(selecting);
    (chosen.iter().collect(), shown)
}

fn check(ran: &Ran, selection: Selection, expected: &[&str]) {
    assert_eq!(choose(ran, selection.clone()).0, expected, "{selection:?}");
}

fn any() -> Selection {
    Selection::default()
}

#[test]
fn nothing_asked_for_is_everything() {
    let ran = apart(3);
    let (paths, shown) = choose(&ran, any());
    assert_eq!((paths.len(), shown), (3, None));
}

#[test]
fn slowest_come_slowest_first() {
    let ran = apart(20);
    let slowest = Selection { slowest: Some(3), ..any() };
    check(&ran, slowest.clone(), &["/19", "/18", "/17"]);
    check(&ran, Selection { limit: Some(1), ..slowest.clone() }, &["/19"]);
    let (_, shown) = choose(&ran, slowest);
    assert_eq!(shown, Some(Shown { traces: 3, spans: 3, matched: 20 }));
}

#[test]
fn limit_takes_the_first_and_counts_the_others() {
    let ran = apart(20);
    let (paths, shown) = choose(&ran, Selection { limit: Some(2), ..any() });
    assert_eq!(paths, ["/0", "/1"]);
    assert_eq!(shown, Some(Shown { traces: 2, spans: 2, matched: 20 }));
}

#[test]
fn limit_tells_that_the_rest_is_not_needed() {
    let ran = apart(3);
    let enough = Arc::new(AtomicBool::new(false));
    let (told, _chosen) = channel();
    let selection = Selection { limit: Some(2), ..any() };
    let start = CaptureStart::default();
    let mut selecting = Selecting::new(selection, start, Told(told)).telling(enough.clone());
    selecting.traces(&ran.traces[..1]).unwrap();
    assert!(!enough.load(Ordering::Relaxed));
    selecting.traces(&ran.traces[1..]).unwrap();
    assert!(enough.load(Ordering::Relaxed) && selecting.is_full());
}

#[test]
fn durations_and_times_are_bounds_that_count_themselves() {
    let ran = apart(5);
    let time = |text| Some(Moment::parse(text).unwrap());
    check(&ran, Selection { min_duration: 4_000_000, ..any() }, &["/3", "/4"]);
    check(&ran, Selection { from: time("+302ms"), ..any() }, &["/3", "/4"]);
    check(&ran, Selection { from: time("1700000000.304"), ..any() }, &["/3", "/4"]);
    check(&ran, Selection { from: time("22:13:20.305"), ..any() }, &["/4"]);
    check(&ran, Selection { to: time("2023-11-14T22:13:20.1Z"), ..any() }, &["/0", "/1"]);
    check(&ran, Selection { from: time("+100ms"), to: time("22:13:20.1"), ..any() }, &["/1"]);
    check(&ran, Selection { from: time("+9s"), ..any() }, &[]);
}

#[test]
fn ids_choose_traces() {
    let ran = apart(5);
    let id = format!("{:032x}", ran.traces[3].id);
    let prefix = |text: &str| IdPrefix::parse(text).unwrap();
    check(&ran, Selection { traces: vec![prefix(&id)], ..any() }, &["/3"]);
    check(&ran, Selection { traces: vec![prefix(&id[..8])], ..any() }, &["/3"]);
    let other = format!("{:032X}", ran.traces[1].id);
    check(&ran, Selection { traces: vec![prefix(&id), prefix(&other)], ..any() }, &["/1", "/3"]);
}

/// A call that is answered with this status.
fn answered(client: u8, server: u8, at: i64, path: &str, status: &str) -> Vec<Packet> {
    let mut connection = Connection::new(end(client, 40_000), end(server, 80));
    let mut packets = connection.open(at);
    let id = format!("X-Request-ID: Abc-{status}");
    packets.push(connection.asks(at, get(path, &["Host: Stock.example", &id])));
    packets.push(
        connection.tells(at + 1, head(&format!("HTTP/1.1 {status} Bad"), &["Content-Length: 0"])),
    );
    packets
}

#[test]
fn failures_services_and_texts_choose_traces() {
    let mut packets = all(&[Call::new(1, 2, 0..5, "/fine")]);
    packets.extend(answered(3, 4, 1_000, "/Broken?q=Tr%C3%BCb", "503"));
    packets.extend(answered(3, 5, 2_000, "/missing/b\u{fc}cher", "404"));
    let ran = run(&sorted(packets));
    check(&ran, Selection { errors: true, ..any() }, &["/Broken"]);
    let service = |name: &str| Selection { service: Some(Pattern::new(name)), ..any() };
    check(&ran, service("stock.*"), &["/Broken", "/missing/b\u{fc}cher"]);
    check(&ran, service("stock"), &[]);
    check(&ran, service("10.0.0.2:80"), &["/fine"]);
    let find = |text: &str| Selection { find: Some(text.to_owned()), ..any() };
    for text in ["broken", "BROKEN", "q=tr", "503", "10.0.0.4:80", "10.0.0.3:40000 "] {
        let expected: &[&str] = if text.ends_with(' ') { &[] } else { &["/Broken"] };
        check(&ran, find(text), expected);
    }
    check(&ran, find("aBC-"), &["/Broken", "/missing/b\u{fc}cher"]);
    check(&ran, find("B\u{dc}CHER"), &["/missing/b\u{fc}cher"]);
    check(&ran, find(&format!("{:016x}", ran.traces[0].spans[0].id)), &["/fine"]);
    check(&ran, Selection { errors: true, ..find("missing") }, &[]);
}

/// All that people see, but for the counts.
fn seen(ran: &Ran, look: Look) -> String {
    let mut bytes = Vec::new();
    let mut operations = Operations::new(look.protocols.clone());
    ran.traces.iter().for_each(|trace| operations.record(trace));
    let mut summary = ran.summary.clone();
    summary.services = operations.services();
    let layout = Layout {
        width: look.width,
        colors: look.colors,
        ascii: look.ascii,
        order: Order::Total,
        rows: 20,
    };
    let mut view =
        View::new(Terminal::new(look), &mut bytes).with_table(layout).with_singles_at_the_end();
    for traces in ran.traces.chunks(5) {
        view.traces(traces).unwrap();
    }
    view.finish().unwrap();
    view.conclude(&summary).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn exchanges_that_join_nothing_are_lines_at_the_end_failed_and_slowest_first() {
    let mut packets = all(&[
        Call::new(1, 2, 0..5, "/short"),
        Call::new(1, 2, 100..150, "/long"),
        // These two join.
        Call::new(1, 7, 400..450, "/outer"),
        Call::new(7, 8, 410..420, "/inner"),
    ]);
    packets.extend(answered(3, 4, 200, "/failed", "503"));
    let text = seen(&run(&sorted(packets)), look(120));
    let lines: Vec<&str> = text.lines().collect();
    let place = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(lines[0].starts_with("trace "));
    assert!(place("/inner") < place("joined no other"));
    assert_eq!(lines[place("joined no other")], "3 exchanges joined no other, 1 of them failed");
    let order = ["joined no other", "/failed", "/long", "/short", "service"].map(place);
    assert!(order.is_sorted(), "{order:?}\n{text}");
    assert_eq!(text.matches("/short").count(), 2, "a line, and a row of the table");
    let line = lines[place("/failed")];
    assert!(line.contains("22:13:20.200 10.0.0.3        → Stock.example"), "{line}");
    assert!(line.contains("! 503"), "{line}");
}

#[test]
fn of_many_exchanges_twenty_lines_are_shown_and_the_others_counted() {
    let text = seen(&apart(30), look(120));
    assert!(text.contains("30 exchanges joined no other; the slowest:"), "{text}");
    assert!(text.contains("GET /10 ") && !text.contains("GET /9 "), "{text}");
    assert!(text.contains("… 10 more; --all shows each, --find TEXT some"), "{text}");
}

#[test]
fn lines_of_exchanges_and_the_table_fit_any_width() {
    let long = format!("/{}", "很长".repeat(90));
    let mut packets = all(&[Call::new(1, 2, 0..5, &long)]);
    packets.extend(answered(3, 4, 200, "/failed", "503"));
    let ran = run(&sorted(packets));
    for width in 40..=300 {
        for line in seen(&ran, look(width)).lines() {
            let columns: usize = line.chars().map(|c| if c > '\u{2e80}' { 2 } else { 1 }).sum();
            assert!(columns <= width, "{columns} of {width}: {line}");
        }
    }
}

#[test]
fn an_ascii_terminal_gets_ascii() {
    let ran = run(&all(&[Call::new(1, 2, 0..5, "/caf\u{e9}")]));
    assert!(seen(&ran, Look { ascii: true, ..look(120) }).is_ascii());
}

fn check_why(calls: &[Call], expected: Option<&str>) {
    assert_eq!(run(&all(calls)).summary.unjoined.as_deref(), expected);
}

#[test]
fn why_nothing_joined_is_said_by_what_the_capture_holds() {
    let call = |client, server, from: i64, path| Call::new(client, server, from..from + 50, path);
    check_why(&[call(1, 2, 0, "/a")], None);
    check_why(
        &[call(1, 2, 0, "/a"), call(1, 2, 100, "/b")],
        Some("nothing: all calls go from 10.0.0.1 to 10.0.0.2:80"),
    );
    check_why(
        &[call(1, 2, 0, "/a"), call(3, 2, 100, "/b")],
        Some("nothing: all calls go to 10.0.0.2:80, and it is seen to make none itself"),
    );
    check_why(
        &[call(1, 2, 0, "/a"), call(1, 3, 100, "/b")],
        Some(
            "nothing: no host is seen both to be asked and to ask: capture on a server, or where \
             its own calls pass",
        ),
    );
    check_why(
        &[call(1, 2, 0, "/a"), call(2, 3, 100, "/b"), call(2, 3, 200, "/c")],
        Some(
            "nothing: no headers carry identifiers, and 2 of 3 calls began while none was open at \
             their caller",
        ),
    );
    // Two calls to host 2 are open while it calls host 3.
    let overlapping = |identified: usize| {
        let calls = [(1, 2, "/a"), (4, 2, "/b"), (2, 3, "/c"), (2, 3, "/d"), (2, 3, "/e")];
        let made = calls.into_iter().zip(0..).map(|((client, server, path), n)| {
            let made = call(client, server, n, path);
            let id = format!("X-Request-ID: of{path}");
            if (n as usize) < identified { made.asks(&id) } else { made }
        });
        made.collect::<Vec<_>>()
    };
    let several = "3 of 5 calls began while several were open at their caller";
    for (identified, what) in [
        (0, "no headers carry identifiers"),
        (1, "most carry no identifiers"),
        (5, "no two exchanges carry the same identifier"),
    ] {
        let expected = format!("nothing: {what}, and {several}");
        check_why(&overlapping(identified), Some(&expected));
    }
}

#[test]
fn where_one_in_ten_joined_nothing_is_said() {
    let joins = [Call::new(1, 2, 0..50, "/outer"), Call::new(2, 3, 10..20, "/inner")];
    let apart = (0..18).map(|n| Call::new(4, 5, 1_000 * n..1_000 * n + 9, &format!("/{n}")));
    let mut calls: Vec<Call> = joins.into_iter().chain(apart).collect();
    check_why(
        &calls,
        Some(
            "little: the others carry no identifiers, and 19 of 20 calls come from hosts that are \
             not seen to be asked",
        ),
    );
    calls.pop();
    check_why(&calls, None);
}

#[test]
fn flows_that_nobody_reads_are_told_by_server_and_protocol() {
    // A ClientHello that asks for shop.example.
    let mut hello = b"\x16\x03\x01\x00\x48\x01\x00\x00\x44\x03\x03".to_vec();
    hello.extend([7; 32]);
    hello.extend(b"\x00\x00\x02\x13\x01\x01\x00\x00\x19\x00\x17\x00\x00");
    hello.extend(b"\x00\x00\x00\x11\x00\x0f\x00\x00\x0cshop.example");
    let mut packets = Vec::new();
    for port in [40_000, 40_001] {
        let mut connection = Connection::new(end(1, port), end(2, 443));
        packets.extend(connection.open(i64::from(port)));
        packets.push(connection.asks(i64::from(port) + 1, &hello));
        packets
            .push(connection.tells(i64::from(port) + 2, b"\x16\x03\x03\x00\x08\x02\0\0\x04abcd"));
    }
    // Without a handshake, the greeting tells who the server is.
    let mut greets = Connection::new(end(1, 3_000), end(3, 5_900));
    packets.push(greets.tells(10, b"RFB 003.008\n"));
    let mut unknown = Connection::new(end(1, 40_000), end(4, 9_999));
    packets.push(unknown.asks(10, [0x80; 40]));
    let summary = run(&sorted(packets)).summary;
    let lines: Vec<String> = summary.unread.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "2 flows to 10.0.0.2:443 are TLS (shop.example), 180 bytes",
            "1 flow to 10.0.0.4:9999 speaks an unknown protocol, 40 bytes",
            "1 flow to 10.0.0.3:5900 is VNC, 12 bytes",
        ]
    );
    assert_eq!(summary.unknown_ports.len(), 3);
}
