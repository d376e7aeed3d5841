//! Bodies with codings that are taken off.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::inflate(data));
