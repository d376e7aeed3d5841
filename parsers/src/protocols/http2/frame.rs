//! The nine bytes before each frame in; what the frame is, and whether it can be one, out.
//! <https://www.rfc-editor.org/rfc/rfc9113#section-4.1>

use crate::reader::Reader;

/// What stands before the payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes of the payload.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 for the connection itself.
    pub(super) stream: u32,
}

impl FrameHeader {
    /// Reads the first nine bytes, if they are there.
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(input);
        let (high, low) = (reader.u8()?, reader.u16_be()?);
        let length = usize::from(high) << 16 | usize::from(low);
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        // Section 4.1: the first bit is ignored when it is received.
        Some(Self { length, kind, flags, stream: reader.u32_be()? & STREAM })
    }

    /// Bytes of the frame, with these nine.
    pub(super) fn size(&self) -> usize {
        HEADER + self.length
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What of it makes an end of the connection, as whoever gets it cannot go on.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        let of_stream = self.stream != 0;
        let size_is_right = match self.kind {
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS if self.has(ACK) => self.length == 0,
            SETTINGS => self.length.is_multiple_of(6) && self.length <= SETTINGS_LIMIT,
            PUSH_PROMISE => self.length >= 4,
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            _ => true,
        };
        let place_is_right = match self.kind {
            DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION => of_stream,
            SETTINGS | PING | GOAWAY => !of_stream,
            _ => true,
        };
        match (size_is_right, place_is_right) {
            (false, _) => Some("frame length"),
            (_, false) => Some("stream identifier"),
            _ => None,
        }
    }

    /// Whether it is as peers send it: of a known type, of the usual size and without flags that
    /// mean nothing.
    pub(super) fn is_usual(&self) -> bool {
        let flags = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITIZED,
            SETTINGS | PING => ACK,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            PRIORITY | RST_STREAM | GOAWAY | WINDOW_UPDATE | ALTSVC | ORIGIN | PRIORITY_UPDATE => 0,
            _ => return false,
        };
        self.flags & !flags == 0 && self.length <= USUAL_LENGTH && self.flaw().is_none()
    }
}

/// The name of an error code (section 7); none where it has none.
pub(super) fn error_name(code: u32) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|code| ERRORS.get(code)).copied()
}

const ERRORS: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

pub(super) const NO_ERROR: u32 = 0x00;
pub(super) const REFUSED_STREAM: u32 = 0x07;

/// What a client sends before its first frame (section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes before a payload.
pub(super) const HEADER: usize = 9;

/// The bits of a stream identifier, and of an increment of a window.
pub(super) const STREAM: u32 = 0x7fff_ffff;

pub(super) const DATA: u8 = 0x00;
pub(super) const HEADERS: u8 = 0x01;
pub(super) const PRIORITY: u8 = 0x02;
pub(super) const RST_STREAM: u8 = 0x03;
pub(super) const SETTINGS: u8 = 0x04;
pub(super) const PUSH_PROMISE: u8 = 0x05;
pub(super) const PING: u8 = 0x06;
pub(super) const GOAWAY: u8 = 0x07;
pub(super) const WINDOW_UPDATE: u8 = 0x08;
pub(super) const CONTINUATION: u8 = 0x09;
/// RFC 7838 section 4.
pub(super) const ALTSVC: u8 = 0x0a;
/// RFC 8336 section 2.
pub(super) const ORIGIN: u8 = 0x0c;
/// RFC 9218 section 7.1.
pub(super) const PRIORITY_UPDATE: u8 = 0x10;

pub(super) const ACK: u8 = 0x01;
pub(super) const END_STREAM: u8 = 0x01;
pub(super) const END_HEADERS: u8 = 0x04;
pub(super) const PADDED: u8 = 0x08;
pub(super) const PRIORITIZED: u8 = 0x20;

/// The longest SETTINGS that are read; there are some ten settings of six bytes each.
const SETTINGS_LIMIT: usize = 6 << 10;

/// Hardly anybody sends longer frames; 16 KiB is what needs no agreement.
const USUAL_LENGTH: usize = 1 << 20;
