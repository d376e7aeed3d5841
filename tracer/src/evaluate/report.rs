//! The report for people.

use super::faults::{Fault, FaultsOfKind, Kind, Side};
use super::score::{Group, Report, Traces};
use super::tally::{Figures, share};
use crate::export::width::{add_right, clean, columns, fit};
use crate::numbers::grouped;

/// The report in lines. Of each kind of fault, those are told that the report holds; `open` says
/// whether exchanges without a parent are among them.
pub fn text(report: &Report, open: bool) -> String {
    let mut out = String::new();
    head(report, &mut out);
    for (title, groups) in
        [("service", &report.services), ("evidence", &report.evidence), ("reason", &report.reasons)]
    {
        table(title, groups, &mut out);
    }
    calibration(report, &mut out);
    let told =
        |kind: &&FaultsOfKind| !kind.first.is_empty() && (open || kind.kind != Kind::NoParent);
    for kind in report.faults.kinds().iter().filter(told) {
        faults(kind, &mut out);
    }
    out
}

fn head(report: &Report, out: &mut String) {
    let Report { exchanges, points, parents, traces, .. } = report;
    let mut line = |word: &str, text: String| out.push_str(&format!("{word:<WORD$}{text}\n"));
    line(
        "exchanges",
        format!(
            "{} in the truth, {} found ({} %), {} not",
            grouped(exchanges.truth),
            grouped(exchanges.found),
            percent(share(exchanges.found, exchanges.truth)),
            grouped(exchanges.missed)
        ),
    );
    let others: u64 = exchanges.others.values().sum();
    if others > 0 {
        let sorts =
            exchanges.others.iter().map(|(sort, count)| format!("{} {sort}", grouped(*count)));
        let sorts: Vec<String> = sorts.collect();
        line("", format!("{} not in the truth: {}", grouped(others), sorts.join(", ")));
    }
    if exchanges.other_operation + exchanges.other_status > 0 {
        let [operation, status] = [exchanges.other_operation, exchanges.other_status].map(grouped);
        line("", format!("{operation} with another operation, {status} with another status"));
    }
    line(
        "points",
        format!(
            "{} of {} found; {} exchanges in order, {} not, {} parted, {} mixed up",
            grouped(points.found),
            grouped(points.truth),
            grouped(points.right_order),
            grouped(points.wrong_order),
            grouped(points.parted),
            grouped(points.mixed)
        ),
    );
    let Figures { right, wrong, open, right_roots, invented, unknown, .. } = parents;
    line(
        "parents",
        format!(
            "{} % right: {} right, {} wrong, {} open; without a parent {} right, {} invented",
            percent(parents.right_parents),
            grouped(*right),
            grouped(*wrong),
            grouped(*open),
            grouped(*right_roots),
            grouped(*invented)
        ),
    );
    if *unknown > 0 {
        line("", format!("{} unknown, which are not judged", grouped(*unknown)));
    }
    line(
        "links",
        format!(
            "{}, {} % right; from 0.95 on {} % right on {} % of edges, from 0.80 on {} % on {} %",
            grouped(parents.links),
            percent(parents.precision),
            percent(parents.precision_95),
            percent(parents.coverage_95),
            percent(parents.precision_80),
            percent(parents.coverage_80)
        ),
    );
    line(
        "",
        format!(
            "{} ({} %) ambiguous, {} of them right; calibration error {}, Brier score {}",
            grouped(parents.ambiguous),
            percent(share(parents.ambiguous, parents.links)),
            grouped(parents.ambiguous_right),
            number(parents.calibration_error),
            number(parents.brier)
        ),
    );
    let Traces { truth, right, of_several, right_of_several, right_share, .. } = traces;
    line(
        "traces",
        format!(
            "{} of {} right as a whole; of those of several exchanges {} of {} ({} %)",
            grouped(*right),
            grouped(*truth),
            grouped(*right_of_several),
            grouped(*of_several),
            percent(*right_share)
        ),
    );
    line(
        "",
        format!(
            "{} of the spans' {} are several in truth ({}); {} true ones lie in several",
            grouped(traces.merged),
            grouped(traces.found),
            grouped(traces.merged_from),
            grouped(traces.parted)
        ),
    );
}

fn table(title: &str, groups: &[Group], out: &mut String) {
    if groups.is_empty() {
        return;
    }
    let mut rows: Vec<Vec<String>> =
        vec![[title].iter().chain(COLUMNS).map(|text| (*text).to_owned()).collect()];
    for Group { name, figures } in groups.iter().take(ROWS) {
        let name = if name.is_empty() { "-".into() } else { clean(name.as_bytes()) };
        let mut row = vec![name.into_owned()];
        row.extend(cells(figures));
        rows.push(row);
    }
    out.push('\n');
    let width = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.get(place));
        cells.map(|cell| columns(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..=COLUMNS.len()).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if place == 0 {
                fit(cell, (*width).min(NAME), &mut line);
            } else {
                line.push(' ');
                add_right(cell, *width, &mut line);
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if groups.len() > ROWS {
        out.push_str(&format!(
            "… {} more; --json has all\n",
            grouped((groups.len() - ROWS) as u64)
        ));
    }
}

fn cells(figures: &Figures) -> Vec<String> {
    let counts = [
        figures.exchanges,
        figures.found,
        figures.right,
        figures.wrong,
        figures.open,
        figures.right_roots,
        figures.invented,
    ];
    let shares = [
        figures.right_parents,
        figures.precision_95,
        figures.coverage_95,
        figures.precision_80,
        figures.coverage_80,
    ];
    let more =
        [percent(share(figures.ambiguous, figures.links)), number(figures.calibration_error)];
    counts.map(grouped).into_iter().chain(shares.map(percent)).chain(more).collect()
}

fn calibration(report: &Report, out: &mut String) {
    if report.bins.is_empty() {
        return;
    }
    out.push_str("\nconfidence   links  right      %  said %\n");
    for bin in &report.bins {
        let from = if bin.up_to > 0.15 { bin.up_to - 0.1 } else { 0.0 };
        out.push_str(&format!(
            "{from:.1} to {:.1} {:>8} {:>6} {:>6} {:>7}\n",
            bin.up_to,
            grouped(bin.links),
            grouped(bin.right),
            percent(share(bin.right, bin.links)),
            percent(Some(bin.confidence))
        ));
    }
}

fn faults(kind: &FaultsOfKind, out: &mut String) {
    let name = match kind.kind {
        Kind::WrongParent => "wrong parents",
        Kind::InventedParent => "parents of what has none",
        Kind::WrongOrder => "points in the wrong order",
        Kind::Parted => "exchanges that are several in the spans",
        Kind::Mixed => "spans of several exchanges that are one",
        Kind::NotFound => "not found",
        Kind::NotInTruth => "not in the truth",
        Kind::OtherOperation => "another operation",
        Kind::OtherStatus => "another status",
        Kind::NoParent => "without their parent",
    };
    let told = kind.first.len() as u64;
    let all = grouped(kind.count);
    let first = if told < kind.count { format!("the first {told} of ") } else { String::new() };
    out.push_str(&format!("\n{name}: {first}{all}\n"));
    for fault in &kind.first {
        out.push_str(&format!("  {}\n", side(&fault.exchange)));
        if let Some(below) = below(kind.kind, fault) {
            out.push_str(&format!("      {below}\n"));
        }
    }
}

/// The second line of a fault.
fn below(kind: Kind, fault: &Fault) -> Option<String> {
    if let (Kind::WrongOrder | Kind::Parted, Some(one), Some(other)) =
        (kind, &fault.expected, &fault.found)
    {
        return Some(format!("at {}; at {}", place(one), place(other)));
    }
    if let (Kind::OtherStatus | Kind::OtherOperation, Some(found)) = (kind, &fault.found) {
        return Some(match kind {
            Kind::OtherStatus => format!("was {}, found {}", fault.exchange.status, found.status),
            _ => format!("found {}", asked(found)),
        });
    }
    if let (Kind::Mixed, Some(other)) = (kind, &fault.found) {
        return Some(format!("and {}", side(other)));
    }
    let expected = fault.expected.as_ref().map(|one| format!("expected {}", side(one)));
    let found = fault.found.as_ref().map(|one| {
        let reason = fault.reason.as_deref().unwrap_or_default();
        let sure = percent(fault.confidence);
        let ambiguous = if fault.ambiguous { ", ambiguous" } else { "" };
        format!("found {}, by {reason} {sure} %{ambiguous}", side(one))
    });
    let parts: Vec<String> = expected.into_iter().chain(found).collect();
    (!parts.is_empty()).then(|| parts.join("\n      "))
}

fn side(side: &Side) -> String {
    let mut text = match side.id {
        Some(id) => format!("{id} "),
        None => "- ".to_owned(),
    };
    text.push_str(&asked(side));
    if !side.client.is_empty() {
        text.push_str(&format!(", {} > {}, {}", side.client, side.server, place(side)));
    }
    text
}

/// What was asked, of which a statement may fill many lines.
fn asked(side: &Side) -> String {
    let what = clean(side.what.as_bytes());
    let mut text = String::new();
    fit(&what, columns(&what).min(ASKED), &mut text);
    text
}

/// Where it is in the packets, by both sides where they differ.
fn place(side: &Side) -> String {
    let packets = |[first, last]: [u64; 2]| match last {
        0 => format!("packet {first}"),
        last if last == first => format!("packet {first}"),
        // The answer is in another file.
        last if last < first => format!("packets {first} and {last}"),
        last => format!("packets {first}-{last}"),
    };
    let frames = match (side.frames, side.span_frames) {
        (Some(true_ones), Some(seen)) if true_ones != seen => {
            format!("{}, found {}", packets(true_ones), packets(seen))
        }
        (Some(frames), _) | (None, Some(frames)) => packets(frames),
        (None, None) => return clean(side.point.as_bytes()).into_owned(),
    };
    format!("{} {frames}", clean(side.point.as_bytes()))
}

/// A share in percent with one digit behind the point; what is not all is never shown as all, and
/// what is not nothing never as nothing.
fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(share) if share >= 1.0 => "100".to_owned(),
        Some(share) if share < 0.001 => "<0.1".to_owned(),
        Some(share) => format!("{:.1}", (share * 100.0).min(99.9)),
    }
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.3}"))
}

/// Columns of the word that a line begins with.
const WORD: usize = 10;
/// Rows of a table that are shown.
const ROWS: usize = 30;
/// Columns of a name.
const NAME: usize = 32;
/// Columns of what was asked.
const ASKED: usize = 60;
const COLUMNS: &[&str] = &[
    "exchanges",
    "found",
    "right",
    "wrong",
    "open",
    "roots",
    "invented",
    "right%",
    "prec95",
    "cover95",
    "prec80",
    "cover80",
    "ambig%",
    "ECE",
];
