//! What is written can be read again.

use crate::written::{Read, read, write};
use wirespan_capture::decode::{Decoder, Tap};
use wirespan_capture::packet::{
    Batch, FileId, Frame, InterfaceId, LinkType, Loss, PacketHead, Timestamp,
};
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::interfaces::Interface;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::{Fill, PacketSource};

fn eth(name: &str, snaplen: u32) -> Interface {
    Interface {
        name: name.to_owned(),
        link: LinkType::ETHERNET,
        file: FileId(0),
        section: 0,
        index: 0,
        given: None,
        snaplen,
        of_any: None,
    }
}

fn head(at: i64, interface: u16, link: LinkType, wire_len: u32) -> PacketHead {
    PacketHead {
        at: Timestamp(at),
        interface: InterfaceId(interface),
        link,
        frame: Frame::default(),
        wire_len,
        bytes: 0..0,
    }
}

#[test]
fn packets_and_interfaces_come_back() {
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    let raw = Interface { link: LinkType::RAW, ..eth("tun0", 0) };
    let packets: [(PacketHead, &Interface, &[u8]); 3] = [
        (head(1_000_000_000_000_000_007, 5, LinkType::RAW, 3), &raw, b"abc"),
        (head(1_000_000_000_000_000_001, 2, LinkType::ETHERNET, 1_500), &eth("lan", 96), b"defg"),
        (head(-1, 5, LinkType::RAW, 0), &raw, b""),
    ];
    for (head, interface, bytes) in &packets {
        file.packet(head, bytes, interface, "from x.pcap", &["one", "two"]).unwrap();
    }
    assert_eq!(file.packets(), 3);
    let end = Timestamp(1_000_000_060_000_000_000);
    let bytes = file.finish(end).unwrap();
    let (packets, report) = read(&bytes, 7);
    let expected: [Read; 3] = [
        (1_000_000_000_000_000_007, 0, 1, 3, b"abc".to_vec()),
        (1_000_000_000_000_000_001, 1, 2, 1_500, b"defg".to_vec()),
        // No file has times before 1970.
        (0, 0, 3, 0, Vec::new()),
    ];
    assert_eq!(packets, expected);
    assert_eq!((report.interfaces.len(), report.damaged, report.until), (2, 0, Some(end)));
}

/// The names of the taps in a file, in order of first appearance, and of the interfaces that were
/// captured together.
fn taps(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut source = FileSource::open(&write(folder.path(), "x", bytes)).unwrap();
    let mut decoder = Decoder::default();
    let mut batch = Batch::default();
    while source.fill(&mut batch).unwrap() != Fill::End {
        decoder.name_interfaces(source.interfaces());
        for head in &batch.packets {
            assert!(decoder.decode(&batch.buffer, head).is_some());
        }
    }
    let interfaces = source.interfaces();
    let name = |tap: &Tap| tap.name(&interfaces.get(tap.interface).unwrap().name);
    let together = interfaces.iter().filter(|(_, known)| {
        known.of_any.is_some_and(|any| interfaces.get(any).unwrap().name == "any")
    });
    let together = together.map(|(_, known)| known.name.clone()).collect();
    (decoder.taps().iter().map(name).collect(), together)
}

/// UDP in a cooked packet of the second version, on the interface of this number.
fn cooked(index: u8) -> Vec<u8> {
    let cooked = [8, 0, 0, 0, 0, 0, 0, index, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    let ip = [69, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [cooked.as_slice(), &ip, &[4, 0, 0, 53, 0, 8, 0, 0]].concat()
}

#[test]
fn interfaces_that_were_captured_together_keep_their_names() {
    let link = LinkType::LINUX_SLL2;
    let any = Interface { link, ..eth("any", 0) };
    let part = |name: &str| Interface {
        of_any: Some(InterfaceId(0)),
        name: name.to_owned(),
        ..any.clone()
    };
    let (lo, eth0, gone) = (part("lo"), part("eth0"), part("any%7"));
    let packets =
        [(4, &eth0, 2), (9, &lo, 1), (0, &any, 8), (3, &gone, 7), (4, &eth0, 6), (0, &any, 5)];
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    for (id, interface, index) in packets {
        let bytes = cooked(index);
        file.packet(&head(1, id, link, 48), &bytes, interface, "", &[]).unwrap();
    }
    assert_eq!(file.described(), [0, 4, 9, 3].map(InterfaceId));
    let (names, together) = taps(&file.finish(Timestamp(2)).unwrap());
    // What has no interface of its own stands on that of all.
    assert_eq!(names, ["eth0", "lo", "any%8", "any%7", "any%5"]);
    assert_eq!(together, ["eth0", "lo", "any%7"]);
}

#[test]
fn an_interface_that_holds_several_has_their_numbers_in_its_taps() {
    let link = LinkType::LINUX_SLL2;
    for name in ["any", "any.pcap", "eth0"] {
        let interface = Interface { link, ..eth(name, 0) };
        let mut file = Savefile::new(Vec::new(), "test").unwrap();
        for index in [2, 1] {
            file.packet(&head(1, 0, link, 48), &cooked(index), &interface, "", &[]).unwrap();
        }
        let (names, together) = taps(&file.finish(Timestamp(2)).unwrap());
        assert_eq!(names, [format!("{name}%2"), format!("{name}%1")]);
        assert_eq!(together, [""; 0]);
    }
}

#[test]
fn text_that_is_too_long_is_cut_between_characters() {
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    let long = "é".repeat(70_000);
    let ethernet = LinkType::ETHERNET;
    file.packet(&head(0, 0, ethernet, 1), b"x", &eth(&long, 0), &long, &[&long, &long]).unwrap();
    file.packet(&head(1, 0, ethernet, 1), b"y", &eth("", 0), "", &[]).unwrap();
    let (packets, report) = read(&file.finish(Timestamp(1)).unwrap(), 100_000);
    assert_eq!((packets.len(), report.damaged), (2, 0));
}

#[test]
fn silence_up_to_the_end_of_the_capture_is_told() {
    for (until, expected) in [(5, Fill::Idle(Timestamp(5))), (1, Fill::End), (0, Fill::End)] {
        let mut file = Savefile::new(Vec::new(), "test").unwrap();
        file.packet(&head(1, 0, LinkType::ETHERNET, 1), b"x", &eth("", 0), "", &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "x", &file.finish(Timestamp(until)).unwrap());
        let mut source = FileSource::open(&path).unwrap();
        let mut batch = Batch::default();
        let first = source.fill(&mut batch).unwrap();
        assert_eq!(batch.packets.len(), 1);
        let then = if first == Fill::More { source.fill(&mut batch).unwrap() } else { first };
        assert_eq!(then, expected, "until {until}");
        assert_eq!(source.fill(&mut batch).unwrap(), Fill::End);
        assert_eq!(batch.packets.len(), 0);
    }
}

#[test]
fn silence_up_to_the_end_of_several_captures_is_told() {
    for (until, expected) in [([3, 9], Some(9)), ([9, 2], Some(9)), ([1, 2], None)] {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = until
            .into_iter()
            .zip(1..)
            .map(|(until, at)| {
                let mut file = Savefile::new(Vec::new(), "test").unwrap();
                let eth = eth("", 0);
                file.packet(&head(at, 0, LinkType::ETHERNET, 1), b"x", &eth, "", &[]).unwrap();
                let bytes = file.finish(Timestamp(until)).unwrap();
                write(folder.path(), &format!("x{at}"), &bytes)
            })
            .collect();
        let mut source = MergedSource::open(&paths).unwrap();
        let (mut batch, mut packets, mut idle) = (Batch::default(), 0, None);
        loop {
            let fill = source.fill(&mut batch).unwrap();
            packets += batch.packets.len();
            match fill {
                Fill::More => {}
                Fill::Idle(now) => assert_eq!(idle.replace(now), None),
                Fill::End => break,
            }
        }
        assert_eq!((packets, idle), (2, expected.map(Timestamp)), "{until:?}");
    }
}

/// What a file tells of losses, however much of it is read at once.
fn losses(bytes: &[u8], chunk: usize) -> Vec<Loss> {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x", bytes);
    let mut source = FileSource::open(&path).unwrap().reading(chunk);
    let mut batch = Batch::default();
    let mut losses = Vec::new();
    loop {
        let fill = source.fill(&mut batch).unwrap();
        losses.append(&mut batch.losses);
        if fill == Fill::End {
            return losses;
        }
    }
}

#[test]
fn losses_come_back_with_their_times_and_interfaces() {
    let loss = |from, to, interface, packets| Loss {
        from: Timestamp(from),
        to: Timestamp(to),
        interface: Some(InterfaceId(interface)),
        packets,
    };
    let told = [loss(10, 20, 0, 3), loss(20, 30, 0, 4), loss(15, 35, 1, 1), loss(70, 80, 0, 5)];
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    let interfaces = [eth("lan", 0), eth("wan", 0)];
    for loss in &told {
        let number = loss.interface.unwrap();
        let interface = &interfaces[usize::from(number.0)];
        file.packet(&head(loss.from.0, number.0, LinkType::ETHERNET, 1), b"x", interface, "", &[])
            .unwrap();
        file.lost(loss, number, interface, "").unwrap();
    }
    let bytes = file.finish(Timestamp(100)).unwrap();
    for chunk in [1, 100, 100_000] {
        assert_eq!(losses(&bytes, chunk), told);
    }
    assert_eq!(read(&bytes, 100).1.dropped, 13);
}

#[test]
fn an_interface_on_which_all_was_lost_is_described() {
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    let loss =
        Loss { from: Timestamp(1), to: Timestamp(2), interface: Some(InterfaceId(0)), packets: 9 };
    file.lost(&loss, InterfaceId(7), &eth("lan", 0), "").unwrap();
    let bytes = file.finish(Timestamp(3)).unwrap();
    assert_eq!(losses(&bytes, 100), [loss]);
}

#[test]
fn a_count_at_the_end_alone_is_a_loss_of_the_whole_file() {
    // As dumpcap writes it: one block of statistics, behind all packets.
    let mut file = Savefile::new(Vec::new(), "test").unwrap();
    for at in [1_000, 9_000] {
        file.packet(&head(at, 0, LinkType::ETHERNET, 1), b"x", &eth("", 0), "", &[]).unwrap();
    }
    let whole = Loss {
        from: Timestamp(1_000),
        to: Timestamp(9_000),
        interface: Some(InterfaceId(0)),
        packets: 6,
    };
    let mut bytes = file.finish(Timestamp(9_000)).unwrap();
    // The last block without its count is replaced.
    bytes.truncate(bytes.len() - STATISTICS);
    bytes.extend(statistics(9_000, 6));
    assert_eq!(losses(&bytes, 100), [whole]);
}

/// A block of statistics of interface 0, with the time of its end alone: as `finish` writes it.
const STATISTICS: usize = 12 + 12 + 12 + 4;

fn statistics(at: u32, dropped: u64) -> Vec<u8> {
    let mut body = [[0; 4], [0; 4], at.to_le_bytes()].concat();
    body.extend([5, 0, 8, 0]);
    body.extend(dropped.to_le_bytes());
    body.extend([0; 4]);
    crate::written::block(false, 5, &body)
}
