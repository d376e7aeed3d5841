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
//!
//! Most that pipeline take turns: they ask many times at once, wait for all answers, and ask again.
//! Who has always done so on a connection has had all answers when a new turn begins, however busy
//! it is. Once a turn behind the loss had as many answers as requests, the next one is paired:
//!
//! ```text
//!  client   a b ░            d e         f
//!  server         1   2   3        4 5       6      f is sent by who has read 5: 6 answers it
//! ```

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

    /// More requests may have been lost before this time.
    pub(crate) fn loss(&mut self, at: Timestamp) {
        self.heard = false;
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

/// Whether a client waits for all its answers before it asks again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TurnTaking {
    /// Whether bytes of the server came since the latest request, or the latest loss.
    heard: bool,
    /// What the server's latest packet acknowledged.
    acknowledged: Option<u32>,
    /// Whether requests may have been lost since the latest one.
    lost: bool,
    /// Whether anything was lost in this turn, so that requests and answers need not be as many.
    spoiled: bool,
    /// What the packet of the latest request acknowledged.
    ack: u32,
    /// Requests of this turn, and answers that were left alone in it.
    asked: u32,
    left_alone: u32,
    /// Turns that began when all was answered; of a client that pipelines, those in which
    /// it did.
    kept: u32,
    /// Whether it has ever asked while it waited for an answer, though it had got others.
    broken: bool,
}

impl TurnTaking {
    /// Bytes of the server come in a packet that acknowledges this.
    pub(crate) fn hears(&mut self, ack: u32) {
        (self.heard, self.acknowledged) = (true, Some(ack));
    }

    /// Bytes of the server are lost.
    pub(crate) fn misses(&mut self) {
        (self.heard, self.spoiled) = (true, true);
    }

    /// Requests may have been lost, so that it is not known what their client had heard.
    pub(crate) fn loss(&mut self) {
        (self.heard, self.lost, self.spoiled) = (false, true, true);
    }

    /// A request begins with this sequence number, in a packet that acknowledges this. Whether a
    /// turn begins with it: the client has got something of the server since the request before. If
    /// there was another one, which is lost, it is what the server had got that one too.
    pub(crate) fn request(&mut self, seq: Option<u32>, ack: u32) -> bool {
        let is_read = || {
            let known = self.acknowledged.zip(seq);
            known.is_some_and(|(read, seq)| (read.wrapping_sub(seq) as i32) >= 0)
        };
        let begins = self.heard && ack != self.ack && (!self.lost || is_read());
        (self.heard, self.lost, self.ack) = (false, false, ack);
        begins
    }

    /// The request is one more of its turn.
    pub(crate) fn goes_on(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// An answer is left alone, since it is in doubt what it answers.
    pub(crate) fn leaves_alone(&mut self) {
        self.left_alone = self.left_alone.saturating_add(1);
    }

    /// The request begins a turn, and all that was asked before has its answer. Those who have been
    /// seen to pipeline prove nothing by a turn of one request.
    pub(crate) fn keeps(&mut self, pipelined: bool) {
        if self.asked > 1 || !pipelined {
            self.kept = self.kept.saturating_add(1);
        }
        (self.asked, self.left_alone, self.spoiled) = (0, 0, false);
    }

    /// The request begins a turn behind a loss. As many answers as requests are one more sign, of a
    /// client of which there was more than one before; others say that it does not wait. Gives
    /// whether nothing is in doubt any more: the turn before it was even, and is not the loss's own.
    pub(crate) fn keeps_in_doubt(&mut self, pipelined: bool) -> bool {
        let is_clear = !self.spoiled && self.asked == self.left_alone;
        let even = self.asked == self.left_alone;
        self.broken |= !even && !self.spoiled;
        if even && self.kept >= SIGN {
            self.keeps(pipelined);
        }
        (self.asked, self.left_alone, self.spoiled) = (0, 0, false);
        is_clear && self.is_proven()
    }

    /// The client pipelines, so that turns in which it did not prove nothing.
    pub(crate) fn begins_anew(&mut self) {
        self.kept = 0;
    }

    /// The client asks though it waits for an answer. Who does so at times may do so at any time.
    pub(crate) fn breaks(&mut self) {
        self.broken = true;
    }

    /// Whether that was always kept, and so often that it holds where losses hide it.
    fn is_proven(&self) -> bool {
        !self.broken && self.kept >= PROOF
    }
}

/// Turns after which a client counts as one that takes them.
const PROOF: u32 = 16;
/// Turns after which what is seen behind a loss counts too.
const SIGN: u32 = 4;
/// Nanoseconds without a message after which a connection counts as idle, at least.
const SHORTEST_PAUSE: i64 = 10_000_000;
/// The same at most.
const LONGEST_PAUSE: i64 = 10_000_000_000;
/// The same where no answer was seen.
const UNKNOWN_PAUSE: i64 = 1_000_000_000;
