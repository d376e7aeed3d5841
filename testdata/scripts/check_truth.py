#!/usr/bin/env python3
"""check_truth.py SPANS.ndjson TRUTH.tsv: compares spans and their parents with what the servers wrote.

TRUTH.tsv is what testdata/lab writes. A span is known by its protocol, its connection and its place
among that connection's exchanges. Prints what is missing, what has another parent than it had, and what
has none. The last is no fault: where calls overlap, what carries no identifier cannot be told apart.
"""
import collections
import csv
import sys

import wirespan


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_truth.py SPANS.ndjson TRUTH.tsv")
    with open(sys.argv[2], newline="") as file:
        truth = list(csv.DictReader(file, delimiter="\t"))
    connections = collections.defaultdict(list)
    for span in wirespan.spans(sys.argv[1]):
        connections[span["protocol"], span["client"], span["server"]].append(span)
    for spans in connections.values():
        spans.sort(key=lambda span: (span["request"]["at"], span["request"].get("seq", 0)))

    found = {}
    for row in truth:
        spans = connections[row["protocol"], row["client"], row["server"]]
        if len(spans) >= int(row["nth"]):
            found[row["request"], row["span"]] = spans[int(row["nth"]) - 1]
    table = collections.defaultdict(collections.Counter)
    for row in truth:
        name = f"{row['request'][:8]} {row['span']}: {row['protocol']} {row['operation']} {row['client']} → {row['server']}"
        verdict = judge(row, found)
        table[row["protocol"]][verdict] += 1
        if verdict != "right parent":
            print(f"{verdict}: {name}")
    for protocol, verdicts in sorted(table.items()):
        print(protocol, sum(verdicts.values()), dict(sorted(verdicts.items())))
    faults = {"missing", "wrong parent"}
    sys.exit(1 if any(faults & set(verdicts) for verdicts in table.values()) else 0)


def judge(row, found):
    span = found.get((row["request"], row["span"]))
    if span is None:
        return "missing"
    if row["parent"] == "-":
        return "right parent" if not span.get("parent") else "wrong parent"
    if not span.get("parent"):
        return "no parent"
    above = found.get((row["request"], row["parent"]))
    right = above and span["parent"] == above["span"] and span["trace"] == above["trace"]
    return "right parent" if right else "wrong parent"


main()
