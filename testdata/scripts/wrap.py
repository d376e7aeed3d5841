#!/usr/bin/env python3
"""wrap.py IN OUTDIR [--packets N]: a capture as mirror ports, clouds and overlays would deliver it.

One file for each encapsulation, as KINDS below lists them, and these:

two-deep-*.pcap      a mirror of an overlay, and other tunnels in tunnels
overlay.pcap         VXLAN between two hosts: each direction has the ends the other way round
split-*.pcap         each direction with a number of its own: VNI, key, session, label
tenants.pcap         the capture in VNI 10, and in VNI 20 with other numbers and identifiers
both.pcap            each packet in VXLAN, and 5 us later without it, as on a host's two interfaces
fragments.pcap       in VXLAN, the outer packets in fragments that fit an MTU of 1,500 bytes
checksums.pcap       in VXLAN with a checksum of UDP, and GENEVE with one around it

Reads and writes classic pcap with microseconds, Ethernet and IPv4 without VLAN tags.
"""
import argparse
import os
import struct

import pcapfile
import points

MIRROR = b"\x02\0\0\0\x01\x01\x02\0\0\0\x01\x02"
SWITCH, COLLECTOR = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 9])
SWITCH6, COLLECTOR6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "09")
IPV4, IPV6, MPLS, TEB = 0x0800, 0x86DD, 0x8847, 0x6558


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("input")
    arguments.add_argument("folder")
    arguments.add_argument("--packets", type=int, default=50_000)
    options = arguments.parse_args()
    for name, head, packets in variants(options.input, options.packets):
        os.makedirs(options.folder, exist_ok=True)
        pcapfile.write(os.path.join(options.folder, f"{name}.pcap"), head, packets)


def variants(path, count):
    """Each variant's name, header and packets, one after the other."""
    head, packets = pcapfile.read(path, last=count)

    def wrapped(wrap):
        return [grown(packet, wrap(packet[3])) for packet in packets]

    def by_direction(wrap, up, down):
        return wrapped(lambda frame: wrap(frame, up if points.from_client(frame) else down))

    yield "plain", head, packets
    for name, wrap in KINDS.items():
        yield name, head, wrapped(wrap)
    yield "overlay", head, wrapped(
        lambda frame: overlay(frame, 7) if points.from_client(frame) else overlay(frame, 7, COLLECTOR, SWITCH))
    for name, wrap in SPLIT.items():
        yield f"split-{name}", head, by_direction(wrap, 17, 18)
    ours = [grown(packet, vxlan(packet[3], 10)) for packet in packets]
    theirs = [points.later(packet, 137, points.other_tenant(packet[3])) for packet in packets]
    theirs = [grown(packet, vxlan(packet[3], 20)) for packet in theirs]
    yield "tenants", head, points.merged(ours, theirs)
    yield "both", head, points.merged(
        wrapped(lambda frame: overlay(frame, 7)), [points.later(packet, 5, packet[3]) for packet in packets])
    pieces = [grown(packet, piece) for packet in packets for piece in fragments(vxlan(packet[3], 7))]
    yield "fragments", head, pieces
    yield "checksums", head, wrapped(
        lambda frame: udp(geneve_header(5) + udp(vxlan_header(7) + frame, 4789, checksum=True), 6081, checksum=True))


def grown(packet, data):
    return packet[0], packet[1], packet[2] - len(packet[3]) + len(data), data


def ether(kind, body):
    return MIRROR + struct.pack(">H", kind) + body


def ip(protocol, body, source=SWITCH, destination=COLLECTOR):
    ip.number = (getattr(ip, "number", 0) + 1) & 0xFFFF
    packet = bytearray(ether(IPV4, struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ip.number, 0, 64, protocol, 0, source, destination)))
    pcapfile.with_ip_checksum(packet)
    return bytes(packet) + body


def ip6(protocol, body):
    return ether(IPV6, struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + SWITCH6 + COLLECTOR6 + body)


def udp_header(body, port):
    return struct.pack(">HHHH", 49_152 + len(body) % 1_024, port, 8 + len(body), 0)


def udp(body, port, source=SWITCH, destination=COLLECTOR, checksum=False):
    datagram = udp_header(body, port) + body
    if checksum:
        pseudo = source + destination + struct.pack(">HH", 17, len(datagram))
        total = pcapfile.checksum(pseudo + datagram + b"\0" * (len(datagram) % 2)) or 0xFFFF
        datagram = datagram[:6] + struct.pack(">H", total) + body
    return ip(17, datagram, source, destination)


def vxlan_header(vni, flags=8):
    return struct.pack(">II", flags << 24, vni << 8)


def vxlan(frame, vni):
    return udp(vxlan_header(vni) + frame, 4789)


def overlay(frame, vni, source=SWITCH, destination=COLLECTOR):
    return udp(vxlan_header(vni) + frame, 8472, source, destination)


def vxlan_gpe(kind, body):
    return udp(struct.pack(">BHBI", 0x0C, 0, kind, 7 << 8) + body, 4790)


def geneve_header(vni, options=b"", protocol=TEB):
    return struct.pack(">BBHI", len(options) // 4, 0, protocol, vni << 8) + options


def gre_header(protocol, key=None, flags=0, fields=b""):
    flags |= 0 if key is None else 0x2000
    return struct.pack(">HH", flags, protocol) + fields + (b"" if key is None else struct.pack(">I", key))


def gre(body, protocol, key=None, after=b"", **more):
    return ip(47, gre_header(protocol, key, **more) + after + body)


def gre_full(body):
    """With a checksum, a key, a number and one entry of a route."""
    route = struct.pack(">HBB", IPV4, 4, 4) + SWITCH + b"\0" * 4
    return gre(body, IPV4, 5, flags=0xD000, fields=b"\0" * 4, after=struct.pack(">I", 1) + route)


def erspan2(frame, session, encapsulation=0, vlan=0):
    header = struct.pack(">HHI", 1 << 12 | vlan, encapsulation << 11 | session, 77)
    return gre(frame, 0x88BE, flags=0x1000, after=struct.pack(">I", 9) + header)


def erspan3(frame, session, subheader=b""):
    last = 1 if subheader else 0
    header = struct.pack(">HHIHH", 2 << 12, session, 12_345, 0, last) + subheader
    return gre(frame, 0x22EB, flags=0x1000, after=struct.pack(">I", 9) + header)


def labels(*numbers):
    entries = [number << 12 | 64 for number in numbers]
    entries[-1] |= 1 << 8
    return struct.pack(f">{len(entries)}I", *entries)


def pppoe(packet):
    body = struct.pack(">H", 0x0021) + packet
    return ether(0x8864, struct.pack(">BBHH", 0x11, 0, 3, len(body)) + body)


def tzsp(frame):
    tags = b"\0" + bytes([10, 1, 0xAA]) + b"\x01"
    return udp(b"\x01\0\0\x01" + tags + frame, 37008)


def tagged(frame, *vlans, outer=0x88A8):
    kinds = [outer] * (len(vlans) - 1) + [0x8100]
    return frame[:12] + b"".join(struct.pack(">HH", *tag) for tag in zip(kinds, vlans)) + frame[12:]


def fragments(frame, room=1_480):
    head, body = frame[14:34], frame[34:]
    for at in range(0, len(body), room):
        piece = body[at:at + room]
        more = 0x2000 if at + room < len(body) else 0
        out = bytearray(frame[:14] + head[:2] + struct.pack(">H", 20 + len(piece)) + head[4:6]
                        + struct.pack(">H", more | at // 8) + head[8:])
        pcapfile.with_ip_checksum(out)
        yield bytes(out) + piece


KINDS = {
    "qinq": lambda frame: tagged(frame, 100, 7),
    "vxlan": lambda frame: vxlan(frame, 7),
    "vxlan-8472": lambda frame: udp(vxlan_header(7) + frame, 8472),
    "vxlan-any-port": lambda frame: udp(vxlan_header(7) + frame, 12_345),
    "vxlan-policy": lambda frame: udp(struct.pack(">BBHI", 0x88, 0, 300, 7 << 8) + frame, 4789),
    "vxlan-vlan": lambda frame: tagged(vxlan(tagged(frame, 9), 7), 100),
    "vxlan-ipv6": lambda frame: ip6(17, udp_header(vxlan_header(7) + frame, 4789) + vxlan_header(7) + frame),
    "vxlan-gpe": lambda frame: vxlan_gpe(3, frame),
    "vxlan-gpe-ip": lambda frame: vxlan_gpe(1, frame[14:]),
    "geneve": lambda frame: udp(geneve_header(7, b"\x01\x02\x03\x01abcd") + frame, 6081),
    "geneve-ip": lambda frame: udp(geneve_header(7, protocol=IPV4) + frame[14:], 6081),
    "gre": lambda frame: gre(frame[14:], IPV4),
    "gre-key": lambda frame: gre(frame[14:], IPV4, 5),
    "gre-full": lambda frame: gre_full(frame[14:]),
    "gre-teb": lambda frame: gre(frame, TEB, 5),
    "gre-ipv6": lambda frame: ip6(47, gre_header(IPV4) + frame[14:]),
    "gre-mpls": lambda frame: gre(labels(17) + frame[14:], MPLS),
    "nvgre": lambda frame: gre(frame, TEB, 5_000 << 8 | len(frame) % 256),
    "erspan1": lambda frame: gre(frame, 0x88BE),
    "erspan2": lambda frame: erspan2(frame, 3),
    "erspan2-untagged": lambda frame: erspan2(frame, 3, 2, 9),
    "erspan3": lambda frame: erspan3(frame, 3),
    "erspan3-subheader": lambda frame: erspan3(frame, 3, b"platform"),
    "mpls": lambda frame: ether(MPLS, labels(17) + frame[14:]),
    "mpls-stack": lambda frame: ether(MPLS, labels(900 + len(frame) % 7, 7, 50_000 + len(frame), 17) + frame[14:]),
    "mpls-null": lambda frame: ether(MPLS, labels(0) + frame[14:]),
    "mpls-ethernet": lambda frame: ether(MPLS, labels(17) + frame),
    "mpls-control-word": lambda frame: ether(MPLS, labels(17) + b"\0\0\0\x01" + frame),
    "mpls-in-ip": lambda frame: ip(137, labels(17) + frame[14:]),
    "ipip": lambda frame: ip(4, frame[14:]),
    "ip-in-ipv6": lambda frame: ip6(4, frame[14:]),
    "pppoe": lambda frame: pppoe(frame[14:]),
    "pppoe-qinq": lambda frame: tagged(pppoe(frame[14:]), 100, 7),
    "tzsp": tzsp,
    "two-deep-erspan-vxlan": lambda frame: erspan2(overlay(frame, 7), 3),
    "two-deep-vxlan-geneve": lambda frame: vxlan(udp(geneve_header(8) + frame, 6081), 7),
    "two-deep-gre-mpls": lambda frame: gre(ether(MPLS, labels(17) + frame), TEB, 5),
    "two-deep-vxlan-ipip": lambda frame: vxlan(ip(4, frame[14:]), 7),
    "two-deep-tzsp-pppoe": lambda frame: tzsp(tagged(pppoe(frame[14:]), 100)),
    "two-deep-all": lambda frame: erspan3(vxlan(gre(overlay(ip(4, frame[14:]), 8), TEB, 5), 7), 3),
}
SPLIT = {
    "vni": vxlan,
    "geneve": lambda frame, number: udp(geneve_header(number) + frame, 6081),
    "key": lambda frame, number: gre(frame[14:], IPV4, number),
    "session": erspan2,
    "session3": erspan3,
    "label": lambda frame, number: ether(MPLS, labels(number) + frame[14:]),
}

if __name__ == "__main__":
    main()
