//! Which span is which exchange of the truth, at which point.
//!
//! Both name a connection by protocol, client, server and, in a tunnel, its network, and an exchange
//! on it by time, packet and place in the order. What is surest goes first:
//!
//! 1. Which tap is which point: by name, then by what both have seen in the same packets and at the
//!    same times. And by how much the clocks of both differ, as files of which the clocks are far
//!    apart are set right as they are read.
//! 2. On each connection, at each point: equal times; then equal packets; then what begins while
//!    the exchange went on, as where its first packet was lost; then the order of what is left
//!    between two pairs.

use super::labels::{Ends, small};
use super::spans::{Seen, Spans, Tap};
use super::truth::{Place, Sighting, Truth};
use hashbrown::HashMap;
use std::cmp::Reverse;

/// Which span is which sighting of an exchange.
#[derive(Debug)]
pub(super) struct Matching {
    /// For each span its sighting.
    pub(super) sighting_of: Vec<Option<u32>>,
    /// For each sighting its span.
    pub(super) span_of: Vec<Option<u32>>,
}

impl Matching {
    /// Finds out.
    pub(super) fn of(truth: &Truth, spans: &Spans) -> Self {
        let mut matching = Self {
            sighting_of: vec![None; spans.all.len()],
            span_of: vec![None; truth.sightings.len()],
        };
        let connections = connections(truth, spans);
        let places = places(truth, spans, &connections);
        for connection in &connections {
            for (place, seen) in connection.by_place(truth, spans, &places) {
                let rows = connection.rows_at(truth, place);
                let mut lane = Lane { rows, seen, pairs: Vec::new() };
                lane.pair_equal_times(truth, spans);
                lane.pair_equal_packets();
                lane.pair_what_began_late(truth, spans);
                lane.pair_by_order(truth, spans);
                for (row, seen) in lane.pairs {
                    matching.pair(row.sighting, seen.span);
                }
            }
        }
        matching
    }

    fn pair(&mut self, sighting: u32, span: u32) {
        if let Some(place) = self.span_of.get_mut(sighting as usize) {
            *place = Some(span);
        }
        if let Some(place) = self.sighting_of.get_mut(span as usize) {
            *place = Some(sighting);
        }
    }
}

/// What the truth and the spans have of one connection, each in order of time.
struct Connection {
    sightings: Vec<u32>,
    spans: Vec<u32>,
}

/// Connections that both have, in the order of the truth.
fn connections(truth: &Truth, spans: &Spans) -> Vec<Connection> {
    // The networks in which the truth has a connection.
    let mut networks: HashMap<Ends, Vec<Option<u32>>> = HashMap::new();
    for number in 0..small(truth.connections.len()) {
        let Some(ends) = truth.connections.key(number) else { continue };
        networks.entry(Ends { network: None, ..ends }).or_default().push(ends.network);
    }
    // Protocols bear different numbers on both sides.
    let own = |number: u32| {
        let mut ends = spans.connections.key(number)?;
        ends.protocol = truth.labels.known(spans.labels.text(ends.protocol))?;
        // In another network, the same addresses are other hosts. Where one side names none, as
        // where taps are one point, the connection is the only one that there is.
        let exact = truth.connections.known(&ends);
        exact.or_else(|| match networks.get(&Ends { network: None, ..ends })?.as_slice() {
            [only] if only.is_none() || ends.network.is_none() => {
                truth.connections.known(&Ends { network: *only, ..ends })
            }
            _ => None,
        })
    };
    let own: Vec<Option<u32>> = (0..small(spans.connections.len())).map(own).collect();
    let none = || Connection { sightings: Vec::new(), spans: Vec::new() };
    let mut all: Vec<Connection> = (0..truth.connections.len()).map(|_| none()).collect();
    for (place, sighting) in truth.sightings.iter().enumerate() {
        if let Some(connection) = all.get_mut(sighting.connection as usize) {
            connection.sightings.push(small(place));
        }
    }
    for (place, seen) in spans.all.iter().enumerate() {
        let number = own.get(seen.connection as usize).copied().flatten();
        if let Some(connection) = number.and_then(|number| all.get_mut(number as usize)) {
            connection.spans.push(small(place));
        }
    }
    all.retain(|connection| !connection.spans.is_empty());
    for Connection { sightings, spans: seen } in &mut all {
        sightings.sort_by_key(|place| sighting(truth, *place).map(|one| (one.begin, one.nth)));
        seen.sort_by_key(|place| span(spans, *place).map(order));
    }
    all
}

fn order(seen: &Seen) -> (i64, u32, u32) {
    (seen.start, seen.ordinal, seen.in_packet)
}

/// For each place of the spans, the one of the truth that it is, with how far its clock is ahead;
/// and all other pairs that have a connection in common.
struct Places {
    best: HashMap<u32, u32>,
    pairs: HashMap<(u32, u32), Common>,
}

/// What a place of the spans and one of the truth have in common.
#[derive(Default)]
struct Common {
    /// How well their names agree.
    name: usize,
    is_file: bool,
    packets: u32,
    times: u32,
    /// By how much the clock of the spans may be ahead.
    shifts: Vec<i64>,
    shift: i64,
}

fn places(truth: &Truth, spans: &Spans, connections: &[Connection]) -> Places {
    let mut pairs: HashMap<(u32, u32), Common> = HashMap::new();
    let mut by_packet: Vec<(u64, u32)> = Vec::new();
    for connection in connections {
        by_packet.clear();
        by_packet.extend(connection.sightings.iter().filter_map(|place| {
            let [first, _] = sighting(truth, *place)?.frames;
            (first > 0).then_some((first, *place))
        }));
        by_packet.sort_unstable();
        for seen in connection.spans.iter().filter_map(|place| span(spans, *place)) {
            let from = by_packet.partition_point(|(frame, _)| *frame < seen.frames[0]);
            let same =
                by_packet.iter().skip(from).take_while(|(frame, _)| *frame == seen.frames[0]);
            for other in same.take(MANY).filter_map(|(_, place)| sighting(truth, *place)) {
                let common = pairs.entry((seen.place, other.place)).or_default();
                common.packets += 1;
                common.add(seen.start.saturating_sub(other.begin));
            }
            let begin = |place: &u32| sighting(truth, *place).map_or(0, |other| other.begin);
            let all = &connection.sightings;
            let from = all.partition_point(|place| begin(place) < seen.start.saturating_sub(EQUAL));
            let same = all
                .iter()
                .skip(from)
                .take_while(|place| begin(place) <= seen.start.saturating_add(EQUAL));
            for other in same.take(MANY).filter_map(|place| sighting(truth, *place)) {
                let common = pairs.entry((seen.place, other.place)).or_default();
                common.times += 1;
                common.add(seen.start.saturating_sub(other.begin));
            }
        }
        compare_in_order(truth, spans, connection, &mut pairs);
    }
    let mut keys: Vec<(u32, u32)> = pairs.keys().copied().collect();
    keys.sort_unstable();
    let mut best: HashMap<u32, (u32, Rank)> = HashMap::new();
    for (own, other) in keys {
        let Some(common) = pairs.get_mut(&(own, other)) else { continue };
        common.shift = densest(&mut common.shifts);
        common.shifts = Vec::new();
        if let (Some(tap), Some(place)) = (spans.places.key(own), truth.places.key(other)) {
            (common.is_file, common.name) = likeness(truth, spans, tap, place);
        }
        let rank = common.rank();
        if best.get(&own).is_none_or(|(_, known)| *known < rank) {
            best.insert(own, (other, rank));
        }
    }
    let mut found = HashMap::new();
    for own in 0..small(spans.places.len()) {
        if let Some((other, _)) = best.get(&own) {
            found.insert(own, *other);
        }
    }
    Places { best: found, pairs }
}

/// How much two places have in common, what says most first.
type Rank = (bool, usize, u32, u32);

impl Common {
    fn add(&mut self, shift: i64) {
        if self.shifts.len() < SHIFTS {
            self.shifts.push(shift);
        }
    }

    fn rank(&self) -> Rank {
        (self.is_file, self.name, self.packets, self.times)
    }
}

/// Whether the file is the same, and how well the names of a tap and a point agree.
fn likeness(truth: &Truth, spans: &Spans, tap: Tap, place: Place) -> (bool, usize) {
    let (tap_name, point) = (spans.labels.text(tap.name), truth.labels.text(place.point));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let file = spans.files.get(usize::from(tap.file)).map(|file| last(file));
    let is_file = file.is_some_and(|file| file == last(truth.labels.text(place.file)));
    // What a tap is besides its interface stands behind its name.
    let begins = |name: &str| {
        let rest = name.strip_prefix(point);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '%']))
    };
    // Of interfaces with one name in several files, that of the file stands in front.
    let mut behind = tap_name.match_indices(':').filter_map(|(at, _)| tap_name.get(at + 1..));
    let name = if tap_name == point {
        point.len() + 1
    } else if begins(tap_name) || behind.any(begins) {
        point.len()
    } else {
        0
    };
    (is_file, name)
}

/// Where both have as many exchanges of a connection, the one is like the other; else the first may
/// be.
fn compare_in_order(
    truth: &Truth,
    spans: &Spans,
    connection: &Connection,
    pairs: &mut HashMap<(u32, u32), Common>,
) {
    let mut rows: Vec<&Sighting> =
        connection.sightings.iter().filter_map(|place| sighting(truth, *place)).collect();
    rows.sort_by_key(|row| row.place);
    let mut seen: Vec<&Seen> =
        connection.spans.iter().filter_map(|place| span(spans, *place)).collect();
    seen.sort_by_key(|one| one.place);
    for rows in rows.chunk_by(|a, b| a.place == b.place) {
        for seen in seen.chunk_by(|a, b| a.place == b.place) {
            let (Some(row), Some(one)) = (rows.first(), seen.first()) else { continue };
            let common = pairs.entry((one.place, row.place)).or_default();
            let all = if rows.len() == seen.len() { rows.len() } else { 1 };
            for (row, one) in rows.iter().zip(seen).take(all) {
                common.add(one.start.saturating_sub(row.begin));
            }
        }
    }
}

/// The number around which most numbers lie, to the last digit where they agree on it.
fn densest(numbers: &mut [i64]) -> i64 {
    numbers.sort_unstable();
    let best = window(window(numbers, NEAR), EQUAL);
    best.get(best.len() / 2).copied().unwrap_or_default()
}

/// Of sorted numbers, most of those that lie within so much.
fn window(numbers: &[i64], width: i64) -> &[i64] {
    let mut best: &[i64] = &[];
    let mut from = 0;
    for (to, last) in numbers.iter().enumerate() {
        while numbers.get(from).is_some_and(|first| last.saturating_sub(*first) > width) {
            from += 1;
        }
        let here = numbers.get(from..=to).unwrap_or_default();
        if here.len() > best.len() {
            best = here;
        }
    }
    best
}

impl Connection {
    /// The spans of each place of the truth that saw this connection, in the order of their times
    /// by its clock.
    fn by_place(&self, truth: &Truth, spans: &Spans, places: &Places) -> Vec<(u32, Vec<OneSpan>)> {
        let mut theirs: Vec<u32> =
            self.distinct(&self.sightings, |place| sighting(truth, place).map(|one| one.place));
        let own: Vec<u32> =
            self.distinct(&self.spans, |place| span(spans, place).map(|one| one.place));
        let mut is: Vec<(u32, u32)> = Vec::new();
        for place in &own {
            if let Some(best) = places.best.get(place).filter(|best| theirs.contains(best)) {
                is.push((*place, *best));
            }
        }
        theirs.retain(|place| is.iter().all(|(_, taken)| taken != place));
        // Of what is left, those are one that have most in common.
        for place in &own {
            if is.iter().any(|(known, _)| known == place) {
                continue;
            }
            let common = |other: &u32| places.pairs.get(&(*place, *other)).map(Common::rank);
            let best = theirs.iter().copied().max_by_key(|other| (common(other), Reverse(*other)));
            if let Some(best) = best {
                is.push((*place, best));
                theirs.retain(|other| *other != best);
            }
        }
        let mut found: Vec<(u32, Vec<OneSpan>)> = Vec::new();
        for number in &self.spans {
            let Some(seen) = span(spans, *number) else { continue };
            let Some((_, place)) = is.iter().find(|(own, _)| *own == seen.place) else { continue };
            let shift = places.pairs.get(&(seen.place, *place)).map_or(0, |common| common.shift);
            let one = OneSpan {
                span: *number,
                at: seen.start.saturating_sub(shift),
                frame: seen.frames[0],
            };
            match found.iter_mut().find(|(known, _)| known == place) {
                Some((_, list)) => list.push(one),
                None => found.push((*place, vec![one])),
            }
        }
        for (_, list) in &mut found {
            // Of several taps, the order among equal times is that of each.
            list.sort_by_key(|one| one.at);
        }
        found
    }

    fn distinct(&self, all: &[u32], place: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
        let mut found: Vec<u32> = all.iter().filter_map(|number| place(*number)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn rows_at(&self, truth: &Truth, place: u32) -> Vec<OneRow> {
        let one = |number: &u32| {
            let one = sighting(truth, *number).filter(|one| one.place == place)?;
            Some(OneRow { sighting: *number, at: one.begin, end: one.end, frame: one.frames[0] })
        };
        self.sightings.iter().filter_map(one).collect()
    }
}

/// One connection at one place, each side in the order of time.
struct Lane {
    rows: Vec<OneRow>,
    seen: Vec<OneSpan>,
    /// What is one.
    pairs: Vec<(OneRow, OneSpan)>,
}

#[derive(Clone, Copy)]
struct OneRow {
    sighting: u32,
    at: i64,
    end: Option<i64>,
    frame: u64,
}

#[derive(Clone, Copy)]
struct OneSpan {
    span: u32,
    /// Its start, by the truth's clock.
    at: i64,
    frame: u64,
}

impl Lane {
    fn pair_equal_times(&mut self, truth: &Truth, spans: &Spans) {
        let (mut row, mut one) = (0, 0);
        let mut pairs = Vec::new();
        while let (Some(a), Some(b)) = (self.rows.get(row), self.seen.get(one)) {
            let base = a.at.min(b.at);
            if a.at.abs_diff(b.at) > EQUAL as u64 {
                row += usize::from(a.at < b.at);
                one += usize::from(b.at < a.at);
                continue;
            }
            let rows = self
                .rows
                .iter()
                .skip(row)
                .take_while(|a| a.at <= base.saturating_add(EQUAL))
                .count();
            let ones = self
                .seen
                .iter()
                .skip(one)
                .take_while(|b| b.at <= base.saturating_add(EQUAL))
                .count();
            let these = self.rows.get(row..row + rows).unwrap_or_default();
            let those = self.seen.get(one..one + ones).unwrap_or_default();
            pairs.extend(pair_in_order(truth, spans, these, those));
            (row, one) = (row + rows, one + ones);
        }
        self.keep(pairs);
    }

    /// Only where one exchange begins in the packet.
    fn pair_equal_packets(&mut self) {
        let mut rows: HashMap<u64, Option<OneRow>> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.frame > 0) {
            rows.entry(row.frame).and_modify(|known| *known = None).or_insert(Some(*row));
        }
        let mut seen: HashMap<u64, u32> = HashMap::new();
        for one in &self.seen {
            *seen.entry(one.frame).or_default() += 1;
        }
        let pairs = self.seen.iter().filter_map(|one| {
            let row = rows.get(&one.frame).copied().flatten()?;
            let alone = seen.get(&one.frame) == Some(&1);
            (alone && row.at.abs_diff(one.at) <= SECOND).then_some((row, *one))
        });
        let pairs = pairs.collect();
        self.keep(pairs);
    }

    /// A span whose first packet was lost begins while its exchange goes on.
    fn pair_what_began_late(&mut self, truth: &Truth, spans: &Spans) {
        let mut pairs = Vec::new();
        let mut taken = vec![false; self.rows.len()];
        for one in &self.seen {
            let behind = self.rows.partition_point(|row| row.at <= one.at.saturating_add(EARLY));
            let first = behind.saturating_sub(MANY);
            let candidates = self.rows.iter().enumerate().take(behind).skip(first);
            let open = candidates.filter(|(place, row)| {
                let next = self.rows.get(place + 1).map(|next| next.at);
                let next = next.unwrap_or_else(|| row.at.saturating_add(LONG));
                let until = row.end.unwrap_or(next);
                one.at <= until && taken.get(*place) == Some(&false)
            });
            let best = open.max_by_key(|(_, row)| {
                let alike = alike(truth, spans, row.sighting, one.span);
                (alike, Reverse(row.at.abs_diff(one.at)))
            });
            if let Some((place, row)) = best {
                pairs.push((*row, *one));
                if let Some(taken) = taken.get_mut(place) {
                    *taken = true;
                }
            }
        }
        self.keep(pairs);
    }

    /// What is left and stands between the same two pairs on both sides, if it is alike.
    fn pair_by_order(&mut self, truth: &Truth, spans: &Spans) {
        let mut rows: Vec<i64> = self.pairs.iter().map(|(row, _)| row.at).collect();
        let mut seen: Vec<i64> = self.pairs.iter().map(|(_, one)| one.at).collect();
        rows.sort_unstable();
        seen.sort_unstable();
        let before = |sorted: &[i64], at| sorted.partition_point(|other| *other < at);
        let mut pairs = Vec::new();
        let mut left = self.seen.iter().peekable();
        for row in &self.rows {
            let place = before(&rows, row.at);
            while left.next_if(|one| before(&seen, one.at) < place).is_some() {}
            let fits = |one: &&OneSpan| {
                before(&seen, one.at) == place
                    && one.at.abs_diff(row.at) <= SECOND
                    && alike(truth, spans, row.sighting, one.span) > 0
            };
            if let Some(one) = left.next_if(fits) {
                pairs.push((*row, *one));
            }
        }
        self.keep(pairs);
    }

    /// Keeps pairs, and leaves the rest for what is less sure.
    fn keep(&mut self, pairs: Vec<(OneRow, OneSpan)>) {
        if pairs.is_empty() {
            return;
        }
        let mut rows: Vec<u32> = pairs.iter().map(|(row, _)| row.sighting).collect();
        let mut seen: Vec<u32> = pairs.iter().map(|(_, one)| one.span).collect();
        rows.sort_unstable();
        seen.sort_unstable();
        self.rows.retain(|row| rows.binary_search(&row.sighting).is_err());
        self.seen.retain(|one| seen.binary_search(&one.span).is_err());
        self.pairs.extend(pairs);
    }
}

/// Pairs what happened at the same time: in order, and where one side has more, by what was asked
/// and in which packet, the order kept.
fn pair_in_order(
    truth: &Truth,
    spans: &Spans,
    rows: &[OneRow],
    seen: &[OneSpan],
) -> Vec<(OneRow, OneSpan)> {
    if rows.len() == seen.len() || rows.len().saturating_mul(seen.len()) > TABLE {
        return rows.iter().copied().zip(seen.iter().copied()).collect();
    }
    let width = seen.len() + 1;
    // The most that can be reached with the rows and spans from here on.
    let mut most = vec![0_u32; (rows.len() + 1) * width];
    let at = |most: &[u32], a: usize, b: usize| most.get(a * width + b).copied().unwrap_or(0);
    let value = |row: &OneRow, one: &OneSpan| {
        let packet = u32::from(row.frame > 0 && row.frame == one.frame);
        1 + 2 * alike(truth, spans, row.sighting, one.span) + 3 * packet
    };
    for (a, row) in rows.iter().enumerate().rev() {
        for (b, one) in seen.iter().enumerate().rev() {
            let both = at(&most, a + 1, b + 1) + value(row, one);
            let best = both.max(at(&most, a + 1, b)).max(at(&most, a, b + 1));
            if let Some(place) = most.get_mut(a * width + b) {
                *place = best;
            }
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut pairs = Vec::new();
    while let (Some(row), Some(one)) = (rows.get(a), seen.get(b)) {
        let here = at(&most, a, b);
        if here == at(&most, a + 1, b + 1) + value(row, one) {
            pairs.push((*row, *one));
            (a, b) = (a + 1, b + 1);
        } else if here == at(&most, a + 1, b) {
            a += 1;
        } else {
            b += 1;
        }
    }
    pairs
}

/// How much what was asked is alike: 2 if it is the same, 1 if its first word is.
fn alike(truth: &Truth, spans: &Spans, row: u32, seen: u32) -> u32 {
    let row = sighting(truth, row).and_then(|one| truth.rows.get(one.row as usize));
    let (Some(row), Some(seen)) = (row, span(spans, seen)) else { return 0 };
    match is_operation(&row.operation, &seen.what) {
        false => 0,
        true => 1 + u32::from(row.operation.eq_ignore_ascii_case(&seen.what)),
    }
}

/// Whether an operation of the truth and what a span was asked begin with the same word.
pub(super) fn is_operation(truth: &str, seen: &str) -> bool {
    let first = |text: &str| text.split_whitespace().next().map(str::to_ascii_lowercase);
    first(truth) == first(seen)
}

fn sighting(truth: &Truth, place: u32) -> Option<&Sighting> {
    truth.sightings.get(place as usize)
}

fn span(spans: &Spans, place: u32) -> Option<&Seen> {
    spans.all.get(place as usize)
}

/// Nanoseconds within which times are equal: captures may be cut to microseconds.
const EQUAL: i64 = 1_000;
/// Nanoseconds within which differences of clocks count as one.
const NEAR: i64 = 1_000_000;
/// Nanoseconds by which a span may begin before its exchange.
const EARLY: i64 = 1_000_000;
/// Nanoseconds after which what has the same packet is another exchange.
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds for which an exchange without an answer goes on if nothing follows.
const LONG: i64 = 1_000_000_000;
/// Candidates that are looked at.
const MANY: usize = 64;
/// Differences of clocks of two places that are looked at.
const SHIFTS: usize = 100_000;
/// Products of rows and spans of the same time up to which they are compared each with each.
const TABLE: usize = 1 << 20;
