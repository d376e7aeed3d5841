//! What the terminal shows of each shipped capture. `UPDATE_GOLDEN=1` writes it anew, to be read in
//! review.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn captures_look_as_expected() {
    let folder = root().join("testdata/captures");
    let mut scenarios: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
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

/// The README shows what its command prints; a line of `…` stands for what was left out.
#[test]
fn readme_shows_what_the_program_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = readme.split_once("<!-- output -->").expect("the README has <!-- output -->");
    let block = after.split("```").nth(1).expect("a block follows it");
    let block = block.split_once('\n').expect("its first line is its language").1;
    let shown = shown(&root().join("testdata/captures/shop/input.pcap.zst"));
    let mut rest = shown.as_str();
    for piece in block.split("…\n").map(str::trim).filter(|piece| !piece.is_empty()) {
        let piece = format!("{piece}\n");
        let at = rest.find(&piece).unwrap_or_else(|| {
            panic!("the README shows this, and the program does not print it there:\n{piece}")
        });
        rest = &rest[at + piece.len()..];
    }
}

/// Traces and counts, as on a terminal of 120 columns without colours.
fn shown(capture: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wirespan"))
        .arg("read")
        .arg(capture)
        .env("COLUMNS", "120")
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
