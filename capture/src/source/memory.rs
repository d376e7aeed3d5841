//! Packets that are already in memory, as a source; for tests.

use crate::packet::{Batch, FileId, Frame, LinkType, PacketHead, Timestamp};
use crate::source::interfaces::{Interface, Interfaces};
use crate::source::{Fill, PacketSource};
use std::collections::VecDeque;
use std::io;

/// Gives the packets that were put into it, in that order.
#[derive(Debug, Default)]
pub struct MemorySource {
    packets: VecDeque<(PacketHead, Vec<u8>)>,
    interfaces: Interfaces,
    count: u64,
    batch: usize,
}

impl MemorySource {
    /// A source without packets that gives at most `batch` of them at a time.
    pub fn new(batch: usize) -> Self {
        Self { batch: batch.max(1), ..Self::default() }
    }

    /// Adds a packet of which all bytes were kept.
    #[must_use]
    pub fn packet(self, at: Timestamp, interface: &str, link: LinkType, bytes: &[u8]) -> Self {
        let wire_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.cut_packet(at, interface, link, bytes, wire_len)
    }

    /// Adds a packet that was longer on the wire.
    #[must_use]
    pub fn cut_packet(
        mut self,
        at: Timestamp,
        interface: &str,
        link: LinkType,
        bytes: &[u8],
        wire_len: u32,
    ) -> Self {
        let known = self.interfaces.iter().find(|(_, known)| known.name == interface);
        let id = known.map(|(id, _)| id).or_else(|| {
            self.interfaces.add(Interface {
                name: interface.to_owned(),
                link,
                file: FileId(0),
                section: 0,
                index: u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX),
                given: Some(interface.to_owned()),
                snaplen: 0,
                of_any: None,
            })
        });
        let Some(interface) = id else { return self };
        self.count += 1;
        let frame = Frame { file: FileId(0), number: self.count };
        let head = PacketHead { at, interface, link, frame, wire_len, bytes: 0..bytes.len() };
        self.packets.push_back((head, bytes.to_vec()));
        self
    }
}

impl PacketSource for MemorySource {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.clear();
        let count = self.batch.max(1).min(self.packets.len());
        for (mut head, bytes) in self.packets.drain(..count) {
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(&bytes);
            head.bytes = start..batch.buffer.len();
            batch.packets.push(head);
        }
        Ok(if self.packets.is_empty() { Fill::End } else { Fill::More })
    }

    fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }
}
