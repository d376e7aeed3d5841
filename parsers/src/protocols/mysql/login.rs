//! The greeting of a server, and what a client answers it with.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html>

use super::capabilities::Capabilities;
use super::packet::{lenenc_string, nul_string, u16_le, u32_le};
use crate::reader::Reader;
use std::ops::Range;

/// What a server says before a login (protocol version 10).
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeting<'b> {
    pub(super) version: &'b [u8],
    pub(super) connection: u32,
    pub(super) capabilities: Capabilities,
}

impl<'b> Greeting<'b> {
    pub(super) fn read(payload: &'b [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 10 {
            return None;
        }
        let version = nul_string(&mut reader)?;
        let is_version = version.first().is_some_and(u8::is_ascii_digit)
            && version.contains(&b'.')
            && version.iter().all(|byte| (b' '..=b'~').contains(byte));
        if !is_version || version.len() > VERSION_LIMIT {
            return None;
        }
        let connection = u32_le(&mut reader)?;
        reader.take(8 + 1)?;
        let lower = u64::from(u16_le(&mut reader)?);
        // Older servers end here; else character set and status come before the upper half.
        let mut upper = || {
            reader.take(1 + 2)?;
            let upper = u64::from(u16_le(&mut reader)?) << 16;
            reader.take(1 + 6)?;
            Some(upper | u64::from(u32_le(&mut reader)?) << 32)
        };
        let mut all = lower | upper().unwrap_or_default();
        if Capabilities(all).has(Capabilities::MYSQL) {
            // MySQL's filler is no capabilities of MariaDB's.
            all &= 0xffff_ffff;
        }
        Some(Self { version, connection, capabilities: Capabilities(all) })
    }
}

impl Greeting<'_> {
    /// Whether the version is one of MariaDB's, such as `5.5.5-10.11.6-MariaDB`.
    pub(super) fn is_mariadb(&self) -> bool {
        let mut parts = self.version.split(|byte| matches!(byte, b'-' | b'+'));
        parts.any(|part| part.eq_ignore_ascii_case(b"mariadb"))
    }
}

/// What a client says at a login, or in a change of user.
#[derive(Clone, Debug, Default)]
pub(super) struct Login<'b> {
    pub(super) capabilities: Capabilities,
    /// The lower byte of its number, which tells the character set.
    pub(super) collation: Option<u8>,
    pub(super) user: &'b [u8],
    pub(super) database: &'b [u8],
    /// Where what it proves itself with stands in the payload.
    pub(super) secret: Range<usize>,
    /// The client's own name, of its attributes.
    pub(super) program: &'b [u8],
}

impl<'b> Login<'b> {
    pub(super) fn read(payload: &'b [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let lower = u16_le(&mut reader)?;
        if !Capabilities(u64::from(lower)).has(Capabilities::PROTOCOL_41) {
            return Self::read_320(lower, &mut reader);
        }
        let upper = u64::from(u16_le(&mut reader)?) << 16;
        // Longest packet, collation, filler.
        reader.take(4)?;
        let collation = Some(reader.u8()?);
        reader.take(19)?;
        let mut capabilities = Capabilities(u64::from(lower) | upper);
        let extended = u64::from(u32_le(&mut reader)?) << 32;
        if !capabilities.has(Capabilities::MYSQL) {
            capabilities.0 |= extended;
        }
        let user = nul_string(&mut reader)?;
        let secret = if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
            lenenc_string(&mut reader)?
        } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?
        } else {
            nul_string(&mut reader)?
        };
        let end = reader.offset();
        let mut login = Self { capabilities, collation, user, ..Self::default() };
        login.secret = end.saturating_sub(secret.len())..end;
        if capabilities.has(Capabilities::CONNECT_WITH_DB) {
            // The zero may be missing at the end.
            let rest = reader.rest();
            login.database = nul_string(&mut reader).unwrap_or(rest);
        }
        login.read_plugin_and_attributes(&mut reader);
        Some(login)
    }

    /// `COM_CHANGE_USER`, without its code.
    pub(super) fn read_change(
        payload: &'b [u8],
        capabilities: Option<Capabilities>,
    ) -> Option<Self> {
        let capabilities = capabilities.unwrap_or(Capabilities(
            Capabilities::SECURE_CONNECTION.0 | Capabilities::PLUGIN_AUTH.0,
        ));
        let mut reader = Reader::new(payload);
        let user = nul_string(&mut reader)?;
        let secret = if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let len = reader.u8()?;
            reader.take(usize::from(len))?
        } else {
            nul_string(&mut reader)?
        };
        let end = reader.offset();
        let database = nul_string(&mut reader).unwrap_or_default();
        let secret = end.saturating_sub(secret.len())..end;
        let mut login = Self { capabilities, user, database, secret, ..Self::default() };
        if let Some(collation) = u16_le(&mut reader) {
            login.collation = collation.to_le_bytes().first().copied();
            login.read_plugin_and_attributes(&mut reader);
        }
        Some(login)
    }

    /// Before 4.1: the upper half of the capabilities is missing.
    fn read_320(lower: u16, reader: &mut Reader<'b>) -> Option<Self> {
        reader.take(3)?;
        let mut login = Self { capabilities: Capabilities(u64::from(lower)), ..Self::default() };
        login.user = nul_string(reader)?;
        let start = reader.offset();
        let rest = reader.rest();
        if login.capabilities.has(Capabilities::CONNECT_WITH_DB) {
            let secret = nul_string(reader)?;
            login.secret = start..start + secret.len();
            login.database = nul_string(reader).unwrap_or_else(|| reader.rest());
        } else {
            let secret = rest.strip_suffix(b"\0").unwrap_or(rest);
            login.secret = start..start + secret.len();
        }
        Some(login)
    }

    fn read_plugin_and_attributes(&mut self, reader: &mut Reader<'b>) {
        if self.capabilities.has(Capabilities::PLUGIN_AUTH) && nul_string(reader).is_none() {
            return;
        }
        if !self.capabilities.has(Capabilities::CONNECT_ATTRS) {
            return;
        }
        let Some(attributes) = lenenc_string(reader) else { return };
        let mut attributes = Reader::new(attributes);
        while let Some(name) = lenenc_string(&mut attributes)
            && let Some(value) = lenenc_string(&mut attributes)
        {
            if name == b"program_name" {
                self.program = value.get(..PROGRAM_LIMIT).unwrap_or(value);
            }
        }
    }
}

/// Whether a client asks for TLS: the fixed part of a login, and nothing after it.
pub(super) fn asks_for_tls(payload: &[u8]) -> bool {
    let mut reader = Reader::new(payload);
    let Some(lower) = u16_le(&mut reader) else { return false };
    let capabilities = Capabilities(u64::from(lower));
    let fixed = if capabilities.has(Capabilities::PROTOCOL_41) { 32 } else { 5 };
    capabilities.has(Capabilities::SSL) && payload.len() == fixed
}

/// Attributes of a connection may have 64 KiB.
pub(super) const LOGIN_LIMIT: usize = 70_000;

/// Longest version, name of a program.
const VERSION_LIMIT: usize = 256;
const PROGRAM_LIMIT: usize = 64;
