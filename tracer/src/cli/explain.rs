//! `wirespan explain`: captures or spans and the id of a trace in; why its spans hang where they do
//! out.

use super::captures::{self, Talk, pool};
use super::inputs::{Inputs, is_input, once};
use super::install::write;
use super::output::{columns_of_output, is_ascii_only};
use super::progress::Meter;
use super::tracing::{TracingArgs, TracingGiven};
use super::{Exit, complain};
use crate::clock;
use crate::config::Config;
use crate::explain::around::Around;
use crate::explain::asked::{Asked, Found, NotFound, SpanPrefix, span_of};
use crate::explain::facts::{Explanation, explain as facts_of};
use crate::explain::places::Places;
use crate::explain::words::{Look, text};
use crate::export::ndjson::SourceNames;
use crate::export::time::Zone;
use crate::export::width::add_text;
use crate::import::spans::Spans;
use crate::join::window::WindowLimits;
use crate::select::IdPrefix;
use crate::span::SpanSink;
use crate::summary::Summary;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use wirespan_capture::source::open::{self, OpenError};
use wirespan_capture::source::report::Progress;

/// Say why the spans of a trace hang where they do, with the frames that say so
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = after_long_help(), override_usage = USAGE)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    given: TracingGiven,

    /// The trace with this id; its first digits will do, at least 4 of them
    #[arg(value_name = "TRACE", value_parser = digits)]
    trace: String,

    /// The first digits of the span that is meant, if only one is; then captures, or spans that
    /// wirespan read --format ndjson wrote, - for the standard input
    #[arg(value_name = "SPAN|FILE", value_hint = ValueHint::FilePath)]
    words: Vec<String>,

    /// Write JSON
    #[arg(long)]
    json: bool,

    /// Times by the clock of this machine, or by TZ, in place of UTC
    #[arg(long)]
    local_time: bool,

    /// Do not tell of what captures lack, nor how far reading has come
    #[arg(short = 'q', long)]
    quiet: bool,

    #[command(flatten)]
    tracing: TracingArgs,
}

/// Runs the command.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit> {
    let (span, files) = span_and_files(&args.words)?;
    once(&files)?;
    let prefix = IdPrefix::parse(&args.trace).map_err(|why| anyhow::anyhow!(why))?;
    let inputs = Kept::of(files)?;
    let mut asked = Asked::new(prefix, &args.trace);
    let run = Run::of(args, &inputs)?;
    run.pass(&mut asked, true)?;
    let found = match asked.found() {
        Ok(found) => found,
        Err(why @ NotFound::Nowhere(_)) => {
            complain(&format!("wirespan: {}: {why}", args.trace));
            return Ok(Exit::NotFound);
        }
        Err(why) => bail!("{}: {why}", args.trace),
    };
    let only = span.map(|(prefix, digits)| {
        span_of(&found, prefix).map_err(|why| anyhow::anyhow!("{digits}: {why}"))
    });
    let only = only.transpose()?;
    let trace = found.pieces.first().map(|trace| trace.id);
    let spans = found.pieces.iter().flat_map(|trace| &trace.spans);
    let mut around = Around::of(trace, found.hosts.clone(), spans);
    let (summary, places) = run.pass(&mut around, false)?;
    let told = tell(&found, only, &around, &summary, &places)?;
    let mut bytes = Vec::new();
    if args.json {
        bytes = serde_json::to_vec_pretty(&told).context("write the explanation")?;
        bytes.push(b'\n');
    } else {
        let zone = if args.local_time { Zone::local() } else { Zone::utc() };
        let look = Look { columns: columns_of_output().unwrap_or(COLUMNS), zone };
        add_text(&text(&told, &look), is_ascii_only(), &mut bytes);
    }
    write(&bytes)
}

fn tell(
    found: &Found,
    only: Option<(usize, usize)>,
    around: &Around,
    summary: &Summary,
    places: &Places,
) -> Result<Explanation> {
    facts_of(found, only, around, summary, places).context("the trace has no spans")
}

/// The words behind the trace: what is no file, and comes first, names a span.
#[expect(clippy::type_complexity, reason = "the two kinds of words")]
fn span_and_files(words: &[String]) -> Result<(Option<(SpanPrefix, &str)>, Vec<PathBuf>)> {
    let (span, files) = match words {
        [first, files @ ..] if !is_input(first) => match SpanPrefix::parse(first) {
            Ok(prefix) => (Some((prefix, first.as_str())), files),
            Err(why) => bail!("{first}: there is no such file, and no such span either: {why}"),
        },
        files => (None, files),
    };
    if let Some(missing) = files.iter().find(|file| !is_input(file)) {
        bail!("{missing}: there is no such file, check the path");
    }
    if files.is_empty() {
        bail!("no capture named; say wirespan explain TRACE FILE, or - for the standard input");
    }
    Ok((span, files.iter().map(PathBuf::from).collect()))
}

/// Inputs that can be read twice.
struct Kept {
    /// Where they are read.
    files: Vec<PathBuf>,
    /// What they are called.
    names: Vec<String>,
    /// Copies of those that come but once, which go with the process.
    _copies: Vec<NamedTempFile>,
}

impl Kept {
    fn of(files: Vec<PathBuf>) -> Result<Self> {
        let names = files.iter().map(|file| open::display_name(file)).collect();
        let mut copies = Vec::new();
        let files = files.into_iter().map(|file| {
            let is_there_to_stay = !open::is_stdin(&file) && open::length(&file).is_some();
            if is_there_to_stay || file.is_dir() {
                return Ok(file);
            }
            let name = open::display_name(&file);
            let copy = copy_of(&file).with_context(|| {
                let folder = std::env::temp_dir().display().to_string();
                format!("copy {name} to {folder}, as it is read twice; TMPDIR names another folder")
            })?;
            let path = copy.path().to_owned();
            copies.push(copy);
            Ok(path)
        });
        let files = files.collect::<Result<Vec<PathBuf>>>()?;
        Ok(Self { files, names, _copies: copies })
    }
}

fn copy_of(file: &Path) -> io::Result<NamedTempFile> {
    let mut copy = NamedTempFile::new()?;
    if open::is_stdin(file) {
        io::copy(&mut io::stdin().lock(), &mut copy)?;
    } else {
        io::copy(&mut File::open(file)?, &mut copy)?;
    }
    Ok(copy)
}

/// What is read, and how.
enum Run<'a> {
    Captures { args: &'a ExplainArgs, inputs: Inputs, names: &'a [String], config: Box<Config> },
    Spans { spans: Box<Spans>, limits: WindowLimits, threads: usize, quiet: bool },
}

impl<'a> Run<'a> {
    fn of(args: &'a ExplainArgs, inputs: &'a Kept) -> Result<Self> {
        let mut lines = Vec::new();
        for (file, name) in inputs.files.iter().zip(&inputs.names) {
            lines.push((holds_lines(file, name)?, name));
        }
        match lines.iter().find(|(is_lines, _)| *is_lines) {
            None => {
                let mut config = args.tracing.config(false, false)?;
                args.tracing.fit_if_bounded(&mut config);
                pool(config.threads)?.install(|| clock::survey(&inputs.files, &mut config));
                let files = Inputs { files: inputs.files.clone(), filter: None };
                let (names, config) = (inputs.names.as_slice(), Box::new(config));
                Ok(Self::Captures { args, inputs: files, names, config })
            }
            Some((_, name)) => {
                if let Some((_, capture)) = lines.iter().find(|(is_lines, _)| !is_lines) {
                    bail!("{capture} is a capture and {name} holds spans; name one kind of them");
                }
                if let Some(option) = args.given.other_than_joining() {
                    bail!(
                        "{option} is for captures, and {name} holds spans; say it to wirespan read"
                    );
                }
                let (limits, threads) = (args.tracing.window_of_spans()?, args.tracing.threads());
                let files = args.tracing.name_files()?;
                let total = inputs.files.iter().map(|file| open::length(file)).sum();
                let progress = Progress::new(total);
                let meter = Meter::new(progress.clone(), "spans", !args.quiet);
                let known = Config::default().protocol_names();
                let spans = pool(threads)?.install(|| {
                    Spans::read(&inputs.files, known, &progress, &mut |spans| {
                        meter.show(spans);
                        true
                    })
                });
                meter.clear();
                let spans = Box::new(spans?.naming(files));
                Ok(Self::Spans { spans, limits, threads, quiet: args.quiet })
            }
        }
    }

    /// Gives all traces to a sink; the first time, says what is wrong with the inputs.
    fn pass(&self, sink: &mut (dyn SpanSink + Send), is_first: bool) -> Result<(Summary, Places)> {
        match self {
            Self::Captures { args, inputs, names, config } => {
                let mut source = inputs.open(config.threads, None, config.clocks.clone())?;
                let what = if is_first { "packets" } else { "packets again" };
                let taps = SourceNames::default();
                let talk = Talk { progress: !args.quiet, warnings: !args.quiet && is_first };
                let summary = captures::read(&mut source, config, &taps, what, talk, sink)?;
                let protocols = config.protocol_names();
                let places = Places { protocols, taps: taps.taps(), files: names.to_vec() };
                Ok((summary, places))
            }
            Self::Spans { spans, limits, threads, quiet } => {
                let what = if is_first { "joined" } else { "joined again" };
                let meter = Meter::counting(spans.events(), what, !quiet);
                let outcomes = pool(*threads)?.install(|| {
                    spans.join(*limits, sink, &mut |events| {
                        meter.show(events);
                        true
                    })
                });
                meter.clear();
                if let Some(error) = outcomes.source_error {
                    bail!("read: {error}");
                }
                if is_first && !quiet {
                    for remark in &outcomes.summary.damage {
                        complain(&format!("wirespan: warning: {remark}"));
                    }
                }
                let files = (1..=spans.files()).map(|file| format!("file {file}")).collect();
                let (protocols, taps) = (spans.protocols().to_vec(), spans.taps().to_vec());
                Ok((outcomes.summary, Places { protocols, taps, files }))
            }
        }
    }
}

/// Whether a file begins as spans do.
fn holds_lines(file: &Path, name: &str) -> Result<bool> {
    match open::open(file, &Progress::new(None)) {
        Ok(opened) => Ok(opened.head.trim_ascii_start().starts_with(b"{")),
        Err(OpenError::Empty { .. }) => bail!("read {name}: it is empty"),
        Err(error) => Err(error.into()),
    }
}

fn digits(text: &str) -> Result<String, &'static str> {
    IdPrefix::parse(text).map(|_| text.to_owned())
}

/// Columns of a line where no terminal has others.
const COLUMNS: usize = 100;
const USAGE: &str = "wirespan explain [OPTIONS] TRACE [SPAN] FILE...";
const EXAMPLES: &str = "\
Examples:
  wirespan explain 36f675cc shop.pcapng            why each span of a trace hangs where it does
  wirespan explain 36f675cc 8c1f shop.pcapng       why one of them does
  wirespan explain 36f675cc shop.ndjson --json     of spans that were written, as JSON";
const WHAT_IS_TOLD: &str = "\
Of each span are told: where it was seen; which identifiers it carries and who else does; what it
hangs under, with all that says so and speaks against it, how sure that is and what came next best;
why it hangs under nothing; what else was open at the host that called. The filters are for
Wireshark. The input is read twice; of what comes through a pipe, a copy goes to the folder that
TMPDIR names, and is removed at the end.";
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    there is no such trace
  2    could not be done, or several traces have ids that begin so; one line says why";

fn after_long_help() -> String {
    [WHAT_IS_TOLD, EXIT_CODES, EXAMPLES].join("\n\n")
}
