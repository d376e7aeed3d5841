//! Logins, changes of user, and what comes in their place.

use super::*;
use crate::protocol::Probe;

#[test]
fn login_goes_on_until_the_server_is_content() {
    let mut events = login(0);
    events.truncate(2);
    events.push(answered(packets(2, &[b"\xfemysql_native_password\0salt"])));
    events.push(sent(packets(3, &[b"proof"])));
    events.push(answered(packets(4, &[b"\x01\x04"])));
    events.push(sent(packets(5, &[b"\x03more proof"])));
    events.push(answered(packets(6, &[b"\x01\x03", OK])));
    events.push(query("A"));
    check(&events, &[LOGIN, &["A Request A {shop} [A]"]].concat());
}

#[test]
fn denied_login_is_an_error() {
    let mut events = login(0);
    events.truncate(2);
    events.push(answered(packets(2, &[b"\xff\x15\x04#28000Access denied for user 'joe'@'h'"])));
    check(
        &events,
        &[LOGIN[0], "B Response ClientError 1045 28000 {Access denied for user '?'@'?'}"],
    );
}

#[test]
fn change_of_user_is_a_login() {
    check_after_login(
        0,
        &[
            command(b"\x11ann\0\x04hashstock\0\x21\0mysql_native_password\0"),
            response(&[b"\xfemysql_native_password\0salt"]),
            sent(packets(2, &[b"proof"])),
            answered(packets(3, &[OK])),
            query("A"),
        ],
        &[
            "A Handshake CHANGE USER stock {stock} {ann} {8.0.36}",
            "B Response Ok",
            "A Request A {stock} [A]",
        ],
    );
}

#[test]
fn refusal_comes_in_place_of_a_greeting() {
    check(
        &[answered(packets(0, &[b"\xff\x10\x04Too many connections"]))],
        &["B Refusal LOGIN ServerError 1040  {Too many connections}"],
    );
    check(
        &[answered(packets(0, &[b"\xff\x6a\x04Host 'h' is not allowed"]))],
        &["B Refusal LOGIN ClientError 1130  {Host '?' is not allowed}"],
    );
}

#[test]
fn error_in_a_session_refuses_no_login() {
    check_after_login(
        0,
        &[answered(packets(0, &[b"\xff\xbf\x0f#HY000Inactive"]))],
        &["B OneWay ERROR HY000 {4031} {Inactive}"],
    );
}

#[test]
fn mariadb_says_so() {
    for (version, told) in [
        ("5.5.5-10.11.6-MariaDB-1", "{mariadb} "),
        ("11.4.2-MariaDB", "{mariadb} "),
        ("8.0.36-mariadbless", ""),
    ] {
        let mut events = login(0);
        let greeting = [b"\x0a", version.as_bytes(), b"\0\x07\0\0\0abcdefgh\0\x09\x82"].concat();
        events[0] = answered(packets(0, &[&greeting]));
        events.push(query("A"));
        check(
            &events,
            &[
                &format!("A Handshake LOGIN shop {told}{{shop}} {{joe}} {{{version}}}"),
                "B Response Ok",
                &format!("A Request A {told}{{shop}} [A]"),
            ],
        );
    }
}

#[test]
fn login_that_goes_on_has_no_outcome_yet() {
    let mut events = login(0);
    events.truncate(2);
    events.push(answered(packets(2, &[b"\xfemysql_native_password\0salt"])));
    check(&events, &[&format!("{} open", LOGIN[0]), "B Response Unknown open"]);
    events.push(sent(packets(3, &[b"proof"])));
    events.push(answered(packets(4, &[b"\xff\x15\x04#28000Access denied"])));
    check(&events, &[LOGIN[0], "B Response ClientError 1045 28000 {Access denied}"]);
}

#[test]
fn question_for_tls_ends_what_can_be_read() {
    let mut question = b"\x00\x8a\x28\x00\0\0\0\x01\xff".to_vec();
    question.extend([0; 23]);
    let mut events = login(1 << 11);
    events.truncate(1);
    events.push(sent([&packets(1, &[&question])[..], b"\x16\x03\x01\0\x05"].concat()));
    let recording = run(&events, Split::Whole);
    assert_eq!(recording.became.as_deref().map(|what| what.contains("Detect")), Some(true));
    assert!(recording.messages.is_empty());
}

#[test]
fn greeting_and_login_are_told_at_sight() {
    let mut mysql = protocol(&Arc::default());
    let flow = flow(Transport::Tcp, 1, 2);
    for (event, client) in login(0).iter().zip([Side::A, Side::A]) {
        let Event::Bytes { from, bytes } = event else { continue };
        assert_eq!(mysql.probe(&flow, *from, bytes), Probe::Certain { client });
        for cut in 1..bytes.len() {
            let probe = mysql.probe(&flow, *from, &bytes[..cut]);
            assert!(matches!(probe, Probe::Unsure { .. }), "{cut}");
        }
    }
}

#[test]
fn other_bytes_are_no_mysql() {
    let mut mysql = protocol(&Arc::default());
    let flow = flow(Transport::Tcp, 1, 2);
    for head in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"*1\r\n$4\r\nPING\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x05\0\0\0\x7fabcd",
    ] {
        assert_eq!(mysql.probe(&flow, Side::A, head), Probe::No, "{}", head.escape_ascii());
    }
}

#[test]
fn login_before_4_1_is_read() {
    let mut events = login(0);
    events[1] = sent(packets(1, &[b"\x09\0\0\0\x01joe\0hash1234\0shop\0"]));
    check(&events, LOGIN);
}
