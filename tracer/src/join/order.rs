//! In which order the points that saw one exchange lie, the one nearest the client first.
//!
//! What is sure decides before what is not, for each two of them:
//!
//! 1. time to live: what the client sends has passed the fewest routers near it, and what it gets
//!    the most;
//! 2. one-way delays of the same packet: a request is seen near the client first, and an answer
//!    last. What all exchanges of the same points and hosts have told goes before what a single one
//!    does, since packets may be stamped late by chance. Clocks that differ have been set right by
//!    then, as far as that is known; where one still differs by more than the way takes, the two
//!    contradict each other, and do not count;
//! 3. packets that one point did not see: of a request that was lost on the way and sent again, the
//!    first one was seen near the client only, and of an answer near the server only;
//! 4. containment: near the client, an exchange takes longer.
//!
//! An answer that a point has not seen says nothing.

use crate::exchange::{Exchange, Half};
use std::cmp::{Ordering, Reverse};

/// By what one point is known to be nearer to the client than another one; the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearer {
    /// Packets have passed other numbers of routers.
    TimeToLive,
    /// The same packet was seen earlier.
    OneWay,
    /// One saw a packet that the other did not see, as it was lost in between.
    SentAgain,
    /// One takes longer.
    Containment,
    /// Nothing; one was told first.
    Nothing,
}

impl Nearer {
    /// What it is called where it is told why.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeToLive => "time to live",
            Self::OneWay => "one-way delays",
            Self::SentAgain => "a packet that was sent again in between",
            Self::Containment => "duration",
            Self::Nothing => "the order in which they were told",
        }
    }
}

/// Sorts the points of one exchange, that nearest the client first; `place` settles what nothing
/// tells. `learned` gives what is known of two points by all that they have seen.
pub fn outermost_first<K: Copy + Ord>(
    chain: &mut [(K, &Exchange)],
    learned: impl Fn(&Exchange, &Exchange) -> Option<Ordering>,
) {
    let nearer = |one: &Exchange, other: &Exchange| nearer(one, other, learned(one, other));
    if let [one, other] = chain {
        let turned = match nearer(one.1, other.1) {
            (Ordering::Equal, _) => (other.1.start(), other.0) < (one.1.start(), one.0),
            (order, _) => order == Ordering::Greater,
        };
        if turned {
            std::mem::swap(one, other);
        }
        return;
    }
    // What two of them say may contradict what two others do, so the one that lies before the most
    // others comes first.
    let before = |own: &Exchange| {
        chain.iter().filter(|(_, other)| nearer(own, other).0 == Ordering::Less).count()
    };
    let ranks: Vec<usize> = chain.iter().map(|(_, own)| before(own)).collect();
    let mut ranked: Vec<(usize, (K, &Exchange))> =
        ranks.into_iter().zip(chain.iter().copied()).collect();
    ranked.sort_by_key(|(rank, (place, own))| (Reverse(*rank), own.start(), *place));
    for (place, (_, sorted)) in chain.iter_mut().zip(ranked) {
        *place = sorted;
    }
}

/// Which of two sightings of one exchange is nearer to the client (`Less`: the first), and by what;
/// given what others have told of the two points.
pub fn nearer(one: &Exchange, other: &Exchange, learned: Option<Ordering>) -> (Ordering, Nearer) {
    let answers = one.response.as_ref().zip(other.response.as_ref());
    // More routers are passed by a request far from the client, by an answer near it.
    let passed = other.request.ttl.cmp(&one.request.ttl);
    let passed = passed.then(answers.map_or(Ordering::Equal, |(a, b)| a.ttl.cmp(&b.ttl)));
    if passed != Ordering::Equal {
        return (passed, Nearer::TimeToLive);
    }
    if let Some(order) = learned {
        return (order, Nearer::OneWay);
    }
    let asked = delay(&one.request, &other.request);
    let answered = answers.map_or(Delay::Unknown, |(a, b)| delay(b, a));
    let order = |delay: i64| delay.cmp(&0).reverse();
    // Where a clock is off by more than the way takes, request and answer contradict each other,
    // and how long both took together does not hang on it. A single tap has a single clock.
    let clock_is_off = match (asked, answered) {
        (Delay::Same(asked), Delay::Same(answered)) => {
            one.tap != other.tap && order(asked) == order(answered).reverse()
        }
        _ => false,
    };
    for delay in [asked, answered] {
        if let Delay::Same(delay @ (1.. | ..=-1)) = delay
            && !clock_is_off
        {
            return (order(delay), Nearer::OneWay);
        }
    }
    for delay in [asked, answered] {
        if let Delay::Again(delay @ (1.. | ..=-1)) = delay {
            return (order(delay), Nearer::SentAgain);
        }
    }
    match answers.map_or(Ordering::Equal, |_| other.duration().cmp(&one.duration())) {
        Ordering::Equal => (Ordering::Equal, Nearer::Nothing),
        order => (order, Nearer::Containment),
    }
}

/// How much later a message was first seen at the second point than at the first, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub enum Delay {
    /// Of the same packet.
    Same(i64),
    /// Of packets of which one was sent again: the second one is not the first.
    Again(i64),
    /// One of them saw only a part.
    Unknown,
}

/// How much later a message was first seen at the second point than at the first.
pub fn delay(first: &Half, second: &Half) -> Delay {
    let delay = second.first.at.0.saturating_sub(first.first.at.0);
    match () {
        () if first.seq != second.seq => Delay::Unknown,
        () if (first.tsval, first.ip_id) == (second.tsval, second.ip_id) => Delay::Same(delay),
        // Some routers number packets anew, and some take the timestamps out.
        () if first.tsval == second.tsval && first.tsval > 0 => Delay::Same(delay),
        () => Delay::Again(delay),
    }
}
