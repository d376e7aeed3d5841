//! What the kernel writes of one network namespace: sockets and addresses, a line each.
//!
//! <https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A line of `net/tcp`, `tcp6`, `udp` or `udp6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketLine {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    state: u8,
    /// 0 for what no process holds: connections that are over, and those not yet accepted.
    pub(super) inode: u64,
}

impl SocketLine {
    /// Reads a line; nothing of the heading. Addresses are the bytes of the network, written as
    /// numbers of 32 bits of this machine.
    pub(super) fn read(line: &str) -> Option<Self> {
        Self::read_in(line, u32::to_ne_bytes)
    }

    fn read_in(line: &str, bytes: fn(u32) -> [u8; 4]) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        // Busy hosts have most of these, and nobody holds them.
        if state == TIME_WAIT {
            return None;
        }
        let (local, remote) = (endpoint(local, bytes)?, endpoint(remote, bytes)?);
        let inode = fields.nth(5)?.parse().ok()?;
        Some(Self { local, remote, state, inode })
    }

    /// Whether it takes whoever comes: it listens, or is one of UDP that is not connected.
    pub(super) fn serves(&self) -> bool {
        matches!(self.state, LISTEN | CLOSE) && self.remote.port() == 0
    }
}

/// `0100007F:1F90`, or four such numbers before the colon.
fn endpoint(text: &str, bytes: fn(u32) -> [u8; 4]) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word =
        |at: usize| Some(bytes(u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok()?));
    let ip = match address.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut all = [0; 16];
            for (at, part) in all.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            // What speaks IPv4 over a socket of IPv6.
            IpAddr::from(all).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// The addresses of `net/fib_trie` that are the namespace's own: below each, what it is for.
pub(super) fn own_ipv4(text: &str) -> impl Iterator<Item = IpAddr> {
    let mut last = None;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
            return None;
        }
        if line.starts_with("/32 host LOCAL") { last.take().map(IpAddr::V4) } else { None }
    })
}

/// The addresses of `net/if_inet6`, 32 hex digits at the start of a line.
pub(super) fn own_ipv6(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let digits = line.split_ascii_whitespace().next().filter(|digits| digits.len() == 32)?;
        Some(IpAddr::V6(Ipv6Addr::from(u128::from_str_radix(digits, 16).ok()?)))
    })
}

/// Numbers of `include/net/tcp_states.h`, which UDP uses too.
const TIME_WAIT: u8 = 0x06;
const CLOSE: u8 = 0x07;
const LISTEN: u8 = 0x0a;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, bytes: fn(u32) -> [u8; 4], expected: Option<(&str, &str, bool, u64)>) {
        let found = SocketLine::read_in(line, bytes);
        let found = found.map(|l| (l.local.to_string(), l.remote.to_string(), l.serves(), l.inode));
        let expected =
            expected.map(|(a, b, serves, inode)| (a.to_owned(), b.to_owned(), serves, inode));
        assert_eq!(found, expected, "{line}");
    }

    const REST: &str =
        "00000000:00000000 00:00000000 00000000    33        0 12345 1 0 100 0 0 10 0";

    #[test]
    fn sockets_are_read_in_either_byte_order() {
        let listens = format!("   0: 0700000A:1F90 00000000:0000 0A {REST}");
        let expected = Some(("10.0.0.7:8080", "0.0.0.0:0", true, 12345));
        check(&listens, u32::to_le_bytes, expected);
        let listens = format!("   0: 0A000007:1F90 00000000:0000 0A {REST}");
        check(&listens, u32::to_be_bytes, expected);
        let connected = format!("  17: 0700000A:1F90 0100000A:A7F8 01 {REST}");
        check(
            &connected,
            u32::to_le_bytes,
            Some(("10.0.0.7:8080", "10.0.0.1:43000", false, 12345)),
        );
    }

    #[test]
    fn addresses_of_ipv4_on_sockets_of_ipv6_are_those_of_ipv4() {
        let line = format!(
            "   1: 0000000000000000FFFF00000700000A:0050 0000000000000000FFFF00000100000A:A7F8 01 {REST}"
        );
        check(&line, u32::to_le_bytes, Some(("10.0.0.7:80", "10.0.0.1:43000", false, 12345)));
        let line = format!(
            "   1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A {REST}"
        );
        check(&line, u32::to_le_bytes, Some(("[2001:db8::1]:80", "[::]:0", true, 12345)));
    }

    #[test]
    fn what_is_no_socket_is_passed_over() {
        for line in
            ["", "  sl  local_address rem_address   st tx_queue", "0: 07:1 00:0 0A", "0: é:1"]
        {
            check(line, u32::to_le_bytes, None);
        }
    }

    #[test]
    fn own_addresses_are_found() {
        let trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.7
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
Local:
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
";
        let found: Vec<String> = own_ipv4(trie).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["10.0.0.7", "127.0.0.1"]);
        let list = "\
fe80000000000000f4b1c2fffe3a0001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
broken 01
";
        let found: Vec<String> = own_ipv6(list).map(|ip| ip.to_string()).collect();
        assert_eq!(found, ["fe80::f4b1:c2ff:fe3a:1", "::1"]);
    }
}
