//! Names: labels and pointers in, text as in a zone file out.

use crate::reader::Reader;

/// Reads a name as text, without its last dot; the root is `.`.
pub(super) fn read_name<'b>(
    message: &'b [u8],
    reader: &mut Reader<'b>,
    text: &mut Vec<u8>,
) -> Option<()> {
    let start = text.len();
    write_name(message, reader, text)?;
    if text.len() > start + 1 {
        text.pop();
    }
    Some(())
}

/// Writes a name with its last dot.
pub(super) fn write_name<'b>(
    message: &'b [u8],
    reader: &mut Reader<'b>,
    text: &mut Vec<u8>,
) -> Option<()> {
    let mut before = reader.offset();
    let mut labels = *reader;
    let mut pointed = false;
    // RFC 1035, 3.1: the root's own byte counts.
    let mut left = NAME_LIMIT - 1;
    let start = text.len();
    loop {
        let length = labels.u8()?;
        match length {
            0 => break,
            1..=LABEL_LIMIT => {
                left = left.checked_sub(usize::from(length) + 1)?;
                for byte in labels.take(usize::from(length))? {
                    write_byte(*byte, b"", text);
                }
                text.push(b'.');
            }
            // RFC 1035, 4.1.4: a pointer is "to a prior occurance", so each goes further back.
            POINTER.. => {
                let target = usize::from(u16::from_be_bytes([length & !POINTER, labels.u8()?]));
                if target >= before {
                    return None;
                }
                before = target;
                if !pointed {
                    *reader = labels;
                    pointed = true;
                }
                labels = Reader::new(message);
                labels.seek(target)?;
            }
            _ => return None,
        }
    }
    if !pointed {
        *reader = labels;
    }
    if text.len() == start {
        text.push(b'.');
    }
    Some(())
}

pub(super) fn skip_name(message: &[u8], reader: &mut Reader<'_>) -> Option<()> {
    let start = reader.offset();
    loop {
        match reader.u8()? {
            0 => return Some(()),
            length @ 1..=LABEL_LIMIT => {
                reader.take(usize::from(length))?;
            }
            length @ POINTER.. => {
                let target = u16::from_be_bytes([length & !POINTER, reader.u8()?]);
                return (usize::from(target) < start.min(message.len())).then_some(());
            }
            _ => return None,
        }
    }
}

/// RFC 1035, 5.1: `\DDD` for a byte that would mean something else.
pub(super) fn write_byte(byte: u8, plain: &[u8], text: &mut Vec<u8>) {
    let odd = !byte.is_ascii_graphic() || matches!(byte, b'.' | b',' | b'"' | b'\\');
    if odd && !plain.contains(&byte) {
        text.extend([b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]);
    } else {
        text.push(byte);
    }
}

const LABEL_LIMIT: u8 = 63;
const POINTER: u8 = 0xc0;
const NAME_LIMIT: usize = 255;
