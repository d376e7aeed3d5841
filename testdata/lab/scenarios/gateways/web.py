"""HTTP and Redis, as the services need them."""
import asyncio
import collections
import os

from harness import marks

# Fields of a request that a service hands on to all that it calls.
HANDED_ON = os.environ.get("HANDED_ON", "").split()
# Whether it answers with the X-Request-ID that it was asked with.
ECHOES = os.environ.get("ECHOES") == "yes"
REASONS = {200: "OK", 201: "Created", 404: "Not Found", 409: "Conflict", 502: "Bad Gateway", 503: "Service Unavailable"}


class Request:
    """What a service is asked, and what it hands on."""

    def __init__(self, head, body):
        line, *fields = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = line.split(" ")
        self.fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        self.words = self.path.strip("/").split("/")
        self.body = body
        mark = self.fields.get(marks.HEADER.lower())
        self.calls = marks.Caller(mark) if mark else None

    def handed_on(self):
        fields = {name: self.fields[name.lower()] for name in HANDED_ON if name.lower() in self.fields}
        return {marks.HEADER: self.calls.next(), **fields}


class HangUp(Exception):
    """Ends the connection in place of an answer."""


async def message(reader):
    """A head and a body, whose length the head says."""
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return head, await reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b""


async def serve(address, port, answer):
    """Answers all requests with what `answer(request)` gives: a status and a body."""
    async def connection(reader, writer):
        try:
            while True:
                request = Request(*await message(reader))
                status, body = await answer(request)
                fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                if ECHOES and "x-request-id" in request.fields:
                    fields += f"X-Request-ID: {request.fields['x-request-id']}\r\n"
                writer.write(f"HTTP/1.1 {status} {REASONS[status]}\r\n{fields}\r\n".encode() + body)
                await writer.drain()
        except (EOFError, OSError, HangUp):
            pass
        finally:
            writer.close()
    server = await asyncio.start_server(connection, address, port, backlog=1024)
    await server.serve_forever()


class Pool:
    """Connections to a server, the one that was idle longest first; from these addresses, if any are given."""

    def __init__(self, host, port, sources=None):
        self.host, self.port, self.sources, self.idle = host, port, sources, collections.deque()

    async def connect(self):
        source = next(self.sources) if self.sources else None
        return await asyncio.open_connection(self.host, self.port, local_addr=source)

    async def use(self, exchange):
        """What `exchange(reader, writer)` gives, with a connection that nobody else uses meanwhile."""
        connection = self.idle.popleft() if self.idle else await self.connect()
        try:
            found = await exchange(*connection)
        except BaseException:
            connection[1].close()
            raise
        self.idle.append(connection)
        return found


class Http(Pool):
    async def ask(self, request, method, path, body=b""):
        """The status and the body of an answer to what is asked on behalf of a request."""
        fields = {"Host": self.host, **request.handed_on(), **({"Content-Length": len(body)} if body else {})}

        async def exchange(reader, writer):
            head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write((head + "\r\n").encode() + body)
            head, answer = await message(reader)
            return int(head.split(b" ")[1]), answer
        return await self.use(exchange)


class Redis(Pool):
    def __init__(self, host, port=6379):
        super().__init__(host, port)
        self.counts = collections.Counter()

    async def command(self, *words, mark=None):
        """The answer to a command; a mark that it has no room for goes to the side log."""
        async def exchange(reader, writer):
            self.counts[writer] += 1
            if mark:
                client, server = ("%s:%d" % writer.get_extra_info(end)[:2] for end in ("sockname", "peername"))
                log_side(f"{client}\t{server}\t{self.counts[writer]}\t{mark}\n")
            lines = [f"*{len(words)}", *(line for word in words for line in (f"${len(word)}", word)), ""]
            writer.write("\r\n".join(lines).encode())
            return await answer_of_redis(reader)
        return await self.use(exchange)

    async def get(self, request, *keys):
        """The values of some keys. The mark is a key that there is not."""
        values = await self.command("MGET", *keys, request.calls.next())
        return values[:-1]

    async def change(self, request, *words):
        return await self.command(*words, mark=request.calls.next())


async def answer_of_redis(reader):
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"*":
        return [await answer_of_redis(reader) for _ in range(int(rest))]
    if kind == b"$":
        return None if rest == b"-1" else (await reader.readexactly(int(rest) + 2))[:-2]
    return int(rest) if kind == b":" else rest


def log_side(line):
    side = os.open(os.environ["LAB_SIDE"], os.O_WRONLY | os.O_APPEND)
    os.write(side, line.encode())
    os.close(side)
