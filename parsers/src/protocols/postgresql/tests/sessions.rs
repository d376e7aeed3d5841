//! Starts of sessions, and connections that have none.

use super::check;
use super::wire::*;
use super::*;
use crate::protocol::Probe;

const JOE: &[u8] = b"user\0joe\0database\0shop\0application_name\0psql\0\0";
const SESSION: u32 = 0x0003_0000;
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

#[test]
fn login_without_password_goes_up_to_ready() {
    let tells = message(b'S', b"server_version\x0015.5\0");
    let key = message(b'K', &[0, 0, 0, 7, 1, 2, 3, 4]);
    let said = [
        client(&[startup(SESSION, JOE)]),
        server(&[authentication(0, b""), tells, key, ready('I')]),
    ];
    check(&said, &["LOGIN shop handshake Ok"]);
    let recording = run(&said, Split::Whole);
    let of = |wanted: &str| {
        let all = recording.messages.iter().flat_map(|message| &message.attributes);
        let found = all.clone().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(of("user.name"), Some("joe"));
    assert_eq!(of("db.namespace"), Some("shop"));
    assert_eq!(of("wirespan.db.application"), Some("psql"));
    assert_eq!(of("wirespan.db.server.version"), Some("15.5"));
}

#[test]
fn database_is_the_users_if_none_is_named() {
    check(
        &[client(&[startup(SESSION, b"user\0joe\0\0")]), Said::Ends(Side::A)],
        &["LOGIN joe handshake unanswered"],
    );
}

#[test]
fn login_is_one_however_often_the_server_asks() {
    check(
        &[
            client(&[startup(0x0003_0002, JOE)]),
            server(&[authentication(10, b"SCRAM-SHA-256\0\0")]),
            client(&[message(b'p', b"SCRAM-SHA-256\0\0\0\0\x01n")]),
            server(&[authentication(11, b"r=x")]),
            client(&[message(b'p', b"c=biws")]),
            server(&[authentication(12, b"v=x"), authentication(0, b""), ready('I')]),
        ],
        &["LOGIN shop handshake Ok"],
    );
}

#[test]
fn login_whose_start_was_not_seen_is_one() {
    check(
        &[
            client(&[message(b'p', b"c=biws")]),
            server(&[authentication(12, b"v=x"), authentication(0, b""), ready('I')]),
            client(&[query("SELECT 1")]),
        ],
        &["LOGIN handshake Ok", "SELECT unanswered"],
    );
}

#[test]
fn login_that_is_refused_has_its_error() {
    for (said, expected) in [
        (
            error("FATAL", "3D000", "database \"shop\" does not exist"),
            "LOGIN shop handshake ClientError 3D000 error=database \"?\" does not exist",
        ),
        (
            error("FATAL", "53300", "sorry, too many clients already"),
            "LOGIN shop handshake ServerError 53300 error=sorry, too many clients already",
        ),
    ] {
        check(
            &[client(&[startup(SESSION, JOE)]), server(&[said]), Said::Ends(Side::B)],
            &[expected],
        );
    }
}

#[test]
fn encryption_that_is_refused_is_followed_by_a_login() {
    check(
        &[
            client(&[startup(GSS, b"")]),
            Said::Server(b"N".to_vec()),
            client(&[startup(TLS, b"")]),
            Said::Server(b"N".to_vec()),
            client(&[startup(SESSION, JOE)]),
            server(&[authentication(0, b""), ready('I')]),
        ],
        &["GSSENC REQUEST handshake Ok", "SSL REQUEST handshake Ok", "LOGIN shop handshake Ok"],
    );
}

#[test]
fn encrypted_connection_is_somebody_elses() {
    let said = [client(&[startup(TLS, b"")]), Said::Server(b"S".to_vec())];
    check(&said, &["SSL REQUEST handshake Ok"]);
    let recording = run(&said, Split::Whole);
    assert_eq!(recording.became.as_deref(), Some("Detect"));
    assert_eq!(recording.lost, ["postgresql connections encrypted"]);
}

#[test]
fn cancel_is_one_way_with_keys_of_both_versions() {
    for key in [&[0, 0, 0, 7, 1, 2, 3, 4][..], &[9; 260]] {
        check(&[client(&[startup(CANCEL, key)])], &["CANCEL one-way"]);
    }
}

#[test]
fn terminate_is_an_end() {
    check(&[client(&[plain('X')]), Said::Ends(Side::A)], &["TERMINATE end"]);
}

#[test]
fn unknown_version_is_malformed() {
    let recording = run(&[client(&[startup(0x0002_0000, JOE)])], Split::Whole);
    assert_eq!(recording.malformed, ["startup code"]);
}

#[test]
fn probe_is_certain_of_what_proves_itself() {
    let asks = Probe::Certain { client: Side::A };
    let answers = Probe::Certain { client: Side::B };
    let maybe_asks = Probe::Unsure { client: Side::A };
    let long = "v".repeat(20_000);
    for (head, expected) in [
        (startup(SESSION, JOE), asks),
        (startup(TLS, b""), asks),
        (startup(CANCEL, &[1; 8]), asks),
        (query("SELECT 1"), asks),
        ([parse("", "SELECT 1"), bind("", "", &["x"]), execute(""), sync()].concat(), asks),
        ([columns(&["a"]), row(&["1"]), complete("SELECT 1"), ready('I')].concat(), answers),
        (ready('I'), answers),
        (sync(), maybe_asks),
        (parse("", "SELECT 1"), maybe_asks),
        (query(&long)[..1024].to_vec(), asks),
        (query(&long)[..1000].to_vec(), maybe_asks),
        (bind("", "a", &["1", &long])[..1024].to_vec(), asks),
        (row(&["1", &long])[..1024].to_vec(), answers),
        ([execute("c"), sync()].concat(), asks),
        (b"S".to_vec(), Probe::Unsure { client: Side::B }),
        // Metadata of Kafka, version 0: its key and version are those of a session's code.
        (startup(SESSION, &[0, 0, 0, 1, 0, 3, b'c', b'l', b'i', 0, 0, 0, 0]), Probe::No),
        (b"GET / HTTP/1.1\r\n".to_vec(), Probe::No),
        (message(b'Q', b"SELECT 1"), Probe::No),
    ] {
        let mut made = protocol(&Arc::default());
        let found = made.probe(&flow(Transport::Tcp, 1, 2), Side::A, &head);
        assert_eq!(found, expected, "{}", head.escape_ascii());
    }
}
