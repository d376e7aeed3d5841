"""The worker: waits for what comes, and works on one message at a time."""
import http.client
import json

from resp import Redis, got

redis = Redis()
waiting = Redis()
stock = http.client.HTTPConnection("10.94.0.2", 8086)


def work(text):
    order = json.loads(text)
    stock.request("GET", f"/stock/{order['order']}")
    stock.getresponse().read()
    redis("XADD", "audit", "*", "what", "sold", "order", order["order"])
    redis("PUBLISH", "sold", json.dumps(order))


print("ready", flush=True)
while True:
    found = waiting("BRPOP", "orders", "urgent", 0)
    queue, text = found
    got("worker", "BRPOP", queue, text)
    work(text)
    # What else lies about: several at once, moved, large, of equal content.
    for mail in redis("LPOP", "mails", 10) or []:
        got("worker", "LPOP", "mails", mail)
    moved = redis("LMOVE", "files", "files.doing", "LEFT", "RIGHT")
    if moved:
        got("worker", "LMOVE", "files", moved)
        got("worker", "RPOP", "files.doing", redis("RPOP", "files.doing"))
    while tick := redis("LPOP", "ticks"):
        got("worker", "LPOP", "ticks", tick)
