//! Nanoseconds per packet, decoded and put into the stream of its flow; what is printed is the best
//! of several runs: `cargo bench -p wirespan-capture`.
#![expect(clippy::print_stdout, reason = "a benchmark's data go to stdout")]

use std::time::Instant;
use wirespan_capture::decode::Decoder;
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::flow::FlowTable;
use wirespan_capture::packet::{
    Batch, FileId, Frame, InterfaceId, LinkType, PacketHead, Timestamp,
};
use wirespan_capture::stream::{Cause, Flow, Seen, Side, StreamEvent, StreamSink};

fn main() {
    let smoke = std::env::args().any(|word| word == "--smoke");
    let (rounds, runs) = if smoke { (10, 1) } else { (20_000, 5) };
    let batch = conversation(rounds);
    let best = (0..runs).map(|_| run(&batch)).fold(f64::INFINITY, f64::min);
    println!("decode and reassemble, in order   {best:8.1} ns");
}

/// Requests of 300 and answers of 1,200 bytes on 64 connections, each acknowledged.
fn conversation(rounds: u32) -> Batch {
    let mut batch = Batch::default();
    for round in 0..rounds {
        for (back, payload) in [(false, 300), (true, 1200), (false, 0)] {
            let turn = round / 64;
            let (sent, got) = (turn * 300, turn * 1200);
            let (seq, ack) = match (back, payload) {
                (false, 0) => (sent + 300, got + 1200),
                (false, _) => (sent, got),
                (true, _) => (got, sent + 300),
            };
            let packet = packet(round % 64, back, seq, ack, payload, batch.packets.len() as u16);
            let start = batch.buffer.len();
            batch.buffer.extend(packet);
            batch.packets.push(PacketHead {
                at: Timestamp(i64::from(round) * 1_000),
                interface: InterfaceId(0),
                link: LinkType::ETHERNET,
                frame: Frame { file: FileId(0), number: batch.packets.len() as u64 + 1 },
                wire_len: (batch.buffer.len() - start) as u32,
                bytes: start..batch.buffer.len(),
            });
        }
    }
    batch
}

fn packet(flow: u32, back: bool, seq: u32, ack: u32, payload: u16, ip_id: u16) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([8, 0, 0x45, 0]);
    packet.extend((40 + payload).to_be_bytes());
    packet.extend((ip_id | 1).to_be_bytes());
    packet.extend([0x40, 0, 64, 6, 0, 0]);
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    packet.extend(if back { [server, client] } else { [client, server] }.concat());
    let (port, http) = ((40_000 + flow as u16).to_be_bytes(), 80u16.to_be_bytes());
    packet.extend(if back { [http, port] } else { [port, http] }.concat());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    packet.extend(std::iter::repeat_n(b'x', usize::from(payload)));
    packet
}

fn run(batch: &Batch) -> f64 {
    let mut table = FlowTable::new(FlowLimits::default());
    let mut decoder = Decoder::default();
    let mut sink = Counting(0);
    let began = Instant::now();
    for head in &batch.packets {
        if let Some(segment) = decoder.decode(&batch.buffer, head) {
            table.segment(&segment, &batch.buffer, &mut sink);
        }
    }
    let took = began.elapsed().as_nanos() as f64;
    table.finish(decoder.now(), &mut sink);
    assert!(sink.0 > 0, "nothing was delivered");
    took / batch.packets.len() as f64
}

struct Counting(u64);

impl StreamSink for Counting {
    fn event(&mut self, _flow: &Flow, _from: Side, _seen: &Seen, event: StreamEvent<'_>) {
        if let StreamEvent::Bytes { bytes, .. } = event {
            self.0 += bytes.len() as u64;
        }
    }

    fn clock(&mut self, _now: Timestamp, _cause: Cause, _order: u64) {}

    fn deadline(&self, _slot: usize) -> Option<Timestamp> {
        None
    }

    fn timeout(&mut self, _flow: &Flow, _now: Timestamp) {}
}
