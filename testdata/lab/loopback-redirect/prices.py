"""The price service, on a host of its own: it calls nobody."""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Prices(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        item = self.path.split("/")[-1]
        # Item 9 has a long history: more than the loopback's MTU of 65,536 holds.
        body = b"4.90\n" * 20_000 if item == "9" else b"4.90\n"
        self.send_response_only(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("10.91.0.3", 8080), Prices).serve_forever()
