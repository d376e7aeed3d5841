//! What joining was once worth, on captures that have their truth beside them, it stays worth.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRUTH: &str = "truth.ndjson.zst";

/// Each capture that has its truth beside it scores as high as it did once: `floors.json` has the
/// shares. `UPDATE_GOLDEN=1` raises those that are higher now, and never lowers one.
#[test]
fn captures_with_their_truth_score_no_lower_than_they_did() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut low = Vec::new();
    for folder in folders.into_iter().filter(|folder| folder.join(TRUTH).exists()) {
        let done = Command::new(env!("CARGO_BIN_EXE_wirespan"))
            .args(["evaluate", "-q", TRUTH, "--json"])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{}: {said}", folder.display());
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let file = folder.join("floors.json");
        let mut floors: BTreeMap<String, f64> = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) => BTreeMap::new(),
        };
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            for (name, share) in report["measures"].as_object().unwrap() {
                let Some(share) = share.as_f64() else { continue };
                // Three digits, as the last ones are of no account.
                let floor = floors.entry(name.clone()).or_default();
                *floor = floor.max((share * 1000.0).floor() / 1000.0);
            }
            fs::write(&file, serde_json::to_string_pretty(&floors).unwrap() + "\n").unwrap();
        }
        assert!(!floors.is_empty(), "{} is missing; UPDATE_GOLDEN=1 writes it", file.display());
        for (name, floor) in floors {
            let share = report["measures"][&name].as_f64();
            if share.is_none_or(|share| share < floor) {
                low.push(format!("{}: {name} is {share:?}, and was {floor}", folder.display()));
            }
        }
    }
    assert!(low.is_empty(), "what is lower than before: {low:#?}");
}
