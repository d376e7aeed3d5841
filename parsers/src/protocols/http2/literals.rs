//! A header block in; where the values stand that it has in itself, out, so that what is secret of
//! them can be overwritten. <https://www.rfc-editor.org/rfc/rfc7541#section-6>

use crate::reader::Reader;
use std::ops::Range;

/// The value of a field, in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) at: Range<usize>,
    /// Whether it is coded, so that parts of it have no place of their own.
    pub(super) is_coded: bool,
}

/// The values of all fields, in order; none for those that stand in a table.
pub(super) fn literals(block: &[u8], literals: &mut Vec<Option<Literal>>) {
    literals.clear();
    let mut reader = Reader::new(block);
    while let Some(byte) = reader.u8() {
        let read = match byte {
            0x80.. => number(byte, 7, &mut reader).map(|_| None),
            0x40.. => literal(byte, 6, &mut reader).map(Some),
            // A size of the table is no field.
            0x20.. => match number(byte, 5, &mut reader) {
                Some(_) => continue,
                None => None,
            },
            _ => literal(byte, 4, &mut reader).map(Some),
        };
        let Some(read) = read else { return };
        literals.push(read);
    }
}

fn literal(byte: u8, prefix: u32, reader: &mut Reader<'_>) -> Option<Literal> {
    if number(byte, prefix, reader)? == 0 {
        string(reader)?;
    }
    string(reader)
}

fn string(reader: &mut Reader<'_>) -> Option<Literal> {
    let first = reader.u8()?;
    let length = number(first, 7, reader)?;
    let start = reader.offset();
    reader.take(length)?;
    Some(Literal { at: start..reader.offset(), is_coded: first & 0x80 != 0 })
}

/// Section 5.1; none of more than 32 bits.
fn number(first: u8, prefix: u32, reader: &mut Reader<'_>) -> Option<usize> {
    let mask = u8::MAX >> (8 - prefix);
    let mut number = u64::from(first & mask);
    if first & mask == mask {
        for shift in [0, 7, 14, 21, 28] {
            let byte = reader.u8()?;
            number += u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).ok()?.try_into().ok();
            }
        }
        return None;
    }
    usize::try_from(number).ok()
}
