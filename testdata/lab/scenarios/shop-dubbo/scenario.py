"""shop-dubbo: the shop, whose services ask each other over Dubbo 2"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "shop"))

import shop  # noqa: E402

# nginx makes base64 of its identifiers, for SkyWalking's.
PACKAGES = [*shop.PACKAGES, "libnginx-mod-http-set-misc"]
IDS = ["none", "w3c", "sw8"]
RATE, DURATION = 200, 30

install = shop.install
load = shop.load


def build(lab):
    shop.build(lab, "dubbo")


def alone(row):
    """A heartbeat of a connection is nobody's."""
    return row.protocol == "dubbo" and row.operation == "heartbeat"
