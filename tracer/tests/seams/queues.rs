//! Producers and consumers of messages that lie in a queue in between.

use crate::http::{Call, Connection, end};
use crate::packets::{Packet, Random};
use crate::run::{Ran, run};
use std::collections::VecDeque;
use wirespan::exchange::{OPERATION, RESOURCE};
use wirespan::span::{Span, SpanLink, Trace};
use wirespan_parsers::message::Value;

/// Connections to Redis on host 9, and what was said on them.
#[derive(Default)]
struct Redis {
    connections: Vec<(u8, Connection)>,
    packets: Vec<Packet>,
}

impl Redis {
    /// What a host asks, and what it is told, at these milliseconds.
    fn call(&mut self, host: u8, asked: i64, command: &str, told: i64, reply: &str) {
        let command = command_of(command);
        let packet = self.connection(host).asks(asked, command);
        self.packets.push(packet);
        self.tell(host, told, reply);
    }

    fn tell(&mut self, host: u8, at: i64, reply: &str) {
        let packet = self.connection(host).tells(at, reply);
        self.packets.push(packet);
    }

    fn connection(&mut self, host: u8) -> &mut Connection {
        let place = self.connections.iter().position(|(known, _)| *known == host);
        let place = place.unwrap_or_else(|| {
            let mut new = Connection::new(end(host, 40_000 + 2 * u16::from(host)), end(9, 6379));
            self.packets.extend(new.open(0));
            self.connections.push((host, new));
            self.connections.len() - 1
        });
        &mut self.connections[place].1
    }

    fn run(&self) -> Ran {
        self.run_with(Vec::new())
    }

    fn run_with(&self, more: Vec<Packet>) -> Ran {
        let mut packets = [self.packets.clone(), more].concat();
        packets.sort_by_key(Packet::time);
        run(&packets)
    }
}

/// Words as an array of values.
fn command_of(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    array(&words)
}

fn array(values: &[&str]) -> String {
    let values: String = values.iter().map(|value| bulk(value)).collect();
    let count = values.matches('$').count();
    format!("*{count}\r\n{values}")
}

fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", value.len())
}

fn words(span: &Span) -> String {
    let words = [OPERATION, RESOURCE].map(|name| span.exchange.text.text(name));
    let words: Vec<&str> = words.iter().flatten().map(|w| str::from_utf8(w).unwrap()).collect();
    words.join(" ")
}

fn spans(ran: &Ran) -> impl Iterator<Item = (&Trace, &Span)> {
    ran.traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)))
}

/// The links from messages to whom they are of: name and start in milliseconds of both, why, and how
/// sure.
fn links(ran: &Ran) -> Vec<String> {
    let ms = |span: &Span| span.exchange.start().0 % 1_000_000_000_000 / 1_000_000;
    let mut links = Vec::new();
    for (_, span) in spans(ran) {
        for link in &span.span_links {
            let SpanLink { reason, confidence, .. } = link;
            let of = |id| spans(ran).find(|(_, span)| span.id == id).unwrap();
            let (trace, other) = of(link.span);
            assert_eq!(trace.id, link.trace);
            let mut text = format!(
                "{} {} of {} {}: {} {confidence}",
                words(span),
                ms(span),
                words(other),
                ms(other),
                reason.name()
            );
            if let Some(runner_up) = link.runner_up {
                text += &format!(", or {}", ms(of(runner_up).1));
            }
            links.push(text);
        }
    }
    links.sort();
    links
}

#[test]
fn who_put_nothing_in_is_not_linked() {
    let multi = format!("{}{}", command_of("MULTI"), command_of("LPUSH jobs one"));
    let queue = |end: &str| multi.clone() + &command_of(end);
    for (commands, reply) in [
        (command_of("LPUSH jobs one"), "-OOM command not allowed\r\n"),
        (command_of("LPUSH jobs one"), "-MOVED 7 10.0.0.8:6379\r\n"),
        (command_of("LPUSHX jobs one"), ":0\r\n"),
        (queue("DISCARD"), "+OK\r\n+QUEUED\r\n+OK\r\n"),
        (queue("EXEC"), "+OK\r\n+QUEUED\r\n*-1\r\n"),
    ] {
        let mut redis = Redis::default();
        let packet = redis.connection(1).asks(10, commands);
        redis.packets.push(packet);
        // The consumer has it before the producer that failed is told so.
        redis.call(4, 20, "LPUSH jobs one", 21, ":1\r\n");
        redis.call(2, 25, "BLPOP jobs 0", 26, &array(&["jobs", "one"]));
        redis.tell(1, 30, reply);
        let expected = ["BLPOP jobs 25 of LPUSH jobs 20: message-content 0.95"];
        assert_eq!(links(&redis.run()), expected, "{reply}");
    }
}

#[test]
fn a_transaction_puts_in_what_its_commands_say() {
    let mut redis = Redis::default();
    let commands = ["MULTI", "LPUSH jobs one", "EXEC"].map(command_of).concat();
    let packet = redis.connection(1).asks(10, commands);
    redis.packets.push(packet);
    redis.tell(1, 11, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    redis.call(2, 25, "RPOP jobs", 26, &bulk("one"));
    let expected = ["RPOP jobs 25 of EXEC 10: message-content 0.95"];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn what_is_popped_is_of_whoever_pushed_it() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs one two", 11, ":2\r\n");
    redis.call(2, 5_000, "RPOP jobs", 5_001, &bulk("one"));
    redis.call(3, 6_000, "RPOP other", 6_001, &bulk("two"));
    redis.call(3, 7_000, "RPOP jobs", 7_001, &bulk("three"));
    let expected = ["RPOP jobs 5000 of LPUSH jobs 10: message-content 0.95"];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn pop_may_begin_before_its_push_and_be_over_before_it() {
    let mut redis = Redis::default();
    redis.call(2, 10, "BRPOP jobs 0", 3_002, &array(&["jobs", "one"]));
    redis.call(1, 3_001, "LPUSH jobs one", 3_003, ":1\r\n");
    let expected = ["BRPOP jobs 10 of LPUSH jobs 3001: message-content 0.95"];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn batches_are_of_several() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs one", 11, ":1\r\n");
    redis.call(2, 20, "LPUSH jobs two three", 21, ":3\r\n");
    redis.call(3, 30, "LPOP jobs 3", 31, &array(&["three", "two", "one"]));
    let ran = redis.run();
    assert!(spans(&ran).all(|(_, span)| span.link.is_none()), "none is a parent");
    let expected = [
        "LPOP jobs 30 of LPUSH jobs 10: message-content 0.95",
        "LPOP jobs 30 of LPUSH jobs 20: message-content 0.95",
    ];
    assert_eq!(links(&ran), expected);
}

#[test]
fn of_equal_messages_the_first_in_is_the_first_out_and_the_next_is_told() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs tick", 11, ":1\r\n");
    redis.call(1, 20, "LPUSH jobs tick", 21, ":2\r\n");
    redis.call(2, 30, "RPOP jobs", 31, &bulk("tick"));
    redis.call(2, 40, "RPOP jobs", 41, &bulk("tick"));
    redis.call(2, 50, "RPOP jobs", 51, &bulk("tick"));
    redis.call(1, 60, "LPUSH jobs tick", 61, ":1\r\n");
    let expected = [
        "RPOP jobs 30 of LPUSH jobs 10: message-content 0.6, or 20",
        "RPOP jobs 40 of LPUSH jobs 20: message-content 0.95",
    ];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn trace_waits_for_that_of_its_producer() {
    let mut redis = Redis::default();
    redis.call(1, 100, "LPUSH jobs one", 101, ":1\r\n");
    redis.call(2, 200, "RPOPLPUSH jobs doing", 201, &bulk("one"));
    redis.call(3, 300, "RPOP doing", 301, &bulk("one"));
    // Host 1 pushes while it is asked, and answers much later.
    let asked = Call::new(5, 1, 50..9_000, "/order").packets();
    let ran = redis.run_with(asked);
    let expected = [
        "RPOP doing 300 of RPOPLPUSH jobs 200: message-content 0.95",
        "RPOPLPUSH jobs 200 of LPUSH jobs 100: message-content 0.95",
    ];
    assert_eq!(links(&ran), expected);
    let order: Vec<String> = ran.traces.iter().map(|trace| words(&trace.spans[0])).collect();
    assert_eq!(order, ["RPOP doing", "GET /order", "RPOPLPUSH jobs"]);
}

#[test]
fn what_is_put_back_into_the_same_list_is_not_of_itself() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LMOVE jobs jobs LEFT RIGHT", 11, &bulk("one"));
    redis.call(2, 20, "RPOP jobs", 21, &bulk("one"));
    let expected = ["RPOP jobs 20 of LMOVE jobs 10: message-content 0.95"];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn entries_of_streams_are_known_by_their_ids() {
    let mut redis = Redis::default();
    let entry = |id| format!("*2\r\n{}{}", bulk(id), array(&["a", "1"]));
    redis.call(1, 10, "XADD events * a 1", 11, &bulk("10-0"));
    redis.call(1, 20, "XADD events * a 1", 21, &bulk("20-0"));
    let both = format!("*1\r\n*2\r\n{}*2\r\n{}{}", bulk("events"), entry("20-0"), entry("10-0"));
    redis.call(2, 30, "XREADGROUP GROUP g c STREAMS events >", 31, &both);
    redis.call(3, 40, "XRANGE events 20-0 +", 41, &format!("*1\r\n{}", entry("20-0")));
    let expected = [
        "XRANGE events 40 of XADD events 20: stream-id 1",
        "XREADGROUP events 30 of XADD events 10: stream-id 1",
        "XREADGROUP events 30 of XADD events 20: stream-id 1",
    ];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn all_subscribers_got_what_was_published() {
    let mut redis = Redis::default();
    for host in [2, 3] {
        let confirmed = format!("*3\r\n{}{}:1\r\n", bulk("subscribe"), bulk("news"));
        redis.call(host, 10, "SUBSCRIBE news", 11, &confirmed);
    }
    redis.call(1, 20, "PUBLISH news hi", 23, ":2\r\n");
    redis.tell(2, 21, &array(&["message", "news", "hi"]));
    redis.tell(3, 22, &array(&["message", "news", "hi"]));
    redis.call(1, 5_020, "PUBLISH news hi", 5_023, ":2\r\n");
    redis.tell(2, 5_021, &array(&["message", "news", "hi"]));
    let expected = [
        "MESSAGE news 21 of PUBLISH news 20: message-content 0.95",
        "MESSAGE news 22 of PUBLISH news 20: message-content 0.95",
        "MESSAGE news 5021 of PUBLISH news 5020: message-content 0.95",
    ];
    assert_eq!(links(&redis.run()), expected);
}

#[test]
fn several_points_see_one_message() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs tick", 11, ":1\r\n");
    redis.call(2, 20, "RPOP jobs", 21, &bulk("tick"));
    redis.call(1, 30, "LPUSH jobs tick", 31, ":1\r\n");
    redis.call(2, 40, "RPOP jobs", 41, &bulk("tick"));
    let far = redis.packets.iter().map(|packet| {
        let ttl = if packet.source().port() == 6379 { 65 } else { 63 };
        packet.clone().on("far").ttl(ttl).at_ns(packet.time() + 50_000)
    });
    let ran = redis.run_with(far.collect());
    let expected = [
        "RPOP jobs 20 of LPUSH jobs 10: message-content 0.95",
        "RPOP jobs 40 of LPUSH jobs 30: message-content 0.95",
    ];
    assert_eq!(links(&ran), expected);
    for (_, span) in spans(&ran) {
        let is_pop = words(span) == "RPOP jobs";
        assert_eq!(!span.span_links.is_empty(), is_pop && span.depth == 0, "the outermost has it");
    }
}

#[test]
fn records_are_told_with_their_exchange() {
    let mut redis = Redis::default();
    redis.call(1, 10, "XADD events * a 1", 11, &bulk("10-0"));
    let ran = redis.run();
    let (_, span) = spans(&ran).next().unwrap();
    let records: Vec<_> = span.exchange.records.iter().flat_map(|records| records.iter()).collect();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].role.name(), records[0].queue), ("produced", &b"events"[..]));
    assert_eq!(records[0].id, b"10-0");
    let text = Value::Text(b"XADD events * a 1");
    assert!(span.exchange.text.iter().any(|(_, value)| value == text));
}

#[test]
fn calls_of_a_worker_are_for_the_only_message_that_it_has() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs one", 11, ":1\r\n");
    redis.call(2, 20, "BRPOP jobs 0", 21, &array(&["jobs", "one"]));
    redis.call(2, 50, "SET done 1", 51, "+OK\r\n");
    redis.call(1, 100, "LPUSH jobs two", 102, ":1\r\n");
    // It asks for the next one, gets it, and asks again at once.
    redis.call(2, 60, "BRPOP jobs 0", 101, &array(&["jobs", "two"]));
    redis.call(2, 130, "BRPOP jobs 0", 9_000, "*-1\r\n");
    let calls = [
        Call::new(2, 3, 30..40, "/one").packets(),
        Call::new(2, 3, 65..70, "/idle").packets(),
        Call::new(2, 3, 110..120, "/two").packets(),
        Call::new(2, 3, 140..150, "/later").packets(),
        Call::new(4, 3, 110..120, "/other").packets(),
        // What somebody else asks the worker for is not for its message.
        Call::new(5, 2, 105..128, "/asked").packets(),
        Call::new(2, 3, 122..125, "/passed").packets(),
    ];
    let ran = redis.run_with(calls.concat());
    let expected = [
        "BRPOP jobs 20 of LPUSH jobs 10: message-content 0.95",
        "BRPOP jobs 60 of LPUSH jobs 100: message-content 0.95",
        "GET /one 30 of BRPOP jobs 20: one-message 0.7",
        "SET done 50 of BRPOP jobs 20: one-message 0.7",
    ];
    assert_eq!(links(&ran), expected);
}

#[test]
fn calls_of_a_worker_with_two_messages_are_for_neither() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs one two", 11, ":1\r\n");
    redis.call(2, 20, "RPOP jobs", 21, &bulk("one"));
    let mut second = Connection::new(end(2, 50_000), end(9, 6379));
    redis.packets.extend(second.open(0));
    redis.packets.push(second.asks(22, command_of("RPOP jobs")));
    redis.packets.push(second.tells(23, bulk("two")));
    let ran = redis.run_with(Call::new(2, 3, 30..40, "/one").packets());
    assert!(links(&ran).iter().all(|link| link.ends_with("message-content 0.95")));
}

/// Producers, consumers and queues by chance: who got what is known, and told right for each.
#[test]
fn whoever_got_a_message_is_linked_to_its_producer() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut lot = Lot::new(seed + 100);
        for _ in 0..60 {
            lot.at += 1 + random.below(200) as i64;
            match random.below(5) {
                0 | 1 => lot.push(),
                2 => lot.pop(),
                3 => lot.add(),
                _ => lot.read(),
            }
        }
        let mut found: Vec<String> = links(&lot.redis.run());
        found.retain(|link| !link.contains("one-message"));
        let short = |link: &String| link.split(": ").next().unwrap().to_owned();
        found = found.iter().map(short).collect();
        lot.expected.sort();
        assert_eq!(found, lot.expected, "seed {seed}");
    }
}

/// What lies in Redis, and who waits for it.
struct Lot {
    random: Random,
    redis: Redis,
    at: i64,
    lists: [VecDeque<(String, i64)>; 3],
    /// Hosts that wait at a list, and since when.
    waiting: [VecDeque<(u8, i64)>; 3],
    entries: Vec<(String, i64)>,
    read: [usize; 2],
    expected: Vec<String>,
}

impl Lot {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            redis: Redis::default(),
            at: 0,
            lists: Default::default(),
            waiting: Default::default(),
            entries: Vec::new(),
            read: [0; 2],
            expected: Vec::new(),
        }
    }

    /// One of three hosts pushes; of contents, one in three is like others.
    fn push(&mut self) {
        let (host, list) = (1 + self.random.below(3) as u8, self.random.below(3));
        let value = match self.random.below(3) {
            0 => "tick".to_owned(),
            _ => format!("value-{}", self.at),
        };
        let command = command_of(&format!("LPUSH list{list} {value}"));
        let packet = self.redis.connection(host).asks(self.at, command);
        self.redis.packets.push(packet);
        match self.waiting[list].pop_front() {
            Some((waiter, since)) => {
                let reply = array(&[&format!("list{list}"), &value]);
                self.redis.tell(waiter, self.at + 1, &reply);
                self.expect("BRPOP", list, since, self.at);
            }
            None => self.lists[list].push_back((value, self.at)),
        }
        self.at += 2;
        self.redis.tell(host, self.at, ":1\r\n");
    }

    /// A host pops, or waits if there is nothing.
    fn pop(&mut self) {
        let list = self.random.below(3);
        let mut free = (4..8).filter(|h| self.waiting.iter().flatten().all(|(w, _)| w != h));
        let Some(host) = free.next() else { return };
        let command = format!("BRPOP list{list} 0");
        match self.lists[list].pop_front() {
            Some((value, pushed)) => {
                let reply = array(&[&format!("list{list}"), &value]);
                self.redis.call(host, self.at, &command, self.at + 1, &reply);
                self.expect("BRPOP", list, self.at, pushed);
            }
            None => {
                let packet = self.redis.connection(host).asks(self.at, command_of(&command));
                self.redis.packets.push(packet);
                self.waiting[list].push_back((host, self.at));
            }
        }
        self.at += 1;
    }

    fn expect(&mut self, command: &str, list: usize, got: i64, put: i64) {
        self.expected.push(format!("{command} list{list} {got} of LPUSH list{list} {put}"));
    }

    fn add(&mut self) {
        let host = 1 + self.random.below(3) as u8;
        let id = format!("{}-0", self.at);
        self.redis.call(host, self.at, "XADD stream * a same", self.at + 1, &bulk(&id));
        self.entries.push((id, self.at));
        self.at += 1;
    }

    /// One of two groups reads what is new.
    fn read(&mut self) {
        let group = self.random.below(2);
        let new = &self.entries[self.read[group]..];
        self.read[group] = self.entries.len();
        if new.is_empty() {
            return;
        }
        let entries: String = new
            .iter()
            .map(|(id, _)| format!("*2\r\n{}{}", bulk(id), array(&["a", "same"])))
            .collect();
        let reply = format!("*1\r\n*2\r\n{}*{}\r\n{entries}", bulk("stream"), new.len());
        for (_, added) in new {
            let (at, command) = (self.at, "XREADGROUP stream");
            self.expected.push(format!("{command} {at} of XADD stream {added}"));
        }
        let command = format!("XREADGROUP GROUP g{group} c STREAMS stream >");
        self.redis.call(8 + group as u8 * 3, self.at, &command, self.at + 1, &reply);
        self.at += 1;
    }
}

#[test]
fn addresses_may_be_translated_between_producer_and_consumer() {
    let mut redis = Redis::default();
    redis.call(1, 10, "LPUSH jobs one", 11, ":1\r\n");
    let mut behind = Connection::new(end(2, 50_000), end(8, 7_000));
    let mut more = behind.open(0);
    more.push(behind.asks(20, command_of("RPOP jobs")));
    more.push(behind.tells(21, bulk("one")));
    let expected = ["RPOP jobs 20 of LPUSH jobs 10: message-content 0.76"];
    assert_eq!(links(&redis.run_with(more)), expected);
}
