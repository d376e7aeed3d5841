//! `wirespan live`: traces of what passes by, as it passes.

use super::capture::CaptureArgs;
use super::captures::pool;
use super::choose::ChooseArgs;
use super::limits::LIMITS;
use super::live_run::LiveRun;
use super::metrics::MetricsArgs;
use super::output::{self, Ends, OutputArgs};
use super::record::RecordArgs;
use super::show::Showing;
use super::tcpdump::IgnoredArgs;
use super::tracing::{TracingArgs, tell_if_memory_is_unseen};
use super::up_to::UpTo;
use super::watch::Watch;
use super::{Exit, complain};
use crate::confine::Confinement;
use crate::doctor::host::Host;
use crate::doctor::kernel::usable_memory;
use crate::export::semantics::Semantics;
use crate::load::controller::Bounds;
use crate::load::gauge::{Gauge, SourceReadings};
use crate::load::limits::{is_enough, limits_for, usual};
use crate::load::priority::give_way;
use crate::pipeline;
use crate::span::SpanSink;
use crate::summary::{Captured, Summary};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;
use wirespan_capture::packet::LinkType;
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::live::{LiveSource, Options, devices, namespace};

/// Show the traces of what passes an interface
#[derive(Debug, Args)]
#[command(about = ABOUT, after_help = EXAMPLES, after_long_help = after_long_help(), override_usage = USAGE)]
pub(super) struct LiveArgs {
    /// A filter as tcpdump takes it (man pcap-filter); the kernel runs it
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    #[arg(last = true, hide = true)]
    more_filter: Vec<String>,

    #[command(flatten)]
    capture: CaptureArgs,

    #[command(flatten)]
    record: RecordArgs,

    #[command(flatten)]
    choose: ChooseArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    metrics: MetricsArgs,

    #[command(flatten)]
    tracing: TracingArgs,

    /// Cores that are kept to by leaving flows out, such as 0.5; counted, and marked on the spans
    /// beside them
    #[arg(long, value_name = "CORES", value_parser = cores, allow_negative_numbers = true, help_heading = LIMITS)]
    max_cpu: Option<f32>,

    /// How far it stands back behind the host's other work for a core: 0 (not at all) to 19
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=19), allow_negative_numbers = true, help_heading = LIMITS)]
    nice: u8,

    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// Runs the command.
pub(super) fn live(args: &LiveArgs) -> Result<Exit> {
    if args.capture.list_interfaces {
        return list(args.capture.netns.as_deref());
    }
    let usable = usable_memory(&Host::at("/"));
    let words = [args.filter.as_slice(), &args.more_filter].concat();
    let options = args.capture.options(&words, usable, args.tracing.max_memory)?;
    let mut config = args.tracing.config(args.output.verbose > 0, false)?;
    let protocols = config.protocol_names();
    args.record.check()?;
    let user = args.capture.relinquish_privileges.clone();
    let confinement = Confinement { user, ..Confinement::default() };
    let mut confinement = confinement.prepare()?;
    // Rings take their memory as they are made, so that it is judged before.
    let ring_bytes = options.all_ring_bytes();
    let memory = args.memory(usable, ring_bytes)?;
    let fitting = limits_for(memory, ring_bytes, config.threads);
    args.tracing.fit(&mut config, &fitting);
    // Threads have the priority of the one that starts them.
    if args.nice > 0
        && let Err(reason) = give_way(args.nice)
    {
        complain(&format!("wirespan: warning: --nice: {reason}; it goes on as it is"));
    }
    let source = args.capture.open(&options)?;
    let stop = source.stop();
    let status = source.status();
    let in_use: Vec<PathBuf> = args.record.write.iter().cloned().collect();
    let mut showing = Showing::prepare(&args.choose, &args.output, &in_use, stop.clone())?
        .ending(Ends::WhenStopped)?
        .queuing(fitting.queue);
    if args.record.is_stdout() {
        showing.beside_stdout()?;
    }
    let mut watch = Watch::prepare(&args.metrics, showing.queues.clone())?;
    // A file is opened while that is allowed; those of a series are the new user's, all of them.
    let is_series = args.record.is_series();
    let early = if is_series { None } else { args.record.recorder(&source)? };
    if let Some(first) = args.record.write.as_ref().filter(|_| is_series) {
        confinement.writes_series(first);
    }
    confinement.connects(showing.sends_to());
    let (applied, asking) = match args.capture.proc.as_os_str() == "none" {
        true => (confinement.apply()?, None),
        false => confinement.apply_beside(|| args.capture.asking())?,
    };
    if args.output.verbose > 0 {
        complain(&format!("wirespan: rights: {applied}"));
    }
    tell_if_memory_is_unseen();
    let recorder = if is_series { args.record.recorder(&source)? } else { early };
    let semantics = Semantics::new(protocols.clone(), showing.names.clone());
    let showing = showing.counting(watch.serve(semantics, args.output.quiet)?);
    let mut here = LiveRun {
        start: showing.start.clone(),
        names: showing.names.clone(),
        stop,
        status: status.clone(),
        watch,
        gauge: Gauge::new(Bounds { cpu: args.max_cpu, memory: Some(memory), ..Bounds::default() }),
        readings: SourceReadings::default(),
        begun: Instant::now(),
        said: Default::default(),
        recorder,
        record_failed: false,
        asking,
        quiet: args.output.quiet,
        first: None,
        last: None,
    };
    let pool = pool(config.threads)?;
    if !args.output.quiet {
        complain(&listening(&options, &source, args.capture.netns.as_deref()));
    }
    let mut source = UpTo::new(source, args.capture.count, None);
    let run = |sink: &mut (dyn SpanSink + Send)| {
        let mut outcomes = pool.install(|| pipeline::run(&mut source, &mut here, &config, sink));
        here.conclude(outcomes.reached);
        let summary = &mut outcomes.summary;
        summary.tap_names = here.names.taps();
        summary.taps = summary.tap_names.len();
        summary.from = here.first.map(|at| at.0);
        summary.to = here.last.map(|at| at.0);
        summary.captured = status.counted().into_iter().map(Captured::from).collect();
        let lost = source.inner_mut().left_out().into_iter();
        summary.remarks.extend(lost.map(|loss| format!("filter: {loss}")));
        outcomes
    };
    let exit = showing.run(protocols, run, why_nothing)?;
    Ok(if here.record_failed { Exit::CouldNot } else { exit })
}

impl LiveArgs {
    /// The bound of memory: what is asked for, else a part of what the host has.
    fn memory(&self, usable: Option<u64>, ring_bytes: u64) -> Result<u64> {
        let Some(bytes) = self.tracing.max_memory else {
            return Ok(usual(usable.unwrap_or_default(), ring_bytes));
        };
        if !is_enough(bytes, ring_bytes) {
            bail!(
                "--max-memory: the rings take {} MiB of it, and no more than {} MiB are left; name \
                 more, or smaller rings (-B)",
                ring_bytes >> 20,
                bytes.saturating_sub(ring_bytes) >> 20
            );
        }
        Ok(bytes)
    }
}

/// Says what is captured.
fn listening(options: &Options, source: &LiveSource, netns: Option<&str>) -> String {
    let interfaces = source.interfaces().iter().map(|(_, interface)| match interface.link {
        LinkType::ETHERNET => interface.name.clone(),
        link => format!("{} ({link})", interface.name),
    });
    let interfaces = interfaces.collect::<Vec<_>>().join(", ");
    let netns = netns.map_or_else(String::new, |name| format!(" of namespace {name}"));
    let filter = options.filter.as_ref().map_or_else(String::new, |filter| format!(", {filter}"));
    format!("wirespan: listening on {interfaces}{netns}{filter}; ctrl-C ends it with the counts")
}

/// Prints the interfaces that there are.
fn list(netns: Option<&str>) -> Result<Exit> {
    let listed = match netns {
        Some(name) => namespace::inside(name, devices::names)
            .map_err(|reason| anyhow::anyhow!("--netns: {reason}"))?,
        None => devices::list(),
    };
    let listed = listed.map_err(|reason| anyhow::anyhow!("list interfaces: {reason}"))?;
    if listed.is_empty() {
        bail!("list interfaces: there is none that you may capture on; try it with sudo");
    }
    let mut text = String::new();
    for (number, device) in listed.iter().enumerate() {
        text.push_str(format!("{}.{} {}", number + 1, device.name, device.about).trim_end());
        text.push('\n');
    }
    output::Output::create(None, &[])?.write(&text)?;
    Ok(Exit::Done)
}

/// Why nothing was found.
fn why_nothing(summary: &Summary) -> String {
    match summary.packets {
        0 => "no packet came".to_owned(),
        packets => format!("no exchange in {packets} packets"),
    }
}

/// A number of cores.
fn cores(text: &str) -> Result<f32, String> {
    let cores = text.parse().ok().filter(|cores| (0.01..=1024.0).contains(cores));
    cores.ok_or_else(|| "name a number of cores from 0.01 on, such as 0.5".to_owned())
}

fn after_long_help() -> String {
    [LATENCY, EXIT_CODES, EXAMPLES].join("\n\n")
}

const ABOUT: &str = "Show the traces of what passes by, as it passes";
const USAGE: &str = "wirespan live [-i IF,…|any] [OPTIONS] [[--] FILTER]";
const LATENCY: &str = "\
A trace is shown when nothing has joined it for the join window (1 s, --join-window), and at most
half a second later where the link is not overloaded.";
const EXIT_CODES: &str = "\
Exit codes:
  0  ended by ctrl-C, SIGTERM, -c, -W or --limit, with the counts
  130, 143  ended by a second ctrl-C or SIGTERM (half a second after the first, or later), which does
     not wait for who reads the output, and gives no counts
  1  traces were chosen by an option, and none was like that
  2  could not be done, or packets or spans could not be written to the end; one line says why";
const EXAMPLES: &str = "\
Examples:
  wirespan live                              all interfaces of this host
  wirespan live -i eth1 port 80 or port 3306 a mirror port, two services
  wirespan live -i eth1,eth2                 a passive TAP, a direction on each
  wirespan live -i eth0 --errors             traces with a failure only
  wirespan live -i eth0 -w /var/tmp/x.pcapng -C 100 -W 10
                                             packets too, in ten files of 100 MB at most
  wirespan live --netns blue -i eth0         in another network namespace
  ssh box tcpdump -U -w - | wirespan read -  the same, where wirespan is not installed";
