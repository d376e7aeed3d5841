"""services.py SERVICE NAME ADDRESS PORT: one of the services behind the gateways."""
import asyncio
import itertools
import json
import random
import sys

from web import HangUp, Http, Redis, serve

SERVICE, NAME, ADDRESS, PORT = sys.argv[1:]
chance = random.Random(NAME)
# Seconds for which a value is cached.
CACHED = "2"
SLOW = 1.0
KNOWN = 900


async def work(median=0.02):
    """What else a service does: it takes 5 to 60 ms."""
    await asyncio.sleep(min(max(chance.lognormvariate(0, 0.6) * median, 0.005), 0.06))


def as_json(**values):
    return json.dumps(values).encode()


def may_fail(busy, hangs_up):
    """Fails now and then, with these probabilities."""
    draw = chance.random()
    if draw < hangs_up:
        raise HangUp
    return draw < hangs_up + busy


class Catalog:
    """Items, whose prices are asked for and cached, baskets of them, and orders."""

    def __init__(self):
        self.redis = Redis("10.97.2.31")
        self.prices, self.audit = Http("10.97.2.32", 8083), Http("10.97.2.33", 8084)
        self.background = set()

    async def answer(self, request):
        kind, what = request.words[0], request.words[-1]
        if may_fail(busy=0.03, hangs_up=0.01):
            return 503, as_json(error="busy")
        await work()
        if kind == "slow":
            await self.redis.get(request, f"item:{what}")
            await asyncio.sleep(SLOW)
            return 200, as_json(item=what)
        if kind == "items":
            status, price = await self.price(request, what)
            await work()
            return status, as_json(item=what, price=price)
        if kind == "baskets":
            found = await asyncio.gather(*(self.price(request, item) for item in what.split(",")))
            await work()
            return 200, as_json(prices=[price for _, price in found])
        if kind == "orders":
            return await self.order(request, json.loads(request.body))
        return 404, as_json(error=f"no {kind}")

    async def price(self, request, item):
        cached, = await self.redis.get(request, f"item:{item}")
        if cached:
            return 200, int(cached)
        await work()
        status, body = await self.prices.ask(request, "GET", f"/prices/{item}")
        if status != 200:
            return status, None
        price = json.loads(body)["price"]
        await self.redis.change(request, "SET", f"item:{item}", str(price), "EX", CACHED)
        return 200, price

    async def order(self, request, order):
        left = await self.redis.change(request, "DECRBY", f"left:{order['item']}", str(order["count"]))
        if left % 7 == 0:
            await self.redis.change(request, "INCRBY", f"left:{order['item']}", str(order["count"]))
            return 409, as_json(order=order["order"], error="sold out")
        status, price = await self.price(request, order["item"])
        if status != 200:
            return 404, as_json(error="no such item")
        await work()
        fields = ("item", str(order["item"]), "price", str(price))
        await self.redis.change(request, "HSET", f"order:{order['order']}", *fields)
        # Nobody waits for it.
        task = asyncio.create_task(self.write_down(request, order["order"], price))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return 201, as_json(order=order["order"], price=price)

    async def write_down(self, request, order, price):
        await work()
        await self.audit.ask(request, "POST", "/entries", as_json(order=order, price=price))


class Prices:
    async def answer(self, request):
        if request.words[0] == "health":
            return 200, b""
        item = int(request.words[-1])
        await work()
        if item >= KNOWN:
            return 404, as_json(error="no such item")
        return 200, as_json(item=item, price=99 + item * 37 % 1000)


class Audit:
    async def answer(self, request):
        await work(0.01)
        return 201, b""


class Accounts:
    """Accounts of a tenant, which are kept in a ledger on another node."""

    def __init__(self):
        # The kernel would give the same port to one tenant only.
        self.ledger = Http("10.98.0.2", 8086, sources=(("10.98.0.1", port) for port in itertools.count(40000)))

    async def answer(self, request):
        if request.words[0] == "health":
            return 200, b""
        if may_fail(busy=0.04, hangs_up=0.02):
            return 503, as_json(error="busy")
        _, _, account = request.words
        await work()
        status, body = await self.ledger.ask(request, "GET", f"/accounts/{account}")
        if request.method == "POST":
            amount = json.loads(request.body)["amount"]
            entries = ((account, amount), ("cash", -amount))
            await asyncio.gather(*(self.ledger.ask(request, "POST", f"/accounts/{name}", as_json(amount=change))
                                   for name, change in entries))
            return 201, as_json(account=account)
        return status, body


class Ledger:
    def __init__(self):
        self.sums = {}

    async def answer(self, request):
        account = request.words[-1]
        await work()
        if request.method == "POST":
            self.sums[account] = self.sums.get(account, 0) + json.loads(request.body)["amount"]
            return 201, b""
        return 200, as_json(account=account, sum=self.sums.get(account, 0))


class Files:
    async def answer(self, request):
        if request.words[0] == "health":
            return 200, b""
        await work()
        line = f"{request.path} as {NAME} has it\n".encode()
        size = int(request.words[-1]) * 1024
        return 200, (line * (size // len(line) + 1))[:size]


if __name__ == "__main__":
    asyncio.run(serve(ADDRESS, int(PORT), globals()[SERVICE.capitalize()]().answer))
