#!/usr/bin/env python3
"""check_linear.py [--quick] [NAME...]: does twice the input cost twice the instructions?

For each shape of input that would show a scan within a scan (many headers, deep pipelines, segments that
come last first, …), a capture of some size and one of twice that size are read under callgrind, which no
neighbour on the machine disturbs. What reading an empty capture costs is taken off. A shape fails if its
ratio is above 2.3. --quick reads only a few of them; with names, only shapes whose name holds one of
them are read.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import shapes
import wirespan
from conversation import Capture, Conversation

LIMIT = 2.3
# So many instructions more are within what start and end of a run vary by.
NOISE = 2_000_000


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true", help="only a few of the shapes")
    arguments.add_argument("--jobs", type=int, default=2, help="shapes that are read at a time (2)")
    arguments.add_argument("names", nargs="*", help="parts of names of shapes")
    wirespan.add_binary_option(arguments)
    given = arguments.parse_args()
    wanted = [shape for shape in shapes.SHAPES
              if (shape.quick or not given.quick)
              and (not given.names or any(name in shape.name for name in given.names))]
    with tempfile.TemporaryDirectory() as folder:
        empty = {options: count(given.binary, folder, f"empty{n}", nothing(), options)
                 for n, options in enumerate({shape.options for shape in wanted})}
        with ThreadPoolExecutor(given.jobs) as pool:
            results = pool.map(lambda shape: measure(given.binary, folder, shape, empty[shape.options]), wanted)
            failed = [report(shape, once, twice) for shape, (once, twice) in zip(wanted, results)].count(False)
    print(f"{len(wanted)} shapes, {failed} of which cost more than in proportion")
    sys.exit(1 if failed else 0)


def nothing():
    capture = Capture()
    Conversation(capture, 80).close()
    return capture


def measure(binary, folder, shape, empty):
    """Instructions for the shape, and for twice as much of it."""
    return [count(binary, folder, f"{id(shape)}-{size}", shape.capture(size), shape.options) - empty
            for size in (shape.size, 2 * shape.size)]


def report(shape, once, twice):
    ratio = twice / max(once, 1)
    good = ratio <= LIMIT or twice - LIMIT * once < NOISE
    print(f"{'' if good else 'NOT LINEAR: '}{shape.name}: {shape.size} cost {once / 1e6:.1f} million instructions,",
          f"{2 * shape.size} cost {twice / 1e6:.1f} million, ratio {ratio:.2f}", flush=True)
    return good


def count(binary, folder, name, capture, options):
    """Instructions of reading a capture."""
    path, profile = (os.path.join(folder, f"{name}.{end}") for end in ("pcap", "profile"))
    capture.write(path)
    more = []
    for option in options:
        more += ["-w", os.path.join(folder, f"{name}.pcapng"), "--sanitize"] if option == shapes.SANITIZE else [option]
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", binary, "read", "-q", path,
               "--threads", "1", "--format", "ndjson", "-o", os.devnull, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    # 1 says that nothing was found.
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    with open(profile) as file:
        total = re.findall(r"^(?:summary|totals): *(\d+)", file.read(), re.M)
    for file in (path, profile, os.path.join(folder, f"{name}.pcapng")):
        if os.path.exists(file):
            os.remove(file)
    return int(total[-1])


main()
