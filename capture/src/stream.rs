//! What reassembly gives: the bytes of a flow in order, its gaps and its end, each with what is
//! known of the packet that brought it.

use crate::packet::{Frame, NetworkId, TapId, Timestamp};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};

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
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for A, 1 for B.
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// The transport of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A byte stream with sequence numbers.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A task (thread, goroutine) that sent or received; known in uprobe mode only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId(pub u64);

/// A place that sees both directions: what spans and clocks speak of.
///
/// It is a tap, or several that the user says are one, or two of which each sees one direction; and
/// a hop there, where the same packets pass it more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointId {
    /// The taps, the first one of each group; twice the same where there is one.
    pub taps: [TapId; 2],
    /// The hop, from 0, in the order in which the packets of a flow were first seen.
    pub hop: u8,
}

impl PointId {
    /// The point that is one tap.
    pub fn at(tap: TapId) -> Self {
        Self { taps: [tap; 2], hop: 0 }
    }
}

/// What is known of the packet that brought an event.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When it was captured.
    pub at: Timestamp,
    /// The tap that saw it.
    pub tap: TapId,
    /// Its place in its file.
    pub frame: Frame,
    /// TCP acknowledgement number, 0 for UDP.
    pub ack: u32,
    /// TCP timestamp option of the sender, 0 without.
    pub tsval: u32,
    /// IPv4 identification, 0 for IPv6.
    pub ip_id: u16,
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// The task that sent it, in uprobe mode.
    pub task: Option<TaskId>,
}

/// How a flow came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Both sides said that they are done.
    Finished,
    /// One side (named) reset the connection.
    Reset(Side),
    /// A SYN was answered by a reset.
    Refused,
    /// A SYN was never answered.
    Unanswered,
    /// Nothing was seen for longer than the idle limit.
    Idle,
    /// A new connection took the same addresses and ports.
    Replaced,
    /// A limit of the flow table was reached.
    Evicted,
    /// The capture ended.
    CaptureEnd,
}

/// The next thing that is known of one direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'b> {
    /// The next bytes of a stream.
    Bytes {
        /// Position of the first byte in the direction's stream, counted from its first known byte.
        offset: u64,
        /// At least one byte.
        bytes: &'b [u8],
    },
    /// One datagram, which may be empty.
    Datagram {
        /// What was captured of it.
        bytes: &'b [u8],
        /// How many bytes the capture cut off its end.
        cut: usize,
    },
    /// Bytes that will never be seen: lost by the capture, or cut off by its snap length.
    Gap {
        /// Position of the first lost byte.
        offset: u64,
        /// How many are lost.
        lost: NonZeroU64,
    },
    /// A packet brought bytes that had been seen before, or that had been missing for long: they were
    /// sent again.
    Again {
        /// Position of the first of them.
        offset: u64,
        /// Since when they were known to be missing, if they had not been seen.
        missed: Option<Timestamp>,
    },
    /// This side has sent its last byte.
    Closed,
    /// The flow has ended; the last event of a flow.
    End(Ending),
}

/// A flow as a sink sees it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// A small number that is this flow's alone while it lives; numbers of ended flows come again.
    pub slot: usize,
    /// The number of the packet that began it, over the whole input.
    pub birth: u64,
    /// Whose addresses these are.
    pub network: NetworkId,
    /// The point that sees this flow.
    pub point: PointId,
    /// The transport.
    pub transport: Transport,
    /// Address and port of side A and of side B.
    pub addresses: [SocketAddr; 2],
    /// The side that opened the connection, if its SYN or SYN-ACK was seen.
    pub opener: Option<Side>,
    /// The SYN, if it was seen.
    pub syn: Option<Seen>,
    /// When the SYN was answered, if both were seen.
    pub established: Option<Timestamp>,
    /// How long the handshake took from the point to either end and back.
    pub round_trip: RoundTrip,
    /// Sequence number of the byte at offset 0 of either direction, once one was seen.
    pub first_seq: [Option<u32>; 2],
    /// Whether a packet of that side was seen at all.
    pub seen_sides: [bool; 2],
    /// Segments of either direction whose bytes had been seen before in another packet.
    pub retransmissions: [u32; 2],
}

/// How long packets of a handshake took from where they were seen to an end of the connection, and
/// those that answered them back. Both together are what its client had to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// From the SYN to its answer, in nanoseconds; none where the SYN was sent more than once.
    pub server: Option<NonZeroU32>,
    /// From that answer to its acknowledgement, in nanoseconds; none where the answer was sent more
    /// than once, or is acknowledged together with bytes, which may have waited.
    pub client: Option<NonZeroU32>,
}

impl RoundTrip {
    /// The time between two packets; none if they have no order.
    pub fn between(from: Timestamp, to: Timestamp) -> Option<NonZeroU32> {
        let time = to.0.saturating_sub(from.0);
        // What takes longer than four seconds is no way of packets.
        u32::try_from(time).ok().and_then(NonZeroU32::new)
    }
}

/// Why a sink is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A packet came.
    Packet,
    /// A time limit was reached.
    Timer,
    /// The capture ended.
    End,
}

/// Takes the events of all flows of a shard, in order.
///
/// Called per packet, so callers are generic over it.
pub trait StreamSink {
    /// One event of one direction of one flow.
    fn event(&mut self, flow: &Flow, from: Side, seen: &Seen, event: StreamEvent<'_>);

    /// What is told next happens at this time. `order` is the packet's number, or the number of
    /// the packet that began the flow; with time and cause it orders the events of all shards.
    fn clock(&mut self, now: Timestamp, cause: Cause, order: u64);

    /// When [`StreamSink::timeout`] is to be called for the flow in this slot, if at all.
    fn deadline(&self, slot: usize) -> Option<Timestamp>;

    /// The flow's deadline has come.
    fn timeout(&mut self, flow: &Flow, now: Timestamp);
}
