//! Packets to a pcapng file: what [`crate::source`] reads, written again, with comments.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>. One section, of nanoseconds;
//! an interface is described before its first packet, and one that has none is left out. Before an
//! interface of [`ANY`] that is described, too: one of cooked packets behind it, in the same section,
//! is one of its interfaces, whatever number they have in the packets.

use crate::packet::{InterfaceId, Loss, PacketHead, Timestamp};
use crate::source::interfaces::{ANY, Interface};
use hashbrown::HashMap;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

/// A pcapng file that is being written.
pub struct Savefile<W: Write> {
    writer: PcapNgWriter<W>,
    /// The interfaces that have a packet, or lost one.
    described: HashMap<InterfaceId, Described>,
    packets: u64,
}

/// An interface of the file.
#[derive(Clone, Copy)]
struct Described {
    /// Its number.
    number: u32,
    /// Packets that were lost on it since the file began.
    lost: u64,
    /// Until when that was said.
    counted: Option<Timestamp>,
}

impl<W: Write> Savefile<W> {
    /// Writes the header of the file.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn new(writer: W, application: &str) -> io::Result<Self> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![SectionHeaderOption::UserApplication(application.to_owned().into())],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(writer, section).map_err(failure)?;
        Ok(Self { writer, described: HashMap::new(), packets: 0 })
    }

    /// Adds a packet, seen on this interface, which came from that place.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn packet(
        &mut self,
        head: &PacketHead,
        bytes: &[u8],
        interface: &Interface,
        origin: &str,
        comments: &[&str],
    ) -> io::Result<()> {
        let described = self.describe(head.interface, interface, origin)?;
        let comments = comments.iter().map(|text| EnhancedPacketOption::Comment(fitting(text)));
        let packet = EnhancedPacketBlock {
            interface_id: described.number,
            timestamp: since_1970(head.at),
            original_len: head.wire_len,
            data: Cow::Borrowed(bytes),
            options: comments.collect(),
        };
        self.writer.write_pcapng_block(packet).map_err(failure)?;
        self.packets += 1;
        Ok(())
    }

    /// Says that packets were lost on this interface, of that number and origin: how many of them
    /// there were when that began, and when it had ended. Losses of one interface come in the
    /// order of time.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn lost(
        &mut self,
        loss: &Loss,
        id: InterfaceId,
        interface: &Interface,
        origin: &str,
    ) -> io::Result<()> {
        let before = self.describe(id, interface, origin)?;
        if before.counted.is_none_or(|counted| counted < loss.from) {
            self.count(before, loss.from)?;
        }
        let lost = before.lost.saturating_add(loss.packets);
        let after = Described { lost, counted: Some(loss.to), ..before };
        self.count(after, loss.to)?;
        self.described.insert(id, after);
        Ok(())
    }

    /// Says how many packets an interface had lost at this moment.
    fn count(&mut self, described: Described, at: Timestamp) -> io::Result<()> {
        let statistics = InterfaceStatisticsBlock {
            interface_id: described.number,
            timestamp: halves_swapped(since_1970(at).as_nanos() as u64),
            options: vec![InterfaceStatisticsOption::IsbOsDrop(described.lost)],
        };
        self.writer.write_pcapng_block(statistics).map_err(failure)?;
        Ok(())
    }

    /// Describes an interface now, if it is not yet: files of a series should number theirs alike.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn interface(
        &mut self,
        id: InterfaceId,
        interface: &Interface,
        origin: &str,
    ) -> io::Result<()> {
        self.describe(id, interface, origin).map(|_| ())
    }

    fn describe(
        &mut self,
        id: InterfaceId,
        interface: &Interface,
        origin: &str,
    ) -> io::Result<Described> {
        if let Some(described) = self.described.get(&id) {
            return Ok(*described);
        }
        if let Some(any) = interface.of_any
            && !self.described.contains_key(&any)
        {
            self.begin(any, ANY, interface, origin)?;
        }
        self.begin(id, &interface.name, interface, origin)
    }

    /// Writes what is known of an interface.
    fn begin(
        &mut self,
        id: InterfaceId,
        name: &str,
        interface: &Interface,
        origin: &str,
    ) -> io::Result<Described> {
        let described = InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(interface.link.0)),
            snaplen: interface.snaplen,
            options: vec![
                InterfaceDescriptionOption::IfName(fitting(name)),
                InterfaceDescriptionOption::IfDescription(fitting(origin)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.writer.write_pcapng_block(described).map_err(failure)?;
        // Interfaces are numbered with 16 bits here.
        let number = self.described.len() as u32;
        let described = Described { number, lost: 0, counted: None };
        self.described.insert(id, described);
        Ok(described)
    }

    /// The interfaces that are described, in the order of their numbers in the file.
    pub fn described(&self) -> Vec<InterfaceId> {
        let mut all: Vec<(u32, InterfaceId)> =
            self.described.iter().map(|(id, described)| (described.number, *id)).collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// Lets what was written so far be seen by others.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }

    /// How many packets were written.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Says until when packets were captured, and gives back what was written to.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn finish(mut self, until: Timestamp) -> io::Result<W> {
        let until = since_1970(until).as_nanos() as u64;
        let mut described: Vec<Described> = self.described.into_values().collect();
        described.sort_unstable_by_key(|described| described.number);
        for Described { number, lost, counted } in described {
            let mut options = vec![InterfaceStatisticsOption::IsbEndTime(halves_swapped(until))];
            // Where nothing was said of losses, it is not known that there were none.
            if counted.is_some() {
                options.push(InterfaceStatisticsOption::IsbOsDrop(lost));
            }
            let timestamp = halves_swapped(until);
            let statistics = InterfaceStatisticsBlock { interface_id: number, timestamp, options };
            self.writer.write_pcapng_block(statistics).map_err(failure)?;
        }
        let mut writer = self.writer.into_inner();
        writer.flush()?;
        Ok(writer)
    }
}

/// A text that fits into an option.
fn fitting(text: &str) -> Cow<'_, str> {
    let mut ends = (0..=LONGEST.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Cow::Borrowed(text.get(..end).unwrap_or_default())
}

/// The format has no times before 1970.
fn since_1970(at: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(at.0).unwrap_or_default())
}

/// The format has the upper half of a time first also in a little-endian file, which pcap-file sees
/// to with packets only.
fn halves_swapped(time: u64) -> u64 {
    time.rotate_left(32)
}

fn failure(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

/// As the option says it: the negative power of ten of a second.
const NANOSECONDS: u8 = 9;
/// Bytes of one text that are written; an option has room for 65,535.
const LONGEST: usize = 4 << 10;
