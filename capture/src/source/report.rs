//! What a source says of each of its files: what it was, what was in it, and what was wrong.

use crate::packet::{Batch, FileId, InterfaceId, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What one file held, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceReport {
    /// The file's number on the command line.
    pub file: FileId,
    /// The file's name as it was given, `stdin` for `-`.
    pub name: String,
    /// What it was recognised as by its content.
    pub format: Format,
    /// How many packets were given.
    pub packets: u64,
    /// How many bytes of packets were given.
    pub bytes: u64,
    /// The interfaces that its packets may name.
    pub interfaces: Vec<InterfaceId>,
    /// The earliest packet time.
    pub first: Option<Timestamp>,
    /// The latest packet time.
    pub last: Option<Timestamp>,
    /// Until when was captured, as the capturing program says (pcapng only).
    pub until: Option<Timestamp>,
    /// How many packets the capturing program says that it lost (pcapng only).
    pub dropped: u64,
    /// What was wrong, in order; no more than [`SourceReport::DAMAGE_LIMIT`] are kept.
    pub damage: Vec<Damage>,
    /// How often something was wrong, also beyond the limit.
    pub damaged: u64,
    /// How many bytes of the (uncompressed) file were skipped to find the next packet.
    pub skipped: u64,
    /// How often reading went on behind damage.
    pub resynchronised: u64,
}

impl SourceReport {
    /// How many entries [`SourceReport::damage`] holds at most.
    pub const DAMAGE_LIMIT: usize = 64;

    pub(super) fn hurt(&mut self, damage: Damage) {
        self.damaged += 1;
        if let Damage::Skipped { bytes, .. } = damage {
            self.skipped += bytes;
            self.resynchronised += 1;
        }
        if self.damage.len() < Self::DAMAGE_LIMIT {
            self.damage.push(damage);
        }
    }

    /// Adds what was read of the same file for others of its interfaces.
    pub(super) fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    pub(super) fn count(&mut self, batch: &Batch) {
        let Some(first) = batch.packets.first() else { return };
        let mut first = self.first.unwrap_or(first.at);
        let mut last = self.last.unwrap_or(first);
        for packet in &batch.packets {
            self.bytes += packet.bytes.len() as u64;
            first = first.min(packet.at);
            last = last.max(packet.at);
        }
        self.packets += batch.packets.len() as u64;
        self.first = Some(first);
        self.last = Some(last);
    }
}

/// What a file was recognised as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// How its packets are laid out.
    pub layout: Layout,
    /// How that is compressed.
    pub compression: Compression,
}

/// How the packets of a file are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Classic pcap with microseconds.
    #[default]
    Pcap,
    /// Classic pcap with nanoseconds.
    PcapNanos,
    /// Classic pcap with longer record headers, as patched by A. Kuznetzov.
    PcapModified,
    /// pcapng.
    Pcapng,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, one or more members.
    Gzip,
    /// zstd, one or more frames.
    Zstd,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.layout {
            Layout::Pcap => "pcap",
            Layout::PcapNanos => "pcap with nanoseconds",
            Layout::PcapModified => "modified pcap",
            Layout::Pcapng => "pcapng",
        })?;
        f.write_str(match self.compression {
            Compression::None => "",
            Compression::Gzip => ", gzip",
            Compression::Zstd => ", zstd",
        })
    }
}

/// Something that was wrong with a file; offsets count bytes of the uncompressed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The file ends inside a packet or block.
    CutTail {
        /// Where the incomplete record begins.
        offset: u64,
        /// How many bytes of it there are.
        bytes: u64,
    },
    /// Bytes that are no record were skipped up to the next one.
    Skipped {
        /// Where they begin.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// A block that cannot be read was left out.
    BadBlock {
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No further record was found, so the rest of the file was left out.
    Lost {
        /// Where reading stopped.
        offset: u64,
    },
    /// Reading or decompressing failed; what had come until then was used.
    Unreadable {
        /// How many uncompressed bytes had come.
        offset: u64,
        /// What was said.
        reason: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutTail { offset, bytes } => {
                write!(f, "cut off inside a packet at byte {offset}, {bytes} bytes left out")
            }
            Self::Skipped { offset, bytes } => {
                write!(f, "damaged at byte {offset}, {bytes} bytes skipped")
            }
            Self::BadBlock { offset, what } => {
                write!(f, "block at byte {offset} left out: {what}")
            }
            Self::Lost { offset } => {
                write!(f, "no packet found from byte {offset} on, the rest left out")
            }
            Self::Unreadable { offset, reason } => {
                write!(f, "unreadable after byte {offset}: {reason}")
            }
        }
    }
}

/// How far reading has come, in bytes as they lie on disk; clones show the same state.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// Nothing is read yet of so many bytes.
    pub fn new(total: Option<u64>) -> Self {
        Self { read: Arc::default(), total, stop: Arc::default() }
    }

    pub(super) fn add(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back what was read only to be read again.
    pub(super) fn take_back(&self, bytes: u64) {
        self.read.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes were read.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Once this is set, pipes end where they are instead of waiting for more.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How many there are in all; `None` if a pipe is among the files.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}
