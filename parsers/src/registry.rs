//! The list of all protocols, and the tests that hold for each entry.

use crate::protocol::Protocol;
use crate::protocols;
use crate::settings::Settings;
use std::sync::Arc;

/// Makes one shard's instance of a protocol.
pub type Factory = fn(&Arc<Settings>) -> Box<dyn Protocol>;

/// One instance of each, as a shard needs them.
#[must_use]
pub fn protocols(settings: &Arc<Settings>) -> Vec<Box<dyn Protocol>> {
    PROTOCOLS.iter().map(|make| make(settings)).collect()
}

/// Every protocol, in the order in which they are asked.
#[rustfmt::skip]
pub const PROTOCOLS: &[Factory] = &[
    protocols::websocket::protocol,
    protocols::proxy_protocol::protocol,
    protocols::socks::protocol,
    protocols::http1::protocol,
    protocols::http2::protocol,
    protocols::redis::protocol,
    protocols::mysql::protocol,
    protocols::postgresql::protocol,
    protocols::thrift::protocol,
    protocols::bolt::protocol,
    protocols::dns::protocol,
    protocols::dubbo::protocol,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{self, Event, Recording, Split, Vector, check, drive, flow};
    use crate::message::Side;
    use crate::protocol::{Probe, Transport};
    use crate::random::Random;
    use std::collections::BTreeSet;
    use std::fs;
    use std::num::NonZeroU64;
    use std::path::{Path, PathBuf};

    #[test]
    fn every_protocol_is_registered_once_under_its_own_name() {
        let made = protocols(&Arc::default());
        let names: Vec<&str> = made.iter().map(|made| made.name()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        let dialects = made.iter().flat_map(|made| made.dialects());
        for name in names.iter().chain(dialects) {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(!name.is_empty() && name.bytes().all(plain), "{name}");
        }
    }

    #[test]
    fn every_protocol_has_vectors_which_it_understands() {
        for make in PROTOCOLS {
            let mut protocol = make(&Arc::default());
            let vectors = vectors(protocol.name());
            assert!(!vectors.is_empty(), "no testdata/vectors/{}/*.txt", protocol.name());
            for (path, vector) in vectors {
                assert!(protocol.runs_over(vector.transport), "{}", path.display());
                let recording = run(make, &vector, Split::Whole);
                assert_eq!(recording.broken, Vec::<String>::new(), "{}", path.display());
                assert_eq!(recording.malformed, Vec::<&str>::new(), "{}", path.display());
                assert!(!recording.messages.is_empty(), "{}", path.display());
                for (from, head) in heads(&vector) {
                    let probe = protocol.probe(&vector.flow(), from, &head);
                    assert_ne!(probe, Probe::No, "{} from {from:?}", path.display());
                }
            }
        }
    }

    #[test]
    fn no_split_changes_the_messages_of_a_vector() {
        println!("seed {SEED:#x}");
        for_each_protocol(|make, random| {
            for (path, vector) in vectors(make(&Arc::default()).name()) {
                if vector.transport == Transport::Udp {
                    continue;
                }
                let whole = run(make, &vector, Split::Whole);
                let located = run_locating(make, &vector, Split::Whole);
                let longest = vector.events.iter().map(|event| match event {
                    Event::Bytes { bytes, .. } => bytes.len(),
                    _ => 0,
                });
                let cuts = cuts(longest.max().unwrap_or(0), random).into_iter().map(Split::At);
                for split in cuts.chain([Split::Bytes, Split::Patient]) {
                    let other = run(make, &vector, split);
                    let place = || format!("{}, {split:?}", path.display());
                    assert_eq!(other.broken, Vec::<String>::new(), "{}", place());
                    assert_eq!(whole.messages, other.messages, "{}", place());
                    assert_eq!(whole.lost, other.lost, "{}", place());
                    assert_eq!(whole.became, other.became, "{}", place());
                    let other = run_locating(make, &vector, split);
                    assert_eq!(other.broken, Vec::<String>::new(), "{}", place());
                    assert_eq!(located.messages, other.messages, "{}", place());
                }
            }
        });
    }

    #[test]
    fn no_probe_is_certain_of_another_protocols_vectors() {
        for make in PROTOCOLS {
            let mut protocol = make(&Arc::default());
            for (path, vector) in all_vectors() {
                let of = path.parent().and_then(Path::file_name).unwrap();
                if of == protocol.name() || !protocol.runs_over(vector.transport) {
                    continue;
                }
                for (from, head) in heads(&vector) {
                    let probe = protocol.probe(&flow(vector.transport, 1, 2), from, &head);
                    let certain = matches!(probe, Probe::Certain { .. });
                    assert!(!certain, "{} of {}", protocol.name(), path.display());
                }
            }
        }
    }

    #[test]
    fn probe_does_not_go_back_on_its_word() {
        for (_, vector) in all_vectors() {
            if vector.transport == Transport::Tcp {
                heads(&vector).iter().for_each(|(_, head)| fuzzing::detection(head));
            }
        }
    }

    #[test]
    fn mutated_vectors_break_no_rule() {
        println!("seed {SEED:#x}");
        let vectors = all_vectors();
        for_each_protocol(|make, random| {
            let mut protocol = make(&Arc::default());
            for (path, vector) in &vectors {
                if !protocol.runs_over(vector.transport) {
                    continue;
                }
                let is_own = path.parent().unwrap().ends_with(protocol.name());
                for _ in 0..if is_own { MUTATIONS } else { MUTATIONS_OF_OTHERS } {
                    let events = mutated(&vector.events, random);
                    check(protocol.as_mut(), &vector.flow(), Side::A, &events);
                }
            }
        });
    }

    #[test]
    fn bytes_of_capture_files_break_no_rule() {
        let root = project().join("../shared/captures");
        let mut files = Vec::new();
        collect(&root, &mut files);
        if files.is_empty() {
            println!("skipped: {} is absent or empty", root.display());
            return;
        }
        println!("{} files of {}, seed {SEED:#x}", files.len(), root.display());
        let files: Vec<(PathBuf, Vec<u8>)> = files
            .into_iter()
            .map(|path| {
                let mut bytes = fs::read(&path).unwrap();
                bytes.truncate(CAPTURE_LIMIT);
                (path, bytes)
            })
            .collect();
        for_each_protocol(|make, random| {
            let mut protocol = make(&Arc::default());
            for (path, bytes) in &files {
                // Each split of a few pieces, and all of them whole.
                for _ in 0..PIECES_OF_A_FILE.min(bytes.len().div_ceil(PIECE)) {
                    let from = random.below(bytes.len());
                    let piece = &bytes[from..bytes.len().min(from + PIECE)];
                    fuzzing::one_protocol(protocol.name(), piece);
                }
                for transport in [Transport::Tcp, Transport::Udp] {
                    if !protocol.runs_over(transport) {
                        continue;
                    }
                    let pieces = bytes.chunks(PIECE);
                    let events: Vec<Event> = pieces
                        .zip([Side::A, Side::B].into_iter().cycle())
                        .map(|(piece, from)| Event::Bytes { from, bytes: piece.to_vec() })
                        .collect();
                    let flow = flow(transport, 1, 2);
                    let recording = drive(protocol.as_mut(), &flow, Side::A, &events, Split::Whole);
                    assert_eq!(recording.broken, Vec::<String>::new(), "{}", path.display());
                }
            }
        });
    }

    #[test]
    fn no_probe_goes_back_on_its_word_about_a_capture_file() {
        let mut files = Vec::new();
        collect(&project().join("../shared/captures"), &mut files);
        for path in files {
            let bytes = fs::read(&path).unwrap();
            fuzzing::detection(&bytes[..bytes.len().min(HEAD)]);
        }
    }

    /// Does something with each protocol, and with random numbers of its own. Each has a thread, as
    /// these are the tests that take longest.
    fn for_each_protocol(body: impl Fn(&Factory, &mut Random) + Sync) {
        let body = &body;
        std::thread::scope(|scope| {
            for (make, seed) in PROTOCOLS.iter().zip(SEED..) {
                scope.spawn(move || body(make, &mut Random(seed)));
            }
        });
    }

    /// Where events of at most this length are cut: at each place of short ones; else of the first
    /// bytes, where the headers are, and at some of the others.
    fn cuts(longest: usize, random: &mut Random) -> Vec<usize> {
        let mut cuts: Vec<usize> = (1..longest.min(EACH_CUT)).collect();
        let others = longest.saturating_sub(EACH_CUT);
        cuts.extend((0..others.min(SOME_CUTS)).map(|_| EACH_CUT + random.below(others)));
        cuts
    }

    fn project() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn vectors(protocol: &str) -> Vec<(PathBuf, Vector)> {
        all_vectors()
            .into_iter()
            .filter(|(path, _)| path.parent().unwrap().ends_with(protocol))
            .collect()
    }

    fn all_vectors() -> Vec<(PathBuf, Vector)> {
        let mut files = Vec::new();
        collect(&project().join("testdata/vectors"), &mut files);
        let texts =
            files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "txt"));
        texts
            .map(|path| match Vector::parse(&fs::read_to_string(&path).unwrap()) {
                Ok(vector) => (path, vector),
                Err(line) => panic!("{}: {line}", path.display()),
            })
            .collect()
    }

    /// All files below a folder, sorted; none if it is absent.
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            if entry.is_dir() { collect(&entry, files) } else { files.push(entry) }
        }
    }

    /// The first bytes of each side.
    fn heads(vector: &Vector) -> Vec<(Side, Vec<u8>)> {
        let mut heads: Vec<(Side, Vec<u8>)> = Vec::new();
        for event in &vector.events {
            if let Event::Bytes { from, bytes } = event
                && heads.iter().all(|(side, _)| side != from)
            {
                heads.push((*from, bytes.clone()));
            }
        }
        heads
    }

    fn run(make: &Factory, vector: &Vector, split: Split) -> Recording {
        run_with(make, Settings::default(), vector, split)
    }

    fn run_locating(make: &Factory, vector: &Vector, split: Split) -> Recording {
        let settings = Settings { locate_secrets: true, ..Settings::default() };
        run_with(make, settings, vector, split)
    }

    fn run_with(make: &Factory, settings: Settings, vector: &Vector, split: Split) -> Recording {
        let flow = vector.flow();
        drive(make(&Arc::new(settings)).as_mut(), &flow, Side::A, &vector.events, split)
    }

    fn mutated(events: &[Event], random: &mut Random) -> Vec<Event> {
        let mut events = events.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(events.len());
            let Event::Bytes { from, bytes } = &mut events[place] else { continue };
            let (from, at) = (*from, random.below(bytes.len()));
            match random.below(8) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => bytes.truncate(at + 1),
                3 => drop(bytes.drain(..at)),
                4 => {
                    let copy = bytes[at..].to_vec();
                    bytes.extend(copy);
                }
                5 => bytes.insert(at, b"0159\r\n\0\xff$*"[random.below(10)]),
                6 => {
                    let lost = NonZeroU64::new(1 + random.next() % 5000).unwrap();
                    events.insert(place, Event::Gap { from, lost });
                }
                _ => {
                    let tail = bytes.split_off(at);
                    let other = random.below(events.len() + 1);
                    if !tail.is_empty() {
                        events.insert(other, Event::Bytes { from, bytes: tail });
                    }
                }
            }
            events.retain(|event| !matches!(event, Event::Bytes { bytes, .. } if bytes.is_empty()));
            if events.is_empty() {
                break;
            }
        }
        events
    }

    const SEED: u64 = 0x77_69_72_65;
    const MUTATIONS: usize = 100;
    const MUTATIONS_OF_OTHERS: usize = 5;
    const EACH_CUT: usize = 256;
    const SOME_CUTS: usize = 64;
    const PIECE: usize = 1448;
    const PIECES_OF_A_FILE: usize = 4;
    const CAPTURE_LIMIT: usize = 256 << 10;
    const HEAD: usize = 512;
}
