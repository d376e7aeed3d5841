//! `wirespan live`: traces of what passes by, as it passes.

use super::choose::ChooseArgs;
use super::limits::{LIMITS, packets};
use super::metrics::MetricsArgs;
use super::output::{self, Ends, OutputArgs};
use super::show::Showing;
use super::tcpdump::IgnoredArgs;
use super::tracing::TracingArgs;
use super::watch::Watch;
use super::{Exit, complain, inputs};
use crate::confine::Confinement;
use crate::doctor::host::Host;
use crate::doctor::kernel::usable_memory;
use crate::export::ndjson::SourceNames;
use crate::export::semantics::Semantics;
use crate::load::Shed;
use crate::load::controller::Bounds;
use crate::load::gauge::{Gauge, SourceReadings};
use crate::load::limits::{is_enough, limits_for, usual};
use crate::numbers::grouped;
use crate::pipeline::{self, Surroundings};
use crate::processes::{self, Asking};
use crate::recorder::{RecordError, Recorder, Rotation};
use crate::select::CaptureStart;
use crate::span::SpanSink;
use crate::summary::{Captured, Summary};
use crate::vitals::{InterfaceVitals, Vitals};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum, ValueHint};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wirespan_capture::packet::{Batch, LinkType, Timestamp};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::live::{
    self, Direction, LiveSource, Options, RING_BYTES, SNAPLEN, Status, devices, namespace,
};
use wirespan_capture::source::{Fill, PacketSource};

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

    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// What is captured, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE)]
struct CaptureArgs {
    /// The interfaces to capture on, or any for all of them [default: any]
    ///
    /// Several, with commas between or each with -i, are merged by time. The two interfaces of a
    /// passive TAP, each with one direction, are found to be one capture point.
    #[arg(short, long, value_name = "IF,…", value_delimiter = ',')]
    interface: Vec<String>,

    /// List the interfaces that can be captured on
    #[arg(short = 'D', long)]
    list_interfaces: bool,

    /// Read the filter from this file
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath)]
    filter_file: Option<PathBuf>,

    /// Keep so many bytes of each packet, 0 for 262144
    ///
    /// What is cut off is missing in requests and responses; the counts say of how many packets
    /// something is.
    #[arg(short, long, value_name = "BYTES", default_value = "262144", value_parser = snaplen)]
    snapshot_length: i32,

    /// Do not put interfaces into promiscuous mode
    #[arg(short = 'p', long)]
    no_promiscuous_mode: bool,

    /// KiB of the ring in which packets wait; of each worker [default: 65536]
    #[arg(short = 'B', long, value_name = "KIB", value_parser = kibibytes)]
    buffer_size: Option<i32>,

    /// Only packets that come in, or that go out
    #[arg(short = 'Q', long, value_name = "DIRECTION", value_enum, default_value_t = Way::Inout)]
    direction: Way,

    /// End after so many packets
    #[arg(short = 'c', value_name = "COUNT", value_parser = packets, allow_negative_numbers = true)]
    count: Option<u64>,

    /// Take packets out of the ring at once, after a millisecond, and not after 40
    #[arg(long, visible_alias = "immediate-mode")]
    immediate: bool,

    /// Rings for each interface, emptied at the same time; flows are dealt out among them
    ///
    /// The exchanges are the same whatever their number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = workers)]
    workers: usize,

    /// Become this user once sockets are open [default, as root: who called sudo, else nobody]
    ///
    /// USER or USER:GROUP; root stays root. Files of a series (-C, -G) are made as that user.
    #[arg(short = 'Z', long, value_name = "USER")]
    relinquish_privileges: Option<String>,

    /// Capture in this network namespace: a name of ip netns, or a path as /proc/17/ns/net
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,

    /// Where the processes of this host are told of, which name services; none for nowhere
    ///
    /// In a container, the host's own, as in -v /proc:/host/proc. Processes of other users are seen
    /// by root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
    #[arg(long, value_name = "PATH", default_value = "/proc")]
    proc: PathBuf,
}

/// Packets to files, as tcpdump has it.
#[derive(Debug, Args)]
#[command(next_help_heading = RECORD)]
struct RecordArgs {
    /// Write all packets that are captured to a pcapng file, too; - is the standard output
    ///
    /// They hold what was on the wire, with nothing masked.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write: Option<PathBuf>,

    /// Begin the next file after so many million bytes: FILE1, FILE2 …
    #[arg(short = 'C', value_name = "MB", value_parser = count_of_u32, requires = "write")]
    file_size: Option<u32>,

    /// Begin the next file after so many seconds; FILE holds the time as date(1) writes it, as in
    /// trace-%H%M%S.pcapng
    #[arg(short = 'G', value_name = "SECONDS", value_parser = count_of_u32, requires = "write")]
    rotate_seconds: Option<u32>,

    /// With -C, write over the oldest of so many files; with -G, end after so many
    #[arg(short = 'W', value_name = "COUNT", value_parser = count_of_u32, requires = "write")]
    file_count: Option<u32>,

    /// Write each packet to the file as it comes
    #[arg(short = 'U')]
    packet_buffered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    In,
    Out,
    Inout,
}

/// Runs the command.
pub(super) fn live(args: &LiveArgs) -> Result<Exit> {
    if args.capture.list_interfaces {
        return list();
    }
    let options = args.options()?;
    let mut config = args.tracing.config(args.output.verbose > 0, false)?;
    let protocols = config.protocol_names();
    args.record.check()?;
    let user = args.capture.relinquish_privileges.clone();
    let confinement = Confinement { user, ..Confinement::default() };
    let mut confinement = confinement.prepare()?;
    let mut source = args.open(&options)?;
    let stop = source.stop();
    let status = source.status();
    let memory = args.memory(status.ring_bytes())?;
    let fitting = limits_for(memory, status.ring_bytes(), config.threads);
    config.fit(&fitting);
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
    confinement.writes(args.record.write.iter().filter(|_| is_series));
    confinement.connects(showing.sends_to());
    let (applied, asking) = match args.capture.proc.as_os_str() == "none" {
        true => (confinement.apply()?, None),
        false => confinement.apply_beside(|| args.asking())?,
    };
    if args.output.verbose > 0 {
        complain(&format!("wirespan: rights: {applied}"));
    }
    let recorder = if is_series { args.record.recorder(&source)? } else { early };
    let semantics = Semantics::new(protocols.clone(), showing.names.clone());
    let showing = showing.counting(watch.serve(semantics, args.output.quiet)?);
    let mut here = Here {
        start: showing.start.clone(),
        names: showing.names.clone(),
        stop,
        status: status.clone(),
        watch,
        gauge: Gauge::new(Bounds { cpu: args.max_cpu, memory: Some(memory), ..Bounds::default() }),
        readings: SourceReadings::default(),
        begun: Instant::now(),
        recorder,
        record_error: None,
        asking,
        quiet: args.output.quiet,
        first: None,
        last: None,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .build()
        .context("start the threads")?;
    if !args.output.quiet {
        complain(&listening(&options, &source, args.capture.netns.as_deref()));
    }
    let run = |sink: &mut (dyn SpanSink + Send)| {
        let mut counted = Counted { source: &mut source, left: args.capture.count };
        let mut outcomes = pool.install(|| pipeline::run(&mut counted, &mut here, &config, sink));
        here.conclude(outcomes.reached);
        let summary = &mut outcomes.summary;
        summary.tap_names = here.names.taps();
        summary.taps = summary.tap_names.len();
        summary.from = here.first.map(|at| at.0);
        summary.to = here.last.map(|at| at.0);
        summary.captured = status.counted().into_iter().map(Captured::from).collect();
        let lost = source.left_out().into_iter();
        summary.remarks.extend(lost.map(|loss| format!("filter: {loss}")));
        outcomes
    };
    let exit = showing.run(protocols, run, why_nothing)?;
    match here.record_error {
        Some(_) => Ok(Exit::CouldNot),
        None => Ok(exit),
    }
}

impl LiveArgs {
    fn options(&self) -> Result<Options> {
        let CaptureArgs { interface, .. } = &self.capture;
        let mut interfaces: Vec<String> = Vec::new();
        for name in interface {
            if name.trim().is_empty() {
                bail!("-i: name an interface; wirespan live -D lists them");
            }
            if interfaces.contains(name) {
                bail!("-i {name}: it is named twice");
            }
            interfaces.push(name.clone());
        }
        if interfaces.is_empty() {
            interfaces.push("any".to_owned());
        }
        if interfaces.len() > 1 && interfaces.iter().any(|name| live::is_any(name)) {
            bail!("-i any captures on all interfaces; name it alone, or those that are meant");
        }
        Ok(Options {
            interfaces,
            filter: self.expression()?,
            snaplen: self.capture.snapshot_length,
            promiscuous: !self.capture.no_promiscuous_mode,
            ring_bytes: self.capture.buffer_size.unwrap_or(RING_BYTES),
            workers: self.capture.workers,
            immediate: self.capture.immediate,
            elsewhere: self.capture.netns.is_some(),
            direction: match self.capture.direction {
                Way::In => Some(Direction::In),
                Way::Out => Some(Direction::Out),
                Way::Inout => None,
            },
        })
    }

    /// The filter, from the command line or from a file.
    fn expression(&self) -> Result<Option<String>> {
        let words = [self.filter.as_slice(), &self.more_filter].concat().join(" ");
        let expression = match &self.capture.filter_file {
            Some(file) if words.trim().is_empty() => inputs::expression_of_file(file)?,
            Some(_) => bail!("-F names the filter, and so do words; leave one of them out"),
            None => words,
        };
        Ok(Some(expression).filter(|expression| !expression.trim().is_empty()))
    }

    /// Starts who asks which process has which socket; without a list of them, none is known.
    fn asking(&self) -> Option<Asking> {
        let CaptureArgs { proc, netns, .. } = &self.capture;
        let watch = match processes::Watch::start(proc) {
            Ok(watch) => watch,
            Err(error) => {
                complain(&format!("wirespan: {}: {error}; no process is known", proc.display()));
                return None;
            }
        };
        let mut asking = Asking::new(watch);
        if let Some(number) = namespace::number(netns.as_deref()) {
            asking.within_one(number);
        }
        Some(asking)
    }

    /// The bound of memory: what is asked for, else a part of what the host has.
    fn memory(&self, ring_bytes: u64) -> Result<u64> {
        let Some(bytes) = self.tracing.max_memory else {
            let usable = usable_memory(&Host::at("/")).unwrap_or_default();
            return Ok(usual(usable, ring_bytes));
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

    fn open(&self, options: &Options) -> Result<LiveSource> {
        let opened = match &self.capture.netns {
            Some(name) => namespace::inside(name, || LiveSource::open(options))
                .map_err(|reason| anyhow::anyhow!("--netns: {reason}"))?,
            None => LiveSource::open(options),
        };
        Ok(opened?)
    }
}

impl RecordArgs {
    fn check(&self) -> Result<()> {
        let is_series = self.is_series();
        if self.file_count.is_some() && !is_series {
            bail!("-W needs -C or -G: it says how many of their files there are");
        }
        if self.is_stdout() {
            if is_series {
                bail!("-w -: the standard output is one file; name one for -C or -G");
            }
            if io::stdout().is_terminal() {
                bail!("-w - would write packets to the terminal; name a file, or pipe it on");
            }
        }
        Ok(())
    }

    /// Whether there may be several files.
    fn is_series(&self) -> bool {
        self.file_size.is_some() || self.rotate_seconds.is_some()
    }

    fn is_stdout(&self) -> bool {
        self.write.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    fn recorder(&self, source: &LiveSource) -> Result<Option<Recorder>> {
        let Some(path) = &self.write else { return Ok(None) };
        let rotation = Rotation {
            bytes: self.file_size.map(|millions| u64::from(millions) * 1_000_000),
            seconds: self.rotate_seconds,
            files: self.file_count,
        };
        let recorder =
            Recorder::create(path, rotation, source.interfaces().clone(), live::clock::now());
        let recorder = recorder.map_err(|fault| output::failure(&fault.name, &fault.error))?;
        Ok(Some(recorder.unbuffered(self.packet_buffered || self.is_stdout())))
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
fn list() -> Result<Exit> {
    let listed = devices::list().map_err(|reason| anyhow::anyhow!("list interfaces: {reason}"))?;
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

/// A source that ends after a number of packets.
struct Counted<'a> {
    source: &'a mut LiveSource,
    left: Option<u64>,
}

impl PacketSource for Counted<'_> {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        let fill = self.source.fill(batch)?;
        let Some(left) = &mut self.left else { return Ok(fill) };
        batch.packets.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= batch.packets.len() as u64;
        Ok(if *left == 0 { Fill::End } else { fill })
    }

    fn interfaces(&self) -> &Interfaces {
        self.source.interfaces()
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// What the pipeline finds around it.
struct Here {
    start: CaptureStart,
    names: SourceNames,
    stop: Arc<AtomicBool>,
    status: Status,
    watch: Watch,
    /// What looks at the load of the run, and what it is to be told next.
    gauge: Gauge,
    readings: SourceReadings,
    begun: Instant,
    recorder: Option<Recorder>,
    /// Why packets could not be written any more.
    record_error: Option<()>,
    /// Who asks which process has which socket.
    asking: Option<Asking>,
    quiet: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Here {
    fn record(&mut self, batch: &Batch) {
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.batch(batch) {
            Ok(true) => {}
            Ok(false) => self.stop.store(true, Ordering::Relaxed),
            Err(fault) => self.give_up(&fault),
        }
    }

    /// Packets can be written no more; traces still can.
    fn give_up(&mut self, fault: &RecordError) {
        self.recorder = None;
        if fault.error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever reads has seen enough.
            return self.stop.store(true, Ordering::Relaxed);
        }
        self.record_error = Some(());
        let failure = output::failure(&fault.name, &fault.error);
        complain(&format!("wirespan: {failure}; no more packets are written, the traces go on"));
    }

    fn tell_news(&self) {
        for news in self.status.news() {
            complain(&format!("wirespan: {news}"));
        }
    }

    /// A snapshot, with what the kernel says.
    fn completed(&self, mut vitals: Vitals) -> Vitals {
        let counted = self.status.counted();
        let ring_bytes = self.status.ring_bytes() / counted.len().max(1) as u64;
        vitals.live.interfaces = counted
            .into_iter()
            .map(|counted| InterfaceVitals {
                name: counted.name,
                received: counted.received,
                dropped: counted.dropped,
                dropped_by_interface: counted.dropped_by_interface,
                ring_bytes,
            })
            .collect();
        vitals.live.shed.packets = vitals.counters.packets_shed + vitals.counters.new_flows_shed;
        vitals.live.shed.flows = vitals.counters.flows_shed;
        vitals
    }

    /// Says which processes might have named more services.
    fn tell_unseen(&self) {
        let looked = self.asking.as_ref().map(Asking::looked).unwrap_or_default();
        if looked.unfound > 0 && looked.denied > 0 && !self.quiet {
            let s = if looked.unfound == 1 { "" } else { "s" };
            complain(&format!(
                "wirespan: {} socket{s} of processes that may not be looked into: with \
                 CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH they would name services",
                grouped(looked.unfound),
            ));
        }
    }

    fn conclude(&mut self, reached: Timestamp) {
        self.tell_news();
        self.watch.end(self.completed(Vitals::default()));
        self.tell_unseen();
        let Some(recorder) = self.recorder.take() else { return };
        match recorder.finish(reached) {
            Ok(recorded) if !self.quiet => {
                let s = if recorded.packets == 1 { "" } else { "s" };
                let files = match recorded.files {
                    1 => String::new(),
                    files => format!(", {files} files"),
                };
                complain(&format!("wirespan: {} packet{s} written{files}", recorded.packets));
            }
            Ok(_) => {}
            Err(fault) => self.give_up(&fault),
        }
    }
}

impl Surroundings for Here {
    fn filter(&mut self, batch: &mut Batch) {
        if let (Some(first), Some(last)) = (batch.packets.first(), batch.packets.last()) {
            self.start.note(first.at);
            self.first.get_or_insert(first.at);
            self.last = self.last.max(Some(last.at));
        }
        self.readings.packets += batch.packets.len() as u64;
        self.readings.drops += batch.losses.iter().map(|loss| loss.packets).sum::<u64>();
    }

    fn asking(&mut self) -> Option<&mut Asking> {
        self.asking.as_mut()
    }

    fn used(&mut self, batch: &Batch, interfaces: &Interfaces) {
        if let Some(recorder) = &mut self.recorder {
            recorder.learn(interfaces);
        }
        self.record(batch);
    }

    fn shed(&mut self) -> Shed {
        let now = i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.readings.lag = Some(self.status.lag());
        let shed = self.gauge.shed(now, &mut self.readings);
        if shed.rest > 0 {
            // The kernel drops what is too much even to be left out, and counts it.
            std::thread::sleep(REST * u32::from(shed.rest) / 100);
        }
        shed
    }

    fn taps(&mut self, names: Vec<String>) {
        self.names.set_taps(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.names.set_networks(names);
    }

    fn go_on(&mut self, _: u64) -> bool {
        self.tell_news();
        // The source ends by itself once it is stopped, with what had come by then.
        true
    }

    fn wants_vitals(&mut self) -> bool {
        self.watch.wants()
    }

    fn vitals(&mut self, vitals: Vitals) {
        self.watch.take(self.completed(vitals));
    }
}

/// A number of cores.
fn cores(text: &str) -> Result<f32, String> {
    let cores = text.parse().ok().filter(|cores| (0.01..=1024.0).contains(cores));
    cores.ok_or_else(|| "name a number of cores from 0.01 on, such as 0.5".to_owned())
}

fn snaplen(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(0) => Ok(SNAPLEN),
        Ok(bytes) if (0..=SNAPLEN).contains(&bytes) => Ok(bytes),
        _ => Err(format!("name a number of bytes up to {SNAPLEN}")),
    }
}

fn kibibytes(text: &str) -> Result<i32, String> {
    let kibibytes = text.parse::<i32>().ok().filter(|kibibytes| *kibibytes > 0);
    let bytes = kibibytes.and_then(|kibibytes| kibibytes.checked_mul(1024));
    bytes.ok_or_else(|| format!("name a number of KiB from 1 to {}", i32::MAX / 1024))
}

fn workers(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MAX_WORKERS).contains(count));
    count.ok_or_else(|| format!("name a whole number from 1 to {MAX_WORKERS}"))
}

fn count_of_u32(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "name a whole number from 1 on".to_owned())
}

fn after_long_help() -> String {
    [LATENCY, EXIT_CODES, EXAMPLES].join("\n\n")
}

/// How long a source rests before each batch at most.
const REST: Duration = Duration::from_millis(100);
const MAX_WORKERS: usize = 64;
const CAPTURE: &str = "Capture";
const RECORD: &str = "Packets to files";
const ABOUT: &str = "Show the traces of what passes by, as it passes";
const USAGE: &str = "wirespan live [-i IF,…|any] [OPTIONS] [[--] FILTER]";
const LATENCY: &str = "\
A trace is shown when nothing has joined it for the join window (1 s, --join-window), and at most a
quarter of a second later where the link is not overloaded.";
const EXIT_CODES: &str = "\
Exit codes:
  0  ended by ctrl-C, SIGTERM, -c, -W or --limit, with the counts
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
