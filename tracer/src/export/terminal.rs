//! Traces as trees for people: one line per span, with a bar that shows when it ran.
//!
//! ```text
//! trace 4bf92f35…  3 spans  12.4 ms  2026-01-01 10:15:02.123456 UTC
//! shop            GET /orders/7     200      0.00 ms   12.40 ms  ████████████
//! └─ orders       GET /orders/7     200      0.31 ms   11.80 ms   ███████████
//! ```

use crate::exchange::{Exchange, OPERATION, RESOURCE, STATUS_TEXT, Sort, State};
use crate::export::Render;
use crate::span::{LinkKind, Span, Trace};
use crate::summary::protocol_name;
use std::borrow::Cow;
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::message::Outcome;

/// How the view looks.
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// Whether colours are used.
    pub colors: bool,
    /// The names of the protocols.
    pub protocols: Vec<String>,
}

/// Renders traces as trees.
pub struct Terminal {
    look: Look,
    /// Columns of the tree with its services, of the operation, and of the bar.
    tree: usize,
    operation: usize,
    bar: usize,
}

impl Terminal {
    /// Fits the columns into the width.
    pub fn new(look: Look) -> Self {
        let rest = look.width.saturating_sub(STATUS + 2 * TIME + 5);
        let bar = if look.width >= 100 { rest / 4 } else { rest / 6 };
        let tree = (rest - bar) * 2 / 5;
        let operation = rest - bar - tree;
        Self { look, tree, operation, bar }
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

    fn span(&self, trace: &Trace, place: usize, span: &Span, extent: (i64, i64), out: &mut String) {
        let e = &*span.exchange;
        let (color, status) = status(e);
        let mut tree = branches(trace, place);
        tree.push_str(&clean(span.service.as_bytes()));
        fit(&tree, self.tree, out);
        out.push(' ');
        fit(&operation(e, span, &self.look.protocols), self.operation, out);
        out.push(' ');
        let mut text = String::new();
        fit(&status, STATUS, &mut text);
        self.paint(out, color, &text);
        let start = e.start().0 - extent.0;
        let duration = e.end().0 - e.start().0;
        out.push_str(&format!(" {:>TIME$}", duration_text(start)));
        out.push_str(&format!(" {:>TIME$} ", duration_text(duration)));
        self.paint(out, if color.is_empty() { DIM } else { color }, &bar(start, duration, extent.1 - extent.0, self.bar));
        while out.ends_with(' ') {
            out.pop();
        }
        out.push('\n');
    }
}

impl Render for Terminal {
    fn trace(&self, trace: &Trace, bytes: &mut Vec<u8>) {
        let start = trace.spans.iter().map(|span| span.exchange.start().0).min().unwrap_or_default();
        let end = trace.spans.iter().map(|span| span.exchange.end().0).max().unwrap_or_default();
        let mut out = String::new();
        let title = format!(
            "trace {:032x}  {} span{}  {}  {}{}",
            trace.id,
            trace.spans.len(),
            if trace.spans.len() == 1 { "" } else { "s" },
            duration_text(end - start),
            time_text(Timestamp(start)),
            if trace.late { "  (goes on from before)" } else { "" },
        );
        let mut cut = String::new();
        fit(&title, self.look.width, &mut cut);
        self.paint(&mut out, BOLD, cut.trim_end());
        out.push('\n');
        for (place, span) in trace.spans.iter().enumerate() {
            self.span(trace, place, span, (start, end), &mut out);
        }
        out.push('\n');
        bytes.extend_from_slice(out.as_bytes());
    }
}

/// The branches before a span: a line goes on where a later sibling follows.
fn branches(trace: &Trace, place: usize) -> String {
    let Some(span) = trace.spans.get(place) else { return String::new() };
    let mut parts = Vec::new();
    let mut at = place;
    let mut current = span;
    while let Some(link) = &current.link {
        let more = trace.spans.iter().skip(at + 1).take_while(|later| later.depth >= current.depth);
        let mut more = more.filter(|later| {
            later.depth == current.depth && later.link.as_ref().map(|l| l.parent) == Some(link.parent)
        });
        let follows = more.next().is_some();
        let leaf = parts.is_empty();
        parts.push(match (leaf, follows) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
        at = link.parent;
        let Some(parent) = trace.spans.get(at) else { break };
        current = parent;
    }
    parts.into_iter().rev().collect()
}

fn operation(e: &Exchange, span: &Span, protocols: &[String]) -> String {
    let mut text = match e.sort {
        Sort::Connect => String::new(),
        _ if protocol_name(e.protocol, protocols) == "http" => String::new(),
        _ => format!("{} ", protocol_name(e.protocol, protocols)),
    };
    text.push_str(&clean(e.text.text(OPERATION).unwrap_or_default()));
    if let Some(resource) = e.text.text(RESOURCE) {
        text.push(' ');
        text.push_str(&clean(resource));
    }
    if let Some(link) = &span.link {
        if link.kind == LinkKind::SameExchange {
            text.push_str(" (next point)");
        } else if link.confidence < UNSURE {
            text.push_str(&format!(" (by {}, {:.0} % sure)", link.reason.name(), link.confidence * 100.0));
        }
    }
    text
}

fn status(e: &Exchange) -> (&'static str, String) {
    if e.state != State::Complete {
        let color = if e.state.failed() { RED } else { YELLOW };
        return (color, e.state.name().replace('_', " "));
    }
    let color = match e.outcome {
        Outcome::ServerError => RED,
        Outcome::ClientError => YELLOW,
        Outcome::Ok | Outcome::Unknown => "",
    };
    let text = match (e.text.text(STATUS_TEXT), e.code) {
        (Some(text), _) => clean(text).into_owned(),
        (None, 0) if e.sort == Sort::OneWay => "one-way".to_owned(),
        (None, 0) => if e.outcome == Outcome::Ok { "ok" } else { "error" }.to_owned(),
        (None, code) => code.to_string(),
    };
    (color, text)
}

/// A bar over `width` columns for a part of the whole, in eighths of a column.
fn bar(start: i64, duration: i64, whole: i64, width: usize) -> String {
    if width == 0 {
        return String::new();
    }
    let whole = whole.max(1) as f64;
    let columns = width as f64;
    let from = ((start as f64 / whole) * columns).floor().clamp(0.0, columns - 1.0) as usize;
    let to = (((start + duration) as f64 / whole) * columns).ceil().clamp(0.0, columns) as usize;
    let mut bar = " ".repeat(from);
    bar.push_str(&"█".repeat(to.saturating_sub(from).max(1)));
    bar
}

/// Text without control characters, as the terminal shows it.
fn clean(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().any(char::is_control) {
        return text.chars().map(|c| if c.is_control() { '·' } else { c }).collect::<String>().into();
    }
    text
}

/// Pads or cuts a text to so many columns.
fn fit(text: &str, columns: usize, out: &mut String) {
    let length = text.chars().count();
    if length > columns {
        out.extend(text.chars().take(columns.saturating_sub(1)));
        out.push('…');
    } else {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', columns - length));
    }
}

fn duration_text(nanoseconds: i64) -> String {
    let milliseconds = nanoseconds as f64 / 1e6;
    match milliseconds {
        m if m < 1_000.0 => format!("{m:.2} ms"),
        m if m < 100_000.0 => format!("{:.2} s", m / 1e3),
        m => format!("{:.0} s", m / 1e3),
    }
}

/// A moment in UTC, by the civil calendar.
fn time_text(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1_000_000_000);
    let micros = at.0.rem_euclid(1_000_000_000) / 1_000;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date, by eras of 400 years that begin in March
    // (https://howardhinnant.github.io/date_algorithms.html).
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06} UTC")
}

const STATUS: usize = 13;
const TIME: usize = 10;
/// Links that are less sure than this say so.
const UNSURE: f32 = 0.95;
const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[36m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_by_the_calendar() {
        assert_eq!(time_text(Timestamp(0)), "1970-01-01 00:00:00.000000 UTC");
        let leap = Timestamp(1_709_164_800_123_456_789);
        assert_eq!(time_text(leap), "2024-02-29 00:00:00.123456 UTC");
        assert_eq!(time_text(Timestamp(-1_000)), "1969-12-31 23:59:59.999999 UTC");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(clean(b"GET\x1b[2J"), "GET·[2J");
    }

    #[test]
    fn bars_stay_within_their_columns() {
        assert_eq!(bar(0, 10, 10, 4), "████");
        assert_eq!(bar(10, 0, 10, 4), "   █");
        assert_eq!(bar(5, 5, 10, 4), "  ██");
        assert_eq!(bar(0, 0, 0, 4), "█");
    }
}
