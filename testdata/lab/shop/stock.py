"""The stock service: answers what is there of an item. It calls nobody, so orders writes its truth."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        kind, item = self.path.strip("/").split("/")
        if kind == "legacy":
            self.answer_as_http_1_0(item)
        elif item == "13":
            self.answer(500, {"error": "the shelf is broken"})
        elif int(item) > 100:
            self.answer(404, {"error": "no such item"})
        else:
            self.answer(200, {"item": item, "left": int(item) * 3, "shelf": f"A{item}"})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_as_http_1_0(self, item):
        """No length and no chunks: the body ends where the connection does."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        for row in range(5):
            self.wfile.write(f"item {item} row {row}\n".encode())
        self.close_connection = True

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("10.90.0.4", 8082), Stock).serve_forever()
