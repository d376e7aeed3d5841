//! Windows in, as SETTINGS, WINDOW_UPDATE and DATA change them; how long a sender had none out.
//! <https://www.rfc-editor.org/rfc/rfc9113#section-5.2>
//!
//! What counts is a time without a window within a message of which more came afterwards.

use crate::protocol::Timestamp;

/// What one side may send on its whole connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionWindow {
    room: i64,
    /// What each of its streams may send from the beginning.
    initial: i64,
    /// When that changed last.
    changed: Option<Timestamp>,
    stalled: Option<Timestamp>,
    /// Nanoseconds without a window, as far as they are over.
    stalled_for: u64,
}

impl Default for ConnectionWindow {
    fn default() -> Self {
        Self { room: INITIAL, initial: INITIAL, changed: None, stalled: None, stalled_for: 0 }
    }
}

impl ConnectionWindow {
    /// The other side grants more.
    pub(super) fn update(&mut self, increment: u32, at: Timestamp) {
        self.room = self.room.saturating_add(increment.into());
        if self.room > 0
            && let Some(since) = self.stalled.take()
        {
            self.stalled_for = self.stalled_for.saturating_add(between(since, at));
        }
    }

    /// The other side grants so much to each stream from its beginning.
    pub(super) fn grant(&mut self, initial: u32, at: Timestamp) {
        if self.initial != i64::from(initial) {
            self.initial = initial.into();
            self.changed = Some(at);
        }
    }

    /// A frame of DATA is sent.
    pub(super) fn send(&mut self, length: usize, at: Timestamp) {
        self.room = self.room.saturating_sub(i64::try_from(length).unwrap_or(i64::MAX));
        if self.room <= 0 {
            self.stalled.get_or_insert(at);
        }
    }

    fn stalled_until(&self, at: Timestamp) -> u64 {
        let present = self.stalled.map_or(0, |since| between(since, at));
        self.stalled_for.saturating_add(present)
    }
}

/// What one side may send on one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamWindow {
    /// What was granted beyond the initial window, less what was sent.
    balance: i64,
    stalled: Option<Timestamp>,
    /// Nanoseconds without a window since the last DATA.
    waited: u64,
    /// How long the connection had stalled when this stream sent something last.
    mark: u64,
    /// Nanoseconds without a window, between what was sent.
    blocked: u64,
}

impl StreamWindow {
    /// The head of a message is sent.
    pub(super) fn begin(&mut self, connection: &ConnectionWindow, at: Timestamp) {
        self.mark = connection.stalled_until(at);
    }

    /// The other side grants more.
    pub(super) fn update(&mut self, increment: u32, connection: &ConnectionWindow, at: Timestamp) {
        self.balance = self.balance.saturating_add(increment.into());
        if connection.initial.saturating_add(self.balance) > 0
            && let Some(since) = self.stalled.take()
        {
            self.waited = self.waited.saturating_add(between(since, at));
        }
    }

    /// A frame of DATA is sent, which is the last one or not.
    pub(super) fn send(
        &mut self,
        length: usize,
        is_last: bool,
        connection: &mut ConnectionWindow,
        at: Timestamp,
    ) {
        let stalled = connection.stalled_until(at);
        if let (Some(since), Some(changed)) = (self.stalled, connection.changed) {
            // No update of the stream came, so that its share of all streams was raised.
            self.waited = self.waited.saturating_add(between(since, changed));
        }
        if length > 0 {
            // Where both had none, it is the same time.
            let waited = self.waited.max(stalled.saturating_sub(self.mark));
            self.blocked = self.blocked.saturating_add(waited);
        }
        (self.waited, self.mark) = (0, stalled);
        connection.send(length, at);
        self.balance = self.balance.saturating_sub(i64::try_from(length).unwrap_or(i64::MAX));
        self.stalled = None;
        if connection.initial.saturating_add(self.balance) <= 0 && !is_last {
            self.stalled = Some(at);
        }
    }

    /// Nanoseconds without a window.
    pub(super) fn blocked(&self) -> u64 {
        self.blocked
    }
}

fn between(since: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.0.saturating_sub(since.0)).unwrap_or(0)
}

/// Section 6.9.2.
const INITIAL: i64 = 65_535;
