//! Networks: what they are called in the output, and the numbers that stand for them in derived
//! ids. Neither depends on names or on order.

use wirespan_capture::decode::{Network, Path};
use wirespan_capture::packet::TapId;
use wirespan_capture::tunnel::Part;
use xxhash_rust::xxh3::Xxh3;

/// What tells it from others, from the outermost on and with dots between: a VLAN by its id, what
/// is in a tunnel by the word for its number and that number. Then `lo` and the number of the tap
/// where it is the loopback of that one's machine. Nothing for the network around all of them.
pub fn name(network: &Network) -> String {
    let path = network.path.iter().map(|part| {
        let (word, number) = word(*part);
        format!("{word}{number}")
    });
    let loopback = network.loopback_of.map(|tap| format!("{LOOPBACK}{}", tap.0));
    path.chain(loopback).collect::<Vec<_>>().join(".")
}

/// The network with this name, if there can be one.
pub fn of_name(name: &str) -> Option<Network> {
    let mut network = Network { path: Path::new(), loopback_of: None };
    for part in name.split('.').filter(|_| !name.is_empty()) {
        if network.loopback_of.is_some() {
            return None;
        }
        let (word, number) = part.split_at(part.find(|c: char| c.is_ascii_digit())?);
        let number: u32 = number.parse().ok()?;
        network.path.push(match word {
            LOOPBACK => {
                network.loopback_of = Some(TapId(number.try_into().ok()?));
                continue;
            }
            VLAN => Part::Vlan(number.try_into().ok()?),
            VNI => Part::Vni(number),
            GRE => Part::Gre(number),
            VSID => Part::Vsid(number),
            MPLS => Part::Mpls(number),
            _ => return None,
        });
    }
    Some(network)
}

/// A number that is equal for it wherever it is seen.
pub fn number(network: &Network) -> u64 {
    let mut hash = Xxh3::new();
    for part in &network.path {
        match *part {
            Part::Vlan(vlan) => hash.update(&vlan.to_be_bytes()),
            // The id of no VLAN begins with such a byte.
            part => {
                let (word, number) = word(part);
                hash.update(&[0xff]);
                hash.update(word.as_bytes());
                hash.update(&number.to_be_bytes());
            }
        }
    }
    hash.update(&[u8::from(network.loopback_of.is_some())]);
    hash.digest()
}

fn word(part: Part) -> (&'static str, u32) {
    match part {
        Part::Vlan(id) => (VLAN, id.into()),
        Part::Vni(id) => (VNI, id),
        Part::Gre(id) => (GRE, id),
        Part::Vsid(id) => (VSID, id),
        Part::Mpls(id) => (MPLS, id),
    }
}

const LOOPBACK: &str = "lo";
const VLAN: &str = "";
const VNI: &str = "vni";
const GRE: &str = "gre";
const VSID: &str = "vsid";
const MPLS: &str = "mpls";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &[Part], loopback_of: Option<u16>, expected: &str) {
        let network = Network { path: path.into(), loopback_of: loopback_of.map(TapId) };
        assert_eq!(name(&network), expected);
        assert_eq!(of_name(expected), Some(network));
    }

    #[test]
    fn names_can_be_read_back() {
        check(&[], None, "");
        check(&[Part::Vlan(100), Part::Vlan(7)], None, "100.7");
        check(&[], Some(3), "lo3");
        check(&[Part::Vlan(4094)], Some(0), "4094.lo0");
        check(&[Part::Vni(7)], None, "vni7");
        check(&[Part::Vlan(100), Part::Vni(7)], None, "100.vni7");
        check(&[Part::Gre(u32::MAX), Part::Vlan(5)], None, "gre4294967295.5");
        check(&[Part::Vsid(0x1000), Part::Mpls(17)], Some(1), "vsid4096.mpls17.lo1");
    }

    #[test]
    fn what_is_no_name_is_no_network() {
        let names =
            [".", "1.", "lo", "lo1.2", "lo1.lo2", "x", "70000", "-1", "vni", "vni-1", "vni1x"];
        for name in names {
            assert_eq!(of_name(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_of_vlans_are_those_of_their_ids_alone() {
        let vlans =
            Network { path: [Part::Vlan(1), Part::Vlan(2)].as_slice().into(), loopback_of: None };
        assert_eq!(number(&vlans), xxhash_rust::xxh3::xxh3_64(&[0, 1, 0, 2, 0]));
        let others = ["vni1.2", "1.vni2", "vni1", "gre1", "vsid1", "mpls1"];
        let numbers = others.map(|name| number(&of_name(name).unwrap()));
        for (place, one) in numbers.iter().enumerate() {
            assert!(!numbers[..place].contains(one), "{}", others[place]);
        }
    }
}
