//! The interfaces that packets of `any` name by number: each becomes one of its own, with the name
//! that it has when its first packet comes.

use crate::packet::{Batch, InterfaceId, LinkType};
use crate::source::interfaces::{ANY, Interface, Interfaces, LOOKED_AT};
use hashbrown::HashMap;

/// The interfaces by their numbers in the kernel.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<u32, InterfaceId>,
    last: Option<(u32, InterfaceId)>,
}

impl Names {
    /// Puts the packets of a batch on interfaces of their own. Those of too many interfaces stay
    /// where they are: on `any`.
    pub(super) fn tell_apart(
        &mut self,
        batch: &mut Batch,
        interfaces: &mut Interfaces,
        name_of: impl Fn(u32) -> Option<String>,
    ) {
        for packet in &mut batch.packets {
            // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html: behind the protocol and
            // two bytes that are reserved.
            let bytes = batch.buffer.get(packet.bytes.clone()).unwrap_or_default();
            let index = bytes.get(4..).and_then(|rest| rest.first_chunk());
            let Some(index) = index.map(|index| u32::from_be_bytes(*index)) else { continue };
            if index == 0 || packet.link != LinkType::LINUX_SLL2 {
                continue;
            }
            packet.interface = match self.last {
                Some((last, id)) if last == index => id,
                _ => self.of(index, packet.interface, interfaces, &name_of),
            };
        }
    }

    fn of(
        &mut self,
        index: u32,
        any: InterfaceId,
        interfaces: &mut Interfaces,
        name_of: impl Fn(u32) -> Option<String>,
    ) -> InterfaceId {
        let id = match self.known.get(&index) {
            Some(id) => *id,
            None if self.known.len() >= MOST => return any,
            None => {
                let id = add(index, any, interfaces, name_of).unwrap_or(any);
                self.known.insert(index, id);
                id
            }
        };
        self.last = Some((index, id));
        id
    }
}

/// Adds an interface, unless there is one of its name: made anew, it goes on.
fn add(
    index: u32,
    any: InterfaceId,
    interfaces: &mut Interfaces,
    name_of: impl Fn(u32) -> Option<String>,
) -> Option<InterfaceId> {
    let name = name_of(index).unwrap_or_else(|| format!("{ANY}%{index}"));
    if let Some((id, _)) = interfaces.iter().find(|(_, known)| known.name == name) {
        return Some(id);
    }
    let interface = Interface {
        given: Some(name.clone()),
        name,
        index: u32::try_from(interfaces.len()).ok()?,
        of_any: Some(any),
        ..interfaces.get(any)?.clone()
    };
    interfaces.add(interface)
}

/// Numbers of interfaces that are known. With more, files that hold these interfaces would get other names for
/// them when they are read.
const MOST: usize = LOOKED_AT - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{FileId, Frame, PacketHead, Timestamp};

    fn interfaces() -> Interfaces {
        let mut interfaces = Interfaces::default();
        interfaces.add(Interface {
            name: ANY.to_owned(),
            link: LinkType::LINUX_SLL2,
            file: FileId(0),
            section: 0,
            index: 0,
            given: Some(ANY.to_owned()),
            snaplen: 0,
            of_any: None,
        });
        interfaces
    }

    /// The names of the interfaces that packets with these numbers come to.
    fn told_apart(
        names: &mut Names,
        interfaces: &mut Interfaces,
        numbers: &[u32],
        name_of: impl Fn(u32) -> Option<String>,
    ) -> Vec<String> {
        let mut batch = Batch::default();
        for number in numbers {
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(b"\x08\0\0\0");
            batch.buffer.extend_from_slice(&number.to_be_bytes());
            batch.packets.push(PacketHead {
                at: Timestamp(0),
                interface: InterfaceId(0),
                link: LinkType::LINUX_SLL2,
                frame: Frame::default(),
                wire_len: 8,
                bytes: start..start + 8,
            });
        }
        names.tell_apart(&mut batch, interfaces, name_of);
        let name = |head: &PacketHead| interfaces.get(head.interface).unwrap().name.clone();
        batch.packets.iter().map(name).collect()
    }

    #[test]
    fn each_number_is_an_interface_with_its_name() {
        let (mut names, mut interfaces) = (Names::default(), interfaces());
        let name_of = |index| match index {
            1 => Some("lo".to_owned()),
            2 | 9 => Some("eth0".to_owned()),
            _ => None,
        };
        let mut check = |numbers: &[u32], expected: &[&str]| {
            let told = told_apart(&mut names, &mut interfaces, numbers, name_of);
            assert_eq!(told, expected, "{numbers:?}");
        };
        check(&[2, 2, 1, 7], &["eth0", "eth0", "lo", "any%7"]);
        // Made anew, it goes on; of some packets nothing is known.
        check(&[9, 0, 1], &["eth0", "any", "lo"]);
        assert_eq!(interfaces.len(), 4);
        assert!(interfaces.iter().skip(1).all(|(_, known)| known.of_any == Some(InterfaceId(0))));
    }

    #[test]
    fn packets_of_too_many_interfaces_stay_together() {
        let (mut names, mut interfaces) = (Names::default(), interfaces());
        let numbers: Vec<u32> = (1..=2_000).collect();
        let told = told_apart(&mut names, &mut interfaces, &numbers, |i| Some(format!("veth{i}")));
        assert_eq!((told[0].as_str(), told[998].as_str()), ("veth1", "veth999"));
        assert_eq!((told[999].as_str(), told[1_999].as_str()), ("any", "any"));
    }
}
