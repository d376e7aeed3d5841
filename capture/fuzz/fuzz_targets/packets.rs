//! Any bytes as packets, through decoding and reassembly.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wirespan_capture::fuzzing::packets(data));
