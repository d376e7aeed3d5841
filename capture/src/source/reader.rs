//! One of several files, read a batch ahead; gives its packets up to where another file is due.
//!
//! What is read ahead shows the end of a file before its last packets are given, and so whether
//! the next file of a rotation may be waiting for them.

use crate::packet::{AddressName, Batch, InterfaceId, Loss, Timestamp};
use crate::source::continuity::Tail;
use crate::source::file::{CHUNK, FileSource};
use crate::source::report::{Damage, SourceReport};
use crate::source::{Fill, PacketSource};
use std::mem;

/// An open file that is merged with others.
pub(super) struct Reader {
    pub(super) source: FileSource,
    pub(super) current: Batch,
    at: usize,
    ahead: Batch,
    /// Whether `ahead` holds what comes after `current`.
    pub(super) has_ahead: bool,
    pub(super) ended: bool,
    /// The latest time of the packets that were given.
    pub(super) latest: Timestamp,
    /// What its last packets lead to expect, while anybody may ask for it.
    pub(super) tail: Option<Tail>,
    /// The number here of each interface of the file; `None` where there are too many.
    pub(super) ids: Vec<Option<InterfaceId>>,
    /// Packets that were left out because their interface has no number.
    unnumbered: u64,
    /// Names of addresses that were read and not given.
    names: Vec<AddressName>,
}

impl Reader {
    pub(super) fn new(source: FileSource) -> Self {
        Self {
            source,
            current: Batch::default(),
            at: 0,
            ahead: Batch::default(),
            has_ahead: false,
            ended: false,
            latest: Timestamp(i64::MIN),
            tail: Some(Tail::default()),
            ids: Vec::new(),
            unnumbered: 0,
            names: Vec::new(),
        }
    }

    /// Reads the batch after the current one.
    pub(super) fn load(&mut self) {
        if self.ended || self.has_ahead {
            return;
        }
        self.has_ahead = true;
        if self.ahead.buffer.len() > CHUNK {
            // One large packet does not keep the memory of many files large.
            self.ahead = Batch::default();
        }
        // A file source turns what the operating system says into damage of its report.
        self.ended = !matches!(self.source.fill(&mut self.ahead), Ok(Fill::More));
        self.names.append(&mut self.ahead.names);
        self.add_to_tail();
    }

    /// Takes up what was just read ahead.
    fn add_to_tail(&mut self) {
        let Some(tail) = &mut self.tail else { return };
        let batch = &self.ahead;
        for packet in &batch.packets {
            if self.source.is_near_end(packet, TAIL_BYTES) {
                tail.add(packet, batch.bytes(packet));
            }
        }
    }

    /// Goes on to the batch that was read ahead.
    pub(super) fn advance(&mut self) {
        let told = mem::take(&mut self.current.losses);
        mem::swap(&mut self.current, &mut self.ahead);
        // What nobody has taken yet is not forgotten.
        self.current.losses.splice(..0, told);
        self.at = 0;
        self.has_ahead = false;
    }

    /// Gives what was read of names of addresses, of packets that still come as well.
    pub(super) fn give_names(&mut self, names: &mut Vec<AddressName>) {
        names.append(&mut self.names);
    }

    /// Gives what the current batch tells of losses, with the numbers of interfaces here.
    pub(super) fn give_losses(&mut self, losses: &mut Vec<Loss>) {
        let ids = &self.ids;
        losses.extend(self.current.losses.drain(..).map(|loss| {
            let own = loss.interface.map(|own| usize::from(own.0));
            Loss { interface: own.and_then(|own| *ids.get(own)?), ..loss }
        }));
    }

    /// Gives the whole current batch without copying it, if nothing stands in the way.
    pub(super) fn give_all(
        &mut self,
        index: usize,
        limit: Option<(Timestamp, usize)>,
        batch: &mut Batch,
    ) -> bool {
        if self.at > 0 || !batch.packets.is_empty() || self.current.packets.is_empty() {
            return false;
        }
        let latest = self.current.packets.iter().fold(self.latest, |time, next| time.max(next.at));
        if limit.is_some_and(|limit| (latest, index) > limit) {
            return false;
        }
        self.latest = latest;
        let (losses, names) = (mem::take(&mut batch.losses), mem::take(&mut batch.names));
        mem::swap(&mut self.current, batch);
        (batch.losses, batch.names) = (losses, names);
        self.current.packets.clear();
        self.current.owners.clear();
        batch.packets.retain_mut(|packet| match self.ids.get(usize::from(packet.interface.0)) {
            Some(Some(id)) => {
                packet.interface = *id;
                true
            }
            _ => {
                self.unnumbered += 1;
                false
            }
        });
        !batch.packets.is_empty()
    }

    /// Copies packets from the current batch; whether the limit was reached before its end.
    pub(super) fn give_some(
        &mut self,
        index: usize,
        limit: Option<(Timestamp, usize)>,
        batch: &mut Batch,
    ) -> bool {
        while let Some(packet) = self.current.packets.get(self.at) {
            let key = self.latest.max(packet.at);
            if limit.is_some_and(|limit| (key, index) > limit) || is_full(batch) {
                return true;
            }
            self.latest = key;
            self.at += 1;
            let Some(Some(interface)) = self.ids.get(usize::from(packet.interface.0)) else {
                self.unnumbered += 1;
                continue;
            };
            let mut head = packet.clone();
            head.interface = *interface;
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(self.current.bytes(packet));
            head.bytes = start..batch.buffer.len();
            batch.owners.extend_from_slice(self.current.owners(packet));
            batch.packets.push(head);
        }
        false
    }

    /// Whether the next packet may be long in coming.
    pub(super) fn would_wait(&self) -> bool {
        let used_up = self.at >= self.current.packets.len();
        used_up && !self.has_ahead && !self.ended && !self.source.is_regular()
    }

    /// The time with which the next packet counts.
    pub(super) fn key(&self) -> Timestamp {
        let next = self.current.packets.get(self.at);
        next.map_or(self.latest, |packet| packet.at.max(self.latest))
    }

    /// What the file held, with the numbers that its interfaces have here.
    pub(super) fn report(&self) -> SourceReport {
        let mut report = self.source.report().clone();
        report.interfaces = self.ids.iter().flatten().copied().collect();
        if self.unnumbered > 0 {
            report.packets = report.packets.saturating_sub(self.unnumbered);
            report.hurt(Damage::BadBlock { offset: 0, what: "packets of interfaces too many" });
        }
        report
    }
}

/// Whether a merged batch holds enough.
pub(super) fn is_full(batch: &Batch) -> bool {
    batch.packets.len() >= BATCH_PACKETS || batch.buffer.len() >= CHUNK
}

/// How much at the end of a file shows whether another goes on with it.
const TAIL_BYTES: u64 = 1024 * 1024;
/// How many packets a merged batch holds at most.
const BATCH_PACKETS: usize = 8_192;
