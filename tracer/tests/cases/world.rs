//! Calls that cause calls: played on connections that are opened or used again, on ways that points
//! see in one of several manners.

use crate::expect::Expected;
use crate::net::{Connection, MS, Net, Sight, US, Way};
use crate::talk::Talk;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A call, and what it causes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What it asks for; by default what it is called.
    pub(crate) about: String,
    pub(crate) talk: Talk,
    pub(crate) from: IpAddr,
    pub(crate) to: SocketAddr,
    /// Header lines of the request.
    pub(crate) asks: Vec<String>,
    /// Header lines of the response.
    pub(crate) tells: Vec<String>,
    pub(crate) below: Vec<Self>,
    /// Calls below are made at the same time, not one after the other.
    pub(crate) at_once: bool,
    pub(crate) because: Because,
}

/// Why a call hangs under what caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// Nothing caused it.
    Root,
    /// This reason is given.
    Of(&'static str),
    /// One of these reasons is given.
    OneOf(&'static [&'static str]),
    /// No evidence is there: it may hang under nothing, and under nothing else.
    Open,
}

impl Call {
    pub(crate) fn new(name: &str, talk: Talk, from: IpAddr, to: IpAddr) -> Self {
        Self {
            name: name.to_owned(),
            about: name.to_owned(),
            talk,
            from,
            to: (to, talk.port()).into(),
            asks: Vec::new(),
            tells: Vec::new(),
            below: Vec::new(),
            at_once: false,
            because: Because::Root,
        }
    }
}

/// How the ways of a world are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// One tap sees all.
    OneTap,
    /// Each way is seen by one of two taps.
    OneOfTwo,
    /// Each way is seen by two taps, with a router between them.
    Both,
}

/// Ways and connections that are kept.
pub(crate) struct World {
    taps: Vec<usize>,
    view: View,
    ways: BTreeMap<(IpAddr, IpAddr), Way>,
    pool: Vec<Kept>,
    keeps: bool,
}

struct Kept {
    talk: Talk,
    connection: Connection,
    free: i64,
}

impl World {
    pub(crate) fn new(net: &mut Net, expected: &mut Expected, view: View) -> Self {
        let names = if net.dice.one_in(2) { ["eth0", "eth1"] } else { ["west", "east"] };
        let count = if view == View::OneTap { 1 } else { 2 };
        let taps = names[..count].iter().map(|name| net.tap(name)).collect();
        let keeps = net.dice.one_in(2);
        expected.several_files = count > 1 && net.dice.one_in(3);
        Self { taps, view, ways: BTreeMap::new(), pool: Vec::new(), keeps }
    }

    /// One of the views.
    pub(crate) fn any(net: &mut Net, expected: &mut Expected) -> Self {
        let view = net.dice.pick(&[View::OneTap, View::OneOfTwo, View::Both]);
        Self::new(net, expected, view)
    }

    fn way(&mut self, net: &mut Net, from: IpAddr, to: IpAddr) -> Way {
        if let Some(way) = self.ways.get(&(from, to)) {
            return way.clone();
        }
        let way = match self.view {
            View::OneTap => net.short(self.taps[0]),
            View::OneOfTwo => {
                let tap = net.dice.pick(&self.taps);
                net.short(tap)
            }
            View::Both => {
                let [near, far] = [self.taps[0], self.taps[1]];
                let first = net.dice.of(US..20 * US);
                let delay = first + net.dice.of(30 * US..300 * US);
                let points = [near, far].map(|tap| {
                    let name = net.taps[tap].name.clone();
                    let known = net.points.iter().position(|point| *point == name);
                    known.map_or_else(|| net.point(&name), crate::net::PointNumber)
                });
                let hops = net.dice.of(1..4) as u8;
                net.way(delay + 10 * US, hops)
                    .seen(Sight::new(near, points[0], first, 0))
                    .seen(Sight::new(far, points[1], delay, hops))
            }
        };
        self.ways.insert((from, to), way.clone());
        way
    }

    /// A connection that nobody uses at this time.
    fn connection(&mut self, net: &mut Net, call: &Call, at: i64) -> Connection {
        let is_free = |kept: &Kept| {
            kept.talk == call.talk
                && kept.connection.ends[0].ip() == call.from
                && kept.connection.ends[1] == call.to
                && kept.free < at
        };
        if self.keeps
            && let Some(place) = self.pool.iter().position(is_free)
        {
            return self.pool.swap_remove(place).connection;
        }
        let way = self.way(net, call.from, call.to.ip());
        let mut connection = net.connect(call.from, call.to, &way, at - 5 * MS);
        call.talk.log_in(&mut connection, net, at - 5 * MS);
        connection
    }

    /// Plays a call that begins at this time, and tells what is to come of it; gives when the caller
    /// has the answer.
    pub(crate) fn play(
        &mut self,
        net: &mut Net,
        expected: &mut Expected,
        call: &Call,
        parent: Option<&str>,
        at: i64,
    ) -> i64 {
        let mut connection = self.connection(net, call, at);
        let points = connection.way.points();
        match (parent, &call.because) {
            (Some(parent), Because::Of(reason)) => {
                expected.under(&call.name, &points, parent, &[*reason]);
            }
            (Some(parent), Because::OneOf(reasons)) => {
                expected.under(&call.name, &points, parent, reasons);
            }
            (Some(parent), Because::Open) => expected.open(&call.name, &points, parent),
            _ => expected.root(&call.name, &points),
        }
        let names = [call.name.as_str()];
        let asks = call.talk.asks(&call.about, &call.asks);
        let mut now = connection.asks(net, at, &names, asks) + net.dice.of(20 * US..3 * MS);
        let mut last = now;
        for below in &call.below {
            let end = self.play(net, expected, below, Some(&call.name), now);
            last = last.max(end);
            now = if call.at_once { now } else { end } + net.dice.of(5 * US..2 * MS);
        }
        let content = net.dice.of(1..3_000) as usize;
        let done = last + net.dice.of(50 * US..8 * MS);
        let end = connection.tells(net, done, &names, call.talk.tells(&call.tells, content));
        if self.keeps {
            self.pool.push(Kept { talk: call.talk, connection, free: end + MS });
        } else if net.dice.one_in(2) {
            connection.close(net, end + 50 * US);
        }
        end
    }

    /// A call that causes nothing and takes so long.
    pub(crate) fn play_slowly(
        &mut self,
        net: &mut Net,
        expected: &mut Expected,
        call: &Call,
        at: i64,
        takes: i64,
    ) {
        let mut connection = self.connection(net, call, at);
        expected.root(&call.name, &connection.way.points());
        let asks = call.talk.asks(&call.about, &call.asks);
        let now = connection.asks(net, at, &[&call.name], asks);
        connection.tells(net, now + takes, &[&call.name], call.talk.tells(&call.tells, 7));
    }

    /// Calls of others, which have nothing to do with all that.
    pub(crate) fn others(&mut self, net: &mut Net, expected: &mut Expected, until: i64) {
        for number in 0..net.dice.of(0..12) {
            let talk = net.dice.pick(&[Talk::Http, Talk::Redis, Talk::MySql, Talk::PostgreSql]);
            let (from, to) = (net.host(), net.host());
            let mut call = Call::new(&format!("other{number}"), talk, from, to);
            if talk == Talk::Http && net.dice.one_in(2) {
                call.asks.push(format!("X-Request-ID: {}", net.dice.uuid()));
            }
            let at = net.dice.of(10 * MS..until);
            self.play(net, expected, &call, None, at);
        }
    }
}
