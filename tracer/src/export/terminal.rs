//! Traces as trees for people: one line per exchange, with a bar that shows where its time went.
//!
//! ```text
//! trace 4bf92f35…  3 exchanges, 2 failed  12.4 ms  2026-01-01 10:15:02.123456 UTC  from 10.0.0.7
//! shop           GET /orders/7      ! 500     +0 ms  12.4 ms                   ─░░░░░░░░░░░
//! └─ orders      GET /orders/7      ! 500  +0.31 ms  11.8 ms traceparent 99 %   ─██░░░░░░█─
//!    └─ stock    GET /items/7      !! 503  +3.31 ms  7.21 ms traceparent 99 %      ──████
//! ```
//!
//! What a narrow line has no room for is left out from the right: the numbers of where the time
//! went, the reason of the link, the start, the bar.

use crate::exchange::{Exchange, OPERATION, RESOURCE, STATUS_TEXT, Sort, State};
use crate::export::Render;
use crate::export::bar::{bar, glyph};
use crate::export::details::Details;
use crate::export::ndjson::SourceNames;
use crate::export::rows::{Alike, Row, Rows};
use crate::export::shares::{Part, Shares, Stretches, stretches};
use crate::export::time::{Zone, add_duration, duration_text};
use crate::export::width::{add_right, add_text, clean, columns, fit};
use crate::losses::Touched;
use crate::numbers::grouped;
use crate::select::telling;
use crate::span::{Link, Trace};
use crate::summary::protocol_name;
use std::fmt::Write;
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::message::Outcome;

/// How the view looks.
#[derive(Debug)]
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// What clock moments are shown by.
    pub zone: Zone,
    /// Whether colours are used.
    pub colors: bool,
    /// Whether only ASCII is used.
    pub ascii: bool,
    /// Whether each exchange has a line of its own, however many there are.
    pub all: bool,
    /// How much is told of each exchange below its line: 0 for nothing, 1 for what it carried and
    /// where, 2 for all.
    pub details: u8,
    /// The names of the protocols.
    pub protocols: Vec<String>,
    /// The names of taps and files, as far as they have appeared.
    pub names: SourceNames,
}

/// Renders traces as trees.
pub struct Terminal {
    look: Look,
    columns: Columns,
}

/// How wide each part of a line is; a part of no columns is left out, with the space before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    /// The branches and the service.
    tree: usize,
    operation: usize,
    start: usize,
    /// What most of the time was spent on, or all of it.
    shares: usize,
    link: usize,
    bar: usize,
}

impl Columns {
    fn fit(width: usize) -> Self {
        let (start, link) = match width {
            WIDE.. => (START, REASON),
            MIDDLE.. => (START, SURENESS),
            NARROW.. => (0, SURENESS),
            _ => (0, 0),
        };
        let shares = match width {
            WIDEST.. => SHARES,
            WIDER.. => SHARE,
            _ => 0,
        };
        let shown = [STATUS, DURATION, start, shares, link];
        let taken: usize = shown.iter().filter(|part| **part > 0).map(|part| part + 1).sum();
        // One more space stands before the operation.
        let rest = width.saturating_sub(taken + 1);
        let bar = match width {
            WIDER.. => rest / 3,
            NARROW.. => rest / 4,
            _ => 0,
        };
        let texts = rest - if bar > 0 { bar + 1 } else { 0 };
        let tree = texts / 2;
        Self { tree, operation: texts - tree, start, shares, link, bar }
    }
}

impl Terminal {
    /// Fits the columns into the width.
    pub fn new(look: Look) -> Self {
        let columns = Columns::fit(look.width);
        Self { look, columns }
    }

    /// How it looks.
    pub(super) fn look(&self) -> &Look {
        &self.look
    }

    fn paint(&self, out: &mut String, color: &str, text: &str) {
        if self.look.colors && !color.is_empty() {
            out.push_str(color);
            out.push_str(text);
            out.push_str(RESET);
        } else {
            out.push_str(text);
        }
    }

    fn title(&self, trace: &Trace, rows: &Rows<'_>, extent: (i64, i64), out: &mut String) {
        let failed = rows.failed();
        let counts = |title: &mut String| {
            add_counted(rows.len(), "exchange", title);
            if failed > 0 {
                title.push_str(", ");
                title.push_str(&grouped(failed as u64));
                title.push_str(" failed");
            }
        };
        let duration = |title: &mut String| add_duration(extent.1 - extent.0, title);
        let moment = |title: &mut String| {
            title.push_str(&self.look.zone.moment_text(Timestamp(extent.0)));
        };
        let client = |title: &mut String| {
            if let Some(root) = trace.spans.first() {
                // Writing to memory does not fail.
                let _ = write!(title, "from {}", root.exchange.client.ip());
                if let Some(given) = &root.exchange.names.client {
                    let _ = write!(title, " ({})", clean(given.name.as_bytes()));
                }
            }
        };
        let late = |title: &mut String| {
            title.push_str(if trace.late { "(goes on from before)" } else { "" });
        };
        let mut title = String::with_capacity(TITLE);
        let _ = write!(title, "trace {:032x}", trace.id);
        let parts: [&dyn Fn(&mut String); 5] = [&counts, &duration, &moment, &client, &late];
        for part in parts {
            let before = title.len();
            title.push_str("  ");
            part(&mut title);
            if columns(title.trim_end()) > self.look.width {
                title.truncate(before);
                break;
            }
        }
        let mut cut = String::with_capacity(title.len());
        fit(title.trim_end(), self.look.width, &mut cut);
        self.paint(out, if failed > 0 { BOLD_RED } else { BOLD }, cut.trim_end());
        out.push('\n');
    }

    fn line(
        &self,
        rows: &Rows<'_>,
        place: usize,
        row: &Row,
        extent: (i64, i64),
        text: &mut String,
        out: &mut String,
    ) {
        let (Some(span), Some(told)) = (rows.span(row.outer), rows.exchange(row.told)) else {
            return;
        };
        let widths = self.columns;
        let alike = rows.in_common(place);
        let (status_color, status) = status(told);
        // What failed stands out with its whole line, what the client got wrong with its status.
        let color = match (row.failed, row.is_origin) {
            (true, true) => BOLD_RED,
            (true, false) => RED,
            _ => "",
        };
        text.clear();
        let service = clean(span.service.as_bytes());
        if row.above.is_none() {
            fit(&service, widths.tree, text);
        } else {
            let mut tree = branches(rows, place, widths.tree / 2, Lead::Line);
            tree.push_str(&service);
            fit(&tree, widths.tree, text);
        }
        text.push(' ');
        let notes = if alike.is_none() { notes(rows, place, row) } else { Vec::new() };
        fit(&self.what(row, notes, told, alike.as_ref()), widths.operation, text);
        self.paint(out, color, text);
        text.clear();
        let touched = rows.points(place).any(|(_, span)| span.exchange.touched != Touched::NONE);
        text.push(match (row.is_origin, touched) {
            (true, _) => '!',
            (false, true) => TOUCHED,
            (false, false) => ' ',
        });
        fit(&status, STATUS - 1, text);
        out.push(' ');
        self.paint(out, if color.is_empty() { status_color } else { color }, text);
        if widths.start > 0 {
            text.clear();
            text.push('+');
            add_duration(row.from - extent.0, text);
            out.push(' ');
            add_right(text, START, out);
        }
        text.clear();
        add_duration(alike.as_ref().map_or(row.to - row.from, |alike| alike.together), text);
        out.push(' ');
        add_right(text, DURATION, out);
        let mut shares = Shares::default();
        let mut drawn = Stretches::new();
        if widths.bar > 0 {
            for (place, _) in rows.alike(place) {
                let own = stretches(rows, place);
                shares.add(&own);
                drawn.extend(own);
            }
        }
        if widths.shares > 0 {
            out.push(' ');
            self.shares(&shares, out);
        }
        if widths.link > 0 {
            let mut color = "";
            let mut link = String::new();
            if let Some(found) = &span.link {
                color = if found.runner_up.is_some() { YELLOW } else { DIM };
                link = link_text(found, widths.link == REASON);
            }
            text.clear();
            fit(&link, widths.link, text);
            out.push(' ');
            self.paint(out, color, text);
        }
        if widths.bar > 0 {
            out.push(' ');
            self.bar(&bar(&drawn, extent, widths.bar), color, out);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }

    /// What was asked: of many in one line how many; and what is to be noted where there is room.
    fn what(
        &self,
        row: &Row,
        mut notes: Vec<String>,
        e: &Exchange,
        alike: Option<&Alike>,
    ) -> String {
        if let Some(alike) = alike {
            let what = operation(e, &self.look.protocols, Some(&alike.resource));
            return format!("{} × {what}", grouped(row.alike as u64));
        }
        let mut what = operation(e, &self.look.protocols, e.text.text(RESOURCE));
        // Where there is no room for all, the last ones are told.
        while !notes.is_empty() {
            let text = format!(" [{}]", notes.join(", "));
            if columns(&what) + text.len() <= self.columns.operation {
                what.push_str(&text);
                break;
            }
            notes.remove(0);
        }
        what
    }

    fn shares(&self, shares: &Shares, out: &mut String) {
        let mut text = String::new();
        if self.columns.shares == SHARES {
            for (name, time, columns) in [
                ("server", shares.server, SERVER),
                ("waits", shares.waiting, WAITS),
                ("net", shares.network, NET),
            ] {
                let share = if time > 0 {
                    format!("{name} {}", duration_text(time))
                } else {
                    String::new()
                };
                if columns != SERVER {
                    text.push(' ');
                }
                fit(&share, columns, &mut text);
            }
        } else {
            let largest = shares.largest().map(|(part, percent)| match part {
                Part::Network => format!("net {percent} %"),
                Part::Server => format!("server {percent} %"),
                Part::Waiting => format!("waits {percent} %"),
            });
            fit(&largest.unwrap_or_default(), SHARE, &mut text);
        }
        self.paint(out, DIM, &text);
    }

    fn bar(&self, bar: &[Option<Part>], color: &str, out: &mut String) {
        let mut text = String::new();
        // One colour needs no more than one run.
        let together = |a: &Option<Part>, b: &Option<Part>| a == b || !color.is_empty();
        for run in bar.chunk_by(together) {
            let part = run.first().copied().flatten();
            let color = match part {
                _ if !color.is_empty() => color,
                Some(Part::Server) => CYAN,
                Some(Part::Network) => BLUE,
                Some(Part::Waiting) => DIM,
                None => "",
            };
            text.clear();
            text.extend(run.iter().map(|part| glyph(*part)));
            self.paint(out, color, &text);
        }
    }

    fn details(&self) -> Details<'_> {
        Details {
            width: self.look.width,
            colors: self.look.colors,
            all: self.look.details > 1,
            protocols: &self.look.protocols,
            taps: self.look.names.taps(),
            files: self.look.names.files(),
        }
    }

    /// What has no line of its own, and how it gets one.
    fn rest(&self, trace: &Trace, rest: &Rest, out: &mut String) {
        // The first digits of an id tell it from the others.
        let id = telling(trace.id) >> 96;
        let rest = match *rest {
            Rest { exchanges: 0, alike: false, .. } => return,
            Rest { exchanges: 0, .. } => format!("… --trace {id:08x} shows each of the calls"),
            Rest { exchanges, failed, .. } => {
                let failed = match failed {
                    0 => String::new(),
                    failed => format!(" ({} failed)", grouped(failed as u64)),
                };
                let more = if exchanges == 1 { "exchange" } else { "exchanges" };
                let exchanges = grouped(exchanges as u64);
                format!("… {exchanges} more {more}{failed}: --trace {id:08x} shows all")
            }
        };
        let mut text = String::new();
        fit(&rest, self.look.width, &mut text);
        self.paint(out, DIM, text.trim_end());
        out.push('\n');
    }
}

impl Render for Terminal {
    fn trace(&self, trace: &Trace, bytes: &mut Vec<u8>) {
        let rows = if self.look.all { Rows::each(trace) } else { Rows::folded(trace) };
        let extent = rows.extent();
        let mut out = String::with_capacity((1 + rows.len().min(LINES)) * LINE);
        self.title(trace, &rows, extent, &mut out);
        let mut text = String::with_capacity(2 * self.look.width);
        let details = (self.look.details > 0).then(|| self.details());
        let mut rest = Rest { exchanges: rows.len(), failed: rows.failed(), alike: false };
        let most = if self.look.all { usize::MAX } else { LINES };
        for (place, row) in rows.lines().take(most) {
            self.line(&rows, place, row, extent, &mut text, &mut out);
            if let Some(details) = &details {
                let lead = branches(&rows, place, self.columns.tree / 2, Lead::Below);
                details.write(&rows, place, extent.0, &lead, &mut out);
            }
            rest.exchanges -= row.alike;
            rest.failed -= if row.failed { row.alike } else { 0 };
            rest.alike |= row.alike > 1;
        }
        self.rest(trace, &rest, &mut out);
        out.push('\n');
        add_text(&out, self.look.ascii, bytes);
    }
}

/// What of a trace has no line of its own.
struct Rest {
    /// Exchanges without any line.
    exchanges: usize,
    /// Those among them that failed.
    failed: usize,
    /// Whether several stand in one line.
    alike: bool,
}

/// What stands behind branches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// The line of a row.
    Line,
    /// Lines that tell more of it.
    Below,
}

/// The branches before a row: a line goes on where a later one follows. Of a tree that is deeper
/// than there is room, the outer branches are left out.
fn branches(rows: &Rows<'_>, place: usize, columns: usize, lead: Lead) -> String {
    // What stands below a line is one branch further in.
    let room = (columns / BRANCH).max(2) + usize::from(lead == Lead::Below);
    let mut parts = Vec::new();
    let mut at = rows.get(place);
    if lead == Lead::Below {
        let goes_on = at.is_some_and(|row| row.below.is_some());
        parts.push(if goes_on { "│  " } else { "   " });
    }
    while let Some(row) = at
        && let Some(above) = row.above
    {
        if parts.len() >= room {
            parts.pop();
            parts.push("…  ");
            break;
        }
        parts.push(match (parts.is_empty(), row.follows) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
        at = rows.get(above);
    }
    parts.into_iter().rev().collect()
}

/// What was asked, and of what.
pub(crate) fn operation(e: &Exchange, protocols: &[String], resource: Option<&[u8]>) -> String {
    let mut text = String::with_capacity(OPERATION_TEXT);
    match (e.sort, protocol_name(e.protocol, protocols)) {
        (Sort::Connect, _) => return format!("connect to port {}", e.server.port()),
        (_, "http" | "http2") => {}
        (_, protocol) => {
            text.push_str(protocol);
            text.push(' ');
        }
    }
    text.push_str(&clean(e.text.text(OPERATION).unwrap_or_default()));
    if let Some(resource) = resource {
        text.push(' ');
        text.push_str(&clean(resource));
    }
    text
}

/// What is to be noted of an exchange, the most important last.
fn notes(rows: &Rows<'_>, place: usize, row: &Row) -> Vec<String> {
    let mut notes = Vec::new();
    if row.points > 1 {
        notes.push(format!("{} points", row.points));
        let took = row.to.saturating_sub(row.from);
        let inner = rows.exchange(row.inner).filter(|inner| inner.response.is_some());
        let within = inner.map_or(took, |e| e.duration());
        let between = took.saturating_sub(within);
        if between >= LONG && between >= took / 2 {
            notes.push(format!("network {}", duration_text(between)));
        }
    }
    let resent = rows.resent(place);
    if resent > 0 {
        notes.push(format!("{} resent", grouped(resent.into())));
    }
    notes
}

/// Why a span hangs where it does, and how sure that is.
fn link_text(link: &Link, with_reason: bool) -> String {
    let mut text = String::with_capacity(REASON);
    match link.runner_up {
        _ if !with_reason => {}
        Some(_) => text.push_str("ambiguous "),
        None => {
            text.push_str(link.reason.name());
            text.push(' ');
        }
    }
    let percent = (link.confidence * 100.0).round() as u64;
    text.push_str(&grouped(percent));
    text.push_str(" %");
    text
}

/// What came of an exchange; `!` marks what failed, for those who see no colours.
pub(crate) fn status(e: &Exchange) -> (&'static str, String) {
    let (color, mark) = match (e.state, e.outcome) {
        _ if e.failed() => (BOLD_RED, "! "),
        (State::Complete, Outcome::ClientError) => (YELLOW, "  "),
        (State::Complete, _) => ("", "  "),
        _ => (YELLOW, "  "),
    };
    let mut text = String::with_capacity(STATUS);
    text.push_str(mark);
    match (e.state, e.text.text(STATUS_TEXT), e.code) {
        (State::Complete, Some(status), _) => text.push_str(&clean(status)),
        (State::Complete, None, 0) => text.push_str(match e.outcome {
            _ if e.sort.is_one_way() => "one-way",
            Outcome::Ok => "ok",
            Outcome::Unknown => "",
            Outcome::ClientError | Outcome::ServerError => "error",
        }),
        (State::Complete, None, code) => text.push_str(itoa::Buffer::new().format(code)),
        (State::ResponseLost, ..) => text.push_str("lost"),
        (State::Unanswered, ..) => text.push_str("no answer"),
        (state, ..) => text.push_str(&state.name().replace('_', " ")),
    }
    (color, text)
}

fn add_counted(count: usize, what: &str, out: &mut String) {
    out.push_str(&grouped(count as u64));
    out.push(' ');
    out.push_str(what);
    if count != 1 {
        out.push('s');
    }
}

/// Whether lines of such a width have bars.
pub(crate) fn has_bars(width: usize) -> bool {
    Columns::fit(width).bar > 0
}

/// What the bars mean, for the end of the output.
pub(crate) const LEGEND: &str = "\
bar       ─ network, █ server, ░ waiting for the calls below
marks     ! failed, !! where the failures above it began, most likely";

/// Bytes that most titles need, lines, and operations.
const TITLE: usize = 128;
const LINE: usize = 224;
const OPERATION_TEXT: usize = 48;
/// Lines of one trace.
pub(super) const LINES: usize = 100;
/// Marks for a failure and its origin, a space, and the longest name of a state.
const STATUS: usize = 12;
/// Before the status of what was there while packets were lost.
const TOUCHED: char = '~';
const START: usize = 8;
const DURATION: usize = 7;
/// Nanoseconds between two points from which on they are told of.
const LONG: i64 = 1_000_000;
/// A link's reason, and how sure it is.
const REASON: usize = 18;
/// How sure a link is.
const SURENESS: usize = 5;
/// What most of the time was spent on.
const SHARE: usize = 12;
const SERVER: usize = 7 + DURATION;
const WAITS: usize = 6 + DURATION;
const NET: usize = 4 + DURATION;
/// All that the time was spent on.
const SHARES: usize = SERVER + 1 + WAITS + 1 + NET;
const BRANCH: usize = 3;
/// Columns from which on a line says in numbers where all the time went.
const WIDEST: usize = 180;
/// Columns from which on it says where most of the time went.
const WIDER: usize = 140;
/// Columns from which on it has the reason of the link.
const WIDE: usize = 110;
/// Columns from which on it has the start.
const MIDDLE: usize = 90;
/// Columns from which on it has the bar, and says how sure links are.
const NARROW: usize = 70;
const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
pub(super) const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const BLUE: &str = "\x1b[34m";
const RED: &str = "\x1b[31m";
const BOLD_RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fills_its_width_and_no_more() {
        for width in 40..300 {
            let Columns { tree, operation, start, shares, link, bar } = Columns::fit(width);
            let parts = [tree, operation, STATUS, start, DURATION, shares, link, bar];
            let shown = parts.iter().filter(|part| **part > 0);
            assert_eq!(shown.clone().sum::<usize>() + shown.count() - 1, width, "width {width}");
        }
    }
}
