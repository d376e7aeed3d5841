//! Which spans are one exchange, as links of the kind `same_exchange` say; and which exchanges of
//! the truth each such chain is.

use super::labels::small;
use super::matching::Matching;
use super::spans::{Above, Seen, Spans};
use super::truth::{Row, Truth};

/// The chains of all spans, and what they are.
pub(super) struct Chains<'a> {
    truth: &'a Truth,
    spans: &'a Spans,
    matching: &'a Matching,
    /// For each span the one at the top of its chain, and how many stand between.
    tops: Vec<(u32, u32)>,
    /// For each span at the top, the rows that spans of its chain are: one, or that there are more.
    rows: Vec<Rows>,
}

/// The rows that a chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    None,
    One(u32),
    Several,
}

/// Where a row was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The spans at its points, nearest to the client first by the truth, with their chains' tops
    /// and their places in them.
    pub(super) spans: Vec<(u32, u32, u32)>,
}

/// What hangs above a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) link: Above,
    /// The row of the span above; none where that is no exchange of the truth.
    pub(super) row: Option<u32>,
}

impl<'a> Chains<'a> {
    pub(super) fn of(truth: &'a Truth, spans: &'a Spans, matching: &'a Matching) -> Self {
        let all = spans.all.len();
        let mut chains = Self {
            truth,
            spans,
            matching,
            tops: (0..small(all)).map(|place| (place, 0)).collect(),
            rows: vec![Rows::None; all],
        };
        chains.find_tops();
        for (place, (top, _)) in chains.tops.iter().enumerate() {
            let Some(row) = chains.row_of(small(place)) else { continue };
            if let Some(rows) = chains.rows.get_mut(*top as usize) {
                *rows = match *rows {
                    Rows::None => Rows::One(row),
                    Rows::One(known) if known == row => Rows::One(row),
                    _ => Rows::Several,
                };
            }
        }
        chains
    }

    /// A span above may stand behind, where lines were put in another order.
    fn find_tops(&mut self) {
        let mut way = Vec::new();
        let mut done = vec![false; self.tops.len()];
        for start in 0..small(self.tops.len()) {
            let mut at = start;
            way.clear();
            // Spans that hang under each other in a circle are as good as at the top.
            while done.get(at as usize) == Some(&false) && way.len() <= self.tops.len() {
                way.push(at);
                if let Some(done) = done.get_mut(at as usize) {
                    *done = true;
                }
                match self.same_above(at) {
                    Some(above) => at = above,
                    None => break,
                }
            }
            for place in way.iter().rev() {
                let above = self.same_above(*place).and_then(|above| {
                    self.tops.get(above as usize).map(|(top, depth)| (*top, depth + 1))
                });
                if let (Some(own), Some(above)) = (self.tops.get_mut(*place as usize), above) {
                    *own = above;
                }
            }
        }
    }

    /// The same exchange at the point above.
    fn same_above(&self, span: u32) -> Option<u32> {
        let link = self.span(span)?.link?;
        link.span.filter(|_| link.is_same_exchange)
    }

    pub(super) fn span(&self, place: u32) -> Option<&'a Seen> {
        self.spans.all.get(place as usize)
    }

    pub(super) fn row(&self, place: u32) -> Option<&'a Row> {
        self.truth.rows.get(place as usize)
    }

    /// The row that a span is.
    pub(super) fn row_of(&self, span: u32) -> Option<u32> {
        let sighting = self.matching.sighting_of.get(span as usize).copied().flatten()?;
        self.truth.sightings.get(sighting as usize).map(|sighting| sighting.row)
    }

    /// The row that a span is, or else its chain.
    pub(super) fn row_by_chain(&self, span: u32) -> Option<u32> {
        self.row_of(span).or_else(|| match self.rows_of(span) {
            Rows::One(row) => Some(row),
            Rows::None | Rows::Several => None,
        })
    }

    /// The rows that the chain of a span is.
    pub(super) fn rows_of(&self, span: u32) -> Rows {
        self.rows.get(self.top(span) as usize).copied().unwrap_or(Rows::None)
    }

    /// The span at the top of a span's chain.
    pub(super) fn top(&self, span: u32) -> u32 {
        self.tops.get(span as usize).map_or(span, |(top, _)| *top)
    }

    /// The spans at the tops of all chains, in the order of the spans.
    pub(super) fn all_tops(&self) -> impl Iterator<Item = u32> {
        (0..small(self.tops.len())).filter(|span| self.top(*span) == *span)
    }

    /// Where a row was found.
    pub(super) fn found(&self, row: &Row) -> Found {
        let sightings = row.first..row.first + row.count;
        let spans = sightings.filter_map(|sighting| {
            let span = self.matching.span_of.get(sighting as usize).copied().flatten()?;
            let (top, depth) = self.tops.get(span as usize).copied()?;
            Some((span, top, depth))
        });
        Found { spans: spans.collect() }
    }

    /// What hangs above the chain of a span that is this row. Where that is the row itself, the
    /// exchange was parted, and what hangs above the upper part counts.
    pub(super) fn claim(&self, span: u32, row: u32) -> Option<Claim> {
        let mut at = self.top(span);
        let mut claim = None;
        for _ in 0..PARTS {
            // The point above may be missing where spans were left out.
            let link = self.span(at).and_then(|span| span.link);
            let link = link.filter(|link| !link.is_same_exchange)?;
            let above = link.span.and_then(|above| self.row_by_chain(above));
            if above != Some(row) {
                return Some(Claim { link, row: above });
            }
            claim = Some(Claim { link, row: above });
            match link.span {
                Some(above) => at = self.top(above),
                None => break,
            }
        }
        claim
    }
}

/// Parts of one exchange that hang under one another.
const PARTS: usize = 64;
