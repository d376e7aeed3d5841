//! `wirespan explain` on captures: the examples of its page, spans in place of packets, pipes, and
//! what is said where nothing or too much fits.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn examples_of_the_page_are_what_comes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/explain.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut made = String::new();
    let mut folder = captures();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        made.push_str(line);
        made.push('\n');
        if let Some((_, name)) = line.split_once("in `testdata/captures/") {
            folder = captures().join(name.split('`').next().unwrap());
        }
        if line != "```console" {
            continue;
        }
        let command = lines.next().unwrap();
        lines.by_ref().take_while(|line| *line != "```").for_each(drop);
        let output = explain(&folder, command.strip_prefix("$ wirespan explain ").unwrap());
        let output = String::from_utf8(output.stdout).unwrap();
        made.push_str(&format!("{command}\n{output}```\n"));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&page, made).unwrap();
    } else {
        assert_eq!(text, made, "UPDATE_GOLDEN=1 writes it anew");
    }
}

#[test]
fn spans_that_were_written_are_explained_as_packets_are() {
    for (name, step) in [("kiosk", 5), ("gateways", 301), ("instrumented", 401), ("queues", 41)] {
        let folder = captures().join(name);
        let spans = tempfile::NamedTempFile::new().unwrap();
        let path = spans.path().display().to_string();
        run(&folder, &format!("read input.pcapng.zst -q --format ndjson -o {path} --ids on"));
        let traces = traces(&fs::read_to_string(&path).unwrap());
        for trace in traces.keys().step_by(step) {
            let of = |input: &str| {
                let output = explain(&folder, &format!("{trace} {input} --json -q"));
                assert!(output.status.success(), "{trace}: {output:?}");
                serde_json::from_slice::<Value>(&output.stdout).unwrap()
            };
            let told = of("input.pcapng.zst");
            assert_eq!(told, of(&path), "{name} {trace}");
            check(&told, &traces[trace]);
        }
    }
}

/// What is told of a trace agrees with its spans.
fn check(told: &Value, spans: &[Value]) {
    let all = told["spans"].as_array().unwrap();
    assert_eq!(all.len(), spans.len());
    for (told, span) in all.iter().zip(spans) {
        let id = &span["span"];
        assert_eq!(&told["span"], id);
        assert_eq!(told["link"]["parent"]["span"], span["parent"], "{id}");
        assert_eq!(told["link"]["reason"], span["link"]["reason"], "{id}");
        assert_eq!(told["link"]["also"], span["link"]["also"], "{id}");
        let ids = |list: &Value| {
            let list = list.as_array().into_iter().flatten();
            list.map(|end| end["span"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        assert_eq!(ids(&told["got"]), ids(&span["span_links"]), "{id}");
        assert_eq!(told["request"]["frames"], span["request"]["frames"], "{id}");
        // Each span has a reason, or a reason why it has none.
        let count = |list: &Value| list.as_array().map_or(0, Vec::len);
        let reasons = [&told["link"]["because"], &told["no_link"]].map(count);
        assert!(reasons.iter().sum::<usize>() > 0 && reasons.contains(&0), "{told}");
        let filter = told["filters"][0]["filter"].as_str().unwrap();
        assert!(filter.starts_with("frame.number in {"), "{filter}");
        // By one candidate means that there was one.
        if span["link"]["reason"] == "one-candidate" {
            let open = told["caller"]["some"].as_array().unwrap();
            assert!(open.iter().any(|near| near["is_above"] == true), "{told}");
        }
    }
}

#[test]
fn names_of_the_user_are_told_of_captures_and_of_spans() {
    let folder = captures().join("kiosk");
    let mut names = tempfile::NamedTempFile::new().unwrap();
    writeln!(names, "0.0.0.0/0 till").unwrap();
    let names = names.path().display();
    let spans = tempfile::NamedTempFile::new().unwrap();
    let spans = spans.path().display();
    run(&folder, &format!("read input.pcapng.zst -q --format ndjson -o {spans}"));
    for input in ["input.pcapng.zst", &spans.to_string()] {
        let told = explain(&folder, &format!("09f6d0ea {input} -q --json --names {names}"));
        assert!(told.status.success(), "{input}: {told:?}");
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        let spans = told["spans"].as_array().unwrap();
        assert!(spans.iter().all(|span| span["service"] == "till"), "{input}: {told}");
    }
}

#[test]
fn both_ends_of_a_queue_tell_of_each_other() {
    let folder = captures().join("queues");
    let told = |words: &str| -> Value {
        let told = explain(&folder, &format!("{words} input.pcapng.zst -q --json"));
        serde_json::from_slice::<Value>(&told.stdout).unwrap()["spans"][0].take()
    };
    let got = told("55d9fc59 6a1d68b5")["got"][0].take();
    assert_eq!(got["reason"], "stream-id");
    assert!(got["message"].as_str().unwrap().ends_with(" of audit"), "{got}");
    let [trace, span] = ["trace", "span"].map(|name| got[name].as_str().unwrap());
    let put = told(&format!("{trace} {span}"))["put"].take();
    assert_eq!(put["what"], got["message"]);
    let got_by = put["got_by"].as_array().unwrap();
    assert!(got_by.iter().any(|end| end["span"] == "6a1d68b520a63bec"), "{put}");
}

#[test]
fn packets_may_come_through_a_pipe() {
    let folder = captures().join("kiosk");
    let named = explain(&folder, "09f6d0ea input.pcapng.zst -q");
    for words in ["09f6d0ea - -q", "09f6d0ea /dev/stdin -q"] {
        let piped = command(&folder, &format!("explain {words}"))
            .stdin(File::open(folder.join("input.pcapng.zst")).unwrap())
            .output()
            .unwrap();
        assert_eq!(piped, named, "{words}");
    }
}

#[test]
fn one_span_is_told_of_alone() {
    let folder = captures().join("kiosk");
    let told = explain(&folder, "09f6d0ea 079e2 input.pcapng.zst -q --json");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["spans_in_trace"], told["spans"].as_array().unwrap().len()), (&4.into(), 1));
    assert_eq!(told["spans"][0]["span"], "079e2db2f130c755");
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    let folder = captures().join("kiosk");
    for (words, code, says) in [
        ("ffff0000 input.pcapng.zst", 1, "no trace of 63 has an id that begins so"),
        ("5f2e4f6308 input.pcapng.zst", 2, "say wirespan explain 09f6d0ea7a9b6c95ebc61a5870c88923"),
        ("09f6d0ea 7 input.pcapng.zst", 2, "no span of this trace has an id that begins so"),
        ("09f6d0ea xyz input.pcapng.zst", 2, "xyz: there is no such file"),
        ("09f6d0ea 07 nosuch.pcap", 2, "nosuch.pcap: there is no such file"),
        ("09f6d0ea", 2, "no capture named"),
        ("xyz input.pcapng.zst", 2, "name a trace by the 32 hex digits"),
        ("09f6d0ea README.md", 2, "not a pcap or pcapng file"),
        ("09f6d0ea input.pcapng.zst expected.ndjson", 2, "name one kind of them"),
        ("09f6d0ea expected.ndjson --max-flows 9", 2, "--max-flows is for captures"),
    ] {
        let output = explain(&folder, &format!("{words} -q"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {text}");
        assert!(text.contains(says) && text.lines().count() == 1, "{words}: {text}");
    }
}

/// The spans of each trace.
fn traces(lines: &str) -> BTreeMap<String, Vec<Value>> {
    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines.lines() {
        let span: Value = serde_json::from_str(line).unwrap();
        traces.entry(span["trace"].as_str().unwrap().to_owned()).or_default().push(span);
    }
    traces
}

fn explain(folder: &Path, words: &str) -> Output {
    command(folder, &format!("explain {words}")).output().unwrap()
}

fn run(folder: &Path, words: &str) {
    assert!(command(folder, words).status().unwrap().success(), "{words}");
}

fn command(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command
        .current_dir(folder)
        .args(words.split(' '))
        .env_remove("COLUMNS")
        .env("LC_ALL", "C.UTF-8");
    command
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures")
}
