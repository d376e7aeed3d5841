//! Which addresses are one machine's.
//!
//! An address belongs to one machine of its network. Loopback addresses are every machine's own, so
//! those at one point are one machine's; which one is told by connections of that point of which one
//! end has another address, as where a sidecar takes over what the application sends, or learnt from
//! what passes from one to the other.

use crate::exchange::Exchange;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::IpAddr;
use wirespan_capture::packet::NetworkId;
use wirespan_capture::stream::PointId;

/// What a machine is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// An address in a network.
    Address(NetworkId, IpAddr),
    /// The loopback addresses at a point.
    Loopback(PointId),
}

impl Name {
    /// Equal for one address in all networks.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Address(_, IpAddr::V4(ip)) => u64::from(u32::from(ip)),
            Self::Address(_, IpAddr::V6(ip)) => {
                let ip = u128::from(ip);
                (ip ^ ip >> 64) as u64
            }
            Self::Loopback(_) => 0,
        }
    }
}

/// The number of a machine; of two that turn out to be one, either may be used.
pub type Machine = u32;

/// The machines at the two ends of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: Name,
    pub(crate) server: Name,
    /// Another name of theirs, where they are one machine.
    pub(crate) also: Option<Name>,
}

impl Ends {
    /// By the addresses of an exchange, and what was known of its point first.
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let Exchange { network, first_point, client, server, .. } = *exchange;
        Self::between(network, first_point, client.ip(), server.ip())
    }

    /// By the addresses of both, as this point sees them.
    pub(crate) fn between(
        network: NetworkId,
        point: PointId,
        client: IpAddr,
        server: IpAddr,
    ) -> Self {
        let loopback = Name::Loopback(point);
        match (client.is_loopback(), server.is_loopback()) {
            (true, true) => Self { client: loopback, server: loopback, also: None },
            (false, false) => {
                let also = (client == server).then_some(loopback);
                let [client, server] = [client, server].map(|ip| Name::Address(network, ip));
                Self { client, server, also }
            }
            (near, _) => {
                let own = Name::Address(network, if near { server } else { client });
                Self { client: own, server: own, also: Some(loopback) }
            }
        }
    }
}

/// Numbers of machines.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    /// Those that were asked for lately, and those before them.
    numbers: [HashMap<Name, Machine, RandomState>; 2],
    /// Of those that turned out to be another one, which.
    merged: HashMap<Machine, Machine, RandomState>,
    next: Machine,
}

impl Machines {
    /// The machine with this name.
    pub(crate) fn number(&mut self, name: Name) -> Machine {
        let [lately, before] = &mut self.numbers;
        if let Some(number) = lately.get(&name).copied() {
            return self.one(number);
        }
        if lately.len() >= NAMES / 2 {
            *before = std::mem::take(lately);
        }
        let next = &mut self.next;
        let number = before.remove(&name).unwrap_or_else(|| {
            *next = next.wrapping_add(1);
            *next
        });
        lately.insert(name, number);
        self.one(number)
    }

    /// The number that counts for a machine.
    pub(crate) fn one(&self, machine: Machine) -> Machine {
        // Nearly always none is merged.
        if self.merged.is_empty() {
            return machine;
        }
        std::iter::successors(Some(machine), |at| self.merged.get(at).copied())
            .last()
            .unwrap_or(machine)
    }

    /// Two machines are one; gives the number that it keeps, and the one that is gone.
    pub(crate) fn merge(&mut self, one: Machine, other: Machine) -> Option<(Machine, Machine)> {
        let (one, other) = (self.one(one), self.one(other));
        if one == other || self.merged.len() >= NAMES {
            return None;
        }
        let (kept, gone) = (one.min(other), one.max(other));
        self.merged.insert(gone, kept);
        Some((kept, gone))
    }
}

/// Names of machines that are remembered.
pub const NAMES: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    impl Machines {
        /// How many names it remembers, and machines that turned out to be others.
        pub(crate) fn sizes(&self) -> [usize; 2] {
            [self.numbers.iter().map(HashMap::len).sum(), self.merged.len()]
        }
    }
}
