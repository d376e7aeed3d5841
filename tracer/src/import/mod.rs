//! Spans in: what `--format ndjson` wrote is joined anew, as the packets were.
//!
//! ```text
//! lines ─▶ where each span stands, and all events in one order ─▶ its line again ─▶ joining
//! ```

pub(crate) mod value;
mod line;
mod input;
pub mod spans;

pub use line::Flaw;

use crate::export::ndjson::SCHEMA;
use std::io;
use wirespan_capture::source::open::OpenError;

/// Why spans cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It holds packets.
    #[error("read {file}: it is a capture, say wirespan read {file}")]
    Capture {
        /// The file's name as it was given.
        file: String,
    },
    /// A line is no span that can be joined.
    #[error("read {file}: line {line}: {flaw}; {}", advice(flaw))]
    Line {
        /// The file's name as it was given.
        file: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A line is so long that it is no span.
    #[error("read {file}: line {line}: it is longer than 1 MiB; {WHAT_TO_GIVE}")]
    TooLong {
        /// The file's name as it was given.
        file: String,
        /// The line's number, from 1.
        line: u64,
    },
    /// What cannot be read twice could not be copied either.
    #[error("copy {file} to {folder}: {reason}; let TMPDIR name a place with more room")]
    Copy {
        /// The file's name as it was given.
        file: String,
        /// Where the copy would be.
        folder: String,
        /// What the operating system said.
        reason: io::Error,
    },
    /// There is more than can be numbered.
    #[error("read {file}: there are too many {what} in all, join fewer files at a time")]
    TooMany {
        /// The first file that is too many.
        file: String,
        /// What there is too much of.
        what: &'static str,
    },
    /// It cannot be read a second time.
    #[error("read {file} again: {reason}; leave it as it is while it is joined")]
    Changed {
        /// The file's name as it was given.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

fn advice(flaw: &Flaw) -> &'static str {
    match flaw {
        Flaw::Json(_) => WHAT_TO_GIVE,
        Flaw::Version(version) if *version > u64::from(SCHEMA) => {
            "join it with the wirespan that wrote it"
        }
        Flaw::Version(_) | Flaw::Missing(_) => "read the capture anew with --format ndjson",
        Flaw::Unknown { .. } => "a newer wirespan may know it",
        Flaw::TooMany(_) => "join fewer files at a time",
    }
}

const WHAT_TO_GIVE: &str = "give what wirespan read --format ndjson wrote";
