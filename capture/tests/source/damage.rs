//! What can be had of a damaged file is given, and what was wrong is said.

use crate::written::{
    enhanced, gzip, interface, pcap, pcap_header, read, read_all, record, section, simple, write,
    zstd,
};
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::report::Damage;

fn small_pcap() -> Vec<u8> {
    pcap(&[(1, b"abcdefgh"), (2, b""), (3, b"ijklm"), (4, b"n")])
}

fn small_pcapng() -> Vec<u8> {
    [
        section(true),
        interface(true, 1, 0, b""),
        enhanced(true, 0, 1_000_000, 8, b"abcdefgh"),
        simple(true, 3, b"ijk"),
        section(false),
        interface(false, 1, 0, b""),
        enhanced(false, 0, 2_000_000, 5, b"lmnop"),
    ]
    .concat()
}

#[test]
fn a_file_cut_anywhere_gives_the_packets_before_the_cut() {
    for whole in [small_pcap(), small_pcapng()] {
        let (expected, _) = read(&whole, 1_000);
        let mut seen = 0;
        for cut in 24..whole.len() {
            for chunk in [5, 1_000] {
                let (packets, report) = read(&whole[..cut], chunk);
                assert!(expected.starts_with(&packets), "cut at {cut}");
                assert!(packets.len() >= seen);
                seen = packets.len();
                for damage in &report.damage {
                    assert!(matches!(damage, Damage::CutTail { .. }), "cut at {cut}: {damage}");
                }
            }
        }
        assert_eq!(seen, expected.len() - 1);
    }
}

#[test]
fn a_compressed_stream_cut_anywhere_gives_the_packets_before_the_cut() {
    let large: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    let packets: Vec<(u32, &[u8])> = (1..).zip(large.chunks(1_000)).collect();
    let whole = pcap(&packets);
    let (expected, _) = read(&whole, 1 << 18);
    for stored in [gzip(&whole), zstd(&whole)] {
        let mut most = 0;
        for cut in (200..stored.len()).step_by(49_999) {
            let folder = tempfile::tempdir().unwrap();
            let path = write(folder.path(), "x", &stored[..cut]);
            // So early that not even the header could be decompressed.
            let Ok(mut source) = FileSource::open(&path) else { continue };
            let packets = read_all(&mut source);
            assert!(expected.starts_with(&packets));
            assert!(source.report().damaged > 0, "cut at {cut}");
            most = most.max(packets.len());
        }
        assert!(most > expected.len() / 2, "{most}");
    }
}

#[test]
fn the_end_of_a_cut_file_is_said() {
    let whole = small_pcap();
    let (_, report) = read(&whole[..whole.len() - 1], 1_000);
    let text: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["cut off inside a packet at byte 85, 16 bytes left out"]);
}

#[test]
fn records_behind_overwritten_ones_are_found() {
    let bodies: Vec<Vec<u8>> = (0..200).map(|n| vec![n; 100]).collect();
    let packets: Vec<(u32, &[u8])> = (1_000..).zip(bodies.iter().map(Vec::as_slice)).collect();
    let whole = pcap(&packets);
    let (expected, _) = read(&whole, 1 << 18);
    // In the header of the 50th record, in two records, and over the captured length only.
    for (from, to, lost) in [(0, 16, 1), (20, 150, 2), (8, 12, 1)] {
        let mut hurt = whole.clone();
        let start = 24 + 49 * 116;
        hurt[start + from..start + to].fill(0xa5);
        for chunk in [1, 333, 1 << 18] {
            let (packets, report) = read(&hurt, chunk);
            assert_eq!(report.resynchronised, 1, "{:?}", report.damage);
            assert!(report.skipped > 0);
            let kept = packets.iter().filter(|packet| {
                expected.iter().any(|whole| whole.0 == packet.0 && whole.4 == packet.4)
            });
            assert_eq!(kept.count(), 200 - lost, "{from}..{to}, read by {chunk}");
        }
    }
}

#[test]
fn blocks_behind_overwritten_ones_are_found() {
    let mut whole = [section(false), interface(false, 1, 0, b"")].concat();
    let start = whole.len();
    for n in 0..100_u8 {
        whole.extend(enhanced(false, 0, u64::from(n), 40, &[n; 40]));
    }
    let (expected, _) = read(&whole, 1 << 18);
    let block = 72;
    for (from, to) in [(0, 72), (4, 8), (30, 100), (68, 72)] {
        let mut hurt = whole.clone();
        hurt[start + 10 * block + from..start + 10 * block + to].fill(0xa5);
        for chunk in [1, 333, 1 << 18] {
            let (packets, report) = read(&hurt, chunk);
            assert!(report.damaged > 0);
            let kept = packets.iter().filter(|packet| {
                expected.iter().any(|whole| whole.0 == packet.0 && whole.4 == packet.4)
            });
            let lost = if to == 100 { 2 } else { 1 };
            assert!(kept.count() >= 100 - lost, "{from}..{to}, read by {chunk}");
        }
    }
}

#[test]
fn a_packet_on_an_interface_that_was_not_described_is_left_out() {
    let file = [
        section(false),
        interface(false, 1, 0, b""),
        enhanced(false, 1, 1, 1, b"a"),
        enhanced(false, 0, 2, 1, b"b"),
    ];
    let (packets, report) = read(&file.concat(), 1_000);
    assert_eq!(packets.len(), 1);
    assert_eq!(report.damaged, 1);
}

#[test]
fn records_with_odd_fields_but_right_lengths_are_kept() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 1);
    file.extend(record(false, 1, 0, 3, b"abc"));
    file.extend(record(false, 1, 5_000_000, 3, b"def"));
    file.extend(record(false, 1, 0, 1, b"ghi"));
    file.extend(record(false, 1, 0, 3, b"jkl"));
    let (packets, report) = read(&file, 1_000);
    assert_eq!(packets.len(), 4);
    assert_eq!(report.damaged, 0, "{:?}", report.damage);
}

#[test]
fn garbage_never_stops_the_program() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let folder = tempfile::tempdir().unwrap();
    for round in 0..600 {
        let mut file = match round % 3 {
            0 => small_pcap(),
            1 => small_pcapng(),
            _ => [section(false), interface(false, 1, 0, b"")].concat(),
        };
        if round % 3 == 2 {
            for _ in 0..50 {
                let kind = u32::try_from(random() % 8).unwrap();
                let len = u32::try_from(random() % 40).unwrap();
                file.extend([kind.to_le_bytes(), len.to_le_bytes()].concat());
                file.extend(random().to_le_bytes());
            }
        }
        for _ in 0..random() % 8 {
            let at = usize::try_from(random() % file.len() as u64).unwrap();
            file[at] = u8::try_from(random() & 0xff).unwrap();
        }
        let path = write(folder.path(), "x", &file);
        if let Ok(source) = FileSource::open(&path) {
            let chunk = usize::try_from(random() % 100).unwrap();
            read_all(&mut source.reading(chunk));
        }
    }
}

fn check_refused(bytes: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x", bytes);
    let Err(error) = FileSource::open(&path) else { panic!("{bytes:?} is taken for a capture") };
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_is_no_capture_is_called_by_its_name() {
    check_refused(b"", "it is empty");
    check_refused(&pcap(&[])[..10], "cut off inside its header, after 10 bytes");
    check_refused(&section(true)[..20], "cut off inside its header, after 20 bytes");
    check_refused(b"\xa1", "cut off inside its header");
    check_refused(b"12:00:00.1 IP 10.0.0.1 > 10.0.0.2\n", "text");
    check_refused(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "ELF");
    check_refused(b"snoop\0\0\0\0\0\0\x02\0\0\0\x04aaaaaaaaaaaa", "editcap");
    check_refused(b"\xfd7zXZ\0\0\0aaaaaaaaaaaaaaaaaaaaa", "decompress it first");
    check_refused(&interface(false, 1, 0, b"")[..], "without the section header");
    check_refused(&[0; 100], "zeros");
    check_refused(&[0x99; 100], "something unknown");
    check_refused(&gzip(b""), "it is empty");
    check_refused(&gzip(b"just some text"), "text");
    check_refused(&gzip(&gzip(&small_pcap())), "gzip in gzip");
    check_refused(&[&pcap(&[])[..4], b"\x09\0\0\0aaaaaaaaaaaaaaaa"].concat(), "version 9.0");
}

#[test]
fn what_cannot_be_opened_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &std::path::Path, expected: &str| {
        let Err(error) = FileSource::open(path) else { panic!("{} opens", path.display()) };
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(folder.path(), "is a directory");
    check(&folder.path().join("nothing"), "no such file");
}
