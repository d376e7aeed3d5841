//! One connection: frames of both sides in, messages out.

use super::data::{Data, RESPONSE_SIZE, Secrets, size_of, text_of};
use super::deflate::Deflate;
use super::frame::{Chain, Header, Opcode, Stop, unmask};
use super::look::{Look, Scan};
use super::said::{Match, Said, Speech};
use super::{Means, said};
use crate::handed::Handed;
use crate::message::{
    Attribute, Dialect, Id, Kind, Message, Outcome, Pairing, Record, Side, Status, Value, digest,
};
use crate::protocol::{AfterGap, Key, Malformed, Out, Step};
use crate::secrets::masked;
use crate::settings::Settings;
use crate::trace_context::Collector;
use crate::trace_context::body::{BodyReader, Form};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// What is known of a connection.
pub(super) struct Connection {
    client: Side,
    /// The path that was asked for.
    path: Box<[u8]>,
    subprotocol: Box<[u8]>,
    speech: Speech,
    halves: [Half; 2],
    /// Answers that go on, by the id that the client chose: its digest, as ids may be long.
    answers: HashMap<u128, Answer>,
    /// Whether the client's login waits for its answer.
    logs_in: bool,
}

/// An answer that goes on.
#[derive(Clone, Copy)]
struct Answer {
    key: Key,
    /// The messages that it came in, and their payload.
    results: u32,
    size: u64,
}

/// One side of a connection.
#[derive(Default)]
struct Half {
    /// The frame of which the payload is being read.
    frame: Option<Frame>,
    /// The message that is being read.
    data: Option<Data>,
    deflate: Deflate,
    scan: Scan,
    /// Pings that wait for their answer, and how many there were.
    pings: VecDeque<(u64, Box<[u8]>)>,
    pinged: u64,
}

#[derive(Clone, Copy)]
struct Frame {
    left: u64,
    mask: Option<[u8; 4]>,
    /// Bytes of the payload that are done with.
    at: u64,
    fin: bool,
}

impl Connection {
    pub(super) fn new(handed: Option<&Handed>, client: Side) -> Self {
        let mut connection = Self {
            client,
            path: Box::default(),
            subprotocol: Box::default(),
            speech: Speech::UNKNOWN,
            halves: Default::default(),
            answers: HashMap::new(),
            logs_in: false,
        };
        if let Some(handed) = handed.filter(|handed| handed.protocol == super::NAME.as_bytes()) {
            let subprotocol = handed.granted.first("sec-websocket-protocol");
            let extensions = handed.granted.all("sec-websocket-extensions");
            let [of_client, of_server] = Deflate::agreed(extensions);
            let [a, b] = &mut connection.halves;
            (a.deflate, b.deflate) = match client {
                Side::A => (of_client, of_server),
                Side::B => (of_server, of_client),
            };
            connection.path = handed.resource.clone().into();
            connection.subprotocol = subprotocol.unwrap_or_default().into();
            connection.speech = Speech::of(subprotocol);
        }
        connection
    }

    pub(super) fn parse(
        &mut self,
        from: Side,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        if let Some(frame) = self.half(from).frame {
            return Ok(self.payload(from, frame, input, Within::Parse, means, out));
        }
        let header = match Header::read(input) {
            Ok(header) => header,
            Err(stop) => {
                if matches!(stop, Stop::Bad(_)) {
                    self.break_off(from, out);
                }
                return stop.step();
            }
        };
        if header.opcode.is_control() {
            return Ok(self.control(from, &header, input, &means.settings, out));
        }
        // What a message says decides what it is, so that all of it is needed, if it is short.
        let begins = header.opcode != Opcode::Continuation;
        // The other side may have shown that there is nothing to learn while the rest was awaited:
        // whether it is asked sooner must make no difference.
        let looks = header.opcode == Opcode::Text
            && (self.half(from).scan.is_begun() || !matches!(self.speech, Speech::Plain))
            && (!header.compressed || self.half(from).deflate.is_ready());
        if begins && looks {
            let half = self.half_mut(from);
            let mut scan = std::mem::take(&mut half.scan);
            match scan.look(input, &mut means.content) {
                Look::Short(more) => {
                    half.scan = scan;
                    return Ok(Step::Incomplete(more));
                }
                Look::Whole => return Ok(self.read(from, &header, input, means, out)),
                Look::TooLong => {}
            }
        }
        Ok(self.begin(from, &header, input, Within::Parse, means, out))
    }

    /// Opens a message whose content is at hand, and takes the header of its first frame.
    fn read(
        &mut self,
        from: Side,
        header: &Header,
        input: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Step {
        let mut content = std::mem::take(&mut means.content);
        let (mut flaw, mut over) = (None, false);
        if header.compressed {
            let mut inflated = std::mem::take(&mut means.inflated);
            inflated.clear();
            let half = self.half_mut(from);
            let state = half.deflate.message(&content, &means.room, &mut |piece| {
                let room = CONTENT.saturating_sub(inflated.len());
                over |= piece.len() > room;
                inflated.extend_from_slice(piece.get(..room).unwrap_or(piece));
            });
            flaw = state.flaw();
            std::mem::swap(&mut content, &mut inflated);
            means.inflated = inflated;
        }
        let is_client = from == self.client;
        let all = match flaw.is_some() || over {
            true => {
                self.speech = self.speech.passed();
                SmallVec::new()
            }
            false => said::read(&mut self.speech, is_client, &content, &mut || {
                out.lost("websocket_calls_over_limit");
            }),
        };
        let end = header_and_payload(header, input);
        self.drop_unfinished(from, out);
        // Of a batch, all but the last are messages that are over at once.
        let mut opened: Option<Opened> = None;
        for said in &all {
            let said = self.open_said(from, said, 0..end, means, out);
            if let Some(Opened { key, part_of: None, .. }) = opened.replace(said) {
                out.close(key, end);
            }
        }
        let opened = opened
            .unwrap_or_else(|| Opened::plain(self.open_plain(header.opcode, 0..end, false, out)));
        drop(all);
        let key = opened.key;
        let mut data = self.data(key, opened.part_of.is_none(), header, means, out);
        (data.answers, data.is_apart) = (opened.answers, opened.is_apart);
        (data.part_of, data.size) = (opened.part_of, opened.size);
        // Its content is here; what follows is of use only to find secrets.
        let shown = content.get(..data.wanted).unwrap_or(&content);
        flaw = flaw.or_else(|| (over && data.wanted > CONTENT).then_some("capped"));
        if !shown.is_empty() {
            out.body(key, shown);
        }
        if let Some(mut ids) = data.ids.take() {
            let own = &means.settings.ids;
            ids.read(own, &content, &mut |context| out.context(key, context));
            ids.end(own, &mut |context| out.context(key, context));
        }
        if let Some(flaw) = flaw {
            text_of(out, key, "wirespan.body.inflate", flaw.as_bytes());
        }
        self.give_back(data.wanted > 0, means);
        data.wanted = 0;
        content.clear();
        means.content = content;
        let half = self.half_mut(from);
        half.data = Some(data);
        self.begin_payload(from, header, input.len(), Within::Parse, out)
    }

    /// Opens a message, or goes on with one, whose content is not looked at.
    fn begin(
        &mut self,
        from: Side,
        header: &Header,
        input: &[u8],
        within: Within,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Step {
        let begins = header.opcode != Opcode::Continuation;
        if begins {
            self.drop_unfinished(from, out);
            self.speech = self.speech.passed();
            let end = header.len.min(input.len());
            let key = self.open_plain(header.opcode, 0..end, within == Within::Gap, out);
            let mut data = self.data(key, true, header, means, out);
            let wanted = data.wanted > 0 || data.ids.is_some();
            // Later messages may refer to this one.
            let reads_ids = !means.settings.ids.fields().is_empty() && out.reads_bodies();
            let follows = self.speech != Speech::Plain || reads_ids;
            self.give_back(wanted, means);
            let half = self.half_mut(from);
            if header.compressed {
                data.inflates = half.deflate.is_ready() && (wanted || follows);
                if !data.inflates {
                    half.deflate.pass_over();
                }
                if wanted && !data.inflates {
                    text_of(out, key, "wirespan.body.inflate", b"unknown");
                    (data.wanted, data.ids) = (0, None);
                }
            }
            half.data = Some(data);
        } else if let Some(data) = &mut self.half_mut(from).data {
            data.fragments = data.fragments.saturating_add(1);
            let key = data.key;
            out.extend(key, within.end(header.len));
        } else {
            // Its beginning came before the capture, or was lost.
            out.lost("websocket_continuations_without_start");
        }
        self.begin_payload(from, header, input.len(), within, out)
    }

    /// Gives memory back that nobody needs any more.
    fn give_back(&mut self, is_wanted: bool, means: &Means) {
        if self.speech == Speech::Plain && !is_wanted && means.settings.ids.fields().is_empty() {
            for half in &mut self.halves {
                if !half.data.as_ref().is_some_and(|data| data.inflates) {
                    half.deflate.pass_over();
                }
            }
        }
    }

    /// Goes on behind the header of a frame, of which so many bytes of the input are there.
    fn begin_payload(
        &mut self,
        from: Side,
        header: &Header,
        there: usize,
        within: Within,
        out: &mut dyn Out,
    ) -> Step {
        let Header { mask, size, fin, len: used, .. } = *header;
        let half = self.half_mut(from);
        let mut is_shown = false;
        if let Some(data) = &mut half.data {
            if !data.is_apart {
                data.size = data.size.saturating_add(size);
            }
            is_shown = data.is_shown();
        }
        half.frame = Some(Frame { left: size, mask, at: 0, fin });
        let whole = usize::try_from(size).ok().and_then(|size| used.checked_add(size));
        match (NonZeroU64::new(size), whole) {
            (None, _) => {
                self.frame_end(from, used, within, out);
                step_used(used)
            }
            (_, Some(whole)) if !is_shown && whole <= there && within == Within::Parse => {
                self.frame_end(from, whole, within, out);
                step_used(whole)
            }
            (Some(_), _) if is_shown || within == Within::Gap => step_used(used),
            (Some(skip), _) => Step::Skip { used, skip },
        }
    }

    /// Takes bytes of a payload that is looked at.
    fn payload(
        &mut self,
        from: Side,
        mut frame: Frame,
        input: &[u8],
        within: Within,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> Step {
        let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
        let bytes = input.get(..left).unwrap_or(input);
        let half = self.half_mut(from);
        if let Some(data) = half.data.as_mut().filter(|data| data.is_shown()) {
            let mut plain = std::mem::take(&mut means.content);
            plain.clear();
            plain.extend_from_slice(bytes);
            if let Some(mask) = frame.mask {
                unmask(&mut plain, mask, frame.at);
            }
            match &mut data.secrets {
                Some(Secrets::Named(scanner)) => {
                    let key = data.key;
                    scanner.read(&means.settings.secrets, &plain, &mut |at| {
                        out.secret(key, at.start as u64..at.end as u64);
                    });
                }
                Some(Secrets::All) => out.secret(data.key, 0..bytes.len() as u64),
                None => {}
            }
            if data.inflates {
                let mut deflate = std::mem::take(&mut half.deflate);
                let state = deflate.part(&plain, &means.room, &mut |piece| {
                    data.content(piece, means.settings.as_ref(), out);
                });
                half.deflate = deflate;
                data.end_inflating(state, out);
            } else {
                data.content(&plain, means.settings.as_ref(), out);
            }
            plain.clear();
            means.content = plain;
        }
        frame.left -= bytes.len() as u64;
        frame.at += bytes.len() as u64;
        if let Some(data) = &half.data {
            out.extend(data.key, within.end(bytes.len()));
        }
        let is_shown = half.data.as_ref().is_some_and(Data::is_shown);
        half.frame = Some(frame);
        if frame.left == 0 {
            self.end_content(from, frame.fin, means, out);
            self.frame_end(from, bytes.len(), within, out);
        } else if !is_shown && within == Within::Parse {
            let skip = NonZeroU64::new(frame.left).unwrap_or(NonZeroU64::MIN);
            return Step::Skip { used: bytes.len(), skip };
        }
        step_used(bytes.len())
    }

    /// The last byte of a message was seen that is looked at.
    fn end_content(&mut self, from: Side, fin: bool, means: &mut Means, out: &mut dyn Out) {
        let half = self.half_mut(from);
        let Some(data) = half.data.as_mut().filter(|_| fin) else { return };
        if data.inflates {
            let mut deflate = std::mem::take(&mut half.deflate);
            let state = deflate.end(&means.room, &mut |piece| {
                data.content(piece, means.settings.as_ref(), out);
            });
            half.deflate = deflate;
            data.end_inflating(state, out);
        }
        if let Some(mut ids) = data.ids.take() {
            let key = data.key;
            ids.end(&means.settings.ids, &mut |context| out.context(key, context));
        }
    }

    /// The payload that was skipped was seen.
    pub(super) fn skipped(&mut self, from: Side, out: &mut dyn Out) {
        self.frame_end(from, 0, Within::Skip, out);
    }

    /// A frame is over just before `end`.
    fn frame_end(&mut self, from: Side, end: usize, within: Within, out: &mut dyn Out) {
        let half = self.half_mut(from);
        let Some(frame) = half.frame.take() else { return };
        let Some(data) = &half.data else { return };
        if !frame.fin {
            out.extend(data.key, within.end(end));
        } else if let Some(data) = half.data.take() {
            self.close_data(data, within.end(end), out);
        }
    }

    /// A message is over; what it is a part of goes on.
    fn close_data(&mut self, data: Data, end: usize, out: &mut dyn Out) {
        if let Some(answer) = data.part_of.and_then(|place| self.answers.get_mut(&place))
            && answer.key == data.key
        {
            answer.size = answer.size.saturating_add(data.size);
        }
        data.close(end, out);
    }

    /// A control frame, which comes whole.
    fn control(
        &mut self,
        from: Side,
        header: &Header,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Step {
        let end = header_and_payload(header, input);
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let Some(payload) = input.get(header.len..header.len.saturating_add(size)) else {
            return Step::Incomplete(missing(header.len.saturating_add(size), input));
        };
        let mut payload: smallvec::SmallVec<[u8; 128]> = payload.into();
        if let Some(mask) = header.mask {
            unmask(&mut payload, mask, 0);
        }
        match header.opcode {
            Opcode::Ping => self.ping(from, &payload, end, out),
            Opcode::Pong => self.pong(from, &payload, end, out),
            _ => self.close(from, &payload, header.len..end, settings, out),
        }
        step_used(end)
    }

    /// Section 5.5.2.
    fn ping(&mut self, from: Side, payload: &[u8], end: usize, out: &mut dyn Out) {
        let half = self.half_mut(from);
        let number = half.pinged;
        half.pinged += 1;
        if half.pings.len() >= PINGS {
            half.pings.pop_front();
        }
        half.pings.push_back((number, payload.into()));
        let pairing = Pairing::Id { by: from, id: Id::Number(number) };
        let message = Message { pairing, ..self.message(Kind::Handshake, b"PING", 0..end) };
        let key = out.open(message);
        out.close(key, end);
    }

    /// Section 5.5.3: it answers the latest ping that it repeats, or none.
    fn pong(&mut self, from: Side, payload: &[u8], end: usize, out: &mut dyn Out) {
        let asked = &mut self.half_mut(from.other()).pings;
        let place = asked.iter().rposition(|(_, sent)| **sent == *payload);
        let message = match place.and_then(|place| asked.remove(place)) {
            Some((number, _)) => {
                let pairing = Pairing::Id { by: from.other(), id: Id::Number(number) };
                let status = Status { outcome: Outcome::Ok, ..Status::default() };
                Message { pairing, status, ..self.message(Kind::Response, b"", 0..end) }
            }
            None => self.message(Kind::OneWay, b"PONG", 0..end),
        };
        let key = out.open(message);
        out.close(key, end);
    }

    /// Section 5.5.1: a code and a reason, if there is any. The payload stands at this place.
    fn close(
        &mut self,
        from: Side,
        payload: &[u8],
        place: Range<usize>,
        settings: &Settings,
        out: &mut dyn Out,
    ) {
        self.drop_unfinished(from, out);
        let key = out.open(self.message(Kind::End, b"CLOSE", 0..place.end));
        if let Some((code, reason)) = payload.split_first_chunk::<2>() {
            let value = Value::Int(i64::from(u16::from_be_bytes(*code)));
            out.add(key, Attribute { name: "wirespan.websocket.close.code", value });
            let mut room = Vec::new();
            let shown = masked(reason, &mut room, |f| settings.secrets.in_words(reason, f));
            text_of(out, key, "wirespan.websocket.close.reason", shown);
            if settings.locate_secrets {
                let start = (place.start + code.len()) as u64;
                settings.secrets.in_words(reason, &mut |range| {
                    out.secret(key, start + range.start as u64..start + range.end as u64);
                });
            }
        }
        out.close(key, place.end);
    }

    fn open_plain(&self, opcode: Opcode, bytes: Range<usize>, cut: bool, out: &mut dyn Out) -> Key {
        let operation: &[u8] = if opcode == Opcode::Text { b"TEXT" } else { b"BINARY" };
        let key = out.open(Message { cut, ..self.message(Kind::OneWay, operation, bytes) });
        text_of(out, key, "wirespan.websocket.subprotocol", &self.subprotocol);
        key
    }

    /// Opens what a message says.
    fn open_said(
        &mut self,
        from: Side,
        said: &Said<'_>,
        bytes: Range<usize>,
        means: &Means,
        out: &mut dyn Out,
    ) -> Opened {
        let (by, id) = match said.by {
            Match::Nothing => (from, None),
            Match::Own(id) => (from, Some(id)),
            Match::Others(id) => (from.other(), Some(id)),
        };
        let end = bytes.end;
        let opened = |key| Opened {
            answers: said.kind == Kind::Response,
            is_apart: said.kind == Kind::Response && matches!(said.by, Match::Own(_)),
            ..Opened::plain(key)
        };
        let place = id.filter(|_| said.kind == Kind::Response).map(xxh3_128);
        if let Some(place) = place
            && let Some(answer) = self.answers.get_mut(&place)
        {
            let key = answer.key;
            answer.results = answer.results.saturating_add(said.goes_on.into());
            out.extend(key, end);
            if said.goes_on {
                return Opened { part_of: Some(place), ..opened(key) };
            }
            let Answer { results, size, .. } = *answer;
            self.forget(place);
            results_of(out, key, results);
            out.status(key, said.status);
            return Opened { size, ..opened(key) };
        }
        let mut kind = said.kind;
        if said.by == Match::Others(said::LOGIN) {
            let logs_in = std::mem::take(&mut self.logs_in);
            // An error where nobody logs in answers nothing.
            if !logs_in && said.status.outcome != Outcome::Ok {
                kind = Kind::OneWay;
            }
        }
        self.logs_in |= kind == Kind::Handshake;
        let mut message = self.message(kind, said.operation, bytes);
        message.dialect = said.dialect;
        let mut room = Vec::new();
        let words = said.status.text;
        let secrets = &means.settings.secrets;
        let words = masked(words, &mut room, |found| secrets.in_words(words, found));
        message.status = Status { text: words, ..said.status };
        if !said.resource.is_empty() {
            message.resource = said.resource;
        }
        if let Some(id) = id.filter(|_| kind != Kind::OneWay) {
            message.pairing = Pairing::Id { by, id: Id::Bytes(id) };
        }
        let key = out.open(message);
        for (name, value) in &said.attributes {
            text_of(out, key, name, value);
        }
        if kind != said.kind {
            text_of(out, key, "wirespan.websocket.error", words);
        }
        if kind != Kind::Response {
            text_of(out, key, "wirespan.websocket.subprotocol", &self.subprotocol);
        }
        let mut contexts = Collector::new(&means.settings.ids);
        said.headers.each(&mut |name, value| contexts.header(name, value));
        contexts.finish(&mut |context| out.context(key, context));
        if let Some((role, content)) = said.record {
            let queue = said.resource;
            let digest = digest(0, content, content.len() as u64);
            out.record(key, Record { role, queue, digest, id: b"" });
        }
        if said.goes_on
            && let Some(place) = place
        {
            if self.answers.len() < ANSWERS {
                self.answers.insert(place, Answer { key, results: 1, size: 0 });
                return Opened { part_of: Some(place), ..opened(key) };
            }
            out.lost("websocket_answers_over_limit");
        }
        Opened { answers: kind == Kind::Response, ..opened(key) }
    }

    /// An answer goes on no further.
    fn forget(&mut self, place: u128) {
        self.answers.remove(&place);
        if self.answers.is_empty() {
            self.answers.shrink_to(FEW);
        }
    }

    fn message<'b>(&'b self, kind: Kind, operation: &'b [u8], bytes: Range<usize>) -> Message<'b> {
        Message {
            kind,
            dialect: Dialect::Plain,
            pairing: Pairing::OneWay,
            bytes,
            operation,
            resource: if kind == Kind::Response { b"" } else { &self.path },
            status: Status::default(),
            cut: false,
        }
    }

    fn data(
        &self,
        key: Key,
        closes: bool,
        header: &Header,
        means: &Means,
        out: &mut dyn Out,
    ) -> Data {
        let plain = header.opcode == Opcode::Text && !header.compressed;
        let secrets = means.settings.locate_secrets.then(|| match plain {
            true => Secrets::Named(Box::default()),
            false => Secrets::All,
        });
        let reads = header.opcode == Opcode::Text && out.reads_bodies();
        let ids = reads.then(|| BodyReader::new(Form::Unknown, &means.settings.ids)).flatten();
        Data {
            key,
            closes,
            answers: false,
            part_of: None,
            is_apart: false,
            wanted: out.wants(key),
            ids: ids.map(Box::new),
            secrets,
            inflates: false,
            compressed: header.compressed,
            fragments: 1,
            size: 0,
        }
    }

    /// A message that was not ended is over, since something else comes.
    fn drop_unfinished(&mut self, from: Side, out: &mut dyn Out) {
        let half = self.half_mut(from);
        half.frame = None;
        if let Some(data) = half.data.take() {
            if data.inflates {
                half.deflate.pass_over();
            }
            self.close_data(data, 0, out);
        }
    }

    /// `lost` bytes will not come, behind `head` that was not used.
    pub(super) fn gap(
        &mut self,
        from: Side,
        head: &[u8],
        lost: u64,
        means: &mut Means,
        out: &mut dyn Out,
    ) -> AfterGap {
        self.half_mut(from).scan = Scan::default();
        let mut rest = head;
        while !rest.is_empty() {
            let step = match self.half(from).frame {
                Some(frame) => self.payload(from, frame, rest, Within::Gap, means, out),
                None => match Header::read(rest) {
                    Ok(header) if !header.opcode.is_control() => {
                        self.begin(from, &header, rest, Within::Gap, means, out)
                    }
                    _ => break,
                },
            };
            let Step::Used(used) = step else { break };
            rest = rest.get(used.get()..).unwrap_or_default();
        }
        let half = self.half_mut(from);
        if lost > 0 || !rest.is_empty() {
            half.deflate.pass_over();
        }
        if let Some(data) = &mut half.data {
            // Only an unbroken prefix is of use.
            (data.wanted, data.ids, data.inflates) = (0, None, false);
            if let Some(secrets) = &mut data.secrets {
                *secrets = Secrets::All;
            }
        }
        match &mut half.frame {
            Some(frame) if rest.is_empty() && lost < frame.left => {
                frame.left -= lost;
                frame.at += lost;
                AfterGap::Continue
            }
            Some(frame) if rest.is_empty() && lost == frame.left => {
                self.frame_end(from, 0, Within::Gap, out);
                AfterGap::Continue
            }
            None if rest.is_empty() && lost == 0 => AfterGap::Continue,
            _ => {
                self.break_off(from, out);
                AfterGap::Resync
            }
        }
    }

    /// What is being read of this side cannot be gone on with.
    fn break_off(&mut self, from: Side, out: &mut dyn Out) {
        self.drop_unfinished(from, out);
        let half = self.half_mut(from);
        half.scan = Scan::default();
        half.deflate.pass_over();
    }

    /// Whether a frame surely begins here.
    pub(super) fn resume(&mut self, from: Side, input: &[u8]) -> bool {
        match Chain::follow(input) {
            Some((chain, sure)) => {
                chain.is_masked() == (from == self.client) && (sure || chain.is_likely())
            }
            None => false,
        }
    }

    pub(super) fn end(&mut self, from: Side, head: &[u8], means: &mut Means, out: &mut dyn Out) {
        if !head.is_empty() {
            self.gap(from, head, 1, means, out);
        }
        self.break_off(from, out);
        // What the server answered goes on no further, once it has ended.
        if from != self.client {
            let mut left: Vec<Answer> = self.answers.drain().map(|(_, answer)| answer).collect();
            left.sort_unstable_by_key(|answer| answer.key.0);
            for Answer { key, results, size } in left {
                results_of(out, key, results);
                size_of(out, key, RESPONSE_SIZE, size);
                out.close(key, 0);
            }
        }
    }

    fn half(&self, side: Side) -> &Half {
        let [a, b] = &self.halves;
        if side == Side::A { a } else { b }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        let [a, b] = &mut self.halves;
        if side == Side::A { a } else { b }
    }
}

/// A message that was opened, or gone on with.
struct Opened {
    key: Key,
    answers: bool,
    is_apart: bool,
    /// The answer that goes on, of which it is a part.
    part_of: Option<u128>,
    /// The payload of the parts before.
    size: u64,
}

impl Opened {
    fn plain(key: Key) -> Self {
        Self { key, answers: false, is_apart: false, part_of: None, size: 0 }
    }
}

/// In which call of the protocol something happens: offsets count only while bytes are parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Parse,
    Skip,
    Gap,
}

impl Within {
    fn end(self, end: usize) -> usize {
        match self {
            Self::Parse => end,
            Self::Skip | Self::Gap => 0,
        }
    }
}

fn results_of(out: &mut dyn Out, key: Key, results: u32) {
    let value = Value::Int(results.into());
    out.add(key, Attribute { name: "wirespan.graphql.results", value });
}

/// Where the first frame ends, as far as it is there.
fn header_and_payload(header: &Header, input: &[u8]) -> usize {
    let size = usize::try_from(header.size).unwrap_or(usize::MAX);
    header.len.saturating_add(size).min(input.len())
}

/// Bytes that are missing up to this end.
fn missing(end: usize, input: &[u8]) -> NonZeroUsize {
    NonZeroUsize::new(end.saturating_sub(input.len())).unwrap_or(NonZeroUsize::MIN)
}

fn step_used(bytes: usize) -> Step {
    NonZeroUsize::new(bytes).map_or(Step::Incomplete(NonZeroUsize::MIN), Step::Used)
}

/// Bytes of content that are read to learn what a message says.
const CONTENT: usize = 64 << 10;
/// Pings of one side that wait for their answer.
const PINGS: usize = 16;
/// Answers of a connection that go on.
const ANSWERS: usize = 1024;
/// Answers for which room is kept while there are none.
const FEW: usize = 4;
