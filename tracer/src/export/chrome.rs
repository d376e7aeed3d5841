//! Traces as Perfetto and Chrome show them: a process for each service, spans in lanes, arrows
//! from caller to called.
//!
//! ```text
//! shop    lane 1  ├─ GET /orders/{id} ───────────┤ ├─ GET / ─┤
//!         lane 2     ├─ GET /orders/{id} ──┤
//! orders  lane 1       ↳├─ GET /orders/{id} ───┤
//! ```
//!
//! Slices of one thread must lie within each other or apart, so that a lane is a thread: a span
//! goes into one whose last slice is over. The next point of an exchange lies within the one above,
//! where the clocks of both agree, and so it shares its lane.
//!
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>

use crate::export::Exporter;
use crate::export::json::{Object, key};
use crate::export::ndjson::Names;
use crate::export::semantics::{Asked, Semantics, Value};
use crate::export::shares::Times;
use crate::span::{Span, SpanSink, Trace};
use crate::summary::Summary;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::io::{self, Write};
use wirespan_capture::packet::Timestamp;

/// Writes one document, as traces come.
pub struct Chrome<W> {
    semantics: Semantics,
    lanes: Lanes,
    /// What times are counted from.
    midnight: Option<i64>,
    output: W,
}

impl<W: Write> Chrome<W> {
    /// Writes what spans mean.
    pub fn new(semantics: Semantics, output: W) -> Self {
        Self { semantics, lanes: Lanes::default(), midnight: None, output }
    }

    /// Writes what stands before the first event.
    fn begin(&mut self, first: Option<Timestamp>) -> io::Result<i64> {
        if let Some(midnight) = self.midnight {
            return Ok(midnight);
        }
        // What comes after the first trace may have begun before it, and not the day before.
        let first = first.map_or(0, |at| at.0.saturating_sub(HOUR));
        let midnight = first - first.rem_euclid(24 * HOUR);
        self.midnight = Some(midnight);
        let mut head = Vec::new();
        let mut object = Object::new(&mut head);
        object.name(key!("displayTimeUnit"), "ns");
        object.object(key!("otherData"), |fields| {
            fields.name(key!("from"), "wirespan");
            // Numbers have 53 bits where this is read.
            fields.int_in_quotes(key!("zeroUnixNano"), midnight);
        });
        object.end();
        head.pop();
        head.extend_from_slice(b",\"traceEvents\":[\n");
        // An event that all others can stand behind a comma.
        process(ITSELF, "wirespan", &mut head);
        self.output.write_all(&head)?;
        Ok(midnight)
    }
}

impl<W: Write> SpanSink for Chrome<W> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        if traces.is_empty() {
            return Ok(());
        }
        let start = |trace: &Trace| trace.spans.iter().map(|span| span.exchange.start()).min();
        let midnight = self.begin(traces.first().and_then(start))?;
        let seated: Vec<Seated> = traces.iter().map(|trace| self.lanes.seat_all(trace)).collect();
        let semantics = &self.semantics;
        let texts: Vec<Vec<u8>> = traces
            .par_iter()
            .zip(seated)
            .with_min_len(32)
            .map(|(trace, Seated { seats, new: mut text })| {
                if let Some(names) = semantics.names() {
                    let drawing = Drawing {
                        semantics,
                        names: &names,
                        times: Times::of(trace),
                        midnight,
                        trace,
                        seats: &seats,
                    };
                    drawing.draw(&mut text);
                }
                text
            })
            .collect();
        texts.iter().try_for_each(|text| self.output.write_all(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin(None)?;
        self.output.write_all(b"\n]}\n")?;
        self.output.flush()
    }
}

impl<W: Write + Send> Exporter for Chrome<W> {
    fn conclude(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

/// The process and the thread of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seat {
    process: u64,
    thread: u64,
}

/// Where the spans of a trace sit.
struct Seated {
    seats: Vec<Seat>,
    /// What is to be said of processes and threads that are new.
    new: Vec<u8>,
}

/// Who sits where: threads of services, and until when they are taken.
#[derive(Default)]
struct Lanes {
    processes: HashMap<Box<str>, usize, RandomState>,
    services: Vec<Lane>,
    /// The last number that was given to a process or thread: no two have the same.
    last: u64,
}

/// The threads of one service.
#[derive(Default)]
struct Lane {
    process: u64,
    /// When the last slice of each thread ends, with its number.
    free: BTreeSet<(i64, u64)>,
    count: usize,
}

impl Lanes {
    /// Seats for all spans of a trace. Nothing of it depends on which traces come together.
    fn seat_all(&mut self, trace: &Trace) -> Seated {
        let mut new = Vec::new();
        let mut seats = vec![Seat::default(); trace.spans.len()];
        // In the order of time fewest lanes are needed; the upper one of two points comes first.
        let mut order: Vec<usize> = (0..trace.spans.len()).collect();
        order.sort_by_key(|place| trace.spans.get(*place).map(|span| span.exchange.start()));
        for place in order {
            let Some(span) = trace.spans.get(place) else { continue };
            let shared = holder(trace, span).and_then(|above| seats.get(above).copied());
            let shared = shared.filter(|seat| *seat != Seat::default());
            let seat = shared.unwrap_or_else(|| self.seat(span, &mut new));
            if let Some(own) = seats.get_mut(place) {
                *own = seat;
            }
        }
        Seated { seats, new }
    }

    fn seat(&mut self, span: &Span, new: &mut Vec<u8>) -> Seat {
        let known = self.processes.get(&*span.service).copied();
        let place = known.unwrap_or_else(|| {
            let is_full = self.services.len() >= PROCESSES;
            let name = if is_full { OTHERS } else { &*span.service };
            let place = self.processes.get(name).copied();
            place.unwrap_or_else(|| {
                self.last += 1;
                process(self.last, name, new);
                self.services.push(Lane { process: self.last, ..Lane::default() });
                self.processes.insert(name.into(), self.services.len() - 1);
                self.services.len() - 1
            })
        });
        let Some(lanes) = self.services.get_mut(place) else { return Seat::default() };
        let (start, end) = (span.exchange.start().0, span.exchange.end().0);
        // The one that was used last, so that what follows each other stands side by side.
        let free = lanes.free.range(..=(start, u64::MAX)).next_back().copied();
        let crowded = lanes.count >= LANES;
        let free = free.or_else(|| lanes.free.first().copied().filter(|_| crowded));
        let thread = match free {
            Some(lane) => {
                lanes.free.remove(&lane);
                lane.1
            }
            None => {
                self.last += 1;
                lanes.count += 1;
                thread(lanes.process, self.last, lanes.count, new);
                self.last
            }
        };
        // What takes no time would lie on the edge of the next one.
        lanes.free.insert((end.max(start + 1), thread));
        Seat { process: lanes.process, thread }
    }
}

/// The place of the span above that is the same exchange at another point, if this one lies
/// within it.
fn holder(trace: &Trace, span: &Span) -> Option<usize> {
    let link = span.link.as_ref().filter(|_| span.is_next_point())?;
    let (above, e) = (&trace.spans.get(link.parent)?.exchange, &span.exchange);
    let within = above.start() <= e.start() && e.end() <= above.end();
    (within && trace.spans.get(link.parent)?.service == span.service).then_some(link.parent)
}

/// A trace whose events are written.
struct Drawing<'a> {
    semantics: &'a Semantics,
    names: &'a Names,
    times: Times,
    midnight: i64,
    trace: &'a Trace,
    seats: &'a [Seat],
}

impl Drawing<'_> {
    fn draw(&self, out: &mut Vec<u8>) {
        for (span, seat) in self.trace.spans.iter().zip(self.seats) {
            let parent = span.link.as_ref().map(|link| link.parent);
            let caller = parent
                .and_then(|place| Some((self.trace.spans.get(place)?, self.seats.get(place)?)));
            event(out, |fields| self.slice(span, *seat, fields));
            if let Some((caller, from)) = caller
                && from != seat
            {
                self.arrow(caller, *from, span, *seat, out);
            }
        }
    }

    fn slice(&self, span: &Span, seat: Seat, fields: &mut Object<'_>) {
        let told = self.semantics.tell(self.trace, span, &self.times, self.names);
        let e = &*span.exchange;
        fields.name(key!("ph"), "X");
        fields.text(key!("name"), told.name.as_bytes());
        fields.text(key!("cat"), self.semantics.protocol(e).as_bytes());
        self.at(e.start(), seat, fields);
        fields.microseconds(key!("dur"), e.duration());
        fields.object(key!("args"), |fields| {
            fields.trace(key!("trace"), self.trace.id);
            fields.hex(key!("span"), span.id);
            if let Some(parent) = told.parent {
                fields.hex(key!("parent"), parent);
            }
            if let Some(value) = told.links() {
                fields.any_named("wirespan.span_link", &value);
            }
            for (name, at) in &told.events {
                fields.plain(&format!("{name}_ns"), &(at.0 - e.start().0).to_string());
            }
            if let Some(message) = &told.message {
                fields.any_named("error.message", message);
            }
            for (name, value) in told.attributes.iter() {
                argument(name, value, fields);
            }
            Asked::by(span, self.names)
                .each(&mut |name, value| fields.any_named(name, &value.to_text()));
        });
    }

    /// Between the caller's slice and that of what it called.
    fn arrow(&self, caller: &Span, from: Seat, span: &Span, to: Seat, out: &mut Vec<u8>) {
        let start = span.exchange.start();
        // It must begin within the slice, also where clocks differ.
        let left = start.clamp(caller.exchange.start(), caller.exchange.end());
        for (phase, at, seat) in [("s", left, from), ("f", start, to)] {
            event(out, |fields| {
                fields.name(key!("ph"), phase);
                fields.name(key!("name"), "call");
                fields.name(key!("cat"), "call");
                fields.hex(key!("id"), span.id);
                self.at(at, seat, fields);
                if phase == "f" {
                    fields.name(key!("bp"), "e");
                }
            });
        }
    }

    fn at(&self, at: Timestamp, seat: Seat, fields: &mut Object<'_>) {
        fields.microseconds(key!("ts"), at.0.saturating_sub(self.midnight));
        fields.number(key!("pid"), seat.process);
        fields.number(key!("tid"), seat.thread);
    }
}

fn argument(name: &str, value: &Value<'_>, fields: &mut Object<'_>) {
    match value {
        Value::Texts(_) | Value::Text(_) => fields.any_named(name, &value.to_text()),
        Value::Int(_) | Value::Real(_) | Value::Bool(_) => fields.plain(name, &value.to_text()),
    }
}

/// Says what a process is called.
fn process(number: u64, name: &str, out: &mut Vec<u8>) {
    let separator: &[u8] = if number == ITSELF { b"" } else { b",\n" };
    out.extend_from_slice(separator);
    named("process_name", number, 0, name, out);
}

/// Says which lane a thread is.
fn thread(process: u64, number: u64, place: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\n");
    named("thread_name", process, number, &format!("lane {place}"), out);
}

fn named(what: &str, process: u64, thread: u64, name: &str, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.name(key!("ph"), "M");
    object.name(key!("name"), what);
    object.number(key!("pid"), process);
    object.number(key!("tid"), thread);
    object.object(key!("args"), |fields| fields.text(key!("name"), name.as_bytes()));
    object.end();
}

fn event(out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b",\n");
    let mut object = Object::new(out);
    fields(&mut object);
    object.end();
}

const HOUR: i64 = 3_600_000_000_000;
/// The number of the process that stands for the program.
const ITSELF: u64 = 0;
/// Services that are processes; those beyond it share one.
pub const PROCESSES: usize = 10_000;
/// Lanes of a service; what needs more lies over others.
pub const LANES: usize = 65_536;
const OTHERS: &str = "others";
