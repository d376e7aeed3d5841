//! Where secrets stand.

use super::wire::*;
use super::*;

/// What is left of what both sides say if secrets are overwritten with `#`.
fn left(said: &[Said], split: Split) -> [Vec<u8>; 2] {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let recording = run_with(settings, said, split);
    assert_eq!(recording.broken, Vec::<String>::new());
    let mut left = [Vec::new(), Vec::new()];
    for said in said {
        match said {
            Said::Client(bytes) => left[0].extend_from_slice(bytes),
            Said::Server(bytes) => left[1].extend_from_slice(bytes),
            _ => {}
        }
    }
    for message in &recording.messages {
        for range in &message.secrets {
            left[message.from.index()][range.start as usize..range.end as usize].fill(b'#');
        }
    }
    left
}

fn check_left(said: &[Said], sent: &[Vec<u8>], answered: &[Vec<u8>]) {
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let left = left(said, split);
        let expected = [sent.concat(), answered.concat()];
        let show = |both: &[Vec<u8>; 2]| both.each_ref().map(|b| b.escape_ascii().to_string());
        assert_eq!(show(&left), show(&expected), "{split:?}");
    }
}

#[test]
fn bound_values_and_rows_are_located() {
    let long = "v".repeat(20_000);
    check_left(
        &[
            client(&[parse("", "SELECT $1"), bind("p", "", &["joe", "", &long]), execute("p")]),
            client(&[bind("p", "", &[]), sync()]),
            server(&[plain('1'), plain('2'), columns(&["a", "b"]), row(&["x", &long]), row(&[])]),
            server(&[complete("SELECT 1"), ready('I')]),
        ],
        &[
            parse("", "SELECT $1"),
            bind("p", "", &["###", "", &"#".repeat(20_000)]),
            execute("p"),
            bind("p", "", &[]),
            sync(),
        ],
        &[
            plain('1'),
            plain('2'),
            columns(&["a", "b"]),
            row(&["#", &"#".repeat(20_000)]),
            row(&[]),
            complete("SELECT 1"),
            ready('I'),
        ],
    );
}

#[test]
fn passwords_and_keys_are_located() {
    check_left(
        &[
            client(&[startup(0x0003_0000, b"user\0joe\0\0")]),
            server(&[authentication(5, b"salt")]),
            client(&[message(b'p', b"hunter2\0")]),
            server(&[authentication(0, b""), message(b'K', b"\0\0\0\x07keys"), ready('I')]),
        ],
        &[startup(0x0003_0000, b"user\0joe\0\0"), message(b'p', b"########")],
        &[
            authentication(5, b"####"),
            authentication(0, b""),
            message(b'K', b"\0\0\0\x07####"),
            ready('I'),
        ],
    );
    let start = startup(0x0003_0000, b"user\0joe\0\0");
    check_left(
        &[
            client(std::slice::from_ref(&start)),
            server(&[authentication(10, b"SCRAM")]),
            client(&[message(b'p', b"first")]),
            server(&[authentication(11, b"r=x")]),
            client(&[message(b'p', b"last")]),
            server(&[authentication(12, b"v=x"), authentication(0, b""), ready('I')]),
        ],
        &[start, message(b'p', b"#####"), message(b'p', b"####")],
        &[
            authentication(10, b"#####"),
            authentication(11, b"###"),
            authentication(12, b"###"),
            authentication(0, b""),
            ready('I'),
        ],
    );
    let cancel = startup(80_877_102, b"\0\0\0\x07keys");
    check_left(&[client(&[cancel])], &[startup(80_877_102, b"\0\0\0\x07####")], &[]);
}

#[test]
fn copied_data_notifications_and_errors_are_located() {
    let news = |text: &str| message(b'A', format!("\0\0\0\x09news\0{text}\0").as_bytes());
    let failure = |name: &str, detail: &str| {
        message(b'E', format!("SERROR\0C23505\0Mno \"{name}\"\0D{detail}\0\0").as_bytes())
    };
    check_left(
        &[
            client(&[query("COPY t FROM STDIN"), message(b'd', b"1\n"), plain('c')]),
            server(&[message(b'G', &[0, 0, 0]), news("hi"), failure("key", "(a)=(1)"), ready('I')]),
        ],
        &[query("COPY t FROM STDIN"), message(b'd', b"##"), plain('c')],
        &[message(b'G', &[0, 0, 0]), news("##"), failure("###", "#######"), ready('I')],
    );
}
