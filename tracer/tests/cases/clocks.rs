//! Cases of clocks that are off, where more hangs on them than the order of points.

use crate::expect::Expected;
use crate::identifiers::one_format;
use crate::net::{MS, Net, SECOND};
use crate::points::in_a_tunnel;
use crate::world::{View, World};

/// E3: calls that cause calls, seen at points whose clocks are seconds apart and drift, each in a
/// file of its own.
pub(crate) fn e3(net: &mut Net, expected: &mut Expected) {
    let mut world = World::new(net, expected, View::Both);
    let mut apart = 0;
    for tap in &mut net.taps {
        tap.ahead = net.dice.of(-3 * SECOND..3 * SECOND);
        tap.drift = net.dice.of(-50_000..50_000);
        apart = apart.max(tap.ahead.abs());
    }
    expected.apart = 2 * apart + MS;
    expected.tells_clocks = true;
    expected.several_files = true;
    one_format(&mut world, net, expected);
}

/// VXLAN2: what goes through a tunnel between two nodes whose clocks differ.
pub(crate) fn vxlan2(net: &mut Net, expected: &mut Expected) {
    let ahead = [0; 2].map(|_| net.dice.of(-90 * MS..90 * MS));
    expected.apart = 200 * MS;
    in_a_tunnel(net, expected, ahead);
}
