//! Header blocks of HPACK, beside a decoder that is as plain as the specification.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_parsers::fuzzing::hpack(data));
