//! Heads of growing length for every probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::detection(data));
