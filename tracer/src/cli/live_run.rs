//! What stands around the pipeline while a live capture goes on: the recorder, what looks at the
//! load, who asks for the owners of sockets, and what is said meanwhile.

use super::watch::Watch;
use super::{complain, output};
use crate::export::ndjson::SourceNames;
use crate::load::gauge::{Gauge, SourceReadings};
use crate::load::{PARTS, Shed};
use crate::numbers::grouped;
use crate::pipeline::Surroundings;
use crate::processes::Asking;
use crate::recorder::{RecordError, Recorder};
use crate::select::CaptureStart;
use crate::vitals::{InterfaceVitals, Vitals};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wirespan_capture::packet::{Batch, Timestamp};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::live::Status;

/// A run that goes on, as the pipeline finds it around itself.
pub(super) struct LiveRun {
    pub(super) start: CaptureStart,
    pub(super) names: SourceNames,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) status: Status,
    pub(super) watch: Watch,
    /// What looks at the load of the run, and what it is to be told next.
    pub(super) gauge: Gauge,
    pub(super) readings: SourceReadings,
    pub(super) begun: Instant,
    /// What was said last of what is left out, and when.
    pub(super) said: (Leaving, i64),
    pub(super) recorder: Option<Recorder>,
    /// Packets could not be written to the end.
    pub(super) record_failed: bool,
    /// Who asks which process has which socket.
    pub(super) asking: Option<Asking>,
    pub(super) quiet: bool,
    /// When the first and the last packet were captured.
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

/// How much is left out, as it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leaving {
    /// Nothing.
    #[default]
    Nothing,
    /// Bodies and details.
    Details,
    /// Some flows.
    Flows,
    /// All flows.
    All,
}

impl Leaving {
    fn of(shed: &Shed) -> Self {
        match shed.kept {
            0 => Self::All,
            kept if kept < PARTS || shed.new_flows => Self::Flows,
            _ if shed.details => Self::Details,
            _ => Self::Nothing,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "all is looked at again",
            Self::Details => "too much comes; bodies and details are left out",
            Self::Flows => "too much comes; some flows are left out, more or fewer as it goes",
            Self::All => "too much comes; all flows are left out for now",
        }
    }
}

impl LiveRun {
    /// Says when more is left out than before, and when nothing is any more; not too often.
    fn tell_shed(&mut self, shed: &Shed, now: i64) {
        let (said, at) = self.said;
        let leaving = Leaving::of(shed);
        let is_news = leaving > said || leaving == Leaving::Nothing && said != leaving;
        if !is_news || self.quiet && leaving == Leaving::Nothing {
            return;
        }
        if leaving > said || now.saturating_sub(at) >= SAY_AGAIN {
            self.said = (leaving, now);
            complain(&format!("wirespan: warning: {}", leaving.text()));
        }
    }

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
        self.record_failed = true;
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

    /// Ends what goes on beside the pipeline, and says what came of it.
    pub(super) fn conclude(&mut self, reached: Timestamp) {
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

impl Surroundings for LiveRun {
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
        self.tell_shed(&shed, now);
        if shed.rest > 0 {
            // The kernel drops what is too much even to be left out, and counts it.
            std::thread::sleep(REST * u32::from(shed.rest) / 100);
        }
        shed
    }

    fn taps(&mut self, names: Vec<String>) {
        self.names.add_taps(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.names.add_networks(names);
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

/// Nanoseconds after it was said that something is left out until it is said that it is not.
const SAY_AGAIN: i64 = 5_000_000_000;
/// How long a source rests before each batch at most.
const REST: Duration = Duration::from_millis(100);
