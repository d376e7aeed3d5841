"""Puts the lab's marks into what a service sends, below the tracing libraries, which do not see them."""
import contextlib
import contextvars
import os
import socket
import weakref

from harness import marks

# Whose calls are marked: the request that is being served.
CALLER = contextvars.ContextVar("caller", default=None)


@contextlib.contextmanager
def serving(headers):
    """While a request with these headers is served."""
    token = CALLER.set(marks.Caller(headers[marks.HEADER]))
    try:
        yield
    finally:
        CALLER.reset(token)


def header():
    return {marks.HEADER: CALLER.get().next()}


def comment():
    """The comment for a statement; none for what the service sends of its own accord."""
    caller = CALLER.get()
    return f" /*{caller.next()}*/" if caller else ""


def psycopg():
    """Marks statements at the last call before libpq; goes by PSYCOPG_IMPL=python."""
    from psycopg.pq.pq_ctypes import PGconn
    sent = weakref.WeakKeyDictionary()

    def watch(name, statement):
        send = getattr(PGconn, name)

        def marked(connection, *arguments, **more):
            # The login is the first exchange of a connection.
            sent[connection] = sent.get(connection, 1) + 1
            arguments = list(arguments)
            if statement is not None:
                arguments[statement] += comment().encode()
            elif CALLER.get():
                write_down(connection.socket, sent[connection])
            return send(connection, *arguments, **more)
        setattr(PGconn, name, marked)

    watch("send_query", 0)
    watch("send_query_params", 0)
    watch("send_prepare", 1)
    # What is prepared has no room for a mark.
    watch("send_query_prepared", None)


def write_down(descriptor, nth):
    """A line of the side log: the call that comes as the nth on this connection."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        ends = ["%s:%d" % connection.getsockname(), "%s:%d" % connection.getpeername()]
    line = "\t".join([*ends, str(nth), CALLER.get().next()]) + "\n"
    with open(os.environ["LAB_SIDE"], "ab", buffering=0) as side:
        side.write(line.encode())


def pymysql():
    from pymysql.connections import Connection
    from pymysql.constants.COMMAND import COM_QUERY
    send = Connection._execute_command

    def marked(connection, command, sql):
        if command == COM_QUERY:
            if isinstance(sql, str):
                sql = sql.encode(connection.encoding, "surrogateescape")
            sql += comment().encode()
        return send(connection, command, sql)
    Connection._execute_command = marked
