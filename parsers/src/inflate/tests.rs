//! Bodies that are coded in, their content out.

use super::*;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use std::io::Write;

fn inflate(coding: &str, body: &[u8], size: usize) -> (Vec<u8>, Inflated) {
    let mut inflater = Inflater::of(coding.as_bytes()).unwrap();
    let mut content = Vec::new();
    for piece in body.chunks(size.max(1)) {
        inflater.push(piece, &mut |bytes| content.extend_from_slice(bytes));
    }
    (content, inflater.state())
}

/// The same in whatever pieces.
fn check(coding: &str, body: &[u8], expected: &[u8], state: Inflated) {
    for size in [body.len(), 1, 7, 1000] {
        let (content, found) = inflate(coding, body, size);
        assert_eq!(found, state, "{coding} in pieces of {size}");
        assert!(content == expected, "{coding} in pieces of {size}: {}", content.len());
    }
}

fn text() -> Vec<u8> {
    (0..5000).flat_map(|n| format!("{{\"id\": {n}}}\n").into_bytes()).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// `abc` repeated ten times, as Node's brotliCompressSync() with its defaults makes it.
const BROTLI: &[u8] = &[0x1b, 0x1d, 0, 0xf8, 0x25, 0xc3, 0xc4, 0xc6, 0x82, 0x9b, 0x20, 0xa0, 0x1a];

#[test]
fn codings_are_taken_off() {
    let text = text();
    check("gzip", &gzip(&text), &text, Inflated::Whole);
    check("X-GZip", &gzip(&text), &text, Inflated::Whole);
    check("deflate", &zlib(&text), &text, Inflated::Whole);
    check("deflate", &deflate(&text), &text, Inflated::Whole);
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    check("zstd", &zstd, &text, Inflated::Whole);
    check("gzip, zstd", &zstd::encode_all(&gzip(&text)[..], 3).unwrap(), &text, Inflated::Whole);
    check("deflate,gzip", &gzip(&zlib(&text)), &text, Inflated::Whole);
    check("gzip", &gzip(b""), b"", Inflated::Whole);
    check("br", BROTLI, &b"abc".repeat(10), Inflated::Whole);
    check("br, gzip", &gzip(BROTLI), &b"abc".repeat(10), Inflated::Whole);
}

#[test]
fn parts_of_a_header_of_gzip_are_passed_over() {
    let builder = GzBuilder::new().extra(&b"extra"[..]).filename("name").comment("words");
    let mut encoder = builder.write(Vec::new(), Compression::default());
    encoder.write_all(b"text").unwrap();
    check("gzip", &encoder.finish().unwrap(), b"text", Inflated::Whole);
}

#[test]
fn members_and_frames_follow_on_each_other() {
    let two = [gzip(b"one"), gzip(b"two")].concat();
    check("gzip", &two, b"onetwo", Inflated::Whole);
    let frame = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
    check("zstd", &[frame(b"one"), frame(b"two")].concat(), b"onetwo", Inflated::Whole);
    // The first is as long as the longest head.
    assert_eq!(frame(b"ninebytes").len(), ZSTD_HEAD);
    let two = [frame(b"ninebytes"), frame(b"two")].concat();
    check("zstd", &two, b"ninebytestwo", Inflated::Whole);
    check("gzip", &[gzip(b"one"), b"\0\x1f\0".to_vec()].concat(), b"one", Inflated::Whole);
}

#[test]
fn what_is_cut_is_not_whole() {
    let text = text();
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", deflate(&text)),
        ("zstd", zstd::encode_all(&text[..], 3).unwrap()),
        ("br", BROTLI.to_vec()),
    ] {
        for cut in [1, body.len() / 2] {
            let (_, state) = inflate(coding, &body[..body.len() - cut], body.len());
            assert_eq!(state, Inflated::Going, "{coding}");
        }
    }
}

#[test]
fn nothing_is_held_back_where_the_ring_of_the_inflater_is_full() {
    let body = deflate(&vec![0; 3 << 15]);
    for length in 1..body.len() {
        let cut = &body[..length];
        let (whole, pieces) = (inflate("deflate", cut, length), inflate("deflate", cut, 1));
        assert_eq!(whole.0.len(), pieces.0.len(), "the first {length} bytes");
    }
}

#[test]
fn what_is_broken_fails() {
    check("gzip", b"{\"plain\": 1}", b"", Inflated::Failed);
    check("zstd", b"{\"plain\": 1, \"text\": 2}", b"", Inflated::Failed);
    let mut wrong_sum = gzip(b"text");
    let place = wrong_sum.len() - 6;
    wrong_sum[place] ^= 1;
    check("gzip", &wrong_sum, b"text", Inflated::Failed);
}

#[test]
fn what_is_none_of_these_is_not_read() {
    for coding in ["", "identity", "chunked", "compress", "gzip, br, zstd", "gzip, secret"] {
        assert!(Inflater::of(coding.as_bytes()).is_none(), "{coding}");
    }
    let mut codings = Codings::default();
    codings.add(b"identity");
    assert!(codings.is_empty());
    codings.add(b"secret");
    assert!(!codings.is_empty());
}

#[test]
fn little_that_stands_for_much_is_capped() {
    let zeros = vec![0; 18 << 20];
    for (coding, body) in [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("zstd", zstd::encode_all(&zeros[..], 3).unwrap()),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ] {
        let (content, state) = inflate(coding, &body, body.len());
        assert_eq!(state, Inflated::Capped, "{coding}");
        assert!(content.len() as u64 <= CONTENT, "{coding}");
    }
}

#[test]
fn what_follows_on_what_is_whole_is_bounded() {
    let mut inner = gzip(b"text");
    inner.resize(64 << 20, 0);
    let mut inflater = Inflater::of(b"gzip, gzip").unwrap();
    let mut content = Vec::new();
    for piece in gzip(&inner).chunks(1000) {
        inflater.push(piece, &mut |bytes| content.extend_from_slice(bytes));
    }
    assert_eq!((&content[..], inflater.state()), (&b"text"[..], Inflated::Capped));
    assert!(inflater.between <= CONTENT + PIECE as u64, "{}", inflater.between);
}

#[test]
fn members_have_a_limit() {
    let most = usize::from(MEMBERS);
    check("gzip", &gzip(b"x").repeat(most), &b"x".repeat(most), Inflated::Whole);
    check("gzip", &gzip(b"x").repeat(most + 1), &b"x".repeat(most), Inflated::Capped);
}

#[test]
fn windows_of_all_have_a_limit() {
    let room = Room::default();
    let begin = || {
        let mut inflater = Inflater::of(b"br").unwrap().within(&room);
        // The largest window.
        inflater.push(&[0x0f], &mut |_| {});
        inflater
    };
    let first = [begin(), begin(), begin()];
    assert!(first.iter().all(|first| first.state() == Inflated::Going));
    assert_eq!(begin().state(), Inflated::Capped);
    drop(first);
    assert_eq!(begin().state(), Inflated::Going);
}
