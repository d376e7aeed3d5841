//! A snapshot as people read it: some lines, each behind a word, as the counts at the end of a run.

use super::{InterfaceVitals, Vitals};
use crate::numbers::{bytes_text, grouped, percent, rate_text};
use std::collections::BTreeMap;
use std::fmt;
use wirespan_capture::packet::Timestamp;

/// A snapshot, and what it is compared with: a rate is the change since that one.
#[derive(Clone, Copy, Debug)]
pub struct Report<'v> {
    before: Option<&'v Vitals>,
    now: &'v Vitals,
}

impl<'v> Report<'v> {
    /// Of this snapshot, without rates.
    pub fn of(now: &'v Vitals) -> Self {
        Self { before: None, now }
    }

    /// Of this snapshot, with what has changed a second since an earlier one.
    pub fn since(before: &'v Vitals, now: &'v Vitals) -> Self {
        Self { before: Some(before), now }
    }

    /// Seconds between both, where the clock of the machine tells them.
    fn seconds(&self) -> Option<f64> {
        let nanoseconds = self.now.live.at?.0.checked_sub(self.before?.live.at?.0)?;
        (nanoseconds > 0).then_some(nanoseconds as f64 / 1e9)
    }

    /// How often in a second this grew, in brackets; nothing where it did not, or that is not known.
    fn rate(&self, of: impl Fn(&Vitals) -> u64, text: impl Fn(f64) -> String) -> String {
        let (Some(seconds), Some(before)) = (self.seconds(), self.before) else {
            return String::new();
        };
        let more = of(self.now).saturating_sub(of(before));
        if more == 0 {
            return String::new();
        }
        format!(" (+{}/s)", text(more as f64 / seconds))
    }

    fn count(&self, what: &str, of: impl Fn(&Vitals) -> u64) -> String {
        let count = of(self.now);
        format!("{} {what}{}", grouped(count), self.rate(of, rate_text))
    }

    /// Each count of a map, with its rate.
    fn counts(&self, of: impl Fn(&Vitals) -> &BTreeMap<String, u64>) -> String {
        let names = of(self.now).keys();
        let text = |name: &String| {
            let count = |vitals: &Vitals| of(vitals).get(name).copied().unwrap_or_default();
            self.count(&name.replace('_', " "), count)
        };
        names.map(text).collect::<Vec<_>>().join(", ")
    }

    fn process(&self) -> String {
        let live = &self.now.live;
        let mut parts = Vec::new();
        if let Some((at, began)) = live.at.zip(live.began) {
            parts.push(format!("running for {}", duration(at.0.saturating_sub(began.0))));
        }
        if let Some(process) = live.process {
            let before = self.before.and_then(|before| before.live.process);
            parts.push(match (self.seconds(), before) {
                (Some(seconds), Some(before)) => {
                    let used = 100.0 * (process.cpu_seconds - before.cpu_seconds) / seconds;
                    format!("{used:.1} % of a CPU")
                }
                _ => format!("{:.1} s of CPU", process.cpu_seconds),
            });
            if process.resident_bytes > 0 {
                parts.push(format!("{} of memory", bytes_text(process.resident_bytes)));
            }
        }
        if let Some(lag) = self.now.lag() {
            parts.push(format!("{} behind the clock", short(lag)));
        }
        parts.join(", ")
    }

    fn interface(&self, place: usize, interface: &InterfaceVitals) -> String {
        let InterfaceVitals { name, received, dropped, dropped_by_interface, ring_bytes } =
            interface;
        let of = |f: fn(&InterfaceVitals) -> u64| {
            move |vitals: &Vitals| vitals.live.interfaces.get(place).map_or(0, f)
        };
        let mut text = format!(
            "{name}: {} received{}, {} dropped{}",
            grouped(*received),
            self.rate(of(|one| one.received), rate_text),
            grouped(*dropped),
            self.rate(of(|one| one.dropped), rate_text),
        );
        if *dropped > 0 {
            text += &format!(", {} %", percent(*dropped, *received));
        }
        if *dropped_by_interface > 0 {
            text += &format!(", {} dropped by the interface", grouped(*dropped_by_interface));
        }
        if *ring_bytes > 0 {
            text += &format!(", ring of {}", bytes_text(*ring_bytes));
        }
        text
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, joined) = (self.now, &self.now.joined);
        let mut line = |title: &str, text: &str| match text {
            "" => Ok(()),
            text => writeln!(f, "{title:<9} {text}"),
        };
        let at = now.live.at.map(clock).unwrap_or_default();
        line("at", &at)?;
        line("process", &self.process())?;
        let bytes = self.rate(|vitals| vitals.counters.bytes, |rate| bytes_text(rate as u64));
        let read = format!(
            "{}, {}{bytes}, {} flows, {} of them open",
            self.count("packets", |vitals| vitals.counters.packets),
            bytes_text(now.counters.bytes),
            grouped(now.counters.flows),
            grouped(now.flows),
        );
        line("read", &read)?;
        for (place, interface) in now.live.interfaces.iter().enumerate() {
            line("kernel", &self.interface(place, interface))?;
        }
        let (packets, lost) = now.sorted();
        line("packets", &list(packets.iter().map(|(name, count)| (name.as_str(), *count))))?;
        line("messages", &self.count("decoded", |vitals| vitals.messages))?;
        line("exchanges", &self.counts(|vitals| &vitals.joined.exchanges))?;
        let wait = format!(
            "{} for responses, {} for the rest of their traces",
            grouped(now.open_requests),
            grouped(now.held),
        );
        line("waiting", &wait)?;
        line("open", &self.counts(|vitals| &vitals.joined.open_by))?;
        line("handshake", &self.counts(|vitals| &vitals.joined.handshakes))?;
        line("one-way", &self.counts(|vitals| &vitals.joined.one_way))?;
        line("failed", &self.counts(|vitals| &vitals.joined.failed_connections))?;
        let traces = format!(
            "{} of {}, {} of more than one",
            self.count("settled", |vitals| vitals.joined.traces),
            self.count("spans", |vitals| vitals.joined.spans),
            grouped(joined.joined_traces),
        );
        line("traces", &traces)?;
        // The rates of losses say whether something is wrong now, or was once.
        let earlier = self.before.map(|before| before.sorted().1);
        let losses = lost.iter().map(|(name, count)| {
            let earlier = earlier.as_ref().map(|lost| lost.get(name).copied().unwrap_or_default());
            let more = earlier.map_or(0, |earlier| count.saturating_sub(earlier));
            let rate = self.seconds().filter(|_| more > 0);
            let rate = rate.map(|seconds| format!(" (+{}/s)", rate_text(more as f64 / seconds)));
            let rate = rate.unwrap_or_default();
            format!("{} {}{rate}", grouped(*count), name.replace('_', " "))
        });
        line("lost", &losses.collect::<Vec<_>>().join(", "))?;
        line("early", &self.counts(|vitals| &vitals.joined.settled_early))?;
        if joined.repeating_ids > 0 {
            let ids = grouped(joined.repeating_ids);
            line("repeats", &format!("{ids} identifiers repeat and join nothing"))?;
        }
        line("shed", &list(now.live.shed.each()))?;
        let queues = now.live.queues.iter().map(|queue| {
            format!("{} {} of {}", queue.name, grouped(queue.depth), grouped(queue.limit))
        });
        line("queues", &queues.collect::<Vec<_>>().join(", "))
    }
}

/// Those counts that are not 0.
fn list<'n>(counts: impl IntoIterator<Item = (&'n str, u64)>) -> String {
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts =
        counts.map(|(name, count)| format!("{} {}", grouped(count), name.replace('_', " ")));
    counts.collect::<Vec<_>>().join(", ")
}

/// A moment to the second, in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    format!("{} UTC", time_of_day(at))
}

/// The same without the name of the clock.
pub(super) fn time_of_day(at: Timestamp) -> String {
    let second = at.0.div_euclid(SECOND).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// How long something has lasted, in two units at most.
fn duration(nanoseconds: i64) -> String {
    let seconds = nanoseconds.max(0) / SECOND;
    let [days, hours, minutes] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60];
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A duration that is mostly short.
fn short(nanoseconds: i64) -> String {
    match nanoseconds as f64 / 1e6 {
        ms if ms < 0.5 => "0 ms".to_owned(),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1e3),
        _ => duration(nanoseconds),
    }
}

const SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::super::{ProcessVitals, QueueVitals, Shed};
    use super::*;

    fn vitals(second: i64, factor: u64) -> Vitals {
        let mut vitals = Vitals {
            reached: Some(Timestamp((1_000 + second) * SECOND - 12_000_000)),
            flows: 3,
            messages: 240 * factor,
            open_requests: 2,
            held: 30,
            ..Vitals::default()
        };
        vitals.counters.packets = 1_200 * factor;
        vitals.counters.bytes = 1_000_000 * factor;
        vitals.counters.flows = 40;
        vitals.counters.copies = 7;
        vitals.counters.gaps = 5 * factor;
        vitals.lose("requests_evicted", factor);
        vitals.joined.exchanges.insert("http".to_owned(), 100 * factor);
        vitals.joined.exchanges.insert("redis".to_owned(), 20);
        vitals.joined.open_by.insert("timed_out".to_owned(), 1);
        (vitals.joined.spans, vitals.joined.traces, vitals.joined.joined_traces) = (120, 60, 40);
        vitals.joined.settled_early.insert("held".to_owned(), 9);
        vitals.live.at = Some(Timestamp((1_000 + second) * SECOND));
        vitals.live.began = Some(Timestamp(900 * SECOND));
        vitals.live.interfaces = vec![InterfaceVitals {
            name: "eth0".to_owned(),
            received: 2_000 * factor,
            dropped: 20 * factor,
            dropped_by_interface: 1,
            ring_bytes: 64 << 20,
        }];
        vitals.live.shed = Shed { traces: 4, ..Shed::default() };
        vitals.live.queues =
            vec![QueueVitals { name: "output", depth: 3, limit: 64, traces_shed: 0 }];
        vitals.live.process = Some(ProcessVitals {
            cpu_seconds: 1.5 * factor as f64,
            resident_bytes: 84_000_000,
            peak_bytes: 90_000_000,
        });
        vitals
    }

    #[test]
    fn first_report_has_no_rates() {
        let now = vitals(0, 1);
        let expected = "\
at        00:16:40 UTC
process   running for 1 min 40 s, 1.5 s of CPU, 84.0 MB of memory, 12 ms behind the clock
read      1,200 packets, 1.0 MB, 40 flows, 3 of them open
kernel    eth0: 2,000 received, 20 dropped, 1.0 %, 1 dropped by the interface, ring of 67.1 MB
packets   7 copies
messages  240 decoded
exchanges 100 http, 20 redis
waiting   2 for responses, 30 for the rest of their traces
open      1 timed out
traces    60 settled of 120 spans, 40 of more than one
lost      5 gaps, 1 requests evicted
early     9 held
shed      4 traces
queues    output 3 of 64
";
        assert_eq!(Report::of(&now).to_string(), expected);
    }

    #[test]
    fn later_reports_say_what_has_changed_in_a_second() {
        let (before, now) = (vitals(0, 1), vitals(10, 3));
        let text = Report::since(&before, &now).to_string();
        for line in [
            "process   running for 1 min 50 s, 30.0 % of a CPU, 84.0 MB of memory, 12 ms behind",
            "read      3,600 packets (+240/s), 3.0 MB (+200 kB/s), 40 flows, 3 of them open",
            "kernel    eth0: 6,000 received (+400/s), 60 dropped (+4.00/s), 1.0 %, ",
            "exchanges 300 http (+20.0/s), 20 redis",
            "lost      15 gaps (+1.00/s), 3 requests evicted (+0.20/s)",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_does_not_come_live_has_only_its_counts() {
        let now = Vitals::default();
        let expected = "\
read      0 packets, 0 bytes, 0 flows, 0 of them open
messages  0 decoded
waiting   0 for responses, 0 for the rest of their traces
traces    0 settled of 0 spans, 0 of more than one
";
        assert_eq!(Report::of(&now).to_string(), expected);
    }

    #[test]
    fn durations_are_short() {
        let texts = [5, 65, 3_700, 90_000].map(|seconds| duration(seconds * SECOND));
        assert_eq!(texts, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!([0, 12_000_000, 1_500_000_000].map(short), ["0 ms", "12 ms", "1.5 s"]);
    }
}
