//! Which message answers which.

use super::*;

#[test]
fn request_and_response_without_body() {
    check(
        &[c("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), s("HTTP/1.1 204 No Content\r\n\r\n")],
        "request GET /a 0..28 server.address=h\nresponse 204 0..27",
    );
}

#[test]
fn keep_alive_gives_a_message_each() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            c("POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
            s("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        ],
        "request GET /a 0..28 server.address=h\n\
         response 200 0..40 http.response.body.size=2\n\
         request POST /b 28..70 http.request.body.size=3\n\
         response 500 40..78",
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    check(
        &[
            c("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1\
               HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\
               HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n3"),
        ],
        "request GET /1 0..19\n\
         request HEAD /2 19..39\n\
         request GET /3 39..58\n\
         response 200 0..39 http.response.body.size=1\n\
         response 200 39..78\n\
         response 404 78..124 http.response.body.size=1",
    );
}

#[test]
fn interim_responses_do_not_answer() {
    check(
        &[
            c(GET),
            s("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
               HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        &format!("{GOT}\ninterim 103 0..44\ninterim 102 44..71\nresponse 200 71..109"),
    );
}

#[test]
fn head_waits_through_interim_responses() {
    check(
        &[
            c("HEAD / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
               HTTP/1.1 204 N\r\n\r\n"),
        ],
        "request HEAD / 0..19\ninterim 100 0..25\nresponse 200 25..63\nresponse 204 63..81",
    );
}

#[test]
fn expected_body_follows_the_interim_response() {
    check(
        &[
            c("PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
            s("HTTP/1.1 100 Continue\r\n\r\n"),
            c("abcGET / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
        ],
        "request PUT /f 0..63 http.request.body.size=3\ninterim 100 0..25\n\
         request GET / 63..81\nresponse 201 25..68",
    );
}

#[test]
fn refused_body_may_never_come() {
    check(
        &[
            c("PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n"),
            s("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"),
            c(GET),
        ],
        "request PUT /f 0..61 http.request.body.size=30\nresponse 417 0..54\n\
         request GET /a 61..89 server.address=h",
    );
}

#[test]
fn refused_body_may_come_all_the_same() {
    check(
        &[
            c("PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
            s("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
            c("{1}GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
        ],
        "request PUT /f 0..63 http.request.body.size=3\nresponse 401 0..48\n\
         request GET /a 63..91 server.address=h",
    );
}

#[test]
fn early_answer_does_not_end_the_request() {
    check(
        &[
            c("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"),
            s("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"),
            c("cd"),
        ],
        "request POST / 0..42 http.request.body.size=4\nresponse 413 0..38",
    );
}

#[test]
fn responses_without_request_are_told_as_they_are() {
    check(
        &[
            s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            c("HEAD / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"),
        ],
        "response 200 0..39 http.response.body.size=1\nrequest HEAD / 0..19\nresponse 200 39..77",
    );
}

#[test]
fn endless_unusual_methods_are_forgotten_and_counted() {
    let heads = "HEAD / HTTP/1.1\r\n\r\n".repeat(UNUSUAL_LIMIT + 2);
    let report = report(&[c(heads)], Wanted::default());
    assert_eq!(report.matches("\nlost ").count(), 2);
}
