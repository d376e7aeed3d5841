//! Several files become one sequence of packets, and the files of a rotation one tap.

use crate::written::{
    Read, enhanced, gzip, interface, option, pcap, pcap_header, read_all, record, section, write,
};
use std::path::{Path, PathBuf};
use wirespan_capture::packet::{Batch, FileId, InterfaceId, LinkType, Timestamp};
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::faulty::{Faults, FaultySource};
use wirespan_capture::source::memory::MemorySource;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::report::Damage;
use wirespan_capture::source::rotation::{Evidence, Shape};

/// What is read of files, with the names of the interfaces and the rotations.
struct Merged {
    packets: Vec<Read>,
    interfaces: Vec<String>,
    rotations: Vec<(u16, u16, Evidence)>,
}

fn merge(paths: &[PathBuf], chunk: usize) -> Merged {
    let mut source = MergedSource::open_reading(paths, chunk).unwrap();
    let packets = read_all(&mut source);
    let total = source.progress().total().unwrap();
    assert_eq!(source.progress().read(), total, "all of every file counts once");
    for (report, number) in source.reports().iter().zip(0..) {
        assert_eq!(report.file, FileId(number));
        assert_eq!(report.damaged, 0, "{:?}", report.damage);
    }
    let counted: u64 = source.reports().iter().map(|report| report.packets).sum();
    assert_eq!(counted, packets.len() as u64);
    Merged {
        packets,
        interfaces: source.interfaces().iter().map(|(_, one)| one.name.clone()).collect(),
        rotations: source
            .rotations()
            .iter()
            .map(|one| (one.earlier.0, one.later.0, one.evidence))
            .collect(),
    }
}

fn bodies(packets: &[Read]) -> String {
    packets.iter().map(|packet| String::from_utf8(packet.4.clone()).unwrap()).collect()
}

fn files(folder: &Path, files: &[(&str, Vec<u8>)]) -> Vec<PathBuf> {
    files.iter().map(|(name, bytes)| write(folder, name, bytes)).collect()
}

/// An Ethernet frame with 4 bytes of TCP payload, one per entry: second, port, sequence number.
fn segments(packets: &[(u32, u16, u32)]) -> Vec<u8> {
    segments_by(64, packets)
}

fn segments_by(ttl: u8, packets: &[(u32, u16, u32)]) -> Vec<u8> {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 1);
    for (second, port, seq) in packets {
        let mut frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0\x45\0\0\x2c\0\x01\0\0".to_vec();
        frame.extend([ttl, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(port.to_be_bytes());
        frame.extend([0, 80]);
        frame.extend(seq.to_be_bytes());
        frame.extend(b"\0\0\0\0\x50\x10\xff\xff\0\0\0\0data");
        file.extend(record(false, *second, 0, 58, &frame));
    }
    file
}

fn check_rotations(names: &[(&str, Vec<u8>)], expected: &[(u16, u16, Evidence)]) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(folder.path(), names);
    for chunk in [100, 1 << 18] {
        let merged = merge(&paths, chunk);
        assert_eq!(merged.rotations, expected);
        assert_eq!(merged.interfaces.len(), names.len() - expected.len());
        assert!(merged.packets.is_sorted_by_key(|packet| packet.0));
    }
}

#[test]
fn packets_come_in_the_order_of_time_and_then_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(
        folder.path(),
        &[
            ("one.pcap", pcap(&[(1, b"a"), (3, b"d"), (3, b"e"), (9, b"k")])),
            ("two.pcap.gz", gzip(&pcap(&[(2, b"b"), (3, b"f"), (8, b"j")]))),
            ("three.pcap", pcap(&[])),
            ("four.pcap", pcap(&[(2, b"c"), (3, b"g"), (3, b"h"), (7, b"i"), (10, b"l")])),
        ],
    );
    for chunk in [1, 20, 1 << 18] {
        let merged = merge(&paths, chunk);
        assert_eq!(bodies(&merged.packets), "abcdefghijkl");
        assert_eq!(merged.interfaces, ["one", "two", "four"]);
        assert!(merged.rotations.is_empty());
    }
    let reversed: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    assert_eq!(bodies(&merge(&reversed, 1).packets), "acbgh".to_owned() + "fdeijkl");
}

#[test]
fn times_that_go_backwards_inside_a_file_do_not_disorder_it() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(
        folder.path(),
        &[
            ("one.pcap", pcap(&[(1, b"a"), (5, b"c"), (2, b"d"), (6, b"f")])),
            ("two.pcap", pcap(&[(3, b"b"), (5, b"e"), (7, b"g")])),
        ],
    );
    for chunk in [1, 1 << 18] {
        assert_eq!(bodies(&merge(&paths, chunk).packets), "abcdefg");
        assert_eq!(bodies(&merge(&paths[..1], chunk).packets), "acdf");
    }
}

#[test]
fn many_files_are_merged_as_one_sorted_list() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 7_u64;
    let mut expected = Vec::new();
    let mut paths = Vec::new();
    for file in 0..150_u16 {
        let mut second = u32::from(file % 50) * 10;
        let mut written = pcap_header(false, 0xa1b2_c3d4, 1);
        for _ in 0..100 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            second += u32::try_from(state >> 62).unwrap();
            let body = file.to_le_bytes();
            written.extend(record(false, second, 0, 2, &body));
            expected.push((second, file, body));
        }
        paths.push(write(folder.path(), &format!("tap-{file}x.pcap"), &written));
    }
    expected.sort_by_key(|(second, file, _)| (*second, *file));
    let merged = merge(&paths, 300);
    let bodies: Vec<&[u8]> = merged.packets.iter().map(|packet| packet.4.as_slice()).collect();
    let expected: Vec<&[u8]> = expected.iter().map(|(_, _, body)| body.as_slice()).collect();
    assert_eq!(bodies, expected);
    assert_eq!(merged.interfaces.len(), 150);
}

#[test]
fn interfaces_of_several_files_are_named_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &[u8]| {
        [
            section(false),
            interface(false, 1, 0, &option(false, 2, name)),
            enhanced(false, 0, 1_000_000, 1, b"a"),
        ]
        .concat()
    };
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let paths = files(
        folder.path(),
        &[
            ("web.pcapng", with(b"eth0")),
            ("db.pcapng", with(b"")),
            ("sub/db.pcap", pcap(&[(2, b"b")])),
        ],
    );
    let merged = merge(&paths, 100);
    let other = paths.last().unwrap().display().to_string();
    assert_eq!(merged.interfaces, ["web:eth0".to_owned(), "db".to_owned(), other]);
    let ids: Vec<u16> = merged.packets.iter().map(|packet| packet.1).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(merge(&paths[..1], 100).interfaces, ["eth0"]);
}

#[test]
fn files_of_a_rotation_by_size_are_one_tap() {
    let names = |shape| Evidence::Names(shape);
    check_rotations(
        &[
            ("x.pcap2", pcap(&[(5, b"e"), (6, b"f")])),
            ("x.pcap", pcap(&[(1, b"a"), (2, b"b")])),
            ("x.pcap1", pcap(&[(3, b"c"), (4, b"d")])),
        ],
        &[(1, 2, names(Shape::Number)), (2, 0, names(Shape::Number))],
    );
}

#[test]
fn frame_numbers_of_a_rotation_start_anew_in_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(
        folder.path(),
        &[("x.pcap", pcap(&[(1, b"a"), (2, b"b")])), ("x.pcap1", pcap(&[(2, b"c"), (3, b"d")]))],
    );
    let mut source = MergedSource::open(&paths).unwrap();
    let mut batch = Batch::default();
    let mut frames = Vec::new();
    while source.fill(&mut batch).unwrap() != wirespan_capture::source::Fill::End {
        frames.extend(batch.packets.iter().map(|head| (head.frame.file.0, head.frame.number)));
    }
    frames.extend(batch.packets.iter().map(|head| (head.frame.file.0, head.frame.number)));
    assert_eq!(frames, [(0, 1), (0, 2), (1, 1), (1, 2)]);
    let said: Vec<String> = source.rotations().iter().map(ToString::to_string).collect();
    let [earlier, later] = [paths[0].display(), paths[1].display()];
    assert_eq!(said, [format!("{later} goes on with {earlier}: numbered as tcpdump -C numbers")]);
}

#[test]
fn files_of_a_rotation_by_time_are_one_tap() {
    let names = |shape| Evidence::Names(shape);
    check_rotations(
        &[
            ("x-20260101-120000.pcap.gz", gzip(&pcap(&[(1, b"a"), (2, b"b")]))),
            ("x-20260101-120100.pcap.gz", gzip(&pcap(&[(63, b"c")]))),
            ("y_00001_20260101120000.pcapng", pcap(&[(1, b"d")])),
            ("y_00002_20260101120100.pcapng", pcap(&[(64, b"e")])),
        ],
        &[(0, 1, names(Shape::Time)), (2, 3, names(Shape::Ring))],
    );
}

#[test]
fn names_of_a_series_do_not_join_files_that_overlap() {
    check_rotations(
        &[("x.pcap", pcap(&[(1, b"a"), (4, b"b")])), ("x.pcap1", pcap(&[(3, b"c"), (5, b"d")]))],
        &[],
    );
}

#[test]
fn names_of_a_series_do_not_join_other_link_types() {
    let mut raw = pcap_header(false, 0xa1b2_c3d4, 101);
    raw.extend(record(false, 3, 0, 1, b"a"));
    check_rotations(&[("x.pcap", pcap(&[(1, b"a")])), ("x.pcap1", raw)], &[]);
}

#[test]
fn stamps_that_are_a_little_out_of_order_do_not_split_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = pcap(&[(1, b"a"), (2, b"b")]);
    first.extend(record(false, 3, 20, 1, b"c"));
    let mut second = pcap(&[]);
    second.extend(record(false, 3, 10, 1, b"d"));
    second.extend(record(false, 3, 30, 1, b"e"));
    let paths = files(folder.path(), &[("x.pcap1", second), ("x.pcap", first)]);
    for chunk in [1, 1 << 18] {
        let merged = merge(&paths, chunk);
        assert_eq!(bodies(&merged.packets), "abcde");
        assert_eq!(merged.rotations, [(1, 0, Evidence::Names(Shape::Number))]);
    }
}

#[test]
fn flows_that_go_on_in_sequence_make_one_tap() {
    let sequence = Evidence::Sequence { continuing: 2, contradicting: 0 };
    check_rotations(
        &[
            ("monday.pcap", segments(&[(1, 1000, 100), (2, 2000, 900), (3, 1000, 104)])),
            ("tuesday.pcap", segments(&[(4000, 1000, 108), (4001, 2000, 904), (4002, 3000, 7)])),
        ],
        &[(0, 1, sequence)],
    );
}

#[test]
fn flows_lost_or_sent_again_between_files_still_go_on() {
    let sequence = Evidence::Sequence { continuing: 2, contradicting: 1 };
    let first = [(1, 1, u32::MAX - 1), (2, 2, 50_000), (3, 3, 0)];
    let second = [(4, 1, 1_002), (5, 2, 50_000), (6, 3, 0x8000_0000)];
    check_rotations(
        &[("a.pcap", segments(&first)), ("b.pcap", segments(&second))],
        &[(0, 1, sequence)],
    );
}

#[test]
fn other_flows_an_hour_later_are_another_tap() {
    check_rotations(
        &[
            ("host1.pcap", segments(&[(1, 1000, 100), (2, 1000, 104)])),
            ("host2.pcap", segments(&[(3600, 1001, 100), (3601, 1001, 104)])),
        ],
        &[],
    );
}

#[test]
fn flows_that_go_on_elsewhere_are_another_tap() {
    check_rotations(
        &[
            ("a.pcap", segments(&[(1, 1000, 100), (2, 1001, 100)])),
            ("b.pcap", segments(&[(3, 1000, 104), (4, 1001, 0x7000_0000)])),
        ],
        &[],
    );
}

#[test]
fn flows_that_go_on_at_another_hop_are_another_tap() {
    check_rotations(
        &[
            ("before.pcap", segments_by(64, &[(1, 1000, 100)])),
            ("behind.pcap", segments_by(63, &[(2, 1000, 104)])),
        ],
        &[],
    );
}

#[test]
fn flows_that_are_seen_at_the_same_time_are_two_taps() {
    check_rotations(
        &[
            ("a.pcap", segments(&[(1, 1000, 100), (3, 1000, 104)])),
            ("b.pcap", segments(&[(2, 1000, 104), (4, 1000, 108)])),
        ],
        &[],
    );
}

#[test]
fn two_rotations_side_by_side_stay_apart() {
    let sequence = Evidence::Sequence { continuing: 1, contradicting: 0 };
    check_rotations(
        &[
            ("a1.pcap", segments_by(64, &[(1, 1, 100), (3, 1, 104)])),
            ("b1.pcap", segments_by(63, &[(1, 1, 100), (3, 1, 104)])),
            ("a2.pcap", segments_by(64, &[(5, 1, 108), (7, 1, 112)])),
            ("b2.pcap", segments_by(63, &[(5, 1, 108), (7, 1, 112)])),
        ],
        &[(0, 2, sequence), (1, 3, sequence)],
    );
}

#[test]
fn a_file_that_vanishes_is_reported_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let paths =
        files(folder.path(), &[("a.pcap", pcap(&[(1, b"a")])), ("b.pcap", pcap(&[(2, b"b")]))]);
    let mut source = MergedSource::open(&paths).unwrap();
    std::fs::remove_file(&paths[0]).unwrap();
    assert_eq!(bodies(&read_all(&mut source)), "b");
    let reports = source.reports();
    let gone = reports.first().unwrap();
    assert!(matches!(gone.damage.as_slice(), [Damage::Unreadable { .. }]), "{gone:?}");
}

#[test]
fn interfaces_have_the_numbers_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |names: [&str; 2], at: u64| {
        let mut file = section(false);
        for (name, number) in names.iter().zip(0..) {
            file.extend(interface(false, 1, 0, &option(false, 2, name.as_bytes())));
            file.extend(enhanced(false, number, at + u64::from(number), 1, b"x"));
        }
        file
    };
    let paths = files(
        folder.path(),
        &[
            ("all_00001_20260101120000.pcapng", file(["eth0", "eth1"], 1_000_000)),
            ("all_00002_20260101120009.pcapng", file(["eth0", "eth7"], 9_000_000)),
        ],
    );
    let mut source = MergedSource::open(&paths).unwrap();
    assert_eq!(read_all(&mut source).len(), 4);
    assert_eq!(source.rotations().len(), 1);
    let numbers = |file| [0, 1, 2].map(|id| source.number_in(FileId(file), InterfaceId(id)));
    assert_eq!(numbers(0), [Some(InterfaceId(0)), Some(InterfaceId(1)), None]);
    assert_eq!(numbers(1), [Some(InterfaceId(0)), None, Some(InterfaceId(1))]);
    assert_eq!(numbers(2), [None; 3]);
}

#[test]
fn no_more_is_read_of_a_file_that_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let long: Vec<(u32, &[u8])> = (0..50_000).map(|second| (second, b"a".as_slice())).collect();
    let paths = files(folder.path(), &[("a", pcap(&long)), ("b", pcap(&[(3, b"b"), (9, b"B")]))]);
    for chunk in [1_000, 1 << 18] {
        let mut source = MergedSource::open_reading(&paths, chunk).unwrap();
        let mut batch = Batch::default();
        source.fill(&mut batch).unwrap();
        source.leave(FileId(0));
        let mut rest = read_all(&mut source);
        rest.retain(|packet| packet.4 == b"a");
        assert!(rest.is_empty());
        let reports = source.reports();
        assert!(reports[0].packets < 50_000, "{}", reports[0].packets);
        assert_eq!(reports[1].packets, 2);
    }
}

#[test]
fn packets_in_memory_are_given_in_batches() {
    let mut source = MemorySource::new(2);
    for (second, body) in [(1, b"a"), (2, b"b"), (3, b"c")] {
        source = source.packet(Timestamp(second), "lo", LinkType::NULL, body);
    }
    source = source.cut_packet(Timestamp(4), "eth0", LinkType::ETHERNET, b"d", 99);
    let packets = read_all(&mut source);
    assert_eq!(bodies(&packets), "abcd");
    assert_eq!(packets.last().unwrap(), &(4, 1, 4, 99, b"d".to_vec()));
    assert_eq!(source.interfaces().len(), 2);
}

#[test]
fn faults_are_the_same_for_the_same_seed() {
    let spoil = |faults: Faults, seed: u64| {
        let mut source = MemorySource::new(100);
        for n in 0..1_000 {
            source = source.packet(Timestamp(n), "lo", LinkType::NULL, &[b'x'; 50]);
        }
        read_all(&mut FaultySource::new(source, faults, seed))
    };
    let all = Faults { drop: 100, duplicate: 50, reorder: 200, cut: 100 };
    assert_eq!(spoil(all, 1), spoil(all, 1));
    assert_ne!(spoil(all, 1), spoil(all, 2));
    assert_eq!(spoil(Faults::default(), 1).len(), 1_000);
    assert!(spoil(Faults { drop: 1_000, ..Faults::default() }, 1).is_empty());
    assert_eq!(spoil(Faults { duplicate: 1_000, ..Faults::default() }, 1).len(), 2_000);
    let cut = spoil(Faults { cut: 1_000, ..Faults::default() }, 1);
    assert!(cut.iter().any(|packet| packet.4.len() < 50) && cut.iter().all(|p| p.3 == 50));
    let mixed = spoil(Faults { reorder: 1_000, ..Faults::default() }, 1);
    assert!(!mixed.is_sorted_by_key(|packet| packet.0));
}
