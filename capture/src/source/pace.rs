//! Whether packets come through a pipe as they are captured, and how late it is for them when none
//! come: in go the times of packets and of their arrival.
//!
//! A capture that is read from a file comes as fast as it can be read, whatever its times say. One
//! that is captured at the other end comes as time passes, each packet somewhat later than it was
//! captured: by the way, and by what the other end gathers before it sends.

use crate::packet::{Batch, Timestamp};

/// Follows packets and their arrival.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Packet time and arrival of the newest packet of the first batch.
    first: Option<(Timestamp, Timestamp)>,
    /// The same of the last batch.
    last: Option<(Timestamp, Timestamp)>,
    /// By how much packets came later than they were captured, at most: in this stretch of time and
    /// in the one before.
    latest: [i64; 2],
    /// When this stretch began.
    begun: Timestamp,
}

impl Pace {
    /// A batch came now.
    pub(super) fn came(&mut self, batch: &Batch, now: Timestamp) {
        let (Some(oldest), Some(newest)) = (batch.packets.first(), batch.packets.last()) else {
            return;
        };
        let late = now.0.saturating_sub(oldest.at.0);
        if self.last.is_none() || now.0.saturating_sub(self.begun.0) > STRETCH {
            let before = if self.last.is_none() { late } else { self.latest[0] };
            (self.latest, self.begun) = ([late, before], now);
        }
        self.latest[0] = self.latest[0].max(late);
        self.first.get_or_insert((newest.at, now));
        self.last = Some((newest.at, now));
    }

    /// Whether packets have come for a while as they were captured.
    pub(super) fn is_kept(&self) -> bool {
        let (Some((first, first_came)), Some((last, last_came))) = (self.first, self.last) else {
            return false;
        };
        let passed = last_came.0.saturating_sub(first_came.0);
        let differs = passed.saturating_sub(last.0.saturating_sub(first.0)).saturating_abs();
        passed > LONG_ENOUGH && differs < passed / 10 + GATHERED
    }

    /// What packet time has reached now that nothing comes, if packets come as they are captured.
    pub(super) fn reached(&self, now: Timestamp) -> Option<Timestamp> {
        let (last, last_came) = self.last?;
        let late = last_came.0.saturating_sub(last.0);
        if late.saturating_abs() >= NEAR && !self.is_kept() {
            return None;
        }
        let [this, before] = self.latest;
        let late = this.max(before).max(late.saturating_add(GATHERED));
        let reached = Timestamp(now.0.saturating_sub(late));
        (reached > last).then_some(reached)
    }
}

/// Nanoseconds by which clocks of hosts may differ where they are set.
const NEAR: i64 = 5_000_000_000;
/// Nanoseconds after which a pace can be told.
const LONG_ENOUGH: i64 = 2_000_000_000;
/// Nanoseconds for which the other end may gather packets: tcpdump has the kernel wait for a second
/// before it hands over a block that is not full.
const GATHERED: i64 = 1_050_000_000;
/// Nanoseconds for which it is remembered how late packets came, once or twice.
const STRETCH: i64 = 30_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Frame, InterfaceId, LinkType, PacketHead};

    /// What is reached at a moment, after batches with these times of packets and arrival.
    fn check(batches: &[(&[i64], i64)], now: i64, expected: Option<i64>) {
        let mut pace = Pace::default();
        let at = |ms: i64| Timestamp(1_000_000_000_000 + ms * 1_000_000);
        for (times, arrival) in batches {
            let packets = times.iter().map(|ms| PacketHead {
                at: at(*ms),
                interface: InterfaceId(0),
                link: LinkType::ETHERNET,
                frame: Frame::default(),
                wire_len: 0,
                bytes: 0..0,
            });
            let batch =
                Batch { buffer: Vec::new(), packets: packets.collect(), ..Batch::default() };
            pace.came(&batch, at(*arrival));
        }
        assert_eq!(pace.reached(at(now)), expected.map(at));
    }

    #[test]
    fn a_steady_capture_is_known_as_one() {
        let steady = |step: i64| {
            let mut pace = Pace::default();
            for ms in (0..4_000).step_by(100) {
                let head = PacketHead {
                    at: Timestamp(1_000_000_000_000 + ms * step * 1_000_000),
                    interface: InterfaceId(0),
                    link: LinkType::ETHERNET,
                    frame: Frame::default(),
                    wire_len: 0,
                    bytes: 0..0,
                };
                let batch = Batch { packets: vec![head], ..Batch::default() };
                pace.came(&batch, Timestamp(1_000_000_000_000 + ms * 1_000_000));
            }
            pace.is_kept()
        };
        assert!(steady(1));
        assert!(!steady(50));
    }

    #[test]
    fn nothing_is_known_of_a_pipe_that_gave_nothing() {
        check(&[], 10_000, None);
    }

    #[test]
    fn a_capture_of_now_goes_on_while_it_is_silent() {
        check(&[(&[0], 10)], 3_000, Some(3_000 - 10 - 1_050));
        // Not before what has come.
        check(&[(&[0], 10)], 1_000, None);
    }

    #[test]
    fn what_the_other_end_gathers_is_waited_for() {
        check(&[(&[0, 1_900], 2_000)], 5_000, Some(3_000));
    }

    #[test]
    fn a_clock_that_is_an_hour_behind_is_known_by_its_pace() {
        const HOUR: i64 = 3_600_000;
        let batches: &[(&[i64], i64)] =
            &[(&[0], HOUR), (&[1_000], HOUR + 1_020), (&[3_000], HOUR + 3_010)];
        check(batches, HOUR + 6_000, Some(6_000 - 10 - 1_050));
        check(&batches[..1], HOUR + 6_000, None);
    }

    #[test]
    fn a_file_through_a_pipe_has_no_pace_whoever_is_slow() {
        const HOUR: i64 = 3_600_000;
        check(&[(&[0, 60_000], HOUR), (&[60_001, 90_000], HOUR + 20)], HOUR + 9_000, None);
        // Its sender stopped for ten seconds.
        check(&[(&[0], HOUR), (&[10], HOUR + 10_000)], HOUR + 12_000, None);
    }
}
