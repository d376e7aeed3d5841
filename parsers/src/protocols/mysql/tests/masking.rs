//! What is not shown, and where it stands.

use super::*;

/// The message of an error with this code, and what is shown of it.
fn check_message(code: u16, message: &str, shown: &str) {
    let error = [&b"\xff"[..], &code.to_le_bytes(), b"#42000", message.as_bytes()].concat();
    let recording = run(&[query("A"), response(&[&error])], Split::Whole);
    assert_eq!(recording.messages[1].attributes[0].1, shown);
}

#[test]
fn quoted_parts_of_errors_are_masked() {
    check_message(
        1062,
        "Duplicate entry 'O'Brien' for key 'PRIMARY'",
        "Duplicate entry '?' for key '?'",
    );
    check_message(
        1062,
        "Duplicate entry 'a', 'b', c' for key 'PRIMARY'",
        "Duplicate entry '?' for key '?'",
    );
    check_message(1062, "Duplicate entry 'a'. b'", "Duplicate entry '?'");
    check_message(
        1366,
        "Incorrect integer value: 'x', 'y' for column 'a' at row 1",
        "Incorrect integer value: '?' for column '?' at row 1",
    );
    check_message(
        1064,
        r#"syntax to use line 1 column 9 near "it's "secret"" "#,
        r#"syntax to use line 1 column 9 near "?" "#,
    );
    check_message(1146, "Table 'shop.t' doesn't exist", "Table '?' doesn't exist");
    check_message(
        1064,
        "error in your SQL syntax near 'WHER a = 'secret' AND b' at line 1",
        "error in your SQL syntax near '?' at line 1",
    );
    check_message(1406, "Data too long for column 'a", "Data too long for column '?");
}

/// What is shown of a query that has characters of GBK in a literal.
fn shown_of_gbk(before: Vec<Event>) -> String {
    let gbk = command(b"\x03SELECT '\xbf\\', 'secret', '' FROM t");
    let events = [before, vec![gbk, response(&[OK])]].concat();
    let recording = run(&events, Split::Whole);
    let asked = recording.messages.iter().rev().find(|message| message.operation == "SELECT");
    asked.unwrap().attributes.iter().find(|(name, _)| *name == "db.query.text").unwrap().1.clone()
}

#[test]
fn backslashes_within_characters_do_not_escape() {
    let mut named = login(0);
    named.extend([query("SET NAMES gbk"), response(&[OK])]);
    assert_eq!(shown_of_gbk(named), "SELECT ?, ?, ? FROM t");
    let mut agreed = login(0);
    let Some(Event::Bytes { bytes, .. }) = agreed.get_mut(1) else { panic!("a login") };
    bytes[4 + 8] = 28;
    assert_eq!(shown_of_gbk(agreed), "SELECT ?, ?, ? FROM t");
}

#[test]
fn messages_are_shown_where_secrets_are() {
    let settings = Settings { secrets: Secrets::shown(), ..Settings::default() };
    let events = [query("A"), response(&[b"\xff\x26\x04#23000Duplicate entry 'x'"])];
    let recording = run_with(settings, &events, Split::Whole);
    assert_eq!(recording.messages[1].attributes[0].1, "Duplicate entry 'x'");
}

#[test]
fn proofs_values_and_rows_are_located() {
    let events = [
        login(DEPRECATE_EOF),
        vec![
            command(b"\x16INSERT ?"),
            response(&[b"\0\x01\0\0\0\0\0\x01\0\0\0\0", COLUMN]),
            command(b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfe\0\x06secret"),
            response(&[OK]),
            command(b"\x18\x01\0\0\0\0\0secret"),
            query("SELECT a"),
            response(&[b"\xff\x26\x04#23000Duplicate entry 'secret' for key"]),
            query("SELECT a"),
            response(&[b"\x02", COLUMN, COLUMN, b"\x06secret\xfb", b"\0\x06secret", END]),
        ],
    ]
    .concat();
    let left = without_secrets(&events);
    for (side, hidden) in left.iter().zip(["~~~~", "~~~~~~"]) {
        let text = String::from_utf8_lossy(side);
        assert!(text.contains(hidden), "{text}");
        assert!(!text.contains("secret\u{fb}") && !text.contains("hash"), "{text}");
    }
    let [client, server] = left.map(|side| side.escape_ascii().to_string());
    assert!(!client.contains("secret") && !server.contains("secret"), "{client} {server}");
    assert!(server.contains("Duplicate entry \\'~~~~~~\\' for key"), "{server}");
    // Lengths of cells stay.
    assert!(server.contains("\\x06~~~~~~\\xfb"), "{server}");
    assert!(client.contains("joe\\x00\\x04~~~~shop"), "{client}");
}

#[test]
fn proofs_that_the_server_asks_for_are_located() {
    let mut events = login(0);
    events.truncate(2);
    events.push(answered(packets(2, &[b"\xfemysql_native_password\0salt"])));
    events.push(sent(packets(3, &[b"proof"])));
    events.push(answered(packets(4, &[b"\x01\x04"])));
    events.push(sent(packets(5, &[b"\x02"])));
    events.push(answered(packets(6, &[b"\x01-----BEGIN"])));
    events.push(sent(packets(7, &[b"more proof"])));
    events.push(answered(packets(8, &[OK])));
    let [client, server] = without_secrets(&events);
    assert!(client.ends_with(b"\x05\0\0\x03~~~~~\x01\0\0\x05\x02\x0a\0\0\x07~~~~~~~~~~"));
    let asked = b"\x1b\0\0\x02\xfemysql_native_password\0~~~~\x02\0\0\x04\x01\x04";
    let asked = [&asked[..], b"\x0b\0\0\x06\x01~~~~~~~~~~", &packets(8, &[OK])].concat();
    assert!(server.ends_with(&asked), "{}", server.escape_ascii());
}
