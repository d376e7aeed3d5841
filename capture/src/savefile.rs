//! Packets to a pcapng file: what [`crate::source`] reads, written again, with comments.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>. One section, of nanoseconds;
//! an interface is described before its first packet, and one that has none is left out.

use crate::packet::{InterfaceId, PacketHead, Timestamp};
use crate::source::interfaces::Interface;
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
    /// The number in the file of each interface that has a packet.
    numbers: HashMap<InterfaceId, u32>,
    packets: u64,
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
        Ok(Self { writer, numbers: HashMap::new(), packets: 0 })
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
        let interface_id = match self.numbers.get(&head.interface) {
            Some(number) => *number,
            None => self.describe(head, interface, origin)?,
        };
        let comments = comments.iter().map(|text| EnhancedPacketOption::Comment(fitting(text)));
        let packet = EnhancedPacketBlock {
            interface_id,
            timestamp: since_1970(head.at),
            original_len: head.wire_len,
            data: Cow::Borrowed(bytes),
            options: comments.collect(),
        };
        self.writer.write_pcapng_block(packet).map_err(failure)?;
        self.packets += 1;
        Ok(())
    }

    /// Describes an interface before its first packet; gives its number in the file.
    fn describe(
        &mut self,
        head: &PacketHead,
        interface: &Interface,
        origin: &str,
    ) -> io::Result<u32> {
        let described = InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(head.link.0)),
            snaplen: interface.snaplen,
            options: vec![
                InterfaceDescriptionOption::IfName(fitting(&interface.name)),
                InterfaceDescriptionOption::IfDescription(fitting(origin)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.writer.write_pcapng_block(described).map_err(failure)?;
        // Interfaces are numbered with 16 bits here.
        let number = self.numbers.len() as u32;
        self.numbers.insert(head.interface, number);
        Ok(number)
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
        for number in 0..self.numbers.len() as u32 {
            let statistics = InterfaceStatisticsBlock {
                interface_id: number,
                timestamp: halves_swapped(until),
                options: vec![InterfaceStatisticsOption::IsbEndTime(halves_swapped(until))],
            };
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
