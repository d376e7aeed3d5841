"""Requests and what answers them, read from streams; it knows well-formed traffic, as the lab has it.

Each reader takes a connection, and gives (begin, end) of the request and of the answer as offsets into
their streams, the operation, and the status; the answer is None where none came. Requests are in the
order in which they were sent.
"""
import collections
import re
import struct

from . import hessian, marks


class Exchange:
    """A request and its answer, as one point saw them."""
    __slots__ = ("protocol", "connection", "nth", "operation", "status", "request", "answer", "first", "last", "key")

    @property
    def mark(self):
        found = marks.PATTERN.search(self.request)
        return found.group().decode() if found else None

    @property
    def begin(self):
        return self.first.time

    @property
    def end(self):
        return self.last.time if self.last else None


def read(connections, datagrams, protocols):
    """All exchanges; `protocols` tells the protocol of a port of a server."""
    found = []
    for connection in connections:
        protocol = protocols.get(connection.server[1])
        if protocol in READERS:
            found += of_connection(connection, protocol)
    for packets in datagrams.values():
        found += dns([packet for packet in packets if 53 in (packet.source[1], packet.target[1])])
    return found


def of_connection(connection, protocol):
    requests, answers = connection.requests, connection.answers
    for nth, (asked, answered, operation, status) in enumerate(READERS[protocol](requests.content, answers.content), 1):
        exchange = Exchange()
        exchange.protocol, exchange.connection, exchange.nth = protocol, connection, nth
        exchange.operation, exchange.status = operation, status
        words = IN_WORDS.get(protocol, bytes)
        exchange.request = words(requests.content[slice(*asked)])
        exchange.answer = words(answers.content[slice(*answered)]) if answered else b""
        exchange.first = requests.origin(asked[0])
        exchange.last = answers.origin(answered[1] - 1) if answered else None
        exchange.key = (*connection.identity, nth)
        yield exchange


def http(requests, answers):
    """HTTP/1.1 (RFC 9112)."""
    at = sent = 0
    while message := http_message(requests, at):
        begin, (end, line, _) = at, message
        method, path = line.split(b" ")[:2]
        answered, status = None, "none"
        while answer := http_message(answers, sent, method):
            start, (sent, first, _) = sent, answer
            status = first.split(b" ")[1].decode()
            # What is said in between is no answer yet.
            if not status.startswith("1") or status == "101":
                answered = (start, sent)
                break
            status = "none"
        yield (begin, end), answered, f"{method.decode()} {path.decode()}", status
        if status == "101" or method == b"CONNECT":
            return
        at = end


def http_message(content, at, method=None):
    """The end of a message, its first line, and its head; `method` says what an answer is to. An answer may be
    cut off behind its head, such as by a proxy that tries again."""
    end = content.find(b"\r\n\r\n", at)
    if end < 0:
        return None
    head = content[at:end]
    line, _, fields = head.partition(b"\r\n")
    end += 4
    fields = dict(re.findall(rb"(?m)^([^:\r]+):[ \t]*([^\r]*)", fields.lower()))
    status = line.split(b" ")[1] if line.startswith(b"HTTP/") else None
    if status and (method == b"HEAD" or status[:1] == b"1" or status in (b"204", b"304")):
        return end, line, head
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        while True:
            stop = content.find(b"\r\n", end)
            if stop < 0:
                return (len(content), line, head) if status else None
            size = int(content[end:stop].split(b";")[0], 16)
            end = stop + 2 + size + 2
            if size == 0:
                break
    elif b"content-length" in fields:
        end += int(fields[b"content-length"])
    elif status:
        end = len(content)
    if status:
        end = min(end, len(content))
    return (end, line, head) if end <= len(content) else None


def redis(requests, answers):
    """RESP2 and RESP3; pushed messages are no answers."""
    at = sent = 0
    while (end := resp_value(requests, at)) is not None:
        words = resp_words(requests, at)
        while answers[sent:sent + 1] == b">":
            pushed = resp_value(answers, sent)
            if pushed is None:
                break
            sent = pushed
        start, stop = sent, resp_value(answers, sent)
        status = "none" if stop is None else "error" if answers[start:start + 1] in (b"-", b"!") else "ok"
        operation = " ".join(word.decode("utf-8", "replace") for word in words[:2])
        yield (at, end), None if stop is None else (start, stop), operation, status
        at, sent = end, sent if stop is None else stop


def resp_value(content, at):
    """Where the value ends that begins there."""
    stop = content.find(b"\r\n", at)
    if stop < 0:
        return None
    kind, line, at = content[at:at + 1], content[at + 1:stop], stop + 2
    if kind in (b"$", b"!", b"="):
        end = at + int(line) + 2 if int(line) >= 0 else at
        return end if end <= len(content) else None
    if kind in (b"*", b"~", b">", b"%"):
        for _ in range(max(int(line), 0) * (2 if kind == b"%" else 1)):
            at = resp_value(content, at)
            if at is None:
                return None
    return at


def resp_words(content, at):
    """The words of a command."""
    stop = content.find(b"\r\n", at)
    words, at = [], stop + 2
    count = int(content[content.rfind(b"*", 0, stop) + 1:stop])
    for _ in range(count):
        stop = content.find(b"\r\n", at)
        length = int(content[at + 1:stop])
        words.append(content[stop + 2:stop + 2 + length])
        at = stop + 2 + length + 2
    return words


MYSQL_COMMANDS = {1: "quit", 2: "init db", 3: "", 14: "ping", 17: "change user", 22: "prepare", 23: "execute", 25: "close",
                  26: "reset statement", 27: "set option", 28: "fetch", 31: "reset connection"}


def mysql(requests, answers):
    """MySQL's protocol, without compression, without TLS, one command after the other."""
    sent = mysql_packets(requests)
    told = mysql_packets(answers)
    # The server greets first; all up to its OK or error is the login.
    commands = [number for number, (_, _, sequence, _) in enumerate(sent) if sequence == 0]
    login = sent[:commands[0]] if commands else sent
    if login:
        end = next((place for place, (_, _, sequence, first) in enumerate(told) if place and first in (0, 0xff)), None)
        status = "none" if end is None else "error" if told[end][3] == 0xff else "ok"
        answered = None if end is None else (told[1][0], told[end][1])
        yield (login[0][0], login[-1][1]), answered, "login", status
        told = told[end + 1:] if end is not None else []
    # The first packet that answers a command has the sequence number 1; in a long answer, it comes after 0.
    answers_of = [place for place, (_, _, sequence, _) in enumerate(told)
                  if sequence == 1 and (place == 0 or told[place - 1][2] != 0)] + [len(told)]
    place = 0
    for number, command in enumerate(commands):
        begin, end, _, kind = sent[command]
        last = commands[number + 1] if number + 1 < len(commands) else len(sent)
        end = sent[last - 1][1]
        operation = MYSQL_COMMANDS.get(kind, f"command {kind}")
        if kind == 3:
            operation = clean(requests[begin + 5:end])
        answered, status = None, "none"
        if kind not in (1, 25) and place + 1 < len(answers_of):
            first, after = answers_of[place], answers_of[place + 1]
            answered = (told[first][0], told[after - 1][1])
            status = "error" if told[after - 1][3] == 0xff else "ok"
            place += 1
        elif kind in (1, 25):
            status = "sent"
        yield (begin, end), answered, operation, status


def mysql_packets(content):
    """Packets: (begin, end, sequence number, first byte)."""
    found, at = [], 0
    while at + 4 < len(content):
        length = int.from_bytes(content[at:at + 3], "little")
        if at + 4 + length > len(content):
            break
        found.append((at, at + 4 + length, content[at + 3], content[at + 4] if length else None))
        at += 4 + length
    return found


def clean(statement):
    """A statement in one line, without comments, not too long."""
    text = re.sub(r"/\*.*?\*/", " ", statement.decode("utf-8", "replace"), flags=re.S)
    return " ".join(text.split())[:80]


def postgresql(requests, answers):
    """PostgreSQL's protocol, version 3, without TLS: an exchange is a Query, or what is sent up to an
    Execute, with the Sync behind it; a Sync behind no Execute ends what only prepares or closes."""
    at = sent = 0
    if requests[4:8] == struct.pack(">I", 80877103):  # SSLRequest, which is answered by a byte.
        yield (0, 8), (0, 1) if answers else None, "ssl", answers[:1].decode() or "none"
        at, sent = 8, 1
    begin, at = at, at + int.from_bytes(requests[at:at + 4], "big")
    if at == begin or at > len(requests):
        return
    while requests[at:at + 1] == b"p" and (message := postgresql_message(requests, at)):
        at = message[2]
    end, status = postgresql_answer(answers, sent, b"ZE")
    yield (begin, at), None if status == "none" else (sent, end), "login", status
    sent, failed = end, False
    for begin, end, kinds, operation in postgresql_units(requests, at):
        if kinds == b"X":
            yield (begin, end), None, operation, "sent"
            return
        turn_ends = any(kind in kinds for kind in b"QFS")
        if failed and not turn_ends:  # It is passed over up to the Sync.
            yield (begin, end), None, operation, "none"
            continue
        start, (sent, status) = sent, postgresql_answer(answers, sent, b"Z" if turn_ends else b"CIsE")
        if failed and status == "ok":
            status = "error"
        yield (begin, end), None if status == "none" else (start, sent), operation, status
        failed = not turn_ends and (failed or status == "error")


def postgresql_message(content, at):
    """A message: its kind, its content, its end."""
    end = at + 1 + int.from_bytes(content[at + 1:at + 5], "big")
    return (content[at:at + 1], content[at + 5:end], end) if at + 5 <= end <= len(content) else None


def postgresql_answer(answers, at, last):
    """Where an answer ends, whose last message is of one of these kinds, and its status."""
    status = "ok"
    while message := postgresql_message(answers, at):
        kind, _, at = message
        if kind == b"E":
            status = "error"
        if kind in last:
            return at, status
    return at, "none"


def postgresql_units(requests, at):
    """What is one exchange each: its begin, its end, the kinds of its messages, and what it asks for."""
    begin, kinds, texts, bound, operation = at, b"", {}, {}, ""
    while message := postgresql_message(requests, at):
        kind, content, at = message
        kinds += kind
        if kind == b"Q":
            operation = clean(content.rstrip(b"\0"))
        elif kind == b"P":
            name, text = content.split(b"\0")[:2]
            texts[name] = clean(text)
            operation = f"prepare {texts[name]}"
        elif kind == b"B":
            portal, name = content.split(b"\0")[:2]
            bound[portal] = texts.get(name, "execute")
        elif kind == b"E":
            operation = bound.get(content.split(b"\0")[0], "execute")
        elif kind == b"X":
            operation = "terminate"
        following = requests[at:at + 1]
        if kind == b"E" and following == b"S" or following and following in b"dcf":  # The data of a COPY belong to it.
            continue
        if kind in b"QFESXdcf":
            yield begin, at, kinds, operation or "close"
            begin, kinds, operation = at, b"", ""


# Bits of a header: a request, to be answered, of the connection's own; and the code of hessian2.
DUBBO_REQUEST, DUBBO_TWO_WAY, DUBBO_EVENT, DUBBO_SERIALIZATION, DUBBO_HESSIAN2 = 0x80, 0x40, 0x20, 0x1f, 2
DUBBO_OK = 20
# What an answer begins with where an exception or nothing follows, without and with attachments behind.
DUBBO_EXCEPTIONS, DUBBO_NOTHING = (0, 3), (2, 5)
# Attachments that the library makes.
DUBBO_ATTACHED = ("path", "interface", "version", "timeout", "remote.application")


def dubbo(requests, answers):
    """Dubbo 2 with hessian2: answers name their request, and come as they are ready."""
    answered = {}
    for begin, end, flags, status, number in dubbo_messages(answers):
        # What the server sends of itself answers nothing.
        if not flags & DUBBO_REQUEST:
            failed = status != DUBBO_OK
            if not failed and not flags & DUBBO_EVENT:
                failed = hessian.Reader(answers[begin + 16:end]).value() in DUBBO_EXCEPTIONS
            answered.setdefault(number, (begin, end, "error" if failed else "ok"))
    for begin, end, flags, _, number in dubbo_messages(requests):
        if not flags & DUBBO_REQUEST:
            continue
        operation = "heartbeat"
        if not flags & DUBBO_EVENT:
            _, service, _, method = hessian.Reader(requests[begin + 16:end]).values(4)
            # As wirespan tells it: what is asked for, and of whom.
            operation = f"{method} {service}"
        if flags & DUBBO_TWO_WAY:
            *place, status = answered.pop(number, (None, None, "none"))
        else:
            place, status = (None, None), "sent"
        yield (begin, end), None if place[0] is None else tuple(place), operation, status


def dubbo_messages(content):
    """Messages: (begin, end, flags, status, number)."""
    at = 0
    while at + 16 <= len(content):
        magic, flags, status, number, length = struct.unpack_from(">HBBQI", content, at)
        if magic != 0xdabb:
            raise ValueError(f"no header of Dubbo: {content[at:at + 16].hex()}")
        end = at + 16 + length
        if end > len(content):
            return
        yield at, end, flags, status, number
        at = end


def dubbo_words(message):
    """What a program says in a message, as text: numbers of hessian2 are binary. Names that are the same in each
    message, such as those of attachments, are left out, and so is what the library attaches."""
    _, flags, status, _, _ = struct.unpack_from(">HBBQI", message)
    # The library's own words are none of the program's.
    if flags & DUBBO_EVENT or not flags & DUBBO_REQUEST and status != DUBBO_OK:
        return b""
    if flags & DUBBO_SERIALIZATION != DUBBO_HESSIAN2:
        raise ValueError(f"serialization {flags & DUBBO_SERIALIZATION} is not hessian2")
    reader = hessian.Reader(message[16:])
    if not flags & DUBBO_REQUEST:
        kind = reader.value()
        said = reader.value() if kind not in DUBBO_NOTHING else None
        if kind in DUBBO_EXCEPTIONS:
            said.pop("stackTrace", None)
        return "\r\n".join(hessian.words(said)).encode()
    _, service, _, method, types = reader.values(5)
    given = [word for one in reader.values(hessian.how_many(types)) for word in hessian.words(one)]
    attached = reader.value() or {}
    own = [f"{value}" for name, value in attached.items() if name not in DUBBO_ATTACHED]
    return "\r\n".join([" ".join([f"{method} {service}", *given]), *own]).encode()


READERS = {"http": http, "redis": redis, "mysql": mysql, "postgresql": postgresql, "dubbo": dubbo}
# Of messages that have more than text, what is looked at for marks, identifiers and values.
IN_WORDS = {"dubbo": dubbo_words}


def dns(packets):
    """DNS over UDP (RFC 1035): queries and their answers at one point."""
    waiting, counts, keys = {}, collections.Counter(), collections.Counter()
    for packet in packets:
        content = bytes(packet.data[packet.payload:packet.end])
        number, flags = struct.unpack_from(">HH", content)
        labels, at = [], 12
        while content[at]:
            labels.append(content[at + 1:at + 1 + content[at]].decode("latin-1"))
            at += 1 + content[at]
        question = ".".join(labels)
        if flags >> 15:
            exchange = waiting.pop((packet.target, packet.source, number, question), None)
            if exchange:
                exchange.last, exchange.answer = packet, content
                code = flags & 15
                exchange.status = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN"}.get(code, str(code))
                yield exchange
            continue
        key = (packet.source, packet.target, number, question)
        if key in waiting:  # Sent again.
            continue
        exchange = Exchange()
        exchange.protocol, exchange.connection = "dns", Flow(packet)
        counts[packet.ends] += 1
        exchange.nth = counts[packet.ends]
        kind = {1: "A", 28: "AAAA"}.get(content[at + 2], str(content[at + 2]))
        exchange.operation, exchange.status = f"{kind} {question}", "none"
        exchange.request, exchange.answer = content, b""
        exchange.first, exchange.last = packet, None
        key_of_all = ("dns", packet.source[1], number, question, kind)
        keys[key_of_all] += 1
        exchange.key = (*key_of_all, keys[key_of_all])
        waiting[key] = exchange
    yield from waiting.values()


class Flow:
    """The ends of a flow of UDP, as a connection has them; it is never closed."""

    def __init__(self, packet):
        self.point, self.client, self.server, self.tunnel = packet.point, packet.source, packet.target, packet.tunnel
        self.closed = None
