//! One request, response or one-way message, borrowed from the bytes that carried it.

use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A decoded message.
#[derive(Clone, Debug)]
pub struct Message<'b> {
    /// What part it plays in an exchange.
    pub kind: Kind,
    /// Which of the names of its protocol it goes by. Of an exchange, that of the request counts.
    pub dialect: Dialect,
    /// Which exchange it belongs to.
    pub pairing: Pairing<'b>,
    /// The bytes of the input that are known to be its own when it opens.
    pub bytes: Range<usize>,
    /// For requests: method, command or operation, such as `GET`; else empty.
    pub operation: &'b [u8],
    /// For requests: what it is applied to, such as the path, the key or the name; may be empty.
    pub resource: &'b [u8],
    /// For responses: the outcome.
    pub status: Status<'b>,
    /// Whether it was cut: its end was lost, and only what is there was read.
    pub cut: bool,
}

/// A name that messages of a protocol go by: its own, or one of what travels within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// That of the protocol.
    #[default]
    Plain,
    /// This one of [`Protocol::dialects`](crate::protocol::Protocol::dialects), from 0.
    Within(u8),
}

/// The part that a message plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks; opens an exchange.
    Request,
    /// Asks in the name of the other side, and is answered by its sender (HTTP/2's push); opens an
    /// exchange.
    Promise,
    /// Answers; closes one.
    Response,
    /// Comes before the final response (HTTP 1xx); an event on the exchange.
    Interim,
    /// Neither awaits an answer nor is one.
    OneWay,
    /// Says that the connection, or something kept for it, is needed no more; awaits no answer, and
    /// nobody's call is the reason for it.
    End,
    /// Asks for a login, a greeting or another step that carries no call; apart in the counts.
    Handshake,
    /// Answers the connection itself, before anything was asked: a handshake that is over at once.
    /// It has an operation as a request has, and a status as a response.
    Refusal,
}

/// What request and response are matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing<'b> {
    /// Responses come in the order of the requests, within one lane.
    InOrder {
        /// Tells lanes of one connection apart; 0 if there is one only.
        lane: u64,
    },
    /// Both carry the same id.
    Id {
        /// The side that chose it.
        by: Side,
        /// The id.
        id: Id<'b>,
    },
    /// There is nothing to match.
    OneWay,
}

/// An id that pairs a response with its request on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id<'b> {
    /// A number, such as a DNS transaction id or a stream id.
    Number(u64),
    /// Bytes, such as a reply subject.
    Bytes(&'b [u8]),
}

/// One of the two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that sent the first packet that was seen.
    A,
    /// The other one.
    B,
}

impl Side {
    /// The end on the other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for A, 1 for B.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// The outcome that a response states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'b> {
    /// Good, or whose fault it is.
    pub outcome: Outcome,
    /// The protocol's number, such as 404; 0 where it has none.
    pub code: u32,
    /// The protocol's text, such as `NXDOMAIN` or `WRONGTYPE`; may be empty.
    pub text: &'b [u8],
}

/// Good, or whose fault it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing is known.
    #[default]
    Unknown,
    /// As asked.
    Ok,
    /// The request was at fault (HTTP 4xx).
    ClientError,
    /// The server failed.
    ServerError,
}

/// Something known of a message, under its OpenTelemetry name where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'b> {
    /// For example `url.path`.
    pub name: &'b str,
    /// What it is.
    pub value: Value<'b>,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'b> {
    /// Text, which need not be UTF-8.
    Text(&'b [u8]),
    /// A whole number.
    Int(i64),
}

/// Something that a message puts into a queue, a stream or a channel, or gets out of it: what a
/// producer's message is joined with a consumer's by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Whether it is put in or got out.
    pub role: Role,
    /// The list, stream, topic, channel or subject; of a long name the first bytes. The same for
    /// whoever puts in and gets out.
    pub queue: &'b [u8],
    /// The digest of its content, as [`digest`] makes it.
    pub digest: u64,
    /// What tells it from all others in its queue, such as a stream's entry id or an offset; empty
    /// without.
    pub id: &'b [u8],
}

/// What a message does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It puts it in.
    Produced,
    /// It takes it out: nobody else gets it.
    Taken,
    /// It gets a copy, and others may get theirs.
    Received,
}

impl Role {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Produced, Self::Taken, Self::Received];

    /// Its name in the output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Produced => "produced",
            Self::Taken => "taken",
            Self::Received => "received",
        }
    }
}

/// The digest of a piece of a record's content, of which at least the first [`DIGEST_LIMIT`] bytes
/// are given, or all. `before` is that of the pieces before it, 0 for the first one. It is XXH3,
/// seeded with `before` and the piece's whole size.
#[must_use]
pub fn digest(before: u64, piece: &[u8], size: u64) -> u64 {
    let shown = piece.get(..DIGEST_LIMIT).unwrap_or(piece);
    xxh3_64_with_seed(shown, before.rotate_left(1).wrapping_add(size))
}

/// Bytes of a piece that its digest is made of; of what follows them, only how much it is counts.
pub const DIGEST_LIMIT: usize = 4096;
