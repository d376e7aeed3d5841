"""accounts: asyncio; PostgreSQL by psycopg, stock by httpx."""
import tracing

tracing.start("accounts")

import asyncio  # noqa: E402
import random  # noqa: E402

import httpx  # noqa: E402
import marking  # noqa: E402
import psycopg_pool  # noqa: E402
from aiohttp import web  # noqa: E402

STOCK = "http://10.96.0.5:8082"

routes = web.RouteTableDef()
background = set()


async def work(median=15):
    """Work that takes some time: log-normal, from 5 to 60 ms."""
    await asyncio.sleep(min(0.06, max(0.005, median / 1000 * random.lognormvariate(0, 0.6))))


async def asked(sql, *values):
    async with store.connection() as connection:
        cursor = connection.cursor()
        await cursor.execute(sql, values)
        return await cursor.fetchone() if cursor.description else None


@web.middleware
async def marked(request, handler):
    with marking.serving(request.headers):
        return await handler(request)


@routes.get("/accounts/{id}")
async def account(request):
    """An account, and two items that its owner likes, asked for at once."""
    number = int(request.match_info["id"])
    row = await asked("SELECT name, favourite FROM accounts WHERE id = %s", number)
    if row is None:
        return web.json_response({}, status=404)
    await work()
    items = await asyncio.gather(*(stock.get(f"{STOCK}/items/{item}", headers=marking.header())
                                   for item in (row[1], row[1] + 1)))
    return web.json_response({"name": row[0], "items": [item.json() for item in items]})


@routes.get("/names/{id}")
async def name(request):
    await work(8)
    row = await asked("SELECT name FROM accounts WHERE id = %s", int(request.match_info["id"]))
    return web.json_response({"name": row[0]})


@routes.post("/notes/{account}/{number}")
async def note(request):
    account, number = int(request.match_info["account"]), int(request.match_info["number"])
    await asked("INSERT INTO notes VALUES (%s, %s)", account, number)
    task = asyncio.create_task(audit(number))
    background.add(task)
    task.add_done_callback(background.discard)
    return web.json_response({}, status=202)


async def audit(number):
    """Comes after the answer."""
    await work(25)
    await asked("INSERT INTO audit VALUES ('note', %s)", number)


async def main():
    global store, stock
    store = psycopg_pool.AsyncConnectionPool(
        "host=10.96.0.7 user=lab password=lab dbname=lab sslmode=disable gssencmode=disable",
        min_size=10, max_size=10, kwargs={"autocommit": True}, open=False)
    await store.open(wait=True)
    stock = httpx.AsyncClient(limits=httpx.Limits(max_connections=16, keepalive_expiry=120), timeout=20)
    application = tracing.whole(web.Application(middlewares=[marked]))
    application.add_routes(routes)
    runner = web.AppRunner(application, keepalive_timeout=120)
    await runner.setup()
    await web.TCPSite(runner, "10.96.0.6", 8083).start()
    await asyncio.Event().wait()


marking.psycopg()
asyncio.run(main())
