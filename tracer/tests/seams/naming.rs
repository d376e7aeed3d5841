//! What services are called by what is in no message: files of users, clients of TLS, and the
//! capture file. It is the same however packets come, and stays with the spans.

use crate::http::{Call, Connection, all, end, sorted};
use crate::packets::{Packet, source};
use crate::run::{Ran, name, run, run_source, run_with};
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use wirespan::config::Config;
use wirespan::names::files::NameFiles;
use wirespan_capture::packet::Batch;
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::merge::MergedSource;

/// What was asked of which service.
fn services(ran: &Ran) -> Vec<String> {
    ran.spans().into_iter().map(|span| format!("{} {}", name(span), span.service)).collect()
}

/// A ClientHello that asks for a name behind an extension of so many bytes.
fn client_hello(name: &str, before: u16) -> Vec<u8> {
    let part = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let list = part(&[&[0][..], &part(name.as_bytes())].concat());
    let filler = [&[0, 23][..], &part(&vec![1; before.into()])].concat();
    let extensions = part(&[&filler[..], &[0, 0], &part(&list)].concat());
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &extensions].concat();
    [&[0x16, 3, 1][..], &part(&[&[1, 0][..], &part(&body)].concat())].concat()
}

/// A client of TLS that begins at this millisecond, in so many packets.
fn tls(server: u8, at: i64, name: &str, pieces: usize) -> Vec<Packet> {
    let hello = client_hello(name, 1_800);
    let mut connection = Connection::new(end(1, 40_000 + at as u16), end(server, 443));
    let mut packets = connection.open(at);
    for piece in hello.chunks(hello.len().div_ceil(pieces)) {
        packets.push(connection.asks(at, piece));
    }
    packets.push(connection.tells(at + 1, b"\x16\x03\x03\x00\x08\x02\0\0\x04abcd"));
    packets
}

#[test]
fn clients_of_tls_name_servers_of_other_protocols() {
    let mut packets = all(&[
        Call::new(1, 2, 10..15, "/before"),
        // They settle after the names have come.
        Call::new(1, 3, 11..15, "/named"),
        Call::new(1, 5, 12..15, "/asked").asks("Host: b.test"),
        Call::new(1, 4, 13..15, "/two"),
    ]);
    packets.extend(tls(3, 20, "shop.example", 1));
    packets.extend(tls(3, 30, "other.example", 1));
    packets.extend(tls(5, 20, "other.example", 1));
    packets.extend(tls(4, 20, "a.test", 3));
    packets.extend(tls(2, 20_000, "late.example", 1));
    let ran = run(&sorted(packets));
    assert_eq!(
        services(&ran),
        ["/before 10.0.0.2:80", "/named shop.example", "/asked b.test", "/two a.test"]
    );
    assert!(ran.ndjson().contains(r#""server_name":{"name":"shop.example","by":"sni"}"#));
}

#[test]
fn files_of_users_name_services_and_callers() {
    let config = || {
        let mut files = NameFiles::default();
        files.add_names("a", b"10.0.0.2:80 shop\n:81 admin\n10.0.0.1 browser").unwrap();
        files.add_hosts("b", b"10.0.0.3 stock\n10.0.0.2 web1").unwrap();
        Config { names: Arc::new(files), ..Config::default() }
    };
    let packets = all(&[
        Call::new(1, 2, 10..15, "/a").asks("Host: b.test"),
        Call::new(1, 2, 20..25, "/b").server_port(82),
        Call::new(1, 3, 30..35, "/c"),
        Call::new(1, 3, 40..45, "/d").server_port(81),
        Call::new(1, 3, 50..55, "/e").server_port(8080),
        Call::new(1, 4, 60..65, "/f").asks("Host: b.test"),
    ]);
    let ran = run_with(&packets, &config);
    assert_eq!(
        services(&ran),
        ["/a shop", "/b web1", "/c stock", "/d admin", "/e stock:8080", "/f b.test"]
    );
    assert!(ran.ndjson().contains(r#""client_name":{"name":"browser","by":"names"}"#));
}

/// A block of a pcapng file that gives a name to a host.
fn block(host: u8, name: &str) -> Vec<u8> {
    let mut value = [&Ipv4Addr::new(10, 0, 0, host).octets()[..], name.as_bytes(), &[0]].concat();
    let len = value.len() as u16;
    value.resize(value.len().next_multiple_of(4), 0);
    let body = [&1_u16.to_le_bytes()[..], &len.to_le_bytes(), &value, &[0; 4]].concat();
    let len = (body.len() as u32 + 12).to_le_bytes();
    [&4_u32.to_le_bytes()[..], &len, &body, &len].concat()
}

/// Writes packets to a file, with blocks behind the first so many of its own blocks.
fn written(packets: &[Packet], path: &Path, blocks: &[(usize, Vec<u8>)]) {
    let mut source = source(packets, 1_000);
    let mut batch = Batch::default();
    source.fill(&mut batch).unwrap();
    let mut savefile = Savefile::new(File::create(path).unwrap(), "test").unwrap();
    for head in &batch.packets {
        let interface = source.interfaces().get(head.interface).unwrap();
        savefile.packet(head, batch.bytes(head), interface, "test", &[]).unwrap();
    }
    savefile.finish(batch.packets.last().unwrap().at).unwrap();
    let bytes = fs::read(path).unwrap();
    let (mut with, mut at) = (Vec::new(), 0);
    let mut own = 0;
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        with.extend(&bytes[at..at + len]);
        at += len;
        own += 1;
        let here = blocks.iter().filter(|(place, _)| *place == own);
        here.for_each(|(_, block)| with.extend(block));
    }
    blocks.iter().filter(|(place, _)| *place > own).for_each(|(_, block)| with.extend(block));
    fs::write(path, with).unwrap();
}

/// Reads files, in pieces of any size.
#[track_caller]
fn check(paths: &[&Path], expected: &[&str]) {
    for chunk in [64, 500, 1 << 20] {
        let config = Config::default();
        let ran = match paths {
            [path] => run_source(&mut FileSource::open(path).unwrap().reading(chunk), &config),
            paths => {
                let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
                run_source(&mut MergedSource::open_reading(&paths, chunk).unwrap(), &config)
            }
        };
        assert_eq!(services(&ran), expected, "in pieces of {chunk}");
    }
}

#[test]
fn captures_name_addresses() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    let call = |host, at| Call::new(1, host, at..at + 5, &format!("/{host}"));
    let packets = all(&[call(2, 10), call(3, 5_000), call(4, 10_000), call(5, 10_000)]);
    let last = usize::MAX;
    written(
        &packets,
        &path,
        &[
            (2, block(3, "three.test")),
            // The first call has settled by then.
            (8, block(2, "two.test")),
            (8, block(3, "other.test")),
            (last, block(4, "four.test")),
            (last, block(5, "localhost")),
        ],
    );
    let expected = ["/2 10.0.0.2:80", "/3 three.test", "/4 four.test", "/5 10.0.0.5:80"];
    check(&[&path], &expected);
    // Names of one file name what is in others, from its first packet on.
    let other = folder.path().join("b.pcapng");
    written(&all(&[call(6, 12_000), call(7, 3)]), &other, &[(last, block(5, "five.test"))]);
    let expected =
        ["/7 10.0.0.7:80", "/2 10.0.0.2:80", "/3 three.test", "/4 four.test", "/5 five.test"];
    let expected = [&expected[..], &["/6 10.0.0.6:80"]].concat();
    check(&[&path, &other], &expected);
}

#[test]
fn names_behind_packets_are_found_where_a_file_is_read_in_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    let packets = all(&[Call::new(1, 2, 10..15, "/2"), Call::new(1, 3, 9_000..9_005, "/3")]);
    let names = [block(2, "two.test"), block(3, "three.test")].concat();
    written(&packets, &path, &[(usize::MAX, names)]);
    check(&[&path], &["/2 two.test", "/3 three.test"]);
    // Of what is compressed, the end comes too late for what has settled.
    let compressed = folder.path().join("a.pcapng.zst");
    fs::write(&compressed, zstd::encode_all(File::open(&path).unwrap(), 1).unwrap()).unwrap();
    check(&[&compressed], &["/2 10.0.0.2:80", "/3 three.test"]);
}
