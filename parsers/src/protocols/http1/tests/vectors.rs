//! The conversations of `testdata/vectors/http`.

use super::*;

/// The pieces of a vector: `> ` bytes of the client, `< ` of the server, in Rust's escapes.
fn vector(text: &str) -> Vec<Piece> {
    text.lines()
        .map(|line| {
            let (from, mut rest) = match line.split_at(2) {
                ("> ", rest) => (Side::A, rest),
                ("< ", rest) => (Side::B, rest),
                _ => panic!("{line}"),
            };
            let mut bytes = Vec::new();
            while let Some((plain, escape)) = rest.split_once('\\') {
                bytes.extend_from_slice(plain.as_bytes());
                let (kind, after) = escape.split_at(1);
                rest = after;
                match kind {
                    "r" => bytes.push(b'\r'),
                    "n" => bytes.push(b'\n'),
                    "x" => {
                        bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                        rest = &rest[2..];
                    }
                    _ => panic!("{line}"),
                }
            }
            bytes.extend_from_slice(rest.as_bytes());
            Piece::Bytes(from, bytes)
        })
        .collect()
}

#[test]
fn vectors_give_their_messages() {
    for (text, expected) in VECTORS {
        check(&vector(text), expected);
    }
}

const VECTORS: &[(&str, &str)] = &[
    (
        include_str!("../../../../../testdata/vectors/http/keep_alive.txt"),
        "request GET /menu 0..87 url.query=table=4 server.address=cafe.example \
         user_agent.original=waiter/1.0\n\
         response 200 0..77 http.response.header.content-type=text/plain \
         http.response.body.size=12\n\
         request POST /orders 87..200 server.address=cafe.example \
         http.request.header.content-type=application/json http.request.body.size=16\n\
         response 201 77..120\n\
         request DELETE /orders/1 200..249 server.address=cafe.example\n\
         response 404 120..160 http.response.body.size=5",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/pipelined.txt"),
        "request GET /1 0..28 server.address=a\n\
         request HEAD /2 28..57 server.address=a\n\
         request GET /3 57..85 server.address=a\n\
         response 200 0..41 http.response.body.size=3\n\
         response 200 41..81\n\
         response 304 81..129",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/chunked.txt"),
        "request PUT /log 0..114 server.address=logs http.request.body.size=16\n\
         response 200 0..67 http.response.body.size=4",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/interim.txt"),
        "request POST /upload 0..83 server.address=store http.request.body.size=4\n\
         interim 100 0..25\n\
         interim 103 25..73\n\
         response 503 73..144",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/until_end.txt"),
        "request GET /page 0..40 server.address=old.example network.protocol.version=1.0\n\
         response 200 0.. http.response.header.content-type=text/html \
         network.protocol.version=1.0 open",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/lenient.txt"),
        "request GET /a 2..81 server.address=loose user_agent.original=one  two\n\
         response 200 0..48 http.response.body.size=2\n\
         request VERSION-CONTROL /a page 81..130 server.address=loose\n\
         response 409 48..96 http.response.body.size=1",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/identifiers.txt"),
        "request GET /cart 0..324 url.query=access_token=***&page=2 server.address=shop \
         traceparent:5f8a0c3be1d24796a0b1c2d3e4f50617 b3:a1b2c3d4e5f60718 \
         x-request-id:0d9f4a52-7a6c-4c1e-8f53-3b1d0e6a9c11\n\
         response 200 0..90 x-request-id:0d9f4a52-7a6c-9c1e-8f53-3b1d0e6a9c11\n\
         request GET /cart 324..415 server.address=shop b3:a1b2c3d4e5f60718a1b2c3d4e5f60718\n\
         response 204 90..117",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/upgrade.txt"),
        "request GET /live 0..75 server.address=news\n\
         response 101 0..77\n\
         handed over at 77",
    ),
    (
        include_str!("../../../../../testdata/vectors/http/connect.txt"),
        "request CONNECT db.example:5432 0..59 server.address=db.example:5432\n\
         response 407 0..68 http.response.body.size=3\n\
         request CONNECT db.example:5432 59..151 server.address=db.example:5432\n\
         response 200 68..107\n\
         handed over at 107",
    ),
];
