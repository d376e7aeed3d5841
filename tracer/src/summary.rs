//! What was read, what was found, and what was lost, each by reason. Printed at the end, and
//! written as JSON by `--summary`; `tracer/docs/formats.md` describes the fields.

use crate::edges::Edge;
use crate::exchange::{Exchange, ProtocolIndex, Sort, State};
use crate::join::LooseKey;
use crate::losses::LostInterval;
use crate::metrics::Latency;
use crate::numbers::grouped;
use crate::operations::{Service, not_told_apart};
use crate::points::{Apart, Point};
use crate::span::Trace;
use crate::unknown::{Unknown, UnknownServer};
use serde::Serialize;
use std::collections::BTreeMap;
use wirespan_capture::counters::Counters;
use wirespan_capture::source::alignment::Alignment;
use wirespan_capture::source::live::Counted;

/// By how much a clock differs from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockOffset {
    /// What has it: the file, and its interfaces where these have several.
    pub name: String,
    /// What has the other one.
    pub against: String,
    /// The moment of which this is told, by this clock, in nanoseconds since 1970.
    pub since: i64,
    /// By how many nanoseconds it is ahead then; negative if it is behind.
    pub ahead: i64,
    /// Nanoseconds by which that may be wrong.
    pub error: u64,
    /// By how many parts in a billion it runs too fast.
    pub drift: i64,
    /// Parts in a billion by which that may be wrong.
    pub drift_error: u64,
    /// What both have seen.
    pub sightings: usize,
    /// Whether times were set right by it.
    pub used: bool,
}

impl ClockOffset {
    /// What was found out before the packets were read; each clock once.
    pub fn of(alignments: &[Alignment]) -> Vec<Self> {
        let one = |found: &Alignment| Self {
            name: found.name.clone(),
            against: found.against.clone(),
            since: found.offset.since.0,
            ahead: found.offset.ahead,
            error: found.error,
            drift: found.offset.drift,
            drift_error: found.drift_error,
            sightings: found.sightings,
            used: found.used,
        };
        let mut clocks: Vec<Self> = alignments.iter().map(one).collect();
        clocks.dedup();
        clocks
    }
}

/// All counts of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The version of this schema.
    pub schema: u32,
    /// Packets that were read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Packets by what became of them.
    pub packets_by: BTreeMap<String, u64>,
    /// TCP connections and UDP flows.
    pub flows: u64,
    /// Connections that were answered from another address than they were opened to.
    pub redirected: u64,
    /// What the kernel counted where packets were captured live, by interface.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<Captured>,
    /// Interfaces and VLANs that packets were seen on.
    pub taps: usize,
    /// Their names.
    pub tap_names: Vec<String>,
    /// What was read where spans are joined and not packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans_read: Option<SpansRead>,
    /// Places that see both directions: how many.
    pub points: usize,
    /// What they are.
    pub point_list: Vec<Point>,
    /// Places that were or could have been one point by some flows, but are not by others.
    pub apart: Vec<Apart>,
    /// Clocks that differ from others, as far as that was found out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<ClockOffset>,
    /// What the user should know of the options.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// Messages that were decoded.
    pub messages: u64,
    /// Requests with their responses, by protocol; seen at several points, they count once.
    pub exchanges: BTreeMap<String, u64>,
    /// How long they took, by protocol.
    pub latency: BTreeMap<String, Latency>,
    /// Requests without a response, by protocol.
    pub open: BTreeMap<String, u64>,
    /// Why requests have no response.
    pub open_by: BTreeMap<String, u64>,
    /// Logins and other steps that carry no call, by protocol.
    pub handshakes: BTreeMap<String, u64>,
    /// Messages that await no answer, by protocol.
    pub one_way: BTreeMap<String, u64>,
    /// Connections that failed, by how.
    pub failed_connections: BTreeMap<String, u64>,
    /// Exchanges, each at each point that saw it.
    pub spans: u64,
    /// Packets that the capture lost, by interface.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub drops: BTreeMap<String, u64>,
    /// When something was lost or shed, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LostInterval>,
    /// Spans that were there at the time, by what was lost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub touched: BTreeMap<String, u64>,
    /// Links between spans, by reason.
    pub links: BTreeMap<String, u64>,
    /// Trees of spans.
    pub traces: u64,
    /// Traces of more than one exchange.
    pub joined_traces: u64,
    /// Why nothing joined, or little, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjoined: Option<String>,
    /// What of it was shown, where that is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// What was sent to a collector, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// What was asked of whom, those first on whom most time was spent; empty where nobody asked
    /// for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// Who calls whom, as `services`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// What could not be had, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Flows that no protocol recognised, by server, those with most bytes first.
    pub unread: Vec<UnknownServer>,
    /// The same by the server's port.
    pub unknown_ports: BTreeMap<u16, Unknown>,
    /// Identifiers that repeated without end and joined nothing, and how often each came.
    pub repeating_ids: BTreeMap<String, u64>,
    /// The same by the ids themselves, of which secret ones share a name.
    #[serde(skip)]
    pub repeating: BTreeMap<LooseKey, u64>,
    /// Traces that were settled early, by the limit that was reached.
    pub settled_early: BTreeMap<String, u64>,
    /// What was wrong with the files.
    pub damage: Vec<String>,
    /// The largest memory that the process had, in bytes.
    pub peak_rss_bytes: u64,
    /// User and system time of the process, in seconds.
    pub cpu_seconds: f64,
    /// The first and the last packet time, nanoseconds since 1970.
    pub from: Option<i64>,
    /// See `from`.
    pub to: Option<i64>,
}

impl Summary {
    /// Seconds from the first packet to the last one.
    pub fn seconds(&self) -> Option<f64> {
        let nanoseconds = self.to?.checked_sub(self.from?)?;
        (nanoseconds > 0).then_some(nanoseconds as f64 / 1e9)
    }
}

/// Spans that were read to be joined anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SpansRead {
    /// The files.
    pub files: u64,
    /// The spans in them.
    pub spans: u64,
    /// Their bytes, uncompressed.
    pub bytes: u64,
    /// Lines of other types, which were skipped.
    pub lines_skipped: u64,
}

/// What was shown of all traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Traces that were shown.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Traces that were wanted, also those for which there was no room.
    pub matched: u64,
}

/// What was sent to a collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Where to, without what may be secret.
    pub endpoint: String,
    /// Spans that were taken there.
    pub spans: u64,
    /// Spans that it did not take of requests of which it took the rest.
    pub rejected: u64,
    /// Spans of requests that could not be sent, or that it did not take.
    pub dropped: u64,
    /// Requests, each counted once.
    pub requests: u64,
    /// How often one was tried again.
    pub retries: u64,
    /// What the collector said, or why it said nothing, and how many spans were lost with it.
    pub reasons: BTreeMap<String, u64>,
}

impl Sent {
    /// Spans that are done with.
    pub fn done(&self) -> u64 {
        self.spans + self.rejected + self.dropped
    }

    /// Notes why so many spans were lost.
    pub fn told(&mut self, why: &str, spans: u64) {
        let why = if why.is_empty() { "no reason was given" } else { why };
        let is_known = self.reasons.contains_key(why);
        let why = if is_known || self.reasons.len() < REASONS { why } else { "other reasons" };
        add(&mut self.reasons, why, spans);
    }

    fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [spans, requests] = [self.spans, self.requests].map(grouped);
        let s = if self.requests == 1 { "" } else { "s" };
        write!(f, "sent      {spans} spans in {requests} request{s} to {}", self.endpoint)?;
        for (count, what) in
            [(self.rejected, "rejected"), (self.dropped, "dropped"), (self.retries, "retries")]
        {
            if count > 0 {
                write!(f, ", {} {what}", grouped(count))?;
            }
        }
        writeln!(f)?;
        // What the collector said of spans that it took.
        for (said, _) in self.reasons.iter().filter(|(_, spans)| **spans == 0) {
            writeln!(f, "collector {said}")?;
        }
        Ok(())
    }

    /// Why spans were lost, if some were.
    pub fn lost(&self) -> Option<String> {
        let lost = self.rejected + self.dropped;
        let mut reasons: Vec<_> = self.reasons.iter().filter(|(_, spans)| **spans > 0).collect();
        reasons.sort_by_key(|(_, spans)| std::cmp::Reverse(**spans));
        let reason = reasons.first().map_or("no reason was given", |(reason, _)| reason);
        let more = match reasons.len() {
            0 | 1 => String::new(),
            all => format!("; and {} more reasons (--summary FILE)", all - 1),
        };
        let s = if lost == 1 { "" } else { "s" };
        (lost > 0).then(|| format!("{} span{s} not taken: {reason}{more}", grouped(lost)))
    }
}

/// Reasons that are told apart.
const REASONS: usize = 20;

impl Summary {
    /// Counts a trace.
    pub fn trace(&mut self, trace: &Trace, protocols: &[String]) {
        self.traces += 1;
        let exchanges = trace.exchanges();
        self.joined_traces += u64::from(exchanges.len() > 1);
        for span in exchanges {
            self.exchange(&span.exchange, protocols);
        }
        for span in &trace.spans {
            self.spans += 1;
            for name in span.exchange.touched.names() {
                add(&mut self.touched, name, 1);
            }
            if let Some(link) = &span.link {
                add(&mut self.links, link.reason.name(), 1);
            }
            for link in &span.span_links {
                add(&mut self.links, link.reason.name(), 1);
            }
        }
    }

    fn exchange(&mut self, exchange: &Exchange, protocols: &[String]) {
        let protocol = protocol_name(exchange.protocol, protocols);
        match (exchange.sort, exchange.state) {
            (Sort::Connect, state) => add(&mut self.failed_connections, state.name(), 1),
            (Sort::OneWay | Sort::End, _) => add(&mut self.one_way, protocol, 1),
            (Sort::Handshake, _) => add(&mut self.handshakes, protocol, 1),
            (Sort::Call, State::Complete) => add(&mut self.exchanges, protocol, 1),
            (Sort::Call, state) => {
                add(&mut self.open, protocol, 1);
                add(&mut self.open_by, state.name(), 1);
            }
        }
    }

    /// Takes over the counts of packets and streams.
    pub fn counters(&mut self, counters: &Counters) {
        self.packets = counters.packets;
        self.bytes = counters.bytes;
        self.flows = counters.flows;
        self.redirected = counters.redirected;
        counters.each(&mut |name, value| {
            if value == 0 || ["packets", "bytes", "flows", "redirected"].contains(&name) {
                return;
            }
            let lost =
                ["_lost", "gap", "bad_", "evicted", "unknown_link", "cut", "too_deep", "_shed"];
            let map = if lost.iter().any(|part| name.contains(part)) {
                &mut self.lost
            } else {
                &mut self.packets_by
            };
            add(map, name, value);
        });
    }
}

/// What the kernel counted on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Captured {
    /// The interface.
    pub interface: String,
    /// Packets that passed the filter, those dropped among them, and those that libpcap leaves out
    /// then: with `-Q` of the other direction, on a loopback the copies that go out.
    pub received: u64,
    /// Those that the kernel dropped, as the ring was full.
    pub dropped: u64,
    /// Those that the interface says that it dropped itself.
    pub dropped_by_interface: u64,
}

impl From<Counted> for Captured {
    fn from(counted: Counted) -> Self {
        let Counted { name, received, dropped, dropped_by_interface, .. } = counted;
        Self { interface: name, received, dropped, dropped_by_interface }
    }
}

/// Adds to a count by name.
pub fn add(map: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match map.get_mut(name) {
        Some(value) => *value += count,
        None => {
            map.insert(name.to_owned(), count);
        }
    }
}

/// The name of a protocol in the output.
pub fn protocol_name(protocol: ProtocolIndex, protocols: &[String]) -> &str {
    protocol.name(protocols)
}

/// The version of the summary's schema.
pub const SCHEMA: u32 = 1;

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |map: &BTreeMap<String, u64>| {
            let parts = map
                .iter()
                .map(|(name, count)| format!("{} {}", grouped(*count), name.replace('_', " ")));
            parts.collect::<Vec<_>>().join(", ")
        };
        let s = |count| if count == 1 { "" } else { "s" };
        match &self.spans_read {
            None => writeln!(
                f,
                "read      {} packets, {} bytes, {} flows, {} tap{}",
                grouped(self.packets),
                grouped(self.bytes),
                grouped(self.flows),
                self.taps,
                s(self.taps as u64),
            )?,
            Some(read) => {
                let [spans, bytes, files] = [read.spans, read.bytes, read.files].map(grouped);
                let s = s(read.files);
                write!(f, "read      {spans} spans, {bytes} bytes, {files} file{s}")?;
                match read.lines_skipped {
                    0 => writeln!(f)?,
                    skipped => writeln!(f, ", {} other lines skipped", grouped(skipped))?,
                }
            }
        }
        for captured in self.captured.iter().take(SHOWN) {
            let [received, dropped, by_interface] =
                [captured.received, captured.dropped, captured.dropped_by_interface].map(grouped);
            let interface = &captured.interface;
            write!(f, "kernel    {received} received on {interface}, {dropped} of them dropped")?;
            match captured.dropped_by_interface {
                0 => writeln!(f)?,
                _ => writeln!(f, ", {by_interface} dropped by the interface")?,
            }
        }
        self.describe_points(f)?;
        for (title, map) in [
            ("packets", &self.packets_by),
            ("exchanges", &self.exchanges),
            ("open", &self.open),
            ("because", &self.open_by),
            ("handshake", &self.handshakes),
            ("one-way", &self.one_way),
            ("failed", &self.failed_connections),
        ] {
            if !map.is_empty() {
                writeln!(f, "{title:<9} {}", list(map))?;
            }
        }
        for (protocol, latency) in &self.latency {
            let [p50, p90, p99, max] = [latency.p50, latency.p90, latency.p99, latency.max]
                .map(|nanoseconds| nanoseconds as f64 / 1e6);
            writeln!(
                f,
                "latency   {protocol} p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"
            )?;
        }
        writeln!(
            f,
            "traces    {} of {} spans, {} of more than one",
            grouped(self.traces),
            grouped(self.spans),
            grouped(self.joined_traces)
        )?;
        if let Some(why) = &self.unjoined {
            writeln!(f, "joined    {why}")?;
        }
        if let Some(shown) = &self.shown {
            let of = [grouped(shown.traces), grouped(self.traces)];
            write!(f, "shown     {} of {} traces", of[0], of[1])?;
            match shown.matched - shown.traces {
                0 => writeln!(f)?,
                more => writeln!(f, ", {} more matched", grouped(more))?,
            }
        }
        if let Some(sent) = &self.sent {
            sent.describe(f)?;
        }
        for (title, map) in
            [("links", &self.links), ("lost", &self.lost), ("early", &self.settled_early)]
        {
            if !map.is_empty() {
                writeln!(f, "{title:<9} {}", list(map))?;
            }
        }
        self.describe_losses(f)?;
        for (id, times) in self.repeating_ids.iter().take(SHOWN) {
            writeln!(f, "repeats   {id} came {} times and joins nothing", grouped(*times))?;
        }
        if self.repeating_ids.len() > SHOWN {
            writeln!(f, "repeats   {} more identifiers", self.repeating_ids.len() - SHOWN)?;
        }
        match not_told_apart(&self.services) {
            0 => {}
            calls => {
                writeln!(f, "other     {} calls, not told apart in the table", grouped(calls))?
            }
        }
        for unknown in self.unread.iter().take(SHOWN) {
            writeln!(f, "unread    {unknown}")?;
        }
        if self.unread.len() > SHOWN {
            writeln!(f, "unread    {} more servers", self.unread.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl Summary {
    /// Says how much was lost and when, and how many spans that touches.
    fn describe_losses(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (interface, packets) in self.drops.iter().take(SHOWN) {
            writeln!(f, "drops     {} packets on {interface}", grouped(*packets))?;
        }
        if self.drops.len() > SHOWN {
            writeln!(f, "drops     on {} more interfaces", self.drops.len() - SHOWN)?;
        }
        let since = |at: i64| at.saturating_sub(self.from.unwrap_or(at)) as f64 / 1e9;
        for loss in self.losses.iter().take(SHOWN) {
            let [from, to] = [loss.from, loss.to].map(since);
            let packets = grouped(loss.packets);
            write!(f, "lost      {from:.3} s to {to:.3} s after the start: {packets} packets ")?;
            match (loss.share, &loss.interface) {
                (None, Some(interface)) => writeln!(f, "on {interface}")?,
                (None, None) => writeln!(f, "of the capture")?,
                (Some(share), _) if share > 0.0 => {
                    writeln!(f, "shed, with up to {:.0} % of all flows", share * 100.0)?;
                }
                (Some(_), _) => writeln!(f, "shed; bodies and details were left out")?,
            }
        }
        if self.losses.len() > SHOWN {
            let more = self.losses.len() - SHOWN;
            writeln!(f, "lost      at {} more times (--summary FILE)", grouped(more as u64))?;
        }
        if !self.touched.is_empty() {
            let touched = self.touched.iter();
            let touched = touched.map(|(what, spans)| format!("{} by {what}", grouped(*spans)));
            let touched: Vec<String> = touched.collect();
            writeln!(f, "touched   {} (~): what they lack may be lost", touched.join(", "))?;
        }
        Ok(())
    }

    /// Says which points there are, where they are not simply all taps.
    fn describe_points(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.redirected > 0 {
            let s = if self.redirected == 1 { "" } else { "s" };
            let count = grouped(self.redirected);
            writeln!(f, "redirects {count} connection{s} answered from another address")?;
        }
        let told = self.point_list.iter().filter(|point| point.because.is_some());
        if self.points != self.taps {
            let s = if self.points == 1 { "" } else { "s" };
            writeln!(f, "points    {} capture point{s}", self.points)?;
        }
        for point in told.clone().take(SHOWN) {
            let because = point.because.as_deref().unwrap_or_default();
            writeln!(f, "point     {}: {because}", point.name)?;
        }
        let more = told.count().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(f, "point     {more} more")?;
        }
        for apart in self.apart.iter().take(SHOWN) {
            let [one, other] = &apart.taps;
            writeln!(
                f,
                "point     {one} and {other} are two: each saw one side of {} flows, but {} say \
                 otherwise (--point NAME={one},{other} makes them one)",
                apart.split,
                apart.against + apart.whole
            )?;
        }
        Ok(())
    }
}

/// Lines of one kind that are shown.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_kernel_are_told_apart_from_what_was_read() {
        let lo = Counted { name: "lo".to_owned(), received: 80_014, ..Counted::default() };
        let eth0 = Counted {
            name: "eth0".to_owned(),
            received: 9_000,
            dropped: 1_204,
            dropped_by_interface: 7,
            ..Counted::default()
        };
        let captured = [lo, eth0].map(Captured::from).to_vec();
        let text = Summary { packets: 40_007, captured, ..Summary::default() }.to_string();
        for line in [
            "read      40,007 packets",
            "kernel    80,014 received on lo, 0 of them dropped\n",
            "kernel    9,000 received on eth0, 1,204 of them dropped, 7 dropped by the interface\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
