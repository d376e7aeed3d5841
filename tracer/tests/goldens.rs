//! What the terminal shows of each shipped capture, and how a trace looks in the other formats.
//! `UPDATE_GOLDEN=1` writes it anew, to be read in review.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn captures_look_as_expected() {
    let folder = root().join("testdata/captures");
    let mut scenarios: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Of others it is known how they score (`floors.rs`), and nobody would read hundreds of traces.
    scenarios.retain(|scenario| !scenario.join("truth.ndjson.zst").exists());
    scenarios.sort();
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        let expected = scenario.join("expected.txt");
        let shown = shown(&input(&scenario));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &shown).unwrap();
        }
        let golden = fs::read_to_string(&expected).unwrap_or_default();
        if let Some((number, golden, shown)) = first_difference(&golden, &shown) {
            panic!(
                "{} differs at line {number}; UPDATE_GOLDEN=1 writes it anew\n was: {golden}\n now: {shown}",
                expected.display()
            );
        }
    }
}

/// Spans that were written join to what they were, whatever the capture.
#[test]
fn written_spans_join_to_the_same() {
    let captures = fs::read_dir(root().join("testdata/captures")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for scenario in captures.map(|entry| entry.unwrap().path()) {
        let [first, again] = ["read", "join"].map(|command| {
            let written = folder.path().join(command);
            let input = match command {
                "read" => input(&scenario),
                _ => folder.path().join("read"),
            };
            let status = Command::new(env!("CARGO_BIN_EXE_wirespan"))
                .args([command, "--quiet", "--format", "ndjson", "-o"])
                .args([&written, &input])
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(0), "{}", scenario.display());
            fs::read_to_string(written).unwrap()
        });
        assert_eq!(first_difference(&first, &again), None, "{}", scenario.display());
    }
}

/// A trace in each format that others open; they read it as `check_formats.sh` says.
#[test]
fn formats_look_as_expected() {
    let folder = root().join("testdata/captures/kiosk");
    for (format, ending) in FORMATS {
        let expected = folder.join(format!("expected.{ending}"));
        let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
            .args(["read", "--quiet", "--trace", "2217bead", "--format", format])
            .arg(input(&folder))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &output.stdout).unwrap();
        }
        let golden = fs::read_to_string(&expected).unwrap_or_default();
        let shown = String::from_utf8(output.stdout).unwrap();
        if let Some((number, golden, shown)) = first_difference(&golden, &shown) {
            panic!(
                "{} differs at line {number}\n was: {golden}\n now: {shown}",
                expected.display()
            );
        }
    }
}

const FORMATS: &[(&str, &str)] = &[
    ("ndjson", "ndjson"),
    ("otlp-json", "otlp.jsonl"),
    ("jaeger-json", "jaeger.json"),
    ("zipkin-json", "zipkin.json"),
    ("chrome-trace", "chrome.json"),
];

#[test]
fn details_tell_statements_of_sql() {
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .args(["read", "--quiet", "--all", "-v"])
        .arg(input(&root().join("testdata/captures/postgresql")))
        .env("COLUMNS", "120")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("   statement   INSERT INTO items VALUES (?);\n"), "{shown}");
}

/// The README shows what its command prints; a line of `…` stands for what was left out.
#[test]
fn readme_shows_what_the_program_prints() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, after) =
        readme.split_once("<!-- output -->\n\n```text\n").expect("the README has an output");
    let (block, behind) = after.split_once("```").expect("a block of text follows it");
    let capture = before.rsplit_once(" -- read ").expect("the README has a command").1;
    let shown = shown(&root().join(capture.lines().next().unwrap()));
    let block = if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let block = refreshed(block, &shown);
        fs::write(&path, format!("{before}<!-- output -->\n\n```text\n{block}```{behind}"))
            .unwrap();
        block
    } else {
        block.to_owned()
    };
    let mut rest = shown.as_str();
    for piece in pieces(&block) {
        let piece = format!("{piece}\n");
        let at = rest.find(&piece).unwrap_or_else(|| {
            panic!("the README shows this, and the program does not print it there:\n{piece}")
        });
        rest = &rest[at + piece.len()..];
    }
}

/// The same block with what is shown now in place of each trace and table, and of the counts.
fn refreshed(block: &str, shown: &str) -> String {
    let paragraphs = block.trim_end().split("\n\n").map(|paragraph| {
        let mut all = shown.trim_end().split("\n\n");
        all.find(|now| title(now) == title(paragraph)).unwrap_or(paragraph)
    });
    paragraphs.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The words that tell which paragraph it is.
fn title(paragraph: &str) -> Vec<&str> {
    let words = if paragraph.starts_with("read ") { 1 } else { 2 };
    paragraph.split_whitespace().take(words).collect()
}

fn pieces(block: &str) -> impl Iterator<Item = &str> {
    block.split("…\n").map(str::trim).filter(|piece| !piece.is_empty())
}

/// Traces and counts, as on a terminal of 120 columns without colours.
fn shown(capture: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .arg("read")
        .arg(capture)
        .env("COLUMNS", "120")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", capture.display());
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// The capture of a scenario, whatever its format.
fn input(scenario: &Path) -> PathBuf {
    let names = ["input.pcap.zst", "input.pcap", "input.pcapng.zst", "input.pcapng"];
    let paths = names.map(|name| scenario.join(name));
    let found = paths.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{} holds no capture", scenario.display()))
}

fn first_difference<'a>(a: &'a str, b: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let lines = a.lines().count().max(b.lines().count());
    let line = |text: &'a str, place| text.lines().nth(place).unwrap_or("(the end)");
    let differs = (0..lines).find(|place| line(a, *place) != line(b, *place))?;
    Some((differs + 1, line(a, differs), line(b, differs)))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
