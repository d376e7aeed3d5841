#!/usr/bin/env python3
"""check_degraded.py CAPTURE: damages a capture in six ways, reads all, and checks what was found.

The numbers are those of the bench capture a_200k (two HTTP hops, 200,000 packets). --degrade names
another program that makes the same variants; --keep leaves the files in a folder.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import check_pairs
import wirespan

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("capture")
    arguments.add_argument("--degrade", default=os.path.join(HERE, "degrade.py"), metavar="PROGRAM")
    arguments.add_argument("--keep", metavar="FOLDER")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        sys.exit(check(options, options.keep))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(check(options, folder))


def check(options, folder):
    subprocess.run([sys.executable, options.degrade, options.capture, folder], check=True)
    whole = os.path.join(folder, "whole.ndjson")
    wirespan.run(options.binary, options.capture, ndjson=whole)
    true_pairs, count = check_pairs.pairs(whole)
    print(f"{'whole':8} {count:6} exchanges")
    well = True
    for name in check_pairs.MUST:
        found = os.path.join(folder, f"{name}.ndjson")
        summary = wirespan.run(options.binary, os.path.join(folder, f"x_{name}.pcap"), ndjson=found)
        well &= check_pairs.check(name, found, true_pairs)
        if name == "dup":
            copies = wirespan.copies(summary)
            well &= copies == 50_000
            print(f"         {copies} packets counted as copies, of 50000")
    return 0 if well else 1


main()
