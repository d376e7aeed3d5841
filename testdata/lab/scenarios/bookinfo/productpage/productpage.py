"""The product page: asks details, reviews and ratings, some of them at once; keeps details for a second.

$DETAILS, $REVIEWS and $RATINGS are their URLs, $PASS names headers that are passed on to them.
"""
import asyncio
import json
import os
import random
import time

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from harness import marks

DETAILS, REVIEWS, RATINGS = (os.environ[name] for name in ("DETAILS", "REVIEWS", "RATINGS"))
PASS = os.environ["PASS"].split()
KEPT_FOR = 1.0
routes = web.RouteTableDef()
details_kept, later = {}, set()


class Calls:
    """What is called on behalf of a request."""

    def __init__(self, request):
        self.session, self.caller = request.app["session"], marks.Caller(request.headers[marks.HEADER])
        self.passed = {name: request.headers[name] for name in PASS if name in request.headers}

    async def ask(self, url, method="GET", content=None):
        """The status and what JSON was answered, or None in its place."""
        headers = {marks.HEADER: self.caller.next(), **self.passed}
        try:
            async with self.session.request(method, url, json=content, headers=headers) as answer:
                text = await answer.text()
                return answer.status, json.loads(text) if answer.content_type == "application/json" else None
        except (ClientError, asyncio.TimeoutError):
            return 502, None


async def work():
    """Takes 5 to 60 ms, mostly some 15."""
    await asyncio.sleep(min(0.06, max(0.005, random.lognormvariate(-4.2, 0.6))))


async def details_of(calls, product):
    until, kept = details_kept.get(product, (0, None))
    if time.monotonic() < until:
        return 200, kept
    status, found = await calls.ask(f"{DETAILS}/details/{product}")
    if status == 200:
        details_kept[product] = time.monotonic() + KEPT_FOR, found
    return status, found


@routes.get("/productpage")
async def page(request):
    calls, product = Calls(request), request.query["id"]
    await work()
    (status, details), (reviewed, reviews) = await asyncio.gather(
        details_of(calls, product), calls.ask(f"{REVIEWS}/reviews/{product}"))
    await work()
    if status == 404:
        return web.Response(status=404, text="no such book\n")
    if random.random() < 0.5:
        visit = asyncio.create_task(visited(calls, product))
        later.add(visit)
        visit.add_done_callback(later.discard)
    title = details["title"] if status == 200 else "details are not available"
    body = "".join(f"<blockquote>{review['text']} {'*' * review.get('stars', 0)}<br>{review['reviewer']}</blockquote>\n"
                   for review in reviews["reviews"]) if reviewed == 200 else "<p>reviews are not available</p>\n"
    return web.Response(text=f"<html><h1>{title}</h1>\n{body}</html>\n", content_type="text/html")


async def visited(calls, product):
    """Counts a visit, one in two, after the page is out."""
    await asyncio.sleep(0.005)
    await work()
    await calls.ask(f"{RATINGS}/visits/{product}", "POST")


@routes.get("/api/v1/products/{product}")
async def product(request):
    return passed_on(*await details_of(Calls(request), request.match_info["product"]))


@routes.get("/api/v1/products/{product}/reviews")
async def reviews(request):
    await work()
    return passed_on(*await Calls(request).ask(f"{REVIEWS}/reviews/{request.match_info['product']}"))


@routes.get("/api/v1/products/{product}/ratings")
async def ratings(request):
    await work()
    return passed_on(*await Calls(request).ask(f"{RATINGS}/ratings/{request.match_info['product']}"))


@routes.post("/api/v1/products/{product}/ratings")
async def rate(request):
    calls, product = Calls(request), request.match_info["product"]
    rating = await request.json()
    status, answer = await calls.ask(f"{RATINGS}/ratings/{product}", "POST", rating)
    if status == 201:
        # Ratings of its own are shown at once.
        status, answer = await calls.ask(f"{RATINGS}/ratings/{product}")
    return passed_on(status, answer)


def passed_on(status, content):
    return web.json_response(content if content is not None else {"error": "not available"}, status=status)


async def session(app):
    async with ClientSession(connector=TCPConnector(limit=100), timeout=ClientTimeout(5)) as app["session"]:
        yield


random.seed(int(os.environ["SEED"]))
app = web.Application()
app.cleanup_ctx.append(session)
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=9080, access_log=None, print=None)
