//! A line on the terminal while long work goes on; nothing where the standard error is no terminal.

use crate::numbers::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wirespan_capture::source::report::Progress;

/// Shows how much was read, and how fast.
pub(super) struct Meter {
    bar: ProgressBar,
    /// How many bytes were read; none where things are counted.
    progress: Option<Progress>,
}

impl Meter {
    /// Follows the reading of files, and says how many of these were found.
    pub(super) fn new(progress: Progress, what: &str, wanted: bool) -> Self {
        let template = match progress.total() {
            Some(_) => {
                "{prefix}{percent:>3} % of {total_bytes}, {bytes_per_sec}, {msg} WHAT, {eta} left"
            }
            None => "{prefix}{bytes}, {bytes_per_sec}, {msg} WHAT",
        };
        let bar = Self::bar(progress.total(), &template.replace("WHAT", what), wanted);
        Self { bar, progress: Some(progress) }
    }

    /// Says how many of so many things were done.
    pub(super) fn counting(total: u64, done: &str, wanted: bool) -> Self {
        let template = format!("{{percent:>3}} % {done}, {{eta}} left");
        Self { bar: Self::bar(Some(total), &template, wanted), progress: None }
    }

    fn bar(total: Option<u64>, template: &str, wanted: bool) -> ProgressBar {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let target = if wanted {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        bar.set_draw_target(target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    /// Says what is read for, where it is read again.
    pub(super) fn called(self, what: &'static str) -> Self {
        self.bar.set_prefix(what);
        self
    }

    /// Shows where the work is now: so much was found or done.
    pub(super) fn show(&self, count: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_message(grouped(count));
            self.bar.set_position(self.progress.as_ref().map_or(count, Progress::read));
        }
    }

    /// Does something that may write lines, without the line of progress in between.
    pub(super) fn aside(&self, talk: impl FnOnce()) {
        self.bar.suspend(talk);
    }

    /// Leaves the line to others.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
