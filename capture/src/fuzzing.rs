//! The fuzz bodies, callable from tests: any bytes as packets, through decoding and reassembly.

use crate::decode::Decoder;
use crate::entry::FlowLimits;
use crate::flow::FlowTable;
use crate::packet::Batch;
use crate::packet::{LinkType, Timestamp};
use crate::source::memory::MemorySource;
use crate::source::{Fill, PacketSource};
use crate::stream::{Cause, Flow, Seen, Side, StreamEvent, StreamSink};
use std::collections::BTreeMap;

/// Takes bytes as packets and checks what the flow table tells of them.
///
/// ```text
/// ┌──────────────┬───────────────┬───────────────┬──────────────┬───────┐
/// │ tap, link: u8│ time step: u8 │ cut off: u8   │ length: u8   │ bytes │  …
/// └──────────────┴───────────────┴───────────────┴──────────────┴───────┘
/// ```
///
/// # Panics
/// If events of a stream do not follow on one another, or come after the end of their flow.
pub fn packets(data: &[u8]) {
    let mut source = MemorySource::new(7);
    let mut rest = data;
    let mut now = 0;
    while let Some(([link, step, cut, length], after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(*length).min(after.len());
        let (bytes, next) = after.split_at(length);
        rest = next;
        now += i64::from(*step) * 10_000_000;
        let number = usize::from(*link) / LINKS.len();
        let link = LINKS.get(usize::from(*link) % LINKS.len()).copied().unwrap_or(LinkType::RAW);
        let wire_len = (length + usize::from(*cut)) as u32;
        let interface = INTERFACES[number % INTERFACES.len()];
        source = source.cut_packet(Timestamp(now), interface, link, bytes, wire_len);
    }
    read(source);
}

/// Reads a source through a table with small limits.
fn read(mut source: MemorySource) {
    let limits = FlowLimits {
        flows: 8,
        waiting_per_flow: 1 << 12,
        waiting: 1 << 14,
        ..FlowLimits::default()
    };
    let mut table = FlowTable::new(limits);
    let mut decoder = Decoder::default();
    let mut sink = Checking::default();
    let mut batch = Batch::default();
    while let Ok(fill) = source.fill(&mut batch) {
        for head in &batch.packets {
            if let Some(segment) = decoder.decode(&batch.buffer, head) {
                table.segment(&segment, &batch.buffer, &mut sink);
            }
        }
        table.expire(decoder.now(), &mut sink);
        if fill == Fill::End {
            break;
        }
    }
    table.finish(decoder.now(), &mut sink);
    assert!(table.is_empty() && sink.open.is_empty(), "flows are left after the end");
}

/// Sees to it that each direction's events tile its stream.
#[derive(Default)]
struct Checking {
    /// The offset that comes next on either side, by slot.
    open: BTreeMap<usize, [u64; 2]>,
    clock: Option<(Timestamp, Cause, u64)>,
}

impl StreamSink for Checking {
    fn event(&mut self, flow: &Flow, from: Side, _seen: &Seen, event: StreamEvent<'_>) {
        assert!(self.clock.is_some(), "an event before any time was told");
        let next = &mut self.open.entry(flow.slot).or_default()[from.index()];
        match event {
            StreamEvent::Bytes { offset, bytes } => {
                assert!(!bytes.is_empty(), "an event without bytes");
                assert_eq!(offset, *next, "bytes follow on bytes");
                *next += bytes.len() as u64;
            }
            StreamEvent::Gap { offset, lost } => {
                assert_eq!(offset, *next, "a gap follows on bytes");
                *next += lost.get();
            }
            StreamEvent::Datagram { .. } | StreamEvent::Again { .. } | StreamEvent::Closed => {}
            StreamEvent::End(_) => drop(self.open.remove(&flow.slot)),
        }
    }

    fn clock(&mut self, now: Timestamp, cause: Cause, order: u64) {
        self.clock = Some((now, cause, order));
    }

    fn deadline(&self, _slot: usize) -> Option<Timestamp> {
        None
    }

    fn timeout(&mut self, _flow: &Flow, _now: Timestamp) {}
}

const INTERFACES: &[&str] = &["one", "other"];
const LINKS: &[LinkType] = &[
    LinkType::RAW,
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::IPV4,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_and_nearly_right_packets_break_no_rule() {
        let mut state = SEED;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        println!("seed {SEED:#x}");
        for _ in 0..2_000 {
            let mut data = Vec::new();
            for _ in 0..random() % 40 {
                let mut packet = in_tunnels(tcp(random() % 3, random()), random());
                for _ in 0..random() % 3 {
                    let at = random() as usize % packet.len();
                    packet[at] = random() as u8;
                }
                data.extend([0, (random() % 30) as u8, (random() % 4) as u8, packet.len() as u8]);
                data.extend(packet);
            }
            packets(&data);
        }
    }

    /// A raw IPv4 packet with TCP of one of a few flows, near the numbers of the others.
    fn tcp(flow: u64, random: u64) -> Vec<u8> {
        let payload = (random >> 32) as usize % 60;
        let back = random & 1 == 1;
        let flags = [0x10, 0x18, 0x02, 0x12, 0x11, 0x04, 0x10, 0x10][(random >> 1) as usize % 8];
        let seq = (u32::MAX - 50).wrapping_add((random >> 8) as u32 % 300);
        let ack = (u32::MAX - 50).wrapping_add((random >> 20) as u32 % 300);
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut packet =
            vec![0x45, 0, 0, (40 + payload) as u8, (random >> 40) as u8, 7, 0, 0, 64, 6, 0, 0];
        packet.extend(if back { [b, a] } else { [a, b] }.concat());
        let (client, server) = ((1000 + flow as u16).to_be_bytes(), 80u16.to_be_bytes());
        packet.extend(if back { [server, client] } else { [client, server] }.concat());
        packet.extend(seq.to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([0x50, flags, 1, 0, 0, 0, 0, 0]);
        packet.extend(std::iter::repeat_n(b'x', payload));
        packet
    }

    /// A packet in none to two tunnels, now with one number and then with another.
    fn in_tunnels(packet: Vec<u8>, random: u64) -> Vec<u8> {
        let id = random as u8 & 1;
        let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        let (protocol, headers) = match random >> 1 & 7 {
            0 => (17, [&[0xc0, 0, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, id, 0], &ethernet[..]]),
            1 => (17, [&[0xc0, 0, 0x17, 0xc1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, id, 0], &[][..]]),
            2 => (47, [&[0x20, 0, 8, 0, 0, 0, 0, id], &[][..]]),
            3 => {
                (47, [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 16, 0, 0, id, 0, 0, 0, 0], &ethernet[..]])
            }
            4 => (4, [&[][..], &[]]),
            _ => return packet,
        };
        let body = [headers.concat(), packet].concat();
        let mut outer = vec![0x45, 0, 0, (20 + body.len()) as u8, 0, 0, 0, 0, 64, protocol, 0, 0];
        outer.extend([10, 0, 0, 8, 10, 0, 0, 9]);
        outer.extend(body);
        if random >> 8 & 3 == 0 && outer.len() < 150 {
            return in_tunnels(outer, random >> 16);
        }
        outer
    }

    const SEED: u64 = 0x7769_7265_7370_616e;
}
