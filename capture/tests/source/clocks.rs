//! Clocks that differ are found by the packets that two places have both seen, whatever these differ
//! by, and true values lie within what is said of them.

use crate::written::{enhanced, interface, option, pcap_header, read_all, record, section, write};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wirespan_capture::clocks::Survey;
use wirespan_capture::clocks::line::{Line, Sighting};
use wirespan_capture::packet::{FileId, InterfaceId, Timestamp};
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::alignment::{Alignment, Offset};
use wirespan_capture::source::merge::MergedSource;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
const BEGIN: i64 = 1_700_000_000 * SECOND;

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as i64
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below(most - least + 1)
    }

    /// Mostly little, now and then much: half the time less than `typical`.
    fn jitter(&mut self, typical: i64) -> i64 {
        let halvings = self.0.leading_zeros() as i64;
        self.below(typical) + self.below(typical) * halvings * halvings
    }
}

/// How a clock runs: ahead by so many nanoseconds at the beginning, and parts in a billion too fast.
#[derive(Clone, Copy, Debug)]
struct Clock {
    ahead: i64,
    drift: i64,
}

impl Clock {
    const RIGHT: Self = Self { ahead: 0, drift: 0 };

    fn shows(self, at: i64) -> i64 {
        let since = i128::from(at - BEGIN);
        at + self.ahead + (since * i128::from(self.drift) / 1_000_000_000) as i64
    }
}

/// What passes several places one behind the other.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Nanoseconds from each place to the next one, at least.
    delay: i64,
    /// More of them, mostly.
    jitter: i64,
    /// Packets of a thousand that a place does not capture.
    lost: i64,
    seconds: i64,
    calls: i64,
    /// Whether there is a router between any two places.
    routed: bool,
}

const NEAR: Way =
    Way { delay: 3_000, jitter: 2_000, lost: 0, seconds: 10, calls: 400, routed: false };

/// What each place captures: time by the right clock, and the frame.
type Captured = Vec<(i64, Vec<u8>)>;

/// Calls between two hosts on several connections, in both directions.
fn talk(random: &mut Random, places: usize, way: Way) -> Vec<Captured> {
    let mut captured = vec![Captured::new(); places];
    for call in 0..way.calls {
        let at = BEGIN + way.seconds * SECOND * call / way.calls + random.below(SECOND / 1_000);
        // Now and then the second host calls the first.
        let (from, to) = if call % 5 == 4 { (2, 1) } else { (1, 2) };
        let port = 40_000 + (call % 7) as u16;
        let numbers = [random.below(1 << 32) as u32, random.below(1 << 32) as u32];
        let ids = [random.below(1 << 16) as u16, random.below(1 << 16) as u16];
        let mut at = pass(random, &mut captured, at, way, (from, port), (to, 80), numbers, ids[0]);
        at += 50_000 + random.jitter(300_000);
        let [seq, ack] = numbers;
        let back = [ack, seq.wrapping_add(8)];
        pass(random, &mut captured, at, way, (to, 80), (from, port), back, ids[1]);
    }
    for place in &mut captured {
        place.sort();
    }
    captured
}

/// A packet passes all places; gives when it passed the last one.
#[expect(clippy::too_many_arguments, reason = "a packet has so many parts")]
fn pass(
    random: &mut Random,
    captured: &mut [Captured],
    at: i64,
    way: Way,
    from: (u8, u16),
    to: (u8, u16),
    [seq, ack]: [u32; 2],
    id: u16,
) -> i64 {
    let mut order: Vec<usize> = (0..captured.len()).collect();
    if from.0 == 2 {
        order.reverse();
    }
    let mut at = at;
    for (hop, place) in order.into_iter().enumerate() {
        at += way.delay + random.jitter(way.jitter);
        let ttl = 64 - if way.routed { hop as u8 } else { 0 };
        if random.below(1_000) >= way.lost {
            captured[place].push((at, frame(from, to, [seq, ack], id, ttl)));
        }
    }
    at
}

/// An Ethernet frame with 8 bytes of TCP.
fn frame(from: (u8, u16), to: (u8, u16), [seq, ack]: [u32; 2], id: u16, ttl: u8) -> Vec<u8> {
    let mut frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0\x45\0\0\x30".to_vec();
    frame.extend(id.to_be_bytes());
    frame.extend([0, 0, ttl, 6, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0]);
    frame.extend(from.1.to_be_bytes());
    frame.extend(to.1.to_be_bytes());
    frame.extend(seq.to_be_bytes());
    frame.extend(ack.to_be_bytes());
    frame.extend(b"\x50\x18\xff\xff\0\0\0\0contents");
    frame
}

/// A capture with nanoseconds.
fn file(captured: &Captured, clock: Clock) -> Vec<u8> {
    let mut file = pcap_header(false, 0xa1b2_3c4d, 1);
    for (at, frame) in captured {
        let at = clock.shows(*at);
        let (seconds, nanos) = ((at / SECOND) as u32, (at % SECOND) as u32);
        file.extend(record(false, seconds, nanos, frame.len() as u32, frame));
    }
    file
}

fn written(folder: &Path, captured: &[Captured], clocks: &[Clock]) -> Vec<PathBuf> {
    let each = captured.iter().zip(clocks).enumerate();
    each.map(|(number, (place, clock))| {
        write(folder, &format!("place-{}.pcap", ["a", "b", "c", "d"][number]), &file(place, *clock))
    })
    .collect()
}

/// What is said of each clock, and how far it is from the truth at the most: by offsets that set
/// right what each clock shows, compared with what the one shows by which all count.
fn check(way: Way, clocks: impl Fn(&mut Random) -> Vec<Clock>, within: i64) {
    let mut estimates = 0;
    for seed in 1..=20_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let clocks = clocks(&mut random);
        let captured = talk(&mut random, clocks.len(), way);
        let folder = tempfile::tempdir().unwrap();
        let paths = written(folder.path(), &captured, &clocks);
        let found = Survey::of(&paths).alignments();
        assert_eq!(found.len(), clocks.len() - 1, "seed {seed}: all are known but for one");
        let own = |alignment: &Alignment| clocks[usize::from(alignment.file.0)];
        let reference = (0..clocks.len())
            .find(|number| found.iter().all(|one| usize::from(one.file.0) != *number))
            .unwrap();
        for one in &found {
            for part in 0..=4 {
                let at = BEGIN + way.seconds * SECOND * part / 4;
                let right = one.offset.right(Timestamp(own(one).shows(at)));
                let off = right.0 - clocks[reference].shows(at);
                let error = one.error as i64 + 50;
                assert!(off.abs() <= error, "seed {seed}: {one} is off by {off} ns at {part}/4");
                assert!(off.abs() <= within, "seed {seed}: {one} is off by {off} ns");
                estimates += 1;
            }
        }
        let mut source = MergedSource::open_aligned(&paths, 1 << 16, found).unwrap();
        let mut packets = read_all(&mut source);
        assert!(packets.is_sorted_by_key(|packet| packet.0));
        // Interfaces have their numbers in the order in which they come.
        let files: Vec<u16> = source.interfaces().iter().map(|(_, one)| one.file.0).collect();
        packets.iter_mut().for_each(|packet| packet.1 = files[usize::from(packet.1)]);
        check_causes(&packets, seed);
    }
    assert!(estimates >= 100);
}

/// Of one host's packets, each passes the places in the order in which they stand.
fn check_causes(packets: &[(i64, u16, u64, u32, Vec<u8>)], seed: u64) {
    let mut first: BTreeMap<&[u8], Vec<u16>> = BTreeMap::new();
    for packet in packets {
        // The numbers of TCP; addresses say who sent it.
        first.entry(&packet.4[26..]).or_default().push(packet.1);
    }
    let wrong = first.iter().filter(|(bytes, places)| {
        let from_second = bytes[3] == 2;
        !places.is_sorted_by_key(
            |place| if from_second { -i32::from(*place) } else { (*place).into() },
        )
    });
    let wrong = wrong.count();
    assert!(wrong * 100 <= packets.len(), "seed {seed}: {wrong} packets pass places in no order");
}

/// Any offset up to three seconds, and 50 parts in a million of drift.
fn off(random: &mut Random, places: usize, most: i64) -> Vec<Clock> {
    let clock = |random: &mut Random| Clock {
        ahead: random.between(-most, most),
        drift: random.between(-50_000, 50_000),
    };
    (0..places).map(|_| clock(random)).collect()
}

#[test]
fn offset_and_drift_are_found_and_true_values_are_within_the_error() {
    check(NEAR, |random| off(random, 3, 3 * SECOND), 20_000);
}

#[test]
fn jitter_that_is_greater_than_the_way_does_no_harm() {
    check(Way { jitter: 100_000, ..NEAR }, |random| off(random, 3, 3 * SECOND), 50_000);
}

#[test]
fn packets_that_a_place_has_lost_do_no_harm() {
    check(Way { lost: 100, ..NEAR }, |random| off(random, 4, 3 * SECOND), 30_000);
}

#[test]
fn a_way_through_routers_bounds_the_offset_too() {
    let way = Way { delay: 300_000, jitter: 50_000, routed: true, ..NEAR };
    check(way, |random| off(random, 2, 3 * SECOND), 1_000_000);
}

#[test]
fn an_hour_off_is_found() {
    let clocks = |random: &mut Random| {
        let mut clocks = off(random, 3, SECOND);
        clocks[random.below(3) as usize].ahead += HOUR;
        clocks
    };
    check(NEAR, clocks, 30_000);
}

#[test]
fn drift_over_minutes_is_followed() {
    let way = Way { seconds: 600, calls: 2_000, ..NEAR };
    check(way, |random| off(random, 3, SECOND), 30_000);
}

/// The packets of the second place, with a clock that is set forward when so much of them is done.
fn stepped(captured: &mut [Captured], step: i64, done: f64) {
    let place = &mut captured[1];
    let from = (place.len() as f64 * done) as usize;
    place[from..].iter_mut().for_each(|(at, _)| *at += step);
}

#[test]
fn a_clock_that_is_set_while_it_captures_is_left_as_it_is_and_that_is_said() {
    let check = |step: i64, done: f64, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut captured = talk(&mut Random(16), 3, NEAR);
        stepped(&mut captured, step, done);
        let paths = written(folder.path(), &captured, &[Clock::RIGHT; 3]);
        let remarks = |paths: &[PathBuf]| {
            let survey = Survey::of(paths);
            let used = survey.alignments().into_iter().filter(|one| one.used);
            assert_eq!(used.collect::<Vec<_>>(), [], "step {step} at {done}");
            survey.remarks().join("; ").replace(&format!("{}/", folder.path().display()), "")
        };
        assert!(remarks(&paths).contains(expected), "{}", remarks(&paths));
        // Of two, it is not known which of them.
        let two = remarks(&paths[..2]);
        assert!(two.contains("place-a.pcap and place-b.pcap"), "{two}");
    };
    for step in [3 * SECOND, -3 * SECOND, 400_000_000, 20_000_000] {
        for done in [0.2, 0.5, 0.8] {
            check(step, done, "the clock of place-b.pcap");
        }
    }
}

#[test]
fn drift_over_a_day_is_no_step() {
    let way = Way { seconds: 24 * 3_600, calls: 2_000, ..NEAR };
    let clocks = |_: &mut Random| vec![Clock::RIGHT, Clock { ahead: SECOND, drift: 50_000 }];
    check(way, clocks, 10_000_000);
}

#[test]
fn clocks_that_run_alike_are_said_nothing_of() {
    let folder = tempfile::tempdir().unwrap();
    let way = Way { lost: 100, jitter: 100_000, ..NEAR };
    let captured = talk(&mut Random(17), 4, way);
    let clocks = off(&mut Random(18), 4, 3 * SECOND);
    let paths = written(folder.path(), &captured, &clocks);
    assert_eq!(Survey::of(&paths).remarks(), [""; 0]);
}

#[test]
fn equal_clocks_stay_as_they_are() {
    let mut random = Random(7);
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut random, 3, NEAR);
    let paths = written(folder.path(), &captured, &[Clock::RIGHT; 3]);
    let found = Survey::of(&paths).alignments();
    assert_eq!(found.len(), 2, "all are known but for one");
    assert!(found.iter().all(|one| !one.used), "{found:#?}");
    let mut aligned = MergedSource::open_aligned(&paths, 1 << 16, found).unwrap();
    let mut plain = MergedSource::open(&paths).unwrap();
    assert_eq!(read_all(&mut aligned), read_all(&mut plain));
}

#[test]
fn four_packets_are_enough() {
    let few = Way { calls: 2, ..NEAR };
    for seed in 1..=20 {
        let folder = tempfile::tempdir().unwrap();
        let captured = talk(&mut Random(seed), 3, few);
        let third = Clock { ahead: 80_000_000, drift: 0 };
        let paths = written(folder.path(), &captured, &[Clock::RIGHT, Clock::RIGHT, third]);
        let found = Survey::of(&paths).alignments();
        let used: Vec<&Alignment> = found.iter().filter(|one| one.used).collect();
        let [one] = used.as_slice() else { panic!("the third one is off: {found:?}") };
        assert_eq!(one.file, FileId(2));
        let off = (one.offset.ahead - third.ahead).unsigned_abs();
        assert!(off <= one.error && off < 1_000_000, "seed {seed}: {one}");
    }
}

#[test]
fn the_clock_that_most_agree_with_stays() {
    let mut random = Random(8);
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut random, 3, NEAR);
    let wrong = Clock { ahead: HOUR, drift: 0 };
    let paths = written(folder.path(), &captured, &[wrong, Clock::RIGHT, Clock::RIGHT]);
    let found = Survey::of(&paths).alignments();
    let used: Vec<u16> = found.iter().filter(|one| one.used).map(|one| one.file.0).collect();
    assert_eq!(used, [0]);
}

#[test]
fn hosts_that_see_each_packet_on_several_interfaces_are_compared() {
    let mut random = Random(15);
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut random, 4, NEAR);
    let clocks = off(&mut random, 2, 3 * SECOND);
    // Of each host all interfaces in one, as in a capture of `any`.
    let hosts: Vec<Captured> = captured
        .chunks(2)
        .map(|its| {
            let mut all = its.concat();
            all.sort();
            all
        })
        .collect();
    let paths = written(folder.path(), &hosts, &clocks);
    let found = Survey::of(&paths).alignments();
    assert_eq!(found.len(), 1);
    for at in [BEGIN, BEGIN + 10 * SECOND] {
        let right =
            found[0].offset.right(Timestamp(clocks[usize::from(found[0].file.0)].shows(at)));
        let off = right.0 - clocks[1 - usize::from(found[0].file.0)].shows(at);
        assert!(off.unsigned_abs() <= found[0].error && found[0].error < 50_000, "{off} {found:?}");
    }
}

#[test]
fn packets_far_in_the_file_tell_too() {
    let mut random = Random(9);
    let folder = tempfile::tempdir().unwrap();
    let mut captured = talk(&mut random, 2, NEAR);
    // Each place has seen much before, of which the other one knows nothing.
    for (place, own) in captured.iter_mut().enumerate() {
        let other = Way { calls: 30_000, seconds: 20, ..NEAR };
        let before = talk(&mut random, 1, other).remove(0);
        let before = before.into_iter().map(|(at, mut frame)| {
            frame[29] = 100 + place as u8;
            (at - 60 * SECOND, frame)
        });
        *own = before.chain(own.drain(..)).collect();
    }
    let ahead = Clock { ahead: 2 * SECOND, drift: 0 };
    let paths = written(folder.path(), &captured, &[Clock::RIGHT, ahead]);
    let found = Survey::of(&paths).alignments();
    assert_eq!(found.len(), 1);
    assert!(found[0].used);
}

#[test]
fn files_that_share_nothing_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut captured = talk(&mut Random(10), 1, NEAR);
    captured.extend(talk(&mut Random(11), 1, NEAR));
    let ahead = Clock { ahead: HOUR, drift: 0 };
    let paths = written(folder.path(), &captured, &[Clock::RIGHT, ahead]);
    let survey = Survey::of(&paths);
    assert_eq!(survey.alignments(), []);
    assert_eq!(survey.groups(), [0, 1]);
}

#[test]
fn very_many_files_are_not_compared_and_that_is_said_unless_they_are_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &dyn Fn(usize) -> String, expected: &[&str]| {
        let empty =
            |number| write(folder.path(), &name(number), &pcap_header(false, 0xa1b2_c3d4, 1));
        let paths: Vec<PathBuf> = (0..65).map(empty).collect();
        assert_eq!(Survey::of(&paths).remarks(), expected);
        assert_eq!(Survey::of(&paths[1..]).remarks(), [""; 0]);
    };
    check(
        &|number| format!("host{number}.pcap"),
        &[
            "the clocks of 65 files are not compared, only those of up to 64: if they differ, set the \
           times right, as with editcap -t, or merge files of one host",
        ],
    );
    check(&|number| format!("all.pcap{number}"), &[]);
    check(&|number| format!("all_{number:05}_202601011200{:02}.pcap", number % 60), &[]);
}

/// A pcapng file with an interface for each place, its packets in order of the times they have.
fn interfaces(captured: &[Captured], clocks: &[Clock]) -> Vec<u8> {
    let mut file = section(false);
    for place in 0..captured.len() {
        // Names, and times in nanoseconds.
        let mut options = option(false, 2, format!("eth{place}").as_bytes());
        options.extend(option(false, 9, &[9]));
        file.extend(interface(false, 1, 0, &options));
    }
    let mut packets: Vec<(i64, u32, &Vec<u8>)> = Vec::new();
    for ((place, captured), clock) in (0..).zip(captured).zip(clocks) {
        packets.extend(captured.iter().map(|(at, frame)| (clock.shows(*at), place, frame)));
    }
    packets.sort();
    for (at, place, frame) in packets {
        file.extend(enhanced(false, place, at as u64, frame.len() as u32, frame));
    }
    file
}

#[test]
fn an_interface_of_a_file_an_hour_off_comes_in_its_place() {
    let mut random = Random(12);
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut random, 3, NEAR);
    let clocks = [Clock::RIGHT, Clock { ahead: HOUR, drift: 20_000 }, Clock::RIGHT];
    let path = write(folder.path(), "all.pcapng", &interfaces(&captured, &clocks));
    let paths = [path];
    let found = Survey::of(&paths).alignments();
    let its: Vec<Option<InterfaceId>> = found.iter().map(|one| one.interface).collect();
    assert_eq!(its, [Some(InterfaceId(1))], "{found:#?}");
    for chunk in [4_096, 1 << 18] {
        let mut source = MergedSource::open_aligned(&paths, chunk, found.clone()).unwrap();
        let packets = read_all(&mut source);
        assert_eq!(packets.len(), captured.iter().map(Vec::len).sum::<usize>());
        assert!(packets.is_sorted_by_key(|packet| packet.0));
        assert!(packets.last().unwrap().0 < BEGIN + HOUR / 2);
        check_causes(&packets, 12);
        let report = source.reports().remove(0);
        assert_eq!(report.packets, packets.len() as u64);
        assert_eq!(report.last.unwrap().0, packets.last().unwrap().0);
        let names: Vec<String> =
            source.interfaces().iter().map(|(_, one)| one.name.clone()).collect();
        assert_eq!(names, ["eth0", "eth1", "eth2"]);
        // Each keeps its number in the file.
        let mut frames: Vec<u64> = packets.iter().map(|packet| packet.2).collect();
        frames.sort_unstable();
        assert!(frames.iter().copied().eq(1..=packets.len() as u64));
    }
}

#[test]
fn interfaces_of_one_file_have_one_clock() {
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut Random(13), 3, NEAR);
    let path = write(folder.path(), "all.pcapng", &interfaces(&captured, &[Clock::RIGHT; 3]));
    let survey = Survey::of(&[path]);
    assert_eq!(survey.clocks().len(), 1);
    assert_eq!(survey.alignments(), []);
}

#[test]
fn files_of_one_direction_each_are_one_point() {
    let mut random = Random(14);
    let folder = tempfile::tempdir().unwrap();
    let captured = talk(&mut random, 2, NEAR);
    let mut paths = Vec::new();
    for (place, name) in captured.iter().zip(["client", "server"]) {
        for (way, host) in [("in", 1), ("out", 2)] {
            let half = place.iter().filter(|(_, frame)| frame[29] == host).cloned().collect();
            paths.push(write(
                folder.path(),
                &format!("{name}-{way}.pcap"),
                &file(&half, Clock::RIGHT),
            ));
        }
    }
    let survey = Survey::of(&paths);
    let points: Vec<&str> = survey.points().iter().map(|point| point.name.as_str()).collect();
    assert_eq!(points, ["client-in+client-out", "server-in+server-out"]);
    assert_eq!(survey.clocks().len(), 2);
}

#[test]
fn offset_sets_right_what_it_has_shown() {
    for (ahead, drift) in [(0, 0), (HOUR, 50_000), (-3 * SECOND, -50_000), (17, 500_000)] {
        let offset = Offset { since: Timestamp(BEGIN + ahead), ahead, drift };
        for at in [BEGIN, BEGIN + HOUR, BEGIN - HOUR, BEGIN + 24 * HOUR] {
            let back = offset.right(offset.shown(Timestamp(at))).0;
            assert!(back.abs_diff(at) <= 1, "{at} became {back}");
        }
        let a_day = offset.shown(Timestamp(BEGIN + 24 * HOUR)).0 - BEGIN - 24 * HOUR - ahead;
        assert_eq!(a_day, 24 * 3_600 * drift);
    }
}

#[test]
fn what_is_known_of_a_clock_is_told_in_words() {
    let told = |ahead, error, drift, used| {
        let offset = Offset { since: Timestamp(BEGIN), ahead, drift };
        let (name, against) = ("a.pcap".to_owned(), "b.pcap".to_owned());
        let (file, interface, drift_error) = (FileId(0), None, 100);
        let one = Alignment {
            file,
            interface,
            name,
            against,
            offset,
            error,
            drift_error,
            sightings: 7,
            used,
        };
        one.to_string()
    };
    assert_eq!(
        told(HOUR + 1_000, 17_400, -46_200, true),
        "the clock of a.pcap is 3600.000001 s ahead of that of b.pcap (± 17 µs), loses 46.2 µs a \
         second, by what both have seen 7 times; its times are set right by so much"
    );
    assert_eq!(
        told(-2_500_000, 3_000_000, 0, false),
        "the clock of a.pcap is 2.500 ms behind that of b.pcap (± 3.000 ms), by what both have \
         seen 7 times"
    );
}

fn sighting(at: f64, difference: f64, onwards: bool) -> Sighting {
    Sighting { at, difference, onwards }
}

#[test]
fn bounds_of_one_side_only_are_no_line() {
    assert_eq!(Line::through(&[]), None);
    let upper = [sighting(0.0, 5.0, true), sighting(1.0, 6.0, true)];
    assert_eq!(Line::through(&upper), None);
}

#[test]
fn bounds_that_contradict_each_other_are_no_line() {
    let far = 1e9;
    let both: Vec<Sighting> =
        (0..100).map(|at| sighting(f64::from(at) * 1e6, 0.0, at % 2 == 0)).collect();
    assert!(Line::through(&both).is_some());
    let wrong = both
        .iter()
        .map(|one| Sighting { difference: if one.onwards { -far } else { far }, ..*one });
    assert_eq!(Line::through(&wrong.collect::<Vec<_>>()), None);
}

#[test]
fn a_single_bound_that_contradicts_all_others_is_left_aside() {
    let mut both: Vec<Sighting> = (0..200)
        .map(|at| sighting(f64::from(at) * 1e6, f64::from(at % 2) * -1e5, at % 2 == 0))
        .collect();
    both.push(sighting(5e6, -1e9, true));
    let line = Line::through(&both).unwrap();
    assert!(line.aside >= 1);
    assert!((line.ahead + 5e4).abs() < line.ahead_error);
}

#[test]
fn many_bounds_that_contradict_all_others_are_left_aside_or_make_it_no_line() {
    let line = |wrong: u64| {
        let sighting = |number: u64| {
            let onwards = number.is_multiple_of(2);
            let far = if number % 200 < wrong { -1e9 } else { 0.0 };
            let sign = if onwards { 1.0 } else { -1.0 };
            let at = number as f64 * 1e5;
            sighting(
                at,
                3e-6 * at + sign * (4e4 + (number * 7_919 % 100_003) as f64 + far),
                onwards,
            )
        };
        Line::through(&(0..200_000).map(sighting).collect::<Vec<_>>())
    };
    let one = line(1).unwrap();
    assert!((900..=2_200).contains(&one.aside), "{one:?}");
    assert!(one.ahead.abs() <= one.ahead_error && (one.drift - 3e-6).abs() <= one.drift_error);
    assert!(one.ahead_error < 200_000.0, "{one:?}");
    assert_eq!(line(7), None);
}

#[test]
fn a_line_turned_round_twice_is_itself_and_behind_itself_is_none() {
    let both: Vec<Sighting> = (0..100)
        .map(|at| {
            sighting(
                f64::from(at) * 1e8,
                7e8 + f64::from(at) * 4e3 - f64::from(at % 2) * 3e4,
                at % 2 == 0,
            )
        })
        .collect();
    let line = Line::through(&both).unwrap();
    let twice = line.reverse().reverse();
    assert!((twice.ahead - line.ahead).abs() < 1.0 && (twice.drift - line.drift).abs() < 1e-9);
    let none = line.then(&line.reverse());
    assert!(none.ahead.abs() < 1.0 && none.drift.abs() < 1e-9);
}
