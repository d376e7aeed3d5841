//! The frames of one message, before any of them is taken: whether all are there, and what they
//! hold, without their masks.

use super::frame::{Header, Opcode, Stop, unmask};
use std::num::NonZeroUsize;

/// How far the frames of a message were looked for; kept while the input grows at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Where the next frame begins.
    at: usize,
    begun: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// So many bytes more are needed.
    Short(NonZeroUsize),
    /// All of the message is there; its content was put out.
    Whole,
    /// It is too long, or is not gone on with as it must.
    TooLong,
}

impl Scan {
    /// Whether a message is looked through that was not whole yet.
    pub(super) fn is_begun(self) -> bool {
        self.begun
    }

    /// Looks on; the input begins with the first frame of the message.
    pub(super) fn look(&mut self, input: &[u8], content: &mut Vec<u8>) -> Look {
        self.begun = true;
        loop {
            let rest = input.get(self.at..).unwrap_or_default();
            let header = match Header::read(rest) {
                Ok(header) => header,
                Err(Stop::Short(more)) => return Look::Short(more),
                Err(Stop::Bad(_)) => return Look::TooLong,
            };
            // What stands between its frames may be answered before its last one comes.
            let goes_on = header.opcode == Opcode::Continuation;
            let size = usize::try_from(header.size).unwrap_or(usize::MAX);
            let end = self.at.saturating_add(header.len).saturating_add(size);
            if end > LONGEST || (self.at > 0 && !goes_on) {
                return Look::TooLong;
            }
            if end > input.len() {
                return Look::Short(
                    NonZeroUsize::new(end - input.len()).unwrap_or(NonZeroUsize::MIN),
                );
            }
            self.at = end;
            if header.fin {
                break;
            }
        }
        content.clear();
        let mut rest = input.get(..self.at).unwrap_or_default();
        while let Ok(header) = Header::read(rest) {
            let size = usize::try_from(header.size).unwrap_or(usize::MAX);
            let end = header.len.saturating_add(size);
            let payload = rest.get(header.len..end).unwrap_or_default();
            let start = content.len();
            content.extend_from_slice(payload);
            if let Some(mask) = header.mask {
                unmask(content.get_mut(start..).unwrap_or_default(), mask, 0);
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        *self = Self::default();
        Look::Whole
    }
}

/// Bytes of a message, its headers included, up to which it is read to learn what it says.
pub(super) const LONGEST: usize = 64 << 10;
