//! DNS over UDP and TCP: datagrams or length-prefixed messages in, queries and responses out.
//!
//! <https://www.rfc-editor.org/rfc/rfc1035>, EDNS <https://www.rfc-editor.org/rfc/rfc6891>. Which
//! side asks is said by each message, since servers forward out of port 53. `dns.answers` has the
//! records of the answer section as in a zone file, joined by commas: addresses bare, names with
//! their last dot, text in quotes, so that an entry that reads as an address is one.
//! mDNS, LLMNR and NetBIOS names look alike but are other protocols, and are left out.

use crate::message::{Attribute, Id, Kind, Message, Outcome, Pairing, Side, Status, Value};
use crate::protocol::{
    AfterGap, Conn, FlowInfo, Key, Malformed, Out, Probe, Protocol, Step, Timestamp, Transport,
};
use crate::reader::Reader;
use slab::Slab;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU64, NonZeroUsize};
use xxhash_rust::xxh3::xxh3_64;

/// Makes one shard's instance.
#[must_use]
pub fn protocol() -> Box<dyn Protocol> {
    Box::new(Dns::default())
}

#[derive(Default)]
struct Dns {
    connections: Slab<Connection>,
    /// Buffers of the last message's question name and answers.
    name: Vec<u8>,
    answers: Vec<u8>,
}

impl Protocol for Dns {
    fn name(&self) -> &str {
        "dns"
    }

    fn port(&self, port: u16) -> bool {
        port == 53
    }

    fn runs_over(&self, transport: Transport) -> bool {
        matches!(transport, Transport::Tcp | Transport::Udp)
    }

    fn probe(&mut self, flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        let ports = [flow.port(Side::A), flow.port(Side::B)];
        if !ports.contains(&53) && ports.iter().any(|port| LOOKALIKE_PORTS.contains(port)) {
            return Probe::No;
        }
        let (message, length) = match (flow.transport, Reader::new(head).u16_be()) {
            (Transport::Udp, _) => (head, head.len()),
            (Transport::Tcp, None) => return Probe::Unsure { client: from },
            (Transport::Tcp, Some(length)) => {
                let (length, rest) = (usize::from(length), head.get(2..).unwrap_or_default());
                (rest.get(..length).unwrap_or(rest), length)
            }
        };
        if length < HEADER_LENGTH {
            return Probe::No;
        }
        let Some(header) = Header::read(&mut Reader::new(message)) else {
            return Probe::Unsure { client: from };
        };
        let client = if header.is_response() { from.other() } else { from };
        match fit(message, &header, length) {
            Fit::Exact => Probe::Certain { client },
            Fit::Loose => Probe::Unsure { client },
            Fit::Odd if ports.contains(&53) => Probe::Unsure { client },
            Fit::Odd | Fit::No => Probe::No,
        }
    }

    fn open(&mut self, flow: &FlowInfo, _client: Side) -> Conn {
        let place = self.connections.insert(Connection {
            transport: flow.transport,
            asked: SmallVec::new(),
            transfers: [None, None],
        });
        Conn(u32::try_from(place).unwrap_or(u32::MAX))
    }

    fn parse(
        &mut self,
        conn: Conn,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        let Some(connection) = self.connections.get_mut(conn.0 as usize) else {
            return Err(Malformed("connection"));
        };
        let message = match connection.transport {
            Transport::Udp => input,
            // RFC 1035, 4.2.2: "The message is prefixed with a two byte length field".
            Transport::Tcp => {
                let mut reader = Reader::new(input);
                let Some(length) = reader.u16_be().map(usize::from) else {
                    return Ok(Step::Incomplete(NonZeroUsize::MIN));
                };
                if length < HEADER_LENGTH {
                    return Err(Malformed("message length"));
                }
                let Some(message) = reader.take(length) else {
                    let more = length.saturating_sub(reader.rest().len());
                    return Ok(Step::Incomplete(
                        NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN),
                    ));
                };
                message
            }
        };
        let end = match connection.transport {
            Transport::Udp => input.len(),
            Transport::Tcp => message.len() + 2,
        };
        let decoded = match Decoded::read(message, &mut self.name, &mut self.answers) {
            // A stream's next length would be no more to be trusted.
            Err(malformed) if connection.transport == Transport::Tcp => return Err(malformed),
            Err(Malformed(field)) => match Header::read(&mut Reader::new(message)) {
                Some(header) => Decoded::of_header(header, field),
                None => return Err(Malformed(field)),
            },
            Ok(decoded) => decoded,
        };
        if decoded.header.is_response() {
            connection.write_response(&decoded, from, end, out);
        } else {
            connection.write_query(&decoded, from, end, out);
        }
        Ok(Step::Used(NonZeroUsize::new(end).unwrap_or(NonZeroUsize::MIN)))
    }

    fn skipped(&mut self, _conn: Conn, _from: Side, _at: Timestamp, _out: &mut dyn Out) {
        // Nothing is skipped.
    }

    fn gap(
        &mut self,
        conn: Conn,
        from: Side,
        _head: &[u8],
        _lost: NonZeroU64,
        out: &mut dyn Out,
    ) -> AfterGap {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, out);
        }
        AfterGap::Resync
    }

    fn resume(&mut self, conn: Conn, _from: Side, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get(conn.0 as usize) else { return false };
        let mut reader = Reader::new(input);
        let message = match connection.transport {
            Transport::Udp => input,
            Transport::Tcp => {
                let Some(length) = reader.u16_be().map(usize::from) else { return false };
                let rest = reader.rest();
                rest.get(..length).unwrap_or(rest)
            }
        };
        let Some(header) = Header::read(&mut Reader::new(message)) else { return false };
        fit(message, &header, message.len()) == Fit::Exact
    }

    fn end(&mut self, conn: Conn, from: Side, _head: &[u8], out: &mut dyn Out) {
        if let Some(connection) = self.connections.get_mut(conn.0 as usize) {
            connection.abandon(from, out);
        }
    }

    fn forget(&mut self, conn: Conn) {
        self.connections.try_remove(conn.0 as usize);
    }
}

struct Connection {
    transport: Transport,
    /// The last queries, for responses that do not repeat their question.
    asked: SmallVec<[Asked; 2]>,
    /// The zone that a side is sending in several messages.
    transfers: [Option<Transfer>; 2],
}

struct Asked {
    by: Side,
    id: u16,
    number: u64,
    transfer: bool,
}

struct Transfer {
    id: u16,
    key: Key,
}

impl Connection {
    fn write_query(&mut self, query: &Decoded<'_>, from: Side, end: usize, out: &mut dyn Out) {
        let id = query.header.id;
        let number = query.number().unwrap_or_else(|| numbered(id, 0));
        if self.asked.len() >= ASKED_LIMIT {
            self.asked.remove(0);
        }
        let transfer = self.transport == Transport::Tcp
            && query.question.is_some_and(|kind| matches!(kind, AXFR | IXFR));
        self.asked.push(Asked { by: from, id, number, transfer });
        let key = out.open(Message {
            kind: Kind::Request,
            pairing: Pairing::Id { by: from, id: Id::Number(number) },
            bytes: 0..end,
            operation: &query.operation(),
            resource: query.name,
            status: Status::default(),
            cut: false,
        });
        if query.question.is_some() {
            let value = Value::Text(query.name);
            out.add(key, Attribute { name: "dns.question.name", value });
        }
        query.write_flaw(key, out);
        out.close(key, end);
    }

    fn write_response(
        &mut self,
        response: &Decoded<'_>,
        from: Side,
        end: usize,
        out: &mut dyn Out,
    ) {
        let id = response.header.id;
        let is_last = response.records.last_answer == SOA || response.rcode() != 0;
        let transfer = match from {
            Side::A => &mut self.transfers[0],
            Side::B => &mut self.transfers[1],
        };
        if let Some(open) = transfer.take_if(|transfer| transfer.id == id) {
            if is_last {
                out.close(open.key, end);
            } else {
                out.extend(open.key, end);
                *transfer = Some(open);
            }
            return;
        }
        let stated = response.number();
        let find = |number: Option<u64>| {
            self.asked.iter().rposition(|asked| {
                asked.by != from && asked.id == id && number.is_none_or(|n| n == asked.number)
            })
        };
        // Some answer with no question, or with another one.
        let asked = find(stated).or_else(|| find(None)).map(|place| self.asked.remove(place));
        let number =
            asked.as_ref().map(|asked| asked.number).or(stated).unwrap_or_else(|| numbered(id, 0));
        let code = response.rcode();
        let key = out.open(Message {
            kind: Kind::Response,
            pairing: Pairing::Id { by: from.other(), id: Id::Number(number) },
            bytes: 0..end,
            operation: &response.operation(),
            resource: response.name,
            status: Status {
                outcome: match code {
                    0 => Outcome::Ok,
                    SERVFAIL | NOTIMP => Outcome::ServerError,
                    _ => Outcome::ClientError,
                },
                code: u32::from(code),
                text: &named(RCODES, code, "RCODE"),
            },
            cut: false,
        });
        if !response.answers.is_empty() {
            let value = Value::Text(response.answers);
            out.add(key, Attribute { name: "dns.answers", value });
        }
        response.write_flaw(key, out);
        if stated.is_some_and(|stated| stated != number) {
            let value = Value::Text(b"answers another question");
            out.add(key, Attribute { name: FLAW, value });
        }
        if response.header.flags & flag::TC != 0 {
            out.add(key, Attribute { name: "dns.truncated", value: Value::Int(1) });
        }
        // RFC 5936, 2.2: the first message begins with the zone's SOA, and the last ends with it.
        let goes_on = asked.is_some_and(|asked| asked.transfer)
            && (!is_last || (response.header.answers == 1 && response.question == Some(AXFR)))
            && code == 0;
        if goes_on {
            if let Some(old) = transfer.replace(Transfer { id, key }) {
                out.close(old.key, 0);
            }
            out.extend(key, end);
        } else {
            out.close(key, end);
        }
    }

    /// Gives up what one side has begun.
    fn abandon(&mut self, from: Side, out: &mut dyn Out) {
        let transfer = match from {
            Side::A => &mut self.transfers[0],
            Side::B => &mut self.transfers[1],
        };
        if let Some(transfer) = transfer.take() {
            out.lost("dns zone transfers cut");
            out.close(transfer.key, 0);
        }
    }
}

/// What is used of one message.
struct Decoded<'b> {
    header: Header,
    /// The type that the question asks for.
    question: Option<u16>,
    name: &'b [u8],
    answers: &'b [u8],
    records: Records,
    /// The field that could not be read.
    flaw: Option<&'static str>,
}

impl<'b> Decoded<'b> {
    /// Reads all that can be read: records up to the first broken one.
    fn read(
        message: &[u8],
        name: &'b mut Vec<u8>,
        answers: &'b mut Vec<u8>,
    ) -> Result<Self, Malformed> {
        name.clear();
        answers.clear();
        let mut reader = Reader::new(message);
        let header = Header::read(&mut reader).ok_or(Malformed("header"))?;
        let question = match header.questions {
            0 => None,
            _ => {
                read_name(message, &mut reader, name).ok_or(Malformed("question name"))?;
                let kind = reader.u16_be().ok_or(Malformed("question type"))?;
                reader.u16_be().ok_or(Malformed("question class"))?;
                Some(kind)
            }
        };
        let records = if header.questions <= 1 {
            Records::read(message, &mut reader, &header, answers)
        } else {
            // RFC 9619: more than one question is not answered by anybody.
            Records::default()
        };
        Ok(Self { header, question, name, answers, records, flaw: None })
    }

    /// A message whose `field` cannot be read, nor what follows it.
    fn of_header(header: Header, field: &'static str) -> Self {
        Self {
            header,
            question: None,
            name: b"",
            answers: b"",
            records: Records::default(),
            flaw: Some(field),
        }
    }

    fn write_flaw(&self, key: Key, out: &mut dyn Out) {
        if let Some(field) = self.flaw {
            out.add(key, Attribute { name: FLAW, value: Value::Text(field.as_bytes()) });
        }
    }

    /// What pairs this message: its id, and its question so that equal ids do not mix.
    fn number(&self) -> Option<u64> {
        let mut question: SmallVec<[u8; 64]> = SmallVec::from_slice(self.name);
        question.make_ascii_lowercase();
        question.extend_from_slice(&self.question?.to_be_bytes());
        Some(numbered(self.header.id, xxh3_64(&question)))
    }

    fn operation(&self) -> Cow<'static, [u8]> {
        match (self.header.opcode(), self.question) {
            (QUERY, Some(kind)) => named(TYPES, kind, "TYPE"),
            (opcode, _) => named(OPCODES, opcode, "OPCODE"),
        }
    }

    /// RFC 6891, 6.1.3: EDNS has the upper 8 of 12 bits.
    fn rcode(&self) -> u16 {
        self.records.extended_rcode << 4 | self.header.flags & flag::RCODE
    }
}

/// RFC 1035, 4.1.1.
struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.u16_be()?,
            flags: reader.u16_be()?,
            questions: reader.u16_be()?,
            answers: reader.u16_be()?,
            authorities: reader.u16_be()?,
            additionals: reader.u16_be()?,
        })
    }

    fn is_response(&self) -> bool {
        self.flags & flag::QR != 0
    }

    fn opcode(&self) -> u16 {
        (self.flags & flag::OPCODE) >> 11
    }
}

/// What the sections after the question say.
#[derive(Default)]
struct Records {
    /// The type of the last answer that could be read.
    last_answer: u16,
    extended_rcode: u16,
    /// Whether all could be read, and nothing follows them.
    complete: bool,
}

impl Records {
    fn read(
        message: &[u8],
        reader: &mut Reader<'_>,
        header: &Header,
        answers: &mut Vec<u8>,
    ) -> Self {
        let mut records = Self::default();
        let listed = header.opcode() == QUERY;
        for place in 0..header.answers {
            let Some(record) = Record::read(message, reader) else { return records };
            records.last_answer = record.kind;
            if listed && place < ANSWER_LIMIT && answers.len() < ANSWER_TEXT_LIMIT {
                if !answers.is_empty() {
                    answers.push(b',');
                }
                let start = answers.len();
                if record.write(message, answers).is_none() {
                    answers.truncate(start);
                    answers.extend_from_slice(&named(TYPES, record.kind, "TYPE"));
                }
            }
        }
        for _ in 0..u32::from(header.authorities) + u32::from(header.additionals) {
            let Some(record) = Record::read(message, reader) else { return records };
            if record.kind == OPT {
                records.extended_rcode = u16::from(record.extended_rcode);
            }
        }
        records.complete = reader.rest().is_empty();
        records
    }
}

/// RFC 1035, 4.1.3; its owner's name is not used.
struct Record {
    kind: u16,
    /// In an OPT record, the first byte where others have their time to live.
    extended_rcode: u8,
    /// Where its data begin and end in the message.
    data: std::ops::Range<usize>,
}

impl Record {
    fn read(message: &[u8], reader: &mut Reader<'_>) -> Option<Self> {
        skip_name(message, reader)?;
        let kind = reader.u16_be()?;
        let _class = reader.u16_be()?;
        let [extended_rcode, ..] = reader.u32_be()?.to_be_bytes();
        let length = usize::from(reader.u16_be()?);
        let start = reader.offset();
        reader.take(length)?;
        Some(Self { kind, extended_rcode, data: start..start + length })
    }

    /// Writes its data as in a zone file; none if there is no such form, or they are broken.
    fn write(&self, message: &[u8], text: &mut Vec<u8>) -> Option<()> {
        let end = self.data.end;
        let mut data = Reader::new(message.get(..end)?);
        data.seek(self.data.start)?;
        match self.kind {
            A => {
                let address: [u8; 4] = message.get(self.data.clone())?.try_into().ok()?;
                write!(text, "{}", Ipv4Addr::from(address)).ok()
            }
            AAAA => {
                let address: [u8; 16] = message.get(self.data.clone())?.try_into().ok()?;
                write!(text, "{}", Ipv6Addr::from(address)).ok()
            }
            NS | CNAME | PTR | DNAME => write_name(message, &mut data, text),
            MX => {
                write!(text, "{} ", data.u16_be()?).ok()?;
                write_name(message, &mut data, text)
            }
            SRV => {
                let (priority, weight, port) = (data.u16_be()?, data.u16_be()?, data.u16_be()?);
                write!(text, "{priority} {weight} {port} ").ok()?;
                write_name(message, &mut data, text)
            }
            SVCB | HTTPS => {
                write!(text, "{} ", data.u16_be()?).ok()?;
                write_name(message, &mut data, text)
            }
            SOA => {
                write_name(message, &mut data, text)?;
                text.push(b' ');
                write_name(message, &mut data, text)?;
                write!(text, " {}", data.u32_be()?).ok()
            }
            TXT | SPF => {
                while !data.rest().is_empty() {
                    let length = usize::from(data.u8()?);
                    if text.last() == Some(&b'"') {
                        text.push(b' ');
                    }
                    text.push(b'"');
                    for byte in data.take(length)? {
                        write_byte(*byte, b" .", text);
                    }
                    text.push(b'"');
                }
                Some(())
            }
            _ => None,
        }
    }
}

/// How well bytes fit a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// All counts, names and lengths agree.
    Exact,
    /// The header may be one, and more cannot be said.
    Loose,
    /// The header says what hardly any message does.
    Odd,
    No,
}

/// How the start of a message of this length fits.
fn fit(message: &[u8], header: &Header, length: usize) -> Fit {
    let whole = message.len() == length;
    let mut reader = Reader::new(message);
    if reader.seek(HEADER_LENGTH).is_none() {
        return Fit::No;
    }
    let start = reader.offset();
    let named = header.questions > 0 && skip_name(message, &mut reader).is_some();
    let name = message.get(start..reader.offset()).unwrap_or_default();
    let question = match (reader.u16_be(), reader.u16_be()) {
        (Some(kind), Some(class)) if named => Some((kind, class)),
        _ => None,
    };
    let records = [header.answers, header.authorities, header.additionals];
    let least = records.map(|count| usize::from(count) * RECORD_LENGTH).iter().sum::<usize>();
    if least > length {
        // Real messages claim too much now and then, but noise nearly always does.
        return if header.questions == 1 && question.is_some() { Fit::Odd } else { Fit::No };
    }
    // RFC 1035, 4.1.1: Z "must be zero in all queries and responses".
    if header.flags & flag::Z != 0
        || !matches!(header.opcode(), QUERY | STATUS | NOTIFY | UPDATE)
        || header.questions > 1
        || (header.questions == 0 && (header.answers > 0 || !header.is_response()))
    {
        return Fit::Odd;
    }
    if !header.is_response() {
        let plain = header.answers == 0 && header.authorities <= 1 && header.additionals <= 4;
        if header.flags & flag::RCODE != 0 || (header.opcode() == QUERY && !plain) {
            return Fit::Odd;
        }
    }
    if header.questions == 0 {
        return Fit::Loose;
    }
    let Some((kind, class)) = question else {
        return if whole { Fit::Odd } else { Fit::Loose };
    };
    // A question has nothing before it that a pointer could mean.
    let printable = name.iter().all(|byte| matches!(byte, 0..=63 | b' '..=b'~'));
    if kind == 0 || !matches!(class, 1 | 3 | 4 | 254 | 255) || !printable {
        return Fit::Loose;
    }
    let complete = Records::read(message, &mut reader, header, &mut Vec::new()).complete;
    if whole && complete { Fit::Exact } else { Fit::Loose }
}

/// Reads a name as text, without its last dot; the root is `.`.
fn read_name<'b>(message: &'b [u8], reader: &mut Reader<'b>, text: &mut Vec<u8>) -> Option<()> {
    let start = text.len();
    write_name(message, reader, text)?;
    if text.len() > start + 1 {
        text.pop();
    }
    Some(())
}

/// Writes a name with its last dot.
fn write_name<'b>(message: &'b [u8], reader: &mut Reader<'b>, text: &mut Vec<u8>) -> Option<()> {
    let mut before = reader.offset();
    let mut labels = *reader;
    let mut pointed = false;
    // RFC 1035, 3.1: the root's own byte counts.
    let mut left = NAME_LIMIT - 1;
    let start = text.len();
    loop {
        let length = labels.u8()?;
        match length {
            0 => break,
            1..=LABEL_LIMIT => {
                left = left.checked_sub(usize::from(length) + 1)?;
                for byte in labels.take(usize::from(length))? {
                    write_byte(*byte, b"", text);
                }
                text.push(b'.');
            }
            // RFC 1035, 4.1.4: a pointer is "to a prior occurance", so each goes further back.
            POINTER.. => {
                let target = usize::from(u16::from_be_bytes([length & !POINTER, labels.u8()?]));
                if target >= before {
                    return None;
                }
                before = target;
                if !pointed {
                    *reader = labels;
                    pointed = true;
                }
                labels = Reader::new(message);
                labels.seek(target)?;
            }
            _ => return None,
        }
    }
    if !pointed {
        *reader = labels;
    }
    if text.len() == start {
        text.push(b'.');
    }
    Some(())
}

fn skip_name(message: &[u8], reader: &mut Reader<'_>) -> Option<()> {
    let start = reader.offset();
    loop {
        match reader.u8()? {
            0 => return Some(()),
            length @ 1..=LABEL_LIMIT => {
                reader.take(usize::from(length))?;
            }
            length @ POINTER.. => {
                let target = u16::from_be_bytes([length & !POINTER, reader.u8()?]);
                return (usize::from(target) < start.min(message.len())).then_some(());
            }
            _ => return None,
        }
    }
}

/// RFC 1035, 5.1: `\DDD` for a byte that would mean something else.
fn write_byte(byte: u8, plain: &[u8], text: &mut Vec<u8>) {
    let odd = !byte.is_ascii_graphic() || matches!(byte, b'.' | b',' | b'"' | b'\\');
    if odd && !plain.contains(&byte) {
        text.extend([b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]);
    } else {
        text.push(byte);
    }
}

fn numbered(id: u16, hash: u64) -> u64 {
    u64::from(id) << 48 | hash >> 16
}

fn named(names: &[(u16, &'static str)], code: u16, otherwise: &str) -> Cow<'static, [u8]> {
    match names.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => Cow::Borrowed(name.as_bytes()),
        None => Cow::Owned(format!("{otherwise}{code}").into_bytes()),
    }
}

mod flag {
    pub(super) const QR: u16 = 0x8000;
    pub(super) const OPCODE: u16 = 0x7800;
    pub(super) const TC: u16 = 0x0200;
    pub(super) const Z: u16 = 0x0040;
    pub(super) const RCODE: u16 = 0x000f;
}

/// Says what is wrong with a message that is told all the same.
const FLAW: &str = "wirespan.dns.flaw";

const HEADER_LENGTH: usize = 12;
/// Of the shortest record, whose owner is the root.
const RECORD_LENGTH: usize = 11;
const LABEL_LIMIT: u8 = 63;
const POINTER: u8 = 0xc0;
const NAME_LIMIT: usize = 255;
/// So many queries of a connection are remembered for responses without question.
const ASKED_LIMIT: usize = 64;
/// So many answers are shown, and no more are begun past so many bytes of text.
const ANSWER_LIMIT: u16 = 16;
const ANSWER_TEXT_LIMIT: usize = 1024;
/// NetBIOS names, mDNS, LLMNR.
const LOOKALIKE_PORTS: &[u16] = &[137, 5353, 5355];

const QUERY: u16 = 0;
const STATUS: u16 = 2;
const NOTIFY: u16 = 4;
const UPDATE: u16 = 5;
/// <https://www.iana.org/assignments/dns-parameters>
const OPCODES: &[(u16, &str)] = &[
    (QUERY, "QUERY"),
    (1, "IQUERY"),
    (STATUS, "STATUS"),
    (NOTIFY, "NOTIFY"),
    (UPDATE, "UPDATE"),
    (6, "DSO"),
];

const SERVFAIL: u16 = 2;
const NOTIMP: u16 = 4;
#[rustfmt::skip]
const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"), (1, "FORMERR"), (SERVFAIL, "SERVFAIL"), (3, "NXDOMAIN"), (NOTIMP, "NOTIMP"),
    (5, "REFUSED"), (6, "YXDOMAIN"), (7, "YXRRSET"), (8, "NXRRSET"), (9, "NOTAUTH"),
    (10, "NOTZONE"), (11, "DSOTYPENI"), (16, "BADVERS"), (17, "BADKEY"), (18, "BADTIME"),
    (19, "BADMODE"), (20, "BADNAME"), (21, "BADALG"), (22, "BADTRUNC"), (23, "BADCOOKIE"),
];

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const DNAME: u16 = 39;
const OPT: u16 = 41;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;
const SPF: u16 = 99;
const IXFR: u16 = 251;
const AXFR: u16 = 252;
#[rustfmt::skip]
const TYPES: &[(u16, &str)] = &[
    (A, "A"), (AAAA, "AAAA"), (CNAME, "CNAME"), (HTTPS, "HTTPS"), (PTR, "PTR"), (SRV, "SRV"),
    (NS, "NS"), (SOA, "SOA"), (MX, "MX"), (TXT, "TXT"), (10, "NULL"), (11, "WKS"), (13, "HINFO"),
    (14, "MINFO"), (17, "RP"), (18, "AFSDB"), (24, "SIG"), (25, "KEY"), (29, "LOC"), (35, "NAPTR"),
    (36, "KX"), (37, "CERT"), (DNAME, "DNAME"), (OPT, "OPT"), (42, "APL"), (43, "DS"),
    (44, "SSHFP"), (45, "IPSECKEY"), (46, "RRSIG"), (47, "NSEC"), (48, "DNSKEY"), (49, "DHCID"),
    (50, "NSEC3"), (51, "NSEC3PARAM"), (52, "TLSA"), (53, "SMIMEA"), (55, "HIP"), (59, "CDS"),
    (60, "CDNSKEY"), (61, "OPENPGPKEY"), (62, "CSYNC"), (63, "ZONEMD"), (SVCB, "SVCB"),
    (SPF, "SPF"), (108, "EUI48"), (109, "EUI64"), (249, "TKEY"), (250, "TSIG"), (IXFR, "IXFR"),
    (AXFR, "AXFR"), (253, "MAILB"), (254, "MAILA"), (255, "ANY"), (256, "URI"), (257, "CAA"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{Event, Recording, Split, drive, flow};

    const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
        \x03www\x07example\x03com\x00\x00\x01\x00\x01";

    /// A response to [`QUESTION`] with so many answers, which follow its question.
    fn response(flags: u16, answers: u8, records: &[u8]) -> Vec<u8> {
        let mut bytes = QUESTION.to_vec();
        bytes[2..4].copy_from_slice(&(0x8000 | flags).to_be_bytes());
        bytes[7] = answers;
        bytes.extend_from_slice(records);
        bytes
    }

    /// A record whose owner is the question's name.
    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\xc0\x0c".to_vec();
        bytes.extend(kind.to_be_bytes());
        bytes.extend(b"\x00\x01\x00\x00\x00\x3c");
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
        bytes
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = (message.len() as u16).to_be_bytes();
        [&length, message].concat()
    }

    fn run(transport: Transport, events: &[(Side, &[u8])], split: Split) -> Recording {
        let events: Vec<Event> = events
            .iter()
            .map(|(from, bytes)| Event::Bytes { from: *from, bytes: bytes.to_vec() })
            .collect();
        drive(&mut Dns::default(), &flow(transport, 40_000, 53), Side::A, &events, split)
    }

    fn lines(recording: &Recording) -> Vec<String> {
        recording
            .messages
            .iter()
            .map(|m| {
                let mut line = format!("{:?} {:?} {} {}", m.from, m.kind, m.operation, m.resource);
                if m.kind == Kind::Response {
                    line += &format!(" {:?} {} {}", m.outcome, m.code, m.text);
                }
                for (name, value) in &m.attributes {
                    if name != "dns.question.name" {
                        line += &format!(" {name}={value}");
                    }
                }
                line
            })
            .collect()
    }

    fn check(events: &[(Side, &[u8])], expected: &[&str]) -> Recording {
        let udp = run(Transport::Udp, events, Split::Whole);
        assert_eq!(udp.broken, Vec::<String>::new());
        assert_eq!(lines(&udp), expected);
        let framed: Vec<_> = events.iter().map(|(from, bytes)| (*from, framed(bytes))).collect();
        let framed: Vec<_> = framed.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect();
        for split in [Split::Whole, Split::Bytes, Split::Patient] {
            assert_eq!(lines(&run(Transport::Tcp, &framed, split)), expected, "{split:?}");
        }
        udp
    }

    #[test]
    fn query_and_response_have_the_same_id() {
        let answer = response(0x0180, 1, &record(A, &[93, 184, 216, 34]));
        let recording = check(
            &[(Side::A, QUESTION), (Side::B, &answer)],
            &[
                "A Request A www.example.com",
                "B Response A www.example.com Ok 0 NOERROR dns.answers=93.184.216.34",
            ],
        );
        assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
    }

    #[test]
    fn equal_id_with_another_question_is_another_exchange() {
        let mut other = QUESTION.to_vec();
        other[13] = b'x';
        let mut mixed = QUESTION.to_vec();
        mixed[13] = b'W';
        let recording = run(
            Transport::Udp,
            &[(Side::A, QUESTION), (Side::A, &other), (Side::A, &mixed)],
            Split::Whole,
        );
        let [first, second, third] = &recording.messages[..] else { panic!("three messages") };
        assert_ne!(first.pairing, second.pairing);
        assert_eq!(first.pairing, third.pairing);
    }

    #[test]
    fn both_sides_of_one_flow_may_ask() {
        let answer = response(0x0003, 0, b"");
        let recording = check(
            &[(Side::A, QUESTION), (Side::B, QUESTION), (Side::A, &answer), (Side::B, &answer)],
            &[
                "A Request A www.example.com",
                "B Request A www.example.com",
                "A Response A www.example.com ClientError 3 NXDOMAIN",
                "B Response A www.example.com ClientError 3 NXDOMAIN",
            ],
        );
        assert!(recording.messages[2].pairing.ends_with("by B"));
        assert!(recording.messages[3].pairing.ends_with("by A"));
    }

    #[test]
    fn response_without_question_pairs_by_its_id() {
        let recording = check(
            &[(Side::A, QUESTION), (Side::B, b"\x12\x34\x80\x02\0\0\0\0\0\0\0\0")],
            &["A Request A www.example.com", "B Response QUERY  ServerError 2 SERVFAIL"],
        );
        assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
    }

    #[test]
    fn answers_are_written_as_in_a_zone_file() {
        for (kind, data, expected) in [
            (AAAA, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" as &[u8], "2001:db8::1"),
            (CNAME, b"\x03web\xc0\x10", "web.example.com."),
            (MX, b"\x00\x0a\x04mail\xc0\x10", "10 mail.example.com."),
            (TXT, b"\x05a,b \"\x01c", "\"a\\044b \\034\" \"c\""),
            (SRV, b"\x00\x01\x00\x02\x00\x50\x00", "1 2 80 ."),
            (SOA, b"\xc0\x10\x01r\xc0\x10\0\0\0\x07", "example.com. r.example.com. 7"),
            (HTTPS, b"\x00\x01\x00\x00\x01\x00\x03\x02h2", "1 ."),
            (46, b"\0", "RRSIG"),
            (65280, b"\0", "TYPE65280"),
            (A, b"\x01", "A"),
        ] {
            let answer = response(0, 1, &record(kind, data));
            let expected =
                format!("B Response A www.example.com Ok 0 NOERROR dns.answers={expected}");
            check(&[(Side::B, &answer)], &[&expected]);
        }
    }

    #[test]
    fn answers_are_bounded() {
        let records = record(A, &[10, 0, 0, 1]).repeat(100);
        let recording =
            run(Transport::Udp, &[(Side::B, &response(0, 100, &records))], Split::Whole);
        assert_eq!(recording.messages[0].attributes[0].1.split(',').count(), 16);
    }

    #[test]
    fn edns_has_the_upper_bits_of_the_code() {
        let mut answer = response(0x0200, 0, b"\x00\x00\x29\x10\x00\x01\x00\x00\x00\x00\x00");
        answer[11] = 1;
        check(
            &[(Side::B, &answer)],
            &["B Response A www.example.com ClientError 16 BADVERS dns.truncated=1"],
        );
    }

    #[test]
    fn other_opcodes_are_operations() {
        for (flags, expected) in [(0x2000, "NOTIFY"), (0x2800, "UPDATE"), (0x7800, "OPCODE15")] {
            let mut query = QUESTION.to_vec();
            query[2..4].copy_from_slice(&u16::to_be_bytes(flags));
            check(&[(Side::A, &query)], &[&format!("A Request {expected} www.example.com")]);
        }
    }

    #[test]
    fn odd_names_are_escaped() {
        for (name, expected) in [
            (b"\x00" as &[u8], "."),
            (b"\x03a.b\x01\xff\x00", "a\\046b.\\255"),
            (b"\x04_tcp\x00", "_tcp"),
        ] {
            let query = [&QUESTION[..12], name, b"\xff\x00\x00\x01"].concat();
            check(&[(Side::A, &query)], &[&format!("A Request TYPE65280 {expected}")]);
        }
    }

    #[test]
    fn names_that_loop_or_run_off_leave_the_header() {
        let long = b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(4);
        let long = [&long[..], b"\x00"].concat();
        for name in [b"\xc0\x0c" as &[u8], b"\x01a\xc0\x0c", b"\xc0\xff", b"\x40", b"\x3fa", &long]
        {
            let query = [&QUESTION[..12], name, b"\x00\x01\x00\x01"].concat();
            let answer = b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0";
            let udp = run(Transport::Udp, &[(Side::A, &query), (Side::B, answer)], Split::Whole);
            assert_eq!(
                lines(&udp),
                [
                    "A Request QUERY  wirespan.dns.flaw=question name",
                    "B Response QUERY  ClientError 1 FORMERR"
                ],
                "{name:?}"
            );
            assert_eq!(udp.messages[0].pairing, udp.messages[1].pairing);
            let tcp = run(Transport::Tcp, &[(Side::A, &framed(&query))], Split::Whole);
            assert_eq!(tcp.malformed, ["question name"], "{name:?}");
        }
    }

    #[test]
    fn response_with_another_question_pairs_by_its_id_if_no_other_does() {
        let mut other = response(0, 0, b"");
        other[13] = b'x';
        let recording = check(
            &[(Side::A, QUESTION), (Side::B, &other), (Side::B, &response(0, 0, b""))],
            &[
                "A Request A www.example.com",
                "B Response A xww.example.com Ok 0 NOERROR wirespan.dns.flaw=answers another question",
                "B Response A www.example.com Ok 0 NOERROR",
            ],
        );
        assert_eq!(recording.messages[0].pairing, recording.messages[1].pairing);
    }

    #[test]
    fn broken_records_leave_the_question() {
        let answer = response(0, 2, &[&record(A, &[10, 0, 0, 1])[..], b"\xc0"].concat());
        check(
            &[(Side::B, &answer)],
            &["B Response A www.example.com Ok 0 NOERROR dns.answers=10.0.0.1"],
        );
    }

    #[test]
    fn zone_transfer_is_one_response() {
        let mut query = QUESTION.to_vec();
        query[30] = AXFR as u8;
        let soa = record(SOA, b"\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let mut messages =
            [response(0, 1, &soa), response(0, 1, &record(A, &[1, 2, 3, 4])), response(0, 1, &soa)];
        messages.iter_mut().for_each(|message| message[30] = AXFR as u8);
        let stream = messages.each_ref().map(|message| framed(message)).concat();
        let recording =
            run(Transport::Tcp, &[(Side::A, &framed(&query)), (Side::B, &stream)], Split::Bytes);
        assert_eq!(
            lines(&recording),
            [
                "A Request AXFR www.example.com",
                "B Response AXFR www.example.com Ok 0 NOERROR dns.answers=. . 1",
            ]
        );
        assert_eq!(recording.messages[1].end, Some(stream.len() as u64));
    }

    #[test]
    fn probe_is_certain_of_consistent_messages_only() {
        let certain = |client| Probe::Certain { client };
        let unsure = |client| Probe::Unsure { client };
        let answer = response(0, 1, &record(A, &[1, 2, 3, 4]));
        let trailing = [QUESTION, b"\0"].concat();
        let reserved = [b"\x12\x34\x01\x40", &QUESTION[4..]].concat();
        let with_code = [b"\x12\x34\x01\x23", &QUESTION[4..]].concat();
        let noise = b"\x01\0\0\0\x7f\x1c\x80\x02\x99\x41\x0a\x5e".repeat(12);
        for (port, message, expected) in [
            (53, QUESTION, certain(Side::A)),
            (5300, QUESTION, certain(Side::A)),
            (5353, QUESTION, Probe::No),
            (137, QUESTION, Probe::No),
            (53, &answer, certain(Side::B)),
            (53, &answer[..answer.len() - 1], unsure(Side::B)),
            (53, &trailing, unsure(Side::A)),
            (53, &reserved, unsure(Side::A)),
            (5300, &reserved, Probe::No),
            (53, &with_code, unsure(Side::A)),
            (5300, &with_code, Probe::No),
            (53, &QUESTION[..20], unsure(Side::A)),
            (5300, &QUESTION[..20], Probe::No),
            (53, &noise, Probe::No),
            (53, b"HTTP/1.1 200 OK\r\n\r\n", Probe::No),
        ] {
            let flow = flow(Transport::Udp, 40_000, port);
            assert_eq!(Dns::default().probe(&flow, Side::A, message), expected, "{message:?}");
        }
        let resolver = flow(Transport::Udp, 5353, 53);
        assert_eq!(Dns::default().probe(&resolver, Side::A, QUESTION), certain(Side::A));
        let flow = flow(Transport::Tcp, 40_000, 5300);
        let framed = framed(QUESTION);
        for (head, expected) in [
            (&framed[..], certain(Side::A)),
            (&framed[..20], unsure(Side::A)),
            (&framed[..1], unsure(Side::A)),
            (b"GET / HTTP/1.1\r\n", Probe::No),
            (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x01\x02\x03\x04", Probe::No),
        ] {
            assert_eq!(Dns::default().probe(&flow, Side::A, head), expected, "{head:?}");
        }
    }
}
