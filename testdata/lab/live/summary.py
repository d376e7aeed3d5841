#!/usr/bin/env python3
"""What of a live run's summary the checks look at. summary.py FILE KEY… prints one number of it."""
import json
import sys


def read(path):
    with open(path) as file:
        return json.load(file)


def drops(summary):
    """Packets that the kernel dropped, of all interfaces."""
    return sum(interface["dropped"] + interface["dropped_by_interface"] for interface in summary["captured"])


def intervals(summary):
    """When that was: pairs of first and last moment."""
    return [(loss["from"], loss["to"]) for loss in summary.get("losses", []) if loss["what"] == "kernel-drops"]


def number(summary, keys):
    """What stands there, or 0: what did not happen is left out."""
    if keys == ["drops"]:
        return drops(summary)
    for key in keys:
        summary = summary.get(key, {})
    return summary or 0


if __name__ == "__main__":
    print(number(read(sys.argv[1]), sys.argv[2:]))
