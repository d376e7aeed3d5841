#!/usr/bin/env python3
"""check_cut.py CAPTURE… [--traces N]: do the packets cut out for a trace give the same trace again?

Of each capture, N traces are cut out one by one (of each kind, by protocols, states and number of
spans, as many as there are), and what was written is read again. It must hold these spans and no
others, with the same ids, parents and links, and with the same times and bytes of each message.
What else differs, such as the name of a service that was learnt from another trace, is counted; so
are exchanges that are pipelined with those of the trace, which the file must hold too.
TShark must be able to read the file, and must show the span of each packet.
"""
import argparse
import collections
import os
import shutil
import subprocess
import sys
import tempfile

import wirespan

# What makes a trace what it is.
IDENTITY = ("trace", "span", "parent", "link", "span_links", "late")
# Numbers of this run alone.
OF_THE_RUN = ("ordinal", "opened", "closed", "point", "tap")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("captures", nargs="+", metavar="CAPTURE")
    arguments.add_argument("--traces", type=int, default=100)
    arguments.add_argument("--together", action="store_true", help="cut them out into one file")
    arguments.add_argument("--keep", metavar="DIR", help="keep the files of those that are wrong")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    if not shutil.which("tshark"):
        print("tshark is not installed: its part is skipped")
    wrong = sum(check(capture, options) for capture in options.captures)
    sys.exit(1 if wrong else 0)


def check(capture, options):
    with tempfile.TemporaryDirectory() as folder:
        spans = os.path.join(folder, "all.ndjson")
        wirespan.run(options.binary, capture, ndjson=spans)
        traces = collections.defaultdict(list)
        for span in wirespan.spans(spans):
            traces[span["trace"]].append(span)
        all_spans = {span["span"]: span for of_trace in traces.values() for span in of_trace}
        chosen = choose(traces, options.traces)
        counts = collections.Counter()
        examples = {}
        for ids in [chosen] if options.together else [[trace] for trace in chosen]:
            out = os.path.join(folder, "cut.pcapng")
            expected = [span for trace in ids for span in traces[trace]]
            problems = cut(capture, ids, expected, all_spans, out, folder, counts, options)
            for problem in problems:
                counts[problem] += 1
                examples.setdefault(problem, ids[0])
            if any(problem.startswith("WRONG") for problem in problems) and options.keep:
                shutil.copy(out, os.path.join(options.keep, f"{ids[0]}.pcapng"))
    print(f"{capture}: {len(chosen)} of {len(traces)} traces, {counts.pop('spans', 0)} spans, "
          f"{counts.pop('packets', 0)} packets")
    for problem, count in sorted(counts.items()):
        print(f"{count:7} {problem}, such as {examples[problem]}")
    return sum(count for problem, count in counts.items() if problem.startswith("WRONG"))


def choose(traces, count):
    """As many of each kind as there are, spread over the capture."""
    kinds = collections.defaultdict(list)
    for trace, spans in traces.items():
        what = {(span["protocol"], span["transport"], span["state"]) for span in spans}
        kinds[(len(spans), tuple(sorted(what)))].append(trace)
    chosen = []
    left = sorted(kinds.items(), key=lambda kind: len(kind[1]))
    for place, (_, of_kind) in enumerate(left):
        share = min(len(of_kind), -(-(count - len(chosen)) // (len(left) - place)))
        step = max(1, len(of_kind) // share) if share else 1
        chosen += of_kind[::step][:share]
    return chosen


def cut(capture, ids, expected, all_spans, out, folder, counts, options):
    """Cuts traces out and reads them again; gives what is wrong."""
    command = [options.binary, "read", capture, "-q", "-w", out, "-o", os.devnull]
    for trace in ids:
        command += ["--trace", trace]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode or done.stderr:
        return [f"WRONG: exit code {done.returncode}, {done.stderr.strip()}"]
    again = os.path.join(folder, "again.ndjson")
    wirespan.run(options.binary, out, ndjson=again)
    found = list(wirespan.spans(again))
    counts["spans"] += len(expected)
    problems = set()
    missing = {key(span) for span in expected} - {key(span) for span in found}
    if missing:
        problems.add("WRONG: spans are missing")
    here = {key(span) for span in expected}
    connections = {connection(span) for span in expected}
    for span in found:
        if key(span) in here:
            continue
        if span["span"] not in all_spans or connection(span) not in connections:
            problems.add("WRONG: there are other spans")
        elif span["trace"] in ids:
            problems.add("the trace holds what is pipelined with it")
        else:
            problems.add("there are traces of what is pipelined with it")
    by_key = {key(span): span for span in found}
    for span in expected:
        other = by_key.get(key(span))
        if other is None:
            continue
        for field in sorted((span.keys() | other.keys()) - set(OF_THE_RUN)):
            if plain(span.get(field)) != plain(other.get(field)):
                severity = "WRONG: " if field in IDENTITY else ""
                problems.add(f"{severity}another {field}")
    if shutil.which("tshark"):
        problems |= show(out, expected, counts)
    return sorted(problems)


def connection(span):
    return span["client"], span["server"]


def key(span):
    return span["trace"], span["span"]


def plain(value):
    """Without numbers that are of one file alone."""
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name not in ("file", "last_file", "frames")}


def show(out, expected, counts):
    """What TShark shows of a file: each packet must name one of the spans, and each span be named."""
    command = ["tshark", "-r", out, "-T", "fields", "-e", "frame.comment", "-e", "frame.interface_name"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    counts["packets"] += len(lines)
    problems = set()
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    if done.returncode or complaints:
        problems.add(f"WRONG: tshark says {done.stderr.strip()}")
    names = {f"wirespan: trace {span['trace']}, span {span['span']}:" for span in expected}
    for line in lines:
        if not any(name in line for name in names) and "not chosen, but pipelined" not in line:
            problems.add("WRONG: a packet without the comment")
    text = done.stdout
    if not all(name in text for name in names):
        problems.add("WRONG: a span without a packet")
    return problems


if __name__ == "__main__":
    main()
