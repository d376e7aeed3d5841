//! Cases whose evidence is an identifier.

use crate::dice::Dice;
use crate::expect::Expected;
use crate::net::{Connection, MS, Net, US};
use crate::talk::{Talk, select};
use crate::world::{Because, Call, World};
use std::net::{IpAddr, SocketAddr};

/// A: a gateway hands the request's id on.
pub(crate) fn a(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut |dice, front, backs| {
        let (name, reason) = request_id(dice);
        let line = format!("{name}: {}", dice.uuid());
        front.asks.push(line.clone());
        backs.iter_mut().for_each(|back| back.asks.push(line.clone()));
        reason
    });
}

/// A2: as A, and responses repeat it.
pub(crate) fn a2(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut |dice, front, backs| {
        let (name, reason) = request_id(dice);
        let line = format!("{name}: {}", dice.uuid());
        front.asks.push(line.clone());
        if dice.one_in(2) {
            front.tells.push(line.clone());
        }
        for back in backs {
            back.asks.push(line.clone());
            back.tells.push(line.clone());
        }
        reason
    });
}

/// B: a gateway makes the id itself, and shows it in its response.
pub(crate) fn b(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut |dice, front, backs| {
        let (name, reason) = request_id(dice);
        let line = format!("{name}: {}", dice.uuid());
        front.tells.push(line.clone());
        let echo = dice.one_in(3);
        for back in backs {
            back.asks.push(line.clone());
            if echo {
                back.tells.push(line.clone());
            }
        }
        reason
    });
}

/// B2: as B, and a proxy of Envoy's kind notes in one digit of the id what it decided.
pub(crate) fn b2(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut |dice, front, backs| {
        let id = dice.uuid();
        let noted = |digit: &str| format!("x-request-id: {}{digit}{}", &id[..14], &id[15..]);
        let [one, other] = dice.pick(&[["4", "9"], ["9", "a"], ["4", "b"]]);
        if dice.one_in(2) {
            front.asks.push(noted(one));
        } else {
            front.tells.push(noted(one));
        }
        backs.iter_mut().for_each(|back| back.asks.push(noted(other)));
        "x-request-id"
    });
}

/// C: a trace id on both sides, and no span ids.
pub(crate) fn c(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut |dice, front, backs| {
        let (line, reason) = trace_id_alone(dice);
        front.asks.push(line.clone());
        backs.iter_mut().for_each(|back| back.asks.push(line.clone()));
        reason
    });
}

/// D: a trace id on both sides, with other span ids, as spans in between are sent to nobody here.
pub(crate) fn d(net: &mut Net, expected: &mut Expected) {
    gateway(net, expected, &mut propagated);
}

/// A gateway hands a trace on.
fn propagated(dice: &mut Dice, front: &mut Call, backs: &mut [Call]) -> &'static str {
    let context = Propagated::any(dice);
    propagated_by(context, dice, front, backs)
}

/// Calls of a gateway that hands traces on in one format only.
pub(crate) fn one_format(world: &mut World, net: &mut Net, expected: &mut Expected) {
    let format = Propagated::any(&mut net.dice).format;
    gateway_in(world, net, expected, &mut |dice, front, backs| {
        propagated_by(Propagated::of(format, dice), dice, front, backs)
    });
}

fn propagated_by(
    mut context: Propagated,
    dice: &mut Dice,
    front: &mut Call,
    backs: &mut [Call],
) -> &'static str {
    front.asks.extend(context.next(dice));
    for back in backs {
        if context.format == "traceparent" && dice.one_in(2) {
            back.talk = dice.pick(&[Talk::MySql, Talk::PostgreSql]);
            back.to.set_port(back.talk.port());
        }
        back.asks.extend(context.next(dice));
    }
    context.format
}

/// M: as D, with a gateway before the service.
pub(crate) fn m(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    let (gateway, service) = (net.host(), net.host());
    let clients: Vec<IpAddr> = (0..net.dice.of(1..5)).map(|_| net.host()).collect();
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    for number in 0..net.dice.of(2..7) {
        let mut context = Propagated::any(&mut net.dice);
        let hands_on = net.dice.one_in(3);
        let client = net.dice.pick(&clients);
        let mut front = Call::new(&format!("front{number}"), Talk::Http, client, gateway);
        let first = context.next(&mut net.dice);
        front.asks.extend(first.clone());
        let mut middle = Call::new(&format!("middle{number}"), Talk::Http, gateway, service);
        middle.asks.extend(if hands_on { first } else { context.next(&mut net.dice) });
        middle.because = Because::Of(context.format);
        middle.at_once = net.dice.one_in(2);
        for below in 0..net.dice.of(1..4) {
            let backend = net.dice.pick(&backends);
            let talk = match context.format {
                "traceparent" => net.dice.pick(&Talk::WITH_IDS),
                _ => Talk::Http,
            };
            let mut back = Call::new(&format!("back{number}x{below}"), talk, service, backend);
            back.asks.extend(context.next(&mut net.dice));
            back.because = Because::Of(context.format);
            middle.below.push(back);
        }
        front.below.push(middle);
        let at = net.dice.of(20 * MS..70 * MS);
        world.play(net, expected, &front, None, at);
    }
    world.others(net, expected, 120 * MS);
}

/// Q: a long statement whose last comment carries the id.
pub(crate) fn q(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    let (service, database) = (net.host(), net.host());
    for number in 0..net.dice.of(2..6) {
        let mut context = Propagated::of("traceparent", &mut net.dice);
        let client = net.host();
        let mut front = Call::new(&format!("front{number}"), Talk::Http, client, service);
        front.asks.extend(context.next(&mut net.dice));
        let talk = net.dice.pick(&[Talk::MySql, Talk::PostgreSql]);
        let long = net.dice.of(1_025..9_000) as usize;
        let mut back = Call::new(&format!("back{number}"), talk, service, database);
        // A value that is this long stands before the id.
        back.asks.push(format!("note: {}", "x".repeat(long)));
        back.asks.extend(context.next(&mut net.dice));
        back.because = Because::Of("traceparent");
        front.below.push(back);
        let at = net.dice.of(20 * MS..40 * MS);
        world.play(net, expected, &front, None, at);
    }
    world.others(net, expected, 80 * MS);
}

/// S: a statement that was prepared with an id in a comment, and is executed.
pub(crate) fn s(net: &mut Net, expected: &mut Expected) {
    let tap = net.tap("eth0");
    let (service, database) = (net.host(), net.host());
    // What the others do at the same time lets no single one be the cause.
    let count = net.dice.of(2..6);
    for number in 0..count {
        let talk = net.dice.pick(&[Talk::MySql, Talk::PostgreSql]);
        let mut context = Propagated::of("traceparent", &mut net.dice);
        let (client, at) = (net.host(), net.dice.of(20 * MS..24 * MS));
        let names = ["front", "prepare", "execute"].map(|name| format!("{name}{number}"));
        let [front, prepare, execute] = names.each_ref().map(String::as_str);
        let way = net.short(tap);
        let mut outer = net.connect(client, (service, 80).into(), &way, at);
        let mut inner = net.connect(service, (database, talk.port()).into(), &way, at - 5 * MS);
        talk.log_in(&mut inner, net, at - 5 * MS);
        let asks = Talk::Http.asks(front, &context.next(&mut net.dice));
        let mut now = outer.asks(net, at, &[front], asks);
        let statement = select("orders", &context.next(&mut net.dice));
        for (name, [asks, tells]) in
            [(prepare, talk.prepares(&statement)), (execute, talk.executes())]
        {
            now = inner.asks(net, now + net.dice.clone().of(9 * US..2 * MS), &[name], asks);
            now = inner.tells(net, now + net.dice.clone().of(9 * US..5 * MS), &[name], tells);
        }
        outer.tells(net, now + 5 * MS, &[front], Talk::Http.tells(&[], 5));
        expected.root(front, &way.points());
        expected.under(prepare, &way.points(), front, &["traceparent"]);
        expected.under(execute, &way.points(), front, &["traceparent"]);
        expected.says(execute, "FROM orders");
    }
}

/// SIDECAR: a proxy within a pod's own host takes what comes in and what goes out; calls on its
/// loopback interface are calls of their own.
pub(crate) fn sidecar(net: &mut Net, expected: &mut Expected) {
    net.be_v4();
    let [outside, inside] = ["eth0", "lo"].map(|name| net.tap(name));
    let pod = net.host();
    let loopback = |last: u8| IpAddr::from([127, 0, 0, last]);
    let port = net.dice.pick(&[8_080, 9_080]);
    let backends: Vec<IpAddr> = (0..net.dice.of(1..3)).map(|_| net.host()).collect();
    for number in 0..net.dice.of(2..7) {
        let with_spans = net.dice.one_in(2);
        let mut context = Propagated::any(&mut net.dice);
        let id = vec![format!("x-request-id: {}", net.dice.uuid())];
        let reason = if with_spans { context.format } else { "x-request-id" };
        let (client, backend) = (net.host(), net.dice.pick(&backends));
        let calls = [
            ("in", outside, client, SocketAddr::from((pod, port))),
            ("within", inside, loopback(6), (pod, port).into()),
            ("without", inside, pod, (loopback(1), 15_001).into()),
            ("out", outside, pod, (backend, 80).into()),
        ];
        let mut at = net.dice.of(20 * MS..40 * MS);
        let mut open = Vec::new();
        for (place, (name, tap, from, to)) in calls.into_iter().enumerate() {
            let name = format!("{name}{number}");
            let way = net.short(tap);
            let mut connection = net.connect(from, to, &way, at);
            let ids = if with_spans { context.next(&mut net.dice) } else { id.clone() };
            let asks = Talk::Http.asks(&name, &ids);
            at = connection.asks(net, at, &[&name], asks) + net.dice.of(30 * US..2 * MS);
            match place {
                0 => expected.root(&name, &way.points()),
                _ => {
                    let (_, above): &(Connection, String) = &open[place - 1];
                    expected.under(&name, &way.points(), above, &[reason]);
                }
            }
            open.push((connection, name));
        }
        for (connection, name) in open.iter_mut().rev() {
            let tells = Talk::Http.tells(&[], 9);
            at = connection.tells(net, at, &[name], tells) + net.dice.of(30 * US..2 * MS);
        }
    }
}

/// One candidate: a call of a host that is asked one thing at a time hangs under that.
pub(crate) fn one(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    let (service, client) = (net.host(), net.host());
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let mut at = 20 * MS;
    for number in 0..net.dice.of(2..9) {
        let mut front = without_ids(net, number, client, service, &backends);
        front.below.iter_mut().for_each(|back| back.because = Because::Of("one-candidate"));
        if !front.at_once && net.dice.one_in(2) {
            // What it calls calls another one in turn.
            let (middle, end) = (net.host(), net.dice.pick(&backends));
            let mut call = Call::new(&format!("middle_{number}"), Talk::Http, service, middle);
            let mut last = Call::new(&format!("last_{number}"), Talk::Redis, middle, end);
            (call.because, last.because) =
                (Because::Of("one-candidate"), Because::Of("one-candidate"));
            call.below.push(last);
            front.below.push(call);
        }
        at = world.play(net, expected, &front, None, at) + net.dice.of(MS..40 * MS);
        if net.dice.one_in(2) {
            // While nothing asks it, it calls of its own accord.
            let own = Call::new(&format!("own_{number}"), Talk::Redis, service, backends[0]);
            at = world.play(net, expected, &own, None, at) + net.dice.of(MS..40 * MS);
        }
    }
    world.others(net, expected, at);
}

/// Several candidates: nothing tells which of them caused a call.
pub(crate) fn several(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    let service = net.host();
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    // It takes half a second, and asks nothing for that.
    let client = net.host();
    let slow = Call::new("slow", Talk::Http, client, service);
    world.play_slowly(net, expected, &slow, 10 * MS, 500 * MS);
    for number in 0..net.dice.of(2..9) {
        let client = net.host();
        let mut front = without_ids(net, number, client, service, &backends);
        front.below.iter_mut().for_each(|back| back.because = Because::Open);
        let at = net.dice.of(20 * MS..60 * MS);
        world.play(net, expected, &front, None, at);
    }
    world.others(net, expected, 100 * MS);
}

/// PROXY: a proxy passes on what it is asked, without any identifier, and several things at a time.
pub(crate) fn proxy(net: &mut Net, expected: &mut Expected) {
    let mut world = World::any(net, expected);
    let proxy = net.host();
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let clients: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let common = net.dice.one_in(2);
    for number in 0..net.dice.of(2..9) {
        let (client, backend) = (net.dice.pick(&clients), net.dice.pick(&backends));
        let mut front = Call::new(&format!("front{number}"), Talk::Http, client, proxy);
        let mut back = Call::new(&format!("back{number}"), Talk::Http, proxy, backend);
        // Some ask for what others ask for at the same time, so that it may be either.
        let is_common = common && net.dice.one_in(3);
        front.about = if is_common { "index".to_owned() } else { format!("item/{number}") };
        back.about = front.about.clone();
        back.because = match is_common {
            true => Because::Open,
            false => Because::OneOf(&["content", "one-candidate"]),
        };
        front.below.push(back);
        let at = net.dice.of(20 * MS..40 * MS);
        world.play(net, expected, &front, None, at);
    }
    world.others(net, expected, 60 * MS);
}

/// A call and some that it causes, none of which carries an identifier.
fn without_ids(
    net: &mut Net,
    number: i64,
    client: IpAddr,
    service: IpAddr,
    backends: &[IpAddr],
) -> Call {
    let mut front = Call::new(&format!("front{number}"), Talk::Http, client, service);
    front.at_once = net.dice.one_in(2);
    for below in 0..net.dice.of(1..4) {
        let backend = net.dice.pick(backends);
        let talk = net.dice.pick(&[Talk::Http, Talk::Redis, Talk::MySql, Talk::PostgreSql]);
        front.below.push(Call::new(&format!("back_{number}x{below}"), talk, service, backend));
    }
    front
}

/// Calls through a gateway that are open at the same time, each with some calls below it. What they
/// carry is told by `carry`, which gives the reason of the links.
fn gateway(
    net: &mut Net,
    expected: &mut Expected,
    carry: &mut dyn FnMut(&mut Dice, &mut Call, &mut [Call]) -> &'static str,
) {
    let mut world = World::any(net, expected);
    gateway_in(&mut world, net, expected, carry);
}

/// The same in this world.
fn gateway_in(
    world: &mut World,
    net: &mut Net,
    expected: &mut Expected,
    carry: &mut dyn FnMut(&mut Dice, &mut Call, &mut [Call]) -> &'static str,
) {
    let outside = net.host();
    let inside = if net.dice.one_in(3) { net.host() } else { outside };
    let clients: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    let backends: Vec<IpAddr> = (0..net.dice.of(1..4)).map(|_| net.host()).collect();
    for number in 0..net.dice.of(2..9) {
        let client = net.dice.pick(&clients);
        let mut front = Call::new(&format!("front{number}"), Talk::Http, client, outside);
        front.at_once = net.dice.one_in(2);
        let mut backs: Vec<Call> = (0..net.dice.of(1..4))
            .map(|below| {
                let backend = net.dice.pick(&backends);
                Call::new(&format!("back{number}x{below}"), Talk::Http, inside, backend)
            })
            .collect();
        let reason = carry(&mut net.dice, &mut front, &mut backs);
        // Who passes requests on may do so under another address; who asks a database is a service.
        if backs.iter().any(|back| back.talk != Talk::Http) {
            backs.iter_mut().for_each(|back| back.from = outside);
        }
        backs.iter_mut().for_each(|back| back.because = Because::Of(reason));
        front.below = backs;
        let at = net.dice.of(20 * MS..60 * MS);
        world.play(net, expected, &front, None, at);
    }
    world.others(net, expected, 100 * MS);
}

/// A header that names one request, and the reason of links by it.
fn request_id(dice: &mut Dice) -> (&'static str, &'static str) {
    dice.pick(&[
        ("X-Request-ID", "x-request-id"),
        ("x-request-id", "x-request-id"),
        ("X-Correlation-ID", "x-correlation-id"),
    ])
}

/// A header line that holds a trace id and no span id.
fn trace_id_alone(dice: &mut Dice) -> (String, &'static str) {
    match dice.of(0..5) {
        0 => (format!("X-Trace-Id: {}", dice.hex(32)), "x-trace-id"),
        1 => (format!("traceid: {}", dice.hex(16)), "traceid"),
        2 => {
            let (seconds, rest) = (dice.hex(8), dice.hex(24));
            (format!("X-Amzn-Trace-Id: Root=1-{seconds}-{rest}"), "x-amzn-trace-id")
        }
        3 => (format!("X-B3-TraceId: {}", dice.hex(32)), "b3"),
        _ => (format!("X-Trace-Id: {}", dice.uuid()), "x-trace-id"),
    }
}

/// A trace whose calls each name the span that made them; none of these spans is seen here.
struct Propagated {
    format: &'static str,
    trace: String,
    low: u64,
}

impl Propagated {
    fn any(dice: &mut Dice) -> Self {
        let formats = [
            "traceparent",
            "traceparent",
            "b3",
            "uber-trace-id",
            "x-amzn-trace-id",
            "sw8",
            "x-datadog-trace-id",
        ];
        let format = dice.pick(&formats);
        Self::of(format, dice)
    }

    fn of(format: &'static str, dice: &mut Dice) -> Self {
        Self { format, trace: dice.hex(32), low: dice.next() >> 1 | 1 }
    }

    /// The header lines of the next call.
    fn next(&mut self, dice: &mut Dice) -> Vec<String> {
        let (trace, span, above) = (&self.trace, dice.hex(16), dice.hex(16));
        match self.format {
            "traceparent" => vec![format!("traceparent: 00-{trace}-{span}-01")],
            "b3" => match dice.of(0..3) {
                0 => vec![format!("b3: {trace}-{span}-1-{above}")],
                1 => vec![format!("b3: {trace}-{span}")],
                _ => vec![
                    format!("X-B3-TraceId: {trace}"),
                    format!("X-B3-SpanId: {span}"),
                    format!("X-B3-ParentSpanId: {above}"),
                    "X-B3-Sampled: 1".to_owned(),
                ],
            },
            "uber-trace-id" => vec![format!("uber-trace-id: {trace}:{span}:{above}:1")],
            "x-amzn-trace-id" => {
                let (seconds, rest) = trace.split_at(8);
                vec![format!("X-Amzn-Trace-Id: Root=1-{seconds}-{rest};Parent={span};Sampled=1")]
            }
            "sw8" => {
                let segment = dice.uuid();
                let base64 = |text: &str| base64(text.as_bytes());
                let fields = [
                    base64(trace),
                    base64(&segment),
                    dice.of(0..9).to_string(),
                    base64("shop"),
                    base64("shop@1"),
                    base64("/front"),
                    base64("back:80"),
                ];
                vec![format!("sw8: 1-{}", fields.join("-"))]
            }
            _ => vec![
                format!("x-datadog-trace-id: {}", self.low),
                format!("x-datadog-parent-id: {}", dice.next() >> 1 | 1),
                "x-datadog-sampling-priority: 1".to_owned(),
            ],
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        for place in 0..4 {
            let letter = char::from(LETTERS[number >> (18 - 6 * place) & 63]);
            text.push(if place > three.len() { '=' } else { letter });
        }
    }
    text
}
