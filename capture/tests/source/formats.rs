//! Every format, byte order and compression gives the packets that were written.

use crate::written::{
    enhanced, gzip, interface, obsolete, option, order16, pcap, pcap_header, read, read_all,
    record, section, simple, write, zstd,
};
use std::io::Write;
use wirespan_capture::packet::{LinkType, Timestamp};
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::report::{Compression, Layout};

const S: i64 = 1_000_000_000;

/// Sizes of single reads, from byte by byte to all at once.
const CHUNKS: &[usize] = &[1, 7, 64, 1 << 18];

fn check_pcap(magic: u32, layout: Layout, units: i64, extra: usize) {
    for big in [false, true] {
        let mut file = pcap_header(big, magic, 0xf400_0071);
        for (seconds, bytes) in [(1_u32, b"abcdef".as_slice()), (4_000_000_000, b""), (3, b"gh")] {
            let mut written = record(big, seconds, 42, 60, bytes);
            written.splice(16..16, std::iter::repeat_n(0xee, extra));
            file.extend(written);
        }
        let expected = vec![
            (S + 42 * units, 0, 1, 60, b"abcdef".to_vec()),
            (4_000_000_000 * S + 42 * units, 0, 2, 60, Vec::new()),
            (3 * S + 42 * units, 0, 3, 60, b"gh".to_vec()),
        ];
        for (compression, stored) in [
            (Compression::None, file.clone()),
            (Compression::Gzip, gzip(&file)),
            (Compression::Zstd, zstd(&file)),
        ] {
            for chunk in CHUNKS {
                let (packets, report) = read(&stored, *chunk);
                assert_eq!(packets, expected, "{magic:x} {big} {compression:?} {chunk}");
                assert_eq!(report.format.layout, layout);
                assert_eq!(report.format.compression, compression);
                assert_eq!(report.damaged, 0, "{:?}", report.damage);
                assert_eq!(report.packets, 3);
                assert_eq!(report.bytes, 8);
                assert_eq!(report.first, Some(Timestamp(S + 42 * units)));
                assert_eq!(report.last, Some(Timestamp(4_000_000_000 * S + 42 * units)));
            }
        }
    }
}

#[test]
fn classic_files_with_microseconds_are_read() {
    check_pcap(0xa1b2_c3d4, Layout::Pcap, 1_000, 0);
}

#[test]
fn classic_files_with_nanoseconds_are_read() {
    check_pcap(0xa1b2_3c4d, Layout::PcapNanos, 1, 0);
}

#[test]
fn modified_files_with_longer_record_headers_are_read() {
    check_pcap(0xa1b2_cd34, Layout::PcapModified, 1_000, 8);
    check_pcap(0xa1b2_cd34, Layout::PcapModified, 1_000, 12);
}

#[test]
fn the_frame_check_length_beside_the_link_type_is_masked() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x.pcap", &pcap_header(true, 0xa1b2_c3d4, 0xf400_0071));
    let mut source = FileSource::open(&path).unwrap();
    assert!(read_all(&mut source).is_empty());
    let (_, only) = source.interfaces().iter().next().unwrap();
    assert_eq!(only.link, LinkType::LINUX_SLL);
    assert_eq!(only.name, "x");
}

#[test]
fn lengths_swapped_as_in_old_versions_are_put_right() {
    for (major, minor) in [(2, 2), (2, 3), (543, 0)] {
        let mut file = pcap_header(false, 0xa1b2_c3d4, 1);
        file.splice(4..8, [order16(false, major), order16(false, minor)].concat());
        let mut written = record(false, 1, 0, 60, b"abcdef");
        written.splice(8..16, [60_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat());
        file.extend(written);
        let (packets, _) = read(&file, 100);
        assert_eq!(packets, [(S, 0, 1, 60, b"abcdef".to_vec())], "{major}.{minor}");
    }
}

#[test]
fn files_joined_by_cat_are_read_through() {
    let joined = [pcap(&[(1, b"a")]), pcap(&[(2, b"b")])].concat();
    let (packets, report) = read(&joined, 100);
    assert_eq!(packets, [(S, 0, 1, 1, b"a".to_vec()), (2 * S, 0, 2, 1, b"b".to_vec())]);
    assert_eq!(report.damaged, 0);
    let members = [gzip(&pcap(&[(1, b"a")])), gzip(&pcap(&[(2, b"b")]))].concat();
    assert_eq!(read(&members, 100).0, packets);
}

/// Two sections: two interfaces with other clocks in the first, one in the second.
fn sections(first: bool, second: bool) -> Vec<u8> {
    let options = |big: bool, resolution: u8, offset: i64, name: &[u8]| {
        let offset = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
        [option(big, 2, name), option(big, 9, &[resolution]), option(big, 14, &offset)].concat()
    };
    [
        section(first),
        interface(first, 1, 4, &options(first, 9, 100, b"eth0")),
        interface(first, 113, 0, &options(first, 0x8a, -1, b"any")),
        enhanced(first, 0, 5_000_000_001, 60, b"abc"),
        enhanced(first, 1, 3 * 1024 + 512, 3, b"def"),
        simple(first, 60, b"ghij"),
        simple(first, 2, b"kl"),
        crate::written::block(first, 0x1234_5678, b"unknown"),
        obsolete(first, 1, 4 * 1024, 9, b"mno"),
        section(second),
        interface(second, 101, 0, b""),
        enhanced(second, 0, 7_000_001, 1, b"p"),
    ]
    .concat()
}

#[test]
fn sections_have_their_own_interfaces_clocks_and_byte_order() {
    let expected = vec![
        (105 * S + 1, 0, 1, 60, b"abc".to_vec()),
        (2 * S + S / 2, 1, 2, 3, b"def".to_vec()),
        (2 * S + S / 2, 0, 3, 60, b"ghij".to_vec()),
        (2 * S + S / 2, 0, 4, 2, b"kl".to_vec()),
        (3 * S, 1, 5, 9, b"mno".to_vec()),
        (7 * S + 1_000, 2, 6, 1, b"p".to_vec()),
    ];
    for first in [false, true] {
        for second in [false, true] {
            let file = sections(first, second);
            for stored in [file.clone(), gzip(&file), zstd(&file)] {
                for chunk in CHUNKS {
                    let (packets, report) = read(&stored, *chunk);
                    assert_eq!(packets, expected, "{first} {second} {chunk}");
                    assert_eq!(report.damaged, 0, "{:?}", report.damage);
                    assert_eq!(report.format.layout, Layout::Pcapng);
                }
            }
        }
    }
}

#[test]
fn interfaces_are_named_by_the_capture_or_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "node-1.pcapng.gz", &gzip(&sections(true, false)));
    let mut source = FileSource::open(&path).unwrap();
    read_all(&mut source);
    let names: Vec<&str> =
        source.interfaces().iter().map(|(_, interface)| interface.name.as_str()).collect();
    assert_eq!(names, ["eth0", "any", "node-1"]);
}

#[test]
fn interfaces_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let one = [section(false), interface(false, 1, 0, &option(false, 2, b"eth0"))].concat();
    let path = write(folder.path(), "x.pcapng", &[one.clone(), one].concat());
    let mut source = FileSource::open(&path).unwrap();
    read_all(&mut source);
    let names: Vec<&str> =
        source.interfaces().iter().map(|(_, interface)| interface.name.as_str()).collect();
    assert_eq!(names, ["eth0", "eth0#1"]);
}

#[test]
fn frames_are_numbered_as_wireshark_numbers_them() {
    let file = [
        section(false),
        interface(false, 1, 0, b""),
        enhanced(false, 0, 1, 1, b"a"),
        crate::written::block(false, 0xbad, b"\x01\0\0\0"),
        crate::written::block(false, 4, b"\0\0\0\0"),
        enhanced(false, 0, 2, 1, b"b"),
    ];
    let (packets, report) = read(&file.concat(), 1_000);
    let frames: Vec<u64> = packets.iter().map(|packet| packet.2).collect();
    assert_eq!(frames, [1, 3]);
    assert_eq!(report.packets, 2);
}

fn check_clock(resolution: u8, stamp: u64, nanos: i64) {
    let file = [
        section(false),
        interface(false, 1, 0, &option(false, 9, &[resolution])),
        enhanced(false, 0, stamp, 1, b"a"),
    ];
    let (packets, _) = read(&file.concat(), 1_000);
    assert_eq!(packets.first().unwrap().0, nanos, "resolution {resolution:#x}, {stamp}");
}

#[test]
fn time_stamps_of_every_resolution_are_nanoseconds() {
    check_clock(0, 7, 7 * S);
    check_clock(3, 7, 7_000_000);
    check_clock(6, u64::MAX, i64::MAX);
    check_clock(12, 7_999, 7);
    check_clock(38, u64::MAX, 0);
    check_clock(127, u64::MAX, 0);
    check_clock(0x80, 7, 7 * S);
    check_clock(0x81, 7, 3 * S + S / 2);
    check_clock(0xbf, u64::MAX, 2 * S - 1);
    check_clock(0xff, u64::MAX, 0);
    check_clock(0x94, 1 << 20, S);
}

#[test]
fn drops_that_the_capture_counted_are_reported() {
    let statistics = |dropped: u64| {
        let mut body = [0; 12].to_vec();
        body.extend(option(false, 5, &dropped.to_le_bytes()));
        body.extend([0; 4]);
        crate::written::block(false, 5, &body)
    };
    let file = [section(false), interface(false, 1, 0, b""), statistics(3), statistics(5)];
    assert_eq!(read(&file.concat(), 1_000).1.dropped, 5);
}

#[test]
fn a_packet_longer_than_what_is_read_at_once_is_whole() {
    let long = vec![7_u8; 200_000];
    for chunk in [10, 1_000, 1 << 18] {
        let (packets, _) = read(&pcap(&[(1, b"a"), (2, &long), (3, b"b")]), chunk);
        assert_eq!(packets.len(), 3);
        assert_eq!(packets.get(1).unwrap().4, long);
    }
}

#[test]
fn a_pipe_gives_what_it_has_before_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let file = pcap(&[(1, b"a"), (2, b"b")]);
    let (first, second) = file.split_at(24 + 17 + 5);
    std::thread::scope(|scope| {
        let (resume, wait) = std::sync::mpsc::channel();
        let path = &path;
        scope.spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            pipe.write_all(first).unwrap();
            wait.recv().unwrap();
            pipe.write_all(second).unwrap();
        });
        let mut source = FileSource::open(path).unwrap();
        let mut batch = wirespan_capture::packet::Batch::default();
        source.fill(&mut batch).unwrap();
        assert_eq!(batch.packets.len(), 1);
        assert_eq!(source.progress().total(), None);
        resume.send(()).unwrap();
        assert_eq!(read_all(&mut source).len(), 1);
    });
}

#[test]
fn progress_counts_bytes_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let stored = gzip(&pcap(&[(1, &[0; 10_000])]));
    let mut source = FileSource::open(&write(folder.path(), "x", &stored)).unwrap();
    read_all(&mut source);
    assert_eq!(source.progress().total(), Some(stored.len() as u64));
    assert_eq!(source.progress().read(), stored.len() as u64);
}
