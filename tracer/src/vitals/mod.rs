//! What a run can say of itself while it goes on: all counts so far, and, where packets come as they
//! happen, how the kernel, the queues and the process are. In go the counts of all stages, between
//! two batches; out goes a snapshot, which becomes text ([`Report`]), a warning of lost packets
//! ([`Drops`]) or metrics (`exposition.rs`).

mod report;
mod drops;

pub use drops::Drops;
pub use report::Report;

use crate::summary::{Summary, add};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wirespan_capture::counters::Counters;
use wirespan_capture::packet::Timestamp;

/// A snapshot of a run.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Packet time: that of the newest packet, or what the source said as nothing came.
    pub reached: Option<Timestamp>,
    /// Packets and streams, of all shards.
    pub counters: Counters,
    /// Flows that are followed now.
    pub flows: u64,
    /// Messages that were decoded.
    pub messages: u64,
    /// Requests that wait for their responses now.
    pub open_requests: u64,
    /// Exchanges that wait now for what belongs to them.
    pub held: u64,
    /// What decoding and pairing could not have, by reason; what capture lost is in `counters`.
    pub lost: BTreeMap<String, u64>,
    /// What was joined, as far as it has settled. Only counts that joining keeps are in it.
    pub joined: Joined,
    /// What only a source knows whose packets come as they happen; whoever drives it fills this.
    pub live: Live,
}

/// Counts of what has settled.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Requests with their responses, by protocol; seen at several points, they count once.
    pub exchanges: BTreeMap<String, u64>,
    /// Requests without a response, by reason.
    pub open_by: BTreeMap<String, u64>,
    /// Logins and other steps that carry no call, by protocol.
    pub handshakes: BTreeMap<String, u64>,
    /// Messages that await no answer, by protocol.
    pub one_way: BTreeMap<String, u64>,
    /// Connections that failed, by how.
    pub failed_connections: BTreeMap<String, u64>,
    /// Exchanges, each at each point that saw it.
    pub spans: u64,
    /// Links between spans, by reason.
    pub links: BTreeMap<String, u64>,
    /// Traces.
    pub traces: u64,
    /// Those of more than one exchange.
    pub joined_traces: u64,
    /// Traces that were settled early, by the limit that was reached.
    pub settled_early: BTreeMap<String, u64>,
    /// Identifiers that repeat without end and join nothing.
    pub repeating_ids: u64,
}

/// What is known where packets come as they happen.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// When this was taken, by the clock of the machine.
    pub at: Option<Timestamp>,
    /// When the run began.
    pub began: Option<Timestamp>,
    /// Interfaces that packets come from; no name comes twice.
    pub interfaces: Vec<InterfaceVitals>,
    /// What was left out since more came than could be worked on.
    pub shed: Shed,
    /// Queues between threads.
    pub queues: Vec<QueueVitals>,
    /// The process, where the system tells of it.
    pub process: Option<ProcessVitals>,
}

/// What the kernel says of an interface. All counts are since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceVitals {
    /// Its name.
    pub name: String,
    /// Packets that passed the filter, those among them that were dropped.
    pub received: u64,
    /// Packets that were dropped as the ring was full.
    pub dropped: u64,
    /// Packets that the interface or its driver dropped.
    pub dropped_by_interface: u64,
    /// Bytes of the rings of all workers.
    pub ring_bytes: u64,
}

/// What was left out on purpose, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// Packets that were not looked into.
    pub packets: u64,
    /// Flows that were not followed.
    pub flows: u64,
    /// Traces that were not written or sent.
    pub traces: u64,
}

/// A queue between two threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueVitals {
    /// What waits in it: `output` (spans to be written), `to_send` (spans to be sent), `otlp`
    /// (requests to a collector).
    pub name: &'static str,
    /// How much waits, in the queue's own units.
    pub depth: u64,
    /// How much may.
    pub limit: u64,
    /// How many traces were shed since the start as it was full.
    pub traces_shed: u64,
}

/// The queues of a run, for whoever watches it.
#[derive(Clone, Default)]
pub struct Queues(Arc<Mutex<Vec<Queue>>>);

struct Queue {
    name: &'static str,
    limit: u64,
    read: Box<dyn Fn() -> QueueState + Send>,
}

/// How a queue is at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// How much waits.
    pub depth: u64,
    /// How many traces were shed since the start as it was full.
    pub traces_shed: u64,
}

/// How much waits in a queue: counted by those that put into it and take from it.
#[derive(Clone, Debug, Default)]
pub struct QueueDepth(Arc<AtomicU64>);

/// What the process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessVitals {
    /// User and system time since its start, in seconds.
    pub cpu_seconds: f64,
    /// Memory that it has now, in bytes; 0 where the system does not say.
    pub resident_bytes: u64,
    /// The most that it had, in bytes.
    pub peak_bytes: u64,
}

impl Vitals {
    /// How far the work is behind the clock, in nanoseconds; nothing before the first packet.
    pub fn lag(&self) -> Option<i64> {
        Some(self.live.at?.0.saturating_sub(self.reached?.0).max(0))
    }

    /// What was given up for a limit, by what it was.
    pub fn evictions(&self) -> [(&'static str, u64); 3] {
        let requests = self.lost.get(REQUESTS_EVICTED).copied().unwrap_or_default();
        [
            ("flows", self.counters.flows_evicted),
            ("requests", requests),
            ("waiting_bytes", self.counters.gaps_forced),
        ]
    }

    /// Packets by what became of them, and all that could not be had by reason: as the summary of
    /// a run has them.
    pub(crate) fn sorted(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let mut summary = Summary { lost: self.lost.clone(), ..Summary::default() };
        summary.counters(&self.counters);
        (summary.packets_by, summary.lost)
    }

    /// Notes what a stage could not have.
    pub(crate) fn lose(&mut self, what: &str, count: u64) {
        if count > 0 {
            add(&mut self.lost, what, count);
        }
    }
}

impl Joined {
    /// What a summary holds that is not finished yet.
    pub(crate) fn of(summary: &Summary) -> Self {
        Self {
            exchanges: summary.exchanges.clone(),
            open_by: summary.open_by.clone(),
            handshakes: summary.handshakes.clone(),
            one_way: summary.one_way.clone(),
            failed_connections: summary.failed_connections.clone(),
            spans: summary.spans,
            links: summary.links.clone(),
            traces: summary.traces,
            joined_traces: summary.joined_traces,
            settled_early: BTreeMap::new(),
            repeating_ids: 0,
        }
    }
}

impl Queues {
    /// Shows a queue to whoever watches. Limit and depth are in the same units.
    pub fn add(
        &self,
        name: &'static str,
        limit: u64,
        read: impl Fn() -> QueueState + Send + 'static,
    ) {
        // Nobody panics while it is locked.
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.push(Queue { name, limit, read: Box::new(read) });
    }

    /// How full they are now, in the order in which they were added.
    pub fn read(&self) -> Vec<QueueVitals> {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let vitals = |queue: &Queue| {
            let QueueState { depth, traces_shed } = (queue.read)();
            QueueVitals { name: queue.name, depth, limit: queue.limit, traces_shed }
        };
        queues.iter().map(vitals).collect()
    }
}

impl QueueDepth {
    /// How much waits now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So much comes into the queue; said before it is put there.
    pub fn enter(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// So much was taken from the queue, or could not be put there.
    pub fn leave(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Shed {
    /// Each of them by name.
    pub fn each(&self) -> [(&'static str, u64); 3] {
        let Self { packets, flows, traces } = *self;
        [("packets", packets), ("flows", flows), ("traces", traces)]
    }
}

/// What it is called that a request was given up for a limit.
pub(crate) const REQUESTS_EVICTED: &str = "requests_evicted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_say_how_full_they_are() {
        let (queues, depth) = (Queues::default(), QueueDepth::default());
        let read = depth.clone();
        queues.add("output", 64, move || QueueState { depth: read.now(), traces_shed: 2 });
        queues.add("otlp", 4, QueueState::default);
        depth.enter(5);
        depth.leave(2);
        let told = queues.read();
        let expected =
            [("output", 3, 64, 2), ("otlp", 0, 4, 0)].map(|(name, depth, limit, traces_shed)| {
                QueueVitals { name, depth, limit, traces_shed }
            });
        assert_eq!(told, expected);
    }

    #[test]
    fn lag_is_what_packet_time_is_behind_the_clock() {
        let mut vitals = Vitals::default();
        assert_eq!(vitals.lag(), None);
        vitals.live.at = Some(Timestamp(5_000));
        assert_eq!(vitals.lag(), None);
        vitals.reached = Some(Timestamp(4_000));
        assert_eq!(vitals.lag(), Some(1_000));
        // A clock that is set back makes nothing negative.
        vitals.reached = Some(Timestamp(6_000));
        assert_eq!(vitals.lag(), Some(0));
    }
}
