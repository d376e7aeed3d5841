//! Chunks, trailers, and the bytes of bodies that somebody wants.

use super::*;
use body::CHUNK_LINE_LIMIT;

#[test]
fn chunks_may_have_extensions_and_trailers() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
               5;name=\"v\"\r\nhello\r\n00A \r\n0123456789\r\n0\r\nExpires: never\r\nX: y\r\n\r\n\
               HTTP/1.1 204 N\r\n\r\n"),
        ],
        &format!("{GOT}\nresponse 200 0..117 http.response.body.size=15\nresponse 204 117..135"),
    );
}

#[test]
fn chunks_with_bare_newlines_are_read() {
    check(
        &[c("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\nGET / HTTP/1.1\n\n")],
        "request POST / 0..53 http.request.body.size=3\nrequest GET / 53..69",
    );
}

#[test]
fn bodies_that_end_early_are_truncated() {
    check(
        &[
            c("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"),
            Piece::End(Side::A),
            Piece::End(Side::B),
        ],
        "request POST / 0..40 http.request.body.size=5 wirespan.body.truncated=1\n\
         response 200 0..52 wirespan.body.truncated=1",
    );
}

#[test]
fn wanted_body_bytes_are_handed_out() {
    check_wanting(
        4,
        &[
            c("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabcdefGET / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
               1\r\n1\r\n2\r\n23\r\n2\r\n45\r\n1\r\n6\r\n0\r\n\r\n\
               HTTP/1.1 200 OK\r\n\r\nuntil the end"),
            Piece::End(Side::B),
        ],
        "request POST / 0..44 http.request.body.size=6 body=\"abcd\"\n\
         request GET / 44..62\n\
         response 200 0..78 http.response.body.size=6 body=\"1234\"\n\
         response 200 78..110 body=\"unti\"",
    );
}

#[test]
fn bodies_shorter_than_wanted_are_handed_out_whole() {
    check_wanting(
        99,
        &[
            c("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n1\n2\n0\r\n\r\n"),
        ],
        "request POST / 0..63 http.request.body.size=3 body=\"abc\"\n\
         response 200 0..62 http.response.body.size=2 body=\"12\"",
    );
}

#[test]
fn chunk_sizes_that_are_none_are_malformed() {
    for size in ["x", "", "-1", "1 2", "12345678901234567", &"0".repeat(CHUNK_LINE_LIMIT)] {
        let pieces =
            [c(GET), s(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n"))];
        check_unsplit(&pieces, &format!("{GOT}\nresponse 200 0..47\nmalformed chunk size"));
    }
}

#[test]
fn trailers_over_the_limit_are_malformed() {
    let trailers = "A: b\r\n".repeat(HEAD_LIMIT / 6 + 1);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let report = report(&[c(GET), s(head), s(trailers)], Wanted::default());
    assert!(report.ends_with("malformed trailer length"), "{report}");
}

#[test]
fn largest_chunk_does_not_overflow() {
    check(
        &[
            c("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"),
            Piece::End(Side::A),
        ],
        "request POST / 0..68 wirespan.body.truncated=1",
    );
}
