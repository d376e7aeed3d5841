"""Connections to both databases that write down each command that they send, and what came of it.

That a connection ends is nobody's call: a pool or the end of a client does it when it likes.

They sit on what the drivers call last before the wire, so that what a driver sends of its own accord
is written down too.
"""
import contextvars
import re
import socket

import psycopg2
import psycopg2.extensions
import pymysql
import pymysql.connections
from google.cloud.sqlcommenter.psycopg2.extension import CommenterCursorFactory
from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pymysql.constants import COMMAND

from truth import Call

POSTGRESQL, MARIADB = ("10.90.2.5", 5432), ("10.90.2.6", 3306)
# The exchange that is being served: what is sent meanwhile is called in it.
CALLER = contextvars.ContextVar("caller", default="-")


def verb(sql):
    """The first word of a statement, behind comments."""
    text = sql.decode() if isinstance(sql, bytes) else str(sql)
    return re.match(r"(?:\s|/\*.*?\*/|--[^\n]*\n)*(\w+)", text, re.S)[1].upper()


def enter(trace_id, span_id):
    """From here on, this is the current span as OpenTelemetry knows it."""
    span = SpanContext(trace_id, span_id, False, TraceFlags(TraceFlags.SAMPLED))
    return context.attach(trace.set_span_in_context(NonRecordingSpan(span)))


def leave(token):
    context.detach(token)


class Wire:
    """Numbers the exchanges of one connection."""

    def __init__(self, protocol, server):
        self.protocol, self.server, self.own, self.count = protocol, server, None, 0

    def run(self, operation, action):
        """Does it, and writes down how it ended."""
        call = Call(self.protocol, CALLER.get())
        try:
            result = action()
        except psycopg2.Error as error:
            self.done(call, operation, error.pgcode)
            raise
        except pymysql.MySQLError as error:
            self.done(call, operation, error.args[0])
            raise
        self.done(call, operation, "ok")
        return result

    def done(self, call, operation, status):
        self.count += 1
        call.done(self.own, self.server, self.count, operation, status)


class Cursor(psycopg2.extensions.cursor):
    def execute(self, sql, parameters=None):
        self.connection.begin()
        run = super().execute
        return self.connection.wire.run(verb(sql), lambda: run(sql, parameters))

    def copy_expert(self, sql, file, size=8192):
        self.connection.begin()
        run = super().copy_expert
        return self.connection.wire.run("COPY", lambda: run(sql, file, size))


class Postgresql(psycopg2.extensions.connection):
    def __init__(self, dsn, **options):
        self.wire = Wire("postgresql", POSTGRESQL)
        call = Call("postgresql", CALLER.get())
        super().__init__(dsn, **options)
        with socket.socket(fileno=self.fileno()) as own:
            self.wire.own = own.getsockname()
            own.detach()
        self.wire.done(call, "LOGIN", "ok")

    def begin(self):
        """The driver sends a statement of its own before the first one of a transaction."""
        idle = self.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        if idle and not self.autocommit:
            self.wire.done(Call("postgresql", CALLER.get()), "BEGIN", "ok")

    def commit(self):
        self.end("COMMIT", super().commit)

    def rollback(self):
        self.end("ROLLBACK", super().rollback)

    def close(self):
        call = Call("postgresql", "?")
        super().close()
        self.wire.done(call, "TERMINATE", "sent")

    def end(self, operation, action):
        if self.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            return action()
        return self.wire.run(operation, action)


class Commented(CommenterCursorFactory(with_opentelemetry=True, with_db_driver=True, with_dbapi_level=True), Cursor):
    """Statements end with a comment of the psycopg2 commenter, which passes over our cursor."""

    def execute(self, sql, parameters=None):
        self.connection.begin()
        run = super().execute
        return self.connection.wire.run(verb(sql), lambda: run(sql, parameters))


def postgresql(cursor=Cursor, autocommit=False):
    host, port = POSTGRESQL
    connection = psycopg2.connect(
        host=host, port=port, user="shop", password="correct horse", dbname="shop", sslmode="disable",
        gssencmode="disable", connection_factory=Postgresql, cursor_factory=cursor)
    # Known to the driver only: it is not sent.
    connection.autocommit = autocommit
    return connection


class Mariadb(pymysql.connections.Connection):
    pending = None

    def _request_authentication(self):
        self.wire = Wire("mysql", MARIADB)
        self.wire.own = self._sock.getsockname()
        return self.wire.run("LOGIN", super()._request_authentication)

    def _execute_command(self, command, sql):
        names = {COMMAND.COM_PING: "PING", COMMAND.COM_INIT_DB: "INIT DB"}
        operation = names.get(command) or verb(sql)
        self.pending = operation, Call("mysql", CALLER.get())
        return super()._execute_command(command, sql)

    def _read_query_result(self, unbuffered=False):
        return self.answered(lambda: super(Mariadb, self)._read_query_result(unbuffered))

    def _read_ok_packet(self):
        return self.answered(super()._read_ok_packet)

    def answered(self, read):
        operation, call = self.pending
        try:
            result = read()
        except pymysql.MySQLError as error:
            self.wire.done(call, operation, error.args[0])
            raise
        self.wire.done(call, operation, "ok")
        return result

    def set_character_set(self, *names):
        """It reads its answer by another way."""
        return self.wire.run("SET", lambda: super(Mariadb, self).set_character_set(*names))

    def close(self):
        call = Call("mysql", "?")
        super().close()
        self.wire.done(call, "QUIT", "sent")


def mariadb(**options):
    host, port = MARIADB
    return Mariadb(host=host, port=port, user="shop", password="correct horse", database="shop",
                   ssl_disabled=True, **options)
