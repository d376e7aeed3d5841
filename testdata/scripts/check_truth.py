#!/usr/bin/env python3
"""check_truth.py [-v] SPANS.ndjson TRUTH.tsv: compares spans and their parents with what the servers wrote.

TRUTH.tsv is what testdata/lab writes. An exchange is known by its protocol, its connection and its place
there; what several points saw of it is one chain of spans. Prints what is missing, what has another
operation, status or parent than it had, and what fewer or more points saw. That something has no parent
is no fault: where calls overlap, what carries no identifier cannot be told apart. It is counted, and shown
with -v. Then the exchanges of the same connections are counted by client, protocol, operation and status,
which also shows what was seen and never was.
"""
import argparse
import collections
import csv
import sys

import wirespan


FAULTS = {"missing", "wrong operation", "wrong status", "wrong parent", "wrong points"}


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
    differ = count_both(truth, chains)
    for (host, protocol, operation, status), (true, seen) in sorted(differ.items()):
        print(f"wrong count: {protocol} {operation} {status} by {host}: {true} happened, {seen} seen")
    sys.exit(1 if differ or any(FAULTS & set(verdicts) for verdicts in table.values()) else 0)


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
    if operation(chain[0]) != asked(row):
        return "wrong operation"
    if status(chain[0]) != row["status"]:
        return "wrong status"
    if row["parent"] == "?":
        return "parent not told"
    parent = chain[0].get("parent")
    if row["parent"] == "-":
        return "wrong parent" if parent else "right parent"
    if not parent:
        return "no parent"
    above = found.get(row["parent"], [])
    right = any(span["span"] == parent and span["trace"] == chain[0]["trace"] for span in above)
    return "right parent" if right else "wrong parent"


def count_both(truth, chains):
    """How often each happened and was seen, by client, protocol, operation and status, where that differs."""
    counts = collections.defaultdict(lambda: [0, 0])
    for row in truth:
        counts[host(row["client"]), row["protocol"], asked(row), row["status"]][0] += 1
    connections = {(row["protocol"], row["client"], row["server"]) for row in truth}
    for protocol, client, server in connections:
        for chain in chains[protocol, client, server]:
            counts[host(client), protocol, operation(chain[0]), status(chain[0])][1] += 1
    return {key: both for key, both in counts.items() if both[0] != both[1]}


def host(end):
    return end.rpartition(":")[0]


def asked(row):
    """What was asked, as far as spans tell: the query of a URL may hold secrets."""
    return row["operation"].partition("?")[0]


def operation(span):
    """As the lab writes it: with what it was about where that makes it what it is."""
    if span["protocol"] in ("http", "dns"):
        return f"{span['operation']} {span.get('resource', '')}".rstrip()
    return span["operation"]


def status(span):
    """As the lab writes it."""
    if span["state"] == "refused":
        return "refused"
    if span["sort"] in ("one_way", "end"):
        return "sent"
    if span["state"] != "complete":
        return span["state"]
    reported = span["status"]
    words = {
        "http": reported.get("code"),
        "dns": reported.get("text"),
        "redis": "ok" if reported["outcome"] == "ok" else "error",
        "postgresql": "ok" if reported["outcome"] == "ok" else reported.get("text"),
        "mysql": reported.get("code") or "ok",
    }
    return str(words[span["protocol"]])


main()
