//! One capture file or pipe in, batches of packets out, whatever its format and compression.
//!
//! ```text
//! batch.buffer   │ rest of the last │ what one read gave                       │
//!                │ read             │                                          │
//! packets        │ ├─ head ─┤├─ bytes ─┤├─ head ─┤├─ bytes ─┤├─ head ─┤├─ byt… │
//!                                                              └── kept as rest ─┘
//! ```

use crate::packet::{AddressName, Batch, FileId, Loss, OwnerOf, PacketHead, Timestamp};
use crate::source::alignment::FileClock;
use crate::source::interfaces::Interfaces;
use crate::source::live::clock::now;
use crate::source::open::{self, HEAD, OpenError, Opened};
use crate::source::pace::Pace;
use crate::source::pcap::{FILE_HEADER, FileHeader, Records};
use crate::source::pcapng::{self, Blocks, names};
use crate::source::report::{Compression, Damage, Format, Layout, Progress, SourceReport};
use crate::source::walk::{Context, Walked};
use crate::source::{Fill, PacketSource};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The packets of one file, in the order of the file.
pub struct FileSource {
    reader: Box<dyn Read + Send>,
    walk: Walk,
    interfaces: Interfaces,
    report: SourceReport,
    progress: Progress,
    /// The incomplete record at the end of the last batch.
    rest: Vec<u8>,
    /// Where `rest` begins in the uncompressed file.
    offset: u64,
    /// Where the buffer of the last batch begins in it.
    batch_offset: u64,
    /// How long the file is, unless it is compressed or a pipe.
    length: Option<u64>,
    /// How many bytes from there on are needed before there is a whole record.
    wants: usize,
    /// How much is read at once.
    chunk: usize,
    /// What an interface without a name of its own is called.
    label: String,
    regular: bool,
    ended: bool,
    /// How its times are set right.
    clock: FileClock,
    /// How packets come through a pipe.
    pace: Pace,
    /// Nothing came for a while.
    silent: bool,
    /// Packets come as they are captured: for a while, or until none came for a while.
    is_live: bool,
    /// Whether it is said when nothing comes for a while.
    impatient: Arc<AtomicBool>,
    /// The end of the capture was told, where it is known and later than the last packet.
    told_end: bool,
    /// Names of addresses that stand at the end of the file.
    names: Vec<AddressName>,
}

enum Walk {
    Pcap(Records),
    Pcapng(Blocks),
}

impl FileSource {
    /// Opens a file by its path, or the standard input by the path `-`.
    ///
    /// # Errors
    /// Why it is not a capture that can be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let progress = Progress::new(open::length(path));
        Self::of_opened(path, open::open(path, &progress)?, progress)
    }

    /// Reads a file that is open, as somebody looked at its first bytes; `progress` is what counts
    /// what is read of it.
    ///
    /// # Errors
    /// Why it is not a capture that can be read.
    pub fn of_opened(path: &Path, opened: Opened, progress: Progress) -> Result<Self, OpenError> {
        let source = Self::recognised(path, opened, progress)?;
        // Nobody else's packets wait for those of this pipe.
        source.impatient.store(true, Ordering::Relaxed);
        Ok(source)
    }

    /// Opens a file that is one of several, which may share what counts their progress.
    pub(super) fn open_with(path: &Path, progress: Progress) -> Result<Self, OpenError> {
        let opened = open::open(path, &progress)?;
        Self::recognised(path, opened, progress)
    }

    fn recognised(path: &Path, opened: Opened, progress: Progress) -> Result<Self, OpenError> {
        let name = open::display_name(path);
        let (layout, walk, used) = recognise(&opened.head, &name)?;
        let label = open::label(path);
        // Most programs write names last, though they are needed first.
        let names = match &walk {
            Walk::Pcapng(_) if opened.compression == Compression::None => names::at_end(path),
            _ => Vec::new(),
        };
        let mut rest = opened.head;
        rest.drain(..used);
        Ok(Self {
            reader: opened.reader,
            walk,
            interfaces: Interfaces::default(),
            report: SourceReport {
                name,
                format: Format { layout, compression: opened.compression },
                ..SourceReport::default()
            },
            progress,
            rest,
            offset: used as u64,
            batch_offset: used as u64,
            length: open::length(path).filter(|_| opened.compression == Compression::None),
            wants: 0,
            chunk: CHUNK,
            label,
            regular: opened.regular,
            ended: false,
            clock: FileClock::default(),
            pace: Pace::default(),
            silent: false,
            is_live: false,
            impatient: opened.impatient,
            told_end: false,
            names,
        })
    }

    /// Sets which file of the command line this is; 0 without.
    #[must_use]
    pub fn numbered(mut self, file: FileId) -> Self {
        self.report.file = file;
        self
    }

    /// Sets times right, and leaves out packets of interfaces that have another clock.
    pub(super) fn by_clock(mut self, clock: FileClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many bytes are read at once; the packets are the same whatever it is.
    #[must_use]
    pub fn reading(mut self, bytes: usize) -> Self {
        self.chunk = bytes.max(1);
        self
    }

    /// What the file held, as far as it has been read.
    pub fn report(&self) -> &SourceReport {
        &self.report
    }

    /// How far reading has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn set_chunk(&mut self, bytes: usize) {
        self.chunk = bytes.max(1);
    }

    /// Whether a packet of the last batch lies so near the end of the file, or where that cannot
    /// be known.
    pub(super) fn is_near_end(&self, packet: &PacketHead, bytes: u64) -> bool {
        let end = self.batch_offset + packet.bytes.end as u64;
        self.length.is_none_or(|length| end.saturating_add(bytes) >= length)
    }

    /// Whether it is a regular file, which can be opened again and never waits.
    pub fn is_regular(&self) -> bool {
        self.regular
    }

    /// Reads until there are `wants` bytes; up to `target` if that needs no waiting.
    fn read(&mut self, buffer: &mut [u8], mut filled: usize, wants: usize) -> usize {
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.reader.read(space) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => {
                    filled += read;
                    if filled >= wants && !self.regular {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.silent = true;
                    break;
                }
                Err(error) => {
                    self.report.hurt(Damage::Unreadable {
                        offset: self.offset + filled as u64,
                        reason: error.to_string(),
                    });
                    self.ended = true;
                    break;
                }
            }
        }
        filled
    }

    /// Until when nothing came any more after the last packet, if that is known and was not told.
    fn silence(&self) -> Option<Timestamp> {
        let until = self.until().filter(|_| !self.told_end);
        until.filter(|until| self.report.last.is_some_and(|last| last < *until))
    }

    /// Until when was captured, as far as that is known.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.report.until.map(|until| self.clock.right(until))
    }

    fn walk(
        &mut self,
        bytes: &[u8],
        packets: &mut Vec<PacketHead>,
        owners: &mut Vec<OwnerOf>,
        losses: &mut Vec<Loss>,
        names: &mut Vec<AddressName>,
    ) -> Walked {
        let mut context = Context {
            packets,
            owners,
            losses,
            names,
            report: &mut self.report,
            interfaces: &mut self.interfaces,
            label: &self.label,
            offset: self.offset,
            ended: self.ended,
        };
        match &mut self.walk {
            Walk::Pcap(records) => records.walk(bytes, &mut context),
            Walk::Pcapng(blocks) => blocks.walk(bytes, &mut context),
        }
    }
}

impl PacketSource for FileSource {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.packets.clear();
        batch.owners.clear();
        batch.losses.clear();
        batch.names.clear();
        batch.names.append(&mut self.names);
        if self.ended {
            batch.buffer.clear();
            let silence = self.silence();
            self.told_end = true;
            return Ok(silence.map_or(Fill::End, Fill::Idle));
        }
        let mut filled = self.rest.len();
        loop {
            // The buffer keeps its length from batch to batch, so that it is zeroed only once; it
            // grows with what has come, not with what a length says.
            let wanted = self.wants.min(2 * filled + self.chunk);
            let target = self.chunk.max(wanted).max(filled + 1);
            if batch.buffer.len() < target {
                batch.buffer.resize(target, 0);
            }
            if let Some(start) = batch.buffer.get_mut(..self.rest.len()) {
                start.copy_from_slice(&self.rest);
                self.rest.clear();
            }
            let space = batch.buffer.get_mut(..target).unwrap_or_default();
            self.silent = false;
            filled = self.read(space, filled, self.wants);
            let Batch { buffer, packets, owners, losses, names } = &mut *batch;
            let bytes = buffer.get(..filled).unwrap_or_default();
            let walked = self.walk(bytes, packets, owners, losses, names);
            if walked.wants == Walked::STOP {
                self.ended = true;
            }
            self.wants = walked.wants;
            self.batch_offset = self.offset;
            self.offset += walked.used as u64;
            if self.ended || !packets.is_empty() {
                self.rest.extend_from_slice(bytes.get(walked.used..).unwrap_or_default());
                break;
            }
            if let Some(now) = self.pace.reached(now()).filter(|_| self.silent) {
                self.rest.extend_from_slice(bytes.get(walked.used..).unwrap_or_default());
                self.is_live = true;
                return Ok(Fill::Idle(now));
            }
            batch.buffer.copy_within(walked.used..filled, 0);
            filled -= walked.used;
        }
        if !self.regular {
            self.pace.came(batch, now());
            self.is_live |= self.pace.is_kept();
        }
        if self.report.file != FileId(0) {
            for packet in &mut batch.packets {
                packet.frame.file = self.report.file;
            }
            for told in &mut batch.owners {
                told.frame.file = self.report.file;
            }
            for told in &mut batch.names {
                told.frame.file = self.report.file;
            }
        }
        self.clock.apply(batch);
        self.report.count(batch);
        Ok(if self.ended && self.silence().is_none() { Fill::End } else { Fill::More })
    }

    fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    fn is_live(&self) -> bool {
        self.is_live
    }
}

/// The format by the first bytes, and how many of them are the file's header.
fn recognise(head: &[u8], name: &str) -> Result<(Layout, Walk, usize), OpenError> {
    let file = || name.to_owned();
    if head.len() >= HEAD && pcapng::is_section_header(head) {
        return Ok((Layout::Pcapng, Walk::Pcapng(Blocks::default()), 0));
    }
    let cut = || OpenError::CutHeader { file: file(), bytes: head.len() };
    match FileHeader::parse(head) {
        Some(Ok(header)) => Ok((header.layout, Walk::Pcap(Records::new(header)), FILE_HEADER)),
        Some(Err((major, minor))) => {
            Err(OpenError::Version { file: file(), format: "pcap", major, minor })
        }
        None if head.len() < HEAD && is_cut_header(head) => Err(cut()),
        None => Err(OpenError::NotACapture { file: file(), looks: open::looks_like(head) }),
    }
}

/// Whether these few bytes begin as a capture does.
fn is_cut_header(head: &[u8]) -> bool {
    STARTS.iter().any(|magic| head.starts_with(magic) || magic.starts_with(head))
}

/// How much is read at once: small enough to stay in a core's second-level cache.
pub const CHUNK: usize = 256 * 1024;

const STARTS: &[[u8; 4]] = &[
    [0x0a, 0x0d, 0x0d, 0x0a],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xcd, 0x34],
    [0x34, 0xcd, 0xb2, 0xa1],
];
