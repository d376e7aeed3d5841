//! Where packets were seen: numbers of taps, of networks and of places.

use super::{Decoder, Network, Why, mix};
use crate::packet::{NetworkId, TapId};
use crate::tunnel::Part;
use hashbrown::HashMap;

/// Where a packet was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) tap: TapId,
    pub(super) place: TapId,
    pub(super) network: NetworkId,
    pub(super) space: u64,
}

/// Numbers things in order of their first appearance.
#[derive(Debug)]
pub(super) struct Table<T> {
    pub(super) all: Vec<T>,
    pub(super) numbers: HashMap<T, u16>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    /// The number of a thing; none past the limit, which is all that the numbers can tell apart.
    pub(super) fn number(&mut self, thing: &T) -> Option<u16> {
        if let Some(number) = self.numbers.get(thing) {
            return Some(*number);
        }
        let number = u16::try_from(self.all.len()).ok()?;
        self.all.push(thing.clone());
        self.numbers.insert(thing.clone(), number);
        Some(number)
    }
}

impl Decoder {
    /// Where the present packet was seen.
    #[inline]
    pub(super) fn spot(&mut self) -> Option<Spot> {
        let tap = &self.around.tap;
        if let Some((interface, index, spot)) = self.last_plain
            && interface == tap.interface
            && index == tap.index
            && tap.vlans.is_empty()
            && tap.tunnels.is_empty()
        {
            return Some(spot);
        }
        self.spot_of_another()
    }

    /// Where a packet was seen that has VLANs or tunnels, or comes from another interface.
    #[inline(never)]
    fn spot_of_another(&mut self) -> Option<Spot> {
        let tap = &self.around.tap;
        if let Some(spot) = self.last_spot
            && self.taps.all.get(usize::from(spot.tap.0)) == Some(tap)
        {
            return Some(spot);
        }
        let Some(spot) = self.new_spot() else { return self.refuse(Why::TapsLost) };
        self.last_spot = Some(spot);
        let tap = &self.around.tap;
        if tap.vlans.is_empty() && tap.tunnels.is_empty() {
            self.last_plain = Some((tap.interface, tap.index, spot));
        }
        Some(spot)
    }

    /// Where the present packet was seen, which is not where the one before it was.
    fn new_spot(&mut self) -> Option<Spot> {
        let tap = &self.around.tap;
        let id = match self.taps.numbers.get(tap) {
            Some(number) => TapId(*number),
            None if tap.tunnels.is_empty() || self.taps.all.len() < TAPS_BY_ENDS => {
                TapId(self.taps.number(tap)?)
            }
            // Ends may be many, and what lies in their tunnels must not be lost with them.
            None => {
                self.counters.tunnel_ends_lost += 1;
                let mut tap = tap.clone();
                tap.tunnels.iter_mut().for_each(|tunnel| tunnel.ends = None);
                TapId(self.taps.number(&tap)?)
            }
        };
        if self.places.len() <= usize::from(id.0) {
            let place = self.named_place(id);
            self.places.push(place);
            // Taps that are one point see one network.
            let path = self.taps.all.get(usize::from(place.0))?.path();
            let space = path.iter().fold(0, |all, part| match *part {
                Part::Vlan(vlan) => all << 12 | u64::from(vlan),
                Part::Vni(id) => mix(all, 1 << 32 | u64::from(id)),
                Part::Gre(id) => mix(all, 2 << 32 | u64::from(id)),
                Part::Vsid(id) => mix(all, 3 << 32 | u64::from(id)),
                Part::Mpls(id) => mix(all, 4 << 32 | u64::from(id)),
            });
            let network = Network { path, loopback_of: None };
            let network = self.networks.number(&network).map(NetworkId);
            self.spots.push(network.map(|network| Spot { tap: id, place, network, space }));
        }
        self.spots.get(usize::from(id.0)).copied().flatten()
    }

    /// The first tap of the point that a new tap belongs to by the user's word, else itself.
    fn named_place(&mut self, id: TapId) -> TapId {
        let Some(tap) = self.taps.all.get(usize::from(id.0)) else { return id };
        let Some((name, given)) = self.interfaces.get(usize::from(tap.interface.0)) else {
            return id;
        };
        let name = tap.name(name);
        let given = given.as_deref().map(|given| tap.name(given));
        let mut points = self.named.iter_mut();
        match points.find(|(point, _)| point.has(&name, given.as_deref())) {
            Some((_, first)) => *first.get_or_insert(id),
            None => id,
        }
    }

    /// The network of the loopback addresses of a place: its own.
    pub(super) fn loopback(&mut self, spot: &Spot) -> Option<NetworkId> {
        let around = self.networks.all.get(usize::from(spot.network.0)).map(|n| n.path.clone());
        let own = Network { path: around.unwrap_or_default(), loopback_of: Some(spot.place) };
        match self.networks.number(&own) {
            Some(number) => Some(NetworkId(number)),
            None => self.refuse(Why::TapsLost),
        }
    }
}

/// Taps beyond which tunnels are no longer told apart by their ends, but only by their numbers.
const TAPS_BY_ENDS: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_beyond_the_limit_have_no_number_and_never_that_of_another() {
        let mut table = Table::default();
        for thing in 0..65_536_u32 {
            assert_eq!(table.number(&thing).map(u32::from), Some(thing));
        }
        assert_eq!((table.number(&65_536), table.number(&65_535)), (None, Some(u16::MAX)));
    }
}
