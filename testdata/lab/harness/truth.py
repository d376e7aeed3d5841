"""What truly happened: exchanges at points in, rows of truth.ndjson out. README.md describes them."""
import collections
import functools
import itertools
import json
import re

from . import marks, packets

# Values that a reader of packets could recognise: words, numbers, names.
VALUE = re.compile(rb"[A-Za-z0-9_]{3,}|[0-9]{2,}")
# What is long enough to be an identifier: hexadecimal, base64, UUIDs without their dashes, numbers. The
# base64 of printable words has no slash, unlike paths, and some digit, unlike words.
IDENTIFIER = re.compile(rb"(?<![A-Za-z0-9+_=])(?=[A-Za-z+_]*[0-9])[A-Za-z0-9+_]{16,}={0,2}(?![A-Za-z0-9+_=])")
HEXADECIMAL, DECIMAL = re.compile(rb"[0-9a-f]{21,32}"), re.compile(rb"[0-9]{16,20}")
UUID = re.compile(rb"([0-9a-fA-F]{8})-([0-9a-fA-F]{4})-([0-9a-fA-F]{4})-([0-9a-fA-F]{4})-([0-9a-fA-F]{12})")
# Bytes of a message that are looked at for values.
LOOKED_AT = 1 << 16


class Row:
    """An exchange, at all points that saw it."""

    def __init__(self, sightings):
        self.sightings = sorted(sightings, key=lambda one: one.begin)
        first = self.sightings[0]
        self.begin, self.mark = first.begin, first.mark
        self.ends = [one.end for one in self.sightings if one.end]
        # Without an answer, it is over when the connection is.
        over = self.ends or [one.connection.closed for one in self.sightings if one.connection.closed]
        self.over = max(over, default=None)
        self.protocol, self.operation = first.protocol, first.operation
        self.status = self.sightings[-1].status
        self.client = self.server = None
        self.number = self.parent = self.evidence = None
        self.known = False

    def open_at(self, time):
        return self.begin <= time and (self.over is None or self.over >= time)


def rows(exchanges, node_of, side=(), alone=lambda row: False):
    """Rows in the order of their requests.

    `node_of(end, connection)` names the host of an end of a connection; two of the same name are the same.
    `side` is the side log: (client, server, nth, mark) with `address:port`. `alone(row)` tells what
    has no mark since nobody called it.
    """
    grouped = collections.defaultdict(list)
    for exchange in exchanges:
        grouped[exchange.key].append(exchange)
    found = sorted((Row(group) for group in grouped.values()), key=lambda row: row.begin)
    by_place, several = {}, set()
    for number, row in enumerate(found, 1):
        row.number = number
        outermost, innermost = row.sightings[0], row.sightings[-1]
        row.client = node_of(outermost.connection.client, outermost.connection)
        row.server = node_of(innermost.connection.server, innermost.connection)
        for one in row.sightings:
            place = packets.text(one.connection.client), packets.text(one.connection.server), one.nth
            if by_place.setdefault(place, row) is not row:
                several.add(place)
    missing = []
    for client, server, nth, mark in side:
        row = by_place.get((client, server, nth))
        if row is None or (client, server, nth) in several:
            missing.append((client, server, nth, mark))
        else:
            row.mark = mark
    chains = collections.defaultdict(list)
    for row in found:
        if row.mark:
            chains[row.mark].append(row)
    for row in found:
        find_parent(row, chains, alone)
    find_evidence(found)
    return found, missing


def find_parent(row, chains, alone):
    if row.mark is None:
        row.known = alone(row)
        return
    # A proxy passed the mark on.
    passed = [one for one in chains[row.mark] if one.begin < row.begin and one.server == row.client]
    if passed:
        # It may not have noticed yet that nobody waits any more.
        still_open = [one for one in passed if one.open_at(row.begin)]
        row.parent, row.known = (still_open or passed)[-1], True
        return
    above = marks.parent(row.mark)
    if above is None:
        row.known = True
        return
    # The service at the end of the chain; what it does after its answer is its own as well.
    callers = [one for one in chains.get(above, ()) if one.begin < row.begin and one.server == row.client]
    if callers:
        row.parent, row.known = callers[-1], True
    elif int(above[4:12], 16) >= marks.OF_ITS_OWN and not marks.levels(above):
        row.known = True


def find_evidence(found):
    """The surest thing on the wire that tells the parent of each row."""
    roots = {}
    for row in found:
        roots[row.number] = roots[row.parent.number] if row.parent else row.number
    identifiers = {row.number: identifiers_of(row) for row in found}
    owners = collections.defaultdict(set)
    for row in found:
        for identifier in identifiers[row.number]:
            owners[identifier].add(roots[row.number])
    served = collections.defaultdict(list)
    for row in found:
        served[row.server].append(row)
    children = collections.defaultdict(list)
    for row in found:
        if row.parent:
            children[row.parent.number].append(row)
    for server in served:
        served[server] = Served(served[server])
    for row in found:
        if row.parent is None:
            continue
        shared = identifiers[row.number] & identifiers[row.parent.number]
        if any(len(owners[identifier]) == 1 for identifier in shared):
            row.evidence = "ids"
            continue
        # What its caller served as it began; what has no mark carries no request of others. A proxy that serves
        # what comes to a host and what leaves it serves one request several times.
        above = ancestors(row)
        others = [one for one in served[row.client].at(row.begin) if one is not row and one not in above]
        if not others and row.parent.open_at(row.begin):
            row.evidence = "one candidate"
            continue
        shared = values_of(row.sightings[0].request) & frozenset().union(*known_to(row.parent, children, row))
        for elsewhere in itertools.chain.from_iterable(known_to(one, children, row) for one in others):
            if not shared:
                break
            shared -= elsewhere
        row.evidence = "content" if shared else "none"


def ancestors(row):
    """Its parent, and what that was made for."""
    found = []
    while row.parent:
        row = row.parent
        found.append(row)
    return found


class Served:
    """What a host served, to be asked for a time."""

    def __init__(self, found):
        self.found = [row for row in found if row.mark]
        self.at_time, self.place, self.open = 0, 0, []

    def at(self, time):
        """What was open at a time, which may not be earlier than the one before."""
        assert time >= self.at_time
        self.at_time = time
        while self.place < len(self.found) and self.found[self.place].begin <= time:
            self.open.append(self.found[self.place])
            self.place += 1
        self.open = [row for row in self.open if row.open_at(time)]
        return self.open


def known_to(row, children, child):
    """The values that a server had received by the time of a call of it, message by message."""
    yield values_of(row.sightings[-1].request)
    for other in children[row.number]:
        if other is not child and other.ends and min(other.ends) < child.begin:
            yield values_of(other.sightings[0].answer)


# Messages near in time are asked for again and again.
@functools.lru_cache(maxsize=1 << 14)
def values_of(message):
    """Its words and numbers, and its first line as a whole, which a proxy passes on."""
    message = marks.PATTERN.sub(b"", message[:LOOKED_AT])
    return frozenset((message.partition(b"\r\n")[0], *VALUE.findall(message)))


def identifiers_of(row):
    found = set()
    for one in (row.sightings[0], row.sightings[-1]):
        for message in (one.request, one.answer):
            message = UUID.sub(rb"\1\2\3\4\5", marks.PATTERN.sub(b"", message[:LOOKED_AT]))
            for identifier in IDENTIFIER.findall(message):
                found.add(identifier)
                found.update(otherwise(identifier))
    return found


def otherwise(identifier):
    """How others write it: of 128 bits, some take the lower 64, and some write these as a decimal number."""
    if HEXADECIMAL.fullmatch(identifier):
        yield identifier[-16:]
    if DECIMAL.fullmatch(identifier) and int(identifier) < 1 << 64:
        yield b"%016x" % int(identifier)


def write(path, found, service_of):
    """Writes truth.ndjson, once the captures are written; `service_of(row)` names who serves it."""
    with open(path, "w") as file:
        for row in found:
            parent = row.parent.number if row.parent else None if row.known else "unknown"
            line = {"id": row.number, "parent": parent}
            if row.evidence:
                line["evidence"] = row.evidence
            line |= {"protocol": row.protocol, "service": service_of(row), "operation": row.operation, "status": row.status}
            line["points"] = [sighting(one) for one in row.sightings]
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def sighting(one):
    """An exchange as a point saw it."""
    line = {
        "point": one.connection.point,
        "file": one.first.file,
        "client": packets.text(one.connection.client),
        "server": packets.text(one.connection.server),
        "nth": one.nth,
        "begin": one.begin,
        "end": one.end,
        "frames": [one.first.frame, one.last.frame if one.last else None],
    }
    if one.connection.tunnel:
        line["network"] = f"vni{one.connection.tunnel[-1][2]}"
    if one.last and one.last.file != one.first.file:
        line["answer_file"] = one.last.file
    return line
