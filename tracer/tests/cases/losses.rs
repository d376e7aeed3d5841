//! Cases in which the capture lacks packets: what is linked is right, the rest is open.

use crate::expect::Expected;
use crate::identifiers::one_format;
use crate::net::Net;
use crate::world::World;

/// LOSS: of the packets that were captured, one to five in a hundred are missing.
pub(crate) fn loss(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    one_format(&mut world, net, expected);
    let percent = net.dice.of(1..6);
    let mut dice = net.dice.clone();
    net.packets.retain(|_| dice.of(0..100) >= percent);
    expected.lossy = true;
}
