//! First lines and headers, as odd as they come.

use super::*;

#[test]
fn head_that_ends_early_is_cut() {
    check(
        &[
            c("GET /a?b=1 HTTP/1.1\r\nHost: h\r\nX-Req"),
            Piece::End(Side::A),
            s("HTTP/1.1 200 OK\r"),
            Piece::End(Side::B),
        ],
        "request GET /a cut 0..35 url.query=b=1 server.address=h\nresponse 200 cut 0..16",
    );
}

#[test]
fn reason_phrase_may_be_missing() {
    check(
        &[c(GET), s("HTTP/1.1 204\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1  204  Sp\r\n\r\n")],
        &format!("{GOT}\nresponse 204 0..16\nresponse 204 16..33\nresponse 204 33..54"),
    );
}

#[test]
fn bare_newlines_end_lines() {
    check(
        &[c("GET /a HTTP/1.1\nHost: h\n\n"), s("HTTP/1.1 204 N\nA: b\r\n\n")],
        "request GET /a 0..25 server.address=h\nresponse 204 0..22",
    );
}

#[test]
fn empty_lines_before_a_message_are_ignored() {
    check(
        &[c("\r\n\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\n"), s("\r\nHTTP/1.1 204 N\r\n\r\n")],
        "request GET /a 5..33 server.address=h\nresponse 204 2..20",
    );
}

#[test]
fn folded_lines_are_one_header() {
    check(
        &[
            c("GET /a HTTP/1.1\r\nUser-Agent: one\r\n two\r\n\tthree\r\nHost: h\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Type: a/b;\r\n c=d\r\nContent-Length:\r\n 1\r\n\r\nx"),
        ],
        "request GET /a 0..59 server.address=h user_agent.original=one   two  \tthree\n\
         response 200 0..67 http.response.header.content-type=a/b;   c=d http.response.body.size=1",
    );
}

#[test]
fn heads_that_httparse_refuses_are_read_line_by_line() {
    let head = "GET /a b\"c HTTP/1.1\r\nHost : h\r\nno header\r\nX: \u{7f}\u{1}\r\n: y\r\n\
                X-Request-ID: r\u{e9}\r\nB@d: z\r\nContent-Length : 2\r\n\r\nab";
    check(
        &[c(head)],
        "request GET /a b\"c 0..105 server.address=h http.request.body.size=2 x-request-id:r\u{e9}",
    );
    check(
        &[c(GET), s(b"HTTP/1.1 204 \xe9\x01\r\nlone\r\nContent-Type: \x01t\r\n\r\n")],
        &format!("{GOT}\nresponse 204 0..43 http.response.header.content-type=\u{1}t"),
    );
}

#[test]
fn versions_above_one_are_read() {
    check(&[c("GET / HTTP/1.2\r\n\r\n")], "request GET / 0..18 network.protocol.version=1.2");
}

#[test]
fn headers_beyond_the_slots_are_read() {
    let many: String = (0..200).map(|n| format!("X-{n}: {n}\r\n")).collect();
    check_unsplit(
        &[c(format!("GET /a HTTP/1.1\r\n{many}Host: h\r\n\r\n"))],
        "request GET /a 0..2208 server.address=h",
    );
}

#[test]
fn targets_come_in_four_forms() {
    let one = |line: &str, expected: &str| {
        check(
            &[c(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"))],
            &expected.replace("..", &format!("..{}", line.len() + 22)),
        );
    };
    one("GET /", "request GET / 0.. server.address=h");
    one("GET /a/b?c=d&e", "request GET /a/b 0.. url.query=c=d&e server.address=h");
    one("GET http://x:80/a?b", "request GET /a 0.. url.query=b server.address=x:80");
    one("GET http://x", "request GET / 0.. server.address=x");
    one("GET HTTPS://u:p@x?y#z", "request GET / 0.. url.query=y server.address=x");
    one("OPTIONS *", "request OPTIONS * 0.. server.address=h");
    one("CONNECT x:443", "request CONNECT x:443 0.. server.address=h");
    one("GET /a?", "request GET /a 0.. server.address=h");
    one("GET /to/http://x/y", "request GET /to/http://x/y 0.. server.address=h");
    one("GET a", "request GET a 0.. server.address=h");
}

#[test]
fn methods_may_be_any_token() {
    check(&[c("PROPFIND /d HTTP/1.1\r\n\r\n")], "request PROPFIND /d 0..24");
    check(&[c("x-My_method! /d HTTP/1.1\r\n\r\n")], "request x-My_method! /d 0..28");
}

#[test]
fn bytes_that_start_no_line_are_told_at_once() {
    check_unsplit(&[c("\x16\x03\x01")], "malformed request line");
    check_unsplit(&[s("\x16\x03\x01")], "malformed status line");
    check_unsplit(&[c("HTTP/1.1 200 OK\r\n")], "malformed request line");
    check_unsplit(&[s("GET / HTTP/1.1\r\n")], "malformed status line");
}

#[test]
fn heads_over_the_limit_are_malformed() {
    let head = |len: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(len - 23));
    check_unsplit(&[c(head(HEAD_LIMIT))], &format!("request GET / 0..{HEAD_LIMIT}"));
    let cut = format!("request GET / cut 0..{HEAD_LIMIT}\nmalformed head length");
    check_unsplit(&[c(head(HEAD_LIMIT + 1))], &cut);
    let endless = head(2 * HEAD_LIMIT);
    let parts: Vec<_> = endless.as_bytes().chunks(1000).map(c).collect();
    check_unsplit(&parts, &cut);
}

#[test]
fn request_lines_that_servers_refuse_are_requests() {
    for (line, expected) in [
        ("GET /HTTP/1.1", "GET /HTTP/1.1"),
        ("GET/ HTTP/1.1", "_OTHER "),
        ("\u{c3}\u{83} / HTTP/1.1", "_OTHER "),
        ("OPTIONS HTTP/1.1", "OPTIONS "),
        ("OPTIONS", "OPTIONS "),
    ] {
        let head = format!("{line}\nHost: h\n\n");
        let end = head.len();
        let report = report(
            &[c(&head), s("HTTP/1.0 400 Bad Request\r\n\r\n"), Piece::End(Side::B)],
            Wanted::default(),
        );
        let expected = format!("request {expected} 0..{end} server.address=h");
        assert!(report.starts_with(&expected), "{report}");
        assert!(report.contains("wirespan.http.framing=request line is invalid"), "{report}");
        assert!(report.contains("response 400 0..28"), "{report}");
    }
}

#[test]
fn refused_lines_are_requests_only_where_a_connection_begins() {
    check_unsplit(
        &[c("GET /1 HTTP/1.1\r\n\r\nGET/ HTTP/1.1\r\n\r\n")],
        "request GET /1 0..19\nmalformed request line",
    );
}

#[test]
fn targets_may_have_spaces_and_versions_may_be_odd() {
    check(
        &[c("CONNECT h:25 / HTTP/1.0\r\nno header\r\n\r\n")],
        "request CONNECT h:25 / 0..38 network.protocol.version=1.0",
    );
    check(&[c("GET / HTTP/1.\n\n")], "request GET / 0..15 network.protocol.version=1.0");
    check(
        &[c("GET / HTTP/1.1\r\n\r\n"), s("HTTP/1.10  200 OK\r\nContent-Length: 0\r\n\r\n")],
        "request GET / 0..18\nresponse 200 0..40 network.protocol.version=1.10",
    );
}

#[test]
fn simple_request_is_a_line_and_its_answer_a_body() {
    check(
        &[c("GET /a?b\r\n"), s("<html>"), s("</html>"), Piece::End(Side::B)],
        "request GET /a 0..10 url.query=b network.protocol.version=0.9\nresponse 0 0..13",
    );
    check(
        &[c("GET /a\r\n"), s("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")],
        "request GET /a 0..8 network.protocol.version=0.9\nresponse 400 0..47",
    );
}
