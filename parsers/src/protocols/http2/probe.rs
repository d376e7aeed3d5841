//! The first bytes of one side in; whether they are frames, and who asks, out.
//!
//! A connection whose beginning was not seen has no preface, but every frame begins with nine
//! bytes of which few values are used, and tells where the next one begins.

use super::fields::{FieldList, Likeness};
use super::frame::{
    DATA, END_HEADERS, END_STREAM, FrameHeader, HEADER, HEADERS, PADDED, PREFACE, PRIORITIZED,
    PUSH_PROMISE, SETTINGS, STREAM, WINDOW_UPDATE,
};
use super::hpack::Decoder;
use crate::message::Side;
use crate::protocol::{FlowInfo, Probe};
use crate::reader::Reader;

/// What the first bytes of one side say.
pub(super) fn probe(flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
    if head.starts_with(PREFACE) {
        return Probe::Certain { client: from };
    }
    if PREFACE.starts_with(head) {
        return Probe::Unsure { client: from };
    }
    let chain = Chain::of(head, STREAM);
    let client = match chain.likeness {
        Some(Likeness::Request) => from,
        Some(Likeness::Response) => from.other(),
        None => likely_client(flow, from),
    };
    match chain.fits {
        false => Probe::No,
        true if chain.likeness.is_some() || chain.frames >= SURE_FRAMES => {
            Probe::Certain { client }
        }
        true => Probe::Unsure { client },
    }
}

/// Whether a frame of a connection surely begins at the start of the input, where something was
/// lost. No stream above `latest` was open on either side before that, if it is not 0.
pub(super) fn resumes(input: &[u8], latest: u32) -> bool {
    let Some(header) = FrameHeader::read(input) else { return false };
    let highest = if latest > 0 { latest.saturating_add(NEW_STREAMS) } else { STREAM };
    if header.stream > highest || is_padding(&header) {
        return false;
    }
    let chain = Chain::of(input, highest);
    // The header of one frame alone is sure where its stream is known.
    let is_known = header.stream != 0 && header.stream <= latest && header.kind != DATA;
    let is_large = header.kind == DATA && header.stream <= latest && header.length <= USUAL_DATA;
    let is_plain = matches!(header.kind, SETTINGS | WINDOW_UPDATE) && header.size() == input.len();
    chain.fits
        && (chain.likeness.is_some() || chain.frames >= 2 || is_known || is_large || is_plain)
}

/// Whether some bytes within others are surely frames: one behind the other, or a head that tells.
pub(super) fn chains(input: &[u8], latest: u32) -> bool {
    let Some(header) = FrameHeader::read(input) else { return false };
    if !header.is_usual() || header.length > USUAL_DATA || header.stream > latest {
        return false;
    }
    if is_padding(&header) {
        return false;
    }
    let chain = Chain::of(input, latest.saturating_add(NEW_STREAMS));
    chain.fits && (chain.likeness.is_some() || chain.frames >= 2)
}

/// Whether it is rather what frames are padded with, which is zeros: nobody sends an empty frame that
/// ends nothing.
fn is_padding(header: &FrameHeader) -> bool {
    header.kind == DATA && header.length == 0 && !header.has(END_STREAM)
}

/// The frames at the start of some bytes.
struct Chain {
    /// Whether all of them may be frames.
    fits: bool,
    /// Those of which the header is there.
    frames: u32,
    /// What the first head among them is that tells.
    likeness: Option<Likeness>,
}

impl Chain {
    /// No stream above `highest` is open.
    fn of(bytes: &[u8], highest: u32) -> Self {
        let mut chain = Self { fits: true, frames: 0, likeness: None };
        let mut rest = bytes;
        while let Some(header) = FrameHeader::read(rest) {
            if !header.is_usual() || !may_begin(rest) || header.stream > highest {
                return Self { fits: false, ..chain };
            }
            chain.frames += 1;
            // What was sure with fewer bytes stays so.
            if chain.frames >= SURE_FRAMES {
                return chain;
            }
            let Some((frame, after)) = rest.split_at_checked(header.size()) else { break };
            let payload = frame.get(HEADER..).unwrap_or_default();
            if !chain.look(&header, payload) {
                return Self { fits: false, ..chain };
            }
            if chain.likeness.is_some() {
                return chain;
            }
            rest = after;
        }
        if rest.len() < HEADER && !may_begin(rest) {
            chain.fits = false;
        }
        chain
    }

    /// Looks into a whole frame.
    fn look(&mut self, header: &FrameHeader, payload: &[u8]) -> bool {
        let mut reader = Reader::new(payload);
        match header.kind {
            HEADERS | PUSH_PROMISE => {
                let Some(block) = block(header, payload) else { return false };
                let mut list = FieldList::default();
                let mut decoder = Decoder::in_midstream();
                let read = list.read(&mut decoder, block);
                // A part of a block ends anywhere.
                if read.is_err() && header.has(END_HEADERS) {
                    return false;
                }
                let is_sure = read.is_ok() && decoder.unreadable() == 0;
                if is_sure && self.likeness.is_none() {
                    self.likeness = match header.kind {
                        PUSH_PROMISE => Some(Likeness::Response),
                        _ => list.likeness(),
                    };
                }
                true
            }
            SETTINGS => {
                while let (Some(id), Some(_)) = (reader.u16_be(), reader.u32_be()) {
                    if !(1..=KNOWN_SETTINGS).contains(&id) && id < PRIVATE_SETTINGS {
                        return false;
                    }
                }
                true
            }
            WINDOW_UPDATE => reader.u32_be().is_some_and(|by| (1..=STREAM).contains(&by)),
            _ => true,
        }
    }
}

/// The block, or part of one, in the payload of HEADERS or PUSH_PROMISE; none if its padding or
/// its fixed fields do not fit.
pub(super) fn block<'b>(header: &FrameHeader, payload: &'b [u8]) -> Option<&'b [u8]> {
    let mut reader = Reader::new(payload);
    // Section 6.2: as many bytes at the end are padding.
    let padding = if header.has(PADDED) { usize::from(reader.u8()?) } else { 0 };
    match header.kind {
        PUSH_PROMISE => reader.take(4).map(drop)?,
        HEADERS if header.has(PRIORITIZED) => reader.take(5).map(drop)?,
        _ => {}
    }
    let rest = reader.rest();
    rest.get(..rest.len().checked_sub(padding)?)
}

/// Whether so few bytes may begin a frame of a usual size: its length is below a mebibyte.
fn may_begin(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|high| *high <= 0x10)
}

/// Who asks, where no head tells: who opened the connection, or whose port is not that of a server,
/// or is the higher one.
fn likely_client(flow: &FlowInfo, from: Side) -> Side {
    flow.opener.unwrap_or_else(|| {
        let [own, other] = [flow.port(from), flow.port(from.other())];
        let is_client = match (own == PORT, other == PORT) {
            (false, false) | (true, true) => own > other,
            (_, is_server) => is_server,
        };
        if is_client { from } else { from.other() }
    })
}

/// What servers of gRPC use where nobody says another.
pub(super) const PORT: u16 = 50_051;

/// So many frames in a row are no chance.
const SURE_FRAMES: u32 = 4;

/// SETTINGS_TLS_RENEG_PERMITTED of some; all that are registered below it are in use.
const KNOWN_SETTINGS: u16 = 0x10;

/// RFC 9113, section 11.2: settings from here on are for whoever wants some of its own, as gRPC.
const PRIVATE_SETTINGS: u16 = 0xf000;

/// Streams that may have been opened in a gap, times two.
const NEW_STREAMS: u32 = 20_000;

/// Frames of DATA are not longer unless the receiver says so.
const USUAL_DATA: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::{chains, resumes};

    /// Padding, trailers that are padded, and the head of a large frame of the next stream.
    fn padded() -> Vec<u8> {
        let trailers = [0, 0, 21, 1, 0x0d, 0, 0, 0, 3, 19, 0xbe];
        let data = [0, 0x13, 0x9c, 0, 0x08, 0, 0, 0, 5, 19];
        [&[0; 20][..], &trailers, &[0; 19], &data, &[b'7'; 40]].concat()
    }

    #[test]
    fn padding_is_no_frame() {
        let bytes = padded();
        for latest in [63, 6_000, 2_000_000] {
            let places = (0..bytes.len() - 50).filter(|at| chains(&bytes[*at..], latest));
            assert_eq!(places.collect::<Vec<_>>(), [20], "{latest}");
            assert!(!(0..20).any(|at| resumes(&bytes[at..], latest)), "{latest}");
        }
    }
}
