//! Attributes of queries, and the values that an execution of a prepared statement brings.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>

use super::capabilities::Capabilities;
use super::packet::{lenenc, lenenc_string, u16_le};
use super::prepared::UNKNOWN_COUNT;
use crate::reader::Reader;
use smallvec::SmallVec;
use std::ops::Range;

/// Names with values, those that are texts; others are left out.
#[derive(Debug, Default)]
pub(super) struct Attributes<'b> {
    pub(super) texts: SmallVec<[(&'b [u8], &'b [u8]); 4]>,
    /// Where the values of all stand in the payload.
    pub(super) values: Range<usize>,
}

/// Where the text of a query begins, and the attributes before it.
///
/// Where the login was not seen, a count that is no character of SQL tells that there are any.
pub(super) fn of_query(
    payload: &[u8],
    agreed: Option<Capabilities>,
) -> Option<(usize, Attributes<'_>)> {
    let has = match (agreed, payload) {
        (Some(agreed), _) => agreed.has(Capabilities::QUERY_ATTRIBUTES),
        (None, [_, 0..=8, 1, ..]) => true,
        (None, _) => false,
    };
    if !has {
        return Some((1, Attributes::default()));
    }
    let mut reader = Reader::new(payload);
    reader.take(1)?;
    let count = lenenc(&mut reader)?;
    // Sets of parameters: always one.
    lenenc(&mut reader)?;
    if count == 0 {
        return Some((reader.offset(), Attributes::default()));
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= COUNT_LIMIT)?;
    let attributes = read(&mut reader, count, count, Names::Given)?;
    Some((reader.offset(), attributes))
}

/// What stands behind the head of an execution; none if that cannot be told.
pub(super) fn of_execution(
    payload: &[u8],
    parameters: u16,
    agreed: Option<Capabilities>,
) -> Option<Attributes<'_>> {
    let mut reader = Reader::new(payload);
    // Code, id.
    reader.take(1 + 4)?;
    let flags = reader.u8()?;
    // Iterations.
    reader.take(4)?;
    let named = agreed.is_some_and(|agreed| agreed.has(Capabilities::QUERY_ATTRIBUTES));
    let mut count = usize::from(parameters);
    if parameters == UNKNOWN_COUNT && !(named && flags & PARAMETER_COUNT_AVAILABLE != 0) {
        return None;
    }
    if named && flags & PARAMETER_COUNT_AVAILABLE != 0 {
        count = usize::try_from(lenenc(&mut reader)?).ok()?;
    }
    if count == 0 {
        return Some(Attributes::default());
    }
    if count > COUNT_LIMIT {
        return None;
    }
    let skipped = if parameters == UNKNOWN_COUNT { count } else { usize::from(parameters) };
    read(&mut reader, count, count.saturating_sub(skipped), Names::of(named))
}

/// How many sets of values a bulk brings (MariaDB); none if that cannot be told.
///
/// <https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute>
pub(super) fn of_bulk(payload: &[u8], parameters: u16) -> Option<i64> {
    if parameters == 0 || parameters == UNKNOWN_COUNT {
        return None;
    }
    let mut reader = Reader::new(payload);
    // Code, id.
    reader.take(1 + 4)?;
    if u16_le(&mut reader)? & SEND_TYPES == 0 {
        return None;
    }
    let mut types: SmallVec<[u8; 16]> = SmallVec::new();
    for _ in 0..parameters {
        let [kind, _] = u16_le(&mut reader)?.to_le_bytes();
        types.push(kind);
    }
    let mut sets = 0;
    while !reader.rest().is_empty() {
        for kind in &types {
            // Others stand for NULL, the column's default, and nothing.
            if reader.u8()? == 0 {
                value(&mut reader, *kind)?;
            }
        }
        sets += 1;
    }
    Some(sets)
}

/// Whether a name stands with each type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Given,
    Absent,
}

impl Names {
    fn of(named: bool) -> Self {
        if named { Self::Given } else { Self::Absent }
    }
}

/// Reads bits for NULL, types and values; keeps the texts of the last `kept` ones.
fn read<'b>(
    reader: &mut Reader<'b>,
    count: usize,
    kept: usize,
    names: Names,
) -> Option<Attributes<'b>> {
    let nulls = reader.take(count.div_ceil(8))?;
    let mut attributes = Attributes::default();
    if reader.u8()? != 1 {
        // The types are those of the execution before.
        let start = reader.offset();
        attributes.values = start..start + reader.rest().len();
        return Some(attributes);
    }
    let mut types: SmallVec<[(u8, &[u8]); 8]> = SmallVec::new();
    for _ in 0..count {
        let [kind, _] = u16_le(reader)?.to_le_bytes();
        let name = if names == Names::Given { lenenc_string(reader)? } else { &[] };
        types.push((kind, name));
    }
    let start = reader.offset();
    for (at, (kind, name)) in types.into_iter().enumerate() {
        if nulls.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1) {
            continue;
        }
        let Some(value) = value(reader, kind) else {
            // Where one ends is not known: the rest are values.
            let rest = reader.rest();
            attributes.values = start..reader.offset() + rest.len();
            return if kept == count { None } else { Some(attributes) };
        };
        if at >= count - kept && is_text(kind) {
            attributes.texts.push((name, value));
        }
    }
    attributes.values = start..reader.offset();
    Some(attributes)
}

fn is_text(kind: u8) -> bool {
    matches!(kind, 0x0f | 0xf9..=0xfe)
}

/// A value of the binary protocol.
pub(super) fn value<'b>(reader: &mut Reader<'b>, kind: u8) -> Option<&'b [u8]> {
    let len = match kind {
        // NULL.
        0x06 => 0,
        // TINY; SHORT, YEAR; LONG, FLOAT, INT24; DOUBLE, LONGLONG.
        0x01 => 1,
        0x02 | 0x0d => 2,
        0x03 | 0x04 | 0x09 => 4,
        0x05 | 0x08 => 8,
        // TIMESTAMP, DATE, TIME, DATETIME with a length before them.
        0x07 | 0x0a | 0x0b | 0x0c | 0x11..=0x13 => usize::from(reader.u8()?),
        _ => return lenenc_string(reader),
    };
    reader.take(len)
}

/// The execution says how many values it brings, attributes among them.
const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;

/// A bulk says of which types its values are (`SEND_TYPES_TO_SERVER`).
const SEND_TYPES: u16 = 128;

/// As many parameters as a statement can have.
const COUNT_LIMIT: usize = 65_535;
