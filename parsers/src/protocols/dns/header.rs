//! The header of a message: its id, its flags, and how much follows.

use crate::reader::Reader;

/// RFC 1035, 4.1.1.
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

impl Header {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.u16_be()?,
            flags: reader.u16_be()?,
            questions: reader.u16_be()?,
            answers: reader.u16_be()?,
            authorities: reader.u16_be()?,
            additionals: reader.u16_be()?,
        })
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & flag::QR != 0
    }

    pub(super) fn opcode(&self) -> u16 {
        (self.flags & flag::OPCODE) >> 11
    }
}

pub(super) mod flag {
    pub(in super::super) const QR: u16 = 0x8000;
    pub(in super::super) const OPCODE: u16 = 0x7800;
    pub(in super::super) const TC: u16 = 0x0200;
    pub(in super::super) const Z: u16 = 0x0040;
    pub(in super::super) const RCODE: u16 = 0x000f;
}

pub(super) const HEADER_LENGTH: usize = 12;
