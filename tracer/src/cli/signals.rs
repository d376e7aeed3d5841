//! Ctrl-C and SIGTERM: the first stops a run, which ends with what has come by then; a second one
//! ends the process, whatever it waits for.
//!
//! One that comes together with the first is no second one: `timeout -s INT` tells a process and
//! its group, and so do service managers. Only somebody who keeps the time can tell the two apart,
//! which takes a thread, and there may be none before rights are given up. Until then the second
//! one ends the process at once; there is nothing yet that would be lost.

use signal_hook::SigId;
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::low_level::unregister;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The signals that end a run.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Set by the first.
    asked: Arc<AtomicBool>,
    /// Whether the next one ends the process.
    armed: Arc<AtomicBool>,
    /// What arms at once, until the time is kept.
    at_once: Vec<SigId>,
    /// The time is kept while this is there.
    timed: Option<Arc<()>>,
}

impl Signals {
    /// Lets a signal set `stop`, and a second one end the process with this code.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn watch(
        &mut self,
        signal: i32,
        code: i32,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<()> {
        // They are called in this order.
        register_conditional_shutdown(signal, code, self.armed.clone())?;
        if self.timed.is_none() {
            self.at_once.push(register(signal, self.armed.clone())?);
        }
        register(signal, self.asked.clone())?;
        register(signal, stop.clone())?;
        Ok(())
    }

    /// Starts to keep the time, if that is not done yet. It takes a thread.
    ///
    /// # Errors
    /// That the system gives no thread.
    pub(super) fn keep_time(&mut self) -> io::Result<()> {
        if self.timed.is_some() {
            return Ok(());
        }
        let (asked, armed) = (self.asked.clone(), self.armed.clone());
        let there = Arc::new(());
        let is_there = Arc::downgrade(&there);
        let keep = move || {
            while !asked.load(Ordering::Relaxed) {
                if is_there.strong_count() == 0 {
                    return;
                }
                thread::sleep(GLANCE);
            }
            thread::sleep(TOGETHER);
            armed.store(true, Ordering::Relaxed);
        };
        thread::Builder::new().name("signals".to_owned()).spawn(keep)?;
        for id in self.at_once.drain(..) {
            unregister(id);
        }
        self.timed = Some(there);
        Ok(())
    }
}

/// How often it is looked whether a signal has come.
const GLANCE: Duration = Duration::from_millis(100);
/// Signals so close to each other are one.
const TOGETHER: Duration = Duration::from_millis(500);
