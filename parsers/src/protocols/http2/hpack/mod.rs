//! HPACK: header blocks of one direction in, fields out.
//!
//! A block may refer to entries that were inserted before the first block that was seen, or in one
//! that was lost. These are said to be unknown, while each later one is exact. Format: RFC 7541.

pub(crate) mod fixed;
pub(crate) mod huffman;
mod table;

use crate::protocol::Malformed;
use crate::reader::Reader;
use table::{Found, Table, Text};

/// Reads the header blocks of one direction of a connection, each whole and all in their order.
pub(crate) struct Decoder {
    table: Table,
    untold: u64,
    unreadable: u64,
}

/// A field of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// Its name; none where it was told in a block that was not seen, or cannot be read.
    pub name: Option<&'a [u8]>,
    /// Its value; none likewise.
    pub value: Option<&'a [u8]>,
    /// Where one of them is not known, and both are those of an entry, the entry's number: what has
    /// the same number is the same.
    pub(crate) entry: Option<i64>,
    /// Whether its sender asks for it never to be put into a table, as for a secret.
    pub never_indexed: bool,
}

impl Decoder {
    /// For a connection whose first byte was seen.
    pub(crate) fn from_start() -> Self {
        Self { table: Table::empty(), untold: 0, unreadable: 0 }
    }

    /// For a connection of which blocks may have been sent before.
    pub(crate) fn in_midstream() -> Self {
        Self { table: Table::unknown(0), untold: 0, unreadable: 0 }
    }

    /// A block may have been lost: what was inserted so far, and the table's size, are unknown.
    pub(crate) fn lost(&mut self) {
        self.table.lose();
    }

    /// The sender of the blocks has acknowledged this SETTINGS_HEADER_TABLE_SIZE of the other side.
    /// It tells how large a table is at most whose size is not known otherwise.
    pub(crate) fn limit(&mut self, size: u32) {
        self.table.limit(size);
    }

    /// Reads one whole header block and calls `each` per field, in order. Of a block whose fields
    /// are longer than [`TOLD_LIMIT`] together, the first ones are told; see [`Decoder::untold`].
    ///
    /// # Errors
    /// What the block breaks of the specification. The fields before that are told, and all that
    /// was inserted is unknown from then on, as after [`Decoder::lost`].
    pub(crate) fn block(
        &mut self,
        input: &[u8],
        each: &mut dyn FnMut(Field<'_>),
    ) -> Result<(), Malformed> {
        let read = self.fields(input, each);
        if read.is_err() {
            self.lost();
        }
        read
    }

    /// Fields that were not told for a limit, in all blocks so far.
    pub(crate) fn untold(&self) -> u64 {
        self.untold
    }

    /// Names and values so far whose code is broken, as where they were overwritten. What they were
    /// is not known, and all else is exact.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Bytes that are kept for later blocks.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn fields(&mut self, input: &[u8], each: &mut dyn FnMut(Field<'_>)) -> Result<(), Malformed> {
        let mut reader = Reader::new(input);
        let mut budget = TOLD_LIMIT;
        let mut told = |field: Field<'_>| {
            let length = [field.name, field.value].map(|text| text.map_or(0, <[u8]>::len));
            let length = length.iter().sum::<usize>() + FIELD_OVERHEAD;
            let fits = length <= budget;
            // A later field that is short is not told either: a list without holes is kept.
            budget = if fits { budget - length } else { 0 };
            if fits {
                each(field);
            }
            fits
        };
        let mut first = true;
        while let Some(byte) = reader.u8() {
            let is_told = match byte {
                // Section 6.1.
                0x80.. => self.indexed(number(byte, 7, &mut reader)?, &mut told)?,
                // Section 6.2.1.
                0x40.. => {
                    let index = number(byte, 6, &mut reader)?;
                    self.literal(index, Keep::InTable, &mut reader, &mut told)?
                }
                // Sections 4.2 and 6.3: at the beginning of a block.
                0x20.. if first => {
                    self.table.resize(number(byte, 5, &mut reader)?);
                    continue;
                }
                0x20.. => return Err(Malformed("header table size behind a field")),
                // Sections 6.2.2 and 6.2.3.
                _ => {
                    let index = number(byte, 4, &mut reader)?;
                    let keep = if byte & 0x10 == 0 { Keep::No } else { Keep::Never };
                    self.literal(index, keep, &mut reader, &mut told)?
                }
            };
            first = false;
            self.untold += u64::from(!is_told);
        }
        Ok(())
    }

    fn indexed(
        &self,
        index: u32,
        told: &mut dyn FnMut(Field<'_>) -> bool,
    ) -> Result<bool, Malformed> {
        let Some(place) = index.checked_sub(FIRST_DYNAMIC) else {
            let entry = (index as usize).checked_sub(1).and_then(|at| fixed::ENTRIES.get(at));
            let &(name, value) = entry.ok_or(Malformed("header index"))?;
            let (name, value) = (Some(name), Some(value));
            return Ok(told(Field { name, value, entry: None, never_indexed: false }));
        };
        let (name, value) = match self.table.entry(place) {
            Found::Known(entry) => entry,
            Found::Unknown => (None, None),
            Found::Absent => return Err(Malformed("header index")),
        };
        let is_known = name.is_some() && value.is_some();
        Ok(told(Field {
            name: name.map(|name| self.table.text(name)),
            value: value.map(|value| self.table.text(value)),
            entry: (!is_known).then(|| self.table.number(place)),
            never_indexed: false,
        }))
    }

    fn literal(
        &mut self,
        index: u32,
        keep: Keep,
        reader: &mut Reader<'_>,
        told: &mut dyn FnMut(Field<'_>) -> bool,
    ) -> Result<bool, Malformed> {
        self.table.tidy();
        let before = self.table.length();
        let name = match index.checked_sub(FIRST_DYNAMIC) {
            _ if index == 0 => self.string(reader)?,
            // The static table has no more than 61 entries.
            None => Some(Text::Static((index - 1) as u8)),
            Some(place) => match self.table.entry(place) {
                Found::Known((name, _)) => name,
                Found::Unknown => None,
                Found::Absent => return Err(Malformed("header name index")),
            },
        };
        let value = self.string(reader)?;
        let is_told = told(Field {
            name: name.map(|name| self.table.text(name)),
            value: value.map(|value| self.table.text(value)),
            entry: None,
            never_indexed: keep == Keep::Never,
        });
        if keep == Keep::InTable {
            self.table.insert(name, value);
        } else {
            self.table.drop_from(before);
        }
        Ok(is_told)
    }

    /// Section 5.2: adds a string to the table's texts; none if its code is broken.
    fn string(&mut self, reader: &mut Reader<'_>) -> Result<Option<Text>, Malformed> {
        let first = reader.u8().ok_or(Malformed("header block's end"))?;
        let length = number(first, 7, reader)?;
        let coded = reader.take(length as usize).ok_or(Malformed("header block's end"))?;
        let before = self.table.length();
        let text = self.table.add_text(|texts| {
            if first & 0x80 == 0 {
                texts.extend_from_slice(coded);
                return Some(());
            }
            huffman::decode(coded, texts)
        });
        if text.is_none() {
            self.table.drop_from(before);
            self.unreadable += 1;
        }
        Ok(text)
    }
}

/// What becomes of a literal field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// It is inserted into the table.
    InTable,
    /// It is not.
    No,
    /// Nobody who passes it on may insert it either.
    Never,
}

/// Section 5.1: a number whose first bits are the last `prefix` ones of `first`.
fn number(first: u8, prefix: u32, reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let mask = u8::MAX >> (8 - prefix);
    let mut number = u32::from(first & mask);
    if first & mask != mask {
        return Ok(number);
    }
    // More octets than these would be zeros or too large a number.
    for shift in [0, 7, 14, 21, 28] {
        let byte = reader.u8().ok_or(Malformed("header block's end"))?;
        let bits = u64::from(byte & 0x7f) << shift;
        let sum = u64::from(number) + bits;
        number = u32::try_from(sum).map_err(|_| Malformed("header number"))?;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed("header number"))
}

/// The index of the newest entry of the dynamic table.
const FIRST_DYNAMIC: u32 = 62;
/// Of one block, so many bytes of names and values are told, and [`FIELD_OVERHEAD`] for each field.
pub(crate) const TOLD_LIMIT: usize = 64 << 10;
/// RFC 9113, section 6.5.2: what a field counts for besides its bytes.
const FIELD_OVERHEAD: usize = 32;

#[cfg(test)]
mod tests;
