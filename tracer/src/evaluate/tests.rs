//! Truth and spans are made, faults are planted into the spans, and exactly these must be found.

use super::lines::Lines;
use super::report::text;
use super::score::{Measure, Report, evaluate};
use super::spans::Spans;
use super::truth::Truth;
use std::collections::BTreeMap;
use std::fmt::Write;

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// So many of these, each once.
    fn some(&mut self, count: usize, mut of: Vec<usize>) -> Vec<usize> {
        assert!(of.len() >= count, "only {} of {count}", of.len());
        (0..count).map(|_| of.swap_remove(self.below(of.len()))).collect()
    }
}

#[derive(Clone)]
struct Exchange {
    parent: Option<usize>,
    /// The exchange at the top of its trace.
    root: usize,
    caller: usize,
    service: usize,
    begin: i64,
    end: i64,
    points: Vec<Point>,
    children: usize,
}

#[derive(Clone)]
struct Point {
    place: usize,
    client: String,
    server: String,
    nth: usize,
    begin: i64,
    end: i64,
    frames: [u64; 2],
}

#[derive(Clone)]
struct Span {
    exchange: usize,
    point: usize,
    trace: usize,
    /// The place of the span above, whether both are one exchange, and how sure that is.
    link: Option<(usize, bool, &'static str)>,
    start: i64,
    frames: [u64; 2],
    is_there: bool,
}

/// What truly happened, and what is found of it.
#[derive(Clone)]
struct World {
    exchanges: Vec<Exchange>,
    spans: Vec<Span>,
    /// Where the spans of each exchange begin.
    first: Vec<usize>,
}

impl World {
    /// Traces that overlap, of up to four levels, over pools of connections; services with odd
    /// numbers are seen at up to three points, some with other addresses at each.
    fn new(random: &mut Random, traces: usize) -> Self {
        let mut exchanges: Vec<Exchange> = Vec::new();
        for trace in 0..traces {
            let begin = START + trace as i64 * 150_000 + random.below(100_000) as i64;
            let root = exchanges.len();
            Self::call(random, &mut exchanges, None, root, 0, begin, 4);
        }
        connect(&mut exchanges);
        number(&mut exchanges);
        let mut world = Self { exchanges, spans: Vec::new(), first: Vec::new() };
        for (place, exchange) in world.exchanges.iter().enumerate() {
            world.first.push(world.spans.len());
            for (point, seen) in exchange.points.iter().enumerate() {
                let link = match (point, exchange.parent) {
                    (0, None) => None,
                    // Children hang under the point that is nearest to the server.
                    (0, Some(parent)) => {
                        let last = world.exchanges[parent].points.len() - 1;
                        Some((world.first[parent] + last, false, reason(place)))
                    }
                    _ => Some((world.spans.len() - 1, true, "tcp-sequence")),
                };
                world.spans.push(Span {
                    exchange: place,
                    point,
                    trace: exchange.root,
                    link,
                    start: seen.begin,
                    frames: seen.frames,
                    is_there: true,
                });
            }
        }
        world
    }

    fn call(
        random: &mut Random,
        exchanges: &mut Vec<Exchange>,
        parent: Option<usize>,
        root: usize,
        caller: usize,
        begin: i64,
        levels: usize,
    ) -> i64 {
        let place = exchanges.len();
        let service = 1 + random.below(9);
        exchanges.push(Exchange {
            parent,
            root,
            caller,
            service,
            begin,
            end: begin,
            points: Vec::new(),
            children: 0,
        });
        let mut at = begin + 200_000 + random.below(100_000) as i64;
        if levels > 1 {
            for _ in 0..random.below(4) {
                at = Self::call(random, exchanges, Some(place), root, service, at, levels - 1)
                    + 100_000;
                exchanges[place].children += 1;
            }
        }
        exchanges[place].end = at + 200_000;
        at + 200_000
    }

    /// `truth.ndjson`.
    fn truth(&self) -> String {
        let mut out = String::new();
        for (place, exchange) in self.exchanges.iter().enumerate() {
            let points: Vec<String> = exchange
                .points
                .iter()
                .map(|seen| {
                    let Point { place, client, server, nth, begin, end, frames: [a, b] } = seen;
                    format!(
                        r#"{{"point":"p{place}","file":"p{place}.pcapng","client":"{client}","server":"{server}","nth":{nth},"begin":{begin},"end":{end},"frames":[{a},{b}]}}"#
                    )
                })
                .collect();
            let (parent, evidence) = match exchange.parent {
                Some(parent) => ((parent + 1).to_string(), format!("\"{}\"", evidence(place))),
                None => ("null".to_owned(), "null".to_owned()),
            };
            let (id, service, points) = (place + 1, exchange.service, points.join(","));
            writeln!(
                out,
                r#"{{"id":{id},"parent":{parent},"evidence":{evidence},"protocol":"http","service":"s{service}","operation":"GET /{id}","status":200,"points":[{points}]}}"#
            )
            .unwrap();
        }
        out
    }

    /// What `--format ndjson` writes.
    fn spans(&self) -> String {
        let mut out = String::new();
        for (place, span) in self.spans.iter().enumerate().filter(|(_, span)| span.is_there) {
            let seen = &self.exchanges[span.exchange].points[span.point];
            let above = span.link.map_or_else(String::new, |(above, same, reason)| {
                let kind = if same { "same_exchange" } else { "parent" };
                let sure = match reason {
                    "tcp-sequence" => 1.0,
                    "traceparent" => 0.99,
                    _ => 0.9,
                };
                format!(
                    r#""parent":"{above:x}","link":{{"kind":"{kind}","reason":"{reason}","confidence":{sure}}},"#
                )
            });
            let Point { place: file, client, server, nth, .. } = seen;
            let (trace, exchange, ordinal) = (span.trace, span.exchange + 1, nth - 1);
            let (at, [first, last]) = (span.start, span.frames);
            writeln!(
                out,
                r#"{{"type":"span","v":2,"trace":"{trace:x}","span":"{place:x}",{above}"protocol":"http","sort":"call","operation":"GET","resource":"/{exchange}","state":"complete","status":{{"outcome":"ok","code":200}},"tap":"p{file}","client":"{client}","server":"{server}","ordinal":{ordinal},"request":{{"at":{at},"file":{file},"frames":[{first},{first}]}},"response":{{"at":{at},"file":{file},"frames":[{last},{last}]}}}}"#
            )
            .unwrap();
        }
        out
    }

    fn report(&self) -> Report {
        report(&self.truth(), &self.spans())
    }

    /// The exchanges for which this holds, of which no fault was planted yet.
    fn fresh(&self, used: &[usize], fits: impl Fn(usize, &Exchange) -> bool) -> Vec<usize> {
        let all = self.exchanges.iter().enumerate();
        all.filter(|(place, one)| !used.contains(place) && fits(*place, one))
            .map(|(place, _)| place)
            .collect()
    }

    fn top(&mut self, exchange: usize) -> &mut Span {
        &mut self.spans[self.first[exchange]]
    }
}

/// Puts exchanges on connections of pools, in order of time, and to their points.
fn connect(exchanges: &mut [Exchange]) {
    // By caller and service the end of the last exchange of each connection, and how many it had.
    let mut pools: BTreeMap<(usize, usize), Vec<(i64, usize)>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..exchanges.len()).collect();
    order.sort_by_key(|place| exchanges[*place].begin);
    for place in order {
        let Exchange { caller, service, begin, end, .. } = exchanges[place].clone();
        let pool = pools.entry((caller, service)).or_default();
        let free = pool.iter().position(|(last, _)| last + 100_000 < begin);
        let number = free.unwrap_or_else(|| {
            pool.push((0, 0));
            pool.len() - 1
        });
        pool[number] = (end, pool[number].1 + 1);
        let nth = pool[number].1;
        let points = if service % 2 == 1 { 1 + service % 3 } else { 1 };
        exchanges[place].points = (0..points)
            .map(|point| {
                // A router keeps addresses, what translates them does not.
                let net = if service % 4 == 1 { point } else { 0 };
                Point {
                    place: point,
                    client: format!("10.{net}.{caller}.1:{}", 40_000 + number),
                    server: format!("10.{net}.{service}.2:80"),
                    nth,
                    begin: begin + 20_000 * point as i64,
                    end: end - 20_000 * point as i64,
                    frames: [0, 0],
                }
            })
            .collect();
    }
}

/// Numbers packets, in each file by itself.
fn number(exchanges: &mut [Exchange]) {
    let mut packets: Vec<(usize, i64, usize, usize, usize)> = Vec::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        for (point, seen) in exchange.points.iter().enumerate() {
            packets.push((seen.place, seen.begin, place, point, 0));
            packets.push((seen.place, seen.end, place, point, 1));
        }
    }
    packets.sort_unstable();
    let mut last = (usize::MAX, 0);
    for (file, _, place, point, end) in packets {
        last = if last.0 == file { (file, last.1 + 1) } else { (file, 1) };
        exchanges[place].points[point].frames[end] = last.1;
    }
}

fn evidence(exchange: usize) -> &'static str {
    ["ids", "one candidate", "content", "none"][exchange % 4]
}

fn reason(exchange: usize) -> &'static str {
    if exchange.is_multiple_of(4) { "traceparent" } else { "one-candidate" }
}

fn report(truth: &str, spans: &str) -> Report {
    let truth = Truth::of(Lines::of(truth)).unwrap();
    let spans = Spans::of(Lines::of(spans), &mut |_| {}).unwrap();
    evaluate(&truth, &spans, 5).unwrap()
}

/// Worlds of several sizes, each of its own seed.
fn worlds(check: impl Fn(&mut Random, World, &str)) {
    for (seed, traces) in [(1, 60), (2, 60), (3, 150), (4, 400)] {
        let mut random = Random(seed);
        let world = World::new(&mut random, traces);
        check(&mut random, world, &format!("seed {seed}, {traces} traces"));
    }
}

/// Nothing is wrong with it.
fn check_perfect(report: &Report, what: &str) {
    for measure in Measure::ALL {
        let expected = match measure {
            Measure::Coverage95 => report.parents.coverage_95,
            _ => Some(1.0),
        };
        assert_eq!(
            measure.of(report),
            expected,
            "{what}: {}\n{}",
            measure.name(),
            text(report, true)
        );
    }
    assert_eq!(report.faults.kinds(), [], "{what}");
    assert_eq!(report.exchanges.others, BTreeMap::new(), "{what}");
    let groups = report.services.iter().chain(&report.evidence).chain(&report.reasons);
    for group in groups {
        assert!([None, Some(1.0)].contains(&group.figures.right_parents), "{what}: {}", group.name);
    }
}

#[test]
fn spans_without_a_fault_get_full_marks() {
    worlds(|_, world, what| check_perfect(&world.report(), what));
}

#[test]
fn order_of_lines_does_not_matter() {
    worlds(|random, world, what| {
        let mut lines: Vec<String> = world.spans().lines().map(str::to_owned).collect();
        for place in 0..lines.len() {
            let other = random.below(lines.len());
            lines.swap(place, other);
        }
        let shuffled = report(&world.truth(), &lines.join("\n"));
        assert_eq!(shuffled, world.report(), "{what}");
    });
}

#[test]
fn planted_faults_are_found_one_by_one_and_all_together() {
    worlds(|random, perfect, what| {
        let k = (perfect.exchanges.len() / 40).min(9);
        assert!(k > 1, "{what}");
        for planted in (0..8).map(|bit| 1 << bit).chain([0xff, 0xa5, 0x5a]) {
            let what = &format!("{what}, {k} of each in {planted:b}");
            check_planted(random, perfect.clone(), k, planted, what);
        }
    });
}

fn check_planted(random: &mut Random, mut world: World, k: usize, planted: u32, what: &str) {
    let count = |bit: u32| if planted & (1 << bit) == 0 { 0 } else { k };
    let [wrong, open, missing, orders] = [0, 1, 2, 3].map(count);
    let [parted, extra, merges, invented] = [4, 5, 6, 7].map(count);
    let mut used: Vec<usize> = Vec::new();
    let mut bad_traces: Vec<usize> = Vec::new();

    // Under another exchange of the same trace.
    let has_other = |world: &World, place: usize| {
        let one = &world.exchanges[place];
        let trace = (one.root..world.exchanges.len())
            .take_while(|other| world.exchanges[*other].root == one.root);
        { trace }.find(|other| *other != place && Some(*other) != one.parent)
    };
    let fits =
        |place: usize, one: &Exchange| one.parent.is_some() && has_other(&world, place).is_some();
    let these = random.some(wrong, world.fresh(&used, fits));
    for place in these {
        let other = has_other(&world, place).unwrap();
        let above = world.first[other];
        world.top(place).link = Some((above, false, "one-candidate"));
        bad_traces.push(world.exchanges[place].root);
        used.push(place);
    }
    for place in random.some(open, world.fresh(&used, |_, one| one.parent.is_some())) {
        world.top(place).link = None;
        bad_traces.push(world.exchanges[place].root);
        used.push(place);
    }
    for place in random.some(missing, world.fresh(&used, |_, one| one.children == 0)) {
        let first = world.first[place];
        let points = world.exchanges[place].points.len();
        world.spans[first..first + points].iter_mut().for_each(|span| span.is_there = false);
        bad_traces.push(world.exchanges[place].root);
        used.push(place);
    }
    let several = |_: usize, one: &Exchange| one.points.len() > 1;
    for place in random.some(orders, world.fresh(&used, several)) {
        // The last point comes first.
        let first = world.first[place];
        let last = first + world.exchanges[place].points.len() - 1;
        let above = world.spans[first].link;
        world.spans[last].link = above;
        world.spans[first].link = Some((last, true, "tcp-sequence"));
        used.push(place);
    }
    for place in random.some(parted, world.fresh(&used, several)) {
        let second = world.first[place] + 1;
        world.spans[second].link = None;
        used.push(place);
    }
    for number in 0..extra {
        let mut span = world.spans[world.first[random.below(world.exchanges.len())]].clone();
        span.link = None;
        // Long after everything.
        span.start += 1_000_000_000_000 + number as i64;
        span.frames = [9_000_000 + number as u64, 9_000_001];
        span.is_there = true;
        world.spans.push(span);
    }
    let mut roots = world.fresh(&used, |_, one| one.parent.is_none());
    roots.retain(|root| !bad_traces.contains(root));
    let pairs = random.some(2 * merges + 2 * invented, roots);
    let joined =
        pairs.chunks(2).enumerate().map(|(number, pair)| (pair[0], pair[1], number >= merges));
    for (one, other, is_invented) in joined {
        for span in world.spans.iter_mut().filter(|span| span.trace == other) {
            span.trace = one;
        }
        if is_invented {
            bad_traces.push(other);
            let above = world.first[one];
            world.top(other).link = Some((above, false, "one-candidate"));
        }
    }

    let report = world.report();
    let parents = &report.parents;
    let shown = text(&report, true);
    let edges = world.exchanges.iter().filter(|one| one.parent.is_some()).count();
    let missed_edges = world
        .exchanges
        .iter()
        .enumerate()
        .filter(|(place, one)| one.parent.is_some() && !world.spans[world.first[*place]].is_there)
        .count();
    let right = edges - wrong - open - missed_edges;
    let found = [parents.wrong, parents.open, parents.invented, parents.right];
    let expected = [wrong, open, invented, right].map(|count| count as u64);
    assert_eq!(found, expected, "{what}: wrong, open, invented, right\n{shown}");
    assert_eq!(report.exchanges.missed, missing as u64, "{what}\n{shown}");
    let others: u64 = report.exchanges.others.values().sum();
    assert_eq!(others, extra as u64, "{what}\n{shown}");
    let points = &report.points;
    let found = [points.wrong_order, points.parted, points.mixed];
    assert_eq!(found, [orders as u64, parted as u64, 0], "{what}: order, parted, mixed\n{shown}");
    let merged = (merges + invented) as u64;
    let traces = &report.traces;
    assert_eq!([traces.merged, traces.merged_from], [merged, 2 * merged], "{what}\n{shown}");
    bad_traces.sort_unstable();
    bad_traces.dedup();
    assert_eq!(traces.truth - traces.right, bad_traces.len() as u64, "{what}\n{shown}");
    let several = bad_traces
        .iter()
        .filter(|root| world.exchanges.iter().filter(|one| one.root == **root).count() > 1);
    let several = several.count() as u64;
    assert_eq!(traces.of_several - traces.right_of_several, several, "{what}\n{shown}");
    let by_kind: Vec<u64> = report.services.iter().map(|group| group.figures.wrong).collect();
    assert_eq!(by_kind.iter().sum::<u64>(), wrong as u64, "{what}");
}

#[test]
fn exchanges_that_are_one_in_the_spans_are_counted() {
    worlds(|random, mut world, what| {
        let parents = |world: &World, place: usize| world.exchanges[place].parent;
        let pairs: Vec<usize> = (1..world.exchanges.len())
            .filter(|place| {
                let last = world.exchanges[..*place]
                    .iter()
                    .rposition(|one| one.parent.is_some() && one.parent == parents(&world, *place));
                last.is_some() && world.exchanges[*place].children == 0
            })
            .collect();
        let mut taken: Vec<usize> = Vec::new();
        for place in random.some(3.min(pairs.len()), pairs) {
            let sibling = (0..place).rev().find(|other| {
                parents(&world, *other).is_some()
                    && parents(&world, *other) == parents(&world, place)
            });
            let sibling = sibling.unwrap();
            if taken.contains(&sibling) || taken.contains(&place) {
                continue;
            }
            taken.extend([place, sibling]);
            let last = world.first[sibling] + world.exchanges[sibling].points.len() - 1;
            world.top(place).link = Some((last, true, "tcp-sequence"));
        }
        let report = world.report();
        let mixed = taken.len() as u64 / 2;
        assert_eq!(report.points.mixed, mixed, "{what}\n{}", text(&report, true));
        assert_eq!((report.parents.wrong, report.parents.open), (0, 0), "{what}");
    });
}

#[test]
fn clocks_may_be_an_hour_off() {
    worlds(|_, mut world, what| {
        let places: Vec<usize> = world
            .spans
            .iter()
            .map(|span| world.exchanges[span.exchange].points[span.point].place)
            .collect();
        for (span, place) in world.spans.iter_mut().zip(places) {
            span.start += [3_600_000_000_000, -7_200_000_000_123, 0][place];
        }
        check_perfect(&world.report(), what);
        // Without the numbers of packets, too, as where a filter left some out.
        world.spans.iter_mut().for_each(|span| span.frames = span.frames.map(|one| one + 7_777));
        check_perfect(&world.report(), what);
    });
}

#[test]
fn packets_may_be_lost() {
    worlds(|random, mut world, what| {
        for place in 0..world.spans.len() {
            let lost = random.below(20) == 0;
            let span = &mut world.spans[place];
            span.frames = span.frames.map(|frame| frame - frame / 20);
            if lost {
                // The first packet of the request; what comes next is of the same exchange.
                span.start += 30_000 + random.below(100_000) as i64;
            }
        }
        check_perfect(&world.report(), what);
    });
}

#[test]
fn a_capture_cut_to_microseconds_is_the_same() {
    worlds(|_, mut world, what| {
        world.spans.iter_mut().for_each(|span| span.start -= span.start.rem_euclid(1_000));
        check_perfect(&world.report(), what);
    });
}

/// Rows of truth by hand: id, parent, ends, place on the connection, begin and end, operation; and
/// spans: id, id above, ends, place, start, operation. All times in milliseconds, all at one point.
fn by_hand(
    truth: &[(u64, &str, &str, u32, i64, i64, &str)],
    spans: &[(u64, u64, &str, u32, i64, &str)],
) -> Report {
    let ends = |ends: &str| {
        let (client, server) = ends.split_once('>').unwrap();
        format!(r#""client":"10.0.0.{client}","server":"10.0.0.{server}""#)
    };
    let mut rows = String::new();
    for (id, parent, between, nth, begin, end, operation) in truth {
        let (between, begin, end) = (ends(between), begin * 1_000_000, end * 1_000_000);
        writeln!(
            rows,
            r#"{{"id":{id},"parent":{parent},"protocol":"redis","operation":"{operation}","points":[{{"point":"a",{between},"nth":{nth},"begin":{begin},"end":{end},"frames":[]}}]}}"#
        )
        .unwrap();
    }
    let mut lines = String::new();
    for (id, above, between, ordinal, at, operation) in spans {
        let (between, at) = (ends(between), at * 1_000_000);
        let link = match above {
            0 => String::new(),
            above => format!(
                r#""parent":"{above:x}","link":{{"kind":"parent","reason":"one-candidate","confidence":0.9}},"#
            ),
        };
        writeln!(
            lines,
            r#"{{"type":"span","v":2,"trace":"1","span":"{id:x}",{link}"protocol":"redis","sort":"call","operation":"{operation}","state":"open","tap":"a","ordinal":{ordinal},{between},"request":{{"at":{at}}}}}"#
        )
        .unwrap();
    }
    report(&rows, &lines)
}

/// Right, wrong, open, right roots, invented, missed, not in the truth.
fn counts(report: &Report) -> [u64; 7] {
    let parents = &report.parents;
    let others = report.exchanges.others.values().sum();
    [
        parents.right,
        parents.wrong,
        parents.open,
        parents.right_roots,
        parents.invented,
        report.exchanges.missed,
        others,
    ]
}

#[test]
fn two_exchanges_with_equal_times_are_told_apart_by_their_order() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 90, "GET"),
        (2, "null", "1:2>2:80", 1, 0, 90, "GET"),
        (3, "1", "2:7>3:6379", 1, 5, 6, "GET"),
        (4, "2", "2:7>3:6379", 2, 5, 6, "GET"),
    ];
    let right = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 0, "1:2>2:80", 0, 0, "GET"),
        (3, 1, "2:7>3:6379", 0, 5, "GET"),
        (4, 2, "2:7>3:6379", 1, 5, "GET"),
    ];
    assert_eq!(counts(&by_hand(&truth, &right)), [2, 0, 0, 2, 0, 0, 0]);
    let mut swapped = right;
    (swapped[2].1, swapped[3].1) = (2, 1);
    assert_eq!(counts(&by_hand(&truth, &swapped)), [0, 2, 0, 2, 0, 0, 0]);
}

#[test]
fn of_equal_times_one_that_is_missing_is_told_by_what_was_asked() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 90, "GET"),
        (2, "1", "2:7>3:6379", 1, 5, 6, "SET"),
        (3, "1", "2:7>3:6379", 2, 5, 6, "EXPIRE"),
        (4, "1", "2:7>3:6379", 3, 5, 6, "INCR"),
    ];
    for left_out in 2..=4 {
        let all = [
            (1, 0, "1:1>2:80", 0, 0, "GET"),
            (2, 1, "2:7>3:6379", 0, 5, "SET"),
            (3, 1, "2:7>3:6379", 1, 5, "EXPIRE"),
            (4, 1, "2:7>3:6379", 2, 5, "INCR"),
        ];
        let spans: Vec<_> = all.into_iter().filter(|span| span.0 != left_out).collect();
        let report = by_hand(&truth, &spans);
        assert_eq!(counts(&report), [2, 0, 0, 1, 0, 1, 0]);
        let missed = report.faults.kinds()[0].first[0].exchange.id;
        assert_eq!(missed, Some(left_out), "{}", text(&report, true));
        assert_eq!(report.exchanges.other_operation, 0);
    }
}

#[test]
fn ports_that_are_used_again_are_other_connections() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 5, "GET"),
        (2, "null", "1:1>2:80", 2, 10, 15, "GET"),
        (3, "null", "1:1>2:80", 1, 9_000, 9_005, "GET"),
        (4, "3", "2:9>3:80", 1, 9_001, 9_003, "GET"),
    ];
    let spans = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 0, "1:1>2:80", 1, 10, "GET"),
        (3, 0, "1:1>2:80", 0, 9_000, "GET"),
        (4, 3, "2:9>3:80", 0, 9_001, "GET"),
    ];
    assert_eq!(counts(&by_hand(&truth, &spans)), [1, 0, 0, 3, 0, 0, 0]);
    // The second one was not captured.
    let spans = [spans[0], spans[2], spans[3]];
    assert_eq!(counts(&by_hand(&truth, &spans)), [1, 0, 0, 2, 0, 1, 0]);
}

#[test]
fn a_span_too_many_is_not_in_the_truth() {
    let truth =
        [(1, "null", "1:1>2:80", 1, 0, 5, "GET"), (2, "null", "1:1>2:80", 2, 10, 15, "GET")];
    let spans = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 0, "1:1>2:80", 1, 7, "QUIT"),
        (3, 0, "1:1>2:80", 2, 10, "GET"),
        (4, 0, "1:9>2:80", 0, 10, "GET"),
    ];
    assert_eq!(counts(&by_hand(&truth, &spans)), [0, 0, 0, 2, 0, 0, 2]);
}

#[test]
fn what_nobody_knows_the_parent_of_is_judged_neither_way() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 50, "GET"),
        (2, "\"unknown\"", "2:2>3:80", 1, 10, 15, "LOGIN"),
        (3, "\"unknown\"", "2:3>3:80", 1, 10, 15, "LOGIN"),
        (4, "2", "3:3>4:80", 1, 11, 12, "GET"),
    ];
    let spans = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 1, "2:2>3:80", 0, 10, "LOGIN"),
        (3, 0, "2:3>3:80", 0, 10, "LOGIN"),
        (4, 2, "3:3>4:80", 0, 11, "GET"),
    ];
    let report = by_hand(&truth, &spans);
    assert_eq!(counts(&report), [1, 0, 0, 1, 0, 0, 0]);
    assert_eq!((report.parents.unknown, report.parents.links), (2, 1));
    assert_eq!((report.traces.truth, report.traces.right, report.traces.merged), (1, 1, 0));
}

#[test]
fn a_parent_that_is_not_in_the_truth_or_not_there_is_wrong() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 50, "GET"),
        (2, "1", "2:2>3:80", 1, 10, 15, "GET"),
        (3, "1", "2:2>3:80", 2, 20, 25, "GET"),
    ];
    let spans = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 9, "2:2>3:80", 0, 10, "GET"),
        (3, 77, "2:2>3:80", 1, 20, "GET"),
        (9, 0, "5:1>2:80", 0, 1, "GET"),
    ];
    let report = by_hand(&truth, &spans);
    assert_eq!(counts(&report), [0, 2, 0, 1, 0, 0, 1]);
    let text = text(&report, false);
    assert!(text.contains("what is not among the spans"), "{text}");
}

#[test]
fn a_fault_says_what_was_expected_and_what_was_found() {
    let truth = [
        (1, "null", "1:1>2:80", 1, 0, 50, "GET"),
        (2, "null", "1:2>2:80", 1, 0, 50, "PUT"),
        (3, "1", "2:2>3:80", 1, 10, 15, "POP"),
    ];
    let spans = [
        (1, 0, "1:1>2:80", 0, 0, "GET"),
        (2, 0, "1:2>2:80", 0, 0, "PUT"),
        (3, 2, "2:2>3:80", 0, 10, "POP"),
    ];
    let text = text(&by_hand(&truth, &spans), false);
    let (_, wrong) = text.split_once("wrong parents: 1\n").unwrap_or_else(|| panic!("{text}"));
    let lines: Vec<&str> = wrong.lines().take(3).map(str::trim_start).collect();
    let [what, expected, found] = lines[..] else { panic!("{text}") };
    assert!(what.starts_with("3 redis POP, 10.0.0.2:2 > 10.0.0.3:80, a "), "{what}");
    assert!(expected.starts_with("expected 1 redis GET, 10.0.0.1:1 > "), "{expected}");
    assert!(found.starts_with("found 2 redis PUT, 10.0.0.1:2 > "), "{found}");
    assert!(found.ends_with(", by one-candidate 90.0 %"), "{found}");
}

#[test]
fn truth_of_another_capture_is_said_with_an_example_of_each_side() {
    let truth = Truth::of(Lines::of(&World::new(&mut Random(1), 9).truth())).unwrap();
    let mut other = World::new(&mut Random(1), 9);
    for exchange in &mut other.exchanges {
        exchange.points.iter_mut().for_each(|point| point.client = "10.7.7.7:7".to_owned());
    }
    let spans = Spans::of(Lines::of(&other.spans()), &mut |_| {}).unwrap();
    let error = evaluate(&truth, &spans, 1).unwrap_err().to_string();
    assert!(error.contains("it has http GET /1 from 10.0.0.1:40000 to 10.0."), "{error}");
    assert!(error.contains("the spans have http GET /1 from 10.7.7.7:7 to "), "{error}");
    let none = Spans::of(Lines::of(""), &mut |_| {}).unwrap();
    let error = evaluate(&truth, &none, 1).unwrap_err().to_string();
    assert!(error.starts_with("there are no spans to compare with the "), "{error}");
}

#[test]
fn broken_spans_are_named_with_their_line() {
    let good = World::new(&mut Random(1), 1).spans();
    let first = good.lines().next().unwrap().to_owned();
    for (line, expected) in [
        ("[1]".to_owned(), "it is no JSON object"),
        (first.replace("\"v\":2", "\"v\":3"), "it is of version 3, and only 2 is known"),
        (first.replace("\"v\":2", "\"v\":3,\"client\":7"), "it is of version 3"),
        (first.replace("\"state\"", "\"stat\""), "it has no `state`"),
        (first.replace("\"span\":\"0\"", "\"span\":\"x\""), "its `span` cannot be \"x\""),
        (first[..40].to_owned(), "it is broken ("),
    ] {
        let text = format!("{first}\n{line}\n");
        let error = Spans::of(Lines::of(&text), &mut |_| {}).unwrap_err().to_string();
        let expected = format!("read text: line 2: {expected}");
        assert!(error.starts_with(&expected), "{error}");
    }
    let other = "{\"type\":\"metric\",\"v\":7,\"state\":{}}\n";
    let text = format!("{other}{first}\n{}", &first[..40]);
    let spans = Spans::of(Lines::of(&text), &mut |_| {}).unwrap();
    let remarks: Vec<String> = spans.remarks().collect();
    assert_eq!(remarks, ["1 line is no span and was left out", "text: cut off inside line 3"]);
}

/// When the first trace begins, in nanoseconds since 1970.
const START: i64 = 1_795_000_000_000_000_000;

#[test]
fn what_is_wrong_with_a_span_is_named_with_its_line() {
    let span = |id: &str, confidence: &str, kind: &str| {
        format!(
            r#"{{"type":"span","v":2,"trace":"1","span":"{id}","parent":"1","link":{{"kind":"{kind}","reason":"one-candidate","confidence":{confidence}}},"protocol":"http","state":"complete","client":"10.0.0.1:9","server":"10.0.0.2:80","request":{{"at":5}}}}"#
        )
    };
    let first = span("1", "1", "parent");
    let other = span("1", "0.5", "same_exchange").replace(r#""trace":"1""#, r#""trace":"2""#);
    for (line, expected) in [
        (span("2", "0", "same_exchange"), None),
        (other, None),
        (first.clone(), Some("the span 0000000000000001 was there before, in line 1; ")),
        (span("2", "5", "parent"), Some("its `confidence` cannot be \"5\"")),
        (span("2", "-0.1", "parent"), Some("its `confidence` cannot be \"-0.1\"")),
        (span("2", "1e39", "parent"), Some("")),
        (span("2", "1", "friend"), Some("its `kind` cannot be \"friend\"")),
    ] {
        let text = format!("{first}\n\n{{\"type\":\"trace\"}}\n{line}\n");
        let found = Spans::of(Lines::of(&text), &mut |_| {}).map_err(|error| error.to_string());
        match expected {
            None => assert_eq!(found.map(|spans| spans.all.len()), Ok(2), "{line}"),
            Some(expected) => {
                let expected = format!("read text: line 4: {expected}");
                assert!(
                    found.as_ref().is_err_and(|error| error.starts_with(&expected)),
                    "{found:?}"
                );
            }
        }
    }
}

#[test]
fn in_another_network_the_same_addresses_are_another_connection() {
    let row = |id: u64, network: &str, begin: i64| {
        format!(
            r#"{{"id":{id},"parent":null,"protocol":"http","operation":"GET /{id}","points":[{{"point":"a","client":"10.0.0.1:9","server":"10.0.0.2:80","nth":1,"begin":{begin},"end":{end}{network}}}]}}"#,
            end = begin + 5_000_000,
        )
    };
    let span = |id: u64, tap: &str, at: i64| {
        format!(
            r#"{{"type":"span","v":2,"trace":"{id}","span":"{id}","protocol":"http","operation":"GET","resource":"/1","state":"complete","tap":"{tap}","client":"10.0.0.1:9","server":"10.0.0.2:80","request":{{"at":{at}}}}}"#
        )
    };
    let vni = |number: u32| format!(r#","network":"vni{number}""#);
    let (seven, eight) = ("a:vxlan7@10.9.0.1-10.9.0.2", "a:vxlan8@10.9.0.1-10.9.0.2");
    // The networks of two rows that overlap, the taps of two spans, and how many are found.
    for (networks, taps, expected) in [
        ([vni(7), vni(8)], [seven, eight], 2),
        ([vni(7), vni(8)], [seven, "a:geneve8"], 2),
        ([vni(7), vni(8)], [seven, seven], 1),
        ([vni(7), vni(8)], [seven, "a:vxlan9"], 1),
        ([vni(7), vni(8)], [seven, "a"], 1),
        ([vni(7), String::new()], [seven, "a"], 2),
        ([vni(7), String::new()], [seven, eight], 1),
        // Where one side names none, there is but one connection.
        ([vni(7), vni(7)], ["a", "a"], 2),
        ([String::new(), String::new()], [seven, seven], 2),
    ] {
        let rows = [row(1, &networks[0], 1_000_000_000), row(2, &networks[1], 1_001_000_000)];
        let seen = [span(1, taps[0], 1_000_000_000), span(2, taps[1], 1_001_000_000)];
        let report = report(&rows.join("\n"), &seen.join("\n"));
        assert_eq!(report.exchanges.found, expected, "{networks:?} {taps:?}");
    }
}
