//! A bounded queue and a thread before what writes or sends, so that whoever reads slowly never
//! holds up a live capture. What does not fit is shed as whole traces, and counted.
//!
//! ```text
//! joining ─▶ take: fits? ─▶ queue ─▶ thread: render, write, send
//!                └─▶ counted
//! ```

use crate::exchange::Exchange;
use crate::span::{Span, SpanSink, Trace};
use std::borrow::Borrow;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Passes traces to a sink: at once, or through a thread.
pub struct Queue<S> {
    state: State<S>,
}

enum State<S> {
    /// Everything waits for the sink, as it should where a file is read.
    Direct(S),
    Running {
        shared: Arc<Shared>,
        thread: JoinHandle<S>,
    },
    /// The thread has died.
    Lost,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Spans.
    pub spans: usize,
    /// Bytes of them, about.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { spans: 50_000, bytes: 64 << 20 }
    }
}

/// What waits, and what was shed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Spans that wait.
    pub waiting: usize,
    /// Traces that were shed.
    pub traces_shed: u64,
    /// Their spans.
    pub spans_shed: u64,
}

/// Tells at any time, from any thread, how a queue goes.
#[derive(Clone, Debug, Default)]
pub struct QueueGauge(Option<Arc<Shared>>);

impl QueueGauge {
    /// What waits, and what was shed so far; nothing where there is no queue.
    pub fn counts(&self) -> QueueCounts {
        self.0.as_ref().map_or_else(QueueCounts::default, |shared| shared.lock().counts)
    }
}

#[derive(Debug)]
struct Shared {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    /// Something came, or nothing will come any more.
    came: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    traces: VecDeque<Vec<Trace>>,
    bytes: usize,
    counts: QueueCounts,
    ended: bool,
    /// What the sink said when it failed, until somebody has heard it.
    error: Option<io::Error>,
    failed: bool,
}

impl<S> Queue<S> {
    /// Passes on at once.
    pub fn direct(sink: S) -> Self {
        Self { state: State::Direct(sink) }
    }

    /// How it goes.
    pub fn gauge(&self) -> QueueGauge {
        match &self.state {
            State::Running { shared, .. } => QueueGauge(Some(shared.clone())),
            State::Direct(_) | State::Lost => QueueGauge::default(),
        }
    }

    /// Passes on no more of what waits, which is counted as shed, and waits until what is being
    /// passed on is done with.
    pub fn stop(&mut self) {
        if let State::Running { shared, .. } = &self.state {
            shared.shed();
        }
        // Why the sink failed was told, or nobody asked.
        let _ = self.end();
    }

    /// The sink, once nothing more is passed on to it.
    pub fn stopped(&mut self) -> Option<&mut S> {
        self.stop();
        self.sink()
    }

    /// The sink; one behind a thread only after [`SpanSink::finish`] or [`Queue::stop`].
    pub fn sink(&mut self) -> Option<&mut S> {
        match &mut self.state {
            State::Direct(sink) => Some(sink),
            State::Running { .. } | State::Lost => None,
        }
    }

    /// Waits until the thread has passed on what waits, and takes the sink back.
    fn end(&mut self) -> io::Result<()> {
        let (shared, thread) = match mem::replace(&mut self.state, State::Lost) {
            State::Running { shared, thread } => (shared, thread),
            other => {
                self.state = other;
                return Ok(());
            }
        };
        shared.lock().ended = true;
        shared.came.notify_one();
        let sink = thread.join().map_err(|_| died())?;
        self.state = State::Direct(sink);
        shared.lock().error.take().map_or(Ok(()), Err)
    }
}

impl<S: SpanSink + Send + 'static> Queue<S> {
    /// Passes on in a thread.
    ///
    /// # Errors
    /// That the system gives no thread.
    pub fn start(sink: S, limits: QueueLimits) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { limits, waiting: Mutex::default(), came: Condvar::default() });
        let own = shared.clone();
        let thread = thread::Builder::new().name("output".to_owned()).spawn(move || {
            // What renders several traces at a time does so in this thread, not in one of those
            // that work on packets.
            let _dying = Dying(&own);
            match rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build() {
                Ok(pool) => pool.install(|| own.run(sink)),
                Err(_) => own.run(sink),
            }
        })?;
        Ok(Self { state: State::Running { shared, thread } })
    }
}

impl<S: SpanSink> SpanSink for Queue<S> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        match &mut self.state {
            State::Direct(sink) => sink.traces(traces),
            // Only what there is room for is copied.
            State::Running { shared, .. } => shared.offer(traces, Trace::clone),
            State::Lost => Ok(()),
        }
    }

    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        match &mut self.state {
            State::Direct(sink) => sink.take(traces),
            State::Running { shared, .. } => shared.offer(traces, |trace| trace),
            State::Lost => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Direct(sink) => sink.flush(),
            // The thread flushes by itself; why it failed is told here, too, as it may take long
            // until the next trace comes.
            State::Running { shared, .. } => shared.lock().check(),
            State::Lost => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end()?;
        match &mut self.state {
            State::Direct(sink) => sink.finish(),
            State::Running { .. } | State::Lost => Ok(()),
        }
    }
}

impl<S> Drop for Queue<S> {
    fn drop(&mut self) {
        // A run that was broken off leaves no thread behind; nobody is left to hear why it failed.
        if let State::Running { shared, .. } = &self.state {
            shared.forget();
            shared.lock().ended = true;
            shared.came.notify_one();
        }
    }
}

impl Shared {
    /// Puts in what there is room for, once it is made the queue's own.
    fn offer<T: Borrow<Trace>>(
        &self,
        traces: impl IntoIterator<Item = T>,
        own: fn(T) -> Trace,
    ) -> io::Result<()> {
        let mut waiting = self.lock();
        waiting.check()?;
        let traces = traces.into_iter();
        let admitted = traces.filter(|trace| waiting.admit(trace.borrow(), &self.limits));
        let traces: Vec<Trace> = admitted.map(own).collect();
        if !traces.is_empty() {
            waiting.traces.push_back(traces);
            drop(waiting);
            self.came.notify_one();
        }
        Ok(())
    }

    /// Passes on what comes, until nothing will come any more or the sink fails.
    fn run<S: SpanSink>(&self, mut sink: S) -> S {
        // Since when something was passed on that may not be seen yet.
        let mut unseen: Option<Instant> = None;
        while let Some(next) = self.next(unseen) {
            let passed = match next {
                Next::Traces(traces) => {
                    unseen.get_or_insert_with(Instant::now);
                    sink.take(traces)
                }
                Next::Flush => {
                    unseen = None;
                    sink.flush()
                }
            };
            if let Err(error) = passed {
                self.fail(error);
                break;
            }
        }
        sink
    }

    fn next(&self, unseen: Option<Instant>) -> Option<Next> {
        let mut waiting = self.lock();
        loop {
            let left = unseen.map(|since| UNSEEN.saturating_sub(since.elapsed()));
            if left == Some(Duration::ZERO) {
                return Some(Next::Flush);
            }
            if let Some(traces) = waiting.traces.pop_front() {
                waiting.counts.waiting -=
                    traces.iter().map(|trace| trace.spans.len()).sum::<usize>();
                waiting.bytes -= traces.iter().map(bytes).sum::<usize>();
                return Some(Next::Traces(traces));
            }
            if waiting.ended {
                return None;
            }
            waiting = match left {
                None => self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let came = self.came.wait_timeout(waiting, left);
                    came.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes nothing any more.
    fn fail(&self, error: io::Error) {
        self.forget();
        let mut waiting = self.lock();
        (waiting.error, waiting.failed) = (Some(error), true);
    }

    /// Counts what waits as shed, and forgets it.
    fn shed(&self) {
        let mut waiting = self.lock();
        let (traces, counts) = (waiting.traces.iter().map(Vec::len).sum::<usize>(), waiting.counts);
        waiting.counts.traces_shed += traces as u64;
        waiting.counts.spans_shed += counts.waiting as u64;
        drop(waiting);
        self.forget();
    }

    fn forget(&self) {
        let mut waiting = self.lock();
        waiting.traces.clear();
        (waiting.bytes, waiting.counts.waiting) = (0, 0);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives as long as the thread, and says so if the sink panics.
struct Dying<'a>(&'a Shared);

impl Drop for Dying<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(died());
        }
    }
}

fn died() -> io::Error {
    io::Error::other("the thread that writes has died")
}

impl Waiting {
    /// Whether the sink takes more; why not is told in full once.
    fn check(&mut self) -> io::Result<()> {
        if !self.failed {
            return Ok(());
        }
        let said = self.error.take();
        Err(said.unwrap_or_else(|| io::Error::other("the output has failed before")))
    }

    /// Counts a trace as one that waits, or as one that is shed.
    fn admit(&mut self, trace: &Trace, limits: &QueueLimits) -> bool {
        let (spans, bytes) = (trace.spans.len(), bytes(trace));
        let fits =
            self.counts.waiting + spans <= limits.spans && self.bytes + bytes <= limits.bytes;
        // One that is larger than all limits is passed on alone.
        let admitted = fits || self.counts.waiting == 0;
        if admitted {
            self.counts.waiting += spans;
            self.bytes += bytes;
        } else {
            self.counts.traces_shed += 1;
            self.counts.spans_shed += spans as u64;
        }
        admitted
    }
}

enum Next {
    Traces(Vec<Trace>),
    /// What was passed on is to be seen.
    Flush,
}

/// What a trace takes in memory, about.
fn bytes(trace: &Trace) -> usize {
    let texts: usize = trace.spans.iter().map(|span| span.exchange.text.len()).sum();
    texts + trace.spans.len() * (size_of::<Span>() + size_of::<Exchange>())
}

/// How long what was written may wait to be seen.
const UNSEEN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    fn trace(id: u128, spans: usize) -> Trace {
        let span = || Span {
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
        let spans = (0..spans).map(|_| span()).collect();
        Trace { id, wire: None, late: false, spans }
    }

    /// Tells what it gets, and waits for leave before each trace.
    struct Slow {
        told: Sender<String>,
        leave: Receiver<io::Result<()>>,
    }

    impl SpanSink for Slow {
        fn trace(&mut self, trace: &Trace) -> io::Result<()> {
            self.told.send(format!("begins {}", trace.id)).unwrap();
            self.leave.recv().unwrap()?;
            self.told.send(format!("wrote {}", trace.id)).unwrap();
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.told.send("flush".to_owned()).unwrap();
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.told.send("finish".to_owned()).unwrap();
            Ok(())
        }
    }

    type Ends = (Queue<Slow>, Receiver<String>, Sender<io::Result<()>>);

    fn slow(spans: usize) -> Ends {
        let (told, hear) = channel();
        let (give, leave) = channel();
        let limits = QueueLimits { spans, ..QueueLimits::default() };
        (Queue::start(Slow { told, leave }, limits).unwrap(), hear, give)
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_whole_traces_are_shed() {
        let (mut queue, hear, give) = slow(10);
        queue.take(vec![trace(0, 3)]).unwrap();
        assert_eq!(hear.recv().unwrap(), "begins 0");
        for id in 1..=100 {
            queue.take(vec![trace(id, 3)]).unwrap();
        }
        let counts = queue.gauge().counts();
        assert_eq!(counts, QueueCounts { waiting: 9, traces_shed: 97, spans_shed: 291 });
        (0..4).for_each(|_| give.send(Ok(())).unwrap());
        queue.finish().unwrap();
        let told: Vec<String> = hear.try_iter().filter(|told| told.starts_with("wrote")).collect();
        assert_eq!(told, ["wrote 0", "wrote 1", "wrote 2", "wrote 3"]);
        assert!(queue.sink().is_some());
    }

    #[test]
    fn what_was_written_is_shown_before_long() {
        let (mut queue, hear, give) = slow(10);
        give.send(Ok(())).unwrap();
        queue.take(vec![trace(0, 1)]).unwrap();
        let told: Vec<String> = hear.iter().take(3).collect();
        assert_eq!(told, ["begins 0", "wrote 0", "flush"]);
    }

    #[test]
    fn a_trace_larger_than_the_queue_is_passed_on_alone() {
        let (mut queue, hear, give) = slow(10);
        give.send(Ok(())).unwrap();
        queue.take(vec![trace(0, 50)]).unwrap();
        queue.finish().unwrap();
        assert!(hear.try_iter().any(|told| told == "wrote 0"));
    }

    #[test]
    fn a_failure_is_told_to_who_comes_next() {
        let (mut queue, hear, give) = slow(10);
        give.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        queue.take(vec![trace(0, 1)]).unwrap();
        assert_eq!(hear.recv().unwrap(), "begins 0");
        // The thread ends now, whenever that is seen here.
        let error = loop {
            match queue.take(vec![trace(1, 1)]) {
                Ok(()) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_failure_is_told_though_nothing_comes() {
        let (mut queue, _hear, give) = slow(10);
        give.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        queue.take(vec![trace(0, 1)]).unwrap();
        assert_eq!(flushed(&mut queue).kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_sink_that_panics_has_failed() {
        let (mut queue, hear, give) = slow(10);
        // It cannot tell what it begins with.
        drop((hear, give));
        queue.take(vec![trace(0, 1)]).unwrap();
        assert_eq!(flushed(&mut queue).to_string(), died().to_string());
        assert!(queue.finish().is_err());
    }

    /// What flushing tells once the sink has failed.
    fn flushed(queue: &mut Queue<Slow>) -> io::Error {
        loop {
            match queue.flush() {
                Ok(()) => std::thread::yield_now(),
                Err(error) => break error,
            }
        }
    }

    #[test]
    fn traces_that_are_lent_are_shed_as_those_that_are_given() {
        let (mut queue, hear, give) = slow(10);
        queue.take(vec![trace(0, 3)]).unwrap();
        assert_eq!(hear.recv().unwrap(), "begins 0");
        let traces: Vec<Trace> = (1..=100).map(|id| trace(id, 3)).collect();
        queue.traces(&traces).unwrap();
        let counts = queue.gauge().counts();
        assert_eq!(counts, QueueCounts { waiting: 9, traces_shed: 97, spans_shed: 291 });
        (0..4).for_each(|_| give.send(Ok(())).unwrap());
        queue.finish().unwrap();
    }

    #[test]
    fn what_still_waits_when_it_is_stopped_counts_as_shed() {
        let (mut queue, hear, give) = slow(10);
        queue.take(vec![trace(0, 3)]).unwrap();
        assert_eq!(hear.recv().unwrap(), "begins 0");
        queue.take(vec![trace(1, 2), trace(2, 3)]).unwrap();
        let gauge = queue.gauge();
        let stopping = std::thread::spawn(move || queue.stop());
        while gauge.counts().traces_shed == 0 {
            std::thread::yield_now();
        }
        give.send(Ok(())).unwrap();
        stopping.join().unwrap();
        assert_eq!(gauge.counts(), QueueCounts { waiting: 0, traces_shed: 2, spans_shed: 5 });
    }

    #[test]
    fn a_failure_at_the_end_is_told_at_the_end() {
        let (mut queue, _hear, give) = slow(10);
        give.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        queue.take(vec![trace(0, 1)]).unwrap();
        assert_eq!(queue.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
