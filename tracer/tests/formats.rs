//! `tracer/docs/formats.md` describes every key that the program writes, and its example is real.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_key_is_documented() {
    let (spans, summary) = written("kiosk/input.pcapng.zst");
    let mut keys = BTreeSet::new();
    for span in &spans {
        collect(span, &mut keys);
    }
    collect(&summary, &mut keys);
    // What these hold is keyed by words that the text lists, and by names that come from outside.
    for map in
        ["exchanges", "open", "handshakes", "one_way", "latency", "unknown_ports", "repeating_ids"]
    {
        for outside in summary[map].as_object().unwrap().keys() {
            keys.remove(outside);
        }
    }
    let doc = doc();
    let missing: Vec<_> = keys.iter().filter(|key| !doc.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "formats.md says nothing of {missing:?}");
}

#[test]
fn example_is_a_span_of_a_shipped_capture() {
    let doc = doc();
    let (_, after) = doc.split_once("```json\n").expect("formats.md has an example");
    let (example, _) = after.split_once("```").unwrap();
    let example: Value = serde_json::from_str(example).expect("the example is JSON");
    let (spans, _) = written("one-point/input.pcap.zst");
    let same = spans.iter().find(|span| span["span"] == example["span"]);
    assert_eq!(same, Some(&example), "no such span, or another one now");
}

#[test]
fn summary_counts_what_was_written() {
    let (spans, summary) = written("kiosk/input.pcapng.zst");
    let count =
        |test: &dyn Fn(&Value) -> bool| spans.iter().filter(|span| test(span)).count() as u64;
    let sum = |map: &str| -> u64 {
        summary[map].as_object().unwrap().values().map(|value| value.as_u64().unwrap()).sum()
    };
    assert_eq!(summary["spans"], spans.len());
    let traces: BTreeSet<_> = spans.iter().map(|span| span["trace"].as_str().unwrap()).collect();
    assert_eq!(summary["traces"], traces.len());
    assert_eq!(sum("links"), count(&|span| span.get("parent").is_some()));
    assert_eq!(
        sum("exchanges"),
        count(&|span| {
            // What a second point saw of an exchange counts once.
            span["sort"] == "call"
                && span["state"] == "complete"
                && span["link"]["kind"] != "same_exchange"
        })
    );
    assert_eq!(sum("failed_connections"), count(&|span| span["sort"] == "connect"));
}

/// All keys of objects, at any depth.
fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key.clone());
                collect(value, keys);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

/// The spans of a shipped capture, and the summary.
fn written(capture: &str) -> (Vec<Value>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .args(["read", "--quiet", "--format", "ndjson", "--summary"])
        .arg(&summary)
        .arg(root().join("testdata/captures").join(capture))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let spans = String::from_utf8(output.stdout).unwrap();
    let spans = spans.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (spans, serde_json::from_slice(&fs::read(summary).unwrap()).unwrap())
}

fn doc() -> String {
    fs::read_to_string(root().join("tracer/docs/formats.md")).unwrap()
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
