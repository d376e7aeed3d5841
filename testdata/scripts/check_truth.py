#!/usr/bin/env python3
"""check_truth.py [-v] SPANS.ndjson TRUTH.tsv: compares spans and their parents with what the servers wrote.

TRUTH.tsv is what testdata/lab writes. An exchange is known by its protocol, its connection and its place
there; what several points saw of it is one chain of spans. Prints what is missing, what has another
parent than it had, and what fewer or more points saw. That something has no parent is no fault: where
calls overlap, what carries no identifier cannot be told apart. It is counted, and shown with -v.
"""
import argparse
import collections
import csv
import sys

import wirespan


FAULTS = {"missing", "wrong parent", "wrong points"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("-v", "--verbose", action="store_true", help="also show what has no parent")
    arguments.add_argument("spans")
    arguments.add_argument("truth")
    given = arguments.parse_args()
    with open(given.truth, newline="") as file:
        truth = list(csv.DictReader(file, delimiter="\t"))
    chains = exchanges(wirespan.spans(given.spans))
    found = {}
    for row in truth:
        connection = chains[row["protocol"], row["client"], row["server"]]
        if len(connection) >= int(row["nth"]):
            found[row["span"]] = connection[int(row["nth"]) - 1]
    table = collections.defaultdict(collections.Counter)
    for row in truth:
        verdict = judge(row, found)
        table[row["protocol"]][verdict] += 1
        if verdict in FAULTS or (given.verbose and verdict == "no parent"):
            chain = found.get(row["span"])
            frames = f" frames {chain[0]['request']['frames']}" if chain else ""
            print(f"{verdict}: {row['span']} of {row['parent']}: {row['protocol']} {row['operation']} {row['client']} → {row['server']}{frames}")
    for protocol, verdicts in sorted(table.items()):
        print(protocol, sum(verdicts.values()), dict(sorted(verdicts.items())))
    sys.exit(1 if any(FAULTS & set(verdicts) for verdicts in table.values()) else 0)


def exchanges(spans):
    """By connection, its exchanges in order; each is the spans of all points, the outermost first."""
    chain_of, connections = {}, collections.defaultdict(list)
    # A span stands below the one that it hangs under.
    for span in spans:
        if (span.get("link") or {}).get("kind") == "same_exchange":
            chain = chain_of[span["parent"]]
        else:
            chain = []
            connections[span["protocol"], span["client"], span["server"]].append(chain)
        chain.append(span)
        chain_of[span["span"]] = chain
    for chains in connections.values():
        chains.sort(key=lambda chain: (chain[0]["request"]["at"], chain[0]["request"].get("seq", 0)))
    return connections


def judge(row, found):
    chain = found.get(row["span"])
    if chain is None:
        return "missing"
    if len(chain) != int(row["points"]) or len({span["point"] for span in chain}) != len(chain):
        return "wrong points"
    parent = chain[0].get("parent")
    if row["parent"] == "-":
        return "wrong parent" if parent else "right parent"
    if not parent:
        return "no parent"
    above = found.get(row["parent"], [])
    right = any(span["span"] == parent and span["trace"] == chain[0]["trace"] for span in above)
    return "right parent" if right else "wrong parent"


main()
