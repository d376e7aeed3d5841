#!/usr/bin/env python3
"""check_points.py CAPTURE: makes what other capture points would have taken, and checks what is read.

See points.py for the variants. --keep leaves them in a folder.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import wirespan

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("capture")
    arguments.add_argument("--keep", metavar="FOLDER")
    arguments.add_argument("--seed", default="1")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(check(options, options.keep or folder))


def check(options, folder):
    points = os.path.join(HERE, "points.py")
    subprocess.run([sys.executable, points, options.capture, folder, "--seed", options.seed], check=True)
    found = os.path.join(folder, "spans.ndjson")

    def read(*names, more=()):
        files = [os.path.join(folder, name) for name in names]
        summary = wirespan.run(options.binary, *files, ndjson=found, more=more)
        return summary, list(wirespan.spans(found))

    whole = wirespan.run(options.binary, options.capture, ndjson=found)
    spans = list(wirespan.spans(found))
    print(f"whole    {counts(whole)}")
    well = True

    def verdict(name, summary, **facts):
        nonlocal well
        wrong = [fact for fact, holds in facts.items() if not holds]
        well &= not wrong
        print(f"{name:8} {counts(summary)}: {'WRONG: ' + ', '.join(wrong) if wrong else 'as it must be'}")

    for name, files, more in [
        ("split", ("up.pcap", "down.pcap"), ()),
        ("vlans", ("vlans.pcap",), ()),
        ("dealt", ("dealt-1.pcap", "dealt-2.pcap", "dealt-3.pcap"), ("--point", "one=dealt-1.pcap,dealt-2.pcap,dealt-3.pcap")),
    ]:
        summary, other = read(*files, more=more)
        facts = {"same_ids": ids(other) == ids(spans)} if name != "vlans" else {}
        verdict(name, summary, one_point=summary["points"] == 1, same_counts=same(summary, whole),
                same_traces=wirespan.shapes(other) == wirespan.shapes(spans), **facts)
    original = os.path.basename(options.capture)
    for name, files in [
        ("router", (options.capture, "beyond.pcap")),
        ("reverse", ("beyond.pcap", options.capture)),
        ("mixed", ("mixed.pcap",)),
        ("hour", (options.capture, "hour.pcap")),
    ]:
        summary, other = read(*files)
        twins = [span for span in other if span.get("link", {}).get("kind") == "same_exchange"]
        by_id = {span["span"]: span for span in other}
        outer = [by_id[span["parent"]] for span in twins]
        verdict(name, summary, two_points=summary["points"] == 2, same_counts=same(summary, whole),
                twice_the_spans=summary["spans"] == 2 * whole["spans"], chains=len(twins) == whole["spans"],
                original_outermost=all(
                    up["request"]["ttl"] == down["request"]["ttl"] + 1 for up, down in zip(outer, twins)),
                same_traces={s["trace"] for s in other} == {s["trace"] for s in spans})
    summary, other = read(options.capture, "half.pcap")
    verdict("half", summary, two_points=summary["points"] == 2,
            same_counts=summary["exchanges"] == whole["exchanges"] and summary["traces"] == whole["traces"])
    summary, other = read("tenants.pcap")
    networks = {span["span"]: span["network"] for span in other}
    verdict("tenants", summary,
            twice=summary["exchanges"] == {k: 2 * v for k, v in whole["exchanges"].items()}
            and summary["traces"] == 2 * whole["traces"] and summary["points"] == 2,
            never_linked=all(networks[span["parent"]] == span["network"] for span in other if "parent" in span),
            traces_apart=all(len(found) == 1 for found in of_traces(other).values()))
    return 0 if well else 1


def of_traces(spans):
    traces = {}
    for span in spans:
        traces.setdefault(span["trace"], set()).add(span["network"])
    return traces


def same(summary, whole):
    return all(summary[key] == whole[key] for key in ("exchanges", "open", "traces", "joined_traces"))


def ids(spans):
    return sorted((span["trace"], span["span"], span.get("parent", ""), span["state"]) for span in spans)


def counts(summary):
    return (f"{summary['exchanges']} + {summary['open']} open, {summary['traces']} traces, {summary['spans']} spans, "
            f"{summary['points']} points")


main()
