//! Finds the trace that is asked for among all of them, by the first digits of its id.

use crate::exchange::{Exchange, OPERATION, RESOURCE};
use crate::explain::hosts::Hosts;
use crate::export::width::clean;
use crate::select::IdPrefix;
use crate::span::{Span, SpanSink, Trace};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

/// Looks for a trace. What was handed out late under an id is a trace of that id, too.
pub struct Asked {
    prefix: IdPrefix,
    /// The same digits as the first ones of a span's id, where they can be.
    span: Option<SpanPrefix>,
    traces: BTreeMap<u128, Candidate>,
    /// Traces of which one span has an id that begins so, in case that no trace has.
    of_spans: BTreeMap<u128, u64>,
    /// Traces beyond those that are named.
    more: u64,
    all: u64,
    hosts: Hosts,
}

/// A trace whose id begins with the digits.
struct Candidate {
    /// What was asked first.
    what: String,
    spans: usize,
    /// What was handed out under the id, as long as no other trace begins so.
    pieces: Vec<Trace>,
    /// Spans that were too many.
    left_out: usize,
}

/// The trace that was asked for.
#[derive(Debug)]
pub struct Found {
    /// What was handed out under its id, in order; mostly it is one.
    pub pieces: Vec<Trace>,
    /// Spans that were too many to be kept.
    pub left_out: usize,
    /// Which addresses are one host's, by all traces.
    pub hosts: Hosts,
}

/// Why there is no such trace, or more than one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none.
    #[error("no trace of {0} has an id that begins so; wirespan read shows the ids")]
    Nowhere(u64),
    /// The digits are those of spans.
    #[error("no trace has an id that begins so, but a span; say wirespan explain {0} {1}")]
    Span(String, String),
    /// There are several.
    #[error("{count} traces have an id that begins so, name more of its digits: {list}")]
    Several {
        /// How many.
        count: u64,
        /// Some of them.
        list: String,
    },
}

impl Asked {
    /// Looks for this trace; `digits` are what the prefix was read from.
    pub fn new(prefix: IdPrefix, digits: &str) -> Self {
        Self {
            prefix,
            span: SpanPrefix::parse(digits).ok(),
            traces: BTreeMap::new(),
            of_spans: BTreeMap::new(),
            more: 0,
            all: 0,
            hosts: Hosts::default(),
        }
    }

    /// What was found.
    ///
    /// # Errors
    /// If nothing was, or too much; the text helps to ask better.
    pub fn found(mut self) -> Result<Found, NotFound> {
        if self.traces.len() > 1 {
            let count = self.traces.len() as u64 + self.more;
            let named = self.traces.iter().take(NAMED);
            let spans =
                |count| if count == 1 { "1 span".to_owned() } else { format!("{count} spans") };
            let mut list: Vec<String> = named
                .map(|(id, trace)| format!("{id:032x} ({}, {})", trace.what, spans(trace.spans)))
                .collect();
            if count > list.len() as u64 {
                list.push("and more".to_owned());
            }
            return Err(NotFound::Several { count, list: list.join(", ") });
        }
        match self.traces.pop_first() {
            Some((_, trace)) => {
                Ok(Found { pieces: trace.pieces, left_out: trace.left_out, hosts: self.hosts })
            }
            None => Err(match self.of_spans.pop_first() {
                Some((trace, span)) => {
                    NotFound::Span(format!("{trace:032x}"), format!("{span:016x}"))
                }
                None => NotFound::Nowhere(self.all),
            }),
        }
    }

    fn look_at(&mut self, trace: &Trace) {
        self.all += 1;
        self.hosts.learn(trace);
        if let Some(prefix) = self.span
            && self.of_spans.len() < NAMED
            && let Some(span) = trace.spans.iter().find(|span| prefix.begins(span.id))
        {
            self.of_spans.insert(trace.id, span.id);
        }
        if !self.prefix.begins(trace.id) {
            return;
        }
        if self.traces.len() >= KEPT && !self.traces.contains_key(&trace.id) {
            self.more += 1;
            return;
        }
        let is_only = self.traces.keys().all(|id| *id == trace.id);
        let first = trace.spans.first();
        let candidate = self.traces.entry(trace.id).or_insert_with(|| Candidate {
            what: first.map(what).unwrap_or_default(),
            spans: 0,
            pieces: Vec::new(),
            left_out: 0,
        });
        let kept: usize = candidate.pieces.iter().map(|piece| piece.spans.len()).sum();
        candidate.spans += trace.spans.len();
        if is_only && kept + trace.spans.len() <= SPANS {
            candidate.pieces.push(trace.clone());
        } else if is_only {
            candidate.left_out += trace.spans.len();
        } else {
            // It is asked anew with more digits.
            self.traces.values_mut().for_each(|candidate| candidate.pieces = Vec::new());
        }
    }
}

impl SpanSink for Asked {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.look_at(trace);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first digits of a span's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanPrefix {
    value: u64,
    digits: u32,
}

impl SpanPrefix {
    /// Reads hexadecimal digits.
    ///
    /// # Errors
    /// What such a text looks like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (text.len(), u64::from_str_radix(text, 16)) {
            (1..=16, Ok(value)) if is_hex => Ok(Self { value, digits: text.len() as u32 }),
            _ => Err("name a span by the 16 hex digits of its id, or by the first of them"),
        }
    }

    /// Whether an id begins with these digits.
    pub fn begins(self, id: u64) -> bool {
        id >> (4 * (16 - self.digits)) == self.value
    }
}

/// The only span that is meant, by its piece and its place there.
///
/// # Errors
/// If there is none, or there are several.
pub fn span_of(found: &Found, prefix: SpanPrefix) -> Result<(usize, usize), String> {
    let all = || {
        found.pieces.iter().enumerate().flat_map(|(piece, trace)| {
            trace.spans.iter().enumerate().map(move |(place, span)| ((piece, place), span))
        })
    };
    let fits: Vec<_> = all().filter(|(_, span)| prefix.begins(span.id)).collect();
    let list = |spans: &mut dyn Iterator<Item = &Span>| {
        let mut list: Vec<String> = spans
            .take(NAMED + 1)
            .map(|span| format!("{:016x} ({})", span.id, what(span)))
            .collect();
        if list.len() > NAMED {
            list.truncate(NAMED);
            list.push("and more".to_owned());
        }
        list.join(", ")
    };
    match fits.as_slice() {
        [(at, _)] => Ok(*at),
        [] => Err(format!(
            "no span of this trace has an id that begins so; there are {}",
            list(&mut all().map(|(_, span)| span))
        )),
        several => Err(format!(
            "{} spans of this trace have an id that begins so, name more of its digits: {}",
            several.len(),
            list(&mut several.iter().map(|(_, span)| *span))
        )),
    }
}

/// What was asked.
pub(super) fn what(span: &Span) -> String {
    let text = &span.exchange.text;
    let words = [OPERATION, RESOURCE].map(|name| text.text(name).map(clean).unwrap_or_default());
    let mut what = words.join(" ").trim_end().to_owned();
    cut(&mut what, LONGEST);
    what
}

/// What was asked for beside that: the query of a path, or a whole statement.
pub(super) fn rest(exchange: &Exchange) -> Option<String> {
    let text = |name| exchange.text.text(name).map(clean);
    let query = text("url.query").map(|query| format!("?{query}"));
    let mut rest = query.or_else(|| text("db.query.text").map(Cow::into_owned))?;
    cut(&mut rest, LONGEST_REST);
    Some(rest)
}

/// That something else is asked for, with what tells the two apart where `what` does not.
pub(super) fn asks_for_else(
    (what, rest): (&str, Option<&str>),
    (own_what, own_rest): (&str, Option<&str>),
) -> String {
    let text = "it asks for something else";
    match (rest, own_rest) {
        _ if what != own_what || rest == own_rest => text.to_owned(),
        (Some(rest), _) => format!("{text}: {rest}"),
        (None, Some(own)) => format!("{text}: without {own}"),
        (None, None) => text.to_owned(),
    }
}

/// At most so many characters of a text, with a sign that there were more.
fn cut(text: &mut String, longest: usize) {
    if let Some((cut, _)) = text.char_indices().nth(longest) {
        text.truncate(cut);
        text.push('…');
    }
}

/// Traces that begin with the same digits that are told apart.
const KEPT: usize = 1_000;
/// Those of them, and spans, that are named.
const NAMED: usize = 8;
/// Spans of one trace that are kept.
const SPANS: usize = 50_000;
/// Characters of what was asked that are shown.
const LONGEST: usize = 60;
/// The same of a query or a statement.
const LONGEST_REST: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128, spans: &[u64]) -> Trace {
        let span = |id: &u64| Span {
            id: *id,
            exchange: Box::new(Exchange::lasting(1)),
            point: 0,
            first_point: 0,
            service: "a".into(),
            link: None,
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        };
        Trace { id, wire: None, late: false, spans: spans.iter().map(span).collect() }
    }

    fn found(digits: &str, traces: &[Trace]) -> Result<Found, NotFound> {
        let mut asked = Asked::new(IdPrefix::parse(digits).unwrap(), digits);
        asked.traces(traces).unwrap();
        asked.found()
    }

    #[test]
    fn what_came_late_under_an_id_belongs_to_it() {
        let traces = [trace(0xabcd << 112, &[1]), trace(1, &[2]), trace(0xabcd << 112, &[3])];
        assert_eq!(found("abcd", &traces).unwrap().pieces.len(), 2);
    }

    #[test]
    fn what_is_not_there_is_told_of_with_a_way_out() {
        let traces = [trace(0xabcd << 112, &[0x1234 << 48]), trace((0xabcd << 112) + 1, &[2])];
        let error = |digits| found(digits, &traces).unwrap_err();
        assert_eq!(error("ffff"), NotFound::Nowhere(2));
        let [trace, span] = ["abcd0000000000000000000000000000", "1234000000000000"];
        assert_eq!(error("1234"), NotFound::Span(trace.to_owned(), span.to_owned()));
        let NotFound::Several { count: 2, list } = error("abcd") else { panic!("not several") };
        assert!(list.contains(trace) && list.ends_with(", 1 span)"), "{list}");
    }

    #[test]
    fn a_span_is_named_by_its_first_digits() {
        let found = found("abcd", &[trace(0xabcd << 112, &[0x12 << 56, 0x13 << 56])]).unwrap();
        let span = |digits| span_of(&found, SpanPrefix::parse(digits).unwrap());
        assert_eq!(span("13"), Ok((0, 1)));
        assert!(span("1").unwrap_err().starts_with("2 spans of this trace"));
        assert!(span("2").unwrap_err().starts_with("no span of this trace"));
        assert!(SpanPrefix::parse("").is_err() && SpanPrefix::parse("xyz").is_err());
    }

    #[test]
    fn what_tells_two_requests_apart_is_shown_where_their_paths_are_equal() {
        let check = |one: (&str, Option<&str>), expected: &str| {
            assert_eq!(asks_for_else(one, ("GET /items", Some("?page=0"))), expected);
        };
        check(("GET /items", Some("?page=1")), "it asks for something else: ?page=1");
        check(("GET /items", None), "it asks for something else: without ?page=0");
        check(("GET /users", Some("?page=1")), "it asks for something else");
    }
}
