//! The seam between a flow's bytes and the protocols that understand them.
//!
//! A [`Protocol`] reads the bytes of both directions and writes [`Message`]s to an [`Out`]. It
//! does no I/O, reads no clock and never panics. It is one shard's own and keeps the state of that
//! shard's connections itself, so that it needs no lock.

use crate::handed::Handed;
use crate::message::{Attribute, Dialect, Message, Record, Side, Status};
use crate::trace_context::TraceContext;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

/// A moment of packet time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// The transport below a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream of bytes.
    Tcp,
    /// Datagrams: each call of [`Protocol::parse`] gets one, whole, and uses all of it.
    Udp,
}

/// What a protocol may know of the flow that it reads.
#[derive(Clone, Debug)]
pub struct FlowInfo {
    /// The transport.
    pub transport: Transport,
    /// Address and port of side A and of side B.
    pub addresses: [SocketAddr; 2],
    /// The side that opened the connection, where that was seen.
    pub opener: Option<Side>,
    /// What it was begun with, where another protocol handed it over or carries it.
    pub handed: Option<Arc<Handed>>,
}

impl FlowInfo {
    /// The port of one side.
    #[must_use]
    pub fn port(&self, side: Side) -> u16 {
        let [a, b] = self.addresses;
        match side {
            Side::A => a.port(),
            Side::B => b.port(),
        }
    }
}

/// What the first bytes of one side say about a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// These bytes are this protocol's and no other's.
    Certain {
        /// The side that sends the requests.
        client: Side,
    },
    /// These bytes cannot be the start of a message of this protocol.
    No,
    /// They may be; more bytes, or the port, decide.
    Unsure {
        /// The side that would send the requests.
        client: Side,
    },
}

/// A connection of one protocol: an index into the protocol's own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conn(pub u32);

/// A message that was opened; good until it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub u64);

/// What a call of [`Protocol::parse`] came to. That no progress was made cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes from the start of the input are done with.
    Used(NonZeroUsize),
    /// The first `used` bytes are done with, and the `skip` bytes after them need not be shown;
    /// [`Protocol::skipped`] is called when the last of them was seen. `u64::MAX` skips all that
    /// this side will ever send.
    Skip {
        /// Bytes of this input that are done with, 0 allowed.
        used: usize,
        /// Bytes after those that are skipped, also past the end of the input.
        skip: NonZeroU64,
    },
    /// Nothing can be done before at least so many more bytes have arrived; the same input comes
    /// again with more at its end.
    Incomplete(NonZeroUsize),
    /// The flow becomes something else after the first `used` bytes.
    Become {
        /// Bytes of this input that are done with, 0 allowed.
        used: usize,
        /// What it becomes.
        next: Handoff,
    },
}

/// Who reads a flow from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handoff {
    /// Whoever recognises the next bytes, as on a new flow (CONNECT, Upgrade).
    Detect,
    /// The protocol with this name.
    To(&'static str),
    /// The protocol with this name reads the bytes and gives what it carries through
    /// [`Out::inner`]; the present parser goes on with that, its state kept (STARTTLS).
    Beneath(&'static str),
}

/// What a protocol wants after a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterGap {
    /// It can go on: bytes are shown to [`Protocol::resume`] until that says yes.
    Resync,
    /// It goes on as if nothing were missing (the lost bytes did not matter).
    Continue,
    /// It goes on, since it knows where the next message begins, but where one began is lost: that
    /// one is not told.
    Beginning,
    /// It cannot understand this side any more.
    Stop,
}

/// Bytes that no longer input could make valid; names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// An event of a flow that is carried inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner<'b> {
    /// The next bytes.
    Bytes(&'b [u8]),
    /// So many bytes are lost.
    Gap(NonZeroU64),
    /// This side of the inner flow has ended.
    End,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered<'b> {
    /// Its client took it back before it was answered; the protocol's name for that.
    TakenBack(&'b [u8]),
    /// It was answered, but where the answer begins was lost.
    Lost,
}

/// Where a protocol writes what it finds.
///
/// Ranges and offsets count from the start of the input of the present call.
pub trait Out {
    /// A message begins; its fields may lie in the input or elsewhere.
    fn open(&mut self, message: Message<'_>) -> Key;
    /// How many bytes of the message's body somebody asked for; 0 means that it can be skipped.
    fn wants(&self, key: Key) -> usize;
    /// Whether identifiers are looked for in bodies; not where there is too much to do.
    fn reads_bodies(&self) -> bool {
        true
    }
    /// Whether somebody asked for all that messages say, such as every header; else only what
    /// tells exchanges apart is added.
    fn wants_details(&self) -> bool {
        false
    }
    /// Something more is known of an open message.
    fn add(&mut self, key: Key, attribute: Attribute<'_>);
    /// An open message carries this identifier.
    fn context(&mut self, key: Key, context: &TraceContext<'_>);
    /// An open message carries this value ([`crate::values`]).
    fn value(&mut self, _key: Key, _value: u16) {}
    /// An open request asks for what is in queues: as long as its client asks no more on that
    /// connection, it may be at work on what it got. Or an open message that nobody answers brings
    /// what was in one, as was asked for before.
    fn asks_for_records(&mut self, _key: Key) {}
    /// An open message puts this into a queue, or gets it out of one. One without an id that is told
    /// again with it, by the answer, is the same.
    fn record(&mut self, _key: Key, _record: Record<'_>) {}
    /// The answer says that nothing was put in: what was told before of what the request puts into
    /// queues is not so.
    fn put_nothing(&mut self, _key: Key) {}
    /// The status of an open message is this, whatever was said before.
    fn status(&mut self, key: Key, status: Status<'_>);
    /// What the request with this key asks for, which may be closed, goes by other words than those
    /// that it was opened with: what came after it says what it is. Such as a call of gRPC, of which
    /// nothing in the request's own head is known.
    fn rename(&mut self, _key: Key, _dialect: Dialect, _operation: &[u8], _resource: &[u8]) {}
    /// These bytes of an open message are secret: what is shown of it has something else in their
    /// place. They may lie beyond the input, as those of a [`Step::Skip`] do. Told only where
    /// [`crate::settings::Settings::locate_secrets`] asks for it.
    fn secret(&mut self, _key: Key, _bytes: Range<u64>) {}
    /// Body bytes, in order, at most as many as were wanted.
    fn body(&mut self, key: Key, bytes: &[u8]);
    /// The message goes on up to `end`, an offset in the input (0 outside of `parse`: the last
    /// byte that was seen of this side).
    fn extend(&mut self, key: Key, end: usize);
    /// So many bytes of an open message, from its first to its last one, are its own; between them
    /// lie those of others. What is said last counts.
    fn own(&mut self, _key: Key, _bytes: u64) {}
    /// The message is complete; its last byte stands just before `end`, as in [`Out::extend`]. One
    /// of the other side has come as far as it was known to.
    fn close(&mut self, key: Key, end: usize);
    /// Bytes of a flow that is carried inside this one; `lane` tells several apart.
    fn inner(&mut self, lane: u64, from: Side, event: Inner<'_>);
    /// A request, which may be closed, will have no answer that can be told. What says so ends just
    /// before `end`, as in [`Out::extend`].
    fn unanswered(&mut self, _key: Key, _end: usize, _why: Unanswered<'_>) {}
    /// What follows [`Step::Become`] is told this. Said before that, in the same call or in one
    /// before; what is said last counts.
    fn becomes(&mut self, _handed: Handed) {}
    /// The flow that is carried in this lane is told this. Said before its first [`Out::inner`].
    fn carries(&mut self, _lane: u64, _handed: Handed) {}
    /// A number for the losses at the end, such as a message that could not be understood.
    fn lost(&mut self, what: &'static str);
}

/// One application protocol.
pub trait Protocol: Send {
    /// Its name in the output, lower case, such as `http`.
    fn name(&self) -> &str;

    /// Names of what messages are that travel within its own, such as `grpc` in HTTP/2: what
    /// [`Dialect`] numbers. Each reads like [`Protocol::name`].
    fn dialects(&self) -> &[&'static str] {
        &[]
    }

    /// Whether what a message says hangs on messages before it of its connection, so that it may be
    /// unreadable without them: heads that are compressed with what came before, frames behind a
    /// handshake.
    fn remembers(&self) -> bool {
        false
    }

    /// Whether its default ports include this one; a tie-break only, never proof.
    fn port(&self, port: u16) -> bool;

    /// Whether it runs over this transport.
    fn runs_over(&self, transport: Transport) -> bool;

    /// What the first bytes of one side, or the first after a gap, say. `head` is not empty.
    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe;

    /// A flow is this protocol's from here on.
    fn open(&mut self, flow: &FlowInfo, client: Side) -> Conn;

    /// Reads from the start of `input`, which is not empty.
    ///
    /// # Errors
    /// [`Malformed`] if no longer input could be valid; this side is then resynchronised.
    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed>;

    /// The last byte of a [`Step::Skip`] was seen at this time.
    fn skipped(&mut self, conn: Conn, from: Side, at: Timestamp, out: &mut dyn Out);

    /// `lost` bytes will never be seen; `head` are those before them that were not used yet, and
    /// will not come again. None are lost where only the head was given up, for a limit.
    /// A gap within a skip is counted against the skip and not told.
    fn gap(
        &mut self,
        conn: Conn,
        from: Side,
        head: &[u8],
        lost: u64,
        out: &mut dyn Out,
    ) -> AfterGap;

    /// After a gap or malformed bytes: whether a message surely starts at the start of `input`.
    fn resume(&mut self, conn: Conn, from: Side, input: &[u8]) -> bool;

    /// The same for any place in `input`: the first at which a message surely starts. Where messages
    /// do not begin with packets, such places are within.
    fn find(&mut self, conn: Conn, from: Side, input: &[u8]) -> Option<usize> {
        self.resume(conn, from, input).then_some(0)
    }

    /// This side sends nothing more; `head` are bytes that were not used.
    fn end(&mut self, conn: Conn, from: Side, head: &[u8], out: &mut dyn Out);

    /// The connection is gone.
    fn forget(&mut self, conn: Conn);
}

/// Sees each message that a protocol decodes, and may add to it (a plugin's way in).
pub trait Hook: Send {
    /// How many bytes of each body it wants; 0 lets bodies be skipped untouched.
    fn wants(&self) -> usize {
        0
    }

    /// Body bytes of a message, in order.
    fn body(&mut self, _key: Key, _bytes: &[u8], _out: &mut dyn Out) {}

    /// One message as it opens; `raw` are its bytes as far as they lie in one piece.
    fn message(
        &mut self,
        flow: &FlowInfo,
        at: Timestamp,
        key: Key,
        message: &Message<'_>,
        raw: &[u8],
        out: &mut dyn Out,
    );
}
