"""Inputs of one shape and any size, which must cost in proportion to their size."""
import struct

import sql_messages as sql
from conversation import Capture, Conversation, bulk, command, request, response

SANITIZE = "sanitize"
DETAILS = "-v"
OK = b"+OK\r\n"


class Shape:
    """How it is made, its size, how it is read, and whether it belongs to the quick ones."""

    def __init__(self, name, size, make, *options, quick=False):
        self.name, self.size, self.make, self.options, self.quick = name, size, make, options, quick

    def capture(self, size):
        capture = Capture()
        self.make(capture, size)
        return capture


def one_call(port=80, segment=1448):
    """Makes a shape of one request and one response from what gives both."""
    def wrap(make):
        def built(capture, size):
            talk = Conversation(capture, port, segment)
            asked, answered = make(size)
            talk.client(asked)
            talk.server(answered)
            talk.close()
        return built
    return wrap


def post(kind, body):
    return request("POST", "/a", [("Content-Type", kind)], body)


def many_headers(size):
    return request("GET", "/a", [(f"X-Header-{n}", "value") for n in range(size)]), response(200)


def long_header(size):
    return request("GET", "/a", [("X-Long", "v" * size)]), response(200)


def folded_header(size):
    return request("GET", "/a", [("X-Folded", "\r\n v" * size)]), response(200)


def many_cookies(size):
    return request("GET", "/a", [("Cookie", "; ".join(f"c{n}=v" for n in range(size)))]), response(200)


def many_parameters(size):
    return request("GET", "/a?" + "&".join(f"token{n}=v" for n in range(size))), response(200)


def many_addresses(size):
    return request("GET", "/a", [("Referer", "http://u:p@" * size)]), response(200)


def short_segments(size):
    return request("GET", "/a", [("X-Long", "v" * size)]), response(200)


def many_interim(size):
    return request("GET", "/a"), b"HTTP/1.1 102 Processing\r\n\r\n" * size + response(200)


def many_chunks(size):
    head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"1\r\n[\r\n" * size + b"0\r\n\r\n", response(200)


def deep_json(size):
    return post("application/json", b'{"a":[' * size), response(200)


def secret_fields(size):
    fields = ", ".join(f'"password{n}": "secret"' for n in range(size))
    return post("application/json", f"{{{fields}}}".encode()), response(200)


def many_quotes(size):
    return post("application/json", b'"\\"' * size), response(200)


def open_elements(size):
    return post("text/xml", b"<password>" * size), response(200)


def open_brackets(size):
    return post("text/xml", b"<" * size + b"<!--" * size), response(200)


def open_parts(size):
    part = b'--cut\r\nContent-Disposition: form-data; name="token"\r\n\r\nv\r\n'
    return post("multipart/form-data; boundary=cut", part * size), response(200)


def pipeline(capture, port, asked, answered):
    talk = Conversation(capture, port)
    talk.client(b"".join(asked))
    talk.server(b"".join(answered))
    talk.close()


def http_pipeline(capture, size):
    pipeline(capture, 80, [request("GET", f"/{n}") for n in range(size)], [response(200)] * size)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)


def http2_get(stream):
    return frame(1, 5, stream, b"\x82\x86\x84")


def http2_streams(capture, size):
    """All are open at a time, and answered from the last to the first."""
    streams = range(1, 2 * size, 2)
    asked = [PREFACE, *map(http2_get, streams)]
    pipeline(capture, 80, asked, [frame(4, 0, 0), *(frame(1, 5, stream, b"\x88") for stream in reversed(streams))])


def http2_settings(capture, size):
    """Streams whose windows change all the time."""
    talk = Conversation(capture, 80)
    talk.client(PREFACE + b"".join(map(http2_get, range(1, 8000, 2))))
    talk.server(frame(4, 0, 0))
    for n in range(size):
        talk.client(frame(4, 0, 0, struct.pack(">HI", 4, n % 2)))
    talk.close()


def http2_continuations(size):
    head = frame(1, 1, 1, b"\x82") + frame(9, 0, 1) * size + frame(9, 4, 1, b"\x86\x84")
    return PREFACE + head, frame(4, 0, 0) + frame(1, 5, 1, b"\x88")


def http2_data(size):
    """Frames of one byte, of a body that is looked through."""
    head = frame(1, 4, 1, b"\x83\x86\x84\x0f\x10\x10application/json")
    asked = PREFACE + head + frame(0, 0, 1, b"[") * size + frame(0, 1, 1)
    return asked, frame(4, 0, 0) + frame(1, 5, 1, b"\x88")


def http2_in_turn(capture, size):
    """Streams of one connection, each of which is over before the next begins."""
    talk = Conversation(capture, 80)
    talk.client(PREFACE)
    talk.server(frame(4, 0, 0))
    for stream in range(1, 2 * size, 2):
        talk.client(http2_get(stream))
        talk.server(frame(1, 5, stream, b"\x88"))
    talk.close()


def http2_resets(capture, size):
    """Streams that are taken back at once."""
    streams = range(1, 2 * size, 2)
    asked = [PREFACE, *(http2_get(stream) + frame(3, 0, stream, b"\0\0\0\x08") for stream in streams)]
    pipeline(capture, 80, asked, [frame(4, 0, 0)])


def http2_promises(capture, size):
    """Streams that a server promises, and never begins."""
    promise = b"\x82\x86\x84"
    promises = (frame(5, 4, 1, struct.pack(">I", stream) + promise) for stream in range(2, 2 * size + 2, 2))
    pipeline(capture, 80, [PREFACE, http2_get(1)], [frame(4, 0, 0), *promises])


def http2_frames(kind, payload, stream=0):
    """Frames of a kind that say nothing, on both sides and amid a call."""
    def built(size):
        flood = frame(kind, 0, stream, payload) * size
        return PREFACE + http2_get(1) + flood, frame(4, 0, 0) + flood + frame(1, 5, 1, b"\x88")
    return built


def http2_pieces(size):
    """A header field, in as many frames as it has bytes."""
    value = b"\0\1k\x7f" + hpack_length(size - 127) + b"v" * size
    middle = b"".join(frame(9, 0, 1, bytes([byte])) for byte in value)
    return PREFACE + frame(1, 1, 1, b"\x82") + middle + frame(9, 4, 1, b"\x86\x84"), frame(4, 0, 0) + frame(1, 5, 1, b"\x88")


def hpack_length(rest):
    """What follows on a full prefix of an integer (RFC 7541 section 5.1)."""
    more = b""
    while rest >= 128:
        more += bytes([rest & 127 | 128])
        rest >>= 7
    return more + bytes([rest])


def hpack_resized(capture, size):
    """Each block makes the table empty and large again, and fills it."""
    resize = b"\x20\x3f\xe1\x1f"
    added = b"".join(b"\x40\2k%c\2vv" % (97 + n) for n in range(20))
    streams = range(1, 2 * size, 2)
    asked = [PREFACE, *(frame(1, 5, stream, resize + b"\x82\x86\x84" + added) for stream in streams)]
    pipeline(capture, 80, asked, [frame(4, 0, 0), *(frame(1, 5, stream, b"\x88") for stream in streams)])


def hpack_evicted(capture, size):
    """A full table, of which each field pushes one out."""
    def added(n):
        return b"\x40\5k%04d\1v" % (n % 10_000)
    streams = range(1, 2 * size, 2)
    blocks = (b"\x82\x86\x84" + b"".join(added(20 * stream + n) for n in range(20)) for stream in streams)
    asked = [PREFACE, *(frame(1, 5, stream, block) for stream, block in zip(streams, blocks))]
    pipeline(capture, 80, asked, [frame(4, 0, 0), *(frame(1, 5, stream, b"\x88") for stream in streams)])


def hpack_referred(size):
    """One long field, which is referred to time and again."""
    long = b"\x40\1k\x7f" + hpack_length(3000 - 127) + b"v" * 3000
    asked = PREFACE + frame(1, 5, 1, b"\x82\x86\x84" + long)
    asked += b"".join(frame(1, 5, stream, b"\x82\x86\x84" + b"\xbe" * 100) for stream in range(3, 2 * size, 2))
    return asked, frame(4, 0, 0)


def grpc_messages(size):
    """Short messages of one stream, several in a frame."""
    head = b"\x83\x86\x44\4/a/b\x0f\x10\x10application/grpc"
    message = b"\0\0\0\0\2\x08\1"
    asked = PREFACE + frame(1, 4, 1, head) + frame(0, 0, 1, message * 3) * size + frame(0, 1, 1)
    begun = frame(1, 4, 1, b"\x88\x0f\x10\x10application/grpc")
    ended = frame(1, 5, 1, b"\0\x0bgrpc-status\0010")
    return asked, frame(4, 0, 0) + begun + frame(0, 0, 1, message) * size + ended


def message_frame(first, payload, masked=True):
    """A frame of WebSocket."""
    size = len(payload)
    length = size if size < 126 else 126 if size < 1 << 16 else 127
    more = b"" if size < 126 else struct.pack(">H" if length == 126 else ">Q", size)
    mask = bytes(4) if masked else b""
    return bytes([first, (0x80 if masked else 0) | length]) + more + mask + payload


def websocket(frames, answers):
    """Makes a conversation of frames of both sides, behind a handshake."""
    def built(capture, size):
        talk = Conversation(capture, 80)
        upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        talk.client(request("GET", "/a", upgrade))
        talk.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
        talk.client(frames(size))
        talk.server(answers(size))
        talk.close()
    return built


def rpc_calls(size):
    call = '{"jsonrpc":"2.0","id":%d,"method":"add","params":[1,2]}'
    return b"".join(message_frame(0x81, (call % n).encode()) for n in range(size))


def rpc_answers(size):
    answer = '{"jsonrpc":"2.0","id":%d,"result":3}'
    return b"".join(message_frame(0x81, (answer % n).encode(), False) for n in range(size))


def fragments(size):
    middle = message_frame(0x00, b"x") * size
    return message_frame(0x01, b"x") + middle + message_frame(0x80, b"x")


def pinged_fragments(size):
    """A ping before each fragment of one message."""
    middle = (message_frame(0x89, b"p") + message_frame(0x00, b"x")) * size
    return message_frame(0x01, b"x") + middle + message_frame(0x80, b"x")


def pings(size):
    return message_frame(0x89, b"ping") * size


def pongs(size):
    return message_frame(0x8a, b"ping", False) * size


def deep_rpc(size):
    return message_frame(0x81, b'{"jsonrpc":"2.0","id":1,"method":"a","params":' + b"[" * size + b"]" * size + b"}")


def redis_pipeline(capture, size):
    pipeline(capture, 6379, [command("GET", f"key:{n}") for n in range(size)], [bulk("v")] * size)


def redis_batches(capture, size):
    """Pipelines, one after the other, each answered once it is whole."""
    talk = Conversation(capture, 6379)
    for _ in range(size):
        talk.client(command("INCR", "n") * 50)
        talk.server(b":1\r\n" * 50)
    talk.close()


def redis_arrays(size):
    return command("LRANGE", "k", "0", "-1"), b"*%d\r\n" % size + b"*1\r\n:1\r\n" * size


def redis_nested(size):
    return command("EVAL", "return 1", "0"), b"*1\r\n" * size + b":1\r\n"


def redis_arguments(size):
    return command("MSET", *(word for n in range(size) for word in (f"token:{n}", "v"))), OK


def redis_inline(capture, size):
    pipeline(capture, 6379, [b"GET 'k'\r\n"] * size, [bulk("v")] * size)


def dns_records(size):
    """Messages full of names that point to each other, over TCP."""
    question = b"\1a\7example\0" + struct.pack(">HH", 1, 1)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 2) + b"\xc0\x0c"
    asked, answered = b"", b""
    for n in range(size):
        query = struct.pack(">6H", n, 0x0100, 1, 0, 0, 0) + question
        reply = struct.pack(">6H", n, 0x8180, 1, 200, 0, 0) + question + record * 200
        asked += struct.pack(">H", len(query)) + query
        answered += struct.pack(">H", len(reply)) + reply
    return asked, answered


def backwards(capture, size):
    """Segments that come last first."""
    talk = Conversation(capture, 80)
    talk.client(request("POST", "/a", [("Content-Length", str(size * 10))]))
    first = len(capture.packets)
    for _ in range(size):
        talk.client(b"x" * 10)
    times = [packet[:2] for packet in capture.packets[first:]]
    frames = [packet[2:] for packet in reversed(capture.packets[first:])]
    capture.packets[first:] = [time + frame for time, frame in zip(times, frames)]
    talk.server(response(200))
    talk.close()


def many_gaps(capture, size):
    talk = Conversation(capture, 80)
    for n in range(size):
        talk.client(request("GET", f"/{n}"))
        talk.server(response(200))
        talk.lose(0, 100)
    talk.close()


def many_connections(capture, size):
    for n in range(size):
        talk = Conversation(capture, 80)
        talk.client(request("GET", f"/{n}"))
        talk.server(response(200))
        talk.close()


def open_at_once(capture, size):
    """Connections that all wait for their response; the last one gets it first."""
    talks = [Conversation(capture, 80) for _ in range(size)]
    for n, talk in enumerate(talks):
        talk.client(request("GET", f"/{n}"))
    for talk in reversed(talks):
        talk.server(response(200))
        talk.close()


def one_trace(capture, size):
    """Calls with one identifier."""
    header = [("traceparent", f"00-{7:032x}-{8:016x}-01")]
    for n in range(size):
        talk = Conversation(capture, 80, server=f"10.77.0.{2 + n % 20}")
        talk.client(request("GET", f"/{n}", header))
        talk.server(response(200))
        talk.close()


def mysql(capture, size, speak):
    talk = Conversation(capture, 3306)
    talk.server(sql.greeting())
    talk.client(sql.login("anna", b"x" * 20, "shop"))
    talk.server(sql.packet(2, sql.OK))
    speak(talk, size)
    talk.close()


def postgresql(capture, size, speak):
    talk = Conversation(capture, 5432)
    talk.client(sql.startup("anna", "shop"))
    talk.server(sql.AUTHENTICATED + sql.READY)
    speak(talk, size)
    talk.close()


def statement(text):
    """A shape for each database of one statement, given its size."""
    def by_mysql(capture, size):
        def speak(talk, size):
            talk.client(sql.query(text(size)))
            talk.server(sql.packet(1, sql.OK))
        mysql(capture, size, speak)

    def by_postgresql(capture, size):
        def speak(talk, size):
            talk.client(sql.simple(text(size)))
            talk.server(sql.complete("SELECT 0") + sql.READY)
        postgresql(capture, size, speak)
    return by_mysql, by_postgresql


STATEMENTS = {
    "long IN list": (20_000, lambda size: f"SELECT a FROM t WHERE b IN ({', '.join(str(n) for n in range(size))})"),
    "comments": (20_000, lambda size: "SELECT a /*k='v',n='1'*/ FROM t " + "/* c */ " * size),
    "open comments": (30_000, lambda size: "SELECT a FROM t " + "/*" * size),
    "quotes": (30_000, lambda size: "SELECT a FROM t WHERE b = " + "''" * size + "'"),
    "dollars": (30_000, lambda size: "SELECT a FROM t WHERE b = " + "$a$ $b$ " * size),
    "tables": (10_000, lambda size: "SELECT a FROM " + ", ".join(f"t{n}" for n in range(size))),
    "parentheses": (50_000, lambda size: "SELECT " + "(" * size),
    "many statements": (10_000, lambda size: "SELECT 1; " * size),
}


def mysql_prepared(capture, size):
    def speak(talk, size):
        for n in range(1, size + 1):
            talk.client(sql.prepare(f"SELECT a FROM t{n} WHERE b = ?"))
            talk.server(sql.prepared(n, 1, 1))
            talk.client(sql.execute(n, ["v"]))
            talk.server(sql.binary_result(["a"], [["v"]]))
    mysql(capture, size, speak)


def mysql_rows(capture, size):
    def speak(talk, size):
        talk.client(sql.query("SELECT a, b FROM t"))
        talk.server(sql.result(["a", "b"], [["v", "w"]] * size))
    mysql(capture, size, speak)


def postgresql_prepared(capture, size):
    def speak(talk, size):
        for n in range(size):
            talk.client(sql.parse(f"s{n}", f"SELECT a FROM t{n} WHERE b = $1") + sql.bind(f"s{n}", ["v"]) + sql.EXECUTE + sql.SYNC)
            talk.server(sql.PARSED + sql.BOUND + sql.complete("SELECT 0") + sql.READY)
    postgresql(capture, size, speak)


def postgresql_pipeline(capture, size):
    """Statements before one Sync."""
    def speak(talk, size):
        talk.client(sql.parse("s", "SELECT a FROM t WHERE b = $1") + (sql.bind("s", ["v"]) + sql.EXECUTE) * size + sql.SYNC)
        talk.server(sql.PARSED + (sql.BOUND + sql.complete("SELECT 0")) * size + sql.READY)
    postgresql(capture, size, speak)


def postgresql_rows(capture, size):
    def speak(talk, size):
        talk.client(sql.simple("SELECT a, b FROM t"))
        talk.server(sql.described(["a", "b"]) + sql.row(["v", "w"]) * size + sql.complete(f"SELECT {size}") + sql.READY)
    postgresql(capture, size, speak)


def thrift(kind, fields):
    return b"\x80\1\0" + bytes([kind]) + b"\0\0\0\1f\0\0\0\1" + fields


def compact(kind, fields):
    return b"\x82" + bytes([kind << 5 | 1]) + b"\1\1f" + fields


def thrift_list(size):
    """Of structs, of which each field is walked over."""
    item = b"\x0b\0\1\0\0\0\3tea\x0a\0\2\0\0\0\0\0\0\0\7\0"
    return thrift(1, b"\x0f\0\1\x0c" + struct.pack(">I", size) + item * size + b"\0"), thrift(2, b"\0")


def thrift_varints(size):
    length = bytes(size >> place & 127 | (0 if place == 28 else 128) for place in range(0, 35, 7))
    return compact(1, b"\x19\xf5" + length + b"\xff\7" * size + b"\0"), compact(2, b"\0")


def thrift_json(size):
    items = ",".join('{"1":{"str":"a \\"tea\\""},"2":{"i64":7}}' for _ in range(size))
    asked = '[1,"f",1,1,{"1":{"lst":["rec",%d,%s]}}]' % (size, items)
    return asked.encode(), b'[1,"f",2,1,{}]'


def thrift_pipeline(capture, size):
    pipeline(capture, 9090, [thrift(1, b"\0")] * size, [thrift(2, b"\0")] * size)


def thrift_headers(size):
    """A THeader with as many headers."""
    pairs = b"".join(b"\5k%04d\1v" % n for n in range(size))
    count = bytes([size & 127 | 128, size >> 7])
    fields = b"\0\0\1" + count + pairs
    fields += bytes(-len(fields) % 4)
    asked = b"\x0f\xff\0\0\0\0\0\1" + struct.pack(">H", len(fields) // 4) + fields + thrift(1, b"\0")
    answered = thrift(2, b"\0")
    return struct.pack(">I", len(asked)) + asked, struct.pack(">I", len(answered)) + answered


def thrift_nested(size):
    """Structs in structs."""
    return thrift(1, b"\x0c\0\1" * size + b"\0" * size + b"\0"), thrift(2, b"\0")


def bolt_beats(capture, size):
    beat = b"\1%c\0%c\1\0\0\0\1\1"
    asked = beat % (1, 0) + struct.pack(">IHHI", 3000, 0, 0, 0)
    answered = beat % (0, 0) + struct.pack(">HHHI", 0, 0, 0, 0)
    pipeline(capture, 12200, [asked] * size, [answered] * size)


def bolt_header(size):
    pairs = b"".join(b"\0\0\0\5k%04d\0\0\0\1v" % n for n in range(size))
    name = b"lab.core.Request"
    asked = b"\1\1\0\1\1\0\0\0\1\1\0\0\3\xe8" + struct.pack(">HHI", len(name), len(pairs), 0) + name + pairs
    return asked, b"\1\0\0\2\1\0\0\0\1\1\0\0" + struct.pack(">HHI", len(name), 0, 0) + name


def dubbo(flags, status, body):
    return struct.pack(">HBBQI", 0xDABB, flags, status, 1, len(body)) + body


def dubbo_call(argument, attachments=b"HZ"):
    """A call in hessian2 of a method with one argument, and its answer of nothing."""
    names = b"\x052.0.2\x04shop\x050.0.0\x05price\x12Ljava/lang/Object;"
    return dubbo(0xC2, 0, names + argument + attachments), dubbo(2, 20, b"\x95HZ")


def dubbo_list(size):
    return dubbo_call(b"\x58I" + struct.pack(">I", size) + b"\x03tea" * size)


def dubbo_text(size):
    piece = b"\xe4\xbb\xb7" * 1000
    return dubbo_call((b"R\x03\xe8" + piece) * size + b"\x00")


def dubbo_nested(size):
    return dubbo_call(b"\x57" * size)


def dubbo_classes(size):
    return dubbo_call(b"\x58I" + struct.pack(">I", size) + b"C\x01P\x91\x01a\x60\x90" * size)


def dubbo_attachments(size):
    pairs = b"".join(b"\x05k%04d\x01v" % n for n in range(size))
    return dubbo_call(b"N", b"H" + pairs + b"Z")


def dubbo_attachment(size):
    """One that is long."""
    value = b"".join(b"R\x80\0" + b"v" * 0x8000 for _ in range(size)) + b"\0"
    return dubbo_call(b"N", b"H\x01k" + value + b"Z")


def dubbo_beats(capture, size):
    """Heartbeats, each answered."""
    talk = Conversation(capture, 20880)
    talk.client(dubbo(0xE2, 0, b"N") * size)
    talk.server(dubbo(0x22, 20, b"N") * size)
    talk.close()


def behind(port, head, answer=b""):
    """Connections that begin with what a proxy is told, or says."""
    def built(capture, size):
        for n in range(size):
            talk = Conversation(capture, port)
            talk.client(head)
            if answer:
                talk.server(answer)
            talk.client(request("GET", f"/{n}"))
            talk.server(response(200))
            talk.close()
    return built


def proxy_values(size):
    """A head of PROXY protocol 2 with as many values."""
    values = b"\xee\0\1v" * size
    head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12 + len(values))
    return head + bytes([10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 80]) + values + request("GET", "/a"), response(200)


def dubbo_pipeline(capture, size):
    talk = Conversation(capture, 20880)
    asked, answered = dubbo_call(b"\x03tea")
    talk.client(asked * size)
    talk.server(answered * size)
    talk.close()


SHAPES = [
    Shape("many headers", 8_000, one_call()(many_headers), DETAILS),
    Shape("long header", 400_000, one_call()(long_header), DETAILS),
    Shape("folded header", 50_000, one_call()(folded_header), DETAILS),
    Shape("many cookies", 20_000, one_call()(many_cookies), SANITIZE),
    Shape("many parameters", 20_000, one_call()(many_parameters), SANITIZE),
    Shape("many addresses", 20_000, one_call()(many_addresses), SANITIZE),
    Shape("segments of one byte", 5_000, one_call(segment=1)(short_segments)),
    Shape("many interim responses", 5_000, one_call()(many_interim)),
    Shape("many chunks", 30_000, one_call()(many_chunks), SANITIZE),
    Shape("HTTP/2 streams", 20_000, http2_streams),
    Shape("HTTP/2 settings", 20_000, http2_settings),
    Shape("HTTP/2 continuations", 10_000, one_call(segment=20)(http2_continuations)),
    Shape("HTTP/2 frames of a byte", 30_000, one_call()(http2_data), SANITIZE),
    Shape("HTTP/2 streams in turn", 2_000, http2_in_turn, quick=True),
    Shape("HTTP/2 streams taken back", 20_000, http2_resets),
    Shape("HTTP/2 promises", 20_000, http2_promises),
    Shape("HTTP/2 pings", 50_000, one_call()(http2_frames(6, bytes(8)))),
    Shape("HTTP/2 windows", 50_000, one_call()(http2_frames(8, b"\0\0\0\1", 1))),
    Shape("HTTP/2 priorities", 50_000, one_call()(http2_frames(2, bytes(5), 7))),
    Shape("HTTP/2 frames of no known kind", 50_000, one_call()(http2_frames(0x77, b"x"))),
    Shape("HTTP/2 field in pieces of a byte", 10_000, one_call()(http2_pieces)),
    Shape("HPACK tables made anew", 2_000, hpack_resized),
    Shape("HPACK tables that are full", 2_000, hpack_evicted),
    Shape("HPACK field referred to", 2_000, one_call()(hpack_referred), DETAILS),
    Shape("messages of gRPC", 20_000, one_call()(grpc_messages), SANITIZE),
    Shape("deep JSON", 40_000, one_call()(deep_json), SANITIZE, quick=True),
    Shape("secret fields", 10_000, one_call()(secret_fields), SANITIZE),
    Shape("many quotes", 100_000, one_call()(many_quotes), SANITIZE),
    Shape("open elements", 30_000, one_call()(open_elements), SANITIZE),
    Shape("open brackets", 60_000, one_call()(open_brackets), SANITIZE),
    Shape("open parts", 8_000, one_call()(open_parts), SANITIZE),
    Shape("pipeline of HTTP", 2_000, http_pipeline, quick=True),
    Shape("calls of JSON-RPC over WebSocket", 1_500, websocket(rpc_calls, rpc_answers)),
    Shape("fragments of WebSocket", 4_000, websocket(fragments, lambda size: b""), SANITIZE),
    Shape("fragments of WebSocket beyond its limit", 20_000, websocket(fragments, lambda size: b"")),
    Shape("fragments of WebSocket with pings between", 4_000, websocket(pinged_fragments, lambda size: b""), SANITIZE),
    Shape("pings of WebSocket", 20_000, websocket(pings, pongs)),
    Shape("brackets in WebSocket", 10_000, websocket(deep_rpc, lambda size: b"")),
    Shape("pipeline of Redis", 2_000, redis_pipeline),
    Shape("pipeline of Redis beyond its limit", 10_000, redis_pipeline),
    Shape("batches of Redis", 100, redis_batches),
    Shape("inline commands", 2_000, redis_inline),
    Shape("arrays of arrays", 50_000, one_call(6379)(redis_arrays)),
    Shape("nested arrays", 50_000, one_call(6379)(redis_nested)),
    Shape("many arguments", 20_000, one_call(6379)(redis_arguments), SANITIZE),
    Shape("structs (Thrift)", 20_000, one_call(9090)(thrift_list), SANITIZE, quick=True),
    Shape("numbers (Thrift, compact)", 200_000, one_call(9090)(thrift_varints)),
    Shape("structs (Thrift, JSON)", 10_000, one_call(9090)(thrift_json), SANITIZE),
    Shape("headers (Thrift)", 1_000, one_call(9090)(thrift_headers), DETAILS),
    Shape("structs in structs (Thrift)", 50_000, one_call(9090)(thrift_nested)),
    Shape("pipeline of Thrift", 3_000, thrift_pipeline),
    Shape("headers (Bolt)", 2_000, one_call(12200)(bolt_header), DETAILS),
    Shape("heartbeats (Bolt)", 5_000, bolt_beats),
    Shape("a list (Dubbo)", 50_000, one_call(20880)(dubbo_list), SANITIZE, quick=True),
    Shape("a text in pieces (Dubbo)", 200, one_call(20880)(dubbo_text)),
    Shape("lists in lists (Dubbo)", 200_000, one_call(20880)(dubbo_nested)),
    Shape("classes (Dubbo)", 50_000, one_call(20880)(dubbo_classes)),
    Shape("attachments (Dubbo)", 128, one_call(20880)(dubbo_attachments), DETAILS),
    Shape("a long attachment (Dubbo)", 50, one_call(20880)(dubbo_attachment), DETAILS),
    Shape("heartbeats (Dubbo)", 20_000, dubbo_beats),
    Shape("pipeline of Dubbo", 2_000, dubbo_pipeline),
    Shape("records of DNS", 200, one_call(53)(dns_records)),
    Shape("connections behind PROXY protocol", 1_000, behind(8080, b"PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n")),
    Shape("values of PROXY protocol", 7_000, one_call(8080)(proxy_values)),
    Shape("connections by SOCKS", 1_000, behind(1080, b"\4\1\0\x50\x0a\0\0\1\0", b"\0\x5a\0\0\0\0\0\0")),
    Shape("segments that come last first", 4_000, backwards, quick=True),
    Shape("many gaps", 1_500, many_gaps, quick=True),
    Shape("many connections", 2_000, many_connections),
    Shape("connections that wait", 2_000, open_at_once),
    Shape("calls of one trace", 2_000, one_trace),
    *(Shape(f"{name} ({database})", size, made)
      for name, (size, text) in STATEMENTS.items()
      for database, made in zip(("MySQL", "PostgreSQL"), statement(text))),
    Shape("prepared statements (MySQL)", 1_000, mysql_prepared),
    Shape("rows (MySQL)", 50_000, mysql_rows, SANITIZE, quick=True),
    Shape("prepared statements (PostgreSQL)", 1_000, postgresql_prepared, quick=True),
    Shape("pipeline (PostgreSQL)", 1_500, postgresql_pipeline),
    Shape("rows (PostgreSQL)", 50_000, postgresql_rows, SANITIZE),
]
