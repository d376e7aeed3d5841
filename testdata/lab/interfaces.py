"""interfaces.py OUT.pcapng NAME[@VLAN]=IN.pcap...: merges recordings, each on an interface of that name.

With a VLAN, its tag is put into each frame, as a mirror port does that keeps its sources apart.
Packets are in the order of time, with nanoseconds. Nothing is written of the machine that recorded.
"""
import heapq
import struct
import sys

NANOSECONDS = 0xA1B23C4D
ETHERNET = 1


def packets(path, interface, vlan):
    """The packets of a pcap file: (time in ns, interface, bytes on the wire, bytes)."""
    tag = struct.pack("!HH", 0x8100, int(vlan)) if vlan else b""
    with open(path, "rb") as file:
        magic, *_, link_type = struct.unpack("<IHHiIII", file.read(24))
        assert (magic, link_type) == (NANOSECONDS, ETHERNET), f"{path}: no Ethernet with nanoseconds"
        while head := file.read(16):
            seconds, nanos, held, length = struct.unpack("<IIII", head)
            frame = file.read(held)
            yield seconds * 10**9 + nanos, interface, length + len(tag), frame[:12] + tag + frame[12:]


def padded(data):
    return data + bytes(-len(data) % 4)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + padded(value)


def block(kind, body):
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def main():
    recordings, names = [], []
    for argument in sys.argv[2:]:
        source, path = argument.split("=", 1)
        name, _, vlan = source.partition("@")
        if name not in names:
            names.append(name)
        recordings.append(packets(path, names.index(name), vlan))
    with open(sys.argv[1], "wb") as out:
        out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for name in names:
            # Without a snap length; the name; times in 10^-9 s.
            options = option(2, name.encode()) + option(9, b"\x09") + option(0, b"")
            out.write(block(1, struct.pack("<HHI", ETHERNET, 0, 0) + options))
        for at, interface, length, frame in heapq.merge(*recordings, key=lambda packet: packet[0]):
            head = struct.pack("<IIIII", interface, at >> 32, at & 0xFFFFFFFF, len(frame), length)
            out.write(block(6, head + padded(frame)))


main()
