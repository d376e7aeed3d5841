//! By how much the clocks of captures differ: by the packets that two of them have both seen, and,
//! where there are none, by exchanges that lie within others.
//!
//! ```text
//! captures ─▶ packets in both ─▶ groups of clocks ─▶ one group: done
//!                                     │ several
//!                                     ▼
//!             exchanges of the beginning, by what they ask and the ids that they carry
//!                                     ▼
//!             where in one group each lies within its like in the other: bounds of the offset
//! ```
//!
//! A proxy ends TCP, so that what is on one side of it and what is on the other share no packet;
//! but it asks on only after it was asked, and answers only after it was answered. That bounds how
//! far the clocks are apart just as packets do that go to and fro. Of which exchange another one is
//! part is known by an identifier in both, or only by what they ask: then by the offset by which
//! most of them agree.

use crate::config::Config;
use crate::exchange::{Exchange, OPERATION, RESOURCE, Sort, State};
use crate::join::{IdSet, JoinKey};
use crate::pipeline::{self, Surroundings};
use crate::span::{SpanSink, Trace};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use wirespan_capture::clocks::line::{Line, Sighting};
use wirespan_capture::clocks::{Clock, Part, Survey};
use wirespan_capture::packet::{Batch, FileId, InterfaceId, TapId, Timestamp};
use wirespan_capture::source::alignment::{Alignment, Offset};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::open;
use wirespan_capture::source::{Fill, PacketSource};
use xxhash_rust::xxh3::Xxh3;

/// How the clocks of these captures run against each other, as far as that can be found out, what
/// is to be said of them, and points whose two directions are two interfaces: all are put into
/// `config`. What is wrong with a capture is said when it is read in earnest.
pub fn survey(paths: &[PathBuf], config: &mut Config) {
    config.clocks = surveyed(paths, config);
}

fn surveyed(paths: &[PathBuf], config: &mut Config) -> Vec<Alignment> {
    let mut survey = Survey::of(paths);
    config.clock_remarks = survey.remarks();
    for point in survey.points() {
        // The user's word goes before.
        let is_named = |tap: &String| config.points.iter().any(|named| named.taps.contains(tap));
        if !point.taps.iter().any(is_named) {
            config.points.push(point.clone());
        }
    }
    let found = survey.alignments();
    let groups = survey.groups();
    if groups.iter().all(|group| Some(group) == groups.first()) {
        return found;
    }
    let shown: Vec<Offset> = survey.clocks().iter().map(|clock| offset_of(clock, &found)).collect();
    let mut exchanges = observed(paths, &found, survey.clocks(), config);
    let group = |one: &Observed| groups.get(one.clock).copied().unwrap_or_default();
    let mut pairs: BTreeMap<(usize, usize), Vec<(&Observed, &Observed)>> = BTreeMap::new();
    let of_two = PAIRS / (groups.len() * groups.len()).max(1);
    exchanges.sort_by_key(|one| (!one.identified, one.key, one.clock, one.start));
    for alike in exchanges.chunk_by(|a, b| a.key == b.key) {
        // Of what is asked all the time, the first ones at each clock are as good as all.
        let each = alike.chunk_by(|a, b| a.clock == b.clock);
        let each: Vec<&[Observed]> = each.map(|its| its.get(..ALIKE).unwrap_or(its)).collect();
        for (place, ones) in each.iter().enumerate() {
            for others in each.iter().skip(place + 1) {
                let (Some(one), Some(other)) = (ones.first(), others.first()) else { continue };
                if group(one) == group(other) {
                    continue;
                }
                let pairs = pairs.entry((one.clock, other.clock)).or_default();
                for one in *ones {
                    let room = of_two.saturating_sub(pairs.len());
                    pairs.extend(others.iter().take(room).map(|other| (one, other)));
                }
            }
        }
    }
    for both in pairs.values() {
        let nested = nested(both);
        let raw = |seen: &Observed, at: Timestamp| {
            let offset = shown.get(seen.clock).copied().unwrap_or_default();
            (seen.clock, offset.shown(at))
        };
        for (outer, inner) in &nested {
            survey.relate(raw(outer, outer.start), raw(inner, inner.start));
            survey.relate(raw(inner, inner.end), raw(outer, outer.end));
        }
    }
    survey.alignments()
}

/// By how much a clock is set right so far.
fn offset_of(clock: &Clock, alignments: &[Alignment]) -> Offset {
    let is_of = |part: &Part, one: &Alignment| {
        let any = |id| part.interfaces.as_ref().is_some_and(|its| its.contains(&id));
        let whole = || part.interfaces.is_none();
        one.file == part.file && one.interface.map_or_else(whole, any)
    };
    let its = alignments.iter().find(|one| one.used && clock.parts.iter().any(|p| is_of(p, one)));
    its.map_or_else(Offset::default, |one| one.offset)
}

/// An exchange, by one of the things that it may be known by on the other side of a proxy.
#[derive(Clone, Copy, Debug)]
struct Observed {
    key: u64,
    /// The key holds an identifier, so that hardly anything else has it.
    identified: bool,
    /// The file, and the tap.
    seen: (FileId, TapId),
    /// The clock that it has been seen by.
    clock: usize,
    start: Timestamp,
    end: Timestamp,
    server: u64,
}

impl Observed {
    fn all_of(exchange: &Exchange, found: &mut Vec<Self>) {
        if exchange.state != State::Complete || exchange.sort != Sort::Call {
            return;
        }
        let mut asked = Xxh3::new();
        asked.update(&[exchange.protocol.0]);
        for name in [OPERATION, RESOURCE] {
            asked.update(exchange.text.text(name).unwrap_or_default());
            asked.update(&[0xff]);
        }
        let mut server = Xxh3::new();
        server.update(exchange.server.to_string().as_bytes());
        let one = Self {
            key: asked.digest(),
            identified: false,
            seen: (exchange.request.first.frame.file, exchange.tap),
            clock: 0,
            start: exchange.start(),
            end: exchange.end(),
            server: server.digest(),
        };
        found.push(one);
        for key in exchange.contexts.iter().filter_map(JoinKey::of) {
            let mut hash = asked.clone();
            hash.update(&key.loose().short().to_le_bytes());
            found.push(Self { key: hash.digest(), identified: true, ..one });
        }
    }
}

/// The exchanges at the beginning of those of these captures that can be read twice.
fn observed(
    paths: &[PathBuf],
    alignments: &[Alignment],
    clocks: &[Clock],
    own: &Config,
) -> Vec<Observed> {
    let (numbers, paths): (Vec<FileId>, Vec<PathBuf>) = (0..=u16::MAX)
        .map(FileId)
        .zip(paths.iter().cloned())
        .filter(|(_, path)| !open::is_stdin(path) && open::length(path).is_some())
        .unzip();
    let renumbered = alignments.iter().filter_map(|alignment| {
        let place = numbers.iter().position(|number| *number == alignment.file)?;
        Some(Alignment { file: FileId(u16::try_from(place).ok()?), ..alignment.clone() })
    });
    let Ok(source) = MergedSource::open_aligned(&paths, CHUNK, renumbered.collect()) else {
        return Vec::new();
    };
    let mut config = Config { points: own.points.clone(), ..Config::default() };
    (config.flows, config.open) = (own.flows, own.open);
    config.window.held = own.window.held;
    config.window.ids = IdSet::ALL;
    config.window.quiet = 0;
    let mut observer = Observer::default();
    let each = PACKETS / paths.len().max(1) as u64;
    let mut source = Beginnings { source, each, packets: BTreeMap::new() };
    let mut taps = Taps::default();
    pipeline::run(&mut source, &mut taps, &config, &mut observer);
    let interfaces = taps.interfaces(source.interfaces());
    let mut found = observer.found;
    found.retain_mut(|one| {
        let (file, tap) = one.seen;
        let interface = interfaces.get(usize::from(tap.0)).copied().flatten();
        let interface = interface.and_then(|interface| source.source.number_in(file, interface));
        let file = numbers.get(usize::from(file.0)).copied().unwrap_or(file);
        let has = |part: &Part| match (&part.interfaces, interface) {
            (None, _) => part.file == file,
            (Some(its), Some(id)) => part.file == file && its.contains(&id),
            (Some(_), None) => false,
        };
        let clock = clocks.iter().position(|clock| clock.parts.iter().any(has));
        one.clock = clock.unwrap_or_default();
        clock.is_some()
    });
    found
}

/// Takes what it needs of each span.
#[derive(Default)]
struct Observer {
    found: Vec<Observed>,
}

impl SpanSink for Observer {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        for span in &trace.spans {
            if self.found.len() < OBSERVED {
                Observed::all_of(&span.exchange, &mut self.found);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The packets of each file, up to a number: clocks may be so far apart that one file comes behind
/// all of another one. No more of a file is read.
struct Beginnings {
    source: MergedSource,
    each: u64,
    packets: BTreeMap<FileId, u64>,
}

impl PacketSource for Beginnings {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        let fill = self.source.fill(batch)?;
        let Self { source, each, packets } = self;
        batch.packets.retain(|packet| {
            let count = packets.entry(packet.frame.file).or_default();
            *count += 1;
            if *count == *each {
                source.leave(packet.frame.file);
            }
            *count <= *each
        });
        Ok(fill)
    }

    fn interfaces(&self) -> &Interfaces {
        self.source.interfaces()
    }
}

/// What the taps are called.
#[derive(Default)]
struct Taps(Vec<String>);

impl Taps {
    /// For each tap its interface.
    fn interfaces(&self, interfaces: &Interfaces) -> Vec<Option<InterfaceId>> {
        let numbers: BTreeMap<&str, InterfaceId> =
            interfaces.iter().map(|(id, interface)| (interface.name.as_str(), id)).collect();
        // Behind the name of its interface, a tap has those of VLANs and tunnels.
        let its = |tap: &String| {
            let ends = tap.match_indices(['.', ':', '%']).map(|(end, _)| end);
            let names = ends.chain([tap.len()]).filter_map(|end| tap.get(..end));
            names.filter_map(|name| numbers.get(name).copied()).next_back()
        };
        self.0.iter().map(its).collect()
    }
}

impl Surroundings for Taps {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, names: Vec<String>) {
        self.0.extend(names);
    }

    fn networks(&mut self, _names: Vec<String>) {}

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

/// Of exchanges that are alike, those that lie within others, with these; none where that does not
/// say how far their clocks are apart.
fn nested<'o>(both: &[(&'o Observed, &'o Observed)]) -> Vec<(&'o Observed, &'o Observed)> {
    let identified = both.iter().filter(|(one, _)| one.identified);
    let mut both: Vec<_> = match identified.clone().count() {
        ENOUGH.. => identified.copied().collect(),
        _ => both.iter().filter(|(one, _)| !one.identified).copied().collect(),
    };
    both.sort_by_key(|(one, other)| (one.start, other.start, one.key, one.end, other.end));
    let clear = WINDOWS.iter().find_map(|window| Some((most_agree(&both, *window)?, *window)));
    let Some((mut apart, window)) = clear else { return Vec::new() };
    // Clocks drift, so what was found at the beginning is followed.
    both.retain(|(one, other)| {
        let difference = other.start.0.saturating_sub(one.start.0);
        let agrees = difference.abs_diff(apart) < 2 * window.unsigned_abs();
        if agrees {
            apart += (difference - apart) / FOLLOW;
        }
        agrees
    });
    // One that could lie within two is left aside, as are two that could lie within one.
    let mut times: BTreeMap<(usize, Timestamp, u64), usize> = BTreeMap::new();
    let places = |(one, other): &(&Observed, &Observed)| {
        [(0, one.start, one.key), (1, other.start, other.key)]
    };
    for place in both.iter().flat_map(places) {
        *times.entry(place).or_default() += 1;
    }
    both.retain(|pair| places(pair).iter().all(|place| times.get(place) == Some(&1)));
    both.sort_by_key(|(one, other)| (one.server, other.server));
    let length = |seen: &Observed| seen.end.0.saturating_sub(seen.start.0);
    let mut nested = Vec::new();
    for alike in both.chunk_by(|a, b| (a.0.server, a.1.server) == (b.0.server, b.1.server)) {
        // The one around the other takes longer, whatever the clocks say.
        let longer = alike.iter().filter(|(one, other)| length(one) > length(other)).count();
        let first_is_outer = longer * 2 >= alike.len();
        let clear = longer.max(alike.len() - longer) * 10 >= alike.len() * 9;
        for (one, other) in alike.iter().filter(|_| clear) {
            nested.push(if first_is_outer { (*one, *other) } else { (*other, *one) });
        }
    }
    let fits = Line::through(&sightings(&nested)).is_some_and(|line| line.ahead_error < UNSURE);
    if fits { nested } else { Vec::new() }
}

/// The same as bounds between the first clock and the second, whichever of them saw what is around.
fn sightings(nested: &[(&Observed, &Observed)]) -> Vec<Sighting> {
    let Some((outer, inner)) = nested.first() else { return Vec::new() };
    let base = outer.start.0;
    let own = outer.clock.min(inner.clock);
    let mut sightings = Vec::new();
    for (outer, inner) in nested {
        for (earlier, later, from) in
            [(outer.start, inner.start, outer.clock), (inner.end, outer.end, inner.clock)]
        {
            let onwards = from == own;
            let (at, then) = if onwards { (earlier, later) } else { (later, earlier) };
            sightings.push(Sighting {
                at: at.0.saturating_sub(base) as f64,
                difference: then.0.saturating_sub(at.0) as f64,
                onwards,
            });
        }
    }
    sightings
}

/// By how much the second ones start later, as most of these pairs say, give or take so many
/// nanoseconds; none if that is not clear.
fn most_agree(both: &[(&Observed, &Observed)], window: i64) -> Option<i64> {
    let first = both.first()?.0.start;
    let beginning =
        both.iter().take_while(|(one, _)| one.start.0 < first.0.saturating_add(BEGINNING));
    let mut differences: Vec<i64> =
        beginning.map(|(one, other)| other.start.0.saturating_sub(one.start.0)).collect();
    differences.sort_unstable();
    // The window that holds the most of them, and the one apart from it that does.
    let windows = differences.iter().enumerate().map(|(from, least)| {
        let until = differences.partition_point(|other| *other < least.saturating_add(window));
        (until - from, *least, from)
    });
    let (most, least, from) = windows.clone().max_by_key(|(count, least, _)| (*count, -least))?;
    let others = windows.filter(|(_, other, _)| other.abs_diff(least) > 2 * window.unsigned_abs());
    let next = others.map(|(count, ..)| count).max().unwrap_or_default();
    let clear = most >= ENOUGH && most >= next.saturating_mul(CLEAR);
    differences.get(from + most / 2).copied().filter(|_| clear)
}

/// Packets of all files that are looked at for it; each has its part.
const PACKETS: u64 = 1 << 18;
/// Exchanges, by each of their keys, that are looked at.
const OBSERVED: usize = 1 << 18;
/// Exchanges that have one key, at one clock.
const ALIKE: usize = 128;
/// Pairs of those that are alike, of all clocks; each two clocks have their part.
const PAIRS: usize = 1 << 23;
/// Pairs that say the same: fewer may be chance.
const ENOUGH: usize = 5;
/// How many times as many must agree on an offset as on any other.
const CLEAR: usize = 3;
/// Nanoseconds of the beginning in which an offset is looked for; clocks drift little in it.
const BEGINNING: i64 = 60_000_000_000;
/// Nanoseconds by which pairs that agree may differ: the less, the more often the same is asked.
const WINDOWS: &[i64] = &[10_000_000, 2_000_000, 500_000];
/// A part of the difference by which what was found follows what comes.
const FOLLOW: i64 = 8;
/// Nanoseconds of uncertainty from which on nothing is known.
const UNSURE: f64 = 20_000_000.0;
const CHUNK: usize = 256 * 1024;
