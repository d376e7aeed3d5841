"""The cart service, in the pod: asks the price service for each item.

It works as if there were no sidecar; only what it writes down says where its packets really go.
"""
import http.client
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from truth import Call, exchange

PRICES, CLOSED = ("10.91.0.3", 8080), ("10.91.0.3", 9090)
SIDECAR = ("127.0.0.1", 15001)
PASSED_ON = ("traceparent", "X-Request-ID")


class Cart(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.prices = http.client.HTTPConnection(*PRICES)
        self.served = self.asked = 0

    def finish(self):
        super().finish()
        self.prices.close()

    def do_GET(self):
        self.served += 1
        path, _, query = self.path.partition("?")
        item = path.split("/")[-1]
        caller = exchange(self.client_address, self.connection.getsockname(), self.served)
        if query == "closed":
            status, price = self.ask(http.client.HTTPConnection(*CLOSED), 1, item, caller)
        else:
            self.asked += 1
            status, price = self.ask(self.prices, self.asked, item, caller, query == "quiet")
        body = b"item %b: %b" % (item.encode(), price)
        self.send_response_only(200 if status == 200 else 502)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self, connection, nth, item, caller, quiet=False):
        call = Call("http", caller)
        headers = {"Host": "prices.example", "User-Agent": "cart/1"}
        if not quiet:
            headers |= {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        if not connection.sock:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.request("GET", f"/prices/{item}", headers=headers)
        own = connection.sock.getsockname()
        response = connection.getresponse()
        price = response.read()
        call.done(own, SIDECAR, nth, f"GET /prices/{item}", response.status)
        return response.status, price

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("10.91.0.2", 8080), Cart).serve_forever()
