//! The sections after the question: what is used of their records, and the answers as text.

use super::codes::{
    A, AAAA, CNAME, DNAME, HTTPS, MX, NS, OPT, PTR, QUERY, SOA, SPF, SRV, SVCB, TXT, TYPES, named,
};
use super::header::Header;
use super::names::{skip_name, write_byte, write_name};
use crate::reader::Reader;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the sections after the question say.
#[derive(Default)]
pub(super) struct Records {
    /// The type of the last answer that could be read.
    pub(super) last_answer: u16,
    pub(super) extended_rcode: u16,
    /// Whether all could be read, and nothing follows them.
    pub(super) complete: bool,
}

impl Records {
    pub(super) fn read(
        message: &[u8],
        reader: &mut Reader<'_>,
        header: &Header,
        answers: &mut Vec<u8>,
    ) -> Self {
        let mut records = Self::default();
        let listed = header.opcode() == QUERY;
        for place in 0..header.answers {
            let Some(record) = Record::read(message, reader) else { return records };
            records.last_answer = record.kind;
            if listed && place < ANSWER_LIMIT && answers.len() < ANSWER_TEXT_LIMIT {
                if !answers.is_empty() {
                    answers.push(b',');
                }
                let start = answers.len();
                if record.write(message, answers).is_none() {
                    answers.truncate(start);
                    answers.extend_from_slice(&named(TYPES, record.kind, "TYPE"));
                }
            }
        }
        for _ in 0..u32::from(header.authorities) + u32::from(header.additionals) {
            let Some(record) = Record::read(message, reader) else { return records };
            if record.kind == OPT {
                records.extended_rcode = u16::from(record.extended_rcode);
            }
        }
        records.complete = reader.rest().is_empty();
        records
    }
}

/// RFC 1035, 4.1.3; its owner's name is not used.
struct Record {
    kind: u16,
    /// In an OPT record, the first byte where others have their time to live.
    extended_rcode: u8,
    /// Where its data begin and end in the message.
    data: std::ops::Range<usize>,
}

impl Record {
    fn read(message: &[u8], reader: &mut Reader<'_>) -> Option<Self> {
        skip_name(message, reader)?;
        let kind = reader.u16_be()?;
        let _class = reader.u16_be()?;
        let [extended_rcode, ..] = reader.u32_be()?.to_be_bytes();
        let length = usize::from(reader.u16_be()?);
        let start = reader.offset();
        reader.take(length)?;
        Some(Self { kind, extended_rcode, data: start..start + length })
    }

    /// Writes its data as in a zone file; none if there is no such form, or they are broken.
    fn write(&self, message: &[u8], text: &mut Vec<u8>) -> Option<()> {
        let end = self.data.end;
        let mut data = Reader::new(message.get(..end)?);
        data.seek(self.data.start)?;
        match self.kind {
            A => {
                let address: [u8; 4] = message.get(self.data.clone())?.try_into().ok()?;
                write!(text, "{}", Ipv4Addr::from(address)).ok()
            }
            AAAA => {
                let address: [u8; 16] = message.get(self.data.clone())?.try_into().ok()?;
                write!(text, "{}", Ipv6Addr::from(address)).ok()
            }
            NS | CNAME | PTR | DNAME => write_name(message, &mut data, text),
            MX => {
                write!(text, "{} ", data.u16_be()?).ok()?;
                write_name(message, &mut data, text)
            }
            SRV => {
                let (priority, weight, port) = (data.u16_be()?, data.u16_be()?, data.u16_be()?);
                write!(text, "{priority} {weight} {port} ").ok()?;
                write_name(message, &mut data, text)
            }
            SVCB | HTTPS => {
                write!(text, "{} ", data.u16_be()?).ok()?;
                write_name(message, &mut data, text)
            }
            SOA => {
                write_name(message, &mut data, text)?;
                text.push(b' ');
                write_name(message, &mut data, text)?;
                write!(text, " {}", data.u32_be()?).ok()
            }
            TXT | SPF => {
                while !data.rest().is_empty() {
                    let length = usize::from(data.u8()?);
                    if text.last() == Some(&b'"') {
                        text.push(b' ');
                    }
                    text.push(b'"');
                    for byte in data.take(length)? {
                        write_byte(*byte, b" .", text);
                    }
                    text.push(b'"');
                }
                Some(())
            }
            _ => None,
        }
    }
}

/// So many answers are shown, and no more are begun past so many bytes of text.
const ANSWER_LIMIT: u16 = 16;
const ANSWER_TEXT_LIMIT: usize = 1024;
