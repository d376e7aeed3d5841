//! Bodies that are coded, of which somebody wants the content.

use super::*;
use crate::fuzzing::{Event, Recording, Split, record};
use crate::inflate::Inflater;
use crate::trace_context::own::OwnIds;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write as _;

const TEXT: &[u8] = b"{\"txn\": {\"id\": \"4711-0815\"}, \"words\": \"again and again and again\"}";

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

fn sized(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn chunked(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(11) {
        message.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        message.extend_from_slice(chunk);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"0\r\n\r\n");
    message
}

/// What is told of the second message, in whatever pieces: identifiers, attributes, the body.
fn check(wants: usize, response: &[u8], ids: &[&str], flaw: Option<&str>, body: &[u8]) {
    let mut own = OwnIds::default();
    own.add_field("txn=json:$.txn.id").unwrap();
    let settings = Settings { ids: own, ..Settings::default() };
    let mut protocol = protocol(&Arc::new(settings));
    let events = [
        Event::Bytes { from: Side::A, bytes: GET.into() },
        Event::Bytes { from: Side::B, bytes: response.to_vec() },
        Event::End { from: Side::B },
    ];
    for split in [Split::Whole, Split::Bytes, Split::Patient, Split::At(response.len() / 2)] {
        let empty = Recording::wanting(wants);
        let recording = record(empty, protocol.as_mut(), &flow(), Side::A, &events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        let [_, answer] = &recording.messages[..] else { panic!("{recording:?}") };
        let told = answer.attributes.iter().find(|(name, _)| name == "wirespan.body.inflate");
        assert_eq!(told.map(|(_, flaw)| &**flaw), flaw, "{split:?}");
        assert_eq!(answer.body.escape_ascii().to_string(), body.escape_ascii().to_string());
        let found = ids.iter().all(|id| {
            answer.contexts.iter().any(|found| found.contains(&format!("{:?}", id.as_bytes())))
        });
        assert!(found && answer.contexts.len() == ids.len(), "{:?}", answer.contexts);
    }
}

#[test]
fn content_is_given_to_who_asks_however_the_body_is_framed() {
    let id = &["4711-0815"];
    for make in [sized, chunked] {
        check(1000, &make("gzip", &gzip(TEXT)), id, None, TEXT);
        check(1000, &make("deflate", &zlib(TEXT)), id, None, TEXT);
        check(1000, &make("zstd", &zstd::encode_all(TEXT, 3).unwrap()), id, None, TEXT);
        check(1000, &make("deflate, gzip", &gzip(&zlib(TEXT))), id, None, TEXT);
        check(0, &make("gzip", &gzip(TEXT)), id, None, b"");
        check(5, &make("gzip", &gzip(TEXT)), id, None, &TEXT[..5]);
    }
}

#[test]
fn what_keeps_content_from_being_read_is_said() {
    let body = gzip(TEXT);
    let mut cut = sized("gzip", &body);
    cut.truncate(cut.len() - 20);
    let (content, _) = TEXT.split_at(content_of(&body[..body.len() - 20]));
    let id: &[&str] =
        if memchr::memmem::find(content, b"0815\"").is_some() { &["4711-0815"] } else { &[] };
    check(1000, &cut, id, Some("truncated"), content);
    check(1000, &sized("gzip", b"{\"txn\": {\"id\": \"1\"}}"), &[], Some("failed"), b"");
    check(1000, &sized("compress", b"\x1f\x9d"), &[], Some("unknown coding"), b"\x1f\x9d");
    let zeros = gzip(&vec![b'0'; 2 << 20]);
    check(4, &sized("gzip", &zeros), &[], None, b"0000");
}

fn content_of(body: &[u8]) -> usize {
    let mut inflater = Inflater::of(b"gzip").unwrap();
    let mut len = 0;
    inflater.push(body, &mut |piece| len += piece.len());
    len
}
