//! Which process owns an end of a connection, as a host knew it while packets were captured.
//!
//! It travels with the packets: as a comment of a packet in a pcapng file, in one of these forms.
//!
//! ```text
//! wirespan: tcp 10.0.0.1:43000 > 10.0.0.7:8080 is curl (pid 88)
//! wirespan: tcp 10.0.0.7:8080 is nginx (pid 17, uid 33, netns 4026532008, in nginx.service, on web1)
//! ```
//!
//! The first is the end of one connection, the address before `>` its own. The second is a socket
//! that takes whoever comes: one that listens, or one of UDP that is not connected. Addresses belong
//! to the network of the packet that bears the comment. What stands in the brackets is by name, and
//! may be in any order but for `pid`, which is first; a reader passes over names that it does not
//! know.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A socket and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The socket.
    pub socket: Socket,
    /// The process that owns it; of several that share it, the one that began them.
    pub process: Arc<Process>,
}

/// A socket, by its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// Whether it is one of UDP; else it is one of TCP.
    pub datagrams: bool,
    /// Its own address and port.
    pub local: SocketAddr,
    /// The other end, where it is connected; without one it takes whoever comes.
    pub remote: Option<SocketAddr>,
}

/// A process, as far as it tells services apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its number, as the host numbers it.
    pub pid: u32,
    /// What it runs: a program, a script, an archive. Always a [`word`].
    pub name: Box<str>,
    /// The name of its executable file, if that is another one. A [`word`].
    pub executable: Option<Box<str>>,
    /// The user that it runs as.
    pub user: Option<u32>,
    /// The number of its network namespace, if that is not the host's.
    pub namespace: Option<u64>,
    /// The container or unit that it is in. A [`word`].
    pub group: Option<Box<str>>,
    /// The host that numbers it. A [`word`].
    pub host: Option<Box<str>>,
}

impl Process {
    /// The name of its executable file.
    pub fn executable(&self) -> &str {
        self.executable.as_deref().unwrap_or(&self.name)
    }
}

impl Owner {
    /// Reads a comment; nothing of one that says something else.
    pub fn parse(comment: &str) -> Option<Self> {
        let (transport, rest) = comment.strip_prefix(START)?.split_once(' ')?;
        let datagrams = match transport {
            "tcp" => false,
            "udp" => true,
            _ => return None,
        };
        let (ends, rest) = rest.split_once(" is ")?;
        let (local, remote) = match ends.split_once(" > ") {
            Some((local, remote)) => (local, Some(remote.parse().ok()?)),
            None => (ends, None),
        };
        let local = local.parse().ok()?;
        let (name, rest) = rest.split_once(" (pid ")?;
        let mut fields = rest.strip_suffix(')')?.split(", ");
        let mut process = Process {
            pid: fields.next()?.parse().ok()?,
            name: word(name.as_bytes()).filter(|word| **word == *name)?,
            ..Process::default()
        };
        for field in fields {
            match field.split_once(' ') {
                Some(("exe", name)) => process.executable = word(name.as_bytes()),
                Some(("uid", number)) => process.user = number.parse().ok(),
                Some(("netns", number)) => process.namespace = number.parse().ok(),
                Some(("in", name)) => process.group = word(name.as_bytes()),
                Some(("on", name)) => process.host = word(name.as_bytes()),
                _ => {}
            }
        }
        let socket = Socket { datagrams, local, remote };
        Some(Self { socket, process: Arc::new(process) })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { socket, process } = self;
        let transport = if socket.datagrams { "udp" } else { "tcp" };
        write!(f, "{START}{transport} {}", socket.local)?;
        if let Some(remote) = socket.remote {
            write!(f, " > {remote}")?;
        }
        write!(f, " is {} (pid {}", process.name, process.pid)?;
        if let Some(name) = &process.executable {
            write!(f, ", exe {name}")?;
        }
        if let Some(user) = process.user {
            write!(f, ", uid {user}")?;
        }
        if let Some(namespace) = process.namespace {
            write!(f, ", netns {namespace}")?;
        }
        if let Some(group) = &process.group {
            write!(f, ", in {group}")?;
        }
        if let Some(host) = &process.host {
            write!(f, ", on {host}")?;
        }
        f.write_str(")")
    }
}

/// A name that nobody has to quote: what is neither a letter, a digit nor one of `-_.+:@/` becomes
/// `_`, and what is longer than 64 bytes is cut. Nothing of what is empty.
pub fn word(name: &[u8]) -> Option<Box<str>> {
    let plain = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.+:@/".contains(byte) => char::from(*byte),
        _ => '_',
    };
    let word: String = name.iter().take(LONGEST).map(plain).collect();
    (!word.is_empty()).then(|| word.into())
}

/// What such a comment begins with.
const START: &str = "wirespan: ";
/// Bytes of one name.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for comment in [
            "wirespan: tcp 10.0.0.1:43000 > 10.0.0.7:8080 is curl (pid 88)",
            "wirespan: udp [2001:db8::1]:53 is named (pid 1, exe named-9, uid 0, netns 4026532008, in named.service, on ns1)",
        ] {
            assert_eq!(
                Owner::parse(comment).map(|owner| owner.to_string()).as_deref(),
                Some(comment)
            );
        }
    }

    #[test]
    fn other_comments_are_left_alone() {
        for comment in [
            "",
            "wirespan: trace 6513270e",
            "wirespan: sctp 10.0.0.1:1 is a (pid 1)",
            "wirespan: tcp 10.0.0.1 is a (pid 1)",
            "wirespan: tcp 10.0.0.1:1 > nobody is a (pid 1)",
            "wirespan: tcp 10.0.0.1:1 is  (pid 1)",
            "wirespan: tcp 10.0.0.1:1 is a\u{1b} (pid 1)",
            "wirespan: tcp 10.0.0.1:1 is a (pid -1)",
            "wirespan: tcp 10.0.0.1:1 is a (pid 1",
        ] {
            assert_eq!(Owner::parse(comment), None, "{comment}");
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let owner =
            Owner::parse("wirespan: tcp 10.0.0.1:1 is a (pid 1, new thing, uid 7)").unwrap();
        assert_eq!(owner.process.user, Some(7));
    }

    #[test]
    fn names_are_plain_and_short() {
        let check = |name: &[u8], expected: Option<&str>| {
            assert_eq!(word(name).as_deref(), expected);
        };
        check(b"", None);
        check(b"kworker/0:1", Some("kworker/0:1"));
        check(b"a (b), c\n\xff", Some("a__b___c__"));
        check(&[b'x'; 100], Some("x".repeat(64).as_str()));
    }
}
