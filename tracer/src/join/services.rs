//! One exchange has one service, wherever it was seen: the spans of a trace in, each named as the
//! surest of the points of its exchange knows it.
//!
//! Where an address is translated on the way, the points see different servers of one exchange.

use crate::names::Known;
use crate::span::Span;

/// Gives the spans of each exchange one name: the surest, and of those as sure the one nearest to
/// the client. `known` says of each span what it is known by.
pub(super) fn agree(spans: &mut [Span], known: &mut [Known]) {
    let above = |span: &Span| span.link.as_ref().filter(|_| span.is_next_point()).map(|l| l.parent);
    if spans.iter().all(|span| above(span).is_none()) {
        return;
    }
    // Each stands behind the one that it hangs under.
    for place in (0..spans.len()).rev() {
        let Some(parent) = spans.get(place).and_then(above) else { continue };
        let (Some(own), Some(other)) = (known.get(place).copied(), known.get_mut(parent)) else {
            continue;
        };
        if own < *other {
            *other = own;
            copy(spans, place, parent);
        }
    }
    for place in 0..spans.len() {
        if let Some(parent) = spans.get(place).and_then(above) {
            copy(spans, parent, place);
        }
    }
}

fn copy(spans: &mut [Span], from: usize, to: usize) {
    let Some(name) = spans.get(from).map(|span| span.service.clone()) else { return };
    if let Some(span) = spans.get_mut(to).filter(|span| span.service != name) {
        span.service = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Exchange;
    use crate::span::{Link, LinkKind, Reason};

    type Seen<'a> = (&'a str, Known, Option<(usize, LinkKind)>);

    /// Spans by name, what that is known by, and the place of the one above; `next` is the same
    /// exchange at another point.
    #[track_caller]
    fn check(spans: &[Seen<'_>], expected: &[&str]) {
        let mut known: Vec<Known> = spans.iter().map(|(_, known, _)| *known).collect();
        let made = spans.iter().map(|(name, _, above)| Span {
            id: 1,
            exchange: Box::new(Exchange::lasting(1)),
            point: 0,
            first_point: 0,
            service: (*name).into(),
            link: above.map(|(parent, kind)| Link {
                parent,
                kind,
                reason: Reason::TcpSequence,
                confidence: 1.0,
                also: Default::default(),
                against: Default::default(),
                runner_up: None,
            }),
            earlier: None,
            span_links: Vec::new(),
            cause: None,
            depth: 0,
        });
        let mut spans: Vec<Span> = made.collect();
        agree(&mut spans, &mut known);
        let found: Vec<&str> = spans.iter().map(|span| &*span.service).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_surest_point_names_the_exchange() {
        let next = |place| Some((place, LinkKind::SameExchange));
        let below = |place| Some((place, LinkKind::Parent));
        check(
            &[
                ("10.96.0.1:80", Known::Address, None),
                ("shop", Known::Host, next(0)),
                ("shop.test", Known::Dns, next(1)),
                ("10.244.0.2:5000", Known::Address, next(2)),
                ("stock", Known::Host, below(3)),
                ("stock:8080", Known::Host, next(4)),
                ("python", Known::Process, next(4)),
            ],
            &["shop.test", "shop.test", "shop.test", "shop.test", "stock", "stock", "stock"],
        );
    }

    #[test]
    fn exchanges_that_one_point_saw_keep_their_names() {
        let below = Some((0, LinkKind::Parent));
        check(
            &[("a", Known::Address, None), ("b", Known::Names, below), ("c", Known::Dns, below)],
            &["a", "b", "c"],
        );
    }
}
