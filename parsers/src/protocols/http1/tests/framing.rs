//! Where a body ends, by what its head says.

use super::*;

#[test]
fn chunked_wins_over_content_length_and_is_flagged() {
    check(
        &[c("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
               1\r\nZ\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")],
        "request POST / 0..77 wirespan.http.framing=transfer-encoding and content-length \
         http.request.body.size=1\nrequest GET / 77..95",
    );
}

#[test]
fn content_length_repeated_is_one_if_it_agrees() {
    check(
        &[c(
            "POST / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n",
        )],
        "request POST / 0..62 http.request.body.size=2\nrequest GET / 62..80",
    );
}

#[test]
fn content_length_that_conflicts_is_not_trusted() {
    check_unsplit(
        &[
            c("POST /1 HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n"),
            c("{ab"),
            c("GET /2 HTTP/1.1\r\n\r\n"),
        ],
        "request POST /1 0..58 wirespan.http.framing=content-length conflicts\n\
         request GET /2 61..80\nmalformed request line",
    );
}

#[test]
fn content_length_that_is_invalid_is_flagged() {
    for length in ["x", "-1", "+1", "", "1 1", "18446744073709551616"] {
        check(
            &[c(GET), s(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"))],
            &format!(
                "{GOT}\nresponse 200 0..{} wirespan.http.framing=content-length is invalid",
                37 + length.len()
            ),
        );
    }
}

#[test]
fn head_with_chunked_answer_has_no_body() {
    check(
        &[
            c("HEAD / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 204 N\r\n\r\n"),
        ],
        "request HEAD / 0..19\nresponse 200 0..47\nresponse 204 47..65",
    );
}

#[test]
fn not_modified_has_no_body_whatever_its_length_says() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 N\r\n\r\n"),
        ],
        &format!("{GOT}\nresponse 304 0..48\nresponse 204 48..66"),
    );
}

#[test]
fn body_without_length_lasts_until_the_end() {
    check(
        &[
            c("GET / HTTP/1.0\r\n\r\n"),
            s("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>HTTP/1.1 200 OK\r\n\r\n"),
            Piece::End(Side::B),
            Piece::End(Side::A),
        ],
        "request GET / 0..18 network.protocol.version=1.0\n\
         response 200 0..66 http.response.header.content-type=text/html network.protocol.version=1.0",
    );
}

#[test]
fn response_with_another_last_coding_lasts_until_the_end() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nHTTP/1.1 204 N\r\n\r\n"),
            Piece::End(Side::B),
        ],
        &format!("{GOT}\nresponse 200 0..62"),
    );
}

#[test]
fn request_with_another_last_coding_has_no_known_end() {
    check(
        &[c("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n")],
        "request POST / 0..53",
    );
}

#[test]
fn identity_is_no_coding() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"),
        ],
        &format!("{GOT}\nresponse 200 0..68 http.response.body.size=1"),
    );
}
