//! What one exchange carried, and where and when it was seen: the lines below its own.
//!
//! ```text
//!    time        server 0.51 ms, waits 0.68 ms for 6 calls, network 0.10 ms
//!    connection  tcp 10.90.0.2:53388 > 10.90.0.3:8081, its 2nd exchange
//!    seen at     input: request of 210 bytes in frame 16, response of 221 bytes in frames 38-40
//!    request     GET /orders/7
//!                host: shop.example
//!    response    200
//!                content-type: application/json
//! ```

use crate::exchange::{
    Carrier, Context, Exchange, Half, Mark, OPERATION, Processes, RESOURCE, Resent, STATUS_TEXT,
    Sort, State,
};
use crate::export::ndjson::{id_text, outcome_name};
use crate::export::rows::{Row, Rows};
use crate::export::shares::{Shares, stretches};
use crate::export::time::duration_text;
use crate::export::width::{clean, columns, folded};
use crate::losses::Touched;
use crate::numbers::grouped;
use crate::span::{LinkKind, Reason, Span, SpanLink};
use crate::summary::protocol_name;
use std::num::NonZeroU64;
use wirespan_capture::owner::Process;
use wirespan_capture::stream::{RoundTrip, Transport};
use wirespan_parsers::message::Value;
use wirespan_parsers::trace_context::format::is_text_name;

/// What details are written, and how.
pub(super) struct Details<'a> {
    /// Columns of a line.
    pub(super) width: usize,
    pub(super) colors: bool,
    /// Whether the fields of TCP and IP are told too, and what speaks against a link.
    pub(super) all: bool,
    /// The names of the protocols.
    pub(super) protocols: &'a [String],
    /// The names of the taps.
    pub(super) taps: Vec<String>,
    /// The names of the files, where there are several.
    pub(super) files: Vec<String>,
}

impl Details<'_> {
    /// Writes all of one row, each line behind `lead`; `start` is when the trace began.
    pub(super) fn write(
        &self,
        rows: &Rows<'_>,
        place: usize,
        start: i64,
        lead: &str,
        out: &mut String,
    ) {
        let Some(row) = rows.get(place) else { return };
        let (Some(span), Some(told)) = (rows.span(row.outer), rows.exchange(row.told)) else {
            return;
        };
        let mut notes = Notes::new(self, lead, out);
        notes.note("time", &times(rows, place));
        notes.note("connection", &self.connection(&span.exchange));
        let Processes { client, server } = &told.processes;
        for (end, known) in [("client", client), ("server", server)] {
            if let Some(process) = known {
                notes.note("process", &format!("{end}: {}", self.process(process)));
            }
        }
        for (point, span) in rows.points(place) {
            notes.note("seen at", &self.seen(row, point, span, start));
            if self.all {
                for (name, half) in halves(&span.exchange) {
                    notes.note("", &format!("{name}: {}", headers(half)));
                }
            }
        }
        let points = rows.points(place).map(|(_, span)| span.exchange.touched);
        let touched = points.fold(Touched::NONE, Touched::and);
        if touched.kernel_drops {
            notes.note("lost", "the capture lost packets at the time; something may be missing");
        }
        if touched.shed {
            notes.note("shed", "not all was looked at at the time; something may be missing");
        }
        self.messages(told, &mut notes);
        for context in &told.contexts {
            notes.note("id", &identifier(context, told));
        }
        for link in span.span_links.iter().take(SPAN_LINKS) {
            notes.note("message", &self.span_link(link));
        }
        if span.span_links.len() > SPAN_LINKS {
            let more = grouped((span.span_links.len() - SPAN_LINKS) as u64);
            notes.note("", &format!("and of {more} more spans"));
        }
        let link = if self.all { link(rows, span) } else { String::new() };
        notes.note("span", &format!("{:016x}{link}", span.id));
    }

    fn connection(&self, e: &Exchange) -> String {
        let transport = if e.transport == Transport::Tcp { "tcp" } else { "udp" };
        let mut text = format!("{transport} {} > {}", e.client, e.server);
        if e.sort != Sort::Connect {
            text.push_str(&format!(", exchange {} on it", grouped(u64::from(e.ordinal) + 1)));
        }
        if self.all && e.lane != 0 {
            text.push_str(&format!(", stream {}", e.lane));
        }
        text.push_str(&round_trip(e));
        text
    }

    fn process(&self, process: &Process) -> String {
        let mut text = format!("{}, pid {}", process.name, process.pid);
        if let Some(executable) = &process.executable {
            text.push_str(&format!(" of {executable}"));
        }
        if let Some(group) = &process.group {
            text.push_str(&format!(", in {group}"));
        }
        if let Some(namespace) = process.namespace {
            text.push_str(&format!(", namespace {namespace}"));
        }
        if self.all {
            if let Some(user) = process.user {
                text.push_str(&format!(", user {user}"));
            }
            if let Some(host) = &process.host {
                text.push_str(&format!(", on {host}"));
            }
        }
        text
    }

    /// Whom a message is of.
    fn span_link(&self, link: &SpanLink) -> String {
        let SpanLink { trace, span, reason, confidence, .. } = link;
        let what = if *reason == Reason::OneMessage { "made for that of" } else { "of" };
        let percent = (confidence * 100.0).round();
        let reason = reason.name();
        let mut text =
            format!("{what} span {span:016x} of trace {trace:032x} by {reason} {percent} %");
        if self.all {
            if let Some(other) = link.runner_up {
                text.push_str(&format!(", or of {other:016x}"));
            }
            for against in &link.against {
                text.push_str(&format!(", but {against}"));
            }
        }
        text
    }

    /// Where and when one point saw an exchange.
    fn seen(&self, row: &Row, point: usize, span: &Span, start: i64) -> String {
        let e = &*span.exchange;
        let tap = self.taps.get(usize::from(e.tap.0)).map_or("an unnamed tap", String::as_str);
        let mut text = clean(tap.as_bytes()).into_owned();
        if self.all {
            text.push_str(&format!(" (point {}, network {})", span.point, e.network.0));
        }
        if row.points > 1 {
            let (from, time) = (e.start().0 - start, e.end().0 - e.start().0);
            let (from, time) = (duration_text(from), duration_text(time));
            text.push_str(&format!(", {} of {}: +{from} {time}", point + 1, row.points));
        } else {
            text.push(':');
        }
        for (place, (name, half)) in halves(e).enumerate() {
            let bytes = match half.size() {
                0 => String::new(),
                1 => " of 1 byte".to_owned(),
                len => format!(" of {} bytes", grouped(len)),
            };
            let comma = if place > 0 || row.points > 1 { "," } else { "" };
            let loss = loss(half);
            text.push_str(&format!("{comma} {name}{bytes} in {}{loss}", self.frames(half)));
        }
        text
    }

    fn frames(&self, half: &Half) -> String {
        let file = |mark: &Mark| match self.files.get(usize::from(mark.frame.file.0)) {
            Some(name) => format!(" of {}", clean(name.as_bytes())),
            None => String::new(),
        };
        let (first, last) = (&half.first, &half.last);
        let (from, to) = (first.frame.number, last.frame.number);
        if first.frame.file != last.frame.file {
            format!("frame {from}{} to frame {to}{}", file(first), file(last))
        } else if from == to {
            format!("frame {from}{}", file(first))
        } else {
            format!("frames {from}-{to}{}", file(first))
        }
    }

    /// What request and response said.
    fn messages(&self, e: &Exchange, notes: &mut Notes<'_>) {
        let protocol = protocol_name(e.protocol, self.protocols);
        if e.sort != Sort::Connect {
            match protocol {
                "dns" => notes.note("question", &request_line(e)),
                "redis" => {
                    let command = texts(e, "db.query.text").next().map(clean);
                    notes.note("command", &command.unwrap_or_else(|| request_line(e).into()));
                    if let Some(key) = e.text.text(RESOURCE) {
                        notes.note("key", &clean(key));
                    }
                }
                _ => {
                    notes.note("request", &request_line(e));
                    for statement in texts(e, "db.query.text") {
                        notes.note("statement", &clean(statement));
                    }
                }
            }
        }
        let [asked, answered] = TRAILER;
        for (name, value) in named(e, REQUEST_HEADER).chain(named(e, asked)) {
            notes.note("", &format!("{name}: {value}"));
        }
        notes.note("response", &response_line(e));
        for (name, value) in named(e, RESPONSE_HEADER).chain(named(e, answered)) {
            notes.note("", &format!("{name}: {value}"));
        }
        for answers in texts(e, "dns.answers") {
            // An answer's text may hold a comma, but then stands in quotes.
            let mut quoted = false;
            let answers = answers.split(|byte| {
                quoted ^= *byte == b'"';
                *byte == b',' && !quoted
            });
            for answer in answers {
                notes.note("", &clean(answer));
            }
        }
        let prefixes = [REQUEST_HEADER, RESPONSE_HEADER, asked, answered];
        let shown = |name: &str| {
            SHOWN.contains(&name)
                || is_text_name(name)
                || (!self.all && SIZES.contains(&name))
                || prefixes.iter().any(|prefix| name.starts_with(prefix))
        };
        for (name, value) in e.text.iter().filter(|(name, _)| !shown(name)) {
            notes.note("", &format!("{name} {}", value_text(value)));
        }
    }
}

/// Lines with a label each, within the columns of the terminal.
struct Notes<'a> {
    lead: &'a str,
    colors: bool,
    columns: usize,
    /// The label of the line before.
    last: String,
    out: &'a mut String,
}

impl<'a> Notes<'a> {
    fn new(details: &Details<'_>, lead: &'a str, out: &'a mut String) -> Self {
        let columns = details.width.saturating_sub(columns(lead) + LABEL).max(NARROWEST);
        Self { lead, colors: details.colors, columns, last: String::new(), out }
    }

    /// A text under a label, which is not said again; without a label, one that belongs to it.
    fn note(&mut self, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let label = if label == self.last { "" } else { label };
        let mut label_of_line = label;
        for piece in folded(text, self.columns) {
            let text = format!("{label_of_line:<LABEL$}");
            let dim = if self.colors { (DIM, RESET) } else { ("", "") };
            self.out.push_str(&format!("{}{}{text}{}{piece}", self.lead, dim.0, dim.1));
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.push('\n');
            label_of_line = "";
        }
        if !label.is_empty() {
            self.last = label.to_owned();
        }
    }
}

/// Where the time went, in numbers.
fn times(rows: &Rows<'_>, place: usize) -> String {
    let mut shares = Shares::default();
    shares.add(&stretches(rows, place));
    let calls = rows.below(place).count();
    let waits = match calls {
        0 | 1 => String::new(),
        _ => format!(" for {} calls", grouped(calls as u64)),
    };
    let parts = [
        ("server", shares.server, ""),
        ("waits", shares.waiting, waits.as_str()),
        ("network", shares.network, ""),
    ];
    let parts = parts.iter().filter(|(_, time, _)| *time > 0);
    let parts = parts.map(|(name, time, more)| format!("{name} {}{more}", duration_text(*time)));
    parts.collect::<Vec<_>>().join(", ")
}

fn halves(e: &Exchange) -> impl Iterator<Item = (&'static str, &Half)> {
    let (asked, answered) =
        if e.sort == Sort::Connect { ("SYN", "answer") } else { ("request", "response") };
    [Some((asked, &e.request)), e.response.as_ref().map(|half| (answered, half))]
        .into_iter()
        .flatten()
}

/// What TCP and IP said with the first byte.
fn headers(half: &Half) -> String {
    let mut text = String::new();
    if let Some(seq) = half.seq {
        text.push_str(&format!("seq {seq}, ack {}, ", half.ack));
    }
    if half.tsval > 0 {
        text.push_str(&format!("timestamp {}, ", half.tsval));
    }
    text.push_str(&format!("ttl {}, id {}", half.ttl, half.ip_id));
    text
}

/// What of a message was lost or sent again.
pub(crate) fn loss(half: &Half) -> String {
    let mut text = match half.lost {
        0 if half.cut => ", a part of it lost".to_owned(),
        0 => String::new(),
        1 => ", 1 byte of it lost".to_owned(),
        lost => format!(", {} bytes of it lost", grouped(lost)),
    };
    let Resent { segments, stalled } = half.resent;
    if segments > 0 {
        let segments = match segments {
            1 => "1 segment".to_owned(),
            several => format!("{} segments", grouped(several.into())),
        };
        let stalled = duration_text(stalled);
        text.push_str(&format!(", {segments} sent again, the first after {stalled}"));
    }
    text
}

/// How long the handshake took to either end and back.
pub(crate) fn round_trip(e: &Exchange) -> String {
    let RoundTrip { server, client } = e.round_trip;
    let ends = [("server", server), ("client", client)];
    let ends = ends.into_iter().filter_map(|(end, time)| {
        Some(format!("{} to the {end} and back", duration_text(time?.get().into())))
    });
    let ends: Vec<String> = ends.collect();
    if ends.is_empty() {
        String::new()
    } else {
        format!("; its handshake took {}", ends.join(", "))
    }
}

fn request_line(e: &Exchange) -> String {
    let mut line = clean(e.text.text(OPERATION).unwrap_or_default()).into_owned();
    if let Some(resource) = e.text.text(RESOURCE) {
        line.push(' ');
        line.push_str(&clean(resource));
    }
    if let Some(query) = e.text.text("url.query") {
        line.push('?');
        line.push_str(&clean(query));
    }
    line
}

fn response_line(e: &Exchange) -> String {
    match (&e.response, e.state) {
        (None, _) if e.sort.is_one_way() => return String::new(),
        (None, state) => return format!("none: {}", state.name().replace('_', " ")),
        (Some(_), _) if e.sort == Sort::Connect => return e.state.name().to_owned(),
        (Some(_), State::Complete) => {}
        (Some(_), state) => return state.name().replace('_', " "),
    }
    let code = if e.code > 0 { format!("{} ", e.code) } else { String::new() };
    let text = e
        .text
        .text(STATUS_TEXT)
        .map_or_else(|| if e.code > 0 { "".into() } else { outcome_name(e.outcome).into() }, clean);
    format!("{code}{text}")
}

fn identifier(context: &Context, e: &Exchange) -> String {
    let mut text = format!("{} ", context.format.name());
    match id_text(context, e) {
        _ if context.hidden => text.push_str("***"),
        id if context.format.is_text() => text.push_str(&clean(id)),
        _ => text.push_str(&format!("{:032x}", context.trace.get())),
    }
    let shown = |_: &NonZeroU64| !context.hidden;
    if let Some(span) = context.span.filter(shown) {
        text.push_str(&format!(", span {span:016x}"));
    }
    if let Some(parent) = context.parent.filter(shown) {
        text.push_str(&format!(", under {parent:016x}"));
    }
    text.push_str(match context.carried_by {
        Carrier::Request => "",
        Carrier::Response => ", in the response",
        Carrier::Both => ", in both",
    });
    text
}

/// Why a span hangs where it does.
fn link(rows: &Rows<'_>, span: &Span) -> String {
    let Some(link) = &span.link else { return String::new() };
    let above = rows.span(link.parent).map_or(0, |above| above.id);
    let kind = if link.kind == LinkKind::SameExchange { "the same as" } else { "under" };
    let percent = (link.confidence * 100.0).round();
    let mut text = format!(" {kind} {above:016x} by {} {percent} %", link.reason.name());
    if let Some(other) = link.runner_up {
        text.push_str(&format!(", or under {other:016x}"));
    }
    for also in &link.also {
        text.push_str(&format!(", and {also}"));
    }
    for against in &link.against {
        text.push_str(&format!(", but {against}"));
    }
    text
}

fn texts<'e>(e: &'e Exchange, wanted: &'static str) -> impl Iterator<Item = &'e [u8]> {
    e.text.iter().filter_map(move |(name, value)| match value {
        Value::Text(text) if name == wanted => Some(text),
        _ => None,
    })
}

/// What has names that begin so, under the rest of their names.
fn named<'e>(e: &'e Exchange, prefix: &'static str) -> impl Iterator<Item = (&'e str, String)> {
    e.text
        .iter()
        .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value_text(value))))
}

fn value_text(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => clean(text).into_owned(),
        Value::Int(number) => number.to_string(),
    }
}

/// What the lines above say already.
const SHOWN: &[&str] = &[
    OPERATION,
    RESOURCE,
    STATUS_TEXT,
    "url.query",
    "server.address",
    "user_agent.original",
    "db.query.text",
    "dns.question.name",
    "dns.answers",
];
/// What headers mostly say too.
const SIZES: &[&str] = &["http.request.body.size", "http.response.body.size"];
const REQUEST_HEADER: &str = "http.request.header.";
const RESPONSE_HEADER: &str = "http.response.header.";
const TRAILER: [&str; 2] = ["http.request.trailer.", "http.response.trailer."];
/// Spans that one got messages of, as many as are told one by one.
const SPAN_LINKS: usize = 8;
/// Columns of the longest label, and two spaces.
const LABEL: usize = 12;
/// Columns that a text has at least.
const NARROWEST: usize = 16;
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";
