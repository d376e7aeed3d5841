"""The orders service: for an incoming call it asks DNS, its cache and stock, and writes down what it did."""
import http.client
import json
import random
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from names import look_up
from truth import Call, exchange

CACHE, STOCK, CLOSED = ("10.90.0.6", 6379), ("10.90.0.4", 8082), ("10.90.0.4", 9090)
RANDOM = random.Random(90)
LOCK = threading.Lock()


def random_hex(digits):
    with LOCK:
        return f"{RANDOM.getrandbits(digits * 4) | 1:0{digits}x}"


class Redis:
    """A connection for one thread. RESP is small enough to be written here."""

    def __init__(self):
        self.socket = socket.create_connection(CACHE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")
        self.count = 0

    def call(self, caller, *commands):
        """All commands in one write: more than one is a pipeline."""
        calls = [Call("redis", caller) for _ in commands]
        self.socket.sendall(b"".join(self.encode(c) for c in commands))
        replies = []
        for call, command in zip(calls, commands):
            replies.append(self.reply())
            self.count += 1
            call.done(self.socket.getsockname(), CACHE, self.count, command[0], "ok")
        return replies

    def encode(self, words):
        words = [str(w).encode() for w in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)

    def reply(self):
        line = self.replies.readline()
        if line[:1] != b"$":
            return line[1:-2]
        size = int(line[1:])
        return None if size < 0 else self.replies.read(size + 2)[:-2]


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.cache, self.calls, self.served = Redis(), {}, 0
        self.stock = http.client.HTTPConnection(*STOCK)

    def finish(self):
        super().finish()
        self.cache.socket.close()
        self.stock.close()

    def do_GET(self):
        # nginx asks, and keeps no account of it; its request id says for whom.
        call = Call("http", f"request {self.headers['X-Request-ID']}")
        self.served += 1
        ends = self.client_address, self.connection.getsockname()
        self.this = exchange(*ends, self.served)
        call.done(*ends, self.served, f"{self.command} {self.path}", self.serve())

    do_HEAD = do_POST = do_GET

    def serve(self):
        path, _, query = self.path.partition("?")
        words = path.strip("/").split("/")
        if self.command == "POST":
            return self.store()
        if words == ["orders"]:
            return self.answer_in_chunks()
        if words == ["catalogue"]:
            draw = random.Random(60)
            rows = [{"item": k, "sku": f"A-{draw.randrange(10**6)}", "note": "in the back, on the left"} for k in range(830)]
            return self.answer(200, rows)
        if words[-1] == "invoice":
            look_up("printer.shop.example", self.this)
            return self.answer(502, {"error": self.call_closed_port()})
        return self.order(words[1], quiet=query == "quiet", kind="legacy" if words[0] == "legacy" else "items")

    def order(self, item, quiet, kind):
        """From the cache, else from stock. A quiet one passes no identifier on."""
        cached, = self.cache.call(self.this, ("GET", f"{kind}:{item}"))
        if cached:
            return self.answer(200, {"order": item, "stock": cached.decode()})
        look_up("stock.shop.example", self.this)
        status, body = self.call_stock("GET", f"/{kind}/{item}", quiet)
        if status == 503:
            time.sleep(0.005)
            status, body = self.call_stock("GET", f"/{kind}/{item}", quiet)
        if status == 200:
            self.cache.call(self.this, ("SET", f"{kind}:{item}", body),
                            ("EXPIRE", f"{kind}:{item}", 60), ("INCR", "orders:misses"))
        return self.answer(status, {"order": item, "stock": body})

    def store(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number, = self.cache.call(self.this, ("INCR", "orders:last"))
        status, _ = self.call_stock("POST", f"/items/{json.loads(body)['item']}", quiet=False)
        self.cache.call(self.this, ("SET", f"order:{int(number)}", body.decode()))
        return self.answer(201 if status == 200 else 502, {"order": int(number)})

    def call_stock(self, method, path, quiet):
        call = Call("http", self.this)
        headers = {}
        if not quiet:
            headers["X-Request-ID"] = self.headers["X-Request-ID"]
            if "traceparent" in self.headers:
                version, trace, _, flags = self.headers["traceparent"].split("-")
                headers["traceparent"] = f"{version}-{trace}-{random_hex(16)}-{flags}"
        self.stock.request(method, path, headers=headers)
        own = self.stock.sock.getsockname()
        self.calls[own] = self.calls.get(own, 0) + 1
        response = self.stock.getresponse()
        body = response.read().decode()
        call.done(own, STOCK, self.calls[own], f"{method} {path}", response.status)
        return response.status, body

    def call_closed_port(self):
        call = Call("tcp", self.this)
        with socket.socket() as tcp:
            tcp.bind(("10.90.0.3", 0))
            own = tcp.getsockname()
            try:
                tcp.connect(CLOSED)
            except ConnectionRefusedError:
                call.done(own, CLOSED, 1, "connect", "refused")
                return "the printer refused the connection"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return status

    def answer_in_chunks(self):
        self.cache.call(self.this, ("GET", "orders:last"))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"[1, 2,", b" 3, 4,", b" 5]\n", b""):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        return 200

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def server_bind(self):
        """Without the look-up of its own name that HTTPServer makes."""
        TCPServer.server_bind(self)


look_up("cache.shop.example")
Server(("10.90.0.3", 8081), Orders).serve_forever()
