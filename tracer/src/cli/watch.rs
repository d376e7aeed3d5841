//! What a run says of itself while it goes on: counts on SIGUSR1, metrics, and warnings of packets
//! that the kernel dropped. In go snapshots of the pipeline; here they learn the time and what the
//! process uses.

use super::complain;
use super::metrics::MetricsArgs;
use super::scrape::{Listening, Server};
use crate::export::semantics::Semantics;
use crate::exposition::Exposition;
use crate::load::gauge::resident;
use crate::load::used::Used;
use crate::red::RedMetrics;
use crate::vitals::{Drops, Live, ProcessVitals, Queues, Report, Vitals};
use anyhow::{Context, Result};
use signal_hook::consts::SIGUSR1;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wirespan_capture::packet::Timestamp;
use wirespan_capture::source::live::clock::now;

/// Watches a run.
pub(super) struct Watch {
    /// Set by SIGUSR1.
    asked: Arc<AtomicBool>,
    listening: Option<Listening>,
    exposition: Option<Arc<Exposition>>,
    /// Answers as long as the run goes on.
    server: Option<Server>,
    /// Whether packets come from the kernel, which may drop some: then there is a look each second.
    is_live: bool,
    queues: Queues,
    began: Timestamp,
    /// When a snapshot was taken last.
    taken: Option<Instant>,
    /// The snapshot that was shown last.
    shown: Vitals,
    drops: Drops,
}

impl Watch {
    /// From now on, SIGUSR1 asks for the counts. Listens where metrics are to be served, but
    /// nobody is answered yet.
    pub(super) fn prepare(metrics: &MetricsArgs, queues: Queues) -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGUSR1, asked.clone()).context("watch for SIGUSR1")?;
        let began = now();
        Ok(Self {
            asked,
            listening: metrics.listen()?,
            exposition: None,
            server: None,
            is_live: false,
            queues,
            began,
            taken: None,
            // Rates that are shown first are those since the start.
            shown: Vitals {
                live: Live {
                    at: Some(began),
                    process: Some(ProcessVitals {
                        cpu_seconds: 0.0,
                        resident_bytes: 0,
                        peak_bytes: 0,
                    }),
                    ..Live::default()
                },
                ..Vitals::default()
            },
            drops: Drops::default(),
        })
    }

    /// Starts to serve metrics, where that was asked for. Gives what counts the calls: it is to see
    /// all traces.
    ///
    /// This starts a thread.
    pub(super) fn serve(
        &mut self,
        semantics: Semantics,
        is_quiet: bool,
    ) -> Result<Option<RedMetrics>> {
        let Some(listening) = self.listening.take() else { return Ok(None) };
        let red = RedMetrics::new(semantics);
        let exposition = Arc::new(Exposition::new(red.reader()));
        exposition.set(self.completed(Vitals::default()));
        let address = listening.address();
        self.server = Some(listening.serve(exposition.clone()).context("serve metrics")?);
        self.exposition = Some(exposition);
        if !is_quiet {
            complain(&format!("wirespan: metrics are at http://{address}/metrics"));
        }
        Ok(Some(red))
    }

    /// Whether a snapshot is wanted now.
    pub(super) fn wants(&mut self) -> bool {
        if self.asked.load(Ordering::Relaxed) {
            return true;
        }
        // The first one tells whether packets come from the kernel.
        let Some(taken) = self.taken else { return true };
        (self.is_live || self.exposition.is_some()) && taken.elapsed() >= EACH
    }

    /// Takes a snapshot: what only the source knows should be in it.
    pub(super) fn take(&mut self, vitals: Vitals) {
        self.taken = Some(Instant::now());
        self.is_live |= !vitals.live.interfaces.is_empty();
        let vitals = self.completed(vitals);
        if let Some(warning) = self.drops.look(&vitals) {
            complain(&warning);
        }
        if self.asked.swap(false, Ordering::Relaxed) {
            complain(Report::since(&self.shown, &vitals).to_string().trim_end());
            self.shown = vitals.clone();
        }
        if let Some(exposition) = &self.exposition {
            exposition.set(vitals);
        }
    }

    /// Says what was not said yet of packets that the kernel dropped. The snapshot is that of the
    /// end of the run; only what the source knows is needed of it.
    pub(super) fn end(&mut self, vitals: Vitals) {
        let vitals = self.completed(vitals);
        let last = self.drops.look(&vitals);
        for warning in last.into_iter().chain(self.drops.flush()) {
            complain(&warning);
        }
    }

    fn completed(&self, mut vitals: Vitals) -> Vitals {
        vitals.live.at = Some(now());
        vitals.live.began = Some(self.began);
        let queues = self.queues.read();
        vitals.live.shed.traces += queues.iter().map(|queue| queue.traces_shed).sum::<u64>();
        vitals.live.queues.extend(queues);
        vitals.live.process = used();
        vitals
    }
}

/// What the process has used so far.
fn used() -> Option<ProcessVitals> {
    let Used { cpu_seconds, peak_bytes } = Used::now()?;
    Some(ProcessVitals { cpu_seconds, resident_bytes: resident().unwrap_or_default(), peak_bytes })
}

/// How often metrics and warnings are made anew.
const EACH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_knows_its_memory_and_time() {
        let vitals = used().unwrap();
        assert!(vitals.resident_bytes > 1 << 20, "{vitals:?}");
        assert!(vitals.peak_bytes > 1 << 20 && vitals.cpu_seconds >= 0.0, "{vitals:?}");
    }
}
