//! Cases of one exchange that several points have seen, and of two that only look like one.

use crate::expect::Expected;
use crate::net::{Connection, MS, Net, SECOND, Sight, US, Way};
use crate::talk::Talk;
use crate::wire::Vxlan;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// E: three points, one of which has a clock that is ahead or behind.
pub(crate) fn e(net: &mut Net, expected: &mut Expected) {
    let ahead = net.dice.of(20 * MS..500 * MS);
    clock_is_off(net, expected, ahead);
}

/// E2: the same by seconds up to hours.
pub(crate) fn e2(net: &mut Net, expected: &mut Expected) {
    let ahead =
        if net.dice.one_in(2) { net.dice.of(2 * SECOND..9 * SECOND) } else { 3_600 * SECOND };
    clock_is_off(net, expected, ahead);
}

fn clock_is_off(net: &mut Net, expected: &mut Expected, ahead: i64) {
    let ahead = if net.dice.one_in(2) { ahead } else { -ahead };
    let which = net.dice.of(0..3) as usize;
    let taps: Vec<usize> = ["client", "router", "server"]
        .iter()
        .enumerate()
        .map(|(number, name)| net.tap_ahead(name, if number == which { ahead } else { 0 }))
        .collect();
    let routed = net.dice.one_in(2);
    let way = passing(net, &taps, 100 * US..900 * US, routed);
    expected.apart = ahead.abs();
    expected.tells_clocks = true;
    expected.several_files = net.dice.one_in(2);
    let count = net.dice.of(1..25);
    plain_calls(net, expected, &way, count);
}

/// H: four points of one mirror port.
pub(crate) fn h(net: &mut Net, expected: &mut Expected) {
    let (way, several) = four_points(net, 20 * US..200 * US);
    expected.several_files = several;
    let count = net.dice.of(1..10);
    plain_calls(net, expected, &way, count);
}

/// I: the same, and what the second point sees is stamped late, so that it lasts longer than what
/// the first one saw.
pub(crate) fn i(net: &mut Net, expected: &mut Expected) {
    let (mut way, several) = four_points(net, 2 * US..12 * US);
    expected.several_files = several;
    way.sights[1].jitter = 30 * US;
    let count = net.dice.of(12..30);
    plain_calls(net, expected, &way, count);
}

/// J: a request is lost between two points and sent again.
pub(crate) fn j(net: &mut Net, expected: &mut Expected) {
    lost_on_the_way(net, expected, 1);
}

/// J-TOLD: as J, and the span tells of it.
pub(crate) fn j_told(net: &mut Net, expected: &mut Expected) {
    for name in lost_on_the_way(net, expected, 1) {
        expected.at_least(&name, "/request/resent/segments", 1);
        expected.at_least(&name, "/request/resent/stalled", 190 * MS);
    }
}

/// J2: it is lost several times, after which a sender waits twice as long each time.
pub(crate) fn j2(net: &mut Net, expected: &mut Expected) {
    lost_on_the_way(net, expected, 4);
}

/// Gives the names of those that were lost so often.
fn lost_on_the_way(net: &mut Net, expected: &mut Expected, losses: u32) -> Vec<String> {
    let mut all_lost = Vec::new();
    let taps = [net.tap("client"), net.tap("middle"), net.tap("server")];
    let count = net.dice.of(2..4) as usize;
    let routed = net.dice.one_in(2);
    let way = passing(net, &taps[..count], 20 * US..200 * US, routed);
    expected.several_files = net.dice.one_in(2);
    expected.sent_again = true;
    let calls = net.dice.of(1..6);
    let mut at = 20 * MS;
    for number in 0..calls {
        let name = format!("call{number}");
        let (client, server) = (net.host(), net.host());
        let talk = net.dice.pick(&[Talk::Http, Talk::Redis]);
        let mut connection = net.connect(client, (server, talk.port()).into(), &way, at);
        connection.longest = 1_448;
        let lost = number == 0 || net.dice.one_in(2);
        let asks = talk.asks(&name, &[]);
        let there = if lost {
            let mut wait = net.dice.of(200 * MS..900 * MS);
            let mut times = vec![at];
            for _ in 0..losses {
                times.push(times[times.len() - 1] + wait);
                wait *= 2;
            }
            let behind = net.dice.of(1..count as i64) as usize;
            connection.asks_again(net, &times, &[&name], asks, behind)
        } else {
            connection.asks(net, at, &[&name], asks)
        };
        let done = there + net.dice.of(50 * US..20 * MS);
        connection.tells(net, done, &[&name], talk.tells(&[], 20));
        expected.root(&name, &way.points());
        if lost {
            all_lost.push(name);
        }
        at += net.dice.of(MS..300 * MS);
    }
    all_lost
}

/// K: the response takes long from the server's point to the client's.
pub(crate) fn k(net: &mut Net, expected: &mut Expected) {
    let taps = [net.tap("client"), net.tap("middle"), net.tap("server")];
    let count = net.dice.of(2..4) as usize;
    let routed = net.dice.one_in(2);
    let mut way = passing(net, &taps[..count], 20 * US..200 * US, routed);
    let late = net.dice.of(50 * MS..400 * MS);
    way.late_answers = Some((net.dice.of(1..count as i64) as usize, late));
    expected.several_files = net.dice.one_in(2);
    let calls = net.dice.of(1..6);
    plain_calls(net, expected, &way, calls);
}

/// K-TOLD: as K, and the span tells of the network's share.
pub(crate) fn k_told(net: &mut Net, expected: &mut Expected) {
    k(net, expected);
    expected.at_least("call0", "/time/network", 50 * MS);
}

/// L: two flows that have nothing to do with each other, with equal sequence numbers and one path.
pub(crate) fn l(net: &mut Net, expected: &mut Expected) {
    let taps = [net.tap("west"), net.tap("east")];
    let one_tap = net.dice.one_in(2);
    let mut ways = Vec::new();
    for tap in taps {
        ways.push(net.short(if one_tap { taps[0] } else { tap }));
    }
    expected.several_files = !one_tap && net.dice.one_in(2);
    let at = 20 * MS;
    let port = net.port();
    let talk = net.dice.pick(&[Talk::Http, Talk::Redis]);
    let equal_port = net.dice.one_in(2);
    let one_server = net.dice.one_in(3).then(|| net.host());
    let mut first: Option<Connection> = None;
    for (number, way) in ways.iter().enumerate() {
        let client = net.host();
        let server = match one_server {
            Some(server) => server,
            None => net.host(),
        };
        let port = if equal_port { port } else { net.port() };
        let ends = [(client, port).into(), (server, talk.port()).into()];
        let mut connection = Connection::new(net, ends[0], ends[1], way);
        connection.longest = 1_448;
        if let Some(first) = &first {
            // Either side's numbers are the same, or only the client's; no stamps tell them apart, or
            // those do.
            connection.next[0] = first.next[0];
            if first.stamps.is_some() && connection.stamps.is_some() {
                connection.next[1] = first.next[1];
            }
            connection.ip_ids = first.ip_ids;
            connection.ttl = first.ttl;
        }
        first.get_or_insert_with(|| connection.clone());
        let at = at + number as i64 * net.dice.of(0..40 * MS);
        connection.open(net, at);
        let name = format!("flow{number}");
        let there = connection.asks(net, at, &[&name], talk.asks("same", &[]));
        let done = there + net.dice.of(MS..30 * MS);
        connection.tells(net, done, &[&name], talk.tells(&[], 10 + number));
        expected.root(&name, &way.points());
    }
}

/// U: two clients behind one address, whose ports are used again.
pub(crate) fn u(net: &mut Net, expected: &mut Expected) {
    let (inside, outside) = (net.tap("inside"), net.tap("outside"));
    let points = [net.point("inside"), net.point("outside")];
    let (server, gateway) = (net.host(), net.host());
    let clients: Vec<IpAddr> = (0..net.dice.of(2..4)).map(|_| net.host()).collect();
    let talk = net.dice.pick(&[Talk::Http, Talk::Redis]);
    let ports: Vec<u16> = (0..net.dice.of(1..3)).map(|_| net.port()).collect();
    let keeps_port = net.dice.one_in(2);
    let server: SocketAddr = (server, talk.port()).into();
    expected.several_files = net.dice.one_in(2);
    let hops = net.dice.of(0..2) as u8;
    for (place, port) in ports.iter().enumerate() {
        let mut at = 20 * MS + place as i64 * net.dice.of(0..20 * MS);
        for number in 0..net.dice.of(2..5) as usize {
            let client = clients[number % clients.len()];
            let own = if keeps_port { *port } else { net.port() };
            let delay = net.dice.of(20 * US..200 * US);
            let mut beyond = Sight::new(outside, points[1], delay, 1);
            beyond.ends = Some([(gateway, *port).into(), server]);
            let all = delay + net.dice.of(US..500 * US);
            let way =
                net.way(all, 1 + hops).seen(Sight::new(inside, points[0], 5 * US, 0)).seen(beyond);
            let mut connection = Connection::new(net, (client, own).into(), server, &way);
            connection.open(net, at);
            // All ask for the same.
            for turn in 0..net.dice.of(1..3) {
                let name = format!("port{place}x{number}x{turn}");
                let there = connection.asks(net, at, &[&name], talk.asks("same", &[]));
                let done = there + net.dice.of(100 * US..20 * MS);
                at = connection.tells(net, done, &[&name], talk.tells(&[], 10))
                    + net.dice.of(US..5 * MS);
                expected.root(&name, &way.points());
            }
            connection.close(net, at);
            at += net.dice.of(200 * MS..20 * SECOND);
        }
    }
}

/// NAT: the client's address is rewritten, the server's, or both; many connections at a time.
pub(crate) fn nat(net: &mut Net, expected: &mut Expected) {
    let (inside, outside) = (net.tap("inside"), net.tap("outside"));
    let points = [net.point("inside"), net.point("outside")];
    let (front, gateway) = (net.host(), net.host());
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let clients: Vec<IpAddr> = (0..net.dice.of(1..5)).map(|_| net.host()).collect();
    let talk = net.dice.pick(&[Talk::Http, Talk::Redis]);
    let (source, target) = net.dice.pick(&[(true, false), (false, true), (true, true)]);
    let back_port = net.dice.pick(&[talk.port(), 8_080]);
    expected.several_files = net.dice.one_in(2);
    for number in 0..net.dice.of(2..9) {
        let at = net.dice.of(20 * MS..60 * MS);
        let (client, port) = (net.dice.pick(&clients), net.port());
        let own: SocketAddr = (client, port).into();
        let asked: SocketAddr = (front, talk.port()).into();
        let other = if source { (gateway, net.port()).into() } else { own };
        let answering = if target { (net.dice.pick(&backends), back_port).into() } else { asked };
        let delay = net.dice.of(20 * US..200 * US);
        let mut beyond = Sight::new(outside, points[1], delay, 1);
        beyond.ends = Some([other, answering]);
        let all = delay + net.dice.of(US..500 * US);
        let way = net.way(all, 1).seen(Sight::new(inside, points[0], 5 * US, 0)).seen(beyond);
        let mut connection = Connection::new(net, own, asked, &way);
        connection.open(net, at);
        let mut at = at;
        let same = net.dice.one_in(2);
        for turn in 0..net.dice.of(1..4) {
            let name = format!("call{number}x{turn}");
            let about = if same { "same" } else { name.as_str() };
            let there = connection.asks(net, at, &[&name], talk.asks(about, &[]));
            let done = there + net.dice.of(100 * US..20 * MS);
            at = connection.tells(net, done, &[&name], talk.tells(&[], 10))
                + net.dice.of(US..5 * MS);
            expected.root(&name, &way.points());
        }
    }
}

/// NAT2: two hosts on the way rewrite addresses, each of them seen from both sides.
pub(crate) fn nat2(net: &mut Net, expected: &mut Expected) {
    let names = ["home", "carrier", "edge", "rack"];
    let taps = names.map(|name| net.tap(name));
    let points = names.map(|name| net.point(name));
    let count = net.dice.of(3..5) as usize;
    let (public, virtual_server) = (net.host(), net.host());
    let clients: Vec<IpAddr> = (0..net.dice.of(2..5)).map(|_| net.host()).collect();
    let backends: Vec<IpAddr> = (0..net.dice.of(2..4)).map(|_| net.host()).collect();
    let talk = net.dice.pick(&[Talk::Http, Talk::Redis]);
    // Clients choose ports on their own, so that two of them may have the same one.
    let ports: Vec<u16> = (0..2).map(|_| net.port()).collect();
    let mut used: Vec<SocketAddr> = Vec::new();
    expected.several_files = net.dice.one_in(2);
    for number in 0..net.dice.of(2..9) {
        let own: SocketAddr = (net.dice.pick(&clients), net.dice.pick(&ports)).into();
        if used.contains(&own) {
            continue;
        }
        used.push(own);
        let asked: SocketAddr = (virtual_server, talk.port()).into();
        let outside: SocketAddr = (public, net.port()).into();
        let answering: SocketAddr = (net.dice.pick(&backends), 8_000).into();
        let ends = [[own, asked], [outside, asked], [outside, answering], [outside, answering]];
        let step = net.dice.of(20 * US..300 * US);
        let mut way = net.way(5 * step, count as u8);
        for place in 0..count {
            let delay = (place as i64 + 1) * step;
            let mut sight = Sight::new(taps[place], points[place], delay, place as u8);
            sight.ends = Some(ends[place]);
            way = way.seen(sight);
        }
        let mut connection = Connection::new(net, own, asked, &way);
        let mut at = net.dice.of(20 * MS..40 * MS);
        connection.open(net, at);
        for turn in 0..net.dice.of(1..4) {
            let name = format!("call{number}x{turn}");
            let there = connection.asks(net, at, &[&name], talk.asks("same", &[]));
            let done = there + net.dice.of(100 * US..20 * MS);
            let answered = connection.tells(net, done, &[&name], talk.tells(&[], 10));
            at = answered + net.dice.of(US..5 * MS);
            expected.root(&name, &way.points());
        }
    }
}

/// VXLAN: between two hosts, what two containers say is in a tunnel.
pub(crate) fn vxlan(net: &mut Net, expected: &mut Expected) {
    in_a_tunnel(net, expected, [0, 0]);
}

/// Points in two containers and on the nodes that they run on, whose clocks are ahead by so much.
pub(crate) fn in_a_tunnel(net: &mut Net, expected: &mut Expected, ahead: [i64; 2]) {
    let names = ["veth1", "node1", "node2", "veth2"];
    let mut taps = Vec::new();
    for (number, name) in names.iter().enumerate() {
        taps.push(net.tap_ahead(name, ahead[number / 2]));
    }
    let points = names.map(|name| net.point(name));
    let node = |net: &mut Net| Ipv4Addr::new(192, 0, 2, net.dice.of(1..250) as u8);
    let (one, other) = (node(net), Ipv4Addr::new(198, 51, 100, 7));
    let tunnel = Vxlan { vni: net.dice.of(1..4_000) as u32, ends: [one, other] };
    let all = [true, net.dice.one_in(2), true, true];
    let step = net.dice.of(10 * US..100 * US);
    let mut way = net.way(5 * step, 0);
    for number in 0..4 {
        if all[number] {
            let delay = (number as i64 + 1) * step - step / 2;
            let mut sight = Sight::new(taps[number], points[number], delay, 0);
            sight.vxlan = (number == 1 || number == 2).then_some(tunnel);
            way = way.seen(sight);
        }
    }
    expected.several_files = net.dice.one_in(2);
    let count = net.dice.of(1..8);
    plain_calls(net, expected, &way, count);
}

/// Four points: of one tap that sees each hop, or of four.
fn four_points(net: &mut Net, step: std::ops::Range<i64>) -> (Way, bool) {
    let one_tap = net.dice.one_in(2);
    let routed = one_tap || net.dice.one_in(2);
    let taps: Vec<usize> = match one_tap {
        true => vec![net.tap("mirror"); 4],
        false => ["access", "core", "edge", "rack"].iter().map(|name| net.tap(name)).collect(),
    };
    let several = !one_tap && net.dice.one_in(2);
    (passing(net, &taps, step, routed), several)
}

/// A way that passes these taps, with a router between each two of them or none.
fn passing(net: &mut Net, taps: &[usize], step: std::ops::Range<i64>, routed: bool) -> Way {
    let count = taps.len() as u8;
    let mut delays = vec![net.dice.of(US..10 * US)];
    for number in 0..taps.len() {
        delays.push(delays[number] + net.dice.of(step.clone()));
    }
    let hops = |number: u8| if routed { number } else { 0 };
    let mut way = net.way(delays[taps.len()], hops(count - 1));
    for (number, tap) in taps.iter().enumerate() {
        let point = net.point(&format!("{}:{number}", net.taps[*tap].name));
        way = way.seen(Sight::new(*tap, point, delays[number], hops(number as u8)));
    }
    way
}

/// Calls between some hosts on one way, some of them on one connection, that cause nothing.
fn plain_calls(net: &mut Net, expected: &mut Expected, way: &Way, count: i64) {
    let clients: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let servers: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let mut number = 0;
    while number < count {
        let mut at = net.dice.of(20 * MS..200 * MS);
        let talk =
            net.dice.pick(&[Talk::Http, Talk::Http, Talk::Redis, Talk::MySql, Talk::PostgreSql]);
        let (client, server) = (net.dice.pick(&clients), net.dice.pick(&servers));
        let mut connection = net.connect(client, (server, talk.port()).into(), way, at);
        at = talk.log_in(&mut connection, net, at);
        for _ in 0..net.dice.of(1..5) {
            let name = format!("call{number}");
            let there = connection.asks(net, at, &[&name], talk.asks(&name, &[]));
            let done = there + net.dice.of(100 * US..20 * MS);
            at = connection.tells(net, done, &[&name], talk.tells(&[], 30))
                + net.dice.of(US..5 * MS);
            expected.root(&name, &way.points());
            number += 1;
            if number >= count {
                break;
            }
        }
    }
}
