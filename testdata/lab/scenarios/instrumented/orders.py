"""orders: threads; PostgreSQL by psycopg, MariaDB by PyMySQL, accounts by requests."""
import tracing

tracing.start("orders")

import contextvars  # noqa: E402
import queue  # noqa: E402
import random  # noqa: E402
import time  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import marking  # noqa: E402
import psycopg  # noqa: E402
import psycopg_pool  # noqa: E402
import pymysql  # noqa: E402
import requests  # noqa: E402
import waitress  # noqa: E402
from flask import Flask, request  # noqa: E402

ACCOUNTS = "http://10.96.0.6:8083"
# The table of returns does not exist.
REPORTS = ["SELECT count(*) FROM returns", "SELECT account / 0 FROM orders LIMIT 1",
           "SELECT item, count(*) FROM orders WHERE item < 9 GROUP BY item"]

marking.psycopg()
marking.pymysql()
application = Flask("orders")
store = psycopg_pool.ConnectionPool(
    "host=10.96.0.7 user=lab password=lab dbname=lab sslmode=disable gssencmode=disable",
    min_size=10, max_size=10, kwargs={"autocommit": True}, open=True)
ledgers = queue.LifoQueue()
accounts = requests.Session()
accounts.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=16, pool_block=True))
later = ThreadPoolExecutor(4)


def work(median=15):
    """Work that takes some time: log-normal, from 5 to 60 ms."""
    time.sleep(min(0.06, max(0.005, median / 1000 * random.lognormvariate(0, 0.6))))


def asked(sql, *values, one=False):
    with store.connection() as connection:
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return cursor.fetchone() if one else cursor.fetchall()


@application.before_request
def begin():
    request.serving = marking.serving(request.headers)
    request.serving.__enter__()


@application.teardown_request
def end(_):
    request.serving.__exit__(None, None, None)


@application.get("/orders/<int:number>")
def order(number):
    row = asked("SELECT account, item FROM orders WHERE number = %s", number, one=True)
    if row is None:
        return {}, 404
    work()
    items = [asked("SELECT item FROM lines WHERE number = %s AND place = %s", number, place, one=True)[0]
             for place in range(1, 2 + number % 3)]
    # The name of some is known.
    if number % 4:
        accounts.get(f"{ACCOUNTS}/names/{row[0]}", headers=marking.header())
    return {"account": row[0], "items": items}


@application.post("/orders")
def make():
    order = request.get_json()
    work()
    try:
        with store.connection() as connection, connection.transaction():
            cursor = connection.cursor()
            cursor.execute("INSERT INTO orders VALUES (%s, %s, %s)", (order["number"], order["account"], order["item"]))
            cursor.execute("INSERT INTO lines VALUES (%s, 1, %s)", (order["number"], order["item"]))
    except psycopg.errors.UniqueViolation:
        return {"error": "the number is taken"}, 409
    ledger = ledgers.get()
    try:
        with ledger.cursor() as cursor:
            cursor.execute("INSERT INTO ledger (number, account, cents) VALUES (%s, %s, %s)",
                           (order["number"], order["account"], 100 + order["item"]))
        ledger.commit()
    finally:
        ledgers.put(ledger)
    context = contextvars.copy_context()
    later.submit(context.run, tell, order["account"], order["number"])
    return order, 201


def tell(account, number):
    """Comes after the answer."""
    work(25)
    accounts.post(f"{ACCOUNTS}/notes/{account}/{number}", headers=marking.header())


@application.get("/report/<int:kind>")
def report(kind):
    try:
        return {"rows": len(asked(REPORTS[kind % len(REPORTS)]))}
    except psycopg.Error as error:
        return {"error": error.sqlstate}, 500


for _ in range(8):
    ledgers.put(pymysql.connect(host="10.96.0.8", user="lab", password="correct horse", database="stock"))
store.wait()
waitress.serve(application, host="10.96.0.4", port=8081, threads=32)
