//! Sends traces to a collector, as OTLP over HTTP: in batches, on a thread of its own, behind a
//! queue that lets the reader wait where the collector is slower.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

mod retry;
mod settings;
mod post;

pub use retry::Patience;
pub use settings::Settings;

use crate::export::otlp::{Content, Otlp, PartialSuccess};
use crate::export::semantics::Semantics;
use crate::span::{SpanSink, Trace};
use crate::summary::Sent;
use crate::vitals::QueueDepth;
use jiff::Timestamp;
use post::{Answer, Client};
use rayon::prelude::*;
use retry::Waits;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Takes traces, and sends them.
pub struct Sender {
    otlp: Otlp,
    content: Content,
    batch: Batch,
    /// Where requests go; nothing once there are no more.
    queue: Option<SyncSender<Batch>>,
    depth: QueueDepth,
    /// Says that all was sent by being closed.
    end: Receiver<()>,
    state: Arc<Mutex<State>>,
    /// Spans that were handed to the thread.
    handed: u64,
}

/// Spans that are sent together.
#[derive(Debug, Default)]
struct Batch {
    pieces: Vec<Piece>,
    bytes: usize,
    spans: u64,
}

/// Spans of one trace that are never sent apart: resources of a request, without what stands
/// around them.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    spans: u64,
}

#[derive(Debug, Default)]
struct State {
    sent: Sent,
    /// Why nothing can be sent at all.
    failure: Option<Failure>,
}

/// Why nothing can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("send to {endpoint}: {why}")]
pub struct Failure {
    endpoint: String,
    why: String,
}

impl Sender {
    /// Sends what spans mean to the place of these settings. Of a run that goes on until a flag is
    /// set, nobody who is to take them is given up for good before, and what fails after that is
    /// tried once more.
    ///
    /// # Errors
    /// That the system gives no thread.
    pub fn new(
        semantics: Semantics,
        mut settings: Settings,
        patience: Patience,
        until: Option<Arc<AtomicBool>>,
    ) -> io::Result<Self> {
        let content = settings.content;
        let otlp = Otlp::sent(semantics, std::mem::take(&mut settings.resource));
        let client = Client::new(settings);
        let sent = Sent { endpoint: client.endpoint(), ..Sent::default() };
        let state = Arc::new(Mutex::new(State { sent, failure: None }));
        let (queue, batches) = sync_channel(QUEUE);
        let (alive, end) = channel();
        let depth = QueueDepth::default();
        let sending = Sending {
            depth: depth.clone(),
            client,
            content,
            patience,
            until,
            state: state.clone(),
            given_up: 0,
            longest: usize::MAX,
        };
        thread::Builder::new().name("otlp".to_owned()).spawn(move || {
            sending.run(&batches);
            drop(alive);
        })?;
        let (batch, queue) = (Batch::default(), Some(queue));
        Ok(Self { otlp, content, batch, queue, depth, end, state, handed: 0 })
    }

    /// Spans that were taken over.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// How many requests wait to be sent, of at most [`QUEUE`].
    pub fn depth(&self) -> QueueDepth {
        self.depth.clone()
    }

    /// Why nothing can be sent at all, if that is so.
    pub fn failure(&self) -> Option<Failure> {
        lock(&self.state).failure.clone()
    }

    /// Waits until all is sent or dropped, and says now and then how many spans are.
    pub fn wait(&mut self, see: &mut dyn FnMut(u64)) -> Sent {
        self.close();
        while self.end.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
            see(lock(&self.state).sent.done());
        }
        lock(&self.state).sent.clone()
    }

    fn close(&mut self) {
        self.hand_over();
        self.queue = None;
    }

    fn hand_over(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.spans == 0 {
            return;
        }
        self.handed += batch.spans;
        // The thread goes on until the queue is closed.
        if let Some(queue) = &self.queue {
            self.depth.enter(1);
            let _ = queue.send(batch);
        }
    }
}

impl SpanSink for Sender {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        if let Some(failure) = self.failure() {
            return Err(io::Error::other(failure));
        }
        let (otlp, content) = (&self.otlp, self.content);
        let pieces = traces.par_chunks(TOGETHER).map(|traces| pieces(otlp, content, traces));
        let pieces: Vec<Vec<Piece>> = pieces.collect();
        for piece in pieces.into_iter().flatten() {
            let Batch { bytes, spans, .. } = self.batch;
            if spans > 0 && (spans + piece.spans > SPANS || bytes + piece.bytes.len() > BYTES) {
                self.hand_over();
            }
            self.batch.spans += piece.spans;
            self.batch.bytes += piece.bytes.len();
            self.batch.pieces.push(piece);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // While a request is on its way, the next one gathers what comes.
        if lock(&self.state).sent.done() >= self.handed {
            self.hand_over();
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.close();
        Ok(())
    }
}

/// Traces in pieces that are small enough to be sent.
fn pieces(otlp: &Otlp, content: Content, traces: &[Trace]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for trace in traces {
        otlp.pieces(trace, content, &mut |spans, bytes| pieces.push(Piece { bytes, spans }));
    }
    pieces
}

/// The thread's side.
struct Sending {
    depth: QueueDepth,
    client: Client,
    content: Content,
    patience: Patience,
    /// Of a run that goes on until this is set.
    until: Option<Arc<AtomicBool>>,
    state: Arc<Mutex<State>>,
    /// Requests without success, one behind the other.
    given_up: u32,
    /// Bytes of a request beyond which it is halved, as the collector has found one too large.
    longest: usize,
}

impl Sending {
    fn run(mut self, batches: &Receiver<Batch>) {
        for batch in batches {
            self.depth.leave(1);
            self.send_all(&batch.pieces);
        }
    }

    /// Sends pieces together, or in halves where that is too much for the collector.
    fn send_all(&mut self, pieces: &[Piece]) {
        let has_given_up = match self.until {
            None => self.given_up >= GIVE_UP,
            Some(_) => self.given_up > 0 && self.is_over(),
        };
        if has_given_up || lock(&self.state).failure.is_some() {
            return self.drop(spans(pieces), None);
        }
        // At most as deep as a batch can be halved, about ten times.
        if let Some((left, right)) = self.send(pieces) {
            self.send_all(left);
            self.send_all(right);
        }
    }

    /// Sends pieces, or gives the halves to be sent in their place.
    fn send<'a>(&mut self, pieces: &'a [Piece]) -> Option<(&'a [Piece], &'a [Piece])> {
        let body = body(pieces, self.content);
        let halves = (pieces.len() > 1).then(|| pieces.split_at(pieces.len() / 2));
        if halves.is_some() && body.len() > self.longest {
            return halves;
        }
        let spans = spans(pieces);
        let mut waits = Waits::of(self.patience, lock(&self.state).sent.requests);
        lock(&self.state).sent.requests += 1;
        let mut is_last = false;
        let why = loop {
            let (why, after) = match self.client.post(&body, Timestamp::now) {
                Answer::Taken(partial) => {
                    self.given_up = 0;
                    self.taken(spans, &partial);
                    return None;
                }
                Answer::TooLarge { .. } if halves.is_some() => {
                    self.longest = body.len() / 2;
                    return halves;
                }
                Answer::TooLarge { why } | Answer::Refused { why } => break why,
                Answer::Absent { why } if self.until.is_some() => (why, None),
                Answer::Hopeless { why } | Answer::Absent { why }
                    if lock(&self.state).sent.spans == 0 =>
                {
                    let mut state = lock(&self.state);
                    let endpoint = state.sent.endpoint.clone();
                    state.failure = Some(Failure { endpoint, why: why.clone() });
                    break why;
                }
                Answer::Hopeless { why } | Answer::Absent { why } => (why, None),
                Answer::Later { why, after } => (why, after),
            };
            // Once in vain is enough: a collector that is gone stays away from others too.
            let wait = if self.given_up == 0 { waits.next(after) } else { None };
            let Some(wait) = wait else {
                self.given_up += 1;
                break why;
            };
            if is_last {
                self.given_up += 1;
                break why;
            }
            self.rest(wait);
            // Once the run is over, one try more must do.
            is_last = self.is_over();
            lock(&self.state).sent.retries += 1;
        };
        self.drop(spans, Some(&why));
        None
    }

    /// Waits for so long, or until the run is over.
    fn rest(&self, wait: Duration) {
        let mut left = wait;
        while !left.is_zero() && !self.is_over() {
            let piece = left.min(GLANCE);
            thread::sleep(piece);
            left -= piece;
        }
    }

    /// Whether the run that goes on until it is stopped was.
    fn is_over(&self) -> bool {
        self.until.as_ref().is_some_and(|until| until.load(Ordering::Relaxed))
    }

    fn taken(&self, spans: u64, partial: &PartialSuccess) {
        let mut state = lock(&self.state);
        let rejected = partial.rejected.min(spans);
        state.sent.spans += spans - rejected;
        state.sent.rejected += rejected;
        if rejected > 0 || !partial.message.is_empty() {
            state.sent.told(&partial.message, rejected);
        }
    }

    fn drop(&self, spans: u64, why: Option<&str>) {
        let mut state = lock(&self.state);
        state.sent.dropped += spans;
        state.sent.told(why.unwrap_or("given up after failures before"), spans);
    }
}

fn spans(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.spans).sum()
}

/// A request of these pieces.
fn body(pieces: &[Piece], content: Content) -> Vec<u8> {
    let (begin, between, end): (&[u8], &[u8], &[u8]) = match content {
        Content::Protobuf => (b"", b"", b""),
        Content::Json => (br#"{"resourceSpans":["#, b",", b"]}"),
    };
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
    [begin, &pieces.join(between), end].concat()
}

/// Nobody panics while it is locked; the counts are right in any case.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests that wait to be sent, beside the one that is; another waits for a place.
pub const QUEUE: usize = 4;
/// Spans of a request.
const SPANS: u64 = 1_000;
/// Bytes of a request, unless one piece of a trace has more.
const BYTES: usize = 1 << 20;
/// Requests in vain, one behind the other, after which no other is tried.
const GIVE_UP: u32 = 5;
/// How often the counts are looked at while others wait.
const GLANCE: Duration = Duration::from_millis(200);
/// Traces that are rendered in one go.
const TOGETHER: usize = 32;
