//! One socket with its ring: opened, drained without ever waiting, and kept when its interface goes
//! away and comes back.

use super::{LiveError, Options, socket};
use crate::packet::{Batch, Frame, InterfaceId, LinkType, PacketHead, Timestamp};
use crate::source::interfaces::ANY;
use pcap::{Active, Capture, Linktype, Precision};
use std::os::fd::{AsFd, BorrowedFd};

/// A packet socket of one interface.
pub(super) struct Ring {
    handle: Capture<Active>,
    name: String,
    pub(super) interface: InterfaceId,
    pub(super) link: LinkType,
    /// The interface's number in the kernel; none for all interfaces.
    index: Option<u32>,
    promiscuous: bool,
    /// Whether it shares the packets of its interface with others.
    shared: bool,
    pub(super) state: State,
    /// What libpcap said where the interface is up and yet gives no packets.
    pub(super) fault: Option<String>,
    /// How long is waited after such a fault, and until when, in ticks.
    pause: i64,
    until: i64,
    /// Whether what the interface itself dropped can be told: the kernel's list is that of the
    /// namespace that the process is in.
    here: bool,
    /// What libpcap counted when it was last asked: packets, dropped by the kernel, by the
    /// interface. They are 32 bits wide and start anew at the end of them.
    counted: [u32; 3],
    /// Packets before this moment are left out: other sockets of the group may have them too, and
    /// the filter was not there yet.
    since: Timestamp,
    /// The newest packet.
    pub(super) newest: Timestamp,
}

/// Whether packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    /// The interface is down, or away.
    Down,
    /// It will not be captured on again.
    Gone,
}

/// What draining came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// The ring is empty.
    All,
    /// There was more than there was room for.
    Some,
    /// The interface went down.
    WentDown,
    /// It was down before, and still is.
    Down,
}

/// Whether an interface that was away can be captured on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It is not there.
    No,
    /// It is there, and packets come.
    Yes,
    /// Another one has its name, and sockets of a group cannot be bound anew.
    Never,
}

impl Ring {
    /// Opens a socket on an interface.
    pub(super) fn open(
        name: &str,
        interface: InterfaceId,
        options: &Options,
    ) -> Result<Self, LiveError> {
        let failed = |error: pcap::Error| LiveError::open(name, error);
        let is_any = name == ANY;
        let promiscuous = options.promiscuous && !is_any;
        let timeout = if options.immediate { IMMEDIATE_MS } else { TIMEOUT_MS };
        let handle = Capture::from_device(name)
            .map_err(failed)?
            .snaplen(options.snaplen)
            .promisc(promiscuous)
            .buffer_size(options.ring_bytes)
            .precision(Precision::Nano)
            // Not libpcap's immediate mode: that is TPACKET_V2, which loses bursts.
            .timeout(timeout);
        let mut handle = handle.open().map_err(failed)?.setnonblock().map_err(failed)?;
        if is_any {
            // The second version of cooked packets names the interface of each.
            let _ = handle.set_datalink(Linktype(i32::from(LinkType::LINUX_SLL2.0)));
        }
        if let Some(direction) = options.direction {
            handle.direction(direction.into()).map_err(failed)?;
        }
        let link = link_type(handle.get_datalink().0);
        if let Some(expression) = &options.filter {
            handle.filter(expression, true).map_err(|error| LiveError::filter(link, error))?;
        }
        let mut ring = Self {
            handle,
            name: name.to_owned(),
            interface,
            link,
            index: None,
            promiscuous,
            shared: options.workers > 1,
            state: State::Up,
            fault: None,
            pause: PAUSE,
            until: 0,
            here: !options.elsewhere,
            counted: [0; 3],
            since: Timestamp(i64::MAX),
            newest: Timestamp(i64::MIN),
        };
        ring.index = socket::index_of(ring.socket(), name);
        if !is_any && socket::is_up(ring.socket(), name) == Some(false) {
            ring.state = State::Down;
        }
        Ok(ring)
    }

    /// The socket, to be polled.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// What the interface is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// From now on packets count.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.since = now;
    }

    /// Moves packets behind those in the batch, until the ring is empty or the batch holds so many
    /// bytes.
    pub(super) fn drain(&mut self, batch: &mut Batch, bytes: usize) -> Drained {
        let Self { handle, interface, link, since, newest, .. } = self;
        loop {
            if batch.buffer.len() >= bytes {
                return Drained::Some;
            }
            let read = handle.dispatch(Some(AT_A_TIME), |packet| {
                let header = packet.header;
                // With nanoseconds asked for, libpcap puts them where microseconds stand.
                let at = Timestamp(header.ts.tv_sec * 1_000_000_000 + header.ts.tv_usec);
                *newest = at.max(*newest);
                if at < *since {
                    return;
                }
                let start = batch.buffer.len();
                batch.buffer.extend_from_slice(packet.data);
                batch.packets.push(PacketHead {
                    at,
                    interface: *interface,
                    link: *link,
                    frame: Frame::default(),
                    wire_len: header.len,
                    bytes: start..batch.buffer.len(),
                });
            });
            match read {
                Ok(0) => return Drained::All,
                Ok(_) => self.pause = PAUSE,
                // The socket stays, and with it what lies in the ring.
                Err(error) => {
                    if self.state != State::Up {
                        return Drained::Down;
                    }
                    self.state = State::Down;
                    self.fault = self.is_there().then(|| match error {
                        pcap::Error::PcapError(reason) => reason,
                        other => other.to_string(),
                    });
                    return Drained::WentDown;
                }
            }
        }
    }

    /// Whether the interface is there, and down. libpcap tells only of one that is gone.
    pub(super) fn is_down(&self) -> bool {
        self.name != ANY && socket::is_up(self.socket(), &self.name) == Some(false)
    }

    /// Whether the interface is up, and the one that the socket is bound to.
    fn is_there(&self) -> bool {
        self.name == ANY
            || socket::index_of(self.socket(), &self.name) == self.index
                && socket::is_up(self.socket(), &self.name) == Some(true)
    }

    /// Looks at this moment, in ticks, whether the interface is back; binds to the one that now has its name.
    pub(super) fn come_back(&mut self, ticks: i64) -> Back {
        if ticks < self.until {
            return Back::No;
        }
        if self.fault.is_some() {
            // What goes wrong at once again is tried ever more seldom.
            self.until = ticks.saturating_add(self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        let socket = self.handle.as_fd();
        if self.name != ANY {
            let index = socket::index_of(socket, &self.name);
            if index.is_none() || socket::is_up(socket, &self.name) != Some(true) {
                return Back::No;
            }
            if let Some(new) = index.filter(|_| index != self.index)
                && socket::bind(socket, new, self.promiscuous).is_err()
            {
                if !self.shared {
                    return Back::No;
                }
                self.state = State::Gone;
                return Back::Never;
            }
            self.index = index;
        }
        self.state = State::Up;
        Back::Yes
    }

    /// How many packets came, were dropped by the kernel and by the interface since it was last
    /// asked.
    pub(super) fn count(&mut self) -> [u64; 3] {
        let Ok(now) = self.handle.stats() else { return [0; 3] };
        let now = [now.received, now.dropped, now.if_dropped];
        let before = std::mem::replace(&mut self.counted, now);
        let mut since = [0; 3];
        for (place, (now, before)) in since.iter_mut().zip(now.into_iter().zip(before)) {
            *place = u64::from(now.wrapping_sub(before));
        }
        // This one is no counter of the socket's: it is gone with the interface, or where the list
        // cannot be read any more.
        let [.., by_interface] = &mut since;
        if !self.here || now[2] < before[2] {
            *by_interface = 0;
        }
        since
    }
}

/// The number that files have for what libpcap calls so: see its `pcap-common.c`.
pub(super) fn link_type(data_link: i32) -> LinkType {
    match u16::try_from(data_link) {
        Ok(12 | 14) => LinkType::RAW,
        Ok(same) => LinkType(same),
        Err(_) => LinkType(u16::MAX),
    }
}

/// Milliseconds after which the kernel hands over a block that is not full.
pub(super) const TIMEOUT_MS: i32 = 40;
const IMMEDIATE_MS: i32 = 1;
/// Nanoseconds after a fault until packets are asked for again, at first and at most.
const PAUSE: i64 = 250_000_000;
const LONGEST_PAUSE: i64 = 60_000_000_000;
/// Packets that libpcap gives in one go.
const AT_A_TIME: usize = 256;
