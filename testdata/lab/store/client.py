"""The client: calls both services one by one, then ten times at once, and asks both databases itself."""
import http.client
import json
import random
import socket
import struct
import threading

import pymysql

import databases
from truth import Call

ACCOUNTS, ORDERS = ("10.90.2.3", 8083), ("10.90.2.4", 8084)
RANDOM = random.Random(11)
ENTRIES = json.dumps([{"account": 1 + k % 9, "amount": 10 * k} for k in range(20)])


def account(number):
    return json.dumps({"id": number, "name": f"account of {number}"})


def entry(number):
    return json.dumps({"id": number, "account": 3})


ONE_BY_ONE = [
    (ACCOUNTS, "GET", "/health", None),
    (ACCOUNTS, "GET", "/accounts/3", None),
    (ACCOUNTS, "GET", "/accounts/404", None),
    (ACCOUNTS, "POST", "/accounts", account(101)),
    (ACCOUNTS, "POST", "/accounts", account(101)),  # A duplicate key.
    (ACCOUNTS, "POST", "/accounts", account(102)),
    (ACCOUNTS, "GET", "/plain/4", None),
    (ACCOUNTS, "GET", "/report", None),
    (ACCOUNTS, "POST", "/import", ENTRIES),
    (ACCOUNTS, "GET", "/prepared/5", None),
    (ACCOUNTS, "GET", "/broken/syntax", None),
    (ACCOUNTS, "GET", "/broken/table", None),
    (ACCOUNTS, "GET", "/broken/division", None),
    (ACCOUNTS, "GET", "/ledger/3", None),
    (ACCOUNTS, "POST", "/ledger", entry(201)),
    (ACCOUNTS, "POST", "/ledger", entry(201)),  # A duplicate key.
    (ACCOUNTS, "GET", "/ledger/3", None),
    (ACCOUNTS, "GET", "/fault/syntax", None),
    (ACCOUNTS, "GET", "/fault/table", None),
    (ACCOUNTS, "GET", "/fault/column", None),
    (ORDERS, "GET", "/order/1", None),
    (ORDERS, "GET", "/order/404", None),
    (ORDERS, "POST", "/order/301", None),
    (ORDERS, "POST", "/order/301", None),  # A duplicate key.
    (ORDERS, "GET", "/shelf/1", None),
    (ORDERS, "GET", "/shelf/2", None),
    (ORDERS, "GET", "/search/0", None),
    (ORDERS, "GET", "/search/2", None),
    (ORDERS, "GET", "/count/0", None),
    *((ORDERS, "GET", f"/fault/{way}", None) for way in range(5)),
]
AT_ONCE = [
    [(ORDERS, "GET", f"/order/{2 + k % 4}", None), (ORDERS, "GET", f"/shelf/{1 + k % 3}", None),
     (ACCOUNTS, "GET", f"/accounts/{1 + k}", None), (ACCOUNTS, "POST", "/ledger", entry(400 + 2 * k))]
    for k in range(10)
]


class Client:
    """A connection to each service."""

    def __init__(self):
        self.services, self.counts = {}, {}

    def call(self, server, method, path, body):
        if server not in self.services:
            self.services[server], self.counts[server] = http.client.HTTPConnection(*server), 0
            self.services[server].connect()
        service = self.services[server]
        call = Call("http")
        own = service.sock.getsockname()
        service.request(method, path, body=body, headers={"User-Agent": "lab/1", **traceparent()})
        response = service.getresponse()
        response.read()
        self.counts[server] += 1
        call.done(own, server, self.counts[server], f"{method} {path}", response.status)

    def close(self):
        for service in self.services.values():
            service.close()


def traceparent():
    with LOCK:
        return {"traceparent": f"00-{RANDOM.getrandbits(128):032x}-{RANDOM.getrandbits(64):016x}-01"}


def ask_postgresql():
    """Plain statements, one of which carries its identifier in a line of comment."""
    connection = databases.postgresql(autocommit=True)
    with connection.cursor() as cursor:
        for n in range(1, 6):
            cursor.execute("SELECT name FROM accounts WHERE id = %s", (n,))
        cursor.execute(f"-- traceparent={traceparent()['traceparent']}\nSELECT count(*) FROM accounts")
        cursor.execute("UPDATE accounts SET balance = balance + 1 WHERE id < 4")
        cursor.execute("DELETE FROM entries WHERE amount > 100000")
    connection.close()


def ask_mariadb():
    connection = databases.mariadb(autocommit=True)
    with connection.cursor() as cursor:
        for n in range(1, 6):
            cursor.execute("SELECT amount FROM ledger WHERE id = %s", (n,))
        cursor.execute(f"SELECT count(*) FROM ledger /*traceparent='{traceparent()['traceparent']}'*/")
        cursor.execute("DELETE FROM ledger WHERE id > 100000")
    connection.close()


def ask_for_tls():
    """As drivers that prefer TLS begin: PostgreSQL has none and says N, MariaDB has it."""
    with socket.create_connection(databases.POSTGRESQL) as tcp:
        tcp.sendall(struct.pack("!II", 8, 80877103))
        assert tcp.recv(1) == b"N"
    host, port = databases.MARIADB
    hidden = pymysql.connect(host=host, port=port, user="shop", password="correct horse", ssl={"check_hostname": False})
    hidden.query("SELECT 1")
    hidden.close()


def run(calls, together):
    client = Client()
    together.wait()
    for call in calls:
        client.call(*call)
    client.close()


LOCK = threading.Lock()
ask_for_tls()
ask_postgresql()
ask_mariadb()
client = Client()
for call in ONE_BY_ONE:
    client.call(*call)
client.close()
together = threading.Barrier(len(AT_ONCE))
threads = [threading.Thread(target=run, args=(calls, together)) for calls in AT_ONCE]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
