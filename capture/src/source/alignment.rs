//! Clocks that are far apart: files that saw the same packets at different times.
//!
//! The first packets of each file are compared. Where two files hold the same ones, and all of them
//! so much later in one of them that no network would take so long, its clock is wrong against the
//! other's, and its packets count as so much earlier. Smaller differences stay as they are: packets
//! do take time from one point to the next.

use crate::packet::{Batch, FileId};
use crate::source::continuity;
use crate::source::file::FileSource;
use crate::source::open::{self, display_name};
use crate::source::report::Progress;
use crate::source::{Fill, PacketSource};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// That the clock of a file is far from that of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// The file.
    pub file: FileId,
    /// Its name.
    pub name: String,
    /// The name of the file by whose clock its packets count.
    pub against: String,
    /// By how many nanoseconds its clock is ahead; negative if it is behind.
    pub ahead: i64,
    /// How many packets both have shown that say so.
    pub packets: usize,
}

impl fmt::Display for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, against, ahead, packets, .. } = self;
        let seconds = ahead.unsigned_abs() as f64 / 1e9;
        let way = if *ahead > 0 { "ahead of" } else { "behind" };
        write!(
            f,
            "the clock of {name} is {seconds:.3} s {way} that of {against}, by {packets} packets \
             that are in both; its times are set right by so much"
        )
    }
}

/// Finds the files whose clocks are far from those of files before them.
pub(super) fn alignments(paths: &[PathBuf]) -> Vec<Alignment> {
    if !(2..=FILES).contains(&paths.len()) {
        return Vec::new();
    }
    let heads: Vec<Times> = paths.iter().map(|path| times(path)).collect();
    let mut found: Vec<Alignment> = Vec::new();
    for (later, file) in (0..=u16::MAX).map(FileId).take(paths.len()).enumerate().skip(1) {
        // By the file that it has the most packets in common with.
        let mut best: Option<(usize, usize, i64)> = None;
        for earlier in 0..later {
            let (Some(one), Some(other)) = (heads.get(earlier), heads.get(later)) else { continue };
            let Some((packets, ahead)) = difference(one, other) else { continue };
            if best.is_none_or(|(_, most, _)| packets > most) {
                best = Some((earlier, packets, ahead));
            }
        }
        let Some((earlier, packets, ahead)) = best else { continue };
        // The other file may have been set right itself.
        let its = found.iter().find(|a| usize::from(a.file.0) == earlier).map_or(0, |a| a.ahead);
        let ahead = ahead.saturating_add(its);
        let name = |place: usize| paths.get(place).map(|path| display_name(path));
        if ahead.unsigned_abs() >= FAR
            && let (Some(name), Some(against)) = (name(later), name(earlier))
        {
            found.push(Alignment { file, name, against, ahead, packets });
        }
    }
    found
}

/// The times of packets, by what is in them; none where a packet came twice.
struct Times(HashMap<u64, Option<i64>, FixedState>);

/// Of the first packets of a file that carry bytes of TCP, or open a connection.
fn times(path: &Path) -> Times {
    let mut times = HashMap::default();
    // A pipe, and the standard input, cannot be read twice; nor may they be begun here.
    if open::is_stdin(path) || open::length(path).is_none() {
        return Times(times);
    }
    let Ok(source) = FileSource::open_with(path, Progress::new(None)) else {
        return Times(times);
    };
    let mut source = source.reading(CHUNK);
    let mut batch = Batch::default();
    let mut read = 0;
    while read < PACKETS {
        let fill = source.fill(&mut batch);
        for packet in &batch.packets {
            if let Some(content) = continuity::content(packet, batch.bytes(packet)) {
                times.entry(content).and_modify(|at| *at = None).or_insert(Some(packet.at.0));
            }
        }
        read += batch.packets.len();
        if !matches!(fill, Ok(Fill::More)) {
            break;
        }
    }
    Times(times)
}

/// How many packets both have, and how much later the other one has them, if nearly all say the
/// same.
fn difference(one: &Times, other: &Times) -> Option<(usize, i64)> {
    let both = one.0.iter().filter_map(|(content, at)| {
        let other = other.0.get(content).copied().flatten()?;
        Some(other.saturating_sub((*at)?))
    });
    // Sorted, so that the order of the map does not matter.
    let mut later: Vec<i64> = both.collect();
    later.sort_unstable();
    let median = later.get(later.len() / 2).copied()?;
    let agree = later.iter().filter(|later| later.abs_diff(median) < AGREE).count();
    (agree >= ENOUGH && agree * 10 >= later.len() * 9).then_some((agree, median))
}

/// Files that are compared with one another; more are parts of a series.
const FILES: usize = 16;
/// Packets of each file that are looked at.
const PACKETS: usize = 16_384;
/// Packets in both files that say the same: fewer may be chance.
const ENOUGH: usize = 4;
/// Nanoseconds by which they may differ in what they say.
const AGREE: u64 = 250_000_000;
/// Nanoseconds from which on it is the clock, not the way.
const FAR: u64 = 500_000_000;
const CHUNK: usize = 256 * 1024;
