"""Packets of the lab's captures: reading what tcpdump wrote, and writing it again with names.

Ethernet, VLAN tags, IPv4, IPv6, TCP, UDP, and VXLAN around all of it.
"""
import array
import ipaddress
import struct
import sys

VXLAN = 4789


class Packet:
    """A packet of a capture. Offsets are into `data`, which may be changed."""
    __slots__ = ("time", "point", "file", "frame", "data", "network", "transport", "payload", "end", "protocol", "source",
                 "target", "seq", "ack", "flags", "tunnel")

    @property
    def ends(self):
        return self.source, self.target

    @property
    def tunnel_network(self):
        """The networks that the tunnels around it name, outermost first."""
        return tuple(network for _, _, network in self.tunnel)


def read(path, point):
    """The packets of a pcap file, in its order; what is no TCP or UDP has no `protocol`."""
    with open(path, "rb") as file:
        content = file.read()
    magic, = struct.unpack_from("<I", content)
    scale = {0xa1b23c4d: 1, 0xa1b2c3d4: 1000}[magic]
    link, = struct.unpack_from("<I", content, 20)
    if link != 1:
        sys.exit(f"{path}: link type {link}, not Ethernet")
    at = 24
    while at + 16 <= len(content):
        seconds, fraction, kept, length = struct.unpack_from("<IIII", content, at)
        if kept != length:
            sys.exit(f"{path}: a packet was cut")
        packet = Packet()
        packet.time, packet.point = seconds * 10**9 + fraction * scale, point
        packet.file = packet.frame = None
        packet.data = bytearray(content[at + 16:at + 16 + kept])
        packet.protocol, packet.tunnel = None, ()
        dissect(packet, 0)
        yield packet
        at += 16 + kept


def dissect(packet, at):
    data = packet.data
    kind, = struct.unpack_from(">H", data, at + 12)
    at += 14
    while kind in (0x8100, 0x88a8):
        kind, = struct.unpack_from(">H", data, at + 2)
        at += 4
    if kind == 0x0800:
        if struct.unpack_from(">H", data, at + 6)[0] & 0x3fff:
            sys.exit("the lab's reader knows no fragments")
        length, = struct.unpack_from(">H", data, at + 2)
        # A super-segment of more than 64 KiB says 0.
        packet.end = at + length if length else len(data)
        protocol, packet.network = data[at + 9], at
        source, target = bytes(data[at + 12:at + 16]), bytes(data[at + 16:at + 20])
        transport = at + 4 * (data[at] & 15)
    elif kind == 0x86dd:
        length, = struct.unpack_from(">H", data, at + 4)
        packet.end = at + 40 + length if length else len(data)
        protocol, packet.network = data[at + 6], at
        source, target = bytes(data[at + 8:at + 24]), bytes(data[at + 24:at + 40])
        transport = at + 40
    else:
        return
    packet.transport = transport
    if protocol == 6:
        ports = struct.unpack_from(">HHII", data, transport)
        packet.seq, packet.ack, packet.flags = ports[2], ports[3], data[transport + 13]
        packet.payload = transport + 4 * (data[transport + 12] >> 4)
    elif protocol == 17:
        ports = struct.unpack_from(">HH", data, transport)
        packet.payload = transport + 8
        if ports[1] == VXLAN:
            packet.tunnel += ((source, target, int.from_bytes(data[packet.payload + 4:packet.payload + 7], "big")),)
            dissect(packet, packet.payload + 8)
            return
    else:
        return
    packet.protocol = "tcp" if protocol == 6 else "udp"
    packet.source, packet.target = (source, ports[0]), (target, ports[1])


def text(end):
    """An end as `address:port`."""
    address, port = end
    address = ipaddress.ip_address(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def overwrite(packet, at, new):
    """Puts bytes into a packet, and corrects its checksum, unless the network card was to make it."""
    data = packet.data
    where = packet.transport + (16 if packet.protocol == "tcp" else 6)
    before, = struct.unpack_from(">H", data, where)
    holds = (before or packet.protocol == "tcp") and checksum(packet) == 0
    data[at:at + len(new)] = new
    if holds:
        struct.pack_into(">H", data, where, 0)
        made = checksum(packet)
        struct.pack_into(">H", data, where, made or (0xffff if packet.protocol == "udp" else 0))


def checksum(packet):
    """The checksum of TCP or UDP as it stands: 0 if it is right."""
    data, length = packet.data, packet.end - packet.transport
    if data[packet.network] >> 4 == 4:
        pseudo = data[packet.network + 12:packet.network + 20]
    else:
        pseudo = data[packet.network + 8:packet.network + 40]
    pseudo = pseudo + struct.pack(">II", length, 6 if packet.protocol == "tcp" else 17)
    content = bytes(pseudo) + bytes(data[packet.transport:packet.end]) + b"\0" * (length % 2)
    words = array.array("H", content)
    if sys.byteorder == "little":
        words.byteswap()
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def write(path, points, packets):
    """Writes a pcapng, each point an interface with its name; the packets get their numbers."""
    order = {point: number for number, point in enumerate(points)}
    packets = sorted(packets, key=lambda packet: packet.time)
    with open(path, "wb") as file:
        file.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)))
        for point in points:
            # Options: the name, and times in units of 10^-9 s.
            options = option(2, point.encode()) + option(9, b"\x09") + option(0, b"")
            file.write(block(1, struct.pack("<HHI", 1, 0, 0) + options))
        for number, packet in enumerate(packets, 1):
            packet.frame = number
            data = bytes(packet.data)
            head = struct.pack("<IIIII", order[packet.point], packet.time >> 32, packet.time & 0xffffffff, len(data), len(data))
            file.write(block(6, head + data + b"\0" * (-len(data) % 4)))


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind, body):
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
