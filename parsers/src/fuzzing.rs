//! The bodies of the fuzz targets, callable from tests, and what drives a protocol without a
//! decoder.
//!
//! In: events of one flow, from a fuzzer's bytes or from a vector file of
//! `testdata/vectors/<protocol>/`. Out: a [`Recording`] of the messages, with what broke the rules
//! of [`crate::protocol`].

mod hpack;
mod recording;
mod vector;

pub use hpack::{HeaderBlocks, blocks as header_blocks};
pub use recording::{Recorded, Recording};
pub use vector::Vector;

use crate::client_hello::{ServerName, server_name};
use crate::handed::{Fields, Handed};
use crate::inflate::{Inflated, Inflater, Room, most_of};
use crate::message::Side;
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Malformed, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::registry::protocols;
use crate::settings::Settings;
use crate::sql::{Dialect, Lexer};
use crate::trace_context::body::{BodyReader, Form};
use crate::trace_context::own::OwnIds;
use crate::trace_context::{Collector, Format, TraceContext};
use crate::unread::unread;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;

/// Feeds every protocol with bytes, gaps and ends as the fuzzer's bytes say, and checks what it
/// does with them: offsets lie in the input, and where the bytes are split changes nothing.
///
/// Each event is a control byte, a length, and so many bytes. Control bits: 0x01 the side, 0x02
/// a gap, 0x04 an end; the first byte's lowest bit chooses the transport, its next the client, the
/// next whether secrets are located, and the next whether identifiers are looked for in bodies; 0x10
/// says that the flow was handed over, and those above it as what.
///
/// # Panics
/// If a protocol breaks a rule.
pub fn protocol(data: &[u8]) {
    protocols_named(None, data);
}

/// Like [`protocol`], of only the one of this name, which a fuzzer comes further into.
///
/// # Panics
/// If it breaks a rule, or there is none of this name.
pub fn one_protocol(name: &str, data: &[u8]) {
    assert!(protocols_named(Some(name), data), "there is no protocol {name}");
}

/// Whether there are any of this name.
fn protocols_named(name: Option<&str>, data: &[u8]) -> bool {
    let mut any = false;
    let Some((choice, mut rest)) = data.split_first() else { return true };
    let transport = if choice & 1 == 0 { Transport::Tcp } else { Transport::Udp };
    let client = if choice & 2 == 0 { Side::A } else { Side::B };
    let mut events = Vec::new();
    while let [control, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let from = if control & 1 == 0 { Side::A } else { Side::B };
        events.push(match NonZeroU64::new(u64::from(*length)) {
            Some(lost) if control & 2 != 0 => Event::Gap { from, lost },
            _ if control & 4 != 0 => Event::End { from },
            _ => Event::Bytes { from, bytes: bytes.to_vec() },
        });
    }
    let ids = if choice & 8 == 0 { OwnIds::default() } else { own_ids() };
    let settings = Settings { locate_secrets: choice & 4 != 0, ids, ..Settings::default() };
    let flow = FlowInfo { handed: handed(*choice, client), ..flow(transport, 40_000, 50_000) };
    for mut protocol in protocols(&Arc::new(settings)) {
        if name.is_some_and(|name| name != protocol.name()) {
            continue;
        }
        any = true;
        if protocol.runs_over(transport) {
            check(protocol.as_mut(), &flow, client, &events);
        }
    }
    any
}

/// Reads lines of `name: value` as headers: identifiers come in the order of their formats, each
/// once, and what is told of them is what is read again from it.
///
/// # Panics
/// If one of that is not so.
pub fn identifiers(data: &[u8]) {
    let ids = own_ids();
    let mut collector = Collector::new(&ids);
    for line in data.split(|byte| *byte == b'\n') {
        let mut sides = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (sides.next(), sides.next()) else { continue };
        collector.header(name, value);
        collector.sql_pair(name, value);
        collector.query(value);
    }
    let mut last = None;
    collector.finish(&mut |context| {
        if !matches!(context.format, Format::Named(_)) {
            assert!(last < Some(context.format), "{last:?}, then {context:?}");
            last = Some(context.format);
        }
        assert!(context.trace != 0 && !context.text.is_empty(), "{context:?}");
        if context.format.is_text() {
            assert_eq!(context.format.id_of(context.text), Some(context.trace), "{context:?}");
        }
    });
}

/// Reads a body in pieces: how it is cut changes nothing. The first byte chooses its form and the
/// size of the pieces.
///
/// # Panics
/// If it does.
pub fn body(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let forms = [Form::Json, Form::Xml, Form::Form, Form::Unknown];
    let Some(form) = forms.get(usize::from(choice & 3)) else { return };
    let ids = own_ids();
    let read = |size: usize| {
        let mut found = Vec::new();
        let Some(mut reader) = BodyReader::new(*form, &ids) else { return found };
        let mut tell = |context: &TraceContext<'_>| found.push(format!("{context:?}"));
        body.chunks(size).for_each(|piece| reader.read(&ids, piece, &mut tell));
        reader.end(&ids, &mut tell);
        found
    };
    let whole = read(body.len().max(1));
    let cut = read(usize::from(choice >> 2) + 1);
    assert_eq!(cut, whole, "{}", body.escape_ascii());
}

/// Reads header blocks of HPACK, each behind its length in one byte; the first byte says how many
/// of them one decoder does not see.
///
/// # Panics
/// If it says something wrong, or does not know what it has seen.
pub fn hpack(data: &[u8]) {
    let Some((unseen, mut rest)) = data.split_first() else { return };
    let mut blocks = Vec::new();
    while let [length, after @ ..] = rest {
        let (block, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        blocks.push(block);
    }
    let unseen = usize::from(*unseen & 0xf);
    header_blocks(&blocks, std::slice::from_ref(&(unseen..usize::MAX)));
}

/// Takes codings off a body, whole and in pieces: the same comes out of both. The first byte chooses
/// the codings, and the second one the size of the pieces.
///
/// # Panics
/// If it does not, or if memory is not given back.
pub fn inflate(data: &[u8]) {
    let [choice, size, body @ ..] = data else { return };
    let codings = ["gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate", "br, zstd"];
    let Some(coding) = codings.get(usize::from(*choice) % codings.len()) else { return };
    let room = Room::default();
    let read = |size: usize| {
        let mut content = Vec::new();
        let mut inflater = Inflater::of(coding.as_bytes()).map(|inflater| inflater.within(&room));
        let mut state = Inflated::Going;
        for piece in body.chunks(size) {
            let Some(inflater) = &mut inflater else { break };
            state = inflater.push(piece, &mut |bytes| content.extend_from_slice(bytes));
            assert_eq!((state, content.len() as u64), (inflater.state(), inflater.given()));
        }
        (content, state)
    };
    let (whole, all) = read(body.len().max(1));
    let (pieces, last) = read(usize::from(*size) + 1);
    let shown = body.escape_ascii();
    assert_eq!(room.taken(), 0, "{coding}: {shown}");
    assert!(whole.len() as u64 <= most_of(body.len() as u64), "{coding}: {shown}");
    match (all, last) {
        (Inflated::Going | Inflated::Whole, _) => {
            let lengths = (whole.len(), all, pieces.len(), last);
            assert!(whole == pieces && all == last, "{coding}: {lengths:?} of {shown}");
        }
        // How much came before that was seen depends on what came with it. And libzstd checks the
        // size of the content of a frame that has none only where it sees the frame whole.
        _ => {
            let same = matches!(last, Inflated::Failed | Inflated::Capped);
            assert!(same || coding.contains("zstd"), "{coding}: {shown}");
            assert!(whole.starts_with(&pieces) || pieces.starts_with(&whole), "{coding}: {shown}");
        }
    }
}

/// What a flow was begun with, as the first byte says.
fn handed(choice: u8, client: Side) -> Option<Arc<Handed>> {
    let subprotocol: &[u8] = match choice >> 5 {
        0 | 1 => b"",
        2 => b"graphql-ws",
        3 => b"v12.stomp",
        _ => b"jsonrpc",
    };
    let granted = [
        (&b"sec-websocket-protocol"[..], subprotocol),
        (b"sec-websocket-extensions", b"permessage-deflate"),
    ];
    let protocol: &[u8] = if choice >> 5 == 7 { b"h2c" } else { b"websocket" };
    let handed = Handed {
        by: "http",
        client: Some(client),
        protocol: protocol.to_vec(),
        granted: Fields::of(granted.into_iter()),
        ..Handed::default()
    };
    (choice & 0x10 != 0).then(|| Arc::new(handed))
}

/// Identifiers of a user's, in places of every kind.
fn own_ids() -> OwnIds {
    let mut ids = OwnIds::default();
    let places =
        ["json:$.a[1].id", "json:$.id", "xml:/a/b", "xml:/a/@id", "form:id", "query:id", "sql:id"];
    let named = places.iter().all(|place| ids.add_field(place).is_ok());
    let headers = ["id=x-id", "x-old:b3"].iter().all(|words| ids.add_header(words).is_ok());
    assert!(named && headers, "the places are right");
    ids
}

/// Shows every probe ever more of the fuzzer's bytes: what cannot be a protocol stays so, and what
/// surely is one stays so.
///
/// # Panics
/// If a probe goes back on its word.
pub fn detection(data: &[u8]) {
    let flow = flow(Transport::Tcp, 40_000, 50_000);
    for mut protocol in protocols(&Arc::default()) {
        if !protocol.runs_over(Transport::Tcp) {
            continue;
        }
        let mut last = Probe::Unsure { client: Side::A };
        for end in 1..=data.len() {
            let (head, _) = data.split_at(end);
            let probe = protocol.probe(&flow, Side::A, head);
            let decided = !matches!(last, Probe::Unsure { .. });
            assert!(
                !decided || probe == last,
                "{}: {last:?}, then {probe:?} at {end} of {}",
                protocol.name(),
                data.escape_ascii()
            );
            last = probe;
        }
    }
    for transport in [Transport::Tcp, Transport::Udp] {
        unread(transport, Side::A, data);
    }
    // What a shorter start told of a name stays, whatever follows.
    let mut last = Some(ServerName::Incomplete(0));
    for end in 0..=data.len() {
        let (head, _) = data.split_at(end);
        let found = server_name(head);
        assert!(
            matches!(last, Some(ServerName::Incomplete(_))) || found == last,
            "{last:?}, then {found:?} at {end} of {}",
            data.escape_ascii()
        );
        last = found;
    }
}

/// Reads a statement whole and in pieces: text, names, and the places of literals are the same, and
/// nothing of what was told as a literal is left.
///
/// The first byte chooses the dialect and how long the pieces are.
///
/// # Panics
/// If the pieces say something else than the whole, or a literal is shown.
pub fn sql(data: &[u8]) {
    let Some((choice, sql)) = data.split_first() else { return };
    let dialect = if choice & 1 == 0 { Dialect::MySql } else { Dialect::PostgreSql };
    let settings = Settings { locate_secrets: true, ..Settings::default() };
    let mut lexer = Lexer::new(dialect, &Arc::new(settings));
    let mut read = |length: usize| {
        let mut literals = vec![false; sql.len()];
        lexer.restart();
        for (index, piece) in sql.chunks(length).enumerate() {
            let start = index * length;
            lexer.read(piece, &mut |range| {
                assert!(!range.is_empty() && range.end <= piece.len(), "{range:?}");
                let told = literals.get_mut(start + range.start..start + range.end);
                told.into_iter().flatten().for_each(|place| *place = true);
            });
        }
        lexer.end();
        (lexer.statement().clone(), literals)
    };
    let (whole, literals) = read(sql.len().max(1));
    let (pieces, in_pieces) = read(usize::from(choice >> 1) + 1);
    let shown = sql.escape_ascii();
    assert_eq!(whole, pieces, "{shown}");
    assert_eq!(literals, in_pieces, "{shown}");
    // A quote that is left belongs to a quoted name.
    let named = whole.text().iter().any(|byte| matches!(byte, b'"' | b'`'));
    assert!(named || !whole.text().contains(&b'\''), "{shown}");
}

/// Runs the events through a protocol in several splits and checks what it does.
///
/// # Panics
/// If the protocol breaks a rule.
pub fn check(protocol: &mut dyn Protocol, flow: &FlowInfo, client: Side, events: &[Event]) {
    for event in events {
        if let Event::Bytes { from, bytes } = event
            && !bytes.is_empty()
        {
            protocol.probe(flow, *from, bytes);
        }
    }
    check_recording(&Recording::default(), protocol, flow, client, events);
    check_recording(&Recording::with_details(), protocol, flow, client, events);
}

fn check_recording(
    empty: &Recording,
    protocol: &mut dyn Protocol,
    flow: &FlowInfo,
    client: Side,
    events: &[Event],
) {
    let name = protocol.name().to_owned();
    let mut drive = |split| record(empty.clone(), protocol, flow, client, events, split);
    let whole = drive(Split::Whole);
    assert_eq!(whole.broken, Vec::<String>::new(), "{name} on {events:?}");
    if flow.transport == Transport::Udp {
        return;
    }
    for split in [Split::Bytes, Split::Patient] {
        let other = drive(split);
        assert_eq!(other.broken, Vec::<String>::new(), "{name} on {events:?}");
        let lossless = events.iter().all(|event| matches!(event, Event::Bytes { .. }));
        // Who is asked later also says later that bytes are malformed.
        let comparable = split == Split::Bytes || whole.malformed.is_empty();
        if lossless && comparable {
            assert_eq!(whole.settled(), other.settled(), "{name} on {events:?}");
        }
    }
}

/// A flow between two ports of the loopback, of which side A has the first.
#[must_use]
pub fn flow(transport: Transport, a: u16, b: u16) -> FlowInfo {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    FlowInfo { transport, addresses: [address(a), address(b)], opener: None, handed: None }
}

/// What one side of a flow does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It sends bytes: a part of a stream, or one datagram.
    Bytes {
        /// The sender.
        from: Side,
        /// What it sends.
        bytes: Vec<u8>,
    },
    /// Bytes that it sent were not captured.
    Gap {
        /// The sender.
        from: Side,
        /// How many.
        lost: NonZeroU64,
    },
    /// It sends nothing more.
    End {
        /// The sender.
        from: Side,
    },
}

/// In which pieces a protocol gets the bytes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// In one.
    Whole,
    /// One by one, each shown at once.
    Bytes,
    /// One by one, and shown no sooner than [`Step::Incomplete`] asks for.
    Patient,
    /// In two, cut after so many bytes.
    At(usize),
}

/// Drives a protocol over one flow as a decoder would.
pub fn drive(
    protocol: &mut dyn Protocol,
    flow: &FlowInfo,
    client: Side,
    events: &[Event],
    split: Split,
) -> Recording {
    record(Recording::default(), protocol, flow, client, events, split)
}

/// Like [`drive`], on from what is recorded or asked for already.
pub(crate) fn record(
    recording: Recording,
    protocol: &mut dyn Protocol,
    flow: &FlowInfo,
    client: Side,
    events: &[Event],
    split: Split,
) -> Recording {
    let conn = protocol.open(flow, client);
    let mut driver = Driver {
        protocol,
        conn,
        transport: flow.transport,
        patient: split == Split::Patient,
        lanes: [Lane::default(), Lane::default()],
        recording,
    };
    for (at, event) in (0..).map(Timestamp).zip(events) {
        match event {
            Event::Gap { from, lost } => driver.gap(*from, at, *lost),
            Event::End { from } => driver.end(*from),
            Event::Bytes { from, bytes } if flow.transport == Transport::Udp => {
                driver.datagram(*from, at, bytes);
            }
            Event::Bytes { from, bytes } => match split {
                Split::Whole => driver.bytes(*from, at, bytes),
                Split::Bytes | Split::Patient => {
                    bytes.chunks(1).for_each(|byte| driver.bytes(*from, at, byte));
                }
                Split::At(place) => {
                    let (head, tail) = bytes.split_at(place.min(bytes.len()));
                    driver.bytes(*from, at, head);
                    driver.bytes(*from, at, tail);
                }
            },
        }
    }
    driver.protocol.forget(conn);
    driver.recording
}

/// Plays the decoder's part for one flow.
struct Driver<'p> {
    protocol: &'p mut dyn Protocol,
    conn: Conn,
    transport: Transport,
    patient: bool,
    lanes: [Lane; 2],
    recording: Recording,
}

/// What the driver knows of one side.
#[derive(Default)]
struct Lane {
    unused: Vec<u8>,
    /// The offset of the first unused byte.
    offset: u64,
    skip: u64,
    /// So many bytes must be there before it is asked again.
    awaited: usize,
    resyncing: bool,
    stopped: bool,
}

impl Driver<'_> {
    fn bytes(&mut self, from: Side, at: Timestamp, bytes: &[u8]) {
        let lane = lane_of(&mut self.lanes, from);
        if lane.stopped || bytes.is_empty() || self.recording.became.is_some() {
            return;
        }
        let mut bytes = bytes;
        if lane.resyncing {
            let place = self.protocol.find(self.conn, from, bytes);
            let (passed, rest) = bytes.split_at(place.unwrap_or(bytes.len()));
            lane.offset += passed.len() as u64;
            if rest.is_empty() {
                return;
            }
            (lane.resyncing, bytes) = (false, rest);
        }
        lane.unused.extend_from_slice(bytes);
        loop {
            let lane = lane_of(&mut self.lanes, from);
            if lane.skip > 0 {
                let skipped =
                    lane.unused.len().min(usize::try_from(lane.skip).unwrap_or(usize::MAX));
                lane.take(skipped);
                if lane.skip != u64::MAX {
                    lane.skip -= skipped as u64;
                }
                if lane.skip > 0 {
                    return;
                }
                self.recording.call(from, lane.offset, 0, Some(lane.offset));
                self.protocol.skipped(self.conn, from, at, &mut self.recording);
            }
            let lane = lane_of(&mut self.lanes, from);
            if lane.unused.is_empty() || (self.patient && lane.unused.len() < lane.awaited) {
                return;
            }
            let length = lane.unused.len();
            self.recording.call(from, lane.offset, length, None);
            let step = self.protocol.parse(self.conn, from, at, &lane.unused, &mut self.recording);
            match step {
                Ok(Step::Used(used)) => self.take(from, used.get()),
                Ok(Step::Skip { used, skip }) => {
                    self.take(from, used);
                    lane_of(&mut self.lanes, from).skip = skip.get();
                }
                Ok(Step::Incomplete(more)) => {
                    lane.awaited = length.saturating_add(more.get());
                    return;
                }
                Ok(Step::Become { used, next }) => {
                    self.take(from, used);
                    self.recording.became = Some(format!("{next:?}"));
                    return;
                }
                Err(Malformed(field)) => {
                    self.recording.note_malformed(field);
                    let lane = lane_of(&mut self.lanes, from);
                    lane.take(length);
                    lane.resyncing = true;
                    return;
                }
            }
        }
    }

    fn datagram(&mut self, from: Side, at: Timestamp, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let lane = lane_of(&mut self.lanes, from);
        self.recording.call(from, lane.offset, bytes.len(), None);
        match self.protocol.parse(self.conn, from, at, bytes, &mut self.recording) {
            Ok(Step::Used(used)) if used.get() == bytes.len() => {}
            Err(Malformed(field)) => self.recording.malformed.push(field),
            Ok(step) => self.recording.broken.push(format!("{step:?} for a datagram")),
        }
        lane.offset += bytes.len() as u64;
    }

    fn gap(&mut self, from: Side, at: Timestamp, lost: NonZeroU64) {
        let lane = lane_of(&mut self.lanes, from);
        if lane.stopped || self.transport == Transport::Udp || self.recording.became.is_some() {
            return;
        }
        let mut lost = lost.get();
        if lane.skip > 0 {
            let skipped = lost.min(lane.skip);
            lane.offset += skipped;
            if lane.skip != u64::MAX {
                lane.skip -= skipped;
            }
            lost -= skipped;
            if lane.skip == 0 {
                self.recording.call(from, lane.offset, 0, Some(lane.offset));
                self.protocol.skipped(self.conn, from, at, &mut self.recording);
            }
        }
        let Some(lost) = NonZeroU64::new(lost) else { return };
        let head = std::mem::take(&mut lane.unused);
        let seen = lane.offset + head.len() as u64;
        self.recording.call(from, lane.offset, head.len(), Some(seen));
        lane.offset = seen + lost.get();
        lane.awaited = 0;
        match self.protocol.gap(self.conn, from, &head, lost.get(), &mut self.recording) {
            AfterGap::Resync => lane.resyncing = true,
            AfterGap::Continue | AfterGap::Beginning => {}
            AfterGap::Stop => lane.stopped = true,
        }
    }

    fn end(&mut self, from: Side) {
        let lane = lane_of(&mut self.lanes, from);
        if lane.stopped || self.recording.became.is_some() {
            return;
        }
        lane.stopped = true;
        let head = std::mem::take(&mut lane.unused);
        let seen = lane.offset + head.len() as u64;
        self.recording.call(from, lane.offset, head.len(), Some(seen));
        self.protocol.end(self.conn, from, &head, &mut self.recording);
    }

    fn take(&mut self, from: Side, used: usize) {
        let lane = lane_of(&mut self.lanes, from);
        if used > lane.unused.len() {
            self.recording.broken.push(format!("{used} of {} bytes used", lane.unused.len()));
        }
        lane.take(used);
    }
}

impl Lane {
    fn take(&mut self, used: usize) {
        let used = used.min(self.unused.len());
        self.unused.drain(..used);
        self.offset += used as u64;
        self.awaited = 0;
    }
}

fn lane_of(lanes: &mut [Lane; 2], side: Side) -> &mut Lane {
    let [a, b] = lanes;
    match side {
        Side::A => a,
        Side::B => b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_any_byte_changed_are_read_or_not() {
        let whole = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\
            tracestate: dd=s:1;p:00000000000000ff\n\
            b3: 64fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90\n\
            uber-trace-id: a%3Ab:0:1\n\
            X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8\n\
            X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1\n\
            grpc-trace-bin: AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcYAgE\n\
            newrelic: {\"d\":{\"id\":\"27856f70d3d314b7\",\"tr\":\"3221bf09aa0bcf0d\",\"sa\":true}}\n\
            X-INSTANA-T: 1\n\
            sw8: 1-N2E=-N2I=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=\n\
            sw3: 1.2|3|1|1|#a|#b|#c|1.4|1\n\
            Pinpoint-TraceID: a^1^2\nPinpoint-SpanID: -2\n\
            X-CAT-ROOT-MESSAGE-ID: web-0a010203-450000-1\n\
            SOFA-TraceId: 0ad1348f1403169275002100356696\nSOFA-RpcId: 0.1\n\
            X-Tingyun: c=1|x;x=fa6e\nRequest-Id: |a.1.ff_1.\n\
            X-Trace-Id: 0af76519-16cd-43dd-8448-eb211c80319c\nX-Request-ID: r";
        for at in 0..whole.len() {
            for byte in [0, b'0', b'-', b'=', b'|', b'.', b'\n', 0xff] {
                let mut bytes = whole.as_bytes().to_vec();
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
                identifiers(&bytes);
            }
            identifiers(whole.get(at..).unwrap_or_default().as_bytes());
        }
    }

    #[test]
    fn bodies_with_any_byte_changed_are_read_or_not() {
        for (choice, whole) in [
            (0, r#"{"a":[0,{"id":"x\u00e9","b":[1]}],"c":{"id":true},"id":-12}"#),
            (
                1,
                "<?x?><!DOCTYPE a [<!ENTITY b 'c'>]><a id='1'><b c=\"&lt;\">2<![CDATA[]]]></b></a>",
            ),
            (2, "a=1&id=%41+b&i%64=c"),
            (3, " {\"id\":1}\n{\"id\":2}"),
        ] {
            for at in 0..whole.len() {
                for byte in [0, b'"', b'<', b'>', b'{', b']', b'&', b'/', b'%', 0xff] {
                    let mut bytes = vec![choice];
                    bytes.extend_from_slice(whole.as_bytes());
                    if let Some(place) = bytes.get_mut(at + 1) {
                        *place = byte;
                    }
                    body(&bytes);
                }
            }
        }
    }
}
