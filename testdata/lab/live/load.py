#!/usr/bin/env python3
"""load.py LOG [SERVER…] [options]: clients with a log of their own, one line an exchange.

A server is named by its protocol: http=10.93.0.2:8080, redis=…, postgresql=…. Without --rate the
loop is closed: each client asks again as soon as it was answered. With it the loop is open: requests
become due at that rate, whether earlier ones were answered or not, and go out on the first
connection that is free.

A line of the log holds, parted by tabs: when the request was sent and when its answer was complete
(nanoseconds since 1970), client, server, protocol, operation, status. Spans that wirespan finds say
the same in the same words. One connection carries one exchange at a time, so that a moment on it
names the exchange.
"""
import argparse
import asyncio
import random
import struct
import time

# A connection is closed by the client after so many exchanges at most, and a new one is opened.
LONGEST_CONNECTION = 200


class Http:
    """Asks for paths that hold a number which is used once, so that no two exchanges are alike."""

    STATUSES = {"item": 200, "stock": 200, "missing": 404, "busy": 503, "moved": 302, "order": 201, "large": 200}
    # What a request is drawn from, and what of it goes on to the second server.
    KINDS = ["item"] * 8 + ["stock"] * 4 + ["missing", "busy", "moved", "order", "large"]

    def __init__(self, without=()):
        self.kinds = [kind for kind in self.KINDS if kind not in without]

    async def open(self, reader, writer, log):
        pass

    async def ask(self, reader, writer, log, number):
        kind = random.choice(self.kinds)
        method = "POST" if kind == "order" else "HEAD" if number % 19 == 0 and kind == "item" else "GET"
        body = b'{"count": %d}' % number if kind == "order" else b""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        begin = time.time_ns()
        writer.write(f"{method} /{kind}/{number} HTTP/1.1\r\nHost: lab.example\r\n{length}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if method != "HEAD":
            await reader.readexactly(int(head.partition("\r\ncontent-length: ")[2].partition("\r\n")[0]))
        status = int(head.split()[1])
        assert status == self.STATUSES[kind], f"{method} /{kind}/{number} was answered by {status}"
        log(begin, f"{method} /{kind}/{number}", status)

    async def close(self, writer, log):
        pass


class Redis:
    COMMANDS = [("PING",), ("SET", "item:7", "pen"), ("GET", "item:7"), ("GET", "nothing"), ("INCR", "visits"),
                ("INCR", "item:7"), ("LPUSH", "item:7", "ink"), ("HSET", "box", "left", "3"), ("HGETALL", "box")]

    async def open(self, reader, writer, log):
        # What the errors of COMMANDS need.
        await self.command(reader, writer, log, ("SET", "item:7", "pen"))

    async def ask(self, reader, writer, log, number):
        await self.command(reader, writer, log, random.choice(self.COMMANDS))

    async def command(self, reader, writer, log, words):
        begin = time.time_ns()
        writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        ok = await self.reply(reader)
        log(begin, words[0], "ok" if ok else "error")

    async def reply(self, reader):
        """True unless it is an error."""
        line = await reader.readuntil(b"\r\n")
        if line[:1] == b"$" and line != b"$-1\r\n":
            await reader.readexactly(int(line[1:]) + 2)
        if line[:1] == b"*":
            for _ in range(int(line[1:])):
                await self.reply(reader)
        return line[:1] != b"-"

    async def close(self, writer, log):
        pass


class Postgresql:
    STATEMENTS = ["SELECT 1", "SELECT relname FROM pg_class LIMIT 40", "BEGIN", "COMMIT",
                  "SELECT price FROM items", "SELECT 1 / 0", "SHOW server_version"]

    async def open(self, reader, writer, log):
        begin = time.time_ns()
        words = b"user\0postgres\0database\0postgres\0\0"
        writer.write(struct.pack(">II", len(words) + 8, 196608) + words)
        log(begin, "LOGIN", await self.until_ready(reader))

    async def ask(self, reader, writer, log, number):
        statement = random.choice(self.STATEMENTS)
        begin = time.time_ns()
        writer.write(b"Q" + struct.pack(">I", len(statement) + 5) + statement.encode() + b"\0")
        log(begin, statement.split()[0], await self.until_ready(reader))

    async def until_ready(self, reader):
        """The SQLSTATE of an error, or ok."""
        status = "ok"
        while True:
            kind, length = struct.unpack(">cI", await reader.readexactly(5))
            body = await reader.readexactly(length - 4)
            if kind == b"E":
                status = next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")
            if kind == b"Z":
                return status

    async def close(self, writer, log):
        begin = time.time_ns()
        writer.write(b"X\0\0\0\4")
        log(begin, "TERMINATE", "sent")


class Client:
    """One connection after the other to one server."""

    def __init__(self, load, protocol, address):
        self.load, self.protocol, self.address = load, protocol, address
        self.speak = load.protocols[protocol]
        self.reader = self.writer = None
        self.left = 0

    async def ask(self, number):
        if self.left == 0:
            await self.close()
            host, _, port = self.address.rpartition(":")
            self.reader, self.writer = await asyncio.open_connection(host, int(port))
            self.own = "{}:{}".format(*self.writer.get_extra_info("sockname")[:2])
            self.left = random.randint(1, LONGEST_CONNECTION)
            await self.speak.open(self.reader, self.writer, self.log)
        self.left -= 1
        await self.speak.ask(self.reader, self.writer, self.log, number)

    async def close(self):
        if self.writer:
            await self.speak.close(self.writer, self.log)
            self.writer.close()
            await self.writer.wait_closed()
            self.writer = None

    def log(self, begin, operation, status):
        fields = (begin, time.time_ns(), self.own, self.address, self.protocol, operation, status)
        self.load.file.write("\t".join(str(field) for field in fields) + "\n")


class Load:
    def __init__(self, given):
        self.given, self.number = given, given.first
        self.file = open(given.log, "a")
        self.protocols = {"http": Http(given.without), "redis": Redis(), "postgresql": Postgresql()}
        self.end = time.monotonic() + given.seconds if given.seconds else None
        self.clients = [Client(self, *server.split("=", 1)) for server in given.servers for _ in range(given.clients)]

    def next(self):
        """The number of the next request, or None at the end."""
        if self.end and time.monotonic() > self.end or self.number - self.given.first >= self.given.count:
            return None
        self.number += 1
        return self.number

    async def closed(self, client):
        while (number := self.next()) is not None:
            await client.ask(number)
            if self.given.pause:
                await asyncio.sleep(self.given.pause)

    async def open(self, client, due):
        while (number := await due.get()) is not None:
            await client.ask(number)

    async def pace(self, due):
        begin, sent = time.monotonic(), 0
        while True:
            while sent < (time.monotonic() - begin) * self.given.rate:
                number = self.next()
                if number is None:
                    for _ in self.clients:
                        due.put_nowait(None)
                    return
                due.put_nowait(number)
                sent += 1
            await asyncio.sleep(0.002)

    async def run(self):
        if self.given.rate:
            due = asyncio.Queue()
            await asyncio.gather(self.pace(due), *(self.open(client, due) for client in self.clients))
        else:
            await asyncio.gather(*(self.closed(client) for client in self.clients))
        for client in self.clients:
            await client.close()
        self.file.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("log", help="lines are added to it")
    arguments.add_argument("servers", nargs="+", metavar="PROTOCOL=HOST:PORT")
    arguments.add_argument("--clients", type=int, default=4, help="connections at a time to each server")
    arguments.add_argument("--count", type=int, default=10**9, help="exchanges")
    arguments.add_argument("--seconds", type=float, help="how long")
    arguments.add_argument("--rate", type=float, help="exchanges a second, in an open loop")
    arguments.add_argument("--pause", type=float, help="seconds between two exchanges of a client")
    arguments.add_argument("--first", type=int, default=0, help="the number before the first path")
    arguments.add_argument("--without", nargs="*", default=[], metavar="KIND", help="paths of HTTP that are left out")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    random.seed(given.seed)
    asyncio.run(Load(given).run())


main()
