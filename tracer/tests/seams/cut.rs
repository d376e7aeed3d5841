//! The packets of one trace, cut out of a capture and read again, give the same trace.

use crate::http::{Call, Connection, all, end, get, head, ok, sorted};
use crate::packets::{Packet, Random, source};
use crate::run::{Here, Ran, name, run, run_source, with_protocols};
use crate::toy;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wirespan::config::Config;
use wirespan::cut::cut;
use wirespan::exchange::State;
use wirespan::pipeline;
use wirespan::select::{CaptureStart, IdPrefix, Selecting, Selection};
use wirespan::span::{Link, Reason, Span, SpanSink, Trace};
use wirespan::wanted::{Notes, Wanted};
use wirespan_capture::packet::Batch;
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::{Fill, PacketSource};
use wirespan_parsers::registry;
use wirespan_parsers::settings::Settings;

/// Notes the traces that come to it.
struct Wanting(Notes);

impl SpanSink for Wanting {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.want(std::slice::from_ref(trace));
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.end();
        Ok(())
    }
}

/// All of them pass here.
struct Passing(Notes, Selecting<Wanting>);

impl SpanSink for Passing {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.overhear(std::slice::from_ref(trace));
        self.1.trace(trace)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.1.finish()
    }
}

/// Each of them sees all.
struct Several(Vec<Passing>);

impl SpanSink for Several {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.trace(trace))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(SpanSink::finish)
    }
}

/// The file that holds the packets of the traces with this id.
fn cut_out(packets: &[Packet], id: u128, config: &Config) -> tempfile::NamedTempFile {
    cut_out_of(&|| source(packets, 3), id, config)
}

pub(crate) fn cut_out_of<S: PacketSource>(
    open: &dyn Fn() -> S,
    id: u128,
    config: &Config,
) -> tempfile::NamedTempFile {
    written(open, id, config, false)
}

fn written<S: PacketSource>(
    open: &dyn Fn() -> S,
    id: u128,
    config: &Config,
    sanitize: bool,
) -> tempfile::NamedTempFile {
    let mut wanted = wanted_of(&mut open(), &[id], config).remove(0);
    wanted.sanitize = sanitize;
    written_as(open, wanted, config)
}

/// What is wanted of the packets for each of these traces, from one run.
fn wanted_of(source: &mut dyn PacketSource, ids: &[u128], config: &Config) -> Vec<Wanted> {
    let mut notes = Vec::new();
    let mut sink = Several(Vec::new());
    for id in ids {
        let own = Notes::new(config.protocol_names());
        let traces = vec![IdPrefix::parse(&format!("{id:032x}")).unwrap()];
        let selection = Selection { traces, ..Selection::default() };
        let wanting = Wanting(own.clone());
        let chosen = Selecting::new(selection, CaptureStart::default(), wanting);
        sink.0.push(Passing(own.clone(), chosen));
        notes.push(own);
    }
    pipeline::run(source, &mut Here::default(), config, &mut sink);
    notes.iter().map(|notes| notes.take().unwrap()).collect()
}

fn written_as<S: PacketSource>(
    open: &dyn Fn() -> S,
    mut wanted: Wanted,
    config: &Config,
) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut savefile = Savefile::new(file, "test").unwrap();
    let files = ["memory".to_owned()];
    let mut again = open();
    let outcome =
        cut(&mut again, &mut Here::default(), config, &mut wanted, &files, &mut savefile).unwrap();
    assert_eq!(wanted.not_found(), 0, "each span has a packet");
    savefile.finish(outcome.until).unwrap()
}

/// What makes a trace what it is: its id, and of each span its id, its parent and the evidence.
fn identity(trace: &Trace) -> Vec<String> {
    let spans = trace.spans.iter().map(|span| {
        let link = span.link.as_ref();
        let link = link.map(|link| (trace.spans[link.parent].id, link.kind, link.reason));
        format!("{:032x} {:016x} {link:?} {:?} {}", trace.id, span.id, span.earlier, name(span))
    });
    spans.collect()
}

/// What came of the packets of a trace.
struct Again {
    ran: Ran,
    packets: usize,
}

/// Cuts out each trace that holds a span of this name, and reads it again; `others` are pipelined
/// with it.
fn check_with(packets: &[Packet], wanted: &str, others: &[&str], config: &Config) -> Again {
    let whole = run_source(&mut source(packets, 100), config);
    let holds = |trace: &&Trace| trace.spans.iter().any(|span| name(span) == wanted);
    let id = whole.traces.iter().find(holds).unwrap().id;
    let expected: Vec<_> =
        whole.traces.iter().filter(|trace| trace.id == id).flat_map(identity).collect();
    let file = cut_out(packets, id, config);
    let count = count(&mut FileSource::open(file.path()).unwrap());
    let ran = run_source(&mut FileSource::open(file.path()).unwrap(), config);
    let is_other = |line: &String| others.iter().any(|name| line.ends_with(name));
    let found: Vec<_> = ran.traces.iter().flat_map(identity).filter(|l| !is_other(l)).collect();
    assert_eq!(found, expected, "{wanted}");
    let names: BTreeSet<String> = ran.spans().into_iter().map(name).collect();
    assert!(others.iter().all(|other| names.contains(*other)), "{names:?}");
    Again { ran, packets: count }
}

fn check(packets: &[Packet], wanted: &str) -> Again {
    check_with(packets, wanted, &[], &Config::default())
}

fn count(source: &mut dyn PacketSource) -> usize {
    let mut batch = Batch::default();
    let mut packets = 0;
    loop {
        let fill = source.fill(&mut batch).unwrap();
        packets += batch.packets.len();
        if fill == Fill::End {
            return packets;
        }
    }
}

/// Two connections that stay open: a client calls a gateway, which calls a service, five times.
fn hops() -> Vec<Packet> {
    let mut front = Connection::new(end(1, 40_000), end(2, 80));
    let mut back = Connection::new(end(2, 41_000), end(3, 80));
    let mut packets = [front.open(1), back.open(1)].concat();
    for n in 0..5 {
        let at = 10 + n * 100;
        packets.push(front.asks(at, get(&format!("/front{n}"), &[])));
        packets.push(front.tells(at + 1, ""));
        packets.push(back.asks(at + 5, get(&format!("/back{n}"), &[])));
        packets.push(back.tells(at + 10, ok(&[], "abc")));
        packets.push(back.asks(at + 11, ""));
        packets.push(front.tells(at + 20, ok(&[], "abcdef")));
        packets.push(front.asks(at + 21, ""));
    }
    packets.extend([front.client_closes(900), front.server_closes(901), front.asks(902, "")]);
    sorted(packets)
}

#[test]
fn exchange_amid_others_is_the_same_without_them() {
    for n in 1..4 {
        let again = check(&hops(), &format!("/front{n}"));
        assert_eq!(again.packets, 7);
        assert_eq!(again.ran.trees(), [format!("/front{n}(/back{n}[one-candidate])")]);
        assert!(again.ran.summary.lost.is_empty(), "{:?}", again.ran.summary.lost);
    }
}

#[test]
fn first_exchange_keeps_the_handshake_and_the_last_one_the_end() {
    // Two of either handshake more.
    assert_eq!(check(&hops(), "/front0").packets, 7 + 4);
    assert_eq!(check(&hops(), "/front4").packets, 7 + 3);
}

#[test]
fn call_is_linked_though_what_caused_it_is_told_later() {
    // Without its handshake, it takes some time until it is clear where the upper connection starts.
    let mut front = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = front.open(1);
    packets.extend([front.asks(10, get("/first", &[])), front.tells(11, ok(&[], ""))]);
    packets.extend([front.asks(500, get("/front", &[])), front.tells(550, ok(&[], ""))]);
    packets.extend(Call::new(2, 3, 510..520, "/back").packets());
    // Here it does not end before the call is told.
    packets.extend([front.asks(600, get("/long", &[])), front.tells(900, ok(&[], ""))]);
    packets.extend(Call::new(2, 3, 610..620, "/deep").packets());
    let packets = sorted(packets);
    assert_eq!(check(&packets, "/back").ran.trees(), ["/front(/back[one-candidate])"]);
    assert_eq!(check(&packets, "/deep").ran.trees(), ["/long(/deep[one-candidate])"]);
}

#[test]
fn bytes_that_are_sent_again_copied_or_out_of_order_are_kept() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(1);
    packets.extend([c.asks(5, get("/before", &[])), c.tells(6, ok(&[], ""))]);
    let whole = get("/x", &["A: b"]);
    let (one, two) = whole.split_at(10);
    let (one, two) = (c.asks(101, one).id(1), c.asks(100, two).id(2));
    let answer = c.tells(400, ok(&[], "abcdef")).id(3);
    packets.extend([one.clone().at(300).id(4), one.clone(), one, two]);
    packets.extend([answer.clone().at(900).id(5), answer]);
    packets.extend([c.asks(901, get("/after", &[])), c.tells(902, ok(&[], ""))]);
    let again = check(&sorted(packets), "/x");
    assert_eq!(again.packets, 6);
    assert_eq!((again.ran.summary.packets_by["copies"], again.ran.spans().len()), (1, 1));
}

#[test]
fn exchange_at_two_points_is_kept_at_both() {
    let near = hops();
    let far = near.iter().map(|packet| packet.clone().on("far").ttl(60).at_ns(packet.time() + 40));
    let again = check(&sorted([near.clone(), far.collect()].concat()), "/front2");
    assert_eq!(again.packets, 14);
    assert_eq!(again.ran.taps, ["eth0", "far"]);
}

/// The packet in another one of IP.
fn in_ip(packet: &Packet, id: u16) -> Packet {
    let inner = packet.ip_bytes(id);
    let [high, low] = (inner.len() as u16 + 20).to_be_bytes();
    let header = [0x45, 0, high, low, 0, 0, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9];
    packet.clone().id(id).ip([header.as_slice(), &inner].concat())
}

#[test]
fn packets_in_tunnels_are_kept_with_their_fragments_inside_and_outside() {
    let mut packets = Vec::new();
    for (number, packet) in Call::new(1, 2, 10..20, "/x").packets().into_iter().enumerate() {
        let id = number as u16 * 100 + 1;
        for (piece, inner) in packet.id(id).fragments(32).iter().enumerate() {
            packets.extend(in_ip(inner, id + piece as u16).fragments(48));
        }
    }
    let again = check(&packets, "/x");
    assert_eq!(again.packets, packets.len());
    assert!(again.ran.summary.packets_by["fragments"] > 6);
    assert_eq!(again.ran.taps, ["eth0:ipip@192.0.2.1-192.0.2.9", "eth0"]);
}

#[test]
fn lost_bytes_stay_lost() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(1);
    packets.extend([c.asks(5, get("/before", &[])), c.tells(6, ok(&[], ""))]);
    packets.push(c.asks(100, get("/x", &[])));
    let response = ok(&[], &"x".repeat(3_000));
    packets.push(c.tells(110, &response[..1_000]));
    c.tells(111, &response[1_000..2_000]);
    packets.push(c.tells(112, &response[2_000..]));
    packets.push(c.asks(113, ""));
    packets.extend([c.asks(201, get("/after", &[])), c.tells(202, ok(&[], ""))]);
    check(&sorted(packets), "/x");
}

#[test]
fn interim_response_comes_with_its_exchange() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(1);
    packets.extend([c.asks(5, get("/before", &[])), c.tells(6, ok(&[], ""))]);
    let headers = ["Expect: 100-continue", "Content-Length: 3"];
    packets.push(c.asks(100, head("POST /x HTTP/1.1", &headers)));
    packets.push(c.tells(110, head("HTTP/1.1 100 Continue", &[])));
    packets.push(c.asks(120, "abc"));
    packets.push(c.tells(130, ok(&[], "")));
    let again = check(&packets, "/x");
    assert_eq!((again.packets, again.ran.span("/x").exchange.state), (4, State::Complete));
}

#[test]
fn what_is_pipelined_stays_together() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(1);
    packets.extend([c.asks(5, get("/before", &[])), c.tells(6, ok(&[], ""))]);
    packets.push(c.asks(100, get("/one", &[]) + &get("/two", &[])));
    packets.push(c.asks(101, get("/three", &[])));
    packets.push(c.tells(110, ok(&[], "1")));
    packets.push(c.tells(111, ok(&[], "22") + &ok(&[], "333")));
    packets.extend([c.asks(201, get("/after", &[])), c.tells(202, ok(&[], ""))]);
    for (wanted, others) in [("/one", ["/two", "/three"]), ("/three", ["/one", "/two"])] {
        let again = check_with(&packets, wanted, &others, &Config::default());
        assert_eq!(again.packets, 4);
        let lengths = again.ran.spans().into_iter();
        let lengths: Vec<u64> = lengths.map(|s| s.exchange.response.unwrap().len).collect();
        assert_eq!(lengths, [39, 40, 41], "each has its own response");
    }
}

#[test]
fn connection_that_failed_is_cut_out_whole() {
    let (client, server) = (end(2, 41_000), end(3, 80));
    let syn = Packet::tcp(client, server, 100, b"").syn();
    let refusal = Packet::tcp(server, client, 0, b"").ack(101).rst();
    let mut packets = vec![syn.clone().at(12), syn.at(1_012).id(9), refusal.at(1_013)];
    packets.extend(Call::new(1, 2, 10..1_020, "/front").packets());
    packets.extend(Call::new(1, 5, 10..20, "/other").packets());
    let again = check(&sorted(packets), "/front");
    assert_eq!(again.ran.trees(), ["/front(connect[one-candidate])"]);
    assert_eq!(again.packets, 4 + 3);
}

#[test]
fn connection_that_nobody_answered_is_the_same_though_time_stands_still() {
    let syn = Packet::tcp(end(2, 41_000), end(3, 80), 100, b"").syn();
    let mut packets = vec![syn.clone().at(12), syn.at(1_012).id(9)];
    packets.extend(Call::new(1, 2, 10..1_020, "/front").packets());
    packets.extend(Call::new(1, 5, 60_000..60_010, "/much-later").packets());
    // Both are told after ten seconds only, when what was open has long been handed out.
    let again = check(&sorted(packets), "connect");
    assert_eq!((again.ran.trees(), again.packets), (vec!["connect".to_owned()], 2));
}

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    bytes.push(name.len() as u8);
    bytes.extend(name.as_bytes());
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn answer(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = query(id, name);
    bytes[2..4].copy_from_slice(&[0x81, 0x83]);
    bytes
}

#[test]
fn datagrams_are_the_same_without_those_before_them() {
    let (client, server) = (end(2, 50_000), end(9, 53));
    let mut packets = Vec::new();
    for n in 0..4 {
        let (at, name) = (10 + i64::from(n) * 10, format!("n{n}"));
        packets.push(Packet::udp(client, server, &query(n, &name)).at(at).id(10 + n));
        packets.push(Packet::udp(client, server, &query(n, &name)).at(at).id(10 + n));
        packets.push(Packet::udp(server, client, &answer(n, &name)).at(at + 5).id(20 + n));
    }
    for n in 0..4 {
        assert_eq!(check(&packets, &format!("n{n}")).packets, 3, "and the copy");
    }
}

#[test]
fn all_fragments_of_a_datagram_are_kept_in_their_order() {
    let (client, server) = (end(2, 50_000), end(9, 53));
    let mut packets = Vec::new();
    for n in 0..3 {
        let at = 10 + i64::from(n) * 10;
        packets.push(Packet::udp(client, server, &query(n, "abcdefghijklmn")).at(at).id(10 + n));
        let whole = Packet::udp(server, client, &answer(n, "abcdefghijklmn")).id(20 + n);
        let fragments = whole.fragments(16).into_iter();
        packets.extend(fragments.enumerate().map(|(k, fragment)| fragment.at(at + k as i64)));
        // It lies between the fragments.
        packets.extend(Call::new(1, 5, at..at + 1, &format!("/{n}")).packets());
    }
    // A fragment of something that never becomes whole.
    let never = Packet::udp(client, server, &[0; 64]).id(99).fragments(16)[0].clone().at(5);
    let packets = sorted([vec![never], packets].concat());
    let whole = run(&packets);
    let spans = whole.spans();
    let ids: Vec<u128> = whole.traces.iter().map(|trace| trace.id).collect();
    assert_eq!((spans.len(), ids.len()), (6, 6));
    for id in ids {
        let file = cut_out(&packets, id, &Config::default());
        let ran = run_source(&mut FileSource::open(file.path()).unwrap(), &Config::default());
        assert_eq!(
            ran.ids(),
            whole.ids().into_iter().filter(|(t, _)| *t == id).collect::<Vec<_>>()
        );
    }
}

#[test]
fn exchange_in_a_tunnel_is_the_same_without_the_tunnel() {
    let mut c = Connection::new(end(1, 40_000), end(2, 9_000));
    let mut packets = c.open(0);
    packets.push(c.asks(1, head("CONNECT back:80 HTTP/1.1", &["Host: back:80"])));
    packets.push(c.tells(2, head("HTTP/1.1 200 Connection established", &[])));
    for n in 0..3 {
        packets.push(c.asks(10 + n, get(&format!("/{n}"), &[])));
        packets.push(c.tells(10 + n, ok(&[], "")).at_ns((10 + n) * 1_000_000 + 5));
    }
    check(&packets, "/1");
    check(&packets, "back:80");
}

#[test]
fn exchange_inside_another_flow_is_the_same_where_the_outer_one_can_be_read() {
    let config = with_protocols(toy::protocols);
    let mut c = Connection::new(end(1, 40_000), end(2, 9_000));
    let mut packets = c.open(0);
    packets.push(c.asks(1, "!to mux\n"));
    packets.push(c.asks(2, [toy::frame(1, "?a\n"), toy::frame(2, "?b\n")].concat()));
    packets.push(c.tells(3, [toy::frame(1, "=a\n"), toy::frame(2, "=b\n")].concat()));
    let whole = run_source(&mut source(&packets, 9), &config);
    assert_eq!(whole.trees(), ["A", "B"]);
    let spans: BTreeSet<u64> = whole.spans().into_iter().map(|span| span.id).collect();
    assert_eq!(spans.len(), 2, "each has an id of its own");
    let file = cut_out(&packets, whole.trace_of("B").id, &config);
    assert_eq!(count(&mut FileSource::open(file.path()).unwrap()), 2);
}

#[test]
fn ids_of_what_comes_in_one_packet_differ() {
    let config = with_protocols(toy::protocols);
    let (client, server) = (end(1, 40_000), end(2, 9_000));
    let packets = [
        Packet::udp(client, server, b"?a,b\n").at(1),
        Packet::udp(server, client, b"=a,b\n").at(2),
        Packet::udp(client, server, b"?c,d\n").at(3),
        Packet::udp(server, client, b"=c,d\n").at(4),
    ];
    let whole = run_source(&mut source(&packets, 9), &config);
    let ids: BTreeSet<u64> = whole.spans().into_iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), 4);
    for wanted in ["C", "D"] {
        let file = cut_out(&packets, whole.trace_of(wanted).id, &config);
        let ran = run_source(&mut FileSource::open(file.path()).unwrap(), &config);
        let again: BTreeSet<u64> = ran.spans().into_iter().map(|span| span.id).collect();
        assert_eq!(again.len(), 2);
        assert!(again.is_subset(&ids));
    }
}

#[test]
fn each_of_random_calls_is_the_same_alone() {
    for seed in 0..8 {
        let mut random = Random(seed);
        let calls: Vec<Call> = (0..25)
            .map(|n| {
                let client = 1 + random.below(4) as u8;
                let server = 1 + (usize::from(client) + random.below(3)) as u8 % 4;
                let start = 1_000 + random.below(20_000) as i64;
                let times = start..start + 1 + random.below(300) as i64;
                let call = Call::new(client, server, times, &format!("/{n}"));
                if random.below(2) == 0 {
                    call
                } else {
                    call.asks(&format!("X-Request-ID: r{}", n / 4))
                }
            })
            .collect();
        let packets = all(&calls);
        let whole = run(&packets);
        for trace in &whole.traces {
            let file = cut_out(&packets, trace.id, &Config::default());
            let ran = run_source(&mut FileSource::open(file.path()).unwrap(), &Config::default());
            let expected: Vec<_> = whole.traces.iter().filter(|t| t.id == trace.id).collect();
            assert_eq!(ran.traces.len(), expected.len(), "seed {seed}: {:?}", ran.trees());
            let spans = |trace: &Trace| trace.spans.iter().map(|s| s.id).collect::<BTreeSet<_>>();
            assert_eq!(spans(&ran.traces[0]), spans(expected[0]), "seed {seed}");
        }
    }
}

#[test]
fn traces_of_the_shipped_captures_are_the_same_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures");
    let mut captures: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let inputs = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            inputs.into_iter().find(|path| path.to_string_lossy().contains("input.")).unwrap()
        })
        .collect();
    captures.sort();
    // They are many, and each takes its time.
    let (first, second) = captures.split_at(captures.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| first.iter().for_each(|capture| check_traces_alone(capture)));
        second.iter().for_each(|capture| check_traces_alone(capture));
    });
}

/// Some of the traces of a capture are the same alone.
fn check_traces_alone(capture: &Path) {
    let config = Config::default();
    let protocols = config.protocol_names();
    let open = || FileSource::open(capture).unwrap();
    let whole = run_source(&mut open(), &config);
    let spans: BTreeSet<u64> = whole.spans().into_iter().map(|span| span.id).collect();
    // What was prepared in another trace is not known from the packets of this one.
    let prepared = |trace: &&Trace| {
        trace
            .spans
            .iter()
            .any(|span| span.exchange.text.text("wirespan.db.command") == Some(b"EXECUTE"))
    };
    // A message of Dubbo is not found that begins in a packet behind the end of another one,
    // which begins in a packet of another trace.
    let refers = |span: &Span| span.exchange.protocol.name(&protocols) == "dubbo";
    // The packets are read anew for each.
    let step = (whole.traces.len() / 12).max(4);
    let traces = || whole.traces.iter().filter(|trace| !prepared(trace)).step_by(step);
    let ids: Vec<u128> = traces().map(|trace| trace.id).collect();
    let wanted = wanted_of(&mut open(), &ids, &config);
    for (trace, wanted) in traces().zip(wanted) {
        let file = written_as(&open, wanted, &config);
        let ran = run_source(&mut FileSource::open(file.path()).unwrap(), &config);
        let what = format!("{} {:032x}: {:?}", capture.display(), trace.id, ran.trees());
        // What was learnt from other traces is not known alone: which addresses are one machine's,
        // and what calls of a kind are made for.
        let learnt = |link: &Link| matches!(link.reason, Reason::Content | Reason::OneCandidate);
        let needs_others = trace.spans.iter().filter_map(|span| span.link.as_ref()).any(learnt);
        if needs_others {
            let ids = |spans: &[&Span]| spans.iter().map(|s| s.id).collect::<BTreeSet<_>>();
            let own = ids(&trace.spans.iter().collect::<Vec<_>>());
            assert!(ids(&ran.spans()).is_superset(&own), "{what}");
        } else if !trace.spans.iter().any(&refers) {
            let again = ran.traces.iter().find(|again| again.id == trace.id).expect(&what);
            assert_eq!(identity(again), identity(trace), "{what}");
        }
        // With it comes only what is pipelined with it.
        for other in ran.traces.iter().flat_map(|trace| &trace.spans) {
            assert!(spans.contains(&other.id), "{what}");
        }
    }
}

/// Cuts out the trace of a request to `/x` with its secrets overwritten, and reads it again.
fn sanitized(packets: &[Packet]) -> (Ran, String) {
    let whole = run(packets);
    let holds = |trace: &&Trace| trace.spans.iter().any(|span| name(span) == "/x");
    let traces = whole.traces.iter().filter(holds);
    let id = traces.clone().next().unwrap().id;
    let settings = Arc::new(Settings { locate_secrets: true, ..Settings::default() });
    let config =
        Config { protocols: Box::new(move || registry::protocols(&settings)), ..Config::default() };
    let file = written(&|| source(packets, 3), id, &config, true);
    let ran = run_source(&mut FileSource::open(file.path()).unwrap(), &Config::default());
    let same: Vec<_> = ran.traces.iter().filter(holds).flat_map(identity).collect();
    assert_eq!(same, traces.flat_map(identity).collect::<Vec<_>>());
    let bytes = std::fs::read(file.path()).unwrap();
    (ran, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn secrets_in_packets_are_overwritten_wherever_bytes_are_cut() {
    let request = "POST /x?token=CANARY HTTP/1.1\r\nAuthorization: Basic CANARY\r\nCookie: \
                   sid=CANARY\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n\
                   {\"user\":\"ann\",\"password\":\"CANARY\"}";
    let response = ok(&["Set-Cookie: s=CANARY; Path=/"], "<a token='CANARY'/>");
    for cut in [20, 60, 100, 140, 150] {
        let mut c = Connection::new(end(1, 40_000), end(2, 80));
        let mut packets = c.open(1);
        let (one, two) = request.split_at(cut);
        let (one, two) = (c.asks(10, one), c.asks(11, two));
        // The first piece comes again, later and out of order.
        packets.extend([one.clone().at(12).id(9), one, two]);
        packets.push(c.tells(20, &response));
        let (ran, bytes) = sanitized(&sorted(packets));
        for piece in ["CAN", "ANA", "NAR", "ARY"] {
            assert!(!bytes.contains(piece), "{cut}: {bytes}");
        }
        assert!(bytes.contains("s=111111; Path") && bytes.contains("<a token='111111'/>"));
        assert_eq!(ran.spans().len(), 1);
    }
}

#[test]
fn bytes_of_other_exchanges_in_the_same_packets_are_overwritten() {
    let mut c = Connection::new(end(1, 40_000), end(2, 80));
    let mut packets = c.open(1);
    packets.push(c.asks(10, get("/x", &[])));
    packets.push(c.tells(20, ok(&[], "abc") + "HTTP/1.1 100 Continue\r\n\r\nSECRET"));
    let (_, bytes) = sanitized(&sorted(packets));
    assert!(bytes.contains("\r\n\r\nabc1111") && !bytes.contains("SECRET"), "{bytes}");
}
