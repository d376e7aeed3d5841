//! The header of a frame in, its parts out (RFC 6455 section 5.2).

use crate::message::Side;
use crate::protocol::Probe;
use crate::reader::Reader;
pub(super) use crate::stop::{Stop, short};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn of(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// Whether it is the last one of its message.
    pub(super) fin: bool,
    /// RSV1: the message is compressed (RFC 7692 section 6).
    pub(super) compressed: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of the payload.
    pub(super) size: u64,
    /// Bytes of the header itself.
    pub(super) len: usize,
    /// Whether its length is written in as few bytes as can be, as it must.
    is_shortest: bool,
}

impl Header {
    /// Reads one from the start of the input.
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        let mut reader = Reader::new(input);
        let first = reader.u8().ok_or_else(|| short(2))?;
        let opcode = Opcode::of(first & 0x0f).ok_or(Stop::Bad("websocket opcode"))?;
        let fin = first & 0x80 != 0;
        let compressed = first & 0x40 != 0;
        // No extension that is in use needs the other two.
        if first & 0x30 != 0 {
            return Err(Stop::Bad("websocket reserved bits"));
        }
        // Section 5.5: control frames are short and in one piece.
        if opcode.is_control() && (!fin || compressed) {
            return Err(Stop::Bad("websocket control frame"));
        }
        let second = reader.u8().ok_or_else(|| short(1))?;
        let masked = second & 0x80 != 0;
        let brief = second & 0x7f;
        if opcode.is_control() && brief > 125 {
            return Err(Stop::Bad("websocket control frame"));
        }
        let extended: usize = match brief {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let len = 2 + extended + if masked { 4 } else { 0 };
        let missing = || short(len.saturating_sub(input.len()));
        let size = match brief {
            126 => u64::from(reader.u16_be().ok_or_else(missing)?),
            127 => {
                let high = u64::from(reader.u32_be().ok_or_else(missing)?);
                let low = u64::from(reader.u32_be().ok_or_else(missing)?);
                high << 32 | low
            }
            brief => u64::from(brief),
        };
        if size > u64::MAX >> 1 {
            return Err(Stop::Bad("websocket length"));
        }
        let mask = match masked {
            true => Some(reader.take(4).and_then(|mask| mask.try_into().ok()).ok_or_else(missing)?),
            false => None,
        };
        let is_shortest = match brief {
            126 => size > 125,
            127 => size > 0xffff,
            _ => true,
        };
        Ok(Self { opcode, fin, compressed, mask, size, len, is_shortest })
    }
}

/// Takes the mask off bytes of a payload of which the first stands at `at` (section 5.3).
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4], at: u64) {
    let mut mask = mask;
    mask.rotate_left(usize::try_from(at & 3).unwrap_or_default());
    let (words, rest) = bytes.as_chunks_mut::<4>();
    let word = u32::from_ne_bytes(mask);
    for four in words {
        *four = (u32::from_ne_bytes(*four) ^ word).to_ne_bytes();
    }
    rest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// What a chain of frames says that was not begun by a handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    /// Whether the frames are masked, as only those of clients are (section 5.1).
    masked: bool,
    /// Whole frames that hold something.
    frames: u32,
    /// Whole frames of text that can be read, and bytes of that.
    texts: u32,
    text: usize,
    /// Whether a frame ends where the input does.
    pub(super) ends: bool,
}

impl Chain {
    /// Follows frames from the start of the input; none if they cannot be such.
    pub(super) fn follow(input: &[u8]) -> Option<(Self, bool)> {
        let mut chain = Self::default();
        let mut rest = input;
        let mut number = 0;
        // Whether a message waits for its next frame.
        let mut within = false;
        loop {
            chain.ends = rest.is_empty() && number > 0;
            let header = match Header::read(rest) {
                Ok(header) => header,
                Err(Stop::Short(_)) => return Some((chain, chain.is_sure(false))),
                Err(Stop::Bad(_)) => return None,
            };
            if number == 0 {
                chain.masked = header.mask.is_some();
            }
            let goes_on = header.opcode == Opcode::Continuation;
            if !header.is_shortest
                || header.mask.is_some() != chain.masked
                || (goes_on != within && !header.opcode.is_control())
                || (goes_on && header.compressed)
            {
                return None;
            }
            // A whole header behind what there is says that the chain goes on.
            if chain.is_sure(number > 0) {
                return Some((chain, true));
            }
            if !header.opcode.is_control() {
                within = !header.fin;
            }
            number += 1;
            let size = usize::try_from(header.size).unwrap_or(usize::MAX);
            let Some(payload) =
                header.len.checked_add(size).and_then(|end| rest.get(header.len..end))
            else {
                return Some((chain, chain.is_sure(false)));
            };
            chain.add(&header, payload);
            if chain.is_sure(false) {
                chain.ends = rest.len() == header.len + size;
                return Some((chain, true));
            }
            rest = rest.get(header.len + size..).unwrap_or_default();
        }
    }

    fn add(&mut self, header: &Header, payload: &[u8]) {
        self.frames += u32::from(!payload.is_empty());
        if header.opcode != Opcode::Text || !header.fin || header.compressed {
            return;
        }
        let mut text = payload.get(..TEXT).unwrap_or(payload).to_vec();
        if let Some(mask) = header.mask {
            unmask(&mut text, mask, 0);
        }
        if is_text(&text) {
            self.texts += 1;
            self.text += text.len();
        }
    }

    /// Whether nothing else looks so.
    fn is_sure(&self, more_follows: bool) -> bool {
        if self.masked {
            return self.text >= SURE_TEXT || self.frames >= SURE_FRAMES;
        }
        (self.text >= SURE_TEXT && (more_follows || self.texts > 1)) || self.texts >= SURE_FRAMES
    }

    /// Whether it is likely enough, given that the flow is known to be one of this protocol.
    pub(super) fn is_likely(&self) -> bool {
        self.frames > 0 && self.ends
    }

    pub(super) fn is_masked(&self) -> bool {
        self.masked
    }
}

/// What the first bytes of one side say where no handshake was seen.
pub(super) fn probe(from: Side, head: &[u8]) -> Probe {
    let Some((chain, sure)) = Chain::follow(head) else { return Probe::No };
    // As long as its second byte is not there, it may be either.
    let client = if chain.masked { from } else { from.other() };
    if sure { Probe::Certain { client } } else { Probe::Unsure { client } }
}

/// Whether these bytes are the beginning of a text that people write.
fn is_text(bytes: &[u8]) -> bool {
    let plain = |byte: &u8| *byte >= b' ' && *byte != 0x7f || matches!(byte, b'\t' | b'\r' | b'\n');
    let whole = match str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && bytes.len() == TEXT,
    };
    whole && bytes.iter().all(plain)
}

/// Bytes of a frame's text that are looked at.
const TEXT: usize = 128;
/// Bytes of text, or whole frames, that leave no doubt.
const SURE_TEXT: usize = 8;
const SURE_FRAMES: u32 = 3;
