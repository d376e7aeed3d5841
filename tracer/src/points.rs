//! Points: their numbers in the output, and what they are made of and why.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;
use wirespan_capture::decode::{Decoder, NamedPoint};
use wirespan_capture::packet::TapId;
use wirespan_capture::place::{Pair, Places};
use wirespan_capture::stream::PointId;

/// Numbers of points, from 0 in the order in which spans name them.
#[derive(Debug, Default)]
pub struct PointNumbers {
    numbers: HashMap<PointId, u32, FixedState>,
    last: Option<(PointId, u32)>,
}

impl PointNumbers {
    /// The number of a point.
    pub fn number(&mut self, point: PointId) -> u32 {
        if let Some((last, number)) = self.last
            && last == point
        {
            return number;
        }
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(point).or_insert(next);
        self.last = Some((point, number));
        number
    }
}

/// A place that sees both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Its number in the output; none if no span was seen there.
    pub number: Option<u32>,
    /// What to call it.
    pub name: String,
    /// The taps that it is made of.
    pub taps: Vec<String>,
    /// How many flows it saw.
    pub flows: u64,
    /// Why it is more, or less, than one tap.
    pub because: Option<String>,
}

/// Two taps that might be one point by some flows, and are not by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apart {
    /// Their names.
    pub taps: [String; 2],
    /// Flows of which each saw one side.
    pub split: u64,
    /// Such flows of which one then showed the other side too.
    pub against: u64,
    /// Flows of which both saw both sides.
    pub whole: u64,
}

/// What was learned of taps and points.
#[derive(Debug, Default)]
pub struct Points {
    /// All points, in the order of their numbers.
    pub list: Vec<Point>,
    /// What contradicts itself.
    pub apart: Vec<Apart>,
    /// What the user says of taps that were never seen.
    pub remarks: Vec<String>,
}

impl Points {
    /// What all parts of the flow table know together. `taps` are the names of all taps.
    pub fn learned<'a>(
        decoder: &Decoder,
        taps: &[String],
        tables: impl Iterator<Item = &'a Places>,
        numbers: &mut PointNumbers,
    ) -> Self {
        let mut pairs: BTreeMap<(TapId, TapId), Pair> = BTreeMap::new();
        let mut flows: BTreeMap<PointId, u64> = BTreeMap::new();
        for table in tables {
            for (places, pair) in table.pairs() {
                pairs.entry(places).or_default().add(&pair);
            }
            for (point, count) in table.points() {
                *flows.entry(*point).or_default() += count;
            }
        }
        let known = Known::of(decoder, taps, &pairs);
        let mut found: BTreeMap<PointId, (Option<u32>, u64)> = BTreeMap::new();
        for (point, count) in flows {
            let number = numbers.numbers.get(&point).copied();
            let (first, sum) = found.entry(known.whole(point)).or_default();
            *first = number.into_iter().chain(*first).min();
            *sum += count;
        }
        let mut list: Vec<Point> = found
            .into_iter()
            .map(|(point, (number, flows))| known.point(point, number, flows))
            .collect();
        list.sort_by_key(|point| (point.number.is_none(), point.number));
        let apart = pairs.iter().filter(|(_, pair)| pair.split > 0 && !pair.is_one_point());
        let apart = apart.map(|((one, other), pair)| Apart {
            taps: [known.name(*one), known.name(*other)],
            split: pair.split,
            against: pair.against,
            whole: pair.whole,
        });
        Self { list, apart: apart.collect(), remarks: known.remarks() }
    }
}

/// What points are described by.
struct Known<'a> {
    decoder: &'a Decoder,
    taps: &'a [String],
    pairs: &'a BTreeMap<(TapId, TapId), Pair>,
    /// The point that each half of one belongs to.
    halves: BTreeMap<TapId, [TapId; 2]>,
    /// The taps of each place.
    of_place: BTreeMap<TapId, Vec<TapId>>,
}

impl<'a> Known<'a> {
    fn of(
        decoder: &'a Decoder,
        taps: &'a [String],
        pairs: &'a BTreeMap<(TapId, TapId), Pair>,
    ) -> Self {
        let mut halves = BTreeMap::new();
        for ((one, other), _) in pairs.iter().filter(|(_, pair)| pair.is_one_point()) {
            for half in [*one, *other] {
                halves.entry(half).or_insert([*one, *other]);
            }
        }
        let mut of_place: BTreeMap<TapId, Vec<TapId>> = BTreeMap::new();
        for (place, tap) in decoder.places().iter().zip((0..=u16::MAX).map(TapId)) {
            of_place.entry(*place).or_default().push(tap);
        }
        Self { decoder, taps, pairs, halves, of_place }
    }

    /// The point that a point is a half of, if its flows were seen before that was known.
    fn whole(&self, point: PointId) -> PointId {
        let [one, other] = point.taps;
        let whole = self.halves.get(&one).filter(|_| one == other);
        whole.map_or(point, |taps| PointId { taps: *taps, ..point })
    }

    fn point(&self, point: PointId, number: Option<u32>, flows: u64) -> Point {
        let [one, other] = point.taps;
        let mut name = self.name(one);
        if other != one {
            name.push('+');
            name.push_str(&self.name(other));
        }
        let mut because = Vec::new();
        if let Some(pair) = self.pairs.get(&(one, other)).filter(|_| one != other) {
            let split = pair.split;
            let s = if split == 1 { "" } else { "s" };
            because.push(format!("each tap saw one side of {split} flow{s}"));
            if pair.against > 0 {
                because.push(format!("{} speak against it", pair.against));
            }
        }
        if let Some(named) = point.taps.iter().find_map(|place| self.named(*place)) {
            because.push(named.because.clone().unwrap_or_else(|| "named so".to_owned()));
        }
        if point.hop > 0 {
            name.push_str(&format!(" (hop {})", u32::from(point.hop) + 1));
            because.push("the same packets, with other TTLs or MAC addresses".to_owned());
        }
        let mut places = point.taps.to_vec();
        places.dedup();
        let mut taps: Vec<TapId> =
            places.iter().filter_map(|place| self.of_place.get(place)).flatten().copied().collect();
        taps.sort_unstable();
        Point {
            number,
            name,
            taps: taps.into_iter().map(|tap| self.tap(tap).to_owned()).collect(),
            flows,
            because: (!because.is_empty()).then(|| because.join(", ")),
        }
    }

    /// The point that a place was from the start.
    fn named(&self, place: TapId) -> Option<&NamedPoint> {
        let mut named = self.decoder.named_points().iter();
        named.find(|(_, first)| *first == Some(place)).map(|(point, _)| point)
    }

    fn name(&self, place: TapId) -> String {
        self.named(place).map_or_else(|| self.tap(place), |point| &point.name).to_owned()
    }

    fn tap(&self, tap: TapId) -> &str {
        self.taps.get(usize::from(tap.0)).map_or("unnamed", String::as_str)
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let named = self.decoder.named_points().iter();
        for (point, _) in named.filter(|(point, _)| point.because.is_none()) {
            for word in point.taps.iter().filter(|word| !self.decoder.has_tap(word)) {
                let some = self.taps.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = if self.taps.len() > SHOWN { " and others" } else { "" };
                let name = &point.name;
                remarks.push(format!(
                    "--point {name}: no packet came from a tap called {word}; taps are {some}{more}"
                ));
            }
        }
        remarks
    }
}

/// Taps that are named in a remark.
const SHOWN: usize = 8;
