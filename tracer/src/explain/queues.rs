//! Who put in what a span got out of a queue, and who got what it put in.

use crate::explain::near::Near;
use crate::export::width::clean;
use crate::records::Records;
use crate::span::{Reason, Span, SpanLink, Trace};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use wirespan_parsers::message::{Record, Role};

/// An exchange at the other end of a queue.
#[derive(Clone, Debug)]
pub struct OtherEnd {
    /// The exchange.
    pub near: Near,
    /// What it put in or got out.
    pub records: Option<Box<Records>>,
}

/// Who got what a span put in, or was called for it.
#[derive(Clone, Debug, Default)]
pub struct Getters {
    /// Some of them, in order of time, with the link that says so.
    pub some: Vec<(OtherEnd, SpanLink)>,
    /// How many there are.
    pub count: u64,
}

/// Gathers the other ends of the span links of some spans.
#[derive(Debug, Default)]
pub struct Queues {
    /// Spans that are linked to, by their ids, once they were met.
    wanted: HashMap<u64, Option<OtherEnd>, RandomState>,
    /// Spans that others may link to.
    put: HashMap<u64, Getters, RandomState>,
}

impl Queues {
    /// Looks for the other ends of a span.
    pub fn add(&mut self, span: &Span) {
        let earlier = span.earlier.map(|earlier| earlier.span);
        let linked = span.span_links.iter().flat_map(|link| [Some(link.span), link.runner_up]);
        for id in linked.flatten().chain(earlier).take(WANTED) {
            self.wanted.entry(id).or_default();
        }
        if span.exchange.records.as_ref().is_some_and(|records| is_there(records, true)) {
            self.put.entry(span.id).or_default();
        }
    }

    /// Looks at a trace.
    pub fn look_at(&mut self, trace: &Trace) {
        if self.wanted.is_empty() && self.put.is_empty() {
            return;
        }
        let end = |span: &Span| OtherEnd {
            near: Near::of(trace.id, span),
            records: span.exchange.records.clone(),
        };
        for span in &trace.spans {
            if let Some(wanted) = self.wanted.get_mut(&span.id) {
                *wanted = Some(end(span));
            }
            for link in &span.span_links {
                let Some(getters) = self.put.get_mut(&link.span) else { continue };
                getters.count += 1;
                if getters.some.len() < GETTERS {
                    getters.some.push((end(span), link.clone()));
                }
            }
        }
    }

    /// The span with this id, if one of those that were added is linked to it.
    pub fn other(&self, span: u64) -> Option<&OtherEnd> {
        self.wanted.get(&span)?.as_ref()
    }

    /// Who is linked to a span.
    pub fn getters(&self, span: u64) -> Option<&Getters> {
        self.put.get(&span)
    }
}

/// Whether something was put in, or got out.
pub(super) fn is_there(records: &Records, put: bool) -> bool {
    records.iter().any(|record| (record.role == Role::Produced) == put)
}

/// What one put in and another got, in words; if several are, the first.
pub(super) fn handed_on(put: &Records, got: &Records) -> Option<String> {
    let is_same = |a: &Record<'_>, b: &Record<'_>| {
        a.queue == b.queue
            && match (a.id, b.id) {
                ([], _) | (_, []) => a.digest == b.digest,
                (one, other) => one == other,
            }
    };
    let of = |records: &Records, produced: bool, wanted: &Record<'_>| {
        let mut records = records.iter().filter(|r| (r.role == Role::Produced) == produced);
        records.any(|record| is_same(&record, wanted))
    };
    let mut both = got.iter().filter(|r| r.role != Role::Produced && of(put, true, r));
    let first = record(&both.next()?);
    Some(match both.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    })
}

/// A queue and the id in it, in words.
pub(super) fn record(record: &Record<'_>) -> String {
    let queue = clean(record.queue).into_owned();
    match record.id {
        [] => format!("a message of {queue}"),
        id => format!("{} of {queue}", clean(id)),
    }
}

/// What was put in or got out, in words: each queue with the ids, once.
pub(super) fn contents(records: &Records, put: bool) -> String {
    let mut words: SmallVec<[String; 4]> = SmallVec::new();
    let mut more = 0;
    for record_of in records.iter().filter(|record| (record.role == Role::Produced) == put) {
        let word = record(&record_of);
        match words.len() {
            _ if words.contains(&word) => {}
            0..NAMED => words.push(word),
            _ => more += 1,
        }
    }
    if more > 0 {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}

/// What the confidence in a span link is made of, in words.
pub(super) fn weighs(link: &SpanLink) -> &'static str {
    match (link.reason, link.runner_up) {
        (Reason::StreamId, _) => {
            "the queue gave it an id of its own, and told that to who put it in and to who got it"
        }
        (Reason::MessageContent, None) => {
            "both have the same content, and no other of that content was there to be got"
        }
        (Reason::MessageContent, Some(_)) => {
            "both have the same content, but another of that content was there to be got, too; \
             what was put in first is taken to be got first"
        }
        (Reason::OneMessage, _) => {
            "who called had got this message, and had not asked for the next one yet; nothing \
             else was open there that would have called"
        }
        _ => "it called, and was handed out before",
    }
}

/// Other ends that are looked for, for each span.
const WANTED: usize = 64;
/// Spans that got something of a span, that are told of.
const GETTERS: usize = 8;
/// Records that are named.
const NAMED: usize = 4;
