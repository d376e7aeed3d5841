"""The client: one request after the other, then eight at once. Fixed seed for its trace ids."""
import http.client
import random
import threading

from names import look_up
from truth import Call

GATEWAY = ("10.90.0.2", 8080)
RANDOM = random.Random(7)
# What the client does is seen outside of the router, and behind it.
POINTS = 2

TRACED, PLAIN = True, False
ONE_BY_ONE = [
    ("GET", "/orders/7", TRACED),
    ("GET", "/orders/7", PLAIN),      # From the cache.
    ("HEAD", "/orders/7", TRACED),
    ("GET", "/orders/9?quiet", PLAIN),  # Nobody passes an identifier on.
    ("GET", "/orders", TRACED),       # In chunks.
    ("GET", "/orders/404", TRACED),   # Not there.
    ("GET", "/orders/13", TRACED),    # An error of Redis, at the end of the chain.
    ("GET", "/orders/11", TRACED),    # Stock is busy, and is asked again.
    ("GET", "/orders/12", TRACED),    # Stock takes 50 ms.
    ("GET", "/orders/21/invoice", TRACED),  # No such name, then a refused connection.
    ("GET", "/legacy/5", PLAIN),      # HTTP/1.0, ended by the end of the connection.
    ("GET", "/catalogue", PLAIN),     # Some 60 KB.
]
# Two of them from the cache.
AT_ONCE = [("GET", f"/orders/{item}", item % 2 == 0) for item in (30, 31, 32, 7, 33, 34, 9, 35)]


class Client:
    def __init__(self):
        self.http = http.client.HTTPConnection(*GATEWAY)
        self.http.connect()
        self.count = 0

    def call(self, method, path, headers, together=None):
        if together:
            together.wait()
        call = Call("http")
        self.http.request(method, path, headers={"Host": "shop.example", "User-Agent": "lab/1", **headers})
        # http.client forgets the connection where the response closes it.
        own = self.http.sock.getsockname()
        response = self.http.getresponse()
        response.read()
        self.write(call, own, f"{method} {path}", response)

    def post_after_continue(self, path, body):
        """Asks before it sends the body, which http.client cannot."""
        call = Call("http")
        own = self.http.sock
        own.sendall(f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len(body)}\r\n"
                    "Expect: 100-continue\r\n\r\n".encode())
        assert own.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        own.sendall(body)
        response = http.client.HTTPResponse(own, method="POST")
        response.begin()
        response.read()
        self.write(call, own.getsockname(), f"POST {path}", response)

    def write(self, call, own, operation, response):
        """nginx keeps no account of what it calls: the request id that it made names this exchange."""
        self.count += 1
        name = f"request {response.getheader('X-Request-ID')}"
        call.done(own, GATEWAY, self.count, operation, response.status, POINTS, name)


def headers(traced):
    if not traced:
        return {}
    return {"traceparent": f"00-{RANDOM.getrandbits(128):032x}-{RANDOM.getrandbits(64):016x}-01"}


look_up("shop.example", points=POINTS)
client = Client()
for method, path, traced in ONE_BY_ONE:
    client.call(method, path, headers(traced))
client.post_after_continue("/orders", b'{"item": 7, "count": 2, "note": "' + b"please wrap it. " * 120 + b'"}')

together = threading.Barrier(len(AT_ONCE))
threads = []
for method, path, traced in AT_ONCE:
    arguments = (method, path, headers(traced), together)
    threads.append(threading.Thread(target=Client().call, args=arguments))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
