//! The extended protocol: what belongs to one statement is one exchange.

use super::check;
use super::wire::*;
use super::*;

#[test]
fn parse_bind_and_execute_are_one_exchange() {
    let said = [
        client(&[parse("", "SELECT $1"), bind("", "", &["7"]), describe('P', "")]),
        client(&[execute(""), sync()]),
        server(&[plain('1'), plain('2'), columns(&["a"]), row(&["7"]), complete("SELECT 1")]),
        server(&[ready('I')]),
    ];
    check(&said, &["SELECT Ok returned_rows=1"]);
    let recording = run(&said, Split::Whole);
    let sent: u64 = said[..2].iter().map(size).sum();
    let answered: u64 = said[2..].iter().map(size).sum();
    let ranges: Vec<_> = recording.messages.iter().map(|m| (m.start, m.end)).collect();
    assert_eq!(ranges, [(0, Some(sent)), (0, Some(answered))]);
}

fn size(said: &Said) -> u64 {
    match said {
        Said::Client(bytes) | Said::Server(bytes) => bytes.len() as u64,
        _ => 0,
    }
}

#[test]
fn prepared_statement_is_known_when_it_is_executed() {
    let types = message(b't', &[0, 0]);
    let said = [
        client(&[parse("s1", "SELECT 1"), describe('S', "s1"), sync()]),
        server(&[plain('1'), types, columns(&["a"]), ready('I')]),
        client(&[bind("", "s1", &[]), execute(""), sync()]),
        server(&[plain('2'), row(&["1"]), complete("SELECT 1"), ready('I')]),
        client(&[bind("", "s1", &[]), execute(""), sync()]),
        server(&[plain('2'), row(&["1"]), complete("SELECT 1"), ready('I')]),
    ];
    let executed = "SELECT command=EXECUTE Ok returned_rows=1";
    check(&said, &["PREPARE SELECT Ok", executed, executed]);
    let recording = run(&said, Split::Whole);
    let texts = recording.messages.iter().flat_map(|message| &message.attributes);
    assert_eq!(texts.filter(|(name, _)| name == "db.query.text").count(), 3);
}

#[test]
fn statement_that_was_not_seen_is_executed_by_its_name() {
    check(
        &[
            client(&[bind("", "S_7", &[]), execute(""), sync()]),
            server(&[plain('2'), complete("INSERT 0 1"), ready('I')]),
        ],
        &["EXECUTE S_7 Ok affected_rows=1"],
    );
}

#[test]
fn flush_lets_the_answer_come_before_the_sync() {
    let types = message(b't', &[0, 0]);
    check(
        &[
            client(&[parse("a", "SELECT 1"), describe('S', "a"), flush()]),
            server(&[plain('1'), types, columns(&["a"])]),
            client(&[bind("", "a", &[]), execute(""), sync()]),
            server(&[plain('2'), row(&["1"]), complete("SELECT 1"), ready('I')]),
            client(&[bind("", "a", &[]), execute(""), flush()]),
            server(&[plain('2'), row(&["1"]), complete("SELECT 1")]),
            client(&[sync()]),
            server(&[ready('I')]),
            client(&[query("BEGIN")]),
            server(&[complete("BEGIN"), ready('T')]),
        ],
        &[
            "PREPARE SELECT Ok",
            "SELECT command=EXECUTE Ok returned_rows=1",
            "SELECT command=EXECUTE Ok returned_rows=1",
            "BEGIN Ok transaction=open",
        ],
    );
}

#[test]
fn flush_between_bind_and_execute_parts_nothing() {
    check(
        &[
            client(&[parse("a", "SELECT 1"), flush(), sync()]),
            server(&[plain('1'), ready('I')]),
            client(&[bind("", "a", &[]), flush(), execute(""), flush(), sync()]),
            server(&[plain('2'), complete("SELECT 1"), ready('I')]),
            client(&[bind("", "a", &[]), flush()]),
            server(&[plain('2')]),
            client(&[execute(""), flush(), sync()]),
            server(&[complete("SELECT 1"), ready('I')]),
        ],
        &[
            "PREPARE SELECT Ok",
            "SELECT command=EXECUTE Ok returned_rows=1",
            "SELECT command=EXECUTE Ok returned_rows=1",
        ],
    );
}

#[test]
fn what_comes_after_an_answer_is_an_exchange_of_its_own() {
    let types = message(b't', &[0, 0]);
    check(
        &[
            client(&[parse("a", "SELECT 1"), flush()]),
            server(&[plain('1')]),
            client(&[describe('S', "a"), flush()]),
            server(&[types, columns(&["a"])]),
            client(&[close('S', "a"), sync()]),
            server(&[plain('3'), ready('I')]),
        ],
        &["PREPARE SELECT Ok", "DESCRIBE SELECT Ok", "CLOSE SELECT Ok"],
    );
}

#[test]
fn pipelined_executes_are_an_exchange_each() {
    check(
        &[
            client(&[parse("i", "SELECT $1"), bind("", "i", &["1"]), execute("")]),
            client(&[bind("", "i", &["2"]), execute(""), bind("", "i", &["3"]), execute("")]),
            client(&[sync()]),
            server(&[plain('1'), plain('2'), row(&["1"]), complete("SELECT 1")]),
            server(&[plain('2'), row(&["2"]), complete("SELECT 1")]),
            server(&[plain('2'), row(&["3"]), complete("SELECT 1"), ready('I')]),
        ],
        &[
            "SELECT Ok returned_rows=1",
            "SELECT command=EXECUTE Ok returned_rows=1",
            "SELECT command=EXECUTE Ok returned_rows=1",
        ],
    );
}

#[test]
fn what_follows_an_error_is_skipped_up_to_the_sync() {
    let run_of = |text| [parse("", text), bind("", "", &[]), execute("")].concat();
    check(
        &[
            client(&[run_of("SELECT 1"), run_of("SELECT x"), run_of("SELECT 3"), sync()]),
            client(&[run_of("SELECT 4"), sync()]),
            server(&[plain('1'), plain('2'), row(&["1"]), complete("SELECT 1")]),
            server(&[error("ERROR", "42703", "no column"), ready('I')]),
            server(&[plain('1'), plain('2'), row(&["4"]), complete("SELECT 1"), ready('I')]),
        ],
        &[
            "SELECT Ok returned_rows=1",
            "SELECT ClientError 42703 error=no column",
            "SELECT ClientError skipped after error",
            "SELECT Ok returned_rows=1",
        ],
    );
}

#[test]
fn commit_that_fails_at_the_sync_is_the_outcome() {
    check(
        &[
            client(&[parse("", "SELECT 1"), bind("", "", &[]), execute(""), sync()]),
            server(&[plain('1'), plain('2'), complete("INSERT 0 1")]),
            server(&[error("ERROR", "23503", "violates \"fk\""), ready('I')]),
        ],
        &["SELECT ClientError 23503 error=violates \"?\" affected_rows=1"],
    );
}

#[test]
fn portal_is_fetched_from_again() {
    check(
        &[
            client(&[parse("", "SELECT 1"), bind("c", "", &[]), execute("c"), sync()]),
            server(&[plain('1'), plain('2'), row(&["1"]), row(&["2"]), plain('s'), ready('T')]),
            client(&[query("BEGIN")]),
            server(&[complete("BEGIN"), ready('T')]),
            client(&[execute("c"), sync()]),
            server(&[row(&["3"]), complete("SELECT 1"), ready('T')]),
        ],
        &[
            "SELECT Ok transaction=open returned_rows=2",
            "BEGIN Ok transaction=open",
            "SELECT command=EXECUTE Ok transaction=open returned_rows=1",
        ],
    );
}

#[test]
fn describe_close_and_sync_alone_are_exchanges() {
    let types = message(b't', &[0, 0]);
    check(
        &[
            client(&[parse("a", "SELECT 1"), sync()]),
            server(&[plain('1'), ready('I')]),
            client(&[describe('S', "a"), sync()]),
            server(&[types, plain('n'), ready('I')]),
            client(&[close('S', "a"), sync()]),
            server(&[plain('3'), ready('I')]),
            client(&[sync()]),
            server(&[ready('I')]),
        ],
        &["PREPARE SELECT Ok", "DESCRIBE SELECT Ok", "CLOSE SELECT Ok", "SYNC Ok"],
    );
}

#[test]
fn close_before_a_statement_belongs_to_no_exchange() {
    check(
        &[
            client(&[close('S', "a"), parse("a", "SELECT 1"), bind("", "a", &[]), execute("")]),
            client(&[close('P', ""), sync()]),
            server(&[plain('3'), plain('1'), plain('2'), complete("SELECT 0"), plain('3')]),
            server(&[ready('I')]),
        ],
        &["SELECT Ok returned_rows=0"],
    );
}

#[test]
fn simple_query_forgets_the_unnamed_statement_only() {
    check(
        &[
            client(&[parse("", "SELECT 1"), sync(), parse("n", "COMMIT"), sync(), query("BEGIN")]),
            client(&[bind("", "", &[]), execute(""), sync()]),
            client(&[bind("", "n", &[]), execute(""), sync()]),
        ],
        &[
            "PREPARE SELECT unanswered",
            "PREPARE COMMIT unanswered",
            "BEGIN unanswered",
            "EXECUTE unanswered",
            "COMMIT command=EXECUTE unanswered",
        ],
    );
}

#[test]
fn unnamed_statement_outlives_named_ones() {
    check(
        &[
            client(&[parse("", "SELECT 1"), sync(), parse("n", "COMMIT"), sync()]),
            client(&[bind("", "", &[]), execute(""), sync()]),
        ],
        &[
            "PREPARE SELECT unanswered",
            "PREPARE COMMIT unanswered",
            "SELECT command=EXECUTE unanswered",
        ],
    );
}

#[test]
fn prepared_statements_are_bounded() {
    let many: Vec<Vec<u8>> =
        (0..1030).flat_map(|n| [parse(&n.to_string(), "SELECT 1"), sync()]).collect();
    let recording = run(&[client(&many)], Split::Whole);
    assert_eq!(recording.lost, ["postgresql prepared statements over the limit"; 6]);
}

#[test]
fn awaited_answers_are_bounded() {
    let many = vec![sync(); 20_000];
    let recording = run(&[client(&many)], Split::Whole);
    assert_eq!(recording.lost, ["postgresql outstanding steps over the limit"]);
}

#[test]
fn long_parse_and_long_bind_are_read_in_pieces() {
    let text = format!("SELECT '{}'", "v".repeat(50_000));
    let value = "v".repeat(50_000);
    check(
        &[
            client(&[parse("a", &text), bind("", "a", &[&value]), execute(""), sync()]),
            server(&[plain('1'), plain('2'), complete("SELECT 0"), ready('I')]),
            client(&[bind("", "a", &[&value]), execute(""), sync()]),
            server(&[plain('2'), complete("SELECT 0"), ready('I')]),
        ],
        &["SELECT Ok returned_rows=0", "SELECT command=EXECUTE Ok returned_rows=0"],
    );
}
