//! Lost bytes and garbage, and the way back to the next message.

use super::*;

#[test]
fn garbage_between_messages_is_left_out() {
    check_unsplit(
        &[
            c(GET),
            c("garbage\r\n"),
            c("more"),
            c("GET /b HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 204 N\r\n\r\n"),
            s("HTTP\r\n"),
            s("HTTP/1.1 205 N\r\nContent-Length: 0\r\n\r\n"),
        ],
        "request GET /a 0..28 server.address=h\nrequest GET /b 41..60\nresponse 204 0..18\n\
         response 205 24..61\nmalformed request line\nmalformed status line",
    );
}

#[test]
fn gap_in_a_body_is_counted_against_it() {
    check_unsplit(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
            Piece::Gap(Side::B, 8),
            s("HTTP/1.1 204 N\r\n\r\n"),
        ],
        &format!("{GOT}\nresponse 200 0..41 http.response.body.size=10\nresponse 204 49..67"),
    );
}

#[test]
fn gap_in_a_body_that_is_shown_is_counted_against_it() {
    for (lost, rest) in [(8, ""), (5, "hij")] {
        let end = if lost == 8 { 41 } else { 49 };
        check_unsplit_wanting(
            100,
            &[
                c(GET),
                s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
                Piece::Gap(Side::B, lost),
                s(rest),
                s("HTTP/1.1 204 N\r\n\r\n"),
            ],
            &format!(
                "{GOT}\nresponse 200 0..{end} http.response.body.size=10 body=\"ab\"\n\
                 response 204 49..67"
            ),
        );
    }
}

#[test]
fn gap_over_the_end_of_a_body_that_is_shown_closes_it() {
    check_unsplit_wanting(
        100,
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
            Piece::Gap(Side::B, 9),
            s("TTP/1.1 204 N\r\n\r\n"),
            s("HTTP/1.1 205 N\r\n\r\n"),
            Piece::End(Side::B),
        ],
        &format!(
            "{GOT}\nresponse 200 0..41 http.response.body.size=10 body=\"ab\"\nresponse 205 67..85"
        ),
    );
}

#[test]
fn gap_in_a_body_until_the_end_does_not_matter() {
    for wanted in [0, 100] {
        let body = if wanted == 0 { "" } else { " body=\"ab\"" };
        check_unsplit_wanting(
            wanted,
            &[
                c(GET),
                s("HTTP/1.1 200 OK\r\n\r\nab"),
                Piece::Gap(Side::B, 8),
                s("cd"),
                Piece::End(Side::B),
            ],
            &format!("{GOT}\nresponse 200 0..31{body}"),
        );
    }
}

#[test]
fn gap_over_the_end_of_a_chunk_and_its_newline_is_bridged() {
    for wanted in [0, 100] {
        let body = if wanted == 0 { "" } else { " body=\"hel\"" };
        check_unsplit_wanting(
            wanted,
            &[
                c(GET),
                s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
                Piece::Gap(Side::B, 4),
                s("0\r\n\r\n"),
            ],
            &format!("{GOT}\nresponse 200 0..62 http.response.body.size=5{body}"),
        );
    }
}

#[test]
fn gap_in_chunk_framing_closes_the_message() {
    check_unsplit(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
            Piece::Gap(Side::B, 9),
            s("xxx"),
            c(GET),
            s("HTTP/1.1 204 N\r\n\r\n"),
        ],
        "request GET /a 0..28 server.address=h\nresponse 200 0..53\n\
         request GET /a 28..56 server.address=h\nresponse 204 65..83",
    );
}

#[test]
fn heads_cut_by_the_capture_are_told_as_far_as_they_go() {
    check_unsplit(
        &[
            c("GET /a?b HTTP/1.1\r\nHost: h\r\nX-Request-ID: r1\r\nUser-Agent: Moz"),
            Piece::Gap(Side::A, 100),
            s("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\nDat"),
            Piece::Gap(Side::B, 2000),
            s("middle of the body, cut"),
            Piece::Gap(Side::B, 900),
            c("GET /c HTTP/1.1\r\nHost"),
            Piece::Gap(Side::A, 30),
            s("HTTP/1.1 404 Not Found\r\nServer"),
            Piece::Gap(Side::B, 30),
        ],
        "request GET /a cut 0..61 url.query=b server.address=h x-request-id:r1\n\
         response 200 cut 0..67 http.response.header.content-type=text/html \
         http.response.body.size=5000\n\
         request GET /c cut 161..182\n\
         response 404 cut 2990..3020",
    );
}

#[test]
fn identifier_that_was_cut_is_not_used() {
    check_unsplit(
        &[c("GET /a HTTP/1.1\r\nX-Request-ID: r1"), Piece::Gap(Side::A, 9)],
        "request GET /a cut 0..33",
    );
}

#[test]
fn first_line_that_was_cut_too_early_is_left_out() {
    check_unsplit(
        &[c("GET /a HTTP/1."), Piece::Gap(Side::A, 9), s("HTTP/1.1 20"), Piece::Gap(Side::B, 9)],
        "",
    );
    check_unsplit(
        &[c("GET /a HTTP/1.1"), Piece::Gap(Side::A, 9), s("HTTP/1.1 404 No"), Piece::End(Side::B)],
        "request GET /a cut 0..15\nresponse 404 cut 0..15",
    );
}

#[test]
fn upgrade_whose_answer_was_cut_hands_over() {
    check_unsplit(
        &[c(GET), s("HTTP/1.1 101 Switching Protocols\r\nUpg"), Piece::Gap(Side::B, 9), s("\u{1}")],
        &format!("{GOT}\nresponse 101 cut 0..37\nhanded over at 46"),
    );
}

#[test]
fn lost_answers_leave_no_method_behind() {
    check_unsplit(
        &[
            c("HEAD / HTTP/1.1\r\n\r\n"),
            Piece::Gap(Side::B, 9),
            c(GET),
            s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ],
        "request HEAD / 0..19\nrequest GET /a 19..47 server.address=h\n\
         response 200 9..48 http.response.body.size=1",
    );
}

#[test]
fn answer_that_was_cut_leaves_the_next_method() {
    check_unsplit(
        &[
            c("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Le"),
            Piece::Gap(Side::B, 9),
            s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 205 N\r\n\r\n"),
            Piece::End(Side::B),
        ],
        "request GET /1 0..19\nrequest HEAD /2 19..39\nresponse 200 cut 0..27\n\
         response 200 36..74\nresponse 205 74..92",
    );
}

#[test]
fn late_capture_starts_at_the_first_head() {
    check_unsplit(
        &[
            Piece::Gap(Side::B, 1),
            s("rest of a body"),
            Piece::Gap(Side::A, 1),
            c("rest of a body"),
            c(GET),
            s("HTTP/1.1 204 N\r\n\r\n"),
        ],
        "request GET /a 15..43 server.address=h\nresponse 204 15..33",
    );
}
