//! `wirespan read`: captures in, traces out.

use super::inputs::{Inputs, output};
use super::progress::Meter;
use super::{Exit, complain};
use crate::config::{self, Config};
use crate::decoder;
use crate::export::TextSink;
use crate::export::ndjson::{Ndjson, TapNames};
use crate::export::terminal::{Look, Terminal};
use crate::join::window::WindowLimits;
use crate::pairing;
use crate::pipeline::{self, Outcomes, Surroundings};
use crate::span::SpanSink;
use crate::summary::Summary;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wirespan_capture::filter::Filters;
use wirespan_capture::packet::Batch;

/// Show the traces of capture files.
///
/// Reads pcap and pcapng, plain or compressed with gzip or zstd; several files are merged by time.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ReadArgs {
    /// Capture files, or - for the standard input; then, with or without --, a filter in
    /// tcpdump's language (see man pcap-filter)
    #[arg(value_name = "FILE|FILTER")]
    words: Vec<String>,

    /// A capture file, as tcpdump's -r names it; all other words are then the filter
    #[arg(short = 'r', value_name = "FILE")]
    from: Vec<PathBuf>,

    /// The filter
    #[arg(last = true, value_name = "FILTER")]
    filter: Vec<String>,

    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,

    /// Where to write it, instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write what was read, found and lost as JSON to this file
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,

    /// Threads that work at a time; the output is the same whatever their number
    #[arg(long, value_name = "N", default_value_t = default_threads())]
    threads: usize,

    /// Colours: by default where the output is a terminal and NO_COLOR is not set
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,

    /// Say nothing on the standard error but what went wrong
    #[arg(short, long)]
    quiet: bool,

    /// Seconds without news after which a trace is settled
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    join_window: f64,

    /// Seconds after which a request counts as unanswered
    #[arg(long, value_name = "SECONDS", default_value_t = config::RESPONSE_TIMEOUT_SECONDS as f64)]
    response_timeout: f64,

    /// Flows that are followed at a time
    #[arg(long, value_name = "N", default_value_t = config::MAX_FLOWS)]
    max_flows: usize,

    /// Bytes of all flows that may wait for what is missing before them
    #[arg(long, value_name = "BYTES", default_value_t = config::MAX_WAITING_BYTES)]
    max_waiting_bytes: usize,

    /// Exchanges that are held at a time until their traces settle
    #[arg(long, value_name = "N", default_value_t = WindowLimits::default().held)]
    max_held: usize,

    /// Spans of one trace
    #[arg(long, value_name = "N", default_value_t = WindowLimits::default().members)]
    max_trace_spans: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Trees for people.
    Terminal,
    /// One JSON object per span and line.
    Ndjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Runs the command.
pub(super) fn read(args: &ReadArgs) -> Result<Exit> {
    let inputs = Inputs::of(&args.from, &args.words, &args.filter)?;
    let config = args.config()?;
    let mut source = inputs.open()?;
    let output = output(args.output.as_deref())?;
    if let Some(path) = &args.summary {
        // Find out now, not after an hour of reading.
        std::fs::File::create(path).with_context(|| format!("write {}", path.display()))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, stop.clone())
        .and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, stop.clone()))
        .context("watch for ctrl-C")?;
    let taps = TapNames::default();
    let protocols: Vec<String> =
        (config.protocols)().iter().map(|protocol| protocol.name().to_owned()).collect();
    let mut sink: Box<dyn SpanSink + Send> = match args.format {
        Format::Ndjson => Box::new(TextSink::new(Ndjson { protocols, taps: taps.clone() }, output)),
        Format::Terminal => {
            let look = Look { width: args.width(), colors: args.colors(), protocols };
            Box::new(TextSink::new(Terminal::new(look), output))
        }
    };
    // A line of progress among traces on the same terminal would disturb both.
    let to_terminal = args.output.is_none() && io::stdout().is_terminal();
    let mut here = Here {
        filter: inputs.filter,
        taps: taps.clone(),
        meter: Meter::new(source.progress(), !args.quiet && !to_terminal),
        stop,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .build()
        .context("start the threads")?;
    let mut outcomes =
        pool.install(|| pipeline::run(&mut source, &mut here, &config, sink.as_mut()));
    here.meter.clear();
    if !args.quiet {
        source.tell_rotations();
    }
    let summary = &mut outcomes.summary;
    summary.taps = taps.all();
    for report in source.reports() {
        summary.damage.extend(report.damage.iter().map(|damage| format!("{}: {damage}", report.name)));
        let first = report.first.map(|at| at.0);
        let last = report.last.map(|at| at.0);
        summary.from = summary.from.into_iter().chain(first).min();
        summary.to = summary.to.into_iter().chain(last).max();
    }
    for refused in here.filter.iter().flat_map(Filters::refused) {
        summary.damage.push(format!("filter: {refused}"));
    }
    measure(summary);
    if let Some(path) = &args.summary {
        write_summary(summary, path)?;
    }
    conclude(args, &outcomes)
}

/// Says how it went, and with what code to end.
fn conclude(args: &ReadArgs, outcomes: &Outcomes) -> Result<Exit> {
    let summary = &outcomes.summary;
    for damage in &summary.damage {
        complain(&format!("wirespan: warning: {damage}"));
    }
    if !args.quiet {
        complain(summary.to_string().trim_end());
    }
    if let Some(error) = &outcomes.sink_error {
        let name = args.output.as_deref().unwrap_or(Path::new("standard output")).display();
        match error.kind() {
            // Whoever reads has seen enough, as head has.
            io::ErrorKind::BrokenPipe => {
                complain("wirespan: the reader of the output has gone; reading was stopped");
                return Ok(Exit::Done);
            }
            io::ErrorKind::StorageFull => {
                bail!("write {name}: the disk is full, make room or name another place with -o")
            }
            _ => bail!("write {name}: {error}"),
        }
    }
    if let Some(error) = &outcomes.source_error {
        bail!("read: {error}; what had come before was used");
    }
    if outcomes.stopped {
        complain("wirespan: stopped by ctrl-C; what had been read was used");
        return Ok(Exit::Interrupted);
    }
    Ok(if summary.spans == 0 { Exit::NotFound } else { Exit::Done })
}

fn write_summary(summary: &Summary, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(summary).context("write the summary")?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Adds what the process has used.
fn measure(summary: &mut Summary) {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return };
    let seconds = |time: nix::sys::time::TimeVal| {
        time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
    };
    summary.peak_rss_bytes = u64::try_from(usage.max_rss()).unwrap_or_default() * 1024;
    summary.cpu_seconds = seconds(usage.user_time()) + seconds(usage.system_time());
}

impl ReadArgs {
    fn config(&self) -> Result<Config> {
        if self.threads == 0 || self.threads > MAX_THREADS {
            bail!("--threads {}: name a number from 1 to {MAX_THREADS}", self.threads);
        }
        let mut config = Config { threads: self.threads, ..Config::default() };
        config.window.quiet = nanoseconds("--join-window", self.join_window)?;
        config.response_timeout = nanoseconds("--response-timeout", self.response_timeout)?;
        for (name, value) in [
            ("--max-flows", self.max_flows),
            ("--max-waiting-bytes", self.max_waiting_bytes),
            ("--max-held", self.max_held),
            ("--max-trace-spans", self.max_trace_spans),
        ] {
            if value == 0 {
                bail!("{name} 0: nothing could be done, name a number from 1 on");
            }
        }
        config.flows.flows = self.max_flows;
        config.flows.waiting = self.max_waiting_bytes;
        config.window.held = self.max_held;
        config.window.members = self.max_trace_spans;
        Ok(config)
    }

    fn colors(&self) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && self.output.is_none() && io::stdout().is_terminal()
            }
        }
    }

    fn width(&self) -> usize {
        if self.output.is_some() {
            return WIDTH;
        }
        terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).max(40))
    }
}

fn default_threads() -> usize {
    Config::default().threads.min(MAX_THREADS)
}

fn nanoseconds(name: &str, seconds: f64) -> Result<i64> {
    if !(0.0..=86_400.0).contains(&seconds) {
        bail!("{name} {seconds}: name a number of seconds from 0 to 86400");
    }
    Ok((seconds * 1e9) as i64)
}

/// What the pipeline finds around it.
struct Here {
    filter: Option<Filters>,
    taps: TapNames,
    meter: Meter,
    stop: Arc<AtomicBool>,
}

impl Surroundings for Here {
    fn filter(&mut self, batch: &mut Batch) {
        if let Some(filter) = &mut self.filter {
            filter.retain(batch);
        }
    }

    fn taps(&mut self, names: Vec<String>) {
        self.taps.set(names);
    }

    fn go_on(&mut self, packets: u64) -> bool {
        self.meter.show(packets);
        !self.stop.load(Ordering::Relaxed)
    }
}

const MAX_THREADS: usize = 1024;
/// Columns where the output is no terminal.
const WIDTH: usize = 120;

const _: () = assert!(decoder::UNFINISHED == 1 << 20 && pairing::OPEN == 4096);
const AFTER_HELP: &str = "\
Limits that are fixed: 1 MiB of an unfinished message, 4,096 open requests a connection, 1 MiB of a
connection's bytes that wait, 16 KiB of texts a span. What reaches a limit is counted and printed.

Exit codes: 0 done, 1 done but no exchange was found, 2 could not, 130 stopped by ctrl-C.

Examples:
  wirespan read shop.pcapng                     all traces of a capture
  wirespan read shop.pcap -- tcp port 80        those of one port
  wirespan -r shop.pcap host 10.0.0.7           the same, as with tcpdump
  zcat big.pcap.gz | wirespan read -            from a pipe
  wirespan read a.pcap b.pcap --format ndjson -o spans.ndjson --summary counts.json";
