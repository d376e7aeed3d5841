//! The framing headers of a message in; where its body ends out.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-6>

/// How the end of a message's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    Empty,
    /// The body has so many bytes, at least one.
    Sized(u64),
    /// Chunks say how long they are.
    Chunked,
    /// The body lasts until the connection is closed.
    UntilEnd,
    /// Sender and receiver may disagree; where the next message starts must be found out.
    Faulty,
    /// What follows is another protocol.
    Tunnel,
}

/// A method whose answer is framed like no other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Head,
    Connect,
    /// HTTP/0.9: the answer is a body and nothing else.
    Simple,
}

impl Asked {
    /// `None` for all other methods, which are case-sensitive (RFC 9110 section 9.1).
    pub(super) fn by(method: &[u8]) -> Option<Self> {
        match method {
            b"HEAD" => Some(Self::Head),
            b"CONNECT" => Some(Self::Connect),
            _ => None,
        }
    }
}

/// What the headers of one message say on its body's length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lengths {
    size: Size,
    coding: Coding,
}

impl Lengths {
    pub(super) fn content_length(&mut self, value: &[u8]) {
        // RFC 9112 section 6.3 item 5: a list of one and the same value is that value.
        for member in value.split(|byte| *byte == b',') {
            self.size = match (self.size, decimal(member.trim_ascii())) {
                (Size::Invalid, _) | (_, None) => Size::Invalid,
                (Size::Absent, Some(size)) => Size::Stated(size),
                (Size::Stated(before), Some(size)) if before == size => Size::Stated(size),
                (Size::Stated(_) | Size::Conflicting, Some(_)) => Size::Conflicting,
            };
        }
    }

    pub(super) fn transfer_encoding(&mut self, value: &[u8]) {
        // RFC 9112 section 6.1: codings add up over several headers, and the last one counts.
        for coding in value.split(|byte| *byte == b',') {
            let coding = coding.trim_ascii();
            // RFC 2616 section 3.6 had a name for no coding, which some still send.
            if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            self.coding = match coding.eq_ignore_ascii_case(b"chunked") {
                true => Coding::Chunked,
                false => Coding::Other,
            };
        }
    }

    /// The framing of a request.
    pub(super) fn of_request(&self, asked: Option<Asked>) -> Framing {
        // RFC 9110 section 9.3.6: a CONNECT request has no content.
        if asked == Some(Asked::Connect) {
            return Framing::Empty;
        }
        match (self.coding, self.size) {
            (Coding::Chunked, _) => Framing::Chunked,
            // RFC 9112 section 6.3 item 4: its length cannot be determined.
            (Coding::Other, _) => Framing::Faulty,
            (Coding::Absent, Size::Invalid | Size::Conflicting) => Framing::Faulty,
            (Coding::Absent, Size::Absent | Size::Stated(0)) => Framing::Empty,
            (Coding::Absent, Size::Stated(size)) => Framing::Sized(size),
        }
    }

    /// The framing of a response with this code to such a request.
    pub(super) fn of_response(&self, code: u16, asked: Option<Asked>) -> Framing {
        // RFC 9112 section 6.3 items 1 and 2.
        match (code, asked) {
            (101, _) | (200..=299, Some(Asked::Connect)) => return Framing::Tunnel,
            (100..=199 | 204 | 304, _) | (_, Some(Asked::Head)) => return Framing::Empty,
            _ => {}
        }
        match (self.coding, self.size) {
            (Coding::Chunked, _) => Framing::Chunked,
            (Coding::Other, _) | (Coding::Absent, Size::Absent) => Framing::UntilEnd,
            (Coding::Absent, Size::Invalid | Size::Conflicting) => Framing::Faulty,
            (Coding::Absent, Size::Stated(0)) => Framing::Empty,
            (Coding::Absent, Size::Stated(size)) => Framing::Sized(size),
        }
    }

    /// What is wrong with them, since it may be an attempt to smuggle (RFC 9112 section 11.2).
    pub(super) fn flaw(&self) -> Option<&'static str> {
        match (self.coding, self.size) {
            (_, Size::Invalid) => Some("content-length is invalid"),
            (_, Size::Conflicting) => Some("content-length conflicts"),
            (Coding::Chunked | Coding::Other, Size::Stated(_)) => {
                Some("transfer-encoding and content-length")
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Size {
    #[default]
    Absent,
    Stated(u64),
    Conflicting,
    Invalid,
}

#[derive(Clone, Copy, Debug, Default)]
enum Coding {
    #[default]
    Absent,
    Chunked,
    Other,
}

/// The size that a chunk's first line states (RFC 9112 section 7.1), its extensions left out.
pub(super) fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    if size.is_empty() || size.len() > CHUNK_SIZE_DIGITS {
        return None;
    }
    size.iter().try_fold(0, |size: u64, digit| {
        Some(size << 4 | u64::from(char::from(*digit).to_digit(16)?))
    })
}

fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0, |number: u64, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// As many as 64 bits need.
const CHUNK_SIZE_DIGITS: usize = 16;
