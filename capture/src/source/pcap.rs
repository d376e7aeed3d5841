//! Bytes of a classic capture file in, packet heads out.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>; the variants are those of
//! libpcap's `sf-pcap.c` and of Wireshark's `wiretap/libpcap.c`.

use crate::packet::{FileId, Frame, InterfaceId, LinkType, PacketHead, Timestamp};
use crate::source::interfaces::Interface;
use crate::source::report::{Damage, Layout};
use crate::source::walk::{Context, Walked};

/// Where reading stands in a classic capture file.
pub(super) struct Records {
    header: FileHeader,
    /// Length of a record's header; `None` until the first records were seen.
    record_header: Option<usize>,
    interface: Option<InterfaceId>,
    /// How many file headers came before: files that were joined with `cat` have several.
    section: u32,
    /// Packets so far, which is the frame number of the last one.
    number: u64,
    /// Seconds of the last packet, for judging whether something can be the header of a next one.
    second: Option<u32>,
}

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    magic: [u8; 4],
    big_endian: bool,
    pub(super) layout: Layout,
    lengths: Lengths,
    snaplen: u32,
    link: LinkType,
}

/// The order of a record's two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// What was captured, then what was on the wire.
    Straight,
    /// Version 2.3: the smaller one is what was captured.
    Unsure,
    /// Before version 2.3, and DG/UX (543.0).
    Swapped,
}

/// The header of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    seconds: u32,
    fraction: u32,
    captured: u32,
    wire: u32,
}

/// Where the next record lies behind damage.
enum Search {
    Found(usize),
    NotYet,
    Nothing,
}

impl FileHeader {
    /// Reads the 24 bytes at the start of a file; `None` if they are no such header.
    ///
    /// # Errors
    /// Major and minor version, if they are unknown.
    pub(super) fn parse(head: &[u8]) -> Option<Result<Self, (u16, u16)>> {
        let magic: [u8; 4] = head.first_chunk().copied()?;
        let (big_endian, layout) = layout(magic)?;
        let short = |at| u16_at(head, at, big_endian);
        let (major, minor) = (short(4)?, short(6)?);
        let lengths = match (major, minor) {
            (2, 0..=2) | (543, 0) => Lengths::Swapped,
            (2, 3) => Lengths::Unsure,
            (2, 4) => Lengths::Straight,
            _ => return Some(Err((major, minor))),
        };
        let snaplen = u32_at(head, 16, big_endian)?;
        // The upper half holds the length of the frame check sequence; decoding goes by the
        // lengths inside of the packet and has no use for it.
        let link = LinkType((u32_at(head, 20, big_endian)? & 0xffff) as u16);
        Some(Ok(Self { magic, big_endian, layout, lengths, snaplen, link }))
    }

    fn record(&self, head: &[u8]) -> Option<Record> {
        let head: &[u8; RECORD_HEADER] = head.first_chunk()?;
        let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = *head;
        let word = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (captured, wire) = (word([c0, c1, c2, c3]), word([w0, w1, w2, w3]));
        let swap = match self.lengths {
            Lengths::Straight => false,
            Lengths::Unsure => captured > wire,
            Lengths::Swapped => true,
        };
        let (captured, wire) = if swap { (wire, captured) } else { (captured, wire) };
        Some(Record {
            seconds: word([s0, s1, s2, s3]),
            fraction: word([f0, f1, f2, f3]),
            captured,
            wire,
        })
    }

    fn nanos_per_unit(&self) -> i64 {
        if self.layout == Layout::PcapNanos { 1 } else { 1_000 }
    }

    fn snaplen(&self) -> u32 {
        if self.snaplen == 0 { USUAL_LIMIT } else { self.snaplen.min(USUAL_LIMIT) }
    }

    /// Whether every field is as a sane program writes it.
    fn is_sound(&self, record: &Record) -> bool {
        let units = if self.layout == Layout::PcapNanos { 1_000_000_000 } else { 1_000_000 };
        record.captured <= self.snaplen()
            && record.captured <= record.wire
            && record.fraction < units
    }

    /// Whether the record can be taken without a look at what follows it.
    fn is_absurd(&self, record: &Record) -> bool {
        record.captured > USUAL_LIMIT
            && (record.captured > RECORD_LIMIT || record.captured > record.wire)
    }
}

impl Records {
    pub(super) fn new(header: FileHeader) -> Self {
        Self { header, record_header: None, interface: None, section: 0, number: 0, second: None }
    }

    /// Gives the packets that lie whole in `bytes`, which begin where the last call stopped.
    pub(super) fn walk(&mut self, bytes: &[u8], out: &mut Context<'_>) -> Walked {
        let record_header = match self.record_header {
            Some(len) => len,
            None => {
                let wants = self.wanted_for_record_header(bytes);
                if bytes.len() < wants && !out.ended {
                    return Walked { used: 0, wants };
                }
                *self.record_header.insert(self.find_record_header(bytes))
            }
        };
        let interface = match self.interface {
            Some(interface) => interface,
            None => {
                // A source has at least this one interface, so there is room for it.
                let added = self.add_interface(out).unwrap_or(InterfaceId(0));
                *self.interface.insert(added)
            }
        };
        self.records(bytes, record_header, interface, out)
    }

    fn records(
        &mut self,
        bytes: &[u8],
        record_header: usize,
        mut interface: InterfaceId,
        out: &mut Context<'_>,
    ) -> Walked {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let (Some(record), true) = (self.header.record(rest), rest.len() >= record_header)
            else {
                if out.ended && !rest.is_empty() {
                    out.cut_tail(at, rest.len());
                }
                return Walked { used: at, wants: record_header };
            };
            if rest.starts_with(&self.header.magic)
                && let Some(len) = self.joined_file(rest, out)
            {
                interface = self.interface.unwrap_or(interface);
                at += len;
                continue;
            }
            let sound = self.header.is_sound(&record);
            let len = record_header + record.captured as usize;
            if !sound || (out.ended && len > rest.len()) {
                if !self.header.is_absurd(&record) && self.next_is_possible(rest, len, out.ended) {
                    // Odd, but what follows says that the length is right.
                } else if rest.len() < SEARCH_SPAN && !out.ended {
                    return Walked { used: at, wants: SEARCH_SPAN };
                } else {
                    // A file that was cut off is more common than one with a wrong length at its
                    // end, which takes more to believe.
                    let proof = if sound { 2 * PROOF } else { PROOF };
                    match self.search(rest, record_header, out.ended, proof) {
                        Search::Found(distance) => {
                            out.hurt(at, |offset| Damage::Skipped {
                                offset,
                                bytes: distance as u64,
                            });
                            at += distance;
                            continue;
                        }
                        Search::Nothing if self.header.is_absurd(&record) => {
                            out.hurt(at, |offset| Damage::Lost { offset });
                            return Walked { used: bytes.len(), wants: Walked::STOP };
                        }
                        // It may be right, as tshark would take it to be.
                        Search::NotYet | Search::Nothing => {}
                    }
                }
            }
            if len > rest.len() {
                if out.ended {
                    out.cut_tail(at, rest.len());
                }
                return Walked { used: at, wants: len };
            }
            self.number += 1;
            self.second = Some(record.seconds);
            // At most 2^32 · 10^9 + 2^32 · 10^3, which fits.
            let nanos = i64::from(record.seconds) * 1_000_000_000
                + i64::from(record.fraction) * self.header.nanos_per_unit();
            out.packets.push(PacketHead {
                at: Timestamp(nanos),
                interface,
                link: self.header.link,
                frame: Frame { file: FileId(0), number: self.number },
                wire_len: record.wire.max(record.captured),
                bytes: at + record_header..at + len,
            });
            at += len;
        }
    }

    fn add_interface(&self, out: &mut Context<'_>) -> Option<InterfaceId> {
        out.add_interface(Interface {
            name: String::new(),
            link: self.header.link,
            file: FileId(0),
            section: self.section,
            index: 0,
            given: None,
            snaplen: self.header.snaplen,
            of_any: None,
        })
    }

    /// Whether a file header stands where a record should, as in files joined with `cat`; takes
    /// it over and gives its length.
    fn joined_file(&mut self, rest: &[u8], out: &mut Context<'_>) -> Option<usize> {
        let header = FileHeader::parse(rest.get(..FILE_HEADER)?)?.ok()?;
        let same_link = header.link == self.header.link;
        self.header = header;
        if !same_link {
            self.section += 1;
            self.interface = self.add_interface(out);
        }
        Some(FILE_HEADER)
    }

    /// How many bytes it takes to tell the length of the record headers.
    fn wanted_for_record_header(&self, bytes: &[u8]) -> usize {
        match self.header.record(bytes) {
            // An ordinary file is not kept waiting for its second packet.
            Some(first) if self.header.layout == Layout::PcapModified => {
                SS990915_HEADER + first.captured.min(USUAL_LIMIT) as usize + RECORD_HEADER
            }
            _ => RECORD_HEADER,
        }
    }

    /// Files of the same magic number were written with record headers of several lengths: takes
    /// the first one with which the first records make sense.
    fn find_record_header(&self, bytes: &[u8]) -> usize {
        let lengths: &[usize] = match self.header.layout {
            Layout::PcapModified => &[PATCHED_HEADER, SS990915_HEADER, RECORD_HEADER],
            Layout::Pcap => &[RECORD_HEADER, PATCHED_HEADER, NOKIA_HEADER],
            Layout::PcapNanos | Layout::Pcapng => &[RECORD_HEADER],
        };
        let usual = lengths.first().copied().unwrap_or(RECORD_HEADER);
        let fits = |len: usize| {
            let mut at = 0;
            for tried in 0..RECORDS_TO_TRY {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(record) = self.header.record(rest) else {
                    return len == usual || tried > 1 || at == bytes.len();
                };
                if rest.starts_with(&self.header.magic) {
                    return len == usual;
                }
                if !self.header.is_sound(&record) {
                    return false;
                }
                at += len + record.captured as usize;
            }
            true
        };
        lengths.iter().copied().find(|len| fits(*len)).unwrap_or(usual)
    }

    /// Whether a record may begin at `at`, or nothing does.
    fn next_is_possible(&self, rest: &[u8], at: usize, ended: bool) -> bool {
        if ended && at == rest.len() {
            return true;
        }
        rest.get(at..)
            .and_then(|next| self.header.record(next))
            .is_some_and(|next| next.captured <= USUAL_LIMIT && self.is_near(&next))
    }

    fn is_near(&self, record: &Record) -> bool {
        self.second.is_none_or(|second| second.abs_diff(record.seconds) <= NEAR_SECONDS)
    }

    /// Looks behind the damaged record at the start of `rest` for the next good one, which `proof`
    /// good ones in a row must show, or half as many and the end of the file.
    fn search(&self, rest: &[u8], record_header: usize, ended: bool, proof: usize) -> Search {
        let next = |at: usize| -> Option<usize> {
            let record = self.header.record(rest.get(at..)?)?;
            let good = record.captured > 0
                && record.wire <= RECORD_LIMIT
                && self.header.is_sound(&record)
                && self.is_near(&record);
            let end = at + record_header + record.captured as usize;
            (good && end <= rest.len()).then_some(end)
        };
        let is_proven = |mut at: usize| {
            for good in 0..proof {
                if ended && rest.len() - at < RECORD_HEADER {
                    return good >= proof / 2;
                }
                let Some(end) = next(at) else { return false };
                at = end;
            }
            true
        };
        match (1..rest.len().min(SEARCH_LIMIT)).find(|at| is_proven(*at)) {
            Some(at) => Search::Found(at),
            None if ended || rest.len() >= SEARCH_SPAN => Search::Nothing,
            None => Search::NotYet,
        }
    }
}

/// The byte order and layout that a magic number stands for.
fn layout(magic: [u8; 4]) -> Option<(bool, Layout)> {
    let known = |magic: u32| match magic {
        0xa1b2_c3d4 => Some(Layout::Pcap),
        0xa1b2_3c4d => Some(Layout::PcapNanos),
        0xa1b2_cd34 => Some(Layout::PcapModified),
        _ => None,
    };
    known(u32::from_be_bytes(magic))
        .map(|layout| (true, layout))
        .or_else(|| known(u32::from_le_bytes(magic)).map(|layout| (false, layout)))
}

fn u16_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u16> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

/// Length of the header at the start of a file.
pub(super) const FILE_HEADER: usize = 24;

/// Seconds, fraction, captured length, wire length.
const RECORD_HEADER: usize = 16;
/// With interface index, protocol and packet type, padded.
const PATCHED_HEADER: usize = 24;
/// That with processor numbers and more padding, as some SuSE versions wrote it.
const SS990915_HEADER: usize = 28;
/// With four more bytes, as Nokia's firewalls wrote it.
const NOKIA_HEADER: usize = 20;

/// What libpcap takes as the longest packet of an ordinary link type.
const USUAL_LIMIT: u32 = 256 * 1024;
/// Longest packet that is believed at all.
const RECORD_LIMIT: u32 = 16 * 1024 * 1024;
/// How far behind damage the next record may lie.
const SEARCH_LIMIT: usize = 1024 * 1024;
/// How many good records in a row show that they are records.
const PROOF: usize = 2;
/// What must be in memory to look that far.
const SEARCH_SPAN: usize = SEARCH_LIMIT + PROOF * (USUAL_LIMIT as usize + SS990915_HEADER);
/// How far the next packet's time may lie from the last one's if that is all that vouches for it.
const NEAR_SECONDS: u32 = 7 * 24 * 3600;
const RECORDS_TO_TRY: usize = 3;
