"""What is asked of the shop, one after the other."""
import http.client
import time

shop = http.client.HTTPConnection("10.94.0.3", 8085)


def ask(path):
    shop.request("POST", path)
    shop.getresponse().read()


for number in range(1, 4):
    ask(f"/order/{number}")
    time.sleep(0.1)
ask("/several/10")
ask("/large/20")
ask("/ticks/30")
# Two orders at nearly the same time.
ask("/order/4")
ask("/order/5")
time.sleep(0.2)
ask("/transaction/6")
time.sleep(0.2)
ask("/news/7")
# A message that lies for longer than the join window: nobody is told of it.
ask("/several/11")
time.sleep(2)
ask("/last/8")
