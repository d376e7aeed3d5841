//! Networks: what they are called in the output, and the numbers that stand for them in derived
//! ids. Neither depends on names or on order.

use wirespan_capture::decode::{Network, Vlans};
use wirespan_capture::packet::TapId;
use xxhash_rust::xxh3::Xxh3;

/// Its VLAN ids from the outermost on, then `lo` and the number of the tap where it is the loopback
/// of that one's machine, with dots between them; nothing for the network around all VLANs.
pub fn name(network: &Network) -> String {
    let vlans = network.vlans.iter().map(u16::to_string);
    let loopback = network.loopback_of.map(|tap| format!("{LOOPBACK}{}", tap.0));
    vlans.chain(loopback).collect::<Vec<_>>().join(".")
}

/// The network with this name, if there can be one.
pub fn of_name(name: &str) -> Option<Network> {
    let mut network = Network { vlans: Vlans::new(), loopback_of: None };
    for part in name.split('.').filter(|_| !name.is_empty()) {
        match (part.strip_prefix(LOOPBACK), network.loopback_of) {
            (_, Some(_)) => return None,
            (Some(tap), None) => network.loopback_of = Some(TapId(tap.parse().ok()?)),
            (None, None) => network.vlans.push(part.parse().ok()?),
        }
    }
    Some(network)
}

/// A number that is equal for it wherever it is seen.
pub fn number(network: &Network) -> u64 {
    let mut hash = Xxh3::new();
    for vlan in &network.vlans {
        hash.update(&vlan.to_be_bytes());
    }
    hash.update(&[u8::from(network.loopback_of.is_some())]);
    hash.digest()
}

const LOOPBACK: &str = "lo";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vlans: &[u16], loopback_of: Option<u16>, expected: &str) {
        let network = Network { vlans: vlans.into(), loopback_of: loopback_of.map(TapId) };
        assert_eq!(name(&network), expected);
        assert_eq!(of_name(expected), Some(network));
    }

    #[test]
    fn names_can_be_read_back() {
        check(&[], None, "");
        check(&[100, 7], None, "100.7");
        check(&[], Some(3), "lo3");
        check(&[4094], Some(0), "4094.lo0");
    }

    #[test]
    fn what_is_no_name_is_no_network() {
        for name in [".", "1.", "lo", "lo1.2", "lo1.lo2", "x", "70000", "-1"] {
            assert_eq!(of_name(name), None, "{name}");
        }
    }
}
