//! Connections whose login was not seen.

use super::*;

#[test]
fn rows_tell_whether_eof_stands_before_them() {
    let expected = &["A Request SELECT [SELECT ?]", "B Response Ok rows=1"];
    check(&[query("SELECT 1"), response(&[b"\x01", COLUMN, EOF, b"\x011", EOF])], expected);
    check(&[query("SELECT 1"), response(&[b"\x01", COLUMN, b"\x011", END])], expected);
    let expected = &["A Request SELECT [SELECT ?]", "B Response Ok rows=0"];
    check(&[query("SELECT 1"), response(&[b"\x01", COLUMN, EOF, EOF])], expected);
    check(&[query("SELECT 1"), response(&[b"\x01", COLUMN, END])], expected);
}

#[test]
fn client_may_ask_for_what_a_greeting_that_was_not_seen_does_not_offer() {
    const QUERY_ATTRIBUTES: u64 = 1 << 27;
    let login = login(DEPRECATE_EOF | QUERY_ATTRIBUTES).split_off(1);
    let select = [query("SELECT 1"), response(&[b"\x01", COLUMN, EOF, b"\x011", EOF])];
    let expected = [
        "A Handshake LOGIN shop {shop} {joe}",
        "B Response Ok",
        "A Request SELECT {shop} [SELECT ?]",
        "B Response Ok rows=1",
    ];
    check(&[login.clone(), select.to_vec()].concat(), &expected);
    let select = [command(b"\x03\0\x01SELECT 1"), response(&[b"\x01", COLUMN, b"\x011", END])];
    check(&[login, select.to_vec()].concat(), &expected);
}

#[test]
fn eof_after_definitions_that_seemed_complete_is_no_response() {
    let prepared: &[u8] = b"\0\x01\0\0\0\x01\0\0\0\0\0\0";
    let expected = &[
        "A Request PREPARE SELECT [SELECT n]",
        "B Response Ok",
        "A Request SELECT {EXECUTE} [SELECT n]",
        "B Response Ok rows=0",
    ];
    let execute = command(b"\x17\x01\0\0\0\0\x01\0\0\0");
    check(
        &[
            command(b"\x16SELECT n"),
            response(&[prepared, COLUMN, EOF]),
            execute.clone(),
            response(&[b"\x01", COLUMN, EOF, EOF]),
        ],
        expected,
    );
    check(
        &[
            command(b"\x16SELECT n"),
            response(&[prepared, COLUMN]),
            execute,
            response(&[b"\x01", COLUMN, END]),
        ],
        expected,
    );
}

#[test]
fn definitions_of_parameters_tell_it_too() {
    let prepared: &[u8] = b"\0\x01\0\0\0\x01\0\x01\0\0\0\0";
    let expected = &["A Request PREPARE SELECT [SELECT ?]", "B Response Ok"];
    for definitions in [&[prepared, COLUMN, EOF, COLUMN, EOF][..], &[prepared, COLUMN, COLUMN]] {
        check(&[command(b"\x16SELECT ?"), response(definitions)], expected);
    }
}

#[test]
fn response_without_its_command_is_read() {
    check(
        &[
            response(&[b"\x01", COLUMN, EOF, b"\x011", EOF]),
            query("SELECT 1"),
            response(&[b"\x01", COLUMN, EOF, b"\x011", EOF]),
        ],
        &["B Response Ok rows=1", "A Request SELECT [SELECT ?]", "B Response Ok rows=1"],
    );
    check(
        &[response(&[b"\0\x01\0\0\0\x01\0\0\0\0\0\0", COLUMN, EOF]), query("SELECT 1")],
        &["B Response Ok", "A Request SELECT [SELECT ?]"],
    );
}

#[test]
fn rows_in_the_middle_are_no_response() {
    let rows = packets(7, &[b"\x011", b"\x012", EOF]);
    let recording = run(&[answered(rows)], Split::Whole);
    assert_eq!(lines(&recording), Vec::<String>::new());
    assert_eq!(recording.malformed, ["sequence id"]);
}
