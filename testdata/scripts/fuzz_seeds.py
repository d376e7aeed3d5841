#!/usr/bin/env python3
"""fuzz_seeds.py TARGET FOLDER [--protocol NAME]: writes what a fuzzer begins with into FOLDER, one input a file.

These are the inputs of testdata/fuzz/TARGET.zst, and for the target `protocol` also the vectors of that
protocol, or of all. See CONTRIBUTING.md for a whole run.
"""
import argparse
import codecs
import glob
import hashlib
import os
import struct
import subprocess

TESTDATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("target")
    arguments.add_argument("folder")
    arguments.add_argument("--protocol", default="*", help="only the vectors of this one")
    options = arguments.parse_args()
    inputs = kept(options.target)
    if options.target == "protocol":
        vectors = glob.glob(os.path.join(TESTDATA, "vectors", options.protocol, "*.txt"))
        inputs += [input_of(path) for path in sorted(vectors)]
    os.makedirs(options.folder, exist_ok=True)
    for data in inputs:
        with open(os.path.join(options.folder, hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)
    print(f"{len(inputs)} inputs")


def kept(target):
    """The inputs of one target, each behind its length."""
    path = os.path.join(TESTDATA, "fuzz", f"{target}.zst")
    if not os.path.exists(path):
        return []
    packed = subprocess.run(["zstd", "-dqc", path], capture_output=True, check=True).stdout
    inputs, at = [], 0
    while at < len(packed):
        length, = struct.unpack_from("<I", packed, at)
        inputs.append(packed[at + 4:at + 4 + length])
        at += 4 + length
    return inputs


def input_of(path):
    """The events of a vector, as the target `protocol` reads them."""
    choice, events = 0, b""
    with open(path) as file:
        for line in file.read().splitlines():
            if line.startswith("handed:"):
                choice |= 0x10
            elif line == "transport: udp":
                choice |= 1
            elif line[:2] in ("> ", "< "):
                data, _ = codecs.escape_decode(line[2:].encode())
                for start in range(0, len(data), 255):
                    piece = data[start:start + 255]
                    events += bytes([line[0] == "<", len(piece)]) + piece
    return bytes([choice]) + events


main()
