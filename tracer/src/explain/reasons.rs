//! Two spans and the link between them in, sentences out: what in the packets says that they belong
//! together, what speaks against it, and what the confidence is made of.

use crate::exchange::{Carrier, Context, Exchange, Half, RESOURCE};
use crate::explain::around::{Caller, content};
use crate::explain::asked::{asks_for_else, rest, what};
use crate::explain::hosts::are_one;
use crate::explain::near::Near;
use crate::explain::places::Places;
use crate::export::ndjson::id_text;
use crate::export::time::duration_text;
use crate::export::width::clean;
use crate::join::JoinKey;
use crate::join::fingerprint::fingerprint;
use crate::numbers::grouped;
use crate::span::{Considered, Link, LinkKind, Reason, Span, Trace};
use wirespan_capture::packet::Timestamp;
use wirespan_capture::stream::Transport;
use wirespan_parsers::trace_context::format::Space;
use wirespan_parsers::values::Values;

/// What says that one span hangs rightly under another one of its trace.
pub(super) fn because(
    trace: &Trace,
    upper: &Span,
    lower: &Span,
    link: &Link,
    caller: Option<&Caller>,
    places: &Places,
) -> Vec<String> {
    let mut because = match link.kind {
        LinkKind::SameExchange => same_bytes(upper, lower, places),
        LinkKind::Parent => shared_ids(upper, lower, places),
    };
    if link.kind == LinkKind::Parent {
        if ask_the_same(&upper.exchange, &lower.exchange) {
            because.push(format!("both ask for the same: {}", in_full(lower, caller)));
        }
        if link.also.contains(&BY_VALUES) {
            because.extend(by_values(trace, upper, lower, places));
        }
        if matches!(link.reason, Reason::OneCandidate | Reason::Content)
            && let Some(caller) = caller
        {
            because.push(only_candidate(trace, upper, lower, link, caller, places));
        }
        because.extend(hosts(&upper.exchange, &lower.exchange, link));
        because.push(times(&upper.exchange, &lower.exchange, places));
    }
    because
}

/// What the confidence in a link is made of.
pub(super) fn weighs(upper: &Span, lower: &Span, link: &Link) -> String {
    let kind = lower.cause.as_deref().and_then(kind);
    let text = match (link.reason, kind) {
        (Reason::TcpSequence, _) => {
            "a connection has each number of a byte once, so that nothing else can be the same"
        }
        (Reason::Datagram, _) => {
            "another datagram with these addresses, ports and id at that time is most unlikely"
        }
        (Reason::OneCandidate, Some(kind)) if ask_the_same(&upper.exchange, &lower.exchange) => {
            &format!("time, addresses and what is asked for say so; {kind}")
        }
        (Reason::OneCandidate, Some(kind)) => &format!("only time and addresses say so; {kind}"),
        (Reason::OneCandidate, None) => {
            "only time and addresses say so: the host may have called by itself, or for something \
             that was not captured"
        }
        (Reason::Content, Some(kind)) => {
            &format!("that both ask for the same may be chance; {kind}")
        }
        (Reason::Content, None) => "that both ask for the same may be chance",
        _ if names_parent(&upper.exchange, &lower.exchange) => {
            "whoever sent it says itself which span it belongs under"
        }
        _ if is_endpoint(&upper.exchange, &lower.exchange) => {
            let told_by_values = link.also.contains(&BY_VALUES);
            if told_by_values {
                "identifier and addresses agree; that it is this one of the calls with that \
                 identifier is told by the host that called and by what both carry"
            } else {
                "identifier and addresses agree; that it is this one of the calls with that \
                 identifier is told by the host that called and by time"
            }
        }
        _ => "only the identifier says so: who called has another address than who was asked",
    };
    let mut text = text.to_owned();
    if !link.against.is_empty() {
        text.push_str("; what speaks against it makes it less");
    }
    if link.runner_up.is_some() {
        text.push_str("; so does another one that is about as good");
    }
    text
}

/// What calls of one kind have in common, in words.
pub(super) fn kind(cause: &Considered) -> Option<String> {
    let Considered { one, idle, all, idle_share, .. } = *cause;
    // Where it was hardly ever so, it could hardly have been otherwise.
    let share = (idle_share >= 0.01).then(|| format!("{:.0}", idle_share * 100.0));
    let by_chance = match &share {
        Some(share) => format!("though nothing was for {share} % of the time"),
        None => "as something was nearly all the time".to_owned(),
    };
    let share = share.unwrap_or_else(|| "less than 1".to_owned());
    let times = |count: u32| grouped(count.into());
    match (all, one, idle) {
        (0, ..) => None,
        (1, 1, _) => Some(format!(
            "it is the only call of its kind, and began while something was open at the caller, \
             {by_chance}"
        )),
        (_, _, 0) => Some(format!(
            "{} calls of its kind were seen, and each began while something was open at the \
             caller, {by_chance}",
            times(all)
        )),
        _ => {
            let more = all.saturating_sub(one).saturating_sub(idle);
            let more = match more {
                0 => String::new(),
                more => format!(", {} while more were", times(more)),
            };
            Some(format!(
                "of {} calls of its kind, {} began while one exchange was open at the caller{more}, \
                 and {} while none was, as it was for {share} % of the time",
                times(all),
                times(one),
                times(idle)
            ))
        }
    }
}

/// Why the next best parent is not the parent.
pub(super) fn why_lost(best: &Span, rival: &Span, lower: &Span) -> Vec<String> {
    let [by_best, by_rival] =
        [best, rival].map(|upper| names_parent(&upper.exchange, &lower.exchange));
    let mut why = Vec::new();
    if by_best && !by_rival {
        why.push("its span is not the one that is named as parent".to_owned());
    }
    if is_endpoint(&best.exchange, &lower.exchange)
        && !is_endpoint(&rival.exchange, &lower.exchange)
    {
        let (rival, lower) = (&*rival.exchange, &*lower.exchange);
        let (mut asked, mut caller) = (rival.server.ip(), lower.client.ip());
        // The loopback of two machines has one address.
        if asked == caller {
            (asked, caller) = (rival.server_host(), lower.client_host());
        }
        why.push(format!("it asked {asked}, and {caller} called"));
    }
    let shares = |upper: &Span| shared(&upper.exchange, &lower.exchange).next().is_some();
    if shares(best) && !shares(rival) {
        why.push("it carries none of the identifiers".to_owned());
    }
    let same = |upper: &Span| ask_the_same(&upper.exchange, &lower.exchange);
    if same(best) && !same(rival) {
        let [theirs, own] = [rival, lower].map(|span| (what(span), rest(&span.exchange)));
        let [theirs, own] = [&theirs, &own].map(|(what, rest)| (what.as_str(), rest.as_deref()));
        why.push(asks_for_else(theirs, own));
    }
    let is_within = |upper: &Span| {
        upper.exchange.response.is_none() || lower.exchange.end() <= upper.exchange.end()
    };
    if is_within(best) && !is_within(rival) {
        why.push("it was over before this one was".to_owned());
    }
    if why.is_empty() {
        let apart = best.exchange.start().0.saturating_sub(rival.exchange.start().0);
        why.push(match apart {
            0.. => format!(
                "nothing tells them apart but time: it began {} earlier",
                duration_text(apart)
            ),
            _ => format!(
                "nothing tells them apart but time: it began {} later",
                duration_text(apart.saturating_neg())
            ),
        });
    }
    why
}

/// An identifier as it was carried, without where.
pub(super) fn id(context: &Context, exchange: &Exchange) -> String {
    let name = context.format.name();
    if context.hidden {
        return format!("{name} ***");
    }
    let text = if context.format.is_text() { id_text(context, exchange) } else { &[] };
    let mut text = match text {
        [] => format!("{name} {:032x}", context.trace.get()),
        text => format!("{name} {}", clean(text)),
    };
    if let Some(span) = context.span {
        text.push_str(&format!(" with span {span:016x}"));
    }
    if let Some(parent) = context.parent {
        text.push_str(&format!(" under {parent:016x}"));
    }
    text
}

/// In which frames a message carried an identifier.
pub(super) fn carried_in(context: &Context, exchange: &Exchange, places: &Places) -> String {
    let what = match places.protocol(exchange.protocol) {
        "mysql" | "postgresql" => "a comment of its statement",
        _ => "its request",
    };
    let request = format!("{what} ({})", places.frames(&exchange.request));
    let response = exchange.response.as_ref();
    let response = response.map(|half| format!("its response ({})", places.frames(half)));
    match (context.carried_by, response) {
        (Carrier::Response, Some(response)) => response,
        (Carrier::Both, Some(response)) => format!("{request} and {response}"),
        _ => request,
    }
}

/// Whether two identifiers are one, as far as their own digits say.
pub(super) fn are_same(a: &Context, b: &Context) -> bool {
    JoinKey::of(a).zip(JoinKey::of(b)).is_some_and(|(a, b)| are_same_keys(a, b))
}

/// The same of their keys.
pub(super) fn are_same_keys(a: JoinKey, b: JoinKey) -> bool {
    // Some formats carry no more than the lower half of a trace id.
    let is_half = (a.id.is_half() || b.id.is_half()) && a.id.low() == b.id.low();
    let are_trace_ids = a.format.space() == Space::Traces && b.format.space() == Space::Traces;
    a == b || (is_half && are_trace_ids)
}

/// Whether the host that called is the one that was asked above.
pub(super) fn is_endpoint(upper: &Exchange, lower: &Exchange) -> bool {
    upper.server_host() == lower.client_host()
}

/// Names of identifiers of which two exchanges carry different ones.
pub(super) fn conflicts<'e>(
    upper: &'e [Context],
    lower: &'e [Context],
) -> impl Iterator<Item = &'static str> + 'e {
    lower.iter().filter_map(move |own| {
        let mut same_format = upper.iter().filter(|other| other.format == own.format).peekable();
        same_format.peek()?;
        let differ = same_format.all(|other| !are_same(other, own));
        differ.then_some(own.format.name())
    })
}

/// What is asked for: with the query; with the whole statement where that tells it from others that
/// were open at the caller.
fn in_full(span: &Span, caller: Option<&Caller>) -> String {
    let what = what(span);
    let is_told_by_rest = || {
        let open = caller.into_iter().flat_map(|caller| &caller.open);
        open.into_iter().any(|near| near.what == what && !near.asks_the_same)
    };
    match rest(&span.exchange) {
        Some(query) if query.starts_with('?') => format!("{what}{query}"),
        Some(statement) if is_told_by_rest() => format!("{what}: {statement}"),
        _ => what,
    }
}

/// Whether two exchanges ask for the same thing.
fn ask_the_same(one: &Exchange, other: &Exchange) -> bool {
    content(one).is_some_and(|content_of_one| Some(content_of_one) == content(other))
}

/// How long two moments are apart, in words.
pub(super) fn apart(from: Timestamp, to: Timestamp, after: &str, before: &str) -> String {
    match to.0.saturating_sub(from.0) {
        0 => "at the same moment as".to_owned(),
        time @ 1.. => format!("{} {after}", duration_text(time)),
        time => format!("{} {before}", duration_text(time.saturating_neg())),
    }
}

/// Another exchange, in words.
pub(super) fn other(near: &Near, places: &Places) -> String {
    let Near { what, service, span, .. } = near;
    let frames = places.frames(&near.request);
    format!("{what} of {} ({frames}, span {span:016x})", clean(service.as_bytes()))
}

fn shared<'e>(
    upper: &'e Exchange,
    lower: &'e Exchange,
) -> impl Iterator<Item = (&'e Context, &'e Context)> {
    lower.contexts.iter().filter_map(|own| {
        let other = upper.contexts.iter().filter(|other| are_same(other, own));
        // Of several, the one that names the span says most.
        let best = other.max_by_key(|other| (names(other, own), other.format == own.format));
        Some((best?, own))
    })
}

/// Whether a lower identifier names the span of an upper one as its parent.
fn names(upper: &Context, lower: &Context) -> bool {
    lower.parent.is_some() && lower.parent == upper.span
}

fn names_parent(upper: &Exchange, lower: &Exchange) -> bool {
    shared(upper, lower).any(|(above, own)| names(above, own))
}

fn shared_ids(upper: &Span, lower: &Span, places: &Places) -> Vec<String> {
    let (upper, lower) = (&*upper.exchange, &*lower.exchange);
    let sentences = shared(upper, lower).map(|(above, own)| {
        let (id_above, id_own) = (id(above, upper), id(own, lower));
        let id_above = if id_above == id_own { "the same" } else { id_above.as_str() };
        let mut text = format!(
            "{id_own} stands in {}; the one above has {id_above} in {}",
            carried_in(own, lower, places),
            carried_in(above, upper, places),
        );
        if names(above, own) {
            text.push_str("; so it names the span of the one above as its parent");
        } else if own.span.is_some() && own.span == above.span {
            text.push_str("; both name one span, as where a host hands on what it was told");
        } else if own.format.is_text()
            && !own.hidden
            && id_text(own, lower) != id_text(above, upper)
        {
            text.push_str(
                "; they differ in the digit in which Envoy notes whether it traces, or in how they \
                 are written",
            );
        }
        text
    });
    sentences.collect()
}

/// What left this one of what was open at the caller.
fn only_candidate(
    trace: &Trace,
    upper: &Span,
    lower: &Span,
    link: &Link,
    caller: &Caller,
    places: &Places,
) -> String {
    let host = lower.exchange.client_host();
    let call = &*lower.exchange;
    let open = caller.open.len() as u64 + caller.more;
    let top = top(trace, upper);
    let is_above = |near: &Near| near.trace == trace.id && near.exchange == top;
    let others = || caller.open.iter().filter(|near| !is_above(near));
    let may_have_called = |near: &&Near| caller.may_have_called(near, call);
    let also = |words: &str| link.also.iter().any(|also| also.contains(words));
    let of_open = match open {
        0 | 1 => format!("of what was open at {host} as it began"),
        _ => format!("of {} exchanges open at {host} as it began", grouped(open)),
    };
    if link.reason == Reason::Content {
        let above = caller.open.iter().find(|near| is_above(near));
        let alike = others().filter(|near| near.asks_the_same);
        return match only_alike(alike, above, caller, call) {
            Ok(only) => format!("{of_open}, this is the only one that asks for the same{only}"),
            Err(alike) => {
                let only = format!("{of_open}, joining took this for the only one that asks for");
                format!("{only} the same; {}", against(&alike, 0, "does", "do", call))
            }
        };
    }
    if also("identifiers") {
        let (only, none) = ("that carries no other identifier", "carries none, too");
        let agrees = |near: &&Near| conflicts(&near.contexts, &call.contexts).next().is_none();
        let rivals: Vec<&Near> = others().filter(may_have_called).filter(agrees).collect();
        return match rivals.as_slice() {
            [] => format!("{of_open}, this is the only one {only}"),
            _ => format!(
                "{of_open}, joining took this for the only one {only}; {}",
                against(&rivals, 0, none, "carry none, too", call)
            ),
        };
    }
    if also("port") {
        return format!(
            "{of_open}, this is the one that asked {}: whenever only one was open, such calls were \
             made for what is asked there",
            upper.exchange.server
        );
    }
    let rivals: Vec<&Near> = others().filter(may_have_called).collect();
    let mut text = match (rivals.len() as u64 + caller.more, open) {
        (0, ..2) => format!("as it began, this was the only exchange that was open at {host}"),
        (0, _) => format!(
            "as it began, this was the only one of {} exchanges open at {host} that may have \
             called",
            grouped(open)
        ),
        _ => {
            return format!(
                "{of_open}, joining took this for the only one that may have called; {}",
                against(&rivals, caller.more, "may have, too", "may have, too", call)
            );
        }
    };
    if let Some(before) = &caller.before {
        let ago = duration_text(lower.exchange.start().0.saturating_sub(before.end.0));
        text.push_str(&format!(
            "; the one before it, {}, was over {ago} before",
            other(before, places)
        ));
    }
    text
}

/// The outermost span of the same exchange.
fn top(trace: &Trace, span: &Span) -> u64 {
    let up = |span: &&Span| {
        let link = span.link.as_ref().filter(|link| link.kind == LinkKind::SameExchange)?;
        trace.spans.get(link.parent)
    };
    // Parents come first, so that this ends.
    std::iter::successors(Some(span), up).last().map_or(span.id, |span| span.id)
}

/// What sets apart the one above (`above`) from others that were open and ask for the same
/// (`alike`), in words to stand behind that it is the only one; nothing where there are none. Those
/// that nothing sets apart are the error.
fn only_alike<'n>(
    alike: impl Iterator<Item = &'n Near>,
    above: Option<&Near>,
    caller: &Caller,
    call: &Exchange,
) -> Result<String, Vec<&'n Near>> {
    let mut of_those: Vec<String> = Vec::new();
    let mut left: Vec<&Near> = Vec::new();
    // One that others were made for is taken where none of these asks for the same.
    let is_outer = above.is_some_and(|above| caller.inner(above, call).is_some());
    let began = above.map(|above| above.start);
    for near in alike {
        let mut formats: Vec<&str> = conflicts(&near.contexts, &call.contexts).collect();
        formats.dedup();
        let clause = if near.asked_the_same_server(call) {
            "that asked another server than this call".to_owned()
        } else if !formats.is_empty() {
            format!("that carry no other {}", formats.join(" and no other "))
        } else if caller.inner(near, call).is_none() {
            left.push(near);
            continue;
        } else if !is_outer {
            "for which none of the others was made".to_owned()
        } else if began.is_some_and(|began| near.start <= began) {
            "for which others were made, but for those that began before it".to_owned()
        } else {
            left.push(near);
            continue;
        };
        if !of_those.contains(&clause) {
            of_those.push(clause);
        }
    }
    match (left.as_slice(), of_those.as_slice()) {
        ([], []) => Ok(String::new()),
        ([], _) => Ok(format!(" of those {}", of_those.join(" and "))),
        _ => Err(left),
    }
}

/// That by what is known now, others that were open (`rivals`, and `more` that are not looked at)
/// might have been taken as well; `does` says of one what is true of it, and `all_do` of several.
fn against(rivals: &[&Near], more: u64, does: &str, all_do: &str, call: &Exchange) -> String {
    let later = rivals.iter().filter(|near| near.told > call.turns.first().number).count();
    let mut text = match rivals.len() as u64 {
        0 => String::new(),
        1 => format!("by what is known now, one other {does}"),
        many => format!("by what is known now, {} others {all_do}", grouped(many)),
    };
    text.push_str(&match (later, rivals.len()) {
        (_, 0) => String::new(),
        (0, 1) => ", and it had been seen before this call: why it was left out is not known here"
            .to_owned(),
        (0, _) => ", and they had been seen before this call: why they were left out is not known \
                   here"
            .to_owned(),
        (_, 1) => ", and it was seen only after this call".to_owned(),
        (later, all) if later == all => ", and they were seen only after this call".to_owned(),
        (later, _) => format!(
            ", of which {} had been seen before this call: why they were left out is not known \
             here",
            grouped((rivals.len() - later) as u64)
        ),
    });
    if more > 0 {
        let and = if rivals.is_empty() { "" } else { "; " };
        text.push_str(&format!("{and}{} more are not looked at here", grouped(more)));
    }
    text
}

/// What a call carries of the one above, and of no other that it may have been made for.
fn by_values(trace: &Trace, upper: &Span, lower: &Span, places: &Places) -> Option<String> {
    let (above, own) = (&*upper.exchange, &*lower.exchange);
    let prints = [above, own].map(fingerprint);
    let is_rival = |span: &&Span| {
        let e = &*span.exchange;
        let is_open = e.start() <= own.start() && (e.response.is_none() || e.end() >= own.start());
        is_open
            && is_endpoint(e, own)
            && shared(e, own).next().is_some()
            && !prints.contains(&fingerprint(e))
    };
    let rivals: Vec<&Span> = trace.spans.iter().filter(is_rival).collect();
    let carries = |e: &Exchange, word: &u16| e.values.words().contains(word);
    let tells = |word: &&u16| {
        carries(above, word) && !rivals.iter().all(|rival| carries(&rival.exchange, word))
    };
    let words: Vec<u16> = own.values.words().iter().filter(tells).copied().collect();
    if words.is_empty() {
        return None;
    }
    let mut shown: Vec<String> = Vec::new();
    // What one of them does not show, the other may.
    let texts = [own, above].into_iter().flat_map(|e| {
        [RESOURCE, "url.query", "db.query.text"].into_iter().filter_map(|name| e.text.text(name))
    });
    for text in texts {
        for word in text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte >= 0x80)) {
            let mut values = Values::default();
            values.read(word);
            values.end();
            let word = clean(word).into_owned();
            let is_told = values.words().iter().any(|word| words.contains(word));
            if is_told && !shown.contains(&word) && shown.len() < SHOWN {
                shown.push(word);
            }
        }
    }
    let what = match (shown.as_slice(), words.len()) {
        ([], 1) => "a value".to_owned(),
        ([], many) => format!("{many} values"),
        (shown, _) => shown.join(", "),
    };
    let mut text = format!("it carries {what}, as the one above does");
    let without = |rival: &&Span| !words.iter().all(|word| carries(&rival.exchange, word));
    if let Some(rival) = rivals.iter().copied().find(without) {
        text.push_str(&format!(
            "; {}, which was open there, too, and bears the same identifier, does not",
            other(&Near::of(trace.id, rival), places)
        ));
    }
    Some(text)
}

/// That who called is who was asked above, by the addresses that the packets bear.
fn hosts(upper: &Exchange, lower: &Exchange, link: &Link) -> Option<String> {
    let by_addresses = is_endpoint(upper, lower);
    if !by_addresses && !are_one(link) {
        return None;
    }
    let (asked, caller) = (upper.server.ip(), lower.client.ip());
    let mut text = match (asked == caller, asked.is_loopback(), caller.is_loopback()) {
        (true, false, _) => format!("{caller} called, which is the host that was asked above"),
        (true, true, _) => {
            format!("{caller} called, which was asked above, too: the loopback of one machine")
        }
        (false, true, true) => {
            format!("{caller} called and {asked} was asked above: both the loopback of one machine")
        }
        (false, true, false) => {
            format!("{caller} called and {asked} was asked above: its loopback, one machine")
        }
        (false, false, true) => {
            format!(
                "{caller} called and {asked} was asked above: loopback and address of one machine"
            )
        }
        (false, false, false) => {
            format!("{caller} called and {asked} was asked above: two addresses of one machine")
        }
    };
    if !by_addresses {
        text.push_str(", as its packets tell");
    }
    Some(text)
}

fn times(upper: &Exchange, lower: &Exchange, places: &Places) -> String {
    let [own, above] = [&lower.request, &upper.request].map(|half| places.frames(half));
    let began = apart(upper.start(), lower.start(), "after", "before");
    let mut text = format!("it began ({own}) {began} the one above ({above})");
    match (&lower.response, &upper.response) {
        (Some(own), Some(above)) => {
            let ended = apart(upper.end(), lower.end(), "after", "before");
            let [own, above] = [own, above].map(|half| places.frames(half));
            text.push_str(&format!(", and ended ({own}) {ended} that one ({above})"));
        }
        (_, None) => text.push_str(", whose response was not seen"),
        (None, Some(_)) => text.push_str("; its own response was not seen"),
    }
    text
}

/// What is equal in the packets of one exchange at two points, and which of them is nearer to the
/// client.
fn same_bytes(upper: &Span, lower: &Span, places: &Places) -> Vec<String> {
    let (above, own) = (&*upper.exchange, &*lower.exchange);
    let mut because = Vec::new();
    let halves = [
        ("request", Some((&above.request, &own.request))),
        ("response", above.response.as_ref().zip(own.response.as_ref())),
    ];
    for (name, pair) in halves {
        let Some((above, own)) = pair else { continue };
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for (field, [one, other]) in fields(above, own) {
            match one == other {
                true => same.push(format!("{field} {one}")),
                false => different.push(format!("{field} {one} above and {other} here")),
            }
        }
        let mut text = format!(
            "the {name} is in {} above and in {} here",
            places.frames(above),
            places.frames(own)
        );
        if !same.is_empty() {
            text.push_str(&format!(", with the same {}", same.join(", ")));
        }
        if !different.is_empty() {
            text.push_str(&format!("; different are {}", different.join(", ")));
        }
        because.push(text);
    }
    because.push(ends(above, own));
    because.extend(nearer(above, own));
    let longer = above
        .end()
        .0
        .saturating_sub(above.start().0)
        .saturating_sub(own.end().0.saturating_sub(own.start().0));
    if above.response.is_some() && own.response.is_some() && longer > 0 {
        because
            .push(format!("{} of its time passed between the two points", duration_text(longer)));
    }
    because
}

fn fields(above: &Half, own: &Half) -> Vec<(&'static str, [u64; 2])> {
    let mut fields = Vec::new();
    let mut add = |name, is_there: bool, of: fn(&Half) -> u64| {
        if is_there {
            fields.push((name, [of(above), of(own)]));
        }
    };
    let has_seq = above.seq.is_some() && own.seq.is_some();
    add("sequence number", has_seq, |half| half.seq.unwrap_or_default().into());
    add("acknowledgement", has_seq, |half| half.ack.into());
    add("timestamp", above.tsval > 0 || own.tsval > 0, |half| half.tsval.into());
    add("IP id", above.ip_id > 0 || own.ip_id > 0, |half| half.ip_id.into());
    add("length", true, |half| half.len);
    fields
}

fn ends(above: &Exchange, own: &Exchange) -> String {
    let name = if own.transport == Transport::Tcp { "tcp" } else { "udp" };
    if (above.client, above.server) == (own.client, own.server) {
        return format!("both are of {name} {} > {}", own.client, own.server);
    }
    format!(
        "addresses are translated in between: {name} {} > {} above is {} > {} here",
        above.client, above.server, own.client, own.server
    )
}

/// Which of two points is nearer to the client, and what tells it.
fn nearer(above: &Exchange, own: &Exchange) -> Vec<String> {
    let mut why = Vec::new();
    let routers =
        |more: u8| if more == 1 { "one router".to_owned() } else { format!("{more} routers") };
    let (first, second) = (above.request.ttl, own.request.ttl);
    if first > second {
        why.push(format!(
            "the request's TTL is {first} above and {second} here: it passed {} in between, so the \
             point above is nearer to the client",
            routers(first - second)
        ));
    }
    if let (Some(one), Some(other)) = (&above.response, &own.response)
        && one.ttl < other.ttl
    {
        why.push(format!(
            "the response's TTL is {} here and {} above: it comes from here",
            other.ttl, one.ttl
        ));
    }
    let way = own.start().0.saturating_sub(above.start().0);
    if way > 0 {
        why.push(format!("the request was seen above {} earlier", duration_text(way)));
    } else if way < 0 {
        why.push(format!(
            "the request was seen here {} earlier, so the clocks of the points are not the same",
            duration_text(way.saturating_neg())
        ));
    }
    why
}

/// What joining says of a link that values told.
const BY_VALUES: &str = "it carries values of the one above";
/// Values that are shown.
const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::EventNumber;

    fn exchange(client: &str, server: &str) -> Exchange {
        let mut exchange = Exchange::lasting(1);
        exchange.client = client.parse().unwrap();
        exchange.server = server.parse().unwrap();
        exchange
    }

    fn check_hosts(upper: [&str; 2], lower: [&str; 2], expected: &str) {
        let link = Link {
            parent: 0,
            kind: LinkKind::Parent,
            reason: Reason::Content,
            confidence: 0.9,
            also: Default::default(),
            against: Default::default(),
            runner_up: None,
        };
        let [upper, lower] = [upper, lower].map(|[client, server]| exchange(client, server));
        assert_eq!(hosts(&upper, &lower, &link).as_deref(), Some(expected), "{expected}");
    }

    #[test]
    fn the_address_that_was_asked_is_named() {
        let [near, far, loopback] = ["10.96.2.4:4000", "10.96.2.5:80", "127.0.0.1:15001"];
        check_hosts(
            [far, near],
            [near, far],
            "10.96.2.4 called, which is the host that was asked above",
        );
        check_hosts(
            [near, loopback],
            [near, far],
            "10.96.2.4 called and 127.0.0.1 was asked above: its loopback, one machine",
        );
        check_hosts(
            [near, loopback],
            [loopback, loopback],
            "127.0.0.1 called, which was asked above, too: the loopback of one machine, as its \
             packets tell",
        );
        check_hosts(
            [far, near],
            [loopback, loopback],
            "127.0.0.1 called and 10.96.2.4 was asked above: loopback and address of one machine, \
             as its packets tell",
        );
        check_hosts(
            [far, near],
            ["10.96.0.2:4000", far],
            "10.96.0.2 called and 10.96.2.4 was asked above: two addresses of one machine, as its \
             packets tell",
        );
    }

    /// One that is open at the caller, of which joining learnt by this event.
    fn near(told: u64) -> Near {
        let span = Span {
            id: told,
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
        Near { told: EventNumber(told), asks_the_same: true, ..Near::of(1, &span) }
    }

    #[test]
    fn where_joining_took_another_one_for_none_it_is_said_what_is_known_of_that() {
        let mut call = exchange("10.0.0.2:4000", "10.0.0.3:80");
        call.turns.closed.number = EventNumber(10);
        let check = |told: &[u64], more, expected: &str| {
            let rivals: Vec<Near> = told.iter().copied().map(near).collect();
            let rivals: Vec<&Near> = rivals.iter().collect();
            assert_eq!(against(&rivals, more, "may have, too", "may have, too", &call), expected);
        };
        check(
            &[9],
            0,
            "by what is known now, one other may have, too, and it had been seen before this call: \
             why it was left out is not known here",
        );
        check(
            &[11],
            0,
            "by what is known now, one other may have, too, and it was seen only after this call",
        );
        check(
            &[9, 8, 11],
            0,
            "by what is known now, 3 others may have, too, of which 2 had been seen before this \
             call: why they were left out is not known here",
        );
        check(
            &[11, 12],
            7,
            "by what is known now, 2 others may have, too, and they were seen only after this \
             call; 7 more are not looked at here",
        );
        check(&[], 1_000, "1,000 more are not looked at here");
    }

    #[test]
    fn what_asks_for_the_same_and_is_no_cause_is_set_apart() {
        let call = exchange("10.0.0.2:4000", "10.0.0.3:80");
        let (above, elsewhere) = (near(1), near(2));
        let asked_the_same = Near { server: call.server, ..near(3) };
        let (outer, inner) = (near(4), Near { under: Some(4), ..near(5) });
        let caller = Caller { open: vec![outer.clone(), inner.clone()], ..Caller::default() };
        let told = |alike: &[&Near], above: &Near| {
            let alike = alike.iter().copied();
            only_alike(alike, Some(above), &caller, &call).map_err(|left| left.len())
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(told(&[], &above), ok(""));
        assert_eq!(told(&[&elsewhere], &above), Err(1));
        assert_eq!(told(&[&elsewhere, &outer], &above), Err(1));
        assert_eq!(
            told(&[&outer, &asked_the_same], &inner),
            ok(
                " of those for which none of the others was made and that asked another server than \
                this call"
            )
        );
        let earlier = Near { start: Timestamp(-1), ..outer.clone() };
        assert_eq!(
            told(&[&earlier], &outer),
            ok(" of those for which others were made, but for those that began before it")
        );
    }
}
