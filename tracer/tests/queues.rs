//! Who got which message in the capture of `testdata/captures/queues`, as the programs wrote it down
//! themselves, and as span links tell it.

#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn everybody_is_linked_to_whose_message_it_got() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures/queues");
    let mut spans = spans(&folder.join("input.pcapng.zst"));
    // A consumer's messages are in the order in which it had them.
    spans.sort_by_key(|span| number(span, "response").max(number(span, "request")));
    let by_id: BTreeMap<&str, &Value> =
        spans.iter().map(|span| (text(span, "span"), span)).collect();
    let mut told = 0;
    let mut seats: BTreeMap<&str, usize> = BTreeMap::new();
    let truth = fs::read_to_string(folder.join("messages.tsv")).unwrap();
    let consumed: Vec<(&Value, &Value)> = spans
        .iter()
        .flat_map(|span| list(span, "records").iter().map(move |record| (span, record)))
        .filter(|(_, record)| text(record, "role") != "produced")
        .collect();
    for line in truth.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let [who, command, queue, message] = words[..] else { panic!("{line}") };
        let address = if who == "worker" { "10.94.0.4:" } else { "10.94.0.5:" };
        // Of two watchers on one host, one speaks RESP3.
        let protocol_3 = who == "watcher3";
        let is_its = |(span, record): &&(&Value, &Value)| {
            let consumer = if text(span, "sort") == "one_way" { "server" } else { "client" };
            text(span, "operation") == command
                && text(record, "queue") == queue
                && text(span, consumer).starts_with(address)
                && (who == "worker" || speaks_3(&spans, text(span, consumer)) == protocol_3)
        };
        let seat = seats.entry(line.rsplit_once('\t').unwrap().0).or_default();
        let Some((span, record)) = consumed.iter().filter(is_its).nth(*seat) else {
            panic!("no span for {line}")
        };
        *seat += 1;
        let is_of = |link: &&Value| {
            let by = by_id[text(link, "span")];
            let shown = by["attributes"]["db.query.text"].as_str().unwrap_or_default();
            let put = list(by, "records").iter().any(|put| {
                text(put, "role") == "produced"
                    && put["digest"] == record["digest"]
                    && put["id"] == record["id"]
            });
            put && match text(record, "id") {
                "" if ["LMOVE", "EXEC"].contains(&text(by, "operation")) => true,
                "" => shown.contains(message),
                id => message.ends_with(id),
            }
        };
        let links = list(span, "span_links");
        assert_eq!(links.iter().filter(is_of).count(), 1, "{line}: {links:?}");
        told += 1;
    }
    assert_eq!(told, consumed.len(), "nobody got anything else");
    let linked = spans.iter().filter(|span| span.get("span_links").is_some());
    for span in linked.filter(|span| list(span, "records").is_empty()) {
        let [link] = list(span, "span_links") else { panic!("{span}") };
        assert_eq!(text(link, "reason"), "one-message", "{span}");
    }
    // Redis sends to subscribers of its own accord.
    assert!(spans.iter().all(|s| text(s, "sort") != "one_way" || s.get("parent").is_none()));
}

fn speaks_3(spans: &[Value], client: &str) -> bool {
    spans.iter().any(|span| text(span, "operation") == "HELLO" && text(span, "client") == client)
}

fn spans(input: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .args(["read", "--quiet", "--format", "ndjson"])
        .arg(input)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let output = String::from_utf8(output.stdout).unwrap();
    let lines = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "span").collect()
}

fn number(span: &Value, half: &str) -> i64 {
    span[half]["end"].as_i64().unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
