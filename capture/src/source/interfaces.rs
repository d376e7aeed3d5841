//! The interfaces that a source has met: what the [`InterfaceId`] of a packet stands for.

use crate::packet::{FileId, InterfaceId, LinkType};
use crate::source::open;
use std::fmt;
use std::path::Path;

/// One interface of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What to call it in output: its own name, or that of its file.
    pub name: String,
    /// How the packets on it begin.
    pub link: LinkType,
    /// The file that named it first.
    pub file: FileId,
    /// The section of that file, counted from 0; always 0 in a classic capture file.
    pub section: u32,
    /// Its number within the section.
    pub index: u32,
    /// The name that the capture gives it, such as `eth0`.
    pub given: Option<String>,
    /// The longest packet that was kept whole, 0 without a limit.
    pub snaplen: u32,
    /// The interface for all interfaces ([`ANY`]) on which it was captured. Where it is so, cooked
    /// packets that name an interface by number all name this one.
    pub of_any: Option<InterfaceId>,
}

impl Interface {
    /// Whether it stands for all interfaces of a host, each packet naming its own by number.
    pub fn is_any(&self) -> bool {
        self.link == LinkType::LINUX_SLL2 && self.given.as_deref() == Some(ANY)
    }
}

/// All interfaces of a source, in order of first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    list: Vec<Interface>,
}

impl Interfaces {
    /// Adds one, unless [`Interfaces::LIMIT`] is reached.
    pub fn add(&mut self, interface: Interface) -> Option<InterfaceId> {
        let id = InterfaceId(u16::try_from(self.list.len()).ok()?);
        if self.list.len() >= Self::LIMIT {
            return None;
        }
        self.list.push(interface);
        Some(id)
    }

    /// What to call an interface of one of several files: by its file's short name, or by the path
    /// where another file has that name.
    pub(super) fn name_among(&self, path: &Path, interface: &Interface) -> String {
        let label = open::label(path);
        let name = |file: &str| match &interface.given {
            Some(_) => format!("{file}:{}", interface.name),
            None => interface.name.replacen(&label, file, 1),
        };
        let short = name(&label);
        if self.may_have(&short) { name(&open::display_name(path)) } else { short }
    }

    /// Whether a name is taken; said of every name where there are too many to look at.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.list.len() > LOOKED_AT || self.list.iter().any(|known| known.name == name)
    }

    /// The interface of that number.
    pub fn get(&self, id: InterfaceId) -> Option<&Interface> {
        self.list.get(usize::from(id.0))
    }

    /// All of them with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (InterfaceId, &Interface)> {
        (0..=u16::MAX).map(InterfaceId).zip(&self.list)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are told apart; packets on further ones are counted as damage.
    pub const LIMIT: usize = 65_535;
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What libpcap calls all interfaces of a host together.
pub const ANY: &str = "any";
/// How many names are compared with a new one.
pub(super) const LOOKED_AT: usize = 1_000;
