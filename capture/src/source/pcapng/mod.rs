//! Bytes of a pcapng file in, packet heads out.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>. Blocks are framed, and
//! packets read, by hand and in place; the options of the other blocks are read by `pcap-parser`.

pub(super) mod names;

use crate::owner::Owner;
use crate::packet::{FileId, Frame, InterfaceId, LinkType, Loss, OwnerOf, PacketHead, Timestamp};
use crate::source::interfaces::Interface;
use crate::source::report::Damage;
use crate::source::walk::{Context, Walked};
use pcap_parser::OptionCode;
use pcap_parser::pcapng::{
    PcapNGOption, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le,
};

/// Where reading stands in a pcapng file.
#[derive(Default)]
pub(super) struct Blocks {
    big_endian: bool,
    /// Sections so far.
    sections: u32,
    /// The interfaces of this section.
    interfaces: Vec<Described>,
    /// The frame number of the last packet.
    number: u64,
    /// The time of the last packet, for those that have none of their own.
    at: Timestamp,
    /// The time of the section's first packet.
    first: Option<Timestamp>,
    /// Names of addresses so far.
    names: usize,
}

/// What a section says of an interface.
#[derive(Clone, Copy)]
struct Described {
    /// `None` if there are too many to number them.
    id: Option<InterfaceId>,
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    /// Packets that were lost on it, as the last statistics said.
    dropped: u64,
    /// When that was said.
    counted: Option<Timestamp>,
    /// Whether it stands for all interfaces of a host.
    is_any: bool,
}

/// How the time stamps of an interface are to be read.
#[derive(Clone, Copy)]
struct Clock {
    units: Units,
    offset_seconds: i64,
}

#[derive(Clone, Copy)]
enum Units {
    /// That many nanoseconds each.
    Nanos(u64),
    /// That many make a nanosecond.
    PerNano(u128),
    /// 2^n make a second.
    Binary(u32),
    /// So many make a second that no stamp reaches one nanosecond.
    Nothing,
}

/// The frame of one block.
#[derive(Clone, Copy)]
struct Framing {
    kind: u32,
    len: usize,
    big_endian: bool,
}

/// What one packet block says.
struct Packet {
    interface: u32,
    /// `None` in a Simple Packet Block.
    stamp: Option<u64>,
    wire_len: u32,
    /// Where its bytes begin in the block, and how many they are.
    start: usize,
    captured: usize,
    has_options: bool,
}

/// Whether these are the first bytes of a section header.
pub(super) fn is_section_header(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_be_bytes()) && section_order(head).is_some()
}

/// The byte order of a section, by the number at the start of its header's body; true is big.
fn section_order(block: &[u8]) -> Option<bool> {
    match u32::from_be_bytes(*block.get(8..)?.first_chunk()?) {
        0x1a2b_3c4d => Some(true),
        0x4d3c_2b1a => Some(false),
        _ => None,
    }
}

impl Blocks {
    /// Gives the packets of the blocks that lie whole in `bytes`, which begin where the last call
    /// stopped.
    pub(super) fn walk(&mut self, bytes: &[u8], out: &mut Context<'_>) -> Walked {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.len() < SMALLEST_BLOCK {
                if out.ended && !rest.is_empty() {
                    out.cut_tail(at, rest.len());
                }
                return Walked { used: at, wants: SMALLEST_BLOCK };
            }
            let framing = self.framing(rest);
            if let Some(framing) = framing
                && let Some(block) = rest.get(..framing.len)
                && (self.trailer(block, framing) || self.next_is_possible(rest, framing.len, out))
            {
                if !self.trailer(block, framing) {
                    out.hurt(at, |offset| Damage::BadBlock {
                        offset,
                        what: "its two lengths differ",
                    });
                }
                self.block(block, framing, at, out);
                at += framing.len;
                continue;
            }
            if let Some(framing) = framing
                && framing.len > rest.len()
                && !out.ended
            {
                return Walked { used: at, wants: framing.len };
            }
            if rest.len() < SEARCH_SPAN && !out.ended {
                return Walked { used: at, wants: SEARCH_SPAN };
            }
            // The frame makes no sense, or it ends behind the end of the file.
            match self.search(rest) {
                Some(distance) => {
                    out.hurt(at, |offset| Damage::Skipped { offset, bytes: distance as u64 });
                    at += distance;
                }
                None if framing.is_some_and(|framing| framing.len > rest.len()) => {
                    out.cut_tail(at, rest.len());
                    return Walked { used: at, wants: SMALLEST_BLOCK };
                }
                None => {
                    out.hurt(at, |offset| Damage::Lost { offset });
                    return Walked { used: bytes.len(), wants: Walked::STOP };
                }
            }
        }
    }

    /// The type and length at the start of a block, if the length is possible.
    fn framing(&self, bytes: &[u8]) -> Option<Framing> {
        let kind = u32_at(bytes, 0, self.big_endian)?;
        // The type of a section header reads the same in both byte orders.
        let big_endian =
            if kind == SECTION_HEADER { section_order(bytes)? } else { self.big_endian };
        let len = u32_at(bytes, 4, big_endian)? as usize;
        (SMALLEST_BLOCK..=BLOCK_LIMIT).contains(&len).then_some(Framing { kind, len, big_endian })
    }

    /// Whether the length at the end of a block is that at its start.
    fn trailer(&self, block: &[u8], framing: Framing) -> bool {
        u32_at(block, block.len() - 4, framing.big_endian).map(|len| len as usize)
            == Some(framing.len)
    }

    /// Whether a well-known block begins at `at`, or nothing does.
    fn next_is_possible(&self, rest: &[u8], at: usize, out: &Context<'_>) -> bool {
        if out.ended && at == rest.len() {
            return true;
        }
        rest.get(at..)
            .and_then(|next| self.framing(next))
            .is_some_and(|next| WELL_KNOWN.contains(&next.kind))
    }

    /// Looks behind damage for the next block that is beyond doubt.
    fn search(&self, rest: &[u8]) -> Option<usize> {
        (1..rest.len().min(SEARCH_LIMIT)).find(|at| {
            let rest = rest.get(*at..).unwrap_or_default();
            let Some(framing) = self.framing(rest) else { return false };
            WELL_KNOWN.contains(&framing.kind)
                && framing.len <= SEARCH_SPAN - SEARCH_LIMIT
                && rest.get(..framing.len).is_some_and(|block| self.trailer(block, framing))
        })
    }

    fn block(&mut self, block: &[u8], framing: Framing, at: usize, out: &mut Context<'_>) {
        let packet = match framing.kind {
            ENHANCED_PACKET => self.enhanced_packet(block),
            SIMPLE_PACKET => self.simple_packet(block),
            PACKET => self.obsolete_packet(block),
            SECTION_HEADER => {
                self.big_endian = framing.big_endian;
                self.sections = self.sections.saturating_add(1);
                self.interfaces.clear();
                self.first = None;
                return;
            }
            INTERFACE_DESCRIPTION => return self.interface(block, at, out),
            INTERFACE_STATISTICS => return self.statistics(block, out),
            NAME_RESOLUTION => return self.names(block, at, out),
            kind if OTHER_FRAMES.contains(&kind) => {
                self.number += 1;
                return;
            }
            // Secrets, comments and what is not known: nothing that is used here.
            _ => return,
        };
        let what = match packet {
            Some(packet) => match self.packet(&packet, block, at, out) {
                Ok(()) => return,
                Err(what) => what,
            },
            None => "too short for a packet",
        };
        out.hurt(at, |offset| Damage::BadBlock { offset, what });
    }

    fn packet(
        &mut self,
        packet: &Packet,
        block: &[u8],
        at: usize,
        out: &mut Context<'_>,
    ) -> Result<(), &'static str> {
        let described = usize::try_from(packet.interface)
            .ok()
            .and_then(|index| self.interfaces.get(index))
            .ok_or("a packet of an interface that was not described")?;
        let interface = described.id.ok_or("a packet of one interface too many")?;
        if packet.captured > block.len() - 4 - packet.start {
            return Err("a packet longer than its block");
        }
        self.at = packet.stamp.map_or(self.at, |stamp| described.clock.read(stamp));
        self.first = self.first.or(Some(self.at));
        self.number += 1;
        let start = at + packet.start;
        out.packets.push(PacketHead {
            at: self.at,
            interface,
            link: described.link,
            frame: Frame { file: FileId(0), number: self.number },
            wire_len: packet.wire_len.max(u32::try_from(packet.captured).unwrap_or(u32::MAX)),
            bytes: start..start + packet.captured,
        });
        let options = packet.start + packet.captured.next_multiple_of(4);
        if let Some(options) = block.get(options..block.len() - 4)
            && options.len() > OPTION
            && packet.has_options
        {
            self.owners(options, out);
        }
        Ok(())
    }

    /// Section 3.5: code, length, value, padded to 32 bits. Of comments, those that say whose a
    /// socket is are taken.
    fn owners(&self, mut options: &[u8], out: &mut Context<'_>) {
        let half = |bytes: [u8; 2]| match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        };
        for _ in 0..PACKET_OPTIONS {
            let Some(([a, b, c, d], rest)) = options.split_first_chunk::<OPTION>() else { return };
            let (code, len) = (half([*a, *b]), usize::from(half([*c, *d])));
            let Some(value) = rest.get(..len).filter(|_| code != END_OF_OPTIONS) else { return };
            if code == COMMENT
                && let Ok(comment) = std::str::from_utf8(value)
                && let Some(owner) = Owner::parse(comment)
            {
                let frame = Frame { file: FileId(0), number: self.number };
                out.owners.push(OwnerOf { frame, owner });
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    fn names(&mut self, block: &[u8], at: usize, out: &mut Context<'_>) {
        let before = out.names.len();
        let frame = Frame { file: FileId(0), number: self.number + 1 };
        names::read(block, self.big_endian, frame, out.names);
        let room = names::NAMES.saturating_sub(self.names);
        if out.names.len() - before > room {
            out.names.truncate(before + room);
            out.hurt(at, |offset| Damage::BadBlock { offset, what: "names beyond 65,536" });
        }
        self.names += out.names.len() - before;
    }

    /// Section 4.3: interface, time, captured length, original length, data, options.
    fn enhanced_packet(&self, block: &[u8]) -> Option<Packet> {
        let word = |at| u32_at(block, at, self.big_endian);
        (block.len() >= 32).then_some(())?;
        Some(Packet {
            interface: word(8)?,
            stamp: Some(stamp(word(12)?, word(16)?)),
            wire_len: word(24)?,
            start: 28,
            captured: word(20)? as usize,
            has_options: true,
        })
    }

    /// Section 4.4: original length and data, on interface 0; the length of the data follows from
    /// the snap length.
    fn simple_packet(&self, block: &[u8]) -> Option<Packet> {
        (block.len() >= 16).then_some(())?;
        let wire_len = u32_at(block, 8, self.big_endian)?;
        let snaplen = match self.interfaces.first().map(|interface| interface.snaplen) {
            None | Some(0) => u32::MAX,
            Some(snaplen) => snaplen,
        };
        let captured = (wire_len.min(snaplen) as usize).min(block.len() - 16);
        Some(Packet {
            interface: 0,
            stamp: None,
            wire_len,
            start: 12,
            captured,
            has_options: false,
        })
    }

    /// Appendix A: as the enhanced one, but with 16 bits each of interface and drop count.
    fn obsolete_packet(&self, block: &[u8]) -> Option<Packet> {
        let word = |at| u32_at(block, at, self.big_endian);
        (block.len() >= 32).then_some(())?;
        let both = word(8)?;
        Some(Packet {
            interface: if self.big_endian { both >> 16 } else { both & 0xffff },
            stamp: Some(stamp(word(12)?, word(16)?)),
            wire_len: word(24)?,
            start: 28,
            captured: word(20)? as usize,
            has_options: true,
        })
    }

    fn interface(&mut self, block: &[u8], at: usize, out: &mut Context<'_>) {
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let mut options = Options::default();
        match &parsed {
            Ok((_, described)) => options = Options::read(&described.options, self.big_endian),
            Err(_) => out.hurt(at, |offset| Damage::BadBlock {
                offset,
                what: "an interface whose options are unreadable",
            }),
        }
        // The fixed fields stand also where the options are broken, and the packets that follow
        // need the interface to be counted.
        let both = u32_at(block, 8, self.big_endian).unwrap_or_default();
        let link = if self.big_endian { both >> 16 } else { both & 0xffff };
        let link = LinkType(u16::try_from(link).unwrap_or_default());
        let index = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let snaplen = u32_at(block, 12, self.big_endian).unwrap_or_default();
        let mut known = self.interfaces.iter();
        let any = known.find(|known| known.is_any && known.link == link).and_then(|any| any.id);
        let mut interface = Interface {
            name: String::new(),
            link,
            file: FileId(0),
            section: self.sections.saturating_sub(1),
            index,
            given: options.name,
            snaplen,
            of_any: None,
        };
        let is_any = interface.is_any();
        // As `crate::savefile` writes it.
        interface.of_any = any.filter(|_| !is_any && interface.given.is_some());
        let id = out.add_interface(interface);
        if self.interfaces.len() < SECTION_INTERFACES {
            self.interfaces.push(Described {
                id,
                link,
                snaplen,
                clock: Clock {
                    units: Units::by_option(options.resolution),
                    offset_seconds: options.offset,
                },
                dropped: 0,
                counted: None,
                is_any,
            });
        }
    }

    /// Section 4.6: interface, time, options. Counts are those since the capture began, so that
    /// what was lost was lost since the last block.
    fn statistics(&mut self, block: &[u8], out: &mut Context<'_>) {
        let parsed = if self.big_endian {
            parse_interfacestatisticsblock_be(block)
        } else {
            parse_interfacestatisticsblock_le(block)
        };
        let Ok((_, statistics)) = parsed else { return };
        let big_endian = self.big_endian;
        let Some(described) =
            usize::try_from(statistics.if_id).ok().and_then(|index| self.interfaces.get_mut(index))
        else {
            return;
        };
        let clock = described.clock;
        let moment = |code| {
            let option = statistics.options.iter().find(|option| option.code == code)?;
            let value = option.as_bytes().ok()?;
            let word = |at| u32_at(value, at, big_endian);
            Some(clock.read(stamp(word(0)?, word(4)?)))
        };
        let end = moment(OptionCode::IsbEndTime);
        let word = |at| u32_at(block, at, big_endian);
        let own = word(12).zip(word(16)).map(|(high, low)| stamp(high, low));
        // Some programs leave the time of the block out.
        let own = own.filter(|own| *own > 0).map(|own| clock.read(own));
        let to = own.or(end).unwrap_or(self.at);
        let began = described.counted.or_else(|| moment(OptionCode::IsbStartTime));
        let from = began.or(self.first).unwrap_or(to).min(to);
        let dropped = statistics
            .options
            .iter()
            .filter(|option| matches!(option.code, OptionCode::IsbIfDrop | OptionCode::IsbOsDrop))
            .filter_map(|option| u64_of(option, big_endian))
            .fold(0, u64::saturating_add);
        let packets = dropped.saturating_sub(described.dropped);
        described.dropped = described.dropped.max(dropped);
        described.counted = Some(to);
        out.lost(Loss { from, to, interface: described.id, packets });
        if let Some(end) = end {
            out.until(end);
        }
    }
}

/// The options of an interface that are used here.
struct Options {
    name: Option<String>,
    resolution: u8,
    offset: i64,
}

impl Options {
    fn read(options: &[PcapNGOption<'_>], big_endian: bool) -> Self {
        let mut read = Self::default();
        for option in options {
            let Ok(value) = option.as_bytes() else { continue };
            match (option.code, value) {
                (OptionCode::IfName, name) => {
                    let name = String::from_utf8_lossy(name);
                    let name = name.trim_end_matches('\0');
                    read.name = (!name.is_empty()).then(|| name.to_owned());
                }
                (OptionCode::IfTsresol, [resolution, ..]) => read.resolution = *resolution,
                (OptionCode::IfTsoffset, _) => {
                    // pcap-parser reads this number as little-endian in any section.
                    read.offset = u64_of(option, big_endian)
                        .map_or(0, |bits| i64::from_ne_bytes(bits.to_ne_bytes()));
                }
                _ => {}
            }
        }
        read
    }
}

impl Default for Options {
    fn default() -> Self {
        // Section 4.2: without the option, microseconds.
        Self { name: None, resolution: 6, offset: 0 }
    }
}

impl Units {
    /// Section 4.2, if_tsresol: the highest bit says whether the rest is a negative power of 2 or
    /// of 10.
    fn by_option(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Binary(power);
        }
        match power.checked_sub(9) {
            None => Self::Nanos(10_u64.pow(9 - power)),
            Some(power) => 10_u128.checked_pow(power).map_or(Self::Nothing, Self::PerNano),
        }
    }
}

impl Clock {
    fn read(self, stamp: u64) -> Timestamp {
        let stamp = u128::from(stamp);
        let nanos = match self.units {
            Units::Nanos(each) => stamp * u128::from(each),
            Units::PerNano(units) => stamp / units,
            // A stamp is below 2^64 and 10^9 below 2^30, so that the product has room.
            Units::Binary(power) => (stamp * 1_000_000_000) >> power,
            Units::Nothing => 0,
        };
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        Timestamp(nanos.saturating_add(self.offset_seconds.saturating_mul(1_000_000_000)))
    }
}

fn stamp(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

fn u64_of(option: &PcapNGOption<'_>, big_endian: bool) -> Option<u64> {
    let bytes = option.as_bytes().ok()?.try_into().ok()?;
    Some(if big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 0x0000_0001;
const PACKET: u32 = 0x0000_0002;
const SIMPLE_PACKET: u32 = 0x0000_0003;
const NAME_RESOLUTION: u32 = 0x0000_0004;
const INTERFACE_STATISTICS: u32 = 0x0000_0005;
const ENHANCED_PACKET: u32 = 0x0000_0006;
const SYSTEMD_JOURNAL: u32 = 0x0000_0009;
const DECRYPTION_SECRETS: u32 = 0x0000_000a;
const CUSTOM: u32 = 0x0000_0bad;
const CUSTOM_NO_COPY: u32 = 0x4000_0bad;
const PROCESS_INFORMATION: u32 = 0x8000_0001;

/// The types that are no packets, but that Wireshark shows and numbers as if they were: journal
/// entries, custom blocks, and the six kinds of sysdig events.
const OTHER_FRAMES: &[u32] = &[
    SYSTEMD_JOURNAL,
    CUSTOM,
    CUSTOM_NO_COPY,
    0x0000_0204,
    0x0000_0208,
    0x0000_0216,
    0x0000_0217,
    0x0000_0221,
    0x0000_0222,
];

/// The types by which the next block is found behind damage.
const WELL_KNOWN: &[u32] = &[
    SECTION_HEADER,
    INTERFACE_DESCRIPTION,
    PACKET,
    SIMPLE_PACKET,
    NAME_RESOLUTION,
    INTERFACE_STATISTICS,
    ENHANCED_PACKET,
    SYSTEMD_JOURNAL,
    DECRYPTION_SECRETS,
    CUSTOM,
    CUSTOM_NO_COPY,
    PROCESS_INFORMATION,
];

/// Bytes of an option before its value.
const OPTION: usize = 4;
/// Options of a packet that are looked at.
const PACKET_OPTIONS: usize = 64;
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;

/// Type, length, length.
const SMALLEST_BLOCK: usize = 12;
/// Longest block that is believed, and so held in memory.
const BLOCK_LIMIT: usize = 16 * 1024 * 1024 + 64 * 1024;
/// How far behind damage the next block may lie.
const SEARCH_LIMIT: usize = 1024 * 1024;
/// What must be in memory to look that far.
const SEARCH_SPAN: usize = SEARCH_LIMIT + 512 * 1024;
/// How many interfaces of one section are told apart.
const SECTION_INTERFACES: usize = 65_535;
