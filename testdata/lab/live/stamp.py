#!/usr/bin/env python3
"""stamp.py LINES STAMPS         copies its input to LINES, and when each line came to STAMPS once all have
stamp.py --told LINES STAMPS  how long after its last packet each span was printed
"""
import json
import sys
import time


def copy(lines, stamps):
    at = []
    with open(lines, "wb", buffering=0) as file:
        for line in sys.stdin.buffer:
            at.append(time.time_ns())
            file.write(line)
    with open(stamps, "w") as file:
        file.writelines(f"{moment}\n" for moment in at)


def told(lines, stamps):
    with open(lines) as spans, open(stamps) as moments:
        waits = sorted((int(moment) - ended(json.loads(span))) / 1e9 for span, moment in zip(spans, moments))
    print("printed after {:.2f} s (median), {:.2f} s (99 %), {:.2f} s (longest) of {} spans".format(
        waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1], len(waits)))


def ended(span):
    return span["start"] + span["duration"]


if sys.argv[1] == "--told":
    told(*sys.argv[2:])
else:
    copy(*sys.argv[1:])
