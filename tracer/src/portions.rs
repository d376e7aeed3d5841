//! A source that gives what another one gives in smaller batches: a batch may hold so many little
//! messages that what is made of them takes far more memory than its packets do.

use std::io;
use wirespan_capture::packet::{Batch, PacketHead};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::{Fill, PacketSource};

/// Gives batches of so many bytes of packets, or of one packet that has more.
pub struct Portions<'s> {
    source: &'s mut dyn PacketSource,
    most: usize,
    /// What the source gave, how many packets of it were given on, and what it came to.
    whole: Batch,
    given: usize,
    came_to: Fill,
}

impl<'s> Portions<'s> {
    /// Gives at most so many bytes at a time.
    pub fn new(source: &'s mut dyn PacketSource, most: usize) -> Self {
        Self { source, most, whole: Batch::default(), given: 0, came_to: Fill::More }
    }

    /// Puts the next packets into a batch, which is empty; whether they are the last ones.
    fn portion(&mut self, batch: &mut Batch) -> bool {
        let Self { most, whole, given, .. } = self;
        if *given == 0 {
            batch.losses.append(&mut whole.losses);
            batch.names.append(&mut whole.names);
        }
        let rest = whole.packets.get(*given..).unwrap_or_default();
        for packet in rest {
            let bytes = whole.bytes(packet);
            let start = batch.buffer.len();
            if start > 0 && start + bytes.len() > *most {
                return false;
            }
            batch.buffer.extend_from_slice(bytes);
            let bytes = start..batch.buffer.len();
            batch.packets.push(PacketHead { bytes, ..packet.clone() });
            batch.owners.extend_from_slice(whole.owners(packet));
            *given += 1;
        }
        true
    }
}

impl PacketSource for Portions<'_> {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.clear();
        if self.given >= self.whole.packets.len() {
            self.given = 0;
            self.came_to = self.source.fill(&mut self.whole)?;
            if self.whole.packets.iter().map(|packet| packet.bytes.len()).sum::<usize>()
                <= self.most
            {
                // As it is: mostly where packets come live.
                std::mem::swap(batch, &mut self.whole);
                return Ok(self.came_to);
            }
        }
        Ok(if self.portion(batch) { self.came_to } else { Fill::More })
    }

    fn interfaces(&self) -> &Interfaces {
        self.source.interfaces()
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_capture::packet::LinkType;
    use wirespan_capture::packet::Timestamp;
    use wirespan_capture::source::memory::MemorySource;

    #[test]
    fn packets_come_whole_and_in_order_in_smaller_batches() {
        let check = |most: usize, expected: &[&[u8]]| {
            let mut source = (1..=5_u8).fold(MemorySource::new(4), |source, number| {
                let bytes = vec![number; usize::from(number)];
                source.packet(Timestamp(number.into()), "eth0", LinkType::RAW, &bytes)
            });
            let mut portions = Portions::new(&mut source, most);
            let mut batch = Batch::default();
            let mut found: Vec<Vec<u8>> = Vec::new();
            loop {
                let fill = portions.fill(&mut batch).unwrap();
                for packet in &batch.packets {
                    let number = packet.at.0 as u8;
                    assert_eq!(batch.bytes(packet), vec![number; usize::from(number)]);
                }
                if !batch.packets.is_empty() {
                    found.push(batch.packets.iter().map(|packet| packet.at.0 as u8).collect());
                }
                if fill == Fill::End {
                    break;
                }
            }
            assert_eq!(found, expected, "{most}");
        };
        check(100, &[&[1, 2, 3, 4], &[5]]);
        check(6, &[&[1, 2, 3], &[4], &[5]]);
        check(4, &[&[1, 2], &[3], &[4], &[5]]);
        check(1, &[&[1], &[2], &[3], &[4], &[5]]);
    }
}
