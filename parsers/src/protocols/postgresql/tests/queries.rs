//! Simple queries, and what the server says unasked.

use super::check;
use super::wire::*;
use super::*;
use std::num::NonZeroU64;

#[test]
fn query_and_its_rows_are_one_exchange() {
    let said = [
        client(&[query("SELECT 1")]),
        server(&[columns(&["a"]), row(&["1"]), row(&["2"]), complete("SELECT 2"), ready('I')]),
    ];
    check(&said, &["SELECT Ok returned_rows=2"]);
    let recording = run(&said, Split::Whole);
    let ranges: Vec<_> = recording.messages.iter().map(|m| (m.start, m.end)).collect();
    assert_eq!(ranges, [(0, Some(14)), (0, Some(71))]);
}

#[test]
fn several_statements_of_a_query_are_one_exchange() {
    check(
        &[
            client(&[query("BEGIN; SELECT 1; UPDATE t SET a = 2")]),
            server(&[complete("BEGIN"), columns(&["a"]), row(&["1"]), complete("SELECT 1")]),
            server(&[complete("UPDATE 5"), ready('T')]),
        ],
        &["BEGIN Ok transaction=open returned_rows=1 affected_rows=5 size=3"],
    );
}

#[test]
fn queries_in_one_segment_are_told_apart() {
    check(
        &[
            client(&[query("SELECT 1"), query("BEGIN"), query("COMMIT")]),
            server(&[columns(&["a"]), row(&["1"]), complete("SELECT 1"), ready('I')]),
            server(&[complete("BEGIN"), ready('T'), complete("COMMIT"), ready('I')]),
        ],
        &["SELECT Ok returned_rows=1", "BEGIN Ok transaction=open", "COMMIT Ok"],
    );
}

#[test]
fn error_has_its_sqlstate_and_whose_fault_it_is() {
    for (state, expected) in [
        ("42P01", "SELECT ClientError 42P01 error=no \"?\" transaction=failed"),
        ("40001", "SELECT ServerError 40001 error=no \"?\" transaction=failed"),
        ("57014", "SELECT ServerError 57014 error=no \"?\" transaction=failed"),
        ("23505", "SELECT ClientError 23505 error=no \"?\" transaction=failed"),
        ("XX000", "SELECT ServerError XX000 error=no \"?\" transaction=failed"),
    ] {
        let said = [
            client(&[query("SELECT 1")]),
            server(&[error("ERROR", state, "no \"joe\""), ready('E')]),
        ];
        check(&said, &[expected]);
    }
}

#[test]
fn error_after_rows_is_the_outcome() {
    check(
        &[
            client(&[query("SELECT 1 / a")]),
            server(&[columns(&["a"]), row(&["1"]), error("ERROR", "22012", "division by zero")]),
            server(&[ready('I')]),
        ],
        &["SELECT ClientError 22012 error=division by zero returned_rows=1"],
    );
}

#[test]
fn error_of_a_server_that_stops_ends_the_exchange() {
    check(
        &[
            client(&[query("SELECT 1")]),
            server(&[error("FATAL", "57P01", "terminating connection")]),
            Said::Ends(Side::B),
        ],
        &["SELECT ServerError 57P01 error=terminating connection"],
    );
    let idle = run(&[server(&[error("FATAL", "57P01", "terminating")])], Split::Whole);
    assert_eq!(idle.lost, ["postgresql errors that answer nothing"]);
}

#[test]
fn empty_query_is_answered() {
    check(&[client(&[query("")]), server(&[plain('I'), ready('I')])], &[" Ok"]);
}

#[test]
fn notices_and_parameters_belong_to_no_other_answer() {
    let notice = message(b'N', b"SNOTICE\0C00000\0Mwell\0\0");
    let parameter = message(b'S', b"TimeZone\0UTC\0");
    check(
        &[
            server(&[parameter.clone(), notice.clone()]),
            client(&[query("SELECT 1")]),
            server(&[notice, columns(&["a"]), parameter, complete("SELECT 0"), ready('I')]),
        ],
        &["SELECT Ok returned_rows=0"],
    );
}

#[test]
fn notification_is_one_way() {
    let news = message(b'A', b"\0\0\0\x09news\0hello\0");
    check(
        &[
            client(&[query("LISTEN news")]),
            server(&[news.clone(), complete("LISTEN"), ready('I'), news]),
        ],
        &["LISTEN Ok", "NOTIFY news one-way", "NOTIFY news one-way"],
    );
}

#[test]
fn long_rows_are_skipped() {
    let long = "v".repeat(100_000);
    let said = [
        client(&[query("SELECT 1")]),
        server(&[columns(&["a"]), row(&[&long]), row(&["1"]), row(&[&long])]),
        server(&[complete("SELECT 3"), ready('I')]),
    ];
    check(&said, &["SELECT Ok returned_rows=3"]);
    let mut made = protocol(&Arc::default());
    let conn = made.open(&flow(Transport::Tcp, 1, 2), Side::A);
    let mut out = Recording::default();
    let start = row(&[&long])[..100].to_vec();
    let step = made.parse(conn, Side::B, Timestamp(0), &start, &mut out);
    let skip = NonZeroU64::new(100_006).unwrap();
    assert_eq!(step, Ok(Step::Skip { used: 5, skip }));
}

#[test]
fn long_query_is_read_in_pieces() {
    let long = format!("SELECT '{}'", "v".repeat(100_000));
    check(
        &[
            client(&[query(&long), query("BEGIN")]),
            server(&[complete("SELECT 0"), ready('I'), complete("BEGIN"), ready('I')]),
        ],
        &["SELECT Ok returned_rows=0", "BEGIN Ok"],
    );
    let mut made = protocol(&Arc::default());
    let conn = made.open(&flow(Transport::Tcp, 1, 2), Side::A);
    let mut out = Recording::default();
    let sent = query(&long);
    let step = made.parse(conn, Side::A, Timestamp(0), &sent, &mut out);
    assert!(matches!(step, Ok(Step::Used(used)) if used.get() < sent.len()), "{step:?}");
}

#[test]
fn unknown_types_are_malformed() {
    assert_eq!(run(&[client(&[plain('y')])], Split::Whole).malformed, ["message type"]);
    assert_eq!(run(&[server(&[plain('y')])], Split::Whole).malformed, ["message type"]);
    let short = Said::Client(b"Q\0\0\0\x03".to_vec());
    assert_eq!(run(&[short], Split::Whole).malformed, ["message length"]);
}

#[test]
fn server_tells_what_a_backslash_is() {
    let is =
        |value: &str| message(b'S', format!("standard_conforming_strings\0{value}\0").as_bytes());
    let [plain, escaped] = [r"SELECT 'a\', 'b'", r"SELECT 'a\'', 'b'"];
    let said = [
        client(&[query(plain)]),
        server(&[complete("SELECT 1"), is("off"), ready('I')]),
        client(&[query(escaped)]),
        server(&[is("on"), complete("SELECT 1"), ready('I')]),
        client(&[query(plain)]),
    ];
    let recording = run(&said, Split::Whole);
    let texts = recording.messages.iter().flat_map(|message| &message.attributes);
    let texts: Vec<&str> =
        texts.filter(|(name, _)| name == "db.query.text").map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["SELECT ?, ?"; 3]);
}
