#!/usr/bin/env python3
"""compare.py KIND SPANS LOG: what wirespan found of a kind of rpc.sh, against the client's own log.

Each line of the log is a call as JSON; fields that a kind does not know are left out:

  begin, end         nanoseconds since 1970, by the client's clock, before and after
  protocol           as wirespan calls it
  service, method    what was called; of HTTP, `path` and `method`
  id, trace          a trace id or text that the call carried, by which its span is known
  code, status       how it ended, as a number and in words
  outcome            how it ended, where neither is on the wire: ok, error, timeout, cancelled
  text               what the error said
  sent, received     messages of a stream, or of a call that is one
  one_way            no answer is awaited
  unary              a call of Connect that is no stream: its messages are not counted
  packed             how it ended is in a compressed body: known where gzip compressed it, but of a call
                     of Connect that is no stream, of which known is what the code of HTTP says
  gave_up            the client ended it, as its deadline passed or of its own accord: then the answer
                     may be on the wire or not, and messages that came last may not be in the log
  pushed, upgraded   HTTP/2: the server sent it unasked; it was asked by HTTP/1 with an upgrade

Some kinds have logs of their own; their `read` makes such lines of them. Prints a line of counts, and
what differs.
"""
import collections
import heapq
import json
import sys

# How far the packets of a call may lie outside of the times that its client wrote down: as what is
# written last comes to the wire, and as threads wait for their turn, on a machine that is busy.
SLACK = 50_000_000

# How long after its client gave up a call may be answered, or its connection be closed.
LATE = 30_000_000_000
SERVER = "10.89.0.2:"

faults = collections.defaultdict(list)


def fault(kind, text):
    faults[kind].append(text)


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def text_of(value):
    """Of a text that is no UTF-8, its object."""
    return value if isinstance(value, str) else json.dumps(value)


class Kind:
    """What a kind's spans and rows have in common."""

    # Protocols whose spans are compared, and the sorts of them: what is no call is counted only.
    protocols = ()
    sorts = ("call", "one_way")

    def read(self, path):
        """The rows of the log."""
        return read(path)

    def calls_back(self, row):
        """Whether the server calls the client for it, once."""
        return False

    def is_called_back(self, span):
        return False

    def key(self, row):
        return row["protocol"], row.get("service", ""), row["method"]

    def key_of_span(self, span):
        return span["protocol"], text_of(span.get("resource", "")), text_of(span["operation"])

    def check(self, row, span):
        state, status = span["state"], span.get("status", {})
        if row.get("one_way"):
            if span["sort"] != "one_way":
                fault("not one-way", describe(span))
            return
        if row.get("gave_up"):
            self.check_gave_up(row, span)
            return
        if state != "complete":
            fault("no answer", f"{brief(row)}: {describe(span)}")
            return
        self.check_status(row, span, status)
        self.check_messages(row, span)

    def check_gave_up(self, row, span):
        pass

    def check_status(self, row, span, status):
        for name, here in (("code", "code"), ("status", "text")):
            # A code of 0 is not told.
            if name in row and (row[name] or None) != status.get(here):
                fault(f"wrong {name}", f"{row[name]} in the log: {describe(span)}")
        if "outcome" in row and (row["outcome"] == "ok") != (status.get("outcome") == "ok"):
            fault("wrong outcome", f"{row['outcome']} in the log: {describe(span)}")

    def check_messages(self, row, span):
        pass


class Grpc(Kind):
    protocols = ("grpc",)

    def check_status(self, row, span, status):
        if row["code"] != status.get("code", 0) or row["status"] != status.get("text", "OK"):
            fault("wrong status", f"{row['code']} {row['status']} in the log: {describe(span)}")
        self.check_timeout(row, span)
        said = span.get("attributes", {}).get(ERROR_TEXT)
        # Long texts are cut.
        if row.get("text") and said != row["text"][:TEXT_LIMIT]:
            fault("wrong text", f"{row['text']!r} in the log: {said!r} in {describe(span)}")

    def check_timeout(self, row, span):
        if row.get("timeout"):
            told = span.get("attributes", {}).get(TIMEOUT)
            # What a client sends is what is left when it sends it; some round up to three digits.
            if told is None or not row["timeout"] - 50 <= told <= row["timeout"] * 1.02 + 20:
                fault("wrong deadline", f"{row['timeout']} ms in the log: {told} in {describe(span)}")

    def check_gave_up(self, row, span):
        self.check_timeout(row, span)
        text = span.get("status", {}).get("text")
        # Without a status, what HTTP/2 ended the stream with is told.
        if text not in (None, "CANCEL", "CANCELLED", "DEADLINE_EXCEEDED"):
            fault("wrong status", f"{row['status']} in the log: {describe(span)}")
        sent, received = messages(span)
        if sent > row["sent"] or received < row["received"]:
            fault("wrong messages", f"{row['sent']} and {row['received']} in the log: {sent} and {received} in {describe(span)}")

    def check_messages(self, row, span):
        sent, received = messages(span)
        # Where the server ended a call, some that the client had handed on may never have left.
        less = row["code"] and sent <= row["sent"]
        if (sent != row["sent"] and not less) or received != row["received"]:
            fault("wrong messages", f"{row['sent']} and {row['received']} in the log: {sent} and {received} in {describe(span)}")


class Connect(Grpc):
    protocols = ("connect", "grpc-web", "grpc")

    def check_gave_up(self, row, span):
        # A body without pieces is not counted.
        if row["protocol"] == "connect" and row["unary"]:
            self.check_timeout(row, span)
        else:
            super().check_gave_up(row, span)

    def check_status(self, row, span, status):
        if not row.get("packed"):
            super().check_status(row, span, status)
        elif status.get("outcome", "unknown") == "unknown":
            # What else may compress is told with the call, and need not be read.
            if span.get("attributes", {}).get(COMPRESSION, "gzip") == "gzip":
                fault("no status", f"{row['code']} {row['status']} in the log: {describe(span)}")
        elif not told_by_http(row):
            super().check_status(row, span, status)
        elif (status["outcome"] == "ok") != (row["code"] == 0):
            fault("wrong outcome", f"{row['code']} {row['status']} in the log: {describe(span)}")

    def check_messages(self, row, span):
        if row["protocol"] != "connect" or not row["unary"]:
            super().check_messages(row, span)


# How many characters of an error are told.
TEXT_LIMIT = 1024
# Names of attributes.
ERROR_TEXT = "wirespan.rpc.error"
TIMEOUT = "wirespan.rpc.timeout_ms"
COMPRESSION = "wirespan.rpc.response.compression"
SENT, RECEIVED = "wirespan.rpc.request.messages", "wirespan.rpc.response.messages"


def told_by_http(row):
    """Whether an error is a whole body, which is not read where it is compressed."""
    return row["protocol"] == "connect" and row["unary"]


def messages(span):
    attributes = span.get("attributes", {})
    return attributes.get(SENT, 0), attributes.get(RECEIVED, 0)


class Dubbo(Kind):
    protocols = ("dubbo",)

    def read(self, path):
        rows = super().read(path)
        for row in rows:
            row["protocol"] = self.protocols[0]
            row["id"] = row.pop("trace")
            row["one_way"] = row["method"] == "note"
            # Who waited gives up; the answer comes later.
            row["gave_up"] = row["outcome"] == "timeout"
        return [row for row in rows if self.was_sent(row)]

    def was_sent(self, row):
        # Where the client cannot be called back, it does not ask for it.
        return row["method"] != "subscribe" or row["outcome"] == "ok"

    def calls_back(self, row):
        return row["method"] == "subscribe"

    def is_called_back(self, span):
        return span["client"].startswith(SERVER)


class Triple(Dubbo):
    protocols = ("triple",)

    def read(self, path):
        rows = super().read(path)
        for row in rows:
            row["one_way"] = False
            # It tells a time-out, of 2 s, as any other error.
            row["gave_up"] |= row["outcome"] == "error" and row["end"] - row["begin"] > 1_900_000_000
            if row["method"] == "subscribe":
                # A stream, which has no attachments, and which the server cannot read.
                row["gave_up"] = row.pop("id") is not None
        return rows

    def was_sent(self, row):
        # The client has no generic calls there.
        return row["kind"] not in ("generic", "missing")

    def calls_back(self, row):
        return False


class Sofa(Kind):
    protocols = ("bolt",)

    def read(self, path):
        rows = super().read(path)
        for row in rows:
            row["protocol"] = "bolt"
            row["gave_up"] = row["outcome"] == "timeout"
        return rows


class Thrift(Kind):
    protocols = ("thrift",)

    def read(self, path):
        rows = super().read(path)
        for row in rows:
            if "trace" in row:
                row["id"] = row.pop("trace")
            # What the library says beside the message of the server differs.
            row.pop("text", None)
        return rows


class WebSocket(Kind):
    """Its log has a line for each message, without times: path, protocol, sort, operation, resource, outcome."""
    protocols = ("websocket", "jsonrpc", "graphql", "stomp")
    sorts = ("call", "one_way", "handshake", "end")

    def read(self, path):
        rows = []
        with open(path) as file:
            for line in file:
                at, protocol, sort, operation, resource, outcome = line.rstrip("\n").split("\t")
                row = {"begin": 0, "end": 1 << 63, "protocol": protocol, "sort": sort, "service": resource or at,
                       "method": operation}
                rows.append(row | ({"got": outcome == "got"} if outcome in ("sent", "got") else {"outcome": outcome}))
        return rows

    def key(self, row):
        return (*super().key(row), row["sort"], row.get("got", False))

    def key_of_span(self, span):
        return (*super().key_of_span(span), span["sort"], span["client"].startswith(SERVER))

    def check(self, row, span):
        if "outcome" in row and row["outcome"] != span.get("status", {}).get("outcome"):
            fault("wrong outcome", f"{row['outcome']} in the log: {describe(span)}")


class Http2(Kind):
    protocols = ("http2", "http")

    def key(self, row):
        # The request of an upgrade is one of HTTP/1, whose answer comes in HTTP/2.
        protocol = "upgraded" if row.get("upgraded") else row["protocol"]
        return protocol, row["path"], row["method"]

    def key_of_span(self, span):
        upgraded = span.get("attributes", {}).get("wirespan.http.upgraded") == "h2c"
        protocol = "upgraded" if upgraded else span["protocol"]
        return protocol, text_of(span.get("resource", "")), text_of(span["operation"])


KINDS = {
    "grpc": Grpc,
    "dubbo": Dubbo,
    "triple": Triple,
    "sofa": Sofa,
    "thrift": Thrift,
    "websocket": WebSocket,
    "connect": Connect,
    "nghttp2": Http2,
    "nginx": Http2,
}


def identities(span):
    """All by which a span may be known."""
    for one in span.get("ids", []):
        for name in ("trace", "text"):
            if name in one:
                yield one[name]


def describe(span):
    status = span.get("status", {})
    return (f"{span['protocol']} {text_of(span['operation'])} {text_of(span.get('resource', ''))} {span['state']} "
            f"{status.get('outcome', '')} {status.get('code', '')} {status.get('text', '')} at {span['start']} "
            f"{span['client']} → {span['server']} stream {span.get('stream')} "
            f"frames {span['request'].get('frames')} {span.get('response', {}).get('frames')}")


def brief(row):
    return " ".join(f"{name}={value}" for name, value in row.items())


def pair(rows, spans):
    """Pairs of a row and a span of one key, by when they were: each span lies within its row's times."""
    rows = sorted(rows, key=lambda row: row["begin"])
    pairs, waiting, left, place = [], [], [], 0
    for span in sorted(spans, key=lambda span: span["start"]):
        while place < len(rows) and rows[place]["begin"] - SLACK <= span["start"]:
            # The answer to who gave up comes when it comes.
            end = rows[place]["end"] + (LATE if rows[place].get("gave_up") else 0)
            heapq.heappush(waiting, (end, place))
            place += 1
        # The row that ends first, of those that do not end too soon.
        passed = []
        while waiting and waiting[0][0] + SLACK < span["start"] + span["duration"]:
            passed.append(heapq.heappop(waiting))
        if waiting:
            pairs.append((rows[heapq.heappop(waiting)[1]], span))
        else:
            left.append(span)
        for one in passed:
            heapq.heappush(waiting, one)
    missing = [rows[index] for _, index in waiting] + rows[place:]
    return pairs, missing, left


def match(kind, rows, spans):
    """Pairs of a row and a span; rows whose call was not found, spans that no row tells of."""
    known = {row["id"] for row in rows if "id" in row}
    groups = collections.defaultdict(lambda: ([], []))
    for row in rows:
        groups[row.get("id") or kind.key(row)][0].append(row)
    for span in spans:
        identity = next((one for one in identities(span) if one in known), None)
        groups[identity or kind.key_of_span(span)][1].append(span)
    pairs, missing, left = [], [], []
    for some in groups.values():
        for whole, part in zip((pairs, missing, left), pair(*some)):
            whole += part
    return pairs, missing, left


def main():
    name, spans_path, log = sys.argv[1:]
    kind = next(KINDS[one] for one in KINDS if name.startswith(one))()
    rows, every = kind.read(log), read(spans_path)
    every = [span for span in every if span.get("type") == "span"]
    spans = [span for span in every if span["protocol"] in kind.protocols and span["sort"] in kind.sorts]
    if not rows:
        fault("nothing to compare", f"{log} has no calls")
    back = [span for span in spans if kind.is_called_back(span)]
    if len(back) != sum(map(kind.calls_back, rows)):
        fault("wrong callbacks", f"{sum(map(kind.calls_back, rows))} in the log: {len(back)}")
    spans = [span for span in spans if not kind.is_called_back(span)]
    compared = set(map(id, spans))
    pairs, missing, left = match(kind, rows, spans)
    for row in missing:
        fault("not found", brief(row))
    for span in left:
        fault("never happened", describe(span))
    for row, span in pairs:
        # Those that are known by an identifier were not found by it.
        if kind.key(row) != kind.key_of_span(span):
            fault("wrong operation", f"{' '.join(map(str, kind.key(row)))} in the log: {describe(span)}")
        kind.check(row, span)
    others = collections.Counter(f"{span['protocol']} {span['sort']}" for span in every if id(span) not in compared)
    if packed := [(row, span.get("status", {})) for row, span in pairs if row.get("packed") and not row.get("gave_up")]:
        unknown = sum(status.get("outcome", "unknown") == "unknown" for _, status in packed)
        by_http = sum(told_by_http(row) for row, _ in packed)
        print(f"rpc: {name}: of {len(packed)} calls whose end is compressed, {unknown} are told without a status, "
              f"{by_http} with what HTTP says")
    by = collections.Counter(row.get("status", row.get("outcome", row.get("code"))) for row in rows)
    print(f"rpc: {name}: {len(rows)} calls, {len(pairs)} found once; "
          f"{', '.join(f'{n} {what}' for what, n in sorted(by.items(), key=str))}"
          f"{'; besides ' if others else ''}{', '.join(f'{n} {what}' for what, n in sorted(others.items()))}")
    for what, texts in faults.items():
        for text in texts[:5]:
            print(f"{what}: {text[:1000]}", file=sys.stderr)
        if len(texts) > 5:
            print(f"{what}: {len(texts) - 5} more", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
