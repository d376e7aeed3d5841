"""The shop: what is asked of it by HTTP, it puts into Redis, and answers before anybody got it."""
import http.server
import json
import time

from resp import Redis

redis = Redis()


def order(number):
    text = json.dumps({"order": number, "item": number % 5})
    redis("LPUSH", "orders", text)


def several(number):
    """Three pushes at once, each on its own, and one of two values."""
    texts = [json.dumps({"mail": number, "part": part}) for part in range(5)]
    redis.send(*[("RPUSH", "mails", text) for text in texts[:3]], ("RPUSH", "mails", *texts[3:]))
    for _ in range(4):
        redis.read()


def transaction(number):
    redis.send(
        ("MULTI",),
        ("LPUSH", "orders", json.dumps({"order": number, "by": "transaction"})),
        ("XADD", "audit", "MAXLEN", "~", 1000, "*", "what", "ordered", "order", number),
        ("EXEC",),
    )
    for _ in range(4):
        redis.read()


def large(number):
    redis("RPUSH", "files", json.dumps({"file": number}) + "x" * 20_000)


def ticks(number):
    """Messages of equal content."""
    for _ in range(3):
        redis("RPUSH", "ticks", "tick")


def news(number):
    redis("PUBLISH", "news.shop", f"sale {number}")


def last(number):
    # Longer than the join window: the request is open while others settle.
    redis("LPUSH", "orders", json.dumps({"order": number, "is": "the last"}))
    time.sleep(2.5)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        _, name, number = self.path.split("/")
        globals()[name](int(number))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.HTTPServer(("10.94.0.3", 8085), Handler).serve_forever()
