//! The frame of all messages but those that start a session: a type, a length, a body.

pub(super) use crate::stop::{Stop, short};

/// Type and length of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    /// Bytes of the whole message, the head among them.
    pub(super) size: usize,
}

impl Head {
    /// The head at the start of the input.
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        let [kind, a, b, c, d, ..] = *input else { return Err(short(HEAD - input.len())) };
        // The length counts itself and not the type.
        let len = u32::from_be_bytes([a, b, c, d]);
        if !(4..=LENGTH_LIMIT).contains(&len) {
            return Err(Stop::Bad("message length"));
        }
        Ok(Self { kind, size: len as usize + 1 })
    }

    /// What there is of the body: all of it, or the first [`WHOLE_LIMIT`] bytes of the message.
    pub(super) fn view<'b>(&self, input: &'b [u8]) -> Result<View<'b>, Stop> {
        let shown = self.size.min(WHOLE_LIMIT);
        let Some(body) = input.get(HEAD..shown) else { return Err(short(shown - input.len())) };
        Ok(View { body, end: shown, left: (self.size - shown) as u64 })
    }

    /// Refuses a message that must have no body.
    pub(super) fn is_empty(&self) -> Result<(), Stop> {
        if self.size == HEAD { Ok(()) } else { Err(Stop::Bad("message length")) }
    }
}

/// The body of a message, as far as it is looked at in one piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'b> {
    pub(super) body: &'b [u8],
    /// Where it ends in the input.
    pub(super) end: usize,
    /// Bytes of the message behind it.
    pub(super) left: u64,
}

/// A string that ends with a zero byte, and what follows it.
pub(super) fn string(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, input)?;
    Some((input.get(..end)?, input.get(end + 1..)?))
}

/// Bytes of a head.
pub(super) const HEAD: usize = 5;

/// Messages up to here are awaited whole; of longer ones so much is looked at at once.
pub(super) const WHOLE_LIMIT: usize = 16 << 10;

/// `PQ_LARGE_MESSAGE_LIMIT`: no string of the server is longer than 1 GiB.
const LENGTH_LIMIT: u32 = 0x3fff_ffff + 4;
