//! Rules of the architecture that a compiler does not check: what may name what, what a file
//! begins with and how long it may be, and that `tracer/docs/architecture.md` knows all files.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn modules_name_only_modules_before_them() {
    let mut wrong = Vec::new();
    for (folder, inside) in [
        ("capture/src", "crate"),
        ("capture/src/source", "crate::source"),
        ("parsers/src", "crate"),
        ("tracer/src", "crate"),
        ("tracer/src/decoder", "crate::decoder"),
        ("tracer/src/join", "crate::join"),
        ("tracer/src/export", "crate::export"),
        ("tracer/src/import", "crate::import"),
    ] {
        let folder = root().join(folder);
        let lib = [folder.join("lib.rs"), folder.join("mod.rs")];
        let order = modules(lib.iter().find(|path| path.exists()).unwrap());
        let place = |name: &str| order.iter().position(|other| other == name);
        for (own, module) in order.iter().enumerate() {
            let paths = [folder.join(format!("{module}.rs")), folder.join(module)];
            for file in paths.iter().flat_map(|path| sources(path)) {
                let inside_folder = file.strip_prefix(&folder).unwrap();
                // Tests at the end of a file may name any module too.
                if inside_folder.iter().any(|part| part == "tests" || part == "tests.rs") {
                    continue;
                }
                for (line, code) in code(&file) {
                    for named in named(&code, inside) {
                        if place(&named).is_some_and(|place| place > own) {
                            wrong.push(format!("{}:{line}: {named}", file.display()));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "modules that come later are named in {wrong:#?}");
}

#[test]
fn libraries_are_named_where_they_belong() {
    check("clap", &["tracer/src/cli/"]);
    check("pcap", &["capture/src/source/", "capture/src/filter.rs"]);
    check("pcap_file", &["capture/src/savefile.rs"]);
    for library in ["caps", "seccompiler"] {
        check(library, &["tracer/src/confine/"]);
    }
    check(
        "etherparse",
        &[
            "capture/src/decode",
            "capture/src/tunnel.rs",
            "capture/src/fragment.rs",
            "capture/src/source/continuity.rs",
        ],
    );
}

#[test]
fn only_packet_time_is_a_clock() {
    let clocks = ["Instant::now", "SystemTime"];
    let allowed = [
        "capture/src/source/live/clock.rs",
        "tracer/src/pipeline.rs",
        "tracer/src/processes/watch.rs",
        "tracer/src/export/queue.rs",
        "tracer/src/cli/",
    ];
    for clock in clocks {
        check_text(&allowed, clock, |code| code.contains(clock));
    }
}

#[test]
fn capture_and_parsers_do_not_know_each_other() {
    for name in ["capture", "parsers"] {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let other = manifest.lines().find(|line| line.starts_with("wirespan"));
        assert_eq!(other, None, "{name} depends on another crate of ours");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<PathBuf> = all_rust()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no //! at the start of {silent:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = all_rust()
        .into_iter()
        .map(|path| (code(&path).len(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{}: {lines}", path.display()))
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines before the tests in {long:#?}");
}

#[test]
fn no_text_names_places_of_one_machine() {
    let Ok(listed) = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output()
    else {
        println!("skipped: git is absent");
        return;
    };
    if !listed.status.success() {
        println!("skipped: no git repository");
        return;
    }
    let listed = String::from_utf8(listed.stdout).unwrap();
    let places = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let mut wrong = Vec::new();
    for file in listed.split_terminator('\0') {
        // What is no text has no such names.
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        let names = |line: &str| places.iter().any(|place| line.contains(place.as_str()));
        let lines = text.lines().enumerate().filter(|(_, line)| names(line));
        wrong.extend(lines.map(|(at, _)| format!("{file}:{}", at + 1)));
    }
    assert!(wrong.is_empty(), "a path of one machine in {wrong:#?}");
}

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

/// A crate or path of it may be named in these files and folders only.
fn check(library: &str, allowed: &[&str]) {
    check_text(allowed, library, |code| {
        code.match_indices(&format!("{library}::")).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
        })
    });
}

/// Code for which `is_meant` holds may stand in these files and folders only.
fn check_text(allowed: &[&str], what: &str, is_meant: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for source in ["capture/src", "parsers/src", "tracer/src"] {
        for file in sources(&root().join(source)) {
            let inside = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if allowed.iter().any(|allowed| inside.starts_with(allowed)) {
                continue;
            }
            let lines = code(&file).into_iter().filter(|(_, code)| is_meant(code));
            wrong.extend(lines.map(|(line, _)| format!("{inside}:{line}")));
        }
    }
    assert!(wrong.is_empty(), "{what} is named in {wrong:#?}");
}

/// The modules that a file declares, in their order.
fn modules(file: &Path) -> Vec<String> {
    let declared = |(_, code): (usize, String)| {
        let name = code.strip_prefix("pub ").unwrap_or(&code).strip_prefix("mod ")?;
        Some(name.strip_suffix(';')?.to_owned())
    };
    code(file).into_iter().filter_map(declared).collect()
}

/// The modules right below `inside` that a line of code names.
fn named(code: &str, inside: &str) -> Vec<String> {
    let prefix = format!("{inside}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&prefix) {
        let rest = &code[at + prefix.len()..];
        let list = rest.strip_prefix('{').unwrap_or(rest);
        let end = if rest.starts_with('{') { list.len() } else { word(list).len() };
        let names = list[..end].split(',').map(|name| word(name.trim()).to_owned());
        found.extend(names.filter(|name| !name.is_empty()));
    }
    found
}

/// The letters, digits and underscores at the start of a text.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The lines of a file before its tests, by number, without comments.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let before_tests = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let without_comment = |(at, line): (usize, &str)| {
        (at + 1, line.split("//").next().unwrap_or_default().trim_end().to_owned())
    };
    before_tests.enumerate().map(without_comment).collect()
}

/// All Rust files of the three crates: sources, tests and benches.
fn all_rust() -> Vec<PathBuf> {
    ["capture", "parsers", "tracer"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .collect()
}

/// A Rust file, or all of a folder and those within it, in order; none if it is absent.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        return if is_rust { vec![path.to_owned()] } else { Vec::new() };
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| !path.ends_with("target"));
    entries.sort();
    entries.iter().flat_map(|path| sources(path)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Lines of a file, its tests apart.
const LONGEST: usize = 900;
