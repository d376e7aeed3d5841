//! Traces as trees for people: one line per span, with a bar that shows when it ran.
//!
//! ```text
//! trace 4bf92f35…  3 spans  12.4 ms  2026-01-01 10:15:02.123456 UTC  from 10.0.0.7
//! shop           GET /orders/7        200  +0.00 ms  12.4 ms                   ████████████
//! └─ orders      GET /orders/7      ! 500  +0.31 ms  11.8 ms traceparent 99 %   ███████████
//! ```
//!
//! What a narrow line has no room for is left out from the right: the reason of the link, the
//! start, the bar.

use crate::exchange::{Exchange, OPERATION, RESOURCE, STATUS_TEXT, Sort, State};
use crate::export::Render;
use crate::export::time::{Zone, duration_text};
use crate::export::width::{clean, fit};
use crate::span::{Link, LinkKind, Trace};
use crate::summary::protocol_name;
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::message::Outcome;

/// How the view looks.
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// What clock moments are shown by.
    pub zone: Zone,
    /// Whether colours are used.
    pub colors: bool,
    /// The names of the protocols.
    pub protocols: Vec<String>,
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
        let shown = [STATUS, DURATION, start, link];
        let taken: usize = shown.iter().filter(|part| **part > 0).map(|part| part + 1).sum();
        // One more space stands before the operation.
        let rest = width.saturating_sub(taken + 1);
        let bar = if width < NARROW { 0 } else { rest / 4 };
        let texts = rest - if bar > 0 { bar + 1 } else { 0 };
        let tree = texts / 2;
        Self { tree, operation: texts - tree, start, link, bar }
    }
}

impl Terminal {
    /// Fits the columns into the width.
    pub fn new(look: Look) -> Self {
        let columns = Columns::fit(look.width);
        Self { look, columns }
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

    fn title(&self, trace: &Trace, extent: (i64, i64), out: &mut String) {
        let count = trace.spans.len();
        let mut parts = vec![
            format!("trace {:032x}", trace.id),
            format!("{count} span{}", if count == 1 { "" } else { "s" }),
            duration_text(extent.1 - extent.0),
            self.look.zone.moment_text(Timestamp(extent.0)),
        ];
        if let Some(root) = trace.spans.first() {
            parts.push(format!("from {}", root.exchange.client.ip()));
        }
        if trace.late {
            parts.push("(goes on from before)".to_owned());
        }
        let mut title = String::new();
        for part in parts {
            let longer = if title.is_empty() { part } else { format!("{title}  {part}") };
            // All but names and addresses is ASCII here.
            if !title.is_empty() && longer.len() > self.look.width {
                break;
            }
            title = longer;
        }
        let mut cut = String::new();
        fit(&title, self.look.width, &mut cut);
        self.paint(out, BOLD, cut.trim_end());
        out.push('\n');
    }

    fn span(
        &self,
        trace: &Trace,
        place: usize,
        follows: &[bool],
        extent: (i64, i64),
        out: &mut String,
    ) {
        let Some(span) = trace.spans.get(place) else { return };
        let e = &*span.exchange;
        let columns = self.columns;
        let (color, status) = status(e);
        let mut tree = branches(trace, place, follows, columns.tree / 2);
        tree.push_str(&clean(span.service.as_bytes()));
        let start = e.start().0 - extent.0;
        let duration = e.end().0 - e.start().0;
        fit(&tree, columns.tree, out);
        out.push(' ');
        fit(&operation(e, &self.look.protocols), columns.operation, out);
        out.push(' ');
        let mut text = String::new();
        fit(&status, STATUS, &mut text);
        self.paint(out, color, &text);
        if columns.start > 0 {
            out.push_str(&format!(" {:>START$}", format!("+{}", duration_text(start))));
        }
        out.push_str(&format!(" {:>DURATION$}", duration_text(duration)));
        if columns.link > 0 {
            let (color, link) = span
                .link
                .as_ref()
                .map_or(("", String::new()), |link| link_text(link, columns.link == REASON));
            let mut text = String::new();
            fit(&link, columns.link, &mut text);
            out.push(' ');
            self.paint(out, color, &text);
        }
        if columns.bar > 0 {
            let bar = bar(start, duration, extent.1 - extent.0, columns.bar);
            out.push(' ');
            self.paint(out, if color.is_empty() { CYAN } else { color }, &bar);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

impl Render for Terminal {
    fn trace(&self, trace: &Trace, bytes: &mut Vec<u8>) {
        let start =
            trace.spans.iter().map(|span| span.exchange.start().0).min().unwrap_or_default();
        let end = trace.spans.iter().map(|span| span.exchange.end().0).max().unwrap_or_default();
        let mut out = String::new();
        self.title(trace, (start, end), &mut out);
        let follows = follows(trace);
        for place in 0..trace.spans.len() {
            self.span(trace, place, &follows, (start, end), &mut out);
        }
        out.push('\n');
        bytes.extend_from_slice(out.as_bytes());
    }
}

/// For each span, whether a later one hangs under the same span.
fn follows(trace: &Trace) -> Vec<bool> {
    let mut has_later = vec![false; trace.spans.len()];
    let mut follows = Vec::with_capacity(trace.spans.len());
    for span in trace.spans.iter().rev() {
        let later = span.link.as_ref().and_then(|link| has_later.get_mut(link.parent));
        follows.push(later.is_some_and(|later| std::mem::replace(later, true)));
    }
    follows.reverse();
    follows
}

/// The branches before a span: a line goes on where a later sibling follows. Of a tree that is
/// deeper than there is room, the outer branches are left out.
fn branches(trace: &Trace, place: usize, follows: &[bool], columns: usize) -> String {
    let room = (columns / BRANCH).max(2);
    let mut parts = Vec::new();
    let mut at = place;
    while let Some(link) = trace.spans.get(at).and_then(|span| span.link.as_ref()) {
        if parts.len() == room {
            parts.pop();
            parts.push("…  ");
            break;
        }
        parts.push(match (parts.is_empty(), follows.get(at) == Some(&true)) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
        at = link.parent;
    }
    parts.into_iter().rev().collect()
}

pub(crate) fn operation(e: &Exchange, protocols: &[String]) -> String {
    let mut text = match (e.sort, protocol_name(e.protocol, protocols)) {
        (Sort::Connect, _) => return format!("connect to port {}", e.server.port()),
        (_, "http") => String::new(),
        (_, protocol) => format!("{protocol} "),
    };
    text.push_str(&clean(e.text.text(OPERATION).unwrap_or_default()));
    if let Some(resource) = e.text.text(RESOURCE) {
        text.push(' ');
        text.push_str(&clean(resource));
    }
    text
}

/// Why a span hangs where it does, and how sure that is.
fn link_text(link: &Link, with_reason: bool) -> (&'static str, String) {
    let percent = (link.confidence * 100.0).round();
    let color = if link.runner_up.is_some() { YELLOW } else { DIM };
    let text = match link.kind {
        LinkKind::SameExchange => if with_reason { "next point" } else { "point" }.to_owned(),
        LinkKind::Parent if !with_reason => format!("{percent} %"),
        LinkKind::Parent if link.runner_up.is_some() => format!("ambiguous {percent} %"),
        LinkKind::Parent => format!("{} {percent} %", link.reason.name()),
    };
    (color, text)
}

/// What came of an exchange; `!` marks what failed, for those who see no colours.
pub(crate) fn status(e: &Exchange) -> (&'static str, String) {
    if e.state != State::Complete {
        let name = match e.state {
            State::ResponseLost => "lost",
            State::Unanswered => "no answer",
            state => state.name(),
        };
        let name = name.replace('_', " ");
        return if e.state.failed() {
            (RED, format!("! {name}"))
        } else {
            (YELLOW, format!("  {name}"))
        };
    }
    let text = match (e.text.text(STATUS_TEXT), e.code) {
        (Some(text), _) => clean(text),
        (None, 0) if e.sort == Sort::OneWay => "one-way".into(),
        (None, 0) => match e.outcome {
            Outcome::Ok => "ok",
            Outcome::Unknown => "",
            Outcome::ClientError | Outcome::ServerError => "error",
        }
        .into(),
        (None, code) => code.to_string().into(),
    };
    match e.outcome {
        Outcome::ServerError => (RED, format!("! {text}")),
        Outcome::ClientError => (YELLOW, format!("  {text}")),
        Outcome::Ok | Outcome::Unknown => ("", format!("  {text}")),
    }
}

/// A bar within `width` columns for a part of the whole.
fn bar(start: i64, duration: i64, whole: i64, width: usize) -> String {
    let whole = whole.max(1) as f64;
    let columns = width as f64;
    let from = ((start as f64 / whole) * columns).floor().clamp(0.0, columns - 1.0) as usize;
    let to = (((start + duration) as f64 / whole) * columns).ceil().clamp(0.0, columns) as usize;
    let mut bar = " ".repeat(from);
    bar.push_str(&"█".repeat(to.saturating_sub(from).max(1)));
    bar
}

/// A mark for failure, a space, and the longest name of a state.
const STATUS: usize = 11;
const START: usize = 8;
const DURATION: usize = 7;
/// A link's reason, and how sure it is.
const REASON: usize = 18;
/// How sure a link is.
const SURENESS: usize = 5;
const BRANCH: usize = 3;
/// Columns from which on a line has all parts.
const WIDE: usize = 110;
/// Columns from which on it has the start.
const MIDDLE: usize = 90;
/// Columns from which on it has the bar, and says how sure links are.
const NARROW: usize = 70;
const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_their_columns() {
        assert_eq!(bar(0, 10, 10, 4), "████");
        assert_eq!(bar(10, 0, 10, 4), "   █");
        assert_eq!(bar(5, 5, 10, 4), "  ██");
        assert_eq!(bar(0, 0, 0, 4), "█");
    }

    #[test]
    fn a_line_fills_its_width_and_no_more() {
        for width in 40..300 {
            let Columns { tree, operation, start, link, bar } = Columns::fit(width);
            let parts = [tree, operation, STATUS, start, DURATION, link, bar];
            let shown = parts.iter().filter(|part| **part > 0);
            assert_eq!(shown.clone().sum::<usize>() + shown.count() - 1, width, "width {width}");
        }
    }
}
