//! What was lost is told on the spans that it touches, and in the counts.

use crate::http::{Call, all, sorted};
use crate::packets::{Packet, START, source};
use crate::run::{Ran, join, look, name, run_source};
use std::io;
use wirespan::config::Config;
use wirespan::export::Render;
use wirespan::export::terminal::Terminal;
use wirespan::join::window::WindowLimits;
use wirespan_capture::decode::NamedPoint;
use wirespan_capture::packet::{Batch, InterfaceId, Loss};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::memory::MemorySource;
use wirespan_capture::source::{Fill, PacketSource};

/// Tells each loss with the first batch that holds a packet later than it.
struct Lossy {
    inner: MemorySource,
    losses: Vec<Loss>,
}

impl PacketSource for Lossy {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        let fill = self.inner.fill(batch)?;
        let last = batch.packets.last().map(|packet| packet.at);
        let is_due = |loss: &mut Loss| fill == Fill::End || last.is_some_and(|last| loss.to < last);
        batch.losses.extend(self.losses.extract_if(.., is_due));
        Ok(fill)
    }

    fn interfaces(&self) -> &Interfaces {
        self.inner.interfaces()
    }
}

/// A loss between these milliseconds.
fn loss(from: i64, to: i64) -> Loss {
    let at = |ms: i64| START.plus(ms * 1_000_000);
    Loss { from: at(from), to: at(to), interface: Some(InterfaceId(0)), packets: 7 }
}

fn run(packets: &[Packet], batch: usize, losses: &[Loss]) -> Ran {
    run_with(packets, batch, losses, Config::default())
}

fn run_with(packets: &[Packet], batch: usize, losses: &[Loss], config: Config) -> Ran {
    let inner = source(packets, batch);
    let mut ran = run_source(&mut Lossy { inner, losses: losses.to_vec() }, &config);
    ran.protocols = config.protocol_names();
    ran
}

/// The spans that are touched, whatever the batches.
#[track_caller]
fn check(packets: &[Packet], losses: &[Loss], expected: &[&str]) {
    for batch in [1, 3, 1_000] {
        let ran = run(packets, batch, losses);
        let touched = ran.spans().into_iter().filter(|span| span.exchange.touched.kernel_drops);
        let mut touched: Vec<String> = touched.map(name).collect();
        touched.sort();
        assert_eq!(touched, expected, "in batches of {batch}");
        let counted = ran.summary.touched.get("kernel-drops").copied().unwrap_or_default();
        assert_eq!(counted, expected.len() as u64);
    }
}

/// Three calls, one second and a half apart.
fn calls() -> Vec<Packet> {
    let call = |at: i64, path: &str| Call::new(1, 2, at..at + 100, path).port(10_000 + at as u16);
    all(&[call(10, "/a"), call(1_510, "/b"), call(3_010, "/c")])
}

#[test]
fn spans_of_the_time_are_marked_and_no_others() {
    check(&calls(), &[], &[]);
    check(&calls(), &[loss(1_550, 1_650)], &["/b"]);
    check(&calls(), &[loss(200, 300)], &[]);
    check(&calls(), &[loss(90, 190), loss(3_000, 3_100)], &["/a", "/c"]);
}

#[test]
fn a_request_whose_answer_may_be_lost_is_marked() {
    let mut packets = calls();
    // The answer to /b.
    let answer = |packet: &Packet| packet.source().port() == 80 && packet.time() == 1_610_000_000;
    let before = packets.len();
    packets.retain(|packet| !answer(packet));
    assert_eq!(packets.len(), before - 1);
    check(&packets, &[loss(1_605, 1_620)], &["/b"]);
}

#[test]
fn losses_of_another_tap_mark_nothing_here() {
    let mut packets = calls();
    let other = Call::new(3, 4, 20..90, "/other").packets();
    packets.extend(other.into_iter().map(|packet| packet.on("eth9")));
    let packets = sorted(packets);
    let elsewhere = Loss { interface: Some(InterfaceId(1)), ..loss(30, 40) };
    check(&packets, &[elsewhere], &["/other"]);
    let anywhere = Loss { interface: None, ..elsewhere };
    check(&packets, &[anywhere], &["/a", "/other"]);
}

#[test]
fn losses_of_a_tap_mark_what_others_of_its_point_saw() {
    let mut packets = calls();
    let other = Call::new(3, 4, 50..90, "/other").packets();
    packets.extend(other.into_iter().map(|packet| packet.on("eth9")));
    let packets = sorted(packets);
    let elsewhere = Loss { interface: Some(InterfaceId(1)), ..loss(1_550, 1_650) };
    let taps = ["eth0", "eth9"].map(str::to_owned).to_vec();
    for batch in [1, 3, 1_000] {
        let points =
            vec![NamedPoint { name: "both".to_owned(), taps: taps.clone(), because: None }];
        let config = Config { points, ..Config::default() };
        let ran = run_with(&packets, batch, &[elsewhere], config);
        let touched = ran.spans().into_iter().filter(|span| span.exchange.touched.kernel_drops);
        assert_eq!(touched.map(name).collect::<Vec<_>>(), ["/b"], "in batches of {batch}");
    }
}

#[test]
fn marks_are_in_lines_of_json_in_trees_and_in_the_counts() {
    let ran = run(&calls(), 3, &[loss(1_550, 1_650)]);
    let written = ran.ndjson();
    let lines: Vec<bool> =
        written.lines().map(|line| line.contains(r#""touched":["kernel-drops"]"#)).collect();
    assert_eq!(lines.iter().filter(|touched| **touched).count(), 1);
    assert_eq!(lines.len(), 3);
    let tree = Terminal::new(look(120));
    let mut text = Vec::new();
    ran.traces.iter().for_each(|trace| tree.trace(trace, &mut text));
    let text = String::from_utf8(text).unwrap();
    let signs: Vec<&str> = text.lines().filter(|line| line.contains('~')).collect();
    assert!(matches!(signs.as_slice(), [line] if line.contains("GET /b")), "{text}");
    let [interval] = ran.summary.losses.as_slice() else { panic!("{:?}", ran.summary.losses) };
    assert_eq!((interval.packets, interval.interface.as_deref()), (7, Some("eth0")));
    let counts = ran.summary.to_string();
    assert!(counts.contains("drops     7 packets on eth0"), "{counts}");
    assert!(counts.contains("touched   1 by kernel-drops"), "{counts}");
}

#[test]
fn marks_stay_when_spans_are_joined_anew() {
    let written = run(&calls(), 3, &[loss(1_550, 1_650)]).ndjson();
    assert!(written.contains("touched"));
    assert_eq!(join(&[&written], WindowLimits::default()).0, written);
}

#[test]
fn what_is_lost_somewhere_in_the_whole_capture_is_only_remarked() {
    let ran = run(&calls(), 3, &[loss(0, 12_000)]);
    assert!(ran.spans().iter().all(|span| !span.exchange.touched.kernel_drops));
    let [remark] = ran.summary.remarks.as_slice() else { panic!("{:?}", ran.summary.remarks) };
    assert!(remark.starts_with("the capture lost 7 packets on eth0"), "{remark}");
}
