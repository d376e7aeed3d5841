"""A sidecar: whatever its pod sends and gets is redirected to it, and it passes it on.

As Envoy does, it gives a request an X-Request-ID where there is none, asks the pod's own program
from 127.0.0.6, and answers 503 itself where nobody listens.
"""
import http.client
import os
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from truth import Call, exchange

SO_ORIGINAL_DST = 80
INBOUND, OUTBOUND = 15006, 15001


class Sidecar(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        address = self.connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        port, host = struct.unpack("!2xH4s8x", address)
        self.meant_for = (socket.inet_ntoa(host), port)
        inbound = self.server.server_address[1] == INBOUND
        source = ("127.0.0.6", 0) if inbound else None
        # A capture sees requests before what comes is redirected, and after what goes is.
        self.seen_as = self.meant_for if inbound else self.connection.getsockname()
        self.onward = http.client.HTTPConnection(*self.meant_for, source_address=source)
        self.served = self.passed_on = 0

    def finish(self):
        super().finish()
        self.onward.close()

    def do_GET(self):
        self.served += 1
        try:
            response, body = self.pass_on()
        except ConnectionRefusedError:
            return self.answer(503, [("Content-Type", "text/plain")], b"upstream connect error\n")
        kept = [(name, value) for name, value in response.getheaders() if name != "Content-Length"]
        return self.answer(response.status, kept, body)

    def pass_on(self):
        call = Call("http", exchange(self.client_address, self.seen_as, self.served))
        if not self.onward.sock:
            self.onward.connect()
            self.onward.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self.onward.putheader(name, value)
        if "X-Request-ID" not in self.headers:
            self.onward.putheader("X-Request-ID", os.urandom(16).hex())
        self.onward.endheaders()
        own = self.onward.sock.getsockname()
        response = self.onward.getresponse()
        body = response.read()
        self.passed_on += 1
        call.done(own, self.meant_for, self.passed_on, f"{self.command} {self.path}", response.status)
        return response, body

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


for port in (INBOUND, OUTBOUND):
    server = ThreadingHTTPServer(("0.0.0.0", port), Sidecar)
    threading.Thread(target=server.serve_forever).start()
