//! Where flows are seen: which taps are one point, and which packets of a tap are another hop.
//!
//! A tap may deliver one direction only, as each of the two interfaces of a passive tap does; then
//! the other direction comes from another tap, and both are one point. That is learned from flows:
//!
//! ```text
//!  tap 1   A─▶  seq 100, 20 bytes               A─▶  ack 520
//!  tap 2                     B─▶ ack 120, seq 500, 20 bytes
//! ```
//!
//! Each side is seen by one tap only, and acknowledges what the other tap has seen: one point. Taps
//! that see both sides of a flow are points of their own. And one tap may show several hops: the
//! same packet with another time to live or other addresses of the link layer.

use crate::decode::Segment;
use crate::packet::{Endpoint, NetworkId, TapId};
use crate::stream::PointId;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// How the packets of one side of a flow are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The tap, or the first one of those that the user says are one point.
    pub(crate) place: TapId,
    pub(crate) network: NetworkId,
    pub(crate) space: u64,
    /// The hop: a hash of the addresses of the link layer, and time to live.
    pub(crate) macs: u32,
    pub(crate) ttl: u8,
}

impl Sight {
    pub(crate) fn of(segment: &Segment) -> Self {
        Self {
            place: segment.place,
            network: segment.network,
            space: segment.space,
            macs: segment.macs,
            ttl: segment.seen.ttl,
        }
    }
}

/// What flows have told of two places, the lower one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Flows of which each place saw one side.
    pub split: u64,
    /// Such flows of which one place then showed the other side too.
    pub against: u64,
    /// Flows of which both places saw both sides.
    pub whole: u64,
}

/// What is thought of two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Nothing is known.
    Unknown,
    /// Each sees one side: they are one point.
    OnePoint,
    /// Each sees both sides.
    Apart,
}

/// What flows have told of places.
#[derive(Debug, Default)]
pub struct Places {
    pairs: HashMap<(TapId, TapId), Pair, RandomState>,
    /// The other half of a point.
    halves: HashMap<TapId, TapId, RandomState>,
    /// Flows by the point that saw them.
    points: BTreeMap<PointId, u64>,
    /// What was not noted any more.
    pub(crate) lost: u64,
}

impl Places {
    /// What is known of each pair of places.
    pub fn pairs(&self) -> BTreeMap<(TapId, TapId), Pair> {
        self.pairs.iter().map(|(places, pair)| (*places, *pair)).collect()
    }

    /// How many flows each point saw.
    pub fn points(&self) -> &BTreeMap<PointId, u64> {
        &self.points
    }

    /// A flow was seen from one side at either place.
    pub(crate) fn split(&mut self, a: TapId, b: TapId) {
        self.note(a, b, |pair| pair.split += 1);
    }

    /// A flow that was taken to be seen from one side at either place is seen from both at one.
    pub(crate) fn against(&mut self, a: TapId, b: TapId) {
        self.note(a, b, |pair| pair.against += 1);
    }

    /// A flow was seen from both sides at both places.
    pub(crate) fn whole(&mut self, a: TapId, b: TapId) {
        self.note(a, b, |pair| pair.whole += 1);
    }

    /// A flow has ended that this point saw.
    pub(crate) fn ended(&mut self, point: PointId) {
        if self.points.len() < POINTS || self.points.contains_key(&point) {
            *self.points.entry(point).or_default() += 1;
        } else {
            self.lost += 1;
        }
    }

    /// What is thought of two places.
    pub(crate) fn relation(&self, a: TapId, b: TapId) -> Relation {
        match self.pairs.get(&(a.min(b), a.max(b))) {
            None => Relation::Unknown,
            Some(pair) => pair.relation(),
        }
    }

    /// The place that sees the other side of the flows of this one.
    pub(crate) fn half(&self, place: TapId) -> Option<TapId> {
        self.halves.get(&place).copied()
    }

    fn note(&mut self, a: TapId, b: TapId, count: impl Fn(&mut Pair)) {
        let places = (a.min(b), a.max(b));
        if self.pairs.len() >= PAIRS && !self.pairs.contains_key(&places) {
            self.lost += 1;
            return;
        }
        let pair = self.pairs.entry(places).or_default();
        count(pair);
        let one = pair.relation() == Relation::OnePoint;
        for (place, other) in [(a, b), (b, a)] {
            if one {
                self.halves.entry(place).or_insert(other);
            } else if self.halves.get(&place) == Some(&other) {
                self.halves.remove(&place);
            }
        }
    }
}

impl Pair {
    /// Adds what another shard knows.
    pub fn add(&mut self, other: &Self) {
        self.split += other.split;
        self.against += other.against;
        self.whole += other.whole;
    }

    /// Whether both places are one point.
    pub fn is_one_point(&self) -> bool {
        self.relation() == Relation::OnePoint
    }

    /// A single packet that went astray does not part what many flows have joined.
    fn relation(&self) -> Relation {
        if self.against + self.whole > self.split / STRAY {
            Relation::Apart
        } else if self.split > 0 {
            Relation::OnePoint
        } else {
            Relation::Unknown
        }
    }
}

/// Segments of one flow that wait until it is known which point saw them.
#[derive(Debug)]
pub(crate) struct Held {
    /// Its number, to tell it from an earlier one of the same flow.
    pub(crate) number: u64,
    pub(crate) question: Question,
    pub(crate) segments: Vec<(Segment, Box<[u8]>)>,
    /// Bytes of memory.
    pub(crate) bytes: usize,
}

impl Held {
    pub(crate) fn new(number: u64, question: Question) -> Self {
        Self { number, question, segments: Vec::new(), bytes: 0 }
    }

    pub(crate) fn push(&mut self, segment: &Segment, payload: &[u8]) -> usize {
        let bytes = size_of::<Segment>() + payload.len();
        self.segments.push((segment.clone(), payload.into()));
        self.bytes += bytes;
        bytes
    }

    /// The ways by which packets of one end came to a place.
    pub(crate) fn ways(&self, place: TapId, from: Endpoint) -> SmallVec<[Sight; 4]> {
        let mut ways: SmallVec<[Sight; 4]> = SmallVec::new();
        for (segment, _) in &self.segments {
            let sight = Sight::of(segment);
            if segment.place == place && segment.source == from && !ways.contains(&sight) {
                ways.push(sight);
            }
        }
        ways
    }

    /// Whether it holds all that one flow may hold.
    pub(crate) fn full(&self) -> bool {
        self.segments.len() >= HELD_SEGMENTS || self.bytes >= HELD_BYTES
    }
}

/// What is to be found out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// Whether this place sees one side and another place the other one.
    OnePoint {
        /// The flow whose other side was seen at `there`.
        slot: usize,
        /// Its number.
        birth: u64,
        /// The first segment that came from the other side.
        first: Sight,
        /// Which end sent it: 0 for the low one, 1 for the high one.
        end: usize,
        there: TapId,
        seq: u32,
    },
    /// Which hop of the place the packets of this end belong to.
    Hops {
        /// Which end: 0 for the low one, 1 for the high one.
        end: usize,
        place: TapId,
    },
}

/// Contradictions that are borne: one in so many flows.
const STRAY: u64 = 16;
/// Pairs of places of which is remembered what flows told.
pub const PAIRS: usize = 4_096;
/// Points whose flows are counted.
pub const POINTS: usize = 65_536;
/// Nanoseconds for which segments wait until it is known which point saw them.
pub(crate) const HELD_FOR: i64 = 100_000_000;
/// Segments of one flow that wait so.
pub const HELD_SEGMENTS: usize = 256;
/// Bytes of one flow that wait so.
pub const HELD_BYTES: usize = 256 << 10;
