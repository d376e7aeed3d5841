//! What is known of the order of answers behind a loss: which requests may no longer be paired
//! with the next answer, and from when on they may again.
//!
//! Bytes that were lost may hide whole requests, or whole answers. A client that always waits for
//! its answer has had it before it asks again. One that pipelines has not:
//!
//! ```text
//!  client   a   b   ░   d               e
//!  server             1   2   3   4         5      3 answers what is lost, so 4 may answer d
//!                                 └ pause ┘
//! ```
//!
//! How many were lost nobody knows, so that all answers from there on are left alone until the
//! connection has been idle. A request without its answer is better than a wrong pair.

use wirespan_capture::packet::Timestamp;

/// Why answers are left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    /// The number of the first request behind the loss.
    from: u32,
    /// Requests and answers since.
    requests: u64,
    answers: u64,
    /// Whether the client has heard anything of the server since.
    heard: bool,
    /// Whether it has asked without that, so that it may not have had the answers to what was lost.
    hasty: bool,
    /// When the latest of these began, or the latest loss was known.
    latest: Timestamp,
}

impl Doubt {
    /// Of requests from this number on, as something was lost before this time.
    pub(crate) fn new(from: u32, at: Timestamp) -> Self {
        Self { from, requests: 0, answers: 0, heard: false, hasty: false, latest: at }
    }

    /// More was lost before this time.
    pub(crate) fn loss(&mut self, at: Timestamp) {
        self.latest = self.latest.max(at);
    }

    /// Whether a request began behind the loss; numbers wrap around.
    pub(crate) fn concerns(&self, ordinal: u32) -> bool {
        (ordinal.wrapping_sub(self.from) as i32) >= 0
    }

    /// A request begins.
    pub(crate) fn request(&mut self, at: Timestamp) {
        self.requests += 1;
        self.hasty |= !self.heard;
        self.latest = self.latest.max(at);
    }

    /// An answer to a request behind the loss, or to a lost one, begins.
    pub(crate) fn answer(&mut self, at: Timestamp) {
        self.answers += 1;
        self.latest = self.latest.max(at);
    }

    /// Bytes of the server come, or are lost.
    pub(crate) fn hears(&mut self) {
        self.heard = true;
    }

    /// Whether the client has asked before it heard of what was lost.
    pub(crate) fn is_hasty(&self) -> bool {
        self.hasty
    }

    /// Whether nothing can be unanswered any more when a request begins at this time: there are
    /// answers for all, and there was a pause that is longer than the longest that an answer took.
    pub(crate) fn is_over(&self, at: Timestamp, longest: Option<i64>) -> bool {
        let pause =
            longest.map_or(UNKNOWN_PAUSE, |longest| longest.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
        self.answers >= self.requests && at.0.saturating_sub(self.latest.0) > pause
    }
}

/// Nanoseconds without a message after which a connection counts as idle, at least.
const SHORTEST_PAUSE: i64 = 10_000_000;
/// The same at most.
const LONGEST_PAUSE: i64 = 10_000_000_000;
/// The same where no answer was seen.
const UNKNOWN_PAUSE: i64 = 1_000_000_000;
