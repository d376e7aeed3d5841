//! What is wrong, one by one, with the packets where it can be looked at.

use super::chains::Claim;
use super::matching::Matching;
use super::spans::{Outcome, Spans};
use super::truth::{Parent, Sighting, Truth};
use serde::Serialize;

/// Faults by kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Faults {
    kinds: Vec<FaultsOfKind>,
    #[serde(skip)]
    told: usize,
}

/// All faults of one kind, and the first ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultsOfKind {
    /// What is wrong with them.
    pub kind: Kind,
    /// How many there are.
    pub count: u64,
    /// The first of them, in the order of the truth.
    pub first: Vec<Fault>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An exchange hangs under another one than it should.
    WrongParent,
    /// It hangs under something, though nobody called.
    InventedParent,
    /// The order of its points is another one.
    WrongOrder,
    /// It is several exchanges in the spans.
    Parted,
    /// Several exchanges are one in the spans.
    Mixed,
    /// It was not found.
    NotFound,
    /// It is found, and was not.
    NotInTruth,
    /// Something else was asked.
    OtherOperation,
    /// Something else came of it.
    OtherStatus,
    /// It hangs under nothing, though somebody called.
    NoParent,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// The exchange.
    pub exchange: Side,
    /// Its true parent; of points, the one that is nearer to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Side>,
    /// What it hangs under; of points, the one that is farther from the client; of another
    /// operation or status, the span as it is; of exchanges that are one, another of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Side>,
    /// The reason of the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its confidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Whether it is said to be ambiguous.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
}

/// An exchange, and where it lies in the packets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its number in the truth; none where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Protocol and operation.
    pub what: String,
    /// What came of it, by the truth; of what is not there, by the span.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Who asked.
    pub client: String,
    /// Who was asked.
    pub server: String,
    /// The capture point, and the file.
    pub point: String,
    /// First and last packet by the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<[u64; 2]>,
    /// The id of the span, if it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// First and last packet by the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_frames: Option<[u64; 2]>,
}

impl Faults {
    /// Keeps so many of each kind.
    pub(super) fn new(told: usize) -> Self {
        Self { kinds: Vec::new(), told }
    }

    /// Those of each kind, the worst first.
    pub fn kinds(&self) -> &[FaultsOfKind] {
        &self.kinds
    }

    /// Counts one; it is looked at only if it will be told.
    pub(super) fn add(&mut self, kind: Kind, fault: impl FnOnce() -> Fault) {
        let place = match self.kinds.binary_search_by_key(&kind, |known| known.kind) {
            Ok(place) => place,
            Err(place) => {
                self.kinds.insert(place, FaultsOfKind { kind, count: 0, first: Vec::new() });
                place
            }
        };
        if let Some(known) = self.kinds.get_mut(place) {
            known.count += 1;
            if known.first.len() < self.told {
                known.first.push(fault());
            }
        }
    }
}

/// Looks things up to tell of them.
pub(super) struct Looking<'a> {
    truth: &'a Truth,
    spans: &'a Spans,
    matching: &'a Matching,
}

impl<'a> Looking<'a> {
    pub(super) fn new(truth: &'a Truth, spans: &'a Spans, matching: &'a Matching) -> Self {
        Self { truth, spans, matching }
    }

    /// An exchange of the truth with its parents, the true one and the one that was found.
    pub(super) fn row(
        &self,
        kind: Kind,
        row: u32,
        span: Option<u32>,
        claim: Option<Claim>,
    ) -> Fault {
        let parent = self.truth.rows.get(row as usize).map(|row| row.parent);
        let is_of_parents = [Kind::WrongParent, Kind::NoParent].contains(&kind);
        let expected = match parent {
            Some(Parent::Row(above)) if is_of_parents => Some(self.side_of_row(above, None)),
            _ => None,
        };
        let link = claim.map(|claim| claim.link);
        let found = claim.map(|claim| match (claim.link.span, claim.row) {
            // The row may be that of another point of the same exchange.
            (Some(above), _) if self.sighting_of(above).is_some() => self.side_of_span(above),
            (above, Some(row)) => self.side_of_row(row, above),
            (Some(above), None) => self.side_of_span(above),
            (None, None) => nowhere(claim.link.id),
        });
        Fault {
            exchange: self.side_of_row(row, span),
            expected,
            found,
            reason: link.map(|link| self.spans.labels.text(link.reason).to_owned()),
            confidence: link.map(|link| f64::from(link.confidence) / 1e6),
            ambiguous: link.is_some_and(|link| link.ambiguous),
        }
    }

    /// An exchange, and two of its points that are not as they should be.
    pub(super) fn two_points(&self, row: u32, one: u32, other: u32) -> Fault {
        let [expected, found] = [one, other].map(|span| Some(self.side_of_span(span)));
        let exchange = self.side_of_row(row, None);
        Fault { exchange, expected, found, reason: None, confidence: None, ambiguous: false }
    }

    /// An exchange of which a span tells something else.
    pub(super) fn other(&self, row: u32, span: u32) -> Fault {
        Fault {
            exchange: self.side_of_row(row, Some(span)),
            expected: None,
            found: Some(self.side_as_seen(span)),
            reason: None,
            confidence: None,
            ambiguous: false,
        }
    }

    /// Two exchanges that are one in the spans.
    pub(super) fn two_exchanges(&self, one: u32, other: Option<u32>) -> Fault {
        Fault { found: other.map(|other| self.side_of_span(other)), ..self.span(one) }
    }

    /// A span by itself.
    pub(super) fn span(&self, span: u32) -> Fault {
        Fault {
            exchange: self.side_of_span(span),
            expected: None,
            found: None,
            reason: None,
            confidence: None,
            ambiguous: false,
        }
    }

    /// The first exchange of the truth, in words.
    pub(super) fn first_row(&self) -> String {
        let side = self.side_of_row(0, None);
        format!("{} from {} to {}", side.what, side.client, side.server)
    }

    /// The first span, in words.
    pub(super) fn first_span(&self) -> String {
        let side = self.side_of_span(0);
        format!("{} from {} to {}", side.what, side.client, side.server)
    }

    fn sighting_of(&self, span: u32) -> Option<&'a Sighting> {
        let sighting = self.matching.sighting_of.get(span as usize).copied().flatten()?;
        self.truth.sightings.get(sighting as usize)
    }

    /// A row, where this span saw it, else where it was found, else where it was.
    fn side_of_row(&self, row: u32, span: Option<u32>) -> Side {
        let Some(row) = self.truth.rows.get(row as usize) else { return nowhere(0) };
        let found = (row.first..row.first + row.count)
            .find_map(|sighting| self.matching.span_of.get(sighting as usize).copied().flatten());
        let span = span.filter(|span| self.sighting_of(*span).is_some()).or(found);
        let sighting = span.and_then(|span| self.sighting_of(span));
        let sighting = sighting.or_else(|| self.truth.sightings_of(row).first());
        let Some(sighting) = sighting else { return nowhere(0) };
        let seen = span.and_then(|span| self.spans.all.get(span as usize));
        let (protocol, client, server) = self.ends(sighting);
        let point = self.truth.places.key(sighting.place);
        let point = point.map_or("", |place| self.truth.labels.text(place.point));
        let file = self.truth.file(sighting.place);
        Side {
            id: Some(row.id),
            what: format!("{protocol} {}", row.operation).trim_end().to_owned(),
            status: row.status.to_string(),
            client,
            server,
            point: if file.is_empty() { point.to_owned() } else { format!("{point} in {file}") },
            frames: Some(sighting.frames),
            span: seen.map(|seen| format!("{:016x}", seen.id)),
            span_frames: seen.map(|seen| seen.frames),
        }
    }

    fn side_of_span(&self, span: u32) -> Side {
        if let Some(sighting) = self.sighting_of(span) {
            return self.side_of_row(sighting.row, Some(span));
        }
        self.side_as_seen(span)
    }

    /// A span by its own words.
    fn side_as_seen(&self, span: u32) -> Side {
        let Some(seen) = self.spans.all.get(span as usize) else { return nowhere(0) };
        let text = |label| self.spans.labels.text(label);
        let ends = self.spans.connections.key(seen.connection);
        let tap = self.spans.places.key(seen.place);
        let protocol = ends.map_or("", |ends| text(ends.protocol));
        Side {
            id: None,
            what: format!("{protocol} {}", seen.what).trim_end().to_owned(),
            status: match (seen.status.complete, seen.status.outcome) {
                (false, _) => "none".to_owned(),
                _ if seen.status.code > 0 => seen.status.code.to_string(),
                (true, Outcome::Ok) => "ok".to_owned(),
                (true, Outcome::Error) => "error".to_owned(),
                (true, Outcome::Unknown) => "unknown".to_owned(),
            },
            client: ends.map_or_else(String::new, |ends| ends.client.to_string()),
            server: ends.map_or_else(String::new, |ends| ends.server.to_string()),
            point: tap.map_or("", |tap| text(tap.name)).to_owned(),
            frames: None,
            span: Some(format!("{:016x}", seen.id)),
            span_frames: Some(seen.frames),
        }
    }

    fn ends(&self, sighting: &Sighting) -> (&'a str, String, String) {
        match self.truth.connections.key(sighting.connection) {
            Some(ends) => {
                let protocol = self.truth.labels.text(ends.protocol);
                (protocol, ends.client.to_string(), ends.server.to_string())
            }
            None => ("", String::new(), String::new()),
        }
    }
}

/// What hangs under a span that is not there, as where some were left out.
fn nowhere(id: u64) -> Side {
    Side {
        id: None,
        what: "what is not among the spans".to_owned(),
        status: String::new(),
        client: String::new(),
        server: String::new(),
        point: String::new(),
        frames: None,
        span: Some(format!("{id:016x}")),
        span_frames: None,
    }
}
