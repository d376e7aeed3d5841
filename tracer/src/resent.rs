//! What was sent again after its exchange was over, mostly the end of a response whose
//! acknowledgement came late: it is kept until the exchange settles.

use crate::exchange::{Exchange, ExchangeId, Resent};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use wirespan_parsers::message::Side;

/// Which message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// Where an exchange that is over lies in the streams of its sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    pub(crate) id: ExchangeId,
    /// The side that asked.
    pub(crate) from: Side,
    pub(crate) request: (u64, u64),
    pub(crate) response: (u64, u64),
}

impl Over {
    /// The part that holds this byte of a side, if one does.
    pub(crate) fn part_at(&self, from: Side, offset: u64) -> Option<Part> {
        let (part, (start, len)) = match self.from == from {
            true => (Part::Request, self.request),
            false => (Part::Response, self.response),
        };
        (start..start.saturating_add(len)).contains(&offset).then_some(part)
    }
}

/// What came again too late to be noted at once.
#[derive(Debug, Default)]
pub struct Late {
    of: HashMap<ExchangeId, [Resent; 2], FixedState>,
    /// The exchanges in the order in which they came.
    order: VecDeque<ExchangeId>,
}

impl Late {
    /// Notes what of an exchange came again.
    pub fn note(&mut self, exchange: ExchangeId, part: Part, resent: Resent) {
        let halves = self.of.entry(exchange).or_insert_with(|| {
            self.order.push_back(exchange);
            Default::default()
        });
        let [request, response] = halves;
        let half = if part == Part::Request { request } else { response };
        *half = half.and(resent);
        // Those that had settled by then are never asked for.
        while self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Adds what is known of an exchange.
    pub fn complete(&mut self, exchange: &mut Exchange) {
        let Some([request, response]) = self.of.remove(&exchange.id) else { return };
        exchange.request.resent = exchange.request.resent.and(request);
        if let Some(half) = &mut exchange.response {
            half.resent = half.resent.and(response);
        }
    }
}

/// Exchanges of which something is known.
const KEPT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_late_is_added_once_and_has_a_limit() {
        let mut late = Late::default();
        let resent = Resent { segments: 1, stalled: 7 };
        let mut exchange = Exchange::lasting(1);
        late.note(exchange.id, Part::Response, resent);
        late.note(exchange.id, Part::Response, Resent { segments: 2, stalled: 9 });
        late.complete(&mut exchange);
        late.complete(&mut exchange);
        let response = exchange.response.unwrap().resent;
        assert_eq!(response, Resent { segments: 3, stalled: 7 });
        assert_eq!(exchange.request.resent, Resent::default());
        for serial in 0..10_000 {
            late.note(ExchangeId { shard: 0, serial }, Part::Request, resent);
        }
        assert_eq!((late.of.len(), late.order.len()), (KEPT, KEPT));
    }
}
