//! Messages of both sides in, exchanges out.

mod wire;
mod sessions;
mod queries;
mod extended;
mod copies;
mod losses;
mod secrets;

use super::*;
use crate::fuzzing::{Event, Recorded, Recording, Split, drive, flow};
use crate::message::Kind;
use crate::protocol::Transport;
use wire::Said;

/// What two sides say comes to these exchanges, however it is split.
fn check(said: &[Said], expected: &[&str]) {
    for split in [Split::Whole, Split::Bytes, Split::Patient] {
        let recording = run(said, split);
        assert_eq!(recording.broken, Vec::<String>::new());
        assert_eq!(recording.malformed, Vec::<&str>::new(), "{split:?}");
        assert_eq!(exchanges(&recording), expected, "{split:?}");
    }
}

fn run(said: &[Said], split: Split) -> Recording {
    run_with(Settings::default(), said, split)
}

fn run_with(settings: Settings, said: &[Said], split: Split) -> Recording {
    let events: Vec<Event> = said.iter().map(Said::event).collect();
    let mut made = protocol(&Arc::new(settings));
    drive(made.as_mut(), &flow(Transport::Tcp, 1, 2), Side::A, &events, split)
}

/// One line an exchange, as pairing in order makes them: operation, what else it is, outcome, rows.
fn exchanges(recording: &Recording) -> Vec<String> {
    let mut responses = recording.messages.iter().filter(|m| m.kind == Kind::Response);
    let mut lines = Vec::new();
    for message in &recording.messages {
        let response = match message.kind {
            Kind::Response => continue,
            Kind::OneWay | Kind::End => None,
            _ => responses.next(),
        };
        lines.push(line(message, response));
    }
    lines.extend(responses.map(|_| "unasked".to_owned()));
    lines
}

fn line(request: &Recorded, response: Option<&Recorded>) -> String {
    let mut words = vec![request.operation.clone()];
    // What statements are about is the lexer's matter.
    let is_statement = request.attributes.iter().any(|(name, _)| name == "db.query.text");
    if !request.resource.is_empty() && (!is_statement || request.operation == "PREPARE") {
        words.push(request.resource.clone());
    }
    match request.kind {
        Kind::OneWay => words.push("one-way".into()),
        Kind::End => words.push("end".into()),
        Kind::Handshake => words.push("handshake".into()),
        _ => {}
    }
    if request.cut {
        words.push("cut".into());
    }
    if request.end.is_none() {
        words.push("unfinished".into());
    }
    let shown = |(name, value): &(String, String)| {
        let name = name.rsplit('.').next()?;
        let known = ["command", "returned_rows", "affected_rows", "size", "transaction", "error"];
        known.contains(&name).then(|| format!("{name}={value}"))
    };
    words.extend(request.attributes.iter().filter_map(shown));
    if let Some(response) = response {
        words.push(format!("{:?}", response.outcome));
        words.extend((!response.text.is_empty()).then(|| response.text.clone()));
        words.extend(response.attributes.iter().filter_map(shown));
        words.extend(response.end.is_none().then(|| "unfinished".into()));
    } else if !matches!(request.kind, Kind::OneWay | Kind::End) {
        words.push("unanswered".into());
    }
    words.join(" ")
}
