//! Cases of one connection: requests before the answers to those before them, and bytes in disorder.

use crate::expect::Expected;
use crate::net::{MS, Net, US};
use crate::talk::Talk;
use std::ops::Range;

/// N: requests that do not wait for answers.
pub(crate) fn n(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    for (place, talk) in [Talk::Http, Talk::MySql, Talk::Redis].into_iter().enumerate() {
        let way = net.short(tap);
        let (client, server) = (net.host(), net.host());
        let at = net.dice.of(20 * MS..30 * MS);
        let mut connection = net.connect(client, (server, talk.port()).into(), &way, at - 5 * MS);
        talk.log_in(&mut connection, net, at - 5 * MS);
        let names: Vec<String> =
            (0..net.dice.of(2..7)).map(|number| format!("turn{place}x{number}")).collect();
        // Some requests share a packet.
        let mut now = at;
        let mut rest = names.as_slice();
        while !rest.is_empty() {
            let count = (net.dice.of(1..4) as usize).min(rest.len());
            let (some, others) = rest.split_at(count);
            let asks: Vec<u8> = some.iter().flat_map(|name| talk.asks(name, &[])).collect();
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            connection.longest = 1_448;
            now = connection.asks(net, now, &some, asks) + net.dice.of(US..200 * US);
            rest = others;
        }
        for name in &names {
            now += net.dice.of(100 * US..9 * MS);
            let content = net.dice.of(1..90) as usize;
            connection.tells(net, now, &[name], talk.tells(&[], content));
            expected.root(name, &way.points());
        }
    }
}

/// O: a request whose head is spread over segments that come in disorder, and twice.
pub(crate) fn o(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    for number in 0..net.dice.of(1..6) {
        let way = net.short(tap);
        let (client, server) = (net.host(), net.host());
        let at = net.dice.of(20 * MS..60 * MS);
        let mut connection = net.connect(client, (server, 80).into(), &way, at);
        let name = format!("call{number}");
        let filler = format!("X-Filler: {}", "f".repeat(net.dice.of(5..600) as usize));
        let asks = Talk::Http.asks(&name, &[filler]);
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while start < asks.len() {
            let end = (start + net.dice.of(9..200) as usize).min(asks.len());
            parts.push(start..end);
            start = end;
        }
        net.dice.shuffle(&mut parts);
        let again = net.dice.pick(&parts);
        parts.insert(net.dice.of(0..parts.len() as i64 + 1) as usize, again);
        let there = connection.asks_in_parts(net, at, &[&name], &asks, &parts);
        let done = there + net.dice.of(100 * US..9 * MS);
        connection.tells(net, done, &[&name], Talk::Http.tells(&[], 20));
        expected.root(&name, &way.points());
    }
}
