//! A header block in; its fields out, in one buffer that all blocks share.
//! <https://www.rfc-editor.org/rfc/rfc9113#section-8.3>

use super::hpack::Decoder;
use super::literals::{Literal, literals};
use super::unseen::UnseenFields;
use crate::protocol::{Key, Malformed, Out};
use crate::protocols::http::fields::Fields;
use crate::secrets::Secrets;
use crate::trace_context::own::OwnIds;
use std::ops::Range;

/// The fields of one header block.
#[derive(Default)]
pub(super) struct FieldList {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Fields of the block, known or not.
    told: usize,
    /// Where their values stand in the block, where that is asked for.
    literals: Vec<Option<Literal>>,
    /// Where pieces of the block begin, in it and in the input.
    pieces: Vec<(usize, usize)>,
    /// Fields whose name or value is not known.
    unknown: u32,
    unseen: UnseenFields,
    /// What kind of head it is, where a name tells.
    likeness: Option<Likeness>,
}

/// Where a field stands in the buffer: its name, then its value.
#[derive(Clone, Copy)]
struct Place {
    name: u32,
    value: u32,
    end: u32,
    /// Which field of the block it is.
    number: usize,
}

/// What the pseudo-header fields of a block make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    Request,
    Response,
}

impl FieldList {
    /// Reads a whole block.
    ///
    /// # Errors
    /// As [`Decoder::block`]; the fields before the fault are there.
    pub(super) fn read(&mut self, decoder: &mut Decoder, block: &[u8]) -> Result<(), Malformed> {
        self.bytes.clear();
        self.places.clear();
        self.literals.clear();
        self.pieces.clear();
        (self.told, self.unknown, self.likeness) = (0, 0, None);
        self.unseen.clear();
        let untold = decoder.untold();
        let read = decoder.block(block, &mut |field| {
            if let Some(name) = field.name {
                self.likeness = self.likeness.or_else(|| likeness(name));
            }
            match (field.name, field.value) {
                (Some(name), Some(value)) => {
                    self.unseen.known(name);
                    self.push(name, value);
                }
                _ => {
                    self.unknown += 1;
                    self.unseen.unknown(field.entry, field.value);
                }
            }
            self.told += 1;
        });
        let untold = decoder.untold().saturating_sub(untold);
        self.unseen.end(untold > 0);
        self.unknown = self.unknown.saturating_add(u32::try_from(untold).unwrap_or(u32::MAX));
        read
    }

    /// Finds where the values of the block that was read stand; pieces of it begin at these
    /// offsets, in it and in the input.
    pub(super) fn locate(&mut self, block: &[u8], pieces: impl Iterator<Item = (usize, usize)>) {
        literals(block, &mut self.literals);
        self.pieces.extend(pieces);
    }

    /// Tells of the secrets of a block that was located.
    pub(super) fn tell_secrets(&self, key: Key, secrets: &Secrets, out: &mut dyn Out) {
        let mut known = self.places.iter().peekable();
        for (number, literal) in self.literals.iter().enumerate() {
            let place = known.next_if(|place| place.number == number);
            let Some(literal) = literal else { continue };
            let mut is_whole = false;
            let mut tell = |at: Range<usize>| {
                // All of what is coded was told with the first part.
                if !std::mem::replace(&mut is_whole, literal.is_coded) {
                    self.tell_secret(key, literal, at, out);
                }
            };
            let Some((name, value)) = place.map(|place| self.field(place)) else {
                // Nobody knows what it is.
                tell(0..literal.at.len());
                continue;
            };
            match name {
                b":path" => secrets.in_addresses(value, &mut tell),
                b":authority" if !secrets.are_shown() => {
                    let user = value.iter().rposition(|byte| *byte == b'@');
                    user.into_iter().for_each(|at| tell(0..at));
                }
                _ => secrets.in_header(name, value, &mut tell),
            }
        }
    }

    /// A part of a value is secret: all of one that is coded.
    fn tell_secret(&self, key: Key, literal: &Literal, part: Range<usize>, out: &mut dyn Out) {
        let Range { start, end } = literal.at;
        let (start, end) = match literal.is_coded {
            true => (start, end),
            false => (start + part.start, end.min(start + part.end)),
        };
        let after = self.pieces.partition_point(|(block, _)| *block <= start);
        let pieces = self.pieces.get(after.saturating_sub(1)..).unwrap_or_default();
        for (place, (block, input)) in pieces.iter().enumerate() {
            if *block >= end {
                return;
            }
            let next = pieces.get(place + 1).map_or(usize::MAX, |(next, _)| *next);
            let (from, to) = (start.max(*block), end.min(next));
            if from < to {
                let offset = |at: usize| (at - block + input) as u64;
                out.secret(key, offset(from)..offset(to));
            }
        }
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        let at = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let start = at(&self.bytes);
        self.bytes.extend_from_slice(name);
        let middle = at(&self.bytes);
        self.bytes.extend_from_slice(value);
        self.places.push(Place {
            name: start,
            value: middle,
            end: at(&self.bytes),
            number: self.told,
        });
    }

    /// Names and values that are known, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.places.iter().map(|place| self.field(place))
    }

    fn field(&self, place: &Place) -> (&[u8], &[u8]) {
        let text =
            |start: u32, end: u32| self.bytes.get(start as usize..end as usize).unwrap_or_default();
        (text(place.name, place.value), text(place.value, place.end))
    }

    /// The fields that do not belong to the first line.
    pub(super) fn regular(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.iter().filter(|(name, _)| !name.starts_with(b":"))
    }

    /// Fields whose name or value is not known.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Numbers of the entries one of which has the type of content, if that is not known.
    pub(super) fn entries(&self) -> &[i64] {
        self.unseen.entries()
    }

    /// What kind of head it is; none if it has no pseudo-header field that is known, as trailers.
    pub(super) fn likeness(&self) -> Option<Likeness> {
        self.likeness
    }

    /// What its fields tell.
    pub(super) fn head<'b>(&'b self, ids: &'b OwnIds) -> Head<'b> {
        let mut head = Head { fields: Fields::new(ids), ..Head::default() };
        for (name, value) in self.iter() {
            match name {
                [b':', pseudo @ ..] => head.take_pseudo(pseudo, value),
                _ => head.fields.take(name, value),
            }
        }
        head
    }
}

/// What the fields of a head tell.
#[derive(Default)]
pub(super) struct Head<'b> {
    pub(super) method: Option<&'b [u8]>,
    pub(super) scheme: Option<&'b [u8]>,
    pub(super) authority: Option<&'b [u8]>,
    pub(super) path: Option<&'b [u8]>,
    /// RFC 8441: what a stream of CONNECT is to speak.
    pub(super) protocol: Option<&'b [u8]>,
    status: Option<&'b [u8]>,
    pub(super) fields: Fields<'b>,
}

impl<'b> Head<'b> {
    fn take_pseudo(&mut self, name: &[u8], value: &'b [u8]) {
        let place = match name {
            b"method" => &mut self.method,
            b"scheme" => &mut self.scheme,
            b"authority" => &mut self.authority,
            b"path" => &mut self.path,
            b"protocol" => &mut self.protocol,
            b"status" => &mut self.status,
            _ => return,
        };
        place.get_or_insert(value);
    }

    /// The code of a response, three digits.
    pub(super) fn status(&self) -> Option<u16> {
        let digits = self.status.filter(|digits| digits.len() == 3)?;
        // A sign is none.
        digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok())?
    }
}

fn likeness(name: &[u8]) -> Option<Likeness> {
    match name {
        b":method" | b":path" | b":scheme" | b":authority" | b":protocol" => {
            Some(Likeness::Request)
        }
        b":status" => Some(Likeness::Response),
        _ => None,
    }
}
