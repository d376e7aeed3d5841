"""interfaces.py OUT.pcapng NAME=IN.pcap...: merges recordings, each an interface of that name.

Packets are in the order of time, with nanoseconds. Nothing is written of the machine that recorded.
"""
import heapq
import struct
import sys

NANOSECONDS = 0xA1B23C4D


def packets(path, interface):
    """The packets of a pcap file: (time in ns, interface, place, bytes on the wire, bytes)."""
    with open(path, "rb") as file:
        magic, _, _, _, _, _, link_type = struct.unpack("<IHHiIII", file.read(24))
        assert magic == NANOSECONDS and link_type == 1, f"{path}: no Ethernet with nanoseconds"
        place = 0
        while head := file.read(16):
            seconds, nanos, held, length = struct.unpack("<IIII", head)
            yield seconds * 10**9 + nanos, interface, place, length, file.read(held)
            place += 1


def padded(data):
    return data + bytes(-len(data) % 4)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + padded(value)


def block(kind, body):
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def main():
    inputs = [argument.split("=", 1) for argument in sys.argv[2:]]
    with open(sys.argv[1], "wb") as out:
        out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for name, _ in inputs:
            # Ethernet, without a snap length; its name; times in 10^-9 s.
            options = option(2, name.encode()) + option(9, b"\x09") + option(0, b"")
            out.write(block(1, struct.pack("<HHI", 1, 0, 0) + options))
        recordings = [packets(path, number) for number, (_, path) in enumerate(inputs)]
        for at, interface, _, length, data in heapq.merge(*recordings):
            head = struct.pack("<IIIII", interface, at >> 32, at & 0xFFFFFFFF, len(data), length)
            out.write(block(6, head + padded(data)))


main()
