//! TCP connections and HTTP calls, as packets.

use crate::packets::Packet;
use std::net::SocketAddr;

/// Port `port` of host `host`.
pub(crate) fn end(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

/// A TCP connection whose next packets are made here.
#[derive(Clone)]
pub(crate) struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    next: [u32; 2],
}

impl Connection {
    pub(crate) fn new(client: SocketAddr, server: SocketAddr) -> Self {
        let seed = u32::from(client.port()) << 12 | u32::from(server.port());
        Self { client, server, next: [seed.wrapping_mul(77_777), seed.wrapping_mul(99_991)] }
    }

    /// The handshake, just before this millisecond.
    pub(crate) fn open(&mut self, at: i64) -> Vec<Packet> {
        let [client, server] = self.next;
        self.next = [client.wrapping_add(1), server.wrapping_add(1)];
        let at = at * 1_000_000;
        vec![
            Packet::tcp(self.client, self.server, client, b"").syn().at_ns(at - 3_000),
            Packet::tcp(self.server, self.client, server, b"")
                .syn()
                .ack(self.next[0])
                .at_ns(at - 2_000),
        ]
    }

    /// Bytes of the client.
    pub(crate) fn asks(&mut self, at: i64, bytes: impl AsRef<[u8]>) -> Packet {
        let [seq, ack] = self.next;
        self.next[0] = seq.wrapping_add(bytes.as_ref().len() as u32);
        Packet::tcp(self.client, self.server, seq, bytes.as_ref()).ack(ack).at(at)
    }

    /// Bytes of the server.
    pub(crate) fn tells(&mut self, at: i64, bytes: impl AsRef<[u8]>) -> Packet {
        let [ack, seq] = self.next;
        self.next[1] = seq.wrapping_add(bytes.as_ref().len() as u32);
        Packet::tcp(self.server, self.client, seq, bytes.as_ref()).ack(ack).at(at)
    }

    /// The client's FIN.
    pub(crate) fn client_closes(&mut self, at: i64) -> Packet {
        let packet = self.asks(at, b"").fin();
        self.next[0] = self.next[0].wrapping_add(1);
        packet
    }

    /// The server's FIN.
    pub(crate) fn server_closes(&mut self, at: i64) -> Packet {
        let packet = self.tells(at, b"").fin();
        self.next[1] = self.next[1].wrapping_add(1);
        packet
    }

    pub(crate) fn next(&self) -> [u32; 2] {
        self.next
    }
}

/// A GET with these header lines.
pub(crate) fn get(path: &str, headers: &[&str]) -> String {
    head(&format!("GET {path} HTTP/1.1"), headers)
}

/// A good answer with these header lines and this body.
pub(crate) fn ok(headers: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let headers: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
    head("HTTP/1.1 200 OK", &headers) + body
}

pub(crate) fn head(first: &str, headers: &[&str]) -> String {
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{first}\r\n{lines}\r\n")
}

/// One HTTP call on a connection of its own.
#[derive(Clone)]
pub(crate) struct Call {
    client: SocketAddr,
    server: SocketAddr,
    times: [i64; 2],
    path: String,
    asks: Vec<String>,
    tells: Vec<String>,
}

impl Call {
    /// Host `client` calls host `server`; request and response come at these milliseconds.
    pub(crate) fn new(client: u8, server: u8, times: std::ops::Range<i64>, path: &str) -> Self {
        let port = path
            .bytes()
            .fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
        Self {
            client: end(client, 10_000 + port % 50_000),
            server: end(server, 80),
            times: [times.start, times.end],
            path: path.to_owned(),
            asks: Vec::new(),
            tells: Vec::new(),
        }
    }

    /// Other addresses.
    pub(crate) fn between(mut self, client: [u8; 4], server: [u8; 4]) -> Self {
        self.client.set_ip(client.into());
        self.server.set_ip(server.into());
        self
    }

    /// The client's port.
    pub(crate) fn port(mut self, port: u16) -> Self {
        self.client.set_port(port);
        self
    }

    /// The server's port.
    pub(crate) fn server_port(mut self, port: u16) -> Self {
        self.server.set_port(port);
        self
    }

    /// The request carries this header line.
    pub(crate) fn asks(mut self, header: &str) -> Self {
        self.asks.push(header.to_owned());
        self
    }

    /// The response carries this header line.
    pub(crate) fn tells(mut self, header: &str) -> Self {
        self.tells.push(header.to_owned());
        self
    }

    pub(crate) fn packets(&self) -> Vec<Packet> {
        let asks: Vec<&str> = self.asks.iter().map(String::as_str).collect();
        let tells: Vec<&str> = self.tells.iter().map(String::as_str).collect();
        let mut connection = Connection::new(self.client, self.server);
        let mut packets = connection.open(self.times[0]);
        packets.push(connection.asks(self.times[0], get(&self.path, &asks)));
        packets.push(connection.tells(self.times[1], ok(&tells, "")));
        packets
    }
}

/// The packets of all calls, in order of time.
pub(crate) fn all(calls: &[Call]) -> Vec<Packet> {
    sorted(calls.iter().flat_map(Call::packets).collect())
}

/// The packets in order of time.
pub(crate) fn sorted(mut packets: Vec<Packet>) -> Vec<Packet> {
    packets.sort_by_key(Packet::time);
    packets
}
