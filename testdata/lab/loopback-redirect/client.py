"""The client: one request after the other, then three at a time. Fixed seed for its trace ids."""
import http.client
import random
import threading

from truth import Call

CART = ("10.91.0.2", 8080)
RANDOM = random.Random(11)


class Client:
    def __init__(self):
        self.http = http.client.HTTPConnection(*CART)
        self.count = 0

    def call(self, path, traced):
        call = Call("http")
        headers = {"Host": "cart.example", "User-Agent": "lab/1"}
        if traced:
            headers["traceparent"] = f"00-{RANDOM.getrandbits(128):032x}-{RANDOM.getrandbits(64):016x}-01"
        self.http.request("GET", path, headers=headers)
        own = self.http.sock.getsockname()
        response = self.http.getresponse()
        response.read()
        self.count += 1
        call.done(own, CART, self.count, f"GET {path}", response.status)


client = Client()
client.call("/cart/1", traced=True)
client.call("/cart/2", traced=False)
client.call("/cart/3?quiet", traced=False)   # The cart passes no identifier on.
client.call("/cart/4?quiet", traced=True)
client.call("/cart/5?closed", traced=True)   # Only the sidecar learns that nobody listens.
client.call("/cart/9", traced=False)         # A long answer.
threads = [threading.Thread(target=Client().call, args=(f"/cart/{item}", item % 2 == 0)) for item in (6, 7, 8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
