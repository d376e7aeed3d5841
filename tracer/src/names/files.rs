//! Files in which a user names services and hosts: their lines in, out what an address is called.
//!
//! ```text
//! names   10.0.0.7:8080        orders        one port of a host
//!         10.0.0.7             web1          all others of it
//!         10.1.0.0/16:6379     redis         a port of a network's hosts
//!         :5432                postgresql    a port of any host
//!         [2001:db8::]/32:80   www           IPv6 has its port behind brackets
//!         vni7 10.0.0.0/8      tenant-7      only in this network
//! hosts   10.0.0.7             web1 shop.example    as /etc/hosts
//! ```
//!
//! Of several that fit, the one with the longest prefix counts; of these one that names the
//! network; of these one that names the port.

use crate::given::{Given, GivenBy, host_word, is_own, word};
use crate::network;
use foldhash::fast::FixedState;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use smallvec::{SmallVec, smallvec};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a user calls services and hosts.
#[derive(Debug, Default)]
pub struct NameFiles {
    /// The rules of files of names.
    rules: HashMap<Rule, Named, FixedState>,
    /// The lengths of prefixes that rules have, the longest first.
    lengths: BTreeSet<Reverse<u8>>,
    /// What files of hosts say, the first name first.
    hosts: HashMap<IpAddr, SmallVec<[Arc<Given>; 1]>, FixedState>,
}

/// To what a name is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Rule {
    prefix: Prefix,
    /// The number of a network; else it may be any.
    network: Option<u64>,
    port: Option<u16>,
}

/// The first bits of addresses, all others of which are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Prefix {
    /// `None` for every address of both kinds.
    address: Option<IpAddr>,
    len: u8,
}

/// A name, and where it stands.
#[derive(Debug)]
struct Named {
    given: Arc<Given>,
    place: Place,
    /// Whether anything was called so.
    used: AtomicBool,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: Arc<str>,
    line: usize,
}

/// Why a file of names cannot be used: where, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{place}: {flaw}")]
pub struct NamesError {
    place: Place,
    flaw: Flaw,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum Flaw {
    #[error("it has no name; write ADDRESS[/BITS][:PORT] NAME")]
    NoName,
    #[error("{0} words are too many; write [NETWORK] ADDRESS[/BITS][:PORT] NAME, no spaces in it")]
    Words(usize),
    #[error("{0:?} is no address; write one as 10.0.0.7, 10.0.0.0/8, [::1]:80, or a port as :80")]
    Address(String),
    #[error("{0:?} has bits beyond its prefix; write {1}")]
    Bits(String, String),
    #[error("{0:?} is no number of bits; write 0 to {1} behind the slash")]
    Length(String, u8),
    #[error("{0:?} is no port; write a number from 1 to 65535")]
    Port(String),
    #[error("{0:?} is no network; write one as spans have it, such as 100 or vni7")]
    Network(String),
    #[error("{0:?} cannot be a name; write at most 253 bytes, all of them visible")]
    Name(String),
    #[error("it has no name; a file of hosts takes ADDRESS NAME…, as /etc/hosts does")]
    NoHost,
    #[error(
        "{0:?} is no address; a file of hosts takes ADDRESS NAME…, and --names networks and ports"
    )]
    HostAddress(String),
    #[error("{0:?} cannot be the name of a host; write letters, digits and -._")]
    Host(String),
    #[error("{name:?} is called {known:?} in {place}; leave one of them out")]
    Twice { name: String, known: Box<str>, place: Place },
    #[error("there are more than {RULES} lines with names; leave out what this capture lacks")]
    TooMany,
    #[error("it is no text in UTF-8; write it as such")]
    NoText,
}

impl NameFiles {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.hosts.is_empty()
    }

    /// Adds the lines of a file of names.
    ///
    /// # Errors
    /// Which line cannot be used, and why.
    pub fn add_names(&mut self, file: &str, text: &[u8]) -> Result<(), NamesError> {
        self.lines(file, text, Self::name)
    }

    /// Adds the lines of a file of hosts, as `/etc/hosts` has them (hosts(5)). Of an address that
    /// is there twice, the first line's name is the first. What a host calls itself is passed over:
    /// loopback addresses, `localhost`, addresses that need an interface.
    ///
    /// # Errors
    /// Which line cannot be used, and why.
    pub fn add_hosts(&mut self, file: &str, text: &[u8]) -> Result<(), NamesError> {
        self.lines(file, text, |files, words, _| files.host(words))
    }

    /// What the server at this address and port is called; of the names of a host, the one that is
    /// `asked` for.
    pub fn server(
        &self,
        network: u64,
        address: IpAddr,
        port: u16,
        asked: Option<&str>,
    ) -> Option<Arc<Given>> {
        let host = || {
            let names = self.hosts.get(&address)?;
            let is_asked =
                |given: &&Arc<Given>| asked.is_some_and(|host| is_called(&given.name, host));
            names.iter().find(is_asked).or_else(|| names.first()).cloned()
        };
        self.rule(network, address, Some(port)).or_else(host)
    }

    /// What the host that called is called. What names a port says nothing of it.
    pub fn client(&self, network: u64, address: IpAddr) -> Option<Arc<Given>> {
        let host = || self.hosts.get(&address)?.first().cloned();
        self.rule(network, address, None).or_else(host)
    }

    /// Says which lines of files of names nothing was called by; none of them if all were. A line
    /// whose place another one took, as that says more, counts as used.
    pub fn unused(&self) -> Option<String> {
        let is_used = |named: &Named| named.used.load(Ordering::Relaxed);
        let used = self.rules.iter().filter(|(_, named)| is_used(named));
        let wider: HashSet<Rule, FixedState> =
            used.flat_map(|(rule, _)| self.wider(*rule)).collect();
        let idle = |(rule, named): &(&Rule, &Named)| !is_used(named) && !wider.contains(*rule);
        let idle = self.rules.iter().filter(idle).map(|(_, named)| &named.place);
        let idle: BTreeSet<&Place> = idle.collect();
        let first: Vec<String> = idle.iter().take(TOLD).map(ToString::to_string).collect();
        let more = match idle.len() - first.len() {
            0 => String::new(),
            1 => " and 1 more line".to_owned(),
            more => format!(" and {more} more lines"),
        };
        let of = if idle.len() == 1 { "names" } else { "name" };
        (!idle.is_empty())
            .then(|| format!("--names {}{more} {of} nothing that was read", first.join(", ")))
    }

    /// Rules that there are for whatever this one fits, itself among them.
    fn wider(&self, rule: Rule) -> impl Iterator<Item = Rule> {
        let Rule { prefix, network, port } = rule;
        let shorter = self.lengths.iter().filter(move |Reverse(len)| *len <= prefix.len);
        let shorter = shorter.filter_map(move |Reverse(len)| {
            prefix.address.map(|address| Prefix::of(address, *len))
        });
        shorter.chain([Prefix::ANY]).flat_map(move |prefix| {
            let rule = move |network, port| Rule { prefix, network, port };
            let all =
                [rule(network, port), rule(network, None), rule(None, port), rule(None, None)];
            all.into_iter().filter(|rule| self.rules.contains_key(rule))
        })
    }

    fn rule(&self, network: u64, address: IpAddr, port: Option<u16>) -> Option<Arc<Given>> {
        if self.rules.is_empty() {
            return None;
        }
        let ports: SmallVec<[Option<u16>; 2]> = port.map(Some).into_iter().chain([None]).collect();
        for Reverse(len) in &self.lengths {
            if *len > bits(address) {
                continue;
            }
            let any = (*len == 0).then_some(Prefix::ANY);
            let prefixes: SmallVec<[Prefix; 2]> =
                std::iter::once(Prefix::of(address, *len)).chain(any).collect();
            for network in [Some(network), None] {
                let rules = ports.iter().flat_map(|port| {
                    prefixes.iter().map(|prefix| Rule { prefix: *prefix, network, port: *port })
                });
                if let Some(named) = rules.filter_map(|rule| self.rules.get(&rule)).next() {
                    // Where it is set already, threads need not wait for each other.
                    if !named.used.load(Ordering::Relaxed) {
                        named.used.store(true, Ordering::Relaxed);
                    }
                    return Some(named.given.clone());
                }
            }
        }
        None
    }

    fn lines(
        &mut self,
        file: &str,
        text: &[u8],
        take: fn(&mut Self, &[&str], &Place) -> Result<(), Flaw>,
    ) -> Result<(), NamesError> {
        let file: Arc<str> = file.into();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let place = Place { file: file.clone(), line: number + 1 };
            let taken = std::str::from_utf8(line).map_err(|_| Flaw::NoText).and_then(|line| {
                let line = line.split('#').next().unwrap_or_default();
                let words: SmallVec<[&str; 8]> = line.split_whitespace().collect();
                if words.is_empty() { Ok(()) } else { take(self, &words, &place) }
            });
            taken.map_err(|flaw| NamesError { place, flaw })?;
        }
        Ok(())
    }

    fn name(&mut self, words: &[&str], place: &Place) -> Result<(), Flaw> {
        let (network, target, name) = match *words {
            [_] => return Err(Flaw::NoName),
            [target, name] => (None, target, name),
            [network, target, name] => (Some(network), target, name),
            _ => return Err(Flaw::Words(words.len())),
        };
        let (prefix, port) = target_of(target)?;
        let network = network
            .map(|name| {
                let known = network::of_name(name).filter(|network| network.loopback_of.is_none());
                known.ok_or_else(|| Flaw::Network(shown(name)))
            })
            .transpose()?;
        let network = network.map(|network| network::number(&network));
        let name = word(name).ok_or_else(|| Flaw::Name(shown(name)))?;
        let is_full = self.rules.len() >= RULES;
        match self.rules.entry(Rule { prefix, network, port }) {
            Entry::Occupied(known) if *known.get().given.name == *name => Ok(()),
            Entry::Occupied(known) => {
                let Named { given, place, .. } = known.get();
                let (known, place) = (given.name.clone(), place.clone());
                Err(Flaw::Twice { name: shown(target), known, place })
            }
            Entry::Vacant(_) if is_full => Err(Flaw::TooMany),
            Entry::Vacant(rule) => {
                let given = Arc::new(Given { name: name.into(), by: GivenBy::Names });
                rule.insert(Named { given, place: place.clone(), used: AtomicBool::new(false) });
                self.lengths.insert(Reverse(prefix.len));
                Ok(())
            }
        }
    }

    fn host(&mut self, words: &[&str]) -> Result<(), Flaw> {
        let (address, names) = words.split_first().ok_or(Flaw::NoHost)?;
        let plain = address.split('%').next().unwrap_or_default();
        let Ok(parsed) = plain.parse::<IpAddr>() else {
            return Err(Flaw::HostAddress(shown(address)));
        };
        let parsed = parsed.to_canonical();
        if names.is_empty() {
            return Err(Flaw::NoHost);
        }
        let own = parsed.is_loopback() || parsed.is_unspecified() || parsed.is_multicast();
        if own || plain.len() < address.len() {
            return Ok(());
        }
        let is_full = self.hosts.len() >= RULES;
        for name in names.iter().filter(|name| !is_own(name)) {
            let name = host_word(name).ok_or_else(|| Flaw::Host(shown(name)))?;
            let given = || Arc::new(Given { name: name.into(), by: GivenBy::Hosts });
            match self.hosts.entry(parsed) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    if known.len() < ALIASES && known.iter().all(|one| *one.name != *name) {
                        known.push(given());
                    }
                }
                Entry::Vacant(_) if is_full => return Err(Flaw::TooMany),
                Entry::Vacant(host) => {
                    host.insert(smallvec![given()]);
                }
            }
        }
        Ok(())
    }
}

impl Prefix {
    const ANY: Self = Self { address: None, len: 0 };

    /// The first bits of an address.
    fn of(address: IpAddr, len: u8) -> Self {
        let address = match address {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or_default();
                IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or_default();
                IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
            }
        };
        Self { address: Some(address), len }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.file, self.line)
    }
}

/// Whether a host that goes by this full name is meant by a shorter or the same one.
pub(super) fn is_called(name: &str, asked: &str) -> bool {
    let Some((start, rest)) = name.split_at_checked(asked.len()) else { return false };
    start.eq_ignore_ascii_case(asked) && (rest.is_empty() || rest.starts_with('.'))
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// As much of a word as an error tells of it.
fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// Reads `ADDRESS[/BITS][:PORT]`, `[ADDRESS[/BITS]][/BITS][:PORT]` or `:PORT`.
fn target_of(text: &str) -> Result<(Prefix, Option<u16>), Flaw> {
    let bad = || Flaw::Address(shown(text));
    let port = |text: &str| {
        let port = text.parse().ok().filter(|port| *port > 0);
        port.ok_or_else(|| Flaw::Port(shown(text)))
    };
    if let Some(rest) = text.strip_prefix(':')
        && !rest.starts_with(':')
    {
        return Ok((Prefix::ANY, Some(port(rest)?)));
    }
    let (address, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (inside, rest) = inside.split_once(']').ok_or_else(bad)?;
            let (address, len) =
                inside.split_once('/').map_or((inside, None), |(a, b)| (a, Some(b)));
            match (len, rest.strip_prefix('/')) {
                (Some(_), Some(_)) => return Err(bad()),
                (Some(len), None) => (address, format!("/{len}{rest}")),
                (None, _) => (address, rest.to_owned()),
            }
        }
        // Of an address of IPv6 without brackets, no colon is one before a port.
        None if text.matches(':').count() > 1 => match text.split_once('/') {
            Some((address, len)) => (address, format!("/{len}")),
            None => (text, String::new()),
        },
        None => {
            let end = text.find(['/', ':']).unwrap_or(text.len());
            let (address, rest) = text.split_at_checked(end).ok_or_else(bad)?;
            (address, rest.to_owned())
        }
    };
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let (len, port_text) = match rest.strip_prefix('/') {
        Some(rest) => rest.split_once(':').map_or((Some(rest), None), |(l, p)| (Some(l), Some(p))),
        None if rest.is_empty() => (None, None),
        None => (None, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
    };
    let longest = bits(address);
    let len = match len {
        None => longest,
        Some(len) => {
            let number = len.parse().ok().filter(|number| *number <= longest);
            number.ok_or_else(|| Flaw::Length(shown(len), longest))?
        }
    };
    let port = port_text.map(port).transpose()?;
    // What is written as ::ffff:10.0.0.7 is an address of IPv4.
    let (address, len) = match (address.to_canonical(), len.checked_sub(MAPPED)) {
        (inside @ IpAddr::V4(_), Some(len)) if address.is_ipv6() => (inside, len),
        _ => (address, len),
    };
    let prefix = Prefix::of(address, len);
    if let Some(first) = prefix.address.filter(|first| *first != address) {
        return Err(Flaw::Bits(shown(text), format!("{first}/{len}")));
    }
    Ok((prefix, port))
}

/// Lines of files of names, and addresses of files of hosts, that are taken.
pub const RULES: usize = 1 << 16;
/// Characters of a word that cannot be used that are told.
const SHOWN: usize = 64;
/// Bits before an address of IPv4 that is written as one of IPv6 (RFC 4291, 2.5.5.2).
const MAPPED: u8 = 96;
/// Lines that name nothing that are told.
const TOLD: usize = 3;
/// Names of one host that are kept.
pub(super) const ALIASES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server at each address is called.
    #[track_caller]
    fn check(names: &str, expected: &[(&str, &str)]) {
        let mut files = NameFiles::default();
        files.add_names("names", names.as_bytes()).unwrap();
        for (at, name) in expected {
            let (network, at) = at.split_once(' ').unwrap_or(("", at));
            let at: std::net::SocketAddr = at.parse().unwrap();
            let network = network::number(&network::of_name(network).unwrap());
            let found = files.server(network, at.ip(), at.port(), None);
            let found = found.as_ref().map_or("", |given| &*given.name);
            assert_eq!(found, *name, "{at}");
        }
    }

    /// What is said of a line that cannot be used.
    #[track_caller]
    fn refuse(line: &str, expected: &str) {
        let mut files = NameFiles::default();
        let text = format!("# names\n\n{line}\n");
        let error = files.add_names("my.names", text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("my.names line 3: {expected}"));
    }

    #[test]
    fn the_longest_prefix_counts_then_the_network_then_the_port() {
        check(
            "10.0.0.7:8080 orders # by us\n10.0.0.7 web1\r\n10.0.0.0/8:6379 redis\n\
             10.0.0.0/8 inside\n:5432 postgresql\nvni7 10.0.0.0/8 tenant-7\n0.0.0.0/0 outside\n",
            &[
                ("10.0.0.7:8080", "orders"),
                ("10.0.0.7:80", "web1"),
                ("vni7 10.0.0.7:80", "web1"),
                ("10.0.0.8:6379", "redis"),
                ("10.0.0.8:80", "inside"),
                ("vni7 10.0.0.8:6379", "tenant-7"),
                ("10.0.0.8:5432", "inside"),
                ("192.0.2.1:5432", "postgresql"),
                ("192.0.2.1:80", "outside"),
                ("[2001:db8::1]:5432", "postgresql"),
                ("[2001:db8::1]:80", ""),
            ],
        );
    }

    #[test]
    fn addresses_of_ipv6_have_ports_behind_brackets() {
        check(
            "2001:db8::1 a\n[2001:db8::1]:80 b\n2001:db8::/32 c\n[2001:db8::/32]:80 d\n\
             [2001:db9::]/32:80 e\n:: f\n",
            &[
                ("[2001:db8::1]:81", "a"),
                ("[2001:db8::1]:80", "b"),
                ("[2001:db8::2]:81", "c"),
                ("[2001:db8::2]:80", "d"),
                ("[2001:db9::2]:80", "e"),
                ("[2001:db9::2]:81", ""),
                ("[::]:81", "f"),
            ],
        );
    }

    #[test]
    fn what_names_a_port_says_nothing_of_who_called() {
        let mut files = NameFiles::default();
        let text = b"10.0.0.7:80 a\n10.0.0.0/24 b\n:80 c";
        files.add_names("names", text).unwrap();
        files.add_hosts("hosts", b"10.0.1.7 d e").unwrap();
        let client =
            |address: [u8; 4]| files.client(0, address.into()).map(|given| given.name.to_string());
        assert_eq!(client([10, 0, 0, 7]).as_deref(), Some("b"));
        assert_eq!(client([10, 0, 1, 7]).as_deref(), Some("d"));
        assert_eq!(client([10, 0, 2, 7]), None);
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_line() {
        refuse("10.0.0.7", "it has no name; write ADDRESS[/BITS][:PORT] NAME");
        refuse(
            "10.0.0.7 my shop is",
            "4 words are too many; write [NETWORK] ADDRESS[/BITS][:PORT] NAME, no spaces in it",
        );
        refuse(
            "shop 10.0.0.7",
            "\"shop\" is no address; write one as 10.0.0.7, 10.0.0.0/8, [::1]:80, or a port as :80",
        );
        refuse("10.0.0.7/8 a", "\"10.0.0.7/8\" has bits beyond its prefix; write 10.0.0.0/8");
        refuse("10.0.0.0/33 a", "\"33\" is no number of bits; write 0 to 32 behind the slash");
        refuse("10.0.0.7:http a", "\"http\" is no port; write a number from 1 to 65535");
        refuse(":0 a", "\"0\" is no port; write a number from 1 to 65535");
        refuse(
            "my 10.0.0.7 shop",
            "\"my\" is no network; write one as spans have it, such as 100 or vni7",
        );
        refuse(
            &format!("10.0.0.7 {}", "ü".repeat(5000)),
            &format!(
                "\"{}…\" cannot be a name; write at most 253 bytes, all of them visible",
                "ü".repeat(64)
            ),
        );
        refuse(
            "10.0.0.7 a\u{202e}b",
            "\"a\\u{202e}b\" cannot be a name; write at most 253 bytes, all of them visible",
        );
    }

    #[test]
    fn an_address_of_ipv4_may_be_written_as_one_of_ipv6() {
        check(
            "::ffff:10.0.0.7 a\n[::ffff:10.0.0.7]:80 b\n::ffff:10.1.0.0/112 c\n",
            &[
                ("10.0.0.7:81", "a"),
                ("10.0.0.7:80", "b"),
                ("10.1.255.1:81", "c"),
                ("10.2.0.1:81", ""),
            ],
        );
        refuse(
            "::ffff:10.0.0.7/104 a",
            "\"::ffff:10.0.0.7/104\" has bits beyond its prefix; write 10.0.0.0/8",
        );
        let mut files = NameFiles::default();
        files.add_hosts("hosts", b"::ffff:10.0.0.7 a\n::ffff:127.0.0.1 b").unwrap();
        let name = files.client(0, IpAddr::from([10, 0, 0, 7])).map(|given| given.name.to_string());
        assert_eq!((name.as_deref(), files.hosts.len()), (Some("a"), 1));
    }

    #[test]
    fn lines_that_name_nothing_are_told() {
        let check = |text: &str, expected: Option<&str>| {
            let mut files = NameFiles::default();
            files.add_names("f", text.as_bytes()).unwrap();
            let _ = files.server(0, IpAddr::from([10, 0, 0, 7]), 80, None);
            let _ = files.client(0, IpAddr::from([10, 0, 0, 8]));
            assert_eq!(files.unused().as_deref(), expected, "{text}");
        };
        check("", None);
        check("10.0.0.7:80 a\n10.0.0.8 b", None);
        check("10.0.0.0/8 a", None);
        check(":80 a", None);
        // The first lines say more of what the others fit, too.
        check("10.0.0.7:80 a\n10.0.0.7 b\n10.0.0.0/8:80 c\n10.0.0.0/8 d\n:80 e", None);
        check(
            "10.0.0.7:80 a\n10.0.0.7:81 b\nvni7 10.0.0.7 c",
            Some("--names f line 2, f line 3 name nothing that was read"),
        );
        check(":81 a\n10.0.0.0/8 b", Some("--names f line 1 names nothing that was read"));
        check(
            ":1 a\n:2 a\n:3 a\n:4 a\n:5 a",
            Some(
                "--names f line 1, f line 2, f line 3 and 2 more lines name nothing that was read",
            ),
        );
    }

    #[test]
    fn two_names_for_one_address_are_refused() {
        let mut files = NameFiles::default();
        files.add_names("a", b":80 a\n:80 a").unwrap();
        let error = files.add_names("b", b"\n:80 b").unwrap_err();
        let said = "b line 2: \":80\" is called \"a\" in a line 1; leave one of them out";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn hosts_have_the_first_name_or_the_one_that_is_asked_for() {
        let mut files = NameFiles::default();
        let text = b"127.0.0.1 localhost me\n10.0.0.7\tweb1 shop.example # ours\n\
            10.0.0.7 late\nfe80::1%lo0 localhost\n::1 ip6-localhost\n10.0.0.8 localhost\n";
        files.add_hosts("hosts", text).unwrap();
        let server = |host: u8, asked| {
            let found = files.server(0, IpAddr::from([10, 0, 0, host]), 80, asked);
            found.map(|given| given.name.to_string())
        };
        assert_eq!(server(7, None).as_deref(), Some("web1"));
        assert_eq!(server(7, Some("Shop.example")).as_deref(), Some("shop.example"));
        assert_eq!(server(7, Some("shop")).as_deref(), Some("shop.example"));
        assert_eq!(server(7, Some("late")).as_deref(), Some("late"));
        assert_eq!(server(7, Some("other")).as_deref(), Some("web1"));
        assert_eq!(server(8, None), None);
        assert_eq!(files.hosts.len(), 1);
        let error = files.add_hosts("h", b"10.0.0.7 a\n10.0.0 b").unwrap_err().to_string();
        assert!(error.starts_with("h line 2: \"10.0.0\" is no address"), "{error}");
        let error = files.add_hosts("h", b"10.0.0.0/16 b").unwrap_err().to_string();
        assert!(error.ends_with("takes ADDRESS NAME…, and --names networks and ports"), "{error}");
        let error = files.add_hosts("h", b"10.0.0.9 # b").unwrap_err().to_string();
        assert!(
            error.ends_with(
                "line 1: it has no name; a file of hosts takes ADDRESS NAME…, as /etc/hosts does"
            ),
            "{error}"
        );
        let error = files.add_hosts("h", b"10.0.0.9 a/b").unwrap_err().to_string();
        assert!(error.starts_with("h line 1: \"a/b\" cannot be the name of a host"), "{error}");
    }

    #[test]
    fn lines_beyond_the_limit_are_refused() {
        let mut files = NameFiles::default();
        let line = |n: usize| format!("10.{}.{}.{} a\n", n >> 16, n >> 8 & 255, n & 255);
        let text: String = (0..=RULES).map(line).collect();
        for add in [NameFiles::add_names, NameFiles::add_hosts] {
            let error = add(&mut files, "f", text.as_bytes()).unwrap_err();
            assert_eq!(
                error,
                NamesError {
                    place: Place { file: "f".into(), line: RULES + 1 },
                    flaw: Flaw::TooMany
                }
            );
        }
    }
}
