//! Commands with what they are answered with.

use super::*;

#[test]
fn rows_are_counted_with_and_without_eof_before_them() {
    let rows: &[&[u8]] = &[b"\x01", COLUMN, EOF, b"\x011", b"\xfb", EOF];
    let expected = &["A Request SELECT t {shop} [SELECT n FROM t]", "B Response Ok rows=2"];
    check_after_login(0, &[query("SELECT n FROM t"), response(rows)], expected);
    let rows: &[&[u8]] = &[b"\x01", COLUMN, b"\x011", b"\xfb", END];
    check_after_login(DEPRECATE_EOF, &[query("SELECT n FROM t"), response(rows)], expected);
}

#[test]
fn results_of_several_statements_are_one_response() {
    let more_end = b"\xfe\0\0\x0a\0\0\0";
    check_after_login(
        DEPRECATE_EOF,
        &[
            query("SELECT 1; UPDATE t"),
            response(&[b"\x01", COLUMN, b"\x011", more_end, b"\0\x05\0\x02\0\0\0"]),
            query("CALL p()"),
            response(&[b"\x01", COLUMN, more_end, OK]),
        ],
        &[
            "A Request SELECT t {shop} [SELECT ?; UPDATE t]",
            "B Response Ok rows=1 affected=5 batch=2",
            "A Request CALL p {shop} [CALL p()]",
            "B Response Ok rows=0",
        ],
    );
}

#[test]
fn error_within_rows_is_the_outcome() {
    check_after_login(
        DEPRECATE_EOF,
        &[
            query("SELECT 1"),
            response(&[b"\x01", COLUMN, b"\x011", b"\xff\x25\x05#70100Query was interrupted"]),
        ],
        &[
            "A Request SELECT {shop} [SELECT ?]",
            "B Response ServerError 1317 70100 {Query was interrupted} rows=1",
        ],
    );
}

#[test]
fn each_command_has_its_own_kind_of_answer() {
    check_after_login(
        0,
        &[
            command(b"\x0e"),
            response(&[OK]),
            command(b"\x09"),
            response(&[b"Uptime: 5"]),
            command(b"\x04orders\0%"),
            response(&[COLUMN, COLUMN, EOF]),
            command(b"\x1b\0\0"),
            response(&[EOF]),
            command(b"\x0c\x09\0\0\0"),
            response(&[OK]),
            command(b"\x05new"),
            response(&[b"\0\x01\0\x02\0\0\0"]),
            command(b"\x1f"),
            response(&[OK]),
            command(b"\x01"),
        ],
        &[
            "A Request PING {shop}",
            "B Response Ok",
            "A Request STATISTICS {shop}",
            "B Response Ok",
            "A Request FIELD LIST orders {shop}",
            "B Response Ok",
            "A Request SET OPTION {shop}",
            "B Response Ok",
            "A Request PROCESS KILL 9 {shop}",
            "B Response Ok",
            "A Request CREATE DB new {shop}",
            "B Response Ok affected=1",
            "A Request RESET CONNECTION {shop}",
            "B Response Ok",
            "A End QUIT {shop}",
        ],
    );
}

#[test]
fn database_is_the_one_that_was_chosen_last_with_success() {
    check_after_login(
        0,
        &[
            command(b"\x02stock"),
            response(&[OK]),
            command(b"\x02none"),
            response(&[b"\xff\x19\x04#42000Unknown database 'none'"]),
            command(b"\x0e"),
            // The session's state has changed: its database is `tracked`.
            response(&[b"\0\0\0\x02\x40\0\0\0\x0a\x01\x08\x07tracked"]),
            command(b"\x0e"),
        ],
        &[
            "A Request INIT DB stock {shop}",
            "B Response Ok",
            "A Request INIT DB none {stock}",
            "B Response ClientError 1049 42000 {Unknown database '?'}",
            "A Request PING {stock}",
            "B Response Ok",
            "A Request PING {tracked}",
        ],
    );
}

#[test]
fn execution_is_called_as_what_was_prepared() {
    check_after_login(
        0,
        &[
            command(b"\x16SELECT n FROM t WHERE a = ?"),
            response(&[b"\0\x01\0\0\0\x01\0\x01\0\0\0\0", COLUMN, EOF, COLUMN, EOF]),
            command(b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x03\0\x07\0\0\0"),
            response(&[b"\x01", COLUMN, EOF, b"\0\0\x07\0\0\0", EOF]),
            command(b"\x18\x01\0\0\0\0\0long"),
            command(b"\x1a\x01\0\0\0"),
            response(&[OK]),
            command(b"\x19\x01\0\0\0"),
            command(b"\x17\x01\0\0\0\0\x01\0\0\0"),
            response(&[b"\xff\xdb\x04#HY000Unknown prepared statement handler (1) given"]),
        ],
        &[
            "A Request PREPARE SELECT t {shop} [SELECT n FROM t WHERE a = ?]",
            "B Response Ok",
            "A Request SELECT t {shop} {EXECUTE} [SELECT n FROM t WHERE a = ?]",
            "B Response Ok rows=1",
            "A OneWay SEND LONG DATA SELECT t {shop}",
            "A Request RESET SELECT t {shop}",
            "B Response Ok",
            "A End CLOSE SELECT t {shop}",
            "A Request EXECUTE {shop}",
            "B Response ClientError 1243 HY000 {Unknown prepared statement handler (1) given}",
        ],
    );
}

#[test]
fn rows_of_a_cursor_are_fetched() {
    check_after_login(
        0,
        &[
            command(b"\x16SELECT n"),
            response(&[b"\0\x01\0\0\0\x01\0\0\0\0\0\0", COLUMN, EOF]),
            command(b"\x17\x01\0\0\0\x01\x01\0\0\0"),
            response(&[b"\x01", COLUMN, b"\xfe\0\0\x42\0"]),
            command(b"\x1c\x01\0\0\0\x02\0\0\0"),
            response(&[b"\0\0\x01", b"\0\0\x02", b"\xfe\0\0\x42\0"]),
            command(b"\x1c\x01\0\0\0\x02\0\0\0"),
            response(&[b"\xfe\0\0\x82\0"]),
        ],
        &[
            "A Request PREPARE SELECT {shop} [SELECT n]",
            "B Response Ok",
            "A Request SELECT {shop} {EXECUTE} [SELECT n]",
            "B Response Ok rows=0",
            "A Request FETCH SELECT {shop}",
            "B Response Ok rows=2",
            "A Request FETCH SELECT {shop}",
            "B Response Ok rows=0",
        ],
    );
}

#[test]
fn latest_statement_is_executed_before_its_id_is_known() {
    let both = [packets(0, &[b"\x16SELECT n"]), packets(0, &[b"\x17\xff\xff\xff\xff\0\x01\0\0\0"])];
    let prepared = packets(1, &[b"\0\x01\0\0\0\x01\0\0\0\0\0\0", COLUMN]);
    let rows = packets(1, &[b"\x01", COLUMN, b"\0\0\x01", END]);
    check_after_login(
        DEPRECATE_EOF,
        &[sent(both.concat()), answered([prepared, rows].concat())],
        &[
            "A Request PREPARE SELECT {shop} [SELECT n]",
            "A Request SELECT {shop} {EXECUTE} [SELECT n]",
            "B Response Ok",
            "B Response Ok rows=1",
        ],
    );
}

#[test]
fn file_of_the_client_is_no_command() {
    let mut file = packets(2, &[b"\x03DROP TABLE t", b"\x01"]);
    file.extend(packets(4, &[b""]));
    check_after_login(
        0,
        &[
            query("LOAD DATA"),
            response(&[b"\xfbfile.csv"]),
            sent(file),
            answered(packets(5, &[b"\0\x02\0\x02\0\0\0"])),
            query("COMMIT"),
            response(&[OK]),
        ],
        &[
            "A Request LOAD {shop} [LOAD DATA]",
            "B Response Ok affected=2",
            "A Request COMMIT {shop} [COMMIT]",
            "B Response Ok",
        ],
    );
}

#[test]
fn identifiers_are_found_in_attributes_and_comments() {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let attributes =
        [&b"\x03\x01\x01\0\x01\xfe\0\x0btraceparent\x37"[..], traceparent.as_bytes(), b"SELECT 1"]
            .concat();
    check_after_login(
        1 << 27,
        &[command(&attributes), response(&[OK]), command(b"\x03\0\x01SELECT 2"), response(&[OK])],
        &[
            "A Request SELECT {shop} [SELECT ?] traceparent",
            "B Response Ok",
            "A Request SELECT {shop} [SELECT ?]",
            "B Response Ok",
        ],
    );
    // Without a login that was seen, too.
    check(&[command(&attributes)], &["A Request SELECT [SELECT ?] traceparent"]);
}

#[test]
fn events_of_the_binary_log_are_passed_over() {
    check_after_login(
        0,
        &[
            command(b"\x12\x04\0\0\0\0\0\x02\0\0\0binlog.1"),
            response(&[b"\0event", b"\0event", b"\x07"]),
            sent(&b"\xef anything"[..]),
            answered(&b"\xff anything"[..]),
        ],
        &["A Request BINLOG DUMP {shop}", "B Response Ok"],
    );
}

#[test]
fn progress_is_no_end() {
    check_after_login(
        DEPRECATE_EOF,
        &[
            query("ALTER TABLE t"),
            response(&[b"\xff\xff\xff\x01\x01\x02\0\0\0\x04copy", OK]),
            query("SELECT 1"),
            response(&[b"\x01", COLUMN, b"\xff\xff\xff\x01\x01\x02\0\0\0\x04sort", b"\x011", END]),
        ],
        &[
            "A Request ALTER t {shop} [ALTER TABLE t]",
            "B Response Ok",
            "A Request SELECT {shop} [SELECT ?]",
            "B Response Ok rows=1",
        ],
    );
}

#[test]
fn pipelined_commands_are_answered_in_their_order() {
    let commands = [packets(0, &[b"\x03A"]), packets(0, &[b"\x0e"]), packets(0, &[b"\x03B"])];
    let responses =
        [packets(1, &[b"\x01", COLUMN, b"\x011", END]), packets(1, &[OK]), packets(1, &[OK])];
    check_after_login(
        DEPRECATE_EOF,
        &[sent(commands.concat()), answered(responses.concat())],
        &[
            "A Request A {shop} [A]",
            "A Request PING {shop}",
            "A Request B {shop} [B]",
            "B Response Ok rows=1",
            "B Response Ok",
            "B Response Ok",
        ],
    );
}

#[test]
fn columns_need_not_be_described() {
    let expected = &["A Request SELECT {shop} [SELECT ?]", "B Response Ok rows=1"];
    // MariaDB: the flag stands behind the count.
    let rows: &[&[u8]] = &[b"\x01\0", b"\x011", END];
    check_after_login(DEPRECATE_EOF, &[query("SELECT 1"), response(rows)], expected);
    let rows: &[&[u8]] = &[b"\x01\x01", COLUMN, b"\x011", END];
    check_after_login(DEPRECATE_EOF, &[query("SELECT 1"), response(rows)], expected);
    // MySQL: before it.
    let optional = DEPRECATE_EOF | 1 << 25;
    let rows: &[&[u8]] = &[b"\0\x01", b"\x011", END];
    check_after_login(optional, &[query("SELECT 1"), response(rows)], expected);
    let rows: &[&[u8]] = &[b"\x01\x01", COLUMN, b"\x011", END];
    check_after_login(optional, &[query("SELECT 1"), response(rows)], expected);
}

#[test]
fn prepared_statements_of_a_connection_are_limited() {
    let mut events = login(DEPRECATE_EOF);
    for id in 0..1025_u32 {
        events.push(command(b"\x16SELECT n"));
        let [a, b, ..] = id.to_le_bytes();
        events.push(response(&[&[0, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0]]));
    }
    events.push(command(b"\x17\0\0\0\0\0\x01\0\0\0"));
    events.push(command(b"\x17\x01\0\0\0\0\x01\0\0\0"));
    let recording = run(&events, Split::Whole);
    assert_eq!(recording.lost, ["mysql prepared statements over the limit"]);
    let last = lines(&recording).split_off(2052);
    assert_eq!(last, ["A Request EXECUTE {shop}", "A Request SELECT {shop} {EXECUTE} [SELECT n]"]);
}

#[test]
fn server_tells_what_a_backslash_is() {
    check_after_login(
        0,
        &[
            query(r"SELECT 'a\', 'b'"),
            response(&[b"\0\0\0\x02\x02\0\0"]),
            query(r"SELECT 'a\', 'b'"),
            response(&[OK]),
        ],
        &[
            r"A Request SELECT {shop} [SELECT ?]",
            "B Response Ok",
            "A Request SELECT {shop} [SELECT ?, ?]",
            "B Response Ok",
        ],
    );
}

#[test]
fn bulk_has_so_many_sets_of_values() {
    check_after_login(
        DEPRECATE_EOF,
        &[
            command(b"\x16INSERT INTO t VALUES (?, ?)"),
            response(&[b"\0\x01\0\0\0\0\0\x02\0\0\0\0", COLUMN, COLUMN]),
            // A number and a text, then NULL and a text.
            command(b"\xfa\x01\0\0\0\x80\0\x03\0\xfe\0\0\x07\0\0\0\0\x03abc\x01\0\x03def"),
            response(&[b"\0\x02\0\x02\0\0\0"]),
        ],
        &[
            "A Request PREPARE INSERT t {shop} [INSERT INTO t VALUES (?)]",
            "B Response Ok",
            "A Request INSERT t {shop} {BULK EXECUTE} [INSERT INTO t VALUES (?)] batch=2",
            "B Response Ok affected=2",
        ],
    );
}
