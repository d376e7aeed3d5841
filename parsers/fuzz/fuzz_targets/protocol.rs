//! Bytes, gaps and ends for every protocol; `PROTOCOL=http2` chooses one.
#![no_main]

use std::sync::LazyLock;
use wirespan_parsers::fuzzing;

static ONLY: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("PROTOCOL").ok());

libfuzzer_sys::fuzz_target!(|data: &[u8]| match ONLY.as_deref() {
    Some(name) => fuzzing::one_protocol(name, data),
    None => fuzzing::protocol(data),
});
