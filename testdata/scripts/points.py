#!/usr/bin/env python3
"""points.py IN OUTDIR [--seed N]: a capture as other capture points would have taken it.

up.pcap, down.pcap    each direction in a file of its own: what clients send, and what servers send
dealt-1 to -3.pcap    the packets dealt at random over three files
beyond.pcap           behind a router: 200 us later, TTLs one lower towards the server, one higher back
mixed.pcap            the capture and beyond.pcap in one file, as a mirror port sees both sides
hour.pcap             beyond.pcap by a clock that is an hour ahead
half.pcap             beyond.pcap, of which the first half is missing
tenants.pcap          the capture in VLAN 10, and in VLAN 20 with other numbers and identifiers
vlans.pcap            what clients send in VLAN 10, what servers send in VLAN 20

The lower one of two ports is taken to be the server's. Reads and writes classic pcap with
microseconds, Ethernet and IPv4 without VLAN tags. TCP checksums are not made again.
"""
import argparse
import os
import random

import pcapfile

FLIP = bytes.maketrans(b"0123456789abcdef", b"fedcba9876543210")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("input")
    arguments.add_argument("folder")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    head, packets = pcapfile.read(options.input)
    os.makedirs(options.folder, exist_ok=True)

    def write(name, chosen):
        pcapfile.write(os.path.join(options.folder, name), head, chosen)

    write("up.pcap", [packet for packet in packets if from_client(packet[3])])
    write("down.pcap", [packet for packet in packets if not from_client(packet[3])])
    dice = random.Random(options.seed)
    dealt = [[], [], []]
    for packet in packets:
        dealt[dice.randrange(3)].append(packet)
    for number, part in enumerate(dealt, 1):
        write(f"dealt-{number}.pcap", part)
    further = [later(packet, 200, beyond(packet[3])) for packet in packets]
    write("beyond.pcap", further)
    write("mixed.pcap", merged(packets, further))
    write("hour.pcap", [later(packet, 3_600_000_000, packet[3]) for packet in further])
    write("half.pcap", further[len(further) // 2:])
    ours = [tagged(packet, 10) for packet in packets]
    theirs = [tagged(later(packet, 137, other_tenant(packet[3])), 20) for packet in packets]
    write("tenants.pcap", merged(ours, theirs))
    write("vlans.pcap", [tagged(packet, 10 if from_client(packet[3]) else 20) for packet in packets])


def merged(*lists):
    return sorted((packet for packets in lists for packet in packets), key=lambda p: (p[0], p[1]))


def later(packet, micros, data):
    seconds, micros = divmod(packet[1] + micros, 1_000_000)
    return packet[0] + seconds, micros, packet[2], data


def ports(data):
    tcp = 14 + (data[14] & 15) * 4
    return int.from_bytes(data[tcp:tcp + 2], "big"), int.from_bytes(data[tcp + 2:tcp + 4], "big")


def is_ip(data):
    return len(data) >= 54 and data[12:14] == b"\x08\x00" and data[23] in (6, 17)


def from_client(data):
    if not is_ip(data):
        return True
    source, destination = ports(data)
    return source > destination


def beyond(data):
    if not is_ip(data):
        return data
    out = bytearray(data)
    out[22] = (out[22] + (-1 if from_client(data) else 1)) % 256
    pcapfile.with_ip_checksum(out)
    return bytes(out)


def tagged(packet, vlan):
    data = packet[3]
    return packet[0], packet[1], packet[2] + 4, data[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + data[12:]


def other_tenant(data):
    if not is_ip(data):
        return data
    out = bytearray(data)
    out[18:20] = ((int.from_bytes(out[18:20], "big") + 4_321) & 0xFFFF).to_bytes(2, "big")
    pcapfile.with_ip_checksum(out)
    if data[23] == 6:
        tcp = 14 + (data[14] & 15) * 4
        moved = (1_234_567_890, 3_456_789_012)
        for at, by in zip((tcp + 4, tcp + 8), moved if from_client(data) else moved[::-1]):
            number = int.from_bytes(out[at:at + 4], "big")
            if at == tcp + 4 or out[tcp + 13] & 0x10:
                out[at:at + 4] = ((number + by) & 0xFFFFFFFF).to_bytes(4, "big")
    for match in pcapfile.IDENTIFIER.finditer(data, 34):
        group = 2 if match[2] else 4
        out[match.start(group):match.end(group)] = match[group].translate(FLIP)
    return bytes(out)


if __name__ == "__main__":
    main()
