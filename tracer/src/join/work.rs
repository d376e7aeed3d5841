//! What workers are at work on: the messages that a host got, and what it calls meanwhile.

use crate::exchange::{EventNumber, Exchange, Sort};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use wirespan_capture::packet::{NetworkId, Timestamp};
use wirespan_capture::stream::PointId;

/// The work of all hosts.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// What each has got lately, the latest last.
    tasks: HashMap<(NetworkId, IpAddr), VecDeque<Task>, FixedState>,
    /// Hosts in the order in which they were first seen to get something.
    order: VecDeque<(NetworkId, IpAddr)>,
    /// What the callers of exchanges that did not settle yet were at work on, if that is one thing.
    of: HashMap<EventNumber, EventNumber, FixedState>,
}

/// What a consumer got at once, and works on.
#[derive(Clone, Copy, Debug)]
struct Task {
    consumer: EventNumber,
    fingerprint: u64,
    point: PointId,
    connection: [SocketAddr; 2],
    /// When it had it.
    from: Timestamp,
    /// When it asked for more.
    until: Option<Timestamp>,
}

impl Work {
    /// Its client has got something by this exchange.
    pub(crate) fn begin(&mut self, exchange: &Exchange, number: EventNumber, fingerprint: u64) {
        let host = (exchange.network, exchange.client_host());
        if !self.tasks.contains_key(&host) {
            if self.order.len() >= HOSTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.tasks.remove(&oldest);
            }
            self.order.push_back(host);
        }
        let tasks = self.tasks.entry(host).or_default();
        let over =
            |task: &Task| task.until.is_some_and(|until| is_old(until, exchange.end(), KEPT_FOR));
        while tasks.len() >= TASKS || tasks.front().is_some_and(over) {
            tasks.pop_front();
        }
        tasks.push_back(Task {
            consumer: number,
            fingerprint,
            point: exchange.first_point,
            connection: [exchange.client, exchange.server],
            from: exchange.end(),
            until: None,
        });
    }

    /// A client asks for more on a connection: it is at work no more on what it got there before.
    pub(crate) fn ask(
        &mut self,
        network: NetworkId,
        connection: [SocketAddr; 2],
        point: PointId,
        at: Timestamp,
    ) {
        let [client, server] = connection;
        let tasks = self.tasks.get_mut(&(network, caller(client, server)));
        let mut before = tasks.into_iter().flatten().rev();
        if let Some(task) = before.find(|task| (task.connection, task.point) == (connection, point))
        {
            task.until.get_or_insert(at);
        }
    }

    /// Notes what its caller was at work on as an exchange began, if that is one thing only.
    pub(crate) fn note(&mut self, exchange: &Exchange, number: EventNumber) {
        if self.tasks.is_empty() {
            return;
        }
        let host = (exchange.network, exchange.client_host());
        let Some(tasks) = self.tasks.get(&host) else { return };
        let asks = exchange.records.as_ref().is_some_and(|records| records.asks);
        if asks || !matches!(exchange.sort, Sort::Call | Sort::OneWay) {
            return;
        }
        let at = exchange.start();
        let is_open = |task: &&Task| {
            task.from <= at
                && task.until.is_none_or(|until| at < until)
                && !is_old(task.from, at, LONGEST)
        };
        let mut only: Option<&Task> = None;
        for task in tasks.iter().filter(is_open) {
            only = match only {
                None => Some(task),
                // What another point saw is the same; this one's is told at the right time.
                Some(other) if other.fingerprint == task.fingerprint => {
                    Some(if task.point == exchange.first_point { task } else { other })
                }
                Some(_) => return,
            };
        }
        if let Some(task) = only {
            self.of.insert(number, task.consumer);
        }
    }

    /// What the caller of an exchange was at work on, by which it got it; asked once.
    pub(crate) fn of(&mut self, number: EventNumber) -> Option<EventNumber> {
        if self.of.is_empty() { None } else { self.of.remove(&number) }
    }
}

/// The address of the host that called, as [`Exchange::client_host`] gives it.
fn caller(client: SocketAddr, server: SocketAddr) -> IpAddr {
    if client.ip().is_loopback() { server.ip() } else { client.ip() }
}

/// Whether more than so many nanoseconds have passed.
pub(crate) fn is_old(at: Timestamp, now: Timestamp, limit: i64) -> bool {
    now.0.saturating_sub(at.0) > limit
}

/// Hosts whose work is known, and how much of each.
const HOSTS: usize = 4096;
const TASKS: usize = 64;
/// Nanoseconds for which what is over is remembered.
const KEPT_FOR: i64 = 10_000_000_000;
/// Nanoseconds for which a consumer may be at work on what it got at once.
const LONGEST: i64 = 600_000_000_000;
