//! Connections that become another protocol, or do not.

use super::*;

#[test]
fn switching_protocols_answers_and_hands_over() {
    check(
        &[
            c("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{1}\u{2}"),
        ],
        "request GET /chat 0..63\nresponse 101 0..56\nhanded over at 56",
    );
}

#[test]
fn what_a_client_says_after_an_upgrade_may_come_before_its_answer() {
    check(
        &[
            c("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            c(b"\x81\x82abcd\x09\x0b"),
            s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
        ],
        "request GET /chat 0..63\nresponse 101 0..56\nhanded over at 56",
    );
}

#[test]
fn refused_upgrade_goes_on_as_http() {
    check(
        &[
            c("GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            c(GET),
            s("HTTP/1.1 204 No Content\r\n\r\n"),
        ],
        "request GET /a 0..42 server.address=h\nresponse 200 0..39 http.response.body.size=1\n\
         request GET /a 42..70 server.address=h\nresponse 204 39..66",
    );
}

#[test]
fn connect_hands_over_once_it_is_granted() {
    check(
        &[
            c("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"),
            s("HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno"),
            c("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"),
            s("HTTP/1.1 200 Go\r\nContent-Length: 2\r\n\r\n"),
        ],
        "request CONNECT db:5432 0..43 server.address=db:5432\n\
         response 407 0..41 http.response.body.size=2\n\
         request CONNECT db:5432 43..86 server.address=db:5432\n\
         response 200 41..79\nhanded over at 79",
    );
}

#[test]
fn bytes_for_the_tunnel_may_come_before_it_is_granted() {
    check(
        &[c("CONNECT h:1 HTTP/1.1\r\n\r\n\u{16}\u{3}\u{1}early"), s("HTTP/1.1 200 Go\r\n\r\n")],
        "request CONNECT h:1 0..24\nresponse 200 0..19\nhanded over at 19",
    );
}

#[test]
fn tunnel_whose_answer_is_never_seen_is_handed_over() {
    check_unsplit(
        &[c("CONNECT h:1 HTTP/1.1\r\n\r\n"), c("\u{16}".repeat(EARLY_LIMIT - 1)), c("\u{3}")],
        "request CONNECT h:1 0..24\nhanded over at 24",
    );
}
