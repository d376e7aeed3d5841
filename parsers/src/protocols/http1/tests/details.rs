//! What is told of targets and headers: attributes, identifiers, and no secrets.

use super::*;
use crate::fuzzing::{Event, Split, drive};
use crate::metadata::PAIRS_LIMIT;
use crate::secrets::Secrets;
use crate::secrets::masked;
use std::num::NonZeroU64;

#[test]
fn secrets_in_queries_are_masked() {
    let one = |query: &str, expected: &str| {
        let mut room = Vec::new();
        let (query, secrets) = (query.as_bytes(), Secrets::default());
        let query = masked(query, &mut room, |found| secrets.in_query(query, found));
        assert_eq!(String::from_utf8_lossy(query), expected);
    };
    one("a=b&c=d", "a=b&c=d");
    one("token=t", "token=***");
    one("a=b&Access_Token=t&c=d", "a=b&Access_Token=***&c=d");
    one("password=p;user=u", "password=***;user=u");
    one("x%70assword=p&api-key=k", "x%70assword=***&api-key=***");
    one("user%5Bpassword%5D=p", "user%5Bpassword%5D=***");
    one("X-Amz-Signature=s&X-Amz-Date=d", "X-Amz-Signature=***&X-Amz-Date=d");
    one("key=&sig", "key=&sig");
    one("a&&=&=b&key=k&", "a&&=&=b&key=***&");
    one("keyboard=k&sign=s&author=a", "keyboard=k&sign=s&author=a");
    one("%=1&%7=1&%zz=1", "%=1&%7=1&%zz=1");
}

#[test]
fn secrets_in_headers_are_never_told() {
    check(
        &[c("GET /a?access_token=t HTTP/1.1\r\nAuthorization: Basic s\r\nCookie: s=t\r\n\r\n")],
        "request GET /a 0..71 url.query=access_token=***",
    );
}

#[test]
fn all_headers_are_told_to_those_who_ask() {
    check_details(
        &[
            c("GET /a HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two:  2 \r\nContent-Type: t\r\n\
               Authorization: Bearer s\r\nCookie: a=s\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=s; Path=/\r\n\r\n\
               0\r\nX-Sum: 7\r\nX-Token: s\r\nno field\r\n\r\n"),
        ],
        "request GET /a 0..105 server.address=h http.request.header.host=h \
         http.request.header.x-two=1 http.request.header.x-two=2 \
         http.request.header.content-type=t http.request.header.authorization=*** \
         http.request.header.cookie=a=***\n\
         response 200 0..109 http.response.header.transfer-encoding=chunked \
         http.response.header.set-cookie=a=***; Path=/ http.response.trailer.x-sum=7 \
         http.response.trailer.x-token=*** http.response.body.size=0",
    );
}

#[test]
fn what_is_told_of_headers_is_bounded() {
    let many: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\nX-Next: z\r\n", "l".repeat(5_000));
    let told = |headers: &str| {
        let wanted = Wanted { details: true, ..Wanted::default() };
        report(&[c(format!("GET / HTTP/1.1\r\n{headers}\r\n"))], wanted)
    };
    let many = told(&many);
    assert_eq!(many.matches("http.request.header.x-").count(), PAIRS_LIMIT);
    assert!(many.ends_with(" wirespan.http.headers_left_out=36"), "{many}");
    let long = told(&long);
    assert!(long.len() < 1_200 && long.contains("lll… http.request.header.x-next=z"), "{long}");
    let wide: String = (0..20).map(|_| format!("X-W: {}\r\n", "w".repeat(1_000))).collect();
    let wide = told(&wide);
    assert!(wide.len() < 7_000 && wide.ends_with("headers_left_out=14"), "{wide}");
}

#[test]
fn identifiers_are_found_on_both_sides() {
    check(
        &[
            c("GET / HTTP/1.1\r\nX-REQUEST-ID: r1\r\n\
               traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
               x-b3-traceid: 64fe8b2a57d3eff7\r\nX-B3-SpanId: e457b5a2e4d86bd1\r\n\r\n"),
            s("HTTP/1.1 204 N\r\nX-Request-Id: r1\r\n\r\n"),
        ],
        "request GET / 0..169 traceparent:0af7651916cd43dd8448eb211c80319c b3:64fe8b2a57d3eff7 \
         x-request-id:r1\nresponse 204 0..36 x-request-id:r1",
    );
}

#[test]
fn attributes_follow_the_conventions() {
    check(
        &[
            c("POST /p HTTP/1.1\r\nhost: api:8080\r\nUSER-AGENT: curl/8\r\n\
               content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"),
            s("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"),
        ],
        "request POST /p 0..109 server.address=api:8080 user_agent.original=curl/8 \
         http.request.header.content-type=application/json http.request.body.size=2\n\
         response 200 0..66 http.response.header.content-type=text/plain http.response.body.size=2",
    );
}

#[test]
fn of_repeated_headers_the_first_is_told() {
    check(
        &[c("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")],
        "request GET / 0..36 server.address=a",
    );
}

/// What is left of the bytes of both sides once secrets are overwritten; behind these, bytes are
/// lost.
fn check_overwritten(bytes: [&str; 2], expected: [&str; 2]) {
    let said = [Side::A, Side::B]
        .map(|from| Event::Bytes { from, bytes: bytes[from.index()].as_bytes().to_vec() });
    let lost = [Side::A, Side::B].map(|from| Event::Gap { from, lost: NonZeroU64::MIN });
    let events = [said, lost].concat();
    for split in [Split::Whole, Split::Bytes] {
        let settings = Settings { locate_secrets: true, ..Settings::default() };
        let mut http = protocol(&Arc::new(settings));
        let recording = drive(http.as_mut(), &flow(), Side::A, &events, split);
        let mut left = bytes.map(|bytes| bytes.as_bytes().to_vec());
        for message in &recording.messages {
            for range in &message.secrets {
                left[message.from.index()][range.start as usize..range.end as usize].fill(b'1');
            }
        }
        let left = left.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(left, expected, "{split:?}");
    }
}

#[test]
fn users_before_the_host_of_a_tunnel_are_secret() {
    check(&[c("CONNECT u:p@h:1 HTTP/1.1\r\n\r\n")], "request CONNECT h:1 0..28");
    check_overwritten(
        ["CONNECT u:p@h:1 HTTP/1.1\r\n\r\n", ""],
        ["CONNECT 111@h:1 HTTP/1.1\r\n\r\n", ""],
    );
}

#[test]
fn secrets_of_heads_and_bodies_are_located() {
    check_overwritten(
        [
            "POST /a;jsessionid=7?token=abc&n=1 HTTP/1.1\r\nCookie: a=b; c=d\r\n\
             Authorization: Basic eHl6\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 16\r\n\r\nuser=u&passwd=pq",
            "HTTP/1.1 200 OK\r\nSet-Cookie: id=xyz; Path=/\r\nLocation: http://u:p@h/?sig=s\r\n\
             Transfer-Encoding: chunked\r\n\r\nb\r\n{\"token\":\"a\r\n4\r\nbc\"}\r\n0\r\nX-Token: t\r\n\r\n",
        ],
        [
            "POST /a;jsessionid=1?token=111&n=1 HTTP/1.1\r\nCookie: a=1; c=1\r\n\
             Authorization: 1111111111\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 16\r\n\r\nuser=u&passwd=11",
            "HTTP/1.1 200 OK\r\nSet-Cookie: id=111; Path=/\r\nLocation: http://111@h/?sig=1\r\n\
             Transfer-Encoding: chunked\r\n\r\nb\r\n{\"token\":\"1\r\n4\r\n11\"}\r\n0\r\nX-Token: 1\r\n\r\n",
        ],
    );
}

#[test]
fn half_lines_of_heads_that_were_cut_are_secret() {
    check_overwritten(
        ["GET /a HTTP/1.1\r\nHost: h\r\nX-Token: hal", "HTTP/1.1 200 OK\r\nServer: s\r\nSet-Cook"],
        ["GET /a HTTP/1.1\r\nHost: h\r\n111111111111", "HTTP/1.1 200 OK\r\nServer: s\r\n11111111"],
    );
}

#[test]
fn bodies_that_nobody_can_look_into_are_secret() {
    check_overwritten(
        [
            "PUT / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No\r\n\r\n",
        ],
        [
            "PUT / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n111GET / HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\n111HTTP/1.1 204 No\r\n\r\n",
        ],
    );
}
