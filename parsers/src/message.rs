//! One request, response or one-way message, borrowed from the bytes that carried it.

use std::ops::Range;

/// A decoded message.
#[derive(Clone, Debug)]
pub struct Message<'b> {
    /// What part it plays in an exchange.
    pub kind: Kind,
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

/// The part that a message plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks; opens an exchange.
    Request,
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
