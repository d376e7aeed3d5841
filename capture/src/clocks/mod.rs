//! By how much the clocks of files, and of interfaces within a file, differ: before anything else
//! reads the packets, since all that follows needs them in one order of time.
//!
//! ```text
//! files ─▶ samples of their packets ─▶ sightings of the same at two clocks ─▶ a line for each pair
//!                                      ▲                                       │
//!                    what else is known to have happened in some order         ▼
//!                                                   the surest ways to one clock ─▶ alignments
//! ```
//!
//! Interfaces of one file have one clock, unless packets say otherwise. What is known of two clocks
//! is used if it is more than it may be wrong by; else they count as the same.

pub mod line;
mod sample;
mod both;
mod halves;

use self::both::{Both, shared};
use self::halves::{Halves, halves};
use self::line::{Line, Sighting};
use self::sample::{Seen, sample};
use crate::decode::NamedPoint;
use crate::packet::{FileId, InterfaceId, Timestamp};
use crate::source::alignment::{Alignment, Offset};
use crate::source::open::{display_name, label};
use crate::source::rotation::Names;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is known of the clocks of some files.
#[derive(Debug, Default)]
pub struct Survey {
    clocks: Vec<Clock>,
    /// What two clocks, the lower number first, have both seen.
    shared: BTreeMap<(usize, usize), Both>,
    /// All times here count from this moment.
    base: i64,
    points: Vec<NamedPoint>,
    /// For each clock, from when until when its packets are.
    lives: Vec<[f64; 2]>,
    /// Files that were not looked at, as they are too many.
    left_out: usize,
}

/// A clock: that of a file or of several ones that belong together, or of interfaces of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What is stamped by it.
    pub parts: Vec<Part>,
}

/// What is stamped by one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub file: FileId,
    /// The interfaces of it, where others of the file have another clock; none: all.
    pub interfaces: Option<Vec<InterfaceId>>,
    /// What to call it.
    pub name: String,
}

impl Clock {
    fn name(&self) -> String {
        match self.parts.as_slice() {
            [] => String::new(),
            [only] => only.name.clone(),
            [one, other] => format!("{} and {}", one.name, other.name),
            [first, ..] => format!("{} and {} more", first.name, self.parts.len() - 1),
        }
    }
}

impl Survey {
    /// Looks at the packets of these files. A single file with one interface is not read, and
    /// neither are very many files, which are parts of a series.
    pub fn of(paths: &[PathBuf]) -> Self {
        if !(1..=FILES).contains(&paths.len()) {
            let is_series = paths.is_empty() || Names::new(paths).are_of_one_series();
            let left_out = if is_series { 0 } else { paths.len() };
            return Self { left_out, ..Self::default() };
        }
        let numbers: Vec<FileId> = (0..=u16::MAX).map(FileId).take(paths.len()).collect();
        let count = paths.len();
        let files: Vec<Vec<Seen>> =
            paths.par_iter().zip(&numbers).map(|(path, file)| sample(path, *file, count)).collect();
        let mut survey = Self::default();
        let first = files.iter().flatten().flat_map(|seen| &seen.samples).map(|one| one.at.0).min();
        survey.base = first.unwrap_or_default();
        let interfaces: Vec<&Seen> = files.iter().flatten().collect();
        let together = shared(&interfaces, survey.base);
        // For each interface a clock, and what each clock stamps.
        let mut clock_of: Vec<usize> = Vec::new();
        let mut stamped: Vec<(usize, Part)> = Vec::new();
        for ((path, file), seen) in paths.iter().zip(&numbers).zip(&files) {
            let parts = parts(clock_of.len(), seen.len(), &together);
            let count = parts.iter().max().map_or(1, |most| most + 1);
            let first = stamped.len();
            for part in 0..count {
                let its: Vec<&Seen> =
                    seen.iter().zip(&parts).filter(|(_, p)| **p == part).map(|(s, _)| s).collect();
                let mut name = display_name(path);
                if count > 1 {
                    let names: Vec<&str> = its.iter().map(|seen| seen.name.as_str()).collect();
                    name = format!("{name} ({})", names.join(", "));
                }
                let interfaces = (count > 1).then(|| its.iter().map(|s| s.interface).collect());
                stamped.push((stamped.len(), Part { file: *file, interfaces, name }));
            }
            clock_of.extend(parts.iter().map(|part| first + part));
        }
        let halves = halves(&interfaces);
        let mut same: Vec<(usize, usize)> = series(paths, &files, &stamped);
        for Halves { interfaces: [one, other], .. } in &halves {
            same.extend(clock_of.get(*one).copied().zip(clock_of.get(*other).copied()));
        }
        survey.points = points(paths, &interfaces, &halves, &file_of(&files));
        for (a, b) in same {
            let number = |clock: usize| stamped.get(clock).map_or(clock, |(number, _)| *number);
            let (a, b) = (number(a), number(b));
            for (number, _) in stamped.iter_mut().filter(|(number, _)| *number == a.max(b)) {
                *number = a.min(b);
            }
        }
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let numbers: Vec<usize> = stamped.iter().map(|(number, _)| *number).collect();
        for (number, part) in stamped {
            let place = *places.entry(number).or_insert(survey.clocks.len());
            match survey.clocks.get_mut(place) {
                Some(clock) => clock.parts.push(part),
                None => survey.clocks.push(Clock { parts: vec![part] }),
            }
        }
        let clock = |interface: usize| {
            let number = numbers.get(*clock_of.get(interface)?)?;
            places.get(number).copied()
        };
        survey.lives = vec![[f64::INFINITY, f64::NEG_INFINITY]; survey.clocks.len()];
        for (number, seen) in interfaces.iter().enumerate() {
            let Some(first) = seen.samples.iter().map(|sample| sample.at).min() else { continue };
            if let Some([from, until]) = clock(number).and_then(|own| survey.lives.get_mut(own)) {
                *from = from.min(first.0.saturating_sub(survey.base) as f64);
                *until = until.max(seen.until.0.saturating_sub(survey.base) as f64);
            }
        }
        for ((one, other), both) in together {
            if let (Some(one), Some(other)) = (clock(one), clock(other)) {
                survey.pair(one, other, both);
            }
        }
        survey
    }

    /// Points whose two directions are two interfaces, by the names that these have where all files
    /// are read.
    pub fn points(&self) -> &[NamedPoint] {
        &self.points
    }

    /// All clocks; they are called by their place.
    pub fn clocks(&self) -> &[Clock] {
        &self.clocks
    }

    /// That something was seen at one clock before it can have been seen at the other.
    pub fn relate(&mut self, earlier: (usize, Timestamp), later: (usize, Timestamp)) {
        let at = earlier.1.0.saturating_sub(self.base) as f64;
        let difference = later.1.0.saturating_sub(earlier.1.0) as f64;
        let sighting = Sighting { at, difference, onwards: true };
        let (one, other) = (earlier.0, later.0);
        if one < other {
            self.shared.entry((one, other)).or_default().add(sighting);
        } else if other < one {
            self.shared.entry((other, one)).or_default().add(sighting.turned());
        }
    }

    fn pair(&mut self, one: usize, other: usize, both: Both) {
        if one < other {
            self.shared.entry((one, other)).or_default().extend(both);
        } else if other < one {
            self.shared.entry((other, one)).or_default().extend(both.turned());
        }
    }

    /// What is to be said of clocks that are not compared, or not set right.
    pub fn remarks(&self) -> Vec<String> {
        let contradict = self.shared.iter().filter(|(_, both)| both.contradicts_itself());
        let mut pairs: Vec<(usize, usize)> = contradict.map(|(pair, _)| *pair).collect();
        let mut remarks = Vec::new();
        if self.left_out > 0 {
            remarks.push(format!(
                "the clocks of {} files are not compared, only those of up to {FILES}: if they \
                 differ, set the times right, as with editcap -t, or merge files of one host",
                self.left_out
            ));
        }
        let name = |clock: usize| self.clocks.get(clock).map(Clock::name).unwrap_or_default();
        while let Some((one, other)) = pairs.first().copied() {
            let has = |(a, b): (usize, usize), clock: usize| a == clock || b == clock;
            let count = |clock: usize| pairs.iter().filter(|pair| has(**pair, clock)).count();
            // One that contradicts several others is what differs.
            let most = [one, other].into_iter().max_by_key(|clock| count(*clock));
            let whose = match most.filter(|clock| count(*clock) > 1) {
                Some(clock) => {
                    pairs.retain(|pair| !has(*pair, clock));
                    format!("the clock of {}", name(clock))
                }
                None => {
                    pairs.remove(0);
                    format!("one of the clocks of {} and {}", name(one), name(other))
                }
            };
            remarks.push(format!(
                "{whose} seems to have been set while packets were captured: what others have \
                 seen, too, contradicts itself, so that times cannot be wholly set right"
            ));
        }
        remarks
    }

    /// For each clock a number: the same for two of which it is known well how they run against
    /// each other.
    pub fn groups(&self) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..self.clocks.len()).collect();
        for ((one, other), seen) in &self.shared {
            let (Some(a), Some(b)) = (groups.get(*one).copied(), groups.get(*other).copied())
            else {
                continue;
            };
            if a != b && seen.line().is_some_and(|line| line.ahead_error < UNSURE) {
                for group in groups.iter_mut().filter(|group| **group == a.max(b)) {
                    *group = a.min(b);
                }
            }
        }
        groups
    }

    /// How each clock runs against another one, in the order of the clocks; nothing is said of
    /// those by which the others count, nor of those of which nothing is known.
    pub fn alignments(&self) -> Vec<Alignment> {
        let lines: Vec<Edge> = self
            .shared
            .iter()
            .filter_map(|((one, other), seen)| {
                let line = self.lasting(*one, *other, seen.line()?);
                Some(Edge { one: *one, other: *other, line })
            })
            .collect();
        let tree = tree(lines, self.clocks.len());
        let mut found: Vec<Alignment> = Vec::new();
        let mut done = vec![false; self.clocks.len()];
        for first in 0..self.clocks.len() {
            if done.get(first) != Some(&false) {
                continue;
            }
            let reference = reference(&tree, self.clocks.len(), first);
            for (clock, way) in ways(reference, &tree, self.clocks.len()).into_iter().enumerate() {
                let Some(way) = way else { continue };
                if let Some(done) = done.get_mut(clock) {
                    *done = true;
                }
                if clock != reference {
                    found.extend(self.alignment(clock, reference, &way));
                }
            }
        }
        found.sort_by_key(|alignment| (alignment.file, alignment.interface));
        found
    }

    /// The line with the error that it has as long as both clocks tell times: it is less sure
    /// outside of the time in which both have seen the same.
    fn lasting(&self, one: usize, other: usize, line: Line) -> Line {
        let (Some([from, until]), Some(theirs)) = (self.lives.get(one), self.lives.get(other))
        else {
            return line;
        };
        let [other_from, other_until] = theirs.map(|at| at - line.ahead);
        let before = line.since - from.max(other_from);
        let after = until.min(other_until) - line.until;
        let outside = before.max(after).max(0.0);
        Line { ahead_error: line.ahead_error + outside * line.drift_error, ..line }
    }

    fn alignment(&self, clock: usize, reference: usize, way: &Way) -> Vec<Alignment> {
        let (Some(own), Some(against)) = (self.clocks.get(clock), self.clocks.get(reference))
        else {
            return Vec::new();
        };
        let Way { line, used } = way;
        let is_used = used.ahead != 0.0 || used.drift != 0.0;
        let told = if is_used { used } else { line };
        let offset = Offset {
            since: Timestamp(self.base.saturating_add((told.since + told.ahead) as i64)),
            ahead: told.ahead.round() as i64,
            drift: (told.drift * 1e9).round() as i64,
        };
        let one = |part: &Part, interface| Alignment {
            file: part.file,
            interface,
            name: part.name.clone(),
            against: against.name(),
            offset,
            error: line.ahead_error.ceil() as u64,
            drift_error: (line.drift_error * 1e9).ceil() as u64,
            sightings: line.sightings,
            used: is_used,
        };
        let mut alignments = Vec::new();
        for part in &own.parts {
            match &part.interfaces {
                None => alignments.push(one(part, None)),
                Some(its) => alignments.extend(its.iter().map(|id| one(part, Some(*id)))),
            }
        }
        alignments
    }
}

/// For each interface the number of its file.
fn file_of(files: &[Vec<Seen>]) -> Vec<usize> {
    let each = files.iter().enumerate();
    each.flat_map(|(file, seen)| std::iter::repeat_n(file, seen.len())).collect()
}

/// The names of points of which each half is an interface.
fn points(
    paths: &[PathBuf],
    interfaces: &[&Seen],
    halves: &[Halves],
    file_of: &[usize],
) -> Vec<NamedPoint> {
    let labels: Vec<String> = paths.iter().map(|path| label(path)).collect();
    let name = |interface: usize| {
        let (seen, file) = (interfaces.get(interface)?, *file_of.get(interface)?);
        let own = labels.get(file)?;
        match paths {
            [_] => Some(seen.name.clone()),
            // Where two files have one name, it is not known which of them keeps it.
            _ if labels.iter().filter(|label| *label == own).count() > 1 => None,
            _ if seen.given => Some(format!("{own}:{}", seen.name)),
            _ => Some(seen.name.clone()),
        }
    };
    let point = |halves: &Halves| {
        let [one, other] = halves.interfaces;
        let taps = vec![name(one)?, name(other)?];
        let because = Some(format!("each tap saw one side of {} flows", halves.flows));
        Some(NamedPoint { name: taps.join("+"), taps, because })
    };
    halves.iter().filter_map(point).collect()
}

/// Files that go on with others by their names: parts of one capture have one clock.
fn series(
    paths: &[PathBuf],
    files: &[Vec<Seen>],
    stamped: &[(usize, Part)],
) -> Vec<(usize, usize)> {
    let names = Names::new(paths);
    let times: Vec<Option<(Timestamp, Timestamp)>> = files
        .iter()
        .map(|seen| {
            let times = seen.iter().flat_map(|seen| &seen.samples).map(|sample| sample.at);
            times.clone().min().zip(times.max())
        })
        .collect();
    let mut same = Vec::new();
    for (earlier, its) in times.iter().enumerate() {
        for (later, theirs) in times.iter().enumerate() {
            let (Some((first, last)), Some((begin, _))) = (its, theirs) else { continue };
            if last <= begin && names.follow((earlier, *first), (later, *begin)).is_some() {
                let clock = |file: usize| {
                    let file_is = |(_, part): &(usize, Part)| usize::from(part.file.0) == file;
                    stamped.iter().position(file_is)
                };
                same.extend(clock(earlier).zip(clock(later)));
            }
        }
    }
    same
}

/// The middle of the time in which a clock saw what others saw, as far as it is known.
fn middle(clock: usize, edges: &[Edge]) -> f64 {
    let times = edges.iter().filter_map(|edge| match clock {
        _ if clock == edge.one => Some(edge.line),
        _ if clock == edge.other => Some(edge.line.reverse()),
        _ => None,
    });
    let from = times.clone().map(|line| line.since).reduce(f64::min);
    let until = times.map(|line| line.until).reduce(f64::max);
    from.zip(until).map_or(0.0, |(from, until)| f64::midpoint(from, until))
}

/// How two clocks run against each other.
#[derive(Debug)]
struct Edge {
    one: usize,
    other: usize,
    line: Line,
}

/// How a clock runs against the one from which ways are told.
#[derive(Clone, Copy, Debug)]
struct Way {
    line: Line,
    /// The same of what is more than it may be wrong by.
    used: Line,
}

/// The line, if it is more than it may be wrong by; else that both clocks are the same.
fn trusted(line: &Line) -> Line {
    if line.ahead.abs() > line.ahead_error || line.drift.abs() > line.drift_error {
        return *line;
    }
    Line { ahead: 0.0, drift: 0.0, ..*line }
}

/// Lines that lead from each clock to each other one that any lead to, between those that are
/// nearest to each other. So what is next to each other is told of by what both have seen, and not
/// by way of a third.
fn tree(mut edges: Vec<Edge>, clocks: usize) -> Vec<Edge> {
    let key = |edge: &Edge| (edge.one, edge.other);
    edges.sort_by(|a, b| {
        let by_error = a.line.ahead_error.total_cmp(&b.line.ahead_error);
        a.line.room.total_cmp(&b.line.room).then(by_error).then(key(a).cmp(&key(b)))
    });
    let mut groups: Vec<usize> = (0..clocks).collect();
    edges.retain(|edge| {
        let (Some(a), Some(b)) = (groups.get(edge.one).copied(), groups.get(edge.other).copied())
        else {
            return false;
        };
        for group in groups.iter_mut().filter(|group| **group == b) {
            *group = a;
        }
        a != b
    });
    edges
}

/// How the clocks that a tree leads to run against this one.
fn ways(from: usize, tree: &[Edge], clocks: usize) -> Vec<Option<Way>> {
    let mut ways: Vec<Option<Way>> = vec![None; clocks];
    let still = Line::still(middle(from, tree));
    if let Some(way) = ways.get_mut(from) {
        *way = Some(Way { line: still, used: still });
    }
    let mut todo = vec![from];
    while let Some(here) = todo.pop() {
        let Some(Some(way)) = ways.get(here).copied() else { continue };
        for edge in tree {
            let (there, line) = match here {
                _ if here == edge.one => (edge.other, edge.line),
                _ if here == edge.other => (edge.one, edge.line.reverse()),
                _ => continue,
            };
            if let Some(place @ None) = ways.get_mut(there) {
                *place =
                    Some(Way { line: way.line.then(&line), used: way.used.then(&trusted(&line)) });
                todo.push(there);
            }
        }
    }
    ways
}

/// Of the clocks that a tree connects with this one: one that is within half a second of the most
/// others, and of these the one from which all are the surest.
fn reference(tree: &[Edge], clocks: usize, first: usize) -> usize {
    let from_first = ways(first, tree, clocks);
    let ahead: Vec<(usize, f64)> = from_first
        .iter()
        .enumerate()
        .filter_map(|(clock, way)| Some((clock, way.as_ref()?.line.ahead)))
        .collect();
    let agree = |one: f64| ahead.iter().filter(|(_, other)| (one - other).abs() < FAR).count();
    let most = ahead.iter().map(|(_, one)| agree(*one)).max().unwrap_or_default();
    let errors = |clock: usize| -> f64 {
        ways(clock, tree, clocks).iter().flatten().map(|way| way.line.ahead_error).sum()
    };
    let candidates = ahead.iter().filter(|(_, one)| agree(*one) == most);
    let candidates = candidates.map(|(clock, _)| (errors(*clock), *clock));
    let best = candidates.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    best.map_or(first, |(_, clock)| clock)
}

/// For each interface of a file, counted from `from` on among all, the number of its clock: 0 for
/// all, unless packets say that they differ. Then the file is put together from several hosts, and
/// what shares no packets with others may have any clock.
fn parts(from: usize, count: usize, together: &BTreeMap<(usize, usize), Both>) -> Vec<usize> {
    let own = |number: usize| (from..from + count).contains(&number);
    let pairs = together.iter().filter(|((one, other), _)| own(*one) && own(*other));
    let mut apart = false;
    let mut same: Vec<usize> = (0..count).collect();
    for ((one, other), both) in pairs {
        let Some(line) = both.line() else { continue };
        let (one, other) = (one - from, other - from);
        if line.ahead.abs() > line.ahead_error + APART {
            apart = true;
        } else if let (Some(a), Some(b)) = (same.get(one).copied(), same.get(other).copied()) {
            for part in same.iter_mut().filter(|part| **part == a.max(b)) {
                *part = a.min(b);
            }
        }
    }
    if !apart {
        return vec![0; count];
    }
    let mut numbers: Vec<usize> = same.clone();
    numbers.sort_unstable();
    numbers.dedup();
    same.iter().map(|part| numbers.binary_search(part).unwrap_or_default()).collect()
}

/// Files that are compared with one another; more are parts of a series.
const FILES: usize = 64;
/// Nanoseconds of uncertainty from which on two clocks are not known well.
const UNSURE: f64 = 100_000_000.0;
/// Nanoseconds from which on a clock is far from another.
const FAR: f64 = 500_000_000.0;
/// Nanoseconds by which two interfaces of one file must differ to have two clocks.
const APART: f64 = 1_000_000.0;
