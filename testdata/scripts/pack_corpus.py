#!/usr/bin/env python3
"""pack_corpus.py TARGET FOLDER: keeps what a fuzzer found, as testdata/fuzz/TARGET.zst.

FOLDER holds one input a file, as libFuzzer writes them; let it drop those that reach nothing new
first (-merge=1). Inputs stand one after another, each behind its length (4 bytes, little endian),
the shortest ones first. `cargo test -p wirespan-parsers --test corpus` reads them all.
"""
import argparse
import os
import struct
import subprocess


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("target")
    arguments.add_argument("folder")
    arguments.add_argument("--limit", type=int, default=1_500_000, help="bytes of inputs that are kept")
    options = arguments.parse_args()

    inputs = set()
    for entry in os.scandir(options.folder):
        with open(entry.path, "rb") as file:
            inputs.add(file.read())
    packed, kept = bytearray(), 0
    for data in sorted(inputs, key=lambda data: (len(data), data)):
        if len(packed) + 4 + len(data) > options.limit:
            break
        packed += struct.pack("<I", len(data)) + data
        kept += 1
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz")
    os.makedirs(folder, exist_ok=True)
    out = os.path.join(folder, f"{options.target}.zst")
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", out], input=bytes(packed), check=True)
    print(f"{options.target}: {kept} of {len(inputs)} inputs, {os.path.getsize(out)} bytes")


if __name__ == "__main__":
    main()
