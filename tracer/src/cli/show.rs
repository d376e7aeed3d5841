//! What every command that shows traces does around its run: it makes what is written to, watches
//! for ctrl-C, chooses, counts, and says how it went.

use super::choose::ChooseArgs;
use super::output::{Ends, Outlets, Output, OutputArgs, columns_of_talk, failure};
use super::packets::Destination;
use super::send::{self, sender};
use super::signals::Signals;
use super::{Exit, complain};
use crate::edges::Edges;
use crate::export::Exporter;
use crate::export::ndjson::SourceNames;
use crate::export::queue::{Queue, QueueCounts, QueueGauge, QueueLimits};
use crate::export::send::{self as sending, Failure, Sender, Settings};
use crate::export::width::{self, folded};
use crate::joining::Outcomes;
use crate::load::used::Used;
use crate::numbers::grouped;
use crate::operations::Operations;
use crate::red::RedMetrics;
use crate::select::{CaptureStart, Selecting};
use crate::span::{SpanSink, Trace};
use crate::summary::{Summary, add};
use crate::vitals::{QueueState, Queues};
use crate::wanted::Notes;
use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A run whose traces will be shown.
pub(super) struct Showing<'a> {
    choose: &'a ChooseArgs,
    output: &'a OutputArgs,
    outlets: Outlets,
    /// Where traces are sent, if they are.
    settings: Option<Settings>,
    /// Set by ctrl-C, and where nothing that still comes would be shown.
    stop: Arc<AtomicBool>,
    signals: Signals,
    /// Names that the run learns.
    pub(super) names: SourceNames,
    /// Packet time at the start, which the run learns.
    pub(super) start: CaptureStart,
    ends: Ends,
    /// Where the spans that are shown are noted, if anybody asks for their packets.
    notes: Option<Notes>,
    /// The queues of the run.
    pub(super) queues: Queues,
    /// What counts the calls of all traces, if metrics are served.
    red: Option<RedMetrics>,
    /// How much may wait to be written and sent, where nobody may be held up by that.
    queue: Option<QueueLimits>,
}

impl<'a> Showing<'a> {
    /// Makes what is written to, and from now on lets ctrl-C set `stop`; a second one ends the
    /// program, half a second after the first or later.
    pub(super) fn prepare(
        choose: &'a ChooseArgs,
        output: &'a OutputArgs,
        inputs: &[PathBuf],
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        choose.check()?;
        let settings = output.send.settings()?;
        let outlets = output.open(inputs)?;
        let mut signals = Signals::default();
        signals.watch(SIGINT, 128 + SIGINT, &stop).context("watch for ctrl-C")?;
        let (names, start) = (SourceNames::default(), CaptureStart::default());
        Ok(Self {
            choose,
            output,
            outlets,
            settings,
            stop,
            signals,
            names,
            start,
            ends: Ends::AtTheEnd,
            notes: None,
            queues: Queues::default(),
            red: None,
            queue: None,
        })
    }

    /// Says how the run ends; SIGTERM, too, may end one that goes on until it is stopped, and
    /// a second one the program.
    pub(super) fn ending(mut self, ends: Ends) -> Result<Self> {
        self.ends = ends;
        if ends == Ends::WhenStopped {
            let Self { signals, stop, .. } = &mut self;
            signals.watch(SIGTERM, 128 + SIGTERM, stop).context("watch for SIGTERM")?;
            // What passes by does not wait for whoever reads the traces.
            self.queue = Some(QueueLimits::default());
        }
        Ok(self)
    }

    /// Tells a second ctrl-C from one that comes together with the first, from now on and not only
    /// once it runs; for what reads before, and gives up no rights.
    pub(super) fn timing(mut self) -> Result<Self> {
        keep_time(&mut self.signals)?;
        Ok(self)
    }

    /// The ports of TCP that traces are sent to, if they are.
    pub(super) fn sends_to(&self) -> Vec<u16> {
        self.settings.as_ref().map(Settings::ports).unwrap_or_default()
    }

    /// Leaves the standard output to packets: traces go to the file that is named for them.
    pub(super) fn beside_stdout(&mut self) -> Result<()> {
        let traces = std::mem::replace(&mut self.outlets.traces, Output::nothing());
        self.outlets.traces = self.output.open_beside_stdout(traces)?;
        Ok(())
    }

    /// Notes the spans that are shown, so that their packets can be written.
    pub(super) fn noting(mut self, packets: &Destination, notes: Notes) -> Result<Self> {
        packets.check_unused(self.output.paths())?;
        if packets.is_stdout() {
            self.outlets.traces = self.output.open_beside_stdout(self.outlets.traces)?;
        }
        self.notes = Some(notes);
        Ok(self)
    }

    /// Lets calls of all traces be counted for metrics, if that is wanted.
    pub(super) fn counting(mut self, red: Option<RedMetrics>) -> Self {
        self.red = red;
        self
    }

    /// Bounds what waits to be written and sent, of a run that goes on until it is stopped.
    pub(super) fn queuing(mut self, limits: QueueLimits) -> Self {
        self.queue = self.queue.map(|_| limits);
        self
    }

    /// Runs what hands out traces of these protocols, then says how it went, and with what code to
    /// end. Where the run found nothing, `why` tells the reason.
    pub(super) fn run(
        self,
        protocols: Vec<String>,
        run: impl FnOnce(&mut (dyn SpanSink + Send)) -> Outcomes,
        why: impl FnOnce(&Summary) -> String,
    ) -> Result<Exit> {
        let Self {
            choose,
            output,
            outlets,
            settings,
            stop,
            mut signals,
            names,
            start,
            ends,
            notes,
            queues,
            red,
            queue,
        } = self;
        // Rights were given up by now, where they are.
        keep_time(&mut signals)?;
        let output_name = outlets.traces.name().to_owned();
        let selection = choose.selection(&output.zone());
        let operations = output.needs_operations(&selection);
        let operations = operations.then(|| (Operations::new(protocols.clone()), Edges::default()));
        let sender = settings
            .map(|settings| {
                let until = (ends == Ends::WhenStopped).then(|| stop.clone());
                sender(settings, &protocols, &names, until)
            })
            .transpose()?;
        if let Some(sender) = &sender {
            let depth = sender.depth();
            let read = move || QueueState { depth: depth.now(), traces_shed: 0 };
            queues.add("otlp", sending::QUEUE as u64, read);
        }
        let exporter = output.exporter(outlets.traces, protocols, &names, &selection, ends);
        let sender = sender.map(|sender| queued(sender, "to_send", queue, &queues)).transpose()?;
        let exporter = queued(exporter, "output", queue, &queues)?;
        // Asked of the queues themselves, they would be gone with the threads at the end.
        let unsent = sender.as_ref().map(Queue::gauge).unwrap_or_default();
        let gauge = exporter.gauge();
        let shown = Shown { notes: notes.clone(), exporter, sender };
        let mut chosen = Selecting::new(selection, start, shown);
        let ends_at_limit = choose.ends_at_limit() && outlets.summary.is_none();
        if ends_at_limit {
            chosen = chosen.telling(stop.clone());
        }
        let mut sink = Sink { operations, red, notes, chosen };
        let mut outcomes = run(&mut sink);
        outcomes.stopped |= stop.load(Ordering::Relaxed);
        let shown = sink.chosen.sink();
        tell_shed(&gauge.counts(), &mut outcomes.summary);
        let shed = |unsent: &QueueGauge| unsent.counts().spans_shed;
        let slow = shed(&unsent);
        if let Some(sender) = shown.sender.as_mut().and_then(Queue::stopped) {
            let mut sent = send::finish(sender, output.may_show_progress());
            for (why, spans) in [
                ("it takes spans more slowly than they come", slow),
                ("they were not sent, as the run was broken off", shed(&unsent) - slow),
            ] {
                if spans > 0 {
                    sent.dropped += spans;
                    sent.told(why, spans);
                }
            }
            outcomes.summary.sent = Some(sent);
            // What could not be written is said first: that is why sending ended.
            let failure = sender.failure().map(io::Error::other);
            outcomes.sink_error = outcomes.sink_error.or(failure);
        }
        sink.complete(&mut outcomes.summary);
        measure(&mut outcomes.summary);
        if outcomes.sink_error.is_none() {
            let exporter = sink.chosen.sink().exporter.stopped();
            let concluded = exporter.map(|exporter| exporter.conclude(&outcomes.summary));
            outcomes.sink_error = concluded.and_then(Result::err);
        }
        if let Some(file) = outlets.summary {
            let text =
                serde_json::to_string_pretty(&outcomes.summary).context("write the summary")?;
            file.write(&(text + "\n"))?;
        }
        let at_limit = ends_at_limit && sink.chosen.is_full();
        conclude(choose, output, &outcomes, ends, at_limit, &output_name, why)
    }
}

/// What becomes of traces: they are counted, chosen and written.
struct Sink {
    /// All of them, where the table of them is wanted.
    operations: Option<(Operations, Edges)>,
    /// All of them, where metrics are served.
    red: Option<RedMetrics>,
    /// All of them, where packets are wanted.
    notes: Option<Notes>,
    chosen: Selecting<Shown>,
}

/// What becomes of those that were chosen.
struct Shown {
    notes: Option<Notes>,
    exporter: Queue<Box<dyn Exporter>>,
    sender: Option<Queue<Sender>>,
}

fn keep_time(signals: &mut Signals) -> Result<()> {
    signals.keep_time().context("start a thread that watches for ctrl-C")
}

/// What is written or sent to, behind a queue if that is wanted.
fn queued<S: SpanSink + Send + 'static>(
    sink: S,
    name: &'static str,
    limits: Option<QueueLimits>,
    queues: &Queues,
) -> Result<Queue<S>> {
    let Some(limits) = limits else { return Ok(Queue::direct(sink)) };
    let queue = Queue::start(sink, limits).context("start a thread for the output")?;
    let gauge = queue.gauge();
    queues.add(name, limits.spans as u64, move || {
        let QueueCounts { waiting, traces_shed, .. } = gauge.counts();
        QueueState { depth: waiting as u64, traces_shed }
    });
    Ok(queue)
}

/// Says what the reader of the output has lost.
fn tell_shed(counts: &QueueCounts, summary: &mut Summary) {
    let QueueCounts { traces_shed, spans_shed, .. } = *counts;
    if traces_shed > 0 {
        add(&mut summary.lost, "traces_shed", traces_shed);
        add(&mut summary.lost, "spans_shed", spans_shed);
        let [traces, spans] = [traces_shed, spans_shed].map(grouped);
        summary.remarks.push(format!(
            "the output was taken more slowly than traces came: {traces} traces of {spans} spans \
             were left out; write to a file (-o FILE), or choose fewer (--errors)"
        ));
    }
}

impl Sink {
    /// Takes note of traces, whether or not they are shown.
    fn count(&mut self, traces: &[Trace]) {
        if let Some((operations, edges)) = &mut self.operations {
            for trace in traces {
                operations.record(trace);
                edges.record(trace);
            }
        }
        if let Some(red) = &mut self.red {
            red.count(traces);
        }
        if let Some(notes) = &self.notes {
            notes.overhear(traces);
        }
    }

    /// Puts into the summary what is known here.
    fn complete(&self, summary: &mut Summary) {
        summary.shown = self.chosen.shown();
        if let Some((operations, edges)) = &self.operations {
            summary.services = operations.services();
            summary.edges = edges.edges();
            if edges.beyond() > 0 {
                *summary.lost.entry("callers".to_owned()).or_default() += edges.beyond();
            }
        }
    }
}

impl SpanSink for Sink {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        self.count(traces);
        self.chosen.traces(traces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.chosen.flush()
    }

    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        self.count(&traces);
        self.chosen.take(traces)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.chosen.finish()
    }
}

impl SpanSink for Shown {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        if let Some(notes) = &self.notes {
            notes.want(traces);
        }
        if let Some(sender) = &mut self.sender {
            sender.traces(traces)?;
        }
        self.exporter.traces(traces)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(sender) = &mut self.sender {
            sender.flush()?;
        }
        self.exporter.flush()
    }

    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        if let Some(notes) = &self.notes {
            notes.want(&traces);
        }
        if let Some(sender) = &mut self.sender {
            sender.traces(&traces)?;
        }
        self.exporter.take(traces)
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(notes) = &self.notes {
            notes.end();
        }
        if let Some(sender) = &mut self.sender {
            sender.finish()?;
        }
        self.exporter.finish()
    }
}

/// Says a line of the counts, which begins with a word; on a terminal it goes on below the others.
fn tell(line: &str) {
    let Some(columns) = columns_of_talk().filter(|columns| width::columns(line) > *columns) else {
        return complain(line);
    };
    let (word, text) = line.split_at_checked(WORD).unwrap_or((line, ""));
    for (place, piece) in folded(text, columns - WORD).enumerate() {
        let word = if place == 0 { word } else { "" };
        complain(&format!("{word:<WORD$}{}", piece.trim_end()));
    }
}

/// Says how it went, and with what code to end.
fn conclude(
    choose: &ChooseArgs,
    output: &OutputArgs,
    outcomes: &Outcomes,
    ends: Ends,
    at_limit: bool,
    output_name: &str,
    why: impl FnOnce(&Summary) -> String,
) -> Result<Exit> {
    let summary = &outcomes.summary;
    for damage in summary.damage.iter().chain(&summary.remarks) {
        complain(&format!("wirespan: warning: {damage}"));
    }
    // Counts of a run that was broken off would be taken for those of the capture; one that goes on
    // until it is stopped has no others.
    let is_whole = !at_limit && outcomes.sink_error.is_none();
    let is_told = ends == Ends::WhenStopped || summary.spans > 0 && is_whole;
    if !output.quiet && is_told {
        summary.to_string().lines().for_each(tell);
        if summary.joined_traces > 0 {
            output.legend().lines().for_each(tell);
        }
    }
    if let Some(error) = &outcomes.sink_error {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever reads has seen enough, as head has.
            if !output.quiet {
                complain("wirespan: the reader of the output has gone; reading was stopped");
            }
            return Ok(Exit::Done);
        }
        return Err(match error.get_ref().and_then(|error| error.downcast_ref::<Failure>()) {
            Some(failure) => failure.clone().into(),
            None => failure(output_name, error),
        });
    }
    if let Some(error) = &outcomes.source_error {
        bail!("read: {error}; what had come before was used");
    }
    if let Some((sent, lost)) = summary.sent.as_ref().and_then(|sent| Some((sent, sent.lost()?))) {
        complain(&format!("wirespan: send to {}: {lost}", sent.endpoint));
        return Ok(Exit::CouldNot);
    }
    if at_limit {
        if !output.quiet && ends == Ends::AtTheEnd {
            complain(
                "wirespan: reading was stopped at the limit; with --summary FILE it goes on to \
                 the end, and counts all",
            );
        }
        return Ok(Exit::Done);
    }
    if outcomes.stopped && ends == Ends::AtTheEnd {
        complain("wirespan: stopped by ctrl-C; what had been read was used");
        return Ok(Exit::Interrupted);
    }
    if summary.spans == 0 {
        complain(&format!("wirespan: nothing found: {}", why(summary)));
        return Ok(if ends == Ends::AtTheEnd { Exit::NotFound } else { Exit::Done });
    }
    if summary.shown.is_some_and(|shown| shown.matched == 0) {
        let why = choose.why_none(summary, &output.zone());
        complain(&format!("wirespan: nothing found: {why}"));
        return Ok(Exit::NotFound);
    }
    Ok(Exit::Done)
}

/// Adds what the process has used.
fn measure(summary: &mut Summary) {
    let Some(used) = Used::now() else { return };
    summary.peak_rss_bytes = used.peak_bytes;
    summary.cpu_seconds = used.cpu_seconds;
}

/// Columns of the word that a line of the counts begins with.
const WORD: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Exchange;
    use crate::span::Span;
    use clap::Parser;
    use serde_json::Value;
    use std::fs;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        choose: ChooseArgs,
        #[command(flatten)]
        output: OutputArgs,
    }

    fn trace(id: u128) -> Trace {
        let span = Span {
            id: 1,
            exchange: Box::new(Exchange::lasting(1)),
            point: 0,
            first_point: 0,
            service: "a".into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        };
        Trace { id, wire: None, late: false, spans: vec![span.clone(), span] }
    }

    /// Takes all that is sent to it.
    fn collector() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                stream.read_exact(&mut vec![0; length]).unwrap();
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        url
    }

    /// Gives 50 traces of two spans each at once to queues of 20 spans, and reads the summary.
    fn crowded(folder: &Path, more: &[&str]) -> (Exit, Value) {
        let [summary, traces] =
            ["summary.json", "traces"].map(|name| folder.join(name).display().to_string());
        let words = ["x", "-o", &traces, "--format", "ndjson", "--summary", &summary];
        let words = Words::parse_from(words.iter().chain(more));
        let stop = Arc::default();
        let showing = Showing::prepare(&words.choose, &words.output, &[], stop).unwrap();
        let showing = showing.ending(Ends::WhenStopped).unwrap();
        let showing = showing.queuing(QueueLimits { spans: 20, ..QueueLimits::default() });
        let run = |sink: &mut (dyn SpanSink + Send)| {
            sink.take((0..50).map(trace).collect()).unwrap();
            sink.finish().unwrap();
            let summary = Summary { spans: 100, ..Summary::default() };
            Outcomes {
                summary,
                reached: Default::default(),
                stopped: true,
                source_error: None,
                sink_error: None,
            }
        };
        let exit = showing.run(vec!["http".to_owned()], run, |_| String::new()).unwrap();
        let text = fs::read_to_string(folder.join("summary.json")).unwrap();
        let lines = fs::read_to_string(folder.join("traces")).unwrap().lines().count();
        assert!((20..100).contains(&lines), "{lines} lines of the output");
        (exit, serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn summary_counts_what_the_output_shed() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, summary) = crowded(folder.path(), &[]);
        assert_eq!(exit, Exit::Done);
        assert_eq!(summary["lost"]["traces_shed"], 40, "{summary}");
        assert_eq!(summary["lost"]["spans_shed"], 80);
        assert_eq!(summary["sent"], Value::Null);
    }

    #[test]
    fn summary_counts_what_could_not_be_sent_in_time_and_the_run_fails() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, summary) = crowded(folder.path(), &["--otlp", &collector()]);
        assert_eq!(exit, Exit::CouldNot);
        assert_eq!(summary["lost"]["traces_shed"], 40, "{summary}");
        let sent = &summary["sent"];
        assert_eq!((&sent["spans"], &sent["dropped"]), (&20.into(), &80.into()), "{sent}");
        assert_eq!(sent["reasons"]["it takes spans more slowly than they come"], 80);
    }
}
