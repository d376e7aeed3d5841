//! Capture files that the tests write, read back by the sources.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod written;

mod formats;
mod damage;
mod merging;
mod clocks;
mod saving;
