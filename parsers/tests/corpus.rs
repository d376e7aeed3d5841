//! What fuzzers found worth keeping is read again: `testdata/fuzz/`, as `pack_corpus.py` writes it.

use std::fs;
use std::path::Path;
use wirespan_parsers::fuzzing;

#[test]
fn kept_inputs_of_protocols_break_no_rule() {
    check("protocol", fuzzing::protocol);
}

#[test]
fn kept_statements_break_no_rule() {
    check("sql", fuzzing::sql);
}

#[test]
fn kept_headers_break_no_rule() {
    check("identifiers", fuzzing::identifiers);
}

#[test]
fn kept_bodies_break_no_rule() {
    check("body", fuzzing::body);
}

#[test]
fn kept_codings_break_no_rule() {
    check("inflate", fuzzing::inflate);
}

#[test]
fn kept_header_blocks_break_no_rule() {
    check("hpack", fuzzing::hpack);
}

/// Half of the inputs have a thread of their own, as they take longest of all tests.
fn check(name: &str, body: fn(&[u8])) {
    let inputs = inputs(name);
    assert!(inputs.len() > 100, "{name}: {} inputs", inputs.len());
    // The shortest come first.
    let every_other = |first| inputs.iter().skip(first).step_by(2).for_each(|input| body(input));
    std::thread::scope(|scope| {
        scope.spawn(|| every_other(1));
        every_other(0);
    });
}

/// The inputs of one target, each behind its length.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/fuzz");
    let packed = fs::read(folder.join(name).with_extension("zst")).expect("kept inputs");
    let packed = zstd::decode_all(packed.as_slice()).expect("zstd");
    let mut rest = packed.as_slice();
    let mut inputs = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (input, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        inputs.push(input.to_vec());
        rest = after;
    }
    assert!(rest.is_empty(), "{name} ends within a length");
    inputs
}
