//! `tracer/docs/architecture.md` names every source file of the crates.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn code_map_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let doc = fs::read_to_string(root.join("tracer/docs/architecture.md")).unwrap();
    let mut missing = Vec::new();
    for source in ["capture/src", "parsers/src", "tracer/src"] {
        let mut files = Vec::new();
        find(&root.join(source), &mut files);
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            if !["lib.rs", "main.rs", "mod.rs"].contains(&name)
                && !doc.contains(&format!("{name}`"))
            {
                missing.push(file);
            }
        }
    }
    assert!(missing.is_empty(), "the code map lacks {missing:#?}");
}

/// All source files but those of the protocols, which are many and alike.
fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let inside = ["protocols", "trace_context"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !inside {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
