//! One direction of a TCP connection: segments in, ordered bytes and gaps out.
//!
//! Bytes that come in order go through without being copied. Others wait here:
//!
//! ```text
//!  delivered           hole            waiting                 waiting, for what it acknowledges
//! ───────────────┬ · · · · · · · ┬───────────────┬ · · · ┬─────────────────────────┐
//!                next            pieces[0]               pieces[1]                 fin
//! ```
//!
//! Offsets count from the first known byte of the direction; sequence numbers wrap around, offsets
//! do not. Where pieces overlap, the one that begins first wins, and what was delivered stays.

use crate::packet::Timestamp;
use crate::stream::Seen;
use std::collections::VecDeque;
use std::num::NonZeroU64;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Where the stream starts, once that is known.
    start: Option<Start>,
    /// Offset of the next byte to deliver.
    next: u64,
    /// Segments that wait, by offset; before the start is known, by distance to the first one.
    pieces: VecDeque<Piece>,
    /// When they arrived.
    arrivals: Arrivals,
    /// Bytes of memory in `pieces`.
    pub(crate) waiting: usize,
    /// The highest offset that the other side acknowledged beyond `next`, and since when.
    acknowledged: Option<(u64, Timestamp)>,
    /// Offset just past the last byte, once a FIN or RST told it.
    last: Option<u64>,
    /// The same as a sequence number, while the start is not known.
    last_seq: Option<u32>,
    /// That offset was reached and told.
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Start {
    seq: u32,
}

/// A segment that waits.
#[derive(Debug)]
pub(crate) struct Piece {
    seq: u32,
    offset: u64,
    bytes: Box<[u8]>,
    cut: u32,
    seen: Seen,
    /// Its number in the order of arrival.
    number: u64,
    /// The highest offset at which it or one before it ends, once the start is known. Where pieces
    /// were delivered since, it may be one of theirs, which is behind all that can still wait.
    reach: u64,
}

/// What [`Direction::next`] gives.
pub(crate) enum Ready {
    /// A piece whose bytes from `skip` on are next, at `offset`.
    Piece { offset: u64, skip: usize, piece: Piece },
    /// Bytes that will never come.
    Gap { offset: u64, lost: NonZeroU64 },
    /// All bytes of this direction were delivered.
    Closed,
    /// Nothing can be delivered now.
    Nothing,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Its bytes from `skip` on are the next ones of the stream and may be delivered.
    InOrder { offset: u64, skip: usize },
    /// Nothing in it is new.
    Old,
    /// It must wait.
    Early,
}

impl Direction {
    /// Fixes where the stream starts: at the byte with this sequence number.
    pub(crate) fn start_at(&mut self, seq: u32) {
        if self.start.is_some() {
            return;
        }
        self.start = Some(Start { seq });
        for piece in &mut self.pieces {
            piece.offset = u64::try_from(distance(seq, piece.seq)).unwrap_or_default();
            // What lies before the start is cut off its front on delivery.
            if distance(seq, piece.seq) < 0 {
                let before = (-distance(seq, piece.seq)) as usize;
                self.waiting -= piece.weight();
                piece.cut -= (before.saturating_sub(piece.bytes.len()) as u32).min(piece.cut);
                piece.bytes = piece.bytes.get(before..).unwrap_or_default().into();
                self.waiting += piece.weight();
                piece.seq = seq;
            }
        }
        self.pieces.make_contiguous().sort_by_key(|piece| piece.offset);
        let mut reach = 0;
        for piece in &mut self.pieces {
            reach = piece.end().max(reach);
            piece.reach = reach;
        }
        if let Some(last) = self.last_seq.take() {
            self.ends_at(last);
        }
    }

    /// Whether it is known where the stream starts.
    pub(crate) fn started(&self) -> bool {
        self.start.is_some()
    }

    /// The sequence number of the first byte, once known.
    pub(crate) fn first_seq(&self) -> Option<u32> {
        self.start.map(|start| start.seq)
    }

    /// The sequence number of the next byte to deliver, once known.
    pub(crate) fn next_seq(&self) -> Option<u32> {
        self.start.map(|start| start.seq.wrapping_add(self.next as u32))
    }

    /// The lowest sequence number that waits for the start to become known.
    pub(crate) fn lowest_waiting(&self) -> Option<u32> {
        let first = self.pieces.front()?.seq;
        self.pieces.iter().map(|piece| piece.seq).min_by_key(|seq| distance(first, *seq))
    }

    /// How far `seq` lies ahead of the next byte; negative behind it.
    pub(crate) fn ahead(&self, seq: u32) -> Option<i32> {
        self.next_seq().map(|next| distance(next, seq))
    }

    /// Where a segment stands; in order only if nothing waits before it.
    pub(crate) fn arrive(&self, seq: u32, len: usize) -> Arrival {
        let Some(ahead) = self.ahead(seq) else { return Arrival::Early };
        if ahead > 0 {
            return Arrival::Early;
        }
        let behind = ahead.unsigned_abs() as usize;
        if behind >= len {
            return Arrival::Old;
        }
        match self.pieces.front() {
            Some(piece) if piece.offset <= self.next => Arrival::Early,
            _ => Arrival::InOrder { offset: self.next, skip: behind },
        }
    }

    /// The bytes up to here were delivered, and `cut` bytes behind them are known to be missing.
    pub(crate) fn delivered(&mut self, offset: u64) {
        self.next = self.next.max(offset);
        if self.acknowledged.is_some_and(|(up_to, _)| up_to <= self.next) {
            self.acknowledged = None;
        }
    }

    /// Keeps a segment until it can be delivered; false if it is there already.
    pub(crate) fn wait(
        &mut self,
        seq: u32,
        bytes: &[u8],
        cut: u32,
        seen: Seen,
        now: Timestamp,
    ) -> bool {
        let offset = match self.ahead(seq) {
            Some(ahead) => self.next.saturating_add_signed(i64::from(ahead)),
            None => 0,
        };
        let (seq, bytes, cut, offset) = match self.ahead(seq) {
            Some(ahead) if ahead < 0 => {
                let behind = ahead.unsigned_abs() as usize;
                let cut = cut.saturating_sub(behind.saturating_sub(bytes.len()) as u32);
                let rest = bytes.get(behind..).unwrap_or_default();
                (seq.wrapping_add(behind as u32), rest, cut, self.next)
            }
            _ => (seq, bytes, cut, offset),
        };
        let len = bytes.len() + cut as usize;
        let place = self.pieces.partition_point(|piece| piece.offset <= offset);
        let before = place.checked_sub(1).and_then(|before| self.pieces.get(before));
        let mut reach = before.map_or(0, |piece| piece.reach);
        let end = offset + len as u64;
        let known = if self.started() {
            end <= reach
        } else {
            self.pieces.iter().any(|piece| {
                let front = distance(piece.seq, seq);
                front >= 0 && front as usize + len <= piece.len()
            })
        };
        if known || len == 0 {
            return false;
        }
        reach = reach.max(end);
        for piece in self.pieces.range_mut(place..).take_while(|piece| piece.reach < reach) {
            piece.reach = reach;
        }
        let number = self.arrivals.add(now, self.pieces.len());
        let piece = Piece { seq, offset, bytes: bytes.into(), cut, seen, number, reach };
        self.waiting += piece.weight();
        self.pieces.insert(place, piece);
        true
    }

    /// The other side acknowledged all bytes before `seq`.
    pub(crate) fn acknowledge(&mut self, seq: u32, now: Timestamp) {
        let Some(ahead) = self.ahead(seq) else { return };
        if !(1..=BELIEVABLE).contains(&ahead) {
            return;
        }
        let mut up_to = self.next.saturating_add_signed(i64::from(ahead));
        // The acknowledgement of a FIN counts one more than there are bytes.
        if let Some(last) = self.last {
            up_to = up_to.min(last);
        }
        if up_to <= self.next {
            return;
        }
        match &mut self.acknowledged {
            Some((old, _)) => *old = up_to.max(*old),
            None => self.acknowledged = Some((up_to, now)),
        }
    }

    /// The direction ends before `seq`, as its FIN or RST says.
    pub(crate) fn ends_at(&mut self, seq: u32) {
        match self.ahead(seq) {
            Some(ahead) if ahead >= 0 && self.last.is_none() => {
                let last = self.next.saturating_add_signed(i64::from(ahead));
                self.last = Some(last);
                if let Some((up_to, _)) = &mut self.acknowledged {
                    *up_to = (*up_to).min(last);
                    if *up_to <= self.next {
                        self.acknowledged = None;
                    }
                }
            }
            Some(_) => {}
            None => self.last_seq = self.last_seq.or(Some(seq)),
        }
    }

    /// The bytes before the end never came: it ends here.
    pub(crate) fn give_up_end(&mut self) -> bool {
        let missing = self.last.is_some_and(|last| last > self.next);
        if missing {
            self.last = Some(self.next);
        }
        missing
    }

    /// Whether all was delivered up to where the direction is known to end.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// The sequence number behind the last byte, once known.
    pub(crate) fn end_seq(&self) -> Option<u32> {
        let told =
            self.start.zip(self.last).map(|(start, last)| start.seq.wrapping_add(last as u32));
        told.or(self.last_seq)
    }

    /// Whether bytes wait, or are known to be missing.
    pub(crate) fn blocked(&self) -> bool {
        !self.pieces.is_empty()
            || self.acknowledged.is_some()
            || (self.started() && self.last.is_some_and(|last| last > self.next))
    }

    /// What the next packet acknowledges, if it waits here.
    pub(crate) fn waiting_ack(&self) -> Option<u32> {
        let piece = self.pieces.front().filter(|piece| piece.offset <= self.next)?;
        Some(piece.seen.ack)
    }

    /// Since when it is known that bytes are missing: later ones came, or the other side
    /// acknowledged them.
    pub(crate) fn missed(&self) -> Option<Timestamp> {
        let later = self.pieces.front().map(|piece| piece.seen.at);
        let acknowledged = self.acknowledged.map(|(_, since)| since);
        later.into_iter().chain(acknowledged).min()
    }

    /// Since when the next byte is known to be missing, if that is so long that it did not just come
    /// in another order.
    pub(crate) fn missed_long(&self, now: Timestamp) -> Option<Timestamp> {
        if self.pieces.is_empty() {
            return None;
        }
        self.missed().filter(|missed| now.0.saturating_sub(missed.0) >= DISORDER)
    }

    /// The offset of a sequence number that was reached.
    pub(crate) fn offset_of(&self, seq: u32) -> Option<u64> {
        self.ahead(seq).map(|ahead| self.next.saturating_add_signed(i64::from(ahead)))
    }

    /// Whether the next byte is missing, and later ones are known to exist.
    pub(crate) fn hole(&self) -> bool {
        match (self.pieces.front(), self.acknowledged) {
            (Some(piece), _) => !self.started() || piece.offset > self.next,
            (None, acknowledged) => acknowledged.is_some(),
        }
    }

    /// When what blocks this direction is given up, if anything does.
    pub(crate) fn patience(&self, waits: &Waits) -> Option<Timestamp> {
        let piece = self.arrivals.earliest();
        match (self.started(), piece, self.acknowledged) {
            (_, None, None) => None,
            (false, Some(arrived), _) => Some(arrived.plus(waits.reorder)),
            (true, Some(arrived), _) if !self.hole() => Some(arrived.plus(waits.hole)),
            (_, piece, Some((_, since))) => {
                let since = piece.map_or(since, |arrived| arrived.max(since));
                Some(since.plus(waits.reorder))
            }
            (true, Some(arrived), None) => Some(arrived.plus(waits.hole)),
        }
    }

    /// Whether nothing could be delivered whatever the other side has sent, unless by force.
    pub(crate) fn has_nothing_to_give(&self) -> bool {
        self.pieces.is_empty() && (self.last.is_none() || self.closed)
    }

    /// The next thing that can be delivered. `may` says whether a packet with this
    /// acknowledgement may be delivered yet; `force` gives up one hole.
    pub(crate) fn next(&mut self, may: impl Fn(&Seen) -> bool, force: bool) -> Ready {
        if !self.started() {
            return Ready::Nothing;
        }
        while let Some(piece) = self.pieces.front() {
            if piece.end() <= self.next {
                self.take_first();
                continue;
            }
            if piece.offset > self.next {
                break;
            }
            if !may(&piece.seen) && !force {
                return Ready::Nothing;
            }
            let Some(mut piece) = self.take_first() else { break };
            let skip = (self.next - piece.offset) as usize;
            piece.cut -= (skip.saturating_sub(piece.bytes.len()) as u32).min(piece.cut);
            return Ready::Piece { offset: self.next, skip, piece };
        }
        let known = match (self.pieces.front(), self.acknowledged) {
            (Some(piece), _) => Some(piece.offset),
            (None, Some((up_to, _))) => Some(up_to),
            (None, None) => None,
        };
        if let (true, Some(up_to)) = (force, known)
            && let Some(lost) = NonZeroU64::new(up_to.saturating_sub(self.next))
        {
            return Ready::Gap { offset: self.next, lost };
        }
        if self.pieces.is_empty() && self.last.is_some_and(|last| last <= self.next) && !self.closed
        {
            self.closed = true;
            return Ready::Closed;
        }
        Ready::Nothing
    }

    fn take_first(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.waiting -= piece.weight();
        self.arrivals.remove(piece.number);
        Some(piece)
    }
}

/// When pieces arrived, in that order; those that are gone may stay for a while.
#[derive(Debug, Default)]
struct Arrivals {
    /// With their numbers, and whether they still wait. The first one does.
    list: VecDeque<(u64, Timestamp, bool)>,
    next: u64,
}

impl Arrivals {
    /// Gives the number of a new one, beside so many that wait.
    fn add(&mut self, at: Timestamp, waiting: usize) -> u64 {
        if self.list.len() > 2 * waiting + 16 {
            self.list.retain(|(_, _, waits)| *waits);
        }
        let number = self.next;
        self.next += 1;
        self.list.push_back((number, at, true));
        number
    }

    fn remove(&mut self, number: u64) {
        let place = self.list.binary_search_by_key(&number, |(number, ..)| *number);
        if let Some((_, _, waits)) = place.ok().and_then(|place| self.list.get_mut(place)) {
            *waits = false;
        }
        while let Some((_, _, false)) = self.list.front() {
            self.list.pop_front();
        }
    }

    /// Time goes on from one to the next.
    fn earliest(&self) -> Option<Timestamp> {
        self.list.front().map(|(_, at, _)| *at)
    }
}

impl Piece {
    /// The offset behind it.
    fn end(&self) -> u64 {
        self.offset + self.len() as u64
    }

    /// Its length on the wire.
    fn len(&self) -> usize {
        self.bytes.len() + self.cut as usize
    }

    /// How much memory it takes.
    fn weight(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    /// The bytes from `skip` on.
    pub(crate) fn bytes(&self, skip: usize) -> &[u8] {
        self.bytes.get(skip..).unwrap_or_default()
    }

    /// What brought it, and how many bytes behind it the capture cut off.
    pub(crate) fn seen(&self) -> (&Seen, u32) {
        (&self.seen, self.cut)
    }
}

/// How long a direction waits, in nanoseconds of packet time.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For bytes that the other side has acknowledged: they were sent, and come late or never.
    pub reorder: i64,
    /// For bytes that nobody acknowledged: they may be sent again.
    pub hole: i64,
}

impl Default for Waits {
    fn default() -> Self {
        Self { reorder: 100_000_000, hole: 3_000_000_000 }
    }
}

/// How far `to` lies ahead of `from`, across the wrap-around (RFC 9293, section 3.4).
pub(crate) fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

/// Nanoseconds by which packets may come in another order; Wireshark, too, takes what comes later
/// for sent again.
const DISORDER: i64 = 3_000_000;
/// A larger jump in an acknowledgement is no evidence of lost bytes.
const BELIEVABLE: i32 = 1 << 28;
