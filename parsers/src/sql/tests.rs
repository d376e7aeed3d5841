//! What is read of statements, whole and in pieces.

use super::*;
use crate::random::Random;

fn read(dialect: Dialect, sql: &str, settings: &Arc<Settings>) -> (Statement, Vec<Range<usize>>) {
    let mut lexer = Lexer::new(dialect, settings);
    let mut literals = Vec::new();
    lexer.restart();
    lexer.read(sql.as_bytes(), &mut |range| literals.push(range));
    lexer.end();
    let whole = (lexer.statement().clone(), merged(literals));
    for length in 1..sql.len().min(12) {
        let pieces = read_in_pieces(&mut lexer, sql.as_bytes(), length);
        assert_eq!(describe(&pieces.0), describe(&whole.0), "{sql} in pieces of {length}");
        assert_eq!(pieces.1, whole.1, "{sql} in pieces of {length}");
    }
    whole
}

fn read_in_pieces(lexer: &mut Lexer, sql: &[u8], length: usize) -> (Statement, Vec<Range<usize>>) {
    let mut literals = Vec::new();
    lexer.restart();
    for (index, piece) in sql.chunks(length).enumerate() {
        let start = index * length;
        lexer.read(piece, &mut |range| literals.push(start + range.start..start + range.end));
    }
    lexer.end();
    (lexer.statement().clone(), merged(literals))
}

fn merged(ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => merged.push(range),
        }
    }
    merged
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn describe(statement: &Statement) -> String {
    let mut contexts = Vec::new();
    statement.contexts(&mut |context| {
        contexts.push(format!("{} {}", context.format.name(), text(context.text)));
    });
    format!(
        "{} | {} | {} | {} | {contexts:?}",
        text(statement.text()),
        text(statement.operation()),
        text(statement.target()),
        text(statement.summary()),
    )
}

fn check_text(dialect: Dialect, sql: &str, expected: &str) {
    assert_eq!(text(read(dialect, sql, &Arc::default()).0.text()), expected, "{sql}");
}

fn both(sql: &str, expected: &str) {
    check_text(Dialect::MySql, sql, expected);
    check_text(Dialect::PostgreSql, sql, expected);
}

fn mysql(sql: &str, expected: &str) {
    check_text(Dialect::MySql, sql, expected);
}

fn postgresql(sql: &str, expected: &str) {
    check_text(Dialect::PostgreSql, sql, expected);
}

#[test]
fn literals_are_masked() {
    both("SELECT * FROM t WHERE a = 'x' AND b=5", "SELECT * FROM t WHERE a = ? AND b=?");
    both("SELECT 'it''s', 1.5e-3, 0xFF, x'ab', -1", "SELECT ?, ?, ?, ?, ?");
    both("SELECT ''", "SELECT ?");
    both("SELECT 'a' 'b'\n'c' FROM t", "SELECT ? FROM t");
    both("select a-1, a -1, (a)-1, b.c+2", "select a-?, a -?, (a)-?, b.c+?");
    both("WHERE a IN (- 1) AND b > -2.5", "WHERE a IN (?) AND b > ?");
    both("SELECT t1.c2 FROM db1.t1", "SELECT t1.c2 FROM db1.t1");
    mysql(r"SELECT 'it\'s', 'C:\\', 5", "SELECT ?, ?, ?");
    mysql(r#"SELECT "it\"s ""x""", 5"#, "SELECT ?, ?");
    mysql(
        "SELECT _utf8mb4'x', N'y', b'01', @v, @@session.w",
        "SELECT _utf8mb4?, ?, ?, @v, @@session.w",
    );
    mysql(
        "GRANT ALL ON *.* TO 'root'@'localhost' IDENTIFIED BY 'pw'",
        "GRANT ALL ON *.* TO ?@? IDENTIFIED BY ?",
    );
    postgresql(r"SELECT 'C:\', E'it\'s', U&'d\0061t', 5", "SELECT ?, ?, U&?, ?");
    postgresql("SELECT $$it's$$, $a$ $$ $b$ $a$, $1, a$b", "SELECT ?, ?, $1, a$b");
    postgresql("SELECT $tag$ $ta $tagx$ $tag $tag$::text", "SELECT ?::text");
    postgresql(r#"SELECT "Id", "a""b" FROM "T""#, r#"SELECT "Id", "a"b" FROM "T""#);
    postgresql("SELECT a ->> 'k' ? 'x' # 5", "SELECT a ->> ? ? ? # ?");
}

#[test]
fn what_is_cut_off_is_masked() {
    both("SELECT 'secret", "SELECT ?");
    both("SELECT 12", "SELECT ?");
    mysql("SELECT 'x\\", "SELECT ?");
    mysql("SELECT `na", "SELECT `na`");
    postgresql("SELECT $a$ secret $a", "SELECT ?");
    postgresql(&format!("SELECT $a{}$ secret", "a".repeat(300)), "SELECT ?");
}

#[test]
fn backslashes_mean_what_the_server_says() {
    let mut lexer = Lexer::new(Dialect::MySql, &Arc::default());
    lexer.set_backslash(Backslash::Plain);
    lexer.restart();
    lexer.read(br"SELECT 'C:\', secret FROM t", &mut |_| {});
    lexer.end();
    assert_eq!(text(lexer.statement().text()), "SELECT ?, secret FROM t");
}

#[test]
fn literals_with_escapes_go_on_in_the_next_line() {
    postgresql("SELECT E'a'\n'it\\'s', b FROM t", "SELECT ?, b FROM t");
    postgresql("SELECT E'a' -- it's\n  '\\'s', b FROM t", "SELECT ?, b FROM t");
    postgresql(r"SELECT E'a', 'C:\', b FROM t", "SELECT ?, ?, b FROM t");
    postgresql(r"SELECT E'a' - 'C:\', b FROM t", "SELECT ? - ?, b FROM t");
    postgresql(r"SELECT @E'x\'y', a@E'x\'y', b FROM t", "SELECT @?, a@?, b FROM t");
}

#[test]
fn second_bytes_of_characters_are_no_backslashes() {
    // GBK: the second byte of the first literal is a backslash, that of the name a quote.
    let sql = b"INSERT INTO \x81` VALUES ('\xbf\\', 'secret', '\xbf\\\\'', '\x81\x81\\'x', a)";
    let mut lexer = Lexer::new(Dialect::MySql, &Arc::default());
    lexer.set_backslash(Backslash::EscapesAmongDoubleBytes);
    for length in 1..sql.len() {
        let (statement, _) = read_in_pieces(&mut lexer, sql, length);
        let expected = b"INSERT INTO \x81\xff VALUES (?, ?, ?, ?, a)";
        assert_eq!(statement.text(), expected, "{}", text(statement.text()));
    }
    lexer.set_backslash(Backslash::Escapes);
    let (statement, _) = read_in_pieces(&mut lexer, "SELECT '中\\'', a".as_bytes(), 3);
    assert_eq!(text(statement.text()), "SELECT ?, a");
}

#[test]
fn lists_become_one() {
    both("WHERE a IN (1, 2,3)", "WHERE a IN (?)");
    both("WHERE a IN ('x')", "WHERE a IN (?)");
    both(
        "INSERT INTO t (a, b) VALUES (1, 'x'),(2,'y') , (3, NULL)",
        "INSERT INTO t (a, b) VALUES (?)",
    );
    both("VALUES (1, NOW()), (2, NOW()), (3, now())", "VALUES (?, NOW()), (?, now())");
    both("WHERE (a, b) IN ((1, 2), (3, 4))", "WHERE (a, b) IN ((?))");
    both("SELECT f(1, 2), g(3)", "SELECT f(?, ?), g(?)");
    both("SELECT (a), (a), ((1)), ((1))", "SELECT (a), (a), ((?))");
    both("SELECT ((((", "SELECT ((((");
    both("SELECT 1))) , (2)", "SELECT ?))), (?)");
    mysql("INSERT INTO t VALUES (?, ?, DEFAULT), (?, ?, ?)", "INSERT INTO t VALUES (?)");
    postgresql(
        "WHERE a IN ($1, $2) AND b = ANY(ARRAY[1, 2]) AND c[1] = $3",
        "WHERE a IN (?) AND b = ANY(ARRAY[?]) AND c[?] = $3",
    );
}

#[test]
fn comments_are_left_out() {
    both("SELECT /* a 'b */ 1 -- it's\n, 2", "SELECT ?, ?");
    both("SELECT a/*x*/,b /**/ FROM t/***/", "SELECT a,b FROM t");
    both("SELECT a / b * c - d", "SELECT a / b * c - d");
    both("SELECT 1 /* open", "SELECT ?");
    mysql("SELECT 5--1, 5 - - 1, a # it's\n FROM t --", "SELECT ?-?, ? - ?, a FROM t");
    mysql("SELECT /* a /* b */ 1", "SELECT ?");
    mysql("SELECT `a#b`, `c--d`, `e/*f` FROM t", "SELECT `a#b`, `c--d`, `e/*f` FROM t");
    postgresql("SELECT /* a /* b */ 'c */ 1", "SELECT ?");
    postgresql("SELECT 5--1\n, 6", "SELECT ?, ?");
}

#[test]
fn hints_and_code_in_comments_stay() {
    both("SELECT /*+ MAX_EXECUTION_TIME(1000) */ a", "SELECT /*+ MAX_EXECUTION_TIME(?) */ a");
    mysql("/*!40101 SET NAMES 'x' */;", "/*!40101 SET NAMES ? */;");
    mysql(
        "SELECT /*! STRAIGHT_JOIN */ a*/*M!100 b */c",
        "SELECT /*! STRAIGHT_JOIN */ a*/*M!100 b */ c",
    );
    mysql("/*Mx*/ SELECT 1", "SELECT ?");
    postgresql("/*! x */ SELECT 1", "SELECT ?");
}

#[test]
fn white_space_is_one_space() {
    both(" \t\r\nSELECT\n\t1 ;\0 ", "SELECT ?;");
}

#[test]
fn long_texts_are_cut_and_say_so() {
    let sql = format!("SELECT {} FROM t /* trace_id=x */", "column, ".repeat(1000));
    let (statement, _) = read(Dialect::MySql, &sql, &Arc::default());
    assert_eq!(statement.text().len(), (4 << 10) + "…".len());
    assert_eq!(text(statement.target()), "t");
    let rows = format!("INSERT INTO t VALUES {}", "(1, 2), ".repeat(10_000));
    check_text(Dialect::MySql, &rows, "INSERT INTO t VALUES (?),");
}

#[test]
fn literals_of_statements_that_name_a_secret_are_no_values() {
    let values = |settings: Settings, statement: &str| {
        let mut lexer = Lexer::new(Dialect::PostgreSql, &Arc::new(settings));
        lexer.read(statement.as_bytes(), &mut |_| {});
        lexer.end();
        lexer.statement().values.words().len()
    };
    for (statement, expected) in [
        ("SELECT a FROM t WHERE b = 4711 AND c = 'x17'", 2),
        ("INSERT INTO t (a) VALUES (4711) ON DUPLICATE KEY UPDATE a = 4712", 2),
        ("SELECT a FROM t WHERE name = 'joe' AND password = '4711'", 0),
        ("INSERT INTO t (id, \"api_token\") VALUES (4711, 'x17')", 0),
        ("ALTER USER joe PASSWORD '4711'", 0),
    ] {
        assert_eq!(values(Settings::default(), statement), expected, "{statement}");
        let shown = Settings { secrets: Secrets::shown(), ..Settings::default() };
        assert!(values(shown, statement) > 0, "{statement}");
    }
    let secrets = Secrets::with_names([b"pin".as_slice()]);
    let users = Settings { secrets, ..Settings::default() };
    assert_eq!(values(users, "UPDATE t SET pin = 4711"), 0);
}

#[test]
fn literals_are_shown_on_demand() {
    let settings =
        Arc::new(Settings { secrets: crate::secrets::Secrets::shown(), ..Settings::default() });
    for sql in ["SELECT 'it''s', 15, x'ab' FROM t WHERE a IN (1, 2)", "SELECT -1.5e-3"] {
        for dialect in [Dialect::MySql, Dialect::PostgreSql] {
            let shown = text(read(dialect, sql, &settings).0.text());
            assert_eq!(shown, sql.replace("x'ab'", "'ab'"));
        }
    }
}

#[test]
fn places_of_literals_are_told() {
    let places = |dialect, sql: &str| {
        let (_, literals) = read(dialect, sql, &Arc::default());
        literals.into_iter().map(|range| sql[range].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places(Dialect::MySql, r"SELECT 'a\'b', 12, t1 /* 3 'x' */"), [r"a\'b", "12"]);
    assert_eq!(places(Dialect::PostgreSql, "SELECT 'a''b', $x$y$z$x$"), ["a", "b", "y", "z"]);
}

#[test]
fn secrets_of_comments_are_told_where_that_is_asked() {
    let settings = Arc::new(Settings { locate_secrets: true, ..Settings::default() });
    let places = |sql: &str| {
        let (_, literals) = read(Dialect::PostgreSql, sql, &settings);
        literals.into_iter().map(|range| sql[range].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places("SELECT 7 /*route='r',password='p%27q'*/"), ["7", "p%27q"]);
    assert_eq!(places("SELECT a /* token: x/y*/ FROM t -- pwd=z w"), ["x", "y", "z"]);
    assert_eq!(places("SELECT a /* password='b */ FROM t /* c='d' */"), ["b "]);
}

fn check_names(sql: &str, operation: &str, target: &str, summary: &str) {
    for dialect in [Dialect::MySql, Dialect::PostgreSql] {
        let (statement, _) = read(dialect, sql, &Arc::default());
        let found = [statement.operation(), statement.target(), statement.summary()].map(text);
        assert_eq!(found, [operation, target, summary].map(str::to_owned), "{sql}");
    }
}

#[test]
fn tables_of_queries() {
    check_names("select 1", "SELECT", "", "SELECT");
    check_names(
        "SELECT * FROM orders o, items AS i WHERE o.a = i.b, x",
        "SELECT",
        "orders items",
        "SELECT orders items",
    );
    check_names(
        "SELECT a FROM s.t JOIN u ON t.a=u.b LEFT JOIN v USING (a), w",
        "SELECT",
        "s.t u v w",
        "SELECT s.t u v w",
    );
    check_names(
        "SELECT * FROM (SELECT * FROM a JOIN b) x, c",
        "SELECT",
        "a b c",
        "SELECT SELECT a b c",
    );
    check_names(
        "(SELECT a FROM t) UNION ALL (SELECT b FROM u)",
        "SELECT",
        "t u",
        "SELECT t SELECT u",
    );
    check_names("SELECT a FROM t UNION SELECT b FROM t", "SELECT", "t", "SELECT t SELECT t");
    check_names(
        "SELECT EXTRACT(year FROM ts), trim(both from x) FROM t",
        "SELECT",
        "t",
        "SELECT t",
    );
    check_names("SELECT 1 WHERE a IS DISTINCT FROM b", "SELECT", "", "SELECT");
    check_names("SELECT * FROM generate_series(1, 5), t FOR UPDATE", "SELECT", "t", "SELECT t");
    check_names(
        "SELECT * FROM t WHERE a IN (SELECT b FROM u) ORDER BY c, d",
        "SELECT",
        "t u",
        "SELECT t SELECT u",
    );
    check_names("SELECT COUNT(*), f(a, b) FROM t WHERE x = 1, y", "SELECT", "t", "SELECT t");
    check_names("SELECT 1 FROM dual", "SELECT", "", "SELECT");
    check_names(
        "WITH a AS (SELECT * FROM t), b(x) AS (SELECT 1) SELECT * FROM a, b, u",
        "SELECT",
        "t u",
        "SELECT t SELECT SELECT u",
    );
    check_names(
        "WITH RECURSIVE n AS (SELECT 1) INSERT INTO t SELECT * FROM n",
        "INSERT",
        "t",
        "SELECT INSERT t SELECT",
    );
    check_names("EXPLAIN SELECT * FROM t", "EXPLAIN", "t", "EXPLAIN SELECT t");
}

#[test]
fn tables_of_changes() {
    check_names("INSERT INTO t (a, b) VALUES (1, 2)", "INSERT", "t", "INSERT t");
    check_names("insert ignore into t select * from u", "INSERT", "t u", "INSERT t SELECT u");
    check_names("REPLACE t SET a = 1", "REPLACE", "t", "REPLACE t");
    check_names(
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2",
        "INSERT",
        "t",
        "INSERT t",
    );
    check_names(
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2",
        "INSERT",
        "t",
        "INSERT t",
    );
    check_names("UPDATE t SET a = 1, b = 2 WHERE c = 3", "UPDATE", "t", "UPDATE t");
    check_names("UPDATE a, b SET a.x = 1", "UPDATE", "a b", "UPDATE a b");
    check_names("DELETE FROM t WHERE a = 1", "DELETE", "t", "DELETE t");
    check_names("DELETE FROM t USING u WHERE a = 1", "DELETE", "t u", "DELETE t u");
    check_names("MERGE INTO t USING u ON a = b", "MERGE", "t u", "MERGE t u");
    check_names("TRUNCATE TABLE t", "TRUNCATE", "t", "TRUNCATE TABLE t");
    check_names("COPY t (a) FROM STDIN", "COPY", "t", "COPY t");
    check_names("copy s.t from program 'cat', stdin", "COPY", "s.t", "COPY s.t");
    check_names("COPY t TO STDOUT WITH (FORMAT csv)", "COPY", "t", "COPY t");
    check_names("COPY (SELECT a FROM u, v) TO STDOUT", "COPY", "u v", "COPY SELECT u v");
}

#[test]
fn names_of_other_statements() {
    check_names("BEGIN; UPDATE t SET a = 1; COMMIT", "BEGIN", "t", "BEGIN UPDATE t COMMIT");
    check_names("SET autocommit=0", "SET", "", "SET");
    check_names("SHOW TABLES FROM db", "SHOW", "db", "SHOW db");
    check_names("CREATE TABLE IF NOT EXISTS t (id INT)", "CREATE", "t", "CREATE TABLE t");
    check_names("CREATE UNIQUE INDEX i ON t (a)", "CREATE", "t", "CREATE INDEX t");
    check_names("DROP TABLE IF EXISTS a, b", "DROP", "a b", "DROP TABLE a b");
    check_names("ALTER TABLE ONLY t ADD COLUMN c INT", "ALTER", "t", "ALTER TABLE t");
    check_names("CALL p(1)", "CALL", "p", "CALL p");
    check_names("USE db", "USE", "db", "USE db");
    check_names("", "", "", "");
    check_names("?!", "", "", "");
    check_names("/* dddb='x' */ SELECT a FROM t", "SELECT", "t", "SELECT t");
}

#[test]
fn quoted_names_are_tables() {
    let (statement, _) = read(Dialect::MySql, "SELECT * FROM `d b`.`t#1` x", &Arc::default());
    assert_eq!(text(statement.target()), "d_b.t#1");
    let (statement, _) = read(Dialect::PostgreSql, r#"SELECT * FROM "S"."T""#, &Arc::default());
    assert_eq!(text(statement.target()), "S.T");
}

#[test]
fn secrets_of_comments_are_marked() {
    let mut pairs = Pairs::default();
    pairs.read(b"route='r',password='p'", &crate::secrets::Secrets::default());
    assert_eq!(pairs.iter().map(|pair| pair.secret).collect::<Vec<_>>(), [false, true]);
}

fn pairs(comment: &str) -> Vec<String> {
    let mut pairs = Pairs::default();
    pairs.read(comment.as_bytes(), &crate::secrets::Secrets::default());
    pairs.iter().map(|pair| format!("{}={}", text(&pair.key), text(&pair.value))).collect()
}

#[test]
fn pairs_of_sqlcommenter() {
    assert_eq!(
        pairs("action='%2Fparam*d',controller='index,'framework='spring',traceparent='00-a-b-01'"),
        ["action=/param*d", "controller=index,", "framework=spring", "traceparent=00-a-b-01"]
    );
    assert_eq!(pairs(r"route='it\'s%20a+b',x='%%27y%%27'"), ["route=it's a b", "x='y'"]);
    assert_eq!(pairs("db%5Fdriver='a%2Bb'"), ["db_driver=a+b"]);
}

#[test]
fn pairs_that_people_write() {
    assert_eq!(pairs(" trace_id=abc "), ["trace_id=abc"]);
    assert_eq!(pairs("uber-trace-id: a:b:0:1"), ["uber-trace-id=a:b:0:1"]);
    assert_eq!(pairs("sw8=1-YWI=-YQ==-3-c+c=, b=2"), ["sw8=1-YWI=-YQ==-3-c+c=", "b=2"]);
    assert_eq!(pairs("a=x,y,b=z; c = d|e:f"), ["a=x,y", "b=z", "c=d", "e=f"]);
    assert_eq!(pairs(r#"{"trace_id": "a b", "n": 5}"#), ["trace_id=a b", "n=5"]);
    assert_eq!(pairs("just some words"), Vec::<String>::new());
    assert_eq!(pairs("a= b=, c='"), ["a=b="]);
}

#[test]
fn the_last_pairs_are_kept() {
    let many: String = (0..100).map(|n| format!("k{n}='v',")).collect();
    let kept = pairs(&many);
    assert_eq!((kept.len(), kept.last().map(String::as_str)), (32, Some("k99=v")));
}

#[test]
fn contexts_of_comments_are_found() {
    let contexts = |dialect, sql: &str| {
        let mut found = Vec::new();
        read(dialect, sql, &Arc::default()).0.contexts(&mut |context| {
            found.push(format!("{} {}", context.format.name(), text(context.text)));
        });
        found
    };
    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("traceparent='00-{ID}-b7ad6b7169203331-01'");
    for sql in [
        format!("SELECT 1 /*{parent}*/;"),
        format!("/*dddb='x',{parent}*/ SELECT 1"),
        format!("SELECT {} /*{parent}*/", "column, ".repeat(1000)),
        format!("SELECT 1 -- {parent}"),
        format!("SELECT /*+ INDEX(t i) */ 1 /*{parent}*/"),
        format!("SELECT 1 /*{parent}"),
    ] {
        for dialect in [Dialect::MySql, Dialect::PostgreSql] {
            assert_eq!(contexts(dialect, &sql), [format!("traceparent {ID}")], "{sql}");
        }
    }
    let by_hand = format!("/* service=a trace_id={ID} */ SELECT 1");
    assert_eq!(contexts(Dialect::MySql, &by_hand), [format!("traceid {ID}")]);
    let rails = "SELECT 1 /*action:show,request_id:abc-1*/";
    assert_eq!(contexts(Dialect::PostgreSql, rails), ["x-request-id abc-1"]);
    let literal = format!("SELECT '/*{parent}*/'");
    assert_eq!(contexts(Dialect::MySql, &literal), Vec::<String>::new());
}

#[test]
fn what_is_told_of_a_statement() {
    let sql = format!("SELECT {} FROM t /* route='r', password='p' */", "é, ".repeat(600));
    let (statement, _) = read(Dialect::MySql, &sql, &Arc::default());
    let mut room = Vec::new();
    let shown = shortened(statement.text(), &mut room);
    assert!(shown.len() <= SHOWN_LIMIT + 3 && text(shown).ends_with("é, …"), "{}", text(shown));
}

#[test]
fn any_parts_in_any_order_are_read_alike_in_pieces() {
    const PARTS: &[&str] = &[
        "SELECT ",
        "FROM ",
        "t",
        ".",
        ",",
        "(",
        ")",
        "'",
        "\"",
        "`",
        "\\",
        "$",
        "$a$",
        "$1",
        "1",
        "-",
        "--",
        "#",
        "/*",
        "*/",
        "/*+",
        "/*!5",
        "/*M!",
        "!",
        "e'",
        "E",
        "x'",
        "?",
        "\n",
        " ",
        ";",
        "=",
        "[",
        "]",
        "INSERT INTO ",
        "VALUES ",
        "WITH ",
        "AS ",
        "é",
        "NULL",
        "trace_id=",
        "a:b",
        "%27",
    ];
    let mut random = Random(7);
    for _ in 0..4000 {
        let mut data = vec![random.below(32) as u8];
        for _ in 0..1 + random.below(24) {
            data.extend_from_slice(PARTS[random.below(PARTS.len())].as_bytes());
        }
        crate::fuzzing::sql(&data);
    }
}
