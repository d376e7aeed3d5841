"""The client: one request after the other, then some at a time. Fixed seed for its trace ids."""
import http.client
import random
import socket
import threading

from names import look_up
from truth import Row

GATEWAY = ("10.90.0.2", 8080)
RANDOM = random.Random(7)

TRACED, PLAIN = True, False
ONE_BY_ONE = [
    ("GET", "/orders/7", TRACED),
    ("GET", "/orders/7", PLAIN),      # From the cache.
    ("HEAD", "/orders/7", TRACED),
    ("GET", "/orders/8", TRACED),
    ("GET", "/orders/9?quiet", PLAIN),
    ("GET", "/orders", TRACED),       # In chunks.
    ("GET", "/orders/404", TRACED),   # Not there.
    ("GET", "/orders/13", TRACED),    # Stock fails.
    ("GET", "/orders/21/invoice", TRACED),  # No such name, then a refused connection.
    ("GET", "/legacy/5", PLAIN),      # HTTP/1.0, ended by the end of the connection.
    ("GET", "/catalogue", PLAIN),     # Some 60 KB.
]
AT_ONCE = [("GET", f"/orders/{number}", number % 2 == 0) for number in range(30, 34)]


class Client:
    def __init__(self):
        self.http = http.client.HTTPConnection(*GATEWAY)
        self.count = 0

    def call(self, method, path, headers):
        at = Row("", "", "", "http")
        self.http.request(method, path, headers={"Host": "shop.example", "User-Agent": "lab/1", **headers})
        response = self.http.getresponse()
        response.read()
        self.count += 1
        self.write(at, method, path, response.getheader("X-Request-ID"), response.status)

    def post_after_continue(self, path, body):
        """Asks before it sends the body, which http.client cannot."""
        at = Row("", "", "", "http")
        own = self.http.sock
        own.sendall(f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len(body)}\r\n"
                    "Expect: 100-continue\r\n\r\n".encode())
        assert own.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        own.sendall(body)
        response = http.client.HTTPResponse(own, method="POST")
        response.begin()
        response.read()
        self.count += 1
        self.write(at, "POST", path, response.getheader("X-Request-ID"), response.status)

    def write(self, begun, method, path, request, status):
        row = Row(request, "client", "", "http")
        row.at = begun.at
        row.done(self.http.sock.getsockname(), GATEWAY, self.count, f"{method} {path}", status)


def headers(traced):
    if not traced:
        return {}
    return {"traceparent": f"00-{RANDOM.getrandbits(128):032x}-{RANDOM.getrandbits(64):016x}-01"}


look_up("shop.example", "-", "client-start", None)
client = Client()
for method, path, traced in ONE_BY_ONE:
    client.call(method, path, headers(traced))
client.post_after_continue("/orders", b'{"item": 7, "count": 2, "note": "' + b"please wrap it. " * 120 + b'"}')

threads = []
for method, path, traced in AT_ONCE:
    threads.append(threading.Thread(target=Client().call, args=(method, path, headers(traced))))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
