//! `truth.ndjson` in: what truly happened, as the lab wrote it down. `testdata/lab/README.md` says
//! what its fields mean.

use super::labels::{Ends, Label, Labels, Numbered, small};
use super::lines::Lines;
use super::{EvaluateError, Flaw, MOST};
use hashbrown::HashMap;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use wirespan_capture::source::report::Progress;

/// Every exchange that there truly was, with its parent.
#[derive(Debug, Default)]
pub struct Truth {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    /// Those of a row stand together, nearest to the client first.
    pub(super) sightings: Vec<Sighting>,
    pub(super) labels: Labels,
    pub(super) connections: Numbered<Ends>,
    pub(super) places: Numbered<Place>,
    /// All captures that are named.
    files: BTreeSet<Label>,
}

/// An exchange.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number in the file.
    pub(super) id: u64,
    pub(super) parent: Parent,
    pub(super) evidence: Option<Label>,
    pub(super) service: Label,
    pub(super) operation: Box<str>,
    pub(super) status: Box<str>,
    /// Its first sighting, and how many there are.
    pub(super) first: u32,
    pub(super) count: u32,
    /// The row at the top of its trace; none where nobody knows whose that is.
    pub(super) trace: Option<u32>,
}

/// The exchange that an exchange was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// Nobody's.
    Root,
    /// This is not known.
    Unknown,
    /// The place of its row.
    Row(u32),
}

/// An exchange as one capture point saw it.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    /// The place of its row.
    pub(super) row: u32,
    pub(super) connection: u32,
    pub(super) place: u32,
    /// Its number on the connection, from 1.
    pub(super) nth: u32,
    pub(super) begin: i64,
    pub(super) end: Option<i64>,
    /// The first packet of the request, the last one of the answer; 0 where that is not told.
    pub(super) frames: [u64; 2],
}

/// A capture point in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) point: Label,
    pub(super) file: Label,
}

impl Truth {
    /// Reads a file by its path; it may be compressed.
    ///
    /// # Errors
    /// Why it cannot be opened, which line is wrong, or that it holds nothing.
    pub fn read(path: &Path) -> Result<Self, EvaluateError> {
        Self::of(Lines::open(path, &Progress::new(None))?)
    }

    /// The captures that it names, beside its own file.
    pub fn captures(&self, path: &Path) -> Vec<PathBuf> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut files: Vec<&str> = self.files.iter().map(|file| self.labels.text(*file)).collect();
        files.sort_unstable();
        files.into_iter().filter(|file| !file.is_empty()).map(|file| folder.join(file)).collect()
    }

    /// How many exchanges there are.
    pub fn exchanges(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn of(mut lines: Lines) -> Result<Self, EvaluateError> {
        let mut truth = Self { name: lines.name().to_owned(), ..Self::default() };
        let mut places: HashMap<u64, u32> = HashMap::new();
        // The parent of each row by its number, and the line that says so.
        let mut parents: Vec<(Option<u64>, u64)> = Vec::new();
        while let Some(line) = lines.next()? {
            let read = truth.row(line.text).and_then(|parent| {
                let place = small(truth.rows.len() - 1);
                let id = truth.rows.last().map_or(0, |row| row.id);
                match places.insert(id, place) {
                    Some(_) => Err(Flaw::Twice(id)),
                    None => Ok(parent),
                }
            });
            let parent = read.map_err(|flaw| lines.flawed(flaw))?;
            parents.push((parent, lines.number()));
        }
        if truth.rows.is_empty() {
            return Err(EvaluateError::NoTruth { file: truth.name });
        }
        for (row, (parent, line)) in truth.rows.iter_mut().zip(&parents) {
            let Some(parent) = parent else { continue };
            let Some(place) = places.get(parent) else {
                let (file, flaw) = (truth.name, Flaw::NoSuchParent(*parent));
                return Err(EvaluateError::Line { file, line: *line, flaw });
            };
            row.parent = Parent::Row(*place);
        }
        truth.find_traces().map_err(|row| {
            let line = parents.get(row as usize).map_or(0, |(_, line)| *line);
            EvaluateError::Line { file: truth.name.clone(), line, flaw: Flaw::Circle }
        })?;
        Ok(truth)
    }

    /// The sightings of a row, nearest to the client first.
    pub(super) fn sightings_of(&self, row: &Row) -> &[Sighting] {
        let first = row.first as usize;
        self.sightings.get(first..first + row.count as usize).unwrap_or_default()
    }

    /// The name of the file that a place is in.
    pub(super) fn file(&self, place: u32) -> &str {
        self.places.key(place).map_or("", |place| self.labels.text(place.file))
    }

    /// Adds a line; gives the number of its parent, where that is known and there is one.
    fn row(&mut self, text: &[u8]) -> Result<Option<u64>, Flaw> {
        // A list of the right values would pass for an object.
        if !text.starts_with(b"{") {
            return Err(Flaw::NoObject);
        }
        let line: Line<'_> = match serde_json::from_slice(text) {
            Ok(line) => line,
            // Whatever another version holds, it is not broken.
            Err(error) => match serde_json::from_slice(text) {
                Ok(Head { kind: Some(_), .. }) => return Err(Flaw::NoRow),
                Ok(Head { v: Some(v), .. }) if v != VERSION => {
                    return Err(Flaw::Version(v, VERSION));
                }
                _ => return Err(Flaw::Json(error)),
            },
        };
        if line.kind.is_some() {
            return Err(Flaw::NoRow);
        }
        if let Some(version) = line.v.filter(|version| *version != VERSION) {
            return Err(Flaw::Version(version, VERSION));
        }
        let (parent, above) = match line.parent.ok_or(Flaw::Missing("parent"))? {
            Above::Nobody(()) => (Parent::Root, None),
            Above::Row(above) => (Parent::Root, Some(above)),
            Above::Word(word) if word == "unknown" => (Parent::Unknown, None),
            Above::Word(word) => return Err(Flaw::unknown("parent", &word)),
        };
        if line.points.is_empty() {
            return Err(Flaw::Missing("points"));
        }
        if self.rows.len() >= MOST || self.sightings.len() + line.points.len() > MOST {
            return Err(Flaw::TooMany("points"));
        }
        let (first, count) = (small(self.sightings.len()), small(line.points.len()));
        let row = small(self.rows.len());
        let protocol = self.labels.number(&line.protocol.ok_or(Flaw::Missing("protocol"))?);
        for seen in &line.points {
            let client = address(&seen.client).ok_or_else(|| Flaw::unknown("client", &seen.client));
            let server = address(&seen.server).ok_or_else(|| Flaw::unknown("server", &seen.server));
            let network = seen.network.as_ref().map(|name| {
                let number = name.strip_prefix(NETWORK).and_then(|number| number.parse().ok());
                number.ok_or_else(|| Flaw::unknown("network", name))
            });
            let network = network.transpose()?;
            let ends = Ends { protocol, client: client?, server: server?, network };
            for (field, name) in [("file", &seen.file), ("answer_file", &seen.answer_file)] {
                if !is_beside(name) {
                    return Err(Flaw::unknown(field, name));
                }
            }
            let point = self.labels.number(&seen.point);
            let file = self.labels.number(&seen.file);
            self.files.extend([&seen.file, &seen.answer_file].map(|name| self.labels.number(name)));
            let frame = |frame: Option<&Option<u64>>| frame.copied().flatten().unwrap_or_default();
            self.sightings.push(Sighting {
                row,
                connection: self.connections.number(ends),
                place: self.places.number(Place { point, file }),
                nth: seen.nth,
                begin: seen.begin,
                end: seen.end,
                frames: [frame(seen.frames.first()), frame(seen.frames.get(1))],
            });
        }
        self.rows.push(Row {
            id: line.id.ok_or(Flaw::Missing("id"))?,
            parent,
            evidence: line.evidence.map(|name| self.labels.number(&name)),
            service: self.labels.number(&line.service),
            operation: line.operation.as_ref().into(),
            status: match line.status {
                Some(Status::Number(number)) => number.to_string().into(),
                Some(Status::Word(word)) => word.as_ref().into(),
                None => "".into(),
            },
            first,
            count,
            trace: None,
        });
        Ok(above)
    }

    /// Finds the top of each row's trace; else a row that is above itself.
    fn find_traces(&mut self) -> Result<(), u32> {
        let mut done = vec![false; self.rows.len()];
        let mut way = Vec::new();
        for start in 0..self.rows.len() {
            let mut at = start;
            way.clear();
            let trace = loop {
                let Some(row) = self.rows.get(at) else { break None };
                if done.get(at) == Some(&true) {
                    break row.trace;
                }
                way.push(at);
                if way.len() > self.rows.len() {
                    return Err(small(at));
                }
                match row.parent {
                    Parent::Root => break Some(small(at)),
                    Parent::Unknown => break None,
                    Parent::Row(above) => at = above as usize,
                }
            };
            for place in &way {
                if let (Some(row), Some(done)) = (self.rows.get_mut(*place), done.get_mut(*place)) {
                    (row.trace, *done) = (trace, true);
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
    v: Option<u64>,
    id: Option<u64>,
    #[serde(borrow, default, deserialize_with = "given")]
    parent: Option<Above<'a>>,
    #[serde(borrow)]
    evidence: Option<Cow<'a, str>>,
    #[serde(borrow)]
    protocol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    service: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
    #[serde(borrow, default)]
    points: Vec<Seen<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, null, or \"unknown\"")]
enum Above<'a> {
    Nobody(()),
    Row(u64),
    Word(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a whole number")]
enum Status<'a> {
    Number(i64),
    Word(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Seen<'a> {
    #[serde(borrow)]
    point: Cow<'a, str>,
    #[serde(borrow, default)]
    file: Cow<'a, str>,
    #[serde(borrow)]
    client: Cow<'a, str>,
    #[serde(borrow)]
    server: Cow<'a, str>,
    nth: u32,
    begin: i64,
    end: Option<i64>,
    #[serde(default)]
    frames: Vec<Option<u64>>,
    #[serde(borrow)]
    network: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    answer_file: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
    v: Option<u64>,
}

/// Tells `null` from a field that is not there.
fn given<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<Above<'a>>, D::Error> {
    Above::deserialize(from).map(Some)
}

/// An address and a port; around one of IPv6 there may be brackets.
fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let (ip, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?))
    })
}

/// Whether a name, if it is one, is that of a file beside the truth: what came with a capture opens
/// no other file of whoever reads it.
fn is_beside(name: &str) -> bool {
    !name.contains(['/', '\0']) && !["-", ".", ".."].contains(&name)
}

/// What stands before the number of a network.
const NETWORK: &str = "vni";
/// The version of the format that is read; rows that name none are of this one.
const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str =
        r#"{"point":"a","client":"10.0.0.1:9","server":"10.0.0.2:80","nth":1,"begin":5}"#;

    fn read(text: &str) -> Result<Truth, String> {
        Truth::of(Lines::of(text)).map_err(|error| error.to_string())
    }

    fn row(id: u64, parent: &str) -> String {
        format!(r#"{{"id":{id},"parent":{parent},"protocol":"http","points":[{POINT}]}}"#)
    }

    #[test]
    fn rows_know_the_top_of_their_trace() {
        let rows = [row(7, "9"), row(9, "3"), row(3, "null"), row(4, "\"unknown\""), row(5, "4")];
        let truth = read(&rows.join("\n")).unwrap();
        let traces: Vec<Option<u32>> = truth.rows.iter().map(|row| row.trace).collect();
        assert_eq!(traces, [Some(2), Some(2), Some(2), None, None]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let wrong = |text: &str| read(text).unwrap_err();
        let good = row(1, "null");
        let with = |field: &str, value: &str| {
            row(2, "null").replace("\"nth\"", &format!("\"{field}\":\"{value}\",\"nth\""))
        };
        assert_eq!(
            wrong("\n \n"),
            "read text: it holds no exchange; give a truth.ndjson of the lab"
        );
        for (line, expected) in [
            ("nothing".to_owned(), "it is no JSON object"),
            ("{\"id\":2".to_owned(), "it is broken (EOF while parsing an object at byte 7)"),
            ("{\"v\":2,\"points\":{}}".to_owned(), "it is of version 2, and only 1 is known"),
            (row(1, "null"), "the id 1 was there before"),
            (row(2, "8"), "its parent 8 is nowhere in the file"),
            (row(2, "2"), "it is above itself"),
            (row(2, "\"none\""), "its `parent` cannot be \"none\""),
            (row(2, "null").replace("\"parent\":null,", ""), "it has no `parent`"),
            (row(2, "null").replace(POINT, ""), "it has no `points`"),
            (row(2, "null").replace("10.0.0.1:9", "here"), "its `client` cannot be \"here\""),
            (with("network", "blue"), "its `network` cannot be \"blue\""),
            (with("file", "../a.pcap"), "its `file` cannot be \"../a.pcap\""),
            (with("file", "/dev/stdin"), "its `file` cannot be \"/dev/stdin\""),
            (with("file", "-"), "its `file` cannot be \"-\""),
            (with("answer_file", ".."), "its `answer_file` cannot be \"..\""),
        ] {
            let expected = format!("read text: line 2: {expected}");
            let found = wrong(&format!("{good}\n{line}\n"));
            assert!(found.starts_with(&expected), "{found}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let truth = read(&format!("\u{feff}{}", row(1, "null"))).unwrap();
        assert_eq!(truth.exchanges(), 1);
    }

    #[test]
    fn addresses_of_ipv6_are_read_with_and_without_brackets() {
        for text in ["[fd00::1]:80", "fd00::1:80"] {
            assert_eq!(address(text), Some("[fd00::1]:80".parse().unwrap()), "{text}");
        }
    }
}
