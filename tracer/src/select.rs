//! Which of the traces are shown: a sink that passes on those that are wanted.

use crate::best::Best;
use crate::exchange::Exchange;
use crate::moment::Moment;
use crate::span::{Span, SpanSink, Trace};
use crate::summary::Shown;
use jiff::tz::TimeZone;
use memchr::memmem::Finder;
use rayon::prelude::*;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::message::Value;

/// What is wanted of a trace; all of it must hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Its id begins with one of these, if there are any.
    pub traces: Vec<IdPrefix>,
    /// One of its spans failed.
    pub errors: bool,
    /// It took at least so many nanoseconds.
    pub min_duration: i64,
    /// It asks a service of this name.
    pub service: Option<Pattern>,
    /// One of its spans holds this text.
    pub find: Option<String>,
    /// It was not over before.
    pub from: Option<Moment>,
    /// It had begun by then.
    pub to: Option<Moment>,
    /// Whose clock and calendar the moments mean; none: that of UTC.
    pub zone: Option<TimeZone>,
    /// Only the slowest so many of the others are shown, slowest first.
    pub slowest: Option<usize>,
    /// No more than so many are shown.
    pub limit: Option<u64>,
}

impl Selection {
    /// Whether every trace is shown.
    pub fn is_everything(&self) -> bool {
        self.slowest.is_none() && self.limit.is_none() && self.wants_any()
    }

    /// Whether every trace is wanted, though not all may be shown.
    fn wants_any(&self) -> bool {
        self.traces.is_empty()
            && !self.errors
            && self.min_duration <= 0
            && self.service.is_none()
            && self.find.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }
}

/// The first digits of a trace's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    value: u128,
    digits: u32,
}

impl IdPrefix {
    /// Reads hexadecimal digits.
    ///
    /// # Errors
    /// What such a text looks like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u128::from_str_radix(text, 16);
        match (text.len(), value) {
            (SHORTEST..=ID_DIGITS, Ok(value)) if is_hex => {
                Ok(Self { value, digits: text.len() as u32 })
            }
            _ => Err("name a trace by the 32 hex digits of its id, or by the first 4 or more"),
        }
    }

    /// Whether an id begins with these digits, be it without the zeros before one of 64 bits.
    pub fn begins(self, id: u128) -> bool {
        let begins = |id: u128| id >> (4 * (ID_DIGITS as u32 - self.digits)) == self.value;
        begins(id) || begins(telling(id))
    }
}

/// An id with what tells it from others in front: of one of 64 bits, as Zipkin has them, the zeros
/// before it come last.
pub fn telling(id: u128) -> u128 {
    if id >> 64 == 0 { id << 64 } else { id }
}

/// A name in which `*` stands for any characters; capitals do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// From a text; every text is a pattern.
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase().into())
    }

    /// Whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut in_name) = (0, 0);
        // Behind the last star: where the pattern goes on, and where in the name it was tried.
        let mut retry = None;
        loop {
            match (pattern.get(at), name.get(in_name)) {
                (Some(b'*'), _) => {
                    at += 1;
                    retry = Some((at, in_name));
                }
                (None, None) => return true,
                (Some(wanted), Some(byte)) if *wanted == byte.to_ascii_lowercase() => {
                    at += 1;
                    in_name += 1;
                }
                _ => {
                    let Some((after_star, tried)) = retry else { return false };
                    if tried >= name.len() {
                        return false;
                    }
                    (at, in_name) = (after_star, tried + 1);
                    retry = Some((after_star, tried + 1));
                }
            }
        }
    }
}

/// The time of the capture's first packet, which is known before its first trace is.
#[derive(Clone, Debug, Default)]
pub struct CaptureStart(Arc<OnceLock<Timestamp>>);

impl CaptureStart {
    /// Notes the time of a packet; only that of the first one counts.
    pub fn note(&self, at: Timestamp) {
        self.0.get_or_init(|| at);
    }
}

/// Passes on the traces that are wanted.
pub struct Selecting<S> {
    selection: Selection,
    start: CaptureStart,
    /// Made as the first traces come: before, nothing may be known of the start of the capture.
    matcher: Option<Matcher>,
    /// Set where nothing that still comes could be shown.
    enough: Option<Arc<AtomicBool>>,
    slowest: Option<Best<i64>>,
    shown: Shown,
    sink: S,
}

impl<S: SpanSink> Selecting<S> {
    /// Passes what is wanted to a sink.
    pub fn new(selection: Selection, start: CaptureStart, sink: S) -> Self {
        let slowest = selection.slowest.map(Best::new);
        Self {
            selection,
            start,
            matcher: None,
            enough: None,
            slowest,
            shown: Shown::default(),
            sink,
        }
    }

    /// Sets the flag as soon as the limit is reached.
    pub fn telling(mut self, enough: Arc<AtomicBool>) -> Self {
        self.enough = Some(enough);
        self
    }

    /// What has been shown, unless that is everything.
    pub fn shown(&self) -> Option<Shown> {
        (!self.selection.is_everything()).then_some(self.shown)
    }

    /// Whether as many were shown as may be.
    pub fn is_full(&self) -> bool {
        self.selection.limit.is_some_and(|limit| self.shown.traces >= limit)
    }

    /// What it passes to.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Passes on as many of these as the limit allows.
    fn show(&mut self, traces: &[Trace]) -> io::Result<()> {
        let left = self.selection.limit.unwrap_or(u64::MAX) - self.shown.traces;
        let count = traces.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let traces = traces.get(..count).unwrap_or_default();
        if traces.is_empty() {
            return Ok(());
        }
        self.shown.traces += traces.len() as u64;
        self.shown.spans += traces.iter().map(|trace| trace.spans.len() as u64).sum::<u64>();
        self.sink.traces(traces)?;
        if self.is_full()
            && let Some(enough) = &self.enough
        {
            enough.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes traces that stand together and are all wanted.
    fn matched(&mut self, traces: &[Trace]) -> io::Result<()> {
        self.shown.matched += traces.len() as u64;
        let Some(slowest) = &mut self.slowest else { return self.show(traces) };
        traces.iter().for_each(|trace| slowest.offer(duration(trace), trace));
        Ok(())
    }
}

impl<S: SpanSink> SpanSink for Selecting<S> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        if self.selection.wants_any() {
            return self.matched(traces);
        }
        let matcher = self.matcher.get_or_insert_with(|| {
            let first = self.start.0.get().copied().unwrap_or_default();
            Matcher::new(&self.selection, first)
        });
        let wanted: Vec<bool> =
            traces.par_iter().with_min_len(TOGETHER).map(|trace| matcher.wants(trace)).collect();
        let mut rest = traces;
        for run in wanted.chunk_by(|a, b| a == b) {
            let (these, after) = rest.split_at_checked(run.len()).unwrap_or_default();
            rest = after;
            if run.first() == Some(&true) {
                self.matched(these)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        if !self.selection.is_everything() {
            return self.traces(&traces);
        }
        self.shown.matched += traces.len() as u64;
        self.shown.traces += traces.len() as u64;
        self.shown.spans += traces.iter().map(|trace| trace.spans.len() as u64).sum::<u64>();
        self.sink.take(traces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        for trace in self.slowest.take().into_iter().flat_map(|mut slowest| slowest.take()) {
            self.show(std::slice::from_ref(&trace))?;
        }
        self.sink.finish()
    }
}

/// Tells which traces are wanted.
struct Matcher {
    traces: Vec<IdPrefix>,
    errors: bool,
    min_duration: i64,
    service: Option<Pattern>,
    needle: Option<Needle>,
    between: (Timestamp, Timestamp),
}

impl Matcher {
    fn new(selection: &Selection, first: Timestamp) -> Self {
        let zone = selection.zone.clone().unwrap_or(TimeZone::UTC);
        let resolve = |moment: Moment| moment.resolve(first, &zone);
        Self {
            traces: selection.traces.clone(),
            errors: selection.errors,
            min_duration: selection.min_duration,
            service: selection.service.clone(),
            needle: selection.find.as_deref().map(Needle::new),
            between: (
                selection.from.map_or(Timestamp(i64::MIN), resolve),
                selection.to.map_or(Timestamp(i64::MAX), resolve),
            ),
        }
    }

    /// The cheap questions come first.
    fn wants(&self, trace: &Trace) -> bool {
        let any = |test: &dyn Fn(&Span) -> bool| trace.spans.iter().any(test);
        let (start, end) = extent(trace);
        (self.traces.is_empty() || self.traces.iter().any(|prefix| prefix.begins(trace.id)))
            && end.0.saturating_sub(start.0) >= self.min_duration
            && end >= self.between.0
            && start <= self.between.1
            && (!self.errors || any(&|span| span.exchange.failed()))
            && self.service.as_ref().is_none_or(|name| any(&|span| name.matches(&span.service)))
            && self.needle.as_ref().is_none_or(|needle| needle.is_in(trace))
    }
}

/// A text that is looked for in all that is known of a trace; capitals do not matter.
struct Needle {
    finder: Finder<'static>,
    /// All its letters are ASCII, so that those of others need not be looked at.
    ascii: bool,
}

impl Needle {
    fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        Self { finder: Finder::new(text.as_bytes()).into_owned(), ascii: text.is_ascii() }
    }

    fn is_in(&self, trace: &Trace) -> bool {
        let mut texts = Vec::with_capacity(1024);
        number(trace.id, ID_DIGITS, &mut texts);
        trace.spans.iter().any(|span| {
            number(u128::from(span.id), SPAN_DIGITS, &mut texts);
            entry(span.service.as_bytes(), &mut texts);
            exchange_texts(&span.exchange, &mut texts);
            let found = if self.ascii {
                texts.make_ascii_lowercase();
                self.finder.find(&texts).is_some()
            } else {
                let lower = String::from_utf8_lossy(&texts).to_lowercase();
                self.finder.find(lower.as_bytes()).is_some()
            };
            texts.clear();
            found
        })
    }
}

/// All texts of an exchange, apart from each other.
fn exchange_texts(exchange: &Exchange, texts: &mut Vec<u8>) {
    for (_, value) in exchange.text.iter() {
        if let Value::Text(text) = value {
            entry(text, texts);
        }
    }
    for context in exchange.contexts.iter().filter(|context| !context.hidden) {
        if !context.format.is_text() {
            number(context.trace.get(), ID_DIGITS, texts);
        }
        for id in [context.span, context.parent].into_iter().flatten() {
            number(u128::from(id.get()), SPAN_DIGITS, texts);
        }
    }
    // Writing to memory does not fail.
    let _ = write!(texts, "{}\0{}\0{}\0", exchange.client, exchange.server, exchange.state.name());
    if exchange.code > 0 {
        let _ = write!(texts, "{}\0", exchange.code);
    }
}

fn entry(text: &[u8], texts: &mut Vec<u8>) {
    texts.extend_from_slice(text);
    texts.push(0);
}

/// A number in so many hexadecimal digits.
fn number(value: u128, digits: usize, texts: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(texts, "{value:0digits$x}\0");
}

/// When a trace began, and when the last byte of it was seen.
pub fn extent(trace: &Trace) -> (Timestamp, Timestamp) {
    let starts = trace.spans.iter().map(|span| span.exchange.start());
    let ends = trace.spans.iter().map(|span| span.exchange.end());
    (starts.min().unwrap_or_default(), ends.max().unwrap_or_default())
}

/// Nanoseconds from the first byte of a trace to the last one.
pub fn duration(trace: &Trace) -> i64 {
    let (start, end) = extent(trace);
    end.0.saturating_sub(start.0)
}

/// Digits of a trace's id.
const ID_DIGITS: usize = 32;
/// Digits of a span's id.
const SPAN_DIGITS: usize = 16;
/// Digits of a trace's id that are enough to name it.
const SHORTEST: usize = 4;
/// Traces that are looked at in one go.
const TOGETHER: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        let matches = |pattern, name| Pattern::new(pattern).matches(name);
        for (pattern, name) in [
            ("shop", "shop"),
            ("Shop", "sHOP"),
            ("*", ""),
            ("*", "shop"),
            ("shop*", "shop"),
            ("*.example", "shop.example"),
            ("s*p.*e", "shop.example"),
            ("*a*b*", "xaaxb"),
            ("a*ab", "aaab"),
            ("10.0.0.7:*", "10.0.0.7:80"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("shop", "shops"),
            ("shop", "sho"),
            ("*.example", "example"),
            ("a*b", "abc"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn ids_are_named_by_their_first_digits() {
        let id = 0x0bad_cafe << 96;
        for text in ["0bad", "0BADCAFE", "0badcafe000000000000000000000000"] {
            assert!(IdPrefix::parse(text).unwrap().begins(id), "{text}");
        }
        assert!(!IdPrefix::parse("bad0").unwrap().begins(id));
        for text in ["463ac35c9f6413ad", "463a", "0000000000000000463a"] {
            assert!(IdPrefix::parse(text).unwrap().begins(0x463a_c35c_9f64_13ad), "{text}");
        }
        for text in ["", "0ba", "+bad", "xyzw", "0badcafe0000000000000000000000000"] {
            assert!(IdPrefix::parse(text).is_err(), "{text}");
        }
    }
}
