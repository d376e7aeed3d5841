//! Cases in which the capture lacks packets: what is linked is right, the rest is open.

use crate::expect::Expected;
use crate::identifiers::{b, m, one, one_format, proxy, several, sidecar};
use crate::net::Net;
use crate::world::World;

/// LEVELS: of what has several levels, by identifiers or by what is open, single packets are
/// missing, or several in a row.
pub(crate) fn levels(net: &mut Net, expected: &mut Expected) {
    let all = [sidecar, sidecar, m, b, one, proxy, several];
    let make = net.dice.of(0..all.len() as i64) as usize;
    all[make](net, expected);
    let percent = net.dice.of(1..11);
    let longest = if net.dice.of(0..2) == 0 { 1 } else { 6 };
    let mut dice = net.dice.clone();
    let mut left = 0;
    net.packets.retain(|_| {
        if left == 0 && dice.of(0..100) < percent {
            left = dice.of(1..longest + 1);
        }
        let is_lost = left > 0;
        left -= i64::from(is_lost);
        !is_lost
    });
    expected.lossy = true;
}

/// LOSS: of the packets that were captured, one to five in a hundred are missing.
pub(crate) fn loss(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    one_format(&mut world, net, expected);
    let percent = net.dice.of(1..6);
    let mut dice = net.dice.clone();
    net.packets.retain(|_| dice.of(0..100) >= percent);
    expected.lossy = true;
}
