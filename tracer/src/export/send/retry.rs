//! How long to wait before the next try: twice as long each time, less what spreads several
//! senders, or as long as the server says.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#failures>

use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How long is waited at most for what could not be sent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the second try.
    pub first: Duration,
    /// Before any try, unless the server asks for more.
    pub longest: Duration,
    /// Before all tries of a request together.
    pub in_all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            in_all: Duration::from_secs(60),
        }
    }
}

/// The waits of one request.
#[derive(Debug)]
pub(super) struct Waits {
    patience: Patience,
    request: u64,
    tries: u32,
    waited: Duration,
}

impl Waits {
    /// Those of this request; the number takes the place of chance.
    pub(super) fn of(patience: Patience, request: u64) -> Self {
        Self { patience, request, tries: 0, waited: Duration::ZERO }
    }

    /// How long to wait now; nothing where patience is at its end.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let doubled = self.patience.first.saturating_mul(1 << self.tries.min(16));
        let longest = doubled.min(self.patience.longest);
        // Between a half and all of it.
        let part = xxh3_64_with_seed(&self.request.to_le_bytes(), self.tries.into()) % 512;
        let own = longest / 1024 * (512 + u32::try_from(part).unwrap_or_default());
        let wait = asked.map_or(own, |asked| asked.max(own));
        self.tries += 1;
        self.waited = self.waited.saturating_add(wait);
        (self.waited <= self.patience.in_all).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(request: u64) -> Vec<u128> {
        let mut waits = Waits::of(Patience::default(), request);
        std::iter::from_fn(|| waits.next(None)).map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn waits_grow_and_end() {
        for request in 0..100 {
            let all = waits(request);
            for (wait, longest) in all.iter().zip([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]) {
                assert!((longest / 2 - 20..=longest).contains(wait), "{all:?}");
            }
            assert!((5..=7).contains(&all.len()), "{all:?}");
            assert!(all.iter().sum::<u128>() <= 60_000);
        }
    }

    #[test]
    fn requests_wait_differently_but_each_always_the_same() {
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_more_than_there_is() {
        let mut waits = Waits::of(Patience::default(), 0);
        let twenty = Duration::from_secs(20);
        assert_eq!(waits.next(Some(twenty)), Some(twenty));
        assert_eq!(waits.next(Some(Duration::from_secs(41))), None);
    }
}
