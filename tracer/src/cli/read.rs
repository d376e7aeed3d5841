//! `wirespan read`: captures in, traces out.

use super::captures::pool;
use super::choose::ChooseArgs;
use super::inputs::Inputs;
use super::metrics::MetricsArgs;
use super::output::OutputArgs;
use super::packets::PacketsArgs;
use super::progress::Meter;
use super::show::Showing;
use super::tcpdump::{TcpdumpArgs, WITHOUT_EFFECT};
use super::tracing::TracingArgs;
use super::watch::Watch;
use super::{Exit, complain};
use crate::clock;
use crate::decoder;
use crate::export::ndjson::SourceNames;
use crate::export::semantics::Semantics;
use crate::load::Shed;
use crate::load::controller::Bounds;
use crate::load::gauge::{Gauge, SourceReadings};
use crate::pairing;
use crate::pipeline::{self, Surroundings};
use crate::select::CaptureStart;
use crate::span::SpanSink;
use crate::summary::{ClockOffset, Summary};
use crate::vitals::Vitals;
use crate::wanted::Notes;
use anyhow::Result;
use clap::{Args, ValueHint};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wirespan_capture::filter::Filters;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::report::Damage;

/// Show the traces of capture files
#[derive(Debug, Args)]
#[command(about = ABOUT, after_help = EXAMPLES, after_long_help = after_long_help(), override_usage = USAGE)]
pub(super) struct ReadArgs {
    /// Captures, - for the standard input; then a filter as tcpdump takes it
    ///
    /// Captures are pcap or pcapng, also compressed with gzip or zstd; several are merged by time.
    /// The words behind them, with or without -- in between, are the filter (man pcap-filter).
    #[arg(value_name = "FILE|FILTER", value_hint = ValueHint::FilePath)]
    words: Vec<String>,

    /// A capture; all words that are no options are then the filter, as with tcpdump
    #[arg(short = 'r', value_name = "FILE", value_hint = ValueHint::FilePath)]
    from: Vec<PathBuf>,

    #[arg(last = true, hide = true)]
    filter: Vec<String>,

    #[command(flatten)]
    tcpdump: TcpdumpArgs,

    #[command(flatten)]
    choose: ChooseArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    metrics: MetricsArgs,

    #[command(flatten)]
    packets: PacketsArgs,

    #[command(flatten)]
    tracing: TracingArgs,
}

/// Runs the command.
pub(super) fn read(args: &ReadArgs) -> Result<Exit> {
    let inputs =
        Inputs::of(&args.from, &args.words, &args.filter, args.tcpdump.filter_file.as_deref())?;
    let mut config = args.tracing.config(args.output.verbose > 0, args.packets.sanitize())?;
    args.tracing.fit_if_bounded(&mut config);
    let protocols = config.protocol_names();
    let packets = args.packets.destination(&inputs)?;
    let pool = pool(config.threads)?;
    pool.install(|| clock::survey(&inputs.files, &mut config));
    let mut source = inputs.open(config.threads, args.tcpdump.count, config.clocks.clone())?;
    let stop = source.progress().stop();
    let in_use: Vec<PathBuf> = inputs.files.iter().chain(args.packets.path()).cloned().collect();
    let mut showing = Showing::prepare(&args.choose, &args.output, &in_use, stop.clone())?;
    let notes = Notes::new(protocols.clone());
    if let Some(packets) = &packets {
        showing = showing.noting(packets, notes.clone())?;
    }
    if let [_, _, ..] = inputs.files.as_slice() {
        let name = |file: &PathBuf| file.display().to_string();
        showing.names.set_files(inputs.files.iter().map(name).collect());
    }
    let mut watch = Watch::prepare(&args.metrics, showing.queues.clone())?;
    let semantics = Semantics::new(protocols.clone(), showing.names.clone());
    let showing = showing.counting(watch.serve(semantics, args.output.quiet)?);
    let mut here = Here {
        start: showing.start.clone(),
        filter: inputs.filter.clone(),
        names: showing.names.clone(),
        meter: Meter::new(source.progress(), "packets", args.output.may_show_progress()),
        stop: stop.clone(),
        watch,
        goes_on: source.progress().total().is_none() && !args.output.quiet,
        gauge: args
            .tracing
            .max_memory
            .map(|memory| Gauge::new(Bounds { memory: Some(memory), ..Bounds::default() })),
        begun: Instant::now(),
    };
    let run = |sink: &mut (dyn SpanSink + Send)| {
        let mut outcomes = pool.install(|| pipeline::run(&mut source, &mut here, &config, sink));
        here.meter.clear();
        here.watch.end(Vitals::default());
        if !args.output.quiet {
            source.tell_rotations();
        }
        let stopped = outcomes.stopped || stop.load(Ordering::Relaxed);
        let summary = &mut outcomes.summary;
        summary.tap_names = here.names.taps();
        summary.taps = summary.tap_names.len();
        summary.clocks = ClockOffset::of(source.alignments());
        for report in source.reports() {
            // What was stopped within a packet is not damaged.
            let damage = report.damage.iter().filter(|damage| !(stopped && is_cut(damage)));
            summary.damage.extend(damage.map(|damage| format!("{}: {damage}", report.name)));
            let first = report.first.map(|at| at.0);
            let last = report.last.map(|at| at.0);
            summary.from = summary.from.into_iter().chain(first).min();
            summary.to = summary.to.into_iter().chain(last).max();
        }
        for refused in here.filter.iter().flat_map(Filters::refused) {
            summary.damage.push(format!("filter: {refused}"));
        }
        if let Some(loss) = here.filter.as_ref().and_then(Filters::loss) {
            summary.remarks.push(format!("filter: {loss}"));
        }
        outcomes
    };
    let exit = showing.run(protocols, run, why_nothing)?;
    match packets {
        Some(packets) if exit == Exit::Done => {
            let files: Vec<String> = source.reports().into_iter().map(|r| r.name).collect();
            let mut again =
                inputs.open(config.threads, args.tcpdump.count, config.clocks.clone())?;
            let meter = Meter::new(again.progress(), "packets", args.output.may_show_progress());
            here.meter = meter.called("packets: ");
            // It may be set since there were traces enough.
            stop.store(false, Ordering::Relaxed);
            let written = packets.fill(&mut again, &mut here, &config, notes.take(), &files);
            here.meter.clear();
            Ok(packets.conclude(&written?, args.output.quiet))
        }
        _ => Ok(exit),
    }
}

fn is_cut(damage: &Damage) -> bool {
    matches!(damage, Damage::CutTail { .. })
}

/// Why a capture that could be read holds no exchange.
fn why_nothing(summary: &Summary) -> String {
    let packets = summary.packets;
    let of = |map: &BTreeMap<String, u64>, name: &str| map.get(name).copied().unwrap_or_default();
    let filtered = of(&summary.packets_by, "filtered");
    if packets == 0 {
        return "there are no packets in it".to_owned();
    }
    if filtered == packets {
        return format!("the filter left none of {packets} packets");
    }
    let left = packets - filtered;
    if of(&summary.lost, "unknown_link_type") == left {
        return format!("none of {left} packets has a link type that can be read");
    }
    if !summary.unread.is_empty() {
        let mut flows: Vec<String> =
            summary.unread.iter().take(SERVERS).map(ToString::to_string).collect();
        if summary.unread.len() > SERVERS {
            flows.push(format!("{} more servers", summary.unread.len() - SERVERS));
        }
        return format!("no flow speaks a protocol that can be read: {}", flows.join("; "));
    }
    if of(&summary.lost, "responses_without_request") > 0 {
        return "there are responses, but none of their requests".to_owned();
    }
    if summary.flows > 0 && of(&summary.lost, "gap_bytes") > 0 {
        let cut = of(&summary.lost, "cut") > 0;
        let why =
            if cut { "cut off by the snap length, capture with -s 0" } else { "not captured" };
        return format!("what could be read of its flows is too little: the rest was {why}");
    }
    match summary.flows {
        0 => format!("none of {left} packets holds readable TCP or UDP"),
        1 => "its one flow carries no data".to_owned(),
        flows => format!("its {flows} flows carry no data"),
    }
}

/// What the pipeline finds around it.
struct Here {
    start: CaptureStart,
    filter: Option<Filters>,
    names: SourceNames,
    meter: Meter,
    stop: Arc<AtomicBool>,
    watch: Watch,
    /// It is a pipe, whose end may be far away: what is wrong with the filter is said at once.
    goes_on: bool,
    /// What looks at the memory of the process, where that is bounded.
    gauge: Option<Gauge>,
    begun: Instant,
}

impl Surroundings for Here {
    fn filter(&mut self, batch: &mut Batch) {
        if let Some(first) = batch.packets.first() {
            self.start.note(first.at);
        }
        if let Some(filter) = &mut self.filter {
            filter.retain(batch);
            if self.goes_on
                && let Some(loss) = filter.loss_once(NO_ACCIDENT)
            {
                self.meter.aside(|| complain(&format!("wirespan: warning: filter: {loss}")));
            }
        }
    }

    fn taps(&mut self, names: Vec<String>) {
        self.names.add_taps(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.names.add_networks(names);
    }

    fn shed(&mut self) -> Shed {
        let Some(gauge) = &mut self.gauge else { return Shed::NOTHING };
        let now = i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
        gauge.shed(now, &mut SourceReadings::default())
    }

    fn go_on(&mut self, packets: u64) -> bool {
        self.meter.show(packets);
        !self.stop.load(Ordering::Relaxed)
    }

    fn wants_vitals(&mut self) -> bool {
        self.watch.wants()
    }

    fn vitals(&mut self, vitals: Vitals) {
        let watch = &mut self.watch;
        self.meter.aside(|| watch.take(vitals));
    }
}

/// So many packets that a filter left out in tags or tunnels are told of before the end.
const NO_ACCIDENT: u64 = 16;
/// Servers that nobody understands that are named.
const SERVERS: usize = 3;

const _: () = assert!(decoder::UNFINISHED == 1 << 20 && pairing::OPEN == 4096);
const ABOUT: &str = "Show the traces of captures";
const USAGE: &str = "wirespan read [OPTIONS] FILE... [[--] FILTER]
       wirespan [OPTIONS] -r FILE [FILTER]";
pub(super) const EXAMPLES: &str = "\
Examples:
  wirespan read shop.pcapng                  all traces of a capture
  wirespan read shop.pcap tcp port 80        those of one port
  wirespan -r shop.pcap host 10.0.0.7        as with tcpdump
  wirespan read -v --slowest 3 shop.pcap     the slowest three, with all that they carried
  ssh box tcpdump -U -w - | wirespan read -  from a pipe; ctrl-C shows what has come
  wirespan read shop.pcap --trace 36f675cc -w trace.pcapng
                                             the packets of one trace, for Wireshark
  wirespan read a.pcap b.pcap --format ndjson -o spans.ndjson --summary counts.json";
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    done; a capture whose end is cut off is read up to there
  1    done, but nothing was found; one line says why
  2    could not be done, or spans were not taken (--otlp); one line says why
  130  ctrl-C cut short the reading; what had been read is shown";
pub(super) const BARS: &str = "\
Bars:
  ─  network: request and response on their way
  ░  waiting: a call below was open
  █  server: the rest
  !  failed; !! where the failures above it began, most likely";
pub(super) const FIXED_LIMITS: &str = "\
Fixed limits: 1 MiB of an unfinished message, 4,096 open requests of a connection, 1 MiB of a
connection's bytes that wait, 16 KiB of texts of a span. What reaches a limit is counted and shown.";

fn after_long_help() -> String {
    [FIXED_LIMITS, WITHOUT_EFFECT, BARS, EXIT_CODES, EXAMPLES].join("\n\n")
}
