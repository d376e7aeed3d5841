"""shop: nginx → Spring Boot (orders, users, items) → MariaDB, Redis"""
import shop

PACKAGES = shop.PACKAGES
IDS = ["none", "gateway", "through", "w3c", "b3"]
RATE, DURATION = 200, 30

install = shop.install
load = shop.load


def build(lab):
    shop.build(lab, "http")
