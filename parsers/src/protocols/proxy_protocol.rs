//! The PROXY protocol, versions 1 and 2: a line, or a header, in front of another protocol, by which
//! a proxy says who its client is. What follows is told it.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use crate::connections::{Connections, Reads};
use crate::handed::Handed;
use crate::message::{Attribute, Dialect, Kind, Message, Pairing, Side, Status, Value};
use crate::protocol::{
    AfterGap, FlowInfo, Handoff, Malformed, Out, Probe, Protocol, Step, Timestamp,
};
use crate::reader::Reader;
use crate::settings::Settings;
use crate::stop::{Stop, short};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Makes one shard's instance.
#[must_use]
pub fn protocol(_settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(Connections::of(ProxyProtocol))
}

struct ProxyProtocol;

impl Reads for ProxyProtocol {
    /// The side that the proxy is on.
    type Connection = Side;

    fn name(&self) -> &'static str {
        NAME
    }

    fn port(&self, _port: u16) -> bool {
        false
    }

    fn probe(&mut self, _flow: &FlowInfo, from: Side, head: &[u8]) -> Probe {
        let begins = |wanted: &[u8]| head.iter().zip(wanted).all(|(byte, wanted)| byte == wanted);
        let whole = |wanted: &&[u8]| head.len() >= wanted.len() && begins(wanted);
        if STARTS.iter().any(whole) {
            Probe::Certain { client: from }
        } else if STARTS.iter().any(|start| begins(start)) {
            Probe::Unsure { client: from }
        } else {
            Probe::No
        }
    }

    fn open(&mut self, _flow: &FlowInfo, client: Side) -> Side {
        client
    }

    fn parse(
        &mut self,
        client: &mut Side,
        from: Side,
        _at: Timestamp,
        input: &[u8],
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        if from != *client {
            // A server may speak first, in its own protocol.
            return Ok(Step::Become { used: 0, next: Handoff::Detect });
        }
        let read = match input.first() {
            Some(b'P') => line(input),
            _ => header(input),
        };
        let said = match read {
            Ok(said) => said,
            Err(stop) => return stop.step(),
        };
        let text = said.ends.map(|[source, _]| source.to_string()).unwrap_or_default();
        let key = out.open(Message {
            kind: Kind::OneWay,
            dialect: Dialect::Plain,
            pairing: Pairing::OneWay,
            bytes: 0..said.end,
            operation: if said.is_local { b"LOCAL" } else { b"PROXY" },
            resource: text.as_bytes(),
            status: Status::default(),
            cut: false,
        });
        let name = "network.protocol.version";
        out.add(key, Attribute { name, value: Value::Text(said.version) });
        out.close(key, said.end);
        out.becomes(said.handed(*client));
        Ok(Step::Become { used: said.end, next: Handoff::Detect })
    }

    fn gap(&mut self, _: &mut Side, _: Side, _: &[u8], _: u64, _: &mut dyn Out) -> AfterGap {
        AfterGap::Stop
    }

    fn resume(&mut self, _client: &mut Side, _from: Side, _input: &[u8]) -> bool {
        false
    }

    fn end(&mut self, _: &mut Side, _: Side, _: &[u8], _: &mut dyn Out) {}
}

/// What a proxy says.
#[derive(Debug, Default)]
struct Said<'b> {
    version: &'static [u8],
    /// It speaks for itself, as of a health check.
    is_local: bool,
    /// The client, and whom that asked.
    ends: Option<[SocketAddr; 2]>,
    values: &'b [u8],
    end: usize,
}

impl Said<'_> {
    fn handed(&self, client: Side) -> Handed {
        let mut handed = Handed { by: NAME, client: Some(client), ..Handed::default() };
        if let Some([source, asked]) = self.ends {
            handed.tell("client.address", source.ip().to_string().as_bytes());
            handed.tell_number("client.port", source.port().into());
            handed.tell("wirespan.proxy.server", asked.to_string().as_bytes());
        }
        // Section 2.2.
        values(self.values, &mut |kind, value| match kind {
            0x02 => handed.tell("wirespan.proxy.authority", value),
            0x05 => {
                let mut hex = String::new();
                for byte in value.iter().take(UNIQUE_ID) {
                    // Writing to a text does not fail.
                    let _ = write!(hex, "{byte:02x}");
                }
                handed.tell("wirespan.proxy.id", hex.as_bytes());
            }
            // Five bytes of flags, then values of their own.
            0x20 => values(value.get(5..).unwrap_or_default(), &mut |kind, value| match kind {
                0x21 => handed.tell("tls.protocol.version", value),
                0x22 => handed.tell("tls.client.subject", value),
                _ => {}
            }),
            _ => {}
        });
        handed
    }
}

/// Section 2.1: words of ASCII.
fn line(input: &[u8]) -> Result<Said<'_>, Stop> {
    let shown = input.get(..LINE).unwrap_or(input);
    let Some(newline) = memchr::memchr(b'\n', shown) else {
        let full = input.len() >= LINE;
        return Err(if full { Stop::Bad("proxy line") } else { short(1) });
    };
    let bad = Stop::Bad("proxy line");
    let line = input.get(..newline).and_then(|line| line.strip_suffix(b"\r"));
    let Some(Ok(line)) = line.map(str::from_utf8) else { return Err(bad) };
    let mut words = line.split(' ').skip(1);
    let mut said = Said { version: b"1", end: newline + 1, ..Said::default() };
    match words.next() {
        Some("UNKNOWN") => said.is_local = true,
        Some("TCP4" | "TCP6") => {
            let mut ip = || words.next()?.parse::<IpAddr>().ok();
            let (source, asked) = (ip(), ip());
            let mut port = || words.next()?.parse::<u16>().ok();
            let (source_port, asked_port) = (port(), port());
            let (Some(source), Some(asked), Some(source_port), Some(asked_port)) =
                (source, asked, source_port, asked_port)
            else {
                return Err(bad);
            };
            let source = SocketAddr::new(source, source_port);
            said.ends = Some([source, SocketAddr::new(asked, asked_port)]);
        }
        _ => return Err(bad),
    }
    Ok(said)
}

/// Section 2.2: a signature, version and command, family, a length, addresses, values.
fn header(input: &[u8]) -> Result<Said<'_>, Stop> {
    let mut reader = Reader::new(input);
    let missing = || short(HEADER.saturating_sub(input.len()));
    let signature = reader.take(SIGNATURE.len()).ok_or_else(missing)?;
    let command = reader.u8().ok_or_else(missing)?;
    let family = reader.u8().ok_or_else(missing)?;
    let length = usize::from(reader.u16_be().ok_or_else(missing)?);
    if signature != SIGNATURE || command & 0xf0 != 0x20 || command & 0x0f > 1 {
        return Err(Stop::Bad("proxy header"));
    }
    let is_local = command & 0x0f == 0;
    if length > LONGEST && !is_local {
        return Err(Stop::Bad("proxy length"));
    }
    let end = HEADER + length;
    let block = input.get(HEADER..end).ok_or_else(|| short(end.saturating_sub(input.len())))?;
    let mut said = Said { version: b"2", is_local, end, ..Said::default() };
    // What stands there says nothing then, whatever it is.
    if said.is_local {
        return Ok(said);
    }
    let mut reader = Reader::new(block);
    let ends = match family >> 4 {
        1 => ipv4(&mut reader),
        2 => ipv6(&mut reader),
        // Two paths of a Unix socket.
        3 => reader.take(216).map(|_| None),
        _ => Some(None),
    };
    said.ends = ends.ok_or(Stop::Bad("proxy addresses"))?;
    said.values = block.get(reader.offset()..).unwrap_or_default();
    Ok(said)
}

fn ipv4(reader: &mut Reader<'_>) -> Option<Option<[SocketAddr; 2]>> {
    let mut ip = || Some(IpAddr::from(Ipv4Addr::from(reader.u32_be()?)));
    let (source, asked) = (ip()?, ip()?);
    with_ports(reader, source, asked)
}

fn ipv6(reader: &mut Reader<'_>) -> Option<Option<[SocketAddr; 2]>> {
    let mut ip = || {
        let bytes: [u8; 16] = reader.take(16)?.try_into().ok()?;
        Some(IpAddr::from(Ipv6Addr::from(bytes)))
    };
    let (source, asked) = (ip()?, ip()?);
    with_ports(reader, source, asked)
}

fn with_ports(
    reader: &mut Reader<'_>,
    source: IpAddr,
    asked: IpAddr,
) -> Option<Option<[SocketAddr; 2]>> {
    let (source_port, asked_port) = (reader.u16_be()?, reader.u16_be()?);
    Some(Some([SocketAddr::new(source, source_port), SocketAddr::new(asked, asked_port)]))
}

/// Values, each with its kind and its length.
fn values(block: &[u8], tell: &mut dyn FnMut(u8, &[u8])) {
    let mut reader = Reader::new(block);
    let mut next = || {
        let (kind, length) = (reader.u8()?, reader.u16_be()?);
        Some((kind, reader.take(length.into())?))
    };
    while let Some((kind, value)) = next() {
        tell(kind, value);
    }
}

const NAME: &str = "proxy-protocol";
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const STARTS: &[&[u8]] = &[b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", SIGNATURE];
/// Bytes before the addresses.
const HEADER: usize = 16;
/// The longest line of version 1, in bytes.
const LINE: usize = 107;
/// Bytes of addresses and values that are read; those of a proxy that speaks for itself are passed
/// over, whatever their number.
const LONGEST: usize = 4 << 10;
/// Bytes of a proxy's id of the connection (section 2.2.5).
const UNIQUE_ID: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Vector;
    use crate::handed::Told;
    use std::fs;
    use std::path::Path;

    fn check(name: &str, expected: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = folder.join("../testdata/vectors/proxy-protocol");
        let text = fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
        let vector = Vector::parse(&text).unwrap();
        let crate::fuzzing::Event::Bytes { bytes, .. } = &vector.events[0] else { panic!() };
        let read = if bytes.starts_with(b"P") { line(bytes) } else { header(bytes) };
        let Ok(said) = read else { panic!("{name}") };
        let told = said.handed(Side::A).attributes.into_iter().map(|(name, told)| {
            let told = match told {
                Told::Text(text) => String::from_utf8(text).unwrap(),
                Told::Int(number) => number.to_string(),
            };
            format!("{name}={told}")
        });
        let told = told.collect::<Vec<_>>().join(" ");
        assert_eq!(format!("{} {} {told}", said.version.escape_ascii(), said.is_local), expected);
    }

    #[test]
    fn what_follows_is_told_who_the_client_is() {
        check(
            "one",
            "1 false client.address=127.0.0.1 client.port=57592 \
             wirespan.proxy.server=127.0.0.1:18101",
        );
        check(
            "six",
            "1 false client.address=2001:db8::7 client.port=54321 \
             wirespan.proxy.server=[2001:db8::1]:443",
        );
        check(
            "tls",
            "2 false client.address=2001:db8::7 client.port=54321 \
             wirespan.proxy.server=[2001:db8::1]:443 wirespan.proxy.authority=a.test \
             wirespan.proxy.id=0001abcd tls.protocol.version=TLSv1.3 tls.client.subject=client one",
        );
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_tells_nothing() {
        check("local", "2 true ");
        check("unknown", "1 true ");
        let long = [&b"\x00\xff\xff"[..], &[0; 0xffff]].concat();
        for block in [&b"\x11\0\0"[..], b"\x11\0\x04abcd", b"\xff\0\x03\0\0\0", &long] {
            let input = [SIGNATURE, &b"\x20"[..], block].concat();
            let Ok(said) = header(&input) else { panic!("{}", block.escape_ascii()) };
            assert_eq!((said.is_local, said.end), (true, input.len()));
            assert_eq!(said.handed(Side::A).attributes.len(), 0);
        }
    }

    #[test]
    fn what_is_no_line_is_malformed() {
        for wrong in [
            &b"PROXY TCP4 1.2.3.4 1.2.3.4 5\r\n"[..],
            b"PROXY TCP4 1.2.3.4 1.2.3.4 5 x\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 5 6\n",
            &[b'P'; 107],
        ] {
            assert!(matches!(line(wrong), Err(Stop::Bad(_))), "{}", wrong.escape_ascii());
        }
        let long = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff";
        assert!(matches!(header(long), Err(Stop::Bad("proxy length"))));
        let short = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f";
        assert!(matches!(header(short), Err(stop) if stop == super::short(11)));
    }
}
