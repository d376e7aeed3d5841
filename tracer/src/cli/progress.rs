//! A line on the terminal while long work goes on; nothing where the standard error is no terminal.

use crate::numbers::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wirespan_capture::source::report::Progress;

/// Shows how much was read, and how fast.
pub(super) struct Meter {
    bar: ProgressBar,
    progress: Progress,
}

impl Meter {
    /// Follows the progress of a source.
    pub(super) fn new(progress: Progress, wanted: bool) -> Self {
        let bar = match progress.total() {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let target = if wanted {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        bar.set_draw_target(target);
        let template = match progress.total() {
            Some(_) => {
                "{prefix}{percent:>3} % of {total_bytes}, {bytes_per_sec}, {msg} packets, {eta} left"
            }
            None => "{prefix}{bytes}, {bytes_per_sec}, {msg} packets",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, progress }
    }

    /// Says what is read for, where it is read again.
    pub(super) fn called(self, what: &'static str) -> Self {
        self.bar.set_prefix(what);
        self
    }

    /// Shows where reading is now.
    pub(super) fn show(&self, packets: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_message(grouped(packets));
            self.bar.set_position(self.progress.read());
        }
    }

    /// Leaves the line to others.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
