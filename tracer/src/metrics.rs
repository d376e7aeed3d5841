//! How long calls took, by protocol: histograms that merge and stay small.

use crate::exchange::{Exchange, Sort, State};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// Durations of complete calls.
#[derive(Debug, Default)]
pub struct Metrics {
    by_protocol: BTreeMap<u8, Histogram<u64>>,
}

/// Percentiles of durations, in nanoseconds, right to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of the calls took no longer.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 95 of 100.
    pub p95: u64,
    /// 99 of 100.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

impl Metrics {
    /// Counts a call.
    pub fn record(&mut self, exchange: &Exchange) {
        if exchange.sort != Sort::Call || exchange.state != State::Complete {
            return;
        }
        let histogram = self.by_protocol.entry(exchange.protocol.0).or_insert_with(|| {
            // It grows by itself, so that only the digits are to be chosen, and 3 are allowed.
            #[expect(
                clippy::unwrap_used,
                reason = "3 lies in 0 to 5, which is all that is checked"
            )]
            Histogram::new(DIGITS).unwrap()
        });
        let duration = exchange.duration();
        // Saturating would count everything as the two nanoseconds that it holds at first;
        // recording lets it grow, and fails only for what no histogram of 64 bits holds.
        let recorded = histogram.record(u64::try_from(duration).unwrap_or_default());
        debug_assert!(recorded.is_ok());
    }

    /// The percentiles of each protocol, by its place in the list.
    pub fn latencies(&self) -> impl Iterator<Item = (u8, Latency)> {
        self.by_protocol.iter().map(|(protocol, durations)| {
            let at = |quantile| durations.value_at_quantile(quantile);
            let (p50, p90, p95, p99) = (at(0.5), at(0.9), at(0.95), at(0.99));
            (*protocol, Latency { p50, p90, p95, p99, max: durations.max() })
        })
    }
}

/// Significant digits of a duration.
const DIGITS: u8 = 3;
