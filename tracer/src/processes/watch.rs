//! A thread that looks into `/proc` for whoever asks, and takes no more than its share of a core.

use super::sockets::Ends;
use super::table::{Answer, Table};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Looks for owners of sockets in a thread of its own, which ends with it.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What looking has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Flows that were asked for.
    pub asked: u64,
    /// Ends of them whose process was found.
    pub found: u64,
    /// Flows that were not asked for, since too many were waiting.
    pub skipped: u64,
    /// Processes whose open files may not be read: that needs CAP_SYS_PTRACE.
    pub denied: u64,
    /// Sockets that are of one of those, most likely.
    pub unfound: u64,
    /// Ends that sockets of several processes fit, so that none is named.
    pub ambiguous: u64,
    /// Processes that are left out, since there are too many.
    pub left_out: u64,
    /// CPU time that it took.
    pub cpu: Duration,
}

/// The addresses of this host.
pub(super) type Addresses = Arc<HashSet<IpAddr, FixedState>>;

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was asked, or it is to end.
    asked: Condvar,
    /// Something was answered.
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    questions: Vec<(u64, Ends)>,
    answers: Vec<(u64, Answer)>,
    addresses: Option<Addresses>,
    /// Flows came whose addresses are not known here: there may be new ones.
    strangers: bool,
    /// Questions that are being looked for, or wait for it.
    open: usize,
    looked: Looked,
    ends: bool,
}

impl Watch {
    /// Looks at the processes in this folder, mostly `/proc`.
    ///
    /// # Errors
    /// What the operating system said, if it holds no processes or no thread can be started.
    pub fn start(root: &Path) -> io::Result<Self> {
        let mut table = Table::new(root);
        table.refresh()?;
        let shared = Arc::new(Shared::default());
        shared.state().addresses = Some(Arc::new(table.addresses()));
        let inside = shared.clone();
        let thread = thread::Builder::new()
            .name("processes".to_owned())
            .spawn(move || run(&inside, table))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What looking has come to so far.
    pub fn looked(&self) -> Looked {
        self.shared.state().looked
    }

    /// Asks for the ends of flows, each under a number of its own; `strangers` says whether there
    /// were flows of unknown addresses. Waits for answers as long as told, then gives those that
    /// have come, the addresses as they are known now, and how many questions were taken: the first
    /// ones.
    pub(super) fn ask(
        &self,
        questions: &mut Vec<(u64, Ends)>,
        strangers: bool,
        wait: Duration,
    ) -> (Vec<(u64, Answer)>, Option<Addresses>, usize) {
        let mut state = self.shared.state();
        let room = WAITING.saturating_sub(state.open);
        let last = questions.iter().take(room).next_back().map(|(number, _)| *number);
        state.looked.skipped += questions.len().saturating_sub(room) as u64;
        state.looked.asked += questions.len().min(room) as u64;
        questions.truncate(room);
        let taken = questions.len();
        state.open += taken;
        state.questions.append(questions);
        state.strangers |= strangers;
        if state.strangers || !state.questions.is_empty() {
            self.shared.asked.notify_one();
        }
        if let Some(last) = last.filter(|_| !wait.is_zero()) {
            let is_open = |state: &mut State| {
                !state.ends && !state.answers.iter().any(|(number, _)| *number == last)
            };
            let waited = self.shared.answered.wait_timeout_while(state, wait, is_open);
            state = waited.map_or_else(|poison| poison.into_inner().0, |(state, _)| state);
        }
        (std::mem::take(&mut state.answers), state.addresses.clone(), taken)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.state().ends = true;
        self.shared.asked.notify_all();
        if let Some(thread) = self.thread.take() {
            // What it said does not matter any more.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

/// A question that is being looked for.
struct Open {
    number: u64,
    ends: Ends,
    since: Instant,
}

fn run(shared: &Shared, mut table: Table) {
    let mut open: Vec<Open> = Vec::new();
    let mut credit = Credit::new();
    let mut refreshed = Instant::now();
    let mut is_stale = false;
    loop {
        let strangers;
        {
            let mut state = shared.state();
            let is_idle =
                |state: &mut State| !state.ends && state.questions.is_empty() && !state.strangers;
            state = if open.is_empty() {
                let waited = shared.asked.wait_while(state, is_idle);
                waited.unwrap_or_else(|poison| poison.into_inner())
            } else {
                let waited = shared.asked.wait_timeout_while(state, REFRESH, is_idle);
                waited.unwrap_or_else(|poison| poison.into_inner()).0
            };
            if state.ends {
                return;
            }
            strangers = std::mem::take(&mut state.strangers);
            let now = Instant::now();
            let questions = std::mem::take(&mut state.questions);
            open.extend(questions.into_iter().map(|(number, ends)| Open {
                number,
                ends,
                since: now,
            }));
        }
        let age = refreshed.elapsed();
        let mut is_new = false;
        if is_stale && age >= REFRESH || strangers && age >= STRANGERS {
            // Processes and addresses come and go; without a list, the one before is used on.
            is_new = table.refresh().is_ok();
            refreshed = Instant::now();
        }
        let mut links = LINKS;
        let asked: Vec<Ends> = open.iter().map(|open| open.ends).collect();
        let answers = table.look(&asked, &mut links);
        let mut state = shared.state();
        let mut place = 0;
        is_stale = false;
        open.retain(|open| {
            let answer = answers.get(place).cloned().unwrap_or_default();
            place += 1;
            let lacks = answer.lacks && refreshed < open.since;
            if (answer.is_open || lacks) && open.since.elapsed() < PATIENCE {
                is_stale |= lacks;
                return true;
            }
            state.looked.found += answer.owners.iter().flatten().count() as u64;
            state.answers.push((open.number, answer));
            false
        });
        state.open = open.len() + state.questions.len();
        if is_new {
            state.addresses = Some(Arc::new(table.addresses()));
        }
        let counts = table.counts;
        state.looked.denied = counts.denied;
        state.looked.unfound = counts.unfound;
        state.looked.ambiguous = counts.ambiguous;
        state.looked.left_out = counts.left_out;
        state.looked.cpu = cpu_time();
        shared.answered.notify_all();
        let pause = credit.pause();
        let waited = shared.asked.wait_timeout_while(state, pause, |state| !state.ends);
        let (state, _) = waited.unwrap_or_else(|poison| poison.into_inner());
        if state.ends {
            return;
        }
    }
}

/// CPU time that may be used: a share of the time that passes, and some of it ahead.
struct Credit {
    at: Instant,
    used: Duration,
    left: f64,
}

impl Credit {
    fn new() -> Self {
        Self { at: Instant::now(), used: cpu_time(), left: AHEAD }
    }

    /// How long to rest until there is credit again.
    fn pause(&mut self) -> Duration {
        let (now, used) = (Instant::now(), cpu_time());
        let passed = now.duration_since(self.at).as_secs_f64();
        let spent = used.saturating_sub(self.used).as_secs_f64();
        self.left = (self.left + passed * SHARE - spent).min(AHEAD);
        (self.at, self.used) = (now, used);
        let debt = (-self.left / SHARE).clamp(0.0, LONGEST);
        Duration::from_secs_f64(debt).max(SHORTEST)
    }
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Of a core, how much may be used.
const SHARE: f64 = 0.01;
/// Seconds of CPU time that may be used ahead.
const AHEAD: f64 = 0.1;
/// Rests between two looks; seconds, but for the shortest.
const LONGEST: f64 = 60.0;
const SHORTEST: Duration = Duration::from_millis(2);
/// Questions that may wait.
const WAITING: usize = 1024;
/// Open files that one look may read.
const LINKS: usize = 16_384;
/// How old the list of processes may be when somebody asks for what is not in it, and when flows of
/// other hosts come.
const REFRESH: Duration = Duration::from_millis(50);
const STRANGERS: Duration = Duration::from_secs(5);
/// How long an end is looked for.
const PATIENCE: Duration = Duration::from_secs(2);
