//! `wirespan doctor`: says what this host allows, and what to do about the rest.

use super::Exit;
use super::install::write;
use super::output::{columns_of_output, is_ascii_only};
use crate::doctor::finding::{Finding, Verdict};
use crate::doctor::{Live, Report, examine};
use crate::export::width::{add_text, columns, folded};
use anyhow::{Context, Result};
use clap::Args;
use wirespan_capture::source::live::RING_BYTES;

/// Say what this host allows: rights, packet sockets, interfaces, and what to do
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct DoctorArgs {
    /// Look at these interfaces only
    #[arg(short = 'i', long = "interface", value_name = "IF,IF…", value_delimiter = ',')]
    interfaces: Vec<String>,

    /// Try a ring of so many KiB, as with tcpdump
    #[arg(short = 'B', value_name = "KIB", default_value_t = RING_KIB, value_parser = clap::value_parser!(u64).range(1..=4 << 20), allow_negative_numbers = true)]
    ring: u64,

    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit> {
    let report = examine(&args.interfaces, args.ring << 10);
    let mut bytes = Vec::new();
    if args.json {
        bytes = serde_json::to_vec_pretty(&report).context("write the report")?;
        bytes.push(b'\n');
    } else {
        let width = columns_of_output().unwrap_or(usize::MAX);
        add_text(&text(&report, width), is_ascii_only(), &mut bytes);
    }
    let written = write(&bytes)?;
    Ok(if report.live == Live::Impossible { Exit::CouldNot } else { written })
}

/// The report in lines of so many columns.
fn text(report: &Report, width: usize) -> String {
    let count = |verdict| report.checks.iter().filter(|f| f.verdict == verdict).count();
    let warnings = match count(Verdict::Warning) + count(Verdict::Cannot) {
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    };
    let mut text = match report.live {
        Live::Possible => "live capture is possible\n\n".to_owned(),
        Live::WithWarnings => format!("live capture is possible, with {warnings}\n\n"),
        Live::Impossible => "live capture is not possible\n\n".to_owned(),
    };
    let widest = report.checks.iter().map(|f| columns(&f.check)).max().unwrap_or_default();
    for finding in &report.checks {
        add(&mut text, finding, widest.min(WIDEST), width);
    }
    text
}

fn add(text: &mut String, finding: &Finding, widest: usize, width: usize) {
    let verdict = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Cannot => "cannot",
    };
    let check = &finding.check;
    let mut head = format!("{verdict:<VERDICT$}{check:<widest$}  ");
    let indent = " ".repeat(VERDICT + widest + 2);
    let room = width.saturating_sub(indent.len()).max(NARROWEST);
    let remedy = finding.remedy.as_ref().map(|remedy| format!("-> {remedy}"));
    for paragraph in [Some(&finding.text), remedy.as_ref()].into_iter().flatten() {
        for line in folded(paragraph, room) {
            text.push_str(&head);
            text.push_str(line.trim_end());
            text.push('\n');
            head.clone_from(&indent);
        }
    }
}

/// KiB of the ring that live capture has for each worker.
const RING_KIB: u64 = RING_BYTES as u64 >> 10;
/// Columns of the verdict.
const VERDICT: usize = 9;
/// Columns of the name of what was looked at, and of the least that is left for the rest.
const WIDEST: usize = 26;
const NARROWEST: usize = 30;
const EXIT_CODES: &str = "\
Exit codes:
  0    live capture is possible, if with warnings
  2    it is not; what stands in the way is marked with cannot

Nothing is captured and nothing is changed; for a moment a ring of the size that live capture has is
taken from memory. bpf(2) is never called.";
