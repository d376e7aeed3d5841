//! `wirespan evaluate` on a capture of the lab: its truth, with times and packets from the spans.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

#[test]
fn spans_and_captures_give_one_report() {
    let folder = folder();
    let spans = report(&folder, "truth.ndjson spans.ndjson");
    let capture = report(&folder, "truth.ndjson kiosk.pcapng.zst");
    let named = report(&folder, "truth.ndjson");
    assert_eq!(spans, capture);
    assert_eq!(spans, named);
}

/// What comes through a pipe, and what has a byte order mark, is read whole.
#[test]
fn spans_and_captures_come_through_pipes() {
    let folder = folder();
    let expected = report(&folder, "truth.ndjson spans.ndjson");
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let marked = [b"\xef\xbb\xbf", read("spans.ndjson").as_slice()].concat();
    fs::write(folder.path().join("marked.ndjson"), marked).unwrap();
    for name in ["spans.ndjson", "marked.ndjson", "kiosk.pcapng.zst"] {
        for words in ["cat NAME | W -", "W - < NAME", "W <(cat NAME)", "W NAME"] {
            let program = env!("CARGO_BIN_EXE_wirespan");
            let words = words.replace('W', &format!("{program} evaluate --json truth.ndjson"));
            let words = words.replace("NAME", name);
            let mut shell = Command::new("bash");
            let done = shell.args(["-c", &words]).current_dir(folder.path()).output();
            let Ok(done) = done else { return println!("skipped: bash is absent") };
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.code(), Some(0), "{words}\n{said}");
            let mut found: Value = serde_json::from_slice(&done.stdout).unwrap();
            // Taps of packets that came through a pipe are called by it.
            if name != "kiosk.pcapng.zst" || words.ends_with(name) {
                assert_eq!(found, expected, "{words}");
            } else {
                assert_eq!(found["measures"].take(), expected["measures"], "{words}");
            }
        }
    }
}

#[test]
fn kiosk_has_no_wrong_parent() {
    let folder = folder();
    let report = report(&folder, "truth.ndjson spans.ndjson");
    let of = |place: &str| report.pointer(place).unwrap_or_else(|| panic!("{place}\n{report}"));
    let rows = fs::read_to_string(folder.path().join("truth.ndjson")).unwrap().lines().count();
    assert_eq!(*of("/exchanges/truth"), json!(rows));
    assert_eq!(*of("/exchanges/missed"), json!(0));
    assert_eq!(*of("/exchanges/other_operation"), json!(0));
    assert_eq!(*of("/exchanges/other_status"), json!(0));
    for place in ["/parents/wrong", "/parents/invented", "/traces/merged", "/points/parted"] {
        assert_eq!(*of(place), json!(0), "{place}");
    }
    assert_eq!(*of("/parents/precision"), json!(1.0));
    assert!(of("/points/right_order").as_u64() > Some(0));
    assert_eq!(*of("/points/wrong_order"), json!(0));
}

#[test]
fn options_of_read_are_taken() {
    let folder = folder();
    let with = report(&folder, "truth.ndjson kiosk.pcapng.zst");
    let without = report(&folder, "truth.ndjson kiosk.pcapng.zst --ids off");
    let reasons = |report: &Value| report["reasons"].to_string();
    assert!(reasons(&with).contains("traceparent"));
    assert!(!reasons(&without).contains("traceparent"));
}

#[test]
fn planted_faults_are_told_with_their_packets() {
    let folder = folder();
    let path = folder.path().join("spans.ndjson");
    let mut spans = spans(&path);
    // Redis hangs under an exchange that its caller does not serve.
    let wrong = spans.iter().position(|span| is_child(span, "redis")).unwrap();
    let trace = spans[wrong]["trace"].clone();
    let root = spans.iter().find(|span| span["trace"] == trace && span["parent"].is_null());
    let root = root.unwrap().clone();
    spans[wrong]["parent"] = root["span"].clone();
    // A call of DNS is not there.
    let missing = spans.iter().position(|span| is_child(span, "dns")).unwrap();
    spans.remove(missing);
    let lines: Vec<String> = spans.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let report = report(&folder, "truth.ndjson spans.ndjson");
    assert_eq!(report["parents"]["wrong"], 1, "{report}");
    assert_eq!(report["exchanges"]["missed"], 1, "{report}");
    let kinds = report["faults"].as_array().unwrap();
    let of = |kind: &str| kinds.iter().find(|one| one["kind"] == kind).unwrap();
    let fault = &of("wrong-parent")["first"][0];
    assert_eq!(fault["found"]["span"], root["span"]);
    assert_eq!(fault["found"]["span_frames"][0], root["request"]["frames"][0]);
    assert!(fault["expected"]["frames"].is_array(), "{fault}");
    assert_eq!(of("not-found")["count"], 1);
}

#[test]
fn words_give_the_code_and_the_line_that_they_should() {
    let folder = folder();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let truth = fs::read_to_string(folder.path().join("truth.ndjson")).unwrap();
    let first = truth.lines().next().unwrap();
    put("empty.ndjson", "");
    put("broken.ndjson", &format!("{first}\nnothing\n"));
    put("newer.ndjson", &first.replace("{\"evidence\"", "{\"v\":2,\"evidence\""));
    put("other.ndjson", &truth.replace("\"10.90.", "\"10.91."));
    put("nowhere.ndjson", &truth.replace("kiosk.pcapng.zst", "nowhere.pcapng"));
    put("away.ndjson", &truth.replace("kiosk.pcapng.zst", "../kiosk.pcapng.zst"));
    let lines = fs::read_to_string(folder.path().join("spans.ndjson")).unwrap();
    let count = lines.lines().count();
    put("twice.ndjson", &lines.repeat(2));
    // Nothing hangs under anything.
    let links = |mut span: Value| {
        if span["link"]["kind"] == "parent" {
            span.as_object_mut().unwrap().retain(|name, _| name != "link" && name != "parent");
        }
        span.to_string() + "\n"
    };
    let unlinked = spans(&folder.path().join("spans.ndjson")).into_iter().map(links);
    put("unlinked.ndjson", &unlinked.collect::<String>());
    let cases = [
        ("truth.ndjson spans.ndjson", 0, ""),
        ("truth.ndjson spans.ndjson --floor found=1,precision-95=1,unmerged=1", 0, ""),
        (
            "truth.ndjson unlinked.ndjson --floor edges=0.5",
            1,
            "wirespan: edges is 0, lower than 0.5",
        ),
        (
            "truth.ndjson unlinked.ndjson --floor precision=0",
            1,
            "wirespan: precision cannot be told",
        ),
        (
            "truth.ndjson spans.ndjson --floor speed=1",
            2,
            "wirespan: --floor speed=1: name a figure",
        ),
        ("truth.ndjson spans.ndjson --floor right=2", 2, "wirespan: --floor right=2: name a share"),
        ("missing.ndjson", 2, "wirespan: read missing.ndjson: there is no such file"),
        ("empty.ndjson spans.ndjson", 2, "wirespan: read empty.ndjson: it holds no exchange"),
        ("broken.ndjson spans.ndjson", 2, "wirespan: read broken.ndjson: line 2: it is no JSON"),
        ("newer.ndjson spans.ndjson", 2, "wirespan: read newer.ndjson: line 1: it is of version 2"),
        (
            "other.ndjson spans.ndjson",
            2,
            "wirespan: no span is an exchange of other.ndjson: it has ",
        ),
        ("nowhere.ndjson", 2, "wirespan: read nowhere.pcapng: there is no such file"),
        ("truth.ndjson empty.ndjson", 2, "wirespan: there are no spans to compare with the "),
        ("truth.ndjson spans.ndjson spans.ndjson", 2, "wirespan: spans.ndjson: spans are one file"),
        (
            "truth.ndjson kiosk.pcapng.zst spans.ndjson",
            2,
            "wirespan: kiosk.pcapng.zst is a capture and spans.ndjson holds spans; name one kind",
        ),
        ("- -", 2, "wirespan: the standard input (-) can be read once only"),
        ("spans.ndjson truth.ndjson", 2, "wirespan: read spans.ndjson: line 1: it has a `type`"),
        (
            "truth.ndjson twice.ndjson",
            2,
            &format!("wirespan: read twice.ndjson: line {}: the span ", count + 1),
        ),
        (
            "truth.ndjson spans.ndjson --ids off",
            2,
            "wirespan: --ids is for captures, and spans.ndjson holds spans",
        ),
        ("truth.ndjson spans.ndjson --wrong=-1", 2, "wirespan: --wrong -1: name a whole number"),
        ("away.ndjson", 2, "wirespan: read away.ndjson: line 1: its `file` cannot be \"../kiosk"),
        ("truth.ndjson truth.ndjson", 2, "wirespan: read truth.ndjson: line 1: it has no `type`"),
    ];
    for (words, code, error) in cases {
        let done = evaluate(&folder, words);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{words}\n{said}");
        assert!(said.starts_with(error), "{words}\n{said}");
        assert_eq!(error.is_empty(), said.is_empty(), "{words}\n{said}");
    }
    let shown = evaluate(&folder, "truth.ndjson unlinked.ndjson --open").stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.starts_with("exchanges "), "{shown}");
    assert!(shown.contains("\nwithout their parent: the first 10 of "), "{shown}");
}

fn is_child(span: &Value, protocol: &str) -> bool {
    span["protocol"] == protocol && span["link"]["kind"] == "parent"
}

/// Runs it and reads its JSON.
fn report(folder: &TempDir, words: &str) -> Value {
    let done = evaluate(folder, &format!("{words} --json"));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{words}\n{said}");
    serde_json::from_slice(&done.stdout).unwrap()
}

fn evaluate(folder: &TempDir, words: &str) -> Output {
    wirespan(folder.path(), &format!("evaluate {words}"))
}

fn wirespan(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command.args(words.split(' ')).current_dir(folder);
    command.env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn spans(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kiosk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures/kiosk")
}

/// The capture, its spans, and its truth.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| fs::copy(kiosk().join(from), folder.path().join(to)).unwrap();
    put("input.pcapng.zst", "kiosk.pcapng.zst");
    let words = "read -q kiosk.pcapng.zst --format ndjson -o spans.ndjson";
    let done = wirespan(folder.path(), words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let truth = truth(&folder.path().join("spans.ndjson"));
    fs::write(folder.path().join("truth.ndjson"), truth).unwrap();
    folder
}

/// The table of the lab, of which a row names connection and place on it, with the times, packets
/// and points of the spans there, in their order.
fn truth(path: &Path) -> String {
    let spans = spans(path);
    // By connection the spans of each exchange, the outermost first.
    let mut chains: Vec<Vec<&Value>> = Vec::new();
    for span in &spans {
        let above = |chain: &&mut Vec<&Value>| {
            chain.last().is_some_and(|last| last["span"] == span["parent"])
                && span["link"]["kind"] == "same_exchange"
        };
        match chains.iter_mut().find(above) {
            Some(chain) => chain.push(span),
            None => chains.push(vec![span]),
        }
    }
    chains.sort_by_key(|chain| {
        let request = &chain[0]["request"];
        (request["at"].as_i64(), request["seq"].as_u64(), chain[0]["ordinal"].as_u64())
    });
    let mut connections: BTreeMap<[String; 3], Vec<Vec<&Value>>> = BTreeMap::new();
    for chain in chains {
        let key = ["protocol", "client", "server"];
        let key = key.map(|name| chain[0][name].as_str().unwrap().to_owned());
        connections.entry(key).or_default().push(chain);
    }
    let table = fs::read_to_string(kiosk().join("truth.tsv")).unwrap();
    let mut rows = String::new();
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [id, parent, protocol, client, server, nth, operation, status, _] = fields[..] else {
            panic!("{row}");
        };
        let key = [protocol, client, server].map(str::to_owned);
        let place: usize = nth.parse().unwrap();
        let points: Vec<Value> = connections[&key][place - 1]
            .iter()
            .map(|span| {
                let last = span.get("response").unwrap_or_else(|| &span["request"]);
                json!({
                    "point": span["tap"], "file": "kiosk.pcapng.zst", "client": client,
                    "server": server, "nth": place, "begin": span["request"]["at"],
                    "end": span.get("response").map(|response| &response["end"]),
                    "frames": [span["request"]["frames"][0], last["frames"][1]],
                })
            })
            .collect();
        let parent = match parent {
            "-" => Value::Null,
            "?" => json!("unknown"),
            number => json!(number.parse::<u64>().unwrap()),
        };
        let service = server.split(':').next();
        // The query of a target is no part of what a span was asked.
        let operation = operation.split('?').next();
        let status = if status == "refused" { "none" } else { status };
        let id: u64 = id.parse().unwrap();
        let row = json!({
            "id": id, "parent": parent, "evidence": null, "protocol": protocol,
            "service": service, "operation": operation, "status": status, "points": points,
        });
        rows.push_str(&format!("{row}\n"));
    }
    rows
}
