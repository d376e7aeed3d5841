//! `wirespan evaluate`: spans or captures, and what truly happened, in; figures out.

use super::captures::{self, Talk, pool};
use super::inputs::{Inputs, of_opened, once};
use super::install::write;
use super::output::is_ascii_only;
use super::progress::Meter;
use super::tracing::{TracingArgs, TracingGiven};
use super::{Exit, complain};
use crate::clock;
use crate::evaluate::report::text;
use crate::evaluate::score::{Measure, Report, evaluate as compare};
use crate::evaluate::spans::{Collecting, Spans};
use crate::evaluate::truth::Truth;
use crate::export::ndjson::SourceNames;
use crate::export::width::add_text;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use std::path::{Path, PathBuf};
use wirespan_capture::source::open::{self, OpenError, Opened};
use wirespan_capture::source::report::Progress;

/// Say how good joining is, where it is known what truly happened
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = after_long_help(), override_usage = USAGE)]
pub(super) struct EvaluateArgs {
    #[command(flatten)]
    given: TracingGiven,

    /// What truly happened: truth.ndjson of the lab
    #[arg(value_name = "TRUTH", value_hint = ValueHint::FilePath)]
    truth: PathBuf,

    /// Spans that wirespan read --format ndjson wrote, or captures; without any, the captures that
    /// the truth names, beside it
    #[arg(value_name = "SPANS|CAPTURE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// Write JSON
    #[arg(long)]
    json: bool,

    /// Of each kind of fault, tell so many
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = number, allow_negative_numbers = true)]
    wrong: usize,

    /// Tell of exchanges without their parent, too; with --json they are told anyway
    #[arg(long)]
    open: bool,

    /// End with code 1 if a figure is lower than this: right=0.99,found=1
    ///
    /// Figures are found, right, edges, traces, precision, precision-95, coverage-95, precision-80,
    /// coverage-80, unmerged and order. What cannot be told, as there is nothing of the kind, is
    /// lower than anything.
    #[arg(long, value_name = "NAME=SHARE,…", value_delimiter = ',', value_parser = floor)]
    floor: Vec<Floor>,

    /// Do not tell of what captures lack
    #[arg(short = 'q', long)]
    quiet: bool,

    #[command(flatten)]
    tracing: TracingArgs,
}

/// The least that a figure may be.
#[derive(Clone, Copy, Debug)]
struct Floor {
    measure: Measure,
    least: f64,
}

/// Runs the command.
pub(super) fn evaluate(args: &EvaluateArgs) -> Result<Exit> {
    let all: Vec<PathBuf> = [&args.truth].into_iter().chain(&args.files).cloned().collect();
    once(&all)?;
    let truth = Truth::read(&args.truth)?;
    let spans = match args.files.as_slice() {
        [] => {
            let files = truth.captures(&args.truth);
            if files.is_empty() {
                bail!("{} names no captures; name them, or spans, behind it", args.truth.display());
            }
            read_captures(args, files, None)?
        }
        [file] => read_file(args, file)?,
        files => {
            let mut of_spans = None;
            let mut capture = None;
            for file in files {
                let kind = if holds_lines(file)? { &mut of_spans } else { &mut capture };
                kind.get_or_insert(file.display());
            }
            match (of_spans, capture) {
                (Some(spans), Some(capture)) => {
                    bail!("{capture} is a capture and {spans} holds spans; name one kind of them")
                }
                (Some(spans), None) => bail!(
                    "{spans}: spans are one file; join several first: wirespan join --format ndjson"
                ),
                (None, _) => {}
            }
            read_captures(args, files.to_vec(), None)?
        }
    };
    for remark in spans.remarks() {
        complain(&format!("wirespan: warning: {remark}"));
    }
    let report = compare(&truth, &spans, args.wrong)?;
    let mut bytes = Vec::new();
    if args.json {
        bytes = serde_json::to_vec_pretty(&report).context("write the report")?;
        bytes.push(b'\n');
    } else {
        add_text(&text(&report, args.open), is_ascii_only(), &mut bytes);
    }
    let exit = write(&bytes)?;
    Ok(if too_low(&args.floor, &report) { Exit::NotFound } else { exit })
}

/// Says which figures are lower than they may be.
fn too_low(floors: &[Floor], report: &Report) -> bool {
    let mut low = false;
    for Floor { measure, least } in floors {
        let name = measure.name();
        match measure.of(report) {
            Some(share) if share >= *least => continue,
            Some(share) => complain(&format!("wirespan: {name} is {share}, lower than {least}")),
            None => complain(&format!("wirespan: {name} cannot be told: there is none")),
        }
        low = true;
    }
    low
}

/// Reads spans or a capture, whichever it is. It is opened once, as a pipe has its first bytes once.
fn read_file(args: &EvaluateArgs, file: &Path) -> Result<Spans> {
    let progress = Progress::new(open::length(file));
    let opened = match open::open(file, &progress) {
        Ok(opened) if Spans::may_begin(&opened.head) => opened,
        Ok(opened) => {
            return read_captures(args, vec![file.to_owned()], Some((opened, progress)));
        }
        Err(OpenError::Empty { .. }) => return Ok(Spans::default()),
        Err(error) => return Err(error.into()),
    };
    if let Some(option) = args.given.first() {
        let name = open::display_name(file);
        bail!("{option} is for captures, and {name} holds spans; say it to wirespan read");
    }
    let meter = Meter::new(progress, "spans", !args.quiet);
    let spans = Spans::read(file, opened, &mut |spans| meter.show(spans));
    meter.clear();
    Ok(spans?)
}

/// Whether a file begins as spans do. What can be looked at once only is a capture.
fn holds_lines(file: &Path) -> Result<bool> {
    if open::is_stdin(file) || file.exists() && open::length(file).is_none() {
        return Ok(false);
    }
    match open::open(file, &Progress::new(None)) {
        Ok(opened) => Ok(Spans::may_begin(&opened.head)),
        Err(OpenError::Empty { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Reads captures as `wirespan read` does; one of them may be open already, with what counts what
/// is read of it.
fn read_captures(
    args: &EvaluateArgs,
    files: Vec<PathBuf>,
    opened: Option<(Opened, Progress)>,
) -> Result<Spans> {
    let mut config = args.tracing.config(false, false)?;
    args.tracing.fit_if_bounded(&mut config);
    let names = files.iter().map(|file| file.display().to_string()).collect();
    pool(config.threads)?.install(|| clock::survey(&files, &mut config));
    let mut source = match (opened, files.as_slice()) {
        (Some((opened, progress)), [file]) if config.clocks.is_empty() => {
            of_opened(file, opened, progress, config.threads)?
        }
        _ => Inputs { files, filter: None }.open(config.threads, None, config.clocks.clone())?,
    };
    let taps = SourceNames::default();
    let mut sink = Collecting::new(config.protocol_names(), taps.clone(), names);
    let talk = Talk { progress: !args.quiet, warnings: !args.quiet };
    captures::read(&mut source, &config, &taps, "packets", talk, &mut sink)?;
    Ok(sink.spans()?)
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "name a whole number from 0 on".to_owned())
}

fn floor(text: &str) -> Result<Floor, String> {
    let (name, least) = text.split_once('=').unwrap_or((text, ""));
    let measure = Measure::ALL.into_iter().find(|measure| measure.name() == name);
    let least = least.parse().ok().filter(|least| (0.0..=1.0).contains(least));
    match (measure, least) {
        (Some(measure), Some(least)) => Ok(Floor { measure, least }),
        (None, _) => {
            let names = Measure::ALL.map(Measure::name).join(", ");
            Err(format!("name a figure and its least share, as in right=0.99; there are {names}"))
        }
        (Some(_), None) => Err("name a share from 0 to 1, as in right=0.99".to_owned()),
    }
}

const USAGE: &str = "wirespan evaluate [OPTIONS] TRUTH [SPANS | CAPTURE...]";
const EXAMPLES: &str = "\
Examples:
  wirespan evaluate shop/truth.ndjson                     the captures beside it
  wirespan evaluate shop/truth.ndjson shop/*.pcapng --ids off
  wirespan evaluate shop/truth.ndjson spans.ndjson --json
  wirespan evaluate shop/truth.ndjson --floor right=0.9,precision-95=0.99";
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    done, but a figure is lower than --floor allows
  2    could not be done, or nothing in the spans is in the truth; one line says why";
const FIGURES: &str = "\
Figures:
  right%   exchanges with the right parent, or rightly without one, of those found and judged
  prec95   links of a confidence of at least 0.95 that are right
  cover95  exchanges with a parent that have such a link
  ECE      expected calibration error, in ten bins; Brier is the Brier score";

fn after_long_help() -> String {
    [FIGURES, EXIT_CODES, EXAMPLES].join("\n\n")
}
