"""What really happened, written by those who did it: one line an exchange, to the file $TRUTH."""
import os
import time


class Row:
    """One exchange. Its time is that of its making, its line is written when it is done."""

    def __init__(self, request, span, parent, protocol):
        self.at = time.time_ns()
        self.names = [request, span, parent or "-"]
        self.protocol = protocol

    def done(self, client, server, nth, operation, status):
        """`nth` counts the exchanges of the connection from 1; `client` and `server` are addresses."""
        ends = [f"{host}:{port}" for host, port in (client[:2], server[:2])]
        fields = [self.at, *self.names, self.protocol, *ends, nth, operation, status]
        line = "\t".join(str(field) for field in fields) + "\n"
        # One write to a file that is open for appending: lines of several processes never mix.
        handle = os.open(os.environ["TRUTH"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line.encode())
        os.close(handle)
