//! Some packets of a file, the same ones of every file that holds them: those whose numbers have
//! the greatest hashes, so that any two files that share packets have some of these in common,
//! wherever in them they are.

use crate::decode::{Decoder, Header, Segment};
use crate::packet::{Batch, Endpoint, FileId, InterfaceId, Timestamp};
use crate::source::file::FileSource;
use crate::source::interfaces::Interfaces;
use crate::source::report::Compression;
use crate::source::{Fill, PacketSource, open};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::path::Path;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A packet, as one interface saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Equal for the same packet wherever it was seen, also behind a translation of addresses.
    pub(super) key: u64,
    /// When it was seen first.
    pub(super) at: Timestamp,
    /// When it was seen last: an interface for all others of a host sees it several times.
    pub(super) last: Timestamp,
    /// A number for the two addresses, whichever of them sent it.
    pub(super) ends: u64,
    /// Whether the lower one of them sent it.
    pub(super) from_lower: bool,
    /// The least and the greatest time to live that it had.
    pub(super) ttl: [u8; 2],
}

/// What was seen on one interface of a file.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) interface: InterfaceId,
    pub(super) name: String,
    /// Whether the capture itself gives it that name.
    pub(super) given: bool,
    pub(super) samples: Vec<Sample>,
    /// When its last packet was seen, or about when, where not the whole file was looked at.
    pub(super) until: Timestamp,
    /// The first flows on it, each with the directions that were seen.
    pub(super) flows: BTreeMap<u64, [bool; 2]>,
    /// Of all packets, only those are kept whose key has so many leading ones.
    level: u32,
}

impl Seen {
    fn on(interfaces: &Interfaces, interface: InterfaceId) -> Self {
        let known = interfaces.get(interface);
        let name = known.map_or_else(String::new, |interface| interface.name.clone());
        let given = known.is_some_and(|interface| interface.given.is_some());
        let (samples, flows) = (Vec::new(), BTreeMap::new());
        let until = Timestamp(i64::MIN);
        Self { interface, name, given, samples, until, flows, level: 0 }
    }

    /// Adds one, and keeps no more than so many.
    fn add(&mut self, sample: Sample, most: usize) {
        if sample.key.leading_ones() < self.level {
            return;
        }
        self.samples.push(sample);
        while self.samples.len() >= most {
            self.merge();
            if self.samples.len() < most / 2 {
                return;
            }
            self.level += 1;
            let level = self.level;
            self.samples.retain(|kept| kept.key.leading_ones() >= level);
        }
    }

    /// Makes one of those that are there several times.
    fn merge(&mut self) {
        self.samples.sort_by_key(|sample| (sample.key, sample.at));
        self.samples.dedup_by(|next, first| {
            let same = next.key == first.key;
            if same {
                let ([a, b], [c, d]) = (first.ttl, next.ttl);
                first.last = first.last.max(next.last);
                first.ttl = [a.min(c), b.max(d)];
            }
            same
        });
    }
}

/// Reads a file, up to a number of bytes; one that can be read once only is left alone. Where it is
/// one of one, it is of interest only if it has several interfaces.
pub(super) fn sample(path: &Path, file: FileId, files: usize) -> Vec<Seen> {
    let most = SAMPLES / files.div_ceil(FULL);
    if open::is_stdin(path) || open::length(path).is_none() {
        return Vec::new();
    }
    // What is wrong with it is said when it is read in earnest.
    let Ok(source) = FileSource::open(path) else { return Vec::new() };
    let mut source = source.numbered(file).reading(CHUNK);
    let mut decoder = Decoder::default();
    let mut batch = Batch::default();
    let mut seen: Vec<Seen> = Vec::new();
    let mut places: HashMap<InterfaceId, usize, FixedState> = HashMap::default();
    let mut read = 0;
    while read < BYTES {
        let fill = source.fill(&mut batch);
        decoder.name_interfaces(source.interfaces());
        for head in &batch.packets {
            let Some(segment) = decoder.decode(&batch.buffer, head) else { continue };
            let place = *places.entry(head.interface).or_insert(seen.len());
            if place == seen.len() && place < INTERFACES {
                seen.push(Seen::on(source.interfaces(), head.interface));
            }
            let share = most / seen.len().div_ceil(FULL_INTERFACES).max(1);
            let Some(seen) = seen.get_mut(place) else { continue };
            if seen.flows.len() < FLOWS || seen.flows.contains_key(&segment.hash) {
                let ends = |end: Endpoint| (end.ip, end.port);
                let way = usize::from(ends(segment.source) > ends(segment.destination));
                if let Some(way) = seen.flows.entry(segment.hash).or_default().get_mut(way) {
                    *way = true;
                }
            }
            if let Some(sample) = sample_of(&segment) {
                seen.add(sample, share);
            }
        }
        read += batch.packets.iter().map(|packet| packet.bytes.len() as u64).sum::<u64>();
        let is_one = files == 1 && source.interfaces().len() < 2 && read >= LOOK;
        if is_one || !matches!(fill, Ok(Fill::More)) {
            break;
        }
    }
    // Of a file that is compressed, it is not known how much of it that was.
    let is_plain = source.report().format.compression == Compression::None;
    let whole = open::length(path).filter(|_| is_plain && read >= BYTES).unwrap_or(read);
    for seen in &mut seen {
        seen.merge();
        let times = seen.samples.iter().map(|sample| sample.at.0);
        if let Some((first, last)) = times.clone().min().zip(times.max()) {
            let span = i128::from(last) - i128::from(first);
            let rest = span * i128::from(whole.saturating_sub(read)) / i128::from(read.max(1));
            seen.until = Timestamp(last).plus(i64::try_from(rest).unwrap_or_default());
        }
        // What comes again much later is another one that is alike.
        seen.samples.retain(|sample| sample.last.0.saturating_sub(sample.at.0) < COPIES);
    }
    seen
}

/// Of TCP, by its numbers: they are as good as random. What has none tells nothing here.
fn sample_of(segment: &Segment) -> Option<Sample> {
    let Header::Tcp { seq, syn, fin, rst, .. } = segment.header else { return None };
    // The answers of a closed port have no numbers of their own.
    if rst || (segment.seen.ack == 0 && segment.seen.tsval == 0 && !syn) {
        return None;
    }
    let len = match &segment.payload {
        crate::decode::Payload::InBatch(range) => range.end.saturating_sub(range.start),
        crate::decode::Payload::Whole(bytes) => bytes.len() as u32,
    };
    let len = len.saturating_add(segment.cut);
    let flags = u32::from(syn) | u32::from(fin) << 1 | u32::from(segment.seen.ip_id) << 2;
    let mut numbers = [0; 20];
    for (place, number) in
        numbers.chunks_exact_mut(4).zip([seq, segment.seen.ack, segment.seen.tsval, len, flags])
    {
        place.copy_from_slice(&number.to_be_bytes());
    }
    let (source, destination) = (segment.source.ip, segment.destination.ip);
    let mut ends = [0; 32];
    let (low, high) = (source.min(destination), source.max(destination));
    for (place, end) in ends.chunks_exact_mut(16).zip([low, high]) {
        place.copy_from_slice(&end.octets());
    }
    let ends = xxh3_64(&ends);
    // With timestamps the numbers are enough, and addresses may be translated on the way.
    let seed = if segment.seen.tsval > 0 { 0 } else { ends };
    Some(Sample {
        key: xxh3_64_with_seed(&numbers, seed),
        at: segment.seen.at,
        last: segment.seen.at,
        ends,
        from_lower: source <= destination,
        ttl: [segment.seen.ttl; 2],
    })
}

/// Packets of one interface that are kept, up to a number of files, and of interfaces in a file; of
/// more, each has less.
const SAMPLES: usize = 16_384;
const FULL: usize = 16;
const FULL_INTERFACES: usize = 4;
/// Nanoseconds within which an interface sees all copies of a packet.
const COPIES: i64 = 50_000_000;
/// Flows of one interface that are remembered.
const FLOWS: usize = 4_096;
/// Bytes of packets of a file that are looked at.
const BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of packets behind which the interfaces of a file are known.
const LOOK: u64 = 1024 * 1024;
/// Interfaces of one file that are told apart here.
const INTERFACES: usize = 64;
const CHUNK: usize = 256 * 1024;
