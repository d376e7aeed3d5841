#!/usr/bin/env python3
"""memory.py PID WHILE SECONDS: the resident memory of PID every so many seconds, while WHILE lives.

Ends with 1 if the last third of the series lies more than a tenth above the second.
"""
import os
import statistics
import sys
import time

process, other, step = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


series = []
began = time.monotonic()
while alive(other):
    series.append(resident(process))
    print(f"{time.monotonic() - began:6.0f} s {series[-1]:8.1f} MB", flush=True)
    time.sleep(step)
third = len(series) // 3
if third:
    middle, end = statistics.median(series[third:2 * third]), statistics.median(series[2 * third:])
    print(f"median of the second third {middle:.1f} MB, of the last {end:.1f} MB")
    sys.exit(1 if end > middle * 1.1 else 0)
