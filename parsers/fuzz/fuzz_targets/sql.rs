//! Statements of SQL, whole and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::sql(data));
