#!/usr/bin/env python3
"""compare.py same|covered|lines …: what a live run found, against the clients' own logs or another run.

  same SPANS LOG…               each exchange of the logs is found once, and nothing else is
  covered SPANS SUMMARY LOG…    the same, but what was in flight while packets were lost may be missing
                                or have no answer; that it was is said
  lines SPANS OTHER             both hold the same spans, but for where they were read; with --captures,
                                but for moments and processes too, as two captures look at the clock and
                                at /proc each for itself
  shed SPANS SUMMARY LOG…       what is not there was counted as not written

--network N looks at the spans of one network only. Prints one line of counts, and what is wrong.
"""
import argparse
import bisect
import collections
import csv
import json
import sys

import summary

# How far a moment of the program may lie outside of that which the client wrote: the packet of a
# request leaves after the client looked at the clock, and that of an answer comes before.
SLACK = 2_000_000
# What of a span tells where it was read, and not what it is.
PLACE = {"tap", "file", "last_file", "frames"}
# What tells moments or processes, or is derived from them.
OWN = {"start", "duration", "at", "end", "opened", "closed", "trace", "span", "parent", "round_trip", "time", "between", "stalled"}
OWN |= {"client_process", "server_process", "service"}

# By kind.
faults = collections.defaultdict(list)


def fault(kind, text):
    faults[kind].append(text)


def spans(path, network=None):
    with open(path) as file:
        for line in file:
            span = json.loads(line)
            if span.get("type") == "span" and network in (None, span.get("network", "")):
                yield span


def log(paths):
    rows = []
    for path in paths:
        with open(path, newline="") as file:
            for fields in csv.reader(file, delimiter="\t"):
                rows.append((int(fields[0]), int(fields[1]), *fields[2:]))
    return rows


def operation(span):
    if span["protocol"] == "http":
        return f"{span['operation']} {span['resource']}"
    return span["operation"]


def status(span):
    """In the words of the log; None where no answer was seen."""
    if span["sort"] == "end" or span["sort"] == "one_way":
        return "sent"
    if span["state"] != "complete":
        return None
    reported = span["status"]
    return str({
        "http": lambda: reported["code"],
        "redis": lambda: "ok" if reported["outcome"] == "ok" else "error",
        "postgresql": lambda: "ok" if reported["outcome"] == "ok" else reported["text"],
    }[span["protocol"]]())


def match(found, rows):
    """Pairs of a span and the row that it is. Rows of a connection follow each other in time."""
    connections = collections.defaultdict(list)
    for row in rows:
        connections[row[2:5]].append(row)
    for connection in connections.values():
        connection.sort()
    taken, pairs = set(), []
    for span in found:
        connection = connections.get((span["client"], span["server"], span["protocol"]), [])
        at = span["start"]
        # The last that began before it: the next begins after the answer to this one.
        index = bisect.bisect(connection, (at + 1,)) - 1
        row = connection[index] if index >= 0 else None
        if row and at > row[1] + SLACK:
            row = None
        if row in taken:
            fault("found twice", describe(span))
            row = None
        elif row is None:
            fault("never happened", describe(span))
        else:
            taken.add(row)
            if operation(span) != row[5]:
                fault("wrong operation", f"{row[5]} in the log: {describe(span)}")
        pairs.append((span, row))
    return pairs, [row for row in rows if row not in taken]


def describe(span):
    return (f"{span['protocol']} {operation(span)} {span['state']} {status(span)} at {span['start']} "
            f"{span['client']} → {span['server']} tap {span['tap']}")


def same(given):
    found, rows = list(spans(given.spans, given.network)), log(given.logs)
    pairs, missing = match(found, rows)
    for row in missing:
        fault("not found", " ".join(map(str, row)))
    for span, row in pairs:
        if row and status(span) != row[6]:
            fault("wrong status", f"{row[6]} in the log: {describe(span)}")
    true = collections.Counter((row[4], row[5], row[6]) for row in rows)
    seen = collections.Counter((span["protocol"], operation(span), status(span)) for span in found)
    if true != seen:
        fault("wrong counts", f"{dict(true - seen)} too few, {dict(seen - true)} too many")
    by = collections.Counter(row[4] for row in rows)
    return f"{len(rows)} exchanges ({', '.join(f'{n} {protocol}' for protocol, n in sorted(by.items()))}), each found once"


def covered(given):
    found, rows = list(spans(given.spans, given.network)), log(given.logs)
    intervals = summary.intervals(summary.read(given.summary))
    pairs, missing = match(found, rows)
    def lost(begin, end):
        return any(begin <= last and end >= first for first, last in intervals)
    for row in missing:
        if not lost(row[0], row[1] + SLACK):
            fault("not found, and no loss was said", " ".join(map(str, row)))
    touched = wrong = 0
    for span, row in pairs:
        touched += "kernel-drops" in span.get("touched", [])
        if row is None:
            continue
        if status(span) is None:
            wrong += 1
            if "kernel-drops" not in span.get("touched", []):
                fault("no answer and no mark", describe(span))
        elif status(span) != row[6]:
            fault("wrong status", f"{row[6]} in the log: {describe(span)}")
        # A mark where there was no loss would say nothing.
        if "kernel-drops" in span.get("touched", []) and not lost(span["start"] - SLACK, max(row[1], span["start"] + span["duration"]) + SLACK):
            fault("marked, and no loss was said", describe(span))
    if not intervals:
        fault("no loss", "no interval of drops was said")
    if touched == len(found):
        fault("marks", "all spans are marked, and this shows nothing")
    if not missing and not wrong:
        fault("no loss", "nothing is missing, and this shows nothing")
    length = sum(last - first for first, last in intervals) / 1e9
    return (f"{len(rows)} exchanges: {len(rows) - len(missing)} found, {wrong} of them without an answer, "
            f"{touched} marked; {len(missing)} not found, all within {len(intervals)} intervals of drops ({length:.2f} s)")


def lines(given):
    left_out = PLACE | OWN if given.captures else PLACE
    def known(path):
        return collections.Counter(json.dumps(without(span, left_out), sort_keys=True) for span in spans(path))
    one, other = known(given.spans), known(given.other)
    for mine, theirs in ((one - other, given.spans), (other - one, given.other)):
        for line in mine.elements():
            fault(f"only in {theirs}", line)
    return f"{sum(one.values())} spans, the same in both"


def without(value, left_out):
    if isinstance(value, dict):
        return {key: without(inner, left_out) for key, inner in value.items() if key not in left_out}
    if isinstance(value, list):
        return [without(inner, left_out) for inner in value]
    return value


def shed(given):
    found, rows = list(spans(given.spans)), log(given.logs)
    _, missing = match(found, rows)
    counted = summary.number(summary.read(given.summary), ["lost", "spans_shed"])
    if counted != len(missing):
        fault("wrong count", f"{len(missing)} exchanges of {len(rows)} were not written, and {counted} were counted")
    return f"{len(rows)} exchanges, {len(found)} written, {counted} counted as shed"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    modes = arguments.add_subparsers(required=True)
    for name, act, words in (("same", same, ["spans", "logs"]), ("covered", covered, ["spans", "summary", "logs"]),
                             ("lines", lines, ["spans", "other"]), ("shed", shed, ["spans", "summary", "logs"])):
        mode = modes.add_parser(name)
        mode.set_defaults(act=act)
        mode.add_argument("--network")
        if act == lines:
            mode.add_argument("--captures", action="store_true")
        for word in words:
            mode.add_argument(word, nargs="+" if word == "logs" else None)
    given = arguments.parse_args()
    print(given.act(given))
    for kind, texts in faults.items():
        for text in texts[:3]:
            print(f"{kind}: {text[:1000]}", file=sys.stderr)
        if len(texts) > 3:
            print(f"{kind}: {len(texts) - 3} more", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
