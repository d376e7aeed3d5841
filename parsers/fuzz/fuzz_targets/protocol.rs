//! Bytes, gaps and ends for every protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::protocol(data));
