//! What the process has used since its start, as the system counts it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What the process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// User and system time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// The most memory that it had, in bytes.
    pub peak_bytes: u64,
}

impl Used {
    /// So far; `None` where the system does not say.
    pub fn now() -> Option<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Some(Self {
            cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
            // getrusage(2): in KiB.
            peak_bytes: u64::try_from(usage.max_rss()).unwrap_or_default().saturating_mul(1024),
        })
    }
}
