//! Packets that the kernel dropped, as warnings: one line for each interval in which there were
//! some. In go snapshots, out come lines; however often there are drops, the lines become rare, and
//! what they leave out is in the next one.

use super::Vitals;
use super::report::time_of_day;
use crate::numbers::{grouped, percent};
use wirespan_capture::packet::Timestamp;

/// Warns of packets that the kernel dropped.
///
/// What an interface or its driver dropped is no reason to warn: on many of them this counts
/// packets that nobody had asked for.
#[derive(Debug, Default)]
pub struct Drops {
    /// What was counted at the last look, by interface.
    seen: Vec<Counted>,
    /// What was not told yet.
    untold: Vec<Untold>,
    /// When the last look was.
    looked: Option<Timestamp>,
    /// Before this moment nothing is said.
    silent_until: Option<Timestamp>,
    /// How long nothing will be said behind the next line.
    pause: i64,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    name: String,
    received: u64,
    dropped: u64,
}

#[derive(Clone, Debug)]
struct Untold {
    counted: Counted,
    /// The looks before and at which there were drops first and last.
    from: Timestamp,
    to: Timestamp,
}

impl Drops {
    /// Looks at a snapshot, mostly one a second. Gives a warning if the kernel has dropped packets
    /// that no warning has told of, and none was said within the pause: 1 s first, then twice as
    /// long each time, up to a minute; a minute without drops begins anew.
    pub fn look(&mut self, vitals: &Vitals) -> Option<String> {
        let now = vitals.live.at?;
        let from = self.looked.replace(now).or(vitals.live.began).unwrap_or(now);
        for interface in &vitals.live.interfaces {
            let counted = Counted {
                name: interface.name.clone(),
                received: interface.received,
                dropped: interface.dropped,
            };
            self.note(counted, from, now);
        }
        if self.untold.is_empty() {
            let is_long_ago = |until: Timestamp| now >= until.plus(LONGEST);
            if self.silent_until.is_some_and(is_long_ago) {
                (self.silent_until, self.pause) = (None, 0);
            }
            return None;
        }
        if self.silent_until.is_some_and(|until| now < until) {
            return None;
        }
        self.pause = (2 * self.pause).clamp(SHORTEST, LONGEST);
        self.silent_until = Some(now.plus(self.pause));
        self.flush()
    }

    /// What no warning has told of; for the end of a run.
    pub fn flush(&mut self) -> Option<String> {
        let untold = std::mem::take(&mut self.untold);
        let from = untold.iter().map(|one| one.from).min()?;
        let to = untold.iter().map(|one| one.to).max()?;
        let texts: Vec<String> = untold
            .iter()
            .map(|Untold { counted: Counted { name, received, dropped }, .. }| {
                let s = if *dropped == 1 { "" } else { "s" };
                // What was dropped is among what was received, but both are not read at once. Both
                // count also what libpcap leaves out only then, so that the share is right.
                let of = (*received).max(*dropped);
                let share = percent(*dropped, of);
                let [dropped, of] = [*dropped, of].map(grouped);
                format!("{dropped} packet{s} on {name} ({share} % of {of})")
            })
            .collect();
        Some(format!(
            "wirespan: warning: {} to {} UTC: the kernel dropped {}; a larger ring (-B), a \
             filter or more CPU (--max-cpu, --workers) help",
            time_of_day(from),
            time_of_day(to),
            texts.join(", "),
        ))
    }

    fn note(&mut self, now: Counted, from: Timestamp, to: Timestamp) {
        let place = self.seen.iter().position(|one| one.name == now.name);
        let before = match place.and_then(|place| self.seen.get_mut(place)) {
            Some(before) => std::mem::replace(before, now.clone()),
            None => {
                self.seen.push(now.clone());
                Counted::default()
            }
        };
        // An interface that came back counts anew.
        let is_new = now.dropped < before.dropped || now.received < before.received;
        let before = if is_new { Counted::default() } else { before };
        let dropped = now.dropped - before.dropped;
        let received = now.received - before.received;
        match self.untold.iter_mut().find(|one| one.counted.name == now.name) {
            Some(untold) => {
                untold.counted.dropped += dropped;
                untold.counted.received += received;
                if dropped > 0 {
                    untold.to = to;
                }
            }
            None if dropped > 0 => {
                let counted = Counted { name: now.name, received, dropped };
                self.untold.push(Untold { counted, from, to });
            }
            None => {}
        }
    }
}

/// How long nothing is said behind the first warning, in nanoseconds.
const SHORTEST: i64 = 1_000_000_000;
/// How long nothing is said at most.
const LONGEST: i64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::super::InterfaceVitals;
    use super::*;

    fn at(second: i64, interfaces: &[(&str, u64, u64)]) -> Vitals {
        let mut vitals = Vitals::default();
        vitals.live.at = Some(Timestamp(second * SHORTEST));
        vitals.live.began = Some(Timestamp(0));
        let interfaces = interfaces.iter().map(|(name, received, dropped)| InterfaceVitals {
            name: (*name).to_owned(),
            received: *received,
            dropped: *dropped,
            ..InterfaceVitals::default()
        });
        vitals.live.interfaces = interfaces.collect();
        vitals
    }

    #[test]
    fn a_warning_says_when_how_many_and_what_helps() {
        let mut drops = Drops::default();
        assert_eq!(drops.look(&at(3_600, &[("eth0", 100, 0), ("eth1", 0, 0)])), None);
        assert_eq!(
            drops.look(&at(3_601, &[("eth0", 57_433, 1_204), ("eth1", 10, 1)])).as_deref(),
            Some(
                "wirespan: warning: 01:00:00 to 01:00:01 UTC: the kernel dropped 1,204 packets on \
                 eth0 (2.1 % of 57,333), 1 packet on eth1 (10 % of 10); a larger ring (-B), a \
                 filter or more CPU (--max-cpu, --workers) help"
            )
        );
        assert_eq!(drops.look(&at(3_602, &[("eth0", 60_000, 1_204), ("eth1", 20, 1)])), None);
        assert_eq!(drops.flush(), None);
    }

    #[test]
    fn warnings_become_rare_and_lose_nothing() {
        let mut drops = Drops::default();
        let mut said = Vec::new();
        let mut told = 0;
        for second in 1..=300 {
            let dropped = 10 * second as u64;
            if let Some(line) = drops.look(&at(second, &[("eth0", 10 * dropped, dropped)])) {
                said.push(second);
                told += count(&line);
            }
        }
        assert_eq!(said, [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
        told += count(&drops.flush().unwrap());
        assert_eq!(told, 3_000);
    }

    fn count(line: &str) -> u64 {
        let (_, rest) = line.split_once("dropped ").unwrap();
        rest.split(' ').next().unwrap().replace(',', "").parse().unwrap()
    }

    #[test]
    fn after_a_quiet_minute_it_warns_at_once_again() {
        let mut drops = Drops::default();
        let mut said = Vec::new();
        for second in 1..=200 {
            let dropped = (second.min(5) + (second - 150).max(0)) as u64;
            if drops.look(&at(second, &[("eth0", 1_000 + dropped, dropped)])).is_some() {
                said.push(second);
            }
        }
        assert_eq!(said, [1, 2, 4, 8, 151, 152, 154, 158, 166, 182]);
    }

    #[test]
    fn an_interface_that_comes_back_counts_anew() {
        let mut drops = Drops::default();
        assert!(drops.look(&at(1, &[("eth0", 100, 50)])).is_some());
        let line = drops.look(&at(2, &[("eth0", 10, 4)])).unwrap();
        assert!(line.contains("dropped 4 packets on eth0 (40 % of 10)"), "{line}");
    }
}
