//! Why a parser that reads a message from the start of its input did not come to its end.

use crate::protocol::{Malformed, Step};
use std::num::NonZeroUsize;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At least so many bytes more are needed.
    Short(NonZeroUsize),
    /// The field is not valid, or too large, however it goes on.
    Bad(&'static str),
}

impl Stop {
    /// What a parser comes to that has used nothing of its input.
    ///
    /// # Errors
    /// [`Malformed`] where the field is not valid.
    pub(crate) fn step(self) -> Result<Step, Malformed> {
        match self {
            Self::Short(more) => Ok(Step::Incomplete(more)),
            Self::Bad(field) => Err(Malformed(field)),
        }
    }
}

/// So many bytes are missing, or one at least.
pub(crate) fn short(missing: usize) -> Stop {
    Stop::Short(NonZeroUsize::new(missing).unwrap_or(NonZeroUsize::MIN))
}
