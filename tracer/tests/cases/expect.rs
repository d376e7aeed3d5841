//! What must come out of a capture, told in exchanges, and a look at whether it did.

use crate::net::{MS, Net, Part, PointNumber, Tap};
use crate::run::{Capture, Files, Ran, check_traces, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wirespan::exchange::RESOURCE;
use wirespan::span::{LinkKind, Span};

/// What must come out.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    exchanges: Vec<Told>,
    /// What the spans of an exchange say as JSON.
    says: Vec<(String, String)>,
    /// What no span of an exchange says.
    never_says: Vec<(String, String)>,
    /// Numbers that a span of an exchange has at a place of its JSON, at least.
    at_least: Vec<(String, &'static str, i64)>,
    /// Who got a message, who sent it, and the reason that is given.
    messages: Vec<(String, String, &'static str)>,
    /// Packets get lost: what is linked must be right, the rest may be open.
    pub(crate) lossy: bool,
    /// Nanoseconds by which clocks are apart.
    pub(crate) apart: i64,
    /// How far they are apart is told.
    pub(crate) tells_clocks: bool,
    /// A file for each tap, in place of one for all.
    pub(crate) several_files: bool,
    /// Requests are sent twice, or answers are: times are not those of the first and last packet.
    pub(crate) sent_again: bool,
}

/// An exchange that must come out.
#[derive(Debug)]
struct Told {
    name: String,
    /// The points that see it, from the client on.
    points: Vec<PointNumber>,
    /// The exchange that caused it, and the reasons of which one is given.
    under: Option<(String, Vec<&'static str>)>,
    /// A number for those that are one trace.
    trace: usize,
    /// It may as well hang under nothing: there is no evidence, and no wrong one is to be seen.
    open: bool,
}

impl Expected {
    /// An exchange that nothing caused, in a trace of its own.
    pub(crate) fn root(&mut self, name: &str, points: &[PointNumber]) {
        let trace = self.exchanges.len();
        self.add(name, points, None, trace);
    }

    /// An exchange of which nothing tells what caused it: it hangs under that, or under nothing.
    pub(crate) fn open(&mut self, name: &str, points: &[PointNumber], parent: &str) {
        let trace = self.trace_of(parent);
        self.add(name, points, Some((parent.to_owned(), Vec::new())), trace);
        self.exchanges.last_mut().unwrap().open = true;
    }

    /// An exchange that another one caused, for one of these reasons; for any, without one.
    pub(crate) fn under(
        &mut self,
        name: &str,
        points: &[PointNumber],
        parent: &str,
        reasons: &[&'static str],
    ) {
        let trace = self.trace_of(parent);
        self.add(name, points, Some((parent.to_owned(), reasons.to_vec())), trace);
    }

    /// The outermost span of an exchange says this, as JSON.
    pub(crate) fn says(&mut self, name: &str, text: &str) {
        self.says.push((name.to_owned(), text.to_owned()));
    }

    /// No span of an exchange says this, as JSON.
    pub(crate) fn never_says(&mut self, name: &str, text: &str) {
        self.never_says.push((name.to_owned(), text.to_owned()));
    }

    /// An exchange brought a message that another one had sent, which is told for this reason.
    pub(crate) fn message(&mut self, consumer: &str, producer: &str, reason: &'static str) {
        self.messages.push((consumer.to_owned(), producer.to_owned(), reason));
    }

    /// A span of an exchange has at least this number at a place of its JSON (RFC 6901).
    pub(crate) fn at_least(&mut self, name: &str, place: &'static str, number: i64) {
        self.at_least.push((name.to_owned(), place, number));
    }

    fn trace_of(&self, name: &str) -> usize {
        self.exchanges.iter().find(|told| told.name == name).unwrap().trace
    }

    fn add(
        &mut self,
        name: &str,
        points: &[PointNumber],
        under: Option<(String, Vec<&'static str>)>,
        trace: usize,
    ) {
        assert!(self.exchanges.iter().all(|told| told.name != name), "{name} comes twice");
        let (name, points) = (name.to_owned(), points.to_vec());
        self.exchanges.push(Told { name, points, under, trace, open: false });
    }
}

/// What is wrong with what comes of these packets, in words.
pub(crate) fn faults(net: &mut Net, expected: &Expected) -> (Vec<String>, Vec<Vec<u8>>, String) {
    let files = if expected.several_files { Files::each(net) } else { Files::one(net) };
    let capture = Capture::of(net, &files);
    let mut faults = Vec::new();
    let ran = run(&capture, &mut faults);
    check_traces(&ran.traces, expected.apart, &mut faults);
    let found = Found::of(&capture, &ran);
    let look = Look { capture: &capture, ran: &ran, found: &found, points: &net.points };
    if expected.lossy {
        look.at_links(expected, &mut faults);
        return (faults, capture.bytes(), look.trees());
    }
    for told in &expected.exchanges {
        look.at(told, expected, &mut faults);
    }
    look.at_traces(expected, &mut faults);
    look.at_messages(expected, &mut faults);
    if expected.tells_clocks {
        at_clocks(&capture, &ran, &net.taps, &mut faults);
    }
    for name in found.0.keys() {
        if expected.exchanges.iter().all(|told| told.name != *name) {
            faults.push(format!("{name}: nobody knows of it"));
        }
    }
    for (name, text) in &expected.says {
        if !look.lines(name).any(|line| line.contains(text)) {
            faults.push(format!("{name}: no span says {text}"));
        }
    }
    for (name, text) in &expected.never_says {
        if look.lines(name).any(|line| line.contains(text)) {
            faults.push(format!("{name}: a span says {text}"));
        }
    }
    for (name, place, number) in &expected.at_least {
        let found = look.lines(name).filter_map(|line| {
            serde_json::from_str::<Value>(line).unwrap().pointer(place).and_then(Value::as_i64)
        });
        let most = found.max();
        if most.is_none_or(|most| most < *number) {
            faults.push(format!("{name}: {place} is {most:?}, not {number} or more"));
        }
    }
    (faults, capture.bytes(), look.trees())
}

/// What is told of clocks is right, and it is told of each that is off.
fn at_clocks(capture: &Capture<'_>, ran: &Ran, taps: &[Tap], faults: &mut Vec<String>) {
    let mut told = BTreeSet::new();
    for clock in &ran.clocks {
        let against = taps.iter().position(|tap| clock.against.contains(&tap.name));
        let (Some(tap), Some(against)) = (capture.tap_of(clock), against) else {
            faults.push(format!("nobody knows of the clocks {} and {}", clock.name, clock.against));
            continue;
        };
        told.extend([tap, against]);
        let truth = taps[tap].ahead - taps[against].ahead;
        let wrong = clock.offset.ahead.abs_diff(truth);
        if wrong > clock.error || wrong > MS as u64 {
            faults.push(format!(
                "the clock of {} is ahead of {}'s by {truth} ns, not by {} ± {}",
                taps[tap].name, taps[against].name, clock.offset.ahead, clock.error
            ));
        }
    }
    for (number, tap) in taps.iter().enumerate() {
        if tap.ahead != 0 && !told.contains(&number) {
            faults.push(format!("nothing is told of the clock of {}", tap.name));
        }
    }
}

/// The spans of each exchange: trace and place in it.
struct Found(BTreeMap<String, Vec<(usize, usize)>>);

impl Found {
    fn of(capture: &Capture<'_>, ran: &Ran) -> Self {
        let mut found: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (number, trace) in ran.traces.iter().enumerate() {
            for (place, span) in trace.spans.iter().enumerate() {
                if let Some(name) = name(capture, span) {
                    found.entry(name).or_default().push((number, place));
                }
            }
        }
        Self(found)
    }
}

/// The exchange that a span is, by the first packet of its request; logins have no name.
fn name(capture: &Capture<'_>, span: &Span) -> Option<String> {
    let about = &capture.packet(span.exchange.request.first.frame).about;
    match about.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => {
            let text = String::from_utf8_lossy(span.exchange.text.text(RESOURCE)?).into_owned();
            let bare = text.trim_start_matches('/');
            Some(several.iter().find(|name| *name == bare).cloned().unwrap_or(text))
        }
    }
}

struct Look<'a> {
    capture: &'a Capture<'a>,
    ran: &'a Ran,
    found: &'a Found,
    points: &'a [String],
}

impl Look<'_> {
    fn at(&self, told: &Told, expected: &Expected, faults: &mut Vec<String>) {
        let name = &told.name;
        let Some(spans) = self.found.0.get(name) else {
            return faults.push(format!("{name}: it is missing"));
        };
        let seen: Vec<PointNumber> = spans.iter().map(|place| self.point(*place)).collect();
        let mut sorted = [seen.clone(), told.points.clone()];
        sorted.iter_mut().for_each(|points| points.sort());
        if sorted[0] != sorted[1] {
            let (seen, points) = (self.named(&seen), self.named(&told.points));
            return faults.push(format!("{name}: seen at {seen}, not at {points}"));
        }
        let mut chain = Vec::new();
        let mut tops = spans
            .iter()
            .copied()
            .filter(|place| self.above(*place).is_none_or(|up| !spans.contains(&up)));
        let (Some(top), further) = (tops.next(), tops.count()) else { return };
        if further > 0 {
            return faults.push(format!("{name}: {} chains in place of one", further + 1));
        }
        let mut at = Some(top);
        while let Some(place) = at {
            chain.push(self.point(place));
            at = spans.iter().copied().find(|below| self.above(*below) == Some(place));
        }
        if chain != told.points {
            let (chain, points) = (self.named(&chain), self.named(&told.points));
            faults.push(format!("{name}: the order is {chain}, not {points}"));
        }
        for place in spans {
            let is_next = self.span(*place).is_next_point();
            if is_next != (*place != top) {
                faults
                    .push(format!("{name}: a link between points is not one of a call, and back"));
            }
        }
        self.at_parent(told, top, faults);
        if expected.apart == 0 && !expected.sent_again {
            self.at_times(name, spans, faults);
        }
    }

    fn at_parent(&self, told: &Told, top: (usize, usize), faults: &mut Vec<String>) {
        let name = &told.name;
        let found = self.above(top).map(|up| self.name_of(up));
        let wanted = told.under.as_ref().map(|(parent, _)| parent.clone());
        if found.is_none() && told.open {
            return;
        }
        if found != wanted {
            let words =
                |name: &Option<String>| name.clone().unwrap_or_else(|| "nothing".to_owned());
            faults.push(format!("{name}: under {}, not {}", words(&found), words(&wanted)));
            return;
        }
        if let (Some(link), Some((parent, reasons))) = (&self.span(top).link, &told.under) {
            let reason = link.reason.name();
            if !reasons.is_empty() && !reasons.contains(&reason) {
                faults.push(format!("{name}: under {parent} by {reason}, not by {reasons:?}"));
            }
            if link.kind != LinkKind::Parent {
                faults.push(format!("{name}: under {parent} as another point of it"));
            }
        }
    }

    /// An exchange lasts from the first packet of its request to the last one of its response.
    fn at_times(&self, name: &str, spans: &[(usize, usize)], faults: &mut Vec<String>) {
        for place in spans {
            let (exchange, point) = (&self.span(*place).exchange, self.point(*place));
            let times = |part| self.capture.times(name, point, part);
            let Some([start, _]) = times(Part::Request) else { continue };
            let found = [exchange.start().0, exchange.end().0].map(|at| at - crate::net::START);
            let end = times(Part::Response).map_or(found[1], |[_, last]| last);
            if found != [start, end] {
                faults.push(format!(
                    "{name}: from {} to {}, not {start} to {end}",
                    found[0], found[1]
                ));
            }
        }
    }

    /// What is one trace is one, and what is not is not.
    fn at_traces(&self, expected: &Expected, faults: &mut Vec<String>) {
        let mut traces: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
        let mut owners: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
        for (number, told) in expected.exchanges.iter().enumerate() {
            for (trace, place) in self.found.0.get(&told.name).into_iter().flatten() {
                let name = told.name.as_str();
                let apart = told.open && self.is_root(told, (*trace, *place));
                let wanted = if apart { expected.exchanges.len() + number } else { told.trace };
                let (first, with) = *traces.entry(wanted).or_insert((*trace, name));
                if first != *trace {
                    faults.push(format!("{name}: another trace than {with}"));
                }
                let (owner, with) = *owners.entry(*trace).or_insert((wanted, name));
                if owner != wanted {
                    faults.push(format!("{name}: one trace with {with}"));
                }
            }
        }
        faults.dedup();
    }

    /// Each link that there is is right.
    fn at_links(&self, expected: &Expected, faults: &mut Vec<String>) {
        for (number, trace) in self.ran.traces.iter().enumerate() {
            for place in (0..trace.spans.len()).map(|place| (number, place)) {
                let Some(up) = self.above(place) else { continue };
                let (name, other) = (self.name_of(place), self.name_of(up));
                let Some(told) = expected.exchanges.iter().find(|told| told.name == name) else {
                    continue;
                };
                let order = |at| told.points.iter().position(|point| *point == self.point(at));
                if name == other {
                    if order(up) >= order(place) {
                        faults.push(format!("{name}: two points are in the wrong order"));
                    }
                } else if told.under.as_ref().is_none_or(|(parent, _)| *parent != other) {
                    faults.push(format!("{name}: under {other}"));
                }
            }
        }
    }

    /// Each consumer has a span link to its producers, and to nobody else.
    fn at_messages(&self, expected: &Expected, faults: &mut Vec<String>) {
        let lines: Vec<Value> =
            self.ran.ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let spans =
            self.found.0.iter().flat_map(|(name, spans)| spans.iter().map(move |s| (name, s)));
        let names: BTreeMap<String, &str> = spans
            .map(|(name, place)| (format!("{:016x}", self.span(*place).id), name.as_str()))
            .collect();
        let mut found: Vec<(String, String, String)> = Vec::new();
        for line in &lines {
            let name = |id: &Value| names.get(id.as_str().unwrap_or_default()).copied();
            let Some(consumer) = name(&line["span"]) else { continue };
            for link in line["span_links"].as_array().into_iter().flatten() {
                let producer = name(&link["span"]).unwrap_or("nobody");
                let reason = link["reason"].as_str().unwrap_or_default();
                found.push((consumer.to_owned(), producer.to_owned(), reason.to_owned()));
            }
        }
        for (consumer, producer, reason) in &expected.messages {
            let is_it = |f: &(String, String, String)| {
                (f.0.as_str(), f.1.as_str(), f.2.as_str()) == (consumer, producer, reason)
            };
            if !found.iter().any(is_it) {
                faults.push(format!("{consumer}: no link to {producer} by {reason}"));
            }
        }
        for (consumer, producer, reason) in &found {
            let is_it = |e: &&(String, String, &str)| (&e.0, &e.1) == (consumer, producer);
            if expected.messages.iter().find(is_it).is_none() {
                faults.push(format!("{consumer}: a link to {producer} by {reason}"));
            }
        }
    }

    /// Whether an exchange hangs under no other one.
    fn is_root(&self, told: &Told, place: (usize, usize)) -> bool {
        let mut ups = std::iter::successors(Some(place), |place| self.above(*place));
        ups.all(|place| self.name_of(place) == told.name)
    }

    /// The spans of an exchange as JSON.
    fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        let spans = self.found.0.get(name).into_iter().flatten();
        let ids: Vec<String> =
            spans.map(|place| format!("\"span\":\"{:016x}\"", self.span(*place).id)).collect();
        self.ran.ndjson.lines().filter(move |line| ids.iter().any(|id| line.contains(id.as_str())))
    }

    fn span(&self, (trace, place): (usize, usize)) -> &Span {
        &self.ran.traces[trace].spans[place]
    }

    fn above(&self, place: (usize, usize)) -> Option<(usize, usize)> {
        self.span(place).link.as_ref().map(|link| (place.0, link.parent))
    }

    fn name_of(&self, place: (usize, usize)) -> String {
        name(self.capture, self.span(place)).unwrap_or_else(|| "a login".to_owned())
    }

    fn point(&self, place: (usize, usize)) -> PointNumber {
        self.capture.packet(self.span(place).exchange.request.first.frame).point
    }

    fn named(&self, points: &[PointNumber]) -> String {
        let names: Vec<&str> = points.iter().map(|point| self.points[point.0].as_str()).collect();
        names.join(" > ")
    }

    /// All traces, for who looks for what went wrong.
    fn trees(&self) -> String {
        let mut text = String::new();
        for clock in &self.ran.clocks {
            text.push_str(&format!("{clock:?}\n"));
        }
        for (number, trace) in self.ran.traces.iter().enumerate() {
            text.push_str(&format!("trace {:032x}\n", trace.id));
            for (place, span) in trace.spans.iter().enumerate() {
                let at = (number, place);
                let link = span.link.as_ref().map(|link| {
                    format!(
                        " [{} {:.2} {}]",
                        link.reason.name(),
                        link.confidence,
                        link.against.join("; ")
                    )
                });
                text.push_str(&format!(
                    "{}{} @{} {:.6}+{:.6} {}->{}{}\n",
                    "  ".repeat(span.depth as usize + 1),
                    self.name_of(at),
                    self.points[self.point(at).0],
                    (span.exchange.start().0 - crate::net::START) as f64 / 1e9,
                    (span.exchange.end().0 - span.exchange.start().0) as f64 / 1e9,
                    span.exchange.client,
                    span.exchange.server,
                    link.unwrap_or_default(),
                ));
            }
        }
        text
    }
}
