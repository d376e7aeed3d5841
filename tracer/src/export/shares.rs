//! Where the time of an exchange went: on the network, into the server's own work, or into waiting
//! for the calls that it made.
//!
//! ```text
//!  request  ┌────────┐                         first to last byte: network
//!  response │        │               ┌──────┐  first to last byte: network
//!  calls    │        │   ┌───┐ ┌───┐ │      │  any of them open: waiting
//!           ├────────┼───┼───┼─┼───┼─┼──────┤  the rest: server
//! ```
//!
//! Of an exchange that was seen at several points, the way between the outermost and the innermost
//! is network too. Waiting comes first: what is handed on while it arrives waits for who sends it.

use crate::exchange::{Exchange, Sort};
use crate::export::rows::{Row, Rows};
use crate::span::{Span, Trace};
use smallvec::{SmallVec, smallvec};

/// What some time was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The transfer of request and response.
    Network,
    /// The server's own work, and the way between it and the innermost point.
    Server,
    /// Waiting for calls that it made.
    Waiting,
}

/// A stretch of time that was spent on one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) part: Part,
}

/// The stretches of an exchange, one after the other from its beginning to its end.
pub(super) type Stretches = SmallVec<[Stretch; 8]>;

/// Nanoseconds that were spent on each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) network: i64,
    pub(super) server: i64,
    pub(super) waiting: i64,
}

impl Shares {
    /// Adds up.
    pub(super) fn add(&mut self, stretches: &[Stretch]) {
        for stretch in stretches {
            let time = stretch.to - stretch.from;
            match stretch.part {
                Part::Network => self.network += time,
                Part::Server => self.server += time,
                Part::Waiting => self.waiting += time,
            }
        }
    }

    /// What most of it was spent on, and how many percent of it; `None` of no time.
    pub(super) fn largest(&self) -> Option<(Part, i64)> {
        let parts = [
            (Part::Network, self.network),
            (Part::Waiting, self.waiting),
            (Part::Server, self.server),
        ];
        let whole = self.network + self.server + self.waiting;
        let (part, most) = parts.into_iter().max_by_key(|(_, time)| *time)?;
        (whole > 0).then(|| (part, (most as f64 * 100.0 / whole as f64).round() as i64))
    }
}

/// Where the time of each exchange of a trace went, by the place of its outermost span.
pub(super) fn of_trace(trace: &Trace) -> SmallVec<[Option<Shares>; 8]> {
    let rows = Rows::unmarked(trace);
    let mut all: SmallVec<[Option<Shares>; 8]> = smallvec![None; trace.spans.len()];
    for (place, row) in rows.lines() {
        let mut shares = Shares::default();
        shares.add(&stretches(&rows, place));
        if let Some(own) = all.get_mut(row.outer) {
            *own = Some(shares);
        }
    }
    all
}

/// Where the time of the exchanges of a trace went, by the ids of their outermost spans.
pub(super) struct Times(SmallVec<[(u64, Shares); 8]>);

impl Times {
    /// Of a trace.
    pub(super) fn of(trace: &Trace) -> Self {
        let spans = trace.spans.iter().zip(of_trace(trace));
        let mut times: SmallVec<_> =
            spans.filter_map(|(span, shares)| Some((span.id, shares?))).collect();
        times.sort_unstable_by_key(|(id, _)| *id);
        Self(times)
    }

    /// Of the exchange whose outermost span has this id.
    pub(super) fn get(&self, span: u64) -> Option<&Shares> {
        let place = self.0.binary_search_by_key(&span, |(id, _)| *id).ok()?;
        self.0.get(place).map(|(_, shares)| shares)
    }
}

/// Nanoseconds of the exchange above that passed between its point and that of this span, which is
/// the same one.
pub(super) fn between(trace: &Trace, span: &Span) -> Option<i64> {
    let link = span.link.as_ref().filter(|_| span.is_next_point())?;
    let (above, own) = (&trace.spans.get(link.parent)?.exchange, &span.exchange);
    let both_answered = above.response.is_some() && own.response.is_some();
    both_answered.then(|| above.duration().saturating_sub(own.duration()).max(0))
}

/// Where the time of a row went.
pub(super) fn stretches(rows: &Rows<'_>, place: usize) -> Stretches {
    let mut stretches = Stretches::new();
    let Some(row) = rows.get(place) else { return stretches };
    let Some(inner) = rows.exchange(row.inner) else { return stretches };
    let (asked, answered) = server_time(row, inner);
    let own = [
        Stretch { from: row.from, to: asked, part: Part::Network },
        Stretch { from: asked, to: answered, part: Part::Server },
        Stretch { from: answered, to: row.to, part: Part::Network },
    ];
    let within = |from: i64, to: i64| {
        own.iter().filter_map(move |own| {
            let (from, to) = (own.from.max(from), own.to.min(to));
            (from < to).then_some(Stretch { from, to, part: own.part })
        })
    };
    let mut at = row.from;
    for (from, to) in calls(rows, row, place) {
        stretches.extend(within(at, from));
        stretches.push(Stretch { from, to, part: Part::Waiting });
        at = to;
    }
    stretches.extend(within(at, row.to));
    if stretches.is_empty() {
        let part = match inner.sort {
            Sort::Call | Sort::Handshake if inner.response.is_some() => Part::Server,
            _ => Part::Network,
        };
        stretches.push(Stretch { from: row.from, to: row.from, part });
    }
    stretches
}

/// Between which times the server had the whole request and had not begun to answer.
fn server_time(row: &Row, inner: &Exchange) -> (i64, i64) {
    // The kernel answers, or nobody does.
    let Some(response) = inner.response.as_ref().filter(|_| inner.sort != Sort::Connect) else {
        return (row.to, row.to);
    };
    // Where the clocks of two points differ, as much is left before as behind.
    let (from, to) = (inner.start().0, inner.end().0);
    let shift = if from < row.from || to > row.to {
        row.from.midpoint(row.to) - from.midpoint(to)
    } else {
        0
    };
    let within = |at: i64| at.saturating_add(shift).max(row.from).min(row.to);
    let answered = within(response.first.at.0);
    (within(inner.request.last.at.0).min(answered), answered)
}

/// When calls of a row were open, one after the other.
fn calls(rows: &Rows<'_>, row: &Row, place: usize) -> SmallVec<[(i64, i64); 8]> {
    let within = |call: &Row| {
        let (from, to) = (call.from.max(row.from), call.to.min(row.to));
        (from < to).then_some((from, to))
    };
    let mut calls: SmallVec<[(i64, i64); 8]> = rows.below(place).filter_map(within).collect();
    calls.sort_unstable();
    calls.dedup_by(|next, call| {
        let overlap = next.0 <= call.1;
        if overlap {
            call.1 = call.1.max(next.1);
        }
        overlap
    });
    calls
}
