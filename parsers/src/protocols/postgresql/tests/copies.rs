//! Copies in, out and both ways, and calls of functions.

use super::check;
use super::wire::*;
use super::*;

const FORMAT: &[u8] = &[0, 0, 1, 0, 0];

fn data(text: &str) -> Vec<u8> {
    message(b'd', text.as_bytes())
}

#[test]
fn data_that_the_client_copies_is_part_of_its_request() {
    let said = [
        client(&[query("COPY t FROM STDIN")]),
        server(&[message(b'G', FORMAT)]),
        client(&[data("1\n"), data("2\n"), data(&"3".repeat(70_000)), plain('c')]),
        server(&[complete("COPY 3"), ready('I')]),
    ];
    check(&said, &["COPY Ok affected_rows=3"]);
    let recording = run(&said, Split::Whole);
    assert_eq!(recording.messages[0].end, Some(23 + 7 + 7 + 70_005 + 5));
}

#[test]
fn data_that_the_server_copies_is_counted() {
    check(
        &[
            client(&[query("COPY t TO STDOUT")]),
            server(&[message(b'H', FORMAT), data("1\n"), data("2\n"), plain('c')]),
            server(&[complete("COPY 2"), ready('I')]),
        ],
        &["COPY Ok returned_rows=2"],
    );
}

#[test]
fn copy_that_the_client_gives_up_has_its_error() {
    check(
        &[
            client(&[query("COPY t FROM STDIN")]),
            server(&[message(b'G', FORMAT)]),
            client(&[data("1\n"), message(b'f', b"no more\0")]),
            server(&[error("ERROR", "57014", "COPY from stdin failed"), ready('I')]),
        ],
        &["COPY ServerError 57014 error=COPY from stdin failed"],
    );
}

#[test]
fn copy_by_the_extended_protocol_is_one_exchange() {
    check(
        &[
            client(&[parse("", "COPY t FROM STDIN"), bind("", "", &[]), execute(""), sync()]),
            server(&[plain('1'), plain('2'), message(b'G', FORMAT)]),
            client(&[data("1\n"), plain('c'), sync()]),
            server(&[complete("COPY 1"), ready('I')]),
            client(&[query("BEGIN")]),
            server(&[complete("BEGIN"), ready('T')]),
        ],
        &["COPY Ok affected_rows=1", "BEGIN Ok transaction=open"],
    );
}

#[test]
fn replication_does_not_break_the_stream() {
    let said = [
        client(&[query("START_REPLICATION 0/1")]),
        server(&[message(b'W', &[0, 0, 0]), data("w")]),
        client(&[data("r")]),
        server(&[data("k"), data("w")]),
        client(&[plain('c')]),
        server(&[plain('c'), complete("COPY 0"), complete("START_STREAMING"), ready('I')]),
        client(&[query("BEGIN")]),
        server(&[complete("BEGIN"), ready('T')]),
    ];
    check(&said, &["START_REPLICATION Ok", "BEGIN Ok transaction=open"]);
    assert_eq!(run(&said, Split::Whole).lost, ["postgresql replication streams"]);
}

#[test]
fn function_call_names_its_object() {
    check(
        &[
            client(&[message(b'F', &[0, 0, 6, 62, 0, 0, 0, 1, 0, 0, 0, 1, b'5', 0, 0])]),
            server(&[message(b'V', &[0, 0, 0, 1, b'6']), ready('I')]),
        ],
        &["FUNCTION CALL 1598 Ok"],
    );
}
