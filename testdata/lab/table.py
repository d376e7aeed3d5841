#!/usr/bin/env python3
"""table.py OUT...: what runs of the lab hold, and how wirespan joins it, as a table in Markdown.

BINARY is the program (default: target/release/wirespan); without one, only what they hold is told.
"""
import json
import math
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
EVIDENCE = ("ids", "one candidate", "content", "none")
HEAD = ["scenario", "ids", "requests/s", "in flight", "packets", "points", "exchanges", *EVIDENCE, "unknown",
        "found %", "edges %", *(f"{evidence} %" for evidence in EVIDENCE), "≥ 0.95: right %", "of edges %", "traces %", "merged"]


def share(value):
    """Hundredths, in two digits behind the point; what is not all is not 100, what is not nothing not 0."""
    if value is None:
        return "–"
    if 0 < value < 0.0001:
        return "<0.01"
    return f"{math.floor(10000 * value + 1e-9) / 100:g}"


def scored(binary, folder):
    done = subprocess.run([binary, "evaluate", "--json", "-q", os.path.join(folder, "truth.ndjson")], stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    report = json.loads(done.stdout)
    exchanges, parents, traces = report["exchanges"], report["parents"], report["traces"]
    by_evidence = {group["name"]: group["right_edges"] for group in report["evidence"]}
    return [share(exchanges["found"] / exchanges["truth"]), share(parents["right_edges"]),
            *(share(by_evidence.get(evidence)) for evidence in EVIDENCE),
            share(parents["precision_95"]), share(parents["coverage_95"]), share(traces["right_share"]), str(traces["merged"])]


def main():
    binary = os.environ.get("BINARY", os.path.join(HERE, "..", "..", "target", "release", "wirespan"))
    rows = [HEAD, ["---"] * len(HEAD)]
    for folder in sys.argv[1:]:
        with open(os.path.join(folder, "report.json")) as file:
            report = json.load(file)
        held = [report["scenario"], report["ids"], report.get("rate_reached", "–"), report.get("most_in_flight", "–"),
                report["packets"], report["points"], report["exchanges"],
                *(report["edges"].get(evidence, 0) for evidence in EVIDENCE), report["unknown_parents"]]
        rows.append([*map(str, held), *(scored(binary, folder) if os.access(binary, os.X_OK) else ["–"] * 10)])
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
