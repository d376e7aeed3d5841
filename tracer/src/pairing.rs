//! Messages to exchanges: in order within a lane, or by id. One pairing serves one flow.

use crate::doubt::{Doubt, TurnTaking};
use crate::exchange::{
    Carrier, Context, Exchange, ExchangeId, Half, Mark, OPERATION, Processes, ProtocolIndex,
    RESOURCE, Resent, Sort, State, Text, Turns,
};
use crate::given::GivenNames;
use crate::losses::Touched;
use crate::resent::{Over, Part};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use wirespan_capture::packet::{Frame, NetworkId, Timestamp};
use wirespan_capture::stream::{PointId, RoundTrip, Seen, Transport};
use wirespan_parsers::message::{
    Attribute, Id, Kind, Message, Outcome, Pairing as Match, Record, Side, Status, Value,
};
use wirespan_parsers::protocol::{Key, Unanswered};
use wirespan_parsers::trace_context::TraceContext;
use wirespan_parsers::values::Values;
use xxhash_rust::xxh3::xxh3_64;

/// The open exchanges of one flow.
#[derive(Debug, Default)]
pub struct Pairing {
    open: VecDeque<Open>,
    /// Where the one stands whose request or response came last, if it is still there.
    told_of: usize,
    /// How many of them have a whole response, while their request goes on.
    answered: usize,
    /// The next exchange's number on the connection.
    ordinal: u32,
    /// Where the latest exchange began, and its number there.
    latest: Option<(Beginning, u32)>,
    /// How many responses are still to come to requests that were given up, by lane.
    owed: Vec<(u64, u64)>,
    /// Whether a request was sent before the one before it on its lane was answered.
    pipelined: bool,
    /// Whose answers come next is not sure, since something was lost.
    doubt: Option<Doubt>,
    /// Whether the client waits for all answers before it asks again.
    turns: TurnTaking,
    /// The nanoseconds that the slowest answer took to begin.
    slowest: Option<i64>,
    /// The exchange that was complete last.
    over: Option<Over>,
    /// A response came to nothing that was asked.
    stray: bool,
}

/// Where an exchange begins: at a byte of a side, or in a packet where it lies on no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Byte(Side, u64),
    Packet(Frame),
}

/// What is the same for all exchanges of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Whose addresses these are.
    pub network: NetworkId,
    /// The point that sees the flow.
    pub point: PointId,
    /// The transport.
    pub transport: Transport,
    /// Address and port of side A and of side B.
    pub addresses: [SocketAddr; 2],
    /// The packet that opened the connection, if it was seen.
    pub opened: Option<Seen>,
    /// How long the handshake took from the point to either end and back.
    pub round_trip: RoundTrip,
    /// Tells flows that one connection carries apart; 0 for the connection itself.
    pub inside: u64,
    /// The client of a connection, once it is known.
    pub client: Option<Side>,
    /// Whether what is read of the flow hangs on what came before.
    pub remembers: bool,
}

/// Where a message's bytes were seen.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The packet of its first byte.
    pub first: Seen,
    /// The packet of its last byte as yet.
    pub last: Seen,
    /// TCP sequence number of its first byte, if it lies on a TCP stream itself.
    pub seq: Option<u32>,
    /// Where its first byte stands in the stream of its side.
    pub offset: u64,
    /// How many bytes as yet.
    pub len: u64,
}

/// Where pairing tells what it has done.
pub trait Exchanges {
    /// A number for a new exchange.
    fn id(&mut self) -> ExchangeId;
    /// An exchange is complete, or will not become so.
    fn done(&mut self, exchange: Box<Exchange>);
    /// A request took a place that a limit wanted back.
    fn evicted(&mut self);
    /// Whether as many requests are open on all flows as may be; a flow that opens another one
    /// then gives up its own oldest.
    fn full(&self) -> bool {
        false
    }
    /// A response has no request.
    fn unpaired(&mut self);
    /// Something of an exchange that is over was sent again.
    fn resent(&mut self, exchange: ExchangeId, part: Part, resent: Resent);
}

#[derive(Debug)]
struct Open {
    exchange: Box<Exchange>,
    matching: Matching,
    /// The side that asks.
    from: Side,
    /// Where request and response begin in the streams of their sides.
    offsets: [u64; 2],
    request_done: bool,
    responded: bool,
    /// Whether its response may lie in a gap, though an id would pair it.
    may_be_lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matching {
    InOrder(u64),
    Id(Side, u64),
    OneWay,
}

impl Open {
    fn is_in_order(&self) -> bool {
        matches!(self.matching, Matching::InOrder(_))
    }
}

impl Pairing {
    /// A message opens; a request opens an exchange, a response joins the one that it answers.
    pub fn open(
        &mut self,
        ends: &Ends,
        protocol: ProtocolIndex,
        from: Side,
        message: &Message<'_>,
        place: Place,
        exchanges: &mut dyn Exchanges,
    ) -> Key {
        let matching = Matching::of(&message.pairing);
        match message.kind {
            Kind::Request | Kind::OneWay | Kind::End | Kind::Handshake => {
                self.request(ends, protocol, from, message, matching, place, exchanges)
            }
            Kind::Promise => {
                // It lies on no stream of who asks.
                let place = Place { seq: None, offset: u64::MAX, ..place };
                let asker = from.other();
                self.request(ends, protocol, asker, message, matching, place, exchanges)
            }
            Kind::Refusal => {
                self.refusal(ends, protocol, from, message, matching, place, exchanges)
            }
            Kind::Response => self.response(message, matching, place, exchanges),
            Kind::Interim => {
                let Some(at) = self.answered_by(matching) else { return NOBODY };
                if self.is_doubtful(at, &place) {
                    return NOBODY;
                }
                let Some(open) = self.open.get_mut(at) else { return NOBODY };
                let code = Value::Int(i64::from(message.status.code));
                open.exchange.text.add(Attribute { name: "interim.status_code", value: code });
                key(open.exchange.ordinal, INTERIM)
            }
        }
    }

    /// Something more is known of a message.
    pub fn add(&mut self, key: Key, attribute: Attribute<'_>) {
        if let Some((open, part)) = self.find(key)
            && part != INTERIM
        {
            if part == REQUEST
                && attribute.name == "url.query"
                && let Value::Text(query) = attribute.value
            {
                open.exchange.values.read(query);
                open.exchange.values.end();
            }
            open.exchange.text.add(attribute);
        }
    }

    /// A message carries a value.
    pub fn value(&mut self, key: Key, value: u16) {
        if let Some((open, REQUEST)) = self.find(key) {
            open.exchange.values.add(value);
        }
    }

    /// A message carries an identifier.
    pub fn context(&mut self, key: Key, context: &TraceContext<'_>) {
        let Some((open, part)) = self.find(key) else { return };
        let carrier = if part == RESPONSE { Carrier::Response } else { Carrier::Request };
        let exchange = &mut open.exchange;
        let new = Context::of(context, carrier);
        let full = exchange.contexts.len() >= CONTEXTS;
        let same = exchange.contexts.iter_mut().find(|old| {
            (old.format, old.trace, old.span, old.parent)
                == (new.format, new.trace, new.span, new.parent)
        });
        match same {
            Some(old) if old.carried_by != carrier => old.carried_by = Carrier::Both,
            Some(_) => {}
            None if !full => {
                exchange.contexts.push(new);
                if context.format.is_text() {
                    let value = Value::Text(context.text);
                    exchange.text.add(Attribute { name: context.format.text_name(), value });
                }
            }
            None => {}
        }
    }

    /// So many bytes of a message, from this sequence number on, are secret.
    pub fn secret(&mut self, key: Key, seq: u32, len: u64) {
        let Some((open, part)) = self.find(key) else { return };
        let secrets = open.exchange.secrets.get_or_insert_default();
        let side = if part == REQUEST { &mut secrets.request } else { &mut secrets.response };
        side.add(seq, len);
    }

    /// A request asks for what is in queues.
    pub fn asks_for_records(&mut self, key: Key) {
        if let Some((open, REQUEST)) = self.find(key) {
            open.exchange.records.get_or_insert_default().asks = true;
        }
    }

    /// A message puts this into a queue, or gets it out of one.
    pub fn record(&mut self, key: Key, record: Record<'_>) {
        if let Some((open, REQUEST | RESPONSE)) = self.find(key) {
            open.exchange.records.get_or_insert_default().add(record);
        }
    }

    /// What a message was said to put into queues is not in.
    pub fn put_nothing(&mut self, key: Key) {
        if let Some((open, REQUEST | RESPONSE)) = self.find(key)
            && let Some(records) = &mut open.exchange.records
        {
            records.take_back();
        }
    }

    /// A message's status is this.
    pub fn status(&mut self, key: Key, status: &Status<'_>) {
        if let Some((open, RESPONSE)) = self.find(key) {
            open.exchange.set_status(status);
        }
    }

    /// A request goes by other words than those that it was opened with.
    pub fn rename(&mut self, key: Key, protocol: ProtocolIndex, operation: &[u8], resource: &[u8]) {
        let Some((open, REQUEST)) = self.find(key) else { return };
        open.exchange.rename(protocol, operation, resource);
    }

    /// A message goes on up to this packet of this side, and to the byte before `end` in its
    /// stream. Packets of the other side tell nothing of how far it has come.
    pub fn extend(&mut self, key: Key, from: Side, last: &Seen, end: u64) {
        let Some((open, part)) = self.find(key) else { return };
        if (part == REQUEST) != (open.from == from) {
            return;
        }
        let [request, response] = open.offsets;
        let (half, start) = match (part, &mut open.exchange.response) {
            (REQUEST, _) => (&mut open.exchange.request, request),
            (RESPONSE, Some(half)) => (half, response),
            _ => return,
        };
        // What is closed only when something else comes goes on no further than it was known to.
        let len = end.saturating_sub(start);
        if len > half.len {
            half.last = Mark::of(last);
            half.len = len;
        }
    }

    /// So many bytes of a message are its own, and the others are those of messages in between.
    pub fn own(&mut self, key: Key, bytes: u64) {
        let half = match self.find(key) {
            Some((open, REQUEST)) => Some(&mut open.exchange.request),
            Some((open, RESPONSE)) => open.exchange.response.as_mut(),
            _ => None,
        };
        if let Some(half) = half {
            half.own = NonZeroU64::new(bytes);
        }
    }

    /// A message is complete.
    pub fn close(&mut self, key: Key, exchanges: &mut dyn Exchanges) {
        let Some(at) = self.position(key) else { return };
        let Some(open) = self.open.get_mut(at) else { return };
        match part(key) {
            REQUEST => open.request_done = true,
            RESPONSE => {
                self.answered += usize::from(!open.responded);
                open.responded = true;
            }
            _ => return,
        }
        let one_way = open.exchange.sort.is_one_way();
        if open.request_done && (open.responded || one_way) {
            self.finish(at, State::Complete, exchanges);
        }
    }

    /// A request will have no answer that can be told.
    pub fn unanswered(&mut self, key: Key, why: Unanswered<'_>, exchanges: &mut dyn Exchanges) {
        if part(key) != REQUEST {
            return;
        }
        let Some(at) = self.position(key) else { return };
        let Some(open) = self.open.get_mut(at) else { return };
        let state = match why {
            Unanswered::TakenBack(why) => {
                open.exchange.set_status(&Status { text: why, ..Status::default() });
                State::Reset
            }
            Unanswered::Lost => State::ResponseLost,
        };
        self.finish(at, state, exchanges);
    }

    /// Something of a message was sent again.
    pub fn resent(&mut self, key: Key, resent: Resent) {
        let Some((open, part)) = self.find(key) else { return };
        let half = match part {
            REQUEST => Some(&mut open.exchange.request),
            RESPONSE => open.exchange.response.as_mut(),
            _ => None,
        };
        if let Some(half) = half {
            half.resent = half.resent.and(resent);
        }
    }

    /// The byte at this offset of a side was sent again.
    pub fn resent_at(
        &mut self,
        from: Side,
        offset: u64,
        resent: Resent,
        exchanges: &mut dyn Exchanges,
    ) {
        if let Some(half) = self.half_at(from, offset) {
            half.resent = half.resent.and(resent);
        } else if let Some(over) = self.over
            && let Some(part) = over.part_at(from, offset)
        {
            exchanges.resent(over.id, part, resent);
        }
    }

    /// So many bytes of a side are lost, which are of the message that goes on there.
    pub fn lost_at(&mut self, from: Side, offset: u64, lost: u64) {
        if let Some(half) = self.half_at(from, offset) {
            half.lost += lost;
        }
    }

    /// The message that the byte at this offset of a side is of, while its exchange is open.
    fn half_at(&mut self, from: Side, offset: u64) -> Option<&mut Half> {
        let begins = |open: &Open| {
            let [request, response] = open.offsets;
            match open.from == from {
                true => Some((request, open.exchange.request.len, open.request_done)),
                false => {
                    let half = open.exchange.response.as_ref()?;
                    Some((response, half.len, open.responded))
                }
            }
        };
        // Messages that an id pairs may lie in each other, and then it is not known whose it is.
        let lately = self.open.iter().rev().take(LOOKED_AT).filter(|open| !open.is_in_order());
        let goes_on = |open: &&Open| begins(open).is_some_and(|(.., is_done)| !is_done);
        if lately.filter(goes_on).nth(1).is_some() {
            return None;
        }
        let lately = self.open.iter_mut().rev().take(LOOKED_AT);
        let before = lately.filter_map(|open| {
            let (start, len, is_done) = begins(open).filter(|(start, ..)| *start <= offset)?;
            Some((start, len, is_done, open))
        });
        let (start, len, is_done, open) = before.max_by_key(|(start, ..)| *start)?;
        if is_done && offset - start >= len {
            return None;
        }
        match open.from == from {
            true => Some(&mut open.exchange.request),
            false => open.exchange.response.as_mut(),
        }
    }

    /// Whole requests may lie in a gap that was known at this time, and their responses still come.
    pub fn requests_lost(&mut self, at: Timestamp) {
        self.turns.loss();
        self.doubt_from(self.ordinal, at);
    }

    /// The responses to all open requests may lie in a gap that was known at this time. Those that
    /// an id pairs may still come.
    pub fn responses_lost(&mut self, at: Timestamp, exchanges: &mut dyn Exchanges) {
        self.owed.clear();
        // A part of the only one was lost, so that none is left.
        if self.open.iter().filter(|open| open.is_in_order()).count() > 1 {
            self.doubt_from(self.ordinal, at);
        }
        self.finish_in_order(exchanges);
        self.doubt_ids();
        self.misses();
    }

    /// One response is known, and those behind it may lie in a gap that was known at this time.
    pub fn later_responses_lost(&mut self, at: Timestamp) {
        self.doubt_ids();
        let is_open = |open: &&Open| open.is_in_order() && open.exchange.response.is_none();
        if let Some(first) = self.open.iter().find(is_open) {
            self.doubt = Some(Doubt::new(first.exchange.ordinal, at));
            self.misses();
        }
    }

    /// The responses to requests with ids may be lost.
    fn doubt_ids(&mut self) {
        // All before one that is doubted already are, too.
        let lately = self.open.iter_mut().rev().take_while(|open| !open.may_be_lost);
        for open in lately {
            // Of datagrams, none says how much of others is missing.
            open.may_be_lost = !open.is_in_order()
                && open.exchange.transport == Transport::Tcp
                && open.exchange.response.is_none();
        }
    }

    /// Bytes of the server come.
    pub fn hears(&mut self, seen: &Seen) {
        self.turns.hears(seen.ack);
        self.doubt.iter_mut().for_each(Doubt::hears);
    }

    /// Bytes of the server are lost.
    pub fn misses(&mut self) {
        self.turns.misses();
        self.doubt.iter_mut().for_each(Doubt::hears);
    }

    fn doubt_from(&mut self, ordinal: u32, at: Timestamp) {
        self.doubt.get_or_insert_with(|| Doubt::new(ordinal, at)).loss(at);
    }

    fn finish_in_order(&mut self, exchanges: &mut dyn Exchanges) {
        while let Some(at) = self.open.iter().position(Open::is_in_order) {
            let responded = self.open.get(at).is_some_and(|open| open.exchange.response.is_some());
            let state = if responded { State::Complete } else { State::ResponseLost };
            self.finish(at, state, exchanges);
        }
    }

    /// Nothing more comes; what is open ends in this state.
    pub fn end(&mut self, state: State, exchanges: &mut dyn Exchanges) {
        while let Some(open) = self.open.front() {
            let state = match open.exchange.response {
                Some(_) => State::Complete,
                None if open.may_be_lost => State::ResponseLost,
                None => state,
            };
            self.finish(0, state, exchanges);
        }
    }

    /// Gives up the requests that began before this time.
    pub fn time_out(&mut self, before: Timestamp, exchanges: &mut dyn Exchanges) {
        while let Some(open) = self.open.front()
            && open.exchange.start() <= before
        {
            self.give_up(State::TimedOut, exchanges);
        }
    }

    /// Whether a response has come to nothing that was asked, since this was asked last.
    pub fn take_stray(&mut self) -> bool {
        std::mem::take(&mut self.stray)
    }

    /// The nanoseconds that the slowest answer took to begin, if there was one.
    pub fn slowest(&self) -> Option<i64> {
        self.slowest
    }

    /// When the oldest open request began.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.open.front().map(|open| open.exchange.start())
    }

    /// The open exchange with this number on the connection.
    pub fn get(&self, ordinal: u32) -> Option<&Exchange> {
        self.open.get(self.place(ordinal)?).map(|open| &*open.exchange)
    }

    /// The number that the next exchange on the connection will get.
    pub fn next_ordinal(&self) -> u32 {
        self.ordinal
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn request(
        &mut self,
        ends: &Ends,
        protocol: ProtocolIndex,
        from: Side,
        message: &Message<'_>,
        matching: Matching,
        place: Place,
        exchanges: &mut dyn Exchanges,
    ) -> Key {
        // A new request on a lane ends an older one there that was answered before it was complete.
        // Mostly there is none, and a deep pipeline need not be looked through for each request.
        if let Matching::InOrder(_) = matching
            && self.answered > 0
            && let Some(at) = self.open.iter().position(|o| o.responded && o.matching == matching)
        {
            self.finish(at, State::Complete, exchanges);
        }
        if let Matching::InOrder(_) = matching
            && message.kind != Kind::OneWay
        {
            self.take_turn(&place, exchanges);
            self.request_in_doubt(place.first.at, exchanges);
        }
        if self.open.len() >= OPEN || (exchanges.full() && !self.open.is_empty()) {
            exchanges.evicted();
            self.give_up(State::Evicted, exchanges);
        }
        let [a, b] = ends.addresses;
        let (client, server) = if from == Side::A { (a, b) } else { (b, a) };
        let mut text = Text::with_capacity(TEXT);
        text.add(Attribute { name: OPERATION, value: Value::Text(message.operation) });
        if !message.resource.is_empty() {
            text.add(Attribute { name: RESOURCE, value: Value::Text(message.resource) });
        }
        let mut values = Values::default();
        values.read(message.resource);
        values.end();
        let ordinal = self.ordinal;
        self.ordinal = self.ordinal.wrapping_add(1);
        let beginning = match place.seq {
            Some(_) => Beginning::Byte(from, place.offset),
            None => Beginning::Packet(place.first.frame),
        };
        let before = self.latest.filter(|(latest, _)| *latest == beginning);
        let in_packet = before.map_or(0, |(_, number)| number.wrapping_add(1));
        self.latest = Some((beginning, in_packet));
        let mut exchange = Box::new(Exchange {
            id: exchanges.id(),
            network: ends.network,
            point: ends.point,
            first_point: ends.point,
            tap: place.first.tap,
            transport: ends.transport,
            client,
            server,
            protocol,
            sort: match message.kind {
                Kind::OneWay => Sort::OneWay,
                Kind::End => Sort::End,
                Kind::Handshake | Kind::Refusal => Sort::Handshake,
                _ => Sort::Call,
            },
            state: State::Open,
            ordinal,
            in_packet,
            to_client: ends.client.is_some_and(|client| client != from),
            pipeline: self.pipeline(matching),
            inside: ends.inside,
            lane: match message.pairing {
                Match::InOrder { lane } => lane,
                Match::Id { id: Id::Number(number), .. } => number,
                _ => 0,
            },
            request: half(&place, message.cut),
            response: None,
            outcome: Outcome::Unknown,
            code: 0,
            text,
            contexts: Default::default(),
            values,
            records: None,
            secrets: None,
            processes: Processes::default(),
            names: GivenNames::default(),
            round_trip: ends.round_trip,
            turns: Turns::default(),
            touched: Touched::NONE,
            clock: None,
            remembers: ends.remembers,
            seemed: None,
        });
        if message.kind == Kind::OneWay {
            exchange.set_status(&message.status);
        }
        let offsets = [place.offset; 2];
        let open = Open {
            exchange,
            matching,
            from,
            offsets,
            request_done: false,
            responded: false,
            may_be_lost: false,
        };
        self.told_of = self.open.len();
        self.open.push_back(open);
        key(ordinal, REQUEST)
    }

    /// A response whose request is the connection: it begins with the packet that opened that.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn refusal(
        &mut self,
        ends: &Ends,
        protocol: ProtocolIndex,
        from: Side,
        message: &Message<'_>,
        matching: Matching,
        place: Place,
        exchanges: &mut dyn Exchanges,
    ) -> Key {
        let opened = ends.opened.unwrap_or(place.first);
        let seq = place.seq.map(|_| place.first.ack);
        let request = Place { first: opened, last: opened, seq, offset: 0, len: 0 };
        let asked =
            self.request(ends, protocol, from.other(), message, matching, request, exchanges);
        let Some((open, _)) = self.find(asked) else { return NOBODY };
        open.request_done = true;
        open.exchange.response = Some(half(&place, message.cut));
        open.offsets = [0, place.offset];
        open.exchange.set_status(&message.status);
        key(open.exchange.ordinal, RESPONSE)
    }

    /// What a new request of a lane has in common with one that is still open there.
    fn pipeline(&mut self, matching: Matching) -> Option<u32> {
        if let Matching::Id(..) = matching {
            // Their messages may lie in each other.
            let before = self.open.iter_mut().rev().find(|open| !open.is_in_order())?;
            let exchange = &mut before.exchange;
            exchange.pipeline = exchange.pipeline.or(exchange.request.seq);
            return exchange.pipeline;
        }
        let Matching::InOrder(_) = matching else { return None };
        let before = self.open.iter_mut().rev().find(|open| open.matching == matching)?;
        let exchange = &mut before.exchange;
        if exchange.response.is_none() && exchange.sort != Sort::OneWay && !self.pipelined {
            self.pipelined = true;
            self.turns.begins_anew();
        }
        exchange.pipeline = exchange.pipeline.or(exchange.request.seq);
        exchange.pipeline
    }

    fn response(
        &mut self,
        message: &Message<'_>,
        matching: Matching,
        place: Place,
        exchanges: &mut dyn Exchanges,
    ) -> Key {
        let owed = self.owed.iter().position(|(lane, _)| matching == Matching::InOrder(*lane));
        if let Some((_, count)) = owed.and_then(|at| self.owed.get_mut(at)) {
            *count -= 1;
            self.owed.retain(|(_, count)| *count > 0);
            exchanges.unpaired();
            return NOBODY;
        }
        let found = self.answered_by(matching);
        self.stray |= found.is_none();
        let found = self.response_in_doubt(found, matching, &place, exchanges);
        let Some((at, open)) = found.and_then(|at| Some((at, self.open.get_mut(at)?))) else {
            exchanges.unpaired();
            return NOBODY;
        };
        self.told_of = at;
        let took = place.first.at.0.saturating_sub(open.exchange.request.first.at.0);
        self.slowest = self.slowest.max(Some(took));
        open.exchange.response = Some(half(&place, message.cut));
        open.offsets[1] = place.offset;
        open.exchange.set_status(&message.status);
        key(open.exchange.ordinal, RESPONSE)
    }

    /// The open exchange that a response with this matching answers.
    fn answered_by(&self, matching: Matching) -> Option<usize> {
        self.open.iter().position(|open| {
            open.matching == matching
                && open.exchange.response.is_none()
                && !open.exchange.sort.is_one_way()
        })
    }

    /// A request begins on a lane. Of a client that takes turns with the server, one that begins a
    /// turn is behind all answers, so that nothing is in doubt.
    fn take_turn(&mut self, place: &Place, exchanges: &mut dyn Exchanges) {
        if self.turns.request(place.seq, place.first.ack) {
            let waits = |open: &Open| {
                open.is_in_order()
                    && open.exchange.response.is_none()
                    && !open.exchange.sort.is_one_way()
            };
            if self.doubt.is_none() {
                match self.open.iter().any(waits) {
                    true => self.turns.breaks(),
                    false => self.turns.keeps(self.pipelined),
                }
            } else if self.turns.keeps_in_doubt(self.pipelined) {
                self.doubt = None;
                self.finish_in_order(exchanges);
            }
        }
        self.turns.goes_on();
    }

    /// A request begins on a lane; if the connection was idle before it, nothing is in doubt.
    fn request_in_doubt(&mut self, at: Timestamp, exchanges: &mut dyn Exchanges) {
        let Some(doubt) = &mut self.doubt else { return };
        if doubt.is_over(at, self.slowest) {
            self.doubt = None;
            self.finish_in_order(exchanges);
        } else {
            doubt.request(at);
        }
    }

    /// The exchange that a response in order surely answers, of the one that is next.
    fn response_in_doubt(
        &mut self,
        next: Option<usize>,
        matching: Matching,
        place: &Place,
        exchanges: &mut dyn Exchanges,
    ) -> Option<usize> {
        let doubtful = next.is_none_or(|at| self.is_doubtful(at, place));
        if let (Some(doubt), Matching::InOrder(_)) = (&mut self.doubt, matching)
            && doubtful
        {
            doubt.answer(place.first.at);
            self.turns.leaves_alone();
            if let Some(at) = next.filter(|_| self.pipelined || doubt.is_hasty()) {
                self.finish(at, State::ResponseLost, exchanges);
            }
            return None;
        }
        let ordinal = self.open.get(next?)?.exchange.ordinal;
        self.doubt = self.doubt.filter(|doubt| !doubt.concerns(ordinal));
        next
    }

    /// Whether something that was lost may be answered, rather than this exchange.
    fn is_doubtful(&self, at: usize, place: &Place) -> bool {
        let (Some(doubt), Some(open)) = (self.doubt, self.open.get(at)) else { return false };
        let request = &open.exchange.request;
        // What a server has not acknowledged, it has not read.
        let unread = request.seq.is_some_and(|seq| {
            place.first.ack != 0 && (place.first.ack.wrapping_sub(seq) as i32) <= 0
        });
        open.is_in_order()
            && doubt.concerns(open.exchange.ordinal)
            && (self.pipelined || doubt.is_hasty() || unread)
    }

    /// Gives up the oldest open request. A response that comes to it all the same is not that to
    /// the next one.
    fn give_up(&mut self, state: State, exchanges: &mut dyn Exchanges) {
        let Some(open) = self.open.front() else { return };
        if open.exchange.response.is_some() {
            return self.finish(0, State::Complete, exchanges);
        }
        let state = match state {
            State::TimedOut if open.may_be_lost => State::ResponseLost,
            state => state,
        };
        if let Matching::InOrder(lane) = open.matching
            && !open.exchange.sort.is_one_way()
        {
            let lanes = self.owed.len();
            match self.owed.iter_mut().find(|(other, _)| *other == lane) {
                Some((_, count)) => *count += 1,
                None if lanes < OPEN => self.owed.push((lane, 1)),
                None => {}
            }
        }
        self.finish(0, state, exchanges);
    }

    fn finish(&mut self, at: usize, state: State, exchanges: &mut dyn Exchanges) {
        let Some(mut open) = self.open.remove(at) else { return };
        self.answered -= usize::from(open.responded);
        open.exchange.state = state;
        open.exchange.text.shrink();
        let [request, response] = open.offsets;
        self.over = Some(Over {
            id: open.exchange.id,
            from: open.from,
            request: (request, open.exchange.request.len),
            response: (response, open.exchange.response.as_ref().map_or(0, |half| half.len)),
        });
        exchanges.done(open.exchange);
    }

    fn position(&self, key: Key) -> Option<usize> {
        if key == NOBODY {
            return None;
        }
        self.place((key.0 >> 2) as u32)
    }

    /// Where the open exchange with this number stands; they stand in order.
    fn place(&self, ordinal: u32) -> Option<usize> {
        // More is told of one message after the other, mostly.
        if self.open.get(self.told_of).is_some_and(|open| open.exchange.ordinal == ordinal) {
            return Some(self.told_of);
        }
        self.open.binary_search_by_key(&ordinal, |open| open.exchange.ordinal).ok()
    }

    fn find(&mut self, key: Key) -> Option<(&mut Open, u64)> {
        let at = self.position(key)?;
        Some((self.open.get_mut(at)?, part(key)))
    }
}

impl Matching {
    fn of(pairing: &Match<'_>) -> Self {
        match *pairing {
            Match::InOrder { lane } => Self::InOrder(lane),
            Match::Id { by, id: Id::Number(number) } => Self::Id(by, number),
            Match::Id { by, id: Id::Bytes(bytes) } => Self::Id(by, xxh3_64(bytes)),
            Match::OneWay => Self::OneWay,
        }
    }
}

fn half(place: &Place, cut: bool) -> Half {
    let Place { first, last, seq, len, .. } = place;
    Half {
        first: Mark::of(first),
        last: Mark::of(last),
        seq: *seq,
        len: *len,
        ack: first.ack,
        tsval: first.tsval,
        ip_id: first.ip_id,
        ttl: first.ttl,
        cut,
        lost: 0,
        own: None,
        resent: Resent::default(),
    }
}

fn key(ordinal: u32, part: u64) -> Key {
    Key(u64::from(ordinal) << 2 | part)
}

fn part(key: Key) -> u64 {
    key.0 & 3
}

/// The key of a response without a request: nothing that is said of it is kept.
const NOBODY: Key = Key(u64::MAX);
const REQUEST: u64 = 0;
const RESPONSE: u64 = 1;
const INTERIM: u64 = 2;

/// Open exchanges of a flow among which that one is looked for which a byte is of.
const LOOKED_AT: usize = 64;
/// Requests of one flow that may be open at a time.
pub const OPEN: usize = 4096;
/// Identifiers of one exchange that are kept.
pub(crate) const CONTEXTS: usize = 8;
/// Bytes that most exchanges need for their texts.
const TEXT: usize = 160;
