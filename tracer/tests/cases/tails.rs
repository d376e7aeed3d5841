//! Cases in which the capture begins in the middle of connections: what was told before is unknown,
//! and said to be so.

use crate::expect::Expected;
use crate::net::{Connection, MS, Net, US};
use crate::talk::Talk;
use std::net::IpAddr;

/// T: a capture begins in the middle of a connection of HTTP/2, whose blocks refer to fields of
/// earlier ones. What is told since is right, and what was told before is unknown.
pub(crate) fn t(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    let (gateway, service) = (net.host(), net.host());
    let clients: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let way = net.short(tap);
    let start = net.dice.of(20 * MS..40 * MS);
    let mut inner = Talking::new(net.connect(gateway, (service, 8_080).into(), &way, start));
    inner.connection.asks(net, start, &[], [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
    inner.connection.tells(net, start + 50 * US, &[], frame(SETTINGS, 0, 0, b""));
    let mut now = start + MS;
    for _ in 0..net.dice.of(1..7) {
        now = inner.plays(net, now, None).0 + net.dice.of(MS..5 * MS);
    }
    // The last answer before the capture may be seen to end: its head is in none of these packets.
    let left = if net.dice.one_in(2) { net.dice.of(0..3) as usize } else { 0 };
    net.packets.drain(..net.packets.len() - left);
    inner.begin();
    for number in 0..net.dice.of(3..9) {
        let [front, back] = ["front", "back"].map(|name| format!("{name}{number}"));
        let (client, think) = (net.dice.pick(&clients), net.dice.of(9 * US..MS));
        now += 5 * MS;
        let near = net.short(tap);
        let mut outer = net.connect(client, (gateway, 80).into(), &near, now);
        let (trace, spans) = (net.dice.hex(32), [net.dice.hex(16), net.dice.hex(16)]);
        let ids = spans.map(|span| format!("00-{trace}-{span}-01"));
        let asks = Talk::Http.asks(&front, &[format!("traceparent: {}", ids[0])]);
        let asked = outer.asks(net, now, &[&front], asks) + net.dice.of(9 * US..MS);
        let (answered, told) = inner.plays(net, asked, Some((&back, &ids[1])));
        now = outer.tells(net, answered + think, &[&front], Talk::Http.tells(&[], 5));
        expected.root(&front, &near.points());
        expected.under(&back, &way.points(), &front, &["traceparent"]);
        told.into_iter().for_each(|(text, is_there)| match is_there {
            true => expected.says(&back, &text),
            false => expected.never_says(&back, &text),
        });
    }
}

/// What a span says, or must not say.
type Told = Vec<(String, bool)>;

/// A connection of HTTP/2.
struct Talking {
    connection: Connection,
    /// Of the client, and of the server.
    tables: [Table; 2],
    stream: u32,
}

impl Talking {
    fn new(connection: Connection) -> Self {
        Self { connection, tables: Default::default(), stream: 1 }
    }

    /// The capture begins.
    fn begin(&mut self) {
        self.tables.iter_mut().for_each(|table| table.forget());
    }

    /// A request and its answer, of an exchange with this name and this identifier, if any; gives
    /// when it is over, and what its span says.
    fn plays(&mut self, net: &mut Net, at: i64, about: Option<(&str, &str)>) -> (i64, Told) {
        let stream = self.stream;
        self.stream += 2;
        let mut told = Told::new();
        let [mut asks, mut tells] = [Block::default(), Block::default()];
        let [client, server] = &mut self.tables;
        let method = net.dice.pick(&["GET", "POST", "PUT", "PURGE"]);
        let path = format!("/orders/{}", net.dice.of(1..4));
        let agent = format!("agent/{}", net.dice.of(1..3));
        let tenant = format!("tenant{}", net.dice.of(1..9));
        for (name, value, key) in [
            (":method", method, "operation"),
            (":scheme", "http", ""),
            (":path", &path, "resource"),
            (":authority", "shop:8080", "server.address"),
            ("user-agent", &agent, "user_agent.original"),
            ("x-tenant", &tenant, ""),
        ] {
            let is_known = asks.put(net, client, name, value);
            if !key.is_empty() {
                told.push((format!("\"{key}\":\"{value}\""), is_known));
            }
        }
        if let Some((_, id)) = about {
            asks.put_never("traceparent", id);
        }
        let code = net.dice.pick(&["200", "404", "201", "503"]);
        let kind = net.dice.pick(&["text/plain", "application/json"]);
        let note = format!("note{}", net.dice.of(1..9));
        for (name, value, key) in [
            (":status", code, "code"),
            ("content-type", kind, "http.response.header.content-type"),
            ("x-note", &note, ""),
        ] {
            let is_known = tells.put(net, server, name, value);
            match key {
                "" => {}
                "code" => told.push((format!("\"code\":{value}"), is_known)),
                key => told.push((format!("\"{key}\":\"{value}\""), is_known)),
            }
        }
        for (block, name) in [(&asks, "request"), (&tells, "response")] {
            let name = format!("\"wirespan.{name}.headers.unknown\":");
            match block.unknown {
                0 => told.push((name, false)),
                unknown => told.push((format!("{name}{unknown}"), true)),
            }
        }
        let names: &[&str] = if let Some((name, _)) = &about { &[name] } else { &[] };
        let has_body = matches!(method, "POST" | "PUT");
        let ends = if has_body { 0 } else { END_STREAM };
        let mut request = frame(HEADERS, END_HEADERS | ends, stream, &asks.bytes);
        if has_body {
            request.extend(frame(DATA, END_STREAM, stream, b"{\"n\":1}"));
        }
        let least = if about.is_some() { 1 } else { 4_500 };
        let content = vec![b'x'; net.dice.of(least..6_000) as usize];
        let response = [
            frame(HEADERS, END_HEADERS, stream, &tells.bytes),
            frame(DATA, END_STREAM, stream, &content),
        ];
        let there = self.connection.asks(net, at, names, request);
        let think = net.dice.of(9 * US..2 * MS);
        (self.connection.tells(net, there + think, names, response.concat()), told)
    }
}

/// The fields that a side has inserted, the latest first.
#[derive(Default)]
struct Table {
    entries: Vec<(String, String)>,
    /// Whether each can be known.
    known: Vec<bool>,
}

impl Table {
    fn insert(&mut self, name: &str, value: &str, is_known: bool) {
        self.entries.insert(0, (name.to_owned(), value.to_owned()));
        self.known.insert(0, is_known);
    }

    /// The capture begins.
    fn forget(&mut self) {
        self.known.fill(false);
    }

    fn is_known(&self, place: usize) -> bool {
        self.known[place]
    }
}

/// A header block, with literals as they are.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Fields that cannot be known.
    unknown: usize,
}

impl Block {
    /// A field in some way that RFC 7541 has for it; gives whether it can be known.
    fn put(&mut self, net: &mut Net, table: &mut Table, name: &str, value: &str) -> bool {
        let fixed = STATIC.iter().find(|(_, fixed, own)| (*fixed, *own) == (name, value));
        if let Some((index, ..)) = fixed {
            self.number(0x80, 7, *index);
            return true;
        }
        let entry =
            table.entries.iter().position(|(n, v)| (n.as_str(), v.as_str()) == (name, value));
        if let Some(place) = entry.filter(|_| !net.dice.one_in(5)) {
            self.number(0x80, 7, FIRST + place);
            let is_known = table.is_known(place);
            self.unknown += usize::from(!is_known);
            return is_known;
        }
        // Section 6.2.1, or 6.2.2.
        let is_kept = !net.dice.one_in(4);
        let (kind, bits) = if is_kept { (0x40, 6) } else { (0, 4) };
        let own = table.entries.iter().position(|(n, _)| n == name);
        let own = own.filter(|_| net.dice.one_in(2));
        let fixed = STATIC.iter().find(|(_, fixed, _)| *fixed == name);
        let is_known = match (own, fixed) {
            (Some(place), _) => {
                self.number(kind, bits, FIRST + place);
                table.is_known(place)
            }
            (None, Some((index, ..))) => {
                self.number(kind, bits, *index);
                true
            }
            (None, None) => {
                self.number(kind, bits, 0);
                self.text(name);
                true
            }
        };
        self.text(value);
        if is_kept {
            table.insert(name, value, is_known);
        }
        self.unknown += usize::from(!is_known);
        is_known
    }

    /// Section 6.2.3.
    fn put_never(&mut self, name: &str, value: &str) {
        self.number(0x10, 4, 0);
        self.text(name);
        self.text(value);
    }

    fn text(&mut self, text: &str) {
        self.number(0, 7, text.len());
        self.bytes.extend(text.as_bytes());
    }

    /// Section 5.1.
    fn number(&mut self, kind: u8, bits: u32, number: usize) {
        let most = (1 << bits) - 1;
        if number < most {
            return self.bytes.push(kind | number as u8);
        }
        self.bytes.push(kind | most as u8);
        let mut rest = number - most;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length, &[kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The index of the latest entry that was inserted.
const FIRST: usize = 62;

/// RFC 7541, appendix A, as far as it is used here: index, name, value.
const STATIC: &[(usize, &str, &str)] = &[
    (1, ":authority", ""),
    (2, ":method", "GET"),
    (3, ":method", "POST"),
    (4, ":path", "/"),
    (6, ":scheme", "http"),
    (8, ":status", "200"),
    (13, ":status", "404"),
    (31, "content-type", ""),
    (58, "user-agent", ""),
];
