//! One flow: its queries that wait for an answer, and zones that are sent in several messages.

use super::codes::{AXFR, IXFR, NOTIMP, RCODES, SERVFAIL, SOA, named};
use super::header::flag;
use super::message::{Decoded, FLAW, numbered};
use crate::message::{
    Attribute, Dialect, Id, Kind, Message, Outcome, Pairing, Side, Status, Value,
};
use crate::protocol::{Key, Out, Transport};
use smallvec::SmallVec;

pub(super) struct Connection {
    pub(super) transport: Transport,
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
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, asked: SmallVec::new(), transfers: [None, None] }
    }

    pub(super) fn write_query(
        &mut self,
        query: &Decoded<'_>,
        from: Side,
        end: usize,
        out: &mut dyn Out,
    ) {
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
            dialect: Dialect::Plain,
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

    pub(super) fn write_response(
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
            dialect: Dialect::Plain,
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
    pub(super) fn abandon(&mut self, from: Side, out: &mut dyn Out) {
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

/// So many queries of a connection are remembered for responses without question.
const ASKED_LIMIT: usize = 64;
