#!/usr/bin/env python3
"""recut.py IN OUT [--seed N]: the same streams, in the worst order that a receiver may meet.

Each TCP payload is cut into 1-7 pieces (each with the packet's time, an IP id of its own and right
sequence numbers and lengths), the packets are shuffled within windows of 64 and 50 ms, but not past
a SYN, and 20 % of them are doubled, directly behind or a few places later. TCP checksums are not
made again.
Reads and writes classic pcap with microseconds, Ethernet and IPv4, its packets not cut by a snaplen.
"""
import argparse
import random

import pcapfile

WINDOW = 64
# Microseconds; half of what a reader waits for bytes that were acknowledged.
LONGEST = 50_000
SYN = 0x02
SYN_AND_ACK = 0x12
MOST_PIECES = 7
DOUBLED = 0.2
FARTHEST_DOUBLE = 8
FIN_AND_PSH = 0x09


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("input")
    arguments.add_argument("output")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    rng = random.Random(options.seed)

    head, packets = pcapfile.read(options.input)
    ids = Ids()
    pieces = [piece for packet in packets for piece in cut(packet, rng, ids)]
    shuffled = []
    for window in windows(pieces):
        rng.shuffle(window)
        shuffled += window
    out = double(shuffled, rng)
    pcapfile.write(options.output, head, out)
    print(f"seed {options.seed}: {len(packets)} packets, {len(pieces)} pieces, {len(out)} written")


def windows(pieces):
    """What may change places: nothing overtakes a SYN, or what came too long before."""
    window = []
    for piece in pieces:
        opens = is_syn(piece[3])
        if window and (opens or len(window) == WINDOW or micros(piece) - micros(window[0]) > LONGEST):
            yield window
            window = []
        if opens:
            yield [piece]
        else:
            window.append(piece)
    yield window


def is_syn(data):
    where = pcapfile.tcp_payload(data)
    return where is not None and data[where[1] + 13] & SYN_AND_ACK == SYN


def micros(piece):
    return piece[0] * 1_000_000 + piece[1]


class Ids:
    """A counter for each sending address, so that two pieces near each other never share an IP id."""

    def __init__(self):
        self.next = {}

    def take(self, address):
        value = self.next.get(address, 0)
        self.next[address] = (value + 1) & 0xFFFF
        return value


def cut(packet, rng, ids):
    seconds, micros, _, data = packet
    where = pcapfile.tcp_payload(data)
    if where is None:
        return [packet]
    ip, tcp, begin, end = where
    count = min(rng.randint(1, MOST_PIECES), max(end - begin, 1))
    edges = [begin, *sorted(rng.sample(range(begin + 1, end), count - 1)), end] if count > 1 else [begin, end]
    first = int.from_bytes(data[tcp + 4:tcp + 8], "big")
    pieces = []
    for left, right in zip(edges, edges[1:]):
        piece = bytearray(data[:begin] + data[left:right])
        piece[16:18] = (len(piece) - ip).to_bytes(2, "big")
        piece[18:20] = ids.take(data[26:30]).to_bytes(2, "big")
        piece[tcp + 4:tcp + 8] = ((first + left - begin) & 0xFFFFFFFF).to_bytes(4, "big")
        if right != end:
            piece[tcp + 13] &= ~FIN_AND_PSH
        pcapfile.with_ip_checksum(piece)
        pieces.append((seconds, micros, len(piece), bytes(piece)))
    return pieces


def double(packets, rng):
    order = []
    for place, packet in enumerate(packets):
        order.append((place, packet))
        if rng.random() < DOUBLED:
            later = 0 if rng.random() < 0.5 else rng.randint(1, FARTHEST_DOUBLE)
            order.append((place + later + 0.5, packet))
    order.sort(key=lambda entry: entry[0])
    return [packet for _, packet in order]


main()
