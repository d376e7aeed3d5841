#!/usr/bin/env python3
"""degrade.py IN OUTDIR: six variants of a capture's first 50,000 packets, each damaged in one way.

clean    as they are
loss1    1 % lost
dup      each packet twice
reorder  3 % moved back by 1-6 places
mid      the 50,000 from packet 60,000 on: connections are seen from their middle
snap400  each packet cut to 400 bytes
"""
import os
import random
import sys

import pcapfile

COUNT = 50_000
MIDDLE = 60_000
VARIANTS = ["clean", "loss1", "dup", "reorder", "mid", "snap400"]


def variants(packets):
    """Name after name with its packets. The order of the random calls decides what the files hold."""
    first = packets[:COUNT]
    rng = random.Random(7)
    yield "clean", first
    yield "loss1", [packet for packet in first if rng.random() >= 0.01]
    yield "dup", [packet for packet in first for _ in range(2)]
    yield "reorder", moved_back(first, rng)
    yield "mid", packets[MIDDLE:MIDDLE + COUNT]
    yield "snap400", [(seconds, micros, length, data[:400]) for seconds, micros, length, data in first]


def moved_back(packets, rng):
    places = []
    for place in range(len(packets)):
        moved = rng.random() < 0.03
        places.append((place + rng.randint(1, 6) + 0.5 if moved else place, place))
    return [packets[place] for _, place in sorted(places)]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: degrade.py IN OUTDIR")
    head, packets = pcapfile.read(sys.argv[1], 0, MIDDLE + COUNT)
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, changed in variants(packets):
        pcapfile.write(os.path.join(sys.argv[2], f"x_{name}.pcap"), head, changed)
        print(name, len(changed), "packets")


if __name__ == "__main__":
    main()
