#!/usr/bin/env python3
"""cut.py IN OUTDIR N [--names a,b,c]: cuts a capture into N files, one after the other.

Without --names the files are called as tcpdump -C calls them: the input's name, then the same with
1, 2, … behind. Names may be in any order: the first holds the first packets.
"""
import argparse
import os

import pcapfile


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("input")
    arguments.add_argument("folder")
    arguments.add_argument("count", type=int)
    arguments.add_argument("--names", help="the files' names, with commas between them")
    options = arguments.parse_args()
    base = os.path.basename(options.input)
    names = options.names.split(",") if options.names else [f"{base}{k or ''}" for k in range(options.count)]
    if options.count < 1 or len(names) != options.count:
        arguments.error(f"{options.count} files and {len(names)} names")

    head, packets = pcapfile.read(options.input)
    os.makedirs(options.folder, exist_ok=True)
    for k, name in enumerate(names):
        part = packets[len(packets) * k // options.count:len(packets) * (k + 1) // options.count]
        pcapfile.write(os.path.join(options.folder, name), head, part)
        print(f"{name}: {len(part)} packets")


main()
