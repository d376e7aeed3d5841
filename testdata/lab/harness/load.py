"""load.py PLAN OUT: sends requests over HTTP at given times, whether or not earlier ones are answered.

PLAN is JSON: `fronts`, each [host, port], `connections`, and `requests`, each [seconds, method, path,
headers, body], with a further number of seconds after which its client hangs up. Connections are made
to the fronts in turn, kept and used again, the one that was idle longest first; more are made while all
are busy, up to `connections`; beyond that, a request waits, and that is counted. OUT gets a line for
each request, in JSON.
"""
import asyncio
import collections
import itertools
import json
import sys
import time

# Seconds for an answer.
PATIENCE = 30


class Load:
    def __init__(self, plan, out):
        self.plan, self.out = plan, out
        self.fronts = itertools.cycle(plan["fronts"])
        self.idle, self.made, self.in_flight, self.most = collections.deque(), 0, 0, 0
        self.freed = asyncio.Condition()

    async def connection(self):
        async with self.freed:
            while True:
                if self.idle:
                    return self.idle.popleft()
                if self.made < self.plan["connections"]:
                    self.made += 1
                    break
                await self.freed.wait()
        host, port = next(self.fronts)
        try:
            return host, port, *await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE)
        except BaseException:
            await self.give_back(None)
            raise

    async def give_back(self, connection):
        async with self.freed:
            if connection:
                self.idle.append(connection)
            else:
                self.made -= 1
            self.freed.notify()

    async def ask(self, began, number, request):
        at, method, path, headers, body, *patience = request
        await asyncio.sleep(max(0, began + at - time.monotonic()))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        due, started, status, kept = time.monotonic(), None, None, None
        try:
            host, port, reader, writer = connection = await self.connection()
            started = time.monotonic()
            try:
                fields = {"Host": f"[{host}]:{port}" if ":" in host else f"{host}:{port}", **headers}
                if body or method == "POST":
                    fields["Content-Length"] = str(len(body.encode()))
                head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                writer.write((head + "\r\n" + body).encode())
                status, keep = await asyncio.wait_for(answer(reader, method), *patience or [PATIENCE])
                kept = connection if keep else None
            finally:
                if not kept:
                    writer.close()
                await self.give_back(kept)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
            gave_up = patience and isinstance(error, asyncio.TimeoutError)
            status = "gave up" if gave_up else status or type(error).__name__
            started = started or due
        self.in_flight -= 1
        line = {"number": number, "status": status, "late_ms": round(1000 * (started - began - at), 3),
                "took_ms": round(1000 * (time.monotonic() - started), 3)}
        self.out.write(json.dumps(line) + "\n")

    async def run(self):
        began = time.monotonic() + 0.1
        requests = self.plan["requests"]
        tasks = [asyncio.create_task(self.ask(began, number, request)) for number, request in enumerate(requests)]
        await asyncio.gather(*tasks)
        for *_, writer in self.idle:
            writer.close()
        took = time.monotonic() - began
        self.out.write(json.dumps({"requests": len(requests), "seconds": round(took, 3), "most_in_flight": self.most}) + "\n")


async def answer(reader, method):
    """The status of an answer, and whether the connection can be used again."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.split("\r\n")
        status = int(line.split(" ")[1])
        if status >= 200:
            break
    fields = {name.lower(): value.strip().lower() for name, _, value in (field.partition(":") for field in fields)}
    keep = fields.get("connection") != "close"
    if method == "HEAD" or status in (204, 304):
        return status, keep
    if "chunked" in fields.get("transfer-encoding", ""):
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    else:
        await reader.read()
        keep = False
    return status, keep


async def main():
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    with open(sys.argv[2], "w") as out:
        await Load(plan, out).run()


if __name__ == "__main__":
    asyncio.run(main())
