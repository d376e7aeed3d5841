#!/usr/bin/env python3
"""wrapped.py qinq|gre|vxlan INTERFACE COUNT: sends so many exchanges of HTTP, both sides of them, in
two tags or in a tunnel."""
import socket
import struct
import sys

MACS = bytes.fromhex("020000000002020000000001")
IPV4 = b"\x08\0"


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(protocol, source, destination, payload):
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def wrapped(how, packet):
    if how == "qinq":
        return MACS + bytes.fromhex("88a80009 81000007") + IPV4 + packet
    if how == "gre":
        return MACS + IPV4 + ip(47, "192.0.2.1", "192.0.2.2", b"\0\0" + IPV4 + packet)
    frame = bytes.fromhex("08000000 00000700") + MACS + IPV4 + packet
    udp = struct.pack("!HHHH", 49152, 4789, 8 + len(frame), 0) + frame
    return MACS + IPV4 + ip(17, "192.0.2.1", "192.0.2.2", udp)


def exchange(number):
    """IP packets, in order."""
    client, server = ("10.0.0.1", 1024 + number), ("10.0.0.2", 80)
    ask = b"GET /%d HTTP/1.1\r\nHost: shop\r\n\r\n" % number
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    asked, answered = 101 + len(ask), 501 + len(answer)
    syn, ack, push, fin = 2, 16, 24, 17
    for source, destination, seq, acknowledged, flags, data in (
            (client, server, 100, 0, syn, b""), (server, client, 500, 101, syn | ack, b""),
            (client, server, 101, 501, ack, b""),
            (client, server, 101, 501, push, ask), (server, client, 501, asked, push, answer),
            (client, server, asked, answered, fin, b""), (server, client, answered, asked + 1, fin, b""),
            (client, server, asked + 1, answered + 1, ack, b"")):
        tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], seq, acknowledged, 0x50, flags, 65535, 0, 0)
        yield ip(6, source[0], destination[0], tcp + data)


how, interface, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
    out.bind((interface, 0))
    for number in range(count):
        for packet in exchange(number):
            out.send(wrapped(how, packet))
