//! Nanoseconds per exchange, request and response parsed; what is printed is the best of several
//! runs: `cargo bench -p wirespan-parsers`.
#![expect(clippy::print_stdout, reason = "a benchmark's data go to stdout")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use wirespan_parsers::fuzzing::HeaderBlocks;
use wirespan_parsers::message::{Attribute, Message, Side, Status};
use wirespan_parsers::protocol::{FlowInfo, Inner, Key, Out, Protocol, Step, Timestamp, Transport};
use wirespan_parsers::registry::protocols;
use wirespan_parsers::sql::{Dialect, Lexer};
use wirespan_parsers::trace_context::TraceContext;

fn main() {
    for case in CASES {
        let made = protocols(&Arc::default()).into_iter().find(|made| made.name() == case.protocol);
        let Some(mut protocol) = made else {
            println!("{:10} {:28} skipped: not registered", case.protocol, case.what);
            continue;
        };
        let best =
            (0..RUNS).map(|_| nanoseconds(protocol.as_mut(), case)).fold(f64::INFINITY, f64::min);
        println!("{:10} {:28} {best:8.1} ns", case.protocol, case.what);
    }
    for (what, first, later) in BLOCKS {
        let best = (0..RUNS).map(|_| block_nanoseconds(first, later)).fold(f64::INFINITY, f64::min);
        println!("{:10} {what:28} {best:8.1} ns", "hpack");
    }
    for (what, sql) in STATEMENTS {
        let best = (0..RUNS).map(|_| statement_nanoseconds(sql)).fold(f64::INFINITY, f64::min);
        println!("{:8} {what:28} {best:8.1} ns, {:.1} a byte", "sql", best / sql.len() as f64);
    }
}

/// The second block of a kind, as all but the first ones are, again and again.
fn block_nanoseconds(first: &[u8], later: &[u8]) -> f64 {
    let mut blocks = HeaderBlocks::default();
    if blocks.read(first).is_none() || blocks.read(later).is_none() {
        return f64::NAN;
    }
    let start = Instant::now();
    for _ in 0..EXCHANGES_PER_RUN {
        black_box(blocks.read(black_box(later)));
    }
    start.elapsed().as_nanos() as f64 / f64::from(EXCHANGES_PER_RUN)
}

/// What it is, the first block of a connection, and one that comes behind it. Python's `hpack` has
/// made them.
const BLOCKS: &[(&str, &[u8], &[u8])] = &[
    ("10 fields, all known", FIRST_BLOCK, b"\x83\x86\xc5\xc4\xc3\xc2\xc1\xc0\xbf\xbe"),
    (
        "8 fields, 131 B coded, 1 kept",
        FIRST_BLOCK,
        b"\x83\x86\x04\x8e\x60\xf6\x48\x5b\x10\xbe\xab\x24\x2d\x88\x63\x39\x90\x9f\
        \x01\x8c\x3d\x92\x16\xc4\x2e\x89\xcf\x5d\xc7\x80\xf0\x3f\x0f\x10\x8b\x1d\
        \x75\xd0\x62\x0d\x26\x3d\x4c\x4d\x65\x64\x40\x88\x4d\x83\x21\x6b\x1d\x85\
        \xa9\x3f\xa7\x00\x16\x00\xe5\x75\xc6\xc2\xf8\x5c\x24\x8d\x33\x24\x8f\x34\
        \xd3\xc5\x8c\x41\x09\x1e\x03\x21\x7c\x8b\x46\xe8\xe4\x72\x37\x42\xe3\xe2\
        \x03\x2c\xb2\x25\x80\x1f\x90\x91",
    ),
];

const FIRST_BLOCK: &[u8] =
    b"\x83\x86\x44\x8e\x60\xf6\x48\x5b\x10\xbe\xab\x24\x2d\x88\x63\x39\x90\x9f\
    \x41\x8c\x3d\x92\x16\xc4\x2e\x89\xcf\x5d\xc7\x80\xf0\x3f\x5f\x8b\x1d\x75\
    \xd0\x62\x0d\x26\x3d\x4c\x4d\x65\x64\x7a\x8a\x9a\xca\xc8\xb4\xc7\x60\x2b\
    \xba\x25\xc1\x40\x82\x49\x7f\x86\x4d\x83\x35\x05\xb1\x1f\x40\x89\x9a\xca\
    \xc8\xb2\x4d\x49\x4f\x6a\x7f\x82\x0e\xef\x40\x88\x4d\x83\x21\x6b\x1d\x85\
    \xa9\x3f\xa7\x00\x16\x00\xe5\x75\xc6\xc2\xf8\x5c\x24\x8d\x33\x24\x8f\x34\
    \xd3\xc5\x8c\x41\x09\x1e\x03\x21\x7c\x8b\x46\xe8\xe4\x72\x37\x42\xe3\xe2\
    \x03\x2c\xb2\x15\x80\x1f\x50\x83\x9b\xd9\xab";

fn statement_nanoseconds(sql: &[u8]) -> f64 {
    let mut lexer = Lexer::new(Dialect::MySql, &Arc::default());
    let start = Instant::now();
    for _ in 0..EXCHANGES_PER_RUN {
        lexer.restart();
        lexer.read(black_box(sql), &mut |range| {
            black_box(range);
        });
        lexer.end();
        black_box(lexer.statement());
    }
    start.elapsed().as_nanos() as f64 / f64::from(EXCHANGES_PER_RUN)
}

const STATEMENTS: &[(&str, &[u8])] = &[
    ("SELECT by key", b"SELECT c FROM sbtest1 WHERE id=50432"),
    (
        "SELECT with JOIN and comment",
        b"SELECT o.id, o.total, c.name FROM orders AS o LEFT JOIN customers c ON c.id = o.customer \
          WHERE o.state IN ('new', 'paid', 'sent') AND o.created > '2026-01-01' ORDER BY o.id LIMIT 20 \
          /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
    ),
    (
        "INSERT of 4 rows",
        b"INSERT INTO items (order_id, sku, price, note) VALUES (1, 'a-17', 12.5, 'blue'), \
          (1, 'a-18', 13.5, 'red'), (2, 'b-1', 0.99, NULL), (3, 'c-1', 100, 'it''s big')",
    ),
];

struct Case {
    protocol: &'static str,
    transport: Transport,
    what: &'static str,
    request: &'static [u8],
    response: &'static [u8],
}

fn nanoseconds(protocol: &mut dyn Protocol, case: &Case) -> f64 {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let flow = FlowInfo {
        transport: case.transport,
        addresses: [address, address],
        opener: None,
        handed: None,
    };
    let conn = protocol.open(&flow, Side::A);
    let mut sink = Sink::default();
    let start = Instant::now();
    for _ in 0..EXCHANGES_PER_RUN {
        for (from, mut bytes) in [(Side::A, case.request), (Side::B, case.response)] {
            while !bytes.is_empty() {
                let step = protocol.parse(conn, from, Timestamp(0), black_box(bytes), &mut sink);
                let Ok(Step::Used(used)) = step else { return f64::NAN };
                bytes = bytes.get(used.get()..).unwrap_or_default();
            }
        }
    }
    let taken = start.elapsed();
    protocol.forget(conn);
    black_box(sink.opened);
    taken.as_nanos() as f64 / f64::from(EXCHANGES_PER_RUN)
}

/// Takes everything and keeps nothing.
#[derive(Default)]
struct Sink {
    opened: u64,
}

impl Out for Sink {
    fn open(&mut self, message: Message<'_>) -> Key {
        black_box(&message);
        self.opened += 1;
        Key(self.opened)
    }

    fn wants(&self, _key: Key) -> usize {
        0
    }

    fn add(&mut self, _key: Key, attribute: Attribute<'_>) {
        black_box(&attribute);
    }

    fn context(&mut self, _key: Key, _context: &TraceContext<'_>) {}

    fn status(&mut self, _key: Key, _status: Status<'_>) {}

    fn body(&mut self, _key: Key, _bytes: &[u8]) {}

    fn extend(&mut self, _key: Key, _end: usize) {}

    fn close(&mut self, _key: Key, _end: usize) {}

    fn inner(&mut self, _lane: u64, _from: Side, _event: Inner<'_>) {}

    fn lost(&mut self, _what: &'static str) {}
}

const RUNS: usize = 5;
const EXCHANGES_PER_RUN: u32 = 500_000;

const CASES: &[Case] = &[
    Case {
        protocol: "http",
        transport: Transport::Tcp,
        what: "GET and its 304, ten headers",
        request: b"GET /items/17?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5\r\n\
            Accept: */*\r\nX-Request-ID: 5a1f6c2e-0f1d-4b7c-9a53-2f4f2f8f9a10\r\n\
            traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
        response:
            b"HTTP/1.1 304 Not Modified\r\nServer: nginx\r\nDate: Sun, 29 Nov 2026 18:00:00 GMT\r\n\
            ETag: \"1\"\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n\r\n",
    },
    Case {
        protocol: "http2",
        transport: Transport::Tcp,
        what: "GET and its 304, ten headers",
        request: b"\0\0\xab\x01\x05\0\0\0\x01\x82\x86\x04\x10/items/17?page=2\
            \x01\x0cshop.example\x0f+\x08curl/8.5\x0f\x04\x03*/*\
            \0\x0cx-request-id$5a1f6c2e-0f1d-4b7c-9a53-2f4f2f8f9a10\
            \0\x0btraceparent700-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        response: b"\0\0:\x01\x05\0\0\0\x01\x8b\x0f'\x05nginx\
            \x0f\x12\x1dSun, 29 Nov 2026 18:00:00 GMT\x0f\x13\x03\"1\"\
            \x0f\x09\x08no-cache",
    },
    Case {
        protocol: "http2",
        transport: Transport::Tcp,
        what: "call of gRPC, one message each",
        request: b"\x00\x00\x9f\x01\x04\x00\x00\x00\x01\x83\x86\x04\x13/orders.Orders/List\x01\
            \x10orders.shop:8080\x0f\x10\x10application/grpc\x00\x02te\x08trailers\x00\x0c\
            grpc-timeout\x021S\x00\x0btraceparent700-0af7651916cd43dd8448eb211c80319c-b7ad\
            6b7169203331-01\x00\x00E\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00@xxxxxxxxxxxxx\
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        response: b"\x00\x00\x14\x01\x04\x00\x00\x00\x01\x88\x0f\x10\x10application/grpc\x00\x00\
            \x85\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x80yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\
            yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\
            yyyyyyyyyyyyyyyyyyyy\x00\x00\x0f\x01\x05\x00\x00\x00\x01\x00\x0bgrpc-status\
            \x010",
    },
    Case {
        protocol: "redis",
        transport: Transport::Tcp,
        what: "GET and its value",
        request: b"*2\r\n$3\r\nGET\r\n$6\r\nuser:1\r\n",
        response: b"$5\r\nalice\r\n",
    },
    Case {
        protocol: "redis",
        transport: Transport::Tcp,
        what: "SET and its OK",
        request: b"*3\r\n$3\r\nSET\r\n$6\r\nuser:1\r\n$5\r\nalice\r\n",
        response: b"+OK\r\n",
    },
    Case {
        protocol: "mysql",
        transport: Transport::Tcp,
        what: "SELECT and two rows",
        request: b"\x29\0\0\0\x03SELECT id, name FROM orders WHERE id = 7",
        response: b"\x01\0\0\x01\x02\x10\0\0\x02\x03def\x04shop\x06orders\
            \x10\0\0\x03\x03def\x04shop\x06orders\x05\0\0\x04\xfe\0\0\x02\0\
            \x06\0\0\x05\x017\x03pen\x06\0\0\x06\x018\x03ink\x05\0\0\x07\xfe\0\0\x02\0",
    },
    Case {
        protocol: "mysql",
        transport: Transport::Tcp,
        what: "PING and its OK",
        request: b"\x01\0\0\0\x0e",
        response: b"\x07\0\0\x01\0\0\0\x02\0\0\0",
    },
    Case {
        protocol: "postgresql",
        transport: Transport::Tcp,
        what: "SELECT and one row",
        request: b"Q\0\0\0\x2eSELECT name FROM users WHERE id = 1234567\0",
        response: b"T\0\0\0\x1d\0\x01name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
            D\0\0\0\x0f\0\x01\0\0\0\x05aliceC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
    },
    Case {
        protocol: "postgresql",
        transport: Transport::Tcp,
        what: "Bind, Execute, Sync, one row",
        request: b"B\0\0\0\x12\0\0\0\0\0\x01\0\0\0\x02\x34\x32\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04",
        response: b"2\0\0\0\x04D\0\0\0\x0f\0\x01\0\0\0\x05aliceC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
    },
    Case {
        protocol: "thrift",
        transport: Transport::Tcp,
        what: "binary in frames",
        request: b"\0\0\0\x26\x80\x01\0\x01\0\0\0\x04find\0\0\0\x01\x0b\0\x01\0\0\0\x03tea\
            \x0a\0\x02\0\0\0\0\0\0\0\x07\0",
        response:
            b"\0\0\0\x2a\x80\x01\0\x02\0\0\0\x04find\0\0\0\x01\x0c\0\0\x0b\0\x01\0\0\0\x03tea\
            \x0a\0\x02\0\0\0\0\0\0\0\x07\0\0",
    },
    Case {
        protocol: "thrift",
        transport: Transport::Tcp,
        what: "compact, not in frames",
        request: b"\x82\x21\x01\x04find\x18\x03tea\x16\x0e\0",
        response: b"\x82\x41\x01\x04find\x0c\0\x18\x03tea\x16\xc4\x13\x19\x28\x03hot\x05green\
            \x1b\x01\x85\x05north\x06\x11\0\0",
    },
    Case {
        protocol: "bolt",
        transport: Transport::Tcp,
        what: "a call of SOFA RPC",
        request: b"\x01\x01\0\x01\x01\0\0\0\x07\x01\0\0\x0b\xb8\0\x2c\0\xb6\0\0\0\x08\
            com.alipay.sofa.rpc.core.request.SofaRequest\
            \0\0\0\x18sofa_head_target_service\0\0\0\x0clab.Shop:1.0\
            \0\0\0\x1brpc_trace_context.sofaRpcId\0\0\0\x030.1\
            \0\0\0\x1drpc_trace_context.sofaTraceId\0\0\0\x1e0ad1348f1403169275002100356696\
            \0\0\0\x15sofa_head_method_name\0\0\0\x04find\
            argument",
        response: b"\x01\0\0\x02\x01\0\0\0\x07\x01\0\0\0\x2e\0\0\0\0\0\x67\
            com.alipay.sofa.rpc.core.response.SofaResponse\
            O\xbecom.alipay.sofa.rpc.core.response.SofaResponse\x94\x07isError\x08errorMsg\
            \x0bappResponse\x0dresponsePropso\x90FN\x05sleptN",
    },
    Case {
        protocol: "dns",
        transport: Transport::Udp,
        what: "A and one address",
        request: b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\
            \x03www\x07example\x03com\x00\x00\x01\x00\x01",
        response: b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\
            \x03www\x07example\x03com\x00\x00\x01\x00\x01\
            \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01",
    },
    Case {
        protocol: "dubbo",
        transport: Transport::Tcp,
        what: "hessian2 call, traceparent",
        request:
            b"\xda\xbb\xc2\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\xdd\x052.0.2\x08lab\
            .Shop\x031.2\x05price\x12Ljava/lang/String;\x05tea-0H\x04path\x08lab.Shop\x12rem\
            ote.application\x0bshop-client\x0btraceparent0700-0af7651916cd43dd8448eb211c8031\
            9c-b7ad6b7169203331-01\x09interface\x08lab.Shop\x07version\x031.2\x07timeout\x04\
            2000\x05group\x04blueZ",
        response:
            b"\xda\xbb\x02\x14\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x1c\x94\x0ctea-0: 1\
            2.50H\x05dubbo\x052.0.2Z",
    },
    Case {
        protocol: "dubbo",
        transport: Transport::Tcp,
        what: "fastjson2 call, traceparent",
        request:
            b"\xda\xbb\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\xfa\x00\x00\x00\x06\
            N2.0.2\x00\x00\x00\x09Qlab.Shop\x00\x00\x00\x04L1.2\x00\x00\x00\x06Nprice\x00\
            \x00\x00\x13[Ljava/lang/String;\x00\x00\x00\x06Ntea-0\x00\x00\x00\xac\xa6MpathQl\
            ab.Shop[remote.applicationTshop-clientTtraceparenty8700-0af7651916cd43dd8448eb21\
            1c80319c-b7ad6b7169203331-01RinterfaceQlab.ShopPversionL1.2PtimeoutM2000NgroupMb\
            lue\xa5",
        response: b"\xda\xbb\x17\x14\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00)\x00\x00\x00\x02\
            \xbd\x04\x00\x00\x00\x0dUtea-0: 12.50\x00\x00\x00\x0e\xa6NdubboN2.0.2\xa5",
    },
    Case {
        protocol: "dubbo",
        transport: Transport::Tcp,
        what: "heartbeat",
        request: b"\xda\xbb\xe2\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01N",
        response: b"\xda\xbb\x22\x14\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01N",
    },
    Case {
        protocol: "websocket",
        transport: Transport::Tcp,
        what: "text of 20 bytes and of 200",
        request: b"\x81\x94abcd\x05\x00\x11\x05A\x0b\x05D\x15\n\x06D\x13\x07\x0f\x08A\x0e\n\x17",
        response: b"\x81\x7e\x00\xc8\
            0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\
            45678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\
            90123456789",
    },
    Case {
        protocol: "websocket",
        transport: Transport::Tcp,
        what: "a call of JSON-RPC",
        request: b"\x81\xb7\x00\x00\x00\x00\
            {\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"add\",\"params\":[1,2]}",
        response: b"\x81\x25{\"jsonrpc\":\"2.0\",\"id\":17,\"result\":3}\n",
    },
];
