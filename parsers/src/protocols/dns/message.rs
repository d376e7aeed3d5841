//! What is used of one message, and what pairs it.

use super::codes::{OPCODES, QUERY, TYPES, named};
use super::header::{Header, flag};
use super::names::read_name;
use super::records::Records;
use crate::message::{Attribute, Value};
use crate::protocol::{Key, Malformed, Out};
use crate::reader::Reader;
use smallvec::SmallVec;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// What is used of one message.
pub(super) struct Decoded<'b> {
    pub(super) header: Header,
    /// The type that the question asks for.
    pub(super) question: Option<u16>,
    pub(super) name: &'b [u8],
    pub(super) answers: &'b [u8],
    pub(super) records: Records,
    /// The field that could not be read.
    flaw: Option<&'static str>,
}

impl<'b> Decoded<'b> {
    /// Reads all that can be read: records up to the first broken one.
    pub(super) fn read(
        message: &[u8],
        name: &'b mut Vec<u8>,
        answers: &'b mut Vec<u8>,
    ) -> Result<Self, Malformed> {
        name.clear();
        answers.clear();
        let mut reader = Reader::new(message);
        let header = Header::read(&mut reader).ok_or(Malformed("header"))?;
        let question = match header.questions {
            0 => None,
            _ => {
                read_name(message, &mut reader, name).ok_or(Malformed("question name"))?;
                let kind = reader.u16_be().ok_or(Malformed("question type"))?;
                reader.u16_be().ok_or(Malformed("question class"))?;
                Some(kind)
            }
        };
        let records = if header.questions <= 1 {
            Records::read(message, &mut reader, &header, answers)
        } else {
            // RFC 9619: more than one question is not answered by anybody.
            Records::default()
        };
        Ok(Self { header, question, name, answers, records, flaw: None })
    }

    /// A message whose `field` cannot be read, nor what follows it.
    pub(super) fn of_header(header: Header, field: &'static str) -> Self {
        Self {
            header,
            question: None,
            name: b"",
            answers: b"",
            records: Records::default(),
            flaw: Some(field),
        }
    }

    pub(super) fn write_flaw(&self, key: Key, out: &mut dyn Out) {
        if let Some(field) = self.flaw {
            out.add(key, Attribute { name: FLAW, value: Value::Text(field.as_bytes()) });
        }
    }

    /// What pairs this message: its id, and its question so that equal ids do not mix.
    pub(super) fn number(&self) -> Option<u64> {
        let mut question: SmallVec<[u8; 64]> = SmallVec::from_slice(self.name);
        question.make_ascii_lowercase();
        question.extend_from_slice(&self.question?.to_be_bytes());
        Some(numbered(self.header.id, xxh3_64(&question)))
    }

    pub(super) fn operation(&self) -> Cow<'static, [u8]> {
        match (self.header.opcode(), self.question) {
            (QUERY, Some(kind)) => named(TYPES, kind, "TYPE"),
            (opcode, _) => named(OPCODES, opcode, "OPCODE"),
        }
    }

    /// RFC 6891, 6.1.3: EDNS has the upper 8 of 12 bits.
    pub(super) fn rcode(&self) -> u16 {
        self.records.extended_rcode << 4 | self.header.flags & flag::RCODE
    }
}

pub(super) fn numbered(id: u16, hash: u64) -> u64 {
    u64::from(id) << 48 | hash >> 16
}

/// Says what is wrong with a message that is told all the same.
pub(super) const FLAW: &str = "wirespan.dns.flaw";
