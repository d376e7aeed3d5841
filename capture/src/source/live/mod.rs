//! Packets of network interfaces, as they come: in goes the name of an interface, out go batches in
//! the order of time, and word of how quiet it was.
//!
//! libpcap captures into rings that it shares with the kernel (TPACKET_V3). Nothing here waits for
//! longer than a tenth of a second, so that whoever stops the source, or waits for packet time to
//! move on, is never kept waiting by an idle link.
//!
//! ```text
//!  eth0 ─ ring ─┐
//!  eth0 ─ ring ─┼─ waiting, until no ring can give anything older ─▶ batch
//!  eth1 ─ ring ─┘
//! ```

mod names;
mod probes;
mod ring;
mod merge;
mod socket;
pub mod clock;
pub mod devices;
pub mod namespace;

use self::clock::{now, ticks};
use self::merge::{Merge, Standing};
use self::names::Names;
use self::probes::Probes;
use self::ring::{Back, Drained, Ring, State};
use crate::filter::wrapped::Loss as Lost;
use crate::packet::{Batch, FileId, InterfaceId, LinkType, Loss, Timestamp};
use crate::source::interfaces::{ANY, Interface, Interfaces};
use crate::source::{Fill, PacketSource};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rayon::prelude::*;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is captured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the interfaces; `any` is all of them.
    pub interfaces: Vec<String>,
    /// The filter that the kernel runs.
    pub filter: Option<String>,
    /// Bytes of a packet that are kept.
    pub snaplen: i32,
    /// Whether packets that are for others are captured, where the interface gets them.
    pub promiscuous: bool,
    /// The size of each ring.
    pub ring_bytes: i32,
    /// Sockets for each interface, among which its flows are dealt out.
    pub workers: usize,
    /// Whether packets are handed over as soon as the kernel can, at some cost.
    pub immediate: bool,
    /// Only packets that come, or that go.
    pub direction: Option<Direction>,
    /// Whether the interfaces are those of another network namespace than the process is in.
    pub elsewhere: bool,
}

impl Options {
    /// Bytes of all rings together.
    pub fn all_ring_bytes(&self) -> u64 {
        let rings = self.interfaces.len().saturating_mul(self.workers.max(1));
        u64::from(self.ring_bytes.unsigned_abs()).saturating_mul(rings as u64)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snaplen: SNAPLEN,
            promiscuous: true,
            ring_bytes: RING_BYTES,
            workers: 1,
            immediate: false,
            direction: None,
            elsewhere: false,
        }
    }
}

/// Which packets of an interface are captured, if not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those that it gets.
    In,
    /// Those that it sends.
    Out,
}

impl From<Direction> for pcap::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::In => Self::In,
            Direction::Out => Self::Out,
        }
    }
}

/// Why an interface cannot be captured on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// There is none of this name.
    #[error("there is no interface {0}; wirespan live -D lists them")]
    NoSuchInterface(String),
    /// It takes a right that the process has not.
    #[error(
        "capture on {0}: not permitted; run it with sudo, or give the program the right once: sudo \
         setcap cap_net_raw=ep \"$(command -v wirespan)\" (wirespan doctor says more)"
    )]
    NotPermitted(String),
    /// The filter cannot be compiled.
    #[error("filter: {reason} (for {link}; see man pcap-filter)")]
    Filter {
        /// The link type that it was compiled for.
        link: LinkType,
        /// What libpcap said.
        reason: String,
    },
    /// Packets cannot be dealt out among several sockets.
    #[error("deal out the packets of {interface} among workers: {reason}; leave --workers out")]
    Workers {
        /// The interface.
        interface: String,
        /// What the kernel said.
        reason: String,
    },
    /// Something else that libpcap says.
    #[error("capture on {interface}: {reason}")]
    Other {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
}

impl LiveError {
    fn open(interface: &str, error: pcap::Error) -> Self {
        let reason = match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        };
        let lower = reason.to_ascii_lowercase();
        let interface = interface.to_owned();
        // libpcap gives texts only, and they are the same in all of its versions.
        if lower.contains("no such device") || lower.contains("doesn't exist") {
            Self::NoSuchInterface(interface)
        } else if lower.contains("permission") || lower.contains("not permitted") {
            Self::NotPermitted(interface)
        } else {
            Self::Other { interface, reason }
        }
    }

    fn filter(link: LinkType, error: pcap::Error) -> Self {
        let reason = match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        };
        Self::Filter { link, reason }
    }
}

/// What the kernel counted on one interface, on all of its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The interface's name.
    pub name: String,
    /// Packets that passed the filter, those dropped among them.
    pub received: u64,
    /// Those of them that found the ring full.
    pub dropped: u64,
    /// Packets that the interface says that it dropped itself.
    pub dropped_by_interface: u64,
    /// Whether it is up.
    pub up: bool,
}

/// What a live source says of itself while it runs; clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    counted: Vec<Counted>,
    news: Vec<String>,
    lag: i64,
    ring_bytes: u64,
}

impl Status {
    /// What the kernel counted, by interface.
    pub fn counted(&self) -> Vec<Counted> {
        self.lock().counted.clone()
    }

    /// How many nanoseconds old the newest packet was when it was read; 0 where all had been read.
    pub fn lag(&self) -> i64 {
        self.lock().lag
    }

    /// The bytes of all rings.
    pub fn ring_bytes(&self) -> u64 {
        self.lock().ring_bytes
    }

    /// What happened to interfaces since this was last asked, in words.
    pub fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The packets of network interfaces.
pub struct LiveSource {
    rings: Vec<Ring>,
    probes: Probes,
    interfaces: Interfaces,
    /// The interfaces that packets of [`ANY`] name.
    names: Names,
    stop: Arc<AtomicBool>,
    status: Status,
    /// Packets of several rings, until none can give an older one.
    merge: Merge,
    frames: u64,
    /// When the kernel was last asked for its counts.
    asked: (Timestamp, i64),
    /// When interfaces that are down were last looked for.
    looked: i64,
    losses: Vec<Loss>,
    /// The latest moment that was told as idle, or that a packet had.
    told: Timestamp,
    /// Nothing older than this is wanted any more: the source was stopped then.
    stopped: Option<Timestamp>,
}

impl LiveSource {
    /// Opens all sockets; from then on packets are captured.
    ///
    /// # Errors
    /// Why one of them cannot be.
    pub fn open(options: &Options) -> Result<Self, LiveError> {
        let mut interfaces = Interfaces::default();
        let mut rings = Vec::new();
        for name in &options.interfaces {
            let id = InterfaceId(interfaces.len() as u16);
            let mut group = Vec::new();
            for _ in 0..options.workers.max(1) {
                group.push(Ring::open(name, id, options)?);
            }
            share(&group, id)?;
            let link = group.first().map_or(LinkType::ETHERNET, |ring| ring.link);
            interfaces.add(Interface {
                name: name.clone(),
                link,
                file: FileId(0),
                section: 0,
                index: u32::from(id.0),
                given: Some(name.clone()),
                snaplen: options.snaplen.cast_unsigned(),
                of_any: None,
            });
            rings.extend(group);
        }
        let now = now();
        for ring in &mut rings {
            ring.begin(now);
            ring.count();
        }
        let status = Status::default();
        {
            let mut told = status.lock();
            told.ring_bytes = options.all_ring_bytes();
            let names = interfaces.iter().map(|(_, interface)| interface.name.clone());
            told.counted =
                names.map(|name| Counted { name, up: true, ..Counted::default() }).collect();
            for ring in rings.iter().filter(|ring| ring.state == State::Down) {
                told.tell(ring, false, "is down; waiting until it is up");
            }
        }
        Ok(Self {
            merge: Merge::of(rings.len()),
            probes: Probes::open(options, now),
            rings,
            names: Names::default(),
            interfaces,
            stop: Arc::default(),
            status,
            frames: 0,
            asked: (now, ticks()),
            looked: ticks(),
            losses: Vec::new(),
            told: Timestamp(i64::MIN),
            stopped: None,
        })
    }

    /// Once this is set, the source ends with what had been captured by then.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// What the source says of itself while it runs.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Looks once more at what the filter leaves out, and says what it loses, if that was not said.
    pub fn left_out(&mut self) -> Vec<Lost> {
        self.probes.conclude()
    }

    /// Takes what is in the rings; whether there was anything.
    fn take(&mut self, batch: &mut Batch) -> bool {
        let at = now();
        match self.rings.as_mut_slice() {
            [ring] => match ring.drain(batch, BATCH_BYTES) {
                Drained::All => self.status.lock().lag = 0,
                Drained::Some => {
                    self.status.lock().lag = at.0.saturating_sub(ring.newest.0).max(0);
                }
                Drained::WentDown => went_down(&self.status, ring),
                Drained::Down => {}
            },
            _ => self.merge(at, batch),
        }
        !batch.packets.is_empty()
    }

    /// Takes what is in several rings, and gives what nothing older can come before.
    fn merge(&mut self, at: Timestamp, batch: &mut Batch) {
        let room = BATCH_BYTES / self.rings.len() + 1;
        let standings: Vec<Standing> = self
            .rings
            .par_iter_mut()
            .zip(self.merge.waiting.par_iter_mut())
            .map(|(ring, waiting)| {
                let has_room = waiting.buffer.len() < room;
                let drained = has_room.then(|| ring.drain(waiting, room));
                Standing { drained, newest: ring.newest }
            })
            .collect();
        let mut lag = 0;
        for (ring, Standing { drained, newest }) in self.rings.iter_mut().zip(&standings) {
            match drained {
                Some(Drained::WentDown) => went_down(&self.status, ring),
                Some(Drained::Some) | None => lag = at.0.saturating_sub(newest.0).max(lag),
                Some(Drained::All | Drained::Down) => {}
            }
        }
        self.status.lock().lag = lag;
        self.merge.give(at, &standings, self.stopped.is_some(), batch);
    }

    /// Waits until a ring has something, for no longer than [`WAIT_MS`].
    fn wait(&self) {
        let up = self.rings.iter().filter(|ring| ring.state == State::Up);
        let mut sockets: Vec<PollFd<'_>> =
            up.map(|ring| PollFd::new(ring.socket(), PollFlags::POLLIN)).collect();
        // Interrupted or not: what came is looked at next.
        let _ = poll(&mut sockets, PollTimeout::from(WAIT_MS));
    }

    /// Asks the kernel for its counts, and looks for interfaces that are back, each in its time.
    fn look_around(&mut self, now: Timestamp) {
        let (begun, begun_ticks) = self.asked;
        let ticks = ticks();
        for loss in self.probes.look(now) {
            self.status.lock().news.push(format!("warning: filter: {loss}"));
        }
        if ticks - begun_ticks >= COUNT_EVERY || self.stopped.is_some() {
            self.asked = (now, ticks);
            let mut before = None;
            for ring in &mut self.rings {
                let [received, dropped, mut by_interface] = ring.count();
                // Each ring of an interface is told all that the interface dropped.
                if before.replace(ring.interface) == Some(ring.interface) {
                    by_interface = 0;
                }
                let mut told = self.status.lock();
                if let Some(counted) = told.counted.get_mut(usize::from(ring.interface.0)) {
                    counted.received += received;
                    counted.dropped += dropped;
                    counted.dropped_by_interface += by_interface;
                }
                drop(told);
                if dropped > 0 {
                    // Up to the count, and not to when this call began: it may have waited since.
                    self.losses.push(Loss {
                        from: begun.min(now),
                        to: self::now().max(begun),
                        interface: Some(ring.interface),
                        packets: dropped,
                    });
                }
            }
        }
        if ticks - self.looked < LOOK_EVERY {
            return;
        }
        self.looked = ticks;
        for ring in self.rings.iter_mut().filter(|ring| ring.state == State::Up) {
            if ring.is_down() {
                ring.state = State::Down;
                ring.fault = None;
                went_down(&self.status, ring);
            }
        }
        for ring in self.rings.iter_mut().filter(|ring| ring.state == State::Down) {
            match ring.come_back(ticks) {
                Back::No => {}
                Back::Yes => self.status.lock().tell(ring, true, "is up"),
                Back::Never => {
                    let mut told = self.status.lock();
                    let news = format!("{} {ANEW}", ring.name());
                    if !told.news.contains(&news) {
                        told.news.push(news);
                    }
                }
            }
        }
    }
}

impl PacketSource for LiveSource {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.clear();
        let begun = now();
        if self.stop.load(Ordering::Relaxed) && self.stopped.is_none() {
            // What was captured before the stop may still lie in blocks that are not full.
            self.stopped = Some(begun);
            std::thread::sleep(std::time::Duration::from_nanos(SLACK.unsigned_abs()));
        }
        let mut taken = self.take(batch);
        if !taken && self.stopped.is_none() {
            self.wait();
            taken = self.take(batch);
        }
        self.look_around(begun);
        batch.losses.append(&mut self.losses);
        if let Some(stopped) = self.stopped {
            batch.packets.retain(|packet| packet.at <= stopped);
            // Where more comes all the time, what comes after the stop must not keep it from
            // ending.
            taken = !batch.packets.is_empty();
        }
        if let [ring, ..] = self.rings.as_slice()
            && ring.link == LinkType::LINUX_SLL2
        {
            let name = |index| socket::name_of(ring.socket(), index);
            self.names.tell_apart(batch, &mut self.interfaces, name);
        }
        for packet in &mut batch.packets {
            self.frames += 1;
            packet.frame.number = self.frames;
        }
        if let Some(last) = batch.packets.last() {
            self.told = self.told.max(last.at);
        }
        Ok(match (taken, self.stopped) {
            (true, _) => Fill::More,
            (false, Some(_)) => Fill::End,
            (false, None) if self.rings.iter().all(|ring| ring.state == State::Gone) => {
                return Err(io::Error::other("no interface is left to capture on"));
            }
            (false, None) => {
                self.told = self.told.max(begun.plus(-SLACK).min(self.merge.complete));
                Fill::Idle(self.told)
            }
        })
    }

    fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Deals out the packets of an interface among its sockets.
fn share(group: &[Ring], id: InterfaceId) -> Result<(), LiveError> {
    let [first, _, ..] = group else { return Ok(()) };
    let failed = |error: io::Error| LiveError::Workers {
        interface: first.name().to_owned(),
        reason: error.to_string(),
    };
    // Groups are of the whole network namespace: others may have taken a number.
    let mut number = (std::process::id() as u16).wrapping_add(id.0);
    for _ in 0..GROUPS {
        match socket::join_group(first.socket(), number) {
            Ok(()) => {
                let mut rest = group.iter().skip(1);
                return rest
                    .try_for_each(|ring| socket::join_group(ring.socket(), number))
                    .map_err(failed);
            }
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(failed(error)),
            Err(_) => number = number.wrapping_add(257),
        }
    }
    Err(failed(io::Error::other("all groups are taken")))
}

fn went_down(status: &Status, ring: &Ring) {
    match &ring.fault {
        None => status.lock().tell(ring, false, "went down; waiting until it is up"),
        Some(fault) => {
            status.lock().tell(ring, false, &format!("gives no packets ({fault}); trying on"))
        }
    }
}

impl Told {
    /// Notes that an interface is up or down, and says it, once for all of its rings.
    fn tell(&mut self, ring: &Ring, up: bool, news: &str) {
        let Some(counted) = self.counted.get_mut(usize::from(ring.interface.0)) else { return };
        if counted.up != up {
            counted.up = up;
            self.news.push(format!("{} {news}", ring.name()));
        }
    }
}

/// Whether this name stands for all interfaces.
pub fn is_any(name: &str) -> bool {
    name == ANY
}

/// Bytes of a packet that are kept, as tcpdump has it.
pub const SNAPLEN: i32 = 262_144;
/// The size of a ring.
pub const RING_BYTES: i32 = 64 << 20;
/// Bytes of packets that are worked on in one go.
const BATCH_BYTES: usize = 1 << 20;
/// Milliseconds for which is waited at most.
const WAIT_MS: u8 = 50;
/// Nanoseconds after which a packet has surely come out of its ring: the time-out of a block, twice
/// rounded up to a tick of the kernel, and some to spare.
const SLACK: i64 = 110_000_000;
/// Nanoseconds between two looks at the kernel's counts.
const COUNT_EVERY: i64 = 100_000_000;
/// Nanoseconds between two looks for interfaces that are down.
const LOOK_EVERY: i64 = 250_000_000;
/// What is said of an interface that is another one now, where sockets cannot be bound to it.
const ANEW: &str =
    "was made anew; with --workers it cannot be captured on again, so start wirespan again";
/// Numbers of groups that are tried.
const GROUPS: usize = 16;
