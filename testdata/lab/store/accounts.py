"""The accounts service: PostgreSQL by psycopg2 and SQLAlchemy, MariaDB by PyMySQL."""
import io
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import psycopg2
import pymysql
import sqlalchemy
from google.cloud.sqlcommenter.sqlalchemy.executor import BeforeExecuteFactory

import databases
from truth import exchange

ACCOUNTS = ("10.90.2.3", 8083)
RANDOM = random.Random(83)
LOCK = threading.Lock()


def span_id():
    with LOCK:
        return RANDOM.getrandbits(64) | 1


class Accounts(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    served = 0

    def connect(self):
        """Connections for each client: psycopg2 with and without comments, MariaDB, an engine."""
        self.commented = databases.postgresql(databases.Commented)
        self.plain = databases.postgresql(autocommit=True)
        self.ledger = databases.mariadb(autocommit=False)
        # What asks for hstore passes over our cursor.
        self.engine = sqlalchemy.create_engine(
            "postgresql+psycopg2://", creator=databases.postgresql, pool_size=1, use_native_hstore=False)
        commenter = BeforeExecuteFactory(with_opentelemetry=True, with_db_driver=True, with_db_framework=True)
        sqlalchemy.event.listen(self.engine, "before_cursor_execute", commenter, retval=True)

    def finish(self):
        super().finish()
        if not self.served:
            return
        self.commented.close()
        self.plain.close()
        self.engine.dispose()
        self.ledger.close()

    def do_GET(self):
        # Its callers write their calls down.
        self.served += 1
        ends = self.client_address, self.connection.getsockname()
        databases.CALLER.set(exchange(*ends, self.served))
        if self.served == 1:
            self.connect()
        # A trace of its own where none comes.
        _, trace, *_ = self.headers.get("traceparent", f"00-{span_id():016x}{span_id():016x}").split("-")
        self.parent = f"00-{trace}-{span_id():016x}-01"
        token = databases.enter(int(trace, 16), int(self.parent.split("-")[2], 16))
        try:
            self.answer(*self.serve())
        finally:
            databases.leave(token)

    do_POST = do_GET

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind, *rest = self.path.strip("/").split("/")
        try:
            return getattr(self, f"{self.command.lower()}_{kind}")(*rest, *([json.loads(body)] if body else []))
        except (psycopg2.Error, sqlalchemy.exc.DBAPIError) as error:
            self.commented.rollback()
            code = getattr(error, "pgcode", None) or getattr(error.orig, "pgcode", None)
            return (409 if code == "23505" else 500), {"error": code}
        except pymysql.MySQLError as error:
            self.ledger.rollback()
            return (409 if error.args[0] == 1062 else 500), {"error": error.args[0]}

    def get_accounts(self, number):
        """The psycopg2 commenter; a percent sign of its comments is doubled on the wire."""
        with self.commented, self.commented.cursor() as cursor:
            cursor.execute("SELECT id, name, balance FROM accounts WHERE id = %s", (number,))
            row = cursor.fetchone()
        return (200, {"name": row[1]}) if row else (404, {})

    def post_accounts(self, account):
        """The SQLAlchemy commenter, in a transaction with savepoint."""
        insert = "INSERT INTO accounts (id, name, balance) VALUES (:id, :name, 0)"
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text(insert), account)
            connection.execute(sqlalchemy.text("SAVEPOINT opened"))
            connection.execute(sqlalchemy.text("UPDATE accounts SET balance = :gift WHERE id = :id"),
                               {"gift": 5, "id": account["id"]})
        return 201, account

    def get_plain(self, number):
        """Neither a comment nor a transaction."""
        with self.plain.cursor() as cursor:
            cursor.execute("SELECT name FROM accounts WHERE id = %s", (number,))
            cursor.execute("SELECT count(*) FROM entries WHERE account = %s", (number,))
            return 200, {"entries": cursor.fetchone()[0]}

    def get_broken(self, what):
        statements = {
            "syntax": "SELECT name FROM accounts WHERE WHERE id = 3",
            "table": "SELECT name FROM no_such_table",
            "division": "SELECT balance / 0 FROM accounts WHERE id = 3",
        }
        with self.commented.cursor() as cursor:
            cursor.execute(statements[what])

    def get_report(self):
        """A statement of more than 2 KiB, whose comment stands behind all of it."""
        names = ", ".join(f"'a name that nobody has, number {n}'" for n in range(60))
        with self.engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text(
                f"SELECT id, name, balance FROM accounts WHERE name NOT IN ({names}) ORDER BY id"))
            return 200, [list(row) for row in rows]

    def post_import(self, entries):
        """COPY, then many rows in one INSERT."""
        lines = "".join(f"{e['account']}\t{e['amount']}\n" for e in entries)
        with self.commented, self.commented.cursor() as cursor:
            cursor.copy_expert("COPY entries (account, amount) FROM STDIN", io.StringIO(lines))
            rows = ", ".join(["(%s, %s)"] * len(entries))
            values = [value for e in entries for value in (e["account"], e["amount"])]
            cursor.execute(f"INSERT INTO entries (account, amount) VALUES {rows}", values)
        return 201, {"rows": 2 * len(entries)}

    def get_prepared(self, number):
        """PREPARE and EXECUTE in the words of SQL."""
        with self.plain.cursor() as cursor:
            cursor.execute("PREPARE find AS SELECT balance FROM accounts WHERE id = $1")
            cursor.execute("EXECUTE find(%s)", (number,))
            cursor.execute("DEALLOCATE find")
        return 200, {}

    def datadog(self):
        """A comment as database monitoring puts it before a statement."""
        return f"/*dddbs='ledger',dde='lab',ddps='accounts',ddpv='1.0',traceparent='{self.parent}'*/ "

    def get_ledger(self, number):
        with self.ledger.cursor() as cursor:
            cursor.execute(self.datadog() + "SELECT id, amount FROM ledger WHERE account = %s", (number,))
            rows = cursor.fetchall()
        self.ledger.commit()
        return 200, {"rows": len(rows)}

    def post_ledger(self, entry):
        self.ledger.begin()
        with self.ledger.cursor() as cursor:
            cursor.execute(self.datadog() + "INSERT INTO ledger (id, account, amount) VALUES (%s, %s, %s), (%s, %s, %s)",
                           (entry["id"], entry["account"], 5, entry["id"] + 1, entry["account"], -5))
            cursor.execute("UPDATE ledger SET amount = amount + 1 WHERE id = %s", (entry["id"],))
        self.ledger.commit()
        return 201, entry

    def get_fault(self, what):
        statements = {
            "syntax": "SELECT id FROM ledger WHERE WHERE id = 3",
            "table": "SELECT id FROM no_such_table",
            "column": "UPDATE ledger SET no_such_column = 1",
        }
        with self.ledger.cursor() as cursor:
            cursor.execute(self.datadog() + statements[what])

    def get_health(self):
        self.ledger.ping(reconnect=False)
        self.ledger.select_db("shop")
        with self.plain.cursor() as cursor:
            cursor.execute("SELECT 1")
        return 200, {}

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def server_bind(self):
        """Without the look-up of its own name that HTTPServer makes."""
        TCPServer.server_bind(self)


Server(ACCOUNTS, Accounts).serve_forever()
