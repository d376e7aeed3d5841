//! Runs packets through decoding and the flow table, and writes down the events; a connection
//! between two ends to make packets of.

use crate::packets::{Packet, START, source};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use wirespan_capture::counters::Counters;
use wirespan_capture::decode::Decoder;
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::flow::FlowTable;
use wirespan_capture::packet::{Batch, Timestamp};
use wirespan_capture::source::{Fill, PacketSource};
use wirespan_capture::stream::{Cause, Ending, Flow, Seen, Side, StreamEvent, StreamSink};

/// The events must be these, whatever the cuts between batches, and wherever the sequence numbers
/// wrap around.
pub(crate) fn check(packets: &[Packet], expected: &[&str]) -> Run {
    check_limits(FlowLimits::default(), packets, expected)
}

pub(crate) fn check_limits(limits: FlowLimits, packets: &[Packet], expected: &[&str]) -> Run {
    let first = run(packets, usize::MAX, limits);
    assert_eq!(first.events, expected);
    for batch in [1, 7] {
        let other = run(packets, batch, limits);
        assert_eq!(other.events, expected, "in batches of {batch}");
        assert_eq!(other.again, first.again, "in batches of {batch}");
        assert_eq!(other.counters, first.counters, "in batches of {batch}");
    }
    if packets.iter().any(Packet::is_fixed) {
        return first;
    }
    for wrap in [WRAPS_SOON, WRAPS_LATER] {
        let shifted: Vec<Packet> = packets.iter().map(|packet| shifted(packet, wrap)).collect();
        let other = run(&shifted, usize::MAX, limits);
        assert_eq!(other.events, expected, "with sequence numbers from {wrap:?} on");
    }
    first
}

/// Both directions' sequence numbers, moved.
fn shifted(packet: &Packet, [by_a, by_b]: [u32; 2]) -> Packet {
    match packet.source() {
        from if from == A || from == A6 => packet.clone().shift(by_a, by_b),
        from if from == B || from == B6 => packet.clone().shift(by_b, by_a),
        _ => packet.clone(),
    }
}

pub(crate) fn run(packets: &[Packet], batch: usize, limits: FlowLimits) -> Run {
    let mut source = source(packets, batch);
    let mut decoder = Decoder::default();
    let mut table = FlowTable::new(limits);
    let mut recorder = Recorder::default();
    let mut batch = Batch::default();
    loop {
        let fill = source.fill(&mut batch).unwrap();
        for head in &batch.packets {
            if let Some(segment) = decoder.decode(&batch.buffer, head) {
                table.segment(&segment, &batch.buffer, &mut recorder);
            }
        }
        table.expire(decoder.now(), &mut recorder);
        if fill == Fill::End {
            break;
        }
    }
    decoder.finish();
    table.finish(decoder.now(), &mut recorder);
    assert!(table.is_empty());
    assert!(recorder.alive.is_empty(), "flows without an end: {:?}", recorder.alive);
    let mut counters = decoder.counters;
    counters.add(&table.counters);
    let Recorder { events, again, streams, flows, seen, .. } = recorder;
    Run { events, again, streams, flows, seen, counters, taps: decoder.taps().len() }
}

/// What the event with these bytes was seen with.
pub(crate) fn seen_of(packets: &[Packet], bytes: &str) -> Seen {
    let run = run(packets, usize::MAX, FlowLimits::default());
    let found = run.seen.iter().find(|(other, _)| other == bytes.as_bytes());
    found.unwrap().1
}

/// What came of some packets.
pub(crate) struct Run {
    /// One line an event, but for the end of the capture.
    pub(crate) events: Vec<String>,
    /// Who sent what again, from which offset on, and for how many milliseconds it was missing.
    pub(crate) again: Vec<(Side, u64, Option<i64>)>,
    /// What each side of each flow sent.
    pub(crate) streams: BTreeMap<(u64, usize), Vec<Piece>>,
    /// Each flow as it was at its last event.
    pub(crate) flows: BTreeMap<u64, Flow>,
    /// What the packets were seen with that brought these bytes.
    pub(crate) seen: Vec<(Vec<u8>, Seen)>,
    pub(crate) counters: Counters,
    pub(crate) taps: usize,
}

/// What is known of a part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Gap(u64),
}

/// Writes events down, and checks what holds for all of them.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    again: Vec<(Side, u64, Option<i64>)>,
    streams: BTreeMap<(u64, usize), Vec<Piece>>,
    offsets: BTreeMap<(u64, usize), u64>,
    flows: BTreeMap<u64, Flow>,
    seen: Vec<(Vec<u8>, Seen)>,
    /// Births of the flows that have not ended, by slot.
    alive: BTreeMap<usize, u64>,
    cause: Option<(Timestamp, Cause)>,
}

impl StreamSink for Recorder {
    fn event(&mut self, flow: &Flow, from: Side, seen: &Seen, event: StreamEvent<'_>) {
        let birth = *self.alive.entry(flow.slot).or_insert(flow.birth);
        assert_eq!(birth, flow.birth, "two flows in one slot");
        self.flows.insert(flow.birth, flow.clone());
        let stream = (flow.birth, from.index());
        let next = self.offsets.entry(stream).or_default();
        let pieces = self.streams.entry(stream).or_default();
        let line = match event {
            StreamEvent::Bytes { offset, bytes } => {
                assert_eq!(offset, *next, "bytes and gaps tile the stream");
                *next += bytes.len() as u64;
                pieces.push(Piece::Bytes(bytes.to_vec()));
                self.seen.push((bytes.to_vec(), *seen));
                self.see_acknowledged(flow, from, seen);
                format!("{from:?} {offset} {}", String::from_utf8_lossy(bytes))
            }
            StreamEvent::Gap { offset, lost } => {
                assert_eq!(offset, *next, "bytes and gaps tile the stream");
                *next += lost.get();
                pieces.push(Piece::Gap(lost.get()));
                format!("{from:?} gap {offset}+{lost}")
            }
            StreamEvent::Datagram { bytes, cut: 0 } => {
                format!("{from:?} datagram {}", String::from_utf8_lossy(bytes))
            }
            StreamEvent::Datagram { bytes, cut } => {
                format!("{from:?} datagram {} cut {cut}", String::from_utf8_lossy(bytes))
            }
            StreamEvent::Again { offset, missed } => {
                assert!(offset <= *next || missed.is_none(), "what came late was told before");
                let missed = missed.map(|missed| (seen.at.0 - missed.0) / 1_000_000);
                self.again.push((from, offset, missed));
                return;
            }
            StreamEvent::Closed => format!("{from:?} closed"),
            StreamEvent::End(ending) => {
                self.alive.remove(&flow.slot);
                if ending == Ending::CaptureEnd {
                    return;
                }
                format!("end {ending:?}")
            }
        };
        let number = self.flows.keys().position(|birth| *birth == flow.birth).unwrap() + 1;
        let flow = if number == 1 { String::new() } else { format!("#{number} ") };
        let timer = match self.cause {
            Some((at, Cause::Timer)) => format!(" @{}", (at.0 - START.0) / 1_000_000),
            _ => String::new(),
        };
        self.events.push(format!("{flow}{line}{timer}"));
    }

    fn clock(&mut self, now: Timestamp, cause: Cause, _order: u64) {
        if cause != Cause::End
            && let Some((before, _)) = self.cause
        {
            assert!(before <= now, "the clock goes back");
        }
        self.cause = Some((now, cause));
    }

    fn deadline(&self, _slot: usize) -> Option<Timestamp> {
        None
    }

    fn timeout(&mut self, _flow: &Flow, _now: Timestamp) {
        panic!("nothing was asked for");
    }
}

impl Recorder {
    /// An answer never comes before what it acknowledges, or its gap.
    fn see_acknowledged(&self, flow: &Flow, from: Side, seen: &Seen) {
        let other = from.other().index();
        let Some(first) = flow.first_seq[other] else { return };
        let delivered = self.offsets.get(&(flow.birth, other)).copied().unwrap_or_default();
        let acknowledged = seen.ack.wrapping_sub(first).cast_signed();
        // A FIN counts one more than there are bytes.
        let ahead = i64::from(acknowledged) - 1 - delivered as i64;
        assert!(!(1..1 << 28).contains(&ahead) || seen.ack == 0, "{ahead} bytes come too late");
    }
}

/// The client's SYN.
pub(crate) fn syn() -> Packet {
    Packet::tcp(A, B, A_FIRST - 1, b"").syn()
}

/// The server's answer to it.
pub(crate) fn syn_ack() -> Packet {
    Packet::tcp(B, A, B_FIRST - 1, b"").syn().ack(A_FIRST)
}

/// Bytes of the client at this offset; what they acknowledge is said by [`acks`].
pub(crate) fn a(offset: u32, bytes: &str) -> Packet {
    Packet::tcp(A, B, A_FIRST + offset, bytes.as_bytes()).ack(B_FIRST)
}

/// Bytes of the server at this offset.
pub(crate) fn b(offset: u32, bytes: &str) -> Packet {
    Packet::tcp(B, A, B_FIRST + offset, bytes.as_bytes()).ack(A_FIRST)
}

/// The packet, acknowledging all of the other side before this offset.
pub(crate) fn acks(offset: u32, packet: Packet) -> Packet {
    let first = if packet.source() == A { B_FIRST } else { A_FIRST };
    packet.ack(first + offset)
}

/// A packet of something else, to move time on.
pub(crate) fn later(milliseconds: i64) -> Packet {
    let [from, to] = [2001, 2002].map(|port| SocketAddr::from(([10, 9, 9, 9], port)));
    Packet::udp(from, to, b"later").after(milliseconds)
}

/// The client.
pub(crate) const A: SocketAddr = v4(1, 40_000);
/// The server.
pub(crate) const B: SocketAddr = v4(2, 80);
/// The client, IPv6.
pub(crate) const A6: SocketAddr = v6(1, 40_000);
/// The server, IPv6.
pub(crate) const B6: SocketAddr = v6(2, 80);

/// Sequence number of the client's first byte.
pub(crate) const A_FIRST: u32 = 1_001;
/// Sequence number of the server's first byte.
pub(crate) const B_FIRST: u32 = 50_001;

const WRAPS_SOON: [u32; 2] = [u32::MAX - A_FIRST - 1, u32::MAX - B_FIRST - 3];
const WRAPS_LATER: [u32; 2] = [(u32::MAX >> 1) - A_FIRST - 2, 0];

const fn v4(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, host)), port)
}

const fn v6(host: u16, port: u16) -> SocketAddr {
    let ip = std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host);
    SocketAddr::new(std::net::IpAddr::V6(ip), port)
}
