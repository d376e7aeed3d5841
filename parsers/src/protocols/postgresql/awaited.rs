//! What the server still has to answer, in order.

use std::collections::VecDeque;

/// One step that the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) step: Step,
    /// The exchange that it belongs to; 0 for none.
    pub(super) exchange: u64,
}

/// What a message of the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// ReadyForQuery, after whatever a login asks for.
    Login,
    /// A single byte says whether the connection is encrypted.
    Encryption,
    /// Any number of results, then ReadyForQuery.
    Query,
    /// One result, then ReadyForQuery.
    Function,
    Parse,
    Bind,
    Describe,
    Execute,
    Close,
    /// ReadyForQuery.
    Sync,
    /// What is not known, since it was lost, up to a ReadyForQuery.
    Lost,
}

impl Step {
    /// Whether ReadyForQuery ends it.
    pub(super) fn is_turn(self) -> bool {
        matches!(self, Self::Login | Self::Query | Self::Function | Self::Sync | Self::Lost)
    }

    /// Whether a message of this type is the last one that answers it; ReadyForQuery apart.
    pub(super) fn is_done_by(self, kind: u8) -> bool {
        match self {
            Self::Parse => kind == b'1',
            Self::Bind => kind == b'2',
            Self::Close => kind == b'3',
            Self::Describe => matches!(kind, b'T' | b'n'),
            Self::Execute => matches!(kind, b'C' | b'I' | b's'),
            _ => false,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    steps: VecDeque<Awaited>,
    /// Whether the client has been seen to ask before it was answered.
    pipelined: bool,
}

impl Queue {
    /// One more; gives whether the limit was reached, which empties it.
    pub(super) fn push(&mut self, step: Step, exchange: u64) -> bool {
        let full = self.steps.len() >= LIMIT;
        if full {
            self.steps.clear();
            self.steps.push_back(Awaited { step: Step::Lost, exchange: 0 });
        }
        self.steps.push_back(Awaited { step, exchange });
        full
    }

    /// The client begins a turn.
    pub(super) fn begin_turn(&mut self) {
        match self.steps.front() {
            None => {}
            // Who always waits for an answer has had the one to what was lost.
            Some(first) if first.step == Step::Lost && self.steps.len() == 1 && !self.pipelined => {
                self.steps.clear();
            }
            Some(_) => self.pipelined = true,
        }
    }

    /// The client's bytes are lost, and what they asked for is not known.
    pub(super) fn lose(&mut self) {
        if self.steps.back().is_none_or(|last| last.step != Step::Lost) {
            self.push(Step::Lost, 0);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Awaited> {
        self.steps.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    pub(super) fn front(&self) -> Option<Awaited> {
        self.steps.front().copied()
    }

    /// The server waits for data of a copy, and takes no notice of a Sync before these.
    pub(super) fn drop_sync_before_data(&mut self) {
        let is = |at: usize, step| self.steps.get(at).is_some_and(|awaited| awaited.step == step);
        if is(0, Step::Execute) && is(1, Step::Sync) {
            self.steps.remove(1);
        }
    }

    /// Drops a Sync whose ReadyForQuery was missed, where something else is answered.
    pub(super) fn drop_stale(&mut self) {
        while self.steps.len() > 1
            && self.steps.front().is_some_and(|first| first.step == Step::Sync)
        {
            self.steps.pop_front();
        }
    }
}

/// Steps of one connection; a batch of statements takes two or three each.
const LIMIT: usize = 16 << 10;
