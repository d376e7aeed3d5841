//! Cases of messages that wait in Redis: who got one is linked to who sent it.

use crate::expect::Expected;
use crate::net::{Connection, MS, Net, US};
use crate::talk::{Talk, resp};
use std::net::{IpAddr, SocketAddr};

/// P: lists, streams and channels of Redis.
pub(crate) fn p(net: &mut Net, expected: &mut Expected) {
    match net.dice.of(0..3) {
        0 => lists(net, expected),
        1 => streams(net, expected),
        _ => channels(net, expected),
    }
}

/// A message on its way to a queue.
struct Sent {
    name: String,
    content: String,
    /// When the server has it.
    there: i64,
    producer: Connection,
}

/// Messages to each of some queues: the same ones may be in two of them, and twice in one.
fn messages(net: &mut Net, redis: SocketAddr, tap: usize, queue: usize) -> Vec<Sent> {
    let producers: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let equal = net.dice.one_in(3);
    let mut at = 30 * MS;
    let count = net.dice.of(2..9);
    let mut sent = Vec::new();
    for number in 0..count {
        at += net.dice.of(500 * US..30 * MS);
        let content = match equal {
            true => "again".to_owned(),
            false => {
                let filler = "x".repeat(net.dice.of(0..900) as usize);
                format!("{{\"order\":{number},\"note\":\"{filler}\"}}")
            }
        };
        let (producer, way) = (net.dice.pick(&producers), net.short(tap));
        let producer = net.connect(producer, redis, &way, at);
        let there = at + way.delay;
        sent.push(Sent { name: format!("send{queue}x{number}"), content, there, producer });
    }
    sent
}

impl Sent {
    /// Sends it with this command, which is answered so.
    fn put(&mut self, net: &mut Net, expected: &mut Expected, command: &[u8], answer: &[u8]) {
        let at = self.there - self.producer.way.delay;
        // All of it comes at once, so that it is there when that was said.
        self.producer.longest = 9_000;
        let there = self.producer.asks(net, at, &[&self.name], command);
        self.producer.tells(net, there + 9 * US, &[&self.name], answer);
        expected.root(&self.name, &self.producer.way.points());
    }
}

/// Workers take from lists what producers put there, in that order.
fn lists(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    let redis: SocketAddr = (net.host(), 6379).into();
    for queue in 0..net.dice.of(1..3) as usize {
        let key = format!("jobs:{queue}");
        let from_left = net.dice.one_in(2);
        let moves = net.dice.one_in(4);
        let push = if from_left && !moves { "RPUSH" } else { "LPUSH" };
        let pop = if from_left { "BLPOP" } else { "BRPOP" };
        // Each worker, and when its next request is there.
        let mut workers: Vec<(Connection, i64)> = Vec::new();
        for _ in 0..net.dice.of(1..3) {
            let (worker, way) = (net.host(), net.short(tap));
            let ready = net.dice.of(20 * MS..90 * MS);
            workers.push((net.connect(worker, redis, &way, ready - MS), ready));
        }
        for (number, mut sent) in messages(net, redis, tap, queue).into_iter().enumerate() {
            sent.put(net, expected, &resp(&[push, &key, &sent.content]), b":1\r\n");
            let next = workers.iter_mut().min_by_key(|(_, ready)| *ready);
            let (worker, ready) = next.unwrap();
            let name = format!("take{queue}x{number}");
            let asks = match moves {
                true => resp(&["BRPOPLPUSH", &key, "taken", "0"]),
                false => resp(&[pop, &key, "0"]),
            };
            let delay = worker.way.delay;
            worker.asks(net, *ready - delay, &[&name], asks);
            let taken = sent.there.max(*ready) + 15 * US;
            let bulk = format!("${}\r\n{}\r\n", sent.content.len(), sent.content);
            let tells = match moves {
                true => bulk,
                false => format!("*2\r\n${}\r\n{key}\r\n{bulk}", key.len()),
            };
            worker.tells(net, taken, &[&name], tells);
            expected.root(&name, &worker.way.points());
            expected.message(&name, &sent.name, "message-content");
            let mut done = taken + 2 * delay + net.dice.of(MS..40 * MS);
            if net.dice.one_in(2) {
                done = worker_calls(net, expected, worker, tap, done, &name);
            }
            *ready = done + delay + net.dice.of(US..9 * MS);
        }
    }
}

/// A call that a worker makes for what it took; gives when it has the answer.
fn worker_calls(
    net: &mut Net,
    expected: &mut Expected,
    worker: &Connection,
    tap: usize,
    at: i64,
    taken: &str,
) -> i64 {
    let (backend, way) = (net.host(), net.short(tap));
    let mut connection = net.connect(worker.ends[0].ip(), (backend, 80).into(), &way, at);
    let name = format!("for_{taken}");
    let there = connection.asks(net, at, &[&name], Talk::Http.asks(&name, &[]));
    let done = there + net.dice.of(100 * US..9 * MS);
    expected.root(&name, &way.points());
    expected.message(&name, taken, "one-message");
    connection.tells(net, done, &[&name], Talk::Http.tells(&[], 9))
}

/// Readers of streams get all that is new, each of them all of it; ids tell what it is.
fn streams(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    let redis: SocketAddr = (net.host(), 6379).into();
    for queue in 0..net.dice.of(1..3) as usize {
        let key = format!("events:{queue}");
        let mut sent = messages(net, redis, tap, queue);
        // Those of one millisecond differ in what follows it.
        let ids: Vec<String> = sent
            .iter()
            .enumerate()
            .map(|(place, sent)| format!("{}-{place}", 1_700_000_000_000 + sent.there / MS))
            .collect();
        for (sent, id) in sent.iter_mut().zip(&ids) {
            let command = resp(&["XADD", &key, "*", "data", &sent.content, "kind", "order"]);
            let answer = format!("${}\r\n{id}\r\n", id.len());
            sent.put(net, expected, &command, answer.as_bytes());
        }
        for reader in 0..net.dice.of(1..3) {
            let (host, way) = (net.host(), net.short(tap));
            let mut ready = net.dice.of(20 * MS..90 * MS);
            let mut connection = net.connect(host, redis, &way, ready - MS);
            let group = net.dice.one_in(2);
            let (mut first, mut turn) = (0, 0);
            while first < sent.len() {
                let name = format!("read{queue}x{reader}x{turn}");
                let last = if first == 0 { "0" } else { &ids[first - 1] };
                let asks = match group {
                    true => {
                        let group = format!("group{reader}");
                        let words = [
                            "XREADGROUP",
                            "GROUP",
                            &group,
                            "me",
                            "BLOCK",
                            "0",
                            "STREAMS",
                            &key,
                            ">",
                        ];
                        resp(&words)
                    }
                    false => resp(&["XREAD", "BLOCK", "0", "STREAMS", &key, last]),
                };
                connection.asks(net, ready - way.delay, &[&name], asks);
                let end = sent.iter().take_while(|sent| sent.there <= ready).count().max(first + 1);
                let taken = sent[end - 1].there.max(ready) + 15 * US;
                let entries: String = (first..end)
                    .map(|place| {
                        let (id, content) = (&ids[place], &sent[place].content);
                        let fields = resp(&["data", content, "kind", "order"]);
                        let fields = String::from_utf8(fields).unwrap();
                        format!("*2\r\n${}\r\n{id}\r\n{fields}", id.len())
                    })
                    .collect();
                let head = format!("*1\r\n*2\r\n${}\r\n{key}\r\n*{}\r\n", key.len(), end - first);
                connection.tells(net, taken, &[&name], head + &entries);
                expected.root(&name, &way.points());
                for sent in &sent[first..end] {
                    expected.message(&name, &sent.name, "stream-id");
                }
                ready = taken + 2 * way.delay + net.dice.of(2 * MS..60 * MS);
                (first, turn) = (end, turn + 1);
            }
        }
    }
}

/// Subscribers of a channel are told each message as it comes.
fn channels(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    let redis: SocketAddr = (net.host(), 6379).into();
    for queue in 0..net.dice.of(1..3) as usize {
        let channel = format!("news:{queue}");
        let mut subscribers = Vec::new();
        for _ in 0..net.dice.of(1..4) {
            let (host, way) = (net.host(), net.short(tap));
            let mut connection = net.connect(host, redis, &way, 10 * MS);
            let there = connection.asks(net, 10 * MS, &[], resp(&["SUBSCRIBE", &channel]));
            let length = channel.len();
            let answer = format!("*3\r\n$9\r\nsubscribe\r\n${length}\r\n{channel}\r\n:1\r\n");
            connection.tells(net, there + 9 * US, &[], answer);
            subscribers.push(connection);
        }
        for (number, mut sent) in messages(net, redis, tap, queue).into_iter().enumerate() {
            let answer = format!(":{}\r\n", subscribers.len());
            let command = resp(&["PUBLISH", &channel, &sent.content]);
            sent.put(net, expected, &command, answer.as_bytes());
            for (place, subscriber) in subscribers.iter_mut().enumerate() {
                let name = format!("told{queue}x{number}x{place}");
                let told = resp(&["message", &channel, &sent.content]);
                subscriber.tells(net, sent.there + (3 + place as i64) * US, &[&name], told);
                expected.root(&name, &subscriber.way.points());
                expected.message(&name, &sent.name, "message-content");
            }
        }
    }
}
