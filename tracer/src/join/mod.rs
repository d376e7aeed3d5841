//! Exchanges of all flows and points, in order of time, to traces.
//!
//! ```text
//! opened, closed ─▶ window ─Group─▶ joiners, surest first ─Links─▶ tree ─▶ Trace
//! ```
//!
//! The [`window`] holds exchanges until nothing that could belong to them is open any more; what
//! settles together is a [`Group`]. A joiner links spans of a group by one kind of evidence and
//! never overwrites the links of a surer one. [`tree`] makes traces of a group's spans and links.

pub mod fingerprint;
pub mod machines;
pub mod missed;
pub mod hosts;
pub mod patterns;
pub mod passing;
pub mod order;
pub mod sides;
pub mod window;
pub mod same_exchange;
pub mod identifiers;
pub mod one_candidate;
mod services;
pub mod tree;
pub mod late;
mod work;
pub mod messages;

use crate::exchange::{Context, EventNumber, Exchange, TraceNumber};
use crate::join::machines::Machine;
use crate::join::patterns::Pattern;
use crate::join::sides::Learned;
use crate::names::ServiceName;
use crate::span::{LinkKind, Reason};
use smallvec::{SmallVec, smallvec};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use wirespan_capture::packet::Timestamp;
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::trace_context::format::Space;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Exchanges that settle together, in order of time.
#[derive(Debug, Default)]
pub struct Group {
    /// The exchanges, by start, then by first turn.
    pub members: Vec<Member>,
    /// Identifiers that repeat without end: they are no evidence.
    pub repeating: SmallVec<[LooseKey; 2]>,
    /// Identifiers under which a trace was handed out before.
    pub known: SmallVec<[LooseKey; 2]>,
    /// Trace ids of 64 bits, and the one that each is the lower half of.
    pub widened: SmallVec<[(TraceNumber, TraceNumber); 1]>,
    /// What is known of the order of the points that saw its members.
    pub learned: Learned,
}

/// An exchange of a group.
#[derive(Debug)]
pub struct Member {
    /// The exchange.
    pub exchange: Box<Exchange>,
    /// What was open at the caller when this one began.
    pub cause: Cause,
    /// The machine that called.
    pub client: Machine,
    /// The machine that was called.
    pub server: Machine,
    /// Stands for the address and port that it asks.
    pub listener: u64,
    /// Stands for what it asks.
    pub content: u64,
    /// Equal at all points that see it, whatever its addresses are there.
    pub bytes: u64,
    /// What its server is called, as far as that was known before the group settled.
    pub service: Option<ServiceName>,
}

/// What was open at its caller as a call began: what it may have been made for.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// The exchanges, by their first turns, of those that lie in each other only the innermost.
    pub candidates: SmallVec<[EventNumber; 4]>,
    /// What left one of several.
    pub by: By,
    /// There were more than are looked at.
    pub many: bool,
    /// Whether the caller has been asked at all.
    pub asked: bool,
    /// What calls of its kind have in common.
    pub pattern: Pattern,
}

/// What left one candidate of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// No other was open.
    #[default]
    Open,
    /// No other carries the same identifier, or one that does not contradict.
    Identifier,
    /// No other asks for the same.
    Content,
    /// Calls of this kind are made for what that port is asked.
    Listener,
}

impl Cause {
    /// The only exchange that it may have been made for.
    pub fn only(&self) -> Option<EventNumber> {
        match self.candidates.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// What exchanges are joined by: an identifier. Keys are equal where ids are, in formats whose ids
/// may be compared.
#[derive(Clone, Copy, Debug)]
pub struct JoinKey {
    /// The format in which it was carried.
    pub format: Format,
    /// The id, or its hash.
    pub id: TraceNumber,
    /// Whether the id is secret.
    pub hidden: bool,
}

impl JoinKey {
    /// The key of an identifier that a message carried, if it may join anything.
    pub fn of(context: &Context) -> Option<Self> {
        let Context { format, trace: id, hidden, .. } = *context;
        context.joins.then_some(Self { format, id, hidden })
    }

    /// What it waits under.
    pub fn loose(self) -> LooseKey {
        LooseKey { carried: self }
    }

    fn parts(&self) -> (Space, TraceNumber) {
        (self.format.space(), self.id)
    }
}

impl PartialEq for JoinKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for JoinKey {}

impl Hash for JoinKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// The formats whose identifiers may join exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSet(u128);

impl IdSet {
    /// All of them.
    pub const ALL: Self = Self(u128::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether a format is among them.
    pub fn has(self, format: Format) -> bool {
        self.0 & Self::bit(format) != 0
    }

    fn bit(format: Format) -> u128 {
        1_u128.checked_shl(format.number().into()).unwrap_or_default()
    }
}

impl FromIterator<Format> for IdSet {
    fn from_iter<I: IntoIterator<Item = Format>>(formats: I) -> Self {
        Self(formats.into_iter().fold(0, |set, format| set | Self::bit(format)))
    }
}

/// What exchanges wait together under: of trace ids the lower half, since some formats carry no more
/// of them. Which of them belong together is settled with the group.
#[derive(Clone, Copy, Debug)]
pub struct LooseKey {
    /// The identifier as one of them carried it.
    pub carried: JoinKey,
}

impl LooseKey {
    /// A hash, for tables that hold very many.
    pub fn short(&self) -> u64 {
        let (space, id) = self.parts();
        let seed = match space {
            Space::Traces => 0,
            Space::Own(format) => 1 + u64::from(format.number()),
        };
        xxh3_64_with_seed(&id.to_le_bytes(), seed)
    }

    fn parts(&self) -> (Space, u128) {
        let (space, id) = self.carried.parts();
        match space {
            // An id without a lower half is as good as its upper one.
            Space::Traces if id.low() != 0 => (space, id.low().into()),
            _ => (space, id.get()),
        }
    }
}

impl PartialEq for LooseKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for LooseKey {}

impl PartialOrd for LooseKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LooseKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Hash for LooseKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Group {
    /// The identifiers of a member that are evidence.
    pub fn keys(&self, member: usize) -> impl Iterator<Item = (JoinKey, &Context)> {
        let contexts = self.members.get(member).map(|member| member.exchange.contexts.as_slice());
        contexts
            .unwrap_or_default()
            .iter()
            .filter_map(|context| Some((self.widen(JoinKey::of(context)?), context)))
            .filter(|(key, _)| !self.repeating.contains(&key.loose()))
    }

    fn widen(&self, key: JoinKey) -> JoinKey {
        let same = |(half, _): &&(TraceNumber, TraceNumber)| *half == key.id;
        match self.widened.iter().find(same) {
            Some((_, id)) if key.format.space() == Space::Traces => JoinKey { id: *id, ..key },
            _ => key,
        }
    }

    /// Looks for trace ids of 64 bits that can be the lower half of one other id only.
    pub fn find_halves(&mut self) {
        let members = self.members.iter().flat_map(|member| &member.exchange.contexts);
        let keys = members.filter_map(JoinKey::of);
        let ids = keys.filter(|key| key.format.space() == Space::Traces).map(|key| key.id);
        let mut halves: SmallVec<[TraceNumber; 2]> =
            ids.clone().filter(|id| id.is_half()).collect();
        if halves.is_empty() {
            return;
        }
        halves.sort_unstable();
        halves.dedup();
        let mut wide: Vec<TraceNumber> = ids.filter(|id| !id.is_half()).collect();
        wide.sort_unstable_by_key(|id| (id.low(), *id));
        wide.dedup();
        for half in halves {
            let first = wide.partition_point(|id| id.low() < half.low());
            let mut fit = wide.iter().skip(first).take_while(|id| id.low() == half.low());
            if let (Some(only), None) = (fit.next(), fit.next()) {
                self.widened.push((half, *only));
            }
        }
    }
}

/// Links within one group: for each member, at most one to another member.
#[derive(Debug)]
pub struct Links {
    above: SmallVec<[Option<Above>; 4]>,
}

/// The link of a member to the one above it.
#[derive(Clone, Debug)]
pub struct Above {
    /// The other member.
    pub member: usize,
    /// What the link says.
    pub kind: LinkKind,
    /// The evidence.
    pub reason: Reason,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What speaks for it besides.
    pub also: SmallVec<[&'static str; 2]>,
    /// What speaks against it.
    pub against: SmallVec<[&'static str; 2]>,
    /// The next best member, where it is about as good.
    pub runner_up: Option<usize>,
}

impl Links {
    /// No links among so many members.
    pub fn none(members: usize) -> Self {
        Self { above: smallvec![None; members] }
    }

    /// Links a member to one above it, unless a surer joiner has, or it would make a circle.
    pub fn link(&mut self, member: usize, above: Above) {
        if self.above(member).is_some() || self.top(above.member) == member {
            return;
        }
        if let Some(place) = self.above.get_mut(member) {
            *place = Some(above);
        }
    }

    /// The link of a member to the one above it.
    pub fn above(&self, member: usize) -> Option<&Above> {
        self.above.get(member)?.as_ref()
    }

    /// The uppermost member above this one.
    fn top(&self, member: usize) -> usize {
        let mut top = member;
        while let Some(above) = self.above(top) {
            top = above.member;
        }
        top
    }
}

/// Members that are one exchange, seen at several points.
#[derive(Debug)]
pub struct Sightings {
    /// For each member the outermost of its exchange; none where no exchange was seen twice.
    tops: Vec<usize>,
}

impl Sightings {
    /// By the links that are there.
    pub fn of(links: &Links) -> Self {
        let is_sighting = |above: &Above| above.kind == LinkKind::SameExchange;
        if !links.above.iter().flatten().any(is_sighting) {
            return Self { tops: Vec::new() };
        }
        let top = |member: usize| {
            let up = |at: &usize| {
                links.above(*at).filter(|above| is_sighting(above)).map(|above| above.member)
            };
            std::iter::successors(Some(member), up).last().unwrap_or(member)
        };
        Self { tops: (0..links.above.len()).map(top).collect() }
    }

    /// The outermost sighting of a member's exchange.
    pub fn top(&self, member: usize) -> usize {
        self.tops.get(member).copied().unwrap_or(member)
    }

    /// All sightings of each exchange, the outermost first.
    pub fn of_each(&self, members: usize) -> Vec<SmallVec<[usize; 2]>> {
        let mut all: Vec<SmallVec<[usize; 2]>> =
            (0..members).map(|member| smallvec![member]).collect();
        for (member, top) in self.tops.iter().enumerate().filter(|(member, top)| member != *top) {
            if let Some(sightings) = all.get_mut(*top) {
                sightings.push(member);
            }
        }
        all
    }
}

/// Links spans by one kind of evidence.
pub trait Joiner: Sync {
    /// Adds links to those that surer joiners made.
    fn link(&self, group: &Group, links: &mut Links);
}

/// All joiners, from the surest on.
pub const JOINERS: &[&dyn Joiner] =
    &[&same_exchange::SameExchange, &identifiers::Identifiers, &one_candidate::OneCandidate];

/// Whether two exchanges carry identifiers of one format, and not the same one.
pub fn conflicting(one: &[JoinKey], other: &[JoinKey]) -> bool {
    let differs =
        |key: &JoinKey| other.iter().any(|o| o.format == key.format) && !other.contains(key);
    one.iter().any(differs)
}

/// Whether one exchange, as a caller's, may lie within another, and what speaks against it.
///
/// Gives `None` where it cannot: the upper one begins later, ends before, or asks the same server,
/// but for a sidecar that passes on within its host what came from outside.
pub fn nests(upper: &Member, lower: &Member) -> Option<Nesting> {
    let place = |exchange: &Exchange| (exchange.start(), exchange.turns.first().number);
    let (above, below) = (&*upper.exchange, &*lower.exchange);
    let after = place(above) > place(below);
    let passed_on = lower.client == lower.server && upper.client != upper.server;
    if after || (above.server == below.server && !passed_on) {
        return None;
    }
    let open = above.response.is_none();
    let at_endpoint = upper.server == lower.client;
    let begins_within = open || below.start() <= above.end();
    let within = begins_within && (open || below.end() <= above.end().plus(SLACK));
    Some(Nesting { at_endpoint, begins_within, within })
}

/// How one exchange lies within another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nesting {
    /// The lower one's client is the upper one's server.
    pub at_endpoint: bool,
    /// It begins before the upper one ends.
    pub begins_within: bool,
    /// It ends before the upper one does.
    pub within: bool,
}

impl Nesting {
    /// What speaks against the link, in words.
    pub fn against(self) -> SmallVec<[&'static str; 2]> {
        let mut against = SmallVec::new();
        if !self.at_endpoint {
            against.push("the caller's address is not the server's above");
        }
        if !self.begins_within {
            against.push("begins after the exchange above has ended");
        } else if !self.within {
            against.push("ends after the exchange above");
        }
        against
    }
}

/// Time by which an inner exchange may seem to end later, since the clock ticks coarsely.
const SLACK: i64 = 2_000;

/// A moment that no exchange reaches.
pub const NEVER: Timestamp = Timestamp(i64::MAX);
