//! How the program ends, for scripts.

use std::process::ExitCode;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done. A capture whose tail is cut is done too, with a warning.
    Done,
    /// 1: done, but what was asked for was not found.
    NotFound,
    /// 2: could not; the reason stands on the standard error.
    CouldNot,
    /// 130: ctrl-C cut the reading of files short; what had been read was used.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NotFound => 1,
            Exit::CouldNot => 2,
            Exit::Interrupted => 130,
        })
    }
}
