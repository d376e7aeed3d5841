//! The frames of one connection in; what they do to its streams out.

use super::Means;
use super::flow_control::ConnectionWindow;
use super::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, GOAWAY, HEADER, HEADERS, PADDED,
    PREFACE, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM, WINDOW_UPDATE,
};
use super::hpack::Decoder;
use super::probe::{block, chains, resumes};
use super::shares::{FAIR, Share, Shares};
use super::stream::Stream;
use super::unseen::{Known, UnseenCalls};
use crate::message::Side;
use crate::protocol::{AfterGap, Inner, Malformed, Out, Step, Timestamp};
use crate::protocols::http::Role;
use crate::reader::Reader;
use std::collections::{BTreeMap, VecDeque};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

/// One connection.
pub(super) struct Connection {
    pub(super) client: Side,
    pub(super) streams: BTreeMap<u32, Stream>,
    /// Whether its first bytes were seen.
    pub(super) has_preface: bool,
    /// Whether all of it was seen.
    pub(super) is_whole: bool,
    /// Whether the server began to speak, and to answer, before its client did: as it may where
    /// the client has asked in HTTP/1.
    pub(super) server_begins: bool,
    /// The highest stream that a head was about.
    pub(super) latest: u32,
    /// Whether the client has opened the stream that an upgrade leaves to HTTP/1.
    pub(super) has_first: bool,
    /// What is learned of fields that were told before.
    pub(super) unseen: UnseenCalls,
    pub(super) known: Known,
    directions: [Direction; 2],
    pub(super) share: Share,
}

/// What one side sends.
pub(super) struct Direction {
    pub(super) decoder: Decoder,
    pub(super) window: ConnectionWindow,
    reading: Reading,
    /// Whether something of it was read.
    has_begun: bool,
    /// Whether a server's first frame is what it begins with, so that no block came before.
    is_whole: bool,
    /// Of a head in several frames: where the next one of them begins, all else being read.
    scanned: usize,
    /// SETTINGS that the other side has not acknowledged yet: the sizes of tables in them.
    settings: VecDeque<Option<u32>>,
}

/// What the next bytes of one side are.
#[derive(Clone, Copy, Default)]
enum Reading {
    #[default]
    Frames,
    /// Bytes of a body, then padding.
    Body(Body),
    /// The same, which nobody looks at.
    Skipped(Body),
    /// The rest of a frame that says nothing.
    Rest,
}

/// The payload of a frame of DATA.
#[derive(Clone, Copy)]
struct Body {
    stream: u32,
    /// Bytes of the body that are still to come.
    left: usize,
    padding: usize,
    /// Bytes of both in all.
    size: usize,
    ends: bool,
}

/// What came of the first bytes of some input.
enum Progress {
    Used(usize),
    Skip(usize, usize),
    Incomplete(usize),
}

/// Where a frame was found, and when it came.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) from: Side,
    pub(super) at: Timestamp,
    /// Where it ends in the input; 0 outside of it.
    pub(super) end: usize,
}

impl Connection {
    /// One of those that keep this together.
    pub(super) fn new(client: Side, shares: &Arc<Shares>) -> Self {
        Self {
            client,
            streams: BTreeMap::new(),
            has_preface: false,
            is_whole: false,
            server_begins: false,
            latest: 0,
            has_first: false,
            unseen: UnseenCalls::default(),
            known: Known::default(),
            directions: [Direction::new(), Direction::new()],
            share: Share::of(shares),
        }
    }

    pub(super) fn parse(
        &mut self,
        from: Side,
        at: Timestamp,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let parsed = self.steps(from, at, input, means, out);
        self.share.keep_streams(self.streams.len());
        parsed
    }

    /// As many frames as there are.
    fn steps(
        &mut self,
        from: Side,
        at: Timestamp,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let mut used = 0;
        while used < input.len() {
            match self.step(from, at, input, used, means, out) {
                Ok(Progress::Used(bytes)) => used += bytes,
                Ok(Progress::Skip(bytes, skip)) => {
                    let skip = u64::try_from(skip).ok().and_then(NonZeroU64::new);
                    let skip = skip.unwrap_or(NonZeroU64::MIN);
                    return Ok(Step::Skip { used: used + bytes, skip });
                }
                Ok(Progress::Incomplete(more)) if used == 0 => {
                    let more = NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN);
                    return Ok(Step::Incomplete(more));
                }
                Err(malformed) if used == 0 => {
                    self.lose(from, None, out);
                    return Err(malformed);
                }
                // What is wrong, or missing, is told when it is all that there is.
                Ok(Progress::Incomplete(_)) | Err(_) => break,
            }
        }
        Ok(NonZeroUsize::new(used).map_or(Step::Incomplete(NonZeroUsize::MIN), Step::Used))
    }

    pub(super) fn skipped(
        &mut self,
        from: Side,
        at: Timestamp,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let reading = std::mem::take(&mut self.direction(from).reading);
        if let Reading::Skipped(body) = reading {
            let spot = Spot { from, at, end: 0 };
            self.pass_over(&spot, body.stream, body.left);
            self.end_data(&spot, &body, means, out);
            self.share.keep_streams(self.streams.len());
        }
    }

    pub(super) fn gap(
        &mut self,
        from: Side,
        lost: u64,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> AfterGap {
        let reading = self.direction(from).reading;
        if let Reading::Body(body) = reading
            && let Some(bytes) = usize::try_from(lost).ok().filter(|bytes| *bytes <= body.left)
        {
            let body = Body { left: body.left - bytes, ..body };
            self.lose_body(from, body.stream, lost, out);
            self.direction(from).reading = Reading::Body(body);
            if body.left + body.padding == 0 {
                self.direction(from).reading = Reading::Frames;
                self.end_data(&Spot { from, at: Timestamp(0), end: 0 }, &body, means, out);
            }
            return AfterGap::Continue;
        }
        self.lose(from, NonZeroU64::new(lost), out);
        AfterGap::Resync
    }

    pub(super) fn resume(&self, input: &[u8]) -> bool {
        resumes(input, self.latest)
    }

    /// The first place in the input at which a frame surely begins, where something was lost.
    /// Servers that send much at a time do not begin packets with frames.
    pub(super) fn find(&self, input: &[u8]) -> Option<usize> {
        if self.resume(input) {
            return Some(0);
        }
        let is_place = |at: &usize| input.get(*at..).is_some_and(|rest| chains(rest, self.latest));
        (1..input.len()).find(is_place)
    }

    /// One frame, or what there is of one.
    fn step(
        &mut self,
        from: Side,
        at: Timestamp,
        input: &[u8],
        used: usize,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Progress, Malformed> {
        let rest = input.get(used..).unwrap_or_default();
        let (is_client, has_preface) = (from == self.client, self.has_preface);
        let direction = self.direction(from);
        if let Reading::Body(body) = direction.reading {
            return Ok(self.body(Spot { from, at, end: used }, body, rest, means, out));
        }
        // After a skip that was given up for a gap, frames follow.
        direction.reading = Reading::Frames;
        if !direction.has_begun && is_client && PREFACE.starts_with(prefix(rest, PREFACE.len())) {
            if rest.len() < PREFACE.len() {
                // Else it would depend on pieces when it is found to be damaged, and so whether
                // the other side has begun to speak by then.
                return Ok(Progress::Incomplete(1));
            }
            direction.has_begun = true;
            direction.decoder = Decoder::from_start();
            (self.has_preface, self.is_whole) = (true, true);
            return Ok(Progress::Used(PREFACE.len()));
        }
        let Some(header) = FrameHeader::read(rest) else {
            return Ok(Progress::Incomplete(HEADER - rest.len()));
        };
        if let Some(flaw) = header.flaw() {
            return Err(Malformed(flaw));
        }
        if !std::mem::replace(&mut direction.has_begun, true) {
            // A capture that begins in a body, which is no frame of a type that nobody knows.
            if !has_preface && !header.is_usual() {
                return Err(Malformed("first frame"));
            }
            // Section 3.4: a server begins with SETTINGS.
            direction.is_whole = !is_client && header.kind == SETTINGS && !header.has(ACK);
        }
        match header.kind {
            DATA => return self.data(from, at, &header, rest, used, means, out),
            HEADERS | PUSH_PROMISE => return self.head(from, at, &header, input, used, means, out),
            // Section 6.10: its block began in what was lost.
            CONTINUATION => direction.decoder.lost(),
            RST_STREAM | SETTINGS | WINDOW_UPDATE | GOAWAY => {
                let read = header.length.min(if header.kind == GOAWAY { 8 } else { usize::MAX });
                let Some(payload) = rest.get(HEADER..HEADER + read) else {
                    return Ok(Progress::Incomplete(HEADER + read - rest.len()));
                };
                let spot = Spot { from, at, end: used + HEADER + read };
                let range = used..used + HEADER + read;
                self.small(&spot, &header, payload, range, means, out);
            }
            _ => {}
        }
        if header.size() <= rest.len() {
            return Ok(Progress::Used(header.size()));
        }
        self.direction(from).reading = Reading::Rest;
        Ok(Progress::Skip(rest.len(), header.size() - rest.len()))
    }

    /// Frames of few bytes that change something.
    fn small(
        &mut self,
        spot: &Spot,
        header: &FrameHeader,
        payload: &[u8],
        range: Range<usize>,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let mut reader = Reader::new(payload);
        match header.kind {
            SETTINGS => self.settings(spot, header, reader),
            WINDOW_UPDATE => {
                let increment = reader.u32_be().unwrap_or_default() & STREAM;
                self.window_update(spot, header.stream, increment);
            }
            RST_STREAM => {
                let code = reader.u32_be().unwrap_or_default();
                self.reset(spot, header.stream, code, range, means, out);
            }
            _ => {
                let last = reader.u32_be().unwrap_or_default() & STREAM;
                let code = reader.u32_be().unwrap_or_default();
                self.go_away(spot, last, code, range, means, out);
            }
        }
    }

    /// Section 6.5.
    fn settings(&mut self, spot: &Spot, header: &FrameHeader, mut reader: Reader<'_>) {
        let [from, other] = [spot.from, spot.from.other()];
        if header.has(ACK) {
            if let Some(Some(size)) = self.direction(other).settings.pop_front() {
                self.direction(from).decoder.limit(size);
            }
            return;
        }
        let (mut table, mut window) = (None, None);
        while let (Some(id), Some(value)) = (reader.u16_be(), reader.u32_be()) {
            match id {
                HEADER_TABLE_SIZE => table = Some(value),
                INITIAL_WINDOW_SIZE => window = Some(value),
                _ => {}
            }
        }
        let settings = &mut self.direction(from).settings;
        if settings.len() >= UNACKNOWLEDGED {
            settings.pop_front();
        }
        settings.push_back(table);
        if let Some(initial) = window {
            self.direction(other).window.grant(initial, spot.at);
        }
    }

    /// Section 6.9.
    fn window_update(&mut self, spot: &Spot, stream: u32, increment: u32) {
        let sender = spot.from.other();
        if stream == 0 {
            self.direction(sender).window.update(increment, spot.at);
            return;
        }
        let (role, window) = (self.role(sender), self.direction(sender).window);
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.half(role).window.update(increment, &window, spot.at);
        }
    }

    /// A head, and the frames that it goes on in (section 6.10).
    #[expect(clippy::too_many_arguments, reason = "what a step has")]
    fn head(
        &mut self,
        from: Side,
        at: Timestamp,
        header: &FrameHeader,
        input: &[u8],
        used: usize,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Progress, Malformed> {
        let rest = input.get(used..).unwrap_or_default();
        if header.size() > HEAD_LIMIT {
            return Ok(self.drop_head(from, header.size(), rest.len(), out));
        }
        let Some(payload) = rest.get(HEADER..header.size()) else {
            return Ok(Progress::Incomplete(header.size() - rest.len()));
        };
        let first = block(header, payload).ok_or(Malformed("padding"))?;
        let mut end = header.size();
        if !header.has(END_HEADERS) {
            let direction = self.direction(from);
            end = direction.scanned.max(end);
            loop {
                let next = rest.get(end..).unwrap_or_default();
                let Some(next) = FrameHeader::read(next) else {
                    direction.scanned = end;
                    return Ok(Progress::Incomplete(HEADER - next.len()));
                };
                if (next.kind, next.stream) != (CONTINUATION, header.stream) {
                    direction.scanned = 0;
                    return Err(Malformed("continuation"));
                }
                let size = end + next.size();
                if size > HEAD_LIMIT {
                    direction.scanned = 0;
                    return Ok(self.drop_head(from, size, rest.len(), out));
                }
                if rest.len() < size {
                    direction.scanned = end;
                    return Ok(Progress::Incomplete(size - rest.len()));
                }
                end = size;
                if next.has(END_HEADERS) {
                    break;
                }
            }
            direction.scanned = 0;
        }
        let (mut whole, mut pieces) = std::mem::take(&mut means.block);
        pieces.clear();
        pieces.push((0, first.as_ptr().addr().saturating_sub(input.as_ptr().addr())));
        let block = if header.has(END_HEADERS) {
            first
        } else {
            whole.clear();
            whole.extend_from_slice(first);
            let mut at = header.size();
            while let Some(next) = FrameHeader::read(rest.get(at..end).unwrap_or_default()) {
                let piece = rest.get(at + HEADER..at + next.size()).unwrap_or_default();
                if !piece.is_empty() {
                    pieces.push((whole.len(), used + at + HEADER));
                    whole.extend_from_slice(piece);
                }
                at += next.size();
            }
            &whole
        };
        let spot = Spot { from, at, end: used + end };
        self.block(&spot, header, payload, block, &pieces, used, means, out);
        means.block = (whole, pieces);
        Ok(Progress::Used(end))
    }

    /// Passes over a head that is too long.
    fn drop_head(&mut self, from: Side, size: usize, there: usize, out: &mut dyn Out) -> Progress {
        out.lost("http2 header blocks over the limit");
        let direction = self.direction(from);
        direction.decoder.lost();
        if size <= there {
            return Progress::Used(size);
        }
        direction.reading = Reading::Rest;
        Progress::Skip(there, size - there)
    }

    /// A whole header block.
    #[expect(clippy::too_many_arguments, reason = "what a step has, and what it has found")]
    fn block(
        &mut self,
        spot: &Spot,
        header: &FrameHeader,
        payload: &[u8],
        block: &[u8],
        pieces: &[(usize, usize)],
        start: usize,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let (from, client) = (spot.from, self.client);
        let is_silent = !self.direction(client).has_begun;
        let begins = self.has_preface || (is_silent && header.stream == 1);
        let direction = self.direction(from);
        if std::mem::take(&mut direction.is_whole) && begins && from != client {
            direction.decoder = Decoder::from_start();
            self.server_begins = is_silent;
        }
        let direction = self.direction(from);
        let range = start..spot.end;
        let mut list = std::mem::take(&mut means.list);
        if list.read(&mut direction.decoder, block).is_err() {
            out.lost("http2 header blocks that cannot be read");
        }
        self.bound_tables(from, out);
        if means.settings.locate_secrets {
            list.locate(block, pieces.iter().copied());
        }
        if header.kind == PUSH_PROMISE {
            let mut reader = Reader::new(payload);
            if header.has(PADDED) {
                reader.u8();
            }
            let promised = reader.u32_be().unwrap_or_default() & STREAM;
            self.promise(spot, promised, range, &list, means, out);
        } else {
            self.fields(spot, header.stream, header.has(END_STREAM), range, &list, means, out);
        }
        means.list = list;
    }

    /// Gives up what a side told of fields, where all connections keep too much of that.
    fn bound_tables(&mut self, from: Side, out: &mut dyn Out) {
        let tables = self.directions.iter().map(|direction| direction.decoder.bytes()).sum();
        if self.share.keep_tables(tables) {
            out.lost("http2 header tables over the limit");
            self.direction(from).decoder.lost();
            let tables = self.directions.iter().map(|direction| direction.decoder.bytes()).sum();
            self.share.keep_tables(tables);
        }
    }

    /// Whether there may be no further stream without that another one goes.
    pub(super) fn is_full(&mut self) -> bool {
        let all_are_full = self.share.keep_streams(self.streams.len());
        self.streams.len() >= STREAMS || (all_are_full && self.streams.len() >= FAIR)
    }

    /// Section 6.1.
    #[expect(clippy::too_many_arguments, reason = "what a step has")]
    fn data(
        &mut self,
        from: Side,
        at: Timestamp,
        header: &FrameHeader,
        rest: &[u8],
        used: usize,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Progress, Malformed> {
        let (mut start, mut left, mut padding) = (HEADER, header.length, 0);
        if header.has(PADDED) {
            let Some(byte) = rest.get(HEADER) else { return Ok(Progress::Incomplete(1)) };
            padding = usize::from(*byte);
            start += 1;
            left = left.checked_sub(1 + padding).ok_or(Malformed("padding"))?;
        }
        let (ends, size) = (header.has(END_STREAM), left + padding);
        let body = Body { stream: header.stream, left, padding, size, ends };
        let spot = Spot { from, at, end: used + start };
        self.begin_data(&spot, header, start);
        let looked_at = self.looks_at(from, &body) && left > 0;
        let there = rest.len().min(header.size());
        if looked_at && there > start {
            let shown = rest.get(start..).unwrap_or_default();
            return Ok(match self.body(spot, body, shown, means, out) {
                Progress::Used(bytes) => Progress::Used(start + bytes),
                Progress::Skip(bytes, skip) => Progress::Skip(start + bytes, skip),
                Progress::Incomplete(_) => Progress::Used(start),
            });
        }
        if looked_at {
            self.direction(from).reading = Reading::Body(body);
            return Ok(Progress::Used(start));
        }
        if header.size() <= rest.len() {
            let spot = Spot { end: used + header.size(), ..spot };
            self.pass_over(&spot, body.stream, left);
            self.end_data(&spot, &body, means, out);
            return Ok(Progress::Used(header.size()));
        }
        self.direction(from).reading = Reading::Skipped(body);
        Ok(Progress::Skip(there, header.size() - there))
    }

    /// Bytes of a body that stand at `spot.end` of the input.
    fn body(
        &mut self,
        spot: Spot,
        mut body: Body,
        rest: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Progress {
        let shown = prefix(rest, body.left.min(self.piece(spot.from, &body)));
        if !shown.is_empty() {
            self.read_body(&spot, body.stream, shown, means, out);
            body.left -= shown.len();
        }
        let size = body.left + body.padding;
        let there = rest.len() - shown.len();
        let spot = Spot { end: spot.end + shown.len(), ..spot };
        if body.left > 0 && self.looks_at(spot.from, &body) {
            self.direction(spot.from).reading = Reading::Body(body);
            return Progress::Used(shown.len());
        }
        if size <= there {
            self.direction(spot.from).reading = Reading::Frames;
            let spot = Spot { end: spot.end + size, ..spot };
            self.pass_over(&spot, body.stream, body.left);
            self.end_data(&spot, &body, means, out);
            return Progress::Used(shown.len() + size);
        }
        self.direction(spot.from).reading = Reading::Skipped(body);
        Progress::Skip(rest.len(), size - there)
    }

    /// The last byte of a frame of DATA was seen.
    fn end_data(&mut self, spot: &Spot, body: &Body, means: &mut Means, out: &mut dyn Out) {
        let role = self.role(spot.from);
        let Some(stream) = self.streams.get_mut(&body.stream) else { return };
        // A frame that breaks off counts with its head only: where nobody looks at the others, it is
        // not known how many of its bytes there were.
        stream.half(role).count(body.size);
        if body.ends {
            self.end_half(spot, body.stream, role, means, out);
        } else if let Some(key) = stream.half(role).key {
            out.extend(key, spot.end);
        }
    }

    /// Whether somebody looks at what is left of a frame's body.
    fn looks_at(&mut self, from: Side, body: &Body) -> bool {
        let role = self.role(from);
        let Some(stream) = self.streams.get_mut(&body.stream) else { return false };
        if stream.is_tunnel {
            return true;
        }
        let half = stream.half(role);
        if half.looks() {
            return true;
        }
        let left = u64::try_from(body.left).unwrap_or(u64::MAX);
        stream.call.as_ref().is_some_and(|call| call.skippable(role) < left)
    }

    /// How many bytes of a frame's body are looked at before it is asked again whether the others
    /// are: else it would depend on how much there is how far a message is known to go.
    fn piece(&mut self, from: Side, body: &Body) -> usize {
        let role = self.role(from);
        let Some(stream) = self.streams.get_mut(&body.stream) else { return usize::MAX };
        let half = stream.half(role);
        let is_shown = half.looks();
        match &stream.call {
            Some(call) if !is_shown => usize::try_from(call.piece(role)).unwrap_or(usize::MAX),
            _ => usize::MAX,
        }
    }

    /// Bytes of a side are lost, so many if that is known, and with them what they said.
    fn lose(&mut self, from: Side, lost: Option<NonZeroU64>, out: &mut dyn Out) {
        let direction = self.direction(from);
        direction.decoder.lost();
        (direction.scanned, direction.is_whole, direction.has_begun) = (0, false, true);
        direction.reading = Reading::Frames;
        // What is acknowledged next may be something else.
        self.directions.iter_mut().for_each(|direction| direction.settings.clear());
        // What was opened, granted or sent in between is not known.
        (self.is_whole, self.server_begins) = (false, false);
        let role = self.role(from);
        for (id, stream) in &mut self.streams {
            if stream.is_tunnel
                && let Some(lost) = lost
            {
                out.inner(u64::from(*id), from, Inner::Gap(lost));
            }
            if let Some(call) = &mut stream.call {
                call.lose(role);
            }
            let half = stream.half(role);
            (half.has_gap, half.may_have_ended) = (true, true);
            if let Some(secrets) = &mut half.secrets {
                secrets.lose();
            }
            if let (Some(content), Some(key)) = (half.content.take(), half.key) {
                content.lose(key, out);
            }
        }
    }

    pub(super) fn direction(&mut self, from: Side) -> &mut Direction {
        let [a, b] = &mut self.directions;
        match from {
            Side::A => a,
            Side::B => b,
        }
    }

    pub(super) fn role(&self, from: Side) -> Role {
        if from == self.client { Role::Client } else { Role::Server }
    }
}

impl Direction {
    fn new() -> Self {
        Self {
            decoder: Decoder::in_midstream(),
            window: ConnectionWindow::default(),
            reading: Reading::Frames,
            has_begun: false,
            is_whole: false,
            scanned: 0,
            settings: VecDeque::new(),
        }
    }
}

fn prefix(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// The longest head, with the frames that it comes in.
const HEAD_LIMIT: usize = 256 << 10;

/// Streams of one connection of which something is kept.
const STREAMS: usize = 4096;

/// SETTINGS of one side that wait for their acknowledgement.
const UNACKNOWLEDGED: usize = 16;

const HEADER_TABLE_SIZE: u16 = 0x01;
const INITIAL_WINDOW_SIZE: u16 = 0x04;
