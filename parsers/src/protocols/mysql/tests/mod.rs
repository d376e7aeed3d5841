//! Packets in, the messages of them out.

mod commands;
mod damage;
mod large;
mod login;
mod masking;
mod midstream;
mod within;

use super::protocol;
use crate::fuzzing::{Event, Recording, Split, drive, flow};
use crate::message::{Kind, Outcome, Side};
use crate::protocol::Transport;
use crate::secrets::Secrets;
use crate::settings::Settings;
use std::sync::Arc;

/// What the client sends, and what the server does.
fn sent(bytes: impl Into<Vec<u8>>) -> Event {
    Event::Bytes { from: Side::A, bytes: bytes.into() }
}

fn answered(bytes: impl Into<Vec<u8>>) -> Event {
    Event::Bytes { from: Side::B, bytes: bytes.into() }
}

/// Payloads as packets, the first of which has this number.
fn packets(first: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, payload) in payloads.iter().enumerate() {
        bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
        bytes.push(first.wrapping_add(number as u8));
        bytes.extend(*payload);
    }
    bytes
}

fn command(payload: &[u8]) -> Event {
    sent(packets(0, &[payload]))
}

fn query(text: &str) -> Event {
    command(&[b"\x03", text.as_bytes()].concat())
}

fn response(payloads: &[&[u8]]) -> Event {
    answered(packets(1, payloads))
}

/// The definition of a column, as far as anybody looks.
const COLUMN: &[u8] = b"\x03def\x04shop\x06orders";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";
/// An OK packet in the place of EOF.
const END: &[u8] = b"\xfe\0\0\x02\0\0\0";

/// A login that both sides agree on, with these capabilities beside the usual ones.
fn login(flags: u64) -> Vec<Event> {
    let flags = flags | 0x0028_8208 | 1;
    let mut greeting = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0".to_vec();
    greeting.extend(&flags.to_le_bytes()[..2]);
    greeting.extend(b"\xff\x02\0");
    greeting.extend(&flags.to_le_bytes()[2..4]);
    greeting.extend(b"\x15\0\0\0\0\0\0");
    greeting.extend(&flags.to_le_bytes()[4..8]);
    greeting.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    let mut answer = flags.to_le_bytes()[..4].to_vec();
    answer.extend(b"\0\0\0\x01\xff");
    answer.extend([0; 19]);
    answer.extend(&flags.to_le_bytes()[4..8]);
    answer.extend(b"joe\0\x04hash");
    answer.extend(b"shop\0caching_sha2_password\0");
    vec![
        answered(packets(0, &[&greeting])),
        sent(packets(1, &[&answer])),
        answered(packets(2, &[OK])),
    ]
}

const LOGIN: &[&str] = &["A Handshake LOGIN shop {shop} {joe} {8.0.36}", "B Response Ok"];
const DEPRECATE_EOF: u64 = 1 << 24;

fn lines(recording: &Recording) -> Vec<String> {
    recording.messages.iter().map(line).collect()
}

fn line(message: &crate::fuzzing::Recorded) -> String {
    let mut line = format!("{:?} {:?}", message.from, message.kind);
    for part in [&message.operation, &message.resource] {
        if !part.is_empty() {
            line += &format!(" {part}");
        }
    }
    if message.kind == Kind::Response || message.outcome != Outcome::Unknown {
        line += &format!(" {:?}", message.outcome);
    }
    if message.code != 0 {
        line += &format!(" {} {}", message.code, message.text);
    }
    for (name, value) in &message.attributes {
        match name.as_str() {
            "db.query.text" => line += &format!(" [{value}]"),
            "db.query.summary" => {}
            "db.response.returned_rows" => line += &format!(" rows={value}"),
            "wirespan.db.affected_rows" => line += &format!(" affected={value}"),
            "db.operation.batch.size" => line += &format!(" batch={value}"),
            _ => line += &format!(" {{{value}}}"),
        }
    }
    for context in &message.contexts {
        line += if context.contains("Traceparent") { " traceparent" } else { " identifier" };
    }
    if message.cut {
        line += " cut";
    }
    if message.end.is_none() {
        line += " open";
    }
    line
}

fn run(events: &[Event], split: Split) -> Recording {
    run_with(Settings::default(), events, split)
}

fn run_with(settings: Settings, events: &[Event], split: Split) -> Recording {
    let mut protocol = protocol(&Arc::new(settings));
    drive(protocol.as_mut(), &flow(Transport::Tcp, 40_000, 3306), Side::A, events, split)
}

/// The events are these messages, in whatever pieces they come.
fn check(events: &[Event], expected: &[&str]) {
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let recording = run(events, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        assert_eq!(recording.malformed, Vec::<&str>::new());
        assert_eq!(lines(&recording), expected, "{split:?}");
    }
}

/// The same after a login with these capabilities.
fn check_after_login(flags: u64, events: &[Event], expected: &[&str]) {
    let events = [login(flags), events.to_vec()].concat();
    check(&events, &[LOGIN, expected].concat());
}

/// What is left of what both sides send, with a `~` wherever it is secret.
fn without_secrets(events: &[Event]) -> [Vec<u8>; 2] {
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let recording = run_with(settings, events, Split::Whole);
    assert_eq!(recording.broken, Vec::<String>::new());
    let mut left = [Vec::new(), Vec::new()];
    for event in events {
        if let Event::Bytes { from, bytes } = event {
            left[from.index()].extend(bytes);
        }
    }
    for message in &recording.messages {
        for range in &message.secrets {
            left[message.from.index()][range.start as usize..range.end as usize].fill(b'~');
        }
    }
    left
}
