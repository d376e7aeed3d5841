"""What really happened, written by those who did it.

A program that calls writes a line to the file $TRUTH for each of its exchanges, and names the exchange
in which it was called itself. Run as `truth.py RAW [HOST]`, it prints the table of all, or of those
that HOST takes part in.
"""
import os
import sys
import time

COLUMNS = ["span", "parent", "protocol", "client", "server", "nth", "operation", "status", "points"]


def exchange(client, server, nth):
    """The name of an exchange: both ends, and its place on their connection, from 1."""
    return "{}:{}>{}:{}/{}".format(*client[:2], *server[:2], nth)


class Call:
    """A call that begins now, made while `caller` is served: an exchange, or another name of one."""

    def __init__(self, protocol, caller="-"):
        self.at = time.time_ns()
        self.protocol, self.caller = protocol, caller

    def done(self, client, server, nth, operation, status, points=1, name="-"):
        """It was seen at so many points; `name` is another name of it."""
        fields = [self.at, exchange(client, server, nth), name, self.caller,
                  self.protocol, operation, status, points]
        line = "\t".join(str(field) for field in fields) + "\n"
        # One write to a file that is open for appending: lines of several processes never mix.
        handle = os.open(os.environ["TRUTH"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line.encode())
        os.close(handle)


def table(raw, host=None):
    """Rows in the order of beginning, each with its number and that of its caller."""
    with open(raw) as file:
        rows = sorted((line.rstrip("\n").split("\t") for line in file), key=lambda row: int(row[0]))
    if host:
        rows = [row for row in rows if any(end.startswith(host + ":") for end in row[1].split(">"))]
    numbers = {name: number for number, row in enumerate(rows, 1) for name in row[1:3]}
    # The caller's own exchange may lie where no packet was captured; else a name is wrong.
    missing = "-" if host else None
    # Nobody called, or nobody knows who did.
    numbers["-"], numbers["?"] = "-", "?"
    for number, (_, ends, _, caller, protocol, operation, status, points) in enumerate(rows, 1):
        client, server = ends.split("/")[0].split(">")
        parent = numbers.get(caller, missing)
        assert parent is not None, f"{ends}: nobody wrote its caller {caller}"
        yield number, parent, protocol, client, server, ends.split("/")[1], operation, status, points


def main():
    print("\t".join(COLUMNS))
    for row in table(*sys.argv[1:]):
        print("\t".join(str(field) for field in row))


if __name__ == "__main__":
    main()
