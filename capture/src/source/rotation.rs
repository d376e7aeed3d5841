//! Which files are parts of one capture that was written in turn: by their names, as tcpdump and
//! dumpcap give them, or by TCP connections that go on from one to the next.
//!
//! Times alone never make a series: they only forbid one, if the files overlap.

use crate::packet::{FileId, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// A file that was recognised as going on with another one; both are one tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The file that ends.
    pub earlier: FileId,
    /// Its name as it was given.
    pub earlier_name: String,
    /// The file that goes on.
    pub later: FileId,
    /// Its name as it was given.
    pub later_name: String,
    /// What says so.
    pub evidence: Evidence,
}

/// What says that one file goes on with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The names, and times that do not overlap.
    Names(Shape),
    /// TCP connections that go on in sequence, counted per direction.
    Sequence {
        /// How many go on where they stopped.
        continuing: usize,
        /// How many go on elsewhere.
        contradicting: usize,
    },
}

/// How a program names the files of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `tcpdump -C` or `-W`: a number behind the complete name.
    Number,
    /// `tcpdump -G`: a time in the name.
    Time,
    /// dumpcap's ring buffer: `_00001_20260101120000` before the ending.
    Ring,
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} goes on with {}: {}", self.later_name, self.earlier_name, self.evidence)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(Shape::Number) => f.write_str("numbered as tcpdump -C numbers"),
            Self::Names(Shape::Time) => f.write_str("named by time as tcpdump -G names"),
            Self::Names(Shape::Ring) => f.write_str("named as dumpcap -b names"),
            Self::Sequence { continuing, contradicting } => write!(
                f,
                "{continuing} directions of TCP connections go on in sequence, {contradicting} do not"
            ),
        }
    }
}

/// The names of all files of the command line, for recognising series among them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    parsed: Vec<Name>,
    /// Complete names without compression, by which a number behind one is known to be one.
    complete: BTreeSet<(PathBuf, String)>,
}

#[derive(Debug)]
struct Name {
    folder: PathBuf,
    /// Without the number that tcpdump puts behind it.
    base: String,
    number: Option<u64>,
    /// Whether what stands before the number ends as capture files do.
    has_ending: bool,
    time: Option<Stamped>,
    ring: Option<Ringed>,
}

#[derive(Debug)]
struct Stamped {
    /// The name with `#` in place of the time's digits.
    around: String,
    time: NamedTime,
}

/// Seconds that a name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedTime {
    /// Of some epoch in some time zone: only differences count.
    Absolute(i64),
    /// Of a day.
    OfDay(i64),
}

#[derive(Debug)]
struct Ringed {
    around: String,
    number: u64,
    time: u64,
}

impl Names {
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        let parsed: Vec<Name> = paths.iter().map(|path| Name::parse(path)).collect();
        let complete = paths.iter().map(|path| (folder(path), uncompressed_name(path))).collect();
        Self { parsed, complete }
    }

    /// How the later file's name goes on with the earlier one's, if it does. Both come with the
    /// time of their first packet; that they do not overlap is for the caller to see.
    pub(crate) fn follow(
        &self,
        earlier: (usize, Timestamp),
        later: (usize, Timestamp),
    ) -> Option<Shape> {
        let (a, b) = (self.parsed.get(earlier.0)?, self.parsed.get(later.0)?);
        if a.folder != b.folder {
            return None;
        }
        if let (Some(a), Some(b)) = (&a.ring, &b.ring)
            && a.around == b.around
        {
            return (a.number != b.number && a.time <= b.time).then_some(Shape::Ring);
        }
        if a.base == b.base
            && a.number != b.number
            && (a.has_ending || self.complete.contains(&(a.folder.clone(), a.base.clone())))
        {
            return Some(Shape::Number);
        }
        let (Some(a), Some(b)) = (&a.time, &b.time) else { return None };
        if a.around != b.around {
            return None;
        }
        let grows = match (a.time, b.time) {
            (NamedTime::Absolute(a), NamedTime::Absolute(b)) => a < b,
            (NamedTime::OfDay(a), NamedTime::OfDay(b)) => {
                // Four or six digits may be anything: the packets must have come as far as the
                // names say.
                let named = (b - a).rem_euclid(DAY);
                let came = later.1.0.saturating_sub(earlier.1.0) / 1_000_000_000;
                let off = (came - named).rem_euclid(DAY);
                named > 0 && off.min(DAY - off) <= 2 + named.min(DAY - named) / 2
            }
            _ => false,
        };
        grows.then_some(Shape::Time)
    }

    /// Whether all look like parts of one series, by their names alone.
    pub(crate) fn are_of_one_series(&self) -> bool {
        let around = |name: &Name| match (&name.ring, &name.time, name.number) {
            (Some(ring), ..) => Some((name.folder.clone(), ring.around.clone())),
            (None, Some(time), _) => Some((name.folder.clone(), time.around.clone())),
            // The first one that tcpdump writes has no number.
            (None, None, _) if name.number.is_some() || name.has_ending => {
                Some((name.folder.clone(), name.base.clone()))
            }
            _ => None,
        };
        let first = self.parsed.first().and_then(around);
        first.is_some() && self.parsed.iter().all(|name| around(name) == first)
    }
}

impl Name {
    fn parse(path: &Path) -> Self {
        let name = uncompressed_name(path);
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (base, number) = name.split_at(name.len() - digits);
        // dumpcap and -G may end in digits too, and an ending such as `.pcap0` is none.
        let number: Option<u64> = number.parse().ok();
        let base = if number.is_some() { base } else { name.as_str() };
        let has_ending = ENDINGS.iter().any(|ending| base.ends_with(ending));
        // Without an ending, the digits at the end may be those of a time.
        let time = Stamped::parse(if has_ending { base } else { &name });
        Self {
            folder: folder(path),
            base: base.to_owned(),
            number,
            has_ending,
            time,
            ring: Ringed::parse(&name),
        }
    }
}

impl Stamped {
    /// Finds the longest run of digits, with single separators in it, that can be a time.
    fn parse(name: &str) -> Option<Self> {
        let runs = digit_runs(name);
        let mut best: Option<(usize, Self)> = None;
        for first in 0..runs.len() {
            let mut digits = String::new();
            for last in first..runs.len() {
                let (start, end) = *runs.get(last)?;
                let joined = last == first || {
                    let (_, before) = *runs.get(last - 1)?;
                    name.get(before..start)
                        .is_some_and(|gap| matches!(gap, "-" | "_" | ":" | "." | "T" | "t" | " "))
                };
                // Every field of a time has an even number of digits.
                if !joined || (end - start) % 2 != 0 {
                    break;
                }
                digits.push_str(name.get(start..end)?);
                let Some(time) = named_time(&digits) else { continue };
                // A date is worth more than a time of day of as many digits.
                let worth =
                    digits.len() * 2 + usize::from(matches!(time, NamedTime::Absolute(_))) * 20;
                if best.as_ref().is_none_or(|(known, _)| worth > *known) {
                    let mut around = String::new();
                    let mut done = 0;
                    for (start, end) in runs.get(first..=last)? {
                        around.push_str(name.get(done..*start)?);
                        around.extend(std::iter::repeat_n('#', end - start));
                        done = *end;
                    }
                    around.push_str(name.get(done..)?);
                    best = Some((worth, Self { around, time }));
                }
            }
        }
        best.map(|(_, stamped)| stamped)
    }
}

impl Ringed {
    /// `NAME_00001_20260101120000.ENDING`, or with the number behind the time.
    fn parse(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let (rest, second) = stem.rsplit_once('_')?;
        let (base, first) = rest.rsplit_once('_')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (number, time) = if second.len() == 14 { (first, second) } else { (second, first) };
        if time.len() != 14 || number.len() < 5 || !digits(time) || !digits(number) {
            return None;
        }
        Some(Self {
            around: format!("{base}.{ending}"),
            number: number.parse().ok()?,
            time: time.parse().ok()?,
        })
    }
}

/// The time that digits tell: a date with or without a time of day, seconds since 1970, or a time
/// of day.
fn named_time(digits: &str) -> Option<NamedTime> {
    let field = |at: usize, len: usize| -> Option<i64> { digits.get(at..at + len)?.parse().ok() };
    let of_day = |at: usize| -> Option<i64> {
        let two = |at| if at < digits.len() { field(at, 2) } else { Some(0) };
        let (hour, minute, second) = (two(at)?, two(at + 2)?, two(at + 4)?);
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    };
    match digits.len() {
        10 if digits.starts_with('1') => Some(NamedTime::Absolute(field(0, 10)?)),
        8 | 10 | 12 | 14 => {
            let (year, month, day) = (field(0, 4)?, field(4, 2)?, field(6, 2)?);
            let sane = (1990..2100).contains(&year)
                && (1..=12).contains(&month)
                && (1..=31).contains(&day);
            sane.then_some(())?;
            let seconds = days(year, month, day) * DAY + of_day(8)?;
            Some(NamedTime::Absolute(seconds))
        }
        4 | 6 => Some(NamedTime::OfDay(of_day(0)?)),
        _ => None,
    }
}

/// Days since the epoch of the Gregorian calendar, months counted from March:
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year
}

/// Beginning and end of each run of digits.
fn digit_runs(name: &str) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, byte) in name.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            continue;
        }
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

fn folder(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// The name without folder and without what a compressor appends.
fn uncompressed_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stripped = [".gz", ".zst", ".zstd"].iter().find_map(|ending| name.strip_suffix(ending));
    stripped.unwrap_or(&name).to_owned()
}

const DAY: i64 = 24 * 3600;

/// Endings of capture files.
const ENDINGS: &[&str] =
    &[".pcap", ".pcapng", ".cap", ".dmp", ".dump", ".trc", ".ntar", ".tcpdump", ".capture"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(earlier: &str, later: &str, expected: Option<Shape>) {
        check_among(&[earlier, later], 60, expected);
    }

    fn check_among(names: &[&str], seconds_later: i64, expected: Option<Shape>) {
        let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        let names = Names::new(&paths);
        let later = Timestamp(seconds_later * 1_000_000_000);
        let last = paths.len() - 1;
        assert_eq!(names.follow((last - 1, Timestamp(0)), (last, later)), expected, "{paths:?}");
    }

    #[test]
    fn numbers_behind_a_complete_name_are_a_series() {
        check("x.pcap", "x.pcap1", Some(Shape::Number));
        check("x.pcap1", "x.pcap2", Some(Shape::Number));
        check("d/x.pcap9", "d/x.pcap10", Some(Shape::Number));
        check("x.pcap1.gz", "x.pcap2", Some(Shape::Number));
        check("x.pcap08", "x.pcap09", Some(Shape::Number));
        check("x.cap", "x.cap1", Some(Shape::Number));
        check("trace", "trace1", Some(Shape::Number));
        check_among(&["trace", "trace1", "trace2"], 60, Some(Shape::Number));
    }

    #[test]
    fn a_ring_that_begins_anew_is_a_series() {
        check("x.pcap9", "x.pcap0", Some(Shape::Number));
    }

    #[test]
    fn numbers_inside_a_name_are_no_series() {
        check("host1.pcap", "host2.pcap", None);
        check("host1", "host2", None);
        check("host01.pcap", "host02.pcap", None);
        check("host1001.pcap", "host1002.pcap", Some(Shape::Time));
        check_among(&["host1001.pcap", "host1002.pcap"], 3600, None);
        check("10.0.0.1.pcap", "10.0.0.2.pcap", None);
        check("a.pcap", "b.pcap1", None);
        check("d/x.pcap", "e/x.pcap1", None);
        check("x.pcap", "x.pcap", None);
    }

    #[test]
    fn a_time_that_grows_is_a_series() {
        check("x-20260101-120000.pcap", "x-20260101-120100.pcap", Some(Shape::Time));
        check("x-20260101120000.pcap.gz", "x-20260101120100.pcap.gz", Some(Shape::Time));
        check("x_2026-01-01_12:00:00.pcap", "x_2026-01-01_12:01:00.pcap", Some(Shape::Time));
        check("x_2026-01-31T23.59.00", "x_2026-02-01T00.00.00", Some(Shape::Time));
        check("x-1767225600.pcap", "x-1767225660.pcap", Some(Shape::Time));
        check("x-120000.pcap", "x-120100.pcap", Some(Shape::Time));
        check("x-2359.pcap", "x-0000.pcap", Some(Shape::Time));
        check("host1-20260101-120000.pcap3", "host1-20260101-120100.pcap", Some(Shape::Time));
    }

    #[test]
    fn a_time_that_does_not_grow_is_no_series() {
        check("x-20260101-120100.pcap", "x-20260101-120000.pcap", None);
        check("host1-20260101.pcap", "host2-20260102.pcap", None);
        check("a-120000.pcap", "b-120100.pcap", None);
        check("x-991234.pcap", "x-991235.pcap", None);
    }

    #[test]
    fn the_names_of_dumpcap_are_a_series() {
        let first = "x_00001_20260101120000.pcapng";
        check(first, "x_00002_20260101120100.pcapng", Some(Shape::Ring));
        check(first, "y_00002_20260101120100.pcapng", None);
        check(first, "x_00002_20260101115900.pcapng", None);
        check("x_20260101120000_00001.pcapng", "x_20260101120100_00002.pcapng", Some(Shape::Ring));
    }

    #[test]
    fn a_number_behind_a_time_is_a_series() {
        check("x-120000.pcap", "x-120000.pcap1", Some(Shape::Number));
    }
}
