//! The options of how much is kept and how long is waited, for every command that joins.

use crate::config::Config;
use crate::join::IdSet;
use crate::join::window::WindowLimits;
use clap::Args;

/// How exchanges are joined.
#[derive(Debug, Args)]
pub(super) struct JoiningArgs {
    /// Threads that work at a time [default: as many as the machine has]
    ///
    /// The output is the same whatever their number.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    threads: Option<usize>,

    /// Seconds without news after which a trace is settled
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, allow_hyphen_values = true, help_heading = LIMITS, hide_short_help = true)]
    join_window: f64,

    /// Exchanges that are held at a time until their traces settle
    #[arg(long, value_name = "N", default_value_t = WindowLimits::default().held, value_parser = count, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    max_held: usize,

    /// Spans of one trace
    #[arg(long, value_name = "N", default_value_t = WindowLimits::default().members, value_parser = count, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    max_trace_spans: usize,
}

impl JoiningArgs {
    /// How many threads work at a time.
    pub(super) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| Config::default().threads.min(MAX_THREADS))
    }

    /// The limits of the join window.
    pub(super) fn window(&self, ids: IdSet) -> WindowLimits {
        WindowLimits {
            ids,
            quiet: nanoseconds(self.join_window),
            held: self.max_held,
            members: self.max_trace_spans,
            ..WindowLimits::default()
        }
    }
}

fn threads(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MAX_THREADS).contains(count));
    count.ok_or_else(|| format!("name a whole number from 1 to {MAX_THREADS}"))
}

/// A number of things, at least one.
pub(super) fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "name a whole number from 1 on".to_owned())
}

/// A number of bytes, such as 256M: at least 64 MiB, as less holds little more than the program.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 10),
        None => match (text.strip_suffix(['m', 'M']), text.strip_suffix(['g', 'G'])) {
            (Some(digits), _) => (digits, 20),
            (None, Some(digits)) => (digits, 30),
            (None, None) => (text, 0),
        },
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    let bytes = bytes.filter(|bytes| *bytes >= 64 << 20);
    bytes.ok_or_else(|| "name a number of bytes from 64M on, such as 256M or 1G".to_owned())
}

/// A number of packets, at least one.
pub(super) fn packets(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "name a whole number from 1 on".to_owned())
}

/// A time in seconds, up to a day.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "name a number of seconds from 0 to 86400".to_owned())
}

pub(super) fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

/// Under which these options stand in the help.
pub(super) const LIMITS: &str = "Threads and limits";
const MAX_THREADS: usize = 1024;
