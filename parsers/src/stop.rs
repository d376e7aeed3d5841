//! Why a parser that reads a message from the start of its input did not come to its end.

use std::num::NonZeroUsize;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At least so many bytes more are needed.
    Short(NonZeroUsize),
    /// The field is not valid, or too large, however it goes on.
    Bad(&'static str),
}

/// So many bytes are missing, or one at least.
pub(crate) fn short(missing: usize) -> Stop {
    Stop::Short(NonZeroUsize::new(missing).unwrap_or(NonZeroUsize::MIN))
}
