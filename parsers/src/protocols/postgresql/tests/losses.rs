//! Starts amid a session, gaps and ends.

use super::check;
use super::wire::*;
use super::*;

fn pair(text: &str, tag: &str) -> [Said; 2] {
    [client(&[query(text)]), server(&[complete(tag), ready('I')])]
}

fn lossy(said: &[&[Said]], expected: &[&str]) -> Vec<&'static str> {
    let recording = run(&said.concat(), Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    assert_eq!(recording.malformed, Vec::<&str>::new());
    assert_eq!(exchanges(&recording), expected);
    recording.lost
}

#[test]
fn gap_in_a_query_leaves_what_is_there() {
    let [_, answer] = pair("", "SELECT 0");
    let start = query("SELECT 1, 2, 3")[..14].to_vec();
    let lost = lossy(
        &[&[Said::Client(start), Said::ClientLost(6), answer], &pair("BEGIN", "BEGIN")],
        &["SELECT cut Ok returned_rows=0", "BEGIN Ok"],
    );
    assert_eq!(lost, ["postgresql requests cut"]);
}

#[test]
fn gap_that_swallows_a_query_does_not_shift_answers() {
    let [_, answer] = pair("", "INSERT 0 7");
    let lost = [Said::ClientLost(30), answer];
    lossy(
        &[&pair("SELECT 1", "SELECT 0"), &lost, &pair("BEGIN", "BEGIN")],
        &["SELECT Ok returned_rows=0", "BEGIN Ok"],
    );
}

#[test]
fn gap_of_nothing_that_is_answered_does_not_shift_answers() {
    lossy(
        &[
            &pair("SELECT 1", "SELECT 0"),
            &[Said::ClientLost(30)],
            &pair("BEGIN", "BEGIN"),
            &pair("COMMIT", "COMMIT"),
        ],
        &["SELECT Ok returned_rows=0", "BEGIN Ok", "COMMIT Ok"],
    );
}

#[test]
fn gap_in_rows_is_made_up_for_by_the_next_answer() {
    let said = [
        client(&[query("SELECT 1")]),
        server(&[columns(&["a"]), row(&["1"])]),
        Said::ServerLost(1000),
        Said::Server(b"of a row".to_vec()),
        server(&[complete("SELECT 9"), ready('I')]),
    ];
    let recording = run(&said, Split::Whole);
    assert_eq!(recording.lost, ["postgresql responses cut"]);
    assert_eq!(recording.messages[1].end, Some(39));
    lossy(&[&said[..4], &pair("BEGIN", "BEGIN")], &["SELECT Unknown returned_rows=1", "BEGIN Ok"]);
}

#[test]
fn gap_in_a_head_is_made_up_for_by_the_next_message() {
    let said = [
        Said::Client(b"Q\0\0".to_vec()),
        Said::ClientLost(20),
        Said::Client(b"middle of a query".to_vec()),
    ];
    let lost = lossy(&[&said, &pair("BEGIN", "BEGIN")], &["BEGIN Ok"]);
    assert_eq!(lost, ["postgresql requests cut"]);
}

#[test]
fn gap_within_a_long_row_costs_nothing() {
    let long = row(&[&"v".repeat(50_000)]);
    let (start, rest) = long.split_at(1000);
    lossy(
        &[&[
            client(&[query("SELECT 1")]),
            Said::Server(start.to_vec()),
            Said::ServerLost(40_000),
            Said::Server([&rest[40_000..], &complete("SELECT 1"), &ready('I')].concat()),
        ]],
        &["SELECT Ok returned_rows=1"],
    );
}

#[test]
fn gap_after_a_bind_ends_its_turn() {
    lossy(
        &[
            &[
                client(&[parse("", "SELECT 1"), bind("", "", &[])]),
                Said::ClientLost(15),
                server(&[plain('1'), plain('2'), complete("SELECT 0"), ready('I')]),
            ],
            &pair("BEGIN", "BEGIN"),
        ],
        &["SELECT Ok returned_rows=0", "BEGIN Ok"],
    );
}

#[test]
fn lost_answers_of_a_pipeline_leave_their_requests_without() {
    let said = [
        client(&[query("SELECT 1"), query("SELECT 2")]),
        Said::ServerLost(500),
        Said::Server(b"rest".to_vec()),
    ];
    let recording = run(&[&said[..], &pair("BEGIN", "BEGIN")].concat(), Split::Whole);
    let responses = recording.messages.iter().filter(|m| m.kind == Kind::Response).count();
    assert_eq!(responses, 1);
}

#[test]
fn session_is_read_from_its_middle() {
    check(
        &[
            server(&[row(&["1"]), complete("SELECT 1"), ready('I')]),
            client(&[query("BEGIN")]),
            server(&[complete("BEGIN"), ready('T')]),
        ],
        &["BEGIN Ok returned_rows=1", "unasked"],
    );
}

#[test]
fn resume_wants_proof() {
    let mut made = protocol(&Arc::default());
    let conn = made.open(&flow(Transport::Tcp, 1, 2), Side::A);
    let long = query(&format!("SELECT '{}'", "v".repeat(50_000)));
    for (bytes, expected) in [
        (query("SELECT 1"), true),
        ([parse("", "SELECT 1"), bind("", "", &[]), execute(""), sync()].concat(), true),
        (long[..1448].to_vec(), true),
        (sync(), true),
        (plain('X'), true),
        (flush(), false),
        (b"Q\0\0\0\x20\x01\x02".to_vec(), false),
        (b"SELECT 1\0".to_vec(), false),
    ] {
        assert_eq!(made.resume(conn, Side::A, &bytes), expected, "{}", bytes.escape_ascii());
    }
    for (bytes, expected) in [
        (ready('I'), true),
        ([columns(&["a"]), row(&["1"])].concat(), true),
        ([row(&["1"]), row(&["2"]), row(&["3"])[..9].to_vec()].concat(), true),
        ([plain('1'), plain('2')].concat(), true),
        (row(&["1"]), false),
        (b"Z\0\0\0\x05X".to_vec(), false),
        (b"D\0\0\0\x20\0\x02".to_vec(), false),
    ] {
        assert_eq!(made.resume(conn, Side::B, &bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn gap_in_a_login_leaves_it_one() {
    lossy(
        &[
            &[
                client(&[startup(0x0003_0000, b"user\0joe\0\0")]),
                server(&[authentication(10, b"SCRAM-SHA-256\0\0")]),
                Said::ClientLost(30),
                server(&[authentication(11, b"r=x")]),
                client(&[message(b'p', b"c=biws")]),
                server(&[authentication(12, b"v=x"), authentication(0, b""), ready('I')]),
            ],
            &pair("BEGIN", "BEGIN"),
        ],
        &["LOGIN joe handshake Ok", "BEGIN Ok"],
    );
}
