//! Microseconds per span of joining alone, on one thread, and what it holds meanwhile: exchanges and
//! bytes of memory at most, by rate and join window. The exchanges are made: requests of many
//! clients to fronts, which call services, which call databases; most carry identifiers, and a part
//! is seen at two points. `cargo bench -p wirespan --bench joining`.
//!
//! Captures that are named are read first, and what joining learnt of them is joined again:
//! `cargo bench -p wirespan --bench joining -- CAPTURE…`
#![expect(clippy::print_stdout, reason = "a benchmark's data go to stdout")]
#![expect(unsafe_code, reason = "an allocator that counts has no safe interface")]

use nix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use wirespan::config::Config;
use wirespan::exchange::{
    Carrier, Context, Exchange, ExchangeId, Half, Mark, OPERATION, ProtocolIndex, RESOURCE, Resent,
    Sort, State, Text, TraceNumber, Turns,
};
use wirespan::join::window::{Opened, WindowLimits};
use wirespan::joining::{Joining, News};
use wirespan::pipeline::{Surroundings, run};
use wirespan::span::{SpanSink, Trace};
use wirespan::summary::Summary;
use wirespan::vitals::Vitals;
use wirespan_capture::packet::{Batch, Frame, NetworkId, TapId, Timestamp};
use wirespan_capture::source::file::FileSource;
use wirespan_capture::stream::{PointId, Transport};
use wirespan_parsers::message::{Attribute, Outcome, Value};
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::values::Values;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let smoke = words.iter().any(|word| word == "--smoke");
    words.retain(|word| !word.starts_with("--"));
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool,
        Err(error) => return println!("no threads: {error}"),
    };
    pool.install(|| match words.as_slice() {
        [] if smoke => {
            made(20_000);
            read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(CAPTURE), 1);
        }
        [] => made(1_000_000),
        captures => captures.iter().for_each(|capture| read(&PathBuf::from(capture), 10)),
    });
}

/// Joins so many made exchanges at each rate, with each window.
fn made(exchanges: u64) {
    println!("exchanges   window       us a     spans       held        MiB     settled");
    println!(" a second        s       span                at most    at most      early");
    let free = WindowLimits { held: usize::MAX, ..WindowLimits::default() };
    for rate in [1_000, 10_000, 100_000] {
        for quiet in [250_000_000, 1_000_000_000, 4_000_000_000] {
            row(rate, exchanges, WindowLimits { quiet, ..free });
        }
    }
    println!("with the limit of exchanges that are held:");
    row(100_000, exchanges, WindowLimits { quiet: 4_000_000_000, ..WindowLimits::default() });
}

fn row(rate: u64, exchanges: u64, limits: WindowLimits) {
    let mut world = World::new(rate, exchanges);
    let protocols = PROTOCOLS.map(str::to_owned).to_vec();
    let joined = join(limits, protocols, &mut |news| world.some(news));
    println!(
        "{rate:9} {:8.2} {:10.2} {:9} {:10} {:10.1} {:10}",
        limits.quiet as f64 / 1e9,
        joined.microseconds / joined.spans as f64,
        joined.spans,
        joined.held,
        joined.bytes as f64 / f64::from(1 << 20),
        joined.summary.settled_early.values().sum::<u64>(),
    );
}

/// Joins what joining learnt of a capture; the best of several runs.
fn read(capture: &Path, runs: usize) {
    let Ok(mut source) = FileSource::open(capture) else {
        return println!("{} cannot be read", capture.display());
    };
    let mut kept = Kept(Vec::new());
    let config = Config { threads: 1, ..Config::default() };
    run(&mut source, &mut Nothing, &config, &mut kept);
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let mut events: Vec<(Timestamp, u64, News)> = Vec::new();
        for exchange in &kept.0 {
            if let Some(opened) = exchange.turns.opened {
                let mut as_opened = exchange.clone();
                as_opened.contexts.truncate(opened.contexts);
                let news = News::Opened(Opened::of(&as_opened));
                events.push((opened.turn.at, opened.turn.number.0, news));
            }
            let closed = exchange.turns.closed;
            events.push((closed.at, closed.number.0, News::Closed(exchange.clone())));
        }
        events.sort_by_key(|(_, number, _)| *number);
        let mut events = events.into_iter().map(|(at, _, news)| (at, news));
        let joined = join(config.window, config.protocol_names(), &mut |some| {
            some.extend(events.by_ref().take(AT_ONCE));
        });
        best = best.min(joined.microseconds / joined.spans as f64);
    }
    println!("{:9} spans of {}: {best:.2} us a span", kept.0.len(), capture.display());
}

/// What came of joining.
struct Joined {
    spans: usize,
    microseconds: f64,
    /// Exchanges that were held at most.
    held: u64,
    /// Bytes of memory that were in use at most, above those from before.
    bytes: i64,
    summary: Summary,
}

/// Adds what is told next.
type More<'a> = dyn FnMut(&mut Vec<(Timestamp, News)>) + 'a;

/// Joins what `more` tells, until it tells nothing. Only joining is timed.
fn join(limits: WindowLimits, protocols: Vec<String>, more: &mut More<'_>) -> Joined {
    let mut spans = Counting(0);
    let mut joining = Joining::new(limits, protocols, &mut spans);
    let (mut vitals, mut nanoseconds, mut held) = (Vitals::default(), 0, 0);
    let before = IN_USE.load(Ordering::Relaxed);
    AT_MOST.store(before, Ordering::Relaxed);
    let mut news = Vec::with_capacity(AT_ONCE);
    loop {
        more(&mut news);
        if news.is_empty() {
            break;
        }
        let began = worked();
        for (at, news) in news.drain(..) {
            joining.take(at, news);
        }
        nanoseconds += worked() - began;
        joining.tell(&mut vitals);
        held = held.max(vitals.held);
    }
    let began = worked();
    let (summary, _, _) = joining.finish(&|_| String::new());
    nanoseconds += worked() - began;
    let bytes = AT_MOST.load(Ordering::Relaxed) - before;
    assert!(spans.0 > 0, "no span came out");
    Joined { spans: spans.0, microseconds: nanoseconds as f64 / 1e3, held, bytes, summary }
}

/// Nanoseconds that this thread has worked: what else the machine does matters less to it.
fn worked() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// Fronts, services and databases, and requests of clients that arrive at random.
struct World {
    /// A request's exchanges come about every so many nanoseconds.
    between: u64,
    /// Exchanges that are still to be made.
    left: u64,
    /// When the next request comes.
    next: i64,
    requests: u64,
    serial: u64,
    random: u64,
    /// What happens next: when, its number, whether it is the end of that exchange.
    events: BinaryHeap<Reverse<(i64, u64, bool)>>,
    /// Exchanges that have not ended, by number.
    exchanges: std::collections::HashMap<u64, Box<Exchange>>,
}

/// Who asks whom for what.
struct Call {
    client: [u8; 4],
    server: [u8; 4],
    port: u16,
    protocol: u8,
    operation: &'static str,
    resource: String,
}

impl World {
    fn new(rate: u64, exchanges: u64) -> Self {
        Self {
            between: EACH * 1_000_000_000 / rate,
            left: exchanges,
            next: 1_700_000_000_000_000_000,
            requests: 0,
            serial: 0,
            random: 1,
            events: BinaryHeap::new(),
            exchanges: std::collections::HashMap::new(),
        }
    }

    /// Tells some more of what happens, in order of time.
    fn some(&mut self, news: &mut Vec<(Timestamp, News)>) {
        while news.len() < AT_ONCE {
            while self.left > 0
                && self.events.peek().is_none_or(|Reverse((at, ..))| *at >= self.next)
            {
                self.request();
            }
            let Some(Reverse((at, serial, is_end))) = self.events.pop() else { return };
            let told = if is_end {
                self.exchanges.remove(&serial).map(News::Closed)
            } else {
                let exchange = self.exchanges.get(&serial);
                exchange.map(|exchange| News::Opened(Opened::of(exchange)))
            };
            news.extend(told.map(|told| (Timestamp(at), told)));
        }
    }

    /// A client asks a front for something, with all that comes of it.
    fn request(&mut self) {
        self.requests += 1;
        let start = self.next;
        self.next += self.below(2 * self.between) as i64;
        let client = [10, 9, self.below(4) as u8, self.below(200) as u8];
        let front = [10, 0, 0, self.below(8) as u8];
        let number = self.below(100_000);
        let end = start + 10_000_000 + self.below(20_000_000) as i64;
        let resource = format!("/cart/{number}/items");
        let call =
            Call { client, server: front, port: 80, protocol: 0, operation: "GET", resource };
        self.exchange(call, start, end);
        let services = 2 + self.below(3);
        let step = (end - start) / (services as i64 + 1);
        for place in 0..services as i64 {
            let kind = self.below(5);
            let server = [10, 0, 1 + kind as u8, self.below(4) as u8];
            let begin = start + step / 2 + place * step + self.below(100_000) as i64;
            let end = begin + step * 9 / 10;
            let resource = format!("/{}/{number}?full=1", NAMES[kind as usize]);
            let call =
                Call { client: front, server, port: 8080, protocol: 0, operation: "GET", resource };
            self.exchange(call, begin, end);
            for query in 0..=self.below(2) as i64 {
                let begin = begin + step / 8 + query * step / 4;
                let end = begin + step / 8 + self.below(50_000) as i64;
                let database = [10, 0, 8, kind as u8];
                let resource = format!("{}:{number}", NAMES[kind as usize]);
                let (port, protocol, operation) = (6379, 1, "HGETALL");
                let call =
                    Call { client: server, server: database, port, protocol, operation, resource };
                self.exchange(call, begin, end);
            }
        }
    }

    fn exchange(&mut self, call: Call, start: i64, end: i64) {
        let is_call_of_service = call.protocol == 0;
        let at_two_points = self.requests.is_multiple_of(4) && call.port == 8080;
        let exchange = self.made(call, start, end, is_call_of_service);
        if at_two_points {
            let mut inner = exchange.clone();
            for half in [Some(&mut inner.request), inner.response.as_mut()].into_iter().flatten() {
                half.ttl -= 1;
            }
            let later = |half: &mut Half, by| {
                half.first.at = half.first.at.plus(by);
                half.last.at = half.last.at.plus(by);
            };
            later(&mut inner.request, 50_000);
            if let Some(half) = inner.response.as_mut() {
                later(half, -50_000);
                half.ttl += 2;
            }
            inner.tap = TapId(1);
            inner.point = PointId::at(TapId(1));
            inner.first_point = inner.point;
            self.happens(inner);
        }
        self.happens(exchange);
    }

    fn happens(&mut self, mut exchange: Exchange) {
        self.left = self.left.saturating_sub(1);
        self.serial += 1;
        exchange.id = ExchangeId { shard: 0, serial: self.serial };
        self.events.push(Reverse((exchange.start().0, self.serial, false)));
        self.events.push(Reverse((exchange.end().0, self.serial, true)));
        self.exchanges.insert(self.serial, Box::new(exchange));
    }

    fn made(&mut self, call: Call, start: i64, end: i64, carries: bool) -> Exchange {
        let Call { client, server, port, protocol, operation, resource } = call;
        let mut text = Text::default();
        text.add(Attribute { name: OPERATION, value: Value::Text(operation.as_bytes()) });
        text.add(Attribute { name: RESOURCE, value: Value::Text(resource.as_bytes()) });
        let mut values = Values::default();
        values.read(resource.as_bytes());
        values.end();
        let mut exchange = Exchange {
            id: ExchangeId::default(),
            network: NetworkId(0),
            point: PointId::at(TapId(0)),
            first_point: PointId::at(TapId(0)),
            tap: TapId(0),
            transport: Transport::Tcp,
            client: SocketAddr::from((client, 40_000 + self.below(64) as u16)),
            server: SocketAddr::from((server, port)),
            protocol: ProtocolIndex(protocol),
            sort: Sort::Call,
            state: State::Complete,
            ordinal: self.serial as u32,
            in_packet: 0,
            to_client: false,
            pipeline: None,
            inside: 0,
            lane: 0,
            request: self.half(start),
            response: Some(self.half(end)),
            outcome: Outcome::Ok,
            code: 200,
            text,
            contexts: Default::default(),
            values,
            records: None,
            secrets: None,
            processes: Default::default(),
            names: Default::default(),
            round_trip: Default::default(),
            turns: Turns::default(),
            touched: Default::default(),
            clock: None,
            remembers: false,
            seemed: None,
        };
        let format = match self.requests % 4 {
            0 | 1 => Some(Format::Traceparent),
            2 => Some(Format::RequestId),
            _ => None,
        };
        if let Some(format) = format.filter(|_| carries) {
            let salt = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
            let number = u128::from(self.requests).wrapping_mul(salt);
            exchange.contexts.push(Context {
                format,
                carried_by: Carrier::Request,
                trace: TraceNumber::of(number),
                span: (format == Format::Traceparent)
                    .then(|| NonZeroU64::new(self.random | 1))
                    .flatten(),
                parent: None,
                joins: true,
                hidden: false,
            });
        }
        exchange
    }

    fn half(&mut self, at: i64) -> Half {
        let mark = Mark { at: Timestamp(at), frame: Frame::default() };
        Half {
            first: mark,
            last: mark,
            seq: Some(self.below(1 << 32) as u32),
            len: 200,
            ack: self.below(1 << 32) as u32,
            tsval: (at / 1_000_000) as u32,
            ip_id: self.below(1 << 16) as u16,
            ttl: 64,
            cut: false,
            lost: 0,
            own: None,
            resent: Resent::default(),
        }
    }

    /// A number below this one; always the same ones (xorshift).
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % limit.max(1)
    }
}

struct Counting(usize);

impl SpanSink for Counting {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0 += trace.spans.len();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::vec_box, reason = "spans hold them so")]
struct Kept(Vec<Box<Exchange>>);

impl SpanSink for Kept {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.0.extend(trace.spans.iter().map(|span| span.exchange.clone()));
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Nothing;

impl Surroundings for Nothing {
    fn filter(&mut self, _batch: &mut Batch) {}

    fn taps(&mut self, _names: Vec<String>) {}
    fn networks(&mut self, _names: Vec<String>) {}

    fn go_on(&mut self, _packets: u64) -> bool {
        true
    }
}

/// The system's allocator, and how many bytes are in use. Only one thread works, so that counting
/// need not be exact among several.
struct Counted;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        used(layout.size() as i64);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        used(-(layout.size() as i64));
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        used(size as i64 - layout.size() as i64);
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(at, layout, size) }
    }
}

fn used(bytes: i64) {
    let now = IN_USE.load(Ordering::Relaxed) + bytes;
    IN_USE.store(now, Ordering::Relaxed);
    if now > AT_MOST.load(Ordering::Relaxed) {
        AT_MOST.store(now, Ordering::Relaxed);
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;
static IN_USE: AtomicI64 = AtomicI64::new(0);
static AT_MOST: AtomicI64 = AtomicI64::new(0);

const PROTOCOLS: [&str; 2] = ["http", "redis"];
const NAMES: [&str; 5] = ["prices", "stock", "reviews", "users", "orders"];
/// Exchanges that come of a request, about.
const EACH: u64 = 10;
/// Events that are made and then joined at once.
const AT_ONCE: usize = 256;
const CAPTURE: &str = "../testdata/captures/kiosk/input.pcapng.zst";
