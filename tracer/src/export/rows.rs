//! The spans of a trace in, the lines that people see of it out: one for each exchange, at however
//! many points it was seen, and one for many calls that are alike.

use crate::exchange::{Exchange, OPERATION, RESOURCE, STATUS_TEXT};
use crate::span::{Span, Trace};
use crate::templates::template_of;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3;

/// The exchanges of a trace, each below the one that called.
pub(super) struct Rows<'t> {
    trace: &'t Trace,
    rows: Vec<Row>,
    /// The row of each span.
    row_of: SmallVec<[usize; 16]>,
}

/// An exchange, whatever the number of points that saw it.
#[derive(Debug)]
pub(super) struct Row {
    /// The place of its span at the point that is nearest to the client.
    pub(super) outer: usize,
    /// The place of that nearest to the server.
    pub(super) inner: usize,
    /// The place of that from which it is known what came of it.
    pub(super) told: usize,
    /// How many points saw it.
    pub(super) points: usize,
    /// The row of the exchange that called.
    pub(super) above: Option<usize>,
    /// The first row that it called.
    pub(super) below: Option<usize>,
    last_below: Option<usize>,
    /// The next row under the same one.
    next: Option<usize>,
    /// Whether a later line hangs under the same row.
    pub(super) follows: bool,
    /// When it began and ended, as the outermost point saw it.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) failed: bool,
    /// Whether failures above it most likely come from here.
    pub(super) is_origin: bool,
    /// The row in whose line it stands.
    like: Option<usize>,
    /// How many rows stand in its line, itself among them.
    pub(super) alike: usize,
}

/// What many calls in one line have in common.
#[derive(Debug)]
pub(super) struct Alike {
    /// What they are applied to, without what differs.
    pub(super) resource: Vec<u8>,
    /// The sum of their durations.
    pub(super) together: i64,
}

impl<'t> Rows<'t> {
    /// A line for each exchange.
    pub(super) fn each(trace: &'t Trace) -> Self {
        let mut rows = Self::unmarked(trace);
        rows.mark_followers();
        rows
    }

    /// One line for calls under the same exchange that are alike and many.
    pub(super) fn folded(trace: &'t Trace) -> Self {
        let mut rows = Self::unmarked(trace);
        if rows.rows.len() >= MANY {
            rows.fold();
        }
        rows.mark_followers();
        rows
    }

    /// A row for each exchange, for whoever draws no lines between them.
    pub(super) fn unmarked(trace: &'t Trace) -> Self {
        let spans = trace.spans.len();
        let (rows, row_of) = (Vec::with_capacity(spans), SmallVec::with_capacity(spans));
        let mut rows = Self { trace, rows, row_of };
        rows.gather();
        rows.find_origins();
        rows
    }

    /// The lines, by the places of their rows.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter(|(_, row)| row.like.is_none())
    }

    /// How many exchanges there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, row: usize) -> Option<&Row> {
        self.rows.get(row)
    }

    pub(super) fn span(&self, place: usize) -> Option<&'t Span> {
        self.trace.spans.get(place)
    }

    pub(super) fn exchange(&self, place: usize) -> Option<&'t Exchange> {
        self.span(place).map(|span| &*span.exchange)
    }

    /// When the first began and the last ended.
    pub(super) fn extent(&self) -> (i64, i64) {
        let from = self.rows.iter().map(|row| row.from).min().unwrap_or_default();
        let to = self.rows.iter().map(|row| row.to).max().unwrap_or_default();
        (from, to)
    }

    /// How many exchanges failed.
    pub(super) fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.failed).count()
    }

    /// The spans of a row, numbered from the one that is nearest to the client.
    pub(super) fn points(&self, row: usize) -> impl Iterator<Item = (usize, &'t Span)> {
        let places = self.get(row).map_or(0..0, |row| row.outer..row.inner + 1);
        let own = places.filter(move |place| self.row_of.get(*place) == Some(&row));
        own.filter_map(|place| self.span(place)).enumerate()
    }

    /// How many segments of an exchange were sent again, as the point saw that saw most of them.
    pub(super) fn resent(&self, row: usize) -> u32 {
        let halves = |e: &Exchange| {
            let response = e.response.as_ref().map_or(0, |half| half.resent.segments);
            e.request.resent.segments.saturating_add(response)
        };
        self.points(row).map(|(_, span)| halves(&span.exchange)).max().unwrap_or_default()
    }

    /// The rows that one called, in order.
    pub(super) fn below(&self, row: usize) -> impl Iterator<Item = &Row> {
        self.siblings(self.get(row).and_then(|row| row.below)).map(|(_, row)| row)
    }

    /// The rows that stand in the line of one, itself first.
    pub(super) fn alike(&self, row: usize) -> impl Iterator<Item = (usize, &Row)> {
        let more = self.get(row).is_some_and(|row| row.alike > 1);
        let next = self.get(row).and_then(|row| row.next).filter(|_| more);
        let own = self.get(row).map(|found| (row, found)).into_iter();
        own.chain(self.siblings(next).filter(move |(_, other)| other.like == Some(row)))
    }

    /// What the calls in the line of a row have in common, if there are several.
    pub(super) fn in_common(&self, row: usize) -> Option<Alike> {
        self.get(row).filter(|row| row.alike > 1)?;
        let together = self.alike(row).map(|(_, row)| row.to - row.from).sum();
        let first = self.get(row).and_then(|row| self.exchange(row.outer));
        let resource = first.and_then(|e| e.text.text(RESOURCE)).unwrap_or_default();
        let operation = first.and_then(|e| e.text.text(OPERATION)).unwrap_or_default();
        let resource = template_of(operation, resource).unwrap_or_else(|| resource.to_vec());
        Some(Alike { resource, together })
    }

    fn siblings(&self, first: Option<usize>) -> impl Iterator<Item = (usize, &Row)> {
        let mut at = first;
        std::iter::from_fn(move || {
            let place = at?;
            let row = self.rows.get(place)?;
            at = row.next;
            Some((place, row))
        })
    }

    /// Makes a row of all spans of one exchange, and hangs it under that of its caller.
    fn gather(&mut self) {
        let mut last_root = None;
        for (place, span) in self.trace.spans.iter().enumerate() {
            let above = span.link.as_ref().and_then(|link| self.row_of.get(link.parent)).copied();
            if let Some(above) = above.filter(|_| span.is_next_point()) {
                self.row_of.push(above);
                self.add_point(above, place, span);
                continue;
            }
            let own = self.rows.len();
            self.row_of.push(own);
            let last = match above.and_then(|above| self.rows.get_mut(above)) {
                Some(above) => {
                    above.below.get_or_insert(own);
                    above.last_below.replace(own)
                }
                None => last_root.replace(own),
            };
            if let Some(last) = last.and_then(|last| self.rows.get_mut(last)) {
                last.next = Some(own);
            }
            self.rows.push(Row {
                outer: place,
                inner: place,
                told: place,
                points: 1,
                above,
                below: None,
                last_below: None,
                next: None,
                follows: false,
                from: span.exchange.start().0,
                to: span.exchange.end().0,
                failed: span.exchange.failed(),
                is_origin: false,
                like: None,
                alike: 1,
            });
        }
    }

    fn add_point(&mut self, row: usize, place: usize, span: &Span) {
        let is_known = |place| self.exchange(place).is_some_and(|e| e.response.is_some());
        let Some(is_known) = self.rows.get(row).map(|row| is_known(row.told)) else { return };
        let Some(row) = self.rows.get_mut(row) else { return };
        row.points += 1;
        row.inner = place;
        if !is_known && span.exchange.response.is_some() {
            row.told = place;
            row.failed = span.exchange.failed();
            row.to = row.to.max(span.exchange.end().0);
        }
    }

    /// Where failures come from: under each, the failed call that ended last before the answer,
    /// and so on downwards.
    fn find_origins(&mut self) {
        for top in 0..self.rows.len() {
            let is_failed = |row: Option<usize>| {
                row.and_then(|row| self.rows.get(row)).is_some_and(|row| row.failed)
            };
            let above = self.rows.get(top).and_then(|row| row.above);
            if !is_failed(Some(top)) || is_failed(above) {
                continue;
            }
            let mut at = top;
            while let Some(below) = self.decisive(at) {
                at = below;
            }
            if at != top
                && let Some(row) = self.rows.get_mut(at)
            {
                row.is_origin = true;
            }
        }
    }

    /// The failed call that a failed one most likely failed for.
    fn decisive(&self, row: usize) -> Option<usize> {
        let row = self.rows.get(row)?;
        let response = self.exchange(row.inner).and_then(|e| e.response.as_ref());
        let answered = response.map_or(i64::MAX, |response| response.first.at.0);
        let below = self.siblings(row.below);
        let failed = below.filter(|(_, below)| below.failed && below.to <= answered);
        failed.max_by_key(|(_, below)| below.to).map(|(place, _)| place)
    }

    /// Puts calls that call nobody, and differ in nothing but what they are applied to, into one
    /// line, where there are many under one row.
    fn fold(&mut self) {
        let mut lists = vec![self.rows.first().map(|_| 0)];
        lists.extend(self.rows.iter().map(|row| row.below));
        let mut first_of: HashMap<u64, (usize, usize), RandomState> = HashMap::default();
        for list in lists {
            let leaves = self
                .siblings(list)
                .filter(|(_, row)| row.below.is_none() && !row.is_origin && row.points == 1);
            let leaves: Vec<usize> = leaves.map(|(place, _)| place).collect();
            if leaves.len() < MANY {
                continue;
            }
            first_of.clear();
            let kinds: Vec<u64> = leaves.iter().map(|place| self.kind(*place)).collect();
            for (place, kind) in leaves.iter().zip(&kinds) {
                first_of.entry(*kind).or_insert((*place, 0)).1 += 1;
            }
            for (place, kind) in leaves.iter().zip(&kinds) {
                let Some((first, count)) = first_of.get(kind).filter(|(_, count)| *count >= MANY)
                else {
                    continue;
                };
                if let Some(row) = self.rows.get_mut(*place) {
                    row.like = (first != place).then_some(*first);
                    row.alike = if first == place { *count } else { 1 };
                }
            }
        }
    }

    /// A number that is the same for calls that are alike.
    fn kind(&self, row: usize) -> u64 {
        let Some(span) = self.get(row).and_then(|row| self.span(row.outer)) else { return 0 };
        let e = &*span.exchange;
        let mut hash = Xxh3::new();
        let resource = e.text.text(RESOURCE).unwrap_or_default();
        hash.update(span.service.as_bytes());
        for text in [OPERATION, STATUS_TEXT].map(|name| e.text.text(name)) {
            hash.update(&[0xff]);
            hash.update(text.unwrap_or_default());
        }
        hash.update(&[0xff, e.protocol.0, e.sort as u8, e.state as u8, e.outcome as u8]);
        hash.update(&e.code.to_le_bytes());
        let operation = e.text.text(OPERATION).unwrap_or_default();
        hash.update(template_of(operation, resource).as_deref().unwrap_or(resource));
        hash.digest()
    }

    fn mark_followers(&mut self) {
        let mut has_later = vec![false; self.rows.len()];
        for place in (0..self.rows.len()).rev() {
            let Some(row) = self.rows.get_mut(place).filter(|row| row.like.is_none()) else {
                continue;
            };
            let later = row.above.and_then(|above| has_later.get_mut(above));
            row.follows = later.is_some_and(|later| std::mem::replace(later, true));
        }
    }
}

/// Calls that are so many stand in one line.
pub(super) const MANY: usize = 6;
