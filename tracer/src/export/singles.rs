//! Exchanges that joined nothing, for people: a tree of one would take three lines, and say no
//! more than one line does. The failed and the slowest are shown, however many there are.
//!
//! ```text
//! 17,113 exchanges joined no other, 3 of them failed
//! 1f2e3d4c 10:15:02.123 10.0.0.7 → shop     GET /orders/7      ! 500      12.4 ms
//! ```

use crate::best::Best;
use crate::exchange::RESOURCE;
use crate::export::color::{BOLD, DIM, RED, paint};
use crate::export::rows::Rows;
use crate::export::terminal::{Look, operation, status};
use crate::export::time::duration_text;
use crate::export::width::{add_text, clean, fit};
use crate::losses::Touched;
use crate::numbers::grouped;
use crate::select::{duration, telling};
use crate::span::Trace;
use wirespan_capture::packet::Timestamp;

/// Exchanges that joined nothing, the failed and the slowest of them.
pub(super) struct Singles {
    best: Best<(bool, i64)>,
    count: u64,
    failed: u64,
}

impl Default for Singles {
    fn default() -> Self {
        Self { best: Best::new(LINES), count: 0, failed: 0 }
    }
}

impl Singles {
    /// Whether a trace is one exchange, at however many points it was seen.
    pub(super) fn are(trace: &Trace) -> bool {
        trace.spans.iter().skip(1).all(|span| span.is_next_point())
    }

    /// Takes one.
    pub(super) fn add(&mut self, trace: &Trace) {
        let failed = trace.spans.iter().any(|span| span.exchange.failed());
        self.count += 1;
        self.failed += u64::from(failed);
        self.best.offer((failed, duration(trace)), trace);
    }

    /// Writes one at once, without keeping it.
    pub(super) fn write_one(look: &Look, trace: &Trace, bytes: &mut Vec<u8>) {
        let mut out = String::new();
        Columns::fit(look.width).line(look, trace, &mut out);
        add_text(&out, look.ascii, bytes);
    }

    /// Writes them, if there are any.
    pub(super) fn write(&mut self, look: &Look, bytes: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        let mut out = String::new();
        let s = if self.count == 1 { "" } else { "s" };
        let mut title = format!("{} exchange{s} joined no other", grouped(self.count));
        match self.failed {
            0 => {}
            failed if failed == self.count => title.push_str(", all failed"),
            failed => title.push_str(&format!(", {} of them failed", grouped(failed))),
        }
        if self.count > LINES as u64 {
            title.push_str(match self.failed {
                0 => "; the slowest:",
                _ => "; the failed and the slowest:",
            });
        }
        line(look, BOLD, &title, &mut out);
        let columns = Columns::fit(look.width);
        let mut shown = 0;
        for trace in self.best.take() {
            columns.line(look, &trace, &mut out);
            shown += 1;
        }
        if self.count > shown {
            let more = grouped(self.count - shown);
            line(
                look,
                DIM,
                &format!("… {more} more; --all shows each, --find TEXT some"),
                &mut out,
            );
        }
        out.push('\n');
        add_text(&out, look.ascii, bytes);
    }
}

/// How wide each part of a line is; a part of no columns is left out, with the space behind it.
struct Columns {
    id: usize,
    clock: usize,
    client: usize,
    service: usize,
    operation: usize,
}

impl Columns {
    fn fit(width: usize) -> Self {
        let id = if width >= 60 { ID } else { 0 };
        let clock = if width >= 80 { CLOCK } else { 0 };
        let client = if width >= 110 { CLIENT } else { 0 };
        let taken: usize = [id, clock].iter().filter(|part| **part > 0).map(|part| part + 1).sum();
        let taken = taken + if client > 0 { client + ARROW.chars().count() } else { 0 };
        // A space stands before the operation, the status and the duration.
        let rest = width.saturating_sub(taken + STATUS + DURATION + 3);
        let service = rest * 2 / 5;
        Self { id, clock, client, service, operation: rest - service }
    }

    fn line(&self, look: &Look, trace: &Trace, out: &mut String) {
        let rows = Rows::each(trace);
        let Some((_, row)) = rows.lines().next() else { return };
        let (Some(span), Some(told)) = (rows.span(row.outer), rows.exchange(row.told)) else {
            return;
        };
        let (status_color, status) = status(told);
        let color = if row.failed { RED } else { "" };
        let mut text = String::new();
        if self.id > 0 {
            text.push_str(&format!("{:0ID$x} ", telling(trace.id) >> (4 * (32 - ID))));
        }
        if self.clock > 0 {
            text.push_str(&look.zone.clock_text(Timestamp(row.from)));
            text.push(' ');
        }
        if self.client > 0 {
            fit(&span.exchange.client.ip().to_string(), self.client, &mut text);
            text.push_str(ARROW);
        }
        fit(&clean(span.service.as_bytes()), self.service, &mut text);
        text.push(' ');
        let what = operation(told, &look.protocols, told.text.text(RESOURCE));
        fit(&what, self.operation, &mut text);
        paint(look.colors, color, &text, out);
        text.clear();
        text.push(' ');
        let touched = span.exchange.touched != Touched::NONE;
        let status = if touched { status.replacen(' ', "~", 1) } else { status };
        fit(&status, STATUS, &mut text);
        paint(look.colors, if row.failed { color } else { status_color }, &text, out);
        out.push_str(&format!(" {:>DURATION$}\n", duration_text(row.to - row.from)));
    }
}

fn line(look: &Look, color: &str, text: &str, out: &mut String) {
    let mut cut = String::new();
    fit(text, look.width, &mut cut);
    paint(look.colors, color, cut.trim_end(), out);
    out.push('\n');
}

/// Exchanges that are shown.
const LINES: usize = 20;
/// Digits of a trace's id that tell it from others.
const ID: usize = 8;
/// A time of the day to the millisecond.
const CLOCK: usize = 12;
/// An address of IPv4.
const CLIENT: usize = 15;
const ARROW: &str = " → ";
/// A mark for failure, a space, and the longest name of a state.
const STATUS: usize = 11;
const DURATION: usize = 7;
