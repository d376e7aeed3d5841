#!/usr/bin/env python3
"""Tests of what the lab knows the truth by: python3 testdata/lab/test_harness.py"""
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from harness import exchanges, hessian, marks, packets, streams, truth  # noqa: E402
from harness.lab import Lab  # noqa: E402


class Wire:
    """Makes packets of connections, as a capture point sees them."""

    def __init__(self, point="p", now=10**18):
        self.point, self.now, self.packets, self.sequence = point, now, [], {}

    def send(self, source, target, content, flags=0x18, seq=None):
        key = (source, target)
        # It soon begins anew at 0, which ends no stream.
        first = 2**32 - 20 - zlib.crc32(repr(key).encode()) % 400
        begin = self.sequence.setdefault(key, first) if seq is None else seq
        packet = self.packet(source, target, begin, flags, content)
        if seq is None:
            self.sequence[key] = (begin + len(content) + (1 if flags & 3 else 0)) % 2**32
        self.packets.append(packet)
        return packet

    def packet(self, source, target, seq, flags, content):
        self.now += 1000
        packet = packets.Packet()
        packet.time, packet.point, packet.protocol, packet.tunnel = self.now, self.point, None, ()
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq, 0, 5 << 4, flags, 1000, 0, 0) + content
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + source[0] + target[0]
        packet.data = bytearray(bytes(12) + b"\x08\x00" + ip + tcp + b"\0" * 4)
        packets.dissect(packet, 0)
        struct.pack_into(">H", packet.data, packet.transport + 16, packets.checksum(packet))
        return packet

    def open(self, client, server):
        self.send(client, server, b"", flags=2)
        self.send(server, client, b"", flags=0x12)

    def ask(self, client, server, request, answer):
        self.send(client, server, request)
        self.send(server, client, answer)


def found(wire, **protocols):
    connections, datagrams = streams.connections(wire.packets)
    ports = {int(port[1:]): protocol for port, protocol in protocols.items()}
    return connections, exchanges.read(connections, datagrams, ports)


CLIENT, GATEWAY, SERVICE, STORE = [(bytes([10, 0, 0, number]), port) for number, port in ((1, 50000), (2, 80), (3, 81), (4, 6379))]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(path, mark):
    return f"GET {path} HTTP/1.1\r\nX-Lab: {mark}\r\n\r\n".encode()


class Marks(unittest.TestCase):
    def test_place_of_a_call_is_in_its_mark(self):
        caller = marks.Caller(marks.root(7))
        first, second = caller.next(), caller.next()
        self.assertEqual((first, second), ("labm00000007" + "0001" + "0" * 16, "labm00000007" + "0002" + "0" * 16))
        self.assertEqual(marks.parent(marks.child(second, 3)), second)
        self.assertEqual(marks.parent(first), marks.root(7))
        self.assertIsNone(marks.parent(marks.root(7)))

    def test_what_has_no_room_is_refused(self):
        mark = marks.root(1)
        for _ in range(marks.LEVELS):
            mark = marks.child(mark, 1)
        self.assertRaises(ValueError, marks.child, mark, 1)
        self.assertRaises(ValueError, marks.child, marks.root(1), 0x10000)

    def test_none_is_left_however_it_is_cut(self):
        for seed in range(40):
            chance = random.Random(seed)
            wire, stream = Wire(), b"".join(get(f"/{number}", marks.root(number)) for number in range(5))
            wire.open(CLIENT, GATEWAY)
            begin, at, pieces = wire.sequence[CLIENT, GATEWAY], 0, []
            while at < len(stream):
                length = chance.randint(1, 60)
                pieces.append((at, stream[at:at + length]))
                at += length
            # Some once more, some cut in another way, not in order.
            pieces += [(at, stream[at:at + chance.randint(1, 90)]) for at, _ in chance.sample(pieces, 5)]
            chance.shuffle(pieces)
            for at, piece in pieces:
                wire.send(CLIENT, GATEWAY, piece, seq=(begin + at) % 2**32)
            connection, = streams.connections(wire.packets)[0]
            self.assertEqual(connection.requests.content, stream)
            self.assertEqual(connection.requests.overwrite_marks(), 5)
            again, = streams.connections(wire.packets)[0]
            self.assertEqual(again.requests.content, marks.PATTERN.sub(b"-" * 32, stream))
            for packet in wire.packets:
                self.assertNotIn(b"labm", packet.data)
                self.assertEqual(packets.checksum(packet), 0)
                self.assertEqual(bytes(packet.data[-4:]), bytes(4))

    def test_none_is_in_what_is_shipped(self):
        captures = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "captures")
        packed = sorted(glob.glob(os.path.join(captures, "*", "*.zst")))
        self.assertGreater(len(packed), 4)
        for path in packed:
            content = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
            self.assertNotIn(b"labm0", content, path)

    def test_byte_is_of_the_packet_that_brought_it_first(self):
        wire = Wire()
        packets_of = {}
        for name, seq, content in (("a", 1000, b"a" * 100), ("b", 1100, b"b" * 100), ("d", 1250, b"d" * 50),
                                   ("both", 1000, b"a" * 100 + b"b" * 100), ("all", 1150, b"b" * 50 + b"c" * 50 + b"d" * 60)):
            packets_of[wire.send(CLIENT, GATEWAY, content, seq=seq)] = name
        direction = streams.connections(wire.packets)[0][0].requests
        self.assertEqual(direction.content, b"a" * 100 + b"b" * 100 + b"c" * 50 + b"d" * 60)
        self.assertEqual([packets_of[direction.origin(at)] for at in (0, 99, 100, 150, 199, 200, 250, 299, 300)],
                         ["a", "a", "b", "b", "b", "all", "d", "d", "all"])

    def test_checksum_that_the_card_was_to_make_stays(self):
        wire = Wire()
        packet = wire.send(CLIENT, GATEWAY, get("/", marks.root(1)))
        struct.pack_into(">H", packet.data, packet.transport + 16, 0x1234)
        streams.connections(wire.packets)[0][0].requests.overwrite_marks()
        self.assertEqual(struct.unpack_from(">H", packet.data, packet.transport + 16)[0], 0x1234)


class Captures(unittest.TestCase):
    def test_file_is_read_back_by_its_numbers(self):
        wire = Wire()
        wire.open(CLIENT, GATEWAY)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.pcapng")
            packets.write(path, ["p"], wire.packets)
            with open(path, "rb") as file:
                content = file.read()
        at, kinds = 0, []
        while at < len(content):
            kind, length = struct.unpack_from("<II", content, at)
            self.assertEqual(struct.unpack_from("<I", content, at + length - 4)[0], length)
            kinds.append(kind)
            at += length
        self.assertEqual(kinds, [0x0a0d0d0a, 1, 6, 6])
        self.assertEqual([packet.frame for packet in wire.packets], [1, 2])


class Readers(unittest.TestCase):
    def check(self, protocol, requests, answers, expected):
        """Requests and answers, as streams, are these: (operation, status, request, answer)."""
        seen = [(operation, status, requests[slice(*asked)], answers[slice(*answered)] if answered else None)
                for asked, answered, operation, status in exchanges.READERS[protocol](requests, answers)]
        self.assertEqual(seen, expected)

    def test_http(self):
        one, two = get("/a", "x"), b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        chunked = b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
        self.check("http", one + two, OK + chunked, [("GET /a", "200", one, OK), ("POST /b", "404", two, chunked)])
        head = b"HEAD /c HTTP/1.1\r\n\r\n"
        no_body = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        self.check("http", head + one, no_body + OK, [("HEAD /c", "200", head, no_body), ("GET /a", "200", one, OK)])
        self.check("http", one, no_body + b"cut", [("GET /a", "200", one, no_body + b"cut")])
        between = b"HTTP/1.1 100 Continue\r\n\r\n"
        self.check("http", one, between + OK, [("GET /a", "200", one, OK)])
        self.check("http", one + one, OK, [("GET /a", "200", one, OK), ("GET /a", "none", one, None)])

    def test_redis(self):
        one, two = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"*1\r\n$4\r\nPING\r\n"
        array = b"*2\r\n$1\r\nx\r\n*1\r\n:5\r\n"
        self.check("redis", one + two, array + b"-ERR no\r\n", [("GET a", "ok", one, array), ("PING", "error", two, b"-ERR no\r\n")])
        self.check("redis", one, b"$-1\r\n", [("GET a", "ok", one, b"$-1\r\n")])
        self.check("redis", one, b">2\r\n+a\r\n+b\r\n_\r\n", [("GET a", "ok", one, b"_\r\n")])

    def test_mysql(self):
        def packet(number, body):
            return len(body).to_bytes(3, "little") + bytes([number]) + body
        greeting, login, accepted = packet(0, b"\x0a8.0"), packet(1, b"me"), packet(2, b"\0\0\0")
        query = packet(0, b"\x03SELECT 1 /*note*/ FROM t")
        # More packets than there are sequence numbers.
        rows = b"".join(packet(number % 256, b"\x02") for number in range(1, 600))
        bad, error = packet(0, b"\x03oops"), packet(1, b"\xff\x28\x04")
        close = packet(0, b"\x19\1\0\0\0")
        self.check("mysql", login + query + close + bad, greeting + accepted + rows + error, [
            ("login", "ok", login, accepted), ("SELECT 1 FROM t", "ok", query, rows),
            ("close", "sent", close, None), ("oops", "error", bad, error)])

    def test_postgresql(self):
        def message(kind, body=b""):
            return kind + struct.pack(">I", 4 + len(body)) + body
        start = struct.pack(">II", 15, 196608) + b"user\0me"
        password, ready = message(b"p", b"x"), message(b"Z", b"I")
        welcome = message(b"R", b"\0\0\0\0") + ready
        parse, bind = message(b"P", b"one\0SELECT $1 /*note*/\0\0\0"), message(b"B", b"\0one\0\0\0\0\0\0\0")
        execute, sync, done = message(b"E", b"\0\0\0\0\0"), message(b"S"), message(b"C", b"SELECT 1\0")
        bad, good = message(b"E", b"C42601\0\0"), message(b"1") + message(b"2") + message(b"D", b"\0\0") + done
        query, copy, bye = message(b"Q", b"BEGIN\0"), message(b"Q", b"COPY t FROM STDIN\0"), message(b"X")
        data = message(b"d", b"1\n") + message(b"c")
        self.check("postgresql", start + password + query + copy + data + bye, welcome + (done + ready) * 2, [
            ("login", "ok", start + password, welcome), ("BEGIN", "ok", query, done + ready),
            ("COPY t FROM STDIN", "ok", copy + data, done + ready), ("terminate", "sent", bye, None)])
        # Prepared, then used twice at once, of which the first fails.
        answers = [message(b"1") + ready, bad, ready, good + ready]
        self.check("postgresql", start + parse + sync + (bind + execute) * 2 + sync + bind + execute + sync,
                   welcome + b"".join(answers), [
            ("login", "ok", start, welcome), ("prepare SELECT $1", "ok", parse + sync, answers[0]),
            ("SELECT $1", "error", bind + execute, answers[1]), ("SELECT $1", "error", bind + execute + sync, answers[2]),
            ("SELECT $1", "ok", bind + execute + sync, answers[3])])
        self.check("postgresql", start, message(b"R", b"\0\0\0\5abcd") + bad, [
            ("login", "error", start, message(b"R", b"\0\0\0\5abcd") + bad)])

    def test_dubbo(self):
        def message(flags, number, body, status=0):
            return struct.pack(">HBBQI", 0xdabb, flags | 2, status, number, len(body)) + body
        asked, heartbeat = dubbo_call("name", b"I", b"\x91"), b"N"
        # Both ends ask each other whether they are there; the second call is answered first; nobody answers the third.
        first, second, third = message(0xc0, 7, asked), message(0xc0, 8, asked), message(0x80, 9, asked)
        ping, lost = message(0xe0, 10, heartbeat), message(0xc0, 11, asked)
        theirs, pong = message(0xe0, 7, heartbeat), message(0x20, 7, heartbeat, 20)
        value, refused = message(0, 8, b"\x91\x03yes", 20), message(0, 7, b"\x90\x02no", 20)
        answer = message(0x20, 10, heartbeat, 20)
        before = message(0, 6, b"\x92", 20)
        self.check("dubbo", first + second + pong + third + ping + lost, before + value + theirs + refused + answer, [
            ("name a.S", "error", first, refused), ("name a.S", "ok", second, value), ("name a.S", "sent", third, None),
            ("heartbeat", "ok", ping, answer), ("name a.S", "none", lost, None)])
        no_thread = message(0, 7, b"\x0bno thread :(", 100)
        self.check("dubbo", first, no_thread, [("name a.S", "error", first, no_thread)])
        # What of a message is not captured is none.
        self.check("dubbo", first + second[:-1], value[:20], [("name a.S", "none", first, None)])
        with self.assertRaises(ValueError):
            self.check("dubbo", b"GET / HTTP/1.1\r\n", b"", [])

    def test_numbers_of_dubbo_are_words(self):
        mark = marks.root(1)
        body = dubbo_call("find", b"Ljava/lang/String;[IJ", b"\x03tea" + b"y\x91" + b"L" + struct.pack(">q", 1 << 40),
                          {"path": "a.S", "x-lab": mark, "b3": "0123456789abcdef"})
        call = struct.pack(">HBBQI", 0xdabb, 0xc2, 0, 1, len(body)) + body
        self.assertEqual(exchanges.dubbo_words(call), f"find a.S tea 1 {1 << 40}\r\n{mark}\r\n0123456789abcdef".encode())
        def answered(body):
            return exchanges.dubbo_words(struct.pack(">HBBQI", 0xdabb, 2, 20, 1, len(body)) + body)
        self.assertEqual(answered(b"\x94H\x02id\xc9\x2c\x02ok\x54Z" + b"H\x05dubbo\x052.0.2Z"), b"id\r\n300\r\nok")
        self.assertEqual(answered(b"\x92"), b"")
        refused = b"C\x04Sold\x93\x05cause\x04left\x0astackTrace\x60" + b"Q\x90" + b"\xd4\xff\xff" + b"y\x02at"
        self.assertEqual(answered(b"\x90" + refused), b"cause\r\nleft\r\n65535")


def dubbo_call(method, types, arguments, attachments=None):
    """The body of a call of `a.S`, in hessian2."""
    def text(value):
        return (bytes([len(value)]) if len(value) < 32 else bytes([0x30 + (len(value) >> 8), len(value) & 255])) + value
    attached = b"".join(text(word.encode()) for pair in (attachments or {}).items() for word in pair)
    return b"".join(map(text, (b"2.0.2", b"a.S", b"0.0.0", method.encode(), types))) + arguments + b"H" + attached + b"Z"


class Hessian(unittest.TestCase):
    def check(self, content, *expected):
        reader = hessian.Reader(content)
        self.assertEqual(reader.values(len(expected)), list(expected))
        self.assertEqual(reader.at, len(content))

    def test_numbers(self):
        self.check(b"\x90\x80\xbf\xc8\x00\xc0\x00\xcf\xff", 0, -16, 47, 0, -2048, 2047)
        self.check(b"\xd4\x00\x00\xd0\x00\x00\xd7\xff\xffI\xff\xff\xff\xfe", 0, -262144, 262143, -2)
        self.check(b"\xe0\xd8\xef\xf8\x00\xf0\x00\xff\xff", 0, -8, 15, 0, -2048, 2047)
        self.check(b"\x3c\x00\x00\x38\x00\x00\x3f\xff\xffY\x00\x00\x00\x05L" + b"\xff" * 8, 0, -262144, 262143, 5, -1)
        self.check(b"\x5b\x5c\x5d\x80\x5e\x80\x00\x5f\x00\x00\x00\x7bD\x40\x28\x80\x00\x00\x00\x00\x00",
                   0.0, 1.0, -128.0, -32768.0, 0.123, 12.25)
        self.check(b"\x4a\x00\x00\x00\xd0\x4b\x92\x84\xb8\x4b\x00\x00\x00\x01", 894621091000, 60000)

    def test_texts_count_characters(self):
        self.check(b"\x00\x02\xc3\xa4b", "", "äb")
        self.check(b"\x30\x20" + b"x" * 32 + b"S\x00\x01y" + b"R\x00\x02abR\x00\x01c\x01d", "x" * 32, "y", "abcd")
        # A character of four bytes goes as two halves, of three bytes each.
        self.check(b"\x02\xed\xa0\xbd\xed\xb8\x80", "😀")
        self.check(b"\x22\x01\x02\x34\x01\xffA\x00\x01\x05\x21\x06", b"\x01\x02", b"\xff", b"\x05\x06")

    def test_lists_maps_and_objects(self):
        self.check(b"\x7a\x91\x92X\x91\x93W\x94ZZ"[:-1], [1, 2], [3], [4])
        self.check(b"\x71\x04[int\x91V\x90\x91\x92U\x90\x93Z", [1], [2], [3])
        self.check(b"H\x01aTZM\x04TreeF\x01bZ", {"a": True}, {False: "b"})
        self.check(b"C\x01P\x92\x01x\x01y\x60\x91\x92O\x90\x93NQ\x91", {"x": 1, "y": 2}, {"x": 3, "y": None}, {"x": 3, "y": None})

    def test_what_is_cut_off_or_no_value_is_told(self):
        for content in (b"", b"\x05abc", b"\x40", b"\x5a", b"I\x00"):
            self.assertRaises((ValueError, IndexError), hessian.Reader(content).value)

    def test_parameters_are_counted(self):
        for types, count in (("", 0), ("I", 1), ("ILjava/lang/String;J", 3), ("[[Ljava/util/Map;[BZ", 3)):
            self.assertEqual(hessian.how_many(types), count)


class Redirected(unittest.TestCase):
    def test_answers_from_the_address_that_was_meant_belong_to_it(self):
        wire, sidecar = Wire(), (b"\x7f\0\0\1", 15001)
        for _ in range(2):  # The second time, the client's port is used again.
            opened = wire.send(CLIENT, sidecar, b"", flags=2)
            answer = wire.send(SERVICE, CLIENT, b"", flags=0x12)
            answer.ack = (opened.seq + 1) % 2**32
            wire.send(CLIENT, sidecar, get("/", marks.root(1)))
            wire.send(SERVICE, CLIENT, OK)
            wire.send(CLIENT, sidecar, b"", flags=0x11)
            wire.send(SERVICE, CLIENT, b"", flags=0x11)
        connections, read = found(wire, p15001="http")
        self.assertEqual([(one.client, one.server) for one in connections], [(CLIENT, sidecar)] * 2)
        self.assertEqual([one.status for one in read], ["200", "200"])


class Truth(unittest.TestCase):
    def test_identifiers_are_the_same_however_they_are_written(self):
        trace = b"0123456789abcdeff0e1d2c3b4a59687"
        self.assertEqual(list(truth.otherwise(trace)), [trace[16:]])
        self.assertEqual(list(truth.otherwise(b"%d" % int(trace[16:], 16))), [trace[16:]])
        self.assertEqual(list(truth.otherwise(b"an_identifier_of_words")), [])

    def rows(self, wire, side=()):
        _, seen = found(wire, p80="http", p81="http", p6379="redis")
        names = {bytes([10, 0, 0, 1]): "client", bytes([10, 0, 0, 2]): "gateway", bytes([10, 0, 0, 3]): "service",
                 bytes([10, 0, 0, 4]): "store"}
        return truth.rows(seen, lambda end, point: names[end[0]], side)

    def chain(self, side=False):
        """A client asks a gateway, which asks a service, which asks a store."""
        wire, root = Wire(), marks.root(1)
        child = marks.child(root, 1)
        inner, outer = (SERVICE[0], 50001), (GATEWAY[0], 50002)
        wire.open(CLIENT, GATEWAY)
        wire.open(outer, SERVICE)
        wire.open(inner, STORE)
        wire.send(CLIENT, GATEWAY, get("/orders/4711", root))
        wire.send(outer, SERVICE, get("/orders/4711", root))
        key = b"order:4711" if side else child.encode()
        wire.ask(inner, STORE, b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key), b"$1\r\n1\r\n")
        wire.send(SERVICE, outer, OK)
        wire.send(GATEWAY, CLIENT, OK)
        return wire, [(packets.text(inner), packets.text(STORE), 1, child)] if side else []

    def test_parents_are_told_by_marks(self):
        for side in (False, True):
            rows, missing = self.rows(*self.chain(side))
            self.assertEqual([(row.protocol, row.parent and row.parent.number, row.known, row.evidence) for row in rows], [
                ("http", None, True, None), ("http", 1, True, "one candidate"), ("redis", 2, True, "one candidate")])
            self.assertEqual(missing, [])

    def test_line_of_the_side_log_that_fits_nothing_is_told(self):
        wire, side = self.chain(True)
        wrong = (side[0][0], side[0][1], 2, side[0][3])
        rows, missing = self.rows(wire, [wrong])
        self.assertEqual(missing, [wrong])
        self.assertFalse(rows[2].known)

    def test_retry_of_a_proxy_is_its_call_as_well(self):
        wire, root = Wire(), marks.root(1)
        wire.open(CLIENT, GATEWAY)
        wire.send(CLIENT, GATEWAY, get("/", root))
        for port in (50002, 50003):
            wire.open((GATEWAY[0], port), SERVICE)
            wire.ask((GATEWAY[0], port), SERVICE, get("/", root), OK)
        wire.send(GATEWAY, CLIENT, OK)
        self.assertEqual([row.parent and row.parent.number for row in self.rows(wire)[0]], [None, 1, 1])

    def test_evidence_is_the_surest_there_is(self):
        def overlapping(paths, fields=("", "")):
            wire = Wire()
            for number, (path, field) in enumerate(zip(paths, fields)):
                client, back = (CLIENT[0], 50000 + number), (GATEWAY[0], 51000 + number)
                wire.open(client, GATEWAY)
                request = get(path, marks.root(number + 1)).replace(b"\r\n\r\n", b"\r\n" + field.encode() + b"\r\n")
                wire.send(client, GATEWAY, request)
            for number, (path, field) in enumerate(zip(paths, fields)):
                back = (GATEWAY[0], 51000 + number)
                wire.open(back, SERVICE)
                request = get(path, marks.root(number + 1)).replace(b"\r\n\r\n", b"\r\n" + field.encode() + b"\r\n")
                wire.ask(back, SERVICE, request, OK)
            return [row.evidence for row in self.rows(wire)[0]][2:]
        self.assertEqual(overlapping(["/same", "/same"]), ["none", "none"])
        self.assertEqual(overlapping(["/item/41", "/item/42"]), ["content", "content"])
        ids = [f"X-Request-ID: {number * 32}\r\n" for number in "12"]
        self.assertEqual(overlapping(["/same", "/same"], ids), ["ids", "ids"])
        same = ["X-Request-ID: abcdef012345abcdef\r\n"] * 2
        self.assertEqual(overlapping(["/same", "/same"], same), ["none", "none"])
        # A long path is none.
        self.assertEqual(overlapping(["/a/rather/long/path/41", "/a/rather/long/path/42"]), ["content", "content"])

    def test_what_has_no_answer_is_over_with_its_connection(self):
        wire = Wire()
        for number, path in enumerate(("/given/up", "/asked")):
            client, back = (CLIENT[0], 50000 + number), (GATEWAY[0], 51000 + number)
            wire.open(client, GATEWAY)
            wire.open(back, SERVICE)
            wire.send(client, GATEWAY, get(path, marks.root(number)))
            if number == 0:
                wire.send(client, GATEWAY, b"", flags=0x11)
            # The gateway may ask all the same, as it has not noticed.
            wire.send(back, SERVICE, get(path, marks.root(number)))
        rows = self.rows(wire)[0]
        self.assertEqual([(row.parent and row.parent.number, row.status) for row in rows],
                         [(None, "none"), (1, "none"), (None, "none"), (3, "none")])
        self.assertEqual(rows[3].evidence, "one candidate")

    def test_first_line_as_a_whole_is_content(self):
        wire, roots = Wire(), [marks.root(1), marks.root(2)]
        paths = ["/one/two", "/two/one"]
        for number, (path, root) in enumerate(zip(paths, roots)):
            client = (CLIENT[0], 50000 + number)
            wire.open(client, GATEWAY)
            wire.send(client, GATEWAY, get(path, root))
        for number, (path, root) in enumerate(zip(paths, roots)):
            back = (GATEWAY[0], 51000 + number)
            wire.open(back, SERVICE)
            wire.ask(back, SERVICE, get(path, root), OK)
        self.assertEqual([row.evidence for row in self.rows(wire)[0]][2:], ["content", "content"])

    def test_what_a_request_was_made_for_is_no_other_candidate(self):
        # A sidecar serves what comes to the host and what its application asks.
        wire, root = Wire(), marks.root(1)
        sidecar, application, outbound = GATEWAY, SERVICE, (GATEWAY[0], 82)
        call = marks.child(root, 1)
        asks = [(CLIENT, sidecar, root), ((GATEWAY[0], 51000), application, root),
                ((SERVICE[0], 52000), outbound, call), ((GATEWAY[0], 53000), STORE, call)]
        for client, server, mark in asks:
            wire.open(client, server)
            wire.send(client, server, get("/", mark))
        for client, server, _ in reversed(asks):
            wire.send(server, client, OK)
        connections, _ = streams.connections(wire.packets)
        read = exchanges.read(connections, {}, dict.fromkeys((80, 81, 82, 6379), "http"))
        rows, _ = truth.rows(read, lambda end, connection: end[0])
        self.assertEqual([(row.parent and row.parent.number, row.evidence) for row in rows],
                         [(None, None), (1, "one candidate"), (2, "one candidate"), (3, "one candidate")])

    def test_exchange_at_several_points_is_one(self):
        here, there = self.chain()[0], Wire("q")
        for packet in here.packets:
            # The same packet behind a router that changes the client's address.
            source = (b"\x0a\x00\x00\x09", packet.source[1]) if packet.source == CLIENT else packet.source
            target = (b"\x0a\x00\x00\x09", packet.target[1]) if packet.target == CLIENT else packet.target
            copy = there.packet(source, target, packet.seq, packet.flags, bytes(packet.data[packet.payload:packet.end]))
            copy.time = packet.time + 500
            there.packets.append(copy)
        here.packets += there.packets
        here.packets.sort(key=lambda packet: packet.time)
        rows, _ = self.rows(here)
        self.assertEqual([[one.connection.point for one in row.sightings] for row in rows], [["p", "q"]] * 3)


class Hosts(unittest.TestCase):
    def test_network_of_a_tunnel_tells_hosts_of_the_same_address_apart(self):
        lab = Lab("test", Given())
        lab.net.hosts = {"10.0.0.1": "plain", (7, "10.0.0.1"): "red", (8, "10.0.0.1"): "blue"}
        lab.net.tunnels = {("pod", "eth1"): 8}
        lab.interfaces = {"node": ("node", "eth0"), "pod": ("pod", "eth1")}
        def name(point, *networks):
            tunnel = tuple((b"", b"", network) for network in networks)
            return lab.node_of(CLIENT, streams.Connection(point, CLIENT, GATEWAY, tunnel))
        self.assertEqual([name("node"), name("node", 7), name("node", 8), name("pod")], ["plain", "red", "blue", "blue"])
        lab.names_at = {("node", "10.0.0.1"): "here"}
        self.assertEqual(name("node", 7), "here")


class Given:
    """The options of a run."""
    rate, duration, requests, seed, ids, out = 1, 1, None, 1, "none", "/nowhere"
    split = tap = False
    clocks = None
    delay = loss = 0


class Calls(unittest.TestCase):
    """What rpc/compare.py finds fault with."""
    row = {"begin": 10**18, "end": 10**18 + 10**9, "protocol": "grpc", "service": "lab.Shop", "method": "Price",
           "id": "7" * 32, "status": "NOT_FOUND", "code": 5, "text": "no", "sent": 2, "received": 1, "timeout": 900}
    span = {"type": "span", "protocol": "grpc", "sort": "call", "operation": "Price", "resource": "lab.Shop", "state": "complete",
            "status": {"outcome": "client_error", "code": 5, "text": "NOT_FOUND"}, "start": 10**18 + 10**8, "duration": 10**8,
            "client": "10.89.0.1:4", "server": "10.89.0.2:5", "request": {"frames": [1, 1]}, "ids": [{"trace": "7" * 32}],
            "attributes": {"wirespan.rpc.error": "no", "wirespan.rpc.timeout_ms": 900, "wirespan.rpc.request.messages": 2,
                           "wirespan.rpc.response.messages": 1}}

    def check(self, rows, spans, expected, kind="grpc-go"):
        """Comparing these says that, by its kinds of faults."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("spans", "log")]
            for path, lines in zip(paths, (spans, rows)):
                with open(path, "w") as file:
                    file.writelines(json.dumps(line) + "\n" for line in lines)
            done = subprocess.run([sys.executable, os.path.join(HERE, "rpc", "compare.py"), kind, *paths],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual([line.split(":")[0] for line in done.stderr.splitlines()], expected, done.stderr)
        self.assertEqual(done.returncode, 1 if expected else 0)

    def test_what_agrees_is_fine(self):
        self.check([self.row], [self.span, {**self.span, "sort": "handshake", "ids": []}], [])

    def test_each_difference_is_told(self):
        for expected, change in (
                (["wrong operation"], {"operation": "Cost"}),
                (["wrong operation"], {"resource": "lab.Shops"}),
                (["wrong status"], {"status": {"outcome": "client_error", "code": 6, "text": "NOT_FOUND"}}),
                (["no answer"], {"state": "reset"}),
                (["wrong text"], {"attributes": {**self.span["attributes"], "wirespan.rpc.error": "yes"}}),
                (["wrong messages"], {"attributes": {**self.span["attributes"], "wirespan.rpc.response.messages": 0}}),
                (["wrong deadline"], {"attributes": {**self.span["attributes"], "wirespan.rpc.timeout_ms": 90}}),
                # By no identifier it is another call, and so it is long before, or goes on for long.
                (["not found", "never happened"], {"ids": []}),
                (["not found", "never happened"], {"start": 10**18 - 10**9}),
                (["not found", "never happened"], {"duration": 2 * 10**9})):
            with self.subTest(change):
                self.check([self.row], [self.span | change], expected)

    def test_each_call_is_one(self):
        self.check([self.row], [self.span, self.span], ["never happened"])
        self.check([self.row, self.row], [self.span], ["not found"])

    def test_calls_without_identifiers_are_told_apart_by_time(self):
        row = {"begin": 10**18, "end": 10**18 + 10**9, "protocol": "thrift", "method": "find", "outcome": "ok"}
        span = {**self.span, "protocol": "thrift", "operation": "find", "resource": "", "ids": [], "status": {"outcome": "ok"}}
        later = {name: row[name] + 10**10 if name in ("begin", "end") else row[name] for name in row}
        failed = {**span, "start": span["start"] + 10**10, "status": {"outcome": "server_error"}}
        self.check([later | {"outcome": "error"}, row], [span, failed], [], "thrift-go")
        self.check([later, row | {"outcome": "error"}], [span, failed], ["wrong outcome", "wrong outcome"], "thrift-go")


if __name__ == "__main__":
    unittest.main()
