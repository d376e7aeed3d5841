//! What a client sends first on a connection: it has no type, only a length and a code.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>: StartupMessage,
//! SSLRequest, GSSENCRequest, CancelRequest.

use super::framing::{Stop, short, string};

/// One such packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Startup<'b> {
    /// It asks for a session.
    Session {
        user: &'b [u8],
        /// The user's name if none is given.
        database: &'b [u8],
        application: &'b [u8],
    },
    /// It asks for TLS.
    Tls,
    /// It asks for encryption by GSSAPI.
    Gss,
    /// It asks to cancel what another session does.
    Cancel,
}

impl<'b> Startup<'b> {
    /// The packet at the start of the input, and its length.
    pub(super) fn read(input: &'b [u8]) -> Result<(Self, usize), Stop> {
        // Each byte is looked at as soon as it is there.
        let [0, 0, ..] = padded::<2>(input) else { return Err(Stop::Bad("startup length")) };
        let [a, b, c, d, rest @ ..] = input else { return Err(short(8 - input.len())) };
        let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if !(8..=STARTUP_LIMIT).contains(&size) {
            return Err(Stop::Bad("startup length"));
        }
        let [a, b, c, d, ..] = rest else { return Err(short(4 - rest.len())) };
        let code = u32::from_be_bytes([*a, *b, *c, *d]);
        let good = match code {
            TLS | GSS => size == 8,
            // A key has four bytes; since version 3.2 it may have up to 256.
            CANCEL => (16..=12 + 256).contains(&size),
            // Versions 3.0 and 3.2, and 3.9999 that asks whether unknown ones are refused well.
            0x0003_0000 | 0x0003_0002 | 0x0003_270f => size > 8,
            _ => return Err(Stop::Bad("startup code")),
        };
        if !good {
            return Err(Stop::Bad("startup length"));
        }
        let Some(body) = input.get(8..size) else { return Err(short(size - input.len())) };
        let startup = match code {
            TLS => Self::Tls,
            GSS => Self::Gss,
            CANCEL => Self::Cancel,
            _ => Self::session(body).ok_or(Stop::Bad("startup parameters"))?,
        };
        Ok((startup, size))
    }

    /// Names and values, then a zero.
    fn session(body: &'b [u8]) -> Option<Self> {
        let (mut user, mut database, mut application) = (None, None, &b""[..]);
        let mut rest = body;
        while rest != [0] {
            let (name, after) = string(rest)?;
            let (value, after) = string(after)?;
            if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic()) {
                return None;
            }
            match name {
                b"user" => user = Some(value),
                b"database" => database = Some(value),
                b"application_name" => application = value,
                _ => {}
            }
            rest = after;
        }
        let user = user?;
        Some(Self::Session { user, database: database.unwrap_or(user), application })
    }
}

/// The first bytes; zeros for those that are not there.
fn padded<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(input) {
        *to = *from;
    }
    first
}

/// `MAX_STARTUP_PACKET_LENGTH`.
const STARTUP_LIMIT: usize = 10_000;

const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
