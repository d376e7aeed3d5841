//! How good joining is: spans and what truly happened in, figures out.
//!
//! ```text
//! truth.ndjson ─▶ truth ─┐
//!                        ├─▶ matching ─▶ score ─▶ report
//! spans, traces ─▶ spans ┘
//! ```
//!
//! `tracer/docs/evaluate.md` says what each figure means.

mod labels;
mod lines;
pub mod truth;
pub mod spans;
mod matching;
mod chains;
pub mod tally;
pub mod score;
pub mod faults;
pub mod report;

use wirespan_capture::source::open::OpenError;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A file cannot be opened or read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A line is not as it should be.
    #[error("read {file}: line {line}: {flaw}")]
    Line {
        /// The file's name as it was given.
        file: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The truth is empty.
    #[error("read {file}: it holds no exchange; give a truth.ndjson of the lab")]
    NoTruth {
        /// The file's name as it was given.
        file: String,
    },
    /// There are more spans than can be numbered.
    #[error("there are more than {MOST} spans; compare a shorter run")]
    TooMany,
    /// There are no spans.
    #[error("there are no spans to compare with the {exchanges} exchanges of {file}")]
    NoSpans {
        /// The name of the truth's file.
        file: String,
        /// How many exchanges it has.
        exchanges: usize,
    },
    /// They tell of different captures.
    #[error(
        "no span is an exchange of {file}: it has {expected}, the spans have {found}; give spans \
         of the captures that it stands beside"
    )]
    NothingMatches {
        /// The name of the truth's file.
        file: String,
        /// One of its exchanges.
        expected: String,
        /// One of the spans.
        found: String,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// It is something else.
    #[error("it is no JSON object")]
    NoObject,
    /// It is of another file.
    #[error("it has a `type`, as spans do; the truth stands first, what is compared behind it")]
    NoRow,
    /// It is cut off, or a field has a value of another kind.
    #[error("it is broken ({})", without_line(.0))]
    Json(serde_json::Error),
    /// It is longer than any that was ever written.
    #[error("it is longer than 1 MiB")]
    TooLong,
    /// It is of another version.
    #[error(
        "it is of version {0}, and only {1} is known; compare it with the wirespan of its time"
    )]
    Version(u64, u64),
    /// A field is not there.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field has a value that nobody writes there.
    #[error("its `{field}` cannot be {value:?}")]
    Unknown {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// There is more than can be numbered.
    #[error("there are too many of `{0}`; compare a shorter run")]
    TooMany(&'static str),
    /// Two rows have one number.
    #[error("the id {0} was there before")]
    Twice(u64),
    /// Two spans of a trace have one id.
    #[error(
        "the span {id:016x} was there before, in line {line}; give each file of spans once, or \
         join several: wirespan join --format ndjson"
    )]
    SpanTwice {
        /// The id.
        id: u64,
        /// The line that has it first.
        line: u64,
    },
    /// A parent is missing.
    #[error("its parent {0} is nowhere in the file")]
    NoSuchParent(u64),
    /// Parents go round.
    #[error("it is above itself: its parents go round in a circle")]
    Circle,
}

impl Flaw {
    fn unknown(field: &'static str, value: &str) -> Self {
        Self::Unknown { field, value: value.chars().take(SHOWN).collect() }
    }
}

/// What is wrong with JSON, and where; a line is a text of one line.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (what, _) = text.split_once(" at line ").unwrap_or((&text, ""));
    match error.column() {
        0 => what.to_owned(),
        column => format!("{what} at byte {column}"),
    }
}

/// Spans, and sightings of exchanges, that are compared at most.
const MOST: usize = 1 << 28;
/// Characters of an unknown value that are shown.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests;
