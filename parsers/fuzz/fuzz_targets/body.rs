//! Bodies for the identifiers in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::body(data));
