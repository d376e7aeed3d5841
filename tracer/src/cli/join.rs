//! `wirespan join`: spans in, traces out.

use super::Exit;
use super::captures::pool;
use super::choose::ChooseArgs;
use super::ids::JoinedByArgs;
use super::inputs::once;
use super::limits::JoiningArgs;
use super::names::NamesArgs;
use super::output::OutputArgs;
use super::progress::Meter;
use super::read::EXIT_CODES;
use super::show::Showing;
use crate::config::Config;
use crate::import::spans::Spans;
use crate::span::SpanSink;
use crate::summary::Summary;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use wirespan_capture::source::open;
use wirespan_capture::source::report::Progress;

/// Join spans that were written before, as from the packets
#[derive(Debug, Args)]
#[command(about = ABOUT, after_help = EXAMPLES, after_long_help = after_long_help(), override_usage = USAGE)]
pub(super) struct JoinArgs {
    /// What wirespan read --format ndjson wrote
    ///
    /// It may be compressed with gzip or zstd; - stands for the standard input. Several, as of
    /// several sensors, are merged by time: their points, taps and files are different ones, their
    /// networks the same where they have the same VLANs.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    choose: ChooseArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    joined_by: JoinedByArgs,

    #[command(flatten)]
    joining: JoiningArgs,

    #[command(flatten)]
    names: NamesArgs,
}

/// Runs the command.
pub(super) fn join(args: &JoinArgs) -> Result<Exit> {
    if args.files.is_empty() {
        bail!("no spans named; say wirespan join FILE, or - for the standard input");
    }
    once(&args.files)?;
    let window = args.joining.window(args.joined_by.any()?);
    let files = args.names.files()?;
    let total = args.files.iter().map(|path| open::length(path)).sum();
    let progress = Progress::new(total);
    let stop = progress.stop();
    let showing = Showing::prepare(&args.choose, &args.output, &args.files, stop.clone())?;
    let showing = showing.timing()?;
    let pool = pool(args.joining.threads())?;
    let known = Config::default().protocol_names();
    let wanted = args.output.may_show_progress();
    let meter = Meter::new(progress.clone(), "spans", wanted);
    let spans = pool.install(|| {
        Spans::read(&args.files, known, &progress, &mut |spans| {
            meter.show(spans);
            !stop.load(Ordering::Relaxed)
        })
    });
    meter.clear();
    let spans = spans?.naming(files);
    // What had come when ctrl-C ended the reading is joined all the same.
    let stopped = stop.load(Ordering::Relaxed);
    showing.names.set_taps(spans.taps().to_vec());
    showing.names.set_networks(spans.networks());
    if let Some(start) = spans.start() {
        showing.start.note(start);
    }
    let meter = Meter::counting(spans.events(), "joined", wanted);
    let run = |sink: &mut (dyn SpanSink + Send)| {
        let outcomes = pool.install(|| {
            spans.join(window, sink, &mut |events| {
                meter.show(events);
                stopped || !stop.load(Ordering::Relaxed)
            })
        });
        meter.clear();
        outcomes
    };
    showing.run(spans.protocols().to_vec(), run, why_nothing)
}

/// Why files that could be read hold no span.
fn why_nothing(summary: &Summary) -> String {
    match summary.spans_read.map_or(0, |read| read.lines_skipped) {
        0 => "there are no spans in it".to_owned(),
        1 => "its one line is no span".to_owned(),
        lines => format!("none of its {lines} lines is a span"),
    }
}

const ABOUT: &str = "Join spans that were written before, as from the packets";
const USAGE: &str = "wirespan join [OPTIONS] FILE...";
const EXAMPLES: &str = "\
Examples:
  wirespan read shop.pcap --format ndjson -o shop.ndjson
  wirespan join shop.ndjson --errors              traces that failed, without the packets
  wirespan join east.ndjson.zst west.ndjson.zst   what two sensors saw, joined
  wirespan join shop.ndjson --join-window 10      joined with another limit";
const WHAT_COMES: &str = "\
The traces are those that the packets gave, with the same ids, if all spans are there: those that
--errors, --limit and the like left out cannot be joined. Headers are there (-v) if they were
written with -v. Memory holds some 64 bytes of each span. Of what comes through a pipe or is
compressed, a copy goes to the folder that TMPDIR names; it has no name and goes with the program.";

fn after_long_help() -> String {
    [WHAT_COMES, EXIT_CODES, EXAMPLES].join("\n\n")
}
