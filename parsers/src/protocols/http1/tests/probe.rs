//! First bytes that are HTTP, may be, or are not.

use super::*;

#[test]
fn probe_is_certain_only_of_whole_first_lines() {
    let probe = |head: &str| protocol(&Arc::default()).probe(&flow(), Side::B, head.as_bytes());
    let request = Probe::Certain { client: Side::B };
    let response = Probe::Certain { client: Side::A };
    let maybe_request = Probe::Unsure { client: Side::B };
    let maybe_response = Probe::Unsure { client: Side::A };
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n", request),
        ("GET / HTTP/1.0\n", request),
        ("GET / HTTP/1.1", request),
        ("\r\nGET / HTTP/1.1", request),
        ("PROPFIND /x HTTP/1.1\r\nDepth: 1\r\n", request),
        ("X-CUSTOM * HTTP/1.1\r\n", request),
        ("CONNECT h:1 HTTP/1.1\r\n", request),
        ("HTTP/1.1 200 OK\r\n", response),
        ("HTTP/1.0 404\r\n", response),
        ("HTTP/1.1 200", response),
        ("GET", maybe_request),
        ("G", maybe_request),
        ("H", maybe_request),
        ("\r\n", maybe_request),
        ("GET /path?", maybe_request),
        ("GET / ", maybe_request),
        ("GET / HTTP/1.", maybe_request),
        ("HT", maybe_response),
        ("HTTP/1.1 20", maybe_response),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Probe::No),
        ("PRI *", Probe::No),
        ("GET / HTTP/0.9\r\n", request),
        ("GET / HTTP/2.0\r\n", request),
        ("GET / HTTP/1.\r\n", request),
        ("GET  / HTTP/1.1\r\n", request),
        ("GET /a b HTTP/1.1\r\n", request),
        ("GET / HTTP/1.1 x", request),
        ("HTTP/1.1  200 OK\r\n", response),
        ("HTTP/2.0 200 OK\r\n", response),
        ("HTTP/2 200\r\n", response),
        ("HTTP/1.1 2000", response),
        ("ICY 200 OK\r\n", response),
        ("GET /\r\n", maybe_request),
        ("GET /HTTP/1.1\r\n", maybe_request),
        ("GET/ HTTP/1.1\r\n", maybe_request),
        ("OPTIONS\r\n", maybe_request),
        ("get /a b", maybe_request),
        (" GET / HTTP/1.1\r\n", maybe_request),
        ("get /\r\n", Probe::No),
        ("OPTIONS icap://a/b ICAP/1.0\r\n", Probe::No),
        ("OPTIONS sip:a@b SIP/2.0\r\n", Probe::No),
        ("DESCRIBE rtsp://a/b RTSP/1.0\r\n", Probe::No),
        ("SIP/2.0 200 OK\r\n", Probe::No),
        ("RTSP/1.0 200 OK\r\n", Probe::No),
        ("HTTP/1.1 xyz", Probe::No),
        ("HTTP/1.1.1.1.1.1 200", Probe::No),
        ("*1\r\n$4\r\nPING\r\n", Probe::No),
        ("+OK\r\n", Probe::No),
        ("220 mail ESMTP\r\n", Probe::No),
        ("SSH-2.0-OpenSSH_9.2\r\n", Probe::No),
        ("\x16\x03\x01", Probe::No),
        ("\u{82}\u{fe}GET / HTTP/1.1\x01\r\n", Probe::No),
        ("NICK somebody\r\n", Probe::No),
    ] {
        assert_eq!(probe(head), expected, "{head:?}");
    }
    let endless = "a".repeat(256);
    assert_eq!(probe(&endless[..255]), maybe_request);
    assert_eq!(probe(&endless), Probe::No);
    assert_eq!(
        protocol(&Arc::default()).probe(&flow(), Side::B, b"\x82\xfeGET/ HTTP/1.1\r\n"),
        Probe::No
    );
}
