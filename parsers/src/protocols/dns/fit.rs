//! How well bytes fit a message, for probes and after losses.

use super::codes::{NOTIFY, QUERY, STATUS, UPDATE};
use super::header::{HEADER_LENGTH, Header, flag};
use super::names::skip_name;
use super::records::Records;
use crate::reader::Reader;

/// How well bytes fit a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// All counts, names and lengths agree.
    Exact,
    /// The header may be one, and more cannot be said.
    Loose,
    /// The header says what hardly any message does.
    Odd,
    No,
}

/// How the start of a message of this length fits.
pub(super) fn fit(message: &[u8], header: &Header, length: usize) -> Fit {
    let whole = message.len() == length;
    let mut reader = Reader::new(message);
    if reader.seek(HEADER_LENGTH).is_none() {
        return Fit::No;
    }
    let start = reader.offset();
    let named = header.questions > 0 && skip_name(message, &mut reader).is_some();
    let name = message.get(start..reader.offset()).unwrap_or_default();
    let question = match (reader.u16_be(), reader.u16_be()) {
        (Some(kind), Some(class)) if named => Some((kind, class)),
        _ => None,
    };
    let records = [header.answers, header.authorities, header.additionals];
    let least = records.map(|count| usize::from(count) * RECORD_LENGTH).iter().sum::<usize>();
    if least > length {
        // Real messages claim too much now and then, but noise nearly always does.
        return if header.questions == 1 && question.is_some() { Fit::Odd } else { Fit::No };
    }
    // RFC 1035, 4.1.1: Z "must be zero in all queries and responses".
    if header.flags & flag::Z != 0
        || !matches!(header.opcode(), QUERY | STATUS | NOTIFY | UPDATE)
        || header.questions > 1
        || (header.questions == 0 && (header.answers > 0 || !header.is_response()))
    {
        return Fit::Odd;
    }
    if !header.is_response() {
        let plain = header.answers == 0 && header.authorities <= 1 && header.additionals <= 4;
        if header.flags & flag::RCODE != 0 || (header.opcode() == QUERY && !plain) {
            return Fit::Odd;
        }
    }
    if header.questions == 0 {
        return Fit::Loose;
    }
    let Some((kind, class)) = question else {
        return if whole { Fit::Odd } else { Fit::Loose };
    };
    // A question has nothing before it that a pointer could mean.
    let printable = name.iter().all(|byte| matches!(byte, 0..=63 | b' '..=b'~'));
    if kind == 0 || !matches!(class, 1 | 3 | 4 | 254 | 255) || !printable {
        return Fit::Loose;
    }
    let complete = Records::read(message, &mut reader, header, &mut Vec::new()).complete;
    if whole && complete { Fit::Exact } else { Fit::Loose }
}

/// Of the shortest record, whose owner is the root.
const RECORD_LENGTH: usize = 11;
