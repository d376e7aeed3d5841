//! Segments as they are captured in, owners of the sockets at their ends out, each told with a
//! packet, so that whoever reads the packets again learns the same at the same place.

use super::sockets::Ends;
use super::table::Answer;
use super::watch::{Addresses, Looked, Watch};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wirespan_capture::decode::{Header, Segment};
use wirespan_capture::owner::{Owner, Process, Socket};
use wirespan_capture::packet::{Endpoint, Frame, InterfaceId, NetworkId, Timestamp};

/// Asks for the owners of the ends of each flow as it begins, and again once a minute.
#[derive(Debug)]
pub struct Asking {
    watch: Watch,
    addresses: Option<Addresses>,
    /// Flows that were asked for, each at the place of its hash.
    recent: Box<[Recent]>,
    /// What the next question is called.
    number: u64,
    questions: Vec<(u64, Ends)>,
    /// The flows of questions that are not answered yet, in the order of their numbers.
    waiting: HashMap<u64, Place, FixedState>,
    /// What was found when no packet of its network was at hand.
    late: Vec<(NetworkId, Timestamp, Owner)>,
    /// Sockets that take whoever comes, as they were told last.
    told: HashMap<(NetworkId, Socket), (Timestamp, Arc<Process>), FixedState>,
    /// The first segment of each network in this batch.
    carriers: SmallVec<[Place; 4]>,
    namespaces: HashMap<InterfaceId, u64, FixedState>,
    /// The namespace of all other interfaces.
    namespace: Option<u64>,
    strangers: bool,
    /// How long answers are waited for.
    moment: Duration,
    /// Batches for which nobody waits, since the last wait was in vain.
    impatient: u32,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    hash: u64,
    at: Timestamp,
}

/// A segment with which something is told.
#[derive(Clone, Copy, Debug)]
struct Place {
    network: NetworkId,
    at: Timestamp,
    order: u64,
    frame: Frame,
}

/// What was found out, with the packet that brings it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The network of the packet.
    pub network: NetworkId,
    /// Packet time at it.
    pub at: Timestamp,
    /// Its number over the whole input.
    pub order: u64,
    /// The packet.
    pub frame: Frame,
    /// Whose socket it is.
    pub owner: Owner,
}

impl Asking {
    /// Asks this thread.
    pub fn new(watch: Watch) -> Self {
        let nothing = Recent { hash: 0, at: Timestamp(i64::MIN) };
        Self {
            watch,
            addresses: None,
            recent: vec![nothing; RECENT].into(),
            number: 0,
            questions: Vec::new(),
            waiting: HashMap::with_hasher(FixedState::default()),
            late: Vec::new(),
            told: HashMap::with_hasher(FixedState::default()),
            carriers: SmallVec::new(),
            namespaces: HashMap::with_hasher(FixedState::default()),
            namespace: None,
            strangers: false,
            moment: MOMENT,
            impatient: 0,
        }
    }

    /// Waits so long for answers when little is going on; 10 ms without this.
    #[must_use]
    pub fn waiting(self, moment: Duration) -> Self {
        Self { moment, ..self }
    }

    /// Says in which network namespace an interface is, by its number (the inode of
    /// `/proc/PID/ns/net`): where several namespaces have the same addresses, only this tells whose
    /// they are.
    pub fn within(&mut self, interface: InterfaceId, namespace: u64) {
        self.namespaces.insert(interface, namespace);
    }

    /// Says in which network namespace all interfaces are of which it is not said, those that are
    /// met later among them.
    pub fn within_one(&mut self, namespace: u64) {
        self.namespace = Some(namespace);
    }

    /// What looking has come to so far.
    pub fn looked(&self) -> Looked {
        self.watch.looked()
    }

    /// Sees a segment of a packet of this interface.
    pub(crate) fn see(&mut self, segment: &Segment, interface: InterfaceId) {
        let place = Place {
            network: segment.network,
            at: segment.now,
            order: segment.order,
            frame: segment.seen.frame,
        };
        let is_first = self.carriers.iter().all(|carrier| carrier.network != place.network);
        if is_first && self.carriers.len() < CARRIERS {
            self.carriers.push(place);
        }
        let slot = (segment.hash >> 32) as usize % RECENT;
        let Some(recent) = self.recent.get_mut(slot) else { return };
        let age = place.at.0.saturating_sub(recent.at.0);
        let begins = matches!(segment.header, Header::Tcp { syn: true, ack: false, .. });
        let known = recent.hash == segment.hash && age < if begins { COPIES } else { AGAIN };
        if known {
            return;
        }
        *recent = Recent { hash: segment.hash, at: place.at };
        let ends = [segment.source, segment.destination].map(address);
        let is_here = |end: &SocketAddr| {
            let known = self.addresses.as_ref().is_none_or(|known| known.contains(&end.ip()));
            known || end.ip().is_loopback()
        };
        if !ends.iter().any(is_here) {
            self.strangers = true;
            return;
        }
        let namespace = self.namespaces.get(&interface).copied().or(self.namespace);
        let datagrams = matches!(segment.header, Header::Udp);
        self.number += 1;
        self.questions.push((self.number, Ends { datagrams, ends, namespace }));
        self.waiting.insert(self.number, place);
    }

    /// Ends a batch of so many packets: asks, and gives what was found. If little is going on, it
    /// waits a moment for the answers, so that they come with the packets that they are about, and
    /// before a short connection is over.
    pub(crate) fn conclude(&mut self, packets: usize) -> Vec<Told> {
        let first = self.questions.first().map_or(u64::MAX, |(number, _)| *number);
        let last = self.number;
        let patient = self.impatient == 0 && packets <= QUIET;
        self.impatient = self.impatient.saturating_sub(1);
        let wait = if patient { self.moment } else { Duration::ZERO };
        let strangers = std::mem::take(&mut self.strangers);
        let asked = self.questions.len();
        let (answers, addresses, taken) = self.watch.ask(&mut self.questions, strangers, wait);
        for number in last - (asked - taken) as u64..last {
            self.waiting.remove(&(number + 1));
        }
        if addresses.is_some() {
            self.renew(addresses);
        }
        let in_vain = !answers.iter().any(|(number, _)| *number >= first);
        if patient && taken > 0 && in_vain {
            self.impatient = IMPATIENT;
        }
        let mut told = Vec::new();
        for (number, answer) in answers {
            self.tell(number, answer, first, &mut told);
        }
        let carriers = std::mem::take(&mut self.carriers);
        let carrier = |network| carriers.iter().find(|carrier| carrier.network == network);
        self.late.retain(|(network, since, owner)| {
            let Some(place) = carrier(*network) else { return true };
            if place.at.0.saturating_sub(since.0) <= LATE {
                told.push(place.with(owner.clone()));
            }
            false
        });
        told
    }

    /// Takes new addresses; flows that were no one's may be somebody's now.
    fn renew(&mut self, addresses: Option<Addresses>) {
        let is_same = match (&self.addresses, &addresses) {
            (Some(known), Some(new)) => Arc::ptr_eq(known, new) || known == new,
            _ => false,
        };
        if !is_same && self.addresses.is_some() {
            self.recent.fill(Recent { hash: 0, at: Timestamp(i64::MIN) });
        }
        self.addresses = addresses;
    }

    /// Tells what was found for one flow, with its own packet if that is of this batch.
    fn tell(&mut self, number: u64, answer: Answer, first: u64, told: &mut Vec<Told>) {
        let Some(place) = self.waiting.remove(&number) else { return };
        for owner in answer.owners.into_iter().flatten() {
            if owner.socket.remote.is_none() && self.was_told(&place, &owner) {
                continue;
            }
            if number >= first {
                told.push(place.with(owner));
            } else if self.late.len() < LATE_ONES {
                self.late.push((place.network, place.at, owner));
            }
        }
    }

    /// Whether the same was told of a socket not long ago.
    fn was_told(&mut self, place: &Place, owner: &Owner) -> bool {
        let key = (place.network, owner.socket);
        if let Some((at, process)) = self.told.get(&key)
            && *process == owner.process
            && place.at.0.saturating_sub(at.0) < AGAIN
        {
            return true;
        }
        if self.told.len() >= TOLD {
            // What is told once more does no harm.
            self.told.clear();
        }
        self.told.insert(key, (place.at, owner.process.clone()));
        false
    }
}

impl Place {
    fn with(&self, owner: Owner) -> Told {
        let Self { network, at, order, frame } = *self;
        Told { network, at, order, frame, owner }
    }
}

fn address(end: Endpoint) -> SocketAddr {
    SocketAddr::new(end.ip.to_canonical(), end.port)
}

/// Flows that are known to have been asked for.
const RECENT: usize = 1 << 15;
/// Nanoseconds after which a flow is asked for again, as files of a series are read alone, too.
const AGAIN: i64 = 60_000_000_000;
/// Nanoseconds within which a second SYN is a copy of the first.
const COPIES: i64 = 1_000_000_000;
/// Networks of a batch that are told apart.
const CARRIERS: usize = 64;
/// How long answers are waited for, in batches of how many packets; and batches for which they are
/// not, once that was in vain.
const MOMENT: Duration = Duration::from_millis(10);
const QUIET: usize = 1024;
const IMPATIENT: u32 = 16;
/// Answers that wait for a packet of their network, and nanoseconds after which that is too late.
const LATE_ONES: usize = 1024;
const LATE: i64 = 2_000_000_000;
/// Sockets of which it is known that they were told.
const TOLD: usize = 1 << 16;
