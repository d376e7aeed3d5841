//! What a command writes, and where: the standard output, or a file that is none of its inputs.

use super::send::SendArgs;
use crate::export::chrome::Chrome;
use crate::export::jaeger::Jaeger;
use crate::export::ndjson::{Ndjson, SourceNames};
use crate::export::otlp::{Encoding, Otlp};
use crate::export::semantics::Semantics;
use crate::export::service_map::{Form, ServiceMap};
use crate::export::table::{Layout, Order, TableSink};
use crate::export::terminal::{self, Look, Terminal};
use crate::export::time::Zone;
use crate::export::view::View;
use crate::export::zipkin::Zipkin;
use crate::export::{Exporter, TextSink};
use crate::select::Selection;
use anyhow::{Result, anyhow, bail};
use clap::{ArgAction, Args, ValueEnum, ValueHint};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is written, for every command that shows traces.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// What the traces are written as [default: terminal]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<Format>,

    #[command(flatten)]
    pub(super) send: SendArgs,

    /// What comes first in the table: most time in all, most calls, most often failed, slowest
    #[arg(long, value_name = "BY", value_enum, default_value_t = Sort::Total, help_heading = OUTPUT)]
    sort: Sort,

    /// Write the traces there, not to the standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    output: Option<PathBuf>,

    /// Write what was read, found and lost there, as JSON; - for the standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    summary: Option<PathBuf>,

    /// Use colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = OUTPUT)]
    color: When,

    /// Show and read moments by the clock of this machine (TZ), not in UTC
    #[arg(long, help_heading = OUTPUT)]
    pub(super) local_time: bool,

    /// Leave nothing out
    ///
    /// Exchanges that joined no other stand as traces where they come, and long traces have all
    /// their lines.
    #[arg(long, help_heading = OUTPUT)]
    all: bool,

    /// Show what each exchange carried, and where it was seen; -vv: all that is known of it
    ///
    /// Headers, commands, keys, questions and answers, addresses, taps and frames, and where the
    /// time went in numbers; with -vv also the fields of TCP and IP, and what speaks against a
    /// link. JSON gets the headers too. Secrets are masked by their names.
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub(super) verbose: u8,

    /// Say nothing on the standard error but what is wrong
    #[arg(short, long, help_heading = OUTPUT)]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Trees, for people
    Terminal,
    /// A table of services and operations, for people
    Table,
    /// Who calls whom, as a graph for Graphviz (dot -Tsvg)
    ServiceMap,
    /// The same as JSON
    ServiceMapJson,
    /// All that is known, a span a line
    Ndjson,
    /// OpenTelemetry's, in JSON: a trace a line, as the collector's file exporter writes it
    OtlpJson,
    /// OpenTelemetry's, in protobuf: each request behind its length (4 bytes, big-endian)
    Otlp,
    /// A file to upload in Jaeger's page
    JaegerJson,
    /// A list of spans as Zipkin takes it
    ZipkinJson,
    /// A file for Perfetto and Chrome: services as processes, arrows from caller to called
    ChromeTrace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    Total,
    Count,
    Errors,
    P99,
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// When all is read; stopped before, it is not complete.
    AtTheEnd,
    /// When it is stopped, and not before.
    WhenStopped,
}

/// Where a command writes.
pub(super) struct Outlets {
    /// The traces.
    pub(super) traces: Output,
    /// The counts, if they are asked for.
    pub(super) summary: Option<Output>,
}

impl OutputArgs {
    /// Makes all that is written to. That it cannot be made is said before the reading, not an hour
    /// later.
    pub(super) fn open(&self, inputs: &[PathBuf]) -> Result<Outlets> {
        let in_use = [inputs, self.output.as_slice()].concat();
        let summary = self.summary.as_deref();
        // Before anything is made, as what is made empties what was there.
        if let Some(path) = summary {
            check_unused(path, &in_use)?;
        }
        let traces = match self.is_written() {
            true => Output::create(self.output.as_deref(), inputs)?,
            false => Output::nothing(),
        };
        let summary = summary.map(|path| Output::create(Some(path), &in_use)).transpose()?;
        Ok(Outlets { traces, summary })
    }

    /// Where traces go if the standard output is for something else: to the file that is named for
    /// them, or nowhere.
    pub(super) fn open_beside_stdout(&self, traces: Output) -> Result<Output> {
        if self.paths().any(|path| path.as_os_str() == "-") {
            bail!("the standard output is for the packets; name a file for what else is written");
        }
        Ok(if self.output.is_some() { traces } else { Output::nothing() })
    }

    fn format(&self) -> Format {
        self.format.unwrap_or(Format::Terminal)
    }

    /// Whether traces are written: those that are sent are only where that is said.
    fn is_written(&self) -> bool {
        !self.send.is_wanted() || self.format.is_some() || self.output.is_some()
    }

    /// The files that are written to.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.output.iter().chain(&self.summary)
    }

    /// What takes the traces that were chosen, in the format that is asked for.
    pub(super) fn exporter(
        &self,
        output: Output,
        protocols: Vec<String>,
        names: &SourceNames,
        selection: &Selection,
        ends: Ends,
    ) -> Box<dyn Exporter> {
        let output = output.writer();
        let semantics = || Semantics::new(protocols.clone(), names.clone());
        match self.format() {
            Format::Ndjson => {
                Box::new(TextSink::new(Ndjson { protocols, names: names.clone() }, output))
            }
            Format::OtlpJson => {
                Box::new(TextSink::new(Otlp::new(semantics(), Encoding::JsonLines), output))
            }
            Format::Otlp => {
                Box::new(TextSink::new(Otlp::new(semantics(), Encoding::Framed), output))
            }
            Format::JaegerJson => Box::new(TextSink::new(Jaeger::new(semantics()), output)),
            Format::ZipkinJson => Box::new(TextSink::new(Zipkin::new(semantics()), output)),
            Format::ChromeTrace => Box::new(Chrome::new(semantics(), output)),
            Format::ServiceMap => Box::new(ServiceMap::new(protocols, Form::Dot, output)),
            Format::ServiceMapJson => Box::new(ServiceMap::new(protocols, Form::Json, output)),
            Format::Table => Box::new(TableSink::new(protocols, self.layout(usize::MAX), output)),
            Format::Terminal => {
                let look = Look {
                    width: self.width(),
                    zone: self.zone(),
                    colors: self.colors(),
                    ascii: is_ascii_only(),
                    all: self.all || self.verbose > 0 || !selection.traces.is_empty(),
                    details: self.verbose,
                    protocols,
                    names: names.clone(),
                };
                let shows_each = look.all;
                let mut view = View::new(Terminal::new(look), output);
                // What was chosen is shown where it belongs; a table of all would hide it.
                if selection.is_everything() {
                    view = view.with_table(self.layout(ROWS));
                }
                if !shows_each && (selection.is_everything() || ends == Ends::WhenStopped) {
                    view = view.with_singles_at_the_end();
                }
                Box::new(view)
            }
        }
    }

    /// What the bars mean, where some are shown.
    pub(super) fn legend(&self) -> &'static str {
        let is_tree = self.is_written() && self.format() == Format::Terminal;
        let has_bars = is_tree && terminal::has_bars(self.width());
        if has_bars { terminal::LEGEND } else { "" }
    }

    /// Whether a table of all traces is wanted, where these are chosen.
    pub(super) fn needs_operations(&self, selection: &Selection) -> bool {
        let is_tree = self.is_written() && self.format() == Format::Terminal;
        let shown = is_tree && selection.is_everything();
        // If none has the service that is asked for, those are named that there are.
        shown || self.summary.is_some() || selection.service.is_some()
    }

    fn layout(&self, rows: usize) -> Layout {
        let order = match self.sort {
            Sort::Total => Order::Total,
            Sort::Count => Order::Count,
            Sort::Errors => Order::Errors,
            Sort::P99 => Order::P99,
            Sort::Name => Order::Name,
        };
        Layout { width: self.width(), colors: self.colors(), ascii: is_ascii_only(), order, rows }
    }

    /// Whether a line of progress disturbs nothing: among traces on the same terminal, it would
    /// both.
    pub(super) fn may_show_progress(&self) -> bool {
        let to_terminal = self.is_written() && self.output.is_none() && io::stdout().is_terminal();
        !self.quiet && !to_terminal && !is_dumb()
    }

    /// The clock that moments are shown by.
    pub(super) fn zone(&self) -> Zone {
        if self.local_time { Zone::local() } else { Zone::utc() }
    }

    fn colors(&self) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && !is_dumb() && self.output.is_none() && io::stdout().is_terminal()
            }
        }
    }

    fn width(&self) -> usize {
        let terminal = || match self.output {
            Some(_) => None,
            // Where the output is a pipe, its reader shows it on the same terminal.
            None => terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
        };
        let width = asked_columns().or_else(terminal).filter(|width| *width > 0);
        width.unwrap_or(WIDTH).max(NARROWEST)
    }
}

/// Columns for what is said on the standard error; none where nobody looks at it now.
pub(super) fn columns_of_talk() -> Option<usize> {
    let width = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into());
    width.and_then(|width| asked_columns().or(Some(width))).filter(|width| *width >= NARROWEST)
}

/// Columns for text on the standard output that can be folded; none where no terminal shows it.
pub(super) fn columns_of_output() -> Option<usize> {
    let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    width.and_then(|width| asked_columns().or(Some(width))).filter(|width| *width > 0)
}

fn asked_columns() -> Option<usize> {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok())
}

/// Whether the terminal understands nothing but text.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale is one of ASCII only: C or POSIX, said outright.
pub(super) fn is_ascii_only() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

/// What is written to.
pub(super) struct Output {
    writer: Box<dyn Write + Send>,
    name: String,
}

impl Output {
    /// Makes the file, or takes the standard output for none and for `-`. What others use, it
    /// leaves alone.
    pub(super) fn create(path: Option<&Path>, in_use: &[PathBuf]) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            let writer = BufWriter::with_capacity(BUFFER, io::stdout());
            return Ok(Self { writer: Box::new(writer), name: "standard output".to_owned() });
        };
        let name = path.display().to_string();
        check_unused(path, in_use)?;
        let file = File::create(path).map_err(|error| failure(&name, &error))?;
        Ok(Self { writer: Box::new(BufWriter::with_capacity(BUFFER, file)), name })
    }

    /// Takes everything and keeps nothing.
    pub(super) fn nothing() -> Self {
        Self { writer: Box::new(io::sink()), name: "nowhere".to_owned() }
    }

    /// What to call it in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Writes all of this, to the end.
    pub(super) fn write(mut self, text: &str) -> Result<()> {
        self.writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(|error| failure(&self.name, &error))
    }

    /// What bytes go into.
    pub(super) fn writer(self) -> Box<dyn Write + Send> {
        self.writer
    }
}

/// Says why something could not be written, and what to do.
pub(super) fn failure(name: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("write {name}: there is no such directory, make it or name another place")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("write {name}: permission denied, name a place where you may write")
        }
        io::ErrorKind::IsADirectory => {
            anyhow!("write {name}: it is a directory, name a file in it")
        }
        io::ErrorKind::StorageFull => {
            anyhow!("write {name}: the disk is full, make room or name another place")
        }
        _ => anyhow!("write {name}: {error}"),
    }
}

/// Leaves alone what others use.
pub(super) fn check_unused<'a>(
    path: &Path,
    in_use: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<()> {
    if in_use.into_iter().any(|other| is_same_file(other, path)) {
        bail!("write {}: it is in use here already, name another place", path.display());
    }
    Ok(())
}

/// Whether both are one regular file, by whatever names; one that may not be there yet.
fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        (Err(_), Err(_)) if a != Path::new("-") => will_be(a) == will_be(b),
        _ => false,
    }
}

/// The folder and the name of a file that is to be made.
fn will_be(path: &Path) -> Option<(PathBuf, &OsStr)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new(".")).canonicalize();
    Some((folder.ok()?, path.file_name()?))
}

/// Bytes up to which what is written waits for more; what is longer is written as it is.
const BUFFER: usize = 1 << 14;
/// Rows of each part of the table where it stands behind traces.
const ROWS: usize = 20;
/// Columns where the output is no terminal.
const WIDTH: usize = 120;
/// Columns below which nothing could be read any more.
const NARROWEST: usize = 40;
pub(super) const OUTPUT: &str = "Output";
